"""Whatever schema RunComfy publishes: a refusal, or a body that the schema accepts and that fulfils every wish."""

import contextlib
import json

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sora2pro.nodes.errors import NOTHING_SENT, InvalidInputError
from sora2pro.nodes.runcomfy.catalogue.roles import find_roles
from sora2pro.nodes.runcomfy.catalogue.schema import Role, parse_entry
from sora2pro.nodes.runcomfy.catalogue.translate import translate
from sora2pro.nodes.runcomfy.catalogue.wishes import MODEL_DEFAULT, Wishes
from support.model_values import CATALOGUE, document_with, whole_body

PICTURE = "https://example.com/picture.png"
LENGTHS = [5, 6, 10]
RESOLUTIONS = ["480p", "720P", "1080p", "2k", "1440p", "4K", "2160p"]
RATIOS = ["16:9", "9:16", "1:1", "auto", "adaptive"]


def fields(types, values, spellings):
    """A field in one of the ways in which RunComfy's schemas have been seen to describe one."""
    choices = st.lists(st.sampled_from(values), min_size=1, max_size=4, unique=True).flatmap(
        lambda chosen: st.sampled_from([[spell(one) for one in chosen] for spell in spellings])
    )
    enums = choices.flatmap(
        lambda enum: st.fixed_dictionaries(
            {"enum": st.just(enum)}, optional={"default": st.sampled_from([*enum, None, "sample"])}
        )
    )
    free = st.fixed_dictionaries(
        {"type": st.sampled_from(types)}, optional={"default": st.sampled_from([*values, None]), "title": st.just("x")}
    )
    return st.one_of(enums, free)


NUMBERS = st.one_of(
    fields(["integer", "float", "string", ["integer", "null"]], LENGTHS, [int, str, float, lambda one: f"{one}s"]),
    st.fixed_dictionaries(
        {"type": st.just("integer"), "minimum": st.integers(1, 6), "maximum": st.integers(6, 30)},
        optional={"default": st.sampled_from([5, None, "5", 99])},
    ),
)
SWITCHES = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["boolean", "Boolean"])}, optional={"default": st.booleans()}),
    st.sampled_from([{"enum": [True]}, {"enum": ["on", "off"]}, {"enum": [False], "default": False}]),
)
PICTURES = st.sampled_from(
    [
        {"type": "string", "format": "image_uri"},
        {"type": "string", "format": "image_uri", "default": PICTURE},
        {"type": ["string", "null"], "default": None},
        {"type": "array", "format": "image_uris", "maxItems": 3},
        {"type": "array", "items": {"type": "string"}},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
    ]
)
TEXTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", ["string", "null"]])},
    optional={
        "default": st.sampled_from(["", "A sample", None]),
        "maxLength": st.sampled_from([3, 5000]),
        "minLength": st.just(1),
    },
)
OTHERS = st.sampled_from(
    [
        {"type": "object"},
        {"type": "float", "default": 0.5},
        {"enum": ["only"]},
        {"type": "string", "format": "video_uri"},
        {},
    ]
)
NAMES = {
    ("prompt", "promptText"): TEXTS,
    ("negative_prompt",): TEXTS,
    ("image", "image_url", "start_image_url", "images", "promptImage"): PICTURES,
    ("end_image", "last_frame_url"): PICTURES,
    ("duration", "seconds"): NUMBERS,
    ("resolution", "size"): fields(["string", "String"], RESOLUTIONS, [str, str.lower, lambda one: one.rstrip("pP")]),
    ("aspect_ratio", "ratio"): fields(["string"], RATIOS, [str]),
    ("sound", "generate_audio"): SWITCHES,
    ("seed",): st.fixed_dictionaries(
        {"type": st.just("integer")}, optional={"maximum": st.just(100), "default": st.sampled_from([0, -1])}
    ),
    ("thing", "other"): OTHERS,
}


DEFINITIONS = {"short": {"properties": {"duration": {"enum": [5, "5", "5s", "auto"]}}}}
RULES = [
    {"$ref": "#/$defs/short"},
    {"dependentRequired": {"end_image": ["prompt"], "seed": ["duration"]}},
    {"anyOf": [{"required": ["image"]}, {"required": ["images"]}]},
    {"not": {"required": ["negative_prompt", "seed"]}},
    {"if": {"properties": {"resolution": {"const": "1080p"}}}, "then": {"$ref": "#/$defs/short"}},
    {"properties": {"seed": {"oneOf": [{"type": "integer", "maximum": 5}, {"type": "integer", "minimum": 1000}]}}},
    {"maxProperties": 5},
    {"properties": {"thing": {"type": "Float"}}},
]


