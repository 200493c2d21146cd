"""Orders, trades, and where a session's trading stands. Money in rupees, prices in rupees a unit."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field

from algoexec.domain.orders import Side
from algoexec.engine.effects import OrderNews
from algoexec.engine.trading.drafting import offer_of, position_of
from algoexec.engine.trading.orders import Purpose
from algoexec.engine.trading.trade import TradingState
from algoexec.ports.trading import KillSwitch, StoredOrder, StoredTrade
from algoexec.runtime.preflight import Check, is_green
from algoexec.runtime.wire import in_rupees, order_form, trade_form


class OrderPhase(StrEnum):
    """Where an order stands. The first two are not sent yet, and REFUSED never is: a signal that became no order."""

    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    APPROVED = "APPROVED"
    SENDING = "SENDING"
    UNKNOWN = "UNKNOWN"
    WORKING = "WORKING"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    NOT_SENT = "NOT_SENT"
    HANDED_OVER = "HANDED_OVER"
    REFUSED = "REFUSED"


_ORDER: Final[dict[str, Any]] = {
    "id": "s7k2m9q4w1x8z3b5-2h-0",
    "broker_id": "261123000012345",
    "trade_id": "s7k2m9q4w1x8z3b5-2h",
    "purpose": "ENTRY",
    "phase": "FILLED",
    "instrument": "NSE_FO|57321",
    "side": "BUY",
    "quantity": 35,
    "limit": 212.35,
    "filled": 35,
    "average_price": 212.2,
    "message": None,
    "trigger": None,
    "signal_id": "s7k2m9q4w1x8z3b5-2f-0",
    "reason": None,
    "risk": None,
    "expires_at": None,
    "approved_by": None,
}

_TRADE: Final[dict[str, Any]] = {
    "id": "s7k2m9q4w1x8z3b5-2h",
    "session_id": "s7k2m9q4w1x8z3b5",
    "user_id": "asha",
    "signal_id": "s7k2m9q4w1x8z3b5-2f-0",
    "pattern": "ORB_BREAKOUT",
    "instrument": "NSE_FO|57321",
    "quantity": 35,
    "entry_price": 212.2,
    "exit_price": 231.05,
    "opened_at": "2026-11-23T04:16:00.812Z",
    "closed_at": "2026-11-23T04:21:44.305Z",
    "reason": "TRAILING_STOP",
    "gross": 659.75,
    "charges": 62.31,
    "net": 597.44,
    "r": 0.8,
    "mfe": 24.4,
    "mae": -3.1,
    "external_units": 0,
}


class OrderState(BaseModel):
    """An order as it stood at one moment: `data` of an `order` frame."""

    id: str = Field(description="Ours, unique for ever; it travels to the broker as the order's tag.")
    broker_id: str | None = Field(description="The broker's number; null until it has said one.")
    trade_id: str | None = Field(description="null when refused.")
    purpose: Purpose
    phase: OrderPhase = Field(
        description="AWAITING_APPROVAL: a person is asked. APPROVED: sent at the next quote that allows it. UNKNOWN: "
        "sent, and whether it arrived is being looked up. REJECTED: by the broker. NOT_SENT: it never reached the "
        "broker. HANDED_OVER: it goes on resting at the exchange, and is yours. REFUSED: a signal that became no "
        "order, `reason` and `message` say why."
    )
    instrument: str | None
    side: Side | None = Field(description="null when refused.")
    quantity: int | None = Field(description="Units, not lots; until it is sent, an estimate; null when refused.")
    limit: float | None = Field(
        description="Rupees; the price last asked for; until it is sent, an estimate; null when refused."
    )
    filled: int = Field(description="Units.")
    average_price: float | None = Field(description="Rupees; null before the first fill.")
    trigger: float | None = Field(
        description="Rupees: it rests at the exchange until the premium is down there; null: it works."
    )
    message: str | None = Field(description="Why it ended or was refused, for a person.")
    signal_id: str | None = Field(description="The signal that it comes from, or that was refused.")
    reason: str | None = Field(description="Why a signal was refused, for a program; null on an order.")
    risk: float | None = Field(
        description="Rupees that the stop would lose, an estimate; null unless it waits for approval."
    )
    expires_at: datetime | None = Field(
        description="When it is refused if nobody has approved, UTC; null unless it waits for approval."
    )
    approved_by: str | None = Field(description="Who has approved; null unless it waits to be sent.")

    @classmethod
    def told(cls, news: OrderNews) -> Self:
        """Return what was told of an order."""
        return cls.model_validate(order_form(news))


class OrderStepOut(OrderState):
    """One moment of an order."""

    seq: int = Field(description="`seq` of the stream frame that told it.")
    at: datetime = Field(description="Market time, UTC.")


class FillOut(BaseModel):
    """Units that were filled together, as far as the broker told them apart."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime = Field(description="When it was told, market time, UTC.")
    quantity: int = Field(description="Units.")
    price: float = Field(description="Rupees a unit.")


