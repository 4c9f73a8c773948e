"""The order of spending, step by step, with a RunComfy that counts what it was sent."""

import contextlib
import threading

import pytest
from sora2pro.nodes.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AuthenticationError,
    GenerationCancelledError,
    GenerationFailedError,
    InsufficientCreditsError,
    InvalidRequestError,
    JournalUnavailableError,
    MissingTokenError,
    RateLimitError,
    ResponseFormatError,
    RunComfyError,
    ServerError,
    SpendLimitError,
    Stopped,
    SubmissionUncertainError,
)
from sora2pro.nodes.runcomfy.api.client import RequestHandle
from sora2pro.nodes.runcomfy.api.retry import RetryPolicy
from sora2pro.nodes.runcomfy.buying import RECORD_ATTEMPTS, Buyer
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.progress import (
    Following,
    FromJournal,
    PriceBound,
    Retrying,
    Run,
    Slots,
    StopSignal,
    Submitting,
    WaitingForSlot,
)
from sora2pro.nodes.runcomfy.sentences import failure_of
from sora2pro.nodes.runcomfy.store.journal import Journal
from support.values import made_request

NOTHING_SENT = "Nothing was sent to RunComfy and nothing was charged."
NOT_CHARGED = "RunComfy did not accept the request, so nothing was charged."
PERHAPS = "It may have been charged, so it is not sent again automatically."
UNSENT = APIConnectionError("Port closed.", sent=False)


class World:
    """Everything around a Buyer: a journal on disk, a RunComfy of answers, a collector that brings a file."""

    def __init__(self, folder, *, cap_usd=None):
        self.folder = folder
        self.cap_usd = cap_usd
        self.slots = Slots(lambda: 4)
        self.journal = Journal(folder / "state")
        self.answers = []
        self.sent = []
        self.states_when_sent = []
        self.reports = []
        self.waits = []
        self.stop = StopSignal()
        self.stop.sleep = self.wait
        self.buyer = Buyer(
            journal=self.journal,
            collector=self,
            pricing=self,
            connect=self.connect,
            slots=lambda: self.slots,
            max_usd_per_day=lambda: self.cap_usd,
            max_usd_per_clip=lambda: None,
            ask_above_usd=lambda: None,
            policy=RetryPolicy(),
            sleep=self.waits.append,
            jitter=lambda: 1.0,
        )

    def connect(self, **_ends):
        return contextlib.nullcontext(self)

    def expected(self, *_question):
        return 1.2, PriceBound.ABOUT

    def wait(self, seconds):
        self.stop.check()
        self.waits.append(seconds)

    def account_of_token(self, _key):
        return None

    def submit(self, request):
        self.sent.append(request)
        self.states_when_sent.append(Journal(self.folder / "state").newest().state)
        answer = self.answers.pop(0) if self.answers else RequestHandle(f"request-{len(self.sent)}")
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def check_archive(self):
        """There is none."""

    def archive_note(self, _job):
        return ""

    def delivered_again(self, _job):
        return ""

    def collect(self, job, _run):
        path = self.folder / f"{job.request_id}.mp4"
        path.write_bytes(b"clip")
        if job.state is JobState.SUBMITTED:
            job = self.journal.record_completed(job, video_url="https://x.runcomfy.net", cost_usd=1.2)
        return self.journal.record_downloaded(job, path, 4)

    def look_again(self, job, _run):
        raise failure_of(job)

    def run(self, **changes):
        return self.buyer.buy(made_request(**changes), Run(self.stop, self.reports.append)).job

    def fails(self, kind, **changes):
        with pytest.raises(kind) as raised:
            self.run(**changes)
        return raised.value


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_the_record_is_on_the_disk_before_the_request_goes_out(world):
    job = world.run()
    assert world.states_when_sent == [JobState.SUBMITTING]
    assert (job.state, job.request_id, job.may_be_charged) == (JobState.DOWNLOADED, "request-1", True)
    assert Submitting(1.2) in world.reports


def test_the_same_inputs_are_served_without_a_question_to_anybody(world):
    first = world.run()
    world.connect = None
    assert world.run() == first
    assert len(world.sent) == 1
    assert world.reports[-1] == FromJournal("request-1")


def test_another_seed_is_another_purchase(world):
    assert world.run().id != world.run(take=1).id
    assert len(world.sent) == 2


