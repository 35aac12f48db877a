"""The risk register: every risk has a life of its own, from the day it is raised until it strikes or is closed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from pmo_lib.demo.catalogue import CURRENCY
from pmo_lib.demo.money import pounds_and_pence
from pmo_lib.demo.months import first_day, last_day, month_of, working_day
from pmo_lib.demo.planning import number_of
from pmo_lib.demo.truth import PENNIES_PER_THOUSAND, PROJECTS_KEPT, Project, stream
from pmo_lib.demo.wording import PORTFOLIO_RISKS, RESPONSES, RISKS, RiskWords, choice, person

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np

    from pmo_lib.demo.belief import Row

NO_TASKS: Mapping[str, str] = MappingProxyType({})
PROBABILITIES = (0.05, 0.2, 0.4, 0.6, 0.85)
COST_SHARES = (0.002, 0.006, 0.015, 0.035, 0.08)
DELAY_SHARES = (0.01, 0.02, 0.04, 0.08, 0.15)
ESCALATE_FROM = 15
# How its levels move, and up to which share (0–1) of all risks.
PATHS = ((0.1, "stays"), (0.25, "worsens"), (0.45, "flares"), (1.0, "eases"))


@dataclass(frozen=True)
class Scale:
    """What a risk is measured against: pennies at stake, and the first and last month of its subject."""

    pennies: int
    starts: int
    ends: int


@dataclass(frozen=True)
class Risk:
    """The life of a risk.

    Its levels go from ``inherent`` to ``target`` in ``ease`` months, the other way if it worsens, back at once if it
    flares; ``every`` is the number of months between reviews, 0 where nobody looks at it again.
    """

    id: str
    words: RiskWords
    scale: Scale
    raised_on: date
    ends: int
    fate: str
    owner: str
    inherent: tuple[int, int]
    target: tuple[int, int]
    ease: int
    path: str
    every: int
    review_lag: int
    proximity_on: date
    response: str
    cost_known: bool
    days_known: bool
    velocity_days: int | None

    def ended(self, month: int) -> bool:
        """Return whether it was closed or has struck by the end of a month."""
        return month >= min(self.ends, self.scale.ends)

    def ended_on(self) -> date:
        """Return the day on which it was closed or struck."""
        end = min(self.ends, self.scale.ends)
        return working_day(max(last_day(end) - timedelta(days=9), self.raised_on))

    def status(self, month: int) -> str:
        """Return the state at the end of a month."""
        if self.ended(month):
            return self.fate if self.ends <= self.scale.ends else "closed"
        probability, impact = self.current(month)
        return "escalated" if probability * impact >= ESCALATE_FROM else "open"

    def current(self, month: int) -> tuple[int, int]:
        """Return probability and impact level at the end of a month."""
        waited = max(month - month_of(self.raised_on), 0) / self.ease
        eased = min(waited, 1.0)
        eased = {"eases": eased, "stays": 0.0, "worsens": 1.0 - eased, "flares": eased if waited <= 1.0 else 0.0}[
            self.path
        ]
        probability, impact = (round(a + (b - a) * eased) for a, b in zip(self.inherent, self.target, strict=True))
        return probability, impact

    def reviewed_on(self, month: int) -> date:
        """Return the day of the last review at the end of a month."""
        first = month_of(self.raised_on)
        held = min(month, self.ends) if self.every else first
        held -= (held - first) % self.every if self.every else 0
        return working_day(max(last_day(held) - timedelta(days=self.review_lag), self.raised_on))


def _risk(risk_id: str, *, words: RiskWords, scale: Scale, rng: np.random.Generator) -> Risk:
    raised = scale.starts + int(rng.integers(0, max(int(0.7 * (scale.ends - scale.starts)), 1)))
    probability, impact = int(rng.integers(2, 6)), int(rng.integers(2, 6))
    struck, path, quiet = rng.random(3)
    every = 0 if quiet < 0.12 else int(rng.integers(1, 4))
    risk = Risk(
        id=risk_id,
        words=words,
        scale=scale,
        raised_on=working_day(first_day(raised) + timedelta(days=int(rng.integers(2, 25)))),
        ends=raised + int(rng.integers(5, 22)),
        fate="occurred" if struck < 0.3 else "closed",
        owner=person(rng),
        inherent=(probability, impact),
        target=(max(1, probability - int(rng.integers(1, 3))), max(1, impact - int(rng.integers(0, 2)))),
        ease=int(rng.integers(2, 9)),
        path="stays" if not every else next(name for limit, name in PATHS if path < limit),
        every=every,
        review_lag=int(rng.integers(0, 18)),
        proximity_on=working_day(first_day(raised) + timedelta(days=int(rng.integers(60, 480)))),
        response=choice(rng, of=RESPONSES[words.kind]),
        cost_known=bool(rng.random() < 0.8),
        days_known=bool(rng.random() < 0.85),
        velocity_days=int(rng.integers(1, 120)) if rng.random() < 0.7 else None,
    )
    # A response makes a threat smaller and an opportunity larger; both have drawn the same.
    return risk if words.kind == "threat" else replace(risk, inherent=risk.target, target=risk.inherent)


@lru_cache(maxsize=PROJECTS_KEPT)
def risks_of(project: Project) -> tuple[Risk, ...]:
    """Return all risks in a project's life, four to seven."""
    bank, rng = RISKS[project.reference.domain], project.draws("risks")
    chosen = rng.permutation(len(bank))[: int(rng.integers(4, 8))]
    scale = Scale(project.versions[0].budget, project.starts, project.closes)
    return tuple(
        _risk(f"R-{number_of(project)}{at}", words=bank[int(pick)], scale=scale, rng=project.draws("risk", at))
        for at, pick in enumerate(chosen, start=1)
    )


