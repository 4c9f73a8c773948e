"""The engine in one piece: what nodes, page and tests call. It puts the parts together and delegates.

Constructing it loads requests and SQLAlchemy; importing this module loads neither.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .credentials import Token, known_account
from .generation import ClipRequest
from .jobs import Action, Elsewhere, Job, JobQuery, JobRef, Page, Purchase
from .models import ModelSpec, Scalar
from .pricing import PriceRange
from .progress import Run
from .sentences import Outcome
from .settings import Settings

if TYPE_CHECKING:
    from typing import Unpack

    from .api.client import Client, Connect
    from .api.retry import RetryPolicy
    from .catalogue.estimate import PriceEstimate
    from .catalogue.offer import Offer
    from .catalogue.wishes import Wishes
    from .confirming import Checks
    from .offers import Offers
    from .progress import StopSignal
    from .store.history import History
    from .store.journal import Journal
    from .store.transactions import Transactions
    from .waiting import Waiting

RETRY_BASE_S = 1.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an engine takes from outside: clocks, patience, connections. The defaults are those of a running ComfyUI.

    Attributes:
        policy: The figures of the backoff; None for those that go with the settings.
        client: More arguments of `Client`, such as its timeouts.
        download: More arguments of `Downloader`.
        archiving: More arguments of `Archiving`.
        fresh_link_waits_s: Before each time that RunComfy is asked for a fresh address of a clip; None for the usual ones.
        database: What the journal writes to; None for a file in the state folder.
    """

    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    policy: RetryPolicy | None = None
    client: Mapping[str, Any] = field(default_factory=dict)
    download: Mapping[str, Any] = field(default_factory=dict)
    archiving: Mapping[str, Any] = field(default_factory=dict)
    fresh_link_waits_s: Sequence[float] | None = None
    database: Any = None


