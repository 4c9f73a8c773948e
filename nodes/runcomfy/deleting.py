"""The file of a clip is deleted at the user's wish. The journal keeps the purchase."""

from __future__ import annotations

from pathlib import Path

from ..errors import UNCHANGED, ConfigurationError, InvalidInputError
from .jobs import Job


def delete_file(job: Job, output_dir: Path) -> None:
    """Delete the file of a downloaded clip; its receipt stays. The caller holds the job's lock.

    Raises:
        InvalidInputError: The file is not the one of the journal, or lies outside of the output folder.
        ConfigurationError: It cannot be deleted.
    """
    path = job.path
    if path is None or not job.has_whole_file or not path.is_file():
        raise InvalidInputError(
            f"The clip of {job.name} is not on this disk as it was downloaded, so nothing is deleted.",
            money=UNCHANGED,
            remedy="Look at the list again.",
            job_id=job.id,
        )
    if not path.resolve().is_relative_to(output_dir.resolve()):
        raise InvalidInputError(
            f"The clip of {job.name} is outside of the output folder, so it is not deleted.",
            money=UNCHANGED,
            remedy="Delete the file by hand.",
            job_id=job.id,
        )
    try:
        path.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"The clip of {job.name} could not be deleted ({error.strerror or error}).",
            money=UNCHANGED,
            remedy="Close what has it open or change the folder's permissions, then try again.",
            job_id=job.id,
        ) from error
