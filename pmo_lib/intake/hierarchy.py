"""Portfolios out of the data, their lineage, and what became of projects since the period before."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from pmo_lib.intake.faults import Fault
from pmo_lib.intake.layout import fold
from pmo_lib.theme import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from pmo_lib.contracts.findings import Finding
    from pmo_lib.intake.drafts import Draft
    from pmo_lib.parameters.mapping import Mapping as SourceMapping

Rows = list[dict[str, Any]]
CLIENT = "client"


def declared_portfolios(
    first: Mapping[str, Draft], *, served: Mapping[str, Draft], mapping: SourceMapping
) -> tuple[Rows, list[Finding]]:
    """Return a row for every portfolio of the data, for whom they only serve and for the unit above; and notices.

    A unit that projects name as their client and that delivers none is in the hierarchy ``client`` and owes no return.

    Parameters
    ----------
    first
        Portfolio → the first row that names it.
    served
        Client → the first project that names it.
    mapping
        Their names and the unit above.
    """
    declared = mapping.portfolios
    if declared is None:
        return [], []
    served = {name: draft for name, draft in served.items() if name not in first}
    shared = {"hierarchy": declared.hierarchy, "currency": declared.currency}
    parent = declared.parent
    rows: Rows = [
        {"portfolio_id": name, "name": declared.names.get(name, name), "level": "portfolio",
         "parent_id": parent.id if parent else None, "source_ref": draft.source_ref, **shared,
         **({"hierarchy": CLIENT} if name in served else {})}
        for name, draft in sorted({**first, **served}.items())
    ]  # fmt: skip
    if parent:
        rows.append(
            {"portfolio_id": parent.id, "name": parent.name, "level": "enterprise",
             "source_ref": f"mapping {mapping.name}", **shared}
        )  # fmt: skip
    named = set(declared.names)
    nameless = [_nameless(first[name], name=name) for name in sorted(set(first) - named)]
    nameless += [_nameless(served[name], name=name, column="client_id") for name in sorted(set(served) - named)]
    return rows, nameless


def _nameless(draft: Draft, *, name: str, column: str = "portfolio_id") -> Finding:
    fault = Fault(
        "portfolio-without-name",
        "notice",
        f"the {column.removesuffix('_id')} {name} has no name in the mapping",
        "add its name to the mapping, under portfolios, or correct the code",
    )
    return draft.place(column).finding(fault, action="kept", about=draft.about(column))


def succession_rows(mapping: SourceMapping, *, status_date: date) -> Rows:
    """Return the lineage of portfolios that is in force at a status date, seen from both ends."""
    rows: Rows = []
    for step in mapping.lineage:
        day = date.fromisoformat(step.effective_on)
        if day <= status_date:
            rows += _both_ends(
                (step.before, step.after), kind=step.kind, effective_on=day, ref=f"mapping {mapping.name}"
            )
    return rows


def _both_ends(
    ends: tuple[str, str], *, kind: str, effective_on: date, ref: str, project_id: str | None = None
) -> Rows:
    before, after = ends
    fact = {
        "from_id": before, "to_id": after, "project_id": project_id, "effective_on": effective_on, "kind": kind,
        "source_ref": ref,
    }  # fmt: skip
    return [{"portfolio_id": end, **fact} for end in dict.fromkeys(ends)]


def moved_rows(projects: Sequence[Draft], *, previous: pd.DataFrame, status_date: date) -> Rows:
    """Return the lineage of projects that stood in another portfolio in the period before, seen from both ends."""
    homes: dict[str, set[str]] = {}
    for portfolio, project in zip(previous["portfolio_id"], previous["project_id"], strict=True):
        homes.setdefault(project, set()).add(portfolio)
    rows: Rows = []
    for draft in projects:
        project = draft.value("project_id")
        before = homes.get(project, set())
        if len(before) == 1 and draft.portfolio_id not in before:
            ends = (next(iter(before)), draft.portfolio_id)
            rows += _both_ends(
                ends, kind="transferred", effective_on=status_date, ref=draft.source_ref, project_id=project
            )
    return rows


def identity_findings(projects: Sequence[Draft], *, previous: pd.DataFrame) -> Iterator[Finding]:
    """Yield notices of ids whose case has changed since the period before, and of ids that may have been renamed."""
    written = {
        p: w for p, w in zip(previous["project_id"], previous["id_as_returned"], strict=True) if isinstance(w, str)
    }
    here = {draft.value("project_id") for draft in projects}
    names = _single(previous.loc[~previous["project_id"].isin(here)])
    known = set(previous["project_id"])
    for draft in projects:
        now, before = draft.value("id_as_returned"), written.get(draft.value("project_id"))
        if now and before and now != before and now.casefold() == before.casefold():
            message = f"the id was written {before} in the period before"
            yield _notice(
                draft, rule="id-case-changed", message=message, fix="keep one way of writing it; they are taken as one"
            )
    for draft in projects:
        before = names.get(fold(draft.value("name")))
        if before and draft.value("project_id") not in known:
            message = f"a project of the same name had the id {before} in the period before, which is gone"
            yield _notice(
                draft,
                rule="project-id-renamed?",
                message=message,
                fix="if it is the same project, return it under its old id",
            )


def _single(projects: pd.DataFrame) -> dict[str, str]:
    """Return folded name → id, of the names that stand for one project alone."""
    folded = projects["name"].map(fold)
    alone = ~folded.duplicated(keep=False)
    return dict(zip(folded[alone], projects.loc[alone, "project_id"], strict=True))


def _notice(draft: Draft, *, rule: str, message: str, fix: str) -> Finding:
    return draft.place("project_id").finding(
        Fault(rule, "notice", message, fix), action="kept", about=draft.about("project_id")
    )


@dataclass
class Returned:
    """What came in of one portfolio: its files, its rows, those set aside, the tables of its facts that are used."""

    files: set[str] = field(default_factory=set)
    facts: int = 0
    aside: int = 0
    used: set[str] = field(default_factory=set)


def return_rows(
    own: Mapping[str, Returned],
    *,
    refused: Mapping[str, str],
    units: Sequence[Mapping[str, Any]],
    previous: pd.DataFrame | None,
    ended: set[str],
) -> list[dict[str, str]]:
    """Return how each portfolio's return came in: ``portfolio_id, state, file, reason``.

    Parameters
    ----------
    own
        Portfolio → what came in of it.
    refused
        Portfolio → why.
    units
        Rows of the table ``portfolios`` as they are used.
    previous
        The portfolios of the period before.
    ended
        Portfolios that lineage says are no more.
    """
    units = [unit for unit in units if unit.get("hierarchy") != CLIENT]
    above = {unit.get("parent_id") for unit in units}
    expected = {u["portfolio_id"] for u in units if u["portfolio_id"] not in above or u["portfolio_id"] in own}
    if previous is not None:
        previous = previous[previous["hierarchy"].ne(CLIENT)]
        parents = set(previous["parent_id"].dropna())
        expected |= set(previous["portfolio_id"]) - parents - ended - set(above)
    rows = []
    for name in sorted(expected | set(own) | set(refused)):
        returned = own.get(name, Returned())
        state, reason = _return_state(returned, refusal=refused.get(name))
        if state == "not returned" and name in above:
            continue
        rows.append({"portfolio_id": name, "state": state, "file": "; ".join(sorted(returned.files)), "reason": reason})
    return rows


def _return_state(returned: Returned, *, refusal: str | None) -> tuple[str, str]:
    if refusal is not None:
        return "refused", refusal
    if not returned.facts:
        return "not returned", "no row of it in this return"
    lacking = [name for name in ("projects", "status") if name not in returned.used]
    if lacking:
        return "partial", f"no usable row in {' and '.join(lacking)}"
    if returned.aside:
        return "partial", f"{counted(returned.aside, noun='row')} set aside"
    return "returned", ""
