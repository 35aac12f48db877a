"""The schedule network of a project: tasks and links, by a forward pass over working days (Kelley and Walker 1959).

The baseline is the pass itself, stretched so that it ends on the baseline finish; actual and forecast dates follow the
project's real way and its manager's forecast.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pmo_lib.demo.money import pounds_and_pence
from pmo_lib.demo.truth import PROJECTS_KEPT
from pmo_lib.demo.wording import MILESTONES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pmo_lib.demo.belief import Row, View

WORKS_WITH_NETWORK = (0, 1)  # places in a portfolio's list of projects that hand in their schedule


class Step(NamedTuple):
    """A task of the pattern: ``weight`` is its relative duration; ``after`` lists predecessor, type, lag in weeks."""

    id: str
    wbs: str
    name: str
    weight: float
    resource: str
    after: tuple[tuple[str, str, int], ...] = ()


PATTERN = (
    Step("T010", "1.1", "Mobilise the team", 0.04, "Project office"),
    Step("T020", "1.2", "Surveys and existing information", 0.07, "Consultant", (("T010", "fs", 0),)),
    Step("T030", "1.3", "Outline design", 0.10, "Designer", (("T020", "ss", 2),)),
    Step("T040", "1.4", "Consultation", 0.06, "Communications", (("T030", "ss", 1),)),
    Step("T050", "1.5", "Consents and approvals", 0.12, "Planning", (("T030", "fs", 0), ("T040", "fs", 0))),
    Step("T060", "2.1", "Tender documents", 0.06, "Procurement", (("T030", "fs", 0),)),
    Step("T070", "2.2", "Tender and evaluation", 0.09, "Procurement", (("T060", "fs", 0),)),
    Step("T080", "2.3", "Award", 0.0, "Procurement", (("T070", "fs", 0), ("T050", "fs", 0))),
    Step("T090", "3.1", "Contractor's mobilisation", 0.05, "Contractor", (("T080", "fs", 0),)),
    Step("T100", "3.2", "Enabling work", 0.08, "Contractor", (("T090", "fs", 0),)),
    Step("T110", "3.3", "Main work, part one", 0.18, "Contractor", (("T100", "fs", 0),)),
    Step("T120", "3.4", "Main work, part two", 0.16, "Contractor", (("T110", "fs", 0),)),
    Step("T130", "3.5", "Services and interfaces", 0.12, "Specialist", (("T110", "ss", 4),)),
    Step("T140", "3.6", "Long-lead equipment", 0.42, "Supplier", (("T080", "fs", 0),)),
    Step("T150", "3.7", "Install equipment", 0.06, "Specialist", (("T140", "fs", 1), ("T130", "fs", 0))),
    Step("T160", "4.1", "Test and commission", 0.07, "Contractor", (("T120", "fs", 0), ("T150", "ff", 2))),
    Step("T170", "4.2", "Train the users", 0.04, "Service", (("T160", "ss", 1),)),
    Step("T180", "4.3", "Snagging", 0.04, "Contractor", (("T160", "fs", 0),)),
    Step("T190", "4.4", "Handover", 0.0, "Project office", (("T170", "fs", 0), ("T180", "fs", 0))),
)
LAG_DAYS_PER_WEEK = 5
# The task that a risk of a category delays; the others delay the finish.
AT_RISK = {"Consents": "T050", "Ground": "T110", "Environment": "T120", "Interfaces": "T130", "Supply chain": "T140"}
CALENDAR = "Monday to Friday"


def has_network(view: View) -> bool:
    """Return whether the project hands in its schedule: the first ones of each portfolio, once they have begun."""
    home = view.project.home
    ids = [f"{home.code}-{home.works[at].split(' ', 1)[0]}" for at in WORKS_WITH_NETWORK]
    return view.project.id in ids and view.state != "proposed"


def tasks_at_risk(view: View) -> Mapping[str, str]:
    """Return the task that a risk of each category delays; none where no schedule is handed in."""
    return AT_RISK if has_network(view) else {}


def link_rows(view: View) -> Iterator[Row]:
    """Yield the links of the network."""
    for step in PATTERN if has_network(view) else ():
        for before, kind, weeks in step.after:
            yield {
                "project_id": view.project.id,
                "predecessor_id": before,
                "successor_id": step.id,
                "type": kind,
                "lag_days": float(weeks * LAG_DAYS_PER_WEEK),
            }


def calendar_rows(view: View) -> Iterator[Row]:
    """Yield the days of the network's calendar: public holidays are worked through, as in the durations."""
    for day in ("mon", "tue", "wed", "thu", "fri") if has_network(view) else ():
        yield {"project_id": view.project.id, "calendar": CALENDAR, "day": day, "works": True}


