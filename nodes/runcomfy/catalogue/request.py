"""A clip of any model as the order of spending sees it, and which request is the same request. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ...errors import InvalidInputError, InvalidRequestError, ModelUnavailableError, RunComfyError
from ..foreign_text import shown
from ..generation import Description, Picture, RequestPicture, SchemaSource, change_inputs, check_take
from ..jobs import LEAST_USD
from ..progress import PriceBound
from ..prompts import canonical_spelling, spellings
from .roles import WIDGETS, Roles, find_roles
from .schema import ModelEntry, Role, canonical
from .shipped import shipped_catalogue
from .translate import Translation, translate
from .validation import violations
from .wishes import Wishes

# The price of a clip is taken to depend on everything else.
FREE_ROLES = frozenset({Role.PROMPT, Role.NEGATIVE_PROMPT, Role.SEED, Role.ASPECT_RATIO})


@dataclass(frozen=True, slots=True)
class CatalogueRequest:
    """One clip that the user asked for, of a model of the catalogue.

    Attributes:
        entry: The model, by the description that the request was made from.
        translation: The request without its pictures.
        pictures: One for each of `translation.media`, in that order.
        take: The seed of the node: which clip of equal inputs.
        source: Where the description is from.
        is_strict: Whether a body that the schema forbids is refused.
        earlier: What the same wishes led to by earlier descriptions of the model, whose defaults were others.
    """

    entry: ModelEntry
    translation: Translation
    pictures: tuple[RequestPicture, ...]
    take: int
    source: SchemaSource = SchemaSource.SHIPPED
    is_strict: bool = True
    earlier: tuple[CatalogueRequest, ...] = ()

    @property
    def model_id(self) -> str:
        """RunComfy's id of the model."""
        return self.entry.model_id

    @property
    def prompt(self) -> str:
        """What is sent as the prompt; empty where none is."""
        name = self._prompt_field
        return "" if name is None else str(self.translation.body.get(name, ""))

    @property
    def stored_inputs(self) -> Mapping[str, Any]:
        """Exactly what is sent, but prompt and pictures."""
        return {name: value for name, value in self.translation.body.items() if name != self._prompt_field}

    @property
    def kind(self) -> str:
        """What clips of one price have in common."""
        roles = self._roles
        return canonical(
            {name: value for name, value in self.stored_inputs.items() if roles.role_of(name) not in FREE_ROLES}
        )

    @property
    def list_usd(self) -> float | None:
        """The estimate, that of the longest clip where the length is open."""
        usd = self.translation.price.usd
        return None if usd is None or usd < LEAST_USD else usd

    @property
    def price_bound(self) -> PriceBound:
        """Whether that is the least, the most, or the whole of it."""
        return self.translation.price.bound

    @property
    def description(self) -> Description:
        """By which description of its model it was made."""
        return Description(self.entry.schema_hash, self.source)

    def expected_usd(self, _catalogue_usd: Callable[[str, float], float | None]) -> float | None:
        """The same: the description has been asked for already."""
        return self.list_usd

    def validated(self) -> CatalogueRequest:
        """This request: the translation has checked all of it but the take and the connected pictures.

        Raises:
            InvalidInputError: The take is not a seed.
        """
        check_take(self.take)
        return self

    def encoded(self) -> CatalogueRequest:
        """This request with its pictures encoded.

        Raises:
            InvalidInputError: The model does not accept a picture as it would be sent.
        """
        made = replace(self, pictures=tuple(map(Picture.encoded, self.pictures)))
        wrong = violations(made.entry, made.body()) if made.is_strict else ()
        if wrong:
            raise InvalidInputError(
                f"'{shown(self.model_id)}' does not accept this request. {' '.join(wrong)}",
                remedy="Give the address of the picture in 'image_url' or 'end_image_url' instead.",
            )
        return made

    def body(self) -> dict[str, Any]:
        """The JSON object to submit."""
        pairs = zip(self.translation.media, self.pictures, strict=True)
        return {**self.translation.body, **{use.field.name: use.wrap(picture.value) for use, picture in pairs}}

    def remedy_for(self, refusal: RunComfyError) -> str:
        """What to do about RunComfy's refusal of it."""
        if isinstance(refusal, ModelUnavailableError):
            return "Choose another model in the node 'Image to Video, any model (RunComfy)', or try again later."
        if isinstance(refusal, InvalidRequestError):
            widgets = dict.fromkeys(WIDGETS[role] for role, _ in self._roles.found if role in WIDGETS)
            addresses = " / ".join(f"'{use.widget}_url'" for use in self.translation.media)
            return change_inputs((*widgets, "extra_json"), addresses or "'image_url'")
        return refusal.remedy

    def canonical_fingerprint(self) -> str:
        """Under which a new job is claimed."""
        return self._fingerprint(canonical_spelling(self.prompt))

    def fingerprints(self) -> tuple[str, ...]:
        """Under which the clip may be known already, the one that was typed first."""
        return tuple(dict.fromkeys(map(self._fingerprint, spellings(self.prompt))))

    def all_fingerprints(self) -> tuple[str, ...]:
        """These, and those of the clips that the same wishes led to before the model's defaults changed."""
        return (*self.fingerprints(), *(name for one in self.earlier for name in one.fingerprints()))

    @property
    def _roles(self) -> Roles:
        return find_roles(self.entry)

    @property
    def _prompt_field(self) -> str | None:
        one = self._roles.field_for(Role.PROMPT)
        return None if one is None else one.name

    def _fingerprint(self, prompt: str) -> str:
        name, body = self._prompt_field, self.translation.body
        spelled = {**body, name: prompt} if name is not None and name in body else body
        pairs = zip(self.translation.media, self.pictures, strict=True)
        media = {use.field.name: (picture.identity,) for use, picture in pairs}
        return fingerprint(model_id=self.model_id, body=spelled, media=media, take=self.take)


def with_earlier(request: CatalogueRequest, wishes: Wishes, descriptions: Iterable[ModelEntry]) -> CatalogueRequest:
    """A request that also knows what the same wishes led to by earlier descriptions of its model.

    What was left to a default of the model was bought as that default then was. It is bought once, whatever the default is now.

    Args:
        request: By the description of now.
        wishes: From which it was made.
        descriptions: The earlier ones.
    """
    roles = [use.role for use in request.translation.media]
    earlier = []
    for entry in descriptions:
        with suppress(InvalidInputError):  # nothing can have been bought by it
            translation = translate(entry, wishes, catalogue=shipped_catalogue(), is_strict=False)
            if [use.role for use in translation.media] == roles:
                earlier.append(replace(request, entry=entry, translation=translation))
    return replace(request, earlier=tuple(earlier))


def fingerprint(*, model_id: str, body: Mapping[str, Any], media: Mapping[str, tuple[str, ...]], take: int) -> str:
    """SHA-256 of a request, in hexadecimal digits.

    Args:
        model_id: RunComfy's id.
        body: The request without the pictures that `media` names.
        media: For each field of a picture what identifies it: the SHA-256 of its 8-bit pixels, or its address.
        take: Which take: another one is another request.
    """
    pictures = {name: list(identities) for name, identities in media.items()}
    return hashlib.sha256(
        canonical({"model_id": model_id, "body": dict(body), "media": pictures, "take": take}).encode()
    ).hexdigest()
