"""The first picture of a clip as a small JPEG."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from PIL import Image

from ..errors import VideoDecodeError
from .container import opened, video_stream

if TYPE_CHECKING:
    from pathlib import Path

EDGE = 512
QUALITY = 82


def write_thumbnail(clip: Path, target: Path, *, edge: int = EDGE) -> None:
    """Write the first frame, its longer side `edge` pixels; the file gets its name when it is whole.

    Raises:
        VideoDecodeError: The clip is missing, damaged or without a picture.
    """
    with opened(clip) as container:
        frame = next(container.decode(video_stream(container)), None)
        if frame is None:
            raise VideoDecodeError("The clip has no picture in it.", path=clip)
        scale = min(1.0, edge / max(frame.width, frame.height))
        width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
        small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
        picture = Image.fromarray(small.to_ndarray())
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=target.parent, suffix=".part")
    with os.fdopen(descriptor, "wb") as file:
        picture.save(file, "JPEG", quality=QUALITY)
    os.replace(part, target)  # noqa: PTH105 - `part` is a text
