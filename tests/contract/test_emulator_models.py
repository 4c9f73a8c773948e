"""The emulator sells many models: each answers its own schema, is strict about every field, and costs what the catalogue says."""

import io
import json
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote

import av
import jsonschema
import numpy as np
import pytest
from emulator import Emulator
from emulator.models import CATALOGUE, EVERY_MODEL, OTHER_NAMES, SORA_2_PRO
from emulator.quirks import PLAIN, QUIRKS, SCHEMA_QUIRKS
from emulator.visitor import CLIP, Visitor, picture_uri
from support.clips import read_frame_number

PICTURE_URL = "https://example.com/fox.png"
KLING = "kling/kling-3.0/pro/image-to-video"
SEEDANCE = "bytedance/seedance-2.0/pro"
MODELS = {model.model_id: model for model in EVERY_MODEL}
SORA = SORA_2_PRO.model_id
PLAIN_USD = PLAIN.entry["base_price_usd"] * 5  # its default length
LOADS_OF_MONEY = 1_000_000.0


def render_nothing(_picture, path, **_length):
    path.write_bytes(CLIP)


@pytest.fixture
def start(tmp_path):
    emulators = []

    def begin(*, render=render_nothing, **options):
        options = {"balance_usd": LOADS_OF_MONEY, **options}
        emulators.append(Emulator(render=render, clips_dir=tmp_path / "clips", **options))
        return emulators[-1], Visitor(emulators[-1])

    yield begin
    for emulator in emulators:
        emulator.close()


def entry_of(visitor, model_id):
    return visitor.ask("GET", f"/v1/models/{model_id}")


def buy(visitor, model_id, body):
    return visitor.ask("POST", f"/v1/models/{model_id}", body)


def value_for(name, field, picture=PICTURE_URL):
    """What a careful person would send: media of their own, else the default, else the first that is allowed."""
    if "image" in str(field.get("format")) or name in {"input_reference", "image_url", "image"}:
        return [picture] if field["type"] == "array" else picture
    if name in {"prompt", "promptText"}:
        return "A fox runs."
    if field.get("default") is not None:
        return field["default"]
    if "enum" in field:
        return field["enum"][0]
    return {"string": "x", "integer": 1, "array": [{}]}[field["type"]]


def good_body(entry, *, picture=PICTURE_URL, with_defaults=False):
    schema = entry["input_schema"]
    return {
        name: value_for(name, field, picture)
        for name, field in schema["properties"].items()
        if name in schema["required"] or (with_defaults and field.get("default") is not None)
    }


def in_detail(answer):
    return {(tuple(fault["loc"]), fault["msg"]) for fault in answer.json["detail"]}


def test_thirty_four_models_are_for_sale_beside_sora_and_the_second_one(start):
    _, visitor = start()
    listed = visitor.ask("GET", "/v1/models").json
    assert [entry["model_id"] for entry in listed["models"]] == list(MODELS)
    assert len(CATALOGUE) == 34
    assert (listed["total"], listed["limit"], listed["offset"]) == (36, 100, 0)


@pytest.mark.parametrize("model_id", MODELS)
def test_a_model_answers_its_schema_and_its_price(start, model_id):
    _, visitor = start()
    answer = entry_of(visitor, model_id)
    entry = answer.json
    assert (answer.status, entry["model_id"], entry["kind"]) == (200, model_id, "model")
    assert entry["base_price_usd"] > 0
    assert entry["price_unit"] in {"second", "output"}
    schema = entry["input_schema"]
    assert set(schema["required"]) <= set(schema["properties"])
    assert entry["inputs"] == sorted(schema["properties"])
    assert entry["required_inputs"] == schema["required"]


