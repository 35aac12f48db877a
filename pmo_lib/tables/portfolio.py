"""Tables of the roll-up: who reported, the hierarchy with its levels folded, reconciliation, control totals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from markupsafe import Markup

from pmo_lib.contracts.tables import RATINGS
from pmo_lib.metrics.facts import FINANCE, HEALTH, RISK, raters, rating_column
from pmo_lib.metrics.hierarchy import PROJECT, REASON, in_words, report_in_words
from pmo_lib.metrics.portfolio import COMPLETE, REPORT
from pmo_lib.tables.html import HtmlTable, Show, html_table
from pmo_lib.theme import counted, money, month, rating_look

if TYPE_CHECKING:
    from collections.abc import Sequence

INDENT = "\u2003"
CODE = 3  # letters of a currency code
UNIT_LEVELS = ("enterprise", "function", "portfolio", "sub_portfolio")
STATES_IN_WORDS = {"here": "", "left": " (left)", "moved out": " (moved out)", "own": ""}
MEASURES_IN_WORDS = {
    "projects": "Projects",
    "cost_before": "Whole-life cost before",
    "cost_now": "Whole-life cost now",
    "costs_known": "Projects with a whole-life cost",
    "plan": "In-year plan",
    "outlook": "In-year outlook",
    "variance": "In-year variance",
    "in_year_known": "Projects with plan and outlook",
    "risks_open": "Open risks",
    "exposure": "Net risk exposure",
}


def coverage_table(covered: pd.DataFrame) -> HtmlTable:
    """Write who reported: what lacks something stands open, what is complete is folded; see ``portfolio.coverage``."""
    reports = [Show(name, report_in_words(name).capitalize()) for name in covered.columns if name.startswith(REPORT)]
    last = (Show("last_period", "Last known", "month"), Show("last_cost", "Whole-life cost then", "money"))
    complete = covered["state"].eq(COMPLETE)
    parts = []
    if not complete.all():
        columns = [Show("name", "Portfolio"), *reports, Show("cause", "What is missing, and why", "prose"), *last]
        parts.append(html_table(covered[~complete], columns=columns, caption="Portfolios with something missing"))
    if complete.any():
        columns = [Show("name", "Portfolio"), *reports]
        inner = html_table(covered[complete], columns=columns, caption="Portfolios with every report published")
        words = counted(int(complete.sum()), noun="portfolio")
        parts.append(_folded(inner, summary=f"{words} with every report published"))
    return _together(parts)


def hierarchy_table(tree: pd.DataFrame) -> HtmlTable:
    """Write the organisation down to its programmes, with each portfolio's projects folded below; see ``hierarchy``."""
    shown = _prepared(tree)
    columns = _measure_columns(shown)
    top = shown[shown["level"].isin([*UNIT_LEVELS, "programme"])]
    whole = html_table(top, columns=[Show("label", "Unit"), *columns], caption="Every level, to programmes")
    portfolios = shown[shown["level"].isin(UNIT_LEVELS)]
    below = [_projects_of(str(unit), shown=shown, columns=columns) for unit in portfolios["node_id"]]
    return _together([whole, *(part for part in below if part is not None)])


def reconciliation_table(reconciled: pd.DataFrame) -> HtmlTable:
    """Write each total with the three ways it was summed; the single portfolios are folded; see ``portfolio``."""
    named = reconciled.assign(
        measure=reconciled["measure"].map(MEASURES_IN_WORDS).fillna(reconciled["measure"]),
        money_unit=reconciled["unit"].where(reconciled["unit"].str.fullmatch("[A-Z]{3}"), ""),
        rows_sum=_exact(reconciled, column="rows_sum"),
        figures_sum=_exact(reconciled, column="figures_sum"),
        ended_sum=_exact(reconciled, column="ended_sum"),
        tree_sum=_exact(reconciled, column="tree_sum"),
    )
    sums = [
        Show("rows", "Project rows", "number"),
        Show("rows_sum", "Sum of the rows"),
        Show("figures_sum", "Sum of the published figures"),
    ]
    wholes = html_table(
        named[named["portfolio_id"].eq("")],
        columns=[
            Show("measure", "Measure"),
            Show("money_unit", "Currency"),
            Show("portfolios", "Portfolios", "number"),
            *sums,
            Show("ended_sum", "Held by portfolios that ended"),
            Show("tree_sum", "Top of the hierarchy"),
            Show("agrees", "Equal", "flag"),
        ],
        caption="Three ways to the same total",
    )
    single = named[named["portfolio_id"].ne("")]
    inner = html_table(
        single,
        columns=[Show("portfolio_id", "Portfolio"), Show("measure", "Measure"), *sums, Show("agrees", "Equal", "flag")],
        caption="Portfolio by portfolio",
    )
    return _together([wholes, _folded(inner, summary="Portfolio by portfolio")])


