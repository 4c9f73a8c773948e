"""What goes over the wire, read from the connection's own buffer: nothing is connected."""

import pytest
import requests
from sora2pro.nodes.runcomfy.api.http import ExactTargetAdapter, NoCredentials


def request_line(url):
    """The first line that a request for an address would send."""
    request = requests.Request("GET", url).prepare()
    pool = ExactTargetAdapter(url).get_connection_with_tls_context(request, verify=True)
    connection = pool.ConnectionCls(pool.host, pool.port)
    connection.putrequest("GET", "/what/the/library/made/of/it")
    return connection._buffer[0].decode("ascii")


@pytest.mark.parametrize(
    "target",
    [
        "/clip.mp4",
        "/a%3D/b%3d/c%7e/clip.mp4",
        "/clip.mp4?X-Signature=a%2Fb%2fc&empty=&flag",
        "/clip.mp4?sig=a+b%20c~d",
        "/a//b/./c/../clip.mp4",
        "/it's(1)*!,;:@&=$/clip.mp4",
        "/%E7%8C%AB.mp4?name=%e7%8c%ab",
        "/?only=query",
        "/",
    ],
)
@pytest.mark.parametrize(
    "origin", ["https://storage.runcomfy.net", "https://storage.runcomfy.net:443", "http://127.0.0.1:8000"]
)
def test_a_signed_address_is_sent_byte_for_byte(origin, target):
    assert request_line(origin + target) == f"GET {target} HTTP/1.1"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://storage.runcomfy.net", "/"),
        ("https://storage.runcomfy.net?a=b", "/?a=b"),
        ("https://storage.runcomfy.net/x#part", "/x"),
        ("https://storage.runcomfy.net/x?a=b#part", "/x?a=b"),
        ("https://storage.runcomfy.net/storage.runcomfy.net", "/storage.runcomfy.net"),
    ],
)
def test_what_no_request_line_holds_is_left_out(url, target):
    assert request_line(url) == f"GET {target} HTTP/1.1"


def test_no_credentials_are_sent_whatever_was_set():
    request = requests.Request("GET", "https://storage.runcomfy.net/x", headers={"Authorization": "Bearer abc"})
    assert "Authorization" not in NoCredentials()(request.prepare()).headers


def test_no_password_of_the_netrc_file_is_sent(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine storage.runcomfy.net login me password secret\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    request = requests.Request("GET", "https://storage.runcomfy.net/x", auth=NoCredentials())
    assert "Authorization" not in requests.Session().prepare_request(request).headers
