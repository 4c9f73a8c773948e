"""Builds the models that the pack ships with, from facts with sources and from an answer of RunComfy's catalogue."""

import json
import re

COMPLETE = "scalar-complete"
FIRST_IDS = ("kling/kling-3.0/standard/image-to-video", "wan-ai/wan-3.0/image-to-video")
# What the facts say in prose only: notes and price lines of the same file.
SOUND_FACTORS = {
    "kling/kling-3.0/pro/image-to-video": 1.5,
    "kling/kling-3.0/standard/image-to-video": 1.5,
    "kling/kling-video-o3/pro/image-to-video": 1.25,
    "kling/kling-video-o3/standard/image-to-video": 1.33,
}
ALWAYS_WITH_SOUND = (
    "alibaba/happyhorse-1.1/image-to-video",
    "happyhorse/happyhorse-1.0/image-to-video",
    "minimax/minimax-h3/image-to-video",
)
RETIRED = {
    "openai/sora-2/pro/image-to-video": "OpenAI withdrew Sora 2 on 24 September 2026.",
    "openai/sora-2/image-to-video": "OpenAI withdrew Sora 2 on 24 September 2026.",
    "runwayml/runway-gen-3-alpha/turbo/image-to-video": "Runway withdrew Gen-3 Alpha Turbo.",
}
EXTRA_RETIRED = ({"model_id": "openai/sora-2/image-to-video", "family": "Sora 2"},)
LIVE_KEYS = ("display_name", "categories", "base_price_usd", "price_unit", "pricing_note", "input_schema")
PROSE = ("title", "description", "examples")
MODES = {"image-to-video": "image-to-video", "first-last-frame": "first-last-frame-to-video"}


def rows_from_facts(facts):
    """The rows of all models that the facts describe whole, then of the retired ones."""
    models = [fact for fact in facts["models"] if fact["schema_completeness"] == COMPLETE]
    models.sort(key=lambda fact: [fact["model_id"] != one for one in FIRST_IDS])
    retired = [fact for fact in facts["models"] if fact["model_id"] in RETIRED and fact not in models]
    return [*map(_row, models), *map(_retired_row, [*retired, *EXTRA_RETIRED])]


def with_live_answer(rows, answer):
    """The rows as RunComfy describes them now; one that it no longer lists is kept, with a mark."""
    live = {entry["model_id"]: entry for entry in answer["models"]}
    changed = []
    for row in rows:
        entry = live.get(row["model_id"])
        if entry is not None:
            kept = {key: value for key, value in row.items() if key not in ("is_retired", "retired_reason")}
            changed.append({**kept, **_described(entry)})
        elif row.get("is_retired"):
            changed.append(row)
        else:
            changed.append({**row, "is_retired": True, "retired_reason": "It is not in RunComfy's catalogue any more."})
    known = {row["model_id"] for row in rows}
    changed += [
        {"model_id": model_id, "kind": entry["kind"], **_described(entry)}
        for model_id, entry in live.items()
        if model_id not in known and _makes_clips_from_pictures(entry)
    ]
    return changed


def with_rows_kept(rows, shipped):
    """The rows, and those that were shipped before: an id in an old workflow must be explained."""
    known = {row["model_id"] for row in rows}
    return [*rows, *(row for row in shipped if row["model_id"] not in known)]


def as_text(rows):
    """One model a line."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f'{{"models": [\n{lines}\n]}}\n'


def _described(entry):
    return {key: _without_prose(entry[key]) for key in LIVE_KEYS if key in entry}


def _without_prose(value):
    """A schema without what only a person reads; a field may have such a name, but then its value is an object."""
    if isinstance(value, list):
        return [_without_prose(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: _without_prose(one) for key, one in value.items() if key not in PROSE or isinstance(one, dict)}


def _makes_clips_from_pictures(entry):
    words = " ".join(map(str, entry.get("categories") or [])).casefold().replace(" ", "-")
    return str(entry.get("kind", "")).casefold() == "model" and bool(
        re.search("image-to-video|first-last-frame", words)
    )


def _row(fact):
    schema = fact["input_schema"]
    price = fact["price"] if isinstance(fact["price"], dict) else {}
    has_price = isinstance(price.get("usd"), int | float) and price.get("unit") == "second"
    exceptions = {
        "is_total": True if fact["partner_nodes_pricing_mode"] == "fixed" else None,
        "sound_factor": SOUND_FACTORS.get(fact["model_id"]),
        "has_sound": True if fact["model_id"] in ALWAYS_WITH_SOUND else None,
        "limits": {
            name: _limits(one["description_digest"])
            for name, one in schema["properties"].items()
            if one.get("format") == "image_uri" and _limits(one.get("description_digest", ""))
        },
    }
    row = {
        "model_id": fact["model_id"],
        "family": fact["family"],
        "kind": "model",
        "categories": [MODES.get(fact["mode"], "image-to-video")],
        **({"base_price_usd": price["usd"], "price_unit": "second"} if has_price else {}),
        "input_schema": {
            "required": schema["required"],
            "properties": {
                name: {key: value for key, value in one.items() if key != "description_digest"}
                for name, one in schema["properties"].items()
            },
            **({"structured": fact["omitted_structured_inputs"]} if fact["omitted_structured_inputs"] else {}),
        },
    }
    known = {key: value for key, value in exceptions.items() if value}
    return {**row, "exceptions": known} if known else row


def _retired_row(fact):
    return {
        "model_id": fact["model_id"],
        "family": fact["family"],
        "kind": "model",
        "is_retired": True,
        "retired_reason": RETIRED[fact["model_id"]],
        "input_schema": {},
    }


def _limits(digest):
    """The limits that a paraphrased description states, in the form of RunComfy's `validations`."""
    limits = []
    for pattern, rules in (
        (r">=(\d+) px per side", ("width_pixels>={0}", "height_pixels>={0}")),
        (
            r"sides (\d+)-(\d+) px",
            ("width_pixels>={0}", "height_pixels>={0}", "width_pixels<={1}", "height_pixels<={1}"),
        ),
        (r"aspect 1:([\d.]+)\.\.[\d.]+:1", ("width/height>={inverse}", "width/height<={0}")),
        (r"aspect ([\d.]+)-([\d.]+)", ("width/height>={0}", "width/height<={1}")),
        (r"(<=?)(\d+) MB", ("file_size_mb{0}{1}",)),
    ):
        match = re.search(pattern, digest)
        if match:
            inverse = f"{1 / float(match[1]):g}" if "inverse" in "".join(rules) else ""
            limits += [rule.format(*match.groups(), inverse=inverse) for rule in rules]
    return limits
