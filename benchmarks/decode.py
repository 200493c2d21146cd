"""Feed bytes to merged quotes, beside the SDK streamer's way (`FromString` + `MessageToDict`)."""

import random
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

from google.protobuf.json_format import MessageToDict
from upstox_client.feeder.proto import MarketDataFeedV3_pb2

from algoexec.adapters.upstox.decode import QuoteBoard
from benchmarks.table import Table

FRAMES = 200
ROUNDS = 25
REQUIRED = 15.0
_START_MS = 1_766_733_300_000


def run() -> Table:
    """Measure both, and the limit that parsing alone sets, interleaved; medians over the rounds."""
    frames = full_frames(FRAMES)
    board = QuoteBoard()
    parse: Callable[[bytes], Any] = MarketDataFeedV3_pb2.FeedResponse.FromString
    paths: dict[str, Callable[[bytes], object]] = {
        "FromString alone (limit)": parse,
        "algoexec: bytes → merged quotes": board.apply,
        "SDK streamer: FromString + MessageToDict": lambda frame: MessageToDict(parse(frame)),
    }
    times = _interleaved(paths, frames)
    *_, theirs = times.values()
    return Table(
        title="Decode a full-mode frame: 1 index, 1 future, 6 options",
        columns=("path", "µs a frame", "frames/s", "× the SDK's rate"),
        rows=[
            (name, f"{median(own) * 1e6:.1f}", f"{1 / median(own):,.0f}", f"{_times_faster(own, theirs):.1f}")
            for name, own in times.items()
        ],
        note=f"{FRAMES} frames of {len(frames[0]):,} bytes, {ROUNDS} interleaved rounds; required: {REQUIRED:.0f} ×.",
    )


def _times_faster(own: list[float], theirs: list[float]) -> float:
    """Return the median of the rounds' ratios: what slows the machine down slows both sides of a round."""
    return median(their / our for our, their in zip(own, theirs, strict=True))


def _interleaved(paths: dict[str, Callable[[bytes], object]], frames: list[bytes]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(ROUNDS):
        for name, path in paths.items():
            begun = perf_counter()
            for frame in frames:
                path(frame)
            times[name].append((perf_counter() - begun) / len(frames))
    return times


def full_frames(count: int) -> list[bytes]:
    """Return live frames in mode full in which every part of all eight instruments is sent."""
    dice = random.Random(2026)
    return [_frame(dice, _START_MS + 250 * number) for number in range(count)]


def _frame(dice: random.Random, at: int) -> bytes:
    frame: Any = MarketDataFeedV3_pb2.FeedResponse(type=1, currentTs=at)
    index = frame.feeds["NSE_INDEX|Nifty Bank"]
    index.requestMode = 1
    _trade(index.fullFeed.indexFF, dice, 54_000.0, at)
    _contract(frame.feeds["NSE_FO|59175"], dice, 54_100.0, at)
    for token in range(50_912, 50_918):
        feed = frame.feeds[f"NSE_FO|{token}"]
        _contract(feed, dice, 500.0, at)
        for name in ("delta", "theta", "gamma", "vega", "rho"):
            setattr(feed.fullFeed.marketFF.optionGreeks, name, dice.random())
        feed.fullFeed.marketFF.iv = 0.1 + 0.1 * dice.random()
    data: bytes = frame.SerializeToString()
    return data


def _contract(feed: Any, dice: random.Random, around: float, at: int) -> None:
    feed.requestMode = 1
    full = feed.fullFeed.marketFF
    _trade(full, dice, around, at)
    full.ltpc.ltq = 30 * dice.randint(1, 20)
    for row in range(5):
        full.marketLevel.bidAskQuote.add(
            bidQ=30 * dice.randint(1, 90),
            bidP=around - 0.05 * (row + 1),
            askQ=30 * dice.randint(1, 90),
            askP=around + 0.05 * (row + 1),
        )
    full.atp, full.vtt, full.oi = around, 30 * dice.randint(1_000, 900_000), 30.0 * dice.randint(1_000, 90_000)
    full.tbq, full.tsq = 30.0 * dice.randint(1, 99_999), 30.0 * dice.randint(1, 99_999)


def _trade(full: Any, dice: random.Random, around: float, at: int) -> None:
    full.ltpc.ltp, full.ltpc.ltt, full.ltpc.cp = round(around + dice.random(), 2), at - dice.randint(1, 200), around
    for interval, ts in (("1d", at - at % 86_400_000), ("I1", at - at % 60_000 - 60_000)):
        full.marketOHLC.ohlc.add(
            interval=interval, open=around, high=around + 2, low=around - 2, close=around, vol=30_000, ts=ts
        )
