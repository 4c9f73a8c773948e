"""What a person chooses a model by."""

import pytest
from sora2pro.nodes.errors import InvalidInputError
from sora2pro.nodes.page.documents import json_of, model_document
from sora2pro.nodes.runcomfy import Wishes, facts_of, shipped_catalogue, translate
from sora2pro.nodes.runcomfy.catalogue.facts import priced_wishes

CATALOGUE = shipped_catalogue()
# A wish for each widget that a model can have no use for.
WISHES = {
    "duration": {"duration": 5},
    "resolution": {"resolution": "123p"},
    "aspect_ratio": {"aspect_ratio": "16:9"},
    "audio": {"audio": "on"},
    "end_image_url": {"end_image_url": "https://pictures.example/a.png"},
    "negative_prompt": {"negative_prompt": "rain"},
}


def facts(model_id):
    return facts_of(CATALOGUE.find(model_id))


def test_lengths_are_a_list_or_a_range_and_the_word_for_the_model_s_choice_is_no_length():
    assert facts("lightricks/ltx-2.5/image-to-video/pro").lengths_s == (6, 8, 10)
    kling = facts("kling/kling-3.0/standard/image-to-video")
    assert (kling.lengths_s, kling.shortest_s, kling.longest_s) == ((), 3, 15)


def test_a_resolution_is_found_where_the_model_has_it():
    assert facts("happyhorse/happyhorse-1.0/image-to-video").resolutions == ("720p", "1080p")
    assert facts("bytedance/seedance-2.5/image-to-video/1080p").resolutions == ("1080p",)
    assert facts("google/gemini-omni-flash/image-to-video").resolutions == ()


def test_sound_is_a_switch_or_always_there_or_not_known():
    assert facts("kling/kling-3.0/standard/image-to-video").sound == "switch"
    assert facts("minimax/minimax-h3/image-to-video").sound == "always"
    assert facts("wan-ai/wan-2.7/image-to-video").sound == ""


def test_a_last_picture_can_be_needed():
    assert facts("kling/kling-3.0/standard/image-to-video").last_picture == ""
    assert facts("kling/kling-3.0/pro/image-to-video").last_picture == "optional"
    assert facts("blackforestlabs/flux-3/first-last-frame-to-video").last_picture == "required"


@pytest.mark.parametrize("entry", CATALOGUE.models, ids=lambda entry: entry.model_id)
def test_a_wish_in_a_widget_that_is_greyed_is_refused(entry):
    for widget in facts_of(entry).unusable:
        wishes = Wishes(prompt="x", has_image=True, has_end_image=facts_of(entry).last_picture == "required")
        translate(entry, wishes, catalogue=CATALOGUE)
        wished = Wishes(prompt="x", has_image=True, **WISHES[widget])
        if widget == "audio" and entry.exceptions.has_sound:
            wished = Wishes(prompt="x", has_image=True, audio="off")
        with pytest.raises(InvalidInputError):
            translate(entry, wished, catalogue=CATALOGUE)


@pytest.mark.parametrize("entry", CATALOGUE.models, ids=lambda entry: entry.model_id)
def test_every_shipped_model_has_a_document_and_can_be_reckoned(entry):
    assert entry.model_id in json_of(model_document(facts_of(entry)))
    translation = translate(entry, priced_wishes(entry, Wishes()), catalogue=CATALOGUE)
    assert (translation.price.usd is None) == (entry.base_price_usd is None)
