"""VideoHelperSuite downstream, where VIDEOHELPERSUITE_PATH names it; elsewhere this file is not collected."""

import os
from pathlib import Path

import pytest
from comfyui import measured
from comfyui.graphs import GENERATE, PICTURE, node, one_clip
from comfyui.install import ROOT, install_into
from comfyui.server import ComfyUI
from PIL import Image
from support.clips import photo


@pytest.fixture(scope="module")
def with_suite(installation, tmp_path_factory):
    """A ComfyUI with both packs."""
    suite = Path(os.environ["VIDEOHELPERSUITE_PATH"])
    install_into(installation, suite / "requirements.txt")
    base = tmp_path_factory.mktemp("with-suite")
    with ComfyUI(installation, base=base, packs={"sora2pro": ROOT, "videohelpersuite": suite}) as comfyui:
        Image.fromarray(photo(1280, 720)).save(comfyui.base / "input" / PICTURE)
        yield comfyui


def test_video_combine_takes_frames_fps_and_sound_as_they_come(with_suite):
    graph = one_clip("A carousel turns.", rehearse=True, frame_load_cap=30)
    graph["combine"] = node(
        "VHS_VideoCombine",
        images=[GENERATE, 0],
        audio=[GENERATE, 1],
        frame_rate=[GENERATE, 2],
        loop_count=0,
        filename_prefix="combined",
        format="video/h264-mp4",
        pingpong=False,
        save_output=True,
    )
    outcome = with_suite.run(graph)
    assert outcome.succeeded, outcome.error
    (combined,) = outcome.files("combine")
    assert len(measured.frames(combined)) == 30
    assert measured.duration_s(combined) == pytest.approx(1, abs=0.1)
    assert measured.loudness(combined) > 0.01
