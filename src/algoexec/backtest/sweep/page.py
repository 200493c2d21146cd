"""Pages of a sweep and of a walk: one file each, without script and without network."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import combinations
from statistics import fmean
from typing import Final

from algoexec.backtest.sweep.space import Axis, Space, Value, Values
from algoexec.backtest.sweep.sweeping import Doubts, Rank, plateau_scores
from algoexec.backtest.sweep.trial import Trial
from algoexec.backtest.sweep.walk import Walk

MOST_ROWS: Final = 200

_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1c2430;background:#fff}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}th,td{padding:.25rem .6rem;text-align:right}
th{border-bottom:2px solid #c9d1dc;text-align:right}td{border-bottom:1px solid #eef1f5}
.map td{min-width:4.5rem;color:#000}.warn{background:#fff4d6;border-left:4px solid #d99a00;padding:.5rem 1rem}
.good{background:#e4f5e9;border-left:4px solid #1b8a4b;padding:.5rem 1rem}h2{margin-top:2rem}svg{max-width:100%}
@media(prefers-color-scheme:dark){body{color:#e4e8ee;background:#14181f}td{border-color:#262d38}.warn{background:#3a2f10}
.good{background:#12321f}}
"""


def sweep_page(space: Space, trials: Sequence[Trial], doubts: Doubts, rank: Rank, notes: Iterable[str]) -> str:
    """Return the page of a sweep; `notes` are sentences on what was run."""
    plateau = plateau_scores(space, trials, rank)
    return _page(
        "Sweep",
        [
            _paragraphs(notes),
            _doubts(doubts),
            f"<h2>Sets, best first by {rank}</h2>",
            _table(
                (*(axis.name for axis in space.axes), *FIGURES, "plateau"),
                [
                    (*map(_text, trial.values.values()), *figures(trial), f"{plateau[trial.key]:.2f}")
                    for trial in trials
                ],
            ),
            "<p>plateau: the mean score of a set and of those one step away from it.</p>",
            "<h2>Plateaus</h2>",
            *_plateaus(space, trials, rank),
        ],
    )


def walk_page(walk: Walk, notes: Iterable[str]) -> str:
    """Return the page of a walk forward."""
    word, why = walk.verdict()
    kind = "good" if word == "HOLDS UP" else "warn"
    rows = [
        (
            f"{fold.known.days[0].day} – {fold.known.days[-1].day}",
            _values(fold.known.values),
            _number(fold.known.sharpe),
            _rupees(fold.known.net),
            f"{fold.unseen.days[0].day} – {fold.unseen.days[-1].day}",
            _number(fold.unseen.sharpe),
            _rupees(fold.unseen.net),
            str(fold.unseen.trades),
        )
        for fold in walk.folds
    ]
    heads = ("chosen on", "chosen", "Sharpe", "net Rs", "tried on", "Sharpe", "net Rs", "trades")
    line = [0.0]
    for fold in walk.folds:
        for day in fold.unseen.days:
            line.append(line[-1] + day.net / 100)
    parts = [
        _paragraphs(notes),
        f'<p class="{kind}"><b>{word}.</b> {escape(why)}</p>',
        "<h2>Net result of unseen days, Rs</h2>",
        curve(line),
        "<h2>Steps</h2>",
        _table(heads, rows),
    ]
    return _page("Walk forward", parts)


FIGURES: Final = ("Sharpe", "net Rs", "trades", "win %", "expectancy Rs", "max drawdown Rs")


def figures(trial: Trial) -> tuple[str, ...]:
    """Return the figures of a set as text, in the order of `FIGURES`."""
    return (
        _number(trial.sharpe),
        _rupees(trial.net),
        str(trial.trades),
        "–" if trial.win_rate is None else f"{trial.win_rate:.1f}",
        "–" if trial.expectancy is None else _rupees(round(trial.expectancy)),
        _rupees(trial.max_drawdown),
    )


