"""Opens a clip as what it is: data from outside, of which nothing is believed."""

from __future__ import annotations

import contextlib
import stat
from typing import TYPE_CHECKING, Any

from ..errors import VideoDecodeError
from .boxes import Box, BoxError, walk
from .index import Index, check_index, read_index
from .pyav import av

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.stream import VideoStream

KEPT = VideoDecodeError.money
MAX_EDGE = 8192
_CONTENT = {"mdat", "moof"}
_BEFORE_ALL = -(2**40)  # microseconds; the first packets may have times below zero
# A title that is no UTF-8 is no damage. PyAV 19 forgives it by itself, and does not know the argument.
_TOLERANT: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}  # noqa: PLR2004 - see above


def inspect(path: Path) -> Index:
    """Read the index of a whole MP4 or QuickTime file, without FFmpeg.

    Raises:
        VideoDecodeError: It is missing, cut off, something else, or contradicts itself.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise VideoDecodeError("The clip is no ordinary file.", path=path)
        with path.open("rb") as file:
            index = read_index(file, _moov(list(walk(file, 0, status.st_size))))
            check_index(index)
    except OSError as error:
        raise VideoDecodeError(f"The clip cannot be read: {error.strerror or error}.", path=path, money="") from error
    except BoxError as error:
        raise VideoDecodeError(f"The file is not a whole MP4 clip: {error}.", path=path) from error
    return index


def _moov(boxes: list[Box]) -> Box:
    index = [box for box in boxes if box.kind == "moov"]
    if len(index) != 1 or all(box.kind not in _CONTENT for box in boxes):
        raise BoxError("its index or its content is missing")
    return index[0]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open an MP4 or QuickTime file for reading; what PyAV raises inside becomes ours.

    Raises:
        VideoDecodeError: It is missing, something else, without pictures, or broken.
    """
    try:
        # The demuxer is named: a playlist that pretends to be a clip could make FFmpeg open other files.
        with av.open(str(path), format="mp4", **_TOLERANT) as container:
            _check_pictures(container, path)
            yield container
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise VideoDecodeError(f"The clip is damaged: {reason}.", path=path) from error


def rewind(container: InputContainer) -> None:
    """Go back to the first packet: to open a file costs FFmpeg more than to read its packets again."""
    container.seek(_BEFORE_ALL)


def video_stream(container: InputContainer) -> VideoStream:
    """Return the stream with the pictures; `opened` has made sure that there is one."""
    return container.streams.video[0]


def _check_pictures(container: InputContainer, path: Path) -> None:
    if not container.streams.video:
        raise VideoDecodeError("The clip has no picture track.", path=path)
    codec = video_stream(container).codec_context
    if codec is None:
        raise VideoDecodeError("The pictures of the clip are in a format that PyAV does not know.", path=path)
    if not (0 < codec.width <= MAX_EDGE and 0 < codec.height <= MAX_EDGE):
        raise VideoDecodeError(f"The clip claims a size of {codec.width} x {codec.height} pixels.", path=path)
