"""What is wrong, where it stands and what it is about: the three parts of a finding."""

from __future__ import annotations

from dataclasses import dataclass

from pmo_lib.contracts.findings import Action, Finding, Severity

LONGEST_VALUE = 200  # signs of a cell that a finding repeats


@dataclass(frozen=True)
class Fault:
    """What is wrong with a cell, row or file, or only worth saying of it."""

    rule: str
    severity: Severity
    message: str
    fix: str
    expected: str = ""


@dataclass(frozen=True)
class About:
    """What a finding is about: contract table and column, portfolio, key of the row, the cell as written."""

    table: str = ""
    column: str = ""
    portfolio_id: str = ""
    key: str = ""
    value: str = ""


NOTHING = About()


@dataclass(frozen=True)
class Place:
    """Where something stands: ``row`` counts from 1 and is 0 where there is none; ``cell`` is an A1 name."""

    file: str
    sheet: str = ""
    row: int = 0
    cell: str = ""

    def finding(self, fault: Fault, *, action: Action, about: About = NOTHING) -> Finding:
        """Return the finding of a fault here."""
        return Finding(
            file=self.file,
            sheet=self.sheet,
            row=self.row,
            cell=self.cell,
            rule=fault.rule,
            severity=fault.severity,
            action=action,
            message=fault.message,
            fix=fault.fix,
            table=about.table,
            column=about.column,
            portfolio_id=about.portfolio_id,
            key=about.key,
            value=about.value[:LONGEST_VALUE],
            expected=fault.expected,
        )
