"""A schedule network in every trial at once: forward pass over arrays, and the paths that drive the finish.

Forward pass (Kelley and Walker 1959) with the four kinds of link (finish-start, start-start, finish-finish,
start-finish) and lags, in working days from the status date. What is done keeps its dates; what is begun goes on when
its predecessors allow (retained logic), with its remaining days; nothing starts before the status date. A task is
critical in a trial where it stands on a path that drives the finish; its criticality index is the share of such trials
(Dodin and Elmaghraby 1985). Since the latest of several paths counts, the mean finish is never before the finish at the
mean durations (merge bias).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from pmo_lib.errors import ReportError
from pmo_lib.metrics.distributions import faults, quantiles
from pmo_lib.metrics.draws import Draws, Variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FROM_START, FROM_FINISH, TO_FINISH = ("ss", "sf"), ("fs", "ff"), ("ff", "sf")
STOOD = ("begun", "done")
NO_DURATION = "no duration"
ROUNDING = 1e-9
NAMED = 6  # of a loop's tasks, in the message


class Link(NamedTuple):
    """A link from the task at a place of the order; ``lag`` in working days."""

    place: int
    kind: str = "fs"
    lag: float = 0.0


@dataclass(frozen=True)
class Step:
    """A task: its links to tasks before it; ``begun`` and ``done`` are days from the status date, if it is."""

    id: str
    links: tuple[Link, ...] = ()
    begun: float | None = None
    done: float | None = None


@dataclass(frozen=True)
class Pass:
    """Where every task of a network stands in some trials: a row per task, in their order, a column per trial.

    ``resumes`` is when the work that is left begins; ``finishes`` when it ends.
    """

    resumes: np.ndarray
    finishes: np.ndarray
    durations: Sequence[np.ndarray]


@dataclass(frozen=True)
class Network:
    """Tasks in an order in which each comes after those that it depends on."""

    steps: tuple[Step, ...]

    @cached_property
    def last(self) -> tuple[int, ...]:
        """Places of the tasks that may end last: no other must end with or after them."""
        outlasted = {
            link.place
            for step in self.steps
            for link in step.links
            if step.done is None and link.kind in FROM_FINISH and link.lag >= 0
        }
        return tuple(place for place in range(len(self.steps)) if place not in outlasted)

    @property
    def operations(self) -> int:
        """Additions and comparisons that one pass makes in each trial."""
        plain = sum(1 + (link.kind != "fs" or link.lag != 0) for step in self.steps for link in step.links)
        return plain + len(self.steps) + len(self.last)

    def passed(self, durations: Sequence[np.ndarray]) -> Pass:
        """Run the forward pass.

        Parameters
        ----------
        durations
            Days left of each task, in the order of the tasks: an array over the trials each.
        """
        shape = (len(self.steps), len(durations[0]) if len(durations) else 0)
        resumes, finishes, spare = np.zeros(shape), np.empty(shape), np.empty(shape[1])
        for place, step in enumerate(self.steps):
            if step.done is not None:
                finishes[place] = step.done
                continue
            for link in step.links:
                bound = self._bound(link, resumes=resumes, finishes=finishes, days=durations[place], spare=spare)
                np.maximum(resumes[place], bound, out=resumes[place])
            np.add(resumes[place], durations[place], out=finishes[place])
        return Pass(resumes, finishes, durations)

    def finish(self, passed: Pass) -> np.ndarray:
        """Return when the last task ends, in each trial."""
        finish = passed.finishes[self.last[0]].copy()
        for place in self.last[1:]:
            np.maximum(finish, passed.finishes[place], out=finish)
        return np.asarray(finish)

    def critical(self, passed: Pass) -> np.ndarray:
        """Return in which trials each task drives the finish: a row per task."""
        finish = self.finish(passed)
        driving = np.zeros(passed.finishes.shape, dtype=bool)
        for place in self.last:
            driving[place] = passed.finishes[place] == finish
        spare = np.empty(len(finish))
        for place in reversed(range(len(self.steps))):
            step = self.steps[place]
            for link in step.links if step.done is None else ():
                bound = self._bound(link, resumes=passed.resumes, finishes=passed.finishes,
                                    days=passed.durations[place], spare=spare)  # fmt: skip
                driving[link.place] |= driving[place] & (bound == passed.resumes[place])
        return driving

    def _bound(
        self, link: Link, *, resumes: np.ndarray, finishes: np.ndarray, days: np.ndarray, spare: np.ndarray
    ) -> np.ndarray:
        """Return the day before which a link lets no work begin."""
        if link.kind == "fs" and link.lag == 0:
            return np.asarray(finishes[link.place])
        begun = self.steps[link.place].begun
        if link.kind in FROM_START:
            np.copyto(spare, resumes[link.place] if begun is None else begun)
        else:
            np.copyto(spare, finishes[link.place])
        spare += link.lag
        if link.kind in TO_FINISH:
            spare -= days
        return spare


def network(tasks: pd.DataFrame, *, links: pd.DataFrame) -> Network:
    """Put the tasks of one project in the order of their links.

    Parameters
    ----------
    tasks
        ``task_id``; ``begun`` and ``done`` in days from the status date, null where a task is not. Summaries left out.
    links
        ``predecessor_id, successor_id, type, lag_days``; one of a task that is not there is left out.

    Raises
    ------
    ReportError
        No task, or tasks that depend on themselves: some of them are named.
    """
    if tasks.empty:
        raise ReportError("the schedule has no task", fix="return its tasks", stage="notebook")
    ids = [str(task) for task in tasks["task_id"]]
    known = links[links["predecessor_id"].isin(ids) & links["successor_id"].isin(ids)]
    before: dict[str, list[tuple[str, str, float]]] = {task: [] for task in ids}
    columns = (known[name] for name in ("predecessor_id", "successor_id", "type", "lag_days"))
    for first, then, kind, lag in zip(*columns, strict=True):
        before[str(then)].append((str(first), str(kind), 0.0 if pd.isna(lag) else float(lag)))
    order = _ordered({task: {first for first, *_ in after} for task, after in before.items()})
    places = {task: place for place, task in enumerate(order)}
    stood = {
        task: [None if pd.isna(day) else float(day) for day in days]
        for task, days in zip(ids, tasks[[*STOOD]].to_numpy(dtype="float64"), strict=True)
    }
    steps = []
    for task in order:
        tied = tuple(Link(places[first], kind, lag) for first, kind, lag in before[task])
        steps.append(Step(task, tied, *stood[task]))
    return Network(tuple(steps))


def _ordered(before: Mapping[str, set[str]]) -> list[str]:
    """Return tasks after those that they depend on; otherwise as they were given."""
    after: dict[str, list[str]] = {task: [] for task in before}
    waits = {task: len(firsts) for task, firsts in before.items()}
    for task, firsts in before.items():
        for first in firsts:
            after[first].append(task)
    order = [task for task, count in waits.items() if not count]
    for task in order:  # grows as it is read
        for then in after[task]:
            waits[then] -= 1
            if not waits[then]:
                order.append(then)
    if len(order) < len(before):
        stuck = [task for task, count in waits.items() if count]
        raise ReportError(
            f"the schedule has a loop among {', '.join(stuck[:NAMED])}{' …' if len(stuck) > NAMED else ''}",
            fix="remove one of its links",
            stage="notebook",
            tasks=stuck,
        )
    return order


@dataclass(frozen=True, eq=False)
class Schedule:
    """A network with uncertain durations: ``days`` left of each task and the most ``likely``, in the network's order.

    ``delays`` are risks, each with the place of the task that it delays; where there is none, it delays the finish.
    """

    network: Network
    days: tuple[Variable, ...]
    likely: tuple[float, ...]
    delays: tuple[tuple[int | None, Variable], ...] = ()

    @cached_property
    def base(self) -> float:
        """The finish at the most likely durations, without risks."""
        likely = [np.array([days]) for days in self.likely]
        return float(self.network.finish(self.network.passed(likely))[0])

    def drawn(self, draws: Draws) -> list[np.ndarray]:
        """Return the days left of each task in each trial, without risks."""
        return [draws.of(variable) for variable in self.days]

    def passed(self, draws: Draws) -> tuple[Pass, np.ndarray]:
        """Return where the tasks stand in each trial, and the finish with the risks that delay it."""
        return self.delayed(self.drawn(draws), draws=draws)

    def delayed(self, days: list[np.ndarray], *, draws: Draws, without: int | None = None) -> tuple[Pass, np.ndarray]:
        """Return what :meth:`passed` does, of given days of the tasks, and without one of the risks by its number."""
        days, late = list(days), np.zeros(len(draws.trials))
        for number, (place, risk) in enumerate(self.delays):
            if number == without:
                continue
            if place is None:
                late += draws.of(risk)
            elif self.network.steps[place].done is None:
                days[place] = np.maximum(days[place] + draws.of(risk), 0.0)
        passed = self.network.passed(days)
        return passed, np.maximum(self.network.finish(passed) + late, 0.0)

    def finishes(self, draws: Draws) -> np.ndarray:
        """Return the finish in each trial, in working days from the status date."""
        return self.passed(draws)[1]

    def criticality(self, batches: Iterable[Draws]) -> np.ndarray:
        """Return in what share of the trials each task drives the finish, in the network's order."""
        counts, trials = np.zeros(len(self.days), dtype="int64"), 0
        for draws in batches:
            counts += self.network.critical(self.passed(draws)[0]).sum(axis=1)
            trials += len(draws.trials)
        return counts / max(trials, 1)


