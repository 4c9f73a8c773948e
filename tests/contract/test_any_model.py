"""`RunComfyImageToVideo`: every model is bought once, with its own fields and the picture to the byte; what cannot be is free."""

import asyncio
import base64
import io
import time

import numpy as np
import pytest
import torch
from emulator import Call, Fault
from emulator.models import CATALOGUE, EVERY_MODEL
from emulator.quirks import QUIRKS, SCHEMA_QUIRKS
from pack import load_pack
from PIL import Image
from sora2pro.nodes.errors import (
    GenerationFailedError,
    InvalidInputError,
    InvalidRequestError,
    MissingTokenError,
    ModelUnavailableError,
    NotEnoughRoomError,
    RunComfyError,
    SpendLimitError,
    Stopped,
    SubmissionUncertainError,
)
from sora2pro.nodes.media import memory
from sora2pro.nodes.run import current
from sora2pro.nodes.runcomfy import (
    CatalogueRequest,
    JobQuery,
    Picture,
    Run,
    StopSignal,
    Wishes,
    progress,
    shipped_catalogue,
    translate,
)
from support.node_runs import run_status

PLAIN = "pixverse/pixverse-v6/image-to-video"
WITH_LAST = "wan-ai/wan-3.0/image-to-video"
NEEDS_LAST = {"first-last-frame", "transition"}
SIZE = (400, 640)  # height, width: within the limits of every model


def picture(level=0.5, *, size=SIZE):
    """A picture of which every column differs, as a batch of one."""
    height, width = size
    row = torch.linspace(0, level, width)
    return row[None, None, :, None].expand(1, height, width, 3).clone()


def run(**inputs):
    """The request ids of one run of the node."""
    node = load_pack().NODE_CLASS_MAPPINGS["RunComfyImageToVideo"]()
    given = {"image": picture(), "prompt": "A fox runs.", "duration": 0, "model": PLAIN, "frame_load_cap": 8, **inputs}
    return asyncio.run(node.generate(**given))["result"][-1]


def refused(kind=InvalidInputError, **inputs):
    """What the user reads."""
    with pytest.raises(kind) as raised:
        run(**inputs)
    return str(raised.value)


def again():
    """ComfyUI after a restart: nothing is remembered but what is on the disk."""
    current._engine.cache_clear()


@pytest.fixture
def started(start_emulator, point_to):
    """Starts an emulator and points the node to it. All models together cost more than is spent in a day by default."""

    def start(variables=None, **options):
        emulator = start_emulator(**options)
        point_to(emulator, **{"RUNCOMFY_MAX_USD_PER_DAY": "none", **(variables or {})})
        again()
        return emulator

    return start


@pytest.fixture
def emulator(started):
    return started()


def pixels_of(uri):
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(data)))


def needs_last(model_id):
    return any(word in model_id for word in NEEDS_LAST)


def test_every_model_is_bought_once_with_a_body_it_accepts_and_the_picture_to_the_byte(started):
    emulator = started({"RUNCOMFY_MAX_USD_PER_DAY": "none"})
    expected = np.rint(picture().numpy()[0] * 255).astype(np.uint8)
    for model in CATALOGUE:
        run(model=model.model_id, end_image=picture(0.9) if needs_last(model.model_id) else None)
        charge = emulator.ledger[-1]
        assert charge.model_id == model.model_id
        (sent,) = model.pictures(charge.body)
        assert np.array_equal(pixels_of(sent), expected), model.model_id
    assert (emulator.charges, emulator.unknown_keys, emulator.text_to_video) == (len(CATALOGUE), set(), [])
    calls = len(emulator.calls)
    for model in CATALOGUE:
        run(model=model.model_id, end_image=picture(0.9) if needs_last(model.model_id) else None)
    assert (emulator.charges, len(emulator.calls)) == (len(CATALOGUE), calls)


def test_after_a_restart_and_without_a_network_a_clip_is_served_all_the_same(emulator):
    ids = run()
    emulator.close()
    again()
    assert run() == ids


