"""Every published report is a run in the archive, with all that it was made of; a corrected one says so at its top."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from small_house import build
from test_runner import PORTFOLIOS, run_all
from test_unchanged import corrected, cut_off, finish

from pmo_lib.archive import Disposal, Ledger, enter, expire, new_key, read_run
from pmo_lib.archive.ledger import whole_ledger
from pmo_lib.archive.runs import SUMS, places
from pmo_lib.archive.statement import dependencies, dependency, made_with, metadata_of, subjects_of
from pmo_lib.errors import StoreError
from pmo_lib.metrics.restated import changed_figures
from pmo_lib.runner.keeping import source_files, standing
from pmo_lib.store import Store, digest_of
from pmo_lib.tables.restated import restated_html

if TYPE_CHECKING:
    from pathlib import Path

    from pmo_lib.archive import Run

AT = "2026-10-12T09:30:00+00:00"
REPORTS = [*((portfolio, "ratings") for portfolio in PORTFOLIOS), ("", "whole")]


def archive(root: Path) -> Path:
    """Return the archive of a house."""
    return root / "outputs" / "demo" / "archive"


def runs(root: Path) -> dict[tuple[str, str], list[Run]]:
    """Return the runs in the archive of a house, by portfolio and report, in the order of their entries."""
    found: dict[tuple[str, str], list[Run]] = {}
    for entry in whole_ledger(archive(root)):
        if entry.path.endswith(SUMS):
            run = read_run(archive(root), place=entry.path.removesuffix(f"/{SUMS}"))
            assert (run.digest, run.about) == (entry.sha256, entry.about)
            found.setdefault((run.about["portfolio"], run.report), []).append(run)
    return found


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house whose period was run, signed, by jo."""
    folder = tmp_path_factory.mktemp("kept")
    root = build(folder / "house")
    run_all(root, operator="jo", key=new_key(folder / "key.pem"))
    return root


@pytest.fixture
def house(published: Path, tmp_path: Path) -> Path:
    """A copy of that house, to change something in."""
    return shutil.copytree(published, tmp_path / "house")


def test_what_is_published_is_what_is_kept(published: Path) -> None:
    """The run of each report holds the page and the results byte for byte, and sha256sum alone agrees with it."""
    kept = runs(published)
    assert sorted(kept) == sorted(REPORTS)
    for (portfolio, report), (run,) in kept.items():
        page = published.joinpath("outputs", "demo", "2026-09", portfolio, report)
        assert run.read(f"{report}.html") == page.with_suffix(".html").read_bytes()
        assert run.read(f"{report}.json") == page.with_suffix(".json").read_bytes()
        assert json.loads(run.read("findings.json")).keys() == {"findings", "quarantined"}
        folder = archive(published) / run.place
        subprocess.run(["sha256sum", "--strict", "-c", SUMS], cwd=folder, check=True, capture_output=True)
        assert {path.name for path in folder.iterdir()} == {SUMS, *run.sums}
        assert not any(path.stat().st_mode & 0o222 for path in folder.iterdir())


def test_the_record_names_all_that_a_run_was_made_of(published: Path) -> None:
    """Each thing that a run was made of lies in the archive under its sha256, with the files that its lists name."""
    store = Store(archive(published) / "objects")
    for run in (each for every in runs(published).values() for each in every):
        for one in dependencies(run.statement):
            content = (archive(published) / one.uri).read_bytes()
            assert digest_of(content) == one.sha256
            if one.name in ("source", "inputs"):
                files = json.loads(content)
                assert all(store.has(digest) for digest in files.values())
        assert sorted(json.loads(store.get(dependency(run.statement, name="source").sha256))) == source_files()
        notebook = store.get(dependency(run.statement, name="notebook").sha256)
        assert notebook == (published / "notebooks" / f"{run.report}.ipynb").read_bytes()
        assert subjects_of(run.statement).items() <= run.sums.items()


