"""Two snapshots against each other: every row, cell, finding and file that differs is named, and nothing else is."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings, strategies as st
from kept_runs import Source
from returns import HandMade, small_return, typed

from pmo_lib.archive import Ledger, enter
from pmo_lib.cli import commands
from pmo_lib.contracts.findings import Finding, findings_table
from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import StoreError
from pmo_lib.snapshots import Archive, Difference, Snapshot, corrections, difference, take
from pmo_lib.store import digest_of

SEPTEMBER = date(2026, 9, 30)
PORTFOLIOS = {"HWY": ["H1", "H2"], "ICT": ["I1"]}


def returned(content: bytes = b"first", **more: Any) -> HandMade:
    """Return the small return, of a file with these bytes."""
    made = small_return("2026-09", SEPTEMBER, portfolios=PORTFOLIOS, **more)
    made.sources = (Source("file.xlsx", content),)
    return made


def project(name: str, *, row: int, cost: str | None = "1000.10", **more: Any) -> dict[str, Any]:
    """Return a project as a return states it."""
    place = f"file.xlsx, sheet projects, row {row}"
    return {"portfolio_id": "HWY", "project_id": name, "name": f"Project {name}", "currency": "GBP",
            "whole_life_cost_baseline": cost, "source_ref": place, **more}  # fmt: skip


def with_projects(*rows: dict[str, Any], content: bytes = b"first") -> HandMade:
    """Return a return of these projects and of no ratings."""
    made = returned(content)
    made.tables = {"projects": typed("projects", list(rows))}
    return made


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An empty archive."""
    return Archive(tmp_path / "demo" / "archive")


def two(archive: Archive, old: HandMade, new: HandMade) -> tuple[Snapshot, Snapshot]:
    """Take a return and its correction."""
    first = take(old, archive=archive, organisation="demo")
    return first, take(new, archive=archive, organisation="demo", reason="a digit was lost")


def told(found: Difference, what: str) -> list[dict[str, Any]]:
    """Return what differs of one kind; what is not told is left out."""
    rows = found.rows[found.rows["what"].eq(what)].drop(columns="what").to_dict("records")
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def test_a_changed_cell_is_told_with_both_values_and_places(archive: Archive) -> None:
    """A cell that changed is told with its column, value, file, row and the sha256 of the file, before and now."""
    old, new = two(
        archive,
        with_projects(project("H1", row=2), project("H2", row=3)),
        with_projects(project("H1", row=2), project("H2", row=3, cost="1200.00"), content=b"second"),
    )
    assert told(difference(old, new=new), "row") == [
        {
            "change": "changed", "portfolio_id": "HWY", "table": "projects", "key": "H2",
            "column": "whole_life_cost_baseline", "old": "1000.10", "new": "1200.00",
            "old_ref": "file.xlsx, sheet projects, row 3", "new_ref": "file.xlsx, sheet projects, row 3",
            "old_sha256": digest_of(b"first"), "new_sha256": digest_of(b"second"),
        }
    ]  # fmt: skip


def test_rows_come_and_go_with_all_their_cells(archive: Archive) -> None:
    """A row that was added or removed is told whole; one that only moved in its file is counted and not told."""
    old, new = two(
        archive,
        with_projects(project("H1", row=2), project("H2", row=3)),
        with_projects(project("H2", row=2), project("H3", row=3, cost=None), content=b"second"),
    )
    found = difference(old, new=new)
    gone, came = told(found, "row")
    assert (gone["change"], gone["key"], gone["old_ref"]) == ("removed", "H1", "file.xlsx, sheet projects, row 2")
    assert json.loads(gone["old"])["whole_life_cost_baseline"] == "1000.10"
    assert (came["change"], came["key"], came["new_sha256"]) == ("added", "H3", digest_of(b"second"))
    assert json.loads(came["new"]) == {
        "portfolio_id": "HWY", "project_id": "H3", "name": "Project H3", "currency": "GBP",
    }  # fmt: skip
    assert "new" not in gone
    assert "old" not in came
    assert found.moved == {"projects": 1}
    assert found.counts == {"file changed": 1, "return changed": 2, "row added": 1, "row moved": 1, "row removed": 1}


def test_nothing_is_not_a_value(archive: Archive) -> None:
    """A cell that is blank on one side only changed; blank on both sides it did not."""
    old, new = two(
        archive,
        with_projects(project("H1", row=2, cost=None), project("H2", row=3)),
        with_projects(project("H1", row=2), project("H2", row=3, cost=None), content=b"second"),
    )
    found = [(each["key"], each.get("old"), each.get("new")) for each in told(difference(old, new=new), "row")]
    assert found == [("H1", None, "1000.10"), ("H2", "1000.10", None)]


def test_the_same_snapshot_does_not_differ(archive: Archive) -> None:
    """A snapshot does not differ from itself, and none of its tables is read for that."""
    snapshot = take(returned(), archive=archive, organisation="demo")
    for entry in snapshot.kept["tables"].values():
        archive.store.path(entry["sha256"]).unlink()
    found = difference(snapshot, new=snapshot)
    assert found.rows.empty
    assert found.counts == {}


