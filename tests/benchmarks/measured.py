"""What benchmarks share: processor time and peak memory of a piece of work, in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from typing import Any, NamedTuple


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


def _do(sender: Any, work: Callable[..., Any], given: tuple[Any, ...]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    result = work(*given)
    seconds = time.process_time() - begun
    sender.send((seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, result))


def say(*words: object) -> None:
    """Print a line of a benchmark."""
    print(*words, flush=True)  # noqa: T201 (that is what a benchmark is for)
