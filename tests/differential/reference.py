"""What the ffmpeg command line shows of a file: its frames as code values, its sound, and what it complains about.

The pixels are taken as they are decoded (``-f rawvideo`` in the clip's own pixel format) and brought to RGB here, in float64, by
`colours.reference`: FFmpeg's converter rounds, and what it makes of matrix, range and the place of chroma depends on its version.
"""

import contextlib
import re
import subprocess
from dataclasses import dataclass, field

import numpy as np
from support import colours

MOST_SECONDS = 30
MOST_FRAMES = 300
MOST_BYTES = 300_000_000
WEIGHTS = {  # ITU-T H.273: of red and blue in luma
    "bt709": (0.2126, 0.0722),
    "fcc": (0.30, 0.11),
    "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114),
    "smpte240m": (0.212, 0.087),
    "bt2020nc": (0.2627, 0.0593),
    "bt2020c": (0.2627, 0.0593),
}
UNTAGGED = {"unknown", "reserved"}
PLANAR = re.compile(r"(?P<family>yuvj?|yuva|gbrp|gray)(?P<chroma>4[024]{2}p?)?(?P<bits>9|10|12|14|16)?(?:le)?")
PICTURE = re.compile(r"Parsed_showinfo.* n: *\d+ pts: *\S+ pts_time:(\S+) .* fmt:(\S+) .* s:(\d+)x(\d+) ")
COLOUR = re.compile(r"Parsed_showinfo.* color_range:(\S+) color_space:(\S+) ")
SOUND = re.compile(r"Parsed_ashowinfo.* pts_time:(\S+) .*channels:(\d+) .*rate:(\d+) nb_samples:(\d+) ")
STREAM = re.compile(r"Stream #0:\d+.*: Audio: .*")
# Not what it says about its own output. That a frame is corrupt is a mere warning of the command line.
COMPLAINT = re.compile(r"^(?!\[rawvideo @).*(?:\[(?:error|fatal|panic)\]|\[warning\].* corrupt decoded frame)")


class UnknownFormatError(Exception):
    """The test has no reference for the colours of this pixel format."""


@dataclass
class Shown:
    """What ffmpeg shows.

    Attributes:
        complaints: What it says about the pictures at `-v error`; empty where it is content.
        times_s: When each frame is shown.
        pictures: Of each frame (pixel format, width, height, range, matrix).
        code_values: All frames, one behind the other.
        is_turned: Whether the clip has a display matrix.
        upright: The first frame as ffmpeg turns it, [H, W, 3] uint8, where there is a display matrix.
        sound: None without a sound track that it can read.
    """

    complaints: list
    times_s: list = field(default_factory=list)
    pictures: list = field(default_factory=list)
    code_values: bytes = b""
    is_turned: bool = False
    upright: object = None
    sound: object = None

    def frames(self):
        """Yield each frame as RGB 0..1 in float64 as it is stored, [H, W, 3]."""
        place = 0
        for picture in self.pictures:
            planes, place = _planes(self.code_values, place, *picture[:3])
            yield _rgb(planes, *picture)


@dataclass
class ShownSound:
    """Sound as ffmpeg plays it.

    Attributes:
        complaints: What it says about it at `-v error`.
        rate: Hz.
        channels: How many.
        pieces: (when it is heard in seconds, [n, channels] float32) as they are decoded.
        clock_s: What the times in the file are rounded to, where that is more than a sample.
    """

    complaints: list
    rate: int = 0
    channels: int = 0
    pieces: list = field(default_factory=list)
    clock_s: float = 0.0

    def heard_from(self, start_s):
        """The sound from this time on, [n, channels]; silence where nothing is played.

        A gap is one where a whole piece is missing: clocks are coarse, and fragments are stamped as they were encoded.
        """
        parts, filled = [], 0
        for time_s, samples in self.pieces:
            place = round((time_s - start_s) * self.rate)
            heard = samples if filled else samples[max(0, -place) :]
            if place > filled and (filled == 0 or place - filled >= len(samples)):
                parts.append(np.zeros((place - filled, self.channels), np.float32))
                filled = place
            parts.append(heard)
            filled += len(heard)
        return np.concatenate([*parts, np.zeros((0, self.channels), np.float32)])


def shown(path, folder):
    """What ffmpeg shows of a file.

    Args:
        path: The file.
        folder: For what ffmpeg writes.
    """
    raw = folder / "pictures"
    options = (
        f"-map 0:V:0 -an -sn -dn -fps_mode passthrough -frames:v {MOST_FRAMES} -vf showinfo=checksum=0 -f rawvideo"
    )
    said = _ffmpeg(path, options, raw, "-noautorotate")
    seen = Shown(
        complaints=_complaints(said),
        code_values=raw.read_bytes() if raw.exists() else b"",
        is_turned="displaymatrix" in said,
    )
    raw.unlink(missing_ok=True)
    tags = ("unknown", "unknown")
    for line in said.splitlines():
        if found := COLOUR.search(line):
            tags = found.groups()
            if len(seen.pictures) and len(seen.pictures[-1]) == 3:
                seen.pictures[-1] += tags
        elif found := PICTURE.search(line):
            seen.times_s.append(float(found[1]) if found[1] != "NOPTS" else None)
            seen.pictures.append((found[2], int(found[3]), int(found[4])))
    seen.pictures = [picture if len(picture) > 3 else picture + tags for picture in seen.pictures]
    if seen.is_turned and seen.pictures:
        seen.upright = _upright(path, raw)
    streams = STREAM.findall(said.partition("Stream mapping")[0])
    if streams:
        default = next((place for place, line in enumerate(streams) if "(default)" in line), 0)
        seen.sound = _sound(path, folder / "sound", default)
    return seen


