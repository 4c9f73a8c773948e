"""The routes on a real aiohttp server, the engine behind them, the emulator behind that."""

import asyncio
import io
import json
import os
import threading
import time
from dataclasses import dataclass

import pytest
import requests
from aiohttp import web
from emulator import Call, Fault, State, Timeline
from PIL import Image
from rig import request_of
from rights import is_its_owners_alone
from sora2pro.nodes import routes
from sora2pro.nodes.errors import RunComfyError
from sora2pro.nodes.runcomfy.progress import ignore
from sora2pro.nodes.runcomfy.stopping import StopSignal
from sora2pro.nodes.services import current_services

OURS = {"X-Sora2Pro": "1"}
WAIT_S = 30.0


@dataclass
class Page:
    """The page of one ComfyUI, and everything it was ever told."""

    url: str
    told: list

    def ask(self, method, path, *, headers=None, **options):
        headers = ({} if method == "GET" else OURS) | (headers or {})
        answer = requests.request(method, f"{self.url}/sora2pro{path}", headers=headers, timeout=WAIT_S, **options)
        self.told.append(f"{answer.headers}{answer.content!r}")
        return answer

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def jobs(self, **query):
        return self.get("/jobs", params=query).json()

    def act(self, job_id, action, **body):
        return self.ask("POST", f"/jobs/{job_id}/{action}", json=body)

    def wait_for(self, job_id, is_so):
        """The job as soon as something is so of it."""
        give_up_at = time.monotonic() + WAIT_S
        while time.monotonic() < give_up_at:
            job = self.get(f"/jobs/{job_id}").json()
            if is_so(job):
                return job
            time.sleep(0.02)
        raise TimeoutError(job)


