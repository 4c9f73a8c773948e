import json
from pathlib import Path

import pytest
from sora2pro.nodes.errors import ConfigurationError
from sora2pro.nodes.runcomfy.models import SORA_2_PRO, Role, Size
from sora2pro.nodes.runcomfy.settings import (
    Settings,
    load_settings,
    parse_settings,
    read_settings_file,
    settings_path,
    write_settings_file,
)

VARIABLES = {
    "api_base_url": "RUNCOMFY_MODEL_API_BASE_URL",
    "model_id": "RUNCOMFY_SORA2_PRO_MODEL_ID",
    "poll_interval_s": "RUNCOMFY_POLL_INTERVAL_S",
    "timeout_s": "RUNCOMFY_TIMEOUT_S",
    "max_parallel": "RUNCOMFY_MAX_PARALLEL",
    "max_usd_per_day": "RUNCOMFY_MAX_USD_PER_DAY",
    "archive_url": "RUNCOMFY_ARCHIVE_URL",
}


@pytest.fixture
def load(tmp_path):
    """Loads the settings of a state folder; the environment is what a test names and no more."""

    def loaded(environ=None, *, saved=None):
        if saved is not None:
            write_settings_file(tmp_path / "state", saved)
        return load_settings(
            environ or {},
            default_state_dir=lambda: tmp_path / "state",
            default_output_dir=lambda: tmp_path / "output",
        )

    return loaded


def value_of(settings, name):
    return settings.model.model_id if name == "model_id" else getattr(settings, name)


def test_without_a_word_from_the_user_the_defaults_hold(load, tmp_path):
    assert load() == Settings(
        state_dir=tmp_path / "state",
        output_dir=tmp_path / "output",
        api_base_url="https://model-api.runcomfy.net",
        model=SORA_2_PRO,
        poll_interval_s=5.0,
        timeout_s=1800.0,
        max_parallel=4,
        max_usd_per_day=30.0,
    )


@pytest.mark.parametrize(
    ("name", "saved", "set_value", "from_file", "from_environment"),
    [
        ("api_base_url", "https://file.example", "https://env.example", "https://file.example", "https://env.example"),
        ("model_id", "file/model", "env/model", "file/model", "env/model"),
        ("poll_interval_s", 2, "3", 2.0, 3.0),
        ("timeout_s", 60, "90", 60.0, 90.0),
        ("max_parallel", 2, "3", 2, 3),
        ("max_usd_per_day", 2, "3.5", 2.0, 3.5),
        ("max_usd_per_day", 0, "none", 0.0, None),
        ("max_usd_per_day", "None", "no limit", None, None),
    ],
)
def test_the_environment_goes_before_the_file_and_the_file_before_the_default(
    load, name, saved, set_value, from_file, from_environment
):
    assert value_of(load({}, saved={name: saved}), name) == from_file
    assert value_of(load({VARIABLES[name]: set_value}), name) == from_environment
    assert value_of(load({VARIABLES[name]: "  "}), name) == from_file


def test_folders_come_from_the_environment_and_may_begin_at_home(load, tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "me"))
    settings = load({"RUNCOMFY_STATE_DIR": f" {tmp_path}/there/../state2 ", "RUNCOMFY_OUTPUT_DIR": "~/clips"})
    assert (settings.state_dir, settings.output_dir) == (tmp_path / "state2", tmp_path / "me" / "clips")


@pytest.mark.parametrize("variable", ["RUNCOMFY_STATE_DIR", "RUNCOMFY_OUTPUT_DIR"])
@pytest.mark.parametrize("folder", ["state", "../state", ".", "~nobody-of-this-name", "${HOME}/state", "file:///state"])
def test_a_folder_that_depends_on_where_comfyui_is_started_is_refused(load, variable, folder):
    with pytest.raises(ConfigurationError) as raised:
        load({variable: folder})
    assert str(raised.value).startswith(f"{variable} must be an absolute path, and {folder!r} is not")


def test_a_default_folder_that_depends_on_where_comfyui_is_started_is_refused(tmp_path):
    """As where HOME itself has quotes around it."""
    with pytest.raises(ConfigurationError, match="RUNCOMFY_STATE_DIR must be an absolute path"):
        load_settings({}, default_state_dir=lambda: Path('"/root"'), default_output_dir=lambda: tmp_path)


