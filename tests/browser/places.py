"""On which site, in which renderer and in which theme a test has its desk."""

import pytest

EVERYWHERE = [(site, renderer) for site in ("bundled", "latest") for renderer in ("litegraph", "vue")]
ONE_OF_EACH = [("bundled", "litegraph"), ("latest", "vue")]
THE_OTHERS = [("bundled", "vue"), ("latest", "litegraph")]


def on(*places):
    """Runs a test once for each place; those of one site in one process, since they share its ComfyUI."""
    desks = [pytest.param(place, marks=pytest.mark.xdist_group(place[0])) for place in places]
    return pytest.mark.parametrize("desk", desks, indirect=True, ids="-".join)
