"""The models on offer: what each takes, written down apart from the pack, so that neither can hide the other's mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_PROMPT_CHARS = 32_000
WIDE = {"720p": "1280x720", "1080p": "1920x1080"}


@dataclass(frozen=True, slots=True)
class Model:
    """One image-to-video model.

    Attributes:
        model_id: Its id.
        picture: The field of the picture.
        properties: The JSON schema of the other fields but the prompt; each has a type and perhaps an `enum` and a `default`.
        length: The field of the length in seconds.
        size: The field of the size in pixels; None for a model whose clips are as large as `resolution` and `aspect_ratio` say.
    """

    model_id: str
    picture: str
    properties: Mapping[str, Mapping[str, Any]]
    length: str
    size: str | None

    @property
    def body_keys(self) -> frozenset[str]:
        """Every field a body may have."""
        return frozenset({"prompt", self.picture, *self.properties})

    def schema(self) -> dict[str, Any]:
        """The input schema of the catalogue."""
        texts = {"prompt": {"type": "string"}, self.picture: {"type": "string"}}
        return {"type": "object", "required": list(texts), "properties": {**texts, **self.properties}}

    def value(self, body: Mapping[str, Any], field: str) -> Any:
        """What a field says, or its default."""
        return body.get(field, self.properties[field].get("default"))

    def seconds(self, body: Mapping[str, Any]) -> int:
        """The length of the clip, by a body without faults."""
        return int(self.value(body, self.length))

    def pixels(self, body: Mapping[str, Any]) -> str:
        """The size of the clip, by a body without faults: `1280x720`."""
        if self.size is not None:
            return str(self.value(body, self.size))
        wide = WIDE[self.value(body, "resolution")]
        return wide if self.value(body, "aspect_ratio") == "16:9" else "x".join(reversed(wide.split("x")))

    def value_faults(self, body: Mapping[str, Any]) -> list[tuple[str, str]]:
        """What is wrong with the values of a body that has all required fields: (field, message)."""
        prompt = body["prompt"]
        faults = []
        if not isinstance(prompt, str) or not 0 < len(prompt) <= MAX_PROMPT_CHARS:
            faults.append(("prompt", f"Input should have 1 to {MAX_PROMPT_CHARS} characters"))
        kinds = {"string": str, "integer": int, "boolean": bool}
        for field, schema in self.properties.items():
            value = self.value(body, field)
            if type(value) is not kinds[schema["type"]] or value not in schema.get("enum", (value,)):
                faults.append(
                    (field, f"Input should be one of {', '.join(map(str, schema.get('enum', ('another',))))}")
                )
        return faults


SORA_2_PRO = Model(
    model_id="openai/sora-2/pro/image-to-video",
    picture="input_reference",
    properties={
        "size": {
            "type": "string",
            "enum": ["1280x720", "720x1280", "1024x1792", "1792x1024"],
            "default": "720x1280",
        },
        "seconds": {"type": "integer", "enum": [4, 8, 12], "default": 4},
    },
    length="seconds",
    size="size",
)
# Field names and types as several of RunComfy's models have them; no model is exactly this one.
OTHER_NAMES = Model(
    model_id="studio/other-names/image-to-video",
    picture="image_url",
    properties={
        "duration": {"type": "string", "enum": ["5", "10"], "default": "5"},
        "resolution": {"type": "string", "enum": ["720p", "1080p"], "default": "720p"},
        "aspect_ratio": {"type": "string", "enum": ["16:9", "9:16"], "default": "16:9"},
        "seed": {"type": "integer", "default": 0},
    },
    length="duration",
    size=None,
)
