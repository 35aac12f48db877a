"""Tables of time: milestones, the schedule network, and dependencies between projects."""

from __future__ import annotations

from pmo_lib.contracts.parts import PROJECT, STATUS_DATE, choice, column, table

MILESTONES = table(
    "milestones",
    "A milestone as forecast at a status date",
    PROJECT,
    column("milestone_id", "id", "Milestone", "key"),
    STATUS_DATE,
    column("name", "text", "Name", "cell"),
    choice("kind", "Kind", "gate", "delivery", "payment", "other"),
    column("baseline_on", "date", "Baseline date"),
    column("forecast_on", "date", "Forecast date"),
    column("actual_on", "date", "Day it was met"),
    column("critical", "flag", "On the critical path"),
    column("owner", "text", "Who answers for it"),
)

TASKS = table(
    "tasks",
    "A task of a project's schedule network",
    PROJECT,
    column("task_id", "id", "Task", "key"),
    column("name", "text", "Name", "cell"),
    column("wbs", "text", "Work breakdown structure code"),
    column("duration_days", "number", "Duration in working days, most likely", low=0),
    column("duration_optimistic_days", "number", "Optimistic", low=0),
    column("duration_pessimistic_days", "number", "Pessimistic", low=0),
    column("remaining_days", "number", "Working days still to do; empty: duration less progress", low=0),
    *(
        column(f"{edge}_{kind}_on", "date", f"{edge.capitalize()}, {kind}")
        for kind in ("baseline", "forecast", "actual")
        for edge in ("start", "finish")
    ),
    column("percent_complete", "share", "Progress"),
    column("constraint", "text", "Date constraint, such as snet 2026-03-02; several are separated by ;"),
    column("calendar", "text", "Working calendar: one of the table calendars, or the organisation's"),
    column("resource", "text", "Resource"),
    column("cost", "money", "Budgeted cost"),
    column("is_summary", "flag", "A summary of tasks below"),
    column("is_milestone", "flag", "A milestone"),
)

LINKS = table(
    "links",
    "A dependency between two tasks",
    PROJECT,
    column("predecessor_id", "id", "Task before", "key"),
    column("successor_id", "id", "Task after", "key"),
    choice("type", "Kind of link", "fs", "ss", "ff", "sf", need="key"),
    column("lag_days", "number", "Lag in working days; negative is a lead"),
)

CALENDARS = table(
    "calendars",
    "A day on which a working calendar of a project's schedule is worked, or is not",
    PROJECT,
    column("calendar", "text", "Working calendar", "key"),
    column(
        "day", "text", "Weekday (mon, tue, wed, thu, fri, sat, sun), or a date that differs from its weekday", "key"
    ),
    column("works", "flag", "It is worked; a weekday that is not listed is not", "cell"),
)

DEPENDENCIES = table(
    "dependencies",
    "Something that one project needs of another",
    column("dependency_id", "id", "Dependency", "key"),
    STATUS_DATE,
    column("provider_project_id", "id", "Project that provides"),
    column("recipient_project_id", "id", "Project that needs"),
    column("item", "text", "What is provided", "cell"),
    column("needed_on", "date", "Needed by the recipient"),
    column("promised_on", "date", "Promised by the provider"),
    column("agreed_by_provider", "flag", "The provider agreed"),
    column("agreed_by_recipient", "flag", "The recipient agreed"),
    choice("status", "State", "open", "met", "late", "withdrawn"),
)
