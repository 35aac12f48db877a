"""The record of an edition: what the archive holds of a period, each byte checked; refused where one was altered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
from kept_runs import AT, rewrite, run_files, run_kept, run_taken, snapshot_kept, taken

from pmo_lib.archive import Disposal, Ledger, enter, enter_run, expire, new_key
from pmo_lib.archive.edition import Edition, digest_of_edition, edition
from pmo_lib.archive.ledger import whole_ledger
from pmo_lib.errors import StoreError
from pmo_lib.metrics import edition as tables
from pmo_lib.sentences import edition as says
from pmo_lib.store import canonical_json
from pmo_lib.tables import edition as lists

if TYPE_CHECKING:
    from pathlib import Path


def results(**values: float) -> bytes:
    """Return a results file with these figures."""
    figures = [{"name": name, "value": value, "unit": "GBP", "reason": None} for name, value in values.items()]
    return canonical_json({"figures": figures})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An archive of two periods; in the second the returns were corrected and one report was run again."""
    root = tmp_path / "demo" / "archive"
    key = new_key(tmp_path / "key.pem")
    run_kept(root, snapshot_kept(root, "2026-08"))
    first = snapshot_kept(root, "2026-09", key=key)
    files = run_files("health_check", says="first")
    before = run_kept(root, first, key=key, files=files | {"health_check.json": results(cost=1.0, same=2.0)})
    run_kept(root, first, portfolio="ICT", draft=True, attempt=2)
    second = snapshot_kept(root, "2026-09", cost="2000.10", reason="a digit was lost", at="2026-10-09T09:30:00+00:00")
    told = {"supersedes": before.place, "reason": "a digit was lost; rows changed"}
    run_kept(root, second, files=files | {"health_check.json": results(cost=3.0, same=2.0)}, **told)
    run_kept(root, second, report="edition_record", portfolio="")
    return root


def test_it_tells_what_was_run_on_which_data_by_which_code(root: Path) -> None:
    """Every list holds what was entered of the period, in the ledger's order, and nothing of other periods."""
    told = edition(root, period="2026-09")
    assert [one["entry"] for one in told.snapshots] == [3, 6]
    assert [(one["entry"], one["portfolio"], one["stands"]) for one in told.runs] == [
        (4, "HWY", False), (5, "ICT", True), (7, "HWY", True),
    ]  # fmt: skip
    assert (told.entry, told.head) == (7, whole_ledger(root)[6].digest)
    assert [source["file"] for source in told.sources] == ["file.xlsx", "file.xlsx"]
    stand = tables.runs(told)
    assert stand[["portfolio_id", "marks", "signed"]].to_numpy().tolist() == [
        ["HWY", "took the place of another", False], ["ICT", "draft, attempt 2", False],
    ]  # fmt: skip
    assert tables.replaced(told)["reason"].tolist() == ["a digit was lost; rows changed"]
    assert tables.code(told)[["commit", "changes", "python", "runs"]].to_numpy().tolist() == [
        ["not known", "not known", "3.11", 3]
    ]
    corrected = tables.corrections(told)
    assert corrected[["operator", "reason"]].to_numpy().tolist() == [["jo", "a digit was lost"]]
    assert corrected["entered_on"].tolist() == [pd.Timestamp("2026-10-09")]
    changed = tables.changes(told)
    assert changed[["portfolio_id", "label", "reported", "restated"]].to_numpy().tolist() == [["HWY", "cost", 1.0, 3.0]]
    named = tables.figures(told, findings=stand, quarantined=stand).set_index("name")["value"]
    assert named.to_dict() == {
        "runs_standing": 2, "runs_replaced": 1, "runs_draft": 1, "corrections": 1, "figures_changed": 1,
        "findings": 2, "rows_quarantined": 2, "files_checked": told.checked["files"], "files_expired": 0,
    }  # fmt: skip