@pytest.mark.parametrize("picture", [PICTURE_URL, picture_uri(640, 480)], ids=["address", "data"])
@pytest.mark.parametrize("model_id", [model_id for model_id in MODELS if model_id != SORA])
def test_a_body_of_required_fields_and_defaults_is_taken_and_charged_as_the_catalogue_says(start, model_id, picture):
    emulator, visitor = start()
    entry = entry_of(visitor, model_id).json
    model = MODELS[model_id]
    for body in (good_body(entry, picture=picture), good_body(entry, picture=picture, with_defaults=True)):
        answer = buy(visitor, model_id, body)
        assert answer.status == 200, answer.json
        charge = emulator.ledger[-1]
        assert (charge.model_id, charge.body) == (model_id, body)
        default = entry["input_schema"]["properties"].get(model.roles["duration"], {}).get("default")
        length = 6 if default == "auto" else int(default)
        switch = entry["input_schema"]["properties"].get(model.roles.get("audio_switch"), {})
        factor = model.sound_factor if switch.get("default") else 1
        assert charge.usd == pytest.approx(
            entry["base_price_usd"] * factor * (length if entry["price_unit"] == "second" else 1)
        )
    result = visitor.result(answer.json["request_id"]).json
    assert (result["status"], result["cost"]) == ("succeeded", charge.usd)


@pytest.mark.parametrize("model_id", [model_id for model_id in MODELS if model_id != SORA])
def test_a_body_with_an_unknown_or_without_a_required_field_is_refused(start, model_id):
    emulator, visitor = start()
    entry = entry_of(visitor, model_id).json
    body = good_body(entry)
    answer = buy(visitor, model_id, {**body, "no_such_field": 1})
    assert (answer.status, answer.json["error_code"]) == (422, 422001)
    assert in_detail(answer) == {(("body", "no_such_field"), "Extra inputs are not permitted")}
    for name in entry["input_schema"]["required"]:
        answer = buy(visitor, model_id, {key: value for key, value in body.items() if key != name})
        assert (answer.status, in_detail(answer)) == (422, {(("body", name), "Field required")})
    assert emulator.charges == 0


@pytest.mark.parametrize("model_id", [model_id for model_id in MODELS if model_id != SORA])
def test_a_wrong_type_or_value_of_any_field_is_refused(start, model_id):
    emulator, visitor = start()
    entry = entry_of(visitor, model_id).json
    body = good_body(entry)
    for name, field in entry["input_schema"]["properties"].items():
        wrong = [{}, None]
        wrong += ["no such value"] if "enum" in field or field["type"] != "string" else [7]
        wrong += [field["maximum"] + 1] if "maximum" in field else []
        wrong += [field["minimum"] - 1] if "minimum" in field else []
        wrong += ["x" * (field["maxLength"] + 1)] if "maxLength" in field else []
        wrong += [True, "5" if field["type"] == "integer" else 5.5] if field["type"] == "integer" else []
        wrong += [[PICTURE_URL] * (field["maxItems"] + 1)] if "maxItems" in field else []
        for value in wrong:
            answer = buy(visitor, model_id, {**body, name: value})
            assert answer.status == 422, (name, value)
            assert {tuple(fault["loc"]) for fault in answer.json["detail"]} == {("body", name)}
    assert emulator.charges == 0


@pytest.mark.parametrize(
    "reference", ["http://example.com/a.png", "fox.png", "", "data:image/png;base64,AAAA", "data:,x"]
)
def test_a_picture_is_an_https_address_or_holds_a_picture(start, reference):
    emulator, visitor = start()
    for model_id, field in ((KLING, "start_image_url"), (KLING, "end_image_url"), (SEEDANCE, "images")):
        body = {**good_body(entry_of(visitor, model_id).json), field: [reference] if field == "images" else reference}
        answer = buy(visitor, model_id, body)
        assert (answer.status, answer.json["detail"][0]["loc"]) == (422, ["body", field])
    assert emulator.charges == 0


