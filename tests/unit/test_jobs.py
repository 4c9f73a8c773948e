import dataclasses
import itertools

import pytest
from sora2pro.nodes.errors import InvalidInputError
from sora2pro.nodes.runcomfy.generation import MAX_SEED, Picture
from sora2pro.nodes.runcomfy.jobs import POSSIBLE, Action, JobState, is_legal
from sora2pro.nodes.runcomfy.models import SORA_2_PRO, Role, Size
from sora2pro.nodes.runcomfy.picture_urls import MAX_URL_CHARS, check_image_url
from sora2pro.nodes.runcomfy.sentences import charge_sentence
from support.values import PICTURE, made_job, made_request

LEGAL = {
    "prepared": "submitting",
    "submitting": "prepared submitted rejected uncertain",
    "submitted": "completed failed cancelled",
    "completed": "completed downloaded failed cancelled",
    "downloaded": "completed",
    "uncertain": "submitted",
    "failed": "submitted",
    "cancelled": "submitted",
    "rejected": "",
}
HOSTED = "https://pictures.example.org/cat.png"


@pytest.mark.parametrize(
    ("source", "target"), list(itertools.product(JobState, JobState)), ids=lambda state: state.value
)
def test_a_job_goes_only_the_ways_of_the_design(source, target):
    assert is_legal(source, target) == (target.value in LEGAL[source.value].split())


def test_no_way_leads_from_a_request_that_was_sent_back_to_sending_it():
    """Only a submit that certainly was not accepted goes back to `prepared`."""
    reachable = {JobState.SUBMITTED}
    for _ in JobState:
        reachable |= {target for source in reachable for target in JobState if is_legal(source, target)}
    assert reachable.isdisjoint({JobState.PREPARED, JobState.SUBMITTING})


def test_only_jobs_that_hold_money_or_hope_can_be_released():
    assert {state.value for state, actions in POSSIBLE.items() if Action.RELEASE in actions} == {
        "uncertain",
        "failed",
        "cancelled",
        "submitted",
        "completed",
    }


def test_the_fingerprint_is_the_same_on_every_machine_and_in_every_version():
    """Changing this value makes every user pay again for the clips they have."""
    assert made_request().fingerprint() == "d64912907f25b0eea2395474f4e214d742e89a26bec9ac13488e6a6501b9081d"


# Of the first release. Changing one makes every user pay again for such a clip.
FINGERPRINTS = [
    ({}, "d64912907f25b0eea2395474f4e214d742e89a26bec9ac13488e6a6501b9081d"),
    ({"prompt": "A fox runs.\nThen it sleeps."}, "e7990f1832449f2895531f21f2b4d1f6fbfc3be3750c873adf5f73de973a7d6f"),
    ({"prompt": "A fox runs.\r\nThen it sleeps."}, "b339551ae9aefb91db5be1dfbd08fb8c0c64f9de732e8b6d0890005651ac8a99"),
    ({"prompt": "caf\u00e9"}, "92b8b3f86f27d081768dfca9b2e96aa29f1a0a1651916cd49f8e4098e69c11ab"),
    ({"prompt": "cafe\u0301"}, "3f87b1825f601bcaf4ed4b435b598cdc13e5da07895ad32b699d842fd49a62b3"),
    ({"prompt": "  a cat  "}, "227fb21765e035a5feda6104fea972fb7dbb8e97fdd61cf0d858b8c94429de38"),
    ({"prompt": "\U0001f408 \u732b"}, "e03fabc9edc2c6466427482811e759789f049aff57f78987e4325bd5495f31c4"),
    ({"seconds": 8}, "fa16cbf3fa14a48dfa12e3b38ab2517b373f57d31c8dfe7672cafd7a366168f0"),
    ({"seconds": 12, "take": 2**64 - 1}, "3e6ebc6d59993f911d21b8f93a9d9627f78d224ad47257a80aa4b94e7e2dc0ec"),
    ({"size": "1024x1792"}, "3679048f198c4209685aa9445faa1fc941ac3a44d097b7a974b0a314b5099c80"),
    (
        {"pictures": (Picture.from_url("https://example.com/fox.png?sig=a%2Fb"),)},
        "124e079cca309c90cc2c1c6d1276c04450383bdf9fac7ffa2734a70236c84879",
    ),
    ({"take": 7}, "2533dda16ea7489a5b42a0d1fcb4dd681c6974a3ec8a6d63129d1e203f8f93ea"),
]


