"""Carry out a plan: run what has to be, in parallel, publish what passes, leave a run that can be taken up again."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pmo_lib.archive import Ledger
from pmo_lib.archive.runs import WHOLE
from pmo_lib.batch.folder import Batch, drafted, latest, unbegun
from pmo_lib.batch.journal import Journal
from pmo_lib.batch.lock import locked
from pmo_lib.batch.staging import publish, staged
from pmo_lib.errors import Interrupted, ParameterError, PmoError, ReportError, StoreError
from pmo_lib.render.charts import write_assets
from pmo_lib.render.paths import without_paths
from pmo_lib.results import read
from pmo_lib.runner.job import Job, warm_modules
from pmo_lib.runner.keeping import Keeping
from pmo_lib.runner.kept import drop_failed, keep_failed
from pmo_lib.runner.plan import Plan, Request, entered, inputs_of, plan
from pmo_lib.runner.state import FAILED, PUBLISHED, UNCHANGED, Done, unpublished, write_state
from pmo_lib.runner.unchanged import Unchanged
from pmo_lib.site import write_index
from pmo_lib.snapshots import Archive, Snapshot, open_snapshot
from pmo_lib.store import inside
from pmo_lib.workers import BACK_OFF_SECONDS, INFRASTRUCTURE, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from pmo_lib.workers import Outcome

SUMMARY_SCHEMA = "pmo-summary/1"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PUBLISHING_ATTEMPTS = 3


def run(request: Request, *, root: Path, outputs: Path, tell: Callable[[Done, int], None]) -> list[Done]:
    """Run a request and publish what passes; ``tell`` hears of each end and of how many there will be.

    A report that is published and would be the same is not run again (:mod:`pmo_lib.runner.unchanged`).

    Raises
    ------
    ParameterError
        Unknown portfolios or reports, or settings that cannot be used: nothing is run.
    StoreError
        No snapshot of the period, an archive that was altered, or a disk that cannot be written.
    Locked
        Another run of the organisation and period is at work.
    Interrupted
        Ctrl-C or a signal; what was published stays, and :func:`resume` does the rest.
    """
    with _alone(request, outputs=outputs) as batches:
        inputs = inputs_of(root, organisation=request.organisation)
        draft = drafted(batches, inputs=inputs)  # nothing that changes in them from now on is seen
        snapshot = _snapshot(request, outputs=outputs)
        planned = plan(request, root=draft.inputs, snapshot=snapshot)
        if request.only_failed:
            planned = _only_failed(planned, folder=outputs / request.organisation)
        batch = draft.begin(_written(request, planned=planned))
        keeping = _keeping(
            request, planned=replace(planned, root=batch.inputs), batch=batch, outputs=outputs, root=root
        )
        return _Run(request, keeping, batch, outputs, tell).carry_out()


def resume(request: Request, *, root: Path, outputs: Path, tell: Callable[[Done, int], None]) -> list[Done]:
    """Finish the last batch of an organisation and period, with the inputs that it began with.

    Of the request only organisation, period, processes and limits count; the rest is the batch's own. A batch that has
    ended is not run again: how it ended is told once more.

    Raises
    ------
    ParameterError
        There is no batch, the one that was asked for last never began, or library, packages or inputs are not those
        that it began with.
    """
    with _alone(request, outputs=outputs) as batches:
        batch = latest(batches)
        if batch is None or (batch.summary is not None and unbegun(batches)):
            raise ParameterError(
                f"{request.organisation} {request.period}: there is no batch to resume",
                fix="run the period without --resume",
                problems=[],
            )
        if (summary := batch.summary) is not None:
            done = [Done(**row) for row in summary["reports"]]
            for one in done:
                tell(one, len(done))
            return done
        written = batch.plan
        batch.check()
        request = replace(
            request,
            portfolios=tuple(written["portfolios"]),
            reports=tuple(written["reports"]),
            overrides=written["overrides"],
            engine=written["engine"],
        )
        snapshot = _snapshot(request, outputs=outputs, chosen=str(written["snapshot"]))
        planned = plan(request, root=batch.inputs, snapshot=snapshot)
        if [planned.code, planned.lock] != [written["code"], written["lock"]]:
            raise ParameterError(
                f"batch {batch.number} began with another version of the library or of its packages",
                fix="run the period again, without --resume",
                problems=[],
            )
        phases = tuple(tuple((portfolio, report) for portfolio, report in phase) for phase in written["phases"])
        keeping = _keeping(request, planned=replace(planned, phases=phases), batch=batch, outputs=outputs, root=root)
        return _Run(request, keeping, batch, outputs, tell).carry_out()


def explain(request: Request, *, root: Path, outputs: Path) -> list[tuple[str, str, list[str]]]:
    """Return for each report (portfolio, report) why it would be run; nothing if it is unchanged. Nothing is run."""
    folder = outputs / request.organisation
    planned = plan(request, root=root, snapshot=_snapshot(request, outputs=outputs))
    if request.only_failed:
        planned = _only_failed(planned, folder=folder)
    unchanged = Unchanged(folder, planned)
    told: list[tuple[str, str, list[str]]] = []
    for phase in planned.phases:
        before = sum(bool(reasons) for _, _, reasons in told)
        for portfolio, report in phase:
            reasons = ["all reports were asked for"] if request.again else []
            reasons += unchanged.reasons(portfolio, report=report)
            if not portfolio and before:
                reasons.append(f"{before} of the reports that it reads would be run")
            told.append((portfolio, report, reasons))
    return told


def made(job: Job) -> str:
    """Make a report in its own process; see :func:`pmo_lib.runner.make.make`."""
    from pmo_lib.runner.make import make  # noqa: PLC0415 - the driver need not load what a report is made with

    return make(job)


@dataclass
class _Run:
    """One run of a batch under way; its lock is held."""

    request: Request
    keeping: Keeping
    batch: Batch
    outputs: Path
    tell: Callable[[Done, int], None]

    def __post_init__(self) -> None:
        self.planned = self.keeping.planned
        self.why: dict[tuple[str, str], list[str]] = {}
        self.folder = self.outputs / self.request.organisation
        self.period = inside(self.folder, parts=(self.request.period,))
        self.journal = Journal(self.batch.log)
        self.total = sum(map(len, self.planned.phases))
        self.done: list[Done] = []
        self.ends = time.monotonic() + (self.request.total_seconds or float("inf"))

    def carry_out(self) -> list[Done]:
        """Run the phases one after the other, then write index and summary."""
        host = {"process": os.getpid(), "host": platform.node()}
        self.journal.tell("batch began", batch=self.batch.number, reports=self.total, **host)
        try:
            self._carry_out()
        except BaseException as error:
            self.journal.tell(
                "batch cut off", cause=without_paths(" ".join(str(error).split()) or type(error).__name__)
            )
            raise
        return self.done

    def _carry_out(self) -> None:
        write_assets(inside(self.period, parts=("assets",)))
        if self.request.kept:
            self.keeping.begin()
        for path in staged(self.batch.staged):  # done before the batch was cut off
            self._publish(self._job(path.parent.name.removeprefix(WHOLE), report=path.name))
        shutil.rmtree(self.batch.staged, ignore_errors=True)  # and what else it left there may be torn
        for number, phase in enumerate(self.planned.phases, start=1):
            if phase and number == len(self.planned.phases):  # records speak of what was entered by now
                self.planned = replace(self.planned, entered=entered(self.planned.snapshot))
            for outcome in self._workers().run(made, jobs=self._jobs(phase)):
                self._told(self._settle(outcome))
            write_state(self.folder, planned=self.planned, done=self.done)
        with locked(self.outputs / ".index.lock", what="the index", wait=True):
            write_index(self.outputs)
        counts = {status: sum(one.status == status for one in self.done) for status in (PUBLISHED, UNCHANGED, FAILED)}
        self.journal.tell("batch ended", **counts)
        self.batch.end(self._summary(counts))

    def _workers(self) -> Workers:
        left = self.ends - time.monotonic()
        return Workers(
            count=self.request.jobs,
            seconds=self.request.seconds,
            total_seconds=max(0.0, left) if self.request.total_seconds is not None else None,
            memory_mib=self.request.memory_mib,
            warm=warm_modules(),
        )

    def _jobs(self, phase: tuple[tuple[str, str], ...]) -> list[Job]:
        """Return what of a phase has to be run, and tell what has not."""
        unchanged, jobs = Unchanged(self.folder, self.planned), []
        for portfolio, report in phase:
            if (portfolio, report) in self.request.stands:
                self._told(self._standing(portfolio, report=report))
                continue
            record = None if self.request.again else unchanged.record(portfolio, report=report)
            why = [] if record is None else unchanged.differences(record, portfolio=portfolio, report=report)
            if record is None or why:
                self.why[portfolio, report] = why
                jobs.append(self._job(portfolio, report=report))
            else:
                told = {"as_of": record["as_of"], "made_from": record["snapshot"]}
                drop_failed(self.period, portfolio=portfolio, report=report)
                self._told(Done(portfolio, report, UNCHANGED, **told))
        return jobs

    def _standing(self, portfolio: str, *, report: str) -> Done:
        """Return how a report ended that stands as it was published."""
        as_of = read(self.period.joinpath(portfolio, f"{report}.json")).as_of
        made_from = self.request.stands[portfolio, report]
        return Done(portfolio, report, UNCHANGED, as_of=as_of, made_from=made_from)

    def _job(self, portfolio: str, *, report: str) -> Job:
        parameters: dict[str, Any] = {
            "organisation": self.request.organisation,
            "period": self.request.period,
            "snapshot": self.planned.snapshot.id,
            "overrides": dict(self.planned.overrides),
        }
        if portfolio:
            parameters["portfolio"] = portfolio
        basis, settings = self.planned.basis(portfolio, report=report), self.planned.dumped[portfolio]
        root, staging = self.batch.inputs, self.batch.staged
        return Job(root, self.outputs, staging, report, parameters, self.request.engine, basis, settings)

    def _settle(self, outcome: Outcome) -> Done:
        """Publish a finished report, or say why it failed and keep its notebook."""
        job: Job = outcome.job
        error = outcome.error or self._published(job, outcome=outcome)
        done = Done(
            job.portfolio,
            job.report,
            PUBLISHED if error is None else FAILED,
            seconds=round(outcome.seconds, 3),
            peak_mib=round(outcome.peak_mib, 1),
            attempts=outcome.attempts,
        )
        if error is None:
            drop_failed(self.period, portfolio=job.portfolio, report=job.report)
            return replace(done, as_of=outcome.value)
        done = replace(done, stage=str(error.data.get("stage") or "notebook"), cause=_cause(error))
        keep_failed(job, done=done, folder=self.period)
        return done

    def _published(self, job: Job, *, outcome: Outcome) -> ReportError | None:
        """Keep and publish what a job staged, again where the disk is at fault; return what is wrong, if it is."""
        attempt = 1
        while True:
            try:
                self._publish(job, outcome=outcome)
            except OSError as error:
                if attempt == PUBLISHING_ATTEMPTS or error.errno not in INFRASTRUCTURE:
                    return ReportError(f"the finished report could not be published: {error}", stage="publish")
                time.sleep(BACK_OFF_SECONDS * 2 ** (attempt - 1))
                attempt += 1
            else:
                return None

    def _publish(self, job: Job, *, outcome: Outcome | None = None) -> None:
        """Keep what is staged, and then publish it: nothing is published that is not in the archive."""
        if self.request.kept:
            self.keeping.keep(job, outcome=outcome, why=self.why.get((job.portfolio, job.report), ()))
        publish(job.staged, root=self.folder)

    def _told(self, done: Done) -> None:
        self.done.append(done)
        row = {key: value for key, value in asdict(done).items() if value not in ("", None)}
        self.journal.tell("report ended", **row)
        self.tell(done, self.total)

    def _summary(self, counts: dict[str, int]) -> dict[str, Any]:
        """Return how the batch ended: what an orchestrator reads."""
        place = {one: number for number, one in enumerate(report for phase in self.planned.phases for report in phase)}
        rows = sorted(self.done, key=lambda one: place[one.portfolio, one.report])
        return {
            "schema": SUMMARY_SCHEMA,
            "organisation": self.request.organisation,
            "period": self.request.period,
            "snapshot": self.planned.snapshot.id,
            "batch": self.batch.number,
            **counts,
            "log_lines_lost": self.journal.lost,
            "reports": [asdict(one) for one in rows],
        }


@contextlib.contextmanager
def _alone(request: Request, *, outputs: Path) -> Iterator[Path]:
    """Hold the lock of an organisation and period, and turn signals to end into errors; yield the folder of batches."""
    folder = outputs / request.organisation / "archive"
    batches = inside(folder, parts=("batches", request.period))
    what = f"{request.organisation} {request.period}"
    if not (folder / "snapshots").is_dir():  # nothing to run, and no folder is made for a mistyped name
        _snapshot(request, outputs=outputs)
    try:
        with locked(batches / "lock", what=what), _interruptible():
            yield batches
    except OSError as error:
        fix = "mend that and run it again, or finish it with --resume: what is published is whole"
        raise StoreError(f"{what}: the batch cannot be written: {without_paths(str(error))}", fix=fix) from error


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Raise Interrupted at the first signal to end; further ones are ignored, since then the run is ending."""

    def interrupted(number: int, _: FrameType | None) -> NoReturn:
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        name = signal.Signals(number).name
        raise Interrupted(f"the run was ended by {name}", fix="finish it with pmo run --resume", signal=name)

    if threading.current_thread() is not threading.main_thread():  # only that one hears of signals
        yield
        return
    heard = [each for each in ENDING if signal.getsignal(each) is not signal.SIG_IGN]  # nohup stays nohup
    before = {each: signal.signal(each, interrupted) for each in heard}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _keeping(request: Request, *, planned: Plan, batch: Batch, outputs: Path, root: Path) -> Keeping:
    folder = outputs / request.organisation
    ledger = Ledger(folder / "archive", request.operator, key=request.key)
    return Keeping(folder, root, planned, batch.number, ledger)


