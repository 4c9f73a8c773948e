"""The demo as an artist has it: the example workflow in a real ComfyUI."""

from __future__ import annotations

import json
import shutil
import webbrowser
from typing import TYPE_CHECKING, Any

from comfyui.graphs import GENERATOR, node
from comfyui.install import ROOT
from comfyui.server import ComfyUI

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from comfyui.install import Installation
    from demo.exhibits import Exhibits
    from demo.ticker import Ticker
    from PIL import Image

WORKFLOW = "Sora 2 Pro - image to video"
EXAMPLES = ROOT / "example_workflows"
PACK = "sora2pro"
# An address may name a template only by letters, digits, hyphens and underscores: a copy of the example has such a name.
SHELF, ON_SHELF = "demo", "image-to-video"
PROMPT_TIMEOUT_S = 900.0


class DemoError(Exception):
    """The workflow did not run to its end."""


def opened(installation: Installation, *, cache: Path, environment: Mapping[str, str]) -> ComfyUI:
    """A ComfyUI whose folders, and with them the journal and the clips, stay from one demo to the next."""
    return ComfyUI(
        installation, base=cache / "comfyui", packs={PACK: ROOT, SHELF: _shelf(cache / SHELF)}, environment=environment
    )


def run(comfyui: ComfyUI, picture: Image.Image, *, exhibits: Exhibits, ticker: Ticker) -> None:
    """Runs the example workflow on a picture and lays out what it saves.

    Raises:
        DemoError: it ended otherwise, with the words of its dialog.
    """
    graph = workflow()
    load = _only(graph, "LoadImage")
    picture.save(comfyui.base / "input" / graph[load]["inputs"]["image"])
    with comfyui.events() as events:
        prompt_id = comfyui.queue(graph, client_id=events.client_id)
        for event in events.follow(prompt_id, timeout_s=PROMPT_TIMEOUT_S):
            if event.name == "progress_text":
                ticker.show(event.data["text"])
    ticker.close()
    outcome = comfyui.wait(prompt_id)
    if not outcome.succeeded:
        raise DemoError(outcome.error or "The workflow was interrupted.")
    exhibits.lay_out(
        clip=outcome.files(_only(graph, "SaveVideo"))[0],
        frames=outcome.files(_only(graph, "SaveImage")),
        sound=outcome.files(_only(graph, "SaveAudio"))[0],
    )


def workflow() -> dict[str, Any]:
    """The example, except that it generates (against the emulator nothing costs money) and saves all there is to see."""
    graph = json.loads((EXAMPLES / "api" / f"{WORKFLOW}.json").read_text("utf-8"))
    clip = _only(graph, GENERATOR)
    graph[clip]["inputs"] |= {"rehearse": False, "decode_frames": True, "size": "auto"}
    graph["frames"] = node("SaveImage", images=[clip, 0], filename_prefix="image-to-video/frame")
    graph["sound"] = node("SaveAudio", audio=[clip, 1], filename_prefix="image-to-video/sound")
    return graph


def generation_widgets() -> dict[str, Any]:
    """The widgets of the generation node in the example, by name."""
    graph = workflow()
    inputs = graph[_only(graph, GENERATOR)]["inputs"]
    return {name: value for name, value in inputs.items() if not isinstance(value, list)}


def show(comfyui: ComfyUI) -> str:
    """Opens the browser with the workflow loaded; returns the address."""
    address = f"{comfyui.url}/?template={ON_SHELF}&source={SHELF}"
    webbrowser.open(address)
    return address


def _shelf(folder: Path) -> Path:
    """A pack without nodes, for the copy of the example."""
    copy = folder / "example_workflows" / f"{ON_SHELF}.json"
    copy.parent.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n", encoding="utf-8")
    shutil.copy(EXAMPLES / f"{WORKFLOW}.json", copy)
    return folder


def _only(graph: Mapping[str, Any], class_type: str) -> str:
    (node,) = [node for node, body in graph.items() if body["class_type"] == class_type]
    return node