class OrderOut(OrderState):
    """An order as it stands, or a refused signal, with all that became of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_ORDER,
                    "session_id": "s7k2m9q4w1x8z3b5",
                    "user_id": "asha",
                    "at": "2026-11-23T04:16:00.412Z",
                    "fills": [{"at": "2026-11-23T04:16:00.412Z", "quantity": 35, "price": 212.2}],
                    "history": [{**_ORDER, "seq": 219, "at": "2026-11-23T04:16:00.412Z"}],
                }
            ]
        }
    )

    session_id: str
    user_id: str
    at: datetime = Field(description="When it was first told of, market time, UTC.")
    fills: list[FillOut] = Field(description="Oldest first; together `filled` units at `average_price`.")
    history: list[OrderStepOut] = Field(description="Oldest first.")

    @classmethod
    def of(cls, stored: StoredOrder) -> Self:
        """Return a stored order's form on the wire."""
        history = [{**order_form(step.told), "seq": step.number, "at": step.at} for step in stored.history]
        return cls.model_validate(
            {
                **order_form(stored.told),
                "fills": [FillOut.model_validate(fill) for fill in stored.fills],
                "session_id": stored.session_id,
                "user_id": stored.user_id,
                "at": stored.at,
                "history": history,
            }
        )


class TradeOut(BaseModel):
    """A trade from entry to flat: `data` of a `trade` frame, with the session and the user."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TRADE]})

    id: str
    session_id: str
    user_id: str
    signal_id: str
    pattern: str
    instrument: str
    quantity: int
    entry_price: float
    exit_price: float
    opened_at: datetime = Field(description="First fill, market time, UTC.")
    closed_at: datetime = Field(description="Flat, market time, UTC.")
    reason: str = Field(description="Why it was ended, for example `PREMIUM_STOP`.")
    gross: float = Field(description="Rupees.")
    charges: float = Field(description="Rupees: brokerage, exchange charges and taxes.")
    net: float = Field(description="Rupees: gross less charges.")
    r: float = Field(description="The net result in units of the risk taken.")
    mfe: float | None = Field(description="Best mark against the entry, rupees a unit; null: none came.")
    mae: float | None = Field(description="Worst mark against the entry, rupees a unit; null: none came.")
    external_units: int = Field(
        description="Units that somebody else sold, or that were handed over; their price is an estimate."
    )

    @classmethod
    def of(cls, stored: StoredTrade) -> Self:
        """Return a stored trade's form on the wire."""
        owned = {"session_id": stored.session_id, "user_id": stored.user_id}
        return cls.model_validate({**trade_form(stored.trade), **owned})


class PositionOut(BaseModel):
    """What is held, and what watches over it: `data` of a `position` frame. NEUTRAL: nothing, and all else is null."""

    model_config = ConfigDict(from_attributes=True)

    stage: str = Field(description="NEUTRAL, ENTERING, IN_TRADE, EXITING or HANDING_OVER.")
    trade_id: str | None
    instrument: str | None
    open_units: int
    average_price: float | None
    stop: float | None = Field(description="The premium at which it is sold.")
    target: float | None = Field(description="The premium at which it is sold.")
    index_stop: float | None = Field(description="Index points.")
    index_target: float | None = Field(description="Index points.")
    exit_reason: str | None = Field(description="Why it is being sold; null while it is not.")


