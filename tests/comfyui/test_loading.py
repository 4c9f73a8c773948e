"""What ComfyUI sees of the pack: the nodes as saved workflows know them, and as they explain themselves."""

import pytest
from support.locked_nodes import NODES, inputs_of, outputs_of


@pytest.fixture(scope="module", params=NODES)
def node_id(request):
    return request.param


@pytest.fixture(scope="module")
def seen(node_id, comfyui):
    return comfyui.object_info(node_id)


def test_the_pack_loads_from_a_folder_named_with_dashes_without_a_word_of_complaint(comfyui):
    assert set(NODES) <= set(comfyui.object_info())
    log_of_the_start = comfyui.log.partition("To see the GUI")[0]
    assert "/custom_nodes/ComfyUI-Sora-2-Pro" in log_of_the_start
    assert "IMPORT FAILED" not in log_of_the_start
    assert "Traceback" not in log_of_the_start


def test_the_inputs_and_outputs_are_those_that_saved_workflows_rely_on(node_id, seen):
    assert inputs_of(seen["input"]) == NODES[node_id]["inputs"]
    order = [name for names in seen["input_order"].values() for name in names]
    assert order == [entry["name"] for entry in NODES[node_id]["inputs"]]
    assert outputs_of(seen["output_name"], seen["output"], seen["output_is_list"]) == NODES[node_id]["outputs"]


def test_a_new_node_never_starts_with_a_seed_that_changes_by_itself(comfyui):
    seen = comfyui.object_info("Sora2ProImageToVideo")["input"]
    assert seen["optional"]["seed"][1]["control_after_generate"] == "fixed"


def test_every_input_and_every_output_explains_itself(seen):
    inputs = {name: options for section in seen["input"].values() for name, (_kind, options) in section.items()}
    assert [name for name, options in inputs.items() if not options.get("tooltip")] == []
    assert len(seen["output_tooltips"]) == len(seen["output"])
    assert all(seen["output_tooltips"])
    assert seen["description"]


def test_the_nodes_are_not_locked_behind_an_account_at_comfy(seen):
    assert not seen.get("api_node")
    assert seen["category"].split("/")[0] == "RunComfy"
