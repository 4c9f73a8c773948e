"""Graphs in ComfyUI's API format, as small as the question they ask."""

from __future__ import annotations

from typing import Any

PICTURE = "picture.png"
GENERATOR = "Sora2ProImageToVideo"
ANY_MODEL = "RunComfyImageToVideo"
GENERATE = "generate"  # the id of the generation node in every graph of one clip

Graph = dict[str, dict[str, Any]]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """One node; an input that is [node id, slot] is a link."""
    return {"class_type": class_type, "inputs": inputs}


def generation(prompt: str, **widgets: Any) -> dict[str, Any]:
    """The generation node on the picture that `loaded` loads."""
    chosen = {"size": "1280x720", "seconds": 4} | widgets
    return node(GENERATOR, image=["picture", 0], prompt=prompt, **chosen)


def loaded() -> Graph:
    """The picture."""
    return {"picture": node("LoadImage", image=PICTURE)}


def one_clip(prompt: str, **widgets: Any) -> Graph:
    """Picture to clip, and the first frame as a file: the least that ComfyUI runs."""
    return {
        **loaded(),
        GENERATE: generation(prompt, **{"frame_load_cap": 1} | widgets),
        "save": node("SaveImage", images=[GENERATE, 0], filename_prefix="first"),
    }


def everything_saved(prompt: str, **widgets: Any) -> Graph:
    """Picture to clip; its frames scaled to half and saved, its sound and its video saved."""
    half = {"upscale_method": "area", "width": 640, "height": 360, "crop": "disabled"}
    return {
        **loaded(),
        GENERATE: generation(prompt, **widgets),
        "half": node("ImageScale", image=[GENERATE, 0], **half),
        "frames": node("SaveImage", images=["half", 0], filename_prefix="frame"),
        "sound": node("SaveAudio", audio=[GENERATE, 1], filename_prefix="sound"),
        "video": node("SaveVideo", video=[GENERATE, 3], filename_prefix="clip", format="auto", codec="auto"),
    }
