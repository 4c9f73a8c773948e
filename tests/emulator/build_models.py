"""Writes `models.json` from a file of facts: ``PYTHONPATH=tests python -m emulator.build_models facts.json``.

The facts are sorted and cleaned; RunComfy's answers are not. What a clean-up took away is put back: sample prompts and sample
media as defaults, the type `float`, descriptions, and structured inputs.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("models.json")
SAMPLES = "https://playgrounds-storage-public.runcomfy.net/samples"
SAMPLE_PROMPT = "A fox runs through fresh snow, the camera follows."
ASSUMED_FROM_USD, ASSUMED_STEP_USD = 0.05, 0.01  # another price for each model, so that a test can tell them apart
PER_OUTPUT = {"google/gemini-omni-flash/image-to-video": 0.9}  # dollars; assumed, so that this unit is there too
STRUCTURED = {"type": "array", "items": {"type": "object"}}  # the facts have only the names of such inputs
TAKES_ANYTHING = "multimodal (images optional)"
TIER = re.compile(r"/(360p|480p|540p|720p|768p|1080p|2k|4k)(?:/|$)", re.IGNORECASE)
PAYS_FOR_SOUND = re.compile(r"sound raises the price by about (\d+) %")
ABOUT = (
    "Image-to-video models as RunComfy's catalogue answers (`entry`), with what only the emulator needs beside it. Inputs are"
    " facts. A price with `price_is_assumed` is made up, since RunComfy's is not known; so are names, descriptions of models,"
    " samples, and the insides of structured inputs. Written by build_models.py."
)


def main() -> None:
    """Reads the facts named on the command line and writes `models.json` beside this file."""
    parser = argparse.ArgumentParser(prog="emulator.build_models", description="Writes the emulator's models.json.")
    parser.add_argument("facts", type=Path, help="file with a list `models`")
    facts = json.loads(parser.parse_args().facts.read_text(encoding="utf-8"))
    whole = [model for model in facts["models"] if model["schema_completeness"] == "scalar-complete"]
    rows = [row(model, ASSUMED_FROM_USD + ASSUMED_STEP_USD * place) for place, model in enumerate(whole)]
    lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in rows)
    TARGET.write_text(f'{{"about": {json.dumps(ABOUT)},\n"models": [\n{lines}\n]}}\n', encoding="utf-8")


def row(model: dict[str, Any], assumed_usd: float) -> dict[str, Any]:
    """One line of `models.json`, from one model of the facts; `assumed_usd` per second is for one whose price is unknown."""
    roles = {name: field for name, field in model["inferred_roles"].items() if isinstance(field, str)}
    properties = model["input_schema"]["properties"]
    notes = " ".join(model["notes"])
    tier = TIER.search(model["model_id"])
    usd = _known_usd(model["price"])
    return {
        "entry": _entry(model, round(assumed_usd, 2) if usd is None else usd),
        "roles": {**roles, "fps": "fps"} if "fps" in properties else roles,
        **({"price_is_assumed": True} if usd is None else {}),
        **({"resolution": tier[1].lower()} if tier and "resolution" not in roles else {}),
        **({"has_sound": True} if "audio" in notes.lower() and "audio_switch" not in roles else {}),
        **({"sound_factor": factor} if (factor := _sound_factor(model["price"], notes)) != 1 else {}),
    }


def _known_usd(price: object) -> float | None:
    usd = price.get("usd") if isinstance(price, dict) else None
    return usd if isinstance(usd, float) else None


def _sound_factor(price: object, notes: str) -> float:
    """How much more a clip with sound costs."""
    if isinstance(price, dict) and "usd_with_audio" in price:
        return float(round(price["usd_with_audio"] / price["usd"], 4))
    rise = PAYS_FOR_SOUND.search(notes)
    return 1 + int(rise[1]) / 100 if rise else 1


def _entry(model: dict[str, Any], usd: float) -> dict[str, Any]:
    model_id, schema = model["model_id"], model["input_schema"]
    unit = "output" if model_id in PER_OUTPUT else "second"
    family, kind = model["family"], "first and last frame" if model["mode"] == "first-last-frame" else "image to video"
    return {
        "model_id": model_id,
        "display_name": f"{family} {kind}",
        "description": f"{family}: {kind}.",
        "kind": "model",
        "categories": ["image-to-video"] if model["mode"] != TAKES_ANYTHING else ["text-to-video", "image-to-video"],
        "base_price_usd": PER_OUTPUT.get(model_id, usd),
        "price_unit": unit,
        "pricing_note": f"From ${PER_OUTPUT.get(model_id, usd)} per {unit}.",
        "model_url": f"https://www.runcomfy.com/models/{model_id}",
        "input_schema": {
            "type": "object",
            "title": "Input schema",
            "required": schema["required"],
            "properties": {
                **{name: _raw(name, field) for name, field in schema["properties"].items()},
                **{name: dict(STRUCTURED) for name in model["omitted_structured_inputs"]},
            },
        },
    }


def _raw(name: str, field: dict[str, Any]) -> dict[str, Any]:
    raw = {("description" if key == "description_digest" else key): value for key, value in field.items()}
    if raw["type"] == "number":
        raw["type"] = "float"
    if name == "prompt":
        raw["default"] = SAMPLE_PROMPT
    if field.get("format") == "image_uri":
        raw["default"] = f"{SAMPLES}/{name}.png"
    if field.get("format") == "image_uris":
        raw["default"] = [f"{SAMPLES}/{name}.png"]
    return raw


if __name__ == "__main__":
    main()
