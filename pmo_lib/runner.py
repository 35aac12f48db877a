"""Plan, run in parallel, publish: every report of every portfolio of a period, and the roll-up after them.

One bad portfolio never stops the rest. A report is made in a staging folder by a process of its own; only when its page
has passed the gate is it renamed to its final place: page first, then its results, which carry the page's sha256, so
that a pair that does not match is seen as stale and never as published.
"""

from __future__ import annotations

import contextlib
import json
import os
import pkgutil
import shutil
import tempfile
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmo_lib.engine import execute
from pmo_lib.errors import ParameterError, PmoError, ReportError
from pmo_lib.extracts import extract
from pmo_lib.parameters.load import find_root, load_portfolios, load_reports, load_sections, settings_for
from pmo_lib.render import gate, render, without_paths, write_assets
from pmo_lib.report import PUBLISHED
from pmo_lib.results import STATE_FILE, from_notebook, owed_reports, pages_of, published, read_failures
from pmo_lib.sections import composed
from pmo_lib.site import write_index
from pmo_lib.snapshots import Archive, Snapshot, canonical_json, open_snapshot
from pmo_lib.store import digest_of, inside, write_atomically
from pmo_lib.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pmo_lib.engine import EngineName
    from pmo_lib.parameters.models import Report
    from pmo_lib.workers import Outcome

_LATE = (
    "fsspec.implementations.chained", "holidays.countries", "plotly.colors", "pyarrow.acero", "pyarrow.dataset",
    "pyarrow.pandas_compat",
)  # fmt: skip
"""What libraries import only where it is first used: in every report anew, if it is not there already."""


@dataclass(frozen=True)
class Request:
    """What a run is asked for; empty ``portfolios`` or ``reports`` mean all."""

    organisation: str
    period: str
    portfolios: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    overrides: Mapping[str, str] = field(default_factory=dict)
    jobs: int | None = None
    engine: EngineName = "pmo"
    seconds: float = 600.0


@dataclass(frozen=True)
class Job:
    """One report to make; pickled into its own process."""

    root: Path
    outputs: Path
    staging: Path
    report: str
    parameters: Mapping[str, Any]
    engine: EngineName

    @property
    def portfolio(self) -> str:
        """Portfolio of the report; empty for the organisation's."""
        return str(self.parameters.get("portfolio", ""))

    @property
    def place(self) -> tuple[str, ...]:
        """Folders and name of the report below its period, without suffix."""
        return (self.portfolio, self.report) if self.portfolio else (self.report,)


@dataclass(frozen=True)
class Done:
    """How one report ended; ``status`` is ``published`` or ``failed``.

    ``as_of`` is the period that a published page speaks of: an earlier one than was asked for where the portfolio
    returned nothing usable and the page shows what was last known.
    """

    portfolio: str
    report: str
    status: str
    stage: str
    cause: str
    as_of: str
    seconds: float
    peak_mib: float


def run(request: Request, *, root: Path, outputs: Path, tell: Callable[[Done, int], None]) -> list[Done]:
    """Run a request and publish what passes; ``tell`` hears of each end and of how many there will be.

    Raises
    ------
    ParameterError
        Unknown portfolios or reports, or settings that cannot be used: nothing is run.
    StoreError
        No snapshot of the period, or an archive that was altered: nothing is run.
    """
    folder = outputs / request.organisation
    snapshot = open_snapshot(Archive(folder / "archive"), period=request.period)
    snapshot.check()
    first, last = plan(request, root=root, snapshot=snapshot)
    write_assets(inside(folder, parts=(request.period, "assets")))
    staging_root = folder / ".staging"
    staging_root.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=staging_root))
    workers = Workers(count=request.jobs, seconds=request.seconds, warm=warm_modules())
    done: list[Done] = []
    try:
        for phase in (first, last):
            jobs = [_job(request, one=one, places=(root, outputs, staging), snapshot=snapshot) for one in phase]
            for outcome in workers.run(make, jobs=jobs):
                done.append(_settle(outcome, folder=folder / request.period))
                tell(done[-1], len(first) + len(last))
            _write_state(folder, snapshot=snapshot, done=done, root=root)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    write_index(outputs)
    return done


