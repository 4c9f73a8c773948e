"""Clips come from signed URLs that hold byte for byte, in parts, and are rendered once."""

import av
import pytest
from emulator import Emulator, Fault, State
from emulator.calls import Call
from emulator.visitor import CLIP, Visitor
from support.clock import Clock


class Renderer:
    def __init__(self):
        self.made = []

    def __call__(self, picture, path, *, seconds):
        self.made.append((picture.shape, seconds, picture[0, 0].tolist()))
        path.write_bytes(CLIP)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def renderer():
    return Renderer()


@pytest.fixture
def emulator(tmp_path, renderer, clock):
    with Emulator(render=renderer, clips_dir=tmp_path, clock=clock, url_lifetime_s=3600) as emulator:
        yield emulator


@pytest.fixture
def visitor(emulator):
    return Visitor(emulator)


def test_a_clip_is_downloaded_without_the_token(emulator, visitor):
    answer = visitor.fetch(visitor.clip_target(visitor.accepted()))
    assert (answer.status, answer.body) == (200, CLIP)
    assert answer.headers["content-type"] == "video/mp4"
    assert emulator.leaks == []


def test_the_picture_of_the_submission_is_rendered_once_for_each_size_and_length(visitor, renderer):
    for changes in ({}, {"prompt": "another"}, {"seconds": 8}, {"size": "1792x1024"}, {}):
        visitor.fetch(visitor.clip_target(visitor.accepted(**changes)))
    assert renderer.made == [
        ((1280, 720, 3), 4, [128, 128, 128]),
        ((1280, 720, 3), 8, [128, 128, 128]),
        ((1024, 1792, 3), 4, [128, 128, 128]),
    ]


def test_a_hosted_picture_is_never_downloaded_and_yet_has_its_own_clip(visitor, renderer):
    for url in ("https://example.invalid/a.png", "https://example.invalid/b.png"):
        visitor.fetch(visitor.clip_target(visitor.accepted(input_reference=url)))
    assert [shape for shape, _, _ in renderer.made] == [(1280, 720, 3)] * 2
    assert renderer.made[0] != renderer.made[1]


@pytest.mark.parametrize(
    ("old", "new"), [("%3d", "%3D"), ("%2d", "-"), ("%7e", "~"), ("Expires=1", "Expires=2"), ("Serial=", "serial=")]
)
def test_a_url_that_was_changed_on_the_way_is_refused(visitor, old, new):
    target = visitor.clip_target(visitor.accepted())
    assert old in target
    assert visitor.fetch(target.replace(old, new)).status == 403


def test_a_url_ends_with_its_time_and_a_new_result_has_a_new_one(visitor, clock):
    request_id = visitor.accepted()
    target = visitor.clip_target(request_id)
    clock.now_s += 3600
    assert visitor.fetch(target).status == 403
    assert visitor.fetch(visitor.clip_target(request_id)).body == CLIP


def test_an_expired_url_stays_expired(emulator, visitor):
    request_id = visitor.accepted()
    target = visitor.clip_target(request_id)
    emulator.inject(Fault(Call.DOWNLOAD, "expired"))
    assert [visitor.fetch(target).status for _ in range(2)] == [403, 403]
    assert visitor.fetch(visitor.clip_target(request_id)).status == 200


@pytest.mark.parametrize(
    ("wanted", "part", "named"),
    [
        ("bytes=100-", CLIP[100:], f"bytes 100-{len(CLIP) - 1}/{len(CLIP)}"),
        ("bytes=100-199", CLIP[100:200], f"bytes 100-199/{len(CLIP)}"),
        ("bytes=-10", CLIP[-10:], f"bytes {len(CLIP) - 10}-{len(CLIP) - 1}/{len(CLIP)}"),
        ("bytes=0-999999", CLIP, f"bytes 0-{len(CLIP) - 1}/{len(CLIP)}"),
    ],
)
def test_a_part_is_served(visitor, wanted, part, named):
    answer = visitor.fetch(visitor.clip_target(visitor.accepted()), Range=wanted)
    assert (answer.status, answer.body, answer.headers["content-range"]) == (206, part, named)


def test_a_part_beyond_the_end_is_refused(visitor):
    answer = visitor.fetch(visitor.clip_target(visitor.accepted()), Range=f"bytes={len(CLIP)}-")
    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{len(CLIP)}")


def test_a_part_of_another_version_is_the_whole(visitor):
    target = visitor.clip_target(visitor.accepted())
    etag = visitor.fetch(target).headers["etag"]
    assert visitor.fetch(target, Range="bytes=5-", If_Range=etag).status == 206
    assert visitor.fetch(target, Range="bytes=5-", If_Range='"other"').body == CLIP


def test_the_pack_s_own_clip_has_the_size_and_length_that_were_bought(tmp_path):
    with Emulator(clips_dir=tmp_path) as emulator:
        visitor = Visitor(emulator)
        body = visitor.fetch(visitor.clip_target(visitor.accepted(size="1280x720"))).body
        assert emulator.requests[0].state is State.SUCCEEDED
    clip = tmp_path / "fetched.mp4"
    clip.write_bytes(body)
    with av.open(str(clip)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, video.frames, video.average_rate) == (1280, 720, 120, 30)
        assert (audio.rate, audio.channels) == (48000, 2)
