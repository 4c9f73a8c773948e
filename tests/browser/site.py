"""A ComfyUI with one front end, and the RunComfy behind it."""

from __future__ import annotations

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
    """Both, and where the pack keeps its state. Requests move by hand."""

    name: str
    comfyui: ComfyUI
    emulator: Emulator

    @property
    def url(self) -> str:
        """Where ComfyUI is."""
        return self.comfyui.url

    @property
    def state_dir(self) -> Path:
        """Journal, settings file and saved token."""
        return self.comfyui.base / "user" / "__sora2pro"

    def wait_until_idle(self) -> None:
        """Waits until no prompt is running or waiting."""
        give_up_at = time.monotonic() + IDLE_TIMEOUT_S
        while time.monotonic() < give_up_at:
            queue = requests.get(f"{self.url}/queue", timeout=30).json()
            if not any(queue.values()):
                return
            time.sleep(POLL_S)
        raise TimeoutError(f"ComfyUI is busy. The end of its log:\n{self.comfyui.log[-2000:]}")
