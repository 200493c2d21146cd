"""Figures of a set, the luck of many sets, and what is said against the best one."""

import math
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from random import Random
from statistics import NormalDist, fmean, stdev

import pytest

from algoexec.backtest.sweep.page import curve, sweep_page, walk_page
from algoexec.backtest.sweep.space import Axis, Space
from algoexec.backtest.sweep.sweeping import Rank, doubts_of, plateau_scores
from algoexec.backtest.sweep.trial import (
    DayResult,
    Trial,
    chance_of_skill,
    daily_sharpe,
    expected_best,
    key_of,
)
from algoexec.backtest.sweep.walk import walked
from algoexec.domain.errors import DomainError

FIRST = date(2026, 1, 1)
CAPITAL = 300_000_00


def trial(nets: Sequence[int], trades: int = 3, **values: float) -> Trial:
    days = tuple(
        DayResult(FIRST + timedelta(days=i), net, net + 100, 100, trades, trades if net > 0 else 0)
        for i, net in enumerate(nets)
    )
    return Trial(values, CAPITAL, days)


def noise(seed: int, count: int, mean: float = 0.0) -> list[int]:
    rng = Random(seed)
    return [round(rng.gauss(mean, 1_000_00)) for _ in range(count)]


def test_figures_of_a_set() -> None:
    one = trial([100_00, -300_00, 100_00, 50_00, -10_00], lock_minutes=3)
    assert one.net == -60_00
    assert one.trades == 15
    assert one.win_rate == 60
    assert one.expectancy == -4_00
    assert one.max_drawdown == 300_00
    returns = [net / 300_000 for net in (100, -300, 100, 50, -10)]
    assert one.sharpe == pytest.approx(fmean(returns) / stdev(returns) * math.sqrt(252))


def test_a_set_that_never_trades_has_no_ratio_and_scores_nothing() -> None:
    idle = trial([0, 0, 0], trades=0)
    assert (idle.sharpe, idle.win_rate, idle.expectancy) == (None, None, None)
    assert [rank.score(idle) for rank in Rank] == [0.0, 0.0, 0.0]


def test_equal_sets_have_equal_keys_and_others_not() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert len({key_of({"a": one}) for one in (1, 1.5, True, "1", None)}) == 5


def test_the_best_of_many_useless_sets_looks_as_good_as_expected() -> None:
    """The formula, held against the mean best of drawn ratios."""
    rng = Random(7)
    best = [max(rng.gauss(0, 0.05) for _ in range(50)) for _ in range(2_000)]
    ratios = [NormalDist(0, 0.05).inv_cdf((i + 0.5) / 50) for i in range(50)]
    assert expected_best(ratios) == pytest.approx(fmean(best), rel=0.05)
    assert expected_best([0.1]) == 0.0


def test_the_chance_of_skill_of_plain_normal_days_is_the_usual_one() -> None:
    normal = [NormalDist(0.1, 1).inv_cdf((i + 0.5) / 400) for i in range(400)]
    ratio = daily_sharpe(normal)
    assert ratio is not None
    expected = NormalDist().cdf(ratio * math.sqrt(399) / math.sqrt(1 + ratio**2 / 2))
    assert chance_of_skill(normal, 0.0) == pytest.approx(expected, abs=0.01)
    assert chance_of_skill([1.0, 1.0], 0.0) is None
    above, below = chance_of_skill(normal, 0.0), chance_of_skill(normal, 2 * ratio)
    assert above is not None
    assert below is not None
    assert below < 0.5 < above


SPACE = Space((Axis("a", (1, 2, 3, 4, 5)),))


def ranked(make: Callable[[int], list[int]]) -> list[Trial]:
    trials = [trial(make(a), a=a) for a in (1, 2, 3, 4, 5)]
    return sorted(trials, key=lambda one: -Rank.SHARPE.score(one))


def test_noise_is_called_luck() -> None:
    trials = ranked(lambda a: noise(a, 250))
    doubts = doubts_of(SPACE, trials, Rank.SHARPE)
    assert doubts.skill is not None
    assert doubts.skill < 0.95
    assert any("luck" in sentence for sentence in doubts.sentences)


def test_a_plateau_with_skill_has_nothing_against_it() -> None:
    trials = ranked(lambda a: noise(1, 750, mean=250_00 - 20_00 * abs(a - 3)))
    doubts = doubts_of(SPACE, trials, Rank.SHARPE)
    assert trials[0].values == {"a": 3}
    assert doubts.sentences == ()
    assert doubts.kept is not None
    assert doubts.kept > 0.8


