"""Where every setting comes from: the environment first, then the settings file, then the default."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigurationError, InvalidInputError
from .clip_address import CLIP_HOST, PLAIN_URL, is_loopback
from .models import SORA_2_PRO, ModelSpec, Size
from .private_files import write_private

PRODUCTION_API = "https://model-api.runcomfy.net"
PRODUCTION_ACCOUNT_API = "https://api.runcomfy.net"
MIN_POLL_INTERVAL_S = 0.05
MAX_PARALLEL_CEILING = 64

STATE_DIR_VARIABLE = "RUNCOMFY_STATE_DIR"
OUTPUT_DIR_VARIABLE = "RUNCOMFY_OUTPUT_DIR"
# The name in the settings file -> the environment variable that overrides it.
VARIABLES = {
    "api_base_url": "RUNCOMFY_MODEL_API_BASE_URL",
    "model_id": "RUNCOMFY_SORA2_PRO_MODEL_ID",
    "poll_interval_s": "RUNCOMFY_POLL_INTERVAL_S",
    "timeout_s": "RUNCOMFY_TIMEOUT_S",
    "max_parallel": "RUNCOMFY_MAX_PARALLEL",
    "max_usd_per_day": "RUNCOMFY_MAX_USD_PER_DAY",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a user can set, parsed and checked.

    Attributes:
        api_base_url: Without a trailing slash and without `/v1`.
        timeout_s: How long a request may render, counted from the moment it left the queue.
        max_parallel: Paid requests in flight at once.
        max_usd_per_day: The spend cap of a calendar day, or None.
    """

    state_dir: Path
    output_dir: Path
    api_base_url: str = PRODUCTION_API
    model: ModelSpec = SORA_2_PRO
    poll_interval_s: float = 5.0
    timeout_s: float = 1800.0
    max_parallel: int = 4
    max_usd_per_day: float | None = None

    @property
    def account_base_url(self) -> str:
        """The host of the balance. A token for another API host never goes to RunComfy's own, and the other way round."""
        return PRODUCTION_ACCOUNT_API if self.api_base_url == PRODUCTION_API else self.api_base_url

    def allows_clip_url(self, url: str) -> bool:
        """Whether a clip may be fetched from this address: RunComfy's hosts, and loopback where the API is there too."""
        try:
            parts = urlsplit(url)
            host, _port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if "@" in parts.netloc or PLAIN_URL.fullmatch(url) is None:
            return False
        if is_loopback(host):
            return parts.scheme in ("http", "https") and is_loopback(urlsplit(self.api_base_url).hostname or "")
        # The whole authority, not what urlsplit calls the host: before Python 3.11 it takes the brackets off any name.
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
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The settings file {path} cannot be read ({error}).", remedy="Mend or delete it, then run the node again."
        ) from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"The settings file {path} holds no JSON object.", remedy="Mend or delete it.")
    return values


def write_settings_file(state_dir: Path, values: Mapping[str, Any]) -> None:
    """Replace the settings file, atomically."""
    write_private(settings_path(state_dir), json.dumps(dict(values), indent=2) + "\n")


def resolve_state_dir(environ: Mapping[str, str], default: Callable[[], Path]) -> Path:
    """The state folder: the journal, the saved token, the settings file."""
    return _folder(environ, STATE_DIR_VARIABLE, default)


def load_settings(
    environ: Mapping[str, str], *, default_state_dir: Callable[[], Path], default_output_dir: Callable[[], Path]
) -> Settings:
    """Read and check all settings.

    Raises:
        ConfigurationError: A value cannot be used; the message names where it stands.
    """
    state_dir = resolve_state_dir(environ, default_state_dir)
    values = read_settings_file(state_dir)
    origins = {name: f"'{name}' in {settings_path(state_dir)}" for name in values}
    for name, variable in VARIABLES.items():
        if environ.get(variable, "").strip():
            values[name] = environ[variable].strip()
            origins[name] = variable
    return checked_settings(
        Settings(state_dir=state_dir, output_dir=_folder(environ, OUTPUT_DIR_VARIABLE, default_output_dir)),
        values,
        origins,
    )


