"""The examples: they open as they are queued, Run buys nothing, and what is bought is bought once."""

import io
import json
from base64 import b64decode

import numpy as np
import pytest
import requests
import torch
from comfyui import measured
from comfyui.examples import NAMES, NOTES, RECOVERY, Example, converted
from comfyui.graphs import ANY_MODEL, GENERATOR, generation, loaded, node
from emulator import Call, State
from PIL import Image
from support.clips import read_frame_number

FIRST = "Sora 2 Pro - image to video"
TITLE_HEIGHT = 30
MAX_THUMBNAIL_BYTES = 60_000
LAST_FRAME, EVERY_NTH = 119, 7  # of 4 seconds at 30 frames a second; a part of the frames that ends with the last
PATIENCE_S = 600.0


def clips(count, width, height, frames=120, sound_s=4):
    return [(width, height, frames, sound_s)] * count


# The title of each node that leaves files, and what they are: (width, height, frames, seconds of sound).
SAVED = {
    "Kling 3.0 - image to video": {"The clip": clips(1, 1896, 1080, frames=72, sound_s=3)},
    "Kling, Seedance, PixVerse - compare models": {
        "The clip of Kling 3.0": clips(1, 1896, 1080, frames=96),
        "The clip of Seedance 2.5": clips(1, 842, 480, frames=96),
        "The clip of PixVerse V6": clips(1, 632, 360, frames=96),
    },
    "Wan 3.0 - first and last frame": {"The clip": clips(1, 842, 480, frames=48, sound_s=2)},
    "Sora 2 Pro - batch of pictures": {"Both clips, with sound": clips(2, 1280, 720)},
    "Sora 2 Pro - continue from the last frame": {"The long clip": clips(1, 1280, 720, frames=240, sound_s=8)},
    "Sora 2 Pro - image to video": {
        "The clip, with sound": clips(1, 1280, 720),
    },
    "Sora 2 Pro - rehearse for free": {
        "Cut to fit, one frame a second": clips(4, 1280, 720, frames=1, sound_s=0),
        "Nothing cut, one frame a second": clips(4, 1280, 720, frames=1, sound_s=0),
    },
    "Sora 2 Pro - two sizes": {"The landscape clip": clips(1, 1280, 720), "The portrait clip": clips(1, 720, 1280)},
    "Sora 2 Pro - upscale to Full HD": {"The clip in Full HD": clips(1, 1920, 1080)},
}
# With `rehearse` off: how many requests are under way at the same time, one number for each wait.
BOUGHT = {
    "Kling 3.0 - image to video": [1],
    "Kling, Seedance, PixVerse - compare models": [3],
    "Wan 3.0 - first and last frame": [1],
    "Sora 2 Pro - batch of pictures": [2],
    "Sora 2 Pro - continue from the last frame": [1, 1],
    "Sora 2 Pro - image to video": [1],
    "Sora 2 Pro - rehearse for free": [2],
    "Sora 2 Pro - two sizes": [2],
    "Sora 2 Pro - upscale to Full HD": [1],
}


@pytest.fixture(scope="module", params=NAMES)
def example(request):
    return Example(request.param)


@pytest.fixture(scope="module", params=sorted(SAVED))
def generating(request):
    return Example(request.param)


@pytest.fixture(scope="module")
def pictures(comfyui):
    """Under the name that the examples load, and another: of a shape that `auto` takes for 1280x720, and quickly saved."""
    ramp = Image.linear_gradient("L").convert("RGB").resize((1300, 740))
    ramp.save(comfyui.base / "input" / "example.png")
    ramp.rotate(180).save(comfyui.base / "input" / "second.png")


@pytest.fixture
def a_model(comfyui):
    """An upscale model of a real kind that enlarges twofold and changes nothing: all its weights are zero."""
    weights = {
        "body.0.weight": torch.zeros(4, 3, 3, 3),
        "body.0.bias": torch.zeros(4),
        "body.1.weight": torch.zeros(4),
        "body.2.weight": torch.zeros(12, 4, 3, 3),
        "body.2.bias": torch.zeros(12),
    }
    folder = comfyui.base / "models" / "upscale_models"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(weights, folder / "twofold.pth")
    return "twofold.pth"


@pytest.mark.usefixtures("pictures")
def test_run_as_it_is_opened_costs_nothing_and_leaves_what_the_titles_say(generating, studio):
    graph = generating.queued
    outcome = studio.comfyui.run(graph, timeout_s=PATIENCE_S)
    assert outcome.succeeded, outcome.error
    assert {title: seen(outcome, graph, title) for title in SAVED[generating.name]} == SAVED[generating.name]
    assert studio.calls == []


