"""Snapshots: immutable, content-addressed, chained, and cheap to open for one portfolio."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st
from returns import HandMade, small_return, typed

from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import SnapshotRefused, StoreError
from pmo_lib.snapshots import Archive, empty_table, from_arrow, open_snapshot, take, to_arrow

if TYPE_CHECKING:
    from pathlib import Path

    from pmo_lib.snapshots import Snapshot

SEPTEMBER = date(2026, 9, 30)
PORTFOLIOS = {"HWY": ["H1", "H2"], "ICT": ["I1"]}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An empty archive."""
    return Archive(tmp_path / "archive")


def take_small(archive: Archive, period: str = "2026-09", **more: Any) -> Any:
    """Take the small return as a snapshot."""
    checked = small_return(period, SEPTEMBER, portfolios=PORTFOLIOS, **more)
    return take(checked, archive=archive, organisation="demo")


def test_values_come_back(archive: Archive) -> None:
    """What was typed comes back with the contract's dtypes; money is the same to the penny."""
    snapshot = take_small(archive)
    projects = snapshot.table("projects")
    assert list(projects.columns) == list(TABLES["projects"].names)
    assert projects.dtypes.astype(str).to_dict() == empty_table("projects").dtypes.astype(str).to_dict()
    assert projects["whole_life_cost_baseline"].tolist() == [1000.10] * 3
    assert projects["finish_baseline_on"].tolist() == [pd.Timestamp(2027, 3, 31)] * 3
    assert projects["sponsor"].isna().all()


def test_one_portfolio_is_the_rows_of_that_portfolio(archive: Archive) -> None:
    """Opening one portfolio gives exactly its rows, for every table."""
    snapshot = take_small(archive)
    assert snapshot.table("projects", portfolio="HWY")["project_id"].tolist() == ["H1", "H2"]
    assert snapshot.table("status", portfolio="ICT")["project_id"].tolist() == ["I1"]
    assert snapshot.table("risks", portfolio="ICT").empty
    assert snapshot.portfolios == ("HWY", "ICT")


def test_projects_of_others_come_after_our_own(archive: Archive) -> None:
    """Asked for some projects of another portfolio, a table holds our rows and then theirs, and no other of theirs."""
    snapshot = take_small(archive)
    rows = snapshot.rows("projects", portfolio="ICT", others={"HWY": {"H2", "no such project"}})
    assert rows["project_id"].to_pylist() == ["I1", "H2"]
    assert snapshot.rows("projects", portfolio="HWY", others={"ICT": ()})["project_id"].to_pylist() == ["H1", "H2"]
    assert snapshot.rows("risks", portfolio="ICT", others={"HWY": {"H2"}}) is None


def test_opening_one_portfolio_reads_little(archive: Archive) -> None:
    """Of 200 portfolios with 300 rows each, opening one touches one row group of a table, not the table."""
    rows = [
        {"portfolio_id": f"P{p:03}", "project_id": f"P{p:03}-{n:03}", "name": "x", "currency": "GBP"}
        for p in range(200)
        for n in range(300)
    ]
    checked = dataclasses.replace(
        small_return("2026-09", SEPTEMBER, portfolios={"P000": []}), tables={"projects": typed("projects", rows)}
    )
    snapshot = take(checked, archive=archive, organisation="demo")
    metadata = pq.ParquetFile(archive.store.path(snapshot.manifest["tables"]["projects"]["sha256"])).metadata
    groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
    holding = [g for g in groups if g.column(0).statistics.min <= "P117" <= g.column(0).statistics.max]
    assert sum(g.total_byte_size for g in holding) < 0.03 * sum(g.total_byte_size for g in groups)
    assert len(snapshot.table("projects", portfolio="P117")) == 300


def test_same_return_same_id(tmp_path: Path) -> None:
    """The id depends on what was returned alone: another folder and another order of rows give the same id."""
    first = take_small(Archive(tmp_path / "one"))
    checked = small_return("2026-09", SEPTEMBER, portfolios=PORTFOLIOS)
    shuffled = {name: rows.iloc[::-1].reset_index(drop=True) for name, rows in checked.tables.items()}
    second = take(dataclasses.replace(checked, tables=shuffled), archive=Archive(tmp_path / "two"), organisation="demo")
    assert first.id == second.id


