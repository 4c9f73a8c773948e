import asyncio
import os
import subprocess
import sys
import threading
import time

import pytest
from pack import ROOT
from sora2pro.nodes.errors import InvalidInputError, Stopped
from sora2pro.nodes.run import threads
from sora2pro.nodes.run.threads import attend
from sora2pro.nodes.runcomfy.progress import (
    Decoding,
    Downloading,
    Finished,
    Following,
    Queued,
    Rendering,
    Retrying,
    Submitting,
)
from support.fake_comfyui import InterruptProcessingException

LONG_S = 60.0
SETTING = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from pack import load_pack
load_pack()
from sora2pro.nodes.run import threads as worker
from sora2pro.nodes.runcomfy.progress import Submitting
"""


def run(tasks):
    return asyncio.run(attend(tasks))


def giving(value):
    return lambda _run: value


def raising(error):
    def task(_run):
        raise error

    return task


class Waiting:
    """Work that goes on until it is stopped, and says what became of it as the engine does."""

    def __init__(self, said="It was still queued and is cancelled at RunComfy."):
        self.said = said
        self.has_begun = threading.Event()
        self.has_ended = threading.Event()
        self.cancels_remotely = None

    def __call__(self, run):
        run.report(Queued("request-1", 3))
        self.has_begun.set()
        try:
            run.stop.sleep(LONG_S)
        except Stopped:
            self.cancels_remotely = run.stop.cancels_remotely
            raise Stopped(f"Stopped. {self.said}") from None
        finally:
            self.has_ended.set()


async def until(is_so):
    """Wait for what a thread does, in small steps and not for ever."""
    for _ in range(3000):
        if is_so():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never happened")


async def outcome_of(coroutine):
    """How a coroutine ends, the way ComfyUI meets it: as a task whose exception is looked at."""
    task = asyncio.ensure_future(coroutine)
    await asyncio.wait([task])
    return task


def test_results_come_in_the_order_of_the_tasks_whoever_is_first():
    last_is_done = threading.Event()

    def first(_run):
        assert last_is_done.wait(LONG_S)
        return "first"

    def last(_run):
        last_is_done.set()
        return "last"

    runs = run([first, giving("middle"), last])
    assert [(entry.result, entry.error) for entry in runs] == [("first", None), ("middle", None), ("last", None)]


def test_the_error_of_a_thread_arrives_and_loses_no_sibling_of_the_batch():
    refusal = InvalidInputError("no")
    runs = run([giving("one"), raising(refusal), raising(ZeroDivisionError()), giving("two")])
    assert [entry.result for entry in runs] == ["one", None, None, "two"]
    assert runs[1].error is refusal
    assert isinstance(runs[2].error, ZeroDivisionError)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), MemoryError()], ids=repr)
def test_even_what_ends_programs_is_handed_over_and_not_lost_in_a_thread(error):
    assert run([raising(error)])[0].error is error


def test_nothing_is_bound_to_one_event_loop():
    """ComfyUI makes a new one for every prompt."""
    assert [run([giving(number)])[0].result for number in range(3)] == [0, 1, 2]


def test_tasks_run_side_by_side():
    met = threading.Barrier(4)
    runs = run([lambda _run: met.wait(LONG_S)] * 4)
    assert all(entry.error is None for entry in runs)


def test_the_event_loop_stays_free_while_threads_work():
    go_on = threading.Event()

    async def main():
        attending = asyncio.ensure_future(attend([lambda _run: go_on.wait(LONG_S)]))
        for _ in range(5):
            await asyncio.sleep(0)
        go_on.set()
        return await attending

    assert asyncio.run(main())[0].result is True


def test_stop_ends_every_run_and_says_once_what_became_of_the_requests(comfyui):
    waits = [Waiting("Cancelled."), Waiting("It goes on and is charged."), Waiting("Cancelled.")]

    async def main():
        attending = asyncio.ensure_future(attend(waits))
        for wait in waits:
            await until(wait.has_begun.is_set)
        comfyui.interrupt()
        return await outcome_of(attending)

    error = asyncio.run(main()).exception()
    assert type(error) is InterruptProcessingException
    assert str(error) == "Stopped. Cancelled.\nStopped. It goes on and is charged."
    assert [wait.cancels_remotely for wait in waits] == [True] * 3
    assert comfyui.is_interrupted, "sibling nodes must see the signal too"


def test_stop_on_a_batch_tells_each_sentence_once_with_its_clips_and_ids(comfyui):
    def stopping(said, ids):
        def task(run):
            run.report(Queued("request", 3))
            try:
                run.stop.sleep(LONG_S)
            except Stopped:
                raise Stopped(said, ids) from None

        return task

    cancelled, late = "Stopped. It is cancelled.", "Stopped. It goes on and is charged."
    tasks = [stopping(cancelled, "job: job-1"), stopping(late, "job: job-2"), stopping(cancelled, "job: job-3")]

    async def main(tasks):
        comfyui.interrupt()
        return await outcome_of(attend(tasks))

    assert str(asyncio.run(main(tasks)).exception()) == (
        "Clips 1 and 3: Stopped. It is cancelled. (job: job-1; job: job-3)\n"
        "Clip 2: Stopped. It goes on and is charged. (job: job-2)"
    )
    assert str(asyncio.run(main(tasks[:1])).exception()) == "Stopped. It is cancelled. (job: job-1)"


def test_a_failing_sibling_stops_our_run_but_not_the_request_at_runcomfy(comfyui):
    """ComfyUI cancels the task then; a CancelledError that escaped would end its worker thread."""
    assert not comfyui.is_interrupted
    wait = Waiting("It goes on.")

    async def main():
        attending = asyncio.ensure_future(attend([wait]))
        await until(wait.has_begun.is_set)
        attending.cancel()
        return await outcome_of(attending)

    task = asyncio.run(main())
    assert not task.cancelled()
    assert type(task.exception()) is InterruptProcessingException
    assert "It goes on." in str(task.exception())
    assert wait.cancels_remotely is False


def test_a_cancel_that_comes_with_stop_cancels_at_runcomfy_too(comfyui):
    wait = Waiting()

    async def main():
        attending = asyncio.ensure_future(attend([wait]))
        await until(wait.has_begun.is_set)
        comfyui.interrupt()
        attending.cancel()
        return await outcome_of(attending)

    assert not asyncio.run(main()).cancelled()
    assert wait.cancels_remotely is True


def test_no_number_of_cancels_lets_a_cancelled_error_escape(monkeypatch):
    monkeypatch.setattr(threads, "SIBLING_GRACE_S", LONG_S)
    let_go = threading.Event()

    def stubborn(run):
        assert let_go.wait(LONG_S)
        run.stop.check()

    async def main():
        attending = asyncio.ensure_future(attend([stubborn]))
        for _ in range(3):
            await asyncio.sleep(0.02)
            attending.cancel()
        let_go.set()
        return await outcome_of(attending)

    task = asyncio.run(main())
    assert not task.cancelled()
    assert isinstance(task.exception(), Stopped)


def test_what_cannot_end_at_once_is_brought_to_a_safe_end_in_the_background(comfyui, monkeypatch):
    monkeypatch.setattr(threads, "STOP_GRACE_S", 0.05)
    has_begun, answer, recorded = threading.Event(), threading.Event(), threading.Event()

    def submitting(_run):
        has_begun.set()
        assert answer.wait(LONG_S)
        recorded.set()

    async def main():
        attending = asyncio.ensure_future(attend([submitting]))
        await until(has_begun.is_set)
        comfyui.interrupt()
        return await outcome_of(attending)

    error = asyncio.run(main()).exception()
    assert "finished in the background and may be charged. The RunComfy clips tab shows what became of it" in str(error)
    assert not recorded.is_set()
    answer.set()
    assert recorded.wait(LONG_S)


def test_what_a_run_reports_is_shown_on_the_node_for_each_clip(comfyui):
    may_end = threading.Event()

    def task(progress):
        def work(run):
            run.report(progress)
            assert may_end.wait(LONG_S)
            run.report(Finished("request-1", "Done. No charge."))

        return work

    async def main():
        attending = asyncio.ensure_future(attend([task(Decoding(30, 120)), task(Queued("request-2", 3))]))
        await until(lambda: any("position 3" in text for text, _node, _sid in comfyui.texts))
        may_end.set()
        await attending

    asyncio.run(main())
    texts = [text for text, _node, _sid in comfyui.texts]
    assert "Clip 1: Decoding frame 30 of 120\nClip 2: Queued at RunComfy, position 3" in texts
    assert texts[-1] == "Clip 1: Done. No charge.\nClip 2: Done. No charge."
    assert comfyui.steps[-1] == (1000, 1000, "12")
    assert {(node, sid) for _text, node, sid in comfyui.texts} == {("12", "client-1")}
    assert comfyui.events[-1][1]["phase"] == "done"


def test_runcomfys_words_are_shown_on_the_card_and_nowhere_else_on_the_page(comfyui):
    foreign, may_end = "<img src=x onerror=alert(1)>", threading.Event()

    def task(run):
        run.report(Retrying(f"RunComfy says: {foreign}.", 9.0))
        assert may_end.wait(LONG_S)
        run.report(Finished("request-1", "job-1 is failed.", f"job-1 is failed: {foreign}"))

    async def main():
        attending = asyncio.ensure_future(attend([task]))
        await until(lambda: any("Trying again" in text for text, _node, _sid in comfyui.texts))
        may_end.set()
        await attending

    asyncio.run(main())
    assert not any("img" in text for text, _node, _sid in comfyui.texts)
    assert comfyui.texts[-1][0] == "job-1 is failed."
    cards = [clip["text"] for _event, document, _sid in comfyui.events for clip in document["clips"]]
    assert any(text.startswith(f"RunComfy says: {foreign}. Trying again in ") for text in cards)
    assert cards[-1] == f"job-1 is failed: {foreign}"


def test_a_display_that_breaks_leaves_no_thread_waiting_and_cancels_nothing(comfyui):
    comfyui.server.send_progress_text = lambda *_arguments: (_ for _ in ()).throw(ConnectionResetError)
    waiting = Waiting()
    with pytest.raises(ConnectionResetError):
        run([waiting])
    assert waiting.has_ended.wait(LONG_S)
    assert waiting.cancels_remotely is False


def test_elapsed_time_goes_on_between_two_reports():
    has_reported, go_on = threading.Event(), threading.Event()

    def task(run):
        run.report(Rendering("request-1", 100.0, None))
        has_reported.set()
        go_on.wait(LONG_S)

    entry = threads.Work(task)
    assert has_reported.wait(LONG_S)
    progress, at = entry._latest
    entry._latest = (progress, at - 60)
    assert entry.line().startswith("Rendering for 2 min 4")
    go_on.set()
    entry.wait(LONG_S)


def test_each_kind_of_state_is_logged_once(caplog):
    caplog.set_level("INFO", logger="runcomfy.sora2pro.worker")

    def task(run):
        for done in range(50):
            run.report(Decoding(done, 50))
        run.report(Finished("r", "Done."))

    run([task])
    assert [record.getMessage() for record in caplog.records] == [
        "Sora 2 Pro: Decoding 50 frames",
        "Sora 2 Pro: Done.",
    ]


def test_the_end_of_the_process_stops_every_run_without_cancelling_at_runcomfy():
    wait = Waiting()
    entry = threads.Work(wait)
    assert wait.has_begun.wait(LONG_S)
    threads._finish_submissions()
    assert entry.is_finished
    assert wait.cancels_remotely is False
    assert entry not in threads._running


class TestTheEndOfTheProcess:
    """ComfyUI ends at once, whatever is waited for; only a request that is just being sent is worth a moment."""

    def stubborn(self, progress):
        """A run that reports this and then sees nothing of Stop, as one whose read is blocked."""
        has_begun, answer = threading.Event(), threading.Event()

        def task(run):
            run.report(progress)
            has_begun.set()
            answer.wait(LONG_S)
            return "recorded"

        entry = threads.Work(task)
        assert has_begun.wait(LONG_S)
        return entry, answer

    @pytest.mark.parametrize(
        "progress",
        [Queued("r", 1), Rendering("r", 1.0, None), Downloading("r", 1, 2), Following(), Retrying("No answer", 9.0)],
        ids=lambda progress: type(progress).__name__,
    )
    def test_nothing_but_a_submission_is_waited_for(self, progress):
        entry, answer = self.stubborn(progress)
        began_at = time.monotonic()
        threads._finish_submissions()
        assert time.monotonic() - began_at < 5
        assert not entry.is_finished
        answer.set()
        entry.wait(LONG_S)

    def test_a_request_that_is_just_being_sent_gets_its_id_recorded(self):
        entry, answer = self.stubborn(Submitting(1.2))
        threading.Timer(1.0, answer.set).start()
        threads._finish_submissions()
        assert entry.result == "recorded"

    def ended(self, *lines):
        """Seconds that a process took to end which holds a blocked run, and what it printed."""
        script = "\n".join((SETTING, *lines))
        began_at = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", script, str(ROOT / "tests")], capture_output=True, text=True, timeout=60, check=True
        )
        return time.monotonic() - began_at, done.stdout

    def test_a_blocked_thread_of_the_panel_keeps_nobody(self):
        took_s, _ = self.ended("worker.DaemonThreads(2, 'panel').run(lambda: time.sleep(60))", "time.sleep(0.2)")
        assert took_s < 8

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system knows no fork")
    def test_a_forked_child_waits_for_no_run_of_its_parent(self):
        _, said = self.ended(
            "worker.Work(lambda run: (run.report(Submitting(1.2)), time.sleep(60)))",
            "time.sleep(0.2)",
            "child = os.fork()",
            "if not child: sys.exit()",
            "began_at = time.monotonic()",
            "os.waitpid(child, 0)",
            "print(time.monotonic() - began_at, flush=True)",
            "os._exit(0)",
        )
        assert float(said) < 3


def test_what_a_thread_of_the_panel_brings_or_raises_arrives():
    few = threads.DaemonThreads(2, "panel")
    assert few.run(lambda: 7).result(LONG_S) == 7
    with pytest.raises(ZeroDivisionError):
        few.run(lambda: 1 // 0).result(LONG_S)
    met = threading.Barrier(2)
    assert {future.result(LONG_S) for future in [few.run(met.wait) for _ in range(2)]} == {0, 1}
