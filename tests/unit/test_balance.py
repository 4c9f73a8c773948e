"""The balance in the panel's head: asked for rarely, never an alarm."""

import threading

import pytest
from sora2pro.nodes.errors import APIConnectionError
from sora2pro.nodes.page.balance import FRESH_S, Balance


class Account:
    """An account at RunComfy, and how often it was asked about."""

    def __init__(self):
        self.asked, self.now, self.name, self.fails = 0, 0.0, "mine", False

    def balance_usd(self):
        self.asked += 1
        if self.fails:
            raise APIConnectionError("RunComfy's server could not be reached.", sent=False)
        return 10.0 - self.asked


@pytest.fixture
def account():
    return Account()


@pytest.fixture
def balance(account):
    return Balance(balance_usd=account.balance_usd, account=lambda: account.name, clock=lambda: account.now)


def test_it_is_asked_for_once_a_minute_whatever_the_number_of_tabs(balance, account):
    for _ in range(5):
        assert balance.document() == {"balance_usd": 9.0, "problem": ""}
    account.now += FRESH_S - 0.1
    assert balance.document()["balance_usd"] == 9.0
    account.now += 0.1
    assert balance.document()["balance_usd"] == 8.0
    assert account.asked == 2


def test_without_a_token_nobody_is_asked_and_nothing_is_said(balance, account):
    account.name = None
    assert balance.document() == {"balance_usd": None, "problem": ""}
    assert account.asked == 0


def test_a_failure_is_said_in_words_and_is_not_repeated_within_the_minute(balance, account):
    account.fails = True
    for _ in range(3):
        assert balance.document() == {"balance_usd": None, "problem": "RunComfy's server could not be reached."}
    assert account.asked == 1
    account.fails, account.now = False, FRESH_S
    assert balance.document() == {"balance_usd": 8.0, "problem": ""}


def test_another_account_never_sees_the_balance_of_the_first(balance, account):
    balance.document()
    account.name = "another"
    assert balance.document()["balance_usd"] == 8.0
    account.name = None
    assert balance.document()["balance_usd"] is None


def test_a_slow_answer_holds_up_no_other_tab():
    is_asked, may_answer = threading.Event(), threading.Event()

    def slow():
        is_asked.set()
        assert may_answer.wait(10)
        return 5.0

    balance = Balance(balance_usd=slow, account=lambda: "mine")
    first = threading.Thread(target=balance.document)
    first.start()
    assert is_asked.wait(10)
    assert balance.document() == {"balance_usd": None, "problem": ""}
    may_answer.set()
    first.join(10)
    assert balance.document()["balance_usd"] == 5.0
