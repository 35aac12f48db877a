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
from pmo_lib.metrics.track_record import BESIDE_COLUMNS, OUTLOOK, named, set_beside

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
NEAR = 1  # months: as far ahead as now, give or take so many
ROUNDING = 1e-9


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


def outlook_promises(errors: pd.DataFrame, *, projects: pd.DataFrame, ahead: int, tolerance: float) -> pd.DataFrame:
    """Judge the outlooks of past years that looked as far ahead as one of now, each as a promise of its forecaster.

    Parameters
    ----------
    errors
        As :func:`outlook_errors` returns them.
    projects
        History, with managers and sponsors.
    ahead
        Months from now to the end of the year; outlooks of :data:`NEAR` more or fewer are used.
    tolerance
        An outlook is kept if the out-turn is off it by no more than this share, above or below.

    Returns
    -------
    DataFrame
        ``kind, project_id, name, forecaster, year, period, promised_amount, kept, miss``: one row for each amount that
        was given for a year of a unit, with the ``period`` that gave it first. ``miss`` is out-turn ÷ outlook − 1,
        positive is dearer; null where the outlook was 0.
    """
    near = errors[errors["months_ahead"].sub(ahead).abs().le(NEAR)].sort_values("period", kind="stable")
    given = near.drop_duplicates(["year", "own_of", "project_id", "outlook"])
    size = given["outlook"].astype("float64").abs()
    short = given["out_turn"].astype("float64") - given["outlook"].astype("float64")
    kept = short.abs().le(size * tolerance + ROUNDING * size)
    told = given.assign(kind=OUTLOOK, promised_amount=given["outlook"], kept=kept, miss=short / size.where(size.gt(0)))
    columns = ["kind", "project_id", "name", "forecaster", "year", "period", "promised_amount", "kept", "miss"]
    return named(told, projects=projects)[columns].reset_index(drop=True)


def outlooks_beside(
    in_year: pd.DataFrame, *, errors: pd.DataFrame, projects: pd.DataFrame, view: View, tolerance: float
) -> pd.DataFrame:
    """Set the outlook of this year of each project beside what became of earlier ones.

    Parameters
    ----------
    in_year
        ``project_id, outlook, currency, source_ref`` of this year.
    errors, projects, tolerance
        As in :func:`outlook_promises`.
    view
        Month and fiscal calendar of the report.

    Returns
    -------
    DataFrame
        As :func:`pmo_lib.metrics.track_record.beside`, the largest outlook first; empty where no past year has an
        outlook that looked as far ahead and an out-turn.
    """
    ahead = MONTHS_OF_YEAR - view.year.number(view.period)
    past = outlook_promises(errors, projects=projects, ahead=ahead, tolerance=tolerance)
    if past.empty:
        return pd.DataFrame(columns=list(BESIDE_COLUMNS))
    now = in_year[in_year["outlook"].notna()].sort_values("outlook", ascending=False, kind="stable")
    told = now[["project_id", "currency", "source_ref"]].assign(
        period=view.period, kind=OUTLOOK, item=OUTLOOK, promised_amount=now["outlook"].astype("float64"),
        promised_on=pd.Series(pd.NaT, index=now.index, dtype="datetime64[us]"),
    )  # fmt: skip
    table = set_beside(named(told, projects=projects), past=past)
    return table.sort_values("promised_amount", ascending=False, kind="stable", ignore_index=True)


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
