"""Portfolios out of the data, their lineage, and what became of projects since the period before."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from pmo_lib.intake.faults import Fault
from pmo_lib.intake.layout import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from pmo_lib.contracts.findings import Finding
    from pmo_lib.intake.drafts import Draft
    from pmo_lib.parameters.mapping import Mapping as SourceMapping

Rows = list[dict[str, Any]]


def declared_portfolios(drafts: Sequence[Draft], *, mapping: SourceMapping) -> tuple[Rows, list[Finding]]:
    """Return a row for every portfolio of the data and for the unit above; and notices of nameless ones."""
    declared = mapping.portfolios
    if declared is None:
        return [], []
    first: dict[str, Draft] = {}
    for draft in drafts:
        if draft.portfolio_id:
            first.setdefault(draft.portfolio_id, draft)
    shared = {"hierarchy": declared.hierarchy, "currency": declared.currency}
    parent = declared.parent
    rows: Rows = [
        {"portfolio_id": name, "name": declared.names.get(name, name), "level": "portfolio",
         "parent_id": parent.id if parent else None, "source_ref": first[name].source_ref, **shared}
        for name in sorted(first)
    ]  # fmt: skip
    if parent:
        rows.append(
            {"portfolio_id": parent.id, "name": parent.name, "level": "enterprise",
             "source_ref": f"mapping {mapping.name}", **shared}
        )  # fmt: skip
    return rows, [_nameless(first[name], name=name) for name in sorted(set(first) - set(declared.names))]


def _nameless(draft: Draft, *, name: str) -> Finding:
    fault = Fault(
        "portfolio-without-name",
        "notice",
        f"the portfolio {name} has no name in the mapping",
        "add its name to the mapping, under portfolios, or correct the code",
    )
    about = draft.about("portfolio_id")
    return draft.place("portfolio_id").finding(fault, action="kept", about=about)


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
        project = draft.values["project_id"]
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
    here = {draft.values["project_id"] for draft in projects}
    names = _single(previous.loc[~previous["project_id"].isin(here)])
    known = set(previous["project_id"])
    for draft in projects:
        now, before = draft.values.get("id_as_returned"), written.get(draft.values["project_id"])
        if now and before and now != before and now.casefold() == before.casefold():
            message = f"the id was written {before} in the period before"
            yield _notice(
                draft, rule="id-case-changed", message=message, fix="keep one way of writing it; they are taken as one"
            )
    for draft in projects:
        before = names.get(fold(draft.values["name"]))
        if before and draft.values["project_id"] not in known:
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


def return_rows(
    drafts: Sequence[Draft],
    *,
    refused: Mapping[str, str],
    units: Sequence[Mapping[str, Any]],
    previous: pd.DataFrame | None,
    ended: set[str],
) -> list[dict[str, str]]:
    """Return how each portfolio's return came in: ``portfolio_id, state, file, reason``.

    Parameters
    ----------
    drafts
        All rows of the period, also those that are set aside.
    refused
        Portfolio → why.
    units
        Rows of the table ``portfolios`` as they are used.
    previous
        The portfolios of the period before.
    ended
        Portfolios that lineage says are no more.
    """
    own: dict[str, list[Draft]] = {}
    for draft in drafts:
        if draft.portfolio_id:
            own.setdefault(draft.portfolio_id, []).append(draft)
    above = {unit.get("parent_id") for unit in units}
    expected = {u["portfolio_id"] for u in units if u["portfolio_id"] not in above or u["portfolio_id"] in own}
    if previous is not None:
        parents = set(previous["parent_id"].dropna())
        expected |= set(previous["portfolio_id"]) - parents - ended - set(above)
    rows = []
    for name in sorted(expected | set(own) | set(refused)):
        state, reason = _return_state(own.get(name, []), refusal=refused.get(name))
        if state == "not returned" and name in above:
            continue
        files = sorted({draft.layout.grid.file for draft in own.get(name, [])})
        rows.append({"portfolio_id": name, "state": state, "file": "; ".join(files), "reason": reason})
    return rows


def _return_state(drafts: Sequence[Draft], *, refusal: str | None) -> tuple[str, str]:
    if refusal is not None:
        return "refused", refusal
    facts = [draft for draft in drafts if draft.table.name not in ("portfolios", "lineage")]
    if not facts:
        return "not returned", "no row of it in this return"
    aside = sum(bool(draft.rules) for draft in drafts)
    used = {draft.table.name for draft in facts if not draft.rules}
    lacking = [name for name in ("projects", "status") if name not in used]
    if lacking:
        return "partial", f"no usable row in {' and '.join(lacking)}"
    return ("partial", f"{aside} rows set aside") if aside else ("returned", "")
