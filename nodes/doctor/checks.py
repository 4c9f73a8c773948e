"""The checks. Each says how one thing is and what to do about it; none raises, spends, or changes anything."""

from __future__ import annotations

import os
import platform
import re
import shutil
import threading
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path

from ..errors import ConfigurationError, RunComfyError
from ..packages import packages_named
from ..run.inputs import MIN_FREE_DISK_BYTES
from ..runcomfy import (
    Settings,
    Token,
    check_archive,
    check_locks,
    check_model_api,
    find_token,
    load_settings,
    look_at_account,
    look_at_journal,
    resolve_journal_url,
    resolve_state_dir,
)
from .report import Finding

LIMIT_S = 7.0  # with the start of Python, ten seconds in all
MAX_CLOCK_DIFFERENCE_S = 60.0
FIX_FIRST = "Fix the settings first, then check again."
REINSTALL = "Install the packages of requirements.txt into ComfyUI's Python, with 'pip install -r requirements.txt'."
OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
NAMES = {"opencv-python": "OpenCV", "av": "PyAV", "pillow": "Pillow", "numpy": "NumPy"}
GIB = 1024**3

Check = Callable[[], list[Finding]]


@dataclass(frozen=True, slots=True)
class Installation:
    """What is examined.

    Attributes:
        environ: The environment.
        state_dir: Where state is kept unless the environment says otherwise.
        output_dir: The same of clips.
        comfyui_version: Empty where it is not known.
        pack_dir: The pack's folder.
    """

    environ: Mapping[str, str]
    state_dir: Callable[[], Path]
    output_dir: Callable[[], Path]
    comfyui_version: str
    pack_dir: Path


def examine(installation: Installation, *, limit_s: float = LIMIT_S) -> list[Finding]:
    """What all checks find, side by side and within the limit: a dead network drive never answers at all."""
    give_up_at = time.monotonic() + limit_s
    folders: list[Path] = []
    found: list[Settings] = []
    first: dict[str, Check] = {"Settings": partial(_settings, installation, found, folders)}
    findings = _side_by_side(first, give_up_at)
    return findings + _side_by_side(_checks(installation, found, folders), give_up_at)


def _checks(installation: Installation, found: Sequence[Settings], folders: Sequence[Path]) -> dict[str, Check]:
    """By subject; those that need what cannot be read are not made, and say so."""

    def after(subject: str, check: Callable[[Settings], list[Finding]], settings: Sequence[Settings]) -> Check:
        if settings:
            return partial(check, settings[0])
        return lambda: [Finding(subject, "It was not checked, because the settings cannot be used.", FIX_FIRST)]

    # Where only some other setting is wrong, what lies in the state folder can be looked at.
    local = found or [Settings(state_dir=folder, output_dir=folder) for folder in folders]
    recorded = found or _with_journal(local, installation.environ)
    return {
        "Token": after("Token", partial(_token, installation.environ), local),
        "RunComfy": after("RunComfy", partial(_account, installation.environ), found),
        "Model API": after("Model API", partial(_model_api, installation.environ), found),
        "Journal": after("Journal", _journal, recorded),
        "Locks": after("Locks", _locks, recorded),
        "Archive": after("Archive", _archive, found),
        "Disk of the state folder": after(
            "Disk of the state folder",
            lambda settings: _disk("Disk of the state folder", settings.state_dir, "RUNCOMFY_STATE_DIR"),
            local,
        ),
        "Disk of the clips": after(
            "Disk of the clips",
            lambda settings: _disk("Disk of the clips", settings.output_dir, "RUNCOMFY_OUTPUT_DIR"),
            found,
        ),
        "Memory": _memory,
        "Versions": partial(_versions, installation),
    }


