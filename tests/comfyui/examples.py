"""The example workflows, in both of their forms.

`example_workflows/<name>.json` is what the browser opens, edits and saves; ComfyUI's template browser lists the files of
that folder and none below it, so what a script queues lies in `example_workflows/api/<name>.json`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comfyui.install import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from comfyui.graphs import Graph

FOLDER = ROOT / "example_workflows"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
RECOVERY = "Recover a job - Sora 2 Pro or any model"  # the one that generates nothing
NOTES = ("MarkdownNote", "Note")
MUTED, BYPASSED = 2, 4  # a node's `mode`
SHORT_LIST = re.compile(
    r'\[\s+((?:"[^"\n]*"|-?[\d.]+)(?:,\s+(?:"[^"\n]*"|-?[\d.]+))*)\s+\]'
)  # of plain words and numbers
SOCKETS_ONLY = frozenset({"IMAGE", "MASK", "AUDIO", "VIDEO", "UPSCALE_MODEL", "*"})  # types without a widget


@dataclass(frozen=True, slots=True)
class Example:
    """One workflow: as the browser opens it, and as a script queues it."""

    name: str

    @property
    def opened_path(self) -> Path:
        """Where the browser's form is."""
        return FOLDER / f"{self.name}.json"

    @property
    def queued_path(self) -> Path:
        """Where the script's form is."""
        return FOLDER / "api" / f"{self.name}.json"

    @property
    def thumbnail_path(self) -> Path:
        """Where the template browser looks for its picture."""
        return FOLDER / f"{self.name}.jpg"

    @property
    def opened(self) -> dict[str, Any]:
        """The browser's form."""
        return json.loads(self.opened_path.read_text("utf-8"))

    @property
    def queued(self) -> Graph:
        """The script's form."""
        return json.loads(self.queued_path.read_text("utf-8"))


def converted(opened: Mapping[str, Any], object_info: Mapping[str, Any]) -> Graph:
    """What pressing Run queues: widget values by name instead of by position, links instead of slots.

    Args:
        opened: a workflow as the browser saves it, without subgraphs and reroutes.
        object_info: ComfyUI's description of its nodes.

    Raises:
        ValueError: the values of a node are not as many as it has widgets.
    """
    nodes = {node["id"]: node for node in opened["nodes"] if node["type"] not in NOTES}
    links = {link[0]: (link[1], link[2]) for link in opened["links"]}
    graph: Graph = {}
    for node in nodes.values():
        if node["mode"] in (MUTED, BYPASSED):
            continue
        described = object_info[node["type"]]
        inputs = _widget_values(node, described)
        for entry in node["inputs"]:
            if entry["link"] is not None:
                inputs[entry["name"]] = _source(entry["link"], nodes, links)
        known = [name for name, _ in _inputs(described)]
        graph[str(node["id"])] = {
            "class_type": node["type"],
            "inputs": {name: inputs[name] for name in known if inputs.get(name) is not None},
            "_meta": {"title": node["title"]},
        }
    return graph


def _source(link: int, nodes: Mapping[int, Any], links: Mapping[int, tuple[int, int]]) -> list[Any] | None:
    """Where a link comes from; through a bypassed node, from its first input of the same type; None behind a muted one."""
    node_id, slot = links[link]
    node = nodes[node_id]
    if node["mode"] == MUTED:
        return None
    if node["mode"] != BYPASSED:
        return [str(node_id), slot]
    wanted = node["outputs"][slot]["type"]
    same = [entry["link"] for entry in node["inputs"] if entry["type"] == wanted and entry["link"] is not None]
    return _source(same[0], nodes, links) if same else None


def _widget_values(node: Mapping[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    values = list(node["widgets_values"])
    named = {}
    for name, options in _widgets(described):
        if not values:
            break  # widgets that a newer ComfyUI has added to the node: they keep their defaults
        named[name] = values.pop(0)
        if options.get("control_after_generate") or options.get("image_upload"):
            values.pop(0)  # the browser keeps the choice or the button that stands behind such a widget
    if values:
        message = f"{node['title']} has values left over: {values}"
        raise ValueError(message)
    return named


def _widgets(described: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, (kind, *options) in _inputs(described):
        if not isinstance(kind, str) or kind not in SOCKETS_ONLY:
            yield name, options[0] if options else {}


def _inputs(described: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for group in ("required", "optional"):
        yield from described["input"].get(group, {}).items()


def as_text(document: Mapping[str, Any]) -> str:
    """JSON with short lists on one line, as a person would write a link or a position."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return SHORT_LIST.sub(lambda found: "[" + re.sub(r"\n +", " ", found[1]) + "]", text) + "\n"
