"""The page in the user's language: nothing of ours is left in English, and a language without a table is English throughout."""

import contextlib
import json
import re

import pytest
import requests
from browser.places import on
from comfyui.install import ROOT
from emulator import Call, Fault
from sora2pro.nodes.runcomfy.jobs import JobState

# Everything of ours that can be read, heard or hovered.
SHOWN = """() => {
  const kinds = ['.s2p-card', '.s2p-model', '.s2p-panel', '.s2p-setting', '.p-toast-summary', '.p-toast-detail'];
  const ours = [...document.querySelectorAll(kinds.join(', '))];
  const said = ours.flatMap((root) => [root, ...root.querySelectorAll('*')]).flatMap((element) => [
    ...[...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.textContent),
    ...['title', 'aria-label', 'placeholder', 'alt'].map((name) => element.getAttribute(name)),
  ]);
  return [...new Set(said.filter((text) => text?.trim()))];
}"""
# Names, ids, amounts and RunComfy's own words, which are the same in every language.
NAMES = re.compile(
    r"https?://\S+|…[0-9a-f]{4}\b|[a-z0-9.-]+/[a-z0-9./-]+|[\w.-]+\.(?:com|md|json|mp4)|[A-Z]+_[A-Z_]+|'[^']*'|job-\d+"
    rf"|(?:req-)?[0-9a-f]{{8}}-[0-9a-f-]{{27}}|\((?:{'|'.join(JobState)})\)|\d+p\b"
    r"|\b(?:RunComfy|ComfyUI|Sora|Pro|API|ID|USD|CSV|PostgreSQL|HTTP|https|URL|MB|Profile|Token|Generations|Usage|request_id|job|none|rehearse)\b"
    r"|The prompt was refused|GMT\S*"
)


# One for each language: what was bought before is not bought again.
PROMPTS = {"ja": "\N{CJK UNIFIED IDEOGRAPH-72D0}", "zh-TW": "\N{CJK UNIFIED IDEOGRAPH-72F8}"}


@contextlib.contextmanager
def speaking(desk, locale):
    """The page, loaded again in a language of ComfyUI's settings."""
    choose(desk, locale)
    try:
        yield
    finally:
        choose(desk, "en")


def choose(desk, locale):
    requests.post(f"{desk.site.url}/settings", json={"Comfy.Locale": locale}, timeout=30).raise_for_status()
    desk.reload()


def english_left(desk):
    """What of ours has words of English in it."""
    return [text for text in desk.page.evaluate(SHOWN) if re.search(r"[A-Za-z]{2,}", NAMES.sub(" ", text))]


def said(template, **values):
    return re.sub(r"\{(\w+)\}", lambda name: str(values[name[1]]), template)


def open_settings(desk):
    desk.page.evaluate("() => window.app.extensionManager.command.execute('Comfy.ShowSettingsDialog')")
    desk.page.locator("[role=dialog] input").first.fill("RunComfy")
    desk.page.locator(".s2p-setting").first.wait_for()
    desk.page.wait_for_timeout(1000)


@pytest.mark.parametrize("locale", ["ja", "zh-TW"])
@on(("bundled", "litegraph"), ("latest", "vue"))
def test_card_panel_and_settings_are_in_the_language_of_comfyui_and_nothing_of_ours_is_left_in_english(desk, locale):
    emulator = desk.site.emulator
    words = json.loads((ROOT / "web" / "words" / f"{locale}.json").read_text("utf-8"))
    page, server = words["said"], words["told"]
    desk.site.empty_journal()
    with speaking(desk, locale):
        desk.build_any_model(PROMPTS[locale])
        desk.page.wait_for_function("document.querySelector('.s2p-model')?.textContent.includes(' · ')")
        assert english_left(desk) == []
        desk.snap(f"{locale}-1-model")

        desk.build(PROMPTS[locale])
        desk.wait_for_card(
            page["Your clip will play here. Earlier clips are in the RunComfy clips tab of the sidebar."]
        )
        request = desk.buy()
        desk.wait_for_card(said(server["Queued at RunComfy, position {position}"], position=1))
        desk.open_panel()
        desk.page.locator(".s2p-row").get_by_text(page["running"], exact=True).first.wait_for()
        assert english_left(desk) == []
        desk.snap(f"{locale}-2-running")
        emulator.release(request.request_id)
        desk.wait_for_phase("done")
        desk.page.locator(".s2p-row").get_by_text(page["saved"], exact=True).first.wait_for()
        desk.card.get_by_text(said(server["RunComfy charged ${cost_usd} for it."], cost_usd="1.20")).wait_for()
        assert english_left(desk) == []
        desk.snap(f"{locale}-3-done")

        desk.build(f"{PROMPTS[locale]} 2")
        emulator.inject(Fault(Call.SUBMIT, "422", message="The prompt was refused"))
        desk.run()
        desk.wait_for_phase("failed")
        desk.wait_for_card(server["RunComfy did not accept the request, so nothing was charged."])
        desk.page.locator(".s2p-row").get_by_text(page["refused"], exact=True).first.wait_for()
        assert english_left(desk) == []
        desk.close_dialogs()
        desk.snap(f"{locale}-4-failed")

        open_settings(desk)
        desk.page.get_by_placeholder(page["no limit"]).first.wait_for()
        assert english_left(desk) == []
        desk.snap(f"{locale}-5-settings")
        desk.close_dialogs()
    desk.forgive()


@on(("latest", "vue"))
def test_a_right_to_left_language_without_a_table_has_our_words_in_english(desk):
    with speaking(desk, "ar"):
        desk.build("A whale.")
        desk.wait_for_card("Your clip will play here")
        desk.wait_for_badge("$1.20")
        desk.open_panel().get_by_placeholder("Search prompt, job, size, seed").wait_for()
        desk.snap("ar-panel")
    desk.wait_for_card("Your clip will play here")
