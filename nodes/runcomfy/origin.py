"""Where a job was bought: at which address of the API, and by which account. Pure."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from ..errors import UNCHANGED, InvalidInputError
from .jobs import Job

DEFAULT_PORTS = {"https": 443, "http": 80}


def canonical_base(url: str) -> str:
    """An address of the API in the one form that is compared and stored (RFC 3986, section 6.2)."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    authority = f"[{host}]" if ":" in host else host
    if parts.port not in (None, DEFAULT_PORTS.get(parts.scheme)):
        authority += f":{parts.port}"
    return f"{parts.scheme}://{authority}{parts.path.rstrip('/')}"


def account_of(token: str, key: bytes) -> str:
    """What stands for the account of a token: HMAC-SHA256 in hex, of no use without the key of the same state folder."""
    return hmac.new(key, token.encode(), hashlib.sha256).hexdigest()


def elsewhere_sentence(job: Job, api_base: str) -> str:
    """That a job was bought at another address than the one in use."""
    return f"{job.name} was bought at {job.api_base}, but the API address in use is {api_base}."


def bought_elsewhere(job: Job, api_base: str) -> InvalidInputError:
    """Why nothing is done with a job of another address: what that one says of a request means nothing at this one."""
    return InvalidInputError(
        elsewhere_sentence(job, api_base),
        money=UNCHANGED,
        remedy=f"Set RUNCOMFY_MODEL_API_BASE_URL (or 'api_base_url' in settings.json) to {job.api_base}, then try again.",
        request_id=job.request_id,
        job_id=job.id,
    )


def not_proven_gone(job: Job, *, is_base_known: bool) -> InvalidInputError:
    """Why "not found" is not believed: it came from an address or an account that may never have had the request."""
    if is_base_known:
        cause = "but the token in use is not the one that it was bought with"
        first = "Set the token that it was bought with, then release it again. If that token was replaced on the same account, "
    else:
        cause = "but the journal does not say at which API address it was bought"
        first = "Remove RUNCOMFY_MODEL_API_BASE_URL, then release it again. Otherwise, "
    return InvalidInputError(
        f"RunComfy does not know the request of {job.name}, {cause}, so it is not released: a clip that is paid for could be "
        "bought again.",
        money=UNCHANGED,
        remedy=f"{first}look under Generations on runcomfy.com; a change of the seed buys another clip.",
        request_id=job.request_id,
        job_id=job.id,
    )
