"""Where the pack differs from ffmpeg on purpose, each with its reason."""


def _would_be_short(whole_count, shown, delivered):
    return delivered is not None and delivered.refusal is not None and len(shown.times_s) != whole_count


EXCEPTIONS = {
    "ffmpeg shows another number of frames than the undamaged clip has, without a word, and the pack refuses": _would_be_short,
}


def exception(whole_count, shown, delivered):
    """The reason why a disagreement is meant; None where it is not.

    Args:
        whole_count: How many frames the file had before it was damaged.
        shown: What ffmpeg shows.
        delivered: What the pack delivers; None where it failed with an exception of another kind.
    """
    return next((reason for reason, holds in EXCEPTIONS.items() if holds(whole_count, shown, delivered)), None)
