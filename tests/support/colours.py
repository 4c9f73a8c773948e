"""Code values to put into a clip, and the RGB they stand for in float64."""

import numpy as np

# name: (AVCOL_SPC number, weight of red in luma, weight of blue)
MATRICES = {
    "bt709": (1, 0.2126, 0.0722),
    "bt470bg": (5, 0.299, 0.114),
    "bt601": (6, 0.299, 0.114),
    "bt2020": (9, 0.2627, 0.0593),
}
LIMITED, FULL = 1, 2  # AVCOL_RANGE numbers
LOSSLESS = {"qp": "0", "preset": "ultrafast"}  # of libx264


def planes(size, bits, pix_fmt, *, is_full, seed=0):
    """Patches with hard edges, grain, and code values beyond black and white."""
    random = np.random.default_rng(seed)
    width, height = size
    halves = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}[pix_fmt.lstrip("yuvj")[:3]]
    made = []
    for step_x, step_y in ((1, 1), halves, halves):
        rows, columns = -(-height // step_y), -(-width // step_x)
        patches = random.uniform(0, 1, (9, 16)).repeat(-(-rows // 9), axis=0).repeat(-(-columns // 16), axis=1)
        values = patches[:rows, :columns] + random.normal(0, 0.02, (rows, columns))
        top = (1 << bits) - 1
        edge = 0 if is_full else 6 << (bits - 8)
        made.append(np.clip(values * top, edge, top - edge).astype(np.uint8 if bits == 8 else np.uint16))
    return made


def reference(planes, kr, kb, bits, *, is_full):
    """RGB 0..1 in float64; chroma sited left, linear in between."""
    luma, *chroma = (plane.astype(np.float64) for plane in planes)
    height, width = luma.shape
    full = []
    for plane in chroma:
        rows, columns = plane.shape
        x = np.arange(width) / (2 if columns < width else 1)
        y = (np.arange(height) - 0.5) / 2 if rows < height else np.arange(height)
        wide = np.stack([np.interp(x, np.arange(columns), row) for row in plane])
        full.append(np.stack([np.interp(y, np.arange(rows), column) for column in wide.T], axis=1))
    unit = 2 ** (bits - 8)
    if is_full:
        luma, blue, red = luma / (256 * unit - 1), *((plane - 128 * unit) / (256 * unit - 1) for plane in full)
    else:
        luma, blue, red = (luma - 16 * unit) / (219 * unit), *((plane - 128 * unit) / (224 * unit) for plane in full)
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    return np.clip(np.stack([r, g, b], axis=2), 0, 1)