def largest_table(movements: pd.DataFrame) -> HtmlTable:
    """Write the projects that moved the total most; see ``portfolio.largest_movements``."""
    return html_table(
        movements,
        columns=[
            Show("name", "Project"),
            Show("portfolio_id", "Portfolio"),
            Show("from_id", "Moved from"),
            Show("before", "Before", "money"),
            Show("now", "Now", "money", reason="reason"),
            Show("amount", "Movement", "money_signed"),
            Show("cause", "Cause"),
        ],
        caption="Largest movements of whole-life cost",
    )


def in_year_table(years: pd.DataFrame) -> HtmlTable:
    """Write plan, outlook and variance by period or by portfolio, with the number of projects behind them."""
    first = Show("period", "Report", "month") if "period" in years.columns else Show("name", "Portfolio")
    return html_table(
        years,
        columns=[
            first,
            Show("projects", "Projects", "number"),
            Show("in_year_known", "with plan and outlook", "number"),
            Show("plan", "Plan", "money"),
            Show("outlook", "Outlook", "money"),
            Show("variance", "Outlook − plan", "money_signed"),
            Show("variance_share", "of plan", "share_signed"),
        ],
        caption="In-year plan and outlook",
    )


def under_table(under: pd.DataFrame) -> HtmlTable:
    """Write the projects that were under plan year after year; see ``portfolio.under_for_years``."""
    return html_table(
        under,
        columns=[
            Show("name", "Project"),
            Show("portfolio_id", "Portfolio"),
            Show("years_under", "Years under plan, running", "number"),
            Show("variance", "Outlook − plan this year", "money_signed"),
            Show("variance_share", "of plan", "share_signed"),
        ],
        caption="Under plan year after year",
    )


def underspends_table(underspends: pd.DataFrame) -> HtmlTable:
    """Write how many large underspends left the promised finish where it was; see ``portfolio.underspends_by_year``."""
    return html_table(
        underspends,
        columns=[
            Show("year", "Year"),
            Show("underspends", "Large underspends with both finishes", "number"),
            Show("kept", "finish kept or earlier", "number"),
            Show("share", "Share", "share"),
            Show("not_dated", "without a finish to compare", "number"),
        ],
        caption="Large underspends and the promised finish",
    )


def finishes_table(finishes: pd.DataFrame) -> HtmlTable:
    """Write the movement of each finish, largest first; see ``portfolio.finish_movements``."""
    return html_table(
        finishes,
        columns=[
            Show("name", "Project"),
            Show("portfolio_id", "Portfolio"),
            Show("finish_before_on", "Finish before", "day"),
            Show("finish_on", "Finish now", "day"),
            Show("moved_days", "Moved", "days_signed", reason="reason"),
        ],
        caption="Movement of each finish",
    )


def disclosure_table(shares: pd.DataFrame) -> HtmlTable:
    """Write how many projects publish a whole-life cost; see ``portfolio.disclosure_by_period``."""
    return html_table(
        shares,
        columns=[
            Show("period", "Report", "month"),
            Show("projects", "Projects", "number"),
            Show("published", "with a published whole-life cost", "number"),
            Show("share", "Share", "share"),
        ],
        caption="Whole-life costs published",
    )


def rating_shares_table(shares: pd.DataFrame) -> HtmlTable:
    """Write the ratings by period and rater, each with its share and n; see ``portfolio.rating_shares``."""
    return html_table(
        shares,
        columns=[
            Show("period", "Report", "month"),
            Show("assessor_role", "Rater"),
            Show("rating_scale", "Scale"),
            Show("rating", "Rating", "rating"),
            Show("projects", "Projects", "number"),
            Show("rated", "of n rated", "number"),
            Show("share", "Share", "share"),
        ],
        caption="Ratings by rater",
    )


