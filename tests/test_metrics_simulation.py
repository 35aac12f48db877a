"""Distributions, streams of draws, percentiles and their error: published cases, exact variance, scipy, properties."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from pmo_lib.errors import ReportError
from pmo_lib.metrics import distributions as shapes
from pmo_lib.metrics.draws import Draws, Variable, loadings, scores, stream_key, uniforms
from pmo_lib.metrics.simulation import (
    Sample,
    batch_of,
    chance,
    drivers,
    interval,
    joint_confidence,
    percentile,
    rank_correlation,
    sampled,
    summary,
)
from pmo_lib.parameters.models import SimulationRules

TRIALS = range(40_000)
CORRELATION = np.array([[1.0, 0.5, 0.3], [0.5, 1.0, 0.4], [0.3, 0.4, 1.0]])
# github.com/paulgovan/PRA @25c62aaa, book: N(10, 2), Tri(5, 10, 15), U(8, 12).
PRA = (("normal", 8.0, 10.0, 12.0), ("triangular", 5.0, 10.0, 15.0), ("uniform", 8.0, 10.0, 12.0))
SIZES = st.floats(-1e3, 1e3, allow_nan=False)


def shape(kind: str, low: float, likely: float, high: float) -> shapes.Quantiles:
    """Return a distribution."""
    return shapes.quantiles(kind, low=low, likely=likely, high=high)


def points(*rows: tuple[str, float, float, float]) -> pd.DataFrame:
    """Return distributions as a table."""
    return pd.DataFrame(rows, columns=["kind", "low", "likely", "high"])


def moments(*rows: tuple[str, float, float, float]) -> tuple[float, float]:
    """Return mean and variance of the sum of independent distributions."""
    told = shapes.moments(points(*rows))
    return float(told["mean"].sum()), float(told["variance"].sum())


def totals(correlation: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Return draws of the three published variables, correlated, and their sum."""
    matrix = loadings(correlation).matrix
    variables = [
        Variable(("P", str(row)), shape(*PRA[row]), loads=tuple((str(k), matrix[row, k]) for k in range(row + 1)))
        for row in range(3)
    ]
    drawn = [Draws(1, TRIALS).of(variable) for variable in variables]
    return drawn, sum(drawn[1:], drawn[0])


# --- distributions


@pytest.mark.parametrize("mode", [0.0, 0.13, 0.5, 0.971, 1.0])
def test_beta_pert_is_scipys_beta(mode: float) -> None:
    """A value at a score is the quantile of Vose's beta distribution, nearer than 5 millionths of the range."""
    at = np.linspace(-5, 5, 777)
    exact = stats.beta(1 + 4 * mode, 5 - 4 * mode).ppf(stats.norm.cdf(at))
    assert shape("pert", 0.0, mode, 1.0).at(at) == pytest.approx(exact, rel=0, abs=5e-6)


@pytest.mark.parametrize(
    ("kind", "frozen"),
    [("triangular", stats.triang(0.3, 10, 20)), ("uniform", stats.uniform(10, 20)), ("normal", stats.norm(20, 10))],
)
def test_the_other_shapes_are_scipys(kind: str, frozen: stats.rv_continuous) -> None:
    """Triangular, uniform and normal values are the quantiles of scipy's distributions."""
    at = np.linspace(-5, 5, 777)
    assert shape(kind, 10.0, 16.0, 30.0).at(at) == pytest.approx(frozen.ppf(stats.norm.cdf(at)), rel=0, abs=3e-4)


def test_values_at_probabilities_are_those_at_their_scores() -> None:
    """The short way from a probability to a value ends where the way over the score does, in the steep tails too."""
    shares = np.concatenate([np.linspace(1e-9, 1 - 1e-9, 5_001), [2.0**-54, 1 - 2.0**-53]])
    curve = shape("pert", 0.0, 0.2, 1.0)
    assert curve.reached(shares) == pytest.approx(curve.at(stats.norm.ppf(shares)), rel=0, abs=1e-5)


def test_worked_betapert_sd_claim_bad() -> None:
    """The variance of Beta-PERT is (μ − a)(b − μ) / 7, not ((b − a) / 6)²: for (2, 3, 10) 1.3333 was published."""
    mean, variance = moments(("pert", 2.0, 3.0, 10.0))
    assert (mean, math.sqrt(variance)) == pytest.approx((4.0, 1.309307341), abs=1e-6)
    assert math.sqrt(variance) != pytest.approx(8 / 6, abs=1e-3)
    assert stats.beta(1.5, 4.5).std() * 8 == pytest.approx(1.309307341, abs=1e-6)


