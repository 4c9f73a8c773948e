"""Everything but decoding: colour errors, encoding, rehearsal, and what importing the pack costs."""

import os
import subprocess
import sys
import time

import av
import cv2
import numpy as np
import torch
from pack import ROOT
from sora2pro.nodes.media.decode import decode
from sora2pro.nodes.media.picture import encode, fit
from sora2pro.nodes.media.rehearsal import render
from support import clips
from support.colours import FULL, LIMITED, LOSSLESS, MATRICES, planes, reference

MIB = 1024**2


def rows(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def heading(*names):
    return "\n".join([rows(*names), rows(*["---"] * len(names))])


def best_of(count, call):
    """(result, seconds)."""
    least = float("inf")
    for _ in range(count):
        start = time.perf_counter()
        result = call()
        least = min(least, time.perf_counter() - start)
    return result, least


def colour_errors(folder):
    yield heading("clip (lossless)", "ours: mean, largest", "PyAV rgb24", "OpenCV")
    for matrix, color_range, is_tagged, bits, size in (
        ("bt709", LIMITED, True, 8, (1280, 720)),
        ("bt709", FULL, True, 8, (1280, 720)),
        ("bt709", LIMITED, False, 8, (1280, 720)),
        ("bt709", LIMITED, True, 10, (1280, 720)),
        ("bt601", LIMITED, True, 8, (640, 360)),
        ("bt601", FULL, True, 8, (640, 360)),
        ("bt601", LIMITED, False, 8, (640, 360)),
    ):
        tag, kr, kb = MATRICES[matrix]
        pix_fmt = "yuv420p" if bits == 8 else "yuv420p10le"
        values = planes(size, bits, pix_fmt, is_full=color_range == FULL)
        tags = (tag, color_range) if is_tagged else None
        path = clips.write(folder / "colour.mp4", [values], pix_fmt=pix_fmt, options=LOSSLESS, tags=tags)
        expected = reference(values, kr, kb, bits, is_full=color_range == FULL) * 255
        with av.open(str(path)) as container:
            by_pyav = next(container.decode(video=0)).to_ndarray(format="rgb24")
        by_opencv = cv2.VideoCapture(str(path)).read()[1][..., ::-1]
        name = (
            f"{matrix}, {'full' if color_range == FULL else 'limited'}, {'' if is_tagged else 'un'}tagged, {bits} bit"
        )
        shown = [decode(path).frames[0].numpy() * 255, by_pyav, by_opencv]
        errors = [np.abs(picture.astype(np.float64) - expected) for picture in shown]
        yield rows(f"{name}, {size[0]}x{size[1]}", *(f"{error.mean():.4f}, {error.max():.3f}" for error in errors))


def encoding(_folder):
    yield heading("picture", "fit", "fit, ms", "PNG, MiB", "JPEG 95 4:4:4, MiB", "sent as", "encode, ms")
    for source, size in (((4032, 3024), (1280, 720)), ((1024, 1024), (1792, 1024)), ((4032, 3024), (1792, 1024))):
        picture = torch.from_numpy(clips.photo(*source).astype(np.float32) / 255)
        for how in ("crop", "blur pad"):
            fitted, fit_s = best_of(2, lambda picture=picture, size=size, how=how: fit(picture, size, how))
            exact = torch.from_numpy(fitted.astype(np.float32) / 255)
            png = encode(fit(exact, size, how), max_bytes=1 << 40)
            jpeg = encode(fit(exact, size, how), max_bytes=0)
            sent, encode_s = best_of(2, lambda exact=exact, size=size, how=how: encode(fit(exact, size, how)))
            name = f"{source[0]}x{source[1]} to {size[0]}x{size[1]}"
            figures = (f"{fit_s * 1000:.0f}", f"{len(png.data) / MIB:.2f}", f"{len(jpeg.data) / MIB:.2f}")
            yield rows(name, how, *figures, sent.media_type, f"{encode_s * 1000:.0f}")


def rehearsal(folder):
    yield heading("rehearsal of 4 s", "wall, s", "of real time")
    for width, height in ((1280, 720), (720, 1280), (1792, 1024)):
        picture = clips.photo(width, height)
        _, wall_s = best_of(2, lambda picture=picture: render(picture, folder / "rehearsal.mp4", seconds=4))
        yield rows(f"{width}x{height}", f"{wall_s:.2f}", f"{wall_s / 4:.2f}")


def importing(_folder):
    yield heading("import", "ms")
    for name, code in (("Python alone", "pass"), ("the pack", "from pack import load_pack; load_pack()")):
        env = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
        command = [sys.executable, "-c", code]
        _, wall_s = best_of(5, lambda command=command, env=env: subprocess.run(command, check=True, env=env))
        yield rows(name, f"{wall_s * 1000:.0f}")
