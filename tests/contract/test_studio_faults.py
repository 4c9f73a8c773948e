"""Eight machines on one journal, killed, cut off and with wrong clocks: no charge twice, no clip lost, the limit never passed."""

import random
import time
from dataclasses import dataclass, field

from emulator import Timeline
from sora2pro.nodes.runcomfy.jobs import JobState
from support import assertions
from support.engine_fixture import Rig, request_of
from support.postgres import PostgresServer, Proxy
from support.studio_workers import context, prompt_of, work

WORKERS, INPUTS = 8, 50
CLIP_USD = 1.2
LIMIT_USD = 40 * CLIP_USD  # of the inputs, these many
TROUBLES = 24
PATIENCE_S = 420.0
SEED = 5


@dataclass
class Studio:
    """The machines, and what befalls them."""

    begin: object
    processes: dict = field(default_factory=dict)
    counts: dict = field(default_factory=lambda: {"kills": 0, "restarts": 0, "cuts": 0})

    def start(self):
        for number in range(WORKERS):
            self.processes[number] = self.begin(number)

    def is_at_work(self):
        return any(process.is_alive() for process in self.processes.values())

    def kill(self, number):
        process = self.processes[number]
        if process.is_alive():
            process.kill()
            process.join(60)
            self.counts["kills"] += 1
            self.processes[number] = self.begin(number)


def test_eight_machines_under_faults_pay_once_for_each_clip_lose_none_and_keep_to_the_limit(
    postgres_programs, start_emulator, tmp_path, clip
):
    emulator = start_emulator(Timeline.after_polls(queued=1, rendering=2))
    chance, until, processes = random.Random(SEED), time.time() + PATIENCE_S, context()  # noqa: S311 - a chance
    with PostgresServer(postgres_programs) as server, Proxy(server.port) as proxy:
        direct = server.new_database()
        url = direct.replace(str(server.port), str(proxy.port))

        def begin(number):
            process = processes.Process(
                target=work,
                args=(emulator.url, emulator.token, str(tmp_path / f"machine {number}"), url),
                kwargs={
                    "seed": number,
                    "inputs": INPUTS,
                    "clock_is_off_s": (number - WORKERS // 2) * 86_400.0,
                    "until": until,
                    "max_usd_per_day": LIMIT_USD,
                    "max_parallel": 6,
                },
            )
            process.start()
            return process

        studio = Studio(begin)
        studio.start()
        for trouble in range(TROUBLES):
            time.sleep(chance.uniform(0.2, 1.0))
            if trouble % 8 == 7:
                server.kill()
                server.start()
                studio.counts["restarts"] += 1
            elif trouble % 4 == 3:
                proxy.cut()
                studio.counts["cuts"] += 1
            else:
                studio.kill(chance.randrange(WORKERS))
        while studio.is_at_work() and time.time() < until:
            time.sleep(0.2)
        for process in studio.processes.values():
            process.join(60)
        assertions.settle(emulator)
        assert all(studio.counts.values())
        assert [process.exitcode for process in studio.processes.values()] == [0] * WORKERS
        # A clip whose sender was killed at the very moment of sending counts against the limit, too.
        assert len(emulator.ledger) > INPUTS // 2

        assert sum(charge.usd for charge in emulator.ledger) <= LIMIT_USD + 1e-6
        assert set(emulator.charges_by_body().values()) <= {1}
        person = Rig(emulator.url, emulator.token, tmp_path / "a person", journal_url=direct, max_usd_per_day=None)
        assertions.assert_paid_once_and_known(emulator, person)
        charged = {charge.body["prompt"]: charge.request_id for charge in emulator.ledger}
        # Whose sender was killed at the very moment of sending is for a person to decide, who looks at RunComfy's list.
        abandoned = [person.engine._lookup.recovered(job) for job in person.journal.in_state(JobState.SUBMITTING)]
        for job in {job.id: job for job in [*abandoned, *person.journal.in_state(JobState.UNCERTAIN)]}.values():
            request_id = charged.get(job.prompt)
            known = request_id is not None and person.journal.by_request_id(request_id) is None
            person.act(*(("adopt", f"{job.name} {request_id}") if known else ("release", job.name)))
        for number in range(INPUTS):
            assert person.run(request_of(prompt_of(number))).path.read_bytes() == clip
        assert list(emulator.charges_by_body().values()) == [1] * INPUTS