def test_a_clip_of_a_model_that_was_withdrawn_since_is_served_and_a_new_one_is_refused(emulator):
    ids = run()
    emulator.configure(quirks={PLAIN: QUIRKS["retired-404"]})
    again()
    assert run() == ids
    assert f"no longer offers this model: '{PLAIN}'" in refused(seed=1)
    assert emulator.charges == 1


def test_another_take_another_picture_and_another_wish_are_other_clips(emulator):
    for other in ({}, {"seed": 7}, {"image": picture(0.4)}, {"duration": 8}, {"prompt": "A fox sleeps."}):
        run(**other)
        run(**other)
    assert emulator.charges == 5
    assert emulator.ledger[1].body["seed"] == 7


def test_each_picture_of_a_batch_is_a_clip_and_one_last_picture_goes_to_all(emulator):
    batch = torch.cat([picture(0.3), picture(0.6)])
    assert "'max_clips' is 1" in refused(model=WITH_LAST, image=batch, end_image=picture(0.9))
    ids = run(model=WITH_LAST, image=batch, end_image=picture(0.9), max_clips=2)
    assert len(set(ids)) == emulator.charges == 2
    assert len({charge.body["image_url"] for charge in emulator.ledger}) == 2
    assert len({charge.body["end_image_url"] for charge in emulator.ledger}) == 1


REFUSED = {
    "a length it lacks": ({"duration": 60}, "cannot make clips of 60 seconds"),
    "a resolution it lacks": ({"resolution": "4k"}, "does not have the resolution '4k'"),
    "a value of another catalogue": ({"resolution": "9999p"}, "does not have the resolution '9999p'"),
    "a last picture it lacks": ({"end_image": picture()}, "does not take a last picture"),
    "no picture": ({"image": None}, "There is no picture"),
    "no prompt": ({"prompt": "  "}, "prompt is empty"),
    "a prompt nobody sees": ({"prompt": "\u200b\u2060"}, "All characters of 'prompt' are invisible"),
    "two pictures for one": ({"image_url": "https://example.com/fox.png"}, "Both 'image' and 'image_url'"),
    "a resolution of the id": (
        {"model": "bytedance/seedance-2.5/image-to-video/480p", "resolution": "720p"},
        "bytedance/seedance-2.5/image-to-video/720p",
    ),
    "a missing last picture": ({"model": "pixverse/pixverse-v6/transition"}, "needs a last picture too"),
    "an unknown field": ({"extra_json": '{"nonsense": 1}'}, "has no 'nonsense'"),
    "a field twice": ({"duration": 5, "extra_json": '{"duration": 5}'}, "Both the input 'duration'"),
    "broken JSON": ({"extra_json": "{"}, "not valid JSON"),
    "a retired id": ({"custom_model_id": "openai/sora-2/image-to-video"}, "no longer offers"),
    "an unknown id": ({"custom_model_id": "kling/kling-3.0/pro/image-to-vide"}, "kling/kling-3.0/pro/image-to-video"),
    "an id of another place": ({"custom_model_id": "../requests/x"}, "is not the id of a model"),
    "a seed out of range": ({"seed": -1}, "seed"),
    "a picture too small": (
        {"model": "alibaba/happyhorse-1.1/image-to-video", "image": picture(size=(200, 320))},
        "at least 300",
    ),
    "two last pictures for one clip": (
        {"model": WITH_LAST, "end_image": torch.cat([picture(), picture()])},
        "'end_image' holds 2 pictures",
    ),
}


