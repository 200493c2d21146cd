"""One day of a backtest: the session's own `step`, a market that is played, and a broker on paper.

Time is market time, in milliseconds since the epoch, and goes from one thing to the next: a price,
something due at the broker, a deadline of the session, a candle, a poll. Of those that fall
together, a price is first and a candle last.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from algoexec.backtest.bounds import Bounds
from algoexec.backtest.prices import DayPrices, Moved
from algoexec.domain.errors import BrokerError, BrokerUnavailable, DomainError
from algoexec.domain.instruments import Option
from algoexec.domain.market import Candle
from algoexec.domain.orders import OrderReport
from algoexec.engine.effects import (
    CancelOrder,
    Effect,
    Frame,
    ModifyOrder,
    QuoteOption,
    ReadFunds,
    ReadPosition,
    SubmitOrder,
    Subscribe,
    Unsubscribe,
)
from algoexec.engine.events import (
    ChangeNotMade,
    DayPrepared,
    DeadlinePassed,
    Event,
    FeedChanged,
    FeedStatus,
    FundsRead,
    Marked,
    OrderNotPlaced,
    OrderReported,
    PositionRead,
    Record,
    SessionCreated,
    WarmedUp,
)
from algoexec.engine.state import EngineState
from algoexec.engine.step import DAY_END_GRACE, changes, next_deadline, step
from algoexec.engine.trading.marks import OptionMark, index_mark, option_mark
from algoexec.simulation.expansion import Tick
from algoexec.simulation.trading.paper import PaperAccount, PaperRules, milliseconds, moment

SILENCE_MS: Final = 5_000
"""After so long without any price, while an order works, the option's last one is told again: the data has
a hole there, a market has none."""


class Scheduled(NamedTuple):
    """An event that comes at its time whatever is traded: a candle, a poll."""

    at: int
    event: Event


class Watcher(Protocol):
    """Is told what happens in a day."""

    def told(self, frame: Frame, state: EngineState) -> None:
        """Take in a frame, and the state that its step led to."""

    def reported(self, report: OrderReport, middle: float) -> None:
        """Take in the broker's word on an order, and the middle of the book as it stands."""

    def marked(self, at: int, bid: float) -> None:
        """Take in what the watched option could be sold for, in rupees; 0 if nobody buys."""


