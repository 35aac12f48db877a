"""Rows of contract tables on their way: a batch holds the rows that a sheet came to, a draft is one of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pmo_lib.intake.faults import About
from pmo_lib.intake.values import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from pmo_lib.contracts.columns import Table
    from pmo_lib.contracts.findings import Finding
    from pmo_lib.intake.cells import Outcome
    from pmo_lib.intake.faults import Place
    from pmo_lib.intake.layout import Layout

# How a cell ended; of several readings of one cell the worst tells, and what nobody read is ignored.
BLANK, TYPED, STATED, FAULTY, IGNORED = range(5)
ENDINGS = {TYPED: "typed", STATED: "stated", FAULTY: "faulty", IGNORED: "ignored"}


@dataclass(eq=False)
class Batch:
    """Rows of one contract table that one entry of the mapping makes of a sheet: column by column.

    Attributes
    ----------
    table
        Contract table.
    layout, records
        Where they come from: the sheet, and the record of each row.
    days
        Day that the return of each row speaks of; None where only the rows of the return can tell.
    values
        Contract column → typed value or None of each row.
    columns
        Contract column → index of the source column in the layout.
    states
        Row → contract column → outcome of a cell without a plain value.
    rules
        Row → rules for which it is set aside; a row that is used has none.
    """

    table: Table
    layout: Layout
    records: Sequence[int]
    days: list[date | None]
    values: dict[str, list[Any]] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)
    states: dict[int, dict[str, Outcome]] = field(default_factory=dict)
    rules: dict[int, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many rows it has."""
        return len(self.records)

    @property
    def portfolios(self) -> list[str]:
        """Portfolio of each row; empty where that could not be read."""
        return [portfolio or "" for portfolio in self.values.get("portfolio_id", [None] * len(self))]

    def drafts(self) -> Iterator[Draft]:
        """Yield its rows."""
        return (Draft(self, row) for row in range(len(self)))

    def set_aside(self, row: int, *, rule: str) -> None:
        """Note a rule for which a row is not used."""
        self.rules.setdefault(row, []).append(rule)

    def state(self, row: int, *, column: str, outcome: Outcome) -> None:
        """Note why a cell has no plain value."""
        self.states.setdefault(row, {})[column] = outcome

    def take(self, rows: Sequence[int]) -> Batch:
        """Return some of its rows."""
        if len(rows) == len(self):
            return self
        values = {name: [cells[row] for row in rows] for name, cells in self.values.items()}
        return Batch(
            self.table,
            self.layout,
            [self.records[row] for row in rows],
            [self.days[row] for row in rows],
            values,
            self.columns,
            {new: self.states[row] for new, row in enumerate(rows) if row in self.states},
            {new: self.rules[row] for new, row in enumerate(rows) if row in self.rules},
        )


@dataclass(frozen=True)
class Draft:
    """One row of a batch."""

    batch: Batch
    row: int

    @property
    def table(self) -> Table:
        """Its contract table."""
        return self.batch.table

    @property
    def file(self) -> str:
        """Name of the file that it stands in."""
        return self.batch.layout.grid.file

    @property
    def record(self) -> int:
        """Its record in the layout."""
        return self.batch.records[self.row]

    @property
    def values(self) -> dict[str, Any]:
        """Contract column → typed value or None."""
        return {name: cells[self.row] for name, cells in self.batch.values.items()}

    @property
    def rules(self) -> Sequence[str]:
        """Rules for which it is set aside."""
        return self.batch.rules.get(self.row, ())

    @property
    def states(self) -> dict[str, Outcome]:
        """Contract column → outcome of a cell without a plain value."""
        return self.batch.states.get(self.row, {})

    @property
    def portfolio_id(self) -> str:
        """Its portfolio; empty where that could not be read."""
        return self.value("portfolio_id") or ""

    @property
    def row_key(self) -> str:
        """Its key as ``states`` writes it: the parts without the portfolio, dates as ISO."""
        parts = (self.value(name) for name in self.table.key if name != "portfolio_id")
        return "|".join("" if part is None else str(part) for part in parts)

    @property
    def source_ref(self) -> str:
        """File, sheet and row."""
        return self.batch.layout.source_ref(self.record)

    def value(self, column: str) -> Any:
        """Return the typed value of a column; None where there is none."""
        cells = self.batch.values.get(column)
        return None if cells is None else cells[self.row]

    def place(self, column: str = "") -> Place:
        """Return where the row, or the cell of one of its columns, stands."""
        return self.batch.layout.place(self.record, column=self.batch.columns.get(column))

    def about(self, column: str = "") -> About:
        """Return what a finding on this row, or on one of its cells, is about."""
        index = self.batch.columns.get(column)
        value = "" if index is None else plain_text(self.batch.layout.grid.rows[self.record][index])
        return About(self.table.name, column, self.portfolio_id, self.row_key, value)

    def raw_cells(self) -> dict[str, str]:
        """Return the raw cells of the record by their headers."""
        layout = self.batch.layout
        row = layout.grid.rows[self.record]
        filled = np.flatnonzero(layout.filled[self.record]).tolist()
        return {layout.header_text(c) or f"column {c + 1}": plain_text(row[c]) for c in filled}


@dataclass
class Sheaf:
    """All that one sheet came to.

    Attributes
    ----------
    layout
        The sheet.
    endings
        How each of its cells ended: an array of the grid's shape.
    batches
        Rows, also those that are set aside.
    findings
        Record and what was found in it.
    left_out
        Record, table and portfolio of rows that a condition of the mapping leaves out.
    days
        Record → status date, where records tell it.
    """

    layout: Layout
    endings: NDArray[np.int8]
    batches: list[Batch] = field(default_factory=list)
    findings: list[tuple[int, Finding]] = field(default_factory=list)
    left_out: list[tuple[int, str, str]] = field(default_factory=list)
    days: dict[int, date | None] = field(default_factory=dict)

    def note(self, records: Sequence[int], *, index: int, codes: NDArray[np.int8]) -> None:
        """Note how the cells of a column ended."""
        if not len(records):
            return
        first, last = records[0], records[-1] + 1
        at = slice(first, last) if last - first == len(records) else records  # records rise
        self.endings[at, index] = np.maximum(self.endings[at, index], codes)

    def spoil(self, record: int, *, index: int) -> None:
        """Note that a cell was read and could not be used after all."""
        self.endings[record, index] = FAULTY

    def counted(self, records: Sequence[int] | None = None) -> Counter[str]:
        """Return ending → cells, of all records or of some."""
        part = self.endings if records is None else self.endings[np.asarray(records, dtype=np.int64)]
        numbers = np.bincount(part.ravel(), minlength=IGNORED + 1)
        return Counter({name: int(numbers[code]) for code, name in ENDINGS.items() if numbers[code]})
