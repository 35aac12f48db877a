"""A sheet of the mapping made ready: a reader for every cell of every row that a record yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pmo_lib.contracts.tables import TABLES
from pmo_lib.intake.cells import Reader
from pmo_lib.intake.native import NAME
from pmo_lib.parameters.mapping import Cell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pmo_lib.contracts.columns import Column, Table
    from pmo_lib.parameters.mapping import Check, Mapping as SourceMapping, Rows, Sheet

PUBLISHED = TABLES["published_figures"]


@dataclass(frozen=True)
class Entry:
    """One entry of the mapping's rows, with a reader for each of its contract columns."""

    rows: Rows
    table: Table
    readers: Mapping[str, Reader]


@dataclass(frozen=True)
class CheckEntry:
    """One published figure, with the readers of its row and of the two amounts that it is computed from."""

    check: Check
    readers: Mapping[str, Reader]
    of: Reader
    against: Reader


@dataclass(frozen=True)
class Plan:
    """One sheet of the mapping, made ready."""

    sheet: Sheet
    entries: tuple[Entry, ...]
    checks: tuple[CheckEntry, ...]
    day: Reader | None


def plan_of(sheet: Sheet, *, mapping: SourceMapping) -> Plan:
    """Return the plan for one sheet of a mapping."""

    def reader(column: Column, cell: Cell) -> Reader:
        return Reader(column, cell, mapping.formats, mapping.values_of(cell), own=mapping.name == NAME)

    day = None if sheet.status_date is None else reader(PUBLISHED.column("status_date"), Cell(column=sheet.status_date))
    entries = []
    for rows in sheet.rows:
        table = TABLES[rows.table]
        readers = {name: reader(table.column(name), cell) for name, cell in sheet.cells(rows).items()}
        entries.append(Entry(rows, table, readers))
    return Plan(sheet, tuple(entries), tuple(_check(check, sheet=sheet, reader=reader) for check in sheet.checks), day)


def _check(check: Check, *, sheet: Sheet, reader: Callable[[Column, Cell], Reader]) -> CheckEntry:
    amount = TABLES["finance"].column("amount")
    cells = {cell.column: cell for rows in sheet.rows for cell in sheet.cells(rows).values()}
    given = {name: cell for name, cell in sheet.shared.items() if name in PUBLISHED.names}
    return CheckEntry(
        check,
        {name: reader(PUBLISHED.column(name), cell) for name, cell in {**given, "published": check.published}.items()},
        reader(amount, cells.get(check.of, Cell(column=check.of))),
        reader(amount, cells.get(check.against, Cell(column=check.against or check.of))),
    )
