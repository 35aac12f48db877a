"""One raw grid → records: which column is which, where each cell stands, and what nothing reads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from types import NoneType
from typing import TYPE_CHECKING

import numpy as np

from pmo_lib.intake.faults import Place
from pmo_lib.intake.values import plain_text
from pmo_lib.sources.grid import cell_name, column_letters, is_blank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pmo_lib.parameters.mapping import Orientation, Sheet
    from pmo_lib.sources.grid import Grid, Raw


@dataclass
class Layout:
    """A grid whose columns have names, upright: one record is one row.

    Attributes
    ----------
    grid
        The grid with records in rows; turned where the file has them in columns.
    turned
        Whether it was.
    header
        Index of the header row.
    columns
        Source column → index.
    unpivoted
        Index of the rows entry in the mapping, index of the column, named groups of its header.
    empties
        Source column → words that mean blank there, folded.
    left_aside
        Indices that the mapping ignores.
    unknown
        Indices that nothing declares.
    missing, twice
        Required source columns that are not there; those that two headers claim.
    """

    grid: Grid
    turned: bool
    header: int
    columns: dict[str, int] = field(default_factory=dict)
    unpivoted: list[tuple[int, int, dict[str, str]]] = field(default_factory=list)
    empties: dict[str, frozenset[str]] = field(default_factory=dict)
    left_aside: set[int] = field(default_factory=set)
    unknown: list[int] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    twice: list[tuple[str, int]] = field(default_factory=list)

    @cached_property
    def filled(self) -> NDArray[np.bool_]:
        """Whether each cell below the header holds anything, errors included: an array of the grid's shape."""
        held = np.zeros((len(self.grid.rows), self.grid.width), dtype=bool)
        for index, (cells, blanks) in enumerate(zip(self._below, self._blanks, strict=True)):
            held[self.header + 1 :, index] = [raw not in blanks for raw in cells] if blanks else True
        for row, column in self.grid.faults:
            held[row, column] |= row > self.header
        return held

    @cached_property
    def records(self) -> list[int]:
        """Index of every row below the header that holds anything."""
        return [int(row) for row in np.flatnonzero(self.filled.any(axis=1))]

    def raws(self, records: Sequence[int], *, name: str) -> list[Raw]:
        """Return the raw cells of a source column; None where there is none, or it holds a word that means blank."""
        column = self.columns.get(name)
        if column is None:
            return [None] * len(records)
        cells = self.cells(records, index=column)
        empties = self.empties.get(name)
        if empties:
            return [None if isinstance(raw, str) and fold(raw) in empties else raw for raw in cells]
        return cells

    def cells(self, records: Sequence[int], *, index: int) -> list[Raw]:
        """Return the raw cells of a column by its index."""
        if len(records) == len(self.grid.rows) - self.header - 1:
            return list(self._below[index])
        rows = self.grid.rows
        return [rows[record][index] for record in records]

    def header_text(self, column: int) -> str:
        """Return the header of a column, blanks collapsed."""
        return " ".join(plain_text(self.grid.rows[self.header][column]).split())

    def place(self, record: int, *, column: int | None = None) -> Place:
        """Return where a record or one of its cells stands in the file as it is.

        A row of a database is known by its number in the order of its key, and a cell by its column and that key.
        """
        if self.grid.keys is not None:
            of = f" of {self.grid.keys[record - 1]}" if record > self.header else ""
            return Place(
                self.grid.file, self.grid.sheet, record, "" if column is None else self.header_text(column) + of
            )
        if column is None:
            row = 0 if self.turned else record + 1
            return Place(self.grid.file, self.grid.sheet, row)
        at = (column, record) if self.turned else (record, column)
        return Place(self.grid.file, self.grid.sheet, at[0] + 1, cell_name(at[0], column=at[1]))

    def source_ref(self, record: int) -> str:
        """Return file, sheet and row of a record, for people and for the audit trail; of a database table and key."""
        if self.grid.keys is not None:
            return f"{self.grid.file}/{self.grid.sheet}#{self.grid.keys[record - 1]}"
        sheet = f", sheet {self.grid.sheet}" if self.grid.sheet else ""
        line = f"column {column_letters(record)}" if self.turned else f"row {record + 1}"
        return f"{self.grid.file}{sheet}, {line}"

    def held(self) -> int:
        """Return how many cells below the header hold anything: counted row by row, whatever became of them."""
        below = self.grid.rows[self.header + 1 :]
        blank_faults = sum(
            row > self.header and is_blank(self.grid.rows[row][column]) for row, column in self.grid.faults
        )
        blanks: set[Raw] = set().union(*self._blanks)
        nothing = sum(row.count(blank) for blank in blanks for row in below)
        return sum(map(len, below)) - nothing + blank_faults

    @cached_property
    def _below(self) -> list[tuple[Raw, ...]]:
        """The cells below the header, column by column."""
        return list(zip(*self.grid.rows[self.header + 1 :], strict=True)) or [()] * self.grid.width

    @cached_property
    def _blanks(self) -> list[set[Raw]]:
        """Of each column, the different cells that hold nothing that anybody can see."""
        return [
            set() if {str, NoneType}.isdisjoint(map(type, cells)) else {raw for raw in set(cells) if is_blank(raw)}
            for cells in self._below
        ]


