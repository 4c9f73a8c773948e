"""Clips in every form that a model may give: container, codecs, depth, rate and sound."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["h264", "hevc", "hevc-10bit", "vp9", "av1", "mov"]

SAMPLE_RATE = 48000
TONE_HZ = 440
LOUDNESS = 0.05
STEP = 2  # columns that the picture moves with each frame
BT709, LIMITED = 1, 1  # AVCOL_* numbers of FFmpeg's libavutil/pixfmt.h
KR, KB = 0.2126, 0.0722  # ITU-R BT.709
LAYOUTS = {1: "mono", 2: "stereo"}


@dataclass(frozen=True, slots=True)
class _Recipe:
    container: str
    content_type: str
    codec: str
    sound_codec: str
    options: Mapping[str, str]
    pix_fmt: str = "yuv420p"
    tag: str | None = None
    container_options: Mapping[str, str] = field(default_factory=dict)


_FAST_START = {"movflags": "+faststart"}
_X265 = {"preset": "ultrafast", "crf": "18", "x265-params": "log-level=none"}
_RECIPES: Mapping[str, _Recipe] = {
    "h264": _Recipe("mp4", "video/mp4", "libx264", "aac", {"preset": "ultrafast"}, container_options=_FAST_START),
    "hevc": _Recipe("mp4", "video/mp4", "libx265", "aac", _X265, tag="hvc1", container_options=_FAST_START),
    "hevc-10bit": _Recipe(
        "mp4", "video/mp4", "libx265", "aac", _X265, "yuv420p10le", tag="hvc1", container_options=_FAST_START
    ),
    "vp9": _Recipe(
        "webm", "video/webm", "libvpx-vp9", "libopus", {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"}
    ),
    "av1": _Recipe("webm", "video/webm", "libsvtav1", "libopus", {"preset": "10", "crf": "8"}),
    "mov": _Recipe("mov", "video/quicktime", "libx264", "pcm_s16le", {"preset": "ultrafast"}),
}


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a clip.

    Attributes:
        kind: Container and codecs: MP4 with H.264, HEVC or HEVC in 10 bit, WebM with VP9 or AV1, MOV with H.264 and PCM.
        fps: Frames per second.
        channels: Of the sound: 0 is none, 1 mono, 2 stereo.
    """

    kind: Kind = "h264"
    fps: int = 30
    channels: int = 2

    @property
    def content_type(self) -> str:
        """What a server calls it."""
        return _RECIPES[self.kind].content_type

    @property
    def suffix(self) -> str:
        """What its files end with."""
        return f".{_RECIPES[self.kind].container}"


def render(picture: NDArray[np.uint8], path: Path, *, seconds: int, form: Form) -> None:
    """Writes a clip in which the picture moves to the left, with a frame counter: `seconds * fps` frames.

    Args:
        picture: [H, W, 3] uint8 RGB, H and W even.
        path: The file to write.
        seconds: Its length.
        form: Its form.
    """
    import av  # noqa: PLC0415 - the emulator starts without it

    recipe = _RECIPES[form.kind]
    with av.open(str(path), "w", format=recipe.container, options=dict(recipe.container_options)) as container:
        video: Any = container.add_stream(recipe.codec, rate=form.fps, options=dict(recipe.options))
        video.height, video.width = picture.shape[:2]
        video.pix_fmt = recipe.pix_fmt
        context = video.codec_context
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED
        if recipe.tag:
            context.codec_tag = recipe.tag
        sound: Any = None
        if form.channels:
            sound = container.add_stream(recipe.sound_codec, rate=SAMPLE_RATE, layout=LAYOUTS[form.channels])
        for number, planes in enumerate(_frames(picture, seconds * form.fps)):
            container.mux(video.encode(_video_frame(planes, recipe.pix_fmt, number, form.fps)))
            if sound is not None:
                container.mux(sound.encode(_sound_frame(number, form)))
        container.mux(video.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))


def _frames(picture: NDArray[np.uint8], count: int) -> Iterator[list[NDArray[np.uint8]]]:
    """Planes (Y, U, V) of 8-bit 4:2:0, a frame at a time."""
    import numpy as np  # noqa: PLC0415 - as above

    importlib.import_module("pack").load_pack()
    counter = importlib.import_module("sora2pro.nodes.media.rehearsal").FrameNumber(picture.shape[1], picture.shape[0])
    still = _yuv420p(picture)
    for number in range(count):
        planes = [
            np.roll(plane, -STEP * number // scale, axis=1) for plane, scale in zip(still, (1, 2, 2), strict=True)
        ]
        counter.draw(planes, number)
        yield planes


def _yuv420p(picture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    import numpy as np  # noqa: PLC0415 - as above

    rgb = picture.astype(np.float32) / 255
    luma = rgb @ np.array([KR, 1 - KR - KB, KB], np.float32)
    blue, red = (rgb[..., 2] - luma) / (2 - 2 * KB), (rgb[..., 0] - luma) / (2 - 2 * KR)
    halves = [plane.reshape(plane.shape[0] // 2, 2, plane.shape[1] // 2, 2).mean(axis=(1, 3)) for plane in (blue, red)]
    return [np.rint(16 + 219 * luma).astype(np.uint8), *(np.rint(128 + 224 * half).astype(np.uint8) for half in halves)]


def _video_frame(planes: list[NDArray[np.uint8]], pix_fmt: str, number: int, fps: int) -> Any:
    import av  # noqa: PLC0415 - as above
    import numpy as np  # noqa: PLC0415 - as above

    frame: Any = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], pix_fmt)
    for plane, values in zip(frame.planes, planes, strict=True):
        samples = values.astype(np.uint16) << 2 if pix_fmt.endswith("10le") else values
        line = np.zeros((plane.height, plane.line_size // samples.itemsize), samples.dtype)
        line[:, : samples.shape[1]] = samples
        plane.update(line.tobytes())
    frame.colorspace, frame.color_range = BT709, LIMITED
    frame.pts, frame.time_base = number, Fraction(1, fps)
    return frame


def _sound_frame(number: int, form: Form) -> Any:
    """The sound under one frame of the picture."""
    import av  # noqa: PLC0415 - as above
    import numpy as np  # noqa: PLC0415 - as above

    first, end = (number * SAMPLE_RATE // form.fps, (number + 1) * SAMPLE_RATE // form.fps)
    wave = LOUDNESS * np.sin(np.arange(first, end, dtype=np.float64) * 2 * np.pi * TONE_HZ / SAMPLE_RATE)
    samples = np.ascontiguousarray(np.stack([wave] * form.channels), np.float32)
    frame: Any = av.AudioFrame.from_ndarray(samples, format="fltp", layout=LAYOUTS[form.channels])
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, first, Fraction(1, SAMPLE_RATE)
    return frame