@st.composite
def schemas(draw):
    properties = {}
    for names, field in NAMES.items():
        # Mostly one field of a meaning, as in life; sometimes none or two.
        for name in draw(st.permutations(names))[: draw(st.sampled_from([1] * 8 + [0, 2]))]:
            properties[name] = draw(field)
    required = draw(st.lists(st.sampled_from(sorted(properties)), max_size=3, unique=True)) if properties else []
    rules = draw(st.lists(st.sampled_from(RULES), max_size=2))
    combined = {"allOf": rules} if rules else {}
    return {"type": "object", "properties": properties, "required": required, **combined, "$defs": DEFINITIONS}


def mostly(usual, *others):
    """A wish that is often not there: one that the model lacks hides what becomes of the rest."""
    return st.sampled_from([usual] * 2 * len(others) + list(others))


WISHES = st.builds(
    Wishes,
    prompt=st.sampled_from(["A ship at sea"] * 5 + [""]),
    duration=mostly(0, 5, 6, 7),
    resolution=mostly(MODEL_DEFAULT, "480p", "720p", "2k", "4k"),
    aspect_ratio=mostly(MODEL_DEFAULT, "auto", "16:9", "2:1"),
    audio=mostly(MODEL_DEFAULT, "on", "off"),
    has_image=st.sampled_from([True] * 9 + [False]),
    has_end_image=st.booleans(),
    negative_prompt=mostly("", "blur"),
    seed=mostly(0, 1, 1000),
    extra_json=mostly("", '{"thing": {}}', '{"seed": 3}', f'{{"image": "{PICTURE}"}}'),
)


def translation_or_none(schema, wishes, model_id="maker/model/image-to-video"):
    entry = parse_entry(document_with({}, model_id=model_id, input_schema=schema))
    try:
        return entry, translate(entry, wishes, catalogue=CATALOGUE)
    except InvalidInputError as error:
        refused = error
    assert refused.money == NOTHING_SENT
    assert refused.remedy
    return entry, None


def as_draft_2020(raw):
    """The raw schema, read by somebody else: only what the draft does not know is written as it knows it."""
    text = (
        json.dumps(raw).replace('"float"', '"number"').replace('"String"', '"string"').replace('"Boolean"', '"boolean"')
    )
    return {**json.loads(text), "additionalProperties": False}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(schema=schemas(), wishes=WISHES)
def test_a_request_is_refused_or_fits_the_schema_and_fulfils_every_wish(schema, wishes):
    entry, translation = translation_or_none(schema, wishes)
    if translation is None:
        return
    body = whole_body(translation, image=PICTURE, end_image=PICTURE)
    jsonschema.Draft202012Validator(as_draft_2020(schema)).validate(body)
    roles = find_roles(entry)

    def sent(role):
        return body.get(getattr(roles.field_for(role), "name", None))

    assert sum(1 for value in body.values() if value in (PICTURE, [PICTURE])) >= 1 + wishes.has_end_image
    assert not wishes.prompt or sent(Role.PROMPT) == wishes.prompt
    assert not wishes.negative_prompt or sent(Role.NEGATIVE_PROMPT) == wishes.negative_prompt
    assert wishes.duration == 0 or float(str(sent(Role.LENGTH)).rstrip("s")) == wishes.duration == translation.length_s
    assert wishes.resolution == MODEL_DEFAULT or str(sent(Role.RESOLUTION)).lower().rstrip(
        "p"
    ) == wishes.resolution.rstrip("p")
    if wishes.aspect_ratio == "auto":
        assert sent(Role.ASPECT_RATIO) in (None, "auto", "adaptive")
    elif wishes.aspect_ratio != MODEL_DEFAULT:
        assert sent(Role.ASPECT_RATIO) == wishes.aspect_ratio
    if wishes.audio != MODEL_DEFAULT:
        assert sent(Role.SOUND) in ((True, "on") if wishes.audio == "on" else (False, "off"))
        assert translation.has_sound is (wishes.audio == "on")
    assert "A sample" not in body.values()
    assert wishes.seed == 0 or roles.field_for(Role.SEED) is None or sent(Role.SEED) == wishes.seed
    assert {**body, **json.loads(wishes.extra_json or "{}")} == body
    assert translation.price.usd >= 0
    json.dumps(body, allow_nan=False)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["string", "image_uri", "array"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "enum",
                    "const",
                    "default",
                    "format",
                    "items",
                    "properties",
                    "required",
                    "anyOf",
                    "validations",
                ]
            )
            | st.sampled_from(
                ["minimum", "maximum", "exclusiveMinimum", "multipleOf", "minLength", "maxItems", "pattern", "image"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    properties=st.dictionaries(
        st.sampled_from(["image", "prompt", "duration", "resolution", "ratio", "sound", "seed", "x"]), JSON
    ),
    required=JSON,
)
def test_no_schema_however_broken_is_worse_than_a_refusal(properties, required):
    document = document_with({}, input_schema={"properties": properties, "required": required})
    with contextlib.suppress(InvalidInputError):
        translate(parse_entry(document), Wishes(prompt="x", has_image=True), catalogue=CATALOGUE)
