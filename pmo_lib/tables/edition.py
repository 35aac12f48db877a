"""Tables of the record of an edition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmo_lib.tables.html import Show, html_table
from pmo_lib.tables.tiles import written

if TYPE_CHECKING:
    import pandas as pd

    from pmo_lib.tables.html import HtmlTable

WHO = [Show("operator", "By"), Show("entered_on", "Entered", "day")]


def runs_table(runs: pd.DataFrame) -> HtmlTable:
    """Write the runs that stand; see ``metrics.edition.runs``."""
    columns = [
        Show("portfolio_id", "Portfolio", choice=True),
        Show("report", "Report", choice=True),
        Show("run", "Run", "source"),
        Show("data", "Data", "source"),
        Show("code", "Code", "source"),
        *WHO,
        Show("signed", "Signed", "flag"),
        Show("marks", "Marks"),
        Show("entry", "Entry", "number"),
    ]
    return html_table(runs, columns=columns, caption="Runs that stand", sifted=True)


def replaced_table(replaced: pd.DataFrame) -> HtmlTable:
    """Write the runs whose place another took; see ``metrics.edition.replaced``."""
    columns = [
        Show("portfolio_id", "Portfolio"),
        Show("report", "Report"),
        Show("run", "Was", "source"),
        Show("replaced_by", "Is", "source"),
        *WHO,
        Show("reason", "Why", "prose"),
    ]
    return html_table(replaced, columns=columns, caption="Runs whose place another took")


def data_table(data: pd.DataFrame) -> HtmlTable:
    """Write what was returned; see ``metrics.edition.data``."""
    columns = [
        Show("file", "File"),
        Show("size", "Bytes", "number"),
        Show("sha256", "sha256 begins", "source"),
        Show("snapshot", "Snapshot", "source"),
        Show("operator", "Taken by"),
        Show("taken_on", "On", "day"),
        Show("standing", "In the archive"),
        Show("reason", "Reason", "prose"),
    ]
    return html_table(data, columns=columns, caption="Files that were returned")


def code_table(code: pd.DataFrame) -> HtmlTable:
    """Write the versions that made runs; see ``metrics.edition.code``."""
    columns = [
        Show("source", "Library", "source"),
        Show("commit", "Commit", "source"),
        Show("changes", "Changes beside it"),
        Show("lock", "Lock", "source"),
        Show("python", "Python"),
        Show("runs", "Runs", "number"),
    ]
    return html_table(code, columns=columns, caption="Library, lock and Python")


def overrides_table(overrides: pd.DataFrame) -> HtmlTable:
    """Write the settings of single runs; see ``metrics.edition.overrides``."""
    columns = [
        Show("portfolio_id", "Portfolio"),
        Show("report", "Report"),
        Show("setting", "Setting"),
        Show("value", "Value"),
        Show("run", "Run", "source"),
    ]
    return html_table(overrides, columns=columns, caption="Settings given for single runs")


def corrections_table(corrections: pd.DataFrame) -> HtmlTable:
    """Write the corrections of returns; see ``metrics.edition.corrections``."""
    columns = [
        Show("snapshot", "Snapshot", "source"),
        Show("supersedes", "In place of", "source"),
        *WHO,
        Show("reason", "Why", "prose"),
        Show("entry", "Entry", "number"),
    ]
    return html_table(corrections, columns=columns, caption="Corrections of returns")


def changes_table(changes: pd.DataFrame) -> HtmlTable:
    """Write the figures that changed; see ``metrics.edition.changes``."""
    rows = changes.assign(
        **{
            name: [
                written(value, unit=str(unit or "")) for value, unit in zip(changes[name], changes["unit"], strict=True)
            ]
            for name in ("reported", "restated")
        }
    )
    columns = [
        Show("portfolio_id", "Portfolio", choice=True),
        Show("report", "Report", choice=True),
        Show("label", "Figure"),
        Show("reported", "Was"),
        Show("restated", "Is"),
        Show("run", "Run", "source"),
    ]
    return html_table(rows, columns=columns, caption="Figures that changed", sifted=True)


def checks_table(checks: pd.DataFrame) -> HtmlTable:
    """Write what was checked; see ``metrics.edition.checks``."""
    columns = [Show("what", "What"), Show("found", "Found"), Show("means", "What it proves", "prose")]
    return html_table(checks, columns=columns, caption="What was checked for this record")
