"""Verifying an archive against ``sha256sum`` of the same files in the same run: ``make bench``.

The bar: 80 % of its throughput. Both by the clock, since verifying hashes in as many threads as there are cores:
the best of some rounds that take turns; processor time is printed beside it.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from benchmarks.measured import say
from kept_runs import made_of, put_all, run_taken, snapshot_kept

from pmo_lib.archive import Ledger, enter, verify
from pmo_lib.store import Store, canonical_json, digest_of, write_atomically

ROUNDS, LEAST_SHARE = 5, 0.80
# Objects of an archive by size: a year of a large organisation, and many small tables; and one of runs.
ARCHIVES = {"large returns": ((1_500, 300_000), (60, 2_000_000)), "small tables": ((6_000, 20_000),), "runs": ()}
RUNS, SOURCE_FILES = 250, 300
RUN_BYTES = {
    "health_check.html": 270_000,
    "health_check.ipynb": 440_000,
    "health_check.json": 75_000,
    "findings.json": 2_000,
}


class Took(NamedTuple):
    """Seconds by the clock, and of processors."""

    wall: float
    core: float


def archive_of(root: Path, *, sizes: tuple[tuple[int, int], ...]) -> int:
    """Write an archive of objects of these numbers and sizes, named by snapshots of twenty-five; return its bytes."""
    store, draws = Store(root / "objects"), np.random.default_rng(1)
    objects = [store.put(draws.bytes(size)) for count, size in sizes for _ in range(count)]
    for place in range(0, len(objects), 25):
        period = f"{2000 + place // 25 // 12}-{place // 25 % 12 + 1:02}"
        sources = [{"name": name, "sha256": name} for name in objects[place : place + 25]]
        manifest = {"period": period, "sources": sources, "tables": {}, "intake": {}}
        content = canonical_json(manifest | {"previous": None, "supersedes": None, "reason": ""})
        write_atomically(root / "snapshots" / period / f"{digest_of(content)}.json", content=content, read_only=True)
    enter(Ledger(root, ""), taken="", at="")
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def archive_of_runs(root: Path) -> int:
    """Write an archive of runs as large as those of the demo, each made of the same source files; return its bytes."""
    draws = np.random.default_rng(1)
    snapshot = snapshot_kept(root, "2026-09")
    source = {f"pmo_lib/module{number}.py": draws.bytes(8_000) for number in range(SOURCE_FILES)}
    of = [one for one in made_of(root, snapshot) if one.name != "source"]
    of.append(put_all(root, "source", source))
    rows = [{"table": f"table{number}", "rows_in": number, "used": number, "quarantined": 0} for number in range(40)]
    for number in range(RUNS):
        files = {name: draws.bytes(size) for name, size in RUN_BYTES.items()}
        run_taken(root, snapshot, portfolio=f"P{number}", files=files, dependencies=of, rows=rows)
    enter(Ledger(root, ""), taken="", at="")
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def took(work: Callable[[], object]) -> Took:
    """Do some work in this process or in children of it, and return what it took."""
    before, begun = _core(), time.perf_counter()
    work()
    return Took(time.perf_counter() - begun, _core() - before)


def _core() -> float:
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, whose))


def summed(root: Path, *, program: str) -> None:
    """Hash all files by a program of the system, in as few processes as there can be."""
    command = f"find {root} -type f -print0 | xargs -0 {program} > /dev/null"
    subprocess.run(command, shell=True, check=True)  # noqa: S602 (the folder is ours)


def verified(root: Path) -> None:
    """Verify it; it is whole."""
    assert verify(root).clean


def whole_command(outputs: Path) -> None:
    """Verify it as a user does, with the start of Python."""
    command = [sys.executable, "-m", "pmo_lib.cli", "verify", "--org", "bench"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PMO_OUTPUTS": str(outputs)})


def main() -> int:
    """Print the throughputs and their ratios; 1 if one misses the bar."""
    missed = False
    for name, sizes in ARCHIVES.items():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "bench" / "archive"
            size = archive_of(root, sizes=sizes) if sizes else archive_of_runs(root)
            ways: dict[str, Callable[[], object]] = {
                "sha256sum": lambda root=root: summed(root, program="sha256sum"),
                "verify": lambda root=root: verified(root),
                "pmo verify": lambda folder=folder: whole_command(Path(folder)),
            }
            if shutil.which("openssl"):  # some builds of sha256sum use none of the processor's instructions for it
                ways["openssl"] = lambda root=root: summed(root, program="openssl dgst -sha256")
            rounds = [{way: took(work) for way, work in ways.items()} for _ in range(ROUNDS)]
        best = {way: min((each[way] for each in rounds), key=lambda one: one.wall) for way in ways}
        for way, one in best.items():
            say(f"{name}, {size / 1e6:,.0f} MB: {way:10} {one.wall:6.3f} s {size / one.wall / 1e6:8,.0f} MB/s "
                f"{one.core:6.3f} s of processors")  # fmt: skip
        share = best["sha256sum"].wall / best["verify"].wall
        say(f"{name}: verify at {share:.0%} of the throughput of sha256sum (bar {LEAST_SHARE:.0%})")
        missed |= share < LEAST_SHARE
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
