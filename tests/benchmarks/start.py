"""What the pack costs a ComfyUI that starts: `python -m benchmarks.start` (with `tests` on the path).

What ComfyUI holds by then is imported first: see the imports of its `server.py`, `nodes.py`, `app/` and `comfy_api/`. The engine
is loaded later, when a page or a prompt first asks for the inputs of the nodes; that is measured too.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pack import ROOT

RUNS = 9
AT_MOST_MS = 10
# The way of ComfyUI's `nodes.load_custom_node`; the time of this process counts beside the clock's, for a busy machine.
CHILD = """
import asyncio, importlib.util, json, sys, time
import aiohttp.web, av, numpy, PIL.Image, psutil, requests, sqlalchemy.orm, torch
held = set(sys.modules)
times = {}

def measured(name, work):
    news, wall, cpu = set(sys.modules), time.perf_counter(), time.process_time()
    work()
    wall, cpu, news = time.perf_counter() - wall, time.process_time() - cpu, set(sys.modules) - news
    ours = sum(name.split(".")[0] == "pack_x" for name in news)
    times[name] = {"wall": wall * 1000, "cpu": cpu * 1000, "modules": ours}

def load():
    spec = importlib.util.spec_from_file_location("pack_x", sys.argv[1])
    sys.modules["pack_x"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["pack_x"])

def ask():
    for node in sys.modules["pack_x"].NODE_CLASS_MAPPINGS.values():
        node.INPUT_TYPES()

measured("import", load)
others = sorted(name for name in set(sys.modules) - held if name.split(".")[0] != "pack_x")
measured("inputs", ask)
print(json.dumps({**times, "others": others}))
"""
ROWS = (
    ("import", f"import into a running ComfyUI (aim: {AT_MOST_MS} ms)"),
    ("inputs", "first question for all inputs"),
)


def measure():
    command = [sys.executable, "-c", CHILD, str(ROOT / "__init__.py")]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


def main():
    measure()  # compiles
    runs = [measure() for _ in range(RUNS)]
    print(f"The import loads from elsewhere: {', '.join(runs[0]['others']) or 'nothing'}.")
    print("| | modules | best, ms | median, ms | time of the processor, best | median |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, said in ROWS:
        figures = [f(run[name][clock] for run in runs) for clock in ("wall", "cpu") for f in (min, statistics.median)]
        print(f"| {said} | {runs[0][name]['modules']} | {' | '.join(f'{one:.1f}' for one in figures)} |", flush=True)


if __name__ == "__main__":
    main()
