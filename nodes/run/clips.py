"""One run of a node: what it asks for becomes work in threads, and a clip on disk what the graph gets."""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .. import host
from ..errors import NOTHING_SENT, RunComfyError, VideoDecodeError
from ..packages import packages_named
from ..runcomfy.files import give_name, remove_stale
from ..runcomfy.jobs import REHEARSAL, Job, JobState
from ..runcomfy.progress import Decoding, Finished, FromJournal, Progress, Rehearsing, Report, StopSignal
from ..runcomfy.sentences import about, charge_sentence
from ..runcomfy.settings import Settings
from .batch import batch_error
from .display import describe, endings_shown
from .inputs import FrameChoice, Order, check_folder, checked, pictures_of, request_for
from .threads import Run, Task, attend

if TYPE_CHECKING:
    import torch

    from ..media.decode import DecodedClip
    from ..runcomfy.actions import Finding
    from .services import Services


logger = logging.getLogger("runcomfy.sora2pro.clips")

NO_FRAMES = "The frames of this clip were not decoded: 'decode_frames' is off. Use the 'video' output, or turn it on."
GET_AGAIN = (
    "Use the 'video' output, which has the file, or open {path}. If it does not play either, delete it and download it again, "
    "free of charge, with 'collect' in Sora2ProStatus or in the Sora 2 Pro tab."
)


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


def decode_clip(
    services: Services, path: Path, request_id: str, choice: FrameChoice, stop: StopSignal, report: Report
) -> Clip:
    """A file as what the graph gets.

    Raises:
        VideoDecodeError: The file cannot be decoded.
        NotEnoughRoomError: Its frames do not fit into memory.
    """
    decoded = _decode(services, path, choice, stop, report)
    for note in decoded.notes:
        logger.warning("%s: %s", path.name, note)
    frames = decoded.frames if choice.decode_frames else host.blocked(NO_FRAMES)
    return Clip(frames, decoded.audio, decoded.fps, host.video(path), request_id, path, decoded.notes)


def undecodable_clip(
    services: Services, error: VideoDecodeError, request_id: str, choice: FrameChoice, stop: StopSignal, report: Report
) -> Clip:
    """What there is of a bought clip whose frames cannot be made: the file, and its sound where that can be read.

    Args:
        services: The services of the run.
        error: Why it was refused, with the ids of its job.
        request_id: RunComfy's id.
        choice: Which frames were asked for.
        stop: Ends the run.
        report: Told of every step.

    Raises:
        VideoDecodeError: The file itself cannot be read, so that there is nothing to deliver.
    """
    if not _is_readable(error.path):
        raise error
    error.remedy = GET_AGAIN.format(path=error.path)
    missing = host.blocked(str(error))
    audio, fps, names = missing, missing, "'frames' and 'audio' are"
    if choice.decode_frames:
        try:
            sound = _decode(services, error.path, FrameChoice(decode_frames=False), stop, report)
        except VideoDecodeError as also:
            logger.info("The sound of %s cannot be read either: %s", error.path.name, also.what)
        else:
            audio, fps, names = sound.audio, sound.fps / choice.select_every_nth, "'frames' is"
    note = f"{error.what} {names} blocked; 'video' has the file, which is paid for and safe at {error.path}."
    logger.warning("%s", note)
    return Clip(missing, audio, fps, host.video(error.path), request_id, error.path, (note,))


def _decode(services: Services, path: Path, choice: FrameChoice, stop: StopSignal, report: Report) -> DecodedClip:
    from ..media.decode import decode  # noqa: PLC0415 - PyAV is loaded when a node runs

    with services.decoding.held(stop, lambda: None):
        return decode(
            path,
            select_every_nth=choice.select_every_nth,
            frame_load_cap=choice.frame_load_cap,
            with_frames=choice.decode_frames,
            progress=lambda done, total: report(Decoding(done, total)),
            checkpoint=stop.check,
        )


