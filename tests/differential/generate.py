"""The kinds of files: the ffmpeg command line writes every clip, then its boxes or elements are changed, then its bytes damaged.

A file is known by its number alone: the first are the kinds one at a time, the others are drawn with the number as the seed.
"""

import functools
import os
import random
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from differential import elements, webm
from differential.boxes import EDITS, with_cover
from support import mutations

H264 = "-c:v libx264 -preset veryfast -g 6 -bf 2 -pix_fmt"
HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=none:ctu=16:keyint=6:bframes=2 -tag:v hvc1 -pix_fmt"
AV1 = "-c:v libsvtav1 -preset 12 -svtav1-params tile-columns=0 -g 6 -pix_fmt"
BT709 = "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range"
BT601 = "-colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m -color_range"
BT2020 = "-colorspace bt2020nc -color_primaries bt2020 -color_trc arib-std-b67 -color_range"
CUT = ", an open group cut in front"  # the beginning is cut off, in front of a picture that others in front of it refer to
USUAL = "size=96x64:rate=24:duration=0.5"

PICTURES = {  # name: (what is filmed, how it is written, suffix)
    "H.264": (USUAL, f"{H264} yuv420p", "mp4"),
    "H.264, no B-frames": (USUAL, f"{H264} yuv420p -bf 0", "mp4"),
    "H.264, many B-frames": (USUAL, f"{H264} yuv420p -bf 5 -b_strategy 0 -g 24 -x264-params b-pyramid=normal", "mp4"),
    "H.264, open groups": (USUAL, f"{H264} yuv420p -x264-params open-gop=1", "mp4"),
    f"H.264{CUT}": (USUAL, f"{H264} yuv420p -x264-params open-gop=1:b-adapt=0", "mp4"),
    "H.264, slices": (USUAL, f"{H264} yuv420p -x264-params slices=4", "mp4"),
    "H.264, in MOV": (USUAL, f"{H264} yuv420p", "mov"),
    "H.264 4:2:2": (USUAL, f"{H264} yuv422p", "mp4"),
    "H.264 4:4:4": (USUAL, f"{H264} yuv444p", "mp4"),
    "H.264 10 bit": (USUAL, f"{H264} yuv420p10le", "mp4"),
    "H.264 10 bit 4:2:2": (USUAL, f"{H264} yuv422p10le", "mp4"),
    "H.264 RGB": (USUAL, "-c:v libx264rgb -preset veryfast -g 6 -pix_fmt rgb24", "mp4"),
    "H.264 grey": (USUAL, f"{H264} gray {BT709} tv", "mp4"),
    "H.264 full range": (USUAL, f"{H264} yuvj420p {BT709} pc", "mp4"),
    "H.264 BT.601": (USUAL, f"{H264} yuv420p {BT601} tv", "mp4"),
    "H.264 BT.709": (USUAL, f"{H264} yuv420p {BT709} tv", "mp4"),
    "H.264 BT.2020": (USUAL, f"{H264} yuv420p10le {BT2020} tv", "mp4"),
    "H.264 annexed colours": (USUAL, f"{H264} yuv420p {BT709} tv -movflags +write_colr", "mp4"),
    "H.264 cropped": ("size=90x50:rate=24:duration=0.5", f"{H264} yuv420p", "mp4"),
    "H.264 odd": ("size=63x47:rate=24:duration=0.5", f"{H264} yuv444p", "mp4"),
    "H.264 cropped at the left": (USUAL, f"{H264} yuv420p -bsf:v h264_metadata=crop_left=6:crop_top=4", "mp4"),
    "H.264 of pixels that are not square": (USUAL, f"{H264} yuv420p -vf setsar=2", "mp4"),
    "H.264 interlaced": (USUAL, f"{H264} yuv420p -flags +ildct+ilme -x264-params interlaced=1", "mp4"),
    "H.264 high": ("size=64x600:rate=24:duration=0.5", f"{H264} yuv420p", "mp4"),
    "12 fps": ("size=96x64:rate=12:duration=1", f"{H264} yuv420p", "mp4"),
    "25 fps": ("size=96x64:rate=25:duration=0.48", f"{H264} yuv420p", "mp4"),
    "29.97 fps": ("size=96x64:rate=30000/1001:duration=0.4", f"{H264} yuv420p", "mp4"),
    "50 fps": ("size=96x64:rate=50:duration=0.24", f"{H264} yuv420p", "mp4"),
    "60 fps": ("size=96x64:rate=60:duration=0.2", f"{H264} yuv420p", "mp4"),
    "variable rate": (USUAL, rf"{H264} yuv420p -vf select=lt(mod(n\,5)\,3) -fps_mode passthrough", "mp4"),
    "variable rate, late": (
        USUAL,
        rf"{H264} yuv420p -vf settb=1/600,setpts=PTS+mod(N\,3)*7 -fps_mode passthrough -enc_time_base 1/600",
        "mp4",
    ),
    "one frame": ("size=96x64:rate=24:duration=0.04", f"{H264} yuv420p", "mp4"),
    "two frames": ("size=96x64:rate=24:duration=0.08", f"{H264} yuv420p", "mp4"),
    "HEVC": (USUAL, f"{HEVC} yuv420p", "mp4"),
    "HEVC, parameters in the content": (USUAL, f"{HEVC} yuv420p -tag:v hev1", "mp4"),
    f"HEVC{CUT}": (USUAL, f"{HEVC} yuv420p".replace("bframes=2", "bframes=2:open-gop=1"), "mp4"),
    "HEVC 10 bit": (USUAL, f"{HEVC} yuv420p10le", "mp4"),
    "HEVC 10 bit BT.2020": (USUAL, f"{HEVC} yuv420p10le {BT2020} tv", "mp4"),
    "HEVC 12 bit 4:4:4": (USUAL, f"{HEVC} yuv444p12le", "mp4"),
    "HEVC 4:2:2": (USUAL, f"{HEVC} yuv422p", "mp4"),
    "HEVC full range": (USUAL, f"{HEVC} yuv420p {BT709} pc", "mp4"),
    "HEVC grey": (USUAL, f"{HEVC} gray {BT709} tv", "mp4"),
    "HEVC grey 10 bit": (USUAL, f"{HEVC} gray10le {BT709} tv", "mp4"),
    "HEVC cropped": ("size=90x50:rate=24:duration=0.5", f"{HEVC} yuv420p", "mp4"),
    "AV1": (USUAL, f"{AV1} yuv420p", "mp4"),
    "AV1 10 bit": (USUAL, f"{AV1} yuv420p10le", "mp4"),
    "AV1 odd": ("size=98x66:rate=24:duration=0.5", f"{AV1} yuv420p", "mp4"),
    "VP9": (USUAL, "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p", "mp4"),
    "MPEG-4 part 2": (USUAL, "-c:v mpeg4 -q:v 3 -bf 2 -g 6 -pix_fmt yuv420p", "mp4"),
    "MPEG-4 part 2, no B-frames": (USUAL, "-c:v mpeg4 -q:v 3 -pix_fmt yuv420p", "mp4"),
    "ProRes": (USUAL, "-c:v prores_ks -pix_fmt yuv422p10le", "mov"),
    "ProRes 4444": (USUAL, "-c:v prores_ks -profile:v 4444 -pix_fmt yuva444p10le", "mov"),
    "Motion JPEG": (USUAL, "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p", "mov"),
    "Motion JPEG 4:2:2 odd": ("size=95x63:rate=24:duration=0.5", "-c:v mjpeg -q:v 3 -pix_fmt yuvj422p", "mov"),
    "QuickTime Animation": (USUAL, "-c:v qtrle -pix_fmt rgb24", "mov"),
}

