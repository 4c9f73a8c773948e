"""What a person chooses a model by, and which inputs of the node a model has no use for. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ..models import Scalar
from .estimate import resolution_in_id
from .roles import WIDGETS, Roles, find_roles
from .schema import Field, ModelEntry, Role
from .spelling import FOLLOW_PICTURE, ratio_of, resolution_key, seconds_of, switch_for
from .wishes import Wishes

# A seed tells one take from another with every model, and every clip begins with a picture.
CHOSEN_ROLES = (
    Role.LENGTH,
    Role.RESOLUTION,
    Role.ASPECT_RATIO,
    Role.SOUND,
    Role.LAST_IMAGE,
    Role.NEGATIVE_PROMPT,
)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model as a person sees it before buying.

    Attributes:
        model_id: RunComfy's id.
        lengths_s: The lengths in seconds, where the model has a list of them.
        shortest_s: The shortest clip in seconds; None where it is not known.
        longest_s: The longest clip in seconds; None where it is not known.
        resolutions: In small letters; empty where it is not known.
        aspect_ratios: Such as `16:9`; empty where the picture decides.
        sound: `switch`, `always`, `none`, or empty where it is not known.
        last_picture: `required`, `optional`, or empty where the model takes none.
        has_seed: Whether the model takes a seed.
        has_negative_prompt: Whether it takes a negative prompt.
        base_price_usd: US dollars for one `price_unit`; None where the catalogue states no price.
        price_unit: `second` or `output`.
        is_total: Whether base price x length is known to be the whole price; else it is the price "from".
        unusable: The widgets of the node that the model has no use for.
    """

    model_id: str
    lengths_s: tuple[float, ...]
    shortest_s: float | None
    longest_s: float | None
    resolutions: tuple[str, ...]
    aspect_ratios: tuple[str, ...]
    sound: str
    last_picture: str
    has_seed: bool
    has_negative_prompt: bool
    base_price_usd: float | None
    price_unit: str
    is_total: bool
    unusable: tuple[str, ...]


def facts_of(entry: ModelEntry) -> ModelFacts:
    """What a person chooses a model by."""
    roles = find_roles(entry)
    length, last = roles.field_for(Role.LENGTH), roles.field_for(Role.LAST_IMAGE)
    choices = _choices(length)
    lengths = tuple(sorted(seconds for seconds in map(seconds_of, choices) if seconds is not None))
    in_id = resolution_in_id(entry.model_id)
    resolutions = _choices(roles.field_for(Role.RESOLUTION)) or (() if in_id is None else (in_id,))
    return ModelFacts(
        model_id=entry.model_id,
        lengths_s=lengths,
        shortest_s=lengths[0] if lengths else None if length is None else length.minimum,
        longest_s=lengths[-1] if lengths else None if length is None else length.maximum,
        resolutions=tuple(map(resolution_key, resolutions)),
        aspect_ratios=tuple(
            str(one)
            for one in _choices(roles.field_for(Role.ASPECT_RATIO))
            if str(one).casefold() in FOLLOW_PICTURE or ratio_of(one) is not None
        ),
        sound=_sound(entry, roles),
        last_picture="" if last is None else "required" if last.is_required else "optional",
        has_seed=roles.field_for(Role.SEED) is not None,
        has_negative_prompt=roles.field_for(Role.NEGATIVE_PROMPT) is not None,
        base_price_usd=entry.base_price_usd,
        price_unit=entry.price_unit,
        is_total=entry.exceptions.is_total,
        unusable=tuple(_widget(role) for role in CHOSEN_ROLES if roles.field_for(role) is None),
    )


def priced_wishes(entry: ModelEntry, wishes: Wishes) -> Wishes:
    """Wishes that hold only what moves money, with stand-ins for the prompt and the pictures that a model needs."""
    roles = find_roles(entry)
    return Wishes(
        prompt="-" if roles.field_for(Role.PROMPT) is not None else "",
        duration=wishes.duration,
        resolution=wishes.resolution,
        audio=wishes.audio,
        has_image=True,
        has_end_image=roles.field_for(Role.LAST_IMAGE) is not None,
        extra_json=wishes.extra_json,
    )


def _choices(one: Field | None) -> tuple[Scalar, ...]:
    return () if one is None else one.choices


def _sound(entry: ModelEntry, roles: Roles) -> str:
    one, has_sound = roles.field_for(Role.SOUND), entry.exceptions.has_sound
    if one is None:
        return "" if has_sound is None else "always" if has_sound else "none"
    can = {is_on for is_on in (True, False) if switch_for(one, is_on=is_on) is not None}
    return "switch" if len(can) > 1 else "always" if True in can else "none"


def _widget(role: Role) -> str:
    """The widget of a role; of a picture, the one that takes its address."""
    return f"{WIDGETS[role]}_url" if role is Role.LAST_IMAGE else WIDGETS[role]
