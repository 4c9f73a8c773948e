"""What ComfyUI does not run at all is explained where one looks: on the node."""

from browser.places import ONE_OF_EACH, on

SET_PROMPT = """(text) => {
  const node = window.app.graph.nodes.find((one) => one.comfyClass === 'Sora2ProImageToVideo');
  const widget = node.widgets.find((one) => one.name === 'prompt');
  widget.value = text;
  widget.callback?.(text);
}"""


@on(*ONE_OF_EACH)
def test_an_empty_prompt_is_explained_on_the_card_until_the_node_runs(desk):
    charges = len(desk.site.emulator.ledger)
    desk.build("", rehearse=True)
    desk.run()
    desk.wait_for_card("The prompt is empty.")
    desk.wait_for_card("Not run")
    desk.close_dialogs()
    desk.snap("refusal-empty-prompt")
    desk.page.evaluate(SET_PROMPT, "A gull.")
    desk.run()
    desk.wait_for_phase("done")
    desk.page.evaluate(SET_PROMPT, "")
    desk.run()
    desk.wait_for_card("The prompt is empty.")
    desk.close_dialogs()
    desk.page.evaluate(SET_PROMPT, "A gull.")
    desk.run()
    desk.wait_for_phase("done")
    assert len(desk.site.emulator.ledger) == charges
    desk.forgive()
