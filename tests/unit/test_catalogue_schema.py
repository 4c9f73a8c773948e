"""Every quirk of RunComfy's input schemas becomes plain JSON Schema, and every field gets its meaning."""

import json
import logging

import jsonschema
import pytest
from sora2pro.nodes.errors import InvalidInputError
from sora2pro.nodes.runcomfy.catalogue.limits import broken_limits, picture_limits
from sora2pro.nodes.runcomfy.catalogue.quirks import Media
from sora2pro.nodes.runcomfy.catalogue.roles import find_roles
from sora2pro.nodes.runcomfy.catalogue.schema import Role, parse_entry
from sora2pro.nodes.runcomfy.catalogue.shipped import parse_catalogue_file
from sora2pro.nodes.runcomfy.models import Size
from support.model_values import CATALOGUE, document_with, entry_with

MODEL = json.dumps(document_with({"image": {"format": "image_uri"}}))


def schema_of(field, name="thing"):
    return json.loads(entry_with({name: field}).schema_json)["properties"][name]


def field_of(field, name="thing"):
    return entry_with({name: field}).field_named(name)


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ({"type": "float", "default": 0.5}, {"type": "number", "default": 0.5}),
        ({"type": "Integer"}, {"type": "integer"}),
        ({"type": ["string", "null"]}, {"type": "string"}),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}, {"type": "integer", "minimum": 1}),
        ({"type": "string", "default": None}, {"type": "string"}),
        ({"type": "integer", "default": "5"}, {"type": "integer", "default": 5}),
        ({"type": "integer", "default": 5.0}, {"type": "integer", "default": 5}),
        ({"type": "integer", "default": "many"}, {"type": "integer"}),
        ({"enum": ["720p", None, "720p"], "default": "720P"}, {"enum": ["720p"], "default": "720p"}),
        ({"enum": ["a"], "default": "b"}, {"enum": ["a"]}),
        ({"const": "x"}, {"enum": ["x"]}),
        ({"format": "image_uris"}, {"type": "array", "format": "image_uris"}),
        ({"format": "video_uri", "default": "https://x.example/a.mp4"}, {"type": "string", "format": "video_uri"}),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, {"type": "number", "exclusiveMinimum": 0}),
        ({"type": "number", "minimum": "0", "maximum": float("inf")}, {"type": "number"}),
        ({"type": "string", "pattern": "(", "maxLength": "9"}, {"type": "string"}),
        ({"$ref": "https://elsewhere.example/schema"}, {}),
        ({"type": "file"}, {}),
        ("anything", {}),
    ],
)
def test_a_quirk_is_put_right(raw, plain):
    assert schema_of(raw) == plain
    jsonschema.Draft202012Validator.check_schema(schema_of(raw))


@pytest.mark.parametrize(
    ("name", "raw", "has_sample"),
    [
        ("prompt", {"type": "string", "default": "A dog on a beach"}, True),
        ("promptText", {"type": "string", "default": "A dog"}, True),
        ("image_url", {"type": "string", "default": "https://x.example/dog.png"}, True),
        ("voice", {"type": "string", "default": "https://x.example/a.wav"}, True),
        ("prompt", {"type": "string", "default": ""}, False),
    ],
)
def test_a_sample_is_not_a_default(name, raw, has_sample):
    one = field_of(raw, name)
    assert (one.default, one.has_sample) == (None, has_sample)


def test_an_enum_named_after_the_prompt_keeps_its_default():
    assert (
        field_of({"enum": ["balanced", "quality"], "default": "balanced"}, "prompt_expansion_mode").default
        == "balanced"
    )


@pytest.mark.parametrize(
    ("name", "raw", "media", "is_list"),
    [
        ("thing", {"type": "string", "format": "IMAGE_URI"}, Media.IMAGE, False),
        ("thing", {"type": "array", "items": {"type": "string", "format": "image_uri"}}, Media.IMAGE, True),
        ("images", {"type": "array"}, Media.IMAGE, True),
        ("img_url", {"type": "string"}, Media.IMAGE, False),
        ("audio_url", {"type": "string", "format": "audio_uri"}, Media.AUDIO, False),
        ("videos", {"type": "array", "format": "video_uris"}, Media.VIDEO, True),
        ("sound", {"type": "boolean"}, None, False),
        ("image", {"type": "object"}, None, False),
    ],
)
def test_files_are_known_by_format_or_name(name, raw, media, is_list):
    one = field_of(raw, name)
    assert (one.media, one.media is not None and one.is_list) == (media, is_list)


FIRST_IMAGES = (
    *("image", "image_url", "start_image_url", "first_frame", "first_frame_url", "first_frame_image_url", "img_url"),
    *("promptImage", "input_reference", "images", "image_urls", "608_image", "reference_images", "image_url_1"),
)
LAST_IMAGES = ("end_image_url", "end_image", "last_image", "last_frame", "last_frame_url")


@pytest.mark.parametrize(
    ("role", "name", "raw"),
    [
        *((Role.FIRST_IMAGE, name, {"type": "array" if name.endswith("s") else "string"}) for name in FIRST_IMAGES),
        *((Role.LAST_IMAGE, name, {"type": "string"}) for name in LAST_IMAGES),
        *((Role.PROMPT, name, {"type": "string"}) for name in ("prompt", "promptText", "600_prompt")),
        *((Role.LENGTH, name, {"type": "integer"}) for name in ("duration", "seconds")),
        *((Role.RESOLUTION, name, {"type": "string"}) for name in ("resolution", "size")),
        *((Role.ASPECT_RATIO, name, {"type": "string"}) for name in ("aspect_ratio", "ratio")),
        *((Role.SOUND, name, {"type": "boolean"}) for name in ("generate_audio", "enable_audio", "sound")),
        (Role.FIRST_IMAGE, "portrait", {"format": "image_uri"}),
    ],
)
def test_one_meaning_has_many_names(role, name, raw):
    assert find_roles(entry_with({name: raw})).field_for(role).name == name


