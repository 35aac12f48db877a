"""Earned value: variances, indices and estimates at completion from planned value, earned value and actual cost.

Formulas and names as in PMI, *The Standard for Earned Value Management*, 2019, and ISO 21508:2018, *Earned value
management in project and programme management*. A negative variance is over cost or behind plan. Every figure works on
sums as it does on one project: an index of several is the ratio of their sums, never the mean of their indices.

A table of ``positions`` has one row per project, or sum, and status date. All money of a row is in one currency and
cumulative to the status date::

    planned_value  earned_value  actual_cost  budget   recent_earned  recent_cost  spi_t    management_estimate
    float64        float64       float64      float64  float64        float64      float64  float64

``budget`` is the budget at completion (BAC, Σ planned value); ``recent_…`` are the rises over the last months;
``management_estimate`` is the estimate of those who do the work. A column that is not there is null. Every figure
``x`` comes with ``x_reason``: ``""``, or why it is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

MONEY = ("planned_value", "earned_value", "actual_cost", "budget")
INPUTS = (*MONEY, "recent_earned", "recent_cost", "spi_t", "management_estimate")
INDICES = (
    "cost_variance", "schedule_variance", "cost_variance_share", "schedule_variance_share", "cpi", "spi",
    "complete_share", "spent_share", "tcpi_budget",
)  # fmt: skip
# Rule of an estimate at completion, how it is written, and what it assumes.
COST_RULES = {
    "eac_budget": ("AC + (BAC − EV)", "what is left costs as budgeted: the variance was a single event"),
    "eac_cpi": ("BAC ÷ CPI", "what is left costs as what is done did"),
    "eac_cpi_spi": ("AC + (BAC − EV) ÷ (CPI × SPI)", "making up for lost time costs money, too"),
    "eac_weighted": ("AC + (BAC − EV) ÷ weighted CPI and SPI", "cost counts most, time a little"),
    "eac_recent": ("AC + (BAC − EV) ÷ recent CPI", "what is left costs as the last months did"),
    "eac_bottom_up": ("AC + management's estimate to complete", "those who do the work know best"),
    "eac_cpi_spi_t": ("AC + (BAC − EV) ÷ (CPI × SPI(t))", "as CPI × SPI, with time measured in time"),
}
WEIGHT = 0.8
# Amounts are rounded to the minor unit: a budget is passed only by more than that.
TOLERANCE = 1e-9

NO_PLAN, NO_EARNED, NO_ACTUAL = "no planned value", "no earned value", "no actual cost"
NO_BUDGET, ABOVE_BUDGET = "no budget at completion", "earned value is above the budget at completion"
NOTHING_PLANNED, NOTHING_EARNED, NOTHING_SPENT = "nothing is planned yet", "nothing is earned yet", "nothing is spent"
NOT_POSTED, BELOW_ZERO = "work is earned, but no cost is posted", "actual cost is below 0"
COMPLETE, EXHAUSTED = "the work is complete", "the budget is exhausted"
NO_RECENT, RECENT_STALL = "too few months on this baseline", "nothing earned, or nothing spent, in the last months"
NO_MANAGEMENT, NO_TIME_INDEX = "no estimate of the management", "no SPI(t)"
UNKNOWN = "cannot be computed from these figures"
NOTHING_LEFT = "the estimate leaves no money for the work that is left"

Numbers = np.ndarray
Columns = Mapping[str, Numbers]
Told = tuple[Numbers, Numbers]


@np.errstate(over="ignore", invalid="ignore")  # told() says where nothing finite comes out
def indices(positions: pd.DataFrame) -> pd.DataFrame:
    """Return variances, indices, shares and the to-complete index of the budget.

    CV = EV − AC, SV = EV − PV, CV % = CV / EV, SV % = SV / PV, CPI = EV / AC, SPI = EV / PV, complete = EV / BAC,
    spent = AC / BAC, TCPI = (BAC − EV) / (BAC − AC).

    Parameters
    ----------
    positions
        See the module.

    Returns
    -------
    DataFrame
        Index of ``positions``; each of :data:`INDICES` with its reason. What needs an earned value is null where that
        is above the budget: such a return is to be corrected. CPI is null where cost is 0 or below, SPI and SV % where
        nothing is planned; CPI is 0 where nothing is earned. TCPI is null where the work is complete, or the budget
        spent before it is.
    """
    return table_of(money_indices(columns_of(positions, names=INPUTS)), index=positions.index)


def money_indices(rows: Columns) -> dict[str, Told]:
    """Return what :func:`indices` does, from arrays to arrays."""
    pv, ev, ac, bac = (rows[name] for name in MONEY)
    unspent = bac - ac
    earned, cost, budget = _no_earned(rows), _no_cost(rows), {NO_BUDGET: ~(bac > 0)}
    plan, rate = earned | {NO_PLAN: np.isnan(pv)}, no_spi(rows)
    unfinished = cost | budget | {COMPLETE: complete(rows), EXHAUSTED: ~(unspent > 0)}
    return {
        "cost_variance": told(ev - ac, because=cost),
        "schedule_variance": told(ev - pv, because=plan),
        "cost_variance_share": told(ev - ac, because=cost | {NOTHING_EARNED: ev == 0}, over=ev),
        "schedule_variance_share": told(ev - pv, because=rate, over=pv),
        "cpi": told(ev, because=no_cpi(rows), over=ac),
        "spi": told(ev, because=rate, over=pv),
        "complete_share": told(ev, because=earned | budget, over=bac),
        "spent_share": told(ac, because={NO_ACTUAL: np.isnan(ac)} | budget, over=bac),
        "tcpi_budget": told(bac - ev, because=unfinished, over=unspent),
    }


@np.errstate(over="ignore", invalid="ignore")  # told() says where nothing finite comes out
def cost_estimates(positions: pd.DataFrame, *, weight: float = WEIGHT) -> pd.DataFrame:
    """Return the estimates at completion (EAC) by the rules of :data:`COST_RULES`.

    All but ``eac_bottom_up`` are AC + (BAC − EV) / performance factor. ``BAC / CPI`` is the factor CPI. Where the work
    is complete they are the actual cost, whatever the factor.

    Parameters
    ----------
    positions
        See the module.
    weight
        Weight of CPI in ``eac_weighted``; SPI has the rest.

    Returns
    -------
    DataFrame
        Index of ``positions``; each rule with its reason.
    """
    rows = columns_of(positions, names=INPUTS)
    done, left = complete(rows), rows["budget"] - rows["earned_value"]
    needed = _no_cost(rows) | {NO_BUDGET: ~(rows["budget"] > 0)}
    estimates = {}
    for rule, (factor, why) in _factors(rows, weight=weight).items():
        rest = np.divide(left, factor, out=np.full_like(left, np.nan), where=factor > 0)
        because = needed | {words: holds & ~done for words, holds in why.items()}
        estimates[rule] = told(rows["actual_cost"] + np.where(done, 0.0, rest), because=because)
    own = rows["management_estimate"]
    estimates["eac_bottom_up"] = told(own, because={NO_MANAGEMENT: np.isnan(own)})
    return table_of({rule: estimates[rule] for rule in COST_RULES}, index=positions.index)


@np.errstate(over="ignore", invalid="ignore")  # told() says where nothing finite comes out
def at_completion(positions: pd.DataFrame, *, estimate: pd.Series, reason: pd.Series) -> pd.DataFrame:
    """Return what an estimate at completion means: money to go, variance, and the efficiency that it takes for granted.

    ETC = EAC − AC, VAC = BAC − EAC, VAC % = VAC / BAC, TCPI = (BAC − EV) / (EAC − AC), which is the CPI where
    EAC = BAC / CPI.

    Parameters
    ----------
    positions
        See the module.
    estimate, reason
        One rule of :func:`cost_estimates`.

    Returns
    -------
    DataFrame
        ``estimate_to_complete``, ``variance_at_completion``, ``variance_at_completion_share``, ``tcpi_estimate``, each
        with its reason.
    """
    rows = columns_of(positions, names=INPUTS)
    ev, ac, bac, eac = rows["earned_value"], rows["actual_cost"], rows["budget"], estimate.to_numpy(dtype="float64")
    unknown = {words: reason.eq(words).to_numpy(dtype=bool) for words in reason.unique() if words}
    budget, cost = unknown | {NO_BUDGET: ~(bac > 0)}, unknown | {NO_ACTUAL: np.isnan(ac)}
    after = _no_cost(rows) | budget | {COMPLETE: complete(rows), NOTHING_LEFT: ~(eac - ac > 0)}
    figures = {
        "estimate_to_complete": told(eac - ac, because=cost),
        "variance_at_completion": told(bac - eac, because=budget),
        "variance_at_completion_share": told(bac - eac, because=budget, over=bac),
        "tcpi_estimate": told(bac - ev, because=after, over=eac - ac),
    }
    return table_of(figures, index=positions.index)


def too_low(positions: pd.DataFrame, *, estimates: pd.DataFrame, gap: float) -> pd.Series:
    """Say where management's estimate is below what the last months point to, by more than a share of the latter."""
    recent = estimates["eac_recent"]
    done = complete(columns_of(positions, names=INPUTS))
    return estimates["eac_bottom_up"].lt(recent * (1 - gap)) & ~done


