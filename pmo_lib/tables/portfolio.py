"""Tables of the roll-up: who reported, the hierarchy with its levels folded, reconciliation, control totals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from pmo_lib.contracts.tables import RATINGS
from pmo_lib.metrics.facts import OWN, raters, rating_column
from pmo_lib.metrics.hierarchy import PROJECT, REASON, in_words, report_in_words
from pmo_lib.metrics.portfolio import REPORT
from pmo_lib.tables.html import Form, HtmlTable, Show, html_table
from pmo_lib.theme import counted, money, month, rating_look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INDENT = "\u2003"
SHOWN_FIRST = 15
AMOUNT = re.compile(r"\d+\.\d\d\b")
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
    covered = covered.assign(
        cause=covered["cause"].where(covered["cause"].ne(""), "–"),
        nothing="–",
    )
    complete = ~covered["noteworthy"].astype("bool")
    parts = []
    if not complete.all():
        columns = [
            Show("name", "Portfolio"),
            Show("arrived", "Return", "prose"),
            *_last_known_columns(covered[~complete]),
            *reports,
            *([Show("cause", "What failed, and why", "prose")] if covered["cause"].ne("–").any() else []),
        ]
        told = "Portfolios to know of first: missing, in part, late or failed"
        parts.append(html_table(covered[~complete], columns=columns, caption=told))
    if complete.any():
        columns = [Show("name", "Portfolio"), Show("arrived", "Return"), *reports]
        inner = html_table(covered[complete], columns=columns, caption="Portfolios with every report published")
        words = counted(int(complete.sum()), noun="portfolio")
        parts.append(_folded(inner, summary=f"{words} with every report published"))
    return _together(parts)


def _last_known_columns(rows: pd.DataFrame) -> list[Show]:
    columns = [
        Show("last_period", "Last known", "month", reason="nothing"),
        Show("last_projects", "Projects then", "number", reason="nothing"),
        Show("last_cost", "Whole-life cost then", "money", reason="nothing"),
        Show("last_outlook", "In-year outlook then", "money", reason="nothing"),
        Show("last_exposure", "Risk exposure then", "money_signed", reason="nothing"),
    ]
    return [column for column in columns if rows[column.name].notna().any()]


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
    """Write each total with the ways it was summed, to the minor unit; single portfolios are folded."""
    named = reconciled.assign(
        measure=reconciled["measure"].map(MEASURES_IN_WORDS).fillna(reconciled["measure"]),
        reason="none published",
        nothing="–",
    )
    is_money = named["unit"].str.fullmatch("[A-Z]{3}")
    wholes, single = named["portfolio_id"].eq(""), named["portfolio_id"].ne("")
    parts = [
        html_table(named[wholes & is_money], columns=_sum_columns("exact"), caption="Money, to the minor unit"),
        html_table(named[wholes & ~is_money], columns=_sum_columns("number"), caption="Counts"),
    ]
    columns = [Show("portfolio_id", "Portfolio"), *_sum_columns("exact", whole=False)]
    inner = html_table(named[single], columns=columns, caption="Portfolio by portfolio")
    return _together([*parts, _folded(inner, summary="Portfolio by portfolio")])


def _sum_columns(form: Form, *, whole: bool = True) -> list[Show]:
    sums = [
        Show("rows", "Rows", "number"),
        Show("rows_sum", "Sum of the rows", form, reason="reason"),
        Show("figures_sum", "Published figures", form, reason="reason"),
    ]
    first, last = [Show("measure", "Measure"), Show("unit", "Unit")], [Show("agrees", "Equal", "flag")]
    if not whole:
        return [*first, *sums, *last]
    ended = Show("ended_sum", "Of ended portfolios", form, reason="nothing")
    top = Show("tree_sum", "Top of the hierarchy", form, reason="reason")
    return [*first, Show("portfolios", "Portfolios", "number"), *sums, ended, top, *last]


def largest_table(movements: pd.DataFrame) -> HtmlTable:
    """Write the projects that moved the total most; see ``portfolio.largest_movements``."""
    return html_table(
        movements.assign(reason=_readable(movements), absent="not in the total"),
        columns=[
            Show("name", "Project"),
            Show("portfolio_id", "Portfolio"),
            Show("from_id", "Moved from"),
            Show("before", "Before", "money", reason="absent"),
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
            Show("underspends", "Underspends", "number"),
            Show("kept", "Finish kept", "number"),
            Show("share", "Share", "share"),
            Show("not_dated", "Not dated", "number"),
        ],
        caption="Large underspends and the promised finish",
    )


def finishes_table(finishes: pd.DataFrame) -> HtmlTable:
    """Write the movement of each finish, largest first, the others folded; see ``portfolio.finish_movements``."""
    columns = [
        Show("name", "Project"),
        Show("portfolio_id", "Portfolio"),
        Show("finish_before_on", "Finish before", "day"),
        Show("finish_on", "Finish now", "day"),
        Show("moved_days", "Moved", "days_signed", reason="reason"),
    ]
    first, rest = finishes.head(SHOWN_FIRST), finishes.iloc[SHOWN_FIRST:]
    parts = [html_table(first, columns=columns, caption="Finishes that moved furthest")]
    if len(rest):
        others = html_table(rest, columns=columns, caption="All other finishes")
        parts.append(_folded(others, summary=f"{counted(len(rest), noun='other project')}"))
    return _together(parts)


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
        Show("fate", "What became of it"),
        Show("projects_then", "Projects then", "number"),
        Show("projects_today", "as today", "number"),
        Show("cost_then", "Cost then", "money", reason="nothing"),
        Show("cost_today", "as today", "money", reason="nothing"),
        Show("difference", "as today − then", "money_signed"),
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
        clients.assign(none="–", delivered_by=clients["delivered_by"].fillna("–")),
        columns=[
            Show("name", "Unit"),
            Show("delivers", "Projects it delivers", "number"),
            Show("costed_for_others", "of them with a cost, for others", "number"),
            Show("serves", "Projects that serve it", "number"),
            Show("delivered_by", "Delivered by"),
            Show("cost_delivered", "Cost it delivers", "money", reason="none"),
            Show("cost_for_others", "of it for others", "money", reason="none"),
            Show("cost_served", "Cost that serves it", "money", reason="none"),
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
    rows = structures[structures["period"].eq(period)].assign(nothing="–")
    sums = rows[[column.name for column in columns[2:]]].sum()
    total = pd.Series({**sums.to_dict(), "name": "Total", "fate": ""})
    changed = int(rows["difference"].ne(0).sum())
    table = html_table(rows, columns=columns, caption=f"Both structures, {month(period)}", total=total)
    return _folded(table, summary=f"{month(period)}: {counted(changed, noun='portfolio')} with another total")


def _prepared(tree: pd.DataFrame) -> pd.DataFrame:
    """Add the texts that are shown: indented label with its note, ratings by rater, why a project's money is null."""
    places = zip(tree["depth"], tree["name"], tree["standing"], _notes(tree), strict=True)
    labels = [
        f"{INDENT * depth}{name}{STATES_IN_WORDS.get(standing, '')}{f' ({note})' if note else ''}"
        for depth, name, standing, note in places
    ]
    rated = {f"ratings:{role}": _ratings_in_words(tree, role=role) for role in raters(tree)}
    single = tree["level"].eq(PROJECT) & tree["standing"].eq("here")
    return tree.assign(
        label=labels,
        cost_reason=tree["cost_cause"].where(single, "–"),
        year_reason=pd.Series("–", index=tree.index).mask(single, "not both known"),
        nothing="–",
        **rated,
    )


