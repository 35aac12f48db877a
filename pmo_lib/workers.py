"""One process per job, forked from a warm server: what every report of a run is made in.

The standard library's fork server starts once, imports what the jobs need, and forks a child for each job in
milliseconds. The server starts with :data:`ENVIRONMENT`, so that hash order, time zone, locale and the number of
threads of the linear algebra libraries are the same in every child of every machine.

What a driver may rely on:

* a child that ends without a result is a failure that says how it ended (exit code or signal), and no other job
  notices;
* a child that passes its time limit is killed, with the processes that it started; one that asks for more memory than
  its limit has a MemoryError; when the limit of all jobs together has passed, what is left is not done, and says so;
* a job that failed by what is not its own doing (its process was killed, the disk was full) is done again after a
  while, a few times; one that failed by itself is not, since it would again;
* when the driver dies, of whatever cause, server and children are killed by the kernel (Linux ``PR_SET_PDEATHSIG``,
  which is bound to the *thread* that starts the server: start jobs from a thread that lives as long as the run).

The fork server is one per driver process: the first :meth:`Workers.run` decides what it loads.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import importlib
import math
import multiprocessing
import os
import pickle
import resource
import signal
import sys
import time
import traceback
from collections import deque
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmo_lib.errors import PmoError, ReportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from multiprocessing.context import ForkServerProcess

ENVIRONMENT: Mapping[str, str] = {
    "IPYKERNEL_CELL_NAME": "<cell>",  # otherwise warnings carry a temporary path with the process id
    "LC_ALL": "C.UTF-8",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PLOTLY_RENDERER": "plotly_mimetype",  # plotly looks at this when it is imported, before any shell exists
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
}
"""Environment of the fork server, hence of every job."""

_DRIVER, _WARM = "PMO_WORKERS_DRIVER", "PMO_WORKERS_WARM"
_PR_SET_PDEATHSIG = 1
# jsonschema imports this for a format that no notebook has, if it can; its grammar alone takes 3 seconds of processor.
_NOT_WARMED = "rfc3987_syntax"
_GRACE_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 3_600.0
# Ends and errors that the machine brought about, and not the job: the next attempt may well succeed.
_SERVER_ENDED = 255  # what multiprocessing says of a child whose fork server was killed; a job's own 255 looks the same
_KILLED = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGBUS, _SERVER_ENDED}
INFRASTRUCTURE = frozenset((errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EROFS))
BACK_OFF_SECONDS = 0.5


@dataclass(frozen=True)
class Outcome:
    """How one job ended.

    Attributes
    ----------
    index, job
        Its position among the jobs, and the job itself.
    value
        What the function returned; None if it failed.
    error
        Why it failed; None if it did not. ``error.data["stage"]`` tells how far it came, where the job said so;
        a job that ended without a result has the stage ``"process"``, one that was too slow ``"time limit"``.
    seconds
        Wall time from start to end, of the last attempt.
    peak_mib
        Largest resident memory of the child in MiB, 0 if it died.
    attempts
        How often it was tried; 0 if the limit of all jobs passed before.
    """

    index: int
    job: Any
    value: Any = None
    error: PmoError | None = None
    seconds: float = 0.0
    peak_mib: float = 0.0
    attempts: int = 1

    @property
    def ok(self) -> bool:
        """Whether the job returned a value."""
        return self.error is None


@dataclass(frozen=True)
class _Waiting:
    """A job that is yet to be done, and from which moment on."""

    index: int
    job: Any
    attempt: int = 1
    ready: float = 0.0


@dataclass
class _Running:
    """A child at work."""

    waited: _Waiting
    process: ForkServerProcess
    receiver: Connection
    started: float
    deadline: float


@dataclass(frozen=True)
class Workers:
    """A number of processes, each for one job.

    Parameters
    ----------
    count
        How many at a time; never more than there are processors to use, which is also the default.
    seconds
        Time limit of one job.
    total_seconds
        Time limit of all jobs of a run together; None has none.
    memory_mib
        What one job may have of data (Linux ``RLIMIT_DATA``: a limit of the address space would stop threads, too).
    retries
        How often a job is tried again that failed by no fault of its own; each time it waits twice as long.
    warm
        What the server loads before it forks: module names, or ``module:function`` to call that function too.
        Neither may start a thread, an event loop or a ZeroMQ context: those do not survive a fork.
    """

    count: int | None = None
    seconds: float = 600.0
    total_seconds: float | None = None
    memory_mib: int | None = None
    retries: int = 2
    warm: tuple[str, ...] = ()

    def run(self, function: Callable[[Any], Any], *, jobs: Iterable[Any]) -> Iterator[Outcome]:
        """Call `function` with each job in a process of its own; outcomes arrive as they finish.

        Parameters
        ----------
        function
            Importable by name (a lambda or a nested function is not).
        jobs
            Anything that pickles. Started in the order given.

        Yields
        ------
        Outcome
            One for each job, in the order in which they end. Leaving the loop early kills what still runs.
        """
        waiting = deque(_Waiting(index, job) for index, job in enumerate(jobs))
        running: list[_Running] = []
        ends = time.monotonic() + self.total_seconds if self.total_seconds is not None else math.inf
        try:
            while (waiting or running) and time.monotonic() < ends:
                while len(running) < self.size and (ready := _ready(waiting)):
                    running.append(self._start(function, waited=ready))
                free = len(running) < self.size
                for child in _ended(running, until=min([ends, *(one.ready for one in waiting if free)])):
                    running.remove(child)
                    outcome = _outcome(child)
                    if self._is_to_be_tried_again(outcome):
                        wait_for = BACK_OFF_SECONDS * 2 ** (outcome.attempts - 1)
                        again = outcome.attempts + 1
                        waiting.append(_Waiting(outcome.index, outcome.job, again, time.monotonic() + wait_for))
                    else:
                        yield outcome
            for child in running:
                _kill(child)
            yield from map(self._too_late, [*(child.waited for child in running), *waiting])
        finally:
            for child in running:
                _kill(child)

    def _is_to_be_tried_again(self, outcome: Outcome) -> bool:
        own_fault = outcome.error is None or not outcome.error.data.get("infrastructure")
        return not own_fault and outcome.attempts <= self.retries

    def _too_late(self, late: _Waiting) -> Outcome:
        error = ReportError(
            f"The time of the batch, {self.total_seconds:g} seconds, was over before this job was done",
            fix="raise the time limit of the batch, and run what is left",
            stage="time limit",
        )
        return Outcome(late.index, late.job, error=error, attempts=0)

    @property
    def size(self) -> int:
        """How many jobs run at a time."""
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, min(self.count or usable, usable))

    def _start(self, function: Callable[[Any], Any], *, waited: _Waiting) -> _Running:
        _start_server(self.warm)  # the first time; or again, if somebody killed it
        context = multiprocessing.get_context("forkserver")
        receiver, sender = context.Pipe(duplex=False)
        given = {"job": waited.job, "sender": sender, "memory_mib": self.memory_mib}
        process = context.Process(target=_work, args=(function,), kwargs=given)
        process.start()  # the first of all waits until the server is warm
        started = time.monotonic()
        sender.close()  # or the end of the child would not be seen
        return _Running(waited, process, receiver, started, started + self.seconds)


def die_with_parent() -> None:
    """Ask Linux to kill this process when the thread that started it ends; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _ready(waiting: deque[_Waiting]) -> _Waiting | None:
    """Take the first job that need not wait any longer."""
    now = time.monotonic()
    ready = next((one for one in waiting if one.ready <= now), None)
    if ready is not None:
        waiting.remove(ready)
    return ready


