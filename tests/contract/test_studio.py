"""One journal in PostgreSQL for several machines: one charge, one cap, one limit, and no request id is ever lost."""

import gc
import os
import threading
import time

import pytest
from emulator import Call, Timeline
from sora2pro.nodes.errors import (
    NOTHING_SENT,
    JournalUnavailableError,
    RunComfyError,
    SpendLimitError,
    SubmissionUncertainError,
)
from sora2pro.nodes.runcomfy import buying, check_locks, look_at_journal
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.progress import Following, Queued, StopSignal, Submitting, WaitingForSlot
from sora2pro.nodes.runcomfy.store import postgres as postgres_module
from sora2pro.nodes.runcomfy.store.journal import Journal
from sora2pro.nodes.runcomfy.store.postgres import PostgresDatabase
from sora2pro.nodes.runcomfy.store.schema import MIGRATIONS
from support import assertions
from support.engine_fixture import Rig, request_of
from support.postgres import PASSWORD, PASSWORD_IN_ADDRESS, PostgresServer, Proxy, free_port

BY_HAND = pytest.mark.parametrize("emulator", [Timeline.by_hand()], indirect=True, ids=["by hand"])


@pytest.fixture
def emulator(start_emulator, request):
    return start_emulator(getattr(request, "param", None))


@pytest.fixture
def url(postgres):
    return postgres.new_database()


@pytest.fixture
def worker(url, emulator, tmp_path):
    """Makes a machine of the studio: its folders, its session at the database."""

    def make(name, *, url=url, **settings):
        mark = "&" if "?" in url else "?"
        return Rig(
            emulator.url,
            emulator.token,
            tmp_path / name,
            journal_url=f"{url}{mark}application_name={name}",
            **settings,
        )

    return make