def checked_settings(base: Settings, values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    """`base` with `values` on top of it.

    Args:
        base: The defaults.
        values: Numbers, or text that holds one; names as in `VARIABLES`, and `sizes` and `seconds` of the model.
        origins: For the message of an error: where each value stands.

    Raises:
        ConfigurationError: A value cannot be used.
    """
    changes: dict[str, Any] = {}
    for name, value in values.items():
        parse = _PARSERS.get(name)
        if parse is None or value is None or value == "":
            continue
        try:
            changes[name] = parse(value)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"{origins.get(name, name)} cannot be used: {error}.", remedy="Change or remove it, then run again."
            ) from error
    model_changes: dict[str, Any] = {
        name: changes.pop(name) for name in ("model_id", "sizes", "seconds") if name in changes
    }
    if model_changes:
        changes["model"] = _changed_model(base.model, model_changes)
    return dataclasses.replace(base, **changes)


def _changed_model(model: ModelSpec, changes: dict[str, Any]) -> ModelSpec:
    changed = dataclasses.replace(model, **changes)
    return dataclasses.replace(
        changed,
        default_size=model.default_size if model.default_size in changed.sizes else changed.sizes[0],
        default_seconds=model.default_seconds if model.default_seconds in changed.seconds else changed.seconds[0],
    )


def _folder(environ: Mapping[str, str], variable: str, default: Callable[[], Path]) -> Path:
    text = environ.get(variable, "").strip()
    return Path(os.path.abspath(Path(text).expanduser())) if text else default()  # noqa: PTH100 - resolve() follows links


def _base_url(value: Any) -> str:  # noqa: ANN401 - JSON
    url = str(value).strip().rstrip("/").removesuffix("/v1")
    parts = urlsplit(url)
    is_plain = PLAIN_URL.fullmatch(url) and "@" not in parts.netloc and not parts.query and not parts.fragment
    if not is_plain or not parts.hostname or parts.port == 0:
        raise ValueError("it must be a plain address such as https://model-api.runcomfy.net")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError("it must begin with https:// (plain http is accepted on this machine only)")
    return url


def _model_id(value: Any) -> str:  # noqa: ANN401 - JSON
    text = str(value).strip().strip("/")
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")
    if not text or not set(text) <= allowed or "//" in text or any(part in (".", "..") for part in text.split("/")):
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


def _parallel(value: Any) -> int:  # noqa: ANN401 - JSON
    number = _number(value, 1, MAX_PARALLEL_CEILING, "requests")
    if number != int(number):
        raise ValueError("it must be a whole number")
    return int(number)


def _sizes(value: Any) -> tuple[Size, ...]:  # noqa: ANN401 - JSON
    if not isinstance(value, list):
        raise ValueError("it must be a list of sizes such as 1280x720")  # noqa: TRY004 - a setting is refused as a ValueError
    try:
        sizes = tuple(Size.parse(text) for text in value)
    except InvalidInputError as error:
        raise ValueError(error.what) from error
    if not sizes:
        raise ValueError("it must name at least one size")
    return sizes


def _seconds(value: Any) -> tuple[int, ...]:  # noqa: ANN401 - JSON
    is_list = isinstance(value, list) and len(value) > 0
    if not is_list or not all(isinstance(item, int) and not isinstance(item, bool) and item > 0 for item in value):
        raise ValueError("it must be a list of whole numbers of seconds")
    return tuple(value)


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "api_base_url": _base_url,
    "model_id": _model_id,
    "sizes": _sizes,
    "seconds": _seconds,
    "poll_interval_s": lambda value: _number(value, MIN_POLL_INTERVAL_S, 3600, "seconds"),
    "timeout_s": lambda value: _number(value, 0.1, 7 * 86_400, "seconds"),
    "max_parallel": _parallel,
    "max_usd_per_day": lambda value: _number(value, 0, 1_000_000, "US dollars"),
}
