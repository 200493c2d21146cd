"""Candidates, guards and what is remembered, rule by rule, and the laws that hold on any market."""

from collections.abc import Iterator, Sequence
from datetime import time
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algoexec.domain.calendar import ist, ist_minute
from algoexec.domain.signals import Pattern, Reason, Side
from algoexec.strategy.decision import (
    ALL,
    BREAKOUTS,
    CALLS,
    CANDIDATES,
    GUARDS,
    PUTS,
    REVERSALS,
    Ledger,
    Verdict,
    decide,
    ledger_next,
)
from algoexec.strategy.indicators import Ema, Vwap
from algoexec.strategy.kernel import UNKNOWN, known
from algoexec.strategy.memory import Memory, Setup, at_day_of, empty_memory, remember
from algoexec.strategy.opening_range import OpeningRange
from algoexec.strategy.parameters import Parameters
from algoexec.strategy.patterns import NO_BAR, Bar
from tests.strategies import DAY, GRID, ohlc, sessions

P: Final = Parameters()
MIDNIGHT: Final = ist_minute(ist(DAY, time(0)))
PCRS: Final = st.one_of(st.just(UNKNOWN), st.sampled_from([0.5, 0.7, 1.0, 1.3, 1.6]))

ORB_CALL, ORB_PUT, INSIDE_CALL, INSIDE_PUT, ENGULF_CALL, ENGULF_PUT, HAMMER, STAR, MOMENTUM_CALL, MOMENTUM_PUT = (
    1 << index for index in range(10)
)


def bar(clock: str, opened: float, high: float, low: float, close: float, volume: float = UNKNOWN) -> Bar:
    hour, minute = clock.split(":")
    return Bar(MIDNIGHT + int(hour) * 60 + int(minute), opened, high, low, close, volume)


def flat(clock: str, price: float, volume: float = UNKNOWN) -> Bar:
    """A candle without a body, half a point to each side: no pattern, no setup after another of its like."""
    return bar(clock, price, price + 0.5, price - 0.5, price, volume)


def clocks(first: str, count: int) -> list[str]:
    hour, minute = map(int, first.split(":"))
    return [f"{(hour * 60 + minute + i) // 60}:{(hour * 60 + minute + i) % 60:02}" for i in range(count)]


def verdicts(
    bars: Sequence[Bar], pcrs: Sequence[float] = (), p: Parameters = P, ledger: Ledger | None = None
) -> Iterator[Verdict]:
    """Yield the verdict on every bar, each with its put-call ratio (by default unknown)."""
    memory, ledger = empty_memory(p), ledger or Ledger()
    for i, each in enumerate(bars):
        before = at_day_of(memory, each)
        memory = remember(before, each, p)
        verdict = decide(before, memory, ledger, each, pcrs[i % len(pcrs)] if pcrs else UNKNOWN, p)
        ledger = ledger_next(ledger, verdict.emitted, each)
        yield verdict


def seen(
    *,
    prev: Bar = NO_BAR,
    vwap: float = UNKNOWN,
    fast: float = UNKNOWN,
    slow: float = UNKNOWN,
    opening: tuple[float, float] | None = None,
    setup: Setup | None = None,
    volume: float = UNKNOWN,
) -> Memory:
    """Return the memory of a market whose levels are as given; `opening` is high and low."""
    return empty_memory(P)._replace(
        prev=prev,
        vwap=Vwap() if vwap != vwap else Vwap(vwap * 1e6, 1e6, vwap, 1),
        ema_fast=Ema() if fast != fast else Ema(100, fast),
        ema_slow=Ema() if slow != slow else Ema(100, slow),
        opening=OpeningRange() if opening is None else OpeningRange(15, *opening),
        setup=setup or Setup(),
        volumes=(volume,) * P.volume_length,
    )


