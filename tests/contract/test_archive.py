"""Clips in an archive: they are there when the machine is not, and the archive is never in the way of one."""

import errno
import hashlib
import importlib
import os
import shutil
import sys
import threading
import time
from functools import partial

import pytest
from emulator import Call
from sora2pro.nodes.errors import NOTHING_SENT, ConfigurationError, MissingTokenError, Stopped
from sora2pro.nodes.runcomfy import JobState
from sora2pro.nodes.runcomfy.archive import Archive
from sora2pro.nodes.runcomfy.progress import StopSignal
from support import assertions
from support.engine_fixture import request_of
from support.loopback_server import Loopback, dripping
from support.node_runs import run_node, run_status
from support.storages import ACCESS_KEY, SECRET_KEY, Bucket, Folder, S3Server

NEVER = {"retry_waits_s": ()}
WAIT_S = 20.0
wait_for = partial(assertions.wait_until, seconds=WAIT_S)
LOADED = importlib.import_module("fsspec.registry")._registry


@pytest.fixture(scope="module")
def s3():
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def bucket(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return Bucket(s3)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "archive")


@pytest.fixture(params=["folder", "bucket"])
def storage(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def worker(rig_on, emulator, tmp_path, storage):
    """One machine of the studio: all share the journal and the archive. Nobody sees the clips of the one before."""

    def machine(name="first", **changes):
        if name != "first":
            shutil.rmtree(tmp_path / "first")
        return rig_on(emulator, output_dir=tmp_path / name, archive_url=storage.url, **{"archiving": NEVER, **changes})

    return machine


def named(clip):
    return {hashlib.sha256(clip).hexdigest(): clip}


def without_token():
    raise MissingTokenError("There is no RunComfy token.")


# --- there and back


def test_a_bought_clip_is_in_the_archive_under_the_digest_of_its_content(worker, storage, clip, emulator):
    purchase = worker().buy()
    assert storage.files() == named(clip)
    assert [purchase.job.archived_sha256] == list(named(clip))
    assert purchase.note == ""
    assert emulator.charges == 1


def test_a_machine_without_the_file_takes_it_from_the_archive_and_asks_nobody_else(worker, clip, emulator):
    worker().run()
    asked = len(emulator.seen(Call.DOWNLOAD)), len(emulator.seen(Call.RESULT))
    rig = worker("second", connect=lambda **_stop: without_token())
    job = rig.run()
    assert job.path.parent.name == "second"
    assert job.path.read_bytes() == clip
    assert (len(emulator.seen(Call.DOWNLOAD)), len(emulator.seen(Call.RESULT))) == asked
    assert rig.journal.get(job.id).has_whole_file
    assert emulator.charges == 1
    assert {path.stem for path in job.path.parent.iterdir()} == {job.path.stem}


def test_the_status_node_takes_it_from_the_archive_too(worker, clip):
    request_id = worker().run().request_id
    assert worker("second", connect=lambda **_stop: without_token()).collect(request_id).path.read_bytes() == clip


def test_a_clip_that_was_bought_before_there_was_an_archive_goes_there_at_its_next_delivery(
    rig_on, worker, emulator, storage, clip, tmp_path
):
    rig_on(emulator, output_dir=tmp_path / "first").run()
    assert worker().buy().is_new is False
    wait_for(lambda: storage.files() == named(clip))
    assert emulator.charges == 1


def test_a_clip_that_cannot_be_read_is_not_archived(worker, storage, emulator, rig_on, tmp_path):
    path = rig_on(emulator, output_dir=tmp_path / "first").run().path
    size = path.stat().st_size
    path.write_bytes(bytes(size))
    rig = worker()
    rig.run()
    wait_for(lambda: not rig.archiving._storing)
    assert (storage.files(), rig.buy().note) == ({}, "")


# --- an object that was changed, or is gone


@pytest.mark.parametrize(
    "changed",
    [
        lambda clip: clip[:-1] + b"x",
        lambda clip: clip[:-1],
        lambda clip: clip * 2,
        lambda _clip: b"",
        lambda _clip: None,
    ],
    ids=["a byte", "shorter", "longer", "empty", "gone"],
)
def test_what_is_not_the_clip_is_never_delivered_and_the_clip_comes_free_from_runcomfy(
    worker, storage, clip, emulator, changed
):
    worker().run()
    (name,) = storage.files()
    storage.put(name, changed(clip))
    rig = worker("second")
    purchase = rig.buy()
    assert purchase.job.path.read_bytes() == clip
    assert emulator.charges == 1
    assert purchase.note.startswith("The clip was downloaded from RunComfy again, at no charge: The archive ")
    assert rig.buy().note == ""
    # The archive has it again.
    assert storage.files() == named(clip)


# --- an archive that is away


def test_an_archive_that_is_down_is_not_in_the_way_and_gets_the_clip_at_the_next_delivery(
    worker, storage, clip, emulator
):
    rig = worker()
    with storage.away():
        purchase = rig.buy()
        assert purchase.job.path.read_bytes() == clip
        assert purchase.note.startswith(
            "The clip is safe on this disk but not in the archive yet; storing it will be retried: "
        )
        assert purchase.job.archived_sha256 is None
    assert rig.buy().is_new is False
    wait_for(lambda: storage.files() == named(clip))
    wait_for(lambda: rig.buy().note == "")
    assert emulator.charges == 1


def test_it_gets_the_clip_in_the_background_as_soon_as_it_is_back(worker, storage, clip):
    rig = worker(archiving={"retry_waits_s": (0.2,) * 200})
    with storage.away():
        assert "not in the archive yet" in rig.buy().note
    wait_for(lambda: storage.files() == named(clip))


def test_attempts_in_the_background_come_to_an_end(rig_on, emulator, folder):
    rig = rig_on(emulator, archive_url=folder.url, archiving={"retry_waits_s": (0.01, 0.01)})
    with folder.away():
        rig.run()
        wait_for(lambda: not rig.archiving._storing)


def test_a_clip_that_the_archive_cannot_give_now_comes_free_from_runcomfy(worker, storage, clip, emulator):
    worker().run()
    rig = worker("second")
    with storage.away():
        purchase = rig.buy()
        assert purchase.job.path.read_bytes() == clip
        assert "at no charge" in purchase.note
    assert emulator.charges == 1


def test_the_user_reads_it_on_the_node(storage, emulator, point_to, tmp_path):
    point_to(emulator, RUNCOMFY_ARCHIVE_URL=storage.url)
    with storage.away():
        (clip,) = run_node()
        assert clip.frames.shape[0] == 8
        report = run_status(clip.request_id, "collect")[-1]
    assert "not in the archive yet; storing it will be retried: " in report
    assert str(tmp_path) in report


# --- bad archives, each in words


@pytest.fixture
def refusing(bucket, s3):
    s3.refuse_everybody()
    return bucket.url, "refuses access"


@pytest.fixture
def without_credentials(bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return bucket.url, "There are no credentials for the archive s3://studio/clips/of-today."


@pytest.fixture
def without_bucket(bucket):
    return bucket.url.replace("studio", "gone"), "does not exist, or is not mounted"


@pytest.fixture
def a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    return str(tmp_path / "file"), "does not exist, or is not mounted"


@pytest.mark.parametrize("bad", ["refusing", "without_credentials", "without_bucket", "a_file"])
def test_a_bad_archive_is_told_in_a_sentence_and_no_clip_is_lost(bad, request, rig_on, emulator, clip):
    url, words = request.getfixturevalue(bad)
    rig = rig_on(emulator, archive_url=url, archiving=NEVER)
    purchase = rig.buy()
    note = purchase.note
    assert purchase.job.path.read_bytes() == clip
    assert words in note
    assert url in note
    assert not any(secret in note for secret in (ACCESS_KEY, SECRET_KEY, emulator.token))
    assert emulator.charges == 1


@pytest.mark.parametrize(
    ("url", "module", "package"),
    [("s3://studio/clips", "s3fs", "s3fs"), ("/archive", "fsspec", "fsspec"), ("gs://studio/clips", "gcsfs", "gcsfs")],
)
def test_a_missing_package_is_named_before_money(rig_on, emulator, monkeypatch, url, module, package):
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(LOADED, url.partition(":")[0], raising=False)
    error = assertions.attempt(rig_on(emulator, archive_url=url))
    assert isinstance(error, ConfigurationError)
    assert f"needs the Python package {package}, which is not installed" in str(error)
    assert f"pip install {package}" in error.remedy
    assert NOTHING_SENT in str(error)
    assert emulator.seen(Call.SUBMIT) == []


def test_an_address_that_nobody_knows_is_refused_before_money(rig_on, emulator):
    error = assertions.attempt(rig_on(emulator, archive_url="cloud://me:very-secret@studio/clips"))
    assert "fsspec does not support addresses that begin with cloud://" in str(error)
    assert NOTHING_SENT in str(error)
    assert "very-secret" not in str(error)
    assert emulator.seen(Call.SUBMIT) == []


def test_a_disk_that_is_full_leaves_nothing_under_the_name_of_the_clip(rig_on, emulator, folder, monkeypatch, clip):
    def full(_source, target):
        target.write(clip[:100])
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr("sora2pro.nodes.runcomfy.archive.shutil.copyfileobj", full)
    rig = rig_on(emulator, archive_url=folder.url, archiving=NEVER)
    purchase = rig.buy()
    assert f"({os.strerror(errno.ENOSPC)})" in purchase.note
    assert (purchase.job.path.read_bytes(), folder.files()) == (clip, {})


# --- an archive that hangs


@pytest.fixture
def bought_on_another_machine(rig_on, emulator, bucket, tmp_path):
    rig_on(emulator, output_dir=tmp_path / "first", archive_url=bucket.url, archiving=NEVER).run().path.unlink()


@pytest.fixture
def hanging(bucket, monkeypatch):
    with Loopback(lambda _request: dripping(b"HTTP/1.1 200 OK\r\n", pause_s=0.2)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield bucket.url


def test_stop_ends_the_wait_for_an_archive_at_once_and_the_clip_is_kept(rig_on, emulator, hanging, clip):
    rig = rig_on(emulator, archive_url=hanging, archiving=NEVER)
    stop = StopSignal()
    began_at = time.monotonic()

    def press():
        wait_for(lambda: rig.archiving._storing)
        stop.set(cancels_remotely=True)

    threading.Thread(target=press).start()
    job = rig.run(stop=stop)
    assert time.monotonic() - began_at < WAIT_S / 2
    assert job.path.read_bytes() == clip
    assert emulator.charges == 1


@pytest.mark.usefixtures("bought_on_another_machine", "hanging")
def test_stop_ends_a_take_from_an_archive_that_hangs(rig_on, bucket, emulator, clip, tmp_path):
    rig = rig_on(emulator, output_dir=tmp_path / "second", archive_url=bucket.url, archiving=NEVER)
    stop = StopSignal()
    threading.Timer(0.5, stop.set, kwargs={"cancels_remotely": True}).start()
    with pytest.raises(Stopped):
        rig.run(stop=stop)
    assert rig_on(emulator, output_dir=tmp_path / "second").run().path.read_bytes() == clip
    assert emulator.charges == 1


def test_an_archive_that_hangs_only_delays_a_purchase(rig_on, emulator, hanging, clip):
    rig = rig_on(emulator, archive_url=hanging, archiving={**NEVER, "keep_wait_s": 0.2})
    purchase = rig.buy()
    assert purchase.job.path.read_bytes() == clip
    assert "is taking a long time and continues in the background" in purchase.note
    began_at = time.monotonic()
    assert rig.buy().is_new is False
    assert time.monotonic() - began_at < 4


@pytest.mark.usefixtures("bought_on_another_machine", "hanging")
def test_an_archive_that_sends_nothing_gives_way_to_runcomfy(rig_on, bucket, emulator, clip, tmp_path):
    rig = rig_on(emulator, output_dir=tmp_path / "second", archive_url=bucket.url, archiving={**NEVER, "stall_s": 0.3})
    purchase = rig.buy()
    assert purchase.job.path.read_bytes() == clip
    assert "is not sending any data" in purchase.note
    assert emulator.charges == 1


def test_many_clips_at_once_are_all_archived(worker, storage, emulator):
    rig = worker()
    threads = [threading.Thread(target=rig.run, args=(request_of(f"Fox {number} runs."),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    jobs = [rig.journal.get(number) for number in range(1, 7)]
    assert {job.state for job in jobs} == {JobState.DOWNLOADED}
    assert len(storage.files()) == 1
    assert {job.archived_sha256 for job in jobs} == set(storage.files())
    assert emulator.charges == 6


@pytest.mark.parametrize("login", ["me:pass", "me:pa/ss", "me:p@ss", "me:pa:ss/@"])
def test_an_address_is_shown_without_whatever_stands_before_its_host(login):
    assert Archive(f"sftp://{login}@nas/clips").shown == "sftp://nas/clips"