def test_an_output_folder_that_the_journal_cannot_hold_is_refused_in_printable_words(load, tmp_path):
    with pytest.raises(ConfigurationError) as raised:
        load({"RUNCOMFY_OUTPUT_DIR": f"{tmp_path}/clips-\udcff"})
    assert "is not UTF-8" in str(raised.value)
    assert "RUNCOMFY_OUTPUT_DIR" in raised.value.remedy
    assert str(raised.value).encode()


@pytest.mark.parametrize(
    "around",
    ['"{}"', "'{}'", '{}"', "'{}", "{}\r\n", "\ufeff{}", "\xa0{}\u3000", "\u202a{}\u200b\u2069", "\ufeff\"'{}'\" "],
)
def test_quotes_and_blanks_around_a_variable_are_not_part_of_it(load, tmp_path, around):
    values = {
        "RUNCOMFY_STATE_DIR": str(tmp_path / "it's here"),
        "RUNCOMFY_OUTPUT_DIR": str(tmp_path / "my clips"),
        VARIABLES["api_base_url"]: "https://env.example/v1",
        VARIABLES["model_id"]: "env/model",
        VARIABLES["poll_interval_s"]: "3",
        VARIABLES["timeout_s"]: "90",
        VARIABLES["max_parallel"]: "3",
        VARIABLES["max_usd_per_day"]: "3.5",
        VARIABLES["archive_url"]: "s3://studio/clips",
    }
    settings = load({name: around.format(value) for name, value in values.items()})
    assert settings == load(values)
    assert settings != load()


def test_a_variable_with_nothing_in_its_quotes_is_not_set(load):
    assert load({"RUNCOMFY_STATE_DIR": '""', **dict.fromkeys(VARIABLES.values(), " '' ")}) == load()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("api_base_url", "model-api.runcomfy.net", "plain address"),
        ("api_base_url", "http://model-api.runcomfy.net", "must begin with https://"),
        ("api_base_url", "http://192.168.0.2:8000", "must begin with https://"),
        ("api_base_url", "ftp://model-api.runcomfy.net", "must begin with https://"),
        ("api_base_url", "https://me:secret@model-api.runcomfy.net", "plain address"),
        ("api_base_url", "https://model-api.runcomfy.net?key=1", "plain address"),
        ("api_base_url", "https://model-api.runcomfy.net#top", "plain address"),
        ("api_base_url", "https://", "plain address"),
        ("api_base_url", "https://[::1", ""),
        ("api_base_url", "https://model-api.runcomfy.net:99999", ""),
        ("api_base_url", "https://model api.runcomfy.net", "plain address"),
        ("api_base_url", "https://evil.example\\.runcomfy.net", "plain address"),
        ("model_id", "../secrets", "a model id looks like"),
        ("model_id", "openai//sora", "a model id looks like"),
        ("model_id", "openai/sora?x=1", "a model id looks like"),
        ("model_id", "///", "a model id looks like"),
        ("model_id", "öpenai/sora", "a model id looks like"),
        ("poll_interval_s", "0", "from 0.05 to 3600 seconds"),
        ("poll_interval_s", "nan", "from 0.05 to 3600 seconds"),
        ("poll_interval_s", "soon", "from 0.05 to 3600 seconds"),
        ("timeout_s", "inf", "from 0.1 to 604800 seconds"),
        ("timeout_s", "-1", "from 0.1 to 604800 seconds"),
        ("timeout_s", "30 min", "from 0.1 to 604800 seconds"),
        ("max_parallel", "0", "from 1 to 64 requests"),
        ("max_parallel", "65", "from 1 to 64 requests"),
        ("max_parallel", "1.5", "whole number"),
        ("max_usd_per_day", "-1", "from 0 to 1e+06 US dollars"),
        ("max_usd_per_day", "$5", "US dollars"),
        *(
            ("archive_url", value, "the full path of a folder, or an address such as s3://bucket/prefix")
            for value in (
                "archive",
                "../archive",
                "s3:/studio/clips",
                "s3://",
                "s3:///clips",
                "s3://studio/my clips",
                "s3://studio/../clips",
                "s3://studio/clips?versionId=secret",
                "s3://studio/clips#secret",
                "s3:\\\\studio\\clips",
                "simplecache::s3://studio/clips",
                "zip://clips.zip::s3://studio",
                "https://studio.s3.amazonaws.com/clips",
                "file:///mnt/clips",
                "~nobody-of-this-name/clips",
            )
        ),
        ("archive_url", "s3://key:secret@studio/clips", "credentials do not belong in it"),
    ],
)
def test_a_value_that_cannot_be_used_names_the_variable_it_stands_in(load, name, value, words):
    with pytest.raises(ConfigurationError) as raised:
        load({VARIABLES[name]: value})
    text = str(raised.value)
    assert text.startswith(f"{VARIABLES[name]} cannot be used: ")
    assert words in text
    assert "Nothing was sent to RunComfy and nothing was charged." in text
    assert "Change or remove it, then run again." in text
    assert "secret" not in text
    assert "could not convert" not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("poll_interval_s", True),
        ("timeout_s", [5]),
        ("timeout_s", {"s": 5}),
        ("max_parallel", "many"),
        pytest.param("max_usd_per_day", 10**400, id="a sum of 400 digits"),
        ("sizes", "1280x720"),
        ("sizes", []),
        ("sizes", ["wide"]),
        ("sizes", 7),
        ("seconds", []),
        ("seconds", ["4"]),
        ("seconds", [0]),
        ("seconds", [True]),
        ("seconds", 4),
        pytest.param("seconds", [10**30], id="a clip longer than the universe is old"),
        pytest.param("seconds", [2**63], id="more seconds than a journal can hold"),
        ("seconds", [86_400]),
        ("seconds", [4.5]),
        pytest.param("seconds", list(range(1, 1000)), id="hundreds of lengths"),
        ("sizes", [1280]),
        ("sizes", [None]),
        ("sizes", [["1280x720"]]),
        ("sizes", ["99999x99999"]),
        ("sizes", ["1280x720\n"]),
        pytest.param("sizes", ["1280x720"] * 1000, id="hundreds of sizes"),
        pytest.param("sizes", ["x" * 100_000], id="a size of 100 kB"),
        ("model_id", True),
        ("model_id", 7),
        ("model_id", ["a/b"]),
        pytest.param("model_id", "a/" * 50_000, id="a model id of 100 kB"),
        ("api_base_url", 7),
        ("api_base_url", ["https://model-api.runcomfy.net"]),
        pytest.param("api_base_url", "https://model-api.runcomfy.net/" + "a" * 100_000, id="an address of 100 kB"),
        pytest.param("timeout_s", 10**400, id="a time of 400 digits"),
        ("max_parallel", 1e300),
        ("max_parallel", "1e400"),
        ("archive_url", 7),
        ("archive_url", ["/mnt/clips"]),
        ("archive_url", "/mnt/\0"),
        pytest.param("archive_url", "/" + "a" * 100_000, id="a folder of 100 kB"),
    ],
)
def test_a_bad_value_in_the_file_names_the_file(load, tmp_path, name, value):
    with pytest.raises(ConfigurationError) as raised:
        load({}, saved={name: value})
    text = str(raised.value)
    assert text.startswith(f"'{name}' in {settings_path(tmp_path / 'state')} cannot be used: ")
    assert "object is not iterable" not in text
    assert "expected string" not in text
    assert len(text) < 1000


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_emptied_value_in_the_file_means_the_default(load, nothing):
    settings = load({}, saved=dict.fromkeys(VARIABLES, nothing))
    assert settings == load()


