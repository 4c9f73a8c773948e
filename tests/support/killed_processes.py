"""Processes that end by SIGKILL. One process imports the engine once and forks a child for each: so a child costs milliseconds.

`python -m support.killed_processes` is that process: it reads one plan in JSON from each line and answers with the child's
process number.
"""

import contextlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

AT_MOST_S = 60.0
TESTS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Child:
    """A child that runs one generation in a folder.

    Attributes:
        word: A file with the child's last word; it is missing if the child was killed.
        pid_file: What the kernel knows the very process by, or None if it was gone at once.
    """

    word: Path
    pid_file: int | None

    def ends_within(self, seconds):
        """Whether it has ended, after waiting for that no longer than this."""
        if self.pid_file is None:
            return True
        waiting = select.poll()
        waiting.register(self.pid_file, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))

    def kill(self):
        """SIGKILL, now."""
        if self.pid_file is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pid_file, signal.SIGKILL)

    def end(self):
        """What it came to: its last word, or None if it was killed before it had one."""
        if not self.ends_within(AT_MOST_S):
            self.kill()
            raise TimeoutError(f"The child of {self.word} does not end.")
        if self.pid_file is not None:
            os.close(self.pid_file)
        return json.loads(self.word.read_text(encoding="utf-8")) if self.word.exists() else None


class RandomKiller:
    """Kills children at random moments of their run, whatever that takes on the machine of the day.

    seed: with it the same moments come again.
    """

    def __init__(self, seed):
        self.kills = 0
        self._random = random.Random(seed)  # noqa: S311 - moments, not secrets
        self._whole_s = AT_MOST_S

    def visit(self, begin):
        """Lets `begin` start a child, and ends it somewhere between its first and its last moment."""
        begun_s = time.monotonic()
        child = begin()
        if not child.ends_within(self._random.uniform(0, self._whole_s)):
            child.kill()
        if child.end() is None:
            self.kills += 1
        else:
            self._whole_s = time.monotonic() - begun_s


class Forker:
    """Forks children of a process that has imported the engine; a context manager.

    preload: modules to import before the first child.
    """

    def __init__(self, *preload):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.killed_processes", *preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=TESTS,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self._process.stdin.close()
        self._process.wait(AT_MOST_S)
        self._process.stdout.close()

    def begin(self, emulator, root, **plan):
        """Begins a child; see `_run` for the plan."""
        root.mkdir(parents=True, exist_ok=True)
        plan = {"url": emulator.url, "token": emulator.token, "root": str(root), **plan}
        self._process.stdin.write(json.dumps(plan) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        try:
            return Child(_word(root, pid), os.pidfd_open(pid))
        except ProcessLookupError:
            return Child(_word(root, pid), None)


def _run(url, token, root, *, commit=0, moment="", rig="Rig", journal_url="", environment=None, node="run_node"):
    """One generation; SIGKILL at the `commit`th commit (`before`, `within` or `after` it), or from outside.

    rig: the class of `support.engine_fixture` that generates.
    With a `journal_url`, it is SIGKILL where the id of its request is kept in the outbox (`before`, `within` or `after` that),
    or before anybody reads of it (`untold`).
    With the variables of an `environment` it is a node that generates, else the engine alone.
    node: the function of `support.node_runs` that runs it.
    """
    root = Path(root)
    try:
        if environment:
            word = _node_run(environment, node)
        elif journal_url:
            word = _outbox_run(url, token, root, moment, journal_url)
        else:
            word = _engine_run(url, token, root, commit, moment, rig)
        text = json.dumps(word)
    except Exception as error:  # noqa: BLE001 - it travels to the test, which knows what it may be
        text = json.dumps({"error": str(error) or repr(error)})
    word = _word(root, os.getpid())
    word.with_suffix(".part").write_text(text, encoding="utf-8")
    word.with_suffix(".part").replace(word)


def _word(root, pid):
    return root / f"last-word-{pid}.json"


def _engine_run(url, token, root, commit, moment, rig):
    from sora2pro.nodes.runcomfy.store.database import Database  # noqa: PLC0415 - as above

    from support import engine_fixture  # noqa: PLC0415 - as above
    from support.assertions import attempt  # noqa: PLC0415 - imported once, before the first fork

    class DoomedDatabase(Database):
        """Dies at one of its commits."""

        commits = 0

        @contextlib.contextmanager
        def writing(self):
            self.commits += 1
            self._die("before")
            with super().writing() as connection:
                yield connection
                self._die("within")
            self._die("after")

        def _die(self, now):
            if (self.commits, now) == (commit, moment):
                os.kill(os.getpid(), signal.SIGKILL)

    database = DoomedDatabase(root / "state" / "journal.sqlite3")
    outcome = attempt(getattr(engine_fixture, rig)(url, token, root, database=database))
    return {"commits": database.commits, "error": str(outcome) if isinstance(outcome, Exception) else None}


def _outbox_run(url, token, root, moment, journal_url):
    from sora2pro.nodes.runcomfy import files  # noqa: PLC0415 - as above
    from sora2pro.nodes.runcomfy.progress import Submitting  # noqa: PLC0415 - as above
    from sora2pro.nodes.runcomfy.store import outbox, postgres  # noqa: PLC0415 - as above

    from support.assertions import attempt  # noqa: PLC0415 - as above
    from support.engine_fixture import Rig  # noqa: PLC0415 - as above

    def die(now):
        if now == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    class DoomedOutbox(outbox.Outbox):
        """Dies where it keeps an id."""

        def keep(self, job, request_id):
            die("before")
            if moment == "within":
                files.give_name = lambda _part, _path: die("within")
            super().keep(job, request_id)
            die("after")

    def let_the_connection_be_cut(progress):
        if isinstance(progress, Submitting):
            (root / "sends").touch()
            while not (root / "is-cut").exists():
                time.sleep(0.01)

    outbox.Outbox = DoomedOutbox
    postgres.PATIENCE_S = 0.0
    outcome = attempt(Rig(url, token, root, journal_url=journal_url), report=let_the_connection_be_cut)
    die("untold")
    return {"error": str(outcome) if isinstance(outcome, Exception) else None}


def _node_run(environment, node):
    from support import node_runs  # noqa: PLC0415 - as above; only some need it

    os.environ.update(environment)
    (clip,) = getattr(node_runs, node)()
    return {"frames": len(clip.frames), "error": None}


def main():
    """Forks a child for every line of standard input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for module in ("support.engine_fixture", "support.assertions", *sys.argv[1:]):
        __import__(module)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                _run(**json.loads(line))
            finally:
                os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
