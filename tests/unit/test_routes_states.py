"""The last state of every node, as a page that was reloaded finds it."""

import pytest
from sora2pro.nodes.host import Place
from sora2pro.nodes.run.display import (
    NodeStates,
    clip_document,
    combined,
    describe,
    ended_part,
    local_fraction,
    part_of,
)
from sora2pro.nodes.runcomfy import progress as p

STATES = (
    p.Preparing(),
    p.WaitingForSlot(4),
    p.Following(),
    p.Submitting(1.2),
    p.Retrying("No answer.", 2.0),
    p.Queued("r1", 3),
    p.Rendering("r1", 61.0, 120.0),
    p.Downloading("r1", 10, 20),
    p.Decoding(1, 120),
    p.Rehearsing(1, 120),
    p.FromJournal("r1"),
    p.Finished("r1", "RunComfy charged $1.20 for it."),
)


def clip(kind="queued", **changes):
    return {"kind": kind, "text": "words", "fraction": 0.0, "request_id": "r1"} | changes


def running(**changes):
    return part_of([clip(**changes)])


@pytest.mark.parametrize("progress", STATES, ids=lambda progress: type(progress).__name__)
def test_every_kind_of_progress_becomes_a_document_with_the_words_of_the_node(progress):
    document = clip_document(progress, describe(progress, 0.0), fraction=local_fraction(progress))
    assert document["text"] == describe(progress, 0.0)
    assert document["request_id"] == getattr(progress, "request_id", None)


def test_a_run_is_done_when_its_last_clip_is():
    assert part_of([clip("finished"), clip("decoding")])["phase"] == "working"
    assert part_of([clip("finished"), clip("finished")])["phase"] == "done"


def test_a_look_at_a_job_ends_a_run_without_a_clip_that_the_page_could_call_ready():
    looked = clip_document(p.Finished("r1", "job-7 is submitted.", has_clip=False), "job-7 is submitted.", fraction=1.0)
    assert (looked["kind"], part_of([looked])["phase"]) == ("reported", "done")


def test_a_run_that_fails_keeps_the_request_ids_it_had():
    ended = ended_part(running(), phase="failed", message="It failed.")
    assert (ended["phase"], ended["message"], ended["clips"][0]["request_id"]) == ("failed", "It failed.", "r1")
    assert ended_part(None, phase="stopped", message="Stopped.")["clips"] == []


def test_items_of_a_list_become_one_state_with_the_worst_news_and_each_sentence_once():
    parts = [
        running(),
        ended_part(None, phase="failed", message="No."),
        ended_part(None, phase="failed", message="No."),
    ]
    assert combined(parts)["phase"] == "working"
    assert combined(parts[1:]) == {"phase": "failed", "clips": [], "message": "No."}


def test_the_browser_is_told_each_change_once_and_in_order():
    states = NodeStates(clock=lambda: 10.0)
    place = Place("5", "p1")
    first = states.note(place, "w", running())
    assert states.note(place, "w", running()) is None
    second = states.note(place, "w", running(text="other words"))
    assert (first["run"], first["step"], second["run"], second["step"]) == (10_000, 1, 10_000, 2)
    assert states.all() == [second]


def test_a_newer_prompt_takes_the_place_of_an_older_one_even_within_the_same_millisecond():
    states = NodeStates(clock=lambda: 10.0)
    first = states.note(Place("5", "p1"), "w", running())
    second = states.note(Place("5", "p2"), "w", running())
    assert second["run"] > first["run"]
    assert [state["prompt_id"] for state in states.all()] == ["p2"]


def test_the_same_node_id_in_another_workflow_is_another_node():
    states = NodeStates()
    states.note(Place("5", "p1"), "w1", running())
    states.note(Place("5", "p2"), "w2", running())
    assert {(state["workflow_id"], state["prompt_id"]) for state in states.all()} == {("w1", "p1"), ("w2", "p2")}


def test_a_node_that_runs_for_a_list_shows_all_its_clips():
    states = NodeStates()
    states.note(Place("5", "p1", 1), "w", running(request_id="second"))
    document = states.note(Place("5", "p1", 0), "w", running(request_id="first"))
    assert [one["request_id"] for one in document["clips"]] == ["first", "second"]
    assert states.part(Place("5", "p1", 1), "w")["clips"][0]["request_id"] == "second"
    assert states.part(Place("5", "p0", 1), "w") is None


def test_only_so_many_nodes_are_remembered_the_latest_ones():
    states = NodeStates(kept=2)
    for number in range(4):
        states.note(Place(str(number), "p"), "w", running())
    assert [state["node"] for state in states.all()] == ["2", "3"]
