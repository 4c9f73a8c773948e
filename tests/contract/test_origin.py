"""Two addresses and two accounts on one state folder: no clip is bought twice, and none is served for another."""

import pytest
from emulator import State, Timeline
from sora2pro.nodes.errors import InvalidInputError, NotFoundError, RunComfyError
from sora2pro.nodes.media.timeline import probe
from sora2pro.nodes.runcomfy import Action, Engine, Run, StopSignal, Surroundings, Token
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.progress import ignore
from support import assertions
from support.engine_fixture import NO_WAITS, Rig, request_of

RENDERING = Timeline.after_polls(queued=0, rendering=1_000_000)


@pytest.fixture
def other(start_emulator):
    """Another address of the API, which knows nothing of the first one's requests."""
    return start_emulator()


def under_way(start_emulator, rig_on):
    """An emulator and a job that is rendering there."""
    emulator = start_emulator(RENDERING)
    assertions.attempt(rig_on(emulator, timeout_s=0.05))
    return emulator, rig_on(emulator).journal.newest()


def test_a_clip_of_one_address_is_not_served_as_bought_at_another(emulator, other, rig_on):
    first, second = rig_on(emulator).run(), rig_on(other).run()
    assert first.id != second.id
    assert (emulator.charges, other.charges) == (1, 1)
    assert [rig_on(emulator).run().id, rig_on(other).run().id] == [first.id, second.id]
    assert (emulator.charges, other.charges) == (1, 1)


@pytest.mark.parametrize("action", ["cancel", "release", "collect", "adopt"])
def test_nothing_is_done_with_a_job_of_another_address(start_emulator, other, rig_on, clip, action):
    emulator, job = under_way(start_emulator, rig_on)
    rig = rig_on(other)
    with pytest.raises(InvalidInputError) as raised:
        rig.act(action, f"{job.name} req-found" if action == "adopt" else job.name)
    if action != "adopt":
        assert emulator.url in str(raised.value)
        assert "RUNCOMFY_MODEL_API_BASE_URL" in str(raised.value)
    assert "nothing was charged" in str(raised.value)
    assert rig.journal.get(job.id) == job
    emulator.release(job.request_id)
    assert rig_on(emulator).run(request_of()).path.read_bytes() == clip
    assert emulator.charges == 1


def test_a_look_at_a_job_of_another_address_says_where_it_is_and_asks_nobody(start_emulator, other, rig_on):
    emulator, job = under_way(start_emulator, rig_on)
    assert emulator.url in rig_on(other).act("check", job.name).report
    assert other.requests == []


def test_a_downloaded_clip_of_another_address_is_not_handed_out_by_collect(emulator, other, rig_on):
    job = rig_on(emulator).run()
    with pytest.raises(InvalidInputError, match="was bought at"):
        rig_on(other).collect(job.name)


class Forgetful:
    """A conversation in which RunComfy knows no request, as with a token of another account."""

    def __init__(self, client):
        self._client = client

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self._client.__exit__(*_exception)

    def __getattr__(self, name):
        return getattr(self._client, name)

    def result(self, _handle):
        raise NotFoundError("RunComfy does not know this request.", status_code=404)

    status = result


def forgetful(emulator, root, token):
    usual = Rig(emulator.url, emulator.token, root).connect
    return Rig(emulator.url, token, root, connect=lambda **how: Forgetful(usual(**how)))


def test_not_found_for_another_token_releases_nothing(start_emulator, rig_on, tmp_path, clip):
    emulator, job = under_way(start_emulator, rig_on)
    with pytest.raises(InvalidInputError, match="the token in use is not the one that it was bought with") as raised:
        forgetful(emulator, tmp_path, "another").act("release", job.name)
    assert "changing the seed buys another clip" in str(raised.value)
    emulator.release(job.request_id)
    assert rig_on(emulator).run().path.read_bytes() == clip
    assert emulator.charges == 1


def test_not_found_for_the_same_token_releases_as_before(start_emulator, rig_on, tmp_path):
    emulator, job = under_way(start_emulator, rig_on)
    assert forgetful(emulator, tmp_path, emulator.token).act("release", job.name).job.is_released


def test_a_token_that_was_replaced_on_the_same_account_still_collects(start_emulator, rig_on, tmp_path, clip):
    emulator, job = under_way(start_emulator, rig_on)
    emulator.release(job.request_id)
    usual = rig_on(emulator).connect
    renewed = Rig(emulator.url, "renewed", tmp_path, connect=usual)
    assert renewed.run().path.read_bytes() == clip
    assert emulator.charges == 1


def test_collecting_what_runcomfy_does_not_know_says_one_consistent_thing(start_emulator, rig_on, tmp_path):
    emulator, job = under_way(start_emulator, rig_on)
    with pytest.raises(NotFoundError) as raised:
        forgetful(emulator, tmp_path, emulator.token).collect(job.name)
    text = str(raised.value)
    assert "will charge" not in text
    assert "no new charge" not in text
    assert "it may have been charged" in text
    for words in ("token", "Generations on runcomfy.com", job.name, "'release'", job.request_id):
        assert words in text


def test_a_clip_bought_with_an_older_version_is_served_and_not_bought_again(emulator, rig_on, clip):
    rig = rig_on(emulator)
    bought = rig.run()
    with rig.journal.database.writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET api_base = NULL, account = NULL")
    assert rig_on(emulator).run().id == bought.id
    bought.path.unlink()
    assert rig_on(emulator).run().path.read_bytes() == clip
    assert emulator.charges == 1


def test_a_failure_that_another_address_would_not_know_stays_collectable_at_its_own(start_emulator, other, rig_on):
    emulator, job = under_way(start_emulator, rig_on)
    emulator.release(job.request_id, State.FAILED, "blocked")
    assertions.attempt(rig_on(emulator))
    assert rig_on(emulator).journal.get(job.id).state is JobState.FAILED
    with pytest.raises(InvalidInputError, match="was bought at"):
        rig_on(other).collect(job.name)


def test_a_request_is_of_the_account_that_bought_it_though_another_token_was_saved_while_it_waited(
    start_emulator, tmp_path
):
    emulator = start_emulator(Timeline.by_hand())
    rig, now = Rig(emulator.url, emulator.token, tmp_path), {"token": emulator.token}

    class Pack(Engine):
        def connect(self, *, stop=None):
            client = rig.connect(stop=stop)
            return client if self._token().value == emulator.token else Forgetful(client)

    engine = Pack(
        rig.settings,
        token=lambda: Token(now["token"], "the test"),
        verify=probe,
        surroundings=Surroundings(policy=NO_WAITS),
    )
    run, request, real = Run(StopSignal(), ignore), request_of(), engine._buyer._slots

    def slots():
        now["token"] = emulator.token[::-1]
        return real()

    engine._buyer._slots = slots
    with pytest.raises(RunComfyError):
        engine.generate(request, run)
    assert len(emulator.requests) == 1
    with pytest.raises(InvalidInputError, match="the token in use is not the one that it was bought with"):
        engine.act(Action.RELEASE, engine.known_job(request).ref, run)
