"""What a node was given, parsed into values and checked before money."""

from __future__ import annotations

import errno
import math
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UNCHANGED, ConfigurationError, InvalidInputError, NotEnoughRoomError
from ..packages import packages_named
from ..runcomfy import (
    AUTO_SIZE,
    Action,
    GenerationRequest,
    JobRef,
    Picture,
    RequestPicture,
    Role,
    Scalar,
    Settings,
    Size,
    check_image_url,
    check_prompt,
    parse_request_id,
)
from .pictures import FittedPicture

if TYPE_CHECKING:
    import torch

MAX_CLIPS = 64
MIN_FREE_DISK_BYTES = 256 * 1024**2
# A clip arrives as ".sora2pro_<request id>.mp4.<8 digits>.part", whatever its ending becomes, and a request id has up to 128
# characters; tempfile adds 8 of its own.
LONGEST_PART = (".sora2pro_" + "x" * 120, ".mp4.01234567.part")
# Windows says of a path of more than 260 characters that there is no such file or folder:
# https://learn.microsoft.com/en-us/windows/win32/fileio/maximum-file-path-limitation
PATH_TOO_LONG = frozenset({errno.ENAMETOOLONG, errno.ENOENT})


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """Which frames of a clip the graph gets; by default all of them."""

    decode_frames: bool = True
    select_every_nth: int = 1
    frame_load_cap: int = 0


class IfAClipFails(StrEnum):
    """What a run of several clips does when some of them do not arrive."""

    STOP = "stop"
    DELIVER = "deliver the others"

    @classmethod
    def parse(cls, text: str) -> IfAClipFails:
        """The choice, as the node got it.

        Raises:
            InvalidInputError: There is no such choice.
        """
        try:
            return cls(text)
        except ValueError:
            raise InvalidInputError(
                f"'if_a_clip_fails' is {text!r}.", remedy=f"Choose '{cls.STOP}' or '{cls.DELIVER}'."
            ) from None


@dataclass(frozen=True, slots=True)
class Order:
    """The inputs of `Sora2ProImageToVideo`, as the node got them."""

    image: torch.Tensor | None
    prompt: str
    inputs: Mapping[str, Scalar]
    seed: int
    fit: str
    image_url: str
    max_clips: int
    frames: FrameChoice
    rehearse: bool
    if_a_clip_fails: str

    @property
    def shared_inputs(self) -> tuple[str, ...]:
        """The inputs that all clips of a batch share: with one of them changed, each is another purchase."""
        return ("prompt", *self.inputs, "seed", "fit")


def check_order(order: Order, settings: Settings) -> Order:
    """The order with its size settled and memory for its frames at hand.

    Raises:
        RunComfyError: It cannot be carried out; nothing was sent.
    """
    with packages_named():
        # OpenCV and Pillow are loaded when a node runs, not when ComfyUI starts.
        from ..media.picture import check_batch, nearest_size  # noqa: PLC0415 - as above

    check_prompt(order.prompt, max_chars=settings.model.max_prompt_chars)
    image_url = order.image_url.strip()
    _check_one_picture(order.image, image_url)
    check_counts(order.max_clips, order.frames)
    clip_count = 1 if order.image is None else check_batch(order.image, max_clips=order.max_clips)
    inputs = dict(order.inputs)
    size = settings.model.input_for(Role.SIZE)
    if size is not None and inputs.get(size.name) == AUTO_SIZE:
        if order.image is None:
            raise InvalidInputError("'auto' needs the picture itself.", remedy="Choose a size to go with 'image_url'.")
        inputs[size.name] = str(Size(*nearest_size(order.image, settings.model.sizes)))
    sound = replace(order, inputs=inputs, image_url=image_url)
    _request(sound, Picture("", ""), settings).validated()
    if order.frames.decode_frames:
        model = settings.model
        frame_size, length_s = model.frame_size(sound.inputs), model.length_s(sound.inputs)
        check_memory(frame_size, length_s, model.assumed_fps, order.frames, clip_count)
    return sound


def _check_one_picture(image: torch.Tensor | None, image_url: str) -> None:
    if image is not None and image_url:
        raise InvalidInputError(
            "Both 'image' and 'image_url' are given.",
            remedy="Use one of the two: disconnect 'image' or clear 'image_url'.",
        )
    if image is None and not image_url:
        raise InvalidInputError("There is no picture.", remedy="Connect 'image', or give its address in 'image_url'.")
    if image_url:
        check_image_url(image_url)


