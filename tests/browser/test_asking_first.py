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
