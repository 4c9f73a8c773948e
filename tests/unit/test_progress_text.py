import typing

import pytest
from sora2pro.nodes.run.display import describe, duration, listed, local_fraction, megabytes, own_words, summary
from sora2pro.nodes.runcomfy import progress as p

TABLE = [
    (p.Preparing(), 0, "Preparing the picture", 0.0),
    (
        p.WaitingForSlot(4),
        0,
        "Waiting for a free slot: 4 paid requests are already running (the limit is in Settings under RunComfy)",
        0.0,
    ),
    (
        p.WaitingForSlot(1),
        0,
        "Waiting for a free slot: 1 paid request is already running (the limit is in Settings under RunComfy)",
        0.0,
    ),
    (p.Following(), 0, "Another node is already making this clip; waiting for it (no second charge)", 0.0),
    (p.Asking("q", None), 0, "Waiting for your answer: buy this clip (its price is not known)?", 0.0),
    (p.Asking("q", 1.2), 0, "Waiting for your answer: buy this clip (about $1.20)?", 0.0),
    (p.Submitting(None), 0, "Sending to RunComfy", 0.0),
    (p.Submitting(1.2), 0, "Sending to RunComfy (about $1.20)", 0.0),
    (p.Submitting(0.0), 0, "Sending to RunComfy (about $0.00)", 0.0),
    (p.Retrying("The line broke.", 8.0), 0, "The line broke. Trying again in 8 s", 0.0),
    (p.Retrying("The line broke.", 8.0), 5, "The line broke. Trying again in 3 s", 0.0),
    (p.Retrying("The line broke", 8.0), 99, "The line broke. Trying again in 0 s", 0.0),
    (p.Queued("r", None), 0, "Queued at RunComfy", 0.0),
    (p.Queued("r", 3), 0, "Queued at RunComfy, position 3", 0.0),
    (p.Queued("r", 0), 0, "Queued at RunComfy, position 0", 0.0),
    (p.Rendering("r", 45.9, None), 0, "Rendering for 45 s", 0.0),
    (p.Rendering("r", 45.0, 150.0), 20, "Rendering for 1 min 5 s (usually 2 min 30 s)", 0.0),
    (p.Downloading("r", 1_500_000, 3_000_000), 0, "Downloading 1.5 MB of 3.0 MB", 0.25),
    (p.Downloading("r", 1_500_000, None), 0, "Downloading 1.5 MB", 0.0),
    (p.Downloading("r", 0, 0), 0, "Downloading 0.0 MB of 0.0 MB", 0.0),
    (p.Decoding(30, 120), 0, "Decoding frame 30 of 120", 0.625),
    (p.Decoding(0, 0), 0, "Decoding frame 0 of 0", 0.5),
    (p.Rehearsing(60, 120), 0, "Rehearsal (free, not sent): frame 60 of 120", 0.25),
    (p.FromJournal("r"), 0, "Already bought: no charge", 0.5),
    (p.Finished("r", "Done. RunComfy charged $1.20 for it."), 9, "Done. RunComfy charged $1.20 for it.", 1.0),
]


@pytest.mark.parametrize(("progress", "since_s", "text", "_fraction"), TABLE, ids=[repr(row[0]) for row in TABLE])
def test_every_wait_is_explained(progress, since_s, text, _fraction):
    assert describe(progress, since_s) == text


@pytest.mark.parametrize(("progress", "_since_s", "_text", "fraction"), TABLE, ids=[repr(row[0]) for row in TABLE])
def test_the_bar_measures_only_what_this_machine_does(progress, _since_s, _text, fraction):
    """RunComfy tells no percentage, so none is invented."""
    assert local_fraction(progress) == fraction


def test_no_kind_of_progress_is_without_words():
    assert {type(row[0]) for row in TABLE} == set(typing.get_args(p.Progress))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (61, "1 min 1 s"), (3599, "59 min 59 s"), (3725, "62 min 5 s")],
)
def test_a_time_is_written_as_people_say_it(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0.0 MB"), (49_999, "0.0 MB"), (3_440_000, "3.4 MB")])
def test_bytes_are_written_in_megabytes(count, text):
    assert megabytes(count) == text


@pytest.mark.parametrize(("numbers", "text"), [([1], "1"), ([1, 3], "1 and 3"), ([1, 2, 4], "1, 2 and 4")])
def test_numbers_are_listed_as_people_say_them(numbers, text):
    assert listed(numbers) == text


@pytest.mark.parametrize(
    ("lines", "text"),
    [(["Queued"], "Queued"), (["Queued", "Rendering"], "Clip 1: Queued\nClip 2: Rendering")],
)
def test_the_clips_of_a_batch_are_told_apart(lines, text):
    assert summary(lines) == text


@pytest.mark.parametrize(
    "progress",
    [
        p.Retrying("RunComfy said: <img src=x onerror=alert(1)> [[top up|https://evil.example]] __LNK7__", 2.0),
        p.Finished(
            "r1", "job-1 is failed.", "job-1 is failed: <img src=x onerror=alert(1)> [[a|https://evil.example]]"
        ),
    ],
    ids=lambda progress: type(progress).__name__,
)
def test_the_card_quotes_runcomfy_and_comfyuis_own_line_does_not(progress):
    """ComfyUI's line takes HTML and links, and a node of another workflow shows it too."""
    assert "<img src=x onerror=alert(1)>" in describe(progress, 0.0)
    said = own_words(progress, 0.0)
    assert said in ("RunComfy did not answer as expected. Trying again in 2 s", "job-1 is failed.")


@pytest.mark.parametrize("progress", [row[0] for row in TABLE if not isinstance(row[0], p.Retrying)], ids=repr)
def test_what_quotes_nobody_is_told_alike_in_both_places(progress):
    assert own_words(progress, 1.0) == describe(progress, 1.0)