def test_worked_tri_variance() -> None:
    """The standard deviation of a triangle from 5 over 10 to 15 is 2.041."""
    assert math.sqrt(moments(("triangular", 5.0, 10.0, 15.0))[1]) == pytest.approx(2.041, abs=5e-4)


def test_worked_smm_independent() -> None:
    """Variances of independent variables add up: 4 + 9 + 16."""
    assert math.sqrt(shapes.sum_variance([2, 3, 4])) == pytest.approx(5.385164807134504, abs=1e-9)


def test_worked_smm_correlated() -> None:
    """The variance of a sum is sᵀ R s: 49.4 with the published correlations; its 95 % interval follows."""
    variance = shapes.sum_variance([2, 3, 4], correlation=CORRELATION)
    spread = 1.96 * math.sqrt(variance)
    assert (variance, math.sqrt(variance), 45 - spread, 45 + spread) == pytest.approx(
        (49.4, 7.03, 31.2, 58.8), abs=0.05
    )


def test_worked_smm_casestudy_bad() -> None:
    """Second moments of the case study are 32.0 and 2.80: the published 31.67 and 4.48 rest on two wrong variances."""
    rows = (("triangular", 2.0, 3.0, 5.0), ("normal", 6.5, 8.0, 9.5), ("triangular", 10.0, 14.0, 20.0),
            ("normal", 3.2, 4.0, 4.8), ("uniform", 1.0, 2.0, 3.0))  # fmt: skip
    mean, variance = moments(*rows)
    assert (mean, math.sqrt(variance)) == pytest.approx((32.0, 2.799), abs=0.001)
    assert math.sqrt(variance) != pytest.approx(4.48, abs=1)
    drawn = sum(Draws(1, TRIALS).of(Variable((str(place),), shape(*row))) for place, row in enumerate(rows))
    assert (drawn.mean(), drawn.std()) == pytest.approx((32.0, 2.799), abs=0.05)


def test_worked_sensitivity_neg_corr_bad() -> None:
    """∂ variance / ∂ own variance is 1 + Σ ρ sⱼ / sᵢ: 0.49, 0.51, 1; the published 0, 0, 1 left out the ratio."""
    correlation = np.array([[1, -0.5, 0], [-0.5, 1, 0], [0, 0, 1]])
    sizes = [2, 2.0412414523, 1.1547005384]
    found = shapes.variance_sensitivities(sizes, correlation=correlation)
    assert found == pytest.approx([0.4896896369, 0.5101020514, 1.0], abs=1e-6)
    more = [math.sqrt(sizes[0] ** 2 + 1e-6), *sizes[1:]]
    by_difference = shapes.sum_variance(more, correlation=correlation) - shapes.sum_variance(
        sizes, correlation=correlation
    )
    assert found[0] == pytest.approx(by_difference / 1e-6, abs=1e-4)


@given(st.tuples(SIZES, SIZES, SIZES).map(sorted), st.sampled_from(shapes.KINDS))
@settings(max_examples=25, deadline=None)
def test_moments_are_those_of_the_values(three: list[float], kind: str) -> None:
    """Mean and variance in closed form are those of the values, weighed by the normal density; a constant has none."""
    low, likely, high = three
    weights = stats.norm.pdf(shapes.SCORES)
    values = shape(kind, low, likely, high).values
    mean = (weights * values).sum() / weights.sum()
    told = shapes.moments(points((kind, low, likely, high))).iloc[0]
    if kind in ("pert", "triangular") or low == high:
        assert low - 1e-9 <= told["mean"] <= high + 1e-9
    if low != high or kind in ("pert", "triangular"):
        assert mean == pytest.approx(told["mean"], abs=1e-4 * (1 + high - low))
        assert (weights * (values - mean) ** 2).sum() / weights.sum() == pytest.approx(
            told["variance"], abs=1e-4 * (1 + (high - low) ** 2)
        )


def test_three_points_out_of_order_are_no_distribution() -> None:
    """A low above the most likely, a most likely above the high and a missing point are each told."""
    rows = points(("pert", 5, 4, 6), ("pert", 1, 7, 6), ("pert", 1, math.nan, 6), ("pert", 1, 1, 1))
    assert list(shapes.faults(rows)) == ["low above most likely", "most likely above high", "a point is missing", ""]


