"""Earned value of projects and of their sums: programme, portfolio, function; by month; and the range of forecasts.

Every sum is a position of its own: its indices are ratios of sums, its planned value curve is the sum of the curves
(Lipke's earned schedule is read on that), and its estimates follow from its own figures. Only ``eac_budget`` and
``eac_bottom_up`` of a sum are therefore the sums of those below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.backtest import error_bands, forecast_errors
from pmo_lib.metrics.calendar import HORIZON, months_written
from pmo_lib.metrics.earned_schedule import TIME_RULES, duration_estimates, earned_months, planned_months, schedule
from pmo_lib.metrics.earned_value import COST_RULES, MONEY, at_completion, cost_estimates, indices, too_low
from pmo_lib.metrics.money import major_units, minor_units, one_base
from pmo_lib.metrics.movement import joined
from pmo_lib.metrics.outlook import PORTFOLIO, PROGRAMME, PROJECT
from pmo_lib.metrics.progress import measured, standing
from pmo_lib.metrics.reference_classes import OutsideView, estimates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pmo_lib.metrics.calendar import Calendar
    from pmo_lib.metrics.fiscal import View
    from pmo_lib.metrics.progress import Progress, Terms
    from pmo_lib.parameters.models import Organisation

UNIT_FACTS = ["level", "programme_id", "project_id", "name", "projects", "projects_measured"]
MONTH_COLUMNS = [
    "month", "known", "planned_value", "earned_value", "actual_cost", "cpi", "cpi_reason", "spi", "spi_reason", "spi_t",
    "spi_t_reason", "projects", "projects_asked", "rebaselined", "ends_on", "earned_on", "status_on",
    "behind_months", "budget", "currency",
]  # fmt: skip
PUBLISHED_UNITS = [
    *UNIT_FACTS, "month", *MONEY, "currency", "cpi", "spi", "complete_share", "elapsed_months", "earned_months",
    "planned_months", "spi_t", *COST_RULES, "planned_finish_on", "forecast_finish_on",
    *(f"{rule}_on" for rule in TIME_RULES), "origin", "time", "flags", "reason", "source_ref",
]  # fmt: skip
PUBLISHED_ERRORS = ["project_id", "month", "kind", "rule", "complete_share", "error"]
PUBLISHED_MONTHS = ["month", "planned_value", "earned_value", "actual_cost", "projects", "currency"]
BEYOND = "beyond 2100 at this pace"
NOT_IN_MONTH = "no figures in this month"
RECOVERY, HOPEFUL = "to-complete index above the limit", "management's estimate below the recent trend"


@dataclass(frozen=True, eq=False)
class Earned:
    """All that a report says of earned value; ``earned_value``, ``baselines`` and ``projects`` are histories."""

    earned_value: pd.DataFrame
    baselines: pd.DataFrame
    projects: pd.DataFrame
    programmes: pd.DataFrame
    view: View
    settings: Organisation
    status_on: pd.Timestamp

    @cached_property
    def progress(self) -> Progress:
        """As :func:`pmo_lib.metrics.progress.measured`."""
        return measured(
            self.earned_value,
            baselines=self.baselines,
            projects=self.projects,
            settings=self.settings,
            status_on=self.status_on,
        )

    @cached_property
    def units(self) -> pd.DataFrame:
        """As :func:`units`."""
        return units(self.progress, projects=self.view.between.now(self.projects), programmes=self.programmes)

    @cached_property
    def months(self) -> pd.DataFrame:
        """As :func:`months`."""
        return months(self.progress, projects=self.view.between.now(self.projects))

    @cached_property
    def bands(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.backtest.error_bands`."""
        return error_bands(self.errors, rules=self.settings.earned_value)

    @cached_property
    def errors(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.backtest.forecast_errors`."""
        return forecast_errors(self.progress, projects=self.projects)

    @cached_property
    def outside(self) -> OutsideView:
        """The reference class of these projects, and those that run beside it."""
        portfolio = self.view.between.portfolio_id
        known = estimates(self.projects, earned_value=self.earned_value, portfolio_id=portfolio)
        return OutsideView(known, rules=self.settings.reference)

    @property
    def published(self) -> dict[str, pd.DataFrame]:
        """The tables that a roll-up reads: what is needed to add levels up, and every error of the rules."""
        return {
            "earned_value": self.units.reindex(columns=PUBLISHED_UNITS),
            "earned_months": self.months.reindex(columns=PUBLISHED_MONTHS),
            "forecast_errors": self.errors.reindex(columns=PUBLISHED_ERRORS),
            "estimates": self.outside.known,
        }


def units(progress: Progress, *, projects: pd.DataFrame, programmes: pd.DataFrame) -> pd.DataFrame:
    """Return every quantity of earned value and earned schedule, by portfolio, programme and project.

    Parameters
    ----------
    progress
        Result of :func:`pmo_lib.metrics.progress.measured`.
    projects, programmes
        The portfolio's, now.

    Returns
    -------
    DataFrame
        In reading order: the portfolio, each programme (only where there are any) and its projects. ``level, name,
        projects, projects_measured``; the position; indices, schedule, estimates at completion, durations and finish
        dates (``…_on``) by rule, each with its reason; ``flags``; ``reason`` says why a project is in no sum. Empty
        where no project has figures.

    Raises
    ------
    ReportError
        If the figures are in more than one currency.
    """
    rows = standing(progress, projects=projects).assign(level=PROJECT)
    if not rows["month"].notna().any():
        return pd.DataFrame(columns=UNIT_FACTS)
    rows["programme_id"] = rows["programme_id"].fillna("")
    whole = sums(rows.assign(level=PORTFOLIO), progress=progress, by=["level"])
    parts = [
        whole.assign(name="Whole portfolio"),
        rows.assign(projects=1, projects_measured=rows["reason"].eq("").astype(int)),
    ]
    if rows["programme_id"].ne("").any():
        titles = programmes.drop_duplicates("programme_id").set_index("programme_id")["name"]
        own = sums(rows.assign(level=PROGRAMME), progress=progress, by=["level", "programme_id"])
        title = own["programme_id"].map(titles).fillna(own["programme_id"])
        parts.insert(1, own.assign(name=title.mask(own["programme_id"].eq(""), "Without programme")))
    table = _ordered(pd.concat(parts, ignore_index=True))
    return _forecast(table, terms=progress.terms)


def sums(standings: pd.DataFrame, *, progress: Progress, by: Sequence[str]) -> pd.DataFrame:
    """Add positions up, in whole minor units, and read earned schedule on the sum of their curves.

    Parameters
    ----------
    standings
        Result of :func:`pmo_lib.metrics.progress.standing`, or positions with ``reason``; only rows without a reason
        are added.
    progress
        Holds the curves.
    by
        Columns whose values make a group: a programme, a function, a month.

    Returns
    -------
    DataFrame
        One row per group: ``by``, ``projects``, ``projects_measured``, and the columns of a position. Money is null
        where no project of the group can be added.
    """
    keys = list(by)
    used = standings[standings["reason"].eq("")]
    one_base(used, column="currency", what="earned value")
    asked = standings.groupby(keys, dropna=False)["project_id"].nunique().rename("projects")
    grouped = used.groupby(keys, dropna=False)
    minor = used[[*MONEY]].apply(minor_units).groupby([used[key] for key in keys], dropna=False).sum()
    table = minor.apply(major_units).reindex(asked.index)
    table["projects"], table["projects_measured"] = asked, grouped.size().reindex(asked.index).fillna(0).astype("int64")
    for name in ("management_estimate", "recent_earned", "recent_cost"):
        table[name] = grouped[name].sum().where(grouped[name].count().eq(grouped.size()))
    for name in ("time", "planned_finish_on", "forecast_finish_on", "month"):
        table[name] = grouped[name].max()
    silent = used[used["forecast_finish_on"].isna() & ~used["complete"].eq(True)].groupby(keys, dropna=False).size()
    table["forecast_finish_on"] = table["forecast_finish_on"].mask(table.index.isin(silent.index))
    table["complete"] = grouped["complete"].all()
    table = table.reset_index().assign(
        currency=str(used["currency"].iloc[0]) if len(used) else None, reason="", flags=""
    )
    return _scheduled(table, used=used, progress=progress, by=keys)


def months(progress: Progress, *, projects: pd.DataFrame) -> pd.DataFrame:
    """Return planned value, earned value, cost and indices of a portfolio by month.

    Parameters
    ----------
    projects
        The portfolio's projects now: the same projects are followed back, so that no index moves because a project
        came or went.

    Returns
    -------
    DataFrame
        :data:`MONTH_COLUMNS`, one row per month from the first start to the last planned finish. ``planned_value`` is
        the curve of the baselines in force now; the indices of a month are against the baselines in force in that
        month, and ``rebaselined`` counts the projects that got a new one since the month before. ``known`` is whether
        there are earned value and cost; ``ends_on`` is the last day of the month. In every row: ``status_on``, the day
        ``earned_on`` on which the work that is done was planned to be done, ``behind_months`` (AT − ES) and ``budget``.
    """
    now = standing(progress, projects=projects)
    cohort = now[now["reason"].eq("")]
    if cohort.empty:
        return pd.DataFrame(columns=MONTH_COLUMNS)
    whole = sums(cohort.assign(all="all"), progress=progress, by=["all"])
    past = progress.positions[progress.positions["project_id"].isin(cohort["project_id"])]
    usable = past["budget"].notna() & past["earned_value"].notna() & past["actual_cost"].notna()
    past = past[usable & past["planned_value"].notna()]
    by_month = sums(past.assign(reason=""), progress=progress, by=["month_number"]).set_index("month_number")
    told = by_month.join(indices(by_month)).join(schedule(by_month)[["spi_t_reason"]])
    fresh = past["baseline_version"].ne(past.groupby("project_id")["baseline_version"].shift())
    fresh &= past.groupby("project_id").cumcount().gt(0)
    curve = curves(cohort.assign(group=0), plans=progress.plans).set_index("month_number")["planned_value"]
    first, last = min(curve.index.min(), told.index.min()), max(curve.index.max(), told.index.max())
    table = told.drop(columns=["planned_value", "month"]).reindex(pd.RangeIndex(first, last + 1, name="month_number"))
    table["planned_value"] = curve.reindex(table.index).ffill().fillna(0.0)
    table["known"] = table["earned_value"].notna()
    table["rebaselined"] = fresh.groupby(past["month_number"]).sum().reindex(table.index).fillna(0).astype("int64")
    for name in ("cpi", "spi", "spi_t"):
        table[f"{name}_reason"] = table[f"{name}_reason"].where(table["known"], NOT_IN_MONTH)
    calendar = progress.terms.calendar
    ends = {
        "earned_on": calendar.day_at(whole["origin"] + whole["earned_months"]).iloc[0],
        "status_on": progress.terms.status_on,
        "behind_months": float(whole["elapsed_months"].iloc[0] - whole["earned_months"].iloc[0]),
        "budget": whole["budget"].iloc[0],
        "currency": whole["currency"].iloc[0],
    }
    table = table.assign(projects_asked=len(now), **ends).reset_index()
    month = months_written(table["month_number"])
    return table.assign(month=month, ends_on=pd.PeriodIndex(month, freq="M").end_time.normalize())[MONTH_COLUMNS]


def finish_dates(positions: pd.DataFrame, *, durations: pd.DataFrame, calendar: Calendar) -> pd.DataFrame:
    """Return the finish date of each duration at completion: status date + (duration − AT), on the working calendar."""
    dates = {}
    for rule in TIME_RULES:
        reach = positions["time"] + (durations[rule] - positions["elapsed_months"])
        dates[f"{rule}_on"] = calendar.day_at(reach)
        dates[f"{rule}_on_reason"] = durations[f"{rule}_reason"].mask(reach.gt(HORIZON), BEYOND)
    return pd.DataFrame(dates, index=positions.index)


def _forecast(table: pd.DataFrame, *, terms: Terms) -> pd.DataFrame:
    """Add every quantity to positions, and mark what asks for a question."""
    rules = terms.rules
    parts = [indices(table), schedule(table)]
    table = table.drop(columns="spi_t").join(parts[0]).join(parts[1])
    estimates, durations = cost_estimates(table, weight=rules.cpi_weight), duration_estimates(table)
    after = at_completion(table, estimate=estimates["eac_cpi"], reason=estimates["eac_cpi_reason"])
    table = table.join([estimates, after, durations, finish_dates(table, durations=durations, calendar=terms.calendar)])
    alarms = joined(
        {
            RECOVERY: table["tcpi_budget"].gt(rules.recovery_limit) | table["tspi"].gt(rules.recovery_limit),
            HOPEFUL: too_low(table, estimates=estimates, gap=rules.management_gap),
        }
    )
    both = table["flags"].fillna("").ne("") & alarms.ne("")
    flags = table["flags"].fillna("") + both.map({True: "; ", False: ""}) + alarms
    gap = (table["es_spi_t_on"] - table["forecast_finish_on"]).dt.days.astype("Int64")
    return table.assign(flags=flags, forecast_gap_days=gap.mask(table["complete"].eq(True)))


def _scheduled(table: pd.DataFrame, *, used: pd.DataFrame, progress: Progress, by: list[str]) -> pd.DataFrame:
    """Add start, planned duration and earned schedule of each group, on the sum of its members' curves."""
    groups = table[by].assign(group=table.index)
    members = used.merge(groups, how="left", on=by)
    summed = curves(members, plans=progress.plans).rename(columns={"group": "plan"})
    origin = table.index.to_series().map(summed.groupby("plan")["month_number"].min())
    whole = members["plan_reason"].eq("").groupby(members["group"]).all().reindex(table.index).eq(True)
    summed = summed[summed["plan"].isin(table.index[whole])]
    table = table.assign(
        origin=origin.astype("float64"), plan=table.index, plan_reason="", flat_months=0, stopped_months=0,
        elapsed_months=(table["time"] - origin).clip(lower=0).astype("float64"),
        planned_months=table.index.to_series().map(planned_months(summed)),
    )  # fmt: skip
    finish = progress.terms.calendar.time_of(table["forecast_finish_on"])
    table = table.assign(earned_months=earned_months(table, plans=summed), forecast_months=finish - table["origin"])
    return table.assign(spi_t=schedule(table)["spi_t"])


def curves(members: pd.DataFrame, *, plans: pd.DataFrame) -> pd.DataFrame:
    """Return the summed planned value of each group by month.

    Parameters
    ----------
    members
        ``group, plan``: which plans make up a group.
    plans
        ``plan, month_number, planned_value, planned_before``: cumulative planned value of a month, and of the month
        before it.

    Returns
    -------
    DataFrame
        ``group, month_number, number, planned_value``, every month from the group's first to its last.
    """
    rises = plans.assign(rise=minor_units(plans["planned_value"]) - minor_units(plans["planned_before"]))
    both = members[["group", "plan"]].merge(rises[["plan", "month_number", "rise"]], on="plan")
    summed = both.groupby(["group", "month_number"])["rise"].sum()
    if summed.empty:
        return pd.DataFrame({"group": [], "month_number": [], "number": [], "planned_value": []})
    spans = summed.reset_index().groupby("group")["month_number"].agg(["min", "max"])
    lengths = spans["max"] - spans["min"] + 1
    grid = spans.loc[spans.index.repeat(lengths)]
    number = grid.groupby(level=0).cumcount() + 1
    index = pd.MultiIndex.from_arrays([grid.index, grid["min"] + number - 1], names=summed.index.names)
    value = summed.reindex(index).fillna(0).groupby(level=0).cumsum()
    return major_units(value).rename("planned_value").reset_index().assign(number=number.to_numpy())


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Order the portfolio first, then each programme before its projects, those without programme last."""
    depth = table["level"].map({PORTFOLIO: 0, PROGRAMME: 1, PROJECT: 2})
    own = table["programme_id"].fillna("")
    keys = pd.DataFrame(
        {"top": depth.gt(0), "rest": own.eq("") & depth.gt(0), "own": own, "depth": depth,
         "by_name": table["name"].str.casefold(), "project": table["project_id"].fillna("")}
    )  # fmt: skip
    order = keys.sort_values(list(keys.columns), kind="stable").index
    return table.loc[order].reset_index(drop=True)
