"""The faults that are still to come, in the order they were injected."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .calls import Call
from .faults import Consequence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .faults import Fault

_WITH_FORERUNNER = frozenset({Call.STATUS, Call.RESULT, Call.DOWNLOAD})


@dataclass(slots=True)
class _Coming:
    fault: Fault
    skip: int
    times: int | None


class Trouble:
    """Hands out each fault as often as it is meant to strike."""

    def __init__(self) -> None:
        self._coming: list[_Coming] = []
        self._lock = threading.Lock()

    def add(self, faults: Iterable[Fault]) -> None:
        """Lets faults come."""
        with self._lock:
            self._coming += [_Coming(fault, fault.skip, fault.times) for fault in faults]

    def clear(self) -> None:
        """Forgets them all."""
        with self._lock:
            self._coming.clear()

    def for_call(self, call: Call) -> Fault | None:
        """The fault that strikes a call that has arrived."""
        return self._next(lambda fault: fault.call is call and not _closes_port(fault))

    def at_port(self, next_call: Call | None) -> Fault | None:
        """The fault that closes the port before `next_call`; for None, one whose call has no certain forerunner."""
        if next_call is not None:
            return self._next(lambda fault: fault.call is next_call and _closes_port(fault))
        return self._next(lambda fault: fault.call not in _WITH_FORERUNNER and _closes_port(fault))

    def _next(self, is_meant: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            coming = next((coming for coming in self._coming if is_meant(coming.fault)), None)
            if coming is None:
                return None
            if coming.skip > 0:
                coming.skip -= 1
                return None
            if coming.times is not None:
                coming.times -= 1
                if coming.times == 0:
                    self._coming.remove(coming)
            return coming.fault


def _closes_port(fault: Fault) -> bool:
    return fault.kind.consequence is Consequence.PORT_CLOSES
