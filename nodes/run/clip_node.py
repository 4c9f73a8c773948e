"""What the nodes that make clips have in common: their outputs, and the inputs that do not depend on the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import host
from .clips import SHORTFALLS, Clip
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


class ClipNode:
    """The outputs: lists, one entry for each clip."""

    FUNCTION = "generate"
    RETURN_TYPES = ("IMAGE", "AUDIO", "FLOAT", "VIDEO", "STRING")
    RETURN_NAMES = ("frames", "audio", "fps", "video", "request_id")
    OUTPUT_IS_LIST = (True, True, True, True, True)
    # ComfyUI keeps what the node shows, and sends it again for a run that it serves from its cache.
    HAS_INTERMEDIATE_OUTPUT = True
    OUTPUT_TOOLTIPS = (
        "All frames, one batch per clip: [frames, height, width, 3]. Blocked if 'decode_frames' is off or the clip is broken.",
        "The sound of the clip; silence of the same length if it has none.",
        "Frames per second of 'frames'.",
        "The clip as a file, with its sound. Save Video saves it without re-encoding.",
        "RunComfy's request id. The RunComfy Request Status node finds the clip by it at any time.",
    )

    @classmethod
    def IS_CHANGED(cls, if_a_clip_fails: str | None = None, **_inputs: object) -> int:  # noqa: N802 - ComfyUI's name
        """Another value once clips were missing: ComfyUI then runs the node again instead of repeating what it got."""
        return 0 if if_a_clip_fails == IfAClipFails.STOP else SHORTFALLS.count

    def delivered(self, clips: Sequence[Clip]) -> dict[str, Any]:
        """The clips as ComfyUI takes them: what the node shows, and what the graph gets."""
        outputs = ([getattr(clip, name) for clip in clips] for name in self.RETURN_NAMES)
        return {"ui": host.preview([clip.path for clip in clips]), "result": tuple(outputs)}
