"""The card on the node: what a person sees of a run."""

import uuid

import pytest
from browser.desk import Desk
from browser.places import EVERYWHERE, ONE_OF_EACH, THE_OTHERS, on
from emulator import Call, Fault, State

IS_COPIED = "(id) => navigator.clipboard.readText().then((text) => text === id)"
ANOTHER_PICTURE = """() => {
  const graph = window.app.graph, load = graph.nodes.find((node) => node.comfyClass === 'LoadImage');
  const clip = graph.nodes.find((node) => node.comfyClass === 'Sora2ProImageToVideo');
  const make = (kind, at) => { const node = window.LiteGraph.createNode(kind); node.pos = at; graph.add(node); return node; };
  const plain = make('EmptyImage', [40, 420]), batch = make('ImageBatch', [40, 640]);
  load.connect(0, batch, 0);
  plain.connect(0, batch, 1);
  batch.connect(0, clip, clip.inputs.findIndex((input) => input.name === 'image'));
}"""
MARKUP = "<img src=x onerror='window.ranInThePage = 1'>"
OF_ANOTHER_WORKFLOW = """([id, ids]) => {
  const graph = window.app.graph;
  graph.clear();
  for (const [index, one] of ids.entries()) {
    const node = window.LiteGraph.createNode('EmptyImage');
    node.id = one;
    node.pos = [40 + 380 * index, 60];
    graph.add(node);
  }
  return JSON.parse(JSON.stringify({...graph.serialize(), id}));
}"""
PROPERTIES = "Toggle properties panel"
CLIP_NODE = "window.app.graph.nodes.find((node) => node.comfyClass === 'Sora2ProImageToVideo')"


@on(*EVERYWHERE)
def test_a_run_shows_each_state_without_a_jump_and_ends_with_a_clip_that_has_sound(desk):
    emulator, charges = desk.site.emulator, desk.site.emulator.charges
    desk.build(f"A fox on {desk.name}.")
    desk.wait_for_card("Your clip will play here")
    desk.wait_for_badge("$1.20")
    desk.snap("1-idle")
    size = desk.node_size()

    request = desk.buy()
    desk.wait_for_card("Queued at RunComfy, position 1")
    desk.snap("2-queued")
    emulator.release(request.request_id, State.RENDERING)
    desk.wait_for_card("Rendering for")
    desk.snap("3-rendering")
    emulator.release(request.request_id)
    desk.wait_for_phase("done")
    clip = desk.clip()
    desk.snap("4-done")

    assert (clip["duration"], clip["width"], clip["height"]) == (4, 1280, 720)
    assert clip["sound"]["duration"] == pytest.approx(4, abs=0.1)
    assert clip["sound"]["rms"] > 0.001
    assert desk.players() == 1
    assert desk.node_size() == size
    desk.wait_for_card("RunComfy charged $1.20 for it.")
    desk.wait_for_card(request.request_id)
    desk.card.get_by_role("button", name="Copy request id").click()
    desk.page.wait_for_function(IS_COPIED, arg=request.request_id)
    assert emulator.charges == charges + 1


@on(*EVERYWHERE)
def test_a_new_node_keeps_its_seed_and_the_card_is_saved_neither_with_the_workflow_nor_with_the_prompt(desk):
    desk.build("Saved.")
    saved = next(node for node in desk.serialized()["nodes"] if node["type"] == "Sora2ProImageToVideo")
    assert saved["widgets_values"] == ["Saved.", "1280x720", 4, 0, "fixed", "crop", "", 1, True, 1, 1, False, "stop"]
    prompt = desk.page.evaluate("async () => (await window.app.graphToPrompt()).output")
    inputs = next(node["inputs"] for node in prompt.values() if node["class_type"] == "Sora2ProImageToVideo")
    assert not any(name.startswith(("sora2pro", "$")) for name in inputs)


