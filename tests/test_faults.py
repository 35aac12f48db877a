"""Every fault at every step of a batch: what is published is whole, others go on, and the run can be finished."""

from __future__ import annotations

import contextlib
import html
import itertools
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker
from pathlib import Path

import pytest
import small_house
from faults import (
    BESIDE,
    CLOCK,
    COLUMNS,
    DEEDS,
    DISK_FULL,
    DRIVER_ENDED,
    DRIVER_KILLED,
    EXECUTE,
    EXIT_PROCESS,
    EXIT_PYTHON,
    IO_ERROR,
    LOOP,
    LOOP_IN_C,
    MARK,
    MEMORY,
    MUCH,
    OTHER_RUN,
    PERIOD,
    PLAN,
    PUBLISH,
    READ_ONLY,
    RENDER,
    REPLACED,
    ROLL_UP,
    TWICE,
    TWO,
    WORKER_KILLED,
    Fault,
    armed,
    build,
    driven,
    ingest,
    marked,
    run,
)  # fmt: skip
from test_runner import PORTFOLIOS, tree

from pmo_lib.batch.folder import latest
from pmo_lib.runner import Done
from pmo_lib.store import digest_of_file

NO_WORKER = "no report is made while the run is planned"
NO_CELL = "no cell runs while the run is planned, or while the driver moves finished files"
SILENT = "planning and publishing print nothing that a report could swell"
IMPOSSIBLE = {
    (WORKER_KILLED, PLAN): NO_WORKER,
    **{(row, column): NO_CELL for row in (EXIT_PROCESS, EXIT_PYTHON, LOOP, LOOP_IN_C) for column in (PLAN, PUBLISH)},
    **{(MUCH, column): SILENT for column in (PLAN, PUBLISH)},
}
CUT, GONE, FINE = "cut off", "", "published"  # else: the stage at which the one report fails
# Row: how it ends in each column that is possible, as (exit code, what becomes of the report that is struck).
ENDS = {
    DRIVER_KILLED: dict.fromkeys(COLUMNS, (-9, CUT)),
    DRIVER_ENDED: dict.fromkeys(COLUMNS, (130, CUT)),
    WORKER_KILLED: dict.fromkeys(COLUMNS[1:], (0, FINE)),
    EXIT_PROCESS: dict.fromkeys((EXECUTE, RENDER, ROLL_UP), (1, "process")),
    # A thread that a cell left behind ends itself alone by sys.exit, and by a loop in Python stops nobody but itself.
    EXIT_PYTHON: {EXECUTE: (1, "notebook"), RENDER: (0, FINE), ROLL_UP: (1, "notebook")},
    LOOP: {EXECUTE: (1, "time limit"), RENDER: (0, FINE), ROLL_UP: (1, "time limit")},
    LOOP_IN_C: dict.fromkeys((EXECUTE, RENDER, ROLL_UP), (1, "time limit")),
    MEMORY: {PLAN: (1, CUT), EXECUTE: (1, "notebook"), RENDER: (1, "process"), PUBLISH: (1, CUT),
             ROLL_UP: (1, "notebook")},
    # A disk that stays full or read-only: the report fails after its attempts. What only the driver writes is awaited.
    DISK_FULL: {PLAN: (1, CUT), EXECUTE: (1, "process"), RENDER: (1, "process"), PUBLISH: (1, "publish"),
                ROLL_UP: (1, CUT)},
    READ_ONLY: {PLAN: (1, CUT), EXECUTE: (1, "process"), RENDER: (1, "process"), PUBLISH: (1, "publish"),
                ROLL_UP: (1, CUT)},
    # Once: what belongs to a report is done again.
    IO_ERROR: {PLAN: (1, CUT), EXECUTE: (0, FINE), RENDER: (0, FINE), PUBLISH: (0, FINE), ROLL_UP: (1, CUT)},
    MUCH: {EXECUTE: (1, "gate"), RENDER: (0, FINE), ROLL_UP: (1, "gate")},
    TWICE: dict.fromkeys(COLUMNS, (0, FINE)),
    TWO: dict.fromkeys(COLUMNS, (0, FINE)),
    REPLACED: dict.fromkeys(COLUMNS, (0, FINE)),
    CLOCK: dict.fromkeys(COLUMNS, (0, FINE)),
}  # fmt: skip
ATTEMPTS = {(WORKER_KILLED, EXECUTE): 2, (WORKER_KILLED, RENDER): 2, (IO_ERROR, EXECUTE): 2, (IO_ERROR, RENDER): 2,
            (DISK_FULL, EXECUTE): 3, (DISK_FULL, RENDER): 3, (READ_ONLY, EXECUTE): 3, (READ_ONLY, RENDER): 3,
            (EXIT_PROCESS, EXECUTE): 1, (LOOP, EXECUTE): 1, (MEMORY, RENDER): 1}  # fmt: skip
