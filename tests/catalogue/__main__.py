"""`python -m catalogue FACTS [--live ANSWER] [--write]`, with `tests` on the path: what differs from the models in the pack.

FACTS is the file of facts with sources; ANSWER is a saved answer of `GET /v1/models?include_schema=true`.
"""

import argparse
import difflib
import json
import sys
from pathlib import Path

from catalogue.build import as_text, rows_from_facts, with_live_answer, with_rows_kept
from pack import ROOT

SHIPPED = ROOT / "nodes" / "runcomfy" / "catalogue" / "models.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("facts", type=Path)
    parser.add_argument("--live", type=Path, help="a saved answer of GET /v1/models?include_schema=true")
    parser.add_argument("--write", action="store_true", help="replace the shipped models")
    options = parser.parse_args()
    rows = rows_from_facts(json.loads(options.facts.read_text("utf-8")))
    before = SHIPPED.read_text("utf-8") if SHIPPED.exists() else as_text([])
    rows = with_rows_kept(rows, json.loads(before)["models"])
    if options.live:
        rows = with_live_answer(rows, json.loads(options.live.read_text("utf-8")))
    after = as_text(rows)
    sys.stdout.writelines(
        difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), "shipped", "built")
    )
    if options.write:
        SHIPPED.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
