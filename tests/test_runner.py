"""The batch: all that is owed, one bad portfolio alone, the same bytes, and nothing half published."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from returns import small_return
from small_house import build, figures_of

from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.runner import Done, Request, plan, run
from pmo_lib.snapshots import Archive, open_snapshot, take

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PORTFOLIOS = ("HWY", "ICT", "SCH")


def run_all(
    root: Path, *, tell: Callable[[Done, int], None] = lambda *_: None, **more: Any
) -> dict[tuple[str, str], Done]:
    """Run the period of the small house; return how each report ended."""
    request = Request(organisation="demo", period="2026-09", **more)
    done = run(request, root=root, outputs=root / "outputs", tell=tell)
    return {(one.portfolio, one.report): one for one in done}


def tree(root: Path) -> dict[str, str]:
    """Return the digest of every published file, by its path."""
    folder = root / "outputs"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "archive" not in path.parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def results(root: Path, *place: str) -> dict[str, Any]:
    """Return a published results document."""
    document: dict[str, Any] = json.loads(root.joinpath("outputs", "demo", "2026-09", *place).read_text())
    return document


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house whose period was run."""
    root = build(tmp_path_factory.mktemp("good"))
    ended = run_all(root)
    assert {one.status for one in ended.values()} == {"published"}, ended
    return root


def test_every_report_of_every_portfolio_is_published(good: Path) -> None:
    """A run publishes a page and results for each report of each portfolio, and the organisation's after them."""
    names = set(tree(good))
    for place in (*(f"{portfolio}/ratings" for portfolio in PORTFOLIOS), "whole"):
        assert {f"demo/2026-09/{place}.html", f"demo/2026-09/{place}.json"} <= names
    assert figures_of(results(good, "SCH", "ratings.json"))["projects"] == 3
    assert figures_of(results(good, "whole.json")).to_dict() == {"projects": 6, "published": 3}


def test_index_leads_to_every_page(good: Path) -> None:
    """The index links every published page, and the links work from disk."""
    index = (good / "outputs" / "index.html").read_text()
    for place in (*(f"{portfolio}/ratings" for portfolio in PORTFOLIOS), "whole"):
        assert f'href="demo/2026-09/{place}.html"' in index
        assert (good / "outputs" / f"demo/2026-09/{place}.html").exists()


def test_two_runs_write_the_same_bytes(good: Path, tmp_path: Path) -> None:
    """The same snapshot, parameters and code give the same bytes elsewhere, with one worker and in another order."""
    other = build(tmp_path)
    ended = run_all(other, jobs=1, portfolios=("SCH", "ICT", "HWY"))
    assert {one.status for one in ended.values()} == {"published"}
    assert tree(other) == tree(good)


def test_nothing_of_the_run_stays_behind(good: Path) -> None:
    """No staging folder, part file or executed notebook is left where people read."""
    leftovers = [name for name in tree(good) if name.endswith((".part", ".ipynb"))]
    assert leftovers == []
    (batch,) = (good / "outputs" / "demo" / "archive" / "batches" / "2026-09").glob("0*")
    assert sorted(path.name for path in batch.iterdir()) == ["log.jsonl", "plan.json", "summary.json"]


def test_one_bad_portfolio_stops_no_other(tmp_path: Path) -> None:
    """A portfolio whose notebook raises fails alone, with its stage and cause, and is shown as failed everywhere."""
    root = build(tmp_path, sabotage='assert portfolio != "ICT", "ICT has no <owner>"')
    ended = run_all(root)
    assert {key: one.status for key, one in ended.items()} == {
        ("HWY", "ratings"): "published",
        ("ICT", "ratings"): "failed",
        ("SCH", "ratings"): "published",
        ("", "whole"): "published",
    }
    bad = ended["ICT", "ratings"]
    assert bad.stage == "notebook"
    assert "ICT has no <owner>" in bad.cause
    assert not (root / "outputs" / "demo" / "2026-09" / "ICT").exists()
    assert figures_of(results(root, "whole.json")).to_dict() == {"projects": 5, "published": 2, "failed": 1}
    index = (root / "outputs" / "index.html").read_text()
    assert "2 reports published" not in index  # three are, with the organisation's
    assert "1 failed" in index
    assert "ICT has no &lt;owner&gt;" in index


@pytest.mark.parametrize(
    ("sabotage", "stage", "words"),
    [
        ("import os; os._exit(0)", "process", "exit code 0"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "process", "SIGKILL"),
        ("raise SystemExit(0)", "notebook", "exit"),
        ("import sys; sys.stderr.write('hm')", "gate", "stderr"),
        ("book.show = lambda *_, **__: None", "notebook", "not shown"),
    ],
    ids=["exit", "kill", "system-exit", "stderr", "half"],
)
def test_what_is_not_whole_is_not_published(tmp_path: Path, sabotage: str, stage: str, words: str) -> None:
    """A report that dies, exits, warns or leaves an exhibit out fails: no page of it is published."""
    root = build(tmp_path, sabotage=sabotage)
    ended = run_all(root, portfolios=("HWY",), reports=("ratings",))
    bad = ended["HWY", "ratings"]
    assert (bad.status, bad.stage) == ("failed", stage), bad
    assert words in bad.cause
    assert not list((root / "outputs" / "demo" / "2026-09").glob("HWY/*"))


