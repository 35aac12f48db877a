"""What a Monte Carlo simulation says: percentiles with their error, chances, drivers; and when it has run enough.

A percentile is numpy's "linear" one. Its 95 % interval is distribution-free: the order statistics N p ± 1.96 √(N p
(1 − p)) (Conover, *Practical Nonparametric Statistics*, 1999). Trials are added until half the interval of P80 is below
a share of P80 itself, or the most that the parameters allow were made; N, seed and interval are told with the result.
Joint confidence is the share of trials in which cost and finish both hold (NASA's JCL). Percentiles are never added:
the P80 of a sum is below the sum of P80s unless all move as one.

Models and practice: GAO-20-195G *Cost Estimating and Assessment Guide*, GAO-16-89G *Schedule Assessment Guide*, AACE
RP 57R.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor, sqrt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pmo_lib.parameters.models import SimulationRules

SHARES = {f"p{per_cent}": per_cent / 100 for per_cent in range(5, 100, 5)}
WATCHED = 0.80
NORMAL_95 = 1.959963984540054
DRIVER_COLUMNS = ["place", "rank_correlation", "moves_p80"]


@dataclass(frozen=True, eq=False)
class Sample:
    """The outcomes of all trials: one row per quantity, one column per trial; the watched one is the first."""

    outcomes: np.ndarray
    seed: int
    precision: float

    @property
    def trials(self) -> int:
        """How many trials were made."""
        return int(self.outcomes.shape[1])

    @cached_property
    def half_width(self) -> float:
        """Half the 95 % interval of the watched P80."""
        low, high = interval(self.outcomes[0], share=WATCHED)
        return (high - low) / 2

    @property
    def converged(self) -> bool:
        """Whether that is below the share of P80 that was asked for."""
        return self.half_width <= self.precision * abs(percentile(self.outcomes[0], share=WATCHED))

    @property
    def told(self) -> dict[str, float | int | bool]:
        """What is printed with every result."""
        return {
            "trials": self.trials,
            "seed": self.seed,
            "half_width": self.half_width,
            "precision": self.precision,
            "converged": self.converged,
        }


def sampled(model: Callable[[range], np.ndarray], *, rules: SimulationRules, batch: int | None = None) -> Sample:
    """Simulate until P80 of the first quantity stands.

    Parameters
    ----------
    model
        Given trials, returns their outcomes: rows as in :class:`Sample`. It must not depend on how the trials are cut.
    rules
        Seed, least and most trials, precision.
    batch
        Trials of one call; the result does not depend on it.
    """
    batch = batch or rules.trials_least
    parts: list[np.ndarray] = []
    done, wanted = 0, rules.trials_least
    while True:
        for start in range(done, wanted, batch):
            parts.append(model(range(start, min(start + batch, wanted))))
        done = wanted
        sample = Sample(np.concatenate(parts, axis=1), rules.seed, rules.precision)
        if sample.converged or done >= rules.trials_most:
            return sample
        parts, wanted = [sample.outcomes], min(2 * wanted, rules.trials_most)


def batch_of(rows: int, *, megabytes: float) -> int:
    """Return how many trials fit into so much memory where each has so many float64 values; at least 256."""
    return max(256, int(megabytes * 2**20 / 8 / max(rows, 1)) // 256 * 256)


def percentile(outcomes: np.ndarray, *, share: float) -> float:
    """Return a percentile by numpy's rule "linear".

    >>> percentile(np.array([1.0, 2.0, 3.0, 4.0]), share=0.5)
    2.5
    """
    return float(np.quantile(outcomes, share))


def interval(outcomes: np.ndarray, *, share: float) -> tuple[float, float]:
    """Return the 95 % interval of a percentile: two of the outcomes themselves."""
    count = len(outcomes)
    spare = NORMAL_95 * sqrt(count * share * (1 - share))
    low, high = max(floor(count * share - spare), 0), min(ceil(count * share + spare), count - 1)
    ordered = np.partition(outcomes, (low, high))
    return float(ordered[low]), float(ordered[high])


def summary(outcomes: np.ndarray) -> dict[str, float]:
    """Return mean, standard deviation and the percentiles of :data:`SHARES`."""
    return {
        "mean": float(outcomes.mean()),
        "deviation": float(outcomes.std(ddof=1)),
        **{name: percentile(outcomes, share=share) for name, share in SHARES.items()},
    }


def chance(outcomes: np.ndarray, *, limit: float | None) -> float | None:
    """Return the share of trials at or below a limit; null without one."""
    return None if limit is None or pd.isna(limit) else float((outcomes <= limit).mean())


def joint_confidence(costs: np.ndarray, *, finishes: np.ndarray, cost: float, finish: float) -> float:
    """Return the share of trials in which neither cost nor finish is above its limit."""
    return float(((costs <= cost) & (finishes <= finish)).mean())


def rank_correlation(one: np.ndarray, *, other: np.ndarray) -> float | None:
    """Return Spearman's rank correlation, equal values sharing their mean rank; null where one of them never varies."""
    return _correlated(_ranks(one), other=_ranks(other))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks as differences from their mean."""
    ranks = pd.Series(values).rank().to_numpy()
    return np.asarray(ranks - ranks.mean())


def _correlated(first: np.ndarray, *, other: np.ndarray) -> float | None:
    size = sqrt(float((first * first).sum()) * float((other * other).sum()))
    return float((first * other).sum()) / size if size else None


def drivers(total: np.ndarray, *, parts: Iterable[np.ndarray]) -> pd.DataFrame:
    """Return how much each part drives a total, in the same trials.

    Parameters
    ----------
    total
        Outcomes of the whole.
    parts
        Draws of each variable, in the units of the total: what is to be taken off it if the variable were not there.

    Returns
    -------
    DataFrame
        :data:`DRIVER_COLUMNS`, in the order of the parts: ``place`` of the part, its ``rank_correlation`` with the
        total (null where it does not vary), and ``moves_p80`` = P80 − P80 without it.
    """
    whole = percentile(total, share=WATCHED)
    return pd.DataFrame(_driven(total, parts=parts, whole=whole), columns=DRIVER_COLUMNS)


def _driven(
    total: np.ndarray, *, parts: Iterable[np.ndarray], whole: float
) -> Iterator[tuple[int, float | None, float]]:
    ranks = _ranks(total)
    for place, part in enumerate(parts):
        yield place, _correlated(_ranks(part), other=ranks), whole - percentile(total - part, share=WATCHED)
