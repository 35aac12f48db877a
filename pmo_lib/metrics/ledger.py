"""The finance rows of returns, sorted into the parts of a fiscal year's outlook.

Terms as in usual management accounting: plan (approved, frozen), budget (plan and approved changes), actual (posted),
accrual (received, not invoiced; reverses in the next month), commitment (ordered, not received), forecast (what the
months to come will cost), transfer (budget moved to this unit from its counterparty), recharge (cost charged to this
unit by its counterparty), prior-year adjustment (posted in this year, of an earlier one). Transfers and recharges have
two sides, so they net to zero where both are below. Period 13 adjusts the year after its last month and counts in it.

A unit is a project, or what a programme (or the portfolio) spends itself, in one return: ``return_month, portfolio_id,
own_of, project_id``, where ``project_id`` is ``""`` for a unit's own money and ``own_of`` then names its programme.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.fiscal import MONTHS_OF_YEAR, FiscalYear, numbers_of_year
from pmo_lib.metrics.money import minor_units
from pmo_lib.metrics.movement import reasons
from pmo_lib.theme import month

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

UNIT = ["return_month", "portfolio_id", "own_of", "project_id"]
INTERNAL = ("adjustments", "recharges")
MONTHLY = ("ytd_actual", "accruals", "remaining_forecast", *INTERNAL)
COSTS = (*MONTHLY, "year_forecast")
PARTS = ("plan", "budget", "ytd_plan", "commitments", "transfers", *COSTS)
FACTS = ["year_end", "currency", "closed", "due", "ahead", "source_ref"]
LEDGER_COLUMNS = ["unit", *UNIT, "part", "number", "minor", "reason", "cost_type", "period_kind", *FACTS]
OUTLOOK_COLUMNS = [
    "unit", *UNIT, "plan", "budget", "budget_basis", "outlook", "basis", "year_end", "currency", "closed", "due",
    "plan_reason", "budget_reason", "outlook_reason", "source_ref",
]  # fmt: skip
FINENESS = {"month": 0, "4-4-5": 1, "year": 2}
PERIOD_13 = "period 13"

NO_PLAN = "no plan returned"
NO_FORECAST = "no forecast returned"
MIXED_FORECAST = "forecast partly by month, partly by year"
NO_ACTUALS = "planned to spend, but no actuals returned"


def ledger(finance_history: pd.DataFrame, *, states: pd.DataFrame, returns: Mapping[str, str]) -> pd.DataFrame:
    """Sort the finance rows of returns into the parts of a fiscal year.

    Parameters
    ----------
    finance_history
        The table ``finance`` of one or several returns, with ``return_month`` in front.
    states
        The table ``states`` of the same returns, with ``period`` in front.
    returns
        Month of each return that is used, and the last month of the fiscal year that is asked of it.

    Returns
    -------
    DataFrame
        One row per finance row and part; a plan row of a closed month is in ``plan`` and in ``ytd_plan``::

            unit                              int64 number of the unit
            return_month portfolio_id own_of project_id   str
            part                              str   see PARTS
            number                            int64 month of the year, 0 for a figure of the whole year
            minor                             Int64 amount in whole minor units, null if the cell has no plain value
            reason                            str   why it is null
            cost_type period_kind             str   as returned; "" where no type is stated
            year_end currency                 str
            closed                            int64 last month with an actual in this portfolio's return; 0 if none
            due                               int64 months of the year up to the return
            ahead                             bool  the unit has a forecast of later years
            source_ref                        str   where the row stands

        Of several versions of a plan or budget the last one of each month counts; of figures by month and by year,
        those by month. An accrual is not added to actuals that hold accruals already.
    """
    rows = _latest_versions(_finest(_rows_of_year(finance_history, states=states, returns=returns)))
    rows = rows.assign(closed=_closed_months(rows))
    rows = rows.assign(holds_accruals=_holds_accruals(rows))
    parts = [rows[mask(rows)].assign(part=part) for part, mask in MASKS.items()]
    whole = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return whole[LEDGER_COLUMNS].sort_values(["unit", "part", "number"], kind="stable", ignore_index=True)


def unit_parts(book: pd.DataFrame) -> pd.DataFrame:
    """Add up a ledger by unit and part.

    Returns
    -------
    DataFrame
        ``unit, part, minor, reason``: ``minor`` is null, with the first reason, where any row of the part has no plain
        value.
    """
    grouped = book.assign(unknown=book["minor"].isna()).groupby(["unit", "part"], sort=True)
    sums = grouped.agg(minor=("minor", "sum"), unknown=("unknown", "any"), reason=("reason", "max")).reset_index()
    sums["minor"] = sums["minor"].astype("Int64").mask(sums["unknown"])
    return sums[["unit", "part", "minor", "reason"]]


def unit_outlooks(book: pd.DataFrame, *, ended: pd.Series) -> pd.DataFrame:
    """Return plan, budget and outlook of each unit.

    Outlook = Σ actual to the last closed month m + accrual at m + Σ forecast of m+1 … 12; where a unit has a forecast
    of the year only, that. Recharges and prior-year adjustments are added to it, transfers to the budget.

    Parameters
    ----------
    book
        Result of :func:`ledger`.
    ended
        By ``return_month`` and ``project_id``: whether the project is over; without a forecast it costs nothing more.

    Returns
    -------
    DataFrame
        :data:`OUTLOOK_COLUMNS`, one row per unit, in order; money in whole minor units (Int64); ``source_ref`` of its
        first row. ``budget_basis`` is budget, or plan where no budget was returned and the plan stands in its place;
        ``basis`` is annual where the outlook is a forecast of the year.
    """
    parts = unit_parts(book).set_index(["unit", "part"])
    wide = parts["minor"].unstack().reindex(columns=list(PARTS)).astype("Int64")
    why = parts["reason"].unstack().reindex(columns=list(PARTS)).astype("str")
    has = why.notna()
    units = book.drop_duplicates("unit").set_index("unit")[[*UNIT, *FACTS]].join(wide)
    by_month = book["number"].gt(0).groupby(book["unit"]).any()
    annual = has["year_forecast"]
    monthly = units[list(MONTHLY)].sum(axis="columns").astype("Int64")
    yearly = units["year_forecast"] + units[list(INTERNAL)].sum(axis="columns").astype("Int64")
    own = units["budget"].where(has["budget"], units["plan"])
    only_moved = has["transfers"] & ~has["budget"] & ~has["plan"]
    moved = units["transfers"].where(has["transfers"], 0)
    silence = _outlook_reasons(units, why=why, has=has, ended=ended)
    words = pd.Series("", index=units.index, dtype="str")
    units = units.assign(
        budget=own.mask(only_moved, 0) + moved,
        budget_basis=(words + "budget").where(has["budget"], "plan"),
        outlook=yearly.where(annual, monthly).mask(silence.ne("")),
        basis=(words + "monthly").where(by_month & ~annual, "annual"),
        plan_reason=why["plan"].where(has["plan"], NO_PLAN),
        budget_reason=_budget_reasons(why, has=has),
        outlook_reason=silence,
    )
    return units.reset_index()[OUTLOOK_COLUMNS]


def _rows_of_year(finance_history: pd.DataFrame, *, states: pd.DataFrame, returns: Mapping[str, str]) -> pd.DataFrame:
    rows = finance_history[finance_history["return_month"].isin(list(returns))]
    ends = rows["return_month"].map(returns).astype("str")
    numbers = numbers_of_year(rows["period"], ends=ends)
    own = rows["project_id"].isna()
    texts = {name: rows[name].fillna("").astype("str") for name in ("project_id", "cost_type", "category")}
    rows = rows.assign(
        **texts,
        own_of=rows["programme_id"].where(own).fillna("").astype("str"),
        year_end=ends,
        number=numbers.mask(rows["period_kind"].eq(PERIOD_13), MONTHS_OF_YEAR).mask(rows["period_kind"].eq("year"), 0),
        due=rows["return_month"].map({m: _due(m, end=end) for m, end in returns.items()}).astype("int64"),
        minor=minor_units(rows["amount"]),
    )
    later = rows[rows["measure"].eq("forecast") & numbers.gt(MONTHS_OF_YEAR) & ~own]
    looks_ahead = pd.MultiIndex.from_frame(later[["return_month", "project_id"]])
    rows = rows.assign(ahead=pd.MultiIndex.from_frame(rows[["return_month", "project_id"]]).isin(looks_ahead))
    rows = rows[numbers.between(1, MONTHS_OF_YEAR)]
    return rows.assign(unit=rows.groupby(UNIT, sort=True).ngroup(), reason=_amount_reasons(rows, states=states))


def _due(period: str, *, end: str) -> int:
    return min(max(FiscalYear(end).number(period), 0), MONTHS_OF_YEAR)


def _amount_reasons(rows: pd.DataFrame, *, states: pd.DataFrame) -> pd.Series:
    """Say why an amount is null, as the states of its own return have it."""
    words = pd.Series("", index=rows.index, dtype="str")
    for returned, silent in rows[rows["minor"].isna()].groupby("return_month"):
        known = states[states["period"].eq(returned)].drop(columns="period")
        words.loc[silent.index] = reasons(silent, states=known, table="finance", column="amount")
    return words


def _finest(rows: pd.DataFrame) -> pd.DataFrame:
    """Drop what is stated again in coarser periods: by cost type, and totals without a type beside any finer figure.

    A period 13 comes on top of other periods of the year, and is held by a figure of the whole year.
    """
    if rows["period_kind"].nunique() <= 1:
        return rows
    rank = rows["period_kind"].map(FINENESS).astype("float64")
    ranked = rows.assign(rank=rank)
    alike = ranked.groupby(["unit", "measure", "cost_type"])["rank"].transform("min")
    any_type = ranked.groupby(["unit", "measure"])["rank"].transform("min")
    finest = alike.where(rows["cost_type"].ne(""), any_type)
    return rows[rank.eq(finest) | (rank.isna() & ~finest.ge(FINENESS["year"]))]


def _latest_versions(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep the last version of plan and budget, month by month: a new baseline governs the months that it states.

    ``v10`` comes after ``v9``, no version before any.
    """
    versions = rows["plan_version"].fillna("").astype("str").where(rows["measure"].isin(["plan", "budget"]), "")
    if versions.nunique() <= 1:
        return rows
    order = {text: place for place, text in enumerate(sorted(versions.unique(), key=_natural))}
    place = versions.map(order).astype("int64")
    alike = ["unit", "measure", "number", "cost_type", "category"]
    return rows[place.eq(rows.assign(place=place).groupby(alike)["place"].transform("max"))]


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", text)]


