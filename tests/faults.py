"""Faults, and where they strike a batch: nothing in the product knows of them.

A fault strikes one report of the small house, :data:`TARGET`, or the organisation's, or the driver at that moment. What
runs in the driver is met by functions of its modules that are replaced while :func:`armed`; what runs in a child by
:func:`struck`, which takes the place of the function that makes a report, and by :func:`in_cell`, which every notebook
of :func:`build` calls and which does nothing unless a fault is armed: so the notebooks are the same everywhere.
"""

from __future__ import annotations

import collections
import contextlib
import datetime
import errno
import functools
import itertools
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pmo_lib.runner import Job

PERIOD, LATER, TARGET, BESIDE = "2026-09", "2026-10", "ICT", "HWY"
PLAN, EXECUTE, RENDER, PUBLISH, ROLL_UP = COLUMNS = ("plan", "execute", "render", "publish", "roll-up")
MARK = "PMO_TEST_MARK"  # in the environment of every process that a test starts
HERE = Path(__file__).parent
A_YEAR = 366 * 86_400
MIB = 1 << 20


@dataclass(frozen=True)
class Fault:
    """What happens (a key of :data:`DEEDS`), where (one of :data:`COLUMNS`), and in which house."""

    row: str
    column: str
    root: Path

    @property
    def target(self) -> str:
        """Portfolio of the report that it strikes; empty for the organisation's."""
        return "" if self.column == ROLL_UP else TARGET

    @property
    def note(self) -> Path:
        """File that is there once it has struck; it may hold what came of it."""
        return self.root / "struck"

    @property
    def in_driver(self) -> bool:
        """Whether it strikes the driver: always while it plans and publishes, else where only that writes."""
        return self.column in (PLAN, PUBLISH) or (self.column == ROLL_UP and self.row in OF_THE_DRIVER)


def build(root: Path) -> Path:
    """Make the small house with cells that a fault can strike, another organisation and a later period beside it."""
    import small_house

    strikes = '__import__("faults").in_cell()'
    small_house.build(root, sabotage=strikes)
    whole = [small_house.WHOLE[0], f"{strikes}\n{small_house.WHOLE[1]}", small_house.WHOLE[2]]
    small_house.write_notebook(root / "notebooks" / "whole.ipynb", title="The whole", cells=whole, line="")
    (root / "parameters" / "other").mkdir()
    (root / "parameters" / "other" / "organisation.yml").write_text("id: other\nname: Other\n")
    ingest(root, organisation="other", rating="green")
    ingest(root, period=LATER, rating="green")
    return root


def ingest(root: Path, *, organisation: str = "demo", period: str = PERIOD, rating: str) -> None:
    """Keep a snapshot in which every project is rated so."""
    from returns import small_return
    from small_house import PORTFOLIOS

    from pmo_lib.archive import Ledger, enter
    from pmo_lib.snapshots import Archive, take

    checked = small_return(period, datetime.date.fromisoformat(f"{period}-30"), portfolios=PORTFOLIOS)
    checked.tables["status"]["rating"] = rating
    archive = Archive(root / "outputs" / organisation / "archive")
    taken = take(checked, archive=archive, organisation=organisation, reason="new")
    enter(Ledger(archive.root, "jo"), taken=taken.id, at="2026-10-12T09:30:00+00:00")  # restated pages say who and when


# --- what happens ---------------------------------------------------------------------------------------------


