"""Feed bytes to merged quotes, beside the SDK streamer's way (`FromString` + `MessageToDict`)."""

from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from upstox_client.feeder.proto import MarketDataFeedV3_pb2

from algoexec.adapters.upstox.decode import QuoteBoard
from algoexec.domain.instruments import BANK_NIFTY, nearest_strike
from algoexec.ports.feed import FeedEvent, QuotesChanged
from algoexec.simulation.exchange import Exchange
from algoexec.simulation.generated import generated_day
from algoexec.simulator.wire import EVERYTHING, Mode, entry, frame
from benchmarks.table import Table

FRAMES: Final = 200
ROUNDS: Final = 250
FRAMES_A_ROUND: Final = 20
"""Few, so that both sides of a round meet the machine in the same mood."""
REQUIRED: Final = 15.0
_STEP_MS: Final = 250
_BEGIN_MINUTE: Final = 100


def run() -> Table:
    """Measure both, and the limit that parsing alone sets, interleaved; medians over the rounds.

    Book and greeks are read when asked for, which the tick path does not: so once without, once with.
    """
    frames = list(full_frames(FRAMES))
    board, read_board = QuoteBoard(), QuoteBoard()
    parse: Callable[[bytes], Any] = MarketDataFeedV3_pb2.FeedResponse.FromString
    paths: dict[str, Callable[[bytes], object]] = {
        "FromString alone (limit)": parse,
        "algoexec: bytes → merged quotes": board.apply,
        "algoexec: … and every best bid, ask and delta read": lambda frame: _read(read_board.apply(frame)),
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
        note=f"{FRAMES} frames of the generated day, {len(frames[0]):,} bytes each, every part of every instrument; "
        f"{ROUNDS} interleaved rounds of {FRAMES_A_ROUND}. Required: {REQUIRED:.0f} × (merged quotes).",
    )


def _read(event: FeedEvent) -> list[tuple[float | None, float | None, float | None]]:
    assert isinstance(event, QuotesChanged)
    return [
        (quote.bid, quote.ask, None if (greeks := quote.greeks) is None else greeks.delta) for quote in event.quotes
    ]


def _times_faster(own: list[float], theirs: list[float]) -> float:
    """Return the median of the rounds' ratios: what slows the machine down slows both sides of a round."""
    return median(their / our for our, their in zip(own, theirs, strict=True))


def _interleaved(paths: dict[str, Callable[[bytes], object]], frames: list[bytes]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in paths}
    for number in range(ROUNDS):
        begin = number * FRAMES_A_ROUND % len(frames)
        some = frames[begin : begin + FRAMES_A_ROUND]
        for name, path in paths.items():
            begun = perf_counter()
            for one in some:
                path(one)
            times[name].append((perf_counter() - begun) / len(some))
    return times


def full_frames(count: int) -> Iterator[bytes]:
    """Yield what the simulator sends in mode full, with nothing left out: index, near future, ATM±1."""
    day = generated_day()
    exchange = Exchange(day)
    expiry, spot = day.expiries()[0], day.index[_BEGIN_MINUTE].open
    listed = sorted({option.strike for option in day.options if option.expiry == expiry})
    atm = listed.index(nearest_strike(listed, spot))
    near = listed[atm - 1 : atm + 2]
    options = [option.key for option in day.options if option.expiry == expiry and option.strike in near]
    keys = [BANK_NIFTY, day.futures[0].contract.key, *options]
    assert len(keys) == 8
    opens = int(day.session.opens_at.timestamp() * 1000)
    for number in range(count):
        at = opens + _BEGIN_MINUTE * 60_000 + number * _STEP_MS
        entries = [entry(exchange.quote(key, at, depth=5), Mode.FULL, EVERYTHING, opens) for key in keys]
        yield frame([one for one in entries if one is not None], at)
