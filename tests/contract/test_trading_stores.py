"""What every kind of store must do with orders, trades, kill switches, and sessions that trade."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest

from algoexec.domain.calendar import ist
from algoexec.domain.instruments import BANK_NIFTY
from algoexec.domain.signals import Reason
from algoexec.engine.effects import OrderNews, PositionChanged, SessionChanged, Status
from algoexec.engine.events import FeedStatus, Mode
from algoexec.engine.trading.orders import Phase
from algoexec.ports.stores import AccountInUse, JournalEntry, Query, SessionRow, Stores
from algoexec.ports.trading import Consequences, KillSwitch
from tests.contract.given import ALL, DAY, entry, minute, row, signal
from tests.contract.given_trading import began, offer, order, refusal, trade


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

    @pytest.mark.parametrize("times", [(0, 1, 2), (2, 1, 0), (1, 2, 0, 1)])
    async def test_what_waited_for_a_person_is_one_with_what_became_of_it(
        self, stores: Stores, times: Sequence[int]
    ) -> None:
        bought: list[OrderNews] = [offer("s1-1-0"), offer("s1-1-0", "asha"), order("s1-1-0")]
        dropped: list[OrderNews] = [offer("s1-4-0", signal_id="s1-9-0"), refusal("s1-9-0", "DECLINED", "s1-4-0")]
        for n in times:
            await project(stores, entry(n + 1, bought[n]))
            if n < 2:
                await project(stores, entry(n + 4, dropped[n]))

        page = (await stores.projections.orders(ALL)).items
        orders = (await stores.projections.orders(ALL, refused=False)).items
        refused = (await stores.projections.orders(ALL, refused=True)).items

        assert [[step.told for step in one.history] for one in page] == [dropped, bought]
        assert [one.history[0].id for one in orders] == ["s1-1-0"]
        assert [one.history[0].id for one in refused] == ["s1-4-0"]
        assert [one.at for one in page] == [minute(4), minute(1)]
        assert await stores.projections.order("s1-4-0", "u1") == page[0]
        came = await stores.projections.consequences(["s1-1-0", "s1-9-0"])
        assert {id_: one.told for id_, one in came.items()} == {"s1-1-0": (bought[-1],), "s1-9-0": (dropped[-1],)}

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

    async def test_an_order_is_found_by_its_id_by_whom_it_belongs_to(self, stores: Stores) -> None:
        await project(stores, entry(1, order("s1-1-0")), entry(2, refusal("s1-2-0")))

        found = await stores.projections.order("s1-1-0", "u1")

        assert found is not None
        assert found.told == order("s1-1-0")
        refused = await stores.projections.order("s1-2-0-refused", None)
        assert refused is not None
        assert refused.told == refusal("s1-2-0")
        assert await stores.projections.order("s1-1-0", "u2") is None
        assert await stores.projections.order("s1-1-1", "u1") is None

    async def test_fills_are_told_apart_and_add_up(self, stores: Stores) -> None:
        steps = [
            order("s1-1-0", Phase.WORKING),
            order("s1-1-0", Phase.WORKING, filled=10, average_price=212.2),
            order("s1-1-0", Phase.WORKING, filled=10, average_price=212.2, limit=213.0),
            order("s1-1-0", Phase.FILLED, filled=35, average_price=212.7),
        ]
        await project(stores, *(entry(n, step) for n, step in enumerate(steps, start=1)))

        [found] = (await stores.projections.orders(ALL)).items

        first, second = found.fills
        assert (first.at, first.quantity, first.price) == (minute(2), 10, 212.2)
        assert (second.at, second.quantity, second.price) == (minute(4), 25, 212.9)
        assert sum(round(fill.price * 100) * fill.quantity for fill in found.fills) == round(35 * 212.7 * 100)


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


class TestConsequences:
    async def test_what_came_of_a_signal_is_found_by_it(self, stores: Stores) -> None:
        sent, filled = order("s1-2-0"), order("s1-2-0", Phase.FILLED, filled=35, average_price=212.2)
        second, other = order("s1-2-1", Phase.REJECTED), order("s1-5-0", signal_id="s1-4-0")
        await project(stores, entry(2, sent, second), entry(3, filled), entry(5, other))
        await project(stores, entry(7, refusal("s1-6-0")), entry(8, trade("s1-1", 8)))

        found = await stores.projections.consequences({"s1-1-0", "s1-4-0", "s1-6-0", "s1-9-0"})

        assert set(found) == {"s1-1-0", "s1-4-0", "s1-6-0"}
        assert sorted(found["s1-1-0"].told, key=lambda one: one.id) == [filled, second]  # type: ignore[union-attr]
        assert found["s1-1-0"].trade == trade("s1-1", 8)
        assert found["s1-4-0"] == Consequences(told=(other,))
        assert found["s1-6-0"] == Consequences(told=(refusal("s1-6-0"),))
        assert await stores.projections.consequences(()) == {}

    async def test_an_order_without_a_signal_is_nobodys(self, stores: Stores) -> None:
        await project(stores, entry(1, order("s1-1-0", signal_id=None)))

        assert await stores.projections.consequences({"s1-1-0"}) == {}


def locked(lock: str | None) -> SessionChanged:
    return SessionChanged(status=Status.RUNNING, reason=None, halted=lock, feed=FeedStatus.CONNECTED, lock=lock)


async def begin(stores: Stores, session: str = "s1", **given: Any) -> None:
    first = began(session, **given)
    user, venue = given.get("user", "u1"), given.get("venue", "v1")
    await stores.projections.project(venue, BANK_NIFTY, user, [first])


class TestDays:
    async def test_a_day_counts_what_all_its_sessions_did(self, stores: Stores) -> None:
        await begin(stores, "s1")
        await begin(stores, "s2")
        first = [
            entry(2, signal("s1-2-0", 1), signal("s1-2-1", 1, Reason.PCR)),
            entry(3, signal("s1-3-0", 2, Reason.PCR), signal("s1-3-1", 2, Reason.TRADE_LOCK)),
            entry(4, refusal("s1-2-0"), order("s1-4-0")),
            entry(9, trade("s1-9", 9, net=-50_00)),
        ]
        second = [
            entry(4, signal("s2-2-0", 3), signal("s2-2-1", 3, Reason.PCR), session="s2"),
            entry(5, refusal("s2-2-0"), refusal("s2-3-0", "NO_CASH"), session="s2", first_frame=20),
            entry(6, refusal("s2-4-0", "DECLINED", "s2-5-0"), session="s2", first_frame=30),
            entry(5, offer("s2-5-0", signal_id="s2-4-0"), session="s2", first_frame=9),
            entry(7, trade("s2-7", 7, net=80_00), locked("MAX_DAILY_PROFIT"), session="s2", first_frame=40),
        ]
        for _ in range(2):
            await project(stores, *first)
            await project(stores, *second)

        [day] = (await stores.projections.days(ALL)).items

        assert (day.venue, day.user_id, day.mode, day.day, day.sessions) == ("v1", "u1", Mode.PAPER, DAY, ("s1", "s2"))
        assert day.signals == 2
        assert day.rejections == {"PCR": 3, "TRADE_LOCK": 1}
        assert day.refusals == {"MAX_TRADES": 2, "NO_CASH": 1, "DECLINED": 1}
        assert day.trades == (trade("s2-7", 7, net=80_00), trade("s1-9", 9, net=-50_00))
        assert day.locks == ("MAX_DAILY_PROFIT",)

    async def test_a_day_on_which_nothing_was_seen_is_a_day(self, stores: Stores) -> None:
        await begin(stores)

        [day] = (await stores.projections.days(ALL)).items

        assert (day.signals, day.rejections, day.refusals, day.trades, day.locks) == (0, {}, {}, (), ())

    async def test_every_limit_that_was_reached_stays_noted_once(self, stores: Stores) -> None:
        await begin(stores)
        told = (None, "MAX_DAILY_LOSS", None, "GIVE_BACK", "MAX_DAILY_LOSS", None)
        await project(stores, *(entry(n, locked(lock)) for n, lock in enumerate(told, start=2)))

        [day] = (await stores.projections.days(ALL)).items

        assert day.locks == ("GIVE_BACK", "MAX_DAILY_LOSS")

    async def test_venue_user_mode_and_day_keep_days_apart(self, stores: Stores) -> None:
        await begin(stores, "s1")
        await begin(stores, "s2", venue="v2")
        await begin(stores, "s3", user="u2")
        await begin(stores, "s4", mode=Mode.LIVE)
        await begin(stores, "s5", day=DAY - timedelta(days=3))
        await project(stores, entry(2, signal("s1-2-0", 1)))

        days = (await stores.projections.days(ALL)).items

        assert {day.sessions: day.signals for day in days} == {
            ("s1",): 1, ("s2",): 0, ("s3",): 0, ("s4",): 0, ("s5",): 0,
        }  # fmt: skip

    async def test_days_are_found_by_user_mode_session_and_time_page_by_page(self, stores: Stores) -> None:
        for n in range(5):
            await begin(stores, f"s{n}", day=DAY - timedelta(days=n))
        await begin(stores, "t0", mode=Mode.LIVE)
        await begin(stores, "r0", user="u2", venue="v2")

        async def sessions(query: Query, mode: Mode | None = None) -> list[str]:
            page = await stores.projections.days(query, mode)
            return [id_ for day in page.items for id_ in day.sessions]

        assert await sessions(Query(user_id="u1"), Mode.PAPER) == ["s0", "s1", "s2", "s3", "s4"]
        assert await sessions(Query(user_id="u1"), Mode.LIVE) == ["t0"]
        assert await sessions(Query(user_id="u2")) == ["r0"]
        assert await sessions(Query(user_id="u2", session_id="s1")) == []
        assert await sessions(Query(session_id="s1")) == ["s1"]
        midnight = ist(DAY - timedelta(days=2), time())
        assert await sessions(Query(since=midnight), Mode.PAPER) == ["r0", "s0", "s1", "s2"]
        assert await sessions(Query(until=midnight)) == ["s3", "s4"]
        page = await stores.projections.days(Query(limit=3))
        rest = await stores.projections.days(Query(limit=30, cursor=page.cursor))
        seen = [id_ for day in (*page.items, *rest.items) for id_ in day.sessions]
        assert sorted(seen) == ["r0", "s0", "s1", "s2", "s3", "s4", "t0"]
        assert rest.cursor is None


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

    async def test_sessions_are_found_by_their_ids(self, stores: Stores) -> None:
        for n in range(3):
            await stores.sessions.create(live(f"s{n}", account=None))

        found = await stores.sessions.named({"s0", "s2", "s9"})

        assert set(found) == {"s0", "s2"}
        assert found["s2"] == await stores.sessions.get("s2")
        assert await stores.sessions.named(()) == {}
