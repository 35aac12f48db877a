"""Records → rows of contract tables, column by column: every fault placed, every cell of the file accounted for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pmo_lib.intake.cells import Ending, Outcome, Reader, Reading, expectation, faulty, unless_it_counts
from pmo_lib.intake.drafts import BLANK, FAULTY, IGNORED, STATED, TYPED, Batch, Draft, Sheaf
from pmo_lib.intake.faults import Fault
from pmo_lib.intake.layout import fold
from pmo_lib.intake.plans import PUBLISHED
from pmo_lib.intake.plausible import doubts
from pmo_lib.intake.published import disagreement, relative_change
from pmo_lib.intake.values import plain_text
from pmo_lib.sources.grid import is_blank

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from pmo_lib.contracts.columns import Column, Table
    from pmo_lib.contracts.findings import Action
    from pmo_lib.intake.layout import Layout
    from pmo_lib.intake.plans import CheckEntry, Entry, Plan
    from pmo_lib.parameters.mapping import Condition

_NO_DAY = Fault("no-status-date", "error", "the status date of the record is missing", "enter the day it speaks of")
_CODES: dict[Ending, int] = {"blank": BLANK, "typed": TYPED, "stated": STATED, "faulty": FAULTY}


@dataclass(frozen=True)
class Origin:
    """Where rows come from: their records, the variables of their constants, the index of their unpivoted cell."""

    records: Sequence[int]
    variables: Mapping[str, str]
    unpivoted: int | None = None


@dataclass
class Filler:
    """Fills the rows of one sheet of one file.

    Parameters
    ----------
    layout, plan
        The records, and what to make of them.
    variables
        What the file's name tells.
    status_date
        Day that the file speaks of; None where its records or rows tell.
    """

    layout: Layout
    plan: Plan
    variables: Mapping[str, str]
    status_date: date | None
    _sheaf: Sheaf = field(init=False)

    def fill(self) -> Sheaf:
        """Return the rows, findings and cell counts of the sheet."""
        self._sheaf = Sheaf(self.layout, np.zeros(self.layout.filled.shape, dtype=np.int8))
        records = self.layout.records
        if self.plan.sheet.ignored_rows:
            records = [record for record in records if not self._is_ignored(record)]
        self._read_days(records)
        for number, entry in enumerate(self.plan.entries):
            for origin in self._origins(records, number=number):
                self._fill_rows(self._held(origin, entry=entry), table=entry.table, readers=entry.readers)
        for check in self.plan.checks:
            self._fill_check(records, entry=check)
        self._close()
        return self._sheaf

    def _is_ignored(self, record: int) -> bool:
        rules = self.plan.sheet.ignored_rows
        texts = [" ".join(plain_text(self.layout.raws([record], name=rule.column)[0]).split()) for rule in rules]
        return any(re.fullmatch(rule.pattern, text, re.IGNORECASE) for rule, text in zip(rules, texts, strict=True))

    def _read_days(self, records: Sequence[int]) -> None:
        """Read the status date of each record, where a column tells it."""
        if self.plan.day is None:
            return
        reading, index = self._read(self.plan.day, records=records)
        self._sheaf.days = dict(zip(records, reading.values, strict=True))
        for record, day in self._sheaf.days.items():
            if day is None:
                place = self.layout.place(record, column=index)
                self._sheaf.findings.append((record, place.finding(_NO_DAY, action="quarantined")))

    def _origins(self, records: Sequence[int], *, number: int) -> Iterator[Origin]:
        """Yield where the rows of an entry come from: all records, or those with a cell in an unpivoted column."""
        if self.plan.entries[number].rows.unpivot is None:
            yield Origin(records, self.variables)
            return
        for n, index, groups in self.layout.unpivoted:
            if n == number:
                filled = [record for record in records if self.layout.filled[record, index]]
                yield Origin(filled, {**self.variables, **groups}, index)

    def _held(self, origin: Origin, *, entry: Entry) -> Origin:
        """Return the origin without the records that a condition leaves out; note those."""
        when, when_not = entry.rows.when, entry.rows.when_not
        kept = [True] * len(origin.records)
        if when is not None:
            kept = self._holds(origin.records, when=when)
        if when_not is not None:
            unwanted = self._holds(origin.records, when=when_not)
            kept = [good and not bad for good, bad in zip(kept, unwanted, strict=True)]
        if all(kept):
            return origin
        held, others = ([r for r, k in zip(origin.records, kept, strict=True) if k is kind] for kind in (True, False))
        self._leave_out(Origin(others, origin.variables, origin.unpivoted), entry=entry)
        return Origin(held, origin.variables, origin.unpivoted)

    def _holds(self, records: Sequence[int], *, when: Condition) -> list[bool]:
        """Return of each record whether a condition holds; a cell at fault counts as filled."""
        wanted, at = set(map(fold, when.equals)), self.layout.columns.get(when.column, -1)
        faults = self.layout.grid.faults
        keys = [(type(raw), raw) for raw in self.layout.raws(records, name=when.column)]
        fits = {key: not wanted or fold(plain_text(key[1])) in wanted for key in set(keys)}
        holds = {key: fit and not is_blank(key[1]) for key, fit in fits.items()}
        return [fits[key] if (record, at) in faults else holds[key] for record, key in zip(records, keys, strict=True)]

    def _leave_out(self, origin: Origin, *, entry: Entry) -> None:
        reader = entry.readers.get("portfolio_id")
        named = [None] * len(origin.records) if reader is None else self._reading(reader, origin=origin)[0].values
        for record, portfolio in zip(origin.records, named, strict=True):
            self._sheaf.left_out.append((record, entry.table.name, portfolio or ""))

    def _reading(self, reader: Reader, *, origin: Origin) -> tuple[Reading, int | None]:
        """Read the cells of one contract column; return also the index of the column that they stand in."""
        cell = reader.cell
        if cell.constant is not None:
            one = reader.read(cell.constant.format_map(origin.variables))
            plain, count = one.ending in ("typed", "blank") and not one.faults, len(origin.records)
            return Reading([one.value] * count, {} if plain else dict.fromkeys(range(count), one)), None
        pivoted = origin.unpivoted is not None and cell.column not in self.layout.columns
        return self._read(reader, records=origin.records, index=origin.unpivoted if pivoted else None)

    def _read(self, reader: Reader, *, records: Sequence[int], index: int | None = None) -> tuple[Reading, int | None]:
        """Read a column, by its source column or its index, and note how its cells ended."""
        name, layout = reader.cell.column or "", self.layout
        raws = layout.raws(records, name=name) if index is None else layout.cells(records, index=index)
        index = layout.columns.get(name) if index is None else index
        reading = reader.read_all(raws, has_types=layout.grid.has_types)
        if index is None:
            return reading, None
        at_fault = {row: words for (row, column), words in layout.grid.faults.items() if column == index}
        for n, record in enumerate(records if at_fault else ()):
            if record in at_fault:
                reading.put(n, outcome=faulty(_error_cell(at_fault[record])))
        if reader.cell.unless:
            self._doubt(reading, reader=reader, raws=raws, records=records)
        self._sheaf.note(records, index=index, codes=_codes(reading))
        return reading, index

    def _doubt(self, reading: Reading, *, reader: Reader, raws: Sequence[object], records: Sequence[int]) -> None:
        """Put a state in the place of values that do not count because of another column."""
        cell = reader.cell
        others = self.layout.raws(records, name=cell.unless.column if cell.unless else "")
        for n, (raw, other) in enumerate(zip(raws, others, strict=True)):
            value = reading.values[n]
            before = reading.odd.get(n) or Outcome("blank" if value is None else "typed", value=value)
            after = unless_it_counts(before, cell=cell, raw=raw, other=other)  # type: ignore[arg-type]
            if after is not before:
                reading.put(n, outcome=after)

    def _fill_rows(
        self,
        origin: Origin,
        *,
        table: Table,
        readers: Mapping[str, Reader],
        given: Mapping[str, list[object]] | None = None,
    ) -> Batch:
        """Read rows into a batch; ``given`` are columns that are not read but known."""
        days = [self._sheaf.days.get(record, self.status_date) for record in origin.records]
        batch = Batch(table, self.layout, origin.records, days, values=dict(given or {}))
        readings = {}
        for name, reader in readers.items():
            reading, index = self._reading(reader, origin=origin)
            readings[name] = reading
            batch.values[name] = reading.values
            if index is not None:
                batch.columns[name] = index
            for row, outcome in reading.odd.items():
                if outcome.state:
                    batch.state(row, column=name, outcome=outcome)
        if "status_date" in table.names:
            own = batch.values.get("status_date", [None] * len(batch))
            batch.values["status_date"] = [day or other for day, other in zip(own, days, strict=True)]
        self._judge(batch, readings=readings, readers=readers)
        self._sheaf.batches.append(batch)
        return batch

    def _judge(self, batch: Batch, *, readings: Mapping[str, Reading], readers: Mapping[str, Reader]) -> None:
        """Report the faults of cells; set rows aside that lack what they must have."""
        if self.plan.day is not None:
            for row in (row for row, day in enumerate(batch.days) if day is None):
                batch.set_aside(row, rule=_NO_DAY.rule)  # said once, of the record
        for column in batch.table.columns:
            odd = readings[column.name].odd if column.name in readings else {}
            lacking = set(_lacking(batch, column=column))
            absent = column.name in readers and readers[column.name].cell.column in self.layout.missing
            doubted = _doubted(batch, column=column, reader=readers.get(column.name), odd=odd)
            for row in sorted(lacking.union(odd, doubted)):
                faults = (*(odd[row].faults if row in odd else ()), *doubted.get(row, ()))
                if row in lacking and absent:
                    batch.set_aside(row, rule="column-missing")  # said once, of the sheet
                    continue
                if row in lacking:
                    batch.set_aside(row, rule=faults[0].rule if faults else "value-missing")
                    faults = faults or (_missing(column),)
                self._report(Draft(batch, row), faults=faults, column=column.name, lacks=row in lacking)

    def _report(self, draft: Draft, *, faults: Sequence[Fault], column: str, lacks: bool) -> None:
        for fault in faults:
            action: Action = "quarantined" if lacks else "nulled" if fault.severity == "error" else "kept"
            said = Fault(fault.rule, fault.severity, f"{column} {fault.message}", fault.fix, fault.expected)
            finding = draft.place(column).finding(said, action=action, about=draft.about(column))
            self._sheaf.findings.append((draft.record, finding))

    def _fill_check(self, records: Sequence[int], *, entry: CheckEntry) -> None:
        """Fill the rows of a published figure: beside each, the figure computed from the same record."""
        raws = self.layout.raws(records, name=entry.check.published.column or "")
        origin = Origin([r for r, raw in zip(records, raws, strict=True) if not is_blank(raw)], self.variables)
        sign = entry.check.sign.format_map(self.variables)
        recomputed: list[float | None] = [None] * len(origin.records)  # a change waits for the reports before
        if entry.check.against:
            of, against = (self._reading(reader, origin=origin)[0].values for reader in (entry.of, entry.against))
            recomputed = [relative_change(a, against=b, sign=sign) for a, b in zip(of, against, strict=True)]
        count = len(recomputed)
        given: dict[str, list[object]] = {
            "figure": [entry.check.figure] * count, "sign_rule": [sign] * count, "recomputed": list(recomputed)
        }  # fmt: skip
        batch = self._fill_rows(origin, table=PUBLISHED, readers=entry.readers, given=given)
        for draft, computed in zip(batch.drafts(), recomputed, strict=True) if entry.check.against else ():
            fault = disagreement(entry.check, published=draft.value("published"), recomputed=computed)
            if fault:
                finding = draft.place("published").finding(fault, action="kept", about=draft.about("published"))
                self._sheaf.findings.append((draft.record, finding))

    def _close(self) -> None:
        """Account for every cell: read, of an unknown column, or left aside."""
        endings, filled = self._sheaf.endings, self.layout.filled
        unknown = np.zeros(filled.shape[1], dtype=bool)
        unknown[self.layout.unknown] = True
        unread = filled & (endings == BLANK)
        endings[unread] = np.broadcast_to(np.where(unknown, FAULTY, IGNORED), filled.shape)[unread]
        held = self.layout.held()
        if held != np.count_nonzero(endings):
            raise AssertionError(
                f"{self.layout.grid.file}: {held} cells came in, {np.count_nonzero(endings)} are accounted for"
            )


def _codes(reading: Reading) -> NDArray[np.int8]:
    """Return how the cells of a column ended."""
    codes = np.full(len(reading.values), TYPED, dtype=np.int8)
    if None in reading.values:
        codes[[value is None for value in reading.values]] = BLANK
    for n, outcome in reading.odd.items():
        codes[n] = _CODES[outcome.ending]
    return codes


def _lacking(batch: Batch, *, column: Column) -> list[int]:
    """Return the rows that have no value in a column which they need."""
    if column.need not in ("key", "cell"):
        return []
    values = batch.values.get(column.name)
    if values is None:
        return list(range(len(batch)))
    return [row for row, value in enumerate(values) if value is None] if None in values else []


def _doubted(
    batch: Batch, *, column: Column, reader: Reader | None, odd: Mapping[int, Outcome]
) -> dict[int, tuple[Fault, ...]]:
    """Return row → what the mapping finds odd in the cells of a column (see :mod:`pmo_lib.intake.plausible`)."""
    if reader is None or not (reader.cell.expected or reader.cell.plausible):
        return {}
    found = {
        row: doubts(
            odd.get(row) or Outcome("blank" if value is None else "typed", value=value), cell=reader.cell, day=day
        )
        for row, (value, day) in enumerate(zip(batch.values[column.name], batch.days, strict=True))
    }
    return {row: faults for row, faults in found.items() if faults}


def _missing(column: Column) -> Fault:
    return Fault("value-missing", "error", "has no value", "fill it in, or delete the row", expectation(column))


def _error_cell(words: str) -> Fault:
    if words.startswith("#"):
        return Fault("error-cell", "error", f"holds the error {words}", "correct the formula, or enter the value")
    return Fault("error-cell", "error", f"holds a {words}", "open the workbook, let it compute, and save it again")
