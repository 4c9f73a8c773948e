"""A client that changes nothing on the way: what the emulator's own tests look through."""

from __future__ import annotations

import base64
import http.client
import json
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .models import SORA_2_PRO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .service import Emulator

CLIP = b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x08moov" + b"\0\0\x20\x08mdat" + bytes(range(256)) * 32
"""The boxes of a clip, in 8 kB: enough where nobody decodes it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back: the status, the headers in lower case, and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@lru_cache
def picture_uri(width: int, height: int) -> str:
    """A grey PNG as data URI."""
    rows = (b"\x00" + b"\x80" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()


def submission(**changes: object) -> dict[str, object]:
    """A body that is good; `changes` set keys, None drops one."""
    size = str(changes.get("size") or "720x1280")
    width, height = (int(side) for side in size.split("x")) if "x" in size else (720, 1280)
    good = {"prompt": "a fox", "input_reference": picture_uri(width, height), "size": "720x1280", "seconds": 4}
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


class Visitor:
    """Calls an emulator, each call on its own connection."""

    def __init__(self, emulator: Emulator, *, timeout_s: float = 10.0) -> None:
        self._netloc = urlsplit(emulator.url).netloc
        self._token = emulator.token
        self._timeout_s = timeout_s

    def ask(self, method: str, target: str, body: object = None, *, token: str | None = None, **headers: str) -> Seen:
        """One request, byte for byte; ``If_Range="x"`` becomes the header ``If-Range``; "" as `token` sends none."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        if token != "":
            named["Authorization"] = f"Bearer {self._token if token is None else token}"
        connection = http.client.HTTPConnection(self._netloc, timeout=self._timeout_s)
        try:
            connection.request(method, target, None if body is None else json.dumps(body), named)
            answer = connection.getresponse()
            return Seen(answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def submit(self, model_id: str = SORA_2_PRO.model_id, **changes: object) -> Seen:
        """Submits a good body, or a changed one."""
        return self.ask("POST", f"/v1/models/{model_id}", submission(**changes))

    def accepted(self, **changes: object) -> str:
        """Submits to the right model and gives the request id."""
        return str(self.submit(SORA_2_PRO.model_id, **changes).json["request_id"])

    def status(self, request_id: str) -> Seen:
        """GET /status."""
        return self.ask("GET", f"/v1/requests/{request_id}/status")

    def result(self, request_id: str) -> Seen:
        """GET /result, with the cost."""
        return self.ask("GET", f"/v1/requests/{request_id}/result?include_cost=true")

    def cancel(self, request_id: str) -> Seen:
        """POST /cancel."""
        return self.ask("POST", f"/v1/requests/{request_id}/cancel")

    def clip_target(self, request_id: str) -> str:
        """Path and query of the clip."""
        return str(self.result(request_id).json["output"]["video"]).partition(self._netloc)[2]

    def fetch(self, target: str, **headers: str) -> Seen:
        """Downloads without the token."""
        return self.ask("GET", target, token="", **headers)
