"""What ComfyUI tells a browser while a prompt runs."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import websocket

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_TIMEOUT_S = 30.0
TEXT_EVENT = 3  # the number of the binary message that carries progress text


@dataclass(frozen=True, slots=True)
class Event:
    """One message: its name, its data and when it came, on the monotonic clock in seconds."""

    name: str
    data: dict[str, Any]
    at_s: float


class Events:
    """A browser's ear: keeps every message from the moment it is connected."""

    def __init__(self, connection: websocket.WebSocket, client_id: str) -> None:
        self.client_id = client_id
        self._connection = connection
        self._heard: list[Event] = []
        self._news = threading.Condition()
        self._is_open = True
        self._reader = threading.Thread(target=self._read, daemon=True)

    @classmethod
    @contextmanager
    def connected(cls, url: str, client_id: str) -> Iterator[Events]:
        """Listens to the ComfyUI at `url` until the block ends."""
        address = f"{url.replace('http', 'ws', 1)}/ws?clientId={client_id}"
        connection = websocket.create_connection(address, timeout=CONNECT_TIMEOUT_S)
        connection.settimeout(None)
        events = cls(connection, client_id)
        events._reader.start()
        try:
            yield events
        finally:
            connection.sock.shutdown(socket.SHUT_RDWR)  # wakes the reader; closing alone would not
            events._reader.join()
            connection.close()

    def all_until_end(self, prompt_id: str, *, timeout_s: float = 60.0) -> list[Event]:
        """All messages up to the last one of a prompt, which comes after its history can be read."""

        def is_over() -> bool:
            return any(event.name == "executing" and event.data == nothing_more for event in self._heard)

        nothing_more = {"node": None, "prompt_id": prompt_id}
        with self._news:
            if not self._news.wait_for(is_over, timeout_s):
                raise TimeoutError(f"ComfyUI did not say within {timeout_s:.0f} s that the prompt is over.")
            return list(self._heard)

    def follow(self, prompt_id: str, *, timeout_s: float) -> Iterator[Event]:
        """Yields every message as it comes, up to the end of one prompt."""
        deadline = time.monotonic() + timeout_s
        position = 0
        while time.monotonic() < deadline:
            with self._news:
                if position == len(self._heard):
                    self._news.wait(1.0)
                fresh, position = self._heard[position:], len(self._heard)
                is_open = self._is_open
            for event in fresh:
                yield event
                if _is_end(event, prompt_id):
                    return
            if not is_open and not fresh:
                return

    def _read(self) -> None:
        while True:
            try:
                message = self._connection.recv()
            except (websocket.WebSocketException, OSError):
                message = ""
            with self._news:
                if not message:
                    self._is_open = False
                    self._news.notify_all()
                    return
                if event := _parsed(message):
                    self._heard.append(event)
                    self._news.notify_all()


def _is_end(event: Event, prompt_id: str) -> bool:
    ends = {"execution_success", "execution_error", "execution_interrupted"}
    return event.name in ends and event.data.get("prompt_id") == prompt_id


def _parsed(message: str | bytes) -> Event | None:
    """JSON and progress text; previews are left out."""
    now_s = time.monotonic()
    if isinstance(message, str):
        body = json.loads(message)
        return Event(body["type"], body.get("data") or {}, now_s)
    kind, id_length = struct.unpack_from(">II", message)
    if kind != TEXT_EVENT:
        return None
    node, text = message[8 : 8 + id_length], message[8 + id_length :]
    return Event("progress_text", {"node": node.decode(), "text": text.decode()}, now_s)
