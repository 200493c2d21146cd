"""Orders leave by their user's own proxy, and by no other way."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

import pytest

from algoexec.adapters.memory.stores import MemoryStores
from algoexec.adapters.upstox.venue import SimulatorVenue
from algoexec.domain.errors import BrokerRefused
from algoexec.domain.orders import OrderTicket, OrderType, Side
from algoexec.engine.effects import Alert, FrameBody, OrderChanged, PositionChanged
from algoexec.engine.trading.orders import Phase
from algoexec.ports.broker import Urgency
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress, ProxyAddress
from algoexec.ports.stores import Query
from algoexec.simulator.users_file import Account, Users
from tests.e2e.test_trading import must_be_sound
from tests.e2e.trading import USER, simulated, trade_at
from tests.egress_proxy import ForwardProxy
from tests.integration.trading import CALL

HERS: Final = "127.0.0.2"
USERS: Final = Users(users={USER: Account(static_ips=(ip_address(HERS),))})
WRITES: Final = {("POST", "/v3/order/place"), ("PUT", "/v3/order/modify"), ("DELETE", "/v3/order/cancel")}


def by(proxy: ForwardProxy) -> Egress:
    return Egress(ProxyAddress(proxy.url), "her-scalper")


async def told(stores: MemoryStores, is_it: Callable[[FrameBody], bool]) -> None:
    """Return once a session has told such a thing."""
    async with asyncio.timeout(120):
        while True:
            for row in (await stores.sessions.list(Query())).items:
                entries = await stores.journal.read(row.id)
                if any(is_it(frame.body) for entry in entries for frame in entry.frames):
                    return
            await asyncio.sleep(0.02)


@pytest.mark.timeout(300)
async def test_a_session_trades_from_its_users_own_address() -> None:
    async with ForwardProxy(leaves_from=HERS) as proxy, simulated("09:30", 60.0, users=USERS) as running:
        traded = await trade_at(running, until="09:45", egress=by(proxy))

    must_be_sound(traded)
    assert traded.closed, "nothing was traded: nothing was tried"
    assert {(one.method, one.path) for one in proxy.passed} <= WRITES, "what is only asked goes directly"
    placed = [one for one in proxy.passed if one.path == "/v3/order/place"]
    assert len(placed) == len(traded.placed)
    assert {one.headers["x-algo-name"] for one in proxy.passed} == {"her-scalper"}
    assert all(one.headers["authorization"] == f"Bearer user:{USER}" for one in proxy.passed)


@pytest.mark.timeout(300)
async def test_while_the_proxy_is_down_nothing_is_sent_and_afterwards_the_exit_goes_out() -> None:
    stores = MemoryStores()
    async with ForwardProxy(leaves_from=HERS) as proxy, simulated("09:30", 60.0, users=USERS) as running:
        trading = asyncio.create_task(trade_at(running, until="09:50", egress=by(proxy), stores=stores))
        await told(stores, lambda body: isinstance(body, PositionChanged) and body.open_units > 0)
        await proxy.fall()
        passed = len(proxy.passed)
        await told(stores, lambda body: isinstance(body, Alert) and body.code == "EXIT_STUCK")
        assert len(proxy.passed) == passed
        await proxy.rise()
        traded = await trading

    must_be_sound(traded)
    assert traded.closed
    unsent = [
        frame.body
        for frame in traded.frames
        if isinstance(frame.body, OrderChanged) and frame.body.phase is Phase.NOT_SENT
    ]
    assert unsent, "nothing was tried while the proxy was down"
    assert all("Connect" in (order.message or "") for order in unsent)
    assert not {order.id for order in unsent} & set(traded.placed)
    assert sum(trade.gross for trade in traded.closed) == traded.exchange_gross()


async def test_by_another_way_the_broker_refuses_her_orders() -> None:
    ticket = OrderTicket(
        id="abcdefgh01234567-1-0", instrument=CALL, side=Side.BUY, quantity=30, type=OrderType.LIMIT, price=1.0
    )
    async with ForwardProxy(leaves_from=HERS) as proxy, simulated("10:00", 1.0, users=USERS) as running:
        venue, token = SimulatorVenue(running.url), AccessToken(f"user:{USER}")
        await venue.name()
        try:
            with pytest.raises(BrokerRefused, match=f"static IP .{HERS}. does not match origin IP .127.0.0.1."):
                await venue.broker(token).place(ticket, Urgency.ENTRY)
            assert await venue.broker(token, by(proxy)).place(ticket, Urgency.ENTRY)
            for egress in (DIRECT, by(proxy)):
                assert (await venue.addresses(token, egress)).registered == (HERS,)
            assert proxy.passed[-1].path == "/v2/user/ip"
        finally:
            await venue.aclose()
