"""Money as whole minor units (pence, cents), and the bases in which it may be added.

Adding floats depends on the order; adding integers does not. A sum over two currencies or two price bases is no sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmo_lib.errors import ReportError

if TYPE_CHECKING:
    import pandas as pd

NOT_STATED = "not stated"


def minor_units(amounts: pd.Series) -> pd.Series:
    """Return amounts as whole minor units: ``Int64``, null stays null."""
    return (amounts.astype("float64") * 100).round().astype("Int64")


def major_units(units: pd.Series) -> pd.Series:
    """Return whole minor units as ``float64`` amounts again."""
    return units.astype("Float64").astype("float64") / 100


def one_base(rows: pd.DataFrame, *, column: str, what: str) -> str:
    """Return the one currency (or price base) of the rows that are to be added; ``""`` where no row states one.

    Parameters
    ----------
    rows
        The rows that hold an amount.
    column
        ``currency`` or ``price_base``.
    what
        What is to be added, for the message.

    Raises
    ------
    ReportError
        If there is more than one; rows that state none beside rows that do are a mixture too.
    """
    found = sorted(set(rows[column].astype("object").where(rows[column].notna(), NOT_STATED)))
    if len(found) > 1:
        raise ReportError(
            f"{what}: {column.replace('_', ' ')} is mixed: {', '.join(map(str, found))}",
            fix="return one, or convert at a stated rate (or to one price base) first; amounts were not added",
            stage="notebook",
            found=found,
        )
    return "" if not found or found[0] == NOT_STATED else str(found[0])
