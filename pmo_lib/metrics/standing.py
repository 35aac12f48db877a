"""How the portfolios' returns came in, beside what their reports published, and what is last known of the silent ones.

What was not returned is in no total, neither as zero nor as a fall: its last known figures stand beside the totals.
"""

from __future__ import annotations

import pandas as pd

from pmo_lib.metrics.facts import FINANCE, HEALTH, RISK
from pmo_lib.metrics.portfolio import COMPLETE, ENDED
from pmo_lib.metrics.submission import LATE, PARTIAL, arrival_words

# Column, report and name of the figures that are told of a portfolio that returned nothing usable.
LAST_KNOWN = (
    ("last_projects", HEALTH, "projects"),
    ("last_cost", FINANCE, "whole_life_cost"),
    ("last_outlook", FINANCE, "in_year_outlook"),
    ("last_exposure", RISK, "exposure_net"),
)
ARRIVED = ["arrival", "arrived", "punctuality", "days_late", "known"]


def with_returns(covered: pd.DataFrame, *, arrivals: pd.DataFrame, last_known: pd.DataFrame) -> pd.DataFrame:
    """Add to the coverage how each return came in, and the last known figures of what nobody returned.

    Parameters
    ----------
    covered
        Result of :func:`pmo_lib.metrics.portfolio.coverage`.
    arrivals
        Result of :func:`pmo_lib.metrics.submission.arrivals`, of one period.
    last_known
        Figures that the pages of silent portfolios published: ``portfolio_id, period, report, name, value, unit``;
        ``period`` is the month that they speak of.

    Returns
    -------
    DataFrame
        ``covered`` with ``arrival`` (returned, partial, not returned or refused; null where nothing was owed),
        ``arrived`` (the same in words), ``punctuality, days_late, known, usable, noteworthy`` (something to know before
        any figure is read) and ``last_period, last_projects, last_cost, last_outlook, last_exposure``, null where
        something usable came. What is noteworthy stands before the rest.
    """
    words = [arrival_words(row) for row in arrivals.to_dict("records")]
    came = arrivals.assign(arrived=words).rename(columns={"state": "arrival"}).set_index("portfolio_id")
    table = covered.join(came[ARRIVED], on="portfolio_id")
    owing = table["state"].ne(ENDED)
    usable: pd.Series = table["known"].isin(arrivals["period"])
    silent = owing & ~usable
    for column, report, name in LAST_KNOWN:
        said = last_known[last_known["report"].eq(report) & last_known["name"].eq(name)].drop_duplicates("portfolio_id")
        told = table["portfolio_id"].map(said.set_index("portfolio_id")["value"]).astype("float64").where(silent)
        older = table[column].astype("float64") if column in table.columns else None
        table[column] = told if older is None else told.where(told.notna(), older)
    costs = last_known[last_known["name"].eq("whole_life_cost")].drop_duplicates("portfolio_id")
    unit = table["portfolio_id"].map(costs.set_index("portfolio_id")["unit"])
    table["currency"] = table["currency"].astype(object).where(table["currency"].notna(), unit.where(silent))
    table["last_period"] = table["known"].where(silent & table["known"].ne(""), table["last_period"])
    table["cause"] = table["cause"].where(usable | ~owing | table["cause"].str.contains("failed|missing"), "")
    first = table["state"].ne(COMPLETE) | silent | table["arrival"].eq(PARTIAL) | table["punctuality"].eq(LATE)
    order = first.sort_values(ascending=False, kind="stable").index
    return table.assign(usable=usable, noteworthy=first).loc[order].reset_index(drop=True)
