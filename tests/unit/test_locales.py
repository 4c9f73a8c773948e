"""What ComfyUI shows in other languages, and that English says what the nodes say."""

import json
import re

import pytest
from pack import ROOT, load_pack
from support.told import told

LOCALES = ROOT / "locales"
WORDS = ROOT / "web" / "words"
LANGUAGES = ["es", "fr", "ja", "ko", "ru", "zh", "zh-TW"]
SAID = re.compile(r'(?<![\w.])say\(\s*("(?:[^"\\\n]|\\.)*"(?:\s*\+\s*"(?:[^"\\\n]|\\.)*")*)')
PLACEHOLDER = re.compile(r"\{\w+\}")
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


def test_the_nodes_are_translated_into_the_languages_of_the_page():
    assert sorted(path.name for path in LOCALES.iterdir()) == sorted(["en", *LANGUAGES])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["nodeDefs", "settings", "commands"])
def test_every_language_has_a_word_for_everything_and_none_too_many(language, name):
    assert shape(read(language, name)) == shape(read("en", name))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translated_name_keeps_the_word_that_messages_use(language):
    for node in read(language, "nodeDefs").values():
        for widget, words in node["inputs"].items():
            assert widget in words["name"].lower()


def leaves(words):
    return [leaf for value in words.values() for leaf in (leaves(value) if isinstance(value, dict) else [value])]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_node_has_no_word_of_english_but_names_and_units(language):
    english = set(leaves(read("en", "nodeDefs")))
    assert english & set(leaves(read(language, "nodeDefs"))) <= {"fps", "image", "prompt", "seed", "action"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["settings", "commands"])
def test_settings_and_commands_are_called_as_the_page_calls_them_in_every_language(language, name):
    table = words(language)["said"]
    assert leaves(read(language, name)) == [table[english] for english in leaves(read("en", name))]


def test_settings_are_called_as_the_page_calls_them():
    source = (ROOT / "web" / "lib" / "settings.js").read_text("utf-8")
    assert all(f'"{words["name"]}"' in source for words in read("en", "settings").values())


# --- what the page says


def said():
    """Every sentence that the page gives to `say`."""
    sources = [path.read_text("utf-8") for path in (ROOT / "web").rglob("*.js")]
    literals = [match[1] for source in sources for match in SAID.finditer(source)]
    return {"".join(json.loads(part) for part in re.findall(r'"(?:[^"\\]|\\.)*"', literal)) for literal in literals}


def words(language):
    return json.loads((WORDS / f"{language}.json").read_text("utf-8"))


def test_the_page_and_the_tables_name_the_same_languages():
    (listed,) = re.findall(r"LANGUAGES = (\[.*?\]);", (ROOT / "web" / "lib" / "words.js").read_text("utf-8"))
    assert sorted(json.loads(listed)) == sorted(path.stem for path in WORDS.iterdir()) == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("part", "sentences"), [("said", said()), ("told", set(told()))])
def test_every_sentence_has_a_translation_with_its_values_and_no_translation_is_left_over(language, part, sentences):
    table = words(language)[part]
    assert sorted(sentences - table.keys()) == []
    assert sorted(table.keys() - sentences) == []
    wrong = {
        sentence: translation
        for sentence, translation in table.items()
        if sorted(PLACEHOLDER.findall(sentence)) != sorted(PLACEHOLDER.findall(translation))
    }
    assert wrong == {}


# The same word in both languages, or nothing but what is filled in.
VALUES_ALONE = {"{sentence} (HTTP {status_code}).", "{sentence} (HTTP {status_code}): {said}."}
CANCELLATION = "{job} (request_id: {request_id}): {cancellation}"
SAME = {
    "es": {
        *("{action} {subject}", "{node}: {question}", "{length} s", "seed", "seed {seed}"),
        *("Clip {number}: {text}", "Clip {number}: {line}"),
        *("Clip {numbers}:", "Clips {numbers}:", "{minutes} min {rest} s", CANCELLATION, "Use {str}.", *VALUES_ALONE),
        *("{sentence} (HTTP {status_code}, error {code}).", "{sentence} (HTTP {status_code}, error {code}): {said}."),
    },
    "fr": {
        *("{action} {subject}", "{length} s", "seed", "seed {seed}", "{minutes} min {rest} s"),
        "{sentence} (HTTP {status_code}).",
    },
    "ja": {"{node}: {question}"},
    "ko": {"{node}: {question}"},
    "ru": {"{action} {subject}", "{node}: {question}", "seed", "seed {seed}", CANCELLATION, *VALUES_ALONE},
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_the_same_as_in_english_is_so_on_purpose(language):
    same = {one for table in words(language).values() for one, translation in table.items() if one == translation}
    assert same == SAME.get(language, set())
