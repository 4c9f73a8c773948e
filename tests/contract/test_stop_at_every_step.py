"""Stop at every step, a sibling that fails, an eager queue: nothing is paid twice or lost, and it is told what became of it."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from emulator import Call, Fault, FaultKind, Timeline
from emulator.wire import Delivery, Reply
from sora2pro.nodes.errors import NOTHING_SENT, CancelledByUserError, NotEnoughRoomError, RunComfyError, Stopped
from sora2pro.nodes.run.decoding import Decoder
from sora2pro.nodes.run.inputs import FrameChoice
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.progress import (
    Decoding,
    Downloading,
    Following,
    Preparing,
    Queued,
    Rendering,
    Retrying,
    Run,
    StopSignal,
    ignore,
)
from support import assertions, node_runs
from support.engine_fixture import request_of
from support.fake_comfyui import ComfyUI, InterruptProcessingException

AT_MOST_S = 60
SLOW_ANSWER = FaultKind(
    "slow-answer",
    (Call.SUBMIT,),
    lambda meeting: Reply(meeting.true_answer(), Delivery(wait_s=2 * AT_MOST_S)),
    may_follow_acceptance=True,
)


class Running:
    """A run in a thread of its own."""

    def __init__(self, rig, request=None):
        self.stop = StopSignal()
        self._seen, self._news = set(), threading.Condition()
        self._pool = ThreadPoolExecutor(1)
        self._end = self._pool.submit(rig.run, request, stop=self.stop, report=self._note)
        self._pool.shutdown(wait=False)

    def _note(self, progress):
        with self._news:
            self._seen.add(type(progress))
            self._news.notify_all()

    def until(self, kind):
        with self._news:
            assert self._news.wait_for(lambda: kind in self._seen, AT_MOST_S), self._seen

    def job(self):
        return self._end.result(AT_MOST_S)

    def last_words(self):
        with pytest.raises(Stopped) as stopped:
            self._end.result(AT_MOST_S)
        return str(stopped.value)


def test_stop_before_the_submit_sends_nothing(emulator, rig, clip):
    assert NOTHING_SENT in assertions.stopped_at(Preparing, rig.run)
    assert emulator.ledger == []
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def test_stop_between_two_attempts_to_submit_sends_nothing_more(emulator, rig, clip):
    emulator.inject(Fault(Call.SUBMIT, "429", times=None))
    assert "nothing was charged" in assertions.stopped_at(Retrying, rig.run)
    assert len(emulator.seen(Call.SUBMIT)) == 1
    emulator.clear_faults()
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


@pytest.mark.parametrize("cancels_remotely", [True, False])
def test_a_submit_in_flight_is_finished_and_recorded_before_it_is_cancelled(start_emulator, rig_on, cancels_remotely):
    emulator = start_emulator(Timeline.by_hand())
    rig = rig_on(emulator)
    emulator.inject(Fault(Call.SUBMIT, SLOW_ANSWER, after_accept=True))
    running = Running(rig)
    emulator.wait_until(lambda: emulator.charges == 1)
    running.stop.set(cancels_remotely=cancels_remotely)
    assert rig.journal.newest().state is JobState.SUBMITTING
    emulator.clear_faults()
    said = running.last_words()
    assert emulator.requests[0].request_id in said
    assert emulator.charges == (0 if cancels_remotely else 1)
    assert rig.journal.newest().state is (JobState.CANCELLED if cancels_remotely else JobState.SUBMITTED)
    assert ("Nothing is charged for it." in said) == cancels_remotely


def test_stop_in_the_queue_costs_nothing_and_the_next_run_buys_once(start_emulator, rig_on, clip):
    emulator = start_emulator(Timeline.by_hand())
    said = assertions.stopped_at(Queued, rig_on(emulator).run)
    assert "cancelled at RunComfy. Nothing is charged for it." in said
    assert emulator.charges == 0
    running = Running(rig_on(emulator))
    emulator.wait_until(lambda: emulator.charges == 1)
    emulator.release(emulator.requests[1].request_id)
    assert running.job().path.read_bytes() == clip
    assert emulator.charges == 1


def test_a_cancel_from_the_panel_ends_the_run_as_the_users_own_whichever_of_them_hears_of_it_first(
    start_emulator, rig_on
):
    emulator = start_emulator(Timeline.by_hand())
    rig = rig_on(emulator, poll_interval_s=0.001)
    for take in range(20):
        running = Running(rig, request_of(seed=take))
        running.until(Queued)
        said = rig.act("cancel", emulator.requests[take].request_id).report
        assert "cancelled at RunComfy. Nothing is charged for it." in said
        with pytest.raises(CancelledByUserError, match="Nothing was charged for it"):
            running.job()
    assert emulator.charges == 0


def test_a_cancel_from_the_panel_buys_nothing_new_for_a_run_that_picked_up_an_earlier_request(start_emulator, rig_on):
    emulator = start_emulator(Timeline.by_hand())
    assertions.stopped_at(Queued, rig_on(emulator).run, cancels_remotely=False)
    rig = rig_on(emulator)
    running = Running(rig)
    running.until(Queued)
    rig.act("cancel", emulator.requests[0].request_id)
    with pytest.raises(CancelledByUserError, match="Nothing was charged for it"):
        running.job()
    assert len(emulator.requests) == 1
    assert emulator.charges == 0


def test_a_cancel_from_the_panel_buys_nothing_new_for_a_run_that_has_not_yet_asked_for_the_request(
    start_emulator, rig_on
):
    emulator = start_emulator(Timeline.by_hand())
    panel = rig_on(emulator)
    assertions.stopped_at(Queued, panel.run, cancels_remotely=False)
    cancelled = []

    def connect(*values, **options):
        if not cancelled:
            cancelled.append(panel.act("cancel", emulator.requests[0].request_id))
        return panel.connect(*values, **options)

    with pytest.raises(CancelledByUserError, match="Nothing was charged for it"):
        rig_on(emulator, connect=connect).run()
    assert len(emulator.requests) == 1


def test_a_cancel_from_the_panel_buys_nothing_new_for_a_run_that_follows_the_cancelled_one(start_emulator, rig_on):
    emulator = start_emulator(Timeline.by_hand())
    rig = rig_on(emulator)
    leader = Running(rig)
    leader.until(Queued)
    follower = Running(rig_on(emulator))
    follower.until(Following)
    rig.act("cancel", emulator.requests[0].request_id)
    for running in (leader, follower):
        with pytest.raises(CancelledByUserError, match="Nothing was charged for it"):
            running.job()
    assert len(emulator.requests) == 1
    assert emulator.charges == 0
    again = Running(rig_on(emulator))
    emulator.wait_until(lambda: emulator.charges == 1)
    emulator.release(emulator.requests[1].request_id)
    assert again.job().request_id == emulator.requests[1].request_id


def test_what_was_cancelled_earlier_does_not_end_a_run_that_followed_one_without_a_request(start_emulator, rig_on):
    emulator = start_emulator(Timeline.by_hand())
    rig = rig_on(emulator)
    assertions.stopped_at(Queued, rig.run)
    reached, go_on = threading.Event(), threading.Event()

    def full_disk():
        reached.set()
        go_on.wait(AT_MOST_S)
        raise NotEnoughRoomError("The disk is full.")

    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(rig.engine.generate, request_of(), Run(StopSignal(), ignore), preflight=full_disk)
        assert reached.wait(AT_MOST_S)
        follower = Running(rig_on(emulator))
        follower.until(Following)
        go_on.set()
        assert isinstance(leader.exception(AT_MOST_S), NotEnoughRoomError)
    emulator.wait_until(lambda: emulator.charges == 1)
    emulator.release(emulator.requests[1].request_id)
    assert follower.job().request_id == emulator.requests[1].request_id


def test_stop_while_it_renders_says_that_it_goes_on_and_is_charged_and_it_can_be_collected(
    start_emulator, rig_on, clip
):
    emulator = start_emulator(Timeline.after_polls(queued=0, rendering=1_000_000))
    rig = rig_on(emulator)
    said = assertions.stopped_at(Rendering, rig.run)
    assert "It is too late to cancel: RunComfy is already rendering it, or has finished, and charges for it." in said
    assert "Run the node again to pick up where it left off: there is no new charge." in said
    emulator.release(emulator.requests[0].request_id)
    assert rig.collect().path.read_bytes() == clip
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def test_stop_during_the_download_keeps_what_is_paid(emulator, rig, clip):
    emulator.inject(Fault(Call.DOWNLOAD, "drip", chunk_bytes=1024))
    said = assertions.stopped_at(Downloading, rig.run)
    assert "RunComfy charged $1.20 for it. Run the node again" in said
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


@pytest.mark.parametrize("kind", [Queued, Rendering, Downloading])
def test_a_failing_sibling_stops_the_run_but_not_the_request(emulator, rig, clip, kind):
    emulator.inject(Fault(Call.DOWNLOAD, "drip", chunk_bytes=1024))
    said = assertions.stopped_at(kind, rig.run, cancels_remotely=False)
    assert "there is no new charge" in said
    assert emulator.seen(Call.CANCEL) == []
    assertions.assert_clip_for_one_charge(rig, emulator, clip)


def test_stop_of_a_follower_leaves_the_other_run_alone(start_emulator, rig_on, clip):
    emulator = start_emulator(Timeline.by_hand())
    leader = Running(rig_on(emulator))
    leader.until(Queued)
    assert assertions.stopped_at(Following | Queued, rig_on(emulator).run) == (
        "Stopped. This run sent nothing: it was waiting for another run of the same clip."
    )
    assert emulator.charges == 1
    emulator.release(emulator.requests[0].request_id)
    assert leader.job().path.read_bytes() == clip


def test_a_queue_that_runs_the_same_graph_all_the_time_buys_once_for_each_input(emulator, rig_on):
    requests = [request_of(seed=seed) for seed in range(3)]
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda number: rig_on(emulator).run(requests[number % 3]), range(24)))
    assert len({job.request_id for job in jobs}) == 3
    assert emulator.charges == 3


@pytest.mark.parametrize(
    ("fault", "charges"),
    [
        (Fault(Call.SUBMIT, "reset", after_accept=True, times=None), 1),
        (Fault(Call.RESULT, "ends-failed", times=None), 1),
        (Fault(Call.SUBMIT, "402", times=None), 0),
    ],
    ids=str,
)
def test_a_queue_that_runs_a_graph_in_trouble_all_the_time_does_not_buy_again(emulator, rig_on, fault, charges):
    emulator.inject(fault)
    for _ in range(8):
        assert isinstance(assertions.attempt(rig_on(emulator)), RunComfyError)
    assert len(emulator.ledger) == charges


def test_a_queue_that_is_stopped_all_the_time_pays_nothing(start_emulator, rig_on):
    emulator = start_emulator(Timeline.by_hand())
    for _ in range(5):
        assertions.stopped_at(Queued, rig_on(emulator).run)
    assert emulator.charges == 0


@pytest.fixture
def comfyui(monkeypatch, tmp_path):
    return ComfyUI(tmp_path / "comfyui").installed(monkeypatch)


@pytest.fixture
def node_emulator(start_emulator, comfyui, point_to):  # noqa: ARG001 - the node is to find a ComfyUI
    emulator = start_emulator(Timeline.by_hand())
    point_to(emulator)
    return emulator


def when(emulator, is_so, act):
    """Acts from a thread as soon as something is so."""
    thread = threading.Thread(target=lambda: (emulator.wait_until(is_so), act()))
    thread.start()
    return thread


def test_stop_on_the_node_cancels_what_is_queued_and_a_second_run_pays_once(node_emulator, comfyui):
    presser = when(node_emulator, lambda: node_emulator.seen(Call.STATUS), comfyui.interrupt)
    with pytest.raises(InterruptProcessingException):
        node_runs.run_node()
    presser.join()
    comfyui.interrupt(value=False)
    assert node_emulator.charges == 0
    releaser = when(
        node_emulator,
        lambda: node_emulator.charges == 1,
        lambda: node_emulator.release(node_emulator.requests[1].request_id),
    )
    (output,) = node_runs.run_node()
    releaser.join()
    assert len(output.frames) == 8
    assert node_emulator.charges == 1


def test_stop_while_frames_are_made_keeps_the_clip(node_emulator, tmp_path):
    releaser = when(
        node_emulator,
        lambda: node_emulator.charges == 1,
        lambda: node_emulator.release(node_emulator.requests[0].request_id),
    )
    node_runs.run_node()
    releaser.join()
    stop = StopSignal()
    (path,) = (tmp_path / "clips").glob("*.mp4")
    run = Run(stop, lambda p: isinstance(p, Decoding) and stop.set(cancels_remotely=True))
    with pytest.raises(Stopped):
        Decoder(FrameChoice(), run).decode(path)
    (output,) = node_runs.run_node()
    assert len(output.frames) == 8
    assert node_emulator.charges == 1


def test_a_sibling_node_that_fails_does_not_lose_the_clip_that_is_paid(node_emulator):
    async def fail_beside():
        inputs = {"image": node_runs.pictures(0.5), "prompt": "A fox runs."}
        ours = asyncio.ensure_future(node_runs.node().generate(**inputs))
        while not node_emulator.seen(Call.STATUS):  # noqa: ASYNC110 - the emulator sets no asyncio.Event
            await asyncio.sleep(0.01)
        ours.cancel()
        await asyncio.wait([ours])
        return ours

    ours = asyncio.run(fail_beside())
    assert isinstance(ours.exception(), InterruptProcessingException)
    assert node_emulator.seen(Call.CANCEL) == []
    node_emulator.release(node_emulator.requests[0].request_id)
    (output,) = node_runs.run_node()
    assert len(output.frames) == 8
    assert node_emulator.charges == 1


def test_stop_while_the_purchase_is_being_recorded_sends_nothing(start_emulator, rig_on, monkeypatch):
    emulator = start_emulator(Timeline.after_polls(queued=0, rendering=1_000_000))
    rig, stop = rig_on(emulator, timeout_s=5.0), StopSignal()
    record = rig.journal.record_submitting

    def recorded_slowly(job, **values):
        job = record(job, **values)
        stop.set(cancels_remotely=True)
        return job

    monkeypatch.setattr(rig.journal, "record_submitting", recorded_slowly)
    with pytest.raises(Stopped, match=NOTHING_SENT):
        rig.run(stop=stop)
    assert (len(emulator.seen(Call.SUBMIT)), emulator.charges) == (0, 0)
    assert rig.journal.newest().state is JobState.PREPARED
