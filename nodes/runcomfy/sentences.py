"""What the user is told of a job: how it stands, what came of an action, and why something was not done. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import (
    NOTHING_SENT,
    SAFE_TO_RERUN,
    UNCHANGED,
    CancelledByUserError,
    GenerationCancelledError,
    GenerationFailedError,
    InvalidInputError,
    NotFoundError,
    RunComfyError,
    SubmissionUncertainError,
)
from .api.answers import CancelOutcome, Phase
from .foreign_text import shown, unsigned
from .generation import ClipRequest
from .jobs import LENGTH_FIELDS, Action, Job, JobState
from .models import Scalar
from .progress import PriceBound


@dataclass(frozen=True, slots=True)
class Live:
    """What RunComfy says of a request right now.

    Attributes:
        phase: How far it is; None if RunComfy could not be asked.
        word: RunComfy's own word for that.
        queue_position: Its place in the queue, if RunComfy names one.
        trouble: Why RunComfy could not be asked.
    """

    phase: Phase | None = None
    word: str = ""
    queue_position: int | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What RunComfy said to a cancel; `trouble` if it could not be asked."""

    outcome: CancelOutcome = CancelOutcome.UNCLEAR
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action.

    Attributes:
        job: As it is now.
        live: For a check: what RunComfy says, where it was asked.
        cancellation: For a cancel: what RunComfy said; None where there was nothing to cancel.
        note: For a collection: what the user is to know of the clip and the archive.
        api_base_in_use: For a check of a job that was bought at another address of the API: the one in use.
    """

    action: Action
    job: Job
    live: Live | None = None
    cancellation: Cancellation | None = None
    api_base_in_use: str | None = None
    note: str = ""


def describe_outcome(outcome: Outcome) -> str:
    """What came of an action, in a few sentences."""
    job = outcome.job
    if outcome.action is Action.RELEASE:
        return f"{job.name} is released: the next run with the same inputs buys a new clip. {charge_sentence(job)}"
    if outcome.action is Action.ADOPT:
        return f"{describe(job)} Run the node again, or collect it here: there is no new charge."
    if outcome.action is Action.CANCEL:
        if outcome.cancellation is None:
            return f"{describe(job)} There is nothing to cancel."
        return f"{job.name} (request_id: {job.request_id}): {describe_cancellation(outcome.cancellation)}"
    if outcome.api_base_in_use is not None:
        return f"{describe(job)} {elsewhere_sentence(job, outcome.api_base_in_use)}"
    more = outcome.note if outcome.live is None else _describe_live(outcome.live)
    return f"{describe(job)} {more}".rstrip()


def describe_cancellation(cancellation: Cancellation) -> str:
    """What came of a cancel, and what it means for the money."""
    if cancellation.trouble:
        return (
            f"It is not certain that it was cancelled ({cancellation.trouble.rstrip('.')}). It may continue and be charged. "
            + SAFE_TO_RERUN
        )
    return {
        CancelOutcome.CANCELLED: "It was still in the queue and has been cancelled at RunComfy. Nothing is charged for it.",
        CancelOutcome.NOT_CANCELLABLE: "It is too late to cancel: RunComfy is already rendering it, or has finished, and charges "
        "for it. " + SAFE_TO_RERUN,
        CancelOutcome.UNCLEAR: "RunComfy was asked to cancel it but does not yet say that it has. It may continue and be "
        "charged. " + SAFE_TO_RERUN,
    }[cancellation.outcome]


def _describe_live(live: Live) -> str:
    if live.phase is None:
        return f"RunComfy could not be asked: {live.trouble}"
    position = "" if live.queue_position is None else f" at position {live.queue_position}"
    return {
        Phase.QUEUED: f"It is queued{position}.",
        Phase.RUNNING: "It is rendering.",
        Phase.COMPLETED: "The clip is ready: collect it.",
        Phase.FAILED: "RunComfy says that it failed: collect it to read why.",
        Phase.CANCELLED: "RunComfy says that it was cancelled.",
        Phase.UNKNOWN: f"RunComfy calls its state '{live.word}'.",
    }[live.phase]


def failure_of(job: Job) -> RunComfyError:
    """What to tell of a job that ended without a clip."""
    said = f": {job.reason.rstrip('.')}." if job.reason else ", without giving a reason."
    if job.state is JobState.CANCELLED:
        kind = CancelledByUserError if job.was_cancelled_by_user else GenerationCancelledError
        return kind(
            "The request was cancelled at RunComfy" + (said if job.reason else "."),
            money=charge_sentence(job),
            remedy="Run the node again to buy a new clip."
            if not job.holds_fingerprint
            else "It is not sent again automatically: change the seed to buy another take, or release it in the RunComfy Request "
            "Status node.",
            request_id=job.request_id,
            job_id=job.id,
        )
    return GenerationFailedError(
        f"RunComfy reports that the generation failed{said}",
        money="RunComfy does not say whether it charges for failed generations: check Usage on runcomfy.com."
        if job.cost_usd is None
        else charge_sentence(job),
        remedy="Running the node again only checks this request again, free; it does not submit it again. To buy another take, "
        "change the prompt, the picture or the seed, or release the job in the RunComfy Request Status node.",
        request_id=job.request_id,
        job_id=job.id,
    )


def with_job(error: RunComfyError, job: Job) -> RunComfyError:
    """The error with what is known of the job's money, and its ids."""
    # What keeps us from going on with a request that is on its way does not undo its charge.
    says_nothing = not error.money or (error.money == NOTHING_SENT and job.may_be_charged)
    return error.told(
        request_id=error.request_id or job.request_id,
        job_id=error.job_id if error.job_id is not None else job.id,
        money=charge_sentence(job) if says_nothing else error.money,
        remedy=error.remedy or SAFE_TO_RERUN,
    )


