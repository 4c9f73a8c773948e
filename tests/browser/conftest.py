"""Two ComfyUIs, one with each front end, and Chromium. The renderer is chosen page by page."""

import os
import shutil

import pytest
from browser.desk import VIEW, Desk
from browser.frontends import newest
from browser.site import Site
from comfyui.server import ComfyUI
from emulator import Emulator, Timeline
from PIL import Image
from playwright.sync_api import sync_playwright
from support.clips import photo

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FAILED = pytest.StashKey[bool]()
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="session")
def chromium():
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        if os.environ.get("CI"):
            raise RuntimeError("Chromium is not installed.")
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def open_site(installation, tmp_path_factory):
    """Starts a ComfyUI of its own; it ends with the session."""
    opened = []

    def open_site(name, *, arguments=(), token_from_environment):
        emulator = Emulator(timeline=Timeline.by_hand())
        environment = emulator.environment()
        if token_from_environment:
            environment["RUNCOMFY_MAX_USD_PER_DAY"] = "none"
        else:
            del environment["RUNCOMFY_API_TOKEN"]
        comfyui = ComfyUI(
            installation,
            base=tmp_path_factory.mktemp(name),
            environment=environment,
            arguments=("--disable-api-nodes", *arguments),
        )
        opened.append((comfyui, emulator))
        Image.fromarray(photo(1500, 900)).save(comfyui.base / "input" / "picture.png")
        site = Site(name, comfyui, emulator, token_from_environment=token_from_environment)
        site.write_settings()
        comfyui.start()
        return site

    yield open_site
    for comfyui, emulator in opened:
        comfyui.stop()
        emulator.close()


@pytest.fixture(scope="session")
def bundled(open_site):
    """The front end that comes with this ComfyUI; the token is in the environment."""
    return open_site("bundled", token_from_environment=True)


@pytest.fixture(scope="session")
def latest(open_site):
    """The newest front end; the token is saved, as the settings dialog does it."""
    return open_site("latest", arguments=("--front-end-root", str(newest())), token_from_environment=False)


@pytest.fixture(scope="session")
def desk(chromium, request):
    """A page on (site, renderer, theme), shared by all tests that ask for the same; what it complains about fails them."""
    site, renderer, *theme = request.param
    context = chromium.new_context(viewport=VIEW, permissions=["clipboard-read", "clipboard-write"])
    desk = Desk(request.getfixturevalue(site), context, renderer, *theme)
    desk.open()
    yield desk
    context.close()
    assert desk.complaints == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(autouse=True)
def fresh_desk_after_a_failure(request):
    """A test that fails costs one test: the next one on the same desk does not inherit its state."""
    yield
    if request.node.stash[FAILED] and isinstance(desk := request.node.funcargs.get("desk"), Desk):
        desk.start_over(after=request.node.originalname)
