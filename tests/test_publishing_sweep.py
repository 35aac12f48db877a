"""The publishing step, killed once and failed once at every system call that it makes on its files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import sweeping

from pmo_lib.archive import read_run, verify
from pmo_lib.archive.ledger import whole_ledger
from pmo_lib.archive.runs import place_of

pytestmark = pytest.mark.strace
CALLS = (
    "chmod,fchmod,flock,fsync,fdatasync,ftruncate,link,linkat,mkdir,mkdirat,openat,pwrite64,rename,renameat,renameat2,"
    "rmdir,unlink,unlinkat,write"
)
WRITING = ("link", "mkdir", "openat", "write", "fsync", "rename")  # each of these must be among the points
LINE = re.compile(r"^(?:\d+\s+)?(\w+)\((.*)")
QUICK_EVERY = 29  # of the points, for the tests that are run each time
SLOW_EVERY = 1 if os.environ.get("PMO_PROOF") == "full" else 4


@dataclass(frozen=True)
class Point:
    """The n-th call of one kind in the whole process, the start of the interpreter included."""

    call: str
    number: int

    @property
    def error(self) -> str:
        """The error that it is failed with: what a disk says when it is full or broken."""
        return "EIO" if self.call in ("fsync", "rename", "renameat", "renameat2", "flock") else "ENOSPC"


@pytest.fixture(scope="module")
def traced(strace: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Point]]:
    """A house in which version one is published, and the points of publishing version two."""
    root = tmp_path_factory.mktemp("sweep")
    before = root / "before"
    before.mkdir()
    (before / "organisation.yml").write_text("id: demo\n")
    (before / "a.ipynb").write_text("{}\n" * 500)
    sweeping.publishing(before, version="one")
    house = shutil.copytree(before, root / "house")
    log = root / "calls"
    assert step(strace, house=house, options=["-y", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(log)]) == 0
    assert published(house) == sweeping.files("two")
    return before, points(log, house=house)


def points(log: Path, *, house: Path) -> list[Point]:
    """Return the calls on files of the house; all calls are counted, as strace counts them."""
    seen: Counter[str] = Counter()
    found = []
    for line in log.read_text().splitlines():
        if (match := LINE.match(line)) is not None:
            seen[match[1]] += 1
            if str(house) in match[2]:
                found.append(Point(match[1], seen[match[1]]))
    return found


def step(strace: Path, *, house: Path, options: list[str], how: str = "publishing") -> int:
    """Publish version two in a process under strace; return its exit code."""
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": str(here.parent), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    command = [sys.executable, str(here / "sweeping.py"), str(house), how]
    done = subprocess.run(
        [str(strace), "-f", "-qq", *options, *command], env=environment, capture_output=True, timeout=60, check=False
    )
    return done.returncode


def published(house: Path) -> dict[str, bytes]:
    """Return what stands at published places."""
    paths = [path for folder in ("2026-09", "made_of") for path in (house / folder).rglob("*") if path.is_file()]
    return {path.relative_to(house).as_posix(): path.read_bytes() for path in paths}


def kept(house: Path) -> bytes:
    """Return the page of the run that was entered last."""
    entry = [entry for entry in whole_ledger(house / "archive") if place_of(entry.path)][-1]
    return read_run(house / "archive", place=place_of(entry.path)).read("ratings.html")


def torn(house: Path) -> list[str]:
    """Return the published files that are neither of version one nor of version two to their ends."""
    old, new = sweeping.files("one"), sweeping.files("two")
    left = published(house)
    return [place for place in sorted(left) if left[place] not in (old.get(place), new.get(place))]


def swept(strace: Path, *, before: Path, point: Point, inject: str, folder: Path) -> str:
    """Meet one point, look at what is left, do it again; return what is wrong, or nothing."""
    house = shutil.copytree(before, folder / f"{point.call}-{point.number}-{inject.partition('=')[0]}")
    rule = f"inject={point.call}:{inject}:when={point.number}"
    log = folder / "calls"
    options = ["-y", "-s", "4096", "-e", f"trace={point.call}", "-e", rule, "-o", str(log)]
    code = step(strace, house=house, options=options)
    found = torn(house)
    missing = sorted(set(sweeping.PLACES) - set(published(house)))
    sweeping.publishing(house, version="two")
    again = published(house)
    batches = house / "archive" / "batches"
    litter = [path.name for path in batches.glob("*/*") if path.name in ("staged", "inputs")]
    litter += [path.name for path in batches.glob("*.part~")]
    altered = [f"{one.file}: {one.what}" for one in verify(house / "archive").faults]
    lost = [] if kept(house) == again["2026-09/HWY/ratings.html"] else ["the last run is not what is published"]
    shutil.rmtree(house)
    wrong = {
        "no call of ours was met": [] if met(log, house=house) else [rule],
        "torn": found,
        "missing": missing,
        "not the undisturbed result": again != sweeping.files("two"),
        "left behind": litter,
        "the archive is not whole": altered + lost,
    }
    told = {what: which for what, which in wrong.items() if which}
    return f"{point.call} {point.number} {inject} (exit {code}): {told}" if told else ""


def met(log: Path, *, house: Path) -> bool:
    """Say whether it was a call on a file of the house that was failed, or killed in."""
    lines = log.read_text().splitlines()
    calls = [line for line in lines if LINE.match(line)]
    struck = [line for line in calls if "(INJECTED)" in line] or (calls[-1:] if "killed by" in lines[-1] else [])
    return len(struck) == 1 and str(house) in struck[0]


def test_the_points_are_those_of_the_publishing_step(traced: tuple[Path, list[Point]]) -> None:
    """Every way in which the step changes its files is among the points: it makes folders, opens, writes, renames."""
    _, found = traced
    counts = Counter(point.call for point in found)
    print(len(found), "points:", dict(counts))  # noqa: T201 - shown where a test fails, and with -s
    assert set(WRITING) <= set(counts)
    assert counts["rename"] >= 3 + len(sweeping.PLACES)
    assert len(found) > 80


def test_the_sweep_finds_fault_with_files_that_are_written_in_place(
    strace: Path, traced: tuple[Path, list[Point]], tmp_path: Path
) -> None:
    """Written in their places, files are torn where the writer is killed: that is what the sweep would say."""
    house = shutil.copytree(traced[0], tmp_path / "house")
    log = tmp_path / "calls"
    options = ["-y", "-s", "4096", "-e", "trace=write", "-o", str(log)]
    assert step(strace, house=house, options=options, how="writing") == 0
    (point, *_) = points(log, house=house)
    rule = ["-e", "trace=write", "-e", f"inject=write:signal=KILL:when={point.number}", "-o", "/dev/null"]
    step(strace, house=shutil.copytree(traced[0], tmp_path / "killed"), options=rule, how="writing")
    assert torn(tmp_path / "killed") == [sweeping.PLACES[0]]
    assert torn(traced[0]) == torn(house) == []


@pytest.mark.parametrize(
    "every", [pytest.param(QUICK_EVERY, id="some"), pytest.param(SLOW_EVERY, id="more", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("inject", ["signal=KILL", "error"])
def test_publishing_survives_every_point(
    strace: Path, traced: tuple[Path, list[Point]], tmp_path: Path, *, inject: str, every: int
) -> None:
    """Killed or failed at any of its calls, publishing leaves each file old or new and whole, and can be done again."""
    before, found = traced
    chosen = found[::every]
    wrong = [
        swept(strace, before=before, point=point, folder=tmp_path,
              inject=inject if inject != "error" else f"error={point.error}")
        for point in chosen
    ]  # fmt: skip
    print(len(chosen), "points met with", inject)  # noqa: T201
    assert not list(filter(None, wrong))
