"""What the user is told of a job that did not simply go well. Pure."""

from __future__ import annotations

from ..errors import (
    NOTHING_SENT,
    SAFE_TO_RERUN,
    GenerationCancelledError,
    GenerationFailedError,
    NotFoundError,
    RunComfyError,
    SubmissionUncertainError,
)
from .jobs import Job, JobState, charge_sentence


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
