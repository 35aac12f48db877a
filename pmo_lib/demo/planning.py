"""What plans and boards write down of a project: baselines, changes, milestones, gates and artefacts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from pmo_lib.demo.catalogue import CURRENCY
from pmo_lib.demo.money import pounds_and_pence
from pmo_lib.demo.months import first_day, month_of, working_day
from pmo_lib.demo.truth import PENNIES_PER_THOUSAND, PROJECTS_KEPT, Project
from pmo_lib.demo.wording import ARTEFACTS, GATES, MILESTONES, STAGES, choice, person_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pmo_lib.demo.belief import Row, View

REVIEW_DAYS = 365


def number_of(project: Project) -> str:
    """Return the number in a project's id: part of the ids of all that belongs to it, so that these never collide."""
    return project.id.rsplit("-", 1)[1]


def contingency(project: Project) -> int:
    """Return the approved contingency in pennies: 6 to 12 % of the first budget."""
    share = 0.06 + 0.06 * project.shares("contingency", count=1)[0]
    return round(project.versions[0].budget * share / PENNIES_PER_THOUSAND) * PENNIES_PER_THOUSAND


@dataclass(frozen=True)
class Change:
    """A change request; ``pennies`` come from a new baseline, or from contingency where there is none."""

    id: str
    raised_on: date
    decided_on: date
    decision: str
    pennies: int
    days: int
    scope: str
    version: str | None = None


@lru_cache(maxsize=PROJECTS_KEPT)
def changes_of(project: Project) -> tuple[Change, ...]:
    """Return all change requests in a project's life: one behind each re-baseline, and up to three others."""
    number, reserve, rng = number_of(project), contingency(project), project.draws("changes")
    changes = [
        Change(
            id=f"C-{number}{version.number}",
            raised_on=working_day(version.approved_on - timedelta(days=30)),
            decided_on=version.approved_on,
            decision="approved",
            pennies=version.budget - before.budget,
            days=(version.finish_on - before.finish_on).days,
            scope="Scope unchanged" if version.kind != "approved change" else "Added by the board",
            version=version.name,
        )
        for before, version in zip(project.versions, project.versions[1:], strict=False)
    ]
    for count in range(int(rng.integers(0, 4))):
        raised_on = working_day(first_day(project.starts + int(rng.integers(1, project.lasts))) + timedelta(days=20))
        refused = rng.random() < 0.3
        changes.append(
            Change(
                id=f"C-{number}{count + 7}",
                raised_on=raised_on,
                decided_on=working_day(raised_on + timedelta(days=int(rng.integers(18, 60)))),
                decision="rejected" if refused else "approved",
                pennies=int(reserve * (0.08 + 0.2 * float(rng.random())) / 100_00) * 100_00,
                days=int(rng.integers(0, 15)),
                scope=choice(rng, of=("Members asked for more", "Design detail", "Statutory requirement")),
            )
        )
    return tuple(sorted(changes, key=lambda change: (change.raised_on, change.id)))


def change_rows(view: View) -> Iterator[Row]:
    """Yield the change requests raised so far; the decision only once it was taken."""
    if view.state == "proposed":
        return
    for change in changes_of(view.project):
        decided = change.decided_on <= view.status_on
        if change.raised_on <= view.status_on:
            yield {
                "change_id": change.id,
                "project_id": view.project.id,
                "effect_on_scope": change.scope,
                "effect_on_cost": pounds_and_pence(change.pennies),
                "currency": CURRENCY,
                "effect_on_days": float(change.days),
                "raised_on": change.raised_on,
                "decided_on": change.decided_on if decided else None,
                "decision": change.decision if decided else None,
                "baseline_version": change.version if decided else None,
            }


def undecided(view: View) -> bool:
    """Return whether a change request waits for a decision."""
    return any(change.raised_on <= view.status_on < change.decided_on for change in changes_of(view.project))


