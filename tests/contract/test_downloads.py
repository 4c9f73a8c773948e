"""A clip on its way home: whole or not there at all, never with the token, from allowed hosts only."""

import threading

import pytest
import requests
from emulator import Call, Fault
from emulator.visitor import Visitor
from rig import MAX_CLIP_BYTES
from sora2pro.nodes.errors import DownloadError, Stopped
from sora2pro.nodes.runcomfy.progress import Downloading, ignore
from sora2pro.nodes.runcomfy.stopping import StopSignal

FOREIGN = [
    "https://evil.example/clip.mp4",
    "https://runcomfy.net.evil.example/clip.mp4",
    "https://notruncomfy.net/clip.mp4",
    "http://playgrounds-storage-public.runcomfy.net/clip.mp4",
    "https://user:secret@playgrounds-storage-public.runcomfy.net/clip.mp4",
    "https://playgrounds-storage-public.runcomfy.net:8443/clip.mp4",
    "file:///etc/passwd",
]


class Delivery:
    """One finished clip, to be fetched to `path`."""

    def __init__(self, emulator, rig, path):
        self.request_id = Visitor(emulator).accepted()
        self.emulator, self.rig, self.path = emulator, rig, path
        emulator.release(self.request_id)
        self.url = Visitor(emulator).result(self.request_id).json["output"]["video"]

    def fetch(self, *, stop=None, report=ignore):
        return self.rig.downloader.fetch(
            self.url, self.path, request_id=self.request_id, stop=stop or StopSignal(), report=report
        )

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


def test_a_server_that_begins_anew_does_not_lengthen_the_clip(emulator, delivery, clip):
    emulator.inject(Fault(Call.DOWNLOAD, "truncated"), Fault(Call.DOWNLOAD, "no-ranges"))
    assert delivery.fetch() == len(clip)
    assert delivery.path.read_bytes() == clip


def test_the_clip_has_no_name_before_it_is_verified(deliver):
    seen = []
    delivery = deliver(verify=lambda part: seen.append((part.exists(), delivery.path.exists())))
    delivery.fetch()
    assert seen == [(True, False)]
    assert delivery.folder == ["clip.mp4"]


@pytest.mark.parametrize("kind", ["truncated", "truncated-unannounced", "junk", "no-moov", "zero-bytes", "html-200"])
def test_what_is_no_whole_clip_gets_no_name_and_leaves_nothing(emulator, delivery, clip, kind):
    emulator.inject(Fault(Call.DOWNLOAD, kind, times=None))
    with pytest.raises(DownloadError) as error:
        delivery.fetch()
    assert "The clip is paid for and still kept at RunComfy." in str(error.value)
    assert delivery.folder == []
    emulator.clear_faults()
    delivery.fetch()
    assert delivery.path.read_bytes() == clip


def test_a_file_that_is_there_already_stays_until_the_new_one_is_whole(emulator, delivery, clip):
    delivery.path.parent.mkdir()
    delivery.path.write_bytes(b"older")
    emulator.inject(Fault(Call.DOWNLOAD, "junk", times=None))
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


@pytest.mark.parametrize("location", FOREIGN)
def test_a_redirect_to_another_host_is_not_followed(emulator, deliver, location):
    asked = []

    class Watched(requests.Session):
        def get(self, url, **options):
            asked.append(url)
            return super().get(url, **options)

    delivery = deliver(session_factory=Watched)
    emulator.inject(Fault(Call.DOWNLOAD, "redirect-foreign", times=None, location=location))
    with pytest.raises(DownloadError, match="none of its own hosts"):
        delivery.fetch()
    assert asked == [delivery.url]
    assert delivery.folder == []


def test_redirects_in_a_circle_end(emulator, delivery):
    emulator.inject(Fault(Call.DOWNLOAD, "redirect-allowed", times=None))
    with pytest.raises(DownloadError, match="from one redirect to the next"):
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
