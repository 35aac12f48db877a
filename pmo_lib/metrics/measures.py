"""What the figures of a project say of it, report by report: a value for each measure, or why there is none.

Each measure is worse the larger it is, and has a limit for amber and one for red among the thresholds. Time is measured
in days of the finish, as forecast and as the work done tells (earned schedule: Lipke, "Schedule is Different", *The
Measurable News*, March 2003, with the rest done as planned), and not by SPI(t): days can be held against any baseline,
and an index of a project in its first months is far from 1 for small delays. Cost is measured at completion, as
forecast and as BAC ÷ CPI (PMI, *The Standard for Earned Value Management*, 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pmo_lib.metrics.earned import finish_dates
from pmo_lib.metrics.earned_schedule import duration_estimates
from pmo_lib.metrics.earned_value import cost_estimates
from pmo_lib.metrics.exposure import contingency_left
from pmo_lib.metrics.gates import APPROVED, REVIEW_DUE, required, states_of
from pmo_lib.metrics.money import converted
from pmo_lib.metrics.movement import reasons, status_dates
from pmo_lib.metrics.progress import measured
from pmo_lib.metrics.risk import scored_risks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.metrics.movement import Between
    from pmo_lib.parameters.models import Organisation

NEEDED = (
    "projects", "status", "states", "baselines", "earned_value", "changes", "reserves", "risks", "issues", "gates",
    "artefacts",
)  # fmt: skip
CURRENT, ORIGINAL = "current", "original"
OVERALL = ("time", "cost", "scope", "benefits")
FLAGS = ("risk", "resources", "governance", "quality")
DIMENSIONS = (*OVERALL, *FLAGS)
KEY = ["period", "project_id"]
MEASURE_COLUMNS = (*KEY, "status_on", "dimension", "measure", "value", "reason")
MONEY = (
    "whole_life_cost_forecast", "whole_life_cost_baseline", "budget_at_completion", "benefits_forecast",
    "benefits_baseline",
)  # fmt: skip
NONE_RETURNED = "no earned value returned"
NO_BASELINE_COST, NO_BUDGET = "no approved cost above 0", "no budget above 0"
OTHER_CURRENCY = "in another currency than the project's"

Told = tuple[pd.Series, pd.Series]


@dataclass(frozen=True)
class Measure:
    """One figure and its limits: ``amber`` and ``red`` are names of thresholds; above them the rating is worse."""

    dimension: str
    name: str
    unit: str
    amber: str
    red: str
    formula: str


MEASURES = (
    Measure("time", "forecast finish", "days", "slip_amber_days", "slip_red_days",
            "finish, actual or else forecast − baseline finish"),
    Measure("time", "finish by the work done", "days", "slip_amber_days", "slip_red_days",
            "finish if the work left takes as long as planned, AT + (PD − ES) − baseline finish (Lipke 2003)"),
    Measure("cost", "forecast cost", "share", "cost_amber", "cost_red", "cost forecast ÷ approved cost − 1"),
    Measure("cost", "cost at the efficiency so far", "share", "cost_amber", "cost_red",
            "BAC ÷ CPI ÷ budget − 1 (PMI 2019)"),
    Measure("scope", "changes outside the baseline", "share", "scope_amber", "scope_red",
            "Σ |effect on cost| of changes, not rejected, that the baseline does not hold ÷ its budget"),
    Measure("scope", "oldest undecided change", "days", "change_amber_days", "change_red_days",
            "status date − day on which it was raised; 0 if none waits"),
    Measure("benefits", "benefits lost", "share", "benefits_amber", "benefits_red",
            "1 − benefits forecast ÷ benefits approved"),
    Measure("risk", "exposure not covered", "share", "exposure_amber", "exposure_red",
            "(Σ expected value of open risks − contingency left) ÷ budget"),
    Measure("resources", "worst resourcing issue", "severity", "resourcing_amber", "resourcing_red",
            "highest severity of an open issue of the class resourcing; 0 if none is open"),
    Measure("governance", "gate overdue", "days", "gate_amber_days", "gate_red_days",
            "status date − planned day of the gate not held; 0 if none is overdue"),
    Measure("quality", "artefacts not approved", "share", "artefacts_amber", "artefacts_red",
            "artefacts required by the stage and not approved ÷ required: the only products that returns tell of"),
)  # fmt: skip


def measures(
    tables: Mapping[str, pd.DataFrame],
    *,
    settings: Organisation,
    between: Between,
    against: str,
    earned: pd.DataFrame,
) -> pd.DataFrame:
    """Return every measure of the projects that are ours now, in every report that held them.

    Parameters
    ----------
    tables
        Histories of :data:`NEEDED`.
    settings
        Rates, risk matrix, rules of earned value.
    against
        ``current``: the baseline of the same report; ``original``: the first approved one, or where no baseline was
        returned what the first report gave as such. Then only what a baseline is part of is measured.
    earned
        Result of :func:`estimates`.

    Returns
    -------
    DataFrame
        :data:`MEASURE_COLUMNS`, by project, period and the order of :data:`MEASURES`. ``value`` is null where
        ``reason`` says why.
    """
    stood = standings(tables, settings=settings, between=between, against=against)
    found = {
        "forecast finish": _forecast_finish(stood, states=tables["states"]),
        "finish by the work done": _worked_finish(stood, earned=earned),
        "forecast cost": _forecast_cost(stood, states=tables["states"]),
        "cost at the efficiency so far": _efficient_cost(stood, earned=earned),
        **_scope(stood, changes=tables["changes"], settings=settings, against=against),
        "benefits lost": _benefits(stood, states=tables["states"]),
    }
    if against == CURRENT:
        found |= {
            "exposure not covered": _exposure(stood, tables=tables, settings=settings),
            "worst resourcing issue": _resourcing(stood, issues=tables["issues"]),
            "gate overdue": _overdue(stood, gates=tables["gates"]),
            "artefacts not approved": _unapproved(stood, artefacts=tables["artefacts"], projects=tables["projects"]),
        }
    keys = stood[[*KEY, "status_on"]]
    parts = [
        keys.assign(dimension=m.dimension, measure=m.name, value=found[m.name][0], reason=found[m.name][1], place=place)
        for place, m in enumerate(MEASURES)
        if m.name in found
    ]
    table = pd.concat(parts, ignore_index=True)
    order = table.sort_values(["project_id", "period", "place"], kind="stable")
    return order[list(MEASURE_COLUMNS)].reset_index(drop=True)


def standings(
    tables: Mapping[str, pd.DataFrame], *, settings: Organisation, between: Between, against: str
) -> pd.DataFrame:
    """Return the projects that are ours now as each report had them, with the baseline that they are held against.

    Columns of ``projects`` with money at the stated rates, ``status_on``, and ``base_finish_on, base_cost, base_budget,
    base_benefits``. Where a project stood in two portfolios in one report, our row counts.
    """
    projects = tables["projects"]
    ours = projects[projects["project_id"].isin(between.now(projects)["project_id"])]
    ours = ours.iloc[ours["portfolio_id"].ne(between.portfolio_id).argsort(kind="stable")]
    rows = ours.drop_duplicates(KEY).sort_values(["project_id", "period"], kind="stable").reset_index(drop=True)
    rows = converted(rows, columns=MONEY, rates=settings.rates, currency=settings.currency)
    days = status_dates(tables["status"])
    ends = pd.PeriodIndex(rows["period"], freq="M").end_time.normalize()
    rows["status_on"] = rows["period"].map(days).fillna(pd.Series(ends, index=rows.index)).astype("datetime64[us]")
    base = _current(rows) if against == CURRENT else _original(rows, baselines=tables["baselines"], settings=settings)
    return rows.assign(**base)


def _current(rows: pd.DataFrame) -> dict[str, pd.Series]:
    return {
        "base_finish_on": rows["finish_baseline_on"], "base_cost": rows["whole_life_cost_baseline"],
        "base_budget": rows["budget_at_completion"], "base_benefits": rows["benefits_baseline"],
    }  # fmt: skip


def _original(rows: pd.DataFrame, *, baselines: pd.DataFrame, settings: Organisation) -> dict[str, pd.Series]:
    """Return the first approval of each project: of the sheet baselines, or else of its first report.

    Approved whole-life cost at first = as approved now − what later approvals added to the budget. Nothing is held
    against a baseline that was approved, or first returned, only after its report.
    """
    known = converted(baselines, columns=["budget"], rates=settings.rates, currency=settings.currency)
    known = known.sort_values("period", kind="stable").drop_duplicates(["project_id", "version"], keep="last")
    known = known.sort_values(["project_id", "approved_on", "version"], kind="stable")
    # By reindex, since a map over an empty table of dates fails.
    first = known.drop_duplicates("project_id").set_index("project_id").reindex(rows["project_id"]).set_axis(rows.index)
    by_project = rows.groupby("project_id")[["finish_baseline_on", *MONEY]]
    told = by_project.transform("first").where(by_project.ffill().notna())
    later = first["approved_on"].gt(rows["status_on"])
    budget = first["budget"].astype("float64").mask(later)
    since = rows["budget_at_completion"] - budget
    return {
        "base_finish_on": first["finish_on"].mask(later).fillna(told["finish_baseline_on"]),
        "base_cost": (rows["whole_life_cost_baseline"] - since).fillna(told["whole_life_cost_baseline"]),
        "base_budget": budget.fillna(told["budget_at_completion"]),
        "base_benefits": told["benefits_baseline"],
    }


def _told(values: pd.Series, *, because: Mapping[str, pd.Series]) -> Told:
    """Return values, null where one of the reasons holds, and the first of the reasons."""
    reason = pd.Series("", index=values.index, dtype="str")
    for words, holds in reversed(list(because.items())):
        reason = reason.mask(holds.fillna(value=True).astype(bool), words)
    numbers = values.astype("float64").where(reason.eq("")).replace([np.inf, -np.inf], np.nan)
    return numbers, reason.mask(numbers.isna() & reason.eq(""), "not known")


def _worded(told: Told, *, words: pd.Series) -> Told:
    """Put the words of the return in the place of the reason, where it gave any."""
    values, reason = told
    return values, reason.mask(values.isna() & words.ne(""), words)


def _cell(stood: pd.DataFrame, *, states: pd.DataFrame, column: str, noun: str) -> pd.Series:
    """Say why a cell of projects is empty: ``forecast finish not set``; ``""`` where it has a value."""
    words = reasons(stood, states=states, table="projects", column=column)
    return (noun + " " + words).where(words.ne(""), "")


def _forecast_finish(stood: pd.DataFrame, *, states: pd.DataFrame) -> Told:
    finish = stood["finish_actual_on"].fillna(stood["finish_forecast_on"])
    days = (finish - stood["base_finish_on"]).dt.days
    no_finish = _cell(stood, states=states, column="finish_forecast_on", noun="forecast finish")
    no_base = _cell(stood, states=states, column="finish_baseline_on", noun="baseline finish")
    told = _told(days, because={"no finish": finish.isna(), "no baseline finish": stood["base_finish_on"].isna()})
    return _worded(_worded(told, words=no_base), words=no_finish.where(finish.isna(), ""))


def _forecast_cost(stood: pd.DataFrame, *, states: pd.DataFrame) -> Told:
    cost, base = stood["whole_life_cost_forecast"], stood["base_cost"]
    told = _told(cost / base.where(base.gt(0)) - 1, because={NO_BASELINE_COST: ~base.gt(0), "no forecast": cost.isna()})
    return _worded(told, words=_cell(stood, states=states, column="whole_life_cost_forecast", noun="forecast cost"))


def _benefits(stood: pd.DataFrame, *, states: pd.DataFrame) -> Told:
    forecast, base = stood["benefits_forecast"], stood["base_benefits"]
    told = _told(
        1 - forecast / base.where(base.gt(0)),
        because={"no approved benefits above 0": ~base.gt(0), "no forecast": forecast.isna()},
    )
    return _worded(told, words=_cell(stood, states=states, column="benefits_forecast", noun="forecast benefits"))


def estimates(tables: Mapping[str, pd.DataFrame], *, settings: Organisation, between: Between) -> pd.DataFrame:
    """Return what earned value said, report by report, of the finish and the cost of the projects that are ours now.

    Figures count as they were first returned: what was known then.

    Returns
    -------
    DataFrame
        ``period, project_id, finish_on, cost``, with ``finish_reason`` and ``cost_reason`` where they are null; of
        positions with too little work done there is the reason only.
    """
    projects = tables["projects"]
    ours = projects[projects["project_id"].isin(between.now(projects)["project_id"])]
    mine = tables["earned_value"][tables["earned_value"]["project_id"].isin(ours["project_id"])]
    status_on = status_dates(tables["status"]).max()
    ends = pd.Period(between.period, freq="M").end_time.normalize()
    progress = measured(
        mine,
        baselines=tables["baselines"],
        projects=ours,
        settings=settings,
        status_on=ends if pd.isna(status_on) else status_on,
    )
    rows = progress.reported
    if rows.empty:
        return pd.DataFrame(columns=[*KEY, "finish_on", "cost", "finish_reason", "cost_reason"])
    dates = finish_dates(rows, durations=duration_estimates(rows), calendar=progress.terms.calendar)
    costs = cost_estimates(rows)
    low = (rows["earned_value"] / rows["budget"]).lt(settings.earned_value.low_confidence_share)
    least = f"less than {settings.earned_value.low_confidence_share:.0%} complete"
    return pd.DataFrame(
        {
            "period": rows["month"], "project_id": rows["project_id"],
            "finish_on": dates["es_plan_on"].mask(low), "cost": costs["eac_cpi"].mask(low),
            "finish_reason": dates["es_plan_on_reason"].mask(low, least),
            "cost_reason": costs["eac_cpi_reason"].mask(low, least),
        }
    )  # fmt: skip


def _earned(stood: pd.DataFrame, *, earned: pd.DataFrame, column: str) -> tuple[pd.Series, pd.Series]:
    """Return a column of the estimates in the index of ``stood``, and why it is null."""
    words = NONE_RETURNED if earned.empty else "no earned value of this month"
    found = stood[KEY].merge(earned, how="left", on=KEY).set_index(stood.index)
    return found[column], found[f"{column.removesuffix('_on')}_reason"].fillna(words).astype("str")


def _worked_finish(stood: pd.DataFrame, *, earned: pd.DataFrame) -> Told:
    finish, words = _earned(stood, earned=earned, column="finish_on")
    days = (pd.to_datetime(finish) - stood["base_finish_on"]).dt.days
    return _worded(_told(days, because={"no baseline finish": stood["base_finish_on"].isna()}), words=words)


def _efficient_cost(stood: pd.DataFrame, *, earned: pd.DataFrame) -> Told:
    cost, words = _earned(stood, earned=earned, column="cost")
    base = stood["base_budget"]
    over = cost.astype("float64") / base.where(base.gt(0)) - 1
    return _worded(_told(over, because={NO_BUDGET: ~base.gt(0)}), words=words)


def _returned(stood: pd.DataFrame, *, rows: pd.DataFrame) -> pd.Series:
    """Say of each report whether its portfolio returned any row of a table."""
    kept = set(zip(rows["period"], rows["portfolio_id"], strict=True))
    asked = zip(stood["period"], stood["portfolio_id"], strict=True)
    return pd.Series([each in kept for each in asked], index=stood.index, dtype="bool")


def _by_project(stood: pd.DataFrame, *, values: pd.Series) -> pd.Series:
    """Return values by period and project, in the index of ``stood``."""
    found = values.reindex(pd.MultiIndex.from_frame(stood[KEY]))
    return pd.Series(found.to_numpy(), index=stood.index)


def _scope(stood: pd.DataFrame, *, changes: pd.DataFrame, settings: Organisation, against: str) -> dict[str, Told]:
    """Measure how much of the scope the baseline does not hold, and how long the oldest change waits."""
    rows = converted(changes, columns=["effect_on_cost"], rates=settings.rates, currency=settings.currency)
    live = rows[rows["decision"].ne("rejected") & (rows["baseline_version"].isna() | (against == ORIGINAL))]
    currency = stood.set_index(KEY)["currency"]
    own = pd.Series(currency.reindex(pd.MultiIndex.from_frame(live[KEY])).to_numpy(), index=live.index)
    foreign = live["currency"].notna() & live["effect_on_cost"].notna() & live["currency"].ne(own)
    amounts = live["effect_on_cost"].abs().groupby([live["period"], live["project_id"]]).sum()
    mixed = _by_project(stood, values=foreign.groupby([live["period"], live["project_id"]]).any()).eq(True)
    waiting = rows[rows["decided_on"].isna() & rows["decision"].isna()]
    raised = _by_project(stood, values=waiting.groupby(KEY)["raised_on"].min())
    silent, base = ~_returned(stood, rows=rows), stood["base_budget"]
    outside = _by_project(stood, values=amounts).astype("float64").fillna(0.0)
    none = {"no change requests were returned": silent}
    days = (stood["status_on"] - pd.to_datetime(raised)).dt.days.fillna(0)
    return {
        "changes outside the baseline": _told(
            outside / base.where(base.gt(0)),
            because=none | {NO_BUDGET: ~base.gt(0), f"changes {OTHER_CURRENCY}": mixed},
        ),
        "oldest undecided change": _told(days, because=none),
    }


def _exposure(stood: pd.DataFrame, *, tables: Mapping[str, pd.DataFrame], settings: Organisation) -> Told:
    """Measure the expected value of a project's open risks that contingency does not cover."""
    risks = tables["risks"]
    owners = stood[["portfolio_id"]].drop_duplicates().assign(currency=settings.currency)
    scored = scored_risks(risks, portfolios=owners, rules=settings.risk)
    alive = scored[scored["open"]]
    sums = alive.groupby(KEY)["expected_money"].agg(["sum", "count", "size"])
    exposure, counted, size = (_by_project(stood, values=sums[name]).fillna(0) for name in ("sum", "count", "size"))
    left = _contingency(stood, reserves=tables["reserves"])
    budget = stood["budget_at_completion"]
    return _told(
        (exposure - left) / budget.where(budget.gt(0)),
        because={
            "no risk register was returned": ~_returned(stood, rows=risks),
            "no open risk is quantified": size.gt(0) & counted.eq(0),
            "no contingency was approved or stated": left.isna(),
            NO_BUDGET: ~budget.gt(0),
        },
    )


