"""The settings of this ComfyUI as they are now, and the engine for them."""

from __future__ import annotations

import functools
import logging
import os
import time

from .. import host
from ..errors import ConfigurationError, MissingTokenError
from ..packages import packages_named
from ..runcomfy import (
    SORA_2_PRO,
    Engine,
    ModelSpec,
    Settings,
    find_token,
    load_settings,
    remove_unfinished_saves,
)

logger = logging.getLogger("runcomfy.sora2pro.settings")


def current_settings() -> Settings:
    """The settings as they are now.

    Raises:
        ConfigurationError: A value cannot be used.
    """
    return load_settings(
        os.environ, default_state_dir=host.default_state_dir, default_output_dir=host.default_output_dir
    )


def current_model() -> ModelSpec:
    """What the node offers. A setting that cannot be used is reported when the node runs, not while ComfyUI starts."""
    try:
        return current_settings().model
    except ConfigurationError as error:
        logger.warning("%s", error)
        return SORA_2_PRO


def current_account() -> object | None:
    """What tells the account in use from others, to be compared only: it is a secret. None where there is no token.

    Raises:
        ConfigurationError: A setting or the token cannot be used.
    """
    settings = current_settings()
    try:
        return settings, find_token(os.environ, settings.state_dir).value
    except MissingTokenError:
        return None


def current_engine() -> Engine:
    """The engine for the settings as they are now; a change of settings needs no restart.

    Raises:
        ConfigurationError: A setting cannot be used.
        MissingDependencyError: A package is missing.
    """
    return _engine(current_settings())


@functools.lru_cache(maxsize=8)
def _engine(settings: Settings) -> Engine:
    with packages_named():
        from ..media.timeline import probe  # noqa: PLC0415 - PyAV is loaded when it is needed, and may be missing

        remove_unfinished_saves(settings.state_dir, now_s=time.time())
        return Engine(
            settings, token=lambda: find_token(os.environ, settings.state_dir), verify=probe, now=current_settings
        )
