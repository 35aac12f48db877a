"""All that a notebook needs: ``begin`` opens and checks, ``show`` and ``kpis`` tell, ``publish`` hands over.

Run by hand in JupyterLab or by the batch, a notebook does the same; only the place of the project and of its outputs
may be set from outside (``PMO_ROOT``, ``PMO_OUTPUTS``).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Required, TypedDict, Unpack

import pandas as pd
from IPython.display import display
from markupsafe import Markup

from pmo_lib.errors import ParameterError, ReportError
from pmo_lib.parameters.load import find_root, load_reports, settings_for
from pmo_lib.results import Results, collect, glue, owed_reports, published, read_failures
from pmo_lib.snapshots import Archive, Snapshot, open_snapshot
from pmo_lib.theme import counted, day, money, month, number, share

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pmo_lib.parameters.models import Exhibit, Organisation, Report, Reports
    from pmo_lib.tables.html import HtmlTable

ECHO = "application/vnd.pmo.echo+json"
EXHIBIT = "application/vnd.pmo.exhibit+json"
PUBLISHED = "application/vnd.pmo.published+json"
PLOTLY = "application/vnd.plotly.v1+json"
CHART_CONFIG = {"displaylogo": False, "showSendToCloud": False, "plotlyServerURL": "", "responsive": True}


class Parameters(TypedDict, total=False):
    """What a report is about; the same names stand in every notebook's first cell."""

    organisation: Required[str]
    period: Required[str]
    portfolio: str
    snapshot: str
    overrides: Mapping[str, str]


def outputs_root() -> Path:
    """Return the folder that runs write to: ``PMO_OUTPUTS``, or ``outputs/`` beside the notebooks."""
    return Path(os.environ["PMO_OUTPUTS"]) if "PMO_OUTPUTS" in os.environ else find_root() / "outputs"


