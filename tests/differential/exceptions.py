"""Where the pack differs from ffmpeg on purpose, each with its reason."""

import re
from dataclasses import replace

import numpy as np
from differential.compare import disagreement
from differential.reference import ShownSound

MOST_CHANNELS = 8


def _would_be_short(whole, shown, delivered):
    return delivered.refusal is not None and len(shown.times_s) != len(whole.times_s)


def _leaves_out_frames(_whole, shown, delivered):
    found = re.search(r"(\d+) of (\d+) frames", delivered.refusal or "")
    return found is not None and int(found[1]) == len(shown.times_s) < int(found[2])


def _is_cut_off(_whole, _shown, delivered):
    return any(clause in (delivered.refusal or "") for clause in ("cut off", "ends in the middle of a part"))


def _contradicts_itself(_whole, _shown, delivered):
    said = (
        "index of its pictures cannot be read",
        "its index is damaged",
        "its index lacks",
        "and times for",
        "seconds are there",
        "should be",
    )
    return any(clause in (delivered.refusal or "") for clause in said)


def _is_wrong_without_a_word(whole, shown, delivered):
    is_named = re.match(r"Frame \d+ of \d+ is broken", delivered.refusal or "") is not None
    return is_named and shown.code_values != whole.code_values


def _is_a_harmless_hole(whole, shown, delivered):
    is_named = re.match(r"Frame \d+ of \d+ is broken", delivered.refusal or "") is not None
    return is_named and shown.code_values == whole.code_values


def _is_guessed(whole, shown, delivered):
    """What is made of damaged pictures depends on the version; the number of frames does not."""
    if delivered.refusal is not None or shown.code_values == whole.code_values:
        return False
    return len(delivered.frames) == len(whole.times_s) == len(shown.times_s)


def _is_guessed_sound(whole, shown, delivered):
    if delivered.refusal is not None or shown.sound is None or whole.sound is None:
        return False
    pairs = zip(whole.sound.pieces, shown.sound.pieces, strict=False)
    is_the_same = len(whole.sound.pieces) == len(shown.sound.pieces) and all(
        one[0] == other[0] and np.array_equal(one[1], other[1]) for one, other in pairs
    )
    return not is_the_same and _agrees_without_sound(shown, delivered)


def _is_told(_whole, shown, delivered):
    return delivered.refusal is None and bool(delivered.notes) and _agrees_without_sound(shown, delivered)


def _is_doubted_on_arrival(_whole, shown, delivered):
    if delivered.refusal is not None or delivered.promised is not None:
        return False
    return disagreement(shown, replace(delivered, promised=len(shown.times_s))) is None


def _agrees_without_sound(shown, delivered):
    promised = delivered.promised or len(shown.times_s)
    return disagreement(replace(shown, sound=ShownSound(["damaged"])), replace(delivered, promised=promised)) is None


def _is_shown_by_later_versions(whole, shown, delivered):
    if delivered.refusal is not None or shown.times_s:
        return False
    silent = replace(whole, sound=ShownSound(["its index is damaged"]))
    return disagreement(silent, replace(delivered, promised=len(whole.times_s))) is None


def _is_mixed_down(_whole, shown, delivered):
    if delivered.refusal is not None or shown.sound is None or shown.sound.channels <= MOST_CHANNELS:
        return False
    pieces = [
        (time_s, np.stack([samples[:, 0::2].mean(axis=1), samples[:, 1::2].mean(axis=1)], axis=1))
        for time_s, samples in shown.sound.pieces
    ]
    mixed = replace(shown, sound=replace(shown.sound, channels=2, pieces=pieces))
    return disagreement(mixed, delivered) is None


ALWAYS = {
    "ffmpeg plays more than 8 channels, and the pack mixes them down to two, as many as ComfyUI can save": _is_mixed_down,
    "a part of a fragmented file ends in the middle, and the pack refuses: a transfer may have stopped there": _is_cut_off,
    "ffmpeg leaves out frames that are in the file, and the pack refuses instead of delivering fewer": _leaves_out_frames,
}
DAMAGED = {
    "ffmpeg shows another number of frames than the undamaged clip has, and the pack refuses": _would_be_short,
    "the index contradicts itself, and the pack refuses: frames may be missing": _contradicts_itself,
    "ffmpeg shows wrong pictures without a word, and the pack names the broken frame": _is_wrong_without_a_word,
    "bytes of a picture are lost, which happens to change nothing that ffmpeg shows": _is_a_harmless_hole,
    "what is made of damaged pictures depends on the version of FFmpeg": _is_guessed,
    "what is made of damaged sound depends on the version of FFmpeg": _is_guessed_sound,
    "ffmpeg plays sound whose index is damaged, and the pack delivers silence and says so": _is_told,
    "the index of the sound contradicts itself: on arrival the pack doubts the file, and delivers it": _is_doubted_on_arrival,
    "ffmpeg 5.1 does not open a file whose index of sound is damaged, and the pack shows it": _is_shown_by_later_versions,
}


def exception(whole, shown, delivered, *, is_damaged):
    """The reason why a disagreement is meant; None where it is not.

    Args:
        whole: What ffmpeg shows of the file as it was before it was damaged.
        shown: What ffmpeg shows.
        delivered: What the pack delivers.
        is_damaged: Whether it was damaged.
    """
    kinds = ALWAYS | (DAMAGED if is_damaged else {})
    return next((reason for reason, holds in kinds.items() if holds(whole, shown, delivered)), None)
