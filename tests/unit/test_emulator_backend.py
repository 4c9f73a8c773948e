"""The money and the states of the emulator, without a socket."""

import pytest
from emulator import State, Timeline
from emulator.backend import Backend, UnknownRequestError, body_fingerprint
from support.clock import Clock


def accept(backend, **body):
    return backend.accept("sora", body, usd=1.2, end=State.SUCCEEDED, error=None).request_id


def looks(backend, request_id, count):
    return [backend.look(request_id, reads_result=False).state.value for _ in range(count)]


def test_a_request_moves_by_looks():
    backend = Backend(timeline=Timeline.after_polls(queued=1, rendering=2), clock=Clock())
    assert looks(backend, accept(backend), 5) == ["in_queue", "in_progress", "in_progress", "succeeded", "succeeded"]


def test_a_request_moves_by_the_clock_and_not_by_looks():
    clock = Clock()
    backend = Backend(timeline=Timeline.by_clock(queued_s=5, rendering_s=10), clock=clock)
    request_id = accept(backend)
    seen = [looks(backend, request_id, 3)]
    for step_s in (5, 10):
        clock.now_s += step_s
        seen.append(looks(backend, request_id, 2))
    assert seen == [["in_queue"] * 3, ["in_progress"] * 2, ["succeeded"] * 2]


def test_a_request_moves_by_hand_alone():
    backend = Backend(timeline=Timeline.by_hand(), clock=Clock())
    request_id = accept(backend)
    assert set(looks(backend, request_id, 20)) == {"in_queue"}
    backend.force(request_id, State.RENDERING)
    assert set(looks(backend, request_id, 20)) == {"in_progress"}
    backend.force(request_id, State.FAILED, "blocked")
    assert backend.find(request_id).error == "blocked"


def test_what_was_seen_queued_can_be_cancelled_and_costs_nothing():
    backend = Backend(timeline=Timeline.after_polls(queued=1, rendering=1), clock=Clock())
    request_id = accept(backend)
    looks(backend, request_id, 1)
    assert backend.cancel(request_id)
    assert backend.spent_usd == 0
    assert [charge.refunded for charge in backend.ledger] == [True]


@pytest.mark.parametrize("state", [State.RENDERING, State.SUCCEEDED, State.FAILED])
def test_what_has_left_the_queue_cannot_be_cancelled_and_stays_charged(state):
    backend = Backend(timeline=Timeline.by_hand(), clock=Clock())
    request_id = accept(backend)
    backend.force(request_id, state)
    assert not backend.cancel(request_id)
    assert backend.find(request_id).state is state
    assert backend.spent_usd == 1.2


def test_a_failed_request_is_charged_unless_the_account_says_otherwise():
    for is_refunded, spent_usd in ((False, 1.2), (True, 0)):
        backend = Backend(timeline=Timeline.by_hand(), clock=Clock(), refund_failed=lambda told=is_refunded: told)
        backend.force(accept(backend), State.FAILED)
        assert backend.spent_usd == spent_usd


def test_the_queue_has_places():
    backend = Backend(timeline=Timeline.by_hand(), clock=Clock())
    first, second = accept(backend), accept(backend)
    assert (backend.position(first), backend.position(second)) == (1, 2)
    backend.force(first, State.RENDERING)
    assert backend.position(second) == 1
    assert backend.position(second, ahead=3) == 4
    looks(backend, second, 2)
    assert backend.position(second, ahead=3) == 2


def test_equal_bodies_are_counted_together():
    backend = Backend(timeline=Timeline.immediate(), clock=Clock())
    for body in ({"prompt": "a", "seconds": 4}, {"seconds": 4, "prompt": "a"}, {"prompt": "b"}):
        accept(backend, **body)
    assert backend.charges_by_body()[body_fingerprint({"prompt": "a", "seconds": 4})] == 2
    assert sum(backend.charges_by_body().values()) == 3


def test_an_unknown_id_is_unknown():
    with pytest.raises(UnknownRequestError):
        Backend(timeline=Timeline.immediate(), clock=Clock()).look("req-none", reads_result=False)