UNKNOWN = [
    pytest.param(APIConnectionError("The line broke.", sent=True), id="reset"),
    pytest.param(APITimeoutError("No answer.", sent=True), id="read timeout"),
    pytest.param(ResponseFormatError("No id.", status_code=200), id="2xx without an id"),
    *(pytest.param(ServerError("Trouble.", status_code=status), id=str(status)) for status in (500, 502, 503, 504)),
    *(pytest.param(APIError("Odd.", status_code=status), id=str(status)) for status in (302, 408, 409, 418)),
]
REFUSED = [
    pytest.param(InvalidRequestError("Bad input.", status_code=422), id="422"),
    pytest.param(InvalidRequestError("Bad input.", status_code=400), id="400"),
    pytest.param(AuthenticationError("Bad token.", status_code=401), id="401"),
    pytest.param(InsufficientCreditsError("No money.", status_code=402), id="402"),
    pytest.param(AuthenticationError("Not yours.", status_code=403), id="403"),
    pytest.param(InsufficientCreditsError("No money.", status_code=200, error_code=400_002), id="200 with a code"),
]
PASSING = [
    pytest.param(UNSENT, NOTHING_SENT, id="port closed"),
    pytest.param(RateLimitError("Slow down.", status_code=429, retry_after_s=7.0), NOT_CHARGED, id="429"),
]


@pytest.mark.parametrize("error", UNKNOWN)
def test_a_submit_of_unknown_outcome_is_sent_once_and_never_again(world, error):
    world.answers = [error]
    for _ in range(3):
        raised = world.fails(SubmissionUncertainError)
        assert PERHAPS in str(raised)
        assert "job-1" in raised.remedy
    assert len(world.sent) == 1
    assert world.journal.newest().state is JobState.UNCERTAIN


@pytest.mark.parametrize("error", REFUSED)
def test_a_refusal_costs_nothing_is_told_at_once_and_leaves_the_way_free(world, error):
    world.answers = [error]
    raised = world.fails(type(error))
    assert NOT_CHARGED in str(raised)
    assert "job: job-1" in str(raised)
    rejected = world.journal.newest()
    assert (rejected.state, rejected.may_be_charged, len(world.sent)) == (JobState.REJECTED, False, 1)
    assert world.run().state is JobState.DOWNLOADED


@pytest.mark.parametrize(("error", "_money"), PASSING)
def test_what_certainly_was_not_accepted_is_tried_again_by_itself(world, error, _money):
    world.answers = [error] * 4
    assert world.run().state is JobState.DOWNLOADED
    assert len(world.sent) == 5
    assert world.waits == ([7.0] * 4 if isinstance(error, RateLimitError) else [1.0, 2.0, 4.0, 8.0])
    assert sum(isinstance(report, Retrying) for report in world.reports) == 4


@pytest.mark.parametrize(("error", "money"), PASSING)
def test_after_five_attempts_it_is_told_and_the_same_job_goes_on_next_time(world, error, money):
    world.answers = [error] * 5
    raised = world.fails(type(error))
    assert money in str(raised)
    prepared = world.journal.newest()
    assert (prepared.state, prepared.may_be_charged) == (JobState.PREPARED, False)
    assert world.run().id == prepared.id


def test_a_stop_between_two_attempts_sends_nothing_more(world):
    world.answers = [UNSENT]
    usual = world.submit

    def submit(request):
        world.stop.set(cancels_remotely=True)
        return usual(request)

    world.submit = submit
    assert str(world.fails(Stopped)) == f"Stopped. {NOT_CHARGED}"
    assert (len(world.sent), world.journal.newest().state) == (1, JobState.PREPARED)


def test_a_stop_before_the_purchase_says_that_nothing_was_sent(world):
    world.stop.set(cancels_remotely=True)
    assert str(world.fails(Stopped)) == f"Stopped. {NOTHING_SENT}"
    assert world.sent == []


def test_a_fault_of_ours_in_the_middle_of_a_submit_leaves_an_uncertain_job_and_no_second_submit(world):
    world.answers = [ZeroDivisionError()]
    world.fails(ZeroDivisionError)
    assert world.journal.newest().state is JobState.UNCERTAIN
    world.fails(SubmissionUncertainError)
    assert len(world.sent) == 1


def test_a_job_found_half_sent_is_uncertain_because_its_sender_is_dead(world):
    job = world.journal.claim(made_request())
    world.journal.record_submitting(job, expected_usd=1.2, max_usd_per_day=None)
    error = world.fails(SubmissionUncertainError)
    assert "ComfyUI ended while the request was being sent." in str(error)
    assert world.sent == []