def test_one_model_may_take_addresses_only(start):
    emulator, visitor = start(quirks={KLING: QUIRKS["https-only"]})
    body = good_body(entry_of(visitor, KLING).json, picture=picture_uri(640, 480))
    answer = buy(visitor, KLING, body)
    assert in_detail(answer) == {(("body", "start_image_url"), "File inputs must be public HTTPS URLs")}
    assert buy(visitor, KLING, {**body, "start_image_url": PICTURE_URL}).status == 200
    assert emulator.charges == 1


@pytest.mark.parametrize("body", [{"prompt": "A fox runs."}, {"prompt": "A fox runs.", "images": []}])
def test_a_lost_picture_is_a_paid_text_to_video_that_a_test_can_see(start, body):
    emulator, visitor = start()
    buy(visitor, SEEDANCE, {"prompt": "A fox runs.", "images": [PICTURE_URL]})
    assert emulator.text_to_video == []
    request_id = buy(visitor, SEEDANCE, body).json["request_id"]
    assert [charge.request_id for charge in emulator.text_to_video] == [request_id]
    assert emulator.charges == 2


@pytest.mark.parametrize(
    ("model_id", "sound_usd", "silent_usd"), [(KLING, 0.112 * 15, 0.112 * 10), (SEEDANCE, 1.9, 1.9)]
)
def test_sound_costs_extra_where_it_does(start, model_id, sound_usd, silent_usd):
    emulator, visitor = start()
    body = {**good_body(entry_of(visitor, model_id).json), "duration": 10}
    for is_on in (True, False):
        buy(visitor, model_id, {**body, "generate_audio": is_on})
    assert [charge.usd for charge in emulator.ledger] == pytest.approx([sound_usd, silent_usd])


def test_the_catalogue_is_searched_filtered_and_cut_into_pages(start):
    _, visitor = start(models=(*EVERY_MODEL, SCHEMA_QUIRKS["odd-id"]))

    def ids(query):
        return [entry["model_id"] for entry in visitor.ask("GET", f"/v1/models?{query}").json["models"]]

    assert ids("search=KLING-3.0%2Fpro") == [KLING]
    assert ids("category=text-to-video") == ["bytedance/seedance-2.0/fast", SEEDANCE]
    assert ids("kind=workflow") == []
    assert ids("kind=MODEL&search=sora") == [SORA]
    assert ids("limit=2&offset=35") == [*list(MODELS)[-1:], "quirks/Odd Id 1.5/4K/image-to-video"]
    page = visitor.ask("GET", "/v1/models?limit=1&offset=3&include_schema=false").json
    assert (page["total"], page["limit"], page["offset"], len(page["models"])) == (37, 1, 3, 1)
    assert "input_schema" not in page["models"][0]
    assert all("input_schema" in entry for entry in visitor.ask("GET", "/v1/models?include_schema=true").json["models"])
    assert visitor.ask("GET", "/v1/models/categories").json == {"categories": ["image-to-video", "text-to-video"]}
    for wrong in ("limit=0", "limit=501", "limit=x", "offset=-1"):
        assert visitor.ask("GET", f"/v1/models?{wrong}").status == 422


@pytest.mark.parametrize("escape", [quote, lambda text: quote(text, safe="")])
def test_an_id_may_have_spaces_dots_and_capitals_and_any_escapes(start, escape):
    emulator, visitor = start(models=tuple(SCHEMA_QUIRKS.values()))
    model_id = "quirks/Odd Id 1.5/4K/image-to-video"
    entry = entry_of(visitor, escape(model_id)).json
    assert entry["model_id"] == model_id
    assert buy(visitor, escape(model_id), good_body(entry)).status == 200
    assert emulator.ledger[0].model_id == model_id
    assert entry_of(visitor, escape(model_id.lower())).status == 400


