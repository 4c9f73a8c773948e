"""What the registry hands out: the tracked files without those in .comfyignore."""

import shutil
import subprocess

import pytest
from comfyui.graphs import one_clip
from comfyui.install import ROOT
from comfyui.server import ComfyUI

AT_THE_TOP = {
    "__init__.py",
    "nodes",
    "web",
    "locales",
    "example_workflows",
    "pyproject.toml",
    "requirements.txt",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
}
MAX_BYTES = 4_000_000


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A folder that holds what an artist would get."""
    folder = tmp_path_factory.mktemp("archive")
    left_out = set(tracked("--ignored", "--exclude-from=.comfyignore"))
    for name in tracked():
        if name not in left_out:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def test_an_artist_gets_the_pack_and_nothing_of_its_workshop(archive):
    assert {path.name for path in archive.iterdir()} <= AT_THE_TOP
    assert sum(path.stat().st_size for path in archive.rglob("*") if path.is_file()) < MAX_BYTES


def test_the_archive_alone_makes_a_clip_in_comfyui(archive, installation, tmp_path):
    with ComfyUI(installation, base=tmp_path, packs={"sora2pro-runcomfy": archive}) as comfyui:
        shutil.copy(archive / "example_workflows" / "image-to-video.jpg", comfyui.base / "input" / "picture.png")
        outcome = comfyui.run(one_clip("A leaf falls.", rehearse=True))
        assert outcome.succeeded, outcome.error
        assert len(outcome.files("save")) == 1


def tracked(*narrowed):
    command = ["git", "ls-files", "-z", "--cached", *narrowed]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    return [name for name in listed.stdout.decode().split("\0") if name]
