"""Tables of the quality of a return: when it came in, what could not be used, what is disclosed, measured shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from pmo_lib.metrics.claims import DISAGREES, counts, untold
from pmo_lib.metrics.quality import CELLS, MONEY, PLACE, ROWS, RULE
from pmo_lib.tables.html import Form, HtmlTable, Show, html_table
from pmo_lib.theme import counted, kept_share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SOURCE = Show("source_ref", "Source", "source")
MOST_ROWS = 200
AROUND = 60
KINDS = {ROWS: "Rows", MONEY: "Money, all amounts", CELLS: "Filled cells"}
PARTS = {ROWS: "Rows by table", MONEY: "Money by table", CELLS: "Cells by sheet"}


def arrivals_table(arrived: pd.DataFrame) -> HtmlTable:
    """Write when each return came in and how, the latest first; see ``metrics.submission.arrivals``."""
    usable = arrived["known"].eq(arrived["period"])
    rows = arrived.assign(
        came_reason=pd.Series("not stated", index=arrived.index).where(usable, "–"),
        told=arrived["reason"].where(arrived["reason"].ne(""), "–"),
        late=[_late(row) for row in arrived.to_dict("records")],
        without=[f"{n} ({who})" if n else "–" for n, who in zip(arrived["silent"], arrived["named"], strict=True)],
        last_known=arrived["known"].where(~usable & arrived["known"].ne("")),
    ).iloc[::-1]
    columns = [
        Show("period", "Report", "month"),
        Show("state", "Return"),
        Show("told", "What is missing"),
        Show("due_on", "Due", "day"),
        Show("came_on", "Came in", "day", reason="came_reason"),
        Show("days_late", "After it was due", "days_signed", reason="came_reason", note="negative: in time"),
        Show("late", "Status rows late"),
        Show("without", "Projects without status"),
        *(
            [Show("last_known", "Last known", "month", reason="came_reason")]
            if rows["last_known"].notna().any()
            else []
        ),
    ]
    return html_table(rows, columns=columns, caption="Returns, the latest first")


def _late(arrival: Mapping[Any, Any]) -> str:
    dated = int(arrival["status_rows"] - arrival["rows_undated"])
    undated = f", {arrival['rows_undated']} undated" if arrival["rows_undated"] else ""
    return f"{arrival['rows_late']} of {dated}{undated}" if dated else "–"


def findings_table(found: pd.DataFrame) -> HtmlTable:
    """Write every cell and row that could not be used, and fold all findings by rule; see ``metrics.quality``."""
    lost, rules = found[found["kind"].eq(PLACE)], found[found["kind"].eq(RULE)]
    parts = [_lost_table(lost)] if len(lost) else []
    columns = [
        Show("rule", "Rule"),
        Show("severity", "Severity"),
        Show("done", "What was done"),
        Show("findings", "Findings", "number"),
        Show("message", "For example", "prose"),
        Show("fix", "What to do", "prose"),
    ]
    by_rule = html_table(rules, columns=columns, caption="Findings of intake by rule")
    parts.append(_folded(by_rule, summary=f"All findings, by rule ({counted(len(rules), noun='rule')})"))
    return _together(parts)


def _lost_table(lost: pd.DataFrame) -> HtmlTable:
    shown = lost.head(MOST_ROWS)
    where = [", ".join(filter(None, place)) for place in zip(shown["sheet"], shown["place"], strict=True)]
    rows = shown.assign(where=where, what=shown["column"].where(shown["column"].ne(""), "the row"))
    columns = [
        Show("where", "Sheet and cell"),
        Show("done", "What was done"),
        Show("what", "Column"),
        Show("value", "Value"),
        Show("message", "What is wrong", "prose"),
        Show("fix", "What to do", "prose"),
        Show("key", "Row", "source"),
        Show("file", "File", "source"),
    ]
    cut = f", the first {MOST_ROWS} of {len(lost)}" if len(lost) > MOST_ROWS else ""
    return html_table(rows, columns=columns, caption=f"Cells and rows that could not be used{cut}")


def accounts_table(entries: pd.DataFrame) -> HtmlTable:
    """Write where rows, money and cells went, their parts folded; see ``metrics.quality.accounts``."""
    wholes = entries[entries["whole"].astype("bool")]
    named = wholes.assign(part=wholes["kind"].map(KINDS))
    parts = [html_table(named, columns=_account_columns("number"), caption="Came in = used + stated + lost + ignored")]
    for kind, summary in PARTS.items():
        rows = entries[entries["kind"].eq(kind) & ~entries["whole"].astype("bool")]
        if len(rows):
            form: Form = "exact" if kind == MONEY else "number"
            inner = html_table(rows, columns=_account_columns(form), caption=summary)
            parts.append(_folded(inner, summary=f"{summary} ({counted(len(rows), noun='line')})"))
    return _together(parts)


def _account_columns(form: Form) -> Sequence[Show]:
    return [
        Show("part", "What"),
        Show("came", "Came in", form),
        Show("used", "Used", form),
        Show("stated", "Says why it has no value", form),
        Show("lost", "Set aside or unreadable", form),
        Show("ignored", "Declared as ignored", form),
    ]


def _folded(table: HtmlTable, *, summary: str) -> HtmlTable:
    """Put a table behind a line that opens it; the line is escaped, the table is by its writer."""
    html = Markup("<details class='data'><summary>{}</summary>{}</details>").format(summary, Markup(table.html))  # noqa: S704
    return HtmlTable(str(html), table.rows, table.columns)


def _together(parts: Sequence[HtmlTable]) -> HtmlTable:
    return HtmlTable("\n".join(part.html for part in parts), sum(part.rows for part in parts), parts[0].columns)


def claims_table(held: pd.DataFrame) -> HtmlTable:
    """Write the claims that disagree with their cells, and fold the count of all; see ``metrics.claims``."""
    against = held[held["verdict"].eq(DISAGREES)]
    parts = [_against_table(against)] if len(against) else []
    counted_rows = counts(held)
    columns = [
        Show("kind", "Claim"),
        Show("verdict", "Against its cell"),
        Show("claims", "Claims", "number"),
        Show("out_of", "Out of", "number"),
    ]
    summary = html_table(counted_rows, columns=columns, caption="Claims by kind and verdict")
    parts.append(_folded(summary, summary=f"All claims, by kind ({counted(len(held), noun='claim')})"))
    silent = untold(held)
    if len(silent):
        why = html_table(
            silent, columns=[Show("reason", "Why"), Show("claims", "Claims", "number")], caption="Cannot be told"
        )
        parts.append(
            _folded(why, summary=f"Why some cannot be told ({counted(int(silent['claims'].sum()), noun='claim')})")
        )
    return _together(parts)


def _against_table(against: pd.DataFrame) -> HtmlTable:
    shown = against.head(MOST_ROWS)
    rows = shown.assign(
        quoted=[_quoted(row) for row in shown.to_dict("records")],
        held_to=[_cell_words(row) for row in shown.to_dict("records")],
    )
    columns = [
        Show("name", "Project"),
        Show("kind", "Claim"),
        Show("claimed", "The words say"),
        Show("stands", "The cell says"),
        Show("stood", "Last return's"),
        Show("held_to", "Cell"),
        Show("quoted", "In the text, claim in brackets", "prose"),
        Show("source_ref", "Text", "source"),
        Show("cell_ref", "Source of the cell", "source"),
    ]
    cut = f", the first {MOST_ROWS} of {len(against)}" if len(against) > MOST_ROWS else ""
    return html_table(rows, columns=columns, caption=f"Words that disagree with the cells{cut}")


def _cell_words(row: Mapping[Any, Any]) -> str:
    last = ", last return" if row["about"] == "before" else ""
    return f"{str(row['column_name']).replace('_', ' ')}{last}"


def _quoted(row: Mapping[Any, Any]) -> str:
    """Write the claim in brackets, with some words around it."""
    sentence, start, end = str(row["sentence"]), int(row["marked_from"]), int(row["marked_to"])
    before, after = sentence[max(start - AROUND, 0) : start], sentence[end : end + AROUND]
    lead, trail = "… " if start > AROUND else "", " …" if len(sentence) > end + AROUND else ""
    return f"{row['text']}: {lead}{before}[{sentence[start:end]}]{after}{trail}"


def shares_table(shares: pd.DataFrame) -> HtmlTable:
    """Write the measured shares with their n and rule; see ``metrics.quality.shares``."""
    columns = [
        Show("measure", "Measure"),
        Show("dimension", "Dimension"),
        Show("kept", "Share", reason="reason", note="rounded down: 100% is all"),
        Show("met", "Kept", "number"),
        Show("n", "Out of (n)", "number"),
        Show("rule", "What is counted", "prose"),
    ]
    told = [kept_share(met, n=n) if n else None for met, n in zip(shares["met"], shares["n"], strict=True)]
    rows = shares.assign(kept=pd.Series(told, index=shares.index, dtype="object"))
    return html_table(rows, columns=columns, caption="Measured shares; none is a mean of others")


def drift_table(drift: pd.DataFrame) -> HtmlTable:
    """Write how many cells were published, column by column; see ``metrics.disclosure.drift``."""
    rows = drift.assign(column_name=drift["column_name"].str.replace("_", " "))
    columns = [
        Show("column_name", "Column"),
        Show("period", "Report", "month"),
        Show("cells", "Cells", "number"),
        Show("reported", "One value", "number"),
        Show("range", "A range", "number"),
        Show("withheld", "Withheld", "number"),
        Show("no_value", "No value", "number"),
        Show("published_share", "Published", "share"),
    ]
    return html_table(rows, columns=columns, caption="Cells published, withheld and without value")


def changes_table(changed: pd.DataFrame) -> HtmlTable:
    """Write the values that came and went; see ``metrics.disclosure.changes``."""
    rows = changed.assign(column_name=changed["column_name"].str.replace("_", " "))
    columns = [
        Show("name", "Project"),
        Show("change", "Change"),
        Show("column_name", "Column"),
        Show("value", "Published value"),
        Show("reason", "Why there is, or was, none", "prose"),
        SOURCE,
    ]
    return html_table(rows, columns=columns, caption="Values withheld now that were published before, and the reverse")