def test_second_ingest_needs_a_reason(archive: Archive) -> None:
    """A period is taken again only with a reason; the first snapshot stays, and the newest supersedes it."""
    first = take_small(archive)
    with pytest.raises(SnapshotRefused, match="has a snapshot"):
        take_small(archive, cost="2000.00")
    checked = small_return("2026-09", SEPTEMBER, portfolios=PORTFOLIOS, cost="2000.00")
    second = take(checked, archive=archive, organisation="demo", reason="the finance team corrected H1")
    assert second.manifest["supersedes"] == first.id
    assert second.manifest["reason"] == "the finance team corrected H1"
    assert open_snapshot(archive, period="2026-09").id == second.id
    assert (
        open_snapshot(archive, period="2026-09", snapshot=first.id).table("projects")["whole_life_cost_baseline"][0]
        == 1000.10
    )


def test_same_return_again_is_no_correction(archive: Archive) -> None:
    """Ingesting the very same return again changes nothing and needs no reason."""
    assert take_small(archive).id == take_small(archive).id
    assert len(archive.manifests("2026-09")) == 1


def test_chain_goes_back_as_reported(archive: Archive) -> None:
    """Earlier periods are read as they stood when this one was taken, also after a later correction."""
    first = take_small(archive, "2026-07")
    second = take_small(archive, "2026-08")
    corrected = small_return("2026-07", SEPTEMBER, portfolios=PORTFOLIOS, cost="7.00")
    restated = take(corrected, archive=archive, organisation="demo", reason="late return")
    assert [snapshot.id for snapshot in second.chain()] == [first.id, second.id]
    assert [snapshot.id for snapshot in take_small(archive, "2026-09").chain()] == [
        first.id,
        second.id,
        take_small(archive, "2026-09").id,
    ]
    assert restated.id != first.id


def test_flipped_bit_is_noticed(archive: Archive) -> None:
    """A flipped bit in a table's data is an error on reading and on checking, never another value."""
    snapshot = take_small(archive)
    path = archive.store.path(snapshot.manifest["tables"]["projects"]["sha256"])
    whole = path.read_bytes()
    path.chmod(0o644)
    expected = snapshot.table("projects")
    wrong = []
    footer = int.from_bytes(whole[-8:-4], "little")
    for place in range(4, len(whole) - 8, 29):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(bytes(damaged))
        with pytest.raises(StoreError):
            snapshot.check()
        if place < len(whole) - 8 - footer:  # the footer has no checksum of its own: there the sha256 is the guard
            try:
                same = snapshot.table("projects").equals(expected)
            except (StoreError, ValueError):
                continue
            if not same:
                wrong.append(place)
    assert wrong == []


def test_altered_manifest_is_refused(archive: Archive) -> None:
    """A manifest is named by its bytes: altered ones are not opened."""
    snapshot = take_small(archive)
    path = archive.root / "snapshots" / "2026-09" / f"{snapshot.id}.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"2026-09-30", b"2026-09-29"))
    with pytest.raises(StoreError, match="altered"):
        open_snapshot(archive, period="2026-09")


def test_missing_period_says_which_there_are(archive: Archive) -> None:
    """Asking for a period without a snapshot names the periods that have one."""
    take_small(archive, "2026-08")
    with pytest.raises(StoreError, match="there are: 2026-08"):
        open_snapshot(archive, period="2026-09")
    with pytest.raises(StoreError, match="outside"):
        archive.manifests("../../../x")


def test_intake_tables_come_back(archive: Archive) -> None:
    """The books of the intake are part of the snapshot."""
    snapshot = take_small(archive)
    assert snapshot.intake_table("accounting")["used"].tolist() == [2, 1]
    assert snapshot.intake_table("returns")["state"].tolist() == ["returned", "returned"]
    assert snapshot.intake_table("findings").empty


MONEY = st.decimals(min_value=-(10**12), max_value=10**12, places=2)