def _notes(tree: pd.DataFrame) -> list[str]:
    """Say once of each unit what its empty cells mean: its reports are missing, or those below, or it is no more."""
    reasons = [column for column in tree.columns if column.startswith(REASON)]
    rows = zip(tree.to_dict("records"), in_words(tree), strict=True)
    notes = [(_note(row, reasons=reasons, without=without), _own_budget(row)) for row, without in rows]
    return ["; ".join(filter(None, note)) for note in notes]


def _own_budget(row: Mapping[Any, Any]) -> str:
    """Say what a programme or a portfolio has beside its projects; the sums above are in the extract."""
    if pd.isna(row["own_budget"]) or row["level"] not in (OWN, "programme"):
        return ""
    amount = money(float(row["own_budget"]), currency=str(row["currency"]))
    return f"own budget {amount}" if row["level"] == "programme" else amount


def _note(row: Mapping[Any, Any], *, reasons: Sequence[str], without: str) -> str:
    own = {report_in_words(column): row[column] for column in reasons if row[column]}
    if own and len(own) == len(reasons) and len(set(own.values())) == 1:
        return str(next(iter(own.values())))
    if own:
        return ", ".join(f"{report}: {reason.removeprefix('report ')}" for report, reason in own.items())
    if without:
        return f"without {without}"
    return "no project now" if row["level"] in UNIT_LEVELS and pd.isna(row["projects"]) else ""


