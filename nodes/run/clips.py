"""One run of a node: what it asks for becomes work in threads, and a clip on disk what the graph gets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .. import host
from ..errors import NOTHING_SENT, NotEnoughRoomError, RunComfyError, VideoDecodeError
from ..runcomfy import ClipRequest, Engine, Job, Run, charge_sentence, defaults_note, describe_outcome, with_job
from ..runcomfy.progress import Finished, FromJournal
from .batch import batch_error, missing, stops_always
from .current import current_engine
from .decoding import Decoder
from .display import Stage, describe, endings_shown
from .inputs import (
    FrameChoice,
    IfAClipFails,
    Order,
    check_folder,
    check_order,
    parse_action,
    parse_reference,
    pictures_of,
    request_for,
)
from .permission import Permission
from .rehearsals import rehearse
from .threads import Task, Work, attend

if TYPE_CHECKING:
    import torch

Result = TypeVar("Result")
logger = logging.getLogger("runcomfy.sora2pro.clips")

NO_FRAMES = "The frames of this clip were not decoded: 'decode_frames' is off. Use the 'video' output, or turn it on."
GET_AGAIN = (
    "Use the 'video' output, which has the file, or open {path}. If it does not play either, delete it and download it again, "
    "free of charge, with 'collect' in the RunComfy Request Status node or in the RunComfy clips tab."
)


@dataclass(slots=True)
class Shortfalls:
    """How many runs of this ComfyUI delivered fewer clips than they were asked for."""

    count: int = 0


SHORTFALLS = Shortfalls()


@dataclass(frozen=True, slots=True)
class Clip:
    """What the graph gets.

    Attributes:
        frames: A float32 tensor [F, H, W, 3], or a blocked output.
        audio: ComfyUI's AUDIO, or a blocked output.
        fps: A number, or a blocked output.
        notes: Sentences about what is missing or was replaced.
    """

    frames: Any
    audio: Any
    fps: Any
    video: Any
    request_id: str
    path: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What `Sora2ProStatus` gives: the job, its clip if it is on this disk, and what came of the action in words."""

    job: Job
    clip: Clip | None
    report: str


async def generate(order: Order) -> list[Clip]:
    """One clip for each picture of an order.

    Raises:
        RunComfyError: The message says what happened, what it means for the money, and what to do.
        BaseException: ComfyUI's interruption.
    """
    with endings_shown():
        engine = current_engine()
        if_a_clip_fails = IfAClipFails.parse(order.if_a_clip_fails)
        checked_order = check_order(order, engine.settings)
        permission = Permission.of_this_run()
        tasks = [_task(engine, checked_order, picture, permission) for picture in pictures_of(checked_order)]
        works = await attend(tasks)
        return results(works, if_a_clip_fails, order.shared_inputs)


async def act(action: str, reference: str) -> Answer:
    """Do something with a job that is there already; nothing here can spend.

    Args:
        action: What to do, as the node got it.
        reference: Which job is meant, as the node got it.

    Raises:
        RunComfyError: The message says what happened, what it means for the money, and what to do.
        BaseException: ComfyUI's interruption.
    """

    def task(run: Run) -> Answer:
        with Decoder(FrameChoice(), run) as decoder:
            outcome = current_engine().act(chosen, ref, decoder.run, request_id=request_id)
            job = outcome.job
            clip = _collected(job, decoder) if job.has_whole_file else None
        report = " ".join((describe_outcome(outcome), *(() if clip is None else clip.notes)))
        said = f"{job.name} is {job.state.value}."
        run.report(Finished(job.request_id or "", said, report, has_clip=clip is not None))
        return Answer(job, clip, report)

    with endings_shown():
        chosen = parse_action(action)
        ref, request_id = parse_reference(chosen, reference)
        (work,) = await attend([task])
        return results([work])[0]


def _task(engine: Engine, order: Order, picture: torch.Tensor | None, permission: Permission) -> Task[Clip]:
    return lambda run: (
        _deliver_rehearsal(engine, order, picture, run)
        if order.rehearse
        else _deliver(engine, order, picture, permission, run)
    )


def _deliver(engine: Engine, order: Order, picture: torch.Tensor | None, permission: Permission, run: Run) -> Clip:
    request = request_for(order, picture, engine.settings)
    return deliver(engine, request, order.frames, run, permission, preflight=lambda: _check_before_spending(engine))


def deliver(
    engine: Engine,
    request: ClipRequest,
    frames: FrameChoice,
    run: Run,
    permission: Permission,
    *,
    preflight: Callable[[], None],
    notes: Sequence[str] = (),
) -> Clip:
    """The clip of a request as what the graph gets.

    Args:
        engine: Buys it, unless it was bought before.
        request: What was asked for.
        frames: Which frames of it.
        run: Ends and watches it.
        permission: Whether it may buy.
        preflight: Further checks to make before money.
        notes: Sentences for the card; they may quote RunComfy.
    """

    def check() -> None:
        permission.check()
        preflight()

    with Decoder(frames, run) as decoder:
        purchase = engine.generate(request, decoder.run, preflight=check, confirm=permission.confirm(run))
        clip = _clip_of(purchase.job, decoder)
    notes = (*notes, *filter(None, [purchase.note, defaults_note(purchase.job, request)]))
    charge = charge_sentence(purchase.job) if purchase.is_new else describe(FromJournal(clip.request_id), 0.0)
    summary = " ".join((*clip.notes, charge))
    run.report(Finished(clip.request_id, summary, " ".join((*notes, summary)) if notes else ""))
    return clip


