"""All that the pack knows of ComfyUI. Without ComfyUI each function does the sensible thing, so that a node is a plain class.

Every import is inside a function: which of these modules exist depends on the version of ComfyUI, and loading the pack must
load none of them.
"""

from __future__ import annotations

import html
import importlib
import logging
import os
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .environment import read_variable
from .errors import Stopped

APP_NAME = "sora2pro"
CATEGORY = "RunComfy"  # where the nodes stand in ComfyUI's menu
PROGRESS_STEPS = 1000
logger = logging.getLogger("runcomfy.sora2pro.host")


def _module(name: str) -> Any:  # noqa: ANN401 - a module of whatever ComfyUI there is
    """A module of ComfyUI, or None outside of it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def default_state_dir() -> Path:
    """Where state is kept: in ComfyUI's system user folder, which it serves to nobody; outside ComfyUI, in the platform's."""
    folder_paths = _module("folder_paths")
    if folder_paths is None:
        return _platform_state_dir()
    if hasattr(folder_paths, "get_system_user_directory"):
        return Path(folder_paths.get_system_user_directory(APP_NAME))
    return Path(folder_paths.get_user_directory()) / f"__{APP_NAME}"


def comfyui_around(pack: Path) -> Path | None:
    """The folder of the ComfyUI that a pack is in, for commands that run without it: the one that has `custom_nodes`.

    A pack that is linked there was entered by the name of the link.
    """
    entered = Path(os.environ.get("PWD", ""))
    for folder in (pack, entered):
        if folder.parent.name == "custom_nodes" and folder.exists() and folder.samefile(pack):
            return folder.parents[1]
    return None


def _platform_state_dir() -> Path:
    if sys.platform == "win32":
        return _folder_of("LOCALAPPDATA", Path.home() / "AppData" / "Local") / APP_NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / APP_NAME
    return _folder_of("XDG_STATE_HOME", Path.home() / ".local" / "state") / APP_NAME


def _folder_of(variable: str, default: Path) -> Path:
    """The folder of the platform's variable; a relative one is ignored.

    As https://specifications.freedesktop.org/basedir-spec/latest/ requires.
    """
    folder = Path(read_variable(os.environ, variable))
    return folder if folder.is_absolute() else default


def default_output_dir() -> Path:
    """Where clips are kept."""
    folder_paths = _module("folder_paths")
    root = Path.cwd() / "output" if folder_paths is None else Path(folder_paths.get_output_directory())
    return root / APP_NAME


def picture_file(name: str) -> Path | None:
    """The file that ComfyUI's Load Image reads under a name; None where it is not in one of ComfyUI's own folders."""
    folder_paths = _module("folder_paths")
    if folder_paths is None:
        return None
    roots = [
        Path(folder_paths.get_input_directory()),
        Path(folder_paths.get_output_directory()),
        Path(folder_paths.get_temp_directory()),
    ]
    try:
        path = Path(os.path.normpath(folder_paths.get_annotated_filepath(name)))
        # A name that leads out of the folders is not even looked at: on Windows a look may call another machine.
        if not any(path.is_relative_to(root) for root in roots):
            return None
        path = path.resolve()
        return path if path.is_file() and any(path.is_relative_to(root.resolve()) for root in roots) else None
    except (OSError, ValueError):
        return None


def load_pictures(name: str) -> Any:  # noqa: ANN401 - ComfyUI's IMAGE
    """What ComfyUI's own Load Image gives for a name: an IMAGE [B, H, W, C]; None where this ComfyUI has no such node."""
    kinds = getattr(sys.modules.get("nodes"), "NODE_CLASS_MAPPINGS", {})
    loader = kinds.get("LoadImage")
    outputs = None if loader is None else getattr(loader(), loader.FUNCTION)(name)
    return outputs[0] if isinstance(outputs, tuple) else None


def comfyui_version() -> str:
    """ComfyUI's version; empty outside of it."""
    return str(getattr(_module("comfyui_version"), "__version__", ""))


def is_interrupted() -> bool:
    """Whether the user pressed Stop. Looking does not consume the signal: sibling nodes must see it too."""
    management = _module("comfy.model_management")
    return management is not None and bool(management.processing_interrupted())


def interruption(message: str) -> BaseException:
    """What a node raises when it was stopped: ComfyUI reports it as an interruption, not as an error."""
    management = _module("comfy.model_management")
    return Stopped(message) if management is None else management.InterruptProcessingException(message)


def is_interruption(error: BaseException) -> bool:
    """Whether an exception is what `interruption` makes, or ComfyUI itself raises on Stop."""
    management = _module("comfy.model_management")
    return management is not None and isinstance(error, management.InterruptProcessingException)


@dataclass(frozen=True, slots=True)
class Place:
    """Which node of which prompt is running, all None outside ComfyUI; and for which item, where the node is fed a list."""

    node_id: str | None
    prompt_id: str | None
    list_index: int | None = None


def current_place() -> Place:
    """The node, prompt and item that the calling coroutine runs for."""
    utils = _module("comfy_execution.utils")
    context = utils.get_executing_context() if utils is not None else None
    if context is None:
        return Place(None, None)
    return Place(context.node_id, context.prompt_id, getattr(context, "list_index", None))


def workflow_id(prompt_id: str | None) -> str | None:
    """The workflow that the browser had open when it queued a running prompt; None for a prompt of a script.

    Node ids are unique within one workflow only, so the page needs it to find the node.
    """
    workflow = (_extra_data(prompt_id).get("extra_pnginfo") or {}).get("workflow") or {}
    return str(workflow["id"]) if workflow.get("id") else None