class DaySession:
    """A session of one day, from its creation to the close."""

    def __init__(self, created: SessionCreated, prices: DayPrices, watcher: Watcher, *, latency_ms: int) -> None:
        """Begin at the open.

        Raises:
            DomainError: nothing is traded by its rules.
        """
        if created.rules is None:
            raise DomainError("a backtest trades, so it needs rules")
        self._prices = prices
        self._watcher = watcher
        self._now = milliseconds(created.day.opens_at)
        self._account = PaperAccount(
            created.day,
            prices.contracts,
            at=self._now,
            capital=created.rules.capital,
            rules=PaperRules(latency_ms=latency_ms),
        )
        self._account.listeners.append(self._hear)
        self._bounds = Bounds()
        self._inbox: deque[Event | None] = deque()
        """What waits to be stepped; None stands for the prices as they are then."""
        self._option: Option | None = None
        self._moves: Iterator[Moved] = iter(())
        self._ahead: Moved | None = None
        self._index: Tick | None = None
        self._last: Tick | None = None
        self._bid: float | None = None
        self._pushed_index: Tick | None = None
        self._pushed_last: Tick | None = None
        self._is_working = False
        self._passed: datetime | None = None
        self._due: int | None = None
        """When something happens next without a price; kept, as most prices change nothing of it."""
        self._let_be(step(None, Record(seq=1, at=created.day.opens_at, event=created)).state)

    def begin(self, history: Sequence[Candle]) -> None:
        """Be ready for the first candle; `history` are the candles of earlier days."""
        self._take(DayPrepared(contracts=self._prices.contracts))
        self._take(WarmedUp(history=tuple(history), today=()))
        self._take(FeedChanged(status=FeedStatus.CONNECTED, detail=""))

    def play(self, at: int, event: Event) -> None:
        """Let everything happen up to a moment, and then an event."""
        self.advance(at)
        self._take(event)

    def end(self) -> None:
        """Let the day end.

        Raises:
            DomainError: something is still held or wanted.
        """
        self.advance(milliseconds(self.state.day.closes_at + DAY_END_GRACE))
        if not self.state.status.is_over:
            raise DomainError(f"{self.state.session_id}: the day is over and something is still held or wanted")

    @property
    def is_holding(self) -> bool:
        """Whether something is bought and not sold yet."""
        trading = self.state.trading
        return trading is not None and trading.trade is not None and trading.trade.open_units > 0

    @property
    def bid(self) -> float | None:
        """What the watched option could be sold for; None when nothing is watched or was told of it."""
        return self._bid

    def advance(self, until: int) -> None:
        """Let prices, the broker and deadlines go on to a moment."""
        while True:
            ahead, due = self._following(until), self._due
            if ahead is not None and (due is None or ahead.tick.at <= due):
                self._now = max(self._now, ahead.tick.at)
                self._ahead = None
                self._moved(ahead)
            elif due is not None and due <= until:
                self._now = max(self._now, due)
                self._fall_due()
            else:
                break
        self._now = max(self._now, until)

    # --- prices ---------------------------------------------------------------------------------------------------

    def _following(self, until: int) -> Moved | None:
        """Return the next price of what is watched, if it comes until then."""
        if self._ahead is None:
            self._ahead = next(self._moves, None)
        return self._ahead if self._ahead is not None and self._ahead.tick.at <= until else None

    def _moved(self, moved: Moved) -> None:
        if moved.is_option:
            self._quote(moved.tick)
        else:
            self._index = moved.tick
        if self._index is not None and self._bounds.cover(self.state, self._index.price, self._fresh_bid()):
            return
        if self._is_working:
            self._push()
        self._inbox.append(None)
        self._work_off()

    def _quote(self, tick: Tick | None) -> None:
        """Take in a price of the watched option; None: it has not been told yet."""
        self._last, self._bid = tick, None
        if tick is not None and self._option is not None:
            self._bid = self._prices.bid(self._option, tick.price)
            self._watcher.marked(self._now, self._bid)

    def _fresh_bid(self) -> float | None:
        """Return the bid as long as it counts; where nobody buys, the last price."""
        if self._last is None or self._now - self._last.at > self._max_age_ms:
            return None
        return self._bid or self._last.price

    def _push(self) -> None:
        """Let the account know the newest prices, what is new of them; while nothing works there, it need not."""
        if self._index is not None and self._index is not self._pushed_index:
            self._pushed_index = self._index
            self._account.quoted(self._prices.index_quote(self._index), self._now)
        if self._option is not None and self._last is not None and self._last is not self._pushed_last:
            self._pushed_last = self._last
            book = self._prices.book(self._option, self._last)
            self._account.quoted(self._prices.option_quote(self._option, self._last), self._now, book)

    def _mark(self) -> OptionMark:
        option, last = self._option, self._last
        if option is None:
            return OptionMark()
        mark = option_mark(None if last is None else self._prices.option_quote(option, last))
        wants_delta = self.state.trading is not None and self.state.trading.intent is not None
        return replace(mark, delta=self._prices.delta(option, last.at)) if wants_delta and last is not None else mark

    def _watch(self, option: Option | None) -> None:
        """Follow an option from now on, or none."""
        if option == self._option:
            return
        self._option, self._ahead, self._pushed_last = option, None, None
        if option is None:
            self._moves, self._index, self._last, self._bid = iter(()), None, None, None
            return
        self._index = self._prices.index_at(self._now)
        self._quote(self._prices.option_at(option, self._now))
        closes_at = milliseconds(self.state.day.closes_at)
        self._moves = self._prices.between(option, self._now, closes_at)

    # --- time -----------------------------------------------------------------------------------------------------

    def _look_ahead(self) -> None:
        dues = (self._account.due(), self._deadline(), self._retold_at())
        self._due = min((due for due in dues if due is not None), default=None)

    def _deadline(self) -> int | None:
        """Return when the session's next deadline passes; one that has passed comes again only as another one."""
        due = next_deadline(self.state)
        return None if due is None or due == self._passed else _ceiled(due)

    def _retold_at(self) -> int | None:
        """Return when the option's last price is told again: it may be quiet, the index never is."""
        if not self._is_working or self._last is None:
            return None
        return max(self._last.at, 0 if self._index is None else self._index.at) + SILENCE_MS

    def _fall_due(self) -> None:
        """Do what is due now: at the broker, then of the session, then what the silence asks for."""
        account_due, deadline, retold_at = self._account.due(), self._deadline(), self._retold_at()
        if account_due is not None and account_due <= self._now:
            self._push()
            self._account.advance(self._now)
        elif deadline is not None and deadline <= self._now:
            self._passed = next_deadline(self.state)
            if self._option is not None:
                self._inbox.append(None)  # what is due is done at the price of now
            self._inbox.append(DeadlinePassed())
        elif retold_at is not None and self._option is not None and self._last is not None:
            lot = self._option.lot
            self._quote(Tick(self._now, self._last.price, lot, self._last.volume + lot))
            self._push()
            self._inbox.append(None)
        self._work_off()

    # --- the session ----------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        self._inbox.append(event)
        self._work_off()

    def _work_off(self) -> None:
        """Step what waits, do what that asks for, and so on until nothing waits."""
        while self._inbox:
            event = self._inbox.popleft()
            if event is not None:
                self._step(event)
            elif self._option is not None:
                index = index_mark(None if self._index is None else self._prices.index_quote(self._index))
                self._step(Marked(index=index, option=self._option.key, mark=self._mark()))
                self._bounds.stepped(self.state, self._fresh_bid())
        self._look_ahead()

    def _step(self, event: Event) -> None:
        """Step an event; one that changes nothing takes no place in the journal, as in a live session."""
        at = max(moment(self._now), self.state.at)
        moved = step(self.state, Record(seq=self.state.seq + 1, at=at, event=event))
        if not changes(self.state, moved):
            return
        self._let_be(moved.state)
        for frame in moved.frames:
            self._watcher.told(frame, moved.state)
        for effect in moved.effects:
            self._perform(effect)

    def _let_be(self, state: EngineState) -> None:
        self.state = state
        trading = state.trading
        self._max_age_ms = 0.0 if trading is None else trading.rules.quote_max_age_s * 1000
        wanted = None if trading is None else trading.intent or trading.trade
        self._is_working = trading is not None and trading.trade is not None and trading.trade.has_open_orders
        self._watch(None if wanted is None else wanted.option)

    # --- the account ----------------------------------------------------------------------------------------------

    def _perform(self, effect: Effect) -> None:
        match effect:
            case SubmitOrder():
                self._place(effect)
            case ModifyOrder() | CancelOrder():
                self._change(effect)
            case ReadPosition(instrument=key):
                net = self._account.positions(self._now).get(key, 0)
                self._inbox.append(PositionRead(instrument=key, net=net, mark=self._mark()))
            case ReadFunds():
                self._inbox.append(FundsRead(available=self._account.funds(self._now)))
            case QuoteOption():
                self._inbox.append(None)
            case Subscribe() | Unsubscribe():
                pass  # every price is at hand

    def _place(self, effect: SubmitOrder) -> None:
        ticket = effect.ticket
        self._push()
        try:
            self._account.place(ticket, self._now)
        except BrokerError as error:
            was_sent = not isinstance(error, BrokerUnavailable)
            self._inbox.append(OrderNotPlaced(id=ticket.id, was_sent=was_sent, detail=str(error)))

    def _change(self, effect: ModifyOrder | CancelOrder) -> None:
        try:
            if isinstance(effect, ModifyOrder):
                self._account.modify(effect.broker_id, effect.terms, self._now)
            else:
                self._account.cancel(effect.broker_id, self._now)
        except BrokerError as error:
            self._inbox.append(ChangeNotMade(id=effect.id, is_unknown=False, detail=str(error)))
            # The order may be over already: the book says so sooner than the next try.
            for report in self._account.orders(self._now):
                self._inbox.append(OrderReported(report=report))

    def _hear(self, report: OrderReport) -> None:
        if report.id is None:
            return  # the broker's own square-off
        self._watcher.reported(report, self._middle(report))
        self._inbox.append(OrderReported(report=report))

    def _middle(self, report: OrderReport) -> float:
        """Return the middle of the book that an order meets now; the last price where one side is empty."""
        view = self._account.market.view(report.instrument, self._now)
        row = view.book.levels[0] if view.book is not None else None
        if row is None or row.bid <= 0 or row.ask <= 0:
            return view.last
        return (row.bid + row.ask) / 2


def _ceiled(at: datetime) -> int:
    """Return the first whole millisecond that is not before a moment."""
    whole = milliseconds(at)
    return whole if moment(whole) == at else whole + 1
