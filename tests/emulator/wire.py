"""What goes back: an answer, and how its bytes travel."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer. Content-Length is added on delivery."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, status: int, value: object, **headers: str) -> Answer:
        """An answer that holds `value` as JSON; ``Retry_After="7"`` becomes the header ``Retry-After``."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})

    @classmethod
    def of_error(
        cls, status: int, error_code: int | None, message: str, detail: object = None, **headers: str
    ) -> Answer:
        """An error in the shape RunComfy's own clients parse."""
        value: dict[str, Any] = {"error_message": message}
        if error_code is not None:
            value["error_code"] = error_code
        if detail is not None:
            value["detail"] = detail
        return cls.of_json(status, value, **headers)

    def json(self) -> dict[str, Any]:
        """The body as an object; empty if it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an answer travels; the default is whole, at once, and the connection stays open.

    Attributes:
        wait_s: Silence before the first byte. With `is_dropped`, nothing follows.
        is_dropped: No byte of the answer is sent.
        sent_bytes: So much of the body is sent; None means all of it.
        stall_s: Silence after the last byte that is sent, before the connection ends.
        is_reset: The connection ends with RST instead of FIN.
        is_closed: The connection ends after the answer.
        declares_length: Without it, the end of the connection is the end of the body.
        declared_bytes: A Content-Length other than the true one.
        chunk_bytes: The body goes out in pieces of this size.
        chunk_pause_s: Silence after each piece.
        repeated_to_bytes: The body is repeated until so many bytes are out.
    """

    wait_s: float = 0.0
    is_dropped: bool = False
    sent_bytes: int | None = None
    stall_s: float = 0.0
    is_reset: bool = False
    is_closed: bool = False
    declares_length: bool = True
    declared_bytes: int | None = None
    chunk_bytes: int = 256 * 1024
    chunk_pause_s: float = 0.0
    repeated_to_bytes: int = 0

    @property
    def ends_connection(self) -> bool:
        """Whether the client cannot use this connection again."""
        return self.is_closed or self.is_reset or self.is_dropped or not self.declares_length or self.is_damaged

    @property
    def is_damaged(self) -> bool:
        """Whether fewer or more bytes are sent than promised."""
        return self.sent_bytes is not None or self.declared_bytes is not None or self.repeated_to_bytes > 0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and its way to the client."""

    answer: Answer
    delivery: Delivery = field(default_factory=Delivery)
