"""Which address in an answer leads to the clip, and how it is written. Pure.

RunComfy documents no one shape for the output of a model, so any nesting is searched: what counts is an https address of an
allowed host with a video behind it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from urllib.parse import urljoin, urlsplit

from .foreign_text import shown

DEFAULT_PORTS = {"https": 443, "http": 80}

# Outputs are on playgrounds-storage-public.runcomfy.net: https://docs.runcomfy.com/model-apis/async-queue-endpoints.
CLIP_HOST = re.compile(r"([a-z0-9-]+\.)*runcomfy\.(net|com)")
# Where urlsplit sees a part of the host in a backslash, the HTTP library sees the end of it.
PLAIN_URL = re.compile(r"[!-\[\]-~]+")
AROUND = re.compile("^[\\s\u200b-\u200f\u2060\ufeff]+|[\\s\u200b-\u200f\u2060\ufeff]+$")
MAX_ADDRESS_CHARS = 16_384
MAX_HOST_CHARS = 253
MAX_DEPTH = 8

VIDEO_ENDING = re.compile(r"(?i)\.(mp4|m4v|mov|webm|mkv)$")
OTHER_ENDING = re.compile(
    r"(?i)\.(png|jpe?g|webp|gif|avif|bmp|svg|heic|tiff?|json|txt|html?|xml|vtt|srt|mp3|wav|m4a|aac|flac|zip)$"
)
VIDEO_KEY = re.compile(r"(?i)video|clip|movie")
# What is beside a clip: what was sent, pictures, and where to ask again.
NEVER_KEY = re.compile(
    r"(?i)^(inputs?|input_.*|images?|image_urls?|request|parameters|(status|result|cancel|webhook|model)_?url)$"
)
BESIDE_KEY = re.compile(
    r"(?i)thumb|preview|poster|cover|image|picture|frame|watermark|sample|mask|audio|sound|subtitle"
)
# Outside of `output` the input may be echoed: only these are searched there, and only where `output` holds nothing.
OUTSIDE_KEYS = ("outputs", "result", "results", "data", "response", "videos", "video_url", "output_url")
# An address among words: RFC 3986, appendix C names what may stand around it.
AMONG_WORDS = re.compile(r"(?i)https?://[^\s\"'`<>()\[\]{}|\\^]+")
BEHIND_IT = ".,;:!?"


class _Kind(IntEnum):
    """How much speaks for an address, best first."""

    VIDEO = 0
    VIDEO_BY_KEY = 1
    UNKNOWN = 2
    BESIDE = 3


def clip_addresses(document: Mapping[str, object]) -> list[str]:
    """The addresses in an answer of /result that may lead to its clip, the likeliest first.

    Args:
        document: The answer; what it echoes of the input is never looked at.
    """
    return _ranked(document.get("output")) or _ranked({key: document.get(key) for key in OUTSIDE_KEYS})


def written_for_http(address: str | bytes) -> str:
    """An address in printable ASCII: blanks around it are taken off, and what no address may hold is percent-encoded.

    Whatever is valid stays as it is, byte for byte: a signature may cover it.

    Args:
        address: Text, or the bytes of a Location header.
    """
    octets = address if isinstance(address, bytes) else AROUND.sub("", address).encode("utf-8", "surrogatepass")
    octets = octets.strip(bytes(range(0x21)))
    return "".join(chr(octet) if 0x21 <= octet <= 0x7E and octet != 0x5C else f"%{octet:02X}" for octet in octets)  # noqa: PLR2004 - ASCII: "!", "~" and the backslash


def redirected(url: str, location: str) -> str:
    """Where a redirect leads; an address that cannot be understood is returned as it stands.

    Args:
        url: What was asked for.
        location: The header, as http.client reads it: one character for each byte.
    """
    written = written_for_http(location.encode("latin-1", "replace"))
    if re.match(r"(?i)[a-z][a-z0-9+.-]*:", written):
        return written
    try:
        return urljoin(url, written)
    except ValueError:
        return written


def why_refused(url: str, allows: Callable[[str], bool]) -> str:
    """A sentence on an address that is not asked. The host is only blamed where it is the host.

    Args:
        url: The address.
        allows: Whether an address may be asked.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        return "RunComfy gives an address for the clip that is malformed; it was not downloaded."
    name = shown(host[:MAX_HOST_CHARS])
    if allows(f"https://{host}/"):
        return f"RunComfy gives an address for the clip on {name} that is not a plain https address; it was not downloaded."
    return f"RunComfy points to a clip on {name}, which is not one of its own hosts; it was not downloaded."


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ranked(value: object) -> list[str]:
    found = [
        (_is_foreign(address), kind, address)
        for keys, address in _addresses(value, ())
        if (kind := _kind_of(keys, address)) is not None
    ]
    return [address for _is_foreign, _kind, address in sorted(found, key=lambda entry: entry[:2])]


def _addresses(value: object, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each address, and the keys on the way to it; `video` before everything else."""
    if len(keys) > MAX_DEPTH:
        return
    if isinstance(value, str):
        text = AROUND.sub("", value)
        if re.match(r"(?i)(https?:)?//", text):
            address = f"https:{text}" if text.startswith("/") else text
            yield from [(keys, written_for_http(address))] if len(address) <= MAX_ADDRESS_CHARS else []
        elif inner := _json_in(text):
            yield from _addresses(inner, (*keys, ""))
        else:
            yield from ((keys, written_for_http(address)) for address in _videos_among_words(text))
    elif isinstance(value, list):
        for item in value:
            yield from _addresses(item, (*keys, ""))
    elif isinstance(value, Mapping):
        for key in sorted(map(str, value), key=lambda name: name.lower() != "video"):
            yield from _addresses(value.get(key), (*keys, key))


def _videos_among_words(text: str) -> list[str]:
    """The addresses in a text that end as those of videos do: others may lead to documentation."""
    found = (address.rstrip(BEHIND_IT) for address in AMONG_WORDS.findall(text))
    return [each for each in found if len(each) <= MAX_ADDRESS_CHARS and VIDEO_ENDING.search(_path_of(each))]


def _path_of(address: str) -> str:
    return re.split(r"[?#]", address, maxsplit=1)[0]


def _json_in(text: str) -> object:
    """The JSON that a text holds, or None."""
    try:
        return json.loads(text) if text[:1] in ("{", "[", '"') else None
    except (ValueError, RecursionError):
        return None


def _kind_of(keys: tuple[str, ...], address: str) -> _Kind | None:
    if any(NEVER_KEY.search(key) for key in keys):
        return None
    path = _path_of(address)
    is_video = VIDEO_ENDING.search(path) is not None
    is_called_video = any(VIDEO_KEY.search(key) for key in keys)
    if OTHER_ENDING.search(path) or any(BESIDE_KEY.search(key) for key in keys):
        return _Kind.BESIDE if is_video or is_called_video else None
    if is_video:
        return _Kind.VIDEO
    return _Kind.VIDEO_BY_KEY if is_called_video else _Kind.UNKNOWN


def _is_foreign(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").lower()
    except ValueError:
        return True
    return not is_loopback(host) and (parts.scheme != "https" or CLIP_HOST.fullmatch(host) is None)


def canonical_base(url: str) -> str:
    """An address of the API in the one form that is compared and stored (RFC 3986, section 6.2)."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    authority = f"[{host}]" if ":" in host else host
    if parts.port not in (None, DEFAULT_PORTS.get(parts.scheme)):
        authority += f":{parts.port}"
    return f"{parts.scheme}://{authority}{parts.path.rstrip('/')}"
