"""Typed tables ⇄ the rows of a snapshot as they are stored, and the two digests of them.

Rows are sorted by key, ``portfolio_id`` first and never a dictionary, so that one portfolio reads only its own row
groups; page checksums, so that a flipped bit is noticed. Money is decimal128(24, 2) on disk and float64 when read.
"""

from __future__ import annotations

import hashlib
import io
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import StoreError
from pmo_lib.store import canonical_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pmo_lib.contracts.columns import Column, Table
    from pmo_lib.store import Store

ROWS_PER_GROUP = 2_000
Rows: TypeAlias = pa.Table  # rows as they are stored
MASKED = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
ARROW_TYPES: dict[str, pa.DataType] = {
    "money": pa.decimal128(24, 2),
    "number": pa.float64(),
    "share": pa.float64(),
    "level": pa.int64(),
    "whole": pa.int64(),
    "date": pa.date32(),
    "flag": pa.bool_(),
}


def to_arrow(rows: pd.DataFrame, *, table: Table) -> pa.Table:
    """Return a typed table as Arrow with the disk types of the contract; strings are plain, never dictionaries."""
    arrays = [_array(rows[column.name], column=column) for column in table.columns]
    return pa.table(arrays, names=list(table.names))


def _array(values: pd.Series, *, column: Column) -> pa.Array:
    kind = ARROW_TYPES.get(column.kind, pa.string())
    if column.kind == "money":  # exact decimals or floats; what is missing may be None or not a number
        return pa.array(
            [None if missing else value for value, missing in zip(values, values.isna(), strict=True)], kind
        )
    if column.kind == "date":
        return pa.array(values.astype("datetime64[us]"), from_pandas=True).cast(kind)
    if column.kind in ("number", "share"):
        return pa.array(values.to_numpy(dtype="float64", na_value=float("nan")), kind, from_pandas=True)
    flat = pa.array(values, kind, from_pandas=True)
    return flat.combine_chunks() if isinstance(flat, pa.ChunkedArray) else flat


def parquet_bytes(arrow: pa.Table) -> bytes:
    """Write Parquet with page checksums; a row group ends where a portfolio ends, once it is large enough."""
    sink = io.BytesIO()
    with pq.ParquetWriter(
        sink,
        arrow.schema,
        compression="zstd",
        use_dictionary=False,
        write_page_checksum=True,
        write_statistics=True,
    ) as writer:
        for start, stop in _groups(arrow["portfolio_id"].to_pylist()):
            writer.write_table(arrow.slice(start, stop - start))
    return sink.getvalue()


def _groups(portfolio_ids: list[str]) -> Iterator[tuple[int, int]]:
    start = 0
    for place in range(1, len(portfolio_ids) + 1):
        ended = place == len(portfolio_ids) or portfolio_ids[place] != portfolio_ids[place - 1]
        if (ended and place - start >= ROWS_PER_GROUP // 4) or place - start >= ROWS_PER_GROUP:
            yield start, place
            start = place
    if start < len(portfolio_ids):
        yield start, len(portfolio_ids)


def logical_digest(arrow: pa.Table) -> str:
    """Return the sha256 of the values: the same for every Parquet writer and version."""
    digest = hashlib.sha256(canonical_json([[field.name, str(field.type)] for field in arrow.schema]))
    for name in arrow.column_names:
        values = arrow[name]
        if pa.types.is_decimal(values.type) or pa.types.is_date(values.type):
            values = values.cast(pa.string())
        digest.update(canonical_json(values.to_pylist()))
    return digest.hexdigest()


def read_rows(
    store: Store,
    *,
    entry: Mapping[str, Any],
    name: str,
    portfolios: Collection[str] | None = None,
    columns: Collection[str] | None = None,
) -> Rows:
    """Read a table, or columns of it, as it is stored; with portfolios, only the row groups that can hold any."""
    source: Any = store.path(entry["sha256"]) if store.local else io.BytesIO(store.get(entry["sha256"]))
    try:
        file = pq.ParquetFile(source, page_checksum_verification=True)
        return _read_groups(file, portfolios=portfolios, columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"table {name} ({entry['sha256'][:12]}) cannot be read: {error}",
            fix="restore it from a copy",
        ) from error


def _read_groups(
    file: pq.ParquetFile, *, portfolios: Collection[str] | None, columns: Collection[str] | None
) -> pa.Table:
    """Read without threads: a table is small, and every report has a process of its own."""
    if portfolios is None:
        return file.read(columns=None if columns is None else list(columns), use_threads=False)
    metadata = file.metadata
    wanted = []
    for group in range(metadata.num_row_groups):
        held = metadata.row_group(group).column(0).statistics
        if held is None or not held.has_min_max or any(held.min <= each <= held.max for each in portfolios):
            wanted.append(group)
    return file.read_row_groups(wanted, use_threads=False)


def over_time(parts: Iterable[tuple[str, Rows]], *, name: str) -> pd.DataFrame:
    """Return stored rows of several periods as one table, with the period in front.

    A table with a column ``period`` of its own (finance) keeps it and has ``return_month`` in front instead. All
    periods are turned into memory types together: one by one, that would cost more than all else that a report does.
    """
    table = TABLES[name]
    stamp = "return_month" if "period" in table.names else "period"
    filled = [(period, part) for period, part in parts if part.num_rows]
    stored = pa.concat_tables([part for _, part in filled], promote_options="default") if filled else None
    rows = from_arrow(stored, table=table)
    stamps = np.repeat(np.array([period for period, _ in filled], dtype=object), [part.num_rows for _, part in filled])
    rows.insert(0, stamp, pd.Series(stamps, dtype="str"))
    return rows


def from_arrow(arrow: Rows | None, *, table: Table) -> pd.DataFrame:
    """Return stored rows as a pandas table with the contract's dtypes (money as float64); None has no rows.

    A column that the contract took up after the rows were stored is null.
    """
    if arrow is None:
        return empty_table(table.name)
    for name in table.names:
        if name not in arrow.column_names:
            arrow = arrow.append_column(name, pa.nulls(arrow.num_rows, pa.null()))
    columns = {column.name: _series(arrow[column.name], column=column) for column in table.columns}
    return pd.DataFrame(columns, columns=list(table.names))


def _series(values: pa.ChunkedArray, *, column: Column) -> pd.Series:
    if column.kind == "money":
        values = values.cast(pa.float64())
    if column.kind == "date":
        values = values.cast(pa.timestamp("us"))
    series: pd.Series = values.to_pandas(types_mapper=MASKED.get)
    return series if series.dtype == column.dtype else pd.Series(series, dtype=column.dtype)


def empty_table(name: str) -> pd.DataFrame:
    """Return a contract table without rows, with its dtypes."""
    return _empty_table(name).copy()


@cache
def _empty_table(name: str) -> pd.DataFrame:
    table = TABLES[name]
    return pd.DataFrame(
        {column.name: pd.Series(dtype=column.dtype) for column in table.columns},
        columns=list(table.names),
    )
