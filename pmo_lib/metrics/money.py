"""Money as whole minor units (pence, cents), and the bases in which it may be added.

Adding floats depends on the order; adding integers does not. A sum over two currencies or two price bases is no sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pmo_lib.parameters.models import Rate

NOT_STATED = "not stated"


def minor_units(amounts: pd.Series) -> pd.Series:
    """Return amounts as whole minor units: ``Int64``, null stays null."""
    return (amounts.astype("float64") * 100).round().astype("Int64")


def major_units(units: pd.Series) -> pd.Series:
    """Return whole minor units as ``float64`` amounts again."""
    return units.astype("Float64").astype("float64") / 100


def converted(rows: pd.DataFrame, *, columns: Sequence[str], rates: Mapping[str, Rate], currency: str) -> pd.DataFrame:
    """Return rows with the amounts that are in a currency with a stated rate turned into ``currency``.

    Each amount is rounded to the minor unit once, by itself, so that sums over any level stay exact. An amount in a
    currency without a rate is left as it is: :func:`one_base` refuses to add it.

    Parameters
    ----------
    rows
        Rows with a column ``currency``.
    columns
        The columns of money.
    rates
        By currency: units of ``currency`` for one unit, with day and source.
    """
    foreign = rows["currency"].isin([code for code in rates if code != currency])
    if not foreign.any():
        return rows
    per_unit = rows["currency"].map({code: rate.per_unit for code, rate in rates.items()}).where(foreign, 1.0)
    money = {name: rows[name].where(~foreign, (rows[name] * per_unit).round(2)) for name in columns}
    return rows.assign(**money, currency=rows["currency"].mask(foreign, currency))


def rates_used(rows: pd.DataFrame, *, rates: Mapping[str, Rate], currency: str) -> str:
    """Say at which rates amounts of these rows are converted; ``""`` where none is."""
    found = sorted({str(code) for code in rows["currency"].dropna().unique()} & {*rates} - {currency})
    return "; ".join(
        f"1 {code} = {rates[code].per_unit:g} {currency} ({rates[code].source}, {rates[code].on.isoformat()})"
        for code in found
    )


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
