"""The models that the pack ships with: complete, like their sources, and honest about what is gone."""

import json
from pathlib import Path

import pytest
from catalogue.build import rows_from_facts, with_live_answer, with_rows_kept
from pack import ROOT
from sora2pro.nodes.errors import InvalidInputError
from sora2pro.nodes.runcomfy.catalogue import shipped
from sora2pro.nodes.runcomfy.catalogue.request import fingerprint
from sora2pro.nodes.runcomfy.catalogue.roles import find_roles
from sora2pro.nodes.runcomfy.catalogue.schema import parse_entry
from sora2pro.nodes.runcomfy.catalogue.shipped import check_offer, unknown_model
from support.model_values import CATALOGUE, document_with, entry_with

ROWS = json.loads(shipped.FILE.read_text("utf-8"))["models"]
BESIDE = ROOT.parent / "shared" / "catalogue" / "models.json"
FACTS = json.loads(
    (BESIDE if BESIDE.exists() else Path(ROOT) / "tests" / "stored" / "model-facts.json").read_text("utf-8")
)
COMPLETE = [one for one in FACTS["models"] if one["schema_completeness"] == "scalar-complete"]
SORA = "openai/sora-2/pro/image-to-video"
ROLES = (
    "prompt",
    "first_image",
    "last_image",
    "negative_prompt",
    "duration",
    "resolution",
    "aspect_ratio",
    "audio_switch",
    "seed",
)


def test_what_is_shipped_is_what_the_facts_say():
    shipped_rows = {row["model_id"]: row for row in ROWS}
    for row in rows_from_facts(FACTS):
        assert shipped_rows[row["model_id"]] == row


def test_34_models_can_be_chosen_and_sora_is_not_one_of_them():
    assert len(CATALOGUE.ids) == len(set(CATALOGUE.ids)) == 34
    assert SORA not in CATALOGUE.ids
    assert CATALOGUE.find(SORA).is_retired


@pytest.mark.parametrize("fact", COMPLETE, ids=lambda fact: fact["model_id"])
def test_every_field_means_what_a_person_found_it_to_mean(fact):
    found = {role.value: one.name for role, one in find_roles(CATALOGUE.find(fact["model_id"])).found}
    assert {name: found.get(name) for name in ROLES} == {name: fact["inferred_roles"][name] for name in ROLES}


def test_the_widgets_offer_what_any_model_has():
    assert CATALOGUE.resolutions() == (
        *("360p", "480p", "540p", "720p", "768p", "1080p", "1440p", "2k", "2160p", "4k"),
    )  # fmt: skip
    assert set(CATALOGUE.aspect_ratios()) == {"16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "2:1"}


def test_a_damaged_file_costs_the_list_and_not_the_pack(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "FILE", tmp_path / "models.json")
    (tmp_path / "models.json").write_text('{"models": [', encoding="utf-8")
    assert shipped.shipped_catalogue.__wrapped__().ids == ()


# --- models that cannot be bought


def test_a_retired_model_says_why_and_names_others():
    text = str(unknown_model(SORA, CATALOGUE))
    assert "no longer offers 'openai/sora-2/pro/image-to-video'. OpenAI withdrew Sora 2 on 24 September 2026." in text
    assert CATALOGUE.ids[0] in text


def test_a_retired_model_names_its_family_first():
    rows = [
        *ROWS,
        {**ROWS[0], "model_id": "kling/kling-2.1/pro/image-to-video", "is_retired": True, "family": "Kling 2.1"},
    ]
    text = str(unknown_model(rows[-1]["model_id"], shipped.parse_catalogue_file(json.dumps({"models": rows}))))
    assert "Successors of the same family: 'kling/kling-3.0/" in text


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("wan-ai/wan-2-7/image-to-video", "wan-ai/wan-2.7/image-to-video"),
        ("kling/kling-video-o3/4k/image-to-video", "kling/kling-video-o3/4K/image-to-video"),
        ("happyhorse/happyhorse-1-0/image-to-video", "happyhorse/happyhorse-1.0/image-to-video"),
    ],
)
def test_an_unknown_id_names_the_nearest(asked, nearest):
    assert f"'{nearest}'" in str(unknown_model(asked, CATALOGUE))


