"""A whole comparison: files shared among processes, and what came out as a table."""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from differential import generate

TESTS = Path(__file__).resolve().parent.parent
WORKERS = 2


def compare(first, stop, clips):
    """The rows of the files `first` to `stop`, in order of their numbers.

    Args:
        first: Number of the first file.
        stop: Number behind the last.
        clips: A folder that keeps written clips.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        shares = [pool.submit(_share, first + worker, stop, clips) for worker in range(WORKERS)]
    return sorted((row for share in shares for row in share.result()), key=lambda row: row["number"])


def _share(number, stop, clips):
    """Every second file, in a process of its own, and in another one behind a file that ends it."""
    rows = []
    while number < stop:
        child = subprocess.run(
            [sys.executable, "-m", "differential.worker", str(clips), str(stop), str(number), str(WORKERS)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
        )
        rows += [json.loads(line) for line in child.stdout.splitlines()]
        number = rows[-1]["number"] + WORKERS if child.stdout else number
        if child.returncode:
            rows.append(_fatal(number, child))
            number += WORKERS
    return rows


def _fatal(number, child):
    said = "\n".join(child.stderr.splitlines()[-12:])
    return {
        "number": number,
        "name": generate.file(number).name,
        "disagreement": f"the process ended with {child.returncode}: {said}",
        "exception": None,
    }


def table(rows):
    """The figures and everything that does not agree, as text."""
    meant = Counter(row["exception"] for row in rows if row["disagreement"] and row["exception"])
    wrong = unexpected(rows)
    agreeing = len(rows) - sum(meant.values()) - len(wrong)
    lines = [f"files {rows[0]['number']} to {rows[-1]['number']}: {len(rows)}, agreeing {agreeing}"]
    lines += [f"  {count} not, and that is meant: {reason}" for reason, count in meant.items()]
    lines += [f"  not: file {row['number']} ({row['name']}): {row['disagreement']}" for row in wrong]
    return "\n".join(lines)


def unexpected(rows):
    """The rows that do not agree, and no exception says why."""
    return [row for row in rows if row["disagreement"] and not row["exception"]]
