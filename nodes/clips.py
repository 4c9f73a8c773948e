"""A clip on disk becomes what the graph gets; where it cannot be decoded, what there is of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import host
from .errors import VideoDecodeError
from .orders import FrameChoice
from .runcomfy.progress import Decoding, Report
from .runcomfy.stopping import StopSignal

if TYPE_CHECKING:
    from .media.decode import DecodedClip
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
    from .media.decode import decode  # noqa: PLC0415 - PyAV is loaded when a node runs

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
