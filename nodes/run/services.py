"""The composition root: settings in, working services out, built once for each set of settings."""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import MissingTokenError
from ..runcomfy.actions import Lookup, StatusActions
from ..runcomfy.api.client import Client
from ..runcomfy.api.download import Downloader
from ..runcomfy.api.retry import RetryPolicy
from ..runcomfy.buying import Generation
from ..runcomfy.collecting import Collector
from ..runcomfy.credentials import Token, account_of, find_token, remove_unfinished_saves
from ..runcomfy.pricing import Pricing
from ..runcomfy.progress import Slots, StopSignal
from ..runcomfy.settings import Settings
from ..runcomfy.store.history import History
from ..runcomfy.store.journal import Journal
from ..runcomfy.waiting import Waiting
from .current import current_settings

logger = logging.getLogger("runcomfy.sora2pro.configuration")


RETRY_BASE_S = 1.0
# They outlive the services below: a change of settings must neither start the count again nor double the memory.
_paid: dict[str, Slots] = {}
_decoding = Slots(lambda: 1)
_KEY_OF_PROCESS = os.urandom(32)


@dataclass(frozen=True, slots=True)
class Services:
    """All that a node needs, for one set of settings.

    Attributes:
        decoding: Frames are made for one clip at a time: decoding uses every core by itself, and memory is counted once.
    """

    settings: Settings
    journal: Journal
    history: History
    pricing: Pricing
    connect: Callable[[], Client]
    generation: Generation
    actions: StatusActions
    decoding: Slots


def current_services() -> Services:
    """The services for the settings as they are now; a change of settings needs no restart.

    Raises:
        ConfigurationError: A setting cannot be used.
    """
    return _services(current_settings())


@functools.lru_cache(maxsize=8)
def _services(settings: Settings) -> Services:
    from ..media.timeline import probe  # noqa: PLC0415 - PyAV is loaded when it is needed, and may be missing

    remove_unfinished_saves(settings.state_dir, now_s=time.time())
    policy = RetryPolicy(base_s=min(RETRY_BASE_S, settings.poll_interval_s))

    def token() -> Token:
        return find_token(os.environ, settings.state_dir)

    def account(key: bytes) -> str | None:
        try:
            return account_of(token().value, key)
        except MissingTokenError:
            return None

    def slots() -> Slots:
        name = f"{journal.api_base} {account(_KEY_OF_PROCESS)}"
        return _paid.setdefault(name, Slots(lambda: current_settings().max_parallel))

    journal = Journal(settings.state_dir, api_base=settings.api_base_url, account=account)
    history = History(journal.database, api_base=settings.api_base_url)
    pricing = Pricing(history=history)

    def connect(*, stop: StopSignal | None = None) -> Client:
        return Client(
            base_url=settings.api_base_url,
            account_base_url=settings.account_base_url,
            token=token(),
            stop=stop,
        )

    collector = Collector(
        journal=journal,
        waiting=Waiting(
            journal=journal,
            history=history,
            poll_interval_s=settings.poll_interval_s,
            timeout_s=settings.timeout_s,
            policy=policy,
        ),
        connect=connect,
        downloader=Downloader(
            allows=settings.allows_clip_url, verify=probe, policy=policy, owner=str(settings.state_dir)
        ),
        output_dir=settings.output_dir,
    )
    return Services(
        settings=settings,
        journal=journal,
        history=history,
        pricing=pricing,
        connect=connect,
        generation=Generation(
            journal=journal,
            collector=collector,
            pricing=pricing,
            connect=connect,
            slots=slots,
            max_usd_per_day=lambda: current_settings().max_usd_per_day,
            policy=policy,
        ),
        actions=StatusActions(
            journal=journal,
            collector=collector,
            connect=connect,
            lookup=Lookup(journal=journal, connect=connect, model_id=settings.model.model_id),
        ),
        decoding=_decoding,
    )
