"""The limit for one clip: a dearer one is refused before anything is recorded or sent."""

import pytest
from sora2pro.nodes.errors import SpendLimitError
from support.engine_fixture import request_of


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
