"""A wish becomes a body that the model accepts, or a refusal that says what the model has instead."""

import json

import jsonschema
import pytest
from sora2pro.nodes.errors import NOTHING_SENT, InvalidInputError
from sora2pro.nodes.runcomfy.catalogue.schema import parse_entry
from sora2pro.nodes.runcomfy.catalogue.shipped import FILE
from sora2pro.nodes.runcomfy.catalogue.translate import translate
from sora2pro.nodes.runcomfy.models import Size
from support.model_values import CATALOGUE, document_with, entry_with, whole_body, wishes_for

LIVE = document_with({})
PICTURE = "https://example.com/picture.png"
ROWS = {row["model_id"]: row for row in json.loads(FILE.read_text("utf-8"))["models"]}
KLING = "kling/kling-3.0/standard/image-to-video"
SEEDANCE = "bytedance/seedance-2.5/image-to-video/720p"
SEEDANCE_2 = "bytedance/seedance-2.0/pro"
FLUX = "blackforestlabs/flux-3/image-to-video"
LTX = "lightricks/ltx-2.5/image-to-video/pro"
WAN = "wan-ai/wan-3.0/image-to-video"
GEMINI = "google/gemini-omni-flash/image-to-video"
HAPPYHORSE = "alibaba/happyhorse-1.1/image-to-video"
PIXVERSE = "pixverse/pixverse-v6/image-to-video"


def translated(model_id, is_strict=True, **wishes):
    entry = CATALOGUE.find(model_id) if isinstance(model_id, str) else model_id
    return translate(entry, wishes_for(entry, **wishes), catalogue=CATALOGUE, is_strict=is_strict)


def refusal(model_id, **wishes):
    with pytest.raises(InvalidInputError) as caught:
        translated(model_id, **wishes)
    assert caught.value.money == NOTHING_SENT
    assert caught.value.remedy
    return str(caught.value)


# --- every shipped model


@pytest.mark.parametrize("model_id", CATALOGUE.ids)
def test_defaults_give_a_body_that_an_independent_validator_accepts(model_id):
    schema = {"type": "object", **ROWS[model_id]["input_schema"]}
    body = whole_body(translated(model_id), image=PICTURE, end_image=PICTURE)
    jsonschema.Draft202012Validator(schema).validate(body)
    assert set(body) <= set(schema["properties"])
    assert PICTURE in body.values() or [PICTURE] in body.values()


@pytest.mark.parametrize("model_id", CATALOGUE.ids)
def test_length_resolution_ratio_and_sound_are_always_sent_because_they_move_the_price(model_id):
    body = translated(model_id).body
    names = {
        "duration",
        "resolution",
        "aspect_ratio",
        "generate_audio",
        "enable_audio",
        "sound",
        "generate_audio_switch",
    }
    assert names & set(ROWS[model_id]["input_schema"]["properties"]) <= set(body)


@pytest.mark.parametrize("model_id", CATALOGUE.ids)
def test_a_lost_picture_is_never_a_video_from_text(model_id):
    assert "There is no picture." in refusal(model_id, has_image=False)


# --- wishes in the model's own spelling


@pytest.mark.parametrize(
    ("model_id", "wishes", "sent"),
    [
        (HAPPYHORSE, {"resolution": "720p"}, {"resolution": "720P"}),
        (FLUX, {"duration": 6}, {"duration": "6"}),
        (KLING, {"duration": 6}, {"duration": 6}),
        (FLUX, {"duration": 0}, {"duration": "auto"}),
        (WAN, {"aspect_ratio": "auto"}, {"aspect_ratio": "adaptive"}),
        (FLUX, {"aspect_ratio": "auto"}, {"aspect_ratio": "auto"}),
        (KLING, {"audio": "off"}, {"generate_audio": False}),
        (PIXVERSE, {"audio": "on"}, {"generate_audio_switch": True}),
        (KLING, {"negative_prompt": "blur"}, {"negative_prompt": "blur"}),
        (WAN, {"seed": 7}, {"seed": 7}),
        (SEEDANCE, {"resolution": "720P"}, {}),
        ("kling/kling-3.0/4k/image-to-video", {"resolution": "4K"}, {}),
        (KLING, {"aspect_ratio": "auto"}, {}),
        (HAPPYHORSE, {"audio": "on"}, {}),
        (WAN, {"extra_json": '{"prompt_extend": false}'}, {"prompt_extend": False}),
        (KLING, {"extra_json": '{"duration": 4}'}, {"duration": 4}),
        (
            KLING,
            {"extra_json": '{"multi_prompt": [{"prompt": "x", "duration": 3}]}'},
            {"multi_prompt": [{"prompt": "x", "duration": 3}]},
        ),
    ],
)
def test_a_wish_is_sent_as_the_model_spells_it(model_id, wishes, sent):
    body = translated(model_id, **wishes).body
    assert {name: body[name] for name in sent} == sent
    assert [type(body[name]) for name in sent] == [type(value) for value in sent.values()]


