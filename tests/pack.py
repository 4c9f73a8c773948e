"""Loads the pack by path under the name `sora2pro`, the way ComfyUI loads it: never through sys.path."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def load_pack():
    if "sora2pro" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "sora2pro", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["sora2pro"] = module
        spec.loader.exec_module(module)
    return sys.modules["sora2pro"]
