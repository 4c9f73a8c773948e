"""A ComfyUI that is on for weeks: a run leaves its clip, its receipt and its row in the journal, and nothing else."""

import json
import os
import subprocess
import sys

from emulator import Call, Fault
from pack import ROOT

# ComfyUI's side in a process of its own: the emulator's threads and sockets are not counted.
RUNS = """
import contextlib, ctypes, gc, json, os, threading, time
from pathlib import Path
from support.node_runs import run_any_node, run_node

KINDS = ("threads", "open files", "files of the state folder")

def held():
    gc.collect()
    with contextlib.suppress(AttributeError):  # not glibc
        # It keeps freed memory in an arena for every thread that was at work side by side with others.
        ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    files = [path for path in Path(os.environ["RUNCOMFY_STATE_DIR"]).rglob("*") if path.is_file()]
    return {
        "threads": threading.active_count(),
        "open files": len(os.listdir("/proc/self/fd")),
        "files of the state folder": len(files),
        "MiB": int(status.split("VmRSS:")[1].split()[0]) / 1024,
    }

def run(number):
    run_node(seed=number)
    run_any_node(seed=number)
    run_node(seed=number)
    try:
        run_node(seed=number, prompt="Refused.")
    except Exception as error:
        assert "did not accept" in str(error), error
    else:
        raise AssertionError("It was not refused.")

levels = []
for number in range(35):
    run(number)
    levels.append(held()["MiB"])
    if number == 9:
        before = held()
after = held()
# What ends by itself a moment after a run, such as a thread that closes a connection, is not left over.
give_up_at = time.monotonic() + 30
while any(after[kind] > before[kind] for kind in KINDS) and time.monotonic() < give_up_at:
    time.sleep(0.1)
    after = held()
# What is freed returns to the system in steps: a leak is in every level of the last runs.
before["MiB"], after["MiB"] = max(levels[5:10]), min(levels[30:])
print(json.dumps([before, after]))
"""


def test_a_hundred_runs_leave_no_thread_no_open_file_no_lock_file_and_no_memory_behind(emulator, tmp_path):
    emulator.inject(*[Fault(Call.SUBMIT, "422", skip=2) for _ in range(35)])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNCOMFY_")}
    environment |= emulator.environment(tmp_path) | {
        "PYTHONPATH": str(ROOT / "tests"),
        "RUNCOMFY_MAX_USD_PER_DAY": "none",
    }
    ended = subprocess.run(
        [sys.executable, "-c", RUNS], env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert ended.returncode == 0, ended.stderr
    before, after = json.loads(ended.stdout.splitlines()[-1])
    assert emulator.charges == 70
    for kind in ("threads", "open files", "files of the state folder"):
        assert after[kind] <= before[kind], kind
    # The frames of one run are 0.4 MiB: those of a hundred would be 40.
    assert after["MiB"] - before["MiB"] < 25
