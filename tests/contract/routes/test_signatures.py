"""An address among the inputs of a job is shown without its signature, with which anybody could fetch what it is of."""

import pytest
from support.node_runs import run_any_node, run_status

SIGNATURE = "X-Amz-Signature=5ec2e7"


@pytest.mark.parametrize("where", ["report", "/jobs", "/spending.csv"])
def test_nothing_that_lists_a_job_shows_the_signature_of_an_address(page, where):
    run_any_node(image=None, extra_json=f'{{"image": "https://pictures.example.org/fox.png?{SIGNATURE}"}}')
    said = str(run_status(action="check")) if where == "report" else page.get(where).text
    assert "pictures.example.org/fox.png" in said
    assert SIGNATURE not in said