def _deliver_rehearsal(engine: Engine, order: Order, picture: torch.Tensor | None, run: Run) -> Clip:
    return deliver_rehearsal(*rehearse(order, picture, engine.settings, run), order.frames, run)


def deliver_rehearsal(path: Path, request_id: str, frames: FrameChoice, run: Run) -> Clip:
    """A stand-in as what the graph gets."""
    try:
        clip = _clip_at(path, request_id, Decoder(frames, run))
    except VideoDecodeError as error:
        remedy = f"Delete {path} and run the node again."
        raise error.told(money=NOTHING_SENT, remedy=remedy) from error.__cause__
    run.report(Finished(request_id, "Rehearsal: a free stand-in clip. Nothing was sent or charged."))
    return clip


def _check_before_spending(engine: Engine) -> None:
    """Is there a place for the record, and one for the clip?"""
    engine.check_can_record()
    check_folder(engine.settings.output_dir)


def _clip_at(path: Path, request_id: str, decoder: Decoder) -> Clip:
    """A file as what the graph gets.

    Raises:
        VideoDecodeError: The file cannot be decoded.
        NotEnoughRoomError: Its frames do not fit into memory.
    """
    decoded = decoder.decode(path)
    for note in decoded.notes:
        logger.warning("%s: %s", path.name, note)
    frames = decoded.frames if decoder.choice.decode_frames else host.blocked(NO_FRAMES)
    return Clip(frames, decoded.audio, decoded.fps, host.video(path), request_id, path, decoded.notes)


def _collected(job: Job, decoder: Decoder) -> Clip:
    """The whole clip, for a node that has no inputs to ask for less of it."""
    try:
        return _clip_of(job, decoder)
    except NotEnoughRoomError as error:
        raise error.told(
            remedy=f"Free memory, then run the node again. The clip is at {job.path}."
        ) from error.__cause__


def _clip_of(job: Job, decoder: Decoder) -> Clip:
    """The clip of a downloaded job, as far as it can be read: whoever paid for it gets at least the file.

    Raises:
        RunComfyError: There is nothing to deliver, or no memory for it; the message names the job.
    """
    if job.path is None:
        raise AssertionError(f"{job.name} has no file")
    try:
        return _clip_at(job.path, job.request_id or "", decoder)
    except VideoDecodeError as error:
        if not _is_readable(job.path):
            raise with_job(error, job) from error.__cause__
        told = with_job(error.told(remedy=GET_AGAIN.format(path=job.path)), job)
        return _undecodable(told, job.path, job.request_id or "", decoder)
    except RunComfyError as error:
        raise with_job(error, job) from error.__cause__


def _undecodable(error: RunComfyError, path: Path, request_id: str, decoder: Decoder) -> Clip:
    """What there is of a bought clip whose frames cannot be made: the file, and its sound where that can be read."""
    missing = host.blocked(str(error))
    audio, fps = missing, missing
    blocked = "'frames' and 'audio' are blocked"
    if decoder.choice.decode_frames:
        try:
            sound = decoder.decode_sound(path)
        except VideoDecodeError as also:
            logger.info("The sound of %s cannot be read either: %s", path.name, also.what)
        else:
            audio, fps = sound.audio, sound.fps / decoder.choice.select_every_nth
            blocked = "'frames' is blocked"
    note = f"{error.what} {blocked}; 'video' has the file, which is paid for and safe at {path}."
    logger.warning("%s", note)
    return Clip(missing, audio, fps, host.video(path), request_id, path, (note,))


def _is_readable(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def results(
    works: Sequence[Work[Result]],
    if_a_clip_fails: IfAClipFails = IfAClipFails.STOP,
    shared_inputs: Sequence[str] = (),
) -> list[Result]:
    """What the works brought: of all of them, or where that is wished of those that went well.

    Args:
        works: What was done, one for each clip.
        if_a_clip_fails: What the user wishes where some failed.
        shared_inputs: The inputs of the node that make every clip of a batch another purchase.

    Raises:
        BaseException: The error that stands for those that failed.
    """
    errors: dict[int, RunComfyError] = {}
    for number, work in enumerate(works, start=1):
        if isinstance(work.error, RunComfyError) and len(works) > 1:
            errors[number] = work.error
        elif work.error is not None:
            raise work.error
    arrived = [work.result for work in works if work.result is not None]
    if not errors:
        return arrived
    if not arrived or if_a_clip_fails is IfAClipFails.STOP or stops_always(errors.values()):
        raise batch_error(errors, len(works), shared_inputs)
    said = missing(errors, len(works), shared_inputs)
    logger.warning("%s", said)
    Stage().end("done", said)
    SHORTFALLS.count += 1
    return arrived
