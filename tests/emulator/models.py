"""The models on offer: what each takes, written down apart from the pack, so that neither can hide the other's mistakes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .library import picture_size

AUTO_S = 6  # what a model makes of the length "auto"
FOLLOWS_PICTURE = frozenset({None, "auto", "adaptive"})
WIDE = (16, 9)
LARGEST_SIDE = 1280
SHORT_SIDES = {"2k": 1152, "4k": 2160}  # pixels; the others have theirs in their name: 720p
EVEN = 2


@dataclass(frozen=True, slots=True)
class Model:
    """One image-to-video model.

    Attributes:
        entry: What the catalogue answers, quirks and all.
        roles: The field of each thing that matters: `first_image`, `last_image`, `duration`, `size`, `resolution`,
            `aspect_ratio`, `audio_switch`, `fps`; a model has not all of them.
        accepted_schema: The schema that a submission is held to; None for that of the entry.
        unwritten_schema: What a submission is held to as well, though no schema says it: limits of the model's maker, or
            rules that only the description tells.
        resolution: Where no field says it.
        fps: Where no field says it.
        has_sound: Where no field says it.
        sound_factor: How many times as much a clip with sound costs.
        takes_unknown: Whether a field that the schema has not is accepted, and charged for.
    """

    entry: Mapping[str, Any]
    roles: Mapping[str, str]
    accepted_schema: Mapping[str, Any] | None = None
    unwritten_schema: Mapping[str, Any] = field(default_factory=dict)
    resolution: str = "720p"
    fps: int = 24
    has_sound: bool = False
    sound_factor: float = 1.0
    takes_unknown: bool = False

    @property
    def model_id(self) -> str:
        """Its id."""
        return str(self.entry["model_id"])

    @property
    def picture(self) -> str:
        """The field of the first picture, or of the list it is in."""
        return self.roles["first_image"]

    @property
    def schema(self) -> Mapping[str, Any]:
        """The schema that a submission is held to."""
        schema: Mapping[str, Any] = self.accepted_schema or self.entry["input_schema"]
        return schema

    @property
    def body_keys(self) -> frozenset[str]:
        """Every field a body may have."""
        return frozenset(self.schema["properties"])

    def value(self, body: Mapping[str, Any], role: str) -> Any:
        """What a body says, or the default; None where the model has no such field."""
        name = self.roles.get(role)
        return None if name is None else body.get(name, self.schema["properties"].get(name, {}).get("default"))

    def seconds(self, body: Mapping[str, Any]) -> int:
        """The length of the clip, by a body without faults."""
        length = self.value(body, "duration")
        return AUTO_S if length in {None, "auto"} else int(length)

    def rate(self, body: Mapping[str, Any]) -> int:
        """The frames per second of the clip, by a body without faults."""
        return int(self.value(body, "fps") or self.fps)

    def sounds(self, body: Mapping[str, Any]) -> bool:
        """Whether the clip has sound, by a body without faults."""
        switch = self.value(body, "audio_switch")
        return self.has_sound if switch is None else bool(switch)

    def pictures(self, body: Mapping[str, Any]) -> list[str]:
        """The pictures that a body has in the field of the first one."""
        reference = body.get(self.picture)
        references = reference if isinstance(reference, list) else [reference]
        return [each for each in references if isinstance(each, str) and each]

    def pixels(self, body: Mapping[str, Any], *, is_true_size: bool = False) -> str:
        """The size of the clip, by a body without faults: `1280x720`.

        A side has at most 1280 pixels, so that tests are quick, unless `is_true_size` or the body names the size itself.
        """
        if "size" in self.roles:
            return str(self.value(body, "size"))
        width, height = self._shape(body)
        name = str(self.value(body, "resolution") or self.resolution).lower()
        short = SHORT_SIDES.get(name) or int(name.removesuffix("p"))
        scale = short / min(width, height)
        if not is_true_size:
            scale = min(scale, LARGEST_SIDE / max(width, height))
        return f"{_even(width * scale)}x{_even(height * scale)}"

    def _shape(self, body: Mapping[str, Any]) -> tuple[int, int]:
        ratio = self.value(body, "aspect_ratio")
        if ratio not in FOLLOWS_PICTURE:
            width, _, height = ratio.partition(":")
            return int(width), int(height)
        pictures = self.pictures(body)
        return (picture_size(pictures[0]) if pictures else None) or WIDE

    def usd(self, body: Mapping[str, Any]) -> float:
        """What one request costs, by a body without faults."""
        return price_usd(self.entry["base_price_usd"], self.entry["price_unit"], self.seconds(body)) * (
            self.sound_factor if self.sounds(body) else 1
        )


def price_usd(base_usd: float, unit: str, seconds: int) -> float:
    """What a clip of so many seconds costs, without extras."""
    return base_usd * seconds if unit == "second" else base_usd


def is_price(base_usd: object, unit: object) -> bool:
    """Whether anything can be charged by this."""
    is_number = isinstance(base_usd, int | float) and not isinstance(base_usd, bool) and math.isfinite(base_usd)
    return is_number and base_usd >= 0 and unit in {"second", "output"}  # type: ignore[operator]


def with_fields(schema: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any] | None]) -> dict[str, Any]:
    """A schema with other fields.

    Args:
        schema: Any object's schema.
        changes: Of each field what is put into its schema, or None, which takes the field away. In it, the key `required`
            makes the field required or optional, and None takes a key away; but a `default` may be null.
    """
    properties, required = dict(schema["properties"]), list(schema.get("required", ()))
    for name, change in changes.items():
        if change is None or "required" in change:
            required = [each for each in required if each != name]
        if change is None:
            properties.pop(name, None)
            continue
        if change.get("required"):
            required.append(name)
        merged = {**properties.get(name, {}), **change}
        properties[name] = {
            key: value for key, value in merged.items() if key != "required" and (value is not None or key == "default")
        }
    return {**schema, "required": required, "properties": properties}


def read_models(path: Path) -> tuple[Model, ...]:
    """The models of a file as `build_models` writes it."""
    rows = json.loads(path.read_text(encoding="utf-8"))["models"]
    return tuple(Model(**{key: value for key, value in row.items() if key != "price_is_assumed"}) for row in rows)


def _even(side: float) -> int:
    return max(EVEN, round(side / EVEN) * EVEN)


PROMPT_LIMITS = {"properties": {"prompt": {"minLength": 1, "maxLength": 32_000}}}
SORA_2_PRO = Model(
    entry={
        "model_id": "openai/sora-2/pro/image-to-video",
        "display_name": "Sora 2 Pro image to video",
        "kind": "model",
        "categories": ["image-to-video"],
        "base_price_usd": 0.3,
        "price_unit": "second",
        "input_schema": {
            "type": "object",
            "required": ["prompt", "input_reference"],
            "properties": {
                "prompt": {"type": "string"},
                "input_reference": {"type": "string"},
                "size": {
                    "type": "string",
                    "enum": ["1280x720", "720x1280", "1024x1792", "1792x1024"],
                    "default": "720x1280",
                },
                "seconds": {"type": "integer", "enum": [4, 8, 12], "default": 4},
            },
        },
    },
    roles={"prompt": "prompt", "first_image": "input_reference", "size": "size", "duration": "seconds"},
    unwritten_schema=PROMPT_LIMITS,
    fps=30,
    has_sound=True,
    takes_unknown=True,
)
# Field names and types as several of RunComfy's models have them; no model is exactly this one.
OTHER_NAMES = Model(
    entry={
        "model_id": "studio/other-names/image-to-video",
        "display_name": "Other Names image to video",
        "kind": "model",
        "categories": ["image-to-video"],
        "base_price_usd": 0.3,
        "price_unit": "second",
        "input_schema": {
            "type": "object",
            "required": ["prompt", "image_url"],
            "properties": {
                "prompt": {"type": "string"},
                "image_url": {"type": "string"},
                "duration": {"type": "string", "enum": ["5", "10"], "default": "5"},
                "resolution": {"type": "string", "enum": ["720p", "1080p"], "default": "720p"},
                "aspect_ratio": {"type": "string", "enum": ["16:9", "9:16"], "default": "16:9"},
                "seed": {"type": "integer", "default": 0},
            },
        },
    },
    roles={
        "prompt": "prompt",
        "first_image": "image_url",
        "duration": "duration",
        "resolution": "resolution",
        "aspect_ratio": "aspect_ratio",
        "seed": "seed",
    },
    unwritten_schema=PROMPT_LIMITS,
    fps=30,
    has_sound=True,
)
CATALOGUE = read_models(Path(__file__).with_name("models.json"))
EVERY_MODEL = (SORA_2_PRO, OTHER_NAMES, *CATALOGUE)
