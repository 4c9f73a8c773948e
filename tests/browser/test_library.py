"""The panel as a library: clips are used again, loaded, deleted, exported, and none of it spends."""

import csv
import re
from pathlib import Path

from browser.places import ONE_OF_EACH, on

BALANCE = re.compile(r"/sora2pro/balance$")
NODES = """(kind) => window.app.graph.nodes.filter((node) => node.comfyClass === kind).map((node) => ({
  values: Object.fromEntries(node.widgets.filter((one) => one.name).map((one) => [one.name, one.value])),
  box: [node.pos[0], node.pos[1] - 30, node.size[0], node.size[1] + 30],
  isSelected: window.app.canvas.selected_nodes?.[node.id] === node,
}))"""
CANVAS = """() => {
  const {left, top, width, height} = window.app.canvas.canvas.getBoundingClientRect();
  return [left, top, width, height];
}"""


def saved(desk, prompt, **widgets):
    """A clip that was bought, and its row."""
    desk.build(prompt, **widgets)
    request = desk.buy()
    desk.site.emulator.release(request.request_id)
    row = desk.row(prompt)
    row.get_by_text("saved", exact=True).wait_for()
    desk.site.wait_until_idle()
    return request, row


def reopen(desk):
    """Closes the panel and opens it again."""
    desk.page.evaluate("() => window.app.extensionManager.command.execute('Sora2Pro.ShowJobs')")
    desk.page.locator(".s2p-panel").wait_for(state="detached")
    desk.open_panel()


def overlap(one, other):
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


@on(*ONE_OF_EACH)
def test_an_empty_panel_offers_a_node_and_the_templates(desk):
    desk.site.empty_journal()
    panel = desk.open_panel()
    desk.build("Here before.")
    panel.get_by_role("button", name="Add a node").click()
    (node,) = desk.page.evaluate(NODES, "RunComfyImageToVideo")
    assert node["isSelected"]
    panel.get_by_role("button", name="Browse templates").click()
    dialog = desk.page.locator("[role=dialog]:visible, .p-dialog:visible").first
    dialog.wait_for()
    desk.snap("library-templates")
    desk.reload()


@on(*ONE_OF_EACH)
def test_a_clip_is_used_again_with_all_its_inputs_and_covers_no_node_and_nothing_is_queued(desk):
    desk.open_panel()
    _, row = saved(desk, f"To be used again on {desk.name}.", seconds=8, seed=4711)
    charges = len(desk.site.emulator.ledger)
    others = [node["box"] for kind in ("LoadImage", "Sora2ProImageToVideo") for node in desk.page.evaluate(NODES, kind)]
    row.get_by_role("button", name="Use again").click()
    desk.page.get_by_text("Connect the picture; nothing was queued.").first.wait_for()
    *_, node = desk.page.evaluate(NODES, "Sora2ProImageToVideo")
    chosen = {name: node["values"][name] for name in ("prompt", "size", "seconds", "seed", "rehearse")}
    assert chosen == {
        "prompt": f"To be used again on {desk.name}.",
        "size": "1280x720",
        "seconds": 8,
        "seed": 4711,
        "rehearse": False,
    }
    assert node["isSelected"]
    assert not any(overlap(node["box"], box) for box in others)
    desk.snap("library-used-again")
    desk.site.wait_until_idle()
    assert len(desk.site.emulator.ledger) == charges


