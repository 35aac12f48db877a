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

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

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
NOTHING_LEFT = "the estimate leaves no money for the work that is left"

Told = tuple[pd.Series, pd.Series]


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
    rows = positions.reindex(columns=list(INPUTS)).astype("float64")
    pv, ev, ac, bac = (rows[name] for name in MONEY)
    earned, unspent = _no_earned(rows), bac - ac
    cost, plan = earned | {NO_ACTUAL: ac.isna()}, earned | {NO_PLAN: pv.isna()}
    budget = {NO_BUDGET: ~bac.gt(0)}
    spent = {BELOW_ZERO: ac.lt(0), NOT_POSTED: ac.eq(0) & ev.gt(0), NOTHING_SPENT: ac.eq(0)}
    whole = {NO_ACTUAL: ac.isna()} | budget
    unfinished = cost | budget | {COMPLETE: _done(rows), EXHAUSTED: ~unspent.gt(0)}
    return table_of(
        {
            "cost_variance": told(ev - ac, because=cost),
            "schedule_variance": told(ev - pv, because=plan),
            "cost_variance_share": told(ev - ac, because=cost | {NOTHING_EARNED: ev.eq(0)}, over=ev),
            "schedule_variance_share": told(ev - pv, because=plan | {NOTHING_PLANNED: pv.eq(0)}, over=pv),
            "cpi": told(ev, because=cost | spent, over=ac),
            "spi": told(ev, because=plan | {NOTHING_PLANNED: pv.eq(0)}, over=pv),
            "complete_share": told(ev, because=earned | budget, over=bac),
            "spent_share": told(ac, because=whole, over=bac),
            "tcpi_budget": told(bac - ev, because=unfinished, over=unspent),
        }
    )


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
    rows = positions.reindex(columns=list(INPUTS)).astype("float64")
    known = indices(positions)
    needed = _no_earned(rows) | {NO_ACTUAL: rows["actual_cost"].isna(), NO_BUDGET: ~rows["budget"].gt(0)}
    done, left = _done(rows), rows["budget"] - rows["earned_value"]
    estimates = {
        rule: told(
            (rows["actual_cost"] + left / factor.where(factor > 0)).mask(done, rows["actual_cost"]),
            because=needed | {words: mask & ~done for words, mask in why.items()},
        )
        for rule, (factor, why) in _factors(rows, known=known, weight=weight).items()
    }
    own = rows["management_estimate"]
    estimates["eac_bottom_up"] = told(own, because={NO_MANAGEMENT: own.isna()})
    return table_of({rule: estimates[rule] for rule in COST_RULES})


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
    rows = positions.reindex(columns=list(INPUTS)).astype("float64")
    ev, ac, bac = rows["earned_value"], rows["actual_cost"], rows["budget"]
    left, to_spend = bac - ev, estimate - ac
    unknown = {words: reason.eq(words) for words in reason.unique() if words}
    budget = unknown | {NO_BUDGET: ~bac.gt(0)}
    cost = unknown | {NO_ACTUAL: ac.isna()}
    after = _no_earned(rows) | cost | {COMPLETE: _done(rows), NOTHING_LEFT: ~to_spend.gt(0)}
    return table_of(
        {
            "estimate_to_complete": told(to_spend, because=cost),
            "variance_at_completion": told(bac - estimate, because=budget),
            "variance_at_completion_share": told(bac - estimate, because=budget, over=bac),
            "tcpi_estimate": told(left, because=after | budget, over=to_spend),
        }
    )


def too_low(positions: pd.DataFrame, *, estimates: pd.DataFrame, gap: float) -> pd.Series:
    """Say where management's estimate is below what the last months point to, by more than a share of the latter."""
    recent = estimates["eac_recent"]
    return estimates["eac_bottom_up"].lt(recent * (1 - gap)) & ~_done(positions.reindex(columns=list(INPUTS)))


def told(value: pd.Series, *, because: Mapping[str, pd.Series], over: pd.Series | None = None) -> Told:
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
    holds = [mask.to_numpy(dtype=bool, na_value=False) for mask in because.values()]
    first = np.select(holds, range(1, len(holds) + 1), default=0)
    ratio = value if over is None else value / over.where(over.ne(0))
    words = np.array(["", *because], dtype=object)[first]
    return ratio.where(first == 0).astype("float64"), pd.Series(words, index=value.index, dtype="str")


def table_of(figures: Mapping[str, Told]) -> pd.DataFrame:
    """Return figures as a table: each with its reason beside it."""
    parts = [(name, value, reason) for name, (value, reason) in figures.items()]
    columns = {name: value for name, value, _ in parts} | {f"{name}_reason": reason for name, _, reason in parts}
    return pd.DataFrame(columns)


def _factors(
    rows: pd.DataFrame, *, known: pd.DataFrame, weight: float
) -> dict[str, tuple[pd.Series, dict[str, pd.Series]]]:
    """Return each rule's performance factor, and why it has none."""
    cpi, spi, spi_t = known["cpi"], known["spi"], rows["spi_t"]
    recent = rows["recent_earned"] / rows["recent_cost"].where(rows["recent_cost"].gt(0))
    nothing = {NOTHING_EARNED: rows["earned_value"].eq(0)}
    no_cpi = {**_holding(known["cpi_reason"]), **nothing}
    no_spi = {**no_cpi, **_holding(known["spi_reason"])}
    return {
        "eac_budget": (pd.Series(1.0, index=rows.index), {}),
        "eac_cpi": (cpi, no_cpi),
        "eac_cpi_spi": (cpi * spi, no_spi),
        "eac_weighted": (weight * cpi + (1 - weight) * spi, no_spi),
        "eac_recent": (recent, {NO_RECENT: rows["recent_earned"].isna(), RECENT_STALL: ~recent.gt(0)}),
        "eac_cpi_spi_t": (cpi * spi_t, {**no_cpi, NO_TIME_INDEX: ~spi_t.gt(0)}),
    }


def _holding(reason: pd.Series) -> dict[str, pd.Series]:
    return {words: reason.eq(words) for words in reason.unique() if words}


def _no_earned(rows: pd.DataFrame) -> dict[str, pd.Series]:
    above = rows["earned_value"].gt(rows["budget"] * (1 + TOLERANCE))
    return {NO_EARNED: rows["earned_value"].isna(), ABOVE_BUDGET: above}


def _done(rows: pd.DataFrame) -> pd.Series:
    return rows["budget"].gt(0) & rows["earned_value"].ge(rows["budget"] * (1 - TOLERANCE))
