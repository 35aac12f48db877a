"""What the tests of workers, engine and pages run in processes of their own; each is imported by name there."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WARM = ("pmo_lib.engine:warm", "pmo_lib.render.gate", "pmo_lib.render.page:warm")
"""What the one fork server of a test process loads: all tests ask for the same."""
NOTEBOOKS = Path(__file__).parent / "notebooks"


@dataclass(frozen=True)
class Ran:
    """One execution of a fixture notebook: the written file, and its page."""

    notebook: str
    page: str
    seconds: float


@dataclass(frozen=True)
class Wanted:
    """One execution to make."""

    name: str
    engine: str
    output: Path
    parameters: dict[str, Any] = field(default_factory=dict)


def run_notebook(wanted: Wanted) -> Ran:
    """Execute and render a fixture notebook."""
    from pmo_lib.engine import execute
    from pmo_lib.render.page import render

    os.environ.pop("PYTEST_CURRENT_TEST", None)  # where a stock kernel sees this, it leaves descriptors alone
    started = time.monotonic()
    path = NOTEBOOKS / f"{wanted.name}.ipynb"
    executed = execute(path, parameters=wanted.parameters, output_path=wanted.output, engine=wanted.engine)
    page = render(executed)
    return Ran(wanted.output.read_text(encoding="utf-8"), page, time.monotonic() - started)


def loaded(names: tuple[str, ...]) -> list[str]:
    """Say which modules a new child has without importing anything."""
    return [name for name in names if name in sys.modules]


def tell_surroundings(_: object) -> dict[str, Any]:
    """Say what a child of the fork server sees after it has run a notebook."""
    import zmq

    from pmo_lib.engine import execute

    execute(NOTEBOOKS / "echoes_parameters.ipynb", parameters={})
    return {
        "environment": dict(os.environ),
        "hash": hash("pmo"),
        "threads": [thread.name for thread in threading.enumerate()],
        "zmq": zmq.Context._instance is not None,
        "pid": os.getpid(),
    }


def execute_inside_a_kernel(_: object) -> None:
    """Execute a notebook where a shell exists already, as in JupyterLab."""
    from IPython.core.interactiveshell import InteractiveShell

    from pmo_lib.engine import execute

    InteractiveShell.instance()
    execute(NOTEBOOKS / "echoes_parameters.ipynb", parameters={})


def end(how: str) -> object:
    """End in one of the ways in which a job can end."""
    if how == "error":
        raise ValueError("no such figure")
    if how == "exit":
        sys.exit(0)
    if how == "os._exit":
        os._exit(0)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "unpicklable":
        return lambda: 1
    if how == "large":
        return "x" * 5_000_000
    if how == "slow":
        time.sleep(60)
    if how == "leaves a child":
        if os.fork() == 0:
            time.sleep(60)
        os._exit(3)
    return how


@dataclass(frozen=True)
class Attempted:
    """A job that ends in a way of :func:`end` or :data:`ERRORS` at its first attempts, and then as it should."""

    how: str
    folder: Path
    times: int = 1


def attempt(job: Attempted) -> tuple[int, dict[str, str]]:
    """Fail a number of times; return the number of this attempt and the environment that it is made in."""
    job.folder.mkdir(exist_ok=True)
    made = len(list(job.folder.iterdir()))
    (job.folder / f"{made} {time.monotonic()}").touch()
    if made < job.times:
        if job.how in ERRORS:
            raise OSError(ERRORS[job.how], os.strerror(ERRORS[job.how]))
        if job.how == "server killed":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)  # the kernel ends us with it
        end(job.how)
    return made + 1, dict(os.environ)


ERRORS = {"disk full": errno.ENOSPC, "I/O error": errno.EIO, "not allowed": errno.EACCES}


def fill_memory(_: object) -> tuple[str, int]:
    """Ask for more memory than there is; then start threads, which need little; say how both went."""
    try:
        bytearray(8 << 30)
    except MemoryError:
        threads = [threading.Thread(target=bytearray, args=(1 << 20,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return "MemoryError", len(threads)
    return "no limit", 0


def report_pids(folder: Path) -> None:
    """Write the process ids of this job, of its fork server and of a subprocess into a folder, then sleep."""
    child = subprocess.Popen(["sleep", "60"])
    (folder / f"{os.getpid()}.part").write_text(f"{os.getpid()} {os.getppid()} {child.pid}", encoding="utf-8")
    (folder / f"{os.getpid()}.part").rename(folder / f"{os.getpid()}.pids")
    time.sleep(60)
