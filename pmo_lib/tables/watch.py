"""Tables of risk over time: trend, burn-down, responses, overlaps, issues and promises between projects."""

from __future__ import annotations

import pandas as pd

from pmo_lib.tables.html import HtmlTable, Show, html_table
from pmo_lib.theme import month

SOURCE = Show("source_ref", "Source", "source")
RISK = (Show("title", "Title"), Show("risk_id", "Risk"), Show("project_id", "Project", reason="whole"))


def trend_table(trend: pd.DataFrame) -> HtmlTable:
    """Write exposure and number of risks, period by period; see ``metrics.risk_trend.exposure_trend``."""
    rows = trend.assign(first=trend["reason"].mask(trend["reason"].eq(""), "first register"))
    columns = [
        Show("period", "Register", "month"),
        Show("risks_open", "Open", "number", reason="reason"),
        Show("threats_open", "Threats", "number", reason="reason"),
        Show("opportunities_open", "Opportunities", "number", reason="reason"),
        Show("came", "Came", "number", reason="first"),
        Show("went", "Went", "number", reason="first"),
        Show("above_appetite", "Above appetite", "number", reason="reason"),
        Show("threats", "Threats, expected", "money_signed", reason="money_reason"),
        Show("opportunities", "Opportunities, expected", "money_signed", reason="money_reason"),
        Show("net", "Net", "money_signed", reason="money_reason"),
        Show("risks_unquantified", "Without money", "number", reason="reason"),
        Show("expected_days", "Net delay, summed", "days_signed", reason="money_reason"),
        Show("contingency_left", "Contingency left", "money", reason="contingency_reason"),
        Show("exposure_ratio", "Net ÷ contingency", "ratio", reason="money_reason"),
    ]
    return html_table(rows, columns=columns, caption="Open risks and exposure by register")


def burn_table(burn: pd.DataFrame) -> HtmlTable:
    """Write exposure beside its plans; see ``metrics.risk_trend.burn_down``."""
    since = month(str(burn["baseline"].iloc[0]))
    columns = [
        Show("on", "Day", "day"),
        Show("actual", "All open risks", "money_signed", reason="reason"),
        Show("followed", f"The risks of {since}", "money_signed", reason="reason"),
        Show("promised", f"Planned for them in {since}", "money_signed", reason="reason"),
        Show("gap", "Behind plan (+)", "money_signed", reason="reason"),
        Show("planned", "Planned from now on", "money_signed", reason="reason"),
    ]
    return html_table(burn, columns=columns, caption="Net exposure, and what was planned and is planned for it")


def responses_table(responses: pd.DataFrame) -> HtmlTable:
    """Write what each response has brought and costs; see ``metrics.responses.responses``."""
    rows = responses.assign(whole="whole portfolio", none="not stated")
    columns = [
        *RISK,
        Show("kind", "Kind"),
        Show("verdict", "Does it work?"),
        Show("response", "Response", reason="none"),
        Show("inherent_score", "Score before any response", "number", reason="levels_reason"),
        Show("score", "Score now", "number", reason="levels_reason"),
        Show("target_score", "Target score", "number", reason="levels_reason"),
        Show("expected_inherent", "Expected cost before", "money_signed", reason="value_reason"),
        Show("expected_money", "Now", "money_signed", reason="value_reason"),
        Show("expected_target", "At target", "money_signed", reason="value_reason"),
        Show("value_so_far", "Value so far", "money_signed", reason="value_reason"),
        Show("value_to_come", "Value to come", "money_signed", reason="value_reason"),
        Show("response_cost", "Cost of response", "money", reason="leverage_reason"),
        Show("leverage_so_far", "Leverage so far", "ratio", reason="leverage_reason"),
        Show("leverage", "Leverage at target", "ratio", reason="leverage_reason"),
        Show("age_days", "Age", "days", reason="none"),
        Show("owner", "Owner", reason="none"),
        SOURCE,
    ]
    caption = f"Responses, the most alarming first; {responses['rule'].iloc[0]}"
    return html_table(rows, columns=columns, caption=caption)


