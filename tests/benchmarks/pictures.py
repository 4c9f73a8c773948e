"""Figures of the picture that is sent: `python -m benchmarks.pictures` (with `tests` on the path) prints Markdown tables."""

import io
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np
import torch
from pack import load_pack
from PIL import Image, ImageDraw

load_pack()
from benchmarks.tables import heading, rows  # noqa: E402 - the pack has to be loaded first
from sora2pro.nodes.media.picture import check_batch, encode, fit  # noqa: E402 - as above
from support import clips  # noqa: E402 - as above

RUNS = 9
PHOTO = (4032, 3024)
SIZES = ((1280, 720), (1792, 1024))
LANCZOS = Image.Resampling.LANCZOS
RUN_LENGTHS = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)


def side_by_side(**calls):
    """The best of several runs taken in turn, in ms: other work on the machine hits all alike."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(RUNS):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            best[name] = min(best[name], (time.perf_counter() - begun) * 1000)
    return best


def box_of(size, how):
    """The part of the photograph that is seen, and the size that it gets."""
    width, height = PHOTO
    if how == "pad":
        scale = min(size[0] / width, size[1] / height)
        return (0, 0, width, height), (round(width * scale), round(height * scale))
    scale = max(size[0] / width, size[1] / height)
    inner = size[0] / scale, size[1] / scale
    left, top = (width - inner[0]) / 2, (height - inner[1]) / 2
    return (left, top, left + inner[0], top + inner[1]), size


def by_pillow(pixels, size, how):
    """Pillow's Lanczos on 8 bits, in the values of the file instead of light."""
    box, inner = box_of(size, how)
    small = Image.fromarray(pixels).resize(inner, LANCZOS, box)
    if how == "crop":
        return np.asarray(small)
    ground = Image.new("RGB", size)
    ground.paste(small, ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
    return np.asarray(ground)


def eight_bit(picture):
    return np.rint(picture.numpy() * 255).astype(np.uint8)


def fitting():
    pixels = clips.photo(*PHOTO)
    picture = torch.from_numpy(pixels.astype(np.float32) / 255)
    yield heading(
        f"{PHOTO[0]}x{PHOTO[1]} to",
        "fit",
        "ours, ms",
        "Pillow from the 8 bits, ms",
        "from the tensor, ms",
        "ours / theirs",
    )
    for size in SIZES:
        for how in ("crop", "pad"):
            best = side_by_side(
                ours=lambda size=size, how=how: fit(picture, size, how),
                pillow=lambda size=size, how=how: by_pillow(pixels, size, how),
                tensor=lambda size=size, how=how: by_pillow(eight_bit(picture), size, how),
            )
            ratios = f"{best['ours'] / best['pillow']:.2f}, {best['ours'] / best['tensor']:.2f}"
            yield rows(f"{size[0]}x{size[1]}", how, *(f"{ms:.0f}" for ms in best.values()), ratios)
    checking = side_by_side(check=lambda: check_batch(picture[None], max_clips=1))
    yield rows("looking for values that are not numbers", "", f"{checking['check']:.0f}", "", "", "")


def light_of(values):
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def weights(count, start, stop, size):
    """Lanczos in float64: [size, count], the part of each pixel in each pixel of the smaller picture."""
    scale = (stop - start) / size
    width = max(scale, 1.0)
    centres = start + (np.arange(size) + 0.5) * scale
    x = (np.arange(count) + 0.5 - centres[:, None]) / width
    filtered = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
    return filtered / filtered.sum(axis=1, keepdims=True)


def reference(pixels, size):
    """The crop to `size` in linear light and float64, as levels that are not rounded: [H, W, 3]."""
    (left, top, right, bottom), _ = box_of(size, "crop")
    down, across = weights(PHOTO[1], top, bottom, size[1]), weights(PHOTO[0], left, right, size[0])
    colours = []
    for number in range(3):
        light = (down @ light_of(pixels[..., number] / 255) @ across.T).clip(0, 1)
        colours.append(255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055))
    return np.stack(colours, axis=2)


