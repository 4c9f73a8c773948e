"""The sound of a clip, in step with its pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import VideoDecodeError
from .container import opened
from .pyav import av
from .timeline import MAX_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.container import InputContainer
    from numpy.typing import NDArray

_SILENCE_RATE = 48000
_SILENCE_CHANNELS = 2


def read_sound(
    path: Path, *, start_s: float, clip_end_s: float, end_s: float | None, checkpoint: Callable[[], None]
) -> dict[str, object]:
    """Return ComfyUI's AUDIO: {"waveform": float32 [1, channels, samples], "sample_rate": Hz}.

    A clip without sound gets silence of its own length.

    Args:
        path: The clip.
        start_s: When the first picture is shown; the first sample belongs there.
        clip_end_s: When the last picture of the clip is over.
        end_s: Where to cut the sound off; None for all of it.
        checkpoint: Called per packet; may raise.

    Raises:
        VideoDecodeError: The sound is damaged.
    """
    with opened(path) as container:
        if not container.streams.audio:
            seconds = (clip_end_s if end_s is None else end_s) - start_s
            silence = torch.zeros(1, _SILENCE_CHANNELS, round(seconds * _SILENCE_RATE))
            return {"waveform": silence, "sample_rate": _SILENCE_RATE}
        stream = container.streams.audio[0]
        rate = stream.rate
        if end_s is None and stream.duration and stream.time_base:
            end_s = float(((stream.start_time or 0) + stream.duration) * stream.time_base)
        samples = _joined(_pieces(container, start_s, end_s, checkpoint), MAX_SECONDS * rate, path)
    if end_s is not None:
        samples = samples[:, : round((end_s - start_s) * rate)]
    return {"waveform": torch.from_numpy(np.ascontiguousarray(samples))[None], "sample_rate": rate}


def _pieces(
    container: InputContainer, start_s: float, end_s: float | None, checkpoint: Callable[[], None]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (place of the first sample, samples [channels, n]) in order."""
    stream = container.streams.audio[0]
    resampler = av.AudioResampler(format="fltp")
    for packet in container.demux(stream):
        checkpoint()
        for decoded in packet.decode():
            if end_s is not None and decoded.time is not None and decoded.time >= end_s:
                return
            for frame in resampler.resample(decoded):
                place = 0 if frame.time is None else round((frame.time - start_s) * stream.rate)
                yield place, np.asarray(frame.to_ndarray(), np.float32)


def _joined(pieces: Iterator[tuple[int, NDArray[np.float32]]], most: int, path: Path) -> NDArray[np.float32]:
    """Put each piece where its time says: what comes before the picture is cut, a late one comes after silence."""
    joined: list[NDArray[np.float32]] = []
    filled = 0
    for place, samples in pieces:
        if max(place, filled) > most:
            raise VideoDecodeError("The clip is damaged: its sound has no end.", path=path)
        if place - filled > samples.shape[1] or (place > 0 and not joined):
            joined.append(np.zeros((samples.shape[0], place - filled), np.float32))
        elif filled == 0:
            samples = samples[:, max(0, -place) :]  # noqa: PLW2901 - the same samples, without the early ones
        joined.append(samples)
        filled = sum(piece.shape[1] for piece in joined)
    return np.concatenate(joined, axis=1) if joined else np.zeros((_SILENCE_CHANNELS, 0), np.float32)
