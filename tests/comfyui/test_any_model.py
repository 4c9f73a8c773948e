"""Every model of the catalogue, from a picture to a file, in a real ComfyUI."""

import numpy as np
import pytest
from comfyui import measured
from comfyui.graphs import GENERATE, loaded, node
from comfyui.studio import Studio
from emulator.models import CATALOGUE
from PIL import Image

GENERATOR = "RunComfyImageToVideo"
NEEDS_LAST = ("first-last-frame", "transition")


def graph_of(model_id, **widgets):
    """A picture to a clip of a model with its own defaults: the first frame and the video as files."""
    last = {"end_image": ["picture", 0]} if any(word in model_id for word in NEEDS_LAST) else {}
    chosen = {
        "duration": 0,
        "frame_load_cap": 1,
        **dict.fromkeys(("resolution", "aspect_ratio", "audio"), "model default"),
    }
    return {
        **loaded(),
        GENERATE: node(
            GENERATOR, model=model_id, prompt="A gull crosses the bay.", image=["picture", 0], **chosen | last | widgets
        ),
        "frame": node("SaveImage", images=[GENERATE, 0], filename_prefix="frame"),
        "video": node("SaveVideo", video=[GENERATE, 3], filename_prefix="clip", format="auto", codec="auto"),
    }


@pytest.mark.parametrize("model_id", [model.model_id for model in CATALOGUE])
def test_a_clip_of_any_model_reaches_the_disk_for_one_charge_and_again_for_none(comfyui, emulator, model_id):
    studio = Studio.from_now(comfyui, emulator)
    outcome = studio.run(graph_of(model_id))
    assert outcome.succeeded, outcome.error
    (frame,), (video,) = outcome.files("frame"), outcome.files("video")
    shown = measured.frames(video)
    assert np.asarray(Image.open(frame)).shape == shown[0].shape
    assert studio.charges == 1
    # A node that was asked for something else is run again; the clip is served from the journal.
    again = studio.run(graph_of(model_id, select_every_nth=2), clips=0)
    assert again.succeeded, again.error
    assert studio.charges == 1


def test_a_wish_that_the_model_cannot_fulfil_is_a_dialog_and_no_charge(studio):
    outcome = studio.run(graph_of(CATALOGUE[0].model_id, duration=59), clips=0)
    assert not outcome.succeeded
    assert "nothing was charged" in outcome.error
    assert studio.charges == 0