@on(*ONE_OF_EACH)
def test_a_page_reloaded_in_mid_run_and_after_it_shows_the_same_again_and_a_second_run_is_free(desk):
    known = len(desk.site.emulator.requests)
    desk.build(f"A page is reloaded on {desk.name}.")
    request = desk.buy()
    desk.wait_for_card("Queued at RunComfy")
    desk.reload()
    desk.wait_for_card("Queued at RunComfy")
    desk.site.emulator.release(request.request_id)
    desk.wait_for_phase("done")
    desk.reload()
    desk.wait_for_phase("done")
    assert desk.clip()["duration"] == 4

    desk.page.evaluate(f"() => {{ {CLIP_NODE}.widgets.find((w) => w.name === 'frame_load_cap').value = 2; }}")
    desk.run()
    desk.wait_for_card("Already bought: no charge")
    assert desk.clip()["duration"] == 4
    desk.snap("from-journal")
    assert len(desk.site.emulator.requests) == known + 1


@on(*THE_OTHERS)
def test_another_workflow_with_the_same_node_ids_shows_nothing_of_it(desk):
    desk.build(f"Mine on {desk.name}.")
    mine = desk.serialized()
    request = desk.buy()
    desk.wait_for_card("Queued at RunComfy")
    desk.load({**mine, "id": str(uuid.uuid4())})
    desk.wait_for_phase("idle")
    desk.site.emulator.release(request.request_id)
    desk.site.wait_until_idle()
    desk.wait_for_phase("idle")
    desk.load(mine)
    desk.wait_for_phase("done")
    assert desk.clip()["duration"] == 4


@on(*ONE_OF_EACH)
def test_the_clips_of_a_batch_are_paged_through_each_with_its_own_id(desk):
    known = len(desk.site.emulator.requests)
    desk.build(f"Two pictures on {desk.name}.", max_clips=2)
    desk.page.evaluate(ANOTHER_PICTURE)
    desk.run()
    desk.site.emulator.wait_until(lambda: len(desk.site.emulator.requests) == known + 2)
    desk.wait_for_card("Clip 2: ")
    bought = {request.request_id for request in desk.site.emulator.requests[known:]}
    for request_id in bought:
        desk.site.emulator.release(request_id)
    desk.wait_for_phase("done")
    desk.wait_for_card("1 / 2")
    first, first_id = desk.clip()["src"], desk.card.locator("code").inner_text()
    desk.card.get_by_role("button", name="Next clip").click()
    desk.wait_for_card("2 / 2")
    desk.page.wait_for_function("([v, src]) => v.src !== src", arg=[desk.card.locator("video").element_handle(), first])
    assert {first_id, desk.card.locator("code").inner_text()} == bought
    desk.snap("batch")
    desk.card.get_by_role("button", name="Next clip").click()
    desk.wait_for_card("1 / 2")


@on(("latest", "litegraph"), ("latest", "vue"))
def test_the_properties_panel_neither_lists_the_card_nor_changes_its_width(desk):
    desk.build("Beside the properties.")
    desk.wait_for_card("Your clip will play here")
    width = desk.card.bounding_box()["width"]
    # Nodes 2.0 shows the name of the pack on the node itself.
    named = desk.page.get_by_text("sora2pro", exact=True).locator("visible=true")
    shown = named.count()
    desk.page.evaluate(f"() => window.app.canvas.selectNode({CLIP_NODE}, false)")
    desk.page.get_by_role("button", name=PROPERTIES).click()
    desk.page.get_by_role("tab", name="Parameters").click()
    desk.page.wait_for_timeout(500)
    desk.snap("properties")
    listed = named.count() - shown
    desk.page.evaluate("() => window.app.canvas.deselectAllNodes()")
    desk.page.get_by_role("button", name=PROPERTIES).or_(desk.page.get_by_role("button", name="Close")).first.click()
    desk.page.wait_for_timeout(500)
    assert listed == 0
    assert desk.card.bounding_box()["width"] == pytest.approx(width, abs=2)