def test_findings_and_rows_set_aside_come_and_go(archive: Archive) -> None:
    """A finding or a row set aside is told when it is new or gone, as often as it is; elsewhere it is the same one."""
    first, second = returned(), returned(b"second")
    known = {"severity": "error", "action": "quarantined", "message": "no such month", "fix": "correct it"}
    before = [Finding("file.xlsx", "projects", 3, "F3", "month", value="13", **known),
              Finding("file.xlsx", "projects", 4, "F4", "month", value="14", **known)]  # fmt: skip
    after = [dataclasses.replace(before[0], row=9, cell="F9"), dataclasses.replace(before[0], row=10, cell="F10")]
    columns = ["portfolio_id", "table", "source_ref", "key", "rules", "row"]
    first.findings, second.findings = findings_table(before), findings_table(after)
    aside = [("HWY", "projects", "file.xlsx, sheet projects, row 3", "H9", "month", '{"month": "13"}')]
    first.quarantined, second.quarantined = pd.DataFrame(aside, columns=columns), pd.DataFrame([], columns=columns)
    old, new = two(archive, first, second)
    found = difference(old, new=new)
    assert [(each["change"], each.get("old_ref"), each.get("new_ref")) for each in told(found, "finding")] == [
        ("went", "file.xlsx, sheet projects, cell F4", None),
        ("came", None, "file.xlsx, sheet projects, cell F10"),
    ]
    assert told(found, "finding")[0]["old"] == "month (error, quarantined): no such month: 14"
    assert [(each["change"], each["key"], each["old"]) for each in told(found, "set aside")] == [
        ("went", "H9", 'month: {"month": "13"}')
    ]


def test_returns_and_files_arrive_change_and_leave(archive: Archive) -> None:
    """A return that came, went or has another file or state is told by portfolio, and every file by its bytes."""
    first, second = returned(), returned()
    first.sources = (Source("a.csv", b"a"), Source("b.csv", b"b"))
    second.sources = (Source("a.csv", b"a2"), Source("c.csv", b"c"))
    columns = ["portfolio_id", "state", "file", "reason"]
    before = [
        ("HWY", "returned", "a.csv", ""),
        ("ICT", "not returned", "", "no file"),
        ("SEA", "returned", "b.csv", ""),
    ]
    after = [("HWY", "returned", "a.csv", ""), ("ICT", "returned", "c.csv", "")]
    first.returns, second.returns = pd.DataFrame(before, columns=columns), pd.DataFrame(after, columns=columns)
    old, new = two(archive, first, second)
    found = difference(old, new=new)
    assert [(each["portfolio_id"], each["change"], each["old"], each["new"]) for each in told(found, "return")] == [
        ("HWY", "changed", "returned", "returned"),
        ("ICT", "arrived", "not returned: no file", "returned"),
        ("SEA", "left", "returned", "not returned"),
    ]
    assert [(each["change"], each.get("old_ref"), each.get("new_ref")) for each in told(found, "file")] == [
        ("changed", "a.csv", "a.csv"), ("left", "b.csv", None), ("arrived", None, "c.csv"),
    ]  # fmt: skip
    assert told(found, "return")[0]["new_sha256"] == digest_of(b"a2")


NAMES = ("H1", "H2", "H3", "H4")
CELLS = st.fixed_dictionaries(
    {
        "whole_life_cost_baseline": st.none() | st.decimals(0, 10**12, places=2).map(str),
        "finish_baseline_on": st.none() | st.dates(date(2020, 1, 1), date(2040, 1, 1)),
        "sponsor": st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=4),
    }
)
SIDES = st.dictionaries(st.sampled_from(NAMES), CELLS, min_size=1)


