"""Every fault strikes where it says, charges only what it says, and is over when it is over."""

import http.client
import re
import threading
import time

import pytest
from emulator import FAULTS, Call, Emulator, Fault, State, Timeline, fault_matrix
from emulator.visitor import CLIP, Visitor

CATALOGUE = "/v1/models/openai/sora-2/pro/image-to-video"
NO_ANSWER = (http.client.HTTPException, OSError)
NEW_EACH_TIME = re.compile(rb"req-[0-9a-f-]{36}|AbC%2d[^\"]*")
ANOTHER_WAY_TO_THE_SAME = {"no-ranges", "shifted-range", "drip", "no-length"}
FORERUNNER = {Call.STATUS: Call.SUBMIT, Call.RESULT: Call.STATUS, Call.DOWNLOAD: Call.RESULT}
BRIEF = {
    "hang": {"seconds": 0.05},
    "stall": {"seconds": 0.05},
    "endless": {"limit_bytes": 1 << 20},
    "huge-length": {"declared_bytes": 1 << 20},
}


def render(_picture, path, **_length):
    path.write_bytes(CLIP)


@pytest.fixture
def emulator(tmp_path):
    with Emulator(render=render, clips_dir=tmp_path) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def lasting_emulator(tmp_path_factory):
    with Emulator(render=render, clips_dir=tmp_path_factory.mktemp("clips")) as emulator:
        yield emulator


@pytest.fixture
def visitor(emulator):
    return Visitor(emulator)


class Journey:
    """One of each call, in the order a client makes them; a call that fails says so and the others go on."""

    def __init__(self, visitor):
        self.visitor = visitor
        self.request_id = visitor.accepted()
        self.target = visitor.clip_target(self.request_id)

    def make(self, call):
        request = f"/v1/requests/{self.request_id}"
        return {
            Call.SUBMIT: lambda: self.visitor.submit(prompt="another"),
            Call.STATUS: lambda: self.visitor.ask("GET", f"{request}/status"),
            Call.RESULT: lambda: self.visitor.ask("GET", f"{request}/result?include_cost=true"),
            Call.CANCEL: lambda: self.visitor.cancel(self.request_id),
            Call.CATALOGUE: lambda: self.visitor.ask("GET", CATALOGUE),
            Call.BALANCE: lambda: self.visitor.ask("GET", "/prod/v2/balance"),
            Call.DOWNLOAD: lambda: self.visitor.fetch(self.target),
        }[call]()

    def outcome(self, call):
        try:
            seen = self.make(call)
        except NO_ANSWER as error:
            return type(error)
        headers = tuple(seen.headers.get(name) for name in ("etag", "content-type", "location"))
        return seen.status, NEW_EACH_TIME.sub(b"new", seen.body), headers


@pytest.mark.parametrize("fault", fault_matrix(), ids=str)
def test_a_fault_strikes_once_and_charges_only_after_acceptance(lasting_emulator, fault):
    emulator = lasting_emulator
    journey = Journey(Visitor(emulator))
    right = journey.outcome(fault.call)
    charges = emulator.charges
    args = {
        **fault.args,
        **BRIEF.get(fault.kind.id, {}),
        **({"closed_s": None} if fault.kind.id == "refused" else {}),
    }
    emulator.inject(Fault(fault.call, fault.kind, after_accept=fault.after_accept, **args))
    if fault.kind.id == "refused" and fault.call in FORERUNNER:
        journey.outcome(FORERUNNER[fault.call])
        charges = emulator.charges
    wrong = journey.outcome(fault.call)
    assert (wrong == right) == (fault.kind.id in ANOTHER_WAY_TO_THE_SAME)
    is_charged = fault.call is Call.SUBMIT and fault.after_accept
    emulator.clear_faults()
    assert emulator.charges - charges == (1 if is_charged else -1 if fault.kind.id == "ends-cancelled" else 0)
    over = journey.outcome(fault.call)
    assert isinstance(over, tuple)
    assert over[0] == (202 if fault.call is Call.CANCEL else 403 if fault.kind.id == "expired" else 200)