@pytest.mark.parametrize("what", ["preflight", "token"])
def test_what_is_not_in_order_is_found_before_there_is_a_record_or_a_request(world, what):
    refusal = MissingTokenError("no token")

    def refuse(**_ends):
        raise refusal

    if what == "token":
        world.buyer._connect = refuse
    with pytest.raises(MissingTokenError):
        world.buyer.buy(
            made_request(),
            Run(world.stop, world.reports.append),
            preflight=refuse if what == "preflight" else lambda: None,
        )
    assert (world.sent, world.journal.newest()) == ([], None)


def test_a_purchase_that_would_pass_the_cap_is_not_made(tmp_path):
    world = World(tmp_path, cap_usd=2.0)
    world.run()
    error = world.fails(SpendLimitError, take=1)
    assert NOTHING_SENT in str(error)
    assert len(world.sent) == 1
    assert world.run().request_id == "request-1", "what is paid for is still served"


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_cancelled_job_is_bought_again_only_if_the_cancel_was_ours(world, is_ours):
    usual = world.collect

    def cancelled(job, _run):
        world.collect = usual
        if is_ours:
            job = world.journal.record_cancel_requested(job)
        raise failure_of(world.journal.record_cancelled(job, "cancelled"))

    world.collect = cancelled
    world.fails(GenerationCancelledError)
    if is_ours:
        assert world.run().state is JobState.DOWNLOADED
    else:
        world.fails(GenerationCancelledError)
    assert len(world.sent) == 1 + is_ours


def test_a_failed_job_is_never_sent_again_by_itself(world):
    def failed(job, _run):
        raise failure_of(world.journal.record_failed(job, "blocked", None))

    world.collect = failed
    for _ in range(3):
        world.fails(GenerationFailedError)
    assert len(world.sent) == 1


def test_two_nodes_with_the_same_inputs_make_one_purchase(world):
    is_sent, go_on = threading.Event(), threading.Event()
    usual = world.submit

    def submit(request):
        is_sent.set()
        assert go_on.wait(60)
        return usual(request)

    world.submit = submit
    jobs = []
    first = threading.Thread(target=lambda: jobs.append(world.run()))
    first.start()
    assert is_sent.wait(60)

    follower = World(world.folder)

    def following(progress):
        if isinstance(progress, Following):
            go_on.set()
            first.join(60)

    job = follower.buyer.buy(made_request(), Run(follower.stop, following)).job
    assert [job.id] == [other.id for other in jobs]
    assert (len(world.sent), len(follower.sent)) == (1, 0)


@pytest.mark.parametrize("failures", [1, RECORD_ATTEMPTS - 1])
def test_an_id_that_cannot_be_written_down_at_first_is_written_down_in_the_end(world, failures):
    usual, left = world.journal.record_submitted, [JournalUnavailableError("disk full")] * failures

    def record(job, request_id):
        if left:
            raise left.pop()
        return usual(job, request_id)

    world.journal.record_submitted = record
    assert world.run().request_id == "request-1"
    assert len(world.waits) == failures


def test_an_id_that_cannot_be_written_down_at_all_is_handed_to_the_user(world):
    def record(_job, _request_id):
        raise JournalUnavailableError("The disk is full.")

    world.journal.record_submitted = record
    text = str(world.fails(SubmissionUncertainError))
    for words in ("It will be charged.", "'adopt'", "request_id: request-1", "The disk is full."):
        assert words in text
    world.fails(SubmissionUncertainError)
    assert len(world.sent) == 1


def test_an_id_that_another_job_has_already_is_told_and_nothing_is_sent_again(world):
    """RunComfy may answer a request that it takes for a repetition with the id of the first one."""
    world.answers = [RequestHandle("request-x"), RequestHandle("request-x")]
    world.run()
    error = world.fails(RunComfyError, take=1)
    assert "request-x" in str(error)
    world.fails(SubmissionUncertainError, take=1)
    assert len(world.sent) == 2


SPELLINGS = [
    "Un caf\u00e9.\nUn \u00e9t\u00e9.",
    "Un caf\u00e9.\r\nUn \u00e9t\u00e9.",
    "Un cafe\u0301.\nUn e\u0301te\u0301.",
    "Un cafe\u0301.\r\nUn e\u0301te\u0301.",
    "Un caf\u00e9.\rUn \u00e9t\u00e9.",
    "Un cafe\u0301.\nUn \u00e9te\u0301.",
]


@pytest.mark.parametrize("second", SPELLINGS)
@pytest.mark.parametrize("first", SPELLINGS)
def test_a_prompt_in_another_spelling_that_looks_the_same_is_not_bought_again(world, first, second):
    bought = world.run(prompt=first)
    assert world.run(prompt=second).id == bought.id
    assert [request.prompt for request in world.sent] == [first], "what is sent is what was typed"


