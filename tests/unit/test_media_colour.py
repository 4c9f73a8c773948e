"""Colours, held against the same arithmetic in float64 from the code values that went into the clip."""

import numpy as np
import pytest
from sora2pro.nodes.media.colour import write_rgb
from sora2pro.nodes.media.decode import decode
from support import clips
from support.colours import FULL, LIMITED, LOSSLESS, MATRICES, planes, reference

SD, HD = (320, 180), (1280, 720)


def assert_same_colours(frame, expected):
    levels = np.abs(frame.numpy().astype(np.float64) - expected) * 255
    assert levels.mean() < 0.002
    assert levels.max() < 0.01


@pytest.mark.parametrize("color_range", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize(("pix_fmt", "bits", "size"), [("yuv420p", 8, SD), ("yuv420p", 8, HD), ("yuv420p10le", 10, SD)])
def test_a_tagged_clip_is_read_by_its_matrix_and_range(tmp_path, pix_fmt, bits, size, matrix, color_range):
    tag, kr, kb = MATRICES[matrix]
    values = planes(size, bits, pix_fmt, is_full=color_range == FULL)
    path = clips.write(tmp_path / "clip.mp4", [values], pix_fmt=pix_fmt, options=LOSSLESS, tags=(tag, color_range))
    assert_same_colours(decode(path).frames[0], reference(values, kr, kb, bits, is_full=color_range == FULL))


@pytest.mark.parametrize("color_range", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
def test_ten_bit_hevc_is_read_by_its_matrix_and_range(tmp_path, matrix, color_range):
    tag, kr, kb = MATRICES[matrix]
    values = planes(SD, 10, "yuv420p10le", is_full=color_range == FULL)
    path = clips.write(
        tmp_path / "clip.mp4",
        [values],
        codec="libx265",
        pix_fmt="yuv420p10le",
        # Without B-frames: x265 gives a single frame a decoding time from memory that it never set.
        options={"x265-params": "lossless=1:bframes=0:log-level=error"},
        tags=(tag, color_range),
    )
    assert_same_colours(decode(path).frames[0], reference(values, kr, kb, 10, is_full=color_range == FULL))


@pytest.mark.parametrize(
    ("size", "matrix"),
    [
        ((320, 180), "bt601"),
        ((1024, 576), "bt601"),
        ((1024, 578), "bt709"),
        ((1280, 180), "bt709"),
        ((1278, 180), "bt601"),
    ],
)
@pytest.mark.parametrize(("pix_fmt", "bits"), [("yuv420p", 8), ("yuv420p10le", 10)])
def test_an_untagged_clip_is_read_as_players_do_by_its_size(tmp_path, size, matrix, pix_fmt, bits):
    _, kr, kb = MATRICES[matrix]
    values = planes(size, bits, pix_fmt, is_full=False)
    path = clips.write(tmp_path / "clip.mp4", [values], pix_fmt=pix_fmt, options=LOSSLESS)
    assert_same_colours(decode(path).frames[0], reference(values, kr, kb, bits, is_full=False))


@pytest.mark.parametrize(
    ("pix_fmt", "bits"), [("yuv422p", 8), ("yuv444p", 8), ("yuv422p10le", 10), ("yuv444p10le", 10), ("yuvj420p", 8)]
)
@pytest.mark.parametrize("size", [SD, (130, 66)])
def test_other_samplings_are_read_exactly_too(tmp_path, pix_fmt, bits, size):
    is_full = "j" in pix_fmt
    values = planes(size, bits, pix_fmt, is_full=is_full)
    tags = None if is_full else (1, LIMITED)
    path = clips.write(tmp_path / "clip.mp4", [values], pix_fmt=pix_fmt, options=LOSSLESS, tags=tags)
    kr, kb = MATRICES["bt601" if is_full else "bt709"][1:]
    assert_same_colours(decode(path).frames[0], reference(values, kr, kb, bits, is_full=is_full))


@pytest.mark.parametrize(("pix_fmt", "bits"), [("yuv420p12le", 12), ("yuv422p14le", 14), ("yuv444p16le", 16)])
def test_a_picture_of_more_than_ten_bits_is_right_to_a_tenth_of_a_level(pix_fmt, bits):
    values = planes(SD, bits, pix_fmt, is_full=False)
    picture = np.full((*SD[::-1], 3), np.nan, np.float32)
    write_rgb(clips.video_frame(values, pix_fmt, (1, LIMITED)), picture)
    assert np.abs(picture - reference(values, *MATRICES["bt709"][1:], bits, is_full=False)).max() * 255 < 0.1


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (64, 65), (65, 64), (66, 129), (128, 127)])
def test_the_borders_of_every_size_are_right(size, pix_fmt):
    values = planes(size, 8, pix_fmt, is_full=False)
    picture = np.full((*size[::-1], 3), np.nan, np.float32)
    write_rgb(clips.video_frame(values, pix_fmt, (1, LIMITED)), picture)
    assert np.abs(picture - reference(values, *MATRICES["bt709"][1:], 8, is_full=False)).max() * 255 < 0.01


