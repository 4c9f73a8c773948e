"""Holds files against ffmpeg: `python -m differential.worker CLIPS STOP FIRST STEP` prints a line of JSON for each.

Run as a process of its own, because a crash or a hang of a decoder must not take the test-suite with it.
"""

import contextlib
import faulthandler
import json
import logging
import sys
import tempfile
from pathlib import Path

from differential import generate
from differential.compare import Delivered, disagreement
from differential.exceptions import exception
from differential.reference import shown
from pack import load_pack

load_pack()
from sora2pro.nodes.errors import NotEnoughRoomError, VideoDecodeError  # noqa: E402 - the pack has to be loaded first
from sora2pro.nodes.media.decode import decode  # noqa: E402 - as above
from sora2pro.nodes.media.timeline import probe  # noqa: E402 - as above

MOST_SECONDS_EACH = 30


def delivered(path):
    """What the pack makes of a file; only its own words count as a refusal."""
    try:
        clip, promised = decode(path), None
        with contextlib.suppress(VideoDecodeError):
            promised = probe(path).frame_count
    except (VideoDecodeError, NotEnoughRoomError) as error:
        return Delivered(refusal=error.what)
    waveform = clip.audio["waveform"][0].numpy()
    return Delivered(None, clip.frames.numpy(), waveform, clip.audio["sample_rate"], promised, clip.notes)


def verdict(number, clips, folder):
    """One file as a row of the table."""
    file = generate.file(number)
    path = folder / "clip.mp4"
    path.write_bytes(generate.content(file, clips))
    faulthandler.dump_traceback_later(MOST_SECONDS_EACH, exit=True)
    try:
        ours = delivered(path)
    except Exception as error:  # noqa: BLE001 - any other exception is a finding
        ours, raised = None, f"raised {type(error).__name__}: {error}"
    faulthandler.cancel_dump_traceback_later()
    theirs = shown(path, folder)
    reason = raised if ours is None else disagreement(theirs, ours)
    excuse = None
    if reason and ours:
        path.write_bytes(generate.content(file.undamaged, clips))
        excuse = exception(shown(path, folder), theirs, ours, is_damaged=file.is_damaged)
    return {
        "number": number,
        "name": file.name,
        "disagreement": reason,
        "exception": excuse,
        "shown": len(theirs.times_s),
        "complaints": theirs.complaints[:3],
        "sound_complaints": theirs.sound.complaints[:3] if theirs.sound else [],
        "refusal": ours.refusal if ours else None,
    }


def main():
    clips, stop, first, step = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, stop, step):
            with contextlib.redirect_stdout(sys.stderr):
                row = verdict(number, clips, Path(folder))
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
