"""Prices, settings and the token: they go in, and the token never comes out."""

import pytest
from contract.routes.page import buy
from emulator.quirks import PLAIN, QUIRKS
from sora2pro.nodes.errors import RunComfyError
from sora2pro.nodes.run.current import current_engine
from sora2pro.nodes.runcomfy import StopSignal, shipped_catalogue
from support.file_permissions import is_its_owners_alone


def test_the_price_is_that_of_the_catalogue_and_then_of_the_past(page, emulator):
    assert page.get("/price?size=1280x720&seconds=8").json() == {"min_usd": 2.4, "max_usd": 2.4}
    # The base price knows nothing of sizes: for a larger one, which is known to cost more, it is a price "from".
    assert page.get("/price?size=1792x1024&seconds=8").json() == {"min_usd": 2.4, "max_usd": None}
    assert page.get("/price?size=auto&seconds=4").json() == {"min_usd": 1.2, "max_usd": None}
    emulator.configure(base_price_usd=0.5)
    buy(seconds=4)
    assert page.get("/price?size=auto&seconds=4").json() == {"min_usd": 1.2, "max_usd": None}
    assert page.get("/price?size=720x1280&seconds=4").json() == {"min_usd": 2.0, "max_usd": 2.0}


SEEDANCE = "bytedance/seedance-2.5/image-to-video/1080p"
KLING = "kling/kling-3.0/standard/image-to-video"


@pytest.mark.parametrize(
    ("wishes", "price"),
    [
        ({"model": SEEDANCE, "duration": "5"}, {"min_usd": 4.4, "max_usd": 4.4}),
        ({"model": SEEDANCE, "duration": "30"}, {"min_usd": 26.4, "max_usd": 26.4}),
        ({"model": SEEDANCE, "duration": "0"}, {"min_usd": 4.4, "max_usd": 4.4}),
        ({"model": KLING, "duration": "5"}, {"min_usd": 0.63, "max_usd": None}),
        ({"model": KLING, "duration": "5", "audio": "off"}, {"min_usd": 0.42, "max_usd": None}),
        (
            {"model": KLING, "duration": "5", "extra_json": '{"generate_audio": false}'},
            {"min_usd": 0.42, "max_usd": None},
        ),
        ({"model": KLING, "duration": "5", "custom_model_id": SEEDANCE}, {"min_usd": 4.4, "max_usd": 4.4}),
        ({"model": KLING, "duration": "5", "custom_model_id": "a/b/c"}, {"min_usd": None, "max_usd": None}),
        ({"model": "alibaba/happyhorse-1.1/image-to-video", "duration": "5"}, {"min_usd": None, "max_usd": None}),
    ],
    ids=str,
)
def test_the_price_of_any_model_follows_what_moves_money_and_says_where_it_is_only_a_price_from(
    page, emulator, wishes, price
):
    assert page.get("/price", params=wishes).json() == price
    assert emulator.requests == []


@pytest.mark.parametrize(
    "wishes",
    [
        {"duration": "2"},
        {"duration": "five"},
        {"duration": "5", "resolution": "720p"},
        {"duration": "5", "audio": "loud"},
        {"duration": "5", "extra_json": "{"},
        {"duration": "5", "custom_model_id": "../account"},
    ],
    ids=str,
)
def test_what_a_model_would_refuse_has_no_price_but_its_reason(page, wishes):
    answer = page.get("/price", params={"model": SEEDANCE, **wishes})
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_what_each_shipped_model_can_do_is_told_without_a_token(page, emulator, point_to):
    point_to(emulator, RUNCOMFY_API_TOKEN=None)
    models = {one["model_id"]: one for one in page.get("/models").json()["models"]}
    assert len(models) == len(shipped_catalogue().models)
    assert models[SEEDANCE]["base_price_usd"] == 0.88


