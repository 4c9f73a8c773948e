import av
import numpy as np
import pytest
from sora2pro.nodes.errors import Stopped
from sora2pro.nodes.media.rehearsal import render
from support import clips


def frames_of(path):
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def sound_of(path):
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def luma_of(frame):
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(frame.height, plane.line_size)[:, : frame.width]


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (720, 1280), (64, 64), (98, 66), (64, 1024)])
def test_a_rehearsal_has_exactly_the_size_length_and_rate_of_the_real_clip(tmp_path, width, height):
    path = tmp_path / "clip.mp4"
    render(clips.photo(width, height), path, seconds=1)
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height, video.average_rate) == (width, height, 30)
        assert video.duration * video.time_base == 1
        assert (audio.codec_context.name, audio.rate, audio.channels) == ("aac", 48000, 2)
        assert audio.duration * audio.time_base == 1
    frames = frames_of(path)
    assert len(frames) == 30
    assert {(int(frame.colorspace), int(frame.color_range)) for frame in frames} == {(1, 1)}


@pytest.mark.parametrize(("width", "height"), [(64, 64), (128, 66), (720, 1280), (1280, 720)])
def test_every_frame_of_a_counted_clip_can_be_told_from_its_pixels(tmp_path, width, height):
    path = tmp_path / "clip.mp4"
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    render(noise, path, seconds=2, frame_counter=True, mark=None)
    numbers = [clips.read_frame_number(frame.to_ndarray(format="rgb24")) for frame in frames_of(path)]
    assert numbers == list(range(60))


def test_a_picture_without_a_counter_is_not_taken_for_a_counted_one():
    for picture in (clips.photo(320, 192), np.zeros((192, 320, 3), np.uint8), np.full((192, 320, 3), 255, np.uint8)):
        with pytest.raises(ValueError, match="frame number"):
            clips.read_frame_number(picture)


def test_the_picture_is_zoomed_and_the_first_frame_is_the_picture_itself(tmp_path):
    path, picture = tmp_path / "clip.mp4", clips.photo(320, 192)
    render(picture, path, seconds=1, mark=None)
    frames = frames_of(path)
    shown = frames[0].reformat(format="yuv444p").to_ndarray()[0].astype(float)
    luma = 16 + 219 * (picture / 255 @ [0.2126, 0.7152, 0.0722])
    assert np.abs(shown - luma).mean() < 2
    assert np.abs(luma_of(frames[-1]).astype(float) - luma_of(frames[0])).mean() > 2


def test_the_mark_is_small_and_can_be_left_out(tmp_path):
    plain, marked = tmp_path / "plain.mp4", tmp_path / "marked.mp4"
    picture = clips.photo(1280, 720)
    render(picture, plain, seconds=1, mark=None)
    render(picture, marked, seconds=1)
    changed = np.abs(luma_of(frames_of(marked)[0]).astype(int) - luma_of(frames_of(plain)[0])) > 16
    assert 0.0005 < changed.mean() < 0.02
    assert not changed[: 720 * 8 // 10].any()


def test_the_tone_is_quiet_and_has_the_asked_pitch(tmp_path):
    path = tmp_path / "clip.mp4"
    render(clips.photo(64, 64), path, seconds=1, tone_hz=1000.0)
    sound = sound_of(path)
    assert 0.03 < np.abs(sound).max() < 0.08
    assert abs(np.abs(np.fft.rfft(sound[0, :48000])).argmax() - 1000) <= 1


def test_without_a_tone_there_is_a_silent_sound_track(tmp_path):
    path = tmp_path / "clip.mp4"
    render(clips.photo(64, 64), path, seconds=1, tone_hz=None)
    assert np.abs(sound_of(path)).max() < 1e-4


def test_the_index_is_at_the_front(tmp_path):
    path = tmp_path / "clip.mp4"
    render(clips.photo(64, 64), path, seconds=1)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_a_stopped_rendering_leaves_no_file_behind(tmp_path):
    path, looks = tmp_path / "clip.mp4", []

    def stop_at_the_tenth_frame():
        looks.append(1)
        if len(looks) == 10:
            raise Stopped("stopped")

    with pytest.raises(Stopped):
        render(clips.photo(64, 64), path, seconds=4, checkpoint=stop_at_the_tenth_frame)
    assert len(looks) == 10
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_every_frame(tmp_path):
    seen = []
    render(clips.photo(64, 64), tmp_path / "clip.mp4", seconds=1, progress=lambda *both: seen.append(both))
    assert seen == [(done, 30) for done in range(1, 31)]
