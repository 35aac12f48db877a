"""The finance rows of returns, sorted into the parts of a fiscal year's outlook.

Terms as in HM Treasury, *Managing Public Money* (2023), and usual management accounting: plan (approved, frozen), budget
(plan and approved changes), actual (posted), accrual (received, not invoiced; reverses in the next month), commitment
(ordered, not received), forecast (what the coming months will cost).

A unit is a project, or what a programme (or the portfolio) spends itself: ``portfolio_id, own_of, project_id``, where
``project_id`` is ``""`` for a unit's own money and ``own_of`` then names its programme.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.fiscal import MONTHS_OF_YEAR
from pmo_lib.metrics.money import minor_units
from pmo_lib.metrics.movement import reasons
from pmo_lib.theme import month

if TYPE_CHECKING:
    from collections.abc import Callable

    from pmo_lib.metrics.fiscal import FiscalYear

UNIT = ["portfolio_id", "own_of", "project_id"]
PARTS = ("plan", "budget", "ytd_plan", "ytd_actual", "accruals", "commitments", "remaining_forecast", "year_forecast")
COSTS = ("ytd_actual", "accruals", "remaining_forecast", "year_forecast")
LEDGER_COLUMNS = [*UNIT, "part", "number", "minor", "reason", "currency", "closed", "due"]
FINENESS = {"month": 0, "4-4-5": 1, "year": 2}

NO_FORECAST = "no forecast returned"
MIXED_FORECAST = "forecast partly by month, partly by year"
NO_ACTUALS = "planned to spend, but no actuals returned"


def ledger(finance: pd.DataFrame, *, states: pd.DataFrame, year: FiscalYear, period: str) -> pd.DataFrame:
    """Sort the finance rows of one return into the parts of one fiscal year.

    Parameters
    ----------
    finance, states
        The contract tables of one return, of one or several portfolios.
    year
        The fiscal year asked for.
    period
        Month of the return (``YYYY-MM``); months of the year up to it are due.

    Returns
    -------
    DataFrame
        One row per finance row and part that it belongs to (a plan row of a closed month is in ``plan`` and ``ytd_plan``)::

            portfolio_id own_of project_id   str   the unit
            part                             str   see PARTS
            number                           int64 month of the year, 0 for a figure of the whole year
            minor                            Int64 amount in whole minor units, null if the cell has no plain value
            reason                           str   why it is null
            currency                         str
            closed                           int64 last month with an actual in this portfolio's return; 0 if none
            due                              int64 months of the year up to the return

        Of several versions of a plan or budget only the last counts; of figures by month and by year, those by month.
        An accrual is not added to actuals that hold accruals already.
    """
    rows = _latest_versions(_finest(_rows_of_year(finance, states=states, year=year)))
    due = min(max(year.number(period), 0), MONTHS_OF_YEAR)
    rows = rows.assign(closed=_closed_months(rows, due=due), due=due, holds_accruals=_holds_accruals(rows, due=due))
    parts = [rows[mask(rows)].assign(part=part) for part, mask in MASKS.items()]
    whole = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return whole[LEDGER_COLUMNS].sort_values([*UNIT, "part", "number"], kind="stable", ignore_index=True)


def unit_parts(book: pd.DataFrame) -> pd.DataFrame:
    """Add up a ledger by unit and part.

    Returns
    -------
    DataFrame
        ``portfolio_id, own_of, project_id, part, minor, reason``: ``minor`` is null, with the first reason, where any row
        of the part has no plain value.
    """
    grouped = book.assign(unknown=book["minor"].isna()).groupby([*UNIT, "part"], sort=True)
    sums = grouped.agg(minor=("minor", "sum"), unknown=("unknown", "any")).reset_index()
    first = book[book["minor"].isna()].drop_duplicates([*UNIT, "part"])[[*UNIT, "part", "reason"]]
    sums = sums.merge(first, how="left", on=[*UNIT, "part"])
    sums["minor"] = sums["minor"].astype("Int64").mask(sums["unknown"])
    return sums.assign(reason=sums["reason"].fillna("").astype("str"))[[*UNIT, "part", "minor", "reason"]]


def unit_outlooks(book: pd.DataFrame, *, ended: frozenset[str], year: FiscalYear) -> pd.DataFrame:
    """Return plan, budget and outlook of each unit.

    Outlook = Σ actual to the last closed month m + accrual at m + Σ forecast of m+1 … 12; where a unit has figures of the
    year only, its forecast of the year.

    Parameters
    ----------
    book
        Result of :func:`ledger`.
    ended
        Projects that are over: without a forecast they cost nothing more.
    year
        Fiscal year of the ledger, for the words.

    Returns
    -------
    DataFrame
        One row per unit, sorted: ``portfolio_id, own_of, project_id, plan, budget, budget_basis (budget | plan),
        outlook, basis (monthly | annual), currency, closed, due, plan_reason, outlook_reason``; money in minor units
        (Int64). Where no budget was returned, the plan stands in its place and ``budget_basis`` says so.
    """
    parts = unit_parts(book)
    wide = parts.pivot_table(index=UNIT, columns="part", values="minor", aggfunc="first", observed=True)
    wide = wide.reindex(columns=list(PARTS)).astype("Int64")
    facts = book.groupby(UNIT, sort=True).agg(
        currency=("currency", "first"), closed=("closed", "first"), due=("due", "first")
    )
    units = facts.join(wide, how="left")
    given = parts.assign(n=1).pivot_table(index=UNIT, columns="part", values="n", aggfunc="size", observed=True)
    has = given.reindex(index=units.index, columns=list(PARTS)).notna()
    why = _outlook_reasons(units, has=has, parts=parts, year=year, ended=ended)
    annual = has["year_forecast"]
    monthly = units[["ytd_actual", "accruals", "remaining_forecast"]].sum(axis="columns").astype("Int64")
    units = units.assign(
        budget=units["budget"].where(has["budget"], units["plan"]),
        budget_basis=pd.Series("budget", index=units.index, dtype="str").where(has["budget"], "plan"),
        outlook=units["year_forecast"].where(annual, monthly).mask(why.ne("")),
        basis=pd.Series("annual", index=units.index, dtype="str").where(annual | ~_by_month(book), "monthly"),
        plan_reason=_first_reason(parts, part="plan", index=units.index).mask(~has["plan"], "no plan returned"),
        outlook_reason=why,
    )
    columns = [*UNIT, "plan", "budget", "budget_basis", "outlook", "basis", "currency", "closed", "due"]
    return units.reset_index()[[*columns, "plan_reason", "outlook_reason"]]


def _rows_of_year(finance: pd.DataFrame, *, states: pd.DataFrame, year: FiscalYear) -> pd.DataFrame:
    numbers = year.numbers(finance["period"])
    inside = numbers.between(1, MONTHS_OF_YEAR)
    rows = finance[inside]
    own = rows["project_id"].isna()
    return rows.assign(
        number=numbers[inside].where(rows["period_kind"].ne("year"), 0),
        own_of=rows["programme_id"].where(own).fillna("").astype("str"),
        minor=minor_units(rows["amount"]),
        reason=reasons(rows, states=states, table="finance", column="amount"),
        project_id=rows["project_id"].fillna("").astype("str"),
        cost_type=rows["cost_type"].fillna("").astype("str"),
    )


def _finest(rows: pd.DataFrame) -> pd.DataFrame:
    """Drop what is stated again in coarser periods: by cost type, and totals without a type beside any finer figure."""
    rank = rows["period_kind"].map(FINENESS).astype("int64")
    ranked = rows.assign(rank=rank)
    alike = ranked.groupby([*UNIT, "measure", "cost_type"])["rank"].transform("min")
    any_type = ranked.groupby([*UNIT, "measure"])["rank"].transform("min")
    return rows[rank.eq(alike.where(rows["cost_type"].ne(""), any_type))]


def _latest_versions(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep the last version of each unit's plan and budget; ``v10`` comes after ``v9``, no version before any."""
    versions = rows["plan_version"].fillna("").astype("str").where(rows["measure"].isin(["plan", "budget"]), "")
    order = {text: place for place, text in enumerate(sorted(set(versions), key=_natural))}
    place = versions.map(order).astype("int64")
    last = rows.assign(place=place).groupby([*UNIT, "measure"])["place"].transform("max")
    return rows[place.eq(last)]


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", text)]