@given(amounts=st.lists(st.one_of(st.none(), MONEY), min_size=1, max_size=20))
def test_money_keeps_its_pennies(amounts: list[Decimal | None]) -> None:
    """Money on disk has exactly the pennies that were typed; null stays null."""
    rows = [
        {"portfolio_id": "P", "project_id": str(n), "name": "x", "currency": "GBP", "budget_at_completion": a}
        for n, a in enumerate(amounts)
    ]
    arrow = to_arrow(typed("projects", rows), table=TABLES["projects"])
    assert arrow["budget_at_completion"].to_pylist() == amounts


def test_rows_of_an_older_contract_stay_readable() -> None:
    """A column that the contract took up later is null in rows stored before; nothing else changes."""
    for name in ("projects", "tasks"):
        table = TABLES[name]
        rows = typed(name, [{"portfolio_id": "P", "project_id": "1", "name": "x"}])
        whole = to_arrow(rows, table=table)
        for column in table.names:
            read = from_arrow(whole.drop_columns([column]), table=table)
            assert read[column].isna().all(), column
            pd.testing.assert_frame_equal(
                read.drop(columns=column), from_arrow(whole, table=table).drop(columns=column)
            )
            assert (read.dtypes == empty_table(name).dtypes).all()


def test_source_bytes_are_kept(archive: Archive, tmp_path: Path) -> None:
    """The returned files themselves are in the store, byte for byte, under the digest in the manifest."""
    from pmo_lib.contracts.returned import SourceFile

    path = tmp_path / "return.csv"
    path.write_bytes(b"id,name\n1,\xe9\n")
    checked: HandMade = small_return("2026-09", SEPTEMBER, portfolios=PORTFOLIOS)
    with_source = dataclasses.replace(checked, sources=(SourceFile("return.csv", "", path.stat().st_size, path),))
    snapshot = take(with_source, archive=archive, organisation="demo")
    (entry,) = snapshot.manifest["sources"]
    assert archive.store.get(entry["sha256"]) == path.read_bytes()


# --- how portfolios stand over the periods ---------------------------------------------------------------------------

Held = dict[str, list[str]]
HELD = st.fixed_dictionaries({}, optional={name: st.just([f"{name}1", f"{name}2"]) for name in "ABC"}).filter(bool)


def chained(archive: Archive, months: list[Held]) -> Snapshot:
    """Take a snapshot a month; a portfolio of an earlier month that is silent is stated as such every second time."""
    before: set[str] = set()
    for number, held in enumerate(months, start=1):
        checked = small_return(f"2026-{number:02}", date(2026, number, 28), portfolios=held)
        silent = sorted(before - set(held)) if number % 2 else []
        for name in silent:
            checked.returns.loc[len(checked.returns)] = [name, "not returned", "", "nothing came"]
        newest = take(checked, archive=archive, organisation="demo")
        before |= set(held)
    return newest


@settings(max_examples=25, deadline=None)
@given(months=st.lists(st.one_of(HELD, st.just({"A": ["A1", "A2", "B1", "B2"]})), min_size=1, max_size=5))
def test_one_portfolio_stands_as_among_all(tmp_path_factory: pytest.TempPathFactory, months: list[Held]) -> None:
    """How a portfolio stood is the same asked for alone as read off the history of all of them."""
    snapshot = chained(Archive(tmp_path_factory.mktemp("chain")), months)
    every = snapshot.returns_history
    for name in "ABCD":
        own = every[every["portfolio_id"].eq(name)].reset_index(drop=True)
        alone = snapshot.standing(name)
        assert alone.to_dict("records") == own.to_dict("records")
        assert own.empty or alone.dtypes.to_dict() == own.dtypes.to_dict()
        assert snapshot.reports(name) == (name in snapshot.reportable)


def test_a_portfolio_that_returned_needs_no_other(archive: Archive) -> None:
    """Whether a portfolio that returned has a page is told without the projects of the others, and of other months."""
    snapshot = chained(archive, [{"A": ["A1"], "B": ["B1"]}, {"A": ["A1"]}, {"A": ["A1"]}])
    for one in snapshot.chain():
        archive.store.path(one.manifest["tables"]["projects"]["sha256"]).unlink(missing_ok=True)
    assert snapshot.reports("A")
    assert snapshot.standing("A")["known"].tolist() == ["2026-01", "2026-02", "2026-03"]
    with pytest.raises((StoreError, FileNotFoundError)):
        snapshot.reports("B")
