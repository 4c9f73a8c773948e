"""What a user or an owner reads is plain English, and each thing has one name."""

import re

import pytest
from sentences import all_sentences, docstrings

# What only we say -> what a technical writer would. The glossary is in docs/design.md.
BETTER = {
    r"(?<!\bthere )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|other\b)": "is not a …; has no …",
    r"\banew\b": "again",
    r"\bmend(?:s|ed|ing)?\b": "fix",
    r"\bfailed inside\b|\btrouble of its own\b": "had an internal error",
    r"\bthe (?:door|house)\b": "what it is: the registry, the pack",
    r"\b(?:bring|brings|brought|bringing)\b[^.]{0,50}\bhome\b": "collect",
    r"\bfetch(?:es|ed|ing)?\b": "download",
    r"\bdeeds?\b": "action",
    r"\b(?:give|gives|gave|given|giving) (?:it|a job|the job|one) up\b|\bgives? up a job\b": "release; drop",
    r"\bnobody knows\b": "it is not known",
    r"\bsent again by itself\b": "sent again automatically",
    r"\(any more\)": "no longer",
    r"\bfound the (?:input|inputs|request) wrong\b": "rejected the inputs",
    r"\bbroke off\b": "was interrupted",
    r"\byou find (?:it|the clip) at\b": "the clip is at",
    r"\bis said to be\b": "the reported … is",
    r"\ball the same\b": "still",
    r"\bat most so many\b": "at most this many",
    r"\bhalf of a character\b": "a broken character",
    r"\bin this moment\b": "at this moment",
    r"\bonce more\b": "again",
    r"\bon another day\b": "days later",
    r"\bgoes behind\b|\bbehind the end\b": "goes after; past the end",
    r"\bset (?:its|the folder's) rights\b": "change its permissions",
    r"\bkeep it busy\b": "are using it",
    r"\bthe limit a day\b|\blimit of [^ ]+ a day\b": "daily limit",
    r"\bwould pass\b": "would go over",
    r"\bvery clip\b": "this clip",
    r"\bin flight\b": "running",
    r"\b(?:takes|makes) no\b": "does not take a …; cannot make …",
    r"\bordinary file\b": "regular file",
    r"\breckoned\b": "calculated",
    r"\bin another way than\b": "differently from",
    r"\blie behind\b": "lie after",
    r"\bset the same\b(?! thing)": "set the same thing",
    r"\bno balance left\b": "out of credit",
}
README = "README.md"
FOLDERS = ("nodes", "nodes/page", "nodes/run", "nodes/runcomfy", "nodes/media", "web", "locales", "example_workflows")
TEXTS = {"sentences": all_sentences(), "docstrings": docstrings()}


def is_in(place, folder):
    """Whether a folder is the innermost of the list that a place is in."""
    return max((one for one in FOLDERS if place.startswith(f"{one}/")), key=len, default=README) == folder


@pytest.mark.parametrize("folder", [*FOLDERS, README])
@pytest.mark.parametrize("kind", TEXTS)
def test_it_is_said_as_a_technical_writer_would_say_it(kind, folder):
    dialect = [
        f"{one.place}: {one.text!r} says {found[0]!r}; better: {better}"
        for one in TEXTS[kind]
        if is_in(one.place, folder)
        for pattern, better in BETTER.items()
        if (found := re.search(pattern, one.text, re.IGNORECASE))
    ]
    assert dialect == []


def test_the_list_of_sentences_reaches_every_place_where_a_user_reads():
    assert [
        folder for folder in (*FOLDERS, README) if not any(is_in(one.place, folder) for one in TEXTS["sentences"])
    ] == []
