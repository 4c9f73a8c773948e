"""A free stand-in clip: the right size, length and rate, made on this machine in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .pyav import av
from .stamps import FrameNumber, Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

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
        picture: [H, W, 3] uint8 RGB, as `reference.fit` returns it; H and W even.
        path: The file to write. Nothing is left there if the rendering does not come to its end.
        seconds: Length of the clip: exactly `seconds * fps` frames and `seconds` of sound.
        fps: Frames per second.
        mark: A short word drawn small into a corner; None for none.
        frame_counter: Draw the number of each frame, for eyes and as blocks for programs (see `stamps.FrameNumber`).
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
