"""What the registry hands out, and what it is told: complete, small, and nothing that its scanners stumble over.

`tests/comfyui/test_archive.py` loads the same files alone in a real ComfyUI.
"""

import ast
import re
import tomllib

import pytest
from pack import ROOT
from support.packaged_files import names, tracked

PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
METADATA = tomllib.loads(PYPROJECT)
PROJECT, COMFY = METADATA["project"], METADATA["tool"]["comfy"]
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
MAX_FILE_BYTES = 200_000
# A third of it is words in seven languages, which an archive packs well.
MAX_BYTES = 3_000_000
WORKSHOP = re.compile(r"(^|/)(\.|tests?/|test_|conftest|benchmarks?/|emulator|Makefile|CONTRIBUTING|requirements-test)")
FORBIDDEN_IMPORTS = {"subprocess", "pip", "pickle", "marshal", "urllib.request"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "system", "popen"}
LIKE_A_TOKEN = re.compile(r"\b(?:sk-|ghp_|hf_|eyJ|AKIA)[A-Za-z0-9_-]{12,}|\b[0-9a-f]{40,}\b")


@pytest.fixture(scope="module")
def archive():
    return names()


def modules(archive):
    return [(name, ast.parse((ROOT / name).read_text("utf-8"))) for name in archive if name.endswith(".py")]


# --- the archive


def test_nothing_of_the_workshop_is_in_it(archive):
    assert [name for name in archive if WORKSHOP.search(name)] == []


def test_everything_that_works_is_in_it_and_nothing_else(archive):
    parts = ("__init__.py", "nodes/", "web/", "locales/", "example_workflows/")
    wanted = {name for name in tracked() if name.startswith(parts)}
    wanted |= {"pyproject.toml", "requirements.txt", "README.md", "CHANGELOG.md", "LICENSE"}
    assert set(archive) == wanted
    assert {
        "nodes/runcomfy/catalogue/models.json",
        "nodes/image_to_video.py",
        "web/sora2pro.js",
        "example_workflows/Sora 2 Pro - image to video.jpg",
    } <= set(archive)


