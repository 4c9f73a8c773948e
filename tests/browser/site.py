"""A ComfyUI with one front end, and the RunComfy behind it."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from pathlib import Path

    from comfyui.server import ComfyUI
    from emulator import Emulator

IDLE_TIMEOUT_S = 60.0
POLL_S = 0.05


@dataclass(frozen=True)
class Site:
    """Both, and where the pack keeps its state. Requests move by hand.

    Attributes:
        token_from_environment: Otherwise the token is saved, as the settings dialog does it.
    """

    name: str
    comfyui: ComfyUI
    emulator: Emulator
    token_from_environment: bool

    @property
    def url(self) -> str:
        """Where ComfyUI is."""
        return self.comfyui.url

    @property
    def state_dir(self) -> Path:
        """Journal, settings file and saved token."""
        return self.comfyui.base / "user" / "__sora2pro"

    def write_settings(self) -> None:
        """A token and no daily limit; from the environment, ComfyUI was started with them."""
        if not self.token_from_environment:
            self.state_dir.mkdir(parents=True, exist_ok=True)
            (self.state_dir / "token").write_text(self.emulator.token)
            (self.state_dir / "settings.json").write_text('{"max_usd_per_day": "none"}')

    def empty_journal(self) -> None:
        """Takes all jobs out of the journal: the panel shows those of the test alone."""
        journal = self.state_dir / "journal.sqlite3"
        if journal.exists():
            with sqlite3.connect(journal, timeout=30) as connection:
                connection.execute("DELETE FROM jobs")

    def clear_queue(self) -> None:
        """Stops what is running and takes away what is waiting."""
        requests.post(f"{self.url}/queue", json={"clear": True}, timeout=30).raise_for_status()
        requests.post(f"{self.url}/interrupt", timeout=30).raise_for_status()
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Waits until no prompt is running or waiting."""
        give_up_at = time.monotonic() + IDLE_TIMEOUT_S
        while time.monotonic() < give_up_at:
            queue = requests.get(f"{self.url}/queue", timeout=30).json()
            if not any(queue.values()):
                return
            time.sleep(POLL_S)
        raise TimeoutError(f"ComfyUI is busy. The end of its log:\n{self.comfyui.log[-2000:]}")
