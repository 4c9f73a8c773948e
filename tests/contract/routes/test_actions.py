"""What can be done with a job from the panel: it is so at RunComfy too, and it never buys."""

import pytest
from contract.routes.page import buy, buy_and_stop, fill
from emulator import Call, Fault, State
from sora2pro.nodes.errors import RunComfyError
from sora2pro.nodes.page import routes
from sora2pro.nodes.run.current import current_engine
from sora2pro.nodes.runcomfy.jobs import JobState
from support.engine_fixture import request_of


def test_collecting_says_how_far_it_is_costs_nothing_and_is_done_once_for_two_tabs(page, emulator):
    job, request = buy_and_stop(emulator)
    page.act(job.id, "collect")
    page.act(job.id, "collect")
    page.wait_for(job.id, lambda document: document["activity"].startswith("Queued at RunComfy"))
    emulator.release(request.request_id)
    document = page.wait_for(job.id, lambda document: document["has_clip"])
    assert (document["activity"], document["trouble"], document["state"]) == ("", "", "downloaded")
    assert (emulator.charges, len(emulator.seen(Call.DOWNLOAD)), len(emulator.seen(Call.SUBMIT))) == (1, 1, 1)


def test_cancel_is_done_at_runcomfy_and_said_in_words(page, emulator):
    job, request = buy_and_stop(emulator)
    answer = page.act(job.id, "cancel").json()
    assert "Nothing is charged for it." in answer["report"]
    assert answer["job"]["state"] == "cancelled"
    assert [(one.request_id, one.state) for one in emulator.requests] == [(request.request_id, State.CANCELLED)]


def test_a_cancel_that_comes_too_late_is_not_called_one(page, emulator):
    job, request = buy_and_stop(emulator)
    emulator.release(request.request_id, State.RENDERING)
    answer = page.act(job.id, "cancel").json()
    assert "too late to cancel" in answer["report"]
    assert answer["job"]["state"] == "submitted"


def test_an_uncertain_job_takes_the_id_that_was_found_and_is_collected_without_a_charge(page, emulator):
    emulator.inject(Fault(Call.SUBMIT, "reset", after_accept=True))
    with pytest.raises(RunComfyError):
        buy()
    (document,) = page.jobs()["jobs"]
    assert (document["state"], document["actions"]) == ("uncertain", ["adopt", "release"])
    assert page.act(document["id"], "adopt").status_code == 400
    adopted = page.act(document["id"], "adopt", request_id=emulator.requests[0].request_id).json()
    assert adopted["job"]["actions"] == ["collect", "cancel"]
    page.act(document["id"], "collect")
    page.wait_for(document["id"], lambda job: job["has_clip"])
    assert emulator.charges == 1


def test_an_id_that_is_none_is_refused_without_the_advice_of_another_place(page, emulator):
    emulator.inject(Fault(Call.SUBMIT, "reset", after_accept=True))
    with pytest.raises(RunComfyError):
        buy()
    said = page.act(1, "adopt", request_id="hello there").json()["error"]
    assert said.startswith("That is neither a request id nor a job such as job-7.")
    assert "Generations" in said
    assert "blank" not in said


def test_a_released_job_leaves_the_way_free_and_offers_nothing_any_more(page, emulator):
    emulator.configure(failure="moderation blocked the picture")
    with pytest.raises(RunComfyError):
        buy()
    (document,) = page.jobs()["jobs"]
    assert (document["state"], document["actions"]) == ("failed", ["collect", "release"])
    assert "moderation blocked the picture" in document["reason"]
    released = page.act(document["id"], "release").json()["job"]
    assert (released["is_released"], released["actions"]) == (True, ["collect"])


def test_what_went_wrong_with_a_collection_is_said_at_the_job_until_the_next_try(page, emulator, monkeypatch):
    job, request = buy_and_stop(emulator)
    monkeypatch.delenv("RUNCOMFY_API_TOKEN")
    page.act(job.id, "collect")
    document = page.wait_for(job.id, lambda document: document["trouble"])
    assert document["trouble"].startswith("No RunComfy token is set. ")
    monkeypatch.setenv("RUNCOMFY_API_TOKEN", emulator.token)
    emulator.release(request.request_id)
    page.act(job.id, "collect")
    assert page.wait_for(job.id, lambda document: document["has_clip"])["trouble"] == ""


@pytest.mark.parametrize("action", ["buy", "submit", "generate", "_collect", "__init__", "COLLECT"])
def test_there_is_no_action_that_buys(page, emulator, action):
    fill(1)
    assert page.act(1, action).status_code == 400
    assert emulator.seen(Call.SUBMIT) == []


def test_no_route_can_spend_in_any_state_of_a_job(page, emulator):
    journal = current_engine()._journal
    jobs = {state: journal.claim(request_of(f"to be {state.value}")).id for state in JobState}
    with journal.database.writing() as connection:
        for state, job_id in jobs.items():
            connection.exec_driver_sql(
                "UPDATE jobs SET state = ?, request_id = ? WHERE id = ?", (state.value, f"r{job_id}", job_id)
            )
    for method, path, _ in routes.ROUTES:
        for job_id in jobs.values():
            for action in ("check", "collect", "cancel", "adopt", "release"):
                page.ask(method, path.format(name=job_id, action=action), json={} if method != "GET" else None)
    assert emulator.seen(Call.SUBMIT) == []
    assert emulator.charges == 0


def test_a_journal_that_cannot_be_read_is_told_in_the_words_of_the_node(page, state_dir):
    (state_dir / "journal.sqlite3").mkdir(parents=True)
    answer = page.get("/jobs")
    assert answer.status_code == 503
    assert "nothing is bought without a record" in answer.json()["error"]


def test_asking_again_says_that_nothing_is_new_and_prepares_no_picture(page, emulator):
    emulator.configure(failure="moderation blocked the picture")
    with pytest.raises(RunComfyError):
        buy()
    (document,) = page.jobs()["jobs"]
    assert document["answer"] == ""
    said = page.act(document["id"], "collect").json()["job"]["activity"]
    assert said in ("", "Asking RunComfy")
    again = page.wait_for(document["id"], lambda job: job["answer"])
    assert again["answer"] == "RunComfy was asked again and still says that it failed."
    assert (again["activity"], again["actions"]) == ("", ["collect", "release"])