@dataclass
class Book:
    """An opened report: its tables, its settings, and what it has shown so far."""

    report: Report
    portfolio: str
    reports: Reports
    settings: Organisation
    snapshot: Snapshot
    folder: Path
    shown: list[str] = field(default_factory=list)
    figures_made: int = 0

    @property
    def period(self) -> str:
        """Month of the status date, ``YYYY-MM``."""
        return self.snapshot.period

    @property
    def status_date(self) -> pd.Timestamp:
        """The day that the return speaks of."""
        return self.snapshot.status_date

    @cached_property
    def chain(self) -> tuple[Snapshot, ...]:
        """Return this snapshot and the earlier ones, oldest first."""
        return self.snapshot.chain()

    @property
    def periods(self) -> tuple[str, ...]:
        """All periods up to this one, in order."""
        return tuple(snapshot.period for snapshot in self.chain)

    @property
    def previous_period(self) -> str | None:
        """The period before this one, or None."""
        return self.periods[-2] if len(self.periods) > 1 else None

    @property
    def year_ago_period(self) -> str | None:
        """The same month of the year before, if it was returned."""
        year, month_of_year = self.period.split("-")
        wanted = f"{int(year) - 1}-{month_of_year}"
        return wanted if wanted in self.periods else None

    @cached_property
    def name(self) -> str:
        """Name of the portfolio, or of the organisation."""
        names = self.table("portfolios").loc[lambda rows: rows["portfolio_id"].eq(self.portfolio), "name"]
        return str(names.iloc[0]) if len(names) else self.portfolio or self.settings.name

    def table(self, name: str) -> pd.DataFrame:
        """Return this portfolio's rows of a contract table in this period (the organisation's, in a roll-up)."""
        return self.snapshot.table(name, portfolio=self.portfolio or None)

    def history(self, name: str) -> pd.DataFrame:
        """Return a contract table over all periods up to this one, with ``period`` in front.

        A table with a column ``period`` of its own (finance) keeps it and has ``return_month`` in front instead.
        Rows of projects that moved stand here too, under the portfolio that held them in that period, so that a move is
        seen as a move and not as a loss.
        """
        parts = [(snapshot.period, self._with_moved(snapshot, name=name)) for snapshot in self.chain]
        month_column = "return_month" if "period" in parts[-1][1].columns else "period"
        stamped = [part.assign(**{month_column: period}) for period, part in parts]
        filled = [part for part in stamped if len(part)]
        whole = pd.concat(filled, ignore_index=True) if filled else stamped[-1]
        return whole[[month_column, *[column for column in whole.columns if column != month_column]]]

    def _with_moved(self, snapshot: Snapshot, *, name: str) -> pd.DataFrame:
        own = snapshot.table(name, portfolio=self.portfolio or None)
        if not self.portfolio or "project_id" not in own.columns:
            return own
        elsewhere = [
            rows.loc[rows["project_id"].isin(projects)]
            for other, projects in sorted(self._moved.items())
            if len(rows := snapshot.table(name, portfolio=other))
        ]
        return pd.concat([own, *elsewhere], ignore_index=True) if elsewhere else own

    @cached_property
    def _moved(self) -> dict[str, set[str]]:
        """Projects that this portfolio took over or gave away, by the other portfolio."""
        moved: dict[str, set[str]] = {}
        for snapshot in self.chain:
            lineage = snapshot.table("lineage", portfolio=self.portfolio)
            for row in lineage.loc[lineage["kind"].eq("transferred")].to_dict("records"):
                other = row["to_id"] if row["from_id"] == self.portfolio else row["from_id"]
                moved.setdefault(str(other), set()).add(str(row["project_id"]))
        return moved

    @cached_property
    def findings(self) -> pd.DataFrame:
        """Intake findings about this portfolio, and about whole files."""
        findings = self.snapshot.intake_table("findings")
        return findings.loc[findings["portfolio_id"].isin({self.portfolio, ""})] if self.portfolio else findings

    @cached_property
    def quarantined(self) -> pd.DataFrame:
        """Rows of this portfolio that could not be used."""
        rows = self.snapshot.intake_table("quarantined")
        return rows.loc[rows["portfolio_id"].eq(self.portfolio)] if self.portfolio else rows

    @cached_property
    def results(self) -> list[Results]:
        """What the other reports published, of all periods, from the snapshots that this one stands on."""
        snapshots = {snapshot.period: snapshot.id for snapshot in self.chain}
        failed = {(p, row["portfolio_id"], row["report"]) for p in snapshots for row in read_failures(self.folder / p)}
        return published(self.folder, snapshots=snapshots, failed=failed)

    def published(self, table: str) -> pd.DataFrame:
        """Return one published table of all portfolios in this period: ``portfolio_id``, ``period`` and its columns."""
        rows = self.published_history(table)
        return rows.loc[rows["period"].eq(self.period)].reset_index(drop=True)

    def published_history(self, table: str) -> pd.DataFrame:
        """Return one published table of all portfolios and of all periods whose reports were run."""
        return collect([result for result in self.results if table in result.tables], table=table)

    def published_figures(self) -> pd.DataFrame:
        """Return all published figures: ``portfolio_id, period, report, name, value, unit, reason``."""
        parts = [
            result.figures.assign(
                portfolio_id=result.identity["portfolio"],
                period=result.identity["period"],
                report=result.identity["report"],
            )
            for result in self.results
        ]
        columns = ["portfolio_id", "period", "report", "name", "value", "unit", "reason"]
        return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)

    @cached_property
    def batch(self) -> pd.DataFrame:
        """State of every report that this period owes: ``portfolio_id, report, status, stage, cause``.

        ``status`` is published, failed (in the last run), missing (not run, or stale) or not returned.
        """
        done = {
            (r.identity["portfolio"], r.identity["report"]) for r in self.results if r.identity["period"] == self.period
        }
        return owed_reports(
            reports=[report.name for report in self.reports.reports if report.scope == "portfolio"],
            returns=self.snapshot.intake_table("returns"),
            done=done,
            failures=read_failures(self.folder / self.period),
        )

    def kpis(self, figures: pd.DataFrame) -> None:
        """Show figures (name, value, unit, reason; optional label, movement) as tiles."""
        tiles = Markup("\n").join(_tile(row) for row in figures.to_dict("records"))
        _html(Markup('<div class="kpis">{}</div>').format(tiles))

    def show(
        self,
        exhibit: str,
        metric: pd.DataFrame,
        *,
        figure: Callable[[pd.DataFrame], Any] | None = None,
        table: Callable[[pd.DataFrame], HtmlTable] | None = None,
        says: Callable[[pd.DataFrame], str] | None = None,
    ) -> None:
        """Show one exhibit: what to see, the chart, its figures, its caption; or what is missing and who has it."""
        spec = self.report.exhibit(exhibit)
        if exhibit in self.shown:
            raise ReportError(f"exhibit {exhibit!r} is shown twice", fix="show each exhibit once", stage="notebook")
        self.shown.append(exhibit)
        missing = metric.empty
        note = {
            "exhibit": exhibit,
            "figure": bool(figure) and not missing,
            "table": bool(table) and not missing,
            "missing": missing,
        }
        if missing:
            _html(self._absence(spec), extra={EXHIBIT: note})
            return
        _html(Markup('<p class="says">{}</p>').format(says(metric) if says else ""), extra={EXHIBIT: note})
        if figure is not None:
            self.figures_made += 1
            _chart(figure(metric))
        self._below(spec, shown=None if table is None else table(metric), folded=figure is not None)

    def _absence(self, spec: Exhibit) -> Markup:
        lacking = [name for name in spec.needs if self.table(name).empty]
        if not lacking:
            return Markup('<p class="nothing">{}</p>').format(spec.nothing)
        return Markup('<p class="missing"><strong>Missing: {}.</strong> {}</p>').format(
            ", ".join(lacking), spec.supplier
        )

    def _below(self, spec: Exhibit, *, shown: HtmlTable | None, folded: bool) -> None:
        body = Markup("") if shown is None else Markup(shown.html)  # noqa: S704 - the table writer escapes
        if shown is not None and folded:
            summary = f"Figures behind the chart ({counted(shown.rows, noun='row')})"
            body = Markup("<details class='data'><summary>{}</summary>{}</details>").format(summary, body)
        sources = ", ".join(spec.needs) or "published results"
        caption = f"{spec.caption} Status date {day(self.status_date)}. Source tables: {sources}."
        _html(body + Markup('<p class="caption">{}</p>').format(caption))

    def publish(self, *, figures: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> None:
        """Hand the named figures and tables to the roll-up and the auditor; every exhibit must have been shown."""
        forgotten = [exhibit.id for exhibit in self.report.exhibits if exhibit.id not in self.shown]
        if forgotten:
            raise ReportError(
                f"exhibits not shown: {', '.join(forgotten)}", fix="show each, even if it is missing", stage="notebook"
            )
        glue(self.identity, figures=figures, tables=tables)
        note = {"figures_made": self.figures_made, "exhibits": self.shown}
        _html(Markup('<p class="published">{}</p>').format(
            f"Published {counted(len(figures), noun='figure')} and {counted(len(tables), noun='table')} to the roll-up."
        ), extra={PUBLISHED: note})  # fmt: skip

    @property
    def identity(self) -> dict[str, str]:
        """What this report is of; the batch compares it with what it asked for."""
        return {
            "organisation": self.settings.id,
            "period": self.period,
            "portfolio": self.portfolio,
            "report": self.report.name,
            "snapshot": self.snapshot.id,
        }


def begin(report: str, **parameters: Unpack[Parameters]) -> Book:
    """Open a report: settings, snapshot, and the head of the page.

    Raises
    ------
    ParameterError
        An unknown report or portfolio, or settings that cannot be used.
    StoreError
        No snapshot of the period, or one that was altered.
    """
    root = find_root()
    organisation, portfolio = parameters["organisation"], parameters.get("portfolio", "")
    reports = load_reports(root)
    settings = settings_for(
        root, org=organisation, portfolio=portfolio or None, overrides=parameters.get("overrides", {})
    )
    folder = outputs_root() / organisation
    snapshot = open_snapshot(
        Archive(folder / "archive"), period=parameters["period"], snapshot=parameters.get("snapshot", "")
    )
    if portfolio and portfolio not in snapshot.portfolios:
        raise ParameterError(
            f"portfolio {portfolio!r} returned nothing usable for {snapshot.period}; "
            f"there are {', '.join(snapshot.portfolios)}",
            fix="choose one of them, or ask for the missing return",
        )
    book = Book(reports.named(report), portfolio, reports, settings, snapshot, folder)
    _html(_head(book), extra={ECHO: book.identity})
    return book


def _head(book: Book) -> Markup:
    return Markup(
        '<header class="report"><p class="kicker">{kicker}</p><h1>{name}: {title}</h1>'
        '<p class="question">{question}</p><p class="facts">{facts}</p></header>'
    ).format(
        kicker=f"{book.settings.name} · {month(book.period)}",
        name=book.name,
        title=book.report.title.lower(),
        question=book.report.question,
        facts=" · ".join(_facts(book)),
    )


def _facts(book: Book) -> list[str]:
    """Status date, data digest and row accounting: what a reader needs to trust the page or to doubt it."""
    accounting = book.snapshot.intake_table("accounting")
    rows = accounting.loc[accounting["portfolio_id"].eq(book.portfolio)] if book.portfolio else accounting
    used, held = int(rows["used"].sum()), int(rows["quarantined"].sum())
    severe = int(book.findings["severity"].isin(("error", "warning")).sum())
    return [
        f"status date {day(book.status_date)}",
        f"data {book.snapshot.id[:12]}",
        f"{number(int(rows['rows_in'].sum()))} rows returned, {number(used)} used, {number(held)} quarantined",
        counted(severe, noun="finding"),
    ]


def _tile(row: Mapping[Any, Any]) -> Markup:
    value, unit = row["value"], str(row.get("unit") or "")
    label = row.get("label") or str(row["name"]).replace("_", " ")
    if pd.isna(value):
        text, small = "n/a", str(row["reason"])
    else:
        text, small = _quantity(float(value), unit=unit), str(row.get("movement") or "")
    return Markup(
        '<div class="kpi"><span class="label">{}</span><span class="value">{}</span><span class="small">{}</span></div>'
    ).format(label, text, small)


def _quantity(value: float, *, unit: str) -> str:
    if unit == "share":
        return share(value)
    if len(unit) == 3 and unit.isupper():
        return money(value, currency=unit)
    return f"{number(value)} {unit}".strip() if unit == "days" else number(value)


def _html(markup: Markup, *, extra: Mapping[str, Any] | None = None) -> None:
    _emit({"text/html": str(markup), "text/plain": markup.striptags(), **(extra or {})})


def _emit(bundle: dict[str, Any]) -> None:
    display(bundle, raw=True)  # type: ignore[no-untyped-call]  # IPython states no types here


def _chart(figure: Any) -> None:
    """Emit a figure as its data only: JupyterLab draws it, and so does the page, each with its own plotly.js."""
    document = json.loads(figure.to_json())
    title = str(document.get("layout", {}).get("title", {}).get("text", "chart"))
    _emit({PLOTLY: {**document, "config": CHART_CONFIG}, "text/plain": title})
