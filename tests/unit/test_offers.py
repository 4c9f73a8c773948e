"""A description of a model that does not come holds up nobody but those who need it, and these can be stopped."""

import contextlib
import threading
import time

import pytest
from sora2pro.nodes.errors import APITimeoutError, Stopped
from sora2pro.nodes.runcomfy.offers import Offers
from sora2pro.nodes.runcomfy.progress import StopSignal
from sora2pro.nodes.runcomfy.store.database import Database
from sora2pro.nodes.runcomfy.store.descriptions import Descriptions

ONE, OTHER = "pixverse/pixverse-v6/image-to-video", "wan-ai/wan-2.7/image-to-video"
STOPPED_WITHIN_S = 0.5


class Dripping:
    """RunComfy, of which every description of `ONE` takes until `go_on`, and then still is not whole."""

    def __init__(self):
        self.asked = []
        self.began, self.go_on = threading.Event(), threading.Event()

    @contextlib.contextmanager
    def connect(self, *, stop=None):
        del stop
        yield self

    def model_document(self, model_id):
        self.asked.append(model_id)
        if model_id == ONE:
            self.began.set()
            assert self.go_on.wait(60)
        raise APITimeoutError("RunComfy's answer did not end.", sent=True)


@pytest.fixture
def runcomfy(tmp_path):
    """RunComfy, while it is asked for a description that does not come; the one who asks, at the end, gets the last known one."""
    dripping, found = Dripping(), []
    api_base = "https://api.example"
    shared = Descriptions(Database(tmp_path / "journal.sqlite3"), api_base=api_base)
    dripping.offers = Offers(folder=tmp_path, shared=shared, connect=dripping.connect, api_base=api_base)
    first = threading.Thread(target=lambda: found.append(dripping.offers.find(ONE, StopSignal())))
    first.start()
    assert dripping.began.wait(60)
    yield dripping
    dripping.go_on.set()
    first.join(60)
    assert "last known one" in found[0].note


def test_a_model_whose_description_does_not_come_holds_up_no_other_model(runcomfy):
    found = []
    other = threading.Thread(target=lambda: found.append(runcomfy.offers.find(OTHER, StopSignal())), daemon=True)
    other.start()
    other.join(30)
    assert found
    assert runcomfy.asked == [ONE, OTHER]


def test_stop_ends_the_wait_for_a_description_that_another_run_asked_for(runcomfy):
    stop, ended = StopSignal(), []

    def wait():
        with pytest.raises(Stopped):
            runcomfy.offers.find(ONE, stop)
        ended.append(time.monotonic())

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    time.sleep(0.1)
    stopped_at = time.monotonic()
    stop.set(cancels_remotely=True)
    waiting.join(30)
    assert ended
    assert ended[0] - stopped_at < STOPPED_WITHIN_S


def test_runs_that_wait_for_one_description_ask_no_second_time(runcomfy):
    found = []
    others = [
        threading.Thread(target=lambda: found.append(runcomfy.offers.find(ONE, StopSignal())), daemon=True)
        for _ in range(3)
    ]
    for other in others:
        other.start()
    runcomfy.go_on.set()
    for other in others:
        other.join(30)
    assert ["last known one" in offer.note for offer in found] == [True] * 3
    assert runcomfy.asked == [ONE]
