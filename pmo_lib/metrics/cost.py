"""What projects cost over their life and in a year: bridges between reports, spending against plan, disclosure.

Here a positive variance is spending above plan: variance = outlook − plan, variance_share = (outlook − plan) / plan, as
the UK's Government Major Projects Portfolio defines its in-year variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.accounts import outlooks
from pmo_lib.metrics.accuracy import by_horizon, outlook_errors, outlooks_beside
from pmo_lib.metrics.bridge import BRIDGE_COLUMNS, FIRST, bridge, bridge_steps
from pmo_lib.metrics.fiscal import FiscalYear
from pmo_lib.metrics.last_known import in_words, last_known
from pmo_lib.metrics.money import major_units, minor_units, one_base
from pmo_lib.metrics.movement import paired, reasons
from pmo_lib.theme import money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pmo_lib.metrics.fiscal import View
    from pmo_lib.parameters.models import Thresholds

WHOLE_LIFE = ("whole_life_cost_forecast", "whole_life_cost_baseline")
FINISH = ("finish_forecast_on", "finish_baseline_on")
IN_YEAR_COLUMNS = [
    "project_id", "name", "plan", "outlook", "variance", "variance_share", "paired", "years_under", "years_known",
    "reason", "year", "currency", "source_ref",
]  # fmt: skip
YEARS_COLUMNS = [
    "year", "period", "plan", "outlook", "variance", "variance_share", "projects", "paired", "plan_only",
    "outlook_only", "currency",
]  # fmt: skip
UNDERSPEND_COLUMNS = [
    "project_id", "name", "period", "year", "plan", "outlook", "underspend_share", "finish_before_on", "finish_on",
    "moved_days", "kept", "reason", "currency", "source_ref",
]  # fmt: skip
DISCLOSURE_COLUMNS = ["project_id", "name", "state", "published", "reason", "source_ref"]
STATES = ("published", "range", "withheld", "not set", "not returned", "unreadable")
TREND_COLUMNS = ["period", "projects", *STATES, "published_share"]
PLAN_IS_ZERO, NO_FINANCE = "the plan is 0: no share of it", "no finance returned for this year"
NOT_THERE_BEFORE = "not in the report of the year before"
# A share of exactly 20 % counts as 20 %, however its quotient was rounded.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Years:
    """Spending against plan over the fiscal years: ``finance``, ``projects`` and ``states`` are histories."""

    finance: pd.DataFrame
    projects: pd.DataFrame
    states: pd.DataFrame
    view: View
    limits: Thresholds

    @cached_property
    def rows(self) -> pd.DataFrame:
        """As :func:`by_year`."""
        return by_year(self.finance, projects=self.projects, states=self.states, view=self.view)

    @property
    def totals(self) -> pd.DataFrame:
        """As :func:`years`."""
        return years(self.rows, projects=self.projects, view=self.view)

    @cached_property
    def this_year(self) -> pd.DataFrame:
        """As :func:`in_year`."""
        tolerance = self.limits.in_year_tolerance
        return in_year(self.rows, projects=self.projects, view=self.view, tolerance=tolerance)

    @cached_property
    def under(self) -> pd.DataFrame:
        """As :func:`underspends`."""
        return underspends(self.rows, projects=self.projects, view=self.view, flag=self.limits.underspend_flag)

    @property
    def moves(self) -> pd.DataFrame:
        """As :func:`outlook_movement`, in steps by cause."""
        return bridge_steps(outlook_movement(self.finance, projects=self.projects, states=self.states, view=self.view))

    @property
    def past(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.accuracy.by_horizon`."""
        return by_horizon(self.misses)

    @cached_property
    def misses(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.accuracy.outlook_errors`."""
        return outlook_errors(self.finance, projects=self.projects, states=self.states, view=self.view)

    @property
    def beside(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.accuracy.outlooks_beside`."""
        now, past, limit = self.this_year, self.misses, self.limits.in_year_tolerance
        return outlooks_beside(now, errors=past, projects=self.projects, view=self.view, tolerance=limit)


@dataclass(frozen=True, eq=False)
class Lives:
    """Whole-life costs: ``projects`` and ``states`` are histories."""

    projects: pd.DataFrame
    states: pd.DataFrame
    view: View

    @cached_property
    def rows(self) -> pd.DataFrame:
        """As :func:`whole_life`."""
        return whole_life(self.projects, states=self.states, view=self.view)

    @property
    def steps(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.bridge.bridge_steps`."""
        return bridge_steps(self.rows)

    @property
    def disclosure(self) -> pd.DataFrame:
        """As :func:`disclosure`."""
        return disclosure(self.projects, states=self.states, view=self.view)

    @property
    def trend(self) -> pd.DataFrame:
        """As :func:`disclosure_trend`."""
        return disclosure_trend(self.projects, states=self.states, view=self.view)


def stated_column(projects: pd.DataFrame, *, candidates: Sequence[str]) -> str:
    """Return the first of these columns that holds any value, else the last: two kinds of figure are never mixed."""
    return next((name for name in candidates if projects[name].notna().any()), candidates[-1])


def whole_life(projects_history: pd.DataFrame, *, states: pd.DataFrame, view: View) -> pd.DataFrame:
    """Bridge whole-life cost from the report before to this one, project by project.

    Parameters
    ----------
    projects_history, states
        Histories of these tables, with ``period`` in front.
    view
        Portfolio, month and month of the report before.

    Returns
    -------
    DataFrame
        As :func:`pmo_lib.metrics.bridge.bridge`, with ``basis`` (the column of ``projects`` that was compared: the
        forecast where there is any, else the baseline), ``price_base``, and ``last_known`` with ``last_known_period``
        of what was not returned. ``source_ref`` and ``source_period`` say where a project stands (where it stood, if it
        is gone), ``before_ref`` and ``before_period`` where it stood in the report before. Without a report before,
        every project is in it with the cause ``first report``.

    Raises
    ------
    ReportError
        If currencies or price bases are mixed among the costs that enter.
    """
    history = view.converted(projects_history[projects_history["period"].le(view.period)], columns=WHOLE_LIFE)
    now = view.between.now(history)
    entering = pd.concat([now, view.between.before(history)])
    column = stated_column(entering, candidates=WHOLE_LIFE)
    if view.since is None:
        pairs = now[["project_id", "name"]].assign(
            movement=FIRST, other_portfolio_id=None, before=None, now=now[column]
        )
        pairs = pairs.astype({"before": "float64"}).reset_index(drop=True)
    else:
        pairs = paired(history, column=column, between=view.between)
    valued = entering[entering[column].notna() & entering["project_id"].isin(pairs["project_id"])]
    what = f"whole-life cost of {view.portfolio_id}"
    base = one_base(valued, column="price_base", what=what)
    currency = one_base(valued, column="currency", what=what)
    why, before = (
        _reasons_by_project(rows, states=states, column=column) for rows in (now, view.between.before(history))
    )
    known = last_known(history, column=column, reasons=why, between=view.between)
    told = in_words(why, known=known, write=lambda amount: money(amount, currency=currency))
    rows = bridge(pairs, reasons=told, currency=currency, reorganised=view.reorganised, before_reasons=before)
    rows = rows.merge(known, how="left", on="project_id")
    text = pd.Series("", index=rows.index, dtype="str")
    rows = rows.assign(basis=text + column, price_base=text + base)
    for stem, side in (("source", entering), ("before", view.between.before(history))):
        places = side.drop_duplicates("project_id").set_index("project_id")
        rows[f"{stem}_ref"] = rows["project_id"].map(places["source_ref"])
        rows[f"{stem}_period"] = rows["project_id"].map(places["period"])
    return rows


def outlook_movement(
    finance_history: pd.DataFrame, *, projects: pd.DataFrame, states: pd.DataFrame, view: View
) -> pd.DataFrame:
    """Bridge this year's outlook from the report before to this one, project by project.

    Money that a programme or the portfolio spends itself has a row of its own (``project_id`` begins with ``own:``).

    Returns
    -------
    DataFrame
        As :func:`pmo_lib.metrics.bridge.bridge`. Empty where the report before has no outlook of this year.

    Raises
    ------
    ReportError
        If currencies are mixed.
    """
    returns = {month: view.year.end for month in (view.since, view.period) if month}
    stated = view.converted(finance_history, columns=["amount"])
    rows = outlooks(stated, projects=projects, states=states, returns=returns)
    earlier = rows["period"].eq(view.since or "") & rows["outlook"].notna()
    if not earlier.any():
        return pd.DataFrame(columns=BRIDGE_COLUMNS)
    key = ["period", "portfolio_id", "project_id"]
    own = rows[rows["project_id"].eq("") & rows["portfolio_id"].eq(view.portfolio_id)]
    owned = own.assign(project_id="own:" + own["own_of"], name=own["own_of"].where(own["own_of"].ne(""), "portfolio"))
    owned = owned.assign(name=owned["name"] + ": its own money")
    there = projects.loc[projects["period"].isin([view.since, view.period]), [*key, "name"]]
    history = there.merge(rows[[*key, "outlook", "outlook_reason", "currency"]], how="left", on=key)
    history = pd.concat([history, owned[history.columns]], ignore_index=True)
    pairs = paired(history, column="outlook", between=view.between)
    known = history[history["outlook"].notna() & history["project_id"].isin(pairs["project_id"])]
    currency = one_base(known, column="currency", what=f"the outlook of {view.portfolio_id}")
    now = view.between.now(history).drop_duplicates("project_id").set_index("project_id")["outlook_reason"]
    return bridge(pairs, reasons=now.fillna(NO_FINANCE), currency=currency, reorganised=view.reorganised)


def by_year(finance_history: pd.DataFrame, *, projects: pd.DataFrame, states: pd.DataFrame, view: View) -> pd.DataFrame:
    """Return plan and outlook of each project in each fiscal year, as the year's last return has them.

    Returns
    -------
    DataFrame
        :data:`pmo_lib.metrics.accounts.OUTLOOK_COLUMNS`, without what programmes or the portfolio spend themselves.
    """
    periods = sorted({str(period) for period in projects["period"] if period <= view.period})
    last = {FiscalYear.of(period, start_month=view.start_month).end: period for period in periods}
    returns = {period: end for end, period in last.items()}
    stated = view.converted(finance_history, columns=["amount"])
    rows = outlooks(stated, projects=projects, states=states, returns=returns)
    return rows[rows["project_id"].ne("")].reset_index(drop=True)


def in_year(years_of_projects: pd.DataFrame, *, projects: pd.DataFrame, view: View, tolerance: float) -> pd.DataFrame:
    """Compare each project's outlook of this year with its plan.

    Parameters
    ----------
    years_of_projects
        Result of :func:`by_year`.
    projects
        History of the table ``projects``.
    view
        Portfolio, month and fiscal calendar.
    tolerance
        A year is under plan if its share is below −tolerance.

    Returns
    -------
    DataFrame
        :data:`IN_YEAR_COLUMNS`, one row for each project of the portfolio, the largest variance first. ``paired`` says
        that both figures are there; ``years_under`` is the number of years in a row, up to this one, that were under,
        and ``years_known`` that of years in a row with a share, wherever the project stood. ``reason`` says why a share
        is null.
    """
    now = view.between.now(projects).drop_duplicates("project_id")[["project_id", "name"]]
    rows = years_of_projects[years_of_projects["period"].eq(view.period)].drop(columns="name")
    rows = now.merge(rows[rows["portfolio_id"].eq(view.portfolio_id)], how="left", on="project_id")
    rows = _compared(rows)
    runs = _runs(years_of_projects, year=view.year, tolerance=tolerance)
    rows = rows.merge(runs, how="left", on="project_id").fillna({"years_under": 0, "years_known": 0})
    rows = rows.astype({"years_under": "int64", "years_known": "int64"})
    size = rows["variance"].abs()
    ordered = rows.assign(size=size).sort_values(["size", "project_id"], ascending=[False, True], kind="stable")
    return ordered.assign(year=view.year.label)[IN_YEAR_COLUMNS].reset_index(drop=True)


def years(years_of_projects: pd.DataFrame, *, projects: pd.DataFrame, view: View) -> pd.DataFrame:
    """Add plan and outlook up by fiscal year, over the projects that had both.

    Parameters
    ----------
    years_of_projects, projects, view
        As in :func:`in_year`.

    Returns
    -------
    DataFrame
        :data:`YEARS_COLUMNS`, one row per fiscal year in order, of the portfolio as it was then: ``projects`` were in
        it, ``paired`` had both figures, ``plan_only`` and ``outlook_only`` one of them.

    Raises
    ------
    ReportError
        If a year's currencies are mixed.
    """
    ours = years_of_projects[years_of_projects["portfolio_id"].eq(view.portfolio_id)]
    there = projects[projects["portfolio_id"].eq(view.portfolio_id)].groupby("period")["project_id"].nunique()
    rows = [_year(group, count=int(there.get(period, 0))) for period, group in ours.groupby("period", sort=True)]
    return pd.DataFrame(rows, columns=YEARS_COLUMNS)


def underspends(years_of_projects: pd.DataFrame, *, projects: pd.DataFrame, view: View, flag: float) -> pd.DataFrame:
    """List project-years with a large underspend, and say whether the end date moved since the year before.

    Parameters
    ----------
    years_of_projects, projects, view
        As in :func:`in_year`.
    flag
        Underspend (a share of the plan, from this value on) that is listed.

    Returns
    -------
    DataFrame
        :data:`UNDERSPEND_COLUMNS`, latest year first, then the largest share; of the portfolio as it was in that year.
        ``moved_days`` is end date now − end date in the last report of the fiscal year before, in calendar days, null
        with a ``reason`` where one of them is missing; ``kept`` says that it did not move later: less was done with the
        money of the year, and the same end is promised.
    """
    rows = _compared(years_of_projects[years_of_projects["portfolio_id"].eq(view.portfolio_id)])
    under = rows[rows["variance_share"].le(-flag + ROUNDING)].drop(columns="reason")
    column = stated_column(projects, candidates=FINISH)
    ends = {str(period): str(end) for end, period in _last_returns(years_of_projects).items()}
    earlier = _last_returns(years_of_projects)
    since = under["period"].map({period: earlier.get(FiscalYear(end).before.end) for period, end in ends.items()})
    finish = projects.drop_duplicates(["period", "project_id"]).set_index(["period", "project_id"])[column]
    before = _at(finish, periods=since, projects=under["project_id"])
    now = _at(finish, periods=under["period"], projects=under["project_id"])
    was_there = pd.MultiIndex.from_arrays([since, under["project_id"]]).isin(finish.index)
    reason = pd.Series("", index=under.index, dtype="str").mask(now.isna(), "no end date in this report")
    reason = reason.mask(before.isna(), "no end date in the report of the year before").mask(
        ~was_there, NOT_THERE_BEFORE
    )
    moved = (now - before).dt.days.astype("Int64")
    table = under.assign(
        year=[FiscalYear(str(end)).label for end in under["year_end"]],
        underspend_share=-under["variance_share"],
        finish_before_on=before,
        finish_on=now,
        moved_days=moved,
        kept=moved.le(0).astype("boolean"),
        reason=reason,
    )
    order = ["period", "underspend_share", "project_id"]
    return table.sort_values(order, ascending=[False, False, True], kind="stable")[UNDERSPEND_COLUMNS].reset_index(
        drop=True
    )


def disclosure(projects_history: pd.DataFrame, *, states: pd.DataFrame, view: View) -> pd.DataFrame:
    """Say of each project whether its whole-life cost is published as a single figure, and if not, why.

    Returns
    -------
    DataFrame
        :data:`DISCLOSURE_COLUMNS`, by name; ``state`` is one of :data:`STATES`.
    """
    column = stated_column(view.between.now(projects_history), candidates=WHOLE_LIFE)
    rows = _disclosed(projects_history, states=states, column=column)
    now = view.between.now(rows)
    return now.sort_values(["name", "project_id"], kind="stable")[DISCLOSURE_COLUMNS].reset_index(drop=True)


def disclosure_trend(projects_history: pd.DataFrame, *, states: pd.DataFrame, view: View) -> pd.DataFrame:
    """Count, report by report, the projects with a single published whole-life cost.

    Returns
    -------
    DataFrame
        :data:`TREND_COLUMNS`: ``projects`` is the sum of the states, ``published_share`` = published ÷ projects; of the
        portfolio as it was then.
    """
    column = stated_column(view.between.now(projects_history), candidates=WHOLE_LIFE)
    ours = projects_history[projects_history["portfolio_id"].eq(view.portfolio_id)]
    rows = _disclosed(ours, states=states, column=column)
    table = rows.groupby(["period", "state"]).size().unstack(fill_value=0).reindex(columns=list(STATES), fill_value=0)
    table.insert(0, "projects", table.sum(axis="columns"))
    table["published_share"] = table["published"] / table["projects"]
    return table.reset_index()[TREND_COLUMNS].rename_axis(columns=None)


def _reasons_by_project(rows: pd.DataFrame, *, states: pd.DataFrame, column: str) -> pd.Series:
    one = rows.drop_duplicates("project_id")
    return reasons(one, states=states, table="projects", column=column).set_axis(one["project_id"])


def _compared(rows: pd.DataFrame) -> pd.DataFrame:
    """Add ``variance, variance_share, paired`` and ``reason`` to rows with plan and outlook."""
    paired_rows = rows["plan"].notna() & rows["outlook"].notna()
    plan, outlook = minor_units(rows["plan"]), minor_units(rows["outlook"])
    share = (outlook - plan).astype("float64") / plan.where(plan.gt(0)).astype("float64")
    reason = rows["plan_reason"].where(rows["plan"].isna(), rows["outlook_reason"]).astype("object")
    reason = reason.where(reason.notna(), NO_FINANCE).astype("str").mask(paired_rows & share.isna(), PLAN_IS_ZERO)
    variance = major_units(outlook - plan)
    return rows.assign(variance=variance, variance_share=share, paired=paired_rows, reason=reason)


def _runs(years_of_projects: pd.DataFrame, *, year: FiscalYear, tolerance: float) -> pd.DataFrame:
    """Return ``project_id, years_under, years_known``: unbroken runs of fiscal years that end in ``year``."""
    rows = _compared(years_of_projects)
    shares = rows.pivot_table(index="project_id", columns="year_end", values="variance_share", aggfunc="first")
    back = [year]
    while back[-1].before.end in shares.columns:
        back.append(back[-1].before)
    shares = shares.reindex(columns=[each.end for each in back])
    known = shares.notna().cummin(axis="columns").sum(axis="columns")
    under = shares.lt(-tolerance - ROUNDING).cummin(axis="columns").sum(axis="columns")
    return pd.DataFrame({"years_under": under, "years_known": known}).reset_index()


def _year(rows: pd.DataFrame, *, count: int) -> dict[str, object]:
    both = rows[rows["plan"].notna() & rows["outlook"].notna()]
    known = rows[rows["plan"].notna() | rows["outlook"].notna()]
    year = FiscalYear(str(rows["year_end"].iloc[0])).label
    plan, outlook = (int(minor_units(both[name]).sum()) for name in ("plan", "outlook"))
    return {
        "year": year,
        "period": rows["period"].iloc[0],
        "plan": plan / 100 if len(both) else None,
        "outlook": outlook / 100 if len(both) else None,
        "variance": (outlook - plan) / 100 if len(both) else None,
        "variance_share": (outlook - plan) / plan if plan > 0 else None,
        "projects": count,
        "paired": len(both),
        "plan_only": int((rows["plan"].notna() & rows["outlook"].isna()).sum()),
        "outlook_only": int((rows["plan"].isna() & rows["outlook"].notna()).sum()),
        "currency": one_base(known, column="currency", what=f"plan and outlook of {year}"),
    }


def _last_returns(years_of_projects: pd.DataFrame) -> dict[str, str]:
    """Return the month of each fiscal year's last return, by the year's last month."""
    return {str(end): str(period) for end, period in years_of_projects.groupby("year_end")["period"].max().items()}


def _at(values: pd.Series, *, periods: pd.Series, projects: pd.Series) -> pd.Series:
    places = pd.MultiIndex.from_arrays([periods, projects])
    return pd.Series(values.reindex(places).to_numpy(), index=projects.index)


def _disclosed(rows: pd.DataFrame, *, states: pd.DataFrame, column: str) -> pd.DataFrame:
    why = reasons(rows, states=states, table="projects", column=column)
    state = why.str.partition(":")[0].replace({"": "published", "a range": "range"})
    return rows.assign(state=state, published=rows[column].notna(), reason=why)
