"""What really happens to each project, known to nobody in the organisation until it is over.

Every draw comes from a stream that is named after what it is for, so that one more project, portfolio or period moves
no other draw. Only sums, products and comparisons are used (no exp, log or power), so that the figures are the same on
every machine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from pmo_lib.demo.catalogue import CLASSES, LAST, STORIES, Candour, ReferenceClass, Story, Unit
from pmo_lib.demo.months import first_day, working_day

if TYPE_CHECKING:
    from datetime import date

PENNIES_PER_THOUSAND = 100_000
PROJECTS_KEPT = 512  # what follows from a project alone is worked out once for so many of them
PAUSE_MONTHS = 5
LONGEST_AGO = 1.25  # the oldest projects began so many of their own lives ago: a fifth is over
RANKS = (0.0, 0.2, 0.5, 0.8, 0.95, 1.0)


def stream(seed: int, *names: object) -> np.random.Generator:
    """Return the random stream of these names (PCG64, O'Neill 2014): equal names, equal draws."""
    digest = hashlib.sha256("|".join(str(name) for name in names).encode()).digest()
    words = [int.from_bytes(digest[at : at + 4], "big") for at in range(0, 16, 4)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))


def smooth(x: float) -> float:
    """Return the S-curve 3x² − 2x³: share of the work done at a share of the way (both 0–1)."""
    return x * x * (3.0 - 2.0 * x)


def miss(rank: float, *, bounds: tuple[float, float], best: float) -> float:
    """Return (actual ÷ approved − 1) at a rank (0–1) within a reference class.

    A fifth of the class does better than the lower bound, the last rank is the upper one; ``best`` is the best case.
    """
    lower, upper = bounds
    spread = upper - lower
    misses = (best, lower, lower + spread * 0.12, lower + spread * 0.35, lower + spread * 0.6, upper)
    return float(np.interp(rank, RANKS, misses))


@dataclass(frozen=True)
class Version:
    """An approved baseline: ``since`` is the age in months at whose end it holds; ``budget`` in pennies."""

    number: int
    kind: str
    since: int
    months: int
    budget: int
    approved_on: date
    finish_on: date

    @property
    def name(self) -> str:
        """Version as it is written in returns."""
        return str(self.number)


@dataclass(frozen=True, eq=False)
class Project:
    """The hidden life of one project; two are equal only if they are one. Age 1 is the end of its first month of work.

    Attributes
    ----------
    way, done, spent
        By age from 0 to ``lasts``: share of the way, share of the work (three decimals), pennies spent.
    """

    id: str
    name: str
    home: Unit
    reference: ReferenceClass
    story: Story
    seed: int
    starts: int
    lasts: int
    cost: int
    way: tuple[float, ...]
    done: tuple[float, ...]
    spent: tuple[int, ...]
    versions: tuple[Version, ...]
    start_on: date
    finish_on: date
    candour: Candour
    flat: bool
    lag: int

    def draws(self, *names: object) -> np.random.Generator:
        """Return a stream of this project alone."""
        return stream(self.seed, self.id, *names)

    def shares(self, name: str, *, count: int) -> tuple[float, ...]:
        """Return so many draws between 0 and 1 of a stream of this project, always the same."""
        return _shares(self, name=name, count=count)

    def share(self, name: str) -> float:
        """Return one draw between 0 and 1 of a stream of this project, always the same."""
        return _shares(self, name=name, count=1)[0]

    def age(self, month: int) -> int:
        """Return the months of work done at the end of a month, from 0 to ``lasts``."""
        return min(max(month - self.starts + 1, 0), self.lasts)

    def holder(self, month: int) -> str:
        """Return the id of the portfolio that the project stands in."""
        moved = self.story.moves_to is not None and month >= LAST + self.story.moves
        return str(self.story.moves_to) if moved else self.home.id

    def returned_in(self, month: int) -> bool:
        """Return whether it stands in the return of a month: from its first mention to the month in which it closes."""
        return self.first_seen <= month <= self.closes

    @property
    def closes(self) -> int:
        """Month in which it is finished."""
        return self.starts + self.lasts - 1

    @cached_property
    def first_seen(self) -> int:
        """Month of the first return that mentions it."""
        if self.story.first_seen is not None:
            return LAST + self.story.first_seen
        return self.starts - int(self.draws("first seen").integers(0, 3))

    def version_at(self, age: int) -> Version:
        """Return the baseline in force at an age."""
        return next(version for version in reversed(self.versions) if version.since <= age or version.number == 1)

    def planned_share(self, version: Version, *, age: int) -> float:
        """Return the share of the work that a baseline plans to have done at an age.

        Up to the age at which it was approved a re-baseline takes over what was really done.
        """
        if version.number > 1 and age <= version.since:
            return self.done[age]
        if age >= version.months:
            return 1.0
        way, done = self.way[version.since], self.done[version.since]
        ahead = way + (1.0 - way) * (age - version.since) / (version.months - version.since)
        return done + (1.0 - done) * (smooth(ahead) - smooth(way)) / (1.0 - smooth(way))

    def delay_months(self, age: int) -> float:
        """Return how far the work is behind the baseline in force, in months; negative is ahead."""
        version = self.version_at(age)
        way = self.way[version.since]
        reached = (self.way[age] - way) / (1.0 - way)
        return (age - version.since) - reached * (version.months - version.since)


