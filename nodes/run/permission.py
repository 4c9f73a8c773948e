"""Whether a run may buy, by what the page that queued it wrote beside the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .. import host
from ..errors import AutomaticRunError
from ..runcomfy import Confirm, Run, nobody_to_ask
from .questions import QUESTIONS


@dataclass(frozen=True, slots=True)
class Permission:
    """What is known of how a run was started. A prompt of a script is one that somebody wanted.

    Attributes:
        is_automatic: Whether ComfyUI's page queued it by itself, because something changed or the last run ended.
        is_allowed: Whether the user has said in the page that automatic runs of this node may buy.
        can_ask: Whether a page of this pack queued it and is there to ask the user.
    """

    is_automatic: bool = False
    is_allowed: bool = False
    can_ask: bool = False

    @classmethod
    def of_this_run(cls) -> Permission:
        """That of the node and prompt for which the calling coroutine runs."""
        place = host.current_place()
        permission = parse_note(host.page_note(place.prompt_id), place.node_id)
        return replace(permission, can_ask=permission.can_ask and host.has_page())

    def confirm(self, run: Run) -> Confirm:
        """How the user is asked about an expensive clip of a run."""
        if not self.can_ask:
            return nobody_to_ask
        return lambda price_usd, bound, _most_usd: QUESTIONS.ask(price_usd, run, bound)

    def check(self) -> None:
        """Refuse a purchase that nobody asked for.

        Raises:
            AutomaticRunError: The run was automatic, and the user has not allowed such runs to buy.
        """
        if self.is_automatic and not self.is_allowed:
            raise AutomaticRunError(
                "This run was started automatically (Run is set to On Change or Instant), and automatic runs of this node "
                "do not buy clips."
            )


def parse_note(note: Mapping[str, Any] | None, node_id: str | None) -> Permission:
    """What the page's note says of a node."""
    if note is None:
        return Permission()
    may_buy = note.get("may_buy")
    is_allowed = isinstance(may_buy, list) and node_id is not None and node_id in may_buy
    return Permission(is_automatic=note.get("automatic") is True, is_allowed=is_allowed, can_ask=True)
