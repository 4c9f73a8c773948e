"""Opens a clip. It is data from outside: nothing in it is trusted."""

from __future__ import annotations

import contextlib
import io
import stat
import struct
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import VideoDecodeError
from . import matroska
from .mp4.boxes import BoxError, walk_file
from .mp4.index import PICTURES, Index, movie_extends, read_index
from .mp4.samples import read_fragments
from .pyav import Discard, Disposition, av

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

KEPT = VideoDecodeError.money
MAX_EDGE = 8192
_CONTENT = {"mdat", "moof"}
_UNALIGNED = 1  # AV_CODEC_FLAG_UNALIGNED
_BEFORE_ALL = -(2**40)  # microseconds; the first packets may have times below zero
# A title that is not UTF-8 is not damage. PyAV 19 ignores it by default, and does not know the argument.
_TOLERANT: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}  # noqa: PLR2004 - see above


def inspect(path: Path) -> Index:
    """Read what a clip (MP4, QuickTime, WebM, Matroska) says of itself, without FFmpeg.

    Raises:
        VideoDecodeError: It is missing, cut off, or something else.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise VideoDecodeError("The clip is not a regular file.", path=path)
        with path.open("rb") as file:
            is_matroska = file.read(len(matroska.MAGIC)) == matroska.MAGIC
            return matroska.read_elements(file, status.st_size) if is_matroska else _index(file, status.st_size)
    except OSError as error:
        raise VideoDecodeError(f"The clip cannot be read: {error.strerror or error}.", path=path, money="") from error
    except (BoxError, matroska.ElementError) as error:
        raise VideoDecodeError(f"The file is not a whole clip: {error}.", path=path) from error


def _index(file: BinaryIO, size: int) -> Index:
    boxes = list(walk_file(file, size))
    moov = next((box for box in boxes if box.kind == "moov"), None)
    if moov is None or all(box.kind not in _CONTENT for box in boxes):
        raise BoxError("its index or its content is missing")
    if moov.missing:
        raise BoxError(f"it is cut off: its index should go on for {moov.missing} more bytes")
    extends = movie_extends(file, moov)
    try:
        fragments = None if extends is None else read_fragments(file, boxes, extends, size)
    except (struct.error, IndexError) as error:
        raise BoxError("one of its parts is damaged") from error
    index = read_index(file, moov, fragments)
    end = max((track.data_end for track in index.tracks), default=0)
    if end > size and any(box.missing for box in boxes):
        raise BoxError(f"it is cut off: {end - size} more bytes should follow")
    pictures = [track for track in index.tracks if track.kind == PICTURES]
    if pictures and pictures[0].data_end > size:
        raise BoxError(f"{pictures[0].data_end - size} bytes of its pictures lie after its end")
    return index


def index_in_front(file: io.RawIOBase) -> Index | None:
    """Read the index of an MP4 or QuickTime file from its beginning alone; None where it is elsewhere, or in many parts.

    Args:
        file: Its bytes; little is read behind the index.

    Raises:
        BoxError: It is damaged.
    """
    whole_reads = io.BufferedReader(file)
    try:
        for box in walk_file(whole_reads, whole_reads.seek(0, io.SEEK_END)):
            if box.kind == "moov":
                return None if movie_extends(whole_reads, box) else read_index(whole_reads, box, None)
            if box.kind in _CONTENT:
                return None
        return None
    finally:
        whole_reads.detach()


@contextlib.contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a clip (MP4, QuickTime, WebM, Matroska) for reading; errors of PyAV become a VideoDecodeError.

    Raises:
        VideoDecodeError: It is missing, something else, without pictures, or broken.
    """
    try:
        # The demuxer is named: a playlist that pretends to be a clip could make FFmpeg open other files.
        with av.open(str(path), format=_demuxer(path), **_TOLERANT) as container:
            if not _films(container):
                raise VideoDecodeError("The clip has no picture track.", path=path)
            _cut_exactly(container)
            yield container
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise VideoDecodeError(f"The clip is damaged: {reason}.", path=path) from error


@contextlib.contextmanager
def opened_arriving(file: io.RawIOBase) -> Iterator[InputContainer]:
    """Open an MP4 or QuickTime file whose index is in front of its content: FFmpeg does not look for more behind it."""
    file.seek(0)
    with av.open(file, format="mp4", options={"fflags": "ignidx"}, **_TOLERANT) as container:
        _cut_exactly(container)
        yield container


def _cut_exactly(container: InputContainer) -> None:
    """Let FFmpeg cut off what the clip cuts off: else it leaves columns on the left, where that suits its memory better."""
    for stream in container.streams.video:
        if stream.codec_context is not None:
            stream.codec_context.flags |= _UNALIGNED


@contextlib.contextmanager
def rewound(container: InputContainer, path: Path) -> Iterator[InputContainer]:
    """Go back to the first packet: to open a file costs FFmpeg more than to read its packets again.

    A Matroska file is still opened again: after a seek FFmpeg does not know how much of its first sound is to be left out.
    """
    if "matroska" in container.format.name:
        with opened(path) as again:
            yield again
    else:
        container.seek(_BEFORE_ALL)
        yield container


def _demuxer(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return "matroska" if file.read(len(matroska.MAGIC)) == matroska.MAGIC else "mp4"
    except OSError as error:
        raise VideoDecodeError(f"The clip cannot be read: {error.strerror or error}.", path=path, money="") from error


def video_stream(container: InputContainer) -> VideoStream:
    """Return the first stream with pictures that is not a cover; `opened` has made sure that there is one."""
    return _films(container)[0]


def sound_stream(container: InputContainer) -> AudioStream | None:
    """Return the stream with the sound that is meant to be heard: the default one, else the first."""
    streams = container.streams.audio
    return next((each for each in streams if each.disposition & Disposition.default), next(iter(streams), None))


def pass_over_others(container: InputContainer, stream: AudioStream | VideoStream) -> None:
    """Let FFmpeg read the packets of one stream alone, where PyAV can tell it to: a broken one of another ends the reading."""
    if Discard is not None:
        for each in container.streams:
            each.discard = Discard.default if each is stream else Discard.all


def _films(container: InputContainer) -> list[VideoStream]:
    return [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
