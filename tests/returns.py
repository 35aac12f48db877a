"""Small hand-made returns for tests: a few rows, typed as intake hands them over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from pmo_lib.contracts.findings import findings_table
from pmo_lib.contracts.tables import TABLES


@dataclass
class HandMade:
    """A checked return, as snapshots take it."""

    period: str
    status_date: date
    tables: dict[str, pd.DataFrame]
    findings: pd.DataFrame = field(default_factory=lambda: findings_table([]))
    quarantined: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"portfolio_id": pd.Series(dtype=str)}))
    accounting: pd.DataFrame = field(default_factory=pd.DataFrame)
    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    returns: pd.DataFrame = field(default_factory=pd.DataFrame)
    sources: tuple[Any, ...] = ()


def typed(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a contract table; money stays Decimal, what is not given is null."""
    table = TABLES[name]
    columns = {}
    for column in table.columns:
        values = [row.get(column.name) for row in rows]
        if column.kind == "money":
            plain = [None if value is None else Decimal(str(value)) for value in values]
            columns[column.name] = pd.Series(plain, dtype=object)
        else:
            columns[column.name] = pd.Series(values, dtype=object).astype(column.dtype)
    return pd.DataFrame(columns, columns=list(table.names))


def small_return(
    period: str, status_date: date, *, portfolios: dict[str, list[str]], cost: str = "1000.10"
) -> HandMade:
    """Return portfolios with projects, one IPA rating each."""
    projects = [
        {"portfolio_id": p, "project_id": i, "name": f"Project {i}", "currency": "GBP",
         "whole_life_cost_baseline": cost,
         "finish_baseline_on": date(2027, 3, 31), "source_ref": f"file.xlsx, projects, row {n}"}
        for p, ids in portfolios.items() for n, i in enumerate(ids, start=2)
    ]  # fmt: skip
    status = [
        {"portfolio_id": row["portfolio_id"], "project_id": row["project_id"], "status_date": status_date,
         "assessor_role": "IPA", "rating": "amber", "rating_scale": "three-point"}
        for row in projects
    ]  # fmt: skip
    names = [{"portfolio_id": p, "name": f"Portfolio {p}", "currency": "GBP", "level": "portfolio"} for p in portfolios]
    counts = [
        {"table": "projects", "portfolio_id": p, "rows_in": len(ids), "used": len(ids), "quarantined": 0, "ignored": 0}
        for p, ids in portfolios.items()
    ]
    states = [{"portfolio_id": p, "state": "returned", "file": "file.xlsx", "reason": ""} for p in portfolios]
    return HandMade(
        period,
        status_date,
        {
            "portfolios": typed("portfolios", names),
            "projects": typed("projects", projects),
            "status": typed("status", status),
        },
        accounting=pd.DataFrame(counts),
        returns=pd.DataFrame(states),
    )
