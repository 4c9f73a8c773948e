"""Opens a clip as what it is: data from outside, of which nothing is believed."""

from __future__ import annotations

import contextlib
import stat
from typing import TYPE_CHECKING

from ..errors import VideoDecodeError
from .boxes import BoxError, walk
from .pyav import av

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.stream import VideoStream

KEPT = VideoDecodeError.money
MAX_EDGE = 8192
MAX_STREAMS = 32
_INDEX, _CONTENT = {"moov"}, {"mdat", "moof"}


@contextlib.contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a whole MP4 or QuickTime file for reading; whatever PyAV raises inside becomes ours.

    Raises:
        VideoDecodeError: It is missing, cut off, something else, or broken.
    """
    _check_boxes(path)
    try:
        # The demuxer is named: a playlist that pretends to be a clip could make FFmpeg open other files.
        with av.open(str(path), format="mp4", metadata_errors="ignore") as container:
            _check_streams(container, path)
            yield container
    except (av.FFmpegError, ValueError) as error:
        raise VideoDecodeError(f"The clip is damaged: {_reason(error)}.", path=path) from error


def video_stream(container: InputContainer) -> VideoStream:
    """Return the stream with the pictures; `opened` has made sure that there is one."""
    return container.streams.video[0]


def _check_boxes(path: Path) -> None:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise VideoDecodeError("The clip is no ordinary file.", path=path)
        with path.open("rb") as file:
            kinds = {box.kind for box in walk(file, 0, status.st_size)}
    except OSError as error:
        raise VideoDecodeError(f"The clip cannot be read: {error.strerror or error}.", path=path, money="") from error
    except BoxError as error:
        raise VideoDecodeError(f"The file is not a whole MP4 clip: {error}.", path=path) from error
    if not kinds & _INDEX or not kinds & _CONTENT:
        raise VideoDecodeError("The file is not a whole MP4 clip: its index or its content is missing.", path=path)


def _check_streams(container: InputContainer, path: Path) -> None:
    if len(container.streams) > MAX_STREAMS:
        raise VideoDecodeError(f"The clip has {len(container.streams)} tracks, which no real clip has.", path=path)
    if not container.streams.video:
        raise VideoDecodeError("The clip has no picture track.", path=path)
    codec = video_stream(container).codec_context
    if not (0 < codec.width <= MAX_EDGE and 0 < codec.height <= MAX_EDGE):
        raise VideoDecodeError(f"The clip claims a size of {codec.width} x {codec.height} pixels.", path=path)


def _reason(error: Exception) -> str:
    """Return FFmpeg's words without the address of the file, which the error names anyway."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