def judged(memory: Memory, this: Bar, pcr: float = UNKNOWN, ledger: Ledger | None = None, p: Parameters = P) -> Verdict:
    """Judge `this` against the levels of `memory` itself: nothing moves them but the test."""
    return decide(memory, memory, ledger or Ledger(), this, pcr, p)


def reason_of(verdict: Verdict, candidate: int) -> Reason | None:
    assert verdict.candidates & candidate, "no candidate"
    found = [reason for reason, mask in GUARDS if getattr(verdict, mask) & candidate]
    assert len(found) + bool(verdict.emitted & candidate) == 1
    return found[0] if found else None


# --- laws ---------------------------------------------------------------------------------------------------------


def test_the_table_of_candidates_is_the_pages() -> None:
    assert [(pattern, side) for pattern, side, _ in CANDIDATES] == [
        (Pattern.ORB_BREAKOUT, Side.BUY_CALL),
        (Pattern.ORB_BREAKOUT, Side.BUY_PUT),
        (Pattern.INSIDE_BAR_BREAKOUT, Side.BUY_CALL),
        (Pattern.INSIDE_BAR_BREAKOUT, Side.BUY_PUT),
        (Pattern.BULLISH_ENGULFING, Side.BUY_CALL),
        (Pattern.BEARISH_ENGULFING, Side.BUY_PUT),
        (Pattern.HAMMER, Side.BUY_CALL),
        (Pattern.SHOOTING_STAR, Side.BUY_PUT),
        (Pattern.MOMENTUM, Side.BUY_CALL),
        (Pattern.MOMENTUM, Side.BUY_PUT),
    ]
    assert [candidate.priority for candidate in CANDIDATES] == [1, 1, 2, 2, 3, 3, 3, 3, 4, 4]
    calls = sum(1 << i for i, candidate in enumerate(CANDIDATES) if candidate.side is Side.BUY_CALL)
    assert (calls, ALL & ~calls) == (CALLS, PUTS)
    assert sum(1 << i for i, c in enumerate(CANDIDATES) if c.pattern is Pattern.ORB_BREAKOUT) == BREAKOUTS
    assert sum(1 << i for i, c in enumerate(CANDIDATES) if c.priority == 3) == REVERSALS
    assert P.enabled == ALL


@given(sessions(80), st.lists(PCRS, min_size=1, max_size=9))
@settings(max_examples=50)
def test_every_candidate_has_one_fate_and_at_most_one_is_the_signal(bars: list[Bar], pcrs: list[float]) -> None:
    for verdict in verdicts(bars, pcrs):
        masks = [verdict.locked, verdict.volume, verdict.level, verdict.pcr, verdict.lower, verdict.emitted]
        assert sum(masks) == verdict.candidates, "a sum of disjoint masks is their union"
        union = 0
        for mask in masks:
            assert not union & mask
            union |= mask
        assert union == verdict.candidates
        assert verdict.emitted.bit_count() <= 1
        assert not verdict.lower or verdict.emitted & -verdict.emitted < verdict.lower & -verdict.lower


@given(sessions(60, time(9, 20)), st.lists(PCRS, min_size=1, max_size=9), st.data())
@settings(max_examples=50)
def test_a_verdict_never_changes_when_candles_are_appended(
    bars: list[Bar], pcrs: list[float], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(bars)))
    assert repr(list(verdicts(bars, pcrs))[:cut]) == repr(list(verdicts(bars[:cut], pcrs)))


@given(sessions(60, time(9, 20)))
@settings(max_examples=50)
def test_the_mirrored_market_has_the_mirrored_candidates(bars: list[Bar]) -> None:
    around = 100_000.0
    mirrored = [
        Bar(b.minute, around - b.open, around - b.low, around - b.high, around - b.close, b.volume) for b in bars
    ]
    # Reversals are judged by a tolerance in per cent of the close, which a mirror changes; they are not in
    # question here, so no signal may depend on them: each candle is judged as if it were the day's first signal.
    memory, other = empty_memory(P), empty_memory(P)
    for this, image in zip(bars, mirrored, strict=True):
        before, opposite = at_day_of(memory, this), at_day_of(other, image)
        memory, other = remember(before, this, P), remember(opposite, image, P)
        found = decide(before, memory, Ledger(), this, UNKNOWN, P).candidates
        there = decide(opposite, other, Ledger(), image, UNKNOWN, P).candidates
        assert found == (there & CALLS) << 1 | (there & PUTS) >> 1