def _closed_months(rows: pd.DataFrame) -> pd.Series:
    posted = rows["measure"].eq("actual") & rows["minor"].notna() & rows["number"].le(rows["due"])
    months = rows["number"].where(posted, 0)
    return months.groupby([rows["return_month"], rows["portfolio_id"]]).transform("max").astype("int64")


def _holds_accruals(rows: pd.DataFrame) -> pd.Series:
    """Say of each row whether its unit's latest actuals hold accruals already."""
    posted = rows["measure"].eq("actual") & rows["number"].between(1, rows["closed"])
    latest = rows["number"].where(posted, 0).groupby(rows["unit"]).transform("max")
    holding = posted & rows["number"].eq(latest) & rows["actual_basis"].eq("with accruals").fillna(False)
    return holding.groupby(rows["unit"]).transform("any")


def _is(measure: str, *, when: Callable[[pd.DataFrame], pd.Series]) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda rows: rows["measure"].eq(measure) & when(rows)


def _any(rows: pd.DataFrame) -> pd.Series:
    return rows["measure"].notna()


def _done(rows: pd.DataFrame) -> pd.Series:
    return rows["number"].ge(1) & rows["number"].le(rows["closed"])


def _last(rows: pd.DataFrame) -> pd.Series:
    return rows["number"].ge(1) & rows["number"].eq(rows["closed"])


