"""Small hand-made histories for tests of metrics: contract tables over several periods, money as float."""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd

from pmo_lib.contracts.tables import TABLES

STATUS_DATES = {"2024-03": "2024-03-31", "2025-03": "2025-03-31", "2026-03": "2026-03-31"}
DEFAULTS = {"portfolio_id": "ROADS", "currency": "GBP", "rating_scale": "three-point", "assessor_role": "SRO"}


def history(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a contract table with ``period`` in front.

    What is not given is null, except portfolio, currency, rater, scale, the name of a project (its id) and the status
    date of the period.
    """
    filled = [_filled(row, names=TABLES[name].names) for row in rows]
    told = {key for row in filled for key in row} - {"period"}
    table = _nulls(name).iloc[[0] * len(filled)].reset_index(drop=True)
    for column in (TABLES[name].column(key) for key in sorted(told)):
        table[column.name] = pd.Series([row.get(column.name) for row in filled], dtype=object).astype(column.dtype)
    table.insert(0, "period", pd.Series([row["period"] for row in filled], dtype="str"))
    return table


def current(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a contract table of one period."""
    return history(name, [{"period": "2025-03", **row} for row in rows]).drop(columns="period")


@cache
def _nulls(name: str) -> pd.DataFrame:
    """Return one row of nulls with the dtypes of a contract table."""
    return pd.DataFrame(
        {column.name: pd.Series([None], dtype=object).astype(column.dtype) for column in TABLES[name].columns}
    )


def _filled(row: dict[str, Any], *, names: tuple[str, ...]) -> dict[str, Any]:
    known = {key: value for key, value in DEFAULTS.items() if key in names}
    if "project_id" in row and "name" in names:
        known["name"] = row["project_id"]
    if "status_date" in names:
        known["status_date"] = STATUS_DATES.get(row["period"])
    return known | {"source_ref": f"{row['period']}.csv, row 1"} | row
