"""The index of what is published: every organisation, period, portfolio and report, and what is not there and why.

It is written from the ``state.json`` of each period alone, so that the same outputs give the same bytes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pmo_lib.results import FAILED_FOLDER, STATE_FILE
from pmo_lib.store import write_atomically
from pmo_lib.theme import counted, month, page_css

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PAGE = Markup(
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
    "<title>{title}</title><style>{css}</style></head>"
    '<body><main class="site"><h1>{title}</h1>\n{body}\n</main></body></html>\n'
)


def write_index(outputs: Path) -> Path:
    """Write ``<outputs>/index.html`` and one index for each period; return the path of the first."""
    states = [
        (path.parent, json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(outputs.glob(f"*/*/{STATE_FILE}"))
    ]
    for folder, state in states:
        for row in state["reports"]:
            row["kept"] = folder.joinpath(*_kept(row)).is_file()
        title = f"{state['name']}, {month(state['period'])}"
        _write(folder / "index.html", title=title, body=_period(state, prefix=""))
    body = Markup("\n").join(_organisation(organisation, states=states) for organisation in _names(states))
    _write(outputs / "index.html", title="Portfolio reports", body=body or Markup("<p>Nothing is published yet.</p>"))
    return outputs / "index.html"


def _write(path: Path, *, title: str, body: Markup) -> None:
    css = Markup(page_css())  # noqa: S704 - our own style sheet
    write_atomically(path, content=str(PAGE.format(title=title, css=css, body=body)).encode())


def _names(states: Iterable[tuple[Path, Mapping[str, Any]]]) -> list[str]:
    return sorted({str(state["organisation"]) for _, state in states})


def _organisation(organisation: str, *, states: Iterable[tuple[Path, Mapping[str, Any]]]) -> Markup:
    """Newest period open, earlier ones folded."""
    own = [state for _, state in states if state["organisation"] == organisation]
    newest_first = sorted(own, key=lambda state: str(state["period"]), reverse=True)
    sections = [
        Markup("<details{}><summary>{}: {}</summary>{}</details>").format(
            Markup(" open") if place == 0 else "",
            month(state["period"]),
            _summary(state),
            _period(state, prefix=f"{organisation}/{state['period']}/"),
        )
        for place, state in enumerate(newest_first)
    ]
    return Markup("<section><h2>{}</h2>{}</section>").format(newest_first[0]["name"], Markup("\n").join(sections))


def _summary(state: Mapping[str, Any]) -> str:
    statuses = [row["status"] for row in state["reports"]]
    troubled = sorted(set(statuses) - {"published"})
    parts = [f"{counted(statuses.count('published'), noun='report')} published"]
    return ", ".join([*parts, *(f"{statuses.count(status)} {status}" for status in troubled)])


def _period(state: Mapping[str, Any], *, prefix: str) -> Markup:
    reports = list(dict.fromkeys(row["report"] for row in state["reports"]))
    whole = [row for row in state["reports"] if not row["portfolio_id"]]
    links = Markup(" · ").join(_cell(row, prefix=prefix) for row in whole)
    rows = Markup("\n").join(_portfolio(name, state=state, prefix=prefix) for name in _portfolios(state))
    columns = [
        report for report in reports if any(r["report"] == report and r["portfolio_id"] for r in state["reports"])
    ]
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(report.replace("_", " ")) for report in columns)
    return Markup(
        "<p>{}</p><p>{}</p>"
        '<div class="table" role="region" tabindex="0" aria-label="Reports"><table>'
        '<caption>Reports by portfolio</caption><thead><tr><th scope="col">Portfolio</th>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(_summary(state), links, head, rows)


def _portfolios(state: Mapping[str, Any]) -> list[str]:
    return sorted({str(row["portfolio_id"]) for row in state["reports"] if row["portfolio_id"]})


def _portfolio(portfolio: str, *, state: Mapping[str, Any], prefix: str) -> Markup:
    own = [row for row in state["reports"] if row["portfolio_id"] == portfolio]
    name = state["portfolios"].get(portfolio, portfolio)
    cells = Markup("").join(Markup("<td>{}</td>").format(_cell(row, prefix=prefix)) for row in own)
    return Markup('<tr><th scope="row">{}</th>{}</tr>').format(name, cells)


def _kept(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return where the notebook of a report is kept if it failed, below the folder of its period."""
    return tuple(filter(None, (FAILED_FOLDER, row["portfolio_id"], f"{row['report']}.ipynb")))


def _cell(row: Mapping[str, Any], *, prefix: str) -> Markup:
    if row["status"] == "published":
        place = f"{row['portfolio_id']}/" if row["portfolio_id"] else ""
        words = "read" if row["portfolio_id"] else row["report"].replace("_", " ")
        return Markup('<a href="{}{}{}.html">{}</a>').format(prefix, place, row["report"], words)
    css = f"state-{str(row['status']).split()[0]}"
    cause = f": {row['cause']}" if row.get("cause") else ""
    told = Markup('<span class="{}">{}</span>{}').format(css, row["status"], cause)
    if row["status"] == "failed" and row["kept"]:
        told += Markup(' (<a href="{}{}">its notebook</a>)').format(prefix, "/".join(_kept(row)))
    if not row.get("as_of"):
        return told
    page = Markup('<a href="{}{}/{}.html">last known, {}</a>')
    return told + Markup("; ") + page.format(prefix, row["portfolio_id"], row["report"], month(row["as_of"]))
