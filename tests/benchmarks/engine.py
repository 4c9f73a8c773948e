"""Figures of the engine, on the emulator: `python -m benchmarks.engine` (with `tests` on the path) prints a Markdown table."""

import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import requests
from pack import load_pack

load_pack()
from emulator import Call, Emulator, Fault, Timeline, fault_matrix  # noqa: E402 - as above
from emulator.visitor import Visitor  # noqa: E402 - as above
from sora2pro.nodes.media.rehearsal import render  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.progress import Downloading, StopSignal  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.store.postgres import PostgresDatabase  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.store.tables import jobs  # noqa: E402 - as above
from support import assertions, fault_runs  # noqa: E402 - as above
from support.engine_fixture import Rig, request_of  # noqa: E402 - as above
from support.killed_processes import Forker, RandomKiller  # noqa: E402 - as above
from support.postgres import PostgresServer, find_programs  # noqa: E402 - as above

KILLS = 100
SEED = 3
JOBS = 10_000
POSTGRES_JOBS = 100_000
SAMPLES = 50
RUNS = 9
CLIPS = 8
POLL_S = 0.05


@dataclass(frozen=True)
class SameClip:
    """Renders nothing: every clip is this one."""

    content: bytes = field(repr=False)

    def __call__(self, _picture, path, **_length):
        path.write_bytes(self.content)


@dataclass
class Workshop:
    """Emulators and engines in folders that go away."""

    root: Path
    small: bytes
    count: int = 0

    def emulator(self, timeline=None, clip=None):
        timeline = timeline or Timeline.after_polls(queued=1, rendering=1)
        clip = clip or self.small
        folder = self.root / f"clips-{len(clip)}"
        return Emulator(render=SameClip(clip), clips_dir=folder, timeline=timeline)

    def rig(self, emulator, root=None, **changes):
        return Rig(emulator.url, emulator.token, root or self.folder(), **changes)

    def folder(self):
        self.count += 1
        return self.root / str(self.count)


def clip_of(root, edge_pixels, seconds, fps):
    path = root / "clip.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (edge_pixels, edge_pixels, 3), np.uint8)
    render(noise, path, seconds=seconds, fps=fps, mark=None)
    content = path.read_bytes()
    path.unlink()
    return content


def faults(workshop):
    """Every fault at every step, once and lasting."""
    survived = double = 0
    cases = [(fault, times) for fault in fault_matrix(*fault_runs.STEPS) for times in (1, None)]
    for fault, times in cases:
        folder = workshop.folder()
        with workshop.emulator() as emulator:
            try:
                fault_runs.assert_survived(fault, times, emulator, partial(workshop.rig, root=folder), workshop.small)
                survived += 1
            except AssertionError as error:
                print(f"{fault}: {error}", file=sys.stderr)
            double += any(count > 1 for count in emulator.charges_by_body().values())
    yield "faults injected", str(len(cases))
    yield "faults survived", str(survived)
    yield "double charges after a fault", str(double)


def kills(workshop):
    """SIGKILL at random moments, then a run to the end."""
    killer, lost, double = RandomKiller(SEED), 0, 0
    with Forker() as forker:
        while killer.kills < KILLS:
            folder = workshop.folder()
            with workshop.emulator() as emulator:
                killer.visit(lambda: forker.begin(emulator, folder))  # noqa: B023 - called at once
                assertions.settle(emulator)
                try:
                    assertions.assert_clip_for_one_charge(workshop.rig(emulator, folder), emulator, workshop.small)
                except AssertionError as error:
                    lost += 1
                    print(error, file=sys.stderr)
                double += any(count > 1 for count in emulator.charges_by_body().values())
    yield "kills (SIGKILL at random moments)", str(killer.kills)
    yield "clips lost after a kill", str(lost)
    yield "double charges after a kill", str(double)


def journal(workshop):
    """One step of a job in a large journal, on this disk and in PostgreSQL."""
    yield from steps(workshop, None, JOBS, "")
    with PostgresServer(find_programs(), fsync="on") as server:
        yield from steps(workshop, PostgresDatabase(server.new_database()), POSTGRES_JOBS, " in PostgreSQL")


