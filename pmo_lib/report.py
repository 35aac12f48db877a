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

from pmo_lib.archive.edition import Edition, edition
from pmo_lib.archive.evidence import restated
from pmo_lib.errors import ParameterError, ReportError
from pmo_lib.known import Known
from pmo_lib.metrics.explained import About, Explanation, explained
from pmo_lib.metrics.movement import Between
from pmo_lib.metrics.named_costs import Finance
from pmo_lib.metrics.named_health import Health
from pmo_lib.metrics.named_risk import Risks
from pmo_lib.metrics.named_rollup import FIGURES, REPORTS, Rollup
from pmo_lib.metrics.quality import accounts, findings as listed
from pmo_lib.metrics.restated import changed_figures
from pmo_lib.metrics.submission import ON_TIME, UNDATED, arrival_words, arrivals, noteworthy
from pmo_lib.parameters.load import find_root, load_reports, load_sections, settings_for
from pmo_lib.parameters.traced import noted, traced
from pmo_lib.results import (
    Results,
    collect,
    digests,
    figures_of,
    glue,
    in_force,
    owed_places,
    owed_reports,
    pages_of,
    parse,
    placed,
    plain,
    read_failures,
)
from pmo_lib.sentences.captions import stated
from pmo_lib.sentences.quality import rows_told, standing_sentences
from pmo_lib.snapshots import Archive, Snapshot, open_snapshot
from pmo_lib.tables.explained import figures_html, tracing
from pmo_lib.tables.restated import restated_html
from pmo_lib.tables.tiles import tiles_html, written
from pmo_lib.theme import counted, day, month

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pmo_lib.parameters.models import Exhibit, Organisation, Report, Reports
    from pmo_lib.tables.html import HtmlTable

ECHO = "application/vnd.pmo.echo+json"
EXHIBIT = "application/vnd.pmo.exhibit+json"
PUBLISHED = "application/vnd.pmo.published+json"
RESTATED = "application/vnd.pmo.restated+json"
PLOTLY = "application/vnd.plotly.v1+json"
MOST_TOLD = 8
# What the figures of a report are about; every figure that it publishes is named there.
ABOUT: dict[str, type[About]] = {
    "health_check": Health, "financial_outlook": Finance, "risk_register": Risks, "portfolio_rollup": Rollup,
}  # fmt: skip
CHART_CONFIG = {"displaylogo": False, "showSendToCloud": False, "plotlyServerURL": "", "responsive": True}


class Parameters(TypedDict, total=False):
    """What a report is about; the same names stand in every notebook's first cell. ``section``: begun for it alone."""

    period: Required[str]
    portfolio: str
    snapshot: str
    overrides: Mapping[str, str]
    section: str


def outputs_root() -> Path:
    """Return the folder that runs write to: ``PMO_OUTPUTS``, or ``outputs/`` beside the notebooks."""
    return Path(os.environ["PMO_OUTPUTS"]) if "PMO_OUTPUTS" in os.environ else find_root() / "outputs"


