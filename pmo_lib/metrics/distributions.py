"""What is uncertain as a distribution: moments in closed form, and values at normal scores for a simulation.

Beta-PERT (Vose, *Risk Analysis*, 2008) has α = 1 + 4 (m − a) / (b − a), β = 1 + 4 (b − m) / (b − a), mean
(a + 4 m + b) / 6 and variance (μ − a)(b − μ) / 7, which is not the ((b − a) / 6)² of classical PERT (Malcolm et al.,
*Operations Research* 7, 1959). Triangular: mean (a + m + b) / 3, variance (a² + m² + b² − ab − am − bm) / 18. A sum of
variables has variance sᵀ R s, whatever their shapes.

A value is read at a normal score z, where the distribution reaches the probability Φ(z), off a table of 1,025 scores:
exact at these, and between them nearer than 5 millionths of the range. A draw costs a look-up, whatever the shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import betaincinv, ndtr, ndtri

if TYPE_CHECKING:
    from collections.abc import Sequence

PERT, TRIANGULAR, UNIFORM, NORMAL = "pert", "triangular", "uniform", "normal"
KINDS = (PERT, TRIANGULAR, UNIFORM, NORMAL)
MOMENTS = ["mean", "variance"]
# The scores of the table: no draw lies outside them, since the smallest probability drawn is 2⁻⁵⁴.
FARTHEST, STEPS = 8.5, 1024
SCORES = np.linspace(-FARTHEST, FARTHEST, STEPS + 1)
# Where no score is needed, values are read at probabilities in even steps; the outer ones are too steep for that.
CELLS, OUTER = 2048, 64
# Beta-PERT's values are smooth in the place of the mode: 20 such places give all others to ten digits.
MODES = (1 - np.cos(np.pi * np.arange(20) / 19)) / 2
EVEN_SCORES = np.clip(ndtri(np.arange(CELLS + 1) / CELLS), -FARTHEST, FARTHEST)


@dataclass(frozen=True, eq=False)
class Quantiles:
    """The values of one distribution at :data:`SCORES`, ascending."""

    values: np.ndarray

    @cached_property
    def rises(self) -> np.ndarray:
        """What each value is below the next one."""
        return np.append(np.diff(self.values), 0.0)

    @property
    def fixed(self) -> bool:
        """Whether there is one value only."""
        return bool(self.values[0] == self.values[-1])

    def at(self, scores: np.ndarray) -> np.ndarray:
        """Return the values at normal scores: an array of their shape."""
        if self.fixed:
            return np.full(scores.shape, self.values[0])
        places = scores * (STEPS / (2 * FARTHEST))
        places += STEPS / 2
        before = places.astype(np.intp)
        places -= before
        places *= self.rises.take(before, mode="clip")
        places += self.values.take(before, mode="clip")
        return places

    def reached(self, shares: np.ndarray) -> np.ndarray:
        """Return the values at probabilities, 0 and 1 excluded: those of :meth:`at` at their scores, sooner."""
        if self.fixed:
            return np.full(shares.shape, self.values[0])
        places = shares * CELLS
        cells = places.astype(np.intp)
        places -= cells
        places *= self._even_rises.take(cells)
        places += self._even.take(cells)
        steep = np.flatnonzero((cells < OUTER) | (cells >= CELLS - OUTER))
        places[steep] = self.at(ndtri(shares[steep]))
        return places

    @cached_property
    def _even(self) -> np.ndarray:
        return self.at(EVEN_SCORES)

    @cached_property
    def _even_rises(self) -> np.ndarray:
        return np.append(np.diff(self._even), 0.0)

    def times(self, factor: float) -> Quantiles:
        """Return the distribution of a multiple; a negative factor turns it round, so that it stays ascending."""
        return Quantiles((self.values if factor >= 0 else self.values[::-1]) * factor)


def quantiles(kind: str, *, low: float, likely: float, high: float) -> Quantiles:
    """Return a distribution by its three points.

    Parameters
    ----------
    kind
        One of :data:`KINDS`. ``uniform`` does not look at ``likely``; of ``normal``, ``low`` and ``high`` are one
        standard deviation from the mean.
    low, likely, high
        In the order of size, see :func:`faults`; all equal is a constant.

    >>> quantiles("triangular", low=0.0, likely=5.0, high=10.0).at(np.zeros(1))
    array([5.])
    """
    if low == high:
        return Quantiles(np.full(STEPS + 1, likely))
    reached = {PERT: _pert, TRIANGULAR: _triangular, UNIFORM: _uniform, NORMAL: _normal}[kind]
    return Quantiles(low + (high - low) * reached((likely - low) / (high - low)))


def faults(rows: pd.DataFrame) -> pd.Series:
    """Say why three points (``low, likely, high``) are no distribution; ``""`` where they are one."""
    reason = pd.Series("", index=rows.index, dtype="str")
    reason = reason.mask(rows["likely"].gt(rows["high"]), "most likely above high")
    reason = reason.mask(rows["low"].gt(rows["likely"]), "low above most likely")
    return reason.mask(rows[["low", "likely", "high"]].isna().any(axis="columns"), "a point is missing")


def moments(rows: pd.DataFrame) -> pd.DataFrame:
    """Return mean and variance of each distribution: ``kind, low, likely, high`` to ``mean, variance``."""
    low, likely, high = (rows[name].astype("float64") for name in ("low", "likely", "high"))
    pert = (low + 4 * likely + high) / 6
    squares = low**2 + likely**2 + high**2 - low * likely - low * high - likely * high
    told = {
        PERT: (pert, (pert - low) * (high - pert) / 7),
        TRIANGULAR: ((low + likely + high) / 3, squares / 18),
        UNIFORM: ((low + high) / 2, (high - low) ** 2 / 12),
        NORMAL: ((low + high) / 2, ((high - low) / 2) ** 2),
    }
    table = pd.DataFrame(float("nan"), index=rows.index, columns=MOMENTS)
    for kind, found in told.items():
        is_it = rows["kind"].eq(kind)
        for name, values in zip(MOMENTS, found, strict=True):
            table.loc[is_it, name] = values[is_it]
    return table


def struck_moments(rows: pd.DataFrame, *, probability: pd.Series) -> pd.DataFrame:
    """Return mean and variance of what happens with a probability and has these ``mean, variance`` if it does."""
    mean = rows["mean"] * probability
    return pd.DataFrame({"mean": mean, "variance": probability * (rows["variance"] + rows["mean"] ** 2) - mean**2})


def sum_variance(deviations: Sequence[float], *, correlation: np.ndarray | None = None) -> float:
    """Return the variance of a sum, sᵀ R s; without ``correlation`` of independent variables."""
    sizes = np.asarray(deviations, dtype="float64")
    matrix = np.eye(len(sizes)) if correlation is None else np.asarray(correlation, dtype="float64")
    return float((sizes[:, None] * matrix * sizes[None, :]).sum())


def variance_sensitivities(deviations: Sequence[float], *, correlation: np.ndarray) -> np.ndarray:
    """Return how the variance of a sum follows each variable's own: ∂ sᵀ R s / ∂ sᵢ² = 1 + Σ ρᵢⱼ sⱼ / sᵢ over j ≠ i."""
    sizes = np.asarray(deviations, dtype="float64")
    return np.asarray((np.asarray(correlation) * sizes[None, :]).sum(axis=1) / sizes)


