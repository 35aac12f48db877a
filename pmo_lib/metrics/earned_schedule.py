"""Earned schedule: when the work that is done was planned to be done, and what that says of the finish.

Source: Lipke, "Schedule is Different", *The Measurable News*, March 2003. With C the number of periods whose planned
value is at most the earned value, ES = C + (EV − PV_C) / (PV_{C+1} − PV_C); SV(t) = ES − AT and SPI(t) = ES / AT, where
AT is the time that has passed. In money SPI returns to 1 at completion, however late; SPI(t) does not. It says nothing
about the critical path. Other rules: Anbari, "Earned Value Project Management Method and Extensions", *Project
Management Journal*, 2003; Jacob, "Forecasting Project Schedule Completion with Earned Value Metrics", *The Measurable
News*, 2003; all compared by Vandevoorde and Vanhoucke, *International Journal of Project Management* 24, 2006.

All times are in periods (months) from the start of the baseline.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pmo_lib.metrics.earned_value import (
    INPUTS,
    NO_EARNED,
    NO_PLAN as NO_VALUE,
    TOLERANCE,
    Columns,
    Numbers,
    Told,
    columns_of,
    money_indices,
    no_cpi,
    no_spi,
    table_of,
    told,
)

TIMES = ("earned_months", "elapsed_months", "planned_months", "forecast_months")
SCHEDULE = ("schedule_variance_months", "spi_t", "tspi", "tspi_forecast")
# Rule of a duration at completion, how it is written, and what it rests on.
TIME_RULES = {
    "es_plan": ("AT + (PD − ES)", "what is left takes as long as planned"),
    "es_spi_t": ("PD ÷ SPI(t)", "what is left goes on at the pace so far"),
    "es_cpi_spi_t": ("AT + (PD − ES) ÷ (CPI × SPI(t))", "money overspent slows the work, too"),
    "anbari_plan": ("PD − SV ÷ (BAC ÷ PD)", "the variance in money, at the mean planned rate"),
    "anbari_spi": ("PD ÷ SPI", "SPI in money taken for time"),
    "jacob_plan": ("AT + (PD − AT × SPI)", "earned duration; wrong once the planned finish has passed"),
    "jacob_late": ("AT + (max(PD, AT) − AT × SPI)", "earned duration; AT for PD once the planned finish has passed"),
    "jacob_late_spi": ("AT + (max(PD, AT) − AT × SPI) ÷ SPI", "earned duration at the pace so far"),
    "jacob_late_cpi_spi": ("AT + (max(PD, AT) − AT × SPI) ÷ (CPI × SPI)", "earned duration, cost and pace so far"),
}
NO_PLAN, NO_TIME = "no planned value curve", "no time has passed"
PLAN_OVER = "the planned finish has passed"
FORECAST_OVER, NO_FORECAST = "the forecast finish has passed", "no forecast finish"
STANDSTILL = "nothing is earned, so there is no pace"


def earned_months(earned: pd.DataFrame, *, plans: pd.DataFrame) -> pd.Series:
    """Return the earned schedule of each position, in periods.

    Parameters
    ----------
    earned
        ``plan, earned_value``: the plan that each position is measured against.
    plans
        ``plan, number, planned_value``: cumulative planned value at the end of periods 1, 2, 3 …; never falling.

    Returns
    -------
    Series
        Index of ``earned``, ``float64``. 0 where nothing is earned; the planned duration (the first period with the
        whole budget) where all is, however much later. Where no work is planned for some periods, work that reaches
        them steps over them. Null where there is no plan, or no earned value.
    """
    points = _points(plans)
    codes = pd.Index(points["plan"].unique())
    starts = np.searchsorted(points["code"].to_numpy(), np.arange(len(codes)))
    ends = np.append(starts[1:], len(points)) - 1
    of = codes.get_indexer(pd.Index(earned["plan"]))
    value = earned["earned_value"].to_numpy(dtype="float64")
    known = (of >= 0) & ~np.isnan(value)
    months = np.full(len(earned), np.nan)
    if known.any():
        low = starts[of[known]] + _reached(points, codes=of[known], values=value[known], starts=starts)
        months[known] = _between(points, low=low, last=ends[of[known]], values=value[known])
    return pd.Series(months, index=earned.index)


def planned_months(plans: pd.DataFrame) -> pd.Series:
    """Return the planned duration of each plan: the first period in which the whole budget is planned; by ``plan``."""
    whole = plans.groupby("plan")["planned_value"].transform("max")
    full = plans[plans["planned_value"].ge(whole * (1 - TOLERANCE)) & whole.gt(0)]
    return full.groupby("plan")["number"].min().astype("float64")


@np.errstate(over="ignore", invalid="ignore")  # told() says where nothing finite comes out
def schedule(positions: pd.DataFrame) -> pd.DataFrame:
    """Return schedule variance in time, SPI(t), and the pace that the plan, or the forecast, still takes for granted.

    SV(t) = ES − AT, SPI(t) = ES / AT, TSPI = (PD − ES) / (PD − AT), with the forecast duration in the denominator for
    ``tspi_forecast``. A TSPI above 1.10 makes recovery unlikely.

    Parameters
    ----------
    positions
        Columns of :data:`TIMES`; what is not there is null.

    Returns
    -------
    DataFrame
        Index of ``positions``; each of :data:`SCHEDULE` with its reason.
    """
    return table_of(_time_indices(columns_of(positions, names=TIMES)), index=positions.index)


@np.errstate(over="ignore", invalid="ignore")  # told() says where nothing finite comes out
def duration_estimates(positions: pd.DataFrame) -> pd.DataFrame:
    """Return the duration at completion by the rules of :data:`TIME_RULES`.

    Parameters
    ----------
    positions
        Columns of :data:`TIMES` and of :mod:`pmo_lib.metrics.earned_value`.

    Returns
    -------
    DataFrame
        Index of ``positions``; each rule, in periods from the start, with its reason.
    """
    rows = columns_of(positions, names=(*TIMES, *INPUTS))
    known = money_indices(rows)
    cpi, spi, spi_t = known["cpi"][0], known["spi"][0], _time_indices(rows)["spi_t"][0]
    es, at, pd_ = rows["earned_months"], rows["elapsed_months"], rows["planned_months"]
    done = at * spi
    late, rate = np.fmax(pd_, at) - done, rows["budget"] / np.where(pd_ > 0, pd_, np.nan)
    estimates = {
        "es_plan": at + (pd_ - es),
        "es_spi_t": at + _over(pd_ - es, factor=spi_t),
        "es_cpi_spi_t": at + _over(pd_ - es, factor=cpi * spi_t),
        "anbari_plan": pd_ - _over(known["schedule_variance"][0], factor=rate),
        "anbari_spi": _over(pd_, factor=spi),
        "jacob_plan": at + (pd_ - done),
        "jacob_late": at + late,
        "jacob_late_spi": at + _over(late, factor=spi),
        "jacob_late_cpi_spi": at + _over(late, factor=cpi * spi),
    }
    unknown = {NO_PLAN: np.isnan(pd_), NO_EARNED: np.isnan(es), NO_TIME: ~(at > 0)}
    still, cost, plan = {STANDSTILL: es == 0}, no_cpi(rows), no_spi(rows)
    unplanned = {NO_VALUE: np.isnan(rows["planned_value"])}
    needs = {
        "es_spi_t": still, "es_cpi_spi_t": still | cost, "anbari_plan": unplanned, "anbari_spi": still | plan,
        "jacob_plan": plan, "jacob_late": plan, "jacob_late_spi": still | plan,
        "jacob_late_cpi_spi": still | plan | cost,
    }  # fmt: skip
    figures = {rule: told(estimates[rule], because=unknown | needs.get(rule, {})) for rule in TIME_RULES}
    return table_of(figures, index=positions.index)


def _time_indices(rows: Columns) -> dict[str, Told]:
    """Return what :func:`schedule` does, from arrays to arrays."""
    es, at, pd_, ed = (rows[name] for name in TIMES)
    unknown = {NO_PLAN: np.isnan(pd_), NO_EARNED: np.isnan(es)}
    forecast = unknown | {NO_FORECAST: np.isnan(ed), FORECAST_OVER: ~(at < ed)}
    return {
        "schedule_variance_months": told(es - at, because=unknown),
        "spi_t": told(es, because=unknown | {NO_TIME: ~(at > 0)}, over=at),
        "tspi": told(pd_ - es, because=unknown | {PLAN_OVER: ~(at < pd_)}, over=pd_ - at),
        "tspi_forecast": told(pd_ - es, because=forecast, over=ed - at),
    }


def _over(value: Numbers, *, factor: Numbers) -> Numbers:
    """Return the quotient, null where the factor is not above 0."""
    quotient: Numbers = np.divide(value, factor, out=np.full_like(value, np.nan), where=factor > 0)
    return quotient


def _points(plans: pd.DataFrame) -> pd.DataFrame:
    """Return the points of each plan up to its whole budget, with (0, 0) in front, and the plan as a whole number."""
    last = plans["plan"].map(planned_months(plans))
    curves = plans.loc[plans["number"].le(last), ["plan", "number", "planned_value"]]
    zero = curves[["plan"]].drop_duplicates().assign(number=0, planned_value=0.0)
    points = pd.concat([zero, curves]).sort_values(["plan", "number"], kind="stable", ignore_index=True)
    return points.assign(code=points.groupby("plan", sort=True).ngroup())


def _reached(points: pd.DataFrame, *, codes: np.ndarray, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return C for each value: how many periods of its plan have a planned value that is not above it.

    All are sorted into the points of their plans at once; a point comes before an equal value.
    """
    plan = np.concatenate([points["code"].to_numpy(), codes])
    height = np.concatenate([points["planned_value"].to_numpy(), values])
    asked = np.concatenate([np.zeros(len(points), dtype=bool), np.ones(len(values), dtype=bool)])
    order = np.lexsort((asked, height, plan))
    below = np.cumsum(~asked[order])
    counts = np.empty(len(order), dtype="int64")
    counts[order] = below
    reached: np.ndarray = counts[len(points) :] - starts[codes] - 1
    return reached


def _between(points: pd.DataFrame, *, low: np.ndarray, last: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return C and the part of the next period; the planned duration at the end, 0 where nothing is earned."""
    heights, numbers = points["planned_value"].to_numpy(), points["number"].to_numpy(dtype="float64")
    full = (low >= last) | (values >= heights[last] * (1 - TOLERANCE))
    low = np.minimum(low, last - 1)
    rise = heights[low + 1] - heights[low]
    part = np.divide(values - heights[low], rise, out=np.zeros_like(values), where=rise > 0)
    return np.where(full, numbers[last], np.where(values <= 0, 0.0, numbers[low] + part))
