"""The jobs panel: what it lists, and that what it does is so at RunComfy."""

import re
import sqlite3

import pytest
from browser.desk import ANY_JOBS
from browser.places import ONE_OF_EACH, on
from emulator import Call, Fault, State

FOCUSED = "() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText"
LINES_OF_SEED = """(facts) => {
  const walk = document.createTreeWalker(facts, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const found = /seed \\d+/.exec(walk.currentNode.data);
    if (!found) continue;
    const range = document.createRange();
    range.setStart(walk.currentNode, found.index);
    range.setEnd(walk.currentNode, found.index + found[0].length);
    return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
  }
  return 0;
}"""
CUT_OFF = """(panel) => {
  const { left, right } = panel.getBoundingClientRect();
  return [...panel.querySelectorAll('*')].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && (box.left < left - 1 || box.right > right + 1);
  }).map((element) => `${element.className} ${element.textContent}`);
}"""


def open_empty_panel(desk):
    """The panel, once it has had its first answer, on a journal without jobs."""
    desk.site.empty_journal()
    panel = desk.open_panel()
    panel.locator(".s2p-row, .s2p-empty:visible").first.wait_for()
    return panel


def changed(*changes):
    """Lets the page have the server's answer with its first jobs changed so, as ones of another kind would be."""

    def answer(route):
        response = route.fetch()
        if response.status != 200:  # 304: nothing new
            route.fulfill(response=response)
            return
        page = response.json()
        for job, change in zip(page["jobs"], changes, strict=False):
            job.update(change)
        route.fulfill(response=response, json=page)

    return answer


def leave(desk, prompt):
    """A clip that is bought and waits at RunComfy."""
    desk.build(prompt)
    request = desk.buy()
    desk.wait_for_card("Queued at RunComfy")
    return request


def fill(desk, count):
    """Old jobs that were never sent, as a year of work leaves them."""
    rows = [(f"filled{n}", f"Old clip number {n}", n, n) for n in range(count)]
    with sqlite3.connect(desk.site.state_dir / "journal.sqlite3", timeout=30) as connection:
        connection.executemany(
            "INSERT INTO jobs (fingerprint, state, model_id, prompt, size, seconds, seed, created_at, updated_at) "
            "VALUES (?, 'prepared', 'm', ?, '1280x720', 4, '0', ?, ?)",
            rows,
        )


@on(*ONE_OF_EACH)
def test_an_empty_panel_explains_itself_and_a_run_appears_in_it_by_itself(desk):
    desk.site.empty_journal()
    panel = desk.open_panel()
    panel.get_by_text("No clips yet.").wait_for()
    desk.snap("panel-empty")
    request = leave(desk, f"A whale, live on {desk.name}.")
    row = desk.row("A whale, live")
    row.get_by_text("running", exact=True).wait_for()
    desk.site.emulator.release(request.request_id)
    row.get_by_text("saved", exact=True).wait_for()
    row.locator("img").wait_for()
    desk.wait_for_picture(row)
    assert "1280\N{MULTIPLICATION SIGN}720 · 4 s · seed 0 · $1.20" in row.inner_text()
    panel.get_by_text("$1.20").first.wait_for()
    row.get_by_role("button", name="Play job-").click()
    player = row.locator("video")
    player.wait_for()
    desk.page.wait_for_function("(v) => v.readyState >= 1", arg=player.element_handle())
    assert player.evaluate("(v) => v.duration") == 4
    desk.snap("panel-playing")
    with desk.page.expect_download() as download:
        row.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == f"sora2pro_{request.request_id}.mp4"


@on(*ONE_OF_EACH)
def test_cancel_asks_twice_and_is_in_the_ledger(desk):
    charges = desk.site.emulator.charges
    desk.open_panel()
    request = leave(desk, f"To be cancelled in the panel on {desk.name}.")
    row = desk.row("To be cancelled in the panel")
    row.get_by_role("button", name="Cancel").click()
    assert desk.state_of(request) is State.QUEUED
    row.get_by_role("button", name="Confirm cancel").click()
    row.get_by_text("cancelled", exact=True).wait_for()
    assert desk.state_of(request) is State.CANCELLED
    assert desk.site.emulator.charges == charges
    desk.wait_for_phase("stopped")
    desk.wait_for_card("Nothing was charged for it.")
    assert desk.page.locator(".p-dialog-mask, [role=dialog]").count() == 0
    assert desk.page.get_by_text("threw an error").count() == 0
    desk.snap("panel-cancelled")


