"""The panel as a library: a clip is asked for again, its file is deleted, spending is taken along, the balance is seen."""

import csv
import io
import json

import pytest
from contract.routes.page import buy, buy_and_stop, fill
from emulator import Call
from sora2pro.nodes.errors import RunComfyError
from sora2pro.nodes.run.current import current_engine
from sora2pro.nodes.runcomfy import Action, JobRef, Run, StopSignal
from sora2pro.nodes.runcomfy.progress import ignore
from support.engine_fixture import CATALOGUE_MODEL, catalogue_request_of, request_of


def delete(page, job_id, version=None):
    version = page.get(f"/jobs/{job_id}").json()["clip_version"] if version is None else version
    return page.ask("DELETE", f"/jobs/{job_id}/clip?v={version}")


def test_a_job_says_where_its_file_is_without_a_path_of_this_machine(page, tmp_path):
    job = buy()
    document = page.get(f"/jobs/{job.id}").json()
    assert (document["file_name"], document["folder"]) == (job.path.name, None)
    assert str(tmp_path) not in json.dumps(page.jobs())


def test_a_deleted_file_is_gone_and_the_purchase_stays_and_is_collected_again_without_a_charge(
    page, emulator, state_dir
):
    job = buy()
    page.get(f"/jobs/{job.id}/thumbnail")
    answer = delete(page, job.id)
    assert answer.status_code == 200
    assert "can be collected again at no charge" in answer.json()["report"]
    document = answer.json()["job"]
    assert (document["state"], document["is_clip_gone"], document["actions"]) == ("downloaded", True, ["collect"])
    assert (document["cost_usd"], document["file_name"]) == (1.2, "")
    assert not job.path.exists()
    assert list((state_dir / "thumbnails").iterdir()) == []
    assert job.path.with_suffix(".json").exists()
    page.act(job.id, "collect")
    page.wait_for(job.id, lambda one: one["has_clip"])
    assert (emulator.charges, len(emulator.seen(Call.SUBMIT))) == (1, 1)


def test_a_file_is_deleted_once_and_only_the_one_that_the_page_has_shown(page):
    job = buy()
    version = page.get(f"/jobs/{job.id}").json()["clip_version"]
    for other in ("", "0" * 16):
        assert delete(page, job.id, other).status_code in (400, 404)
        assert job.path.exists()
    assert delete(page, job.id, version).status_code == 200
    assert delete(page, job.id, version).status_code == 404


@pytest.mark.parametrize("place", ["elsewhere", "link", "dots"])
def test_a_file_outside_of_the_output_folder_is_never_deleted(page, tmp_path, place):
    job = buy()
    precious = tmp_path / "precious.mp4"
    precious.write_bytes(job.path.read_bytes())
    path = {"elsewhere": precious, "link": job.path, "dots": job.path.parent / ".." / precious.name}[place]
    if place == "link":
        job.path.unlink()
        job.path.symlink_to(precious)
    with current_engine()._journal.database.writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET path = ?", (str(path),))
    answer = delete(page, job.id)
    assert answer.status_code == 400
    assert "outside of the output folder" in answer.json()["error"]
    assert precious.exists()


def test_a_file_that_is_not_the_one_that_was_downloaded_is_not_deleted(page):
    job = buy()
    job.path.write_bytes(b"Something of the user's own.")
    assert delete(page, job.id, "0" * 16).status_code == 404
    with pytest.raises(RunComfyError, match="not on this disk as it was downloaded"):
        current_engine().delete_file(job.ref)
    assert job.path.exists()


def test_a_job_that_a_node_works_on_keeps_its_file(page):
    job = buy()
    with current_engine()._journal.lock(job.fingerprint) as lock:
        assert lock.try_acquire()
        answer = delete(page, job.id)
    assert (answer.status_code, "A node is working on" in answer.json()["error"]) == (400, True)
    assert job.path.exists()


