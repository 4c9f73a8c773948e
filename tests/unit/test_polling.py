import pytest
from sora2pro.nodes.runcomfy.waiting import Usual, next_poll_s, usual_times

USUAL = Usual(earliest_s=100.0, median_s=150.0)


@pytest.mark.parametrize(
    ("samples_s", "usual"),
    [
        ([], None),
        ([60.0, 90.0], None),
        ([60.0, 90.0, 70.0], Usual(60.0, 70.0)),
        ([60.0, 90.0, 70.0, 80.0], Usual(60.0, 75.0)),
    ],
)
def test_a_history_says_something_from_three_clips_on(samples_s, usual):
    assert usual_times(samples_s) == usual


@pytest.mark.parametrize(
    ("interval_s", "elapsed_s", "usual", "wait_s"),
    [
        pytest.param(5.0, None, USUAL, 5.0, id="queued: the configured rate"),
        pytest.param(5.0, 10.0, None, 5.0, id="no history: the configured rate"),
        pytest.param(5.0, 0.0, USUAL, 60.0, id="nothing can be ready: rarely"),
        pytest.param(5.0, 50.0, USUAL, 30.0, id="until just before the earliest"),
        pytest.param(5.0, 78.0, USUAL, 5.0, id="close to it"),
        pytest.param(5.0, 80.0, USUAL, 5.0, id="around the usual time: the full rate"),
        pytest.param(5.0, 150.0, USUAL, 5.0, id="at the usual time"),
        pytest.param(5.0, 5000.0, USUAL, 5.0, id="long after it"),
        pytest.param(0.05, 0.0, USUAL, 0.6, id="a fast interval is stretched twelvefold at most"),
        pytest.param(120.0, 0.0, USUAL, 120.0, id="a slow interval is never made faster"),
        pytest.param(30.0, 0.0, Usual(10_000.0, 10_000.0), 60.0, id="never rarer than a minute"),
    ],
)
def test_the_next_look_is_when_something_can_be_ready(interval_s, elapsed_s, usual, wait_s):
    assert next_poll_s(interval_s, elapsed_s, usual) == pytest.approx(wait_s)


@pytest.mark.parametrize("interval_s", [0.05, 1.0, 5.0, 60.0, 3600.0])
@pytest.mark.parametrize(
    "usual", [None, USUAL, Usual(0.0, 0.0), Usual(1e6, 1e6)], ids=["none", "usual", "instant", "ages"]
)
def test_the_configured_interval_is_the_most_often_it_looks(interval_s, usual):
    elapsed = [None, *(float(second) for second in range(0, 2000, 7))]
    assert min(next_poll_s(interval_s, elapsed_s, usual) for elapsed_s in elapsed) >= interval_s
