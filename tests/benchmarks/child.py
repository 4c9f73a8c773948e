"""One way, measured in a process of its own: `python -m benchmarks.child WAY CLIP SMALL_CLIP` prints JSON.

The small clip goes first, unmeasured: imports, thread pools and tables of the codecs. The peak is read from Linux's
/proc and is 0 elsewhere.
"""

import contextlib
import json
import sys
import time
from pathlib import Path

import numpy as np
from benchmarks.ways import WAYS

_SELF = Path("/proc/self")


def _status_bytes(field):
    """VmRSS or VmHWM of this process."""
    lines = (_SELF / "status").read_text().splitlines() if _SELF.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), 0)


def _reset_the_peak():
    if _SELF.exists():
        (_SELF / "clear_refs").write_text("5")


def measure(way, path):
    _reset_the_peak()
    before = _status_bytes("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    result = way(path)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    size = result.numel() * result.element_size() if hasattr(result, "numel") else 0
    return {"wall_s": wall, "cpu_s": cpu, "peak_bytes": _status_bytes("VmHWM") - before, "tensor_bytes": size}


def main():
    way, path, small, *warm_bytes = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):
        WAYS[way](small)
        for size in warm_bytes:
            np.empty(int(size), np.uint8).fill(0)  # a virtual machine may get its memory from the host only now
        figures = measure(WAYS[way], path)
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
