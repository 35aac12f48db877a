"""What a rule says of a row that does not keep it, and what a rule may know beside the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pmo_lib.contracts.findings import Action, Severity

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Failure:
    """One rule that one row does not keep.

    Attributes
    ----------
    table, row, column
        Contract table; index label of the row; column, empty for the whole row.
    rule, severity, action
        Name of the rule; what it means; what is to be done: ``nulled`` the cell, ``quarantined`` the row, ``refused``
        the return, or ``kept``.
    message, fix, expected
        What is wrong; what to do; what would be right.
    others
        Index labels of the other rows concerned, such as those with the same key.
    blank
        Whether the fault is that the cell is empty: no fault where the return says why it is.
    """

    table: str
    row: int
    column: str
    rule: str
    severity: Severity
    action: Action
    message: str
    fix: str
    expected: str = ""
    others: tuple[int, ...] = ()
    blank: bool = False


@dataclass(frozen=True)
class Circumstances:
    """What a return cannot say of itself.

    Attributes
    ----------
    status_date
        Day that the returns speak of; None: rules about past and future are silent.
    currencies
        Those that can be converted; empty: the rule about rates is silent.
    """

    status_date: pd.Timestamp | None = None
    currencies: frozenset[str] = frozenset()


NOWHERE = Circumstances()
