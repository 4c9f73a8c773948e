"""The small picture that the panel shows of a clip."""

import numpy as np
import pytest
from PIL import Image
from sora2pro.nodes.media.decode import decode
from sora2pro.nodes.media.thumbnail import write_thumbnail
from support import clips
from support.colours import LIMITED, LOSSLESS, MATRICES


def two_colours(width, height):
    """Planes (Y, U, V): the upper half green, the lower violet."""
    luma = np.full((height, width), 173, np.uint8)
    blue, red = (np.full((height // 2, width // 2), value, np.uint8) for value in (42, 26))
    luma[height // 2 :], blue[height // 4 :], red[height // 4 :] = 80, 180, 150
    return luma, blue, red


def quarters(picture):
    """The colour in the middle of the upper left, upper right, lower left and lower right quarter, in levels."""
    height, width, _ = picture.shape
    return np.array([picture[height * y // 4, width * x // 4] for y in (1, 3) for x in (1, 3)], float)


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
def test_a_thumbnail_is_small_and_shows_the_first_frame_upright_and_in_its_colours(tmp_path, matrix, turned):
    clip = clips.write(
        tmp_path / "clip.mp4", [two_colours(1280, 720)], options=LOSSLESS, tags=(MATRICES[matrix][0], LIMITED)
    )
    if turned:
        clips.set_rotation(clip, turned)
    write_thumbnail(clip, tmp_path / "made" / "thumbnail.jpg")
    with Image.open(tmp_path / "made" / "thumbnail.jpg") as picture:
        assert picture.size == ((288, 512) if turned in {90, 270} else (512, 288))
        seen = quarters(np.asarray(picture.convert("RGB")))
    frame = decode(clip).frames[0].numpy()
    assert np.abs(seen - quarters(frame) * 255).max() <= 3  # of the JPEG
    assert len(np.unique(seen.round(-1), axis=0)) == 2


def test_a_small_clip_keeps_its_size(tmp_path):
    clip = clips.write(tmp_path / "clip.mp4", [two_colours(64, 48)], options=LOSSLESS)
    write_thumbnail(clip, tmp_path / "thumbnail.jpg")
    with Image.open(tmp_path / "thumbnail.jpg") as picture:
        assert picture.size == (64, 48)
