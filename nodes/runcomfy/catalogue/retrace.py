"""From what was sent to RunComfy back to what was asked for, in the inputs of the node. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...errors import InvalidInputError
from .roles import find_roles
from .schema import ModelEntry, Role, canonical
from .shipped import Catalogue
from .spelling import is_on, seconds_of
from .translate import translate
from .wishes import Wishes

PICTURES = ((True, False), (True, True), (False, False), (False, True))


def retrace(entry: ModelEntry, *, prompt: str, inputs: Mapping[str, Any], take: int, catalogue: Catalogue) -> Wishes:
    """Wishes that lead to the same request: as many as possible in inputs of their own, the others in `extra_json`.

    Args:
        entry: The model.
        prompt: What was sent as the prompt.
        inputs: What else was sent, but for the pictures.
        take: The seed of the node.
        catalogue: The shipped models.
    """
    roles = find_roles(entry)
    prompt_field = roles.field_for(Role.PROMPT)
    sent = canonical(dict(inputs))

    def leads_to_it(wishes: Wishes) -> bool:
        try:
            body = dict(translate(entry, wishes, catalogue=catalogue, is_strict=False).body)
        except InvalidInputError:
            return False
        body.pop("" if prompt_field is None else prompt_field.name, None)
        return canonical(body) == sent

    # A seed of the node is sent by its own input; beside it, one in `extra_json` would be refused.
    extra = {name: value for name, value in inputs.items() if not take or roles.role_of(name) is not Role.SEED}
    everything = Wishes(prompt=prompt, seed=take, extra_json=_json(extra))
    with_pictures = (replace(everything, has_image=first, has_end_image=last) for first, last in PICTURES)
    wishes = next(filter(leads_to_it, with_pictures), None)
    if wishes is None:
        return everything
    for name, value in list(extra.items()):
        others = {other: one for other, one in extra.items() if other != name}
        for change in _ways(roles.role_of(name), value, catalogue):
            candidate = replace(wishes, extra_json=_json(others), **change)
            if leads_to_it(candidate):
                wishes, extra = candidate, others
                break
    return wishes


def _ways(role: Role | None, value: Any, catalogue: Catalogue) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """What may be wished for so that a field gets its value; last, nothing: the model's own way."""
    if role is Role.LENGTH and (seconds := seconds_of(value)) is not None and seconds.is_integer():
        yield {"duration": int(seconds)}
    if role is Role.RESOLUTION:
        yield from ({"resolution": one} for one in catalogue.resolutions())
    if role is Role.ASPECT_RATIO:
        yield from ({"aspect_ratio": one} for one in (str(value), "auto"))
    if role is Role.SOUND and (switch := is_on(value)) is not None:
        yield {"audio": "on" if switch else "off"}
    if role is Role.NEGATIVE_PROMPT and isinstance(value, str):
        yield {"negative_prompt": value}
    yield {}


def _json(fields: Mapping[str, Any]) -> str:
    return json.dumps(dict(fields), ensure_ascii=False) if fields else ""
