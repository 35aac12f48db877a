"""Trials per second on a network of 1,000 tasks, against a loop over trials with networkx and against bare arithmetic.

``make bench``, or this module alone. A trial draws 1,000 durations (Beta-PERT) and runs the forward pass. The bar: 100
times the loop. The floor adds arrays of the same size as often as the pass alone adds and compares them.
"""

from __future__ import annotations

import sys

import networkx as nx
import numpy as np
import pandas as pd
from benchmarks.measured import least, say

from pmo_lib.metrics.draws import Draws
from pmo_lib.metrics.simulation import batch_of
from pmo_lib.metrics.simulation_schedule import Named, Schedule, schedule

TASKS, TRIALS, LOOPED, LEAST_RATIO, MEGABYTES = 1_000, 16_384, 40, 100.0, 256.0


def plan() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return 1,000 tasks and about 2,000 links: each depends on up to three of the twenty before it."""
    draws = np.random.default_rng(1)
    likely = draws.uniform(5, 40, TASKS)
    tasks = pd.DataFrame({"task_id": [f"T{n:04}" for n in range(TASKS)], "low": likely * 0.8, "likely": likely,
                          "high": likely * draws.uniform(1.1, 2.0, TASKS), "begun": None, "done": None})  # fmt: skip
    pairs = sorted(
        {
            (max(0, then - int(back)), then)
            for then in range(1, TASKS)
            for back in draws.integers(1, 21, draws.integers(1, 4))
        }
    )
    links = pd.DataFrame(
        {"predecessor_id": [f"T{first:04}" for first, _ in pairs], "successor_id": [f"T{then:04}" for _, then in pairs],
         "type": "fs", "lag_days": 0.0}
    )  # fmt: skip
    return tasks, links


def simulate(model: Schedule, trials: int) -> np.ndarray:
    """Return the finish in each trial."""
    size = batch_of(3 * TASKS, megabytes=MEGABYTES)
    batches = (range(start, min(start + size, trials)) for start in range(0, trials, size))
    return np.concatenate([model.finishes(Draws(1, batch)) for batch in batches])


def pass_alone(model: Schedule, trials: int) -> float:
    """Run the forward pass on durations that are there."""
    size = batch_of(3 * TASKS, megabytes=MEGABYTES)
    days = [np.full(size, days) for days in model.likely]
    return sum(float(model.network.finish(model.network.passed(days))[0]) for _ in range(0, trials, size))


def floor(model: Schedule, trials: int) -> float:
    """Add as often as the pass does, on arrays of the same size."""
    size = batch_of(3 * TASKS, megabytes=MEGABYTES)
    one, other = np.zeros((TASKS, size)), np.ones(size)
    for _ in range(0, trials, size):
        for count in range(model.network.operations):
            np.add(one[count % TASKS], other, out=one[count % TASKS])
    return float(one[0, 0])


def loop(tasks: pd.DataFrame, links: pd.DataFrame, trials: int) -> float:
    """Do the same trial by trial: draw, write the durations on the graph, take its longest path."""
    draws = np.random.default_rng(1)
    low, likely, high = (tasks[name].to_numpy() for name in ("low", "likely", "high"))
    shape = 4 * (likely - low) / (high - low)
    graph = nx.DiGraph()
    graph.add_edges_from(zip(links["predecessor_id"], links["successor_id"], strict=True))
    ids = list(tasks["task_id"])
    longest = 0.0
    for _ in range(trials):
        days = dict(zip(ids, (low + (high - low) * draws.beta(1 + shape, 5 - shape)).tolist(), strict=True))
        for first, _, data in graph.edges(data=True):
            data["weight"] = days[first]
        path = nx.dag_longest_path(graph)
        longest = max(longest, sum(days[task] for task in path))
    return longest


def main() -> int:
    """Print trials per second and both ratios; 1 if the loop's misses the bar."""
    tasks, links = plan()
    model = schedule(tasks, links=links, kind="pert", named=Named(("P",)))
    simulate(model, 256)
    whole, alone, bare = (least(work, model, TRIALS) for work in (simulate, pass_alone, floor))
    looped = least(loop, tasks, links, LOOPED)
    speed = TRIALS / whole.seconds
    ratio = speed * looped.seconds / LOOPED
    say(f"{TASKS:,} tasks, {len(links):,} links, {TRIALS:,} trials, {model.network.operations:,} operations of a pass")
    say(f"simulated   {whole.seconds:7.3f} s {whole.megabytes:5.0f} MB {speed:12,.0f} trials/s")
    say(f"pass alone  {alone.seconds:7.3f} s {alone.megabytes:5.0f} MB {TRIALS / alone.seconds:12,.0f} trials/s")
    say(f"floor       {bare.seconds:7.3f} s {bare.megabytes:5.0f} MB; simulated {whole.seconds / bare.seconds:.1f} ×,"
        f" pass {alone.seconds / bare.seconds:.2f} × the floor")  # fmt: skip
    say(f"networkx    {looped.seconds:7.3f} s for {LOOPED} trials {LOOPED / looped.seconds:12,.1f} trials/s")
    say(f"ratio {ratio:.0f} (bar {LEAST_RATIO:g})")
    return int(ratio < LEAST_RATIO)


if __name__ == "__main__":
    sys.exit(main())
