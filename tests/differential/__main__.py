"""A run by hand: `PYTHONPATH=tests python -m differential [--files N] [--first N]`."""

import argparse
import sys
import tempfile

from differential.run import compare, table, unexpected


def main():
    parser = argparse.ArgumentParser(
        prog="differential", description="Hold the pack's decoder against the ffmpeg command line."
    )
    parser.add_argument("--files", type=int, default=2000, help="how many files (default: 2000)")
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first, which makes and damages it (default: 0)"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as clips:
        rows = compare(chosen.first, chosen.first + chosen.files, clips)
    sys.stdout.write(table(rows) + "\n")
    return 1 if unexpected(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
