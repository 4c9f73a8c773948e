"""A free stand-in clip, made of the picture: a slow zoom with a tone, a mark for eyes, a frame number for programs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .pyav import av

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray


BLACK, WHITE, GREY = 16, 235, 128  # limited-range luma; GREY also is chroma without colour
COLUMNS, ROWS = 8, 2  # blocks of a frame number: the first 12 are its bits, highest first, the last 4 their checksum
NUMBER_BITS = 12
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_PX = 22  # height of a capital letter of this font at scale 1


def block_size(width: int, height: int) -> int:
    """Edge of one block of a frame number, in pixels; even, so that blocks also fit the chroma planes."""
    return max(8, min(width, height) // 40 * 2)


def checksum(number: int) -> int:
    """Four bits that a frame number read wrongly, a blank or an inverted picture will not have."""
    return (number ^ (number >> 4) ^ (number >> 8) ^ 0b1010) & 0b1111


class Mark:
    """A word in the lower right corner: small, half transparent, readable on any ground."""

    def __init__(self, text: str, width: int, height: int) -> None:
        scale = max(min(width, height) / 40, 8) / _FONT_PX
        thickness = max(1, round(2 * scale))
        (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, scale, thickness)
        pad = max(2, text_height // 2)
        box = np.zeros((min(text_height + baseline + pad, height), min(text_width + 2 * pad, width)), np.uint8)
        cv2.putText(box, text, (pad, text_height + pad // 2), _FONT, scale, 255, thickness, cv2.LINE_AA)
        letters = box.astype(np.float32) / 255
        self._keep = 0.65 * (1 - 0.8 * letters)
        self._add = BLACK * 0.35 * (1 - 0.8 * letters) + WHITE * 0.8 * letters
        margin = max(0, min(pad, height - box.shape[0], width - box.shape[1]))
        self._rows = slice(height - margin - box.shape[0], height - margin)
        self._columns = slice(width - margin - box.shape[1], width - margin)
        self._chroma_rows, self._chroma_columns = (
            slice(place.start // 2, place.stop // 2) for place in (self._rows, self._columns)
        )

    def draw(self, planes: Sequence[NDArray[np.uint8]]) -> None:
        """Draw it into the planes (Y, U, V) of a yuv420p frame of limited range."""
        corner = planes[0][self._rows, self._columns]
        corner[:] = np.rint(corner * self._keep + self._add)
        for chroma in planes[1:]:
            chroma[self._chroma_rows, self._chroma_columns] = GREY


class FrameNumber:
    """The number of a frame in the upper left corner: 16 black or white blocks, and digits where there is room.

    Works from 64 x 64 pixels on. `tests/support/clips.py` reads the blocks.
    """

    def __init__(self, width: int, height: int) -> None:
        self._block = block_size(width, height)
        self._has_room_for_digits = width >= 2 * COLUMNS * self._block

    def draw(self, planes: Sequence[NDArray[np.uint8]], number: int) -> None:
        """Draw it into the planes (Y, U, V) of a yuv420p frame of limited range."""
        bits = number % (1 << NUMBER_BITS) << 4 | checksum(number % (1 << NUMBER_BITS))
        values = [WHITE if bits >> (COLUMNS * ROWS - 1 - place) & 1 else BLACK for place in range(COLUMNS * ROWS)]
        blocks = np.array(values, np.uint8).reshape(ROWS, COLUMNS)
        height, width = self._block * ROWS, self._block * COLUMNS
        planes[0][:height, :width] = blocks.repeat(self._block, axis=0).repeat(self._block, axis=1)
        if self._has_room_for_digits:
            self._draw_digits(planes[0][:height, width : 2 * width], number)
        for chroma in planes[1:]:
            chroma[: height // 2, : width * (1 + self._has_room_for_digits) // 2] = GREY

    def _draw_digits(self, luma: NDArray[np.uint8], number: int) -> None:
        canvas = np.full(luma.shape, BLACK, np.uint8)
        scale = self._block / _FONT_PX
        thickness = max(1, round(2 * scale))
        where = (self._block // 2, self._block * 3 // 2)
        cv2.putText(canvas, f"{number:04d}", where, _FONT, scale, WHITE, thickness, cv2.LINE_AA)
        luma[:] = canvas


SAMPLE_RATE = 48000
ZOOM_AT_THE_END = 1.10
TONE_AMPLITUDE = 0.05
FADE_S = 0.02

# FFmpeg's AVCOL_* numbers (libavutil/pixfmt.h): BT.709 for primaries, transfer and matrix alike, and limited range.
_BT709 = 1
_LIMITED_RANGE = 1
_KR, _KB = 0.2126, 0.0722


@dataclass(frozen=True, slots=True)
class _Plane:
    """One plane of the still picture, and where its samples sit: luma position = step * index + offset."""

    still: NDArray[np.uint8]
    step: tuple[int, int]
    offset: tuple[float, float]

    def zoom_into(self, out: NDArray[np.uint8], zoom: float, centre: tuple[float, float]) -> None:
        """Write the plane into `out`, enlarged about `centre` (x, y in luma samples)."""
        shift = [
            (middle - offset) * (1 - 1 / zoom) / step
            for middle, offset, step in zip(centre, self.offset, self.step, strict=True)
        ]
        matrix = np.array([[1 / zoom, 0, shift[0]], [0, 1 / zoom, shift[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(self.still, matrix, out.shape[::-1], dst=out, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def render(
    picture: NDArray[np.uint8],
    path: Path,
    *,
    seconds: int,
    fps: int = 30,
    mark: str | None = "REHEARSAL",
    frame_counter: bool = False,
    tone_hz: float | None = 440.0,
    checkpoint: Callable[[], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write an MP4 that slowly zooms into a picture.

    H.264, yuv420p, BT.709 limited range and tagged so, AAC 48 kHz stereo, the index at the front.

    Args:
        picture: [H, W, 3] uint8 RGB, as `picture.fit` returns it; H and W even.
        path: The file to write. It is removed if the rendering does not finish.
        seconds: Length of the clip: exactly `seconds * fps` frames and `seconds` of sound.
        fps: Frames per second.
        mark: A short word drawn small into a corner; None for none.
        frame_counter: Draw the number of each frame, for eyes and as blocks for programs (see `FrameNumber`).
        tone_hz: Pitch of a quiet tone; None for silence.
        checkpoint: Called before every frame; what it raises ends the rendering.
        progress: Called after every frame with (frames done, frames in all).
    """
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            video = _add_video(container, picture.shape[1], picture.shape[0], fps)
            audio = _add_audio(container)
            frames = _frames(picture, seconds * fps, mark, frame_counter=frame_counter)
            for number, planes in enumerate(frames):
                if checkpoint is not None:
                    checkpoint()
                container.mux(video.encode(_video_frame(planes, number, fps)))
                container.mux(audio.encode(_audio_frame(number, fps, seconds, tone_hz)))
                if progress is not None:
                    progress(number + 1, seconds * fps)
            container.mux(video.encode(None))
            container.mux(audio.encode(None))
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _add_video(container: OutputContainer, width: int, height: int, fps: int) -> VideoStream:
    stream = container.add_stream("libx264", rate=fps, options={"preset": "veryfast", "crf": "18"})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = Fraction(1, fps)
    codec = stream.codec_context
    codec.thread_type = "AUTO"
    codec.color_primaries = codec.color_trc = codec.colorspace = _BT709
    codec.color_range = _LIMITED_RANGE
    return stream