def overlaps_table(overlaps: pd.DataFrame) -> HtmlTable:
    """Write the risks that hang together; see ``metrics.overlaps.overlaps``."""
    rows = overlaps.assign(adds="they do add up")
    columns = [
        Show("words", "Cause or event", "prose"),
        Show("link", "What they share"),
        Show("risk_ids", "Risks", "prose"),
        Show("projects", "Projects", "prose"),
        Show("expected_money", "Expected cost, summed", "money_signed", reason="money_reason"),
        Show("counted_twice", "Counted twice", "money_signed", reason="adds"),
        Show("chance_together", "Chance of any, if together", "share", reason="chance_reason"),
        Show("chance_of_any", "Chance of any, if independent", "share", reason="chance_reason"),
        Show("expected_number", "Number that strikes, on average", "ratio", reason="chance_reason"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Open risks with one cause, or one event told more than once")


def issues_table(issues: pd.DataFrame) -> HtmlTable:
    """Write the open issues; see ``metrics.blockers.open_issues``."""
    rows = issues.assign(
        none="not stated", whole="whole portfolio", no_risk="no risk foresaw it", unknown="no actions were returned"
    )
    rows["foreseen"] = rows["risk_id"].where(rows["risk_title"].isna(), rows["risk_id"] + ": " + rows["risk_title"])
    columns = [
        Show("title", "Issue"),
        Show("issue_id", "Id"),
        Show("project_id", "Project", reason="whole"),
        Show("class", "Class", reason="none"),
        Show("severity", "Severity", "number", reason="none"),
        Show("blocker", "Blocker", "flag"),
        Show("escalation_level", "Escalated to"),
        Show("age_days", "Age", "days", reason="none"),
        Show("due_on", "Due", "day", reason="none"),
        Show("overdue_days", "Past due", "days_signed", reason="none"),
        Show("actions_open", "Open actions", "number", reason="unknown"),
        Show("foreseen", "Risk that struck", reason="no_risk"),
        Show("owner", "Owner", reason="none"),
        SOURCE,
    ]
    rules = str(issues["rule"].iloc[0])
    return html_table(rows, columns=columns, caption=f"Open issues, blockers first, the oldest first; {rules}")


def escalations_table(escalations: pd.DataFrame) -> HtmlTable:
    """Write the issues by level; see ``metrics.blockers.escalations``."""
    rows = escalations.assign(unknown="no actions were returned")
    columns = [
        Show("escalation_level", "Level"),
        Show("issues_open", "Open", "number"),
        Show("blockers", "Blockers", "number"),
        Show("overdue", "Overdue", "number"),
        Show("without_action", "Without open action", "number", reason="unknown"),
        Show("worst", "Worst severity", "number", reason="open_reason"),
        Show("median_age_days", "Half are older than", "days", reason="open_reason"),
        Show("oldest_days", "Oldest", "days", reason="open_reason"),
        Show("oldest", "Which", reason="open_reason"),
        Show("resolved", "Resolved", "number"),
        Show("median_days_to_resolve", "Half took longer than", "days", reason="resolved_reason"),
    ]
    return html_table(rows, columns=columns, caption="Issues by the level that they have reached, the gravest first")


def promises_table(promises: pd.DataFrame) -> HtmlTable:
    """Write the dependencies at risk; see ``metrics.blockers.dependencies_at_risk``."""
    rows = promises.assign(none="not stated", nothing="nothing")
    rows["breaks"] = rows["breaks"].mask(rows["breaks"].eq(""))
    columns = [
        Show("item", "Item"),
        Show("dependency_id", "Id"),
        Show("provider", "Provided by"),
        Show("recipient", "Needed by"),
        Show("trouble", "What is wrong", "prose"),
        Show("agreement", "Agreed by"),
        Show("sides", "The two returns"),
        Show("needed_on", "Needed", "day", reason="none"),
        Show("promised_on", "Promised", "day", reason="none"),
        Show("float_days", "Float", "days_signed", reason="float_reason"),
        Show("breaks", "Delayed", "prose", reason="nothing"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Open dependencies that are late, not agreed, or told differently")
