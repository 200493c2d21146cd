"""Orders, trades, and what stands between a signal and money: the preflight and the kill switch."""

from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Query, status

from algoexec.api.auth import Caller
from algoexec.api.commanding import egress_of, named_user, token_of
from algoexec.api.dependencies import (
    Given,
    Offered,
    OrderId,
    Reader,
    Sessions,
    Store,
    Trader,
    readable,
    require,
    unknown_order,
)
from algoexec.api.errors import ApiProblem, problems
from algoexec.api.idempotency import IDEMPOTENT, IdempotentRoute
from algoexec.api.schemas.lists import Asked, PageOf, SessionFilter
from algoexec.api.schemas.sessions import PreflightRequest, UserId
from algoexec.api.schemas.trading import KillRequest, KillSwitchesOut, OrderOut, OrderState, PreflightOut, TradeOut
from algoexec.engine.events import EntryApproved, EntryDeclined, Mode
from algoexec.ports.stores import Query as Wanted
from algoexec.ports.stores import Scope
from algoexec.ports.trading import KillSwitch
from algoexec.runtime.registry import Registry

router = APIRouter(tags=["trading"], route_class=IdempotentRoute)

_READ: Final = ("unauthenticated", "forbidden", "invalid-request", "database-unavailable")
_LIST: Final = problems(*_READ, "invalid-cursor", "session-unreadable")
_DECIDE: Final = (
    *_READ, "order-not-found", "order-not-waiting", "session-over", "session-elsewhere", "session-unreadable",
)  # fmt: skip
_KEYED: Final = ("request-in-progress", "idempotency-key-reused")

_Everybody = Annotated[
    bool, Query(alias="all", description="For everybody; needs a service credential with the scope `admin`.")
]
_Whose = Annotated[
    UserId | None, Query(description="Whose; may be left out with a user's own credential, which knows.")
]


@router.get("/orders", operation_id="listOrders", summary="List orders", responses=_LIST)
async def list_orders(
    caller: Reader,
    stores: Store,
    asked: Asked,
    session_id: SessionFilter = None,
    refused: Annotated[
        bool | None, Query(description="Only signals that became no order, or only orders.", examples=[None])
    ] = None,
) -> PageOf[OrderOut]:
    """Return orders, entries that wait for approval (AWAITING_APPROVAL), and signals that became none (REFUSED).

    Newest first, by when they were first told of; an entry that is approved keeps its place and its id.
    `since` and `until` are of that time too. `history` is everything that became of an order.
    """
    with readable("orders"):
        wanted = replace(asked, user_id=caller.user_id, session_id=session_id)
        page = await stores.projections.orders(wanted, refused=refused)
    return PageOf(items=[OrderOut.of(one) for one in page.items], cursor=page.cursor)


@router.get(
    "/orders/{order_id}",
    operation_id="getOrder",
    summary="Look at an order",
    responses=problems(*_READ, "order-not-found", "session-unreadable"),
)
async def get_order(order_id: OrderId, caller: Reader, stores: Store) -> OrderOut:
    """Return one order, what may become one, or a signal that became none, with everything that became of it."""
    with readable(f"order {order_id}"):
        found = await stores.projections.order(order_id, caller.user_id)
    if found is None:
        raise unknown_order(order_id)
    return OrderOut.of(found)


@router.post(
    "/orders/{order_id}/approve",
    status_code=status.HTTP_202_ACCEPTED,
    operation_id="approveOrder",
    summary="Allow an entry that waits",
    dependencies=IDEMPOTENT,
    responses=problems(*_DECIDE, *_KEYED),
)
async def approve_order(offered: Offered, caller: Trader, registry: Sessions) -> OrderState:
    """Have the entry made at the next quote, if risk and price still allow it: they are checked anew.

    The order keeps its id. What it becomes comes as `order` frames, and stands in `GET /orders/{id}`.
    """
    approved = EntryApproved(order_id=offered.id, by=caller.id)
    return OrderState.told(await registry.decide(offered.session_id, approved))