@given(sessions(60, time(9, 25)), st.integers(-20_000, 20_000))
@settings(max_examples=50)
def test_candidates_do_not_depend_on_the_level_of_prices(bars: list[Bar], steps: int) -> None:
    by = GRID * steps
    there = [Bar(b.minute, b.open + by, b.high + by, b.low + by, b.close + by, b.volume) for b in bars]
    quiet = P._replace(lock_minutes=0)
    for here, moved in zip(verdicts(bars, p=quiet), verdicts(there, p=quiet), strict=True):
        # One that has fired is no candidate, and whether a breakout fires can depend on nothing but volume.
        assert here.candidates == moved.candidates


@given(sessions(60, time(9, 20)), st.lists(PCRS, min_size=1, max_size=9))
@settings(max_examples=50)
def test_between_two_signals_lie_five_minutes(bars: list[Bar], pcrs: list[float]) -> None:
    signals = [this.minute for this, verdict in zip(bars, verdicts(bars, pcrs), strict=True) if verdict.emitted]
    assert all(later - earlier >= 5 for earlier, later in pairwise(signals))


@given(sessions(60), st.lists(PCRS, min_size=1, max_size=9))
@settings(max_examples=25)
def test_a_breakout_fires_once_a_side_and_day(bars: list[Bar], pcrs: list[float]) -> None:
    emitted = [verdict.emitted for verdict in verdicts(bars, pcrs)]
    assert emitted.count(ORB_CALL) <= 1
    assert emitted.count(ORB_PUT) <= 1


@given(st.integers(0, 1023), ohlc(), ohlc())
def test_a_pattern_that_is_switched_off_is_no_candidate(
    enabled: int, before: tuple[float, float, float, float], now: tuple[float, float, float, float]
) -> None:
    memory = seen(prev=bar("10:00", *before), vwap=50_000, fast=50_000.5, slow=49_999.5, opening=(50_002, 49_998))
    everything = judged(memory, bar("10:01", *now)).candidates
    assert judged(memory, bar("10:01", *now), p=P._replace(enabled=enabled)).candidates == everything & enabled


# --- opening range ------------------------------------------------------------------------------------------------

OPENING: Final = [flat(clock, 100.0, 100.0) for clock in clocks("9:15", 15)]


def test_a_close_above_the_range_breaks_out() -> None:
    *_, verdict = verdicts([*OPENING, bar("9:30", 100.0, 102.0, 100.0, 101.0)])
    assert reason_of(verdict, ORB_CALL) is None
    assert not known(verdict.volume_confirmed)


def test_a_close_below_the_range_breaks_down() -> None:
    *_, verdict = verdicts([*OPENING, bar("9:30", 100.0, 100.0, 98.0, 99.0)])
    assert reason_of(verdict, ORB_PUT) is None


@pytest.mark.parametrize("missing", [0, 7, 14])
def test_without_one_of_its_fifteen_candles_there_is_no_range(missing: int) -> None:
    opening = [each for i, each in enumerate(OPENING) if i != missing]
    *_, verdict = verdicts([*opening, bar("9:30", 100.0, 102.0, 100.0, 101.0)])
    assert not verdict.candidates & BREAKOUTS


def test_candles_outside_the_opening_minutes_are_not_in_the_range() -> None:
    *_, verdict = verdicts(
        [*OPENING, flat("9:30", 100.0), flat("9:31", 100.0), bar("9:32", 100.0, 102.0, 100.0, 101.0)]
    )
    assert verdict.candidates & ORB_CALL


