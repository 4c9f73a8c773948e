"""The settings of this ComfyUI, as they are now."""

from __future__ import annotations

import logging
import os

from .. import host
from ..errors import ConfigurationError
from ..runcomfy.models import SORA_2_PRO, ModelSpec
from ..runcomfy.settings import Settings, load_settings

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
