"""A job of any model can be asked for again: the inputs of the node lead to exactly the request that was sent."""

import json
import random
from dataclasses import replace

import pytest
from sora2pro.nodes.errors import InvalidInputError
from sora2pro.nodes.runcomfy import MODEL_DEFAULT, Wishes, retrace, shipped_catalogue, translate
from sora2pro.nodes.runcomfy.catalogue.facts import facts_of
from sora2pro.nodes.runcomfy.catalogue.request import CatalogueRequest

CATALOGUE = shipped_catalogue()
ADDRESS = "https://example.com/fox.png"


def sent(entry, wishes):
    """What is sent for wishes, as the journal keeps it: prompt, inputs and take."""
    translation = translate(entry, wishes, catalogue=CATALOGUE, is_strict=False)
    request = CatalogueRequest(entry, translation, (), wishes.seed)
    return request.prompt, json.loads(json.dumps(dict(request.stored_inputs))), request.take


def retraced(entry, wishes):
    prompt, inputs, take = sent(entry, wishes)
    return retrace(entry, prompt=prompt, inputs=inputs, take=take, catalogue=CATALOGUE)


def usual(entry):
    """Wishes that a model fulfils, with pictures."""
    facts = facts_of(entry)
    return Wishes(prompt="A fox runs.", has_image=True, has_end_image=facts.last_picture == "required")


def varied(entry, seed):
    """Random wishes; not every one is fulfilled."""
    facts, dice = facts_of(entry), random.Random(seed)  # noqa: S311 - not a secret
    return replace(
        usual(entry),
        duration=int(dice.choice([0, *facts.lengths_s, facts.longest_s or 0])),
        resolution=dice.choice([MODEL_DEFAULT, *facts.resolutions]),
        aspect_ratio=dice.choice([MODEL_DEFAULT, *facts.aspect_ratios]),
        audio=dice.choice([MODEL_DEFAULT, "on", "off"]),
        negative_prompt=dice.choice(["", "Blur."]) if facts.has_negative_prompt else "",
        seed=dice.choice([0, 7]),
    )


@pytest.mark.parametrize("entry", CATALOGUE.models, ids=lambda entry: entry.model_id)
def test_what_leads_back_to_a_request_leads_to_the_same_request(entry):
    tried = 0
    for seed in range(20):
        wishes = varied(entry, seed)
        try:
            expected = sent(entry, wishes)
        except InvalidInputError:
            continue
        again = retraced(entry, wishes)
        assert sent(entry, again) == expected
        assert again.extra_json == ""
        tried += 1
    assert tried > 1


def test_each_choice_is_in_its_own_input_and_what_has_none_is_in_extra_json():
    entry = CATALOGUE.find("kling/kling-3.0/standard/image-to-video")
    wishes = replace(usual(entry), duration=7, audio="off", seed=5, extra_json='{"cfg_scale": 0.7}')
    again = retraced(entry, wishes)
    assert (again.duration, again.audio, again.seed) == (7, "off", 5)
    assert json.loads(again.extra_json) == {"cfg_scale": 0.7}


def test_fields_that_no_description_has_stay_in_extra_json():
    entry = CATALOGUE.find("pixverse/pixverse-v6/image-to-video")
    prompt, inputs, take = sent(entry, usual(entry))
    inputs |= {"brand_new": {"list": [1, 1.5, True, None, ADDRESS]}}
    again = retrace(entry, prompt=prompt, inputs=inputs, take=take, catalogue=CATALOGUE)
    assert sent(entry, again) == (prompt, inputs, take)
    assert json.loads(again.extra_json) == {"brand_new": inputs["brand_new"]}


def test_a_request_that_the_description_of_today_cannot_give_keeps_every_field_it_was_sent_with():
    entry = CATALOGUE.find("kling/kling-3.0/standard/image-to-video")
    again = retrace(entry, prompt="A fox.", inputs={"only": 1}, take=3, catalogue=CATALOGUE)
    assert (again.prompt, again.seed, json.loads(again.extra_json)) == ("A fox.", 3, {"only": 1})
