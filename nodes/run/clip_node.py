"""What the nodes that make clips have in common, as ComfyUI reads it while it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import host
from ..packages import packages_named

if TYPE_CHECKING:
    from .clips import Clip


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
        with packages_named():
            from .clips import SHORTFALLS  # noqa: PLC0415 - loaded when it is called: see nodes/__init__.py
            from .inputs import IfAClipFails  # noqa: PLC0415 - as above

        return 0 if if_a_clip_fails == IfAClipFails.STOP else SHORTFALLS.count

    def delivered(self, clips: Sequence[Clip]) -> dict[str, Any]:
        """The clips as ComfyUI takes them: what the node shows, and what the graph gets."""
        outputs = ([getattr(clip, name) for clip in clips] for name in self.RETURN_NAMES)
        return {"ui": host.preview([clip.path for clip in clips]), "result": tuple(outputs)}
