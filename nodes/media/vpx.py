"""Which packets of VP8 and VP9 show nothing: encoders store pictures that others refer to in packets of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SUPERFRAME = 0b110  # the first bits of the last byte of several frames in one packet, the last of which is shown


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


# By FFmpeg's name of the decoder.
SHOWS_A_PICTURE: dict[str, Callable[[bytes], bool]] = {
    "vp8": _vp8_shows,
    "libvpx": _vp8_shows,
    "vp9": _vp9_shows,
    "libvpx-vp9": _vp9_shows,
}