def _contingency(stood: pd.DataFrame, *, reserves: pd.DataFrame) -> pd.Series:
    """Return what was left of contingency in each report: all reports at once, each project of each its own."""
    keyed = stood.assign(project_id=stood["period"] + "|" + stood["project_id"])
    book = reserves.assign(project_id=reserves["period"] + "|" + reserves["project_id"])
    left = contingency_left(keyed, reserves=book).set_index("project_id")["contingency_left"]
    return keyed["project_id"].map(left).astype("float64")


def _resourcing(stood: pd.DataFrame, *, issues: pd.DataFrame) -> Told:
    alive = issues[issues["class"].eq("resourcing") & issues["resolved_on"].isna()]
    worst = _by_project(stood, values=alive.groupby(KEY)["severity"].max()).astype("float64").fillna(0.0)
    return _told(worst, because={"no issue log was returned": ~_returned(stood, rows=issues)})


def _overdue(stood: pd.DataFrame, *, gates: pd.DataFrame) -> Told:
    ahead = gates[gates["held_on"].isna()].groupby(KEY)["planned_on"].min()
    first = pd.to_datetime(_by_project(stood, values=ahead))
    told = _by_project(stood, values=gates.groupby(KEY).size()).notna()
    days = (stood["status_on"] - first).dt.days.clip(lower=0).fillna(0)
    return _told(days, because={"no gate was returned": ~told})


def _unapproved(stood: pd.DataFrame, *, artefacts: pd.DataFrame, projects: pd.DataFrame) -> Told:
    rows = required(artefacts, projects=projects)
    days = stood.set_index(KEY)["status_on"]
    status_on = pd.Series(days.reindex(pd.MultiIndex.from_frame(rows[KEY])).to_numpy(), index=rows.index)
    good = states_of(rows, status_on=status_on).isin([APPROVED, REVIEW_DUE])
    share = _by_project(stood, values=1.0 - good.groupby([rows["period"], rows["project_id"]]).mean())
    return _told(share, because={"no required artefact was returned": share.isna()})