def test_every_kind_has_a_name_of_its_own_and_a_place():
    assert len({kind.id for kind in FAULTS}) == len(FAULTS)
    assert {fault.kind.id for fault in fault_matrix()} == {kind.id for kind in FAULTS}
    assert {fault.call for fault in fault_matrix(Call.CANCEL)} == {Call.CANCEL}


@pytest.mark.parametrize(
    ("call", "kind", "after_accept"),
    [(Call.STATUS, "truncated", False), (Call.SUBMIT, "400-400002", True), (Call.RESULT, "reset", True)],
)
def test_a_fault_that_makes_no_sense_is_refused(call, kind, after_accept):
    with pytest.raises(ValueError, match="makes no sense"):
        Fault(call, kind, after_accept=after_accept)


def test_a_reset_is_a_reset_and_a_close_is_a_close(emulator, visitor):
    emulator.inject(Fault(Call.SUBMIT, "reset"), Fault(Call.SUBMIT, "closed"))
    with pytest.raises(ConnectionResetError):
        visitor.submit()
    with pytest.raises(http.client.RemoteDisconnected):
        visitor.submit()
    assert emulator.charges == 0


def test_a_lost_answer_leaves_a_charge(emulator, visitor):
    emulator.inject(Fault(Call.SUBMIT, "closed", after_accept=True))
    with pytest.raises(http.client.RemoteDisconnected):
        visitor.submit()
    assert emulator.charges == 1


def test_a_lost_answer_to_a_cancellation_leaves_it_cancelled(emulator, visitor):
    emulator.hold()
    request_id = visitor.accepted()
    emulator.inject(Fault(Call.CANCEL, "reset"), Fault(Call.CANCEL, "reset", after_accept=True))
    charges = []
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            visitor.cancel(request_id)
        charges.append(emulator.charges)
    assert charges == [1, 0]


def test_a_closed_port_refuses_and_keeps_its_number(emulator, visitor):
    emulator.inject(Fault(Call.SUBMIT, "refused", closed_s=None))
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            visitor.submit()
    assert emulator.calls == []
    emulator.clear_faults()
    assert visitor.submit().status == 200


def test_the_port_closes_just_before_the_call_that_is_refused(emulator, visitor):
    request_id = visitor.accepted()
    emulator.inject(Fault(Call.RESULT, "refused", closed_s=None))
    assert visitor.status(request_id).json["status"] == "completed"
    with pytest.raises(ConnectionRefusedError):
        visitor.result(request_id)


def test_a_port_that_closes_for_one_call_stays_open_for_the_others(emulator, visitor):
    emulator.inject(Fault(Call.DOWNLOAD, "refused", times=None, closed_s=None))
    assert visitor.cancel(visitor.accepted()).status == 202
    assert visitor.ask("GET", CATALOGUE).status == 200


def test_a_closed_port_opens_again_by_itself(emulator, visitor):
    emulator.inject(Fault(Call.BALANCE, "refused", closed_s=0.01))
    for _ in range(1000):
        try:
            answer = visitor.ask("GET", "/prod/v2/balance")
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            break
    assert answer.status == 200


@pytest.mark.parametrize("kind", ["hang", "stall"])
def test_a_hanging_answer_ends_with_the_emulator(tmp_path, kind):
    before = set(threading.enumerate())
    with Emulator(render=render, clips_dir=tmp_path) as emulator:
        emulator.inject(Fault(Call.BALANCE, kind))
        with pytest.raises(TimeoutError):
            Visitor(emulator, timeout_s=0.05).ask("GET", "/prod/v2/balance")
    assert set(threading.enumerate()) <= before


def test_a_closing_port_ends_idle_connections(emulator):
    connection = http.client.HTTPConnection(emulator.url.removeprefix("http://"))
    connection.request("GET", "/prod/v2/balance")
    connection.getresponse().read()
    emulator.inject(Fault(Call.BALANCE, "refused", closed_s=None))
    assert connection.sock.recv(1) == b""
    connection.close()


