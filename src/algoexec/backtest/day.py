"""What a session would have said on a recorded day."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from algoexec.domain.calendar import IST, TradingDay, next_poll, regular_session
from algoexec.domain.instruments import BANK_NIFTY, InstrumentKey
from algoexec.domain.market import MINUTE, Candle
from algoexec.domain.options import OptionQuote, PcrReading, put_call_ratio, strikes_counted
from algoexec.domain.recording import RecordedChain, RecordedDay
from algoexec.domain.signals import Signal
from algoexec.engine.candles import join
from algoexec.engine.effects import Frame
from algoexec.engine.events import CandleClosed, ChainPolled, Event, Mode, Record, SessionCreated, WarmedUp
from algoexec.engine.state import EngineState
from algoexec.engine.step import step
from algoexec.strategy.parameters import Parameters


def signals_of(
    day: RecordedDay, history: Sequence[RecordedDay] = (), parameters: Parameters | None = None
) -> Iterator[Signal]:
    """Yield the signals and rejections of `day`, in order of T and then of the candidates.

    `history` are earlier days, oldest first; they only warm. The option chain is polled as
    a session would have polled it (strategy.md §7).
    """
    for frame in fold(events_of(day, history, parameters or Parameters())):
        if isinstance(frame.body, Signal):
            yield frame.body


def fold(events: Iterable[tuple[datetime, Event]]) -> Iterator[Frame]:
    """Yield every frame of a session that meets `events`."""
    state: EngineState | None = None
    for seq, (at, event) in enumerate(events, start=1):
        moved = step(state, Record(seq=seq, at=at, event=event))
        state = moved.state
        yield from moved.frames


def events_of(
    day: RecordedDay, history: Sequence[RecordedDay], parameters: Parameters
) -> Iterator[tuple[datetime, Event]]:
    """Yield what a session that began at the open would have met, with the time of each."""
    session = session_of(day)
    yield (
        session.opens_at,
        SessionCreated(
            session_id="recorded",
            user_id="recorded",
            mode=Mode.SIGNALS,
            venue="recorded",
            underlying=BANK_NIFTY,
            day=session,
            parameters=parameters,
            inherited=None,
        ),
    )
    past = tuple(candle for earlier in history for candle in candles_of(earlier))
    yield session.opens_at, WarmedUp(history=past, today=())
    timed: list[tuple[datetime, Event]] = [(c.closed_at, CandleClosed(candle=c)) for c in candles_of(day)]
    timed += [(reading.at, ChainPolled(reading=reading)) for reading in polls_of(day, session)]
    yield from sorted(timed, key=lambda pair: pair[0])


def session_of(day: RecordedDay) -> TradingDay:
    """Return the session of the recorded date.

    The regular one, whatever the weekday; a day without a single candle in it (Muhurat)
    is taken to have traded from its first to its last candle.
    """
    regular = regular_session(day.date)
    starts = [datetime.fromtimestamp(bar.minute * 60, UTC) for bar in day.index]
    if any(regular.counts(start) for start in starts):
        return regular
    end = starts[-1] + MINUTE
    return TradingDay(date=day.date, opens_at=starts[0], continuous_until=end, closes_at=end)


def candles_of(day: RecordedDay) -> list[Candle]:
    """Return the day's candles of continuous trading."""
    session = session_of(day)
    return [candle for candle in join(day.index, day.future) if session.counts(candle.start)]


def polls_of(day: RecordedDay, session: TradingDay) -> Iterator[PcrReading]:
    """Yield what each poll of the day would have read: the newest snapshot not later than it."""
    today = [chain for chain in day.chains if chain.at.astimezone(IST).date() == day.date]
    at = session.opens_at
    while at < session.continuous_until:
        newest = next((chain for chain in reversed(today) if chain.at <= at), None)
        if newest is not None:
            yield _reading(newest, at)
        at = next_poll(at)


def _reading(chain: RecordedChain, at: datetime) -> PcrReading:
    quotes = [
        OptionQuote(instrument=InstrumentKey(""), type=row.type, strike=row.strike, open_interest=row.oi)
        for row in chain.rows
    ]
    return PcrReading(
        at=at,
        underlying=BANK_NIFTY,
        expiry=chain.expiry or (at + timedelta(days=7)).date(),
        pcr=put_call_ratio(quotes),
        strikes=strikes_counted(quotes),
        spot=None,
    )