@lru_cache(maxsize=100 * PROJECTS_KEPT)
def _shares(project: Project, *, name: str, count: int) -> tuple[float, ...]:
    return tuple(project.draws(name).random(count).tolist())


@dataclass(frozen=True)
class _Draws:
    """The first draws of a project, before anything follows from them; cost in thousands."""

    months: int
    budget: int
    cost_rank: float
    time_rank: float
    elapsed: float
    candour: Candour
    flat: bool
    lag: int


@dataclass(frozen=True)
class _Life:
    """First month, share of the way by age, and final cost in pennies."""

    starts: int
    way: tuple[float, ...]
    cost: int

    @property
    def lasts(self) -> int:
        return len(self.way) - 1


@lru_cache(maxsize=PROJECTS_KEPT)
def project_of(work: str, *, unit: Unit, seed: int) -> Project:
    """Return the life of one project of the catalogue, given as ``number class name``."""
    number, letter, name = work.split(" ", 2)
    project_id, reference = f"{unit.code}-{number}", CLASSES[letter]
    story, rng = STORIES.get(project_id, Story()), stream(seed, project_id, "life")
    drawn = _drawn(reference, story=story, rng=rng)
    slips = miss(drawn.time_rank, bounds=reference.time_bounds, best=-0.03)
    pause = PAUSE_MONTHS if story.paused_from is not None else 0
    lasts = story.lasts or max(round(drawn.months * (1.0 + slips)), 6) + pause
    starts = LAST + story.starts if story.starts is not None else LAST - int(drawn.elapsed * lasts)
    way = _way(lasts, rng=rng, paused=None if story.paused_from is None else LAST + story.paused_from - starts)
    budget = drawn.budget * PENNIES_PER_THOUSAND
    cost = int(budget * (1.0 + miss(drawn.cost_rank, bounds=reference.cost_bounds, best=-0.05)))
    life = _Life(starts, way, cost)
    start_on = working_day(first_day(starts).replace(day=int(rng.integers(10, 20))))
    approved_on = working_day(start_on.replace(day=start_on.day - int(rng.integers(2, 6))))
    finish_on = _late_in(starts + lasts - 1, rng=rng)
    planned_on = _late_in(starts + drawn.months - 1, rng=rng)
    original = Version(1, "original", 0, drawn.months, budget, approved_on, planned_on)
    return Project(
        id=project_id,
        name=name,
        home=unit,
        reference=reference,
        story=story,
        seed=seed,
        starts=starts,
        lasts=lasts,
        cost=cost,
        way=way,
        done=(*(round(smooth(x), 3) for x in way[:-1]), 1.0),
        spent=_spent(life, budget=budget, rng=stream(seed, project_id, "spent")),
        versions=_rebaselined(original, life=life, story=story, rng=stream(seed, project_id, "baselines")),
        start_on=start_on,
        finish_on=finish_on,
        candour=drawn.candour,
        flat=drawn.flat,
        lag=drawn.lag,
    )