QUICK = {(WORKER_KILLED, EXECUTE), (EXIT_PROCESS, EXECUTE), (DISK_FULL, PUBLISH), (IO_ERROR, PLAN), (REPLACED, EXECUTE),
         (DRIVER_ENDED, PUBLISH)}  # fmt: skip
CELLS = [(row, column) for row, ends in ENDS.items() for column in ends]
SHORT_SECONDS = 6.0  # limit of a report in the rows with loops
EARLIER = "amber"  # what every rating was when the period was run before
AT_LAST = "red"


@pytest.fixture(scope="module")
def mark() -> Iterator[str]:
    """A mark in the environment of this module's fork server, and of all that comes of it."""
    forkserver._forkserver._stop()  # of the modules before this one
    os.environ[MARK] = mark = uuid.uuid4().hex
    yield mark
    forkserver._forkserver._stop()
    del os.environ[MARK]


@pytest.fixture(scope="module")
def before(mark: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house whose period was run, all but one portfolio, and then corrected: every report is to be run."""
    root = build(tmp_path_factory.mktemp("before"))
    assert run(root, portfolios=("HWY", "ICT"))[0] == 0
    ingest(root, rating=AT_LAST)
    return root


@pytest.fixture(scope="module")
def after(before: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The published tree of a run that nothing disturbed."""
    root = shutil.copytree(before, tmp_path_factory.mktemp("after") / "house")
    ended, done = run(root)
    assert (ended, {one.status for one in done}) == (0, {FINE})
    changed = {name for name, digest in tree(root).items() if tree(before).get(name) != digest}
    assert {f"demo/{PERIOD}/{portfolio}/ratings.html" for portfolio in PORTFOLIOS} <= changed
    return tree(root)


def test_the_matrix_has_every_cell() -> None:
    """Each fault meets each step of a batch, or it is written down why it cannot."""
    assert set(ENDS) == set(DEEDS)
    assert {(row, column) for row in DEEDS for column in COLUMNS} == {*CELLS, *IMPOSSIBLE}
    assert not {*CELLS} & {*IMPOSSIBLE}
    assert (len(CELLS), len(IMPOSSIBLE)) == (69, 11)


def cells(*, of: set[str]) -> pytest.MarkDecorator:
    """Return the cells of some rows as parameters; all but a few are slow."""
    chosen = [cell for cell in CELLS if cell[0] in of]
    each = [
        pytest.param(*cell, id=" × ".join(cell), marks=() if cell in QUICK else pytest.mark.slow) for cell in chosen
    ]
    return pytest.mark.parametrize(("row", "column"), each)


class TestDriver:
    """The driver is ended: it runs in a process of its own, and what is left is finished from here."""

    @cells(of={DRIVER_KILLED, DRIVER_ENDED})
    def test_fault(self, before: Path, after: dict[str, str], tmp_path: Path, *, row: str, column: str) -> None:
        """What an ended driver leaves is whole, nobody runs on, and its batch is finished to the undisturbed result."""
        root = shutil.copytree(before, tmp_path / "house")
        fault, mark = Fault(row, column, root), uuid.uuid4().hex
        ended = driven(fault, mark=mark)
        assert fault.note.exists()
        assert ended == ENDS[row][column][0]
        assert_nobody(mark)
        assert_whole(root, before=before, after=after)
        assert_finished(root, after=after, column=column, cut=True)


class TestReports:
    """The driver lives, and drives from here: its fork server is warm."""

    @cells(of=set(DEEDS) - {DRIVER_KILLED, DRIVER_ENDED})
    def test_fault(
        self, before: Path, after: dict[str, str], mark: str, tmp_path: Path, *, row: str, column: str
    ) -> None:
        """A fault fails one report at most, or the batch is finished later; what is published is whole at all times."""
        root = shutil.copytree(before, tmp_path / "house")
        fault = Fault(row, column, root)
        code, fate = ENDS[row][column]
        with armed(fault):
            ended, done = run(root, seconds=SHORT_SECONDS if row in (LOOP, LOOP_IN_C) else 60.0)
        assert fault.note.exists()
        assert ended == code, done
        assert_nobody(mark, but=ours())
        assert_what_came_of_it(fault)
        assert_whole(root, before=before, after=after)
        if fate != CUT:
            assert_told(fault, done=done, fate=fate)
            assert_published(root, after=after, but=fault.target if fate != FINE else None)
        if row == TWO:
            drop_other(root, column=column)
        if row == REPLACED:
            shutil.copytree(before / "parameters", root / "parameters", dirs_exist_ok=True)
            shutil.copytree(before / "notebooks", root / "notebooks", dirs_exist_ok=True)
        assert_finished(root, after=after, column=column, cut=fate == CUT)


def ours() -> set[int]:
    """Return the fork server of this process, and what watches over its semaphores: they stay."""
    return {os.getpid(), forkserver._forkserver._forkserver_pid, resource_tracker._resource_tracker._pid}


def assert_nobody(mark: str, *, but: set[int] = frozenset()) -> None:
    """Five seconds after the end no process of the run is alive."""
    until = time.monotonic() + 5
    while (left := marked(mark) - but) and time.monotonic() < until:
        time.sleep(0.05)
    told = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left if Path(f"/proc/{pid}").exists()]
    assert not left, told