def _snapshot(request: Request, *, outputs: Path, chosen: str = "") -> Snapshot:
    archive = Archive(outputs / request.organisation / "archive")
    snapshot = open_snapshot(archive, period=request.period, snapshot=chosen)
    snapshot.check()
    return snapshot


def _only_failed(planned: Plan, *, folder: Path) -> Plan:
    """Return a plan of what failed or is missing, with all of the organisation's reports: they read the others."""
    wanted = unpublished(folder / planned.snapshot.period)
    first, *later = planned.phases
    chosen = first if wanted is None else tuple(one for one in first if one in wanted)
    return replace(planned, phases=(chosen, *later))


def _written(request: Request, *, planned: Plan) -> dict[str, Any]:
    """Return a plan as it is written before anything runs."""
    return {
        "organisation": request.organisation,
        "period": request.period,
        "snapshot": planned.snapshot.id,
        "portfolios": list(request.portfolios),
        "reports": list(request.reports),
        "overrides": dict(request.overrides),
        "engine": request.engine,
        "code": planned.code,
        "lock": planned.lock,
        "phases": [[list(one) for one in phase] for phase in planned.phases],
    }


def _cause(error: PmoError) -> str:
    """One line without anything that two runs would write differently."""
    return without_paths(" ".join(str(error).split()))
