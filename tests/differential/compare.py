"""Whether the pack and ffmpeg agree about a file, and if not, whether that is meant."""

from dataclasses import dataclass

import numpy as np
from differential.reference import UnknownFormatError

MOST_MEAN_LEVELS = 0.1  # of 255; the bar of the pack's own colour tests
MOST_LEVELS = 1.0
MOST_UPRIGHT_LEVELS = 12  # mean, to find out which way ffmpeg turns a picture: its colours are converted roughly there
SOUND_SLACK_S = 0.05  # two frames of AAC: encoders and edit lists do not agree about the padding at the ends
MOST_SOUND = 0.002  # mean difference of samples that go from -1 to 1: two versions of a decoder round differently
SHIFTED_SAMPLES = 2  # times in a file are rounded to its clocks


@dataclass
class Delivered:
    """What the pack makes of a file.

    Attributes:
        refusal: What its error says; None where it delivers.
        frames: [F, H, W, 3] float32.
        waveform: [channels, n] float32.
        rate: Hz.
        promised: How many frames `probe` counts; None where it refuses.
        notes: What it says of the sound.
    """

    refusal: str | None = None
    frames: object = None
    waveform: object = None
    rate: int = 0
    promised: int | None = None
    notes: tuple = ()


def disagreement(shown, delivered):
    """What is different, in words; None where both agree."""
    count = len(shown.times_s)
    if delivered.refusal is not None:
        if shown.complaints or count == 0:
            return None
        return f"refused, and ffmpeg shows {count} frames without a word: {delivered.refusal}"
    if len(delivered.frames) != count:
        return f"{len(delivered.frames)} frames, and ffmpeg shows {count}"
    if shown.complaints:
        return None
    if delivered.promised != count and not (delivered.promised is None and delivered.notes):
        return f"the probe counts {delivered.promised} frames, and there are {count}"
    return _pixels(shown, delivered.frames) or _sound(shown, delivered)


def _pixels(shown, frames):
    turn = None
    try:
        for number, (reference, frame) in enumerate(zip(shown.frames(), frames, strict=True)):
            if shown.is_turned and turn is None:
                turn = _turn(reference, shown.upright)
                if turn is None:
                    return None  # by an angle for which there is no reference
            upright = turn(reference) if turn else reference
            if upright.shape != frame.shape:
                return f"frame {number} is {frame.shape[:2]}, and it should be {upright.shape[:2]}"
            levels = np.abs(upright - frame) * 255
            if levels.mean() > MOST_MEAN_LEVELS or levels.max() > MOST_LEVELS:
                return f"frame {number} is off by {levels.mean():.2f} levels in the mean, {levels.max():.1f} at most"
    except UnknownFormatError:
        return None
    return None


def _turn(reference, upright):
    """Return the one of the eight ways to lay a picture that ffmpeg took."""
    if upright is None:
        return None
    best = None
    for turns in range(4):
        for mirrored in (False, True):

            def way(picture, turns=turns, mirrored=mirrored):
                return np.rot90(picture[:, ::-1] if mirrored else picture, turns)

            laid = way(reference)
            if laid.shape == upright.shape:
                off = np.abs(laid * 255 - upright).mean()
                if best is None or off < best[0]:
                    best = (off, way)
    return best[1] if best and best[0] < MOST_UPRIGHT_LEVELS else None


def _sound(shown, delivered):
    if shown.sound is not None and shown.sound.complaints:
        return None  # that the frames came is what is promised then
    steps = np.diff(shown.times_s)
    pictures_s = shown.times_s[-1] - shown.times_s[0] + (steps.mean() if len(steps) else 1 / 24)
    if shown.sound is None or not shown.sound.pieces:
        return _silence(delivered, pictures_s)
    return _played(shown.sound, delivered, shown.times_s[0], pictures_s)


def _silence(delivered, pictures_s):
    if np.abs(delivered.waveform).max(initial=0) > 0:
        return "there is sound where ffmpeg plays none"
    off_s = delivered.waveform.shape[1] / delivered.rate - pictures_s
    return f"the silence is off by {off_s:.3f} s" if abs(off_s) > SOUND_SLACK_S else None


def _played(sound, delivered, start_s, pictures_s):
    rate, waveform = delivered.rate, delivered.waveform.T
    if (rate, waveform.shape[1]) != (sound.rate, sound.channels):
        return f"sound of {rate} Hz in {waveform.shape[1]} channels, not {sound.rate} Hz in {sound.channels}"
    expected = sound.heard_from(start_s)
    slack = round(SOUND_SLACK_S * rate)
    if not -slack <= len(waveform) - len(expected) <= max(0, pictures_s * rate - len(expected)) + slack:
        return f"{len(waveform) / rate:.3f} s of sound, and ffmpeg plays {len(expected) / rate:.3f}"
    if np.abs(waveform[len(expected) + slack :]).max(initial=0) > MOST_SOUND:
        return "there is sound after the end of what ffmpeg plays"
    most = max(SHIFTED_SAMPLES, round(sound.clock_s * rate))
    error = min(_difference(expected, waveform, shift) for shift in range(-most, most + 1))
    return f"the sound is off by {error:.4f} in the mean" if error > MOST_SOUND else None


def _difference(expected, got, shift):
    one, other = expected[max(shift, 0) :], got[max(-shift, 0) :]
    count = min(len(one), len(other))
    return float(np.abs(one[:count] - other[:count]).mean()) if count else 0.0
