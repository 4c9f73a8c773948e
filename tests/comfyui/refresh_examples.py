"""After an example was changed in ComfyUI: `PYTHONPATH=tests .venv/bin/python -m comfyui.refresh_examples [names]`.

Runs the examples on a real ComfyUI against the emulator, and writes anew what is made from them: the form that a script
queues, and the thumbnail, which shows what the run has saved.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import av
from comfyui.examples import NAMES, RECOVERY, Example, as_text, converted
from comfyui.install import ROOT, ensure_installed
from comfyui.server import ComfyUI
from emulator import Emulator
from emulator.library import rehearsal_render
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from comfyui.graphs import Graph
    from comfyui.outcome import Outcome

Item = TypeVar("Item")

LANDSCAPE = ROOT / "tests" / "demo" / "landscape.jpg"
PICTURE, SECOND_PICTURE = "example.png", "second.png"

WIDTH, HEIGHT, GAP = 480, 270, 3
GROUND = (24, 24, 27)
INK, CAPTION_PIXELS = (228, 228, 231), 20
QUALITY = 80


View = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Shot:
    """What a thumbnail is made of.

    Attributes:
        view: the part of the landscape that is loaded: left, top, right, bottom.
        tiles: pictures taken from each node's or clip's files, from first to last.
        stills: instead of the clips, where a rehearsal does not show the difference: captions, and the parts of the
            landscape above which they stand.
    """

    view: View = (0, 0, 1280, 720)
    tiles: int = 1
    stills: tuple[tuple[str, View], ...] = ()


SECOND_VIEW = (320, 180, 1120, 630)  # for examples that take two pictures
PORTRAIT_VIEW = (400, 100, 760, 640)
SHOTS = {
    "Kling 3.0 - image to video": Shot(stills=(("Kling 3.0", (560, 130, 1200, 490)),)),
    "Kling, Seedance, PixVerse - compare models": Shot(
        stills=(("Kling 3.0", PORTRAIT_VIEW), ("Seedance 2.5", PORTRAIT_VIEW), ("PixVerse V6", PORTRAIT_VIEW))
    ),
    "Wan 3.0 - first and last frame": Shot(
        stills=(("First frame", (0, 180, 400, 580)), ("Last frame", (880, 240, 1280, 640)))
    ),
    "Sora 2 Pro - batch of pictures": Shot(tiles=2),
    "Sora 2 Pro - continue from the last frame": Shot(view=(640, 160, 1280, 520), tiles=4),
    "Sora 2 Pro - image to video": Shot(),
    RECOVERY: Shot(view=(0, 140, 900, 646)),
    "Sora 2 Pro - rehearse for free": Shot(view=(420, 120, 1020, 720), tiles=2),
    "Sora 2 Pro - two sizes": Shot(view=(240, 0, 1280, 720)),
    "Sora 2 Pro - upscale to Full HD": Shot(view=(240, 180, 720, 450)),
}


def main() -> None:
    """Runs those that are named, or all of them."""
    unnumbered = partial(rehearsal_render(), frame_counter=False)
    with tempfile.TemporaryDirectory() as folder, Emulator(render=unnumbered) as emulator:
        comfyui = ComfyUI(ensure_installed(), base=Path(folder), environment=emulator.environment())
        with comfyui:
            described = comfyui.object_info()
            for name in sys.argv[1:] or NAMES:
                refresh(Example(name), SHOTS[name], comfyui, described)


def refresh(example: Example, shot: Shot, comfyui: ComfyUI, described: Mapping[str, Any]) -> None:
    """Writes what is made from one example."""
    graph = converted(example.opened, described)
    example.queued_path.write_text(as_text(graph), encoding="utf-8")
    with Image.open(LANDSCAPE) as landscape:
        landscape.crop(shot.view).save(comfyui.base / "input" / PICTURE)
        landscape.crop(SECOND_VIEW).save(comfyui.base / "input" / SECOND_PICTURE)
    if example.name == RECOVERY:
        comfyui.run(without_rehearsal(Example("Sora 2 Pro - rehearse for free").queued))
    outcome = comfyui.run(with_second_picture(graph))
    if not outcome.succeeded:
        raise SystemExit(f"{example.name} did not run: {outcome.error}")
    pictures = captioned(shot.stills) if shot.stills else pictures_of(outcome, graph, shot.tiles)
    save_thumbnail(pictures, example.thumbnail_path)
    print(f"{example.name}: {example.thumbnail_path.stat().st_size / 1000:.0f} kB")


def without_rehearsal(graph: Graph) -> Graph:
    """The same graph, for real."""
    for body in graph.values():
        if "rehearse" in body["inputs"]:
            body["inputs"]["rehearse"] = False
    return graph


def with_second_picture(graph: Graph) -> Graph:
    """The same graph, with another picture in all but the first of its loaders."""
    loaders = [body for body in graph.values() if body["class_type"] == "LoadImage"]
    for body in loaders[1:]:
        body["inputs"]["image"] = SECOND_PICTURE
    return graph


def pictures_of(outcome: Outcome, graph: Graph, count: int) -> list[Image.Image]:
    """So many pictures of each clip; of a graph that saves no clip, so many of the stills of each node."""
    savers = [node for node, body in graph.items() if body["class_type"].startswith(("Save", "Preview"))]
    saved = [outcome.files(node) for node in savers]
    clips = [path for files in saved for path in files if path.suffix == ".mp4"]
    if clips:
        return [frame for path in clips for frame in spread(frames(path), count)]
    return [Image.open(path) for files in saved for path in spread(files, count)]


def captioned(stills: Sequence[tuple[str, View]]) -> list[Image.Image]:
    """Parts of the landscape, all of one height, each with its caption on a bar below."""
    font = ImageFont.load_default(CAPTION_PIXELS)
    height = HEIGHT - 2 * CAPTION_PIXELS
    pictures = []
    with Image.open(LANDSCAPE) as landscape:
        for caption, view in stills:
            part = fitted(landscape.crop(view), WIDTH, height)
            picture = Image.new("RGB", (part.width, HEIGHT), GROUND)
            picture.paste(part, (0, 0))
            middle = (part.width // 2, height + CAPTION_PIXELS)
            ImageDraw.Draw(picture).text(middle, caption, INK, font, anchor="mm")
            pictures.append(picture)
    return pictures


def frames(path: Path) -> list[Image.Image]:
    """All frames of a clip, small: a thumbnail needs no more."""
    with av.open(str(path)) as container:
        return [fitted(frame.to_image(), WIDTH, HEIGHT) for frame in container.decode(video=0)]


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """So many of them, from the first to the last at even distances; a single one is from the middle."""
    if count == 1:
        return [items[len(items) // 2]]
    return [items[round(place * (len(items) - 1) / (count - 1))] for place in range(count)]


def save_thumbnail(pictures: Sequence[Image.Image], path: Path) -> None:
    """The pictures in one row or in two, whichever shows them larger."""
    half = (len(pictures) + 1) // 2
    layouts = [[pictures], [pictures[:half], pictures[half:]]] if half > 1 else [[pictures]]
    rows = max((scaled(rows) for rows in layouts), key=lambda rows: sum(t.width * t.height for r in rows for t in r))
    sheet = Image.new("RGB", (WIDTH, HEIGHT), GROUND)
    top = (HEIGHT - sum(row[0].height for row in rows) - GAP * (len(rows) - 1)) // 2
    for row in rows:
        left = (WIDTH - sum(tile.width for tile in row) - GAP * (len(row) - 1)) // 2
        for tile in row:
            sheet.paste(tile, (left, top))
            left += tile.width + GAP
        top += row[0].height + GAP
    sheet.save(path, quality=QUALITY, optimize=True)


def scaled(rows: Sequence[Sequence[Image.Image]]) -> list[list[Image.Image]]:
    """Every row as high as the sheet allows, all its tiles of one height."""
    row_height = (HEIGHT - GAP * (len(rows) - 1)) // len(rows)
    result = []
    for row in rows:
        shapes = [tile.width / tile.height for tile in row]
        height = min(row_height, int((WIDTH - GAP * (len(row) - 1)) / sum(shapes)))
        result.append([fitted(tile, WIDTH, height) for tile in row])
    return result


def fitted(picture: Image.Image, width: int, height: int) -> Image.Image:
    """As large as fits."""
    scale = min(width / picture.width, height / picture.height)
    size = (round(picture.width * scale), round(picture.height * scale))
    return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