def schedule(tasks: pd.DataFrame, *, links: pd.DataFrame, kind: str, named: Named) -> Schedule:
    """Return the schedule that is left of one project.

    Parameters
    ----------
    tasks
        ``task_id, low, likely, high`` (days left) and ``begun, done``; see :func:`days_left`.
    links
        As in :func:`network`.
    kind
        Shape of the days left.
    named
        First part of the streams' names, and the loadings of all tasks.

    Raises
    ------
    ReportError
        See :func:`network`.
    """
    built = network(tasks, links=links)
    rows = tasks.set_index(tasks["task_id"].astype("str")).loc[[step.id for step in built.steps]]
    points = zip(rows["low"], rows["likely"], rows["high"], strict=True)
    days = tuple(
        Variable((*named.name, "task", step.id), quantiles(kind, low=low, likely=likely, high=high), loads=named.loads)
        for step, (low, likely, high) in zip(built.steps, points, strict=True)
    )
    return Schedule(built, days, tuple(float(days) for days in rows["likely"]))


class Named(NamedTuple):
    """First part of the names of a project's streams, and the factors that its variables share."""

    name: tuple[str, ...]
    loads: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Axis:
    """Working days from the status date, whose own work is done: days as numbers, and back."""

    status_on: pd.Timestamp
    calendar: np.busdaycalendar

    def until(self, days: pd.Series) -> pd.Series:
        """Return the working days to the end of each day; negative where it is past, null where there is none."""
        known = pd.to_datetime(days).dropna()
        today, ends = np.datetime64(self.status_on, "D") + 1, known.to_numpy(dtype="datetime64[D]") + 1
        counts = np.busday_count(np.minimum(today, ends), np.maximum(today, ends), busdaycal=self.calendar)
        numbers = pd.Series(np.where(ends < today, -counts, counts).astype("float64"), index=known.index)
        return numbers.reindex(days.index)

    def day(self, number: float | None) -> pd.Timestamp | None:
        """Return the day that so many working days reach; a part of a day is counted whole."""
        if number is None or pd.isna(number):
            return None
        start, whole = np.datetime64(self.status_on, "D"), int(np.ceil(number - ROUNDING))
        return pd.Timestamp(np.busday_offset(start, whole, roll="backward", busdaycal=self.calendar))


