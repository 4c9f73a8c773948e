"""What a restart of ComfyUI costs: time, and nothing else."""

from comfyui.graphs import one_clip
from emulator import Call


def test_a_restart_and_the_same_graph_cost_nothing_more(studio):
    graph = one_clip("A train stops.")
    assert studio.run(graph).succeeded
    studio.comfyui.restart()
    again = studio.comfyui.run(graph)
    assert len(again.files("save")) == 1
    assert again.cached == frozenset()  # ComfyUI has forgotten; the journal has not
    assert studio.charges == 1
    assert len([call for call in studio.calls if call.call is Call.DOWNLOAD]) == 1


def test_a_power_cut_while_it_waits_and_the_same_graph_cost_nothing_more(studio):
    graph = one_clip("A ship turns.")
    studio.comfyui.queue(graph)
    (request,) = studio.accepted(1)
    studio.called(Call.STATUS)  # its id is in the journal
    studio.comfyui.kill()
    studio.comfyui.start()
    studio.emulator.release(request.request_id)
    assert len(studio.comfyui.run(graph).files("save")) == 1
    assert studio.charges == 1