def ssim(one, other):
    """The structural similarity of two pictures [H, W, 3], 0..255, with the usual window: Wang et al., 2004."""

    def blurred(values):
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    one, other = one.astype(np.float64), other.astype(np.float64)
    mean_one, mean_other = blurred(one), blurred(other)
    squares = blurred(one**2) - mean_one**2, blurred(other**2) - mean_other**2
    both = blurred(one * other) - mean_one * mean_other
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_one * mean_other + c1) * (2 * both + c2)
    return float((likeness / ((mean_one**2 + mean_other**2 + c1) * (sum(squares) + c2))).mean())


def quality():
    yield heading(
        "crop to 1280x720, against Lanczos in linear light and float64", "SSIM", "mean error, levels", "largest"
    )
    size = SIZES[0]
    for kind, make in KINDS.items():
        pixels = make(*PHOTO)
        expected = reference(pixels, size)
        picture = torch.from_numpy(pixels.astype(np.float32) / 255)
        for name, fitted in (("ours", fit(picture, size, "crop")), ("Pillow", by_pillow(pixels, size, "crop"))):
            error = np.abs(fitted - expected)
            yield rows(f"{kind}: {name}", f"{ssim(fitted, expected):.6f}", f"{error.mean():.3f}", f"{error.max():.1f}")


def drawing(width, height):
    """Lines and flat colours."""
    random = np.random.default_rng(1)
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        points = [tuple(point) for point in (random.random((5, 2)) * (width, height)).tolist()]
        colour = tuple(random.integers(0, 256, 3).tolist())
        draw.polygon(
            points, fill=colour if random.random() < 0.4 else None, outline="black", width=max(1, width // 400)
        )
    return np.asarray(image)


def render(width, height):
    """Smooth shades without grain, with sharp edges."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32(max(width, height))
    pixels = np.stack([0.3 + 0.4 * x, 0.4 + 0.3 * y, 0.6 - 0.2 * x * y], axis=2)
    random = np.random.default_rng(2)
    for _ in range(40):
        centre_x, centre_y, radius = random.random(3) * (1, height / width, 0.08) + (0, 0, 0.02)
        height_2 = radius**2 - (x - centre_x) ** 2 - (y - centre_y) ** 2
        shade = np.sqrt(height_2.clip(0)) / radius
        pixels = np.where(height_2[..., None] > 0, shade[..., None] * random.random(3).astype(np.float32), pixels)
    return np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)


KINDS = {"photograph": clips.photo, "drawing": drawing, "render": render}


def opencv_png(pixels, *options):
    return cv2.imencode(".png", pixels[..., ::-1], options)[1]


def pillow_png(pixels, level):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=level)
    return buffer.getvalue()


def encoding():
    yield heading("PNG of 1280x720", "way", "ms", "of Pillow's time", "KiB", "of Pillow's bytes")
    ways = {
        "as it is sent": lambda pixels: encode(pixels, max_bytes=1 << 40).data,
        "Pillow, level 6": lambda pixels: pillow_png(pixels, 6),
        "Pillow, level 1": lambda pixels: pillow_png(pixels, 1),
        "OpenCV": opencv_png,
        "OpenCV, level 1, run lengths": lambda pixels: opencv_png(pixels, *RUN_LENGTHS),
    }
    for kind, make in KINDS.items():
        pixels = fit(torch.from_numpy(make(2560, 1440).astype(np.float32) / 255), SIZES[0], "crop")
        best = side_by_side(**{name: lambda way=way, pixels=pixels: way(pixels) for name, way in ways.items()})
        sizes = {name: len(way(pixels)) for name, way in ways.items()}
        theirs = "Pillow, level 6"
        for name, ms in best.items():
            times, size = f"{ms / best[theirs]:.2f}", f"{sizes[name] / sizes[theirs]:.2f}"
            yield rows(kind, name, f"{ms:.0f}", times, f"{sizes[name] / 1024:.0f}", size)


def main():
    for part in (fitting, quality, encoding):
        print()
        for line in part():
            print(line, flush=True)


if __name__ == "__main__":
    main()
