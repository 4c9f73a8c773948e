"""The list of the catalogue: searched, filtered and cut into pages. Pure functions of the entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .wire import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Query = Mapping[str, Sequence[str]]

DEFAULT_LIMIT, LARGEST_LIMIT = 100, 500
SEARCHED = ("model_id", "display_name", "description")


def answer(entries: Sequence[Mapping[str, Any]], query: Query) -> Answer:
    """One page of the entries; without their schemas only for ``include_schema=false``, since the default is undocumented."""
    try:
        limit, offset = (int(_word(query, name, plain)) for name, plain in (("limit", DEFAULT_LIMIT), ("offset", 0)))
    except ValueError:
        return _refused()
    if not 1 <= limit <= LARGEST_LIMIT or offset < 0:
        return _refused()
    found = [entry for entry in entries if _is_meant(entry, query)]
    page = found[offset : offset + limit]
    if _word(query, "include_schema", "true").lower() == "false":
        page = [{key: value for key, value in entry.items() if key != "input_schema"} for entry in page]
    return Answer.of_json(200, {"models": page, "total": len(found), "limit": limit, "offset": offset})


def categories(entries: Sequence[Mapping[str, Any]]) -> Answer:
    """All categories that an entry is in."""
    return Answer.of_json(200, {"categories": sorted({name for entry in entries for name in entry["categories"]})})


def _is_meant(entry: Mapping[str, Any], query: Query) -> bool:
    text = " ".join(str(entry.get(key, "")) for key in SEARCHED).lower()
    category, kind = _word(query, "category", ""), _word(query, "kind", "").lower()
    return (
        _word(query, "search", "").lower() in text
        and (not category or category in entry.get("categories", ()))
        and (not kind or kind == str(entry.get("kind", "")).lower())
    )


def _word(query: Query, name: str, plain: object) -> str:
    return query.get(name, [str(plain)])[-1]


def _refused() -> Answer:
    detail = [{"loc": ["query"], "msg": f"limit is 1 to {LARGEST_LIMIT}, offset at least 0", "type": "value_error"}]
    return Answer.of_error(422, 422001, "Validation error", detail)