@pytest.mark.parametrize("name", SCHEMA_QUIRKS)
def test_a_model_with_an_odd_schema_shows_it_and_is_as_strict(start, name):
    emulator, visitor = start(models=tuple(SCHEMA_QUIRKS.values()))
    model = SCHEMA_QUIRKS[name]
    path = quote(model.model_id)
    entry = entry_of(visitor, path).json
    assert entry["input_schema"] == json.loads(json.dumps(model.entry["input_schema"]))
    body = good_body(entry, picture=picture_uri(640, 480))
    assert buy(visitor, path, {**body, "no_such_field": 1}).status == 422
    answer = buy(visitor, path, body)
    assert answer.status == 200, answer.json
    assert visitor.result(answer.json["request_id"]).json["status"] == "succeeded"
    assert emulator.charges == 1


def test_the_odd_schemas_are_odd():
    def field(name, key):
        return SCHEMA_QUIRKS[name].entry["input_schema"]["properties"][key]

    assert field("float", "strength")["type"] == "float"
    assert field("type-list", "style")["type"] == ["string", "null"]
    assert field("default-null", "seed")["default"] is None
    assert "format" not in field("no-format", "image")
    assert "items" not in field("no-items", "images")
    assert field("length-as-string", "duration") == {"type": "string", "enum": ["5", "10"], "default": "5"}
    with pytest.raises(jsonschema.SchemaError):
        jsonschema.Draft202012Validator.check_schema(SCHEMA_QUIRKS["float"].entry["input_schema"])


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (picture_uri(299, 400), "The width must exceed 299 pixels."),
        (picture_uri(400, 299), "The height must exceed 299 pixels."),
        (picture_uri(900, 330), "The aspect ratio range should be 2:5 to 5:2."),
        (picture_uri(330, 900), "The aspect ratio range should be 2:5 to 5:2."),
    ],
)
def test_a_picture_beyond_the_validations_is_refused(start, picture, message):
    emulator, visitor = start(models=tuple(SCHEMA_QUIRKS.values()))
    path = SCHEMA_QUIRKS["validations"].model_id
    answer = buy(visitor, path, good_body(entry_of(visitor, path).json, picture=picture))
    assert in_detail(answer) == {(("body", "image"), message)}
    assert emulator.charges == 0


def test_a_rule_that_only_the_description_tells_holds(start):
    emulator, visitor = start(models=tuple(SCHEMA_QUIRKS.values()))
    path = SCHEMA_QUIRKS["rule-in-prose"].model_id
    body = {**good_body(entry_of(visitor, path).json), "resolution": "1080p"}
    answer = buy(visitor, path, {**body, "duration": 8})
    assert (answer.status, answer.json["detail"][0]["loc"]) == (422, ["body", "duration"])
    assert emulator.charges == 0
    assert buy(visitor, path, {**body, "duration": 5}).status == 200


def quirky(start, name, **options):
    emulator, visitor = start(quirks={PLAIN.model_id: QUIRKS[name]}, **options)
    return emulator, visitor, good_body(PLAIN.entry)


@pytest.mark.parametrize(
    ("name", "shown", "usd"),
    [
        ("price-null", (None, "second"), PLAIN_USD),
        ("price-missing", ("absent", "absent"), PLAIN_USD),
        ("price-string", ("0.1", "second"), PLAIN_USD),
        ("price-negative", (-0.1, "second"), PLAIN_USD),
        ("price-zero", (0, "second"), 0),
        ("price-true", (True, "second"), PLAIN_USD),
        ("price-per-output", (0.9, "output"), 0.9),
        ("price-unknown-unit", (PLAIN_USD / 5, "fortnight"), PLAIN_USD),
        ("price-no-unit", (PLAIN_USD / 5, None), PLAIN_USD),
        ("dearer-than-said", (PLAIN_USD / 5, "second"), PLAIN_USD * 2.5),
    ],
)
def test_a_price_can_be_odd_but_what_is_charged_never_is(start, name, shown, usd):
    emulator, visitor, body = quirky(start, name)
    entry = entry_of(visitor, PLAIN.model_id).json
    assert tuple(entry.get(key, "absent") for key in ("base_price_usd", "price_unit")) == shown
    assert buy(visitor, PLAIN.model_id, body).status == 200
    assert emulator.ledger[0].usd == pytest.approx(usd)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("other-id", "model_id", "studio/another/image-to-video"),
        ("id-missing", "model_id", "absent"),
        ("kind-in-capitals", "kind", "MODEL"),
        ("kind-workflow", "kind", "workflow"),
        ("category-text-to-video", "categories", ["text-to-video"]),
        ("schema-missing", "input_schema", "absent"),
        ("schema-null", "input_schema", None),
        ("schema-list", "input_schema", []),
    ],
)
def test_an_entry_can_be_odd(start, name, key, value):
    _, visitor, body = quirky(start, name)
    assert entry_of(visitor, PLAIN.model_id).json.get(key, "absent") == value
    assert buy(visitor, PLAIN.model_id, body).status == 200


