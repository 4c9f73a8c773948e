"""A PostgreSQL of the tests' own: Debian's programs, an ordinary user, a temporary folder, loopback."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psycopg
from sora2pro.nodes.runcomfy.store.postgres import PostgresDatabase
from sora2pro.nodes.runcomfy.store.spending import day_of
from sora2pro.nodes.runcomfy.store.transactions import Moment

USER, PASSWORD, PASSWORD_IN_ADDRESS = "studio", "p@ss/word of a studio", "p%40ss%2Fword%20of%20a%20studio"
NOBODY = 65534
START_S = 60.0


def find_programs():
    """The folder with `postgres` and `initdb`.

    Raises:
        FileNotFoundError: There is none.
    """
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    for folder in reversed(folders):
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise FileNotFoundError("PostgreSQL's server programs are not installed")


class ClockedPostgres(PostgresDatabase):
    """One whose clock a test can set."""

    def moment(self, _connection, clock):
        now = clock()
        return Moment(now, day_of(now))


class PostgresServer:
    """A server that can be killed and started again; a context manager.

    options: of `postgres`, as in `-c name=value`.
    """

    def __init__(self, programs, **options):
        self._programs = programs
        self._options = {"fsync": "off", "max_connections": "100", **options}
        self._databases = 0
        self._process = None

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._as_user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        if self._as_user:
            os.chown(self.folder, NOBODY, NOBODY)
        self.port = free_port()
        password = self.folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        password.chmod(0o644)
        subprocess.run(
            [
                *(self._programs / "initdb", "-D", self.folder / "data", "-U", USER, "--encoding=UTF8", "--locale=C"),
                *("-A", "scram-sha-256", f"--pwfile={password}", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            cwd=self.folder,
            env={**os.environ, "LC_ALL": "C"},
            **self._as_user,
        )
        self.start()
        return self

    def __exit__(self, *_exception):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database="postgres", *, port=None, user=USER, password=PASSWORD_IN_ADDRESS, query=""):
        return f"postgresql+psycopg://{user}:{password}@127.0.0.1:{port or self.port}/{database}{query}"

    def start(self):
        """Start it, and wait until it answers."""
        settings = [part for name, value in self._options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._programs / "postgres", "-D", self.folder / "data", "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", *settings),
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, "LC_ALL": "C"},
                **self._as_user,
            )
        until = time.monotonic() + START_S
        while True:
            try:
                self.ask("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return

    def kill(self):
        """End it at once and with it every session; what was committed stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(START_S)
            self._process = None

    def ask(self, query, *, database="postgres"):
        """The rows of a query, as the owner of all."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database, autocommit=True
        ) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def new_database(self):
        """The address of a new and empty database."""
        self._databases += 1
        name = f"journal{self._databases}"
        self.ask(f"CREATE DATABASE {name}")
        return self.url(name)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Proxy:
    """Stands between a client and a server on loopback, and can cut every connection; a context manager."""

    def __init__(self, port):
        self._target = ("127.0.0.1", port)
        self._sockets = set()
        self._is_closed = threading.Event()
        self.is_open = True

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception):
        self._is_closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self):
        """End every connection, as a router that was restarted does."""
        for one in list(self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while not self._is_closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self.is_open:
                client.close()
                continue
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            for source, target in ((client, server), (server, client)):
                self._sockets.add(source)
                threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source, target):
        with contextlib.suppress(OSError):
            while content := source.recv(65536):
                target.sendall(content)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._sockets.discard(source)
        source.close()
