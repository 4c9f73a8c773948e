"""The engine on an emulator, put together as `services.py` does it, but as hasty as a test wants it. It imports no torch."""

import time
from functools import partial
from pathlib import Path

from pack import load_pack

load_pack()

from sora2pro.nodes.media.timeline import probe  # noqa: E402 - the pack is loaded by path, above
from sora2pro.nodes.runcomfy.actions import Lookup, StatusActions  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.api.client import Client, Timeouts  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.api.download import Downloader  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.api.retry import RetryPolicy  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.buying import Generation  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.collecting import Collector  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.credentials import Token, account_of  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.jobs import GenerationRequest, InputReference  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.models import SORA_2_PRO  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.pricing import Pricing  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.progress import (  # noqa: E402 - as above
    Slots,
    StopSignal,
    ignore,
)
from sora2pro.nodes.runcomfy.settings import Settings  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.store.history import History  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.store.journal import Journal  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.waiting import Waiting  # noqa: E402 - as above

PICTURE_URL = "https://example.com/fox.png"
MAX_CLIP_BYTES = 1 << 20
PATIENT = Timeouts(connect_s=20.0, read_s=20.0, submit_read_s=20.0, quick_s=20.0)
NO_WAITS = RetryPolicy(base_s=0.002, ceiling_s=0.01, retry_after_ceiling_s=0.01)


def request_of(prompt="A fox runs.", *, seed=0, seconds=4):
    """What a user asks for; another prompt or seed is another clip."""
    image = InputReference.from_url(PICTURE_URL)
    return GenerationRequest(SORA_2_PRO, prompt, {**SORA_2_PRO.defaults(), "seconds": seconds}, (image,), seed)


class Rig:
    """One ComfyUI's engine; several on one folder are several of them, or one after the other.

    connect: opens a conversation with RunComfy; by default one with `timeouts`.
    database: what the journal writes to.
    download: more arguments of the downloader.
    fresh_link_waits_s: before each time that a fresh address of a clip is asked for.
    settings: fields of `Settings`.
    """

    def __init__(
        self,
        url,
        token,
        root,
        *,
        timeouts=PATIENT,
        database=None,
        download=None,
        clock=time.monotonic,
        wall_clock=time.time,
        connect=None,
        fresh_link_waits_s=(0.002, 0.004, 0.008),
        **settings,
    ):
        folders = {"state_dir": Path(root) / "state", "output_dir": Path(root) / "clips"}
        self.settings = Settings(**{**folders, "api_base_url": url, "poll_interval_s": 0.005, **settings})
        self.journal = Journal(
            self.settings.state_dir,
            clock=wall_clock,
            database=database,
            api_base=url,
            account=partial(account_of, token),
        )
        self.history = History(self.journal.database, clock=wall_clock, api_base=url)
        self.connect = connect or partial(
            Client, base_url=url, account_base_url=url, token=Token(token, "the test"), timeouts=timeouts
        )
        self.downloader = Downloader(
            **{
                "allows": self.settings.allows_clip_url,
                "verify": probe,
                "policy": NO_WAITS,
                "max_bytes": MAX_CLIP_BYTES,
                "read_timeout_s": timeouts.read_s,
                **(download or {}),
            }
        )
        self.collector = Collector(
            journal=self.journal,
            waiting=Waiting(
                journal=self.journal,
                history=self.history,
                poll_interval_s=self.settings.poll_interval_s,
                timeout_s=self.settings.timeout_s,
                policy=NO_WAITS,
                clock=clock,
                wall_clock=wall_clock,
            ),
            connect=self.connect,
            downloader=self.downloader,
            output_dir=self.settings.output_dir,
            fresh_link_waits_s=fresh_link_waits_s,
        )
        self.generation = Generation(
            journal=self.journal,
            collector=self.collector,
            pricing=Pricing(history=self.history),
            connect=self.connect,
            slots=partial(lambda slots: slots, Slots(lambda: self.settings.max_parallel)),
            max_usd_per_day=lambda: self.settings.max_usd_per_day,
            policy=NO_WAITS,
            sleep=lambda _seconds: None,
        )
        self.actions = StatusActions(
            journal=self.journal,
            collector=self.collector,
            connect=self.connect,
            lookup=Lookup(journal=self.journal, connect=self.connect, model_id=self.settings.model.model_id),
        )

    def run(self, request=None, *, stop=None, report=ignore):
        """The job of a request, downloaded; raises what the engine raises."""
        return self.generation.run(
            request or request_of(), stop=stop or StopSignal(), report=report, preflight=self.journal.check_writable
        )

    def collect(self, name=""):
        """The job, collected by `Sora2ProStatus`."""
        return self.actions.collect(name, stop=StopSignal(), report=ignore).job
