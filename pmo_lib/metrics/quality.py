"""Can we trust what we were told: what was disclosed, withdrawn, submitted, and what intake found.

Completeness, validity and timeliness as in ISO/IEC 25012:2008, *Data quality model*; a withheld value is complete in
that sense and is counted apart.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from pmo_lib.contracts.tables import TABLES
from pmo_lib.metrics.movement import Between, names_of, reasons
from pmo_lib.theme import day, number

STATED = ("range", "withheld", "unreadable", "not returned")
DISCLOSURE_COLUMNS = (
    "column_name", "period", "cells", "reported", "range", "withheld", "no_value", "published_share",
)  # fmt: skip
WITHDRAWN_COLUMNS = ("project_id", "name", "column_name", "before", "reason", "source_ref")
SUBMISSION_COLUMNS = ("submitted_on", "days_after", "status_rows", "projects", "named", "reason")
NAMED = 3
PLACE = ("period", "portfolio_id")
CONCEALED = ("withheld", "not returned", "unreadable")
UNDATED = "the return does not say when they came in"
SEVERITIES = ("error", "warning", "notice")
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


def withdrawn(states: pd.DataFrame, *, projects: pd.DataFrame, between: Between) -> pd.DataFrame:
    """List the dates and numbers of ``projects`` that the earlier report published and this one withholds.

    A value that is now a range is still published, and one that is now not set is not concealed.

    Returns
    -------
    DataFrame
        :data:`WITHDRAWN_COLUMNS`; ``before`` is the earlier value as text, ``reason`` why there is none now. Sorted by
        name, then in the order of the contract.
    """
    now = between.now(projects)
    before = between.before(projects).drop_duplicates("project_id").set_index("project_id")
    names = [column.name for column in TABLES["projects"].columns if column.kind in MEASURED_KINDS]
    parts = [
        _withdrawn(now, before=before[name].reindex(now["project_id"]).set_axis(now.index), states=states)
        for name in names
    ]
    whole = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return whole.sort_values(["name", "project_id"], kind="stable")[list(WITHDRAWN_COLUMNS)].reset_index(drop=True)


def submissions(status: pd.DataFrame, *, projects: pd.DataFrame, between: Between) -> pd.DataFrame:
    """Say on which days the status rows came in: projects without any first, then the latest day.

    Returns
    -------
    DataFrame
        :data:`SUBMISSION_COLUMNS`, one row per day. ``days_after`` counts from the status date; ``named`` has up to
        three projects, joined by ``; ``. Rows without a day share the last line, with the ``reason``.
    """
    now = between.now(status)
    known = names_of(projects)
    silent = between.now(projects).loc[lambda rows: ~rows["project_id"].isin(now["project_id"]), "project_id"]
    days = [(day, rows) for day, rows in now.groupby("submitted_on", sort=True)]
    undated = now[now["submitted_on"].isna()]
    lines = [
        _came(silent, known=known, reason="no status returned") | {"status_rows": 0},
        *(
            _came(rows["project_id"], known=known) | {"submitted_on": day, "on": rows["status_date"].max()}
            for day, rows in reversed(days)
        ),
        _came(undated["project_id"], known=known, reason=UNDATED),
    ]
    table = pd.DataFrame(lines, columns=[*SUBMISSION_COLUMNS, "on"])
    table[["submitted_on", "on"]] = table[["submitted_on", "on"]].astype("datetime64[us]")
    table["days_after"] = (table["submitted_on"] - table["on"]).dt.days.astype("Int64")
    return table.loc[table["projects"] > 0, list(SUBMISSION_COLUMNS)].reset_index(drop=True)


def findings_by_rule(findings: pd.DataFrame) -> pd.DataFrame:
    """Count what intake found: ``severity, rule, action, findings, example, fix``; errors first, then by number."""
    grouped = findings.groupby(["severity", "rule", "action"], sort=True)
    table = grouped.agg(findings=("message", "size"), example=("message", "first"), fix=("fix", "first")).reset_index()
    table["rank"] = table["severity"].map({severity: rank for rank, severity in enumerate(SEVERITIES)})
    table = table.sort_values(["rank", "findings"], ascending=[True, False], kind="stable")
    return table.drop(columns="rank").reset_index(drop=True)


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


def _withdrawn(now: pd.DataFrame, *, before: pd.Series, states: pd.DataFrame) -> pd.DataFrame:
    column = str(before.name)
    gone = now.loc[now[column].isna() & before.notna(), [*PLACE, "project_id", "name", "source_ref", column]]
    if gone.empty:
        return pd.DataFrame(columns=list(WITHDRAWN_COLUMNS))
    listed = gone[["project_id", "name", "source_ref"]].assign(
        column_name=column,
        before=[_as_text(value) for value in before.loc[gone.index]],
        reason=reasons(gone, states=states, table="projects", column=column),
    )
    return listed[listed["reason"].str.startswith(CONCEALED)]


def _came(project_ids: pd.Series, *, known: pd.Series, reason: str = "") -> dict[str, Any]:
    names = sorted(project_ids.map(known).dropna().unique())
    named = "; ".join([*names[:NAMED], f"and {len(names) - NAMED} more"] if len(names) > NAMED else names)
    return {"status_rows": len(project_ids), "projects": project_ids.nunique(), "named": named, "reason": reason}


def _as_text(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return day(value)
    amount = float(str(value))
    return number(amount, decimals=0 if amount.is_integer() else 2)
