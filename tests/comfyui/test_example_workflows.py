"""The examples: what the browser opens is what a script queues, and pressing Run buys nothing."""

import json

import pytest
from comfyui.install import ROOT
from PIL import Image

EXAMPLES = ROOT / "example_workflows"
NAMES = sorted(path.stem for path in (EXAMPLES / "api").glob("*.json"))
OURS = "Sora2ProImageToVideo"


@pytest.fixture(scope="module", params=NAMES)
def example(request):
    """A name, the workflow as the browser opens it, and the same as a script queues it."""
    name = request.param
    return name, read(EXAMPLES / f"{name}.json"), read(EXAMPLES / "api" / f"{name}.json")


@pytest.fixture(scope="module")
def picture(comfyui):
    """Stands under the name that the examples load; smooth, because every frame of it is saved as PNG."""
    Image.linear_gradient("L").convert("RGB").resize((1280, 720)).save(comfyui.base / "input" / "example.png")


@pytest.mark.usefixtures("picture")
def test_run_costs_nothing_and_every_node_that_saves_leaves_a_file(example, studio):
    _, _, graph = example
    outcome = studio.comfyui.run(graph)
    assert outcome.succeeded, outcome.error
    saved = [outcome.files(node) for node, body in graph.items() if body["class_type"].startswith("Save")]
    assert saved
    assert all(saved)
    assert all(path.is_file() for files in saved for path in files)
    assert studio.calls == []


def test_the_browser_opens_the_same_graph_that_a_script_queues(example):
    _, opened, queued = example
    nodes = {str(node["id"]): node for node in opened["nodes"] if node["type"] != "MarkdownNote"}
    assert {node: body["type"] for node, body in nodes.items()} == {
        node: body["class_type"] for node, body in queued.items()
    }
    assert {node: body["widgets_values"] for node, body in nodes.items()} == {
        node: widget_values(body) for node, body in queued.items()
    }
    assert links_opened(opened, nodes) == links_queued(queued)


def test_a_note_on_the_canvas_says_that_run_is_free_and_what_a_real_clip_takes(example):
    _, opened, _ = example
    (note,) = [node["widgets_values"][0] for node in opened["nodes"] if node["type"] == "MarkdownNote"]
    assert "rehearse" in note
    assert "costs money" in note


def test_the_template_browser_has_a_picture_of_it(example):
    name, _, _ = example
    assert (EXAMPLES / f"{name}.jpg").is_file()


def read(path):
    return json.loads(path.read_text("utf-8"))


def widget_values(body):
    """As the browser holds them: by position, with the two values that stand behind a widget of their own."""
    values = []
    for name, value in body["inputs"].items():
        if not isinstance(value, list):
            values.append(value)
        if (body["class_type"], name) == (OURS, "seed"):
            values.append("fixed")
        if (body["class_type"], name) == ("LoadImage", "image"):
            values.append("image")
    return values


def links_queued(graph):
    return {
        (*value, node, name)
        for node, body in graph.items()
        for name, value in body["inputs"].items()
        if type(value) is list
    }


def links_opened(opened, nodes):
    """(from node, slot, to node, input), as the links say; each input must name the same link."""
    found = set()
    for link, source, slot, target, target_slot, _ in opened["links"]:
        entry = nodes[str(target)]["inputs"][target_slot]
        assert entry["link"] == link
        assert link in nodes[str(source)]["outputs"][slot]["links"]
        found.add((str(source), slot, str(target), entry["name"]))
    return found
