"""The user's answer to a question before an expensive clip, as the page brings it."""

import threading

import pytest
from sora2pro.nodes.errors import CancelledByUserError
from sora2pro.nodes.run.questions import QUESTIONS
from sora2pro.nodes.runcomfy import Run
from sora2pro.nodes.runcomfy.progress import StopSignal


@pytest.fixture
def asked():
    """A run that asks: the question it is held by, and what became of it once that is answered."""
    asking, outcome = [], []

    def run():
        try:
            QUESTIONS.ask(1.2, Run(StopSignal(), asking.append))
        except CancelledByUserError as error:
            outcome.append(str(error))
        else:
            outcome.append("bought")

    thread = threading.Thread(target=run)
    thread.start()
    while not asking:
        thread.join(0.01)
    yield lambda: (asking[0].question, thread, outcome)
    thread.join(30)


@pytest.mark.parametrize(("buys", "said"), [(True, "bought"), (False, "was not bought, because you declined")])
def test_an_answer_lets_the_run_go_on_or_ends_it_and_counts_once(page, asked, buys, said):
    question, thread, outcome = asked()
    for wrong in ({}, {"buys": None}, {"buys": "true"}, {"buys": 1}):
        assert page.ask("POST", f"/questions/{question}", json=wrong).status_code == 400
    assert thread.is_alive()
    assert page.ask("POST", f"/questions/{question}", json={"buys": buys}).status_code == 200
    thread.join(30)
    assert said in outcome[0]
    late = page.ask("POST", f"/questions/{question}", json={"buys": True})
    assert late.status_code == 400
    said = late.json()["error"]
    assert "no longer open" in said
    # The first answer may have bought the clip.
    assert "nothing was charged" not in said
    assert "This answer changed nothing. The RunComfy clips tab shows what was bought." in said


def test_a_question_that_nobody_asked_cannot_be_answered(page):
    assert page.ask("POST", f"/questions/{'0' * 32}", json={"buys": True}).status_code == 400