def _ended(running: list[_Running], *, until: float) -> list[_Running]:
    """Wait until a child has sent its outcome, has died or is too late, or a moment has come; return those children."""
    nearest = min(until, *(child.deadline for child in running), time.monotonic() + _LONGEST_WAIT_SECONDS)
    signs = {sign: child for child in running for sign in (child.receiver, child.process.sentinel)}
    ready = wait(list(signs), timeout=max(0.0, nearest - time.monotonic()))
    now = time.monotonic()
    return [c for c in running if c.receiver in ready or c.process.sentinel in ready or c.deadline <= now]


def _outcome(child: _Running) -> Outcome:
    """Take what a child sent; if it sent nothing, say whether it died or was too slow."""
    value, error, peak_mib = None, None, 0.0
    try:
        if child.receiver.poll():
            value, error, peak_mib = pickle.loads(child.receiver.recv_bytes())  # noqa: S301 - our own child wrote it
        else:
            error = _without_result(child)
    except EOFError:
        error = _without_result(child)
    _kill(child, grace_seconds=0.0 if child.deadline <= time.monotonic() else _GRACE_SECONDS)
    seconds = time.monotonic() - child.started
    waited = child.waited
    return Outcome(waited.index, waited.job, value, error, seconds, peak_mib, waited.attempt)


