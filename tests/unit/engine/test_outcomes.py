"""What became of signals, and what a day brought."""

from dataclasses import replace
from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.domain.calendar import ist
from algoexec.domain.market import MINUTE, Candle, Provenance
from algoexec.domain.signals import Side, Signal
from algoexec.engine.events import Mode
from algoexec.engine.outcomes import (
    Fate,
    IndexResult,
    Outcome,
    Reached,
    index_after,
    outcome_of,
    result_of,
    watched_until,
)
from algoexec.engine.trading.orders import Phase, Purpose
from tests.contract.given import DAY, minute, signal
from tests.contract.given_trading import offer, order, refusal, trade

CALL = replace(signal("s1-1-0", 0), price=51_000.0, stop_loss=50_900.0, target=51_200.0)
PUT = replace(CALL, side=Side.BUY_PUT, stop_loss=51_100.0, target=50_800.0)


def candle(n: int, low: float, high: float, close: float | None = None) -> Candle:
    """Return the candle of the n-th minute after the signal."""
    middle = (low + high) / 2 if close is None else close
    return Candle(
        start=minute(n), open=middle, high=high, low=low, close=middle, volume=None, provenance=Provenance.LIVE
    )


def quiet(first: int, last: int) -> list[Candle]:
    return [candle(n, 50_990.0, 51_010.0, 51_003.0) for n in range(first, last)]


class TestIndex:
    @pytest.mark.parametrize(
        ("of", "low", "high", "reached", "points"),
        [
            (CALL, 50_950.0, 51_200.0, Reached.TARGET, 200.0),
            (CALL, 50_900.0, 51_000.0, Reached.STOP, -100.0),
            (CALL, 50_850.0, 51_300.0, Reached.STOP, -100.0),
            (PUT, 50_800.0, 51_050.0, Reached.TARGET, 200.0),
            (PUT, 50_950.0, 51_100.0, Reached.STOP, -100.0),
            (PUT, 50_700.0, 51_300.0, Reached.STOP, -100.0),
        ],
    )
    def test_the_first_candle_that_touches_decides_and_the_stop_before_the_target(
        self, of: Signal, low: float, high: float, reached: Reached, points: float
    ) -> None:
        told = [*quiet(0, 3), candle(3, low, high), candle(4, 50_000.0, 52_000.0)]

        assert index_after(of, told, is_over=False) == IndexResult(reached=reached, points=points, at=minute(4))

    def test_what_was_before_the_signal_does_not_count(self) -> None:
        assert index_after(CALL, [candle(-1, 50_000.0, 52_000.0)], is_over=True) is None

    @pytest.mark.parametrize(("of", "points"), [(CALL, 3.0), (PUT, -3.0)])
    def test_neither_after_twenty_minutes_counts_by_the_last_close(self, of: Signal, points: float) -> None:
        neither = IndexResult(reached=Reached.NEITHER, points=points, at=minute(20))

        assert index_after(of, quiet(0, 19), is_over=False) is None
        assert index_after(of, quiet(0, 20), is_over=False) == neither
        assert index_after(of, [*quiet(0, 20), candle(20, 50_000.0, 52_000.0)], is_over=False) == neither

    def test_when_the_last_minute_is_missing_a_later_one_ends_it(self) -> None:
        told = [*quiet(0, 19), candle(21, 50_000.0, 52_000.0)]

        assert index_after(CALL, told, is_over=False) == IndexResult(reached=Reached.NEITHER, points=3.0, at=minute(19))

    def test_of_a_session_that_is_over_the_last_minute_that_is_known_counts(self) -> None:
        assert index_after(CALL, quiet(0, 5), is_over=True) == IndexResult(
            reached=Reached.NEITHER, points=3.0, at=minute(5)
        )
        assert index_after(CALL, [], is_over=True) is None

    def test_it_is_not_looked_at_beyond_the_square_off(self) -> None:
        late = ist(DAY, time(15, 0))
        assert watched_until(replace(CALL, at=late)) == ist(DAY, time(15, 15))
        assert watched_until(replace(CALL, at=late - timedelta(minutes=5))) == ist(DAY, time(15, 15))
        assert watched_until(replace(CALL, at=late - timedelta(minutes=6))) == ist(DAY, time(15, 14))
        evening = ist(DAY, time(18, 30))
        assert watched_until(replace(CALL, at=evening)) == evening + timedelta(minutes=20)

    @given(
        lows=st.lists(st.integers(-120, 0), max_size=25),
        highs=st.lists(st.integers(0, 240), min_size=25, max_size=25),
        known=st.integers(0, 25),
    )
    def test_what_is_known_once_stays_so_whatever_comes_later(
        self, lows: list[int], highs: list[int], known: int
    ) -> None:
        told = [
            candle(n, 51_000.0 + low, 51_000.0 + high, 51_000.0)
            for n, (low, high) in enumerate(zip(lows, highs, strict=False))
        ]

        early, late = (index_after(CALL, some, is_over=False) for some in (told[:known], told))

        assert early in (None, late)
        if late is not None:
            assert late.points in (200.0, -100.0, 0.0)


