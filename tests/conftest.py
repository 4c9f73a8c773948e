"""Loads the pack before any test module is imported, finds a ComfyUI for those that need one, and runs the browser's last."""

import os
from pathlib import Path

import pytest
from comfyui.install import InstallError, ensure_installed
from pack import load_pack

BROWSER = Path(__file__).resolve().parent / "browser"

load_pack()


@pytest.fixture(scope="session")
def installation():
    """A ComfyUI that can be started."""
    try:
        return ensure_installed()
    except InstallError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no ComfyUI to be had: {error}")


def pytest_collection_modifyitems(items):
    # Playwright keeps an event loop running in this thread until the session ends, and no other can run beside it.
    items.sort(key=lambda item: BROWSER in item.path.parents)
