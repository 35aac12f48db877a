"""A comparison of two runs, to be read: a page of its own, and lines for a terminal.

Both hold nothing but what the comparison holds: the same two runs give the same bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from pmo_lib.metrics.explained import united
from pmo_lib.store import canonical_json
from pmo_lib.tables.html import Show, html_table
from pmo_lib.theme import NOT_COMPUTABLE, counted, month, page_css

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pmo_lib.audit.compare import Comparison

PAGE = Markup(
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
    '<meta name="referrer" content="no-referrer">'
    "<title>{title}</title><style>{css}</style></head>"
    '<body><main class="site"><header class="report"><p class="kicker">{kicker}</p><h1>{title}</h1>\n{says}</header>\n'
    "{body}\n</main></body></html>\n"
)
MOST_ROWS = 300  # of one table on the page; the rest is in the JSON
MOST_LINES = 12  # of one kind on a terminal
DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
RUN = {
    "run": "run", "period": "period", "portfolio": "portfolio", "report": "report", "snapshot": "snapshot",
    "finishedOn": "finished", "operator": "by", "host": "on", "reason": "reason", "supersedes": "takes the place of",
    "draft": "draft (source not committed)", "signed_by": "signed by key",
}  # fmt: skip
RULES = {
    "asked": "Parameters of the run", "settings": "Settings that were read", "notebook": "Notebook",
    "sections": "Own sections", "inputs": "Files of parameters and notebooks", "definitions": "Definitions of figures",
}  # fmt: skip
CODE = {
    "tree": "Source tree", "source": "Files of the library", "lock": "Lock of the packages", "packages": "Packages",
    "assets": "Assets of the page", "machine": "Engine, numeric profile, environment",
}  # fmt: skip
DATA = {"returns": "Returns", "accounting": "Rows of the returns", "published": "What other reports had published"}
CHANGES = (
    Show("name", "What"), Show("old", "Before", form="prose"), Show("new", "Now", form="prose"),
)  # fmt: skip
FIGURES = (
    Show("label", "Figure"), Show("old", "Before", form="amount"), Show("new", "Now", form="amount"),
    Show("difference", "Difference", form="amount"), Show("reason", "Remark", form="prose"),
)  # fmt: skip
CELLS = (
    Show("key", "Row"), Show("table", "Table"), Show("column", "Column"), Show("change", "Change"),
    Show("old", "Before"), Show("new", "Now"), Show("place", "Where", form="source"),
)  # fmt: skip
PLACES = (
    Show("table", "Table"), Show("change", "Behind the figure"), Show("period", "Return of"),
    Show("count", "Rows", form="number"), Show("place", "Where", form="source"),
)  # fmt: skip
TABLES = (
    Show("name", "Published table"), Show("old", "Rows before", form="number"), Show("new", "Rows now", form="number"),
    Show("added", "Added", form="number"), Show("removed", "Removed", form="number"),
    Show("changed", "Changed", form="number"),
)  # fmt: skip


# --- what both say --------------------------------------------------------------------------------------------


def title(document: Mapping[str, Any]) -> str:
    """Return what is compared, in a line."""
    old, new = (_short(document[side]) for side in ("old", "new"))
    parts = [one if one == other else f"{other}, {one} before" for one, other in zip(old, new, strict=True)]
    return f"{parts[0]} of {parts[1]}, {parts[2]}: what changed"


def _short(run: Mapping[str, Any]) -> tuple[str, str, str]:
    report = str(run["report"]).replace("_", " ").capitalize()
    return report, str(run["portfolio"] or run["organisation"]), month(str(run["period"]))


def verdicts(document: Mapping[str, Any]) -> list[str]:
    """Return what differs as a few sentences, also what does not."""
    figures, tables, data = document["figures"], document["tables"], document["data"]
    changed = counted(len(figures), noun="figure")
    said = [f"{changed} changed; {document['figures_same']} of the same name have the same value."]
    if document["other_rows"]:
        names = ", ".join(name.replace("_", " ") for name in document["other_rows"])
        said.append(f"The same value, but from other rows or cells: {names}.")
    said.append(f"{counted(len(tables), noun='published table')} changed.")
    for group, words in (("rules", RULES), ("code", CODE)):
        differs = [f"{words[name].lower()} ({len(document[group][name])})" for name in words if document[group][name]]
        said.append(f"{group.capitalize()}: {'; '.join(differs) or 'the same'}.")
    snapshots = [
        f"{month(one['period'])}: {', '.join(_count(what, count=count) for what, count in one['counts'].items())}"
        for one in data["snapshots"]
    ]
    if document["old"]["period"] != document["new"]["period"] and not snapshots:
        snapshots = ["another period; where both saw the same period, the same snapshot of it"]
    said.append(f"Data: {'; '.join(snapshots) or 'the same snapshots'}.")
    return said


def _count(what: str, *, count: int) -> str:
    """Write how many of something changed: ``4 cells changed``, ``2 rows set aside came``."""
    noun, _, change = what.rpartition(" ")
    one, many = ("row set aside", "rows set aside") if noun == "set aside" else (noun, f"{noun}s")
    return f"{counted(count, noun=one, plural=many)} {change}"


def written(value: float | None, *, unit: str) -> str | None:
    """Write a value in full with its unit; None without one."""
    return None if value is None else united(value, unit=unit)


def text(value: Any) -> str:
    """Write anything that may differ: a text as it is, with the first digits of each sha256 in it."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    words = value if isinstance(value, str) else canonical_json(value).decode()
    return DIGEST.sub(r"\1…", words)


