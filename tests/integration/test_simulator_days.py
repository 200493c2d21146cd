"""Whole days through the socket, as fast as they are read: nothing is lost, nothing is added."""

from pathlib import Path
from typing import Any

import pytest

from algoexec.adapters.history.day_folder import read_day
from algoexec.domain.market import Bar
from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.expansion import MINUTE_MS
from algoexec.simulation.generated import generated_day
from algoexec.simulation.recorded import recorded_day
from tests.integration.simulating import INDEX, PROTO, feed, rest, settings, simulator

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1200)]


class Rebuilt:
    """What a client makes of the feed: bars by exchange time, volumes by differences of the day's total."""

    def __init__(self, future: str) -> None:
        self.prices: dict[int, list[float]] = {}
        self.totals: dict[int, int] = {}
        self._future = future

    def take(self, frame: Any) -> None:
        if INDEX in frame.feeds:
            ltpc = frame.feeds[INDEX].fullFeed.indexFF.ltpc
            self.prices.setdefault(ltpc.ltt // MINUTE_MS, []).append(ltpc.ltp)
        if self._future in frame.feeds:
            future = frame.feeds[self._future].fullFeed.marketFF
            if future.HasField("ltpc"):
                self.totals[future.ltpc.ltt // MINUTE_MS] = future.vtt

    def bars(self) -> list[Bar]:
        return [Bar(m, p[0], max(p), min(p), p[-1], 0) for m, p in sorted(self.prices.items())]

    def volumes(self) -> dict[int, int]:
        minutes = sorted(self.totals)
        before = [0, *(self.totals[minute] for minute in minutes)]
        return {minute: self.totals[minute] - total for minute, total in zip(minutes, before, strict=False)}


async def play(day: SimulatedDay) -> Rebuilt:
    future = day.futures[0].contract.key
    rebuilt = Rebuilt(future)
    closes_at = round(day.session.closes_at.timestamp() * 1000)
    async with simulator(settings("09:14:50"), day) as running, feed(running) as client:
        await client.ask("sub", [INDEX, future], "full")
        while (frame := await client.frame()).type != PROTO.market_info or frame.currentTs < closes_at:
            if frame.type == PROTO.live_feed:
                rebuilt.take(frame)
    return rebuilt


def assert_played(day: SimulatedDay, rebuilt: Rebuilt) -> None:
    assert rebuilt.bars() == [bar._replace(volume=0) for bar in day.index]
    assert rebuilt.volumes() == {bar.minute: bar.volume for bar in day.futures[0].bars if bar.volume}


async def test_the_generated_day_arrives_whole() -> None:
    day = generated_day()
    rebuilt = await play(day)

    assert_played(day, rebuilt)


@pytest.mark.parametrize("name", ["2019-02-01", "2019-05-21"])
async def test_a_recorded_day_arrives_as_it_was_recorded(shared_data: Path, name: str) -> None:
    recorded = read_day(shared_data / "golden_days" / name)
    rebuilt = await play(recorded_day(recorded))

    assert_played(recorded_day(recorded), rebuilt)


async def test_without_history_folders_a_recorded_day_has_no_past(shared_data: Path) -> None:
    days = [read_day(shared_data / "golden_days" / name) for name in ("2019-05-20", "2019-05-21")]
    path = f"/v3/historical-candle/{INDEX}/minutes/1/2019-05-20/2019-05-01"
    lengths = []
    for earlier in ([], days[:1]):
        async with simulator(day=recorded_day(days[1], earlier=earlier)) as running, rest(running) as client:
            lengths.append(len((await client.get(path)).json()["data"]["candles"]))

    assert lengths == [0, 375]