def test_slow_report_is_stopped(tmp_path: Path) -> None:
    """A report past its time limit is stopped and fails; the others go on."""
    root = build(tmp_path, sabotage='import time; portfolio == "HWY" and time.sleep(600)')
    ended = run_all(root, reports=("ratings",), seconds=20.0)
    assert ended["HWY", "ratings"].stage == "time limit"
    assert ended["ICT", "ratings"].status == ended["SCH", "ratings"].status == "published"


def test_failure_keeps_the_last_good_page_and_says_so(good: Path, tmp_path: Path) -> None:
    """When a re-run fails, the last good page stays, but index and roll-up call the report failed, not published."""
    root = tmp_path / "copy"
    shutil.copytree(good, root)
    before = tree(root)
    source = root / "notebooks" / "ratings.ipynb"
    broken = source.read_text().replace('"pass\\n"', '"1 / 0\\n"')
    assert "1 / 0" in broken
    source.write_text(broken)
    ended = run_all(root, portfolios=("ICT",))
    assert ended["ICT", "ratings"].status == "failed"
    assert tree(root)["demo/2026-09/ICT/ratings.html"] == before["demo/2026-09/ICT/ratings.html"]
    assert figures_of(results(root, "whole.json")).to_dict() == {"projects": 5, "published": 2, "failed": 1}
    assert "ZeroDivisionError" in (root / "outputs" / "index.html").read_text()


def test_unknown_names_run_nothing(good: Path) -> None:
    """Unknown portfolios, reports and settings are all named at once, before anything is run."""
    snapshot = open_snapshot(Archive(good / "outputs" / "demo" / "archive"), period="2026-09")
    request = Request(
        organisation="demo",
        period="2026-09",
        portfolios=("HWX",),
        reports=("rating",),
        overrides={"thresholds.cost_rde": "1"},
    )
    with pytest.raises(ParameterError) as caught:
        plan(request, root=good, snapshot=snapshot)
    for words in ("unknown portfolio 'HWX'", "unknown report 'rating'", "cost_rde"):
        assert words in str(caught.value)


def test_altered_archive_is_not_reported(good: Path, tmp_path: Path) -> None:
    """Before a run every object of the snapshot is compared with its digest: an altered one stops the run."""
    root = tmp_path / "copy"
    shutil.copytree(good, root)
    archive = Archive(root / "outputs" / "demo" / "archive")
    entry = open_snapshot(archive, period="2026-09").manifest["tables"]["status"]
    path = archive.store.path(entry["sha256"])
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(StoreError, match="altered"):
        run_all(root)


def test_every_end_is_told(tmp_path: Path) -> None:
    """The one who asked hears of every end and of how many there will be, as they come."""
    heard: list[tuple[str, int]] = []
    run_all(build(tmp_path), tell=lambda one, total: heard.append((one.report, total)))
    assert sorted(heard) == [("ratings", 4)] * 3 + [("whole", 4)]
    assert heard[-1] == ("whole", 4)


def test_pages_know_nothing_of_the_machine(good: Path) -> None:
    """No published file holds the folder, the user or the host that it was made on."""
    secrets = [str(good), os.uname().nodename]
    found = [
        (name, secret)
        for name in tree(good)
        if "assets" not in name
        for secret in secrets
        if secret in (good / "outputs" / name).read_text(errors="ignore")
    ]
    assert found == []


def october(root: Path, *, held: dict[str, list[str]], **states: str) -> Path:
    """Take a later period into the house, in which portfolios returned in these states."""
    made = small_return("2026-10", date(2026, 10, 31), portfolios=held)
    made.returns = pd.DataFrame(
        [{"portfolio_id": p, "state": s, "file": "", "reason": "" if s == "returned" else "no row"}
         for p, s in states.items()]
    )  # fmt: skip
    take(made, archive=Archive(root / "outputs" / "demo" / "archive"), organisation="demo")
    return root


def test_a_portfolio_that_did_not_return_has_its_last_known_page(tmp_path: Path) -> None:
    """Who returned nothing usable gets a page that says so, is in no total, and is named in index and state."""
    root = october(build(tmp_path), held={"HWY": ["H1"]}, HWY="returned", ICT="not returned", SCH="refused")
    request = Request(organisation="demo", period="2026-10")
    done = {
        (one.portfolio, one.report): one
        for one in run(request, root=root, outputs=root / "outputs", tell=lambda *_: None)
    }
    assert {one.status for one in done.values()} == {"published"}
    assert {portfolio: one.as_of for (portfolio, _), one in done.items()} == {
        "HWY": "2026-10", "ICT": "2026-09", "SCH": "2026-09", "": "2026-10",
    }  # fmt: skip
    folder = root / "outputs" / "demo" / "2026-10"
    assert "Not returned for Oct 2026." in (folder / "ICT" / "ratings.html").read_text()
    assert "Return refused for Oct 2026." in (folder / "SCH" / "ratings.html").read_text()
    assert "2 of 3 portfolios did not return in full and on time." in (folder / "whole.html").read_text()
    whole = json.loads((folder / "whole.json").read_text())
    assert figures_of(whole).to_dict() == {"projects": 1, "published": 1, "not returned": 1, "refused": 1}
    owed = {row["portfolio_id"]: (row["status"], row["as_of"]) for row in json.loads(
        (folder / "state.json").read_text())["reports"] if row["portfolio_id"]}  # fmt: skip
    assert owed == {
        "HWY": ("published", "2026-10"), "ICT": ("not returned", "2026-09"), "SCH": ("refused", "2026-09"),
    }  # fmt: skip
    index = (folder / "index.html").read_text()
    assert 'not returned</span>: no row; <a href="ICT/ratings.html">last known, Sep 2026</a>' in index
    assert "Portfolio SCH" in index
