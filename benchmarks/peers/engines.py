"""The peers of the backtest benchmark, each in its own process and with its own dependencies.

`python engines.py NAME DATA` reads a line per run from standard input (how many bars) and answers with one
JSON line: seconds and trades. The first line it writes is the version of the peer.

All do the same: long on a cross of EMA(9) over EMA(21) above the session's VWAP, short on the mirror image,
out at a stop of 0.2 % or a target of 0.4 %, at most one position. Indicators are part of the time.
"""

import json
import sys
from time import perf_counter

import numpy as np
import pandas as pd

STOP, TARGET = 0.002, 0.004


def frame(data: str) -> pd.DataFrame:
    columns = np.load(data)
    index = pd.DatetimeIndex(columns["minute"] * 60_000_000_000)
    return pd.DataFrame(
        {name.capitalize(): columns[name] for name in ("open", "high", "low", "close", "volume")}, index=index
    )


def crossings(bars: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return where to go long and where short, the usual pandas way."""
    close = bars["Close"]
    fast, slow = close.ewm(span=9, adjust=False).mean(), close.ewm(span=21, adjust=False).mean()
    typical = (bars["High"] + bars["Low"] + close) / 3
    day = bars.index.normalize()
    vwap = (typical * bars["Volume"]).groupby(day).cumsum() / bars["Volume"].groupby(day).cumsum()
    over = (fast > slow).to_numpy()
    up, down = np.zeros(len(bars), bool), np.zeros(len(bars), bool)
    up[1:], down[1:] = over[1:] & ~over[:-1], ~over[1:] & over[:-1]
    return up & (close > vwap).to_numpy(), down & (close < vwap).to_numpy()


def vectorbt(bars: pd.DataFrame) -> int:
    import vectorbt as vbt

    up, down = crossings(bars)
    none = np.zeros(len(bars), bool)
    run = vbt.Portfolio.from_signals(
        bars["Close"], up, none, down, none, sl_stop=STOP, tp_stop=TARGET, open=bars["Open"], high=bars["High"],
        low=bars["Low"], upon_opposite_entry="ignore", freq="1min",
    )  # fmt: skip
    return int(run.trades.count())


def backtesting(bars: pd.DataFrame) -> int:
    import backtesting as library

    class Crosses(library.Strategy):
        def init(self) -> None:
            up, down = crossings(bars)
            self.up, self.down = self.I(lambda: up), self.I(lambda: down)

        def next(self) -> None:
            if self.position:
                return
            price = self.data.Close[-1]
            if self.up[-1]:
                self.buy(sl=price * (1 - STOP), tp=price * (1 + TARGET))
            elif self.down[-1]:
                self.sell(sl=price * (1 + STOP), tp=price * (1 - TARGET))

    run = library.Backtest(bars, Crosses, cash=10_000_000, commission=0.0, exclusive_orders=False).run()
    return int(run["# Trades"])


def backtrader(bars: pd.DataFrame) -> int:
    import backtrader as bt

    up, down = crossings(bars)

    class Crosses(bt.Strategy):
        def __init__(self) -> None:
            self.closed = 0

        def notify_trade(self, trade: object) -> None:
            self.closed += bool(trade.isclosed)  # type: ignore[attr-defined]

        def next(self) -> None:
            at = len(self) - 1
            if self.position:
                return
            price = self.data.close[0]
            if up[at]:
                self.buy_bracket(
                    stopprice=price * (1 - STOP), limitprice=price * (1 + TARGET), exectype=bt.Order.Market
                )
            elif down[at]:
                self.sell_bracket(
                    stopprice=price * (1 + STOP), limitprice=price * (1 - TARGET), exectype=bt.Order.Market
                )

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(bt.feeds.PandasData(dataname=bars))
    cerebro.addstrategy(Crosses)
    cerebro.broker.setcash(10_000_000)
    return int(cerebro.run()[0].closed)


PEERS = {"vectorbt": vectorbt, "backtesting": backtesting, "backtrader": backtrader}


def main() -> None:
    """Answer until the input ends."""
    from importlib.metadata import version
    from resource import RUSAGE_SELF, getrusage

    name, data = sys.argv[1:]
    bars, run = frame(data), PEERS[name]
    print(json.dumps({"version": version(name)}), flush=True)
    for line in sys.stdin:
        some = bars.iloc[: int(line)]
        begun = perf_counter()
        trades = run(some)
        seconds = perf_counter() - begun
        peak = getrusage(RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "trades": trades, "peak_mb": peak}), flush=True)


if __name__ == "__main__":
    main()
