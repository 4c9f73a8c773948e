"""What the registry hands out works alone; `tests/unit/test_packaging.py` says what is in it."""

import shutil

import pytest
from comfyui.graphs import PICTURE, one_clip
from comfyui.install import ROOT
from comfyui.server import ComfyUI
from support.packaged_files import names


@pytest.fixture
def archive(tmp_path):
    """A folder that holds what an artist would get."""
    for name in names():
        (tmp_path / "archive" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "archive" / name)
    return tmp_path / "archive"


def test_the_archive_alone_makes_a_clip_in_comfyui(archive, installation, tmp_path):
    with ComfyUI(installation, base=tmp_path / "comfyui", packs={"sora2pro-runcomfy": archive}) as comfyui:
        shutil.copy(archive / "example_workflows" / "Sora 2 Pro - image to video.jpg", comfyui.base / "input" / PICTURE)
        outcome = comfyui.run(one_clip("A leaf falls.", rehearse=True))
        assert outcome.succeeded, outcome.error
        assert len(outcome.files("save")) == 1
