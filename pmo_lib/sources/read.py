"""One file of any kind that is read → its grids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmo_lib.sources.columnar import read_parquet
from pmo_lib.sources.delimited import ENCODINGS, read_delimited
from pmo_lib.sources.excel import read_workbook
from pmo_lib.sources.files import kind_of
from pmo_lib.sources.schedules import read_schedule_grids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pmo_lib.sources.grid import Grid


def read_grids(path: Path, *, encodings: Sequence[str] = ENCODINGS, delimiter: str | None = None) -> list[Grid]:
    """Read one file; a workbook gives a grid per sheet, a schedule one per table, any other file one without a name.

    Parameters
    ----------
    path
        A file with an ending of :data:`pmo_lib.sources.files.SUFFIXES`.
    encodings, delimiter
        For text files, see :func:`pmo_lib.sources.delimited.read_delimited`.

    Raises
    ------
    SourceError
        If the file cannot be read at all.
    """
    kind = kind_of(path)
    if kind == "text":
        return [read_delimited(path, encodings=encodings, delimiter=delimiter)]
    if kind == "schedule":
        return read_schedule_grids(path)
    if kind == "parquet":
        return [read_parquet(path)]
    return read_workbook(path)
