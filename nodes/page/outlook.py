"""What a run of a node would do with the inputs it has now: buy, wait for what is under way, or deliver what was bought.

Nothing is asked at RunComfy, nothing is changed, and what cannot be known before the run is left open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..errors import UNCHANGED, InvalidInputError
from ..runcomfy import (
    AUTO_SIZE,
    MODEL_DEFAULT,
    CatalogueRequest,
    ClipRequest,
    Engine,
    GenerationRequest,
    Job,
    JobState,
    MediaUse,
    Offer,
    Picture,
    Role,
    Translation,
    Wishes,
    picture_limits,
    shipped_catalogue,
    translate,
    with_earlier,
)
from .documents import Document
from .pictures import Fitted, Pictures

Value = TypeVar("Value", str, int)
ANY_MODEL = "RunComfyImageToVideo"
_UNDER_WAY = frozenset({JobState.SUBMITTING, JobState.SUBMITTED})
_READY = frozenset({JobState.COMPLETED, JobState.DOWNLOADED})


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a node is set to.

    Attributes:
        node: Its kind.
        values: The values of its widgets.
        files: The picture of each connected input, as the widget of Load Image names it.
    """

    node: str
    values: Mapping[str, Any]
    files: Mapping[str, str]

    def value(self, name: str, default: Value) -> Value:
        """The value of a widget, of the kind that the default has.

        Raises:
            InvalidInputError: It is of another kind.
        """
        value = self.values.get(name, default)
        if type(value) is not type(default):
            raise InvalidInputError(f"'{name}' is of another kind.")
        return value


def parse_inputs(document: Mapping[str, Any]) -> Inputs:
    """What the page says of a node.

    Raises:
        InvalidInputError: It is not what a page says.
    """
    node, values, files = (document.get(name) for name in ("node", "values", "files"))
    if not isinstance(node, str) or not isinstance(values, dict) or not isinstance(files, dict):
        raise InvalidInputError("'node', 'values' and 'files' are needed.", money=UNCHANGED)
    if not all(isinstance(name, str) for name in files.values()):
        raise InvalidInputError("'files' must hold names.", money=UNCHANGED)
    return Inputs(node, values, files)


