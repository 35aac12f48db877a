"""Every workbook that we write. Text stays text, dates are dates, and the same tables give the same bytes.

Our own layout has one sheet per contract table: the sheet is named as the table, row 1 holds the column names, each row
below is one fact. ``source_ref`` is not in it: intake writes that when it reads.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import xlsxwriter

from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import DataContractError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

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


def write_return(path: Path, *, tables: Mapping[str, pd.DataFrame]) -> Path:
    """Write one return in our own layout, sheets in the contract's order.

    Parameters
    ----------
    path
        The workbook; its folder is made if need be.
    tables
        Contract table name → its rows. Columns are written in the contract's order, a missing one stays empty; missing
        values stay empty cells, not texts. Money may be float or :class:`decimal.Decimal`.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    DataContractError
        For a table or a column that the contract does not know, or a text that does not fit into a cell.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(return_bytes(tables))
    return path


def return_bytes(tables: Mapping[str, pd.DataFrame]) -> bytes:
    """Return the workbook that :func:`write_return` writes; equal tables give equal bytes."""
    unknown = sorted(set(tables) - set(TABLES))
    if unknown:
        raise DataContractError(f"workbook: no such table: {', '.join(unknown)}", fix="name tables of the contract")
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, OPTIONS) as book:
        book.set_properties({"created": CREATED, "title": "Portfolio return"})
        formats = {kind: book.add_format({"num_format": code}) for kind, code in FORMATS.items()}
        heading = book.add_format({"bold": True, "bottom": 1, "num_format": "@"})
        for name in (name for name in TABLES if name in tables):
            _write_sheet(
                book.add_worksheet(name), table=TABLES[name], rows=tables[name], formats=formats, heading=heading
            )
    return buffer.getvalue()


def _write_sheet(sheet: Any, *, table: Table, rows: pd.DataFrame, formats: Mapping[Kind, Any], heading: Any) -> None:
    unknown = [name for name in rows.columns if name not in table.names]
    if unknown:
        raise DataContractError(
            f"workbook, table {table.name}: no such column: {', '.join(map(str, unknown))}",
            fix="name columns of the contract",
        )
    columns = [column for column in table.columns if column.name != WRITTEN_BY_INTAKE]
    for at, column in enumerate(columns):
        cells = _filled(rows[column.name]) if column.name in rows.columns else {}
        sheet.set_column(at, at, _width(column, cells=cells))
        sheet.write_string(0, at, column.name, heading)
        _write_column(sheet, at=at, column=column, cells=cells, cell_format=formats[column.kind])
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(len(rows), 1), len(columns) - 1)


def _filled(values: pd.Series) -> dict[int, Any]:
    """Return row in the sheet → value, without the missing ones."""
    cells = zip(values.to_list(), values.notna().to_list(), strict=True)
    return {row: value for row, (value, there) in enumerate(cells, start=1) if there}


def _write_column(sheet: Any, *, at: int, column: Column, cells: Mapping[int, Any], cell_format: Any) -> None:
    write = _writer(sheet, kind=column.kind)
    for row, value in cells.items():
        if write(row, at, value, cell_format) != 0:
            raise DataContractError(
                f"workbook, column {column.name}, row {row + 1}: does not fit into a cell",
                fix=f"keep texts below {LONGEST_TEXT + 1:,} characters and rows below 1,048,577",
            )


def _writer(sheet: Any, *, kind: Kind) -> Callable[[int, int, Any, Any], int]:
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


def _width(column: Column, *, cells: Mapping[int, Any]) -> int:
    longest = (
        len("yyyy-mm-dd") if column.kind == "date" else max((len(str(cell)) for cell in cells.values()), default=0)
    )
    return min(max(len(column.name), longest, NARROWEST) + 2, WIDEST)
