"""Risk tables: what stands behind each figure, and the register itself, every row with its source."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pmo_lib.tables.html import HtmlTable, Show, html_table
from pmo_lib.theme import month

if TYPE_CHECKING:
    import pandas as pd

RISK = (Show("title", "Title"), Show("risk_id", "Risk"), Show("project_id", "Project", reason="whole"))
GRADE = Show("graded", "Grade", "rating")
SOURCE = Show("source_ref", "Source", "source")
MONEY = Show("expected_money", "Expected cost", "money_signed", reason="money_reason")


def _risks(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the words that stand where a risk has no project; an opportunity has no badge of danger."""
    rows = rows.assign(whole="whole portfolio", unsaid="not stated")
    if "grade" in rows.columns:
        chance = rows["kind"].eq("opportunity") & rows["grade"].notna()
        rows["graded"] = rows["grade"].mask(chance, "opportunity")
    return rows


def headline_table(headline: pd.DataFrame) -> HtmlTable:
    """Write exposure by kind in money and days, now and at the last register, with the net in the foot."""
    columns = [
        Show("kind", "Kind"),
        Show("risks_open", "Open", "number"),
        Show("risks_unquantified", "Without money", "number"),
        MONEY,
        Show("expected_money_before", "Last register", "money_signed", reason="before_reason"),
        Show("moved_money", "Movement", "money_signed", reason="before_reason"),
        Show("risks_without_days", "Without days", "number"),
        Show("expected_days", "Expected delay", "days_signed", reason="days_reason"),
        Show("expected_days_before", "Last register", "days_signed", reason="before_reason"),
        Show("moved_days", "Movement", "days_signed", reason="before_reason"),
    ]
    net = headline["kind"].eq("net")
    caption = "Exposure of the open risks: threats, opportunities and net"
    return html_table(headline.loc[~net], columns=columns, caption=caption, total=headline.loc[net].iloc[0])


def wanted_table(wanted: pd.DataFrame) -> HtmlTable:
    """Write the projects without an open risk, with their signs and their own words."""
    columns = [
        Show("name", "Project"),
        Show("rank", "Rank", "number"),
        Show("signs", "Signs", "number"),
        Show("rating", "Worst rating", "rating"),
        Show("rating_reason", "Not rated because"),
        Show("whole_life_cost", "Whole-life cost", "money", reason="cost_reason"),
        Show("cost_moved_share", "Cost moved", "share_signed", reason="before_reason"),
        Show("moved_days", "Finish moved", "days_signed", reason="before_reason"),
        Show("finish_on", "Finish", "day", reason="finish_reason"),
        SOURCE,
    ]
    rules = str(wanted["rules"].iloc[0])
    return html_table(wanted, columns=columns, caption=f"Projects without an open risk in the register. Signs: {rules}")


def spoken_table(spoken: pd.DataFrame) -> HtmlTable:
    """Write what the texts of projects without a register say of risk."""
    columns = [
        Show("name", "Project"),
        Show("subject", "Text on"),
        Show("sentence", "Word for word", "prose"),
        SOURCE,
    ]
    return html_table(spoken, columns=columns, caption="Sentences with the word risk, in the order of the list above")


def cover_table(cover: pd.DataFrame) -> HtmlTable:
    """Write exposure beside the contingency that is left, by project; see ``metrics.exposure.exposure_cover``."""
    columns = [
        Show("name", "Project"),
        Show("risks_open", "Open risks", "number"),
        Show("risks_unquantified", "Without money", "number"),
        Show("expected_money", "Net exposure", "money_signed", reason="money_reason"),
        Show("contingency_left", "Contingency left", "money", reason="contingency_reason"),
        Show("uncovered", "Not covered (+)", "money_signed", reason="ratio_reason"),
        Show("exposure_ratio", "Exposure ÷ contingency", "ratio", reason="ratio_reason"),
        Show("basis", "Contingency from"),
        SOURCE,
    ]
    return html_table(cover, columns=columns, caption="Net exposure and contingency left, the least covered first")