def test_every_module_that_is_imported_is_in_it(archive):
    constants = {
        f"{name.removesuffix('__init__.py')}{target.id}"
        for name, tree in modules(archive)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if name.endswith("__init__.py") and isinstance(target, ast.Name)
    }
    for name, tree in modules(archive):
        folder = name.split("/")[:-1]
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            base = [*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")]
            path = "/".join(part for part in base if part)
            for target in [path] if node.module else [f"{path}/{alias.name}".strip("/") for alias in node.names]:
                assert {f"{target}.py", f"{target}/__init__.py", target} & {*archive, *constants}, (name, target)


def test_it_is_small_enough_to_install_on_any_line(archive):
    sizes = {name: (ROOT / name).stat().st_size for name in archive}
    assert {name: size for name, size in sizes.items() if size > MAX_FILE_BYTES} == {}
    assert sum(sizes.values()) < MAX_BYTES


def test_its_code_does_nothing_that_the_registry_forbids(archive):
    for name, tree in modules(archive):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & FORBIDDEN_IMPORTS, name
            if isinstance(node, ast.ImportFrom):
                assert node.module not in FORBIDDEN_IMPORTS, name
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
                on_a_module = (
                    isinstance(node.func, ast.Name) or getattr(getattr(node.func, "value", None), "id", "") == "os"
                )
                assert called not in FORBIDDEN_CALLS or not on_a_module, (name, node.lineno)


def test_no_file_in_it_holds_anything_like_a_token(archive):
    texts = [name for name in archive if not name.endswith((".jpg", ".png"))]
    found = {name: LIKE_A_TOKEN.findall((ROOT / name).read_text("utf-8")) for name in texts}
    assert {name: words for name, words in found.items() if words} == {}


# --- what the registry is told


def test_the_name_can_stay_for_ever():
    assert re.fullmatch(r"[a-z][a-z0-9-]{2,98}[a-z0-9]", PROJECT["name"])
    assert "comfyui" not in PROJECT["name"]


def test_version_description_licence_and_python_are_told(archive):
    assert re.fullmatch(r"\d+\.\d+\.\d+", PROJECT["version"])
    assert 20 <= len(PROJECT["description"]) <= 200
    assert {PROJECT["license"]["file"], PROJECT["readme"]} <= set(archive)
    assert PROJECT["requires-python"] == ">=3.11"
    assert "Operating System :: OS Independent" in PROJECT["classifiers"]


def test_every_place_names_the_same_pythons_from_the_oldest_to_the_newest():
    oldest, newest = PYTHONS[0], PYTHONS[-1]
    assert PROJECT["requires-python"] == f">={oldest}"
    assert METADATA["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    told = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    assert told == PYTHONS
    workflow = (ROOT / ".github/workflows/test.yml").read_text("utf-8")
    (matrix,) = re.findall(r"python: \[(.*)\]", workflow)
    assert re.findall(r"[\d.]+", matrix) == PYTHONS
    for name in ("README.md", "CONTRIBUTING.md"):
        text = " ".join((ROOT / name).read_text("utf-8").split())
        assert set(re.findall(r"Python (3\.\d+(?: to 3\.\d+)?)", text)) == {f"{oldest} to {newest}"}, name


def test_the_readme_and_the_registry_name_the_same_oldest_comfyui():
    told = re.findall(r"ComfyUI (\d+\.\d+\.\d+) or newer", (ROOT / "README.md").read_text("utf-8"))
    assert told == [COMFY["requires-comfyui"].removeprefix(">=")]


def test_the_changelog_knows_the_version():
    headings = re.findall(r"^## .*", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert any(PROJECT["version"] in heading for heading in headings)


def test_the_requirements_come_from_the_file_that_a_clone_installs_and_never_name_torch():
    assert PROJECT["dynamic"] == ["dependencies"]
    assert METADATA["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()]
    assert {re.split(r"[<>=~\[]", line)[0] for line in lines if line} == {
        *("requests", "urllib3", "pillow", "numpy", "opencv-python", "av", "psutil", "jsonschema", "sqlalchemy")
    }


def test_the_addresses_are_of_one_repository():
    addresses = PROJECT["urls"]
    assert set(addresses) == {"Repository", "Documentation", "Bug Tracker"}
    assert all(address.startswith(addresses["Repository"]) for address in addresses.values())
    assert addresses["Repository"].startswith("https://github.com/")


def test_the_registry_finds_name_icon_and_the_oldest_comfyui(archive):
    assert COMFY["PublisherId"]
    assert 0 < len(COMFY["DisplayName"]) <= 60
    assert re.fullmatch(r">=\d+\.\d+\.\d+", COMFY["requires-comfyui"])
    owner_and_name = PROJECT["urls"]["Repository"].removeprefix("https://github.com/")
    prefix = f"https://raw.githubusercontent.com/{owner_and_name}/main/"
    assert COMFY["Icon"].startswith(prefix)
    assert COMFY["Icon"].removeprefix(prefix) in archive


def test_the_icon_is_square_and_no_larger_than_the_registry_takes():
    (box,) = re.findall(r'viewBox="([^"]*)"', (ROOT / "web" / "icon.svg").read_text("utf-8"))
    left, top, width, height = (float(number) for number in box.split())
    assert (left, top) == (0, 0)
    assert width == height <= 400


def test_every_value_that_the_owner_has_to_set_says_so():
    lines = PYPROJECT.splitlines()
    marked = [bool(re.search(r"#.*OWNER", line)) for line in lines]
    for number, line in enumerate(lines):
        if "OWNER" in line.partition("#")[0]:
            above = lines[:number][::-1]
            heading = next(place for place, text in enumerate(above) if text.startswith("["))
            assert marked[number] or any(marked[number - heading : number]), line
