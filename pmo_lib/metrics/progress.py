"""From the returned figures to positions: each project at each month, against the baseline that was in force then.

Planned and earned value belong to one version of the baseline; two versions are never spliced into one curve, and no
figure is taken across a re-baseline. A position is cumulative to the end of its month, or to the status date within it:
then planned value and time count for the share of the month's working days that has passed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pandas as pd

from pmo_lib.metrics.calendar import Calendar, calendar_of, month_numbers, months_written
from pmo_lib.metrics.earned_schedule import earned_months, planned_months, schedule
from pmo_lib.metrics.earned_value import ABOVE_BUDGET, NO_ACTUAL, NO_EARNED, NO_PLAN, TOLERANCE
from pmo_lib.metrics.money import converted
from pmo_lib.metrics.movement import joined, names_of

if TYPE_CHECKING:
    from pmo_lib.parameters.models import EarnedValueRules, Organisation

KEY = ["project_id", "baseline_version"]
FIGURES = ["earned_value", "actual_cost"]
POSITION_COLUMNS = [
    "project_id", "name", "programme_id", "baseline_version", "month", "planned_value", "earned_value", "actual_cost",
    "budget", "recent_earned", "recent_cost", "management_estimate", "earned_months", "elapsed_months",
    "planned_months", "forecast_months", "spi_t", "time", "origin", "planned_finish_on", "forecast_finish_on",
    "month_number", "plan", "plan_reason", "flat_months", "stopped_months", "complete", "currency", "flags",
    "source_ref",
]  # fmt: skip
PLAN_COLUMNS = ["plan", *KEY, "month_number", "number", "planned_value", "planned_before"]
GAP, FALLS, SHORT = "planned value has a gap", "planned value falls", "planned value ends below the budget"
NOTHING_RETURNED, NO_CURVE = "no earned value returned", "no planned value for this baseline"
BEFORE_START = "the status date is before the start of the baseline"
RESTATED, CREDIT, STEPPED = "earned value fell", "actual cost fell", "steps over months without planned work"
STOPPED, LOW, UNPOSTED = "months at a stop are not counted", "low confidence", "work earned, no cost posted"
REPORTED_AGAIN, OTHER_BUDGET = "restated in a later return", "planned value sums to more than the budget"
WHOLE_LIFE = ["whole_life_cost_forecast", "whole_life_cost_baseline"]
SAME_SCOPE = 0.01


@dataclass(frozen=True)
class Terms:
    """On what terms positions are taken: limits, working calendar, and the status date of the last one."""

    rules: EarnedValueRules
    calendar: Calendar
    status_on: pd.Timestamp

    @property
    def month_number(self) -> int:
        """Month of the status date, as months since January 1970."""
        return (self.status_on.year - 1970) * 12 + self.status_on.month - 1


@dataclass(frozen=True)
class Progress:
    """Positions of projects (:data:`POSITION_COLUMNS`) and the curves that they stand on (:data:`PLAN_COLUMNS`).

    ``positions`` are as the last return has them; ``reported`` as they were reported first: what was known then.
    """

    positions: pd.DataFrame
    plans: pd.DataFrame
    reported: pd.DataFrame
    terms: Terms


def measured(
    earned_value: pd.DataFrame,
    *,
    baselines: pd.DataFrame,
    projects: pd.DataFrame,
    settings: Organisation,
    status_on: pd.Timestamp,
) -> Progress:
    """Return the positions of projects at every month up to the status date.

    Parameters
    ----------
    earned_value, baselines, projects
        Histories of these tables, with ``period`` in front.
    settings, status_on
        Limits, working calendar and stated rates of the organisation: money in a currency with a rate is converted;
        the status date of the last return.

    Returns
    -------
    Progress
        Positions by project and month, and the curves. ``time`` is the status date in months since January 1970, and
        ``origin`` the start of the baseline; AT = time − origin, without months at a stop: those in which the project
        was returned as paused and earned nothing. They are taken out of the plan as well where it has no work in them.
        AT stops at completion. ``plan_reason`` says why a baseline has no curve; ``flags`` joins what is odd with
        ``; ``. Empty where nothing was returned.
    """
    terms = Terms(settings.earned_value, calendar_of(settings.working_calendar), pd.Timestamp(status_on))
    rates, own = settings.rates, settings.currency
    earned_value = converted(earned_value, columns=["planned_value", *FIGURES], rates=rates, currency=own)
    projects = converted(projects, columns=WHOLE_LIFE, rates=rates, currency=own)
    baselines = converted(baselines, columns=["budget"], rates=rates, currency=own)
    rows = earned_value[earned_value["project_id"].isin(projects["project_id"].unique())]
    if rows.empty:
        none = pd.DataFrame(columns=POSITION_COLUMNS)
        return Progress(none, pd.DataFrame(columns=PLAN_COLUMNS), none, terms)
    versions = _last(baselines, key=["project_id", "version"]).rename(columns={"version": "baseline_version"})
    now, plans = _positions(_once(rows, keep="last"), versions=versions, projects=projects, terms=terms)
    first, then = _once(rows, keep="first"), now
    if first["again"].any():
        then, _ = _positions(first, versions=versions, projects=projects, terms=terms)
    return Progress(now, plans, then, terms)


def standing(progress: Progress, *, projects: pd.DataFrame) -> pd.DataFrame:
    """Return where each project stands: its last position.

    Parameters
    ----------
    projects
        The projects that are asked about; those without figures are told, too.

    Returns
    -------
    DataFrame
        One row per project, in the order of ``projects``: :data:`POSITION_COLUMNS` and ``reason``: ``""``; or
        ``no earned value returned``, ``no figures after 2026-07`` (the last known stand there, and count in no sum);
        or why its figures cannot be used.
    """
    asked = projects.drop_duplicates("project_id")
    last = progress.positions.drop_duplicates("project_id", keep="last").set_index("project_id")
    rows = last.reindex(asked["project_id"]).reset_index()
    for name in ("name", "programme_id"):
        rows[name] = asked[name].set_axis(rows.index)
    rows["source_ref"] = rows["source_ref"].fillna(asked["source_ref"].set_axis(rows.index))
    missing, old = rows["month"].isna(), rows["month_number"].lt(progress.terms.month_number)
    reason = pd.Series("", index=rows.index, dtype="str").mask(_above(rows), ABOVE_BUDGET)
    for figure, words in (("planned_value", NO_PLAN), ("earned_value", NO_EARNED), ("actual_cost", NO_ACTUAL)):
        reason = reason.mask(rows[figure].isna(), words)
    reason = reason.mask(rows["budget"].isna() | rows["planned_value"].isna(), rows["plan_reason"].fillna(""))
    reason = reason.mask(old, "no figures after " + rows["month"].fillna("")).mask(missing, NOTHING_RETURNED)
    return rows.assign(reason=reason.astype("str"))


def _positions(
    rows: pd.DataFrame, *, versions: pd.DataFrame, projects: pd.DataFrame, terms: Terms
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return positions and curves of figures that stand there once each."""
    back = terms.rules.recent_months
    seen = _observed(rows, until=terms.month_number)
    stops = _stops(seen, projects=projects)
    facts, plans = _plans(rows, versions=versions, stops=stops)
    seen = _carried(_in_force(seen, versions=versions).merge(facts, how="left", on="plan"), until=terms.month_number)
    seen = _since(_since(seen, rows=rows, months=1, stem="last"), rows=rows, months=back, stem="base")
    seen = _placed(seen, stops=stops, terms=terms)
    seen = _planned(seen, plans=plans, returned=projects, terms=terms)
    seen = seen.assign(flags=_flags(seen, terms=terms), month=months_written(seen["month_number"]))
    return _described(seen, projects=projects)[POSITION_COLUMNS], plans


