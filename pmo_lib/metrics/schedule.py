"""Dates: movements of the finish, promises that came due, baselines and what they were moved for, milestones.

Slip is measured against a baseline. Where a source publishes only its *latest approved* dates, a change of such a date is a
movement of the approved baseline and not a slip; which of the two a table holds follows from the column it was made of.
All days are calendar days, positive is later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics.movement import (
    JOINED, LEFT, MOVED_IN, MOVED_OUT, Between, names_of, neighbours, paired, reasons, status_dates,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pmo_lib.parameters.models import Organisation, Thresholds

FINISH_COLUMNS = (
    "project_id", "name", "finish_before_on", "finish_on", "moved_days", "reason", "start_moved_days", "flag", "basis",
    "source_ref",
)  # fmt: skip
BINS: tuple[tuple[str, float, float], ...] = (
    ("earlier by more than a year", float("-inf"), -365),
    ("earlier by up to a year", -365, 0),
    ("unchanged", 0, 0),
    ("later by up to 90 days", 0, 90),
    ("later by 91 days to a year", 90, 365),
    ("later by 1 to 2 years", 365, 730),
    ("later by more than 2 years", 730, float("inf")),
)
OUTCOMES = (
    "met on time", "met late", "moved later", "date passed, nothing said", "no date any more", "left the data",
)  # fmt: skip
PROMISE_COLUMNS = ("period", "since", "kind", "project_id", "name", "item", "promised_on", "outcome", "now_on", "late_days")
MILESTONE, FINISH = "milestone", "approved or forecast end of a project"


def finish_column(settings: Organisation) -> str:
    """Return the column of ``projects`` whose movement is shown: the approved date where that is all there is."""
    return "finish_baseline_on" if settings.baseline_is_latest_approved else "finish_forecast_on"


def finishes(projects: pd.DataFrame, *, column: str, states: pd.DataFrame, between: Between) -> pd.DataFrame:
    """Compare the finish date of each project now with that of the earlier report.

    Parameters
    ----------
    projects, states
        Histories.
    column
        See :func:`finish_column`.

    Returns
    -------
    DataFrame
        :data:`FINISH_COLUMNS`, a row for each project that is ours now, largest movement first, not computable last.
        ``moved_days`` is null where ``reason`` says so. ``start_moved_days`` is the movement of the baseline start;
        ``flag`` says ``re-approved after it had lapsed``, ``lapsed``, ``start moved``, joined by ``; ``.
    """
    pairs = _here(paired(projects, column=column, between=between), projects=projects, between=between)
    starts = paired(projects, column="start_baseline_on", between=between).set_index("project_id")
    now = between.now(projects).drop_duplicates("project_id").set_index("project_id")
    ids = pairs["project_id"]
    table = pd.DataFrame(
        {
            "project_id": ids,
            "name": pairs["name"],
            "finish_before_on": pairs["before"],
            "finish_on": pairs["now"],
            "moved_days": (pairs["now"] - pairs["before"]).dt.days.astype("Int64"),
            "start_moved_days": _days(starts["now"] - starts["before"]).reindex(ids).to_numpy(),
            "basis": column,
            "source_ref": now["source_ref"].reindex(ids).to_numpy(),
        }
    )
    table["reason"] = _why_not(pairs, projects=projects, states=states, place=(column, between))
    table["flag"] = _finish_flags(table, on=_status_date(projects))
    order = table.assign(size=table["moved_days"].astype("float64"))
    return order.sort_values(["size", "name"], ascending=[False, True], kind="stable")[list(FINISH_COLUMNS)]
