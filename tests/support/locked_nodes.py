"""What saved workflows rely on: `locked_nodes.json` lists what is out in the world."""

import json
from pathlib import Path

NODES = json.loads(Path(__file__).with_name("locked_nodes.json").read_text(encoding="utf-8"))


def inputs_of(sections):
    """The inputs as the list has them, in the order in which the front end lays the widgets out.

    sections: what INPUT_TYPES returns, or what ComfyUI tells of it; a combo is [choices, options] there, or in newer ones
        ["COMBO", {"options": choices}].
    """
    return [
        {
            "name": name,
            "section": section,
            "type": kind if isinstance(kind, str) else "COMBO",
            **({"choices": options["options"]} if kind == "COMBO" else {}),
            **({} if isinstance(kind, str) else {"choices": kind}),
            **({"default": options["default"]} if "default" in options else {}),
        }
        for section, inputs in sections.items()
        for name, (kind, options) in inputs.items()
    ]


def outputs_of(names, types, are_lists):
    """The outputs as the list has them."""
    return [
        {"name": name, "type": kind, "is_list": is_list}
        for name, kind, is_list in zip(names, types, are_lists, strict=True)
    ]
