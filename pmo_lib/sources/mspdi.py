"""A Microsoft Project XML file (MSPDI) → tasks, links and calendars, without the program.

Codes are those of Microsoft's *Project XML Data Interchange Schema*. Elapsed durations are counted on a calendar on
which every day is worked. Tasks that are switched off, and blank lines, are left out.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pmo_lib.errors import SourceError
from pmo_lib.sources.plan import WEEK, Plan, Row, Week, constraint, day_of, days_in, number_of, on_bases, used

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pmo_lib.sources.markup import Element

CONSTRAINTS = dict(enumerate(("asap", "alap", "mso", "mfo", "snet", "snlt", "fnet", "fnlt")))
KINDS = ("ff", "fs", "sf", "ss")
ELAPSED = {"4", "6", "8", "10", "12", "36", "38", "40", "42", "44"}  # formats of durations that run day and night
PERCENT = {"19", "20", "51", "52"}
ELAPSED_TIME = "elapsed time"
MOST_EXCEPTION_DAYS = 4_000
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


def read_mspdi(root: Element, *, file: str, stem: str) -> Plan:
    """Return the plan of an MSPDI file; its one project has the name of the file for an id.

    Raises
    ------
    SourceError
        If a date, number or duration in it cannot be read.
    """
    hours = (number_of(root.get("MinutesPerDay"), where=file) or 480.0) / 60
    weeks = _weeks(root, hours=hours, file=file)
    weeks[ELAPSED_TIME] = Week(ELAPSED_TIME, 24.0, dict.fromkeys(WEEK, True), {})
    resources = _resources(root)
    project = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.") or "project"
    plan = Plan(data_on={project: day_of(root.get("StatusDate"), where=file)})
    chosen = root.get("CalendarUID")
    lasts: dict[str, tuple[float, Week | None]] = {}
    tasks = [
        task for task in root.first("Tasks").all("Task") if task.get("IsNull") != "1" and task.get("Active") != "0"
    ]
    for task in tasks:
        uid = task.get("UID")
        key = ELAPSED_TIME if task.get("DurationFormat") in ELAPSED else task.get("CalendarUID")
        week = weeks.get(key) or weeks.get(chosen)
        row = _task(task, week=week, where=f"{file}, task {uid}")
        lasts[uid] = float(str(row["duration_days"] or 0.0)), week
        plan.tasks.append({"project_id": project, "task_id": uid, **row, "resource": resources.get(uid)})
    for task in tasks:
        plan.links.extend({"project_id": project, **row} for row in _links(task, lasts=lasts, file=file))
    plan.calendars.extend(used(weeks, tasks=plan.tasks))
    return plan


def _task(task: Element, *, week: Week | None, where: str) -> Row:
    def day(name: str, *, of: Element = task) -> date | None:
        return day_of(of.get(name), where=where)

    code = number_of(task.get("ConstraintType"), where=where)
    kind = CONSTRAINTS.get(int(code), str(int(code))) if code is not None else None
    baseline = next((each for each in task.all("Baseline") if each.get("Number") in ("", "0")), task.first("Baseline"))
    progress = number_of(task.get("PercentComplete"), where=where)
    return {
        "name": task.get("Name") or f"Task {task.get('UID')}",
        "wbs": task.get("WBS") or None,
        "duration_days": days_in(_hours(task.get("Duration"), where=where), week=week),
        "remaining_days": days_in(_hours(task.get("RemainingDuration"), where=where), week=week),
        "start_baseline_on": day("Start", of=baseline),
        "finish_baseline_on": day("Finish", of=baseline),
        "start_forecast_on": day("Start"),
        "finish_forecast_on": day("Finish"),
        "start_actual_on": day("ActualStart"),
        "finish_actual_on": day("ActualFinish"),
        "percent_complete": None if progress is None else progress / 100,
        "constraint": constraint({name: name for name in CONSTRAINTS.values()}, (kind, day("ConstraintDate"))),
        "calendar": week.name if week else None,
        "cost": number_of(task.get("Cost"), where=where),
        "is_summary": task.get("Summary") == "1",
        "is_milestone": task.get("Milestone") == "1",
    }


def _links(task: Element, *, lasts: dict[str, tuple[float, Week | None]], file: str) -> Iterator[Row]:
    """Yield the links to a task; a lag is in tenths of a minute, or a share of the duration of the task before."""
    where = f"{file}, task {task.get('UID')}"
    for link in task.all("PredecessorLink"):
        before = link.get("PredecessorUID")
        duration, week = lasts.get(before, (0.0, None))
        lag, kind = number_of(link.get("LinkLag"), where=where) or 0.0, number_of(link.get("Type"), where=where)
        share = link.get("LagFormat") in PERCENT
        yield {
            "predecessor_id": before,
            "successor_id": task.get("UID"),
            "type": KINDS[int(kind)] if kind is not None and 0 <= kind < len(KINDS) else "fs",
            "lag_days": round(duration * lag / 100, 6) if share else days_in(lag / 600, week=week),
        }


def _resources(root: Element) -> dict[str, str]:
    """Return the names of the resources assigned to each task."""
    names = {each.get("UID"): each.get("Name") for each in root.first("Resources").all("Resource")}
    assigned: dict[str, list[str]] = {}
    for each in root.first("Assignments").all("Assignment"):
        if name := names.get(each.get("ResourceUID")):
            assigned.setdefault(each.get("TaskUID"), []).append(name)
    return {task: ", ".join(dict.fromkeys(found)) for task, found in assigned.items()}


def _weeks(root: Element, *, hours: float, file: str) -> dict[str, Week]:
    """Return the calendars by id."""
    found = {each.get("UID"): each for each in root.first("Calendars").all("Calendar")}
    weeks = {
        key: Week(each.get("Name") or key, hours, _days(each), dict(_exceptions(each, file=file)))
        for key, each in found.items()
    }
    return on_bases(weeks, bases={key: each.get("BaseCalendarUID") for key, each in found.items()})


def _days(calendar: Element) -> dict[str, bool]:
    listed = calendar.first("WeekDays").all("WeekDay")
    works = {each.get("DayType"): each.get("DayWorking") == "1" for each in listed}
    return {day: works[str(kind)] for kind, day in enumerate(WEEK, 1) if str(kind) in works}


def _exceptions(calendar: Element, *, file: str) -> Iterator[tuple[date, bool]]:
    """Yield the days that differ: exceptions, and weekdays of kind 0, as older files have them."""
    listed = [*calendar.first("WeekDays").all("WeekDay"), *calendar.first("Exceptions").all("Exception")]
    for each in listed:
        period = each.first("TimePeriod")
        where = f"{file}, calendar {calendar.get('Name')}"
        start, end = (day_of(period.get(name), where=where) for name in ("FromDate", "ToDate"))
        if start is None or end is None or each.get("DayType") not in ("", "0"):
            continue
        if (end - start).days > MOST_EXCEPTION_DAYS:
            raise SourceError(
                f"{where}: an exception of more than {MOST_EXCEPTION_DAYS:,} days from {start}", fix="shorten it"
            )
        for shift in range((end - start).days + 1):
            yield start + timedelta(shift), each.get("DayWorking") == "1"


def _hours(text: str, *, where: str) -> float | None:
    """Return the hours of a duration such as ``PT80H30M0S`` (ISO 8601)."""
    found = _DURATION.fullmatch(text) if text else None
    if text and found is None:
        raise SourceError(f"{where}: no duration: {text[:40]!r}", fix="export the schedule again")
    if found is None:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return days * 24 + hours + minutes / 60 + seconds / 3600