def curve(values: Sequence[float], width: int = 900, height: int = 240) -> str:
    """Return a line through `values` as SVG, with the zero line."""
    low, high = min(*values, 0.0), max(*values, 0.0)
    scale = (height - 20) / ((high - low) or 1.0)
    step = (width - 100) / max(len(values) - 1, 1)

    def y(value: float) -> float:
        return height - 10 - (value - low) * scale

    points = " ".join(f"{90 + i * step:.1f},{y(value):.1f}" for i, value in enumerate(values))
    marks = "".join(
        f'<text x="80" y="{y(value) + 4:.1f}" text-anchor="end" font-size="12" fill="currentColor">{value:,.0f}</text>'
        for value in sorted({low, 0.0, high})
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="from 0 to {values[-1]:,.0f}">'
        f'<line x1="90" x2="{width}" y1="{y(0):.1f}" y2="{y(0):.1f}" stroke="currentColor" stroke-opacity=".3"/>{marks}'
        f'<polyline points="{points}" fill="none" stroke="#2f6fed" stroke-width="1.5"/></svg>'
    )


def _plateaus(space: Space, trials: Sequence[Trial], rank: Rank) -> Iterator[str]:
    """Yield a map for each pair of names, or a row for a single one: the mean score over all others."""
    axes = [axis for axis in space.axes if len(axis.values) > 1]
    if len(axes) == 1:
        yield _map(axes[0], Axis("", ("",)), trials, rank)
    for across, down in combinations(axes, 2):
        yield _map(across, down, trials, rank)
    if not axes:
        yield "<p>Nothing was varied.</p>"


def _map(across: Axis, down: Axis, trials: Sequence[Trial], rank: Rank) -> str:
    cells: dict[tuple[str, str], list[float]] = {}
    for trial in trials:
        place = (repr(trial.values[across.name]), repr(trial.values.get(down.name, "")))
        cells.setdefault(place, []).append(rank.score(trial))
    means = {place: fmean(scores) for place, scores in cells.items()}
    widest = max((abs(mean) for mean in means.values()), default=0.0) or 1.0
    head = "".join(f"<th>{escape(_text(value))}</th>" for value in across.values)
    rows = "".join(
        f"<tr><th>{escape(_text(low))}</th>"
        + "".join(_cell(means.get((repr(value), repr(low))), widest) for value in across.values)
        + "</tr>"
        for low in down.values
    )
    title = f"{across.name}{f' × {down.name}' if down.name else ''}: mean {rank}"
    corner = escape(down.name)
    return f'<h3>{escape(title)}</h3><table class="map"><tr><th>{corner}</th>{head}</tr>{rows}</table>'


def _cell(mean: float | None, widest: float) -> str:
    if mean is None:
        return "<td>–</td>"
    hue = 140 if mean >= 0 else 10
    return f'<td style="background:hsl({hue} 65% {95 - 45 * abs(mean) / widest:.0f}%)">{mean:,.2f}</td>'


def _doubts(doubts: Doubts) -> str:
    if not doubts.sentences:
        return '<p class="good">Nothing speaks against the best set: it stands on a plateau and is no mere luck.</p>'
    return '<div class="warn"><b>Over-fitting?</b>' + _paragraphs(doubts.sentences) + "</div>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows[:MOST_ROWS])
    more = f"<p>… and {len(rows) - MOST_ROWS} more.</p>" if len(rows) > MOST_ROWS else ""
    return f"<table><tr>{head}</tr>{body}</table>{more}"


def _page(title: str, parts: Iterable[str]) -> str:
    inside = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title} – algoexec</title>'
        f"<style>{_STYLE}</style>\n<h1>{title}</h1>\n{inside}\n</html>\n"
    )


def _paragraphs(sentences: Iterable[str]) -> str:
    return "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)


def _values(values: Values) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in values.items())


def _text(value: Value) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _rupees(paise: int) -> str:
    return f"{paise / 100:,.0f}"
