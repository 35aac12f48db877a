"""A row of a contract table on its way, and the sheaf of all rows that one sheet came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pmo_lib.intake.faults import About
from pmo_lib.intake.values import plain_text

if TYPE_CHECKING:
    from datetime import date

    from pmo_lib.contracts.columns import Table
    from pmo_lib.contracts.findings import Finding
    from pmo_lib.intake.cells import Outcome
    from pmo_lib.intake.faults import Place
    from pmo_lib.intake.layout import Layout


@dataclass(eq=False)
class Draft:
    """A row of a contract table on its way.

    Attributes
    ----------
    table
        Contract table.
    layout, record
        Where it comes from.
    status_date
        Day that its return speaks of; None where only the rows of the return can tell.
    period
        Month of the return; filled in when all of it is read.
    values
        Contract column → typed value or None.
    columns
        Contract column → index of the source column in the layout.
    states
        Contract column → outcome of a cell without a plain value.
    rules
        Rules for which the row is set aside; empty for a row that is used.
    """

    table: Table
    layout: Layout
    record: int
    status_date: date | None
    period: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)
    states: dict[str, Outcome] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)

    @property
    def portfolio_id(self) -> str:
        """Its portfolio; empty where that could not be read."""
        return self.values.get("portfolio_id") or ""

    @property
    def row_key(self) -> str:
        """Its key as ``states`` writes it: the parts without the portfolio, dates as ISO."""
        parts = (self.values.get(name) for name in self.table.key if name != "portfolio_id")
        return "|".join("" if part is None else str(part) for part in parts)

    @property
    def source_ref(self) -> str:
        """File, sheet and row."""
        return self.layout.source_ref(self.record)

    def place(self, column: str = "") -> Place:
        """Return where the row, or the cell of one of its columns, stands."""
        return self.layout.place(self.record, column=self.columns.get(column))

    def about(self, column: str = "") -> About:
        """Return what a finding on this row, or on one of its cells, is about."""
        index = self.columns.get(column)
        value = "" if index is None else plain_text(self.layout.grid.rows[self.record][index])
        return About(self.table.name, column, self.portfolio_id, self.row_key, value)

    def raw_cells(self) -> dict[str, str]:
        """Return the raw cells of the record by their headers."""
        row = self.layout.grid.rows[self.record]
        filled = self.layout.filled(self.record)
        return {self.layout.header_text(c) or f"column {c + 1}": plain_text(row[c]) for c in filled}


@dataclass
class Sheaf:
    """All that one sheet came to.

    Attributes
    ----------
    drafts
        Rows, also those that are set aside.
    findings
        Record and what was found in it.
    cells
        Record and ending → number of its cells.
    left_out
        Record, table and portfolio of rows that a condition of the mapping leaves out.
    days
        Record → status date, where records tell it.
    """

    layout: Layout
    drafts: list[Draft] = field(default_factory=list)
    findings: list[tuple[int, Finding]] = field(default_factory=list)
    cells: Counter[tuple[int, str]] = field(default_factory=Counter)
    left_out: list[tuple[int, str, str]] = field(default_factory=list)
    days: dict[int, date | None] = field(default_factory=dict)
