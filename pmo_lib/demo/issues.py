"""What follows from risks and from daily work: issues, actions and the book of reserves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from pmo_lib.demo.catalogue import CURRENCY, NO_RISK_REGISTER
from pmo_lib.demo.money import pounds_and_pence
from pmo_lib.demo.months import first_day, working_day
from pmo_lib.demo.planning import changes_of, contingency, number_of
from pmo_lib.demo.risks import Risk, risks_of
from pmo_lib.demo.truth import PROJECTS_KEPT, Project
from pmo_lib.demo.wording import ACTIONS, ISSUES, choice, person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pmo_lib.demo.belief import Row, View

Entry = tuple[date, str, str, int, dict[str, str]]


@dataclass(frozen=True)
class Issue:
    """The life of an issue; ``resolved_on`` may lie beyond the last period."""

    id: str
    risk_id: str | None
    title: str
    kind: str
    severity: int
    raised_on: date
    due_on: date
    resolved_on: date
    owner: str


@lru_cache(maxsize=PROJECTS_KEPT)
def issues_of(project: Project) -> tuple[Issue, ...]:
    """Return all issues in a project's life: one from each risk that struck, and one to three that no risk foresaw."""
    issues = [
        _issue(project, at=at, title=f"{risk.words.title}: has happened", kind="materialised risk", risk=risk)
        for at, risk in enumerate(risks_of(project), start=1)
        if risk.words.kind == "threat" and risk.fate == "occurred" and risk.ends <= project.closes
    ]
    if project.home.id in NO_RISK_REGISTER:
        issues = []
    rng, bank = project.draws("issues"), ISSUES[project.reference.domain]
    for at, pick in enumerate(rng.permutation(len(bank))[: int(rng.integers(1, 4))], start=7):
        kind, title = bank[int(pick)]
        issues.append(_issue(project, at=at, title=title, kind=kind))
    return tuple(issues)


def _issue(project: Project, *, at: int, title: str, kind: str, risk: Risk | None = None) -> Issue:
    rng = project.draws("issue", at)
    raised_on = working_day(first_day(project.starts + int(rng.integers(1, project.lasts))) + timedelta(days=11))
    raised_on = raised_on if risk is None else risk.ended_on()
    return Issue(
        id=f"I-{number_of(project)}{at}",
        risk_id=None if risk is None else risk.id,
        title=title,
        kind=kind,
        severity=int(rng.integers(2, 5)) if risk is None else risk.inherent[1],
        raised_on=raised_on,
        due_on=working_day(raised_on + timedelta(days=int(rng.integers(30, 75)))),
        resolved_on=working_day(raised_on + timedelta(days=int(rng.integers(20, 200)))),
        owner=person(rng),
    )


def issue_rows(view: View) -> Iterator[Row]:
    """Yield the issues raised so far."""
    for issue in issues_of(view.project):
        if issue.raised_on > view.status_on:
            continue
        closed_on = min(issue.resolved_on, max(view.project.finish_on, issue.raised_on))
        resolved = closed_on <= view.status_on
        levels = "portfolio board" if issue.severity >= 4 else "programme" if issue.severity == 3 else "project"
        yield {
            "issue_id": issue.id,
            "status_date": view.status_on,
            "project_id": view.project.id,
            "risk_id": issue.risk_id,
            "title": issue.title,
            "class": issue.kind,
            "severity": issue.severity,
            "raised_on": issue.raised_on,
            "due_on": issue.due_on,
            "resolved_on": closed_on if resolved else None,
            "resolution": "Settled with the parties concerned" if resolved else None,
            "escalation_level": levels,
            "owner": issue.owner,
        }


@dataclass(frozen=True)
class Action:
    """An action in the life of a project; ``done_on`` is None for one that is never done."""

    id: str
    parent: tuple[str, str]
    raised_on: date
    due_on: date
    done_on: date | None
    owner: str
    description: str
    effect: str


