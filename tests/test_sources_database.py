"""A database as the source: the same tables give the same snapshot, nothing is written, and nothing secret is told."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import socket
import sqlite3
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from databases import ADDRESS, PASSWORD, USER, Server, cells_of, fill_postgresql, fill_sqlite
from hypothesis import given, strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from pmo_lib.cli import commands
from pmo_lib.contracts.returned import Checked
from pmo_lib.demo import Size, write_returns
from pmo_lib.errors import ParameterError, PmoError, SnapshotRefused, SourceError
from pmo_lib.intake.check import check
from pmo_lib.parameters.load import load_mapping, load_organisation
from pmo_lib.parameters.mapping import Database, Mapping
from pmo_lib.snapshots import Archive, Snapshot, logical_digest, take
from pmo_lib.sources.database import _in_order, read_database
from pmo_lib.sources.grid import Grid

ROOT = Path(__file__).resolve().parents[1]
PERIOD = "2026-09"
TABLES_IN = {
    "portfolios": (["portfolio_id", "name", "currency", "level"], [["A", "Alpha", "GBP", "portfolio"]]),
    "projects": (
        ["portfolio_id", "project_id", "name", "currency", "budget_at_completion", "finish_forecast_on"],
        [
            ["A", "P2", "Bridge", "GBP", 1234567.89, date(2027, 3, 31)],
            ["A", "P1", "Road", "GBP", None, date(2026, 12, 1)],
        ],
    ),
    "status": (
        ["portfolio_id", "project_id", "status_date", "assessor_role", "rating", "rating_scale"],
        [
            ["A", "P1", date(2026, 9, 30), "PM", "green", "three-point"],
            ["A", "P2", date(2026, 9, 30), "PM", "amber", "three-point"],
        ],
    ),
}


@pytest.fixture(scope="module")
def small_server(server: Server) -> Server:
    """The server with the small tables in the database ``small``."""
    fill_postgresql(server, database="small", tables=TABLES_IN)
    return server


@pytest.fixture(scope="module")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the small tables."""
    path = tmp_path_factory.mktemp("small") / "small & % file.db"
    fill_sqlite(path, tables=TABLES_IN)
    return path


@pytest.fixture(params=["postgresql", "sqlite"])
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The small tables in each kind of database, named by the environment."""
    if request.param == "sqlite":
        monkeypatch.setenv(ADDRESS, f"sqlite:///{request.getfixturevalue('small_file')}")
    else:
        monkeypatch.setenv(ADDRESS, request.getfixturevalue("small_server").address("small"))
    return str(request.param)


def database(seconds: int = 60, **tables: Any) -> Database:
    """Return the mapping's part on a database; a table is its own name unless said otherwise."""
    chosen = tables or {name: name for name in TABLES_IN}
    return Database.model_validate({"connection": f"env:{ADDRESS}", "timeout_seconds": seconds, "tables": chosen})


def mapping(**tables: Any) -> Mapping:
    """Return a whole mapping of a database."""
    return Mapping.model_validate({"name": "house", "database": database(**tables).model_dump()})


def returned(source: list[Path], *, own: Mapping | None = None, period: str | None = PERIOD) -> Checked:
    """Return the one checked return of a source."""
    (checked,) = check(source, organisation=load_organisation(ROOT, org="demo"), mapping=own, period=period)
    return checked


def one_table(query: str, *, seconds: int = 60, period: str | None = None) -> Grid:
    """Return the grid of one query, as the contract table status."""
    _, (grid,) = read_database(database(seconds, status={"query": query}), name="house", period=period)
    return grid


# --- the same snapshot ----------------------------------------------------------------------------------------


def spoil(path: Path) -> None:
    """Put into a workbook what a return may hold besides plain values: a state, a range, and three faults."""
    workbook = openpyxl.load_workbook(path)
    sheet = workbook["projects"]
    places = {cell.value: cell.column for cell in sheet[1]}
    sheet.cell(2, places["whole_life_cost_forecast"], "withheld: section 43")
    sheet.cell(2, places["budget_at_completion"], "Low: 100.00, Mid: 200.00, High: 300.10")
    sheet.cell(3, places["start_baseline_on"], "31/12/2025")
    status = workbook["status"]
    places = {cell.value: cell.column for cell in status[1]}
    status.cell(2, places["rating"], "turquoise")
    status.cell(3, places["project_id"]).value = None
    workbook.save(path)


