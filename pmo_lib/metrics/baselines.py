"""Approved baselines: how far the forecast is from the original, previous and current one, and why they changed.

Variance at completion as in PMI, *The Standard for Earned Value Management*, 2019, taken against each baseline version
instead of the current one only: a project that is re-baselined after every slip is always on plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.movement import joined, names_of, status_dates

if TYPE_CHECKING:
    from pmo_lib.parameters.models import Thresholds

AGAINST = ("original", "previous", "current")
VARIANCE_COLUMNS = (
    "project_id", "name", "versions", "original_finish_on", "current_finish_on", "finish_on",
    "original_days", "previous_days", "current_days", "original_growth", "previous_growth", "current_growth",
    "original_share", "currency", "previous_reason", "finish_reason", "growth_reason", "source_ref",
)  # fmt: skip
CHANGE_COLUMNS = (
    "project_id", "name", "version", "kind", "change_id", "approved_on", "approver", "finish_moved_days",
    "start_moved_days", "budget_change", "currency", "breach", "breach_reason", "flags", "source_ref",
)  # fmt: skip
NO_BASELINE, ONE_VERSION = "no baseline", "one version"


def variance(baselines: pd.DataFrame, *, projects: pd.DataFrame) -> pd.DataFrame:
    """Compare each project's expected finish and cost with its original, previous and current baseline.

    Parameters
    ----------
    baselines, projects
        The contract tables of one portfolio in one period.

    Returns
    -------
    DataFrame
        :data:`VARIANCE_COLUMNS`, one row per project (none if nobody returned a baseline), furthest from its original
        finish first. ``…_days`` = actual
        finish, else forecast finish, − the version's finish. ``…_growth`` (money) = whole-life cost forecast −
        approved, plus what later versions added to the version's budget; ``original_share`` is growth ÷ original
        budget. Nulls have their reason in ``previous_reason`` (one version only), ``finish_reason``, ``growth_reason``.
    """
    if baselines.empty:
        return pd.DataFrame(columns=list(VARIANCE_COLUMNS))
    order = baselines.sort_values(["project_id", "approved_on", "version"], kind="stable")
    by_project = order.groupby("project_id")
    table = projects.drop_duplicates("project_id").set_index("project_id", drop=False)
    table["versions"] = by_project.size().reindex(table.index).fillna(0).astype("int64")
    table["finish_on"] = table["finish_actual_on"].fillna(table["finish_forecast_on"])
    over = table["whole_life_cost_forecast"] - table["whole_life_cost_baseline"]
    versions = {
        "original": by_project.nth(0).set_index("project_id"),
        "previous": by_project.nth(-2).set_index("project_id"),
        "current": by_project.nth(-1).set_index("project_id"),
    }
    budget_now = versions["current"]["budget"].reindex(table.index)
    for against, rows in versions.items():
        version = rows.reindex(table.index)
        table[f"{against}_finish_on"] = version["finish_on"]
        table[f"{against}_days"] = (table["finish_on"] - version["finish_on"]).dt.days.astype("Int64")
        table[f"{against}_growth"] = over + (budget_now - version["budget"])
    first_budget = versions["original"]["budget"].reindex(table.index)
    table["original_share"] = table["original_growth"] / first_budget.where(first_budget > 0)
    return _with_reasons(table)


def rebaselines(
    baselines: pd.DataFrame, *, projects: pd.DataFrame, status: pd.DataFrame, limits: Thresholds
) -> pd.DataFrame:
    """List every baseline after the first with what it moved, and what is odd about it.

    Parameters
    ----------
    baselines
        The contract table of one portfolio in one period.
    projects, status
        Histories: they say how the project stood at the last report before the approval.
    limits
        A breach is a slip above ``slip_red_days`` or a growth above ``cost_red`` at that report.

    Returns
    -------
    DataFrame
        :data:`CHANGE_COLUMNS`, latest approval first. ``breach`` says how it stood (``no breach`` or the figures), null
        with ``breach_reason`` where no earlier report is held. ``flags`` joins with ``; ``: ``within one period of a
        breach``, ``no change request``, ``start moved``, ``lapsed date re-approved``.
    """
    order = baselines.sort_values(["project_id", "approved_on", "version"], kind="stable")
    earlier = order.groupby("project_id")[["start_on", "finish_on", "budget"]].shift()
    later = order[order.groupby("project_id").cumcount() > 0]
    earlier = earlier.loc[later.index]
    breach = _breaches(later, projects=projects, dates=status_dates(status), limits=limits)
    table = later.assign(
        name=later["project_id"].map(names_of(projects)),
        finish_moved_days=(later["finish_on"] - earlier["finish_on"]).dt.days.astype("Int64"),
        start_moved_days=(later["start_on"] - earlier["start_on"]).dt.days.astype("Int64"),
        budget_change=later["budget"] - earlier["budget"],
        breach=breach,
        breach_reason="before our first report",
    )
    raised = {
        "within one period of a breach": breach.notna() & breach.ne("no breach"),
        "no change request": later["change_id"].isna(),
        "start moved": table["start_moved_days"].fillna(0) != 0,
        "lapsed date re-approved": earlier["finish_on"] < later["approved_on"],
    }
    table["flags"] = joined(raised)
    table = table.sort_values(["approved_on", "name"], ascending=[False, True], kind="stable")
    return table[list(CHANGE_COLUMNS)].reset_index(drop=True)


def _with_reasons(table: pd.DataFrame) -> pd.DataFrame:
    none = table["versions"] == 0
    blank = pd.Series("", index=table.index, dtype="str")
    finish = blank.mask(table["finish_on"].isna(), "no forecast finish").mask(none, NO_BASELINE)
    growth = blank.mask(table["current_growth"].isna(), "no whole-life cost or no budget").mask(none, NO_BASELINE)
    table["finish_reason"], table["growth_reason"] = finish, growth
    table["previous_reason"] = finish.mask(table["versions"] == 1, ONE_VERSION)
    table["size"] = table["original_days"].astype("float64")
    order = table.sort_values(["size", "name"], ascending=[False, True], kind="stable")
    return order[list(VARIANCE_COLUMNS)].reset_index(drop=True)


def _breaches(later: pd.DataFrame, *, projects: pd.DataFrame, dates: pd.Series, limits: Thresholds) -> pd.Series:
    """Say how each project stood at the last report on or before the approval; null where there is none."""
    stood = projects.drop_duplicates(["period", "project_id"]).set_index(["period", "project_id"])
    words: list[str | None] = []
    for project_id, approved_on in zip(later["project_id"], later["approved_on"], strict=True):
        reports = dates[dates <= approved_on]
        key = (reports.index[-1], project_id) if len(reports) else None
        words.append(_standing(stood.loc[key], limits=limits) if key is not None and key in stood.index else None)
    return pd.Series(words, index=later.index, dtype="str")


def _standing(project: pd.Series, *, limits: Thresholds) -> str:
    slip = (project["finish_forecast_on"] - project["finish_baseline_on"]) / pd.Timedelta(days=1)
    growth = project["whole_life_cost_forecast"] / project["whole_life_cost_baseline"] - 1
    said = []
    if slip > limits.slip_red_days:
        said.append(f"{int(slip):,} days late")
    if growth > limits.cost_red:
        said.append(f"{growth:.0%} over cost")
    return ", ".join(said) or "no breach"
