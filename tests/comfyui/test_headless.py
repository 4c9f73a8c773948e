"""What the README tells those who queue from a script: its commands, on a real ComfyUI."""

import json
import re
import shlex
import subprocess

import pytest
from comfyui.install import ROOT
from comfyui.outcome import Outcome

README = (ROOT / "README.md").read_text("utf-8")
QUEUE, ASK = re.findall(r"^curl .*$", README, re.MULTILINE)
TIMEOUT_S = 60


def answer_of(command, comfyui, **changes):
    """What a command of the README prints, at this ComfyUI instead of the usual address."""
    for old, new in {"127.0.0.1:8188": f"127.0.0.1:{comfyui.port}", **changes}.items():
        assert old in command
        command = command.replace(old, new)
    done = subprocess.run(
        ["/bin/bash", "-c", command], cwd=ROOT, capture_output=True, check=True, text=True, timeout=TIMEOUT_S
    )
    return json.loads(done.stdout)


def record_of(prompt_id, comfyui):
    comfyui.wait(prompt_id)
    return answer_of(ASK, comfyui, PROMPT_ID=prompt_id)[prompt_id]


@pytest.fixture
def example(comfyui):
    """A copy of the README's example that may be changed, on the picture of these tests."""
    (path,) = [ROOT / word for word in re.findall(r"example_workflows/api/[^']*\.json", QUEUE)]
    graph = json.loads(path.read_text("utf-8"))
    (comfyui.base / "input" / "example.png").write_bytes((comfyui.base / "input" / "picture.png").read_bytes())
    return path, graph


def test_the_example_is_queued_and_its_record_says_what_became_of_it(studio, example):
    queued = answer_of(QUEUE, studio.comfyui)
    record = record_of(queued["prompt_id"], studio.comfyui)
    assert record["status"]["status_str"] == "success"
    (saver,) = [node for node, body in example[1].items() if body["class_type"] == "SaveVideo"]
    (clip,) = Outcome.of(record, studio.comfyui.base).files(saver)
    assert clip.is_file()
    assert studio.calls == []


def test_a_graph_that_fails_has_the_sentences_of_the_node_in_its_record(studio, example, tmp_path):
    path, graph = example
    for body in graph.values():
        if "rehearse" in body["inputs"]:
            body["inputs"] |= {"rehearse": False, "duration": 59}
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(graph), encoding="utf-8")
    queued = answer_of(QUEUE, studio.comfyui, **{str(path.relative_to(ROOT)): str(changed)})
    status = record_of(queued["prompt_id"], studio.comfyui)["status"]
    assert status["status_str"] == "error"
    assert "nothing was charged" in dict(status["messages"])["execution_error"]["exception_message"]
    assert studio.charges == 0


def test_a_graph_that_comfyui_does_not_accept_ends_the_command_with_an_error(studio, example, tmp_path):
    changed = tmp_path / "changed.json"
    changed.write_text('{"1": {"class_type": "NoSuchNode", "inputs": {}}}', encoding="utf-8")
    with pytest.raises(subprocess.CalledProcessError) as raised:
        answer_of(QUEUE, studio.comfyui, **{str(example[0].relative_to(ROOT)): str(changed)})
    assert "error" in json.loads(raised.value.stdout)


def test_the_commands_are_meant_for_the_folder_of_the_pack():
    assert all(shlex.split(command)[0] == "curl" for command in (QUEUE, ASK))
