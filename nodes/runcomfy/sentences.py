"""What the user is told of a job that did not simply go well. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import (
    NOTHING_SENT,
    SAFE_TO_RERUN,
    UNCHANGED,
    GenerationCancelledError,
    GenerationFailedError,
    InvalidInputError,
    NotFoundError,
    RunComfyError,
    SubmissionUncertainError,
)
from .jobs import LENGTH_FIELDS, Job, JobState
from .models import Scalar


def ended(job: Job) -> RunComfyError:
    """What to tell of a job that ended without a clip."""
    said = f": {job.reason.rstrip('.')}." if job.reason else ", without giving a reason."
    if job.state is JobState.CANCELLED:
        return GenerationCancelledError(
            "The request was cancelled at RunComfy" + (said if job.reason else "."),
            money=charge_sentence(job),
            remedy="Run the node again for a new one."
            if not job.holds_fingerprint
            else "It is not sent again by itself: change the seed to buy another take, or release it in Sora2ProStatus.",
            request_id=job.request_id,
            job_id=job.id,
        )
    return GenerationFailedError(
        f"RunComfy says that the generation failed{said}",
        money="RunComfy does not say whether it charges for failed generations: look under Usage on runcomfy.com."
        if job.cost_usd is None
        else charge_sentence(job),
        remedy="Running it again asks RunComfy once more but does not send it again. Change the prompt, the picture or the "
        "seed to buy another take, or release the job in Sora2ProStatus.",
        request_id=job.request_id,
        job_id=job.id,
    )


def about(error: RunComfyError, job: Job) -> RunComfyError:
    """An error with what is known of the job's money, and its ids."""
    error.request_id = error.request_id or job.request_id
    error.job_id = error.job_id if error.job_id is not None else job.id
    # What keeps us from going on with a request that is on its way does not undo its charge.
    if not error.money or (error.money == NOTHING_SENT and job.may_be_charged):
        error.money = charge_sentence(job)
    if not error.remedy:
        error.remedy = SAFE_TO_RERUN
    return error


def unknown_at_runcomfy(error: NotFoundError, job: Job) -> NotFoundError:
    """An accepted request that RunComfy does not know: what is known of its money, and the one way on."""
    expected = "" if job.expected_usd is None else f" (expected: ${job.expected_usd:.2f})"
    error.money = (
        f"It was accepted before, so it may have been charged{expected}."
        if job.cost_usd is None
        else charge_sentence(job)
    )
    error.remedy = (
        "Check that the token belongs to the account that bought it, then collect it again. If RunComfy still does not know it, "
        f"look under Generations on runcomfy.com. If the clip is not there, put {job.name} into Sora2ProStatus and choose "
        "'release': then the same inputs can be bought again."
    )
    error.request_id, error.job_id = job.request_id, job.id
    return error


def uncertain(job: Job) -> SubmissionUncertainError:
    """What to tell of a job that may or may not have been accepted."""
    return SubmissionUncertainError(
        f"Nobody knows whether RunComfy accepted this request: {job.reason}",
        money="It may have been charged, so it is not sent again by itself.",
        remedy="Look under Generations on runcomfy.com. If the clip is there, put its request id into Sora2ProStatus and choose "
        f"'adopt'. If it is not there after some minutes, put {job.name} there and choose 'release'; then run the node again "
        "to buy it anew.",
        job_id=job.id,
    )


def charge_sentence(job: Job) -> str:
    """What is known about the money of a job, in one sentence."""
    if job.cost_usd is not None:
        return f"RunComfy charged ${job.cost_usd:.2f} for it."
    if not job.may_be_charged:
        return "Nothing was charged for it."
    expected = "" if job.expected_usd is None else f" (expected: ${job.expected_usd:.2f})"
    if job.state in (JobState.COMPLETED, JobState.DOWNLOADED):
        return f"It is paid for; RunComfy has not named the amount yet{expected}."
    if job.state is JobState.SUBMITTED:
        return f"RunComfy has accepted it and will charge for it{expected}."
    return f"It may have been charged{expected}."


def describe_inputs(inputs: Mapping[str, Scalar]) -> list[str]:
    """Each input in words, such as `1280x720` and `4 s`."""
    return [f"{value} s" if name in LENGTH_FIELDS else str(value) for name, value in inputs.items()]


def describe(job: Job) -> str:
    """A job in a few sentences."""
    name = f"{job.name}" + (f" (request_id: {job.request_id})" if job.request_id else "")
    kind = f" {', '.join(describe_inputs(job.inputs))}." if job.inputs else ""
    reason = f" {job.reason.rstrip('.')}." if job.reason else ""
    where = f" The clip is {job.path}." if job.path else ""
    released = " It was released." if job.is_released else ""
    next_step = {
        JobState.PREPARED: " It was never sent.",
        JobState.SUBMITTING: " It is being sent right now.",
        JobState.COMPLETED: " The clip is ready at RunComfy: run the node again, or collect it here.",
        JobState.UNCERTAIN: " Nobody knows whether RunComfy accepted it: adopt a request id, or release it.",
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
        remedy=f"{first}look under Generations on runcomfy.com; a change of the seed buys another clip.",
        request_id=job.request_id,
        job_id=job.id,
    )
