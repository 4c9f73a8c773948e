"""One run of `RunComfyImageToVideo`: the wishes become the request of one model, for each picture of the batch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import InvalidInputError, RunComfyError
from ..packages import packages_named
from ..runcomfy import (
    MODEL_DEFAULT,
    CatalogueRequest,
    Engine,
    MediaUse,
    Offer,
    Picture,
    RequestPicture,
    Run,
    Size,
    Translation,
    Wishes,
    differences,
    picture_limits,
    shipped_catalogue,
    shown,
    translate,
    with_earlier,
)
from .clips import Clip, deliver, deliver_rehearsal, results
from .current import current_engine
from .display import endings_shown
from .inputs import MAX_CLIPS, FrameChoice, IfAClipFails, check_counts, check_folder, check_memory
from .permission import Permission
from .pictures import fit_to_limits, size_within
from .rehearsals import Scene, stand_in
from .threads import Task, attend

if TYPE_CHECKING:
    import torch

REHEARSED_S = 5.0  # where the model decides the length
# With one of them changed, each clip of a batch is another purchase.
SHARED_INPUTS = (
    *("model", "prompt", "duration", "resolution", "aspect_ratio", "audio"),
    *("negative_prompt", "seed", "custom_model_id", "extra_json"),
)
FILE_BYTES_PER_PIXEL = 0.05  # of a video file: about twice what the models make
logger = logging.getLogger("runcomfy.sora2pro.any_model")


@dataclass(frozen=True, slots=True)
class AnyOrder:
    """The inputs of `RunComfyImageToVideo`, as the node got them; `wishes` without the connected pictures."""

    model: str
    custom_model_id: str
    wishes: Wishes
    image: torch.Tensor | None
    end_image: torch.Tensor | None
    max_clips: int
    frames: FrameChoice
    rehearse: bool
    if_a_clip_fails: str

    @property
    def model_id(self) -> str:
        """The id that was typed, else the one that was chosen."""
        return self.custom_model_id.strip() or self.model.strip()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for each picture, checked before money.

    Attributes:
        order: What was asked for.
        offer: The model, and where its description is from.
        translation: The request of each clip, without its pictures.
        clip_count: How many clips.
        wishes: Those of the order, with what is known of its pictures.
        requests: One for each clip where all of them are on this disk, so that nobody was asked; else none.
    """

    order: AnyOrder
    offer: Offer
    translation: Translation
    clip_count: int
    wishes: Wishes
    requests: tuple[CatalogueRequest, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the card."""
        price = self.translation.price
        expected = "" if not price.usd else f"Expected price: {price}."
        return tuple(filter(None, (self.offer.note, *self.translation.notes, expected)))

    def picture(self, use: MediaUse, number: int) -> torch.Tensor | None:
        """The connected picture [H, W, C] of one clip; a single one belongs to all clips."""
        batch = {"image": self.order.image, "end_image": self.order.end_image}[use.widget]
        if batch is None or use.address is not None:
            return None
        return batch[number if len(batch) > 1 else 0]


def parse_priced(texts: Mapping[str, str]) -> tuple[str, Wishes]:
    """The model and the wishes that move money, from the inputs of the node as text.

    Raises:
        InvalidInputError: The length is not a number.
    """
    duration = texts.get("duration", "0")
    if not (duration.isascii() and duration.isdecimal() and len(duration) < 4):  # noqa: PLR2004 - digits
        raise InvalidInputError(f"'duration' cannot be '{shown(duration)}'.", remedy="Use whole seconds, or 0.")
    return texts.get("custom_model_id", "").strip() or texts["model"].strip(), Wishes(
        duration=int(duration),
        resolution=texts.get("resolution", MODEL_DEFAULT),
        audio=texts.get("audio", MODEL_DEFAULT),
        extra_json=texts.get("extra_json", ""),
    )


async def generate(order: AnyOrder) -> list[Clip]:
    """One clip for each picture of an order.

    Raises:
        RunComfyError: The message says what happened, what it means for the money, and what to do.
        BaseException: ComfyUI's interruption.
    """
    with endings_shown():
        engine = current_engine()
        if_a_clip_fails = IfAClipFails.parse(order.if_a_clip_fails)
        (plan,) = results(await attend([lambda run: planned(engine, order, run)]))
        permission = Permission.of_this_run()
        works = await attend([_task(engine, plan, number, permission) for number in range(plan.clip_count)])
        return results(works, if_a_clip_fails, SHARED_INPUTS)


def planned(engine: Engine, order: AnyOrder, run: Run) -> Plan:
    """Everything that can be said of an order before money.

    Raises:
        RunComfyError: It cannot be carried out; nothing was sent.
    """
    for name in ("model", "custom_model_id"):
        if not isinstance(getattr(order, name), str):
            raise InvalidInputError(f"'{name}' is not text.", remedy="Connect the id of a model, or choose one.")
    clip_count = _clip_count(order)
    if order.rehearse:
        plan = _plan(engine, order, clip_count, engine.describe(order.model_id))
    else:
        plan = _bought_before(engine, order, clip_count, run) or _plan(
            engine, order, clip_count, engine.offer(order.model_id, run.stop)
        )
    offer, model_id = plan.offer, order.model_id
    changed = differences(offer.entry, shipped_catalogue().find(model_id), set(plan.translation.body))
    if changed:
        logger.info("RunComfy describes %s of %s differently from this pack.", ", ".join(changed), model_id)
    for note in plan.notes:
        logger.info("%s: %s", model_id, note)
    return plan


def _bought_before(engine: Engine, order: AnyOrder, clip_count: int, run: Run) -> Plan | None:
    """The plan by the last known description of the model, if all its clips are on this disk; nobody is asked."""
    try:
        offer = engine.offer_offline(order.model_id)
        if not offer.is_described:
            return None
        plan = _plan(engine, order, clip_count, offer)
        requests = []
        for number in range(clip_count):
            run.stop.check()
            request = _request(engine, plan, number)
            job = engine.known_job(request)
            if job is None or not job.has_whole_file:
                return None
            requests.append(request)
    except RunComfyError as error:
        # RunComfy may describe the model differently by now. Whatever is wrong besides is said by the plan that follows.
        logger.debug("%s is not served by its last known description: %s", order.model_id, error.what)
        return None
    return replace(plan, requests=tuple(requests))


def _plan(engine: Engine, order: AnyOrder, clip_count: int, offer: Offer) -> Plan:
    wishes = replace(
        order.wishes,
        has_image=order.image is not None,
        has_end_image=order.end_image is not None,
        picture=None if order.image is None else _size_of(order.image),
    )
    with packages_named():
        translation = translate(
            offer.entry,
            wishes,
            catalogue=shipped_catalogue(),
            is_strict=engine.settings.schema_strict and offer.is_described,
        )
    plan = Plan(order, offer, translation, clip_count, wishes)
    for use in translation.media:
        picture = plan.picture(use, 0)
        if picture is not None:
            size_within(_size_of(picture), picture_limits(offer.entry, use.field), use.widget)
    _check_memory(plan)
    return plan


def _clip_count(order: AnyOrder) -> int:
    with packages_named():
        from ..media.picture import check_batch  # noqa: PLC0415 - OpenCV and Pillow are loaded when a node runs

    check_counts(order.max_clips, order.frames)
    clip_count = 1 if order.image is None else check_batch(order.image, max_clips=order.max_clips)
    if order.end_image is not None:
        end_count = check_batch(order.end_image, max_clips=MAX_CLIPS, name="end_image")
        if end_count not in (1, clip_count):
            raise InvalidInputError(
                f"'end_image' holds {end_count} pictures, but {clip_count} clip{'s are' if clip_count > 1 else ' is'} to be "
                "made.",
                remedy="Connect one last picture for all clips, or one for each.",
            )
    return clip_count


def _check_memory(plan: Plan) -> None:
    one, frames = plan.translation, plan.order.frames
    length_s = _rehearsed_s(one) if plan.order.rehearse else one.longest_s
    if frames.decode_frames:
        check_memory(one.size, length_s, one.fps, frames, plan.clip_count)


def _task(engine: Engine, plan: Plan, number: int, permission: Permission) -> Task[Clip]:
    if plan.order.rehearse:
        return lambda run: _deliver_rehearsal(engine, plan, number, run)
    return lambda run: deliver(
        engine,
        plan.requests[number] if plan.requests else _request(engine, plan, number),
        plan.order.frames,
        run,
        permission,
        preflight=_preflight(engine, plan),
        notes=plan.notes,
    )


def _request(engine: Engine, plan: Plan, number: int) -> CatalogueRequest:
    pictures = tuple(_sent(plan, use, number) for use in plan.translation.media)
    request = CatalogueRequest(
        plan.offer.entry,
        plan.translation,
        pictures,
        plan.order.wishes.seed,
        plan.offer.source,
        is_strict=engine.settings.schema_strict,
    )
    return with_earlier(request, plan.wishes, plan.offer.earlier)


def _sent(plan: Plan, use: MediaUse, number: int) -> RequestPicture:
    picture = plan.picture(use, number)
    if picture is None:
        return Picture.from_url(use.address or "")
    return fit_to_limits(picture, picture_limits(plan.offer.entry, use.field), use.widget)


def _preflight(engine: Engine, plan: Plan) -> Callable[[], None]:
    def check() -> None:
        if plan.offer.refusal is not None:
            raise plan.offer.refusal
        one = plan.translation
        pixels = one.size.width * one.size.height * one.longest_s * one.fps
        engine.check_can_record()
        check_folder(engine.settings.output_dir, round(plan.clip_count * pixels * FILE_BYTES_PER_PIXEL))

    return check


def _deliver_rehearsal(engine: Engine, plan: Plan, number: int, run: Run) -> Clip:
    one = plan.translation
    scene = Scene(size=one.size, fit="crop", seconds=max(1, round(_rehearsed_s(one))), fps=max(1, round(one.fps)))
    first = next((picture for use in one.media if (picture := plan.picture(use, number)) is not None), None)
    return deliver_rehearsal(*stand_in(scene, first, engine.settings.output_dir, run), plan.order.frames, run)


def _rehearsed_s(one: Translation) -> float:
    return min(REHEARSED_S, one.longest_s) if one.length_s is None else one.length_s


def _size_of(picture: torch.Tensor) -> Size:
    """Of a picture [H, W, C] or a batch [B, H, W, C]."""
    return Size(int(picture.shape[-2]), int(picture.shape[-3]))
