"""Loads the pack before any test module is imported, and runs the tests in a browser last."""

from pathlib import Path

from pack import load_pack

BROWSER = Path(__file__).resolve().parent / "browser"

load_pack()


def pytest_collection_modifyitems(items):
    # Playwright keeps an event loop running in this thread until the session ends, and no other can run beside it.
    items.sort(key=lambda item: BROWSER in item.path.parents)
