"""How good the outlooks of past fiscal years were: each against the year's out-turn, by how far ahead it looked.

WAPE = Σ |outlook − out-turn| / Σ |out-turn|, bias = Σ (outlook − out-turn) / Σ |out-turn|; positive is too high an
outlook. A mean of percentage errors is not used: it cannot be taken where an out-turn is 0, and small projects rule it
(Hyndman and Koehler, *International Journal of Forecasting* 22, 2006).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.accounts import outlooks
from pmo_lib.metrics.fiscal import MONTHS_OF_YEAR, FiscalYear
from pmo_lib.metrics.money import one_base

if TYPE_CHECKING:
    from pmo_lib.metrics.fiscal import View

MISS_COLUMNS = [
    "year",
    "period",
    "months_ahead",
    "project_id",
    "own_of",
    "name",
    "outlook",
    "out_turn",
    "error",
    "currency",
]
HORIZON_COLUMNS = ["months_ahead", "outlooks", "years", "wape", "bias", "reason", "out_turn", "currency"]
ZERO = "the out-turn is 0"


def outlook_errors(
    finance_history: pd.DataFrame, *, projects: pd.DataFrame, states: pd.DataFrame, view: View
) -> pd.DataFrame:
    """Return the error of each outlook of a fiscal year that is over.

    Parameters
    ----------
    finance_history, projects, states
        Histories; ``finance`` with ``return_month`` in front.
    view
        Portfolio, month and fiscal calendar of the report.

    Returns
    -------
    DataFrame
        :data:`MISS_COLUMNS`, one row per return within a year that is over and unit with an outlook and an out-turn.
        ``months_ahead`` counts from the return to the year's end. The out-turn is the year's actual cost in the first
        return after its end (in that of its last month where there is none); adjustments after that are not in it.

    Raises
    ------
    ReportError
        If currencies are mixed.
    """
    months = sorted(month for month in finance_history["return_month"].unique() if month <= view.period)
    years = sorted({FiscalYear.of(month, start_month=view.start_month) for month in months})
    known = {"projects": projects, "states": states}
    parts = [
        _errors_of(finance_history, year=year, months=months, known=known, view=view)
        for year in years
        if year.end < view.period
    ]
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=MISS_COLUMNS)
    table = pd.concat(filled, ignore_index=True)
    one_base(table, column="currency", what=f"past outlooks of {view.portfolio_id}")
    return table.sort_values(["year", "period", "name", "project_id", "own_of"], kind="stable", ignore_index=True)


def by_horizon(errors: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy and bias by months ahead, nearest last.

    Returns
    -------
    DataFrame
        :data:`HORIZON_COLUMNS`: ``outlooks`` (of a unit, in a return) and ``years`` are behind each figure. ``wape`` is
        over the units, ``bias`` that of their total; null with ``reason`` where the out-turn is 0.
    """
    if errors.empty:
        return pd.DataFrame(columns=HORIZON_COLUMNS)
    sized = errors.assign(size=errors["error"].abs(), turned=errors["out_turn"].abs())
    grouped = sized.groupby("months_ahead")
    table = grouped[["size", "error", "turned", "out_turn"]].sum()
    whole = table["turned"].where(table["turned"].gt(0))
    table = table.assign(
        outlooks=grouped.size(), years=grouped["year"].nunique(), wape=table["size"] / whole,
        bias=table["error"] / whole,
        reason=whole.isna().map({True: ZERO, False: ""}), currency=errors["currency"].iloc[0],
    )  # fmt: skip
    return table.sort_index(ascending=False).reset_index()[HORIZON_COLUMNS]


def _errors_of(
    finance_history: pd.DataFrame, *, year: FiscalYear, months: list[str], known: dict[str, pd.DataFrame], view: View
) -> pd.DataFrame:
    """Return the errors of the returns within one year that is over."""
    within = [month for month in months if 1 <= year.number(month) <= MONTHS_OF_YEAR]
    after = [month for month in months if year.end <= month <= view.period]
    turned = _out_turns(finance_history, year=year, months=after, known=known)
    if turned.empty:
        return pd.DataFrame(columns=MISS_COLUMNS)
    said = outlooks(finance_history, **known, returns=dict.fromkeys(within, year.end))
    said = said[said["portfolio_id"].eq(view.portfolio_id) & said["outlook"].notna()]
    both = said.merge(turned, on=["own_of", "project_id"])
    left = both["period"].map({month: MONTHS_OF_YEAR - year.number(month) for month in within})
    return both.assign(year=year.label, months_ahead=left, error=both["outlook"] - both["out_turn"])[MISS_COLUMNS]


def _out_turns(
    finance_history: pd.DataFrame, *, year: FiscalYear, months: list[str], known: dict[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return what each unit with actual cost of the year spent in it, as the first return after its end has it."""
    later = [month for month in months if month > year.end][:1]
    asked = dict.fromkeys([*later, *(month for month in months if month == year.end)], year.end)
    spent = finance_history[finance_history["measure"].eq("actual") & finance_history["return_month"].isin(list(asked))]
    inside = [1 <= year.number(month) <= MONTHS_OF_YEAR for month in spent["period"]]
    owners = set(zip(spent["return_month"][inside], spent["project_id"][inside].fillna(""), strict=True))
    if not owners:
        return pd.DataFrame(columns=["own_of", "project_id", "out_turn"])
    rows = outlooks(finance_history, **known, returns=asked)
    actual = [key in owners for key in zip(rows["period"], rows["project_id"], strict=True)]
    rows = rows[actual].dropna(subset="outlook").sort_values("period", ascending=False, kind="stable")
    one = rows.drop_duplicates(["own_of", "project_id"]).rename(columns={"outlook": "out_turn"})
    return one[["own_of", "project_id", "out_turn"]]