@pytest.mark.parametrize(("changes", "fingerprint"), FINGERPRINTS)
def test_every_clip_that_was_bought_keeps_its_fingerprint_and_is_looked_up_by_it(changes, fingerprint):
    assert made_request(**changes).fingerprint() == fingerprint
    assert made_request(**changes).fingerprints()[0] == fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a dog"},
        {"prompt": "a cat "},
        {"size": "720x1280"},
        {"seconds": 8},
        {"take": 1},
        {"pictures": (Picture(value=PICTURE.value, identity="1" * 64),)},
        {"pictures": (Picture(value=HOSTED, identity=HOSTED),)},
    ],
    ids="+".join,
)
def test_another_wish_has_another_fingerprint(change):
    assert made_request(**change).fingerprint() != made_request().fingerprint()


def test_another_model_has_another_fingerprint():
    other = dataclasses.replace(SORA_2_PRO, model_id="openai/sora-3/image-to-video")
    assert made_request(model=other).fingerprint() != made_request().fingerprint()


def test_what_only_the_encoder_or_the_list_of_the_model_changes_leaves_the_fingerprint_alone():
    as_jpeg = Picture(value="data:image/jpeg;base64,BBBB", identity=PICTURE.identity)
    dearer = dataclasses.replace(SORA_2_PRO.with_choices(Role.LENGTH, (4, 8, 12, 16)), list_usd_per_second=9.0)
    assert made_request(pictures=(as_jpeg,), model=dearer).fingerprint() == made_request().fingerprint()


def test_no_two_fields_of_a_request_can_flow_into_each_other():
    first = made_request(prompt='a cat","1280x720"', size="1280x720")
    second = made_request(prompt="a cat", size="1280x720")
    assert first.fingerprint() != second.fingerprint()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"prompt": ""}, "prompt is empty", id="no prompt"),
        pytest.param({"prompt": " \n\t "}, "prompt is empty", id="blank prompt"),
        pytest.param({"prompt": "x" * 32_001}, "32,001 characters; the model takes 32,000", id="long prompt"),
        pytest.param({"prompt": "a \ud800 cat"}, "broken character", id="half a character"),
        pytest.param({"size": "1920x1080"}, "does not accept '1920x1080' as 'size'", id="size of no model"),
        pytest.param({"size": "720x720"}, "Choose one of 1280x720, 720x1280, 1024x1792, 1792x1024", id="square"),
        pytest.param({"seconds": 5}, "does not accept 5 as 'seconds'. Nothing was sent", id="seconds between"),
        pytest.param({"seconds": 0}, "Choose one of 4, 8, 12", id="no seconds"),
        pytest.param({"seconds": True}, "does not accept True as 'seconds'", id="seconds as a switch"),
        pytest.param({"seconds": "4"}, "does not accept '4' as 'seconds'", id="seconds as text"),
        pytest.param({"take": -1}, "-1 is not a seed", id="seed below zero"),
        pytest.param({"take": MAX_SEED + 1}, "is not a seed", id="seed beyond the widget"),
        pytest.param({"take": 1.5}, "1.5 is not a seed", id="seed between"),
        pytest.param({"take": True}, "True is not a seed", id="seed as a switch"),
    ],
)
def test_a_request_that_the_model_would_refuse_is_refused_before_money(change, words):
    with pytest.raises(InvalidInputError) as raised:
        made_request(**change).validated()
    text = str(raised.value)
    assert words in text
    assert "Nothing was sent to RunComfy and nothing was charged." in text
    assert raised.value.remedy


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "x" * 32_000},
        {"prompt": "猫 \U0001f408"},
        {"seconds": 12},
        {"take": MAX_SEED},
        {"size": "1792x1024"},
    ],
    ids=["longest prompt", "every script", "longest clip", "largest seed", "largest size"],
)
def test_what_the_model_takes_is_taken(change):
    request = made_request(**change)
    assert request.validated() is request