def test_a_seed_of_0_and_optional_fields_stay_away():
    assert set(translated(WAN).body) == {"prompt", "duration", "resolution", "aspect_ratio", "enable_audio"}


def test_a_model_without_a_seed_is_told_apart_by_the_take_and_the_report_says_so():
    translation = translated(KLING, seed=3)
    assert 3 not in translation.body.values()
    assert "no seed" in " ".join(translation.notes)


def test_a_list_of_pictures_gets_a_list():
    (use,) = translated(SEEDANCE_2).media
    assert use.wrap(PICTURE) == [PICTURE]


def test_addresses_stand_in_the_body_and_connected_pictures_are_filled_in():
    translation = translated(LTX, has_image=False, image_url=PICTURE, has_end_image=True)
    body = whole_body(translation, end_image="data:image/png;base64,AAAA")
    assert (body["image_url"], body["end_image_url"]) == (PICTURE, "data:image/png;base64,AAAA")


# --- wishes that cannot be fulfilled


@pytest.mark.parametrize(
    ("model_id", "wishes", "words"),
    [
        (LTX, {"duration": 7}, ("7 seconds", "6, 8, 10")),
        (KLING, {"duration": 2}, ("2 seconds", "3 to 15")),
        (KLING, {"duration": -1}, ("-1 seconds", "3 to 15")),
        (WAN, {"resolution": "4k"}, ("'4k'", "480p, 720p, 1080p")),
        ("lightricks/ltx-2.5/image-to-video/fast", {"resolution": "4k"}, ("'4k'", "2160p")),
        ("minimax/minimax-h3/image-to-video", {"resolution": "1440p"}, ("'1440p'", "768p, 2k")),
        (SEEDANCE, {"resolution": "1080p"}, ("part of its id", "bytedance/seedance-2.5/image-to-video/1080p")),
        (SEEDANCE, {"resolution": "768p"}, ("part of its id", "at 768p")),
        (KLING, {"resolution": "720p"}, ("cannot be chosen", "model default")),
        (KLING, {"aspect_ratio": "16:9"}, ("the picture decides", "auto")),
        (GEMINI, {"aspect_ratio": "auto"}, ("'auto'", "16:9, 9:16")),
        (GEMINI, {"aspect_ratio": "1:1"}, ("'1:1'", "16:9, 9:16")),
        (GEMINI, {"audio": "off"}, ("cannot be turned off", "model default")),
        (GEMINI, {"audio": "on"}, ("cannot be turned on", "model default")),
        (HAPPYHORSE, {"audio": "off"}, ("cannot be turned off",)),
        (WAN, {"audio": "loud"}, ("'loud'", "on, off")),
        (KLING, {"has_end_image": True}, ("does not take a last picture", "end_image")),
        (SEEDANCE_2, {"has_end_image": True}, ("does not take a last picture",)),
        ("pixverse/pixverse-v6/transition", {"has_end_image": False}, ("needs a last picture",)),
        (WAN, {"negative_prompt": "blur"}, ("negative_prompt", "Clear")),
        (KLING, {"prompt": "  "}, ("prompt is empty",)),
        (KLING, {"prompt": "\ud800"}, ("broken character",)),
        (HAPPYHORSE, {"prompt": "x" * 5001}, ("'prompt' must have at most 5000 characters",)),
        (KLING, {"image_url": PICTURE}, ("'image' and 'image_url'",)),
        (KLING, {"has_image": False, "image_url": "http://example.com/a.png"}, ("must begin with https",)),
        (LTX, {"end_image_url": "https://127.0.0.1/a.png"}, ("'end_image_url' points to this machine",)),
        (KLING, {"extra_json": '{"duration": 4}', "duration": 5}, ("'duration'", "extra_json", "0")),
        (KLING, {"extra_json": '{"start_image_url": "https://example.com/b.png"}'}, ("'image'", "'start_image_url'")),
        (KLING, {"extra_json": '{"prompt": "y"}'}, ("'prompt'", "extra_json")),
        (KLING, {"extra_json": '{"cfg_scale": 1, "cfg_scale": 0}'}, ("'cfg_scale' twice",)),
        (KLING, {"extra_json": '{"cfg_scale": NaN}'}, ("NaN",)),
        (KLING, {"extra_json": '{"cfg_scale": 1e999}'}, ("too large",)),
        (KLING, {"extra_json": "[1]"}, ("not a JSON object",)),
        (KLING, {"extra_json": "{oops"}, ("not valid JSON (line 1",)),
        (KLING, {"extra_json": "[" * 100_000}, ("nested too deeply",)),
        (KLING, {"extra_json": '{"cfg_scale": 2}'}, ("'cfg_scale' must be at most 1",)),
        (KLING, {"extra_json": '{"cfg_skale": 1}'}, ("no 'cfg_skale'", "'cfg_scale'")),
        (KLING, {"extra_json": '{"cfg_scale": "1"}'}, ("type number", '"1"')),
        (KLING, {"extra_json": '{"shot_type": "x"}'}, ("one of customize",)),
        (SEEDANCE_2, {"extra_json": '{"videos": ["/home/me/a.mp4"]}'}, ("'videos' must begin with https",)),
        (SEEDANCE_2, {"extra_json": '{"videos": [1]}'}, ("address of a video",)),
    ],
)  # fmt: skip
def test_what_a_model_cannot_do_is_refused_with_what_it_can(model_id, wishes, words):
    text = refusal(model_id, **wishes)
    assert [word for word in words if word not in text] == []