def _figure_row(figure: Mapping[str, Any]) -> dict[str, Any]:
    moved = figure["difference"]
    sign = "+" if moved is not None and moved > 0 else ""
    reasons = [figure[f"{side}_reason"] for side in ("old", "new") if figure[side] is None and figure[f"{side}_reason"]]
    absent = {"added": "not published before", "removed": "not published any more"}.get(figure["change"])
    return {
        "label": figure["label"],
        "old": written(figure["old"], unit=figure["old_unit"]),
        "new": written(figure["new"], unit=figure["unit"]),
        "difference": None if moved is None else sign + united(moved, unit=figure["unit"]),
        "reason": "; ".join(filter(None, [*dict.fromkeys(reasons), absent])) or None,
    }


def _cell_row(row: Mapping[str, Any]) -> dict[str, Any]:
    places = list(dict.fromkeys(row[name] for name in ("old_ref", "new_ref") if row[name]))
    key = " | ".join(filter(None, str(row["key"] or "").split("|")))
    subject = " ".join(filter(None, [row["portfolio_id"], key])) or row["what"]
    return {
        **{name: row[name] for name in ("change", "column")},
        "key": subject,
        "table": row["table"] if row["what"] == "row" else f"{row['what']} {row['table'] or ''}".strip(),
        "old": None if row["old"] is None else text(row["old"]),
        "new": None if row["new"] is None else text(row["new"]),
        "place": f"{', now '.join(places)} ({row['period']})",
    }


# --- the page -------------------------------------------------------------------------------------------------


def page(comparison: Comparison) -> bytes:
    """Return a comparison as a page that needs nothing else, no script either."""
    document = comparison.document
    says = Markup("").join(Markup('<p class="says">{}</p>').format(one) for one in verdicts(document))
    body = Markup("\n").join(
        Markup("<h2>{}</h2>\n{}").format(question, content) for question, content in _sections(document)
    )
    css = Markup(page_css())  # noqa: S704 - our own style sheet
    kicker = f"{document['new']['organisation']}: two runs against each other"
    return str(PAGE.format(title=title(document), kicker=kicker, css=css, says=says, body=body)).encode()


def _sections(document: Mapping[str, Any]) -> Iterator[tuple[str, Markup]]:
    old, new = document["old"], document["new"]
    runs = [{"name": label, "old": text(old[name]), "new": text(new[name])} for name, label in RUN.items()]
    yield "Which two runs?", _table(runs, columns=CHANGES, caption="Both runs as their records in the archive say")
    figures = document["figures"]
    told = [_figure_row(figure) for figure in figures]
    columns = FIGURES if any(row["reason"] for row in told) else FIGURES[:-1]
    yield "Which figures changed?", _table(told, columns=columns, caption="Figures, in the order of the report")
    yield "Which rows are behind them?", Markup("\n").join(map(_behind, figures)) or _nothing()
    yield (
        "Which published tables changed?",
        _table(document["tables"], columns=TABLES, caption="Rows are told apart by the columns that stand first"),
    )
    yield "Which rules and parameters changed?", _groups(document["rules"], words=RULES)
    yield "Which code changed?", _groups(document["code"], words=CODE)
    yield "Which data changed?", _data(document["data"])


def _behind(figure: Mapping[str, Any]) -> Markup:
    """Write the rows behind a changed figure, folded."""
    cells = [_cell_row(each) for each in figure["cells"]]
    places = [
        {**each, "change": change, "place": _place(each)} for change in ("came", "went") for each in figure[change]
    ]
    worked = [
        Markup("<dt>{}</dt><dd>{}</dd>").format(label, figure[name])
        for name, label in (("old_worked", "before"), ("new_worked", "now"))
        if figure[name]
    ]
    parts = [
        Markup('<dl class="how">{}</dl>').format(Markup("").join(worked)) if worked else Markup(""),
        _table(cells, columns=CELLS, caption="Cells of its rows that differ between the snapshots") if cells else "",
        _table(places, columns=PLACES, caption="Rows that came and went behind the figure") if places else "",
    ]
    if not cells and not places:
        parts.append(Markup('<p class="nothing">The same rows, with the same cells: a rule or the code changed.</p>'))
    return Markup('<details class="figure data"><summary>{}: {}</summary>{}</details>').format(
        figure["label"], _counts_behind(figure) or "the same rows and cells", Markup("").join(parts)
    )


def _counts_behind(figure: Mapping[str, Any]) -> str:
    """Return how many of the rows behind a figure came, went, and have other cells; "" if none."""
    came, went = (sum(each["count"] for each in figure[change]) for change in ("came", "went"))
    counts = {"row came": came, "row went": went, "cell changed": len(figure["cells"])}
    return ", ".join(_count(what, count=count) for what, count in counts.items() if count)