def _add_audio(container: OutputContainer) -> AudioStream:
    return container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")


def _frames(
    picture: NDArray[np.uint8], count: int, mark: str | None, *, frame_counter: bool
) -> Iterator[NDArray[np.uint8]]:
    """Yield `count` frames as PyAV's yuv420p arrays [H * 3/2, W]; one array, overwritten each time."""
    height, width = picture.shape[:2]
    stills = _yuv420p(picture)
    frame = np.empty((height * 3 // 2, width), np.uint8)
    outs = [frame[:height], *frame[height:].reshape(2, height // 2, width // 2)]
    corner = Mark(mark, width, height) if mark else None
    counter = FrameNumber(width, height) if frame_counter else None
    for number in range(count):
        zoom = 1 + (ZOOM_AT_THE_END - 1) * number / count
        for still, out in zip(stills, outs, strict=True):
            still.zoom_into(out, zoom, ((width - 1) / 2, (height - 1) / 2))
        if corner is not None:
            corner.draw(outs)
        if counter is not None:
            counter.draw(outs, number)
        yield frame


def _yuv420p(picture: NDArray[np.uint8]) -> tuple[_Plane, _Plane, _Plane]:
    """BT.709 limited range, rounded; chroma sited left, as H.264 has it."""
    red, green, blue = np.moveaxis(picture.astype(np.float32) / 255, 2, 0)
    luma = _KR * red + (1 - _KR - _KB) * green + _KB * blue
    difference_blue = (blue - luma) / (2 * (1 - _KB))
    difference_red = (red - luma) / (2 * (1 - _KR))
    return (
        _Plane(_eight_bit(16 + 219 * luma), (1, 1), (0, 0)),
        _Plane(_eight_bit(128 + 224 * _halved(difference_blue)), (2, 2), (0, 0.5)),
        _Plane(_eight_bit(128 + 224 * _halved(difference_red)), (2, 2), (0, 0.5)),
    )


def _halved(plane: NDArray[np.floating]) -> NDArray[np.floating]:
    rows = (plane[0::2] + plane[1::2]) / 2
    left_of_each = np.roll(rows, 1, axis=1)
    left_of_each[:, 0] = rows[:, 0]
    return (left_of_each[:, 0::2] + 2 * rows[:, 0::2] + rows[:, 1::2]) / 4


def _eight_bit(plane: NDArray[np.floating]) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.rint(plane).astype(np.uint8)
    return rounded


def _video_frame(planes: NDArray[np.uint8], number: int, fps: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts, frame.time_base = number, Fraction(1, fps)
    frame.colorspace, frame.color_range = _BT709, _LIMITED_RANGE
    return frame


def _audio_frame(number: int, fps: int, seconds: int, tone_hz: float | None) -> av.AudioFrame:
    """Return the sound that belongs to one video frame, so that both streams end together."""
    first, last = (round(n * SAMPLE_RATE / fps) for n in (number, number + 1))
    time_s = np.arange(first, last) / SAMPLE_RATE
    edge = np.clip(np.minimum(time_s, seconds - time_s) / FADE_S, 0, 1)
    wave = TONE_AMPLITUDE * edge * np.sin(2 * np.pi * (tone_hz or 0) * time_s)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]).astype(np.float32), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, first, Fraction(1, SAMPLE_RATE)
    return frame