def _closed_months(rows: pd.DataFrame, *, due: int) -> pd.Series:
    posted = rows[rows["measure"].eq("actual") & rows["minor"].notna() & rows["number"].between(1, due)]
    last = posted.groupby("portfolio_id")["number"].max()
    return rows["portfolio_id"].map(last).fillna(0).astype("int64")


def _holds_accruals(rows: pd.DataFrame, *, due: int) -> pd.Series:
    """Say of each row whether its unit's latest actuals hold accruals already."""
    posted = rows[rows["measure"].eq("actual") & rows["number"].between(1, due)]
    latest = posted[posted["number"].eq(posted.groupby(UNIT)["number"].transform("max"))]
    holding = latest.assign(holds=latest["actual_basis"].eq("with accruals")).groupby(UNIT)["holds"].any()
    units = pd.MultiIndex.from_frame(rows[UNIT])
    return pd.Series(holding.reindex(units, fill_value=False).to_numpy(dtype=bool), index=rows.index)


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
    has_forecast = forecast.groupby([rows[name] for name in UNIT]).transform("any")
    return rows["number"].eq(0) & (forecast | (rows["measure"].eq("actual") & ~has_forecast.astype(bool)))


MASKS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "plan": _is("plan", when=_any),
    "budget": _is("budget", when=_any),
    "ytd_plan": _is("plan", when=_done),
    "ytd_actual": _is("actual", when=_done),
    "accruals": _is("accrual", when=lambda rows: _last(rows) & ~rows["holds_accruals"]),
    "commitments": _is("commitment", when=_last),
    "remaining_forecast": _is("forecast", when=lambda rows: rows["number"].gt(rows["closed"])),
    "year_forecast": _year_forecasts,
}


