"""Fixed cohorts: the same projects followed from report to report, so that no newcomer hides a slip.

A cohort is made of the projects that were first reported, with a finish date, in the same calendar year, and it never
loses one: where a project has no date in a report, what it last gave is carried along and counted as carried. Leaving
the data is not finishing.

The slips of an organisation's own projects, by the stage in which each was first seen, are its reference class (B.
Flyvbjerg and COWI, *Procedures for Dealing with Optimism Bias in Transport Planning*, Department for Transport, 2004).
A percentile is the larger of the two observed slips around it: never interpolated, never flattering. Slips are calendar
days, positive is later.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pmo_lib.metrics.movement import Between, status_dates
from pmo_lib.metrics.schedule import BASES, finishes, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_REPORTS = 3
ENOUGH = 20
NO_STAGE = "stage not stated"
TRACK_COLUMNS = ("project_id", "name", "return_month", "reported_on", "stage", "finish_on", "basis")
TREND_COLUMNS = (
    "cohort",
    "return_month",
    "reported_on",
    "projects",
    "dated",
    "carried",
    "p50_days",
    "p80_days",
    "basis",
)
SLIP_COLUMNS = (
    "first_stage", "projects", "followed", "later", "p50_days", "p80_days", "least_days", "most_days", "no_first_date",
    "no_date_now", "too_few_reports", "few", "least_reports", "basis",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Finishes:
    """The finish dates of a portfolio: ``projects``, ``status`` and ``states`` are histories."""

    projects: pd.DataFrame
    status: pd.DataFrame
    states: pd.DataFrame
    column: str
    between: Between

    @cached_property
    def moved(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.schedule.finishes`."""
        known = {"status": self.status, "states": self.states}
        return finishes(self.projects, column=self.column, between=self.between, **known)

    @property
    def spread(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.schedule.spread`."""
        return spread(self.moved)

    @cached_property
    def tracks(self) -> pd.DataFrame:
        """As :func:`tracks`."""
        return tracks(self.projects, status=self.status, column=self.column, between=self.between)

    @property
    def trend(self) -> pd.DataFrame:
        """As :func:`trend`."""
        return trend(self.tracks)

    @property
    def slips(self) -> pd.DataFrame:
        """As :func:`slips_by_stage`."""
        return slips_by_stage(self.tracks)

    @property
    def told(self) -> dict[str, pd.DataFrame]:
        """The tables that a roll-up reads."""
        return {"finish_tracks": self.tracks}


def tracks(projects: pd.DataFrame, *, status: pd.DataFrame, column: str, between: Between) -> pd.DataFrame:
    """Return what each report said of the finish of every project of ours, wherever the project stood then.

    Ours are the projects that we hold now, and those that left the data from here: no cohort loses them.

    Parameters
    ----------
    projects, status
        Histories.
    column
        See :func:`pmo_lib.metrics.schedule.finish_column`; an actual finish takes its place.

    Returns
    -------
    DataFrame
        :data:`TRACK_COLUMNS` and ``source_ref``, by project and report; ``finish_on`` and ``stage`` are null where the
        report has none.
    """
    rows = projects[projects["period"].le(between.period)]
    elsewhere = rows["portfolio_id"].ne(between.portfolio_id)
    rows = rows.assign(elsewhere=elsewhere).sort_values(["project_id", "period", "elsewhere"], kind="stable")
    rows = rows.drop_duplicates(["project_id", "period"])
    last = rows.drop_duplicates("project_id", keep="last")
    rows = rows[rows["project_id"].isin(last.loc[~last["elsewhere"], "project_id"])]
    days = status_dates(status)
    table = rows.assign(
        reported_on=pd.to_datetime(rows["period"].map(days)),
        finish_on=rows["finish_actual_on"].fillna(rows[column]),
        return_month=rows["period"],
        basis=BASES[column],
    )
    return table[[*TRACK_COLUMNS, "source_ref"]].reset_index(drop=True)


def trend(tracked: pd.DataFrame) -> pd.DataFrame:
    """Follow each cohort over the reports: how far the finish has moved since its projects' first reports.

    Parameters
    ----------
    tracked
        Result of :func:`tracks`; those of several portfolios may stand under each other.

    Returns
    -------
    DataFrame
        :data:`TREND_COLUMNS`, by cohort and report, from the last report of the cohort's year on. ``projects`` is the
        same in every row of a cohort: ``dated`` in that report + ``carried`` along. Projects without any date are in no
        cohort.
        Empty where there is one report.
    """
    tracked = _once(tracked)
    reports = _reports(tracked)
    dated = tracked[tracked["finish_on"].notna()]
    if len(reports) < 2 or dated.empty:
        return pd.DataFrame(columns=list(TREND_COLUMNS))
    wide = dated.pivot(index="project_id", columns="reported_on", values="finish_on")
    wide = wide.reindex(columns=list(reports.index)).astype("datetime64[us]")
    first = wide.bfill(axis="columns").iloc[:, 0]
    began = wide.notna().idxmax(axis="columns")
    lines = [
        line
        for year, members in wide.groupby(pd.DatetimeIndex(began).year, sort=True)
        for line in _line(members, first=first, cohort=str(year), reports=reports)
    ]
    return pd.DataFrame(lines).assign(basis=str(tracked["basis"].iloc[0]))[list(TREND_COLUMNS)]


def slips_by_stage(tracked: pd.DataFrame, *, least_reports: int = LEAST_REPORTS) -> pd.DataFrame:
    """Say how far finishes slipped since the first report, by the stage in which a project was first seen.

    Parameters
    ----------
    tracked
        As in :func:`trend`.
    least_reports
        A project that stood in fewer reports, this one included, is not in a class yet.

    Returns
    -------
    DataFrame
        :data:`SLIP_COLUMNS`, the largest class first. ``projects`` = ``followed`` + ``no_first_date`` +
        ``no_date_now`` + ``too_few_reports``; the slips are those of ``followed``: dated in their first report and in
        the latest one. ``few``: below the number from which a class of one's own is used. A percentile of none is null.
        Empty where there is one report.
    """
    tracked = _once(tracked)
    reports = _reports(tracked)
    if len(reports) < 2:
        return pd.DataFrame(columns=list(SLIP_COLUMNS))
    ordered = tracked.sort_values(["project_id", "reported_on"], kind="stable")
    first, last = (ordered.drop_duplicates("project_id", keep=end).set_index("project_id") for end in ("first", "last"))
    now = pd.to_datetime(last["finish_on"].where(last["reported_on"].eq(reports.index[-1])))
    slips = pd.DataFrame(
        {
            "stage": first["stage"].fillna(NO_STAGE),
            "slip": (now - pd.to_datetime(first["finish_on"])).dt.days.astype("float64"),
            "no_first_date": first["finish_on"].isna(),
            "no_date_now": first["finish_on"].notna() & now.isna(),
            "few_reports": ordered.groupby("project_id").size().lt(least_reports),
        }
    )
    slips["too_few_reports"] = slips["few_reports"] & slips["slip"].notna()
    rows = [_class(str(stage), rows=rows) for stage, rows in slips.groupby("stage", sort=True)]
    table = pd.DataFrame(rows).assign(least_reports=least_reports, basis=str(tracked["basis"].iloc[0]))
    order = table.sort_values(["followed", "projects"], ascending=False, kind="stable")
    return order[list(SLIP_COLUMNS)].reset_index(drop=True)


def percentile(days: pd.Series, *, share: float) -> float | None:
    """Return the larger of the two observed values around a percentile; null of none.

    >>> percentile(pd.Series([10.0, 20.0, 30.0, 40.0]), share=0.5)
    30.0
    """
    return float(np.quantile(days.to_numpy(), share, method="higher")) if len(days) else None


def _reports(tracked: pd.DataFrame) -> pd.Series:
    """Return the period of each report, by its day, ascending."""
    if tracked.empty:
        return pd.Series(dtype="str")
    return tracked.drop_duplicates("reported_on").set_index("reported_on")["return_month"].sort_index()


def _once(tracked: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each project and report; a table that nobody published has the columns all the same."""
    rows = tracked.reindex(columns=list(TRACK_COLUMNS))
    return rows.drop_duplicates(["project_id", "reported_on"])


def _line(members: pd.DataFrame, *, first: pd.Series, cohort: str, reports: pd.Series) -> Iterator[dict[str, Any]]:
    """Yield one cohort, report by report, from the last one of its year on."""
    known = members.ffill(axis="columns")
    closed = max(day for day in reports.index if str(day.year) <= cohort)
    for day in [day for day in reports.index if day >= closed]:
        days = (known[day] - first.reindex(known.index)).dt.days.astype("float64")
        dated = int(members[day].notna().sum())
        yield {
            "cohort": cohort,
            "return_month": reports[day],
            "reported_on": day,
            "projects": len(members),
            "dated": dated,
            "carried": len(members) - dated,
            "p50_days": percentile(days, share=0.5),
            "p80_days": percentile(days, share=0.8),
        }


def _class(stage: str, *, rows: pd.DataFrame) -> dict[str, Any]:
    followed = rows.loc[rows["slip"].notna() & ~rows["few_reports"], "slip"]
    return {
        "first_stage": stage,
        "projects": len(rows),
        "followed": len(followed),
        "later": int(followed.gt(0).sum()),
        "p50_days": percentile(followed, share=0.5),
        "p80_days": percentile(followed, share=0.8),
        "least_days": followed.min() if len(followed) else None,
        "most_days": followed.max() if len(followed) else None,
        **{name: int(rows[name].sum()) for name in ("no_first_date", "no_date_now", "too_few_reports")},
        "few": len(followed) < ENOUGH,
    }
