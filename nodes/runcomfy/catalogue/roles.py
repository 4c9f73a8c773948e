"""Which field of a model means what: by its name, its type and its format, and by the exceptions in the data. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .quirks import Media
from .schema import Field, ModelEntry, Role, plain_name

ON_WORDS = frozenset({"on", "true", "yes", "enable", "enabled", "1"})
OFF_WORDS = frozenset({"off", "false", "no", "disable", "disabled", "0"})


# The input of the node that fills a role.
WIDGETS = {
    Role.PROMPT: "prompt",
    Role.NEGATIVE_PROMPT: "negative_prompt",
    Role.FIRST_IMAGE: "image",
    Role.LAST_IMAGE: "end_image",
    Role.LENGTH: "duration",
    Role.RESOLUTION: "resolution",
    Role.ASPECT_RATIO: "aspect_ratio",
    Role.SOUND: "audio",
    Role.SEED: "seed",
}
FIRST_IMAGE = re.compile(
    r"(image|img)(url|uri)?|(start|first)(frame)?(image|img)?(url|uri)?|promptimage|inputreference|inputimage(url)?"
)
FIRST_IMAGES = re.compile(r"(image|img)s?(url|uri)?s?|(image|img)(url)?1")
REFERENCES = re.compile(r"reference(image|img)?s?(url|uri)?s?1?")
LAST_IMAGE = re.compile(r"(end|last|tail)(frame)?(image|img)?(url|uri)?")
# Names in the order in which they count: the first that fits is the one.
NAMES = {
    Role.PROMPT: ("prompt", "prompttext", "textprompt"),
    Role.NEGATIVE_PROMPT: ("negativeprompt",),
    Role.LENGTH: ("duration", "seconds", "durationseconds", "videolength", "videoduration"),
    Role.RESOLUTION: ("resolution", "videoresolution", "size"),
    Role.ASPECT_RATIO: ("aspectratio", "ratio"),
    Role.SOUND: ("generateaudio", "enableaudio", "sound", "generateaudioswitch", "withaudio", "audio"),
    Role.SEED: ("seed",),
    Role.FPS: ("fps", "framespersecond", "framerate"),
}


def is_switch(one: Field) -> bool:
    """Whether a field turns something on and off."""
    if one.choices:
        return {str(choice).casefold() for choice in one.choices} <= ON_WORDS | OFF_WORDS
    return one.types == ("boolean",)


def _is_scalar(one: Field) -> bool:
    return one.media is None and not one.is_structured


def _is_quantity(one: Field) -> bool:
    return _is_scalar(one) and one.types != ("boolean",)


FITS: dict[Role, Callable[[Field], bool]] = {
    Role.PROMPT: lambda one: one.is_text,
    Role.NEGATIVE_PROMPT: lambda one: one.is_text,
    Role.SOUND: lambda one: one.media is None and is_switch(one),
}


@dataclass(frozen=True, slots=True)
class Roles:
    """The fields of a model by what they mean.

    Attributes:
        found: Pairs of a role and its field; a role that no field has is missing.
        first_images: The names of all fields that may be the first picture, where it cannot be told which.
        last_images: The same for the last picture.
    """

    found: tuple[tuple[Role, Field], ...]
    first_images: tuple[str, ...] = ()
    last_images: tuple[str, ...] = ()

    def field_for(self, role: Role) -> Field | None:
        """The field that has a role, if there is one."""
        return next((one for known, one in self.found if known is role), None)

    def role_of(self, name: str) -> Role | None:
        """What a field means, if that is known."""
        return next((role for role, one in self.found if one.name == name), None)


def find_roles(entry: ModelEntry) -> Roles:
    """What the fields of a model mean."""
    found: dict[Role, Field] = {}
    for role, field_name in entry.exceptions.roles:
        one = entry.field_named(field_name)
        if one is not None:
            found[role] = one
    by_name = {plain_name(one.name): one for one in reversed(entry.fields)}
    taken = {one.name for one in found.values()}
    for role, names in NAMES.items():
        fits = FITS.get(role, _is_quantity)
        known = (by_name[name] for name in names if name in by_name)
        match = next((one for one in known if fits(one) and one.name not in taken), None)
        if match is not None and role not in found:
            found[role] = match
            taken.add(match.name)
    pictures = [one for one in entry.fields if one.media is Media.IMAGE and one.name not in taken]
    last = [one for one in pictures if LAST_IMAGE.fullmatch(plain_name(one.name))]
    first = [one for one in pictures if FIRST_IMAGE.fullmatch(plain_name(one.name))]
    first += [one for one in pictures if one not in first and FIRST_IMAGES.fullmatch(plain_name(one.name))]
    references = [one for one in pictures if REFERENCES.fullmatch(plain_name(one.name))]
    first = first or references or [one for one in pictures if one not in last]
    undecided: dict[Role, tuple[str, ...]] = {}
    for role, candidates in ((Role.FIRST_IMAGE, first), (Role.LAST_IMAGE, last)):
        needed = [one for one in candidates if one.is_required] or candidates
        if role not in found and len(needed) == 1:
            found[role] = needed[0]
        elif role not in found:
            undecided[role] = tuple(one.name for one in needed)
    return Roles(
        found=tuple(found.items()),
        first_images=undecided.get(Role.FIRST_IMAGE, ()),
        last_images=undecided.get(Role.LAST_IMAGE, ()),
    )
