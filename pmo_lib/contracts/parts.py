"""What the tables are made of: the columns that many share, and short ways to write one."""

from __future__ import annotations

from typing import Any

from pmo_lib.contracts.columns import Column, Kind, Table

RATINGS = ("green", "amber/green", "amber", "amber/red", "red")
STATES = ("reported", "withheld", "not set", "not returned", "range", "unreadable")
# Portfolio of the example rows in the template: counted by intake and never read. No portfolio can have this id.
EXAMPLE = "EXAMPLE"
MEASURES = (
    "plan", "budget", "actual", "accrual", "commitment", "forecast", "transfer", "recharge", "capitalisation",
    "prior-year adjustment",
)  # fmt: skip


def column(name: str, kind: Kind, meaning: str, need: Any = "", **more: Any) -> Column:
    """Return one column."""
    return Column(name, kind, meaning, need, **more)


def choice(name: str, meaning: str, *allowed: str, need: Any = "") -> Column:
    """Return a column that holds one of a few words."""
    return Column(name, "choice", meaning, need, allowed=allowed)


def rated(name: str, of: str) -> Column:
    """Return a column that holds a rating."""
    return choice(name, f"Rating of {of} on the row's scale", *RATINGS)


def three_point(stem: str, kind: Kind, of: str) -> tuple[Column, ...]:
    """Return the low, likely and high column of an estimate."""
    return tuple(column(f"{stem}_{point}", kind, f"{of}, {point}") for point in ("low", "likely", "high"))


PORTFOLIO = column("portfolio_id", "id", "Portfolio that the row belongs to", "key")
PROJECT = column("project_id", "id", "Project, unique in its organisation", "key")
PROJECT_OF = column("project_id", "id", "Project concerned; empty where the row is about the whole portfolio")
STATUS_DATE = column("status_date", "date", "Day that the return speaks of", "key")
CURRENCY = column("currency", "text", "ISO 4217 code of the money in this row", "cell")
SOURCE = column("source_ref", "text", "File, sheet and row of the fact; written by intake")


def table(name: str, meaning: str, *columns: Column, required: bool = False) -> Table:
    """Return a table: ``portfolio_id`` first, ``source_ref`` last."""
    return Table(name, meaning, (PORTFOLIO, *columns, SOURCE), required)