def task_rows(view: View) -> Iterator[Row]:
    """Yield the tasks; the last one ends on the baseline finish, and their costs are the first budget to the penny."""
    if not has_network(view):
        return
    start_on, finish_on = view.project.start_on, view.project.versions[0].finish_on
    days = int(np.busday_count(start_on, finish_on)) + 1
    passed = forward_pass(days)
    costs = _costs(view)
    handover = MILESTONES[view.project.reference.domain][-1][2]
    for step in PATTERN:
        begin, end = passed[step.id]
        baseline = _day(start_on, working_days=begin if step.weight else end - 1), _day(start_on, working_days=end - 1)
        optimistic, pessimistic = 0.85, 1.3 + 0.4 * view.project.share(f"task|{step.id}")
        yield {
            "project_id": view.project.id,
            "task_id": step.id,
            "name": handover if step is PATTERN[-1] else step.name,
            "wbs": step.wbs,
            "duration_days": float(end - begin),
            "duration_optimistic_days": float(round((end - begin) * optimistic)),
            "duration_pessimistic_days": float(round((end - begin) * pessimistic)),
            "start_baseline_on": baseline[0],
            "finish_baseline_on": baseline[1],
            **_progress(view, begin=begin / days, end=end / days),
            "calendar": CALENDAR,
            "resource": step.resource,
            "cost": pounds_and_pence(costs[step.id]),
            "is_summary": False,
            "is_milestone": step.weight == 0.0,
        }


@lru_cache(maxsize=PROJECTS_KEPT)
def forward_pass(days: int) -> dict[str, tuple[int, int]]:
    """Return early start and finish of each task in working days from the project's start (finish exclusive).

    Durations are the pattern's weights, stretched in whole days until the last task ends at ``days``; what rounding
    leaves goes to the task before the last.
    """
    low, high = 0.0, 3.0 * days
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _pass(middle)["T190"][1] <= days else (low, middle)
    return _pass(low, rest=days - _pass(low)["T190"][1])


def _pass(stretch: float, *, rest: int = 0) -> dict[str, tuple[int, int]]:
    passed: dict[str, tuple[int, int]] = {}
    for step in PATTERN:
        duration = max(int(step.weight * stretch), 1 if step.weight else 0) + (rest if step.id == "T180" else 0)
        begin = 0
        for before, kind, weeks in step.after:
            start, end = passed[before]
            lag = weeks * LAG_DAYS_PER_WEEK
            begin = max(begin, {"fs": end + lag, "ss": start + lag, "ff": end + lag - duration}[kind])
        passed[step.id] = begin, begin + duration
    return passed


def _day(start_on: date, *, working_days: int) -> date:
    day: date = np.busday_offset(np.datetime64(start_on), working_days, roll="forward").astype(date)
    return day


def _progress(view: View, *, begin: float, end: float) -> Row:
    """Return actual and forecast dates and progress of a task that covers this part of the way (0–1)."""
    way = view.project.way[view.age]
    started, finished = view.reached_on(begin), view.reached_on(end)
    start_forecast, finish_forecast = view.forecast_on(begin), view.forecast_on(end)
    share = 1.0 if finished else max(way - begin, 0.0) / (end - begin) if started and end > begin else 0.0
    return {
        "start_forecast_on": start_forecast,
        "finish_forecast_on": max(finish_forecast, start_forecast),
        "start_actual_on": started,
        "finish_actual_on": max(finished, started) if finished and started else None,
        "percent_complete": round(min(share, 0.99) if not finished else share, 2),
    }


def _costs(view: View) -> dict[str, int]:
    """Return the first budget spread over the tasks by weight, in pennies; the last task with work takes the rest."""
    budget = view.project.versions[0].budget
    whole = sum(step.weight for step in PATTERN)
    costs = {step.id: int(budget * step.weight / whole / 100) * 100 for step in PATTERN}
    costs["T180"] += budget - sum(costs.values())
    return costs
