import datetime as dt
import itertools
import time
import zoneinfo
from dataclasses import replace

import pytest
from sora2pro.nodes.errors import SpendLimitError
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.models import SORA_2_PRO
from sora2pro.nodes.runcomfy.store.history import SAMPLES, History
from sora2pro.nodes.runcomfy.store.journal import Journal
from sora2pro.nodes.runcomfy.store.spending import day_of
from support.values import made_job, made_request

MODEL = SORA_2_PRO.model_id
KIND = SORA_2_PRO.kind({"size": "1280x720", "seconds": 4})
NOON = dt.datetime(2026, 11, 22, 12).timestamp()  # noqa: DTZ001 - the user's own time


class Desk:
    """A journal and the questions to it, at a time that a test sets."""

    def __init__(self, folder, database=None):
        self.now = NOON
        self.journal = Journal(folder, clock=lambda: self.now, database=database)
        self.history = History(self.journal.database, clock=lambda: self.now)

    def sent(self, *, expected_usd=None, **changes):
        job = self.journal.claim(made_request(**changes))
        return self.journal.record_submitting(job, expected_usd=expected_usd, max_usd_per_day=None)

    def accepted(self, **changes):
        job = self.sent(**changes)
        return self.journal.record_submitted(job, f"request-{job.id}")

    def bought(self, cost_usd=None, render_s=None, **changes):
        return self.journal.record_completed(
            self.accepted(**changes), video_url="https://x.runcomfy.net", cost_usd=cost_usd, render_s=render_s
        )


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request, tmp_path):
    return Desk(tmp_path, request.getfixturevalue("empty_postgres") if request.param == "postgresql" else None)


def test_render_times_are_those_of_the_same_kind_of_clip_newest_first(desk):
    for seed, render_s in enumerate([60.0, None, 90.0]):
        desk.bought(render_s=render_s, take=seed)
    desk.bought(render_s=1.0, seconds=8)
    desk.bought(render_s=2.0, size="720x1280")
    assert desk.history.render_times_s(made_job()) == [90.0, 60.0]
    assert desk.history.render_times_s(made_job(model_id="another/model")) == []


def test_old_render_times_are_forgotten(desk):
    for seed in range(SAMPLES + 5):
        desk.bought(render_s=float(seed), take=seed)
    times = desk.history.render_times_s(made_job())
    assert (len(times), times[0]) == (SAMPLES, float(SAMPLES + 4))


def test_the_last_price_is_that_of_the_last_clip_of_the_same_kind_that_cost_something(desk):
    assert desk.history.last_cost_usd(MODEL, KIND) is None
    desk.bought(cost_usd=1.2, take=1)
    desk.bought(cost_usd=1.3, take=2)
    desk.bought(cost_usd=0.0, take=3)
    desk.bought(cost_usd=None, take=4)
    desk.bought(cost_usd=9.0, seconds=8)
    desk.journal.record_failed(desk.accepted(take=5), "refused", 0.7)
    assert desk.history.last_cost_usd(MODEL, KIND) == 1.3


def test_totals_count_the_best_figure_there_is_for_each_job(desk):
    desk.bought(cost_usd=2.5, expected_usd=1.0, take=1)
    desk.accepted(expected_usd=1.25, take=2)
    desk.accepted(seconds=8)
    totals = desk.history.totals()
    assert (totals.today_usd, totals.all_time_usd, totals.job_count) == (2.5 + 1.25 + 8 * 0.5, 7.75, 3)


def test_what_cost_nothing_counts_nothing(desk):
    journal = desk.journal
    journal.claim(made_request(take=1))
    journal.record_not_submitted(desk.sent(take=2), "port closed")
    journal.record_rejected(desk.sent(take=3), "no money")
    journal.record_cancelled(journal.record_cancel_requested(desk.accepted(take=4)), "in the queue")
    journal.record_failed(desk.accepted(take=5), "refused", 0.0)
    assert (desk.history.totals().all_time_usd, desk.history.totals().job_count) == (0.0, 5)


def test_what_may_have_been_charged_counts_also_when_it_was_given_up(desk):
    desk.journal.release(desk.journal.record_uncertain(desk.sent(expected_usd=1.2, take=1), "lost"))
    desk.journal.record_failed(desk.accepted(expected_usd=1.3, take=2), "refused", None)
    assert desk.history.totals().today_usd == pytest.approx(2.5)


def test_a_day_ends_at_the_users_own_midnight(desk):
    desk.now = day_of(NOON).start - 1
    desk.bought(cost_usd=1.0, take=1)
    desk.now = day_of(NOON).start
    desk.bought(cost_usd=2.0, take=2)
    desk.now = NOON
    totals = desk.history.totals()
    assert (totals.today_usd, totals.all_time_usd) == (2.0, 3.0)


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def zone(request, monkeypatch):
    if not hasattr(time, "tzset"):
        pytest.skip("Windows keeps one zone for all programs.")
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize("hour", [0, 1, 12, 23])
@pytest.mark.parametrize(("month", "day"), [(3, 8), (3, 29), (10, 25), (11, 1), (11, 22)])
def test_a_day_begins_at_midnight_in_every_zone_also_when_the_clocks_change(month, day, hour):
    moment = dt.datetime(2026, month, day, hour, 59)  # noqa: DTZ001 - the user's own time
    start = dt.datetime.fromtimestamp(day_of(moment.timestamp()).start)  # noqa: DTZ006 - the user's own time
    assert start == dt.datetime(2026, month, day)  # noqa: DTZ001 - the user's own time


