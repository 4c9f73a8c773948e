"""Damages a clip in every way, and looks at what comes out: `python -m mutations CLIP FIRST LAST` prints JSON.

Run as a process of its own, because a crash or a hang of a decoder must not take the test-suite with it.
"""

import contextlib
import faulthandler
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from pack import load_pack

load_pack()
from sora2pro.nodes.errors import VideoDecodeError  # noqa: E402 - the pack has to be loaded first
from sora2pro.nodes.media.arriving import ArrivingFile, decode_early  # noqa: E402 - as above
from sora2pro.nodes.media.decode import decode  # noqa: E402 - as above
from sora2pro.nodes.media.timeline import probe  # noqa: E402 - as above

MOST_SECONDS_EACH = 60
CLUSTER = b"\x1f\x43\xb6\x75"  # of a WebM file, where its index ends
NUMBERS = (0, 1, 2, 30, 1000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def cut(random, content, _index):
    return content[: random.integers(len(content))]


def flip_bits(random, content, _index):
    for place in random.integers(len(content), size=random.integers(1, 8)):
        content[place] ^= 1 << random.integers(8)
    return content


def zero(random, content, _index):
    start, length = random.integers(len(content)), int(2 ** random.uniform(2, 14))
    content[start : start + length] = bytes(len(content[start : start + length]))
    return content


def overwrite(random, content, _index):
    start, length = random.integers(len(content)), int(2 ** random.uniform(0, 10))
    content[start : start + length] = random.bytes(len(content[start : start + length]))
    return content


def remove(random, content, _index):
    start = random.integers(len(content))
    del content[start : start + int(2 ** random.uniform(0, 12))]
    return content


def insert(random, content, _index):
    start = random.integers(len(content))
    content[start:start] = random.bytes(int(2 ** random.uniform(0, 10)))
    return content


def swap(random, content, _index):
    one, other = random.integers(len(content) - 500, size=2)
    content[one : one + 500], content[other : other + 500] = content[other : other + 500], content[one : one + 500]
    return content


def change_the_index(random, content, index):
    content[random.integers(*index)] = random.integers(256)
    return content


def change_a_number_of_the_index(random, content, index):
    place = random.integers(*index)
    content[place : place + 4] = int(random.choice(NUMBERS)).to_bytes(4, "big")
    return content


KINDS = (cut, flip_bits, zero, overwrite, remove, insert, swap, change_the_index, change_a_number_of_the_index)


def mutate(original, seed):
    """The name of the damage, and the damaged bytes."""
    is_mp4 = b"moov" in original
    index = (original.index(b"moov"), original.index(b"mdat") - 8) if is_mp4 else (0, original.index(CLUSTER))
    how = KINDS[seed % len(KINDS)]
    return how.__name__, bytes(how(np.random.default_rng(seed), bytearray(original), index))


def outcome(path):
    """("error", what it says) or ("clip", its shape)."""
    early = decoded_early(path.read_bytes())
    try:
        probe(path)
        frames = decode(path).frames
        if not decode(path, early=early).frames.equal(frames):
            return "other frames while it arrives", list(frames.shape)
        return "clip", list(frames.shape)
    except VideoDecodeError as error:
        return "error", str(error)


def decoded_early(content):
    """What is made of the bytes before anything is known of them; None where that fails."""
    file = ArrivingFile(len(content))
    file.add(0, content)
    with contextlib.suppress(Exception):
        return decode_early(file, progress=lambda *_: None, checkpoint=lambda: None)


def main():
    original, results = Path(sys.argv[1]).read_bytes(), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.mp4"
        for seed in range(int(sys.argv[2]), int(sys.argv[3])):
            name, damaged = mutate(original, seed)
            path.write_bytes(damaged)
            faulthandler.dump_traceback_later(MOST_SECONDS_EACH, exit=True)
            with contextlib.redirect_stdout(sys.stderr):
                kind, said = outcome(path)
            faulthandler.cancel_dump_traceback_later()
            results.append([seed, name, kind, str(path) in said if kind == "error" else said])
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