@pytest.mark.parametrize(
    ("name", "raw"), [("sound", {"type": "string"}), ("duration", {"type": "boolean"}), ("seed", {"type": "object"})]
)
def test_a_name_with_another_type_has_no_meaning(name, raw):
    assert [one.name for _, one in find_roles(entry_with({name: raw})).found] == ["prompt"]


def test_an_exception_in_the_data_decides_between_two_pictures():
    document = document_with({"image": {"format": "image_uri"}, "img_url": {"format": "image_uri"}})
    shipped = parse_entry({**document, "exceptions": {"roles": {"first_image": "img_url"}}})
    assert find_roles(shipped).field_for(Role.FIRST_IMAGE).name == "img_url"
    assert find_roles(parse_entry(document, shipped)).field_for(Role.FIRST_IMAGE).name == "img_url"
    assert find_roles(parse_entry(document)).first_images == ("image", "img_url")


# --- one broken entry costs one model


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {},
        {"model_id": 5},
        {"model_id": "a/b", "input_schema": []},
        {"model_id": "a/b", "input_schema": {"properties": []}},
        {"model_id": "a/b", "input_schema": {}, "exceptions": []},
        {"model_id": "a/b", "input_schema": {}, "exceptions": {"sound_factor": "much"}},
        {"model_id": "a/b", "input_schema": {}, "exceptions": {"roles": {"no such role": "image"}}},
    ],
)
def test_a_broken_row_costs_one_model_and_is_logged_once(broken, caplog):
    with caplog.at_level(logging.WARNING):
        catalogue = parse_catalogue_file(f'{{"models": [{json.dumps(broken)}, {MODEL}]}}')
    assert catalogue.ids == ("maker/model-1.0/image-to-video",)
    assert len(caplog.records) == 1


def test_a_live_answer_that_cannot_be_understood_is_refused_in_words():
    with pytest.raises(InvalidInputError, match=r"'a/b' cannot be understood\. Nothing was sent"):
        parse_entry({"model_id": "a/b", "input_schema": "later"})


@pytest.mark.parametrize(
    ("price", "unit", "known"),
    [(0.5, "Second", (0.5, "second")), (0, "output", (0.0, "output")), ("0.5", "second", (None, "second"))]
    + [(bad, None, (None, "")) for bad in (None, -1, float("nan"), float("inf"), True)],
)
def test_a_price_is_a_finite_number_from_0_or_unknown(price, unit, known):
    entry = entry_with({}, base_price_usd=price, price_unit=unit)
    assert (entry.base_price_usd, entry.price_unit) == known


def test_the_hash_changes_with_the_schema_and_not_with_the_words_around_it():
    one, same, other = (
        entry_with({"thing": field})
        for field in ({"type": "string"}, {"type": "string", "description": "x"}, {"type": "integer"})
    )
    assert one.schema_hash == same.schema_hash != other.schema_hash


@pytest.mark.parametrize("number", [10**400, -(10**400), 1e308])
def test_a_number_beyond_all_measure_is_not_a_price_and_harms_nothing(number):
    entry = entry_with({"thing": {"type": "integer", "maximum": number, "minLength": number}}, base_price_usd=number)
    assert entry.base_price_usd in (None, 1e308)


def test_an_entry_cannot_be_changed():
    entry = CATALOGUE.models[0]
    assert hash(entry)
    with pytest.raises(AttributeError):
        entry.model_id = "x"


# --- what a picture must be like


@pytest.mark.parametrize(
    ("rule", "size", "file_bytes"),
    [
        ("file_size_mb<10", Size(500, 500), 10_000_000),
        ({"type": "file_size_mb<", "value": 10}, Size(500, 500), 10_000_000),
        ({"file_size_mb<": 10}, Size(500, 500), 10_000_000),
        ({"field": "file_size_mb", "operator": "<", "value": 10}, Size(500, 500), 10_000_000),
        (
            {
                "validation_rule": "file_size_mb<",
                "validation_value": 10,
                "validation_error": "Must be less than 10 MB.",
            },
            Size(500, 500),
            10_000_000,
        ),
        ("width/height > 0.4", Size(400, 1000), 1),
        ("width/height<2.5", Size(2500, 1000), 1),
        ("width_pixels>300", Size(300, 500), 1),
        ("height_pixels>=300", Size(500, 299), 1),
    ],
)
def test_a_limit_of_a_picture_is_read_from_every_form(rule, size, file_bytes):
    entry = entry_with({"image": {"format": "image_uri", "validations": [rule, "colour=blue", None]}})
    limits = picture_limits(entry, entry.field_named("image"))
    assert len(limits) == 1
    assert broken_limits(limits, size, file_bytes) == limits
    assert broken_limits(limits, Size(600, 600), 9_999_999) == ()


def test_limits_that_only_the_description_states_hold_for_the_live_model_too():
    shipped = CATALOGUE.find("alibaba/happyhorse-1.1/image-to-video")
    live = parse_entry(document_with({"image_url": {"format": "image_uri"}}, model_id=shipped.model_id), shipped)
    limits = picture_limits(live, live.field_named("image_url"))
    assert [str(one) for one in broken_limits(limits, Size(299, 800), 10_000_001)] == [
        "width in pixels at least 300",
        "width divided by height at least 0.4",
        "size in MB at most 10",
    ]
