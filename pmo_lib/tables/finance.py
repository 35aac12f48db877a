"""Tables of the financial outlook: levels, phasing, run-rates, bridges, spending against plan, disclosure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmo_lib.tables.html import HtmlTable, Show, html_table
from pmo_lib.theme import month

if TYPE_CHECKING:
    import pandas as pd

SOURCE = Show("source_ref", "Source", "source")
INDENTS = {"portfolio": "", "programme": "", "project": "· ", "own": "· "}
FLOWS = {
    "transfers": "of it transfers", "recharges": "Recharges", "adjustments": "Prior-year adjustments",
}  # fmt: skip
STEP_WORDS = {"before": "Total before", "now": "Total now", "plan": "Plan", "outlook": "Outlook"}


def levels_table(levels: pd.DataFrame) -> HtmlTable:
    """Write the year at every level; see ``metrics.outlook.levels``."""
    marks = levels["level"].map(INDENTS)
    totals = levels["level"].isin(["portfolio", "programme"])
    rows = levels.assign(
        name=marks + levels["name"].astype("str"),
        figures=[
            f"{paired} of {count}" if is_total else ""
            for paired, count, is_total in zip(levels["projects_paired"], levels["projects"], totals, strict=True)
        ],
    )
    told = levels[list(FLOWS)].notna().any()
    columns = [
        Show("name", "Level"),
        Show("figures", "Projects with a variance"),
        Show("plan", "FY plan", "money", reason="plan_reason"),
        Show("budget", "Budget", "money", reason="budget_reason", note="the plan where no budget was returned"),
        *(Show(part, label, "money_signed", reason=f"{part}_reason") for part, label in FLOWS.items() if told[part]),
        Show("ytd_plan", "Plan to date", "money", reason="months_reason"),
        Show("ytd_actual", "Actual to date", "money", reason="months_reason"),
        Show("accruals", "Accruals", "money", reason="none_reason"),
        Show(
            "commitments",
            "Commitments",
            "money",
            reason="none_reason",
            note="ordered, not received; not in the outlook",
        ),
        Show("remaining_forecast", "Forecast to come", "money", reason="months_reason"),
        Show("outlook", "Outlook", "money", reason="outlook_reason"),
        Show(
            "variance", "Variance", "money_signed", reason="variance_reason", note="budget − outlook: + is under budget"
        ),
        Show("previous_outlook", "Outlook before", "money", reason="previous_reason"),
        Show("movement", "Movement", "money_signed", reason="previous_reason", note="outlook − outlook before"),
    ]
    year = levels["year"].iloc[0]
    return html_table(
        rows, columns=columns, caption=f"Fiscal year {year} at every level; each level is the sum of those below"
    )


def phased_table(phased: pd.DataFrame) -> HtmlTable:
    """Write plan, actual and outlook by month; see ``metrics.outlook.phased``."""
    rows = phased.assign(reason="to come")
    columns = [
        Show("month", "Month", "month"),
        Show("plan", "Plan", "money"),
        Show("actual", "Actual", "money", reason="reason"),
        Show("outlook", "Outlook", "money", note="actual and the last accrual, then forecast"),
        Show("plan_cumulative", "Plan, cumulative", "money"),
        Show("actual_cumulative", "Actual, cumulative", "money", reason="reason"),
        Show("outlook_cumulative", "Outlook, cumulative", "money"),
    ]
    if "p80_cumulative" in rows:
        rows = rows.assign(past=rows["closed"].map({True: "spent", False: "nothing to come"}))
        columns += [Show(f"{name.lower()}_cumulative", f"{name}, cumulative", "money", reason="past")
                    for name in ("P50", "P80")]  # fmt: skip
    return html_table(rows, columns=columns, caption="The year by month")


def run_rates_table(rates: pd.DataFrame) -> HtmlTable:
    """Write the run-rates; see ``metrics.outlook.run_rates``."""
    columns = [Show("label", "Figure"), Show("value", "Amount", "money", reason="reason", unit="unit")]
    return html_table(rates, columns=columns, caption="Run-rates of the year")


def years_table(years: pd.DataFrame) -> HtmlTable:
    """Write plan and outlook by fiscal year; see ``metrics.cost.years``."""
    columns = [
        Show("year", "Fiscal year"),
        Show("period", "As reported in", "month"),
        Show("projects", "Projects", "number"),
        Show("paired", "With both figures", "number"),
        Show("plan_only", "Plan only", "number"),
        Show("outlook_only", "Outlook only", "number"),
        Show("plan", "Plan", "money"),
        Show("outlook", "Outlook", "money"),
        Show("variance", "Above (+) or below (−) plan", "money_signed"),
        Show("variance_share", "Share of plan", "share_signed"),
    ]
    return html_table(
        years, columns=columns, caption="Plan and outlook by fiscal year, over the projects with both figures"
    )


def steps_table(steps: pd.DataFrame) -> HtmlTable:
    """Write the steps of a bridge; see ``metrics.bridge``."""
    words = steps["step"].replace(STEP_WORDS)
    others = steps["kind"].eq("others")
    signed = steps["amount"].where(steps["kind"].ne("total"))
    rows = steps.assign(
        step=words.mask(others, "all others"), change=signed, total=steps["amount"].mask(signed.notna())
    )
    rows["nothing"] = ""
    columns = [
        Show("step", "Step"),
        Show("projects", "Projects", "number"),
        Show("valued", "With a figure", "number"),
        Show("change", "Change", "money_signed", reason="dash"),
        Show("total", "Total", "money", reason="dash"),
    ]
    return html_table(
        rows.assign(dash="–"), columns=columns, caption="The bridge, step by step; the parts sum to the whole"
    )


def bridge_table(rows: pd.DataFrame) -> HtmlTable:
    """Write a bridge project by project, the largest amounts first; see ``metrics.bridge.bridge``."""
    size = rows["amount"].abs()
    ordered = rows.assign(size=size).sort_values(["size", "project_id"], ascending=[False, True], kind="stable")
    came, moved = ordered["cause"].eq("moved in"), ordered["cause"].isin(["moved in", "moved out"])
    shown = ordered.assign(
        then=ordered["cause"].map({"joined": "not there", "moved in": "elsewhere"}).fillna("not published"),
        today=ordered["reason"].where(ordered["reason"].ne(""), ordered["cause"]),
        since=ordered["since_amount"].where(came),
        dash="–",
    )
    columns = [
        Show("name", "Project"),
        Show("cause", "Cause"),
        Show("before", "Before", "money", reason="then"),
        Show("now", "Now", "money", reason="today"),
        Show("amount", "Change of the total", "money_signed"),
        *([Show("since", "of it since the move", "money_signed", reason="dash")] if came.any() else []),
        *([Show("other_portfolio_id", "From or to")] if moved.any() else []),
        *([SOURCE] if "source_ref" in rows.columns else []),
    ]
    return html_table(shown, columns=columns, caption="Projects by the change that they made, the largest first")


def in_year_table(in_year: pd.DataFrame) -> HtmlTable:
    """Write spending against plan by project; see ``metrics.cost.in_year``."""
    rows = in_year.assign(
        run=[f"{under} of {known}" for under, known in zip(in_year["years_under"], in_year["years_known"], strict=True)]
    )
    columns = [
        Show("name", "Project"),
        Show("plan", "Plan", "money", reason="reason"),
        Show("outlook", "Outlook", "money", reason="reason"),
        Show("variance", "Above (+) or below (−) plan", "money_signed", reason="reason"),
        Show("variance_share", "Share of plan", "share_signed", reason="reason"),
        Show("run", "Years running below", note="of the years in a row with both figures"),
        SOURCE,
    ]
    return html_table(
        rows,
        columns=columns,
        caption=f"Spending of {in_year['year'].iloc[0]} against plan, the largest difference first",
    )


def under_table(underspends: pd.DataFrame) -> HtmlTable:
    """Write the large underspends and their end dates; see ``metrics.cost.underspends``."""
    columns = [
        Show("name", "Project"),
        Show("year", "Fiscal year"),
        Show("plan", "Plan", "money"),
        Show("outlook", "Outlook", "money"),
        Show("underspend_share", "Underspend, share of plan", "share"),
        Show("finish_before_on", "End date a year before", "day", reason="reason"),
        Show("finish_on", "End date", "day", reason="reason"),
        Show("moved_days", "Moved", "days_signed", reason="reason"),
        SOURCE,
    ]
    return html_table(underspends, columns=columns, caption="Large underspends, the latest year first")


def trend_table(trend: pd.DataFrame) -> HtmlTable:
    """Write how whole-life costs were published, report by report; see ``metrics.cost.disclosure_trend``."""
    columns = [
        Show("period", "Report", "month"),
        Show("projects", "Projects", "number"),
        Show("published", "Single figure", "number"),
        Show("range", "Range only", "number"),
        Show("withheld", "Withheld", "number"),
        Show("not set", "Not set", "number"),
        Show("not returned", "Not returned", "number"),
        Show("unreadable", "Unreadable", "number"),
        Show("published_share", "Share with a single figure", "share"),
    ]
    first, last = month(trend["period"].iloc[0]), month(trend["period"].iloc[-1])
    return html_table(trend, columns=columns, caption=f"Whole-life costs as published, {first} to {last}")
