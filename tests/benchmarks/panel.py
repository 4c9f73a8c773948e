"""Figures of the panel: `python -m benchmarks.panel` (with `tests` on the path) prints a Markdown table."""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pack import load_pack

load_pack()
from emulator import Emulator  # noqa: E402 - as above
from sora2pro.nodes.page.collecting import Collecting  # noqa: E402 - as above
from sora2pro.nodes.page.jobs import Panel  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.store.tables import jobs  # noqa: E402 - as above
from support.engine_fixture import Rig  # noqa: E402 - as above

JOBS = 10_000
PAGE = 50  # as web/lib/panel.js asks for
DAYS = 365
RUNS = 30


def fill(rig):
    """A year of clips that are downloaded, each with its file."""
    rig.settings.output_dir.mkdir(parents=True)
    now = time.time()
    rows = []
    for number in range(JOBS):
        clip = rig.settings.output_dir / f"clip-{number}.mp4"
        clip.write_bytes(b"")
        at = now - (JOBS - number) * DAYS * 86400 / JOBS
        rows.append(
            {
                "fingerprint": f"{number:064x}",
                "state": "downloaded",
                "model_id": f"maker/model-{number % 34}/image-to-video",
                "prompt": f"Clip number {number}: a fox runs over a field of snow at dawn, the camera follows.",
                "seconds": 4,
                "seed": str(number),
                "request_id": f"request-{number}",
                "cost_usd": 1.2,
                "path": str(clip),
                "created_at": at,
                "updated_at": at,
            }
        )
    with rig.journal.database.writing() as connection:
        connection.execute(jobs.insert(), rows)


def milliseconds(call):
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        json.dumps(call())
        times.append((time.perf_counter() - start) * 1000)
    return times


def figures():
    """(what, times in ms, the bar in ms)."""
    with tempfile.TemporaryDirectory() as folder, Emulator() as emulator:
        rig = Rig(emulator.url, emulator.token, Path(folder))
        fill(rig)
        panel = Panel(lambda: rig.engine, Collecting())
        yield (
            f"first page of {JOBS:,} jobs, with totals",
            milliseconds(lambda: panel.jobs("", limit=PAGE, before_id=None)),
            100,
        )
        for what, search in (("one prompt", "number 4711:"), ("all prompts", "fox"), ("nothing", "no such thing")):
            found = milliseconds(lambda search=search: panel.jobs(search, limit=PAGE, before_id=None))
            yield f"a search that finds {what}", found, 50
        state = milliseconds(lambda: panel.jobs("", limit=PAGE, before_id=None, states=("failed",)))
        yield "a state that no job is in", state, 50


def main():
    print("| panel | least, ms | median, ms | most, ms | at most, ms |\n| --- | --- | --- | --- | --- |", flush=True)
    for what, times, bar in figures():
        least, median, most = min(times), statistics.median(times), max(times)
        print(f"| {what} | {least:.1f} | {median:.1f} | {most:.1f} | {bar} |", flush=True)


if __name__ == "__main__":
    main()