def plan(request: Request, *, root: Path, snapshot: Snapshot) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return what is to be run, (portfolio, report) each: first the portfolios' reports, then the organisation's.

    A portfolio that returned nothing usable has its pages, too: they show what was last known, and say so.

    Raises
    ------
    ParameterError
        With all unknown names and all settings that cannot be used.
    """
    reports = load_reports(root)
    problems = [
        *_unknown(request.reports, known=reports.names, noun="report"),
        *_unknown(request.portfolios, known=snapshot.reportable, noun="portfolio"),
        *_bad_settings(request, root=root, portfolios=snapshot.reportable),
        *_lost_sections(request, root=root, known=reports.names),
    ]
    if problems:
        raise ParameterError("; ".join(problems), fix="mend these and run again: nothing was run", problems=problems)
    chosen: list[Report] = [r for r in reports.reports if not request.reports or r.name in request.reports]
    portfolios = request.portfolios or snapshot.reportable
    first = [(portfolio, r.name) for portfolio in portfolios for r in chosen if r.scope == "portfolio"]
    return first, [("", r.name) for r in chosen if r.scope == "organisation"]


def warm_modules() -> tuple[str, ...]:
    """Return what the fork server loads before the first report: engine, page, and all that a notebook may import."""
    package = files("pmo_lib")
    rooms = [
        f"pmo_lib.{room}.{module.name}"
        for room in ("figures", "metrics", "sentences", "tables")
        for module in pkgutil.iter_modules([str(package.joinpath(room))])
    ]
    return ("pmo_lib.engine:warm", "pmo_lib.render:warm", "pmo_lib.runner:warm", *_LATE, *rooms)


def warm() -> None:
    """Parse the list of reports in the fork server, so that no child does; what is wrong with it is told later."""
    with contextlib.suppress(PmoError):
        load_reports(find_root())


def _unknown(names: Iterable[str], *, known: Iterable[str], noun: str) -> list[str]:
    have = list(known)
    return [f"unknown {noun} {name!r}: there are {', '.join(have)}" for name in names if name not in have]


def _bad_settings(request: Request, *, root: Path, portfolios: Iterable[str]) -> list[str]:
    problems = []
    for portfolio in (None, *portfolios):
        try:
            settings_for(root, org=request.organisation, portfolio=portfolio, overrides=request.overrides)
        except ParameterError as error:
            problems.append(str(error))
    return list(dict.fromkeys(problems))


def _lost_sections(request: Request, *, root: Path, known: Iterable[str]) -> list[str]:
    """Return the sections of reports that there are not: no run would ever show them."""
    portfolios = load_portfolios(root, org=request.organisation).values()
    return [
        f"portfolio {portfolio.id}, section {section.name}: {problem}"
        for portfolio in portfolios
        for section in portfolio.sections
        for problem in _unknown([section.report], known=known, noun="report")
    ]


def _job(request: Request, *, one: tuple[str, str], places: tuple[Path, Path, Path], snapshot: Snapshot) -> Job:
    portfolio, report = one
    parameters = {
        "organisation": request.organisation,
        "period": request.period,
        "snapshot": snapshot.id,
        "overrides": dict(request.overrides),
    }
    if portfolio:
        parameters["portfolio"] = portfolio
    root, outputs, staging = places
    return Job(root, outputs, staging, report, parameters, request.engine)


def make(job: Job) -> tuple[Path, Path]:
    """Make one report in its own process; return the staged page and results.

    Raises
    ------
    PmoError
        With ``data["stage"]``: notebook, gate or publish.
    """
    os.environ |= {"PMO_ROOT": str(job.root), "PMO_OUTPUTS": str(job.outputs)}
    target = job.staging.joinpath(*job.place)
    target.parent.mkdir(parents=True, exist_ok=True)
    source, sections = _source(job)
    notebook = execute(source, parameters=job.parameters, failed_path=target.with_suffix(".ipynb"), engine=job.engine)
    page = render(notebook, assets="../assets" if job.portfolio else "assets")
    document = from_notebook(notebook)
    asked = {key: value for key, value in job.parameters.items() if key != "overrides"} | {"report": job.report}
    note = _note(notebook)
    gate(notebook, page=page, parameters=asked, figures_made=note.get("figures_made", 0))
    if lost := [name for name in sections if name not in note.get("sections", ())]:
        raise ReportError(f"the page lacks the section {', '.join(lost)}", fix="run it by hand", stage="gate")
    content = page.encode()
    write_atomically(target.with_suffix(".html"), content=content)
    results = canonical_json({**document, "page_sha256": digest_of(content)})
    write_atomically(target.with_suffix(".json"), content=results)
    return target.with_suffix(".html"), target.with_suffix(".json")


def _source(job: Job) -> tuple[Path, list[str]]:
    """Return the notebook to execute, a staged copy where the portfolio has sections of its own, and their names."""
    source = job.root / "notebooks" / f"{job.report}.ipynb"
    organisation = str(job.parameters["organisation"])
    sections = load_sections(job.root, org=organisation, portfolio=job.portfolio, report=job.report)
    if not sections:
        return source, []
    copy = job.staging / job.portfolio / "composed" / source.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(composed(source, sections=sections))
    return copy, [section.name for section in sections]


def _note(notebook: Any) -> dict[str, Any]:
    """Return what the report said when it published; empty if it did not."""
    notes = [output["data"][PUBLISHED] for cell in notebook.cells for output in cell.get("outputs", ())
             if PUBLISHED in output.get("data", {})]  # fmt: skip
    return dict(notes[-1]) if notes else {}


def _settle(outcome: Outcome, *, folder: Path) -> Done:
    """Publish a finished report by renaming it, or say why it failed."""
    job: Job = outcome.job
    error = outcome.error
    as_of = ""
    if error is None:
        try:
            as_of = _publish(outcome.value, place=inside(folder, parts=job.place))
        except OSError as caught:
            error = ReportError(f"the finished report could not be published: {caught}", stage="publish")
    how = (
        ("published", "", "")
        if error is None
        else ("failed", str(error.data.get("stage") or "notebook"), _cause(error))
    )
    return Done(job.portfolio, job.report, *how, as_of, outcome.seconds, outcome.peak_mib)


def _cause(error: PmoError) -> str:
    """One line without anything that two runs would write differently."""
    return without_paths(" ".join(str(error).split()))


def _publish(staged: tuple[Path, Path], *, place: Path) -> str:
    """Put a finished report where people read it; return the period that it speaks of."""
    page, results = staged
    place.parent.mkdir(parents=True, exist_ok=True)
    page.replace(place.with_suffix(".html"))
    results.replace(place.with_suffix(".json"))
    document = json.loads(place.with_suffix(".json").read_text(encoding="utf-8"))
    if not document["portfolio"]:
        for name, content in extract(document).items():
            write_atomically(place.parent / "extract" / name, content=content)
    return str(document["as_of"])


def _write_state(folder: Path, *, snapshot: Snapshot, done: Iterable[Done], root: Path) -> None:
    """Write what is published of the period and what is not: the same words however the run was divided."""
    period = folder / snapshot.period
    made = {(one.portfolio, one.report): one for one in done}
    stand = [row for row in read_failures(period) if (row["portfolio_id"], row["report"]) not in made]
    failures = [*stand, *(_failure(one) for one in made.values() if one.status == "failed")]
    reports = load_reports(root)
    pages = published(folder, snapshots={snapshot.period: snapshot.id})
    owed = owed_reports(
        reports=[report.name for report in reports.reports if report.scope == "portfolio"],
        returns=snapshot.returns,
        done=pages_of(pages, period=snapshot.period),
        failures=failures,
    )
    whole = [_whole(report.name, period=period, failures=failures, snapshot=snapshot)
             for report in reports.reports if report.scope == "organisation"]  # fmt: skip
    state = {
        "organisation": snapshot.manifest["organisation"],
        "name": settings_for(root, org=str(snapshot.manifest["organisation"]), portfolio=None, overrides={}).name,
        "period": snapshot.period,
        "snapshot": snapshot.id,
        "portfolios": snapshot.names,
        "reports": [*owed.astype(object).where(owed.notna(), None).to_dict("records"), *whole],
    }
    write_atomically(period / STATE_FILE, content=canonical_json(state))


def _failure(one: Done) -> dict[str, str]:
    return {"portfolio_id": one.portfolio, "report": one.report, "stage": one.stage, "cause": one.cause}


def _whole(report: str, *, period: Path, failures: Iterable[Mapping[str, str]], snapshot: Snapshot) -> dict[str, Any]:
    failed = [row for row in failures if row["report"] == report and not row["portfolio_id"]]
    path = period / f"{report}.json"
    fresh = path.exists() and json.loads(path.read_text(encoding="utf-8")).get("snapshot") == snapshot.id
    status = "failed" if failed else "published" if fresh else "missing"
    stage, cause = (failed[0]["stage"], failed[0]["cause"]) if failed else (None, None)
    return {"portfolio_id": "", "report": report, "status": status, "stage": stage, "cause": cause}
