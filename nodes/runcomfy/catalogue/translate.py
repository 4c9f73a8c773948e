"""A wish becomes the request of one model, or a refusal before any money. Pure.

What moves the price or the meaning is sent explicitly: length, resolution, sound, ratio, and required fields with their
default. Other optional fields stay away, and the samples that stand as defaults of prompts and pictures are never sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ...errors import InvalidInputError
from ..foreign_text import shown
from ..models import Size
from ..picture_urls import check_image_url
from .estimate import PriceEstimate, clip_fps, clip_length_s, frame_size, longest_s, price
from .roles import WIDGETS, find_roles
from .schema import Field, ModelEntry, Role
from .shipped import Catalogue
from .spelling import allowed, is_on
from .validation import violations
from .wishes import Question, Wishes, check_types, parse_extra_json, value_for

WORDS = (Role.PROMPT, Role.NEGATIVE_PROMPT)
SENT_EXPLICITLY = (Role.LENGTH, Role.RESOLUTION, Role.ASPECT_RATIO, Role.SOUND)
PLACEHOLDER = "https://pictures.invalid/picture.png"
NOT_A_VIDEO_FROM_TEXT = (
    "Without one, a model may make a video from the text alone and charge for it, so nothing was sent."
)


@dataclass(frozen=True, slots=True)
class MediaUse:
    """A picture that belongs in a request.

    Attributes:
        role: The first or the last picture.
        field: The field in RunComfy's JSON.
        is_list: Whether the field takes a list.
        address: Its https address; None for a picture that is connected.
    """

    role: Role
    field: Field
    is_list: bool
    address: str | None

    @property
    def widget(self) -> str:
        """The input of the node that it comes from."""
        return WIDGETS[self.role]

    def wrap(self, value: str) -> str | list[str]:
        """The value of the field for a picture, an address or a data URI."""
        return [value] if self.is_list else value


@dataclass(frozen=True, slots=True)
class Translation:
    """A request that the model accepts.

    Attributes:
        body: The JSON object without the pictures of `media`.
        media: The pictures that belong in it.
        length_s: Seconds of the clip; None where the model decides.
        longest_s: The most seconds the clip can have.
        size: The frames, estimated for memory and disk.
        fps: Frames a second, estimated.
        has_sound: Whether the clip has sound; None where it is not known.
        price: What it is expected to cost.
        notes: Sentences for the report.
    """

    body: Mapping[str, Any]
    media: tuple[MediaUse, ...]
    length_s: float | None
    longest_s: float
    size: Size
    fps: float
    has_sound: bool | None
    price: PriceEstimate
    notes: tuple[str, ...]


def translate(entry: ModelEntry, wishes: Wishes, *, catalogue: Catalogue, is_strict: bool = True) -> Translation:
    """The request of a model that fulfils every wish.

    Args:
        entry: The model, live or shipped.
        wishes: What is asked for.
        catalogue: The shipped models, to name the one that could.
        is_strict: Whether a body that the schema forbids is refused; else it is only said.

    Raises:
        InvalidInputError: A wish cannot be fulfilled, or something that the model needs is missing.
    """
    check_types(wishes)
    question = Question(entry, find_roles(entry), wishes, catalogue)
    extra = parse_extra_json(wishes.extra_json)
    body = _wished(question, extra)
    media = _pictures(question, extra)
    _check_media_addresses(entry, extra)
    body |= _explicit(question, {*body, *extra, *(one.field.name for one in media)})
    body |= extra
    whole = {**body, **{one.field.name: one.wrap(one.address or PLACEHOLDER) for one in media}}
    wrong = violations(entry, whole)
    if wrong and is_strict:
        raise InvalidInputError(
            f"{question.name} does not accept this request. {' '.join(wrong)}",
            remedy="Change the input that it names.",
        )
    roles = question.roles
    has_sound = _has_sound(question, body)
    expected = price(entry, roles, body, has_sound=has_sound)
    return Translation(
        body=MappingProxyType(body),
        media=media,
        length_s=clip_length_s(roles, body),
        longest_s=clip_length_s(roles, body) or longest_s(roles),
        size=frame_size(entry, roles, body, wishes.picture),
        fps=clip_fps(entry, roles, body),
        has_sound=has_sound,
        price=expected,
        notes=(*_notes(question, body, expected), *(f"Sent against the model's schema: {one}" for one in wrong)),
    )


def _wished(question: Question, extra: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for role in (*WORDS, *SENT_EXPLICITLY, Role.SEED):
        value, one = value_for(role, question), question.roles.field_for(role)
        if value is not None and one is not None:
            _refuse_both(one, role, extra)
            body[one.name] = value
    return body


def _refuse_both(one: Field, role: Role, extra: Mapping[str, Any]) -> None:
    if one.name in extra:
        raise InvalidInputError(
            f"Both the input '{WIDGETS[role]}' and the field '{one.name}' in 'extra_json' set the same thing.",
            remedy=f"Remove '{one.name}' from 'extra_json', or leave '{WIDGETS[role]}' at "
            f"{'0' if role in (Role.LENGTH, Role.SEED) else 'its default'}.",
        )


def _pictures(question: Question, extra: Mapping[str, Any]) -> tuple[MediaUse, ...]:
    wishes, roles = question.wishes, question.roles
    given = (
        (Role.FIRST_IMAGE, wishes.has_image, wishes.image_url.strip(), roles.first_images),
        (Role.LAST_IMAGE, wishes.has_end_image, wishes.end_image_url.strip(), roles.last_images),
    )
    media = []
    for role, is_connected, address, candidates in given:
        widget, one = WIDGETS[role], roles.field_for(role)
        if is_connected and address:
            raise InvalidInputError(
                f"Both '{widget}' and '{widget}_url' are given.",
                remedy=f"Use one of the two: disconnect '{widget}' or clear '{widget}_url'.",
            )
        if not is_connected and not address:
            names = candidates if one is None else (one.name,)
            _check_not_needed(question, role, is_in_extra=any(extra.get(name) for name in names))
            continue
        if one is None:
            raise _no_place(question, role, candidates)
        _refuse_both(one, role, extra)
        if address:
            check_image_url(address, f"{widget}_url", widget)
        media.append(MediaUse(role, one, one.is_list, address or None))
    return tuple(media)


def _check_not_needed(question: Question, role: Role, *, is_in_extra: bool) -> None:
    one = question.roles.field_for(role)
    if is_in_extra:
        return
    if role is Role.FIRST_IMAGE:
        raise InvalidInputError(
            f"There is no picture. {NOT_A_VIDEO_FROM_TEXT}",
            remedy="Connect 'image', or give its address in 'image_url'.",
        )
    if one is not None and one.is_required:
        raise InvalidInputError(
            f"{question.name} needs a last picture too.",
            remedy="Connect 'end_image', or give its address in 'end_image_url'.",
        )


def _no_place(question: Question, role: Role, candidates: tuple[str, ...]) -> InvalidInputError:
    which, widget = ("first", "image") if role is Role.FIRST_IMAGE else ("last", "end_image")
    if candidates:
        return InvalidInputError(
            f"It is not clear which field of {question.name} takes the {which} picture: {_quoted(candidates)}.",
            remedy=f"Disconnect '{widget}', and give the picture's address in 'extra_json', such as "
            f'{{"{candidates[0]}": "https://..."}}.',
        )
    return InvalidInputError(
        f"{question.name} does not take a {which} picture.",
        remedy=f"Disconnect '{widget}' and clear '{widget}_url', or choose another model.",
    )


def _check_media_addresses(entry: ModelEntry, extra: Mapping[str, Any]) -> None:
    for one in entry.fields:
        if one.media is None or one.name not in extra:
            continue
        value = extra[one.name]
        for address in value if isinstance(value, list) else [value]:
            if not isinstance(address, str):
                raise InvalidInputError(
                    f"'{shown(one.name)}' in 'extra_json' takes the https address of a {one.media.value}.",
                    remedy="Give an address, in quotes.",
                )
            check_image_url(address, shown(one.name), widget="")


def _explicit(question: Question, filled: set[str]) -> dict[str, Any]:
    """What is sent although nobody asked for it."""
    body: dict[str, Any] = {}
    for one in question.entry.fields:
        role = question.roles.role_of(one.name)
        if one.name in filled or not (one.is_required or one.has_sample or role in SENT_EXPLICITLY):
            continue
        if role is Role.PROMPT and one.is_required:
            raise InvalidInputError("The prompt is empty.", remedy="Describe what should happen in the clip.")
        if (role is Role.PROMPT and one.has_sample) or (role is Role.NEGATIVE_PROMPT and one.is_required):
            body[one.name] = ""  # where it stayed away, the model would use its sample
        elif one.default is not None and one.media is None:
            body[one.name] = one.default
        elif len(one.choices) == 1:
            body[one.name] = one.choices[0]
        elif role is Role.SEED and one.is_required:
            body[one.name] = question.wishes.seed
        elif one.is_required:
            raise _missing(question, one, role)
    return body


def _missing(question: Question, one: Field, role: Role | None) -> InvalidInputError:
    name = shown(one.name)
    if role in WIDGETS and role is not None:
        return InvalidInputError(
            f"{question.name} needs '{name}' and has no default for it.",
            remedy=f"Set '{WIDGETS[role]}': {allowed(one)}.",
        )
    if one.is_structured:
        kind = "a structured input, which this node has no input for"
    else:
        kind = f"a {one.media.value}, as an address" if one.media else f"with one of these values: {allowed(one)}"
    return InvalidInputError(
        f"{question.name} needs '{name}', {kind}.", remedy=f"Give '{name}' in 'extra_json', or choose another model."
    )


def _has_sound(question: Question, body: Mapping[str, Any]) -> bool | None:
    one = question.roles.field_for(Role.SOUND)
    return question.entry.exceptions.has_sound if one is None else is_on(body.get(one.name, one.default))


def _notes(question: Question, body: Mapping[str, Any], expected: PriceEstimate) -> tuple[str, ...]:
    notes = []
    if question.wishes.seed and question.roles.field_for(Role.SEED) is None:
        notes.append("The model has no seed: 'seed' only tells one take from another.")
    if clip_length_s(question.roles, body) is None:
        counted = (
            ""
            if not expected.usd
            else f" Your spending limits assume {longest_s(question.roles):g} s, {expected.usd_words}."
        )
        notes.append(f"The model decides the length of the clip.{counted}")
    return tuple(notes)


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{shown(name)}'" for name in names)