def _once(history: pd.DataFrame, *, keep: Literal["first", "last"]) -> pd.DataFrame:
    """Return each figure once, as the first or last return has it, and whether another return disagrees."""
    key, figures = [*KEY, "month"], ["planned_value", *FIGURES]
    rows = history.sort_values("period", kind="stable")
    one = rows.drop_duplicates(key, keep=keep)
    told = rows[rows.duplicated(key, keep=False)].groupby(key)[figures]
    spread = told.nunique().gt(1).any(axis="columns")
    place = pd.MultiIndex.from_frame(one[key])
    if keep == "first":  # a return holds the months to come, without figures
        first = told.first().reindex(place).set_axis(one.index)
        one = one.assign(**{name: one[name].fillna(first[name]) for name in figures})
    one = one.assign(
        again=place.isin(spread.index[spread]),
        month_number=month_numbers(one["month"]),
        plan=one.groupby(KEY, sort=True).ngroup(),
    )
    return one.sort_values(["plan", "month_number"], kind="stable", ignore_index=True)


def _last(history: pd.DataFrame, *, key: list[str]) -> pd.DataFrame:
    order = history.sort_values("period", kind="stable") if "period" in history.columns else history
    return order.drop_duplicates(key, keep="last")


def _observed(rows: pd.DataFrame, *, until: int) -> pd.DataFrame:
    """Return the months with earned value or cost, up to the status date."""
    seen = rows[FIGURES].notna().any(axis="columns") & rows["month_number"].le(until)
    return rows[seen].drop(columns="planned_value")


