"""Rows → contract tables: columns, order and dtypes of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pmo_lib.contracts.columns import Column, Table


def typed_table(
    table: Table, *, rows: Sequence[Mapping[str, Any]], index: Sequence[int] | None = None, exact: bool = True
) -> pd.DataFrame:
    """Return rows as a contract table: as :func:`typed_columns`, of rows that give column → typed value."""
    values = {name: [row.get(name) for row in rows] for name in table.names}
    return typed_columns(table, values=values, index=range(len(rows)) if index is None else index, exact=exact)


def typed_columns(
    table: Table, *, values: Mapping[str, Sequence[Any]], index: Sequence[int], exact: bool = True
) -> pd.DataFrame:
    """Return columns as a contract table.

    Parameters
    ----------
    table
        The contract table.
    values
        Column → typed value or None of each row; a column that is not given is null.
    index
        Labels of the rows.
    exact
        Money as :class:`decimal.Decimal` (or None) in object columns; else as float64.

    Returns
    -------
    DataFrame
        Exactly the contract's columns, in its order and dtypes.
    """
    nothing = [None] * len(index)
    columns = {
        column.name: _column(column, values=values.get(column.name, nothing), exact=exact) for column in table.columns
    }
    return pd.DataFrame(columns, columns=list(table.names)).set_axis(pd.Index(list(index), dtype="int64"))


def in_key_order(rows: pd.DataFrame, *, table: Table) -> pd.DataFrame:
    """Return a typed table sorted by its key, numbered from 0."""
    return rows.sort_values(list(table.key), kind="stable", na_position="first").reset_index(drop=True)


def _column(column: Column, *, values: Sequence[Any], exact: bool) -> Any:
    """Return the values of a column in its dtype; None is null."""
    if column.kind == "money" and exact:
        return pd.Series(values, dtype=object)
    if column.kind in ("money", "number", "share"):
        return np.array(values, dtype="float64")
    if column.kind == "date":
        return np.array(values, dtype="datetime64[us]")
    return pd.array(values, dtype=column.dtype)  # type: ignore[call-overload]
