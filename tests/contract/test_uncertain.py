"""Nobody knows whether a submit was charged: what the user reads, and the guarded ways out of it."""

import pytest
from emulator import Call, Fault, State
from emulator.visitor import Visitor
from sora2pro.nodes.errors import (
    AuthenticationError,
    GenerationFailedError,
    InvalidInputError,
    NotFoundError,
    RunComfyError,
    SubmissionUncertainError,
)
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.progress import Queued
from support.engine_fixture import request_of

OTHER_MODEL = "openai/sora-2/image-to-video"
UNCHANGED = "Nothing was changed and nothing was charged."


def become_uncertain(emulator, rig, request=None, *, is_charged=True):
    """An uncertain job, and the id under which RunComfy has its request (None if it has not)."""
    charges = len(emulator.ledger)
    emulator.inject(Fault(Call.SUBMIT, "closed", after_accept=is_charged))
    with pytest.raises(SubmissionUncertainError) as error:
        rig.run(request)
    accepted = emulator.ledger[charges:]
    return rig.journal.get(error.value.job_id), accepted[0].request_id if accepted else None


def refused(call, error=InvalidInputError):
    with pytest.raises(error) as caught:
        call()
    assert UNCHANGED in str(caught.value) or "Nothing was changed." in str(caught.value)
    return str(caught.value)


def test_the_user_reads_what_happened_what_it_may_cost_and_both_ways_out(emulator, rig):
    emulator.inject(Fault(Call.SUBMIT, "503", after_accept=True))
    with pytest.raises(SubmissionUncertainError) as error:
        rig.run()
    assert str(error.value) == (
        "It is not known whether RunComfy accepted this request: RunComfy had an internal error (HTTP 503): The emulator "
        "was told to say so. It may have been charged, so it is not sent again automatically. Look under Generations on "
        "runcomfy.com. If the clip is there, put its request id into the RunComfy Request Status node and choose 'adopt'. If "
        "it is not there after a few minutes, put job-1 into that node and choose 'release'; then run the node again to buy it "
        "again. (job: job-1)"
    )


def test_it_says_the_same_however_often_it_is_run_and_sends_nothing(emulator, rig_on):
    job, _ = become_uncertain(emulator, rig_on(emulator))
    for _ in range(5):
        with pytest.raises(SubmissionUncertainError):
            rig_on(emulator).run()
    assert len(emulator.seen(Call.SUBMIT)) == 1
    assert "It is not known whether RunComfy accepted it" in rig_on(emulator).act("check", job.name).report


@pytest.mark.parametrize("names_the_job", [False, True])
def test_an_adopted_request_gives_its_clip_for_no_further_charge(emulator, rig, clip, names_the_job):
    job, request_id = become_uncertain(emulator, rig)
    finding = rig.act("adopt", f"{job.name} {request_id}" if names_the_job else f"  {request_id} ")
    assert finding.job.state is JobState.SUBMITTED
    assert "there is no new charge" in finding.report
    assert rig.run().path.read_bytes() == clip
    assert emulator.charges == 1


def test_an_adopted_request_can_be_collected_without_the_node(emulator, rig, clip):
    _, request_id = become_uncertain(emulator, rig)
    rig.act("adopt", request_id)
    assert rig.collect(request_id).path.read_bytes() == clip


def test_an_id_collected_by_itself_before_can_still_be_adopted(emulator, rig, clip):
    job, request_id = become_uncertain(emulator, rig)
    assert rig.collect(request_id).path.read_bytes() == clip
    rig.act("adopt", f"{job.name} {request_id}")
    assert rig.run().request_id == request_id
    assert emulator.charges == 1


def test_an_adopted_request_that_failed_says_so(emulator, rig):
    _, request_id = become_uncertain(emulator, rig)
    emulator.release(request_id, State.FAILED, "blocked by our moderation system")
    rig.act("adopt", request_id)
    with pytest.raises(GenerationFailedError, match="blocked by our moderation system"):
        rig.run()


def test_collecting_what_was_being_sent_when_comfyui_died_says_that_it_is_uncertain(emulator, rig):
    job = rig.journal.claim(request_of())
    rig.journal.record_submitting(job, expected_usd=None, max_usd_per_day=None)
    with pytest.raises(
        SubmissionUncertainError, match=r"ComfyUI ended while the request was being sent.*choose 'adopt'"
    ):
        rig.collect(job.name)
    assert rig.journal.get(job.id).state is JobState.UNCERTAIN
    assert emulator.charges == 0


@pytest.mark.parametrize("name", ["job-1 ", "../../etc/passwd", "req with spaces", "r" * 129, "job-1 http://x", "é"])
def test_what_is_not_an_id_is_not_adopted(emulator, rig, name):
    become_uncertain(emulator, rig)
    with pytest.raises(RunComfyError):
        rig.act("adopt", name)
    assert rig.journal.get(1).state is JobState.UNCERTAIN


def test_an_id_that_runcomfy_does_not_know_is_not_adopted(emulator, rig):
    become_uncertain(emulator, rig)
    said = refused(lambda: rig.act("adopt", "req-unheard-of"), NotFoundError)
    assert "Compare the id with the one under Generations" in said
    assert rig.journal.get(1).state is JobState.UNCERTAIN


def test_an_id_of_another_account_is_not_adopted(emulator, rig):
    _, request_id = become_uncertain(emulator, rig)
    emulator.configure(foreign_ids=frozenset({request_id}))
    with pytest.raises((NotFoundError, AuthenticationError)):
        rig.act("adopt", request_id)
    assert rig.journal.get(1).state is JobState.UNCERTAIN


