"""As it was known on a day: what was published by then, byte for byte, and what was known then, and nothing later."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from kept_runs import run_files, run_kept, snapshot_kept
from small_house import build
from test_keeping import archive, runs
from test_runner import PORTFOLIOS, run_all, tree
from test_unchanged import corrected

from pmo_lib.archive import Ledger, enter
from pmo_lib.archive.ledger import whole_ledger
from pmo_lib.archive.restore import entry_at, restore
from pmo_lib.audit import run_as_of
from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.runner import Request
from pmo_lib.snapshots import Archive, Snapshot, open_snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST_DAY = datetime(2026, 10, 1, 12, tzinfo=UTC)
PERIODS, REPORTS = ("2026-08", "2026-09"), ("health_check", "risk_register")
STEPS = st.one_of(
    st.tuples(st.just("correct"), st.sampled_from(PERIODS)),
    st.tuples(st.just("publish"), st.sampled_from(PERIODS), st.sampled_from(("HWY", "ICT")), st.sampled_from(REPORTS)),
)
DAYS = st.lists(st.tuples(st.integers(0, 3), STEPS), min_size=1, max_size=12)


@dataclass
class Known:
    """What a reader would have seen at the end of a day, written down while it happened."""

    snapshots: dict[str, str] = field(default_factory=dict)
    pages: dict[str, bytes] = field(default_factory=dict)


def lived_through(root: Path, *, days: Sequence[tuple[int, tuple[str, ...]]]) -> dict[str, Known]:
    """Correct and publish day by day; return what was known at the end of each day."""
    known, told, now = Known(), {}, FIRST_DAY
    newest: dict[str, Snapshot] = {}
    for number, (pause, (what, period, *of)) in enumerate(days):
        now += timedelta(days=pause)
        at = now.isoformat()
        if what == "correct" or period not in newest:
            newest[period] = snapshot_kept(root, period, cost=f"{number + 1}.10", reason=f"step {number}", at=at)
            known.snapshots[period] = newest[period].id
        if what == "publish":
            portfolio, report = of
            files = run_files(report, says=f"{period} {portfolio} {report}, step {number}")
            run_kept(root, newest[period], portfolio=portfolio, report=report, files=files, attempt=number + 1, at=at)
            pages = {f"{period}/{portfolio}/{name}": files[name] for name in (f"{report}.html", f"{report}.json")}
            known.pages |= pages
        told[now.date().isoformat()] = Known(dict(known.snapshots), dict(known.pages))
    return told


def check_every_day(days: Sequence[tuple[int, tuple[str, ...]]]) -> None:
    """Live through a sequence of corrections and publications, and ask for every past day afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "demo" / "archive"
        told = lived_through(root, days=days)
        entries = whole_ledger(root)
        for day, known in told.items():
            restored = restore(root, organisation="demo", upto=entry_at(entries, date=day), into=Path(folder) / day)
            own = restored.folder
            pages = {path.relative_to(own).as_posix(): path.read_bytes() for path in own.glob("*/*/*ht*")}
            pages |= {path.relative_to(own).as_posix(): path.read_bytes() for path in own.glob("2*/*/*.json")}
            assert {name: page for name, page in pages.items() if not name.startswith("archive/")} == known.pages
            then = Archive(restored.archive)
            assert {period: open_snapshot(then, period=period).id for period in then.periods()} == known.snapshots
            assert restored.faults == []


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(DAYS)
def test_any_past_day_gives_what_was_published_then(days: list[tuple[int, tuple[str, ...]]]) -> None:
    """After any sequence of corrections and publications, each past day gives the bytes of that day."""
    check_every_day(days)


@pytest.mark.slow
@settings(
    max_examples=int(os.environ.get("PMO_SEQUENCES", "40")), deadline=None, suppress_health_check=list(HealthCheck)
)
@given(DAYS)
def test_many_sequences_of_corrections(days: list[tuple[int, tuple[str, ...]]]) -> None:
    """The same, many times."""
    check_every_day(days)


