"""The same report in the settings dialog."""


def test_the_page_gets_the_report_and_nothing_is_charged(page, emulator):
    answer = page.ask("POST", "/doctor")
    assert answer.status_code == 200
    assert answer.json()["text"].endswith("Everything is in order.")
    assert emulator.token not in answer.text
    assert emulator.charges == 0


def test_another_site_cannot_ask_for_it(page):
    assert page.ask("POST", "/doctor", headers={"X-Sora2Pro": "0"}).status_code == 403
