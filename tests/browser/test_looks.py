"""Card, settings and panel in much light and in little room: nothing is cut off, and words stand out from their ground."""

import pytest
from browser.places import on
from emulator import State

NARROW = {"width": 700, "height": 450}  # a window of 1400 x 900 at 200 %
WIDE = {"width": 1400, "height": 900}
CUT_OFF = """(selector) => [...document.querySelectorAll(`${selector}, ${selector} *`)]
  .filter((one) => one.checkVisibility() && one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1)
  .filter((one) => getComputedStyle(one).overflowX === 'visible' && getComputedStyle(one).display !== 'inline')
  .map((one) => `${one.className}: ${one.textContent.slice(0, 60)}`)"""
# The contrast of WCAG 2.2, 1.4.3: https://www.w3.org/TR/WCAG22/#contrast-minimum. LiteGraph paints a node's ground on its canvas,
# where it cannot be asked for: what stands on it is looked at in the pictures.
FAINT = """(selector) => {
  const rgb = (text) => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d');
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (element) => {
    let colour = [0, 0, 0, 0];
    for (let one = element; one && colour[3] < 1; one = one.parentElement) {
      const [r, g, b, a] = rgb(getComputedStyle(one).backgroundColor);
      const rest = a * (1 - colour[3]);
      colour = [colour[0] + r * rest, colour[1] + g * rest, colour[2] + b * rest, colour[3] + rest];
    }
    return colour;
  };
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const hasWords = (one) => [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  const ratio = (one) => (ground(one)[3] < 1 ? Infinity : contrast(light(rgb(getComputedStyle(one).color)), light(ground(one))));
  return [...document.querySelectorAll(`${selector}, ${selector} *`)]
    .filter((one) => one.checkVisibility() && !one.disabled && hasWords(one))
    .map((one) => [ratio(one), one.className, one.textContent.slice(0, 60)])
    .filter(([ratio]) => ratio < 4.5);
}"""

# How many pictures it gives the page cannot know before the run, so that the badge goes on naming the most there can be.
FROM_ANOTHER_NODE = """() => {
  const graph = window.app.graph, source = window.LiteGraph.createNode('EmptyImage');
  source.pos = [40, 500];
  graph.add(source);
  const clip = graph.nodes.find((node) => node.comfyClass === 'Sora2ProImageToVideo');
  source.connect(0, clip, clip.inputs.findIndex((input) => input.name === 'image'));
}"""


def looked_at(desk, kind, name):
    desk.snap(name)
    assert desk.page.evaluate(CUT_OFF, kind) == []
    assert desk.page.evaluate(FAINT, kind) == []


@pytest.fixture
def any_width(desk):
    """The window has its width again at the end."""
    yield
    desk.page.set_viewport_size(WIDE)


@on(("latest", "vue", "light"), ("bundled", "litegraph", "light"))
@pytest.mark.usefixtures("any_width")
def test_card_and_settings_are_readable_in_light_and_at_200_percent(desk):
    desk.build(f"In much light on {desk.name}.")
    desk.card.get_by_text("As it will be sent: 1280x720").wait_for()
    looked_at(desk, ".s2p-card", "looks-idle")
    request = desk.buy()
    desk.wait_for_card("Queued at RunComfy")
    looked_at(desk, ".s2p-card", "looks-queued")
    desk.site.emulator.release(request.request_id, State.FAILED, "The moderation system rejected the picture.")
    desk.wait_for_phase("failed")
    desk.close_dialogs()
    looked_at(desk, ".s2p-card", "looks-failed")
    desk.build(f"In as much light on {desk.name}.")
    desk.site.emulator.release(desk.buy().request_id)
    desk.wait_for_phase("done")
    desk.clip()
    looked_at(desk, ".s2p-card", "looks-done")
    panel = desk.open_panel()
    panel.locator(".s2p-row").first.wait_for()
    looked_at(desk, ".s2p-panel", "looks-panel")
    if desk.site.name == "latest":  # the older front end leaves the whole sidebar 128 pixels there
        desk.page.set_viewport_size(NARROW)
        looked_at(desk, ".s2p-panel", "looks-panel-200-percent")
        desk.page.set_viewport_size(WIDE)
    desk.open_settings()
    looked_at(desk, ".s2p-setting", "looks-settings")
    desk.page.set_viewport_size(NARROW)
    looked_at(desk, ".s2p-setting", "looks-settings-200-percent")
    desk.close_dialogs()


@on(("latest", "vue"), ("bundled", "vue"))
def test_a_long_badge_stays_on_the_node(desk):
    desk.build(f"With a long badge on {desk.name}.", size="auto", max_clips=64)
    desk.page.evaluate(FROM_ANOTHER_NODE)
    node = desk.page.locator(".lg-node", has=desk.card)
    badge = node.get_by_text("per clip, up to")
    badge.wait_for()
    desk.snap("looks-long-badge")
    of_badge, of_node = badge.bounding_box(), node.bounding_box()
    assert of_badge["x"] >= of_node["x"]
    assert of_badge["x"] + of_badge["width"] <= of_node["x"] + of_node["width"]
