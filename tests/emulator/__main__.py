"""Starts the emulator alone: ``PYTHONPATH=tests python -m emulator`` from the pack's folder."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from pathlib import Path

from . import Emulator, Timeline


def main() -> None:
    """Serves until Ctrl+C; the first lines are what to set in the shell of ComfyUI."""
    parser = argparse.ArgumentParser(
        prog="emulator", description="The RunComfy Model API on loopback. Nothing costs money."
    )
    parser.add_argument("--port", type=int, default=0, help="port of 127.0.0.1 (default: any free one)")
    parser.add_argument("--state", type=Path, help="file that keeps requests and charges over a restart")
    parser.add_argument("--clips", type=Path, help="folder that keeps rendered clips over a restart")
    parser.add_argument("--queued", type=float, default=2.0, help="seconds in the queue (default: 2)")
    parser.add_argument("--rendering", type=float, default=4.0, help="seconds of rendering (default: 4)")
    chosen = parser.parse_args()
    timeline = Timeline.by_clock(chosen.queued, chosen.rendering)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Emulator(timeline=timeline, port=chosen.port, state_path=chosen.state, clips_dir=chosen.clips) as emulator:
        for name, text in emulator.environment().items():
            sys.stdout.write(f"export {name}={shlex.quote(text)}\n")
        sys.stdout.flush()
        stopped.wait()


if __name__ == "__main__":
    main()
