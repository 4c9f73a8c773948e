"""Where a model is not what its catalogue entry or common sense says: `Quirk` for the emulator's options, and named examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .calls import Call
from .effects import Meeting
from .faults import HANG_S, FaultKind
from .models import CATALOGUE, Model, with_fields
from .rendering import Kind
from .wire import Delivery, Reply

EVERY = "*"
Retired = Literal["no", "400001", "404", "404-everywhere", "failed"]


@dataclass(frozen=True, slots=True)
class Quirk:
    """What is odd about one model, or about every one.

    Attributes:
        entry: Keys of the catalogue's answer that say something else, such as ``{"base_price_usd": None}``. A price that
            can be charged is charged; by any other the model costs what it did.
        leaves_out: Keys that the catalogue's answer has not.
        fields: Fields that are others than in the shipped facts, in the catalogue and for submissions: see `with_fields`.
        accepted_fields: Fields that are others for submissions than the catalogue says.
        usd_factor: How many times as much as the catalogue says is charged.
        retired: How a withdrawn model shows: unknown to the catalogue, and a submission refused with 400001 or 404; 404
            in the catalogue too; or still there, accepted and failed.
        takes_data_uri: Whether media may be a data URI; else https only.
        takes_unknown: Whether an unknown field is accepted, and charged for; None for what the model does.
        catalogue_fault: The kind of the `Fault` that every question to the catalogue for it meets: `LATE`, "hang",
            "cut-off", "500", "garbage-json". Under `"*"` the list meets it too.
        fault_args: The arguments of that fault.
        clip: Container and codecs of its clips.
        fps: Of its clips; None for what the model does.
        channels: Of the sound of its clips: 0 is none, 1 mono, 2 stereo; None for what the model does.
    """

    entry: Mapping[str, Any] = field(default_factory=dict)
    leaves_out: tuple[str, ...] = ()
    fields: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    accepted_fields: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    usd_factor: float = 1.0
    retired: Retired = "no"
    takes_data_uri: bool = True
    takes_unknown: bool | None = None
    catalogue_fault: FaultKind | str | None = None
    fault_args: Mapping[str, Any] = field(default_factory=dict)
    clip: Kind = "h264"
    fps: int | None = None
    channels: int | None = None


def _late(meeting: Meeting) -> Reply:
    return Reply(meeting.true_answer(), Delivery(wait_s=meeting.args["seconds"]))


LATE = FaultKind("late", (Call.CATALOGUE,), _late, {"seconds": HANG_S})
"""The true answer, after `seconds` of silence."""

QUIRKS: Mapping[str, Quirk] = {
    "price-null": Quirk(entry={"base_price_usd": None}),
    "price-missing": Quirk(leaves_out=("base_price_usd", "price_unit")),
    "price-string": Quirk(entry={"base_price_usd": "0.1"}),
    "price-negative": Quirk(entry={"base_price_usd": -0.1}),
    "price-zero": Quirk(entry={"base_price_usd": 0}),
    "price-nan": Quirk(entry={"base_price_usd": float("nan")}),
    "price-true": Quirk(entry={"base_price_usd": True}),
    "price-per-output": Quirk(entry={"base_price_usd": 0.9, "price_unit": "output"}),
    "price-unknown-unit": Quirk(entry={"price_unit": "fortnight"}),
    "price-no-unit": Quirk(entry={"price_unit": None}),
    "dearer-than-said": Quirk(usd_factor=2.5),
    "other-id": Quirk(entry={"model_id": "studio/another/image-to-video"}),
    "id-missing": Quirk(leaves_out=("model_id",)),
    "kind-in-capitals": Quirk(entry={"kind": "MODEL"}),
    "kind-workflow": Quirk(entry={"kind": "workflow"}),
    "category-text-to-video": Quirk(entry={"categories": ["text-to-video"]}),
    "schema-missing": Quirk(leaves_out=("input_schema",)),
    "schema-null": Quirk(entry={"input_schema": None}),
    "schema-list": Quirk(entry={"input_schema": []}),
    "new-required-field": Quirk(fields={"style": {"type": "string", "required": True}}),
    "new-required-field-at-submission": Quirk(accepted_fields={"style": {"type": "string", "required": True}}),
    "fewer-lengths-at-submission": Quirk(accepted_fields={"duration": {"enum": [3]}}),
    "longer-default-length": Quirk(fields={"duration": {"default": 15}}),
    "no-length": Quirk(fields={"duration": None}),
    "retired-404": Quirk(retired="404-everywhere"),
    "retired-404-at-submission": Quirk(retired="404"),
    "retired-400001": Quirk(retired="400001"),
    "retired-failed": Quirk(retired="failed"),
    "https-only": Quirk(takes_data_uri=False),
    "takes-unknown-fields": Quirk(takes_unknown=True),
    "catalogue-slow": Quirk(catalogue_fault=LATE),
    "catalogue-silent": Quirk(catalogue_fault="hang"),
    "catalogue-cut-off": Quirk(catalogue_fault="cut-off"),
    "catalogue-500": Quirk(catalogue_fault="500"),
    "catalogue-invalid-json": Quirk(catalogue_fault="garbage-json"),
    "catalogue-html": Quirk(catalogue_fault="html-200"),
    "clip-hevc": Quirk(clip="hevc"),
    "clip-hevc-10bit": Quirk(clip="hevc-10bit"),
    "clip-vp9": Quirk(clip="vp9"),
    "clip-av1": Quirk(clip="av1"),
    "clip-mov": Quirk(clip="mov"),
    "clip-silent": Quirk(channels=0),
    "clip-vp9-silent": Quirk(clip="vp9", channels=0),
    "clip-mono": Quirk(channels=1),
    "clip-60-fps": Quirk(fps=60),
}
"""Quirks for any model of the catalogue, by name."""

PLAIN = next(model for model in CATALOGUE if model.model_id == "pixverse/pixverse-v6/image-to-video")
"""The model that the examples are made of."""

_SAMPLE = "https://playgrounds-storage-public.runcomfy.net/samples/image.png"
_LIMITS = (
    ("file_size_mb<", 10, "File size must be less than 10 MB."),
    ("width/height>", 0.4, "The aspect ratio range should be 2:5 to 5:2."),
    ("width/height<", 2.5, "The aspect ratio range should be 2:5 to 5:2."),
    ("width_pixels>", 299, "The width must exceed 299 pixels."),
    ("height_pixels>", 299, "The height must exceed 299 pixels."),
)


def _example(
    name: str,
    fields: Mapping[str, Mapping[str, Any] | None],
    roles: Mapping[str, str] | None = None,
    **entry: Any,
) -> Model:
    schema = with_fields(PLAIN.entry["input_schema"], fields)
    model_id = entry.pop("model_id", f"quirks/{name}/image-to-video")
    changed = {**PLAIN.entry, "display_name": f"Quirk {name}", "input_schema": schema, **entry, "model_id": model_id}
    kept = {role: field for role, field in PLAIN.roles.items() if field in schema["properties"]}
    return Model(entry=changed, roles={**kept, **(roles or {})})


_PICTURE = {"type": "string", "format": "image_uri", "required": True}
SCHEMA_QUIRKS: Mapping[str, Model] = {
    "float": _example("float", {"strength": {"type": "float", "minimum": 0, "maximum": 1, "default": 0.5}}),
    "type-list": _example("type-list", {"style": {"type": ["string", "null"], "maxLength": 20}}),
    "default-null": _example("default-null", {"seed": {"default": None}, "style": {"type": "string", "default": None}}),
    "sample-defaults": _example(
        "sample-defaults", {"prompt": {"default": "A cat on a sofa."}, "image": {"default": _SAMPLE}}
    ),
    "sample-last-picture": _example(
        "sample-last-picture",
        {"end_image": {"type": "string", "format": "image_uri", "default": _SAMPLE}},
        {"last_image": "end_image"},
    ),
    "single-value": _example("single-value", {"mode": {"type": "string", "enum": ["std"], "default": "std"}}),
    "single-value-required": _example(
        "single-value-required", {"mode": {"type": "string", "enum": ["std"], "required": True}}
    ),
    "no-format": _example("no-format", {"image": {"format": None}}),
    "no-items": _example(
        "no-items",
        {"image": None, "images": {"type": "array", "format": "image_uris", "required": True}},
        {"first_image": "images"},
    ),
    "list-with-items": _example(
        "list-with-items",
        {
            "image": None,
            "image_urls": {
                "type": "array",
                "items": {"type": "string"},
                "format": "image_uris",
                "minItems": 1,
                "maxItems": 4,
                "required": True,
            },
        },
        {"first_image": "image_urls"},
    ),
    "list-of-up-to-three": _example(
        "list-of-up-to-three",
        {"image": None, "images": {"type": "array", "format": "image_uris", "maxItems": 3}},
        {"first_image": "images"},
    ),
    "validations": _example(
        "validations",
        {
            "image": {
                "validations": [
                    {"validation_rule": rule, "validation_value": value, "validation_error": error}
                    for rule, value, error in _LIMITS
                ]
            }
        },
    ),
    "video-input": _example("video-input", {"video_url": {"type": "string", "format": "video_uri"}}),
    "media-lists": _example(
        "media-lists",
        {
            "videos": {"type": "array", "format": "video_uris", "maxItems": 3},
            "audios": {"type": "array", "format": "audio_uris", "maxItems": 3},
        },
    ),
    "audio-input": _example("audio-input", {"audio_url": {"type": "string", "format": "audio_uri"}}),
    "odd-id": _example("odd-id", {}, model_id="quirks/Odd Id 1.5/4K/image-to-video"),
    "kind-in-capitals": _example("kind-in-capitals", {}, kind="Model"),
    "structured-required": _example(
        "structured-required",
        {"shots": {"type": "array", "items": {"type": "object"}, "required": True}},
    ),
    "structured-optional": _example(
        "structured-optional", {"elements": {"type": "array"}, "camera": {"type": "object"}}
    ),
    "rule-in-prose": replace(
        _example("rule-in-prose", {}, description="1080p clips are 5 seconds long."),
        unwritten_schema={
            "if": {"properties": {"resolution": {"const": "1080p"}}, "required": ["resolution"]},
            "then": {"properties": {"duration": {"const": 5}}},
        },
    ),
    "first-and-last-frame-url": _example(
        "first-and-last-frame-url",
        {"image": None, "first_frame_url": _PICTURE, "last_frame_url": {"type": "string", "format": "image_uri"}},
        {"first_image": "first_frame_url", "last_image": "last_frame_url"},
    ),
    "first-frame-image-url": _example(
        "first-frame-image-url",
        {"image": None, "first_frame_image_url": _PICTURE},
        {"first_image": "first_frame_image_url"},
    ),
    "img-url": _example("img-url", {"image": None, "img_url": _PICTURE}, {"first_image": "img_url"}),
    "two-first-pictures": _example("two-first-pictures", {"image_url": _PICTURE}),
    "picture-optional": _example("picture-optional", {"image": {"required": False}}),
    "length-as-string": _example(
        "length-as-string",
        {"duration": {"type": "string", "enum": ["5", "10"], "minimum": None, "maximum": None, "default": "5"}},
    ),
    "length-auto": _example(
        "length-auto",
        {
            "duration": {
                "type": "string",
                "enum": ["auto", "6", "8"],
                "minimum": None,
                "maximum": None,
                "default": "auto",
            }
        },
    ),
    "length-as-float": _example("length-as-float", {"duration": {"type": "float"}}),
    "seconds-and-camel-case": _example(
        "seconds-and-camel-case",
        {
            "duration": None,
            "seconds": {"type": "integer", "enum": [4, 8], "default": 4},
            "prompt": None,
            "promptText": {"type": "string", "required": True},
            "image": None,
            "promptImage": _PICTURE,
        },
        {"duration": "seconds", "prompt": "promptText", "first_image": "promptImage"},
    ),
    "resolution-in-capitals": _example(
        "resolution-in-capitals", {"resolution": {"enum": ["720P", "1080P"], "default": "720P"}}
    ),
    "resolution-2k-and-4k": _example("resolution-2k-and-4k", {"resolution": {"enum": ["2k", "4k"], "default": "2k"}}),
    "ratio-adaptive": _example(
        "ratio-adaptive",
        {"ratio": {"type": "string", "enum": ["adaptive", "16:9", "9:16"], "default": "adaptive"}},
        {"aspect_ratio": "ratio"},
    ),
    "seed-minus-one": _example("seed-minus-one", {"seed": {"default": -1, "minimum": -1}}),
}
"""Models with one odd schema each, by name; ``Emulator(models=(*EVERY_MODEL, *SCHEMA_QUIRKS.values()))`` offers them too."""
