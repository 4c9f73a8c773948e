"""What ComfyUI sees of the pack."""

import json
import subprocess
import sys

import pytest
from comfyui.install import ROOT

NODES = ("Sora2ProImageToVideo", "Sora2ProStatus")
HEAVY = ("torch", "cv2", "av", "PIL", "requests", "urllib3", "sqlite3", "numpy", "comfy", "server", "folder_paths")
LOAD_AND_LIST = """
import importlib.util, json, sys
root = sys.argv[1]
spec = importlib.util.spec_from_file_location("pack-by-path", f"{root}/__init__.py", submodule_search_locations=[root])
sys.modules["pack-by-path"] = pack = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pack)
print(json.dumps({"nodes": sorted(pack.NODE_CLASS_MAPPINGS), "modules": sorted(sys.modules)}))
"""

INPUTS = ["prompt", "size", "seconds", "image", "seed", "fit", "image_url", "max_clips", "decode_frames"]
INPUTS += ["select_every_nth", "frame_load_cap", "rehearse"]
IMAGE_TO_VIDEO_DEFAULTS = {
    "prompt": "",
    "size": "720x1280",
    "seconds": 4,
    "seed": 0,
    "fit": "crop",
    "image_url": "",
    "max_clips": 1,
    "decode_frames": True,
    "select_every_nth": 1,
    "frame_load_cap": 0,
    "rehearse": False,
}
CHOICES = {
    "size": ["1280x720", "720x1280", "1024x1792", "1792x1024", "auto"],
    "seconds": [4, 8, 12],
    "fit": ["crop", "pad", "blur pad", "stretch"],
}


@pytest.fixture(scope="module", params=NODES)
def seen(request, comfyui):
    return comfyui.object_info(request.param)


def test_the_pack_loads_from_a_folder_named_with_dashes_without_a_word_of_complaint(comfyui):
    assert set(NODES) <= set(comfyui.object_info())
    log_of_the_start = comfyui.log.partition("To see the GUI")[0]
    assert "/custom_nodes/ComfyUI-Sora-2-Pro" in log_of_the_start
    assert "IMPORT FAILED" not in log_of_the_start
    assert "Traceback" not in log_of_the_start


def test_importing_the_pack_takes_a_bare_python_and_loads_nothing_heavy():
    bare_python = [sys.executable, "-I", "-S", "-c", LOAD_AND_LIST, str(ROOT)]
    loaded = json.loads(subprocess.run(bare_python, capture_output=True, text=True, check=True, timeout=60).stdout)
    assert loaded["nodes"] == sorted(NODES)
    assert not {name.partition(".")[0] for name in loaded["modules"]} & set(HEAVY)


def test_the_inputs_stand_in_the_order_that_saved_workflows_rely_on(comfyui):
    order = comfyui.object_info("Sora2ProImageToVideo")["input_order"]
    assert [*order["required"], *order["optional"]] == INPUTS


def test_the_defaults_and_choices_are_those_of_the_design(comfyui):
    seen = comfyui.object_info("Sora2ProImageToVideo")["input"]
    inputs = seen["required"] | seen["optional"]
    assert {name: inputs[name][1]["default"] for name in IMAGE_TO_VIDEO_DEFAULTS} == IMAGE_TO_VIDEO_DEFAULTS
    assert {name: choices(inputs[name]) for name in CHOICES} == CHOICES


def test_a_new_node_never_starts_with_a_seed_that_changes_by_itself(comfyui):
    seen = comfyui.object_info("Sora2ProImageToVideo")["input"]
    assert (seen["required"] | seen["optional"])["seed"][1]["control_after_generate"] == "fixed"


def test_every_input_and_every_output_explains_itself(seen):
    inputs = seen["input"].get("required", {}) | seen["input"].get("optional", {})
    assert [name for name, (_, options) in inputs.items() if not options.get("tooltip")] == []
    assert len(seen["output_tooltips"]) == len(seen["output"])
    assert all(seen["output_tooltips"])
    assert seen["description"]


def test_the_outputs_come_one_per_clip_and_in_the_order_of_the_design(comfyui):
    seen = comfyui.object_info("Sora2ProImageToVideo")
    assert seen["output_name"] == ["frames", "audio", "fps", "video", "request_id"]
    assert seen["output"] == ["IMAGE", "AUDIO", "FLOAT", "VIDEO", "STRING"]
    assert seen["output_is_list"] == [True] * 5


def test_the_nodes_are_not_locked_behind_an_account_at_comfy(seen):
    assert not seen.get("api_node")
    assert seen["category"] == "RunComfy/Sora 2 Pro"


def choices(declared):
    """Of a combo, in the older form ([choices], options) and the newer ("COMBO", {"options": choices})."""
    kind, options = declared
    return options["options"] if kind == "COMBO" else kind
