"""Schedule quality: the fourteen tests of a network, each with its exact rule, its count and its offenders.

The tests are those of the US Defense Contract Management Agency (14-point assessment, 2005 to 2009; DCMA-EA PAM 200.1,
October 2012, sections 3.1.2.3 and 3.1.2.4 for CPLI and BEI). Published descriptions differ in detail, so the rule that
is applied here stands beside each result. *Open* is what is not finished; summaries are left out. Contract tables do
not tell level-of-effort tasks apart, so these count where a source returns them as tasks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from pmo_lib.metrics.critical_path import CRITICAL, Rules, days_left, last_finish, schedule
from pmo_lib.metrics.network import HARD, constraints_of, network, open_ends
from pmo_lib.metrics.working_time import ROUNDING, moment_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pmo_lib.metrics.critical_path import Schedule
    from pmo_lib.metrics.network import Network
    from pmo_lib.parameters.models import ScheduleRules

MET, NOT_MET, NOT_APPLICABLE, INFORMATION = "met", "not met", "not applicable", "for information"
TEST_COLUMNS = (
    "project_id", "number", "test", "rule", "offenders", "out_of", "value", "form", "threshold", "outcome", "reason",
)  # fmt: skip
OFFENDER_COLUMNS = ("project_id", "number", "test", "task_id", "name", "detail", "source_ref")
NO_BASELINE = "no task has a baseline finish"
INFORMATIVE, KINDS_OF_LINK, STRESS = 10, 4, 12
NEEDS_DATES = (6, 7, STRESS, 13)
NO_LIMIT = float("inf")


@dataclass(frozen=True)
class Assessment:
    """The fourteen tests of every network.

    Attributes
    ----------
    tests
        :data:`TEST_COLUMNS`, fourteen rows per project. ``value`` is ``offenders`` ÷ ``out_of``, except in tests 4 (the
        rest of that), 12 (days), 13 and 14 (the index); ``form`` is share, days or ratio. It is null with a ``reason``
        where ``outcome`` is not applicable. ``threshold`` is in words.
    offenders
        :data:`OFFENDER_COLUMNS`, one row per test and task; a link stands at the task after.
    """

    tests: pd.DataFrame
    offenders: pd.DataFrame


class Found(NamedTuple):
    """What one test found: the rows at fault, each with its detail, and what they are counted against."""

    rows: pd.DataFrame
    out_of: int
    value: float | None = None
    reason: str = ""


class Test(NamedTuple):
    """One test: the rule that is applied, and the values that meet it."""

    number: int
    name: str
    rule: str
    find: Callable[[Case], Found]
    least: float = 0.0
    most: float = 0.0
    form: str = "share"

    @property
    def threshold(self) -> str:
        """The threshold in words."""
        if self.number == INFORMATIVE:
            return "none"
        if self.number == STRESS:
            return f"{self.most - 1:.0f} days"
        limit = self.most if self.most < NO_LIMIT else self.least
        words = f"{limit:.0%}" if self.form == "share" else f"{limit:.2f}"
        return ("at most " if self.most < NO_LIMIT else "at least ") + words if limit else "none at all"


@dataclass(frozen=True)
class Case:
    """The network of one project, seen at the status date."""

    net: Network
    computed: Schedule
    rules: Rules
    limits: ScheduleRules
    status_on: pd.Timestamp

    @cached_property
    def tasks(self) -> pd.DataFrame:
        """All tasks, with what the network computes of them."""
        found = self.computed.paths[["total_float_days", "standing", "early_start", "early_finish", "reason"]]
        return pd.concat([self.net.tasks.reset_index(drop=True), found], axis="columns")

    @cached_property
    def open(self) -> pd.DataFrame:
        """Tasks that are not finished."""
        return self.tasks[self.tasks["finish_actual_on"].isna()]

    @cached_property
    def links(self) -> pd.DataFrame:
        """Links to open tasks, each at the place of the task after: ``kind, lag, detail``."""
        names, unfinished = self.tasks["task_id"].tolist(), set(self.open.index)
        rows = [
            (link.after, link.kind, link.lag, f"{names[link.before]} → {names[link.after]} {link.kind}{_lag(link.lag)}")
            for link in self.net.links
            if link.after in unfinished
        ]
        return pd.DataFrame(rows, columns=["place", "kind", "lag", "detail"])

    @property
    def loop(self) -> str:
        """Why dates cannot be computed, ``""`` where they can."""
        return next((reason for reason in self.tasks["reason"] if reason), "")

    def at_links(self, chosen: pd.Series) -> Found:
        """Return the tasks at which the chosen links end."""
        links = self.links[chosen]
        return Found(self.tasks.loc[links["place"]].assign(detail=links["detail"].tolist()), len(self.links))


def assessment(
    tasks: pd.DataFrame, *, links: pd.DataFrame, rules: Rules, limits: ScheduleRules, status_on: pd.Timestamp
) -> Assessment:
    """Make the fourteen tests on each project of the contract's tables ``tasks`` and ``links``.

    Parameters
    ----------
    rules
        How the network is computed; with a calendar, since dates are tested.
    limits
        Thresholds.
    status_on
        Day that the tasks speak of.
    """
    parts = []
    for project, rows in tasks.groupby("project_id", sort=True):
        net = network(rows, links=links[links["project_id"].eq(project)])
        if len(net.tasks):
            parts.append((str(project), Case(net, schedule(net, rules=rules), rules, limits, status_on)))
    results = [(project, test, _tried(test, case=case)) for project, case in parts for test in _tests(limits)]
    told = [_result(test, project=project, found=found) for project, test, found in results]
    offenders = [
        found.rows.assign(number=test.number, test=test.name)[list(OFFENDER_COLUMNS)] for _, test, found in results
    ]
    filled = [rows for rows in offenders if len(rows)]
    return Assessment(
        pd.DataFrame(told, columns=list(TEST_COLUMNS)),
        pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(OFFENDER_COLUMNS)),
    )


def _tests(limits: ScheduleRules) -> tuple[Test, ...]:
    """Return the fourteen tests with these thresholds."""
    stress = limits.stress_days
    logic = "open tasks without predecessor or successor ÷ open tasks; the first start and the last finish are expected"
    high = f"open tasks with total float above {limits.high_float_days} working days ÷ open tasks"
    long = f"open tasks of more than {limits.long_task_days} working days in all ÷ open tasks without milestones"
    invalid = "tasks with a forecast before the status date or an actual date after it ÷ tasks"
    loaded = "open tasks of a day or more with neither resource nor cost ÷ open tasks of a day or more"
    missed = "tasks not finished by their baseline finish ÷ tasks with a baseline finish by the status date"
    critical = f"{stress} working days more for the first critical task move the finish by as much, ± 1"
    length = (
        "CPLI = (length + float) ÷ length: working days from the status date to the computed finish, and from there to "
        "the last baseline finish"
    )
    executed = "BEI = tasks finished, early ones too ÷ tasks with a baseline finish by the status date or without one"
    return (
        Test(1, "Logic", logic, _logic, most=limits.missing_logic),
        Test(2, "Leads", "links with a negative lag ÷ links to open tasks", _leads),
        Test(3, "Lags", "links with a positive lag ÷ links to open tasks", _lags, most=limits.lags),
        Test(
            4, "Kinds of link", "links from finish to start ÷ links to open tasks; the others are listed", _kinds,
            least=limits.finish_to_start, most=NO_LIMIT,
        ),
        Test(
            5, "Hard constraints", "open tasks that must start or finish on a day or no later ÷ open tasks",
            _constrained, most=limits.hard_constraints,
        ),
        Test(6, "High float", high, _high_float, most=limits.high_float),
        Test(7, "Negative float", "open tasks with total float below 0 ÷ open tasks", _negative_float),
        Test(8, "Long tasks", long, _long, most=limits.long_tasks),
        Test(9, "Invalid dates", invalid, _invalid),
        Test(10, "Resources", loaded, _unloaded),
        Test(11, "Missed tasks", missed, _missed, most=limits.missed_tasks),
        Test(12, "Critical path", critical, _critical, least=stress - 1.0, most=stress + 1.0, form="days"),
        Test(13, "Path length", length, _path_length, least=limits.path_index, most=NO_LIMIT, form="ratio"),
        Test(14, "Execution", executed, _executed, least=limits.execution_index, most=NO_LIMIT, form="ratio"),
    )  # fmt: skip


def _tried(test: Test, *, case: Case) -> Found:
    return _none(case, reason=case.loop) if test.number in NEEDS_DATES and case.loop else test.find(case)


def _result(test: Test, *, project: str, found: Found) -> tuple[Any, ...]:
    """Return one row of the tests: the value against its threshold."""
    value, reason = found.value, found.reason
    if value is None and not reason:
        value = len(found.rows) / found.out_of if found.out_of else None
        value = 1 - value if test.number == KINDS_OF_LINK and value is not None else value
        reason = "" if value is not None else "nothing to test"
    if value is None:
        outcome = NOT_APPLICABLE
    elif test.number == INFORMATIVE:
        outcome = INFORMATION
    else:
        outcome = MET if test.least - ROUNDING <= value <= test.most + ROUNDING else NOT_MET
    told = project, test.number, test.name, test.rule, len(found.rows), found.out_of
    return *told, value, test.form, test.threshold, outcome, reason


def _none(case: Case, *, reason: str = "", out_of: int = 0, value: float | None = None) -> Found:
    """Return a result without offenders."""
    return Found(case.tasks.iloc[:0].assign(detail=""), out_of, value, reason)


def _logic(case: Case) -> Found:
    ends = open_ends(case.net)
    lacking = ends.groupby("task_id")["missing"].agg(" and ".join)
    unfinished = case.open
    rows = unfinished.assign(detail=unfinished["task_id"].map(lacking).map("no {}".format, "ignore"))
    rows = rows[rows["detail"].notna()]
    first = case.tasks.loc[case.tasks["task_id"].isin(lacking[lacking.str.startswith("predecessor")].index)]
    starts = first.sort_values("early_start", kind="stable")["task_id"].head(1)
    last = rows[rows["detail"].str.endswith("successor")]
    finishes = last.sort_values("early_finish", kind="stable")["task_id"].tail(1)
    expected = (rows["task_id"].isin(starts) & rows["detail"].eq("no predecessor")) | (
        rows["task_id"].isin(finishes) & rows["detail"].eq("no successor")
    )
    return Found(rows[~expected], len(unfinished))


def _leads(case: Case) -> Found:
    return case.at_links(case.links["lag"] < 0)


def _lags(case: Case) -> Found:
    return case.at_links(case.links["lag"] > 0)


def _kinds(case: Case) -> Found:
    return case.at_links(case.links["kind"] != "fs")


def _constrained(case: Case) -> Found:
    hard = [
        "; ".join(f"{each.kind} {each.day}" for each in constraints_of(text)[0] if each.kind in HARD)
        for text in case.open["constraint"]
    ]
    rows = case.open.assign(detail=hard)
    return Found(rows[rows["detail"].ne("")], len(rows))


def _high_float(case: Case) -> Found:
    return _by_float(case, chosen=case.open["total_float_days"] > case.limits.high_float_days)


def _negative_float(case: Case) -> Found:
    return _by_float(case, chosen=case.open["total_float_days"] < -ROUNDING)


def _by_float(case: Case, *, chosen: pd.Series) -> Found:
    rows = case.open[chosen]
    return Found(rows.assign(detail=_in_days(rows["total_float_days"], of="float")), len(case.open))


def _long(case: Case) -> Found:
    work = case.open[~case.open["is_milestone"].fillna(False).astype(bool)]
    rows = work[work["duration_days"] > case.limits.long_task_days]
    return Found(rows.assign(detail=_in_days(rows["duration_days"], of="duration")), len(work))


def _invalid(case: Case) -> Found:
    """Find forecasts of the past and actual dates of the future."""
    tasks, today = case.tasks, case.status_on
    detail = pd.Series("", index=tasks.index, dtype="str")
    for edge in ("start", "finish"):
        forecast, actual = tasks[f"{edge}_forecast_on"], tasks[f"{edge}_actual_on"]
        past, ahead = actual.isna() & (forecast < today), actual > today
        for wrong, words, days in ((past, "forecast", forecast), (ahead, "actual", actual)):
            said = f"{words} {edge} " + days.dt.strftime("%Y-%m-%d").astype("str")
            detail = detail.mask(wrong, detail.where(detail.eq(""), detail + "; ") + said)
    dated = tasks[[f"{edge}_{kind}_on" for edge in ("start", "finish") for kind in ("forecast", "actual")]]
    if dated.isna().all(axis=None):
        return _none(case, reason="no task has a forecast or an actual date")
    return Found(tasks.assign(detail=detail)[detail.ne("")], len(tasks))


def _unloaded(case: Case) -> Found:
    work = case.open[case.open["duration_days"] >= 1]
    if case.tasks[["resource", "cost"]].isna().all(axis=None):
        return _none(case, reason="neither resources nor costs are returned with the tasks", out_of=len(work))
    rows = work[work["resource"].isna() & (work["cost"].isna() | work["cost"].eq(0))]
    return Found(rows.assign(detail="no resource, no cost"), len(work))


def _missed(case: Case) -> Found:
    baseline = case.tasks["finish_baseline_on"]
    if baseline.isna().all():
        return _none(case, reason=NO_BASELINE)
    due = case.tasks[baseline <= case.status_on]
    rows = due[due["finish_actual_on"].isna() | (due["finish_actual_on"] > due["finish_baseline_on"])]
    late = (rows["finish_actual_on"].fillna(case.status_on) - rows["finish_baseline_on"]).dt.days.tolist()
    detail = [
        f"{days} calendar days late{' so far' if unfinished else ''}"
        for days, unfinished in zip(late, rows["finish_actual_on"].isna(), strict=True)
    ]
    return Found(rows.assign(detail=pd.Series(detail, index=rows.index, dtype="str")), len(due))


def _critical(case: Case) -> Found:
    """Lengthen the first critical task, and see how far the finish moves in working days of the task's calendar."""
    path = case.open[case.open["standing"].eq(CRITICAL)].sort_values("early_start", kind="stable")
    if path.empty:
        return _none(case, reason="no open task is critical")
    place, days = int(path.index[0]), case.limits.stress_days
    left = days_left(case.net.tasks).fillna(0.0)
    longer = case.net.tasks.assign(remaining_days=left.where(left.index != place, left + days))
    moved = last_finish(replace(case.net, tasks=longer), rules=case.rules)
    clock = case.rules.calendars.get(str(case.tasks.at[place, "calendar"]), case.rules.time)
    before = case.computed.finishes["finish_on"].max()
    value = clock.worked(moment_of(moved) + 1) - clock.worked(moment_of(before) + 1)
    rows = path.head(1).assign(detail=f"the finish moves by {value:g} working days")
    return Found(rows.iloc[: 0 if abs(value - days) <= 1 else 1], 1, value)


