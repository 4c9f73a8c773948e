"""What a node asks for becomes work in threads, and what they bring becomes what the graph gets."""

from __future__ import annotations

import hashlib
import logging
import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import host
from .errors import ConfigurationError, InvalidInputError, NotEnoughRoomError, RunComfyError
from .packages import packages_named
from .progress_text import describe, listed
from .runcomfy.jobs import (
    GenerationRequest,
    InputReference,
    Job,
    JobState,
    charge_sentence,
    check_image_url,
    check_prompt,
)
from .runcomfy.models import AUTO_SIZE, Size
from .runcomfy.outcomes import about
from .runcomfy.progress import Decoding, Finished, FromJournal, Progress, Rehearsing, Report
from .runcomfy.settings import Settings
from .runcomfy.stopping import StopSignal
from .stage import endings_shown
from .worker import Run, Task, attend

if TYPE_CHECKING:
    import torch

    from .runcomfy.status_actions import Finding
    from .services import Services

Result = TypeVar("Result")
logger = logging.getLogger("runcomfy.sora2pro.runtime")

MIN_FREE_DISK_BYTES = 256 * 1024**2
MAX_CLIPS = 64
NO_FRAMES = "The frames of this clip were not decoded: 'decode_frames' is off. Use the 'video' output, or turn it on."


@dataclass(frozen=True, slots=True)
class Order:
    """The inputs of `Sora2ProImageToVideo`, as the node got them."""

    image: torch.Tensor | None
    prompt: str
    size: str
    seconds: int
    seed: int
    fit: str
    image_url: str
    max_clips: int
    decode_frames: bool
    select_every_nth: int
    frame_load_cap: int
    rehearse: bool


@dataclass(frozen=True, slots=True)
class Clip:
    """What the graph gets. `frames` is a float32 tensor [F, H, W, 3] or a blocked output; `audio` is ComfyUI's AUDIO."""

    frames: Any
    audio: Any
    fps: float
    video: Any
    request_id: str
    path: Path


async def generate(order: Order) -> list[Clip]:
    """One clip for each picture of an order.

    Raises:
        RunComfyError: The message says what happened, what it means for the money, and what to do.
        BaseException: ComfyUI's interruption.
    """
    with endings_shown():
        services = _services()
        checked = _checked(order, services.settings)
        runs = await attend([_task(services, checked, picture) for picture in _pictures(checked)])
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
        actions = services.actions
        if action == "collect":
            finding = actions.collect(name, stop=stop, report=report)
        elif action in ("check", "cancel", "adopt", "release"):
            finding = getattr(actions, action)(name)
        else:
            raise InvalidInputError(
                f"'{action}' is no action.", remedy="Choose check, collect, cancel, adopt or release."
            )
        job, clip = finding.job, None
        if job.has_whole_file:
            try:
                clip = decode_clip(services, _file_of(job), job.request_id or "", stop=stop, report=report)
            except RunComfyError as error:
                raise about(error, job) from error.__cause__
        report(Finished(job.request_id or "", finding.report))
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
            clip = _decoded(services, order, path, request_id, stop, report)
            report(Finished(request_id, "Rehearsal: a free stand-in clip. Nothing was sent or charged."))
            return clip
        is_known = False

        def relay(progress: Progress) -> None:
            nonlocal is_known
            is_known = is_known or isinstance(progress, FromJournal)
            report(progress)

        request = _request(order, picture, services.settings)
        job = services.generation.run(request, stop=stop, report=relay, preflight=lambda: _preflight(services))
        request_id = job.request_id or ""
        try:
            clip = _decoded(services, order, _file_of(job), request_id, stop, report)
        except RunComfyError as error:
            raise about(error, job) from error.__cause__
        report(Finished(request_id, describe(FromJournal(request_id), 0.0) if is_known else charge_sentence(job)))
        return clip

    return task