@pytest.mark.parametrize(
    ("prev", "close", "holds"),
    [
        (100.0, 100.5, False),  # at the high is not above it
        (100.0, 100.5 + 9e-7, False),
        (100.0, 100.5 + 2e-6, True),
        (100.5, 100.6, True),  # from the high itself
        (100.5 + 5e-7, 100.6, True),
        (100.6, 100.7, False),  # it was above already
    ],
)
def test_a_breakout_crosses_the_edge(prev: float, close: float, holds: bool) -> None:
    memory = seen(prev=flat("10:00", prev), opening=(100.5, 99.5))
    up = judged(memory, bar("10:01", 100.0, 101.0, 99.0, close))
    assert bool(up.candidates & ORB_CALL) is holds
    memory = seen(prev=flat("10:00", 200 - prev), opening=(100.5, 99.5))
    down = judged(memory, bar("10:01", 100.0, 101.0, 99.0, 200 - close))
    assert bool(down.candidates & ORB_PUT) is holds


def test_the_candle_before_is_the_known_one_before() -> None:
    *_, verdict = verdicts([*OPENING, flat("9:30", 101.5), bar("9:47", 100.0, 102.0, 100.0, 102.0)])
    assert not verdict.candidates & ORB_CALL


@pytest.mark.parametrize(("volume", "reason"), [(150.0, None), (149.0, Reason.VOLUME), (UNKNOWN, None)])
def test_a_breakout_needs_volume_unless_that_is_unknown(volume: float, reason: Reason | None) -> None:
    memory = seen(prev=flat("10:00", 100.0), opening=(100.5, 99.5), volume=100.0)
    verdict = judged(memory, bar("10:01", 100.0, 101.0, 99.5, 100.8, volume))
    assert reason_of(verdict, ORB_CALL) is reason
    assert known(verdict.volume_confirmed) is known(volume)


def test_volume_matters_to_nothing_but_the_breakout() -> None:
    memory = seen(prev=flat("10:00", 100.0), opening=(100.5, 99.5), volume=100.0, setup=Setup(100.6, 99.4, 2))
    verdict = judged(memory, bar("10:01", 100.0, 101.0, 99.5, 100.8, 10.0))
    assert reason_of(verdict, ORB_CALL) is Reason.VOLUME
    assert reason_of(verdict, INSIDE_CALL) is None


def test_the_own_volume_is_not_in_its_average() -> None:
    bars = [flat(clock, 100.0, 100.0) for clock in clocks("9:30", 20)]
    *_, last = verdicts([*bars, flat("9:50", 100.0, 150.0)])
    assert last.volume_confirmed == 1.0


@pytest.mark.parametrize("unknown", [0, 19])
def test_one_unknown_volume_among_the_twenty_makes_the_average_unknown(unknown: int) -> None:
    bars = [flat(clock, 100.0, UNKNOWN if i == unknown else 100.0) for i, clock in enumerate(clocks("9:30", 20))]
    *_, last = verdicts([*bars, flat("9:50", 100.0, 150.0)])
    assert not known(last.volume_confirmed)
    *_, last = verdicts([flat("9:29", 100.0), *bars[:unknown], *bars[unknown + 1 :], flat("9:50", 100.0, 150.0)])
    assert not known(last.volume_confirmed), "nineteen are too few"


def test_the_average_volume_reaches_back_into_yesterday() -> None:
    yesterday = [
        flat(clock, 100.0, 100.0)._replace(minute=MIDNIGHT - 1440 + 600 + i)
        for i, clock in enumerate(clocks("10:00", 20))
    ]
    *_, last = verdicts([*yesterday, flat("9:15", 100.0, 149.0)])
    assert last.volume_confirmed == 0.0


