"""Earlier periods as they were organised then, and on today's structure: two groupings of the same project rows.

A project counts, on today's structure, where it is now. A project that is no longer there follows its portfolio:
through renamings and mergers to the one portfolio that took it over; where a portfolio was split among several, or
ended without a successor, its left projects stay under its own name, marked as gone. Both groupings have equal totals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.facts import KEY, exact_sum, in_form, one_currency, unit_names
from pmo_lib.metrics.money import major_units, minor_units
from pmo_lib.metrics.movement import MOVED_IN, MOVED_OUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AS_THEN, TODAY = "as then organised", "on today's structure"
FOLLOWED = ("renamed", "merged")
DISSOLVED, ENDED = "dissolved", "no longer reports"
STRUCTURE_COLUMNS = [
    "period", "unit_id", "name", "fate", "projects_then", "cost_then", "projects_today", "cost_today", "difference",
    "currency",
]  # fmt: skip
MOVE_COLUMNS = ["period", "project_id", "name", "from_id", "to_id", "before", "now", "currency"]


def successors(gone: Sequence[str], *, lineage: pd.DataFrame, today: Sequence[str]) -> dict[str, str]:
    """Return, for each portfolio that is no longer there, the one of today that took it over.

    Parameters
    ----------
    gone
        Ids of portfolios of earlier periods.
    lineage
        The contract table ``lineage``; rows about single projects are not used.
    today
        Ids of the portfolios that there are now.

    Returns
    -------
    dict
        Portfolio before → portfolio now, only where the way through renamings and mergers is unique.
    """
    whole = lineage[lineage["project_id"].isna()] if len(lineage) else lineage
    ways: dict[str, set[str]] = {}
    for before, after, kind in zip(whole["from_id"], whole["to_id"], whole["kind"], strict=True):
        ways.setdefault(str(before), set()).update({str(after)} if kind in FOLLOWED else {str(after), ""})
    found = {unit: _followed(unit, ways=ways, today=frozenset(today)) for unit in gone}
    return {unit: successor for unit, successor in found.items() if successor is not None}


def structures(
    projects_history: pd.DataFrame, *, costs_history: pd.DataFrame, lineage: pd.DataFrame, portfolios: pd.DataFrame
) -> pd.DataFrame:
    """Return each period's totals by portfolio, as then organised and on today's structure.

    Parameters
    ----------
    projects_history, costs_history
        The published tables ``projects`` and ``whole_life_cost`` of all periods; today is the latest of them.
    lineage
        The contract table ``lineage``.
    portfolios
        History of the contract table ``portfolios``, for the names.

    Returns
    -------
    DataFrame
        One row per period and unit: :data:`STRUCTURE_COLUMNS`. Counts of projects and whole-life cost, both ways;
        ``fate`` says what became of a unit that is no longer there; ``difference`` is cost today − cost then. In each
        period Σ then = Σ today, so Σ ``difference`` = 0. Empty where only one period is published.
    """
    rows = _placed(projects_history, costs_history=costs_history, lineage=lineage)
    then = _by_unit(rows, by="portfolio_id", suffix="then")
    today = _by_unit(rows, by="unit_today", suffix="today")
    table = then.join(today, how="outer").sort_index().reset_index()
    counts = ["projects_then", "projects_today"]
    table[counts] = table[counts].fillna(0).astype("int64")
    latest = rows.loc[rows["period"].eq(rows["period"].max()), "portfolio_id"]
    names = table["unit_id"].map(unit_names(portfolios)).fillna(table["unit_id"])
    fates = _fates(table["unit_id"], today=frozenset(latest), lineage=lineage)
    difference = minor_units(table["cost_today"]).fillna(0) - minor_units(table["cost_then"]).fillna(0)
    table = table.assign(name=names, fate=fates, difference=major_units(difference))
    several = table["period"].nunique() > 1
    return table.assign(currency=one_currency(costs_history)).loc[[several] * len(table), STRUCTURE_COLUMNS]


def moves(costs_history: pd.DataFrame) -> pd.DataFrame:
    """List the projects that changed portfolio, period by period: what one gave away and another took over.

    Returns
    -------
    DataFrame
        :data:`MOVE_COLUMNS`: ``before`` is the cost in the old portfolio, ``now`` in the new one, null where it has no
        single figure or where that portfolio's report is not there.
    """
    columns = ["period", *KEY, "name", "before", "now", "moved_amount", "cause", "other_portfolio_id", "currency"]
    rows = in_form(costs_history, columns=columns)
    came = rows[rows["cause"].eq(MOVED_IN)]
    came = came.assign(from_id=came["other_portfolio_id"], to_id=came["portfolio_id"], before=came["moved_amount"])
    went = rows[rows["cause"].eq(MOVED_OUT)]
    known = pd.MultiIndex.from_frame(came[["period", "project_id"]])
    went = went[~pd.MultiIndex.from_frame(went[["period", "project_id"]]).isin(known)]
    went = went.assign(from_id=went["portfolio_id"], to_id=went["other_portfolio_id"], now=None)
    parts = [part[MOVE_COLUMNS].astype(object) for part in (came, went) if len(part)]
    table = pd.concat(parts, ignore_index=True) if parts else came[MOVE_COLUMNS]
    return table.sort_values(["period", "project_id"], kind="stable").reset_index(drop=True)


def moves_by_period(moved: pd.DataFrame) -> pd.DataFrame:
    """Return ``period, projects, before, now, currency`` of :func:`moves`, one row per period."""
    rows = [
        {
            "period": period,
            "projects": len(group),
            "before": exact_sum(group["before"]),
            "now": exact_sum(group["now"]),
            "currency": one_currency(group),
        }
        for period, group in moved.groupby("period", sort=True)
    ]
    return pd.DataFrame(rows, columns=["period", "projects", "before", "now", "currency"])


def _followed(unit: str, *, ways: Mapping[str, set[str]], today: frozenset[str]) -> str | None:
    """Follow the ways from a unit while each is the only one; "" stands for a part that went elsewhere."""
    seen: set[str] = set()
    while unit not in today:
        onward = ways.get(unit, set())
        if len(onward) != 1 or unit in seen:
            return None
        seen.add(unit)
        (unit,) = onward
    return unit


def _placed(projects_history: pd.DataFrame, *, costs_history: pd.DataFrame, lineage: pd.DataFrame) -> pd.DataFrame:
    """Return one row per period and project with its portfolio then, its unit today and its cost."""
    rows = in_form(projects_history, columns=["period", *KEY])[["period", *KEY]]
    costs = in_form(costs_history, columns=["period", *KEY, "now"]).drop_duplicates(["period", *KEY])
    rows = rows.merge(costs[["period", *KEY, "now"]], how="left", on=["period", *KEY])
    latest = rows[rows["period"].eq(rows["period"].max())]
    places = dict(zip(latest["project_id"], latest["portfolio_id"], strict=True))
    today = sorted(set(latest["portfolio_id"]))
    taken_over = successors(sorted(set(rows["portfolio_id"])), lineage=lineage, today=today)
    units = [
        places.get(project, taken_over.get(portfolio, portfolio))
        for project, portfolio in zip(rows["project_id"], rows["portfolio_id"], strict=True)
    ]
    now = rows["period"].eq(rows["period"].max())
    unit_today = pd.Series(units, index=rows.index, dtype="object").mask(now, rows["portfolio_id"])
    return rows.assign(unit_today=unit_today)


def _by_unit(rows: pd.DataFrame, *, by: str, suffix: str) -> pd.DataFrame:
    grouped = rows.assign(minor=minor_units(rows["now"]), unit_id=rows[by]).groupby(["period", "unit_id"])
    table = pd.DataFrame({f"projects_{suffix}": grouped.size(), f"cost_{suffix}": grouped["minor"].sum(min_count=1)})
    return table.assign(**{f"cost_{suffix}": major_units(table[f"cost_{suffix}"])})


def _fates(ids: pd.Series, *, today: frozenset[str], lineage: pd.DataFrame) -> list[str]:
    """Say what became of each unit that is no longer there; "" of the others."""
    gone = sorted(set(ids) - today)
    heirs = successors(gone, lineage=lineage, today=sorted(today))
    whole = set(lineage.loc[lineage["project_id"].isna(), "from_id"])
    ends = {unit: DISSOLVED if unit in whole else ENDED for unit in gone}
    return [f"now {heirs[unit]}" if unit in heirs else ends.get(unit, "") for unit in ids]
