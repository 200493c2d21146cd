"""What a session makes of option chains as they come, through REST, poller, journal and decision."""

from dataclasses import replace
from datetime import time

from algoexec.adapters.memory import MemoryStores
from algoexec.domain.calendar import IST, ist
from algoexec.domain.instruments import OptionType
from algoexec.domain.options import PcrReading
from algoexec.domain.recording import RecordedDay
from algoexec.domain.signals import PcrQuality
from algoexec.engine.effects import Status
from algoexec.simulation.recorded import recorded_day
from tests.integration.runtime.trading import (
    create,
    ends,
    folds,
    has_candles,
    reaches,
    said,
    simulator,
    trading,
)


async def readings(stores: MemoryStores, session: str) -> list[PcrReading]:
    entries = await stores.journal.read(session)
    return [frame.body for entry in entries for frame in entry.frames if isinstance(frame.body, PcrReading)]


async def play(day: RecordedDay, stores: MemoryStores, begin: str, candles: int) -> str:
    """Play the day from `begin` until so many candles are known; return the session."""
    async with (
        simulator(begin, recorded_day(day), speed=300.0, paced=True) as broker,
        trading(stores, broker.url) as registry,
    ):
        session = await create(registry)
        await has_candles(registry, session, candles)
        await registry.stop(session)
        await ends(registry, session)
    await folds(stores)
    return session


async def test_a_chain_that_is_empty_at_first_is_unknown_until_it_is_not(recording: RecordedDay) -> None:
    stores = MemoryStores()
    later = tuple(chain for chain in recording.chains if chain.at >= ist(recording.date, time(9, 30)))
    session = await play(replace(recording, chains=later), stores, "09:24:50", 24)
    found = await readings(stores, session)
    early = [reading for reading in found if reading.at.astimezone(IST).time() < time(9, 30)]
    assert early
    assert {(reading.pcr, reading.strikes, reading.spot) for reading in early} == {(None, 0, None)}
    assert all(reading.pcr is not None for reading in found if reading.at.astimezone(IST).time() > time(9, 31))
    signals = await said(stores, session)
    assert {signal.pcr_quality for signal in signals if signal.at < ist(recording.date, time(9, 30))} <= {
        PcrQuality.MISSING
    }
    assert {signal.pcr_quality for signal in signals if signal.at > ist(recording.date, time(9, 36))} <= {
        PcrQuality.FRESH
    }


async def test_without_open_interest_of_calls_the_ratio_is_missing_not_zero(recording: RecordedDay) -> None:
    stores = MemoryStores()
    chains = tuple(
        replace(chain, rows=tuple(replace(row, oi=0) if row.type is OptionType.CALL else row for row in chain.rows))
        for chain in recording.chains
    )
    session = await play(replace(recording, chains=chains), stores, "09:30:10", 24)
    found = await readings(stores, session)
    assert {reading.pcr for reading in found} == {None}
    assert min(reading.strikes for reading in found) > 0, "puts have open interest all the same"
    assert all(reading.spot is not None for reading in found)
    signals = await said(stores, session)
    assert signals
    assert {(signal.pcr, signal.pcr_quality) for signal in signals} == {(None, PcrQuality.MISSING)}


async def test_a_day_without_options_waits_for_its_contracts(recording: RecordedDay) -> None:
    stores = MemoryStores()
    async with (
        simulator("09:50", recorded_day(replace(recording, chains=()))) as broker,
        trading(stores, broker.url) as registry,
    ):
        session = await create(registry)
        state = await reaches(registry, session, Status.STARTING)
        assert state.contracts is None
        view = await registry.stop(session)
        assert view.row.status is Status.STOPPED
    await folds(stores)
