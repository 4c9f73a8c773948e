"""The question before a dear clip, as a person sees and answers it."""

import pytest
import requests
from browser.places import ONE_OF_EACH, on


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
def test_a_dear_clip_is_bought_when_the_dialog_is_confirmed_and_not_when_the_node_is_told_no(desk, asks_above):
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
    # Put away without an answer, it can still be answered on the node.
    desk.page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    desk.card.get_by_role("button", name="Do not buy").click()
    desk.wait_for_phase("stopped")
    desk.wait_for_card("is not bought, as you answered. Nothing was sent to RunComfy and nothing was charged.")
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