@pytest.mark.parametrize("second", SPELLINGS)
@pytest.mark.parametrize("first", SPELLINGS[:-1])
def test_a_clip_that_an_older_version_bought_is_found_in_any_spelling(world, first, second):
    """Older versions kept it under the fingerprint of the prompt as it was typed."""
    bought = world.run(prompt=first)
    with world.journal.database.writing() as connection:
        as_typed = made_request(prompt=first).fingerprint()
        connection.exec_driver_sql("UPDATE jobs SET fingerprint = ?, api_base = NULL, account = NULL", (as_typed,))
    assert world.run(prompt=second).id == bought.id
    assert len(world.sent) == 1


def test_a_run_waits_for_whoever_works_on_an_older_job_of_another_spelling(world):
    older = made_request(prompt=SPELLINGS[1]).fingerprint()
    job = world.journal.claim(made_request(prompt=SPELLINGS[0]))
    with world.journal.database.writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET fingerprint = ?", (older,))
    lock = world.journal.lock(older)
    assert lock.try_acquire()
    following = []

    def report(progress):
        if isinstance(progress, Following):
            following.append(len(world.sent))
            lock.release()

    run = world.buyer.buy(made_request(prompt=SPELLINGS[0]), Run(world.stop, report)).job
    assert (run.id, following, len(world.sent)) == (job.id, [0], 1)


def test_two_clips_that_an_older_version_bought_in_two_spellings_are_both_served(world):
    first = world.run(prompt=SPELLINGS[0])
    second = world.run(prompt="another")
    with world.journal.database.writing() as connection:
        values = (made_request(prompt=SPELLINGS[1]).fingerprint(), second.id)
        connection.exec_driver_sql("UPDATE jobs SET fingerprint = ? WHERE id = ?", values)
    assert [world.run(prompt=prompt).id for prompt in SPELLINGS[:2]] == [first.id, second.id]


def test_a_cap_that_is_lowered_while_a_run_waits_holds_for_what_it_has_not_sent_yet(tmp_path):
    world = World(tmp_path, cap_usd=100.0)
    world.answers = [UNSENT]
    usual = world.wait

    def wait(seconds):
        usual(seconds)
        world.cap_usd = 0.0

    world.stop.sleep = wait
    assert NOTHING_SENT in str(world.fails(SpendLimitError))
    assert len(world.sent) == 1, "the one that RunComfy never got"


def test_paid_requests_are_counted_together_by_all_engines_of_an_account(tmp_path):
    """As after a change of settings: a new engine beside one that is still at work."""
    first, second = World(tmp_path / "first"), World(tmp_path / "second")
    second.slots = first.slots = Slots(lambda: limit[0], interval_s=0.01)
    limit, waits = [1], []
    is_sent, go_on = threading.Event(), threading.Event()
    usual = first.submit

    def submit(request):
        is_sent.set()
        assert go_on.wait(60)
        return usual(request)

    first.submit = submit
    thread = threading.Thread(target=first.run)
    thread.start()
    assert is_sent.wait(60)

    def report(progress):
        if isinstance(progress, WaitingForSlot):
            waits.append((progress.limit, len(second.sent)))
            limit[0] = 2  # raised while it waits: applies at once

    second.stop = StopSignal()
    second.buyer.buy(made_request(), Run(second.stop, report))
    go_on.set()
    thread.join(60)
    assert waits == [(1, 0)]
    assert (len(first.sent), len(second.sent)) == (1, 1)


@pytest.mark.parametrize("is_replaced", [False, True], ids=["deleted", "another job has the number"])
def test_a_request_that_was_accepted_while_its_journal_was_lost_is_not_bought_again(world, is_replaced):
    usual = world.submit

    def submit(request):
        handle = usual(request)
        world.submit = usual
        world.journal.database.path.unlink()
        if is_replaced:
            Journal(world.folder / "state").claim(made_request(prompt="another"))
        return handle

    world.submit = submit
    assert world.run().request_id == "request-1"
    assert world.run().request_id == "request-1"
    assert len(world.sent) == 1


def test_a_request_whose_answer_and_journal_were_both_lost_is_uncertain_and_not_sent_again(world):
    def submit(request):
        world.sent.append(request)
        world.journal.database.path.unlink()
        raise APITimeoutError("RunComfy did not answer in time.", sent=True)

    world.submit = submit
    for _ in range(2):
        assert PERHAPS in str(world.fails(SubmissionUncertainError))
    assert len(world.sent) == 1
