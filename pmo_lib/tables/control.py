"""Tables of financial control: reserves, tests of the return, capital and running cost, actions, decisions."""

from __future__ import annotations

import pandas as pd

from pmo_lib.tables.html import HtmlTable, Show, html_table

SOURCE = Show("source_ref", "Source", "source")
KINDS = {"contingency": "contingency", "management_reserve": "management reserve"}


def positions_table(positions: pd.DataFrame) -> HtmlTable:
    """Write what is left of contingency and management reserve; see ``metrics.contingency.positions``."""
    rows = positions.assign(kind=positions["kind"].replace(KINDS), none="no entries in the book")
    rows["source_ref"] = rows["source_ref"].where(rows["project_id"].notna(), "sum of the projects")
    columns = [
        Show("name", "Project"),
        Show("kind", "Reserve"),
        Show("approved", "Approved", "money", reason="reason"),
        Show("drawn", "Drawn", "money", reason="none"),
        Show("returned", "Returned", "money", reason="none"),
        Show("remaining", "Left", "money", reason="reason"),
        Show("used_share", "Used", "share", reason="none"),
        Show("percent_complete", "Work done", "share", reason="burn_reason"),
        Show("burn_ratio", "Burn", "ratio", reason="burn_reason", note="used ÷ work done"),
        Show("burn", "Burn rating", "rating", reason="burn_reason"),
        Show("expected_money", "Exposure left", "money", reason="adequacy_reason", note="expected value, open risks"),
        Show("adequacy", "Left ÷ exposure", "ratio", reason="adequacy_reason"),
        Show("flags", "To be explained"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Contingency and management reserve, the smallest remainder first")


def book_table(entries: pd.DataFrame) -> HtmlTable:
    """Write the draws and returns, the latest first; see ``metrics.contingency.book_of_reserves``."""
    moved = entries[entries["movement"].ne("approved")].iloc[::-1]
    rows = moved.assign(
        kind=moved["kind"].replace(KINDS), none="none named", signed=_signed(moved), cause=_cause(moved)
    )
    columns = [
        Show("booked_on", "Day", "day", reason="none"),
        Show("name", "Project"),
        Show("kind", "Reserve"),
        Show("movement", "Entry"),
        Show("signed", "Amount", "money_signed"),
        Show("remaining", "Left in the project", "money"),
        Show("cause", "For which change or risk", "prose", reason="none"),
        Show("flags", "To be explained"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Draws and returns, the latest first")


def tests_table(findings: pd.DataFrame) -> HtmlTable:
    """Write every test with its rule and what it found, each finding with its row; see ``metrics.hygiene.findings``."""
    rows = findings.assign(told=findings["detail"].where(findings["detail"].notna(), findings["reason"]), none="–")
    columns = [
        Show("test", "Test"),
        Show("rule", "Listed is", "prose"),
        Show("examined", "Looked at", "number"),
        Show("name", "Project", reason="none"),
        Show("period", "Month", "month", reason="none"),
        Show("amount", "Amount", "money_signed", reason="none"),
        Show("told", "What was found", "prose"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Tests of the financial return, with each finding and its row")


def cost_types_table(types: pd.DataFrame) -> HtmlTable:
    """Write capital and running cost; see ``metrics.outlook.cost_types``."""
    rows = types.assign(none="the total is not above 0")
    columns = [
        Show("cost_type", "Type"),
        Show("budget", "Budget", "money"),
        Show("budget_share", "Share of the budget", "share", reason="none"),
        Show("outlook", "Outlook", "money"),
        Show("outlook_share", "Share of the outlook", "share", reason="none"),
    ]
    return html_table(rows, columns=columns, caption="Capital and running cost; the parts sum to the portfolio")


def corrective_actions_table(actions: pd.DataFrame) -> HtmlTable:
    """Write what is done about overspends; see ``metrics.followup.corrective_actions``."""
    idle = actions["reason"].ne("")
    rows = actions.assign(
        unknown=actions["reason"].where(idle, "not stated"),
        more=actions["reason"].where(~idle, "–").where(idle, "not stated"),
        no_share="budget not above 0",
    )
    columns = [
        Show("name", "Project"),
        Show("over", "Above budget", "money"),
        Show("over_share", "Share of budget", "share", reason="no_share"),
        Show("description", "Action", "prose", reason="unknown"),
        Show("owner", "Owner", reason="more"),
        Show("due_on", "Due", "day", reason="more"),
        Show("overdue_days", "Past due", "days_signed", reason="more"),
        Show("effect", "Effect so far", reason="more"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Projects above budget and their open actions, the largest first")


def next_decisions_table(dates: pd.DataFrame) -> HtmlTable:
    """Write the decisions and gates to come; see ``metrics.followup.next_decisions``."""
    words = pd.Series("not stated", index=dates.index, dtype="str")
    rows = dates.assign(none=words, gate=words.mask(dates["what"].eq("gate"), "–"))
    columns = [
        Show("due_on", "Day", "day", reason="none"),
        Show("days", "In", "days_signed", reason="none"),
        Show("subject", "Decision or gate", "prose"),
        Show("name", "Project", reason="none"),
        Show("decider", "Who decides", reason="gate"),
        Show("amount", "Money at stake", "money", reason="gate"),
        Show("cost_of_delay", "Delay costs a month", "money", reason="gate"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Decisions sought and gates to come, the nearest first")


def _cause(entries: pd.DataFrame) -> pd.Series:
    """Join change and risk of an entry, each with its id and title; null where it names neither."""
    told = []
    for row in entries.to_dict("records"):
        pairs = [(row[f"{kind}_id"], row[kind]) for kind in ("change", "risk")]
        words = [f"{key}: {title}" if pd.notna(title) else str(key) for key, title in pairs if pd.notna(key)]
        told.append("; ".join(words) or None)
    return pd.Series(told, index=entries.index, dtype="object")


def _signed(entries: pd.DataFrame) -> pd.Series:
    return entries["amount"].where(entries["movement"].ne("drawn"), -entries["amount"])
