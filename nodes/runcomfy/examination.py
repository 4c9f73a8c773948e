"""What the doctor asks of the engine. Nothing here spends, and nothing is changed.

Importing this loads neither requests nor sqlite3; each function loads what it needs, so that one that is missing is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import APIError, AuthenticationError, ServerError
from .credentials import Token
from .settings import Settings

if TYPE_CHECKING:
    from .api.client import Account, Client
    from .store.examination import JournalFacts

TIMEOUT_S = 4.0


def look_at_account(
    settings: Settings, token: Token, *, clock: Callable[[], float] = time.time
) -> tuple[Account, float | None]:
    """The account, and by how many seconds this machine's clock is ahead of RunComfy's; None where it names no time.

    Raises:
        RunComfyError: RunComfy cannot be asked, or refuses the token.
    """
    with _connected(settings, token) as client:
        before_s = clock()
        account = client.account()
        now_s = (before_s + clock()) / 2
    # The header names whole seconds, rounded down.
    return account, None if account.server_time is None else now_s - (account.server_time + 0.5)


def check_model_api(settings: Settings, token: Token) -> None:
    """See that the address at which clips are bought answers and takes the token; it is on another host than the account.

    Raises:
        RunComfyError: It does not.
    """
    with _connected(settings, token) as client:
        try:
            client.catalogue_entry(settings.model.model_id)
        except (AuthenticationError, ServerError):
            raise
        except APIError:
            return  # it answers; whether it has this model is another question


def check_archive(settings: Settings) -> None:
    """See that the archive is there; raises `RunComfyError`."""
    from .archive import Archive  # noqa: PLC0415 - only the doctor needs it

    Archive(settings.archive_url).check()


def look_at_journal(settings: Settings) -> JournalFacts | None:
    """What the journal is like; None where there is none yet; raises `JournalUnavailableError`."""
    from .store import examination  # noqa: PLC0415 - it loads sqlite3

    if settings.journal_url:
        return examination.look_at_shared_journal(settings.journal_url)
    return examination.look_at_journal(settings.state_dir)


def check_locks(settings: Settings) -> None:
    """See that locks work; raises `JournalUnavailableError`."""
    from .store import examination  # noqa: PLC0415 - it loads sqlite3

    if settings.journal_url:
        examination.check_shared_locks(settings.journal_url)
    else:
        examination.check_locks(settings.state_dir)


def _connected(settings: Settings, token: Token) -> Client:
    """A client that gives up early: the doctor has little time."""
    from .api.client import Client, Timeouts  # noqa: PLC0415 - it loads requests

    return Client(
        base_url=settings.api_base_url,
        account_base_url=settings.account_base_url,
        token=token,
        timeouts=Timeouts(TIMEOUT_S, TIMEOUT_S, TIMEOUT_S, TIMEOUT_S),
    )
