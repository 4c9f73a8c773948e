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
    desk.card.locator("video").wait_for()
    assert desk.players() == 1
    desk.wait_for_card(request.request_id)
    desk.snap("any-2-done")
    desk.site.wait_until_idle()
    desk.run()
    desk.site.wait_until_idle()
    assert desk.site.emulator.charges == charges + 1


CHOOSE = """([name, value]) => {
  const node = window.app.graph.nodes.find((one) => one.comfyClass === 'RunComfyImageToVideo');
  const widget = node.widgets.find((one) => one.name === name);
  widget.value = value;
  widget.callback(value, window.app.canvas, node);
}"""
GREY = """() => window.app.graph.nodes.find((one) => one.comfyClass === 'RunComfyImageToVideo')
  .widgets.filter((one) => one.disabled).map((one) => one.name)"""
VALUES = """() => window.app.graph.nodes.find((one) => one.comfyClass === 'RunComfyImageToVideo').serialize().widgets_values"""
IS_GREY = f"(names) => JSON.stringify(({GREY})()) === JSON.stringify(names)"
KLING = "kling/kling-3.0/standard/image-to-video"


@on(*EVERYWHERE)
def test_the_node_says_what_the_chosen_model_can_do_and_costs_and_greys_what_it_cannot(desk):
    page = desk.page
    desk.build_any_model("A heron.", model=KLING)
    line = page.locator(".s2p-model")
    line.get_by_text("3 to 15 s · sound on or off · negative prompt · from $0.084 a second").wait_for()
    desk.wait_for_badge("from $0.63")
    page.wait_for_function(IS_GREY, arg=["resolution", "aspect_ratio", "end_image_url"])
    if desk.renderer == "vue":
        row = page.locator(".lg-node-widget").filter(has_text="aspect_ratio")
        row.locator("[disabled], [aria-disabled=true], [data-disabled], .p-disabled").first.wait_for()
    saved = page.evaluate(VALUES)
    page.wait_for_timeout(300)
    desk.snap("any-3-greyed")
    page.evaluate(CHOOSE, ["audio", "off"])
    desk.wait_for_badge("from $0.42")
    page.evaluate(CHOOSE, ["max_clips", 3])
    # The file holds one picture, so there is one clip, whatever is allowed.
    desk.wait_for_badge("from $0.42")
    page.evaluate(CHOOSE, ["rehearse", True])
    desk.wait_for_badge("free rehearsal")
    for name, value in (("audio", "model default"), ("max_clips", 1), ("rehearse", False)):
        page.evaluate(CHOOSE, [name, value])
    page.evaluate(CHOOSE, ["model", "bytedance/seedance-2.0/pro"])
    line.get_by_text("480p, 720p, 1080p, 4k").wait_for()
    page.wait_for_function(IS_GREY, arg=["end_image_url", "negative_prompt"])
    page.wait_for_timeout(300)
    desk.snap("any-4-another-model")
    page.evaluate(CHOOSE, ["custom_model_id", "maker/new/image-to-video"])
    line.get_by_text("maker/new/image-to-video: its description is read from RunComfy when it runs.").wait_for()
    page.wait_for_function(IS_GREY, arg=[])
    desk.wait_for_badge("price unknown")
    page.evaluate(CHOOSE, ["custom_model_id", ""])
    page.evaluate(CHOOSE, ["model", KLING])
    page.wait_for_function(IS_GREY, arg=["resolution", "aspect_ratio", "end_image_url"])
    assert page.evaluate(VALUES) == saved


@on(*EVERYWHERE)
def test_what_is_greyed_is_greyed_when_a_workflow_is_opened_again_and_a_wish_in_it_is_kept_and_refused(desk):
    page, charges = desk.page, desk.site.emulator.charges
    desk.build_any_model("A heron.", model=KLING, resolution="720p")
    page.wait_for_function(IS_GREY, arg=["aspect_ratio", "end_image_url"])
    desk.load(desk.serialized())
    page.wait_for_function(IS_GREY, arg=["aspect_ratio", "end_image_url"])
    desk.run()
    desk.wait_for_card("The resolution of 'kling/kling-3.0/standard/image-to-video' cannot be chosen")
    assert desk.site.emulator.charges == charges
    desk.close_dialogs()