class Outlook:
    """What a run would do.

    Args:
        engine: The engine for the settings as they are now.
        pictures: Those of files.
    """

    def __init__(self, engine: Callable[[], Engine], pictures: Pictures) -> None:
        self._engine = engine
        self._pictures = pictures

    def of(self, inputs: Inputs) -> Document:
        """What would become of each clip.

        Returns:
            `clips`: for each `new`, `bought`, `ready`, `under_way`, `uncertain` or `failed`; empty where that cannot be known.
            `pictures`: the first one as it will be sent; empty where that cannot be known.
        """
        engine = self._engine()
        fitted: tuple[Fitted, ...] = ()
        clips: list[str] = []
        try:
            if inputs.node == ANY_MODEL:
                fitted, requests = self._of_any_model(engine, inputs)
            else:
                fitted = self._fitted(engine, inputs)
                requests = self._of_sora(engine, inputs, fitted)
            if len(requests) <= inputs.value("max_clips", 1):
                clips = [state_of(engine.known_job(request.validated())) for request in requests]
        except InvalidInputError:
            # The run will say what is wrong; until then there is nothing to say of money.
            clips = []
        return {
            "clips": clips,
            "pictures": [{"id": one.identity, "size": str(one.size)} for one in fitted[:1]],
        }

    def preview(self, identity: str) -> bytes | None:
        """The small copy of a picture that was in an answer; None where it is not remembered any more."""
        return self._pictures.preview(identity)

    def _fitted(self, engine: Engine, inputs: Inputs) -> tuple[Fitted, ...]:
        name, size = inputs.files.get("image"), engine.settings.model.input_for(Role.SIZE)
        if name is None or size is None:
            return ()
        chosen, fit = inputs.values.get(size.name), inputs.values.get("fit")
        return self._pictures.exact(name, str(chosen), engine.settings.model.sizes, str(fit))

    def _of_sora(self, engine: Engine, inputs: Inputs, fitted: tuple[Fitted, ...]) -> list[ClipRequest]:
        model, values = engine.settings.model, inputs.values
        size = model.input_for(Role.SIZE)
        address = inputs.value("image_url", "").strip()
        if bool(fitted) == bool(address):
            raise InvalidInputError("There is no picture, or there are two.")
        chosen = {one.name: values.get(one.name, one.default) for one in model.inputs}
        if size is not None and chosen[size.name] == AUTO_SIZE:
            if not fitted:
                raise InvalidInputError("'auto' needs the picture itself.")
            chosen[size.name] = str(fitted[0].size)
        pictures = [Picture("", one.identity) for one in fitted] or [Picture.from_url(address)]
        return [
            GenerationRequest(model, inputs.value("prompt", ""), chosen, (picture,), inputs.value("seed", 0))
            for picture in pictures
        ]

    def _of_any_model(self, engine: Engine, inputs: Inputs) -> tuple[tuple[Fitted, ...], list[ClipRequest]]:
        model_id = (inputs.value("custom_model_id", "").strip() or inputs.value("model", "")).strip()
        offer = engine.offer_offline(model_id)
        wishes = Wishes(
            prompt=inputs.value("prompt", ""),
            duration=inputs.value("duration", 0),
            resolution=inputs.value("resolution", MODEL_DEFAULT),
            aspect_ratio=inputs.value("aspect_ratio", MODEL_DEFAULT),
            audio=inputs.value("audio", MODEL_DEFAULT),
            has_image="image" in inputs.files,
            has_end_image="end_image" in inputs.files,
            image_url=inputs.value("image_url", ""),
            end_image_url=inputs.value("end_image_url", ""),
            negative_prompt=inputs.value("negative_prompt", ""),
            seed=inputs.value("seed", 0),
            extra_json=inputs.value("extra_json", ""),
        )
        sent = {
            use.widget: self._pictures.own_shape(
                inputs.files[use.widget], picture_limits(offer.entry, use.field), use.widget
            )
            for use in _translated(offer, wishes).media
            if use.address is None
        }
        first = sent.get("image", ())
        # Some of what is sent follows the shape of the picture.
        wishes = replace(wishes, picture=first[0].original if first else None)
        translation = _translated(offer, wishes)
        count = len(first) or 1
        if not offer.is_described or any(len(many) not in (1, count) for many in sent.values()):
            return first, []
        return first, [
            with_earlier(
                CatalogueRequest(
                    offer.entry,
                    translation,
                    tuple(_picture(use, sent.get(use.widget, ()), number) for use in translation.media),
                    wishes.seed,
                    offer.source,
                ),
                wishes,
                offer.earlier,
            )
            for number in range(count)
        ]


def _translated(offer: Offer, wishes: Wishes) -> Translation:
    return translate(offer.entry, wishes, catalogue=shipped_catalogue(), is_strict=False)


def _picture(use: MediaUse, fitted: tuple[Fitted, ...], number: int) -> Picture:
    if use.address is not None:
        return Picture.from_url(use.address)
    return Picture("", fitted[number if len(fitted) > 1 else 0].identity)


def state_of(job: Job | None) -> str:
    """What a run does with a job that its inputs lead to, in a word of the page."""
    if job is None or job.state in (JobState.PREPARED, JobState.REJECTED):
        return "new"
    if job.has_whole_file:
        return "bought"
    if job.state in _READY:
        return "ready"
    if job.state in _UNDER_WAY:
        # RunComfy may have cancelled one that it was asked to cancel; then the run buys.
        return "new" if job.cancel_requested else "under_way"
    return "uncertain" if job.state is JobState.UNCERTAIN else "failed"
