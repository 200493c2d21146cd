"""A process that is about to stop begins nothing, and gets out of what it holds."""

from typing import Any

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderTerms, OrderTicket, OrderType, Side
from algoexec.engine.effects import CancelOrder, ModifyOrder, OrderEffect, SubmitOrder
from algoexec.engine.events import Event, Mode, OrderNotPlaced
from algoexec.engine.trading.orders import Purpose
from algoexec.runtime.seat import Account, TradingSeat
from tests.api.recorded import recorded
from tests.api.support import ScriptedBroker, ScriptedVenue
from tests.api.trading import is_held


class _Path:
    """Keeps what would be carried out."""

    def __init__(self) -> None:
        self.done: list[OrderEffect] = []

    def perform(self, effect: OrderEffect) -> None:
        self.done.append(effect)


def _seat(*, is_leaving: bool) -> tuple[TradingSeat, _Path, list[Event]]:
    _, state = recorded("ashasession00000", "asha", mode=Mode.PAPER).cut(is_held)
    told: list[Event] = []
    broker: Any = ScriptedBroker(ScriptedVenue(), None)  # type: ignore[arg-type]
    seat = TradingSeat(
        Account(broker),
        state=lambda: state,
        tell=told.append,
        quotes={},
        may_send=lambda: True,
        is_leaving=lambda: is_leaving,
        now=lambda: state.at,
    )
    path = _Path()
    seat._path = path  # type: ignore[assignment]
    return seat, path, told


def _effects(purpose: Purpose) -> list[OrderEffect]:
    side = Side.BUY if purpose is Purpose.ENTRY else Side.SELL
    key, kind = InstrumentKey("NSE_FO|1"), OrderType.LIMIT
    ticket = OrderTicket(id="s-1-0", instrument=key, side=side, quantity=30, type=kind, price=100.0)
    terms = OrderTerms(type=kind, price=101.0)
    return [
        SubmitOrder(ticket=ticket, purpose=purpose),
        ModifyOrder(id="s-1-0", broker_id="1", terms=terms, purpose=purpose),
        CancelOrder(id="s-1-0", broker_id="1", purpose=purpose),
    ]


def test_no_entry_is_sent_and_one_that_works_is_only_withdrawn() -> None:
    seat, path, told = _seat(is_leaving=True)
    submit, modify, cancel = _effects(Purpose.ENTRY)
    for effect in (submit, modify, cancel):
        seat.perform(effect, is_journaled=True)
    assert path.done == [cancel]
    assert told == [OrderNotPlaced(id="s-1-0", was_sent=False, detail="the service is stopping")]


def test_exits_go_on() -> None:
    seat, path, told = _seat(is_leaving=True)
    effects = _effects(Purpose.EXIT)
    for effect in effects:
        seat.perform(effect, is_journaled=True)
    assert (path.done, told) == (effects, [])


def test_until_then_entries_are_sent() -> None:
    seat, path, told = _seat(is_leaving=False)
    effects = _effects(Purpose.ENTRY)
    for effect in effects:
        seat.perform(effect, is_journaled=True)
    assert (path.done, told) == (effects, [])