def _drawn(reference: ReferenceClass, *, story: Story, rng: np.random.Generator) -> _Draws:
    months = int(rng.integers(reference.months[0], reference.months[1] + 1))
    smallest, largest = reference.budget_thousands
    size, cost_rank, other_rank, elapsed, honest, flat = rng.random(6)
    candour: Candour = "candid" if honest < 0.60 else "hopeful" if honest < 0.92 else "watermelon"
    rank = cost_rank if story.cost_rank is None else story.cost_rank
    return _Draws(
        months=story.months or months,
        budget=round((smallest + (largest - smallest) * size * size) / 25) * 25,
        cost_rank=rank,
        time_rank=(rank + other_rank) / 2,
        elapsed=elapsed * LONGEST_AGO,
        candour=story.candour or candour,
        flat=story.flat if story.flat is not None else bool(flat < 0.15),
        lag=int(rng.integers(1, 4)),
    )


def _way(lasts: int, *, rng: np.random.Generator, paused: int | None) -> tuple[float, ...]:
    """Return the share of the way at each age: uneven months, often a stall and a recovery, sometimes a pause."""
    pace = 0.75 + 0.5 * rng.random(lasts)
    stalls, at = rng.random(2)
    if stalls < 0.55:
        first = int(lasts * (0.2 + 0.4 * at))
        length = max(2, lasts // 6)
        pace[first : first + length] *= 0.2
        pace[first + length : first + 2 * length] *= 1.5
    if paused is not None:
        pace[paused : paused + PAUSE_MONTHS] = 0.0
    whole = float(np.cumsum(pace)[-1])
    return (0.0, *(float(x) / whole for x in np.cumsum(pace)[:-1]), 1.0)


def _spent(life: _Life, *, budget: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Return pennies spent by age: as budgeted at first, the overrun shows as the work proceeds."""
    raw = [
        int((budget * p + (life.cost - budget) * p * p) * (1.0 + 0.06 * (u - 0.5) * (1.0 - p)))
        for p, u in zip(map(smooth, life.way), rng.random(len(life.way)).tolist(), strict=True)
    ]
    return (*(min(pennies, life.cost) for pennies in accumulate(raw[:-1], max)), life.cost)


def _rebaselined(original: Version, *, life: _Life, story: Story, rng: np.random.Generator) -> tuple[Version, ...]:
    """Return all baselines: some projects are re-baselined once or twice, each time nearer to the truth."""
    first, again = rng.random(2)
    points = [0.3 + 0.4 * rng.random(), 0.78 + 0.12 * rng.random()]
    wanted = [next(age for age, x in enumerate(life.way) if x >= point) for point in points]
    wanted = wanted[: int(first < 0.45) + int(first < 0.45 and again < 0.25)]
    if story.rebaselined is not None:
        wanted = [LAST + story.rebaselined - life.starts + 1]
    versions = [original]
    for age in wanted:
        following = _next_version(versions[-1], age=age, life=life, rng=rng)
        versions.extend([following] if following else [])
    return tuple(versions)


def _next_version(last: Version, *, age: int, life: _Life, rng: np.random.Generator) -> Version | None:
    """Return the re-baseline at an age, or None where there is no gap worth one, or no time left."""
    closing = 0.5 + 0.4 * float(rng.random())
    extra = max(round((life.lasts - last.months) * closing), 0)
    more = max(round((life.cost - last.budget) * closing / PENNIES_PER_THOUSAND), 0) * PENNIES_PER_THOUSAND
    months = max(last.months + extra, age + 2)
    worth_it = months - last.months >= 2 or more * 25 >= last.budget
    if not worth_it or age + 1 >= life.lasts or age <= last.since:
        return None
    kind = str(rng.choice(("approved change", "over-target", "price", "approved change"))) if more else "replan"
    approved_on = working_day(first_day(life.starts + age - 1).replace(day=int(rng.integers(6, 27))))
    finish_on = _late_in(life.starts + months - 1, rng=rng)
    return Version(last.number + 1, kind, age, months, last.budget + more, approved_on, finish_on)


def _late_in(month: int, *, rng: np.random.Generator) -> date:
    return working_day(first_day(month).replace(day=int(rng.integers(18, 28))))
