"""What the sheets of our own layout have in common: columns, formats, widths, and how a value is written.

The sheet is named as its contract table, row 1 holds the column names, each row below is one fact. ``source_ref`` is
not in it: intake writes that when it reads.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pmo_lib.contracts.columns import Column, Kind, Table

# A workbook says when it was made; ours always says the same, or its bytes would change with the clock.
CREATED = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": False,
}
WRITTEN_BY_INTAKE = "source_ref"
LONGEST_TEXT = 32_767  # characters in a cell, by the specification of the format
NARROWEST, WIDEST = 9, 48
FORMATS: dict[Kind, str] = {
    "id": "@",
    "text": "@",
    "choice": "@",
    "month": "@",
    "money": "#,##0.00",
    "number": "General",
    "share": "0.0%",
    "level": "0",
    "whole": "0",
    "date": "yyyy-mm-dd",
    "flag": "General",
}


def returned_columns(table: Table) -> list[Column]:
    """Return the columns of a table that a return holds."""
    return [column for column in table.columns if column.name != WRITTEN_BY_INTAKE]


def writer_of(sheet: Any, *, kind: Kind) -> Callable[[int, int, Any, Any], int]:
    """Return what writes a value of this kind: never a writer that guesses from the look of a text."""
    if kind in ("id", "text", "choice", "month"):
        return lambda row, at, value, form: sheet.write_string(row, at, str(value), form)
    if kind == "date":
        return lambda row, at, value, form: sheet.write_datetime(row, at, pd.Timestamp(value).to_pydatetime(), form)
    if kind == "flag":
        return lambda row, at, value, form: sheet.write_boolean(row, at, bool(value), form)
    if kind in ("level", "whole"):
        return lambda row, at, value, form: sheet.write_number(row, at, int(value), form)
    return lambda row, at, value, form: sheet.write_number(row, at, float(value), form)


def width_of(column: Column, *, cells: Mapping[int, Any]) -> int:
    """Return the width of a column in digits, by its name and the longest of its cells."""
    longest = (
        len("yyyy-mm-dd") if column.kind == "date" else max((len(str(cell)) for cell in cells.values()), default=0)
    )
    return min(max(len(column.name), longest, NARROWEST) + 2, WIDEST)