def test_a_negative_multiple_turns_the_distribution_round() -> None:
    """An opportunity from 10 to 40 is a saving from −40 to −10, and high scores are still high values."""
    turned = shape("pert", 10.0, 20.0, 40.0).times(-1.0)
    assert turned.at(np.array([-8.0, 8.0])) == pytest.approx([-40, -10], abs=0.1)


# --- streams


def test_a_trial_has_its_number_whatever_the_batch() -> None:
    """Numbers of any run of trials are a part of the whole stream."""
    whole = uniforms(stream_key("P", "x"), trials=range(1_000))
    cuts = [0, 1, 7, 8, 501, 502, 503, 1_000]
    parts = [uniforms(stream_key("P", "x"), trials=range(*cut)) for cut in pairwise(cuts)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert (whole.min(), whole.max()) == pytest.approx((0, 1), abs=0.01)


def test_the_words_are_those_of_philox() -> None:
    """A stream is numpy's own Philox from count 0, 53 bits of each word, in the middle of its interval."""
    words = np.random.Philox(key=stream_key("P", "x")).random_raw(6)
    assert uniforms(stream_key("P", "x"), trials=range(6)) == pytest.approx(
        [(int(w >> 11) + 0.5) / 2**53 for w in words]
    )


def test_streams_of_different_names_are_different() -> None:
    """Names are hashed with their lengths: no two lists of names make one key."""
    keys = {stream_key("ab", "c"), stream_key("a", "bc"), stream_key("abc"), stream_key("1:a"), stream_key("a", "")}
    assert len(keys) == 5
    one, other = (scores(stream_key("P", name), trials=TRIALS) for name in ("x", "y"))
    assert abs((one * other).mean()) < 0.02
    assert (one.mean(), one.std()) == pytest.approx((0, 1), abs=0.02)


def test_workers_never_change_a_digit() -> None:
    """The same trials cut among workers, and finished in any order, make the same bytes."""
    variables = [Variable(("P", str(n)), shape("pert", 1.0, 2.0, 5.0), 0.7, (("all", 0.5),)) for n in range(3)]

    def total(trials: range) -> np.ndarray:
        return np.array([sum(Draws(1, trials).of(variable) for variable in variables)])

    with ThreadPoolExecutor(2) as workers:
        parts = list(workers.map(total, [range(start, start + 500) for start in range(0, 4_000, 500)]))
    assert np.concatenate(parts, axis=1).tobytes() == total(range(4_000)).tobytes()


def test_a_new_row_leaves_the_draws_of_the_others_alone() -> None:
    """A further correlated variable moves no digit of those before it: its loadings and its stream are its own."""
    first = totals(CORRELATION)[0][:2]
    smaller = loadings(CORRELATION[:2, :2]).matrix
    assert np.array_equal(smaller, loadings(CORRELATION).matrix[:2, :2])
    alone = [
        Draws(1, TRIALS).of(
            Variable(("P", str(row)), shape(*PRA[row]), loads=tuple((str(k), smaller[row, k]) for k in range(row + 1)))
        )
        for row in range(2)
    ]
    assert all(np.array_equal(one, other) for one, other in zip(first, alone, strict=True))


def test_worked_mc_correlated_mean_bad() -> None:
    """Correlation leaves means and marginals alone: the sum has 30 and 16.85, not the published 38.6 and 20.01."""
    drawn, total = totals(CORRELATION)
    assert (total.mean(), total.var()) == pytest.approx((30.0, 16.8537), rel=0.02)
    found = [percentile(total, share=share) for share in (0.05, 0.5, 0.95)]
    assert found == pytest.approx([23.25, 29.99, 36.75], abs=0.15)
    assert total.mean() != pytest.approx(38.6, abs=5)
    assert drawn[1].mean() == pytest.approx(10, abs=0.05)
    exact = stats.triang(0.5, 5, 10)
    assert stats.kstest(drawn[1], exact.cdf).statistic < 0.01


def test_worked_mc_independent_p95() -> None:
    """Three independent variables: standard deviation √9.5 and P95 35.1."""
    _, total = totals(np.eye(3))
    assert total.std() == pytest.approx(math.sqrt(9.5), rel=0.01)
    assert percentile(total, share=0.95) == pytest.approx(35.1, abs=0.1)


@given(st.floats(0, 0.9), st.floats(0.2, 5), st.floats(0.2, 5))
@settings(max_examples=8, deadline=None)
def test_the_variance_of_a_correlated_sum_is_exact(rho: float, one: float, other: float) -> None:
    """Of two normal variables the sum has the mean of the means, and the variance sᵀ R s, at any correlation."""
    load = (("all", math.sqrt(rho)),)
    names = (("P", "one"), one), (("P", "other"), other)
    drawn = [Draws(1, TRIALS).of(Variable(name, shape("normal", -size, 0.0, size), loads=load)) for name, size in names]
    exact = shapes.sum_variance([one, other], correlation=np.array([[1, rho], [rho, 1]]))
    total = drawn[0] + drawn[1]
    assert total.var() == pytest.approx(exact, rel=0.05)
    assert total.mean() == pytest.approx(0, abs=0.05 * math.sqrt(exact))
    assert drawn[0].std() == pytest.approx(one, rel=0.03)


def test_one_line_against_scipy() -> None:
    """The percentiles of one line are those of scipy's beta distribution."""
    drawn = Draws(7, TRIALS).of(Variable(("P", "x"), shape("pert", 10.0, 12.0, 20.0)))
    exact = stats.beta(1.8, 4.2, 10, 10)
    assert [percentile(drawn, share=p) for p in (0.1, 0.5, 0.8, 0.9)] == pytest.approx(
        exact.ppf([0.1, 0.5, 0.8, 0.9]), abs=0.05
    )
    assert stats.kstest(drawn, exact.cdf).statistic < 0.01


def test_a_risk_strikes_with_its_probability() -> None:
    """A discrete risk is 0 where it does not strike; mean p μ and variance p (σ² + μ²) − (p μ)²."""
    rows = points(("pert", 10.0, 20.0, 40.0))
    drawn = Draws(1, TRIALS).of(Variable(("P", "R"), shape("pert", 10.0, 20.0, 40.0), 0.3))
    exact = shapes.struck_moments(shapes.moments(rows), probability=pd.Series([0.3])).iloc[0]
    assert (drawn > 0).mean() == pytest.approx(0.3, abs=0.01)
    assert (drawn.mean(), drawn.var()) == pytest.approx((exact["mean"], exact["variance"]), rel=0.03)


def test_what_never_happens_or_never_varies_is_exact() -> None:
    """A risk of probability 0 costs nothing; a line without spread is its value, correlated or not."""
    never = Variable(("P", "R"), shape("pert", 1.0, 2.0, 3.0), 0.0)
    fixed = Variable(("P", "x"), shape("pert", 5.0, 5.0, 5.0), loads=(("all", 0.9),))
    assert not Draws(1, range(100)).of(never).any()
    assert (Draws(1, range(100)).of(fixed) == 5.0).all()


# --- correlation matrices


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.array([[1, 0.5], [0.4, 1]]), "not symmetric"),
        (np.array([[1, 0.5], [0.5, 0.9]]), "diagonal"),
        (np.array([[1, 1.5], [1.5, 1]]), "outside"),
        (np.array([[1, 0.5]]), "not square"),
    ],
)
def test_a_faulty_correlation_matrix_is_refused(matrix: np.ndarray, words: str) -> None:
    """A matrix that is no correlation matrix is refused, and the message says why."""
    with pytest.raises(ReportError, match=words):
        loadings(matrix)


