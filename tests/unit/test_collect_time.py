"""Waiting for RunComfy with a clock that a test moves: what counts against the limit, how often is asked, what is kept."""

import contextlib

import pytest
from sora2pro.nodes.errors import APIConnectionError, GenerationFailedError, GenerationTimeoutError, RateLimitError
from sora2pro.nodes.media.timeline import probe
from sora2pro.nodes.runcomfy.api.answers import GenerationResult, Phase, RequestStatus
from sora2pro.nodes.runcomfy.api.retry import RetryPolicy
from sora2pro.nodes.runcomfy.archiving import Archiving
from sora2pro.nodes.runcomfy.collecting import Collector
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.progress import Queued, Rendering, Retrying, Run, StopSignal
from sora2pro.nodes.runcomfy.store.history import History
from sora2pro.nodes.runcomfy.store.journal import Journal
from sora2pro.nodes.runcomfy.waiting import Waiting
from support.values import made_job, made_request

START = 1_763_800_000.0
QUEUED = RequestStatus(Phase.QUEUED, "in_queue", 3)
RUNNING = RequestStatus(Phase.RUNNING, "in_progress", None)
STRANGE = RequestStatus(Phase.UNKNOWN, "warming_up", None)
LEFT_QUEUE = RequestStatus(Phase.COMPLETED, "completed", None)
LOST = APIConnectionError("The line broke.", sent=True)


def result(phase, *, url=None, cost_usd=1.2, reason=""):
    return GenerationResult(phase, phase.value, url, cost_usd, reason, None)


READY = result(Phase.COMPLETED, url="https://storage.runcomfy.net/x")


class World:
    """RunComfy as a course of events in seconds, and our own clock, which only waiting moves."""

    def __init__(self, folder, course, *, timeout_s=600.0, interval_s=5.0):
        self.now = 0.0
        self.clock_error_s = 0.0
        self.course = course
        self.asked_at = []
        self.reports = []
        self.journal = Journal(folder / "state", clock=self.wall_clock)
        self.history = History(self.journal.database, clock=self.wall_clock)
        self.collector = Collector(
            journal=self.journal,
            waiting=Waiting(
                journal=self.journal,
                history=self.history,
                poll_interval_s=interval_s,
                timeout_s=timeout_s,
                policy=RetryPolicy(),
                clock=lambda: self.now,
                wall_clock=self.wall_clock,
                jitter=lambda: 1.0,
            ),
            connect=lambda **_ends: contextlib.nullcontext(self),
            downloader=self,
            archiving=Archiving("", self.journal, lambda _path: None),
            output_dir=folder / "output",
            verify=probe,
        )
        self.stop = StopSignal()
        self.stop.sleep = self.wait

    def wall_clock(self):
        return START + self.now + self.clock_error_s

    def wait(self, seconds):
        assert len(self.asked_at) < 5000, "it would ask for ever"
        self.now += seconds

    def happening(self):
        return next(event for until, event in reversed(self.course) if until <= self.now)

    def status(self, _handle):
        self.asked_at.append(self.now)
        event = self.happening()
        if isinstance(event, Exception):
            raise event
        return LEFT_QUEUE if isinstance(event, GenerationResult) else event

    def result(self, _handle):
        return self.happening()

    def download(self, _url, path, _run, **_options):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"clip")
        return path, 4

    def submitted(self, **changes):
        job = self.journal.record_submitting(
            self.journal.claim(made_request(**changes)), expected_usd=1.2, max_usd_per_day=None
        )
        return self.journal.record_submitted(job, f"request-{job.id}")

    def collect(self, job):
        return self.collector.collect(job, Run(self.stop, self.reports.append))


@pytest.fixture
def world(tmp_path):
    return lambda course, **options: World(tmp_path, course, **options)


def test_hours_in_the_queue_do_not_count_against_the_limit(world):
    there = world([(0, QUEUED), (7200, RUNNING), (7500, READY)])
    assert there.collect(there.submitted()).state is JobState.DOWNLOADED


@pytest.mark.parametrize("status", [RUNNING, STRANGE], ids=["rendering", "a strange word"])
def test_at_the_end_of_the_limit_the_job_stays_collectable_and_nothing_is_cancelled(world, status):
    there = world([(0, QUEUED), (100, status), (5000, READY)])
    job = there.submitted()
    with pytest.raises(GenerationTimeoutError) as raised:
        there.collect(job)
    assert there.now == pytest.approx(700, abs=10)
    text = str(raised.value)
    assert "RunComfy has accepted it and will charge for it (expected: $1.20)." in text
    assert "there is no new charge" in text
    assert "request-1" in text
    there.now = 5000.0
    assert there.collect(there.journal.get(job.id)).state is JobState.DOWNLOADED


def test_only_unreadable_answers_end_with_the_limit_too(world):
    there = world([(0, LOST)])
    with pytest.raises(GenerationTimeoutError, match=r"within 10 minutes, .* last asked: The line broke\."):
        there.collect(there.submitted())
    assert there.now <= 600


def test_one_look_that_fails_at_the_end_of_the_limit_does_not_deny_the_answers_before(world):
    there = world([(0, RUNNING), (597, LOST)])
    with pytest.raises(GenerationTimeoutError) as raised:
        there.collect(there.submitted())
    said = str(raised.value)
    assert "gave no usable answer for" not in said
    assert (
        "The clip did not arrive within 10 minutes, and RunComfy gave no usable answer when it was last asked: "
        "The line broke."
    ) in said


