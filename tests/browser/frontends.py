"""Front ends to test with: the one that comes with the ComfyUI under test, and the newest one on PyPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfyui.install import ROOT, folder_of_wheel

if TYPE_CHECKING:
    from pathlib import Path

NEWEST = "comfyui-frontend-package==1.58.1"
CACHE = ROOT / ".cache" / "frontends"
FOLDER_IN_WHEEL = "comfyui_frontend_package/static/"


def newest() -> Path:
    """The folder for ComfyUI's --front-end-root; fetched once."""
    return folder_of_wheel(NEWEST, FOLDER_IN_WHEEL, kept_at=CACHE / NEWEST.replace("==", "-"))