NOTHING_TO_SEE = {
    "zero-width characters and a byte order mark": "\u200b\u200d\u2060\ufeff",
    "a NUL": "\x00",
    "control characters": "\x01\x1b\x7f\x9f",
    "direction marks": "\u200e\u200f\u202a\u202e\u2066\u2069\u061c",
    "blanks of every width": "\xa0\u1680\u2000\u2009\u202f\u205f\u3000\u2028\u2029",
    "soft hyphens": "\xad\xad",
    "Hangul fillers": "\u115f\u1160\u3164\uffa0",
    "empty Braille": "\u2800\u2800",
    "variation selectors": "\ufe0e\ufe0f\U000e0100\u180b",
    "tags": "\U000e0001\U000e0041\U000e007f",
    "marks with nothing below them": "\u0301\u034f\u20dd\u17b4",
    "an empty note head": "\U0001d159",
    "blank hieroglyphs": "\U00013441\U00013442",
    "private and unassigned code points": "\ue000\U0010fffd\uffff\u0378",
    "all of it between line breaks": "\r\n\u200b\t\u3164 \x00\n",
}


@pytest.mark.parametrize("prompt", NOTHING_TO_SEE.values(), ids=NOTHING_TO_SEE)
def test_a_prompt_that_shows_nothing_is_refused_before_money(prompt):
    with pytest.raises(InvalidInputError) as raised:
        made_request(prompt=prompt).validated()
    assert raised.value.what.startswith("The prompt is empty.")
    assert raised.value.what.encode()


@pytest.mark.parametrize("prompt", NOTHING_TO_SEE.values(), ids=NOTHING_TO_SEE)
def test_a_prompt_with_such_characters_among_words_is_sent_as_it_was_typed(prompt):
    request = made_request(prompt=f"{prompt}a cat{prompt}sleeps{prompt}").validated()
    assert request.body()["prompt"] == f"{prompt}a cat{prompt}sleeps{prompt}"


@pytest.mark.parametrize(
    "prompt", ["?", ".", "7", "猫", "é", "e\u0301", "한", "🐈", "👩\u200d🚀", "❤\ufe0f", "▁", "\ufffd"]
)
def test_a_prompt_of_a_single_sign_says_something(prompt):
    assert made_request(prompt=prompt).validated()


@pytest.mark.parametrize("text", ["1280x720", "720x1280", "10x10"])
def test_a_size_is_read_back_as_it_is_written(text):
    assert str(Size.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "auto", "1280", "1280X720", "1280 x 720", "0x0", "-1x5", "01x5", "1e3x720", "123456x720"]
)
def test_a_text_that_is_not_a_size_is_refused_with_an_example(text):
    with pytest.raises(InvalidInputError, match="1280x720"):
        Size.parse(text)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("http://pictures.example.org/cat.png", "must begin with https://", id="plain http"),
        pytest.param("ftp://pictures.example.org/cat.png", "must begin with https://", id="ftp"),
        pytest.param("cat.png", "must begin with https://", id="a file name"),
        pytest.param("data:image/png;base64,AAAA", "must begin with https://", id="data URI"),
        pytest.param("https://me:secret@pictures.example.org/cat.png", "user name or password", id="credentials"),
        pytest.param("https://me@pictures.example.org/cat.png", "user name or password", id="a user"),
        pytest.param("https://localhost/cat.png", "this machine or a private network", id="localhost"),
        pytest.param("https://cat.localhost/cat.png", "this machine or a private network", id="below localhost"),
        pytest.param("https://LOCALHOST/cat.png", "this machine or a private network", id="LOCALHOST"),
        pytest.param("https://localhost./cat.png", "this machine or a private network", id="localhost with a dot"),
        pytest.param("https://127.0.0.1/cat.png", "this machine or a private network", id="loopback"),
        pytest.param("https://[::1]/cat.png", "this machine or a private network", id="loopback v6"),
        pytest.param("https://192.168.1.9/cat.png", "this machine or a private network", id="home network"),
        pytest.param("https://10.0.0.1:8443/cat.png", "this machine or a private network", id="office network"),
        pytest.param(
            "https://169.254.169.254/latest/meta-data", "this machine or a private network", id="cloud metadata"
        ),
        pytest.param("https://nas.local/cat.png", "this machine or a private network", id="mDNS"),
        pytest.param("https://cats.internal/cat.png", "this machine or a private network", id="internal"),
        pytest.param("https:///cat.png", "this machine or a private network", id="no host"),
        pytest.param("https://pictures.example.org/my cat.png", "without spaces", id="blank inside"),
        pytest.param("https://pictures.example.org/cat\n.png", "without spaces", id="line break"),
        pytest.param("https://pictures.example.org/\x00", "without spaces", id="null byte"),
        pytest.param("https://bücher.example/cat.png", "ASCII", id="other letters"),
        pytest.param("https://pictures.example.org/" + "x" * MAX_URL_CHARS, "at most 8192", id="too long"),
        pytest.param("https://pictures.example.org:99999/cat.png", "not a usable address", id="no such port"),
        pytest.param("https://[::1/cat.png", "not a usable address", id="open bracket"),
    ],
)
def test_an_address_that_runcomfy_could_never_download_is_refused_without_repeating_it(url, words):
    with pytest.raises(InvalidInputError) as raised:
        check_image_url(url)
    assert words in str(raised.value)
    assert url not in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "connect 'image' instead" in raised.value.remedy