def test_the_record_says_who_when_and_how(published: Path) -> None:
    """Clock, host, operator, attempt, settings that were read and rows stand in the record, and are not in the page."""
    (run,) = runs(published)["HWY", "ratings"]
    told = metadata_of(run.statement)
    assert [told[f"pmo_{name}"] for name in ("operator", "attempt", "supersedes", "reason")] == ["jo", 1, None, ""]
    assert told["startedOn"] < told["finishedOn"]
    assert made_with(run.statement)["settings"]["name"] == "Demo"
    assert told["pmo_rows"]["columns"][:2] == ["table", "portfolio_id"]
    page = run.read("ratings.html").decode()
    assert told["startedOn"][:10] not in page
    assert told["pmo_host"] not in page


def test_a_roll_up_names_every_result_that_it_read(published: Path) -> None:
    """What others published is named by its sha256, and is found in their runs."""
    kept = runs(published)
    (whole,) = kept["", "whole"]
    store = Store(archive(published) / "objects")
    read = json.loads(store.get(dependency(whole.statement, name="published").sha256))
    assert read == {
        **{f"2026-09/{name}/ratings.json": kept[name, "ratings"][0].sums["ratings.json"] for name in PORTFOLIOS},
        "2026-09/state.json": read["2026-09/state.json"],
    }
    assert json.loads(store.get(read["2026-09/state.json"]))["period"] == "2026-09"


def test_a_result_from_before_there_were_runs_is_kept_with_its_page(house: Path) -> None:
    """A roll-up over results that are in no run puts them, and their pages, into the archive first."""
    shutil.rmtree(archive(house) / "runs")
    for path in (archive(house) / "ledger").glob("*.json"):
        path.unlink()
    run_all(house, reports=("whole",), again=True)
    (whole,) = runs(house)["", "whole"]
    store = Store(archive(house) / "objects")
    read = json.loads(store.get(dependency(whole.statement, name="published").sha256))
    assert {name for name in read if name.endswith(".html")} == {f"2026-09/{one}/ratings.html" for one in PORTFOLIOS}
    assert all(store.has(digest) for digest in read.values())


def test_an_unchanged_report_makes_no_run(house: Path) -> None:
    """What is not run again is not kept again; what is says which run it takes the place of, and why."""
    run_all(house)
    assert {key: len(every) for key, every in runs(house).items()} == dict.fromkeys(REPORTS, 1)
    corrected(house)
    run_all(house)
    kept = runs(house)
    assert {key: len(every) for key, every in kept.items()} == {
        ("HWY", "ratings"): 1, ("ICT", "ratings"): 2, ("SCH", "ratings"): 1, ("", "whole"): 2,
    }  # fmt: skip
    first, second = kept["ICT", "ratings"]
    assert second.about["supersedes"] == first.place
    assert second.about["reason"] == "I1 was rated again; rows of status of ICT in 2026-09 changed"


@pytest.mark.parametrize("after", [1, 3])
def test_a_batch_that_was_cut_off_keeps_each_report_once(tmp_path: Path, after: int) -> None:
    """Whatever was staged, kept or published when a batch was cut off: each report is one run and one entry."""
    root = build(tmp_path / "house")
    cut_off(root, after=after)
    finish(root)
    assert {key: len(every) for key, every in runs(root).items()} == dict.fromkeys(REPORTS, 1)


def test_a_run_without_an_entry_is_adopted_by_the_next_batch(house: Path) -> None:
    """A run that was kept and not entered, since its batch was killed in between, is entered later."""
    entries = whole_ledger(archive(house))
    last = archive(house) / "ledger" / f"{entries[-1].sequence:06d}.json"
    last.unlink()
    run_all(house)
    now = whole_ledger(archive(house))
    assert [(one.kind, one.path) for one in now] == [
        *((one.kind, one.path) for one in entries[:-1]), ("adopted", entries[-1].path),
    ]  # fmt: skip


