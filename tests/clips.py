"""Clips made for the tests, and what can be read back from their frames."""

import cv2
import numpy as np
from sora2pro.nodes.media.stamps import COLUMNS, ROWS, block_size, checksum


def read_frame_number(frame):
    """The number drawn by `rehearsal.render(frame_counter=True)`.

    Takes a torch tensor or array [H, W, C], 0..1 or 8 bit. Raises ValueError where no whole number is to be read.
    """
    pixels = np.asarray(frame, np.float32)
    if pixels.max() > 1.5:
        pixels = pixels / 255
    edge = block_size(pixels.shape[1], pixels.shape[0])
    blocks = pixels[: ROWS * edge, : COLUMNS * edge, :3].mean(axis=2).reshape(ROWS, edge, COLUMNS, edge)
    inner = slice(edge // 4, edge - edge // 4)
    levels = blocks[:, inner, :, inner].mean(axis=(1, 3)).ravel()
    if (np.abs(levels - 0.5) < 0.15).any():
        raise ValueError(f"no frame number: the blocks have the levels {levels.round(2).tolist()}")
    bits = int("".join("1" if level > 0.5 else "0" for level in levels), 2)
    number, check = bits >> 4, bits & 0b1111
    if check != checksum(number):
        raise ValueError(f"the frame number {number} has the checksum {check}, not {checksum(number)}")
    return number


def photo(width, height, seed=0):
    """A picture with soft shapes and fine grain in all colours: [H, W, 3] uint8, the same for the same arguments."""
    random = np.random.default_rng(seed)
    shapes = cv2.resize(random.uniform(0, 255, (5, 7, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(shapes + random.normal(0, 4, (height, width, 3)), 0, 255).astype(np.uint8)