@lru_cache(maxsize=2 * PROJECTS_KEPT)
def actions_of(project: Project, *, with_risks: bool) -> tuple[Action, ...]:
    """Return an action on most risks (not on accepted ones) and on every issue; some are late, some never done."""
    parents = [("issue", issue.id, issue.raised_on) for issue in issues_of(project)]
    if with_risks:
        parents += [
            ("risk", risk.id, risk.raised_on)
            for risk in risks_of(project)
            if risk.response != "accept" and project.share(f"acted on|{risk.id}") < 0.75
        ]
    return tuple(_action(project, parent=(kind, parent), raised_on=raised_on) for kind, parent, raised_on in parents)


def _action(project: Project, *, parent: tuple[str, str], raised_on: date) -> Action:
    rng, (_, served) = project.draws("action", parent[1]), parent
    due_on = working_day(raised_on + timedelta(days=int(rng.integers(30, 150))))
    late_days, never = int(rng.integers(-20, 45)), rng.random() < 0.12
    done_on = working_day(max(due_on + timedelta(days=late_days), raised_on))
    return Action(
        id=f"A-{number_of(project)}{served[0]}{served[-1]}",
        parent=parent,
        raised_on=raised_on,
        due_on=due_on,
        done_on=None if never else done_on,
        owner=person(rng),
        description=choice(rng, of=ACTIONS),
        effect=choice(rng, of=("As hoped", "Partly", "None to be seen yet")),
    )


def action_rows(view: View, *, with_risks: bool) -> Iterator[Row]:
    """Yield the actions agreed so far."""
    for action in actions_of(view.project, with_risks=with_risks):
        if action.raised_on > view.status_on:
            continue
        done = action.done_on is not None and action.done_on <= view.status_on
        yield {
            "action_id": action.id,
            "status_date": view.status_on,
            "project_id": view.project.id,
            "parent_kind": action.parent[0],
            "parent_id": action.parent[1],
            "owner": action.owner,
            "description": action.description,
            "due_on": action.due_on,
            "done_on": action.done_on if done else None,
            "effect": action.effect if done else None,
        }


def reserve_rows(view: View, *, with_risks: bool) -> Iterator[Row]:
    """Yield the book of reserves: approved, drawn by changes and risks that struck; what is left returns at the end."""
    if view.state == "proposed":
        return
    for at, (booked_on, kind, movement, pennies, why) in enumerate(_entries(view, with_risks=with_risks), start=1):
        yield {
            "project_id": view.project.id,
            "entry_id": f"E{at:02d}",
            "kind": kind,
            "amount": pounds_and_pence(pennies),
            "movement": movement,
            "currency": CURRENCY,
            "booked_on": booked_on,
            **why,
        }


def _entries(view: View, *, with_risks: bool) -> list[Entry]:
    project, left = view.project, contingency(view.project)
    opened_on = project.versions[0].approved_on
    entries: list[Entry] = [
        (opened_on, "contingency", "approved", left, {}),
        (opened_on, "management_reserve", "approved", management_reserve(project), {}),
    ]
    for booked_on, pennies, why in _draws(project, with_risks=with_risks):
        drawn = min(pennies, left)
        if drawn and booked_on <= min(project.finish_on, view.status_on):
            left -= drawn
            entries.append((booked_on, "contingency", "drawn", drawn, why))
    if view.state == "closed" and left:
        entries.append((project.finish_on, "contingency", "returned", left, {}))
    return entries


def _draws(project: Project, *, with_risks: bool) -> list[tuple[date, int, dict[str, str]]]:
    """Return what contingency is asked to pay for, in order of date: approved changes, and risks that struck (18 %)."""
    draws = [
        (change.decided_on, change.pennies, {"change_id": change.id})
        for change in changes_of(project)
        if change.decision == "approved" and change.version is None
    ]
    struck = [issue for issue in issues_of(project) if issue.risk_id] if with_risks else []
    share = contingency(project) // 100_00 * 18_00
    draws += [(issue.raised_on, share, {"risk_id": str(issue.risk_id)}) for issue in struck]
    return sorted(draws, key=lambda draw: (draw[0], sorted(draw[2].items())))


def management_reserve(project: Project) -> int:
    """Return the management reserve in pennies, outside the budget: 4 % of the first budget."""
    return project.versions[0].budget // 25
