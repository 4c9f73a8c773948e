"""Bad input through the node itself: refused before money, in words that help, and without a single connection.

The fixture `sockets` fails a test in which one was tried. Tests may run as root, whom no right stops, so what cannot be
written to is something else that stands in the way.
"""

import asyncio
import re
import subprocess
import sys

import pytest
import torch
from pack import ROOT
from sora2pro import NODE_CLASS_MAPPINGS
from sora2pro.nodes.errors import (
    ConfigurationError,
    InvalidInputError,
    JournalUnavailableError,
    MissingTokenError,
    RunComfyError,
)
from sora2pro.nodes.runcomfy.settings import write_settings_file
from sora2pro.nodes.runcomfy.store.journal import Journal

NOTHING_SPENT = "Nothing was sent to RunComfy and nothing was charged."
TOKEN = "rc-0123456789-secret"  # noqa: S105 - a made-up one
HOSTED = "https://pictures.example.org/cat.png"
ImageToVideo = NODE_CLASS_MAPPINGS["Sora2ProImageToVideo"]
Status = NODE_CLASS_MAPPINGS["Sora2ProStatus"]


def picture(*shape, fill=0.5):
    return torch.full(shape, fill)


def with_one(value):
    """A picture of which a single value is none that a picture can have."""
    image = picture(1, 8, 8, 3)
    image[0, 4, 4, 1] = value
    return image


@pytest.fixture
def folders(monkeypatch, tmp_path):
    """A state folder and an output folder, a token, and nothing else."""
    monkeypatch.setenv("RUNCOMFY_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("RUNCOMFY_OUTPUT_DIR", str(tmp_path / "output"))
    monkeypatch.setenv("RUNCOMFY_API_TOKEN", TOKEN)
    return tmp_path


def refusal(**inputs):
    """The error of a run, once it is made sure that nothing was bought."""
    inputs = {"image": picture(1, 8, 8, 3), "prompt": "a cat", "decode_frames": False, **inputs}
    with pytest.raises(RunComfyError) as raised:
        asyncio.run(ImageToVideo().generate(**inputs))
    error = raised.value
    assert NOTHING_SPENT in str(error)
    assert str(error).startswith(error.what)
    assert error.remedy
    assert "secret" not in str(error)
    return error


BATCH_WITH_ONE_BAD = torch.cat([picture(1, 8, 8, 3), with_one(float("nan"))])
TABLE = [
    ("no prompt", {"prompt": ""}, "The prompt is empty.", "Describe what should happen"),
    ("a blank prompt", {"prompt": " \n "}, "The prompt is empty.", "Describe what should happen"),
    ("an invisible prompt", {"prompt": "\u200b\u200d\ufeff"}, "The prompt is empty.", "Describe what should happen"),
    ("a prompt of one NUL", {"prompt": "\x00"}, "The prompt is empty.", "Describe what should happen"),
    ("an over-long prompt", {"prompt": "x" * 32_001}, "32,001 characters", "Shorten it."),
    ("half a character", {"prompt": "\ud800"}, "broken character", "Type it again."),
    ("a size of no model", {"size": "1920x1080"}, "does not accept '1920x1080' as 'size'", "Choose one of 1280x720"),
    ("a size that is none", {"size": "wide"}, "does not accept 'wide' as 'size'", "1280x720"),
    ("seconds of no model", {"seconds": 5}, "does not accept 5 as 'seconds'", "Choose one of 4, 8, 12."),
    ("seconds as text", {"seconds": "4"}, "does not accept '4' as 'seconds'", "Choose one of 4, 8, 12."),
    ("a seed below zero", {"seed": -1}, "-1 is not a seed", "whole number from 0"),
    ("no picture at all", {"image": None}, "There is no picture.", "Connect 'image'"),
    ("blanks for an address", {"image": None, "image_url": "  "}, "There is no picture.", "Connect 'image'"),
    ("two pictures", {"image_url": HOSTED}, "Both 'image' and 'image_url' are given.", "Use one of the two"),
    ("an address without https", {"image": None, "image_url": "http://example.org/x"}, "https://", "public https"),
    ("an address with a password", {"image": None, "image_url": "https://u:secret@example.org"}, "password", "public"),
    ("an address at home", {"image": None, "image_url": "https://192.168.1.2/x"}, "private network", "public https"),
    ("an address that is none", {"image": None, "image_url": "https://[::1"}, "not a usable address", "public https"),
    ("auto size without pixels", {"image": None, "image_url": HOSTED, "size": "auto"}, "'auto' needs", "Choose a size"),
    ("a fit that is none", {"fit": "zoom"}, "'zoom' is not a way to fit", "crop, pad, blur pad, stretch"),
    ("no pictures in the batch", {"image": picture(0, 8, 8, 3)}, "holds no pixels", "gave an empty picture"),
    ("a picture without height", {"image": picture(1, 0, 8, 3)}, "holds no pixels", "gave an empty picture"),
    ("a picture without width", {"image": picture(1, 8, 0, 3)}, "holds no pixels", "gave an empty picture"),
    ("a picture without a batch", {"image": picture(8, 8, 3)}, "is not a ComfyUI IMAGE", "Load Image"),
    ("a batch of batches", {"image": picture(1, 1, 8, 8, 3)}, "is not a ComfyUI IMAGE", "Load Image"),
    ("a latent", {"image": {"samples": picture(1, 4, 8, 8)}}, "is not a ComfyUI IMAGE", "Load Image"),
    ("two channels", {"image": picture(1, 8, 8, 2)}, "has 2 channels", "Convert it to RGB"),
    ("five channels", {"image": picture(1, 8, 8, 5)}, "has 5 channels", "Convert it to RGB"),
    ("a NaN", {"image": with_one(float("nan"))}, "NaN or infinity", "failed VAE decode"),
    ("an infinity", {"image": with_one(float("inf"))}, "NaN or infinity", "failed VAE decode"),
    ("a minus infinity", {"image": with_one(-float("inf"))}, "NaN or infinity", "failed VAE decode"),
    ("whole numbers", {"image": torch.zeros(1, 8, 8, 3, dtype=torch.uint8)}, "torch.uint8", "Divide the values"),
    ("one bad of two", {"image": BATCH_WITH_ONE_BAD, "max_clips": 2}, "NaN or infinity", "failed VAE decode"),
    ("more pictures than clips", {"image": picture(3, 8, 8, 3), "max_clips": 2}, "holds 3 pictures", "'max_clips'"),
    ("no clips at all", {"max_clips": 0}, "'max_clips' is 0", "whole number from 1"),
    ("every nothingth frame", {"select_every_nth": 0}, "'select_every_nth' is 0", "whole number from 1"),
    ("less than no frames", {"frame_load_cap": -1}, "'frame_load_cap' is -1", "whole number from 0"),
]


@pytest.mark.usefixtures("folders")
@pytest.mark.parametrize("rehearse", [False, True], ids=["for money", "rehearsal"])
@pytest.mark.parametrize(("inputs", "what", "remedy"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_bad_input_is_refused_before_money_in_words_that_help(inputs, what, remedy, rehearse, folders):
    error = refusal(**inputs, rehearse=rehearse)
    assert type(error) is InvalidInputError
    assert isinstance(error, ValueError)
    assert what in error.what
    assert remedy in error.remedy
    assert Journal(folders / "state").newest() is None
    assert not list(folders.glob("output/*.mp4"))


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"prompt": " "}, "The prompt is empty."),
        ({"prompt": "\u3164"}, "The prompt is empty."),
        ({"prompt": "x" * 32_001}, "32,001 characters"),
        ({"prompt": None}, None),
        ({"prompt": "a cat"}, None),
    ],
    ids=repr,
)
def test_what_can_be_said_is_said_before_the_graph_runs(inputs, problem):
    verdict = ImageToVideo.VALIDATE_INPUTS(**inputs)
    assert verdict is True if problem is None else problem in verdict


