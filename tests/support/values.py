"""Requests, jobs and answers made for the tests: whatever a test does not name has a usual value."""

import dataclasses
import json

from sora2pro.nodes.runcomfy.api.answers import Answer
from sora2pro.nodes.runcomfy.generation import GenerationRequest, Picture
from sora2pro.nodes.runcomfy.jobs import Job, JobState
from sora2pro.nodes.runcomfy.models import SORA_2_PRO

INPUTS = {"size": "1280x720", "seconds": 4}
PICTURE = Picture(value="data:image/png;base64,AAAA", identity="0" * 64)


def made_request(**changes):
    """A request; what is named as an input of the model (`size`, `seconds`) goes there."""
    inputs = INPUTS | {name: changes.pop(name) for name in INPUTS if name in changes}
    usual = GenerationRequest(model=SORA_2_PRO, prompt="a cat", inputs=inputs, pictures=(PICTURE,), take=0)
    return dataclasses.replace(usual, **changes)


def made_job(state=JobState.PREPARED, **changes):
    usual = Job(
        id=7,
        fingerprint="f" * 64,
        state=state,
        model_id=SORA_2_PRO.model_id,
        prompt="a cat",
        inputs=INPUTS,
        kind=SORA_2_PRO.kind(INPUTS),
        take=0,
        is_imported=False,
        request_id=None,
        created_at=1000.0,
        updated_at=1000.0,
        submitted_at=None,
        started_at=None,
        completed_at=None,
        list_usd=2.0,
        expected_usd=None,
        cost_usd=None,
        may_be_charged=False,
        is_released=False,
        cancel_requested=False,
        video_url=None,
        path=None,
        file_bytes=None,
        reason="",
    )
    return dataclasses.replace(usual, **changes)


def made_answer(status_code, document=None, *, body=None):
    """An answer with a JSON document, or with the bytes of `body` as they are."""
    sent = json.dumps(document).encode() if body is None else body
    return Answer(status_code, {}, sent)
