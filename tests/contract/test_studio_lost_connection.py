"""The connection to the database is lost at every step of the order of spending: one charge, and the clip."""

import contextlib

import pytest
from sora2pro.nodes.errors import NOTHING_SENT, RunComfyError
from sora2pro.nodes.runcomfy.store.postgres import PostgresDatabase
from support import assertions
from support.engine_fixture import Rig


class CutDatabase(PostgresDatabase):
    """Every session of it is ended at its `commit`th commit: `before`, `within` or `after` it."""

    def __init__(self, url, server, commit, moment):
        super().__init__(f"{url}?application_name=cut")
        self._server, self._left, self._moment = server, commit, moment

    @contextlib.contextmanager
    def writing(self):
        self._left -= 1
        self._cut("before")
        with super().writing() as connection:
            yield connection
            self._cut("within")
        self._cut("after")

    def _cut(self, now):
        if (self._left, now) == (0, self._moment):
            self._server.ask(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'cut'"
            )


@pytest.fixture(scope="module")
def url(postgres):
    return postgres.new_database()


@pytest.mark.parametrize("moment", ["before", "within", "after"])
@pytest.mark.parametrize("commit", range(1, 9))
def test_a_connection_that_is_lost_at_any_step_costs_no_clip_and_no_second_charge(
    postgres, url, emulator, tmp_path, clip, commit, moment
):
    with PostgresDatabase(url).writing() as connection:
        connection.exec_driver_sql("TRUNCATE jobs RESTART IDENTITY")
    database = CutDatabase(url, postgres, commit, moment)
    rig = Rig(emulator.url, emulator.token, tmp_path, journal_url=url, database=database)
    outcome = assertions.attempt(rig)
    if isinstance(outcome, RunComfyError):
        assertions.assert_honest(outcome, emulator)
        assert (NOTHING_SENT in str(outcome)) == (not emulator.ledger)
    assertions.assert_clip_for_one_charge(Rig(emulator.url, emulator.token, tmp_path, journal_url=url), emulator, clip)