class TestFate:
    found = IndexResult(reached=Reached.TARGET, points=204.92, at=minute(3))

    def test_a_closed_trade_is_told_with_what_it_brought(self) -> None:
        filled = order("s1-1-0", Phase.FILLED, filled=35)

        outcome = outcome_of(Mode.PAPER, [filled], trade("s1-1", 4), None, is_over=False)

        assert outcome is not None
        assert (outcome.fate, outcome.reason, outcome.trade) == (Fate.TRADED, "PREMIUM_STOP", trade("s1-1", 4))
        assert outcome.index is None

    def test_a_refusal_is_told_with_its_reason_even_while_the_index_is_open(self) -> None:
        outcome = outcome_of(Mode.LIVE, [refusal("s1-1-0")], None, None, is_over=False)

        assert outcome is not None
        assert (outcome.fate, outcome.reason, outcome.index) == (Fate.REFUSED, "MAX_TRADES", None)

    @pytest.mark.parametrize("last", [Phase.CANCELLED, Phase.REJECTED, Phase.NOT_SENT])
    def test_orders_of_which_none_was_filled_are_told(self, last: Phase) -> None:
        outcome = outcome_of(Mode.LIVE, [order("a", Phase.REJECTED), order("b", last)], None, self.found, is_over=False)

        assert outcome is not None
        assert (outcome.fate, outcome.index) == (Fate.NOT_FILLED, self.found)

    @pytest.mark.parametrize("phase", [Phase.SENDING, Phase.UNKNOWN, Phase.WORKING])
    @pytest.mark.parametrize("is_over", [True, False])
    def test_while_an_order_may_still_be_filled_it_is_open(self, phase: Phase, *, is_over: bool) -> None:
        assert outcome_of(Mode.LIVE, [order("a", phase)], None, self.found, is_over=is_over) is None

    @pytest.mark.parametrize("approved_by", [None, "asha"])
    def test_what_waits_for_a_person_is_open_until_somebody_decides(self, approved_by: str | None) -> None:
        waits = [offer("s1-1-0", approved_by)]
        assert outcome_of(Mode.PAPER, waits, None, None, is_over=False) is None
        assert outcome_of(Mode.PAPER, waits, None, None, is_over=True) == Outcome(fate=Fate.NOT_TRADED)

    @pytest.mark.parametrize("is_over", [True, False])
    def test_what_is_held_is_open_until_its_trade_is_closed(self, *, is_over: bool) -> None:
        held = [order("a", Phase.CANCELLED, filled=35), order("b", Phase.WORKING, purpose=Purpose.EXIT)]

        assert outcome_of(Mode.LIVE, held, None, self.found, is_over=is_over) is None

    def test_in_mode_signals_it_is_what_the_index_did(self) -> None:
        assert outcome_of(Mode.SIGNALS, [], None, None, is_over=False) is None
        known = outcome_of(Mode.SIGNALS, [], None, self.found, is_over=False)
        assert known is not None
        assert (known.fate, known.index) == (Fate.NOT_TRADED, self.found)

    def test_a_trading_session_says_itself_what_became_of_it_unless_it_is_over(self) -> None:
        assert outcome_of(Mode.PAPER, [], None, self.found, is_over=False) is None
        ended = outcome_of(Mode.PAPER, [], None, None, is_over=True)
        assert ended is not None
        assert (ended.fate, ended.index) == (Fate.NOT_TRADED, None)


class TestDay:
    def test_trades_are_added_up_to_the_paisa(self) -> None:
        brought = (400_00, -250_10, -300_00, 0, 150_05)
        trades = [trade(f"s1-{n}", n, net=net) for n, net in enumerate(brought, start=1)]

        result = result_of(trades)

        assert (result.trades, result.wins, result.losses) == (5, 2, 2)
        assert (result.net, result.charges, result.gross) == (-5, 250_00, 249_95)
        assert result.max_drawdown == 550_10
        assert (result.best, result.worst) == (trades[0], trades[2])
        assert result.r == pytest.approx(-2.0)

    def test_a_day_without_trades_brought_nothing(self) -> None:
        result = result_of([])

        assert (result.trades, result.net, result.max_drawdown, result.r) == (0, 0, 0, 0)
        assert result.best is result.worst is None

    def test_a_day_that_begins_with_a_loss_falls_from_zero(self) -> None:
        assert result_of([trade("s1-1", 1, net=-100_00)]).max_drawdown == 100_00

    @given(nets=st.lists(st.integers(-10_000_00, 10_000_00), max_size=20))
    def test_the_drawdown_is_the_deepest_fall_between_any_two_moments(self, nets: list[int]) -> None:
        sums = [sum(nets[:n]) for n in range(len(nets) + 1)]
        falls = [before - after for n, before in enumerate(sums) for after in sums[n:]]

        result = result_of([trade(f"s1-{n}", n, net=net) for n, net in enumerate(nets)])

        assert result.max_drawdown == max(falls)
        assert result.net == sums[-1]


def test_a_watched_minute_is_a_whole_one() -> None:
    assert (watched_until(CALL) - CALL.at) % MINUTE == timedelta()
