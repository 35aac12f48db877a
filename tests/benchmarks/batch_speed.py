"""A batch of reports made in five ways, interleaved in one run: ``make bench``, or this module alone (``--help``).

All core-seconds (user and system, of every process that takes part) are per report and hold the start of whatever has
to be started: of the warm server too, which is printed beside them. The bars are of the reference report; the project's
own notebooks are measured beside it on a demo of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from benchmarks import reference
from benchmarks.measured import Spent, say, spent
from benchmarks.reference import Batch, Task

ROOT = Path(__file__).parents[2]
LEAST_A, LEAST_B, MOST_ABOVE, MOST_GROWTH = 20.0, 8.0, 0.10, 0.10
MOST_UNCHANGED, MOST_SAFE = 0.03, 0.05
NAMES = {
    "a": "papermill and nbconvert by command, all cores",
    "b": "both as a library, one process",
    "c": "ploomber-engine and nbconvert, one process",
    "d": "ours: execute, render, gate, write",
    "e": "the floor: plain script and rendering",
    "s": "start of the warm server, whole",
    "r": "pmo run: plan, lock, log, staging, publication",
    "u": "pmo run where nothing changed",
}
SLOW = "abc"
VERSIONS = ("papermill", "nbconvert", "ipykernel", "pandas", "pyarrow", "plotly")


@dataclass(frozen=True)
class Sizes:
    """How much is measured: reports of ways a to c, of ways d and e, rounds, and the two sizes of the flat cost."""

    slow: int
    fast: int
    rounds: int
    flat: tuple[int, ...]
    own: int

    def of(self, way: str) -> int:
        """Return how many reports a way makes."""
        return 1 if way == "s" else self.slow if way in SLOW else self.fast


@dataclass(frozen=True)
class Runs:
    """``pmo run`` as a whole: of all portfolios, again where nothing changed, and what share is not the reports."""

    full: Cost
    unchanged: Cost
    safe: float


@dataclass(frozen=True)
class Cost:
    """Core-seconds and seconds per report: the median of the rounds."""

    core: float
    wall: float
    count: int


def measured_ways(ways: str, *, batches: dict[str, Batch], rounds: int) -> dict[str, Cost]:
    """Measure ways in turn, round by round; each name of a batch begins with the letter of its way."""
    seen: dict[str, list[Spent]] = {name: [] for name in batches if name[0] in ways}
    for number in range(rounds):
        for name, measures in seen.items():
            measures.append(one(name[0], batch=batches[name]))
            say(f"round {number + 1}: {name} {measures[-1].core:.2f} core-seconds, {measures[-1].wall:.2f} s")
    return {name: _cost(measures, count=len(batches[name].tasks)) for name, measures in seen.items()}


def one(way: str, *, batch: Batch) -> Spent:
    """Make a batch in one way, in a folder that is thrown away, and return what it took."""
    with tempfile.TemporaryDirectory() as folder:
        staging = Path(folder) / "staging"
        staging.mkdir()
        given = Path(folder) / "batch.pickle"
        given.write_bytes(pickle.dumps(dataclasses.replace(batch, staging=staging)))
        # Nothing of this project is the main module, which multiprocessing would load again in every child.
        return spent([sys.executable, "-c", "from benchmarks.ways import main; main()", way, str(given)])


def flat(folder: Path, *, sizes: Sizes) -> tuple[dict[int, float], float]:
    """Return the core-seconds of a report of ours by the number of portfolios, the server's start included, and growth.

    The same number of reports each, in turn: what differs is how many portfolios the data hold. The growth from the
    fewest to the most is the median of the rounds, each held against itself: a machine slows down between them.
    """
    batches = {}
    for size in sizes.flat:
        own = folder / f"of-{size}"
        own.mkdir()
        reference.house(own, portfolios=size)
        tasks = reference.batch(own, count=size, staging=own).tasks
        chosen = tuple(tasks[n * size // sizes.fast % size] for n in range(sizes.fast))
        batches[f"d{size}"] = Batch(own, own / "outputs", own, chosen)
    rounds = [measured_ways("d", batches=batches, rounds=1) for _ in range(sizes.rounds)]
    costs = [{size: found[f"d{size}"].core for size in sizes.flat} for found in rounds]
    growth = median(found[max(sizes.flat)] / found[min(sizes.flat)] - 1 for found in costs)
    return {size: median(found[size] for found in costs) for size in sizes.flat}, growth


def runs(folder: Path, *, sizes: Sizes) -> Runs:
    """Measure ``pmo run`` on as many portfolios as the largest of the flat cost, then where nothing changed.

    The safe path is what a whole run takes beyond the same reports made, staged and moved without plan, lock, log and
    index: both with the start of the server, in turn, and the median of the rounds.
    """
    count = max(sizes.flat)
    full = _cost([_run(_house(folder / "all", portfolios=count))], count=count)
    say(f"all of {count:,}: {full.core:.3f} core-seconds a report")
    unchanged = _cost([_run(folder / "all") for _ in range(sizes.rounds)], count=count)
    say(f"unchanged: {unchanged.core:.4f} core-seconds a report")
    root = _house(folder / "some", portfolios=sizes.fast)
    bare = reference.batch(root, count=sizes.fast, staging=root)
    pairs = [(_run(root, "--again"), one("d", batch=bare)) for _ in range(sizes.rounds)]
    for whole, made in pairs:
        say(f"{sizes.fast} reports: {whole.core:.2f} core-seconds by pmo run, {made.core:.2f} made alone")
    return Runs(full, unchanged, median(1 - made.core / whole.core for whole, made in pairs))


def _house(folder: Path, *, portfolios: int) -> Path:
    folder.mkdir()
    return reference.house(folder, portfolios=portfolios)


def _run(root: Path, *more: str) -> Spent:
    """Run all reports of a house with the command, and return what it took."""
    command = [sys.executable, "-m", "pmo_lib.cli", "run", "--org", "bench", "--period", reference.MONTHS[-1], *more]
    with _environment(PMO_ROOT=str(root), PMO_OUTPUTS=str(root / "outputs"), PYTHONPATH=str(ROOT)):
        return spent(command)


def _cost(measures: list[Spent], *, count: int) -> Cost:
    return Cost(median(m.core for m in measures) / count, median(m.wall for m in measures) / count, count)


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def own_batches(folder: Path, *, sizes: Sizes, ways: str) -> dict[str, Batch]:
    """Make a small demo and return each report of one of its portfolios, as often as asked, for each way."""
    command = [sys.executable, "-m", "pmo_lib.cli", "demo", "--periods", "4", "--portfolios", "2", "--projects", "8"]
    environment = {**os.environ, "PMO_OUTPUTS": str(folder), "PMO_ROOT": str(ROOT)}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    period = max(path.name for path in (folder / "demo").glob("20*"))
    pages = sorted((folder / "demo" / period).glob("*/*.json"))
    first = pages[0].parent
    told = {"organisation": "demo", "period": period, "portfolio": first.name, "overrides": {}}
    batches = {}
    for page in (page for page in pages if page.parent == first):
        task = Task(page.stem, {**told, "snapshot": json.loads(page.read_text(encoding="utf-8"))["snapshot"]})
        for way in ways:
            count = sizes.own if way in "de" else 1
            batches[f"{way} {page.stem}"] = Batch(ROOT, folder, folder, (task,) * count)
    return batches


def told(costs: dict[str, Cost], *, growth: float, whole: Runs | None) -> tuple[list[str], bool]:
    """Return the lines of the bars, and whether all are met."""
    a, b, d, e = (costs[way].core for way in "abde")
    bars = [
        (f"a/d {a / d:6.1f}  bar: at least {LEAST_A:g}", a / d >= LEAST_A),
        (f"b/d {b / d:6.1f}  bar: at least {LEAST_B:g}", b / d >= LEAST_B),
        (f"d - e {d - e:6.3f} core-seconds  bar: at most {MOST_ABOVE:g}", d - e <= MOST_ABOVE),
        (f"growth {growth:+6.1%} of a report's cost with the number  bar: {MOST_GROWTH:.0%}", growth <= MOST_GROWTH),
    ]
    if whole is not None:
        share = whole.unchanged.core / whole.full.core
        bars += [
            (f"unchanged {share:6.2%} of the full run  bar: {MOST_UNCHANGED:.0%}", share < MOST_UNCHANGED),
            (f"safe path {whole.safe:6.2%} of the run  bar: {MOST_SAFE:.0%}", whole.safe < MOST_SAFE),
        ]
    return [f"{line}{'' if good else '  MISSED'}" for line, good in bars], all(good for _, good in bars)


def table(costs: dict[str, Cost]) -> list[str]:
    """Return a line for each way."""
    lines = [f"{'core-s':>8} {'wall s':>8} {'reports':>8}  a report by"]
    for name, cost in costs.items():
        way, _, report = name.partition(" ")
        lines.append(f"{cost.core:8.3f} {cost.wall:8.3f} {cost.count:8}  {way} {NAMES[way]}{report and ': '}{report}")
    return lines


def document(
    costs: dict[str, Cost], *, own: dict[str, Cost], by_size: dict[int, float], whole: Runs | None
) -> dict[str, object]:
    """Return what is written of a run."""
    versions = {name: metadata.version(name) for name in VERSIONS}
    known: dict[str, object] = {way: round(costs[way].core, 4) if way in costs else "not installed" for way in "abcde"}
    return known | {
        "wall": {way: round(cost.wall, 4) for way, cost in costs.items()},
        "reports": {way: cost.count for way, cost in costs.items()},
        "start": round(costs["s"].core, 4),
        "by_portfolios": {str(size): round(core, 4) for size, core in by_size.items()},
        "run": round(whole.full.core, 4) if whole else None,
        "unchanged": round(whole.unchanged.core, 5) if whole else None,
        "safe_share": round(whole.safe, 4) if whole else None,
        "own": {name: round(cost.core, 4) for name, cost in own.items()},
        "cores": len(os.sched_getaffinity(0)),
        "versions": {"python": sys.version.split()[0], **versions},
        "date": time.strftime("%Y-%m-%d"),
    }


def asked() -> tuple[Sizes, Path]:
    """Return the sizes from the command line, and where to write."""
    parser = argparse.ArgumentParser(description="A batch of reports made in five ways.")
    parser.add_argument("--slow", type=int, default=8, help="reports of ways a to c")
    parser.add_argument("--fast", type=int, default=200, help="reports of ways d and e")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; their median counts")
    parser.add_argument(
        "--flat", type=int, nargs="*", default=(10, 1000), help="portfolios of the flat cost; none: left out"
    )
    parser.add_argument("--own", type=int, default=10, help="reports of each notebook of the project; 0: left out")
    parser.add_argument("--output", type=Path, default=ROOT / "outputs" / "bench.json", help="where to write")
    given = parser.parse_args()
    return Sizes(given.slow, given.fast, given.rounds, tuple(given.flat), given.own), given.output


def main() -> int:
    """Measure, print, write; 1 if a bar is missed."""
    sizes, output = asked()
    ways = "abcdes" if find_spec("ploomber_engine") else "abdes"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reference.house(folder, portfolios=max(sizes.slow, sizes.fast, 1))
        batches = {way: reference.batch(folder, count=sizes.of(way), staging=folder) for way in ways}
        costs = measured_ways(ways, batches=batches, rounds=sizes.rounds)
        by_size, growth = flat(folder, sizes=sizes) if sizes.flat else ({}, 0.0)
        for part in ("own", "house"):
            (folder / part).mkdir()
        whole, own = runs(folder / "house", sizes=sizes) if sizes.flat else None, {}
        if sizes.own:
            known = own_batches(folder / "own", sizes=sizes, ways=ways.replace("s", ""))
            own = measured_ways(ways, batches=known, rounds=1)
    costs |= {"r": whole.full, "u": whole.unchanged} if whole else {}
    lines, good = told(costs, growth=growth, whole=whole)
    for line in (*table(costs), *lines, *(f"{core:8.3f} core-s a report of {size:,}" for size, core in by_size.items()),
                 *(table(own) if own else ())):  # fmt: skip
        say(line)
    if "c" not in costs:
        say("c ploomber-engine is not installed")
    output.parent.mkdir(parents=True, exist_ok=True)
    written = document(costs, own=own, by_size=by_size, whole=whole) | {"growth": round(growth, 4)}
    output.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
