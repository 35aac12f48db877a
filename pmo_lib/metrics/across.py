"""What the portfolios published, taken together: promised finishes, and earned value by portfolio, function and whole.

Every sum of earned value is a position of its own: its indices are ratios of sums, and earned schedule (Lipke 2003) is
read on the sum of the planned value curves, never averaged. One portfolio has few finished projects; the errors of all
portfolios together say which rule to believe.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics import cohorts, portfolio, schedule as dates
from pmo_lib.metrics.backtest import error_bands
from pmo_lib.metrics.calendar import calendar_of, month_numbers
from pmo_lib.metrics.earned import PUBLISHED_ERRORS, PUBLISHED_MONTHS, PUBLISHED_UNITS, curves, finish_dates
from pmo_lib.metrics.earned_schedule import duration_estimates, earned_months, planned_months, schedule
from pmo_lib.metrics.earned_value import MONEY, at_completion, cost_estimates, indices
from pmo_lib.metrics.facts import in_form, one_currency
from pmo_lib.metrics.hierarchy import upwards
from pmo_lib.metrics.money import major_units, minor_units
from pmo_lib.metrics.outlook import PORTFOLIO
from pmo_lib.metrics.reference_classes import ESTIMATE_COLUMNS, OutsideView

if TYPE_CHECKING:
    from collections.abc import Callable

    from pmo_lib.metrics.calendar import Calendar
    from pmo_lib.parameters.models import Organisation

FIGURES = [
    "cpi", "spi", "complete_share", "eac_cpi", "variance_at_completion", "variance_at_completion_share", "spi_t",
    "schedule_variance_months", "es_spi_t_on",
]  # fmt: skip
UNIT_COLUMNS = [
    "level", "unit_id", "name", "portfolios", "projects", "projects_measured", *MONEY, "currency", "earned_months",
    "elapsed_months", "planned_months", "planned_finish_on",
    *(part for name in FIGURES for part in (name, f"{name}_reason")),
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Finishes:
    """What the roll-up says of promised finishes, from the published ``finish_movement`` and ``finish_tracks``."""

    movement: pd.DataFrame
    tracks: pd.DataFrame
    since: str | None

    @cached_property
    def moved(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.portfolio.finish_movements`."""
        return portfolio.finish_movements(self.movement, since=self.since)

    @cached_property
    def spread(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.schedule.spread`."""
        return dates.spread(self.moved)

    @cached_property
    def trend(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.cohorts.trend`."""
        return cohorts.trend(self.tracks)

    @cached_property
    def slips(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.cohorts.slips_by_stage`."""
        return cohorts.slips_by_stage(self.tracks)

    @property
    def told(self) -> dict[str, pd.DataFrame]:
        """The tables that are handed on."""
        return {"finishes": self.moved, "finish_trend": self.trend, "stage_slips": self.slips}


@dataclass(frozen=True, eq=False)
class Work:
    """What the roll-up says of earned value.

    Parameters
    ----------
    published
        Returns a published table of all portfolios in this period, by its name.
    tree
        Result of :func:`pmo_lib.metrics.hierarchy.rollup`.
    settings
        Of the organisation: its calendar, and from how many finished projects on a rule is recommended.
    """

    published: Callable[[str], pd.DataFrame]
    tree: pd.DataFrame
    settings: Organisation

    @cached_property
    def units(self) -> pd.DataFrame:
        """As :func:`units`."""
        calendar = calendar_of(self.settings.working_calendar)
        earned, months = self.published("earned_value"), self.published("earned_months")
        return units(earned, months=months, tree=self.tree, calendar=calendar)

    @cached_property
    def bands(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.backtest.error_bands`, over the finished projects of all portfolios."""
        errors = in_form(self.published("forecast_errors"), columns=["portfolio_id", *PUBLISHED_ERRORS])
        names = errors["portfolio_id"].astype("str") + "/" + errors["project_id"].astype("str")
        sizes = {name: errors[name].astype("float64") for name in ("error", "complete_share")}
        return error_bands(errors.assign(project_id=names, **sizes), rules=self.settings.earned_value)

    @cached_property
    def outside(self) -> pd.DataFrame:
        """As :attr:`pmo_lib.metrics.reference_classes.OutsideView.classes`, over the projects of all portfolios."""
        known = in_form(self.published("estimates"), columns=["portfolio_id", *ESTIMATE_COLUMNS])
        return OutsideView(known, rules=self.settings.reference).classes


def units(earned: pd.DataFrame, *, months: pd.DataFrame, tree: pd.DataFrame, calendar: Calendar) -> pd.DataFrame:
    """Return earned value and earned schedule of every unit of the organisation, from what its portfolios published.

    Parameters
    ----------
    earned, months
        The published tables ``earned_value`` and ``earned_months`` of one period.
    tree
        Result of :func:`pmo_lib.metrics.hierarchy.rollup`: which unit stands above which.
    calendar
        Working days of the organisation.

    Returns
    -------
    DataFrame
        :data:`UNIT_COLUMNS` in the order of the tree, for units with figures: money in ``currency``, times in months,
        each figure with its reason. ``es_spi_t_on`` is the finish at the pace so far. Earned schedule is null where a
        portfolio has none. Empty where no portfolio published earned value.

    Raises
    ------
    ReportError
        If the portfolios report in several currencies.
    """
    rows = in_form(earned, columns=["portfolio_id", *PUBLISHED_UNITS])
    rows = rows[rows["level"].eq(PORTFOLIO) & rows["budget"].notna()]
    if rows.empty:
        return pd.DataFrame(columns=UNIT_COLUMNS)
    currency = one_currency(rows)
    members = _memberships(tree, portfolios=rows["portfolio_id"]).merge(rows.drop(columns="name"), on="portfolio_id")
    table = _positions(members).assign(currency=currency)
    table = _on_summed_curves(table, members=members, months=months)
    told = tree.drop_duplicates("node_id").set_index("node_id")[["level", "name"]]
    figures = _figures(table, calendar=calendar).join(told, on="unit_id")
    order = {node: place for place, node in enumerate(tree["node_id"])}
    ranked = figures.assign(rank=figures["unit_id"].map(order)).sort_values("rank", kind="stable", ignore_index=True)
    return ranked[UNIT_COLUMNS]


def _memberships(tree: pd.DataFrame, *, portfolios: pd.Series) -> pd.DataFrame:
    """Return each portfolio under every unit that it belongs to, itself included: ``unit_id, portfolio_id``."""
    parents = dict(zip(tree["node_id"], tree["parent_id"], strict=True))
    pairs = [(unit, portfolio) for portfolio in portfolios for unit in upwards(portfolio, parents=parents)]
    return pd.DataFrame(pairs, columns=["unit_id", "portfolio_id"])


def _positions(members: pd.DataFrame) -> pd.DataFrame:
    """Add the portfolios' positions up, in whole minor units; a row per unit."""
    grouped = members.groupby("unit_id")
    minor = members[[*MONEY]].astype("float64").apply(minor_units).groupby(members["unit_id"]).sum()
    counts = members[["projects", "projects_measured"]].astype("int64").groupby(members["unit_id"]).sum()
    times = {name: members[name].astype("float64") for name in ("time", "origin")}
    last = pd.to_datetime(members["planned_finish_on"]).groupby(members["unit_id"]).max()
    table = minor.apply(major_units).join(counts).assign(
        portfolios=grouped.size(), planned_finish_on=last, time=times["time"].groupby(members["unit_id"]).max(),
        origin=times["origin"].groupby(members["unit_id"]).min(),
    )  # fmt: skip
    return table.reset_index()


def _on_summed_curves(table: pd.DataFrame, *, members: pd.DataFrame, months: pd.DataFrame) -> pd.DataFrame:
    """Read earned schedule of each unit on the sum of its portfolios' curves, where every one of them has one."""
    begun = members.drop_duplicates("portfolio_id").set_index("portfolio_id")["origin"].astype("float64")
    plans = in_form(months, columns=["portfolio_id", *PUBLISHED_MONTHS])
    plans = plans.assign(plan=plans["portfolio_id"], month_number=month_numbers(plans["month"]))
    plans = plans[plans["month_number"].ge(plans["plan"].map(begun))]
    plans = plans.sort_values(["plan", "month_number"], kind="stable")
    plans = plans.assign(planned_before=plans.groupby("plan")["planned_value"].shift().fillna(0.0))
    groups = members.assign(plan=members["portfolio_id"], group=members["unit_id"])
    summed = curves(groups, plans=plans).rename(columns={"group": "plan"})
    whole = members["earned_months"].notna().groupby(members["unit_id"]).all()
    summed = summed[summed["plan"].map(whole)]
    table = table.assign(plan=table["unit_id"], elapsed_months=(table["time"] - table["origin"]).clip(lower=0))
    table["planned_months"] = table["plan"].map(planned_months(summed))
    return table.assign(earned_months=earned_months(table, plans=summed))


def _figures(table: pd.DataFrame, *, calendar: Calendar) -> pd.DataFrame:
    """Add indices, the estimate at completion by CPI, and the finish at the pace so far."""
    estimates, durations = cost_estimates(table), duration_estimates(table)
    after = at_completion(table, estimate=estimates["eac_cpi"], reason=estimates["eac_cpi_reason"])
    ends = finish_dates(table, durations=durations, calendar=calendar)
    return table.join([indices(table), schedule(table), estimates, after, ends])