@on(("latest", "vue"))
def test_a_clip_deleted_by_hand_is_said_to_be_gone_and_collected_without_a_charge(desk):
    desk.open_panel()
    request = leave(desk, "To be deleted by hand.")
    desk.site.emulator.release(request.request_id)
    row = desk.row("To be deleted by hand")
    row.get_by_text("saved", exact=True).wait_for()
    charges = desk.site.emulator.charges
    (desk.site.comfyui.base / "output" / "sora2pro" / f"sora2pro_{request.request_id}.mp4").unlink()
    row.get_by_text("file missing").wait_for()
    desk.snap("panel-file-gone")
    row.get_by_role("button", name="Collect").click()
    row.get_by_text("saved", exact=True).wait_for()
    assert desk.site.emulator.charges == charges


@on(("latest", "vue"))
def test_an_uncertain_job_adopts_the_id_that_was_found_and_another_is_released(desk):
    desk.open_panel()
    emulator = desk.site.emulator
    known, charges = len(emulator.requests), emulator.charges
    for prompt in ("Lost on the way.", "Lost for good."):
        emulator.inject(Fault(Call.SUBMIT, "reset", after_accept=True))
        desk.build(prompt)
        desk.run()
        desk.wait_for_phase("failed")
        desk.close_dialogs()
    row = desk.row("Lost on the way")
    row.get_by_text("needs you", exact=True).wait_for()
    desk.snap("panel-uncertain")
    row.get_by_role("textbox").fill("no such request")
    row.get_by_role("button", name="Adopt").click()
    desk.page.get_by_text("neither a request id nor a job").first.wait_for()
    lost = emulator.requests[known].request_id
    row.get_by_role("textbox").fill(lost)
    row.get_by_role("button", name="Adopt").click()
    row.get_by_role("button", name="Collect").click()
    row.get_by_text("Queued at RunComfy").wait_for()
    emulator.release(lost)
    row.get_by_text("saved", exact=True).wait_for()
    other = desk.row("Lost for good")
    other.get_by_role("button", name="Release").click()
    other.get_by_role("button", name="Release: Run buys again").click()
    other.get_by_text("needs you, released").wait_for()
    assert emulator.charges == charges + 2


@on(*ONE_OF_EACH)
def test_keys_pressed_in_the_panel_leave_the_nodes_alone(desk):
    desk.open_panel()
    leave(desk, f"To be kept on {desk.name}.")
    node = "window.app.graph.nodes.find((node) => node.comfyClass === 'Sora2ProImageToVideo')"
    desk.page.evaluate(f"() => window.app.canvas.selectNode({node}, false)")
    place = desk.page.evaluate(f"() => [...{node}.pos]")
    desk.row("To be kept").get_by_role("button").last.focus()
    for key in ("Delete", "Backspace", "ArrowDown", "ArrowLeft"):
        desk.page.keyboard.press(key)
    desk.page.wait_for_timeout(300)
    assert desk.page.evaluate(f"() => [...({node}?.pos ?? [])]") == place
    desk.stop()
    desk.wait_for_phase("stopped")


@on(*ONE_OF_EACH)
def test_a_job_that_is_asked_about_again_says_so_and_keeps_its_buttons(desk):
    desk.open_panel()
    request = leave(desk, f"To be asked about on {desk.name}.")
    desk.site.emulator.release(request.request_id, State.FAILED, "The picture was refused.")
    desk.wait_for_phase("failed")
    desk.close_dialogs()
    row = desk.row("To be asked about")
    row.get_by_role("button", name="Check again").click()
    row.get_by_text("RunComfy was asked again and still says that it failed.").wait_for()
    row.get_by_role("button", name="Check again").wait_for()
    desk.snap("panel-asked-again")


