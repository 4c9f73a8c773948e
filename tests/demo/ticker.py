"""Progress in a terminal: one line that changes, or new lines where the output is not a terminal."""

from __future__ import annotations

import shutil
import sys
import time

EVERY_S = 5.0


class Ticker:
    """Shows what a node says of itself while it works."""

    def __init__(self, *, to=sys.stdout, clock=time.monotonic) -> None:
        """Starts the clock."""
        self._to = to
        self._clock = clock
        self._started_s = clock()
        self._is_live = to.isatty()
        self._kind = ""
        self._shown_s = -EVERY_S

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started_s

    def show(self, text: str) -> None:
        """Shows a text; where lines cannot be rewritten, only one of each kind, and one every five seconds."""
        line = f"{self.elapsed_s:6.1f} s  {' '.join(text.split())}"
        if self._is_live:
            width = shutil.get_terminal_size().columns - 1
            self._to.write(f"\r\x1b[K{line[:width]}")
            self._to.flush()
            return
        kind = text.split(maxsplit=1)[0] if text.strip() else ""
        if kind != self._kind or self.elapsed_s - self._shown_s >= EVERY_S:
            self._kind, self._shown_s = kind, self.elapsed_s
            self._to.write(f"{line}\n")
            self._to.flush()

    def close(self) -> None:
        """Leaves the last line standing."""
        if self._is_live:
            self._to.write("\n")
