"""The returns as workbooks: written with the faults that people make, and the key that tells where these stand."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, cast

import pandas as pd

from pmo_lib.demo.faults import faults_of
from pmo_lib.demo.months import period_of
from pmo_lib.demo.returns import WHOLE, Size, return_tables
from pmo_lib.intake.values import plain_text
from pmo_lib.sources.grid import cell_name
from pmo_lib.workbooks import Formula, write_return

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pmo_lib.demo.catalogue import Unit
    from pmo_lib.demo.faults import Planted
    from pmo_lib.sources.grid import Raw
    from pmo_lib.workbooks import Instead

KEY_COLUMNS = ("kind", "rule", "period", "portfolio_id", "file", "sheet", "row", "cell", "value")


def write_returns(folder: Path, *, size: Size = WHOLE, faulty: bool = True) -> list[Path]:
    """Write every return as :func:`write_periods` does; return the files, in order of period and portfolio."""
    return [path for _, paths in write_periods(folder, size=size, faulty=faulty) for path in paths]


def write_periods(
    folder: Path, *, size: Size = WHOLE, faulty: bool = True, jobs: int = 1
) -> Iterator[tuple[str, list[Path]]]:
    """Write ``<folder>/<period>/<portfolio_id>-<period>.xlsx`` for every return; the same bytes every time.

    Parameters
    ----------
    folder
        Where to; made if need be.
    size
        How much of the organisation.
    faulty
        Whether the returns hold the faults of :func:`planted_faults`.
    jobs
        Processes that write ahead while the caller works on a period. With more than one they are started anew: call
        this from below ``if __name__ == "__main__"``.

    Yields
    ------
    tuple of str and list of Path
        A period and its files in the order of the catalogue, as soon as they are written; periods ascending.
    """
    write, months = partial(_write_month, folder=folder, size=size, faulty=faulty), size.months
    if jobs == 1:
        yield from ((period_of(month), write(month)) for month in months)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from zip(map(period_of, months), pool.map(write, months), strict=True)


def planted_faults(size: Size = WHOLE) -> pd.DataFrame:
    """Return the key of the planted faults: one row for each finding that they must lead to.

    Returns
    -------
    DataFrame
        ``kind, rule, period, portfolio_id, file, sheet, row, cell, value``: ``file`` inside the folder of the returns;
        ``row`` counts from 1 and is 0, and ``cell`` is empty, where the finding is about none; ``value`` is what was
        written there, as findings repeat it, and empty for a formula and where the fault is that nothing stands there.
    """
    rows = [
        row
        for month in size.months
        for unit in size.returning(month)
        for planted in faults_of(return_tables(unit, month=month, size=size), unit=unit, month=month, seed=size.seed)
        for row in _key_rows(planted, unit=unit, month=month)
    ]
    return pd.DataFrame(rows, columns=list(KEY_COLUMNS))


def _write_month(month: int, *, folder: Path, size: Size, faulty: bool) -> list[Path]:
    written = []
    for unit in size.returning(month):
        tables = return_tables(unit, month=month, size=size)
        instead: dict[str, Instead] = {}
        for planted in faults_of(tables, unit=unit, month=month, seed=size.seed) if faulty else ():
            instead.setdefault(planted.fault.table, {}).update(planted.cells)
        written.append(write_return(folder / _file(unit, month=month), tables=tables, instead=instead))
    return written


def _key_rows(planted: Planted, *, unit: Unit, month: int) -> Iterator[tuple[object, ...]]:
    fault = planted.fault
    for found in planted.found:
        cell = "" if found.row is None or found.column is None else cell_name(found.row, column=found.column)
        written = planted.cells.get((found.row, found.column)) if found.row is not None and found.column else None
        row = 0 if found.row is None else found.row + 1
        place = (_file(unit, month=month), fault.table if row else "", row, cell)
        value = "" if isinstance(written, Formula) else plain_text(cast("Raw", written))
        yield fault.kind, found.rule, period_of(month), unit.id, *place, value


def _file(unit: Unit, *, month: int) -> str:
    period = period_of(month)
    return f"{period}/{unit.id}-{period}.xlsx"
