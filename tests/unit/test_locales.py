"""What ComfyUI shows in other languages, and that English says what the nodes say."""

import json

import pytest
from pack import ROOT, load_pack

LOCALES = ROOT / "locales"
PACK = load_pack()


def read(language, name):
    return json.loads((LOCALES / language / f"{name}.json").read_text("utf-8"))


def said_by_the_node(name):
    """The words of a node class, in the form of ComfyUI's locale files."""
    node = PACK.NODE_CLASS_MAPPINGS[name]
    inputs = {
        widget: {"name": widget, "tooltip": options[0]["tooltip"]}
        for group in node.INPUT_TYPES().values()
        for widget, (_, *options) in group.items()
        if options
    }
    outputs = zip(node.RETURN_NAMES, node.OUTPUT_TOOLTIPS, strict=True)
    return {
        "display_name": PACK.NODE_DISPLAY_NAME_MAPPINGS[name],
        "description": node.DESCRIPTION,
        "inputs": inputs,
        "outputs": {str(slot): {"name": output, "tooltip": tip} for slot, (output, tip) in enumerate(outputs)},
    }


def shape(words):
    """The keys of a tree of words."""
    return {key: shape(value) for key, value in words.items()} if isinstance(words, dict) else bool(words.strip())


@pytest.mark.parametrize("name", PACK.NODE_CLASS_MAPPINGS)
def test_english_says_what_the_node_itself_says(name):
    assert read("en", "nodeDefs")[name] == said_by_the_node(name)


@pytest.mark.parametrize("language", sorted(path.name for path in LOCALES.iterdir() if path.name != "en"))
@pytest.mark.parametrize("name", ["nodeDefs", "settings", "commands"])
def test_every_language_has_a_word_for_everything_and_none_too_many(language, name):
    assert shape(read(language, name)) == shape(read("en", name))


def test_a_translated_name_keeps_the_word_that_messages_use():
    for language in ("de", "zh"):
        for node in read(language, "nodeDefs").values():
            for widget, words in node["inputs"].items():
                assert widget in words["name"].lower()


def test_settings_are_called_as_the_page_calls_them():
    source = (ROOT / "web" / "lib" / "settings.js").read_text("utf-8")
    assert all(f'"{words["name"]}"' in source for words in read("en", "settings").values())