def _place(each: Mapping[str, Any]) -> str:
    return f"{each['place']}, rows {each['rows']}" if each["rows"] else str(each["place"])


def _groups(groups: Mapping[str, Sequence[Mapping[str, Any]]], *, words: Mapping[str, str]) -> Markup:
    """Write each group of changes that is not empty."""
    written_groups = [
        _table([{name: text(value) for name, value in each.items()} for each in groups[name]],
               columns=CHANGES, caption=label)
        for name, label in words.items() if groups.get(name)
    ]  # fmt: skip
    return Markup("\n").join(written_groups) or _nothing()


def _data(data: Mapping[str, Any]) -> Markup:
    snapshots = [
        {"name": f"snapshot of {month(each['period'])}", "old": text(each["old"]), "new": _corrected(each)}
        for each in data["snapshots"]
    ]
    counts = [
        {"name": label, **{side: str(count) for side, count in data[name].items()}}
        for name, label in (("findings", "findings"), ("quarantined", "rows set aside"))
        if data[name]["old"] != data[name]["new"]
    ]
    rows = [_cell_row(each) for each in data["rows"]]
    parts = [
        _table([*snapshots, *counts], columns=CHANGES, caption="Snapshots, and what intake found")
        if snapshots or counts else Markup(""),
        _table(rows, columns=CELLS, caption="Row by row") if rows else Markup(""),
        _groups(data, words=DATA) if any(data[name] for name in DATA) else Markup(""),
    ]  # fmt: skip
    return Markup("\n").join(filter(None, parts)) or _nothing()


def _corrected(each: Mapping[str, Any]) -> str:
    return text(each["new"]) + (f": {each['reason']}" if each["reason"] else "")


def _nothing() -> Markup:
    return Markup('<p class="nothing">Nothing.</p>')


def _table(rows: Sequence[Mapping[str, Any]], *, columns: tuple[Show, ...], caption: str) -> Markup:
    if not rows:
        return _nothing()
    told = pd.DataFrame(list(rows[:MOST_ROWS]), columns=[column.name for column in columns], dtype="object")
    more = len(rows) - len(told)
    beyond = (
        Markup('<p class="caption">{} more: pmo compare --json has all.</p>').format(f"{more:,}") if more > 0 else ""
    )
    return Markup(html_table(told, columns=columns, caption=caption).html) + beyond  # noqa: S704 - escaped there


# --- the terminal ---------------------------------------------------------------------------------------------


def lines(comparison: Comparison) -> Iterator[str]:
    """Yield a comparison as lines of text; long lists are cut, and say so."""
    document = comparison.document
    yield title(document)
    for side in ("old", "new"):
        run = document[side]
        made = f"snapshot {str(run['snapshot'])[:12]}, by {run['operator']}, {run['finishedOn']}"
        yield f"  {side}: {run['run']} ({made})"
    yield from verdicts(document)
    yield from _cut(list(_figure_lines(document)), heading="figures")
    yield from _cut([_table_line(each) for each in document["tables"]], heading="published tables")
    for group, words in (("rules", RULES), ("code", CODE), ("data", DATA)):
        for name, label in words.items():
            told = [f"{each['name']}: {text(each['old'])} → {text(each['new'])}" for each in document[group][name]]
            yield from _cut(told, heading=label.lower())
    yield from _cut([_cell_line(row) for row in document["data"]["rows"]], heading="rows of the snapshots")


def _figure_lines(document: Mapping[str, Any]) -> Iterator[str]:
    for figure in document["figures"]:
        row = _figure_row(figure)
        moved = f" ({row['difference']})" if row["difference"] else ""
        why = f": {row['reason']}" if row["reason"] else ""
        told = _counts_behind(figure)
        values = f"{row['old'] or NOT_COMPUTABLE} → {row['new'] or NOT_COMPUTABLE}"
        yield f"{figure['name']}: {values}{moved}{why}{f'; {told}' if told else ''}"


def _table_line(table: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{table[name]} {name}" for name in ("added", "removed", "changed") if table[name])
    rows = " → ".join("none" if table[side] is None else str(table[side]) for side in ("old", "new"))
    return f"{table['name']}: {rows} rows ({counts or 'its columns differ'})"


def _cell_line(row: Mapping[str, Any]) -> str:
    cell = _cell_row(row)
    values = " → ".join(one if one is not None else "nothing" for one in (cell["old"], cell["new"]))
    column = f" {cell['column']}" if cell["column"] else ""
    return f"{cell['table']} {cell['key']}{column} {cell['change']}: {values}; {cell['place']}"


def _cut(told: list[str], *, heading: str) -> Iterator[str]:
    if told:
        yield f"{heading}:"
        yield from (f"  {line}" for line in told[:MOST_LINES])
    if len(told) > MOST_LINES:
        yield f"  … and {len(told) - MOST_LINES:,} more: --json or --html has them"
