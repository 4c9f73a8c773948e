"""RunComfy changes a default of a model: the graph that was left at it is never paid for twice, and the user is told."""

import pytest
from emulator import Call, Fault
from emulator.quirks import QUIRKS, Quirk
from sora2pro.nodes.errors import RunComfyError
from sora2pro.nodes.run import current
from sora2pro.nodes.runcomfy import JobQuery
from sora2pro.nodes.runcomfy.store.copying import copy_jobs
from sora2pro.nodes.runcomfy.store.postgres import PostgresDatabase
from support.node_runs import run_any_node, run_status

PLAIN = "pixverse/pixverse-v6/image-to-video"
LONGER = {PLAIN: QUIRKS["longer-default-length"]}
OLD_S, NEW_S = 5, 15


@pytest.fixture
def started(start_emulator, point_to):
    def start(**options):
        emulator = start_emulator(**options)
        point_to(emulator, RUNCOMFY_MAX_USD_PER_DAY="none")
        current._engine.cache_clear()
        return emulator

    return start


@pytest.fixture
def emulator(started):
    return started()


def run(**inputs):
    (output,) = run_any_node(**inputs)
    return output


def restart(emulator, quirks):
    emulator.configure(quirks=quirks)
    current._engine.cache_clear()


def lengths(emulator):
    return [charge.body["duration"] for charge in emulator.ledger]


def jobs():
    return current.current_engine().jobs(JobQuery()).jobs


def test_a_clip_on_this_disk_is_served_after_another_run_has_read_the_new_default(emulator, caplog):
    caplog.set_level("INFO")
    first = run()
    restart(emulator, LONGER)
    run(seed=7)
    assert lengths(emulator) == [OLD_S, NEW_S]
    current._engine.cache_clear()
    assert run().request_id == first.request_id
    assert lengths(emulator) == [OLD_S, NEW_S]
    assert f"(duration {OLD_S} \N{RIGHTWARDS ARROW} {NEW_S})" in caplog.text


def test_a_clip_that_is_not_on_this_disk_yet_is_collected_and_not_bought_again(emulator):
    first = run()
    first.video.path.unlink()
    restart(emulator, LONGER)
    assert run().request_id == first.request_id
    assert lengths(emulator) == [OLD_S]


def test_a_request_that_may_have_been_accepted_is_not_sent_again(emulator):
    emulator.inject(Fault(Call.SUBMIT, "reset", after_accept=True))
    for quirks in ({}, LONGER):
        restart(emulator, quirks)
        with pytest.raises(RunComfyError, match="not known whether RunComfy accepted"):
            run()
    assert lengths(emulator) == [OLD_S]


def test_what_was_bought_by_the_shipped_description_is_not_bought_again_by_the_live_one(emulator):
    emulator.inject(Fault(Call.CATALOGUE, "500", times=None))
    first = run()
    emulator.clear_faults()
    restart(emulator, LONGER)
    run(seed=7)
    assert run().request_id == first.request_id
    assert lengths(emulator) == [OLD_S, NEW_S]


def test_every_earlier_default_is_remembered(emulator):
    ids = []
    for seconds in (OLD_S, 7, 9, NEW_S):
        restart(emulator, {PLAIN: Quirk(fields={"duration": {"default": seconds}})})
        ids.append(run(seed=seconds).request_id)
    current._engine.cache_clear()
    assert [run(seed=seconds).request_id for seconds in (OLD_S, 7, 9, NEW_S)] == ids
    assert lengths(emulator) == [OLD_S, 7, 9, NEW_S]


def test_a_length_that_is_asked_for_is_the_length_that_is_bought(emulator):
    run()
    restart(emulator, LONGER)
    run(duration=NEW_S)
    run(seed=7)
    assert lengths(emulator) == [OLD_S, NEW_S, NEW_S]


def test_another_seed_buys_by_the_new_default(emulator):
    run()
    restart(emulator, LONGER)
    run(seed=1)
    assert lengths(emulator) == [OLD_S, NEW_S]


def test_what_was_never_sent_is_bought_by_the_new_default_and_recorded_so(emulator):
    emulator.inject(Fault(Call.SUBMIT, "429", times=None))
    with pytest.raises(RunComfyError):
        run()
    emulator.clear_faults()
    restart(emulator, LONGER)
    run()
    assert lengths(emulator) == [NEW_S]
    assert jobs()[0].inputs["duration"] == NEW_S


def test_a_released_clip_is_bought_by_the_new_default(emulator):
    emulator.inject(Fault(Call.SUBMIT, "reset", after_accept=True))
    with pytest.raises(RunComfyError):
        run()
    run_status("job-1", "release")
    restart(emulator, LONGER)
    run()
    assert lengths(emulator) == [OLD_S, NEW_S]


@pytest.fixture
def at(start_emulator, point_to, postgres, tmp_path):
    """Sits down at a machine of a studio with one journal, while RunComfy's default for the length is this."""
    emulator, url = start_emulator(), postgres.new_database()

    def sit_down(machine, *, default_s, journal_url=url, is_restarted=True):
        emulator.configure(quirks={PLAIN: Quirk(fields={"duration": {"default": default_s}})})
        address = {} if journal_url is None else {"RUNCOMFY_JOURNAL_URL": journal_url}
        point_to(emulator, tmp_path / machine, RUNCOMFY_MAX_USD_PER_DAY="none", **address)
        if is_restarted:
            current._engine.cache_clear()
        return emulator

    sit_down.url = url
    return sit_down


def test_what_one_machine_bought_by_a_former_default_no_other_machine_buys_again(at):
    at("render-01", default_s=7)
    first = run()
    emulator = at("render-02", default_s=NEW_S)
    assert run().request_id == first.request_id
    assert lengths(emulator) == [7]


def test_a_machine_that_still_knows_the_former_default_does_not_buy_what_another_bought_by_the_new_one(at):
    at("render-01", default_s=7)
    run(seed=7)
    at("render-02", default_s=NEW_S, is_restarted=False)
    second = run()
    emulator = at("render-01", default_s=NEW_S, is_restarted=False)
    assert run().request_id == second.request_id
    assert lengths(emulator) == [7, NEW_S]


def test_a_journal_that_is_copied_to_the_studio_takes_the_former_defaults_with_it(at):
    at("render-01", default_s=7, journal_url=None)
    first = run()
    source = current.current_engine()._journal.database
    copy_jobs(source, PostgresDatabase(at.url), is_dry_run=False)
    copy_jobs(source, PostgresDatabase(at.url), is_dry_run=False)
    emulator = at("render-02", default_s=NEW_S)
    assert run().request_id == first.request_id
    assert lengths(emulator) == [7]
