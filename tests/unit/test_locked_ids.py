"""Saved workflows hold node ids, and widgets by their position: what is listed in locked_nodes.json is out in the world.

A new input or output goes to the end of its list there. To change an entry is to break somebody's workflow.
"""

import inspect

import pytest
from pack import ROOT
from sora2pro import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS, WEB_DIRECTORY
from sora2pro.nodes.runcomfy.models import SORA_2_PRO, Role
from support.locked_nodes import NODES, inputs_of, outputs_of


def test_the_node_ids_are_those_that_saved_workflows_hold():
    assert set(NODE_CLASS_MAPPINGS) == set(NODES) == set(NODE_DISPLAY_NAME_MAPPINGS)


@pytest.mark.parametrize("node_id", NODES)
def test_the_inputs_keep_their_names_order_types_choices_and_defaults(node_id):
    assert inputs_of(NODE_CLASS_MAPPINGS[node_id].INPUT_TYPES()) == NODES[node_id]["inputs"]


@pytest.mark.parametrize("node_id", NODES)
def test_the_outputs_keep_their_names_order_and_types(node_id):
    node = NODE_CLASS_MAPPINGS[node_id]
    are_lists = getattr(node, "OUTPUT_IS_LIST", (False,) * len(node.RETURN_TYPES))
    assert outputs_of(node.RETURN_NAMES, node.RETURN_TYPES, are_lists) == NODES[node_id]["outputs"]


@pytest.mark.parametrize("node_id", NODES)
def test_every_input_and_every_output_explains_itself(node_id):
    node = NODE_CLASS_MAPPINGS[node_id]
    inputs = [options for section in node.INPUT_TYPES().values() for _kind, options in section.values()]
    assert all(options["tooltip"] for options in inputs)
    assert len(node.OUTPUT_TOOLTIPS) == len(node.RETURN_NAMES)
    assert all(node.OUTPUT_TOOLTIPS)
    assert node.DESCRIPTION


@pytest.mark.parametrize("node_id", NODES)
def test_a_graph_without_an_optional_widget_gets_the_default_the_widget_shows(node_id):
    """A graph saved before an input existed runs as if the input stood at its default."""
    node = NODE_CLASS_MAPPINGS[node_id]
    parameters = inspect.signature(getattr(node, node.FUNCTION)).parameters
    declared = inputs_of(node.INPUT_TYPES())
    shown = {entry["name"]: entry["default"] for entry in declared if "default" in entry}
    assert {name: parameters[name].default for name in shown} == shown
    assert set(parameters) - {"self"} == {entry["name"] for entry in declared}


@pytest.mark.parametrize("node_id", NODES)
def test_no_node_is_taken_for_a_paid_partner_node(node_id):
    """ComfyUI's front end locks the Run button behind an account for those."""
    node = NODE_CLASS_MAPPINGS[node_id]
    assert not hasattr(node, "API_NODE")
    assert not node.CATEGORY.lower().startswith("api node")


@pytest.mark.parametrize("node_id", NODES)
def test_comfyui_keeps_the_clip_that_a_node_shows_for_a_run_from_its_cache(node_id):
    assert NODE_CLASS_MAPPINGS[node_id].HAS_INTERMEDIATE_OUTPUT is True


def test_the_seed_stays_fixed_until_the_user_changes_it():
    """A seed that moves by itself would buy a clip with every run."""
    _kind, options = NODE_CLASS_MAPPINGS["Sora2ProImageToVideo"].INPUT_TYPES()["optional"]["seed"]
    assert options["control_after_generate"] == "fixed"


def test_only_what_a_first_time_user_needs_is_in_sight():
    """Without 'rehearse' in sight, a new node would show only what buys."""
    sections = NODE_CLASS_MAPPINGS["Sora2ProImageToVideo"].INPUT_TYPES()
    inputs = {name: options for section in sections.values() for name, (_kind, options) in section.items()}
    in_sight = [name for name, options in inputs.items() if not options.get("advanced")]
    assert sorted(in_sight) == ["image", "prompt", "rehearse", "seconds", "seed", "size"]


def test_the_web_extension_is_where_comfyui_is_told_to_look():
    assert (ROOT / WEB_DIRECTORY / "sora2pro.js").is_file()


def test_the_model_is_the_one_of_the_api_page():
    assert SORA_2_PRO.model_id == "openai/sora-2/pro/image-to-video"
    assert [str(size) for size in SORA_2_PRO.sizes] == ["1280x720", "720x1280", "1024x1792", "1792x1024"]
    assert SORA_2_PRO.input_for(Role.LENGTH).choices == (4, 8, 12)
