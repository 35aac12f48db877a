"""The critical path of a schedule network: early and late dates, float, and the longest path.

A forward pass finds the earliest dates, a backward pass from each project's own end the latest (Kelley and Walker,
*Critical-Path Planning and Scheduling*, 1959), with the four kinds of link and their lags (precedence diagramming).

Conventions, stated because programs differ: a finish is the evening of its day, so that a task of one day starts and
finishes on the same day. A lag counts on the calendar of the task before, total float on that of the task itself. No
open work is done before ``resumes_on``. A constraint never breaks logic: what it makes impossible shows as negative
float. Work out of sequence waits for the open tasks before it (*retained logic*), or goes on (*override*).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import pandas as pd

from pmo_lib.metrics.network import (
    FAULT_COLUMNS,
    LATE_AS_POSSIBLE,
    NO_DURATION,
    UNREADABLE_CONSTRAINT,
    Link,
    Network,
    constraints_of,
    keys_of,
)
from pmo_lib.metrics.working_time import ROUNDING, PlainTime, days_of, moment_of, moments_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from pmo_lib.metrics.working_time import Clock

DONE, CRITICAL, NEAR, SLACK = "done", "critical", "near critical", "not critical"
PATH_COLUMNS = (
    "project_id", "task_id", "name", "is_milestone", "early_start", "early_finish", "late_start", "late_finish",
    "start_early_on", "finish_early_on", "start_late_on", "finish_late_on", "total_float_days", "free_float_days",
    "standing", "longest", "followers", "reason",
)  # fmt: skip
FINISH_COLUMNS = ("project_id", "tasks", "open_tasks", "finish", "finish_on", "least_float_days", "reason")


@dataclass(frozen=True)
class Rules:
    """How a network is computed.

    Attributes
    ----------
    time
        Calendar of tasks that name none, or one that nobody describes; without dates: :class:`PlainTime`.
    calendars
        Calendars by name.
    resumes_on
        First day on which open work may be done: the day after the status date. None: the first day of the project, and
        a task that has begun goes on without a break.
    progress
        What open work does whose task has begun before the tasks that it should wait for are done.
    critical_days, near_days
        Total float up to which a task is critical, and near critical.
    """

    time: Clock = field(default_factory=PlainTime)
    calendars: Mapping[str, Clock] = field(default_factory=dict)
    resumes_on: date | None = None
    progress: Literal["retained logic", "override"] = "retained logic"
    critical_days: float = 0.0
    near_days: float = 5.0


class Limits(NamedTuple):
    """Moments that constraints set for one task."""

    start_from: float | None = None
    finish_from: float | None = None
    start_by: float | None = None
    finish_by: float | None = None


@dataclass
class Tasks:
    """The tasks of a network in figures, by their places, and what the two passes find for them."""

    clocks: list[Clock]
    left: list[float]
    begun: list[float | None]
    done: list[float | None]
    limits: list[Limits]
    floor: list[float]

    def __post_init__(self) -> None:
        """Make room for what is found."""
        count = len(self.left)
        self.start, self.resume, self.finish = [0.0] * count, [0.0] * count, [0.0] * count
        self.late_resume, self.late_finish = [0.0] * count, [0.0] * count
        self.drivers: list[list[Link]] = [[] for _ in range(count)]


@dataclass(frozen=True)
class Schedule:
    """A computed network.

    Attributes
    ----------
    paths
        :data:`PATH_COLUMNS`, one row per task. ``early_start`` … are in working days from the project's first moment,
        the dates ``datetime64[us]`` (null without a calendar). Float is null where ``standing`` is done; everything is
        null where ``reason`` says so. ``longest`` marks the longest path: it is what is critical where constraints make
        float negative. ``followers`` counts the tasks that come after.
    finishes
        :data:`FINISH_COLUMNS`, one row per project.
    faults
        :data:`~pmo_lib.metrics.network.FAULT_COLUMNS`.
    drivers
        For each task, by its place in the network, the links that it waits for; none where a date holds it.
    """

    paths: pd.DataFrame
    finishes: pd.DataFrame
    faults: pd.DataFrame
    drivers: tuple[tuple[Link, ...], ...]


def schedule(net: Network, *, rules: Rules | None = None) -> Schedule:
    """Compute a network.

    Parameters
    ----------
    net
        Result of :func:`pmo_lib.metrics.network.network`. Of its tasks are used, where they are there: duration,
        ``remaining_days`` (else duration × (1 − progress)), progress, actual and planned dates, constraint, calendar.
    """
    rules = rules or Rules()
    tasks, faults, out = _forwards(net, rules=rules)
    projects = net.tasks["project_id"].tolist()
    ends: dict[str, float] = {}
    for place in net.order:
        ends[projects[place]] = max(ends.get(projects[place], tasks.finish[place]), tasks.finish[place])
    for place in reversed(net.order):
        _backward(place, tasks=tasks, out=out[place], end=ends[projects[place]])
    longest = _longest(net, tasks=tasks, ends=ends)
    slack = [
        _free(place, tasks=tasks, out=out[place], end=ends.get(projects[place], 0.0)) for place in range(len(projects))
    ]
    paths = _paths(net, tasks=tasks, free=slack, longest=longest, rules=rules)
    whole = pd.concat([net.faults, faults], ignore_index=True)
    return Schedule(paths, _finishes(paths), whole, tuple(map(tuple, tasks.drivers)))


def last_finish(net: Network, *, rules: Rules) -> pd.Timestamp:
    """Return the last day of a network without loops, as :attr:`Schedule.finishes` has it, and nothing else of it."""
    last: pd.Timestamp = _early_finishes(_forwards(net, rules=rules)[0]).max()
    return last


def _forwards(net: Network, *, rules: Rules) -> tuple[Tasks, pd.DataFrame, list[list[Link]]]:
    """Return the tasks after the forward pass, what was not understood, and the links out of each task that count."""
    tasks, faults = _figures(net, rules=rules)
    into, out = net.neighbours()
    if rules.progress == "override":
        into = [links if tasks.begun[place] is None else [] for place, links in enumerate(into)]
        out = [[link for link in links if tasks.begun[link.after] is None] for links in out]
    for place in net.order:
        _forward(place, tasks=tasks, into=into[place])
    return tasks, faults, out


def _figures(net: Network, *, rules: Rules) -> tuple[Tasks, pd.DataFrame]:
    """Bring the columns of the tasks into figures; what is missing or cannot be understood is named."""
    rows, count = net.tasks, len(net.tasks)
    names = rows["calendar"].fillna("").tolist() if "calendar" in rows else [""] * count
    clocks = [rules.calendars.get(name, rules.time) for name in names]
    dated = not isinstance(rules.time, PlainTime)
    begun, done = (_moments(rows, column=f"{edge}_actual_on", dated=dated) for edge in ("start", "finish"))
    done = [None if moment is None else moment + 1 for moment in done]
    begun = [end if start is None and end is not None else start for start, end in zip(begun, done, strict=True)]
    limits, faults = _limits(rows, dated=dated)
    left = days_left(rows)
    unknown = rows[left.isna() & pd.Series([moment is None for moment in done], index=rows.index, dtype=bool)]
    faults.extend((project, task, NO_DURATION, "0 is used") for project, task in keys_of(unknown))
    floors = _floors(rows, rules=rules, dated=dated)
    if rules.resumes_on is None and "duration_days" in rows:
        spent = (rows["duration_days"].astype("float64") - left).clip(lower=0).fillna(0.0)
        for place, (start, days) in enumerate(zip(begun, spent, strict=True)):
            if start is not None:
                floors[place] = clocks[place].begins(clocks[place].worked(start) + days)
    tasks = Tasks(clocks, left.fillna(0.0).tolist(), begun, done, limits, floors)
    return tasks, pd.DataFrame(faults, columns=list(FAULT_COLUMNS)).astype("str")


def _moments(rows: pd.DataFrame, *, column: str, dated: bool) -> list[float | None]:
    return moments_of(rows[column]) if dated and column in rows else [None] * len(rows)


def days_left(rows: pd.DataFrame) -> pd.Series:
    """Return the working days still to do of each task; null where nothing tells, 0 for a milestone."""
    blank = pd.Series(float("nan"), index=rows.index)
    progress = rows.get("percent_complete", blank).astype("float64").fillna(0.0)
    whole = rows.get("duration_days", blank).astype("float64") * (1 - progress)
    remaining = rows.get("remaining_days", blank).astype("float64").fillna(whole)
    milestone = rows.get("is_milestone", pd.Series(False, index=rows.index)).fillna(False).astype(bool)
    return remaining.mask(remaining.isna() & milestone, 0.0)


def _limits(rows: pd.DataFrame, *, dated: bool) -> tuple[list[Limits], list[tuple[str, str, str, str]]]:
    """Return what the constraints of each task demand, and what of them was not understood or is not kept."""
    faults: list[tuple[str, str, str, str]] = []
    limits: list[Limits] = []
    texts = rows["constraint"] if "constraint" in rows else pd.Series(None, index=rows.index, dtype="object")
    for text, project, task in zip(texts, rows["project_id"], rows["task_id"], strict=True):
        found, unread = constraints_of(text)
        told: dict[str, float] = {}
        for kind, day in found:
            if day is None:
                faults.append((project, task, LATE_AS_POSSIBLE, "computed as soon as possible"))
            elif dated:
                told[kind] = moment_of(day)
        faults.extend((project, task, UNREADABLE_CONSTRAINT, part) for part in unread)
        limits.append(_limit(told))
    return limits, faults


def _limit(told: Mapping[str, float]) -> Limits:
    def evening(kind: str) -> float | None:
        return told[kind] + 1 if kind in told else None

    return Limits(
        told.get("mso", told.get("snet")),
        evening("mfo") or evening("fnet"),
        told.get("mso", told.get("snlt")),
        evening("mfo") or evening("fnlt"),
    )


def _floors(rows: pd.DataFrame, *, rules: Rules, dated: bool) -> list[float]:
    """Return the moment before which no open task of a project begins: its first day, or the day work resumes on."""
    if not dated:
        return [0.0] * len(rows)
    nothing = pd.Series(pd.NaT, index=rows.index, dtype="datetime64[us]")
    actual, forecast, baseline = (
        rows.get(f"start_{kind}_on", nothing).groupby(rows["project_id"]).transform("min")
        for kind in ("actual", "forecast", "baseline")
    )
    now = actual.where(forecast.isna() | (actual < forecast), forecast)
    firsts = moments_of(now.fillna(baseline))
    resumes = -1.0 if rules.resumes_on is None else moment_of(rules.resumes_on)
    return [max(resumes, moment if moment is not None else 0.0) for moment in firsts]


def _forward(place: int, *, tasks: Tasks, into: Iterable[Link]) -> None:
    """Set the earliest dates of a task from those of the tasks before it."""
    done, begun, clock, left = tasks.done[place], tasks.begun[place], tasks.clocks[place], tasks.left[place]
    if done is not None and begun is not None:
        tasks.start[place] = tasks.resume[place] = begun
        tasks.finish[place] = done
        return
    work = _earliest(place, tasks=tasks)
    waits: list[Link] = []
    for link in into:
        bound = _bound(link, tasks=tasks)
        if bound > work + ROUNDING:
            work, waits = bound, [link]
        elif bound >= work - ROUNDING:
            waits.append(link)
    # A milestone is reached in the evening of the work that it waits for, else in the morning.
    tasks.resume[place] = clock.ends(work) if waits and not left else clock.begins(work)
    tasks.finish[place] = clock.ends(work + left) if left else tasks.resume[place]
    tasks.start[place] = tasks.resume[place] if begun is None else begun
    tasks.drivers[place] = waits


def _earliest(place: int, *, tasks: Tasks) -> float:
    """Return the work by which a task may begin, whatever comes before it: by its floor and its constraints."""
    clock, limits = tasks.clocks[place], tasks.limits[place]
    work = clock.worked(tasks.floor[place])
    begun = tasks.begun[place]
    held = limits.start_from if begun is None else begun
    if held is not None:
        work = max(work, clock.worked(held))
    if limits.finish_from is not None:
        work = max(work, clock.worked(limits.finish_from) - tasks.left[place])
    return work


def _bound(link: Link, *, tasks: Tasks) -> float:
    """Return the work, on the calendar of the task after, before which a link does not let it begin."""
    from_finish = link.kind in ("fs", "ff")
    moment = tasks.finish[link.before] if from_finish else tasks.start[link.before]
    if link.lag:
        clock = tasks.clocks[link.before]
        work = clock.worked(moment) + link.lag
        moment = clock.ends(work) if from_finish else clock.begins(work)
    work = tasks.clocks[link.after].worked(moment)
    return work - tasks.left[link.after] if link.kind in ("ff", "sf") else work


def _backward(place: int, *, tasks: Tasks, out: Iterable[Link], end: float) -> None:
    """Set the latest dates of a task from those of the tasks after it; ``end`` is the end of its project."""
    clock, limits, left = tasks.clocks[place], tasks.limits[place], tasks.left[place]
    work = clock.worked(end)
    if limits.finish_by is not None:
        work = min(work, clock.worked(limits.finish_by))
    if limits.start_by is not None and tasks.begun[place] is None:
        work = min(work, clock.worked(limits.start_by) + left)
    for link in out:
        if tasks.done[link.after] is not None:
            continue
        to_start = link.kind in ("fs", "ss")
        target = clock.worked((tasks.late_resume if to_start else tasks.late_finish)[link.after]) - link.lag
        if link.kind in ("fs", "ff"):
            work = min(work, target)
        elif tasks.begun[place] is None:
            work = min(work, target + left)
    tasks.late_finish[place] = clock.ends(work)
    tasks.late_resume[place] = clock.begins(work - left)


def _free(place: int, *, tasks: Tasks, out: Iterable[Link], end: float) -> float:
    """Return by how much a task may be late before any task after it is; at an open end, before its project is."""
    clock = tasks.clocks[place]
    finish, start = clock.worked(tasks.finish[place]), clock.worked(tasks.start[place])
    slacks = []
    for link in out:
        if tasks.done[link.after] is not None or (link.kind in ("ss", "sf") and tasks.begun[place] is not None):
            continue
        target = (tasks.resume if link.kind in ("fs", "ss") else tasks.finish)[link.after]
        slacks.append(clock.worked(target) - link.lag - (finish if link.kind in ("fs", "ff") else start))
    return min(slacks, default=clock.worked(end) - finish)


def _longest(net: Network, *, tasks: Tasks, ends: Mapping[str, float]) -> set[int]:
    """Return the tasks on the longest path: those that finish last, and all whom they wait for, back to the start."""
    projects = net.tasks["project_id"].tolist()
    on_it: set[int] = set()
    for place in reversed(net.order):
        if tasks.done[place] is not None:
            continue
        if place in on_it or tasks.finish[place] >= ends[projects[place]] - ROUNDING:
            on_it.add(place)
            on_it.update(link.before for link in tasks.drivers[place] if tasks.done[link.before] is None)
    return on_it


def _paths(net: Network, *, tasks: Tasks, free: Iterable[float], longest: set[int], rules: Rules) -> pd.DataFrame:
    """Write what the passes found as a table."""
    rows = net.tasks
    known = rows[["project_id", "task_id"]].reset_index(drop=True)
    looped = {project: f"its network has a loop: {loop}" for project, loop in net.looped.items()}
    named = known.assign(
        name=rows["name"] if "name" in rows else rows["task_id"],
        is_milestone=rows["is_milestone"].fillna(False).astype(bool) if "is_milestone" in rows else False,
        reason=known["project_id"].map(looped).astype("object").fillna("").astype("str"),
        longest=[place in longest for place in range(len(rows))],
        followers=net.followers(),
        is_done=[done is not None for done in tasks.done],
    )
    worked = _in_work(net, tasks=tasks)
    total = (worked["late_finish"] - worked["early_finish"]).round(6) + 0.0
    table = pd.concat([named, worked, _dates(rows, tasks=tasks, rules=rules)], axis="columns").assign(
        total_float_days=total.mask(named["is_done"]),
        free_float_days=(pd.Series(free, dtype="float64").round(6) + 0.0).mask(named["is_done"]),
    )
    table["standing"] = _standing(table, rules=rules)
    computed = [name for name in PATH_COLUMNS[4:15] if name in table]
    table[computed] = table[computed].where(table["reason"].eq(""))
    late = [name for name in computed if name.split("_")[0] in ("late",) or "_late_" in name]
    table[late] = table[late].where(~named["is_done"])
    return table[list(PATH_COLUMNS)]


def _in_work(net: Network, *, tasks: Tasks) -> pd.DataFrame:
    """Return the moments of all tasks in working days of their own calendar since the project's first moment."""
    projects = net.tasks["project_id"].tolist()
    firsts: dict[str, float] = {}
    for place in net.order:
        firsts[projects[place]] = min(firsts.get(projects[place], tasks.start[place]), tasks.start[place])
    found = {
        "early_start": tasks.start, "early_finish": tasks.finish,
        "late_start": tasks.late_resume, "late_finish": tasks.late_finish,
    }  # fmt: skip
    zeros = [clock.worked(firsts.get(project, 0.0)) for clock, project in zip(tasks.clocks, projects, strict=True)]
    return pd.DataFrame(
        {
            name: [
                round(clock.worked(moment) - zero, 6)
                for clock, moment, zero in zip(tasks.clocks, moments, zeros, strict=True)
            ]
            for name, moments in found.items()
        },
        dtype="float64",
    )


