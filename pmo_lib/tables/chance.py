"""Tables of a simulation: chances by project, drivers, critical tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmo_lib.tables.html import HtmlTable, Show, html_table

if TYPE_CHECKING:
    import pandas as pd

SOURCE = Show("source_ref", "Source", "source")


def chance_table(levels: pd.DataFrame) -> HtmlTable:
    """Write percentiles and chances of the portfolio and its projects; see ``metrics.chance.levels``."""
    money = (("spent", "Spent"), ("forecast", "Forecast"), ("budget", "Budget"), ("mean", "Mean"), ("p50", "P50"),
             ("p80", "P80"), ("p90", "P90"))  # fmt: skip
    rows = levels.assign(by_project="by project", budget_told=levels["budget_reason"].where(levels["reason"].eq("")))
    columns = [
        Show("name", "Level"),
        *(Show(name, label, "money", reason="budget_told" if name == "budget" else "reason") for name, label in money),
        Show("p80_above", "P80 − forecast", "money_signed", reason="reason"),
        Show("sum_p80", "Sum of P80s", "money", note="no percentile of anything"),
        Show("chance_of_budget", "Chance of the budget", "share", reason="budget_told"),
        Show("finish_baseline_on", "Baseline finish", "day", reason="finish_reason"),
        Show("finish_p50_on", "P50 finish", "day", reason="finish_reason"),
        Show("finish_p80_on", "P80 finish", "day", reason="finish_reason"),
        Show("chance_of_finish", "Chance of the baseline finish", "share", reason="finish_reason"),
        Show("joint_confidence", "Chance of both", "share", reason="joint_reason"),
        Show("risks", "Risks priced", "number", reason="reason"),
        Show("risks_left_out", "Open, not priced", "number", reason="reason"),
        Show("basis", "Cost to go from"),
        Show("days_basis", "Days to go from"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Cost and finish at completion, simulated")


def drivers_table(drivers: pd.DataFrame) -> HtmlTable:
    """Write what each driver does to P80 and to the finish of its project; see ``metrics.chance.drivers``."""
    rows = drivers.assign(finish_reason=_finish_reasons(drivers))
    columns = [
        Show("name", "Driver"),
        Show("risk_id", "Risk"),
        Show("project_id", "Project"),
        Show("kind", "Kind"),
        Show("moves_p80", "Moves P80 by", "money_signed", reason="reason"),
        Show("rank_correlation", "Rank correlation", "ratio", reason="reason"),
        Show("finish_p80_days", "Moves its project's P80 finish by", "days_signed", reason="finish_reason"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Drivers of the P80 of cost and finish")


def _finish_reasons(drivers: pd.DataFrame) -> pd.Series:
    return drivers["driver"].map({"risk": "no delay stated, or no finish to come"}).fillna("–")


def critical_table(tasks: pd.DataFrame) -> HtmlTable:
    """Write the tasks to go with their criticality; see ``metrics.chance.critical_tasks``."""
    rows = tasks.assign(unvaried="does not vary")
    columns = [
        Show("task_id", "Task"),
        Show("name", "Name"),
        Show("project_id", "Project"),
        Show("low", "Days to go, low", "number"),
        Show("likely", "Most likely", "number"),
        Show("high", "High", "number"),
        Show("criticality", "Drives the finish in", "share"),
        Show("rank_correlation", "Rank correlation with the finish", "ratio", reason="unvaried"),
        Show("reason", "Range"),
    ]
    return html_table(rows, columns=columns, caption="Tasks to go, by how often they drive the finish")