def days_left(tasks: pd.DataFrame, *, axis: Axis) -> pd.DataFrame:
    """Return what is left of each task, in working days from the status date.

    Parameters
    ----------
    tasks
        Contract table ``tasks``; summaries are left out, since their tasks are in it.
    axis
        Status date and working days.

    Returns
    -------
    DataFrame
        ``project_id, task_id, name, low, likely, high, begun, done, reason``: three points of the duration × (1 − share
        complete); ``begun`` and ``done`` are null where the task is not, and 0 or less where it is. ``reason`` says why
        a task has no range: its most likely duration is taken as certain.
    """
    rows = tasks[~tasks["is_summary"].eq(other=True)].reset_index(drop=True)
    complete = rows["percent_complete"].fillna(0.0)
    done = rows["finish_actual_on"].notna() | complete.ge(1.0)
    left = (1.0 - complete).mask(done, 0.0)
    likely = rows["duration_days"].mask(rows["is_milestone"].eq(other=True) & rows["duration_days"].isna(), 0.0)
    points = pd.DataFrame(
        {"low": rows["duration_optimistic_days"], "likely": likely, "high": rows["duration_pessimistic_days"]}
    ).astype("float64")
    reason = faults(points).mask(likely.isna(), NO_DURATION)
    for name in ("low", "high"):
        points[name] = points[name].where(reason.eq(""), points["likely"])
    # A day begins where the one before it ends.
    begun = axis.until(rows["start_actual_on"] - pd.Timedelta(days=1)).clip(upper=0.0)
    ended = axis.until(rows["finish_actual_on"]).clip(upper=0.0).where(done)
    ended = ended.mask(done & ended.isna(), 0.0)
    return rows[["project_id", "task_id", "name"]].assign(
        **points.fillna(0.0).mul(left, axis="index"), begun=begun.fillna(ended), done=ended,
        reason=reason.mask(done | points["high"].eq(0), ""),
    )  # fmt: skip
