"""`RunComfyImageToVideo`: a picture and a prompt become a clip of any image-to-video model on RunComfy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from . import host
from .packages import packages_named
from .run.clip_node import ClipNode

if TYPE_CHECKING:
    import torch

DEFAULT_MODEL = "kling/kling-3.0/standard/image-to-video"
DEFAULT_SECONDS = 5
MAX_SECONDS = 60
MAX_SEED = 2**31 - 1


class RunComfyImageToVideo(ClipNode):
    """The node. Everything it does is in `run.any_model.generate`."""

    CATEGORY = host.CATEGORY
    DESCRIPTION = (
        "Turns a picture and a prompt into a clip with any image-to-video model on RunComfy: frames, sound, fps, a VIDEO and the "
        "request id. Each new clip costs money. What the model cannot do is refused before anything is sent. The same inputs and "
        "seed are never paid for twice: after a crash, a restart or Stop, just run the graph again. Turn on 'rehearse' to try a "
        "graph for free."
    )
    SEARCH_ALIASES: ClassVar = [
        "runcomfy",
        "image to video",
        "i2v",
        "first last frame",
        "kling",
        "seedance",
        "wan",
        "ltx",
        "pixverse",
        "minimax",
        "flux",
    ]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:  # noqa: N802 - ComfyUI's name
        """The inputs, in the order saved workflows hold them: append, never insert or rename."""
        with packages_named():
            from .run.widgets import BATCH_INPUTS, LAST_INPUTS  # noqa: PLC0415 - loaded when it is called: see nodes/__init__.py
            from .runcomfy import MODEL_DEFAULT, shipped_catalogue  # noqa: PLC0415 - as above

        catalogue = shipped_catalogue()
        return {
            "required": {
                "model": (
                    list(catalogue.ids) or [DEFAULT_MODEL],
                    {
                        "default": DEFAULT_MODEL,
                        "sets_price": True,
                        "tooltip": "RunComfy's id of the model. For one that is not in the list, use 'custom_model_id'.",
                    },
                ),
                "prompt": (
                    "STRING",
                    {
                        "multiline": True,
                        "default": "",
                        "placeholder": "What happens in the clip: subject, motion, camera, light, sound",
                        "tooltip": "What happens in the clip. Most models need one.",
                    },
                ),
                "duration": (
                    "INT",
                    {
                        "default": DEFAULT_SECONDS,
                        "min": 0,
                        "max": MAX_SECONDS,
                        "sets_price": True,
                        "tooltip": "Length of the clip in seconds. 0: the model's default. It is never rounded: a length that "
                        "the model does not have is refused, and the error lists those it has.",
                    },
                ),
                "resolution": (
                    [MODEL_DEFAULT, *catalogue.resolutions()],
                    {
                        "default": MODEL_DEFAULT,
                        "sets_price": True,
                        "tooltip": "Resolution of the clip. One that the model does not have is refused, and the error lists "
                        "those it has. Some models have it in their id.",
                    },
                ),
                "aspect_ratio": (
                    [MODEL_DEFAULT, "auto", *catalogue.aspect_ratios()],
                    {
                        "default": MODEL_DEFAULT,
                        "tooltip": "Shape of the clip, width to height. 'auto' follows the picture.",
                    },
                ),
                "audio": (
                    [MODEL_DEFAULT, "on", "off"],
                    {
                        "default": MODEL_DEFAULT,
                        "sets_price": True,
                        "tooltip": "Sound of the clip. With some models it costs more and is on by default.",
                    },
                ),
            },
            "optional": {
                "image": (
                    "IMAGE",
                    {
                        "tooltip": "The first picture, sent in its own shape. A batch gives one clip, and one charge, for each "
                        "picture: see 'max_clips'."
                    },
                ),
                "end_image": (
                    "IMAGE",
                    {
                        "tooltip": "The last picture, for models that take one. A single one goes to every clip of a batch."
                    },
                ),
                "image_url": (
                    "STRING",
                    {
                        "default": "",
                        "advanced": True,
                        "placeholder": "https://…",
                        "tooltip": "Instead of 'image': the public https address of a hosted picture. It is saved with the "
                        "workflow, so do not use a private link.",
                    },
                ),
                "end_image_url": (
                    "STRING",
                    {
                        "default": "",
                        "advanced": True,
                        "placeholder": "https://…",
                        "tooltip": "Instead of 'end_image': the public https address of a hosted picture.",
                    },
                ),
                "negative_prompt": (
                    "STRING",
                    {
                        "default": "",
                        "advanced": True,
                        "tooltip": "What must not happen in the clip, for models that take a negative prompt.",
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
                        "another take. It is sent if the model has a seed and this is not 0.",
                    },
                ),
                "custom_model_id": (
                    "STRING",
                    {
                        "default": "",
                        "advanced": True,
                        "placeholder": "maker/model/image-to-video",
                        "sets_price": True,
                        "tooltip": "Instead of 'model': the id of any other model, exactly as RunComfy writes it. Its "
                        "description is read from RunComfy first.",
                    },
                ),
                "extra_json": (
                    "STRING",
                    {
                        "multiline": True,
                        "default": "",
                        "advanced": True,
                        "placeholder": '{"cfg_scale": 0.7}',
                        "sets_price": True,
                        "tooltip": "A JSON object with further fields of the model. A field that another input already sets is "
                        "an error.",
                    },
                ),
                **BATCH_INPUTS,
                "rehearse": (
                    "BOOLEAN",
                    {
                        "default": False,
                        "tooltip": "On: a free stand-in clip of about the same size, length and frame rate is made on this "
                        "machine. Nothing is sent and no token is needed.",
                    },
                ),
                **LAST_INPUTS,
            },
        }

    @classmethod
    def VALIDATE_INPUTS(  # noqa: N802 - ComfyUI's name
        cls,
        model: str | None = None,  # noqa: ARG003 - ComfyUI reads the names
        resolution: str | None = None,  # noqa: ARG003 - as above
        aspect_ratio: str | None = None,  # noqa: ARG003 - as above
    ) -> bool:
        """Whatever a workflow of an older or newer catalogue holds: ComfyUI leaves out its own check of the inputs named here.

        A value that the model lacks is refused when the node runs, with those it has, and before any money.
        """
        return True

    async def generate(  # noqa: PLR0913, PLR0917 - ComfyUI passes every input by its name
        self,
        model: str = DEFAULT_MODEL,
        prompt: str = "",
        duration: int = DEFAULT_SECONDS,
        resolution: str = "model default",
        aspect_ratio: str = "model default",
        audio: str = "model default",
        image: torch.Tensor | None = None,
        end_image: torch.Tensor | None = None,
        image_url: str = "",
        end_image_url: str = "",
        negative_prompt: str = "",
        seed: int = 0,
        custom_model_id: str = "",
        extra_json: str = "",
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
            from .run.any_model import AnyOrder, generate  # noqa: PLC0415 - as above
            from .run.inputs import FrameChoice  # noqa: PLC0415 - as above
            from .runcomfy import Wishes  # noqa: PLC0415 - as above

        clips = await generate(
            AnyOrder(
                model=model,
                custom_model_id=custom_model_id,
                wishes=Wishes(
                    prompt=prompt,
                    duration=duration,
                    resolution=resolution,
                    aspect_ratio=aspect_ratio,
                    audio=audio,
                    image_url=image_url,
                    end_image_url=end_image_url,
                    negative_prompt=negative_prompt,
                    seed=seed,
                    extra_json=extra_json,
                ),
                image=image,
                end_image=end_image,
                max_clips=max_clips,
                frames=FrameChoice(decode_frames, select_every_nth, frame_load_cap),
                rehearse=rehearse,
                if_a_clip_fails=if_a_clip_fails,
            )
        )
        return self.delivered(clips)
