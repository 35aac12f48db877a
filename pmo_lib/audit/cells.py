"""Rows of a snapshot → the cells of the returned files that they were read from, opened from the archive.

A file is read again as intake read it, through the mapping, and from its own bytes as they lie in the archive. What a
figure looked at is found by trying: a column without which, or with other values in which, the figure, the number of
facts in it or a term of its formula would be another.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from pmo_lib.archive.contents import object_path
from pmo_lib.archive.restore import read_object
from pmo_lib.audit.named import gone
from pmo_lib.contracts.returned import SourceFile
from pmo_lib.errors import PmoError
from pmo_lib.intake.drafts import Draft
from pmo_lib.intake.gather import Filed, gather
from pmo_lib.intake.native import database_mapping, native_mapping
from pmo_lib.intake.reading import Shelf
from pmo_lib.intake.values import plain_text
from pmo_lib.metrics.explained import STAMPS, STATES
from pmo_lib.parameters.load import load_mapping, load_organisation
from pmo_lib.snapshots.differences import file_of
from pmo_lib.store import inside

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pmo_lib.metrics.explained import Given, Measured, NamedFigure, Rows
    from pmo_lib.parameters.mapping import Mapping as SourceMapping
    from pmo_lib.snapshots import Snapshot

WHERE = "source_ref"
BLANK = "(blank)"
MOST_TABLES = 2  # with rows of a figure that is tried: what is made of more, such as a simulation, is dear to make


class Cell(NamedTuple):
    """A cell of a returned file: where it stands there, the contract column that it was read into, and what it holds.

    ``place`` is ``finance!F12`` in a workbook, ``row 12, column F`` in a text or Parquet file, and ``column amount`` of
    a database, whose rows are named by their key and have no cells.
    """

    place: str
    column: str
    value: str

    def __str__(self) -> str:
        """Return it as it is printed."""
        return f"{self.place} = {self.value} ({self.column})"


@dataclass
class Returned:
    """The returns that lie in an archive, each opened once.

    Attributes
    ----------
    archive
        The archive.
    parameters
        The root of the parameters by which they were read.
    organisation
        Whose they are.
    """

    archive: Path
    parameters: Path
    organisation: str
    _opened: dict[tuple[str, str], dict[tuple[str, str], Draft]] = field(default_factory=dict)
    _gone: dict[str, str] = field(default_factory=dict)

    def cells(
        self, snapshot: Snapshot, *, table: str, reference: str, columns: Collection[str] | None
    ) -> list[Cell] | str:
        """Return the cells of a row, or why there are none.

        Parameters
        ----------
        snapshot
            The snapshot that the row is of.
        table, reference
            Contract table, and ``source_ref`` of the row.
        columns
            Contract columns; None: all of which the cell holds something.
        """
        sources = {str(one["name"]): str(one["sha256"]) for one in snapshot.kept["sources"]}
        name = file_of(reference, files=sources)
        if name not in sources:
            return "stands in no returned file"
        path = object_path(sources[name])
        if path not in self._gone and not (self.archive / path).is_file():
            self._gone[path] = gone(self.archive, path=path)
        if path in self._gone:
            return f"{name}: {self._gone[path]}"
        try:
            draft = self._drafts(name, digest=sources[name]).get((table, reference))
        except PmoError as error:
            return f"{name}: cannot be read again: {error}"
        if draft is None:
            return f"{name}: the row is not found again: it was read by another mapping"
        return list(_cells(draft, columns=columns))

    def _drafts(self, name: str, *, digest: str) -> dict[tuple[str, str], Draft]:
        if (name, digest) not in self._opened:
            content = read_object(self.archive, digest=digest)
            with tempfile.TemporaryDirectory() as folder:
                mapping, native = self._mapping()
                filed = _filed(Path(folder), name=name, content=content, mapping=mapping, native=native)
                batches = (
                    batch for each in filed for sheaf in Shelf(mapping, native).read(each).sheaves
                    for batch in sheaf.batches
                )  # fmt: skip
                drafts = (Draft(batch, row) for batch in batches for row in range(len(batch)))
                self._opened[name, digest] = {(draft.table.name, draft.source_ref): draft for draft in drafts}
        return self._opened[name, digest]

    def _mapping(self) -> tuple[SourceMapping, bool]:
        """Return the mapping of the organisation's returns, and whether they are in our own layout."""
        name = load_organisation(self.parameters, org=self.organisation).mapping
        if name is None:
            return native_mapping(), True
        mapping = load_mapping(self.parameters, org=self.organisation, name=name)
        return (database_mapping(mapping), True) if mapping.database is not None else (mapping, False)


