"""The demo where no ComfyUI can be had: the node itself, called as ComfyUI would call it."""

from __future__ import annotations

import asyncio
import os
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from comfyui.graphs import GENERATOR
from demo.in_comfyui import generation_widgets
from pack import load_pack
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from demo.exhibits import Exhibits
    from demo.ticker import Ticker


def run(
    picture: Image.Image, *, cache: Path, environment: Mapping[str, str], exhibits: Exhibits, ticker: Ticker
) -> None:
    """Calls the node with the widgets of the example workflow and lays out what it returns."""
    os.environ.update(environment)
    node_class = load_pack().NODE_CLASS_MAPPINGS[GENERATOR]
    image = torch.from_numpy(np.asarray(picture, np.float32) / 255)[None]
    ticker.show("The node shows its progress only inside ComfyUI; this takes about half a minute")
    outputs = asyncio.run(node_class().generate(image=image, **generation_widgets()))["result"]
    ticker.close()
    frames, audio, _, video, _ = (clips[0] for clips in outputs)
    _save(cache, frames=frames, audio=audio, video=video, exhibits=exhibits)


def _save(cache: Path, *, frames: torch.Tensor, audio: Mapping[str, Any], video: Any, exhibits: Exhibits) -> None:
    saved = cache / "saved"
    saved.mkdir(exist_ok=True)
    clip, sound = saved / "clip.mp4", saved / "sound.wav"
    paths = [saved / f"{number}.png" for number in range(len(frames))]
    for frame, path in zip(frames, paths, strict=True):
        Image.fromarray((frame.numpy() * 255).round().astype(np.uint8)).save(path, compress_level=1)
    samples = (audio["waveform"][0].numpy().clip(-1, 1) * 32767).round().astype("<i2")
    with wave.open(str(sound), "wb") as wav:
        wav.setnchannels(len(samples))
        wav.setsampwidth(2)
        wav.setframerate(audio["sample_rate"])
        wav.writeframes(samples.T.tobytes())
    video.save_to(str(clip))
    exhibits.lay_out(clip=clip, frames=paths, sound=sound)
