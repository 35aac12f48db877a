"""Crashing: the cheapest way to finish a network by a deadline, where tasks can be shortened for money.

The time–cost trade-off as a linear programme (Kelley, "Critical-Path Planning and Scheduling: Mathematical Basis",
*Operations Research* 9, 1961): choose how much of each task to take away, at a constant cost per unit of time up to a
limit, such that every link is kept and the last task ends in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import linprog
from scipy.sparse import coo_array

if TYPE_CHECKING:
    from pmo_lib.metrics.network import Network

CRASH_COLUMNS = ("project_id", "task_id", "duration_days", "crash_days", "cost_per_day", "shortened_days", "cost")


@dataclass(frozen=True)
class Crash:
    """The cheapest programme.

    Attributes
    ----------
    tasks
        :data:`CRASH_COLUMNS`, one row per task; ``shortened_days`` and ``cost`` are null without a programme.
    cost
        Of all shortening together; None where the deadline cannot be kept.
    reason
        Why there is no programme; ``""`` where there is one.
    """

    tasks: pd.DataFrame
    cost: float | None
    reason: str = ""


def crashing(net: Network, *, finish_days: float) -> Crash:
    """Return the cheapest shortening of tasks by which all of the network ends within ``finish_days`` of its start.

    Parameters
    ----------
    net
        Of one project; its tasks have ``duration_days``, ``crash_days`` (shortest duration) and ``cost_per_day``. A
        task without the last two cannot be shortened.

    Notes
    -----
    Where several programmes cost the same the solver's is returned: the cost is unique, the choice may not be.
    """
    rows = net.tasks[["project_id", "task_id"]].reset_index(drop=True)
    given = {name: net.tasks[name].astype("float64").reset_index(drop=True) for name in CRASH_COLUMNS[2:5]}
    rows = rows.assign(**given, shortened_days=float("nan"), cost=float("nan"))[list(CRASH_COLUMNS)]
    if net.looped:
        return Crash(rows, None, f"its network has a loop: {next(iter(net.looped.values()))}")
    if rows["duration_days"].isna().any():
        return Crash(rows, None, f"no duration: {rows.loc[rows['duration_days'].isna(), 'task_id'].iloc[0]}")
    most = (rows["duration_days"] - rows["crash_days"]).clip(lower=0).where(rows["cost_per_day"].notna()).fillna(0.0)
    found = _solved(net, rows=rows, most=most.to_numpy(), finish=finish_days)
    if found is None:
        return Crash(rows, None, f"even at its shortest the network takes longer than {finish_days:g} days")
    shortened = pd.Series(found).round(9) + 0.0
    rows = rows.assign(shortened_days=shortened, cost=shortened * rows["cost_per_day"].fillna(0.0))
    return Crash(rows, float(rows["cost"].sum()))


def _solved(net: Network, *, rows: pd.DataFrame, most: np.ndarray, finish: float) -> np.ndarray | None:
    """Return by how much each task is shortened; None if that is impossible.

    The unknowns are the starts, then the shortenings. A link says: moment before + lag ≤ moment after, where the finish
    of a task is its start + duration − shortening.
    """
    count, durations = len(rows), rows["duration_days"].tolist()
    entries: list[tuple[int, int, float]] = []
    limits: list[float] = []
    for line, link in enumerate(net.links):
        from_finish, to_finish = link.kind in ("fs", "ff"), link.kind in ("ff", "sf")
        entries += [(line, link.before, 1.0), (line, link.after, -1.0)]
        entries += [(line, count + link.before, -1.0)] if from_finish else []
        entries += [(line, count + link.after, 1.0)] if to_finish else []
        limits.append(-link.lag - from_finish * durations[link.before] + to_finish * durations[link.after])
    for place in range(count):
        entries += [(len(net.links) + place, place, 1.0), (len(net.links) + place, count + place, -1.0)]
        limits.append(finish - durations[place])
    lines, columns, values = (np.array(part) for part in zip(*entries, strict=True))
    matrix = coo_array((values, (lines, columns)), shape=(len(limits), 2 * count)).tocsr()
    costs = np.concatenate([np.zeros(count), rows["cost_per_day"].fillna(0.0)])
    bounds = [(0.0, None)] * count + [(0.0, each) for each in most.tolist()]
    solved = linprog(costs, A_ub=matrix, b_ub=limits, bounds=bounds, method="highs")
    found: np.ndarray | None = solved.x[count:] if solved.success else None
    return found
