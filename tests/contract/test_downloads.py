"""A clip on its way home: whole or not there at all, never with the token, from allowed hosts only."""

import re
import threading

import pytest
from emulator import Call, Fault
from emulator.visitor import Visitor
from sora2pro.nodes.errors import DownloadError, Stopped
from sora2pro.nodes.runcomfy.api.download import MAX_TRANSFERS
from sora2pro.nodes.runcomfy.api.http import PlainSession
from sora2pro.nodes.runcomfy.progress import Downloading, Run, StopSignal, ignore
from support.engine_fixture import MAX_CLIP_BYTES, Rig

OWN = "playgrounds-storage-public.runcomfy.net"
# A Location, and what is said of it: the host is only blamed where it is the host.
REFUSED = {
    "https://evil.example/clip.mp4": "a clip on evil.example, which is not one of its own hosts",
    "https://runcomfy.net.evil.example/clip.mp4": "not one of its own hosts",
    "https://notruncomfy.net/clip.mp4": "not one of its own hosts",
    f"http://{OWN}/clip.mp4": f"on {OWN} that is not a plain https address",
    f"https://user:secret@{OWN}/clip.mp4": f"on {OWN} that is not a plain https address",
    f"https://{OWN}:8443/clip.mp4": f"on {OWN} that is not a plain https address",
    f"https://{OWN}:99999/clip.mp4": "malformed",
    "file:///etc/passwd": "malformed",
    "https://[x": "malformed",
    "https:///clip.mp4": "malformed",
}


class Delivery:
    """One finished clip, to be fetched to `path`."""

    def __init__(self, emulator, rig, path):
        self.request_id = Visitor(emulator).accepted()
        self.emulator, self.rig, self.path = emulator, rig, path
        emulator.release(self.request_id)
        self.url = Visitor(emulator).result(self.request_id).json["output"]["video"]

    def fetch(self, *, stop=None, report=ignore):
        run = Run(stop or StopSignal(), report)
        _, file_bytes = self.rig.downloader.download(self.url, self.path, run, request_id=self.request_id)
        return file_bytes

    @property
    def folder(self):
        return sorted(path.name for path in self.path.parent.iterdir()) if self.path.parent.exists() else []


@pytest.fixture
def deliver(emulator, rig_on, tmp_path):
    return lambda **download: Delivery(emulator, rig_on(emulator, download=download), tmp_path / "clips" / "clip.mp4")


@pytest.fixture
def delivery(deliver):
    return deliver()


def test_a_cut_off_download_goes_on_where_it_ended_if_the_file_is_still_the_same(emulator, delivery, clip):
    emulator.inject(
        Fault(Call.DOWNLOAD, "truncated", sent_bytes=1000), Fault(Call.DOWNLOAD, "reset-midway", sent_bytes=500)
    )
    delivery.fetch()
    first, second, third = emulator.seen(Call.DOWNLOAD)
    assert "range" not in first.headers
    assert second.headers["range"] == "bytes=1000-"
    assert third.headers["range"].startswith("bytes=1")
    assert second.headers["if-range"] == third.headers["if-range"]
    assert second.headers["if-range"].startswith('"')
    assert delivery.path.read_bytes() == clip


def test_a_server_that_begins_again_does_not_lengthen_the_clip(emulator, delivery, clip):
    emulator.inject(Fault(Call.DOWNLOAD, "truncated"), Fault(Call.DOWNLOAD, "no-ranges"))
    assert delivery.fetch() == len(clip)
    assert delivery.path.read_bytes() == clip


def test_the_clip_has_no_name_before_it_is_verified(deliver):
    seen = []
    delivery = deliver(verify=lambda part: seen.append((part.exists(), delivery.path.exists())))
    delivery.fetch()
    assert seen == [(True, False)]
    assert delivery.folder == ["clip.mp4"]


@pytest.mark.parametrize("kind", ["truncated", "zero-bytes", "html-200"])
def test_what_is_not_a_whole_clip_gets_no_name_and_leaves_nothing(emulator, delivery, clip, kind):
    emulator.inject(Fault(Call.DOWNLOAD, kind, times=None))
    with pytest.raises(DownloadError) as error:
        delivery.fetch()
    assert "The clip is paid for and still kept at RunComfy." in str(error.value)
    assert delivery.folder == []
    emulator.clear_faults()
    delivery.fetch()
    assert delivery.path.read_bytes() == clip


@pytest.mark.parametrize(("kind", "transfers"), [("junk", 2), ("no-moov", 2), ("truncated-unannounced", MAX_TRANSFERS)])
def test_what_arrives_again_with_the_same_bytes_is_kept_although_it_cannot_be_read(
    emulator, delivery, clip, caplog, kind, transfers
):
    """It is what RunComfy has, and it is paid for. Where no length is declared, a later transfer may bring more."""
    emulator.inject(Fault(Call.DOWNLOAD, kind, times=None))
    file_bytes = delivery.fetch()
    assert delivery.folder == ["clip.mp4"]
    assert delivery.path.stat().st_size == file_bytes
    assert delivery.path.read_bytes() != clip
    assert len(emulator.seen(Call.DOWNLOAD)) == transfers
    assert "is kept, but it cannot be read" in caplog.text


@pytest.mark.parametrize("kind", ["junk", "no-moov", "truncated-unannounced"])
def test_what_was_spoilt_on_the_way_once_is_transferred_again(emulator, delivery, clip, kind):
    emulator.inject(Fault(Call.DOWNLOAD, kind))
    delivery.fetch()
    assert delivery.path.read_bytes() == clip


