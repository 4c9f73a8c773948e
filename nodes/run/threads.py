"""Blocking work in threads of the pack's own, awaited by a node's coroutine that watches for Stop.

Nothing here is bound to an event loop: ComfyUI makes a new one for every prompt. The threads are daemons, so that a long wait
for RunComfy never keeps ComfyUI from ending; only a request that is just being sent is waited for.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from .. import host
from ..errors import RunComfyError, Stopped
from ..runcomfy import Run, StopSignal
from ..runcomfy.progress import Preparing, Progress, Submitting
from .display import (
    Stage,
    clip_document,
    describe,
    failed_clip_document,
    local_fraction,
    logged,
    numbered,
    own_words,
    summary,
)

FIRST_LOOK_S = 0.01
LOOK_INTERVAL_S = 0.2
STOP_GRACE_S = 2.0
SIBLING_GRACE_S = 0.8
EXIT_GRACE_S = 10.0
STOP_NOTICED_S = 0.3

Result = TypeVar("Result")
Task = Callable[[Run], Result]
logger = logging.getLogger("runcomfy.sora2pro.worker")
_running: set[Work[Any]] = set()


class Work(Generic[Result]):
    """One piece of work in a thread of its own."""

    def __init__(self, task: Task[Result]) -> None:
        self._task = task
        self._stop = StopSignal()
        self._finished = threading.Event()
        self._latest: tuple[Progress, float] = (Preparing(), time.monotonic())
        self._logged = ""
        self.result: Result | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="sora2pro", daemon=True)
        _running.add(self)
        self._thread.start()

    @property
    def is_finished(self) -> bool:
        """Whether the thread has come to its end, well or not."""
        return self._finished.is_set()

    def stop(self, *, cancels_remotely: bool) -> None:
        """Ask the thread to end."""
        self._stop.set(cancels_remotely=cancels_remotely)

    def wait(self, timeout_s: float) -> None:
        """Block until the thread has ended, but no longer than this."""
        self._finished.wait(timeout_s)

    @property
    def state(self) -> Progress:
        """What was last reported."""
        return self._latest[0]

    def line(self) -> str:
        """What the user is to read now."""
        progress, at = self._latest
        return describe(progress, time.monotonic() - at)

    def own_words(self) -> str:
        """The same without a word of RunComfy's."""
        if isinstance(self.error, RunComfyError):
            return "This clip did not arrive; the card says why."
        progress, at = self._latest
        return own_words(progress, time.monotonic() - at)

    def document(self) -> dict[str, Any]:
        """The clip as the card shows it."""
        if isinstance(self.error, RunComfyError):
            return failed_clip_document(self.error)
        return clip_document(self.state, self.line(), fraction=local_fraction(self.state))

    def _work(self) -> None:
        try:
            self.result = self._task(Run(self._stop, self._report))
        except BaseException as error:  # noqa: BLE001 - handed to the node's coroutine, which raises it
            # What the functions that were left held, the frames of a clip among it, would stay for as long as the error.
            traceback.clear_frames(error.__traceback__)
            self.error = error
        finally:
            self._finished.set()
            _running.discard(self)

    def _report(self, progress: Progress) -> None:
        self._latest = (progress, time.monotonic())
        kind = type(progress).__name__
        if kind != self._logged:
            self._logged = kind
            logger.info("Sora 2 Pro: %s", logged(progress))


async def attend(tasks: Sequence[Task[Result]]) -> list[Work[Result]]:
    """Run tasks side by side until all have ended, showing on the node how far they are.

    Returns:
        The runs, in order; each has a `result` or an `error`.

    Raises:
        BaseException: ComfyUI's interruption, if the user pressed Stop or a sibling node failed. `asyncio.CancelledError` never
            leaves this function: it would end ComfyUI's worker thread.
    """
    stage = Stage()
    runs = [Work(task) for task in tasks]
    look_s = FIRST_LOOK_S
    try:
        while not all(run.is_finished for run in runs):
            await asyncio.sleep(look_s)
            look_s = min(look_s * 2, LOOK_INTERVAL_S)
            _show(stage, runs)
            if host.is_interrupted():
                raise await _stopped(runs, cancels_remotely=True, grace_s=STOP_GRACE_S)
    except asyncio.CancelledError:
        is_user = host.is_interrupted()
        raise await _stopped(runs, cancels_remotely=is_user, grace_s=SIBLING_GRACE_S) from None
    finally:
        # Whatever ends this wait, nobody waits for the threads any more; what they bought is in the journal.
        for run in runs:
            run.stop(cancels_remotely=False)
    _show(stage, runs)
    return runs