def test_an_address_in_a_message_is_never_shown_with_its_query():
    text = refusal(LTX, extra_json='{"fps": "https://example.com/a.png?token=secret"}')
    assert "secret" not in text


# --- fields whose meaning is not clear

ADDRESS = {"type": "string", "format": "image_uri"}


def test_two_fields_for_the_first_picture_are_not_guessed():
    entry = entry_with({"image": ADDRESS, "image_url": ADDRESS})
    text = refusal(entry)
    assert "'image', 'image_url'" in text
    assert "extra_json" in text
    body = translated(entry, has_image=False, extra_json=json.dumps({"image_url": PICTURE})).body
    assert body["image_url"] == PICTURE


def test_the_required_one_of_two_is_the_first_picture():
    (use,) = translated(entry_with({"image": ADDRESS, "images": {"type": "array"}}, required=["image"])).media
    assert use.field.name == "image"


def test_an_empty_address_in_extra_json_is_not_a_picture():
    entry = entry_with({"image": ADDRESS, "image_url": ADDRESS})
    assert "There is no picture." in refusal(entry, has_image=False, extra_json='{"image_url": ""}')


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"type": "object"}, ("structured", "extra_json")),
        ({"type": "array", "items": {"type": "object"}}, ("structured", "extra_json")),
        ({"type": "string", "enum": ["a", "b"]}, ("a, b", "extra_json")),
        ({"type": "string", "format": "video_uri"}, ("a video", "extra_json")),
    ],
)
def test_a_required_field_that_no_input_fills_is_named(field, words):
    text = refusal(entry_with({"image": ADDRESS, "thing": field}, required=["thing"]))
    assert [word for word in ("'thing'", *words) if word not in text] == []


def test_a_sample_prompt_is_never_used_in_place_of_an_empty_one():
    entry = entry_with({"image": ADDRESS, "promptText": {"type": "string", "default": "A cat dances"}})
    assert translated(entry, prompt="").body == {"promptText": ""}


def test_a_body_that_a_wrong_schema_forbids_can_be_sent_all_the_same():
    wishes = {"extra_json": '{"cfg_scale": 2}'}
    translation = translated(KLING, is_strict=False, **wishes)
    assert translation.body["cfg_scale"] == 2
    assert "at most 1" in " ".join(translation.notes)


def test_a_field_that_the_model_does_not_name_is_refused_even_where_the_schema_lets_it_pass():
    schema = {"properties": {"image": ADDRESS}, "additionalProperties": True}
    text = refusal(parse_entry({**LIVE, "input_schema": schema}), prompt="", extra_json='{"x": 1}')
    assert "no 'x'" in text


@pytest.mark.parametrize("wish", ["auto", "9:16"])
def test_a_model_whose_size_decides_the_ratio_does_not_follow_the_picture_in_silence(wish):
    entry = entry_with({"image": ADDRESS, "size": {"enum": ["1280*720", "720*1280"], "default": "1280*720"}})
    text = refusal(entry, aspect_ratio=wish)
    assert "'size'" in text
    assert "1280*720, 720*1280" in text
    assert translated(entry, extra_json='{"size": "720*1280"}').size == Size(720, 1280)


@pytest.mark.parametrize("value", [-1, "auto", 0, 10**400])
def test_a_length_that_is_not_one_counts_as_the_longest_so_that_no_cap_is_cheated(value):
    entry = entry_with({"image": ADDRESS, "duration": {"enum": [5, 10, value]}})
    translation = translated(entry, extra_json=json.dumps({"duration": value}))
    assert (translation.length_s, translation.price.usd) == (None, pytest.approx(1.0))


