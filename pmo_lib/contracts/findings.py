"""The finding: one thing that is wrong with a return, located to its cell, with what to do about it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Literal

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

# Sheet that lists the findings in an annotated copy of a workbook; with a number behind it where the name is taken.
FINDINGS_SHEET = "pmo findings"
Severity = Literal["error", "warning", "notice"]
Action = Literal["refused", "quarantined", "nulled", "kept"]


@dataclass(frozen=True, order=True)
class Finding:
    """One finding.

    ``severity`` is what it means (error: something was not used), ``action`` what was done: the whole return
    ``refused``, the row ``quarantined``, the cell ``nulled`` (state unreadable), or the value ``kept``.
    ``cell`` is in A1 notation; ``row`` counts from 1 as spreadsheets do. In a database ``sheet`` is the contract table,
    ``row`` the number of the row in the order of its key, and ``cell`` its column and that key.
    """

    file: str
    sheet: str
    row: int
    cell: str
    rule: str
    severity: Severity
    action: Action
    message: str
    fix: str
    table: str = ""
    column: str = ""
    portfolio_id: str = ""
    key: str = ""
    value: str = ""
    expected: str = ""

    @property
    def place(self) -> str:
        """Where, for people: file, sheet and cell, as far as they are known."""
        parts = [self.file]
        if self.sheet:
            parts.append(f"sheet {self.sheet}")
        if self.cell:
            parts.append(f"cell {self.cell}")
        elif self.row:
            parts.append(f"row {self.row}")
        return ", ".join(parts)

    def __str__(self) -> str:
        """Return *where: what is wrong: the value → what to do*."""
        value = f": {self.value!r}" if self.value and repr(self.value)[1:-1] not in self.message else ""
        return f"{self.place}: {self.message}{value} → {self.fix}"


def is_findings_sheet(name: str) -> bool:
    """Tell whether a sheet is the list of findings in an annotated copy: nobody reads it as data.

    >>> is_findings_sheet("PMO findings"), is_findings_sheet("pmo findings 2"), is_findings_sheet("findings")
    (True, True, False)
    """
    return re.fullmatch(rf"{FINDINGS_SHEET}( \d+)?", name.strip(), re.IGNORECASE) is not None


FINDING_COLUMNS = tuple(field.name for field in fields(Finding))


def findings_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return findings as a table, one row each, sorted by place; columns are :data:`FINDING_COLUMNS`."""
    rows = [asdict(finding) for finding in sorted(set(findings))]
    return pd.DataFrame(rows, columns=list(FINDING_COLUMNS)).astype({"row": "int64"})
