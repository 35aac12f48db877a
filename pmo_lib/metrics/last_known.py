"""What was last known of values that came back blank: shown as such, with its report, and never as a fall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics.movement import NOT_RETURNED, Between
from pmo_lib.theme import month

if TYPE_CHECKING:
    from collections.abc import Callable

LAST_KNOWN_COLUMNS = ("project_id", "last_known", "last_known_period")


def last_known(projects_history: pd.DataFrame, *, column: str, reasons: pd.Series, between: Between) -> pd.DataFrame:
    """Return the last value of a column of ``projects`` for every project of ours that did not return it now.

    Parameters
    ----------
    projects_history
        History of the table ``projects``.
    column
        A date or an amount.
    reasons
        By ``project_id``: why there is no value now; only what was not returned is looked up.
    between
        Our report.

    Returns
    -------
    DataFrame
        :data:`LAST_KNOWN_COLUMNS`, by project; without those that never had a value.
    """
    silent = reasons[reasons.str.startswith(NOT_RETURNED)].index
    earlier = projects_history[projects_history["period"].lt(between.period) & projects_history[column].notna()]
    rows = earlier[earlier["project_id"].isin(silent)].sort_values(["project_id", "period"], kind="stable")
    last = rows.drop_duplicates("project_id", keep="last")
    table = last.rename(columns={column: "last_known", "period": "last_known_period"})
    return table[list(LAST_KNOWN_COLUMNS)].reset_index(drop=True)


def in_words(reasons: pd.Series, *, known: pd.DataFrame, write: Callable[[Any], str]) -> pd.Series:
    """Put what was last known in the place of the reason: ``not returned; last known $4.10m, May 2019``.

    Parameters
    ----------
    reasons
        By ``project_id``.
    known
        Result of :func:`last_known`.
    write
        Writes one value for people.
    """
    words = {
        project: f"{NOT_RETURNED}; last known {write(value)}, {month(str(period))}"
        for project, value, period in known.itertuples(index=False, name=None)
    }
    told = [words.get(project, reason) for project, reason in reasons.items()]
    return pd.Series(told, index=reasons.index, dtype="str")
