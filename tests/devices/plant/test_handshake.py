"""The PLC's handshake: by hand, and no path from a fault to RELEASE."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from yochi_devices.plant.handshake import HOLD, NONE, RELEASE, Handshake, Registers
from yochi_devices.plant.signal import Signal

from .signals import made

ANSWER_S = 5.0


def test_release_is_no_pattern_that_memory_shows_by_itself() -> None:
    assert RELEASE ^ HOLD == 0xFFFF
    for idle in (0x0000, 0xFFFF, HOLD):
        assert (RELEASE ^ idle).bit_count() >= 8


def test_a_request_is_answered_and_acknowledged() -> None:
    plc = Handshake(ANSWER_S)
    old = made(True, issued=9.9)
    assert plc.step(0, 0, old, 10.0) == Registers(1, 1, 0, NONE, 1, 0)
    assert plc.step(7, 0, old, 10.1) == Registers(2, 1, 0, NONE, 1, 0)  # seen before it was asked
    new = made(True, issued=10.25)
    assert plc.step(7, 0, new, 10.5) == Registers(3, 1, 7, RELEASE, 1, 4750)
    assert plc.step(7, 0, new, 11.5) == Registers(4, 1, 7, RELEASE, 1, 3750)
    assert plc.step(7, 7, new, 11.75) == Registers(5, 1, 0, NONE, 1, 0)
    assert plc.step(7, 7, made(True, issued=12.0), 12.0).result == NONE  # once only
    assert plc.step(8, 7, made(True, issued=12.0), 12.1).result == NONE
    assert plc.step(8, 7, made(True, issued=12.2), 12.3).result == RELEASE


def test_a_stop_is_held_and_stays_held_for_this_request() -> None:
    plc = Handshake(ANSWER_S)
    plc.step(1, 0, None, 0.0)
    assert plc.step(1, 0, made(False, issued=0.1), 0.2)[2:] == (1, HOLD, 3, 0)
    assert plc.step(1, 0, made(True, issued=0.3), 0.4)[2:] == (1, HOLD, 1, 0)
    plc.step(2, 0, made(True, issued=0.3), 0.5)
    assert plc.step(2, 0, made(True, issued=0.6), 0.7).result == RELEASE


def test_a_release_that_is_over_becomes_hold() -> None:
    for after in (None, made(False, issued=0.5), made(None, issued=0.5)):
        plc = Handshake(ANSWER_S)
        plc.step(1, 0, None, 0.0)
        assert plc.step(1, 0, made(True, issued=0.1), 0.2).result == RELEASE
        assert plc.step(1, 0, after, 0.6).result == HOLD
        assert plc.step(1, 0, made(True, issued=0.7), 0.8).result == HOLD


def test_without_an_answer_in_time_it_is_hold() -> None:
    plc = Handshake(ANSWER_S)
    assert plc.step(1, 0, None, 0.0)[1:] == (0, 0, NONE, 0, 0)
    assert plc.step(1, 0, None, 5.0).result == NONE
    assert plc.step(1, 0, None, 5.1)[1:] == (0, 1, HOLD, 0, 0)


def test_in_advise_it_stays_idle_and_shows_the_verdict() -> None:
    plc = Handshake(ANSWER_S)
    plc.step(1, 0, None, 0.0)
    for at in (1.0, 10.0):
        assert plc.step(1, 0, made(None, issued=at), at)[1:] == (0, 0, NONE, 1, 0)


def test_a_request_that_was_acknowledged_before_yochi_started_is_over() -> None:
    plc = Handshake(ANSWER_S)
    assert plc.step(4, 4, made(True, issued=0.0), 0.0).answer == 0
    assert plc.step(4, 4, made(True, issued=0.1), 0.2).answer == 0


def test_the_heartbeat_goes_round_without_zero() -> None:
    plc = Handshake(ANSWER_S)
    assert [plc.step(0, 0, None, 0.0).heartbeat for _ in range(3)] == [1, 2, 3]
    plc._heartbeat = 65534
    assert [plc.step(0, 0, None, 0.0).heartbeat for _ in range(3)] == [65535, 1, 2]


@dataclass
class _Seen:
    """What the test itself saw of a request: since when, and whether anything spoke against it since."""

    number: int
    since: float
    spoiled: bool = False
    answered: bool = False


class AnyOrder(RuleBasedStateMachine):
    """Requests, signals, time, faults and restarts in any order; it is polled after each."""

    def __init__(self) -> None:
        super().__init__()
        self.plc, self.now, self.beat = Handshake(ANSWER_S), 0.0, 0
        self.request = self.acknowledge = 0
        self.newest: Signal | None = None
        self.asked: _Seen | None = None

    @rule(number=st.integers(0, 2), acknowledge=st.integers(0, 2))
    def the_plc_writes(self, number: int, acknowledge: int) -> None:
        self.request, self.acknowledge = number, acknowledge

    @rule(number=st.integers(1, 2))
    def the_plc_asks(self, number: int) -> None:
        self.request, self.acknowledge = number, 0

    @rule(seconds=st.sampled_from([0.5, 6.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds

    @rule(release=st.sampled_from([True, True, False, None]), age=st.sampled_from([0.0, 0.3]))
    def a_judgement_comes(self, release: bool | None, age: float) -> None:
        self.newest = made(release, issued=self.now - age)

    @rule()
    def no_judgement_counts_any_more(self) -> None:
        self.newest = None

    @rule()
    def the_connection_fails(self) -> None:
        self.plc.fault()
        if self.asked is not None:
            self.asked.spoiled = True

    @rule()
    def yochi_is_killed_and_starts_again(self) -> None:
        self.plc, self.newest, self.asked, self.beat = Handshake(ANSWER_S), None, None, 0

    @invariant()
    def it_is_polled(self) -> None:
        self.now += 0.01
        if self.asked is None or self.asked.number != self.request:
            self.asked = _Seen(self.request, self.now)
        found = self.plc.step(self.request, self.acknowledge, self.newest, self.now)
        assert found.heartbeat != self.beat
        assert found.heartbeat > 0
        self.beat = found.heartbeat
        released = self.newest is not None and self.newest.releases(self.now)
        if found.result == RELEASE:
            assert self.request == found.answer != 0
            assert not self.asked.spoiled
            assert released
            assert self.newest is not None
            assert self.newest.issued > self.asked.since or self.asked.answered
            assert 0 < found.valid_ms <= max(1, (self.newest.expires - self.now) * 1000)
            self.asked.answered = True
        else:
            assert found.valid_ms == 0
            self.asked.spoiled |= self.asked.answered and not released
        if found.result == HOLD:
            assert found.answer == self.request
            self.asked.spoiled = True
        if found.result == NONE:
            assert found.answer == 0

    @rule()
    def whoever_asks_anew_is_released(self) -> None:
        """The machine is not safe by being dead: a whole round is possible from everywhere."""
        for number in (0, 1):
            self.the_plc_writes(number, 0)
            self.it_is_polled()
        self.newest = made(True, issued=self.now + 0.005)
        self.it_is_polled()
        assert self.asked is not None
        assert self.asked.answered


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=40, stateful_step_count=12)
