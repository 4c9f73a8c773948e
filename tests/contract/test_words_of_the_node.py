"""What an error advises fits the node in use: it names no input that this node does not have."""

import asyncio
import re

import pytest
import torch
from emulator import Call, Fault
from emulator.quirks import QUIRKS
from pack import load_pack
from sora2pro.nodes.errors import (
    GenerationFailedError,
    InvalidInputError,
    InvalidRequestError,
    MissingTokenError,
    ModelUnavailableError,
    NotEnoughRoomError,
)
from sora2pro.nodes.media import memory
from sora2pro.nodes.run import current
from support.node_runs import run_any_node, run_node, run_status

MODEL = "pixverse/pixverse-v6/image-to-video"
BUYING = {"Sora2ProImageToVideo": {}, "RunComfyImageToVideo": {"model": MODEL, "duration": 0}}
NODES = (*BUYING, "Sora2ProStatus")


def inputs_of(node_id):
    declared = load_pack().NODE_CLASS_MAPPINGS[node_id].INPUT_TYPES()
    return {name for kind in declared.values() for name in kind}


def names_in(said):
    """The inputs of any node that a sentence names."""
    return set(re.findall(r"'(\w+)'", said)) & set().union(*map(inputs_of, NODES))


def outputs_of(node_id):
    return set(load_pack().NODE_CLASS_MAPPINGS[node_id].RETURN_NAMES)


def check(said, node_id):
    assert names_in(said) <= inputs_of(node_id) | outputs_of(node_id), said


@pytest.fixture(params=BUYING)
def node_id(request):
    return request.param


@pytest.fixture
def started(start_emulator, point_to):
    def start(*timeline, **options):
        emulator = start_emulator(*timeline, **options)
        point_to(emulator)
        current._engine.cache_clear()
        return emulator

    return start


def said_by(node_id, kind, **inputs):
    node = load_pack().NODE_CLASS_MAPPINGS[node_id]()
    given = {"image": torch.full((1, 400, 640, 3), 0.5), "prompt": "A fox runs.", "frame_load_cap": 8}
    with pytest.raises(kind) as raised:
        asyncio.run(node.generate(**{**given, **BUYING[node_id], **inputs}))
    return str(raised.value)


def test_what_buys_a_batch_again_is_told_in_the_inputs_of_the_node(started, node_id):
    emulator = started()
    emulator.inject(Fault(Call.RESULT, "ends-failed"))
    pictures = torch.stack([torch.full((400, 640, 3), level) for level in (0.2, 0.5)])
    said = said_by(node_id, GenerationFailedError, image=pictures, max_clips=2)
    named = names_in(said)
    lengths = {"Sora2ProImageToVideo": {"size", "seconds"}, "RunComfyImageToVideo": {"resolution", "duration"}}
    assert {"prompt", "seed", *lengths[node_id]} <= named, said
    check(said, node_id)


def test_a_refusal_at_the_submission_names_inputs_that_can_be_changed(started, node_id):
    emulator = started()
    emulator.inject(Fault(Call.SUBMIT, "422"))
    said = said_by(node_id, InvalidRequestError)
    lengths = {"Sora2ProImageToVideo": {"size", "seconds"}, "RunComfyImageToVideo": {"resolution", "duration"}}
    assert {"prompt", "image_url", *lengths[node_id]} <= names_in(said), said
    check(said, node_id)
    assert emulator.charges == 0


def test_a_model_that_is_gone_is_told_in_the_words_of_the_node_that_asked_for_it(started):
    emulator = started()
    said_by("RunComfyImageToVideo", InvalidInputError, duration=60)  # the description is known from here on
    emulator.configure(quirks={MODEL: QUIRKS["retired-404-at-submission"]})
    said = said_by("RunComfyImageToVideo", ModelUnavailableError)
    assert "Choose another model" in said
    assert "SORA" not in said.upper()
    assert emulator.charges == 0


def test_a_model_that_is_gone_is_not_the_nearest_to_itself(started):
    emulator = started(quirks={MODEL: QUIRKS["retired-404-at-submission"]})
    assert said_by("RunComfyImageToVideo", InvalidInputError).count(f"'{MODEL}'") == 1
    assert emulator.charges == 0


@pytest.mark.parametrize(
    "address", ["http://pictures.org/a.png", "data:image/png;base64,AAAA", "https://photos.google.com/a"]
)
@pytest.mark.parametrize(
    ("widget", "inputs"),
    [("image", {"image": None, "image_url": "{}"}), ("end_image", {"end_image_url": "{}"})],
)
def test_an_unusable_address_is_replaced_by_a_picture_of_the_same_place(started, widget, inputs, address):
    started()
    filled = {name: text and text.format(address) for name, text in inputs.items()}
    said = said_by("RunComfyImageToVideo", InvalidInputError, model="wan-ai/wan-3.0/image-to-video", **filled)
    assert f"connect '{widget}' instead" in said


@pytest.mark.parametrize(
    "address", ["http://pictures.org/a.mp3", "data:audio/mp3;base64,AAAA", "https://photos.google.com/a"]
)
def test_an_unusable_address_of_a_further_field_is_not_replaced_by_a_picture(started, address):
    started()
    said = said_by(
        "RunComfyImageToVideo",
        InvalidInputError,
        model="wan-ai/wan-2.7/image-to-video",
        extra_json=f'{{"audio_url": "{address}"}}',
    )
    assert "'audio_url'" in said
    assert "connect" not in said
    assert "https" in said


def test_without_a_token_the_status_node_is_not_said_to_rehearse(started, monkeypatch):
    emulator = started()
    run_node()
    for name in ("RUNCOMFY_API_TOKEN", "RUNCOMFY_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    current._engine.cache_clear()
    with pytest.raises(MissingTokenError) as raised:
        run_status("a-request-of-another-machine", "collect")
    assert "turn on 'rehearse' in a node that makes clips." in str(raised.value)
    assert emulator.charges == 1


def test_frames_without_memory_in_the_status_node_are_not_helped_by_inputs_it_lacks(started, monkeypatch):
    emulator = started()
    (output,) = run_any_node(image=torch.full((1, 400, 640, 3), 0.5), decode_frames=False)
    monkeypatch.setattr(memory, "available_bytes", lambda: 0)
    with pytest.raises(NotEnoughRoomError) as raised:
        run_status(output.request_id, "collect")
    check(str(raised.value), "Sora2ProStatus")
    assert str(output.video.path) in str(raised.value)
    assert emulator.charges == 1
