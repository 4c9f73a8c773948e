"""NAL units of H.264 and H.265 as they lie in a packet: each behind its length.

ITU-T H.264 (7.3.1, table 7-1: https://www.itu.int/rec/T-REC-H.264), ITU-T H.265 (7.3.1, table 7-1:
https://www.itu.int/rec/T-REC-H.265), lengths by ISO/IEC 14496-15 (https://www.iso.org/standard/89118.html).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_BLANK = bytes(4)  # encoders write 0, 0, 3 for 0, 0: a run of zeros inside a unit is a hole


def blank_finder(codec: str, extradata: bytes | None) -> Callable[[bytes], bool] | None:
    """Return what tells whether a packet has a hole, for codecs in which it can be told.

    Args:
        codec: FFmpeg's name.
        extradata: What the sample description says of the codec (avcC, hvcC).
    """
    head = extradata or b""
    if codec == "h264" and len(head) > 4 and head[0] == 1:  # noqa: PLR2004 - the byte that follows
        return lambda packet: _is_blank(packet, (head[4] & 3) + 1, _is_h264_slice)
    if codec == "hevc" and len(head) > 21 and head[:3] != b"\0\0\1" and head[:4] != b"\0\0\0\1":  # noqa: PLR2004 - as above
        return lambda packet: _is_blank(packet, (head[21] & 3) + 1, _is_h265_slice)
    return None


def _is_h264_slice(first: int) -> bool:
    return first & 0x1F <= 5  # noqa: PLR2004 - 0 is no type that is written: a hole begins there


def _is_h265_slice(first: int) -> bool:
    return first >> 1 & 0x3F < 32  # noqa: PLR2004 - the types from 32 on are parameter sets and remarks


def _is_blank(packet: bytes, length_bytes: int, is_slice: Callable[[int], bool]) -> bool:
    """Return whether a length leads nowhere, or a slice holds a run of zeros. Zeros behind a unit are allowed."""
    place = 0
    while place + length_bytes < len(packet):
        start = place + length_bytes
        end = start + int.from_bytes(packet[place:start], "big")
        if end == start or end > len(packet):
            return True
        if is_slice(packet[start]):
            hole = packet.find(_BLANK, start, end)
            if hole >= 0 and (hole <= start + 2 or packet[hole:end].strip(b"\0")):
                return True
        place = end
    return False
