"""The exceptions that a user can meet, and `Stopped`. A part that needs one of its own derives it from these.

``str(error)`` is what the user reads in ComfyUI: what happened, what it means for the money, what to do, then the ids.
No message holds a token, the query of a signed URL, or the raw body of an answer.

    Exception
    ├── Stopped                       the run was asked to end
    └── RunComfyError                 every error that a user can meet
        ├── ConfigurationError        something on this machine has to be put right first; nothing was sent
        │   ├── MissingTokenError
        │   ├── JournalUnavailableError
        │   ├── MissingDependencyError
        │   ├── SpendLimitError
        │   ├── AutomaticRunError
        │   ├── NotConfirmedError
        │   └── NotEnoughRoomError
        ├── InvalidInputError         an input of the node cannot be used; nothing was sent; also a ValueError
        ├── APIError                  RunComfy answered with an error
        │   ├── AuthenticationError
        │   ├── InsufficientCreditsError
        │   ├── InvalidRequestError
        │   ├── ModelUnavailableError
        │   ├── NotFoundError
        │   ├── RateLimitError
        │   ├── ServerError
        │   └── ResponseFormatError
        ├── APIConnectionError        RunComfy could not be reached; `sent` tells whether the request may have arrived
        │   └── APITimeoutError
        ├── SubmissionUncertainError  the request may have been accepted; it is never sent again automatically
        ├── GenerationFailedError
        ├── GenerationCancelledError
        │   └── CancelledByUserError  from ComfyUI; the node ends as after Stop
        ├── GenerationTimeoutError    our time limit is over; the request continues at RunComfy
        ├── DownloadError             the clip is paid for and ready, but was not downloaded
        └── VideoDecodeError          the clip is on the disk, but cannot be turned into frames
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self, Unpack

NOTHING_SENT = "Nothing was sent to RunComfy and nothing was charged."
UNCHANGED = "Nothing was changed and nothing was charged."
NOT_CHARGED = "RunComfy did not accept the request, so nothing was charged."
SAFE_TO_RERUN = "Run the node again to pick up where it left off: there is no new charge."


class Stopped(Exception):  # noqa: N818 - the user's wish, not an error; the runtime turns it into ComfyUI's interruption
    """The run was asked to end. ``str()`` says what became of the request.

    Args:
        said: What became of it; empty where the run has only ended.
        ids: How to find the request: `request_id: …, job: job-7`.
    """

    def __init__(self, said: str = "", ids: str = "") -> None:
        super().__init__(f"{said} ({ids})" if ids else said)
        self.said = said
        self.ids = ids


class Details(TypedDict, total=False):
    """What every error takes in addition to its first sentence; see `RunComfyError`."""

    money: str | None
    remedy: str | None
    request_id: str | None
    job_id: int | None


class Told(Details, total=False):
    """What `RunComfyError.told` can change."""

    what: str


class RunComfyError(Exception):
    """Base of all errors a user can meet.

    Args:
        what: One or two sentences: what happened.
        money: What it means for the money; the class has a default where only one answer is possible.
        remedy: What to do now; the class has a default where there is an obvious one.
        request_id: RunComfy's id of the request, if there is one.
        job_id: The number of the journal's row, if there is one.
    """

    # ComfyUI's error report, which people publish, names an exception with its module, and so the folder of the pack.
    __module__ = "sora2pro"
    money = ""
    remedy = ""

    def __init_subclass__(cls) -> None:
        """Give every error the name of the pack for its module."""
        super().__init_subclass__()
        cls.__module__ = RunComfyError.__module__

    def __init__(
        self,
        what: str,
        *,
        money: str | None = None,
        remedy: str | None = None,
        request_id: str | None = None,
        job_id: int | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.money = type(self).money if money is None else money
        self.remedy = type(self).remedy if remedy is None else remedy
        self.request_id = request_id
        self.job_id = job_id

    def told(self, **changes: Unpack[Told]) -> Self:
        """The same error with some of its parts changed; this one stays as it is."""
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__, **changes)
        twin.__cause__, twin.__traceback__ = self.__cause__, self.__traceback__
        return twin

    def __str__(self) -> str:
        """Three sentences, then the ids."""
        text = " ".join(part for part in (self.what, self.money, self.remedy) if part)
        ids = []
        if self.request_id:
            ids.append(f"request_id: {self.request_id}")
        if self.job_id is not None:
            ids.append(f"job: job-{self.job_id}")
        return f"{text} ({', '.join(ids)})" if ids else text


class ConfigurationError(RunComfyError):
    """Something on this machine has to be put right first. Nothing was sent."""

    money = NOTHING_SENT


class MissingTokenError(ConfigurationError):
    """There is no token, or what is there is not a valid token."""

    remedy = (
        "Create a token on runcomfy.com (Profile, API Token) and add it in ComfyUI's Settings under RunComfy, or set the "
        "environment variable RUNCOMFY_API_TOKEN. To try a graph for free without a token, turn on 'rehearse' in "
        "a node that makes clips."
    )


class JournalUnavailableError(ConfigurationError):
    """The journal cannot be read or written, so no purchase could be recorded."""


class MissingDependencyError(ConfigurationError):
    """A Python package is missing."""


class SpendLimitError(ConfigurationError):
    """The purchase would go over RUNCOMFY_MAX_USD_PER_DAY or RUNCOMFY_MAX_USD_PER_CLIP."""


class AutomaticRunError(ConfigurationError):
    """ComfyUI's page started the run by itself, and the user has not allowed such runs to buy."""

    remedy = (
        "Press Run yourself with the Run button set to a single run, or press 'Let automatic runs buy' on the node. What is "
        "already bought or under way is delivered free by automatic runs too."
    )


