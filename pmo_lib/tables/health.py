"""Tables of the health check: decisions, changes, ratings, rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmo_lib.tables.html import HtmlTable, Show, html_table
from pmo_lib.theme import month

if TYPE_CHECKING:
    import pandas as pd

SOURCE = Show("source_ref", "Source", "source")


def decisions_table(decisions: pd.DataFrame) -> HtmlTable:
    """Write the open decisions; see ``metrics.health.decisions_sought``."""
    columns = [
        Show("ask", "Decision sought", "prose"),
        Show("name", "Project"),
        Show("amount", "Amount", "money", reason="amount_reason"),
        Show("due_on", "Deadline", "day", reason="due_on_reason"),
        Show("days_left", "Days left", "number", reason="due_on_reason"),
        Show("cost_of_delay", "Delay, a month", "money", reason="cost_of_delay_reason"),
        Show("decider", "Who decides", reason="decider_reason"),
        Show("asked_before", "Asked before", "number", note="earlier reports in which it was open"),
        SOURCE,
    ]
    return html_table(decisions, columns=columns, caption="Open decisions, the nearest deadline first")


def changes_table(changed: pd.DataFrame) -> HtmlTable:
    """Write what changed since the last report; see ``metrics.health.changes``."""
    columns = [
        Show("topic", "What"),
        Show("change", "Change"),
        Show("projects", "Projects", "number"),
        Show("out_of", "Out of", "number", note="ratings and dates: comparable ones; membership: ours then or now"),
        Show("named", "First by size", "prose"),
    ]
    return html_table(changed, columns=columns, caption=f"Changes since {month(changed['since'].iloc[0])}")


def movers_table(moved: pd.DataFrame) -> HtmlTable:
    """Write the ratings that moved; see ``metrics.ratings.movers``."""
    columns = [
        Show("name", "Project"),
        Show("assessor_role", "Rater"),
        Show("since", "Since", "month"),
        Show("rating_before", "Before", "rating"),
        Show("rating", "Now", "rating"),
        Show("movement", "Movement"),
        Show("rating_scale", "Scale"),
        SOURCE,
    ]
    return html_table(moved, columns=columns, caption="Ratings that moved: same rater, same scale")


def flows_table(counts: pd.DataFrame) -> HtmlTable:
    """Write the transitions that occurred; see ``metrics.ratings.flows``."""
    columns = [
        Show("assessor_role", "Rater"),
        Show("rating_scale", "Scale"),
        Show("since", "Since", "month"),
        Show("rating_before", "From", "rating"),
        Show("rating", "To", "rating"),
        Show("projects", "Projects", "number"),
    ]
    return html_table(counts[counts["projects"] > 0], columns=columns, caption="Transitions of ratings that occurred")


def incomparable_table(apart: pd.DataFrame) -> HtmlTable:
    """Write what cannot be compared, and why; see ``metrics.ratings.incomparable``."""
    columns = [
        Show("name", "Project"),
        Show("assessor_role", "Rater"),
        Show("since", "Since", "month"),
        Show("rating_before", "Before", "rating", reason="none_before"),
        Show("rating", "Now", "rating", reason="rating_reason"),
        Show("note", "Why not", "prose"),
        SOURCE,
    ]
    rows = apart.assign(none_before="none by this rater")
    return html_table(rows, columns=columns, caption="Not comparable: never counted as better or worse")


def counts_table(counts: pd.DataFrame) -> HtmlTable:
    """Write counts and shares of ratings; see ``metrics.ratings.counts``."""
    columns = [
        Show("period", "Report", "month"),
        Show("assessor_role", "Rater"),
        Show("rating_scale", "Scale"),
        Show("rating", "Rating"),
        Show("projects", "Projects", "number"),
        Show("share", "Share of rated", "share", reason="no_share"),
        Show("rated", "Rated", "number"),
    ]
    rows = counts.assign(no_share="not a rating")
    return html_table(rows, columns=columns, caption="Ratings by report and rater")


def rules_table(used: pd.DataFrame) -> HtmlTable:
    """Write every threshold and formula with its source; see ``metrics.health.rules``."""
    columns = [
        Show("rule", "Rule"),
        Show("value", "Value"),
        Show("formula", "Formula", "prose"),
        Show("source", "Source", "prose"),
    ]
    return html_table(used, columns=columns, caption="Rules of this report")
