"""Where every setting comes from: the environment first, then the settings file, then the default."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..environment import parse_folder, read_variable
from ..errors import ConfigurationError, InvalidInputError
from .clip_urls import CLIP_HOST, PLAIN_URL, is_loopback
from .files import read_text, write_private
from .journal_url import resolve_journal_url
from .models import SORA_2_PRO, ModelSpec, Role, Size

PRODUCTION_API = "https://model-api.runcomfy.net"
PRODUCTION_ACCOUNT_API = "https://api.runcomfy.net"
MIN_POLL_INTERVAL_S = 0.05
MAX_PARALLEL_CEILING = 64
# Larger than anything a video model makes; what lies beyond is a slip of the keyboard.
MAX_SIDE_PIXELS = 8192
MAX_CLIP_S = 3600
MAX_CHOICES = 64
MAX_ADDRESS_CHARS = 2048
MAX_MODEL_ID_CHARS = 200
# A slip costs no more than this. One clip of any model whose price is known here stays below it.
DEFAULT_USD_PER_DAY = 30.0
NO_LIMIT = frozenset({"none", "no limit"})

# fsspec reads "::" as a chain of file systems, and what follows "?" and "#" as options.
STORAGE = re.compile(r"(?i)[a-z][a-z0-9+.-]*://[^\s/?#:\\][^\s?#:\\]*(:[^\s?#:\\]+)*")

Choice = TypeVar("Choice", str, int)

STATE_DIR_VARIABLE = "RUNCOMFY_STATE_DIR"
OUTPUT_DIR_VARIABLE = "RUNCOMFY_OUTPUT_DIR"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a user can set, parsed and checked.

    Attributes:
        api_base_url: Without a trailing slash and without `/v1`.
        timeout_s: How long a request may render, counted from when this run last saw it queued, or began to wait.
        max_parallel: Paid requests running at once.
        max_usd_per_day: The spend cap of a calendar day; None for none.
        max_usd_per_clip: The most that one clip may cost, or None.
        ask_above_usd: What a clip may cost without a question to the user; None asks never.
        journal_url: Where the journal is, if not in the state folder. It may hold a password and is not shown.
        schema_strict: Whether a request that the model's schema forbids is refused.
        archive_url: Where clips are kept, too: the full path of a folder, or an address of fsspec's; empty for nowhere. It may
            hold a password.
    """

    state_dir: Path
    output_dir: Path
    api_base_url: str = PRODUCTION_API
    model: ModelSpec = SORA_2_PRO
    poll_interval_s: float = 5.0
    timeout_s: float = 1800.0
    max_parallel: int = 4
    max_usd_per_day: float | None = DEFAULT_USD_PER_DAY
    max_usd_per_clip: float | None = None
    ask_above_usd: float | None = None
    schema_strict: bool = True
    archive_url: str = field(default="", repr=False)
    journal_url: str = field(default="", repr=False)

    @property
    def account_base_url(self) -> str:
        """The host of the balance. A token for another API host never goes to RunComfy's own, and the other way round."""
        return PRODUCTION_ACCOUNT_API if self.api_base_url == PRODUCTION_API else self.api_base_url

    def allows_clip_url(self, url: str) -> bool:
        """Whether a clip may be downloaded from this address: RunComfy's hosts, and loopback where the API is there too."""
        try:
            parts = urlsplit(url)
            host, _port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if "@" in parts.netloc or PLAIN_URL.fullmatch(url) is None:
            return False
        if is_loopback(host):
            return parts.scheme in ("http", "https") and is_loopback(urlsplit(self.api_base_url).hostname or "")
        # The whole authority, not what urlsplit calls the host: before Python 3.11.4 it takes the brackets off any name.
        authority = parts.netloc.lower().removesuffix(":443")
        return parts.scheme == "https" and CLIP_HOST.fullmatch(authority) is not None


def settings_path(state_dir: Path) -> Path:
    """Where the settings file of a state folder is."""
    return state_dir / "settings.json"


def read_settings_file(state_dir: Path) -> dict[str, Any]:
    """The values of the settings file; empty if there is none.

    Raises:
        ConfigurationError: It is there but cannot be read.
    """
    path = settings_path(state_dir)
    try:
        values = json.loads(read_text(path), parse_constant=_refuse_constant)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"The settings file {path} cannot be read ({error}).", remedy="Fix or delete it, then run the node again."
        ) from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"The settings file {path} is not a JSON object.", remedy="Fix or delete it.")
    return values


def _refuse_constant(name: str) -> None:
    """Refuse what Python's reader would take though JSON has no such numbers (RFC 8259, section 6)."""
    raise ValueError(f"{name} is not a JSON value")


def write_settings_file(state_dir: Path, values: Mapping[str, Any]) -> None:
    """Replace the settings file, atomically."""
    write_private(settings_path(state_dir), json.dumps(dict(values), indent=2) + "\n")


def resolve_state_dir(environ: Mapping[str, str], default: Callable[[], Path]) -> Path:
    """The state folder: the journal, the saved token, the settings file.

    Raises:
        ConfigurationError: It is not an absolute path.
    """
    return _folder(environ, STATE_DIR_VARIABLE, default)


