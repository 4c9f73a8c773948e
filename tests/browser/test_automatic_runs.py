"""ComfyUI's Run (On Change) and Run (Instant): what they may buy, and how a person lets them."""

import pytest
from browser.places import EVERYWHERE, ONE_OF_EACH, on

MODE = "(mode) => { window.app.extensionManager.queueSettings.mode = mode; }"
TYPE = """(text) => {
  const clip = window.app.graph.nodes.find((node) => node.comfyClass === 'Sora2ProImageToVideo');
  const prompt = clip.widgets.find((widget) => widget.name === 'prompt');
  prompt.value = text;
  prompt.callback?.(text);
  window.app.extensionManager.workflow.activeWorkflow.changeTracker.checkState();
}"""

COUNT_UP = """() => {
  const clip = window.app.graph.nodes.find((node) => node.comfyClass === 'Sora2ProImageToVideo');
  clip.widgets.find((widget) => widget.options?.values?.includes?.('randomize')).value = 'increment';
  clip.widgets.find((widget) => widget.name === 'seed').value = 7;
}"""


def type_prompt(desk, text):
    desk.page.evaluate(TYPE, text)


def press_button(desk):
    # The button alone, or around it the menu as well.
    desk.page.locator("button[data-testid=queue-button], [data-testid=queue-button] button").first.click()


def press_keys(desk):
    desk.page.evaluate("() => document.activeElement?.blur?.()")
    desk.page.keyboard.press("Control+Enter")


def finish(desk, known):
    """Renders the clip that was bought last; what comes after it is refused."""
    emulator = desk.site.emulator
    emulator.wait_until(lambda: len(emulator.requests) > known)
    emulator.release(emulator.requests[known].request_id)


@on(*EVERYWHERE)
def test_run_on_change_buys_nothing_until_the_user_allows_it_on_the_node(desk):
    emulator = desk.site.emulator
    known, charges = len(emulator.requests), emulator.charges
    desk.build(f"Automatic on {desk.name}.")
    desk.page.evaluate(MODE, "change")
    desk.wait_for_card(
        "Automatic runs are on. They deliver clips that are already bought or free, and buy nothing new."
    )
    for text in ("A gull", "A gull cries", "A gull cries."):
        type_prompt(desk, f"{text} {desk.name}")
        desk.wait_for_phase("failed")
        desk.wait_for_card("automatic runs of this node do not buy clips")
        desk.site.wait_until_idle()
    desk.close_dialogs()
    desk.snap("automatic-refused")
    assert (len(emulator.requests), emulator.charges) == (known, charges)

    desk.card.get_by_role("button", name="Let automatic runs buy").click()
    desk.wait_for_card("Automatic runs are on and may buy clips with this node.")
    desk.snap("automatic-allowed")
    type_prompt(desk, f"A gull cries twice. {desk.name}")
    emulator.wait_until(lambda: len(emulator.requests) > known)
    desk.page.evaluate(MODE, "disabled")
    emulator.release(emulator.requests[known].request_id)
    desk.wait_for_phase("done")
    assert len(emulator.requests) == known + 1

    desk.page.evaluate(MODE, "change")
    desk.wait_for_card(
        "Automatic runs are on. They deliver clips that are already bought or free, and buy nothing new."
    )
    desk.page.evaluate(MODE, "disabled")
    assert desk.card.get_by_role("button", name="Let automatic runs buy").count() == 0


@on(*ONE_OF_EACH)
def test_run_instant_with_a_changing_seed_buys_at_most_the_run_that_was_pressed(desk):
    emulator = desk.site.emulator
    known = len(emulator.requests)
    desk.build(f"Instant on {desk.name}.")
    desk.page.evaluate(COUNT_UP)
    if desk.site.name == "latest":
        desk.page.evaluate(MODE, "instant-running")
        desk.page.evaluate("() => window.app.queuePrompt(0, 1, {intent: {trigger_source: 'button'}})")
    else:
        desk.page.evaluate(MODE, "instant")
        desk.run()
    desk.page.wait_for_timeout(3000)
    for request in emulator.requests[known:]:
        emulator.release(request.request_id)
    desk.wait_for_phase("failed")
    desk.page.wait_for_timeout(2000)
    desk.page.evaluate(MODE, "disabled")
    desk.site.wait_until_idle()
    desk.close_dialogs()
    assert len(emulator.requests) <= known + 1


@on(*ONE_OF_EACH)
@pytest.mark.parametrize("press", [press_button, press_keys])
def test_run_that_is_pressed_buys_while_run_is_set_to_on_change(desk, press):
    emulator = desk.site.emulator
    known = len(emulator.requests)
    desk.build(f"Pressed on {desk.name} with {press.__name__}.")
    desk.page.evaluate(MODE, "change")
    press(desk)
    finish(desk, known)
    desk.wait_for_phase("done")
    desk.site.wait_until_idle()
    for text in ("A gull", "A gull cries"):
        type_prompt(desk, f"{text} after {press.__name__}.")
        desk.wait_for_card("automatic runs of this node do not buy clips")
        desk.site.wait_until_idle()
        desk.close_dialogs()
    assert len(emulator.requests) == known + 1
    press(desk)
    finish(desk, known + 1)
    desk.wait_for_phase("done")
    desk.page.evaluate(MODE, "disabled")
    desk.site.wait_until_idle()
    assert len(emulator.requests) == known + 2


@on(("bundled", "litegraph"))
@pytest.mark.parametrize("press", [press_button, press_keys])
def test_run_that_is_pressed_buys_one_clip_while_run_is_set_to_instant(desk, press):
    emulator = desk.site.emulator
    known = len(emulator.requests)
    desk.build(f"Instant on {desk.name} with {press.__name__}.")
    desk.page.evaluate(COUNT_UP)
    desk.page.evaluate(MODE, "instant")
    for bought in (1, 2):
        press(desk)
        finish(desk, known + bought - 1)
        desk.wait_for_phase("failed")
        desk.wait_for_card("automatic runs of this node do not buy clips")
        desk.page.wait_for_timeout(2000)
        desk.site.wait_until_idle()
        desk.close_dialogs()
        assert len(emulator.requests) == known + bought
    desk.page.evaluate(MODE, "disabled")


@on(*ONE_OF_EACH)
def test_automatic_runs_buy_no_longer_once_a_run_was_cancelled(desk):
    emulator = desk.site.emulator
    known, charges = len(emulator.requests), emulator.charges
    desk.open_panel()
    desk.build(f"Instant and cancelled on {desk.name}.")
    desk.page.evaluate(MODE, "instant" if desk.site.name == "bundled" else "instant-idle")
    desk.card.get_by_role("button", name="Let automatic runs buy").click()
    press_button(desk)
    emulator.wait_until(lambda: len(emulator.requests) > known)
    row = desk.row("Instant and cancelled on")
    row.get_by_role("button", name="Cancel").click()
    row.get_by_role("button", name="Confirm cancel").click()
    desk.wait_for_card("They deliver clips that are already bought or free, and buy nothing new.")
    desk.page.wait_for_timeout(2000)
    desk.site.wait_until_idle()
    desk.page.evaluate(MODE, "disabled")
    desk.close_dialogs()
    assert (len(emulator.requests), emulator.charges) == (known + 1, charges)
