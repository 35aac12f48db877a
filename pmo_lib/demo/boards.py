"""What boards see between projects: decisions sought, ratings set aside, and what one project needs of another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from pmo_lib.demo.belief import View
from pmo_lib.demo.catalogue import CURRENCY, UNITS
from pmo_lib.demo.money import pounds_and_pence
from pmo_lib.demo.months import first_day, working_day
from pmo_lib.demo.planning import number_of
from pmo_lib.demo.truth import PROJECTS_KEPT, Project, project_of
from pmo_lib.demo.wording import NEEDS, SPONSORS, at, choice, pounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pmo_lib.demo.belief import Row

THOUSAND_POUNDS = 100_000
ASKS = (
    "Release {amount} from contingency",
    "Approve the re-baseline and {amount} more",
    "Choose the option at {amount}",
)
OUTCOMES = ("approved", "approved in part", "deferred", "refused")
DECISIONS = 4  # in the life of a project
EARLIEST_OVERRIDE = 6  # months of work before the office sets a rating aside


@dataclass(frozen=True)
class Decision:
    """A decision in the life of a project, asked for in month ``asked``."""

    id: str
    asked: int
    decided_on: date
    pennies: int
    outcome: str
    ask: str
    decider: str


@lru_cache(maxsize=PROJECTS_KEPT)
def decisions_of(project: Project) -> tuple[Decision, ...]:
    """Return all decisions in a project's life."""
    return tuple(_decision(project, number=number) for number in range(1, DECISIONS + 1))


def _decision(project: Project, *, number: int) -> Decision:
    rng = project.draws("decision", number)
    asked = project.starts + int(rng.integers(2, project.lasts))
    decided_on = working_day(first_day(asked + int(rng.integers(1, 5))) + timedelta(days=int(rng.integers(4, 26))))
    stake = project.versions[0].budget * (0.02 + 0.06 * float(rng.random()))
    pennies = round(stake / THOUSAND_POUNDS) * THOUSAND_POUNDS
    return Decision(
        id=f"D-{number_of(project)}{number}",
        asked=asked,
        decided_on=decided_on,
        pennies=pennies,
        outcome=choice(rng, of=OUTCOMES),
        ask=choice(rng, of=ASKS).format(amount=pounds(pennies)),
        decider=choice(rng, of=SPONSORS[project.home.parent_id]),
    )


def decision_rows(view: View) -> Iterator[Row]:
    """Yield the decisions that are open, or were taken in this month."""
    for decision in decisions_of(view.project):
        taken = decision.decided_on <= view.status_on
        if view.month < decision.asked or decision.decided_on < first_day(view.month):
            continue
        yield {
            "decision_id": decision.id,
            "status_date": view.status_on,
            "project_id": view.project.id,
            "ask": decision.ask,
            "amount": pounds_and_pence(decision.pennies),
            "currency": CURRENCY,
            "due_on": working_day(first_day(decision.asked + 2) + timedelta(days=14)),
            "cost_of_delay": pounds_and_pence(decision.pennies // 5_000_000 * 100_000 or 50_000),
            "decider": decision.decider,
            "decided_on": decision.decided_on if taken else None,
            "outcome": decision.outcome if taken else None,
            "effect": "Taken into the forecast" if taken and decision.outcome.startswith("approved") else None,
        }


def override_rows(view: View) -> Iterator[Row]:
    """Yield the red ratings that the portfolio office set aside, with their expiry: about one red project in four."""
    for dimension, rating in zip(("time", "cost"), view.ratings, strict=True):
        accepted = view.project.share(f"override|{dimension}") < 0.25
        if rating == "red" and accepted and view.age >= EARLIEST_OVERRIDE:
            yield {
                "project_id": view.project.id,
                "status_date": view.status_on,
                "dimension": dimension,
                "rating_from": "red",
                "rating_to": "amber",
                "reason_code": "Recovery plan accepted",
                "evidence": "Minutes of the portfolio board",
                "approver": "Head of the portfolio office",
                "expires_on": view.status_on + timedelta(days=60),
            }


def dependency_rows(views: list[View]) -> Iterator[Row]:
    """Yield what projects need: mostly of an earlier one of their portfolio, the first one of another portfolio's."""
    held = {view.project.id: view for view in views}
    for view in views:
        if view.state == "proposed":
            continue
        works, own = view.project.home.works, f"{number_of(view.project)} "
        before = [f"{view.project.home.code}-{work.split(' ', 1)[0]}" for work in works[: _place(works, start=own)]]
        needs, which = view.project.shares("dependency", count=2)
        provider_id = at(which, of=before) if before else ""
        if needs < 0.6 and provider_id in held and held[provider_id].state != "proposed":
            yield _dependency(view, provider=held[provider_id], name=f"DEP-{number_of(view.project)}1")
        neighbour = _neighbour(view.project)
        if not before and neighbour is not None and neighbour.age(view.month) and neighbour.returned_in(view.month):
            yield _dependency(view, provider=View(neighbour, view.month), name=f"DEP-{number_of(view.project)}2")


def _place(works: tuple[str, ...], *, start: str) -> int:
    return next(place for place, work in enumerate(works) if work.startswith(start))


def _neighbour(project: Project) -> Project | None:
    """Return the first project of the portfolio before this one's; the first portfolio has none."""
    place = UNITS.index(project.home)
    return project_of(UNITS[place - 1].works[0], unit=UNITS[place - 1], seed=project.seed) if place else None


def _dependency(view: View, *, provider: View, name: str) -> Row:
    item, giving, taking, needed, promised = view.project.shares(f"dependency|{provider.project.id}", count=5)
    needed_way, promised_way = 0.45 + 0.4 * needed, 0.3 + 0.5 * promised
    needed_on, promised_on = view.baseline_on(needed_way), provider.forecast_on(promised_way)
    met = provider.reached_on(promised_way) is not None
    return {
        "dependency_id": name,
        "status_date": view.status_on,
        "provider_project_id": provider.project.id,
        "recipient_project_id": view.project.id,
        "item": at(item, of=NEEDS[provider.project.reference.domain]),
        "needed_on": needed_on,
        "promised_on": promised_on,
        "agreed_by_provider": giving < 0.75,
        "agreed_by_recipient": taking < 0.9,
        "status": "met" if met else "late" if needed_on < view.status_on else "open",
    }
