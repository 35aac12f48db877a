"""Two runs against each other: every figure, row, rule, package and file that differs is told, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kept_runs import AT, INPUTS, copied, made_of, put, put_all, rewrite, run_kept, snapshot_kept

from pmo_lib.archive.statement import Dependency
from pmo_lib.audit.compare import Comparison, compare, key_width, subtracted
from pmo_lib.audit.compared import lines, page
from pmo_lib.audit.named import kept, place_of
from pmo_lib.cli import commands
from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.snapshots import Snapshot
from pmo_lib.store import canonical_json

NOTEBOOK = {"cells": [{"id": "begin", "source": ["x = 1\n"]}, {"id": "cost", "source": "y"}]}


def figure(name: str, value: float | None, *, unit: str = "GBP", reason: str | None = None) -> dict[str, Any]:
    """Return a published figure."""
    return {"name": name, "value": value, "unit": unit, "reason": reason}


def explained(name: str, *rows: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    """Return the explanation of a figure; rows are month, place and their numbers."""
    placed = [
        {"table": "projects", "period": period, "place": place, "rows": numbers, "count": 1 + numbers.count("–")}
        for period, place, numbers in rows
    ]
    return {"name": name, "label": name.title(), "value": 1.0, "unit": "GBP", "reason": "", "definition": "it is",
            "formula": "a", "worked": "a = 1", "sign": "", "source": "", "n": 1, "looked_at": ["projects"],
            "rows": placed, **more}  # fmt: skip


def published(
    *figures: dict[str, Any], told: Mapping[str, Any] | None = None, tables: Mapping[str, Any] | None = None
) -> dict[str, bytes]:
    """Return the files of a run with these results."""
    results = {"schema": "pmo-results/1", "figures": list(figures), "explained": told or {}, "tables": tables or {}}
    intake = {name: {"columns": [], "rows": []} for name in ("findings", "quarantined")}
    return {
        "health_check.json": canonical_json(results),
        "health_check.html": b"<!doctype html><p>page</p>",
        "health_check.ipynb": canonical_json(NOTEBOOK),
        "findings.json": canonical_json(intake),
    }


def replaced(every: list[Dependency], *others: Dependency) -> list[Dependency]:
    """Return dependencies with others in the place of those of the same name."""
    return [*(one for one in every if one.name not in {other.name for other in others}), *others]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An archive without anything."""
    return tmp_path / "demo" / "archive"


@pytest.fixture
def corrected(root: Path) -> tuple[Snapshot, Snapshot]:
    """A snapshot and its correction: in each of three projects the baseline cost changed."""
    first = snapshot_kept(root, "2026-09")
    return first, snapshot_kept(root, "2026-09", cost="2000.10", reason="a digit was lost")


