"""The batch on disk: its lock, its log, its plan and frozen inputs, and the way from staging to the reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pmo_lib.batch.folder import Batch, drafted, latest, unbegun
from pmo_lib.batch.journal import Journal
from pmo_lib.batch.lock import locked
from pmo_lib.batch.staging import PART, publish, stage, staged
from pmo_lib.errors import Locked, ParameterError, StoreError

HOLD = """
import sys, time
from pathlib import Path
from pmo_lib.batch.lock import locked
with locked(Path(sys.argv[1]), what="demo 2026-09"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_keeps_another_process_out_and_names_its_holder(tmp_path: Path) -> None:
    """Who comes second is told who is at work; when the holder is killed the lock is free, with nothing to clear up."""
    lock = tmp_path / "lock"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, env=environment, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Locked, match=rf"demo 2026-09: another run is at work \(process {holder.pid} on ") as refused:
        locked(lock, what="demo 2026-09").__enter__()
    assert refused.value.exit_code == 5
    holder.kill()
    holder.wait()
    with locked(lock, what="demo 2026-09"):
        assert lock.read_text().startswith(f"process {os.getpid()} on ")


def test_a_lock_is_let_go_at_the_end(tmp_path: Path) -> None:
    """A lock holds as long as its block, whatever ends it."""
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock", what="x"):
            raise ZeroDivisionError


def test_every_line_of_the_log_is_one_json_object(tmp_path: Path) -> None:
    """A log is JSON lines, counted; hostile text stays inside its line."""
    journal = Journal(tmp_path / "log.jsonl")
    journal.tell("report ended", cause='a "b"\n{"event": "forged"}')
    journal.tell("batch ended", failed=1)
    lines = [json.loads(line) for line in journal.path.read_text().splitlines()]
    assert [(line["n"], line["event"]) for line in lines] == [(1, "report ended"), (2, "batch ended")]
    assert all(line["at"].endswith("+00:00") for line in lines)
    assert journal.lost == 0


def test_a_log_that_cannot_be_written_stops_nothing_and_is_counted(tmp_path: Path) -> None:
    """Lines that cannot be written are lost and counted: the reports matter more."""
    journal = Journal(tmp_path / "no folder" / "log.jsonl")
    journal.tell("batch began")
    assert (journal.written, journal.lost) == (1, 1)


def begin(batches: Path, *, plan: dict[str, Any], inputs: dict[str, Path]) -> Batch:
    """Begin a batch."""
    return drafted(batches, inputs=inputs).begin(plan)


def test_a_draft_without_a_plan_is_no_batch(tmp_path: Path) -> None:
    """What is wrong with the inputs is found before there is a batch; the draft is known for what it is, and goes."""
    source = tmp_path / "a.yml"
    source.write_text("a")
    first = drafted(tmp_path / "batches", inputs={"a.yml": source})
    assert (first.inputs / "a.yml").read_text() == "a"
    assert latest(tmp_path / "batches") is None
    assert unbegun(tmp_path / "batches")
    begin(tmp_path / "batches", plan={}, inputs={})
    assert not unbegun(tmp_path / "batches")


def test_a_batch_begins_with_its_plan_and_frozen_inputs(tmp_path: Path) -> None:
    """What changes in the inputs after a batch began is not seen by it, and what changes in its copies is noticed."""
    source = tmp_path / "organisation.yml"
    source.write_text("id: demo\n")
    batches = tmp_path / "batches"
    batch = begin(batches, plan={"period": "2026-09"}, inputs={"parameters/demo/organisation.yml": source})
    source.write_text("id: other\n")
    frozen = batch.inputs / "parameters/demo/organisation.yml"
    assert frozen.read_text() == "id: demo\n"
    assert batch.plan["period"] == "2026-09"
    batch.check()
    frozen.write_text("id: another\n")
    with pytest.raises(ParameterError, match=r"organisation\.yml is not as it was when the batch began"):
        batch.check()