def check_counts(max_clips: object, frames: FrameChoice) -> None:
    """Refuse a count that is none.

    Raises:
        InvalidInputError: It is not a whole number, or too small.
    """
    for name, value, minimum in (
        ("max_clips", max_clips, 1),
        ("select_every_nth", frames.select_every_nth, 1),
        ("frame_load_cap", frames.frame_load_cap, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise InvalidInputError(f"'{name}' is {value!r}.", remedy=f"Use a whole number from {minimum} up.")


def check_memory(size: Size, length_s: float, fps: float, frames: FrameChoice, clip_count: int) -> None:
    """Make sure that the frames of clips of so many seconds fit into memory, as far as it can be known before they are there.

    Raises:
        NotEnoughRoomError: They do not; nothing was sent.
    """
    from ..media.memory import WantedFrames, check_frames  # noqa: PLC0415 - as in `check_order`

    all_frames = math.ceil(length_s * fps)
    check_frames(WantedFrames(*size, all_frames, frames.select_every_nth, frames.frame_load_cap, clip_count))


def pictures_of(order: Order) -> list[torch.Tensor | None]:
    """The pictures [H, W, C] of an order; one None for a hosted picture."""
    return [None] if order.image is None else list(order.image)


def request_for(order: Order, picture: torch.Tensor | None, settings: Settings) -> GenerationRequest:
    """What is to be generated from one picture of a sound order."""
    reference = Picture.from_url(order.image_url) if picture is None else _fitted(order, picture, settings)
    return _request(order, reference, settings)


def _request(order: Order, reference: RequestPicture, settings: Settings) -> GenerationRequest:
    return GenerationRequest(
        model=settings.model,
        prompt=order.prompt,
        inputs=order.inputs,
        pictures=(reference,),
        take=order.seed,
    )


def _fitted(order: Order, picture: torch.Tensor, settings: Settings) -> FittedPicture:
    from ..media.picture import MAX_PICTURE_BYTES, fit  # noqa: PLC0415 - as in `check_order`

    pixels = fit(picture, settings.model.frame_size(order.inputs), order.fit)
    return FittedPicture.of(pixels, max_bytes=MAX_PICTURE_BYTES)


def check_folder(folder: Path, clip_bytes: int = 0) -> None:
    """Make sure that a clip can be written to a folder, whatever RunComfy calls its request.

    Args:
        folder: Is made where it is not there.
        clip_bytes: How large the file may be, where that is known; a few seconds always have room.

    Raises:
        ConfigurationError: It cannot be written; nothing was sent.
        NotEnoughRoomError: Its disk is all but full; nothing was sent.
    """
    prefix, suffix = LONGEST_PART
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=prefix, suffix=suffix):
            free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        another = "another folder, one with a shorter path" if error.errno in PATH_TOO_LONG else "another folder"
        raise ConfigurationError(
            f"Clips cannot be written to {folder} ({error.strerror or error}).",
            remedy=f"Make room or change the folder's permissions, or point RUNCOMFY_OUTPUT_DIR to {another}.",
        ) from error
    if free_bytes < max(MIN_FREE_DISK_BYTES, clip_bytes):
        raise NotEnoughRoomError(
            f"Only {free_bytes / 1e6:.0f} MB are free on the disk that holds {folder}.",
            remedy="Make room, or point RUNCOMFY_OUTPUT_DIR to another disk.",
        )


def parse_action(text: str) -> Action:
    """The action of `Sora2ProStatus`.

    Raises:
        InvalidInputError: There is no such action.
    """
    try:
        return Action(text)
    except ValueError:
        raise InvalidInputError(
            f"'{text}' is not an action.",
            money=UNCHANGED,
            remedy=f"Choose {', '.join(list(Action)[:-1])} or {list(Action)[-1]}.",
        ) from None


def parse_reference(action: Action, text: str) -> tuple[JobRef, str | None]:
    """Which job is meant, and for `ADOPT` the request found on RunComfy's site: `<request id>` or `job-7 <request id>`.

    Raises:
        InvalidInputError: It is neither a job nor a request id.
    """
    if action is not Action.ADOPT:
        return JobRef.parse(text), None
    name, _, request_id = text.strip().rpartition(" ")
    if not request_id or (not name and JobRef.parse(request_id).job_id is not None):
        return JobRef.parse(request_id), None
    return JobRef.parse(name), parse_request_id(request_id)