def test_trouble_that_passes_is_waited_for_with_growing_patience_and_told(world):
    there = world([(0, LOST), (20, RUNNING), (60, READY)])
    assert there.collect(there.submitted()).state is JobState.DOWNLOADED
    retries = [report.wait_s for report in there.reports if isinstance(report, Retrying)]
    assert retries == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_a_wait_the_server_asks_for_is_kept(world):
    slow_down = RateLimitError("Too many requests.", status_code=429, retry_after_s=45.0)
    there = world([(0, slow_down), (40, RUNNING), (60, READY)])
    there.collect(there.submitted())
    assert there.asked_at[:2] == [0.0, 45.0]


def test_without_a_history_it_asks_at_the_configured_interval(world):
    there = world([(0, QUEUED), (20, RUNNING), (60, READY)])
    there.collect(there.submitted())
    assert there.asked_at == [float(second) for second in range(0, 61, 5)]


def test_with_a_history_it_asks_rarely_while_nothing_can_be_ready_and_at_the_full_rate_around_the_usual_time(world):
    there = world([(0, QUEUED), (10, RUNNING), (210, READY)])
    for seed in (1, 2, 3):
        there.now = 0.0
        there.collect(there.submitted(take=seed))
    assert len(there.history.render_times_s(made_job())) == 3
    there.now, there.asked_at, there.reports = 0.0, [], []
    there.collect(there.submitted())
    gaps = [later - earlier for earlier, later in zip(there.asked_at, there.asked_at[1:], strict=False)]
    assert min(gaps) >= 5.0
    assert max(gaps) > 30.0
    assert gaps[-5:] == [5.0] * 5
    assert len(there.asked_at) < 20
    rendering = [report for report in there.reports if isinstance(report, Rendering)]
    assert rendering[0].usual_s == pytest.approx(200.0, abs=10)


def test_the_queue_position_and_the_elapsed_time_are_told(world):
    there = world([(0, QUEUED), (10, RUNNING), (30, READY)])
    there.collect(there.submitted())
    assert there.reports[0] == Queued("request-1", 3)
    assert [report.elapsed_s for report in there.reports if isinstance(report, Rendering)][:3] == [0.0, 5.0, 10.0]


def test_the_elapsed_time_goes_on_over_a_restart(world):
    there = world([(0, QUEUED), (10, RUNNING), (900, READY)], timeout_s=300.0)
    job = there.submitted()
    with pytest.raises(GenerationTimeoutError):
        there.collect(job)
    there.reports.clear()
    with pytest.raises(GenerationTimeoutError):
        there.collect(there.journal.get(job.id))
    elapsed = [report.elapsed_s for report in there.reports if isinstance(report, Rendering)]
    assert elapsed[0] == pytest.approx(300, abs=15)


@pytest.mark.parametrize("step_s", [-100_000.0, 100_000.0], ids=["back", "forward"])
def test_a_clock_that_steps_ends_no_wait_and_spoils_no_history(world, step_s):
    there = world([(0, QUEUED), (10, RUNNING), (110, READY)])
    job = there.submitted()
    usual_wait = there.wait

    def wait(seconds):
        usual_wait(seconds)
        there.clock_error_s = step_s if there.now > 50 else 0.0

    there.stop.sleep = wait
    assert there.collect(job).state is JobState.DOWNLOADED
    (render_s,) = there.history.render_times_s(made_job())
    assert render_s == pytest.approx(100, abs=10)


def test_a_rendering_that_was_not_seen_from_its_beginning_teaches_nothing(world):
    there = world([(0, RUNNING), (100, READY)])
    there.collect(there.submitted())
    assert there.history.render_times_s(made_job()) == []


def test_a_failure_is_told_once_it_is_known_and_a_second_look_costs_nothing(world):
    there = world([(0, RUNNING), (50, result(Phase.FAILED, cost_usd=None, reason="blocked")), (500, READY)])
    job = there.submitted()
    with pytest.raises(GenerationFailedError, match="blocked"):
        there.collect(job)
    assert there.journal.get(job.id).state is JobState.FAILED
    with pytest.raises(GenerationFailedError, match="blocked"):
        there.collector.look_again(there.journal.get(job.id), Run(there.stop, there.reports.append))
    there.now = 500.0
    mended = there.collector.look_again(there.journal.get(job.id), Run(there.stop, there.reports.append))
    assert (mended.state, mended.cost_usd) == (JobState.DOWNLOADED, 1.2)


def test_a_clip_that_is_said_to_be_ready_but_is_nowhere_is_given_up_and_stays_collectable(world):
    there = world([(0, result(Phase.COMPLETED)), (5000, READY)])
    job = there.submitted()
    with pytest.raises(Exception, match="but not where it is"):
        there.collect(job)
    assert len(there.asked_at) == 5
    there.now = 5000.0
    assert there.collect(there.journal.get(job.id)).state is JobState.DOWNLOADED


def test_a_cost_that_comes_late_is_asked_for_again(world):
    late = result(Phase.COMPLETED, url="https://storage.runcomfy.net/x", cost_usd=None)
    there = world([(0, late)])
    usual_download = there.download

    def download(url, path, run, **options):
        there.course.append((there.now, READY))
        return usual_download(url, path, run, **options)

    there.download = download
    assert there.collect(there.submitted()).cost_usd == 1.2