def test_an_impossible_matrix_is_repaired_and_told() -> None:
    """Correlations that no variables can have become the nearest ones that they can: Higham's own example."""
    given_matrix = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    found = loadings(given_matrix)
    nearest = found.matrix @ found.matrix.T
    assert nearest[0, 1] == pytest.approx(0.7607, abs=1e-3)
    assert nearest[0, 2] == pytest.approx(0.1573, abs=1e-3)
    assert found.repaired == pytest.approx(0.2393, abs=1e-3)
    assert loadings(CORRELATION).repaired == 0


def test_a_perfect_correlation_needs_no_repair() -> None:
    """Variables that move as one have no loading of their own, and the loadings make the matrix again."""
    found = loadings(np.ones((3, 3)))
    assert found.repaired == 0
    assert found.matrix @ found.matrix.T == pytest.approx(np.ones((3, 3)))


def test_loadings_of_more_than_the_whole_are_refused() -> None:
    """Shared loadings whose squares make more than 1 are refused."""
    with pytest.raises(ReportError, match="above 1"):
        _ = Variable(("P", "x"), shape("pert", 1.0, 2.0, 3.0), loads=(("a", 0.9), ("b", 0.9))).own_load


# --- outcomes


def test_worked_ref_percentile_standard_error() -> None:
    """The standard error of P80 of N(100, 15) is √(p (1 − p) / N) / f: 0.678, 0.214, 0.068 for 1k, 10k, 100k trials."""
    for count, error in ((1_000, 0.678), (10_000, 0.214), (100_000, 0.068)):
        exact = stats.norm(100, 15).ppf((np.arange(count) + 0.5) / count)
        low, high = interval(exact, share=0.8)
        assert (high - low) / 2 / 1.96 == pytest.approx(error, rel=0.04)


