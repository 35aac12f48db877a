"""A Parquet file → one grid: the header is row 1, as if it were a sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from pmo_lib.errors import SourceError
from pmo_lib.sources.grid import MOST_CELLS, Grid, Raw

if TYPE_CHECKING:
    from pathlib import Path


def read_parquet(path: Path) -> Grid:
    """Read a Parquet file; page checksums are verified where the file has them.

    Raises
    ------
    SourceError
        If it is damaged, too large, or holds nested columns.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if file.metadata.num_rows * file.metadata.num_columns > MOST_CELLS:
                raise SourceError(f"{path.name}: more than {MOST_CELLS:,} cells", fix="split the return")
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path.name}: the file is damaged ({error})", fix="write it again") from error
    nested = [field.name for field in table.schema if pa.types.is_nested(field.type)]
    if nested:
        raise SourceError(f"{path.name}: column {nested[0]} is nested", fix="write one value per cell")
    columns = [column.to_pylist() for column in table.columns]
    header: list[Raw] = [str(name) for name in table.column_names]
    return Grid(path.name, "", [header, *(list(row) for row in zip(*columns, strict=True))])