def test_a_job_of_sora_is_used_again_in_its_own_node_with_its_whole_prompt_and_seed(page):
    prompt = "A fox. " * 100
    job = buy(prompt, seed=2**64 - 1, seconds=8)
    assert page.get(f"/jobs/{job.id}/inputs").json() == {
        "node": "Sora2ProImageToVideo",
        "widgets": {"prompt": prompt, "size": "720x1280", "seconds": 8},
        "seed": "18446744073709551615",
    }


def test_a_job_of_another_model_is_used_again_in_the_node_for_any_model(page):
    engine = current_engine()
    job = engine.generate(catalogue_request_of(engine), Run(StopSignal(), ignore)).job
    document = page.get(f"/jobs/{job.id}/inputs").json()
    assert (document["node"], document["seed"]) == ("RunComfyImageToVideo", "0")
    widgets = document["widgets"]
    assert (widgets["model"], widgets["prompt"], widgets["extra_json"]) == (CATALOGUE_MODEL, "A fox runs.", "")
    assert "custom_model_id" not in widgets


def test_a_model_that_nobody_has_described_is_used_again_by_its_id_with_every_input(page):
    job = buy()
    with current_engine()._journal.database.writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET model_id = 'a/new/image-to-video', inputs = '{\"strange\": [1]}'")
    widgets = page.get(f"/jobs/{job.id}/inputs").json()["widgets"]
    assert (widgets["custom_model_id"], json.loads(widgets["extra_json"])) == ("a/new/image-to-video", {"strange": [1]})


def test_a_request_made_elsewhere_cannot_be_used_again_and_that_is_said(page, point_to, emulator, tmp_path):
    bought = buy()
    point_to(emulator, tmp_path / "another machine")
    run = Run(StopSignal(), ignore)
    job = current_engine().act(Action.COLLECT, JobRef(request_id=bought.request_id), run).job
    answer = page.get(f"/jobs/{job.id}/inputs")
    assert (answer.status_code, "are not known" in answer.json()["error"]) == (400, True)


def test_spending_is_taken_along_as_a_table_of_all_jobs(page):
    job = buy()
    fill(300)
    answer = page.get("/spending.csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="runcomfy-spending.csv"'
    assert answer.headers["Cache-Control"] == "no-store"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    assert len(rows) == 301
    assert (rows[-1]["job"], rows[-1]["cost_usd"], rows[-1]["inputs"]) == (job.name, "1.20", "720x1280, 4 s")
    assert "/store/" not in answer.text


def test_the_balance_is_asked_for_once_and_goes_down_only_when_it_is_asked_again(page, emulator):
    assert page.get("/balance").json() == {"balance_usd": 1000.0, "problem": ""}
    buy()
    assert page.get("/balance").json() == {"balance_usd": 1000.0, "problem": ""}
    assert len(emulator.seen(Call.BALANCE)) == 1


def test_without_a_token_there_is_no_balance_and_no_problem(page, emulator, point_to):
    point_to(emulator, RUNCOMFY_API_TOKEN=None)
    assert page.get("/balance").json() == {"balance_usd": None, "problem": ""}
    assert emulator.seen(Call.BALANCE) == []


def test_a_token_that_is_refused_is_a_problem_in_words_and_stays_a_secret(page, emulator, point_to):
    wrong = "a-wrong-token-of-somebody"
    point_to(emulator, RUNCOMFY_API_TOKEN=wrong)
    answer = page.get("/balance")
    assert answer.status_code == 200
    assert answer.json()["balance_usd"] is None
    assert answer.json()["problem"]
    assert wrong not in "".join(page.told)


def test_a_job_that_runs_has_no_file_to_delete(page, emulator):
    job, _ = buy_and_stop(emulator)
    assert delete(page, job.id, "0" * 16).status_code == 404
    assert request_of().prompt == page.get(f"/jobs/{job.id}/inputs").json()["widgets"]["prompt"]