class TallyOut(BaseModel):
    """The day's account, over all sessions of this broker account, day and mode."""

    realised: float = Field(description="Rupees, of closed trades, after charges.")
    trades: int = Field(description="Begun today.")
    losses_in_a_row: int
    lock: str | None = Field(description="Why no trade is begun any more today; `POST …/resume` takes it away.")
    baseline: float = Field(
        description="Rupees: what was realised when a person last took a lock away; the limits of profit and loss "
        "count from there. 0 until then."
    )


class TradingOut(BaseModel):
    """Where a session's trading stands. Its rules are in `config.trading`, its unrealised profit in `pnl` frames."""

    tally: TallyOut
    position: PositionOut
    offer: OrderState | None = Field(
        description="The entry that waits for `POST /orders/{id}/approve`, or has been approved and waits for a quote; "
        "null: none does."
    )
    funds: float | None = Field(description="Rupees that can be spent, as the broker said last; null: not yet.")
    killed: str | None = Field(description="Why the kill switch is on, and by whom; null when it is off.")

    @classmethod
    def of(cls, trading: TradingState) -> Self:
        """Return its form on the wire."""
        tally, offered = trading.tally, offer_of(trading.intent)
        return cls(
            tally=TallyOut(
                realised=in_rupees(tally.realised),
                trades=tally.trades,
                losses_in_a_row=tally.losses_in_a_row,
                lock=tally.lock,
                baseline=in_rupees(tally.baseline),
            ),
            position=PositionOut.model_validate(position_of(trading.trade)),
            offer=None if offered is None else OrderState.told(offered),
            funds=None if trading.funds is None else in_rupees(trading.funds),
            killed=trading.killed,
        )


class CheckOut(BaseModel):
    """One thing that trading needs."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(
        description="token, funds, calendar, instruments, breaker, kill_switch, algo_name, static_ip, clock; more "
        "may come."
    )
    ok: bool | None = Field(description="null: it is not known, or does not matter in this mode.")
    detail: str = Field(description="For a person.")


class PreflightOut(BaseModel):
    """Whether a session could trade now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"green": False, "checks": [{"name": "funds", "ok": False, "detail": "0.00 rupees can be spent"}]}
            ]
        }
    )

    green: bool = Field(description="Nothing is known to be in the way: no check is false.")
    checks: list[CheckOut]

    @classmethod
    def of(cls, checks: tuple[Check, ...]) -> Self:
        """Return the form of checks on the wire."""
        return cls(green=is_green(checks), checks=[CheckOut.model_validate(check) for check in checks])


class KillSwitchOut(BaseModel):
    """A kill switch that is on."""

    model_config = ConfigDict(from_attributes=True)

    user_id: str | None = Field(description="Whose sessions it holds for; null: everybody's.")
    by: str = Field(description="Who threw it.")
    reason: str
    at: datetime = Field(description="Wall time, UTC.")


class KillSwitchesOut(BaseModel):
    """The kill switches that hold for the caller, or for the user that was named."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "on": True,
                    "switches": [
                        {"user_id": "asha", "by": "key:k1", "reason": "requested", "at": "2026-11-23T04:16:00.412Z"}
                    ],
                }
            ]
        }
    )

    on: bool
    switches: list[KillSwitchOut]

    @classmethod
    def of(cls, switches: Sequence[KillSwitch]) -> Self:
        """Return the form of switches on the wire."""
        return cls(on=bool(switches), switches=[KillSwitchOut.model_validate(one) for one in switches])


class KillRequest(BaseModel):
    """Why everything is to be sold and nothing begun."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "RBI policy at 10:00"}]})

    reason: str = Field(default="requested", min_length=1, max_length=200, description="For the people who watch.")
