import base64
import hashlib
import io

import numpy as np
import pytest
import torch
from PIL import Image, JpegImagePlugin
from sora2pro.nodes.errors import InvalidInputError
from sora2pro.nodes.media import FITS
from sora2pro.nodes.media.light import to_light
from sora2pro.nodes.media.picture import check_batch, encode, fit, nearest_size
from support import clips

SIZES = [(1280, 720), (720, 1280), (1024, 1792), (1792, 1024)]


def tensor(pixels):
    return torch.from_numpy(np.asarray(pixels, np.float32) / 255)


def gamma_of(light):
    return 255 * (1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_usual_kind_of_image_is_accepted(channels, dtype):
    assert check_batch(torch.zeros(2, 8, 8, channels, dtype=dtype), max_clips=2) == 2


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (torch.zeros(8, 8, 3), "8, 8, 3"),
        (torch.zeros(1, 1, 8, 8, 3), "1, 1, 8, 8, 3"),
        (None, "IMAGE"),
        (torch.zeros(0, 8, 8, 3), "no pixels"),
        (torch.zeros(1, 0, 8, 3), "no pixels"),
        (torch.zeros(1, 8, 8, 2), "2 channels"),
        (torch.zeros(1, 8, 8, 5), "5 channels"),
        (torch.zeros(1, 8, 8, 3, dtype=torch.uint8), "uint8"),
        (torch.full((1, 8, 8, 3), float("nan")), "NaN"),
        (torch.full((1, 8, 8, 3), float("inf"), dtype=torch.float16), "infinity"),
        (torch.zeros(3, 8, 8, 3), "max_clips"),
    ],
)
def test_an_unusable_image_is_refused_with_a_sentence_and_before_money(image, said):
    with pytest.raises(InvalidInputError) as caught:
        check_batch(image, max_clips=2)
    assert said in str(caught.value)
    assert "nothing was charged" in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        (1280, 720, (1280, 720)),
        (1792, 1024, (1792, 1024)),
        (1920, 1080, (1792, 1024)),
        (640, 480, (1280, 720)),
        (4032, 3024, (1792, 1024)),
        (3024, 4032, (1024, 1792)),
        (500, 900, (720, 1280)),
        (10, 5000, (720, 1280)),
    ],
)
def test_auto_takes_the_nearest_shape_then_the_nearest_number_of_pixels(width, height, size):
    assert nearest_size(torch.zeros(1, height, width, 3), SIZES) == size
    assert nearest_size(torch.zeros(height, width, 3), SIZES) == size


@pytest.mark.parametrize("how", FITS)
def test_a_picture_of_the_exact_size_passes_through_untouched(how):
    pixels = clips.photo(96, 64)
    assert np.array_equal(fit(tensor(pixels), (96, 64), how), pixels)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_all_256_levels_survive_rounding(dtype):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(fit(tensor(levels).to(dtype), (16, 16), "crop"), levels)


def test_values_are_rounded_not_cut_off():
    picture = torch.full((4, 4, 3), 100.6 / 255)
    assert (fit(picture, (4, 4), "crop") == 101).all()


def test_values_outside_0_to_1_are_clamped():
    picture = torch.tensor([[[-1.0, 0.5, 7.0]]])
    assert fit(picture, (1, 1), "crop").tolist() == [[[0, 128, 255]]]


def test_grey_is_repeated_and_alpha_is_composited_on_black():
    assert fit(torch.full((2, 2, 1), 0.2), (2, 2), "crop").tolist() == [[[51] * 3] * 2] * 2
    half = torch.tensor([1.0, 0.6, 0.0, 0.5]).expand(2, 2, 4)
    assert fit(half, (2, 2), "crop")[0, 0].tolist() == [128, 76, 0]


@pytest.mark.parametrize("how", FITS)
@pytest.mark.parametrize("size", [(128, 72), (72, 128), (7, 200)])
@pytest.mark.parametrize("source", [(300, 200), (33, 47), (1, 500), (500, 1), (1, 1)])
def test_every_fit_gives_exactly_the_size_for_every_shape(how, size, source):
    fitted = fit(tensor(clips.photo(*source)), size, how)
    assert (fitted.shape, fitted.dtype) == ((size[1], size[0], 3), np.uint8)


@pytest.mark.parametrize("how", FITS)
@pytest.mark.parametrize("source", [(300, 200), (20, 90)])
def test_one_colour_stays_that_colour(how, source):
    picture = torch.tensor([51.0, 128.0, 204.0]).div(255).expand(source[1], source[0], 3)
    fitted = fit(picture, (128, 72), how)
    colours = {tuple(colour) for colour in fitted.reshape(-1, 3).tolist()}
    assert colours == ({(51, 128, 204), (0, 0, 0)} if how == "pad" else {(51, 128, 204)})


def test_crop_keeps_the_middle_and_pad_keeps_all():
    picture = np.zeros((60, 180, 3), np.uint8)
    picture[:, :60, 0], picture[:, 60:120, 1], picture[:, 120:, 2] = 255, 255, 255
    cropped = fit(tensor(picture), (60, 60), "crop")
    assert cropped[30, 30].tolist() == cropped[30, 2].tolist() == cropped[30, 57].tolist() == [0, 255, 0]
    padded = fit(tensor(picture), (60, 60), "pad")
    assert [padded[30, x].tolist() for x in (5, 30, 55)] == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert not padded[:19].any()
    assert not padded[41:].any()


def test_a_crop_is_centred_to_the_fraction_of_a_pixel():
    picture = clips.photo(301, 100)
    fitted = fit(tensor(picture), (100, 100), "crop").astype(int)
    mirrored = fit(tensor(picture[:, ::-1].copy()), (100, 100), "crop").astype(int)
    assert np.abs(fitted - mirrored[:, ::-1]).max() <= 1