def test_what_a_model_can_do_is_told_as_runcomfy_described_it_last(page, emulator):
    told = {one["model_id"]: one for one in page.get("/models").json()["models"]}[PLAIN.model_id]
    assert "duration" not in told["unusable"]
    emulator.configure(quirks={PLAIN.model_id: QUIRKS["no-length"]})
    current_engine().offer(PLAIN.model_id, StopSignal())
    told = {one["model_id"]: one for one in page.get("/models").json()["models"]}[PLAIN.model_id]
    assert (told["longest_s"], "duration" in told["unusable"]) == (None, True)


def test_a_price_nobody_can_say_is_null_and_nonsense_is_refused(page, emulator):
    emulator.configure(base_price_usd=None)
    assert page.get("/price?size=1280x720&seconds=4").json() == {"min_usd": None, "max_usd": None}
    assert page.get("/price?size=big&seconds=4").status_code == 400
    assert page.get("/price?size=1280x720&seconds=four").status_code == 400


@pytest.mark.parametrize(
    ("asked", "min_usd", "max_usd"),
    [("1280x720&seconds=4", 1.2, 1.2), ("1792x1024&seconds=12", 6.0, 6.0), ("auto&seconds=4", 1.2, 2.0)],
)
def test_without_a_token_the_price_is_about_the_public_list_price(page, emulator, point_to, asked, min_usd, max_usd):
    point_to(emulator, RUNCOMFY_API_TOKEN=None)
    price = {"min_usd": min_usd, "max_usd": max_usd, "is_about": True}
    assert page.get(f"/price?size={asked}").json() == price
    point_to(emulator, RUNCOMFY_API_TOKEN=None, RUNCOMFY_SORA2_PRO_MODEL_ID="another/model")
    assert page.get(f"/price?size={asked}").json() == {"min_usd": None, "max_usd": None}


def test_a_token_is_kept_for_its_owner_alone_shown_by_four_characters_checked_and_forgotten(
    page, emulator, point_to, state_dir
):
    point_to(emulator, RUNCOMFY_API_TOKEN=None)
    assert page.get("/settings").json()["token"] == {
        "origin": "none",
        "variable": None,
        "hint": "",
        "has_saved": False,
        "problem": "No RunComfy token is set.",
    }
    saved = page.ask("PUT", "/token", json={"token": f' "Bearer {emulator.token}" '}).json()
    assert (saved["origin"], saved["hint"], saved["has_saved"]) == ("saved", emulator.token[-4:], True)
    assert is_its_owners_alone(state_dir / "token")
    assert page.ask("POST", "/token/check").json() == {"balance_usd": 1000.0}
    buy()
    page.jobs()
    assert page.ask("DELETE", "/token").json()["origin"] == "none"
    assert not (state_dir / "token").exists()
    assert page.ask("POST", "/token/check").json()["error"].startswith("No RunComfy token is set. ")
    assert not any(emulator.token in words for words in page.told)


def test_a_token_runcomfy_refuses_is_answered_in_words(page, emulator, point_to):
    point_to(emulator, RUNCOMFY_API_TOKEN=None)
    page.ask("PUT", "/token", json={"token": "not-the-right-token-at-all"})
    answer = page.ask("POST", "/token/check")
    assert answer.status_code == 502
    assert "Check the token on runcomfy.com" in answer.json()["error"]


@pytest.mark.parametrize(
    "token", ["", "two words", "tökén", "x" * 9000, 17, None, ["a"]], ids=lambda value: str(value)[:9]
)
def test_what_cannot_be_a_token_is_refused_and_not_repeated(page, emulator, point_to, state_dir, token):
    point_to(emulator, RUNCOMFY_API_TOKEN=None)
    answer = page.ask("PUT", "/token", json={"token": token})
    assert answer.status_code in (400, 409)
    assert not (state_dir / "token").exists()
    assert not (isinstance(token, str) and len(token) > 3 and token in answer.text)


