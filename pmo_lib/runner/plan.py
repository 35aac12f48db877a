"""What a run is asked for, and the plan that comes of it: every report, what it is made with, all problems at once."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.edition import digest_of_edition
from pmo_lib.archive.ledger import whole_ledger
from pmo_lib.errors import ParameterError
from pmo_lib.parameters.load import load_portfolios, load_reports, settings_for
from pmo_lib.snapshots import canonical_json
from pmo_lib.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pmo_lib.archive import SigningKey
    from pmo_lib.engine import EngineName
    from pmo_lib.parameters.models import Organisation, Portfolio, Reports, Section
    from pmo_lib.snapshots import Snapshot

PACKAGE = Path(__file__).resolve().parents[1]
LOCK = "requirements.txt"


@dataclass(frozen=True)
class Request:
    """What a run is asked for; empty ``portfolios`` or ``reports`` mean all.

    Attributes
    ----------
    organisation, period, portfolios, reports, overrides
        What is to be reported, and the settings that differ in this run.
    jobs, engine, seconds, total_seconds, memory_mib
        How many processes at a time, which engine, and the limits of one report and of the batch.
    again
        Run also what is unchanged since it was published.
    only_failed
        Run only what failed or is missing, and the organisation's reports where that changes them.
    operator, key
        Who asks for it, and what the records of the runs are signed with; None: they are unsigned.
    stands
        Portfolio and report of what stands as it is, whatever else is different now → the snapshot it was made from.
    kept
        Whether what is published is a run in the archive.
    """

    organisation: str
    period: str
    portfolios: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    overrides: Mapping[str, str] = field(default_factory=dict)
    jobs: int | None = None
    engine: EngineName = "pmo"
    seconds: float = 600.0
    total_seconds: float | None = None
    memory_mib: int | None = 4_096
    again: bool = False
    only_failed: bool = False
    operator: str = ""
    key: SigningKey | None = field(default=None, repr=False)
    stands: Mapping[tuple[str, str], str] = field(default_factory=dict)
    kept: bool = True


@dataclass(frozen=True)
class Plan:
    """Every report that is to be published, and what each is made with.

    Attributes
    ----------
    root
        Folder of the parameters and notebooks.
    snapshot
        The snapshot of the period.
    overrides
        Settings that differ in this run.
    phases
        (portfolio, report) each: first the portfolios' reports, then the organisation's, which read the others', then
        the records of the edition, which read the archive.
    settings
        The settings in force by portfolio; "" has the organisation's own.
    entered
        One sha256 of what the archive holds of the period.
    """

    root: Path
    snapshot: Snapshot
    overrides: Mapping[str, str]
    phases: tuple[tuple[tuple[str, str], ...], ...]
    reports: Reports
    portfolios: Mapping[str, Portfolio]
    settings: Mapping[str, Organisation]
    entered: str = ""

    def sections(self, portfolio: str, *, report: str) -> tuple[Section, ...]:
        """Return the sections that a portfolio adds to a report."""
        own = self.portfolios.get(portfolio)
        return tuple(section for section in own.sections if section.report == report) if own else ()

    @cached_property
    def dumped(self) -> dict[str, dict[str, Any]]:
        """The settings in force by portfolio, as plain JSON values."""
        return {portfolio: settings.model_dump(mode="json") for portfolio, settings in self.settings.items()}

    @cached_property
    def code(self) -> str:
        """Digest of the library's source."""
        return _source_digest(str(PACKAGE))

    @cached_property
    def lock(self) -> str:
        """Digest of what the library runs on: the lock of its packages, those installed, and Python."""
        return environment_digest(PACKAGE.parent)

    @cached_property
    def _spoken(self) -> dict[str, Any]:
        return {report.name: report.model_dump(mode="json") for report in self.reports.reports}

    @cached_property
    def _all(self) -> list[list[str]]:
        return [[report.name, report.scope] for report in self.reports.reports]

    def basis(self, portfolio: str, *, report: str) -> dict[str, Any]:
        """Return what a report is made with, beside data and settings: what must be the same for it to be the same."""
        sections = self.sections(portfolio, report=report)
        files = [f"{report}.ipynb", *(f"sections/{section.name}.ipynb" for section in sections)]
        said = [self._spoken[report], self._all, [section.model_dump(mode="json") for section in sections]]
        own = {"entered": self.entered} if self.reports.named(report).scope == "edition" else {}
        return {
            **own,
            "code": self.code,
            "lock": self.lock,
            "notebook": digest_of("".join(self._notebook(name) for name in files).encode()),
            "report": digest_of(canonical_json(said)),
            "overrides": dict(self.overrides),
        }

    def _notebook(self, name: str) -> str:
        if name not in self._notebooks:
            path = self.root / "notebooks" / name
            self._notebooks[name] = digest_of(path.read_bytes()) if path.is_file() else "missing"
        return self._notebooks[name]

    @cached_property
    def _notebooks(self) -> dict[str, str]:
        return {}


