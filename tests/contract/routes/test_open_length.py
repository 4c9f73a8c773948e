"""A model that decides the length of a clip: each figure is called what it is, the most, the least, or about as much."""

import asyncio

import pytest
from contract.routes.page import Page
from emulator import Timeline
from emulator.models import CATALOGUE
from pack import load_pack
from sora2pro.nodes.errors import SpendLimitError
from sora2pro.nodes.run import current
from sora2pro.nodes.runcomfy import JobQuery
from support.node_runs import pictures

FLUX = "blackforestlabs/flux-3/image-to-video"
SHORTEST_S, LONGEST_S = 5, 20
PRICED = {"model": FLUX, "duration": "0", "resolution": "model default", "audio": "model default"}


@pytest.fixture
def rate_usd():
    return next(model for model in CATALOGUE if model.model_id == FLUX).entry["base_price_usd"]


@pytest.fixture
def started(start_emulator, point_to):
    """An emulator, and the node on it with other variables."""

    def start(**variables):
        emulator = start_emulator(Timeline.after_polls())
        point_to(emulator, **variables)
        current._engine.cache_clear()
        return emulator

    return start


def run(**inputs):
    node = load_pack().NODE_CLASS_MAPPINGS["RunComfyImageToVideo"]()
    given = {"image": pictures(0.5), "prompt": "A fox.", "model": FLUX, "duration": 0, "frame_load_cap": 8}
    return asyncio.run(node.generate(**{**given, **inputs}))


def dollars(usd):
    return f"${usd:.2f}"


@pytest.mark.parametrize("variable", ["RUNCOMFY_MAX_USD_PER_CLIP", "RUNCOMFY_MAX_USD_PER_DAY"])
def test_a_limit_counts_the_longest_clip_and_says_so(started, rate_usd, variable):
    emulator = started(**{variable: f"{rate_usd * LONGEST_S - 0.01:.4f}"})
    with pytest.raises(SpendLimitError) as raised:
        run()
    assert f"This clip (from {dollars(rate_usd * LONGEST_S)} at its longest) would go over" in str(raised.value)
    assert emulator.charges == 0
    run(duration=SHORTEST_S)
    assert emulator.charges == 1


def test_the_report_names_the_least_and_what_the_limits_count(started, rate_usd, caplog):
    caplog.set_level("INFO")
    started()
    run()
    assert f"Expected price: from {dollars(rate_usd * SHORTEST_S)}." in caplog.text
    assert f"Your spending limits assume {LONGEST_S} s, from {dollars(rate_usd * LONGEST_S)}." in caplog.text
    assert f"Sending to RunComfy (from {dollars(rate_usd * LONGEST_S)} at its longest)" in caplog.text


def test_the_badge_shows_the_least_and_never_the_last_price_as_the_whole_one(started, server, rate_usd):
    started()
    page = Page(server, [])
    run()
    (job,) = current.current_engine().jobs(JobQuery()).jobs
    price = page.get("/price", params=PRICED).json()
    assert price["min_usd"] == pytest.approx(min(job.cost_usd, rate_usd * SHORTEST_S))
    assert price["max_usd"] is None
    run(duration=SHORTEST_S)
    fixed = page.get("/price", params={**PRICED, "duration": str(SHORTEST_S)}).json()
    assert (
        fixed["min_usd"]
        == fixed["max_usd"]
        == pytest.approx(current.current_engine().jobs(JobQuery()).jobs[0].cost_usd)
    )
