"""What is in a file that ComfyUI has saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def frames(path: Path) -> list[np.ndarray]:
    """All frames, each [H, W, 3] uint8 RGB."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def duration_s(path: Path) -> float:
    """The length that the container states."""
    with av.open(str(path)) as container:
        return container.duration / av.time_base


def loudness(path: Path) -> float:
    """Root mean square of the sound, where 1 is full scale."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp")
        pieces = [piece.to_ndarray() for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    return float(np.sqrt((np.concatenate(pieces, axis=1) ** 2).mean()))
