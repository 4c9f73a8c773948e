"""A clip on disk to what a ComfyUI graph works with: every frame once, in order, upright, in its true colours."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..errors import NotEnoughRoomError
from . import memory
from .container import KEPT, inspect, opened, rewind
from .frames import read_frames
from .sound import read_sound
from .timeline import read_timeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_log = logging.getLogger("runcomfy.sora2pro.media")


@dataclass(frozen=True, slots=True)
class DecodedClip:
    """A clip in memory.

    Attributes:
        frames: [F, H, W, 3] float32, 0..1, contiguous; None where none were wanted.
        audio: ComfyUI's AUDIO: {"waveform": float32 [1, C, T], "sample_rate": Hz}.
        fps: Rate of the frames delivered.
        frame_count: Frames delivered.
        width: Pixels.
        height: Pixels.
        notes: Sentences for the user about what was replaced or left out.
    """

    frames: torch.Tensor | None
    audio: dict[str, object]
    fps: float
    frame_count: int
    width: int
    height: int
    notes: tuple[str, ...] = ()


def decode(
    path: Path,
    *,
    select_every_nth: int = 1,
    frame_load_cap: int = 0,
    with_frames: bool = True,
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> DecodedClip:
    """Read a clip.

    Args:
        path: The clip.
        select_every_nth: Deliver the first of every n frames; fps falls accordingly.
        frame_load_cap: Deliver at most so many frames, and the sound of their time; 0 for all.
        with_frames: False delivers the sound only, all of it.
        progress: Called after every frame with (frames done, frames wanted).
        checkpoint: Called at least once per frame; what it raises ends the decoding.

    Raises:
        VideoDecodeError: The clip is damaged: a frame missing or broken is an error, never a short success.
        NotEnoughRoomError: The frames would not fit into memory.
    """
    look = checkpoint or (lambda: None)
    index = inspect(path)
    with opened(path) as container:
        timeline = read_timeline(container, index, path, look)
        if not timeline.is_steady:
            _log.info("%s has a variable frame rate: %.3f frames per second on average.", path.name, timeline.fps)
        wanted = range(0, len(timeline.starts), select_every_nth)
        end_s = None
        if with_frames and 0 < frame_load_cap < len(wanted):
            wanted = wanted[:frame_load_cap]
            end_s = timeline.end_s(wanted[-1] + select_every_nth - 1)
        frames = None
        if with_frames:
            _check_room(timeline.width, timeline.height, len(wanted), path)
            rewind(container)
            report = progress or (lambda _done, _all: None)
            frames = torch.from_numpy(read_frames(container, path, timeline, wanted, report, look))
        rewind(container)
        audio = read_sound(container, path, timeline, end_s, look)
    return DecodedClip(
        frames=frames,
        audio=audio,
        fps=float(timeline.fps / select_every_nth),
        frame_count=len(wanted),
        width=timeline.width,
        height=timeline.height,
    )


def _check_room(width: int, height: int, frame_count: int, path: Path) -> None:
    try:
        memory.check_room(memory.frames_bytes(width, height, frame_count), money=KEPT)
    except NotEnoughRoomError as error:
        error.remedy = f"{error.remedy} You find the clip at {path}."
        raise