TONE = "-f lavfi -i sine=frequency=440:sample_rate={rate}:duration={seconds}"


def _tone(rate=48000, seconds=0.5):
    return TONE.format(rate=rate, seconds=seconds)


SOUNDS = {  # name: (inputs, how they are written)
    "no sound": ("", ""),
    "AAC stereo": (_tone(), "-c:a aac -ac 2"),
    "AAC mono 44.1 kHz": (_tone(44100), "-c:a aac -ac 1"),
    "AAC 5.1": (_tone(), "-c:a aac -ac 6"),
    "AAC 16 kHz": (_tone(16000), "-c:a aac -ac 1"),
    "MP3": (_tone(), "-c:a libmp3lame -ac 2"),
    "Opus": (_tone(), "-c:a libopus -ac 2"),
    "AC-3": (_tone(), "-c:a ac3 -ac 2"),
    "FLAC": (_tone(), "-c:a flac -ac 2 -strict -2"),
    "PCM": (_tone(), "-c:a pcm_s16le -ac 2"),
    "PCM 24 bit": (_tone(), "-c:a pcm_s24le -ac 1"),
    "PCM 7.1": (_tone(), "-c:a pcm_s16le -af aformat=channel_layouts=7.1"),
    "AAC 7.1": (_tone(), "-c:a aac -af aformat=channel_layouts=7.1"),
    "PCM of 9 channels": (f"-f lavfi -i aevalsrc={'|'.join(['0.1*sin(t*2764)'] * 9)}:s=48000:d=0.5", "-c:a pcm_s16le"),
    "PCM of 16 channels": (_tone(), "-c:a pcm_s16le -af aformat=channel_layouts=hexadecagonal"),
    "sound starts late": (f"-itsoffset 0.2 {_tone(seconds=0.3)}", "-c:a aac -ac 2"),
    "sound starts early": (f"-itsoffset -0.1 {_tone(seconds=0.6)}", "-c:a aac -ac 2"),
    "short sound": (_tone(seconds=0.1), "-c:a aac -ac 2"),
    "long sound": (_tone(seconds=0.7), "-c:a aac -ac 2"),
    "two sounds, the second the default": (
        f"{_tone()} {_tone(44100)}",
        "-map 0:v -map 1:a -map 2:a -c:a aac -ac:a:1 1 -disposition:a:0 0 -disposition:a:1 default",
    ),
    "two sounds, the first the default": (
        f"{_tone(44100)} {_tone()}",
        "-map 0:v -map 1:a -map 2:a -c:a aac -disposition:a:0 default -disposition:a:1 0",
    ),
}

