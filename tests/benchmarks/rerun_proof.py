"""The proof: all runs of a demo made again from its archive alone, each time with something else than it was.

``make proof`` prints how many are identical to the byte. The eight variations that a place and a day bring must leave
every byte; another Python, other vector instructions and other kernels of linear algebra must leave every figure.
TZ, locale and hash seed are varied twice: around the command, as an auditor's machine would, where the record's own
values hold inside; and inside, against the record. ``--runs N`` takes N runs spread over all, ``--only TEXT`` those
variations whose name has the text, ``--outputs FOLDER`` a demo that is there (see :func:`demo`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measured import say

from pmo_lib.archive.ledger import whole_ledger
from pmo_lib.archive.runs import LOG, RUN_FILES, place_of, read_run
from pmo_lib.audit import FIGURES, IDENTICAL

PERIODS = ("2026-07", "2026-08", "2026-09")
YEAR = {"FAKETIME": "+365d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
FAKETIME = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.so.1",
)


@dataclass(frozen=True)
class Variation:
    """What is otherwise than it was: around the command, inside the runs, and in what the command is asked for."""

    name: str
    around: Mapping[str, str] = field(default_factory=dict)
    inside: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ("--environment", "here")
    umask: int = -1
    folder: str = ""
    workers: int = 0
    bytes: bool = True


def variations() -> Iterator[Variation]:
    """Yield all of them; those that this machine cannot make are told, and left out."""
    yield Variation("other folder", folder="ein anderer Ordner/mit Wärme & Netz")
    yield Variation("umask 077", umask=0o077)
    yield Variation("TZ around", around={"TZ": "Pacific/Kiritimati"})
    yield Variation("TZ inside", inside={"TZ": "Pacific/Kiritimati"})
    yield Variation("locale around", around={"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"})
    yield Variation("locale inside", inside={"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"})
    yield Variation("hash seed around", around={"PYTHONHASHSEED": "4711"})
    yield Variation("hash seed inside", inside={"PYTHONHASHSEED": "4711"})
    if preload := next((path for path in FAKETIME if Path(path).is_file()), ""):
        clock = {"LD_PRELOAD": preload, **YEAR}
        yield Variation("clock + 365 days", around=clock, inside=clock)
    else:
        say("left out: clock + 365 days (no libfaketime)")
    yield Variation("one worker", workers=1)
    yield Variation("two workers", workers=2)
    yield Variation("kernel engine", words=("--environment", "here", "--engine", "kernel"))
    yield Variation("forked engine", words=("--environment", "here", "--engine", "pmo"))
    plain = "X86_V3 X86_V4 AVX512_ICL AVX512_SPR AVX2 FMA3 AVX512F AVX512_SKX"
    yield Variation("no vector instructions", inside={"NPY_DISABLE_CPU_FEATURES": plain}, bytes=False)
    for core in ("Prescott", "Haswell", "Zen"):
        yield Variation(f"OpenBLAS for {core}", inside={"OPENBLAS_CORETYPE": core}, bytes=False)
    yield Variation("two BLAS threads", inside={"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}, bytes=False)
    yield Variation("fresh, from wheels or index", words=())
    for minor in ("3.12", "3.13"):
        if found := python(minor):
            yield Variation(f"Python {minor}", words=("--python", found), bytes=False)
        else:
            say(f"left out: Python {minor} (not found)")


def python(minor: str) -> str:
    """Return the path of a Python of a version; "" if there is none."""
    beside = sorted(Path.home().glob(f".pyenv/versions/{minor}.*/bin/python{minor}"))
    for path in (*map(str, beside), shutil.which(f"python{minor}")):
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return ""


def pmo(outputs: Path, *words: str, around: Mapping[str, str] | None = None, umask: int = -1) -> str:
    """Run the command and return what it printed."""
    variables = os.environ | {"PMO_OUTPUTS": str(outputs)} | (around or {})
    done = subprocess.run(
        [sys.executable, "-m", "pmo_lib.cli", *words], env=variables, capture_output=True, text=True, check=False,
        umask=umask,
    )  # fmt: skip
    if done.returncode > 1:
        raise SystemExit(f"{' '.join(words[:3])}: {done.stderr[-2_000:]}")
    return done.stdout


def demo(outputs: Path) -> None:
    """Make three periods of six portfolios, and run all reports of each in turn."""
    pmo(outputs, "demo", "--periods", str(len(PERIODS)), "--portfolios", "6", "--projects", "8")
    for period in PERIODS:
        pmo(outputs, "run", "--period", period)


def runs_of(outputs: Path, *, most: int) -> list[str]:
    """Return the runs of a demo's archive, or so many of them from beginning to end."""
    places = [place for entry in whole_ledger(outputs / "demo" / "archive") if (place := place_of(entry.path))]
    step = max(1, len(places) / most)
    return [places[int(number * step)] for number in range(min(most, len(places)))]


