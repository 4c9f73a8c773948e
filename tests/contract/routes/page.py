"""The page of one ComfyUI, and what its user has bought before he looks at it."""

import time
from dataclasses import dataclass

import requests
from sora2pro.nodes.run.current import current_engine
from sora2pro.nodes.runcomfy import JobRef, Run
from sora2pro.nodes.runcomfy.progress import Queued, StopSignal, ignore
from support.assertions import stopped_at
from support.engine_fixture import request_of

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
    """A clip, bought and collected as the node does it."""
    return current_engine().generate(request_of(prompt, **changes), Run(StopSignal(), ignore)).job


def buy_and_stop(emulator):
    """A clip that is bought and left in the queue, as after a crash; from now on its request moves by hand."""
    emulator.hold()
    engine = current_engine()
    stopped_at(Queued, lambda stop, report: engine.generate(request_of(), Run(stop, report)), cancels_remotely=False)
    return engine.job(JobRef()), emulator.requests[-1]


def fill(count):
    """Jobs that were never sent."""
    with current_engine()._journal.database.writing() as connection:
        connection.exec_driver_sql(
            "INSERT INTO jobs (fingerprint, state, model_id, prompt, size, seconds, seed, created_at, updated_at) "
            "VALUES (?, 'prepared', 'm', ?, '1280x720', 4, '0', ?, ?)",
            [(f"f{number}", f"clip number {number}", number, number) for number in range(count)],
        )