def structure_table(structures: pd.DataFrame) -> HtmlTable:
    """Write each period both ways, the latest open and the earlier ones folded; see ``structure.structures``."""
    columns = [
        Show("name", "Portfolio"),
        Show("projects_then", "Projects then", "number"),
        Show("projects_today", "Projects on today's structure", "number"),
        Show("cost_then", "Cost then", "money"),
        Show("cost_today", "Cost on today's structure", "money"),
        Show("difference", "Moved by reorganisation", "money_signed"),
    ]
    return _together([_structure(structures, period=period, columns=columns) for period in _periods(structures)])


def moves_table(moves: pd.DataFrame) -> HtmlTable:
    """Write how many projects changed portfolio, report by report; see ``structure.moves_by_period``."""
    return html_table(
        moves,
        columns=[
            Show("period", "Report", "month"),
            Show("projects", "Projects moved", "number"),
            Show("before", "Their cost before", "money"),
            Show("now", "Their cost after", "money"),
        ],
        caption="Projects that changed portfolio",
    )


def clients_table(clients: pd.DataFrame) -> HtmlTable:
    """Write who delivers and who is served; see ``hierarchy.clients``."""
    return html_table(
        clients,
        columns=[
            Show("name", "Unit"),
            Show("delivers", "Projects it delivers", "number"),
            Show("serves", "Projects that serve it", "number"),
            Show("cost_delivered", "Cost it delivers", "money"),
            Show("cost_served", "Cost that serves it", "money"),
        ],
        caption="By delivery and by client",
    )


def exposure_table(exposure: pd.DataFrame) -> HtmlTable:
    """Write open risks and their money by portfolio; see ``portfolio.exposure_by_portfolio``."""
    return html_table(
        exposure,
        columns=[
            Show("name", "Portfolio"),
            Show("risks_open", "Open risks", "number", reason="reason"),
            Show("risks_unquantified", "without money", "number", reason="reason"),
            Show("threats", "Threats", "money", reason="reason"),
            Show("opportunities", "Opportunities", "money", reason="reason"),
            Show("exposure", "Net exposure", "money_signed", reason="reason"),
        ],
        caption="Open risks and their expected money",
    )


def control_table(totals: pd.DataFrame) -> HtmlTable:
    """Write what the extract's files hold, to be compared after they were copied; see ``extracts.control_totals``."""
    return html_table(
        totals,
        columns=[
            Show("file", "File"),
            Show("rows", "Rows", "number"),
            Show("money_columns", "Money columns", "number"),
            Show("minor_units", "Their sum in minor units", "number"),
            Show("sha256", "sha256", "source"),
        ],
        caption="Control totals of the extract",
    )


def _periods(structures: pd.DataFrame) -> list[str]:
    return sorted(set(structures["period"]), reverse=True)


def _structure(structures: pd.DataFrame, *, period: str, columns: Sequence[Show]) -> HtmlTable:
    """Return one period's table, folded, with its total: the same both ways."""
    rows = structures[structures["period"].eq(period)]
    sums = rows[[column.name for column in columns[1:]]].sum()
    total = pd.Series({**sums.to_dict(), "name": "Total"})
    changed = int(rows["difference"].ne(0).sum())
    table = html_table(rows, columns=columns, caption=f"Both structures, {month(period)}", total=total)
    return _folded(table, summary=f"{month(period)}: {counted(changed, noun='portfolio')} with another total")


def _prepared(tree: pd.DataFrame) -> pd.DataFrame:
    """Add the texts that are shown: indented label, ratings by rater, what a row is without, why money is null."""
    labels = [
        f"{INDENT * depth}{name}{STATES_IN_WORDS.get(standing, '')}"
        for depth, name, standing in zip(tree["depth"], tree["name"], tree["standing"], strict=True)
    ]
    rated = {f"ratings:{role}": _ratings_in_words(tree, role=role) for role in raters(tree)}
    silent = tree["cost_cause"].where(tree["level"].eq(PROJECT), "no single figure below")
    reasons = {
        "cost_reason": tree[f"{REASON}{FINANCE}"].where(tree[f"{REASON}{FINANCE}"].ne(""), silent),
        "year_reason": tree[f"{REASON}{FINANCE}"].where(tree[f"{REASON}{FINANCE}"].ne(""), "not both published"),
        "count_reason": tree[f"{REASON}{HEALTH}"].where(tree[f"{REASON}{HEALTH}"].ne(""), "–"),
        "risk_reason": tree[f"{REASON}{RISK}"].where(tree[f"{REASON}{RISK}"].ne(""), "no register"),
    }
    return tree.assign(label=labels, without=in_words(tree), **rated, **reasons)


