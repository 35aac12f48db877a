"""Milestones: what is due, what slips, and how fast.

Milestone trend analysis sets the forecast date against the report date: a level line is on plan, a rising one slips,
and a line that meets the diagonal is met. Slip = expected − baseline date; slip rate = change of the forecast ÷ days
between the reports, so that at 1 a milestone recedes as fast as time passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.movement import Between, names_of

if TYPE_CHECKING:
    from pmo_lib.parameters.models import Thresholds

SECONDS_A_DAY = 86_400
MET, MET_LATE, MISSED, AT_RISK, ON_PLAN, NO_BASELINE, UNDATED = (
    "met", "met late", "missed", "at risk", "on plan", "no baseline", "no forecast",
)  # fmt: skip
SLIP_COLUMNS = (
    "project_id", "name", "milestone_id", "milestone", "kind", "owner", "critical", "baseline_on", "forecast_on",
    "actual_on", "state", "slip_days", "slip_reason", "slip_rate", "rate_reason", "days_to_go", "due", "status_date",
    "source_ref",
)  # fmt: skip
TREND_COLUMNS = ("rank", "label", "project_id", "milestone_id", "status_date", "expected_on", "met")


def slips(milestones: pd.DataFrame, *, projects: pd.DataFrame, between: Between, limits: Thresholds) -> pd.DataFrame:
    """Say of each milestone how late it is, how fast it recedes, and whether it is due.

    Parameters
    ----------
    milestones, projects
        Histories.
    limits
        Open milestones forecast within ``milestone_horizon_days`` of the status date are ``due``; so are overdue ones.

    Returns
    -------
    DataFrame
        :data:`SLIP_COLUMNS`, largest slip first. ``state`` is met, met late, missed (the baseline date has passed), at
        risk (forecast after the baseline), on plan, no baseline or no forecast. ``slip_days`` and ``slip_rate`` are
        null where their reason says so; ``days_to_go`` is negative for a forecast in the past.
    """
    now = between.now(milestones)
    earlier = between.before(milestones).drop_duplicates(["project_id", "milestone_id"])
    table = now.merge(
        earlier[["project_id", "milestone_id", "forecast_on", "status_date"]],
        how="left", on=["project_id", "milestone_id"], suffixes=("", "_before"),
    )  # fmt: skip
    is_open = table["actual_on"].isna()
    expected = table["actual_on"].fillna(table["forecast_on"])
    elapsed = _days(table["status_date"] - table["status_date_before"])
    to_go = _days(table["forecast_on"] - table["status_date"]).where(is_open)
    table = table.assign(
        milestone=table["name"],
        name=table["project_id"].map(names_of(projects)),
        slip_days=_days(expected - table["baseline_on"]).astype("Int64"),
        slip_rate=(_days(table["forecast_on"] - table["forecast_on_before"]) / elapsed).where(is_open),
        days_to_go=to_go.astype("Int64"),
        due=to_go <= limits.milestone_horizon_days,
    )
    table["state"] = _states(table, expected=expected)
    undated, unseen = {"no forecast date": expected.isna()}, table["status_date_before"].isna()
    table["slip_reason"] = _reason(
        table["slip_days"], causes={"no baseline date": table["baseline_on"].isna(), **undated}
    )
    causes = {"met": ~is_open, "not in the earlier report": unseen, **undated}
    table["rate_reason"] = _reason(table["slip_rate"], causes=causes)
    table["size"] = table["slip_days"].astype("float64")
    order = table.sort_values(["size", "name", "milestone_id"], ascending=[False, True, True], kind="stable")
    return order[list(SLIP_COLUMNS)].reset_index(drop=True)


def due(slipped: pd.DataFrame) -> pd.DataFrame:
    """Return the open milestones of :func:`slips` that are overdue or fall due within the horizon, by date."""
    return slipped[slipped["due"]].sort_values(["forecast_on", "name"], kind="stable").reset_index(drop=True)


def slipping(slipped: pd.DataFrame) -> pd.DataFrame:
    """Return the open milestones of :func:`slips` that are missed or at risk, largest slip first."""
    return slipped[slipped["state"].isin([MISSED, AT_RISK])].reset_index(drop=True)


def ranked(slipping: pd.DataFrame, *, paths: pd.DataFrame) -> pd.DataFrame:
    """Rank the milestones of :func:`slipping` by slip, then by least float, then by most followers.

    Parameters
    ----------
    paths
        Of :class:`pmo_lib.metrics.critical_path.Schedule`. A milestone is the task of its project with the same id, or,
        without regard to case, the only one with its name.

    Returns
    -------
    DataFrame
        With ``float_days`` and ``followers`` (tasks that come after it); null with ``network_reason``.
    """
    by_id = {(project, task): place for place, (project, task) in enumerate(_pairs(paths, of="task_id"))}
    names = pd.Series(_pairs(paths.assign(name=paths["name"].str.casefold()), of="name"), dtype="object")
    by_name = {key: place for place, key in names[~names.duplicated(keep=False)].items()}
    folded = slipping.assign(milestone=slipping["milestone"].str.casefold())
    keys = zip(_pairs(slipping, of="milestone_id"), _pairs(folded, of="milestone"), strict=True)
    places = pd.Series([by_id.get(own, by_name.get(name)) for own, name in keys], index=slipping.index, dtype="Int64")
    known = paths["project_id"].unique()
    found = slipping.assign(
        float_days=places.map(paths["total_float_days"]).astype("float64"),
        followers=places.map(paths["followers"]).astype("Int64"),
        network_reason=pd.Series("not in it", index=slipping.index, dtype="str")
        .mask(~slipping["project_id"].isin(known), "no network")
        .mask(places.notna(), "not computable"),
    )
    order = {"slip_days": False, "float_days": True, "followers": False, "name": True, "milestone_id": True}
    sizes = found.assign(**{name: found[name].astype("float64") for name in ("slip_days", "followers")})
    sizes = sizes.sort_values(list(order), ascending=list(order.values()), kind="stable")
    return found.loc[sizes.index].reset_index(drop=True)


def trend(milestones: pd.DataFrame, *, slipped: pd.DataFrame, top: int = 6) -> pd.DataFrame:
    """Return the reported dates of the milestones that slip most, over all reports: :data:`TREND_COLUMNS`.

    Without a slipping milestone the next ones due are followed. ``expected_on`` is the forecast, or the day it was met;
    reports without a date are left out.
    """
    chosen = slipping(slipped)
    chosen = (chosen if len(chosen) else due(slipped)).head(top).reset_index(drop=True)
    ranked = chosen[["project_id", "milestone_id"]].assign(
        rank=range(1, len(chosen) + 1), label=chosen["name"] + ": " + chosen["milestone"]
    )
    points = milestones.merge(ranked, on=["project_id", "milestone_id"])
    points = points.assign(
        expected_on=points["actual_on"].fillna(points["forecast_on"]), met=points["actual_on"].notna()
    )
    points = points[points["expected_on"].notna()].sort_values(["rank", "status_date"], kind="stable")
    return points[list(TREND_COLUMNS)].reset_index(drop=True)


def _pairs(rows: pd.DataFrame, *, of: str) -> list[tuple[str, str]]:
    return list(zip(rows["project_id"].tolist(), rows[of].tolist(), strict=True))


def _days(difference: pd.Series) -> pd.Series:
    days: pd.Series = difference.dt.total_seconds() / SECONDS_A_DAY
    return days


def _states(table: pd.DataFrame, *, expected: pd.Series) -> pd.Series:
    done, baseline = table["actual_on"].notna(), table["baseline_on"]
    state = pd.Series(ON_PLAN, index=table.index, dtype="str")
    state = state.mask(expected > baseline, AT_RISK).mask(baseline < table["status_date"], MISSED)
    state = state.mask(baseline.isna(), NO_BASELINE).mask(expected.isna() & (state != MISSED), UNDATED)
    return state.mask(done, MET).mask(done & (expected > baseline), MET_LATE)


def _reason(values: pd.Series, *, causes: dict[str, pd.Series]) -> pd.Series:
    """Return the first cause that holds where a value is null, ``""`` where there is a value."""
    words = pd.Series("not in the earlier report", index=values.index, dtype="str")
    for cause, holds in reversed(causes.items()):
        words = words.mask(holds, cause)
    return words.where(values.isna(), "")