def _without_result(child: _Running) -> ReportError:
    child.process.join(timeout=max(0.0, child.deadline - time.monotonic()))
    if child.process.exitcode is not None:
        return _death(child.process.exitcode)
    return ReportError(
        f"The job was not done after {child.deadline - child.started:g} seconds and was stopped",
        fix="raise the time limit, or look for what takes so long",
        stage="time limit",
    )


def _death(exitcode: int) -> ReportError:
    if exitcode < 0:
        how = f"was killed by signal {-exitcode} ({signal.Signals(-exitcode).name})"
        fix = "if nobody killed it, the machine ran out of memory: use fewer workers"
    else:
        server = " or its fork server was killed" if exitcode == _SERVER_ENDED else ""
        how = f"ended with exit code {exitcode} before it had a result{server}"
        fix = "look for a call that ends the process"
    killed = exitcode in _KILLED
    return ReportError(f"The worker process {how}", fix=fix, stage="process", exitcode=exitcode, infrastructure=killed)


def _kill(child: _Running, *, grace_seconds: float = 0.0) -> None:
    """Make sure that a child has ended, and with it every process of its group; again does no harm."""
    if child.receiver.closed:
        return
    child.process.join(timeout=grace_seconds)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid or 0, signal.SIGKILL)  # fails while the child has not yet made its own group
    child.process.kill()
    child.process.join()
    child.receiver.close()


def _work(function: Callable[[Any], Any], *, job: Any, sender: Connection, memory_mib: int | None) -> None:
    """Run in the child: one job, one message."""
    die_with_parent()
    driver = multiprocessing.parent_process()
    if driver is None or not driver.is_alive():  # it died before the kernel was asked to take us with it
        os._exit(1)
    os.setsid()
    value, error = None, None
    try:
        _check_environment()
        if memory_mib is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (memory_mib << 20, memory_mib << 20))
        value = function(job)
    except PmoError as caught:
        error = caught
    except BaseException as caught:  # noqa: BLE001 - a job may raise anything, SystemExit too, and must be reported
        error = _unexpected(caught)
    sender.send_bytes(_message(value, error=error))
    sender.close()


def _check_environment() -> None:
    wrong = sorted(name for name, value in ENVIRONMENT.items() if os.environ.get(name) != value)
    if wrong:
        raise ReportError(
            f"The fork server of this process was started by other code, without {', '.join(wrong)}",
            fix="run reports from a process that starts no fork server of its own",
            stage="process",
        )


def _unexpected(caught: BaseException) -> ReportError:
    lines = traceback.format_exception(caught)
    by_machine = isinstance(caught, OSError) and caught.errno in INFRASTRUCTURE
    return ReportError(
        f"{type(caught).__name__}: {caught}", stage="process", traceback="".join(lines), infrastructure=by_machine
    )


def _message(value: Any, *, error: PmoError | None) -> bytes:
    """Pickle an outcome; one that cannot be pickled becomes an error that can."""
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    try:
        return pickle.dumps((value, error, peak_mib))
    except Exception as caught:  # noqa: BLE001 - pickling raises whatever a value's own code raises
        problem = ReportError(f"The outcome cannot be sent back: {type(caught).__name__}: {caught}", stage="process")
        return pickle.dumps((None, problem, peak_mib))


def _start_server(warm: tuple[str, ...]) -> None:
    """Start the fork server in its environment, unless it runs already."""
    package_parent = str(Path(__file__).resolve().parent.parent)
    search = os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH", "")]))
    with _environment({**ENVIRONMENT, "PYTHONPATH": search, _DRIVER: str(os.getpid()), _WARM: ",".join(warm)}):
        multiprocessing.get_context("forkserver").set_forkserver_preload([__name__])
        forkserver.ensure_running()


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _become_server(warm: str) -> None:
    """Run in the fork server: die with the driver, load what the jobs need."""
    die_with_parent()
    sys.modules.setdefault(_NOT_WARMED, None)  # type: ignore[arg-type]  # None: an import of it fails
    for name in filter(None, warm.split(",")):
        _load(name)
    if sys.modules[_NOT_WARMED] is None:
        del sys.modules[_NOT_WARMED]
    gc.collect()
    gc.freeze()


def _load(name: str) -> None:
    module, _, function = name.partition(":")
    try:
        loaded = importlib.import_module(module)
        if function:
            getattr(loaded, function)()
    except Exception:  # noqa: BLE001 - every job meets the same error and reports it; the server must live
        traceback.print_exc()


# The fork server imports this module first. Nobody else has a parent that left its own process id in the environment.
if os.environ.get(_DRIVER) == str(os.getppid()):
    os.environ.pop(_DRIVER)
    _become_server(os.environ.pop(_WARM, ""))