class Engine:
    """Everything the pack does with RunComfy, money and disk, for one set of settings.

    Args:
        settings: What the user has set.
        token: Finds the token; raises `MissingTokenError`.
        verify: Raises `VideoDecodeError` if a file cannot be read as a whole clip.
        now: The settings as of now: the spend cap and the parallel limit are read whenever they count.
        surroundings: Clocks, patience, connections.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        token: Callable[[], Token],
        verify: Callable[[Path], object],
        now: Callable[[], Settings] | None = None,
        surroundings: Surroundings | None = None,
    ) -> None:
        from . import actions, archiving, buying, collecting, lookup, pricing  # noqa: PLC0415 - they load requests and SQLAlchemy
        from .api import download, retry  # noqa: PLC0415 - as above
        from .store import history, journal, outbox  # noqa: PLC0415 - as above

        around = surroundings or Surroundings()
        policy = around.policy or retry.RetryPolicy(base_s=min(RETRY_BASE_S, settings.poll_interval_s))
        now = now or (lambda: settings)
        account = functools.partial(known_account, token)
        self.settings, self._token, self._around = settings, token, around
        self._journal = journal.Journal(
            settings.state_dir,
            clock=around.wall_clock,
            database=around.database or _database_of(settings),
            api_base=settings.api_base_url,
            account=account,
        )
        self._history = history.History(self._journal.database, clock=around.wall_clock, api_base=settings.api_base_url)
        self._pricing = pricing.Pricing(history=self._history)
        own = {"allows": settings.allows_clip_url, "verify": verify, "policy": policy, "owner": str(settings.state_dir)}
        self._downloader = download.Downloader(**{**own, **around.download})
        self._collector = collecting.Collector(
            journal=self._journal,
            waiting=_waiting_of(settings, around, policy, journal=self._journal, history=self._history),
            connect=self.connect,
            downloader=self._downloader,
            archiving=archiving.Archiving(settings.archive_url, self._journal, verify, **around.archiving),
            output_dir=settings.output_dir,
            verify=verify,
            fresh_link_waits_s=around.fresh_link_waits_s or collecting.FRESH_LINK_WAITS_S,
        )
        self._outbox = outbox.Outbox(settings.state_dir / "outbox", self._journal) if settings.journal_url else None
        self._buyer = buying.Buyer(
            journal=self._journal,
            collector=self._collector,
            pricing=self._pricing,
            connect=self.connect,
            slots=lambda: buying.paid_slots(self._journal.api_base, account, lambda: now().max_parallel),
            max_usd_per_day=lambda: now().max_usd_per_day,
            max_usd_per_clip=lambda: now().max_usd_per_clip,
            ask_above_usd=lambda: now().ask_above_usd,
            policy=policy,
            outbox=self._outbox,
            sleep=around.sleep,
        )
        self._offers = _offers_of(settings, around, self.connect, self._journal.database)
        self._lookup = lookup.Lookup(journal=self._journal, connect=self.connect, model_id=settings.model.model_id)
        self._actions = actions.Actions(
            journal=self._journal, collector=self._collector, connect=self.connect, lookup=self._lookup
        )

    def __repr__(self) -> str:
        """The folder and the address; no token."""
        return f"Engine(state_dir={str(self.settings.state_dir)!r}, api_base_url={self.settings.api_base_url!r})"

    def generate(self, request: ClipRequest, run: Run, **checks: Unpack[Checks]) -> Purchase:
        """The clip of a request: from the journal if it was bought before, else bought now; see `Buyer.buy`."""
        self._record_kept_ids()
        return self._buyer.buy(request, run, **checks)

    def act(self, action: Action, ref: JobRef, run: Run, *, request_id: str | None = None) -> Outcome:
        """Check, collect, cancel, adopt or release a job; see `Actions.act`. None of it can spend."""
        self._record_kept_ids()
        return self._actions.act(action, ref, run, request_id=request_id)

    def delete_file(self, ref: JobRef) -> Job:
        """Delete the file of a clip in the output folder; see `Actions.delete_file`."""
        return self._actions.delete_file(ref, self.settings.output_dir)

    def job(self, ref: JobRef) -> Job | None:
        """The job that is meant; None if the journal has none."""
        return self._lookup.find(ref)

    def jobs(self, query: JobQuery) -> Page:
        """A page of jobs, and what was spent in all."""
        return self._history.page(query)

    def elsewhere(self, jobs: Sequence[Job]) -> Mapping[int, Elsewhere]:
        """What other machines have of jobs, by their numbers."""
        return self._journal.elsewhere(jobs)

    def price(self, model: ModelSpec, choices: Mapping[str, Sequence[Scalar]]) -> PriceRange:
        """What one clip is expected to cost, where each input that sets the price has one of some values."""
        return self._pricing.range_usd(self.connect, model, choices)

    def known_job(self, request: ClipRequest) -> Job | None:
        """The job that a request would lead to instead of to a purchase; nobody is asked and nothing is changed."""
        return self._journal.find(*request.all_fingerprints())

    def offer(self, model_id: str, stop: StopSignal) -> Offer:
        """How RunComfy describes a model; raises `InvalidInputError` where nobody can say."""
        return self._offers.find(model_id, stop)

    def offer_offline(self, model_id: str) -> Offer:
        """The same as far as it is known here."""
        return self._offers.find_offline(model_id)

    def describe(self, model_id: str) -> Offer:
        """The same where nothing is to be bought or served; it needs no journal."""
        return self._offers.describe(model_id)

    def estimate(self, model_id: str, wishes: Wishes) -> PriceEstimate:
        """What a clip is expected to cost, as far as is known here; raises `InvalidInputError` where it cannot be bought."""
        return self._offers.estimate(model_id, wishes, self._history.last_cost_usd)

    def check_can_record(self) -> None:
        """Prove before money that a purchase can be recorded; raises `JournalUnavailableError`."""
        self._journal.check_writable()

    def balance_usd(self) -> float:
        """The account's balance in US dollars; a check of the token that costs nothing."""
        with self.connect() as client:
            return client.balance_usd()

    def _record_kept_ids(self) -> None:
        """Before anybody decides about a job: its id may be on this disk, and the background looks only now and then."""
        if self._outbox is not None:
            self._outbox.deliver()

    def connect(self, *, stop: StopSignal | None = None) -> Client:
        """Open a conversation with the API; raises `MissingTokenError`."""
        from .api.client import Client  # noqa: PLC0415 - it loads requests

        return Client(
            base_url=self.settings.api_base_url,
            account_base_url=self.settings.account_base_url,
            token=self._token(),
            stop=stop,
            **self._around.client,
        )


def _waiting_of(
    settings: Settings, around: Surroundings, policy: RetryPolicy, *, journal: Journal, history: History
) -> Waiting:
    """What waits for requests."""
    from .waiting import Waiting  # noqa: PLC0415 - it loads requests and SQLAlchemy

    return Waiting(
        journal=journal,
        history=history,
        poll_interval_s=settings.poll_interval_s,
        timeout_s=settings.timeout_s,
        policy=policy,
        clock=around.clock,
        wall_clock=around.wall_clock,
    )


def _offers_of(settings: Settings, around: Surroundings, connect: Connect, database: Transactions) -> Offers:
    """What is known of models."""
    from .offers import Offers  # noqa: PLC0415 - it loads requests
    from .store.descriptions import Descriptions  # noqa: PLC0415 - it loads SQLAlchemy

    return Offers(
        folder=settings.state_dir / "models",
        shared=Descriptions(database, api_base=settings.api_base_url),
        connect=connect,
        api_base=settings.api_base_url,
        clock=around.clock,
    )


def _database_of(settings: Settings) -> Transactions | None:
    """The journal's database on another machine; None for the file in the state folder."""
    if not settings.journal_url:
        return None
    from .store.postgres import database_at  # noqa: PLC0415 - it loads SQLAlchemy

    return database_at(settings.journal_url)
