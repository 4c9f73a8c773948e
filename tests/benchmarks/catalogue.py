"""Figures of the model catalogue: `python -m benchmarks.catalogue` (with `tests` on the path) prints a Markdown table."""

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.model_values import CATALOGUE, wishes_for  # it loads the pack

from sora2pro.nodes.runcomfy.catalogue.shipped import FILE, parse_catalogue_file  # isort: skip
from sora2pro.nodes.runcomfy.catalogue.translate import translate  # isort: skip

RUNS = 30


def milliseconds(call):
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def load():
    catalogue = parse_catalogue_file(FILE.read_text(encoding="utf-8"))
    catalogue.resolutions()
    catalogue.aspect_ratios()


def figures():
    """(what, least, median and most in ms, the bar in ms)."""
    loads = [milliseconds(load) for _ in range(RUNS)]
    yield f"load {len(CATALOGUE.ids)} models and their choices", min(loads), statistics.median(loads), max(loads), 20
    wishes = {entry: wishes_for(entry) for entry in CATALOGUE.models}
    for entry, wish in wishes.items():
        translate(entry, wish, catalogue=CATALOGUE)
    times = [
        milliseconds(lambda entry=entry, wish=wish: translate(entry, wish, catalogue=CATALOGUE))
        for _ in range(RUNS)
        for entry, wish in wishes.items()
    ]
    yield "translate and check one request", min(times), statistics.median(times), max(times), 5


def main():
    sys.stdout.write("| what | least, ms | median, ms | most, ms | at most, ms |\n| --- | --- | --- | --- | --- |\n")
    for what, least, median, most, bar in figures():
        sys.stdout.write(f"| {what} | {least:.2f} | {median:.2f} | {most:.2f} | {bar} |\n")


if __name__ == "__main__":
    main()
