"""On which site, in which renderer and in which theme a test has its desk."""

import pytest

EVERYWHERE = [(site, renderer) for site in ("bundled", "latest") for renderer in ("litegraph", "vue")]
ONE_OF_EACH = [("bundled", "litegraph"), ("latest", "vue")]
THE_OTHERS = [("bundled", "vue"), ("latest", "litegraph")]


def on(*places):
    """Runs a test once for each place."""
    return pytest.mark.parametrize("desk", places, indirect=True, ids="-".join)