@pytest.mark.usefixtures("pictures")
def test_with_rehearse_off_every_clip_is_bought_once_and_a_second_run_buys_nothing(generating, studio):
    graph = for_real(generating)
    waves = BOUGHT[generating.name]
    first = run_in_waves(studio, graph, waves)
    assert first.succeeded, first.error
    assert studio.charges == sum(waves)
    forget_everything(studio.comfyui)
    again = studio.comfyui.run(graph)
    assert again.cached == frozenset()
    assert [len(again.files(saver)) for saver in savers(graph)] == [len(first.files(saver)) for saver in savers(graph)]
    assert studio.charges == sum(waves)


@pytest.mark.usefixtures("pictures")
def test_the_second_clip_begins_with_the_last_frame_of_the_first(studio):
    graph = for_real(Example("Sora 2 Pro - continue from the last frame"))
    for inputs in generators(graph):
        inputs |= {"prompt": f"{inputs['prompt']} Slowly.", "frame_load_cap": 0, "select_every_nth": EVERY_NTH}
    assert run_in_waves(studio, graph, [1, 1]).succeeded
    _, second = [json.loads(call.body) for call in studio.calls if call.call is Call.SUBMIT]
    picture = Image.open(io.BytesIO(b64decode(second["input_reference"].partition(",")[2])))
    assert read_frame_number(np.asarray(picture.convert("RGB"))) == LAST_FRAME


def test_a_job_that_was_stopped_is_collected_without_a_new_charge(studio, comfyui, emulator):
    lost = {
        **loaded(),
        "generate": generation("A lost clip.", frame_load_cap=1),
        "save": node("SaveImage", images=["generate", 0], filename_prefix="lost"),
    }
    prompt_id = comfyui.queue(lost)
    (request,) = studio.accepted(1)
    emulator.release(request.request_id, State.RENDERING)
    studio.called(Call.STATUS)
    comfyui.interrupt()
    assert comfyui.wait(prompt_id).interrupted
    emulator.release(request.request_id)
    graph = Example(RECOVERY).queued
    outcome = comfyui.run(graph)
    assert outcome.succeeded, outcome.error
    assert seen(outcome, graph, "The clip, with sound") == clips(1, 1280, 720)
    assert request.request_id in outcome.shown(titled(graph, "Report"))["text"][0]
    assert studio.charges == 1


@pytest.mark.usefixtures("pictures")
def test_with_both_nodes_taken_out_of_bypass_the_frames_go_through_the_upscale_model(studio, a_model):
    opened = Example("Sora 2 Pro - upscale to Full HD").opened
    for body in opened["nodes"]:
        body["mode"] = 0
        if body["type"] == "UpscaleModelLoader":
            body["widgets_values"] = [a_model]
        if body["type"] == GENERATOR:
            body["widgets_values"][-2] = 2  # frame_load_cap
    graph = converted(opened, studio.comfyui.object_info())
    graph["enlarged"] = node("SaveImage", images=["4", 0], filename_prefix="enlarged")
    outcome = studio.comfyui.run(graph)
    assert outcome.succeeded, outcome.error
    assert [Image.open(path).size for path in outcome.files("enlarged")] == [(2560, 1440)] * 2
    assert seen(outcome, graph, "The clip in Full HD")[0][:3] == (1920, 1080, 2)


def test_what_the_browser_opens_is_what_a_script_queues(example, comfyui):
    assert converted(example.opened, comfyui.object_info()) == example.queued


def test_nothing_is_needed_but_comfyui_and_this_pack(example, comfyui):
    described = comfyui.object_info()
    modules = {described[body["class_type"]]["python_module"] for body in example.queued.values()}
    assert {module for module in modules if module.startswith("custom_nodes.")} == {"custom_nodes.ComfyUI-Sora-2-Pro"}


def test_the_template_browser_lists_every_example_once_and_has_its_picture(comfyui):
    (listed,) = requests.get(f"{comfyui.url}/workflow_templates", timeout=30).json().values()
    assert sorted(listed) == NAMES
    for name in NAMES:
        picture = requests.get(f"{comfyui.url}/api/workflow_templates/ComfyUI-Sora-2-Pro/{name}.jpg", timeout=30)
        assert picture.headers["Content-Type"] == "image/jpeg"
        assert len(picture.content) < MAX_THUMBNAIL_BYTES


def test_every_node_that_could_buy_opens_on_rehearse_and_a_note_says_what_a_clip_takes(example):
    buyers = generators(example.queued)
    assert all(inputs["rehearse"] is True for inputs in buyers)
    assert all(inputs.get("seconds", inputs.get("duration")) in range(1, 5) for inputs in buyers)
    notes = " ".join(body["widgets_values"][0] for body in example.opened["nodes"] if body["type"] in NOTES)
    for words in ("rehearse", "costs money", "token") if buyers else ("no new charge",):
        assert words in notes