def test_every_table_and_sentence_can_be_written(root: Path) -> None:
    """Each list has its table and its sentence."""
    told = edition(root, period="2026-09")
    assert (
        says.runs_sentence(tables.runs(told))
        == "2 runs stand; none is signed. Drafts, made by code that was not all committed: 1."
    )
    assert "a digit was lost" in lists.corrections_table(tables.corrections(told)).html
    assert "£3" in lists.changes_table(tables.changes(told)).html
    assert "2026" in lists.runs_table(tables.runs(told)).html
    assert says.data_sentence(tables.data(told)) == "2 files in 2 snapshots."
    assert says.code_sentence(tables.code(told)).startswith("All runs were made by one version")
    assert says.checks_sentence(tables.checks(told)).startswith("Every byte is as it was entered: ")
    given = Edition("2026-09", runs=[told.runs[0] | {"overrides": {"currency": "EUR"}}])
    assert tables.overrides(given)[["setting", "value"]].to_numpy().tolist() == [["currency", "EUR"]]
    assert "EUR" in lists.overrides_table(tables.overrides(given)).html


def test_later_entries_of_other_periods_change_nothing(root: Path) -> None:
    """What is told of a period, and its digest, stay the same whatever is entered for others, or for the record."""
    before, digest = edition(root, period="2026-09"), digest_of_edition(whole_ledger(root), period="2026-09")
    run_kept(root, snapshot_kept(root, "2026-10"))
    assert edition(root, period="2026-09") == before
    assert digest_of_edition(whole_ledger(root), period="2026-09") == digest
    run_kept(root, taken(root, "2026-09", cost="2000.10"), report="risk_register")
    assert digest_of_edition(whole_ledger(root), period="2026-09") != digest


@pytest.mark.parametrize("way", ["flip", "delete", "link"])
@pytest.mark.parametrize("of", ["page", "table", "manifest"])
def test_nothing_is_written_of_an_altered_period(root: Path, of: str, way: str) -> None:
    """A file of the period that is not what was entered refuses the record, and is named."""
    told = edition(root, period="2026-09")
    path = {
        "page": root / told.runs[0]["place"] / "health_check.html",
        "table": root / "objects" / "sha256" / told.sources[0]["sha256"][:2] / told.sources[0]["sha256"],
        "manifest": root / "snapshots" / "2026-09" / f"{told.snapshots[0]['id']}.json",
    }[of]
    content = path.read_bytes()
    if way == "flip":
        rewrite(path, bytes([content[0] ^ 1]) + content[1:])
    else:
        path.unlink()
        if way == "link":
            (root.parent / "copy").write_bytes(content)
            path.symlink_to(root.parent / "copy")
    with pytest.raises(StoreError, match=path.name):
        edition(root, period="2026-09")


def test_an_altered_file_of_another_period_is_not_this_ones_business(root: Path) -> None:
    """The record of a period speaks of that period alone; pmo verify speaks of all."""
    other = edition(root, period="2026-08").runs[0]
    rewrite(root / other["place"] / "health_check.html", b"x")
    edition(root, period="2026-09")
    with pytest.raises(StoreError, match=r"health_check\.html"):
        edition(root, period="2026-08")


def test_what_expired_is_told_by_its_entry(root: Path) -> None:
    """Files that a rule disposed of are counted, with rule and approver; they do not refuse the record."""
    rule = Disposal("2026-10", ("returns", "runs"), "records policy 4.2", "Ann")
    expire(Ledger(root, "jo"), rule=rule, at=AT)
    told = edition(root, period="2026-09")
    assert told.checked["expired"] > 0
    assert {source["standing"] for source in told.sources} == {f"expired by entry {len(whole_ledger(root))}"}
    (row,) = tables.checks(told).loc[lambda rows: rows["what"].eq("Expired"), "means"]
    assert row == f"disposed of by entry {len(whole_ledger(root))} (records policy 4.2; approved by Ann)"
    assert "expired by a rule" in says.data_sentence(tables.data(told))


def test_a_run_that_cannot_be_read_refuses_the_record(root: Path) -> None:
    """A record that is not the one that was entered is told as such."""
    place = edition(root, period="2026-09").runs[0]["place"]
    rewrite(root / place / "run.json", b"{}")
    with pytest.raises(StoreError, match="it is not the record"):
        edition(root, period="2026-09")


def test_an_adopted_run_counts_as_any_other(tmp_path: Path) -> None:
    """A run without an entry is not told; once it is adopted it is."""
    root = tmp_path / "demo" / "archive"
    snapshot = snapshot_kept(root, "2026-09")
    run = run_taken(root, snapshot)
    assert edition(root, period="2026-09").runs == []
    enter(Ledger(root, "jo"), taken="", at=AT)
    assert [one["place"] for one in edition(root, period="2026-09").runs] == [run.place]
    assert enter_run(Ledger(root, "jo"), run=run, at=AT).kind == "adopted"