def _year_forecasts(rows: pd.DataFrame) -> pd.Series:
    """The forecast of a year; where a unit has none, what the year cost in the end."""
    forecast = rows["measure"].eq("forecast")
    has_forecast = forecast.groupby(rows["unit"]).transform("any")
    return rows["number"].eq(0) & (forecast | (rows["measure"].eq("actual") & ~has_forecast))


MASKS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "plan": _is("plan", when=_any),
    "budget": _is("budget", when=_any),
    "ytd_plan": _is("plan", when=_done),
    "ytd_actual": _is("actual", when=_done),
    "accruals": _is("accrual", when=lambda rows: _last(rows) & ~rows["holds_accruals"]),
    "commitments": _is("commitment", when=_last),
    "transfers": _is("transfer", when=_any),
    "adjustments": _is("prior-year adjustment", when=_any),
    "recharges": _is("recharge", when=_any),
    "remaining_forecast": _is("forecast", when=lambda rows: rows["number"].gt(rows["closed"])),
    "year_forecast": _year_forecasts,
}


def _budget_reasons(why: pd.DataFrame, *, has: pd.DataFrame) -> pd.Series:
    stated = why["budget"].where(has["budget"], why["plan"])
    stated = stated.mask(~has["budget"] & ~has["plan"] & ~has["transfers"], NO_PLAN).fillna("")
    moved = why["transfers"].fillna("")
    return stated.mask(stated.eq("") & moved.ne(""), "transfers: " + moved)


def _outlook_reasons(units: pd.DataFrame, *, why: pd.DataFrame, has: pd.DataFrame, ended: pd.Series) -> pd.Series:
    """Say why the outlook of a unit cannot be computed; ``""`` where it can."""
    found = pd.Series("", index=units.index, dtype="str")
    for part in COSTS:
        unknown = why[part].fillna("")
        found = found.mask(found.eq("") & unknown.ne(""), part.replace("_", " ") + ": " + unknown)
    over = pd.MultiIndex.from_frame(units[["return_month", "project_id"]]).isin(ended[ended].index)
    monthly, ahead = ~has["year_forecast"], units["ahead"]
    silent = monthly & ~has["remaining_forecast"] & ~ahead
    last = [month(FiscalYear(end).month(m)) for end, m in zip(units["year_end"], units["closed"], strict=True)]
    after = "no forecast after " + pd.Series(last, index=units.index, dtype="str")
    spends = units["ytd_plan"].fillna(0).ne(0) & ~has["ytd_actual"]
    found = found.mask(found.eq("") & silent & ~has["ytd_actual"], NO_FORECAST)
    found = found.mask(found.eq("") & monthly & spends, NO_ACTUALS)
    found = found.mask(found.eq("") & silent & units["closed"].lt(MONTHS_OF_YEAR) & ~over, after)
    return found.mask(found.eq("") & ~monthly & has["remaining_forecast"], MIXED_FORECAST)
