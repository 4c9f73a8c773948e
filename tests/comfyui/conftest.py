"""One ComfyUI for all tests of this folder, next to one emulator whose requests move by hand."""

import os

import pytest
from comfyui.graphs import PICTURE
from comfyui.install import ROOT
from comfyui.server import ComfyUI
from comfyui.studio import Studio
from emulator import Emulator, Timeline
from PIL import Image
from support.clips import photo

# A pack of others, which PyPI does not have: its test is there for whoever names a folder that holds it.
collect_ignore = [] if os.environ.get("VIDEOHELPERSUITE_PATH") else ["test_videohelpersuite.py"]

PICTURE_SIZE = (1500, 900)  # none of the model's, so that it must be fitted


@pytest.fixture(scope="session")
def emulator():
    with Emulator(timeline=Timeline.by_hand()) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def open_comfyui(installation, emulator, tmp_path_factory):
    """Starts a ComfyUI with the pack in a folder of the given name and the picture among its inputs."""

    def open_comfyui(folder, **environment):
        base = tmp_path_factory.mktemp("comfyui")
        comfyui = ComfyUI(
            installation, base=base, packs={folder: ROOT}, environment=emulator.environment() | environment
        )
        Image.fromarray(photo(*PICTURE_SIZE)).save(comfyui.base / "input" / PICTURE)
        return comfyui

    return open_comfyui


@pytest.fixture(scope="session")
def comfyui(open_comfyui):
    # All tests of a day together buy more than the limit that holds where nobody has set one.
    with open_comfyui("ComfyUI-Sora-2-Pro", RUNCOMFY_MAX_USD_PER_DAY="none") as comfyui:
        yield comfyui


@pytest.fixture
def studio(comfyui, emulator):
    return Studio.from_now(comfyui, emulator)