def steps(workshop, database, count, where):
    with workshop.emulator() as emulator:
        rig = workshop.rig(emulator, database=database)
    row = {"state": "downloaded", "model_id": "m", "prompt": "p", "seconds": 4, "created_at": 0.0, "updated_at": 0.0}
    rows = [{**row, "fingerprint": f"{number:064x}", "seed": str(number)} for number in range(count)]
    with rig.journal.database.writing() as connection:
        connection.execute(jobs.insert(), rows)
    claims, moves = [], []
    for number in range(SAMPLES):
        request = request_of("another", seed=number)
        begun = time.perf_counter()
        job = rig.journal.claim(request)
        claimed = time.perf_counter()
        rig.journal.record_submitting(job, expected_usd=1.2, max_usd_per_day=1e6, max_parallel=SAMPLES)
        claims.append(claimed - begun)
        moves.append(time.perf_counter() - claimed)
    yield f"claim of a job, {count:,} in the journal{where}", milliseconds(claims)
    yield f"transition of a job with the spend cap checked, {count:,} in the journal{where}", milliseconds(moves)


def overhead(workshop):
    """From the moment RunComfy is done to the file on the disk, and the same download by itself."""
    clip = clip_of(workshop.root, 512, 4, 30)
    whole, bare = [], []
    for number in range(RUNS):
        with workshop.emulator(Timeline.by_hand(), clip) as emulator, ThreadPoolExecutor(1) as pool:
            rig = workshop.rig(emulator, poll_interval_s=POLL_S, download={"max_bytes": 2 * len(clip)})
            run = pool.submit(rig.run)
            emulator.wait_until(lambda: len(emulator.seen(Call.STATUS)) > 3 + number)  # noqa: B023 - called at once
            request_id = emulator.requests[0].request_id
            done = time.perf_counter()
            emulator.release(request_id)
            run.result()
            whole.append(time.perf_counter() - done)
            url = Visitor(emulator).result(request_id).json["output"]["video"]
            begun = time.perf_counter()
            (workshop.root / "bare.mp4").write_bytes(requests.get(url, timeout=60).content)
            bare.append(time.perf_counter() - begun)
    yield (
        f"from 'completed' to the file on disk ({len(clip) / 1e6:.1f} MB, asked every {POLL_S} s)",
        milliseconds(whole),
    )
    yield "the same download by itself", milliseconds(bare)
    yield (
        "our own overhead, the wait for the next look included",
        milliseconds([ours - theirs for ours, theirs in zip(whole, bare, strict=True)]),
    )


def makespan(workshop):
    """Eight clips side by side against one."""
    seconds = {}
    for count in (1, CLIPS):
        with workshop.emulator(Timeline.by_clock(queued_s=0.5, rendering_s=2.5)) as emulator, ExitStack() as stack:
            rig = workshop.rig(emulator, poll_interval_s=POLL_S, max_parallel=CLIPS)
            pool = stack.enter_context(ThreadPoolExecutor(count))
            begun = time.perf_counter()
            list(pool.map(lambda seed: rig.run(request_of(seed=seed)), range(count)))  # noqa: B023 - ends here
            seconds[count] = time.perf_counter() - begun
    yield "one clip, 3 s at RunComfy", f"{seconds[1]:.2f} s"
    yield f"{CLIPS} clips at a limit of {CLIPS}, 3 s each at RunComfy", f"{seconds[CLIPS]:.2f} s"


def stop(workshop):
    """From Stop to the end of a download whose server is silent."""
    yield "Stop during a download, the server silent", milliseconds([_stopped_s(workshop) for _ in range(RUNS)])


def _stopped_s(workshop):
    signal, has_begun = StopSignal(), threading.Event()
    with workshop.emulator() as emulator, ThreadPoolExecutor(1) as pool:
        emulator.inject(Fault(Call.DOWNLOAD, "stall", times=None))
        run = pool.submit(
            workshop.rig(emulator).run,
            stop=signal,
            report=lambda p: has_begun.set() if isinstance(p, Downloading) else None,
        )
        has_begun.wait(60)
        pressed = time.perf_counter()
        signal.set(cancels_remotely=True)
        run.exception()
        return time.perf_counter() - pressed


def milliseconds(seconds):
    return f"{statistics.median(seconds) * 1000:.1f} ms (worst {max(seconds) * 1000:.1f} ms)"


def main():
    print("| engine | median of the runs |\n|---|---:|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        workshop = Workshop(root, clip_of(root, 64, 1, 8))
        for measure in (faults, kills, journal, overhead, makespan, stop):
            for name, figure in measure(workshop):
                print(f"| {name} | {figure} |", flush=True)


if __name__ == "__main__":
    main()
