"""Databases for tests: a PostgreSQL server of their own, and tables that hold what workbooks hold."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pmo_lib.contracts.tables import TABLES
from pmo_lib.sources.read import read_grids

UNITS = ("portfolios", "programmes", "lineage")  # each return may bring the same units
PASSWORD = "hidden-" + "w0rd"
USER = "reader_of_tests"
ADDRESS = "PMO_TEST_DATABASE"


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server on a socket in a folder."""

    folder: Path

    def address(self, database: str, *, password: str = PASSWORD, user: str = USER) -> str:
        """Return the address of one of its databases, as SQLAlchemy writes them."""
        return f"postgresql://{user}:{password}@/{database}?host={self.folder}"

    def connect(self, database: str = "postgres") -> Any:
        """Return a connection of the driver's own, each statement by itself."""
        import psycopg

        return psycopg.connect(
            host=str(self.folder),
            dbname=database,
            user=USER,
            password=PASSWORD,
            autocommit=True,
            client_encoding="utf8",
        )


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs: on the path, or where Debian puts them."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "initdb").is_file()), None)


@contextmanager
def running(bin_folder: Path) -> Iterator[Server]:
    """Run a server in a temporary folder, as the user postgres where we are root: it refuses to be root."""
    folder = Path(tempfile.mkdtemp(prefix="pmo-"))
    own: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "timeout": 120}
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        own |= {"user": "postgres", "group": "postgres", "extra_groups": []}
    secret = folder / "secret"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o644)
    data, control = folder / "data", bin_folder / "pg_ctl"
    ways = [
        "--auth=scram-sha-256",
        f"--username={USER}",
        f"--pwfile={secret}",
        "--no-sync",
        "-E",
        "UTF8",
        "--no-locale",
    ]
    started = f"-c fsync=off -c listen_addresses= -c unix_socket_directories={folder}"
    try:
        subprocess.run([bin_folder / "initdb", "-D", data, *ways], check=True, **own)
        subprocess.run([control, "-D", data, "-w", "-l", folder / "log", "-o", started, "start"], check=True, **own)
        try:
            yield Server(folder)
        finally:
            subprocess.run([control, "-D", data, "-w", "-m", "immediate", "stop"], check=True, **own)
    finally:
        shutil.rmtree(folder)


# Kind of a contract column → type in PostgreSQL and SQLite, and how a workbook's cell is given to the driver.
KINDS = {"money": "numeric(24, 2)", "number": "double precision", "share": "double precision", "level": "integer",
         "whole": "integer", "date": "date", "flag": "boolean"}  # fmt: skip


def cells_of(workbooks: Sequence[Path]) -> dict[str, tuple[list[str], list[list[Any]]]]:
    """Return the sheets of several returns as one table each: header and raw rows; a unit stands once."""
    found: dict[str, tuple[list[str], list[list[Any]]]] = {}
    for path in workbooks:
        for grid in read_grids(path):
            if grid.sheet in TABLES:
                header, rows = found.setdefault(grid.sheet, ([str(raw) for raw in grid.rows[0]], []))
                assert [str(raw) for raw in grid.rows[0]] == header
                rows += [row for row in grid.rows[1:] if grid.sheet not in UNITS or row not in rows]
    return found


def statements(name: str, *, header: list[str], rows: list[list[Any]]) -> tuple[str, list[list[Any]]]:
    """Return what creates a table, each column of its own kind where all its cells are of it, and the rows for it."""
    columns, types = [], []
    for place, column in enumerate(header):
        kind = TABLES[name].column(column).kind
        cells = [row[place] for row in rows]
        exact = [_exact(raw, kind=kind) for raw in cells]
        if kind in KINDS and all(raw is not ... for raw in exact):
            columns.append(exact)
            types.append(KINDS[kind])
        else:
            columns.append([_written(raw) for raw in cells])
            types.append("text")
    made = ", ".join(f'"{column}" {own}' for column, own in zip(header, types, strict=True))
    return f"CREATE TABLE {name} ({made})", [list(row) for row in zip(*columns, strict=True)]


def _exact(raw: Any, *, kind: str) -> Any:
    """Return a cell as its kind; an ellipsis where it is of another."""
    match kind, raw:
        case _, None:
            return None
        case "money", int() | float():
            return Decimal(repr(raw))
        case (("number" | "share"), int() | float()):
            return float(raw)
        case (("level" | "whole"), int() | float()) if float(raw).is_integer():
            return int(raw)
        case "date", datetime():
            return raw.date()
        case ("date", date()) | ("flag", bool()):
            return raw
    return ...


def _written(raw: Any) -> str | None:
    if isinstance(raw, float) and raw.is_integer():
        return str(int(raw))
    return None if raw is None else raw.isoformat() if isinstance(raw, date) else str(raw)


def fill_sqlite(path: Path, *, tables: dict[str, tuple[list[str], list[list[Any]]]]) -> None:
    """Write tables into a SQLite file: it has no exact numbers, dates or flags of its own."""
    plain = {Decimal: float, date: date.isoformat, bool: int}
    with sqlite3.connect(path) as connection:
        for name, (header, rows) in tables.items():
            made, cells = statements(name, header=header, rows=rows)
            connection.execute(made)
            marks = ", ".join("?" * len(header))
            given = [[plain.get(type(raw), lambda same: same)(raw) for raw in row] for row in cells]
            connection.executemany(f"INSERT INTO {name} VALUES ({marks})", given)  # noqa: S608 (names of ours)
    connection.close()


def fill_postgresql(server: Server, *, database: str, tables: dict[str, tuple[list[str], list[list[Any]]]]) -> None:
    """Write tables into a new database of a server."""
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {database}")
    with server.connect(database) as connection, connection.cursor() as cursor:
        for name, (header, rows) in tables.items():
            made, cells = statements(name, header=header, rows=rows)
            cursor.execute(made)
            marks = ", ".join(["%s"] * len(header))
            cursor.executemany(f"INSERT INTO {name} VALUES ({marks})", cells)  # noqa: S608 (names of ours)
