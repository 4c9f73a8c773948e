import dataclasses
import threading
import time

import pytest
from sora2pro.nodes.errors import ServerError
from sora2pro.nodes.runcomfy.api.answers import CatalogueEntry
from sora2pro.nodes.runcomfy.models import SORA_2_PRO
from sora2pro.nodes.runcomfy.pricing import FAILURE_FRESH_S, FRESH_S, Pricing, expected_usd
from support.clock import Clock

EIGHT_SECONDS = {"size": "1280x720", "seconds": 8}


class Catalogue:
    """The one call of a client that a price needs."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def catalogue_entry(self, model_id):
        self.asked.append(model_id)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Purchases:
    """What the user paid before, as far as a price needs it."""

    def __init__(self, last_usd=None):
        self.last_usd = last_usd

    def last_cost_usd(self, _model_id, _kind):
        return self.last_usd


def price(pricing, catalogue, model_id="a/model"):
    return pricing.expected_usd(catalogue, dataclasses.replace(SORA_2_PRO, model_id=model_id), EIGHT_SECONDS)


@pytest.mark.parametrize(
    ("entry", "usd"),
    [
        (None, None),
        (CatalogueEntry(None, None), None),
        (CatalogueEntry(None, "second"), None),
        (CatalogueEntry(0.3, "second"), 2.4),
        (CatalogueEntry(2.0, "output"), 2.0),
        (CatalogueEntry(2.0, "video"), 2.0),
        (CatalogueEntry(2.0, "image"), None),
        (CatalogueEntry(2.0, None), None),
        (CatalogueEntry(0.0, "second"), None),
        (CatalogueEntry(0.0, "video"), None),
        (CatalogueEntry(1e-9, "second"), None),
        (CatalogueEntry(0.0009, "video"), None),
        (CatalogueEntry(0.001, "second"), 0.008),
    ],
)
def test_a_price_is_only_expected_where_the_catalogue_says_what_it_is_for(entry, usd):
    assert expected_usd(entry, 8) == (None if usd is None else pytest.approx(usd))


def test_what_the_user_last_paid_is_the_better_guide_and_saves_the_question():
    catalogue = Catalogue(CatalogueEntry(0.3, "second"))
    assert price(Pricing(history=Purchases(1.9)), catalogue) == 1.9
    assert catalogue.asked == []


def test_the_catalogue_is_asked_once_an_hour_for_each_model():
    clock, catalogue = Clock(0.0), Catalogue(CatalogueEntry(0.3, "second"))
    pricing = Pricing(history=Purchases(), clock=clock)
    for now in (0.0, 1.0, FRESH_S - 1):
        clock.now_s = now
        assert price(pricing, catalogue) == pytest.approx(2.4)
    assert price(pricing, catalogue, "another/model") == pytest.approx(2.4)
    clock.now_s = FRESH_S
    catalogue.answer = CatalogueEntry(0.5, "second")
    assert price(pricing, catalogue) == pytest.approx(4.0)
    assert catalogue.asked == ["a/model", "another/model", "a/model"]


def test_a_price_that_cannot_be_read_blocks_nothing_and_is_asked_for_again_soon():
    clock, catalogue = Clock(0.0), Catalogue(ServerError("trouble", status_code=503))
    pricing = Pricing(history=Purchases(), clock=clock)
    assert price(pricing, catalogue) is None
    catalogue.answer = CatalogueEntry(0.3, "second")
    clock.now_s = FAILURE_FRESH_S - 1
    assert price(pricing, catalogue) is None
    clock.now_s = FAILURE_FRESH_S
    assert price(pricing, catalogue) == pytest.approx(2.4)


def test_a_catalogue_that_says_nothing_usable_is_believed_for_an_hour():
    catalogue = Catalogue(CatalogueEntry(None, None))
    pricing = Pricing(history=Purchases(), clock=Clock())
    assert [price(pricing, catalogue) for _ in range(3)] == [None] * 3
    assert catalogue.asked == ["a/model"]


def test_an_answer_that_takes_for_ever_blocks_no_other_purchase_and_is_asked_for_once():
    asked, go_on = threading.Event(), threading.Event()

    class Dripping(Catalogue):
        def catalogue_entry(self, model_id):
            entry = super().catalogue_entry(model_id)
            asked.set()
            assert go_on.wait(60)
            return entry

    dripping, pricing, prices = Dripping(CatalogueEntry(0.3, "second")), Pricing(history=Purchases()), []
    first = threading.Thread(target=lambda: prices.append(price(pricing, dripping)))
    first.start()
    assert asked.wait(60)
    others = [threading.Thread(target=lambda: prices.append(price(pricing, dripping)), daemon=True) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join(30)
    assert prices == [None] * 3, "they go on without it"
    assert price(pricing, Catalogue(CatalogueEntry(0.5, "second")), "another/model") == pytest.approx(4.0)
    go_on.set()
    first.join(30)
    assert price(pricing, dripping) == prices[-1] == pytest.approx(2.4)
    assert dripping.asked == ["a/model"]


def test_while_a_price_is_asked_for_again_the_last_one_is_used():
    clock, catalogue = Clock(0.0), Catalogue(CatalogueEntry(0.3, "second"))
    pricing = Pricing(history=Purchases(), clock=clock)
    price(pricing, catalogue)
    clock.now_s = FRESH_S
    meanwhile = []

    class Asking(Catalogue):
        def catalogue_entry(self, model_id):
            meanwhile.append(price(pricing, catalogue))
            return super().catalogue_entry(model_id)

    assert price(pricing, Asking(CatalogueEntry(0.5, "second"))) == pytest.approx(4.0)
    assert meanwhile == [pytest.approx(2.4)]


def test_a_question_that_ends_in_an_unforeseen_error_can_be_asked_again():
    pricing, catalogue = Pricing(history=Purchases()), Catalogue(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        price(pricing, catalogue)
    catalogue.answer = CatalogueEntry(0.3, "second")
    assert price(pricing, catalogue) == pytest.approx(2.4)


def test_runs_that_begin_together_all_get_the_price_of_one_question():
    met, prices = threading.Barrier(4), []

    class Slow(Catalogue):
        def catalogue_entry(self, model_id):
            time.sleep(0.05)
            return super().catalogue_entry(model_id)

    catalogue, pricing = Slow(CatalogueEntry(0.3, "second")), Pricing(history=Purchases())

    def ask():
        met.wait(30)
        prices.append(price(pricing, catalogue))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert prices == [pytest.approx(2.4)] * 4
    assert catalogue.asked == ["a/model"]