class NotConfirmedError(ConfigurationError):
    """The user wants to be asked before such a purchase, and nobody answered or could be asked."""

    remedy = (
        "Run the node again in ComfyUI's page and confirm it there, or change 'Ask before a clip above' in Settings under "
        "RunComfy (or RUNCOMFY_ASK_ABOVE_USD)."
    )


class NotEnoughRoomError(ConfigurationError):
    """The frames would not fit into memory, or the clip would not fit on the disk."""


class InvalidInputError(RunComfyError, ValueError):
    """An input of the node cannot be used. Nothing was sent."""

    money = NOTHING_SENT


class APIError(RunComfyError):
    """RunComfy answered with an error.

    Args:
        what: See `RunComfyError`.
        status_code: The HTTP status.
        error_code: RunComfy's numeric code, if the answer held one.
        retry_after_s: Seconds the server asked to wait, if it did.
        details: See `RunComfyError`.
    """

    def __init__(
        self,
        what: str,
        *,
        status_code: int,
        error_code: int | None = None,
        retry_after_s: float | None = None,
        **details: Unpack[Details],
    ) -> None:
        super().__init__(what, **details)
        self.status_code = status_code
        self.error_code = error_code
        self.retry_after_s = retry_after_s


class AuthenticationError(APIError):
    """The token was refused."""

    remedy = "Check the token on runcomfy.com (Profile, API Token): creating a new one there invalidates the old one at once."


class InsufficientCreditsError(APIError):
    """The account is out of credit."""

    remedy = "Add credit on runcomfy.com, then run the node again."


class InvalidRequestError(APIError):
    """RunComfy rejected the inputs; whoever made the request knows by which inputs of its node they are changed."""


class ModelUnavailableError(APIError):
    """RunComfy does not offer the model, or no longer does; whoever made the request knows what can take its place."""


class NotFoundError(APIError):
    """RunComfy does not know the request, or no longer does, or the request belongs to another account."""


class RateLimitError(APIError):
    """Too many requests."""

    remedy = "Wait a minute, then run the node again."


class ServerError(APIError):
    """RunComfy had an internal error."""

    remedy = "Wait a minute, then run the node again."


class ResponseFormatError(APIError):
    """RunComfy's answer could not be understood."""


class APIConnectionError(RunComfyError):
    """RunComfy could not be reached.

    Args:
        what: See `RunComfyError`.
        sent: Whether any of the request may have reached the server.
        is_permanent: Whether trying again is pointless (a rejected certificate).
        details: See `RunComfyError`.
    """

    remedy = "Check the connection (and the proxy, if there is one), then run the node again."

    def __init__(self, what: str, *, sent: bool, is_permanent: bool = False, **details: Unpack[Details]) -> None:
        super().__init__(what, **details)
        self.sent = sent
        self.is_permanent = is_permanent


class APITimeoutError(APIConnectionError):
    """RunComfy did not answer in time."""


class SubmissionUncertainError(RunComfyError):
    """The request was sent, and it is not known whether RunComfy accepted it. It is never sent again automatically."""


class GenerationFailedError(RunComfyError):
    """RunComfy reports, in its own words, that the generation failed."""


class GenerationCancelledError(RunComfyError):
    """The request was cancelled at RunComfy."""


class CancelledByUserError(GenerationCancelledError):
    """The user cancelled the request from ComfyUI, while a node was waiting for it or before."""


class GenerationTimeoutError(RunComfyError):
    """Our time limit is over; the request continues at RunComfy."""

    remedy = SAFE_TO_RERUN


class DownloadError(RunComfyError):
    """The clip is paid for and ready at RunComfy, but was not downloaded in full."""

    money = "The clip is paid for and still kept at RunComfy."
    remedy = SAFE_TO_RERUN


_WHERE_IT_IS = (
    "The clip is at {path}. If it does not play there either, delete it and run the node: it is downloaded again, free."
)


class VideoDecodeError(RunComfyError):
    """The clip on disk cannot be turned into frames.

    Args:
        what: See `RunComfyError`.
        path: Where the clip is.
        details: See `RunComfyError`.
    """

    money = "The clip is paid for and safe on this disk."

    def __init__(self, what: str, *, path: Path, **details: Unpack[Details]) -> None:
        details["remedy"] = details.get("remedy") or _WHERE_IT_IS.format(path=path)
        super().__init__(what, **details)
        self.path = path
