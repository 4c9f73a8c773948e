"""Pictures that ComfyUI knows as files, as they will be sent: their identity, and a small copy to look at.

Each is worked out once for every change of the file, one at a time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import host
from ..errors import InvalidInputError
from ..run.inputs import MAX_CLIPS
from ..run.pictures import fit_to_limits
from ..runcomfy import AUTO_SIZE, Limit, Size

if TYPE_CHECKING:
    from pathlib import Path

    import torch

KEPT = 64
MOST_PIXELS = 50_000_000  # of a file; a larger one is left to the run, which has the memory counted first
PREVIEW_PIXELS = 640


@dataclass(frozen=True, slots=True)
class Fitted:
    """One picture as it will be sent.

    Attributes:
        identity: What makes it this picture, as in a request.
        size: In pixels, as it is sent.
        original: The size it has in its file.
        preview: A small JPEG of it.
    """

    identity: str
    size: Size
    original: Size
    preview: bytes


class Pictures:
    """The pictures of files.

    Args:
        kept: How many are remembered.
    """

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, tuple[Fitted, ...]] = OrderedDict()

    def exact(self, name: str, size: str, sizes: Sequence[Size], fit: str) -> tuple[Fitted, ...]:
        """The pictures of a file, fitted to exactly a size.

        Args:
            name: As in the widget of Load Image.
            size: Such as `1280x720`; or `auto`, for the one of `sizes` that is nearest to the picture.
            sizes: Those of the model.
            fit: How they are fitted.

        Raises:
            InvalidInputError: There is no such file, or it cannot be used.
        """

        def make(pictures: torch.Tensor) -> tuple[Fitted, ...]:
            from ..media.picture import fit as fitted  # noqa: PLC0415 - OpenCV and Pillow are loaded when they are needed
            from ..media.picture import nearest_size, pixels_sha256, small_jpeg  # noqa: PLC0415 - as above

            target = Size(*nearest_size(pictures, sizes)) if size == AUTO_SIZE else Size.parse(size)
            many = [fitted(one, target, fit) for one in pictures]
            return tuple(
                Fitted(pixels_sha256(one), target, _size_of(pictures), small_jpeg(one, PREVIEW_PIXELS)) for one in many
            )

        return self._pictures(name, (size, tuple(sizes), fit), make)

    def own_shape(self, name: str, limits: tuple[Limit, ...], widget: str) -> tuple[Fitted, ...]:
        """The pictures of a file in their own shape, within the limits of a model.

        Raises:
            InvalidInputError: There is no such file, or the model does not accept it.
        """

        def make(pictures: torch.Tensor) -> tuple[Fitted, ...]:
            from ..media.picture import small_jpeg  # noqa: PLC0415 - as above

            many = [fit_to_limits(one, limits, widget) for one in pictures]
            return tuple(
                Fitted(one.identity, one.size, _size_of(pictures), small_jpeg(one.pixels(), PREVIEW_PIXELS))
                for one in many
            )

        return self._pictures(name, limits, make)

    def preview(self, identity: str) -> bytes | None:
        """The small copy of a picture; None where it is not remembered."""
        with self._lock:
            every = (one for pictures in self._known.values() for one in pictures)
            return next((one.preview for one in every if one.identity == identity), None)

    def _pictures(
        self, name: str, how: Hashable, make: Callable[[torch.Tensor], tuple[Fitted, ...]]
    ) -> tuple[Fitted, ...]:
        path = host.picture_file(name)
        if path is None:
            raise InvalidInputError("This picture is not a file that ComfyUI knows.")
        status = path.stat()
        key = (path, status.st_size, status.st_mtime_ns, how)
        with self._lock:
            known = self._known.get(key) or make(_load(name, path))
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > self._kept:
                self._known.popitem(last=False)
            return known


def _load(name: str, path: Path) -> torch.Tensor:
    from PIL import Image  # noqa: PLC0415 - as above

    from ..media.picture import check_batch  # noqa: PLC0415 - as above

    try:
        with Image.open(path) as header:
            is_small = header.width * header.height <= MOST_PIXELS
        pictures: torch.Tensor | None = host.load_pictures(name) if is_small else None
    except Exception:  # noqa: BLE001 - ComfyUI's own node reads the file and may raise anything; the run will say what it is
        pictures = None
    if pictures is None:
        raise InvalidInputError("This picture cannot be looked at before the run.")
    check_batch(pictures, max_clips=MAX_CLIPS)
    return pictures


def _size_of(pictures: torch.Tensor) -> Size:
    return Size(int(pictures.shape[2]), int(pictures.shape[1]))