def test_an_example_for_any_model_saves_videos_only_and_wants_nothing_that_costs_more():
    examples = [graph for graph in (Example(name).queued for name in NAMES) if ANY_MODEL in kinds(graph)]
    assert len(examples) == 3
    for graph in examples:
        assert kinds(graph) == {"LoadImage", ANY_MODEL, "SaveVideo"}
        assert all(inputs["audio"] == "off" for inputs in generators(graph))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_found_in_the_template_browser_by_the_name_of_its_model(name):
    """The browser shows, and searches, the name of the file."""
    models = ("Sora 2 Pro", "Kling 3.0", "Wan 3.0", "Kling, Seedance, PixVerse")
    assert name.startswith(models) or name.endswith(" - Sora 2 Pro or any model")


def test_the_first_example_saves_its_video_and_nothing_else_at_a_size_that_does_not_cost_more():
    graph = Example(FIRST).queued
    assert kinds(graph) == {"LoadImage", GENERATOR, "SaveVideo"}
    assert [inputs["size"] for inputs in generators(graph)] == ["1280x720"]


# Those that join pictures: what replaces this node came after ComfyUI 0.3.75.
@pytest.mark.parametrize("name", NAMES)
def test_no_example_uses_a_node_that_comfyui_has_deprecated(name, comfyui):
    described = comfyui.object_info()
    deprecated = {kind for kind in kinds(Example(name).queued) if described[kind].get("deprecated")}
    assert deprecated <= {"ImageBatch"}


def test_no_two_nodes_lie_on_each_other(example):
    boxes = [(*body["pos"], *body["size"], body["title"]) for body in example.opened["nodes"]]
    for number, (left, top, width, height, title) in enumerate(boxes):
        for other_left, other_top, other_width, other_height, other in boxes[number + 1 :]:
            beside = left + width <= other_left or other_left + other_width <= left
            above = top + height + TITLE_HEIGHT <= other_top or other_top + other_height + TITLE_HEIGHT <= top
            assert beside or above, (title, other)


def test_every_link_is_known_at_both_of_its_ends(example):
    nodes = {body["id"]: body for body in example.opened["nodes"]}
    links = example.opened["links"]
    for link, source, slot, target, target_slot, kind in links:
        assert link in nodes[source]["outputs"][slot]["links"]
        assert (nodes[source]["outputs"][slot]["type"], nodes[target]["inputs"][target_slot]["link"]) == (kind, link)
    assert sorted(link[0] for link in links) == sorted(
        entry["link"] for body in nodes.values() for entry in body["inputs"] if entry["link"] is not None
    )


def for_real(example):
    """The graph with `rehearse` off, its second picture chosen, and few frames; each example has a take of its own."""
    graph = example.queued
    for number, body in enumerate(loader for loader in graph.values() if loader["class_type"] == "LoadImage"):
        body["inputs"]["image"] = ["example.png", "second.png"][number]
    for inputs in generators(graph):
        inputs |= {"rehearse": False, "seed": NAMES.index(example.name), "frame_load_cap": 8}
    return graph


def generators(graph):
    return [body["inputs"] for body in graph.values() if body["class_type"] in (GENERATOR, ANY_MODEL)]


def kinds(graph):
    return {body["class_type"] for body in graph.values()}


def run_in_waves(studio, graph, waves):
    """Runs a graph; RunComfy goes on only when as many requests as the wave counts wait side by side."""
    prompt_id = studio.comfyui.queue(graph)
    released = 0
    for wave in waves:
        for request in studio.accepted(released + wave)[released:]:
            studio.emulator.release(request.request_id)
        released += wave
    return studio.comfyui.wait(prompt_id)


def forget_everything(comfyui):
    """As a restart does, without the wait; ComfyUI does it before the second prompt from here on."""
    requests.post(f"{comfyui.url}/free", json={"free_memory": True}, timeout=30).raise_for_status()
    shown = {"shown": node("PreviewImage", images=["picture", 0])}
    assert comfyui.run(loaded() | shown).succeeded


def titled(graph, title):
    (found,) = [node_id for node_id, body in graph.items() if body.get("_meta") == {"title": title}]
    return found


def savers(graph):
    return [node_id for node_id, body in graph.items() if body["class_type"].startswith(("Save", "Preview"))]


def seen(outcome, graph, title):
    """(width, height, frames, seconds of sound) of every file that a node has left."""
    return [measured.kind(path) for path in outcome.files(titled(graph, title))]
