"""ComfyUI's app mode, which shows chosen inputs and outputs of a workflow and hides the graph."""

import uuid

from browser.desk import BUILD
from browser.places import on

INPUTS = ("prompt", "size", "seconds", "rehearse")


def open_as_app(desk, prompt):
    """The graph of picture, generation and preview, with the generation's inputs and its clip as an app."""
    values = {"prompt": prompt, "size": "1280x720"}
    workflow = desk.page.evaluate(BUILD, [str(uuid.uuid4()), "Sora2ProImageToVideo", values])
    ids = {node["type"]: node["id"] for node in workflow["nodes"]}
    clip = ids["Sora2ProImageToVideo"]
    inputs = [[ids["LoadImage"], "image"], *([clip, name] for name in INPUTS)]
    workflow["extra"] = {"linearMode": True, "linearData": {"inputs": inputs, "outputs": [clip]}}
    desk.page.evaluate("(workflow) => window.app.loadGraphData(workflow)", workflow)
    # A tour of the app mode lies over it some time after it was entered first.
    desk.page.add_locator_handler(desk.page.get_by_role("button", name="Skip"), lambda skip: skip.click(), times=1)
    desk.page.get_by_test_id("linear-run-button").first.wait_for()


@on(("latest", "vue"))
def test_app_mode_shows_the_inputs_and_plays_the_clip_once(desk):
    emulator = desk.site.emulator
    known = len(emulator.requests)
    open_as_app(desk, "A gull in app mode.")
    inputs = desk.page.get_by_test_id("linear-widgets")
    for name in INPUTS:
        inputs.get_by_text(name, exact=True).first.wait_for()
    desk.page.get_by_test_id("linear-run-button").get_by_role("button", name="Run").last.click()
    emulator.wait_until(lambda: len(emulator.requests) > known)
    desk.snap("app-working")
    emulator.release(emulator.requests[known].request_id)
    player = desk.page.get_by_test_id("linear-center-panel").locator("video:visible").first
    player.wait_for()
    desk.page.wait_for_function("(v) => v.readyState >= 1", arg=player.element_handle())
    assert player.evaluate("(v) => v.duration") == 4
    desk.snap("app-done")
    assert desk.page.get_by_text("failed to load").count() == 0

    desk.page.evaluate("() => { window.app.extensionManager.workflow.activeWorkflow.activeMode = 'graph'; }")
    desk.wait_for_phase("done")
    desk.card.locator("video").wait_for()
    desk.snap("app-back-in-the-graph")
    assert desk.page.get_by_text("failed to load").count() == 0
    assert desk.players() == 1
