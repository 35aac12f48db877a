"""A filled return in our own layout: the tables of one portfolio and period, one sheet each."""

from __future__ import annotations

import io
from datetime import date
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import xlsxwriter

from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import DataContractError
from pmo_lib.workbooks.layout import CREATED, FORMATS, LONGEST_TEXT, OPTIONS, returned_columns, width_of, writer_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pmo_lib.contracts.columns import Column, Kind, Table

WORDED_STATES = ("withheld", "not set", "not returned", "range")


class Formula(NamedTuple):
    """A formula and the result that its program kept: ``""`` is none, ``"#REF!"`` and the like are errors."""

    expression: str
    result: float | str


Instead = dict[tuple[int, int], object]


def write_return(
    path: Path, *, tables: Mapping[str, pd.DataFrame], instead: Mapping[str, Instead] | None = None
) -> Path:
    """Write one return in our own layout, sheets in the contract's order.

    Parameters
    ----------
    path
        The workbook; its folder is made if need be.
    tables
        Contract table name → its rows. Columns are written in the contract's order, a missing one stays empty; missing
        values stay empty cells, not texts. Money may be float or :class:`decimal.Decimal`. The table ``states`` has no
        sheet: its words stand in the cells that it speaks of, as intake reads them.
    instead
        Table name → (row, column), from 0 with the header in row 0 → what stands there instead, whatever the contract
        says of the column: text, number, day, :class:`Formula` or None.

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
    path.write_bytes(return_bytes(tables, instead=instead))
    return path


def return_bytes(tables: Mapping[str, pd.DataFrame], *, instead: Mapping[str, Instead] | None = None) -> bytes:
    """Return the workbook that :func:`write_return` writes; equal tables give equal bytes."""
    unknown = sorted(set(tables) - set(TABLES))
    if unknown:
        raise DataContractError(f"workbook: no such table: {', '.join(unknown)}", fix="name tables of the contract")
    buffer, words = io.BytesIO(), _words_of_states(tables)
    with xlsxwriter.Workbook(buffer, OPTIONS) as book:
        book.set_properties({"created": CREATED, "title": "Portfolio return"})
        formats = {kind: book.add_format({"num_format": code}) for kind, code in FORMATS.items()}
        heading = book.add_format({"bold": True, "bottom": 1, "num_format": "@"})
        for name in (name for name in TABLES if name in tables and name != "states"):
            sheet = book.add_worksheet(name)
            _write_sheet(sheet, table=TABLES[name], rows=tables[name], formats=formats, heading=heading)
            _write_instead(sheet, cells={**words.get(name, {}), **(instead or {}).get(name, {})}, formats=formats)
    return buffer.getvalue()


def _write_sheet(sheet: Any, *, table: Table, rows: pd.DataFrame, formats: Mapping[Kind, Any], heading: Any) -> None:
    unknown = [name for name in rows.columns if name not in table.names]
    if unknown:
        raise DataContractError(
            f"workbook, table {table.name}: no such column: {', '.join(map(str, unknown))}",
            fix="name columns of the contract",
        )
    columns = returned_columns(table)
    for at, column in enumerate(columns):
        cells = _filled(rows[column.name]) if column.name in rows.columns else {}
        sheet.set_column(at, at, width_of(column, cells=cells))
        sheet.write_string(0, at, column.name, heading)
        _write_column(sheet, at=at, column=column, cells=cells, cell_format=formats[column.kind])
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(len(rows), 1), len(columns) - 1)


def _words_of_states(tables: Mapping[str, pd.DataFrame]) -> dict[str, Instead]:
    """Return the words of the states, by table and place."""
    words: dict[str, Instead] = {}
    states = tables["states"] if "states" in tables else pd.DataFrame(columns=["table_name", "state"])
    for name, own in states[states["state"].isin(WORDED_STATES)].groupby("table_name", sort=True):
        table = TABLES[str(name)]
        places = _rows_of_keys(tables[table.name], table=table)
        for state in own.to_dict("records"):
            said = [state["reason"]] if state["state"] == "range" else [state["state"], state["reason"]]
            place = places[state["row_key"]], table.names.index(state["column_name"])
            words.setdefault(table.name, {})[place] = ": ".join(word for word in said if isinstance(word, str))
    return words


def _rows_of_keys(rows: pd.DataFrame, *, table: Table) -> dict[str, int]:
    """Return row key, as ``states`` writes it → row in the sheet."""
    parts = [rows[name].astype("str") for name in table.key if name != "portfolio_id"]
    keys = zip(*(part.where(part.notna(), "").to_list() for part in parts), strict=True)
    return {"|".join(key): row for row, key in enumerate(keys, start=1)}


def _write_instead(sheet: Any, *, cells: Instead, formats: Mapping[Kind, Any]) -> None:
    for (row, column), value in cells.items():
        match value:
            case None:
                sheet.write_blank(row, column, None, formats["text"])
            case Real():
                sheet.write_number(row, column, value, formats["number"])
            case date():
                sheet.write_datetime(row, column, value, formats["date"])
            case Formula(expression, result):
                sheet.write_formula(row, column, expression, formats["money"], result)
            case _:
                sheet.write_string(row, column, str(value), formats["text"])


def _filled(values: pd.Series) -> dict[int, Any]:
    """Return row in the sheet → value, without the missing ones."""
    cells = zip(values.to_list(), values.notna().to_list(), strict=True)
    return {row: value for row, (value, there) in enumerate(cells, start=1) if there}


def _write_column(sheet: Any, *, at: int, column: Column, cells: Mapping[int, Any], cell_format: Any) -> None:
    write = writer_of(sheet, kind=column.kind)
    for row, value in cells.items():
        if write(row, at, value, cell_format) != 0:
            raise DataContractError(
                f"workbook, column {column.name}, row {row + 1}: does not fit into a cell",
                fix=f"keep texts below {LONGEST_TEXT + 1:,} characters and rows below 1,048,577",
            )
