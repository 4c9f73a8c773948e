"""ComfyUI as a person has it before them: one page of Chromium, with what went wrong in it."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests
from comfyui.install import ROOT
from playwright.sync_api import Error as PlaywrightError

if TYPE_CHECKING:
    from browser.site import Site
    from emulator import Request, State
    from playwright.sync_api import BrowserContext, ConsoleMessage, Locator

PICTURES = ROOT / "test-output" / "browser"
VIEW = {"width": 1400, "height": 900}
ANY_JOBS = re.compile(r"/sora2pro/jobs\?")
READY = (
    "window.app?.extensionManager && window.app?.graph?.nodes && window.app?.canvas && window.app.vueAppReady !== false"
)
WAIT_MS = 60_000
QUIET_SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.InstalledVersion": "1.58.1",
    "Comfy.Workflow.ShowMissingModelsWarning": False,
    "Comfy.Minimap.Visible": False,
    "Comfy.Graph.CanvasInfo": False,
}
BUILD = """([id, kind, widgets]) => {
  const graph = window.app.graph, make = (kind, at) => {
    const node = window.LiteGraph.createNode(kind); node.pos = at; graph.add(node); return node;
  };
  const set = (node, values) => {
    for (const [name, value] of Object.entries(values)) node.widgets.find((one) => one.name === name).value = value;
  };
  window.app.graph.clear();
  const load = make('LoadImage', [40, 60]), clip = make(kind, [360, 60]);
  const show = make('PreviewImage', [800, 60]);
  set(load, {image: 'picture.png'});
  set(clip, {frame_load_cap: 1, ...widgets});
  load.connect(0, clip, clip.inputs.findIndex((input) => input.name === 'image'));
  clip.connect(0, show, 0);
  return JSON.parse(JSON.stringify({...window.app.graph.serialize(), id}));
}"""
BADGE = """(text) => window.app.graph.nodes.find((node) => /ImageToVideo$/.test(node.comfyClass))
  .badges.some((badge) => (typeof badge === 'function' ? badge() : badge).text === text)"""
SOUND = """async (source) => {
  const bytes = await (await fetch(source)).arrayBuffer();
  const sound = await new OfflineAudioContext(2, 48000, 48000).decodeAudioData(bytes);
  const samples = sound.getChannelData(0);
  let energy = 0;
  for (const sample of samples) energy += sample * sample;
  return {duration: sound.duration, rms: Math.sqrt(energy / samples.length)};
}"""


@dataclass
class Desk:
    """One page on one ComfyUI.

    Attributes:
        complaints: Errors and warnings that name our files or routes.
        bodies: Every text the page was ever sent.
    """

    site: Site
    context: BrowserContext
    renderer: str
    theme: str = "dark"
    complaints: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """For pictures."""
        return f"{self.site.name}-{self.renderer}" + ("" if self.theme == "dark" else f"-{self.theme}")

    def open(self) -> None:
        """Opens ComfyUI."""
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self._complain(f"{error} {error.stack}"))
        self._settle()
        self.page.goto(self.site.url, wait_until="domcontentloaded")
        self.wait_until_ready()

    def _settle(self) -> None:
        """ComfyUI keeps settings for all pages; each page reads them when it loads."""
        own = {"Comfy.VueNodes.Enabled": self.renderer == "vue", "Comfy.ColorPalette": self.theme}
        requests.post(f"{self.site.url}/settings", json=QUIET_SETTINGS | own, timeout=30).raise_for_status()

    def wait_until_ready(self) -> None:
        """Until the extension has set itself up."""
        self.page.wait_for_function(READY)
        self.page.wait_for_function("document.querySelector('link[href*=\"sora2pro.css\"]')?.sheet != null")
        self.page.wait_for_function("window.app.graph.nodes.length > 0")

    def reload(self) -> None:
        """Presses F5."""
        # The page keeps what changed after a moment of quiet.
        self.page.wait_for_timeout(1500)
        self._settle()
        self.page.reload(wait_until="domcontentloaded")
        self.wait_until_ready()

    def start_over(self, *, after: str) -> None:
        """Takes away what a failed test left, of which the next ones would fail too: a run, a fault, a dialog, a setting."""
        with contextlib.suppress(PlaywrightError):  # a page that crashed has no picture
            self.snap(f"failed-{after}")
        self.site.emulator.clear_faults()
        self.site.clear_queue()
        self.site.write_settings()
        self.page.close()
        self.open()
        self.forgive()

    # --- the graph

    def build(self, prompt: str, **widgets: Any) -> str:
        """Opens a new workflow of a picture, a generation and a preview; returns its id."""
        workflow_id = str(uuid.uuid4())
        chosen = {"prompt": prompt, "size": "1280x720"} | widgets
        self.load(self.page.evaluate(BUILD, [workflow_id, "Sora2ProImageToVideo", chosen]))
        return workflow_id

    def build_any_model(self, prompt: str, **widgets: Any) -> None:
        """The same with the node for any model."""
        chosen = {"prompt": prompt} | widgets
        self.load(self.page.evaluate(BUILD, [str(uuid.uuid4()), "RunComfyImageToVideo", chosen]))

    def load(self, workflow: dict[str, Any]) -> None:
        """Opens a workflow."""
        self.page.evaluate("(workflow) => window.app.loadGraphData(workflow)", workflow)
        self.page.wait_for_function(
            "window.app.graph.nodes.some((node) => /^(Sora2Pro|RunComfy)/.test(node.comfyClass))"
        )
        self.page.evaluate("() => { window.app.canvas.ds.scale = 0.9; window.app.canvas.ds.offset = [80, 60]; }")
        self.page.evaluate("() => window.app.canvas.setDirty(true, true)")

    def serialized(self) -> dict[str, Any]:
        """The workflow as it would be saved."""
        return self.page.evaluate("() => JSON.parse(JSON.stringify(window.app.graph.serialize()))")

    def run(self) -> None:
        """Presses Run."""
        self.page.evaluate("() => window.app.queuePrompt(0, 1)")

    def buy(self) -> Request:
        """Presses Run; returns the request that RunComfy has accepted."""
        known = len(self.site.emulator.requests)
        self.run()
        self.site.emulator.wait_until(lambda: len(self.site.emulator.requests) > known)
        return self.site.emulator.requests[known]

    def stop(self) -> None:
        """Presses Stop."""
        self.page.evaluate("() => window.app.extensionManager.command.execute('Comfy.Interrupt')")

    # --- what is seen

    @property
    def card(self) -> Locator:
        """The card on the node."""
        return self.page.locator(".s2p-card").last

    def wait_for_card(self, text: str) -> None:
        """Until the card shows a text."""
        self.card.get_by_text(text).locator("visible=true").first.wait_for()

    def wait_for_phase(self, phase: str) -> None:
        """Until the card is idle, working, done, failed or stopped."""
        self.page.locator(f".s2p-card[data-phase='{phase}']").first.wait_for()

    def wait_for_badge(self, text: str) -> None:
        """Until the price badge of the node says so."""
        if self.renderer == "vue":
            self.page.get_by_text(text, exact=True).first.wait_for()
        else:
            self.page.wait_for_function(BADGE, arg=text)

    def close_dialogs(self) -> None:
        """Puts ComfyUI's own dialogs away."""
        dialog = self.page.locator(".p-dialog-mask, [role=dialog]").first
        # One that is still opening does not hear the key.
        for _ in range(10):
            self.page.keyboard.press("Escape")
            self.page.wait_for_timeout(500)
            if not dialog.is_visible():
                return
        dialog.wait_for(state="hidden")

    def node_size(self) -> list[int]:
        """Width and height of the node, as it is drawn."""
        box = self.card.bounding_box()
        size = self.page.evaluate(
            "() => [...window.app.graph.nodes.find((n) => n.comfyClass === 'Sora2ProImageToVideo').size]"
        )
        return [*map(round, size), round(box["height"])] if box else size

    def clip(self) -> dict[str, Any]:
        """What the player on the node has: source, duration, width, and the loudness of its track."""
        video = self.card.locator("video")
        video.wait_for()
        self.page.wait_for_function("(v) => v.readyState >= 1", arg=video.element_handle())
        facts = video.evaluate(
            "(v) => ({src: v.src, duration: v.duration, width: v.videoWidth, height: v.videoHeight})"
        )
        return {**facts, "sound": self.page.evaluate(SOUND, facts["src"])}

    def players(self) -> int:
        """How many clips are shown anywhere."""
        return self.page.locator("video:visible").count()

    def wait_for_picture(self, row: Locator) -> None:
        """Until the thumbnail of a row is there."""
        picture = row.locator("img").element_handle()
        self.page.wait_for_function("(image) => image.complete && image.naturalWidth > 0", arg=picture)

    # --- what RunComfy knows

    def state_of(self, request: Request) -> State:
        """Where a request is now."""
        return next(one.state for one in self.site.emulator.requests if one.request_id == request.request_id)

    # --- dialogs

    def open_panel(self) -> Locator:
        """Opens the jobs panel."""
        panel = self.page.locator(".s2p-panel")
        if not panel.count():
            self.page.locator(".side-tool-bar-container, .side-bar-panel, body").first.wait_for()
            self.page.evaluate("() => window.app.extensionManager.command.execute('Sora2Pro.ShowJobs')")
        panel.wait_for()
        return panel

    def row(self, text: str) -> Locator:
        """A job in the panel."""
        return self.page.locator(".s2p-row", has_text=text).first

    def open_settings(self) -> None:
        """Opens our part of ComfyUI's settings."""
        self.page.evaluate("() => window.app.extensionManager.command.execute('Comfy.ShowSettingsDialog')")
        self.page.get_by_placeholder("Search Settings").fill("RunComfy")
        self.page.locator(".s2p-setting").first.wait_for()

    def setting(self, label: str) -> Locator:
        """A field of our settings."""
        return self.page.locator(f"input[aria-label='{label}']")

    def snap(self, name: str) -> None:
        """Keeps a picture of the page, to be looked at."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{self.name}-{name}.png")

    # --- what is found

    def record_bodies(self) -> None:
        """From now on keep what the page is sent."""
        self.page.on("response", lambda response: self.bodies.append(_text_of(response)))

    def everything_kept(self) -> str:
        """All that page and server keep where others can read it."""
        stored = self.page.evaluate("() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        shown = self.page.content() + json.dumps(self.serialized())
        typed = self.page.evaluate("() => [...document.querySelectorAll('input, textarea')].map((e) => e.value).join()")
        served = "".join(
            requests.get(self.site.url + path, timeout=30).text for path in ("/settings", "/history", "/queue")
        )
        return stored + shown + typed + served

    def forgive(self) -> None:
        """Forgets complaints: Chromium writes every refused request into the console, also one that a test asked for."""
        self.complaints.clear()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._complain(f"{message.type}: {message.text} {json.dumps(message.location)}")

    def _complain(self, words: str) -> None:
        # ComfyUI has complaints of its own; ours name a file of the extension or one of its routes.
        if any(
            place in words
            for place in ("/extensions/sora2pro/", "/sora2pro/jobs", "/sora2pro/nodes", "/sora2pro/settings")
        ):
            self.complaints.append(words)


def _text_of(response: Any) -> str:
    kind = response.headers.get("content-type", "")
    if not response.ok or not any(word in kind for word in ("json", "text")) or "/assets/" in response.url:
        return ""
    return f"{response.url} {response.headers} {response.text()}"
