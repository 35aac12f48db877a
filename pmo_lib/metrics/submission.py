"""When returns came in, and how: on time, late, in part, or not at all.

Currentness as in ISO/IEC 25012:2008: a return is late when any of its dated status rows came in after the day on which
it was due. A portfolio that did not return has not fallen; it is last known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.theme import counted, month

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.parameters.models import Thresholds

ON_TIME, LATE, UNDATED = "on time", "late", "day not stated"
NOT_RETURNED, REFUSED, PARTIAL = "not returned", "refused", "partial"
ARRIVAL_COLUMNS = (
    "period", "portfolio_id", "state", "punctuality", "status_on", "due_on", "came_on", "days_after", "days_late",
    "status_rows", "rows_late", "rows_undated", "silent", "named", "known", "reason", "file",
)  # fmt: skip
NAMED = 3


def arrivals(
    returns: pd.DataFrame, *, status: pd.DataFrame, projects: pd.DataFrame, limits: Thresholds
) -> pd.DataFrame:
    """Say of each return when it was due, when it came in, and in which state.

    Parameters
    ----------
    returns
        ``period, status_on, portfolio_id, state, file, reason, known``, one row per portfolio and period.
    status, projects
        Histories of the tables over the same periods.
    limits
        How many days after its status date a return is due.

    Returns
    -------
    DataFrame
        :data:`ARRIVAL_COLUMNS`, one row per row of ``returns``, in its order. ``came_on`` is the last day that a status
        row of the return names; ``days_after`` counts from the status date and ``days_late`` from the day it was due
        (negative: in time). ``punctuality`` is on time, late or day not stated; null where nothing usable was returned.
        ``silent`` projects have no status row; up to three of them are ``named``.
    """
    keys = ["period", "portfolio_id"]
    due = returns["status_on"] + pd.Timedelta(days=limits.submission_due_days)
    table = returns.assign(due_on=due.astype("datetime64[us]"))
    rows = status[[*keys, "submitted_on"]].merge(table[[*keys, "due_on"]], on=keys, how="inner")
    rows = rows.assign(late=rows["submitted_on"] > rows["due_on"], undated=rows["submitted_on"].isna())
    counts = rows.groupby(keys, as_index=False).agg(
        came_on=("submitted_on", "max"), status_rows=("undated", "size"), rows_late=("late", "sum"),
        rows_undated=("undated", "sum"),
    )  # fmt: skip
    table = table.merge(counts, on=keys, how="left").merge(_silent(projects, status=status), on=keys, how="left")
    usable = table["known"].eq(table["period"])
    table["came_on"] = table["came_on"].astype("datetime64[us]").where(usable)
    numbers = ["status_rows", "rows_late", "rows_undated", "silent"]
    table[numbers] = table[numbers].fillna(0).astype("int64").where(usable, 0)
    table["days_after"] = (table["came_on"] - table["status_on"]).dt.days.astype("Int64")
    table["days_late"] = (table["came_on"] - table["due_on"]).dt.days.astype("Int64")
    table["named"] = table["named"].where(usable).fillna("")
    punctuality = pd.Series(ON_TIME, index=table.index, dtype="object").mask(table["rows_late"] > 0, LATE)
    table["punctuality"] = punctuality.mask(table["came_on"].isna(), UNDATED).where(usable)
    return table[list(ARRIVAL_COLUMNS)].reset_index(drop=True)


def noteworthy(arrived: pd.DataFrame) -> pd.DataFrame:
    """Return the arrivals that a reader must know of first: refused, not returned, partial or late, in this order."""
    rank = {REFUSED: 0, NOT_RETURNED: 1, PARTIAL: 2}
    order = arrived["state"].map(rank).fillna(len(rank))
    unusable = arrived["known"].ne(arrived["period"])
    told = unusable | arrived["state"].isin(rank) | arrived["punctuality"].eq(LATE)
    return arrived[told].loc[order[told].sort_values(kind="stable").index].reset_index(drop=True)


def arrival_words(arrival: Mapping[Any, Any]) -> str:
    """Say of one return how it came in: ``partial (1 row set aside), 17 days late``."""
    told = arrival["reason"] and arrival["state"] != NOT_RETURNED
    state = f"{arrival['state']} ({arrival['reason']})" if told else str(arrival["state"])
    if arrival["known"] != arrival["period"]:
        return f"{state}, last known {month(arrival['known'])}" if arrival["known"] else f"{state}, nothing known"
    if arrival["punctuality"] == LATE:
        return f"{state}, {counted(int(arrival['days_late']), noun='day')} late"
    return f"{state}, {arrival['punctuality']}"


def _silent(projects: pd.DataFrame, *, status: pd.DataFrame) -> pd.DataFrame:
    """Count and name the projects of each return that have no status row."""
    keys = ["period", "portfolio_id"]
    told = status[[*keys, "project_id"]].drop_duplicates().assign(told=True)
    rows = projects[[*keys, "project_id", "name"]].merge(told, on=[*keys, "project_id"], how="left")
    missing = rows[rows["told"].isna()].sort_values("name", kind="stable")
    return missing.groupby(keys, as_index=False).agg(silent=("name", "size"), named=("name", _named))


def _named(names: pd.Series) -> str:
    first = [str(name) for name in names.head(NAMED)]
    return "; ".join([*first, f"and {len(names) - NAMED} more"] if len(names) > NAMED else first)
