"""An update of this pack fits a picture to the same pixels as the first version: by them a bought clip is found."""

import numpy as np
import pytest
import torch
from PIL import Image
from sora2pro.nodes.media import light
from sora2pro.nodes.media.picture import fit
from support import clips

LANCZOS, BICUBIC = Image.Resampling.LANCZOS, Image.Resampling.BICUBIC
SHAPES = [
    ((640, 480), (320, 180)),
    ((1200, 37), (128, 72)),
    ((37, 1200), (72, 128)),
    ((52, 66), (33, 8)),
    ((301, 203), (1280, 720)),
    ((2100, 1500), (448, 256)),
]


def light_of(values):
    """IEC 61966-2-1 in float32, value by value."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def levels_of(values):
    values = values.clip(0, 1)
    display = np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)
    return np.rint(display * 255).astype(np.uint8)


def scaled(colours, size, box):
    shrinks = size[0] < box[2] - box[0] or size[1] < box[3] - box[1]
    kernel = LANCZOS if shrinks else BICUBIC
    return np.stack([np.asarray(Image.fromarray(one).resize(size, kernel, box)) for one in colours], axis=2)


def first_version(rgb, size, how):
    """Every colour [H, W] at once by formula, scaled by Pillow as a whole."""
    colours = [light_of(np.ascontiguousarray(rgb[..., number])) for number in range(3)]
    height, width = rgb.shape[:2]
    if how == "stretch":
        return levels_of(scaled(colours, size, (0, 0, width, height)))
    if how == "crop":
        scale = max(size[0] / width, size[1] / height)
        inner_width, inner_height = min(size[0] / scale, width), min(size[1] / scale, height)
        left, top = (width - inner_width) / 2, (height - inner_height) / 2
        return levels_of(scaled(colours, size, (left, top, left + inner_width, top + inner_height)))
    scale = min(size[0] / width, size[1] / height)
    inner = [max(1, min(most, round(edge * scale))) for most, edge in zip(size, (width, height), strict=True)]
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    ground = np.zeros((size[1], size[0], 3), np.float32)
    ground[top : top + inner[1], left : left + inner[0]] = scaled(colours, tuple(inner), (0, 0, width, height))
    return levels_of(ground)


def kinds(width, height):
    """Name and tensor [H, W, C] of pictures that differ in what can be looked up of them."""
    random = torch.Generator().manual_seed(width * height)
    noise = torch.rand(height, width, 4, generator=random)
    photograph = torch.from_numpy(clips.photo(width, height).astype(np.float32) / 255)
    yield "photograph of 8 bits", photograph
    yield "noise of 8 bits", (noise[..., :3] * 255).round() / 255
    yield "noise of floats", noise[..., :3]
    yield "outside of 0 to 1", noise[..., :3] * 3 - 1
    yield "16-bit floats", noise[..., :3].half()
    yield "64-bit floats", noise[..., :3].double()
    yield "channels first in memory", noise[..., :3].permute(2, 0, 1).contiguous().permute(1, 2, 0)
    yield "grey", noise[..., :1]
    yield "alpha", noise
    yield "8 bits, but for one value", torch.cat([photograph[:-1], photograph[-1:] * 0.999])


@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
@pytest.mark.parametrize(("source", "size"), SHAPES)
def test_a_picture_is_fitted_to_the_pixels_of_the_first_version(source, size, how):
    for kind, picture in kinds(*source):
        rgb = picture.float().clamp(0, 1).numpy()
        rgb = rgb[..., :3] * rgb[..., 3:] if rgb.shape[2] == 4 else np.broadcast_to(rgb, (*rgb.shape[:2], 3))
        assert np.array_equal(fit(picture, size, how), first_version(rgb, size, how)), kind


def test_levels_that_are_looked_up_are_those_of_the_formula():
    random = np.random.default_rng(5).random(3_000_000)
    values = np.concatenate([random, random**3, [-1e9, -1e-9, 0, 1e-40, 1, 1 + 1e-6, 1e9]]).astype(np.float32)
    assert np.array_equal(light.to_eight_bit(values), levels_of(values))


def test_every_number_next_to_the_end_of_a_level_has_the_level_of_the_formula():
    least, most = np.zeros(255, np.uint32), np.full(255, np.float32(1).view(np.uint32))
    while (least < most).any():
        middle = (least + most) // 2
        reached = light.to_eight_bit(middle.view(np.float32)) >= np.arange(1, 256)
        least, most = np.where(reached, least, middle + 1), np.where(reached, middle, most)
    near = (most[:, None].astype(np.int64) + np.arange(-500, 500)).astype(np.uint32).view(np.float32)
    assert np.array_equal(light.to_eight_bit(near), levels_of(near))
