"""What a packet of pictures tells without decoding it: holes, pictures that decoders skip, and packets that show nothing.

NAL units: ITU-T H.264 (https://www.itu.int/rec/T-REC-H.264), 7.3.1 and table 7-1; H.265
(https://www.itu.int/rec/T-REC-H.265), 7.3.1 and table 7-1. How they lie in a packet: ISO/IEC 14496-15, 5.3.3 and 8.3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BLANK = bytes(4)  # encoders write 0, 0, 3 for 0, 0: a run of zeros inside a unit is a hole
_H264_SLICES = range(6)  # 0 is not a type that is written: a hole begins there
_H264_IDR = 5
_H265_SLICES = range(32)  # the types from 32 on are parameter sets and messages
_H265_SKIPPED = (8, 9)  # RASL: leading pictures that refer to what comes before their random access point
_H265_ACCESS = range(16, 24)  # IRAP: random access points, of which BLA and CRA may have such pictures
_H265_BROKEN_LINKS = (16, 17, 18)
_H265_CLEAN = 21
_SUPERFRAME = (
    0b110  # the first bits of the last byte of several frames of VP9 in one packet, the last of which is shown
)


@dataclass(frozen=True, slots=True)
class UnitFormat:
    """How units lie in the packets of a track.

    Attributes:
        is_h265: H.265, else H.264.
        length_bytes: In front of each unit.
    """

    is_h265: bool
    length_bytes: int

    def is_blank(self, packet: bytes) -> bool:
        """Return whether a length leads nowhere, or a slice holds a run of zeros. Zeros behind a unit are allowed."""
        for start, end in self._units(packet):
            if end == start or end > len(packet):
                return True
            if self._is_slice(packet[start]):
                hole = packet.find(_BLANK, start, end)
                if hole >= 0 and (hole <= start + 2 or packet[hole:end].strip(b"\0")):
                    return True
        return False

    def picture_kind(self, packet: bytes) -> int | None:
        """Return the type of the first slice."""
        kinds = (self._kind(packet[start]) for start, end in self._units(packet) if start < end <= len(packet))
        return next((kind for kind in kinds if kind in (_H265_SLICES if self.is_h265 else _H264_SLICES)), None)

    def _units(self, packet: bytes) -> Iterator[tuple[int, int]]:
        end = 0
        while end + self.length_bytes < len(packet):
            start = end + self.length_bytes
            end = start + int.from_bytes(packet[end:start], "big")
            yield start, end

    def _kind(self, first: int) -> int:
        return first >> 1 & 0x3F if self.is_h265 else first & 0x1F

    def _is_slice(self, first: int) -> bool:
        return self._kind(first) in (_H265_SLICES if self.is_h265 else _H264_SLICES)


def unit_format(codec: str, extradata: bytes | None) -> UnitFormat | None:
    """Return how units lie in the packets; None for codecs without them, and where it is not known.

    Args:
        codec: FFmpeg's name.
        extradata: What the sample description says of the codec (avcC, hvcC).
    """
    head = extradata or b""
    if codec == "h264" and len(head) > 4 and head[0] == 1:  # noqa: PLR2004 - the byte that follows
        return UnitFormat(is_h265=False, length_bytes=(head[4] & 3) + 1)
    if codec == "hevc" and len(head) > 21 and head[:3] != b"\0\0\1" and head[:4] != b"\0\0\0\1":  # noqa: PLR2004 - as above
        return UnitFormat(is_h265=True, length_bytes=(head[21] & 3) + 1)
    return None


class LeadingPictures:
    """Finds the pictures that decoders silently skip; it is given all packets in the order in which they are decoded.

    A clip that was cut out of another one may begin with a picture from which decoding can begin, followed by pictures that
    are shown before it and refer to what was cut off (open groups of pictures).
    """

    def __init__(self, units: UnitFormat) -> None:
        self._units = units
        self._is_first = True
        self._is_open = False
        self._first_start = 0

    def are_skipped(self, packet: bytes, start: int) -> bool:
        """Return whether the picture in a packet, shown at `start`, is skipped."""
        kind = self._units.picture_kind(packet)
        if self._units.is_h265:
            if kind in _H265_ACCESS:
                self._is_open = kind in _H265_BROKEN_LINKS or (kind == _H265_CLEAN and self._is_first)
                self._is_first = False
            return self._is_open and kind in _H265_SKIPPED
        if self._is_first:
            self._is_first, self._is_open, self._first_start = False, kind != _H264_IDR, start
        elif kind == _H264_IDR:
            self._is_open = False
        return self._is_open and start < self._first_start


def _vp8_shows(packet: bytes) -> bool:
    """RFC 6386, 9.1 (https://www.rfc-editor.org/rfc/rfc6386): the fifth bit of a frame is `show_frame`."""
    return not packet or bool(packet[0] & 0x10)


def _vp9_shows(packet: bytes) -> bool:
    """VP9 Bitstream & Decoding Process Specification, 6.2 and Annex B (https://www.webmproject.org/vp9/)."""
    if not packet or packet[-1] >> 5 == _SUPERFRAME:
        return True
    # frame_marker (2 bits), profile (2), of profile 3 one more, show_existing_frame, frame_type, show_frame
    is_profile_3 = packet[0] & 0x30 == 0x30  # noqa: PLR2004 - both bits of the profile
    rest = packet[0] << 1 if is_profile_3 else packet[0]
    return bool(rest & 0x08) or bool(rest & 0x02)


# Encoders of VP8 and VP9 store pictures that others refer to in packets of their own. By FFmpeg's name of the decoder.
SHOWS_A_PICTURE: dict[str, Callable[[bytes], bool]] = {
    "vp8": _vp8_shows,
    "libvpx": _vp8_shows,
    "vp9": _vp9_shows,
    "libvpx-vp9": _vp9_shows,
}
