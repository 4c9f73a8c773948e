"""Which node, with what in it, would ask for a job's clip again. Pure."""

from __future__ import annotations

from typing import Any

from ..errors import UNCHANGED, InvalidInputError
from ..runcomfy import Job, ModelSpec, Wishes, shipped_catalogue
from .documents import Document

SORA_NODE = "Sora2ProImageToVideo"
ANY_MODEL_NODE = "RunComfyImageToVideo"
CHOSEN = ("prompt", "duration", "resolution", "aspect_ratio", "audio", "negative_prompt", "extra_json")


def check_known(job: Job) -> None:
    """Refuse a job whose inputs are not known.

    Raises:
        InvalidInputError: It was made elsewhere.
    """
    if job.is_imported:
        raise InvalidInputError(
            f"{job.name} was made outside of this ComfyUI, so its prompt and inputs are not known.", money=UNCHANGED
        )


def is_of_sora_node(job: Job, model: ModelSpec) -> bool:
    """Whether `Sora2ProImageToVideo` has bought a job: it alone needs no description of its model."""
    return job.schema_hash is None and job.model_id == model.model_id


def sora_document(job: Job, model: ModelSpec) -> Document:
    """The node of a job that `Sora2ProImageToVideo` has bought, and what its inputs are set to."""
    chosen = {one.name: job.inputs[one.name] for one in model.inputs if one.name in job.inputs}
    return _document(job, SORA_NODE, {"prompt": job.prompt, **chosen})


def any_model_document(job: Job, wishes: Wishes) -> Document:
    """The same of a job of any other model."""
    is_listed = job.model_id in shipped_catalogue().ids
    model = {"model" if is_listed else "custom_model_id": job.model_id}
    return _document(job, ANY_MODEL_NODE, {**model, **{name: getattr(wishes, name) for name in CHOSEN}})


def _document(job: Job, node: str, widgets: dict[str, Any]) -> Document:
    # A seed has up to 64 bits, more than a number of JavaScript holds.
    return {"node": node, "widgets": widgets, "seed": str(job.take)}
