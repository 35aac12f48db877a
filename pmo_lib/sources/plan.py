"""What a schedule file holds, in the contract's terms: tasks, links and calendars, and the grids that they make.

Programs count in hours; here a day is the day of the task's own calendar (its hours per day), and a moment is its date.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import SourceError
from pmo_lib.sources.grid import MOST_CELLS, Grid, Raw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Row = dict[str, Raw]
WEEK = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")  # as Primavera and MS Project count days, from 1
NAMED = re.compile(r"(?P<portfolio>[\w.-]+) +(?P<project>[\w.-]+)", re.ASCII)


@dataclass(frozen=True)
class Week:
    """A calendar of a schedule file: ``days`` by weekday, ``exceptions`` by date, each worked or not."""

    name: str
    hours_a_day: float
    days: Mapping[str, bool]
    exceptions: Mapping[date, bool]

    def rows(self) -> Iterator[Row]:
        """Yield one row per weekday that is worked and per exception."""
        for day in WEEK:
            if self.days.get(day):
                yield {"calendar": self.name, "day": day, "works": True}
        for when, works in sorted(self.exceptions.items()):
            yield {"calendar": self.name, "day": when.isoformat(), "works": works}


@dataclass
class Plan:
    """What a schedule file holds.

    Attributes
    ----------
    tasks, links, calendars
        Rows of the contract's tables, with ``project_id`` and without ``portfolio_id``.
    data_on
        The day on which open work resumes (the *data date*), by project.
    """

    tasks: list[Row] = field(default_factory=list)
    links: list[Row] = field(default_factory=list)
    calendars: list[Row] = field(default_factory=list)
    data_on: dict[str, date | None] = field(default_factory=dict)


def grids_of(plan: Plan, *, file: str, stem: str) -> list[Grid]:
    """Return the tables of a plan as sheets of our own layout.

    A file named ``<portfolio> <project>`` tells both ids, where it holds one project; else the project's id is the one
    in the file, and the portfolio is left empty for a mapping to tell.
    """
    named = NAMED.fullmatch(stem)
    ids = {str(row["project_id"]) for row in plan.tasks}
    own: Row = {"portfolio_id": named["portfolio"] if named else None}
    if named and len(ids) <= 1:
        own["project_id"] = named["project"]
    parts = {"tasks": plan.tasks, "links": plan.links, "calendars": plan.calendars}
    return [_grid(name, rows=[row | own for row in rows], file=file) for name, rows in parts.items() if rows]


def _grid(table: str, *, rows: list[Row], file: str) -> Grid:
    columns = [name for name in TABLES[table].names if any(name in row for row in rows)]
    if len(rows) * len(columns) > MOST_CELLS:
        raise SourceError(f"{file}: more than {MOST_CELLS:,} cells of {table}", fix="split the schedule")
    header: list[Raw] = list(columns)
    return Grid(file, table, [header, *([row.get(name) for name in columns] for row in rows)], has_types=True)


def day_of(text: str | None, *, where: str) -> date | None:
    """Return the day of a moment as programs write it, ``2026-03-02T08:00:00`` or ``2026-03-02 08:00``.

    Raises
    ------
    SourceError
        If it is no moment.
    """
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise SourceError(f"{where}: no date: {text[:40]!r}", fix="export the schedule again") from None


def number_of(text: str | None, *, where: str) -> float | None:
    """Return a number, None where there is none.

    Raises
    ------
    SourceError
        If it is no finite number.
    """
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) < float("inf"):
        raise SourceError(f"{where}: no number: {text[:40]!r}", fix="export the schedule again")
    return number


def days_in(hours: float | None, *, week: Week | None) -> float | None:
    """Return working days of a calendar; eight hours make one where the calendar does not say."""
    per_day = week.hours_a_day if week is not None and week.hours_a_day > 0 else 8.0
    return None if hours is None else round(hours / per_day, 6)


def constraint(kinds: Mapping[str, str], *pairs: tuple[str | None, date | None]) -> str | None:
    """Return the constraints of a task in words: ``snet 2026-03-02; fnlt 2026-05-29``; unknown kinds are kept."""
    told = [
        " ".join(filter(None, (kinds.get(kind, kind), day.isoformat() if day and kinds.get(kind) != "alap" else "")))
        for kind, day in pairs
        if kind and kinds.get(kind) != "asap"
    ]
    return "; ".join(told) or None


def on_bases(own: Mapping[str, Week], *, bases: Mapping[str, str]) -> dict[str, Week]:
    """Return calendars by id with what each leaves open as in those that it is based on; equal names get their id."""
    names = [week.name for week in own.values()]
    whole: dict[str, Week] = {}
    for key, week in own.items():
        days: dict[str, bool] = {}
        exceptions: dict[date, bool] = {}
        seen: list[str] = []
        base = key
        while base in own and base not in seen:
            seen.append(base)
            days = {**own[base].days, **days}
            exceptions = {**own[base].exceptions, **exceptions}
            base = bases.get(base, "")
        name = week.name if names.count(week.name) == 1 else f"{week.name} ({key})"
        whole[key] = Week(name, week.hours_a_day, days, exceptions)
    return whole


def used(calendars: Mapping[str, Week], *, tasks: list[Row]) -> Iterator[Row]:
    """Yield the calendars that tasks name, for each project that uses them."""
    weeks = {week.name: week for week in calendars.values()}
    pairs = dict.fromkeys((str(row["project_id"]), str(row.get("calendar"))) for row in tasks)
    for project, name in pairs:
        for row in weeks[name].rows() if name in weeks else ():
            yield {"project_id": project, **row}