def _measure_columns(shown: pd.DataFrame) -> list[Show]:
    """Return the columns of the hierarchy; a measure that nobody reported has none: the sentence says so."""
    columns = [
        Show("projects", "Projects", "number", reason="count_reason"),
        Show("cost_before", "Whole-life cost before", "money", reason="cost_reason"),
        Show("cost_now", "now", "money", reason="cost_reason"),
        Show("cost_movement", "movement", "money_signed", reason="cost_reason"),
        Show("plan", "In-year plan", "money", reason="year_reason"),
        Show("outlook", "outlook", "money", reason="year_reason"),
        Show("variance", "outlook − plan", "money_signed", reason="year_reason"),
        *(Show(f"ratings:{role}", f"{role}: {_scale_in_words(shown, role=role)}") for role in raters(shown)),
        Show("risks_open", "Open risks", "number", reason="risk_reason"),
        Show("exposure", "net exposure", "money_signed", reason="risk_reason"),
        Show("without", "Without"),
    ]
    return [column for column in columns if shown[column.name].replace("", None).notna().any()]


def _projects_of(unit: str, *, shown: pd.DataFrame, columns: Sequence[Show]) -> HtmlTable | None:
    """Return a unit's programmes and projects, folded; None if it holds none itself."""
    place = int(shown.index[shown["node_id"].eq(unit)][0])
    rows = shown[shown["node_id"].str.startswith((f"{unit}/project/", f"{unit}/programme/", f"{unit}/own"))]
    if rows.empty:
        return None
    least = int(rows["depth"].min())
    own = rows.assign(label=[label[(least - 1) * len(INDENT) :] for label in rows["label"]])
    head = shown.iloc[place]
    size = counted(int(rows["projects"].where(rows["level"].eq(PROJECT)).sum()), noun="project")
    words = [size]
    if pd.notna(head["cost_now"]):
        words.append(money(float(head["cost_now"]), currency=str(head["currency"])))
    used = [column for column in columns if column.name != "without"]
    table = html_table(own, columns=[Show("label", "Project"), *used], caption=f"Projects of {head['name']}")
    return _folded(table, summary=f"{head['name']}: {', '.join(words)}")


def _scale_in_words(shown: pd.DataFrame, *, role: str) -> str:
    return " · ".join(reversed(_rated_as(shown, role=role)))


def _rated_as(tree: pd.DataFrame, *, role: str) -> list[str]:
    """Return the ratings that a rater used, green first."""
    return [rating for rating in RATINGS if rating_column(role, rating=rating) in tree.columns]


def _ratings_in_words(tree: pd.DataFrame, *, role: str) -> list[str]:
    """Return counts, worst first, as ``2 · 7 · 1``; of a single project its rating in words."""
    used = list(reversed(_rated_as(tree, role=role)))
    counts = tree[[rating_column(role, rating=rating) for rating in used]].fillna(0).astype("int64").to_numpy()
    return [
        _single(row, used=used) if level == PROJECT else " · ".join(str(count) for count in row) if any(row) else ""
        for row, level in zip(counts.tolist(), tree["level"], strict=True)
    ]


def _single(counts: Sequence[int], *, used: Sequence[str]) -> str:
    named = [f"{rating_look(rating).shape} {rating}" for rating, count in zip(used, counts, strict=True) if count]
    return ", ".join(named)


def _exact(reconciled: pd.DataFrame, *, column: str) -> pd.Series:
    """Return sums to the minor unit, unrounded: a reconciliation that rounds proves nothing."""
    words = [
        None if pd.isna(value) else f"{value:,.2f}" if len(unit) == CODE and unit.isupper() else f"{value:,.0f}"
        for value, unit in zip(reconciled[column], reconciled["unit"], strict=True)
    ]
    return pd.Series(words, index=reconciled.index, dtype="object")


def _folded(table: HtmlTable, *, summary: str) -> HtmlTable:
    """Put a table behind a line that opens it; the line is escaped, the table is by its writer."""
    html = Markup("<details class='data'><summary>{}</summary>{}</details>").format(summary, Markup(table.html))  # noqa: S704
    return HtmlTable(str(html), table.rows, table.columns)


def _together(parts: Sequence[HtmlTable]) -> HtmlTable:
    return HtmlTable("\n".join(part.html for part in parts), sum(part.rows for part in parts), parts[0].columns)
