"""Packages that ComfyUI imports at start and that nothing in these tests calls.

torchvision and torchaudio only work with the very build of torch they were made for. In place of that match stand two
packages in which every name can be imported, named as a base class and looked into, and nothing can be called.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType


class AbsentName(type):
    """The type of every name in an absent package."""

    def __getattr__(cls, name: str) -> AbsentName:
        """Any public attribute is absent too."""
        return _absent(f"{cls.__qualname__}.{name}", name)

    def __call__(cls, *_: object, **__: object) -> object:
        """Says what is missing, instead of computing something wrong."""
        message = f"{cls.__qualname__} is not installed here: only its name is."
        raise NotImplementedError(message)


def _absent(path: str, name: str) -> AbsentName:
    if name.startswith("__"):
        raise AttributeError(name)
    return AbsentName(name, (), {"__qualname__": path})


class AbsentPackage(ModuleType):
    """A module in which every public name exists."""

    def __getattr__(self, name: str) -> AbsentName:
        """An absent name, unless something asks for a module attribute such as `__wrapped__`."""
        return _absent(f"{self.__name__}.{name}", name)


class AbsentModules:
    """Finds `package.anything.below` for the packages that are absent."""

    def __init__(self, *packages: str) -> None:
        self._prefixes = tuple(f"{package}." for package in packages)

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """A spec for every submodule of an absent package, None for all others."""
        return ModuleSpec(name, self, is_package=True) if name.startswith(self._prefixes) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """An empty module that has every name."""
        return AbsentPackage(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


def declare_absent(package: str) -> None:
    """Called by a stand-in package about itself while it is imported."""
    sys.meta_path.append(AbsentModules(package))
    sys.modules[package].__class__ = AbsentPackage
