"""Who may ask, and how."""

import pytest
import requests
from contract.routes.page import WAIT_S
from sora2pro.nodes import routes


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
    assert answer.json() == {"error": "This request came from another site and was refused.", "kind": "Refused"}


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
