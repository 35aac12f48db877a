"""A checked return: the typed tables of one period, everything that is wrong with them, and the books."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import pandas as pd

QUARANTINE_COLUMNS = ("portfolio_id", "table", "source_ref", "key", "rules", "row")
ACCOUNTING_COLUMNS = (
    "table", "portfolio_id", "rows_in", "used", "quarantined", "ignored", "money_in", "money_used", "money_quarantined",
)  # fmt: skip
CELL_COLUMNS = ("file", "sheet", "cells_in", "typed", "stated", "faulty", "ignored")
RETURN_COLUMNS = ("portfolio_id", "state", "file", "reason")


@dataclass(frozen=True)
class SourceFile:
    """One file that was read, or one database.

    Attributes
    ----------
    name
        Its name inside the folder that was handed in; of a database ``db:`` and the name of its mapping.
    sha256, size
        Of its bytes.
    path
        Where it lay; of a database its name.
    content
        What was read, where that is no file.
    """

    name: str
    sha256: str
    size: int
    path: Path
    content: bytes | None = field(default=None, repr=False)

    def read(self) -> bytes:
        """Return its bytes; OSError where the file is gone."""
        return self.path.read_bytes() if self.content is None else self.content


@dataclass(frozen=True)
class Checked:
    """The checked return of one period.

    Attributes
    ----------
    period, status_date
        ``YYYY-MM``, and the day that the return speaks of; the period is its month.
    tables
        Every contract table that has rows, typed (columns, order and dtypes of the contract, rows sorted by key);
        money is :class:`decimal.Decimal` quantised to 0.01, or None.
    findings
        See :data:`pmo_lib.contracts.findings.FINDING_COLUMNS`.
    quarantined
        ``portfolio_id, table, source_ref, key, rules, row``; ``row`` is a JSON object of the raw cells.
    accounting
        One row per table and portfolio: ``rows_in = used + quarantined + ignored``; money in integer minor units,
        summed over all money columns: ``money_in = money_used + money_quarantined``, which holds both the amounts of
        quarantined rows and those that a rule took out of a row that stays.
    cells
        One row per file and sheet, of non-empty cells: ``cells_in = typed + stated + faulty + ignored``.
    returns
        One row per portfolio: ``portfolio_id, state, file, reason``; state is ``returned``, ``partial``,
        ``not returned`` or ``refused``.
    sources
        The files that were read.
    """

    period: str
    status_date: date
    tables: dict[str, pd.DataFrame]
    findings: pd.DataFrame
    quarantined: pd.DataFrame
    accounting: pd.DataFrame
    cells: pd.DataFrame
    returns: pd.DataFrame
    sources: tuple[SourceFile, ...]
