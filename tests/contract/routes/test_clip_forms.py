"""Clips in the forms that models give: kept under the ending of what they are, and delivered with every frame and their sound."""

import asyncio
import sqlite3
from contextlib import closing

import numpy as np
import pytest
import torch
from contract.routes.page import Page
from emulator import Emulator, Timeline
from emulator.quirks import QUIRKS
from emulator.rendering import TONE_HZ
from pack import load_pack
from sora2pro.nodes.run import current
from support import clips, node_runs
from support.fake_comfyui import ComfyUI

PLAIN = "pixverse/pixverse-v6/image-to-video"
FPS = 24
FORMS = {
    "clip-vp9": (".webm", "video/webm"),
    "clip-av1": (".webm", "video/webm"),
    "clip-vp9-silent": (".webm", "video/webm"),
    "clip-mov": (".mov", "video/quicktime"),
    "clip-hevc-10bit": (".mp4", "video/mp4"),
}
EVERY_FORM = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(scope="module")
def folder_of_clips(tmp_path_factory):
    """Where the emulators of this file keep what they rendered."""
    return tmp_path_factory.mktemp("rendered")


@pytest.fixture
def started(folder_of_clips, point_to):
    """Starts an emulator whose clips have a form, and points the node to it."""
    running = []

    def start(form):
        current._engine.cache_clear()
        running.append(
            Emulator(clips_dir=folder_of_clips, timeline=Timeline.after_polls(), quirks={PLAIN: QUIRKS[form]})
        )
        point_to(running[-1])
        return running[-1]

    yield start
    for emulator in running:
        emulator.close()


def picture():
    """[1, 240, 320, 3]: colours that differ in every corner."""
    row, column = torch.linspace(0.2, 0.8, 240)[:, None], torch.linspace(0.2, 0.8, 320)
    return torch.stack([row.expand(240, 320), column.expand(240, 320), (row + column) / 2], dim=-1)[None]


def bought(**inputs):
    """The one clip of a run of the node."""
    node = load_pack().NODE_CLASS_MAPPINGS["RunComfyImageToVideo"]()
    wishes = {"model": PLAIN, "prompt": "A fox runs.", "duration": 1, "resolution": "360p", "audio": "on", **inputs}
    result = asyncio.run(node.generate(image=picture(), **wishes))
    (output,) = (node_runs.Output(*clip) for clip in zip(*result["result"], strict=True))
    return output, result["ui"]


def loudest_hz(audio):
    wave = np.asarray(audio["waveform"][0, 0])
    return np.abs(np.fft.rfft(wave)).argmax() * audio["sample_rate"] / len(wave)


@EVERY_FORM
def test_every_frame_and_the_sound_arrive_for_one_charge(started, form):
    emulator = started(form)
    ending, _ = FORMS[form]
    output, _ = bought()
    assert output.video.path.suffix == ending
    assert [clips.read_frame_number(frame) for frame in output.frames] == list(range(FPS))
    assert output.fps == FPS
    expected = torch.nn.functional.interpolate(picture().permute(0, 3, 1, 2), (360, 480), mode="bilinear")[0]
    corner = slice(-80, None), slice(100, -100)  # no number is drawn there, and nothing comes round the edge
    error = output.frames[0].permute(2, 0, 1)[:, *corner] - expected[:, *corner]
    assert error.abs().mean() < 3 / 255
    waveform, rate = output.audio["waveform"], output.audio["sample_rate"]
    assert waveform.shape[-1] == pytest.approx(rate, abs=rate / FPS)
    if "silent" in form:
        assert waveform.abs().max() == 0
    else:
        assert loudest_hz(output.audio) == pytest.approx(TONE_HZ, abs=3)
    calls = len(emulator.calls)
    again, _ = bought()
    assert torch.equal(again.frames, output.frames)
    assert (again.request_id, again.video.path) == (output.request_id, output.video.path)
    assert (emulator.charges, len(emulator.calls)) == (1, calls)


@EVERY_FORM
def test_the_page_and_the_node_show_it_as_what_it_is(started, server, tmp_path, monkeypatch, form):
    emulator = started(form)
    ending, content_type = FORMS[form]
    ComfyUI(tmp_path / "comfyui").installed(monkeypatch)
    monkeypatch.setenv("RUNCOMFY_OUTPUT_DIR", str(tmp_path / "comfyui" / "output" / "sora2pro"))
    output, ui = bought()
    name = f"sora2pro_{output.request_id}{ending}"
    assert [shown["filename"] for shown in ui["images"]] == [name]
    page = Page(server, [])
    answer = page.get(f"/jobs/{output.request_id}/clip?download")
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert page.get(f"/jobs/{output.request_id}/thumbnail").headers["Content-Type"] == "image/jpeg"
    assert emulator.charges == 1


def renamed_as_before(path, state_dir):
    """A clip as earlier versions kept it: whatever it is, under `.mp4`."""
    old = path.rename(path.with_suffix(".mp4"))
    with closing(sqlite3.connect(state_dir / "journal.sqlite3")) as connection:
        connection.execute("UPDATE jobs SET path = ?", (str(old),))
        connection.commit()
    return old


def test_a_clip_that_an_earlier_version_kept_under_another_ending_is_served_as_what_it_is(started, server, tmp_path):
    emulator = started("clip-vp9")
    output, _ = bought()
    old = renamed_as_before(output.video.path, tmp_path / "state")
    emulator.close()
    current._engine.cache_clear()
    again, _ = bought()
    assert again.video.path == old
    assert torch.equal(again.frames, output.frames)
    assert Page(server, []).get(f"/jobs/{output.request_id}/clip").headers["Content-Type"] == "video/webm"
    assert emulator.charges == 1


def test_a_clip_of_an_earlier_version_stays_where_another_journal_on_the_same_folder_collects_it(
    started, point_to, tmp_path
):
    emulator = started("clip-vp9")
    output, _ = bought()
    old = renamed_as_before(output.video.path, tmp_path / "state")
    content = old.read_bytes()
    point_to(emulator, RUNCOMFY_STATE_DIR=str(tmp_path / "another"))
    current._engine.cache_clear()
    status, *_, video, _, _ = node_runs.run_status(output.request_id, "collect")
    assert (status, video.path.suffix) == ("downloaded", ".webm")
    assert old.read_bytes() == video.path.read_bytes() == content
    assert emulator.charges == 1


@pytest.mark.parametrize("form", ["clip-vp9", "clip-mov"])
def test_a_clip_that_was_deleted_or_cut_off_is_collected_again_under_its_name(started, form):
    emulator = started(form)
    output, _ = bought()
    path, content = output.video.path, output.video.path.read_bytes()
    path.unlink()
    assert bought()[0].video.path == path
    path.write_bytes(content[:1000])
    assert bought()[0].video.path == path
    assert path.read_bytes() == content
    assert {file.stem for file in path.parent.iterdir()} == {path.stem}
    assert emulator.charges == 1
