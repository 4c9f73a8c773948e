"""A real ComfyUI in a subprocess: started in a folder of its own, spoken to over HTTP and websocket, always stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import requests
from comfyui.events import Events
from comfyui.install import ROOT, Installation
from comfyui.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 20.0
PROMPT_TIMEOUT_S = 180.0
POLL_S = 0.05
OUR_OWN = ("RUNCOMFY_", "XDG_", "PYTHONPATH")  # what of this process must not reach ComfyUI
FOLDERS = ("custom_nodes", "input", "output", "temp", "user", "models", "home")


class ComfyUIError(Exception):
    """ComfyUI did not start, died, did not answer or refused a graph; says which, with the end of its log."""


class ComfyUI:
    """One ComfyUI with the pack linked in. `with ComfyUI(...) as comfyui:` starts it and stops it."""

    def __init__(
        self,
        installation: Installation,
        *,
        base: Path,
        packs: Mapping[str, Path] | None = None,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = ("--disable-api-nodes",),
        port: int | None = None,
    ) -> None:
        """Prepares the folder; nothing runs yet.

        Args:
            installation: what to start.
            base: ComfyUI's own folder: custom_nodes, input, output, temp, user, models. Kept between starts.
            packs: folder name in custom_nodes -> the pack it links to; our own as "sora2pro" unless given.
            environment: variables on top of this process's, from which every RUNCOMFY_* is taken away first.
            arguments: for ComfyUI's command line; without its paid nodes, its front end speaks to loopback only.
            port: a free one unless given.
        """
        self.base = base.resolve()
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._installation = installation
        self._environment = dict(environment or {})
        self._arguments = list(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_path = self.base / "comfyui.log"
        for folder in FOLDERS:
            (self.base / folder).mkdir(parents=True, exist_ok=True)
        for name, pack in (packs or {"sora2pro": ROOT}).items():
            link = self.base / "custom_nodes" / name
            link.unlink(missing_ok=True)
            link.symlink_to(pack.resolve(), target_is_directory=True)

    def __enter__(self) -> Self:
        """Starts it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops it."""
        self.stop()

    # --- the process

    def start(self) -> None:
        """Returns when it answers. The log goes on where an earlier start ended."""
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), env=self._variables(), cwd=self.base, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            self._fail_if_dead()
            try:
                requests.get(f"{self.url}/system_stats", timeout=5).raise_for_status()
            except requests.RequestException:
                time.sleep(POLL_S)
            else:
                return
        self.stop()
        raise self._error(f"ComfyUI did not answer within {START_TIMEOUT_S:.0f} s.")

    def stop(self) -> None:
        """Asks it to end, and ends it if it does not. A second call does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)

    def kill(self) -> None:
        """Ends it as a power cut would: nothing of it gets to run any more."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(STOP_TIMEOUT_S)

    def restart(self) -> None:
        """A new process over the same folders, on the same port."""
        self.stop()
        self.start()

    @property
    def log(self) -> str:
        """Everything it has printed since the first start."""
        return self._log_path.read_text("utf-8", errors="replace") if self._log_path.exists() else ""

    # --- prompts

    def object_info(self, node: str | None = None) -> dict[str, Any]:
        """What ComfyUI tells the front end about all nodes, or about one."""
        if node is None:
            return self._get("/object_info")
        return self._get(f"/object_info/{node}")[node]

    def queue(self, graph: Mapping[str, Any], *, client_id: str | None = None) -> str:
        """Queues a graph in API format.

        Args:
            graph: node id -> class_type and inputs.
            client_id: whose websocket hears of it; without one it runs as a script's prompt does.

        Returns:
            The prompt id.

        Raises:
            ComfyUIError: the graph was refused, with ComfyUI's reasons.
        """
        body: dict[str, Any] = {"prompt": graph}
        if client_id is not None:
            body["client_id"] = client_id
        answer = requests.post(f"{self.url}/prompt", json=body, timeout=30)
        if not answer.ok:
            raise ComfyUIError(f"ComfyUI refused the graph: {answer.text}")
        return str(answer.json()["prompt_id"])

    def history(self, prompt_id: str) -> dict[str, Any]:
        """ComfyUI's whole record of one prompt; empty while it has not ended."""
        return self._get(f"/history/{prompt_id}").get(prompt_id, {})

    def wait(self, prompt_id: str, *, timeout_s: float = PROMPT_TIMEOUT_S) -> Outcome:
        """Waits for the end of a prompt, good or bad."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if record := self.history(prompt_id):
                return Outcome.of(record, self.base)
            self._fail_if_dead()
            time.sleep(POLL_S)
        raise self._error(f"The prompt did not end within {timeout_s:.0f} s.")

    def run(self, graph: Mapping[str, Any], *, timeout_s: float = PROMPT_TIMEOUT_S) -> Outcome:
        """Queues a graph and waits for its end."""
        return self.wait(self.queue(graph), timeout_s=timeout_s)

    def interrupt(self) -> None:
        """Presses Stop."""
        requests.post(f"{self.url}/interrupt", json={}, timeout=30).raise_for_status()

    @contextmanager
    def events(self, client_id: str | None = None) -> Iterator[Events]:
        """Listens as a browser does. Queue with `client_id=events.client_id` to hear of the prompt."""
        with Events.connected(self.url, client_id or uuid.uuid4().hex) as events:
            yield events

    # --- within

    def _command(self) -> list[str]:
        return [
            *(str(self._installation.python), str(self._installation.source / "main.py")),
            *("--cpu", "--listen", "127.0.0.1", "--port", str(self.port), "--disable-auto-launch"),
            *("--base-directory", str(self.base), "--database-url", f"sqlite:///{self.base / 'user' / 'comfyui.db'}"),
            *self._arguments,
        ]

    def _variables(self) -> dict[str, str]:
        """No token, no settings and no home of whoever runs the tests; no model hub."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OUR_OWN)}
        home = str(self.base / "home")
        return inherited | {"HOME": home, "USERPROFILE": home, "HF_HUB_OFFLINE": "1"} | self._environment

    def _get(self, path: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()

    def _fail_if_dead(self) -> None:
        if self._process is None or self._process.poll() is not None:
            raise self._error("ComfyUI has ended.")

    def _error(self, what: str) -> ComfyUIError:
        return ComfyUIError(f"{what} The end of its log:\n{self.log[-3000:]}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
