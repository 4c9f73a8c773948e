"""A model whose fields have other names and types is one value: everything the pack does for Sora it does for it too."""

import pytest
from emulator.models import OTHER_NAMES
from sora2pro.nodes.errors import InvalidInputError
from sora2pro.nodes.media.timeline import probe
from sora2pro.nodes.page.jobs import Collecting, Panel
from sora2pro.nodes.run.inputs import FrameChoice, Order
from sora2pro.nodes.run.rehearsals import rehearse
from sora2pro.nodes.runcomfy.generation import GenerationRequest, Picture
from sora2pro.nodes.runcomfy.models import Input, ModelSpec, PictureInput, Role, Size
from sora2pro.nodes.runcomfy.progress import Run, StopSignal, ignore
from sora2pro.nodes.runcomfy.sentences import describe_inputs
from support import assertions
from support.engine_fixture import PICTURE_URL

SECOND = ModelSpec(
    model_id="studio/other-names/image-to-video",
    inputs=(
        Input("duration", default="5", choices=("5", "10"), role=Role.LENGTH, sets_price=True),
        Input("resolution", default="720p", choices=("720p", "1080p"), role=Role.RESOLUTION, sets_price=True),
        Input("aspect_ratio", default="16:9", choices=("16:9", "9:16"), role=Role.ASPECT_RATIO),
    ),
    pictures=(PictureInput("image_url", is_exact=False),),
    seed_field="seed",
    has_sound=False,
    assumed_fps=24,
)


def request(*, take=7, **inputs):
    return GenerationRequest(
        SECOND, "A fox runs.", {**SECOND.defaults(), **inputs}, (Picture.from_url(PICTURE_URL),), take
    )


@pytest.fixture
def emulator(start_emulator):
    return start_emulator(model=OTHER_NAMES)


@pytest.fixture
def rig(rig_on, emulator):
    return rig_on(emulator, model=SECOND)


def test_it_is_bought_once_with_its_own_fields_and_types(emulator, rig, clip):
    assertions.assert_clip_for_one_charge(rig, emulator, clip, request())
    (charge,) = emulator.ledger
    assert charge.body == {
        "prompt": "A fox runs.",
        "image_url": PICTURE_URL,
        "duration": "5",
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "seed": 7,
    }


def test_another_take_and_another_input_are_other_clips(emulator, rig):
    for one in (request(), request(take=8), request(duration="10"), request(aspect_ratio="9:16")):
        rig.run(one)
    assert emulator.charges == 4


def test_what_the_model_does_not_accept_is_refused_before_money(emulator, rig):
    for wrong in ({"duration": 5}, {"duration": "6"}, {"resolution": "4k"}, {"size": "1280x720"}):
        with pytest.raises(InvalidInputError, match="Nothing was sent"):
            rig.run(request(**wrong))
    assert emulator.charges == 0


def test_its_price_is_that_of_its_length_and_the_last_one_paid_wins_for_the_same_kind(emulator, rig):
    rig.run(request())
    assert rig.journal.newest().expected_usd == pytest.approx(5 * 0.3)
    emulator.configure(base_price_usd=1.0)
    rig.run(request(aspect_ratio="9:16"))
    assert rig.journal.newest().expected_usd == pytest.approx(5 * 0.3)
    rig.run(request(duration="10"))
    assert rig.journal.newest().expected_usd == pytest.approx(0.3 * 10)


def test_it_is_collected_after_a_restart_and_listed_with_its_inputs(emulator, rig, rig_on, clip):
    job = rig.run(request())
    job.path.unlink()
    again = rig_on(emulator, model=SECOND)
    assert again.collect(job.name).path.read_bytes() == clip
    (listed,) = again.history.search("fox", limit=10)
    assert (listed.model_id, describe_inputs(listed.inputs)) == (SECOND.model_id, ["5 s", "720p", "16:9"])
    assert emulator.charges == 1


def test_a_request_of_it_that_was_bought_elsewhere_is_imported(emulator, rig_on, tmp_path, clip):
    bought = rig_on(emulator, tmp_path / "there", model=SECOND).run(request())
    here = rig_on(emulator, tmp_path / "here", model=SECOND)
    job = here.collect(bought.request_id)
    assert (job.path.read_bytes(), job.is_imported, emulator.charges) == (clip, True, 1)


def test_the_panel_lists_and_prices_it(rig):
    rig.run(request())
    panel = Panel(lambda: rig.engine, Collecting())
    (listed,) = panel.jobs("fox", limit=10, before_id=None)["jobs"]
    assert (listed["model_id"], listed["inputs"], listed["seed"]) == (SECOND.model_id, ["5 s", "720p", "16:9"], "7")
    prices = panel.price({"duration": "10", "resolution": "720p"})
    assert prices == {"min_usd": pytest.approx(3.0), "max_usd": pytest.approx(3.0)}


def test_it_is_rehearsed_at_its_own_size_length_and_rate(rig):
    order = Order(
        image=None,
        prompt="A fox runs.",
        inputs={**SECOND.defaults(), "aspect_ratio": "9:16"},
        seed=0,
        fit="crop",
        image_url=PICTURE_URL,
        max_clips=1,
        frames=FrameChoice(),
        rehearse=True,
        if_a_clip_fails="stop",
    )
    path, _name = rehearse(order, None, rig.settings, Run(StopSignal(), ignore))
    facts = probe(path)
    assert (facts.width, facts.height, facts.frame_count, facts.fps) == (720, 1280, 5 * 24, 24)


def test_the_size_of_its_frames_is_known_before_money():
    assert SECOND.frame_size({"duration": "5", "resolution": "1080p", "aspect_ratio": "9:16"}) == Size(1080, 1920)
    assert SECOND.length_s(SECOND.defaults()) == 5
