"""PERT: expected duration of a network and the chance of a deadline from three estimates per task.

Malcolm, Roseboom, Clark and Fazar, "Application of a Technique for Research and Development Program Evaluation",
*Operations Research* 7, 1959: mean (o + 4m + p) ÷ 6 and variance ((p − o) ÷ 6)² of a task; the variances of the tasks
on the longest path by mean are summed, and its length is taken as normal. Paths that are nearly as long are left out,
so that the result is optimistic (merge bias): a simulation over the same estimates ends later. The variance of PERT is
not that of a beta distribution with the same three points, which is (mean − o)(p − mean) ÷ 7.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.critical_path import Rules, schedule
from pmo_lib.metrics.working_time import ROUNDING

if TYPE_CHECKING:
    from pmo_lib.metrics.critical_path import Schedule
    from pmo_lib.metrics.network import Network

ESTIMATES = ("duration_optimistic_days", "duration_days", "duration_pessimistic_days")
PERT_COLUMNS = (
    "project_id", "expected_days", "variance", "sigma_days", "path", "uncertain_tasks", "certain_tasks",
    "deadline_days", "chance", "reason",
)  # fmt: skip


def three_points(estimates: pd.DataFrame) -> pd.DataFrame:
    """Return mean and variance of each row's three estimates: ``expected_days, variance, reason``.

    Columns are :data:`ESTIMATES`. Both are null, with the reason, where an estimate is missing or out of order.
    """
    low, likely, high = (estimates[name].astype("float64") for name in ESTIMATES)
    missing, disordered = low.isna() | likely.isna() | high.isna(), (low > likely) | (likely > high)
    reason = pd.Series("", index=estimates.index, dtype="str")
    reason = reason.mask(disordered, "not optimistic ≤ most likely ≤ pessimistic").mask(
        missing, "an estimate is missing"
    )
    usable = reason.eq("")
    return pd.DataFrame(
        {
            "expected_days": ((low + 4 * likely + high) / 6).where(usable),
            "variance": (((high - low) / 6) ** 2).where(usable),
            "reason": reason,
        }
    )


def pert(net: Network, *, deadline_days: float | None = None) -> pd.DataFrame:
    """Return the expected duration of each project's network, and the chance to keep a deadline.

    A task without usable estimates counts as certain (``certain_tasks``). Where several paths are longest by mean, the
    one with the largest variance is taken. Progress and calendars are left out: days are working days from the start.

    Returns
    -------
    DataFrame
        :data:`PERT_COLUMNS`; ``chance`` is null without a deadline, all figures where ``reason`` says why.
    """
    points = three_points(net.tasks)
    durations = points["expected_days"].fillna(net.tasks["duration_days"].astype("float64"))
    plain = net.tasks[["project_id", "task_id"]].assign(duration_days=durations)
    computed = schedule(replace(net, tasks=plain), rules=Rules())
    spread = _spread(net, computed=computed, variances=points["variance"].fillna(0.0).tolist())
    table = computed.paths[["project_id", "early_finish", "reason"]].assign(
        variance=[variance for variance, _ in spread],
        path=[path for _, path in spread],
        certain=points["reason"].ne(""),
    )
    return pd.DataFrame(
        [_row(str(project), tasks=tasks, deadline=deadline_days) for project, tasks in table.groupby("project_id")],
        columns=list(PERT_COLUMNS),
    )


def _row(project: str, *, tasks: pd.DataFrame, deadline: float | None) -> tuple[object, ...]:
    certain = int(tasks["certain"].sum())
    reason = str(tasks["reason"].iloc[0]) or ("no task has three estimates" if certain == len(tasks) else "")
    if reason:
        return project, None, None, None, None, len(tasks) - certain, certain, deadline, None, reason
    last = tasks[tasks["early_finish"] >= tasks["early_finish"].max() - ROUNDING]
    end = last.loc[last["variance"].idxmax()]
    mean, sigma = float(end["early_finish"]), math.sqrt(end["variance"])
    chance = None if deadline is None else _normal(deadline, mean=mean, sigma=sigma)
    counts = len(tasks) - certain, certain
    return project, mean, end["variance"], sigma, end["path"], *counts, deadline, chance, ""


def _spread(net: Network, *, computed: Schedule, variances: list[float]) -> list[tuple[float, str]]:
    """Return, for each task, the largest variance of the paths that end with it and set its date, and that path.

    A link from the start of a task leaves its own duration out; one to the finish leaves out that of the task after.
    """
    names = net.tasks["task_id"].tolist()
    starts: list[tuple[float, str]] = [(0.0, "")] * len(names)
    ends = starts.copy()
    for place in net.order:
        chosen = max(
            (
                (starts if link.kind in ("ss", "sf") else ends)[link.before] + (link.kind in ("ff", "sf"),)
                for link in computed.drivers[place]
            ),
            key=lambda found: found[0],
            default=(0.0, "", False),
        )
        variance, path, to_finish = chosen
        own = f"{path} → {names[place]}" if path else str(names[place])
        starts[place] = variance, path
        ends[place] = variance + (0.0 if to_finish else variances[place]), own
    return ends


def _normal(deadline: float, *, mean: float, sigma: float) -> float:
    """Return the chance that a normal length is at most the deadline; without spread it is sure or impossible."""
    if sigma == 0:
        return float(mean <= deadline)
    return 0.5 * (1 + math.erf((deadline - mean) / (sigma * math.sqrt(2))))
