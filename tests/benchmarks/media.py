"""Figures, not pass or fail: `python -m benchmarks` (with `tests` on the path) or `make bench` prints Markdown tables."""

import datetime as dt
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import av
import cv2
import numpy as np
import torch
from pack import load_pack

load_pack()
from benchmarks import tables  # noqa: E402 - the pack has to be loaded first
from benchmarks.films import write_film  # noqa: E402 - as above
from comfyui.install import CACHE, ensure_installed  # noqa: E402 - as above
from sora2pro.nodes.media.memory import frames_bytes  # noqa: E402 - as above

TESTS = Path(__file__).resolve().parent.parent
SIZES = ((1280, 720), (1792, 1024))
SECONDS = 4
RUNS = 7
# way: (name, the tensor's size is needed so many times)
WAYS = {
    "bare": ("bare decode, nothing kept", 0),
    "floor": ("**practical floor**: bare decode and a first touch of every byte", 1.1),
    "ours": ("**ours**, with sound", 1.1),
    "opencv": ("OpenCV loop, list, stack, divide; no sound", 2.4),
    "core": ("ComfyUI core `get_components`", 2.4),
    "suite": ("VideoHelperSuite's loader; its sound is read later", 2.4),
    "torchcodec": ("torchcodec, then divided; no sound", 1.4),
}
IN_COMFYUI = ("core", "suite")
# Ours alone, beside the floor of the same clip.
OTHERS = (
    ("H.264, 12 s", 12, "H.264"),
    ("H.264, 30 s", 30, "H.264"),
    ("HEVC, 10 bits, 4 s", SECONDS, "HEVC, 10 bits"),
    ("AV1, 4 s", SECONDS, "AV1"),
)


def say(line=""):
    print(line, flush=True)


def comfyui():
    """The interpreter and the folder of a ComfyUI that is there already, or None."""
    if "COMFYUI_PATH" not in os.environ and not CACHE.is_dir():
        return None
    installation = ensure_installed()
    return installation.python, installation.source


def run(way, film, small, tensor_bytes, core):
    """The figures of one run in a process of its own."""
    python = sys.executable
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    if way in IN_COMFYUI:
        python, env["COMFYUI_PATH"] = str(core[0]), str(core[1])
    warm = str(round(WAYS[way][1] * tensor_bytes))
    command = [str(python), "-m", "benchmarks.child", way, str(film), str(small), warm]
    child = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(child.stdout)


def available(core):
    """The ways that can be gone here."""
    is_there = {
        "core": core is not None,
        "suite": core is not None and "VIDEOHELPERSUITE_PATH" in os.environ,
        "torchcodec": importlib.util.find_spec("torchcodec") is not None,
    }
    return [way for way in WAYS if is_there.get(way, True)]


def in_turn(ways, film, small, tensor_bytes, core):
    """Every way in turn, several times: other work on the machine hits all alike. By way the figures of each run."""
    runs = [{way: run(way, film, small, tensor_bytes, core) for way in ways} for _ in range(RUNS)]
    return {way: [each[way] for each in runs] for way in ways}


def cells(figures, floor):
    """Best and median of the wall clock, both as a multiple of the floor's best and median, CPU, and the peak."""
    walls, floors = ([one["wall_s"] for one in some] for some in (figures, floor))
    ratios = f"{min(walls) / min(floors):.2f}, {statistics.median(walls) / statistics.median(floors):.2f}"
    best = min(figures, key=lambda one: one["wall_s"])
    peak = f"{best['peak_bytes'] / best['tensor_bytes']:.3f}" if best["tensor_bytes"] else ""
    cpu = min(one["cpu_s"] for one in figures) / min(one["cpu_s"] for one in floor)
    return f"{min(walls):.2f}, {statistics.median(walls):.2f}", ratios, f"{cpu:.2f}", peak


COLUMNS = ("wall: best, median, s", "of the floor's", "CPU, of the floor's", "peak / tensor")


def decoding(folder, size):
    film = write_film(folder / "film.mp4", *size, SECONDS)
    small = write_film(folder / "small.mp4", 64, 64, 1)
    core = comfyui()
    tensor_bytes = frames_bytes(*size, SECONDS * 30)
    runs = in_turn(available(core), film, small, tensor_bytes, core)
    rate = film.stat().st_size * 8 / SECONDS / 1e6
    yield tables.heading(
        f"{size[0]}x{size[1]}, {SECONDS} s, {rate:.1f} Mbit/s, {tensor_bytes / 2**30:.2f} GiB", *COLUMNS
    )
    for way, figures in runs.items():
        yield tables.rows(WAYS[way][0], *cells(figures, runs["floor"]))


def other_clips(folder):
    size = SIZES[0]
    yield tables.heading(f"{size[0]}x{size[1]}: ours, beside the floor", "floor: best, median, s", *COLUMNS)
    for name, seconds, codec in OTHERS:
        film = write_film(folder / "film.mp4", *size, seconds, codec=codec)
        small = write_film(folder / "small.mp4", 64, 64, 1, codec=codec)
        runs = in_turn(("floor", "ours"), film, small, frames_bytes(*size, seconds * 30), None)
        yield tables.rows(name, cells(runs["floor"], runs["floor"])[0], *cells(runs["ours"], runs["floor"]))


def main():
    day = dt.datetime.now(tz=dt.UTC).date()
    versions = f"PyAV {av.__version__}, OpenCV {cv2.__version__}, numpy {np.__version__}, torch {torch.__version__}"
    say(f"{day}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    say(f"{versions}; {RUNS} runs of each, taken in turn, each in a process of its own")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = [*(decoding(folder, size) for size in SIZES), other_clips(folder)]
        parts += [part(folder) for part in (tables.colour_errors, tables.encoding, tables.rehearsal, tables.importing)]
        for part in parts:
            say()
            for line in part:
                say(line)


if __name__ == "__main__":
    main()