def portfolio_risks(portfolio: str, *, seed: int, ends: int) -> tuple[Risk, ...]:
    """Return the risks of a portfolio as a whole, raised in the two years before the last period."""
    scale = Scale(20_000 * PENNIES_PER_THOUSAND, ends - 24, ends + 24)
    return tuple(
        _risk(f"R-00{at}", words=words, scale=scale, rng=stream(seed, portfolio, "risk", at))
        for at, words in enumerate(PORTFOLIO_RISKS, start=1)
    )


def risk_rows(
    risks: Sequence[Risk], *, month: int, project_id: str | None, tasks: Mapping[str, str] = NO_TASKS
) -> Iterator[Row]:
    """Yield the register at the end of a month: every risk raised so far, also those that are over.

    ``tasks`` names the task that a risk of each category delays.
    """
    for risk in risks:
        if risk.raised_on > last_day(month):
            continue
        probability, impact = risk.current(month)
        over = risk.ended(month)
        yield {
            "risk_id": risk.id,
            "status_date": last_day(month),
            "project_id": project_id,
            "task_id": tasks.get(risk.words.category),
            "kind": risk.words.kind,
            "title": risk.words.title,
            "cause": risk.words.cause,
            "event": risk.words.event,
            "effect": risk.words.effect,
            "category": risk.words.category,
            "owner": risk.owner,
            "raised_on": risk.raised_on,
            "reviewed_on": risk.ended_on() if over else risk.reviewed_on(month),
            "proximity_on": risk.proximity_on,
            "velocity_days": risk.velocity_days,
            "status": risk.status(month),
            "probability": PROBABILITIES[probability - 1],
            "inherent_probability_level": risk.inherent[0],
            "inherent_impact_level": risk.inherent[1],
            "current_probability_level": probability,
            "current_impact_level": impact,
            "target_probability_level": risk.target[0],
            "target_impact_level": risk.target[1],
            **_impacts(risk, impact=impact),
            "currency": CURRENCY,
            "response": risk.response,
            "response_cost": None if risk.response == "accept" else pounds_and_pence(_likely(risk, impact=impact) // 8),
            "fallback_plan": risk.words.fallback,
            "closed_on": risk.ended_on() if over else None,
        }


def _likely(risk: Risk, *, impact: int) -> int:
    """Return the likely effect on cost in pennies, in whole thousands of pounds."""
    return max(round(risk.scale.pennies * COST_SHARES[impact - 1] / PENNIES_PER_THOUSAND), 1) * PENNIES_PER_THOUSAND


def _impacts(risk: Risk, *, impact: int) -> Row:
    likely = _likely(risk, impact=impact)
    months = min(risk.scale.ends - risk.scale.starts + 1, 48)
    days = max(round(months * 21 * DELAY_SHARES[impact - 1]), 1)
    cost = {
        "cost_impact_low": pounds_and_pence(likely // 2),
        "cost_impact_likely": pounds_and_pence(likely),
        "cost_impact_high": pounds_and_pence(likely * 2),
    }
    delay = {
        "days_impact_low": float(days // 2),
        "days_impact_likely": float(days),
        "days_impact_high": float(days * 2),
    }
    return {**(cost if risk.cost_known else {}), **(delay if risk.days_known else {})}
