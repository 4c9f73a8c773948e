"""The balance of the account for the head of the panel: asked for at most once a minute. It blocks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

from ..errors import RunComfyError
from ..runcomfy import shown_lines
from .documents import Document

FRESH_S = 60.0
NOTHING: Document = {"balance_usd": None, "problem": ""}


class Balance:
    """What RunComfy last said of the balance.

    Args:
        balance_usd: Asks RunComfy.
        account: What tells the account in use from others; None where there is no token.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        balance_usd: Callable[[], float],
        account: Callable[[], Hashable | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._balance_usd = balance_usd
        self._account = account
        self._clock = clock
        self._lock = threading.Lock()
        self._asked_for: Hashable | None = None
        self._fresh_until = float("-inf")
        self._known = NOTHING

    def document(self) -> Document:
        """`balance_usd`, null where it is not known, and the `problem` that is the cause; neither without a token.

        While another tab asks, what was known before is the answer.
        """
        account = self._account()
        if account is None:
            return NOTHING
        if self._lock.acquire(blocking=False):
            try:
                if account != self._asked_for or self._clock() >= self._fresh_until:
                    self._known = self._ask()
                    self._asked_for, self._fresh_until = account, self._clock() + FRESH_S
            finally:
                self._lock.release()
        return self._known if account == self._asked_for else NOTHING

    def _ask(self) -> Document:
        try:
            return {"balance_usd": self._balance_usd(), "problem": ""}
        except RunComfyError as error:
            return {"balance_usd": None, "problem": shown_lines(error.what)}
