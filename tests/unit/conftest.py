"""No unit test speaks to anybody, and none sees what the person who runs it has set or saved."""

import os
import socket
import threading

import pytest
from support.fake_comfyui import ComfyUI


@pytest.fixture(autouse=True)
def sockets(monkeypatch):
    """Refuses every connection and every look-up, and fails the test in which one was tried, whoever caught the refusal."""
    tried = []
    # A thread in the background of an earlier test may still try to reach that test's server.
    of_others = set(threading.enumerate()) - {threading.current_thread()}

    def refuse(*arguments, **_options):
        if threading.current_thread() not in of_others:
            tried.append(arguments[-1])
        raise AssertionError(f"a unit test tried to connect: {arguments[-1]!r}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)
    yield tried
    assert not tried


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch, empty_home):
    """An empty home, and no setting of RunComfy's in the environment."""
    for name in [name for name in os.environ if name.startswith(("RUNCOMFY", "XDG_"))]:
        monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(empty_home))


@pytest.fixture
def comfyui(monkeypatch, tmp_path):
    """A stand-in for the ComfyUI around the pack."""
    return ComfyUI(tmp_path / "comfyui").installed(monkeypatch)
