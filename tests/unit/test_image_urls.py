"""Where a hosted picture may be. RunComfy fetches it: what it cannot reach, or is not a picture, is refused before money."""

import pytest
from sora2pro.nodes.errors import InvalidInputError
from sora2pro.nodes.runcomfy.generation import Picture
from sora2pro.nodes.runcomfy.picture_urls import check_image_url

NUMBERS = """
    127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0X7F.1 0x7f.0.0.0x1 017700000001 0177.0.0.1 0177.1 127.00.0.01
    0 0x 0.0.0.0 10.1 010.0.0.1 012.0.0.1 0xa.0.0.1 167772161 192.168.257 3232235777 0xc0a80101 0300.0250.1.1
    172.16.0.1 172.1048577 169.254.169.254 2852039166 100.64.0.1 198.18.0.1 192.0.2.1 203.0.113.9 224.0.0.1
    255.255.255.255 240.0.0.1 127.0.0.1. 127.1.. 127.0.0.1: 127.0.0.1:443 192.168.1.9.:8443
"""
IN_OTHER_LETTERS = """
    %31%32%37.0.0.1 127%2e0%2e0%2e1 %6cocalhost \uff11\uff12\uff17.0.0.1 127\u30020\u30020\u30021
    127\uff0e0\uff0e0\uff0e1 127\uff611 \u2460\u2461\u2466.0.0.1
    \u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3
    \uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54 printer\u3002lan K\u2024local
"""
IPV6_ALONE_OR_AROUND_IPV4 = """
    [::1] [::] [0:0:0:0:0:0:0:1] [0000:0000::0001] [fe80::1] [fe80::1%25eth0] [fe80::1%eth0] [fc00::1]
    [fd12:3456::1] [fec0::1] [ff02::1] [2001:db8::1] [3fff::1] [100::1] [4000::1] [::ffff:127.0.0.1]
    [::ffff:7f00:1] [::FFFF:10.0.0.1] [::127.0.0.1] [::7f00:1] [::ffff:0:7f00:1] [64:ff9b::7f00:1]
    [64:ff9b::192.168.1.1] [64:ff9b:1::7f00:1] [2002:7f00:1::] [2002:c0a8:101::1]
    [2001:0:4136:e378:8000:63bf:3fff:fdd2] [2001::1] [::1]:8443 [::1]:
"""
NAMES = """
    localhost LOCALHOST. localhost.. cat.localhost localhost.localdomain nas NAS. printer.lan nas.home
    router.home.arpa home.arpa cats.internal cat.local wiki.intranet wiki.corp x.private host.docker.internal
    a.b.c.lan. intranet my_nas
"""
NAMES_OF_ADDRESSES = """
    127.0.0.1.nip.io 10-0-0-1.nip.io app.192.168.1.9.nip.io app-192-168-1-9.sslip.io 7f000001.nip.io cat-c0a80101.nip.io
    --1.sslip.io fd00--1.sslip.io 172.16.0.1.xip.io localtest.me cats.localtest.me lvh.me a.lvh.me fritz.box nas.fritz.box
"""
PRIVATE_HOSTS = f"{NUMBERS} {IN_OTHER_LETTERS} {IPV6_ALONE_OR_AROUND_IPV4} {NAMES} {NAMES_OF_ADDRESSES}".split()
MALFORMED = """
    134744072 8.8.2056 0100.8.8.8 0x8.8.8.8 8.8.8.8.8 256.1.1.1 1.2.3.999 99999999999 a.0x a.1 a..org
    .example.org a%20b.org 127.0.0.1%2f.example.org example.org%00.png.org example.org%40127.0.0.1 ex%61mple.org
    example.org\\.evil.org 127.0.0.1\\.example.org 127.0.0.1;.example.org exa$mple.org exa*mple.org [v1.fe80]
    [2606:4700::1%25eth0] [example.org] example.org:0 example.org:65536 example.org:-1 example.org:x [::1 ::1]
    [1.2.3.4] %2531.0.0.1
"""
RESERVED = ("app.test", "pictures.example", "nowhere.invalid", "abcdef.onion", "x.alt", "test.example.")
PUBLIC = """
    pictures.example.org example.com xn--bcher-kva.de my_bucket.s3.amazonaws.com a-.tumblr.com example.org.
    example.org: example.org:8443 8.8.8.8 1.1.1.1:443 [2606:4700:4700::1111] [64:ff9b::808:808] [::ffff:8.8.8.8]
    [2002:808:808::1] localhost.example.org 127.0.0.1.example.org local.net lan.org mytest.org
    8.8.8.8.nip.io app-8-8-8-8.sslip.io 08080808.nip.io nip.io www.sslip.io mylvh.me x.box
    internal.example.org homeassistant.io 123.com 1e100.net 0x7f.org r3---sn-a.b.com
"""


