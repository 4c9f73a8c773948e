"""What a model of the RunComfy Model API takes, as data: a further model is one more value, and no line of code."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from typing import NamedTuple

from ..errors import InvalidInputError

AUTO_SIZE = "auto"
Scalar = str | int | float | bool


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


class Role(Enum):
    """What an input decides about the clip, whatever the model calls it."""

    SIZE = "size"  # `1280x720`
    LENGTH = "length"  # seconds, as a number or as text
    RESOLUTION = "resolution"  # `720p`: the shorter side in pixels
    ASPECT_RATIO = "aspect ratio"  # `16:9`
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a model besides the prompt, the pictures and the seed.

    Attributes:
        name: The field's name in RunComfy's JSON.
        default: The value of a new node. Its type is the field's type in the JSON.
        choices: The values the model accepts; empty where it accepts a range.
        minimum: The least number the model accepts, where it accepts a range.
        maximum: The greatest number the model accepts, where it accepts a range.
        role: What it decides about the clip.
        sets_price: Whether the price of a clip depends on it.
        tooltip: What the user reads about it.
    """

    name: str
    default: Scalar
    choices: tuple[Scalar, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    role: Role = Role.OTHER
    sets_price: bool = False
    tooltip: str = ""

    def check(self, value: Scalar) -> None:
        """Refuse a value that the model does not accept.

        Raises:
            InvalidInputError: It is of another type, not among the choices, or outside the range.
        """
        allowed = (
            ", ".join(map(str, self.choices)) if self.choices else f"a value from {self.minimum} to {self.maximum}"
        )
        if not self._accepts(value):
            raise InvalidInputError(
                f"The model does not accept {value!r} as '{self.name}'.",
                remedy=f"Choose one of {allowed}." if self.choices else f"Use {allowed}.",
            )

    def parse(self, text: str) -> Scalar:
        """A value from its text, as an address or a form holds it.

        Raises:
            InvalidInputError: The text is not a value the model accepts.
        """
        for choice in self.choices:
            if str(choice) == text:
                return choice
        try:
            value: Scalar = text if isinstance(self.default, str) else type(self.default)(text)
        except ValueError:
            value = text
        self.check(value)
        return value

    def _accepts(self, value: Scalar) -> bool:
        if self.choices:
            # True is 1 in Python; it is another value in JSON.
            return any(type(value) is type(choice) and value == choice for choice in self.choices)
        if isinstance(self.default, bool) or isinstance(value, bool) or isinstance(self.default, str):
            return type(value) is type(self.default)
        if not isinstance(value, int | float) or (isinstance(self.default, int) and not isinstance(value, int)):
            return False
        at_least = -math.inf if self.minimum is None else self.minimum
        return at_least <= value <= (math.inf if self.maximum is None else self.maximum)


@dataclass(frozen=True, slots=True)
class PictureInput:
    """A picture that a model takes.

    Attributes:
        name: The field's name in RunComfy's JSON.
        takes_data_uri: Whether the picture can be sent in the request itself; else only its https address can.
        is_exact: Whether the picture must have exactly the size of the clip.
    """

    name: str
    takes_data_uri: bool = True
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One image-to-video model.

    Attributes:
        model_id: RunComfy's id.
        inputs: All inputs but prompt, pictures and seed, in the order in which the fingerprint names them.
        pictures: The pictures it takes, the one it animates first.
        prompt_field: The prompt's name in RunComfy's JSON.
        max_prompt_chars: The longest prompt the model takes.
        seed_field: The name of the model's seed; None for a model without one, whose takes only we tell apart.
        has_sound: Whether its clips have sound.
        list_usd_per_second: The highest list price known for the model, US dollars for a second of clip. Where
            RunComfy's price cannot be read it counts in its place: against the daily limit, against the limit for a clip, and
            in whether the user is asked first.
        assumed_fps: Frames a second, for estimates made before the clip is there; the real rate is read from the file.
        public_usd_per_second: (a shorter side of the frames in pixels, the public list price up to it in US dollars for a
            second), from small to large; empty where no price is public. It is shown while there is no token.
    """

    model_id: str
    inputs: tuple[Input, ...]
    pictures: tuple[PictureInput, ...]
    prompt_field: str = "prompt"
    max_prompt_chars: int = 32_000
    seed_field: str | None = None
    has_sound: bool = True
    list_usd_per_second: float = 0.5
    assumed_fps: int = 30
    public_usd_per_second: tuple[tuple[int, float], ...] = ()

    def input_for(self, role: Role) -> Input | None:
        """The input that has a role, if the model has one."""
        return next((one for one in self.inputs if one.role is role), None)

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The sizes a user can choose; empty for a model that has no such input."""
        sizes = self.input_for(Role.SIZE)
        return () if sizes is None else tuple(Size.parse(str(choice)) for choice in sizes.choices)

    def defaults(self) -> dict[str, Scalar]:
        """The inputs of a new node."""
        return {one.name: one.default for one in self.inputs}

    def check(self, inputs: Mapping[str, Scalar]) -> None:
        """Refuse inputs that the model does not accept.

        Raises:
            InvalidInputError: One is missing, unknown, or has a value the model does not accept.
        """
        names = {one.name for one in self.inputs}
        for name in [*(names - set(inputs)), *(set(inputs) - names)]:
            raise InvalidInputError(f"The model {'needs' if name in names else 'has no'} '{name}'.")
        for one in self.inputs:
            one.check(inputs[one.name])

    def body(
        self, *, prompt: str, pictures: Sequence[str], inputs: Mapping[str, Scalar], take: int
    ) -> dict[str, Scalar]:
        """The JSON object of a submit. Each picture is an https address or a data URI."""
        body: dict[str, Scalar] = {self.prompt_field: prompt}
        body |= {one.name: picture for one, picture in zip(self.pictures, pictures, strict=True)}
        body |= {one.name: inputs[one.name] for one in self.inputs}
        return body if self.seed_field is None else {**body, self.seed_field: take}

    def length_s(self, inputs: Mapping[str, Scalar]) -> float:
        """How many seconds of clip the inputs ask for; 0 where they leave that open."""
        length = self.input_for(Role.LENGTH)
        try:
            return 0.0 if length is None else float(inputs[length.name])
        except ValueError:
            return 0.0

    def frame_size(self, inputs: Mapping[str, Scalar]) -> Size:
        """The size of the clip's frames, as far as the inputs decide it: of a model without a size, from resolution and ratio.

        Raises:
            InvalidInputError: The size cannot be read.
        """
        size = self.input_for(Role.SIZE)
        if size is not None:
            return Size.parse(str(inputs[size.name]))
        resolution, ratio = self.input_for(Role.RESOLUTION), self.input_for(Role.ASPECT_RATIO)
        shorter = _leading_number(None if resolution is None else str(inputs[resolution.name])) or 720
        shape = _ratio(None if ratio is None else str(inputs[ratio.name]))
        longer = int(shorter * max(shape, 1 / shape)) // 2 * 2
        return Size(longer, shorter) if shape >= 1 else Size(shorter, longer)

    def kind(self, inputs: Mapping[str, Scalar]) -> str:
        """What clips of one price have in common, as canonical JSON: the inputs that set the price."""
        return canonical_json(
            {one.name: inputs[one.name] for one in self.inputs if one.sets_price and one.name in inputs}
        )

    def list_usd(self, inputs: Mapping[str, Scalar]) -> float:
        """The highest price known for such a clip, in US dollars."""
        return self.length_s(inputs) * self.list_usd_per_second

    def public_usd(self, inputs: Mapping[str, Scalar]) -> float | None:
        """The public list price of such a clip, in US dollars; None where there is none."""
        rate = self._public_rate(inputs)
        return None if rate is None else round(rate * self.length_s(inputs), 6)

    def costs_more(self, inputs: Mapping[str, Scalar]) -> bool:
        """Whether a second of such a clip is known to cost more than one of the smallest size."""
        rate = self._public_rate(inputs)
        return rate is not None and rate > self.public_usd_per_second[0][1]

    def _public_rate(self, inputs: Mapping[str, Scalar]) -> float | None:
        if not self.public_usd_per_second:
            return None
        shorter = min(self.frame_size(inputs))
        return next((usd for side, usd in self.public_usd_per_second if shorter <= side), None)

    def with_choices(self, role: Role, choices: tuple[Scalar, ...]) -> ModelSpec:
        """The model with other values for one input; its default stays if it is among them."""

        def changed(one: Input) -> Input:
            if one.role is not role:
                return one
            return replace(one, choices=choices, default=one.default if one.default in choices else choices[0])

        return replace(self, inputs=tuple(changed(one) for one in self.inputs))


def canonical_json(inputs: Mapping[str, Scalar]) -> str:
    """Inputs as one text: the same inputs always give the same text."""
    return json.dumps(dict(inputs), separators=(",", ":"), sort_keys=True)


def _leading_number(text: str | None) -> int | None:
    match = re.match(r"\d{3,4}", text or "")
    return int(match[0]) if match else None


def _ratio(text: str | None) -> Fraction:
    match = re.fullmatch(r"([1-9]\d{0,2}):([1-9]\d{0,2})", text or "")
    return Fraction(int(match[1]), int(match[2])) if match else Fraction(16, 9)


# https://www.runcomfy.com/models/openai/sora-2/pro/image-to-video/api. The list prices are OpenAI's; the highest is that of
# the two larger sizes:
# https://platform.openai.com/docs/pricing.
SORA_2_PRO = ModelSpec(
    model_id="openai/sora-2/pro/image-to-video",
    inputs=(
        Input(
            "size",
            default="720x1280",
            choices=("1280x720", "720x1280", "1024x1792", "1792x1024"),
            role=Role.SIZE,
            sets_price=True,
            tooltip="Width x height of the clip. The picture is fitted to exactly this size (see 'fit'). 'auto' takes the size "
            "nearest to the picture in shape, then in pixels; the larger sizes cost more.",
        ),
        Input(
            "seconds",
            default=4,
            choices=(4, 8, 12),
            role=Role.LENGTH,
            sets_price=True,
            tooltip="Length of the clip in seconds. The price grows with it.",
        ),
    ),
    pictures=(PictureInput("input_reference"),),
    public_usd_per_second=((720, 0.3), (1024, 0.5)),
)
