"""How the clips of a batch ended, told as one error: each clip and its money, and what another run buys. Pure."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from ..errors import (
    GenerationCancelledError,
    GenerationFailedError,
    InvalidRequestError,
    JournalUnavailableError,
    NotFoundError,
    RunComfyError,
    SubmissionUncertainError,
)
from .display import listed, numbered

logger = logging.getLogger("runcomfy.sora2pro.batch")

# What these say of one clip (change the prompt, the seed) would buy every clip of a batch again.
_ABOUT_ONE_PICTURE = (GenerationFailedError, GenerationCancelledError, InvalidRequestError)
# A person has to look before the graph goes on: what was accepted and charged is not known, or cannot be recorded.
_STOPS_ALWAYS = (SubmissionUncertainError, JournalUnavailableError, NotFoundError)


def stops_always(errors: Iterable[RunComfyError]) -> bool:
    """Whether the rest of a batch may not be delivered, whatever the user chose."""
    return any(isinstance(error, _STOPS_ALWAYS) for error in errors)


def missing(errors: Mapping[int, RunComfyError], clip_count: int, shared_inputs: Sequence[str]) -> str:
    """What to say of a batch that is delivered without some of its clips: which, why, at what charge, and what to do.

    Args:
        errors: The number of a clip, from 1, and how it failed.
        clip_count: Clips of the batch.
        shared_inputs: The inputs of the node that make every clip of the batch another purchase.
    """
    arrived = [n for n in range(1, clip_count + 1) if n not in errors]
    delivered = numbered(
        "Clip {numbers} of {all} is delivered without {missing}.",
        "Clips {numbers} of {all} are delivered without {missing}.",
        arrived,
        all=clip_count,
        missing=numbered("clip {numbers}", "clips {numbers}", list(errors)),
    )
    return f"{delivered} {batch_error(errors, clip_count, shared_inputs)}"


def batch_error(errors: Mapping[int, RunComfyError], clip_count: int, shared_inputs: Sequence[str]) -> RunComfyError:
    """The first error of a batch, told as one of many; see `missing` for the arguments."""
    number, first = next(iter(errors.items()))
    arrived = [n for n in range(1, clip_count + 1) if n not in errors]
    others: dict[str, list[int]] = {}
    for other, error in errors.items():
        if error is not first:
            logger.error("Clip %s of %s: %s", other, clip_count, error)
            others.setdefault(f"{error.what} {error.money}".strip(), []).append(other)
    parts = [
        numbered(
            "Clip {numbers}{jobs} failed too: {said}",
            "Clips {numbers}{jobs} failed too: {said}",
            numbers,
            jobs=_jobs(errors, numbers),
            said=said,
        )
        for said, numbers in others.items()
    ]
    if arrived:
        parts.append(
            numbered(
                "Clip {numbers} arrived: another run does not buy it again.",
                "Clips {numbers} arrived: another run does not buy them again.",
                arrived,
            )
        )
    return first.told(
        what=f"Clip {number} of {clip_count}: {first.what}",
        remedy=" ".join(part for part in (*_remedies(errors, clip_count, shared_inputs), *parts) if part),
    )


def _remedies(errors: Mapping[int, RunComfyError], clip_count: int, shared_inputs: Sequence[str]) -> list[str]:
    """What to do about each kind of failure in a batch."""
    first = next(iter(errors.values()))
    pictures = {number: error for number, error in errors.items() if isinstance(error, _ABOUT_ONE_PICTURE)}
    if len(pictures) == clip_count:
        # Nothing that was bought can be lost by a change of the inputs.
        return [first.remedy]
    remedies = [] if isinstance(first, _ABOUT_ONE_PICTURE) else [first.remedy]
    if not isinstance(first, SubmissionUncertainError):
        # Only a person can settle these; what else failed is told by what happened to it.
        remedies += [error.remedy for error in errors.values() if isinstance(error, SubmissionUncertainError)][:1]
    if pictures:
        remedies.append(_without(pictures, shared_inputs, is_rest_here=len(errors) == len(pictures)))
    return remedies


def _without(pictures: Mapping[int, RunComfyError], shared_inputs: Sequence[str], *, is_rest_here: bool) -> str:
    """How to go on without the pictures that failed, or with another try of them alone."""
    end = ": the others are free." if is_rest_here else "."
    take_out = numbered(
        f"Take picture {{numbers}} out of the batch and run again{end}",
        f"Take pictures {{numbers}} out of the batch and run again{end}",
        list(pictures),
    )
    sentences = [take_out]
    for number, error in pictures.items():
        if isinstance(error, GenerationFailedError) and error.job_id is not None:
            sentences.append(
                f"To buy clip {number} again, release job-{error.job_id} in the RunComfy Request Status node and run again."
            )
    quoted = ", ".join(f"'{name}'" for name in shared_inputs)
    sentences.append(f"Changing one of these inputs buys every clip of the batch again: {quoted}.")
    return " ".join(sentences)


def _jobs(errors: Mapping[int, RunComfyError], numbers: Sequence[int]) -> str:
    """` (job-8 and job-9)`, as far as they are known."""
    names = [f"job-{errors[number].job_id}" for number in numbers if errors[number].job_id is not None]
    return f" ({listed(names)})" if names else ""