def made_again(variation: Variation, *, outputs: Path, runs: list[str], scratch: Path) -> Counter[str]:
    """Return the verdicts on runs that ``pmo rerun`` made again."""
    folder = scratch / (variation.folder or "outputs")
    shutil.copytree(outputs / "demo" / "archive", folder / "demo" / "archive", copy_function=os.link)
    summary = scratch / "verdicts.json"
    inside = [word for name, value in variation.inside.items() for word in ("--variable", f"{name}={value}")]
    words = [*variation.words, *inside, "--jobs", "2", "--json", str(summary), *runs]
    pmo(folder, "rerun", *words, around=variation.around, umask=variation.umask)
    verdicts = json.loads(summary.read_bytes())
    for one in (one for one in verdicts if one["word"] != IDENTICAL):
        say(f"    {one['word']}: {one['run']}: {'; '.join(one['why'])[:300]}")
    return Counter(one["word"] for one in verdicts)


def batched(variation: Variation, *, outputs: Path, runs: list[str], scratch: Path) -> Counter[str]:
    """Return the verdicts on runs that a whole batch made again, with so many workers."""
    root = scratch / "demo" / "archive"
    shutil.copytree(outputs / "demo", scratch / "demo", copy_function=shutil.copyfile)
    before = {place: read_run(root, place=place) for place in runs}
    begun = len(whole_ledger(root))
    for period in sorted({str(run.about["period"]) for run in before.values()}):
        pmo(scratch, "run", "--period", period, "--again", "--jobs", str(variation.workers))
    after = [read_run(root, place=place) for one in whole_ledger(root)[begun:] if (place := place_of(one.path))]
    made = {place.rpartition("-")[0]: run.sums for run in after for place in [run.place]}
    return Counter(_same(run.sums, now=made.get(place.rpartition("-")[0], {})) for place, run in before.items())


def _same(sums: Mapping[str, str], *, now: Mapping[str, str]) -> str:
    own, other = ({name: each for name, each in one.items() if name not in (LOG, *RUN_FILES)} for one in (sums, now))
    return IDENTICAL if own == other else "DIFFERENT"


def main() -> int:
    """Print the table; return 1 if a variation misses its bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--outputs", type=Path)
    asked, missed = parser.parse_args(), False
    with tempfile.TemporaryDirectory(prefix="pmo-proof-") as made:
        outputs = asked.outputs or Path(made)
        if asked.outputs is None or not (outputs / "demo").is_dir():
            demo(outputs)
        runs = runs_of(outputs, most=asked.runs)
        heads = ("identical", "figures", "different", "cannot", "seconds")
        say(f"{f'{len(runs)} runs':<30}", *(f"{head:>9}" for head in heads))
        for variation in variations():
            if not any(text in variation.name for text in asked.only):
                continue
            begun = time.perf_counter()
            with tempfile.TemporaryDirectory(prefix="pmo-proof-", dir=outputs.parent) as folder:
                way = batched if variation.workers else made_again
                counts = way(variation, outputs=outputs, runs=runs, scratch=Path(folder))
            told = [counts[word] for word in (IDENTICAL, FIGURES, "DIFFERENT", "CANNOT")]
            say(f"{variation.name:<30}", *(f"{one:>9.0f}" for one in (*told, time.perf_counter() - begun)))
            missed |= told[0] + (0 if variation.bytes else told[1]) < len(runs)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
