"""The node for any model: the card that a person sees of its run."""

from browser.places import EVERYWHERE, on


@on(*EVERYWHERE)
def test_a_run_of_any_model_ends_with_its_clip_on_the_card_and_a_second_run_is_free(desk):
    charges = desk.site.emulator.charges
    desk.build_any_model(f"A heron on {desk.name}.", model="pixverse/pixverse-v6/image-to-video")
    desk.wait_for_card("Your clip will play here")
    desk.snap("any-1-idle")
    request = desk.buy()
    desk.wait_for_card("Queued at RunComfy, position 1")
    desk.site.emulator.release(request.request_id)
    desk.wait_for_phase("done")
    assert desk.players() == 1
    desk.wait_for_card(request.request_id)
    desk.snap("any-2-done")
    desk.site.wait_until_idle()
    desk.run()
    desk.site.wait_until_idle()
    assert desk.site.emulator.charges == charges + 1
