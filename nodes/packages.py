"""Python packages that not every ComfyUI brings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .errors import MissingDependencyError


@contextlib.contextmanager
def packages_named() -> Iterator[None]:
    """Say which package is missing, and how to get it, where an import fails.

    Raises:
        MissingDependencyError: A package, or a file of this pack, is missing or cannot be loaded.
    """
    try:
        yield
    except ImportError as error:
        if (error.name or "").startswith(f"{__package__}."):
            raise MissingDependencyError(
                f"A file of this node pack is missing: {error}.",
                remedy="An update may have been interrupted: reinstall the pack, then restart ComfyUI.",
            ) from error
        raise MissingDependencyError(
            f"A Python package that this node pack needs cannot be loaded: {error}.",
            remedy="Install the packages of requirements.txt in the pack's folder into ComfyUI's Python, with "
            "'pip install -r requirements.txt', then restart ComfyUI.",
        ) from error
