"""The receipt beside each clip: what was bought, true, without secrets, and never in the way of the clip."""

import hashlib
import json
import logging
import math
import os
import time
from dataclasses import replace

import pytest
from sora2pro.nodes.run.rehearsals import Scene, stand_in
from sora2pro.nodes.runcomfy import Run, Size, StopSignal
from sora2pro.nodes.runcomfy.jobs import JobState
from sora2pro.nodes.runcomfy.progress import ignore
from sora2pro.nodes.runcomfy.receipts import keep_receipt, receipt_of
from support.engine_fixture import request_of
from support.values import made_job

SIGNATURE = "X-Amz-Signature=5ec2e7"


def receipt_beside(job):
    return json.loads(job.path.with_suffix(".json").read_text("utf-8"))


def test_it_says_what_was_bought_when_at_what_cost_and_which_file_that_is(rig):
    job = rig.run(request_of("Ein Fuchs läuft. 狐が走る。", seed=2**64 - 1))
    receipt = receipt_beside(job)
    assert receipt == {
        "clip": job.path.name,
        "job": job.name,
        "request_id": job.request_id,
        "model": job.model_id,
        "prompt": "Ein Fuchs läuft. 狐が走る。",
        "inputs": {"size": "720x1280", "seconds": 4},
        "seed": "18446744073709551615",
        "cost_usd": 1.2,
        "bytes": job.path.stat().st_size,
        "sha256": hashlib.sha256(job.path.read_bytes()).hexdigest(),
        **{name: receipt[name] for name in ("created_at", "submitted_at", "started_at", "completed_at", "saved_at")},
    }
    assert receipt["submitted_at"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(job.submitted_at))
    assert "läuft" in job.path.with_suffix(".json").read_text("utf-8")


def test_neither_the_token_nor_a_signed_address_is_in_it(rig, emulator):
    address = f"https://user:secret@example.com/fox.png?{SIGNATURE}"
    job = rig.run()
    keep_receipt(
        replace(
            job,
            prompt=f"The fox of {address} s3://bucket/fox.png?{SIGNATURE} and _https://example.com/#{SIGNATURE}",
            inputs={"further": {"list": [address]}, address: address},
        )
    )
    text = job.path.with_suffix(".json").read_text("utf-8")
    assert [secret for secret in (SIGNATURE, "user:secret", emulator.token, "/store/") if secret in text] == []
    receipt = json.loads(text)
    assert receipt["inputs"]["further"] == {"list": ["https://example.com/fox.png"]}
    assert receipt["prompt"] == "The fox of https://example.com/fox.png s3://bucket/fox.png and _https://example.com/"


def test_a_request_made_elsewhere_gets_one_when_the_status_node_collects_it(rig, emulator, rig_on, tmp_path):
    bought = rig.run()
    job = rig_on(emulator, tmp_path / "another machine").collect(bought.request_id)
    receipt = receipt_beside(job)
    assert (receipt["request_id"], receipt["seed"], receipt["inputs"]) == (bought.request_id, None, {})
    assert receipt["sha256"] == hashlib.sha256(job.path.read_bytes()).hexdigest()


@pytest.mark.parametrize("obstacle", ["a folder in its place", "a folder that cannot be written"])
def test_one_that_cannot_be_written_is_a_line_in_the_log_and_is_written_when_the_clip_is_delivered_next(
    rig, monkeypatch, caplog, obstacle
):
    if obstacle.startswith("a folder in"):
        job = rig.run()
        path = job.path.with_suffix(".json")
        path.unlink()
        path.mkdir()
    else:
        with monkeypatch.context() as patched:
            patched.setattr("sora2pro.nodes.runcomfy.receipts.write_whole", refused)
            job = rig.run()
        path = job.path.with_suffix(".json")
        assert not path.exists()
    with caplog.at_level(logging.WARNING), monkeypatch.context() as patched:
        patched.setattr("sora2pro.nodes.runcomfy.receipts.write_whole", refused)
        assert rig.run().path == job.path
    assert "could not be written" in caplog.text
    if path.is_dir():
        path.rmdir()
    rig.run()
    assert receipt_beside(job)["job"] == job.name


def refused(_path, _text):
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("left", ["", "{", "[]", '{"sha256": "0"}', "[" * 100_000], ids=lambda text: text[:8])
def test_one_that_was_damaged_is_written_again_and_one_that_is_true_is_left_alone(rig, left):
    job = rig.run()
    path = job.path.with_suffix(".json")
    whole = path.read_bytes()
    os.utime(path, ns=(5, 5))
    rig.act("check")
    assert path.stat().st_mtime_ns == 5
    path.write_text(left)
    rig.act("check")
    assert path.read_bytes() == whole


def test_a_cost_that_is_named_late_reaches_it(rig):
    job = rig.run()
    path = job.path.with_suffix(".json")
    keep_receipt(replace(job, cost_usd=None))
    assert json.loads(path.read_text("utf-8"))["cost_usd"] is None
    rig.run()
    assert receipt_beside(job)["cost_usd"] == 1.2


def test_a_clip_that_was_downloaded_again_has_the_digest_of_the_new_file(rig):
    job = rig.run()
    content = job.path.read_bytes()
    os.utime(job.path, (5, 5))
    job.path.write_bytes(content[::-1])
    os.utime(job.path, (9, 9))
    rig.run()
    assert receipt_beside(job)["sha256"] == hashlib.sha256(content[::-1]).hexdigest()


def test_a_job_without_a_clip_has_none(rig):
    job = rig.run()
    job.path.with_suffix(".json").unlink()
    job.path.unlink()
    rig.act("check")
    assert list(rig.settings.output_dir.iterdir()) == []


def test_a_rehearsal_has_none(rig):
    path, _ = stand_in(Scene(Size(64, 64), "crop", 1, 8), None, rig.settings.output_dir, Run(StopSignal(), ignore))
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_writing_it_leaves_nothing_else_in_the_folder_even_after_a_crash(rig):
    job = rig.run()
    left = job.path.with_name(f".{job.path.stem}.json-01234567")
    left.write_text("{")
    os.utime(left, (5, 5))
    job.path.with_suffix(".json").unlink()
    rig.run()
    assert {path.name for path in rig.settings.output_dir.iterdir()} == {job.path.name, f"{job.path.stem}.json"}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e300])
def test_what_no_calendar_and_no_json_has_is_null(number):
    job = made_job(JobState.DOWNLOADED, created_at=number, cost_usd=number if number != 1e300 else math.nan)
    receipt = receipt_of(job, saved_at=0.0)
    assert (receipt["created_at"], receipt["cost_usd"], receipt["saved_at"]) == (None, None, "1970-01-01T00:00:00Z")
    json.dumps(receipt, allow_nan=False)
