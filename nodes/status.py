"""`Sora2ProStatus`: looks at, collects, cancels, adopts or releases any request. It cannot spend."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from . import host
from .packages import packages_named


class Sora2ProStatus:
    """The node. Everything it does is in `run.clips.act`."""

    CATEGORY = host.CATEGORY
    DESCRIPTION = (
        "Checks a request of any model, collects its clip or cancels it, even after a crash or days later. It never buys "
        "anything. Leave 'request_id' blank for the newest job."
    )
    FUNCTION = "act"
    RETURN_TYPES = ("STRING", "IMAGE", "AUDIO", "FLOAT", "VIDEO", "STRING", "STRING")
    RETURN_NAMES = ("status", "frames", "audio", "fps", "video", "request_id", "report")
    OUTPUT_NODE = True
    HAS_INTERMEDIATE_OUTPUT = True
    SEARCH_ALIASES: ClassVar = ["runcomfy", "collect", "resume", "request id", "status"]
    OUTPUT_TOOLTIPS = (
        "State of the job: prepared, submitting, submitted, completed, downloaded, rejected, failed, cancelled or uncertain.",
        "All frames of the clip: [frames, height, width, 3]. Blocked until the clip is collected.",
        "The sound of the clip. Blocked until the clip is collected.",
        "Frames per second. Blocked until the clip is collected.",
        "The clip as a file. Blocked until the clip is collected.",
        "RunComfy's request id; empty while there is none.",
        "Everything known about the job, in words: state, charge, file, what to do.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:  # noqa: N802 - ComfyUI's name
        """The inputs, in the order saved workflows hold them: append, never insert or rename."""
        with packages_named():
            from .runcomfy import Action  # noqa: PLC0415 - loaded when it is called: see nodes/__init__.py

        actions = [action.value for action in Action]
        return {
            "required": {
                "request_id": (
                    "STRING",
                    {
                        "default": "",
                        "placeholder": "blank: the newest job",
                        "tooltip": "A request id, or a job such as job-7. Blank: the newest job. For 'adopt': the request id "
                        "you found on runcomfy.com, or 'job-7 <request id>'.",
                    },
                ),
                "action": (
                    actions,
                    {
                        "default": actions[0],
                        "tooltip": " ".join(f"{action}: {action.meaning}" for action in Action),
                    },
                ),
            }
        }

    @classmethod
    def IS_CHANGED(cls, **_inputs: object) -> float:  # noqa: N802 - ComfyUI's name
        """Never the same twice: a state can change at any time, and looking is free."""
        return math.nan

    async def act(self, request_id: str = "", action: str = "check") -> dict[str, Any]:
        """Do the action; see `INPUT_TYPES` and `RETURN_NAMES`.

        Raises:
            RunComfyError: The message says what happened, what it means for the money, and what to do.
        """
        with packages_named():
            from .run.clips import act  # noqa: PLC0415 - as above

        answer = await act(action, request_id)
        job, clip = answer.job, answer.clip
        if clip is None:
            missing = host.blocked(f"The clip is not collected yet. {answer.report}")
            media = (missing, missing, missing, missing)
        else:
            media = (clip.frames, clip.audio, clip.fps, clip.video)
        shown = {"text": [answer.report], **host.preview([] if clip is None else [clip.path])}
        return {"ui": shown, "result": (job.state.value, *media, job.request_id or "", answer.report)}