def _filed(folder: Path, *, name: str, content: bytes, mapping: SourceMapping, native: bool) -> list[Filed]:
    if name.startswith("db:"):
        from pmo_lib.sources.database import kept_grids  # noqa: PLC0415 (SQLAlchemy costs half a second)

        source = SourceFile(name, "", len(content), Path(name), content)
        return [Filed(source, name, {}, None, (), None, None, kept_grids(content, name=name))]
    path = inside(folder, parts=(name,))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return gather([folder], mapping=mapping, native=native)[0]


def _cells(draft: Draft, *, columns: Collection[str] | None) -> Iterator[Cell]:
    layout = draft.batch.layout
    for column in draft.table.names:
        if column == WHERE or (columns is not None and column not in columns):
            continue
        index = draft.batch.columns.get(column)
        if index is None:
            value = draft.value(column)
            if value is not None:
                yield Cell("no cell of its own", column, str(value))
            continue
        held = plain_text(layout.grid.rows[draft.record][index]).strip()
        if held or columns is not None:
            yield Cell(_address(draft, index=index), column, held or BLANK)


def _address(draft: Draft, *, index: int) -> str:
    grid = draft.batch.layout.grid
    if grid.keys is not None:
        return f"{grid.sheet}, column {draft.batch.layout.header_text(index)}"
    place = draft.batch.layout.place(draft.record, column=index)
    if grid.sheet:
        return f"{grid.sheet}!{place.cell}"
    return f"row {place.row}, column {place.cell.rstrip('0123456789')}"


def columns_used(named: NamedFigure, *, rows: Rows, given: Given) -> Mapping[str, list[str]] | None:
    """Return the columns that a figure looked at in its rows, by table; None where that is dear to find out."""
    held = [table for table, own in rows.items() if table != STATES and len(own)]
    if named.prepare is not None or len(held) > MOST_TABLES:
        return None
    told = _told(named.make(rows, given=given))
    used: dict[str, list[str]] = {}
    for table, own in rows.items():
        stamp = next(name for name in own.columns if name in STAMPS)
        names = [name for name in own.columns if name not in (stamp, WHERE)]
        for name in names if len(own) and table != STATES else ():
            others = (
                {**rows, table: own.assign(**{name: column})} for column in (_blank(own[name]), _other(own[name]))
            )
            if any(_differs(named, rows=other, given=given, told=told) for other in others):
                used.setdefault(table, []).append(str(name))
    return used


def _differs(named: NamedFigure, *, rows: Rows, given: Given, told: str) -> bool:
    try:
        return _told(named.make(rows, given=given)) != told
    except Exception:  # noqa: BLE001 - a figure that cannot do without the column looks at it
        return True


def _told(made: Measured) -> str:
    return repr((made.value, made.n, sorted(made.terms.items())))


def _blank(column: pd.Series) -> pd.Series:
    return pd.Series([None] * len(column), index=column.index, dtype=object).astype(column.dtype)


def _other(column: pd.Series) -> pd.Series:
    """Return other values of the same kind."""
    if pd.api.types.is_bool_dtype(column.dtype):
        return ~column
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column + 1
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column + pd.Timedelta(days=400)
    return (column.astype("object").astype("str") + "?").astype(column.dtype)
