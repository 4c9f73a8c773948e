"""`RunComfyImageToVideo` as ComfyUI sees it, and what it says to an order without asking anybody."""

import inspect

import numpy as np
import pytest
import torch
from sora2pro import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
from sora2pro.nodes.errors import InvalidInputError
from sora2pro.nodes.media.picture import encode, most_png_bytes, pixels_sha256
from sora2pro.nodes.run.pictures import fit_to_limits, size_within
from sora2pro.nodes.runcomfy import Limit, Size, shipped_catalogue
from sora2pro.nodes.runcomfy.catalogue.offer import check_model_id

NODE = NODE_CLASS_MAPPINGS["RunComfyImageToVideo"]
CONTRACT = [
    "model",
    "prompt",
    "duration",
    "resolution",
    "aspect_ratio",
    "audio",
    "image",
    "end_image",
    "image_url",
    "end_image_url",
    "negative_prompt",
    "seed",
    "custom_model_id",
    "extra_json",
    "max_clips",
    "decode_frames",
    "select_every_nth",
    "frame_load_cap",
    "rehearse",
    "if_a_clip_fails",
]


def declared():
    return {name: one for section in NODE.INPUT_TYPES().values() for name, one in section.items()}


def test_the_inputs_are_those_of_the_contract_in_their_order():
    assert list(declared()) == CONTRACT
    assert NODE.CATEGORY == "RunComfy"
    assert NODE_DISPLAY_NAME_MAPPINGS["RunComfyImageToVideo"] == "Image to Video, any model (RunComfy)"


def test_every_default_is_among_its_choices():
    for kind, options in declared().values():
        if isinstance(kind, list):
            assert options["default"] in kind


def test_every_shipped_model_can_be_chosen_and_none_that_is_retired():
    choices = declared()["model"][0]
    assert choices == list(shipped_catalogue().ids)
    assert not [one for one in choices if "sora" in one]


def test_a_value_of_another_catalogue_is_left_to_the_run_which_explains_it():
    """ComfyUI leaves out its own check of the inputs that VALIDATE_INPUTS names."""
    assert list(inspect.signature(NODE.VALIDATE_INPUTS).parameters) == ["model", "resolution", "aspect_ratio"]
    assert NODE.VALIDATE_INPUTS(model="a/newer/model", resolution="16k", aspect_ratio="1:9") is True


def test_only_what_a_first_time_user_needs_is_in_sight():
    in_sight = [name for name, (_kind, options) in declared().items() if not options.get("advanced")]
    assert in_sight == [*CONTRACT[: CONTRACT.index("end_image") + 1], "seed", "rehearse"]


def test_the_seed_stays_fixed_until_the_user_changes_it():
    assert declared()["seed"][1]["control_after_generate"] == "fixed"


@pytest.mark.parametrize(
    "model_id", ["", "a//b", "../a", "a/./b", "a/b?x=1", "a#b", "a\nb", "a/%2e%2e/b", "a\\b", "x" * 201]
)
def test_what_would_lead_to_another_address_is_not_an_id(model_id):
    with pytest.raises(InvalidInputError, match="not the id of a model"):
        check_model_id(model_id)


@pytest.mark.parametrize("model_id", ["kling/kling-video-o3/4K/image-to-video", "maker/Odd Id 1.5/image-to-video"])
def test_capitals_dots_and_spaces_are_parts_of_ids(model_id):
    check_model_id(model_id)


@pytest.mark.parametrize(
    ("comparison", "expected"), [("<=", Size(1000, 500)), ("<", Size(999, 499)), (">=", Size(2000, 1000))]
)
def test_a_picture_is_reduced_to_the_largest_size_of_its_shape_within_the_limit(comparison, expected):
    assert size_within(Size(2000, 1000), (Limit("width_pixels", comparison, 1000),), "image") == expected


def test_a_picture_that_cannot_be_reduced_into_the_limits_is_refused_with_them():
    limits = (Limit("width_pixels", "<=", 1000), Limit("height_pixels", ">=", 600))
    with pytest.raises(InvalidInputError, match=r"'end_image'.*2000x1000.*height in pixels at least 600"):
        size_within(Size(2000, 1000), limits, "end_image")


def test_a_picture_within_the_limits_is_sent_in_its_own_shape():
    picture = torch.rand((40, 60, 3), generator=torch.Generator().manual_seed(3))
    plain, limited = (
        fit_to_limits(picture, (), "image"),
        fit_to_limits(picture, (Limit("width_pixels", "<=", 60),), "image"),
    )
    assert plain == limited
    assert plain.value.startswith("data:image/png;base64,")
    assert fit_to_limits(picture, (Limit("width_pixels", "<=", 30),), "image").identity != plain.identity


@pytest.mark.parametrize("megabytes", [0.05, 0.02, 0.005])
def test_a_picture_with_too_many_bytes_is_reduced_alike_whether_or_not_its_size_is_known(megabytes):
    picture = torch.rand((120, 160, 3), generator=torch.Generator().manual_seed(4))
    limits = (Limit("file_size_mb", "<=", megabytes),)
    first, again = fit_to_limits(picture, limits, "image"), fit_to_limits(picture, limits, "image")
    assert (first, first.value) == (again, again.value)
    assert np.array_equal(first.pixels(), again.pixels())
    assert first.identity == pixels_sha256(again.pixels())
    assert first.size.width < 160
    assert len(encode(first.pixels()).data) <= megabytes * 1_000_000


@pytest.mark.parametrize("size", [(1, 1), (1, 999), (999, 1), (7, 5), (333, 211), (1000, 700)])
@pytest.mark.parametrize("level", [0, 255, None])
def test_no_png_is_larger_than_is_said_before_it_is_made(size, level):
    shape = (*size[::-1], 3)
    noise = np.random.default_rng(5).integers(0, 256, shape, np.uint8)
    pixels = noise if level is None else np.full(shape, level, np.uint8)
    assert len(encode(pixels, max_bytes=1 << 40).data) <= most_png_bytes(size)
