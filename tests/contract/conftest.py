"""An emulator with clips that are small and true, and the engine on it."""

import os
import time
from dataclasses import dataclass, field

import numpy as np
import pytest
from emulator import Emulator, Timeline
from sora2pro.nodes.media.rehearsal import render
from support.engine_fixture import Rig


@dataclass(frozen=True)
class SameClip:
    """Renders nothing; equal names let all emulators of a run share the folder of clips."""

    content: bytes = field(repr=False)

    def __call__(self, _picture, path, **_length):
        path.write_bytes(self.content)


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """A whole clip in 16 kB: 64 x 64 pixels, 8 frames, 1 second, with sound."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    render(np.full((64, 64, 3), 90, np.uint8), path, seconds=1, fps=8, mark=None, frame_counter=True)
    return path.read_bytes()


@pytest.fixture(scope="session")
def clips_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("clips")


@pytest.fixture
def start_emulator(clip, clips_dir):
    """Starts emulators whose every clip is `clip`; they end with the test."""
    started = []

    def start(timeline=None, **options):
        timeline = timeline or Timeline.after_polls(queued=1, rendering=1)
        started.append(Emulator(render=SameClip(clip), clips_dir=clips_dir, timeline=timeline, **options))
        return started[-1]

    yield start
    for emulator in started:
        emulator.close()


@pytest.fixture
def emulator(start_emulator):
    return start_emulator()


@pytest.fixture
def rig_on(tmp_path):
    """Builds the engine on an emulator; all of one test share one state folder, as ComfyUI after a restart does."""
    return lambda emulator, root=tmp_path, **changes: Rig(emulator.url, emulator.token, root, **changes)


@pytest.fixture
def rig(rig_on, emulator):
    return rig_on(emulator)


@pytest.fixture
def point_to(monkeypatch, tmp_path):
    """Points the node in this process to an emulator and to a folder; a variable that is None is not set.

    Nothing that the person who runs the tests has set or saved is seen.
    """

    def point(emulator, root=tmp_path, **variables):
        for name in [name for name in os.environ if name.startswith("RUNCOMFY_")]:
            monkeypatch.delenv(name)
        for name, value in (emulator.environment(root) | variables).items():
            if value is not None:
                monkeypatch.setenv(name, value)
        for name in ("HOME", "USERPROFILE"):
            monkeypatch.setenv(name, str(tmp_path))

    return point


@pytest.fixture
def death_seed(capsys):
    """Where the random moments of kills come from; printed, so that the same ones can be tried again."""
    seed = int(os.environ.get("DEATH_SEED") or time.time_ns() % 1_000_000)
    with capsys.disabled():
        print(f" DEATH_SEED={seed} ", end="")  # noqa: T201 - it is there to be read
    return seed