def _dates(rows: pd.DataFrame, *, tasks: Tasks, rules: Rules) -> pd.DataFrame:
    """Return the days of the moments; a task without work starts in the evening if it finishes then."""
    if isinstance(rules.time, PlainTime):
        return pd.DataFrame(index=rows.index, columns=list(PATH_COLUMNS[8:12])).astype("datetime64[us]")
    at_once = pd.Series(_instant(tasks), dtype=bool)
    early, late = _early_finishes(tasks), days_of(tasks.late_finish, end=True)
    return pd.DataFrame(
        {
            "start_early_on": days_of(tasks.start, end=False).mask(at_once, early),
            "finish_early_on": early,
            "start_late_on": days_of(tasks.late_resume, end=False).mask(at_once, late),
            "finish_late_on": late,
        }
    )


def _instant(tasks: Tasks) -> list[bool]:
    return [finish - start <= ROUNDING for start, finish in zip(tasks.start, tasks.finish, strict=True)]


def _early_finishes(tasks: Tasks) -> pd.Series:
    """Return the days on which tasks finish; one without work that waits for nothing finishes in the morning."""
    waited = [bool(drivers) for drivers in tasks.drivers]
    evening = [not at_once or waits for at_once, waits in zip(_instant(tasks), waited, strict=True)]
    early = days_of(tasks.finish, end=True)
    return early.where(pd.Series(evening, dtype=bool), days_of(tasks.finish, end=False))


def _standing(table: pd.DataFrame, *, rules: Rules) -> pd.Series:
    """Say how critical each task is: by total float, or by the longest path where float is negative."""
    total = table["total_float_days"]
    strained = total.lt(-ROUNDING).groupby(table["project_id"]).transform("any")
    critical = table["longest"].where(strained, total <= rules.critical_days + ROUNDING)
    standing = pd.Series(SLACK, index=table.index, dtype="str").mask(total <= rules.near_days + ROUNDING, NEAR)
    return standing.mask(critical.astype(bool), CRITICAL).mask(table["is_done"], DONE)


def _finishes(paths: pd.DataFrame) -> pd.DataFrame:
    """Return when each project ends by its network."""
    is_open = paths["standing"].ne(DONE) & paths["reason"].eq("")
    table = paths.assign(is_open=is_open).groupby("project_id", sort=True)
    found = table.agg(
        tasks=("task_id", "size"), open_tasks=("is_open", "sum"), finish=("early_finish", "max"),
        finish_on=("finish_early_on", "max"), least_float_days=("total_float_days", "min"), reason=("reason", "first"),
    )  # fmt: skip
    return found.reset_index()[list(FINISH_COLUMNS)]
