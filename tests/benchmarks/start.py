"""What the pack's import costs a ComfyUI that starts: `python -m benchmarks.start` (with `tests` on the path).

What ComfyUI holds by then is imported first: see the imports of its `server.py`, `nodes.py`, `app/` and `comfy_api/`.
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
wall, cpu = time.perf_counter(), time.process_time()
spec = importlib.util.spec_from_file_location("pack_x", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["pack_x"] = module
spec.loader.exec_module(module)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
news = set(sys.modules) - held
others = sorted(name for name in news if name.split(".")[0] != "pack_x")
print(json.dumps({"wall": wall * 1000, "cpu": cpu * 1000, "modules": len(news) - len(others), "others": others}))
"""


def measure():
    command = [sys.executable, "-c", CHILD, str(ROOT / "__init__.py")]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


def main():
    measure()  # compiles
    runs = [measure() for _ in range(RUNS)]
    others = ", ".join(runs[0]["others"]) or "none"
    print(
        f"| import into a running ComfyUI, {runs[0]['modules']} modules; from elsewhere: {others} | best, ms | median, ms |"
    )
    print("| --- | --- | --- |")
    for clock, name in (("wall", "wall"), ("cpu", "time of the processor")):
        times = [run[clock] for run in runs]
        print(f"| {name} (aim: {AT_MOST_MS} ms) | {min(times):.1f} | {statistics.median(times):.1f} |", flush=True)


if __name__ == "__main__":
    main()