WRITERS = {
    "index at the end": "",
    "index in front": "-movflags +faststart",
    "fragments": "-movflags +frag_keyframe+empty_moov+default_base_moof",
    "fragments behind an index": "-movflags +frag_keyframe",
    "fragments with sidx": "-movflags +frag_keyframe+empty_moov+default_base_moof+global_sidx",
    "fragments with a sidx each": "-movflags +frag_keyframe+empty_moov+dash",
    "fragments of frames": "-bf 0 -movflags +frag_every_frame+empty_moov+default_base_moof",
    "fragments with an edit list": "-movflags +frag_keyframe+delay_moov+default_base_moof",
    "no edit list": "-use_editlist 0",
    "negative composition offsets": "-movflags +negative_cts_offsets",
    "a coarse clock": "-video_track_timescale 600",
    "a fine clock": "-video_track_timescale 90000",
    "a title": "-metadata title=Füchse -metadata comment=x -metadata:s:v:0 language=deu",
    "tags of its own": "-metadata strange=value -movflags +use_metadata_tags",
    "a timecode": "-timecode 01:00:00:00",
    "brand of its own": "-brand isom",
    "encrypted": "-encryption_scheme cenc-aes-ctr -encryption_key " + "0f" * 16 + " -encryption_kid " + "0a" * 16,
}

PLAIN = ("H.264", "AAC stereo", "index at the end")
COVERS = ("cover art in front", "cover art behind")
MATROSKA_SHARE = 0.3  # of the files that are drawn


@dataclass(frozen=True)
class File:
    """How a file is made.

    Attributes:
        number: Of the file, and the seed of its damage.
        picture: A key of `PICTURES`, here or in `webm`; the same for the next two.
        sound: A key of `SOUNDS`.
        writer: A key of `WRITERS`.
        edits: Keys of `boxes.EDITS`, of `elements.EDITS`, or of `COVERS`.
        damage: Whether bytes are changed at the end.
    """

    number: int
    picture: str
    sound: str
    writer: str
    edits: tuple = ()
    is_damaged: bool = False

    @property
    def name(self):
        parts = [self.picture, self.sound, self.writer, *self.edits]
        if self.is_damaged:
            parts.append(f"damaged: {mutations.KINDS[self.number % len(mutations.KINDS)].__name__}")
        return ", ".join(parts)

    @property
    def undamaged(self):
        return File(self.number, self.picture, self.sound, self.writer, self.edits)


def _one_at_a_time():
    picture, sound, writer = PLAIN
    yield from ((name, sound, writer, ()) for name in PICTURES)
    yield from ((picture, name, writer, ()) for name in SOUNDS if name != sound)
    yield from ((picture, sound, name, ()) for name in WRITERS if name != writer)
    for edit in (*EDITS, *COVERS):
        yield ("H.264, no B-frames" if edit == "two frames at one time" else picture, sound, writer, (edit,))


def _webm_one_at_a_time():
    picture, sound, writer = webm.PLAIN
    yield from ((name, sound, writer, ()) for name in webm.PICTURES)
    yield from ((picture, name, writer, ()) for name in webm.SOUNDS if name != sound)
    yield from ((picture, sound, name, ()) for name in webm.WRITERS if name != writer)
    yield from ((picture, sound, "small clusters", (edit,)) for edit in elements.EDITS)
    yield from ((name, sound, writer, ("another height in the index",)) for name in ("AV1 in WebM", "VP8 in WebM"))
    yield ("VP8 in WebM", "Vorbis in WebM", writer, ("Xiph lacing",))


SINGLE = (*_one_at_a_time(), *_webm_one_at_a_time())


