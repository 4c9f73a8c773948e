"""The clips that are measured: a pan over grain and soft shapes at about the bit rate of a generated clip."""

import cv2
import numpy as np
from support import clips

_PAN = (3, 1)  # pixels per frame to the right and down
_RATE = {"preset": "medium", "b": "10M", "maxrate": "12M", "bufsize": "20M"}


# codec: (encoder, pixel format, options); each at about the same rate.
CODECS = {
    "H.264": ("libx264", "yuv420p", _RATE),
    "HEVC, 10 bits": ("libx265", "yuv420p10le", {"preset": "fast", "b": "10M", "x265-params": "log-level=none"}),
    "AV1": ("libsvtav1", "yuv420p", {"preset": "10", "b": "10M"}),
}


def write_film(path, width, height, seconds, fps=30, codec="H.264"):
    """4:2:0, tagged BT.709 limited, with noise as stereo sound."""
    encoder, pix_fmt, options = CODECS[codec]
    sound = np.random.default_rng(1).normal(0, 0.1, (2, seconds * 48000))
    frames = _frames(width, height, seconds * fps)
    if pix_fmt.endswith("10le"):
        frames = ([plane.astype(np.uint16) << 2 for plane in planes] for planes in frames)
    sound = ("aac", 48000, sound, 0)
    return clips.write(path, frames, codec=encoder, pix_fmt=pix_fmt, fps=fps, options=options, tags=(1, 1), sound=sound)


def _frames(width, height, count):
    random = np.random.default_rng(0)
    # Even, because the chroma planes move by half of it.
    size = (width + _PAN[0] * count // 2 * 2, height + _PAN[1] * count // 2 * 2)
    grain = cv2.GaussianBlur(random.normal(0, 90, size[::-1]), (0, 0), 1.5)
    luma = np.clip(_soft(random, size) + grain, 16, 235).astype(np.uint8)
    half = (size[0] // 2, size[1] // 2)
    chroma = [_soft(random, half).astype(np.uint8) for _ in range(2)]
    for number in range(count):
        x, y = _PAN[0] * number, _PAN[1] * number
        noise = random.normal(0, 2, (height, width))
        part = np.clip(luma[y : y + height, x : x + width] + noise, 16, 235).astype(np.uint8)
        yield [part, *(plane[y // 2 :, x // 2 :][: height // 2, : width // 2] for plane in chroma)]


def _soft(random, size):
    return cv2.resize(random.uniform(50, 200, (7, 11)), size, interpolation=cv2.INTER_LINEAR)
