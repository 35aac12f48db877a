"""What was read → one portion per period: a row belongs to the month of the day that its return speaks of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from pmo_lib.intake.bundles import Bundle, asked_for, bundled, dated, month_of, undated, untouched
from pmo_lib.intake.drafts import Batch, Draft, Sheaf

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
    batches, findings
        Rows and what was found so far.
    sheaves
        Sheets, each with those of its records that belong here; None: all of them.
    other_cells
        File, sheet and ending → cells of sheets that are not read.
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
    batches: list[Batch] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    sheaves: list[tuple[Sheaf, Sequence[int] | None]] = field(default_factory=list)
    other_cells: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    sources: list[SourceFile] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    whole: bool = False

    @property
    def cells(self) -> Counter[tuple[str, str, str]]:
        """File, sheet and ending → cells, as they have ended so far."""
        cells = Counter(self.other_cells)
        for sheaf, records in self.sheaves:
            grid = sheaf.layout.grid
            for ending, number in sheaf.counted(records).items():
                cells[grid.file, grid.sheet, ending] += number
        return cells

    def spoil(self, draft: Draft, *, index: int) -> None:
        """Note that a cell of a row was read and cannot be used after all."""
        for sheaf, _ in self.sheaves:
            if sheaf.layout is draft.batch.layout:
                sheaf.spoil(draft.record, index=index)


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
    empty = native and untouched(bundles)
    for own, bundle in zip(owns, bundles, strict=True):
        if native and not (own or only or empty):
            undated(bundle)
        for read in bundle.reads:
            _share_out(read, own=own or _fallback(read, period=period) or only, found=found)
        _refuse(bundle, found=found)
    kept = [found[name] for name in sorted(found) if native or period is None or name == period]
    for portion in kept:
        days = {day for batch in portion.batches for day in set(batch.days) if day}
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
        by_month = _records_by_month(sheaf, months=months, own=own)
        touched |= set(by_month)
        for month, records in by_month.items():
            portion(month).sheaves.append((sheaf, records))
        for batch in sheaf.batches:
            for month, rows in _rows_by_month(batch, months=months, own=own).items():
                portion(month).batches.append(batch.take(rows))
        for record, finding in sheaf.findings:
            portion(months.get(record, own)).findings.append(finding)
        for record, table, portfolio in sheaf.left_out:
            portion(months.get(record, own)).left_out[table, portfolio] += 1
    for (sheet, ending), number in read.other_cells.items():
        portion(own).other_cells[name, sheet, ending] += number
    for month in sorted(touched):
        portion(month).findings.extend(read.findings)
        portion(month).sources.append(read.filed.source)


def _records_by_month(sheaf: Sheaf, *, months: dict[int, str], own: str) -> dict[str, list[int] | None]:
    """Return the records of a sheet by month; None where all belong to one."""
    if set(months.values()) <= {own}:
        return {own: None}
    by_month: dict[str, list[int] | None] = {}
    for record in sheaf.layout.records:
        records = by_month.setdefault(months.get(record, own), [])
        if records is not None:
            records.append(record)
    return by_month


def _rows_by_month(batch: Batch, *, months: dict[int, str], own: str) -> dict[str, Sequence[int]]:
    if set(months.values()) <= {own}:
        return {own: range(len(batch))}
    by_month: dict[str, list[int]] = {}
    for row, record in enumerate(batch.records):
        by_month.setdefault(months.get(record, own), []).append(row)
    return dict(by_month)


def _refuse(bundle: Bundle, *, found: dict[str, Portion]) -> None:
    """Refuse the portfolios of a return that is broken; if it names none, nobody can say what is missing."""
    broken = next((read for read in bundle.reads if read.broken), None)
    if broken is None:
        return
    rules = sorted({finding.rule for finding in broken.findings if finding.action == "refused"})
    for portion in found.values():
        own = {read.filed.source.name for read in bundle.reads}
        batches = (batch for batch in portion.batches if batch.layout.grid.file in own)
        names = {name for batch in batches for name in batch.portfolios} - {""}
        for name in sorted(names):
            portion.refused[name] = f"{broken.filed.source.name}: {', '.join(rules)}"
        if not names and broken.filed.source in portion.sources:
            portion.whole = True