@pytest.mark.parametrize(
    "url",
    [
        HOSTED,
        "HTTPS://Pictures.Example.ORG/cat.png",
        f"{HOSTED}?sig=a%2Fb&x=1#y",
        "https://203.0.112.7/cat.png",
        f"  {HOSTED}\n",
    ],
)
def test_a_public_https_address_is_taken_as_it_is(url):
    reference = Picture.from_url(url)
    assert reference.value == reference.identity == url.strip()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cost_usd": 2.4, "may_be_charged": True}, "RunComfy charged $2.40 for it."),
        ({"cost_usd": 0.0}, "RunComfy charged $0.00 for it."),
        ({}, "Nothing was charged for it."),
    ],
)
@pytest.mark.parametrize("state", JobState)
def test_what_is_known_of_the_charge_is_said_in_any_state(state, changes, sentence):
    assert charge_sentence(made_job(state, **changes)) == sentence


@pytest.mark.parametrize(("expected_usd", "figure"), [(None, ""), (1.2, " (expected: $1.20)")])
@pytest.mark.parametrize("state", JobState)
def test_what_may_be_charged_is_said_for_every_state(state, expected_usd, figure):
    said = charge_sentence(made_job(state, may_be_charged=True, expected_usd=expected_usd))
    by_state = {
        JobState.SUBMITTED: "RunComfy has accepted it and will charge for it",
        JobState.COMPLETED: "It is paid for; RunComfy has not named the amount yet",
        JobState.DOWNLOADED: "It is paid for; RunComfy has not named the amount yet",
    }
    assert said == f"{by_state.get(state, 'It may have been charged')}{figure}."


@pytest.mark.parametrize(
    ("state", "changes", "holds"),
    [
        *((state, {}, state not in (JobState.REJECTED, JobState.CANCELLED)) for state in JobState),
        (JobState.CANCELLED, {"may_be_charged": True}, True),
        *((state, {"is_released": True, "may_be_charged": True}, False) for state in JobState),
    ],
)
def test_a_job_keeps_the_same_inputs_from_being_bought_again_until_it_cannot_cost_or_is_released(state, changes, holds):
    assert made_job(state, **changes).holds_fingerprint is holds


def test_a_clip_counts_as_there_only_at_its_full_length(tmp_path):
    path = tmp_path / "clip.mp4"
    job = made_job(JobState.DOWNLOADED, path=path, file_bytes=4)
    assert not job.has_whole_file
    path.write_bytes(b"cli")
    assert not job.has_whole_file
    path.write_bytes(b"clip")
    assert job.has_whole_file
    assert not made_job(JobState.COMPLETED, path=path, file_bytes=4).has_whole_file
    assert not made_job(JobState.DOWNLOADED).has_whole_file