def _by_month(book: pd.DataFrame) -> pd.Series:
    """Say of each unit whether any of its figures is by month."""
    return book.assign(by_month=book["number"].gt(0)).groupby(UNIT, sort=True)["by_month"].any()


def _first_reason(parts: pd.DataFrame, *, part: str, index: pd.MultiIndex | pd.Index) -> pd.Series:
    found = parts[parts["part"].eq(part)].set_index(UNIT)["reason"]
    return found.reindex(index).fillna("").astype("str")


def _outlook_reasons(
    units: pd.DataFrame, *, has: pd.DataFrame, parts: pd.DataFrame, year: FiscalYear, ended: frozenset[str]
) -> pd.Series:
    """Say why the outlook of a unit cannot be computed; ``""`` where it can."""
    why = pd.Series("", index=units.index, dtype="str")
    for part in COSTS:
        unknown = _first_reason(parts, part=part, index=units.index)
        why = why.mask(why.eq("") & unknown.ne(""), part.replace("_", " ") + ": " + unknown)
    monthly = ~has["year_forecast"]
    over = pd.Series(units.index.get_level_values("project_id").isin(ended), index=units.index)
    to_come = units["closed"].lt(MONTHS_OF_YEAR) & ~has["remaining_forecast"] & ~over
    spends = units["ytd_plan"].fillna(0).ne(0) & ~has["ytd_actual"]
    last = pd.Series([month(year.month(closed)) for closed in units["closed"]], index=units.index, dtype="str")
    none_at_all = ~has["ytd_actual"] & ~has["remaining_forecast"]
    why = why.mask(why.eq("") & monthly & none_at_all, NO_FORECAST)
    why = why.mask(why.eq("") & monthly & spends, NO_ACTUALS)
    why = why.mask(why.eq("") & monthly & to_come, "no forecast after " + last)
    return why.mask(why.eq("") & ~monthly & has["remaining_forecast"], MIXED_FORECAST)
