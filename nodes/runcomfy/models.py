"""What a model of the RunComfy Model API takes. Sora 2 Pro is a value here, so that a successor is one too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import InvalidInputError

AUTO_SIZE = "auto"


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        """The form the API and the widget use: `1280x720`."""
        return f"{self.width}x{self.height}"

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read `1280x720`.

        Raises:
            InvalidInputError: The text has another form.
        """
        match = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", text)
        if match is None:
            raise InvalidInputError(f"'{text}' is not a size.", remedy="Write it as width x height, such as 1280x720.")
        return cls(int(match[1]), int(match[2]))


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One image-to-video model: its id, what it accepts, and how its fields are called.

    Attributes:
        list_usd_per_second: The highest list price known for the model, US dollars for a second of clip. It is only ever
            used to count against the user's own spend cap while RunComfy's price cannot be read.
        assumed_fps: Frames a second, for estimates made before the clip is there; the real rate is read from the file.
    """

    model_id: str
    sizes: tuple[Size, ...]
    default_size: Size
    seconds: tuple[int, ...]
    default_seconds: int
    prompt_field: str = "prompt"
    image_field: str = "input_reference"
    size_field: str = "size"
    seconds_field: str = "seconds"
    max_prompt_chars: int = 32_000
    list_usd_per_second: float = 0.5
    assumed_fps: int = 30

    def body(self, *, prompt: str, image: str, size: Size, seconds: int) -> dict[str, str | int]:
        """The JSON object of a submit. `image` is an https address or a data URI."""
        return {
            self.prompt_field: prompt,
            self.image_field: image,
            self.size_field: str(size),
            self.seconds_field: seconds,
        }


# Source: the API page of openai/sora-2/pro/image-to-video; the list price is OpenAI's for the two larger sizes.
SORA_2_PRO = ModelSpec(
    model_id="openai/sora-2/pro/image-to-video",
    sizes=(Size(1280, 720), Size(720, 1280), Size(1024, 1792), Size(1792, 1024)),
    default_size=Size(720, 1280),
    seconds=(4, 8, 12),
    default_seconds=4,
)
