"""What every kind of store must do. `given.py` holds the values."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from algoexec.domain.errors import FenceLost, StoreError
from algoexec.domain.instruments import BANK_NIFTY, InstrumentKey
from algoexec.domain.market import Provenance
from algoexec.domain.signals import Reason
from algoexec.engine.effects import Status
from algoexec.engine.events import DayPrepared, Halted, Resumed, StopReason, StopRequested, WarmedUp
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress, ProxyAddress
from algoexec.ports.stores import (
    ActiveSessionExists,
    ApiKey,
    InvalidCursor,
    Page,
    Query,
    Scope,
    StoredAnswer,
    Stores,
)
from tests.contract.given import ALL, AT, alert, candle, contracts, entry, minute, reading, row, signal, state


async def everything[T](ask: Callable[[Query], Awaitable[Page[T]]], query: Query) -> list[T]:
    """Return all pages of a list, one after another."""
    items: list[T] = []
    while True:
        page = await ask(query)
        items.extend(page.items)
        if page.cursor is None:
            return items
        query = replace(query, cursor=page.cursor)


class TestJournal:
    async def test_what_was_appended_is_read_in_order(self, stores: Stores) -> None:
        entries = [entry(n, alert()) for n in (1, 2, 3)]

        assert await stores.journal.append(entries[:2]) == {}
        assert await stores.journal.append(entries[2:]) == {}

        assert await stores.journal.read("s1") == entries
        assert await stores.journal.read("s1", after=1) == entries[1:]
        assert await stores.journal.read("s1", after=1, limit=1) == entries[1:2]
        assert await stores.journal.read("s1", after=3) == []
        assert await stores.journal.read("nobody") == []

    async def test_nothing_is_appended_without_a_word(self, stores: Stores) -> None:
        assert await stores.journal.append([]) == {}

    async def test_sessions_share_an_append(self, stores: Stores) -> None:
        mixed = [entry(1), entry(1, session="s2"), entry(2), entry(2, session="s2")]

        assert await stores.journal.append(mixed) == {}

        assert await stores.journal.read("s1") == [mixed[0], mixed[2]]
        assert await stores.journal.read("s2") == [mixed[1], mixed[3]]

    async def test_our_own_retry_is_no_error(self, stores: Stores) -> None:
        first = [entry(1, alert()), entry(2)]
        await stores.journal.append(first)

        again = [replace(one, recorded_at=minute(9)) for one in first]

        assert await stores.journal.append(again) == {}
        assert await stores.journal.read("s1") == first

    @pytest.mark.parametrize("written", [1, 2, 3])
    async def test_a_retry_may_be_cut_otherwise_than_the_first_try(self, stores: Stores, written: int) -> None:
        entries = [entry(n, alert()) for n in (1, 2, 3, 4)]
        await stores.journal.append(entries[:written])

        assert await stores.journal.append(entries) == {}
        assert await stores.journal.append(entries[1:3]) == {}

        assert await stores.journal.read("s1") == entries

    @pytest.mark.parametrize("other", [{"epoch": 2}, {"detail": "y"}, {"effects": ()}])
    async def test_a_record_of_another_owner_is_a_lost_fence(self, stores: Stores, other: dict[str, object]) -> None:
        await stores.journal.append([entry(1)])

        failed = await stores.journal.append([entry(1, **other)])  # type: ignore[arg-type]

        assert isinstance(failed["s1"], FenceLost)
        assert await stores.journal.read("s1") == [entry(1)]

    async def test_of_two_owners_one_wins(self, stores: Stores) -> None:
        both = await asyncio.gather(*(stores.journal.append([entry(1, epoch=epoch)]) for epoch in range(1, 9)))

        assert sum(failed == {} for failed in both) == 1
        assert all(isinstance(failed["s1"], FenceLost) for failed in both if failed)
        assert len(await stores.journal.read("s1")) == 1

    async def test_a_lost_fence_keeps_the_whole_batch_of_that_session_out_and_of_no_other(self, stores: Stores) -> None:
        await stores.journal.append([entry(1), entry(2, epoch=2)])

        late = [entry(2), entry(3), entry(1, session="s2"), entry(4), entry(2, session="s2")]
        failed = await stores.journal.append(late)

        assert list(failed) == ["s1"]
        assert [one.record.seq for one in await stores.journal.read("s1")] == [1, 2]
        assert [one.record.seq for one in await stores.journal.read("s2")] == [1, 2]

    async def test_a_batch_that_reaches_into_anothers_is_a_lost_fence(self, stores: Stores) -> None:
        await stores.journal.append([entry(3, epoch=2), entry(4, epoch=2)])

        failed = await stores.journal.append([entry(2), entry(3)])

        assert isinstance(failed["s1"], FenceLost)
        assert [one.record.seq for one in await stores.journal.read("s1")] == [3, 4]

    async def test_frames_come_page_by_page(self, stores: Stores) -> None:
        await stores.journal.append([entry(1, alert("1"), alert("2"), first_frame=1), entry(2)])
        await stores.journal.append([entry(3, alert("3"), first_frame=3)])
        await stores.journal.append([entry(4, alert("4"), alert("5"), alert("6"), first_frame=4), entry(5)])

        numbers: list[int] = []
        while page := await stores.journal.frames("s1", after=numbers[-1] if numbers else 0, limit=2):
            assert len(page) <= 2
            numbers.extend(frame.number for frame in page)

        assert numbers == [1, 2, 3, 4, 5, 6]
        assert [frame.body for frame in await stores.journal.frames("s1", after=4, limit=9)] == [alert("5"), alert("6")]
        assert await stores.journal.frames("s2", after=0, limit=9) == []


class TestSnapshots:
    async def test_the_newest_snapshot_is_the_state(self, stores: Stores) -> None:
        early = state(WarmedUp(history=(candle(-9),), today=(candle(0),)))
        prepared = DayPrepared(contracts=contracts())
        later = state(WarmedUp(history=(candle(-9),), today=(candle(0),)), prepared)
        await stores.snapshots.save(early, AT)
        await stores.snapshots.save(later, AT)

        assert await stores.snapshots.newest("s1") == later
        assert await stores.snapshots.newest("s2") is None

    async def test_the_contracts_stay_with_a_state_that_is_saved_often(self, stores: Stores) -> None:
        events = [DayPrepared(contracts=contracts()), *(Halted(by="p", reason="r"), Resumed(by="p")) * 3]
        for count in range(len(events) + 1):
            await stores.snapshots.save(now := state(*events[:count]), AT)

            assert await stores.snapshots.newest("s1") == now

        changed = state(*events, DayPrepared(contracts=contracts(6)))
        await stores.snapshots.save(changed, AT)

        assert await stores.snapshots.newest("s1") == changed

    async def test_an_older_snapshot_does_not_replace_a_newer_one(self, stores: Stores) -> None:
        newer = state(DayPrepared(contracts=contracts()))
        await stores.snapshots.save(newer, AT)
        await stores.snapshots.save(state(), AT)

        assert await stores.snapshots.newest("s1") == newer

    async def test_a_session_that_is_over_is_kept_too(self, stores: Stores) -> None:
        over = state(DayPrepared(contracts=contracts()), StopRequested(reason=StopReason.REQUESTED))
        await stores.snapshots.save(over, AT)

        assert await stores.snapshots.newest("s1") == over


class TestSessions:
    async def test_a_session_is_found_by_its_user_and_by_nobody_else(self, stores: Stores) -> None:
        await stores.sessions.create(row())

        assert await stores.sessions.get("s1") == row()
        assert await stores.sessions.get("s1", "u1") == row()
        assert await stores.sessions.get("s1", "u2") is None
        assert await stores.sessions.get("s2") is None

    async def test_a_user_has_one_active_session_a_venue(self, stores: Stores) -> None:
        await stores.sessions.create(row("s1"))
        await stores.sessions.create(row("s2", user_id="u2"))
        await stores.sessions.create(row("s3", venue="v2"))

        with pytest.raises(ActiveSessionExists) as raised:
            await stores.sessions.create(row("s4"))
        assert raised.value.session_id == "s1"

        await stores.sessions.set_status("s1", Status.STOPPED, "requested", None)
        await stores.sessions.create(row("s4"))

    async def test_of_two_creations_at_once_one_wins(self, stores: Stores) -> None:
        results = await asyncio.gather(
            *(stores.sessions.create(row(f"s{n}")) for n in range(6)), return_exceptions=True
        )

        winner = [n for n, result in enumerate(results) if result is None]
        assert len(winner) == 1
        lost = [result for result in results if result is not None]
        assert [str(error) for error in lost if isinstance(error, ActiveSessionExists)] == [f"s{winner[0]}"] * 5

    async def test_an_id_is_used_once(self, stores: Stores) -> None:
        await stores.sessions.create(row(is_active=False))

        with pytest.raises(StoreError):
            await stores.sessions.create(row(user_id="u2"))

    async def test_a_status_is_projected_and_the_account_remembered(self, stores: Stores) -> None:
        await stores.sessions.create(row())

        await stores.sessions.set_status("s1", Status.RUNNING, None, "AB1234")
        await stores.sessions.set_status("s1", Status.NEEDS_TOKEN, "dead", None)
        await stores.sessions.set_status("nobody", Status.RUNNING, None, None)

        assert await stores.sessions.get("s1") == row(status=Status.NEEDS_TOKEN, reason="dead", account="AB1234")

    @pytest.mark.parametrize("over", [Status.STOPPED, Status.FAILED])
    async def test_a_session_that_is_over_stays_inactive(self, stores: Stores, over: Status) -> None:
        await stores.sessions.create(row())

        await stores.sessions.set_status("s1", over, "why", None)
        await stores.sessions.set_status("s1", Status.RUNNING, None, None)

        found = await stores.sessions.get("s1")
        assert found is not None
        assert not found.is_active

    async def test_a_lease_is_held_by_one_until_it_ends(self, stores: Stores) -> None:
        await stores.sessions.create(row())
        first = await stores.sessions.claim("s1", "a", AT, minute(1))
        assert first is not None
        assert (first.owner, first.epoch, first.lease_until) == ("a", 1, minute(1))

        assert await stores.sessions.claim("s1", "b", AT, minute(1)) is None
        assert await stores.sessions.claim("nobody", "a", AT, minute(1)) is None
        again = await stores.sessions.claim("s1", "a", AT, minute(2))
        assert again is not None
        assert (again.epoch, again.lease_until) == (1, minute(2))

        taken = await stores.sessions.claim("s1", "b", minute(2), minute(4))
        assert taken is not None
        assert (taken.owner, taken.epoch) == ("b", 2)

    async def test_of_two_claims_at_once_one_wins(self, stores: Stores) -> None:
        await stores.sessions.create(row())

        claims = await asyncio.gather(*(stores.sessions.claim("s1", f"o{n}", AT, minute(1)) for n in range(8)))

        [winner] = [claim for claim in claims if claim is not None]
        assert winner.epoch == 1
        assert await stores.sessions.get("s1") == winner

    async def test_a_lease_is_renewed_by_its_owner_only(self, stores: Stores) -> None:
        for id_, owner in (("s1", "a"), ("s2", "a"), ("s3", "b")):
            await stores.sessions.create(row(id_, user_id=id_))
            await stores.sessions.claim(id_, owner, AT, minute(1))

        assert await stores.sessions.renew(["s1", "s2", "s3", "nobody"], "a", minute(5)) == {"s1", "s2"}
        assert await stores.sessions.renew([], "a", minute(5)) == frozenset()

        until = {found.id: found.lease_until for found in (await stores.sessions.list(ALL)).items}
        assert until == {"s1": minute(5), "s2": minute(5), "s3": minute(1)}

    async def test_a_lease_that_is_given_back_is_free_at_once(self, stores: Stores) -> None:
        await stores.sessions.create(row())
        await stores.sessions.claim("s1", "a", AT, minute(1))

        await stores.sessions.release("s1", "b")
        assert await stores.sessions.claim("s1", "b", AT, minute(1)) is None
        await stores.sessions.release("s1", "a")

        taken = await stores.sessions.claim("s1", "b", AT, minute(1))
        assert taken is not None
        assert taken.epoch == 2

    async def test_active_sessions_without_a_living_lease_are_abandoned(self, stores: Stores) -> None:
        for n, id_ in enumerate(("never", "dead", "alive", "over")):
            await stores.sessions.create(row(id_, user_id=id_, created_at=minute(n)))
        await stores.sessions.claim("dead", "a", AT, minute(1))
        await stores.sessions.claim("alive", "a", AT, minute(3))
        await stores.sessions.set_status("over", Status.STOPPED, None, None)

        assert [found.id for found in await stores.sessions.abandoned(minute(1))] == ["never", "dead"]

    async def test_sessions_are_listed_by_user_activity_and_time(self, stores: Stores) -> None:
        for n in range(4):
            await stores.sessions.create(row(f"s{n}", user_id=f"u{n % 2}", venue=f"v{n}", created_at=minute(n)))
        await stores.sessions.set_status("s3", Status.STOPPED, None, None)

        async def ids(query: Query, *, active: bool | None = None) -> list[str]:
            return [found.id for found in (await stores.sessions.list(query, active=active)).items]

        assert await ids(ALL) == ["s3", "s2", "s1", "s0"]
        assert await ids(Query(user_id="u1")) == ["s3", "s1"]
        assert await ids(ALL, active=True) == ["s2", "s1", "s0"]
        assert await ids(ALL, active=False) == ["s3"]
        assert await ids(Query(session_id="s2")) == ["s2"]
        assert await ids(Query(since=minute(1), until=minute(3))) == ["s2", "s1"]


class TestProjections:
    async def project(self, stores: Stores, *entries: object, user: str = "u1", venue: str = "v1") -> None:
        await stores.projections.project(venue, BANK_NIFTY, user, entries)  # type: ignore[arg-type]

    async def test_signals_and_rejections_are_told_apart_and_found_by_session_and_user(self, stores: Stores) -> None:
        good, bad = signal("s1-1-0", 1), signal("s1-1-1", 1, Reason.PCR)
        await self.project(stores, entry(1, candle(0), good, bad))
        await self.project(stores, entry(1, signal("s2-1-0", 2), session="s2"), user="u2")

        [found] = (await stores.projections.signals(Query(session_id="s1"))).items
        assert (found.session_id, found.user_id, found.seq, found.n, found.signal) == ("s1", "u1", 1, 0, good)
        [found] = (await stores.projections.rejections(ALL)).items
        assert (found.seq, found.n, found.signal) == (1, 1, bad)
        assert [one.session_id for one in (await stores.projections.signals(Query(user_id="u2"))).items] == ["s2"]
        assert (await stores.projections.signals(Query(user_id="u2", session_id="s1"))).items == ()

    async def test_projecting_again_changes_nothing(self, stores: Stores) -> None:
        entries = [entry(n, candle(n), reading(n), signal(f"s1-{n}-0", n)) for n in (1, 2, 3)]
        for _ in range(2):
            await self.project(stores, *entries)
            await self.project(stores, entries[0])

            assert len((await stores.projections.signals(ALL)).items) == 3
            assert len((await stores.projections.pcr("v1", BANK_NIFTY, ALL)).items) == 3
            assert len(await stores.projections.candles("v1", BANK_NIFTY, AT, minute(9))) == 3
            assert await stores.projections.projected("s1") == 3

    async def test_progress_is_kept_by_session(self, stores: Stores) -> None:
        assert await stores.projections.projected("s1") == 0

        await self.project(stores, *(entry(n) for n in range(1, 8)), *(entry(n, session="s2") for n in range(1, 5)))
        await self.project(stores)

        assert await stores.projections.projected("s1") == 7
        assert await stores.projections.projected("s2") == 4

    async def test_progress_does_not_pass_what_is_missing(self, stores: Stores) -> None:
        """A database that has crashed may lack what it had confirmed."""
        project = partial(stores.projections.project, "v1", BANK_NIFTY, "u1")
        assert await project([entry(1), entry(2), entry(1, session="s2")]) == frozenset()

        lacking = [entry(n, signal(f"s1-{n}-0", n)) for n in (4, 5)]
        assert await project([*lacking, entry(2, session="s2"), entry(9, session="s3")]) == {"s1", "s3"}

        assert [await stores.projections.projected(id_) for id_ in ("s1", "s2", "s3")] == [2, 2, 0]
        assert len((await stores.projections.signals(ALL)).items) == 2, "they are stored all the same"
        assert await project([entry(3), *lacking]) == frozenset()
        assert await stores.projections.projected("s1") == 5

    async def test_times_bound_a_list_from_below_inclusively(self, stores: Stores) -> None:
        await self.project(stores, *(entry(n, signal(f"s1-{n}-0", n)) for n in range(1, 6)))

        found = await stores.projections.signals(Query(since=minute(2), until=minute(4)))

        assert [one.signal.at for one in found.items] == [minute(3), minute(2)]
        assert found.cursor is None

    @pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
    async def test_pages_hold_everything_once_newest_first(self, stores: Stores, limit: int) -> None:
        at_once = [signal(f"s1-1-{n}", 1) for n in range(3)]
        await self.project(stores, entry(1, *at_once), entry(2, *(signal(f"s1-2-{n}", 2) for n in range(3))))

        found = await everything(stores.projections.signals, Query(limit=limit))

        assert [one.signal.id for one in found] == ["s1-2-2", "s1-2-1", "s1-2-0", "s1-1-2", "s1-1-1", "s1-1-0"]

    async def test_a_cursor_stands_still_while_rows_come_in(self, stores: Stores) -> None:
        await self.project(stores, *(entry(n, signal(f"s1-{n}-0", n)) for n in range(1, 6)))
        first = await stores.projections.signals(Query(limit=2))

        await self.project(stores, *(entry(n, signal(f"s1-{n}-0", n)) for n in range(6, 9)))

        rest = await everything(stores.projections.signals, Query(limit=2, cursor=first.cursor))
        assert [one.seq for one in (*first.items, *rest)] == [5, 4, 3, 2, 1]

    @pytest.mark.parametrize(
        "cursor", ["", "x", "é", "!!!!", "WzFd", "bnVsbA", "WyJ4IiwieCJd", "WzFlOTksIngiXQ", "WzEsIlx1ZDgwMCJd"]
    )
    async def test_a_cursor_of_nobody_is_refused(self, stores: Stores, cursor: str) -> None:
        with pytest.raises(InvalidCursor):
            await stores.projections.signals(Query(cursor=cursor))
        with pytest.raises(InvalidCursor):
            await stores.sessions.list(Query(cursor=cursor))

    async def test_pcr_is_kept_by_venue_and_underlying_whatever_the_user(self, stores: Stores) -> None:
        await self.project(stores, entry(1, reading(1), reading(2, pcr=None)))
        await self.project(stores, entry(1, reading(3), session="s2"), venue="v2")

        page = await stores.projections.pcr("v1", BANK_NIFTY, Query(user_id="x", session_id="y"))

        assert page.items == (reading(2, pcr=None), reading(1))
        assert (await stores.projections.pcr("v1", InstrumentKey("NSE_INDEX|Nifty 50"), ALL)).items == ()
        assert (await stores.projections.pcr("v1", BANK_NIFTY, Query(since=minute(2)))).items[0].at == minute(2)

    async def test_candles_come_oldest_first(self, stores: Stores) -> None:
        await self.project(stores, *(entry(n, candle(n)) for n in (3, 1, 2)))

        found = await stores.projections.candles("v1", BANK_NIFTY, minute(1), minute(3))

        assert found == [candle(1), candle(2)]
        assert await stores.projections.candles("v2", BANK_NIFTY, minute(1), minute(3)) == []

    async def test_sessions_that_see_the_same_at_once_store_it_once(self, stores: Stores) -> None:
        await asyncio.gather(
            *(
                self.project(stores, *(entry(n, candle(n), reading(n), session=f"s{s}") for n in range(20)))
                for s in range(8)
            )
        )

        assert len(await stores.projections.candles("v1", BANK_NIFTY, AT, minute(99))) == 20
        assert len((await stores.projections.pcr("v1", BANK_NIFTY, ALL)).items) == 20

    async def test_a_repaired_candle_stays_whatever_another_session_saw(self, stores: Stores) -> None:
        repaired = candle(1, close=51_001.0, provenance=Provenance.REPAIRED)
        better = candle(1, close=51_002.0, provenance=Provenance.REPAIRED)

        await self.project(stores, entry(1, candle(1)), entry(2, repaired))
        await self.project(stores, entry(1, candle(1), session="s2"))
        assert await stores.projections.candles("v1", BANK_NIFTY, AT, minute(9)) == [repaired]

        await self.project(stores, entry(3, repaired, better))
        assert await stores.projections.candles("v1", BANK_NIFTY, AT, minute(9)) == [better]


class TestTokens:
    async def test_a_token_lives_until_it_dies_or_is_deleted(self, stores: Stores) -> None:
        token = AccessToken("eyJ0eXAi.secret")
        await stores.tokens.put("s1", AccessToken("older"), minute(1))
        await stores.tokens.put("s1", token, minute(5))

        assert await stores.tokens.get("s1", minute(4)) == token
        assert await stores.tokens.get("s1", minute(5)) is None
        assert await stores.tokens.get("s2", AT) is None

        await stores.tokens.delete("s1")
        await stores.tokens.delete("s1")
        assert await stores.tokens.get("s1", AT) is None


class TestEgresses:
    @pytest.mark.parametrize(
        "egress",
        [
            Egress(ProxyAddress("http://ann:secret@proxy.example:3128"), "scalper"),
            Egress(ProxyAddress("https://proxy.example:3128")),
            Egress(algo="scalper"),
        ],
    )
    async def test_a_way_out_is_kept_until_it_is_deleted(self, stores: Stores, egress: Egress) -> None:
        assert await stores.egresses.get("s1") == DIRECT
        await stores.egresses.put("s1", Egress(algo="older"))
        await stores.egresses.put("s1", egress)

        assert await stores.egresses.get("s1") == egress
        assert await stores.egresses.get("s2") == DIRECT

        await stores.egresses.delete("s1")
        await stores.egresses.delete("s1")
        assert await stores.egresses.get("s1") == DIRECT


class TestApiKeys:
    def key(self, n: int, *, user: str | None = "u1") -> ApiKey:
        return ApiKey(
            id=f"k{n}", prefix=f"ae_{n}", digest=f"d{n}", scope=Scope.TRADE, user_id=user, created_at=minute(n)
        )

    async def test_a_key_is_found_by_its_digest_until_it_is_revoked(self, stores: Stores) -> None:
        assert not await stores.api_keys.any()
        await stores.api_keys.add(self.key(1))
        await stores.api_keys.add(self.key(2, user=None))

        assert await stores.api_keys.by_digest("d2") == self.key(2, user=None)
        assert await stores.api_keys.by_digest("d3") is None
        assert await stores.api_keys.list() == [self.key(2, user=None), self.key(1)]

        assert await stores.api_keys.revoke("k2", minute(9))
        assert not await stores.api_keys.revoke("k2", minute(10))
        assert not await stores.api_keys.revoke("k3", minute(10))
        assert await stores.api_keys.by_digest("d2") is None
        assert (await stores.api_keys.list())[0].revoked_at == minute(9)
        assert await stores.api_keys.any()

    async def test_that_there_was_a_key_outlives_its_revocation(self, stores: Stores) -> None:
        await stores.api_keys.add(self.key(1))
        await stores.api_keys.revoke("k1", minute(9))

        assert await stores.api_keys.any()

    async def test_a_digest_is_added_once(self, stores: Stores) -> None:
        await stores.api_keys.add(self.key(1))

        with pytest.raises(StoreError):
            await stores.api_keys.add(replace(self.key(2), digest="d1"))


class TestIdempotency:
    answer = StoredAnswer(request_mac="mac", status=201, body=b"\x00{}", headers=(("Location", "/x"), ("A", "b")))
    until = AT + timedelta(hours=24)

    async def test_an_answer_is_given_again(self, stores: Stores) -> None:
        keep = stores.idempotency
        assert await keep.begin("scope", "mac", AT, self.until) is None
        running = await keep.begin("scope", "other", AT, self.until)
        assert running is not None
        assert (running.request_mac, running.status) == ("mac", None)

        await keep.finish("scope", self.answer, self.until)

        assert await keep.begin("scope", "mac", AT, self.until) == self.answer
        assert await keep.begin("scope2", "mac", AT, self.until) is None

    async def test_of_two_requests_at_once_one_runs(self, stores: Stores) -> None:
        begun = await asyncio.gather(*(stores.idempotency.begin("scope", "mac", AT, self.until) for _ in range(8)))

        assert begun.count(None) == 1

    async def test_what_was_dropped_may_be_tried_again_and_what_was_answered_not(self, stores: Stores) -> None:
        keep = stores.idempotency
        await keep.begin("scope", "mac", AT, self.until)
        await keep.forget("scope")
        assert await keep.begin("scope", "mac", AT, self.until) is None

        await keep.finish("scope", self.answer, self.until)
        await keep.forget("scope")
        assert await keep.begin("scope", "mac", AT, self.until) == self.answer

    async def test_a_reservation_that_lapsed_is_taken_over_and_an_answer_stays_its_own_time(
        self, stores: Stores
    ) -> None:
        keep, lease = stores.idempotency, AT + timedelta(seconds=60)
        assert await keep.begin("scope", "mac", AT, lease) is None
        assert await keep.begin("scope", "mac", lease - timedelta(seconds=1), self.until) is not None

        assert await keep.begin("scope", "mac", lease, lease + timedelta(seconds=60)) is None
        await keep.finish("scope", self.answer, self.until)

        assert await keep.begin("scope", "mac", self.until - timedelta(seconds=1), self.until) == self.answer

    async def test_after_its_time_a_key_is_free(self, stores: Stores) -> None:
        await stores.idempotency.begin("scope", "mac", AT, self.until)
        await stores.idempotency.finish("scope", self.answer, self.until)

        assert await stores.idempotency.begin("scope", "other", self.until, minute(9999)) is None


async def test_stores_that_are_there_answer(stores: Stores) -> None:
    await stores.ping()