def unknown_at_runcomfy(error: NotFoundError, job: Job) -> NotFoundError:
    """An accepted request that RunComfy does not know: what is known of its money, and the one way on."""
    price = expected_price(job)
    expected = "" if price is None else f" (expected: {price})"
    return error.told(
        money=f"It was accepted before, so it may have been charged{expected}."
        if job.cost_usd is None
        else charge_sentence(job),
        remedy="Check that the token belongs to the account that bought it, then collect it again. If RunComfy still does not "
        f"know it, look under Generations on runcomfy.com. If the clip is not there, put {job.name} into the RunComfy Request "
        "Status node and choose 'release': then the same inputs can be bought again.",
        request_id=job.request_id,
        job_id=job.id,
    )


def uncertain(job: Job) -> SubmissionUncertainError:
    """What to tell of a job that may or may not have been accepted."""
    return SubmissionUncertainError(
        f"It is not known whether RunComfy accepted this request: {job.reason}",
        money="It may have been charged, so it is not sent again automatically.",
        remedy="Look under Generations on runcomfy.com. If the clip is there, put its request id into the RunComfy Request "
        f"Status node and choose 'adopt'. If it is not there after a few minutes, put {job.name} into that node and choose "
        "'release'; then run the node again to buy it again.",
        job_id=job.id,
    )


def expected_price(job: Job) -> str | None:
    """What a job was expected to cost, such as `$1.20` or `from $1.20`; None where nobody could say."""
    if job.expected_usd is None:
        return None
    return (
        f"${job.expected_usd:.2f}" if job.price_bound is PriceBound.ABOUT else job.price_bound.words(job.expected_usd)
    )


def charge_sentence(job: Job) -> str:
    """What is known about the money of a job, in one sentence."""
    if job.cost_usd is not None:
        return f"RunComfy charged ${job.cost_usd:.2f} for it."
    if not job.may_be_charged:
        return "Nothing was charged for it."
    price = expected_price(job)
    expected = "" if price is None else f" (expected: {price})"
    if job.state in (JobState.COMPLETED, JobState.DOWNLOADED):
        return f"It is paid for; RunComfy has not named the amount yet{expected}."
    if job.state is JobState.SUBMITTED:
        return f"RunComfy has accepted it and will charge for it{expected}."
    return f"It may have been charged{expected}."


def defaults_note(job: Job, request: ClipRequest) -> str:
    """That a request is served by a clip from before the model's defaults changed, and how they did; empty where it is not."""
    if job.fingerprint in request.fingerprints():
        return ""
    now = request.stored_inputs
    names = [name for name in {**job.inputs, **now} if job.inputs.get(name) != now.get(name)]
    changes = ", ".join(
        shown(f"{name} {job.inputs.get(name, '-')} \N{RIGHTWARDS ARROW} {now.get(name, '-')}") for name in names
    )
    return (
        f"RunComfy has changed the defaults of the model since this clip was bought ({changes}), and the clip is not bought "
        "again. To buy one with the new defaults, change the seed."
    )


def describe_inputs(inputs: Mapping[str, Scalar]) -> list[str]:
    """Each input in words, such as `1280x720` and `4 s`."""
    return [_describe_input(name, value) for name, value in inputs.items()]


def _describe_input(name: str, value: Scalar) -> str:
    if isinstance(value, bool):
        return f"{name} {'on' if value else 'off'}"
    return f"{value} s" if name in LENGTH_FIELDS else unsigned(str(value))


def describe(job: Job) -> str:
    """A job in a few sentences."""
    name = f"{job.name}" + (f" (request_id: {job.request_id})" if job.request_id else "")
    kind = f" {', '.join(describe_inputs(job.inputs))}." if job.inputs else ""
    reason = f" {job.reason.rstrip('.')}." if job.reason else ""
    where = f" The clip is at {job.path}." if job.path and job.state is JobState.DOWNLOADED else ""
    released = " It was released." if job.is_released else ""
    next_step = {
        JobState.PREPARED: " It was never sent.",
        JobState.SUBMITTING: " It is being sent right now.",
        JobState.COMPLETED: " The clip is ready at RunComfy: run the node again, or collect it here.",
        JobState.UNCERTAIN: " It is not known whether RunComfy accepted it: adopt a request id, or release it.",
    }.get(job.state, "")
    return f"{name} is {job.state.value}.{kind}{reason}{next_step}{where}{released} {charge_sentence(job)}"


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
        remedy=f"{first}look under Generations on runcomfy.com; changing the seed buys another clip.",
        request_id=job.request_id,
        job_id=job.id,
    )