def _carried(seen: pd.DataFrame, *, until: int) -> pd.DataFrame:
    """Let the last figures of complete projects stand in every month up to the status date."""
    last = seen.drop_duplicates("project_id", keep="last")
    last = last[_complete(last) & last["month_number"].lt(until)]
    if last.empty:
        return seen
    more = last.loc[last.index.repeat(until - last["month_number"])]
    more = more.assign(month_number=more["month_number"] + more.groupby(level=0).cumcount() + 1, again=False)
    whole = pd.concat([seen, more], ignore_index=True)
    return whole.sort_values(["project_id", "month_number"], kind="stable", ignore_index=True)


def _since(seen: pd.DataFrame, *, rows: pd.DataFrame, months: int, stem: str) -> pd.DataFrame:
    """Add what the figures were some months earlier on the same baseline: columns that begin with ``stem``."""
    names = ["plan", "month_number", *FIGURES]
    known = pd.concat([seen[names], rows[names]]).drop_duplicates(["plan", "month_number"])
    known = known.assign(month_number=known["month_number"] + months)
    return seen.merge(known.rename(columns={name: f"{stem}_{name}" for name in FIGURES}), how="left", on=names[:2])


def _in_force(seen: pd.DataFrame, *, versions: pd.DataFrame) -> pd.DataFrame:
    """Keep the baseline in force in each month: of those with figures, the one approved last by then."""
    approved = versions.set_index(KEY)["approved_on"]
    asked = pd.MultiIndex.from_frame(seen[KEY])
    day = pd.Series(approved.reindex(asked).to_numpy(), index=seen.index)
    begins = seen.groupby("plan")["month_number"].transform("min")
    month = (day.dt.year - 1970) * 12 + day.dt.month - 1
    order = seen.assign(early=~month.gt(seen["month_number"]), day=day, begins=begins).sort_values(
        ["project_id", "month_number", "early", "day", "begins", "baseline_version"], na_position="first", kind="stable"
    )
    kept = order.drop_duplicates(["project_id", "month_number"], keep="last")
    return kept.drop(columns=["early", "day", "begins"]).reset_index(drop=True)


def _stops(seen: pd.DataFrame, *, projects: pd.DataFrame) -> pd.DataFrame:
    """Return the months in which a project was returned as paused and earned nothing."""
    paused = projects.loc[projects["delivery_status"].eq("paused"), ["project_id", "period"]].drop_duplicates()
    stood = seen.groupby("plan")["earned_value"].diff().eq(0) & seen.groupby("plan")["month_number"].diff().eq(1)
    still = seen.loc[stood, ["project_id", "month_number"]].drop_duplicates()
    return paused.assign(month_number=month_numbers(paused["period"]))[["project_id", "month_number"]].merge(still)