def columns_of(positions: pd.DataFrame, *, names: Sequence[str]) -> Columns:
    """Return columns as arrays of ``float64``; a column that is not there is null."""
    rows = positions.reindex(columns=list(names))
    return {name: rows[name].to_numpy(dtype="float64", na_value=np.nan) for name in names}


def told(value: Numbers, *, because: Mapping[str, Numbers], over: Numbers | None = None) -> Told:
    """Return a figure and why it is null: the first reason that holds in a row wins and makes it null.

    Parameters
    ----------
    value
        The figure, or its numerator.
    because
        Reason and the rows in which it holds.
    over
        Denominator.
    """
    first = np.select(list(because.values()), range(1, len(because) + 1), default=0)
    good = first == 0
    ratio = value if over is None else np.divide(value, over, out=np.full_like(value, np.nan), where=good & (over != 0))
    first[good & ~np.isfinite(ratio)] = len(because) + 1
    words = np.array(["", *because, UNKNOWN], dtype=object)[first]
    return np.where(first == 0, ratio, np.nan), words


def table_of(figures: Mapping[str, Told], *, index: pd.Index) -> pd.DataFrame:
    """Return figures as a table: each with its reason beside it."""
    columns: dict[str, pd.Series] = {}
    for name, (value, reason) in figures.items():
        columns[name] = pd.Series(value, index=index)
        columns[f"{name}_reason"] = pd.Series(reason, index=index, dtype="str")
    return pd.DataFrame(columns, index=index)