def test_a_price_can_be_no_number_of_json(start):
    _, visitor, _ = quirky(start, "price-nan")
    assert b'"base_price_usd": NaN' in entry_of(visitor, PLAIN.model_id).body


def test_the_live_schema_can_differ_from_the_shipped_one(start):
    emulator, visitor, body = quirky(start, "new-required-field")
    entry = entry_of(visitor, PLAIN.model_id).json
    assert "style" in entry["required_inputs"]
    assert in_detail(buy(visitor, PLAIN.model_id, body)) == {(("body", "style"), "Field required")}
    emulator.configure(quirks={PLAIN.model_id: QUIRKS["no-length"]})
    assert "duration" not in entry_of(visitor, PLAIN.model_id).json["input_schema"]["properties"]
    assert buy(visitor, PLAIN.model_id, {**body, "duration": 5}).status == 422
    assert emulator.charges == 0
    emulator.configure(quirks={PLAIN.model_id: QUIRKS["longer-default-length"]})
    assert buy(visitor, PLAIN.model_id, body).status == 200
    assert emulator.ledger[0].usd == pytest.approx(PLAIN_USD * 3)


@pytest.mark.parametrize("name", ["new-required-field-at-submission", "fewer-lengths-at-submission"])
def test_a_schema_can_change_between_the_catalogue_and_the_submission(start, name):
    emulator, visitor, body = quirky(start, name)
    assert entry_of(visitor, PLAIN.model_id).json["input_schema"] == PLAIN.entry["input_schema"]
    assert buy(visitor, PLAIN.model_id, {**body, "duration": 5}).status == 422
    assert emulator.charges == 0


@pytest.mark.parametrize(
    ("name", "in_catalogue", "at_submission"),
    [
        ("retired-404", (404, 404001), (404, 404001)),
        ("retired-404-at-submission", (400, 400001), (404, 404001)),
        ("retired-400001", (400, 400001), (400, 400001)),
    ],
)
def test_one_model_can_be_withdrawn_while_the_others_are_not(start, name, in_catalogue, at_submission):
    emulator, visitor, body = quirky(start, name)
    for answer, expected in (
        (entry_of(visitor, PLAIN.model_id), in_catalogue),
        (buy(visitor, PLAIN.model_id, body), at_submission),
    ):
        assert (answer.status, answer.json["error_code"]) == expected
    assert PLAIN.model_id not in visitor.ask("GET", "/v1/models").body.decode()
    assert entry_of(visitor, KLING).status == 200
    assert emulator.charges == 0


def test_a_withdrawn_model_can_be_listed_taken_and_failed(start):
    emulator, visitor, body = quirky(start, "retired-failed")
    assert entry_of(visitor, PLAIN.model_id).status == 200
    request_id = buy(visitor, PLAIN.model_id, body).json["request_id"]
    assert visitor.result(request_id).json["error"] == "The model is no longer available."
    assert emulator.charges == 1


def test_sora_is_withdrawn_while_the_others_are_for_sale(start):
    emulator, visitor = start(model_retired="404")
    assert visitor.submit().status == 404
    assert buy(visitor, KLING, good_body(entry_of(visitor, KLING).json)).status == 200
    assert emulator.charges == 1


