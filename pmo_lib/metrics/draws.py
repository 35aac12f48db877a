"""Random draws that a new row does not move: a stream of its own for every variable, counted by trial.

Trial t of a variable is word t of a Philox stream (Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, 2011)
whose key is the hash of the seed and of the variable's name. So neither another variable, nor the size of a batch, nor
the number of workers changes a digit. numpy promises the words of a bit generator for good, not those of its
distributions: draws are made here from the words alone.

Variables are correlated as a Gaussian copula (Iman and Conover 1982 is another way) through factors that they share:
the score of a variable is Σ loading × factor + √(1 − Σ loading²) × its own. Its own distribution stays as it is, and
another row, with its own loadings, leaves it alone. Multiplying draws themselves by a Cholesky factor would move their
means.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtri

from pmo_lib.errors import ReportError

if TYPE_CHECKING:
    from pmo_lib.metrics.distributions import Quantiles

WORDS = 4  # that Philox makes of one count
ROUNDING = 1e-9
MOST_REPAIRS = 200
FACTOR, STRIKES = "factor", "strikes"


@dataclass(frozen=True, eq=False)
class Variable:
    """One uncertain quantity.

    Attributes
    ----------
    name
        Names its stream: project, then line, task or risk.
    quantiles
        What it is where it happens.
    probability
        That it happens at all; where it does not, the draw is 0.
    loads
        Names of the factors that it shares with others, and its loading on each.
    """

    name: tuple[str, ...]
    quantiles: Quantiles
    probability: float = 1.0
    loads: tuple[tuple[str, float], ...] = ()

    @cached_property
    def own_load(self) -> float:
        """Loading on what it shares with no other.

        Raises
        ------
        ReportError
            Where the shared loadings make more than the whole.
        """
        rest = 1 - sum(load * load for _, load in self.loads)
        if rest < -ROUNDING:
            raise ReportError(
                f"{' '.join(self.name)}: the squares of its loadings make {1 - rest:.3g}, above 1",
                fix="lower the correlations that the parameters state",
                stage="notebook",
            )
        return sqrt(max(rest, 0.0))


@dataclass(frozen=True, eq=False)
class Draws:
    """The draws of some trials, by a stated seed."""

    seed: int
    trials: range
    factors: dict[str, np.ndarray] = field(default_factory=dict)

    def of(self, variable: Variable) -> np.ndarray:
        """Return the draws of a variable: one for each trial."""
        if variable.quantiles.fixed and variable.probability >= 1:
            return np.full(len(self.trials), variable.quantiles.values[0])
        if variable.loads:
            drawn = variable.quantiles.at(self.scores(variable))
        else:
            drawn = variable.quantiles.reached(uniforms(stream_key(self.seed, *variable.name), trials=self.trials))
        if variable.probability < 1:
            drawn *= uniforms(stream_key(self.seed, STRIKES, *variable.name), trials=self.trials) < variable.probability
        return drawn

    def scores(self, variable: Variable) -> np.ndarray:
        """Return the normal scores of a variable: its share of the factors, and its own."""
        mixed = np.zeros(len(self.trials))
        for factor, load in variable.loads:
            mixed += load * self._factor(factor)
        if variable.own_load:
            mixed += variable.own_load * scores(stream_key(self.seed, *variable.name), trials=self.trials)
        return mixed

    def _factor(self, name: str) -> np.ndarray:
        if name not in self.factors:
            self.factors[name] = scores(stream_key(self.seed, FACTOR, name), trials=self.trials)
        return self.factors[name]


def stream_key(*names: object) -> int:
    """Return the key of a stream: 128 bits of the hash of its names, each with its length."""
    words = [str(name) for name in names]
    text = "".join(f"{len(word)}:{word}" for word in words)
    return int.from_bytes(blake2b(text.encode("utf-8"), digest_size=16).digest(), "big")


def uniforms(key: int, *, trials: range) -> np.ndarray:
    """Return the numbers of a stream at some trials: between 0 and 1, never either of them."""
    count, skipped = divmod(trials.start, WORDS)
    words = np.random.Philox(key=key, counter=count).random_raw(skipped + len(trials))[skipped:]
    words >>= np.uint64(11)
    numbers = words.astype("float64")
    numbers += 0.5
    numbers *= 2.0**-53
    return np.asarray(numbers)


def scores(key: int, *, trials: range) -> np.ndarray:
    """Return the normal scores of a stream at some trials."""
    return np.asarray(ndtri(uniforms(key, trials=trials)))


class Loadings(NamedTuple):
    """Loadings of each variable (a row) on as many factors; the largest change that a repair made to a correlation."""

    matrix: np.ndarray
    repaired: float


def loadings(correlation: np.ndarray) -> Loadings:
    """Return loadings that make a correlation matrix; those of a row depend on the rows before it only.

    A matrix that no variables can have (a negative eigenvalue) is replaced by the nearest one that they can (Higham,
    *IMA Journal of Numerical Analysis* 22, 2002), and ``repaired`` says by how much.

    Raises
    ------
    ReportError
        If it is not symmetric, its diagonal is not 1, or a value is outside −1 to 1.
    """
    given = np.asarray(correlation, dtype="float64")
    wrong = {
        "is not square": given.ndim != 2 or given.shape[0] != given.shape[-1],
        "is not symmetric": lambda: not np.allclose(given, given.T, rtol=0, atol=ROUNDING),
        "has a diagonal that is not 1": lambda: not np.allclose(given.diagonal(), 1, rtol=0, atol=ROUNDING),
        "has a value outside −1 to 1": lambda: bool((np.abs(given) > 1 + ROUNDING).any()),
    }
    for words, test in wrong.items():
        if test() if callable(test) else test:
            raise ReportError(f"correlation matrix {words}", fix="correct it", stage="notebook")
    sound = given if np.linalg.eigvalsh(given)[0] >= -ROUNDING else _nearest(given)
    return Loadings(_triangle(sound), float(np.abs(sound - given).max()))


def _nearest(given: np.ndarray) -> np.ndarray:
    """Project in turn on the matrices without negative eigenvalues and on those with the diagonal 1."""
    found, correction = given.copy(), np.zeros_like(given)
    for _ in range(MOST_REPAIRS):
        before = found - correction
        sizes, directions = np.linalg.eigh(before)
        positive = (directions * np.maximum(sizes, 0.0)) @ directions.T
        correction = positive - before
        found = positive.copy()
        np.fill_diagonal(found, 1.0)
    return found


def _triangle(sound: np.ndarray) -> np.ndarray:
    """Return the Cholesky factor; a variable that others determine has no loading of its own."""
    lower = np.zeros_like(sound)
    for row in range(len(sound)):
        for column in range(row):
            rest = sound[row, column] - (lower[row, :column] * lower[column, :column]).sum()
            pivot = lower[column, column]
            lower[row, column] = rest / pivot if pivot > sqrt(ROUNDING) else 0.0
        lower[row, row] = sqrt(max(1.0 - (lower[row, :row] ** 2).sum(), 0.0))
    return lower