def test_a_shipped_model_that_is_gone_is_said_to_be_gone():
    assert "no longer offers this model" in str(unknown_model(CATALOGUE.ids[0], CATALOGUE))


def test_an_id_like_nothing_points_to_the_list():
    assert "Choose one from the list" in str(unknown_model("§", CATALOGUE))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_id": "maker/other"}, "'maker/other' when asked for"),
        ({"kind": "workflow"}, "kind 'workflow'"),
        ({"categories": ["text-to-video"]}, "categories at RunComfy are text-to-video"),
        ({"categories": None}, "are none"),
        ({"base_price_usd": None}, "no usable price"),
        ({"base_price_usd": "0.1"}, "no usable price"),
        ({"base_price_usd": -1}, "no usable price"),
        ({"price_unit": "credit"}, "no usable price"),
    ],
)
def test_a_model_that_must_not_be_bought_is_refused(changes, words):
    with pytest.raises(InvalidInputError, match=words):
        check_offer(entry_with({}, **changes), "maker/model-1.0/image-to-video", CATALOGUE)


@pytest.mark.parametrize(
    "category", ["image-to-video", "Image to Video", "first_last_frame", "first-last-frame-to-video"]
)
def test_a_model_of_the_right_category_may_be_bought(category):
    entry = entry_with({}, categories=[category], price_unit="output", base_price_usd=0)
    check_offer(entry, entry.model_id, CATALOGUE)


def test_a_shipped_model_may_be_bought_whatever_its_category():
    model_id = "bytedance/seedance-2.0/pro"
    check_offer(entry_with({}, model_id=model_id, categories=["multimodal"]), model_id, CATALOGUE)


# --- which request is the same


BASE = {"model_id": "a/b", "body": {"prompt": "x", "cfg": 1}, "media": {"image": ("sha256:1",)}, "take": 0}


def test_the_same_request_has_the_same_fingerprint_however_it_is_written():
    assert fingerprint(**BASE) == fingerprint(**{**BASE, "body": {"cfg": 1.0, "prompt": "x"}})


@pytest.mark.parametrize(
    "change",
    [
        {"model_id": "a/c"},
        {"body": {"prompt": "y", "cfg": 1}},
        {"body": {"prompt": "x", "cfg": True}},
        {"body": {"prompt": "x", "cfg": "1"}},
        {"media": {"image": ("sha256:2",)}},
        {"media": {"image": ("sha256:1",), "end_image": ("sha256:1",)}},
        {"media": {"end_image": ("sha256:1",)}},
        {"take": 1},
    ],
)
def test_any_difference_is_another_request(change):
    assert fingerprint(**BASE) != fingerprint(**{**BASE, **change})


# --- the script that builds the file


def test_an_id_that_was_shipped_once_stays_with_a_mark():
    kept = with_rows_kept([ROWS[0]], ROWS)
    assert [row["model_id"] for row in kept] == [row["model_id"] for row in ROWS]
    live = document_with({"image": {"format": "image_uri", "description": "long"}}, model_id=ROWS[0]["model_id"])
    new = document_with({"image": {"format": "image_uri"}})
    other = document_with({}, model_id="a/text-to-video", categories=["text-to-video"])
    rows = {row["model_id"]: row for row in with_live_answer(kept, {"models": [live, new, other]})}
    catalogue = shipped.parse_catalogue_file(json.dumps({"models": list(rows.values())}))
    assert set(catalogue.ids) == {ROWS[0]["model_id"], new["model_id"]}
    assert {one.model_id for one in catalogue.retired} == {row["model_id"] for row in ROWS[1:]}
    assert "OpenAI" in catalogue.find(SORA).retired_reason
    assert rows[ROWS[0]["model_id"]]["input_schema"]["properties"] == {"image": {"format": "image_uri"}}
    assert rows[ROWS[0]["model_id"]]["exceptions"] == ROWS[0]["exceptions"]


def test_adding_a_model_is_a_row_of_data():
    row = document_with({"prompt": {"type": "string"}, "picture": {"format": "image_uri"}}, ["prompt", "picture"])
    assert shipped.parse_catalogue_file(json.dumps({"models": [*ROWS, row]})).find(row["model_id"]) == parse_entry(row)
