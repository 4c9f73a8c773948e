"""Where the clip is in an answer, and how its address is written: what is valid stays byte for byte."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sora2pro.nodes.runcomfy.api.answers import parse_result
from sora2pro.nodes.runcomfy.clip_urls import MAX_ADDRESS_CHARS, redirected, why_refused, written_for_http

OWN = "https://playgrounds-storage-public.runcomfy.net"
CLIP = f"{OWN}/aB%3D/c%3d/output/Z-5_output.mp4"
BARE = f"{OWN}/output/Z-5_output?X-Signature=a%2Fb%2fc"
PICTURE = f"{OWN}/thumb.png"
FOREIGN = "https://evil.example/clip.mp4"


def found(output, **beside):
    return parse_result({"status": "succeeded", "output": output, **beside}).video_url


@pytest.mark.parametrize("url", [CLIP, BARE])
@pytest.mark.parametrize(
    "output",
    [
        lambda url: {"video_url": url},
        lambda url: {"result": {"video": url}},
        lambda url: {"outputs": [{"url": url}]},
        lambda url: {"data": {"files": [{"file": {"uri": url}}]}},
        lambda url: {"videos": {"first": url}},
        lambda url: json.dumps({"video": url}),
        lambda url: json.dumps(json.dumps([url])),
        lambda url: {"result": json.dumps({"video": url})},
        lambda url: {"image": PICTURE, "video": url},
        lambda url: [PICTURE, url],
        lambda url: [{"type": "image", "url": PICTURE}, {"type": "video", "url": url}],
        lambda url: {"thumbnail": f"{OWN}/preview.mp4", "url": url},
        lambda url: {"url": FOREIGN, "video": url},
        lambda url: {"video": FOREIGN, "mirror": url},
        lambda url: {"image_to_video": url},
        lambda url: {"input": {"video": f"{OWN}/decoy.mp4"}, "url": url},
        lambda url: {"status_url": f"{OWN}/v1/requests/1/status", "url": url},
        lambda url: {"note": "done", "seed": 7, "url": url},
    ],
)
def test_the_clip_is_found_wherever_it_is(output, url):
    assert found(output(url)) == url


@pytest.mark.parametrize(
    "beside",
    [
        {"video_url": CLIP},
        {"result": {"video": CLIP}},
        {"outputs": [{"url": CLIP}]},
        {"results": [CLIP]},
        {"data": {"video": {"url": CLIP}}},
        {"data": {"input": {"video": f"{OWN}/decoy.mp4"}, "output": CLIP}},
        {"response": json.dumps({"url": CLIP})},
        {"videos": [{"url": CLIP}]},
    ],
)
def test_the_clip_is_found_beside_an_empty_output(beside):
    assert found(None, input={"video": f"{OWN}/decoy.mp4"}, **beside) == CLIP


@pytest.mark.parametrize("url", [CLIP, f"{CLIP}?X-Signature=a%2Fb%2fc&x=1"])
@pytest.mark.parametrize(
    "words",
    [
        "The clip is at {}",
        "Ready: {}.",
        "[clip]({})",
        "<video src='{}'></video>",
        "<{}>",
        "'{}'",
        "`{}`",
        '```json\n{{"image": "https://storage.runcomfy.net/x.png", "video": "{}"}}\n```',
        "see https://docs.runcomfy.com/videos and {}",
    ],
)
def test_the_clip_is_found_among_words(words, url):
    assert found(words.format(url)) == url
    assert found({"text": words.format(url)}) == url


def test_an_address_that_leaves_its_scheme_out_is_one_of_https():
    assert found({"video": CLIP.removeprefix("https:")}) == CLIP


def test_a_foreign_address_is_named_where_there_is_no_other():
    assert found({"video": FOREIGN}) == FOREIGN


@pytest.mark.parametrize(
    "output",
    [
        "done",
        "see https://docs.runcomfy.com/videos",
        f"the picture is at {PICTURE}",
        [PICTURE],
        {"thumbnail": BARE},
        {"images": [CLIP]},
        "{",
        f"{OWN}/{'x' * MAX_ADDRESS_CHARS}",
    ],
)
def test_what_is_not_the_address_of_a_clip_is_none(output):
    assert found(output) is None


@pytest.mark.parametrize(
    ("given_as", "written"),
    [
        (f" {CLIP}\n", CLIP),
        (f"\ufeff{CLIP}\u200b", CLIP),
        (f"{OWN}/my clip.mp4", f"{OWN}/my%20clip.mp4"),
        (f"{OWN}/für.mp4", f"{OWN}/f%C3%BCr.mp4"),
        (f"{OWN}/a\r\n\tb.mp4", f"{OWN}/a%0D%0A%09b.mp4"),
        (f"{OWN}/a\\b", f"{OWN}/a%5Cb"),
        (f"{OWN}/100%.mp4", f"{OWN}/100%.mp4"),
    ],
)
def test_what_no_address_may_hold_is_encoded(given_as, written):
    assert found({"video": given_as}) == written


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\")))
def test_what_is_valid_stays_byte_for_byte(text):
    assert written_for_http(f"{OWN}/{text}") == f"{OWN}/{text}"


ADDRESSES = st.one_of(
    st.text(st.characters()),
    st.builds("https://{}".format, st.text(st.characters())),
    st.builds("https://{}runcomfy.net{}".format, st.text(st.characters()), st.text(st.characters())),
    st.builds("https://x.runcomfy.net:{}/{}".format, st.integers(), st.text(st.characters())),
    st.builds(
        "https://{}.runcomfy.net/".format, st.sampled_from(["a" * 70, "xn--a", "xn--\N{SNOWMAN}", "[::1", "\ud800"])
    ),
)


@settings(deadline=None)
@given(ADDRESSES)
@example("https://[x")
@example("https://\ud800.runcomfy.net/x")
@example("https://" + "\x1b[31m\u202e" * 2000)
def test_no_address_breaks_anything_and_every_sentence_is_short_and_printable(address):
    for url in (
        written_for_http(address),
        redirected(f"{OWN}/x", address),
        redirected(f"{OWN}/x", written_for_http(address)),
    ):
        assert url.isascii()
        sentence = why_refused(url, lambda _url: False)
        assert sentence.isprintable()
        assert len(sentence) < 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | ADDRESSES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["video", "url", "x"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON, JSON)
def test_no_answer_breaks_anything(output, other):
    result = parse_result({"output": output, "status": other, "cost": other, "error": other, "model_id": other})
    assert result.video_url is None or result.video_url.isascii()
    for text in (result.word, result.reason, result.model_id or ""):
        assert text.isprintable()
        assert len(text) <= 300


def test_foreign_words_are_made_fit_to_be_shown():
    evil = "\x1b[31m\u202e" + "x" * 100_000
    result = parse_result({"model_id": evil, "status": evil, "error": evil, "queue_position": 10**30})
    for text in (result.word, result.reason, result.model_id):
        assert text.isprintable()
        assert len(text) <= 300