def _first(fault: Fault) -> bool:
    """Note that a fault strikes; say whether it is the first time, in any process."""
    try:
        os.close(os.open(fault.note, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def _end_driver(fault: Fault, *, number: signal.Signals) -> None:
    _first(fault)
    parent = multiprocessing.parent_process()
    os.kill(os.getpid() if parent is None else parent.pid or 0, number)
    time.sleep(60 if parent else 0)  # a child is not to end before it is ended


def _kill_worker(fault: Fault) -> None:
    if not _first(fault):
        return
    if multiprocessing.parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    for child in multiprocessing.active_children():
        child.kill()


def _exit_process(fault: Fault) -> None:
    _first(fault)
    os._exit(0)


def _exit_python(fault: Fault) -> NoReturn:
    _first(fault)
    sys.exit(0)


def _loop(fault: Fault) -> NoReturn:
    _first(fault)
    while True:
        pass


def _loop_in_c(fault: Fault) -> None:
    _first(fault)
    collections.deque(itertools.repeat(0), maxlen=0)  # holds the interpreter's lock: no thread and no signal gets in


def _ask_for_memory(fault: Fault) -> None:
    """Ask for more than there is: a report's limit, or in the driver one that stands for the system's."""
    _first(fault)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    if multiprocessing.parent_process() is None:
        resource.setrlimit(resource.RLIMIT_DATA, (8 * 1024 * MIB, before[1]))
    try:
        bytearray(64 * 1024 * MIB)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _fail(fault: Fault, *, number: int, always: bool) -> None:
    """Fail as a system call does; in a child that renders, from then on at every flush to the disk."""

    def fails(*_: Any, **__: Any) -> None:
        if _first(fault) or always:
            raise OSError(number, os.strerror(number))

    if fault.column == RENDER:
        os.fsync = fails
    else:
        fails()


def _print_much(fault: Fault) -> None:
    _first(fault)
    for _ in range(24):
        os.write(1, (b"x" * 63 + b"\n") * (MIB // 64))


def _start_again(fault: Fault) -> None:
    if _first(fault):
        fault.note.write_text(str(_another(fault, organisation="demo", period=PERIOD)))


def _start_other(fault: Fault) -> None:
    """Run another organisation's period to its end, or another period of this organisation, while this one runs."""
    if _first(fault):
        organisation, period = OTHER_RUN[fault.column]
        fault.note.write_text(str(_another(fault, organisation=organisation, period=period)))


OTHER_RUN = {PLAN: ("other", PERIOD), EXECUTE: ("demo", LATER), RENDER: ("other", PERIOD), PUBLISH: ("demo", LATER),
             ROLL_UP: ("other", PERIOD)}  # fmt: skip


def _another(fault: Fault, *, organisation: str, period: str) -> int:
    """Run one report beside; return the exit code. A child starts the command, the driver calls what that calls."""
    if multiprocessing.parent_process() is None:
        return run(fault.root, organisation=organisation, period=period, portfolios=(BESIDE,), reports=("ratings",))[0]
    options = ["--org", organisation, "--period", period, "--portfolio", BESIDE, "--report", "ratings"]
    command = [sys.executable, "-m", "pmo_lib.cli", "run", *options]
    return subprocess.run(command, env=surroundings(fault.root), capture_output=True, check=False).returncode


def _replace_inputs(fault: Fault) -> None:
    """Make every input unreadable, and take a newer snapshot."""
    if not _first(fault):
        return
    for pattern in ("parameters/**/*.yml", "notebooks/*.ipynb"):
        for path in fault.root.glob(pattern):
            path.write_text("{ this is : no [ input")
    ingest(fault.root, rating="green")


def _jump(fault: Fault) -> None:
    """Set the clock back by a year, as Python sees it, in this process and for good."""
    _first(fault)
    now, now_ns, real = time.time, time.time_ns, datetime.datetime

    class Back(real):  # type: ignore[misc, valid-type]
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return real.now(tz) - datetime.timedelta(seconds=A_YEAR)

    time.time = lambda: now() - A_YEAR
    time.time_ns = lambda: now_ns() - A_YEAR * 10**9
    for module in list(sys.modules.values()):
        if getattr(module, "datetime", None) is real:
            module.datetime = Back  # type: ignore[attr-defined]
    fault.note.write_text(str(time.time()))


DRIVER_KILLED, DRIVER_ENDED, WORKER_KILLED = "SIGKILL of the driver", "SIGTERM of the driver", "SIGKILL of a worker"
EXIT_PROCESS, EXIT_PYTHON, LOOP, LOOP_IN_C = "os._exit(0)", "sys.exit(0)", "endless loop", "endless loop in C"
MEMORY, DISK_FULL, READ_ONLY, IO_ERROR = "memory limit", "disk full", "read-only target", "I/O error"
MUCH, TWICE, TWO, REPLACED, CLOCK = "huge output", "same run twice", "two runs at once", "input replaced", "clock jump"
DEEDS: dict[str, Callable[[Fault], None]] = {
    DRIVER_KILLED: functools.partial(_end_driver, number=signal.SIGKILL),
    DRIVER_ENDED: functools.partial(_end_driver, number=signal.SIGTERM),
    WORKER_KILLED: _kill_worker,
    EXIT_PROCESS: _exit_process,
    EXIT_PYTHON: _exit_python,
    LOOP: _loop,
    LOOP_IN_C: _loop_in_c,
    MEMORY: _ask_for_memory,
    DISK_FULL: functools.partial(_fail, number=errno.ENOSPC, always=True),
    READ_ONLY: functools.partial(_fail, number=errno.EROFS, always=True),
    IO_ERROR: functools.partial(_fail, number=errno.EIO, always=False),
    MUCH: _print_much,
    TWICE: _start_again,
    TWO: _start_other,
    REPLACED: _replace_inputs,
    CLOCK: _jump,
}
OF_THE_DRIVER = {DRIVER_KILLED, DRIVER_ENDED, DISK_FULL, READ_ONLY, IO_ERROR, CLOCK}
OF_FILES = {DISK_FULL, READ_ONLY, IO_ERROR}
LEFT_BEHIND = {EXIT_PROCESS, EXIT_PYTHON, LOOP, LOOP_IN_C}  # while its page is rendered, in a thread of a cell
_armed: list[Fault] = []  # in a child: what waits in its cells
_now = threading.Event()


# --- where it happens -----------------------------------------------------------------------------------------


def in_cell() -> None:
    """Strike, if a fault is armed that strikes in cells; or leave a thread that strikes when the page is rendered."""
    for fault in _armed:
        if fault.column in (EXECUTE, ROLL_UP):
            DEEDS[fault.row](fault)
        elif fault.column == RENDER and fault.row in LEFT_BEHIND:
            threading.Thread(target=lambda fault=fault: (_now.wait(), DEEDS[fault.row](fault))).start()


def struck(job: Job, *, fault: Fault) -> str:
    """Make a report in a child, with a fault waiting in its way."""
    from pmo_lib.runner import make as making

    if fault.row == WORKER_KILLED and fault.column == PUBLISH and job.portfolio == BESIDE:
        _wait_for_the_end(fault)
    if job.portfolio == fault.target and job.parameters["period"] == PERIOD and not fault.in_driver:
        if fault.column == EXECUTE and fault.row in OF_FILES:
            making.execute = before(making.execute, fault=fault)
        elif fault.column == RENDER:
            making.render = before(making.render, fault=fault)
            _armed.append(fault)
        else:
            _armed.append(fault)
    return str(making.make(job))


def _wait_for_the_end(fault: Fault) -> None:
    """Be at work when the fault strikes; the next attempt goes on at once."""
    until = time.monotonic() + 20
    if not fault.note.exists():
        while not fault.note.exists() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(20)


def before(function: Callable[..., Any], *, fault: Fault, when: Callable[..., bool] = lambda *_: True) -> Any:
    """Return a function that lets the fault strike before it does its work."""

    @functools.wraps(function)
    def strikes(*args: Any, **named: Any) -> Any:
        if when(*args):
            if fault.column == RENDER and fault.row in LEFT_BEHIND:
                _now.set()
                time.sleep(0.5)
            else:
                DEEDS[fault.row](fault)
        return function(*args, **named)

    return strikes


@contextlib.contextmanager
def armed(fault: Fault) -> Iterator[None]:
    """Put a fault in the way of every run that this process drives."""
    driver = import_module("pmo_lib.runner.run")
    folder, site = import_module("pmo_lib.batch.folder"), import_module("pmo_lib.site")
    results = fault.root / "outputs" / "demo" / PERIOD / TARGET / "ratings.json"
    moments: dict[str, tuple[Any, str, Callable[..., bool]]] = {
        PLAN: (folder, "write_atomically", lambda path: path.name == "plan.json"),  # inputs are frozen, the plan is not
        PUBLISH: (Path, "replace", lambda _, place: place == results),  # the page has taken its place
        ROLL_UP: (site, "write_atomically", lambda path: path.parent.name == "outputs"),
    }
    kept: list[tuple[Any, str, Any]] = [(driver, "made", driver.made)]
    kept += [(time, "time", time.time), (time, "time_ns", time.time_ns)]
    kept += [(module, "datetime", module.datetime) for module in sys.modules.values()
             if getattr(module, "datetime", None) is datetime.datetime]  # fmt: skip
    if fault.in_driver:
        module, name, when = moments[fault.column]
        kept.append((module, name, getattr(module, name)))
        setattr(module, name, before(getattr(module, name), fault=fault, when=when))
    driver.made = functools.partial(struck, fault=fault)
    try:
        yield
    finally:
        for module, name, value in kept:
            setattr(module, name, value)


# --- who runs it ----------------------------------------------------------------------------------------------


def run(root: Path, *, organisation: str = "demo", period: str = PERIOD, **more: Any) -> tuple[int, list[Any]]:
    """Run a period in this process; return the exit code that the command would have, and the reports."""
    from pmo_lib.errors import PmoError
    from pmo_lib.runner import Request, resume, run as run_period

    resumed = more.pop("resumed", False)
    request = Request(organisation, period, jobs=2, **more)
    outputs = root / "outputs"
    try:
        done = (resume(request, root=root, outputs=outputs, tell=lambda *_: None) if resumed
                else run_period(request, root=root, outputs=outputs, tell=lambda *_: None))  # fmt: skip
    except PmoError as error:
        return error.exit_code, []
    except MemoryError:
        return 1, []
    return int(any(one.status == "failed" for one in done)), done


def surroundings(root: Path) -> dict[str, str]:
    """Return the environment of a command that runs the reports of a house."""
    search = os.pathsep.join([str(HERE), str(HERE.parent)])
    return {**os.environ, "PYTHONPATH": search, "PMO_ROOT": str(root), "PMO_OUTPUTS": str(root / "outputs")}


def drive(row: str, column: str) -> None:
    """Be the driver that a fault ends: ``pmo run`` with the fault in its way."""
    from pmo_lib.cli import main

    sys.argv = ["pmo", "run", "--org", "demo", "--period", PERIOD, "--jobs", "2"]
    with armed(Fault(row, column, Path(os.environ["PMO_ROOT"]))):
        main()


def driven(fault: Fault, *, mark: str) -> int:
    """Run a period in a process of its own, with a fault in its way; return its exit code."""
    script = f"import faults; faults.drive({fault.row!r}, {fault.column!r})"
    environment = {**surroundings(fault.root), MARK: mark}
    return subprocess.run(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.DEVNULL, timeout=120, check=False
    ).returncode


def marked(mark: str) -> set[int]:
    """Return the processes with a mark in their environment that are alive."""
    found, wanted = set(), f"{MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.add(int(folder.name))
    return found
