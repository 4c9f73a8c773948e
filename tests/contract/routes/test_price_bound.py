"""What a price says of the real one, from, up to or about, is the same word at the badge, in the question and in the journal."""

import asyncio

import pytest
from contract.routes.page import Page
from pack import load_pack
from sora2pro.nodes.errors import NotConfirmedError
from sora2pro.nodes.run import current
from sora2pro.nodes.runcomfy import JobQuery
from sora2pro.nodes.runcomfy.store.journal import Journal
from sora2pro.nodes.runcomfy.store.postgres import PostgresDatabase
from sora2pro.nodes.runcomfy.store.schema import VERSION
from support.engine_fixture import request_of
from support.node_runs import pictures, run_status

SORA, ANY = "Sora2ProImageToVideo", "RunComfyImageToVideo"
FROM = "pixverse/pixverse-v6/image-to-video"
TOTAL = "bytedance/seedance-2.5/image-to-video/1080p"
OPEN = "blackforestlabs/flux-3/image-to-video"
# The node, its inputs, what is kept, and how a price of $1.20 reads.
CASES = [
    pytest.param(ANY, {"model": FROM, "duration": 5}, "at_least", "from $", id="a rate from"),
    pytest.param(ANY, {"model": TOTAL, "duration": 5}, "about", "about $", id="a total"),
    pytest.param(ANY, {"model": OPEN, "duration": 0}, "at_least_for_the_longest", "from $", id="an open length"),
    pytest.param(SORA, {"size": "1792x1024"}, "at_least", "from $", id="a larger size of Sora"),
    pytest.param(SORA, {}, "about", "about $", id="the smallest size of Sora"),
]


@pytest.fixture
def started(start_emulator, point_to):
    def start(variables=None, **options):
        emulator = start_emulator(**options)
        point_to(emulator, **{"RUNCOMFY_MAX_USD_PER_DAY": "none", **(variables or {})})
        current._engine.cache_clear()
        return emulator

    return start


def run(node_id, **inputs):
    given = {"image": pictures(0.5).repeat(1, 5, 5, 1), "prompt": "A fox runs.", "decode_frames": False}
    return asyncio.run(load_pack().NODE_CLASS_MAPPINGS[node_id]().generate(**{**given, **inputs}))


@pytest.mark.parametrize(("node_id", "inputs", "bound", "words"), CASES)
def test_the_journal_and_the_row_keep_the_word_until_the_cost_is_known(started, server, node_id, inputs, bound, words):
    started(cost="absent")
    run(node_id, **inputs)
    current._engine.cache_clear()
    (job,) = current.current_engine().jobs(JobQuery()).jobs
    (row,) = Page(server, []).jobs()["jobs"]
    assert (job.price_bound, row["price_bound"]) == (bound, bound)
    said = words if bound != "about" else "$"
    assert f"(expected: {said}" in row["charge"]
    assert f"(expected: {said}" in run_status(job.request_id)[-1]


@pytest.mark.parametrize(("node_id", "inputs", "bound", "words"), CASES)
def test_the_question_and_its_refusal_have_the_word(started, node_id, inputs, bound, words):  # noqa: ARG001 - of the row
    emulator = started({"RUNCOMFY_ASK_ABOVE_USD": "0.01"})
    with pytest.raises(NotConfirmedError) as raised:
        run(node_id, **inputs)
    assert f"This clip ({words}" in str(raised.value)
    assert emulator.charges == 0


def test_what_was_paid_for_such_a_clip_is_about_what_the_next_one_costs(started):
    started()
    run(ANY, model=FROM, duration=5)
    run(ANY, model=FROM, duration=5, seed=1)
    newest, oldest = current.current_engine().jobs(JobQuery()).jobs
    assert (oldest.price_bound, newest.price_bound) == ("at_least", "about")


@pytest.fixture
def older_url(postgres):
    """A journal of the version before prices had a word, with a job under way."""
    return postgres.new_database()


def test_an_older_journal_in_postgresql_learns_the_word_and_keeps_its_jobs(postgres, older_url):
    name = older_url.rpartition("/")[2]
    old = Journal("/nowhere", database=PostgresDatabase(older_url))
    job = old.record_submitting(old.claim(request_of()), expected_usd=1.2, max_usd_per_day=None)
    for column in ("price_bound", "file_machine"):
        postgres.ask(f"ALTER TABLE jobs DROP COLUMN {column}", database=name)
    postgres.ask("DROP TABLE descriptions", database=name)
    postgres.ask("UPDATE journal_version SET version = 5", database=name)
    journal = Journal("/nowhere", database=PostgresDatabase(older_url))
    assert journal.get(job.id) == job
    assert journal.get(job.id).price_bound == "about"
    assert postgres.ask("SELECT version FROM journal_version", database=name) == [(VERSION,)]