# Where midnight comes twice, is skipped, or an hour of the day before is shown again after it; and a day that never was.
ODD_DAYS = [
    ("America/Havana", 2024, 11, 3),
    ("America/Havana", 2024, 3, 10),
    ("Atlantic/Azores", 2024, 10, 27),
    ("Atlantic/Azores", 2024, 3, 31),
    ("America/Santiago", 2023, 9, 3),
    ("America/Santiago", 2023, 4, 2),
    ("America/Asuncion", 2023, 10, 1),
    ("America/Asuncion", 2023, 3, 26),
    ("Africa/Cairo", 2024, 4, 26),
    ("Africa/Cairo", 2024, 11, 1),
    ("Asia/Beirut", 2024, 3, 31),
    ("Asia/Beirut", 2024, 10, 27),
    ("Asia/Amman", 2021, 10, 29),
    ("America/St_Johns", 2010, 11, 7),
    ("America/St_Johns", 2010, 3, 14),
    ("Australia/Lord_Howe", 2024, 4, 7),
    ("Pacific/Apia", 2011, 12, 30),
    ("Europe/Berlin", 2024, 10, 27),
]


@pytest.mark.parametrize(("name", "year", "month", "day"), ODD_DAYS)
def test_every_moment_belongs_to_one_day_of_the_cap_in_every_zone(monkeypatch, name, year, month, day):
    if not hasattr(time, "tzset"):
        pytest.skip("Windows keeps one zone for all programs.")
    zone = zoneinfo.ZoneInfo(name)
    monkeypatch.setenv("TZ", name)
    time.tzset()
    try:
        noon = int(dt.datetime(year, month, day, 12, tzinfo=dt.UTC).timestamp())
        days = [day_of(float(now)) for now in range(noon - 2 * 86_400, noon + 2 * 86_400, 600)]
    finally:
        monkeypatch.undo()
        time.tzset()
    periods = list(dict.fromkeys(days))
    assert days == sorted(days, key=lambda period: period.start), "a day that is over does not come again"
    assert all(one.end == other.start for one, other in itertools.pairwise(periods))
    moments = range(noon - 2 * 86_400, noon + 2 * 86_400, 600)
    assert all(period.start <= now < period.end for now, period in zip(moments, days, strict=True))
    for period in periods:
        on_the_clock = dt.datetime.fromtimestamp(period.start, zone)
        before = dt.datetime.fromtimestamp(period.start - 1, zone)
        assert before.date() < on_the_clock.date()
        assert (on_the_clock.hour, on_the_clock.minute) in ((0, 0), (1, 0)), "the first moment that the day shows"
        assert period.end - period.start >= 22 * 3600


def test_what_was_bought_in_the_first_of_two_midnights_counts_in_the_second(tmp_path, monkeypatch):
    if not hasattr(time, "tzset"):
        pytest.skip("Windows keeps one zone for all programs.")
    monkeypatch.setenv("TZ", "America/Havana")
    time.tzset()
    try:
        desk = Desk(tmp_path)
        twice = dt.datetime(2024, 11, 3, 0, 30)  # noqa: DTZ001 - the user's own time
        desk.now = twice.timestamp()
        desk.bought(cost_usd=1.0, take=1)
        desk.now = twice.replace(fold=1).timestamp()
        assert desk.history.totals().today_usd == 1.0
    finally:
        monkeypatch.undo()
        time.tzset()


DAY = 86_400


def test_what_was_bought_while_the_clock_was_ahead_counts_on_the_day_of_the_correction_and_not_every_day(desk):
    """It cannot be told from a purchase of a minute ago, until a later job proves that it is older than today."""
    desk.now = NOON + 4000 * DAY
    desk.bought(cost_usd=5.0, take=1)
    desk.now = NOON
    desk.journal.claim(made_request(take=2))
    assert desk.history.totals().today_usd == 5.0
    for days in (1, 2, 30):
        desk.now = NOON + days * DAY
        assert desk.history.totals().today_usd == 0.0
    assert desk.history.totals().all_time_usd == 5.0


def test_a_clock_that_is_behind_does_not_lift_the_cap(desk):
    for seed in range(3):
        desk.bought(cost_usd=2.0, take=seed)
    desk.now = NOON - 4000 * DAY
    assert desk.history.totals().today_usd == 6.0


