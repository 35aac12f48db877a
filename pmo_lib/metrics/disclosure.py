"""What is disclosed, column by column and report by report, and what was withdrawn or published again.

A withheld value is complete in the sense of ISO/IEC 25012:2008, *Data quality model*, and is counted apart.
"""

from __future__ import annotations

import pandas as pd

from pmo_lib.contracts.tables import TABLES
from pmo_lib.metrics.movement import Between, reasons
from pmo_lib.theme import day, number

STATED = ("range", "withheld", "unreadable", "not returned")
DISCLOSURE_COLUMNS = (
    "column_name", "period", "cells", "reported", "range", "withheld", "no_value", "published_share",
)  # fmt: skip
CHANGE_COLUMNS = ("change", "project_id", "name", "column_name", "value", "reason", "source_ref")
PUBLISHED_NOW = "published now"
PLACE = ("period", "portfolio_id")
CONCEALED = ("withheld", "not returned", "unreadable")
MEASURED_KINDS = ("date", "money", "number", "share", "level", "whole")


def drift(states: pd.DataFrame, *, projects: pd.DataFrame, between: Between) -> pd.DataFrame:
    """Count, period by period, how many cells of a column of ``projects`` were published: the drift of disclosure.

    Parameters
    ----------
    states, projects
        Histories.

    Returns
    -------
    DataFrame
        :data:`DISCLOSURE_COLUMNS`: a row for each column that ever had a cell withheld, given as a range, unreadable or
        not returned, and each period in which any of its cells says something. ``cells`` = ``reported`` + ``range`` +
        ``withheld`` + ``no_value``; ``published_share`` = (``reported`` + ``range``) ÷ ``cells``.
    """
    ours = states[states["portfolio_id"].eq(between.portfolio_id) & states["table_name"].eq("projects")]
    stated = set(ours.loc[ours["state"].isin(STATED), "column_name"])
    rows = projects[projects["portfolio_id"] == between.portfolio_id]
    parts = [
        _disclosed(rows[list(dict.fromkeys((*PLACE, "project_id", name)))], states=ours, column=name)
        for name in TABLES["projects"].names
        if name in stated
    ]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return whole.reindex(columns=list(DISCLOSURE_COLUMNS))


def changes(states: pd.DataFrame, *, projects: pd.DataFrame, between: Between) -> pd.DataFrame:
    """List the dates and numbers of ``projects`` that were published before and are withheld now, and the reverse.

    A value that is now a range is still published, and one that is now not set is not concealed.

    Returns
    -------
    DataFrame
        :data:`CHANGE_COLUMNS`; ``change`` is withheld now, unreadable now, not returned now or published now; ``value``
        is the published value as text, ``reason`` why there is, or was, none. What is gone stands first, then by name
        and in the order of the contract.
    """
    gone = _concealed(states, projects=projects, between=between)
    parts = [gone.assign(change=gone["reason"].str.extract(f"^({'|'.join(CONCEALED)})", expand=False) + " now")]
    if between.since is not None:
        earlier = _concealed(states, projects=projects, between=between.reverse())
        parts.append(earlier.assign(change=PUBLISHED_NOW))
    whole = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    first = whole.assign(last=whole["change"].eq(PUBLISHED_NOW))
    ordered = first.sort_values(["last", "name", "project_id"], kind="stable")
    return ordered[list(CHANGE_COLUMNS)].reset_index(drop=True)


def _disclosed(rows: pd.DataFrame, *, states: pd.DataFrame, column: str) -> pd.DataFrame:
    """Count the cells of one column by period."""
    words = reasons(rows, states=states, table="projects", column=column)
    counts = pd.DataFrame(
        {
            "period": rows["period"],
            "cells": 1,
            "reported": words.eq("").astype("int64"),
            "range": words.str.startswith("a range").astype("int64"),
            "withheld": words.str.startswith("withheld").astype("int64"),
        }
    )
    table_of_counts = counts.groupby("period", as_index=False).sum()
    told = table_of_counts["reported"] + table_of_counts["range"] + table_of_counts["withheld"]
    table_of_counts = table_of_counts[told > 0]
    published = table_of_counts["reported"] + table_of_counts["range"]
    return table_of_counts.assign(
        column_name=column,
        no_value=table_of_counts["cells"] - published - table_of_counts["withheld"],
        published_share=published / table_of_counts["cells"],
    )


def _concealed(states: pd.DataFrame, *, projects: pd.DataFrame, between: Between) -> pd.DataFrame:
    """Return what the other of two reports published and this one withholds, column by column."""
    now = between.now(projects)
    before = between.before(projects).drop_duplicates("project_id").set_index("project_id")
    names = [column.name for column in TABLES["projects"].columns if column.kind in MEASURED_KINDS]
    parts = [
        _gone(now, before=before[name].reindex(now["project_id"]).set_axis(now.index), states=states) for name in names
    ]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _gone(now: pd.DataFrame, *, before: pd.Series, states: pd.DataFrame) -> pd.DataFrame:
    column = str(before.name)
    gone = now.loc[now[column].isna() & before.notna(), [*PLACE, "project_id", "name", "source_ref", column]]
    if gone.empty:
        return pd.DataFrame(columns=[name for name in CHANGE_COLUMNS if name != "change"])
    listed = gone[["project_id", "name", "source_ref"]].assign(
        column_name=column,
        value=[_as_text(value) for value in before.loc[gone.index]],
        reason=reasons(gone, states=states, table="projects", column=column),
    )
    return listed[listed["reason"].str.startswith(CONCEALED)]


def _as_text(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return day(value)
    amount = float(str(value))
    return number(amount, decimals=0 if amount.is_integer() else 2)
