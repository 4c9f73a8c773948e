"""What a schema demands beside its fields is demanded of every request; what cannot be followed is left to RunComfy."""

import json
import socket

import pytest
from sora2pro.nodes.errors import NOTHING_SENT, InvalidInputError
from sora2pro.nodes.runcomfy.catalogue.schema import parse_entry
from sora2pro.nodes.runcomfy.catalogue.translate import translate
from support.model_values import CATALOGUE, document_with, wishes_for

ADDRESS = {"type": "string", "format": "image_uri"}
FIELDS = {
    "prompt": {"type": "string"},
    "image": ADDRESS,
    "end_image": ADDRESS,
    "duration": {"type": "integer", "enum": [5, 10]},
    "resolution": {"type": "string", "enum": ["720p", "1080p"]},
    "mode": {"type": "string"},
    "tags": {"type": "array", "items": {"type": "string"}},
}


def entry_of(fields=FIELDS, **rules):
    return parse_entry(document_with({}, input_schema={"properties": fields, "required": ["image"], **rules}))


def refusal(entry, **wishes):
    """What the user reads; None where the request is accepted."""
    try:
        translate(entry, wishes_for(entry, **wishes), catalogue=CATALOGUE)
    except InvalidInputError as error:
        return str(error) if error.money == NOTHING_SENT else error.money
    return None


FULL_HD_IS_SHORT = {
    "if": {"properties": {"resolution": {"const": "1080p"}}, "required": ["resolution"]},
    "then": {"properties": {"duration": {"maximum": 5}}},
}
RULES = {
    "a condition": (FULL_HD_IS_SHORT, {"resolution": "1080p", "duration": 10}, {"resolution": "1080p", "duration": 5}),
    "a condition in allOf": (
        {"allOf": [FULL_HD_IS_SHORT]},
        {"resolution": "1080p", "duration": 10},
        {"resolution": "720p", "duration": 10},
    ),
    "a condition in a definition": (
        {"allOf": [{"$ref": "#/$defs/short"}], "$defs": {"short": FULL_HD_IS_SHORT}},
        {"resolution": "1080p", "duration": 10},
        {"duration": 10},
    ),
    "one field needs another": (
        {"dependentRequired": {"end_image": ["mode"]}},
        {"has_end_image": True},
        {"has_end_image": True, "extra_json": '{"mode": "first_last"}'},
    ),
    "the same in an older draft": ({"dependencies": {"end_image": ["mode"]}}, {"has_end_image": True}, {}),
    "two fields that exclude each other": (
        {"not": {"required": ["end_image", "duration"]}},
        {"has_end_image": True, "duration": 5},
        {"duration": 5},
    ),
    "one of two": (
        {"oneOf": [{"required": ["end_image"]}, {"required": ["mode"]}]},
        {},
        {"extra_json": '{"mode": "x"}'},
    ),
    "no more than so many": ({"maxProperties": 2}, {"duration": 5}, {}),
    "a type in capitals": (
        {"allOf": [{"properties": {"mode": {"type": "Float"}}}]},
        {"extra_json": '{"mode": "x"}'},
        {},
    ),
    "a list without doubles": (
        {"properties": {**FIELDS, "tags": {"type": "array", "uniqueItems": True}}},
        {"extra_json": '{"tags": ["a", "a"]}'},
        {"extra_json": '{"tags": ["a", "b"]}'},
    ),
}


@pytest.mark.parametrize(("rules", "forbidden", "allowed"), RULES.values(), ids=RULES)
def test_a_rule_is_held_before_money(rules, forbidden, allowed):
    entry = entry_of(**{"fields": FIELDS, **rules}) if "properties" not in rules else entry_of(rules["properties"])
    assert "does not accept this request" in refusal(entry, **forbidden)
    assert refusal(entry, **allowed) is None


CHOICES = {
    "a definition": {"$ref": "#/$defs/size"},
    "allOf of one definition": {"allOf": [{"$ref": "#/$defs/size"}], "default": "720p"},
    "oneOf with titles": {"oneOf": [{"const": "720p", "title": "HD"}, {"const": "1080p", "title": "Full HD"}]},
    "anyOf of lists": {"anyOf": [{"enum": ["720p"]}, {"enum": ["1080p"]}]},
}


@pytest.mark.parametrize("field", CHOICES.values(), ids=CHOICES)
def test_the_values_of_a_field_are_known_however_they_are_written(field):
    entry = entry_of(
        {**FIELDS, "resolution": field}, **{"$defs": {"size": {"type": "string", "enum": ["720p", "1080p"]}}}
    )
    assert entry.field_named("resolution").choices == ("720p", "1080p")
    assert "Choose one of these: 720p, 1080p" in refusal(entry, resolution="4k")
    assert refusal(entry, resolution="1080p") is None


NOT_TO_BE_FOLLOWED = {
    "an address": {"allOf": [{"$ref": "http://127.0.0.1:9/schema"}]},
    "an address of its own": {"allOf": [{"$id": "http://127.0.0.1:9/", "$ref": "#/$defs/a"}], "$defs": {"a": {}}},
    "a definition that is not there": {"allOf": [{"$ref": "#/$defs/nothing"}]},
    "a definition of itself": {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#/$defs/a"}}},
    "not a schema": {"allOf": "image", "if": 5},
    "an empty combination": {"anyOf": []},
}


@pytest.mark.parametrize("rules", NOT_TO_BE_FOLLOWED.values(), ids=NOT_TO_BE_FOLLOWED)
def test_what_cannot_be_followed_is_left_to_runcomfy_and_nothing_is_asked_for(rules, monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *_args, **_options: pytest.fail("asked the network"))
    assert refusal(entry_of(**rules)) is None


@pytest.mark.parametrize("loop", [{"anyOf": [{"$ref": "#/$defs/a"}]}, {"patternProperties": {"(": False}}])
def test_a_rule_without_an_end_is_a_refusal_and_not_a_crash(loop):
    fields = {**FIELDS, "mode": {"contains": {"$ref": "#/$defs/a"}}}
    entry = entry_of(fields, **{"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}, **loop})
    refusal(entry, extra_json='{"mode": ["x"]}')


def test_the_shipped_models_have_no_such_rules_so_nothing_is_loaded_for_them():
    assert all(
        json.loads(entry.schema_json).keys() <= {"type", "properties", "additionalProperties", "required"}
        for entry in CATALOGUE.models
    )
