"""What the panel lists, and the files behind it."""

import io
import json
import os

import pytest
from contract.routes.page import buy, fill
from PIL import Image
from sora2pro.nodes.run.current import current_engine


def test_an_empty_journal_is_an_empty_list(page):
    assert page.jobs() == {
        "jobs": [],
        "has_more": False,
        "models": [],
        "totals": {"today_usd": 0.0, "all_time_usd": 0.0, "job_count": 0, "max_usd_per_day": 30.0},
    }


def test_a_bought_clip_is_listed_with_its_cost_and_without_its_signed_address(page):
    buy("A lighthouse.")
    document = page.jobs()
    (job,) = document["jobs"]
    assert (job["state"], job["prompt"], job["inputs"]) == ("downloaded", "A lighthouse.", ["720x1280", "4 s"])
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


def test_the_list_is_narrowed_by_state_and_model_and_a_state_that_is_none_is_refused_in_words(page):
    job = buy()
    fill(2)
    assert page.jobs()["models"] == ["m", job.model_id]
    assert [found["id"] for found in page.jobs(states="downloaded,completed")["jobs"]] == [job.id]
    assert len(page.jobs(model="m")["jobs"]) == 2
    assert page.jobs(model="m", states="downloaded")["jobs"] == []
    refused = page.get("/jobs", params={"states": "saved"})
    assert refused.status_code == 400
    assert "'saved' is not a state of a job." in refused.json()["error"]


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
    version = page.get(f"/jobs/{job.id}").json()["clip_version"]
    job.path.unlink()
    assert page.get(f"/jobs/{job.id}/clip").json()["error"].endswith("Collect it.")
    assert page.get(f"/jobs/{job.id}/clip?v={version}").json()["error"].endswith("Collect it.")
    assert page.act(job.id, "collect").status_code == 200
    page.wait_for(job.id, lambda document: document["has_clip"])
    assert emulator.charges == 1


def test_the_browser_asks_each_time_whether_a_file_is_still_the_same(page):
    """A number is one of a single journal: after another state folder is chosen, job 1 is another clip."""
    job = buy()
    for what in ("clip", "thumbnail"):
        first = page.get(f"/jobs/{job.id}/{what}")
        assert first.headers["Cache-Control"] == "private, no-cache"
        tag = {"If-None-Match": first.headers["ETag"]}
        assert page.get(f"/jobs/{job.id}/{what}", headers=tag).status_code == 304
        if what == "clip":
            job.path.write_bytes(first.content[::-1])
            os.utime(job.path, ns=(1, 1))
            assert page.get(f"/jobs/{job.id}/{what}", headers=tag).status_code == 200
            job.path.write_bytes(first.content)


def test_an_address_never_means_another_clip(page, emulator, point_to, tmp_path):
    mine = buy("Mine.")
    version = page.get("/jobs/1").json()["clip_version"]
    assert page.get(f"/jobs/1/clip?v={version}").status_code == 200
    os.utime(mine.path, ns=(5, 5))
    times = page.get("/jobs/1").json()["clip_version"]

    point_to(emulator, tmp_path / "elsewhere")
    other = buy("Of another journal.")
    # The same number, the same length, the same time: another clip all the same.
    os.utime(other.path, ns=(5, 5))
    assert (other.id, other.path.stat().st_size) == (mine.id, mine.path.stat().st_size if mine.path.exists() else -1)
    for old in (version, times):
        for what in ("clip", "thumbnail"):
            answer = page.get(f"/jobs/1/{what}?v={old}")
            assert (answer.status_code, answer.json()["kind"]) == (404, "UnknownJobError")
    assert page.get(f"/jobs/1/clip?v={page.get('/jobs/1').json()['clip_version']}").status_code == 200


def test_a_file_that_was_replaced_has_another_address_and_another_thumbnail(page):
    job = buy()
    before = page.get("/jobs/1").json()["clip_version"]
    page.get("/jobs/1/thumbnail")
    os.utime(job.path, ns=(5, 5))
    after = page.get("/jobs/1").json()["clip_version"]
    assert before != after
    assert page.get(f"/jobs/1/thumbnail?v={before}").status_code == 404
    assert page.get(f"/jobs/1/thumbnail?v={after}").status_code == 200


def test_an_amount_that_is_not_a_number_leaves_the_list_readable(page):
    buy()
    with current_engine()._journal.database.writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET cost_usd = 9e999, expected_usd = -9e999")
    answer = page.get("/jobs")
    document = json.loads(answer.text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert document["jobs"][0]["cost_usd"] is None
