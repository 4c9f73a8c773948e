"""The settings dialog: the token goes in and never comes out."""

import json
import stat

import requests
from browser.places import on

EVIL = "http://evil.example/"


@on(("latest", "vue"))
def test_a_token_is_typed_once_masked_checked_found_nowhere_and_forgotten(desk):
    token_file = desk.site.state_dir / "token"
    token = desk.site.emulator.token
    token_file.unlink(missing_ok=True)
    desk.record_bodies()
    desk.open_settings()
    entry = desk.page.locator(".s2p-setting", has=desk.setting("RunComfy API token"))
    entry.get_by_text("No RunComfy token is set.").wait_for()
    desk.snap("settings-no-token")

    desk.setting("RunComfy API token").fill("wrong-token-0000")
    entry.get_by_role("button", name="Save").click()
    entry.get_by_text("ends in …0000").wait_for()
    entry.get_by_role("button", name="Check").click()
    entry.get_by_text("Check the token on runcomfy.com").wait_for()
    desk.snap("settings-wrong-token")

    desk.setting("RunComfy API token").fill(token)
    entry.get_by_role("button", name="Save").click()
    entry.get_by_text(f"ends in …{token[-4:]}").wait_for()
    entry.get_by_role("button", name="Check").click()
    entry.get_by_text("The token works. Balance: $").wait_for()
    desk.snap("settings-token")
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    desk.setting("Daily spending limit (USD)").fill("500")
    desk.page.keyboard.press("Tab")
    desk.page.get_by_text("Saved.", exact=True).first.wait_for()
    assert json.loads((desk.site.state_dir / "settings.json").read_text()) == {"max_usd_per_day": 500}
    desk.close_dialogs()

    desk.build("With a token that was typed in.")
    desk.site.emulator.release(desk.buy().request_id)
    desk.wait_for_phase("done")
    desk.reload()
    kept = desk.everything_kept()
    assert "With a token that was typed in." in kept
    assert token not in kept
    assert not any(token in body for body in desk.bodies)
    assert any("/sora2pro/settings" in body for body in desk.bodies)

    desk.open_settings()
    entry.get_by_role("button", name="Delete").click()
    assert token_file.exists()
    entry.get_by_role("button", name="Confirm delete").click()
    entry.get_by_text("Token deleted.").wait_for()
    assert not token_file.exists()
    desk.setting("Daily spending limit (USD)").fill("none")
    desk.page.keyboard.press("Tab")
    desk.page.get_by_text("Saved.", exact=True).first.wait_for()
    assert json.loads((desk.site.state_dir / "settings.json").read_text()) == {"max_usd_per_day": "none"}
    desk.close_dialogs()
    token_file.write_text(token)
    desk.forgive()


@on(("bundled", "litegraph"))
def test_a_token_of_the_environment_is_shown_as_such_and_a_limit_is_refused_in_words(desk):
    settings_file = desk.site.state_dir / "settings.json"
    before = settings_file.read_text() if settings_file.exists() else None
    desk.open_settings()
    desk.page.get_by_text("It is set by the environment variable RUNCOMFY_API_TOKEN; change it there.").wait_for()
    assert desk.setting("RunComfy API token").is_hidden()
    desk.page.get_by_text("It is on this machine, in the state folder.").wait_for()
    desk.page.get_by_text("There is none: clips are in the output folder alone.").wait_for()
    field = desk.setting("Model id of the Sora 2 Pro node")
    field.fill("../etc")
    desk.page.keyboard.press("Tab")
    desk.page.get_by_text("a model id looks like openai/sora-2/pro/image-to-video").wait_for()
    desk.snap("settings-environment")
    assert (settings_file.read_text() if settings_file.exists() else None) == before
    desk.close_dialogs()
    desk.forgive()


@on(("latest", "vue"))
def test_another_site_open_in_the_same_browser_can_neither_change_nor_read_anything(desk):
    token_file = desk.site.state_dir / "token"
    token_file.write_text(desk.site.emulator.token)
    stranger = desk.context.new_page()
    stranger.route(f"{EVIL}**", lambda route: route.fulfill(body="<p>Hello.</p>", content_type="text/html"))
    stranger.goto(EVIL)
    outcome = stranger.evaluate(
        """async (comfyui) => {
          const attempt = (path, options) => fetch(`${comfyui}${path}`, options).then((r) => r.status, () => 'refused');
          const shown = (path) => new Promise((done) => {
            const image = new Image();
            image.onload = () => done('shown');
            image.onerror = () => done('refused');
            image.src = `${comfyui}${path}`;
          });
          return [
            await attempt('/sora2pro/token', {method: 'DELETE', headers: {'X-Sora2Pro': '1'}}),
            await attempt('/sora2pro/settings', {method: 'PUT', body: '{"max_parallel": 1}', headers: {'X-Sora2Pro': '1'}}),
            await attempt('/sora2pro/settings'),
            await attempt('/sora2pro/jobs'),
            await shown('/sora2pro/jobs/1/thumbnail'),
          ];
        }""",
        desk.site.url,
    )
    stranger.close()
    assert outcome == ["refused"] * 5
    assert token_file.read_text() == desk.site.emulator.token
    simple = requests.post(f"{desk.site.url}/sora2pro/token/check", headers={"Origin": EVIL.rstrip("/")}, timeout=30)
    assert simple.status_code == 403


@on(("latest", "vue"))
def test_the_installation_is_checked_at_the_press_of_a_button(desk):
    desk.open_settings()
    entry = desk.page.locator(".s2p-setting", has=desk.page.locator(".s2p-setting-report"))
    entry.get_by_role("button", name="Check").click()
    report = entry.get_by_text("Check of the RunComfy nodes.")
    report.wait_for()
    assert "Journal: " in report.text_content()
    assert desk.site.emulator.token not in report.text_content()
    entry.get_by_role("button", name="Copy the report").wait_for()
    desk.snap("settings-doctor")
