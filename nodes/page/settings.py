"""What the settings dialog may ask for, without HTTP. A token comes in here and never goes out again, nor does a password.

Everything here blocks and belongs in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import UNCHANGED, ConfigurationError, InvalidInputError
from ..runcomfy import (
    SETTINGS,
    TOKEN_FILE_VARIABLE,
    TOKEN_VARIABLES,
    Settings,
    find_token,
    forget_token,
    parse_settings,
    read_settings_file,
    save_token,
    saved_token_files,
    saved_token_path,
    write_settings_file,
)
from .documents import Document, place_documents, setting_documents, setting_source, token_document

CHANGEABLE = {setting.name: setting for setting in SETTINGS if setting.is_in_dialog}


class Preferences:
    """Settings and token of this ComfyUI.

    Args:
        environ: The environment.
        state_dir: The folder of the settings file and the saved token.
        settings: The settings as they are now.
        balance_usd: Asks RunComfy for the account's balance.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        state_dir: Callable[[], Path],
        settings: Callable[[], Settings],
        balance_usd: Callable[[], float],
    ) -> None:
        self._environ = environ
        self._state_dir = state_dir
        self._settings = settings
        self._balance_usd = balance_usd
        self._lock = threading.Lock()

    def all(self) -> Document:
        """The settings, where the journal and the archive are, and what may be known of the token."""
        known = self._settings(), read_settings_file(self._state_dir()), self._environ
        return {"settings": setting_documents(*known), "places": place_documents(*known), "token": self._token()}

    def change(self, changes: Mapping[str, Any]) -> Document:
        """Write settings; null or an empty text takes one back to its default.

        Raises:
            InvalidInputError: A name or a value cannot be used.
            ConfigurationError: The environment decides, or the file cannot be written.
        """
        for name in changes:
            if name not in CHANGEABLE:
                raise InvalidInputError(f"'{name}' is not a setting.", money=UNCHANGED)
            setting = CHANGEABLE[name]
            if setting_source(setting, {}, self._environ) == "environment":
                raise ConfigurationError(
                    f"{setting.label} is set by the environment variable {setting.variable}.",
                    money=UNCHANGED,
                    remedy="Change it there and restart ComfyUI.",
                )
        with self._lock:
            self._write({**read_settings_file(self._state_dir()), **changes})
        return self.all()

    def save_token(self, text: str) -> Document:
        """Keep a token the user typed.

        Raises:
            MissingTokenError: It cannot be one.
            ConfigurationError: The environment decides, or the file cannot be written.
        """
        self._refuse_if_from_environment()
        try:
            with self._lock:
                save_token(self._state_dir(), text)
        except OSError as error:
            raise self._unwritable(error) from error
        return self._token()

    def forget_token(self) -> Document:
        """Delete the saved token.

        Raises:
            ConfigurationError: The file cannot be deleted.
        """
        try:
            with self._lock:
                forget_token(self._state_dir())
        except OSError as error:
            raise self._unwritable(error) from error
        return self._token()

    def check_token(self) -> Document:
        """Ask RunComfy for the balance: proof that the token works, free of charge.

        Raises:
            RunComfyError: It does not, or RunComfy cannot be asked.
        """
        return {"balance_usd": self._balance_usd()}

    def _token(self) -> Document:
        state_dir = self._state_dir()
        try:
            token, problem = find_token(self._environ, state_dir), ""
        except ConfigurationError as error:
            token, problem = None, error.what
        return token_document(
            token,
            problem,
            saved_path=str(saved_token_path(state_dir)),
            has_saved=bool(saved_token_files(state_dir)),
        )

    def _refuse_if_from_environment(self) -> None:
        for variable in (*TOKEN_VARIABLES, TOKEN_FILE_VARIABLE):
            if self._environ.get(variable, "").strip():
                raise ConfigurationError(
                    f"The token is set by the environment variable {variable}.",
                    money=UNCHANGED,
                    remedy="Change it there and restart ComfyUI.",
                )

    def _write(self, values: dict[str, Any]) -> None:
        kept = {name: value for name, value in values.items() if value not in (None, "")}
        parse_settings(self._settings(), kept, {name: setting.label for name, setting in CHANGEABLE.items()})
        try:
            write_settings_file(self._state_dir(), kept)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(
            f"The folder {self._state_dir()} cannot be written ({error.strerror or error}).",
            money=UNCHANGED,
            remedy="Make room or change the folder's permissions, or point RUNCOMFY_STATE_DIR to another folder.",
        )