@on(*EVERYWHERE)
def test_a_second_run_on_the_same_page_looks_like_the_first(desk):
    desk.build(f"Twice on {desk.name}.", rehearse=True)
    desk.run()
    desk.wait_for_phase("done")
    desk.site.wait_until_idle()
    size = desk.node_size()
    desk.page.evaluate(f"() => {{ {CLIP_NODE}.widgets.find((w) => w.name === 'rehearse').value = false; }}")
    request = desk.buy()
    desk.wait_for_card("Queued at RunComfy")
    desk.page.wait_for_timeout(500)
    desk.snap("second-run")
    said = desk.page.get_by_text("Queued at RunComfy, position 1").locator("visible=true").count()
    during = desk.node_size()
    desk.site.emulator.release(request.request_id)
    desk.wait_for_phase("done")
    assert said == 1
    assert during == size == desk.node_size()


@on(*ONE_OF_EACH)
def test_a_second_tab_learns_how_a_run_goes_on_without_a_reload(desk):
    desk.build(f"In two tabs on {desk.name}.")
    request = desk.buy()
    desk.wait_for_card("Queued at RunComfy")
    other = Desk(desk.site, desk.context, desk.renderer)
    other.open()
    other.load(desk.serialized())
    other.wait_for_card("Queued at RunComfy")
    desk.site.emulator.release(request.request_id)
    other.wait_for_phase("done")
    assert other.clip()["duration"] == 4
    other.snap("second-tab")
    other.page.close()
    assert other.complaints == []


@on(*ONE_OF_EACH)
def test_a_run_that_a_restart_of_comfyui_ended_is_said_to_be_over_and_another_run_is_free(desk):
    desk.build(f"Through a restart on {desk.name}.")
    request = desk.buy()
    known, charges = len(desk.site.emulator.requests), desk.site.emulator.charges
    desk.wait_for_card("Queued at RunComfy")
    desk.site.comfyui.restart()
    desk.wait_for_card("ComfyUI was restarted")
    desk.wait_for_card("at no new charge")
    assert request.request_id in desk.card.inner_text()
    desk.snap("restarted")
    desk.run()
    desk.wait_for_card("Queued at RunComfy")
    desk.site.emulator.release(request.request_id)
    desk.wait_for_phase("done")
    assert len(desk.site.emulator.requests) == known
    assert desk.site.emulator.charges == charges
    desk.forgive()


@on(*ONE_OF_EACH)
def test_the_id_on_a_failed_batch_is_that_of_the_clip_that_failed_and_the_others_play(desk):
    emulator, known = desk.site.emulator, len(desk.site.emulator.requests)
    desk.build(f"One of two fails on {desk.name}.", max_clips=2)
    desk.page.evaluate(ANOTHER_PICTURE)
    desk.run()
    emulator.wait_until(lambda: len(emulator.requests) == known + 2)
    desk.wait_for_card("Clip 1: Queued")
    desk.wait_for_card("Clip 2: Queued")
    shown = desk.card.locator("code").inner_text()
    bad = next(one.request_id for one in emulator.requests[known:] if one.request_id != shown)
    emulator.release(shown)
    emulator.release(bad, State.FAILED, "The moderation system rejected the picture.")
    desk.wait_for_phase("failed")
    desk.close_dialogs()
    assert desk.card.locator("code").inner_text() == bad
    assert desk.card.locator("progress").evaluate("(bar) => bar.value") == 0
    desk.snap("batch-failed")
    desk.card.get_by_role("button", name="Next clip").click()
    assert desk.clip()["duration"] == 4
    assert desk.card.locator("code").inner_text() == shown
    desk.snap("batch-failed-other-clip")


@on(("latest", "vue"))
def test_a_batch_that_is_delivered_in_part_plays_what_came_and_says_what_did_not(desk):
    emulator, known = desk.site.emulator, len(desk.site.emulator.requests)
    desk.build(f"In part on {desk.name}.", max_clips=2, if_a_clip_fails="deliver the others")
    desk.page.evaluate(ANOTHER_PICTURE)
    desk.run()
    emulator.wait_until(lambda: len(emulator.requests) == known + 2)
    desk.wait_for_card("Clip 1: Queued")
    desk.wait_for_card("Clip 2: Queued")
    first = desk.card.locator("code").inner_text()
    second = next(one.request_id for one in emulator.requests[known:] if one.request_id != first)
    emulator.release(first, State.FAILED, "The moderation system rejected the picture.")
    emulator.release(second)
    desk.wait_for_phase("done")
    desk.page.get_by_text("Not every clip arrived", exact=True).wait_for()
    desk.wait_for_card("The moderation system rejected the picture.")
    assert desk.card.locator("code").inner_text() == first
    desk.snap("delivered-in-part")
    desk.card.get_by_role("button", name="Next clip").click()
    assert desk.clip()["duration"] == 4
    assert desk.card.locator("code").inner_text() == second