def test_the_file_may_hold_what_a_newer_version_wrote(load):
    assert load({}, saved={"a_setting_of_tomorrow": 7, "timeout_s": 60}).timeout_s == 60.0


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("/mnt/clips/", "/mnt/clips"),
        ("/mnt/a b/../clips", "/mnt/clips"),
        ("~/clips", "{home}/clips"),
        ("s3://studio", "s3://studio"),
        ("S3://studio/Clips/", "s3://studio/Clips"),
        ("gs://studio/clips", "gs://studio/clips"),
        ("abfs://clips@studio.dfs.core.windows.net/of-today", "abfs://clips@studio.dfs.core.windows.net/of-today"),
        ("sftp://me:secret@nas:2222/clips", "sftp://me:secret@nas:2222/clips"),
    ],
)
def test_an_archive_is_a_folder_or_an_address_and_its_password_is_in_no_repr(load, empty_home, written, url):
    settings = load({VARIABLES["archive_url"]: written})
    assert settings.archive_url == url.format(home=empty_home)
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("written", "base_url"),
    [
        ("https://model-api.runcomfy.net/v1", "https://model-api.runcomfy.net"),
        ("https://model-api.runcomfy.net/v1/", "https://model-api.runcomfy.net"),
        (" https://model-api.runcomfy.net/ ", "https://model-api.runcomfy.net"),
        ("https://proxy.example:8443/runcomfy/v1", "https://proxy.example:8443/runcomfy"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:8000/v1", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_base_address_is_taken_with_or_without_its_version(load, written, base_url):
    assert load({VARIABLES["api_base_url"]: written}).api_base_url == base_url


@pytest.mark.parametrize(
    ("api", "account"),
    [
        ("https://model-api.runcomfy.net", "https://api.runcomfy.net"),
        ("https://model-api.runcomfy.net/v1", "https://api.runcomfy.net"),
        ("https://model-api-int.runcomfy.net", "https://model-api-int.runcomfy.net"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_a_token_for_another_api_never_goes_to_runcomfys_own_account_host(load, api, account):
    assert load({VARIABLES["api_base_url"]: api}).account_base_url == account


def test_the_smallest_interval_is_fast_enough_for_an_emulator(load):
    assert load({VARIABLES["poll_interval_s"]: "0.05"}).poll_interval_s == 0.05


def test_a_successor_of_the_model_is_a_matter_of_settings(load):
    saved = {"model_id": "openai/sora-3/image-to-video", "sizes": ["1920x1080", "1280x720"], "seconds": [5, 10]}
    model = load({}, saved=saved).model
    assert (model.model_id, model.sizes) == ("openai/sora-3/image-to-video", (Size(1920, 1080), Size(1280, 720)))
    assert model.input_for(Role.LENGTH).choices == (5, 10)
    assert model.defaults() == {"size": "1920x1080", "seconds": 5}


def test_a_default_that_the_successor_still_has_stays(load):
    model = load({}, saved={"sizes": ["1920x1080", "720x1280"], "seconds": [2, 4]}).model
    assert model.defaults() == {"size": "720x1280", "seconds": 4}


@pytest.mark.parametrize("name", ["timeout_s", "max_usd_per_day", "a_setting_of_tomorrow"])
@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN"])
def test_what_json_does_not_know_is_refused_in_words(load, tmp_path, name, value):
    settings_path(tmp_path / "state").parent.mkdir()
    settings_path(tmp_path / "state").write_text(f'{{"{name}": {value}}}', encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load()
    assert f"{value} is not a JSON value" in str(raised.value)
    assert str(settings_path(tmp_path / "state")) in str(raised.value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"timeout_s": ' + "9" * 10_000 + "}"], ids=["deep", "long number"])
def test_a_settings_file_that_python_gives_up_on_is_refused_in_words(tmp_path, text):
    settings_path(tmp_path).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_settings_file(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_settings_file_is_read_as_any_editor_of_windows_saves_it(load, tmp_path, encoding):
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    settings_path(tmp_path / "state").parent.mkdir()
    text = mark + '{\r\n  "timeout_s": 60, "a_note": "\u00fcml\u00e4ut"\r\n}'
    settings_path(tmp_path / "state").write_bytes(text.encode(encoding))
    assert load().timeout_s == 60.0


@pytest.mark.parametrize(
    "content", [b"\xff\xfe{", b"\xfe\xff\x00", b"\xef\xbb\xbf\xff", b"\xe4\xf6\xfc", "{}".encode("utf-16-le")]
)
def test_a_settings_file_that_is_not_text_is_refused_in_words(tmp_path, content):
    settings_path(tmp_path).write_bytes(content)
    with pytest.raises(ConfigurationError) as raised:
        read_settings_file(tmp_path)
    assert "delete it" in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"text"', "\x00", '{"timeout_s": '])
def test_a_damaged_settings_file_is_named_and_not_silently_ignored(tmp_path, text):
    settings_path(tmp_path).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        read_settings_file(tmp_path)
    assert str(settings_path(tmp_path)) in str(raised.value)
    assert "delete it" in str(raised.value)


@pytest.mark.parametrize("in_the_way", ["settings.json", ""])
def test_a_settings_file_that_cannot_be_read_is_named(tmp_path, in_the_way):
    state_dir = tmp_path / "state"
    if in_the_way:
        (state_dir / in_the_way).mkdir(parents=True)
    else:
        state_dir.write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        read_settings_file(state_dir)
    assert str(settings_path(state_dir)) in str(raised.value)


def test_what_the_settings_dialog_writes_is_read_back(tmp_path):
    values = {"timeout_s": 60, "model_id": "a/b"}
    write_settings_file(tmp_path, values)
    assert read_settings_file(tmp_path) == values
    assert json.loads(settings_path(tmp_path).read_text(encoding="utf-8")) == values


def test_settings_are_a_value_so_that_services_can_be_built_once_for_each(load):
    assert hash(load()) == hash(load())
    changed = parse_settings(load(), {"timeout_s": "60"}, {})
    assert changed != load()