def test_a_refusal_for_money_that_is_dated_in_the_future_says_so(desk):
    desk.now = NOON + 4000 * DAY
    desk.sent(expected_usd=5.0, take=1)
    desk.now = NOON
    job = desk.journal.claim(made_request(take=2))
    with pytest.raises(SpendLimitError) as raised:
        desk.journal.record_submitting(job, expected_usd=1.0, max_usd_per_day=5.0)
    assert "$5.00 of it is dated in the future: this machine's clock was wrong then, or is wrong now." in str(
        raised.value
    )


@pytest.mark.parametrize("expected_usd", [0.0, 1e-9, 0.0009])
def test_an_expected_price_next_to_nothing_counts_as_the_list_price(desk, expected_usd):
    desk.sent(expected_usd=expected_usd, take=1)
    assert desk.history.totals().today_usd == 4 * 0.5


@pytest.mark.parametrize("cost_usd", [0.0, 1e-9])
def test_a_clip_that_cost_next_to_nothing_is_not_a_guide_to_the_price(desk, cost_usd):
    desk.bought(cost_usd=cost_usd, take=1)
    assert desk.history.last_cost_usd(MODEL, KIND) is None


def test_prices_and_times_of_another_address_say_nothing_of_this_one(desk):
    desk.bought(cost_usd=0.01, render_s=1.0, take=1)
    there = History(desk.journal.database, api_base="http://127.0.0.1:8000")
    assert (there.last_cost_usd(MODEL, KIND), there.render_times_s(made_job())) == (None, [])
    assert (desk.history.last_cost_usd(MODEL, KIND), desk.history.render_times_s(made_job())) == (0.01, [1.0])


PROMPTS = ["a cat", "100% cotton", "snake_case", "back\\slash", "a cat's 100 % sure"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", PROMPTS),
        ("cat", ["a cat", "a cat's 100 % sure"]),
        ("CAT", ["a cat", "a cat's 100 % sure"]),
        ("%", ["100% cotton", "a cat's 100 % sure"]),
        ("100%", ["100% cotton"]),
        ("_", ["snake_case"]),
        ("\\", ["back\\slash"]),
        ("'", ["a cat's 100 % sure"]),
        ("dog", []),
        ("'; DROP TABLE jobs; --", []),
        ("prepared", PROMPTS),
    ],
)
def test_a_search_finds_what_is_written_letter_by_letter(desk, text, found):
    for prompt in PROMPTS:
        desk.journal.claim(made_request(prompt=prompt))
    assert [job.prompt for job in desk.history.search(text, limit=10)] == found[::-1]


def test_a_search_finds_a_request_by_a_part_of_its_id_and_a_job_by_its_state(desk):
    first = desk.accepted(take=1)
    second = desk.bought(take=2)
    assert [job.id for job in desk.history.search(f"request-{first.id}", limit=10)] == [first.id]
    assert [job.id for job in desk.history.search("completed", limit=10)] == [second.id]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("job-1", [1]),
        ("JOB-2", [2]),
        ("job-12", []),
        ("1280x720", [2]),
        ("1280\N{MULTIPLICATION SIGN}720", [2]),
        ("seed 77", [2]),
        ("77", [2]),
        ("seed 7", []),
        ("7", [1, 2]),
        ("seed", []),
        ("size", []),
        ("sora-2/pro", [1, 2]),
    ],
)
def test_a_search_finds_what_a_row_shows_of_a_job(desk, text, found):
    desk.journal.claim(made_request(take=5, size="720x1280"))
    desk.journal.claim(made_request(take=77, size="1280x720"))
    assert [job.id for job in desk.history.search(text, limit=10)] == found[::-1]


def test_jobs_are_listed_by_state_and_by_model_and_both_go_with_a_search(desk):
    first, second = desk.accepted(take=1), desk.bought(take=2)
    other = desk.journal.claim(made_request(take=3, model=replace(SORA_2_PRO, model_id="someone/model")))

    def ids(text="", **choice):
        return [job.id for job in desk.history.search(text, limit=10, **choice)]

    assert ids(states=[JobState.SUBMITTED]) == [first.id]
    assert ids(states=[JobState.SUBMITTED, JobState.COMPLETED]) == [second.id, first.id]
    assert ids(model_id="someone/model") == [other.id]
    assert ids(model_id="someone", states=[]) == []
    assert ids("seed 2", states=[JobState.COMPLETED], model_id=SORA_2_PRO.model_id) == [second.id]
    assert ids("seed 2", states=[JobState.SUBMITTED]) == []
    assert desk.history.models() == [SORA_2_PRO.model_id, "someone/model"]


def test_pages_follow_each_other_without_a_gap_though_jobs_are_added(desk):
    jobs = [desk.journal.claim(made_request(take=seed)).id for seed in range(5)]
    first = [job.id for job in desk.history.search("", limit=2)]
    desk.journal.claim(made_request(take=99))
    second = [job.id for job in desk.history.search("", limit=2, before_id=first[-1])]
    third = [job.id for job in desk.history.search("", limit=2, before_id=second[-1])]
    assert first + second + third == jobs[::-1]