@on(("latest", "vue"))
def test_a_row_shows_what_became_of_it_when_its_id_was_sent_with_enter(desk):
    desk.open_panel()
    emulator = desk.site.emulator
    known = len(emulator.requests)
    emulator.inject(Fault(Call.SUBMIT, "reset", after_accept=True))
    desk.build("Adopted with Enter.")
    desk.run()
    desk.wait_for_phase("failed")
    desk.close_dialogs()
    row = desk.row("Adopted with Enter")
    row.get_by_role("button", name="Adopt").click()
    assert row.get_by_role("textbox").evaluate("(field) => field.matches(':invalid')")
    row.get_by_role("textbox").fill(emulator.requests[known].request_id)
    row.get_by_role("textbox").press("Enter")
    row.get_by_role("button", name="Collect").wait_for()
    assert row.get_by_role("textbox").count() == 0


@on(*ONE_OF_EACH)
def test_takes_are_told_apart_by_their_seed_and_found_and_the_list_is_narrowed(desk):
    desk.site.empty_journal()
    panel = desk.open_panel()
    for seed in (77, 78):
        desk.build(f"The same words on {desk.name}.", seed=seed)
        request = desk.buy()
        desk.wait_for_card("Queued at RunComfy")
        if seed == 77:
            desk.site.emulator.release(request.request_id)
            desk.wait_for_phase("done")
    rows = panel.locator(".s2p-row")
    rows.nth(1).wait_for()
    desk.row("seed 77").get_by_text("saved", exact=True).wait_for()
    name = desk.row("seed 77").locator(".s2p-facts").inner_text().split(" ")[0]
    desk.snap("panel-two-takes")
    for text in ("seed 77", name):
        panel.get_by_role("searchbox").fill(text)
        rows.nth(1).wait_for(state="detached")
        assert "seed 77" in rows.first.inner_text()
        panel.get_by_role("searchbox").fill("1280\N{MULTIPLICATION SIGN}720")
        rows.nth(1).wait_for()
    panel.get_by_label("Show jobs in state").select_option("Running")
    rows.nth(1).wait_for(state="detached")
    assert "seed 78" in rows.first.inner_text()
    desk.snap("panel-narrowed")
    desk.stop()
    desk.wait_for_phase("stopped")
    panel.get_by_text("No job matches “1280").wait_for()
    panel.get_by_label("Show jobs in state").select_option("All states")
    panel.get_by_role("searchbox").fill("")
    rows.nth(1).wait_for()


@on(("latest", "vue"))
def test_two_tabs_collect_the_same_job_once(desk):
    desk.open_panel()
    request = leave(desk, "For two tabs.")
    desk.site.comfyui.restart()
    desk.reload()
    desk.open_panel()
    downloads = len(desk.site.emulator.seen(Call.DOWNLOAD))
    answers = desk.page.evaluate(
        """async (search) => {
          const ask = (path, options) => window.app.api.fetchApi(`/sora2pro${path}`, options).then((r) => r.json());
          const {jobs: [job]} = await ask(`/jobs?search=${encodeURIComponent(search)}`);
          const collect = () => ask(`/jobs/${job.id}/collect`, {method: 'POST', headers: {'X-Sora2Pro': '1'}, body: '{}'});
          return Promise.all([collect(), collect()]);
        }""",
        "For two tabs.",
    )
    assert [answer["job"]["state"] for answer in answers] == ["submitted", "submitted"]
    desk.site.emulator.release(request.request_id)
    desk.row("For two tabs").get_by_text("saved", exact=True).wait_for()
    assert len(desk.site.emulator.seen(Call.DOWNLOAD)) == downloads + 1


@on(*ONE_OF_EACH)
def test_a_status_node_for_a_job_is_put_on_the_canvas_and_its_run_costs_nothing(desk):
    desk.open_panel()
    request = leave(desk, f"To be looked at on {desk.name}.")
    desk.site.emulator.release(request.request_id)
    row = desk.row("To be looked at")
    row.get_by_text("saved", exact=True).wait_for()
    charges = desk.site.emulator.charges
    row.get_by_role("button", name="Add a status node").click()
    values = desk.page.evaluate(
        "() => window.app.graph.nodes.find((n) => n.comfyClass === 'Sora2ProStatus').widgets.slice(0, 2).map((w) => w.value)"
    )
    assert values == [request.request_id, "check"]
    desk.run()
    desk.page.locator(".s2p-card", has_text="is downloaded. 1280x720, 4 s.").first.wait_for()
    desk.snap("panel-status-node")
    assert desk.site.emulator.charges == charges


