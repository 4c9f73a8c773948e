"""What a fault does to an answer: pure functions from the true answer to what the client gets."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any

from .downloads import refusal
from .wire import Answer, Delivery, Reply

CDN_PAGE = b"<!DOCTYPE html><html><head><title>Attention Required!</title></head><body>Ray ID: 8f1</body></html>"
OTHER_KEYS = b'{"code": 400004, "error": "UserAccountError"}'
FOREIGN_URL = "https://clips.runcomfy.net.invalid/stolen.mp4"


@dataclass(frozen=True, slots=True)
class Meeting:
    """A request that meets a fault.

    Attributes:
        target: Path and query of the request.
        true_answer: Gives what the client would get without the fault.
        now_s: Wall clock.
        args: The fault's arguments.
    """

    target: str
    true_answer: Callable[[], Answer]
    now_s: float
    args: Mapping[str, Any]


Effect = Callable[[Meeting], Reply]


def dropped(meeting: Meeting) -> Reply:
    """No byte comes back: the connection ends, at once or after a silence of `seconds`, by `is_reset` with RST."""
    delivery = Delivery(
        wait_s=meeting.args.get("seconds", 0.0), is_dropped=True, is_reset=meeting.args.get("is_reset", False)
    )
    return Reply(Answer(200), delivery)


def cut_off(meeting: Meeting) -> Reply:
    """Half of the body comes (or `sent_bytes`), then `seconds` of silence, then the end."""
    answer = meeting.true_answer()
    delivery = Delivery(
        sent_bytes=meeting.args.get("sent_bytes", len(answer.body) // 2),
        stall_s=meeting.args.get("seconds", 0.0),
        is_reset=meeting.args.get("is_reset", False),
        declares_length=meeting.args.get("declares_length", True),
    )
    return Reply(answer, delivery)


def body(meeting: Meeting) -> Reply:
    """Another body, with status 200 if nothing else is given."""
    content_type = meeting.args.get("content_type", "application/json")
    return Reply(Answer(meeting.args.get("status", 200), meeting.args["body"], {"Content-Type": content_type}))


def error(meeting: Meeting) -> Reply:
    """A status with an error in RunComfy's shape; `retry_after` may be text or ``"http-date"``."""
    status, message = meeting.args["status"], meeting.args.get("message", "The emulator was told to say so")
    headers = {}
    if "retry_after" in meeting.args:
        wait = str(meeting.args["retry_after"])
        headers["Retry_After"] = formatdate(meeting.now_s + 2, usegmt=True) if wait == "http-date" else wait
    answer = Answer.of_error(status, meeting.args.get("error_code"), message, meeting.args.get("detail"), **headers)
    return Reply(answer)


def redirect(meeting: Meeting) -> Reply:
    """307 to `location`; ``{target}`` stands for the path and query asked for."""
    location = meeting.args["location"].replace("{target}", meeting.target)
    return Reply(Answer(meeting.args.get("status", 307), b"", {"Location": location}))


def changed(meeting: Meeting) -> Reply:
    """The true JSON with some keys set (`put`), some left out (`drop`), or its status in capitals."""
    answer = meeting.true_answer()
    value = answer.json() | meeting.args.get("put", {})
    kept = {key: item for key, item in value.items() if key not in meeting.args.get("drop", ())}
    if meeting.args.get("is_upper_case"):
        kept["status"] = str(kept.get("status", "")).upper()
    return Reply(replace(answer, body=json.dumps(kept).encode()))


def url_expired(_: Meeting) -> Reply:
    """The answer to a URL whose time is over."""
    return Reply(refusal("Request has expired"))


def relabelled(meeting: Meeting) -> Reply:
    """The true bytes under other headers; an empty text leaves a header out."""
    answer = meeting.true_answer()
    headers = {**answer.headers, **meeting.args["headers"]}
    return Reply(replace(answer, headers={name: text for name, text in headers.items() if text}))


def whole_clip(meeting: Meeting) -> Reply:
    """The server does not care for ranges: it answers 200 with everything."""
    answer = meeting.true_answer()
    headers = {name: text for name, text in answer.headers.items() if name not in {"Accept-Ranges", "Content-Range"}}
    return Reply(Answer(200, answer.body, headers))


def shifted_range(meeting: Meeting) -> Reply:
    """A 206 whose Content-Range names another place than the one asked for."""
    answer = meeting.true_answer()
    named = answer.headers.get("Content-Range", "")
    return Reply(replace(answer, headers={**answer.headers, "Content-Range": named.replace("bytes ", "bytes 1")}))


def junk(meeting: Meeting) -> Reply:
    """As many bytes as the clip has, but noise."""
    answer = meeting.true_answer()
    return Reply(replace(answer, body=random.Random(len(answer.body)).randbytes(len(answer.body))))


def without_moov(meeting: Meeting) -> Reply:
    """The clip with its index renamed away: no player can open it, though its length is right."""
    answer = meeting.true_answer()
    return Reply(replace(answer, body=answer.body.replace(b"moov", b"free", 1)))


def endless(meeting: Meeting) -> Reply:
    """The clip over and over, without a declared length, up to `limit_bytes`."""
    delivery = Delivery(declares_length=False, repeated_to_bytes=meeting.args.get("limit_bytes", 1 << 30))
    return Reply(meeting.true_answer(), delivery)


def huge(meeting: Meeting) -> Reply:
    """A Content-Length far beyond the bytes that come."""
    return Reply(meeting.true_answer(), Delivery(declared_bytes=meeting.args.get("declared_bytes", 1 << 42)))


def dripping(meeting: Meeting) -> Reply:
    """The true bytes in small pieces, with a pause after each."""
    delivery = Delivery(
        chunk_bytes=meeting.args.get("chunk_bytes", 16 * 1024), chunk_pause_s=meeting.args.get("pause_s", 0.05)
    )
    return Reply(meeting.true_answer(), delivery)
