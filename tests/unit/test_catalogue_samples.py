"""An example's address in a schema is nobody's wish: it is never sent, whatever stands it where, and changes no purchase."""

import copy
import json

import pytest
from sora2pro.nodes.errors import InvalidInputError
from sora2pro.nodes.runcomfy.catalogue.request import CatalogueRequest
from sora2pro.nodes.runcomfy.catalogue.schema import parse_entry
from sora2pro.nodes.runcomfy.catalogue.shipped import FILE
from sora2pro.nodes.runcomfy.catalogue.translate import translate
from sora2pro.nodes.runcomfy.generation import Picture
from support.model_values import CATALOGUE, entry_with, whole_body, wishes_for

ADDRESSES = [
    "https://playgrounds-storage-public.runcomfy.net/samples/image.png",
    "HTTP://runcomfy.net/samples/image.png",
    "//runcomfy.net/samples/image.png",
    "s3://runcomfy/samples/image.png",
    "data:image/png;base64,SAMPLE",
]
SAMPLE = ADDRESSES[0]
MODELS = {
    row["model_id"]: row for row in json.loads(FILE.read_text(encoding="utf-8"))["models"] if not row.get("is_retired")
}
MINE = "data:image/png;base64,MINE"
# How a schema may hold its example, for a field of one value and for one of several.
FORMS = {
    "a default": lambda one, sample: {"default": [sample] if one.is_list else sample},
    "a list of one": lambda _, sample: {"default": [sample]},
    "the only choice": lambda _, sample: {"enum": [sample], "default": sample},
    "a constant": lambda _, sample: {"const": sample},
    "beside null": lambda one, sample: {"default": sample, "type": [*(one.types or ("string",)), "null"]},
}


def body_of(entry, **wishes):
    return whole_body(
        translate(entry, wishes_for(entry, **wishes), catalogue=CATALOGUE, is_strict=False), image=MINE, end_image=MINE
    )


def holds(value, sample):
    return json.dumps(sample)[1:-1] in json.dumps(value)


def with_samples(model_id, form, sample):
    """A shipped model of which RunComfy now describes every place of a picture with an example."""
    shipped = CATALOGUE.find(model_id)
    document = copy.deepcopy(MODELS[model_id])
    for one in shipped.fields:
        if one.media is not None:
            document["input_schema"]["properties"][one.name] |= FORMS[form](one, sample)
    return parse_entry({"kind": "model", **document}, shipped)


@pytest.mark.parametrize("sample", ADDRESSES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("model_id", MODELS)
def test_no_model_is_sent_the_example_of_its_live_schema(model_id, form, sample):
    entry = with_samples(model_id, form, sample)
    body = body_of(entry)
    assert not holds(body, sample)
    assert body == body_of(CATALOGUE.find(model_id))
    with pytest.raises(InvalidInputError, match="no picture"):
        translate(entry, wishes_for(entry, has_image=False), catalogue=CATALOGUE)


@pytest.mark.parametrize("model_id", MODELS)
def test_an_example_makes_no_other_purchase(model_id):
    def fingerprint(entry):
        translation = translate(entry, wishes_for(entry), catalogue=CATALOGUE)
        pictures = tuple(Picture(MINE, "0" * 64) for _ in translation.media)
        return CatalogueRequest(entry, translation, pictures, 0).canonical_fingerprint()

    assert fingerprint(with_samples(model_id, "a default", SAMPLE)) == fingerprint(CATALOGUE.find(model_id))


PICTURE = {"image": {"type": "string", "format": "image_uri"}}


PICTURES = [
    ("end_image", {"type": "string", "format": "image_uri"}),
    ("end_image", {"type": "string"}),
    ("last_frame_url", {}),
    ("reference_images", {"type": "array"}),
    ("audio_url", {"type": "string", "format": "audio_uri"}),
]
OTHERS = [
    ("style", {"type": "string"}),
    ("style", {}),
    ("mask", {"anyOf": [{"type": "string", "format": "uri"}, {"type": "null"}]}),
    ("elements", {"type": "array", "items": {"type": "object"}}),
    ("camera", {"type": "object"}),
]


@pytest.mark.parametrize("is_required", [False, True])
@pytest.mark.parametrize("sample", ADDRESSES)
@pytest.mark.parametrize(
    ("name", "schema", "form"),
    [
        *((name, schema, form) for name, schema in PICTURES for form in ("default", "enum", "const")),
        *((name, schema, "default") for name, schema in OTHERS),
    ],
)
def test_an_example_in_a_hand_made_schema_is_not_sent(name, schema, form, sample, is_required):
    held = {
        "elements": [{"image_url": sample}],
        "camera": {"path": {"url": sample}},
        "reference_images": [sample] if form == "default" else sample,
    }.get(name, sample)
    stated = {"default": {"default": held}, "enum": {"enum": [held], "default": held}, "const": {"const": held}}[form]
    entry = entry_with({**PICTURE, name: {**schema, **stated}}, [name] if is_required else [])
    needs_last = name in ("end_image", "last_frame_url")
    if is_required and not needs_last:
        # What the model needs, and only an example is known of, is asked for.
        with pytest.raises(InvalidInputError, match=f"needs '{name}'"):
            body_of(entry)
    else:
        assert not holds(body_of(entry), sample)


@pytest.mark.parametrize("role", ["first", "last"])
def test_an_example_is_no_picture_that_the_user_connected(role):
    fields = {**PICTURE, "end_image": {"type": "string", "format": "image_uri", "default": SAMPLE}}
    entry = entry_with({**fields, "image": {**fields["image"], "default": SAMPLE}}, ["end_image"])
    with pytest.raises(InvalidInputError, match="There is no picture" if role == "first" else "needs a last picture"):
        translate(
            entry, wishes_for(entry, has_image=role == "last", has_end_image=role == "first"), catalogue=CATALOGUE
        )
