"""What earlier reports tell of this one: records that fell silent, and published changes computed again.

A project whose record came back blank has not lost its budget or its date: they were not returned, and what was last
known stays known. Without this difference a blank return reads as a fall.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.contracts.tables import TABLES
from pmo_lib.intake.cells import Outcome
from pmo_lib.intake.faults import About, Fault
from pmo_lib.intake.published import disagreement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pmo_lib.contracts.findings import Finding
    from pmo_lib.intake.drafts import Draft
    from pmo_lib.parameters.mapping import Check, Mapping as SourceMapping

MEASURED = TABLES["projects"].of_kind("date", "money")
NOT_RETURNED = "not returned"


def stamped(earlier: pd.DataFrame | None, *, projects: pd.DataFrame, period: str) -> pd.DataFrame:
    """Return the projects of all reports so far: those before, and those of one more period, with ``period``."""
    rows = projects.astype(dict.fromkeys(TABLES["projects"].of_kind("money"), "float64")).assign(period=period)
    return rows if earlier is None else pd.concat([earlier, rows], ignore_index=True)


def fallen_silent(projects: Sequence[Draft], *, earlier: pd.DataFrame) -> list[Draft]:
    """Return the records without one date or amount (or a word why) that should have some.

    A project that had any before should; where a whole return is blank that was not before, so should the projects
    that are new in it.
    """
    told = earlier[earlier[list(MEASURED)].notna().any(axis="columns")]
    spoke, homes = set(told["project_id"]), set(told["portfolio_id"])
    blank = [draft for draft in projects if not _says_anything(draft)]
    speaking = {draft.portfolio_id for draft in projects if _says_anything(draft)}
    return [
        draft
        for draft in blank
        if draft.value("project_id") in spoke or (draft.portfolio_id in homes and draft.portfolio_id not in speaking)
    ]


def mark_silent(silent: Sequence[Draft]) -> None:
    """Give the empty measured cells of blank records the state ``not returned``."""
    for draft in silent:
        for column in MEASURED:
            if column in draft.batch.columns:
                outcome = Outcome("stated", state=NOT_RETURNED, reason="the record is blank")
                draft.batch.state(draft.row, column=column, outcome=outcome)


def silence_reasons(silent: Sequence[Draft], *, projects: Sequence[Draft]) -> dict[str, str]:
    """Return by portfolio why its return is partial: how many of its records are blank."""
    held = Counter(draft.portfolio_id for draft in projects)
    blank = Counter(draft.portfolio_id for draft in silent)
    return {
        name: f"{number} of {held[name]} project records are blank: no date and no amount"
        for name, number in sorted(blank.items())
    }


def silence_findings(silent: Sequence[Draft], *, reasons: Mapping[str, str]) -> Iterator[Finding]:
    """Yield one warning for each portfolio with blank records, at the first of them."""
    first: dict[str, Draft] = {}
    for draft in silent:
        first.setdefault(draft.portfolio_id, draft)
    for name, reason in reasons.items():
        fault = Fault(
            "blank-records", "warning", reason, "ask for the missing values; until then the last known ones are shown"
        )
        yield first[name].place().finding(fault, action="kept", about=About("projects", portfolio_id=name))


def change_checks(mapping: SourceMapping) -> dict[str, tuple[Check, str]]:
    """Return by figure the published changes that are to be computed again, with the column that changed."""
    return {
        check.figure: (check, sheet.fills(check.of, table="projects"))
        for sheet in mapping.sheets
        for check in sheet.checks
        if not check.against
    }


def recompute_changes(
    figures: Sequence[Draft],
    *,
    checks: Mapping[str, tuple[Check, str]],
    projects: Sequence[Draft],
    earlier: pd.DataFrame,
) -> Iterator[Finding]:
    """Fill in published changes as computed from this report and the last one of the project; yield disagreements.

    Parameters
    ----------
    figures
        Rows of ``published_figures``; those with a check get their ``recomputed``.
    checks
        Result of :func:`change_checks`.
    projects
        Rows of this report.
    earlier
        Result of :func:`stamped`.
    """
    now = {draft.value("project_id"): draft for draft in projects}
    last = earlier.sort_values("period", kind="stable").drop_duplicates("project_id", keep="last")
    before = {name: dict(zip(last["project_id"], last[name], strict=True)) for _, name in checks.values()}
    since = dict(zip(last["project_id"], last["period"], strict=True))
    for draft in figures:
        project = draft.value("project_id")
        if draft.value("figure") not in checks or project not in now:
            continue
        check, column = checks[draft.value("figure")]
        recomputed = _change(now[project].value(column), since=before[column].get(project))
        draft.batch.values["recomputed"][draft.row] = recomputed
        fault = disagreement(
            check, published=draft.value("published"), recomputed=recomputed, since=since.get(project, "")
        )
        if fault:
            yield draft.place("published").finding(fault, action="kept", about=draft.about("published"))


def _says_anything(draft: Draft) -> bool:
    return any(draft.value(column) is not None or column in draft.states for column in MEASURED)


def _change(now: Any, *, since: Any) -> float | None:
    """Return the change of an amount, or of a date in days; None where one of the two is missing."""
    if now is None or since is None or pd.isna(since):
        return None
    if isinstance(since, pd.Timestamp):
        return float((pd.Timestamp(now) - since).days)
    return round(float(now) - float(since), 2)
