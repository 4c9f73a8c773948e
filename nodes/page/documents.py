"""What the jobs panel and the settings dialog get: values of the engine as JSON documents. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..environment import read_variable
from ..errors import (
    APIConnectionError,
    APIError,
    ConfigurationError,
    InvalidInputError,
    JournalUnavailableError,
    NotFoundError,
    RunComfyError,
)
from ..runcomfy import (
    JOURNAL_URL_VARIABLE,
    SETTINGS,
    TOKEN_FILE_VARIABLE,
    TOKEN_VARIABLES,
    Action,
    Elsewhere,
    Job,
    JobState,
    ModelFacts,
    Setting,
    Settings,
    Token,
    Totals,
    charge_sentence,
    describe_inputs,
    shown,
    shown_address,
    shown_lines,
)

Document = dict[str, Any]
SHOWN_PROMPT_CHARS = 400
NOWHERE = Elsewhere()


class UnknownJobError(InvalidInputError):
    """The journal has no such job, or its clip is gone."""


def json_of(document: Document) -> str:
    """A document as JSON, which knows no NaN and no Infinity (RFC 8259, section 6): what is not a number is null."""
    return json.dumps(_finite(document), allow_nan=False)


def _finite(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def actions_of(job: Job, *, has_clip: bool) -> list[str]:
    """What the panel offers for a job; none of it can spend."""
    if has_clip:
        return ["open"]
    if job.state is JobState.SUBMITTING:
        return [Action.CHECK.value]
    # RunComfy still has these, as far as is known: to release one would lose a clip.
    kept = {Action.RELEASE} if job.state in (JobState.SUBMITTED, JobState.COMPLETED) else set()
    return [action.value for action in Action if action not in {Action.CHECK, *kept} and job.allows(action)]


def job_document(
    job: Job,
    *,
    has_clip: bool,
    clip_version: str = "",
    folder: str | None = None,
    activity: str = "",
    trouble: str = "",
    answer: str = "",
    elsewhere: Elsewhere = NOWHERE,
) -> Document:
    """A row of the panel. The address of the clip is not in it: it is signed.

    Args:
        job: The row of the journal.
        has_clip: Whether its file is on this disk, whole.
        clip_version: Tells this file from every other one; see `Panel.clip`.
        folder: Where its file is below ComfyUI's output folder; None for a file elsewhere.
        activity: What is being done for it right now, in words.
        trouble: Why the last thing that was done for it went wrong.
        answer: What RunComfy said when it was asked again, where that is nothing new.
        elsewhere: What other machines have of it.
    """
    file_on = "" if has_clip else elsewhere.file
    return {
        "id": job.id,
        "name": job.name,
        "state": job.state.value,
        "prompt": job.prompt[:SHOWN_PROMPT_CHARS],
        "model_id": job.model_id,
        "inputs": describe_inputs(job.inputs),
        # A seed has up to 64 bits, more than a number of JavaScript holds.
        "seed": "" if job.is_imported else str(job.take),
        "request_id": job.request_id,
        "created_at": job.created_at,
        # What is not charged has no price, whatever was expected.
        "expected_usd": job.expected_usd if job.may_be_charged else None,
        "price_bound": job.price_bound.value,
        "cost_usd": job.cost_usd,
        "charge": charge_sentence(job),
        "is_released": job.is_released,
        "reason": shown(job.reason),
        "has_clip": has_clip,
        "clip_version": clip_version,
        "file_name": job.path.name if has_clip and job.path is not None else "",
        "folder": folder,
        "is_clip_gone": job.state is JobState.DOWNLOADED and not has_clip and not file_on,
        "at_work_on": shown(elsewhere.worker),
        "file_on": shown(file_on),
        "actions": actions_of(job, has_clip=has_clip),
        "activity": shown_lines(activity),
        "trouble": shown_lines(trouble),
        "answer": answer,
    }


def totals_document(totals: Totals, max_usd_per_day: float | None) -> Document:
    """What was spent, against the cap."""
    return {
        "today_usd": round(totals.today_usd, 6),
        "all_time_usd": round(totals.all_time_usd, 6),
        "job_count": totals.job_count,
        "max_usd_per_day": max_usd_per_day,
    }


def model_document(facts: ModelFacts) -> Document:
    """What the annotation of a node says of a model, and which widgets it greys."""
    return asdict(facts)


def setting_documents(settings: Settings, file_values: Mapping[str, Any], environ: Mapping[str, str]) -> Document:
    """Each setting the dialog shows: its value, and whether it can be changed there."""
    return {
        setting.name: {
            "value": setting.value_in(settings),
            "source": setting_source(setting, file_values, environ),
            "variable": setting.variable,
        }
        for setting in SETTINGS
        if setting.is_in_dialog
    }


def place_documents(settings: Settings, file_values: Mapping[str, Any], environ: Mapping[str, str]) -> Document:
    """Where the journal and the archive are, to be read only; an empty address for this machine's own folders."""
    archive = next(setting for setting in SETTINGS if setting.name == "archive_url")
    return {
        "journal": {
            "address": shown_address(settings.journal_url),
            "source": "environment" if settings.journal_url else "default",
            "variable": JOURNAL_URL_VARIABLE,
        },
        "archive": {
            "address": shown_address(settings.archive_url),
            "source": setting_source(archive, file_values, environ),
            "variable": archive.variable,
        },
    }


def setting_source(setting: Setting, file_values: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """`environment`, `file` or `default`."""
    if read_variable(environ, setting.variable):
        return "environment"
    return "default" if file_values.get(setting.name) in (None, "") else "file"


def token_document(token: Token | None, problem: str, *, saved_path: str, has_saved: bool) -> Document:
    """What may be known of the token outside of the server: where it comes from and its last four characters.

    Args:
        token: The one in use.
        problem: Why there is none, in words.
        saved_path: Where a token typed into the dialog is kept.
        has_saved: Whether there is one, in use or not.
    """
    variable = token and next(
        (name for name in (*TOKEN_VARIABLES, TOKEN_FILE_VARIABLE) if token.source.endswith(f" {name}")), None
    )
    origin = (
        "none" if token is None else "environment" if variable else "saved" if token.source == saved_path else "client"
    )
    return {
        "origin": origin,
        "variable": variable or None,
        "hint": "" if token is None else token.hint,
        "has_saved": has_saved,
        "problem": problem,
    }


def error_document(error: RunComfyError) -> Document:
    """The sentences of the node, for the page."""
    return {
        "error": shown_lines(str(error)),
        "kind": type(error).__name__,
        "request_id": error.request_id,
        "job_id": error.job_id,
    }


def status_of(error: RunComfyError) -> int:
    """The HTTP status that goes with an error."""
    statuses: tuple[tuple[type[RunComfyError], int], ...] = (
        (UnknownJobError, 404),
        (InvalidInputError, 400),
        (JournalUnavailableError, 503),
        (ConfigurationError, 409),
        (NotFoundError, 404),
        (APIError, 502),
        (APIConnectionError, 502),
    )
    return next((status for kind, status in statuses if isinstance(error, kind)), 409)
