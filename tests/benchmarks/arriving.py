"""From RunComfy's answer to frames: a clip decoded while it arrives, beside one decoded afterwards.

`python -m benchmarks.arriving` (with `tests` on the path). The link is a server in a process of its own that sends no faster
than `MBIT_PER_S`.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pack import load_pack

load_pack()
from benchmarks.films import write_film  # noqa: E402 - the pack has to be loaded first
from benchmarks.tables import heading, rows  # noqa: E402 - as above
from sora2pro.nodes.media.timeline import probe  # noqa: E402 - as above
from sora2pro.nodes.run.decoding import Decoder  # noqa: E402 - as above
from sora2pro.nodes.run.inputs import FrameChoice  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.api.download import Downloader  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.api.retry import RetryPolicy  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.progress import Run, StopSignal, ignore  # noqa: E402 - as above

MBIT_PER_S = 50
RUNS = 7
AIM = 0.3
CLIPS = (((1280, 720), 4), ((1280, 720), 16), ((1792, 1024), 8))  # (size in pixels, seconds)
SERVER = """
import pathlib, socket, sys, time
content, bytes_per_s = pathlib.Path(sys.argv[1]).read_bytes(), float(sys.argv[2]) * 1e6 / 8
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
for _ in range(1000):
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n" % len(content))
        begun = time.perf_counter()
        for place in range(0, len(content), 16384):
            time.sleep(max(0.0, begun + place / bytes_per_s - time.perf_counter()))
            connection.sendall(content[place : place + 16384])
"""


class Link:
    """A clip at the other end of a slow link; a context."""

    def __init__(self, film, folder):
        self._film, self._folder = film, folder

    def __enter__(self):
        command = [sys.executable, "-c", SERVER, str(self._film), str(MBIT_PER_S)]
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._url = f"http://127.0.0.1:{int(self._server.stdout.readline())}/clip.mp4"
        return self

    def __exit__(self, *_):
        self._server.kill()
        self._server.wait()
        self._server.stdout.close()

    def download(self, run):
        """The clip on this disk, verified."""
        shutil.rmtree(self._folder, ignore_errors=True)
        downloader = Downloader(allows=lambda _url: True, verify=probe, policy=RetryPolicy())
        return downloader.download(self._url, self._folder / "clip.mp4", run, request_id="r")[0]


def seconds(work):
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def afterwards(link, run):
    """Seconds of the download, and of the frames."""
    paths = []
    download_s = seconds(lambda: paths.append(link.download(run)))
    return download_s, seconds(lambda: Decoder(FrameChoice(), run).decode(paths[0]))


def meanwhile(link, run):
    """Seconds of both together."""

    def work():
        with Decoder(FrameChoice(), run) as decoder:
            decoder.decode(link.download(decoder.run))

    return seconds(work)


def main():
    run = Run(StopSignal(), ignore)
    print(f"From the answer to frames at {MBIT_PER_S} Mbit/s, {RUNS} runs in turn, medians (aim: {AIM:.0%} saved)")
    print(
        heading(
            *("clip", "MB", "download, s", "frames, s", "one after the other, s"),
            *("while it arrives, s", "saved, of the shorter"),
        ),
        flush=True,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size, length_s in CLIPS:
            film = write_film(folder / "film.mp4", *size, length_s)
            with Link(film, folder / "clips") as link:
                meanwhile(link, run)
                both = [(*afterwards(link, run), meanwhile(link, run)) for _ in range(RUNS)]
            download_s, frames_s, together_s = (statistics.median(one) for one in zip(*both, strict=True))
            saved = statistics.median((one + other - both_s) / min(one, other) for one, other, both_s in both)
            figures = (download_s, frames_s, download_s + frames_s, together_s)
            print(
                rows(
                    f"{size[0]}x{size[1]}, {length_s} s",
                    f"{film.stat().st_size / 1e6:.1f}",
                    *(f"{figure:.2f}" for figure in figures),
                    f"{saved:.0%}",
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
