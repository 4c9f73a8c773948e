"""Ways from a clip on disk to a float32 tensor [F, H, W, 3]: ours, and those it is held against."""

import asyncio
import importlib
import os
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from pack import load_pack

load_pack()
from sora2pro.nodes.media.decode import decode  # noqa: E402 - the pack has to be loaded first


def _decoded(path):
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        yield from container.decode(video=0)


def bare_decode(path):
    """Frame threads; nothing is kept."""
    return sum(1 for _ in _decoded(path))


def practical_floor(path):
    """Bare decode, and every byte of the result written once."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        block = np.empty((video.frames, video.height, video.width, 3), np.float32)
    for place, _ in enumerate(_decoded(path)):
        block[place] = 0
    return torch.from_numpy(block)


def ours(path):
    return decode(Path(path)).frames


def opencv_list_and_stack(path):
    """What small packs do; no sound."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        is_there, frame = capture.read()
        if not is_there:
            break
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    return torch.from_numpy(np.stack(frames).astype(np.float32) / 255.0)


def comfyui_core(path):
    """`get_components` of ComfyUI's own VideoFromFile; COMFYUI_PATH says where ComfyUI is."""
    sys.path.insert(0, os.environ["COMFYUI_PATH"])
    sys.argv = ["main.py", "--cpu"]
    from comfy_api.latest import InputImpl  # noqa: PLC0415 - it needs a ComfyUI, and takes seconds

    return InputImpl.VideoFromFile(str(path)).get_components().images


def videohelpersuite(path):
    """The loader of VideoHelperSuite, sound left unread; COMFYUI_PATH and VIDEOHELPERSUITE_PATH say where both are."""
    sys.path[:0] = [os.environ["COMFYUI_PATH"]]
    sys.path.append(os.environ["VIDEOHELPERSUITE_PATH"])
    sys.argv = ["main.py", "--cpu"]
    import comfy.options  # noqa: PLC0415 - it needs a ComfyUI

    comfy.options.enable_args_parsing()
    importlib.import_module(
        "utils.extra_config"
    )  # first, as main.py does: ComfyUI's nodes.py puts another `utils` in front
    server = importlib.import_module("server")
    server.PromptServer(asyncio.new_event_loop())  # the suite looks for one while it is imported
    from videohelpersuite.load_video_nodes import LoadVideoPath  # noqa: PLC0415 - as above

    choice = {"force_rate": 0, "custom_width": 0, "custom_height": 0, "frame_load_cap": 0, "skip_first_frames": 0}
    return LoadVideoPath().load_video(video=str(path), select_every_nth=1, **choice)[0]


def torchcodec(path):
    """All frames at once, as bytes, then as numbers in one more pass; no sound."""
    from torchcodec.decoders import VideoDecoder  # noqa: PLC0415 - where it is installed

    decoder = VideoDecoder(str(path), dimension_order="NHWC", num_ffmpeg_threads=0)
    return decoder.get_frames_in_range(0, len(decoder)).data.to(torch.float32).div_(255)


WAYS = {
    "bare": bare_decode,
    "floor": practical_floor,
    "ours": ours,
    "opencv": opencv_list_and_stack,
    "core": comfyui_core,
    "suite": videohelpersuite,
    "torchcodec": torchcodec,
}
