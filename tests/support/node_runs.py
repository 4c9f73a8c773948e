"""The node itself, without ComfyUI: what a graph gets from it."""

import asyncio
from dataclasses import dataclass
from typing import Any

import torch
from pack import load_pack


@dataclass(frozen=True)
class Output:
    """What one clip of a run brought."""

    frames: Any
    audio: Any
    fps: float
    video: Any
    request_id: str


def pictures(*levels):
    """A batch of small grey pictures."""
    return torch.stack([torch.full((72, 128, 3), level) for level in levels])


def node():
    """The node as ComfyUI makes it."""
    return load_pack().NODE_CLASS_MAPPINGS["Sora2ProImageToVideo"]()


def run_node(image=None, **inputs):
    """One run of `Sora2ProImageToVideo`: an `Output` for each clip.

    The cap of frames keeps the memory that is asked for beforehand small: it goes by the size that is ordered.
    """
    inputs = {
        "image": pictures(0.5) if image is None else image,
        "prompt": "A fox runs.",
        "frame_load_cap": 8,
        **inputs,
    }
    result = asyncio.run(node().generate(**inputs))["result"]
    return [Output(*clip) for clip in zip(*result, strict=True)]


def run_any_node(**inputs):
    """The same of `RunComfyImageToVideo`."""
    any_node = load_pack().NODE_CLASS_MAPPINGS["RunComfyImageToVideo"]()
    inputs = {
        "model": "pixverse/pixverse-v6/image-to-video",
        "image": pictures(0.5),
        "prompt": "A fox runs.",
        "duration": 0,
        "frame_load_cap": 8,
        **inputs,
    }
    result = asyncio.run(any_node.generate(**inputs))["result"]
    return [Output(*clip) for clip in zip(*result, strict=True)]


def run_status(request_id="", action="check"):
    """One run of `Sora2ProStatus`: its outputs in order."""
    status = load_pack().NODE_CLASS_MAPPINGS["Sora2ProStatus"]()
    return asyncio.run(status.act(request_id=request_id, action=action))["result"]
