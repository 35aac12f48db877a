"""A database → one grid per contract table, all as they stood at one moment; the only room that knows SQLAlchemy.

PostgreSQL and SQLite are read, in one transaction that cannot write and sees one snapshot of the data (PostgreSQL:
``REPEATABLE READ, READ ONLY``; SQLite: a file opened with ``mode=ro``, all reads between ``BEGIN`` and its end). The
address comes from the environment; neither it nor any part of it stands in an error, a finding or what is kept.

Rows come in the order of their contract key as text, those of one key in the order of all their cells: the same order
for every database and collation. Cells are what the driver gives: ``numeric`` is exact, a moment with a time zone is
given in UTC, an identifier such as a UUID is its text; what is no single value (bytes, arrays, JSON) is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from math import isfinite
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from pmo_lib.contracts.returned import SourceFile
from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import ParameterError, SourceError
from pmo_lib.parameters.documents import suggestion
from pmo_lib.sources.grid import MOST_CELLS, Grid, Raw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import URL, Connection, Engine, Executable

    from pmo_lib.parameters.mapping import Database, Selection

ROWS_AT_ONCE = 10_000
TOO_LONG = "57014"  # PostgreSQL's code of a statement that ran out of time
PERIOD = "period"
# What drivers say of a connection that fails, and what is told of it: their own words name host, user and database.
UNREACHABLE = (
    ("connection refused", "nothing listens at that address (connection refused)"),
    ("no such file or directory", "nothing listens at that socket"),
    ("resolve host|translate host name|name or service not known", "the host is not known"),
    ("timeout|timed out", "no answer within {seconds} s"),
    ("password|authentication|no pg_hba", "the server does not admit this user"),
    (r"(role|user) .* does not exist", "the server does not know this user"),
    (r"database .* does not exist", "the server does not have this database"),
    ("too many (clients|connections)|connection slots|starting up|shutting down", "the server takes no connection now"),
    ("ssl|certificate", "the encryption that is asked for fails"),
)


def read_database(database: Database, *, name: str, period: str | None = None) -> tuple[SourceFile, tuple[Grid, ...]]:
    """Read all tables of a database at one moment.

    Parameters
    ----------
    database
        Part of a mapping: where the address stands, and which table or query is which contract table.
    name
        Name of the mapping; the database is called ``db:<name>``.
    period
        ``YYYY-MM``: what ``:period`` in a query stands for.

    Returns
    -------
    tuple
        The source, whose content is what was read (JSON: per table its columns and rows), and one grid per table whose
        sheet is the contract table, whose first row has the column names, and whose keys name the rows.

    Raises
    ------
    ParameterError
        If the environment does not have the address, it is none, or a query asks for what is not given.
    SourceError
        If the database cannot be reached, a table or column is not there, a query fails or takes too long, a cell is
        no single value, or there are too many.
    """
    where = f"db:{name}"
    variable = database.connection.removeprefix("env:")
    seconds = database.timeout_seconds
    with _transaction(variable, seconds=seconds, where=where) as connection:
        reading = _Reading(connection, seconds, where, period)
        grids = tuple(reading.grid(table, selection=selection) for table, selection in database.tables.items())
    content = _content(grids)
    return SourceFile(where, hashlib.sha256(content).hexdigest(), len(content), Path(where), content), grids


def _address(variable: str, *, where: str) -> URL:
    text = os.environ.get(variable, "")
    if not text:
        raise ParameterError(
            f"{where}: the environment has no variable {variable}",
            fix="set it to the address: postgresql://user@host/database, or sqlite:///folder/file.db",
            problems=[],
        )
    try:
        return sqlalchemy.make_url(text)
    except (ArgumentError, ValueError):
        raise _no_address(where, variable=variable) from None


def _no_address(where: str, *, variable: str) -> ParameterError:
    return ParameterError(
        f"{where}: the variable {variable} holds no address of a PostgreSQL or SQLite database",
        fix="write it as postgresql://user@host/database, or sqlite:///folder/file.db",
        problems=[],
    )


def _engine(variable: str, *, seconds: int, where: str) -> Engine:
    """Return what connects; nothing is asked of the database yet."""
    address = _address(variable, where=where)
    kind = address.get_backend_name()
    if kind == "postgresql":
        return _postgresql(address, seconds=seconds, where=where)
    if kind != "sqlite" or not address.database:
        raise _no_address(where, variable=variable)
    path = Path(address.database)
    if not path.is_file():
        raise SourceError(
            f"{where}: there is no file where the variable {variable} says",
            fix="correct the address: sqlite:///folder/file.db, with one / more for a path from the root",
        )

    def connect() -> sqlite3.Connection:
        # No driver of transactions in between: BEGIN and its end are ours.
        return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=seconds, isolation_level=None)

    return sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=sqlalchemy.NullPool, hide_parameters=True)


def _postgresql(address: URL, *, seconds: int, where: str) -> Engine:
    try:
        return sqlalchemy.create_engine(
            address.set(drivername="postgresql+psycopg"),
            poolclass=sqlalchemy.NullPool,
            hide_parameters=True,
            connect_args={"connect_timeout": seconds},
        )
    except ModuleNotFoundError:
        raise ParameterError(
            f"{where}: the driver of PostgreSQL is not installed",
            fix="python -m pip install 'pmo-lib[postgresql]'",
            problems=[],
        ) from None


@contextmanager
def _transaction(variable: str, *, seconds: int, where: str) -> Iterator[Connection]:
    """Connect and begin a transaction that only reads and sees one moment; end it without a trace."""
    engine = _engine(variable, seconds=seconds, where=where)
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise SourceError(
            f"{where}: cannot be reached: {_unreachable(error, seconds=seconds)}",
            fix=f"check that it runs, and the address in the variable {variable}",
        ) from None
    with connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        else:
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {seconds * 1000}")
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
        yield connection


def _unreachable(error: SQLAlchemyError, *, seconds: int) -> str:
    words = str(error)
    known = (told for pattern, told in UNREACHABLE if re.search(pattern, words, re.IGNORECASE))
    return next(known, "the connection fails").format(seconds=seconds)


@dataclass(frozen=True)
class _Reading:
    """Reads the tables of one database in one transaction."""

    connection: Connection
    seconds: int
    where: str
    period: str | None

    def grid(self, table: str, *, selection: Selection) -> Grid:
        """Return one contract table."""
        place = f"{self.where}/{table}"
        try:
            with self._limited():
                statement, binds = self._statement(selection, place=place)
                header, rows = self._fetched(statement, binds=binds, place=place)
        except SQLAlchemyError as error:
            raise self._failed(error, place=place) from None
        rows, keys = _in_order(rows, header=header, key=TABLES[table].key)
        head: list[Raw] = list(header)
        return Grid(self.where, table, [head, *rows], keys=keys)

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """Stop what takes too long; PostgreSQL does so itself."""
        driver = self.connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            yield
            return
        timer = Timer(self.seconds, driver.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _statement(self, selection: Selection, *, place: str) -> tuple[Executable, dict[str, str | None]]:
        if selection.query is None:
            return self._whole(selection.table or "", place=place), {}
        query = sqlalchemy.text(selection.query.strip().removesuffix(";"))
        asked = set(query.compile().params)
        if asked - {PERIOD}:
            raise ParameterError(
                f"{place}: the query asks for :{min(asked - {PERIOD})}, and only :{PERIOD} is given",
                fix=r"write a colon that is meant as \:",
                problems=[],
            )
        if asked and self.period is None:
            raise ParameterError(
                f"{place}: the query asks for :{PERIOD} and no period is named", fix="add --period YYYY-MM", problems=[]
            )
        return query, dict.fromkeys(asked, self.period)

    def _whole(self, name: str, *, place: str) -> Executable:
        """Return the query of a whole table or view, if it is there."""
        *above, own = name.split(".", 1)
        schema = above[0] if above else None
        inspector = sqlalchemy.inspect(self.connection)
        if not inspector.has_table(own, schema=schema):
            known = [*inspector.get_table_names(schema=schema), *inspector.get_view_names(schema=schema)]
            raise SourceError(
                f"{place}: the database shows no table or view {name!r} to this user",
                fix=f"correct the mapping: {suggestion(own, known=known)}" if known else "correct the mapping",
            )
        return sqlalchemy.select(sqlalchemy.text("*")).select_from(sqlalchemy.table(own, schema=schema))

    def _fetched(
        self, statement: Executable, *, binds: dict[str, str | None], place: str
    ) -> tuple[list[str], list[list[Raw]]]:
        """Return the names of the columns and the rows as raw cells."""
        rows: list[list[Raw]] = []
        with self.connection.execute(statement, binds, execution_options={"stream_results": True}) as result:
            header = list(result.keys())
            for part in result.partitions(ROWS_AT_ONCE):
                rows.extend(
                    [_raw(value, place=place, header=header, at=n) for n, value in enumerate(row)] for row in part
                )
                if len(rows) * len(header) > MOST_CELLS:
                    raise SourceError(f"{place}: more than {MOST_CELLS:,} cells", fix="select fewer rows, by :period")
        return header, rows

    def _failed(self, error: SQLAlchemyError, *, place: str) -> SourceError:
        cause = error.orig if isinstance(error, DBAPIError) else error
        first, *more = str(cause).splitlines() or ["no reason is given"]
        if getattr(cause, "sqlstate", None) == TOO_LONG or first == "interrupted":
            return SourceError(
                f"{place}: the query takes longer than {self.seconds} s",
                fix="select fewer rows, add an index, or raise timeout_seconds in the mapping",
            )
        hints = [line.removeprefix("HINT:").strip() for line in more if line.startswith("HINT:")]
        fix = "correct the table or query in the mapping"
        return SourceError(f"{place}: the query fails: {first}", fix=" ".join([*hints, fix]))


def _raw(value: Any, *, place: str, header: list[str], at: int) -> Raw:
    """Return a cell as intake knows it."""
    match value:
        case float() if not isfinite(value):
            return Decimal(str(value))
        case None | str() | bool() | int() | float() | Decimal() | timedelta():
            return value
        case datetime():
            return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        case time():
            return value if value.tzinfo is None else value.isoformat()
        case date():
            return value
        case UUID():
            return str(value)
    raise SourceError(
        f"{place}, column {header[at]}: holds {type(value).__name__}, which is no single value",
        fix="give it as text in a query (CAST … AS text), or leave the column out",
    )


def _in_order(
    rows: list[list[Raw]], *, header: list[str], key: Sequence[str]
) -> tuple[list[list[Raw]], tuple[str, ...]]:
    """Return the rows in the order of their key, then of all their cells, and a name for each: its key, once."""
    names = [name.strip().lower() for name in header]
    places = [names.index(name) for name in key if name in names]

    def of(row: list[Raw]) -> list[str]:
        return [_text(row[place]) for place in places]

    ordered: list[list[Raw]] = []
    keys: list[str] = []
    for parts, same in groupby(sorted(rows, key=of), key=of):
        own = "|".join(parts) if any(parts) else "no key"
        alike = sorted(same, key=lambda row: list(map(_text, row)))
        ordered += alike
        keys += [own, *(f"{own} ({n})" for n in range(2, len(alike) + 1))]
    return ordered, tuple(keys)


def _text(raw: Raw) -> str:
    """Return a cell as its place in the order and its part of a key: a midnight is its day."""
    if isinstance(raw, datetime) and raw.time() == time():
        return raw.date().isoformat()
    return "" if raw is None else str(raw)


def _content(grids: Sequence[Grid]) -> bytes:
    """Return what was read as JSON: what JSON has no kind for is an object of its kind and text."""
    tables = [{"table": grid.sheet, "columns": grid.rows[0], "rows": grid.rows[1:]} for grid in grids]
    return json.dumps({"tables": tables}, ensure_ascii=False, allow_nan=False, default=_spelt).encode()


def kept_grids(content: bytes, *, name: str) -> tuple[Grid, ...]:
    """Return what was read of a database once, from what was kept of it: the same rows under the same keys.

    Cells for which JSON has no kind are the texts of what they were.
    """
    grids = []
    for one in json.loads(content)["tables"]:
        cells = [[_unspelt(cell) for cell in row] for row in one["rows"]]
        rows, keys = _in_order(cells, header=one["columns"], key=TABLES[one["table"]].key)
        grids.append(Grid(name, one["table"], [list(one["columns"]), *rows], keys=keys))
    return tuple(grids)


def _unspelt(cell: Any) -> Raw:
    if not isinstance(cell, dict):
        return cell  # type: ignore[no-any-return]
    text = str(next(iter(cell.values())))
    return text.removesuffix(" 00:00:00") if "datetime" in cell else text


def _spelt(value: object) -> dict[str, str]:
    return {type(value).__name__.lower(): str(value)}