def _plans(rows: pd.DataFrame, *, versions: pd.DataFrame, stops: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what is known of each plan (start, budget, planned duration, faults), and the usable curves."""
    curves = rows.loc[rows["planned_value"].notna(), ["plan", *KEY, "month_number", "planned_value"]].copy()
    curves["planned_before"] = curves.groupby("plan")["planned_value"].shift().fillna(0.0)
    facts = _curve_facts(rows, curves=curves, versions=versions)
    curves = _numbered(curves[curves["plan"].isin(facts.index[facts["plan_reason"].isin(["", SHORT])])], stops=stops)
    whole = curves[curves["plan"].isin(facts.index[facts["plan_reason"].eq("")])]
    facts["planned_months"] = planned_months(whole)
    within = whole["number"].le(whole["plan"].map(facts["planned_months"]))
    flat = (whole["planned_value"].le(whole["planned_before"]) & within).groupby(whole["plan"]).sum()
    facts["flat_months"] = flat.reindex(facts.index).fillna(0).astype("int64")
    return facts.reset_index(), curves[PLAN_COLUMNS]


def _curve_facts(rows: pd.DataFrame, *, curves: pd.DataFrame, versions: pd.DataFrame) -> pd.DataFrame:
    """Return start, budget and faults of each plan: the budget is Σ planned value, unless the curve ends below it."""
    by_plan = curves.groupby("plan")
    falls = curves["planned_value"].lt(curves["planned_before"] * (1 - TOLERANCE)).groupby(curves["plan"]).any()
    keys = rows.drop_duplicates("plan").set_index("plan")[KEY]
    span = by_plan["month_number"].agg(["min", "max", "size"]).reindex(keys.index)
    top = by_plan["planned_value"].max().reindex(keys.index)
    own = versions.set_index(KEY)[["budget", "finish_on"]].reindex(pd.MultiIndex.from_frame(keys)).set_index(keys.index)
    reason = pd.Series("", index=keys.index, dtype="str").mask(own["budget"].gt(top * (1 + TOLERANCE)), SHORT)
    reason = reason.mask((span["max"] - span["min"] + 1).gt(span["size"]), GAP)
    reason = reason.mask(falls.reindex(keys.index).eq(True), FALLS).mask(span["min"].isna(), NO_CURVE)
    good = reason.eq("") & top.gt(0)
    return pd.DataFrame(
        {
            "origin": span["min"],
            "plan_reason": reason,
            "budget": top.where(good, own["budget"].where(own["budget"].gt(0))),
            "baseline_finish_on": own["finish_on"],
            "other_budget": own["budget"].lt(top * (1 - TOLERANCE)),
        }
    )


def _numbered(curves: pd.DataFrame, *, stops: pd.DataFrame) -> pd.DataFrame:
    """Number the periods of each plan, without the months at a stop in which it has no work."""
    at_stop = curves[["project_id", "month_number"]].merge(stops.assign(stop=True), how="left")["stop"].eq(True)
    idle = at_stop.to_numpy() & curves["planned_value"].eq(curves["planned_before"]).to_numpy()
    kept = curves[~idle]
    return kept.assign(number=kept.groupby("plan").cumcount() + 1)


def _placed(seen: pd.DataFrame, *, stops: pd.DataFrame, terms: Terms) -> pd.DataFrame:
    """Place positions: the status date within its month, the end of its month else; it stands still once complete."""
    now = float(terms.calendar.time_of(pd.Series([terms.status_on])).iloc[0])
    time = (seen["month_number"] + 1.0).mask(seen["month_number"].eq(terms.month_number), now)
    complete, status_time = _complete(seen), time
    ended = time.where(complete).groupby(seen["project_id"]).cummin()
    ended = ended.groupby(seen["project_id"]).ffill()
    done = complete.groupby(seen["project_id"]).cummax()
    time = time.mask(done & ended.notna(), ended)
    stopped = pd.Series(0, index=seen.index)
    if len(stops):
        pairs = seen[["project_id", "month_number"]].reset_index().merge(stops, on="project_id", suffixes=("", "_stop"))
        counts = pairs[pairs["month_number_stop"].le(pairs["month_number"])].groupby("index").size()
        stopped = counts.reindex(seen.index).fillna(0).astype("int64")
    elapsed = (time - seen["origin"] - stopped).clip(lower=0)
    return seen.assign(
        time=time, status_time=status_time, complete=complete, stopped_months=stopped, elapsed_months=elapsed
    )  # fmt: skip


def _planned(seen: pd.DataFrame, *, plans: pd.DataFrame, returned: pd.DataFrame, terms: Terms) -> pd.DataFrame:
    """Add planned value, earned schedule, the rises of the last months, and what the management expects."""
    back = terms.rules.recent_months
    whole = plans[plans["plan"].isin(seen.loc[seen["plan_reason"].eq(""), "plan"])]
    seen = seen.assign(
        planned_value=_planned_at(seen, plans=plans),
        earned_months=earned_months(seen, plans=whole).where(~_above(seen)),
    )
    original = seen["plan"].eq(seen.groupby("project_id")["plan"].transform("first"))
    starts = seen["month_number"].eq(seen["origin"] + back - 1) & original
    for name, figure in (("recent_earned", "earned_value"), ("recent_cost", "actual_cost")):
        base = seen[f"base_{figure}"].mask(starts & seen[f"base_{figure}"].isna(), 0.0)
        seen[name] = seen[figure] - base
    seen = seen.merge(_expected(returned), how="left", on=["project_id", "month_number"])
    same = (seen["whole_life_cost_baseline"] - seen["budget"]).abs().le(SAME_SCOPE * seen["budget"])
    same |= seen["whole_life_cost_baseline"].isna()
    same &= seen["expected_currency"].fillna(seen["currency"]).eq(seen["currency"])
    finish = terms.calendar.time_of(seen["forecast_finish_on"])
    computed = terms.calendar.day_at(seen["origin"] + seen["planned_months"])
    seen = seen.assign(
        management_estimate=seen["whole_life_cost_forecast"].where(same),
        forecast_months=finish - seen["origin"] - seen["stopped_months"],
        planned_finish_on=seen["baseline_finish_on"].fillna(computed),
    )
    return seen.assign(spi_t=schedule(seen)["spi_t"])


def _planned_at(seen: pd.DataFrame, *, plans: pd.DataFrame) -> pd.Series:
    """Return planned value at the time of each position: 0 before the start, the whole after the end."""
    found = seen[["plan", "month_number"]].merge(plans, how="left", on=["plan", "month_number"]).set_index(seen.index)
    share = (seen["status_time"] - seen["month_number"]).clip(upper=1.0)
    value = found["planned_before"] + share * (found["planned_value"] - found["planned_before"])
    ends = plans.groupby("plan")[["month_number", "planned_value"]].max().reindex(seen["plan"]).set_index(seen.index)
    value = value.mask(seen["month_number"].gt(ends["month_number"]), ends["planned_value"])
    stopped = found["number"].isna() & value.isna() & ends["month_number"].notna()
    before = stopped & seen["month_number"].lt(seen["origin"])
    earlier = plans.sort_values("month_number", kind="stable")
    last = pd.merge_asof(
        seen[["plan", "month_number"]].reset_index().sort_values("month_number", kind="stable"),
        earlier[["plan", "month_number", "planned_value"]], on="month_number", by="plan",
    ).set_index("index")["planned_value"].reindex(seen.index)  # fmt: skip
    return value.mask(stopped, last).mask(before, 0.0).astype("float64")


def _expected(projects: pd.DataFrame) -> pd.DataFrame:
    """Return what each return said of whole-life cost and finish, by project and month."""
    names = [*WHOLE_LIFE, "finish_forecast_on", "currency"]
    rows = projects[["project_id", "period", *names]].drop_duplicates(["project_id", "period"])
    rows = rows.assign(month_number=month_numbers(rows["period"])).drop(columns="period")
    return rows.rename(columns={"finish_forecast_on": "forecast_finish_on", "currency": "expected_currency"})


def _flags(seen: pd.DataFrame, *, terms: Terms) -> pd.Series:
    share = seen["earned_value"] / seen["budget"]
    return joined(
        {
            ABOVE_BUDGET: _above(seen),
            RESTATED: seen["earned_value"].lt(seen["last_earned_value"]),
            REPORTED_AGAIN: seen["again"],
            CREDIT: seen["actual_cost"].lt(seen["last_actual_cost"]),
            UNPOSTED: seen["actual_cost"].eq(0) & seen["earned_value"].gt(0),
            BEFORE_START: seen["time"].le(seen["origin"]),
            OTHER_BUDGET: seen["other_budget"],
            STEPPED: seen["flat_months"].gt(0) & seen["earned_months"].gt(0),
            STOPPED: seen["stopped_months"].gt(0),
            LOW: share.lt(terms.rules.low_confidence_share),
        }
    )


def _complete(seen: pd.DataFrame) -> pd.Series:
    return seen["budget"].gt(0) & seen["earned_value"].ge(seen["budget"] * (1 - TOLERANCE))


def _above(seen: pd.DataFrame) -> pd.Series:
    return seen["earned_value"].gt(seen["budget"] * (1 + TOLERANCE))


def _described(seen: pd.DataFrame, *, projects: pd.DataFrame) -> pd.DataFrame:
    known = _last(projects, key=["project_id"]).set_index("project_id")
    named = seen.assign(
        name=seen["project_id"].map(names_of(projects)), programme_id=seen["project_id"].map(known["programme_id"])
    )
    return named.sort_values(["project_id", "month_number"], kind="stable", ignore_index=True)