def end_sessions(postgres, name):
    """As a network does that drops a machine's connections."""
    postgres.ask(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '{name}'")  # noqa: S608 - ours


def refused(url):
    with pytest.raises(JournalUnavailableError) as raised:
        Journal("/nowhere", database=PostgresDatabase(url)).check_writable()
    text = str(raised.value)
    assert NOTHING_SENT in text
    assert raised.value.remedy
    assert PASSWORD not in text
    assert PASSWORD_IN_ADDRESS not in text
    assert raised.value.__cause__ is None
    return text


def test_a_wrong_password_is_told(url):
    assert "refuses the user or the password" in refused(url.replace(PASSWORD_IN_ADDRESS, "wrong"))


def test_a_user_that_is_not_there_is_told(postgres):
    assert "refuses the user or the password" in refused(postgres.url(user="nobody"))


def test_a_database_that_is_not_there_is_told(postgres):
    assert "no database of that name" in refused(postgres.url("missing"))


def test_a_server_that_is_away_is_told(postgres):
    assert "does not answer" in refused(postgres.url(port=free_port()))


def test_an_option_that_libpq_does_not_know_is_told(url):
    assert "not libpq's" in refused(f"{url}?nonsense=1")


def test_encryption_that_the_server_does_not_offer_is_told(url):
    assert "certificate" in refused(f"{url}?sslmode=require")


def test_missing_rights_are_told_before_and_after_the_tables_are_there(postgres, url):
    name = url.rpartition("/")[2]
    postgres.ask(f"DROP ROLE IF EXISTS {name}_guest; CREATE ROLE {name}_guest LOGIN PASSWORD 'guest'")
    guest = postgres.url(name, user=f"{name}_guest", password="guest")  # noqa: S106 - of a server of the tests
    assert "may not use the tables" in refused(guest)
    Journal("/nowhere", database=PostgresDatabase(url)).check_writable()
    assert "may not use the tables" in refused(guest)


@pytest.mark.parametrize("value", ["off", "local", "remote_write"])
def test_a_server_that_may_forget_a_commit_is_refused(postgres, url, value):
    postgres.ask(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = '{value}'")
    assert "a record could be lost after the purchase" in refused(url)


def test_a_server_that_can_only_be_read_is_refused(postgres, url):
    Journal("/nowhere", database=PostgresDatabase(url)).check_writable()
    postgres.ask(f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_read_only = on")
    assert "can only be read" in refused(url)


def test_a_server_that_is_too_old_is_refused(url, monkeypatch):
    monkeypatch.setattr(postgres_module, "OLDEST", 990_000)
    assert "99 is the oldest" in refused(url)


def test_tables_of_another_program_are_left_alone(postgres, url):
    name = url.rpartition("/")[2]
    postgres.ask("CREATE TABLE jobs (id integer)", database=name)
    assert "tables are not the journal's" in refused(url)
    assert postgres.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", database=name) == [(1,)]


def test_two_versions_of_the_pack_side_by_side_the_older_one_is_refused_in_words(postgres, url, worker, emulator):
    older = worker("older")
    older.run()
    postgres.ask("UPDATE journal_version SET version = version + 1", database=url.rpartition("/")[2])
    outcome = assertions.attempt(older, request_of("another"))
    assert "written by a newer version" in str(outcome)
    assert NOTHING_SENT in str(outcome)
    assert len(emulator.ledger) == 1


def test_many_workers_that_make_the_tables_at_once_make_them_once(url):
    problems, start = [], threading.Barrier(6)

    def begin():
        start.wait()
        try:
            Journal("/nowhere", database=PostgresDatabase(url)).check_writable()
        except RunComfyError as error:
            problems.append(str(error))

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert problems == []


@BY_HAND
def test_a_second_worker_with_the_same_inputs_follows_the_first_and_gets_the_clip(worker, emulator, clip):
    first, second, seen, paths = worker("first"), worker("second"), [], {}
    began = threading.Event()
    threads = [
        threading.Thread(
            target=lambda: paths.update(
                first=first.run(report=lambda p: began.set() if isinstance(p, Queued) else None).path
            )
        ),
        threading.Thread(target=lambda: paths.update(second=second.run(report=seen.append).path)),
    ]
    threads[0].start()
    assert began.wait(30)
    threads[1].start()
    assertions.wait_until(lambda: any(isinstance(progress, Following) for progress in seen))
    emulator.release(emulator.requests[0].request_id)
    for thread in threads:
        thread.join(60)
    assert {name: path.read_bytes() for name, path in paths.items()} == {"first": clip, "second": clip}
    assert len(emulator.ledger) == 1


def test_a_worker_without_the_file_downloads_it_without_a_charge(worker, emulator, clip):
    worker("first").run().path.unlink()  # it is on the first machine's disk alone
    job = worker("second").run()
    assert job.path.read_bytes() == clip
    assert "second" in str(job.path)
    assert len(emulator.ledger) == 1


def test_the_daily_limit_holds_over_all_machines_whatever_their_clocks_say(worker, emulator):
    worker("first", wall_clock=lambda: time.time() - 86_400 * 3).run()
    late = worker("second", max_usd_per_day=2.0, wall_clock=lambda: time.time() + 86_400 * 3)
    outcome = assertions.attempt(late, request_of("another"))
    assert isinstance(outcome, SpendLimitError), outcome
    assert len(emulator.ledger) == 1


@pytest.fixture
def other_process(monkeypatch):
    """From here on this process counts its paid requests as another one does: from none."""
    return lambda: monkeypatch.setattr(buying, "_paid_requests", {})


@BY_HAND
def test_paid_requests_at_once_are_counted_over_all_machines(worker, emulator, other_process):
    first, second = worker("first", max_parallel=1), worker("second", max_parallel=1)
    began, waits = threading.Event(), threading.Event()
    threads = [
        threading.Thread(target=first.run, kwargs={"report": lambda p: began.set() if isinstance(p, Queued) else None}),
        threading.Thread(
            target=second.run,
            args=(request_of("another"),),
            kwargs={"report": lambda p: waits.set() if isinstance(p, WaitingForSlot) else None},
        ),
    ]
    threads[0].start()
    assert began.wait(30)
    other_process()
    threads[1].start()
    assert waits.wait(30)
    assert len(emulator.seen(Call.SUBMIT)) == 1
    emulator.release(emulator.requests[0].request_id)
    assertions.wait_until(lambda: len(emulator.requests) == 2)
    emulator.release(emulator.requests[1].request_id)
    for thread in threads:
        thread.join(60)
    assert len(emulator.ledger) == 2


def test_nothing_is_sent_by_a_worker_that_lost_its_right(postgres, worker, emulator):
    rig = worker("first")
    job = rig.journal.claim(request_of())
    with rig.journal.lock(job.fingerprint) as lock:
        assert lock.try_acquire()
        end_sessions(postgres, "first")
        with pytest.raises(JournalUnavailableError, match="right to work on this job") as raised:
            rig.journal.record_submitting(job, expected_usd=1.0, max_usd_per_day=None)
        assert NOTHING_SENT in str(raised.value)
        assert rig.journal.get(job.id).state is JobState.PREPARED
        with worker("second").journal.lock(job.fingerprint) as other:
            assert other.try_acquire()
    assert emulator.seen(Call.SUBMIT) == []


def test_an_answer_that_comes_after_another_worker_called_the_job_uncertain_settles_it(
    postgres, worker, emulator, clip
):
    first, second = worker("first"), worker("second")

    def lose_the_right(progress):
        if isinstance(progress, Submitting):
            end_sessions(postgres, "first")
            outcome = assertions.attempt(second)
            assert isinstance(outcome, SubmissionUncertainError), outcome

    job = first.run(report=lose_the_right)
    assert (job.state, job.path.read_bytes()) == (JobState.DOWNLOADED, clip)
    assert second.run().path.read_bytes() == clip
    assert len(emulator.ledger) == 1


def test_an_id_that_the_database_did_not_take_is_kept_told_and_recorded_when_it_is_back(
    postgres_programs, emulator, clip, worker
):
    with PostgresServer(postgres_programs) as server:
        rig = worker("first", url=server.new_database())
        folder = rig.settings.state_dir / "outbox"

        def end_the_server(progress):
            if isinstance(progress, Submitting):
                server.kill()

        outcome = assertions.attempt(rig, report=end_the_server)
        assert isinstance(outcome, SubmissionUncertainError), outcome
        (charge,) = emulator.ledger
        assert charge.request_id in str(outcome)
        assert "It will be charged" in str(outcome)
        assert "recorded by itself" in str(outcome)
        assert [path.stem for path in folder.iterdir()] == [charge.request_id]
        refusal = assertions.attempt(rig, request_of("another"))
        assert NOTHING_SENT in str(refusal)
        server.start()
        assertions.wait_until(lambda: not list(folder.iterdir()))
        assert rig.journal.by_request_id(charge.request_id).state is JobState.SUBMITTED
        assert rig.run().path.read_bytes() == clip
    assert len(emulator.ledger) == 1


def test_what_is_in_the_outbox_is_recorded_by_the_next_comfyui(worker, emulator, clip):
    first = worker("first")
    job = first.journal.claim(request_of())
    job = first.journal.record_submitting(job, expected_usd=1.0, max_usd_per_day=None)
    with first.connect() as client:
        request_id = client.submit(request_of()).request_id
    first.engine._buyer._outbox._is_delivering = True  # its machine dies before the next attempt
    first.engine._buyer._outbox.keep(job, request_id)
    first.journal.record_abandoned(job)
    again = worker("first", poll_interval_s=0.006)
    assertions.wait_until(lambda: again.journal.by_request_id(request_id) is not None)
    assert again.run().path.read_bytes() == clip
    assert len(emulator.ledger) == 1


def test_a_request_whose_job_was_decided_otherwise_in_between_gets_a_row_of_its_own(worker):
    rig = worker("first")
    job = rig.journal.claim(request_of())
    job = rig.journal.record_submitting(job, expected_usd=1.0, max_usd_per_day=None)
    rig.journal.adopt(rig.journal.record_abandoned(job), "found-by-hand")
    outbox = rig.engine._buyer._outbox
    outbox._is_delivering = True
    outbox.keep(job, "kept-here")
    assert outbox.deliver()
    assert rig.journal.by_request_id("kept-here").state is JobState.SUBMITTED
    assert rig.journal.by_request_id("found-by-hand").id == job.id


def test_a_look_at_the_journal_tells_its_jobs_and_makes_no_tables(worker, emulator):
    rig = worker("doctor")
    settings = rig.engine.settings
    assert [look_at_journal(settings), look_at_journal(settings)] == [None, None]
    rig.run()
    facts = look_at_journal(settings)
    assert (facts.version, facts.job_count, emulator.charges) == (facts.newest_version, 1, 1)
    check_locks(settings)


def test_connections_that_were_cut_between_two_runs_are_not_noticed(postgres, worker, url, emulator):
    with Proxy(postgres.port) as proxy:
        rig = worker("first", url=url.replace(str(postgres.port), str(proxy.port)))
        rig.run()
        proxy.cut()
        rig.run(request_of("another"))
    assert len(emulator.ledger) == 2


def test_a_server_that_is_back_in_a_moment_is_waited_for(postgres, url, worker, clip):
    with Proxy(postgres.port) as proxy:
        rig = worker("first", url=url.replace(str(postgres.port), str(proxy.port)))
        proxy.is_open = False
        threading.Timer(0.5, lambda: setattr(proxy, "is_open", True)).start()
        assert rig.run().path.read_bytes() == clip


@BY_HAND
def test_a_stop_while_another_machine_has_all_slots_sends_nothing(worker, emulator, other_process):
    began = threading.Event()
    stop = StopSignal()
    thread = threading.Thread(
        target=assertions.stopped_at,
        args=(Queued, worker("first", max_parallel=1).run),
        kwargs={"just_before": lambda: (began.set(), stop._event.wait(30)), "cancels_remotely": False},
    )
    thread.start()
    assert began.wait(30)
    other_process()
    said = assertions.stopped_at(
        WaitingForSlot, lambda **watch: worker("second", max_parallel=1).run(request_of("another"), **watch)
    )
    assert NOTHING_SENT in said
    stop.set(cancels_remotely=False)
    thread.join(30)
    assert len(emulator.seen(Call.SUBMIT)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_forked_child_neither_has_nor_ends_its_parents_right(worker):
    rig = worker("first")
    job = rig.journal.claim(request_of())
    with rig.journal.lock(job.fingerprint) as lock:
        assert lock.try_acquire()
        child = os.fork()
        if child == 0:
            has_right = lock.try_acquire() or rig.journal.lock(job.fingerprint).try_acquire()
            lock.release()
            gc.collect()
            os._exit(int(has_right or rig.journal.get(job.id) != job))
        assert os.waitpid(child, 0)[1] == 0
        rig.journal.record_submitting(job, expected_usd=1.0, max_usd_per_day=None)


def test_an_older_journal_is_brought_up_to_date_whole_or_not_at_all(worker, url, monkeypatch):
    rig = worker("first")
    job = rig.journal.claim(request_of())
    version = postgres_module.VERSION
    monkeypatch.setattr(postgres_module, "VERSION", version + 1)
    newer = Journal("/nowhere", database=PostgresDatabase(url))
    monkeypatch.setattr(
        postgres_module, "MIGRATIONS", (*MIGRATIONS, "ALTER TABLE jobs ADD COLUMN later TEXT; NONSENSE")
    )
    with pytest.raises(JournalUnavailableError, match="42601"):
        newer.get(job.id)
    monkeypatch.setattr(postgres_module, "MIGRATIONS", (*MIGRATIONS, "ALTER TABLE jobs ADD COLUMN later TEXT"))
    assert newer.get(job.id) == job
    monkeypatch.setattr(postgres_module, "VERSION", version)
    assert "written by a newer version" in str(assertions.attempt(rig))
