"""Questions to the user before an expensive clip is bought, and the answers that the page brings."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

from ..errors import NOTHING_SENT, CancelledByUserError, InvalidInputError, NotConfirmedError
from ..runcomfy import Run, this_clip
from ..runcomfy.progress import Asking, PriceBound

PATIENCE_S = 600.0
LOOK_S = 0.1


class Questions:
    """The open questions of this ComfyUI.

    Args:
        patience_s: How long an answer is waited for.
        clock: Monotonic seconds.
    """

    def __init__(self, *, patience_s: float = PATIENCE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience_s = patience_s
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: dict[str, bool | None] = {}

    def ask(self, price_usd: float | None, run: Run, bound: PriceBound = PriceBound.ABOUT) -> None:
        """Hold a run until the user has said in the page that the clip is to be bought.

        Raises:
            CancelledByUserError: It is not.
            NotConfirmedError: Nobody answered.
            Stopped: The run was asked to end.
        """
        question = secrets.token_hex(16)
        with self._lock:
            self._answers[question] = None
        run.report(Asking(question, price_usd, bound))
        try:
            give_up_at = self._clock() + self._patience_s
            while (buys := self._answers[question]) is None:
                if self._clock() >= give_up_at:
                    raise NotConfirmedError(
                        f"{this_clip(price_usd, bound)} was not confirmed within {self._patience_s / 60:.0f} minutes."
                    )
                run.stop.sleep(LOOK_S)
        finally:
            with self._lock:
                del self._answers[question]
        if not buys:
            raise CancelledByUserError(
                f"{this_clip(price_usd, bound)} was not bought, because you declined.",
                money=NOTHING_SENT,
                remedy="Run the node again to be asked again.",
            )

    def answer(self, question: str, *, buys: bool) -> None:
        """Take the user's answer.

        Raises:
            InvalidInputError: The question is not open any more.
        """
        with self._lock:
            if question not in self._answers:
                raise InvalidInputError(
                    "This question is no longer open: it was already answered, or the run has ended.",
                    money="This answer changed nothing.",
                    remedy="The RunComfy clips tab shows what was bought.",
                )
            if self._answers[question] is None:
                self._answers[question] = buys


QUESTIONS = Questions()