def drawdown_table(cover: pd.DataFrame) -> HtmlTable:
    """Write exposure beside contingency used and left, by project; see ``metrics.drawdown.drawdown``."""
    columns = [
        Show("name", "Project"),
        Show("risks_open", "Open risks", "number"),
        Show("risks_unquantified", "Without money", "number"),
        Show("chance_of_any", "Chance that any threat strikes", "share", reason="chance_reason"),
        Show("expected_money", "Net exposure", "money_signed", reason="money_reason"),
        Show("approved", "Approved", "money", reason="contingency_reason"),
        Show("drawn", "Drawn", "money", reason="contingency_reason"),
        Show("contingency_left", "Contingency left", "money", reason="contingency_reason"),
        Show("uncovered", "Not covered (+)", "money_signed", reason="ratio_reason"),
        Show("exposure_ratio", "Exposure ÷ left", "ratio", reason="ratio_reason"),
        Show("adequacy", "Left ÷ exposure", "ratio", reason="adequacy_reason"),
        Show("p80_p50", "P80 − P50", "money", reason="p80_reason"),
        Show("adequacy_p80", "Left ÷ (P80 − P50)", "ratio", reason="p80_reason"),
        Show("used_share", "Used", "share", reason="burn_reason"),
        Show("percent_complete", "Work done", "share", reason="burn_reason"),
        Show("burn_ratio", "Burn", "ratio", reason="burn_reason", note="used ÷ work done"),
        Show("burn", "Burn rating", "rating", reason="burn_reason"),
        Show("basis", "Contingency from"),
        SOURCE,
    ]
    return html_table(cover, columns=columns, caption="Net exposure and contingency, the least covered first")


def bridge_table(bridge: pd.DataFrame) -> HtmlTable:
    """Write the steps from the last register's exposure to this one's."""
    columns = [Show("step", "Step"), Show("amount", "Amount", "money_signed"), Show("risks", "Risks", "number")]
    since = month(str(bridge["compared_with"].iloc[0]))
    return html_table(bridge, columns=columns, caption=f"Net exposure from {since} (before) to now, by cause")


def moves_table(movements: pd.DataFrame) -> HtmlTable:
    """Write what became of each risk since the last register."""
    columns = [
        *RISK,
        Show("kind", "Kind"),
        Show("what", "What became of it"),
        Show("status_before", "Status before"),
        Show("status", "Status"),
        Show("position_before", "Position before"),
        Show("position", "Position"),
        Show("score_before", "Score before", "number"),
        Show("score", "Score", "number"),
        GRADE,
        Show("expected_money_before", "Expected cost before", "money_signed"),
        Show("expected_money", "Expected cost", "money_signed"),
        Show("moved_money", "Movement", "money_signed", reason="cause"),
        Show("portfolio_other", "From or to"),
        SOURCE,
    ]
    since = month(str(movements["compared_with"].iloc[0]))
    caption = f"Each risk since {since}; position is probability (P) × impact (I) level"
    return html_table(_risks(movements), columns=columns, caption=caption)


def heat_table(heat: pd.DataFrame) -> HtmlTable:
    """Write the matrix cell by cell: its grade, and the risks in it by stance."""
    counts = heat.set_index(["probability_level", "impact_level", "stance"])["risks"].unstack("stance")
    current = heat.loc[heat["stance"].eq("current")].set_index(["probability_level", "impact_level"])
    rows = current.join(counts).sort_index(ascending=False).reset_index()
    rows["position"] = "P" + rows["probability_level"].astype("str") + " × I" + rows["impact_level"].astype("str")
    rows["first"] = "no earlier register"
    columns = [
        Show("position", "Cell"),
        Show("score", "Score", "number"),
        Show("grade", "Grade", "rating"),
        Show("above_appetite", "Above appetite", "flag"),
        Show("inherent", "Inherent", "number"),
        Show("current", "Current", "number"),
        Show("target", "Target", "number"),
        Show("came", "Came", "number", reason="first"),
        Show("went", "Went", "number", reason="first"),
        Show("threats", "Current: threats", "number"),
        Show("opportunities", "Current: opportunities", "number"),
    ]
    return html_table(
        rows, columns=columns, caption="The risk matrix, all 25 cells, with the number of open risks in each"
    )