def test_an_id_of_another_model_is_not_adopted(emulator, rig):
    become_uncertain(emulator, rig)
    emulator.configure(echo_model_id=True, other_model_ids=(OTHER_MODEL,))
    other_id = Visitor(emulator).submit(OTHER_MODEL).json["request_id"]
    assert OTHER_MODEL in refused(lambda: rig.act("adopt", other_id))
    assert rig.journal.get(1).state is JobState.UNCERTAIN


def test_an_id_of_another_job_is_not_adopted(emulator, rig):
    bought = rig.run(request_of("another"))
    job, _ = become_uncertain(emulator, rig)
    assert bought.name in refused(lambda: rig.act("adopt", f"{job.name} {bought.request_id}"))
    assert rig.journal.get(job.id).state is JobState.UNCERTAIN
    assert rig.journal.get(bought.id).state is JobState.DOWNLOADED


def test_without_an_uncertain_job_nothing_is_adopted(emulator, rig):
    rig.run()
    foreign_id = Visitor(emulator).accepted()
    refused(lambda: rig.act("adopt", foreign_id))
    refused(lambda: rig.act("adopt", f"job-1 {foreign_id}"))
    refused(lambda: rig.act("adopt", f"job-99 {foreign_id}"))
    assert rig.journal.by_request_id(foreign_id) is None


def test_with_two_uncertain_jobs_the_user_has_to_say_which(emulator, rig, clip):
    requests = [request_of("one"), request_of("two")]
    jobs = [become_uncertain(emulator, rig, request) for request in requests]
    assert "job-1 <request id>" in refused(lambda: rig.act("adopt", jobs[0][1])).replace("job-7", "job-1")
    for (job, request_id), request in zip(jobs, requests, strict=True):
        rig.act("adopt", f"{job.name} {request_id}")
        assert rig.run(request).path.read_bytes() == clip
    assert emulator.charges == 2


def test_a_job_that_a_node_works_on_is_neither_adopted_nor_released(emulator, rig):
    job, request_id = become_uncertain(emulator, rig)
    with rig.journal.lock(job.fingerprint) as lock:
        assert lock.try_acquire()
        refused(lambda: rig.act("adopt", request_id))
        refused(lambda: rig.act("release", job.name))
    assert rig.journal.get(job.id) == job


@pytest.mark.parametrize("is_charged", [False, True])
def test_a_released_job_is_bought_again_and_its_possible_charge_still_counts(emulator, rig_on, clip, is_charged):
    rig = rig_on(emulator, max_usd_per_day=2.5)
    job, _ = become_uncertain(emulator, rig, is_charged=is_charged)
    report = rig.act("release", job.name).report
    assert "the next run with the same inputs buys a new clip" in report
    assert "It may have been charged" in report
    assert rig.run().path.read_bytes() == clip
    assert emulator.charges == 1 + is_charged
    assert rig.history.totals().today_usd == pytest.approx(2.4)
    with pytest.raises(RunComfyError, match=r"\$2.40 is already spent or under way"):
        rig.run(request_of("another"))


def test_a_request_found_after_the_release_is_collected_instead_of_adopted(emulator, rig, clip):
    job, request_id = become_uncertain(emulator, rig)
    rig.act("release", job.name)
    assert "choose 'collect'" in refused(lambda: rig.act("adopt", f"{job.name} {request_id}"))
    assert rig.collect(request_id).path.read_bytes() == clip
    assert emulator.charges == 1


@pytest.mark.parametrize("state", [State.RENDERING, State.SUCCEEDED])
def test_a_job_that_runcomfy_still_has_is_not_released(emulator, rig_on, clip, state):
    emulator.hold()
    rig = rig_on(emulator, timeout_s=0.05)
    with pytest.raises(RunComfyError):
        rig.run(report=lambda p: isinstance(p, Queued) and emulator.release(p.request_id, State.RENDERING))
    emulator.release(emulator.requests[0].request_id, state)
    assert "would lose a clip that is paid for" in refused(lambda: rig.act("release", "job-1"))
    emulator.release(emulator.requests[0].request_id)
    assert rig.run().path.read_bytes() == clip
    assert emulator.charges == 1


def test_a_job_for_which_another_program_adopts_a_request_at_that_moment_is_not_released(
    emulator, rig_on, clip, monkeypatch
):
    rig, other = rig_on(emulator), rig_on(emulator)
    job, request_id = become_uncertain(emulator, rig)
    lock = rig.journal.lock

    def locked_late(fingerprint):
        if rig.journal.get(job.id).state is JobState.UNCERTAIN:
            other.act("adopt", f"{job.name} {request_id}")
        return lock(fingerprint)

    monkeypatch.setattr(rig.journal, "lock", locked_late)
    assert "RunComfy still has the request" in refused(lambda: rig.act("release", job.name))
    assert rig_on(emulator).run().path.read_bytes() == clip
    assert emulator.charges == 1


def test_a_job_that_runcomfy_has_forgotten_can_be_released(emulator, rig_on):
    emulator.hold()
    rig = rig_on(emulator, timeout_s=0.05)
    with pytest.raises(RunComfyError):
        rig.run(report=lambda p: isinstance(p, Queued) and emulator.release(p.request_id, State.RENDERING))
    emulator.inject(Fault(Call.RESULT, "404-404001", times=None))
    assert rig.act("release", "job-1").job.is_released


def test_a_clip_on_this_disk_is_not_released(emulator, rig):
    job = rig.run()
    refused(lambda: rig.act("release", job.name))
    assert rig.run() == job
    assert emulator.charges == 1