def test_a_token_of_the_environment_is_named_and_cannot_be_replaced_here(page, emulator, state_dir):
    token = page.get("/settings").json()["token"]
    assert (token["origin"], token["variable"], token["hint"]) == (
        "environment",
        "RUNCOMFY_API_TOKEN",
        emulator.token[-4:],
    )
    answer = page.ask("PUT", "/token", json={"token": "another-token-entirely"})
    assert (answer.status_code, "RUNCOMFY_API_TOKEN" in answer.json()["error"]) == (409, True)
    assert not (state_dir / "token").exists()


def test_a_token_of_a_file_that_the_environment_names_cannot_be_replaced_here(
    page, emulator, point_to, state_dir, tmp_path
):
    (tmp_path / "secret").write_text(emulator.token, encoding="utf-8")
    point_to(emulator, RUNCOMFY_API_TOKEN=None, RUNCOMFY_API_TOKEN_FILE=str(tmp_path / "secret"))
    token = page.get("/settings").json()["token"]
    assert (token["origin"], token["variable"]) == ("environment", "RUNCOMFY_API_TOKEN_FILE")
    assert page.ask("POST", "/token/check").json() == {"balance_usd": 1000.0}
    answer = page.ask("PUT", "/token", json={"token": "another-token-entirely"})
    assert (answer.status_code, "RUNCOMFY_API_TOKEN_FILE" in answer.json()["error"]) == (409, True)
    assert not (state_dir / "token").exists()


def test_settings_are_kept_taken_back_and_refused_in_words(page, emulator):
    changed = page.ask("PUT", "/settings", json={"max_usd_per_day": 1, "max_parallel": 2}).json()["settings"]
    assert changed["max_usd_per_day"] == {"value": 1.0, "source": "file", "variable": "RUNCOMFY_MAX_USD_PER_DAY"}
    assert changed["max_parallel"]["value"] == 2
    with pytest.raises(RunComfyError, match=r"would go over the daily limit of \$1\.00"):
        buy()
    assert page.jobs()["totals"]["max_usd_per_day"] == 1.0
    cleared = page.ask("PUT", "/settings", json={"max_usd_per_day": None}).json()["settings"]
    assert cleared["max_usd_per_day"]["source"] == "default"
    for wrong in ({"max_parallel": 0}, {"max_parallel": "many"}, {"model_id": "../x"}, {"max_usd_per_day": -1}):
        answer = page.ask("PUT", "/settings", json=wrong)
        assert (answer.status_code, "cannot be used" in answer.json()["error"]) == (409, True)
    assert page.ask("PUT", "/settings", json={"api_base_url": "https://evil.example"}).status_code == 400
    assert page.get("/settings").json()["settings"]["max_parallel"]["value"] == 2
    assert emulator.charges == 0


def test_a_setting_of_the_environment_is_read_only(page, emulator, point_to):
    point_to(emulator, RUNCOMFY_MAX_PARALLEL="3")
    assert page.get("/settings").json()["settings"]["max_parallel"] == {
        "value": 3,
        "source": "environment",
        "variable": "RUNCOMFY_MAX_PARALLEL",
    }
    answer = page.ask("PUT", "/settings", json={"max_parallel": 9})
    assert (answer.status_code, "RUNCOMFY_MAX_PARALLEL" in answer.json()["error"]) == (409, True)


HERE = {
    "journal": {"address": "", "source": "default", "variable": "RUNCOMFY_JOURNAL_URL"},
    "archive": {"address": "", "source": "default", "variable": "RUNCOMFY_ARCHIVE_URL"},
}


