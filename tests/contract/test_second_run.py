"""The same run once more: what is on this disk is delivered, though nothing could be encoded, asked or paid for."""

import pytest
import torch
from emulator import Call
from emulator.quirks import Quirk
from PIL import Image
from sora2pro.nodes.errors import InvalidInputError
from sora2pro.nodes.run import current
from support.node_runs import run_any_node, run_node

PLAIN = "pixverse/pixverse-v6/image-to-video"
COUNTS_BYTES = "alibaba/happyhorse-1.1/image-to-video"  # at most 10 MB for a picture


def noise(height, width, seed=1):
    """A picture that no PNG makes smaller, as a batch of one."""
    return torch.rand((1, height, width, 3), generator=torch.Generator().manual_seed(seed))


RUNS = {
    "Sora 2 Pro": run_node,
    "any model": lambda: run_any_node(model=PLAIN, image=noise(400, 640)),
    "any model, a batch": lambda: run_any_node(
        model=PLAIN, image=torch.cat([noise(400, 640, seed) for seed in (1, 2)]), max_clips=2
    ),
    "a model that counts bytes": lambda: run_any_node(model=COUNTS_BYTES, image=noise(1200, 1600)),
}


@pytest.fixture
def pointed(emulator, point_to):
    point_to(emulator, RUNCOMFY_MAX_USD_PER_DAY="none")
    restart()
    return emulator


@pytest.fixture
def without_encoder(monkeypatch):
    """From then on a picture that is encoded ends the run."""

    def break_it():
        def fail(*_arguments, **_options):
            raise OSError("this machine cannot encode a picture")

        monkeypatch.setattr(Image.Image, "save", fail)

    return break_it


def restart():
    """ComfyUI after a restart: nothing is remembered but what is on the disk."""
    current._engine.cache_clear()


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_it_is_delivered_after_a_restart_without_encoder_token_or_network(pointed, monkeypatch, without_encoder, run):
    bought = run()
    without_encoder()
    monkeypatch.delenv("RUNCOMFY_API_TOKEN")
    pointed.close()
    restart()
    again = run()
    assert [clip.request_id for clip in again] == [clip.request_id for clip in bought]
    assert all(torch.equal(one.frames, other.frames) for one, other in zip(again, bought, strict=True))


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_runcomfy_hears_nothing_of_it(pointed, run):
    run()
    calls = len(pointed.calls)
    restart()
    run()
    assert (len(pointed.calls), pointed.charges) == (calls, len(pointed.seen(Call.SUBMIT)))


def test_a_picture_that_had_to_be_encoded_to_know_how_it_is_sent_is_not_encoded_again(pointed, without_encoder):
    large = {"model": COUNTS_BYTES, "image": noise(1700, 2200)}
    (bought,) = run_any_node(**large)
    without_encoder()
    (again,) = run_any_node(**large)
    assert (again.request_id, pointed.charges) == (bought.request_id, 1)


def test_a_clip_of_the_batch_that_is_missing_is_bought_and_the_other_is_not(pointed):
    one, two = noise(400, 640), noise(400, 640, seed=2)
    (bought,) = run_any_node(model=PLAIN, image=one)
    both = run_any_node(model=PLAIN, image=torch.cat([one, two]), max_clips=2)
    assert both[0].request_id == bought.request_id
    assert pointed.charges == 2


def test_a_file_that_was_deleted_is_downloaded_again_without_a_charge(pointed):
    (bought,) = run_any_node(model=PLAIN)
    bought.video.path.unlink()
    restart()
    (again,) = run_any_node(model=PLAIN)
    assert (again.request_id, again.video.path.exists(), pointed.charges) == (bought.request_id, True, 1)


def test_a_picture_that_cannot_be_made_small_enough_is_refused_before_money(pointed):
    limits = {"validations": ["file_size_mb<=0.001", "width_pixels>=300"]}
    pointed.configure(quirks={PLAIN: Quirk(fields={"image": limits})})
    with pytest.raises(InvalidInputError, match="300"):
        run_any_node(model=PLAIN, image=noise(400, 640))
    assert (pointed.charges, pointed.seen(Call.SUBMIT)) == (0, [])
