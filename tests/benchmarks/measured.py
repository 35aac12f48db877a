"""What benchmarks share: processor time and peak memory of a piece of work, in a process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

_PR_SET_CHILD_SUBREAPER = 36


class Measure(NamedTuple):
    """Processor seconds, megabytes that the work added to the peak, and what it returned."""

    seconds: float
    megabytes: float
    result: Any


def measured(work: Callable[..., Any], *given: Any) -> Measure:
    """Do some work in a fresh process, and return what it took.

    Processor time, not the clock: what else the machine does is not measured.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_do, args=(sender, work, given))
    process.start()
    sender.close()
    try:
        return Measure(*receiver.recv())
    finally:
        process.join()


def least(work: Callable[..., Any], *given: Any, times: int = 3) -> Measure:
    """Return the least of several measures: what the work takes where nothing disturbs it."""
    return min((measured(work, *given) for _ in range(times)), key=lambda measure: measure.seconds)


class Spent(NamedTuple):
    """Processor seconds (user and system) of a command and of every process that it started, and seconds it took."""

    core: float
    wall: float


def spent(command: list[str]) -> Spent:
    """Run a command to its end and return what it and all its descendants took.

    Linux hands those whose parent died to the process that waits here; elsewhere they are not counted. The command must
    leave nothing behind that does not end.
    """
    done = measured(_spend, command)
    if isinstance(done.result, str):
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.result}")
    return Spent(*done.result)


def _spend(command: list[str]) -> tuple[float, float] | str:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    begun = time.monotonic()
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    wall = time.monotonic() - begun
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.stderr if ended.returncode else (usage.ru_utime + usage.ru_stime, wall)


def _do(sender: Any, work: Callable[..., Any], given: tuple[Any, ...]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    result = work(*given)
    seconds = time.process_time() - begun
    sender.send((seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, result))


def say(*words: object) -> None:
    """Print a line of a benchmark."""
    print(*words, flush=True)  # noqa: T201 (that is what a benchmark is for)
