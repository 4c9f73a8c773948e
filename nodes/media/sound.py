"""The sound of a clip, in step with its pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import VideoDecodeError
from .pyav import av
from .timeline import MAX_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.container import InputContainer
    from numpy.typing import NDArray

    from .timeline import Timeline

_SILENCE_RATE = 48000
_SILENCE_CHANNELS = 2
_MOST_CHANNELS = 8  # PyAV reads beyond its memory where there are more
_SLACK_S = 0.1  # between the length in the index and the sound that comes out: a frame or two of padding


def read_sound(
    container: InputContainer,
    path: Path,
    timeline: Timeline,
    end_s: float | None,
    checkpoint: Callable[[], None],
) -> dict[str, object]:
    """Return ComfyUI's AUDIO: {"waveform": float32 [1, channels, samples], "sample_rate": Hz}.

    Its first sample belongs to the beginning of the first frame. A clip without sound gets silence of its own length.

    Args:
        container: The clip, at its beginning.
        path: The clip, for errors.
        timeline: When its frames are shown and its sound is over.
        end_s: Where to cut the sound off; None for all of it.
        checkpoint: Called per packet; may raise.

    Raises:
        VideoDecodeError: The sound is damaged or incomplete.
    """
    if not timeline.has_sound:
        seconds = (timeline.end_s() if end_s is None else end_s) - timeline.start_s
        silence = torch.zeros(1, _SILENCE_CHANNELS, round(seconds * _SILENCE_RATE))
        return {"waveform": silence, "sample_rate": _SILENCE_RATE}
    until_s = min(seconds for seconds in (timeline.sound_end_s, end_s, MAX_SECONDS) if seconds is not None)
    if not container.streams.audio or container.streams.audio[0].codec_context is None:
        raise VideoDecodeError("The sound of the clip is in a format that PyAV does not know.", path=path)
    rate = container.streams.audio[0].rate
    samples = _joined(_pieces(container, path, timeline.start_s, until_s, checkpoint), rate, path)
    if timeline.sound_end_s is not None and samples.shape[1] < (until_s - timeline.start_s - _SLACK_S) * rate:
        raise VideoDecodeError(
            f"The clip is damaged: {samples.shape[1] / rate:.2f} of {until_s:.2f} seconds of its sound are there.",
            path=path,
        )
    kept = np.ascontiguousarray(samples[:, : round((until_s - timeline.start_s) * rate)])
    return {"waveform": torch.from_numpy(kept)[None], "sample_rate": rate}


def _pieces(
    container: InputContainer, path: Path, start_s: float, until_s: float, checkpoint: Callable[[], None]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (place of the first sample, samples [channels, n]) in order."""
    stream = container.streams.audio[0]
    resampler = av.AudioResampler(format="fltp")
    for packet in container.demux(stream):
        checkpoint()
        for decoded in packet.decode():
            if decoded.layout.nb_channels > _MOST_CHANNELS or decoded.rate != stream.rate or decoded.is_corrupt:
                raise VideoDecodeError("The clip is damaged: its sound changes its form.", path=path)
            if decoded.time is None:
                raise VideoDecodeError("The clip is damaged: its sound has no times.", path=path)
            if decoded.time >= until_s:
                return
            for frame in resampler.resample(decoded):
                yield round((decoded.time - start_s) * stream.rate), np.asarray(frame.to_ndarray(), np.float32)


def _joined(pieces: Iterator[tuple[int, NDArray[np.float32]]], rate: int, path: Path) -> NDArray[np.float32]:
    """Put each piece where its time says: what comes before the picture is cut, what is late comes after silence."""
    joined: list[NDArray[np.float32]] = []
    filled = 0
    for place, piece in pieces:
        if max(place, filled) > MAX_SECONDS * rate:
            raise VideoDecodeError("The clip is damaged: its sound has no end.", path=path)
        samples = piece[:, max(0, -place) :] if filled == 0 else piece
        if place > filled and (filled == 0 or place - filled > piece.shape[1]):
            joined.append(np.zeros((piece.shape[0], place - filled), np.float32))
            filled = place
        joined.append(samples)
        filled += samples.shape[1]
    return np.concatenate(joined, axis=1) if joined else np.zeros((_SILENCE_CHANNELS, 0), np.float32)
