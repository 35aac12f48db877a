"""A Primavera P6 XML file (PMXML) → tasks, links and calendars, without the program.

Names and words are those of Oracle's schema *API Business Objects*. As in XER, planned dates are taken as the baseline.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pmo_lib.errors import SourceError
from pmo_lib.sources.plan import Plan, Row, Week, constraint, day_of, days_in, number_of, on_bases, used

if TYPE_CHECKING:
    from pmo_lib.sources.markup import Element

CONSTRAINTS = {
    "Start On": "mso", "Finish On": "mfo", "Mandatory Start": "mso", "Mandatory Finish": "mfo",
    "Start On or After": "snet", "Start On or Before": "snlt", "Finish On or After": "fnet",
    "Finish On or Before": "fnlt", "As Late As Possible": "alap",
}  # fmt: skip
KINDS = {"Finish to Start": "fs", "Start to Start": "ss", "Finish to Finish": "ff", "Start to Finish": "sf"}
MILESTONES = ("Start Milestone", "Finish Milestone")
SPANNING = ("Level of Effort", "WBS Summary")


def read_pmxml(root: Element, *, file: str) -> Plan:
    """Return the plan of a PMXML file; level of effort and WBS summaries count as summaries.

    Raises
    ------
    SourceError
        If it holds no activity, or a date or number in it cannot be read.
    """
    weeks = _weeks(root, file=file)
    plan = Plan()
    known: dict[str, tuple[str, Week | None]] = {}
    for project in root.all("Project"):
        name = project.get("Id") or project.get("ObjectId")
        plan.data_on[name] = day_of(project.get("DataDate"), where=file)
        wbs = {each.get("ObjectId"): each.get("Code") for each in project.all("WBS")}
        for activity in project.all("Activity"):
            week = weeks.get(activity.get("CalendarObjectId"))
            task = activity.get("Id") or activity.get("ObjectId")
            known[activity.get("ObjectId")] = task, week
            code = wbs.get(activity.get("WBSObjectId")) or name
            row = _task(activity, week=week, where=f"{file}, activity {task}")
            plan.tasks.append({"project_id": name, "task_id": task, **row, "wbs": code})
        for relationship in project.all("Relationship"):
            plan.links.append({"project_id": name, **_link(relationship, known=known, file=file)})
    if not plan.tasks:
        raise SourceError(f"{file}: holds no activity", fix="export a project with its activities")
    plan.calendars.extend(used(weeks, tasks=plan.tasks))
    return plan


def _task(activity: Element, *, week: Week | None, where: str) -> Row:
    def day(name: str) -> date | None:
        return day_of(activity.get(name), where=where)

    def hours(name: str) -> float | None:
        return number_of(activity.get(name), where=where)

    pairs = [(activity.get(f"{rank}ConstraintType"), day(f"{rank}ConstraintDate")) for rank in ("Primary", "Secondary")]
    kind = activity.get("Type")
    return {
        "name": activity.get("Name") or activity.get("Id"),
        "duration_days": days_in(hours("PlannedDuration"), week=week),
        "remaining_days": days_in(hours("RemainingDuration"), week=week),
        "start_baseline_on": day("PlannedStartDate"),
        "finish_baseline_on": day("PlannedFinishDate"),
        "start_forecast_on": day("StartDate"),
        "finish_forecast_on": day("FinishDate"),
        "start_actual_on": day("ActualStartDate"),
        "finish_actual_on": day("ActualFinishDate"),
        "percent_complete": hours("PercentComplete"),
        "constraint": constraint(CONSTRAINTS, *pairs),
        "calendar": week.name if week else None,
        "is_summary": kind in SPANNING,
        "is_milestone": kind in MILESTONES,
    }


def _link(relationship: Element, *, known: dict[str, tuple[str, Week | None]], file: str) -> Row:
    ids = {end: relationship.get(f"{end}ActivityObjectId") for end in ("Predecessor", "Successor")}
    before, week = known.get(ids["Predecessor"], (ids["Predecessor"], None))
    kind = relationship.get("Type")
    return {
        "predecessor_id": before,
        "successor_id": known.get(ids["Successor"], (ids["Successor"], None))[0],
        "type": KINDS.get(kind, kind),
        "lag_days": days_in(number_of(relationship.get("Lag"), where=file), week=week),
    }


def _weeks(root: Element, *, file: str) -> dict[str, Week]:
    """Return the calendars by id; exceptions of the calendar that one is based on hold for it too."""
    found = {each.get("ObjectId"): each for each in root.all("Calendar")}
    weeks = {}
    for key, each in found.items():
        name = each.get("Name") or key
        hours = number_of(each.get("HoursPerDay"), where=f"{file}, calendar {name}") or 8.0
        weeks[key] = Week(name, hours, _days(each), _exceptions(each, file=file))
    return on_bases(weeks, bases={key: each.get("BaseCalendarObjectId") for key, each in found.items()})


def _days(calendar: Element) -> dict[str, bool]:
    listed = calendar.first("StandardWorkWeek").all("StandardWorkHours")
    return {each.get("DayOfWeek")[:3].lower(): _works(each) for each in listed}


def _exceptions(calendar: Element, *, file: str) -> dict[date, bool]:
    listed = calendar.first("HolidayOrExceptions").all("HolidayOrException")
    days = [(day_of(each.get("Date"), where=f"{file}, calendar {calendar.get('Name')}"), each) for each in listed]
    return {day: _works(each) for day, each in days if day is not None}


def _works(span: Element) -> bool:
    return any(each.get("Start") for each in span.all("WorkTime"))
