"""Inputs as ComfyUI declares widgets: those of Sora 2 Pro and its kind, and those that do not depend on the model."""

from __future__ import annotations

from typing import Any

from ..runcomfy import AUTO_SIZE, Input, Role
from .inputs import MAX_CLIPS, IfAClipFails

BATCH_INPUTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "max_clips": (
        "INT",
        {
            "default": 1,
            "min": 1,
            "max": MAX_CLIPS,
            "advanced": True,
            "tooltip": "Safety limit: a batch of more pictures than this is refused before anything is bought.",
        },
    ),
    "decode_frames": (
        "BOOLEAN",
        {
            "default": True,
            "advanced": True,
            "tooltip": "Off: no frames are made, which saves gigabytes of memory; 'video' and 'audio' are "
            "still delivered.",
        },
    ),
    "select_every_nth": (
        "INT",
        {
            "default": 1,
            "min": 1,
            "max": 1000,
            "advanced": True,
            "tooltip": "Keep only every nth frame; 'fps' is lowered to match, so speed and sound stay correct.",
        },
    ),
    "frame_load_cap": (
        "INT",
        {
            "default": 0,
            "min": 0,
            "max": 100_000,
            "advanced": True,
            "tooltip": "Keep at most this many frames, with their sound. 0: all frames.",
        },
    ),
}
LAST_INPUTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "if_a_clip_fails": (
        [choice.value for choice in IfAClipFails],
        {
            "default": IfAClipFails.STOP.value,
            "advanced": True,
            "tooltip": "If some clips of a batch do not arrive: stop, or deliver the others to the graph in their "
            "order. Every clip that was bought is kept either way, and another run does not buy it again.",
        },
    ),
}


def widget(one: Input) -> tuple[Any, dict[str, Any]]:
    """An input of the model as ComfyUI declares a widget. A size can also be left to the picture."""
    options: dict[str, Any] = {"default": one.default, "tooltip": one.tooltip, "sets_price": one.sets_price}
    if one.choices:
        return [*one.choices, *([AUTO_SIZE] if one.role is Role.SIZE else [])], options
    if isinstance(one.default, bool):
        return "BOOLEAN", options
    if isinstance(one.default, str):
        return "STRING", options
    return "INT" if isinstance(one.default, int) else "FLOAT", {**options, "min": one.minimum, "max": one.maximum}