def _side_by_side(checks: Mapping[str, Check], give_up_at: float) -> list[Finding]:
    """Each check in a thread of its own, which is left behind where it takes too long."""
    found: dict[str, list[Finding]] = {}

    def work(subject: str, check: Check) -> None:
        try:
            with packages_named():
                found[subject] = check()
        except RunComfyError as error:
            found[subject] = [_trouble(subject, error)]
        except Exception as error:  # noqa: BLE001 - a doctor that fails tells nothing
            found[subject] = [
                Finding(
                    subject,
                    f"The check failed unexpectedly ({type(error).__name__}).",
                    "Report it as a bug, with this text.",
                )
            ]

    threads = [threading.Thread(target=work, args=item, name="sora2pro-doctor", daemon=True) for item in checks.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, give_up_at - time.monotonic()))
    late = "The check did not end in time.", "Check the network and the network drives, then check again."
    return [finding for subject in checks for finding in found.get(subject, [Finding(subject, *late)])]


def _trouble(subject: str, error: RunComfyError) -> Finding:
    return Finding(subject, error.what, error.remedy or "Fix it, then check again.")


def _settings(installation: Installation, found: list[Settings], folders: list[Path]) -> list[Finding]:
    try:
        settings = load_settings(
            installation.environ, default_state_dir=installation.state_dir, default_output_dir=installation.output_dir
        )
    except ConfigurationError as error:
        folders.append(resolve_state_dir(installation.environ, installation.state_dir))
        return [_trouble("Settings", error)]
    found.append(settings)
    return [Finding("Settings", f"They can be used. State folder: {settings.state_dir}; clips: {settings.output_dir}.")]


def _with_journal(local: Sequence[Settings], environ: Mapping[str, str]) -> list[Settings]:
    """The same with the address of the journal; none where that is what is wrong."""
    try:
        journal_url = resolve_journal_url(environ)
    except ConfigurationError:
        return []
    return [replace(settings, journal_url=journal_url) for settings in local]


def _found_token(environ: Mapping[str, str], settings: Settings) -> Token | None:
    try:
        return find_token(environ, settings.state_dir)
    except RunComfyError:
        return None


def _token(environ: Mapping[str, str], settings: Settings) -> list[Finding]:
    token = find_token(environ, settings.state_dir)
    return [Finding("Token", f"There is one, from {token.source}.")]


def _account(environ: Mapping[str, str], settings: Settings) -> list[Finding]:
    token = _found_token(environ, settings)
    if token is None:
        return [Finding("RunComfy", "It was not asked, because there is no token that can be used.", "Set a token.")]
    account, ahead_s = look_at_account(settings, token)
    balance = f"${account.balance_usd:,.2f}" if account.balance_usd >= 0 else f"-${-account.balance_usd:,.2f}"
    return [
        Finding("RunComfy", f"{settings.account_base_url} answers and accepts the token."),
        Finding(
            "Balance",
            f"It is {balance}.",
            "" if account.balance_usd > 0 else "Add credit on runcomfy.com: without it, nothing can be bought.",
        ),
        _clock(ahead_s, settings),
    ]


def _clock(ahead_s: float | None, settings: Settings) -> Finding:
    if ahead_s is None:
        return Finding("Clock", "RunComfy did not say what time it is there, so the clock was not compared.")
    if abs(ahead_s) <= MAX_CLOCK_DIFFERENCE_S:
        return Finding("Clock", f"It differs from RunComfy's by {abs(ahead_s):.0f} s.")
    side = "ahead of" if ahead_s > 0 else "behind"
    remedy = (
        "Set this machine's clock: storage services reject requests from a machine whose clock is off."
        if settings.journal_url
        else "Set this machine's clock: the daily limit goes by its date, and storage services reject requests from a machine "
        "whose clock is off."
    )
    return Finding("Clock", f"It is {abs(ahead_s):,.0f} s {side} RunComfy's.", remedy)


def _model_api(environ: Mapping[str, str], settings: Settings) -> list[Finding]:
    token = _found_token(environ, settings)
    if token is None:
        return [Finding("Model API", "It was not asked, because there is no token that can be used.", "Set a token.")]
    check_model_api(settings, token)
    return [Finding("Model API", f"{settings.api_base_url} answers and accepts the token.")]