def test_batches_are_numbered_and_the_last_one_counts(tmp_path: Path) -> None:
    """Each batch has the next number; what one that was cut off left is removed when the next begins."""
    assert latest(tmp_path) is None
    source = tmp_path / "a.yml"
    source.touch()
    first = begin(tmp_path, plan={}, inputs={"a.yml": source})
    (tmp_path / f"0002{PART}").mkdir()
    for number in range(2, 12):
        begin(tmp_path, plan={}, inputs={"a.yml": source})
        assert (tmp_path / f"{number:04d}").is_dir()
    found = latest(tmp_path)
    assert found is not None
    assert found.number == "0011"
    assert sorted(path.name for path in first.folder.iterdir()) == ["plan.json"]
    assert not list(tmp_path.glob(f"*{PART}"))


def test_a_plan_that_is_no_longer_one_is_refused(tmp_path: Path) -> None:
    """A plan that somebody tore is named, with what to do."""
    batch = begin(tmp_path, plan={}, inputs={})
    (batch.folder / "plan.json").write_text("{")
    with pytest.raises(StoreError, match=r"batch 0001: plan\.json is no longer what was written.*without --resume"):
        batch.check()


def test_a_batch_that_ended_says_so(tmp_path: Path) -> None:
    """Only a batch that ended has a summary; staging and inputs go with its end."""
    batch = begin(tmp_path, plan={}, inputs={})
    assert batch.summary is None
    batch.end({"failed": 0})
    assert batch.summary == {"failed": 0}
    assert sorted(path.name for path in batch.folder.iterdir()) == ["plan.json", "summary.json"]


FILES = {
    "2026-09/HWY/health.json": b"{}",
    "made_of/2026-09/HWY/health.json": b"record",
    "2026-09/HWY/health.html": b"<html>",
}


def test_a_report_is_staged_whole_and_then_published_page_first_record_last(tmp_path: Path) -> None:
    """The record, which vouches for page and results, takes its place after both."""
    folder = tmp_path / "staged" / "HWY" / "health"
    stage(FILES, folder=folder)
    assert staged(tmp_path / "staged") == [folder]
    places = publish(folder, root=tmp_path / "out")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in places] == [
        "2026-09/HWY/health.html", "2026-09/HWY/health.json", "made_of/2026-09/HWY/health.json",
    ]  # fmt: skip
    assert {path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in places} == FILES
    assert staged(tmp_path / "staged") == []


def test_publishing_can_be_done_again_from_wherever_it_was_cut_off(tmp_path: Path) -> None:
    """What was moved stays, what was not is moved: the same files in the end, however often it is done."""
    folder = tmp_path / "staged" / "HWY" / "health"
    stage(FILES, folder=folder)
    page = tmp_path / "out" / "2026-09/HWY/health.html"
    page.parent.mkdir(parents=True)
    (folder / "2026-09~HWY~health.html").replace(page)  # and then it was cut off
    for _ in range(2):
        publish(folder, root=tmp_path / "out")
        found = {p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in (tmp_path / "out").rglob("*.*")}
        assert found == FILES


def test_what_was_not_staged_to_its_end_is_no_report(tmp_path: Path) -> None:
    """Files that were written before the one rename are not a report, and do not hinder the next attempt."""
    part = tmp_path / "staged" / "HWY" / f"health{PART}"
    part.mkdir(parents=True)
    (part / "torn").write_bytes(b"x")
    assert staged(tmp_path / "staged") == []
    stage(FILES, folder=part.with_name("health"))
    assert sorted(p.name for p in (tmp_path / "staged" / "HWY").iterdir()) == ["health"]
    assert not list((tmp_path / "staged").rglob("torn"))


def test_nothing_is_published_outside_its_root(tmp_path: Path) -> None:
    """A place that leads out of the root is refused before anything is moved."""
    folder = tmp_path / "staged" / "HWY" / "health"
    stage({"a.html": b"page", "../../evil": b"x"}, folder=folder)
    with pytest.raises(StoreError, match="leads outside"):
        publish(folder, root=tmp_path / "out" / "root")
    assert not (tmp_path / "out").exists()


def test_a_lock_that_is_waited_for_comes(tmp_path: Path) -> None:
    """Who waits gets the lock when its holder lets go, and says nothing about itself in the file."""
    lock = tmp_path / "lock"
    script = HOLD.replace("60", "0.5")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(lock)], stdout=subprocess.PIPE, env=environment, text=True
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    before = time.monotonic()
    written = lock.read_text()
    with locked(lock, what="x", wait=True):
        assert time.monotonic() - before > 0.1
        assert lock.read_text() == written
    holder.wait()