@dataclass
class Book(Known):
    """An opened report: its tables, its settings, and what it has shown so far."""

    report: Report
    portfolio: str
    reports: Reports
    settings: Organisation
    snapshot: Snapshot
    folder: Path
    shown: list[str] = field(default_factory=list)
    lacked: list[tuple[str, ...]] = field(default_factory=list)
    figures_made: int = 0
    sections: list[str] = field(default_factory=list)
    opened: dict[str, pd.DataFrame] = field(default_factory=dict)
    told: dict[str, Explanation] = field(default_factory=dict)
    case: Any = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        """Name of the portfolio, or of the organisation."""
        names = self.table("portfolios").loc[lambda rows: rows["portfolio_id"].eq(self.portfolio), "name"]
        return str(names.iloc[0]) if len(names) else self.portfolio or self.settings.name

    @property
    def terms(self) -> dict[str, Any]:
        """On what terms a report judges: settings, what it is compared with, what intake found, whether it is fresh."""
        return {
            "settings": self.settings,
            "between": self.since_last_report(),
            "year_ago": self.year_ago_period,
            "findings": self.findings,
            "fresh": self.fresh,
        }

    def section(self, name: str) -> None:
        """Tell the report that a section of this portfolio follows: its exhibits are to be shown as well.

        Raises
        ------
        ParameterError
            If the portfolio's file has no such section for this report, or an exhibit has an id that is taken.
        """
        place = f"parameters/{self.settings.id}/portfolios/{self.portfolio}.yml, sections"
        own = load_sections(find_root(), org=self.settings.id, portfolio=self.portfolio, report=self.report.name)
        section = next((each for each in own if each.name == name), None)
        if section is None:
            known = ", ".join(each.name for each in own) or "none"
            raise ParameterError(
                f"{place}: there is no section {name!r} of {self.report.name}; there are: {known}",
                fix="add its entry, or name another portfolio",
            )
        taken = [exhibit.id for exhibit in self.report.exhibits]
        if again := [exhibit.id for exhibit in section.exhibits if exhibit.id in taken]:
            raise ParameterError(
                f"{place}, {name}: the report has an exhibit {again[0]!r} already", fix="give it an id of its own"
            )
        self.report = self.report.model_copy(update={"exhibits": (*self.report.exhibits, *section.exhibits)})
        self.sections.append(name)

    @cached_property
    def came(self) -> pd.DataFrame:
        """How this portfolio's returns came in; see :func:`pmo_lib.metrics.submission.arrivals`."""
        told = {"status": self.history("status"), "projects": self.history("projects")}
        return arrivals(self.returns, limits=self.settings.thresholds, **told)

    @cached_property
    def found(self) -> pd.DataFrame:
        """What of this period's return could not be used; see :func:`pmo_lib.metrics.quality.findings`."""
        return listed(self.findings, quarantined=self.quarantined)

    @cached_property
    def accounts(self) -> pd.DataFrame:
        """Where rows, money and cells of the return went; see :func:`pmo_lib.metrics.quality.accounts`."""
        return accounts(self.accounting, cells=self.cells)

    @cached_property
    def _pages(self) -> list[Results]:
        snapshots = {snapshot.period: snapshot.id for snapshot in self.chain}
        self.others = digests(self.folder, periods=snapshots)
        return in_force(self.folder, snapshots=snapshots)

    @property
    def results(self) -> list[Results]:
        """What the other reports published, of all periods, from the snapshots that this one stands on.

        Last known figures are not among them: what was not returned is in no total, see :meth:`last_known`.
        """
        return [page for page in self._pages if page.fresh]

    def last_known(self) -> pd.DataFrame:
        """Return the figures of the portfolios that returned nothing usable in this period, as they were last known.

        Columns as in :meth:`published_figures`; ``period`` is the month that a figure speaks of.
        """
        return figures_of(page for page in self._pages if not page.fresh and page.identity["period"] == self.period)

    def published(self, table: str) -> pd.DataFrame:
        """Return one published table of all portfolios in this period: ``portfolio_id``, ``period`` and its columns."""
        rows = self.published_history(table)
        return rows.loc[rows["period"].eq(self.period)].reset_index(drop=True)

    def published_history(self, table: str) -> pd.DataFrame:
        """Return one published table of all portfolios and of all periods whose reports were run."""
        return collect([result for result in self.results if table in result.tables], table=table)

    def published_figures(self) -> pd.DataFrame:
        """Return all published figures: ``portfolio_id, period, report, name, value, unit, reason``."""
        return figures_of(self.results)

    @cached_property
    def batch(self) -> pd.DataFrame:
        """State of every report that this period owes; columns as in :func:`pmo_lib.results.owed_reports`."""
        return owed_reports(
            reports=self.reports.of_portfolios,
            returns=self.snapshot.returns,
            done=pages_of(self._pages, period=self.period),
            failures=read_failures(self.folder / self.period),
        )

    def placed(self, table: str) -> pd.DataFrame:
        """Return what a roll-up is made of, each row with its place: published rows, figures, or the reports owed."""
        owed, pages = table == REPORTS, self._pages if table == FIGURES else self.results
        return owed_places(self.batch, returns=self.snapshot.returns) if owed else placed(pages, table=table)

    @cached_property
    def edition(self) -> Edition:
        """What the archive holds of the period, every byte of it checked; see :mod:`pmo_lib.archive.edition`."""
        return edition(self.snapshot.archive.root, period=self.snapshot.period)

    @cached_property
    def about(self) -> About | None:
        """What the named figures of this report are about; None for a report without any."""
        kind, on = ABOUT.get(self.report.name), (self.settings, self.status_date)
        if kind is None:
            return None
        if not self.portfolio:
            return kind(self.placed, Between(self.portfolio, self.period, self.previous_period), *on)
        return kind(self.history, self.since_last_report(), *on, terms=self.terms, case=self.case)

    def explanations(self, figures: pd.DataFrame) -> dict[str, Explanation]:
        """Return the explanation of each figure (name, value, unit, reason; optional label) that has a definition.

        Raises
        ------
        ReportError
            If the rows of a figure do not give its value: it is refused, on the page and in what is published.
        """
        about = self.about
        for row in figures.to_dict("records") if about else ():
            found = None if about is None or row["name"] in self.told else explained(row, about=about)
            self.told |= {} if found is None else {found.name: found}
        return {name: self.told[name] for name in figures["name"] if name in self.told}

    def kpis(self, figures: pd.DataFrame, *, of: Any = None) -> None:
        """Show figures (name, value, unit, reason; optional label, movement) as tiles, each with how it is made.

        ``of`` is the metric that made them, if it is one object: its explanations need not compute again what it knows.
        """
        self.case = self.case if of is None else of
        note = "" if self.fresh else f"last known, {day(self.status_date)}"
        _html(tiles_html(figures, told=self.explanations(figures), note=note, command=tracing(self.identity)))

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
        if spec.question:
            _html(Markup("<h3>{}</h3>").format(spec.question))
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
        lacking = tuple(name for name in spec.needs if self.table(name).empty)
        if not lacking:
            return Markup('<p class="nothing">{}</p>').format(spec.nothing)
        what = ", ".join(lacking)
        if lacking in self.lacked:
            return Markup(
                "<details class='data'><summary>Missing: {}, as said above.</summary><p>{}</p></details>"
            ).format(what, spec.supplier)
        self.lacked.append(lacking)
        more = sum(set(lacking) <= set(each.needs) for each in self.report.exhibits) - 1
        same = f" The same is missing for {counted(more, noun='more exhibit')} of this page." if more else ""
        return Markup('<p class="missing"><strong>Missing: {}.</strong> {}{}</p>').format(what, spec.supplier, same)

    def _below(self, spec: Exhibit, *, shown: HtmlTable | None, folded: bool) -> None:
        body = Markup("") if shown is None else Markup(shown.html)  # noqa: S704 - the table writer escapes
        if shown is not None and folded:
            summary = f"Figures behind the chart ({counted(shown.rows, noun='row')})"
            body = Markup("<details class='data'><summary>{}</summary>{}</details>").format(summary, body)
        elsewhere = {"organisation": "published results", "edition": "the archive"}.get(self.report.scope, "")
        sources = ", ".join(spec.needs) or elsewhere
        told = f" Source tables: {sources}." if sources else ""
        caption = f"{stated(spec.caption, settings=self.settings)} Status date {day(self.status_date)}.{told}"
        _html(body + Markup('<p class="caption">{}</p>').format(caption))

    def publish(self, *, figures: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> None:
        """Hand the named figures and tables to the roll-up and the auditor; every exhibit must have been shown."""
        forgotten = [exhibit.id for exhibit in self.report.exhibits if exhibit.id not in self.shown]
        if forgotten:
            raise ReportError(
                f"exhibits not shown: {', '.join(forgotten)}", fix="show each, even if it is missing", stage="notebook"
            )
        told = self.explanations(figures)
        glue(self.identity, figures=figures, tables=tables, explained={name: told[name].document for name in told})
        note = {"figures_made": self.figures_made, "exhibits": self.shown, "sections": self.sections, "read": self.read}
        said = f"{counted(len(figures), noun='figure')} and {counted(len(tables), noun='table')}"
        every = [(one, written(one.value, unit=one.unit)) for one in told.values()]
        page = Markup('<p class="published">Published {} to the roll-up.</p>').format(said) + figures_html(
            every, command=tracing(self.identity)
        )
        _html(page, extra={PUBLISHED: note})
        self._tell_restated(figures)

    def _tell_restated(self, figures: pd.DataFrame) -> None:
        """Say what a correction changed of what was reported, if one did; the page has it at its top."""
        if not self.snapshot.kept["supersedes"]:
            return
        root, of = self.snapshot.archive.root, {"portfolio": self.portfolio, "report": self.report.name}
        restates = restated(root, snapshot=self.snapshot.id, of=of | {"period": self.snapshot.period})
        if restates is None:
            return
        changed = None
        if (reported := restates.results) is not None:
            labels = {name: told.label for name, told in self.told.items()}
            now = figures.assign(
                value=[plain(value, where="a figure") for value in figures["value"]],
                label=[labels.get(name, "") for name in figures["name"]],
            )
            changed = changed_figures(parse(reported).figures, restated=now)
        notice = restated_html(changed, run=restates.run.place, corrected=restates.corrected)
        _html(notice, extra={RESTATED: {"run": restates.run.place}})

    @property
    def read(self) -> dict[str, Any]:
        """What this report has read so far: settings by name, parts of snapshots, and digests of others' results."""
        return {"settings": noted(self.settings), "snapshots": self.snapshot.noted, "published": self.others}

    @property
    def identity(self) -> dict[str, Any]:
        """What this report is of, and which settings differ in it; the batch compares it with what it asked for."""
        return {
            "organisation": self.settings.id,
            "period": self.snapshot.period,
            "as_of": self.period,
            "portfolio": self.portfolio,
            "report": self.report.name,
            "snapshot": self.snapshot.id,
            "overrides": dict(self.overrides),
        }


def begin(report: str, organisation: str, **parameters: Unpack[Parameters]) -> Book:
    """Open a report: settings, snapshot, and the head of the page.

    Raises
    ------
    ParameterError
        An unknown report or portfolio, or settings that cannot be used.
    StoreError
        No snapshot of the period, or one that was altered.
    """
    root, portfolio, overrides = find_root(), parameters.get("portfolio", ""), parameters.get("overrides", {})
    reports = load_reports(root)
    settings = settings_for(root, org=organisation, portfolio=portfolio or None, overrides=overrides)
    folder = outputs_root() / organisation
    snapshot = open_snapshot(
        Archive(folder / "archive"), period=parameters["period"], snapshot=parameters.get("snapshot", "")
    )
    if portfolio and not snapshot.reports(portfolio):
        have = ", ".join(snapshot.reportable)
        raise ParameterError(
            f"portfolio {portfolio!r} has returned nothing usable up to {snapshot.period}; there are {have}",
            fix="choose one of them, or ask for the missing return",
        )
    settings, snapshot = traced(settings), snapshot.noting
    book = Book(reports.named(report), portfolio, reports, settings, snapshot, folder, overrides=overrides)
    _html(_head(book), extra={ECHO: book.identity})
    if parameters.get("section"):
        book.section(parameters["section"])
    return book


def _head(book: Book) -> Markup:
    return Markup(
        '<header class="report"><p class="kicker">{kicker}</p><h1>{name}: {title}</h1>'
        "{standing}"
        '<p class="question">{question}</p><p class="facts">{facts}</p></header>'
    ).format(
        kicker=f"{book.settings.name} · {month(book.snapshot.period)}",
        standing=_standing(book),
        name=book.name,
        title=book.report.title.lower(),
        question=book.report.question,
        facts=" · ".join(_facts(book)),
    )


def _standing(book: Book) -> Markup:
    """Say first what a reader must know before any figure: what was not returned, refused, partial or late."""
    told = noteworthy(book.arrivals).to_dict("records")
    if not told:
        return Markup("")
    if book.portfolio:
        lead, rest = standing_sentences(told[0], known_on=book.status_date)
        return Markup('<p class="standing"><strong>{}</strong> {}</p>').format(lead, rest)
    names = book.snapshot.names
    lines = [f"{names.get(row['portfolio_id'], row['portfolio_id'])}: {arrival_words(row)}" for row in told]
    items = Markup("").join(Markup("<li>{}</li>").format(line) for line in lines[:MOST_TOLD])
    more = Markup("<li>and {} more, listed below</li>").format(len(told) - MOST_TOLD) if told[MOST_TOLD:] else ""
    owed = counted(len(book.arrivals), noun="portfolio")
    return Markup(
        '<div class="standing"><strong>{} of {} did not return in full and on time.</strong><ul>{}{}</ul></div>'
    ).format(len(told), owed, items, more)


def _facts(book: Book) -> list[str]:
    """Status date, data digest, submission and row accounting: what a reader needs to trust the page or to doubt it."""
    severe = int(book.findings["severity"].isin(("error", "warning")).sum())
    return [
        f"status date {day(book.status_date)}" + ("" if book.fresh else " (last known)"),
        f"data {book.snapshot.id[:12]}",
        *_submitted(book),
        rows_told(book.accounting),
        counted(severe, noun="finding"),
        *(f"set for this run: {name} = {value}" for name, value in sorted(book.overrides.items())),
    ]


def _submitted(book: Book) -> list[str]:
    """Say when a return came in, where it did; what is noteworthy of it stands at the top."""
    if not book.portfolio:
        return []
    words = {ON_TIME: "submitted {}, on time", UNDATED: "day of submission not stated"}
    told = zip(book.arrivals["punctuality"], book.arrivals["came_on"], strict=True)
    return [words[how].format(day(when)) for how, when in told if how in words]


def _html(markup: Markup, *, extra: Mapping[str, Any] | None = None) -> None:
    _emit({"text/html": str(markup), "text/plain": markup.striptags(), **(extra or {})})


def _emit(bundle: dict[str, Any]) -> None:
    display(bundle, raw=True)  # type: ignore[no-untyped-call]  # IPython states no types here


def _chart(figure: Any) -> None:
    """Emit a figure as its data only: JupyterLab draws it, and so does the page, each with its own plotly.js."""
    document = json.loads(figure.to_json())
    title = str(document.get("layout", {}).get("title", {}).get("text", "chart"))
    _emit({PLOTLY: {**document, "config": CHART_CONFIG}, "text/plain": title})
