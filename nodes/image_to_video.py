"""`Sora2ProImageToVideo`: a picture and a prompt become frames, sound and a VIDEO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from . import host
from .errors import InvalidInputError
from .media import FITS
from .packages import packages_named
from .run.clip_node import ClipNode

if TYPE_CHECKING:
    import torch

    from .runcomfy import Scalar


class Sora2ProImageToVideo(ClipNode):
    """The node. Everything it does is in `run.clips.generate`."""

    CATEGORY = host.CATEGORY
    DESCRIPTION = (
        "Turns a picture and a prompt into a clip with OpenAI's Sora 2 Pro, through the RunComfy Model API: frames, sound, fps, "
        "a VIDEO and the request id. Each new clip costs money. The same inputs and seed are never paid for twice: after a "
        "crash, a restart or Stop, just run the graph again. Turn on 'rehearse' to try a graph for free."
    )
    SEARCH_ALIASES: ClassVar = ["sora", "runcomfy", "image to video", "i2v"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:  # noqa: N802 - ComfyUI's name
        """The inputs, in the order saved workflows hold them: append, never insert or rename."""
        with packages_named():
            from .run.current import current_model  # noqa: PLC0415 - loaded when it is called: see nodes/__init__.py
            from .run.widgets import BATCH_INPUTS, LAST_INPUTS, widget  # noqa: PLC0415 - as above
            from .runcomfy import MAX_SEED  # noqa: PLC0415 - as above

        model = current_model()
        return {
            "required": {
                "prompt": (
                    "STRING",
                    {
                        "multiline": True,
                        "default": "",
                        "placeholder": "What happens in the clip: subject, motion, camera, light, sound",
                        "tooltip": "What happens in the clip, at most 32,000 characters. Must not be empty.",
                    },
                ),
                **{one.name: widget(one) for one in model.inputs},
            },
            "optional": {
                "image": (
                    "IMAGE",
                    {
                        "tooltip": "The picture to animate. A batch gives one clip, and one charge, for each picture: see "
                        "'max_clips'. Greyscale is converted to RGB; transparent areas become black."
                    },
                ),
                "seed": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": MAX_SEED,
                        "control_after_generate": "fixed",
                        "tooltip": "The take. The same inputs and seed reuse the clip you already bought; another seed buys "
                        "another take. It is not sent: the model has no seed of its own.",
                    },
                ),
                "fit": (
                    list(FITS),
                    {
                        "default": FITS[0],
                        "advanced": True,
                        "tooltip": "How the picture is fitted to 'size': crop (cut at the edges, centred), pad (black bars), "
                        "blur pad (bars of the blurred picture), stretch. A hosted picture ('image_url') is sent as it is.",
                    },
                ),
                "image_url": (
                    "STRING",
                    {
                        "default": "",
                        "advanced": True,
                        "placeholder": "https://…",
                        "tooltip": "Instead of 'image': the public https address of a hosted picture of exactly 'size' pixels "
                        "(jpg, png, webp, gif, avif). It is saved with the workflow, so do not use a private link.",
                    },
                ),
                **BATCH_INPUTS,
                "rehearse": (
                    "BOOLEAN",
                    {
                        "default": False,
                        "tooltip": "On: a free stand-in clip of the same size, length and frame rate is made on this machine. "
                        "Nothing is sent and no token is needed.",
                    },
                ),
                **LAST_INPUTS,
            },
        }

    @classmethod
    def VALIDATE_INPUTS(cls, prompt: str | None = None) -> bool | str:  # noqa: N802 - ComfyUI's name
        """What can be said before the graph runs; a linked prompt is not there yet and comes as None.

        Of one input only: ComfyUI repeats the sentence for every argument of this function.
        """
        with packages_named():
            from .runcomfy import SORA_2_PRO, check_prompt  # noqa: PLC0415 - as above

        try:
            if prompt is not None:
                check_prompt(prompt, max_chars=SORA_2_PRO.max_prompt_chars)
        except InvalidInputError as error:
            return str(error)
        return True

    async def generate(  # noqa: PLR0913, PLR0917 - ComfyUI passes every input by its name
        self,
        prompt: str = "",
        size: Scalar = "720x1280",
        seconds: Scalar = 4,
        image: torch.Tensor | None = None,
        seed: int = 0,
        fit: str = FITS[0],
        image_url: str = "",
        max_clips: int = 1,
        decode_frames: bool = True,
        select_every_nth: int = 1,
        frame_load_cap: int = 0,
        rehearse: bool = False,
        if_a_clip_fails: str = "stop",
    ) -> dict[str, Any]:
        """Get the clips; see `INPUT_TYPES` for the arguments and `RETURN_NAMES` for what comes back, each as a list.

        Raises:
            RunComfyError: The message says what happened, what it means for the money, and what to do.
        """
        with packages_named():
            from .run.clips import generate  # noqa: PLC0415 - as above
            from .run.inputs import FrameChoice, Order  # noqa: PLC0415 - as above

        clips = await generate(
            Order(
                image=image,
                prompt=prompt,
                inputs={"size": size, "seconds": seconds},
                seed=seed,
                fit=fit,
                image_url=image_url,
                max_clips=max_clips,
                frames=FrameChoice(decode_frames, select_every_nth, frame_load_cap),
                rehearse=rehearse,
                if_a_clip_fails=if_a_clip_fails,
            )
        )
        return self.delivered(clips)
