"""Clips made for the tests, and what can be read back from their frames."""

from fractions import Fraction
from itertools import chain

import av
import cv2
import numpy as np
from sora2pro.nodes.media.rehearsal import COLUMNS, ROWS, FrameNumber, block_size, checksum


def read_frame_number(frame):
    """The number drawn by `rehearsal.render(frame_counter=True)`.

    Takes a torch tensor or array [H, W, C], 0..1 or 8 bit. Raises ValueError where no whole number is to be read.
    """
    pixels = np.asarray(frame, np.float32)
    if pixels.max() > 1.5:
        pixels = pixels / 255
    edge = block_size(pixels.shape[1], pixels.shape[0])
    blocks = pixels[: ROWS * edge, : COLUMNS * edge, :3].mean(axis=2).reshape(ROWS, edge, COLUMNS, edge)
    inner = slice(edge // 4, edge - edge // 4)
    levels = blocks[:, inner, :, inner].mean(axis=(1, 3)).ravel()
    if (np.abs(levels - 0.5) < 0.15).any():
        raise ValueError(f"no frame number: the blocks have the levels {levels.round(2).tolist()}")
    bits = int("".join("1" if level > 0.5 else "0" for level in levels), 2)
    number, check = bits >> 4, bits & 0b1111
    if check != checksum(number):
        raise ValueError(f"the frame number {number} has the checksum {check}, not {checksum(number)}")
    return number


def photo(width, height, seed=0):
    """A picture with soft shapes and fine grain in all colours: [H, W, 3] uint8, the same for the same arguments."""
    random = np.random.default_rng(seed)
    shapes = cv2.resize(random.uniform(0, 255, (5, 7, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(shapes + random.normal(0, 4, (height, width, 3)), 0, 255).astype(np.uint8)


def numbered(count, width=192, height=128):
    """Yields planes (Y, U, V) of 8-bit 4:2:0 frames that move, with their numbers drawn in."""
    counter = FrameNumber(width, height)
    ramp = np.add.outer(np.arange(height), np.arange(width))
    half = np.add.outer(np.arange((height + 1) // 2), np.arange((width + 1) // 2))
    for number in range(count):
        luma = (60 + (ramp + 3 * number) % 120).astype(np.uint8)
        planes = (luma, (118 + (half + number) % 20).astype(np.uint8), np.full(half.shape, 120, np.uint8))
        counter.draw(planes, number)
        yield planes


def write(
    path,
    frames,
    *,
    codec="libx264",
    pix_fmt="yuv420p",
    fps=30,
    options=None,
    tags=None,
    starts=None,
    sound=None,
    movflags="+faststart",
    form="mp4",
):
    """Writes a clip of planes (Y, U, V), each an array of code values, as they are: no colour is converted.

    tags: (AVCOL_SPC number, AVCOL_RANGE number); None leaves the clip untagged.
    starts: when each frame is shown, in milliseconds; None for a steady rate.
    sound: (codec, Hz, samples [channels, n], start in seconds).
    """
    frames = iter(frames)
    first = next(frames)
    settings = {"movflags": movflags} if form == "mp4" else {}
    with av.open(str(path), "w", format=form, options=settings) as container:
        video = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options or {})
        video.width, video.height, video.pix_fmt = first[0].shape[1], first[0].shape[0], pix_fmt
        if starts is not None:
            video.codec_context.time_base = Fraction(1, 1000)
        if tags is not None:
            video.codec_context.colorspace, video.codec_context.color_range = tags
        audio = sound and container.add_stream(sound[0], rate=sound[1], layout=("mono", "stereo")[len(sound[2]) - 1])
        for number, planes in enumerate(chain([first], frames)):
            frame = video_frame(planes, pix_fmt, tags)
            frame.time_base = Fraction(1, 1000) if starts is not None else 1 / Fraction(video.average_rate)
            frame.pts = number if starts is None else starts[number]
            container.mux(video.encode(frame))
        if sound:
            container.mux(audio.encode(_audio_frame(*sound[1:])))
            container.mux(audio.encode(None))
        container.mux(video.encode(None))
    return path


def video_frame(planes, pix_fmt, tags=None):
    """A PyAV frame with exactly these code values; a packed format is one plane [H, W, C]."""
    frame = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], pix_fmt)
    for plane, values in zip(frame.planes, planes, strict=True):
        line = np.zeros((plane.height, plane.line_size // values.itemsize), values.dtype)
        packed = values.reshape(len(values), -1)
        line[:, : packed.shape[1]] = packed
        plane.update(line.tobytes())
    if tags is not None:
        frame.colorspace, frame.color_range = tags
    return frame


def _audio_frame(rate, samples, start_s):
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples, np.float32), format="fltp", layout=("mono", "stereo")[len(samples) - 1]
    )
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), round(start_s * rate)
    return frame


def beeps(times_s, seconds, rate=48000, channels=2):
    """Silence [channels, n] with a beep of 50 ms at each of the times."""
    sound = np.zeros((channels, round(seconds * rate)), np.float32)
    for time_s in times_s:
        start = round(time_s * rate)
        sound[:, start : start + rate // 20] = 0.5 * np.sin(np.arange(rate // 20) * 2 * np.pi * 1000 / rate)
    return sound


def heard(waveform, rate):
    """When the beeps of an AUDIO waveform [1, C, T] begin, in seconds."""
    loud = np.flatnonzero(np.abs(np.asarray(waveform)[0]).max(axis=0) > 0.2)
    first = np.flatnonzero(np.diff(loud, prepend=-rate) > rate / 20)
    return (loud[first] / rate).tolist()


def set_edit(path, *, skip_s, seconds, number=0):
    """Changes the edit list of a track that has one entry: show `seconds` from `skip_s` on."""
    content = bytearray(path.read_bytes())
    track = [place for place in range(len(content)) if content.startswith(b"trak", place)][number]
    entry = content.index(b"elst", track) + 12
    timescale = int.from_bytes(content[content.index(b"mdhd", track) + 16 :][:4], "big")
    movie_timescale = int.from_bytes(content[content.index(b"mvhd") + 16 :][:4], "big")
    start = int.from_bytes(content[entry + 4 : entry + 8], "big") + round(skip_s * timescale)
    length = round(seconds * movie_timescale).to_bytes(4, "big")
    content[entry : entry + 8] = length + start.to_bytes(4, "big")
    for header in (content.index(b"tkhd", track) + 24, content.index(b"mvhd") + 20):
        content[header : header + 4] = length
    path.write_bytes(content)


def set_rotation(path, degrees):
    """Asks players to turn the picture right by 90, 180 or 270 degrees, through the matrix of the first track."""
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 44
    for offset, value in ((0, cos), (4, sin), (12, -sin), (16, cos)):
        content[place + offset : place + offset + 4] = (value << 16).to_bytes(4, "big", signed=True)
    path.write_bytes(content)


def break_pictures(path):
    """Breaks the second half of the pictures of a clip, and leaves its length, its index and its sound as they are."""
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(container.streams.video[0]) if packet.size]
    content = bytearray(path.read_bytes())
    noise = np.random.default_rng(1)
    for position, size in packets[len(packets) // 2 :]:
        content[position + 5 : position + size] = noise.integers(1, 255, size - 5, np.uint8).tobytes()
    path.write_bytes(content)
