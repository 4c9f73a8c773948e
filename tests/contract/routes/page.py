"""The page of one ComfyUI, and what its user has bought before he looks at it."""

import time
from dataclasses import dataclass
from functools import partial

import requests
from promises import stopped_at
from rig import request_of
from sora2pro.nodes.run.services import current_services
from sora2pro.nodes.runcomfy.progress import Queued, StopSignal, ignore

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


def buy(prompt="A fox runs.", **changes):
    """A clip, bought and brought home as the node does it."""
    generation = current_services().generation
    return generation.run(request_of(prompt, **changes), stop=StopSignal(), report=ignore)


def buy_and_stop(emulator):
    """A clip that is bought and left in the queue, as after a crash; from now on its request moves by hand."""
    emulator.hold()
    generation = current_services().generation
    stopped_at(Queued, partial(generation.run, request_of()), cancels_remotely=False)
    return current_services().journal.newest(), emulator.requests[-1]


def fill(count):
    """Jobs that were never sent."""
    with current_services().journal.database.writing() as connection:
        connection.executemany(
            "INSERT INTO jobs (fingerprint, state, model_id, prompt, size, seconds, seed, created_at, updated_at) "
            "VALUES (?, 'prepared', 'm', ?, '1280x720', 4, '0', ?, ?)",
            [(f"f{number}", f"clip number {number}", number, number) for number in range(count)],
        )
