"""Which request is the same request: what was paid for once is never paid for again. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from .schema import canonical


def fingerprint(*, model_id: str, body: Mapping[str, Any], media: Mapping[str, tuple[str, ...]], take: int) -> str:
    """SHA-256 of a request, in hexadecimal digits.

    Args:
        model_id: RunComfy's id.
        body: The request without the pictures that `media` names.
        media: For each field of a picture what identifies it: the SHA-256 of its 8-bit pixels, or its address.
        take: Which take: another one is another request.
    """
    pictures = {name: list(identities) for name, identities in media.items()}
    return hashlib.sha256(
        canonical({"model_id": model_id, "body": dict(body), "media": pictures, "take": take}).encode()
    ).hexdigest()