def test_it_ends_when_p80_stands() -> None:
    """Trials are doubled until half the interval is below the share asked for; then it says that it converged."""
    variable = Variable(("P", "x"), shape("normal", 85.0, 100.0, 115.0))

    def model(trials: range) -> np.ndarray:
        return np.array([Draws(1, trials).of(variable)])

    found = sampled(model, rules=SimulationRules(trials_least=512, trials_most=65_536, precision=0.01))
    assert found.converged
    assert found.half_width <= 0.01 * percentile(found.outcomes[0], share=0.8)
    assert not Sample(found.outcomes[:, : found.trials // 2], 1, 0.01).converged
    short = sampled(model, rules=SimulationRules(trials_least=512, trials_most=600, precision=0.001))
    assert (short.trials, short.converged) == (600, False)
    assert np.array_equal(short.outcomes, found.outcomes[:, :600])
    again = sampled(model, rules=SimulationRules(trials_least=512, trials_most=65_536, precision=0.01), batch=300)
    assert np.array_equal(again.outcomes, found.outcomes)


def test_percentiles_rise() -> None:
    """P5 ≤ P10 ≤ … ≤ P95: the S-curve never falls."""
    told = summary(Draws(1, TRIALS).of(Variable(("P", "x"), shape("pert", 0.0, 1.0, 9.0))))
    curve = [told[f"p{share}"] for share in range(5, 100, 5)]
    assert curve == sorted(curve)
    assert told["p50"] < told["mean"] < told["p80"]


def test_chances_count_the_limit_itself() -> None:
    """A cost at the limit is within it; without a limit there is no chance; joint confidence asks for both."""
    costs, finishes = np.array([1.0, 2.0, 3.0, 4.0]), np.array([9.0, 1.0, 9.0, 1.0])
    assert chance(costs, limit=3.0) == 0.75
    assert chance(costs, limit=None) is None
    assert joint_confidence(costs, finishes=finishes, cost=3.0, finish=5.0) == 0.25


def test_rank_correlation_is_spearmans() -> None:
    """Rank correlation, with ties as a risk makes them, is scipy's Spearman; of a constant there is none."""
    one = Draws(1, range(500)).of(Variable(("P", "R"), shape("pert", 1.0, 2.0, 9.0), 0.4))
    other = one + Draws(1, range(500)).of(Variable(("P", "x"), shape("pert", 1.0, 2.0, 9.0)))
    assert rank_correlation(one, other=other) == pytest.approx(stats.spearmanr(one, other).statistic)
    assert rank_correlation(np.ones(5), other=np.arange(5.0)) is None


def test_a_driver_is_told_by_what_p80_would_be_without_it() -> None:
    """What moves P80 most is the large variable; taking a constant off moves it by exactly that."""
    large, small = (
        Draws(1, range(4_000)).of(Variable(("P", str(size)), shape("pert", 0.0, size, 3 * size)))
        for size in (100.0, 1.0)
    )
    fixed = np.full(4_000, 7.0)
    found = drivers(large + small + fixed, parts=[large, small, fixed])
    assert found["moves_p80"].tolist()[2] == pytest.approx(7.0)
    assert found["moves_p80"][0] > 50 > found["moves_p80"][1] > 0
    assert found["rank_correlation"][0] > 0.95
    assert pd.isna(found["rank_correlation"][2])


def test_percentiles_of_parts_are_above_that_of_the_sum() -> None:
    """The P80 of a sum is below the sum of P80s, and equal where all parts move as one."""
    drawn, total = totals(CORRELATION)
    assert percentile(total, share=0.8) < sum(percentile(part, share=0.8) for part in drawn)
    drawn, total = totals(np.ones((3, 3)))
    assert percentile(total, share=0.8) == pytest.approx(sum(percentile(part, share=0.8) for part in drawn), rel=1e-3)


def test_a_batch_keeps_to_the_memory_that_is_stated() -> None:
    """1,000 rows of float64 in 16 MB are 2,048 trials; there are at least 256."""
    assert batch_of(1_000, megabytes=16) == 2_048
    assert batch_of(10**9, megabytes=1) == 256
