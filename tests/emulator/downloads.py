"""Where clips are fetched: signed URLs that hold byte for byte and expire, ranges, and no business with the token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from itertools import count
from typing import TYPE_CHECKING

from .wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from .calls import Incoming

_SECRET = b"loopback"
_TARGET = re.compile(
    r"/store/(?P<request_id>[A-Za-z0-9_-]+)%3d/.*[?&]Expires=(?P<expires>\d+)&Serial=(?P<serial>\d+)&.*"
)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Shelf:
    """The URLs under which clips can be fetched.

    Args:
        read_clip: The bytes of a request's clip.
        clock: Wall clock in seconds.
    """

    def __init__(self, *, read_clip: Callable[[str], bytes], clock: Callable[[], float]) -> None:
        self._read_clip = read_clip
        self._clock = clock
        self._serials = count(1)
        self._expired: set[str] = set()

    def new_target(self, request_id: str, lifetime_s: float) -> str:
        """A fresh path and query for the clip of a request."""
        return _target(request_id, int(self._clock() + lifetime_s), next(self._serials))

    def expire(self, target: str) -> None:
        """Ends the life of one URL now."""
        self._expired.add(_unmirrored(target))

    def answer(self, incoming: Incoming) -> Answer:
        """The clip, or the part asked for, or the refusal."""
        target = _unmirrored(incoming.target)
        match = _TARGET.fullmatch(target)
        if match is None or target != _target(match["request_id"], int(match["expires"]), int(match["serial"])):
            return refusal("SignatureDoesNotMatch")
        if target in self._expired or self._clock() >= int(match["expires"]):
            return refusal("Request has expired")
        return _part(self._read_clip(match["request_id"]), incoming)


def refusal(message: str) -> Answer:
    """What a bucket says to a URL that is not good (any more)."""
    body = f'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>{message}</Message></Error>'
    return Answer(403, body.encode(), {"Content-Type": "application/xml"})


def _unmirrored(target: str) -> str:
    return re.sub(r"^(/mirror)+", "", target)


def _target(request_id: str, expires_s: int, serial: int) -> str:
    """Lower-case escapes, and escapes of letters that need none: whoever normalises the URL breaks its signature."""
    path = f"/store/{request_id}%3d/c29yYQ%3d%3d/output/AbC%2d{serial}%5foutput.mp4"
    query = f"Policy=a%2fb%7e&Expires={expires_s}&Serial={serial}"
    digest = hmac.new(_SECRET, f"{path}?{query}".encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode().replace("+", "%2b").replace("/", "%2f").replace("=", "%3d")
    return f"{path}?{query}&Signature={signature}"


def _part(clip: bytes, incoming: Incoming) -> Answer:
    etag = f'"{hashlib.sha256(clip).hexdigest()[:32]}"'
    headers = {"Content-Type": "video/mp4", "Accept-Ranges": "bytes", "ETag": etag}
    wanted = _RANGE.fullmatch(incoming.headers.get("range", ""))
    if wanted is None or incoming.headers.get("if-range", etag) != etag or wanted[0] == "bytes=-":
        return Answer(200, clip, headers)
    first = int(wanted[1]) if wanted[1] else max(0, len(clip) - int(wanted[2]))
    last = min(int(wanted[2]), len(clip) - 1) if wanted[1] and wanted[2] else len(clip) - 1
    if first > last:
        return Answer(416, b"", {**headers, "Content-Range": f"bytes */{len(clip)}"})
    return Answer(206, clip[first : last + 1], {**headers, "Content-Range": f"bytes {first}-{last}/{len(clip)}"})
