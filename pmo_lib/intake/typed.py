"""Rows → contract tables: columns, order and dtypes of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pmo_lib.contracts.columns import Column, Table


def typed_table(
    table: Table, *, rows: Sequence[Mapping[str, Any]], index: Sequence[int] | None = None, exact: bool = True
) -> pd.DataFrame:
    """Return rows as a contract table.

    Parameters
    ----------
    table
        The contract table.
    rows
        Column → typed value; what is not given is null.
    index
        Labels of the rows; from 0 unless given.
    exact
        Money as :class:`decimal.Decimal` (or None) in object columns; else as float64.

    Returns
    -------
    DataFrame
        Exactly the contract's columns, in its order and dtypes.
    """
    labels = list(range(len(rows))) if index is None else list(index)
    columns = {column.name: _column(column, rows=rows, labels=labels, exact=exact) for column in table.columns}
    return pd.DataFrame(columns, index=labels, columns=list(table.names))


def in_key_order(rows: pd.DataFrame, *, table: Table) -> pd.DataFrame:
    """Return a typed table sorted by its key, numbered from 0."""
    return rows.sort_values(list(table.key), kind="stable", na_position="first").reset_index(drop=True)


def _column(column: Column, *, rows: Sequence[Mapping[str, Any]], labels: list[int], exact: bool) -> pd.Series:
    values = [row.get(column.name) for row in rows]
    if column.kind == "money" and exact:
        return pd.Series(values, index=labels, dtype=object)
    if column.kind == "money":
        values = [None if value is None else float(value) for value in values]
    return pd.Series(values, index=labels, dtype=column.dtype)
