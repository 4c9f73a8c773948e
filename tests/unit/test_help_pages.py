"""Each node has a help page with a picture, small enough for the archive."""

import re

import pytest
from pack import ROOT, load_pack

DOCS = ROOT / "web" / "docs"
MAX_PICTURE_BYTES = 120_000
PACK = load_pack()
# ComfyUI's front end looks for <node>/<locale>.md before <node>.md, and for the pictures of both beside the latter.
LANGUAGES = sorted(path.stem for path in (ROOT / "web" / "words").iterdir())


@pytest.mark.parametrize("name", PACK.NODE_CLASS_MAPPINGS)
def test_a_help_page_names_every_input_and_shows_a_picture_that_is_there_and_small(name):
    page = (DOCS / f"{name}.md").read_text("utf-8")
    inputs = [widget for group in PACK.NODE_CLASS_MAPPINGS[name].INPUT_TYPES().values() for widget in group]
    assert [widget for widget in inputs if widget not in page] == []
    pictures = re.findall(r"!\[[^\]]+\]\(\./([^)]+)\)", page)
    assert pictures
    assert all(0 < (DOCS / picture).stat().st_size < MAX_PICTURE_BYTES for picture in pictures)


def shape(page):
    """What stays the same in every language: headings, names of inputs, pictures, values in code."""
    return {
        "headings": [len(level) for level in re.findall(r"^(#+) ", page, re.MULTILINE)],
        "names": re.findall(r"^- \*\*(.+?)\*\*", page, re.MULTILINE),
        "pictures": re.findall(r"\]\(([^)]+)\)", page),
        "code": sorted(set(re.findall(r"`([^`]+)`", page))),
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PACK.NODE_CLASS_MAPPINGS)
def test_a_help_page_in_another_language_tells_of_the_same_inputs_values_and_pictures(name, language):
    english = shape((DOCS / f"{name}.md").read_text("utf-8"))
    assert shape((DOCS / name / f"{language}.md").read_text("utf-8")) == english
