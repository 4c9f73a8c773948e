"""Where the token is not."""

import json

import requests
from comfyui.graphs import everything_saved, one_clip
from emulator import State


def test_the_token_is_in_nothing_that_leaves_or_stays(studio):
    comfyui, emulator = studio.comfyui, studio.emulator
    with comfyui.events() as events:
        assert studio.run(everything_saved("A clock strikes nine.", frame_load_cap=3)).succeeded
        prompt_id = comfyui.queue(one_clip("A clock stops."), client_id=events.client_id)
        (_, request) = studio.accepted(2)
        emulator.release(request.request_id, State.FAILED, "The request failed")
        assert comfyui.wait(prompt_id).error
        told = [(event.name, event.data) for event in events.all_until_end(prompt_id)]
    history = requests.get(f"{comfyui.url}/history", timeout=30).text
    assert prompt_id in history
    assert emulator.token not in history
    assert emulator.token not in json.dumps(told)
    assert emulator.token not in json.dumps(comfyui.object_info())
    assert emulator.token not in comfyui.log
    assert files_with(emulator.token, comfyui.base) == []


def test_the_token_goes_to_no_address_but_the_api(studio):
    assert studio.run(one_clip("A wheel turns.")).succeeded
    assert studio.emulator.leaks == []


def files_with(secret, folder):
    """Every file below a folder that holds the secret: pictures, clips, the journal, the log, all of them."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any(path.suffix == ".png" for path in files)
    assert any(path.suffix == ".mp4" for path in files)
    return [path for path in files if secret.encode() in path.read_bytes()]
