"""Which request of a model is the same request, what it costs, and what is sent. The hashes are out in the world."""

import pytest
from sora2pro.nodes.errors import InvalidInputError
from sora2pro.nodes.runcomfy.catalogue.offer import differences
from sora2pro.nodes.runcomfy.catalogue.request import CatalogueRequest
from sora2pro.nodes.runcomfy.catalogue.translate import translate
from sora2pro.nodes.runcomfy.generation import Picture
from support.model_values import CATALOGUE, entry_with, wishes_for

PIXVERSE = CATALOGUE.find("pixverse/pixverse-v6/image-to-video")
PICTURE = Picture(value="data:image/png;base64,AAAA", identity="0" * 64)


def request(entry=PIXVERSE, *, picture=PICTURE, take=0, **wishes):
    translation = translate(entry, wishes_for(entry, seed=take, **wishes), catalogue=CATALOGUE)
    return CatalogueRequest(entry, translation, tuple(picture for _ in translation.media), take)


def test_the_fingerprint_stays_as_it_is():
    expected = "17fce6236d3b022341875ed6a9859a48c014d8440e1ff12c77334e85f6f74d38"
    assert request().canonical_fingerprint() == expected


def test_the_encoding_of_a_picture_makes_no_other_clip_but_its_pixels_do():
    again = Picture(value="data:image/png;base64,BBBB", identity=PICTURE.identity)
    other = Picture(value=PICTURE.value, identity="1" * 64)
    assert request(picture=again).canonical_fingerprint() == request().canonical_fingerprint()
    assert request(picture=other).canonical_fingerprint() != request().canonical_fingerprint()


def test_the_spelling_of_a_prompt_makes_no_other_clip():
    typed, elsewhere = request(prompt="A caf\u00e9\r\nat sea"), request(prompt="A cafe\u0301\nat sea")
    assert typed.canonical_fingerprint() == elsewhere.canonical_fingerprint()
    assert elsewhere.fingerprints()[0] in typed.fingerprints()
    assert typed.body()["prompt"] == "A caf\u00e9\r\nat sea"


@pytest.mark.parametrize("wishes", [{"take": 1}, {"duration": 8}, {"resolution": "1080p"}, {"prompt": "A fox"}])
def test_every_wish_makes_another_clip(wishes):
    assert request(**wishes).canonical_fingerprint() not in request().fingerprints()


def test_another_model_makes_another_clip():
    one, other = (entry_with({"image": {"format": "image_uri"}}, model_id=name) for name in ("a/b", "a/c"))
    assert request(one).canonical_fingerprint() != request(other).canonical_fingerprint()


def test_prompt_ratio_and_take_are_of_one_price_and_length_resolution_and_sound_are_not():
    assert request(prompt="A fox", take=3).kind == request().kind
    for wishes in ({"duration": 8}, {"resolution": "1080p"}):
        assert request(**wishes).kind != request().kind


def test_what_is_kept_is_what_is_sent_without_prompt_and_pictures():
    one = request(take=4)
    assert {**one.stored_inputs, "prompt": one.prompt, "image": PICTURE.value} == one.body()


def test_a_picture_goes_into_a_list_where_the_model_takes_one():
    entry = entry_with({"images": {"type": "array", "format": "image_uris"}}, ["images"])
    assert request(entry).body()["images"] == [PICTURE.value]


@pytest.mark.parametrize("usd", [None, 0])
def test_a_price_that_is_none_is_unknown(usd):
    one = request(entry_with({"image": {"format": "image_uri"}}, base_price_usd=usd))
    assert (one.list_usd, one.expected_usd(lambda *_: 9.0)) == (None, None)


@pytest.mark.parametrize("take", [-1, 2**64, 1.5, True, "1"])
def test_what_is_no_seed_is_refused(take):
    with pytest.raises(InvalidInputError, match="not a seed"):
        CatalogueRequest(PIXVERSE, request().translation, (PICTURE,), take).validated()


def test_a_field_that_is_described_otherwise_now_is_named():
    now, before = (entry_with({"duration": {"type": "integer", "default": length}}) for length in (5, 8))
    assert differences(now, before, {"prompt", "duration"}) == ("duration",)
    assert differences(now, None, {"duration"}) == ()
