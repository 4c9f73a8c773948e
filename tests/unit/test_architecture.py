import subprocess
import sys

import pytest
from arrows import ROWS, read_modules, wrong_arrows
from pack import ROOT

HEAVY = ["torch", "cv2", "av", "PIL", "requests", "urllib3", "sqlite3", "numpy", "jsonschema"]
LOAD = """
import sys
sys.path.insert(0, sys.argv[1])
from pack import load_pack
for node in load_pack().NODE_CLASS_MAPPINGS.values():
    node.INPUT_TYPES()
print(*(name for name in sys.argv[2:] if name in sys.modules), sep=", ", end="")
"""
GOOD_TREE = {
    "__init__.py": "from .nodes import NODE_CLASS_MAPPINGS",
    "nodes/__init__.py": "from .status import Status",
    "nodes/status.py": "from . import host, runtime",
    "nodes/runtime.py": "from .runcomfy.generation import run\ndef go():\n    from .media import decode",
    "nodes/host.py": "import importlib\nfrom .errors import Stopped\nserver = importlib.import_module('server')",
    "nodes/errors.py": "class Stopped(Exception): pass",
    "nodes/media/__init__.py": "",
    "nodes/media/decode.py": "import torch\nfrom ..errors import Stopped\npool.submit(1)",
    "nodes/runcomfy/__init__.py": "",
    "nodes/runcomfy/generation.py": "from .client import Client\nclient.submit(1)",
    "nodes/runcomfy/client.py": "import requests\nfrom ..errors import Stopped\nfrom .answers import parse",
    "nodes/runcomfy/answers.py": "from ..errors import Stopped",
    "nodes/runcomfy/journal.py": "import sqlite3\nfrom .jobs import Job",
    "nodes/runcomfy/jobs.py": "from .models import Size",
    "nodes/runcomfy/models.py": "",
}


def write_tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_every_arrow_of_the_pack_points_down():
    assert wrong_arrows(ROOT) == []


def test_no_row_of_the_drawing_is_left_over():
    drawn = {module for row in ROWS for module in row} - {"nodes.routes"}
    assert sorted(drawn - set(read_modules(ROOT))) == []


def test_a_good_tree_has_no_wrong_arrow(tmp_path):
    write_tree(tmp_path, GOOD_TREE)
    assert wrong_arrows(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "line", "breach"),
    [
        ("nodes/runcomfy/client.py", "from .generation import run", "sees nodes.runcomfy.generation"),
        ("nodes/runcomfy/client.py", "from .journal import Journal", "sees nodes.runcomfy.journal"),
        ("nodes/runcomfy/client.py", "from . import journal", "sees nodes.runcomfy.journal"),
        ("nodes/runcomfy/journal.py", "def f():\n    from .client import Client", "sees nodes.runcomfy.client"),
        ("nodes/runcomfy/answers.py", "from .jobs import Job", "sees nodes.runcomfy.jobs"),
        ("nodes/runcomfy/client.py", "from ..media.decode import decode", "sees nodes.media.decode"),
        ("nodes/runcomfy/client.py", "from ..host import blocked", "sees nodes.host"),
        ("nodes/runcomfy/client.py", "from ... import WEB_DIRECTORY", "sees the door"),
        ("nodes/runcomfy/client.py", "from .... import anything", "reaches out of the pack"),
        ("nodes/media/decode.py", "from ..runcomfy.jobs import Job", "sees nodes.runcomfy.jobs"),
        ("nodes/media/decode.py", "from ..host import blocked", "sees nodes.host"),
        ("nodes/errors.py", "from .host import blocked", "sees nodes.host"),
        ("nodes/host.py", "from .runcomfy.client import Client", "sees nodes.runcomfy.client"),
        ("nodes/host.py", "from .media.decode import decode", "sees nodes.media.decode"),
        ("nodes/runtime.py", "from .status import Status", "sees nodes.status"),
        ("nodes/runtime.py", "from nodes.host import blocked", "imports nodes.host by an absolute name"),
        ("nodes/runtime.py", "import sora2pro.nodes.host", "imports sora2pro.nodes.host by an absolute name"),
        ("nodes/runtime.py", "import comfy.utils", "knows ComfyUI's comfy.utils"),
        ("nodes/status.py", "def f():\n    import folder_paths", "knows ComfyUI's folder_paths"),
        ("nodes/runtime.py", "from server import PromptServer", "knows ComfyUI's server"),
        (
            "nodes/runtime.py",
            "importlib.import_module('comfy_execution.utils')",
            "knows ComfyUI's comfy_execution.utils",
        ),
        ("nodes/runtime.py", "sys.modules['server']", "knows ComfyUI's server"),
        ("nodes/runcomfy/client.py", "import torch", "imports torch, which the engine never touches"),
        ("nodes/media/decode.py", "from requests import get", "imports requests, which media never touches"),
        ("nodes/media/decode.py", "import sqlite3", "imports sqlite3, which media never touches"),
        ("nodes/runtime.py", "client.submit(request)", "calls submit"),
        ("nodes/runcomfy/journal.py", "send = self.client.submit", "calls submit"),
        ("nodes/newcomer.py", "", "stands in no row of tests/arrows.py: draw it"),
    ],
)
def test_a_wrong_arrow_is_found(tmp_path, file, line, breach):
    write_tree(tmp_path, {**GOOD_TREE, file: f"{GOOD_TREE.get(file, '')}\n{line}\n"})
    module = file.removesuffix(".py").replace("/", ".")
    assert wrong_arrows(tmp_path) == [f"{module} {breach}"]


def test_loading_the_pack_and_asking_for_its_inputs_loads_nothing_heavy_and_prints_nothing():
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD, str(ROOT / "tests"), *HEAVY],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (loaded.stdout, loaded.stderr, loaded.returncode) == ("", "", 0)
