"""The same addresses, answers, colours, frames and sound with the lowest versions that requirements.txt allows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pack import ROOT

LOWEST = ROOT / ".cache" / "lowest"  # `make` puts it there
FOLDER = Path(__file__).parent
MEDIA = tuple(
    f"unit/test_media_{name}.py" for name in ("colour", "clips", "decode", "probe", "rehearsal", "sound", "unusual")
)
TRANSFER = (
    "unit/test_exact_url.py",
    "unit/test_client.py",
    "unit/test_connection_errors.py",
    "contract/test_transfers.py",
)
IMPORTED_AS = {"pillow": "PIL", "opencv-python": "cv2"}
VERSIONS = """
import importlib, json, sys
print(json.dumps({name: importlib.import_module(name).__version__ for name in sys.argv[1:]}))
"""
needs_lowest = pytest.mark.skipif(
    not LOWEST.is_dir(), reason="the lowest versions are not in .cache/lowest; `make test` installs them"
)


def run(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(LOWEST)},
    )


@needs_lowest
@pytest.mark.parametrize("files", [MEDIA, TRANSFER], ids=["media", "transfer"])
def test_everything_is_the_same_with_the_lowest_versions(files):
    child = run("-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(FOLDER.parent / name) for name in files))
    assert child.returncode == 0, child.stdout[-4000:]
    assert "skipped" not in child.stdout


@needs_lowest
def test_the_lowest_versions_are_the_ones_our_requirements_allow():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lowest = dict(line.split(">=") for line in lines if line and not line.startswith("#"))
    modules = {name: IMPORTED_AS.get(name, name) for name in lowest}
    child = run("-c", VERSIONS, *modules.values())
    assert child.returncode == 0, child.stderr[-2000:]
    versions = json.loads(child.stdout)
    installed = {name: versions[module] for name, module in modules.items() if (LOWEST / module).is_dir()}
    assert {"requests", "urllib3", "av"} <= set(installed)
    for name, version in installed.items():
        # opencv-python counts its own builds behind the version of OpenCV.
        wanted = lowest[name].split(".")[:3]
        assert version.split(".")[: len(wanted)] == wanted, name