def two(root: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> Comparison:
    """Keep two runs and compare them."""
    runs = [run_kept(root, **told) for told in (old, new)]
    return compare(kept(root, name=runs[0].place), new=kept(root, name=runs[1].place))


SHEET = "file.xlsx, projects"


# --- figures and the rows behind them -------------------------------------------------------------------------


def test_changed_figures_are_told_with_their_difference(root: Path, corrected: tuple[Snapshot, Snapshot]) -> None:
    """A figure is told if its value changed, came, went, or cannot be computed any more; with the exact difference."""
    old = published(figure("cost", 0.1), figure("same", 5.0), figure("gone", 1.0), figure("rate", 2.0))
    new = published(
        figure("cost", 0.3), figure("same", 5.0), figure("rate", None, reason="no plan"), figure("more", 7.0)
    )
    document = two(root, {"snapshot": corrected[0], "files": old}, {"snapshot": corrected[0], "files": new}).document
    assert [(one["name"], one["change"], one["old"], one["new"], one["difference"]) for one in document["figures"]] == [
        ("cost", "changed", 0.1, 0.3, 0.2),
        ("gone", "removed", 1.0, None, None),
        ("rate", "changed", 2.0, None, None),
        ("more", "added", None, 7.0, None),
    ]
    assert document["figures"][2]["new_reason"] == "no plan"
    assert document["figures_same"] == 1
    assert subtracted(-0.0, less=0.0) == 0.0


def test_rows_behind_a_figure_come_go_and_change(root: Path, corrected: tuple[Snapshot, Snapshot]) -> None:
    """Behind a changed figure stand the rows that came and went, and the cells that the correction changed in them."""
    told = explained("cost", ("2026-09", SHEET, "2–3"))
    now = explained("cost", ("2026-09", SHEET, "3"), ("2026-09", "other.xlsx, projects", "9"))
    document = two(
        root,
        {"snapshot": corrected[0], "files": published(figure("cost", 1.0), told={"cost": told})},
        {"snapshot": corrected[1], "files": published(figure("cost", 2.0), told={"cost": now})},
    ).document
    (cost,) = document["figures"]
    assert cost["went"] == [{"table": "projects", "period": "2026-09", "place": SHEET, "rows": "2", "count": 1}]
    assert [each["place"] for each in cost["came"]] == ["other.xlsx, projects"]
    # Rows 2 and 3 of the sheet are H1 and H2 of HWY, and row 2 is also I1 of ICT: the hand-made return repeats it.
    assert {(each["key"], each["column"], each["old"], each["new"]) for each in cost["cells"]} == {
        (project, "whole_life_cost_baseline", "1000.10", "2000.10") for project in ("H1", "H2", "I1")
    }
    assert cost["cells"][0]["new_ref"] == f"{SHEET}, row 2"


def test_a_figure_of_the_same_value_from_other_cells_is_named(root: Path, corrected: tuple[Snapshot, Snapshot]) -> None:
    """A figure whose value stayed although the cells of its rows changed is named; one of the same cells is not."""
    told = {"cost": explained("cost", ("2026-09", SHEET, "3")), "count": explained("count", ("2026-09", SHEET, "77"))}
    files = published(figure("cost", 1.0), figure("count", 2.0), told=told)
    document = two(
        root, {"snapshot": corrected[0], "files": files}, {"snapshot": corrected[1], "files": files}
    ).document
    assert document["figures"] == []
    assert document["other_rows"] == ["cost"]
    (snapshots,) = document["data"]["snapshots"]
    assert (snapshots["reason"], snapshots["counts"]["row changed"]) == ("a digit was lost", 3)
    rows = [row for row in document["data"]["rows"] if row["what"] == "row"]
    assert {row["portfolio_id"] for row in rows} == {"HWY"}  # the runs are of HWY: what changed in ICT is not theirs
    assert len(rows) == 2


def test_two_periods_compare(root: Path) -> None:
    """Runs of two periods compare; what both saw of one period was the same snapshot, so that no row differs."""
    first, second = snapshot_kept(root, "2026-08"), snapshot_kept(root, "2026-09", cost="2000.10")
    document = two(
        root,
        {"snapshot": first, "files": published(figure("cost", 1.0))},
        {"snapshot": second, "files": published(figure("cost", 4.0)), "portfolio": "ICT"},
    ).document
    assert document["figures"][0]["difference"] == 3.0
    assert document["rules"]["asked"] == [
        {"name": "period", "old": "2026-08", "new": "2026-09"}, {"name": "portfolio", "old": "HWY", "new": "ICT"},
    ]  # fmt: skip
    assert document["data"]["snapshots"] == []


def test_a_correction_of_an_earlier_period_is_seen_behind_a_later_figure(root: Path) -> None:
    """Where a later snapshot was taken again on a corrected earlier one, the earlier rows that changed are told."""
    snapshot_kept(root, "2026-08")
    before = snapshot_kept(root, "2026-09")
    snapshot_kept(root, "2026-08", cost="2000.10", reason="august was wrong")
    after = snapshot_kept(root, "2026-09", cost="1000.20", reason="on the corrected august")
    told = explained("cost", ("2026-08", SHEET, "3"))
    document = two(
        root,
        {"snapshot": before, "files": published(figure("cost", 1.0), told={"cost": told})},
        {"snapshot": after, "files": published(figure("cost", 2.0), told={"cost": told})},
    ).document
    assert [(each["period"], each["reason"]) for each in document["data"]["snapshots"]] == [
        ("2026-08", "august was wrong"), ("2026-09", "on the corrected august"),
    ]  # fmt: skip
    assert {(each["period"], each["new"]) for each in document["figures"][0]["cells"]} == {("2026-08", "2000.10")}


# --- published tables -----------------------------------------------------------------------------------------


def test_published_tables_are_counted_row_by_row(root: Path, corrected: tuple[Snapshot, Snapshot]) -> None:
    """Rows with the same leading columns are the same row: what else differs in them changed, others came or went."""
    columns = ["project_id", "name", "cost"]
    tables = [
        {"costs": {"columns": columns, "rows": rows}, "same": {"columns": ["a"], "rows": [[1]]}}
        for rows in ([["H1", "One", 1.0], ["H2", "Two", 2.0]], [["H2", "Two", 5.0], ["H3", "Three", 3.0]])
    ]
    document = two(
        root,
        {"snapshot": corrected[0], "files": published(tables=tables[0])},
        {"snapshot": corrected[0], "files": published(tables=tables[1])},
    ).document
    assert document["tables"] == [{"name": "costs", "old": 2, "new": 2, "added": 1, "removed": 1, "changed": 1}]


def test_the_key_of_a_table_is_its_shortest_telling_beginning() -> None:
    """As many leading columns are the key as tell all rows of both tables apart; never all columns."""
    assert key_width([["H1", "SRO", 1], ["H1", "IPA", 1]], [["H1", "SRO", 2]]) == 2
    assert key_width([["H1", "SRO", 1], ["H1", "SRO", 2]], [["H1", "SRO", 2]]) == 0
    assert key_width([], []) == 0


# --- rules and code -------------------------------------------------------------------------------------------


def test_rules_are_told(root: Path, corrected: tuple[Snapshot, Snapshot]) -> None:
    """Settings, notebook cells, sections, parameter files and definitions that differ are told old and new."""
    snapshot = corrected[0]
    every = made_of(root, snapshot)
    changed = {"cells": [{"id": "begin", "source": ["x = 2\n"]}, {"id": "cost", "source": "y"}]}
    others = [
        put(root, "notebook", canonical_json(changed)),
        put_all(root, "inputs", INPUTS | {"parameters/demo/organisation.yml": b"name: Other\n"}),
    ]
    old = [one for one in replaced(every, put(root, "notebook", canonical_json(NOTEBOOK))) if "section" not in one.name]
    document = two(
        root,
        {"snapshot": snapshot, "dependencies": old,
         "files": published(figure("cost", 1.0), told={"cost": explained("cost")})},
        {"snapshot": snapshot, "dependencies": replaced(every, *others),
         "files": published(figure("cost", 1.0), told={"cost": explained("cost", formula="a + b")})},
    ).document  # fmt: skip
    rules = document["rules"]
    assert [each["name"] for each in rules["notebook"]] == ["notebook", "notebook, cell begin"]
    assert (rules["notebook"][1]["old"], rules["notebook"][1]["new"]) == ("x = 1\n", "x = 2\n")
    assert [(each["name"], each["old"]) for each in rules["sections"]] == [("section:standing", None)]
    assert [each["name"] for each in rules["inputs"]] == ["parameters/demo/organisation.yml"]
    assert rules["definitions"] == [{"name": "cost, formula", "old": "a", "new": "a + b"}]
    assert rules["settings"] == []


def test_code_is_told(root: Path, corrected: tuple[Snapshot, Snapshot]) -> None:
    """Commit, dirty tree, files, lock, Python and packages that differ are told old and new; a newer package too."""
    snapshot = corrected[0]
    every = made_of(root, snapshot)
    environment = {"python": "3.12", "packages": ["pandas==3.2", "numpy==2.4"]}
    lists = [put_all(root, "source", {"pmo_lib/__init__.py": b"#" * n, f"pmo_lib/{n}.py": b""}) for n in (1, 2)]
    sources = [
        Dependency(one.name, one.uri, one.sha256, {"commit": commit, "dirty": dirty})
        for one, commit, dirty in zip(lists, ("abc", "def"), (False, True), strict=True)
    ]
    others = [
        sources[1],
        put(root, "lock", b"pandas==3.2\n"),
        put(root, "environment", canonical_json(environment)),
    ]
    document = two(
        root,
        {"snapshot": snapshot, "files": published(), "dependencies": replaced(every, sources[0])},
        {"snapshot": snapshot, "files": published(), "draft": True, "dependencies": replaced(every, *others)},
    ).document
    code = document["code"]
    assert code["tree"] == [
        {"name": "commit", "old": "abc", "new": "def"}, {"name": "dirty", "old": False, "new": True},
        {"name": "draft", "old": False, "new": True},
    ]  # fmt: skip
    assert [(each["name"], each["old"] is None, each["new"] is None) for each in code["source"]] == [
        ("pmo_lib/1.py", False, True), ("pmo_lib/2.py", True, False), ("pmo_lib/__init__.py", False, False),
    ]  # fmt: skip
    assert code["packages"] == [
        {"name": "numpy", "old": None, "new": "2.4"}, {"name": "pandas", "old": "3.1", "new": "3.2"},
        {"name": "python", "old": "3.11", "new": "3.12"},
    ]  # fmt: skip
    assert [each["name"] for each in code["lock"]] == ["lock"]
    assert code["assets"] == code["machine"] == []


# --- page, lines, commands ------------------------------------------------------------------------------------


def hostile(root: Path, corrected: tuple[Snapshot, Snapshot]) -> Comparison:
    """Return a comparison with texts that a page must not take for its own."""
    told = explained("cost", ("2026-09", SHEET, "2–3"), label="<script>alert(1)</script>")
    files = [published(figure("cost", value), told={"cost": told}) for value in (1.0, 2.5)]
    return two(
        root,
        {"snapshot": corrected[0], "files": files[0]},
        {"snapshot": corrected[1], "files": files[1], "reason": "<b>why</b>"},
    )


def test_the_page_is_safe_and_always_the_same(root: Path, corrected: tuple[Snapshot, Snapshot]) -> None:
    """The page runs no script, asks for nothing, escapes what comes from data, and has the same bytes each time."""
    comparison = hostile(root, corrected)
    text = page(comparison).decode()
    assert page(comparison) == page(Comparison(json.loads(comparison.content)))
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&lt;b&gt;why&lt;/b&gt;" in text
    assert "default-src 'none'; style-src 'unsafe-inline'" in text
    assert "http" not in text.partition("</style>")[2]
    assert "1000.10" in text
    assert "2000.10" in text


def test_lines_say_what_matters(root: Path, corrected: tuple[Snapshot, Snapshot]) -> None:
    """On a terminal each figure has a line with both values, the difference and what is behind it."""
    told = list(lines(hostile(root, corrected)))
    assert told[0] == "Health check of HWY, Sep 2026: what changed"
    assert "  cost: 1 GBP → 2.5 GBP (+1.5 GBP); 3 cells changed" in told
    assert "Rules: the same." in told
    assert "Data: Sep 2026: 3 cells changed, 1 file changed, 2 returns changed, 3 rows changed." in told


def test_runs_have_three_names(root: Path, corrected: tuple[Snapshot, Snapshot]) -> None:
    """A run is found by its folder, by the last part of it, and by its report, of which the newest is meant."""
    first = run_kept(root, corrected[0])
    second = run_kept(root, corrected[1], reason="again")
    whole = run_kept(root, corrected[1], portfolio="", report="portfolio_rollup")
    assert place_of(root, name=first.place) == first.place
    assert place_of(root, name=first.place.rpartition("/")[2]) == first.place
    assert place_of(root, name="2026-09/HWY/health_check") == second.place
    assert place_of(root, name="2026-09/portfolio_rollup") == whole.place
    with pytest.raises(ParameterError, match="no run is named '2026-09/HWY/health_chek'; the nearest: 2026-09/HWY/h"):
        place_of(root, name="2026-09/HWY/health_chek")
    with pytest.raises(ParameterError, match="does not differ from itself"):
        compare(kept(root, name=first.place), new=kept(root, name=first.place))


@pytest.mark.parametrize("harm", ["altered", "missing", "added", "linked"])
def test_a_run_that_is_not_whole_is_refused(
    root: Path, corrected: tuple[Snapshot, Snapshot], tmp_path: Path, harm: str
) -> None:
    """A run of which one file is not as its SHA256SUMS says is not compared, and the file is named."""
    run = run_kept(root, corrected[0])
    altered = copied(root, tmp_path / "other" / "archive")
    path = altered / run.place / "health_check.json"
    if harm == "altered":
        rewrite(path, b"{}")
    elif harm == "added":
        (path.parent / "extra").write_bytes(b"")
    else:
        path.unlink()
    if harm == "linked":
        path.symlink_to(tmp_path)
    with pytest.raises(StoreError, match="extra" if harm == "added" else r"health_check\.json"):
        kept(altered, name=run.place)


def test_the_command_compares(
    root: Path, corrected: tuple[Snapshot, Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``pmo compare`` prints a summary, and writes page and JSON where that is asked for."""
    monkeypatch.setenv("PMO_OUTPUTS", str(root.parents[1]))
    comparison = hostile(root, corrected)
    names = [comparison.document[side]["run"].rpartition("/")[2] for side in ("old", "new")]
    plain = CliRunner().invoke(commands, ["compare", *names])
    assert plain.exit_code == 0, plain.output
    assert "1 figure changed" in plain.output
    assert f"by jo, {AT}" in plain.output
    files = [str(root.parents[1] / name) for name in ("c.json", "c.html")]
    done = CliRunner().invoke(commands, ["compare", *names, "--json", files[0], "--html", files[1]])
    assert done.exit_code == 0, done.output
    assert Path(files[0]).read_bytes() == comparison.content
    assert Path(files[1]).read_bytes() == page(comparison)