def register_table(register: pd.DataFrame) -> HtmlTable:
    """Write the whole register, open risks first, the worst first; in the page it can be searched and sorted."""
    columns = [
        *RISK[:2],
        replace(RISK[2], choice=True),
        Show("kind", "Kind", choice=True),
        Show("status", "Status", choice=True),
        replace(GRADE, choice=True),
        Show("score", "Score", "number", reason="score_reason"),
        Show("trend", "Trend", "number", reason="trend_reason", note="score now less score in the last register"),
        Show("probability", "Probability", "share"),
        MONEY,
        Show("expected_money_low", "at low impact", "money_signed"),
        Show("expected_money_high", "at high impact", "money_signed"),
        Show("expected_days", "Expected delay", "days_signed", reason="days_reason"),
        Show("cause", "Cause", "prose"),
        Show("event", "Event", "prose"),
        Show("effect", "Effect", "prose"),
        Show("category", "Category", choice=True),
        Show("owner", "Owner", choice=True),
        Show("response", "Response", choice=True),
        Show("response_cost", "Cost of response", "money"),
        Show("fallback_plan", "Fallback plan", "prose"),
        Show("proximity_on", "May strike from", "day"),
        Show("proximity_band", "Proximity", choice=True),
        Show("velocity_days", "From trigger to impact", "days", reason="unsaid"),
        Show("age_days", "Age", "days"),
        Show("review_age_days", "Since review", "days"),
        SOURCE,
    ]
    return html_table(
        _risks(register), columns=columns, caption="The register: every risk that was returned", sifted=True
    )


def top_table(top: pd.DataFrame) -> HtmlTable:
    """Write the largest risks by score and by exposure with both ranks."""
    columns = [
        *RISK,
        Show("kind", "Kind"),
        Show("owner", "Owner"),
        Show("rank_by_score", "Rank by score", "number", reason="score_reason"),
        Show("score", "Score", "number", reason="score_reason"),
        GRADE,
        Show("rank_by_exposure", "Rank by exposure", "number", reason="money_reason"),
        MONEY,
        Show("rank_gap", "Ranks apart", "number", note="rank by score less rank by exposure"),
        Show("in_both", "Largest by both", "flag"),
        SOURCE,
    ]
    return html_table(_risks(top), columns=columns, caption="The largest risks by score or by exposure, by score")


def unquantified_table(unquantified: pd.DataFrame) -> HtmlTable:
    """Write the open risks that no sum can hold, each with why."""
    columns = [
        *RISK,
        Show("kind", "Kind"),
        Show("owner", "Owner"),
        Show("score", "Score", "number", reason="score_reason"),
        Show("probability", "Probability", "share"),
        MONEY,
        Show("expected_days", "Expected delay", "days_signed", reason="days_reason"),
        SOURCE,
    ]
    return html_table(
        _risks(unquantified), columns=columns, caption="Open risks without expected cost or without score"
    )


def timeline_table(timeline: pd.DataFrame) -> HtmlTable:
    """Write the open risks by the day from which they may strike."""
    columns = [
        *RISK,
        Show("proximity_on", "May strike from", "day"),
        Show("proximity_days", "In", "days_signed"),
        Show("proximity_band", "Proximity"),
        Show("velocity_days", "From trigger to impact", "days", reason="unsaid"),
        Show("felt_on", "Felt from", "day", reason="unsaid"),
        Show("score", "Score", "number", reason="score_reason"),
        GRADE,
        MONEY,
        Show("owner", "Owner"),
        SOURCE,
    ]
    return html_table(_risks(timeline), columns=columns, caption="Open risks by proximity, the earliest first")


def flags_table(flags: pd.DataFrame) -> HtmlTable:
    """Write every flag of every risk with its rule."""
    columns = [
        Show("flag", "What is wrong"),
        *RISK,
        Show("owner", "Owner"),
        Show("dated_on", "Since", "day"),
        Show("days", "Past by", "days"),
        Show("detail", "Detail", "prose"),
        GRADE,
        Show("rule", "Rule", "prose"),
        SOURCE,
    ]
    return html_table(_risks(flags), columns=columns, caption="What each open risk lacks, by urgency")


def patterns_table(patterns: pd.DataFrame) -> HtmlTable:
    """Write the signs of a register that is kept for show."""
    columns = [
        Show("pattern", "Sign"),
        Show("subject_id", "Risk or issue"),
        Show("title", "Title", "prose"),
        Show("project_id", "Project"),
        Show("dated_on", "Date", "day"),
        Show("detail", "Detail", "prose"),
        SOURCE,
    ]
    return html_table(
        patterns, columns=columns, caption="Bulk reviews, scores that never move, issues that no risk foresaw"
    )