def refusal(url):
    with pytest.raises(InvalidInputError) as raised:
        check_image_url(url)
    text = str(raised.value)
    assert "Nothing was sent to RunComfy and nothing was charged." in text
    assert "connect 'image' instead" in raised.value.remedy
    assert url not in text
    return text


@pytest.mark.parametrize("host", PRIVATE_HOSTS, ids=ascii)
def test_every_spelling_of_a_private_address_is_refused_alike(host):
    assert "'image_url' points to this machine or a private network." in refusal(f"https://{host}/cat.png")


@pytest.mark.parametrize(
    "url", ["https:///cat.png", "https:cat.png", "https:\\\\127.0.0.1\\cat.png", "https://./cat.png"]
)
def test_an_address_without_a_host_is_refused_as_one_on_this_machine(url):
    assert "this machine or a private network" in refusal(url)


@pytest.mark.parametrize("host", [*MALFORMED.split(), f"{'a' * 64}.org", f"{'a.' * 130}org"])
def test_a_host_that_programs_read_in_different_ways_or_not_at_all_is_refused(host):
    assert "not a usable address" in refusal(f"https://{host}/cat.png")


@pytest.mark.parametrize(
    "host", ["u@127.0.0.1", "example.org:x@127.0.0.1", "127.0.0.1@example.org", "example.org\\@127.0.0.1"]
)
def test_a_name_before_the_host_is_refused_whatever_is_in_it(host):
    assert "user name or password" in refusal(f"https://{host}/cat.png")


@pytest.mark.parametrize("host", RESERVED)
def test_a_name_that_no_server_has_is_refused(host):
    assert "reserved name" in refusal(f"https://{host}/cat.png")


@pytest.mark.parametrize("host", PUBLIC.split())
def test_a_public_host_is_taken_as_it_is_written(host):
    url = f"https://{host}/cat.png?at=127.0.0.1&via=nas"
    assert Picture.from_url(url).value == url


@pytest.mark.parametrize("uri", ["data:image/png;base64,AAAA", "DATA:image/jpeg;base64," + "A" * 20_000])
def test_a_picture_in_place_of_an_address_is_named_as_such(uri):
    text = refusal(uri)
    assert "must begin with https://" in text
    assert "data URI" in text


