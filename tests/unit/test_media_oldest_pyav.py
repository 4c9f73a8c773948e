"""The same colours, frames and sound on the oldest PyAV that we support."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pack import ROOT

OLDEST = (
    ROOT / ".cache" / "oldest-av"
)  # `make` puts it there: pip install --no-deps --target .cache/oldest-av av==14.2.0
FOLDER = Path(__file__).parent
FILES = tuple(
    f"test_media_{name}.py" for name in ("colour", "clips", "decode", "probe", "rehearsal", "sound", "unusual")
)


@pytest.mark.skipif(not OLDEST.is_dir(), reason="the oldest PyAV is not in .cache/oldest-av; `make test` installs it")
def test_everything_that_is_read_and_written_is_the_same_on_the_oldest_pyav():
    child = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(FOLDER / name) for name in FILES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(OLDEST)},
    )
    assert child.returncode == 0, child.stdout[-4000:]
    assert "skipped" not in child.stdout


@pytest.mark.skipif(not OLDEST.is_dir(), reason="the oldest PyAV is not in .cache/oldest-av; `make test` installs it")
def test_the_oldest_pyav_is_the_one_our_requirements_allow():
    lowest = next(line for line in (ROOT / "requirements.txt").read_text().split() if line.startswith("av>="))
    child = subprocess.run(
        [sys.executable, "-c", "import av; print(av.__version__)"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(OLDEST)},
    )
    assert child.stdout.startswith(lowest.removeprefix("av>="))