@lru_cache(maxsize=1)
def _pert_table() -> np.ndarray:
    """Return Beta-PERT between 0 and 1: a row for each of :data:`MODES`, a column for each score."""
    return np.asarray(betaincinv(1 + 4 * MODES[:, None], 5 - 4 * MODES[:, None], ndtr(SCORES)[None, :]))


def _pert(mode: float) -> np.ndarray:
    """Interpolate between the modes of the table, by the barycentric formula at Chebyshev's points."""
    known = np.flatnonzero(np.equal(MODES, mode))
    if len(known):
        return np.asarray(_pert_table()[known[0]])
    weights = np.where(np.arange(len(MODES)) % 2, -1.0, 1.0)
    weights[[0, -1]] /= 2
    weights /= mode - MODES
    values = (weights[:, None] * _pert_table()).sum(axis=0) / weights.sum()
    return np.asarray(np.maximum.accumulate(np.clip(values, 0.0, 1.0)))


def _triangular(mode: float) -> np.ndarray:
    reached = ndtr(SCORES)
    rising, falling = np.sqrt(reached * mode), 1 - np.sqrt(ndtr(-SCORES) * (1 - mode))
    return np.asarray(np.where(reached <= mode, rising, falling))


def _uniform(_mode: float) -> np.ndarray:
    return np.asarray(ndtr(SCORES))


def _normal(_mode: float) -> np.ndarray:
    return np.asarray((SCORES + 1) / 2)