def load_settings(
    environ: Mapping[str, str], *, default_state_dir: Callable[[], Path], default_output_dir: Callable[[], Path]
) -> Settings:
    """Read and check all settings.

    Raises:
        ConfigurationError: A value cannot be used; the message names where it stands.
    """
    state_dir = resolve_state_dir(environ, default_state_dir)
    output_dir = _folder(environ, OUTPUT_DIR_VARIABLE, default_output_dir)
    _check_recordable(output_dir)
    values = read_settings_file(state_dir)
    origins = {name: f"'{name}' in {settings_path(state_dir)}" for name in values}
    for setting in SETTINGS:
        if text := read_variable(environ, setting.variable):
            values[setting.name] = text
            origins[setting.name] = setting.variable
    base = Settings(state_dir=state_dir, output_dir=output_dir, journal_url=resolve_journal_url(environ))
    return parse_settings(base, values, origins)


def parse_settings(base: Settings, values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    """`base` with `values` on top of it.

    Args:
        base: The defaults.
        values: Numbers, or text that holds one; names as in `SETTINGS`.
        origins: For the message of an error: where each value stands.

    Raises:
        ConfigurationError: A value cannot be used.
    """
    changes: dict[str, Any] = {}
    for name, value in values.items():
        setting = _BY_NAME.get(name)
        if setting is None or value is None or value == "":
            continue
        try:
            changes[name] = setting.parse(value)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"{origins.get(name, name)} cannot be used: {error}.", remedy="Change or remove it, then run again."
            ) from error
    model = base.model
    if "model_id" in changes:
        # What is known of Sora's prices says nothing of another model's.
        model_id = changes.pop("model_id")
        prices = model.public_usd_per_second if model_id == model.model_id else ()
        model = dataclasses.replace(model, model_id=model_id, public_usd_per_second=prices)
    for name, role in (("sizes", Role.SIZE), ("seconds", Role.LENGTH)):
        if name in changes:
            model = model.with_choices(role, changes.pop(name))
    return dataclasses.replace(base, model=model, **changes)


def _folder(environ: Mapping[str, str], variable: str, default: Callable[[], Path]) -> Path:
    text = read_variable(environ, variable)
    return parse_folder(text, variable) if text else parse_folder(str(default()), f"The default of {variable}")


def _check_recordable(output_dir: Path) -> None:
    """Refuse a folder that the journal cannot hold: SQLite keeps text as UTF-8 (https://www.sqlite.org/datatype3.html)."""
    try:
        str(output_dir).encode()
    except UnicodeEncodeError:
        raise ConfigurationError(
            f"The name of the folder for clips, {str(output_dir)!r}, is not UTF-8, so no clip in it could be recorded.",
            remedy=f"Rename it, or point {OUTPUT_DIR_VARIABLE} to another folder.",
        ) from None


def _base_url(value: Any) -> str:  # noqa: ANN401 - JSON
    url = value.strip().rstrip("/").removesuffix("/v1") if isinstance(value, str) else ""
    parts = urlsplit(url)
    is_plain = (
        len(url) <= MAX_ADDRESS_CHARS
        and PLAIN_URL.fullmatch(url)
        and "@" not in parts.netloc
        and not parts.query
        and not parts.fragment
    )
    if not is_plain or not parts.hostname or parts.port == 0:
        raise ValueError("it must be a plain address such as https://model-api.runcomfy.net")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError("it must begin with https:// (plain http is accepted on this machine only)")
    return url


def _model_id(value: Any) -> str:  # noqa: ANN401 - JSON
    text = value.strip().strip("/") if isinstance(value, str) else ""
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")
    if (
        not 0 < len(text) <= MAX_MODEL_ID_CHARS
        or not set(text) <= allowed
        or "//" in text
        or any(part in (".", "..") for part in text.split("/"))
    ):
        raise ValueError("a model id looks like openai/sora-2/pro/image-to-video")
    return text


def _number(value: Any, minimum: float, maximum: float, unit: str) -> float:  # noqa: ANN401 - JSON
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not minimum <= number <= maximum:
        raise ValueError(f"it must be a number from {minimum:g} to {maximum:g} {unit}")
    return number


def _dollars(value: Any) -> float:  # noqa: ANN401 - JSON
    return _number(value, 0, 1_000_000, "US dollars")


def _daily_limit(value: Any) -> float | None:  # noqa: ANN401 - JSON
    if isinstance(value, str) and value.strip().casefold() in NO_LIMIT:
        return None
    try:
        return _dollars(value)
    except ValueError as error:
        raise ValueError(f"{error}, or 'none' for no limit") from None


def _parallel(value: Any) -> int:  # noqa: ANN401 - JSON
    number = _number(value, 1, MAX_PARALLEL_CEILING, "requests")
    if number != int(number):
        raise ValueError("it must be a whole number")
    return int(number)


