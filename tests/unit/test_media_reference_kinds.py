"""Tensors of every kind, pictures of every size, and the pixels that the fingerprints of bought clips are made of."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sora2pro.nodes.errors import NOTHING_SENT, InvalidInputError, NotEnoughRoomError
from sora2pro.nodes.media import FITS, memory
from sora2pro.nodes.media.picture import check_batch, encode, fit
from support import clips

TESTS = Path(clips.__file__).parents[1]
GREY = torch.full((1, 8, 8, 3), 0.5)
FLOAT8 = [
    getattr(torch, name)
    for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
    if hasattr(torch, name)
]

# (size of the picture, size of the clip): what `pixels_sha256` of `pattern` begins with, for each of FITS.
# A clip that was bought is found by these pixels: if one changes, its owner pays again.
LOCKED = {
    ((1920, 1080), (1280, 720)): (
        "be7f7f90b5440e5c",
        "be7f7f90b5440e5c",
        "be7f7f90b5440e5c",
        "be7f7f90b5440e5c",
    ),
    ((640, 480), (1792, 1024)): (
        "0d6b286804289c41",
        "89700d14cd560eb1",
        "a70c828fe74a6e65",
        "1e11e77ad7e300c2",
    ),
    ((2731, 2113), (720, 1280)): (
        "095eedaac7bf0b13",
        "f9b2eede89210c1d",
        "ec39f2b9c0d4b2e4",
        "15c720aacb7ae23b",
    ),
    ((37, 2999), (1024, 1792)): (
        "a6ed2061265fac0b",
        "6a8e6877935c3286",
        "1ca6343d942cbeed",
        "73ef244615c6b4fe",
    ),
    ((4001, 53), (1280, 720)): (
        "d8db9f5a2e77940b",
        "18a425a42fdcb25a",
        "ea7342464221c695",
        "4ded0edf889381d0",
    ),
    ((1, 1), (720, 1280)): (
        "20d73389e07dabb8",
        "20d73389e07dabb8",
        "20d73389e07dabb8",
        "20d73389e07dabb8",
    ),
}
MEASURE = """
import json, resource, sys
from pack import load_pack
load_pack()
import torch
from sora2pro.nodes.media.picture import check_batch, fit
fit(torch.rand(600, 800, 3), (1280, 720), sys.argv[1])
picture = torch.rand(1, 3200, 3200, 3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
check_batch(picture, max_clips=1)
fit(picture[0], (1280, 720), sys.argv[1])
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps((after - before) * 1024 / picture.untyped_storage().nbytes()))
"""


def pattern(width, height):
    """A picture that is the same on every machine: [H, W, 3] float32."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([(x * 7 + y * 3) % 256, (x * x + y * 5) % 256, (x * y) % 256], axis=2).astype(np.uint8)
    return torch.from_numpy(np.asarray(pixels, np.float32) / 255)


@pytest.mark.parametrize("dtype", FLOAT8)
def test_a_picture_of_eight_bit_floats_is_taken_with_its_pixels(dtype):
    picture = pattern(16, 8).to(dtype)
    assert check_batch(picture[None], max_clips=1) == 1
    assert np.array_equal(fit(picture, (16, 8), "crop"), np.rint(picture.float().clamp(0, 1).numpy() * 255))


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (GREY.numpy(), "ndarray"),
        ([GREY], "list"),
        ("picture.png", "str"),
        (GREY.to("meta"), "meta"),
        (GREY.to_sparse(), "sparse"),
        (torch.nested.nested_tensor([torch.zeros(8, 8, 3), torch.zeros(9, 8, 3)]), "tensor"),
        (torch.quantize_per_tensor(GREY, 0.1, 0, torch.quint8), "quint8"),
        (GREY.to(torch.complex64), "complex64"),
        (GREY.bool(), "bool"),
        (GREY.to(torch.int64), "int64"),
        (torch.full((1, 8, 8, 3), float("nan"), dtype=torch.float8_e4m3fn), "NaN"),
        (torch.full((1, 8, 8, 3), float("inf"), dtype=torch.float8_e5m2), "infinity"),
    ],
)
def test_what_is_not_a_picture_is_refused_in_words_before_money(image, said):
    with pytest.raises(InvalidInputError) as caught:
        check_batch(image, max_clips=1)
    assert said in str(caught.value)
    assert NOTHING_SENT in str(caught.value)
    assert caught.value.remedy


@pytest.mark.skipif(not hasattr(torch, "float4_e2m1fn_x2"), reason="this PyTorch has no numbers of four bits")
def test_numbers_that_pytorch_itself_cannot_read_are_refused_in_words():
    packed = torch.zeros(1, 8, 8, 3, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)
    with pytest.raises(InvalidInputError, match="cannot be read"):
        check_batch(packed, max_clips=1)


def test_one_value_that_is_not_a_number_is_found_wherever_it_is():
    batch = torch.zeros(2, 700, 600, 3)
    batch[1, 699, 599, 2] = float("nan")
    with pytest.raises(InvalidInputError, match="NaN"):
        check_batch(batch, max_clips=2)


def test_large_numbers_of_64_bits_are_numbers():
    assert check_batch(torch.full((1, 8, 8, 3), 1e300, dtype=torch.float64), max_clips=1) == 1


def test_a_picture_that_a_gradient_belongs_to_is_taken():
    picture = pattern(16, 8).requires_grad_()
    assert check_batch(picture[None], max_clips=1) == 1
    assert np.array_equal(fit(picture, (32, 16), "crop"), fit(picture.detach(), (32, 16), "crop"))


@pytest.mark.parametrize(("sizes", "hashes"), LOCKED.items())
def test_the_pixels_that_bought_clips_are_found_by_stay_the_same(sizes, hashes):
    source, target = sizes
    picture = pattern(*source)
    found = tuple(encode(fit(picture, target, how)).pixels_sha256[:16] for how in FITS)
    assert found == hashes


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is in kilobytes on Linux")
@pytest.mark.parametrize("how", ["crop", "blur pad"])
def test_a_large_picture_is_fitted_with_a_fraction_of_its_memory_on_top(how):
    child = subprocess.run(
        [sys.executable, "-c", MEASURE, how],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
    )
    assert json.loads(child.stdout) < 0.7


def test_a_picture_that_does_not_fit_into_memory_is_refused_before_money_and_before_it_is_touched(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 2 * memory.GIB)
    picture = torch.zeros(1, 1, 1).expand(16384, 16384, 3)
    with pytest.raises(NotEnoughRoomError) as caught:
        encode(fit(picture, (1280, 720), "crop"))
    text = str(caught.value)
    assert "16384 x 16384" in text
    assert "2.0 GiB" in text
    assert NOTHING_SENT in text
    assert "smaller" in text
    assert "decode_frames" not in text