@pytest.mark.parametrize(
    ("matrix", "rgb"), [("bt709", (40, 200, 40)), ("bt601", (40, 200, 40)), ("bt709", (255, 255, 255))]
)
def test_a_patch_of_one_colour_has_that_colour(tmp_path, matrix, rgb):
    tag, kr, kb = MATRICES[matrix]
    r, g, b = (value / 255 for value in rgb)
    luma = kr * r + (1 - kr - kb) * g + kb * b
    code = 16 + 219 * luma, 128 + 112 * (b - luma) / (1 - kb), 128 + 112 * (r - luma) / (1 - kr)
    shapes = (HD[::-1], (HD[1] // 2, HD[0] // 2), (HD[1] // 2, HD[0] // 2))
    values = [np.full(shape, round(value), np.uint8) for shape, value in zip(shapes, code, strict=True)]
    path = clips.write(tmp_path / "clip.mp4", [values], options=LOSSLESS, tags=(tag, LIMITED))
    assert np.abs(decode(path).frames[0].numpy() * 255 - rgb).max() <= 1


def test_a_clip_stored_as_rgb_is_read_as_it_is(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    path = clips.write(tmp_path / "clip.mp4", [[picture]], codec="libx264rgb", pix_fmt="rgb24", options=LOSSLESS)
    assert_same_colours(decode(path).frames[0], picture / 255)


def test_a_grey_clip_is_grey(tmp_path):
    luma = np.random.default_rng(0).integers(16, 236, (64, 96), np.uint8)
    path = clips.write(tmp_path / "clip.mp4", [(luma,)], pix_fmt="gray", options=LOSSLESS)
    expected = ((luma.astype(float) - 16) / 219)[..., None].repeat(3, axis=2)
    assert np.abs(decode(path).frames[0].numpy() - expected).max() * 255 <= 1


@pytest.mark.parametrize("color_range", [LIMITED, FULL])
@pytest.mark.parametrize(("pix_fmt", "bits"), [("gray", 8), ("gray10le", 10), ("gray12le", 12), ("gray16le", 16)])
def test_a_picture_without_colour_is_read_by_its_range(pix_fmt, bits, color_range):
    unit = 1 << (bits - 8)
    black, white = (16 * unit, 235 * unit) if color_range == LIMITED else (0, 256 * unit - 1)
    codes = np.linspace(black, white, 96).round().astype(np.uint8 if bits == 8 else "<u2")
    picture = np.full((64, 96, 3), np.nan, np.float32)
    write_rgb(clips.video_frame([np.tile(codes, (64, 1))], pix_fmt, (1, color_range)), picture)
    expected = (codes.astype(np.float64) - black) / (white - black)
    assert np.abs(picture - expected[None, :, None]).max() * 255 < 0.1


@pytest.mark.parametrize("color_range", [LIMITED, FULL])
@pytest.mark.parametrize(("pix_fmt", "bits"), [("yuv444p", 8), ("yuv444p10le", 10)])
def test_planes_that_are_green_blue_and_red_are_read_as_such(pix_fmt, bits, color_range):
    unit = 1 << (bits - 8)
    black, white = (16 * unit, 235 * unit) if color_range == LIMITED else (0, 256 * unit - 1)
    rgb = np.random.default_rng(0).integers(black, white + 1, (64, 96, 3)).astype(np.uint8 if bits == 8 else "<u2")
    picture = np.full((64, 96, 3), np.nan, np.float32)
    write_rgb(clips.video_frame([rgb[..., 1], rgb[..., 2], rgb[..., 0]], pix_fmt, (0, color_range)), picture)
    assert np.abs(picture - (rgb.astype(np.float64) - black) / (white - black)).max() * 255 < 0.01
