"""The daily limit that holds until the user sets another one."""

import json

import pytest
from sora2pro.nodes.errors import SpendLimitError
from sora2pro.nodes.run import current
from support.engine_fixture import request_of
from support.node_runs import run_node


def buy_until_refused(*, most):
    """How many clips were bought, and what was said of the next one."""
    for number in range(most):
        try:
            run_node(prompt=f"Clip {number}.", seconds=12)
        except SpendLimitError as error:
            return number, str(error)
    return most, ""


def test_without_a_word_from_the_user_no_more_than_30_dollars_are_spent_a_day(emulator, point_to):
    point_to(emulator)
    current._engine.cache_clear()
    bought, said = buy_until_refused(most=12)
    assert (bought, emulator.charges) == (8, 8)  # at $3.60 each
    assert "would go over the daily limit of $30.00: $28.80 is already spent or under way today" in said
    assert "Settings under RunComfy (or RUNCOMFY_MAX_USD_PER_DAY; 'none' for no limit)" in said
    assert "Nothing was sent to RunComfy and nothing was charged." in said


def test_a_user_who_wants_no_limit_says_none(emulator, point_to):
    point_to(emulator, RUNCOMFY_MAX_USD_PER_DAY="none")
    current._engine.cache_clear()
    assert buy_until_refused(most=10)[0] == emulator.charges == 10


@pytest.mark.parametrize(("saved", "is_bought"), [(0, False), (4, True), ("none", True)])
def test_a_limit_that_is_saved_stays_as_it_is(saved, is_bought, emulator, point_to):
    point_to(emulator)
    current._engine.cache_clear()
    state_dir = current.current_settings().state_dir
    state_dir.mkdir(parents=True, exist_ok=True)
    (state_dir / "settings.json").write_text(json.dumps({"max_usd_per_day": saved}))
    assert buy_until_refused(most=1)[0] == emulator.charges == int(is_bought)


def test_the_dearest_clip_that_is_known_can_be_bought(start_emulator, rig_on):
    emulator = start_emulator(base_price_usd=26.4 / 4)
    rig_on(emulator, max_usd_per_day=30.0).run(request_of(seconds=4))
    assert emulator.charges == 1
