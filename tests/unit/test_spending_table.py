"""The table of what was spent: every reader of CSV gets the values back, and no spreadsheet runs any of them."""

import csv
import io
import math

import pytest
from sora2pro.nodes.page.spending import COLUMNS, table
from sora2pro.nodes.runcomfy.jobs import JobState
from support.values import made_job


def rows(*jobs):
    return list(csv.DictReader(io.StringIO(table(jobs), newline=""), strict=True))


def test_a_line_has_time_job_model_state_inputs_price_and_cost():
    job = made_job(JobState.DOWNLOADED, created_at=0.0, expected_usd=1.2, cost_usd=1.2, may_be_charged=True)
    assert rows(job) == [
        {
            "time": "1970-01-01T00:00:00Z",
            "job": "job-7",
            "model": job.model_id,
            "state": "downloaded",
            "inputs": "1280x720, 4 s",
            "price_usd": "1.20",
            "cost_usd": "1.20",
        }
    ]


def test_an_empty_journal_gives_the_head_alone_and_lines_end_as_rfc_4180_has_it():
    assert table([]) == f"{','.join(COLUMNS)}\r\n"
    assert table([made_job(), made_job()]).count("\r\n") == 3


@pytest.mark.parametrize(
    ("amount", "cell"),
    [
        (1.2, "1.20"),
        (0.0, "0.00"),
        (0.0125, "0.0125"),
        (12.0, "12.00"),
        (None, ""),
        (-1.0, ""),
        *((one, "") for one in (math.nan, math.inf)),
    ],
)
def test_an_amount_has_cents_and_what_is_none_is_empty(amount, cell):
    (row,) = rows(made_job(cost_usd=amount, expected_usd=amount, may_be_charged=True))
    assert (row["price_usd"], row["cost_usd"]) == (cell, cell)


def test_what_is_not_charged_has_no_price():
    (row,) = rows(made_job(JobState.CANCELLED, expected_usd=1.2, may_be_charged=False))
    assert row["price_usd"] == ""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "  =", "\uff1d", "\uff0d"])
@pytest.mark.parametrize("field", ["model", "inputs"])
def test_no_cell_is_a_formula(start, field):
    evil = f'{start}HYPERLINK("https://evil.example","x")'
    changes = {"model": {"model_id": evil}, "inputs": {"inputs": {"negative_prompt": evil}}}[field]
    (row,) = rows(made_job(**changes))
    assert row[field] == f"'{evil}"


@pytest.mark.parametrize(
    "text", ['a "quoted", b', "two\nlines", "two\r\nlines", "狐が走る。", "half a character: \ud800"]
)
def test_whatever_is_in_a_cell_comes_out_of_it_again(text):
    (row,) = rows(made_job(inputs={"negative_prompt": text}))
    assert row["inputs"] == text


@pytest.mark.parametrize("moment", [math.nan, math.inf, 1e300])
def test_a_moment_that_no_calendar_has_is_empty(moment):
    assert rows(made_job(created_at=moment))[0]["time"] == ""
