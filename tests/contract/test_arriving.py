"""Frames that are made while the clip is still arriving: sooner there, and otherwise as if they had been made afterwards."""

import contextlib
import errno
import gc
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from emulator import Call, Fault
from sora2pro.nodes.errors import DownloadError, NotEnoughRoomError
from sora2pro.nodes.media import arriving, frames, memory
from sora2pro.nodes.media import decode as decoding_media
from sora2pro.nodes.media.arriving import ArrivingFile, EarlyFrames
from sora2pro.nodes.media.decode import decode
from sora2pro.nodes.media.memory import _HEADROOM_BYTES, check_room
from sora2pro.nodes.run import decoding
from sora2pro.nodes.run.decoding import Decoder
from sora2pro.nodes.run.inputs import FrameChoice
from sora2pro.nodes.runcomfy.api import download
from sora2pro.nodes.runcomfy.progress import Run, StopSignal, ignore
from support.fake_comfyui import ComfyUI, InterruptProcessingException
from support.node_runs import pictures, run_node, run_status

AT_MOST_S = 30
ONE_PIECE = 1000
SLOW = Fault(Call.DOWNLOAD, "drip", chunk_bytes=ONE_PIECE, pause_s=0.6)  # ten seconds in all


@pytest.fixture
def pointed(emulator, point_to):
    point_to(emulator)
    return emulator


def decoding_early():
    """The threads that decode a clip while it arrives."""
    return [thread for thread in threading.enumerate() if thread.name == "sora2pro-early"]


def assert_right(output):
    """The frames are those of the file."""
    decoded = decode(output.video.path, frame_load_cap=8)
    assert output.frames.equal(decoded.frames)
    assert output.audio["waveform"].equal(decoded.audio["waveform"])
    assert (output.fps, len(output.frames)) == (decoded.fps, 8)


ARRIVALS = {
    "at once": (),
    "slowly": (Fault(Call.DOWNLOAD, "drip", chunk_bytes=ONE_PIECE, pause_s=0.01),),
    "cut off twice": (
        Fault(Call.DOWNLOAD, "truncated", sent_bytes=9000),
        Fault(Call.DOWNLOAD, "reset-midway", sent_bytes=500),
    ),
    "begun again": (Fault(Call.DOWNLOAD, "truncated"), Fault(Call.DOWNLOAD, "no-ranges")),
    "spoilt once": (Fault(Call.DOWNLOAD, "junk"),),
    "cut off without a word": (Fault(Call.DOWNLOAD, "truncated-unannounced"),),
    "of unknown length": (Fault(Call.DOWNLOAD, "no-length"),),
    "a page first": (Fault(Call.DOWNLOAD, "html-200"),),
}


@pytest.mark.parametrize("faults", ARRIVALS.values(), ids=ARRIVALS)
def test_however_a_clip_arrives_its_frames_are_those_of_the_file(pointed, faults):
    pointed.inject(*faults)
    (output,) = run_node()
    assert_right(output)
    assert pointed.charges == 1
    assert decoding_early() == []


def test_collect_delivers_what_arrives_in_the_same_way(pointed):
    (output,) = run_node()
    output.video.path.unlink()
    _state, frames, *_ = run_status(output.request_id, "collect")
    assert frames.equal(decode(output.video.path).frames)
    assert pointed.charges == 1


@pytest.mark.parametrize("is_there_before", [True, False])
def test_a_clip_that_is_whole_does_not_wait_for_one_that_is_still_arriving(pointed, is_there_before):
    if is_there_before:
        run_node()
    pointed.inject(SLOW)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(run_node, prompt="A hare runs.")
        pointed.wait_until(decoding_early)
        assert_right(*run_node())
        assert not slow.done()
        pointed.wait_until(lambda: not decoding_early())
        assert not slow.done()
        assert_right(*slow.result(AT_MOST_S))
    assert pointed.charges == 2


