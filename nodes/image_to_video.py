"""`Sora2ProImageToVideo`: a picture and a prompt become frames, sound and a VIDEO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from . import host
from .errors import InvalidInputError
from .media import FITS
from .run.clips import SHORTFALLS, generate
from .run.current import current_model
from .run.inputs import MAX_CLIPS, FrameChoice, IfAClipFails, Order
from .runcomfy import AUTO_SIZE, MAX_SEED, SORA_2_PRO, Input, Role, Scalar, check_prompt

if TYPE_CHECKING:
    import torch

DEFAULTS = SORA_2_PRO.defaults()


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


class Sora2ProImageToVideo:
    """The node. Everything it does is in `run.clips.generate`."""

    CATEGORY = host.CATEGORY
    DESCRIPTION = (
        "Turns a picture and a prompt into a clip with OpenAI's Sora 2 Pro, through the RunComfy Model API: frames, sound, fps, "
        "a VIDEO and the request id. Each new clip costs money. The same inputs and seed are never paid for twice: after a "
        "crash, a restart or Stop, just run the graph again. Turn on 'rehearse' to try a graph for free."
    )
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
    SEARCH_ALIASES: ClassVar = ["sora", "runcomfy", "image to video", "i2v"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:  # noqa: N802 - ComfyUI's name
        """The inputs, in the order saved workflows hold them: append, never insert or rename."""
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
                "rehearse": (
                    "BOOLEAN",
                    {
                        "default": False,
                        "tooltip": "On: a free stand-in clip of the same size, length and frame rate is made on this machine. "
                        "Nothing is sent and no token is needed.",
                    },
                ),
                "if_a_clip_fails": (
                    [choice.value for choice in IfAClipFails],
                    {
                        "default": IfAClipFails.STOP.value,
                        "advanced": True,
                        "tooltip": "If some clips of a batch do not arrive: stop, or deliver the others to the graph in their "
                        "order. Every clip that was bought is kept either way, and another run does not buy it again.",
                    },
                ),
            },
        }

    @classmethod
    def VALIDATE_INPUTS(cls, prompt: str | None = None) -> bool | str:  # noqa: N802 - ComfyUI's name
        """What can be said before the graph runs; a linked prompt is not there yet and comes as None.

        Of one input only: ComfyUI repeats the sentence for every argument of this function.
        """
        try:
            if prompt is not None:
                check_prompt(prompt, max_chars=SORA_2_PRO.max_prompt_chars)
        except InvalidInputError as error:
            return str(error)
        return True

    @classmethod
    def IS_CHANGED(cls, if_a_clip_fails: str | None = None, **_inputs: object) -> int:  # noqa: N802 - ComfyUI's name
        """Another value once clips were missing: ComfyUI then runs the node again instead of repeating what it got."""
        return 0 if if_a_clip_fails == IfAClipFails.STOP else SHORTFALLS.count

    async def generate(  # noqa: PLR0913, PLR0917 - ComfyUI passes every input by its name
        self,
        prompt: str = "",
        size: Scalar = DEFAULTS["size"],
        seconds: Scalar = DEFAULTS["seconds"],
        image: torch.Tensor | None = None,
        seed: int = 0,
        fit: str = FITS[0],
        image_url: str = "",
        max_clips: int = 1,
        decode_frames: bool = True,
        select_every_nth: int = 1,
        frame_load_cap: int = 0,
        rehearse: bool = False,
        if_a_clip_fails: str = IfAClipFails.STOP.value,
    ) -> dict[str, Any]:
        """Get the clips; see `INPUT_TYPES` for the arguments and `RETURN_NAMES` for what comes back, each as a list.

        Raises:
            RunComfyError: The message says what happened, what it means for the money, and what to do.
        """
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
        outputs = ([getattr(clip, name) for clip in clips] for name in self.RETURN_NAMES)
        return {"ui": host.preview([clip.path for clip in clips]), "result": tuple(outputs)}
