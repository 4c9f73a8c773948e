"""The pictures of a clip, into one block of memory, made once and of exactly the right size."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from ..errors import NotEnoughRoomError, VideoDecodeError
from .colour import write_rgb
from .container import KEPT, video_stream
from .memory import WAYS_OUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from av import VideoFrame
    from av.container import InputContainer
    from numpy.typing import NDArray

    from .timeline import Timeline

_CONVERTERS = 2
_MOST_WAITING = 6  # decoded pictures that wait for a converter: each holds memory


def read_frames(
    container: InputContainer,
    path: Path,
    timeline: Timeline,
    wanted: range,
    progress: Callable[[int, int], None],
    checkpoint: Callable[[], None],
) -> NDArray[np.float32]:
    """Return the wanted frames: [F, H, W, 3] float32, 0..1, upright.

    Frames that are not wanted are decoded where others refer to them, but not converted; after the last wanted one
    decoding ends.

    Args:
        container: The clip, at its beginning.
        path: The clip, for errors.
        timeline: When its frames are shown.
        wanted: Numbers of the frames to return.
        progress: Called with (frames done, frames wanted).
        checkpoint: Called per frame; what it raises ends the reading.

    Raises:
        VideoDecodeError: A frame is missing, broken or out of place.
        NotEnoughRoomError: The memory cannot be had.
    """
    block = _block(len(wanted), timeline)
    running: deque[Future[None]] = deque()
    with ThreadPoolExecutor(_CONVERTERS, "sora2pro-colour") as pool:
        pictures = _pictures(container, timeline, path, checkpoint)
        for place, picture in enumerate(_only(pictures, wanted)):
            running.append(pool.submit(write_upright, picture, block[place]))
            if len(running) > _MOST_WAITING:
                running.popleft().result()
                progress(place + 1 - len(running), len(wanted))
        while running:
            running.popleft().result()
            progress(len(wanted) - len(running), len(wanted))
    return block


def _only(pictures: Iterator[VideoFrame], wanted: range) -> Iterator[VideoFrame]:
    for number, picture in enumerate(pictures):
        if number in wanted:
            yield picture
        if number == wanted[-1]:
            return


def _pictures(
    container: InputContainer, timeline: Timeline, path: Path, checkpoint: Callable[[], None]
) -> Iterator[VideoFrame]:
    """Yield all frames in order, each held against the timeline."""
    stream = video_stream(container)
    stream.thread_type = "AUTO"
    number, kind = 0, None
    for packet in container.demux(stream):
        for frame in packet.decode():
            checkpoint()
            kind = kind or frame.format.name
            if frame.is_corrupt or number == len(timeline.starts) or frame.pts != timeline.starts[number]:
                raise VideoDecodeError(f"The clip is damaged: frame {number} is broken or missing.", path=path)
            if upright_size(frame) != (timeline.width, timeline.height) or frame.format.name != kind:
                raise VideoDecodeError(f"The clip is damaged: frame {number} has another size or format.", path=path)
            yield frame
            number += 1
    if number < len(timeline.starts):
        raise VideoDecodeError(
            f"The clip is damaged: only {number} of its {len(timeline.starts)} frames can be read.", path=path
        )


def _block(count: int, timeline: Timeline) -> NDArray[np.float32]:
    try:
        # numpy, not torch, makes the block: it asks Linux for huge pages, which halves the time to fill it.
        return np.empty((count, timeline.height, timeline.width, 3), np.float32)
    except MemoryError as error:
        raise NotEnoughRoomError("There is not enough memory for the frames.", money=KEPT, remedy=WAYS_OUT) from error


def upright_size(frame: VideoFrame) -> tuple[int, int]:
    """Return (width, height) of a decoded picture once it stands upright, in pixels."""
    return (frame.height, frame.width) if _quarter_turns(frame) % 2 else (frame.width, frame.height)


def write_upright(frame: VideoFrame, out: NDArray[np.float32]) -> None:
    """Write a decoded picture into `out`: [H, W, 3] float32, 0..1, of the upright size."""
    turns = _quarter_turns(frame)
    if turns == 0:
        write_rgb(frame, out)
        return
    picture = np.empty((frame.height, frame.width, 3), np.float32)
    write_rgb(frame, picture)
    out[:] = np.rot90(picture, turns)


def _quarter_turns(frame: VideoFrame) -> int:
    """Return how often the picture has to be turned left by 90 degrees to stand upright."""
    return round(frame.rotation / 90) % 4
