"""What every kind of store must do with orders, trades, kill switches, and sessions that trade."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from algoexec.domain.instruments import BANK_NIFTY
from algoexec.engine.effects import PositionChanged, Status
from algoexec.engine.events import Mode
from algoexec.engine.trading.orders import Phase
from algoexec.ports.stores import AccountInUse, JournalEntry, Query, SessionRow, Stores
from algoexec.ports.trading import KillSwitch
from tests.contract.given import ALL, entry, minute, row
from tests.contract.given_trading import order, refusal, trade


async def project(stores: Stores, *entries: JournalEntry, user: str = "u1") -> None:
    await stores.projections.project("v1", BANK_NIFTY, user, entries)


class TestOrders:
    async def test_an_order_is_one_with_all_that_became_of_it(self, stores: Stores) -> None:
        sent, filled = order("s1-1-0"), order("s1-1-0", Phase.FILLED, filled=35, average_price=212.2)
        await project(stores, entry(1, sent, PositionChanged(stage="ENTERING")))
        await project(stores, entry(5, filled))

        [found] = (await stores.projections.orders(ALL)).items

        assert (found.session_id, found.user_id, found.at) == ("s1", "u1", minute(1))
        assert [(step.number, step.at, step.told) for step in found.history] == [
            (1, minute(1), sent),
            (5, minute(5), filled),
        ]

    @pytest.mark.parametrize("times", [(0, 1, 2), (2, 1, 0), (0, 1, 2, 0, 1), (2, 0, 1, 2)])
    async def test_whatever_is_projected_again_the_history_is_the_same(
        self, stores: Stores, times: Sequence[int]
    ) -> None:
        entries = [entry(n + 9, order("s1-1-0", quantity=35 * (n + 1))) for n in range(3)]
        for n in times:
            await project(stores, entries[n])

        [found] = (await stores.projections.orders(ALL)).items

        assert [step.told for step in found.history] == [one.frames[0].body for one in entries]
        assert found.at == minute(9)

    async def test_a_refused_signal_stands_among_the_orders_and_can_be_told_apart(self, stores: Stores) -> None:
        await project(stores, entry(1, refusal("s1-1-0")), entry(2, order("s1-1-0")), entry(3, refusal("s1-3-0")))

        async def ids(refused: bool | None) -> list[str]:
            page = await stores.projections.orders(ALL, refused=refused)
            return [one.history[0].id for one in page.items]

        assert await ids(None) == ["s1-3-0-refused", "s1-1-0", "s1-1-0-refused"]
        assert await ids(True) == ["s1-3-0-refused", "s1-1-0-refused"]
        assert await ids(False) == ["s1-1-0"]

    async def test_orders_are_found_by_session_user_and_time_page_by_page(self, stores: Stores) -> None:
        await project(stores, *(entry(n, order(f"s1-{n}-0")) for n in range(1, 6)))
        await project(stores, entry(3, order("s2-3-0"), session="s2"), user="u2")

        async def ids(query: Query) -> list[str]:
            return [one.history[0].id for one in (await stores.projections.orders(query)).items]

        assert await ids(Query(session_id="s2")) == ["s2-3-0"]
        assert await ids(Query(user_id="u2", session_id="s1")) == []
        assert await ids(Query(user_id="u1", since=minute(2), until=minute(4))) == ["s1-3-0", "s1-2-0"]
        first = await stores.projections.orders(Query(user_id="u1", limit=2))
        await project(stores, entry(6, order("s1-2-0", Phase.FILLED)))
        rest = await stores.projections.orders(Query(user_id="u1", cursor=first.cursor))
        seen = [one.history[0].id for one in (*first.items, *rest.items)]
        assert seen == ["s1-5-0", "s1-4-0", "s1-3-0", "s1-2-0", "s1-1-0"]


class TestTrades:
    async def test_a_trade_is_listed_once_newest_first(self, stores: Stores) -> None:
        entries = [entry(n, trade(f"s1-{n}", n)) for n in range(1, 5)]
        for _ in range(2):
            await project(stores, *entries)
        await project(stores, entry(2, trade("s2-2", 2), session="s2"), user="u2")

        found = (await stores.projections.trades(Query(user_id="u1", since=minute(2)))).items

        assert [one.trade for one in found] == [trade(f"s1-{n}", n) for n in (4, 3, 2)]
        assert {(one.session_id, one.user_id) for one in found} == {("s1", "u1")}
        assert [one.trade.id for one in (await stores.projections.trades(Query(session_id="s2"))).items] == ["s2-2"]
        page = await stores.projections.trades(Query(limit=3))
        rest = await stores.projections.trades(Query(limit=3, cursor=page.cursor))
        assert len({one.trade.id for one in (*page.items, *rest.items)}) == 5

    async def test_a_trade_that_was_closed_anew_stays_as_it_was_closed_last(self, stores: Stores) -> None:
        first, again = entry(1, trade("s1-1", 1)), entry(7, trade("s1-1", 7, net=99))
        for entries in ((first,), (again,), (first,)):
            await project(stores, *entries)

        assert [one.trade for one in (await stores.projections.trades(ALL)).items] == [trade("s1-1", 7, net=99)]


class TestKillSwitches:
    hers = KillSwitch(user_id="u1", by="key:k1", reason="news", at=minute(1))
    everybodys = KillSwitch(user_id=None, by="key:k2", reason="exchange halt", at=minute(2))

    async def test_a_switch_is_on_until_it_is_turned_off(self, stores: Stores) -> None:
        assert await stores.kill_switches.list() == []
        await stores.kill_switches.put(self.everybodys)
        await stores.kill_switches.put(self.hers)

        assert await stores.kill_switches.list() == [self.hers, self.everybodys]

        await stores.kill_switches.delete("u1")
        await stores.kill_switches.delete("u1")
        assert await stores.kill_switches.list() == [self.everybodys]
        await stores.kill_switches.delete(None)
        assert await stores.kill_switches.list() == []

    async def test_a_switch_that_is_on_stays_as_it_was(self, stores: Stores) -> None:
        await stores.kill_switches.put(self.hers)
        await asyncio.gather(
            *(stores.kill_switches.put(replace(self.hers, reason=str(n), at=minute(9))) for n in range(4))
        )

        assert await stores.kill_switches.list() == [self.hers]

    async def test_a_user_by_any_name_is_not_everybody(self, stores: Stores) -> None:
        for name in ("all", "user:all", "None"):
            await stores.kill_switches.put(replace(self.hers, user_id=name))
        await stores.kill_switches.delete(None)

        assert {one.user_id for one in await stores.kill_switches.list()} == {"all", "user:all", "None"}


def live(id_: str, **fields: Any) -> SessionRow:
    return row(id_, **{"user_id": id_, "mode": Mode.LIVE, "account": "AB1234", **fields})


class TestSessionsThatTrade:
    async def test_an_account_is_traded_live_by_one_session(self, stores: Stores) -> None:
        await stores.sessions.create(live("s1"))
        await stores.sessions.create(live("s2", venue="v2"))
        await stores.sessions.create(live("s3", account=None))
        await stores.sessions.create(live("s4", account=None))
        await stores.sessions.create(live("s5", mode=Mode.PAPER))

        with pytest.raises(AccountInUse):
            await stores.sessions.create(live("s6"))

        await stores.sessions.set_status("s1", Status.STOPPED, None, None)
        await stores.sessions.create(live("s6"))

    async def test_of_two_that_would_trade_an_account_at_once_one_wins(self, stores: Stores) -> None:
        results = await asyncio.gather(
            *(stores.sessions.create(live(f"s{n}")) for n in range(6)), return_exceptions=True
        )

        assert sum(result is None for result in results) == 1
        assert sum(isinstance(result, AccountInUse) for result in results) == 5

    async def test_earlier_sessions_are_those_of_the_user_or_the_account_that_are_over(self, stores: Stores) -> None:
        given = [
            live("her-first", user_id="u1"),
            live("of-another-day", user_id="u1", day="2026-11-20"),
            live("of-another-venue", user_id="u1", venue="v2"),
            live("on-paper", user_id="u1", mode=Mode.PAPER),
            live("by-another", user_id="u2"),
            live("of-another-account", user_id="u2", account="XY9"),
            live("her-last", user_id="u1", account=None),
        ]
        for n, one in enumerate(given):
            await stores.sessions.create(replace(one, created_at=minute(n)))
            await stores.sessions.set_status(one.id, Status.STOPPED, None, None)
        await stores.sessions.create(replace(live("under-way", user_id="u1"), created_at=minute(9)))

        async def ids(**fields: Any) -> list[str]:
            return [one.id for one in await stores.sessions.earlier(live("new", user_id="u1", **fields))]

        assert await ids() == ["her-last", "by-another", "her-first"]
        assert await ids(account=None) == ["her-last", "her-first"]
        assert await ids(account="XY9") == ["her-last", "of-another-account", "her-first"]
