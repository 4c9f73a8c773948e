"""Many at once: one limit for all, one failure loses no other clip, and a second run buys only what is missing."""

import threading

import pytest
from emulator import Call, Fault, State, Timeline
from sora2pro.nodes.errors import GenerationFailedError, InsufficientCreditsError, InvalidInputError
from support import clips, node_runs

AT_MOST_S = 60


def busiest(requests):
    """How many requests were under way at once."""
    begins = [(request.accepted_at_s, 1) for request in requests]
    ends = [(request.ended_at_s, -1) for request in requests]
    under_way = peak = 0
    for _, change in sorted(begins + ends):
        under_way += change
        peak = max(peak, under_way)
    return peak


def test_a_batch_is_a_clip_and_a_charge_for_each_picture_in_their_order(emulator, point_to):
    point_to(emulator)
    outputs = node_runs.run_node(node_runs.pictures(0.1, 0.5, 0.9), max_clips=3)
    assert emulator.charges == 3
    assert len({output.request_id for output in outputs}) == 3
    for output in outputs:
        assert [clips.read_frame_number(frame) for frame in output.frames] == list(range(8))
    again = node_runs.run_node(node_runs.pictures(0.9, 0.1), max_clips=2)
    assert [output.request_id for output in again] == [outputs[2].request_id, outputs[0].request_id]
    assert emulator.charges == 3


def test_a_larger_batch_than_allowed_is_refused_before_anything_is_bought(emulator, point_to):
    point_to(emulator)
    with pytest.raises(InvalidInputError, match="max_clips"):
        node_runs.run_node(node_runs.pictures(0.1, 0.5, 0.9), max_clips=2)
    assert emulator.calls == []


def test_the_same_picture_twice_in_a_batch_is_paid_once(emulator, point_to):
    point_to(emulator)
    first, second = node_runs.run_node(node_runs.pictures(0.5, 0.5), max_clips=2)
    assert first.request_id == second.request_id
    assert emulator.charges == 1


def test_batches_and_nodes_share_one_limit(start_emulator, point_to):
    emulator = start_emulator(Timeline.by_clock(queued_s=0.05, rendering_s=0.1))
    point_to(emulator, RUNCOMFY_MAX_PARALLEL="2")
    threads = [
        threading.Thread(
            target=node_runs.run_node,
            args=(node_runs.pictures(0.2, 0.5, 0.8),),
            kwargs={"max_clips": 3, "seed": seed, "decode_frames": False},
        )
        for seed in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(AT_MOST_S)
    assert emulator.charges == 6
    assert busiest(emulator.requests) <= 2


def test_more_than_the_limit_are_not_bought_while_none_is_ready(start_emulator, point_to):
    emulator = start_emulator(Timeline.by_hand())
    point_to(emulator, RUNCOMFY_MAX_PARALLEL="2")
    thread = threading.Thread(
        target=node_runs.run_node, args=(node_runs.pictures(0.2, 0.5, 0.8),), kwargs={"max_clips": 3}
    )
    thread.start()
    emulator.wait_until(lambda: len(emulator.seen(Call.STATUS)) >= 10)
    assert len(emulator.requests) == 2
    for number in range(3):
        emulator.wait_until(lambda count=number: len(emulator.requests) > count)
        emulator.release(emulator.requests[number].request_id)
    thread.join(AT_MOST_S)
    assert emulator.charges == 3


def test_a_refused_clip_of_a_batch_loses_no_other_and_the_next_run_buys_only_that(emulator, point_to):
    point_to(emulator)
    emulator.inject(Fault(Call.SUBMIT, "402"))
    with pytest.raises(InsufficientCreditsError) as error:
        node_runs.run_node(node_runs.pictures(0.1, 0.5, 0.9), max_clips=3)
    assert "of 3: " in str(error.value)
    assert "arrived: another run does not buy them again" in str(error.value)
    assert emulator.charges == 2
    kept = {request.request_id for request in emulator.requests}
    outputs = node_runs.run_node(node_runs.pictures(0.1, 0.5, 0.9), max_clips=3)
    assert emulator.charges == 3
    assert kept < {output.request_id for output in outputs}


def test_a_failed_clip_of_a_batch_is_told_by_its_number_and_never_bought_again_by_itself(start_emulator, point_to):
    emulator = start_emulator(Timeline.by_hand())
    point_to(emulator)
    pictures = node_runs.pictures(0.1, 0.5, 0.9)

    def end_all():
        for number in range(3):
            emulator.wait_until(lambda count=number: len(emulator.requests) > count)
            state = State.FAILED if number == 1 else State.SUCCEEDED
            emulator.release(emulator.requests[number].request_id, state, "blocked by our moderation system")

    thread = threading.Thread(target=end_all)
    thread.start()
    for _ in range(2):
        with pytest.raises(GenerationFailedError) as error:
            node_runs.run_node(pictures, max_clips=3)
        said = str(error.value)
        assert "blocked by our moderation system" in said
        assert "arrived: another run does not buy them again" in said
        assert emulator.requests[1].request_id in said
    thread.join()
    assert len(emulator.ledger) == 3