def test_a_kept_file_that_cannot_be_read_is_not_loaded_again_until_the_user_deletes_it(emulator, rig, clip):
    emulator.inject(Fault(Call.DOWNLOAD, "junk", times=None))
    job = rig.run()
    transfers = len(emulator.seen(Call.DOWNLOAD))
    assert rig.run().path == job.path
    assert len(emulator.seen(Call.DOWNLOAD)) == transfers
    emulator.clear_faults()
    job.path.unlink()
    assert rig.run().path.read_bytes() == clip
    assert emulator.charges == 1


def test_a_file_that_is_there_already_stays_until_the_new_one_is_whole(emulator, delivery, clip):
    delivery.path.parent.mkdir()
    delivery.path.write_bytes(b"older")
    emulator.inject(Fault(Call.DOWNLOAD, "html-200", times=None))
    with pytest.raises(DownloadError):
        delivery.fetch()
    assert delivery.path.read_bytes() == b"older"
    emulator.clear_faults()
    delivery.fetch()
    assert delivery.path.read_bytes() == clip


def test_the_address_is_asked_for_byte_for_byte_and_without_the_token(emulator, delivery):
    emulator.inject(Fault(Call.DOWNLOAD, "redirect-allowed"))
    delivery.fetch()
    target = delivery.url.removeprefix(emulator.url)
    assert [seen.path for seen in emulator.seen(Call.DOWNLOAD)] == [target, f"/mirror{target}"]
    assert emulator.leaks == []


@pytest.mark.parametrize(("location", "words"), REFUSED.items())
def test_a_redirect_to_another_host_is_not_followed(emulator, deliver, location, words):
    asked = []

    class Watched(PlainSession):
        def get(self, url, **options):
            asked.append(url)
            return super().get(url, **options)

    delivery = deliver(session_factory=Watched)
    emulator.inject(Fault(Call.DOWNLOAD, "redirect-foreign", times=None, location=location))
    with pytest.raises(DownloadError, match=re.escape(words)) as error:
        delivery.fetch()
    assert "secret" not in str(error.value)
    assert asked == [delivery.url]
    assert delivery.folder == []


def test_redirects_in_a_circle_end(emulator, delivery):
    emulator.inject(Fault(Call.DOWNLOAD, "redirect-allowed", times=None))
    with pytest.raises(DownloadError, match="redirects too many times"):
        delivery.fetch()
    assert delivery.folder == []


@pytest.mark.parametrize("kind", ["endless", "huge-length"])
def test_what_is_longer_than_any_clip_is_not_kept(emulator, delivery, kind):
    emulator.inject(Fault(Call.DOWNLOAD, kind, times=None))
    longest = []
    with pytest.raises(DownloadError):
        delivery.fetch(report=lambda progress: longest.append(progress.done_bytes))
    assert max(longest, default=0) <= MAX_CLIP_BYTES
    assert delivery.folder == []


def test_an_expired_address_is_renewed_and_when_none_is_good_the_next_run_asks_again(emulator, rig, clip):
    emulator.configure(url_lifetime_s=-1)
    with pytest.raises(DownloadError, match="The address of the clip is refused"):
        rig.run()
    paths = [seen.path for seen in emulator.seen(Call.DOWNLOAD)]
    assert len(set(paths)) == len(paths) > 1
    emulator.configure(url_lifetime_s=3600)
    assert rig.run().path.read_bytes() == clip
    assert emulator.charges == 1


def test_how_far_it_is_grows_to_the_whole_length(emulator, delivery, clip):
    emulator.inject(Fault(Call.DOWNLOAD, "drip", chunk_bytes=4096, pause_s=0.001))
    told = []
    delivery.fetch(report=told.append)
    done = [progress.done_bytes for progress in told]
    assert done == sorted(done)
    assert done[-1] == len(clip)
    assert {progress.total_bytes for progress in told} == {len(clip)}


@pytest.mark.parametrize("kind", ["drip", "stall"])
def test_stop_ends_a_download_also_while_the_server_is_silent(emulator, deliver, kind):
    """The server would be silent for 30 seconds and the limit is ten minutes: it ends only because of Stop."""
    delivery, stop, begun, ended = deliver(read_timeout_s=600.0), StopSignal(), threading.Event(), threading.Event()
    slow = {"chunk_bytes": 64, "pause_s": 0.5} if kind == "drip" else {"seconds": 600.0}
    emulator.inject(Fault(Call.DOWNLOAD, kind, times=None, **slow))

    def work():
        with pytest.raises(Stopped):
            delivery.fetch(stop=stop, report=lambda p: begun.set() if isinstance(p, Downloading) else None)
        ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(30)
    stop.set(cancels_remotely=True)
    assert ended.wait(30)
    thread.join()
    assert delivery.folder == []


def test_two_state_folders_with_one_output_folder_can_download_the_same_clip_at_once(emulator, tmp_path, clip):
    """Each writes a part file of its own, so neither spoils what the other receives."""
    url = Delivery(emulator, Rig(emulator.url, emulator.token, tmp_path), tmp_path / "clips" / "clip.mp4").url
    path, seen = tmp_path / "clips" / "clip.mp4", []
    downloaders = [
        Rig(emulator.url, emulator.token, tmp_path / name, download={"owner": name}).downloader
        for name in ("one", "other")
    ]

    def look(_progress):
        seen.append({part.name for part in path.parent.glob("*.part")})

    def interrupted(progress):
        look(progress)
        if len(seen) == 1:
            downloaders[1].download(url, path, Run(StopSignal(), look), request_id="r")

    downloaders[0].download(url, path, Run(StopSignal(), interrupted), request_id="r")
    assert path.read_bytes() == clip
    assert max(map(len, seen)) == 2
