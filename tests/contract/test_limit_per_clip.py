"""The limit for one clip: a more expensive one is refused before anything is recorded or sent."""

import pytest
from emulator import Timeline
from emulator.models import CATALOGUE
from sora2pro.nodes.errors import NotConfirmedError, SpendLimitError
from sora2pro.nodes.run import current
from support.engine_fixture import request_of
from support.node_runs import run_any_node

OPEN = "blackforestlabs/flux-3/image-to-video"
LONGEST_S = 20


def test_a_clip_above_the_limit_is_refused_and_one_at_the_limit_is_bought(emulator, rig_on):
    rig = rig_on(emulator, max_usd_per_clip=4 * 0.3)
    with pytest.raises(SpendLimitError, match=r"\$2.40.*limit of \$1.20 per clip.*RUNCOMFY_MAX_USD_PER_CLIP"):
        rig.run(request_of(seconds=8))
    assert (emulator.charges, rig.journal.newest()) == (0, None)
    rig.run(request_of(seconds=4))
    assert emulator.charges == 1


def test_where_the_catalogue_names_no_price_the_list_price_counts(start_emulator, rig_on):
    emulator = start_emulator(base_price_usd=None)
    with pytest.raises(SpendLimitError, match="limit"):
        rig_on(emulator, max_usd_per_clip=1.0).run(request_of(seconds=4))
    assert emulator.charges == 0


@pytest.mark.parametrize("variable", ["RUNCOMFY_MAX_USD_PER_CLIP", "RUNCOMFY_ASK_ABOVE_USD"])
def test_where_a_model_decides_the_length_the_longest_clip_counts_also_after_a_short_one(
    start_emulator, point_to, variable
):
    rate_usd = next(model for model in CATALOGUE if model.model_id == OPEN).entry["base_price_usd"]
    emulator = start_emulator(Timeline.after_polls())
    point_to(emulator)
    current._engine.cache_clear()
    run_any_node(model=OPEN)
    point_to(emulator, **{variable: f"{rate_usd * LONGEST_S - 0.01:.4f}"})
    current._engine.cache_clear()
    with pytest.raises((SpendLimitError, NotConfirmedError)):
        run_any_node(model=OPEN, seed=1)
    assert emulator.charges == 1
