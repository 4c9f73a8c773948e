"""The frames of a clip, made while its file is still arriving, and used only if the file that came is the same."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

from ..errors import Stopped
from .container import MAX_EDGE, index_in_front, opened_arriving, pass_over_others, video_stream
from .frames import fill_block, only, wanted_frames
from .timeline import MAX_FRAMES, picture_track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from av import VideoFrame
    from av.container import InputContainer
    from numpy.typing import NDArray

    from .timeline import Timeline

_COMPARED_BYTES = 1024**2


class ArrivingFile(io.RawIOBase):
    """A file whose bytes are still to come: what is read waits for them. One thread adds them, another one reads.

    Args:
        total_bytes: Its length.
    """

    def __init__(self, total_bytes: int) -> None:
        super().__init__()
        self.total_bytes = total_bytes
        self._content = bytearray()
        self._place = 0
        self._is_given_up = False
        self._changed = threading.Condition()

    @property
    def is_whole(self) -> bool:
        """Whether all of it has arrived."""
        return len(self._content) == self.total_bytes

    def add(self, place: int, piece: bytes) -> None:
        """Add what arrived: the next bytes. Any others belong to a new beginning, which ends the reading."""
        if place != len(self._content) or place + len(piece) > self.total_bytes:
            self.give_up()
            return
        with self._changed:
            self._content += piece
            self._changed.notify_all()

    def give_up(self) -> None:
        """Let nobody wait for it any longer: reading raises `Stopped`."""
        with self._changed:
            self._is_given_up = True
            self._changed.notify_all()

    def is_at(self, path: Path) -> bool:
        """Return whether a file on this disk can be read and has exactly these bytes."""
        places = range(0, len(self._content), _COMPARED_BYTES)
        try:
            with path.open("rb") as file:
                is_same = all(file.read(_COMPARED_BYTES) == self._content[at : at + _COMPARED_BYTES] for at in places)
                return is_same and not file.read(1)
        except OSError:
            return False

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to another place; its bytes need not have arrived."""
        self._place = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.total_bytes}[whence] + offset
        return self._place

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than io's
        """Fill a buffer with what has arrived, of which there is at least a byte unless the file ends here.

        Raises:
            Stopped: The file was given up.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_given_up or len(self._content) > self._place or self._place >= self.total_bytes
            )
        if self._is_given_up:
            raise Stopped
        piece = self._content[self._place : self._place + len(buffer)]
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)


class EarlyFrames:
    """Frames that were decoded from bytes of which nothing was known yet.

    Args:
        frames: [F, H, W, 3] float32, 0..1.
        wanted: Their numbers in the clip.
        starts: When each decoded frame is shown, in the order in which they came.
        file: What they were made of.
    """

    def __init__(self, frames: NDArray[np.float32], wanted: range, starts: list[int], file: ArrivingFile) -> None:
        self._frames: NDArray[np.float32] | None = frames
        self._wanted = wanted
        self._starts = tuple(starts)
        self._file: ArrivingFile | None = file

    def take(self, path: Path, timeline: Timeline, wanted: range) -> NDArray[np.float32] | None:
        """Return the frames if they are those that are wanted of a clip on this disk; None if they are not.

        Either way they are no longer held here, so that there is room for others.
        """
        frames, file = self._frames, self._file
        self._frames = self._file = None
        is_right = self._wanted == wanted and self._starts == timeline.starts[: len(self._starts)]
        return frames if file is not None and is_right and file.is_at(path) else None


def decode_early(
    file: ArrivingFile,
    *,
    select_every_nth: int = 1,
    frame_load_cap: int = 0,
    progress: Callable[[int, int], None],
    checkpoint: Callable[[], None],
) -> EarlyFrames | None:
    """Decode the frames of a clip while it arrives.

    Args:
        file: The clip.
        select_every_nth: As of `decode`.
        frame_load_cap: As of `decode`.
        progress: As of `decode`.
        checkpoint: As of `decode`.

    Returns:
        The frames; None where the file has to be whole first: its index is behind its content, or in many parts.

    Raises:
        Exception: Of whatever kind: nothing about the file is certain. Once it is whole, `decode` says what is wrong with it.
    """
    index = index_in_front(file)
    if index is None:
        return None
    with opened_arriving(file) as container:
        track = picture_track(container, index)
        if track is None or track.is_encrypted or not 0 < track.sample_count <= MAX_FRAMES:
            return None
        wanted = wanted_frames(track.sample_count, select_every_nth, frame_load_cap)
        starts: list[int] = []
        pictures = only(_pictures(container, starts, checkpoint), wanted)
        frames = fill_block(pictures, wanted, track.sample_count, track.orientation, progress)
    return EarlyFrames(frames, wanted, starts, file) if len(starts) > wanted[-1] else None


def _pictures(container: InputContainer, starts: list[int], checkpoint: Callable[[], None]) -> Iterator[VideoFrame]:
    """Yield all frames in order, and note when each is shown. It ends before the first one that is not like the others."""
    stream = video_stream(container)
    stream.thread_type = "AUTO"
    pass_over_others(container, stream)
    first: tuple[int, int] | None = None
    for picture in container.decode(stream):
        checkpoint()
        size = (picture.width, picture.height)
        first = first or size
        if picture.is_corrupt or picture.pts is None or size != first or max(size) > MAX_EDGE:
            return
        starts.append(picture.pts)
        yield picture
