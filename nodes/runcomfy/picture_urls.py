"""Can RunComfy download a picture from an address, and is there one? Pure: no name is looked up, nothing is asked."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import unicodedata
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from ..errors import InvalidInputError

MAX_URL_CHARS = 8192
NOT_PLAIN = "'{name}' is not a usable address: it must be at most {most} ASCII characters without spaces."

# This machine: https://www.rfc-editor.org/rfc/rfc6761#section-6.3. Home and company networks:
# https://www.rfc-editor.org/rfc/rfc6762 (local, and appendix G), https://www.rfc-editor.org/rfc/rfc8375 (home.arpa),
# https://www.icann.org/en/board-activities-and-meetings/materials/approved-resolutions-special-meeting-of-the-icann-board-29-07-2024-en
# (internal). Routers and distributions use localdomain; fritz.box is a router's name for itself, and developers have
# localtest.me and lvh.me lead to this machine.
PRIVATE_NAMES = re.compile(
    r"(.*\.)?(localhost|localdomain|local|internal|intranet|private|corp|home|lan|home\.arpa|fritz\.box|localtest\.me|lvh\.me)",
    re.DOTALL,
)
# Names that lead to the address written in front of them: https://nip.io, https://sslip.io; xip.io was the first.
NAMED_ADDRESS = re.compile(
    r"(?:.*[.-])?(?:(?P<decimal>\d{1,3}(?:[.-]\d{1,3}){3})|(?P<hex>[0-9a-f]{8}))\.(?:nip|sslip|xip)\.io", re.DOTALL
)
NAMED_V6_ADDRESS = re.compile(r"(?:.*\.)?([0-9a-f-]+)\.sslip\.io", re.DOTALL)
# Never in the public DNS: https://www.rfc-editor.org/rfc/rfc6761#section-6, https://www.rfc-editor.org/rfc/rfc7686 (onion),
# https://www.rfc-editor.org/rfc/rfc9476 (alt). RunComfy is asked to download, so it is enough that no server has such a name.
RESERVED_NAMES = re.compile(r"(.*\.)?(test|example|invalid|onion|alt)", re.DOTALL)
# https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4; hosts with an underscore exist.
HOST_NAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9_-]{1,63}\.)+[a-z0-9_-]{1,63}")
# What https://url.spec.whatwg.org/#ends-in-a-number-checker takes for a part of an IPv4 address.
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
DECIMAL_ADDRESS = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){3}")

# IPv6 addresses that end in an IPv4 address: compatible and mapped (RFC 4291, section 2.5.5), translated (RFC 2765), and
# NAT64 (RFC 6052). 6to4 (RFC 3056) has it behind its first 16 bits.
ENDING_IN_IPV4 = [ipaddress.IPv6Network(n) for n in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")]
# https://www.iana.org/assignments/ipv6-address-space; of the documentation prefixes Python before 3.14 knows the older one.
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")


def plain_host(host: str) -> str:
    """A host as browsers read it: percent-decoded, with ordinary digits, letters and dots, without a dot at its end.

    See https://url.spec.whatwg.org/#host-parsing and https://www.unicode.org/reports/tr46/.
    """
    return unicodedata.normalize("NFKC", unquote(host)).replace("\u3002", ".").lower().rstrip(".")


def is_private(host: str) -> bool:
    """Whether a plain host is this machine, or on a network that RunComfy has no way to.

    Numbers that programs read in different ways are private if one of their readings is.
    """
    if ":" in host:
        with contextlib.suppress(ValueError):
            return _is_private_v6(ipaddress.IPv6Address(host.partition("%")[0]))
        return False
    labels = host.split(".")
    if NUMBER.fullmatch(labels[-1]):
        return any(map(_is_private_v4, _readings(labels)))
    return len(labels) == 1 or PRIVATE_NAMES.fullmatch(host) is not None or _names_private(host)


def _names_private(host: str) -> bool:
    """Whether a name leads to a private address that is written in it."""
    if named := NAMED_ADDRESS.fullmatch(host):
        numbers = [f"0x{named['hex']}"] if named["hex"] else re.split("[.-]", named["decimal"])
        return any(map(_is_private_v4, _readings(numbers)))
    named_v6 = NAMED_V6_ADDRESS.fullmatch(host)
    with contextlib.suppress(ValueError):
        return named_v6 is not None and _is_private_v6(ipaddress.IPv6Address(named_v6[1].replace("-", ":")))
    return False


def is_well_formed(host: str) -> bool:
    """Whether a plain host is an IPv6 address, four decimal numbers, or a name."""
    labels = host.split(".")
    if ":" in host:
        with contextlib.suppress(ValueError):
            return bool(ipaddress.IPv6Address(host))
        return False
    if NUMBER.fullmatch(labels[-1]):
        return DECIMAL_ADDRESS.fullmatch(host) is not None and bool(_readings(labels))
    return HOST_NAME.fullmatch(host) is not None


def _readings(labels: list[str]) -> set[int]:
    """The IPv4 addresses that numbers may mean; for some programs a leading zero makes a number octal, for some not."""
    found = set()
    for zero_is_octal in (True, False):
        with contextlib.suppress(ValueError):
            found.add(_ipv4(labels, zero_is_octal=zero_is_octal))
    return found


def _ipv4(labels: list[str], *, zero_is_octal: bool) -> int:
    """1 to 4 numbers as an address, the last one for all bytes that are left: 127.1 is 127.0.0.1.

    Raises:
        ValueError: They are not an address.
    """
    *heads, last = [_number(label, zero_is_octal=zero_is_octal) for label in labels]
    if len(heads) > 3 or any(head > 255 for head in heads) or last >= 256 ** (4 - len(heads)):  # noqa: PLR2004 - IPv4
        raise ValueError
    return sum(head << (24 - 8 * place) for place, head in enumerate(heads)) + last


def _number(label: str, *, zero_is_octal: bool) -> int:
    if NUMBER.fullmatch(label) is None:
        raise ValueError
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    return int(label, 8 if zero_is_octal and label.startswith("0") else 10)


def _is_private_v4(address: int) -> bool:
    ip = ipaddress.IPv4Address(address)
    return not ip.is_global or ip.is_multicast


def _is_private_v6(ip: ipaddress.IPv6Address) -> bool:
    if any(ip in network for network in ENDING_IN_IPV4):
        return _is_private_v4(int(ip) & 0xFFFF_FFFF)
    if ip.sixtofour is not None:
        return _is_private_v4(int(ip.sixtofour))
    return ip not in GLOBAL_UNICAST or not ip.is_global or ip in DOCUMENTATION


class Page(NamedTuple):
    """A kind of web page that people take for the picture on it.

    Attributes:
        name: For a message.
        place: Its host (without `www.`) and path.
        way_out: How to get to the picture itself; a sentence.
        direct: A query with which the same place gives the picture.
    """

    name: str
    place: re.Pattern[str]
    way_out: str
    direct: re.Pattern[str] | None = None


def _page(name: str, place: str, way_out: str, direct: str | None = None) -> Page:
    query = None if direct is None else re.compile(f"(^|&)({direct})(&|$)", re.IGNORECASE)
    return Page(name, re.compile(place, re.IGNORECASE), way_out, query)


GIVE_ADDRESS = "Give a public https address that opens without a login."
SAVE_IT = "Save the picture and load it with Load Image."
OPEN_IT = "Open the picture by itself (right click, open image in a new tab) and copy the address of that."
# Only what is certainly a page stands here: the same hosts serve pictures at other places.
PAGES = (
    _page(
        "a share page of Google Drive",
        r"(drive|docs)\.google\.com/(a/[^/]+/)?(u/\d+/)?(file/(u/\d+/)?d/|open\b|drive/|folderview\b|folders/)",
        "Share the file with everyone who has the link, and write https://drive.google.com/uc?export=download&id= followed by "
        "its id, the part behind /d/ or id=.",
    ),
    _page(
        "a document of Google",
        r"docs\.google\.com/(document|presentation|spreadsheets|drawings|forms)/(?!.*/(export|pub)\b)",
        OPEN_IT,
    ),
    _page("a page of Google Photos", r"photos\.(google\.com|app\.goo\.gl)/", SAVE_IT),
    _page("a page of Google's search", r"google\.[a-z.]+/(imgres|search)\b", OPEN_IT),
    _page(
        "a share page of Dropbox",  # https://help.dropbox.com/share/force-download
        r"dropbox\.com/(s|sh|scl)/",
        "Put raw=1 in the place of dl=0 at the end of the address.",
        r"(raw|dl)=1",
    ),
    _page(
        "a page of Imgur",
        r"(m\.)?imgur\.com/(?!download/)(?!.*\.(png|jpe?g|gif|webp)$)[^/]",
        "Use the address that begins with https://i.imgur.com/ and ends in .png or .jpg.",
    ),
    _page(
        "a page of GitHub",
        r"github\.com/[^/]+/[^/]+/(blob|tree)/|gist\.github\.com/[^/]+/[0-9a-f]+/?$",
        "Use the address of its button Raw, which begins with https://raw.githubusercontent.com/.",
        r"raw=(true|1)",
    ),
    _page("a page of GitLab", r"gitlab\.com/.+/-/blob/", "Write /-/raw/ in the place of /-/blob/."),
    _page("a page of Bitbucket", r"bitbucket\.org/[^/]+/[^/]+/src/", "Write /raw/ in the place of /src/."),
    _page("a page of Hugging Face", r"(huggingface|hf)\.co/.+/blob/", "Write /resolve/ in the place of /blob/."),
    _page(
        "a share page of OneDrive",
        r"1drv\.ms/|onedrive\.live\.com/(?!download)",
        SAVE_IT,
        r"download=1|(embed|width|height)=[^&]*",
    ),
    _page("a share page of SharePoint", r"[^/]+\.sharepoint\.com/:\w:/", "Add download=1 to the query.", "download=1"),
    _page(
        "a page of Flickr",
        r"flickr\.com/(photos|gp)/|flic\.kr/",
        "Choose Download, View all sizes, and copy the address of the picture, which begins with https://live.staticflickr.com/.",
    ),
    _page(
        "a description page of Wikipedia or Wikimedia Commons",
        r"[^/]+\.wiki[pm]edia\.org/wiki/[^/:]+:[^/]+\.\w+$",
        "Use the address of the original file, which begins with https://upload.wikimedia.org/.",
    ),
    _page(
        "a page around the picture",
        r"instagram\.com/(p|reel)/[^/]+/?$|([a-z]+\.)?pinterest\.[a-z.]+/pin/|pin\.it/|facebook\.com/(photo|[^/]+/photos/)"
        r"|(x|twitter)\.com/[^/]+/status/|(old\.)?reddit\.com/(r/[^/]+/comments/|gallery/)|unsplash\.com/photos/[^/]+/?$"
        r"|pexels\.com/photo/|pixabay\.com/(photos|illustrations|vectors)/|deviantart\.com/[^/]+/art/"
        r"|((m|music)\.)?youtube\.com/(watch|shorts/|playlist)|youtu\.be/|vimeo\.com/\d|([a-z]+\.)?tiktok\.com/"
        r"|([a-z]+\.)?artstation\.com/artwork/|mega\.nz/(file|folder)/|we\.tl/|wetransfer\.com/downloads/"
        r"|([^/]+\.)?box\.com/(s|v|file)/|(www\.)?mediafire\.com/file/|prnt\.sc/[^/.]+/?$|bing\.com/images/search"
        r"|civitai\.com/images/|(ibb\.co|postimg\.cc)/[^/.]+/?$|(share\.)?icloud\.com/|discord\.com/channels/",
        OPEN_IT,
    ),
    _page("a web page", r"[^?#]+\.x?html?$", OPEN_IT),
)


def page_at(host: str, path: str, query: str) -> Page | None:
    """The kind of page an address certainly leads to; None for whatever may be a picture."""
    place = host.removeprefix("www.") + path
    for page in PAGES:
        if page.place.match(place):
            return None if page.direct is not None and page.direct.search(query) else page
    return None


def check_image_url(url: str, name: str = "image_url", widget: str = "image") -> None:
    """Refuse an address that RunComfy could never download a picture from.

    The message never repeats the address: it may hold a signature.

    Args:
        url: The address.
        name: The input or the field that holds it, for the message.
        widget: The input that takes the picture itself instead; empty where none does.

    Raises:
        InvalidInputError: Not https, with credentials, malformed, on this machine or a private network, or of a web page.
    """
    if url[:5].lower() == "data:":
        raise InvalidInputError(
            f"'{name}' must begin with https://. This is a data URI: not an address, but the picture itself.",
            remedy=f"Save the picture, load it with Load Image and connect '{widget}' instead."
            if widget
            else GIVE_ADDRESS,
        )
    if len(url) > MAX_URL_CHARS or any(c <= " " or c == "\x7f" for c in url):
        raise _unusable_url(name, widget, NOT_PLAIN)
    try:
        parts = urlsplit(url)
        host, port = plain_host(parts.hostname or ""), parts.port
    except ValueError:
        raise _unusable_url(name, widget, "'{name}' is not a usable address.") from None
    if parts.scheme != "https":
        raise _unusable_url(name, widget, "'{name}' must begin with https://.")
    if "@" in parts.netloc:
        raise _unusable_url(name, widget, "'{name}' has a user name or password in it, which would be sent along.")
    if is_private(host):
        raise _unusable_url(name, widget, "'{name}' points to this machine or a private network.")
    if not url.isascii():
        raise _unusable_url(name, widget, NOT_PLAIN)
    # In brackets stands an IPv6 address. A backslash is a slash for browsers and a part of the host for other programs.
    is_in_brackets = parts.netloc.startswith("[")
    if not is_well_formed(host) or is_in_brackets != (":" in host) or set(parts.netloc) & set("%\\") or port == 0:
        raise _unusable_url(name, widget, "'{name}' is not a usable address: its host or port is malformed.")
    _check_is_picture(host, parts, name, widget)


def _check_is_picture(host: str, parts: SplitResult, name: str, widget: str) -> None:
    if RESERVED_NAMES.fullmatch(host):
        raise _unusable_url(
            name, widget, "'{name}' has a host with a reserved name, which no server on the internet has."
        )
    if page := page_at(host, parts.path, parts.query):
        if widget:
            remedy = f"{page.way_out} Or connect '{widget}' instead."
        else:
            remedy = GIVE_ADDRESS if page.way_out == SAVE_IT else page.way_out
        raise InvalidInputError(f"'{name}' leads to {page.name}, not to a picture.", remedy=remedy)


def _unusable_url(name: str, widget: str, what: str) -> InvalidInputError:
    return InvalidInputError(
        what.format(name=name, most=MAX_URL_CHARS),
        remedy=f"Give a public https address that opens without a login, or connect '{widget}' instead."
        if widget
        else GIVE_ADDRESS,
    )
