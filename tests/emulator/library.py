"""The clips: rendered once for each size, length, form and picture, and kept in a folder that emulators share."""

from __future__ import annotations

import base64
import hashlib
import importlib
import io
import os
import tempfile
import threading
from collections import defaultdict
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from .rendering import Form
from .rendering import render as render_form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image


class Render(Protocol):
    """Writes a clip that moves: `picture` is [H, W, 3] uint8 RGB, the clip has its size and lasts `seconds`."""

    def __call__(self, picture: NDArray[np.uint8], path: Path, *, seconds: int) -> None: ...


def rehearsal_render() -> Render:
    """The pack's own stand-in clip, with a frame counter so that a test can prove identity and order of frames."""
    importlib.import_module("pack").load_pack()
    rehearsal = importlib.import_module("sora2pro.nodes.media.rehearsal")
    return partial(rehearsal.render, fps=30, mark=None, frame_counter=True)


@lru_cache(maxsize=1)
def _process_folder() -> tempfile.TemporaryDirectory[str]:
    """One folder for all emulators of this process; it goes when the process ends."""
    return tempfile.TemporaryDirectory(prefix="emulator-clips-")


class Library:
    """Clips on disk.

    Args:
        render: Makes a clip; None for the pack's own.
        folder: Where clips stay; None for a folder of this process.
    """

    _locks: ClassVar[defaultdict[Path, threading.Lock]] = defaultdict(threading.Lock)

    def __init__(self, *, render: Render | None = None, folder: Path | None = None) -> None:
        self._render = render
        self._folder = folder

    def clip(self, *, reference: str, size: str, seconds: int, form: Form) -> bytes:
        """The bytes of the clip of one submission; rendered now if it never was.

        A renderer that was given writes what it likes; the form is for the emulator's own.
        """
        folder = self._folder or Path(_process_folder().name)
        origin = f"{form}" if self._render is None else f"{self._render!r}"
        key = hashlib.sha256(f"{origin} {size} {seconds} {reference}".encode()).hexdigest()[:32]
        path = folder / f"{size}-{seconds}s-{key}{form.suffix}"
        with self._locks[path]:
            if not path.exists():
                folder.mkdir(parents=True, exist_ok=True)
                self._write(path, reference=reference, size=size, seconds=seconds, form=form)
        return path.read_bytes()

    def _write(self, path: Path, *, reference: str, size: str, seconds: int, form: Form) -> None:
        render = self._render or (rehearsal_render() if form == Form() else partial(render_form, form=form))
        width, _, height = size.partition("x")
        part = path.with_name(f"{os.getpid()}-{path.name}")
        render(_pixels(reference, (int(width), int(height))), part, seconds=seconds)
        part.replace(path)


def picture_size(reference: str) -> tuple[int, int] | None:
    """Width and height of the picture in a data URI; None for a URL, which is never fetched.

    Raises:
        ValueError: The data URI holds no picture.
    """
    if not reference.startswith("data:"):
        return None
    with _open(reference) as image:
        return image.size


def _open(reference: str) -> Image.Image:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - the emulator starts without it

    head, _, payload = reference.partition(",")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise ValueError("The data URI is not a base64 image.")
    try:
        return Image.open(io.BytesIO(base64.b64decode(payload, validate=True)))
    except UnidentifiedImageError as error:
        raise ValueError("The data URI holds no picture.") from error


def _pixels(reference: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    import numpy as np  # noqa: PLC0415 - the emulator starts without it

    if not reference.startswith("data:"):
        return _pattern(reference, size)
    with _open(reference) as image:
        return np.array(image.convert("RGB").resize(size), dtype=np.uint8)


def _pattern(seed: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Slopes in three colours, other ones for each URL."""
    import numpy as np  # noqa: PLC0415 - the emulator starts without it

    width, height = size
    phases = hashlib.sha256(seed.encode()).digest()
    x, y = np.linspace(0, 255, width), np.linspace(0, 255, height)
    planes = (
        np.add.outer(0 * y, x) + phases[0],
        np.add.outer(y, 0 * x) + phases[1],
        np.add.outer(y, x) / 2 + phases[2],
    )
    return np.stack([255 - abs(plane % 510 - 255) for plane in planes], axis=-1).astype(np.uint8)