def _is_readable(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


Result = TypeVar("Result")

RENDERING = ".rehearsal-"  # stands before the name of a folder in which a rehearsal is being made
RENDERING_AT_MOST_S = 3600.0


async def generate(order: Order) -> list[Clip]:
    """One clip for each picture of an order.

    Raises:
        RunComfyError: The message says what happened, what it means for the money, and what to do.
        BaseException: ComfyUI's interruption.
    """
    with endings_shown():
        services = _services()
        sound = checked(order, services.settings)
        runs = await attend([_task(services, sound, picture) for picture in pictures_of(sound)])
        return _results(runs)


async def act(name: str, action: str) -> tuple[Finding, Clip | None]:
    """Do something with a job that is there already; nothing here can spend.

    Args:
        name: A request id, a job such as `job-7`, or blank for the newest job.
        action: check, collect, cancel, adopt or release.

    Returns:
        What came of it, and the clip if it is on this disk.

    Raises:
        RunComfyError: The message says what happened, what it means for the money, and what to do.
        BaseException: ComfyUI's interruption.
    """

    def task(stop: StopSignal, report: Report) -> tuple[Finding, Clip | None]:
        services = _services()
        if action == "collect":
            finding = services.actions.collect(name, stop=stop, report=report)
        else:
            finding = services.actions.at_once(action, name)
        job, clip = finding.job, None
        if job.has_whole_file:
            clip = _clip_of(services, job, FrameChoice(), stop, report)
            finding = replace(finding, report=" ".join((finding.report, *clip.notes)))
        report(Finished(job.request_id or "", f"{job.name} is {job.state.value}.", finding.report))
        return finding, clip

    with endings_shown():
        (run,) = await attend([task])
        return _results([run])[0]


def _services() -> Services:
    with packages_named():
        from .services import current_services  # noqa: PLC0415 - requests, sqlite3 and PyAV are loaded when a node runs

        return current_services()


def _task(services: Services, order: Order, picture: torch.Tensor | None) -> Task[Clip]:
    def task(stop: StopSignal, report: Report) -> Clip:
        if order.rehearse:
            path, request_id = _rehearsal(order, picture, services.settings, stop, report)
            try:
                clip = decode_clip(services, path, request_id, order.frames, stop, report)
            except VideoDecodeError as error:
                error.money, error.remedy = NOTHING_SENT, f"Delete {path} and run the node again."
                raise
            report(Finished(request_id, "Rehearsal: a free stand-in clip. Nothing was sent or charged."))
            return clip
        is_known = False

        def relay(progress: Progress) -> None:
            nonlocal is_known
            is_known = is_known or isinstance(progress, FromJournal)
            report(progress)

        request = request_for(order, picture, services.settings)
        job = services.generation.run(
            request, stop=stop, report=relay, preflight=lambda: _check_before_spending(services)
        )
        clip = _clip_of(services, job, order.frames, stop, report)
        charge = describe(FromJournal(clip.request_id), 0.0) if is_known else charge_sentence(job)
        report(Finished(clip.request_id, " ".join((*clip.notes, charge))))
        return clip

    return task


def _check_before_spending(services: Services) -> None:
    """Is there a place for the record, and one for the clip?"""
    services.journal.check_writable()
    check_folder(services.settings.output_dir)


def _rehearsal(
    order: Order, picture: torch.Tensor | None, settings: Settings, stop: StopSignal, report: Report
) -> tuple[Path, str]:
    """A free stand-in clip, kept by its content; the journal knows nothing of it."""
    import numpy as np  # noqa: PLC0415 - like all that is heavy, it is loaded when a node runs

    from ..media.picture import fit  # noqa: PLC0415 - as above
    from ..media.rehearsal import render  # noqa: PLC0415 - as above

    model = settings.model
    size = model.frame_size(order.inputs)
    seconds = round(model.length_s(order.inputs))
    # A hosted picture is not fetched for a rehearsal.
    grey = np.full((size.height, size.width, 3), 110, dtype=np.uint8)
    pixels = grey if picture is None else fit(picture, size, order.fit)
    digest = hashlib.sha256(pixels.tobytes() + f"{size} {seconds}".encode()).hexdigest()[:16]
    folder = settings.output_dir / "rehearsal"
    path = folder / f"{REHEARSAL}{digest}.mp4"
    remove_stale(folder.glob(f"{RENDERING}*"), now_s=time.time(), after_s=RENDERING_AT_MOST_S)
    if not path.exists():
        check_folder(folder)
        with tempfile.TemporaryDirectory(dir=folder, prefix=RENDERING) as temporary:
            part = Path(temporary) / path.name
            render(
                pixels,
                part,
                seconds=seconds,
                fps=model.assumed_fps,
                checkpoint=stop.check,
                progress=lambda done, total: report(Rehearsing(done, total)),
            )
            give_name(part, path)
    return path, path.stem


def _clip_of(services: Services, job: Job, choice: FrameChoice, stop: StopSignal, report: Report) -> Clip:
    """The clip of a job, as far as it can be read: whoever paid for it gets at least the file.

    Raises:
        RunComfyError: There is nothing to deliver, or no memory for it; the message names the job.
    """
    path, request_id = _file_of(job), job.request_id or ""
    try:
        return decode_clip(services, path, request_id, choice, stop, report)
    except VideoDecodeError as error:
        about(error, job)
        return undecodable_clip(services, error, request_id, choice, stop, report)
    except RunComfyError as error:
        raise about(error, job) from error.__cause__


def _file_of(job: Job) -> Path:
    if job.state is not JobState.DOWNLOADED or job.path is None:
        raise AssertionError(f"{job.name} has no file")
    return job.path


def _results(runs: Sequence[Run[Result]]) -> list[Result]:
    """What all runs brought, or the error that stands for those that failed."""
    errors = {number: run.error for number, run in enumerate(runs, start=1) if run.error is not None}
    if not errors:
        return [run.result for run in runs if run.result is not None]
    for error in errors.values():
        if len(runs) == 1 or not isinstance(error, RunComfyError):
            raise error
    raise batch_error({number: e for number, e in errors.items() if isinstance(e, RunComfyError)}, len(runs))