def test_a_side_that_has_fired_is_no_candidate_and_the_other_still_is() -> None:
    up, down = bar("10:01", 100.0, 101.0, 99.5, 100.8), bar("10:01", 100.0, 101.0, 99.0, 99.2)
    memory = seen(prev=flat("10:00", 100.0), opening=(100.5, 99.5))
    fired = Ledger(locked_from=-1, day=MIDNIGHT // 1440, fired=ORB_CALL)
    assert not judged(memory, up, ledger=fired).candidates & ORB_CALL
    assert judged(memory, down, ledger=fired).candidates & ORB_PUT
    yesterday = fired._replace(day=fired.day - 1)
    assert judged(memory, up, ledger=yesterday).candidates & ORB_CALL


def test_a_refused_breakout_is_not_counted() -> None:
    memory = seen(prev=flat("10:00", 100.0), opening=(100.5, 99.5))
    this = bar("10:01", 100.0, 101.0, 99.5, 100.8)
    verdict = judged(memory, this, pcr=0.5)
    assert reason_of(verdict, ORB_CALL) is Reason.PCR
    assert ledger_next(Ledger(), verdict.emitted, this) == Ledger()


def test_a_signal_of_another_pattern_keeps_the_count_of_breakouts() -> None:
    memory = seen(prev=flat("10:00", 100.0), setup=Setup(100.5, 99.5, 2))
    this = bar("10:30", 100.0, 101.0, 99.5, 100.8)
    fired = Ledger(locked_from=this.minute - 20, day=this.minute // 1440, fired=ORB_CALL)
    assert ledger_next(fired, judged(memory, this, ledger=fired).emitted, this) == fired._replace(
        locked_from=this.minute + 1
    )


# --- inside bars --------------------------------------------------------------------------------------------------

MOTHER: Final = bar("10:00", 100.0, 110.0, 90.0, 100.0)
INSIDE: Final = bar("10:01", 100.0, 105.0, 95.0, 100.0)
QUIET: Final = Parameters(enabled=INSIDE_CALL | INSIDE_PUT, lock_minutes=0)


def wide(clock: str, close: float = 100.0) -> Bar:
    """A candle that is inside of nothing before it, and no pattern."""
    return bar(clock, close, 130.0, 70.0, close)


def inside_verdicts(*bars: Bar) -> list[int]:
    return [verdict.emitted for verdict in verdicts(bars, p=QUIET)]


@pytest.mark.parametrize(("close", "found"), [(110.5, INSIDE_CALL), (89.5, INSIDE_PUT), (110.0, 0), (90.0, 0)])
def test_a_close_beyond_the_mother_breaks_out(close: float, found: int) -> None:
    assert inside_verdicts(MOTHER, INSIDE, wide("10:02", close)) == [0, 0, found]


@pytest.mark.parametrize(("waits", "found"), [(0, INSIDE_CALL), (1, INSIDE_CALL), (2, INSIDE_CALL), (3, 0)])
def test_a_setup_lives_for_three_candles(waits: int, found: int) -> None:
    between = [wide(clock)._replace(high=130.0 + i, low=70.0 - i) for i, clock in enumerate(clocks("10:02", waits))]
    assert inside_verdicts(MOTHER, INSIDE, *between, wide("10:20", 111.0)._replace(high=140.0, low=60.0))[-1] == found


def test_known_candles_count_not_minutes() -> None:
    assert inside_verdicts(MOTHER, INSIDE, wide("10:50"), wide("11:20", 111.0))[-1] == INSIDE_CALL


def test_a_newer_inside_bar_replaces_an_older_setup() -> None:
    newer = bar("10:02", 100.0, 104.0, 96.0, 100.0)
    assert inside_verdicts(MOTHER, INSIDE, newer, wide("10:03", 106.0))[-1] == INSIDE_CALL, "105 is the high now"


def test_a_breakout_ends_the_setup() -> None:
    assert inside_verdicts(MOTHER, INSIDE, wide("10:02", 111.0), wide("10:03", 112.0)) == [0, 0, INSIDE_CALL, 0]


def test_a_breakout_outside_of_the_window_ends_the_setup_without_a_line() -> None:
    early = [MOTHER, INSIDE, wide("9:29", 111.0), wide("9:30", 112.0)]
    early = [each._replace(minute=MIDNIGHT + 567 + i) for i, each in enumerate(early)]
    assert [verdict.candidates for verdict in verdicts(early, p=QUIET)] == [0, 0, 0, 0]


def test_a_setup_from_before_the_window_breaks_out_within_it() -> None:
    early = [MOTHER, INSIDE, wide("9:30", 111.0)]
    early = [each._replace(minute=MIDNIGHT + 568 + i) for i, each in enumerate(early)]
    assert inside_verdicts(*early) == [0, 0, INSIDE_CALL]


def test_a_candle_may_break_out_and_open_the_next_setup() -> None:
    tall = bar("10:02", 108.0, 130.0, 92.0, 108.0)
    both = bar("10:03", 111.0, 125.0, 100.0, 112.0)  # inside of `tall`, above the first mother
    then = bar("10:04", 112.0, 140.0, 112.0, 131.0)  # above `tall`
    assert inside_verdicts(MOTHER, INSIDE, tall, both, then) == [0, 0, 0, INSIDE_CALL, INSIDE_CALL]


def test_a_still_candle_opens_no_setup_and_uses_one_up() -> None:
    still = [bar(clock, 100.0, 100.0, 100.0, 100.0) for clock in clocks("10:02", 3)]
    assert inside_verdicts(MOTHER, *still[:1], wide("10:03", 111.0))[-1] == 0
    assert inside_verdicts(MOTHER, INSIDE, *still[:2], wide("10:04", 111.0))[-1] == INSIDE_CALL
    assert inside_verdicts(MOTHER, INSIDE, *still, wide("10:05", 111.0))[-1] == 0


def test_a_pattern_that_is_off_still_uses_up_its_setup() -> None:
    off = Parameters(enabled=ALL & ~INSIDE_CALL & ~INSIDE_PUT)
    bars = [MOTHER, INSIDE, wide("10:02", 111.0)]
    memory = empty_memory(off)
    for each in bars:
        memory = remember(at_day_of(memory, each), each, off)
    assert memory.setup.remaining == 0


# --- reversals and momentum ---------------------------------------------------------------------------------------

HAMMER_BAR: Final = bar("10:01", 10_009.0, 10_010.0, 10_000.0, 10_010.0)
TOLERANCE: Final = 10_010.0 * 0.05 / 100


@pytest.mark.parametrize("known_level", ["vwap", "fast", "slow"])
@pytest.mark.parametrize(
    ("level", "reason"),
    [
        (10_005.0, None),
        (10_000.0 - TOLERANCE, None),
        (10_000.0 - TOLERANCE - 1e-5, Reason.NO_MANS_LAND),
        (10_010.0 + TOLERANCE, None),
        (10_010.0 + TOLERANCE + 1e-5, Reason.NO_MANS_LAND),
    ],
)
def test_a_reversal_needs_any_one_level_nearby(known_level: str, level: float, reason: Reason | None) -> None:
    vwap, fast, slow = (level if known_level == name else UNKNOWN for name in ("vwap", "fast", "slow"))
    memory = seen(prev=flat("10:00", 10_000.0), vwap=vwap, fast=fast, slow=slow)
    assert reason_of(judged(memory, HAMMER_BAR), HAMMER) is reason


def test_without_a_known_level_a_reversal_is_in_no_mans_land() -> None:
    assert reason_of(judged(seen(), HAMMER_BAR), HAMMER) is Reason.NO_MANS_LAND


@pytest.mark.parametrize(
    ("candidate", "prev", "this"),
    [
        (ENGULF_CALL, (102.0, 102.5, 97.5, 98.0), (98.0, 103.0, 97.0, 102.5)),
        (ENGULF_PUT, (98.0, 102.5, 97.5, 102.0), (102.0, 103.0, 97.0, 97.5)),
        (HAMMER, (100.0, 100.0, 100.0, 100.0), (109.0, 110.0, 100.0, 110.0)),
        (STAR, (100.0, 100.0, 100.0, 100.0), (101.0, 110.0, 100.0, 100.0)),
    ],
)
def test_each_reversal_is_found(
    candidate: int, prev: tuple[float, float, float, float], this: tuple[float, float, float, float]
) -> None:
    verdict = judged(seen(prev=bar("10:00", *prev), vwap=100.0), bar("10:01", *this))
    assert verdict.candidates == verdict.emitted == candidate


STRONG: Final = bar("10:01", 100.0, 110.0, 100.0, 110.0)


@pytest.mark.parametrize(
    ("fast", "slow", "vwap", "holds"),
    [
        (105.0, 104.0, 105.0, True),
        (105.0, 105.0, 105.0, False),
        (105.0, 106.0, 105.0, False),
        (110.0, 104.0, 105.0, False),
        (105.0, 104.0, 110.0, False),
        (UNKNOWN, 104.0, 105.0, False),
        (105.0, UNKNOWN, 105.0, False),
        (105.0, 104.0, UNKNOWN, False),
    ],
)
def test_momentum_goes_with_a_known_trend(fast: float, slow: float, vwap: float, holds: bool) -> None:
    verdict = judged(seen(fast=fast, slow=slow, vwap=vwap), STRONG)
    assert verdict.candidates == (MOMENTUM_CALL if holds else 0)
    down = bar("10:01", 110.0, 110.0, 100.0, 100.0)
    verdict = judged(seen(fast=210 - fast, slow=210 - slow, vwap=210 - vwap), down)
    assert verdict.candidates == (MOMENTUM_PUT if holds else 0)


# --- guards -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "reason"), [(1, Reason.TRADE_LOCK), (4, Reason.TRADE_LOCK), (5, None), (6, None)])
def test_a_signal_locks_for_less_than_five_minutes(minutes: int, reason: Reason | None) -> None:
    ledger = Ledger(locked_from=STRONG.minute + 1 - minutes)
    verdict = judged(seen(fast=105, slow=104, vwap=105), STRONG, ledger=ledger)
    assert reason_of(verdict, MOMENTUM_CALL) is reason


@pytest.mark.parametrize(
    ("pcr", "call", "put"),
    [
        (0.7, None, None),
        (0.6999999, Reason.PCR, None),
        (0.0, Reason.PCR, None),
        (1.3, None, None),
        (1.3000001, None, Reason.PCR),
        (UNKNOWN, None, None),
    ],
)
def test_the_put_call_ratio_refuses_at_its_edges(pcr: float, call: Reason | None, put: Reason | None) -> None:
    setup = Setup(100.5, 99.5, 2)
    up = judged(seen(setup=setup), bar("10:01", 100.0, 101.0, 99.5, 100.8), pcr)
    down = judged(seen(setup=setup), bar("10:01", 100.0, 100.5, 99.0, 99.2), pcr)
    assert reason_of(up, INSIDE_CALL) is call
    assert reason_of(down, INSIDE_PUT) is put


def test_the_first_guard_that_refuses_names_the_reason() -> None:
    memory = seen(prev=flat("10:00", 100.0), opening=(100.5, 99.5), volume=100.0)
    this = bar("10:01", 100.0, 101.0, 99.5, 100.8, 10.0)
    locked = Ledger(locked_from=this.minute)
    assert reason_of(judged(memory, this, pcr=0.5, ledger=locked), ORB_CALL) is Reason.TRADE_LOCK
    assert reason_of(judged(memory, this, pcr=0.5), ORB_CALL) is Reason.VOLUME
    assert reason_of(judged(memory, this._replace(volume=200.0), pcr=0.5), ORB_CALL) is Reason.PCR
    assert reason_of(judged(memory, this._replace(volume=200.0)), ORB_CALL) is None


def test_only_an_emitted_better_candidate_makes_another_lower() -> None:
    memory = seen(
        prev=flat("10:00", 100.0), opening=(100.5, 99.5), setup=Setup(100.5, 99.5, 2), fast=99.0, slow=98.0, vwap=99.0
    )
    this = bar("10:01", 100.0, 101.0, 100.0, 101.0, 10.0)
    verdict = judged(memory, this)
    assert verdict.candidates == ORB_CALL | INSIDE_CALL | MOMENTUM_CALL
    assert [reason_of(verdict, c) for c in (ORB_CALL, INSIDE_CALL, MOMENTUM_CALL)] == [
        None,
        Reason.LOWER_PRIORITY,
        Reason.LOWER_PRIORITY,
    ]
    verdict = judged(memory._replace(volumes=(100.0,) * 20), this)
    assert [reason_of(verdict, c) for c in (ORB_CALL, INSIDE_CALL, MOMENTUM_CALL)] == [
        Reason.VOLUME,
        None,
        Reason.LOWER_PRIORITY,
    ]


def test_a_reversal_in_no_mans_land_does_not_stand_in_the_way_of_momentum() -> None:
    prev = bar("10:00", 10_002.0, 10_002.0, 10_000.0, 10_000.0)
    memory = seen(prev=prev, fast=9_900.0, slow=9_800.0, vwap=9_900.0)
    verdict = judged(memory, bar("10:01", 10_000.0, 10_010.0, 10_000.0, 10_010.0))
    assert reason_of(verdict, ENGULF_CALL) is Reason.NO_MANS_LAND
    assert reason_of(verdict, MOMENTUM_CALL) is None


@pytest.mark.parametrize(("clock", "holds"), [("9:29", False), ("9:30", True), ("14:59", True), ("15:00", False)])
def test_candidates_are_looked_for_from_half_past_nine_to_three(clock: str, holds: bool) -> None:
    verdict = judged(seen(setup=Setup(100.5, 99.5, 2)), bar(clock, 100.0, 101.0, 99.5, 100.8))
    assert bool(verdict.candidates) is holds


# --- days ---------------------------------------------------------------------------------------------------------


def test_a_new_day_forgets_all_but_the_averages() -> None:
    memory = empty_memory(P)
    for each in [*OPENING, *(flat(clock, 101.0, 50.0) for clock in clocks("9:30", 10)), MOTHER, INSIDE]:
        memory = remember(at_day_of(memory, each), each, P)
    assert memory.setup.remaining == 3
    tomorrow = at_day_of(memory, MOTHER._replace(minute=MIDNIGHT + 1440 + 555))
    assert repr(tomorrow) == repr(
        empty_memory(P)._replace(ema_fast=memory.ema_fast, ema_slow=memory.ema_slow, volumes=memory.volumes)
    )


def test_nothing_engulfs_or_breaks_out_of_yesterday() -> None:
    prev = bar("10:00", 102.0, 102.5, 97.5, 98.0)._replace(minute=MIDNIGHT - 1)
    this = bar("10:01", 98.0, 103.0, 97.0, 102.5)
    *_, verdict = verdicts([prev, this])
    assert verdict.candidates == 0


def test_compression_looks_at_twenty_candles_of_the_day() -> None:
    wide_then_narrow = [wide(clock) for clock in clocks("10:00", 15)] + [
        flat(clock, 100.0) for clock in clocks("10:15", 5)
    ]
    found = [verdict.compressed for verdict in verdicts(wide_then_narrow)]
    assert [known(value) for value in found] == [False] * 19 + [True]
    assert found[-1] == 1.0
    yesterday = [each._replace(minute=each.minute - 1440) for each in wide_then_narrow]
    assert not known(list(verdicts([*yesterday, *wide_then_narrow[:19]]))[-1].compressed)