def test_a_peak_and_an_edge_are_named() -> None:
    peak = doubts_of(SPACE, ranked(lambda a: noise(a, 500, mean=400_00 if a == 3 else 20_00)), Rank.SHARPE)
    assert any("peak" in sentence for sentence in peak.sentences)
    edge = doubts_of(SPACE, ranked(lambda a: noise(1, 500, mean=100_00 * a)), Rank.SHARPE)
    assert any("end of what was tried (a)" in sentence for sentence in edge.sentences)


def test_a_loss_and_few_trades_are_named() -> None:
    doubts = doubts_of(SPACE, [trial([-100, -200, 0], trades=0, a=3)], Rank.SHARPE)
    assert any("loses money" in sentence for sentence in doubts.sentences)
    assert any("rests on 0 trades" in sentence for sentence in doubts.sentences)
    assert doubts_of(SPACE, [], Rank.SHARPE).sentences == ("No set was run to the end.",)


def test_a_plateau_score_is_the_mean_over_neighbours() -> None:
    trials = [trial(noise(a, 100), a=a) for a in (1, 2, 3)]
    scores = [Rank.NET.score(one) for one in trials]
    plateau = plateau_scores(SPACE, trials, Rank.NET)
    assert plateau[trials[0].key] == pytest.approx(fmean(scores[:2]))
    assert plateau[trials[1].key] == pytest.approx(fmean(scores))


def test_a_walk_chooses_by_the_past_alone() -> None:
    """One set is best by far, but only on days that are not known yet."""
    early = [100_00, 90_00] * 10 + [-500_00, -400_00] * 10
    late = [10_00, -20_00] * 10 + [900_00, 800_00] * 10
    walk = walked([trial(early, a=1), trial(late, a=2)], Rank.NET, known=20, unseen=10)
    assert [fold.known.values for fold in walk.folds] == [{"a": 1}, {"a": 2}]
    assert [fold.unseen.days[0].day for fold in walk.folds] == [FIRST + timedelta(days=20), FIRST + timedelta(days=30)]
    assert walk.net == 10 * -450_00 + 10 * 850_00
    anchored = walked([trial(early, a=1), trial(late, a=2)], Rank.NET, known=20, unseen=10, anchored=True)
    assert [len(fold.known.days) for fold in anchored.folds] == [20, 30]


def test_verdicts() -> None:
    good = walked([trial(noise(1, 300, mean=500_00), a=1)], Rank.SHARPE, known=60, unseen=40)
    assert good.verdict()[0] == "HOLDS UP"
    bad = walked([trial(noise(1, 300, mean=-500_00), a=1)], Rank.SHARPE, known=60, unseen=40)
    assert bad.verdict()[0] == "FAILS"
    luck = walked([trial(noise(2, 300, mean=20_00), a=1)], Rank.SHARPE, known=60, unseen=40)
    assert luck.net > 0
    assert luck.verdict()[0] == "NOT PROVEN"


def test_a_walk_needs_days_and_sets() -> None:
    with pytest.raises(DomainError, match="too few"):
        walked([trial([1, 2, 3], a=1)], Rank.NET, known=3, unseen=1)
    with pytest.raises(DomainError, match="nothing to choose"):
        walked([], Rank.NET, known=3, unseen=1)


def test_pages_need_no_network_and_hold_what_was_found() -> None:
    space = Space((Axis("a", (1, 2, 3)), Axis("<b>", (True, False))))
    trials = [Trial({"a": a, "<b>": b}, CAPITAL, trial(noise(a, 80)).days) for a in (1, 2, 3) for b in (True, False)]
    trials.sort(key=lambda one: -Rank.SHARPE.score(one))
    sweep = sweep_page(space, trials, doubts_of(space, trials, Rank.SHARPE), Rank.SHARPE, ["A & B"])
    walk = walk_page(walked(trials, Rank.SHARPE, known=30, unseen=20), ["A & B"])
    for page in (sweep, walk):
        assert "A &amp; B" in page
        assert not any(word in page for word in ("http", "<script", "src=", "<b>:", "url("))
    assert sweep.count("<tr>") > 6
    assert "&lt;b&gt;" in sweep
    assert curve([0.0, 5.0, -5.0]).partition('points="')[2].partition('"')[0].count(",") == 3