def fold(text: str) -> str:
    """Return a header or name as it is compared: case, blanks, line breaks and underscores do not matter.

    >>> fold("  Project   ID "), fold("project_id")
    ('project id', 'project id')
    """
    return " ".join(text.replace("_", " ").split()).casefold()


def lay_out(grid: Grid, *, sheet: Sheet, orientation: Orientation, header_row: int) -> Layout:
    """Return the grid with named columns.

    Parameters
    ----------
    grid
        As read.
    sheet
        Its part of the mapping.
    orientation, header_row
        As they hold for this file; ``detect`` takes the edge on which more headers are known.
    """
    turned = orientation == "columns"
    if orientation == "detect":
        known = [_known_headers(way, sheet=sheet, row=header_row) for way in (grid, grid.turned())]
        turned = known[1] > known[0]
    layout = Layout(grid.turned() if turned else grid, turned, header_row - 1)
    layout.empties = {name: frozenset(map(fold, column.empties)) for name, column in sheet.columns.items()}
    _name_columns(layout, sheet=sheet)
    layout.missing = [name for name, column in sheet.columns.items() if column.required and name not in layout.columns]
    return layout


def _known_headers(grid: Grid, *, sheet: Sheet, row: int) -> int:
    if row > len(grid.rows):
        return 0
    return sum(_claimed(fold(plain_text(raw)), sheet=sheet) is not None for raw in grid.rows[row - 1])


def _claimed(header: str, *, sheet: Sheet) -> str | None:
    """Return the source column that a folded header belongs to: the same text first, then the longest beginning."""
    if not header:
        return None
    for name, column in sheet.columns.items():
        if header in map(fold, column.aliases):
            return name
    starts = [
        (len(start), name)
        for name, column in sheet.columns.items()
        for start in map(fold, column.starts_with)
        if header.startswith(start)
    ]
    return max(starts)[1] if starts else None


def _name_columns(layout: Layout, *, sheet: Sheet) -> None:
    if layout.header >= len(layout.grid.rows):
        return
    unpivots = [
        (n, re.compile(rows.unpivot.pattern, re.IGNORECASE)) for n, rows in enumerate(sheet.rows) if rows.unpivot
    ]
    for index in range(layout.grid.width):
        header = layout.header_text(index)
        name = _claimed(fold(header), sheet=sheet)
        found = [(n, index, match.groupdict("")) for n, pattern in unpivots if (match := pattern.fullmatch(header))]
        if name is not None and name in layout.columns:
            layout.twice.append((name, index))
        elif name is not None:
            layout.columns[name] = index
        elif found:
            layout.unpivoted.extend(found)
        elif header and any(fold(header).startswith(fold(start)) for start in sheet.ignored):
            layout.left_aside.add(index)
        elif header or _holds_anything(layout, index=index):
            layout.unknown.append(index)


def _holds_anything(layout: Layout, *, index: int) -> bool:
    return bool(layout.filled[:, index].any())
