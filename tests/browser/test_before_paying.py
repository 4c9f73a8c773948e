"""What a person sees before pressing Run: the picture as it will be sent, what Run will buy, and at what price."""

from browser.places import ONE_OF_EACH, on

NODE = "window.app.graph.nodes.find((node) => node.comfyClass === 'Sora2ProImageToVideo')"
SET = f"""([name, value]) => {{
  const isControl = (widget) => widget.options?.values?.includes?.('randomize');
  const widget = {NODE}.widgets.find((one) => (name === 'control' ? isControl(one) : one.name === name));
  widget.value = value;
  widget.callback?.(value);
}}"""
RUNS = "(count) => { window.app.extensionManager.queueSettings.batchCount = count; }"


def choose(desk, name, value):
    desk.page.evaluate(SET, [name, value])


@on(*ONE_OF_EACH)
def test_the_badge_and_the_node_know_what_run_will_do(desk):
    known = len(desk.site.emulator.requests)
    desk.build(f"Before paying on {desk.name}.")
    desk.wait_for_badge("$1.20")
    desk.card.get_by_text("As it will be sent: 1280x720").wait_for()
    desk.page.wait_for_function("() => document.querySelector('.s2p-picture img')?.naturalWidth === 640")
    desk.snap("before-paying")
    choose(desk, "fit", "pad")
    choose(desk, "size", "720x1280")
    desk.card.get_by_text("As it will be sent: 720x1280").wait_for()
    desk.snap("before-paying-bars")

    request = desk.buy()
    desk.wait_for_card("Queued at RunComfy")
    desk.wait_for_badge("under way: Run is free")
    desk.site.emulator.release(request.request_id)
    desk.wait_for_phase("done")
    desk.wait_for_badge("already bought: Run is free")
    desk.card.get_by_role("button", name="Show the picture as it will be sent").click()
    desk.card.get_by_text("As it will be sent: 720x1280").wait_for()
    desk.snap("bought-is-free")
    choose(desk, "seed", 5)
    desk.wait_for_badge("$1.20")
    choose(desk, "seed", 0)
    desk.wait_for_badge("already bought: Run is free")
    assert len(desk.site.emulator.requests) == known + 1

    choose(desk, "control", "randomize")
    desk.wait_for_badge("$1.20, every Run")
    desk.wait_for_card("The seed changes with each Run, so every Run buys a new clip: $1.20, every Run.")
    desk.page.evaluate(RUNS, 3)
    desk.wait_for_badge("3 runs x $1.20 = $3.60")
    desk.snap("every-run-buys")
    desk.page.evaluate(RUNS, 1)
    choose(desk, "control", "fixed")
    desk.wait_for_badge("already bought: Run is free")
    assert len(desk.site.emulator.requests) == known + 1


@on(*ONE_OF_EACH)
def test_after_a_restart_and_a_reload_the_node_says_that_run_is_free(desk):
    known = len(desk.site.emulator.requests)
    desk.build(f"A restart before the clip on {desk.name}.")
    request = desk.buy()
    desk.wait_for_card("Queued at RunComfy")
    desk.site.comfyui.restart()
    desk.wait_for_card("ComfyUI was restarted. The request continues at RunComfy")
    desk.wait_for_badge("under way: Run is free")
    desk.reload()
    desk.wait_for_card("One request is under way. Run is free")
    desk.wait_for_badge("under way: Run is free")
    desk.snap("under-way-after-restart")
    desk.site.emulator.release(request.request_id)
    desk.run()
    desk.wait_for_phase("done")
    assert len(desk.site.emulator.requests) == known + 1
    desk.forgive()


@on(("latest", "vue"))
def test_without_a_token_the_badge_shows_about_what_a_clip_costs(desk):
    token_file = desk.site.state_dir / "token"
    token = token_file.read_text()
    token_file.unlink()
    try:
        # Not yet bought, so that the price is nobody's own.
        desk.build("Never bought.", size="1792x1024", seconds=12)
        desk.wait_for_badge("about $6.00")
        desk.snap("about-the-list-price")
    finally:
        token_file.write_text(token)
