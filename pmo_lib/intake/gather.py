"""Paths, or a database → what to read; files that belong together form one return, and a database is one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmo_lib.errors import ParameterError, SourceError
from pmo_lib.intake.faults import Fault, Place
from pmo_lib.sources.files import SUFFIXES, describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pmo_lib.contracts.findings import Finding
    from pmo_lib.contracts.returned import SourceFile
    from pmo_lib.parameters.mapping import Database, FileException, Mapping, Orientation
    from pmo_lib.sources.grid import Grid


@dataclass(frozen=True)
class Filed:
    """One file to read, or one database that was read.

    Attributes
    ----------
    source
        The file.
    bundle
        Name of the return that it is part of: a workbook is one, and so are all text and Parquet files of one folder.
    variables
        What its name tells.
    status_date
        Day that it speaks of; None where its rows tell.
    encodings, orientation, header_row
        As they hold for this file; None where the sheet's own hold.
    grids
        The tables of a database: it is read at once, so that all of them show the same moment; None for a file.
    """

    source: SourceFile
    bundle: str
    variables: dict[str, str]
    status_date: date | None
    encodings: tuple[str, ...]
    orientation: Orientation | None
    header_row: int | None
    grids: tuple[Grid, ...] | None = None


def gather(paths: Sequence[Path], *, mapping: Mapping, native: bool) -> tuple[list[Filed], list[Finding]]:
    """Return the files to read, in order of their paths, and notices of those that were passed over.

    Parameters
    ----------
    paths
        Files, or folders that are searched to any depth.
    mapping
        Its file pattern decides which files are read.
    native
        Our own layout: text and Parquet files of one folder are one return.

    Raises
    ------
    SourceError
        If a path does not exist, a named file does not fit the pattern, or nothing is left to read.
    """
    filed, passed_over = [], []
    for path, name in _files(paths):
        found = re.fullmatch(mapping.files.pattern, path.name, re.IGNORECASE)
        if found and path.suffix.lower() in SUFFIXES:
            source = replace(describe(path), name=name or path.name)
            filed.append(_filed(source, groups=found.groupdict(""), mapping=mapping, native=native))
        elif name is None:
            raise SourceError(
                f"{path.name}: does not fit the mapping {mapping.name}, whose files are named {mapping.files.pattern}",
                fix="rename the file, name another mapping, or extend the pattern",
            )
        elif path.suffix.lower() in SUFFIXES:
            passed_over.append(_passed_over(name, mapping=mapping))
    if not filed:
        raise SourceError(
            f"{', '.join(map(str, paths))}: no file to read",
            fix=f"name files or a folder with {', '.join(SUFFIXES)} files",
        )
    return filed, passed_over


def draw(database: Database, *, name: str, period: str | None) -> Filed:
    """Return all tables of a database, read.

    Raises
    ------
    SourceError, ParameterError
        As :func:`pmo_lib.sources.database.read_database` says.
    """
    from pmo_lib.sources.database import read_database  # noqa: PLC0415 (SQLAlchemy costs half a second)

    source, grids = read_database(database, name=name, period=period)
    return Filed(source, source.name, {}, None, (), None, None, grids)


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, str | None]]:
    """Yield every file once, sorted, with its name inside the folder that was named; None where itself was named.

    Hidden and lock files of folders are left out.
    """
    found: dict[Path, str | None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            for inner in path.rglob("*"):
                if inner.is_file() and not inner.name.startswith((".", "~$")):
                    found.setdefault(inner, inner.relative_to(path).as_posix())
        elif path.is_file():
            found[path] = None
        else:
            raise SourceError(f"{path}: no such file or folder", fix="correct the path")
    yield from sorted(found.items())


def _filed(source: SourceFile, *, groups: dict[str, str], mapping: Mapping, native: bool) -> Filed:
    files = mapping.files
    exceptions = [e for e in files.exceptions if all(groups.get(name) == value for name, value in e.match.items())]
    variables = dict(groups)
    for name, text in {**files.set, **{k: v for each in exceptions for k, v in each.set.items()}}.items():
        variables[name] = text.format_map(variables)
    day = _last(exceptions, of="status_date") or files.status_date
    together = native and SUFFIXES[source.path.suffix.lower()] != "workbook"
    return Filed(
        source=source,
        bundle=str(source.path.parent if together else source.path),
        variables=variables,
        status_date=None if day is None else _day(day.format_map(variables), name=source.name, mapping=mapping),
        encodings=_last(exceptions, of="encodings") or files.encodings,
        orientation=_last(exceptions, of="orientation"),
        header_row=_last(exceptions, of="header_row"),
    )


def _last(exceptions: list[FileException], *, of: str) -> Any:
    given = [value for value in (getattr(each, of) for each in exceptions) if value]
    return given[-1] if given else None


def _day(text: str, *, name: str, mapping: Mapping) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ParameterError(
            f"mapping {mapping.name}, files.status_date: {text!r} is no date for {name}",
            fix="write it as year-month-day, such as 20{end}-03-31",
            problems=[],
        ) from None


def _passed_over(name: str, *, mapping: Mapping) -> Finding:
    fault = Fault(
        "file-passed-over",
        "notice",
        f"the file does not fit the mapping {mapping.name}",
        "nothing, or rename it, or extend the pattern",
        mapping.files.pattern,
    )
    return Place(name).finding(fault, action="kept")
