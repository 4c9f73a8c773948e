"""Storage and proxies as they sometimes are: the clip arrives all the same, or a sentence says what is wrong with it."""

import gzip
import logging
import threading
import time
import tracemalloc
import zlib

import pytest
from sora2pro.nodes.errors import DownloadError, RunComfyError, Stopped, VideoDecodeError
from sora2pro.nodes.media.timeline import probe
from sora2pro.nodes.runcomfy.api.download import Downloader
from sora2pro.nodes.runcomfy.progress import Run, StopSignal, ignore
from sora2pro.nodes.runcomfy.settings import Settings
from support.engine_fixture import NO_WAITS
from support.loopback_server import Loopback, answer, dripping, without_end

TYPE = "Content-Type: video/mp4"
ETAG = 'ETag: "e"'


def chunked(data):
    parts = [data[start : start + 9999] for start in range(0, len(data), 9999)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def raw_deflate(data):
    coder = zlib.compressobj(wbits=-15)
    return coder.compress(data) + coder.flush()


def asks_range(request):
    return "\r\nrange:" in request.lower()


@pytest.fixture
def fetch(tmp_path):
    """Brings a clip from a loopback server; the file, or the error."""

    def bring(server, path="/clip.mp4", *, stop=None, **options):
        settings = Settings(state_dir=tmp_path, output_dir=tmp_path, api_base_url=server.url)
        downloader = Downloader(
            **{
                "allows": settings.allows_clip_url,
                "verify": probe,
                "policy": NO_WAITS,
                "read_timeout_s": 5.0,
                **options,
            }
        )
        file = tmp_path / "clips" / "clip.mp4"
        url = path if "://" in path else server.url + path
        downloader.download(url, file, Run(stop or StopSignal(), ignore), request_id="request-1")
        assert [entry.name for entry in file.parent.iterdir()] == ["clip.mp4"]
        return file.read_bytes()

    return bring


def whole_range(data):
    return f"Content-Range: bytes 0-{len(data) - 1}/{len(data)}"


WHOLE = {
    "gzip": lambda clip: answer(gzip.compress(clip), TYPE, "Content-Encoding: gzip"),
    "x-gzip": lambda clip: answer(gzip.compress(clip), TYPE, "Content-Encoding: X-GZip"),
    "deflate": lambda clip: answer(zlib.compress(clip), TYPE, "Content-Encoding: deflate"),
    "raw deflate": lambda clip: answer(raw_deflate(clip), TYPE, "Content-Encoding: deflate"),
    "stacked": lambda clip: answer(gzip.compress(zlib.compress(clip)), TYPE, "Content-Encoding: deflate, gzip"),
    "gzip twice, two headers": lambda clip: answer(
        gzip.compress(gzip.compress(clip)), TYPE, "Content-Encoding: gzip", "Content-Encoding: gzip"
    ),
    "gzip and identity": lambda clip: answer(gzip.compress(clip), TYPE, "Content-Encoding: identity, gzip"),
    "gzip in chunks": lambda clip: answer(
        chunked(gzip.compress(clip)), TYPE, "Content-Encoding: gzip", "Transfer-Encoding: chunked", length=False
    ),
    "called gzip, but plain": lambda clip: answer(clip, TYPE, "Content-Encoding: gzip"),
    "called br, but plain": lambda clip: answer(clip, TYPE, "Content-Encoding: br"),
    "a coding nobody knows": lambda clip: answer(clip, TYPE, "Content-Encoding: binary"),
    "206 without a question": lambda clip: answer(clip, TYPE, whole_range(clip), status="206 Partial Content"),
    "206 of unknown length": lambda clip: answer(
        clip, f"Content-Range: bytes 0-{len(clip) - 1}/*", status="206 Partial Content"
    ),
    "206 without a range": lambda clip: answer(clip, TYPE, status="206 Partial Content"),
    "206 with an equals sign": lambda clip: answer(
        clip, f"Content-Range: bytes=0-{len(clip) - 1}/{len(clip)}", status="206 Partial Content"
    ),
    "206 without a unit": lambda clip: answer(
        clip, f"Content-Range: 0-{len(clip) - 1}/{len(clip)}", status="206 Partial Content"
    ),
    "203 of a proxy": lambda clip: answer(clip, TYPE, status="203 Non-Authoritative Information"),
    "gzip without a word": lambda clip: answer(gzip.compress(clip), TYPE),
    "chunked and a length too large": lambda clip: answer(
        chunked(clip), f"Content-Length: {len(clip) + 7}", "Transfer-Encoding: chunked", length=False
    ),
    "chunked and a length too small": lambda clip: answer(
        chunked(clip), "Content-Length: 7", "Transfer-Encoding: Chunked", length=False
    ),
    "two equal lengths": lambda clip: answer(clip, TYPE, f"Content-Length: {len(clip)}"),
    "no length": lambda clip: answer(clip, length=False),
    "103 before it": lambda clip: b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n" + answer(clip),
    "100, 102 and 103 before it": lambda clip: (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"
        + answer(clip)
    ),
    "called HTML": lambda clip: answer(clip, "Content-Type: text/html"),
}


@pytest.mark.parametrize("form", WHOLE.values(), ids=WHOLE)
def test_one_answer_with_the_whole_clip_in_it_is_the_clip(fetch, clip, form):
    with Loopback(form(clip)) as server:
        assert fetch(server) == clip
        assert len(server.requests) == 1


def test_the_address_is_not_blamed_for_an_answer_that_contradicts_itself(fetch, clip):
    two_lengths = answer(clip, f"Content-Length: {len(clip) + 1}")
    with Loopback(two_lengths, two_lengths, answer(clip)) as server:
        assert fetch(server) == clip
    with Loopback(two_lengths) as server:
        with pytest.raises(DownloadError, match="answer of the storage contradicts itself") as raised:
            fetch(server)
        assert "address" not in str(raised.value)


def test_what_only_begins_as_gzip_is_kept_as_any_file_that_cannot_be_read(fetch, clip):
    odd = b"\x1f\x8b\x08" + clip
    with Loopback(answer(odd)) as server:
        assert fetch(server) == odd
        assert len(server.requests) == 2


def test_a_coding_that_cannot_be_undone_is_named(fetch):
    with (
        Loopback(answer(b"\x0b\x02\x80clip\x03" * 99, TYPE, "Content-Encoding: my\x1bcoding")) as server,
        pytest.raises(DownloadError, match="in the encoding 'mycoding', which could not be undone"),
    ):
        fetch(server)


def test_a_coded_clip_that_is_cut_off_goes_on_with_coded_bytes(fetch, clip):
    coded = gzip.compress(clip)

    def serve(request):
        if not asks_range(request):
            return answer(coded, ETAG, "Content-Encoding: gzip")[:-5000]
        start = int(request.lower().partition("range: bytes=")[2].partition("-")[0])
        place = f"Content-Range: bytes {start}-{len(coded) - 1}/{len(coded)}"
        return answer(coded[start:], ETAG, "Content-Encoding: gzip", place, status="206 Partial Content")

    with Loopback(serve) as server:
        assert fetch(server) == clip
        assert [asks_range(request) for request in server.requests] == [False, True]


@pytest.mark.parametrize("later", ["Content-Encoding: gzip", "X: y"])
def test_pieces_of_different_codings_are_never_put_together(fetch, clip, later):
    first = "X: y" if later.startswith("Content") else "Content-Encoding: gzip"
    coded = {"X: y": clip, "Content-Encoding: gzip": gzip.compress(clip)}

    def serve(request):
        if not asks_range(request):
            return answer(coded[first], ETAG, first)[: -5000 if len(server.requests) == 1 else None]
        body = coded[later][1000:]
        start = int(request.lower().partition("range: bytes=")[2].partition("-")[0])
        return answer(body, ETAG, later, f"Content-Range: bytes {start}-{start + len(body) - 1}/*", status="206 OK")

    with Loopback(serve) as server:
        assert fetch(server) == clip


def test_a_first_answer_with_another_part_of_the_clip_is_not_its_beginning(fetch, clip):
    part = answer(clip[500:], f"Content-Range: bytes 500-{len(clip) - 1}/{len(clip)}", status="206 Partial Content")
    with Loopback(part, answer(clip)) as server:
        assert fetch(server) == clip


def test_a_first_answer_with_the_beginning_only_is_followed_by_the_rest(fetch, clip):
    def serve(request):
        start, end = (1000, len(clip)) if asks_range(request) else (0, 1000)
        place = f"Content-Range: bytes {start}-{end - 1}/{len(clip)}"
        return answer(clip[start:end], ETAG, place, status="206 Partial Content")

    with Loopback(serve) as server:
        assert fetch(server) == clip


@pytest.mark.parametrize("place", ["Content-Range: bytes */{n}", "X: y"])
def test_a_declared_length_that_is_too_large_does_not_cost_the_clip(fetch, clip, place):
    def serve(request):
        if asks_range(request):
            return answer(b"", place.format(n=len(clip)), status="416 Range Not Satisfiable")
        return answer(clip, f"Content-Length: {len(clip) + 1}", ETAG, length=False)

    with Loopback(serve) as server:
        assert fetch(server) == clip


def test_a_declared_length_that_is_too_large_does_not_cost_the_clip_where_there_are_no_ranges(fetch, clip):
    with Loopback(answer(clip, f"Content-Length: {len(clip) + 1}", length=False)) as server:
        assert fetch(server) == clip
        assert len(server.requests) == 2


def test_half_a_clip_that_ends_at_the_same_place_each_time_is_never_kept(fetch, clip):
    with (
        Loopback(answer(clip[: len(clip) // 2], f"Content-Length: {len(clip)}", length=False)) as server,
        pytest.raises(DownloadError, match="The connection ended after"),
    ):
        fetch(server)


PAGES = {
    "HTML": b"<!DOCTYPE html><html>Access denied</html>",
    "HTML in Latin-1": "<p>Zugriff verweigert für Sie</p>".encode("latin-1"),
    "JSON": b'{"error": "gone"}',
    "XML after a BOM": b"\xef\xbb\xbf  <?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    "UTF-16": "<html></html>".encode("utf-16"),
    "text": b"Not Found",
    "a playlist": b"#EXTM3U\n#EXT-X-VERSION:3\n",
    "nothing": b"",
}


@pytest.mark.parametrize("content_type", ["video/mp4", "text/html", "application/problem+json"])
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_never_becomes_a_clip_however_often_it_comes(fetch, page, content_type):
    with (
        Loopback(answer(page, f"Content-Type: {content_type}")) as server,
        pytest.raises(DownloadError, match="a web page, or nothing at all, where the clip should be"),
    ):
        fetch(server)


@pytest.mark.parametrize("content_type", ["text/plain", "text/html; charset=utf-8", "application/json"])
def test_a_clip_that_cannot_be_read_is_kept_also_where_it_is_called_a_page(fetch, clip, content_type):
    odd = clip.replace(b"moov", b"mooX")
    with Loopback(answer(odd, f"Content-Type: {content_type}")) as server:
        assert fetch(server) == odd
        assert len(server.requests) == 2


def test_a_page_that_is_coded_without_a_word_is_not_kept(fetch):
    coded = zlib.compress(b"<!DOCTYPE html><html>Access denied</html>")
    with (
        Loopback(answer(coded, "Content-Type: text/html")) as server,
        pytest.raises(DownloadError, match="a web page, or nothing at all"),
    ):
        fetch(server)


def test_a_page_in_between_is_not_kept_and_does_not_count(fetch):
    spoilt, page = answer(b"\0\1clip" * 99, TYPE), answer(b"<html>", TYPE)
    with Loopback(spoilt, page, spoilt) as server:
        assert fetch(server) == b"\0\1clip" * 99
        assert len(server.requests) == 3


def test_what_comes_whole_but_differs_each_time_is_kept_in_the_end(fetch):
    clips = [b"\0clip %d" % number for number in range(6)]
    with Loopback(*(answer(data, TYPE) for data in clips)) as server:
        assert fetch(server) == clips[-1]


def test_what_comes_without_a_length_and_differs_is_not_kept(fetch):
    with (
        Loopback(*(answer(b"\0clip %d" % number, TYPE, length=False) for number in range(6))) as server,
        pytest.raises(DownloadError, match="damaged each time"),
    ):
        fetch(server)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/my clip.mp4", "/my%20clip.mp4"),
        ("  /a.mp4\t", "/a.mp4"),
        ("/für.mp4".encode().decode("latin-1"), "/f%C3%BCr.mp4"),
        ("/f\xfcr.mp4", "/f%FCr.mp4"),
        ("/a\tb.mp4?x=1 2", "/a%09b.mp4?x=1%202"),
        ("/sig?X-Signature=a%2Fb%2fc+~&e=", "/sig?X-Signature=a%2Fb%2fc+~&e="),
        ("{url}/x?", "/x?"),
    ],
)
def test_a_redirect_is_followed_however_its_address_is_written(fetch, clip, location, target):
    with Loopback(lambda _request: moved, answer(clip)) as server:
        moved = answer(b"", f"Location: {location.format(url=server.url)}", status="302 Found")
        assert fetch(server) == clip
        assert server.requests[1].startswith(f"GET {target} HTTP/1.1")


@pytest.mark.parametrize("path", ["/my clip.mp4", "/für.mp4", "/a\nb.mp4", "\t/a.mp4 \r\n", "/\ud800.mp4", "/a\\b.mp4"])
def test_an_address_on_an_own_host_is_asked_however_it_is_written(fetch, clip, path):
    with Loopback(answer(clip)) as server:
        assert fetch(server, f" {server.url}{path.strip()}\n") == clip


@pytest.mark.parametrize(
    "url",
    [
        "https://[x",
        "https://" + "a" * 70 + ".runcomfy.net/c.mp4",
        "https://runcomfy.net:99999/c.mp4",
        "https://runcomfy.net:-1/c.mp4",
        "https:///c.mp4",
        "https://\ud800.runcomfy.net/c.mp4",
        "https://",
        "https:c.mp4",
        "",
        "x" * 100_000,
    ],
)
def test_a_malformed_address_ends_in_a_sentence_that_does_not_repeat_it(fetch, url):
    with Loopback(b"") as server:
        with pytest.raises(DownloadError) as raised:
            fetch(server, f"{url}?X-Signature=deadbeef" if "://" in url else f"{server.url[:0]}://{url}")
        assert "deadbeef" not in str(raised.value)
        assert len(str(raised.value)) < 1000
        assert "still kept at RunComfy" in str(raised.value)


def ends_within(limit_s, work):
    """Runs work in a thread and says how it ended."""
    ends = []

    def run():
        try:
            work()
        except (RunComfyError, Stopped) as error:
            ends.append(error)

    thread = threading.Thread(target=run, daemon=True)
    begun = time.monotonic()
    thread.start()
    thread.join(limit_s)
    assert not thread.is_alive(), f"it goes on after {time.monotonic() - begun:.1f} s"
    return ends[0] if ends else None


# Each goes on for ten seconds and more.
DRIPPING = {
    "status line": lambda: dripping(b"HTTP/1.1 200 OK\r\n" * 99),
    "headers": lambda: dripping(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 999),
    "early hints": lambda: dripping(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 99),
    "body": lambda: dripping(answer(b"", length=False) + b"x" * 999, 0.01),
    "size of a chunk": lambda: dripping(answer(b"", "Transfer-Encoding: chunked", length=False) + b"1" * 999, 0.01),
    "redirect": lambda: dripping(answer(b"", "Location: /x", status="302 Found", length=False) + b"x" * 999, 0.01),
    "nothing": lambda: (time.sleep(0.1) or b"" for _ in iter(int, 1)),
}


@pytest.mark.parametrize("drip", DRIPPING.values(), ids=DRIPPING)
def test_a_dripping_download_ends_at_its_limit(fetch, drip):
    with Loopback(lambda _request: drip()) as server:
        error = ends_within(8.0, lambda: fetch(server, time_limit_s=1.0))
        assert isinstance(error, DownloadError)


@pytest.mark.parametrize("drip", DRIPPING.values(), ids=DRIPPING)
def test_stop_ends_a_dripping_download_long_before_its_server_does(fetch, drip):
    with Loopback(lambda _request: drip()) as server:
        stop = StopSignal()
        pressed = threading.Timer(1.0, lambda: stop.set(cancels_remotely=True))
        pressed.start()
        assert isinstance(ends_within(6.0, lambda: fetch(server, stop=stop)), Stopped)


def test_a_redirect_without_end_costs_neither_memory_nor_time(fetch, clip):
    moved = answer(b"", "Location: /there.mp4", status="302 Found", length=False)
    with Loopback(lambda _request: without_end(moved), answer(clip)) as server:
        tracemalloc.start()
        begun = time.monotonic()
        assert fetch(server) == clip
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert time.monotonic() - begun < 5
        assert most < 16 << 20


@pytest.mark.parametrize("status", ["404 Not Found", "503 Busy", "416 No"])
def test_the_endless_body_of_a_refusal_is_not_read(fetch, status):
    with Loopback(lambda _request: without_end(answer(b"", status=status, length=False))) as server:
        assert isinstance(ends_within(5.0, lambda: fetch(server)), DownloadError)
        assert server.sent_bytes < 64 << 20


def test_no_log_repeats_the_signature_of_an_address(fetch, clip, caplog):
    caplog.set_level(logging.DEBUG)
    moved = answer(b"", "Location: /there.mp4?X-Signature=deadbeef", status="302 Found")
    with Loopback(moved, answer(clip[:99], TYPE), answer(clip)) as server:
        assert fetch(server, "/clip.mp4?X-Signature=deadbeef") == clip
        assert "deadbeef" in server.requests[1]
    assert caplog.text
    assert "deadbeef" not in caplog.text
    assert not [record for record in caplog.records if record.args and "deadbeef" in str(record.args)]


def test_the_verifier_is_asked_about_plain_bytes_only(fetch, clip):
    seen = []

    def refuse(path):
        seen.append(path.read_bytes())
        raise VideoDecodeError("no", path=path)

    with Loopback(answer(gzip.compress(clip), "Content-Encoding: gzip")) as server:
        assert fetch(server, verify=refuse) == clip
    assert seen == [clip, clip]