# --- money, seconds and pixels


@pytest.mark.parametrize(
    ("model_id", "wishes", "price", "length_s"),
    [
        ("bytedance/seedance-2.5/image-to-video/1080p", {"duration": 30}, "$26.40", 30),
        (SEEDANCE, {"duration": 4}, "from $1.40", 4),
        (KLING, {"duration": 5, "audio": "off"}, "from $0.42", 5),
        (KLING, {"duration": 5}, "from $0.63", 5),
        (FLUX, {}, "unknown", None),
    ],
)
def test_the_price_is_a_total_only_where_that_is_known(model_id, wishes, price, length_s):
    translation = translated(model_id, **wishes)
    assert (str(translation.price), translation.length_s) == (price, length_s)


def test_an_open_length_counts_as_the_longest():
    entry = parse_entry({**ROWS[FLUX], "base_price_usd": 0.1, "price_unit": "second"}, CATALOGUE.find(FLUX))
    translation = translated(entry)
    assert (translation.price.usd, translation.price.is_total, translation.longest_s) == (pytest.approx(2.0), False, 20)


OPEN_LENGTHS = [
    # rate known, the field of the length: words, what the limits count, least, words of a refusal, the note
    (
        False,
        {"enum": ["auto", "5", "20"], "default": "auto"},
        "from $0.50",
        2.0,
        0.5,
        "from $2.00 at its longest",
        "20 s, from $2.00",
    ),
    (
        True,
        {"enum": ["auto", "5", "20"], "default": "auto"},
        "up to $2.00",
        2.0,
        0.5,
        "up to $2.00",
        "20 s, up to $2.00",
    ),
    (
        True,
        {"type": "integer", "minimum": 3, "maximum": 12},
        "up to $1.20",
        1.2,
        0.3,
        "up to $1.20",
        "12 s, up to $1.20",
    ),
    (True, None, "from $0.10", 6.0, 0.1, "from $6.00 at its longest", "60 s, from $6.00"),
]


@pytest.mark.parametrize(("is_total", "field", "words", "counted", "least", "refusal", "note"), OPEN_LENGTHS)
def test_where_the_model_decides_the_length_the_price_is_said_to_be_what_it_is(
    is_total, field, words, counted, least, refusal, note
):
    entry = parse_entry(
        {
            "model_id": "maker/open/image-to-video",
            "kind": "model",
            "categories": ["image-to-video"],
            "base_price_usd": 0.1,
            "price_unit": "second",
            "input_schema": {"properties": {"image": ADDRESS, **({} if field is None else {"duration": field})}},
            "exceptions": {"is_total": is_total},
        }
    )
    translation = translated(entry, prompt="")
    price = translation.price
    assert (str(price), price.usd, price.least_usd) == (words, pytest.approx(counted), pytest.approx(least))
    assert price.bound.words(price.usd) == refusal
    assert any(f"Your spending limits assume {note}." in said for said in translation.notes)


def test_a_price_for_one_output_does_not_grow_with_the_length():
    entry = parse_entry({**ROWS[KLING], "base_price_usd": 0.4, "price_unit": "Output"}, CATALOGUE.find(KLING))
    assert str(translated(entry, duration=15).price) == "from $0.40"


@pytest.mark.parametrize(
    ("model_id", "wishes", "size", "fps"),
    [
        (WAN, {"resolution": "480p", "picture": Size(1000, 2000)}, Size(480, 960), 24),
        (WAN, {"aspect_ratio": "1:1", "picture": Size(1000, 2000)}, Size(720, 720), 24),
        (SEEDANCE, {"picture": Size(1600, 900)}, Size(1280, 720), 24),
        ("kling/kling-video-o3/4K/image-to-video", {}, Size(3840, 2160), 24),
        (LTX, {"extra_json": '{"fps": 50}'}, Size(1920, 1080), 50),
        ("minimax/minimax-h3/image-to-video", {"resolution": "2k"}, Size(2560, 1440), 24),
    ],
)
def test_the_frames_are_estimated_for_memory(model_id, wishes, size, fps):
    translation = translated(model_id, **wishes)
    assert (translation.size, translation.fps) == (size, fps)


@pytest.mark.parametrize(
    ("model_id", "wishes", "has_sound"),
    [
        (KLING, {}, True),
        (KLING, {"audio": "off"}, False),
        (PIXVERSE, {}, False),
        (GEMINI, {}, None),
        (HAPPYHORSE, {}, True),
    ],
)
def test_the_report_knows_whether_sound_is_expected(model_id, wishes, has_sound):
    assert translated(model_id, **wishes).has_sound is has_sound
