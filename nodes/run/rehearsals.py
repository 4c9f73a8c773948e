"""The free stand-in for a clip: made on this machine, kept by its content. The journal knows nothing of it."""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..runcomfy import REHEARSAL, Run, Settings, Size, give_name, remove_stale
from ..runcomfy.progress import Rehearsing
from .inputs import Order, check_folder

if TYPE_CHECKING:
    import torch

UNFINISHED = ".rehearsal-"  # stands before the name of a folder in which a rehearsal is being made
UNFINISHED_AT_MOST_S = 3600.0
GREY = 110  # of a picture that is only known by its address


@dataclass(frozen=True, slots=True)
class Scene:
    """What a stand-in looks like: its size, how the picture is brought to that, seconds, frames a second."""

    size: Size
    fit: str
    seconds: int
    fps: int


def rehearse(order: Order, picture: torch.Tensor | None, settings: Settings, run: Run) -> tuple[Path, str]:
    """The stand-in for a clip of the model in the settings; see `stand_in`."""
    model = settings.model
    scene = Scene(model.frame_size(order.inputs), order.fit, round(model.length_s(order.inputs)), model.assumed_fps)
    return stand_in(scene, picture, settings.output_dir, run)


def stand_in(scene: Scene, picture: torch.Tensor | None, output_dir: Path, run: Run) -> tuple[Path, str]:
    """Make the stand-in, unless it is there already.

    Returns:
        Its file, and what it has instead of a request id.
    """
    import numpy as np  # noqa: PLC0415 - like all that is heavy, it is loaded when a node runs

    from ..media.picture import fit  # noqa: PLC0415 - as above
    from ..media.rehearsal import render  # noqa: PLC0415 - as above

    size = scene.size
    # A hosted picture is not downloaded for a rehearsal.
    grey = np.full((size.height, size.width, 3), GREY, dtype=np.uint8)
    pixels = grey if picture is None else fit(picture, size, scene.fit)
    digest = hashlib.sha256(pixels.tobytes() + f"{size} {scene.seconds} {scene.fps}".encode()).hexdigest()[:16]
    folder = output_dir / "rehearsal"
    path = folder / f"{REHEARSAL}{digest}.mp4"
    remove_stale(folder.glob(f"{UNFINISHED}*"), now_s=time.time(), after_s=UNFINISHED_AT_MOST_S)
    if not path.exists():
        check_folder(folder)
        with tempfile.TemporaryDirectory(dir=folder, prefix=UNFINISHED) as temporary:
            part = Path(temporary) / path.name
            render(
                pixels,
                part,
                seconds=scene.seconds,
                fps=scene.fps,
                checkpoint=run.stop.check,
                progress=lambda done, total: run.report(Rehearsing(done, total)),
            )
            give_name(part, path)
    return path, path.stem
