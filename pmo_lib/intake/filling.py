"""Records → drafts of contract rows: every cell read, every fault placed, every cell of the file accounted for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pmo_lib.intake.cells import BLANK, Ending, Outcome, Reader, expectation, faulty, unless_it_counts
from pmo_lib.intake.drafts import Draft, Sheaf
from pmo_lib.intake.faults import Fault
from pmo_lib.intake.layout import fold
from pmo_lib.intake.plans import PUBLISHED
from pmo_lib.intake.published import disagreement, relative_change
from pmo_lib.intake.values import plain_text
from pmo_lib.sources.grid import is_blank

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from pmo_lib.contracts.columns import Column
    from pmo_lib.contracts.findings import Action
    from pmo_lib.intake.layout import Layout
    from pmo_lib.intake.plans import CheckEntry, Entry, Plan

_NO_DAY = Fault("no-status-date", "error", "the status date of the record is missing", "enter the day it speaks of")
# Of several readings of one cell the worst tells how it ended.
_RANK: dict[Ending, int] = {"blank": 0, "typed": 1, "stated": 2, "faulty": 3}


@dataclass(frozen=True)
class Turn:
    """One row in the making: its draft, the variables of its constants, and the index of its unpivoted cell."""

    draft: Draft
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
    _endings: dict[int, Ending] = field(default_factory=dict)

    def fill(self) -> Sheaf:
        """Return the drafts, findings and cell counts of the sheet."""
        self._sheaf = Sheaf(self.layout)
        for record in self.layout.records():
            self._endings = {}
            if not self._is_ignored(record):
                self._fill_record(record)
            self._close(record)
        held = self.layout.held()
        if held != self._sheaf.cells.total():
            raise AssertionError(
                f"{self.layout.grid.file}: {held} cells came in, {self._sheaf.cells} are accounted for"
            )
        return self._sheaf

    def _is_ignored(self, record: int) -> bool:
        rules = self.plan.sheet.ignored_rows
        texts = [" ".join(plain_text(self.layout.raw(record, name=rule.column)).split()) for rule in rules]
        return any(re.fullmatch(rule.pattern, text, re.IGNORECASE) for rule, text in zip(rules, texts, strict=True))

    def _fill_record(self, record: int) -> None:
        day = self._day(record)
        self._sheaf.days[record] = day
        for number, entry in enumerate(self.plan.entries):
            for variables, unpivoted in self._expanded(record, number=number):
                turn = Turn(Draft(entry.table, self.layout, record, day), variables, unpivoted)
                if self._holds(record, entry=entry):
                    self._settle(turn, readers=entry.readers)
                else:
                    self._leave_out(turn, entry=entry)
        for check in self.plan.checks:
            if not is_blank(self.layout.raw(record, name=check.check.published.column or "")):
                self._fill_check(Turn(Draft(PUBLISHED, self.layout, record, day), self.variables), entry=check)

    def _day(self, record: int) -> date | None:
        """Return the status date of a record: the file's, or what its own column says."""
        if self.plan.day is None:
            return self.status_date
        outcome, index = self._read(self.plan.day, record=record)
        if outcome.value is None:
            place = self.layout.place(record, column=index)
            self._sheaf.findings.append((record, place.finding(_NO_DAY, action="quarantined")))
        day: date | None = outcome.value
        return day

    def _expanded(self, record: int, *, number: int) -> Iterator[tuple[Mapping[str, str], int | None]]:
        """Yield the variables of each row that an entry makes of a record, and the index of the unpivoted cell."""
        if self.plan.entries[number].rows.unpivot is None:
            yield self.variables, None
            return
        filled = set(self.layout.filled(record))
        for n, index, groups in self.layout.unpivoted:
            if n == number and index in filled:
                yield {**self.variables, **groups}, index

    def _holds(self, record: int, *, entry: Entry) -> bool:
        when = entry.rows.when
        if when is None:
            return True
        raw = self.layout.raw(record, name=when.column)
        at_fault = (record, self.layout.columns.get(when.column, -1)) in self.layout.grid.faults
        wanted = set(map(fold, when.equals))
        return (at_fault or not is_blank(raw)) and (not wanted or fold(plain_text(raw)) in wanted)

    def _leave_out(self, turn: Turn, *, entry: Entry) -> None:
        readers = {name: reader for name, reader in entry.readers.items() if name == "portfolio_id"}
        portfolio = self._outcomes(turn, readers=readers).get("portfolio_id", BLANK).value or ""
        self._sheaf.left_out.append((turn.draft.record, entry.table.name, portfolio))

    def _outcomes(self, turn: Turn, *, readers: Mapping[str, Reader]) -> dict[str, Outcome]:
        """Read the cells of a row; note in its draft where they stand."""
        outcomes = {}
        for name, reader in readers.items():
            cell = reader.cell
            if cell.constant is not None:
                outcomes[name] = reader.read(cell.constant.format_map(turn.variables))
                continue
            pivoted = turn.unpivoted is not None and cell.column not in self.layout.columns
            outcomes[name], index = self._read(
                reader, record=turn.draft.record, index=turn.unpivoted if pivoted else None
            )
            if index is not None:
                turn.draft.columns[name] = index
        return outcomes

    def _read(self, reader: Reader, *, record: int, index: int | None = None) -> tuple[Outcome, int | None]:
        """Read one cell, by its source column or its index, and note how it ended."""
        cell, layout = reader.cell, self.layout
        name = cell.column or ""
        raw = layout.raw(record, name=name) if index is None else layout.grid.rows[record][index]
        index = layout.columns.get(name) if index is None else index
        if index is None:
            return BLANK, None
        fault = layout.grid.faults.get((record, index))
        outcome = reader.read(raw) if fault is None else faulty(_error_cell(fault))
        if cell.unless:
            outcome = unless_it_counts(outcome, cell=cell, raw=raw, other=layout.raw(record, name=cell.unless.column))
        if _RANK[outcome.ending] > _RANK[self._endings.get(index, "blank")]:
            self._endings[index] = outcome.ending
        return outcome, index

    def _settle(self, turn: Turn, *, readers: Mapping[str, Reader]) -> None:
        """Read a row into its draft."""
        draft, outcomes = turn.draft, self._outcomes(turn, readers=readers)
        for name, outcome in outcomes.items():
            draft.values[name] = outcome.value
            if outcome.state:
                draft.states[name] = outcome
        if draft.values.get("status_date") is None and "status_date" in draft.table.names and draft.status_date:
            draft.values["status_date"] = draft.status_date
        self._judge(draft, outcomes=outcomes, readers=readers)
        self._sheaf.drafts.append(draft)

    def _judge(self, draft: Draft, *, outcomes: Mapping[str, Outcome], readers: Mapping[str, Reader]) -> None:
        """Report the faults of a row's cells; set it aside where it lacks what it must have."""
        if self.plan.day is not None and draft.status_date is None:
            draft.rules.append(_NO_DAY.rule)  # said once, of the record
        for column in draft.table.columns:
            faults = outcomes.get(column.name, BLANK).faults
            lacks = column.need in ("key", "cell") and draft.values.get(column.name) is None
            if lacks and column.name in readers and readers[column.name].cell.column in self.layout.missing:
                draft.rules.append("column-missing")  # said once, of the sheet
                continue
            if lacks:
                draft.rules.append(faults[0].rule if faults else "value-missing")
            for fault in faults or ((_missing(column),) if lacks else ()):
                action: Action = "quarantined" if lacks else "nulled" if fault.severity == "error" else "kept"
                self._report(draft, fault=fault, column=column.name, action=action)

    def _report(self, draft: Draft, *, fault: Fault, column: str, action: Action) -> None:
        said = Fault(fault.rule, fault.severity, f"{column} {fault.message}", fault.fix, fault.expected)
        finding = draft.place(column).finding(said, action=action, about=draft.about(column))
        self._sheaf.findings.append((draft.record, finding))

    def _fill_check(self, turn: Turn, *, entry: CheckEntry) -> None:
        """Fill the row of a published figure: beside it, the figure computed from the same record."""
        draft = turn.draft
        of, against = (self._read(reader, record=draft.record)[0].value for reader in (entry.of, entry.against))
        sign = entry.check.sign.format_map(self.variables)
        recomputed = relative_change(of, against=against, sign=sign)
        draft.values |= {"figure": entry.check.figure, "sign_rule": sign, "recomputed": recomputed}
        self._settle(turn, readers=entry.readers)
        fault = disagreement(entry.check, published=draft.values.get("published"), recomputed=recomputed)
        if fault:
            finding = draft.place("published").finding(fault, action="kept", about=draft.about("published"))
            self._sheaf.findings.append((draft.record, finding))

    def _close(self, record: int) -> None:
        """Account for every cell of a record: read, of an unknown column, or left aside."""
        unknown = set(self.layout.unknown)
        for index in self.layout.filled(record):
            ending = self._endings.get(index) or ("faulty" if index in unknown else "ignored")
            self._sheaf.cells[record, ending] += 1
            if ending == "faulty":
                self.layout.faulty.add((record, index))


def _missing(column: Column) -> Fault:
    return Fault("value-missing", "error", "has no value", "fill it in, or delete the row", expectation(column))


def _error_cell(words: str) -> Fault:
    if words.startswith("#"):
        return Fault("error-cell", "error", f"holds the error {words}", "correct the formula, or enter the value")
    return Fault("error-cell", "error", f"holds a {words}", "open the workbook, let it compute, and save it again")
