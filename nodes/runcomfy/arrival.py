"""Whether what was transferred is what the storage has. Whether it can be read is another question.

Arrived is a file of which all declared bytes came, or of which the same bytes came twice, and that is not a page in the
clip's place. A file that we cannot read is then still the clip that was paid for.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import urllib3

CHUNK_BYTES = 256 * 1024
HEAD_BYTES = 1024
FIRST_PRINTABLE = 0x20
# Codings that change nothing.
NO_CODINGS = frozenset({"", "identity", "none", "aws-chunked"})
PAGE_TYPE = re.compile(r"(?i)\s*(text/|application/([\w.-]+\+)?(json|xml)\b)")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One complete transfer of a file that cannot be read.

    Attributes:
        digest: SHA-256 of its bytes.
        is_declared: Whether the answer said where the file ends. Otherwise a connection that broke looks like its end.
    """

    digest: bytes
    is_declared: bool


def has_arrived(attempts: Sequence[Arrival | None], *, is_last: bool) -> bool:
    """Whether the last of some attempts brought what the storage has.

    Args:
        attempts: In order; None stands for one that brought no complete file, or a page in its place.
        is_last: Whether no more attempts can be made.
    """
    *earlier, arrival = attempts
    if arrival is None:
        return False
    if arrival.is_declared and arrival in earlier:
        return True
    is_same_again = bool(earlier) and earlier[-1] is not None and earlier[-1].digest == arrival.digest
    return is_last and (is_same_again or all(attempt is not None and attempt.is_declared for attempt in attempts))


def is_page(path: Path, content_type: str) -> bool:
    """Whether a file that is not a clip is a page in its place: empty, HTML, JSON, XML, or any other text.

    Args:
        path: The file.
        content_type: What the answer calls it.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    return PAGE_TYPE.match(content_type) is not None or _is_text(head)


def digest_of(path: Path) -> bytes:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.digest()


def coding_of(headers: Mapping[str, str]) -> str:
    """The codings of a body in the order in which they were applied; empty for none.

    `identity` was asked for, but a content delivery network may compress all the same
    (https://www.rfc-editor.org/rfc/rfc9110#section-8.4); `x-gzip` is `gzip`.
    """
    names = (name.strip().lower().removeprefix("x-") for name in headers.get("Content-Encoding", "").split(","))
    return ", ".join(name for name in names if name not in NO_CODINGS)


def undo_coding(path: Path, coding: str, max_bytes: int) -> bool:
    """Replace a coded file by the plain one, or leave it as it is where that cannot be done.

    Args:
        path: The file.
        coding: As `coding_of` gives it.
        max_bytes: The plain file is not longer.

    Returns:
        Whether it was done.
    """
    if not set(coding.split(", ")) <= set(urllib3.HTTPResponse.CONTENT_DECODERS):
        return False
    plain = path.with_name(f"{path.name}-plain")
    try:
        with path.open("rb") as body, plain.open("wb") as stream:
            coded = urllib3.HTTPResponse(body, headers={"content-encoding": coding}, preload_content=False)
            with closing(coded):
                for chunk in coded.stream(CHUNK_BYTES, decode_content=True):
                    if stream.tell() + len(chunk) > max_bytes:
                        return False
                    stream.write(chunk)
        plain.replace(path)
    except urllib3.exceptions.HTTPError:
        return False
    else:
        return True
    finally:
        with suppress(OSError):
            plain.unlink(missing_ok=True)


def _is_text(head: bytes) -> bool:
    """Whether a beginning is text: every kind of video has bytes in its first ones that no text has."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return not any(octet < FIRST_PRINTABLE and octet not in string.whitespace.encode() for octet in head)