def test_unknown_fields_can_be_taken_and_are_noticed(start):
    emulator, visitor, body = quirky(start, "takes-unknown-fields")
    assert buy(visitor, PLAIN.model_id, {**body, "no_such_field": 1}).status == 200
    assert emulator.unknown_keys == {"no_such_field"}


def is_readable(visitor, model_id):
    try:
        answer = entry_of(visitor, model_id)
        return answer.status == 200 and answer.json["model_id"] == model_id
    except (OSError, ValueError, HTTPException):
        return False


@pytest.mark.parametrize("where", ["*", PLAIN.model_id])
@pytest.mark.parametrize(
    "name", ["catalogue-silent", "catalogue-cut-off", "catalogue-500", "catalogue-invalid-json", "catalogue-html"]
)
def test_a_broken_catalogue_leaves_everything_else_working(start, name, where):
    emulator, visitor = start()
    body = good_body(PLAIN.entry)
    hasty = {"seconds": 0.01} if name == "catalogue-silent" else {}
    emulator.configure(quirks={where: replace(QUIRKS[name], fault_args=hasty)})
    assert not is_readable(visitor, PLAIN.model_id)
    assert is_readable(visitor, KLING) == (where != "*")
    request_id = buy(visitor, PLAIN.model_id, body).json["request_id"]
    assert visitor.status(request_id).json["status"] == "completed"
    assert visitor.fetch(visitor.clip_target(request_id)).body == CLIP


def test_a_slow_catalogue_answers_in_the_end(start):
    emulator, _ = start(quirks={PLAIN.model_id: QUIRKS["catalogue-slow"]})
    with pytest.raises(TimeoutError):
        entry_of(Visitor(emulator, timeout_s=0.1), PLAIN.model_id)
    emulator.configure(quirks={PLAIN.model_id: replace(QUIRKS["catalogue-slow"], fault_args={"seconds": 0.01})})
    assert is_readable(Visitor(emulator), PLAIN.model_id)


def test_every_named_quirk_is_tried_here():
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in QUIRKS if f'"{name}"' not in source] == []


def opened(answer):
    assert answer.status == 200
    return av.open(io.BytesIO(answer.body))


def clip_of(visitor, model_id, body):
    answer = buy(visitor, model_id, body)
    assert answer.status == 200, answer.json
    return visitor.fetch(visitor.clip_target(answer.json["request_id"]))


FOX = {"prompt": "A fox runs."}
SQUARE = {
    **FOX,
    "image_url": PICTURE_URL,
    "duration": 2,
    "resolution": "480p",
    "aspect_ratio": "1:1",
    "enable_audio": False,
}
SHORT = {"prompt": "A fox runs.", "image": picture_uri(320, 240), "duration": 1, "resolution": "360p"}


@pytest.mark.parametrize(
    ("name", "content_type", "video", "pix_fmt", "sound", "fps"),
    [
        (None, "video/mp4", "h264", "yuv420p", ("aac", 2), 24),
        ("clip-hevc", "video/mp4", "hevc", "yuv420p", ("aac", 2), 24),
        ("clip-hevc-10bit", "video/mp4", "hevc", "yuv420p10le", ("aac", 2), 24),
        ("clip-vp9", "video/webm", "vp9", "yuv420p", ("opus", 2), 24),
        ("clip-av1", "video/webm", "av1", "yuv420p", ("opus", 2), 24),
        ("clip-mov", "video/quicktime", "h264", "yuv420p", ("pcm_s16le", 2), 24),
        ("clip-mono", "video/mp4", "h264", "yuv420p", ("aac", 1), 24),
        ("clip-silent", "video/mp4", "h264", "yuv420p", None, 24),
        ("clip-vp9-silent", "video/webm", "vp9", "yuv420p", None, 24),
        ("clip-60-fps", "video/mp4", "h264", "yuv420p", ("aac", 2), 60),
    ],
)
def test_a_clip_comes_in_the_form_that_is_asked_for(start, name, content_type, video, pix_fmt, sound, fps):
    _, visitor = start(render=None, quirks={PLAIN.model_id: QUIRKS[name]} if name else {})
    answer = clip_of(visitor, PLAIN.model_id, {**SHORT, "generate_audio_switch": True})
    assert answer.headers["content-type"] == content_type
    with opened(answer) as clip:
        stream = clip.streams.video[0]
        heard = [
            (track.codec_context.codec.canonical_name, track.codec_context.channels) for track in clip.streams.audio
        ]
        assert (stream.codec_context.codec.canonical_name, stream.average_rate) == (video, fps)
        assert heard == ([sound] if sound else [])
        frames = list(clip.decode(stream))
    assert (frames[0].width, frames[0].height, frames[0].format.name) == (480, 360, pix_fmt)
    assert [read_frame_number(frame.to_ndarray(format="rgb24")) for frame in frames] == list(range(fps))