def test_nothing_is_published_that_cannot_be_entered(house: Path) -> None:
    """With a ledger that was altered nothing is run: the error says which entry, and what is published stays."""
    entry = archive(house) / "ledger" / "000002.json"
    entry.chmod(0o644)
    entry.write_bytes(entry.read_bytes().replace(b'"jo"', b'"xx"'))
    before = places(archive(house))
    with pytest.raises(StoreError, match=r"ledger/000003.json: it does not follow"):
        run_all(house, again=True)
    assert places(archive(house)) == before


def test_a_dirty_tree_makes_drafts(tmp_path: Path) -> None:
    """A tree with changes that are not committed is dirty, a committed one is not, one without git is not known."""
    assert standing(tmp_path) == {"commit": None, "dirty": None}
    git = ["git", "-C", str(tmp_path), "-c", "user.name=jo", "-c", "user.email=jo@example.org"]
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "a.ipynb").write_text("{}")
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    told = standing(tmp_path)
    assert (len(told["commit"]), told["dirty"]) == (40, False)
    (tmp_path / "notebooks" / "a.ipynb").write_text("{ }")
    assert standing(tmp_path)["dirty"] is True


class TestRestated:
    """A page whose returns were corrected after it was published."""

    def test_it_says_at_its_top_what_changed_who_why_and_when(self, house: Path) -> None:
        """The notice stands before the first question, with each correction and each changed figure."""
        snapshot = corrected(house)
        enter(Ledger(archive(house), "ann"), taken=snapshot.id, at=AT)
        run_all(house)
        first, second = runs(house)["ICT", "ratings"]
        page = second.read("ratings.html").decode()
        top = page[: page.index("Question 1?</h2>")]
        assert "Restated: no published figure of this page changed." in top
        assert "12 Oct 2026 by ann: I1 was rated again" in top
        assert f"<code>{first.place}</code>" in top
        assert "Restated" not in first.read("ratings.html").decode()

    def test_where_the_earlier_results_expired_it_says_so(self, house: Path) -> None:
        """A run whose results a rule disposed of is still named, and nothing is made up about it."""
        rule = Disposal("2026-10", ("runs",), "records policy 4.2", "Ann")
        expire(Ledger(archive(house), "jo"), rule=rule, at=AT)
        corrected(house)
        run_all(house)
        page = runs(house)["ICT", "ratings"][-1].read("ratings.html").decode()
        assert "Restated: what was reported has expired by a rule, so nothing can be compared." in page

    def test_figures_are_held_against_each_other_by_name(self) -> None:
        """A figure is listed where its value or its reason differs, is new, or is gone; nothing else is."""
        columns = ["name", "value", "unit", "reason"]
        before = pd.DataFrame(
            [("cost", 10.0, "GBP", None), ("same", 1.0, "days", None), ("none", None, "ratio", "no actual cost"),
             ("gone", 3.0, "days", None)], columns=columns,
        )  # fmt: skip
        now = pd.DataFrame(
            [("none", 0.5, "ratio", None), ("cost", 12.0, "GBP", None), ("same", 1.0, "days", None),
             ("new", 4.0, "days", None)], columns=columns,
        ).assign(label=["Index", "", "", ""])  # fmt: skip
        changed = changed_figures(before, restated=now).astype(object)
        assert changed.where(changed.notna(), None).to_numpy().tolist() == [
            ["none", "Index", "ratio", None, "no actual cost", 0.5, ""],
            ["cost", "cost", "GBP", 10.0, "", 12.0, ""],
            ["new", "new", "days", None, "not published", 4.0, ""],
            ["gone", "gone", "days", 3.0, "", None, "not published"],
        ]

    def test_the_notice_escapes_what_people_typed(self) -> None:
        """Operator and reason are data: they are shown as they were typed, and never run."""
        corrections = [{"at": AT, "operator": "<b>jo</b>", "reason": "<script>alert(1)</script>"}]
        html = restated_html(changed_figures(EMPTY, restated=EMPTY), run="runs/x", corrected=corrections)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert "<b>" not in html


EMPTY = pd.DataFrame(columns=["name", "value", "unit", "reason"])