@on(*ONE_OF_EACH)
def test_inside_of_a_subgraph_the_state_follows_the_node(desk):
    desk.build(f"Within a subgraph on {desk.name}.")
    desk.page.evaluate(f"() => {{ window.outer = window.app.graph.convertToSubgraph(new Set([{CLIP_NODE}])).node; }}")
    request = desk.buy()
    desk.site.emulator.release(request.request_id)
    desk.page.evaluate("() => window.app.canvas.openSubgraph(window.outer.subgraph, window.outer)")
    desk.wait_for_phase("done")
    assert desk.clip()["duration"] == 4
    desk.snap("subgraph")
    desk.page.evaluate("() => window.app.canvas.setGraph(window.app.graph)")


OUTER_BADGES = "() => window.outer.badges.map((badge) => (typeof badge === 'function' ? badge() : badge).text)"


@on(*EVERYWHERE)
def test_the_node_of_a_subgraph_says_price_and_state_and_takes_no_clip_for_a_picture(desk):
    desk.build(f"Seen from outside on {desk.name}.")
    desk.page.evaluate(
        f"""() => {{
          window.outer = window.app.graph.convertToSubgraph(new Set([{CLIP_NODE}])).node;
          const inner = window.outer.subgraph.nodes.find((node) => node.comfyClass === "Sora2ProImageToVideo");
          const input = inner.inputs.find((one) => one.name === "seconds");
          window.outer.subgraph.addInput("seconds", input.type).connect(input, inner);
          window.outer.widgets.find((widget) => widget.name === "seconds").value = 8;
        }}"""
    )
    desk.page.wait_for_function(f"({OUTER_BADGES})().includes('$2.40')")
    request = desk.buy()
    desk.page.wait_for_function(f"({OUTER_BADGES})().some((text) => text.includes('Queued'))")
    if desk.renderer == "vue":
        desk.page.locator(".lg-node").get_by_text("Queued at RunComfy").wait_for()
    desk.snap("outer-node-working")
    desk.site.emulator.release(request.request_id)
    desk.site.wait_until_idle()
    desk.page.wait_for_function(f"({OUTER_BADGES})().at(-1) === ''")
    desk.page.wait_for_function(f"({OUTER_BADGES})().includes('already bought: Run is free')")
    if desk.renderer == "vue":
        desk.page.locator(".lg-node").get_by_text("already bought: Run is free").wait_for()
        desk.page.locator(".lg-node").get_by_text("Queued at RunComfy").wait_for(state="hidden")
    desk.page.wait_for_timeout(1000)
    desk.snap("outer-node-done")
    assert request.body["seconds"] == 8
    assert desk.page.get_by_text("Image failed to load").count() == 0
    if desk.name == "latest-vue":
        assert desk.page.locator(".lg-node video").evaluate_all("(all) => all.some((one) => one.videoWidth > 0)")


@on(*ONE_OF_EACH)
def test_stop_says_that_nothing_is_charged_and_the_ledger_agrees(desk):
    charges = desk.site.emulator.charges
    desk.build(f"To be stopped on {desk.name}.")
    request = desk.buy()
    desk.wait_for_card("Queued at RunComfy")
    desk.stop()
    desk.wait_for_phase("stopped")
    desk.wait_for_card("Nothing is charged for it.")
    desk.snap("stopped")
    assert desk.state_of(request) is State.CANCELLED
    assert request.request_id in desk.card.inner_text()
    assert desk.site.emulator.charges == charges


