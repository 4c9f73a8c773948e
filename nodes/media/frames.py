"""The pictures of a clip, into one block of memory, made once and of exactly the right size."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..errors import NotEnoughRoomError, VideoDecodeError
from .colour import write_rgb
from .container import KEPT, MAX_EDGE, opened, pass_over_others, video_stream
from .memory import WAYS_OUT, WantedFrames, check_room
from .pyav import av

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path
    from typing import Literal

    from av import VideoFrame
    from av.container import InputContainer
    from numpy.typing import NDArray

    from .orientation import Orientation
    from .timeline import Timeline

_log = logging.getLogger("runcomfy.sora2pro.media")

_CONVERTERS = 2
_MOST_WAITING = 6  # decoded pictures that wait for a converter: each holds memory


def wanted_frames(count: int, select_every_nth: int, frame_load_cap: int) -> range:
    """Return the numbers of the frames to deliver of a clip of `count`; see `decode`."""
    wanted = range(0, count, select_every_nth)
    return wanted[:frame_load_cap] if frame_load_cap > 0 else wanted


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
        NotEnoughRoomError: They do not fit into memory.
    """
    pictures = _pictures(container, timeline, path, checkpoint, threads="AUTO")
    try:
        return fill_block(only(pictures, wanted), wanted, len(timeline.starts), timeline.orientation, progress)
    except NotEnoughRoomError as error:
        raise error.told(remedy=f"{error.remedy} The clip is at {path}.") from error.__cause__
    except VideoDecodeError:
        # Which frame is broken is only certain if they are decoded one after the other.
        with opened(path) as again:
            for _ in only(_pictures(again, timeline, path, checkpoint, threads="NONE"), wanted):
                pass
        raise


def fill_block(
    pictures: Iterable[VideoFrame],
    wanted: range,
    all_frames: int,
    orientation: Orientation,
    progress: Callable[[int, int], None],
) -> NDArray[np.float32]:
    """Convert decoded pictures, in threads, into one block: [F, H, W, 3] float32, 0..1, upright.

    Args:
        pictures: Those that are wanted. Where there are fewer, the rest of the block holds anything.
        wanted: Their numbers in the clip.
        all_frames: How many the clip has, for what an error recommends.
        orientation: How they become upright.
        progress: Called with (frames done, frames wanted).

    Raises:
        NotEnoughRoomError: They do not fit into memory.
    """
    block = np.empty((0, 0, 0, 3), np.float32)
    running: deque[Future[None]] = deque()
    with ThreadPoolExecutor(_CONVERTERS, "sora2pro-colour") as pool:
        for place, picture in enumerate(pictures):
            if place == 0:
                # The size that the clip states may be another one: that of its first frame counts.
                block = _block(wanted, all_frames, orientation.size(picture.width, picture.height))
            running.append(pool.submit(write_upright, picture, orientation, block[place]))
            if len(running) > _MOST_WAITING:
                running.popleft().result()
                progress(place + 1 - len(running), len(wanted))
        while running:
            running.popleft().result()
            progress(len(wanted) - len(running), len(wanted))
    return block


def only(pictures: Iterable[VideoFrame], wanted: range) -> Iterator[VideoFrame]:
    """Yield the pictures whose numbers are wanted, and look at none behind the last of them."""
    for number, picture in enumerate(pictures):
        if number in wanted:
            yield picture
        if number == wanted[-1]:
            return


def _pictures(
    container: InputContainer,
    timeline: Timeline,
    path: Path,
    checkpoint: Callable[[], None],
    *,
    threads: Literal["AUTO", "NONE"],
) -> Iterator[VideoFrame]:
    """Yield all frames in order, and check each against the timeline.

    A packet that cannot be decoded is skipped: the next frame shows which one is missing.
    """
    stream = video_stream(container)
    stream.thread_type = threads
    number, count, failed = 0, len(timeline.starts), False
    first: tuple[int, int] | None = None
    pass_over_others(container, stream)
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            checkpoint()
            failed = True
            continue
        for frame in frames:
            checkpoint()
            if frame.is_corrupt or number == count or frame.pts != timeline.starts[number]:
                raise VideoDecodeError(f"Frame {min(number + 1, count)} of {count} is broken.", path=path)
            size = (frame.width, frame.height)
            first = first or size
            if max(size) > MAX_EDGE:
                raise VideoDecodeError(
                    f"Frame {number + 1} of {count} claims a size of {size[0]} x {size[1]} pixels.", path=path
                )
            if size != first:
                _log.info("Frame %d of %s has another size and is scaled.", number + 1, path.name)
            yield frame
            number += 1
    if number < count or failed:
        raise VideoDecodeError(f"Frame {min(number + 1, count)} of {count} is broken.", path=path)


def _block(wanted: range, all_frames: int, size: tuple[int, int]) -> NDArray[np.float32]:
    width, height = size
    frames = WantedFrames(width, height, all_frames, wanted.step, len(wanted))
    check_room(frames.needed_bytes, money=KEPT, remedy=frames.ways_out)
    try:
        # numpy, not torch, makes the block: it asks Linux for huge pages, which halves the time to fill it.
        return np.empty((len(wanted), height, width, 3), np.float32)
    except MemoryError as error:
        raise NotEnoughRoomError("There is not enough memory for the frames.", money=KEPT, remedy=WAYS_OUT) from error


def write_upright(frame: VideoFrame, orientation: Orientation, out: NDArray[np.float32]) -> None:
    """Write a decoded picture into `out`: [H, W, 3] float32, 0..1, of the upright size, to which it is scaled."""
    if orientation.size(frame.width, frame.height) == (out.shape[1], out.shape[0]) and not orientation.is_changing:
        write_rgb(frame, out)
        return
    picture = np.empty((frame.height, frame.width, 3), np.float32)
    write_rgb(frame, picture)
    upright = orientation.shown(picture)
    if upright.shape != out.shape:
        size = (out.shape[1], out.shape[0])
        scaled = cv2.resize(np.ascontiguousarray(upright), size, interpolation=cv2.INTER_CUBIC)
        upright = np.clip(scaled, 0, 1)
    out[:] = upright