def test_stop_ends_it_with_the_download(pointed, monkeypatch, tmp_path):
    pointed.inject(SLOW)
    with monkeypatch.context() as patched, ThreadPoolExecutor(1) as pool:
        comfyui = ComfyUI(tmp_path).installed(patched)

        def press():
            pointed.wait_until(decoding_early)
            comfyui.interrupt()

        pressing = pool.submit(press)
        with pytest.raises(InterruptProcessingException) as stopped:
            run_node()
        pressing.result(AT_MOST_S)
    assert "there is no new charge" in str(stopped.value)
    pointed.wait_until(lambda: not decoding_early())
    assert_right(*run_node())
    assert pointed.charges == 1


def test_a_clip_that_never_arrives_leaves_no_thread(pointed):
    pointed.inject(Fault(Call.DOWNLOAD, "truncated", times=None))
    with pytest.raises(DownloadError):
        run_node()
    assert decoding_early() == []


def test_a_clip_that_finds_no_room_on_the_disk_leaves_no_thread_and_is_paid_once(pointed, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(download, "put_in_place", refuse(OSError(errno.ENOSPC, "No space left on device")))
        with pytest.raises(DownloadError, match="there is no new charge"):
            run_node()
    assert decoding_early() == []
    assert_right(*run_node())
    assert pointed.charges == 1


def test_frames_that_do_not_fit_are_refused_as_ever_and_the_clip_is_kept(pointed, monkeypatch):
    with monkeypatch.context() as patched:
        # Only the frames of the file are refused, not those of the order, which is checked before money.
        patched.setattr("sora2pro.nodes.media.frames.check_room", partial(check_room, available=0))
        with pytest.raises(NotEnoughRoomError, match=r"The clip is at .*\.mp4\.") as refused:
            run_node()
    assert "job: job-1" in str(refused.value)
    assert_right(*run_node())
    assert (pointed.charges, len(pointed.seen(Call.DOWNLOAD))) == (1, 1)


def over(decoder):
    with decoder:
        return decoder


RUN = Run(StopSignal(), ignore)
BEGINS_NOTHING = {
    "frames are not wanted": (lambda: Decoder(FrameChoice(decode_frames=False), RUN), 0, 16_000),
    "the run is over": (lambda: over(Decoder(FrameChoice(), RUN)), 0, 16_000),
    "its length is not known": (lambda: Decoder(FrameChoice(), RUN), 0, None),
    "it is too long to be kept in memory": (lambda: Decoder(FrameChoice(), RUN), 0, 1 << 30),
    "it is not its beginning": (lambda: Decoder(FrameChoice(), RUN), ONE_PIECE, 16_000),
}


@pytest.mark.parametrize(("decoder", "place", "total_bytes"), BEGINS_NOTHING.values(), ids=BEGINS_NOTHING)
def test_nothing_is_begun_where(clip, decoder, place, total_bytes):
    decoder().run.arrived(place, clip[place : place + ONE_PIECE], total_bytes)
    assert decoding_early() == []


def test_a_clip_that_is_shorter_than_the_storage_said_is_not_waited_for(clip, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip)
    with ThreadPoolExecutor(1) as pool, Decoder(FrameChoice(), RUN) as decoder:
        decoder.run.arrived(0, clip, len(clip) + ONE_PIECE)
        decoded = pool.submit(decoder.decode, path).result(AT_MOST_S)
    assert decoded.frames.equal(decode(path).frames)


def refuse(error):
    """A function that raises."""

    def raise_it(*_arguments, **_options):
        raise error

    return raise_it


PREVENTED = {
    "a package is missing": lambda patch: patch.setitem(sys.modules, "sora2pro.nodes.media.arriving", None),
    "no room for its bytes": lambda patch: patch.setattr(ArrivingFile, "__init__", refuse(MemoryError())),
    "no room for its frames": lambda patch: patch.setattr(arriving, "fill_block", refuse(NotEnoughRoomError("Full."))),
    "the decoder fails": lambda patch: patch.setattr(arriving, "opened_arriving", refuse(OSError("broken"))),
}


@pytest.mark.parametrize("prevent", PREVENTED.values(), ids=PREVENTED)
def test_where_it_cannot_be_done_the_clip_arrives_and_is_decoded_afterwards(pointed, monkeypatch, prevent):
    prevent(monkeypatch)
    assert_right(*run_node())
    assert (pointed.charges, len(pointed.seen(Call.DOWNLOAD))) == (1, 1)


# --- memory


@pytest.fixture
def no_collector():
    """What is let go is let go at once, and not when Python's collector of cycles comes by."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def alive(kind):
    return [each for each in gc.get_objects() if type(each) is kind]


@pytest.mark.usefixtures("no_collector")
def test_the_bytes_of_a_clip_are_let_go_when_it_is_delivered(pointed):
    run_node(pictures(0.2, 0.5), max_clips=2)
    assert pointed.charges == 2
    assert alive(ArrivingFile) == []


@pytest.mark.usefixtures("no_collector")
def test_frames_of_a_clip_that_finds_no_room_on_the_disk_are_let_go_with_the_run(pointed, monkeypatch):
    def full(*_):
        pointed.wait_until(lambda: not decoding_early())
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(download, "put_in_place", full)
        with pytest.raises(DownloadError):
            run_node()
    assert alive(EarlyFrames) == []


@pytest.mark.usefixtures("no_collector", "pointed")
def test_frames_of_a_run_that_is_stopped_are_let_go_with_it(monkeypatch, tmp_path):
    blocks = []

    def noted(*arguments, make=frames._block):
        block = make(*arguments)
        blocks.append(weakref.ref(block))
        return block

    with monkeypatch.context() as patched:
        comfyui = ComfyUI(tmp_path).installed(patched)

        def stopped_here(_container, _index, _timeline, _end_s, checkpoint):
            comfyui.interrupt()
            give_up_at = time.monotonic() + AT_MOST_S
            while time.monotonic() < give_up_at:
                checkpoint()

        patched.setattr(frames, "_block", noted)
        patched.setattr(decoding_media, "read_sound", stopped_here)
        with contextlib.suppress(InterruptProcessingException):
            run_node()
    assert blocks
    assert [block for block in blocks if block() is not None] == []


@pytest.mark.usefixtures("pointed")
def test_frames_that_fit_are_not_refused_for_the_bytes_of_the_clip(monkeypatch):
    def room(needed, **options):
        held = sum(each.total_bytes for each in alive(ArrivingFile))
        return check_room(needed, available=needed + _HEADROOM_BYTES + ONE_PIECE - held, **options)

    gc.collect()
    monkeypatch.setattr(frames, "check_room", room)
    (output,) = run_node()
    assert_right(output)


def test_nothing_is_begun_where_there_is_no_room_for_the_bytes_of_the_clip(clip, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: ONE_PIECE)
    with Decoder(FrameChoice(), Run(StopSignal(), ignore)) as decoder:
        decoder.run.arrived(0, clip[:ONE_PIECE], 200 * 1024**2)
        assert decoding_early() == []


@pytest.mark.parametrize("turn", range(3))
def test_to_a_clip_that_is_whole_only_the_one_gives_way_that_is_being_decoded(clip, tmp_path, turn):
    del turn  # it is luck who comes first
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip)
    with contextlib.ExitStack() as stack:

        def decoder():
            return stack.enter_context(Decoder(FrameChoice(), Run(StopSignal(), ignore)))

        for each in [decoder() for _ in range(8)]:
            each.run.arrived(0, clip[:6000], len(clip))
        give_up_at = time.monotonic() + AT_MOST_S
        while not decoding._arriving and time.monotonic() < give_up_at:
            time.sleep(0.01)
        decoder().decode(path)
        assert len(decoding_early()) == 7