@on(*ONE_OF_EACH)
def test_an_error_is_readable_on_the_node_to_its_last_word(desk):
    desk.build(f"To be refused on {desk.name}.")
    request = desk.buy()
    desk.site.emulator.release(request.request_id, State.FAILED, "The moderation system rejected the picture.")
    desk.wait_for_phase("failed")
    desk.close_dialogs()
    desk.wait_for_card("The moderation system rejected the picture.")
    note = desk.card.get_by_role("alert")
    assert request.request_id in note.inner_text()
    note.evaluate("(element) => element.scrollTo(0, element.scrollHeight)")
    assert note.evaluate("(e) => e.scrollTop + e.clientHeight >= e.scrollHeight - 1 && e.scrollWidth <= e.clientWidth")
    note.evaluate("(element) => element.scrollTo(0, 0)")
    desk.snap("failed")


@on(*EVERYWHERE)
def test_markup_in_runcomfys_words_is_read_and_never_becomes_a_part_of_the_page(desk):
    """ComfyUI inserts a node's progress text as HTML, and shows it on the node of that id in any workflow that is open."""
    emulator = desk.site.emulator
    desk.build(f"With markup on {desk.name}.")
    mine = desk.serialized()
    request = desk.buy()
    desk.wait_for_card("Queued at RunComfy")
    emulator.inject(Fault(Call.STATUS, "503", times=None, message=f"We are busy {MARKUP}", retry_after="1"))
    desk.wait_for_card("onerror=")
    desk.wait_for_card("Trying again in")

    desk.page.evaluate(
        "(workflow) => window.app.loadGraphData(workflow)",
        desk.page.evaluate(OF_ANOTHER_WORKFLOW, [str(uuid.uuid4()), [node["id"] for node in mine["nodes"]]]),
    )
    desk.page.get_by_text("RunComfy did not answer as expected. Trying again in").first.wait_for()
    desk.snap("markup-elsewhere")
    emulator.clear_faults()
    emulator.release(request.request_id, State.FAILED, f"Refused {MARKUP}")
    desk.site.wait_until_idle()
    desk.close_dialogs()

    desk.load(mine)
    desk.wait_for_phase("failed")
    desk.wait_for_card("Refused <img src=x onerror=")
    row = desk.open_panel().locator(".s2p-row", has_text="With markup on").first
    row.get_by_text("onerror=").first.wait_for()
    desk.snap("markup")
    assert desk.page.locator("img[src='x']").count() == 0
    assert desk.page.evaluate("() => window.ranInThePage") is None


@on(("latest", "litegraph"))
def test_an_error_before_anything_is_sent_stays_on_the_node_after_a_reload(desk):
    requests_before = len(desk.site.emulator.requests)
    desk.build("Two pictures.", image_url="https://example.com/a.png")
    desk.run()
    desk.wait_for_card("Both 'image' and 'image_url' are given.")
    desk.reload()
    desk.wait_for_card("Nothing was sent to RunComfy and nothing was charged.")
    assert len(desk.site.emulator.requests) == requests_before


@on(("latest", "litegraph"))
def test_a_rehearsal_plays_on_the_node_also_after_a_reload(desk):
    charges = desk.site.emulator.charges
    desk.build("For free.", rehearse=True)
    desk.wait_for_badge("free rehearsal")
    desk.run()
    desk.wait_for_phase("done")
    assert desk.clip()["duration"] == 4
    desk.reload()
    desk.wait_for_phase("done")
    assert desk.clip()["duration"] == 4
    assert desk.site.emulator.charges == charges