def file(number):
    """The file of this number, the same on every machine."""
    if number < len(SINGLE):
        return File(number, *SINGLE[number])
    drawn = random.Random(number)  # noqa: S311 - a test is to be repeated
    if drawn.random() < 0.8:  # what is damaged is a kind that is there already: to write a new one costs more
        return File(number, *drawn.choice(SINGLE), is_damaged=True)
    if drawn.random() < MATROSKA_SHARE:
        edits = tuple(drawn.sample([*elements.EDITS], drawn.choice((0, 1, 1, 2))))
        return File(number, *map(drawn.choice, ([*webm.PICTURES], [*webm.SOUNDS], [*webm.WRITERS])), edits)
    edits = tuple(drawn.sample([*EDITS, *COVERS], drawn.choice((0, 1, 1, 2))))
    while True:
        parts = drawn.choice([*PICTURES]), drawn.choice([*SOUNDS]), drawn.choice([*WRITERS])
        if _can_be_written(*parts):
            return File(number, *parts, edits)


def _can_be_written(picture, sound, writer):
    """FFmpeg writes AV1, VP9 and FLAC to no MOV, and an index in front of AC-3 only once it has seen the sound.

    In fragments it stamps pictures wrongly whose beginning was cut off.
    """
    suffix = _suffix(picture, sound, writer)
    is_for_mp4_only = picture.startswith(("AV1", "VP9")) or sound in ("FLAC", "Opus")
    knows_late = sound == "AC-3" and ("empty_moov" in WRITERS[writer] or writer == "encrypted")
    is_stamped_wrongly = picture.endswith(CUT) and writer.startswith("fragments")
    return not (suffix == "mov" and is_for_mp4_only) and not knows_late and not is_stamped_wrongly


def _suffix(picture, sound, writer):
    if picture in webm.PICTURES:
        return webm.PICTURES[picture][2]
    return "mov" if sound.startswith("PCM") or writer == "a timecode" else PICTURES[picture][2]


def content(made, folder):
    """The bytes of a file.

    Args:
        made: The file.
        folder: Where clips are kept as they were written, for the next file of the same kind.
    """
    data = _written(made.picture, made.sound, made.writer, folder)
    for edit in made.edits:
        edits = elements.EDITS if made.picture in webm.PICTURES else EDITS
        change = with_cover(_cover(), in_front=edit == COVERS[0]) if edit in COVERS else edits[edit]
        data = change(data)
    return _damaged(data, made.number) if made.is_damaged else data


def _damaged(data, seed):
    if b"moov" in data:
        start = data.index(b"moov")
        index = (start, start + int.from_bytes(data[start - 4 : start], "big") - 8)
    else:
        index = (0, data.index(mutations.CLUSTER) if mutations.CLUSTER in data else len(data))
    how = mutations.KINDS[seed % len(mutations.KINDS)]
    return bytes(how(np.random.default_rng(seed), bytearray(data), index))


def _written(picture, sound, writer, folder):
    filmed, how, _ = {**PICTURES, **webm.PICTURES}[picture]
    inputs, sound_how = {**SOUNDS, **webm.SOUNDS}[sound]
    written = {**WRITERS, **webm.WRITERS}[writer]
    suffix = _suffix(picture, sound, writer)
    key = "-".join("".join(filter(str.isalnum, name)) for name in (picture, sound, writer))
    path = Path(folder) / f"{key}.{suffix}"
    if not path.exists():
        part = path.with_name(f"{os.getpid()}-{path.name}")
        start = "0.1 " if sound == "sound starts early" else "0 "
        arguments = (
            f"-itsoffset {start} -f lavfi -i testsrc2={filmed} {inputs} -threads 1 {how} {sound_how} "
            f"{_merged(how, written)}"
        )
        words = shlex.split(arguments.replace("\\", "\\\\"))
        if writer == "piped":  # nothing can be filled in afterwards
            part.write_bytes(ffmpeg(*words, "-f", suffix if suffix == "webm" else "matroska", "-"))
        else:
            ffmpeg(*words, "-y", str(part))
        if picture.endswith(CUT):
            whole = part.rename(part.with_name(f"whole-{part.name}"))
            how = f"-map 0 -c copy {written} -use_editlist 0"
            ffmpeg("-ss", "0.26", "-i", str(whole), *how.split(), "-y", str(part))
            whole.unlink()
        part.rename(path)
    return path.read_bytes()


def _merged(how, writer):
    """A second -movflags would replace the first."""
    return f"{writer}+write_colr" if "write_colr" in how and "-movflags" in writer else writer


@functools.cache
def _cover():
    source = "-f lavfi -i color=red:size=64x64 -frames:v 1 -c:v mjpeg -pix_fmt yuvj420p -f image2pipe -"
    return ffmpeg(*source.split())


def ffmpeg(*arguments):
    """What the ffmpeg command line writes to its output."""
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)}\n{done.stderr.decode(errors='replace')}")
    return done.stdout