def assert_what_came_of_it(fault: Fault) -> None:
    """A second run of the same is locked out; another one ends well; a clock that went back shows in the log."""
    if fault.row in (TWICE, TWO):
        assert fault.note.read_text() == {TWICE: "5", TWO: "0"}[fault.row]
    if fault.row == CLOCK:
        assert float(fault.note.read_text()) < time.time() - 300 * 86_400
        (log,) = fault.root.glob(f"outputs/demo/archive/batches/{PERIOD}/0002/log.jsonl")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
        went_back = any(later["at"] < earlier["at"] for earlier, later in itertools.pairwise(lines))
        assert went_back == (fault.column == PUBLISH or (fault.column == ROLL_UP and fault.in_driver))


def assert_whole(root: Path, *, before: Path, after: dict[str, str]) -> None:
    """Each file at a published place is whole: of a portfolio, byte for byte the earlier or the undisturbed one."""
    earlier, now = tree(before), tree(root)
    for name, digest in now.items():
        path = root / "outputs" / name
        if name.startswith("other/") or f"/{PERIOD}/" not in name or "/_failed/" in name:
            continue
        if any(f"/{portfolio}/" in name for portfolio in PORTFOLIOS):
            assert digest in (earlier.get(name), after[name]), name
        elif name.endswith(".html"):
            assert path.read_text().endswith("</html>\n"), name
        elif name.endswith(".json"):
            json.loads(path.read_text())
    assert set(earlier) <= set(now)
    for name in now:
        assert not name.endswith((".part", ".part~")), name


def assert_told(fault: Fault, *, done: list[Done], fate: str) -> None:
    """The report that was struck, and only that, failed where it should have; state, summary and index say so."""
    ended = {(one.portfolio, one.report): one for one in done}
    target = (fault.target, "ratings" if fault.target else "whole")
    assert [key for key, one in ended.items() if one.status != FINE] == ([] if fate == FINE else [target])
    if (fault.row, fault.column) in ATTEMPTS:
        assert ended[target].attempts == ATTEMPTS[fault.row, fault.column]
    if fate == FINE:
        return
    assert (ended[target].stage, bool(ended[target].cause)) == (fate, True)
    folder = fault.root / "outputs" / "demo" / PERIOD
    state = json.loads((folder / "state.json").read_text())
    failed = [(row["portfolio_id"], row["report"], row["stage"]) for row in state["reports"] if row["stage"]]
    assert failed == [(*target, fate)]
    assert "1 failed" in (fault.root / "outputs" / "index.html").read_text()
    assert folder.joinpath("_failed", *filter(None, target[:1]), f"{target[1]}.ipynb").is_file()


def assert_published(root: Path, *, after: dict[str, str], but: str | None) -> None:
    """Every portfolio but one has the undisturbed page, with results and record that match."""
    now = tree(root)
    for portfolio in PORTFOLIOS:
        if portfolio == but:
            continue
        for place in (f"{PERIOD}/{portfolio}/ratings.html", f"{PERIOD}/{portfolio}/ratings.json"):
            assert now[f"demo/{place}"] == after[f"demo/{place}"]
        assert_matches(root, place=f"{PERIOD}/{portfolio}/ratings")


def assert_matches(root: Path, *, place: str) -> None:
    """A page and its results are those that their record speaks of, and the page is complete."""
    folder = root / "outputs" / "demo"
    record = json.loads((folder / "made_of" / f"{place}.json").read_text())
    page, results = folder / f"{place}.html", folder / f"{place}.json"
    assert page.read_text().rstrip().endswith("</html>")
    assert digest_of_file(page) == record["page_sha256"] == json.loads(results.read_text())["page_sha256"]
    assert digest_of_file(results) == record["results_sha256"]


