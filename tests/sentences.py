"""Every sentence that a user can read, in one list: `python -m sentences` (with PYTHONPATH=tests) prints it for a review."""

import ast
import json
import re
from dataclasses import dataclass

from pack import ROOT

NOT_PROSE = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|PRAGMA|BEGIN|COALESCE|DROP)\b|^[\W\d_]*$|^[\w.-]+/[\w.+-]+$|(?<!\w)%[sd]$"
)
JS_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`')
JS_COMMENT = re.compile(r"/\*.*?\*/|^\s*//.*?$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Sentence:
    """A text and where it stands; `{…}` is what is filled in."""

    place: str
    text: str


def all_sentences(root=ROOT):
    """The texts of nodes, page, settings, help pages, examples and README, by file and line."""
    found = []
    for path in sorted((root / "nodes").rglob("*.py")):
        found += _python(path, path.relative_to(root).as_posix())
    for path in sorted((root / "web").rglob("*.js")):
        found += _javascript(path, path.relative_to(root).as_posix())
    for path in sorted((root / "locales" / "en").glob("*.json")):
        place = path.relative_to(root).as_posix()
        found += [Sentence(place, text) for text in _leaves(json.loads(path.read_text(encoding="utf-8")))]
    for path in sorted((root / "example_workflows").glob("*.json")):
        place = path.relative_to(root).as_posix()
        nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
        found += [
            Sentence(place, text) for node in nodes for text in _leaves([node.get("title"), node.get("widgets_values")])
        ]
    for path in [*sorted((root / "web" / "docs").glob("*.md")), root / "README.md"]:
        place = path.relative_to(root).as_posix()
        lines = path.read_text(encoding="utf-8").splitlines()
        found += [Sentence(f"{place}:{number}", line) for number, line in enumerate(lines, start=1) if _is_prose(line)]
    return found


def docstrings(root=ROOT):
    """Every docstring of the pack."""
    found = []
    for path in sorted((root / "nodes").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text:
                    place = f"{path.relative_to(root).as_posix()}:{getattr(node, 'lineno', 1)}"
                    found.append(Sentence(place, text))
    return found


def _python(path, place):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            hidden |= {id(part) for part in ast.walk(node) if part is not node}
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        text = _text(node)
        if text is not None and _is_prose(text):
            yield Sentence(f"{place}:{node.lineno}", text)


def _text(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{…}" for part in node.values)
    return None


def _javascript(path, place):
    text = JS_COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), path.read_text(encoding="utf-8"))
    for match in JS_STRING.finditer(text):
        literal = re.sub(r"\$\{[^}]*\}", "{…}", match[1] if match[1] is not None else match[2])
        if _is_prose(literal):
            yield Sentence(f"{place}:{text.count(chr(10), 0, match.start()) + 1}", literal)


def _leaves(value):
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inner)
    elif isinstance(value, str) and _is_prose(value):
        yield value


def _is_prose(text):
    return " " in text.strip() and re.search(r"[A-Za-z]{2}", text) is not None and NOT_PROSE.search(text) is None


if __name__ == "__main__":
    for sentence in all_sentences():
        print(f"{sentence.place}\t{sentence.text}")  # noqa: T201 - what this module is for
