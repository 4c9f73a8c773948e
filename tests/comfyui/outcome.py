"""How a prompt ended: read from ComfyUI's history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one prompt.

    Attributes:
        succeeded: every node ran or was cached.
        interrupted: ComfyUI reports Stop, not an error.
        error: the dialog's text; None without one.
        cached: ids of the nodes that ComfyUI did not run again.
        record: ComfyUI's whole record.
    """

    succeeded: bool
    interrupted: bool
    error: str | None
    cached: frozenset[str]
    record: dict[str, Any]
    base: Path

    @classmethod
    def of(cls, record: dict[str, Any], base: Path) -> Outcome:
        """Reads the record of one prompt; `base` is the folder that ComfyUI works in."""
        messages = dict(record["status"]["messages"])
        return cls(
            succeeded=record["status"]["status_str"] == "success",
            interrupted="execution_interrupted" in messages,
            error=messages.get("execution_error", {}).get("exception_message"),
            cached=frozenset(messages.get("execution_cached", {}).get("nodes", ())),
            record=record,
            base=base,
        )

    def shown(self, node: str) -> dict[str, Any]:
        """What a node gave to the front end under `ui`."""
        return self.record["outputs"].get(node, {})

    def files(self, node: str) -> list[Path]:
        """The files a node says it has saved, in its order."""
        saved = [file for key in ("images", "audio", "video", "gifs") for file in self.shown(node).get(key, ())]
        return [self.base / file["type"] / file["subfolder"] / file["filename"] for file in saved]