def assert_finished(root: Path, *, after: dict[str, str], column: str, cut: bool) -> None:
    """What a person does next, and no more, leads to the undisturbed result: --resume, or the run once more."""
    batch = latest(root / "outputs" / "demo" / "archive" / "batches" / PERIOD)
    assert batch is not None
    begun = not (cut and column == PLAN)
    assert (batch.summary is None) == (cut and begun)
    ended, done = run(root, resumed=True)
    if not begun:  # and the run before it, which ended well, is not taken for it
        assert (ended, done) == (2, [])
    if ended != 0:
        ended, _ = run(root)
    assert ended == 0
    assert tree(root) == after
    for place in (*(f"{PERIOD}/{portfolio}/ratings" for portfolio in PORTFOLIOS), f"{PERIOD}/whole"):
        assert_matches(root, place=place)
    leftovers = [path.name for path in batch.folder.parent.glob("*/*") if path.name in ("staged", "inputs")]
    assert not leftovers


def drop_other(root: Path, *, column: str) -> None:
    """Check that the other run published its page, and take that away, with the index's words of it."""
    from pmo_lib.site import write_index

    organisation, period = OTHER_RUN[column]
    folder = root / "outputs" / organisation
    assert (folder / period / BESIDE / "ratings.html").read_text().endswith("</html>\n")
    assert f"{organisation}/{period}/{BESIDE}/ratings.html" in (root / "outputs" / "index.html").read_text()
    for path in (folder / period, folder / "made_of" / period):
        shutil.rmtree(path)
    with contextlib.suppress(OSError):
        (folder / "made_of").rmdir()
    write_index(root / "outputs")


WAYS = {
    "P03": ("raise ValueError('no such figure')", "notebook", "ValueError: no such figure"),
    "P07": ("import os; os._exit(0)", "process", "exit code 0"),
    "P11": ("import sys; sys.exit(0)", "notebook", "exit"),
    "P15": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "process", "SIGKILL"),
    "P19": ("bytearray(64 << 30)", "notebook", "MemoryError"),
    "P23": ("while True: pass", "time limit", "was not done after"),
    "P27": ("import sys; sys.stderr.write('hm')", "gate", "stderr"),
    "P31": ("book.show = lambda *_, **__: None", "notebook", "not shown"),
    "P35": ("book.publish = lambda *_, **__: None", "gate", "published nothing"),
    "P39": ("", "publish", "could not be published"),  # a folder stands where its page belongs
}  # fmt: skip


@pytest.mark.slow
def test_of_fifty_portfolios_ten_fail_in_ten_ways(mark: str, tmp_path: Path) -> None:
    """Forty of fifty are published; the ten that fail, each in its way, are named with stage and cause everywhere."""
    names = [f"P{number:02d}" for number in range(1, 51)]
    sabotage = f"exec({ {name: line for name, (line, _, _) in WAYS.items()}!r}.get(portfolio, ''))"
    root = small_house.build(tmp_path, sabotage=sabotage, portfolios={name: [f"{name}-1"] for name in names})
    folder = root / "outputs" / "demo" / PERIOD
    (folder / "P39" / "ratings.html" / "in the way").mkdir(parents=True)
    ended, done = run(root, seconds=SHORT_SECONDS)
    assert ended == 1
    good = [name for name in names if name not in WAYS]
    assert sorted(one.portfolio for one in done if one.status == FINE) == ["", *good]
    for name in good:
        assert_matches(root, place=f"{PERIOD}/{name}/ratings")
    assert sorted(path.parent.name for path in folder.glob("P*/ratings.html") if path.is_file()) == good
    state = json.loads((folder / "state.json").read_text())["reports"]
    (batch,) = (root / "outputs" / "demo" / "archive" / "batches" / PERIOD).glob("0*")
    summary = json.loads((batch / "summary.json").read_text())
    assert (summary["published"], summary["failed"]) == (41, 10)
    log = [json.loads(line) for line in (batch / "log.jsonl").read_text().splitlines()]
    index = html.unescape((folder / "index.html").read_text())
    whole = json.loads((folder / "whole.json").read_text())
    assert small_house.figures_of(whole).to_dict() == {"projects": 40, "published": 40, "failed": 10}
    for name, (_, stage, words) in WAYS.items():
        (told,) = (row for row in summary["reports"] if row["portfolio"] == name)
        assert (told["status"], told["stage"]) == ("failed", stage), told
        assert words in told["cause"]
        assert told["attempts"] == (3 if name == "P15" else 1)
        (owed,) = (row for row in state if row["portfolio_id"] == name)
        assert (owed["status"], owed["stage"], owed["cause"]) == ("failed", stage, told["cause"])
        (line,) = (line for line in log if line.get("portfolio") == name)
        assert (line["event"], line["stage"], line["cause"]) == ("report ended", stage, told["cause"])
        assert name in index
        assert told["cause"] in index
    assert_nobody(mark, but=ours())