def complete(rows: Columns) -> Numbers:
    """Return where all of the budget is earned."""
    done: Numbers = (rows["budget"] > 0) & (rows["earned_value"] >= rows["budget"] * (1 - TOLERANCE))
    return done


def no_cpi(rows: Columns) -> dict[str, Numbers]:
    """Return why CPI is null, by reason."""
    ac = rows["actual_cost"]
    unposted = (ac == 0) & (rows["earned_value"] > 0)
    return _no_cost(rows) | {BELOW_ZERO: ac < 0, NOT_POSTED: unposted, NOTHING_SPENT: ac == 0}


def no_spi(rows: Columns) -> dict[str, Numbers]:
    """Return why SPI is null, by reason."""
    pv = rows["planned_value"]
    return _no_earned(rows) | {NO_PLAN: np.isnan(pv), NOTHING_PLANNED: pv == 0}


def _factors(rows: Columns, *, weight: float) -> dict[str, tuple[Numbers, dict[str, Numbers]]]:
    """Return each rule's performance factor, and why it has none."""
    known, spi_t = money_indices(rows), rows["spi_t"]
    cpi, spi = known["cpi"][0], known["spi"][0]
    earned, cost = rows["recent_earned"], rows["recent_cost"]
    recent = np.divide(earned, cost, out=np.full_like(earned, np.nan), where=cost > 0)
    cost_rate = no_cpi(rows) | {NOTHING_EARNED: rows["earned_value"] == 0}
    both = cost_rate | no_spi(rows)
    return {
        "eac_budget": (np.ones_like(cpi), {}),
        "eac_cpi": (cpi, cost_rate),
        "eac_cpi_spi": (cpi * spi, both),
        "eac_weighted": (weight * cpi + (1 - weight) * spi, both),
        "eac_recent": (recent, {NO_RECENT: np.isnan(earned) | np.isnan(cost), RECENT_STALL: ~(recent > 0)}),
        "eac_cpi_spi_t": (cpi * spi_t, cost_rate | {NO_TIME_INDEX: ~(spi_t > 0)}),
    }


def _no_earned(rows: Columns) -> dict[str, Numbers]:
    ev = rows["earned_value"]
    return {NO_EARNED: np.isnan(ev), ABOVE_BUDGET: ev > rows["budget"] * (1 + TOLERANCE)}


def _no_cost(rows: Columns) -> dict[str, Numbers]:
    return _no_earned(rows) | {NO_ACTUAL: np.isnan(rows["actual_cost"])}