def _ffmpeg(path, options, target, *before):
    # -copyts: the times of the two runs, of the pictures and of the sound, have one origin.
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "level+info", "-copyts", *before, "-threads", "1"]
    # Unaligned: else columns that are cut off on the left stay where that suits the memory of the decoder.
    command += ["-flags", "+unaligned", "-i", str(path), *options.split(), "-fs", str(MOST_BYTES), "-y", str(target)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=MOST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "[error] ffmpeg takes too long"
    text = done.stderr.decode("utf-8", "replace")
    return text if done.returncode == 0 else f"{text}\n[error] ffmpeg ends with {done.returncode}"


def _complaints(said):
    return [line for line in said.splitlines() if COMPLAINT.search(line)]


def _upright(path, raw):
    said = _ffmpeg(path, "-map 0:V:0 -an -sn -dn -frames:v 1 -vf showinfo=checksum=0 -pix_fmt rgb24 -f rawvideo", raw)
    found = PICTURE.search(said)
    with contextlib.suppress(OSError, ValueError, TypeError):
        return np.frombuffer(raw.read_bytes(), np.uint8).reshape(int(found[4]), int(found[3]), 3)
    return None


def _sound(path, raw, number):
    said = _ffmpeg(path, f"-map 0:a:{number} -vn -sn -dn -af ashowinfo -c:a pcm_f32le -f f32le", raw)
    pieces = [(float(t), int(c), int(r), int(n)) for t, c, r, n in SOUND.findall(said)]
    complaints = _complaints(said)
    content = raw.read_bytes() if raw.exists() else b""
    raw.unlink(missing_ok=True)
    if not pieces:
        return ShownSound(complaints)
    if len({piece[1:3] for piece in pieces}) > 1:
        return ShownSound([*complaints, "its form changes"])
    channels, rate = pieces[0][1:3]
    samples = np.split(
        np.frombuffer(content, np.float32).reshape(-1, channels), np.cumsum([n for *_, n in pieces])[:-1]
    )
    placed = [(piece[0], each) for piece, each in zip(pieces, samples, strict=True)]
    return ShownSound(complaints, rate, channels, placed, 0.001 if "Input #0, matroska" in said else 0.0)


def _form(name):
    """(family, whether chroma has half columns and half rows, bits) of a pixel format."""
    if name == "rgb24":
        return "rgb", 1, 1, 8
    found = PLANAR.fullmatch(name)
    if not found or (found["family"] in ("yuv", "yuvj", "yuva") and not found["chroma"]):
        raise UnknownFormatError(name)
    columns, rows = {"420p": (2, 2), "422p": (2, 1)}.get(found["chroma"], (1, 1))
    return found["family"], columns, rows, int(found["bits"] or 8)


def _planes(data, place, name, width, height):
    family, columns, rows, bits = _form(name)
    kind = np.dtype(np.uint8 if bits == 8 else "<u2")
    chroma = (-(-height // rows), -(-width // columns))
    shapes = {
        "rgb": [(height, width, 3)],
        "gray": [(height, width)],
        "yuva": [(height, width), chroma, chroma, (height, width)],
    }.get(family, [(height, width), chroma, chroma])
    planes = []
    for shape in shapes:
        count = int(np.prod(shape))
        planes.append(np.frombuffer(data, kind, count, place).reshape(shape))
        place += count * kind.itemsize
    return planes, place


def _rgb(planes, name, width, height, colour_range, matrix):
    family, _, _, bits = _form(name)
    if family == "rgb":
        return planes[0] / 255
    if family == "gbrp":
        return np.stack([planes[place] for place in (2, 0, 1)], axis=2) / ((1 << bits) - 1)
    is_full = colour_range == "pc" or family == "yuvj"
    if matrix in UNTAGGED:
        # As the pack states it: players take an untagged clip for BT.709 from 1280 wide or more than 576 high on.
        matrix = "bt709" if width >= 1280 or height > 576 else "smpte170m"
    if family == "gray":
        neutral = np.full((height, width), 1 << (bits - 1), planes[0].dtype)
        planes, matrix = [planes[0], neutral, neutral], "bt709"
    if matrix not in WEIGHTS:
        raise UnknownFormatError(f"{name} of matrix {matrix}")
    return colours.reference(planes[:3], *WEIGHTS[matrix], bits, is_full=is_full)
