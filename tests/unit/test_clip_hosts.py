"""From where a clip may be fetched. The address comes from an answer, so it is foreign until it is looked at."""

from pathlib import Path

import pytest
import requests
from sora2pro.nodes.runcomfy.settings import Settings, is_loopback

STATE = {"state_dir": Path("state"), "output_dir": Path("output")}
PRODUCTION = Settings(**STATE)
LOCAL = Settings(**STATE, api_base_url="http://127.0.0.1:8000")

OWN = [
    "https://playgrounds-storage-public.runcomfy.net/a/output.mp4",
    "https://runcomfy.net/x",
    "https://runcomfy.com/x",
    "https://a.b.c.runcomfy.com/x?sig=a%2Fb#t",
    "https://STORAGE.RunComfy.NET/x",
    "https://storage.runcomfy.net:443/x",
    "HTTPS://storage.runcomfy.net/x",
]
FOREIGN = [
    "",
    "storage.runcomfy.net/x",
    "//storage.runcomfy.net/x",
    "/x",
    "http://storage.runcomfy.net/x",
    "ftp://storage.runcomfy.net/x",
    "file:///etc/passwd",
    "https://runcomfy.net.evil.com/x",
    "https://notruncomfy.net/x",
    "https://evil.com/.runcomfy.net",
    "https://evil.com?.runcomfy.net",
    "https://evil.com#.runcomfy.net",
    "https://evil.com:443#.runcomfy.net",
    "https://runcomfy.net@evil.com/x",
    "https://user:pass@storage.runcomfy.net/x",
    "https://evil.com\\.runcomfy.net/x",
    "https://evil.com\\@storage.runcomfy.net/x",
    "https://evil.com%2f.runcomfy.net/x",
    "https://evil.com%5c.runcomfy.net/x",
    "https://evil.com\t.runcomfy.net/x",
    "https://evil.com\n.runcomfy.net/x",
    "https://storage.runcomfy.net /x",
    " https://storage.runcomfy.net/x",
    "https://storage.runcomfy.net/x y",
    "https://storage.runcomfy.net/x\r\nHost: evil.com",
    "https://storage.runcomfy.net:8443/x",
    "https://storage.runcomfy.net:80/x",
    "https://storage.runcomfy.net:99999/x",
    "https://storage.runcomfy.net:x/x",
    "https://storage.runcomfy.net./x",
    "https://.runcomfy.net/x",
    "https://storage.runcomfy\u3002net/x",
    "https://storage.runc\u043emfy.net/x",
    "https://storage.runcomfy.net/\u00e9",
    "https://[storage.runcomfy.net]/x",
    "https://[::1.runcomfy.net/x",
    "https://192.0.2.1/x",
    "https://169.254.169.254/latest/meta-data",
    "https:///x",
    "https:storage.runcomfy.net/x",
]
LOOPBACK = ["http://127.0.0.1:8000/x", "http://localhost/x", "https://127.1.2.3/x", "http://[::1]:9/x"]


@pytest.mark.parametrize("settings", [PRODUCTION, LOCAL], ids=["production", "API on loopback"])
@pytest.mark.parametrize("url", OWN)
def test_clips_come_from_runcomfys_own_hosts(url, settings):
    assert settings.allows_clip_url(url)


@pytest.mark.parametrize("settings", [PRODUCTION, LOCAL], ids=["production", "API on loopback"])
@pytest.mark.parametrize("url", FOREIGN, ids=repr)
def test_no_clip_comes_from_anywhere_else(url, settings):
    assert not settings.allows_clip_url(url)


@pytest.mark.parametrize("url", LOOPBACK)
def test_clips_come_from_loopback_only_where_the_api_is_there_too(url):
    assert LOCAL.allows_clip_url(url)
    assert not PRODUCTION.allows_clip_url(url)


@pytest.mark.parametrize("url", OWN)
def test_the_host_that_is_checked_is_the_host_that_is_asked(url):
    """urlsplit and the HTTP library must not differ in what they take for the host."""
    asked = requests.Request("GET", url).prepare().url.split("/")[2].removesuffix(":443")
    assert asked.endswith(("runcomfy.net", "runcomfy.com"))


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("", False),
        ("0.0.0.0", False),  # noqa: S104 - a text, nothing is bound
        ("localhost.evil.com", False),
        ("127.0.0.1.evil.com", False),
        ("192.168.0.1", False),
    ],
)
def test_this_machine_is_known_by_its_names(host, is_here):
    assert is_loopback(host) is is_here
