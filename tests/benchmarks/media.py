"""Figures, not pass or fail: `python -m benchmarks` (with `tests` on the path) or `make bench` prints Markdown tables."""

import datetime as dt
import json
import os
import platform
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
RUNS = 5
# way: (name, the tensor's size is needed so many times)
WAYS = {
    "bare": ("bare decode, nothing kept", 0),
    "floor": ("**practical floor**: bare decode and a first touch of every byte", 1.1),
    "ours": ("**ours**, with sound", 1.1),
    "opencv": ("OpenCV loop, list, stack, divide; no sound", 2.4),
    "core": ("ComfyUI core `get_components`", 2.4),
}


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
    if way == "core":
        python, env["COMFYUI_PATH"] = str(core[0]), str(core[1])
    warm = str(round(WAYS[way][1] * tensor_bytes))
    command = [str(python), "-m", "benchmarks.child", way, str(film), str(small), warm]
    child = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(child.stdout)


def decoding(folder, size):
    """Every way in turn, several times, the best of each: other work on the machine hits all alike."""
    film = write_film(folder / "film.mp4", *size, SECONDS)
    small = write_film(folder / "small.mp4", 64, 64, 1)
    core = comfyui()
    ways = [way for way in WAYS if way != "core" or core]
    tensor_bytes = frames_bytes(*size, SECONDS * 30)
    runs = [{way: run(way, film, small, tensor_bytes, core) for way in ways} for _ in range(RUNS)]
    best = {way: min((each[way] for each in runs), key=lambda figures: figures["wall_s"]) for way in ways}
    floor_s = best["floor"]["wall_s"]
    rate = film.stat().st_size * 8 / SECONDS / 1e6
    title = f"{size[0]}x{size[1]}, {SECONDS} s, {rate:.1f} Mbit/s, {tensor_bytes / 2**30:.2f} GiB"
    yield tables.heading(title, "wall, s", "of the floor", "CPU, s", "peak / tensor")
    for way, figures in best.items():
        peak = f"{figures['peak_bytes'] / figures['tensor_bytes']:.3f}" if figures["tensor_bytes"] else ""
        wall_s = figures["wall_s"]
        yield tables.rows(
            WAYS[way][0], f"{wall_s:.2f}", f"{wall_s / floor_s:.2f}", f"{min(r[way]['cpu_s'] for r in runs):.2f}", peak
        )


def main():
    day = dt.datetime.now(tz=dt.UTC).date()
    versions = f"PyAV {av.__version__}, OpenCV {cv2.__version__}, numpy {np.__version__}, torch {torch.__version__}"
    say(f"{day}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    say(f"{versions}; best of {RUNS} runs, taken in turn, each in a process of its own")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = [decoding(folder, size) for size in SIZES]
        parts += [part(folder) for part in (tables.colour_errors, tables.encoding, tables.rehearsal, tables.importing)]
        for part in parts:
            say()
            for line in part:
                say(line)


if __name__ == "__main__":
    main()