class TestToken:
    def test_without_one_the_user_reads_where_to_get_it(self, folders, monkeypatch):
        monkeypatch.delenv("RUNCOMFY_API_TOKEN")
        error = refusal()
        assert type(error) is MissingTokenError
        assert "runcomfy.com (Profile, API Token)" in error.remedy
        assert "'rehearse'" in error.remedy
        assert Journal(folders / "state").newest() is None

    @pytest.mark.parametrize("token", ["two words-secret", "sécret", '""', "secret\x7f"])
    def test_a_malformed_one_is_told_by_its_source(self, folders, monkeypatch, token):
        monkeypatch.setenv("RUNCOMFY_API_TOKEN", token)
        error = refusal()
        assert type(error) is MissingTokenError
        assert "RUNCOMFY_API_TOKEN" in error.what
        assert Journal(folders / "state").newest() is None

    def test_a_rehearsal_needs_none(self, folders, monkeypatch):
        monkeypatch.delenv("RUNCOMFY_API_TOKEN")
        write_settings_file(folders / "state", {"sizes": ["128x72"], "seconds": [1]})
        inputs = {
            "image": picture(1, 8, 8, 3),
            "prompt": "a cat",
            "size": "128x72",
            "seconds": 1,
            "decode_frames": False,
        }
        frames, audio, fps, video, request_id = asyncio.run(ImageToVideo().generate(**inputs, rehearse=True))["result"]
        assert "'decode_frames' is off" in frames[0].message
        assert audio[0]["waveform"].shape[-1] == pytest.approx(audio[0]["sample_rate"], rel=0.01)
        assert fps[0] == pytest.approx(30)
        assert video[0].path.is_file()
        assert request_id[0].startswith("rehearsal-")
        assert Journal(folders / "state").newest() is None


