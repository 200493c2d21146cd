"""Durable writes and newest-first reads on a private MongoDB, beside Beanie's own way."""

import asyncio
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar

from beanie import Document, init_beanie
from pymongo import IndexModel

from algoexec.domain.instruments import BANK_NIFTY
from algoexec.domain.market import Candle, Provenance
from algoexec.domain.signals import Evidence, Levels, Pattern, PcrQuality, Side, Signal, VwapBasis
from algoexec.engine.effects import Frame, FrameBody
from algoexec.engine.events import CandleClosed, Record
from algoexec.ports.stores import JournalEntry, Query
from algoexec.storage.codec import BSON
from algoexec.storage.connection import connect
from algoexec.storage.crypto import TokenCipher
from algoexec.storage.embedded import embedded_mongod
from algoexec.storage.stores import MongoStores
from benchmarks.table import Table

ROUNDS = 300
SHARED = 16
SESSIONS = (1, SHARED, 50)
REQUIRED = 0.7
_OPEN = datetime(2026, 11, 23, 3, 45, tzinfo=UTC)


class PlainEntry(Document):
    """A journal entry as one would write it with Beanie alone, its parts still plain."""

    session_id: str
    seq: int
    entry: dict[str, Any]

    class Settings:
        """Beside ours."""

        name = "plain_entries"
        indexes: ClassVar = [IndexModel([("session_id", 1), ("seq", 1)], unique=True)]


class PlainSignal(Document):
    """A signal as Beanie reads it, validated."""

    session_id: str
    at: datetime
    signal: Signal

    class Settings:
        """As ours: newest first."""

        name = "plain_signals"
        indexes: ClassVar = [IndexModel([("session_id", 1), ("at", -1), ("_id", -1)])]


def run() -> Table:
    """Measure on a server of our own, both sides interleaved; medians and 99th percentiles."""
    return asyncio.run(_run())


async def _run() -> Table:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            embedded_mongod(Path(folder)) as uri,
            await MongoStores.open(uri, "bench", TokenCipher("not a secret at all")) as stores,
            connect(uri) as client,
        ):
            await init_beanie(database=client["bench"], document_models=[PlainEntry, PlainSignal])
            return await _measure(stores)


async def _measure(stores: MongoStores) -> Table:
    seq = iter(range(1, 10**9))

    async def plain() -> None:
        now = next(seq)
        await PlainEntry(session_id="plain", seq=now, entry=BSON.encode(entry_of("plain", now))).insert()

    def append(sessions: int) -> Callable[[], Awaitable[object]]:
        async def commit() -> None:
            now = next(seq)
            assert await stores.journal.append([entry_of(f"s{sessions}-{n}", now) for n in range(sessions)]) == {}

        return commit

    times = await _interleaved({"plain": plain, **{str(n): append(n) for n in SESSIONS}}, ROUNDS)
    listed = [entry_of("listed", n) for n in range(1, 400)]
    await stores.projections.project("v", BANK_NIFTY, "u", listed)
    # Beanie reads a dataclass but cannot write one.
    await PlainSignal.get_pymongo_collection().insert_many(
        [{"session_id": "listed", "at": one.frames[1].at, "signal": BSON.encode(one.frames[1].body)} for one in listed]
    )
    reads = await _interleaved({"plain": _beanie_list, "ours": lambda: _our_list(stores)}, ROUNDS // 3)
    shared = statistics.median(times[str(SHARED)]) / SHARED / statistics.median(times["plain"])
    assert shared <= REQUIRED, f"a durable record in a group commit costs {shared:.2f} of a Beanie insert"
    return Table(
        title="MongoDB: durable records and lists",
        columns=("what", "records/s", "p50 µs", "p99 µs"),
        rows=[
            _row("Beanie `Document.insert` of a record", times["plain"], 1),
            *(_row(f"group commit, {n} session(s)", times[str(n)], n) for n in SESSIONS),
            _row("Beanie: newest 100 signals", reads["plain"], 100),
            _row("newest 100 signals", reads["ours"], 100),
        ],
        note=f"One-node replica set on loopback, majority and journaled; a record is a candle with two frames. "
        f"Required: a record among {SHARED} ≤ {REQUIRED} × a Beanie insert ({shared:.2f}).",
    )


async def _beanie_list() -> None:
    found = await PlainSignal.find({"session_id": "listed"}).sort("-at", "-_id").limit(100).to_list()
    assert len(found) == 100


async def _our_list(stores: MongoStores) -> None:
    assert len((await stores.projections.signals(Query(session_id="listed"))).items) == 100


async def _interleaved(paths: dict[str, Callable[[], Awaitable[object]]], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(rounds):
        for name, path in paths.items():
            begun = perf_counter()
            await path()
            times[name].append(perf_counter() - begun)
    return times


def _row(what: str, times: list[float], records: int) -> tuple[str, str, str, str]:
    median, slow = statistics.median(times), statistics.quantiles(times, n=100)[98]
    return what, f"{records / median:,.0f}", f"{median * 1e6:,.0f}", f"{slow * 1e6:,.0f}"


def entry_of(session_id: str, seq: int) -> JournalEntry:
    """Return a closed candle with the two frames that it may lead to."""
    start = _OPEN + timedelta(minutes=seq)
    candle = Candle(
        start=start,
        open=51_000.5,
        high=51_020.0,
        low=50_990.25,
        close=51_010.0,
        volume=4_200,
        provenance=Provenance.LIVE,
    )
    at = candle.closed_at + timedelta(seconds=1)
    bodies: tuple[FrameBody, ...] = (candle, _signal(f"{session_id}-{seq}-0", candle, at))
    frames = tuple(Frame(number=2 * seq + n, at=at, body=body) for n, body in enumerate(bodies))
    return JournalEntry(
        session_id=session_id,
        epoch=1,
        engine="bench",
        recorded_at=at,
        record=Record(seq=seq, at=at, event=CandleClosed(candle=candle)),
        effects=(),
        frames=frames,
    )


def _signal(id_: str, candle: Candle, at: datetime) -> Signal:
    return Signal(
        id=id_,
        at=candle.closed_at,
        decided_at=at,
        side=Side.BUY_CALL,
        pattern=Pattern.MOMENTUM,
        priority=5,
        price=candle.close,
        stop_loss=50_907.98,
        target=51_214.04,
        instrument=None,
        pcr=1.01,
        pcr_quality=PcrQuality.FRESH,
        volume_confirmed=True,
        levels=Levels(
            vwap=51_000.0,
            vwap_basis=VwapBasis.VOLUME,
            ema_fast=51_001.5,
            ema_slow=50_999.0,
            range_high=51_100.0,
            range_low=50_900.0,
        ),
        evidence=Evidence(range_compression=False),
        candle=candle,
        expires_at=candle.closed_at + timedelta(minutes=1),
        lock_until=candle.closed_at + timedelta(minutes=5),
        reason=None,
    )
