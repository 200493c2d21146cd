"""`algoexec lookahead` and `warmup`: do signals know the future, and how much past do they need?"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final

import typer

from algoexec.cli.backtest import Chain, From, Futures, Index, Set, Skip, Stamps, To, Zone, date_of
from algoexec.cli.years import Refusing, history_of
from algoexec.domain.errors import DomainError

Cuts = Annotated[int, typer.Option("--cuts", min=1, max=374, help="At so many candles each day is cut off.")]
MostDays = Annotated[int, typer.Option("--days", min=1, help="Look at so many days, evenly chosen.")]
Reference = Annotated[int, typer.Option("--reference", min=2, help="Days of past that count as well warmed.")]

_SHOWN: Final = 10
_LATE: Final = (15, 30, 60, 120)
"""Minutes after the open at which a session is begun to see when its signals are those of the others."""


def lookahead(
    index: Index,
    futures: Futures = None,
    chain: Chain = None,
    begins: From = None,
    ends: To = None,
    settings: Set = None,
    days: MostDays = 20,
    cuts: Cuts = 6,
    zone: Zone = "Asia/Kolkata",
    stamps: Stamps = "start",
    skip_bad_rows: Skip = False,
) -> None:
    """Cut days off at some candle: what was said until then must not change.

    Status 1 when something knew the future.
    """
    from algoexec.backtest.sweep.leaks import TELLERS, look_ahead
    from algoexec.cli.plan import plan_of
    from algoexec.engine.candles import HISTORY_DAYS

    is_clean = True
    with Refusing("lookahead"):
        history = history_of((index, futures or [], chain or [], []), zone, stamps, skip_bad_rows=skip_bad_rows)
        plan = plan_of(settings or [])
        dates = history.dates()
        some = _evenly(_between(dates, date_of(begins), date_of(ends)), days)
        read = [
            (history.day(on), [history.day(d) for d in dates[max(0, dates.index(on) - HISTORY_DAYS) : dates.index(on)]])
            for on in some
        ]
        for name, tell in TELLERS.items():
            found = look_ahead(read, plan.parameters, tell, cuts=cuts)
            is_clean = is_clean and not found.leaks
            typer.echo(f"{name}: {found.verdict()}")
            for leak in found.leaks[:_SHOWN]:
                typer.echo(f"  {leak.at:%Y-%m-%d %H:%M} UTC, cut after candle {leak.cut}: {leak.what}")
    raise typer.Exit(0 if is_clean else 1)


def warmup(
    index: Index,
    futures: Futures = None,
    chain: Chain = None,
    begins: From = None,
    ends: To = None,
    settings: Set = None,
    days: MostDays = 60,
    reference: Reference = 10,
    zone: Zone = "Asia/Kolkata",
    stamps: Stamps = "start",
    skip_bad_rows: Skip = False,
) -> None:
    """Begin the same days with less past: from when on are the signals the same?

    Status 1 when sessions are warmed by too little.
    """
    from algoexec.backtest.sweep.leaks import warm_up
    from algoexec.cli.plan import plan_of
    from algoexec.engine.candles import HISTORY_DAYS

    with Refusing("warmup"):
        history = history_of((index, futures or [], chain or [], []), zone, stamps, skip_bad_rows=skip_bad_rows)
        plan = plan_of(settings or [])
        wanted = _between(history.dates(), date_of(begins), date_of(ends))[: days + reference]
        if len(wanted) <= reference:
            raise DomainError(f"{len(wanted)} days are too few: {reference} warm the reference")
        found = warm_up([history.day(on) for on in wanted], plan.parameters, reference=reference, late=_LATE)
    typer.echo("days of past   days with other signals   settled after   means apart   equal to the bit")
    for one in found.by_days:
        typer.echo(f"{one.past:12}   {_cells(one.wrong, one.days, one.settled, one.levels, is_equal=one.is_equal)}")
    typer.echo("begun late, without past, by minutes")
    for one in found.by_minutes:
        typer.echo(f"{one.past:12}   {_cells(one.wrong, one.days, one.settled, one.levels, is_equal=one.is_equal)}")
    typer.echo(found.verdict(HISTORY_DAYS))
    needed = found.needed()
    raise typer.Exit(0 if needed is not None and needed <= HISTORY_DAYS else 1)


def _cells(wrong: int, days: int, settled: float, apart: float, *, is_equal: bool) -> str:
    after = f"{settled:.0f} candles" if wrong else "–"
    return f"{f'{wrong} of {days}':>23}   {after:>13}   {apart:8.4f} pt   {'yes' if is_equal else 'no'}"


def _between(dates: Sequence[date], begins: date | None, ends: date | None) -> list[date]:
    found = [on for on in dates if (begins is None or on >= begins) and (ends is None or on <= ends)]
    if not found:
        raise DomainError(f"there is no such day: the index has days from {dates[0]} to {dates[-1]}")
    return found


def _evenly(dates: Sequence[date], count: int) -> list[date]:
    return sorted({dates[len(dates) * n // count] for n in range(count)})