@pytest.fixture(scope="module")
def workbooks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The demo's returns of one period, two portfolios, one of them spoilt."""
    paths = write_returns(
        tmp_path_factory.mktemp("returns"), size=Size(periods=1, portfolios=2, projects=6), faulty=False
    )
    spoil(paths[0])
    return paths


@pytest.fixture(scope="module")
def of_workbooks(workbooks: list[Path]) -> Checked:
    """What the workbooks come to."""
    return returned(list(workbooks))


@pytest.fixture(scope="module", params=["postgresql", "sqlite"])
def of_database(
    request: pytest.FixtureRequest, workbooks: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Checked:
    """What the same tables come to when they are read from a database."""
    tables = cells_of(workbooks)
    path = tmp_path_factory.mktemp("demo") / "demo.db"
    address = f"sqlite:///{path}"
    if request.param == "sqlite":
        fill_sqlite(path, tables=tables)
    else:
        server: Server = request.getfixturevalue("server")
        fill_postgresql(server, database="demo", tables=tables)
        address = server.address("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ADDRESS, address)
        return returned([], own=mapping(**{name: name for name in tables}))


def digests(checked: Checked, *, folder: Path) -> dict[str, str]:
    """Take a snapshot and return the logical hash of each of its tables, leaving out where the rows stood."""
    snapshot = take(checked, archive=Archive(folder), organisation="demo")
    found = {}
    for name, entry in snapshot.manifest["tables"].items():
        arrow = pq.read_table(io.BytesIO(snapshot.archive.store.get(entry["sha256"])))
        assert logical_digest(arrow) == entry["logical_sha256"]
        found[name] = logical_digest(
            arrow.drop_columns(["source_ref"]) if "source_ref" in arrow.column_names else arrow
        )
    return found


def test_the_snapshot_is_that_of_the_workbooks(of_workbooks: Checked, of_database: Checked, tmp_path: Path) -> None:
    """The same tables from a database give the same logical hashes as from workbooks, of all tables."""
    expected = digests(of_workbooks, folder=tmp_path / "workbooks")
    assert digests(of_database, folder=tmp_path / "database") == expected
    assert {"projects", "finance", "risks", "tasks", "states"} <= expected.keys()
    assert of_database.status_date == of_workbooks.status_date


def test_the_findings_are_those_of_the_workbooks(of_workbooks: Checked, of_database: Checked) -> None:
    """A database is checked as a file is: the same findings, of the same rows, with the same action."""
    columns = ["rule", "table", "column", "portfolio_id", "key", "severity", "action", "message", "value"]
    told = [Counter(each.findings[columns].itertuples(index=False, name=None)) for each in (of_workbooks, of_database)]
    assert told[0] == told[1]
    assert {name[0] for name in told[0]} >= {"date", "value-missing"}
    assert len(of_database.quarantined) == 1
    rows = [each.accounting.query("table not in @UNITS").reset_index(drop=True) for each in (of_workbooks, of_database)]
    pd.testing.assert_frame_equal(*rows)


UNITS = ["portfolios", "programmes", "lineage"]


def test_every_row_names_its_table_and_key(of_database: Checked) -> None:
    """A source_ref leads to one row: database, contract table, and the key that stands in the row itself."""
    finance = of_database.tables["finance"]
    row = finance.iloc[0]
    key = [row[name] for name in ("portfolio_id", "owner_id") if name in finance]
    assert row["source_ref"].startswith(f"db:house/finance#{key[0]}|")
    every = pd.concat([table["source_ref"] for name, table in of_database.tables.items() if name != "states"])
    assert every.is_unique
    assert every.str.match(r"db:house/[a-z_]+#.+").all()


def test_a_finding_names_the_cell(of_database: Checked) -> None:
    """A finding in a database names contract table, number of the row, and the column of which key."""
    (finding,) = of_database.findings.query("rule == 'date' or column == 'start_baseline_on'").itertuples()
    assert (finding.file, finding.sheet) == ("db:house", "projects")
    assert finding.cell == f"start_baseline_on of {finding.portfolio_id}|{finding.key}"
    assert finding.value == "31/12/2025"


def test_what_was_read_is_kept(small: str, tmp_path: Path) -> None:
    """The snapshot keeps what the database said, under its digest; taking it twice is one snapshot."""
    archive = Archive(tmp_path)
    first, again = (take(returned([], own=mapping()), archive=archive, organisation="demo") for _ in range(2))
    assert first.id == again.id
    (entry,) = first.manifest["sources"]
    kept = json.loads(archive.store.get(entry["sha256"]))
    projects = next(table for table in kept["tables"] if table["table"] == "projects")
    assert [row[1] for row in projects["rows"]] == ["P1", "P2"]
    exact = {"postgresql": {"decimal": "1234567.89"}, "sqlite": 1234567.89}
    assert projects["rows"][1][4] == exact[small]
    assert entry["name"] == "db:house"


# --- types ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("small", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("small")
def test_postgresql_cells_are_exact() -> None:
    """Numbers keep every digit, days and flags their kind, moments with a zone are in UTC, a UUID is its text."""
    grid = one_table(
        "SELECT 12345678901234567890.12::numeric AS n, 'NaN'::numeric AS nan, 1e400::numeric AS big,"
        " date '2026-09-30' AS d, true AS f, timestamptz '2026-09-30 23:30-05' AS z, timestamp '2026-09-30 12:00' AS t,"
        " 'Infinity'::float8 AS inf, 7 AS i, 0.1::float8 AS x, ' a ' AS s, NULL AS nothing, interval '1 day' AS days,"
        " 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS u, '12:30'::text AS colon"
    )
    cells = dict(zip(grid.rows[0], grid.rows[1], strict=True))
    assert cells["n"] == Decimal("12345678901234567890.12")
    assert isinstance(cells["nan"], Decimal)
    assert cells["nan"].is_nan()
    assert cells["big"] == Decimal("1e400")
    assert cells["d"] == date(2026, 9, 30)
    assert cells["f"] is True
    assert cells["z"] == datetime(2026, 10, 1, 4, 30)  # noqa: DTZ001 (UTC, stated)
    assert cells["t"] == datetime(2026, 9, 30, 12, 0)  # noqa: DTZ001 (no zone, as in the table)
    assert cells["inf"] == Decimal("Infinity")
    assert (cells["i"], cells["x"], cells["s"], cells["nothing"]) == (7, 0.1, " a ", None)
    assert cells["days"] == timedelta(days=1)
    assert cells["u"] == "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    assert cells["colon"] == "12:30"


@pytest.mark.parametrize("small", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("small")
def test_sqlite_cells_are_what_the_file_holds() -> None:
    """SQLite's numbers and texts come as they are stored: a text is never made a number."""
    grid = one_table("SELECT 1 AS i, 0.1 AS x, '001' AS s, '1234.50' AS exact, NULL AS n, 9e999 AS inf")
    assert grid.rows[1] == [1, 0.1, "001", "1234.50", None, Decimal("Infinity")]


@pytest.mark.parametrize(
    ("small", "value", "kind"),
    [
        ("postgresql", "'x'::bytea", "bytes"),
        ("postgresql", "'{1,2}'::int[]", "list"),
        ("postgresql", "'{\"a\": 1}'::jsonb", "dict"),
        ("sqlite", "x'00ff'", "bytes"),
    ],
    indirect=["small"],
)
def test_what_is_no_single_value_is_refused(small: str, value: str, kind: str) -> None:
    """Bytes, arrays and documents are no cells: the error names table and column and says what to do."""
    with pytest.raises(SourceError, match=f"db:house/status, column thing: holds {kind}.*as text"):
        one_table(f"SELECT {value} AS thing")


# --- order ----------------------------------------------------------------------------------------------------


def test_rows_come_in_the_order_of_their_key(small: str) -> None:
    """Rows are in order of their contract key as text, whatever the query says; rows of one key are told apart."""
    grid = one_table(
        "SELECT * FROM (SELECT 'b' AS portfolio_id, 'P1' AS project_id, 1 AS x UNION ALL SELECT 'B', 'P1', 2 UNION ALL"
        " SELECT 'a', 'P2', 4 UNION ALL SELECT 'a', 'P2', 3 UNION ALL SELECT NULL, NULL, 9) rows ORDER BY x DESC"
    )
    assert [row[2] for row in grid.rows[1:]] == [9, 2, 3, 4, 1]
    assert grid.keys == ("no key", "B|P1", "a|P2", "a|P2 (2)", "b|P1")


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b", None]), st.integers(0, 3)), max_size=12), st.randoms())
def test_the_order_is_the_rows_own(rows: list[tuple[str | None, int]], random: Any) -> None:
    """However a database hands the rows over, they come out in one order, none lost, each with a name of its own."""
    shuffled = list(rows)
    random.shuffle(shuffled)
    first, again = (
        _in_order([list(row) for row in each], header=["project_id", "x"], key=("project_id",))
        for each in (rows, shuffled)
    )
    assert [[row[0] or "", row[1]] for row in first[0]] == [[row[0] or "", row[1]] for row in again[0]]
    assert first[1] == again[1]
    assert len(set(first[1])) == len(first[0]) == len(rows)


def test_two_columns_of_one_name_are_found(small: str) -> None:
    """A query that gives a column twice is refused as a workbook with two such headers is."""
    query = "SELECT s.*, 'red' AS rating FROM status s"
    with pytest.raises(SnapshotRefused, match="the column rating is there twice"):
        returned([], own=mapping(portfolios="portfolios", projects="projects", status={"query": query}))


# --- what is asked for ----------------------------------------------------------------------------------------


def test_a_query_may_ask_for_the_period(small: str) -> None:
    """:period in a query is the month that is asked for; without one the error says how to name it."""
    query = "SELECT * FROM status WHERE CAST(status_date AS text) LIKE :period || '%'"
    assert len(one_table(query, period="2026-09").rows) == 3
    assert len(one_table(query, period="2026-10").rows) == 1
    with pytest.raises(ParameterError, match=r"db:house/status: the query asks for :period and no.*--period"):
        one_table(query)
    with pytest.raises(ParameterError, match="the query asks for :month, and only :period is given"):
        one_table("SELECT * FROM status WHERE rating = :month")


def test_a_table_may_stand_in_a_schema_or_be_a_view(small: str) -> None:
    """A table is named with its schema where it has one."""
    schema = {"postgresql": "public", "sqlite": "main"}[small]
    _, (grid,) = read_database(database(status=f"{schema}.status"), name="house")
    assert len(grid.rows) == 3


def test_another_period_is_refused(small: str) -> None:
    """A database whose rows speak of another month than the one asked for is refused, not taken for it."""
    with pytest.raises(SnapshotRefused, match="the return speaks of 2026-09, not of 2026-10"):
        returned([], own=mapping(), period="2026-10")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tables": {}}, "at least 1"),
        ({"tables": {"projcts": "projects"}}, "no contract table of that name"),
        ({"tables": {"states": "states"}}, "written by intake"),
        ({"tables": {"status": {}}}, "no origin or two"),
        ({"tables": {"status": {"table": "a", "query": "SELECT 1"}}}, "no origin or two"),
        ({"tables": {"status": {"query": "DELETE FROM status"}}}, "only reads"),
        ({"tables": {"status": {"query": "SELECT 1; COMMIT; DELETE FROM status"}}}, "only reads"),
        ({"tables": {"status": "status"}, "timeout_seconds": 0}, "greater than or equal to 1"),
    ],
)
def test_a_mapping_that_cannot_be_read_is_refused(given: dict[str, Any], words: str) -> None:
    """A mapping names contract tables, each with one origin, by a query that only reads."""
    with pytest.raises(ValidationError, match=words):
        Database.model_validate({"connection": "env:X", **given})


def test_a_mapping_reads_files_or_a_database() -> None:
    """A mapping has sheets or a database, never neither and never both."""
    own = {"connection": "env:X", "tables": {"status": "status"}}
    with pytest.raises(ValidationError, match="it reads nothing"):
        Mapping.model_validate({"name": "house"})
    with pytest.raises(ValidationError, match="a database has no files"):
        Mapping.model_validate({"name": "house", "database": own, "files": {"pattern": ".*"}})


# --- nothing is written, one moment ---------------------------------------------------------------------------


class Meanwhile(dict[str, Any]):
    """Tables of a mapping; between the first and the second, somebody else writes."""

    def __init__(self, tables: dict[str, Any], write: Callable[[], None]) -> None:
        super().__init__(tables)
        self.write = write

    def items(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]
        """Yield the tables, with a pause in which somebody writes."""
        for number, item in enumerate(super().items()):
            if number == 1:
                self.write()
            yield item


@pytest.fixture(params=["postgresql", "sqlite"])
def write(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A database of this test alone, named by the environment, and a way for somebody else to write to it."""
    if request.param == "sqlite":
        path = tmp_path / "live.db"
        fill_sqlite(path, tables=TABLES_IN)
        monkeypatch.setenv(ADDRESS, f"sqlite:///{path}")

        def to_file(statement: str) -> None:
            connection = sqlite3.connect(path)
            connection.execute(statement)
            connection.commit()
            connection.close()

        to_file("PRAGMA journal_mode = WAL")
        return to_file
    server: Server = request.getfixturevalue("server")
    fill_postgresql(server, database=f"live_{len(request.node.name)}", tables=TABLES_IN)
    monkeypatch.setenv(ADDRESS, server.address(f"live_{len(request.node.name)}"))

    def to_server(statement: str) -> None:
        with server.connect(f"live_{len(request.node.name)}") as connection:
            connection.execute(statement)

    return to_server


def test_all_tables_show_one_moment(write: Callable[[str], None]) -> None:
    """What somebody commits between the reading of two tables is not seen; the next reading sees it."""
    own = database()
    paused = own.model_copy(update={"tables": Meanwhile(own.tables, lambda: write("DELETE FROM status"))})
    assert [len(grid.rows) for grid in read_database(paused, name="house")[1]] == [2, 3, 3]
    assert [len(grid.rows) for grid in read_database(own, name="house")[1]] == [2, 3, 1]


def test_nothing_can_be_written(write: Callable[[str], None]) -> None:
    """A query that slips a change past the mapping is refused by the database itself, and nothing is changed."""
    if os.environ[ADDRESS].startswith("postgresql"):  # a function may do what a SELECT may not
        write("CREATE FUNCTION wipe() RETURNS integer LANGUAGE sql AS 'DELETE FROM status; SELECT 1'")
        with pytest.raises(SourceError, match="cannot execute DELETE in a read-only transaction"):
            one_table("SELECT wipe()")
    for statement in ("DELETE FROM status", "CREATE TABLE mine (a integer)"):
        sly = database().tables["status"].model_copy(update={"table": None, "query": statement})
        with pytest.raises(SourceError, match="db:house/status: the query fails"):
            read_database(database().model_copy(update={"tables": {"status": sly}}), name="house")
    _, (grid,) = read_database(database(status="status"), name="house")
    assert len(grid.rows) == 3
    with pytest.raises(SourceError, match="no table or view 'mine'"):
        read_database(database(status="mine"), name="house")


# --- clear errors, no secret ----------------------------------------------------------------------------------


def told(error: PmoError) -> str:
    """Return all that a caller could print, log or keep of an error."""
    return "\n".join([str(error), repr(error), json.dumps(error.data, default=str), *traceback.format_exception(error)])


WRONG_QUERIES = [
    ("SELECT nope FROM status", r"db:house/status: the query fails: .*nope"),
    ("SELECT * FROM stattus", r"db:house/status: the query fails: .*stattus"),
    ("SELECT FROM WHERE", r"db:house/status: the query fails: .*syntax error"),
]


@pytest.mark.parametrize(("query", "words"), WRONG_QUERIES)
def test_a_wrong_query_is_an_error_with_the_databases_words(small: str, query: str, words: str) -> None:
    """An unknown column, an unknown table or a slip in a query is told in the database's words."""
    with pytest.raises(SourceError, match=words) as caught:
        one_table(query)
    assert PASSWORD not in told(caught.value)


def test_an_unknown_table_is_an_error_with_a_suggestion(small: str) -> None:
    """A table that is not there is named, with the nearest one that is."""
    with pytest.raises(SourceError, match=r"db:house/status: the database shows no table or view 'statuses'.*'status'"):
        read_database(database(status="statuses"), name="house")


def test_a_missing_column_is_a_finding(small: str) -> None:
    """A table without a column that the contract needs is refused with a finding that names both."""
    own = mapping(
        portfolios="portfolios", projects={"query": "SELECT portfolio_id, name FROM projects"}, status="status"
    )
    with pytest.raises(SnapshotRefused) as caught:
        returned([], own=own)
    missing = caught.value.data["findings"].query("rule == 'column-missing'")
    assert "project_id" in set(missing["column"])
    assert set(missing["file"]) == {"db:house"}
    assert set(missing["sheet"]) == {"projects"}


ENDLESS = {
    "postgresql": "SELECT pg_sleep(60)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
}


def test_a_query_that_takes_too_long_is_stopped(small: str) -> None:
    """A query is stopped at the limit of the mapping, which the error names."""
    with pytest.raises(SourceError, match=r"db:house/status: the query takes longer than 1 s.*timeout_seconds"):
        one_table(ENDLESS[small], seconds=1)


def silent() -> tuple[socket.socket, int]:
    """Return a port that takes connections and never says a word."""
    listening = socket.create_server(("127.0.0.1", 0))
    return listening, listening.getsockname()[1]


def unreachable(server: Server) -> Iterator[tuple[str, str]]:
    """Yield addresses that lead nowhere, and what is told of each."""
    listening, port = silent()
    with listening:
        free, closed = silent()
        free.close()
        own = f"{USER}:{PASSWORD}"
        yield f"postgresql://{own}@127.0.0.1:{closed}/x", "nothing listens at that address"
        yield f"postgresql://{own}@127.0.0.1:{port}/x", "no answer within 1 s"
        yield f"postgresql://{own}@/x?host=/nowhere", "nothing listens at that socket"
        yield f"postgresql+psycopg://{own}@host.invalid/x", "the host is not known"
        yield server.address("x"), "the server does not have this database"
        yield server.address("postgres", password=PASSWORD * 2), "the server does not admit this user"
        yield f"postgresql://{own}@127.0.0.1:{closed}/x?sslmode=nonsense", "the encryption that is asked for fails"


def test_a_database_out_of_reach_is_told_without_its_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why a database cannot be reached is told; host, port, user, password and database never are."""
    for address, words in unreachable(server):
        monkeypatch.setenv(ADDRESS, address)
        with pytest.raises(SourceError, match=f"db:house: cannot be reached: {words}.*{ADDRESS}") as caught:
            read_database(database(1), name="house")
        for secret in (PASSWORD, USER, "127.0.0.1", "/nowhere", "host.invalid", address):
            assert secret not in told(caught.value), words


@pytest.mark.parametrize(
    "address", [PASSWORD, f"mysql://{USER}:{PASSWORD}@host/x", "sqlite://", "://", f"x:{PASSWORD}:y"]
)
def test_what_is_no_address_is_told_without_it(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that holds no address of a database that is read is named, its value never."""
    monkeypatch.setenv(ADDRESS, address)
    with pytest.raises(ParameterError, match=f"the variable {ADDRESS} holds no address") as caught:
        read_database(database(), name="house")
    assert PASSWORD not in told(caught.value)


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its variable the database is not guessed: the error says which one to set, and how."""
    monkeypatch.delenv(ADDRESS, raising=False)
    with pytest.raises(ParameterError, match=f"db:house: the environment has no variable {ADDRESS} → set it to"):
        read_database(database(), name="house")


def test_no_file_is_made_where_none_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A SQLite file that is not there is an error, not a new empty file; what is no database says so."""
    monkeypatch.setenv(ADDRESS, f"sqlite:///{tmp_path}/absent.db")
    with pytest.raises(SourceError, match="db:house: there is no file where the variable") as caught:
        read_database(database(), name="house")
    assert str(tmp_path) not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "absent.db").write_text("portfolio_id,name\n" * 100, encoding="utf-8")
    with pytest.raises(SourceError, match="file is not a database"):
        read_database(database(), name="house")


def test_an_address_in_a_mapping_is_refused_and_not_repeated(tmp_path: Path) -> None:
    """An address that stands in the mapping instead of a reference is refused, and the message does not hold it."""
    sources = tmp_path / "parameters" / "demo" / "sources"
    sources.mkdir(parents=True)
    (tmp_path / "parameters" / "demo" / "organisation.yml").write_text("id: demo\nname: Demo\n", encoding="utf-8")
    for address in (f"postgresql://{USER}:{PASSWORD}@h/x", f"postgresql://h/x?password={PASSWORD}", PASSWORD):
        text = f"name: house\ndatabase:\n  connection: '{address}'\n  tables: {{status: status}}\n"
        (sources / "house.yml").write_text(text, encoding="utf-8")
        with pytest.raises(ParameterError, match=r"line 3.*keep it in the environment.*env:NAME") as caught:
            load_mapping(tmp_path, org="demo", name="house")
        assert PASSWORD not in told(caught.value)


def test_no_part_of_the_address_is_kept(small: str, tmp_path: Path) -> None:
    """Neither the snapshot's manifest nor any object in the archive holds user, password or path of the database."""
    own = mapping(**{name: name for name in TABLES_IN} | {"status": {"query": "SELECT s.*, 1 AS more FROM status s"}})
    checked = returned([], own=own)
    assert len(checked.findings) > 0
    snapshot: Snapshot = take(checked, archive=Archive(tmp_path / "archive"), organisation="demo")
    kept = [path.read_bytes() for path in (tmp_path / "archive").rglob("*") if path.is_file()]
    kept += [snapshot.table(name).to_csv().encode() for name in snapshot.manifest["tables"]]
    assert len(kept) > 8
    for secret in (PASSWORD, USER, ADDRESS, os.environ[ADDRESS].rpartition("/")[2]):
        assert not [content for content in kept if secret.encode() in content], secret


# --- the command ----------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root whose organisation has a mapping of a database."""
    sources = tmp_path / "parameters" / "demo" / "sources"
    sources.mkdir(parents=True)
    (tmp_path / "parameters" / "reports.yml").write_text("reports: []\n", encoding="utf-8")
    (tmp_path / "parameters" / "demo" / "organisation.yml").write_text("id: demo\nname: Demo\n", encoding="utf-8")
    own = {"name": "house", "database": {"connection": f"env:{ADDRESS}", "tables": {name: name for name in TABLES_IN}}}
    (sources / "house.yml").write_text(json.dumps(own), encoding="utf-8")
    monkeypatch.setenv("PMO_ROOT", str(tmp_path))
    monkeypatch.setenv("PMO_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path


def test_the_command_reads_a_database(small: str, house: Path) -> None:
    """With a mapping of a database SOURCE is left out; the snapshot says how many rows came in."""
    done = CliRunner().invoke(commands, ["check", "--mapping", "house"], catch_exceptions=False)
    assert (done.exit_code, done.output) == (0, "no findings\n")
    done = CliRunner().invoke(commands, ["ingest", "--mapping", "house", "--period", PERIOD], catch_exceptions=False)
    assert "1 portfolios, 5 rows in = 5 used + 0 quarantined + 0 ignored; 0 findings" in done.output


def test_the_command_wants_one_source(small: str, house: Path) -> None:
    """A SOURCE beside a database, or none at all, is a wrong use of the command."""
    done = CliRunner().invoke(commands, ["check", str(house), "--mapping", "house"])
    assert done.exit_code == 2
    assert "the mapping house reads a database: leave out" in done.output
    done = CliRunner().invoke(commands, ["check"])
    assert done.exit_code == 2
    assert "nothing is named to read" in done.output


def test_sqlalchemy_is_imported_only_where_a_database_is_read() -> None:
    """Neither the command nor a worker pays for SQLAlchemy: it is imported inside the two functions that need it."""
    top, inside = [], []
    for path in sorted((ROOT / "pmo_lib").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import)]
        named = [node for node in imports if "sources.database" in ast.unparse(node)]
        inside += [path.name for node in named if node not in tree.body]
        top += [path.name for node in named if node in tree.body]
    assert (top, inside) == ([], ["cells.py", "gather.py"])


def test_the_readme_shows_a_sound_mapping() -> None:
    """The mapping of a database in the README can be used as it stands."""
    (text,) = re.findall(r"```yaml\n(name: .*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    shown = Mapping.model_validate(YAML(typ="safe").load(text))
    assert shown.database is not None
    assert {"portfolios", "projects", "status"} <= shown.database.tables.keys()