def test_where_the_journal_and_the_archive_are_is_told_and_cannot_be_changed_here(page, point_to, emulator, tmp_path):
    assert page.get("/settings").json()["places"] == HERE
    url = "postgresql://studio:pass-word@db.example:5433/runcomfy?sslmode=verify-full"
    point_to(emulator, RUNCOMFY_JOURNAL_URL=url, RUNCOMFY_ARCHIVE_URL="S3://bucket/clips/")
    assert page.get("/settings").json()["places"] == {
        "journal": {**HERE["journal"], "address": "postgresql://db.example:5433/runcomfy", "source": "environment"},
        "archive": {**HERE["archive"], "address": "s3://bucket/clips", "source": "environment"},
    }
    for name in ("journal_url", "archive_url"):
        assert page.ask("PUT", "/settings", json={name: "s3://mine/x"}).status_code == 400
    point_to(emulator, RUNCOMFY_ARCHIVE_URL=f" '{tmp_path}' ")
    assert page.get("/settings").json()["places"]["archive"]["address"] == str(tmp_path)


def test_an_archive_that_the_settings_file_names_is_told(page, state_dir):
    state_dir.mkdir(exist_ok=True)
    (state_dir / "settings.json").write_text('{"archive_url": "sftp://me:horse-battery@nas/clips"}')
    answer = page.get("/settings")
    place = {**HERE["archive"], "address": "sftp://nas/clips", "source": "file"}
    assert answer.json()["places"]["archive"] == place
    assert "horse" not in answer.text


@pytest.mark.parametrize("address", ["smb://[nas/clips", "smb://na]s/clips", "sftp://nas\u2100/clips"])
def test_an_archive_whose_host_is_malformed_is_shown_as_it_was_given(page, point_to, emulator, address):
    point_to(emulator, RUNCOMFY_ARCHIVE_URL=address)
    answer = page.get("/settings")
    assert (answer.status_code, answer.json()["places"]["archive"]["address"]) == (200, address)


SECRET, SIGNATURE = "horse7battery", "c0ffee5ignature"


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql+psycopg://me:{SECRET}@host/db",
        f"postgresql://me:{SECRET}@host/db?sslmode=require&password={SIGNATURE}",
        f"postgresql://host/db?user=me&password={SECRET}&options={SIGNATURE}@x",
        f"postgresql://me:{SECRET}%40{SIGNATURE}@[::1]:5433/db",
        f"postgresql://me:{SECRET}@{SIGNATURE}@host/db",
        f"postgresql://me:{SECRET}/{SIGNATURE}@host/db",
        f"postgresql://me:1/{SECRET}@host",
        f"postgresql://me:{SECRET}?{SIGNATURE}@host/db",
        f"postgresql://me:{SECRET}#{SIGNATURE}@host/db",
        f"postgresql://{SECRET}@/db",
        f"sftp://me:{SECRET}@nas/clips",
        f"sftp://me:{SECRET}/{SIGNATURE}@nas/clips",
        f"sftp://me:{SECRET}:{SIGNATURE}@nas:22/clips",
        f"ftp://{SECRET}:@nas/clips",
        f"s3://{SECRET}:{SIGNATURE}@bucket/prefix",
        f"s3://bucket/prefix?X-Amz-Signature={SIGNATURE}",
        f"https://bucket.example/prefix?sig={SIGNATURE}",
        f"abfs://clips@account.example/prefix?sig={SIGNATURE}",
        f"me:{SECRET}@host/db",
    ],
)
@pytest.mark.parametrize("variable", ["RUNCOMFY_JOURNAL_URL", "RUNCOMFY_ARCHIVE_URL"])
def test_no_password_and_no_signature_of_an_address_comes_out(page, point_to, emulator, variable, address):
    point_to(emulator, **{variable: address})
    for answer in (page.get("/settings"), page.ask("PUT", "/settings", json={"max_parallel": 2})):
        assert answer.status_code in (200, 409)
        assert SECRET not in answer.text
        assert SIGNATURE not in answer.text


def test_a_settings_file_that_cannot_be_read_is_told_in_words(page, state_dir):
    state_dir.mkdir(exist_ok=True)
    (state_dir / "settings.json").write_text("{")
    answer = page.get("/settings")
    assert (answer.status_code, "cannot be read" in answer.json()["error"]) == (409, True)
