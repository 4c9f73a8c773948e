"""What the file of a clip is, by its bytes: the address it came from, and the name it has, may say something else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

HEAD_BYTES = 4096
MOST_BOXES = 16
EBML = b"\x1a\x45\xdf\xa3"  # RFC 8794, 11.2.1
WEBM_DOCTYPE = re.compile(rb"\x42\x82.{1,8}?webm", re.DOTALL)  # RFC 8794, 11.2.6; the length has up to 8 bytes
QUICKTIME = b"qt  "  # https://developer.apple.com/documentation/quicktime-file-format/file_type_compatibility_atom


@dataclass(frozen=True, slots=True)
class ClipKind:
    """A kind of video file: what its name ends with, and its media type."""

    ending: str
    content_type: str


MP4 = ClipKind(".mp4", "video/mp4")
MOV = ClipKind(".mov", "video/quicktime")
WEBM = ClipKind(".webm", "video/webm")
MATROSKA = ClipKind(".mkv", "video/x-matroska")
ALL_KINDS = (MP4, MOV, WEBM, MATROSKA)


def clip_kind(path: Path) -> ClipKind:
    """The kind of a file; whatever is not known for another one counts as MP4, which nearly all clips are."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            if head.startswith(EBML):
                return WEBM if WEBM_DOCTYPE.search(head) else MATROSKA
            return MOV if _brand(file) == QUICKTIME else MP4
    except OSError:
        return MP4


def _brand(file: BinaryIO) -> bytes:
    """The major brand of a file of boxes (ISO/IEC 14496-12, 4.3); empty where none of its first boxes says it."""
    place = 0
    for _ in range(MOST_BOXES):
        file.seek(place)
        header = file.read(16)
        size, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if kind == b"ftyp":
            return header[8:12]
        size = int.from_bytes(header[8:16], "big") if size == 1 else size
        if not 8 <= size < 1 << 62:  # noqa: PLR2004 - a box has a header; beyond that, no file can be asked for the place
            break
        place += size
    return b""
