"""A clip that is decoded while it arrives: the frames are those of the file that came, or they are not used."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sora2pro.nodes.errors import NotEnoughRoomError, RunComfyError, Stopped
from sora2pro.nodes.media import memory
from sora2pro.nodes.media.arriving import ArrivingFile, decode_early
from sora2pro.nodes.media.decode import decode
from support import clips

AT_MOST_S = 30
SOUND = ("aac", 48000, clips.beeps([0.5], 2), 0)
CHOICES = [(1, 0), (1, 7), (1, 500), (2, 0), (7, 3), (50, 0)]


def look_on(*_):
    pass


def arrived(content):
    """A file of which everything is there."""
    file = ArrivingFile(len(content))
    file.add(0, content)
    return file


def early_frames(content, nth=1, cap=0, *, progress=look_on, checkpoint=look_on):
    return decode_early(
        arrived(content), select_every_nth=nth, frame_load_cap=cap, progress=progress, checkpoint=checkpoint
    )


def known(decoded):
    """All that a graph gets of a clip."""
    return (
        decoded.frames.numpy().tobytes(),
        tuple(decoded.frames.shape),
        decoded.audio["waveform"].numpy().tobytes(),
        decoded.fps,
        decoded.frame_count,
        decoded.notes,
    )


def outcome(path, **options):
    """What a graph gets of a clip, or what is said of it."""
    try:
        return known(decode(path, **options))
    except RunComfyError as error:
        return type(error), str(error)


def usual(path):
    return clips.write(path, clips.numbered(60), sound=SOUND)


def turned(path):
    usual(path)
    clips.set_rotation(path, 90)
    return path


def trimmed(path):
    usual(path)
    clips.set_edit(path, skip_s=0.5, seconds=1.2)
    return path


KINDS = {
    "H.264 with B-frames and sound": usual,
    "turned": turned,
    "trimmed by an edit list": trimmed,
    "H.265": lambda path: clips.write(
        path, clips.numbered(12), codec="libx265", options={"x265-params": "log-level=none:bframes=0"}
    ),
    "variable rate": lambda path: clips.write(path, clips.numbered(5), starts=[0, 40, 120, 130, 300]),
    "cropped": lambda path: clips.write(path, clips.numbered(5, 190, 130)),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return usual(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture
def pool():
    with ThreadPoolExecutor(1) as one:
        yield one


def test_frames_are_there_before_the_last_byte_has_arrived(clip, pool):
    content = clip.read_bytes()
    file, some_frames = ArrivingFile(len(content)), threading.Event()
    frames = pool.submit(decode_early, file, progress=lambda *_: some_frames.set(), checkpoint=look_on)
    places = range(0, len(content), 1000)
    for place in places[:-1]:
        file.add(place, content[place : place + 1000])
    assert some_frames.wait(AT_MOST_S)
    assert not frames.done()
    file.add(places[-1], content[places[-1] :])
    assert known(decode(clip, early=frames.result(AT_MOST_S))) == known(decode(clip))


@pytest.mark.parametrize(("nth", "cap"), CHOICES)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_graph_gets_the_same_of_a_clip_that_was_decoded_while_it_arrived(tmp_path, kind, nth, cap):
    path = kind(tmp_path / "clip.mp4")
    chosen = {"select_every_nth": nth, "frame_load_cap": cap}
    assert known(decode(path, early=early_frames(path.read_bytes(), nth, cap), **chosen)) == known(
        decode(path, **chosen)
    )


def test_what_was_made_is_used_and_not_made_again(clip):
    made = early_frames(clip.read_bytes())
    asked = []
    decode(clip, early=made, progress=lambda *both: asked.append(both))
    assert asked == []


@pytest.mark.parametrize("movflags", ["-faststart", "+frag_keyframe+empty_moov", "+frag_keyframe"])
def test_a_clip_whose_index_is_not_in_front_is_not_waited_for(tmp_path, movflags):
    content = clips.write(tmp_path / "clip.mp4", clips.numbered(30), movflags=movflags).read_bytes()
    file = ArrivingFile(len(content))
    file.add(0, content[: len(content) // 2])
    assert decode_early(file, progress=look_on, checkpoint=look_on) is None


@pytest.mark.parametrize("change", ["other pictures", "a byte more", "shorter choice"])
def test_frames_of_other_bytes_or_another_choice_are_not_used(clip, tmp_path, change):
    path, content = tmp_path / "clip.mp4", clip.read_bytes()
    made = early_frames(content, cap=9 if change == "shorter choice" else 0)
    path.write_bytes(content + b"\0" if change == "a byte more" else content)
    if change == "other pictures":
        clips.write(path, reversed(list(clips.numbered(60))), sound=SOUND)
    asked = []
    with_made = outcome(path, early=made, progress=lambda *both: asked.append(both))
    assert with_made == outcome(path)
    assert asked


@pytest.mark.parametrize("again", [0, 999, 1001])
def test_a_transfer_that_does_not_go_on_where_it_was_ends_it(clip, pool, again):
    content = clip.read_bytes()
    file = ArrivingFile(len(content))
    frames = pool.submit(decode_early, file, progress=look_on, checkpoint=look_on)
    file.add(0, content[:1000])
    file.add(again, content[again : again + 1000])
    with pytest.raises(Stopped):
        frames.result(AT_MOST_S)


def test_more_bytes_than_were_announced_end_it(clip, pool):
    file = ArrivingFile(1000)
    frames = pool.submit(decode_early, file, progress=look_on, checkpoint=look_on)
    file.add(0, clip.read_bytes()[:1001])
    with pytest.raises(Stopped):
        frames.result(AT_MOST_S)


def test_nothing_is_made_where_the_frames_do_not_fit_into_memory(clip, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000)
    with pytest.raises(NotEnoughRoomError):
        early_frames(clip.read_bytes())


def test_a_checkpoint_that_raises_ends_it_and_leaves_no_thread(clip):
    before = threading.active_count()

    def stop():
        raise Stopped

    with pytest.raises(Stopped):
        early_frames(clip.read_bytes(), checkpoint=stop)
    assert threading.active_count() == before