def _readable(movements: pd.DataFrame) -> list[str]:
    """Return why there is no cost now, with amounts as people write them: a range of £2.75bn to £3.10bn."""
    rows = zip(movements["reason"].fillna(""), movements["cause"], movements["currency"], strict=True)
    return [_with_money(str(reason or cause), currency=str(currency)) for reason, cause, currency in rows]


def _with_money(words: str, *, currency: str) -> str:
    for amount in dict.fromkeys(AMOUNT.findall(words)):
        words = words.replace(amount, money(float(amount), currency=currency))
    return words


def _measure_columns(shown: pd.DataFrame) -> list[Show]:
    """Return the columns of the hierarchy; a measure that nobody reported has none: the sentence says so."""
    columns = [
        Show("projects", "Projects", "number", reason="nothing"),
        Show("cost_before", "Before", "money", reason="nothing"),
        Show("cost_now", "Now", "money", reason="cost_reason"),
        Show("cost_movement", "Moved", "money_signed", reason="nothing"),
        Show("cost_last_known", "Last known, not in now", "money", reason="nothing"),
        Show("plan", "Plan", "money", reason="year_reason"),
        Show("outlook", "Outlook", "money", reason="nothing"),
        Show("variance", "Off plan", "money_signed", reason="nothing"),
        *(Show(f"ratings:{role}", f"{role} {_scale_in_words(shown, role=role)}") for role in raters(shown)),
        Show("risks_open", "Risks", "number", reason="nothing"),
        Show("exposure", "Exposure", "money_signed", reason="nothing"),
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
    count = int(rows["projects"].where(rows["level"].eq(PROJECT)).sum())
    words = [counted(count, noun="project") if count else f"no project now, {len(rows)} before"]
    if pd.notna(head["cost_now"]):
        words.append(money(float(head["cost_now"]), currency=str(head["currency"])))
    filled = own.replace("", None).notna().any()
    used = [column for column in columns if column.name != "projects" and filled[column.name]]
    table = html_table(own, columns=[Show("label", "Project"), *used], caption=f"Projects of {head['name']}")
    return _folded(table, summary=f"{head['name']}: {', '.join(words)}")


def _scale_in_words(shown: pd.DataFrame, *, role: str) -> str:
    return "/".join(rating_look(rating).letter for rating in reversed(_rated_as(shown, role=role)))


def _rated_as(tree: pd.DataFrame, *, role: str) -> list[str]:
    """Return the ratings that a rater used, green first."""
    return [rating for rating in RATINGS if rating_column(role, rating=rating) in tree.columns]


def _ratings_in_words(tree: pd.DataFrame, *, role: str) -> list[str]:
    """Return counts, worst first, as ``2/7/1``; of a single project its rating in words."""
    used = list(reversed(_rated_as(tree, role=role)))
    counts = tree[[rating_column(role, rating=rating) for rating in used]].fillna(0).astype("int64").to_numpy()
    return [
        _single(row, used=used) if level == PROJECT else "/".join(str(count) for count in row) if any(row) else ""
        for row, level in zip(counts.tolist(), tree["level"], strict=True)
    ]


def _single(counts: Sequence[int], *, used: Sequence[str]) -> str:
    named = [f"{rating_look(rating).shape} {rating}" for rating, count in zip(used, counts, strict=True) if count]
    return ", ".join(named)


def _folded(table: HtmlTable, *, summary: str) -> HtmlTable:
    """Put a table behind a line that opens it; the line is escaped, the table is by its writer."""
    html = Markup("<details class='data'><summary>{}</summary>{}</details>").format(summary, Markup(table.html))  # noqa: S704
    return HtmlTable(str(html), table.rows, table.columns)


def _together(parts: Sequence[HtmlTable]) -> HtmlTable:
    return HtmlTable("\n".join(part.html for part in parts), sum(part.rows for part in parts), parts[0].columns)
