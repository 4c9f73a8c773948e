"""`python -m nodes.doctor` in the pack's folder, or `python nodes/doctor` where Python does not look into its own folder."""

import runpy
import sys
from pathlib import Path

if __package__:
    from .command import main

    sys.exit(main())
# The portable ComfyUI's Python finds ComfyUI's own `nodes` instead of ours.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
runpy.run_module("nodes.doctor", run_name="__main__", alter_sys=True)
