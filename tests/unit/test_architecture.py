import subprocess
import sys

import pytest
from pack import ROOT
from support.arrows import ENGINE, INSIDE, is_in, read_modules, wrong_arrows

HEAVY = ["torch", "cv2", "av", "PIL", "requests", "urllib3", "sqlite3", "sqlalchemy", "numpy", "jsonschema"]
LOAD = """
import sys
sys.path.insert(0, sys.argv[1])
from pack import load_pack
for node in load_pack().NODE_CLASS_MAPPINGS.values():
    node.INPUT_TYPES()
print(*(name for name in sys.argv[2:] if name in sys.modules), sep=", ", end="")
"""
START = """
import sys
sys.path.insert(0, sys.argv[1])
from pack import load_pack
load_pack()
print(*sorted(name for name in sys.modules if name.split(".")[0] == "sora2pro"), sep="\\n")
"""
# What ComfyUI needs of the pack while it starts: see the docstring of nodes/__init__.py.
LOADED_AT_THE_START = {
    *("sora2pro", "sora2pro.nodes", "sora2pro.nodes.run", "sora2pro.nodes.page", "sora2pro.nodes.media"),
    *("sora2pro.nodes.any_model", "sora2pro.nodes.image_to_video", "sora2pro.nodes.status"),
    *("sora2pro.nodes.run.clip_node", "sora2pro.nodes.page.routes"),
    *("sora2pro.nodes.host", "sora2pro.nodes.environment", "sora2pro.nodes.packages", "sora2pro.nodes.errors"),
}
TOGETHER = """
import sys, threading
sys.path.insert(0, sys.argv[1])
sys.setswitchinterval(1e-5)
from pack import load_pack
nodes = load_pack().NODE_CLASS_MAPPINGS.values()
works = [*(node.INPUT_TYPES for node in nodes), *(node.IS_CHANGED for node in nodes)] * 2
together = threading.Barrier(len(works))

def first(work):
    together.wait()
    work()

threads = [threading.Thread(target=first, args=(work,)) for work in works]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
GOOD_TREE = {
    "__init__.py": "from .nodes import NODE_CLASS_MAPPINGS",
    "nodes/__init__.py": "from .status import Status",
    "nodes/status.py": "from . import host\nfrom .run import clips",
    "nodes/run/__init__.py": "",
    "nodes/run/clips.py": "from ..runcomfy import Engine\ndef go():\n    from ..media import decode",
    "nodes/host.py": "import importlib\nfrom .errors import Stopped\nserver = importlib.import_module('server')",
    "nodes/errors.py": "class Stopped(Exception): pass",
    "nodes/media/__init__.py": "",
    "nodes/media/decode.py": "import torch\nfrom ..errors import Stopped\npool.submit(1)",
    "nodes/runcomfy/__init__.py": "from .engine import Engine",
    "nodes/runcomfy/engine.py": "from .buying import Buyer",
    "nodes/runcomfy/buying.py": "from .api.client import Client\nfrom .store.journal import Journal\nclient.submit(1)",
    "nodes/runcomfy/api/__init__.py": "",
    "nodes/runcomfy/api/client.py": "import requests\nfrom ...errors import Stopped\nfrom .answers import parse",
    "nodes/runcomfy/api/answers.py": "from ...errors import Stopped",
    "nodes/runcomfy/store/__init__.py": "",
    "nodes/runcomfy/store/journal.py": "import sqlite3\nfrom ..jobs import Job",
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


def test_every_module_has_its_place_and_no_place_is_left_over():
    inside = {name.removeprefix(f"{ENGINE}.").partition(".")[0] for name in read_modules(ROOT) if is_in(name, ENGINE)}
    assert inside - {"nodes"} == {part for row in INSIDE for part in row}


def test_a_good_tree_has_no_wrong_arrow(tmp_path):
    write_tree(tmp_path, GOOD_TREE)
    assert wrong_arrows(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "line", "breach"),
    [
        ("nodes/runcomfy/api/client.py", "from ..buying import run", "sees nodes.runcomfy.buying"),
        ("nodes/runcomfy/api/client.py", "from ..store.journal import Journal", "sees nodes.runcomfy.store.journal"),
        ("nodes/runcomfy/api/client.py", "from ..store import journal", "sees nodes.runcomfy.store.journal"),
        (
            "nodes/runcomfy/store/journal.py",
            "def f():\n    from ..api.client import C",
            "sees nodes.runcomfy.api.client",
        ),
        ("nodes/runcomfy/models.py", "from .jobs import Job", "sees nodes.runcomfy.jobs"),
        ("nodes/runcomfy/api/client.py", "from ...media.decode import decode", "sees nodes.media.decode"),
        ("nodes/runcomfy/api/client.py", "from ...host import blocked", "sees nodes.host"),
        ("nodes/runcomfy/api/client.py", "from .... import WEB_DIRECTORY", "sees the root"),
        ("nodes/runcomfy/api/client.py", "from ..... import anything", "reaches out of the pack"),
        ("nodes/media/decode.py", "from ..runcomfy.jobs import Job", "sees nodes.runcomfy.jobs"),
        ("nodes/media/decode.py", "from ..host import blocked", "sees nodes.host"),
        ("nodes/errors.py", "from .host import blocked", "sees nodes.host"),
        ("nodes/host.py", "from .runcomfy.api.client import Client", "sees nodes.runcomfy.api.client"),
        ("nodes/host.py", "from .media.decode import decode", "sees nodes.media.decode"),
        ("nodes/run/clips.py", "from ..runcomfy.buying import Buyer", "sees nodes.runcomfy.buying"),
        ("nodes/status.py", "from .runcomfy.jobs import Job", "sees nodes.runcomfy.jobs"),
        ("nodes/run/clips.py", "from ..status import Status", "sees nodes.status"),
        ("nodes/run/clips.py", "from nodes.host import blocked", "imports nodes.host by an absolute name"),
        ("nodes/run/clips.py", "import sora2pro.nodes.host", "imports sora2pro.nodes.host by an absolute name"),
        ("nodes/run/clips.py", "import comfy.utils", "knows ComfyUI's comfy.utils"),
        ("nodes/status.py", "def f():\n    import folder_paths", "knows ComfyUI's folder_paths"),
        ("nodes/run/clips.py", "from server import PromptServer", "knows ComfyUI's server"),
        (
            "nodes/run/clips.py",
            "importlib.import_module('comfy_execution.utils')",
            "knows ComfyUI's comfy_execution.utils",
        ),
        ("nodes/run/clips.py", "sys.modules['server']", "knows ComfyUI's server"),
        ("nodes/runcomfy/api/client.py", "import torch", "imports torch, which nodes.runcomfy never touches"),
        ("nodes/media/decode.py", "from requests import get", "imports requests, which nodes.media never touches"),
        ("nodes/media/decode.py", "import sqlite3", "imports sqlite3, which nodes.media never touches"),
        ("nodes/run/clips.py", "client.submit(request)", "calls submit"),
        ("nodes/runcomfy/store/journal.py", "send = self.client.submit", "calls submit"),
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


def test_importing_the_pack_loads_what_comfyui_reads_at_its_start_and_none_of_the_engine():
    loaded = subprocess.run(
        [sys.executable, "-c", START, str(ROOT / "tests")], capture_output=True, text=True, timeout=60, check=True
    )
    assert set(loaded.stdout.split()) == LOADED_AT_THE_START


def test_nodes_that_are_first_asked_from_several_threads_at_once_all_answer():
    asked = subprocess.run(
        [sys.executable, "-c", TOGETHER, str(ROOT / "tests")], capture_output=True, text=True, timeout=60, check=False
    )
    assert (asked.stdout, asked.stderr, asked.returncode) == ("", "", 0)