@on(*ONE_OF_EACH)
def test_what_is_searched_for_is_shown_from_the_first_row_on(desk):
    panel = open_empty_panel(desk)
    fill(desk, 120)
    panel.get_by_text("Old clip number 119", exact=True).wait_for()
    panel.get_by_role("button", name="Show older jobs").click()
    last = panel.locator(".s2p-row").nth(99)
    last.wait_for(state="attached")
    for _ in range(3):  # rows get their height when they come into view
        last.scroll_into_view_if_needed()
        desk.page.wait_for_timeout(300)
    panel.get_by_role("searchbox").fill("number 1")
    panel.get_by_text("Old clip number 99", exact=True).wait_for(state="detached")
    desk.page.wait_for_timeout(300)
    desk.snap("panel-searched-from-below")
    first = panel.get_by_text("Old clip number 119", exact=True).bounding_box()
    head = panel.locator(".s2p-header").bounding_box()
    assert first["y"] >= head["y"] + head["height"]
    panel.get_by_role("searchbox").fill("")
    desk.site.empty_journal()


@on(*ONE_OF_EACH)
def test_the_name_of_another_machine_and_a_long_seed_are_read_whole(desk):
    panel = open_empty_panel(desk)
    there = {"at_work_on": "render-07.vfx.example.studio", "state": "submitted", "seed": "496108327626441"}
    elsewhere = {"file_on": "render-07.vfx.example.studio", "state": "downloaded", "actions": ["collect"]}
    desk.page.route(ANY_JOBS, changed(there, elsewhere))
    fill(desk, 2)
    panel.get_by_text("at work on render-07.vfx.example.studio", exact=True).wait_for()
    desk.snap("panel-other-machines")
    for name in ("at work on render-07.vfx.example.studio", "file on render-07.vfx.example.studio"):
        place = panel.get_by_text(name, exact=True)
        assert place.evaluate("(element) => element.scrollWidth <= element.clientWidth")
        below = desk.row(name).locator(".s2p-remark, .s2p-actions").first.bounding_box()
        assert place.bounding_box()["y"] + place.bounding_box()["height"] <= below["y"]
    assert panel.locator(".s2p-facts").first.evaluate(LINES_OF_SEED) == 1
    desk.page.unroute(ANY_JOBS)
    desk.site.empty_journal()


@on(*ONE_OF_EACH)
def test_in_a_window_of_700_pixels_nothing_of_the_panel_is_cut_off(desk):
    panel = open_empty_panel(desk)
    lost = {"state": "uncertain", "actions": ["adopt", "release"], "reason": "The connection was closed."}
    desk.page.route(ANY_JOBS, changed(lost, lost))
    fill(desk, 3)
    panel.get_by_role("textbox", name="Request id for").first.wait_for()
    panel.get_by_role("button", name="More for").first.click()
    desk.page.set_viewport_size({"width": 700, "height": 900})
    desk.page.wait_for_timeout(500)
    desk.snap("panel-700")
    assert panel.evaluate(CUT_OFF) == []
    assert panel.get_by_text("Old clip number 2", exact=True).bounding_box()["width"] >= 90
    assert panel.get_by_role("textbox", name="Request id for").first.bounding_box()["width"] >= 90
    desk.page.set_viewport_size({"width": 1400, "height": 900})
    desk.page.unroute(ANY_JOBS)
    desk.site.empty_journal()