@on(("latest", "litegraph"))
def test_an_answer_of_the_history_that_comes_late_does_not_hide_the_clip(desk):
    desk.build("Of a slow history.", rehearse=True)
    desk.run()
    desk.wait_for_phase("done")
    # A page that has just loaded knows the clip by ComfyUI's history alone.
    desk.reload()
    desk.wait_for_phase("done")
    desk.clip()
    desk.page.evaluate(
        f"""async () => {{
            const {{api, graph}} = window.app;
            const node = {CLIP_NODE};
            const [known] = (await (await api.fetchApi("/sora2pro/nodes")).json()).nodes.slice(-1);
            const outputs = (await (await api.fetchApi("/history/" + known.prompt_id)).json())[known.prompt_id].outputs;
            let answer;
            const fetchApi = api.fetchApi.bind(api);
            const isAsked = new Promise((asked) => {{
                api.fetchApi = (route, ...rest) => {{
                    if (!route.startsWith("/history/")) return fetchApi(route, ...rest);
                    asked();
                    return new Promise((end) => (answer = () => end(new Response("{{}}"))));
                }};
            }});
            node.widgets.find((one) => one.name === "sora2pro").element.querySelector("video").removeAttribute("src");
            const detail = {{...known, prompt_id: "later", run: known.run + 1}};
            api.dispatchEvent(new CustomEvent("sora2pro.progress", {{detail}}));
            await isAsked;
            node.onExecuted(structuredClone(outputs[node.id]));
            await new Promise(requestAnimationFrame);
            answer();
            api.fetchApi = fetchApi;
        }}"""
    )
    desk.page.wait_for_timeout(500)
    assert desk.clip()["duration"] == 4


@on(("bundled", "litegraph"), ("latest", "vue"))
def test_a_ready_clip_is_told_and_a_hidden_page_calls_the_user_back_for_a_new_one_alone(desk):
    desk.page.evaluate(
        """() => {
            window.told = [];
            window.Notification = class extends EventTarget {
                static permission = "granted";
                constructor(title, options) { super(); window.told.push(`${title}. ${options.body}`); }
            };
            Object.defineProperty(document, "hidden", {get: () => true, configurable: true});
            return window.app.extensionManager.setting.set("RunComfy.Sora2Pro.Notify", true);
        }"""
    )
    desk.build("Of a long wait.")
    request = desk.buy()
    desk.wait_for_card("Queued at RunComfy")
    desk.site.emulator.release(request.request_id)
    desk.page.get_by_text("The clip is ready", exact=True).wait_for()
    desk.snap("told")
    told = desk.page.evaluate("() => window.told")
    assert told == ["RunComfy: The clip is ready. RunComfy charged $1.20 for it."]

    # Another number of frames, or ComfyUI would not run the node at all.
    desk.build("Of a long wait.", frame_load_cap=2)
    desk.page.get_by_text("The clip is ready", exact=True).wait_for(state="hidden")
    desk.run()
    desk.page.get_by_text("The clip is ready", exact=True).wait_for()
    assert desk.page.evaluate("() => window.told") == told
    # The other tests of this place get the same page.
    desk.page.evaluate(
        """() => {
            delete document.hidden;
            return window.app.extensionManager.setting.set("RunComfy.Sora2Pro.Notify", false);
        }"""
    )


@on(("latest", "vue"))
def test_stale_and_foreign_events_change_nothing(desk):
    workflow_id = desk.build("Of events.")
    node = desk.page.evaluate(f"() => String({CLIP_NODE}.id)")
    tell = "([detail]) => window.app.api.dispatchEvent(new CustomEvent('sora2pro.progress', {detail}))"

    def event(text, **changes):
        clip = {"kind": "queued", "text": text, "fraction": 0, "request_id": None}
        place = {"node": node, "prompt_id": "p2", "workflow_id": workflow_id, "run": 2000, "step": 1, "at": 1}
        return {**place, "phase": "working", "message": "", "clips": [clip], **changes}

    desk.page.evaluate(tell, [event("Mine")])
    desk.wait_for_card("Mine")
    for wrong in (
        event("Not mine", run=1000, step=99, prompt_id="p1"),
        event("Not mine", run=3000, node="4711"),
        event("Not mine", run=3000, workflow_id=str(uuid.uuid4())),
        event("Not mine", run=3000, workflow_id=None),
        {"nonsense": True},
        None,
    ):
        desk.page.evaluate(tell, [wrong])
    desk.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert "Not mine" not in desk.card.inner_text()
    assert "Mine" in desk.card.inner_text()
