"""What was read → one portion per period: a row belongs to the month of the day that its return speaks of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from pmo_lib.intake.bundles import Bundle, asked_for, bundled, dated, month_of, undated
from pmo_lib.intake.drafts import Draft

if TYPE_CHECKING:
    from pmo_lib.contracts.findings import Finding
    from pmo_lib.contracts.returned import SourceFile
    from pmo_lib.intake.reading import Read


@dataclass
class Portion:
    """All that belongs to one period.

    Attributes
    ----------
    period, status_date
        ``YYYY-MM``; the latest day of the rows.
    drafts, findings
        Rows and what was found so far.
    cells
        File, sheet and ending → cells.
    left_out
        Table and portfolio → rows that the mapping leaves out.
    sources
        Files.
    refused
        Portfolio → why its return is refused.
    whole
        Whether a return is refused of which nobody can say whose it is.
    """

    period: str
    status_date: date | None = None
    drafts: list[Draft] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    cells: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    sources: list[SourceFile] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    whole: bool = False


def portions(reads: Iterable[Read], *, period: str | None, native: bool) -> list[Portion]:
    """Return what was read by period, ascending; what nobody can date stands under the period ``""``.

    Parameters
    ----------
    reads
        The files, read.
    period
        The period that is asked for; None: all.
    native
        Our own layout, whose rows tell the period; else files or records do.
    """
    found: dict[str, Portion] = {}
    bundles = asked_for(bundled(reads), period=period) if native else bundled(reads)
    owns = [dated(bundle, period=period) if native else "" for bundle in bundles]
    named = sorted({own for own in owns if own})
    only = named[0] if len(named) == 1 else ""
    for own, bundle in zip(owns, bundles, strict=True):
        if native and not (own or only):
            undated(bundle)
        for read in bundle.reads:
            _share_out(read, own=own or _fallback(read, period=period) or only, found=found)
        _refuse(bundle, found=found)
    kept = [found[name] for name in sorted(found) if native or period is None or name == period]
    for portion in kept:
        days = [draft.status_date for draft in portion.drafts if draft.status_date]
        portion.status_date = max(days, default=None)
    return kept


def _fallback(read: Read, *, period: str | None) -> str:
    """Return the period of what no day stands beside."""
    if read.filed.status_date:
        return month_of(read.filed.status_date)
    days = [day for sheaf in read.sheaves for day in sheaf.days.values() if day]
    return period or (month_of(max(days)) if days else "")


def _share_out(read: Read, *, own: str, found: dict[str, Portion]) -> None:
    """Put the rows, findings and cells of one file into the portions that they belong to."""

    def portion(name: str) -> Portion:
        return found.setdefault(name, Portion(name))

    name = read.filed.source.name
    touched = {own}
    for sheaf in read.sheaves:
        months = {record: own if day is None else month_of(day) for record, day in sheaf.days.items()}
        touched |= set(months.values())
        for draft in sheaf.drafts:
            draft.period = months.get(draft.record, own)
            portion(draft.period).drafts.append(draft)
        for record, finding in sheaf.findings:
            portion(months.get(record, own)).findings.append(finding)
        for record, table, portfolio in sheaf.left_out:
            portion(months.get(record, own)).left_out[table, portfolio] += 1
        for (record, ending), number in sheaf.cells.items():
            portion(months.get(record, own)).cells[name, sheaf.layout.grid.sheet, ending] += number
    for (sheet, ending), number in read.other_cells.items():
        portion(own).cells[name, sheet, ending] += number
    for month in sorted(touched):
        portion(month).findings.extend(read.findings)
        portion(month).sources.append(read.filed.source)


def _refuse(bundle: Bundle, *, found: dict[str, Portion]) -> None:
    """Refuse the portfolios of a return that is broken; if it names none, nobody can say what is missing."""
    broken = next((read for read in bundle.reads if read.broken), None)
    if broken is None:
        return
    rules = sorted({finding.rule for finding in broken.findings if finding.action == "refused"})
    for portion in found.values():
        names = {draft.portfolio_id for draft in bundle.drafts if draft.period == portion.period} - {""}
        for name in sorted(names):
            portion.refused[name] = f"{broken.filed.source.name}: {', '.join(rules)}"
        if not names and broken.filed.source in portion.sources:
            portion.whole = True
