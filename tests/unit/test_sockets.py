import socket

import pytest
import requests


@pytest.mark.parametrize("address", [("127.0.0.1", 9), ("::1", 9), ("192.0.2.1", 443)], ids=["loopback", "v6", "far"])
def test_a_unit_test_cannot_connect_to_anything(sockets, address):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as wire, pytest.raises(AssertionError, match="tried to connect"):
        wire.connect(address)
    assert sockets.pop() == address


def test_a_unit_test_cannot_look_up_a_name(sockets):
    with pytest.raises(AssertionError, match="tried to connect"):
        requests.get("https://model-api.runcomfy.net/", timeout=1)
    assert sockets.pop()
