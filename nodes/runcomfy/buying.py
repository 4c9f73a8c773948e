"""The order of spending. The only caller of `Client.submit`.

Journal before money: a request is only sent by the holder of the job's lock, after `submitting` is on the disk. Whatever dies
in between, the next run finds the row and goes on from there.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from ..errors import (
    NOT_CHARGED,
    NOTHING_SENT,
    GenerationCancelledError,
    JournalUnavailableError,
    RunComfyError,
    Stopped,
    SubmissionUncertainError,
)
from .api.client import Client, Connect, RequestHandle
from .api.retry import Call, RetryPolicy, Verdict, Wait, decide, submission_verdict
from .collecting import Collector
from .confirming import Confirm, nobody_to_ask
from .generation import ClipRequest
from .jobs import Job, JobState, Purchase
from .pricing import Pricing
from .progress import (
    Following,
    FromJournal,
    Preparing,
    PriceBound,
    Progress,
    Queued,
    Rendering,
    Retrying,
    Run,
    Slots,
    Submitting,
    WaitingForSlot,
)
from .receipts import keep_receipt
from .sentences import failure_of, uncertain, with_job
from .store.journal import Journal, RequestTakenError, SlotsTakenError
from .store.outbox import Outbox
from .store.spending import check_clip_limit, counted_usd
from .store.transactions import Right

FOLLOW_INTERVAL_S = 0.25
RECORD_ATTEMPTS = 5
RECORD_WAIT_S = 0.5
NOTE_THE_ID = (
    "Note the request id. When the journal can be written again, put the id into the RunComfy Request Status "
    "node with 'adopt': the clip is collected without a new charge."
)
ID_IS_KEPT = (
    "The id is kept on this machine and is recorded by itself as soon as the journal can be written again. Then run the node "
    "again: the clip is collected without a new charge."
)
_KEY_OF_PROCESS = os.urandom(32)
# Paid requests that are running, by address and account. They outlive every engine, so that a change of settings does not
# start the count again.
_paid_requests: dict[str, Slots] = {}
logger = logging.getLogger("runcomfy.sora2pro.generation")


class Buyer:
    """Buys a clip once and collects it.

    Args:
        journal: Where every step is recorded before it is made.
        collector: Collects the clip of a known job.
        pricing: What a clip is expected to cost.
        connect: Opens a conversation with the API; raises `MissingTokenError`.
        slots: Those of the account in use, one for each paid request that is running.
        max_usd_per_day: The spend cap as of now, or None.
        max_usd_per_clip: The same for a single clip.
        ask_above_usd: What a clip may cost as of now without a question to the user, or None.
        policy: The figures of the backoff.
        outbox: Keeps a request id on this disk that the journal, on another machine, does not take; None where it is here.
        sleep: Waits between attempts to write a record.
        jitter: A random number from 0 to 1.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        collector: Collector,
        pricing: Pricing,
        connect: Connect,
        slots: Callable[[], Slots],
        max_usd_per_day: Callable[[], float | None],
        max_usd_per_clip: Callable[[], float | None],
        ask_above_usd: Callable[[], float | None],
        policy: RetryPolicy,
        outbox: Outbox | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._journal = journal
        self._collector = collector
        self._pricing = pricing
        self._connect = connect
        self._slots = slots
        self._max_usd_per_day = max_usd_per_day
        self._max_usd_per_clip = max_usd_per_clip
        self._ask_above_usd = ask_above_usd
        self._policy = policy
        self._outbox = outbox
        self._sleep = sleep
        self._jitter = jitter

    def __repr__(self) -> str:
        """The journal; no token."""
        return f"Buyer(journal={self._journal!r})"

    def buy(
        self,
        request: ClipRequest,
        run: Run,
        *,
        preflight: Callable[[], None] = lambda: None,
        confirm: Confirm = nobody_to_ask,
    ) -> Purchase:
        """The clip of a request: from the journal if it was bought before, else bought now.

        Args:
            request: What the user asked for.
            run: Ends and watches it.
            preflight: Checks to make before money (disk space, say); raises if it must not be spent.
            confirm: Asks the user about an expensive clip; raises if it is not to be bought.

        Raises:
            RunComfyError: The message says what happened, what it means for the money, and what to do.
            Stopped: The run was asked to end; the message says what became of the request.
        """
        purchase = self._purchase(request, run, preflight, confirm)
        keep_receipt(purchase.job)
        return purchase

    def _purchase(self, request: ClipRequest, run: Run, preflight: Callable[[], None], confirm: Confirm) -> Purchase:
        fingerprints = request.validated().all_fingerprints()
        run.report(Preparing())
        job = self._journal.find(*fingerprints)
        if job is not None and job.has_whole_file:
            return self._from_journal(job, run)
        try:
            return self._run_alone(request, run, preflight, confirm)
        except JournalUnavailableError as error:
            raise error if job is None else with_job(error, job) from error.__cause__

    def _run_alone(
        self,
        request: ClipRequest,
        run: Run,
        preflight: Callable[[], None],
        confirm: Confirm,
    ) -> Purchase:
        """The same, with nobody else at work on the job."""
        with ExitStack() as locks:
            job = self._locked(request, locks, run)
            if job is not None and job.has_whole_file:
                return self._from_journal(job, run)
            if job is not None and job.state is not JobState.PREPARED:
                recovered = self._recover(job, run)
                if recovered is not None:
                    return self._new(recovered)
            preflight()
            self._collector.check_archive()
            with self._connect(stop=run.stop) as client:
                return self._new(self._buy_and_collect(client, request, run, confirm))

    def _locked(self, request: ClipRequest, locks: ExitStack, run: Run) -> Job | None:
        """The job of a request, if there is one, once nobody else works on it or on another spelling of its prompt.

        An older journal may have it under the fingerprint of another spelling, and whoever collects it holds the lock of that.
        """
        fingerprint, held = request.canonical_fingerprint(), set[str]()
        while True:
            self._wait_for(locks.enter_context(self._journal.lock(fingerprint)), fingerprint, run)
            held.add(fingerprint)
            job = self._journal.find(*request.all_fingerprints())
            if job is None or job.fingerprint in held:
                return job
            fingerprint = job.fingerprint

    def _wait_for(self, lock: Right, fingerprint: str, run: Run) -> None:
        """Until nobody else works on the job.

        Raises:
            CancelledByUserError: The request that was followed was cancelled from ComfyUI: nobody wants another in its place.
        """
        if lock.try_acquire():
            return
        before = self._journal.latest(fingerprint)
        try:
            while not lock.try_acquire():
                run.report(Following())
                run.stop.sleep(FOLLOW_INTERVAL_S)
        except Stopped:
            raise Stopped("Stopped. This run sent nothing: it was waiting for another run of the same clip.") from None
        followed = self._journal.latest(fingerprint)
        if followed is not None and followed != before and followed.was_cancelled_by_user:
            raise failure_of(followed)

    def _buy_and_collect(self, client: Client, request: ClipRequest, run: Run, confirm: Confirm) -> Job:
        agreed_usd, slots = self._ask_above_usd(), self._slots()
        try:
            while True:
                # Before a slot is taken: others may go on while the user thinks.
                agreed_usd = self._confirm(client, request, confirm, run, agreed_usd)
                with slots.held(run.stop, lambda: run.report(WaitingForSlot(slots.limit()))):
                    expected_usd, bound = self._expected(client, request, run)
                    # While it waited for its turn, the price may have risen.
                    if not _is_above(agreed_usd, counted_usd(expected_usd, request.list_usd)):
                        job = self._buy(client, request, run, expected_usd, bound)
                        return self._collector.collect(job, run)
        except Stopped as stopped:
            raise stopped if str(stopped) else Stopped(f"Stopped. {NOTHING_SENT}") from None

    def _new(self, job: Job) -> Purchase:
        return Purchase(job, is_new=True, note=self._collector.archive_note(job))

    def _from_journal(self, job: Job, run: Run) -> Purchase:
        run.report(FromJournal(job.request_id or ""))
        logger.info("%s is served from the journal (request_id: %s); there is no charge.", job.name, job.request_id)
        return Purchase(job, is_new=False, note=self._collector.delivered_again(job))

    def _recover(self, job: Job, run: Run) -> Job | None:
        """Go on with a job that is under way or ended; None if it turns out to leave the way free for a new purchase."""
        if job.state is JobState.SUBMITTING:
            # We hold the lock, so whoever was submitting is dead.
            job = self._journal.record_abandoned(job)
        if job.state is JobState.UNCERTAIN:
            raise uncertain(job)
        was_waited_for = False

        def report(progress: Progress) -> None:
            nonlocal was_waited_for
            was_waited_for = was_waited_for or isinstance(progress, Queued | Rendering)
            run.report(progress)

        watched = replace(run, report=report)
        try:
            if job.state in (JobState.FAILED, JobState.CANCELLED):
                return self._collector.look_again(job, watched)
            return self._collector.collect(job, watched)
        except GenerationCancelledError:
            # Only what the user cancelled before this run leaves the way free: who cancels what a run waits for wants no other.
            was_cancelled_before = job.cancel_requested and not was_waited_for
            if was_cancelled_before and self._journal.find(job.fingerprint) is None:
                return None
            raise

    def _confirm(
        self, client: Client, request: ClipRequest, confirm: Confirm, run: Run, agreed_usd: float | None
    ) -> float | None:
        """Ask the user about a clip that costs more than what may be bought without a question, or of unknown price.

        Returns:
            What it may cost from here on without a question. None for any price: also where the user has said yes to one that
            is not known, or to one "from".
        """
        if agreed_usd is None:
            return None
        expected_usd, bound = self._expected(client, request, run)
        price_usd = counted_usd(expected_usd, request.list_usd)
        if not _is_above(agreed_usd, price_usd):
            return agreed_usd
        confirm(price_usd, bound, agreed_usd)
        return price_usd if bound in (PriceBound.ABOUT, PriceBound.AT_MOST) else None

    def _expected(self, client: Client, request: ClipRequest, run: Run) -> tuple[float | None, PriceBound]:
        """What a clip is expected to cost, and what that says of the real price; raises `SpendLimitError` if it is too much."""
        expected_usd, bound = self._pricing.expected(client, request, run.stop)
        check_clip_limit(expected_usd, request.list_usd, self._max_usd_per_clip(), bound)
        return expected_usd, bound

    def _buy(
        self, client: Client, request: ClipRequest, run: Run, expected_usd: float | None, bound: PriceBound
    ) -> Job:
        """Submit once."""
        # Only what is sent is encoded, and only what is accepted as it is sent is claimed.
        request = request.encoded()
        job = self._journal.claim(request)
        attempt = 0
        while True:
            if run.stop.is_set:
                raise Stopped(f"Stopped. {NOTHING_SENT}")
            job = self._record_submitting(client, job, request, expected_usd, bound, run)
            if run.stop.is_set:
                # Asked to end while that was recorded: nothing has gone out yet.
                self._journal.record_not_submitted(job, "")
                raise Stopped(f"Stopped. {NOTHING_SENT}")
            run.report(Submitting(expected_usd, bound))
            try:
                handle = self._submit(client, request, job)
            except RunComfyError as error:
                attempt += 1
                job, wait_s = self._after_failure(job, request, error, attempt)
                run.report(Retrying(error.what, wait_s))
                try:
                    run.stop.sleep(wait_s)
                except Stopped:
                    raise Stopped(f"Stopped. {NOT_CHARGED}") from None
            else:
                return self._record_submitted(job, handle)

    def _record_submitting(
        self, client: Client, job: Job, request: ClipRequest, expected_usd: float | None, bound: PriceBound, run: Run
    ) -> Job:
        """Once there is a slot for it on all machines together; each process has counted its own before."""
        while True:
            max_parallel = self._slots().limit()
            try:
                return self._journal.record_submitting(
                    job,
                    expected_usd=expected_usd,
                    bound=bound,
                    max_usd_per_day=self._max_usd_per_day(),
                    max_parallel=max_parallel,
                    description=request.description,
                    account=client.account_of_token,
                )
            except SlotsTakenError:
                run.report(WaitingForSlot(max_parallel))
                run.stop.sleep(FOLLOW_INTERVAL_S)

    def _submit(self, client: Client, request: ClipRequest, job: Job) -> RequestHandle:
        try:
            return client.submit(request)
        except RunComfyError:
            raise
        except BaseException:
            # Whatever this is, the request may have gone out.
            self._journal.record_uncertain(job, "The run was interrupted while the request was being sent.")
            raise

    def _after_failure(self, job: Job, request: ClipRequest, error: RunComfyError, attempt: int) -> tuple[Job, float]:
        """Record what a failed submit came to.

        Returns:
            The job, back to `prepared`, and the seconds to wait before the next attempt.

        Raises:
            RunComfyError: There is no next attempt.
        """
        verdict = submission_verdict(error)
        try:
            if verdict is Verdict.UNKNOWN:
                raise uncertain(self._journal.record_uncertain(job, error.what)) from error
            if verdict is Verdict.REFUSED:
                job = self._journal.record_rejected(job, error.what)
                raise with_job(error.told(money=NOT_CHARGED, remedy=request.remedy_for(error)), job)
            job = self._journal.record_not_submitted(job, error.what)
        except JournalUnavailableError as journal_error:
            raise with_job(journal_error, job) from error
        decision = decide(self._policy, Call.SUBMIT, attempt, error, jitter=self._jitter())
        if not isinstance(decision, Wait):
            raise with_job(error.told(money=NOTHING_SENT if verdict is Verdict.NOT_SENT else NOT_CHARGED), job)
        logger.info("%s Nothing was charged. Trying again in %.1f s.", error.what, decision.seconds)
        return job, decision.seconds

    def _record_submitted(self, job: Job, handle: RequestHandle) -> Job:
        """The one record that cannot be made before its event: try hard, then hand the id to the user."""
        is_kept = False
        for attempt in range(1, RECORD_ATTEMPTS + 1):
            try:
                return self._journal.record_submitted(job, handle.request_id)
            except RequestTakenError as error:
                raise uncertain(self._journal.record_uncertain(job, error.what)) from error
            except JournalUnavailableError as error:
                logger.error("RunComfy accepted %s as %s; %s", job.name, handle.request_id, error.what)  # noqa: TRY400 - told once
                is_kept = is_kept or self._is_kept(job, handle)
                if attempt == RECORD_ATTEMPTS:
                    raise SubmissionUncertainError(
                        f"RunComfy accepted the request, but its id could not be recorded: {error.what}",
                        money="It will be charged.",
                        remedy=ID_IS_KEPT if is_kept else NOTE_THE_ID,
                        request_id=handle.request_id,
                        job_id=job.id,
                    ) from error
                self._sleep(RECORD_WAIT_S)
        raise AssertionError("unreachable")

    def _is_kept(self, job: Job, handle: RequestHandle) -> bool:
        """Whether an id that could not be recorded is safe in the outbox."""
        if self._outbox is None:
            return False
        try:
            self._outbox.keep(job, handle.request_id)
        except OSError as error:
            logger.error("The id %s could not be kept in %s: %s", handle.request_id, self._outbox.folder, error)  # noqa: TRY400 - told once
            return False
        return True


def _is_above(agreed_usd: float | None, price_usd: float | None) -> bool:
    """Whether a price, or one that is not known, is more than what is agreed; None agrees to any."""
    return agreed_usd is not None and (price_usd is None or price_usd > agreed_usd + 1e-9)


def paid_slots(api_base: str, account: Callable[[bytes], str | None], max_parallel: Callable[[], int]) -> Slots:
    """The slots that all engines of an account at an address share.

    Args:
        api_base: The address of the API.
        account: What stands for the account, hashed with a key (see `account_of`).
        max_parallel: How many there are, as of now.
    """
    return _paid_requests.setdefault(f"{api_base} {account(_KEY_OF_PROCESS)}", Slots(max_parallel))