@on(*ONE_OF_EACH)
def test_a_clip_is_loaded_by_a_button_and_by_dragging_its_row_to_the_canvas(desk):
    desk.open_panel()
    request, row = saved(desk, f"To be loaded on {desk.name}.")
    charges = len(desk.site.emulator.ledger)
    row.get_by_role("button", name="More for").click()
    row.get_by_role("button", name="Load in graph").click()
    (node,) = desk.page.evaluate(NODES, "Sora2ProStatus")
    assert (node["values"]["request_id"], node["values"]["action"]) == (request.request_id, "collect")
    left, top, width, height = desk.page.evaluate(CANVAS)
    start = row.locator(".s2p-thumb").bounding_box()
    desk.page.mouse.move(start["x"] + 20, start["y"] + 20)
    desk.page.mouse.down()
    for part in (0.4, 0.6, 0.7):
        desk.page.mouse.move(left + part * width, top + part * height, steps=5)
    desk.page.mouse.up()
    desk.page.wait_for_function(
        "() => window.app.graph.nodes.filter((n) => n.comfyClass === 'Sora2ProStatus').length === 2"
    )
    *_, dropped = desk.page.evaluate(NODES, "Sora2ProStatus")
    assert (dropped["values"]["request_id"], dropped["values"]["action"]) == (request.request_id, "collect")
    desk.snap("library-loaded")
    desk.run()
    desk.page.locator(".s2p-card", has_text="is downloaded. 1280x720, 4 s.").first.wait_for()
    assert len(desk.site.emulator.ledger) == charges


@on(*ONE_OF_EACH)
def test_a_row_says_where_its_file_is_and_deletes_it_only_when_asked_twice(desk):
    desk.open_panel()
    request, row = saved(desk, f"To be deleted in the panel on {desk.name}.")
    charges = len(desk.site.emulator.ledger)
    clip = desk.site.comfyui.base / "output" / "sora2pro" / f"sora2pro_{request.request_id}.mp4"
    row.get_by_role("button", name="More for").click()
    row.get_by_text(f"sora2pro/{clip.name}").wait_for()
    desk.snap("library-details")
    row.get_by_role("button", name="Copy file name").click()
    assert desk.page.evaluate("() => navigator.clipboard.readText()") == f"sora2pro/{clip.name}"
    row.get_by_role("button", name="Copy prompt").click()
    desk.page.get_by_text("was copied.").first.wait_for()
    assert desk.page.evaluate("() => navigator.clipboard.readText()") == f"To be deleted in the panel on {desk.name}."
    row.get_by_role("button", name="Delete file").click()
    assert clip.exists()
    row.get_by_role("button", name="Confirm delete").click()
    row.get_by_text("file missing").wait_for()
    row.get_by_text("The purchase is kept").wait_for()
    assert not clip.exists()
    row.get_by_role("button", name="Collect").click()
    row.get_by_text("saved", exact=True).wait_for()
    assert clip.exists()
    assert len(desk.site.emulator.ledger) == charges


@on(*ONE_OF_EACH)
def test_the_head_shows_the_balance_and_exports_the_spending(desk):
    panel = desk.open_panel()
    _, row = saved(desk, f"To be exported on {desk.name}.")
    assert re.fullmatch(r"Balance \$[\d.]+", panel.locator(".s2p-balance").inner_text())
    name = row.locator(".s2p-facts").inner_text().split(" ")[0]
    with desk.page.expect_download() as download:
        panel.get_by_role("link", name="Export spending as CSV").click()
    assert download.value.suggested_filename == "runcomfy-spending.csv"
    with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
        costs = {line["job"]: line["cost_usd"] for line in csv.DictReader(file)}
    assert costs[name] == "1.20"


@on(("latest", "vue"))
def test_a_balance_that_cannot_be_had_is_a_dash_and_no_alarm(desk):
    panel = desk.open_panel()
    problem = {"balance_usd": None, "problem": "RunComfy's server could not be reached."}
    desk.page.route(BALANCE, lambda route: route.fulfill(json=problem))
    reopen(desk)
    panel.get_by_text("Balance \N{EN DASH}", exact=True).wait_for()
    assert "could not be reached" in panel.locator(".s2p-balance").get_attribute("title")
    assert panel.get_by_role("alert").count() == 0
    desk.page.unroute(BALANCE)
    reopen(desk)
    panel.get_by_text("Balance $").wait_for()
