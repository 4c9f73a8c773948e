"""The engine on an emulator, as hasty as a test wants it. It imports no torch."""

import time
from dataclasses import dataclass
from pathlib import Path

from pack import load_pack

load_pack()

from sora2pro.nodes.media.timeline import probe  # noqa: E402 - the pack is loaded by path, above
from sora2pro.nodes.run.inputs import parse_action, parse_reference  # noqa: E402 - as above
from sora2pro.nodes.runcomfy import (  # noqa: E402 - as above
    SORA_2_PRO,
    CatalogueRequest,
    Engine,
    GenerationRequest,
    Job,
    Picture,
    Run,
    Settings,
    StopSignal,
    Surroundings,
    Token,
    Wishes,
    describe_outcome,
    shipped_catalogue,
    translate,
)
from sora2pro.nodes.runcomfy.api.client import Timeouts  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.api.retry import RetryPolicy  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.progress import ignore  # noqa: E402 - as above

PICTURE_URL = "https://example.com/fox.png"
CATALOGUE_MODEL = "pixverse/pixverse-v6/image-to-video"
MAX_CLIP_BYTES = 1 << 20
PATIENT = Timeouts(connect_s=20.0, read_s=20.0, submit_read_s=20.0, quick_s=20.0)
NO_WAITS = RetryPolicy(base_s=0.002, ceiling_s=0.01, retry_after_ceiling_s=0.01)


def request_of(prompt="A fox runs.", *, seed=0, seconds=4):
    """What a user asks for; another prompt or seed is another clip."""
    picture = Picture.from_url(PICTURE_URL)
    return GenerationRequest(SORA_2_PRO, prompt, {**SORA_2_PRO.defaults(), "seconds": seconds}, (picture,), seed)


def catalogue_request_of(engine):
    """The same of a model of the catalogue, by the description that `RunComfyImageToVideo` asks for first."""
    offer = engine.offer(CATALOGUE_MODEL, StopSignal())
    wishes = Wishes(prompt="A fox runs.", image_url=PICTURE_URL)
    translation = translate(offer.entry, wishes, catalogue=shipped_catalogue(), is_strict=True)
    return CatalogueRequest(offer.entry, translation, (Picture.from_url(PICTURE_URL),), 0, offer.source)


@dataclass(frozen=True)
class Answer:
    """What `Sora2ProStatus` says of a job."""

    job: Job
    report: str


class Rig:
    """One ComfyUI's engine; several on one folder are several of them, or one after the other.

    connect: opens a conversation with RunComfy; by default the engine's own.
    database: what the journal writes to.
    download: more arguments of the downloader.
    archiving: more arguments of what keeps clips in the archive.
    fresh_link_waits_s: before each time that a fresh address of a clip is asked for.
    settings: fields of `Settings`; without a word on it, there is no daily limit.
    """

    def usual_request(self):
        """What is bought where a test names no request."""
        return request_of()

    def __init__(
        self,
        url,
        token,
        root,
        *,
        timeouts=PATIENT,
        database=None,
        download=None,
        archiving=None,
        clock=time.monotonic,
        wall_clock=time.time,
        connect=None,
        fresh_link_waits_s=(0.002, 0.004, 0.008),
        **settings,
    ):
        folders = {"state_dir": Path(root) / "state", "output_dir": Path(root) / "clips"}
        self.settings = Settings(
            **{**folders, "api_base_url": url, "poll_interval_s": 0.005, "max_usd_per_day": None, **settings}
        )
        engine = Engine if connect is None else type("ConnectedEngine", (Engine,), {"connect": staticmethod(connect)})
        self.engine = engine(
            self.settings,
            token=lambda: Token(token, "the test"),
            verify=probe,
            surroundings=Surroundings(
                clock=clock,
                wall_clock=wall_clock,
                sleep=lambda _seconds: None,
                policy=NO_WAITS,
                client={"timeouts": timeouts},
                download={"max_bytes": MAX_CLIP_BYTES, "read_timeout_s": timeouts.read_s, **(download or {})},
                archiving=archiving or {},
                fresh_link_waits_s=fresh_link_waits_s,
                database=database,
            ),
        )
        # The state behind the promises.
        self.connect = self.engine.connect
        self.journal = self.engine._journal
        self.history = self.engine._history
        self.downloader = self.engine._downloader
        self.archiving = self.engine._collector._archiving

    def buy(self, request=None, *, stop=None, report=ignore):
        """The purchase of a request; raises what the engine raises."""
        return self.engine.generate(
            request or self.usual_request(), Run(stop or StopSignal(), report), preflight=self.engine.check_can_record
        )

    def run(self, request=None, **watch):
        """The job of a request, downloaded."""
        return self.buy(request, **watch).job

    def act(self, action, reference=""):
        """What `Sora2ProStatus` says, without decoding."""
        chosen = parse_action(action)
        ref, request_id = parse_reference(chosen, reference)
        outcome = self.engine.act(chosen, ref, Run(StopSignal(), ignore), request_id=request_id)
        return Answer(outcome.job, describe_outcome(outcome))

    def collect(self, reference=""):
        """The job, collected by `Sora2ProStatus`."""
        return self.act("collect", reference).job


class CatalogueRig(Rig):
    """The same on which `RunComfyImageToVideo` buys."""

    def usual_request(self):
        return catalogue_request_of(self.engine)
