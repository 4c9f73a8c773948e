"""The first picture of a clip as a small JPEG."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from ..errors import VideoDecodeError
from .container import inspect, opened, video_stream
from .frames import write_upright
from .orientation import Orientation
from .timeline import check_readable, picture_track

if TYPE_CHECKING:
    from pathlib import Path

EDGE = 512
QUALITY = 82


def write_thumbnail(clip: Path, target: Path, *, edge: int = EDGE) -> None:
    """Write the first frame, upright and in its colours, its longer side `edge` pixels; the file gets its name when it is whole.

    Raises:
        VideoDecodeError: The clip is missing, damaged or without a picture.
    """
    index = inspect(clip)
    with opened(clip) as container:
        check_readable(container, index, clip)
        frame = next(container.decode(video_stream(container)), None)
        if frame is None:
            raise VideoDecodeError("The clip has no picture in it.", path=clip)
        track = picture_track(container, index)
        orientation = track.orientation if track else Orientation()
        width, height = orientation.size(frame.width, frame.height)
        picture = np.empty((height, width, 3), np.float32)
        write_upright(frame, orientation, picture)
    scale = min(1.0, edge / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=target.parent, suffix=".part")
    with os.fdopen(descriptor, "wb") as file:
        Image.fromarray(np.rint(small * 255).astype(np.uint8)).save(file, "JPEG", quality=QUALITY)
    os.replace(part, target)  # noqa: PTH105 - `part` is a text