@router.post(
    "/orders/{order_id}/reject",
    operation_id="rejectOrder",
    summary="Drop an entry that waits",
    dependencies=IDEMPOTENT,
    responses=problems(*_DECIDE, *_KEYED),
)
async def reject_order(offered: Offered, caller: Trader, registry: Sessions) -> OrderState:
    """Drop the entry: it is REFUSED, as `DECLINED`."""
    declined = EntryDeclined(order_id=offered.id, by=caller.id)
    return OrderState.told(await registry.decide(offered.session_id, declined))


@router.get("/trades", operation_id="listTrades", summary="List trades", responses=_LIST)
async def list_trades(
    caller: Reader, stores: Store, asked: Asked, session_id: SessionFilter = None
) -> PageOf[TradeOut]:
    """Return closed trades, newest first by `closed_at`."""
    with readable("trades"):
        page = await stores.projections.trades(replace(asked, user_id=caller.user_id, session_id=session_id))
    return PageOf(items=[TradeOut.of(one) for one in page.items], cursor=page.cursor)


@router.post(
    "/preflight",
    operation_id="preflight",
    summary="Could a session trade now?",
    responses=problems(*_READ, "broker-unavailable", "egress-proxy-not-allowed"),
)
async def post_preflight(body: PreflightRequest, caller: Trader, registry: Sessions) -> PreflightOut:
    """Look at everything that a session begun now would need. Nothing is begun, the token is not kept.

    Mode `live` begins only when this is `green`.
    """
    user_id = named_user(caller, body.user_id, "body.user_id")
    egress = egress_of(body.egress_proxy, body.algo_name, body.mode)
    checks = await registry.preflight(user_id=user_id, token=token_of(body.access_token), mode=body.mode, egress=egress)
    return PreflightOut.of(checks)


@router.get("/kill-switch", operation_id="getKillSwitch", summary="Is the kill switch on?", responses=problems(*_READ))
async def get_kill_switch(caller: Reader, registry: Sessions) -> KillSwitchesOut:
    """Return the switches that hold for your sessions; for a service all that are on."""
    return KillSwitchesOut.of(await registry.killed(caller.user_id))


@router.post(
    "/kill-switch",
    status_code=status.HTTP_201_CREATED,
    operation_id="throwKillSwitch",
    summary="Get out of everything and begin nothing",
    dependencies=IDEMPOTENT,
    responses=problems(*_READ, *_KEYED),
)
async def throw_kill_switch(
    caller: Trader,
    registry: Sessions,
    given: Given,
    *,
    everybody: _Everybody = False,
    user_id: _Whose = None,
    body: KillRequest | None = None,
) -> KillSwitchesOut:
    """Cancel entries, sell what is held, and begin no trade and no session that trades until `DELETE /kill-switch`.

    It is stored: a session that is taken up later hears of it too. The broker's own kill switch is
    never touched. One that is on already stays as it was.
    """
    whose = _holder(caller, everybody=everybody, user_id=user_id)
    reason = (body or KillRequest()).reason
    await registry.kill(KillSwitch(user_id=whose, by=caller.id, reason=reason, at=given.clock.now()))
    return KillSwitchesOut.of(await registry.killed(whose))


@router.delete(
    "/kill-switch",
    operation_id="takeBackKillSwitch",
    summary="Allow trading again",
    responses=problems(*_READ),
)
async def take_back_kill_switch(
    caller: Trader, registry: Sessions, *, everybody: _Everybody = False, user_id: _Whose = None
) -> KillSwitchesOut:
    """Take the switch back; the answer says what still holds, for that of everybody is a switch of its own.

    Where sessions that it lets trade again are live it needs the scope `live`.
    """
    whose = _holder(caller, everybody=everybody, user_id=user_id)
    if await _has_live(registry, whose):
        require(caller, Scope.LIVE)
    await registry.take_back(whose)
    return KillSwitchesOut.of(await registry.killed(whose))


def _holder(caller: Caller, *, everybody: bool, user_id: str | None) -> str | None:
    """Return whose switch is meant; None: everybody's."""
    if not everybody:
        return named_user(caller, user_id, "query.user_id")
    require(caller, Scope.ADMIN)
    if caller.user_id is not None:
        raise ApiProblem("forbidden", "What holds for everybody is for service credentials.")
    return None


async def _has_live(registry: Registry, user_id: str | None) -> bool:
    page = await registry.list(Wanted(user_id=user_id, limit=1000), active=True)
    return any(view.row.mode is Mode.LIVE for view in page.items)