FILE_ID = "1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
PAGES = [
    (f"drive.google.com/file/d/{FILE_ID}/view?usp=sharing", "https://drive.google.com/uc?export=download&id="),
    (f"drive.google.com/file/u/0/d/{FILE_ID}/view", "https://drive.google.com/uc?export=download&id="),
    (f"drive.google.com/open?id={FILE_ID}", "https://drive.google.com/uc?export=download&id="),
    (f"drive.google.com/drive/folders/{FILE_ID}", "https://drive.google.com/uc?export=download&id="),
    (f"DOCS.google.com/file/d/{FILE_ID}/edit", "https://drive.google.com/uc?export=download&id="),
    ("photos.app.goo.gl/AbCdEf", "Save the picture"),
    ("photos.google.com/share/AF1/photo/AF2?key=x", "Save the picture"),
    ("www.google.com/imgres?imgurl=https%3A%2F%2Fexample.org%2Fcat.png", "open image in a new tab"),
    ("www.dropbox.com/s/abc/cat.png?dl=0", "raw=1"),
    ("www.dropbox.com/scl/fi/abc/cat.png?rlkey=x&dl=0", "raw=1"),
    ("dropbox.com/scl/fi/abc/cat.png?rlkey=x", "raw=1"),
    ("imgur.com/AbC123", "https://i.imgur.com/"),
    ("imgur.com/a/AbC123", "https://i.imgur.com/"),
    ("m.imgur.com/gallery/AbC123", "https://i.imgur.com/"),
    ("github.com/me/pictures/blob/main/cat.png", "https://raw.githubusercontent.com/"),
    ("www.github.com/me/pictures/tree/main", "https://raw.githubusercontent.com/"),
    ("gist.github.com/me/0123456789abcdef", "https://raw.githubusercontent.com/"),
    ("gitlab.com/me/group/pictures/-/blob/main/cat.png", "/-/raw/"),
    ("bitbucket.org/me/pictures/src/main/cat.png", "/raw/"),
    ("huggingface.co/datasets/me/cats/blob/main/cat.png", "/resolve/"),
    ("1drv.ms/i/s!AbCdEf", "Save the picture"),
    ("onedrive.live.com/?cid=1&id=2", "Save the picture"),
    ("onedrive.live.com/redir?resid=1", "Save the picture"),
    ("me-my.sharepoint.com/:i:/g/personal/me/AbC?e=x", "download=1"),
    ("www.flickr.com/photos/me/123456/", "https://live.staticflickr.com/"),
    ("flic.kr/p/abc", "https://live.staticflickr.com/"),
    ("commons.wikimedia.org/wiki/File:Cat.jpg", "https://upload.wikimedia.org/"),
    ("de.m.wikipedia.org/wiki/Datei:Katze.jpg", "https://upload.wikimedia.org/"),
    ("www.instagram.com/p/AbC/", "open image in a new tab"),
    ("www.pinterest.de/pin/123/", "open image in a new tab"),
    ("x.com/me/status/123", "open image in a new tab"),
    ("unsplash.com/photos/a-cat-AbC", "open image in a new tab"),
    ("civitai.com/images/123", "open image in a new tab"),
    ("ibb.co/AbC", "open image in a new tab"),
    ("docs.google.com/document/d/1/edit", "open image in a new tab"),
    ("docs.google.com/presentation/d/1/edit#slide=id.p", "open image in a new tab"),
    ("www.youtube.com/watch?v=abc", "open image in a new tab"),
    ("youtu.be/abc", "open image in a new tab"),
    ("www.artstation.com/artwork/abc", "open image in a new tab"),
    ("mega.nz/file/abc#key", "open image in a new tab"),
    ("we.tl/t-abc", "open image in a new tab"),
    ("app.box.com/s/abc", "open image in a new tab"),
    ("example.org/pictures/cat.html", "open image in a new tab"),
    ("example.org/index.htm?picture=1", "open image in a new tab"),
]
PICTURES = [
    f"drive.google.com/uc?export=download&id={FILE_ID}",
    f"drive.google.com/uc?id={FILE_ID}",
    f"drive.google.com/thumbnail?id={FILE_ID}&sz=w1280",
    f"lh3.googleusercontent.com/d/{FILE_ID}",
    f"drive.usercontent.google.com/download?id={FILE_ID}",
    "www.dropbox.com/s/abc/cat.png?raw=1",
    "www.dropbox.com/scl/fi/abc/cat.png?rlkey=x&dl=1",
    "dl.dropboxusercontent.com/s/abc/cat.png",
    "i.imgur.com/AbC123.png",
    "imgur.com/AbC123.png",
    "imgur.com/download/AbC123",
    "raw.githubusercontent.com/me/pictures/main/cat.png",
    "github.com/me/pictures/raw/main/cat.png",
    "github.com/me/pictures/blob/main/cat.png?raw=true",
    "github.com/user-attachments/assets/0123",
    "gist.githubusercontent.com/me/0123/raw/cat.png",
    "gitlab.com/me/pictures/-/raw/main/cat.png",
    "huggingface.co/datasets/me/cats/resolve/main/cat.png",
    "onedrive.live.com/download?resid=1&authkey=2",
    "1drv.ms/i/c/1/2?width=1280",
    "me-my.sharepoint.com/:i:/g/personal/me/AbC?download=1",
    "live.staticflickr.com/1/2_3_b.jpg",
    "upload.wikimedia.org/wikipedia/commons/a/a1/Cat.jpg",
    "commons.wikimedia.org/wiki/Special:FilePath/Cat.jpg",
    "unsplash.com/photos/AbC/download",
    "i.ibb.co/AbC/cat.png",
    "example.org/file/d/1/view",
    "example.org/github.com/me/x/blob/main/cat.png",
    "notimgur.com/AbC123",
    "docs.google.com/uc?export=download&id=1",
    "docs.google.com/drawings/d/1/pub?w=960&h=720",
    "docs.google.com/presentation/d/1/export/png",
    "app.box.com/shared/static/abc.png",
    "i.ytimg.com/vi/abc/maxresdefault.jpg",
    "example.org/cat.html.png",
    "example.org/picture?page=cat.html",
]


@pytest.mark.parametrize(("place", "way_out"), PAGES, ids=[place for place, _ in PAGES])
def test_a_page_around_a_picture_is_refused_with_the_way_to_the_picture_itself(place, way_out):
    text = refusal(f"https://{place}")
    assert "not to a picture" in text
    assert way_out in text
    assert FILE_ID not in text


@pytest.mark.parametrize("place", PICTURES)
def test_the_picture_itself_on_the_same_hosts_is_taken(place):
    check_image_url(f"https://{place}")
