"""Who may ask, and how."""

import os
import subprocess
import sys

import pytest
import requests
from contract.routes.page import WAIT_S
from pack import ROOT
from sora2pro.nodes.page import routes

# Asks for one path of a server that lacks a package: the status and the text of its answer.
ASK_WITHOUT = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
sys.modules[sys.argv[2]] = None
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pack import load_pack
load_pack()
from sora2pro.nodes import routes

async def ask():
    table = web.RouteTableDef()
    routes.add_to(table)
    app = web.Application()
    app.add_routes(table)
    async with TestClient(TestServer(app)) as client:
        answer = await client.get("/sora2pro" + sys.argv[3])
        print(answer.status, await answer.text())

asyncio.run(ask())
"""


@pytest.mark.parametrize("method_and_path", [(method, path) for method, path, _ in routes.ROUTES])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_another_site_gets_nothing_from_any_route(page, method_and_path, headers):
    method, path = method_and_path
    answer = page.ask(method, path.format(name="1", action="collect"), headers=headers)
    assert answer.status_code == 403
    assert answer.json() == {
        "error": "This request came from another site and was refused. If you reach ComfyUI through a proxy, let it pass the "
        "Host header unchanged.",
        "kind": "Refused",
    }


@pytest.mark.parametrize("method_and_path", [(m, p) for m, p, _ in routes.ROUTES if m != "GET"])
def test_nothing_is_changed_without_the_header_that_another_site_cannot_set(page, method_and_path):
    method, path = method_and_path
    url = f"{page.url}/sora2pro{path.format(name='1', action='collect')}"
    assert requests.request(method, url, json={}, timeout=WAIT_S).status_code == 403


def test_the_page_itself_may_ask_behind_a_proxy_that_changes_the_host(page):
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "https://comfy.example", "Host": "internal:8188"}
    assert page.get("/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "body", [b"x" * 20_000, b"[1]", b"{", b'"text"', b"[" * 10_000], ids=lambda body: str(body[:8])
)
def test_a_body_that_is_too_long_or_no_object_is_refused_in_words(page, body):
    answer = page.ask("PUT", "/settings", data=body)
    assert answer.status_code == 400
    assert "Nothing was changed" in answer.json()["error"]


def test_a_body_without_an_announced_length_is_cut_off_at_the_same_limit(page):
    answer = page.ask("PUT", "/settings", data=(b"x" * 1000 for _ in range(30)))
    assert (answer.status_code, answer.json()["error"][:24]) == (400, "The request is too long.")


@pytest.mark.parametrize(
    "host",
    ["evil.example:8188", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8188", "[x", "a@b", "."],
)
@pytest.mark.parametrize("method_and_path", [(m, p) for m, p, _ in routes.ROUTES])
def test_a_page_whose_name_was_pointed_to_this_machine_gets_nothing(page, method_and_path, host):
    """DNS rebinding: to the browser such a page and ComfyUI are one site, so every other header is right."""
    method, path = method_and_path
    headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    answer = page.ask(method, path.format(name="1", action="collect"), headers=headers)
    assert answer.status_code == 403
    assert answer.json()["kind"] == "Refused"
    assert "set RUNCOMFY_ALLOWED_HOSTS to it" in answer.json()["error"]


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("comfy.example", "comfy.example"),
        ("comfy.example", "Comfy.Example:8443"),
        ("other.example, comfy.example", "comfy.example"),
        ("'comfy.example'", "comfy.example"),
        ("*.proxy.example", "abc-8188.proxy.example"),
    ],
)
def test_a_name_that_the_user_allows_is_answered(page, monkeypatch, allowed, host):
    assert page.get("/jobs", headers={"Host": host}).status_code == 403
    monkeypatch.setenv("RUNCOMFY_ALLOWED_HOSTS", allowed)
    assert page.get("/jobs", headers={"Host": host}).status_code == 200
    assert page.get("/jobs", headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("origin", ["http://[x", "http://[::1", "//[", "http://"])
def test_an_origin_that_is_not_an_address_is_another_site(page, origin):
    answer = page.get("/jobs", headers={"Origin": origin})
    assert (answer.status_code, answer.json()["kind"]) == (403, "Refused")


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"])
def test_what_is_not_a_number_is_refused_in_words(page, number):
    answer = page.ask("PUT", "/settings", data=b'{"max_usd_per_day": ' + number + b"}")
    assert answer.status_code == 400
    assert "is not a number that can be used. Nothing was changed" in answer.json()["error"]
    assert page.get("/settings").json()["settings"]["max_usd_per_day"]["source"] == "default"


@pytest.mark.parametrize(
    ("module", "path", "remedy"),
    [
        ("requests", "/jobs", "pip install"),
        ("requests", "/jobs/1", "pip install"),
        ("requests", "/price?size=1280x720&seconds=4", "pip install"),
        ("sqlite3", "/jobs", "pip install"),
        ("av", "/jobs/1/clip", "pip install"),
        ("sora2pro.nodes.page.jobs", "/jobs", "reinstall the pack"),
        ("sora2pro.nodes.page.handlers", "/nodes", "reinstall the pack"),
        ("sora2pro.nodes.runcomfy.engine", "/models", "reinstall the pack"),
    ],
)
def test_a_package_or_file_that_is_missing_is_named(tmp_path, module, path, remedy):
    environment = {**os.environ, "RUNCOMFY_STATE_DIR": str(tmp_path)}
    asked = subprocess.run(
        [sys.executable, "-c", ASK_WITHOUT, str(ROOT / "tests"), module, path],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment,
    )
    status, said = asked.stdout.split(" ", 1)
    assert (status, module in said, remedy in said) == ("409", True, True)
