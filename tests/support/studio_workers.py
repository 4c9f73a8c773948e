"""Machines of a studio, as processes that can be killed: each makes all clips of a list in an order of its own."""

import multiprocessing
import random
import time

from pack import load_pack

load_pack()

from sora2pro.nodes.errors import RunComfyError, SpendLimitError, SubmissionUncertainError  # noqa: E402 - by path, above

from support.engine_fixture import Rig, request_of  # noqa: E402 - as above

SETTLED = (SpendLimitError, SubmissionUncertainError)


def context():
    """Of processes that begin in milliseconds: one imports the engine, and each is forked from that."""
    begun = multiprocessing.get_context("forkserver")
    begun.set_forkserver_preload(["support.engine_fixture", "support.studio_workers", "psycopg"])
    return begun


def prompt_of(number):
    return f"input {number}"


def work(url, token, root, journal_url, *, seed, inputs, clock_is_off_s, until, **settings):
    """Ask for every input until it is there, or only a person can decide; a person would run it again after any other error."""
    rig = Rig(url, token, root, journal_url=journal_url, wall_clock=lambda: time.time() + clock_is_off_s, **settings)
    order = list(range(inputs))
    random.Random(seed).shuffle(order)  # noqa: S311 - an order, not a secret
    for number in order:
        while time.time() < until:
            try:
                rig.run(request_of(prompt_of(number)))
                break
            except SETTLED:
                break
            except RunComfyError:
                time.sleep(0.1)
