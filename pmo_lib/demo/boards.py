"""What boards see between projects: decisions sought, ratings set aside, and what one project needs of another."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pmo_lib.demo.belief import View
from pmo_lib.demo.catalogue import CURRENCY, UNITS
from pmo_lib.demo.money import pounds_and_pence
from pmo_lib.demo.months import first_day, working_day
from pmo_lib.demo.planning import number_of
from pmo_lib.demo.truth import project_of
from pmo_lib.demo.wording import NEEDS, SPONSORS, choice, pounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pmo_lib.demo.money import Row
    from pmo_lib.demo.truth import Project

THOUSAND_POUNDS = 100_000
ASKS = (
    "Release {amount} from contingency",
    "Approve the re-baseline and {amount} more",
    "Choose the option at {amount}",
)
OUTCOMES = ("approved", "approved in part", "deferred", "refused")
DECISIONS = 4  # in the life of a project
EARLIEST_OVERRIDE = 6  # months of work before the office sets a rating aside


def decision_rows(view: View) -> Iterator[Row]:
    """Yield the decisions that are open, or were taken in this month."""
    project = view.project
    for at in range(1, DECISIONS + 1):
        rng = project.draws("decision", at)
        asked = project.starts + int(rng.integers(2, project.lasts))
        decided_on = working_day(first_day(asked + int(rng.integers(1, 5))) + timedelta(days=int(rng.integers(4, 26))))
        pennies = (
            round(project.versions[0].budget * (0.02 + 0.06 * float(rng.random())) / THOUSAND_POUNDS) * THOUSAND_POUNDS
        )
        outcome, taken = choice(rng, of=OUTCOMES), decided_on <= view.status_on
        if view.month < asked or decided_on < first_day(view.month):
            continue
        yield {
            "decision_id": f"D-{number_of(project)}{at}",
            "status_date": view.status_on,
            "project_id": project.id,
            "ask": choice(rng, of=ASKS).format(amount=pounds(pennies)),
            "amount": pounds_and_pence(pennies),
            "currency": CURRENCY,
            "due_on": working_day(first_day(asked + 2) + timedelta(days=14)),
            "cost_of_delay": pounds_and_pence(pennies // 5_000_000 * 100_000 or 50_000),
            "decider": choice(rng, of=SPONSORS[project.home.parent_id]),
            "decided_on": decided_on if taken else None,
            "outcome": outcome if taken else None,
            "effect": "Taken into the forecast" if taken and outcome.startswith("approved") else None,
        }


def override_rows(view: View) -> Iterator[Row]:
    """Yield the red ratings that the portfolio office set aside, with their expiry: about one red project in four."""
    for dimension, rating in zip(("time", "cost"), view.ratings, strict=True):
        accepted = view.project.draws("override", dimension).random() < 0.25
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
        rng = view.project.draws("dependency")
        needs, provider_id = rng.random() < 0.6, choice(rng, of=before) if before else ""
        if needs and provider_id in held and held[provider_id].state != "proposed":
            yield _dependency(view, provider=held[provider_id], name=f"DEP-{number_of(view.project)}1")
        neighbour = _neighbour(view.project)
        if not before and neighbour is not None and neighbour.age(view.month):
            yield _dependency(view, provider=View(neighbour, view.month), name=f"DEP-{number_of(view.project)}2")


def _place(works: tuple[str, ...], *, start: str) -> int:
    return next(at for at, work in enumerate(works) if work.startswith(start))


def _neighbour(project: Project) -> Project | None:
    """Return the first project of the portfolio before this one's; the first portfolio has none."""
    at = UNITS.index(project.home)
    return project_of(UNITS[at - 1].works[0], unit=UNITS[at - 1], seed=project.seed) if at else None


def _dependency(view: View, *, provider: View, name: str) -> Row:
    rng = view.project.draws("dependency", provider.project.id)
    item, provider_agrees, recipient_agrees = (
        choice(rng, of=NEEDS[provider.project.reference.domain]),
        rng.random() < 0.75,
        rng.random() < 0.9,
    )
    needed_way, promised_way = 0.45 + 0.4 * float(rng.random()), 0.3 + 0.5 * float(rng.random())
    needed_on, promised_on = view.baseline_on(needed_way), provider.forecast_on(promised_way)
    met = provider.reached_on(promised_way) is not None
    return {
        "dependency_id": name,
        "status_date": view.status_on,
        "provider_project_id": provider.project.id,
        "recipient_project_id": view.project.id,
        "item": item,
        "needed_on": needed_on,
        "promised_on": promised_on,
        "agreed_by_provider": bool(provider_agrees),
        "agreed_by_recipient": bool(recipient_agrees),
        "status": "met" if met else "late" if needed_on < view.status_on else "open",
    }