def page_note(prompt_id: str | None) -> Mapping[str, Any] | None:
    """What the pack's page wrote beside a running prompt when it queued it; None for a prompt of a script."""
    note = _extra_data(prompt_id).get(APP_NAME)
    return note if isinstance(note, Mapping) else None


def has_page() -> bool:
    """Whether the page that queued the running prompt is connected."""
    server = _prompt_server()
    return server is not None and server.client_id is not None and server.client_id in getattr(server, "sockets", {})


def _extra_data(prompt_id: str | None) -> Mapping[str, Any]:
    """What came to ComfyUI beside the graph of a running prompt."""
    queue = getattr(_prompt_server(), "prompt_queue", None)
    if queue is None or prompt_id is None:
        return {}
    running = getattr(queue, "get_current_queue_volatile", queue.get_current_queue)()[0]
    return next((extra for _, running_id, _, extra, *_ in running if running_id == prompt_id), {})


def route_table() -> Any:  # noqa: ANN401 - aiohttp's RouteTableDef or None
    """Where routes are added while ComfyUI loads the pack; None outside ComfyUI. Imports nothing."""
    server = sys.modules.get("server")
    return getattr(getattr(getattr(server, "PromptServer", None), "instance", None), "routes", None)


def own_names() -> list[str]:
    """Names, in lower case, by which this machine or its ComfyUI may be addressed. Imports nothing."""
    name = socket.gethostname().lower()
    arguments = getattr(sys.modules.get("comfy.cli_args"), "args", None)
    listens_on = str(getattr(arguments, "listen", None) or "")
    return [name, f"{name.partition('.')[0]}.local", *filter(None, map(str.strip, listens_on.lower().split(",")))]


class Display:
    """The bar and the line of text on one node. Call it from the node's own coroutine."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._text = ""
        self._fraction = 0.0
        comfy_utils = _module("comfy.utils") if place.node_id is not None else None
        self._bar = None if comfy_utils is None else comfy_utils.ProgressBar(PROGRESS_STEPS, node_id=place.node_id)

    def show(self, text: str, fraction: float) -> None:
        """Show a text and how much of the work on this machine is done, 0 to 1; what is already shown is not sent again."""
        if text != self._text:
            self._text = text
            self._send_text(text)
        if fraction != self._fraction and self._bar is not None:
            self._fraction = fraction
            self._update(self._bar, fraction)

    def send(self, event: str, document: dict[str, Any]) -> None:
        """Tell the web extension; without a browser nobody receives it."""
        server = _prompt_server()
        if server is not None and self._place.node_id is not None:
            ids = {"node": self._place.node_id, "prompt_id": self._place.prompt_id}
            server.send_sync(event, {**document, **ids}, server.client_id)

    def _send_text(self, text: str) -> None:
        server = _prompt_server()
        if server is not None and self._place.node_id is not None and hasattr(server, "send_progress_text"):
            # The page inserts it as HTML.
            server.send_progress_text(html.escape(text, quote=False), self._place.node_id, server.client_id)

    def _update(self, bar: Any, fraction: float) -> None:  # noqa: ANN401 - ComfyUI's ProgressBar
        management = _module("comfy.model_management")
        try:
            bar.update_absolute(int(fraction * PROGRESS_STEPS), PROGRESS_STEPS)
        except management.InterruptProcessingException:
            # The bar uses the signal up when it sees it. Set it again: sibling nodes look at it too, and so do we.
            management.interrupt_current_processing(True)  # noqa: FBT003 - ComfyUI's signature


def _prompt_server() -> Any:  # noqa: ANN401 - ComfyUI's PromptServer or None
    server = _module("server")
    return getattr(getattr(server, "PromptServer", None), "instance", None)


def blocked(reason: str) -> Any:  # noqa: ANN401 - ComfyUI's ExecutionBlocker
    """An output that is not available, with the reason that nodes downstream show."""
    graph_utils = _module("comfy_execution.graph_utils")
    return Blocked(reason) if graph_utils is None else graph_utils.ExecutionBlocker(reason)


@dataclass(frozen=True, slots=True)
class Blocked:
    """Stands for ComfyUI's ExecutionBlocker outside of it."""

    message: str


def video(path: Path) -> Any:  # noqa: ANN401 - ComfyUI's VideoInput
    """A VIDEO that reads its file only when it is used."""
    api = _module("comfy_api.latest")
    return ClipFile(path) if api is None else api.InputImpl.VideoFromFile(str(path))


@dataclass(frozen=True, slots=True)
class ClipFile:
    """Stands for ComfyUI's VideoFromFile outside of it."""

    path: Path

    def save_to(self, path: Path | str) -> None:
        """Copy the clip as it is."""
        shutil.copyfile(self.path, path)


def preview(paths: list[Path]) -> dict[str, Any]:
    """What a node returns as `ui` so that clips in ComfyUI's output folder play on it; empty for clips elsewhere."""
    subfolders = [(path, output_subfolder(path)) for path in paths]
    shown = [
        {"filename": path.name, "subfolder": subfolder, "type": "output"}
        for path, subfolder in subfolders
        if subfolder is not None
    ]
    return {"images": shown, "animated": (True,)} if shown else {}


def output_subfolder(path: Path) -> str | None:
    """In which folder below ComfyUI's output folder a file is; empty for that one itself, None for a file elsewhere."""
    folder_paths = _module("folder_paths")
    if folder_paths is None:
        return None
    try:
        place = path.resolve().relative_to(Path(folder_paths.get_output_directory()).resolve())
    except ValueError:
        return None
    return "" if place.parent == Path() else place.parent.as_posix()
