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


def kind(path: Path) -> tuple[int, int, int, float]:
    """Width and height, how many frames, and seconds of sound: each 0 where the file has none."""
    width = height = frame_count = 0
    sound_s = 0.0
    with av.open(str(path)) as container:
        if container.streams.audio:
            sound = container.streams.audio[0]
            sound_s = round(float(sound.duration * sound.time_base), 1)
        if container.streams.video:
            video = container.streams.video[0]
            width, height = video.width, video.height
            frame_count = sum(packet.size > 0 for packet in container.demux(video))
    return width, height, frame_count, sound_s


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
