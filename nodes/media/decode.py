"""A clip on disk to what a ComfyUI graph works with: every frame once, in order, upright, in its true colours."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..errors import VideoDecodeError
from .colour import remarks
from .container import inspect, opened, rewound, video_stream
from .frames import read_frames, wanted_frames
from .sound import read_sound
from .timeline import check_readable, picture_track, read_timeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from av.container import InputContainer

    from .arriving import EarlyFrames
    from .mp4.index import Index
    from .timeline import Timeline

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
        notes: Sentences for the user: what could not be read, and what replaces it.
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
    early: EarlyFrames | None = None,
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> DecodedClip:
    """Read a clip.

    Args:
        path: The clip.
        select_every_nth: Deliver the first of every n frames; fps falls accordingly.
        frame_load_cap: Deliver at most this many frames, and the sound of their time; 0 for all.
        with_frames: False delivers the sound only, all of it.
        early: Frames that were made while the clip arrived; they are taken if they are the right ones, and let go.
        progress: Called after every frame with (frames done, frames wanted).
        checkpoint: Called at least once per frame; what it raises ends the decoding.

    Raises:
        VideoDecodeError: A frame that is wanted is missing or broken, which is never a short success; or it is not a
            clip. Trouble in the sound never withholds the frames, nor trouble in the frames the sound alone, nor a
            broken frame those that are wanted before it.
        NotEnoughRoomError: The frames would not fit into memory.
    """
    look = checkpoint or (lambda: None)
    index = inspect(path)
    with opened(path) as container:
        timeline = read_timeline(container, index, path, look)
        if with_frames:
            check_readable(container, index, path)
            for remark in _remarks(container, index, timeline):
                _log.info("%s: %s", path.name, remark)
        if not timeline.is_steady:
            _log.info("%s has a variable frame rate: %.3f frames per second on average.", path.name, timeline.fps)
        all_wanted = wanted_frames(len(timeline.starts), select_every_nth, 0)
        wanted = wanted_frames(len(timeline.starts), select_every_nth, frame_load_cap) if with_frames else all_wanted
        end_s = None if wanted == all_wanted else timeline.end_s(wanted[-1] + select_every_nth - 1)
        frames = None
        if with_frames:
            fault = timeline.frames_fault or (timeline.broken_frame if wanted[-1] >= timeline.intact_count else None)
            if fault:
                raise VideoDecodeError(fault, path=path)
            block = early and early.take(path, timeline, wanted)
            if block is None:
                report = progress or (lambda _done, _all: None)
                with rewound(container, path) as again:
                    block = read_frames(again, path, timeline, wanted, report, look)
            frames = torch.from_numpy(block)
        with rewound(container, path) as again:
            audio, notes = read_sound(again, index, timeline, end_s, look)
    for note in notes:
        _log.warning("%s: %s", path.name, note)
    height, width = (timeline.height, timeline.width) if frames is None else frames.shape[1:3]
    return DecodedClip(
        frames=frames,
        audio=audio,
        fps=float(timeline.fps / select_every_nth),
        frame_count=len(wanted),
        width=width,
        height=height,
        notes=notes,
    )


def _remarks(container: InputContainer, index: Index, timeline: Timeline) -> list[str]:
    """Return sentences on how the pictures differ from what a player may show: they are delivered as they are stored."""
    stream, track = video_stream(container), picture_track(container, index)
    codec = stream.codec_context
    said = remarks(int(codec.colorspace), int(codec.color_trc), int(codec.color_primaries))
    ratio = stream.sample_aspect_ratio
    if ratio and ratio != 1:
        said.append(
            f"Its pixels are not square ({ratio.numerator}:{ratio.denominator}), and are delivered as they are stored."
        )
    if track is not None and track.has_clean_aperture:
        said.append("A part of its picture is marked as the one to show (clap); the whole picture is delivered.")
    if timeline.orientation.odd_degrees:
        said.append(
            f"It is marked for rotation by {timeline.orientation.odd_degrees} degrees, but is delivered unrotated."
        )
    return said