def test_blur_pad_shows_the_picture_sharp_on_a_soft_ground_of_its_own_colours():
    picture = clips.photo(90, 160)
    sharp = fit(tensor(picture), (320, 160), "blur pad")
    assert np.array_equal(sharp[:, 115:205], fit(tensor(picture), (320, 160), "pad")[:, 115:205])
    sides = np.concatenate([sharp[:, :110], sharp[:, 210:]], axis=1).astype(int)
    assert sides.min() > 0
    assert np.abs(np.diff(sides[:, :110], axis=1)).max() < 8


def test_a_fine_pattern_keeps_its_brightness_when_it_is_made_smaller():
    board = np.indices((400, 400)).sum(axis=0) % 2 * 255
    fitted = fit(tensor(board[..., None].repeat(3, axis=2)), (100, 100), "stretch")
    assert np.abs(fitted[4:-4, 4:-4] - gamma_of(0.5)).max() <= 1


def test_a_pattern_too_fine_for_the_new_size_leaves_no_moire():
    stripes = 0.5 + 0.5 * np.sin(np.arange(1000) * 2 * np.pi / 2.7)
    light = torch.from_numpy(stripes.astype(np.float32)).expand(100, 1000)
    picture = torch.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    fitted = fit(picture[..., None], (300, 100), "stretch")[:, 5:-5]
    assert np.abs(fitted - gamma_of(0.5)).max() <= 3


def test_an_unknown_fit_is_refused_with_the_known_ones():
    with pytest.raises(InvalidInputError, match="blur pad"):
        fit(torch.zeros(4, 4, 3), (4, 4), "zoom")


def test_a_png_holds_exactly_the_fitted_pixels():
    pixels = clips.photo(128, 72)
    encoded = encode(fit(tensor(pixels), (128, 72), "crop"))
    assert (encoded.media_type, encoded.width, encoded.height) == ("image/png", 128, 72)
    with Image.open(io.BytesIO(encoded.data)) as image:
        assert image.mode == "RGB"
        assert np.array_equal(np.asarray(image), pixels)


def test_the_same_picture_gives_the_same_bytes_and_says_nothing_else():
    picture = tensor(clips.photo(200, 100))
    for limit in (1 << 20, 0):
        first, second = (encode(fit(picture, (128, 72), "crop"), max_bytes=limit) for _ in range(2))
        assert first == second
        with Image.open(io.BytesIO(first.data)) as image:
            assert not image.getexif()
            assert not {"icc_profile", "comment", "Software", "date:create"} & set(image.info)


def test_a_png_too_large_gives_way_to_a_fine_jpeg_of_the_same_identity():
    picture = tensor(clips.photo(320, 180))
    png = encode(fit(picture, (320, 180), "crop"))
    assert encode(fit(picture, (320, 180), "crop"), max_bytes=len(png.data)).media_type == "image/png"
    jpeg = encode(fit(picture, (320, 180), "crop"), max_bytes=len(png.data) - 1)
    assert (jpeg.media_type, jpeg.pixels_sha256) == ("image/jpeg", png.pixels_sha256)
    assert len(jpeg.data) < len(png.data)
    with Image.open(io.BytesIO(jpeg.data)) as image:
        assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4
        assert np.abs(np.asarray(image).astype(int) - clips.photo(320, 180)).mean() < 4


@pytest.mark.parametrize("size", SIZES)
def test_even_noise_at_the_largest_sizes_stays_within_the_limit(size):
    noise = torch.from_numpy(np.random.default_rng(0).random((size[1], size[0], 3), np.float32))
    assert len(encode(fit(noise, size, "crop")).data) <= 6 * 1024 * 1024


def test_the_identity_is_that_of_the_pixels_and_their_shape():
    picture = tensor(clips.photo(64, 32))
    one = encode(fit(picture, (64, 32), "crop"))
    turned = encode(fit(picture.reshape(64, 32, 3), (32, 64), "crop"))
    brighter = encode(fit(picture * 0.99, (64, 32), "crop"))
    assert len({one.pixels_sha256, turned.pixels_sha256, brighter.pixels_sha256}) == 3
    assert len(one.pixels_sha256) == len(hashlib.sha256().hexdigest())


def test_the_data_uri_is_one_line_that_holds_the_bytes():
    encoded = encode(fit(tensor(clips.photo(64, 32)), (64, 32), "crop"))
    head, body = encoded.data_uri().split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body, validate=True) == encoded.data


def light_of(values):
    """IEC 61966-2-1 in float32, value by value."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("shape", [(1, 256), (256, 1), (16, 16), (1, 1), (7, 333), (1021, 3)])
def test_light_that_is_looked_up_has_every_bit_of_light_that_is_calculated(shape):
    """Else an update of this pack would fit a picture to other pixels, and a clip that was bought would be bought again."""
    levels = np.random.default_rng(2).permutation(np.resize(np.arange(256), shape[0] * shape[1])).reshape(shape)
    values = levels.astype(np.float32) / 255
    assert np.array_equal(to_light(values), light_of(values))


@pytest.mark.parametrize("towards", [0, 1])
def test_light_of_values_between_8_bit_levels_is_not_rounded_to_them(towards):
    values = np.arange(1, 255, dtype=np.float32)[None] / 255
    values = np.nextafter(values, np.float32(towards))
    assert np.array_equal(to_light(values), light_of(values))
    values[0, 100] = 100.5 / 255
    assert to_light(values)[0, 100] == light_of(values)[0, 100]