@pytest.mark.parametrize(
    ("model_id", "body", "size", "fps", "frames", "has_sound"),
    [
        (PLAIN.model_id, {**SHORT, "resolution": "540p"}, (720, 540), 24, 24, False),
        (PLAIN.model_id, {**SHORT, "image": picture_uri(240, 320)}, (360, 480), 24, 24, False),
        (PLAIN.model_id, {**SHORT, "image": PICTURE_URL}, (640, 360), 24, 24, False),
        (
            "kling/kling-3.0/4k/image-to-video",
            {**FOX, "start_image_url": PICTURE_URL, "duration": 3},
            (1280, 720),
            24,
            72,
            True,
        ),
        (
            "lightricks/ltx-2.5/image-to-video/fast",
            {**FOX, "image_url": PICTURE_URL, "duration": "6", "fps": 50, "aspect_ratio": "9:16"},
            (720, 1280),
            50,
            300,
            True,
        ),
        (
            "wan-ai/wan-3.0/image-to-video",
            {
                "prompt": "x",
                "image_url": PICTURE_URL,
                "duration": 2,
                "resolution": "480p",
                "aspect_ratio": "1:1",
                "enable_audio": False,
            },
            (480, 480),
            24,
            48,
            False,
        ),
    ],
)
def test_a_clip_has_the_size_rate_length_and_sound_of_its_body(start, model_id, body, size, fps, frames, has_sound):
    _, visitor = start(render=None)
    with opened(clip_of(visitor, model_id, body)) as clip:
        stream = clip.streams.video[0]
        assert (stream.width, stream.height) == size
        assert (stream.average_rate, stream.frames, bool(clip.streams.audio)) == (fps, frames, has_sound)


def test_a_clip_shows_the_picture_in_its_colours(start):
    _, visitor = start(render=None)
    with opened(clip_of(visitor, PLAIN.model_id, SHORT)) as clip:
        shown = next(clip.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(shown[-50:].astype(int) - 0x80).max() <= 3


def test_a_large_clip_can_be_of_its_true_size(start):
    _, visitor = start(render=None, true_size=True)
    with opened(clip_of(visitor, PLAIN.model_id, {**SHORT, "image": PICTURE_URL, "resolution": "1080p"})) as clip:
        assert (clip.streams.video[0].width, clip.streams.video[0].height) == (1920, 1080)


def test_the_same_clip_is_rendered_once(start, tmp_path):
    _, visitor = start(render=None)
    first, second = (clip_of(visitor, PLAIN.model_id, SHORT) for _ in range(2))
    assert first.body == second.body
    assert len(list((tmp_path / "clips").iterdir())) == 1


def test_the_second_model_is_strict_too(start):
    emulator, visitor = start()
    body = {"prompt": "A fox runs.", "image_url": PICTURE_URL}
    for wrong in ({"duration": 5}, {"prompt": ""}, {"size": "1280x720"}):
        assert buy(visitor, OTHER_NAMES.model_id, {**body, **wrong}).status == 422
    assert emulator.charges == 0
