"""What the demo leaves behind: a clip, its frames, its sound and a sheet of twelve of them."""

from __future__ import annotations

import shutil
import wave
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLUMNS, ROWS = 4, 3
CELL_WIDTH, MARGIN, CAPTION_HEIGHT = 400, 12, 30
GROUND, INK = (24, 24, 27), (228, 228, 231)


@dataclass(frozen=True, slots=True)
class Exhibits:
    """Where things are in the output folder."""

    folder: Path

    @property
    def clip(self) -> Path:
        """The MP4 as RunComfy delivers it."""
        return self.folder / "clip.mp4"

    @property
    def frames(self) -> Path:
        """The folder of its frames, one PNG each."""
        return self.folder / "frames"

    @property
    def sound(self) -> Path:
        """Its sound, 16 bit."""
        return self.folder / "sound.wav"

    @property
    def contact_sheet(self) -> Path:
        """Twelve frames with their times."""
        return self.folder / "contact-sheet.png"

    def clear(self) -> None:
        """Removes what an earlier demo left, and nothing else."""
        shutil.rmtree(self.frames, ignore_errors=True)
        for path in (self.clip, self.sound, self.contact_sheet):
            path.unlink(missing_ok=True)
        self.frames.mkdir(parents=True)

    def lay_out(self, *, clip: Path, frames: Sequence[Path], sound: Path) -> None:
        """Moves the files that the graph has saved to their places and draws the contact sheet."""
        self.clear()
        shutil.move(clip, self.clip)
        placed = [self.frames / f"{number:04d}.png" for number in range(len(frames))]
        for frame, place in zip(frames, placed, strict=True):
            shutil.move(frame, place)
        write_wav(sound, self.sound)
        sound.unlink()
        contact_sheet(placed, fps=frame_rate(self.clip)).save(self.contact_sheet)


def frame_rate(clip: Path) -> float:
    """Frames per second, as the file says."""
    with av.open(str(clip)) as container:
        return float(container.streams.video[0].average_rate or 30)


def write_wav(source: Path, target: Path) -> None:
    """Writes any sound file, or the sound of a clip, as 16-bit WAV."""
    with av.open(str(source)) as container, wave.open(str(target), "wb") as wav:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="s16", layout=stream.layout, rate=stream.rate)
        wav.setnchannels(stream.channels)
        wav.setsampwidth(2)
        wav.setframerate(stream.rate)
        for frame in [*container.decode(stream), None]:
            for piece in resampler.resample(frame):
                wav.writeframes(piece.to_ndarray().tobytes())


def contact_sheet(frames: Sequence[Path], *, fps: float) -> Image.Image:
    """Draws twelve frames from the first to the last, each with its number and its time in the clip."""
    count = COLUMNS * ROWS
    chosen = [round(place * (len(frames) - 1) / (count - 1)) for place in range(count)]
    with Image.open(frames[0]) as first:
        cell_height = round(CELL_WIDTH * first.height / first.width)
    step_x, step_y = CELL_WIDTH + MARGIN, cell_height + CAPTION_HEIGHT + MARGIN
    sheet = Image.new("RGB", (COLUMNS * step_x + MARGIN, ROWS * step_y + MARGIN), GROUND)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(16)
    for place, number in enumerate(chosen):
        left, top = MARGIN + place % COLUMNS * step_x, MARGIN + place // COLUMNS * step_y
        with Image.open(frames[number]) as frame:
            sheet.paste(frame.convert("RGB").resize((CELL_WIDTH, cell_height), Image.Resampling.LANCZOS), (left, top))
        pen.text((left, top + cell_height + 6), f"{number / fps:.2f} s   frame {number}", INK, font)
    return sheet
