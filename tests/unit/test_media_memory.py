import json
import os
import subprocess
import sys
from itertools import repeat
from pathlib import Path

import psutil
import pytest
from sora2pro.nodes.errors import NOTHING_SENT, NotEnoughRoomError
from sora2pro.nodes.media.decode import decode
from sora2pro.nodes.media.memory import available_bytes, check_room, frames_bytes
from support import clips

GIB = 1024**3
TESTS = Path(clips.__file__).parents[1]


@pytest.fixture
def machine(tmp_path):
    """Writes the files in which Linux says how much memory there is."""

    def write(files):
        for name, text in {"proc/meminfo": "MemTotal: 99 kB\nMemAvailable:   16777216 kB\n", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return available_bytes(proc=tmp_path / "proc", cgroup=tmp_path / "cgroup")

    return write


def test_frames_need_four_bytes_for_each_of_three_colours():
    assert frames_bytes(1792, 1024, 360) == 1792 * 1024 * 360 * 12


def test_without_control_groups_the_machine_decides(machine):
    assert machine({}) == 16 * GIB


@pytest.mark.parametrize(
    ("files", "gib"),
    [
        ({"cgroup/memory.max": "max\n", "cgroup/memory.current": str(4 * GIB)}, 16),
        ({"cgroup/memory.max": f"{6 * GIB}\n", "cgroup/memory.current": str(4 * GIB)}, 2),
        (
            {
                "cgroup/memory.max": str(6 * GIB),
                "cgroup/memory.current": str(4 * GIB),
                "cgroup/memory.stat": f"anon 7\ninactive_file {3 * GIB}\nactive_file 5\n",
            },
            5,
        ),
        ({"cgroup/memory.max": str(64 * GIB), "cgroup/memory.current": str(GIB)}, 16),
        ({"cgroup/memory.max": str(GIB), "cgroup/memory.current": str(2 * GIB)}, -1),
    ],
)
def test_a_control_group_v2_can_leave_less_than_the_machine(machine, files, gib):
    assert machine({"proc/self/cgroup": "0::/\n", **files}) == gib * GIB


def test_the_tightest_group_on_the_way_to_the_root_counts(machine):
    files = {
        "proc/self/cgroup": "0::/outer/inner\n",
        "cgroup/outer/memory.max": str(3 * GIB),
        "cgroup/outer/memory.current": str(GIB),
        "cgroup/outer/inner/memory.max": str(8 * GIB),
        "cgroup/outer/inner/memory.current": str(GIB),
    }
    assert machine(files) == 2 * GIB


def test_a_container_that_sees_only_its_own_group_is_found_at_the_root(machine):
    """Docker shows a path from outside, which does not exist inside."""
    files = {
        "proc/self/cgroup": "0::/docker/0123456789\n",
        "cgroup/memory.max": str(3 * GIB),
        "cgroup/memory.current": str(GIB),
    }
    assert machine(files) == 2 * GIB


def test_control_groups_v1_are_understood_too(machine):
    files = {
        "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/1\n1:name=systemd:/x\n",
        "cgroup/memory/memory.limit_in_bytes": str(5 * GIB),
        "cgroup/memory/memory.usage_in_bytes": str(4 * GIB),
        "cgroup/memory/memory.stat": f"cache 1\ntotal_inactive_file {GIB}\n",
        "cgroup/memory/docker/1/memory.limit_in_bytes": "9223372036854771712",
        "cgroup/memory/docker/1/memory.usage_in_bytes": "1",
    }
    assert machine(files) == 2 * GIB


def test_what_does_not_fit_is_refused_before_money_with_the_ways_out():
    with pytest.raises(NotEnoughRoomError) as caught:
        check_room(frames_bytes(1792, 1024, 360), available=4 * GIB)
    text = str(caught.value)
    assert "7.4 GiB" in text
    assert "4.0 GiB" in text
    assert NOTHING_SENT in text
    assert all(way in text for way in ("decode_frames", "select_every_nth", "frame_load_cap"))


def test_what_fits_with_room_to_breathe_is_not_refused():
    check_room(3 * GIB, available=4 * GIB)
    with pytest.raises(NotEnoughRoomError):
        check_room(4 * GIB, available=4 * GIB)


def test_where_the_system_has_no_proc_what_is_free_counts_and_not_all_there_is(tmp_path):
    taken = bytearray(os.urandom(1 << 20)) * 64
    free = available_bytes(proc=tmp_path / "proc", cgroup=tmp_path / "cgroup")
    assert free <= psutil.virtual_memory().total - len(taken)


def test_this_machine_has_some_memory():
    assert 64 * 1024**2 < available_bytes() < 1 << 50


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from Linux's /proc")
def test_the_longest_clip_of_the_largest_size_takes_hardly_more_memory_than_its_tensor(tmp_path):
    """Twelve seconds of 1792 x 1024 where the machine has the 7.4 GiB for it, else as long as fits."""
    seconds = next(
        seconds for seconds in (12, 8, 4, 2, 1) if frames_bytes(1792, 1024, 36 * seconds) < available_bytes()
    )
    small, large = tmp_path / "small.mp4", tmp_path / "large.mp4"
    clips.write(small, clips.numbered(5))
    sound = ("aac", 48000, clips.beeps([1], seconds), 0)
    still = next(clips.numbered(1, 1792, 1024))
    clips.write(large, repeat(still, 30 * seconds), options={"preset": "ultrafast"}, sound=sound)
    child = subprocess.run(
        [sys.executable, "-m", "benchmarks.child", "ours", str(large), str(small)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
    )
    figures = json.loads(child.stdout)
    assert figures["tensor_bytes"] == frames_bytes(1792, 1024, 30 * seconds)
    assert figures["peak_bytes"] < 1.03 * figures["tensor_bytes"] + (40 * 1024**2 if seconds < 4 else 0)


def test_a_few_frames_of_a_long_clip_cost_the_memory_of_the_few(tmp_path):
    path = clips.write(tmp_path / "clip.mp4", clips.numbered(60))
    decoded = decode(path, select_every_nth=20)
    assert decoded.frames.untyped_storage().nbytes() == frames_bytes(192, 128, 3)