def _journal(settings: Settings) -> list[Finding]:
    facts = look_at_journal(settings)
    if facts is None and settings.journal_url:
        return [Finding("Journal", "There is none yet in the database: the first run makes its tables.")]
    if facts is None:
        return [Finding("Journal", "There is none yet: nothing was bought from this state folder.")]
    if facts.job_count is None:
        return [Finding("Journal", "ComfyUI ended while it was written; the next run puts that right by itself.")]
    if facts.version > facts.newest_version:
        return [
            Finding(
                "Journal",
                f"It is of version {facts.version}, and this pack knows version {facts.newest_version} at most.",
                "Update the pack, or point RUNCOMFY_STATE_DIR to another folder.",
            )
        ]
    older = "" if facts.version == facts.newest_version else " The next run brings it up to date."
    state = "can be used" if settings.journal_url else "is whole"  # a server checks its pages itself
    return [Finding("Journal", f"It {state}: version {facts.version}, jobs: {facts.job_count:,}.{older}")]


def _locks(settings: Settings) -> list[Finding]:
    if not settings.journal_url and not settings.state_dir.is_dir():
        return [Finding("Locks", "The state folder is not there yet; the first run makes it.")]
    check_locks(settings)
    return [Finding("Locks", "They can be taken and released, and keep others out.")]


def _archive(settings: Settings) -> list[Finding]:
    if not settings.archive_url:
        return [Finding("Archive", "None is set: clips are kept in the output folder alone.")]
    check_archive(settings)
    return [Finding("Archive", f"{settings.archive_url} can be reached. Nothing was written there.")]


def _disk(subject: str, folder: Path, variable: str) -> list[Finding]:
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return [Finding(subject, f"{there} cannot be written.", f"Change its permissions, or set {variable}.")]
    free_bytes = shutil.disk_usage(there).free
    if free_bytes < MIN_FREE_DISK_BYTES:
        remedy = f"Make room, or point {variable} to another disk."
        return [Finding(subject, f"Only {free_bytes / 1e6:,.0f} MB are free.", remedy)]
    return [Finding(subject, f"{free_bytes / 1e9:,.1f} GB are free.")]


def _memory() -> list[Finding]:
    from ..media.memory import WAYS_OUT, available_bytes, frames_bytes  # noqa: PLC0415 - psutil may be missing

    free_bytes, needed_bytes = available_bytes(), frames_bytes(1280, 720, 4 * 30)
    if free_bytes >= needed_bytes:
        return [Finding("Memory", f"{free_bytes / GIB:.1f} GiB are free.")]
    return [
        Finding(
            "Memory",
            f"{free_bytes / GIB:.1f} GiB are free; the frames of 4 seconds at 1280x720 need {needed_bytes / GIB:.1f} GiB.",
            WAYS_OUT,
        )
    ]


def _versions(installation: Installation) -> list[Finding]:
    wanted = {"torch": "", **_requirements(installation.pack_dir)}
    versions = {name: _version_of(name) for name in wanted}
    told = [f"{NAMES.get(name, name)} {version}" for name, version in versions.items() if version]
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    comfyui = f"ComfyUI {installation.comfyui_version or '(version not found)'}"
    pack = f"pack {_pack_version(installation.pack_dir) or '(version not found)'}"
    return [
        Finding("Versions", f"{pack}, {comfyui}, {system}, {', '.join(told)}."),
        *(
            Finding("Versions", f"{NAMES.get(name, name)} is not installed in this Python.", _how_to_install(name))
            for name, version in versions.items()
            if not version
        ),
        *(
            Finding("Versions", f"{NAMES.get(name, name)} {version} is older than {wanted[name]}.", REINSTALL)
            for name, version in versions.items()
            if version and _numbers(version) < _numbers(wanted[name])
        ),
    ]


def _how_to_install(name: str) -> str:
    if name == "torch":
        return "Run the doctor with the Python that runs ComfyUI: ComfyUI brings torch."
    return REINSTALL


def _requirements(pack_dir: Path) -> dict[str, str]:
    """The packages of requirements.txt with their lowest versions."""
    try:
        lines = (pack_dir / "requirements.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    return dict(
        re.findall(r"^([a-z][\w-]*)>=([\d.]+)", line)[0] for line in lines if re.match(r"[a-z][\w-]*>=\d", line)
    )


def _version_of(name: str) -> str:
    for distribution in OPENCV if name in OPENCV else (name,):
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return ""


def _pack_version(pack_dir: Path) -> str:
    try:
        version = tomllib.loads((pack_dir / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return version if isinstance(version, str) else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0]))
