"""A grid of raw cells: what a file holds, where it stands, and which cells could not be computed by its program."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal

Raw = str | int | float | bool | Decimal | date | datetime | time | timedelta | None

# Largest grid that is taken for a return: more than that in a sheet is a mistake, or an attack.
MOST_CELLS = 20_000_000


@dataclass(frozen=True)
class Grid:
    """One sheet, the one table of a text or Parquet file, or one table of a database.

    Attributes
    ----------
    file, sheet
        File name without folder; sheet name, empty where the format has none.
    rows
        Raw cells, row by row, padded to the same width; ``rows[0]`` is row 1. Texts are as written: nothing is trimmed,
        and a text that looks like a number stays a text.
    faults
        ``(row, column)`` (both from 0) → what the program that wrote the file says instead of a value (``#N/A``), or
        ``"formula without a value"``.
    keys
        In a database, the names of the rows below the header, each once; None where rows are known by their number.
    has_types
        Whether the format tells a number from a text that looks like one.
    """

    file: str
    sheet: str
    rows: list[list[Raw]]
    faults: dict[tuple[int, int], str] = field(default_factory=dict)
    keys: tuple[str, ...] | None = None
    has_types: bool = False

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.rows[0]) if self.rows else 0

    def turned(self) -> Grid:
        """Return the grid with rows and columns exchanged."""
        rows = [list(column) for column in zip(*self.rows, strict=True)]
        faults = {(column, row): fault for (row, column), fault in self.faults.items()}
        return Grid(self.file, self.sheet, rows, faults, has_types=self.has_types)


def padded(rows: list[list[Raw]]) -> list[list[Raw]]:
    """Return rows of equal width; cells that are not there are None."""
    width = max(map(len, rows), default=0)
    return [row if len(row) == width else [*row, *[None] * (width - len(row))] for row in rows]


def column_letters(column: int) -> str:
    """Return the letters of a column counted from 0.

    >>> column_letters(0), column_letters(25), column_letters(26), column_letters(701), column_letters(702)
    ('A', 'Z', 'AA', 'ZZ', 'AAA')
    """
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def cell_name(row: int, *, column: int) -> str:
    """Return the A1 name of a cell; row and column count from 0.

    >>> cell_name(0, column=0), cell_name(23, column=5)
    ('A1', 'F24')
    """
    return f"{column_letters(column)}{row + 1}"


def is_blank(raw: Raw) -> bool:
    """Tell whether a cell holds nothing that a reader could see.

    >>> is_blank(None), is_blank("  "), is_blank(0)
    (True, True, False)
    """
    return raw is None or (isinstance(raw, str) and not raw.strip())
