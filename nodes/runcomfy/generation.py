"""What the user asked for: one clip, and what makes it the same clip as another. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import InvalidInputError, InvalidRequestError, ModelUnavailableError, RunComfyError
from .picture_urls import check_image_url
from .progress import PriceBound
from .prompts import canonical_spelling, check_prompt, spellings

if TYPE_CHECKING:
    from .models import ModelSpec, Scalar

MAX_SEED = 2**64 - 1
SORA_IS_GONE = (
    "Use the node 'Image to Video, any model (RunComfy)' with a model that is sold today. OpenAI withdrew Sora 2 on "
    "24 September 2026; if RunComfy offers a successor with the same inputs, its id can also be set in Settings under "
    "RunComfy or in RUNCOMFY_SORA2_PRO_MODEL_ID. 'rehearse' works without the model."
)


class RequestPicture(Protocol):
    """The picture of a request."""

    @property
    def value(self) -> str:
        """What is sent: an https address, or a data URI that may be made only when it is asked for."""

    @property
    def identity(self) -> str:
        """What makes it this picture: the address, or the SHA-256 of the fitted 8-bit pixels."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is sent.

    Attributes:
        value: An https address or a data URI.
        identity: As of every `RequestPicture`.
    """

    value: str
    identity: str

    @classmethod
    def from_url(cls, url: str) -> Picture:
        """A hosted picture.

        Raises:
            InvalidInputError: The address is not one that RunComfy can download from.
        """
        url = url.strip()
        check_image_url(url)
        return cls(value=url, identity=url)

    @classmethod
    def encoded(cls, picture: RequestPicture) -> Picture:
        """Any picture, with what is sent of it made."""
        return cls(value=picture.value, identity=picture.identity)


class SchemaSource(StrEnum):
    """Where the description of a model is from: RunComfy now, RunComfy earlier, or this pack."""

    LIVE = "live"
    KEPT = "kept"
    SHIPPED = "shipped"


@dataclass(frozen=True, slots=True)
class Description:
    """By which description of its model a request was made; `schema_hash` is a SHA-256 in hexadecimal digits."""

    schema_hash: str
    source: SchemaSource


class ClipRequest(Protocol):
    """One clip the user asked for, of whatever model: all that the order of spending needs to know of it."""

    @property
    def prompt(self) -> str:
        """What happens in the clip."""

    @property
    def take(self) -> int:
        """The seed of the node."""

    @property
    def model_id(self) -> str:
        """RunComfy's id of the model."""

    @property
    def stored_inputs(self) -> Mapping[str, Any]:
        """What the journal keeps of the inputs: all but prompt and pictures."""

    @property
    def kind(self) -> str:
        """What clips of one price have in common, as canonical JSON."""

    @property
    def list_usd(self) -> float | None:
        """The highest price known for such a clip, in US dollars; None where none is known."""

    @property
    def price_bound(self) -> PriceBound:
        """What the expected price says of the real one."""

    @property
    def description(self) -> Description | None:
        """By which description of its model it was made; None for a model that the pack itself describes."""

    def expected_usd(self, catalogue_usd: Callable[[str, float], float | None]) -> float | None:
        """What the clip is expected to cost; `catalogue_usd` asks RunComfy for a model and a length in seconds."""

    def validated(self) -> ClipRequest:
        """This request; raises `InvalidInputError` if RunComfy cannot be expected to take it."""

    def encoded(self) -> ClipRequest:
        """This request with its pictures encoded; raises `InvalidInputError` if the model does not accept one as it is sent.

        Encoding takes up to seconds, so it is left to the purchase.
        """

    def body(self) -> Mapping[str, Any]:
        """The JSON object to submit."""

    def remedy_for(self, refusal: RunComfyError) -> str:
        """What to do about RunComfy's refusal of it, in the inputs of the node that made it."""

    def canonical_fingerprint(self) -> str:
        """Under which a new job is claimed."""

    def fingerprints(self) -> tuple[str, ...]:
        """Under which the clip may be known already, the one that was typed first."""

    def all_fingerprints(self) -> tuple[str, ...]:
        """These, and those of the clips that the same wishes led to before the model's defaults changed."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One clip of a model that is a `ModelSpec`.

    Attributes:
        inputs: What the model's inputs are set to, by the names the model gives them.
        pictures: One for each of the model's, in its order.
        take: The seed of the node: which clip of equal inputs. It is sent to models that have a seed.
    """

    model: ModelSpec
    prompt: str
    inputs: Mapping[str, Scalar]
    pictures: tuple[RequestPicture, ...]
    take: int

    @property
    def model_id(self) -> str:
        """RunComfy's id of the model."""
        return self.model.model_id

    @property
    def stored_inputs(self) -> Mapping[str, Scalar]:
        """What the journal keeps of the inputs."""
        return self.inputs

    @property
    def kind(self) -> str:
        """What clips of one price have in common."""
        return self.model.kind(self.inputs)

    @property
    def list_usd(self) -> float:
        """The highest price known for such a clip."""
        return self.model.list_usd(self.inputs)

    @property
    def price_bound(self) -> PriceBound:
        """The least, where the model is known to cost more at this size: the catalogue knows nothing of sizes."""
        return PriceBound.AT_LEAST if self.model.costs_more(self.inputs) else PriceBound.ABOUT

    @property
    def description(self) -> None:
        """None: the pack itself describes the model."""
        return None

    def expected_usd(self, catalogue_usd: Callable[[str, float], float | None]) -> float | None:
        """What the catalogue says of a clip of this length."""
        return catalogue_usd(self.model_id, self.model.length_s(self.inputs))

    def validated(self) -> GenerationRequest:
        """This request, if RunComfy can be expected to take it.

        Raises:
            InvalidInputError: A value is outside of what the model accepts.
        """
        check_prompt(self.prompt, max_chars=self.model.max_prompt_chars)
        self.model.check(self.inputs)
        check_take(self.take)
        return self

    def encoded(self) -> GenerationRequest:
        """This request with its pictures encoded."""
        return replace(self, pictures=tuple(map(Picture.encoded, self.pictures)))

    def body(self) -> dict[str, Scalar]:
        """The JSON object to submit."""
        pictures = [picture.value for picture in self.pictures]
        return self.model.body(prompt=self.prompt, pictures=pictures, inputs=self.inputs, take=self.take)

    def remedy_for(self, refusal: RunComfyError) -> str:
        """What to do about RunComfy's refusal of it."""
        if isinstance(refusal, ModelUnavailableError):
            return SORA_IS_GONE
        if isinstance(refusal, InvalidRequestError):
            return change_inputs(("prompt", *self.inputs, "image"), "'image_url'")
        return refusal.remedy

    def fingerprint(self) -> str:
        """SHA-256 of all that makes this clip the one that was asked for; the same inputs have it on every machine."""
        return self._fingerprint(self.prompt)

    def canonical_fingerprint(self) -> str:
        """The fingerprint of the prompt in its canonical spelling, under which a new job is claimed."""
        return self._fingerprint(canonical_spelling(self.prompt))

    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprints of all spellings of the prompt that look the same, the one that was typed first."""
        return tuple(dict.fromkeys(map(self._fingerprint, spellings(self.prompt))))

    def all_fingerprints(self) -> tuple[str, ...]:
        """The same: the pack itself describes the model."""
        return self.fingerprints()

    def _fingerprint(self, prompt: str) -> str:
        values = [self.inputs[one.name] for one in self.model.inputs]
        pictures = [picture.identity for picture in self.pictures]
        identity = [self.model.model_id, prompt, *values, *pictures, self.take]
        return hashlib.sha256(json.dumps(identity, separators=(",", ":")).encode()).hexdigest()


def change_inputs(names: Iterable[str], address: str) -> str:
    """What to do where RunComfy rejected the inputs.

    Args:
        names: The inputs of the node that it may have rejected.
        address: The inputs that take the address of a picture instead, in quotes.
    """
    quoted = ", ".join(f"'{name}'" for name in names)
    return (
        f"Change one of these inputs: {quoted}. If RunComfy rejected the picture itself, host it and put its https "
        f"address into {address} instead."
    )


def check_take(take: object) -> None:
    """Refuse what is not a seed.

    Raises:
        InvalidInputError: It is not a whole number, or out of range.
    """
    if isinstance(take, bool) or not isinstance(take, int) or not 0 <= take <= MAX_SEED:
        raise InvalidInputError(f"{take!r} is not a seed.", remedy=f"Use a whole number from 0 to {MAX_SEED}.")