@settings(max_examples=15)
@given(old=SIDES, new=SIDES)
def test_the_old_rows_and_the_difference_give_the_new_rows(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Whatever changed, the difference applied to the earlier rows gives the later ones, cell by cell."""
    with TemporaryDirectory() as folder:
        sides = [
            with_projects(*(project(name, row=n, cost=None) | cells for n, (name, cells) in enumerate(side.items(), 2)))
            for side in (old, new)
        ]
        first = take(sides[0], archive=Archive(Path(folder)), organisation="demo")
        second = take(sides[1], archive=Archive(Path(folder)), organisation="demo", reason="another")
        rows = plain_rows(sides[0])
        for each in told(difference(first, new=second), "row"):
            if each["change"] == "changed":
                rows[each["key"]][each["column"]] = each.get("new")
            elif each["change"] == "removed":
                assert json.loads(each["old"]) == {k: v for k, v in rows.pop(each["key"]).items() if v is not None}
            else:
                rows[each["key"]] = json.loads(each["new"])
    filled = {name: {k: v for k, v in cells.items() if v is not None} for name, cells in rows.items()}
    assert filled == {
        name: {k: v for k, v in cells.items() if v is not None} for name, cells in plain_rows(sides[1]).items()
    }


def plain_rows(made: HandMade) -> dict[str, dict[str, Any]]:
    """Return the projects of a return as texts, by id; without their places."""

    def plain(value: Any) -> str | None:
        if isinstance(value, Decimal):
            return f"{value:.2f}"
        if pd.isna(value):
            return None
        return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else str(value)

    rows = made.tables["projects"].drop(columns="source_ref").to_dict("records")
    return {row["project_id"]: {str(name): plain(value) for name, value in row.items()} for row in rows}


def test_every_kind_of_cell_is_compared(archive: Archive) -> None:
    """Of every contract table each column that is not of the key is compared, whatever its kind."""
    values: dict[str, tuple[Any, Any]] = {
        "money": ("1.00", "2.00"), "number": (1.5, 2.5), "share": (0.25, 0.5), "level": (1, 2), "whole": (7, 8),
        "date": (date(2026, 1, 1), date(2026, 1, 2)), "month": ("2026-01", "2026-02"), "flag": (True, False),
    }  # fmt: skip
    first, second = returned(), returned(b"second")
    for made, side in ((first, 0), (second, 1)):
        made.tables = {}
        for name, table in TABLES.items():
            row = {c.name: values.get(c.kind, ("a", "b"))[0 if c.name in table.key else side] for c in table.columns}
            made.tables[name] = typed(name, [row | {"source_ref": "file.xlsx, row 2"}])
    old, new = two(archive, first, second)
    found = difference(old, new=new)
    changed = {(each["table"], each["column"]) for each in told(found, "row")}
    assert changed == {
        (name, column) for name, table in TABLES.items() for column in {*table.names} - {*table.key, "source_ref"}
    }
    written = {each["column"]: (each["old"], each["new"]) for each in told(found, "row") if each["table"] == "projects"}
    assert written["whole_life_cost_baseline"] == ("1.00", "2.00")
    assert written["finish_baseline_on"] == ("2026-01-01", "2026-01-02")


def test_the_same_two_snapshots_give_the_same_bytes(archive: Archive) -> None:
    """The difference is canonical JSON: taken twice it has the same bytes, and turned round the same cells."""
    old, new = two(archive, returned(), returned(b"second", cost="2000.00"))
    once, again, back = difference(old, new=new), difference(old, new=new), difference(new, new=old)
    assert once.content == again.content
    assert json.loads(once.content)["counts"]["cell changed"] == 3
    turned = [(each["old"], each["new"]) for each in told(back, "row")]
    assert turned == [(each["new"], each["old"]) for each in told(once, "row")]


def test_corrections_are_told_in_order(archive: Archive) -> None:
    """Each correction of a period says who made it, when, why and what changed, as ledger and snapshots have it."""
    ids = []
    for number, cost in enumerate(("1000.10", "2000.00", "3000.00")):
        snapshot = take(
            returned(cost.encode(), cost=cost), archive=archive, organisation="demo", reason=f"reason {number}"
        )
        ids.append(snapshot.id)
        enter(Ledger(archive.root, f"operator {number}"), taken=snapshot.id, at=f"2026-10-0{number + 1}T09:00:00+00:00")
    ledger = Ledger(archive.root, "auditor")
    with ledger.held():
        first, second = corrections(archive, entries=ledger.entries, period="2026-09")
    assert [(one.old, one.new) for one in (first, second)] == [(ids[0], ids[1]), (ids[1], ids[2])]
    assert (second.entry, second.operator, second.at) == (3, "operator 2", "2026-10-03T09:00:00+00:00")
    assert (first.reason, second.reason) == ("reason 1", "reason 2")
    assert second.difference.counts["row changed"] == 3
    assert {each["new"] for each in told(second.difference, "row")} == {"3000.00"}
    assert corrections(archive, entries=[], period="2026-09")[0].operator == ""
    assert corrections(archive, entries=ledger.entries, period="2026-08") == []


def test_the_command_tells_corrections(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """``pmo corrections`` prints each correction with its cells, and all of it as JSON where that is asked for."""
    monkeypatch.setenv("PMO_OUTPUTS", str(archive.root.parents[1]))
    for cost in ("1000.10", "2000.00"):
        snapshot = take(
            returned(cost.encode(), cost=cost), archive=archive, organisation="demo", reason="a digit\x1b[2J was lost"
        )
        enter(Ledger(archive.root, "jo"), taken=snapshot.id, at="2026-10-02T09:00:00+00:00")
    asked = ["corrections", "--org", "demo", "--period", "2026-09"]
    plain = CliRunner().invoke(commands, asked)
    assert plain.exit_code == 0, plain.output
    assert "by jo at 2026-10-02T09:00:00+00:00 (entry 2)" in plain.output
    assert "projects HWY H1 whole_life_cost_baseline: 1000.10 → 2000.00 (file.xlsx, projects, row 2)" in plain.output
    assert "\x1b" not in plain.output
    document = json.loads(CliRunner().invoke(commands, [*asked, "--json"]).output)
    assert document["corrections"][0]["difference"]["counts"]["row changed"] == 3
    none = CliRunner().invoke(commands, [*asked[:-1], "2026-08"])
    assert isinstance(none.exception, StoreError)
    assert "no snapshot of 2026-08; there are: 2026-09" in str(none.exception)