# --- with real reports ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class House:
    """A house that was run, corrected, and run again; ``before`` is a moment after the first run alone."""

    root: Path
    before: str


@pytest.fixture(scope="module")
def restated(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house whose one correction was made after its reports were published."""
    root = build(tmp_path_factory.mktemp("as_of") / "house")
    run_all(root)
    shutil.copytree(root / "outputs", root / "first")
    before = whole_ledger(archive(root))[-1].at
    time.sleep(1.1)  # the ledger tells moments to the second
    corrected(root)
    run_all(root)
    return House(root, before)


def known_on(root: Path, date: str, **more: object) -> tuple[Path, dict[tuple[str, str], str]]:
    """Run the period as of a date; return the outputs of then, and how each report ended."""
    request = Request("demo", "2026-09", **more)
    folder, done = run_as_of(request, date=date, root=root, outputs=root / "outputs", tell=lambda *_: None)
    return folder, {(one.portfolio, one.report): one.status for one in done}


def published(folder: Path) -> dict[str, bytes]:
    """Return the pages and results of the period."""
    own = folder / "demo" / "2026-09"
    pages = [path for path in own.rglob("*") if path.suffix in (".html", ".json")]
    beside = ("state.json", "index.html")
    return {path.relative_to(own).as_posix(): path.read_bytes() for path in pages if path.name not in beside}


def test_as_reported_gives_the_pages_of_then(restated: House) -> None:
    """Before the correction was known every page is the first one, and nothing was run or entered for it."""
    root = restated.root
    entries, today = len(whole_ledger(archive(root))), tree(root)
    folder, ended = known_on(root, restated.before)
    assert set(ended.values()) == {"unchanged"}
    assert published(folder) == published(root / "first")
    assert len(whole_ledger(archive(root))) == entries
    own = {name: digest for name, digest in tree(root).items() if "as_of" not in name}
    assert own == {name: digest for name, digest in today.items() if "as_of" not in name}


def test_made_again_of_what_was_known_then(restated: House) -> None:
    """Asked for again, all reports are made of the earlier data: the same bytes, since the rules are the same."""
    folder, ended = known_on(restated.root, restated.before, again=True)
    assert set(ended.values()) == {"published"}
    assert published(folder) == published(restated.root / "first")


def test_as_restated_is_what_stands_today(restated: House) -> None:
    """After the correction its page says so, and the others are those that stand."""
    folder, _ = known_on(restated.root, "2099-12-31")
    assert published(folder) == published(restated.root / "outputs")
    assert b"Restated" in published(folder)["ICT/ratings.html"]
    assert {key: len(every) for key, every in runs(restated.root).items()}["ICT", "ratings"] == 2


def test_what_was_not_published_then_is_made_of_what_was_known(tmp_path: Path) -> None:
    """Reports that were not run by a day are made for it, of the snapshot of that day."""
    root = build(tmp_path / "house")
    enter(Ledger(archive(root), "jo"), taken="", at="2026-10-01T09:00:00+00:00")
    snapshot = corrected(root)
    enter(Ledger(archive(root), "ann"), taken=snapshot.id, at="2026-10-11T09:00:00+00:00")
    folder, ended = known_on(root, "2026-10-01")
    assert set(ended.values()) == {"published"}
    assert b"Restated" not in b"".join(published(folder).values())
    assert [run for every in runs(root).values() for run in every] == []
    assert {name for name in published(folder) if name.endswith("ratings.html")} == {
        f"{one}/ratings.html" for one in PORTFOLIOS
    }


def test_a_day_before_anything_was_known_is_refused(restated: House) -> None:
    """Nothing known, or no date, is an error that says so."""
    with pytest.raises(StoreError, match="nothing was entered in the ledger by 1999-01-01"):
        known_on(restated.root, "1999-01-01")
    with pytest.raises(ParameterError, match="is no date"):
        known_on(restated.root, "../../x")
