"""The pages for the next owner are true: the tree of errors, the states of a job, who may import whom."""

import builtins
import inspect
import re

from pack import ROOT
from sora2pro.nodes import errors
from sora2pro.nodes.runcomfy.jobs import TRANSITIONS
from support.arrows import INSIDE_THE_ENGINE, PACK

DESIGN = (ROOT / "docs" / "design.md").read_text("utf-8")


def drawn_tree(text):
    """(name, name of the one above) of every class in a drawn tree."""
    above = []
    for line in text.splitlines():
        branch = re.match(r"((?:│   |    )*)(?:├── |└── )(\w+)", line.removeprefix("    "))
        if branch:
            above[len(branch[1]) // 4 :] = [branch[2]]
            yield branch[2], above[-2] if len(above) > 1 else "Exception"


def test_the_tree_of_errors_is_the_one_that_is_drawn():
    defined = {
        (name, one.__bases__[0].__name__)
        for name, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, Exception) and not hasattr(builtins, name)
    }
    assert set(drawn_tree(errors.__doc__)) == defined


def test_the_state_diagram_has_every_transition_and_no_other():
    drawn = set(re.findall(r"^    (\w+) --> (\w+)", DESIGN, re.MULTILINE))
    assert drawn == {(source.value, target.value) for source, targets in TRANSITIONS.items() for target in targets}


def test_the_arrows_are_those_of_the_architecture_test():
    drawn = re.findall(r"```\n((?:[\w >]+\n)+)```", DESIGN.partition("## Who may import whom")[2])
    assert [" ".join(rule.split()) for rule in drawn] == [PACK, INSIDE_THE_ENGINE]