def _path_length(case: Case) -> Found:
    finish, baseline = case.computed.finishes["finish_on"].max(), case.tasks["finish_baseline_on"].max()
    if pd.isna(baseline):
        return _none(case, reason=NO_BASELINE)
    if case.open.empty:
        return _none(case, reason="every task is finished")
    today, end, approved = (case.rules.time.worked(moment_of(day) + 1) for day in (case.status_on, finish, baseline))
    if end <= today:
        return _none(case, reason="the computed finish is not after the status date")
    return _none(case, out_of=round(end - today), value=(approved - today) / (end - today))


def _executed(case: Case) -> Found:
    baseline = case.tasks["finish_baseline_on"]
    if baseline.isna().all():
        return _none(case, reason=NO_BASELINE)
    due = case.tasks[(baseline <= case.status_on) | baseline.isna()]
    done = len(case.tasks) - len(case.open)
    if due.empty:
        return _none(case, reason="no task was to be finished by the status date")
    rows = due[due["finish_actual_on"].isna()]
    why = ["no baseline finish" if unknown else "due and not finished" for unknown in rows["finish_baseline_on"].isna()]
    return Found(rows.assign(detail=why), len(due), done / len(due))


def _in_days(values: pd.Series, *, of: str) -> pd.Series:
    return pd.Series([f"{of} {value:g} working days" for value in values], index=values.index, dtype="str")


def _lag(days: float) -> str:
    return f" {days:+g}" if days else ""