def baseline_rows(view: View) -> Iterator[Row]:
    """Yield the baselines approved so far."""
    project = view.project
    approved = [version for version in project.versions if version.approved_on <= view.status_on]
    for version in approved if view.age else []:
        yield {
            "project_id": project.id,
            "version": version.name,
            "approved_on": version.approved_on,
            "approver": "Portfolio board" if version.number == 1 else "Investment committee",
            "change_id": None if version.number == 1 else f"C-{number_of(project)}{version.number}",
            "kind": version.kind,
            "scope": "As in the business case" if version.number == 1 else f"As changed by baseline {version.name}",
            "budget": pounds_and_pence(version.budget),
            "currency": CURRENCY,
            "start_on": project.start_on,
            "finish_on": version.finish_on,
        }


def milestone_rows(view: View) -> Iterator[Row]:
    """Yield every milestone as forecast at the status date; a proposed project has none yet."""
    if view.state == "proposed":
        return
    milestones = MILESTONES[view.project.reference.domain]
    owners = view.project.shares("milestone owners", count=2 * len(milestones))
    for count, (way, kind, name) in enumerate(milestones, start=1):
        yield {
            "project_id": view.project.id,
            "milestone_id": f"M{count:02d}",
            "status_date": view.status_on,
            "name": name,
            "kind": kind,
            "baseline_on": view.version.finish_on if way >= 1.0 else view.baseline_on(way),
            "forecast_on": view.forecast_on(way),
            "actual_on": view.reached_on(way),
            "critical": kind in ("gate", "delivery"),
            "owner": person_at(owners[2 * count - 2 : 2 * count]),
        }


def stage_index(view: View) -> int:
    """Return the place in the life cycle that the project has reached, from 0."""
    way = view.project.way[view.age]
    return max(at for at, (begins, _) in enumerate(STAGES[view.project.reference.domain]) if begins <= way)


def stage_name(view: View) -> str:
    """Return the life-cycle stage as returned."""
    if view.state in ("proposed", "closed"):
        return "Pipeline" if view.state == "proposed" else "Closed"
    return STAGES[view.project.reference.domain][stage_index(view)][1]


def gate_rows(view: View) -> Iterator[Row]:
    """Yield the gates: planned, and once held with outcome and the conditions that are still open."""
    for way, gate in GATES[view.project.reference.domain] if view.age else ():
        strict, outcome, wait = view.project.shares(gate, count=3)
        conditions, reached = int(strict * 5), view.reached_on(way)
        held_on = None if reached is None else working_day(reached + timedelta(days=int(wait * 18)))
        held = held_on is not None and held_on <= view.status_on
        age = view.month - month_of(held_on) if held_on is not None and held else 0
        yield {
            "project_id": view.project.id,
            "gate": gate,
            "planned_on": view.baseline_on(way),
            "held_on": held_on if held else None,
            "outcome": ("green" if outcome < 0.3 else "amber" if outcome < 0.9 else "red") if held else None,
            "conditions": conditions if held else None,
            "conditions_open": max(conditions - age, 0) if held else None,
        }


def artefact_rows(view: View) -> Iterator[Row]:
    """Yield the artefacts required up to the present stage: one in ten is missing, some reviews are overdue."""
    if view.state == "proposed":
        return
    stages = STAGES[view.project.reference.domain]
    for required, artefact in ARTEFACTS:
        begun_on = view.reached_on(stages[required][0]) if required else view.project.start_on
        if required > stage_index(view) or begun_on is None:
            continue
        missing, diligent, wait = view.project.shares(artefact, count=3)
        approved_on = working_day(begun_on + timedelta(days=5 + int(wait * 55)))
        present = missing >= 0.1 and approved_on <= view.status_on
        renewed_on = working_day(approved_on + timedelta(days=REVIEW_DAYS - 10))
        renewed = diligent < 0.6 and renewed_on <= view.status_on
        approved_on = renewed_on if renewed else approved_on
        yield {
            "project_id": view.project.id,
            "artefact": artefact,
            "required_by_stage": stages[required][1],
            "present": present,
            "version": ("2.0" if renewed else "1.0") if present else None,
            "approved_on": approved_on if present else None,
            "review_due_on": approved_on + timedelta(days=REVIEW_DAYS) if present else None,
            "location": f"Project library/{view.project.id}/{artefact}" if present else None,
        }