async def _stopped(runs: Sequence[Work[Any]], *, cancels_remotely: bool, grace_s: float) -> BaseException:
    """End the runs and say what became of them; a request that is just being sent is finished in the background."""
    for run in runs:
        run.stop(cancels_remotely=cancels_remotely)
    give_up_at = time.monotonic() + grace_s
    with contextlib.suppress(asyncio.CancelledError):
        while time.monotonic() < give_up_at and not all(run.is_finished for run in runs):  # noqa: ASYNC110 - threads set no asyncio.Event
            await asyncio.sleep(FIRST_LOOK_S)
    said = _said_once(runs)
    if not all(run.is_finished for run in runs):
        said.append(
            "Stopped. What was under way is finished in the background and may be charged. The RunComfy clips tab shows what "
            "became of it; running the node again with the same inputs buys nothing twice."
        )
    message = "\n".join(said) or "Stopped."
    logger.info("%s", message)
    return host.interruption(message)


def _said_once(runs: Sequence[Work[Any]]) -> list[str]:
    """What became of the requests: each sentence once, with the clips of a batch it is about, and their ids."""
    stops = {number: run.error for number, run in enumerate(runs, start=1) if isinstance(run.error, Stopped)}
    sentences = []
    for said in dict.fromkeys(stopped.said for stopped in stops.values() if stopped.said):
        clips = {number: stopped.ids for number, stopped in stops.items() if stopped.said == said}
        ids = "; ".join(filter(None, dict.fromkeys(clips.values())))
        which = numbered("Clip {numbers}: ", "Clips {numbers}: ", list(clips)) if ids and len(runs) > 1 else ""
        sentences.append(which + (f"{said} ({ids})" if ids else said))
    return sentences


def _show(stage: Stage, runs: Sequence[Work[Any]]) -> None:
    clips = [run.document() for run in runs]
    fraction = sum(clip["fraction"] for clip in clips) / len(clips)
    stage.show(summary([run.own_words() for run in runs]), fraction, clips)


class DaemonThreads:
    """A few threads for work that blocks. Unlike those of a ThreadPoolExecutor they never keep the process from ending.

    Args:
        count: How many.
        name: What their names begin with.
    """

    def __init__(self, count: int, name: str) -> None:
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._serve, name=f"{name}-{number}", daemon=True).start()

    def run(self, work: Callable[[], Result]) -> Future[Result]:
        """Do something as soon as a thread is free."""
        future: Future[Result] = Future()
        self._work.put((future, work))
        return future

    def _serve(self) -> None:
        while True:
            future, work = self._work.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits for the result
                future.set_exception(error)


def _finish_submissions() -> None:
    """At the end of the process: a request that is just being sent is worth a moment, so that its id is recorded.

    Nothing else is: whatever a run waits for, the next one finds it in the journal.
    """
    runs = list(_running)
    for run in runs:
        run.stop(cancels_remotely=False)
    asked_at = time.monotonic()
    for run in runs:
        while not run.is_finished:
            grace_s = EXIT_GRACE_S if isinstance(run.state, Submitting) else STOP_NOTICED_S
            if time.monotonic() >= asked_at + grace_s:
                break
            run.wait(FIRST_LOOK_S)


atexit.register(_finish_submissions)
if hasattr(os, "register_at_fork"):
    # A forked child has none of the threads, so it has nothing to wait for when it ends.
    os.register_at_fork(after_in_child=_running.clear)
