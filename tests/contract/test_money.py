"""Money in sight: what a clip will cost, what it did cost, the limit of a day, and what every error says of the charge."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from emulator import Call, Fault, State, Timeline
from sora2pro.nodes.errors import NOT_CHARGED, NOTHING_SENT, RunComfyError, SpendLimitError, Stopped
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.progress import Queued, StopSignal, Submitting
from sora2pro.nodes.runcomfy.store.copying import copy_jobs
from support import assertions
from support.engine_fixture import Rig, request_of

CLIP_USD = 1.2
LIST_USD = 2.0
DAY_S = 86_400


def refused_by_the_cap(rig, prompt="one too many"):
    outcome = assertions.attempt(rig, request_of(prompt))
    assert isinstance(outcome, SpendLimitError), outcome
    assert NOTHING_SENT in str(outcome)
    return str(outcome)


def expected_usd(rig, request=None):
    told = []
    rig.run(request, report=told.append)
    return next(progress.expected_usd for progress in told if isinstance(progress, Submitting))


@pytest.mark.parametrize(
    ("options", "usd"),
    [
        ({"base_price_usd": 0.3, "price_unit": "second"}, 1.2),
        ({"base_price_usd": 2.5, "price_unit": "output"}, 2.5),
        ({"base_price_usd": 2.5, "price_unit": "image"}, None),
        ({"base_price_usd": None}, None),
    ],
)
def test_the_expected_price_is_the_catalogues(start_emulator, rig_on, options, usd):
    rig = rig_on(start_emulator(**options))
    assert expected_usd(rig) == usd
    assert rig.journal.newest().expected_usd == usd


def test_what_was_paid_last_is_a_better_guide_than_the_catalogue(emulator, rig):
    rig.run()
    emulator.configure(base_price_usd=9.0)
    assert expected_usd(rig, request_of("another")) == CLIP_USD


def test_a_catalogue_out_of_order_blocks_nothing(emulator, rig, clip):
    emulator.inject(Fault(Call.CATALOGUE, "500", times=None))
    assertions.assert_clip_for_one_charge(rig, emulator, clip)
    assert rig.journal.newest().expected_usd is None


@pytest.mark.parametrize(("cost", "usd"), [("included", CLIP_USD), ("late", CLIP_USD), ("absent", None)])
def test_the_cost_is_recorded_also_when_it_comes_late(start_emulator, rig_on, cost, usd):
    rig = rig_on(start_emulator(cost=cost))
    assert rig.run().cost_usd == usd
    assert rig.journal.newest().cost_usd == usd


def test_a_cost_that_comes_after_the_run_is_recorded_by_a_look(start_emulator, rig_on):
    emulator = start_emulator(cost="absent")
    rig = rig_on(emulator)
    job = rig.run()
    assert "RunComfy has not named the amount yet (expected: $1.20)" in rig.act("check", job.name).report
    emulator.configure(cost="included")
    assert "RunComfy charged $1.20 for it." in rig.act("check", job.name).report
    assert rig.journal.get(job.id).cost_usd == CLIP_USD


def test_the_limit_of_a_day_holds_over_restarts_and_ends_at_midnight(emulator, rig_on):
    now = time.time()
    for number in range(2):
        rig_on(emulator, max_usd_per_day=2.5, wall_clock=lambda: now).run(request_of(str(number)))
    said = refused_by_the_cap(rig_on(emulator, max_usd_per_day=2.5, wall_clock=lambda: now))
    assert "$2.40 is already spent or under way today" in said
    assert emulator.charges == 2
    rig_on(emulator, max_usd_per_day=2.5, wall_clock=lambda: now + DAY_S).run(request_of("one too many"))
    assert emulator.charges == 3


def test_what_was_bought_before_is_served_though_the_limit_is_reached(emulator, rig_on, clip):
    rig_on(emulator).run()
    rig = rig_on(emulator, max_usd_per_day=0.0)
    assert rig.run().path.read_bytes() == clip
    refused_by_the_cap(rig)


def test_what_is_under_way_counts(start_emulator, rig_on):
    emulator = start_emulator(Timeline.after_polls(queued=0, rendering=1_000_000))
    assert isinstance(assertions.attempt(rig_on(emulator, timeout_s=0.05)), RunComfyError)
    refused_by_the_cap(rig_on(emulator, max_usd_per_day=2.0, timeout_s=0.05))


@pytest.mark.parametrize("after_accept", [False, True])
def test_what_nobody_knows_counts(emulator, rig_on, after_accept):
    emulator.inject(Fault(Call.SUBMIT, "closed", after_accept=after_accept))
    assert isinstance(assertions.attempt(rig_on(emulator)), RunComfyError)
    refused_by_the_cap(rig_on(emulator, max_usd_per_day=2.0))


def test_what_failed_at_an_unknown_charge_counts(emulator, rig_on):
    emulator.inject(Fault(Call.RESULT, "ends-failed"))
    assert isinstance(assertions.attempt(rig_on(emulator)), RunComfyError)
    refused_by_the_cap(rig_on(emulator, max_usd_per_day=2.0))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Call.SUBMIT, "402"),
        Fault(Call.SUBMIT, "429", times=None),
        Fault(Call.SUBMIT, "refused", times=None, closed_s=None),
    ],
    ids=str,
)
def test_what_was_refused_does_not_count(emulator, rig_on, fault):
    emulator.inject(fault)
    assert isinstance(assertions.attempt(rig_on(emulator)), RunComfyError)
    emulator.clear_faults()
    rig_on(emulator, max_usd_per_day=1.2).run()
    assert emulator.charges == 1


def test_what_was_cancelled_in_the_queue_does_not_count(start_emulator, rig_on):
    emulator = start_emulator(Timeline.by_hand())
    rig = rig_on(emulator, max_usd_per_day=1.2)
    for _ in range(3):
        stop = StopSignal()
        with pytest.raises(Exception, match="Nothing is charged for it"):
            rig.run(stop=stop, report=lambda p, s=stop: isinstance(p, Queued) and s.set(cancels_remotely=True))
    assert len(emulator.ledger) == 3
    assert emulator.charges == 0


def test_an_unknown_price_counts_with_the_list_price(start_emulator, rig_on):
    emulator = start_emulator(base_price_usd=None, cost="absent")
    rig = rig_on(emulator, max_usd_per_day=LIST_USD + 0.1)
    rig.run()
    assert f"${LIST_USD:.2f} is already spent" in refused_by_the_cap(rig)


def test_many_at_the_same_moment_do_not_pass_the_limit_together(emulator, rig_on):
    """Each run has an engine of its own, as eight processes would: what they share is the file."""
    limit = 3 * CLIP_USD

    def run(number):
        return assertions.attempt(rig_on(emulator, max_usd_per_day=limit), request_of(str(number)))

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(run, range(8)))
    assert emulator.charges == 3
    assert sum(isinstance(outcome, SpendLimitError) for outcome in outcomes) == 5


ON_ITS_WAY = "RunComfy has accepted it and will charge for it (expected: $1.20)."
PERHAPS = "It may have been charged, so it is not sent again automatically."
KEPT = "The clip is paid for and still kept at RunComfy."
FAILED = "RunComfy does not say whether it charges for failed generations: check Usage on runcomfy.com."


@pytest.mark.parametrize(
    ("fault", "money"),
    [
        (Fault(Call.SUBMIT, "refused", times=None, closed_s=None), NOTHING_SENT),
        (Fault(Call.SUBMIT, "400-400001"), NOT_CHARGED),
        (Fault(Call.SUBMIT, "400-400002"), NOT_CHARGED),
        (Fault(Call.SUBMIT, "400-400004"), NOT_CHARGED),
        (Fault(Call.SUBMIT, "422"), NOT_CHARGED),
        (Fault(Call.SUBMIT, "200-error-code"), NOT_CHARGED),
        (Fault(Call.SUBMIT, "429", times=None), NOT_CHARGED),
        (Fault(Call.SUBMIT, "503", after_accept=True), PERHAPS),
        (Fault(Call.SUBMIT, "reset"), PERHAPS),
        (Fault(Call.SUBMIT, "id-illegal", after_accept=True), PERHAPS),
        (Fault(Call.STATUS, "401"), ON_ITS_WAY),
        (
            Fault(Call.STATUS, "404-404001", times=None),
            "It was accepted before, so it may have been charged (expected: $1.20).",
        ),
        (Fault(Call.RESULT, "403"), ON_ITS_WAY),
        (Fault(Call.RESULT, "no-output", times=None), ON_ITS_WAY),
        (Fault(Call.RESULT, "ends-failed"), FAILED),
        (Fault(Call.RESULT, "ends-cancelled"), "It may have been charged (expected: $1.20)."),
        (Fault(Call.DOWNLOAD, "503", times=None), KEPT),
        (Fault(Call.DOWNLOAD, "html-200", times=None), KEPT),
        (Fault(Call.DOWNLOAD, "403", times=None), KEPT),
    ],
    ids=str,
)
def test_every_error_says_what_is_known_of_the_charge(emulator, rig, fault, money):
    emulator.inject(fault)
    error = assertions.attempt(rig)
    assert isinstance(error, RunComfyError)
    assert money in str(error)


def test_a_timeout_says_that_it_is_being_made_and_costs_no_more(start_emulator, rig_on):
    emulator = start_emulator(Timeline.after_polls(queued=0, rendering=1_000_000))
    error = assertions.attempt(rig_on(emulator, timeout_s=0.05))
    assert ON_ITS_WAY in str(error)
    assert "Run the node again to pick up where it left off: there is no new charge." in str(error)
    assert rig_on(emulator).journal.newest().state is JobState.SUBMITTED
    assert emulator.seen(Call.CANCEL) == []


def test_a_withdrawn_sora_is_free_and_the_error_names_the_node_for_current_models(start_emulator, rig_on):
    emulator = start_emulator(model_retired="404")
    said = str(assertions.attempt(rig_on(emulator)))
    assert "Use the node 'Image to Video, any model (RunComfy)' with a model that is sold today." in said
    assert assertions.is_called_free(said)
    assert emulator.ledger == []


def refused_for_now(rig, emulator):
    """RunComfy has no room for the request: it is recorded, and was never accepted."""
    emulator.inject(Fault(Call.SUBMIT, "429", times=None))
    assert isinstance(assertions.attempt(rig), RunComfyError)
    emulator.clear_faults()


@pytest.mark.parametrize("ahead_s", [0, 3600], ids=["", "from a machine whose clock is ahead"])
def test_a_journal_that_is_copied_again_buys_nothing_again(emulator, tmp_path, ahead_s):
    here = Rig(emulator.url, emulator.token, tmp_path / "here", wall_clock=lambda: time.time() + ahead_s)
    there = Rig(emulator.url, emulator.token, tmp_path / "there")
    refused_for_now(here, emulator)
    copy_jobs(here.journal.database, there.journal.database, is_dry_run=False)
    bought = there.run()
    refused_for_now(here, emulator)
    copy_jobs(here.journal.database, there.journal.database, is_dry_run=False)
    assert there.run().request_id == bought.request_id
    assert emulator.charges == 1


def test_a_journal_that_is_copied_again_knows_that_a_cancelled_request_runs_after_all(start_emulator, tmp_path):
    emulator = start_emulator(Timeline.by_hand())
    here = Rig(emulator.url, emulator.token, tmp_path / "here")
    there = Rig(emulator.url, emulator.token, tmp_path / "there")
    stop = StopSignal()
    with pytest.raises(Stopped):
        here.run(stop=stop, report=lambda now: isinstance(now, Queued) and stop.set(cancels_remotely=True))
    job = here.journal.newest()
    copy_jobs(here.journal.database, there.journal.database, is_dry_run=False)
    here.journal.reopen(job)
    copy_jobs(here.journal.database, there.journal.database, is_dry_run=False)
    emulator.release(job.request_id, State.SUCCEEDED)
    assert there.run().request_id == job.request_id
    assert len(emulator.requests) == 1