def plan(request: Request, *, root: Path, snapshot: Snapshot) -> Plan:
    """Return what is to be run.

    A portfolio that returned nothing usable has its pages, too: they show what was last known, and say so.

    Raises
    ------
    ParameterError
        With all unknown names and all settings that cannot be used.
    """
    reports = load_reports(root)
    known = load_portfolios(root, org=request.organisation)
    settings, bad = _settings(request, root=root, portfolios=snapshot.reportable)
    problems = [
        *_unknown(request.reports, known=reports.names, noun="report"),
        *_unknown(request.portfolios, known=snapshot.reportable, noun="portfolio"),
        *bad,
        *_lost_sections(known.values(), known=reports.names),
    ]
    if problems:
        raise ParameterError("; ".join(problems), fix="mend these and run again: nothing was run", problems=problems)
    chosen = [report for report in reports.reports if not request.reports or report.name in request.reports]
    portfolios = request.portfolios or snapshot.reportable
    # Report by report: by the time of a portfolio's second report the first has read what both need.
    first = tuple((portfolio, r.name) for r in chosen if r.scope == "portfolio" for portfolio in portfolios)
    later = (tuple(("", r.name) for r in chosen if r.scope == scope) for scope in ("organisation", "edition"))
    return Plan(root, snapshot, request.overrides, (first, *later), reports, known, settings, entered(snapshot))


def entered(snapshot: Snapshot) -> str:
    """Return one sha256 of all that the archive's ledger holds of a snapshot's period."""
    return digest_of_edition(whole_ledger(snapshot.archive.root), period=snapshot.period)


def inputs_of(root: Path, *, organisation: str) -> dict[str, Path]:
    """Return the files that a run of an organisation may read, by their place below the root."""
    own = root / "parameters" / organisation
    found = [root / "parameters" / "reports.yml", *own.rglob("*.yml"), *(root / "notebooks").glob("*.ipynb"),
             *(root / "notebooks" / "sections").glob("*.ipynb")]  # fmt: skip
    return {path.relative_to(root).as_posix(): path for path in found if path.is_file()}


def _source_digest(package: str) -> str:
    """Return one sha256 of all files of a package, its bytecode excepted."""
    root = Path(package)
    paths = sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    whole = hashlib.sha256()
    for path in paths:
        whole.update(f"{path.relative_to(root).as_posix()} {digest_of(path.read_bytes())}\n".encode())
    return whole.hexdigest()


def environment_digest(root: Path) -> str:
    """Return one sha256 of the lock, of the names and versions of the installed packages, and of Python's version."""
    return digest_of(canonical_json(installed(root)))


def installed(root: Path) -> dict[str, Any]:
    """Return the sha256 of the lock, names and versions of the installed packages, and Python's version."""
    lock = root / LOCK
    folders = [Path(folder) for folder in sys.path if Path(folder).is_dir()]
    names = {path.name.removesuffix(".dist-info") for folder in folders for path in folder.glob("*.dist-info")}
    return {
        "lock": digest_of(lock.read_bytes()) if lock.is_file() else None,
        "packages": sorted("==".join(name.rsplit("-", 1)) for name in names),
        "python": sys.version,
    }


def _unknown(names: Iterable[str], *, known: Iterable[str], noun: str) -> list[str]:
    have = list(known)
    return [f"unknown {noun} {name!r}: there are {', '.join(have)}" for name in names if name not in have]


def _settings(request: Request, *, root: Path, portfolios: Iterable[str]) -> tuple[dict[str, Organisation], list[str]]:
    settings, problems = {}, []
    for portfolio in ("", *portfolios):
        try:
            settings[portfolio] = settings_for(
                root, org=request.organisation, portfolio=portfolio or None, overrides=request.overrides
            )
        except ParameterError as error:
            problems.append(str(error))
    return settings, list(dict.fromkeys(problems))


def _lost_sections(portfolios: Iterable[Portfolio], *, known: Iterable[str]) -> list[str]:
    """Return the sections of reports that there are not: no run would ever show them."""
    return [
        f"portfolio {portfolio.id}, section {section.name}: {problem}"
        for portfolio in portfolios
        for section in portfolio.sections
        for problem in _unknown([section.report], known=known, noun="report")
    ]