def _switch(value: Any) -> bool:  # noqa: ANN401 - JSON
    switches = {"0": False, "false": False, "1": True, "true": True}
    try:
        return switches[str(value).strip().casefold()]
    except KeyError:
        raise ValueError("it must be 1 (on) or 0 (off)") from None


def shown_address(url: str) -> str:
    """Where a journal or an archive is, without what may be secret in its address: a user, a password, options."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url  # a folder
    place = re.split("[?#]", rest, maxsplit=1)[0]
    return f"{scheme.removesuffix('+psycopg')}://{place.rpartition('@')[2]}"


def _archive_url(value: Any) -> str:  # noqa: ANN401 - JSON
    text = value.strip() if isinstance(value, str) and len(value) <= MAX_ADDRESS_CHARS else ""
    scheme, separator, rest = text.partition("://")
    if not separator:
        try:
            folder = Path(text).expanduser()
        except RuntimeError:  # nobody of this name has a home folder
            folder = Path(text)
        if folder.is_absolute() and "\0" not in text:
            return os.path.abspath(folder)  # noqa: PTH100 - resolve() follows links
    elif STORAGE.fullmatch(text) and scheme.lower() not in ("http", "https") and ".." not in rest.split("/"):
        if "@" in rest and scheme.lower() in ("s3", "s3a", "gs", "gcs"):
            raise ValueError("credentials do not belong in it: set them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        return f"{scheme.lower()}://{rest.rstrip('/')}"
    raise ValueError("it must be the full path of a folder, or an address such as s3://bucket/prefix")


def _sizes(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - JSON
    try:
        sizes = tuple(map(Size.parse, _choices(value, str)))
    except InvalidInputError:
        sizes = ()
    if not sizes or any(max(size) > MAX_SIDE_PIXELS for size in sizes):
        raise ValueError(
            f"it must be a list of sizes such as 1280x720: at most {MAX_CHOICES}, each side at most {MAX_SIDE_PIXELS} pixels"
        )
    return tuple(map(str, sizes))


def _seconds(value: Any) -> tuple[int, ...]:  # noqa: ANN401 - JSON
    seconds = _choices(value, int)
    if not seconds or not all(1 <= length <= MAX_CLIP_S for length in seconds):
        raise ValueError(
            f"it must be a list of whole numbers of seconds: at most {MAX_CHOICES}, each from 1 to {MAX_CLIP_S}"
        )
    return seconds


def _choices(value: Any, kind: type[Choice]) -> tuple[Choice, ...]:  # noqa: ANN401 - JSON
    """What a list holds; nothing for a list that is too long or holds anything else than this very type."""
    is_list = isinstance(value, list) and len(value) <= MAX_CHOICES
    return tuple(value) if is_list and all(type(item) is kind for item in value) else ()


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings.

    Attributes:
        name: In the settings file, and the field of `Settings` unless it changes the model.
        parse: Makes a value of what stands in the file or in the environment; raises `TypeError` or `ValueError`.
        variable: The environment variable that comes before the file; empty for none.
        label: What the user reads in a message, where the settings dialog can change it; empty where only the file can.
    """

    name: str
    parse: Callable[[Any], Any]
    variable: str = ""
    label: str = ""

    @property
    def is_in_dialog(self) -> bool:
        """Whether the settings dialog can change it."""
        return bool(self.label)

    def value_in(self, settings: Settings) -> object:
        """What it is set to."""
        return settings.model.model_id if self.name == "model_id" else getattr(settings, self.name)


# To add one: a row here, a field in `Settings`, its words in the dialog (web/lib/settings.js and locales), a row in the README.
SETTINGS = (
    Setting("api_base_url", _base_url, "RUNCOMFY_MODEL_API_BASE_URL"),
    Setting("model_id", _model_id, "RUNCOMFY_SORA2_PRO_MODEL_ID", label="The model id"),
    Setting("sizes", _sizes),
    Setting("seconds", _seconds),
    Setting(
        "poll_interval_s",
        lambda value: _number(value, MIN_POLL_INTERVAL_S, 3600, "seconds"),
        "RUNCOMFY_POLL_INTERVAL_S",
    ),
    Setting("timeout_s", lambda value: _number(value, 0.1, 7 * 86_400, "seconds"), "RUNCOMFY_TIMEOUT_S"),
    Setting("max_parallel", _parallel, "RUNCOMFY_MAX_PARALLEL", label="The limit of parallel requests"),
    Setting(
        "max_usd_per_day",
        _daily_limit,
        "RUNCOMFY_MAX_USD_PER_DAY",
        label="The daily spending limit",
    ),
    Setting(
        "max_usd_per_clip",
        _dollars,
        "RUNCOMFY_MAX_USD_PER_CLIP",
        label="The spending limit for a clip",
    ),
    Setting("ask_above_usd", _dollars, "RUNCOMFY_ASK_ABOVE_USD", label="The price above which you are asked"),
    Setting("schema_strict", _switch, "RUNCOMFY_SCHEMA_STRICT"),
    Setting("archive_url", _archive_url, "RUNCOMFY_ARCHIVE_URL"),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}