class TestFolders:
    @pytest.mark.parametrize("in_the_way", ["state", "state/locks"])
    def test_a_state_folder_that_cannot_be_written_is_named(self, folders, in_the_way):
        blocking = folders / in_the_way
        blocking.parent.mkdir(exist_ok=True)
        blocking.write_text("a file where a folder should be", encoding="utf-8")
        error = refusal()
        assert isinstance(error, ConfigurationError)
        assert str(folders / "state") in error.what

    def test_a_journal_that_cannot_be_opened_is_named(self, folders):
        (folders / "state" / "journal.sqlite3").mkdir(parents=True)
        error = refusal()
        assert type(error) is JournalUnavailableError
        assert "RUNCOMFY_STATE_DIR" in error.remedy

    def test_an_output_folder_that_cannot_be_written_is_named(self, folders):
        (folders / "output").write_text("a file where the folder should be", encoding="utf-8")
        error = refusal()
        assert type(error) is ConfigurationError
        assert str(folders / "output") in error.what
        assert "RUNCOMFY_OUTPUT_DIR" in error.remedy
        assert Journal(folders / "state").newest() is None

    def test_a_rehearsal_that_cannot_be_written_is_told_in_words(self, folders):
        (folders / "output").write_text("a file where the folder should be", encoding="utf-8")
        error = refusal(rehearse=True)
        assert type(error) is ConfigurationError
        assert str(folders / "output") in error.what


@pytest.mark.usefixtures("folders")
def test_a_setting_that_cannot_be_used_is_named_when_the_node_runs(monkeypatch):
    monkeypatch.setenv("RUNCOMFY_TIMEOUT_S", "for ever")
    error = refusal()
    assert type(error) is ConfigurationError
    assert "RUNCOMFY_TIMEOUT_S" in error.what


@pytest.mark.usefixtures("folders")
def test_a_setting_that_cannot_be_used_does_not_keep_comfyui_from_starting(monkeypatch):
    usual = ImageToVideo.INPUT_TYPES()
    monkeypatch.setenv("RUNCOMFY_TIMEOUT_S", "for ever")
    assert ImageToVideo.INPUT_TYPES() == usual


@pytest.mark.usefixtures("folders")
@pytest.mark.parametrize(
    ("inputs", "what"),
    [
        ({}, "The journal is empty"),
        ({"action": "explode"}, "'explode' is not an action."),
        ({"request_id": "job-7"}, "There is no job-7 in the journal."),
        ({"request_id": "no such id!"}, "neither a request id nor a job"),
        ({"request_id": "../../etc", "action": "collect"}, "neither a request id nor a job"),
        ({"request_id": "job-7", "action": "release"}, "There is no job-7 in the journal."),
        ({"request_id": "", "action": "adopt"}, "'adopt' needs the request id"),
        ({"request_id": "job-7", "action": "adopt"}, "'adopt' needs the request id"),
        ({"request_id": "rehearsal-0123456789abcdef"}, "That is a rehearsal"),
        ({"request_id": "rehearsal-0123456789abcdef", "action": "collect"}, "That is a rehearsal"),
        ({"request_id": "abc", "action": "adopt"}, "There is no uncertain job"),
    ],
    ids=repr,
)
def test_the_status_node_refuses_what_it_cannot_do(inputs, what):
    with pytest.raises(InvalidInputError) as raised:
        asyncio.run(Status().act(**inputs))
    assert what in raised.value.what
    assert re.search("nothing was (sent|changed)|nothing was charged", str(raised.value), re.IGNORECASE)


def said_by(script, *arguments):
    """What a Python of its own prints that is given the folder of the tests and these arguments."""
    command = [sys.executable, "-c", script, str(ROOT / "tests"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


WITHOUT = """
import asyncio, socket, sys
sys.path.insert(0, sys.argv[1])
sys.modules[sys.argv[2]] = None

def refuse(*_):
    print("a socket was opened")

socket.socket.connect = refuse
from pack import load_pack
node = load_pack().NODE_CLASS_MAPPINGS["Sora2ProImageToVideo"]()
try:
    asyncio.run(node.generate(prompt="a cat", decode_frames=False))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


@pytest.mark.usefixtures("folders")
@pytest.mark.parametrize(
    ("module", "remedy"),
    [
        *((package, "pip install") for package in ("av", "cv2", "PIL", "requests")),
        *(
            (f"sora2pro.nodes.{file}", "reinstall the pack")
            for file in ("media.timeline", "run.clips", "run.current", "runcomfy.engine")
        ),
    ],
)
def test_a_missing_package_or_file_is_named_with_the_way_to_get_it(module, remedy):
    said = said_by(WITHOUT, module)
    assert said.startswith("MissingDependencyError: ")
    assert module in said
    assert remedy in said
    assert NOTHING_SPENT in said
    assert "a socket was opened" not in said


ASK_FOR_INPUTS = """
import sys
sys.path.insert(0, sys.argv[1])
sys.modules[sys.argv[2]] = None
from pack import load_pack
try:
    load_pack().NODE_CLASS_MAPPINGS[sys.argv[3]].INPUT_TYPES()
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


@pytest.mark.parametrize("node_id", ["Sora2ProImageToVideo", "Sora2ProStatus", "RunComfyImageToVideo"])
def test_a_missing_file_is_named_when_comfyui_asks_a_node_for_its_inputs(node_id):
    said = said_by(ASK_FOR_INPUTS, "sora2pro.nodes.runcomfy.engine", node_id)
    assert said.startswith("MissingDependencyError: A file of this node pack is missing: ")
    assert "sora2pro.nodes.runcomfy.engine" in said
    assert "reinstall the pack" in said