@pytest.mark.parametrize(("inputs", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_fulfilled_is_refused_in_words_and_free(emulator, inputs, words):
    said = refused(**inputs)
    assert words in said
    assert "Nothing was sent" in said
    assert (emulator.charges, emulator.seen(Call.SUBMIT)) == (0, [])


ODD_OFFERS = (
    "price-null",
    "price-missing",
    "price-string",
    "price-negative",
    "price-nan",
    "price-true",
    "price-unknown-unit",
    "other-id",
    "kind-workflow",
    "new-required-field",
    "retired-404",
)


@pytest.mark.parametrize("name", ODD_OFFERS)
def test_an_odd_offer_is_refused_in_words_and_free(started, name):
    emulator = started(quirks={PLAIN: QUIRKS[name]})
    assert "Nothing was sent" in refused()
    assert (emulator.charges, emulator.seen(Call.SUBMIT)) == (0, [])


@pytest.mark.parametrize(
    "name", ["catalogue-500", "catalogue-cut-off", "catalogue-html", "catalogue-invalid-json", "schema-null"]
)
def test_where_the_description_cannot_be_read_the_shipped_one_serves(started, name):
    emulator = started(quirks={PLAIN: QUIRKS[name]})
    run()
    assert emulator.charges == 1
    assert "last known one was used" in current.current_engine().offer(PLAIN, StopSignal()).note


def test_the_live_description_wins_over_the_shipped_one(started):
    emulator = started(quirks={PLAIN: QUIRKS["longer-default-length"]})
    run()
    assert emulator.ledger[-1].body["duration"] == 15


def test_a_description_is_asked_for_once(emulator):
    run()
    run(seed=1)
    assert len(emulator.seen(Call.CATALOGUE)) == 1


def test_the_journal_says_by_which_description_each_clip_was_bought(emulator):
    def facts_of_the_newest():
        again()
        run(seed=len(emulator.ledger) + 1)
        job = current.current_engine().jobs(JobQuery()).jobs[0]
        return job.schema_source, job.schema_hash

    shipped = shipped_catalogue().find(PLAIN).schema_hash
    emulator.inject(Fault(Call.CATALOGUE, "500", times=None))
    assert facts_of_the_newest() == ("shipped", shipped)
    emulator.clear_faults()
    source, live = facts_of_the_newest()
    assert (source, len(live)) == ("live", 64)
    emulator.inject(Fault(Call.CATALOGUE, "500", times=None))
    assert facts_of_the_newest() == ("kept", live)
    assert emulator.charges == 3


@pytest.mark.parametrize("name", ["odd-id", "list-with-items", "float", "length-auto", "resolution-in-capitals"])
def test_an_id_that_was_typed_is_bought_by_its_live_description(started, name):
    model = SCHEMA_QUIRKS[name]
    emulator = started(models=(*EVERY_MODEL, model))
    run(custom_model_id=model.model_id)
    assert (emulator.ledger[-1].model_id, emulator.text_to_video) == (model.model_id, [])


def test_a_description_that_is_itself_wrong_can_be_overruled(started):
    emulator = started({"RUNCOMFY_SCHEMA_STRICT": "0"}, quirks={PLAIN: QUIRKS["takes-unknown-fields"]})
    run(extra_json='{"novelty": 1}')
    assert emulator.ledger[-1].body["novelty"] == 1


def test_the_caps_count_the_estimate_and_an_unknown_price_is_no_price(started):
    emulator = started({"RUNCOMFY_MAX_USD_PER_CLIP": "0.5"})
    assert "limit of $0.50 per clip" in refused(SpendLimitError, model="kling/kling-3.0/4k/image-to-video", duration=5)
    assert emulator.charges == 0
    emulator = started({"RUNCOMFY_MAX_USD_PER_CLIP": "100"}, quirks={WITH_LAST: QUIRKS["catalogue-500"]})
    assert "The price of this clip is not known" in refused(SpendLimitError, model=WITH_LAST)
    assert emulator.charges == 0
    emulator = started({"RUNCOMFY_MAX_USD_PER_DAY": "0.7"})
    run(model="kling/kling-3.0/standard/image-to-video", duration=5)
    assert "daily limit" in refused(
        SpendLimitError, model="kling/kling-3.0/standard/image-to-video", duration=5, seed=2
    )
    assert emulator.charges == 1


def test_the_last_price_paid_for_the_same_kind_wins(started):
    emulator = started(quirks={PLAIN: QUIRKS["dearer-than-said"]})
    run()
    paid = emulator.ledger[-1].usd
    run(seed=1)
    job = current.current_engine().jobs(JobQuery()).jobs[0]
    assert job.expected_usd == pytest.approx(paid)


def test_a_lost_answer_is_uncertain_and_never_sent_again(emulator):
    emulator.inject(Fault(Call.SUBMIT, "reset", after_accept=True))
    refused(SubmissionUncertainError)
    refused(SubmissionUncertainError)
    assert (emulator.charges, len(emulator.seen(Call.SUBMIT))) == (1, 1)
    status, *_media, request_id, report = run_status(emulator.ledger[0].request_id, "adopt")
    assert (status, request_id) == ("submitted", emulator.ledger[0].request_id), report
    assert run() == [request_id]
    assert emulator.charges == 1


def test_a_refusal_at_the_submission_is_free_and_names_the_way_on(started):
    emulator = started(quirks={PLAIN: QUIRKS["https-only"]})
    assert "'image_url'" in refused(InvalidRequestError)
    emulator.configure(quirks={PLAIN: QUIRKS["retired-404-at-submission"]})
    assert "'Image to Video, any model (RunComfy)'" in refused(ModelUnavailableError, seed=1)
    assert emulator.charges == 0


def test_an_accepted_request_of_a_withdrawn_model_fails_once_and_is_not_bought_again(started):
    emulator = started(quirks={PLAIN: QUIRKS["retired-failed"]})
    refused(GenerationFailedError)
    refused(GenerationFailedError)
    assert len(emulator.ledger) == 1


def test_a_picture_in_the_web_is_sent_as_its_address(emulator):
    run(image=None, image_url="https://example.com/fox.png")
    assert emulator.ledger[-1].body["image"] == "https://example.com/fox.png"


def test_a_picture_beyond_a_limit_in_bytes_is_reduced_in_its_shape(started):
    model = SCHEMA_QUIRKS["validations"]
    emulator = started(models=(*EVERY_MODEL, model))
    noise = torch.rand((1, 1600, 2400, 3), generator=torch.Generator().manual_seed(1))
    run(custom_model_id=model.model_id, image=noise)
    (sent,) = model.pictures(emulator.ledger[-1].body)
    height, width = pixels_of(sent).shape[:2]
    assert len(base64.b64decode(sent.partition(",")[2])) < 10_000_000
    assert width / height == pytest.approx(1.5, rel=0.01)
    assert width < 2400


def test_a_clip_bought_elsewhere_is_collected_by_its_id_whatever_its_model(emulator, point_to, tmp_path):
    emulator.configure(echo_model_id=True)
    (request_id,) = run(model="kling/kling-3.0/pro/image-to-video")
    point_to(emulator, tmp_path / "elsewhere")
    again()
    status, *_ = run_status(request_id, "collect")
    assert (status, emulator.charges) == ("downloaded", 1)


@pytest.mark.parametrize(
    ("model_id", "wishes"),
    [
        ("bytedance/seedance-2.5/image-to-video/480p", {"duration": 4}),
        (WITH_LAST, {"duration": 2, "resolution": "480p", "end_image": picture(0.9)}),
    ],
)
def test_a_rehearsal_asks_nobody_and_needs_no_token(emulator, point_to, model_id, wishes):
    point_to(emulator, RUNCOMFY_API_TOKEN=None)
    again()
    (name,) = run(model=model_id, rehearse=True, decode_frames=False, **wishes)
    assert name.startswith("rehearsal-")
    assert emulator.calls == []


def test_a_rehearsal_has_the_length_and_shape_that_were_asked_for(emulator):
    node = load_pack().NODE_CLASS_MAPPINGS["RunComfyImageToVideo"]()
    inputs = {"model": WITH_LAST, "resolution": "480p", "duration": 2, "aspect_ratio": "1:1"}
    result = asyncio.run(node.generate(image=picture(), prompt="A fox runs.", rehearse=True, **inputs))["result"]
    frames, _audio, fps, *_ = (output[0] for output in result)
    assert tuple(frames.shape) == (48, 480, 480, 3)
    assert fps == pytest.approx(24)
    assert emulator.calls == []


def test_a_wish_that_cannot_be_fulfilled_is_refused_in_a_rehearsal_too(emulator):
    assert "cannot make clips of 60 seconds" in refused(duration=60, rehearse=True)
    assert emulator.calls == []


def test_an_id_nobody_has_described_is_rehearsed_all_the_same(emulator):
    (name,) = run(custom_model_id="maker/new-model/image-to-video", rehearse=True, decode_frames=False, duration=1)
    assert name.startswith("rehearsal-")
    assert emulator.calls == []


def test_frames_that_do_not_fit_into_memory_are_refused_before_money(emulator, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 2 * memory.GIB)
    wishes = {"model": "kling/kling-3.0/4k/image-to-video", "duration": 15}
    assert "of memory" in refused(NotEnoughRoomError, frame_load_cap=0, **wishes)
    assert emulator.charges == 0
    run(decode_frames=False, frame_load_cap=0, **wishes)
    assert emulator.charges == 1


def test_every_refusal_is_one_of_ours(emulator):
    for inputs in ({"image": "no picture"}, {"image": torch.zeros((0, 8, 8, 3))}, {"max_clips": 0}):
        refused(RunComfyError, **inputs)
    assert emulator.charges == 0


def test_a_silent_catalogue_is_waited_for_once_and_not_for_long(started):
    emulator = started(quirks={PLAIN: QUIRKS["catalogue-silent"]})
    began = time.monotonic()
    run()
    run(seed=1)
    assert time.monotonic() - began < 15
    assert (emulator.charges, len(emulator.seen(Call.CATALOGUE))) == (2, 1)


def test_without_a_token_the_user_is_told_so_and_one_that_is_set_afterwards_works_at_once(started, monkeypatch):
    emulator = started({"RUNCOMFY_API_TOKEN": None})
    for inputs in ({}, {"custom_model_id": "quirks/odd/image-to-video"}):
        refused(MissingTokenError, **inputs)
    monkeypatch.setenv("RUNCOMFY_API_TOKEN", emulator.token)
    run()
    assert (emulator.charges, len(emulator.seen(Call.CATALOGUE))) == (1, 1)


def test_a_price_of_nothing_does_not_switch_the_caps_off(started):
    emulator = started({"RUNCOMFY_MAX_USD_PER_DAY": "5"}, quirks={PLAIN: QUIRKS["price-zero"]})
    assert "daily limit" in refused(SpendLimitError)
    assert emulator.charges == 0


def test_stop_while_it_is_queued_cancels_it_at_runcomfy(emulator):
    emulator.hold()
    engine, stop = current.current_engine(), StopSignal()
    wishes = Wishes(prompt="A fox runs.", image_url="https://example.com/fox.png")
    offer = engine.offer(PLAIN, stop)
    translation = translate(offer.entry, wishes, catalogue=shipped_catalogue())
    request = CatalogueRequest(offer.entry, translation, (Picture.from_url(wishes.image_url),), 0)

    def press(state):
        if isinstance(state, progress.Queued):
            stop.set(cancels_remotely=True)

    with pytest.raises(Stopped, match="cancelled"):
        engine.generate(request, Run(stop, press))
    assert emulator.charges == 0


def test_a_name_in_capitals_and_spaces_reaches_runcomfy_as_it_is_written(started):
    model = SCHEMA_QUIRKS["odd-id"]
    emulator = started(models=(*EVERY_MODEL, model))
    run(custom_model_id=f" {model.model_id} ")
    assert {seen.path for seen in emulator.seen(Call.SUBMIT)} == {"/v1/models/quirks/Odd%20Id%201.5/4K/image-to-video"}
