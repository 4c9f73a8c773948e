"""The question before an expensive clip, as a person sees and answers it."""

import re

import pytest
import requests
from browser.places import ONE_OF_EACH, on

# Another node of the same kind, with a picture and a preview of its own to be run for.
SECOND = """(prompt) => {
  const graph = window.app.graph;
  const load = graph.nodes.find((node) => node.comfyClass === 'LoadImage');
  const [clip, show] = ['Sora2ProImageToVideo', 'PreviewImage'].map((kind, index) => {
    const node = window.LiteGraph.createNode(kind);
    node.pos = [360 + 440 * index, 760];
    graph.add(node);
    return node;
  });
  clip.title = 'Second take';
  for (const [name, value] of Object.entries({prompt, size: '1280x720', frame_load_cap: 1})) {
    clip.widgets.find((one) => one.name === name).value = value;
  }
  load.connect(0, clip, clip.inputs.findIndex((input) => input.name === 'image'));
  clip.connect(0, show, 0);
}"""


@pytest.fixture
def asks_above(desk):
    """Sets the price above which the user is asked; it is taken back at the end."""

    def choose(usd):
        changes = {"ask_above_usd": usd}
        requests.put(
            f"{desk.site.url}/sora2pro/settings", json=changes, headers={"X-Sora2Pro": "1"}, timeout=30
        ).raise_for_status()

    yield choose
    choose(None)


@on(*ONE_OF_EACH)
def test_a_dear_clip_is_bought_when_the_dialog_is_confirmed_and_not_when_it_is_cancelled(desk, asks_above):
    emulator = desk.site.emulator
    known, charges = len(emulator.requests), emulator.charges
    asks_above(1)
    desk.build(f"Asked first on {desk.name}.")
    desk.run()
    dialog = desk.page.get_by_role("dialog").filter(has_text="Buy this clip for about $1.20?")
    dialog.wait_for()
    desk.wait_for_card("Waiting for your answer: buy this clip (about $1.20)?")
    desk.snap("asked-first")
    assert (len(emulator.requests), emulator.charges) == (known, charges)
    dialog.get_by_role("button", name="Cancel").click()
    desk.wait_for_phase("stopped")
    desk.wait_for_card("was not bought, because you declined. Nothing was sent to RunComfy and nothing was charged.")
    desk.snap("asked-first-no")
    assert (len(emulator.requests), emulator.charges) == (known, charges)

    desk.run()
    dialog.wait_for()
    dialog.get_by_role("button", name="Confirm").click()
    emulator.wait_until(lambda: len(emulator.requests) > known)
    emulator.release(emulator.requests[known].request_id)
    desk.wait_for_phase("done")
    assert desk.card.get_by_role("button", name="Do not buy").count() == 0
    assert len(emulator.requests) == known + 1


@on(*ONE_OF_EACH)
def test_a_question_outlives_a_reload_of_the_page_and_is_answered_on_the_node(desk, asks_above):
    emulator = desk.site.emulator
    known = len(emulator.requests)
    asks_above(1)
    desk.build(f"Asked again on {desk.name}.")
    desk.run()
    desk.page.get_by_role("dialog").filter(has_text="Buy this clip for about $1.20?").wait_for()
    desk.reload()
    desk.card.get_by_text("Buy this clip for about $1.20?", exact=True).wait_for()
    desk.snap("asked-first-on-the-node")
    desk.card.get_by_role("button", name="Buy", exact=True).click()
    emulator.wait_until(lambda: len(emulator.requests) > known)
    emulator.release(emulator.requests[known].request_id)
    desk.wait_for_phase("done")
    assert len(emulator.requests) == known + 1


@on(*ONE_OF_EACH)
def test_two_nodes_that_ask_are_two_dialogs_with_the_names_of_the_nodes(desk, asks_above):
    emulator = desk.site.emulator
    known = len(emulator.requests)
    asks_above(1)
    desk.build(f"Asked as the first of two on {desk.name}.")
    desk.page.evaluate(SECOND, f"Asked as the second of two on {desk.name}.")
    desk.run()
    for title in sorted(
        ["Second take", "Sora 2 Pro Image to Video (RunComfy)"], key=lambda one: one != first_asked(desk)
    ):
        dialog = desk.page.get_by_role("dialog").filter(has_text=f"{title}: Buy this clip for about $1.20?")
        dialog.wait_for()
        desk.snap(f"asked-of-two-{title.split()[0]}")
        dialog.get_by_role("button", name="Confirm").click()
        dialog.wait_for(state="hidden")
    emulator.wait_until(lambda: len(emulator.requests) == known + 2)
    for request in emulator.requests[known:]:
        emulator.release(request.request_id)
    desk.page.locator(".s2p-card[data-phase='done']").nth(1).wait_for()
    assert len(emulator.requests) == known + 2


def first_asked(desk):
    """The title of the node that the dialog in front is about."""
    dialog = desk.page.get_by_role("dialog").filter(has_text=": Buy this clip")
    dialog.wait_for()
    return re.search(r"(.*): Buy this clip", dialog.inner_text())[1]