def _checked(order: Order, settings: Settings) -> Order:
    """The order with its size settled and memory for its frames at hand.

    Raises:
        RunComfyError: It cannot be carried out; nothing was sent.
    """
    with packages_named():
        from .media import memory  # noqa: PLC0415 - OpenCV and Pillow are loaded when a node runs, not when ComfyUI starts
        from .media.reference import check_batch, nearest_size  # noqa: PLC0415

    check_prompt(order.prompt, settings.model)
    image, image_url = order.image, order.image_url.strip()
    if image is not None and image_url:
        raise InvalidInputError("Both 'image' and 'image_url' are given.", remedy="Disconnect one or clear the other.")
    if image is None and not image_url:
        raise InvalidInputError("There is no picture.", remedy="Connect 'image', or give its address in 'image_url'.")
    if image_url:
        check_image_url(image_url)
    for name, value, minimum in (
        ("max_clips", order.max_clips, 1),
        ("select_every_nth", order.select_every_nth, 1),
        ("frame_load_cap", order.frame_load_cap, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise InvalidInputError(f"'{name}' is {value!r}.", remedy=f"Use a whole number from {minimum} up.")
    clip_count = 1 if image is None else check_batch(image, max_clips=order.max_clips)
    size = order.size
    if size == AUTO_SIZE:
        if image is None:
            raise InvalidInputError("'auto' needs the picture itself.", remedy="Choose a size to go with 'image_url'.")
        size = str(Size(*nearest_size(image, settings.model.sizes)))
    checked = replace(order, size=size, image_url=image_url)
    _request(checked, None, settings, InputReference("", "")).validated()
    if order.decode_frames:
        memory.check_room(clip_count * _frames_bytes(checked, settings))
    return checked


def _frames_bytes(order: Order, settings: Settings) -> int:
    """Memory for the frames of one clip, as far as it can be known before the clip is there."""
    from .media.memory import frames_bytes  # noqa: PLC0415

    size = Size.parse(order.size)
    frame_count = math.ceil(order.seconds * settings.model.assumed_fps / order.select_every_nth)
    if order.frame_load_cap:
        frame_count = min(frame_count, order.frame_load_cap)
    return frames_bytes(size.width, size.height, frame_count)


def _pictures(order: Order) -> list[torch.Tensor | None]:
    return [None] if order.image is None else list(order.image)


def _request(
    order: Order, picture: torch.Tensor | None, settings: Settings, reference: InputReference | None = None
) -> GenerationRequest:
    if reference is None:
        reference = InputReference.from_url(order.image_url) if picture is None else _encoded(order, picture)
    return GenerationRequest(
        model=settings.model,
        prompt=order.prompt,
        size=Size.parse(order.size),
        seconds=order.seconds,
        seed=order.seed,
        image=reference,
    )


def _encoded(order: Order, picture: torch.Tensor) -> InputReference:
    from .media.reference import fit_and_encode  # noqa: PLC0415

    encoded = fit_and_encode(picture, size=Size.parse(order.size), fit=order.fit)
    return InputReference(value=encoded.data_uri(), identity=encoded.pixels_sha256)


def _preflight(services: Services) -> None:
    """What must be in order before money is spent: the journal, the folder for the clip, room on the disk.

    Raises:
        ConfigurationError: It is not; nothing was sent.
    """
    services.journal.check_writable()
    _check_folder(services.settings.output_dir)


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        raise ConfigurationError(
            f"Clips cannot be written to {folder} ({error.strerror or error}).",
            remedy="Make room or set the folder's rights, or point RUNCOMFY_OUTPUT_DIR to another folder.",
        ) from error
    if free_bytes < MIN_FREE_DISK_BYTES:
        raise NotEnoughRoomError(
            f"Only {free_bytes / 1e6:.0f} MB are free on the disk of {folder}.",
            remedy="Make room, or point RUNCOMFY_OUTPUT_DIR to another disk.",
        )


def _rehearsal(
    order: Order, picture: torch.Tensor | None, settings: Settings, stop: StopSignal, report: Report
) -> tuple[Path, str]:
    """A free stand-in clip, kept by its content; the journal knows nothing of it."""
    import numpy as np  # noqa: PLC0415

    from .media.reference import fit  # noqa: PLC0415
    from .media.rehearsal import render  # noqa: PLC0415

    size = Size.parse(order.size)
    # A hosted picture is not fetched for a rehearsal.
    grey = np.full((size.height, size.width, 3), 110, dtype=np.uint8)
    pixels = grey if picture is None else fit(picture, size, order.fit)
    digest = hashlib.sha256(pixels.tobytes() + f"{size} {order.seconds}".encode()).hexdigest()[:16]
    folder = settings.output_dir / "rehearsal"
    path = folder / f"rehearsal-{digest}.mp4"
    if not path.exists():
        _check_folder(folder)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            part = Path(temporary) / path.name
            render(
                pixels,
                part,
                seconds=order.seconds,
                fps=settings.model.assumed_fps,
                checkpoint=stop.check,
                progress=lambda done, total: report(Rehearsing(done, total)),
            )
            part.replace(path)
    return path, f"rehearsal-{digest}"


def _decoded(services: Services, order: Order, path: Path, request_id: str, stop: StopSignal, report: Report) -> Clip:
    return decode_clip(
        services,
        path,
        request_id,
        stop=stop,
        report=report,
        with_frames=order.decode_frames,
        select_every_nth=order.select_every_nth,
        frame_load_cap=order.frame_load_cap,
    )


def decode_clip(
    services: Services,
    path: Path,
    request_id: str,
    *,
    stop: StopSignal,
    report: Report,
    with_frames: bool = True,
    select_every_nth: int = 1,
    frame_load_cap: int = 0,
) -> Clip:
    """A file as what the graph gets.

    Raises:
        VideoDecodeError: The file is damaged.
        NotEnoughRoomError: Its frames do not fit into memory.
    """
    from .media.decode import decode  # noqa: PLC0415

    with services.decoding.held(stop, lambda: None):
        decoded = decode(
            path,
            select_every_nth=select_every_nth,
            frame_load_cap=frame_load_cap,
            with_frames=with_frames,
            progress=lambda done, total: report(Decoding(done, total)),
            checkpoint=stop.check,
        )
    frames = decoded.frames if with_frames else host.blocked(NO_FRAMES)
    return Clip(frames, decoded.audio, decoded.fps, host.video(path), request_id, path)


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


def batch_error(errors: dict[int, RunComfyError], clip_count: int) -> RunComfyError:
    """The first error of a batch, told as one of many: what became of each clip and its money, and what another run buys.

    Args:
        errors: The number of a clip, from 1, and how it failed.
        clip_count: Clips of the batch.
    """
    number, first = next(iter(errors.items()))
    arrived = [n for n in range(1, clip_count + 1) if n not in errors]
    parts = [first.remedy]
    others: dict[str, list[int]] = {}
    for other, error in errors.items():
        if error is not first:
            logger.error("Clip %s of %s: %s", other, clip_count, error)
            others.setdefault(f"{error.what} {error.money}".strip(), []).append(other)
    parts += [f"{_clips(numbers)} failed too: {said}" for said, numbers in others.items()]
    if arrived:
        parts.append(
            f"{_clips(arrived)} arrived: another run does not buy {'it' if len(arrived) == 1 else 'them'} again."
        )
    first.what = f"Clip {number} of {clip_count}: {first.what}"
    first.remedy = " ".join(part for part in parts if part)
    return first


def _clips(numbers: Sequence[int]) -> str:
    return f"Clip{'' if len(numbers) == 1 else 's'} {listed(numbers)}"