@on(("latest", "vue"))
def test_an_older_row_is_followed_while_its_clip_is_collected_and_what_was_pressed_once_waits_for_the_second_press(
    desk,
):
    panel = open_empty_panel(desk)
    request = leave(desk, "Further down.")
    panel.get_by_text("Further down.", exact=True).wait_for()
    fill(desk, 60)
    panel.get_by_text("Old clip number 59", exact=True).wait_for()
    panel.get_by_role("button", name="Show older jobs").click()
    row = desk.row("Further down.")
    row.get_by_role("button", name="Collect").click()
    row.locator(".s2p-remark").wait_for()
    cancel = row.get_by_role("button", name=re.compile("^Cancel"))
    cancel.click()
    desk.page.wait_for_timeout(3000)
    row.get_by_role("button", name="Confirm cancel").wait_for(timeout=100)
    cancel.click()
    desk.site.emulator.release(request.request_id)
    row.get_by_role("button", name="Play").wait_for()
    desk.wait_for_phase("done")
    desk.site.empty_journal()


@on(("latest", "vue"))
def test_ten_thousand_jobs_are_searched_and_paged(desk):
    panel = desk.open_panel()
    panel.locator(".s2p-row, .s2p-empty:visible").first.wait_for()
    fill(desk, 10_000)
    panel.get_by_text("Old clip number 9999", exact=True).wait_for()
    assert panel.locator(".s2p-row").count() == 50
    panel.get_by_role("button", name="Show older jobs").click()
    panel.locator(".s2p-row").nth(99).wait_for(state="attached")
    panel.get_by_role("searchbox").fill("number 4711")
    panel.get_by_text("Old clip number 4711", exact=True).wait_for()
    panel.locator(".s2p-row").nth(1).wait_for(state="detached")
    panel.get_by_role("searchbox").fill("no such thing")
    panel.get_by_text("No job matches “no such thing”.").wait_for()
    panel.get_by_role("searchbox").fill("")
    panel.get_by_text("Old clip number 9999", exact=True).wait_for()
    desk.site.empty_journal()


@on(("latest", "vue"))
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"status": 404, "body": "404: Not Found"}, "older than this page"),
        ({"status": 503, "json": {"error": "The journal cannot be used."}}, "The journal cannot be used."),
        (None, "ComfyUI's server cannot be reached."),
    ],
    ids=["older pack", "journal unavailable", "unreachable"],
)
def test_a_panel_without_its_server_says_why_and_comes_back_by_itself(desk, answer, sentence):
    panel = desk.open_panel()
    desk.page.route(ANY_JOBS, lambda route: route.fulfill(**answer) if answer else route.abort())
    panel.get_by_text(sentence).wait_for()
    desk.page.unroute(ANY_JOBS)
    panel.get_by_text(sentence).wait_for(state="hidden")
    desk.forgive()


@on(("latest", "vue", "light"))
def test_the_panel_is_walked_with_the_keyboard_and_readable_at_200_percent_in_light(desk):
    desk.site.empty_journal()
    panel = desk.open_panel()
    request = leave(
        desk, "With the keyboard alone, and with a prompt that is long enough to need a second line in the panel."
    )
    desk.site.emulator.release(request.request_id)
    row = desk.row("With the keyboard alone")
    row.get_by_text("saved", exact=True).wait_for()
    desk.wait_for_picture(row)
    panel.get_by_role("searchbox").focus()
    seen = []
    for key in ("Tab", "Tab", *6 * ["ArrowRight"], "Tab"):
        desk.page.keyboard.press(key)
        seen.append(desk.page.evaluate(FOCUSED))
    assert seen[0] == "Show jobs in state"
    name = seen[1].removeprefix("Play ")
    assert name.startswith("job-")
    assert seen[1:7] == [
        f"Play {name}",
        f"Use again {name}",
        f"Download {name}",
        f"Copy request id of {name}",
        f"Add a status node for {name} to the canvas",
        f"More for {name}",
    ]
    assert seen[7] == seen[1]
    assert seen[8] not in seen[1:8]
    row.get_by_role("button", name="Play job-").press("Enter")
    row.locator("video").wait_for()
    desk.snap("panel")
    desk.page.set_viewport_size({"width": 700, "height": 450})
    assert panel.evaluate("(element) => element.scrollWidth <= element.clientWidth")
    desk.snap("panel-200-percent")
    desk.page.set_viewport_size({"width": 1400, "height": 900})