@pytest.fixture(scope="module")
def server():
    """The routes on a free port, in a loop of their own."""
    loop = asyncio.new_event_loop()
    table = web.RouteTableDef()
    routes.add_to(table)
    app = web.Application(client_max_size=10**9)
    app.add_routes(table)
    runner = web.AppRunner(app)
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, "127.0.0.1", 0)
    loop.run_until_complete(site.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(WAIT_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(WAIT_S)
    loop.close()


@pytest.fixture
def state_dir(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def settle(monkeypatch, state_dir, tmp_path):
    """Points this process to an emulator."""

    def settle(emulator, **environment):
        for name in list(os.environ):
            if name.startswith("RUNCOMFY_"):
                monkeypatch.delenv(name)
        places = {"RUNCOMFY_STATE_DIR": str(state_dir), "RUNCOMFY_OUTPUT_DIR": str(tmp_path / "clips")}
        for name, value in (emulator.environment() | places | environment).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOME", str(tmp_path))

    return settle


@pytest.fixture
def page(server, emulator, settle):
    settle(emulator)
    return Page(server, [])


@pytest.fixture
def page_by_hand(server, start_emulator, settle):
    """A page whose requests move by hand."""
    emulator = start_emulator(timeline=Timeline.by_hand())
    settle(emulator)
    return Page(server, []), emulator


def buy(prompt="A fox runs.", **changes):
    """A clip, bought and brought home as the node does it."""
    generation = current_services().generation
    return generation.run(request_of(prompt, **changes), stop=StopSignal(), report=ignore)


def buy_and_stop(emulator, prompt="A fox runs."):
    """A clip that is bought and left at RunComfy, as after a crash."""
    stop = StopSignal()
    caught = []

    def work():
        try:
            current_services().generation.run(request_of(prompt), stop=stop, report=ignore)
        except BaseException as error:  # noqa: BLE001 - looked at below
            caught.append(error)

    before = len(emulator.requests)
    thread = threading.Thread(target=work)
    thread.start()
    emulator.wait_until(lambda: len(emulator.requests) > before and bool(emulator.seen(Call.STATUS)))
    stop.set(cancels_remotely=False)
    thread.join(WAIT_S)
    assert [type(error).__name__ for error in caught] == ["Stopped"]
    return current_services().journal.newest(), emulator.requests[-1]


def fill(count):
    """Jobs that were never sent."""
    journal = current_services().journal
    with journal.database.writing() as connection:
        connection.executemany(
            "INSERT INTO jobs (fingerprint, state, model_id, prompt, size, seconds, seed, created_at, updated_at) "
            "VALUES (?, 'prepared', 'm', ?, '1280x720', 4, '0', ?, ?)",
            [(f"f{number}", f"clip number {number}", number, number) for number in range(count)],
        )


# --- who may ask


@pytest.mark.parametrize("method_and_path", [(method, path) for method, path, _ in routes.ROUTES])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_another_site_gets_nothing_from_any_route(page, method_and_path, headers):
    method, path = method_and_path
    answer = page.ask(method, path.format(name="1", action="collect"), headers=headers)
    assert answer.status_code == 403
    assert answer.json() == {"error": "This request came from another site and was refused.", "kind": "Refused"}


@pytest.mark.parametrize("method_and_path", [(m, p) for m, p, _ in routes.ROUTES if m != "GET"])
def test_nothing_is_changed_without_the_header_that_another_site_cannot_set(page, method_and_path):
    method, path = method_and_path
    url = f"{page.url}/sora2pro{path.format(name='1', action='collect')}"
    assert requests.request(method, url, json={}, timeout=WAIT_S).status_code == 403


def test_the_page_itself_may_ask_behind_a_proxy_that_changes_the_host(page):
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "https://comfy.example", "Host": "internal:8188"}
    assert page.get("/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "body", [b"x" * 20_000, b"[1]", b"{", b'"text"', b"[" * 10_000], ids=lambda body: str(body[:8])
)
def test_a_body_that_is_too_long_or_no_object_is_refused_in_words(page, body):
    answer = page.ask("PUT", "/settings", data=body)
    assert answer.status_code == 400
    assert "Nothing was changed" in answer.json()["error"]


def test_a_body_without_an_announced_length_is_cut_off_at_the_same_limit(page):
    answer = page.ask("PUT", "/settings", data=(b"x" * 1000 for _ in range(30)))
    assert (answer.status_code, answer.json()["error"][:24]) == (400, "The request is too long.")


# --- jobs


def test_an_empty_journal_is_an_empty_list(page):
    assert page.jobs() == {
        "jobs": [],
        "has_more": False,
        "totals": {"today_usd": 0.0, "all_time_usd": 0.0, "job_count": 0, "max_usd_per_day": None},
    }


def test_a_bought_clip_is_listed_with_its_cost_and_without_its_signed_address(page):
    buy("A lighthouse.")
    document = page.jobs()
    (job,) = document["jobs"]
    assert (job["state"], job["prompt"], job["size"], job["seconds"]) == ("downloaded", "A lighthouse.", "720x1280", 4)
    assert (job["cost_usd"], job["has_clip"], job["actions"]) == (1.2, True, ["open"])
    assert (document["totals"]["today_usd"], document["totals"]["job_count"]) == (1.2, 1)
    assert "video_url" not in job
    assert "/store/" not in json.dumps(document)


def test_pages_of_ten_thousand_jobs_hold_each_job_once_newest_first(page):
    fill(10_000)
    seen, before = [], None
    for _ in range(60):
        query = {"limit": 200} | ({} if before is None else {"before": before})
        document = page.jobs(**query)
        seen += [job["id"] for job in document["jobs"]]
        before = seen[-1]
        if not document["has_more"]:
            break
    assert seen == list(range(10_000, 0, -1))


def test_a_search_finds_by_prompt_by_state_and_by_request_id_and_takes_percent_signs_as_they_are(page):
    job = buy("Ninety 90% clouds.")
    fill(3)
    assert [found["prompt"] for found in page.jobs(search="90% c")["jobs"]] == ["Ninety 90% clouds."]
    assert [found["id"] for found in page.jobs(search=job.request_id)["jobs"]] == [job.id]
    assert len(page.jobs(search="prepared")["jobs"]) == 3
    assert page.jobs(search="9_%")["jobs"] == []


def test_what_has_not_changed_is_not_sent_again_and_a_deleted_clip_is_a_change(page):
    job = buy()
    first = page.get("/jobs")
    tag = {"If-None-Match": first.headers["ETag"]}
    assert page.get("/jobs", headers=tag).status_code == 304
    job.path.unlink()
    again = page.get("/jobs", headers=tag)
    assert again.status_code == 200
    assert again.json()["jobs"][0]["is_clip_gone"] is True
    assert again.json()["jobs"][0]["actions"] == ["collect"]


@pytest.mark.parametrize("name", ["999", "job-999", "no-such-request", "..%2f..%2ftoken", "9" * 40, "²"])
def test_a_job_that_is_not_there_is_said_to_be_gone(page, name):
    for path in (f"/jobs/{name}", f"/jobs/{name}/clip", f"/jobs/{name}/thumbnail"):
        answer = page.get(path)
        assert (answer.status_code, answer.json()["kind"]) == (404, "UnknownJobError")
    assert page.act(name, "collect").status_code == 404


# --- files


def test_the_clip_is_served_in_the_ranges_a_player_asks_for(page, clip):
    job = buy()
    whole = page.get(f"/jobs/{job.id}/clip")
    assert (whole.content, whole.headers["Content-Type"]) == (clip, "video/mp4")
    part = page.get(f"/jobs/{job.id}/clip", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, clip[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(clip)}"
    saved = page.get(f"/jobs/{job.id}/clip?download")
    assert saved.headers["Content-Disposition"] == f'attachment; filename="{job.path.name}"'


def test_a_thumbnail_is_a_small_jpeg_and_is_made_once(page, state_dir):
    job = buy()
    answer = page.get(f"/jobs/{job.request_id}/thumbnail")
    picture = Image.open(io.BytesIO(answer.content))
    assert (picture.format, picture.size) == ("JPEG", (64, 64))
    (kept,) = (state_dir / "thumbnails").iterdir()
    made_at = kept.stat().st_mtime_ns
    assert page.get(f"/jobs/{job.id}/thumbnail").content == answer.content
    assert kept.stat().st_mtime_ns == made_at


def test_a_clip_deleted_by_hand_is_collected_again_without_a_charge(page, emulator):
    job = buy()
    job.path.unlink()
    assert page.get(f"/jobs/{job.id}/clip").json()["error"].endswith("Collect it.")
    assert page.act(job.id, "collect").status_code == 200
    page.wait_for(job.id, lambda document: document["has_clip"])
    assert emulator.charges == 1


# --- actions


def test_collecting_says_how_far_it_is_costs_nothing_and_is_done_once_for_two_tabs(page_by_hand):
    page, emulator = page_by_hand
    job, request = buy_and_stop(emulator)
    page.act(job.id, "collect")
    page.act(job.id, "collect")
    page.wait_for(job.id, lambda document: document["activity"].startswith("Queued at RunComfy"))
    emulator.release(request.request_id)
    document = page.wait_for(job.id, lambda document: document["has_clip"])
    assert (document["activity"], document["trouble"], document["state"]) == ("", "", "downloaded")
    assert (emulator.charges, len(emulator.seen(Call.DOWNLOAD)), len(emulator.seen(Call.SUBMIT))) == (1, 1, 1)


def test_cancel_is_done_at_runcomfy_and_said_in_words(page_by_hand):
    page, emulator = page_by_hand
    job, request = buy_and_stop(emulator)
    answer = page.act(job.id, "cancel").json()
    assert "Nothing is charged for it." in answer["report"]
    assert answer["job"]["state"] == "cancelled"
    assert emulator.requests[0].state is State.CANCELLED
    assert request.request_id == emulator.requests[0].request_id


def test_a_cancel_that_comes_too_late_is_not_called_one(page_by_hand):
    page, emulator = page_by_hand
    job, request = buy_and_stop(emulator)
    emulator.release(request.request_id, State.RENDERING)
    answer = page.act(job.id, "cancel").json()
    assert "cannot cancel it any more" in answer["report"]
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


def test_a_released_job_leaves_the_way_free_and_offers_nothing_any_more(page, emulator):
    emulator.configure(failure="moderation blocked the picture")
    with pytest.raises(RunComfyError):
        buy()
    (document,) = page.jobs()["jobs"]
    assert (document["state"], document["actions"]) == ("failed", ["collect", "release"])
    assert "moderation blocked the picture" in document["reason"]
    released = page.act(document["id"], "release").json()["job"]
    assert (released["is_released"], released["actions"]) == (True, ["collect"])


def test_what_went_wrong_with_a_collection_is_said_at_the_job_until_the_next_try(page_by_hand, monkeypatch):
    page, emulator = page_by_hand
    job, request = buy_and_stop(emulator)
    monkeypatch.delenv("RUNCOMFY_API_TOKEN")
    page.act(job.id, "collect")
    document = page.wait_for(job.id, lambda document: document["trouble"])
    assert document["trouble"].startswith("There is no RunComfy token. ")
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
    journal = current_services().journal
    for number, state in enumerate(
        [
            "prepared",
            "submitting",
            "submitted",
            "completed",
            "downloaded",
            "rejected",
            "failed",
            "cancelled",
            "uncertain",
        ]
    ):
        fill_one = journal.claim(request_of(f"number {number}"))
        with journal.database.writing() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, request_id = ? WHERE id = ?", (state, f"r{number}", fill_one.id)
            )
    for method, path, _ in routes.ROUTES:
        for job_id in range(1, 10):
            for action in ("check", "collect", "cancel", "adopt", "release"):
                page.ask(method, path.format(name=job_id, action=action), json={} if method != "GET" else None)
    assert emulator.seen(Call.SUBMIT) == []
    assert emulator.charges == 0


def test_a_journal_that_cannot_be_read_is_told_in_the_words_of_the_node(page, state_dir):
    (state_dir / "journal.sqlite3").mkdir(parents=True)
    answer = page.get("/jobs")
    assert answer.status_code == 503
    assert "nothing is bought without a record" in answer.json()["error"]


# --- prices


def test_the_price_is_that_of_the_catalogue_and_then_of_the_past(page, emulator):
    assert page.get("/price?size=1280x720&seconds=8").json() == {"min_usd": 2.4, "max_usd": 2.4}
    assert page.get("/price?size=auto&seconds=4").json() == {"min_usd": 1.2, "max_usd": 1.2}
    emulator.configure(base_price_usd=0.5)
    buy(seconds=4)
    assert page.get("/price?size=auto&seconds=4").json() == {"min_usd": 1.2, "max_usd": 2.0}


def test_a_price_nobody_can_say_is_null_and_nonsense_is_refused(page, settle, start_emulator):
    settle(start_emulator(base_price_usd=None))
    assert page.get("/price?size=1280x720&seconds=4").json() == {"min_usd": None, "max_usd": None}
    assert page.get("/price?size=big&seconds=4").status_code == 400
    assert page.get("/price?size=1280x720&seconds=four").status_code == 400


def test_without_a_token_the_price_is_unknown_and_no_error(page, emulator, settle):
    settle(emulator, RUNCOMFY_API_TOKEN=None)
    assert page.get("/price?size=1280x720&seconds=4").json() == {"min_usd": None, "max_usd": None}


# --- settings and token


def test_a_token_is_kept_for_its_owner_alone_shown_by_four_characters_checked_and_forgotten(
    page, emulator, settle, state_dir
):
    settle(emulator, RUNCOMFY_API_TOKEN=None)
    assert page.get("/settings").json()["token"] == {
        "origin": "none",
        "variable": None,
        "hint": "",
        "has_saved": False,
        "problem": "There is no RunComfy token.",
    }
    saved = page.ask("PUT", "/token", json={"token": f' "Bearer {emulator.token}" '}).json()
    assert (saved["origin"], saved["hint"], saved["has_saved"]) == ("saved", emulator.token[-4:], True)
    assert is_its_owners_alone(state_dir / "token")
    assert page.ask("POST", "/token/check").json() == {"balance_usd": 1000.0}
    buy()
    page.jobs()
    assert page.ask("DELETE", "/token").json()["origin"] == "none"
    assert not (state_dir / "token").exists()
    assert page.ask("POST", "/token/check").json()["error"].startswith("There is no RunComfy token. ")
    assert not any(emulator.token in words for words in page.told)


def test_a_token_runcomfy_refuses_is_answered_in_words(page, emulator, settle):
    settle(emulator, RUNCOMFY_API_TOKEN=None)
    page.ask("PUT", "/token", json={"token": "not-the-right-token-at-all"})
    answer = page.ask("POST", "/token/check")
    assert answer.status_code == 502
    assert "Check the token on runcomfy.com" in answer.json()["error"]


@pytest.mark.parametrize(
    "token", ["", "two words", "tökén", "x" * 9000, 17, None, ["a"]], ids=lambda value: str(value)[:9]
)
def test_what_cannot_be_a_token_is_refused_and_not_repeated(page, emulator, settle, state_dir, token):
    settle(emulator, RUNCOMFY_API_TOKEN=None)
    answer = page.ask("PUT", "/token", json={"token": token})
    assert answer.status_code in (400, 409)
    assert not (state_dir / "token").exists()
    assert not (isinstance(token, str) and len(token) > 3 and token in answer.text)


def test_a_token_of_the_environment_is_named_and_cannot_be_replaced_here(page, emulator, state_dir):
    token = page.get("/settings").json()["token"]
    assert (token["origin"], token["variable"], token["hint"]) == (
        "environment",
        "RUNCOMFY_API_TOKEN",
        emulator.token[-4:],
    )
    answer = page.ask("PUT", "/token", json={"token": "another-token-entirely"})
    assert (answer.status_code, "RUNCOMFY_API_TOKEN" in answer.json()["error"]) == (409, True)
    assert not (state_dir / "token").exists()


def test_settings_are_kept_taken_back_and_refused_in_words(page, emulator):
    changed = page.ask("PUT", "/settings", json={"max_usd_per_day": 1, "max_parallel": 2}).json()["settings"]
    assert changed["max_usd_per_day"] == {"value": 1.0, "source": "file", "variable": "RUNCOMFY_MAX_USD_PER_DAY"}
    assert changed["max_parallel"]["value"] == 2
    with pytest.raises(RunComfyError, match=r"would pass the limit of \$1\.00 a day"):
        buy()
    assert page.jobs()["totals"]["max_usd_per_day"] == 1.0
    cleared = page.ask("PUT", "/settings", json={"max_usd_per_day": None}).json()["settings"]
    assert cleared["max_usd_per_day"]["source"] == "default"
    for wrong in ({"max_parallel": 0}, {"max_parallel": "many"}, {"model_id": "../x"}, {"max_usd_per_day": -1}):
        answer = page.ask("PUT", "/settings", json=wrong)
        assert (answer.status_code, "cannot be used" in answer.json()["error"]) == (409, True)
    assert page.ask("PUT", "/settings", json={"api_base_url": "https://evil.example"}).status_code == 400
    assert page.get("/settings").json()["settings"]["max_parallel"]["value"] == 2
    assert emulator.charges == 0


def test_a_setting_of_the_environment_is_read_only(page, emulator, settle):
    settle(emulator, RUNCOMFY_MAX_PARALLEL="3")
    assert page.get("/settings").json()["settings"]["max_parallel"] == {
        "value": 3,
        "source": "environment",
        "variable": "RUNCOMFY_MAX_PARALLEL",
    }
    answer = page.ask("PUT", "/settings", json={"max_parallel": 9})
    assert (answer.status_code, "RUNCOMFY_MAX_PARALLEL" in answer.json()["error"]) == (409, True)


def test_a_settings_file_that_cannot_be_read_is_told_in_words(page, state_dir):
    state_dir.mkdir(exist_ok=True)
    (state_dir / "settings.json").write_text("{")
    answer = page.get("/settings")
    assert (answer.status_code, "cannot be read" in answer.json()["error"]) == (409, True)