def test_a_fault_may_come_later_and_more_than_once(emulator, visitor):
    request_id = visitor.accepted()
    emulator.inject(Fault(Call.STATUS, "503", skip=1, times=2))
    assert [visitor.status(request_id).status for _ in range(4)] == [200, 503, 503, 200]
    emulator.inject(Fault(Call.STATUS, "429-seconds", times=None, retry_after=7))
    answers = [visitor.status(request_id) for _ in range(5)]
    assert {(answer.status, answer.headers["retry-after"]) for answer in answers} == {(429, "7")}


def test_one_fault_can_be_injected_again(emulator, visitor):
    request_id = visitor.accepted()
    fault = Fault(Call.STATUS, "502")
    for _ in range(2):
        emulator.inject(fault)
        assert [visitor.status(request_id).status for _ in range(2)] == [502, 200]


@pytest.mark.parametrize(("kind", "state"), [("ends-failed", "failed"), ("ends-cancelled", "cancelled")])
def test_a_bad_end_is_the_truth_from_then_on(emulator, visitor, kind, state):
    request_id = visitor.accepted()
    assert visitor.status(request_id).json["status"] == "completed"
    emulator.inject(Fault(Call.RESULT, kind))
    for _ in range(2):
        result = visitor.result(request_id).json
        assert result["status"] == state
        assert "output" not in result


def test_a_redirect_leads_to_the_clip_or_away(emulator, visitor):
    target = visitor.clip_target(visitor.accepted())
    emulator.inject(Fault(Call.DOWNLOAD, "redirect-allowed"), Fault(Call.DOWNLOAD, "redirect-foreign", skip=1))
    moved = visitor.fetch(target)
    assert moved.status == 307
    assert visitor.fetch(moved.headers["location"]).body == CLIP
    assert visitor.fetch(target).headers["location"].startswith("https://clips.runcomfy.net.invalid/")


def test_a_token_that_follows_a_redirected_call_is_a_leak(emulator, visitor):
    emulator.inject(Fault(Call.SUBMIT, "redirect"))
    visitor.ask("GET", visitor.submit().headers["location"])
    assert [leak.path for leak in emulator.leaks] == [f"/captured{CATALOGUE}"]
    assert emulator.charges == 0


@pytest.mark.parametrize(("kind", "byte_count"), [("truncated", len(CLIP)), ("truncated-unannounced", None)])
def test_a_cut_off_clip_says_its_length_or_not(emulator, visitor, kind, byte_count):
    target = visitor.clip_target(visitor.accepted())
    emulator.inject(Fault(Call.DOWNLOAD, kind, sent_bytes=1000))
    if byte_count is None:
        assert visitor.fetch(target).body == CLIP[:1000]
    else:
        with pytest.raises(http.client.IncompleteRead) as cut:
            visitor.fetch(target)
        assert (cut.value.partial, cut.value.expected) == (CLIP[:1000], byte_count - 1000)


def test_clips_can_be_noise_or_have_no_index(emulator, visitor):
    target = visitor.clip_target(visitor.accepted())
    emulator.inject(Fault(Call.DOWNLOAD, "junk"), Fault(Call.DOWNLOAD, "no-moov"))
    noise, headless = visitor.fetch(target).body, visitor.fetch(target).body
    assert len(noise) == len(headless) == len(CLIP)
    assert noise[4:8] != b"ftyp"
    assert (b"moov" in headless, headless[4:8]) == (False, b"ftyp")


def test_slow_bytes_are_the_right_bytes(emulator, visitor):
    target = visitor.clip_target(visitor.accepted())
    emulator.inject(Fault(Call.DOWNLOAD, "drip", chunk_bytes=1024, pause_s=0.001))
    assert visitor.fetch(target).body == CLIP


def test_a_fault_can_wait_for_a_state_by_hand(tmp_path):
    with Emulator(render=render, clips_dir=tmp_path, timeline=Timeline.by_hand()) as emulator:
        visitor = Visitor(emulator)
        request_id = visitor.accepted()
        emulator.inject(Fault(Call.STATUS, "upper-case-status", times=None))
        words = [visitor.status(request_id).json["status"]]
        for state in (State.RENDERING, State.SUCCEEDED):
            emulator.release(request_id, state)
            words.append(visitor.status(request_id).json["status"])
    assert words == ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
