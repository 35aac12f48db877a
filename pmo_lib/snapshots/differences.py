"""Two snapshots against each other, row by row: what was added, removed and changed, and where in the returned files.

One tidy table tells all of it, a row for each thing that differs (texts; null where there is none):

======================  ===============================================================================================
``what``                ``row``, ``set aside`` (a row that could not be used), ``finding``, ``return`` or ``file``
``change``              of a row ``added``, ``removed`` or ``changed`` (then one for each column that changed); of a row
                        set aside and of a finding ``came`` or ``went``; else ``arrived``, ``changed`` or ``left``
``portfolio_id``        portfolio that it is of
``table, key, column``  contract table; key of the row without the portfolio, parts joined by ``|``; column
``old``, ``new``        value before and now, in full: money to the penny, dates as ISO 8601; of a row that was added or
                        removed all its cells, as a JSON object
``old_ref, new_ref``    where it stands: file, sheet and row
``old_sha256``, ``new_sha256``  sha256 of the file (of all files of a return, joined by ``; ``)
======================  ===============================================================================================

A row that only stands elsewhere in its file is counted (:attr:`Difference.moved`), not listed.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pmo_lib.contracts.returned import RETURN_COLUMNS
from pmo_lib.contracts.tables import TABLES
from pmo_lib.snapshots.rows import ARROW_TYPES
from pmo_lib.store import canonical_json

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from pmo_lib.contracts.columns import Table
    from pmo_lib.snapshots.kept import Snapshot
    from pmo_lib.snapshots.rows import Rows

SCHEMA = "pmo-difference/1"
COLUMNS = (
    "what", "change", "portfolio_id", "table", "key", "column",
    "old", "new", "old_ref", "new_ref", "old_sha256", "new_sha256",
)  # fmt: skip
WHERE = "source_ref"
NO_VALUE = "\x00"  # no cell holds it: what is null in a key is not what is empty
BETWEEN = "\x1f"
ROW_OF_FILE = re.compile(r"(?P<file>.*?)(?:, sheet .*)?, (?:row \d+|column [A-Z]+)", re.DOTALL)
FINDING = ("portfolio_id", "table", "key", "column", "rule", "severity", "action", "message", "value", "file", "sheet")
CAME = ("went", "came")  # what only the earlier has, what only the later has
Record: TypeAlias = tuple[str | None, ...]  # of COLUMNS
SET_ASIDE = ("portfolio_id", "table", "key", "rules", "row")


@dataclass(frozen=True)
class Difference:
    """What differs between two snapshots: their periods and ids, the table of this module, and rows that moved.

    ``moved`` counts, by contract table, rows with the same values at another place of their file.
    """

    old: tuple[str, str]
    new: tuple[str, str]
    rows: pd.DataFrame
    moved: Mapping[str, int]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many of each kind and change; ``row changed`` are rows, ``cell changed`` their cells."""
        pairs = self.rows["what"] + " " + self.rows["change"]
        found = {str(name): int(count) for name, count in pairs.value_counts().items()}
        cells = self.rows[pairs.eq("row changed")]
        if len(cells):
            found |= {
                "cell changed": len(cells),
                "row changed": len(cells.drop_duplicates(["portfolio_id", "table", "key"])),
            }
        moved = sum(self.moved.values())
        return dict(sorted((found | ({"row moved": moved} if moved else {})).items()))

    @property
    def document(self) -> dict[str, Any]:
        """All of it as JSON values."""
        records = self.rows.astype(object).where(self.rows.notna(), None).to_numpy().tolist()
        return {
            "schema": SCHEMA,
            "old": {"period": self.old[0], "id": self.old[1]},
            "new": {"period": self.new[0], "id": self.new[1]},
            "counts": self.counts,
            "moved": dict(self.moved),
            "columns": list(COLUMNS),
            "rows": records,
        }

    @property
    def content(self) -> bytes:
        """The document as canonical JSON: the same two snapshots, the same bytes."""
        return canonical_json(self.document)


def difference(old: Snapshot, *, new: Snapshot) -> Difference:
    """Return what differs between two snapshots, of one period or of two.

    Tables of which both hold the same values are not read.

    Raises
    ------
    StoreError
        If an object that is needed is missing or altered.
    """
    old_side, new_side = _Side.of(old), _Side.of(new)
    compared = [
        _Compared.of(table, old=old_side, new=new_side)
        for table in TABLES.values()
        if _differ(old, new=new, name=table.name)
    ]
    records = [record for one in compared for record in one.records()]
    records += [
        *_came_and_went(old_side, new=new_side),
        *_returns(old_side, new=new_side),
        *_files(old_side, new=new_side),
    ]
    rows = pd.DataFrame(records, columns=list(COLUMNS), dtype="object")
    moved = {one.table.name: one.moved for one in compared if one.moved}
    return Difference((old.period, old.id), (new.period, new.id), rows, moved)


def file_of(reference: str, *, files: Container[str]) -> str:
    """Return the file that a ``source_ref`` speaks of, one of ``files``; the reference itself if it speaks of none.

    >>> file_of("a/b.xlsx, sheet x, y, row 3", files={"a/b.xlsx"}), file_of("db:core/risks#R1|a", files={"db:core"})
    ('a/b.xlsx', 'db:core')
    """
    if reference in files:
        return reference
    found = ROW_OF_FILE.fullmatch(reference)
    if found and found["file"] in files:
        return found["file"]
    ends = (place for place, sign in enumerate(reference) if sign in ",/#")
    return next((reference[:end] for end in ends if reference[:end] in files), reference)


def _differ(old: Snapshot, *, new: Snapshot, name: str) -> bool:
    entries = (one.kept["tables"].get(name) for one in (old, new))
    return len({None if entry is None else entry["logical_sha256"] for entry in entries}) > 1


class _Return(NamedTuple):
    state: str
    reason: str
    file: str
    digest: str | None


NOT_RETURNED = _Return("not returned", "", "", None)


@dataclass(frozen=True)
class _Side:
    """One of the two snapshots, and the sha256 of its files."""

    snapshot: Snapshot
    files: Mapping[str, str]

    @classmethod
    def of(cls, snapshot: Snapshot) -> _Side:
        return cls(snapshot.unnoted, {str(one["name"]): str(one["sha256"]) for one in snapshot.kept["sources"]})

    def rows(self, table: Table) -> Rows:
        """Return a contract table as the contract has it now."""
        stored = self.snapshot.rows(table.name)
        kinds = {column.name: ARROW_TYPES.get(column.kind, pa.string()) for column in table.columns}
        if stored is None:
            return pa.table({name: pa.array([], kind) for name, kind in kinds.items()})
        missing = pa.nulls(stored.num_rows)
        held = {name: stored[name] if name in stored.column_names else missing for name in kinds}
        return pa.table({name: held[name].cast(kind) for name, kind in kinds.items()})

    def intake(self, name: str, *, columns: tuple[str, ...]) -> pd.DataFrame:
        """Return columns of a table about the intake as texts."""
        rows = self.snapshot.intake_table(name).reindex(columns=list(columns))
        return rows.astype("object").where(rows.notna(), "").astype("str")

    def returns(self) -> dict[str, _Return]:
        """Return how each portfolio's return came in; its last row tells."""
        rows = self.intake("returns", columns=RETURN_COLUMNS).itertuples(index=False, name=None)
        return {name: _Return(state, reason, file, self.digest(file)) for name, state, file, reason in rows}

    def digest(self, reference: str | None) -> str | None:
        """Return the sha256 of the file of a reference, or of the files that are joined by ``; ``."""
        if not reference:
            return None
        file = file_of(reference, files=self.files)
        names = [file] if file in self.files else file.split("; ")
        return "; ".join(self.files[name] for name in names if name in self.files) or None


@dataclass(frozen=True)
class _Compared:
    """One contract table in both snapshots; ``stays`` are the positions of rows with the same key, in either."""

    table: Table
    sides: tuple[_Side, _Side]
    rows: tuple[Rows, Rows]
    stays: tuple[pa.Array, pa.Array]

    @classmethod
    def of(cls, table: Table, *, old: _Side, new: _Side) -> _Compared:
        rows = old.rows(table), new.rows(table)
        before, after = (_keys(each, names=table.key) for each in rows)
        at = pc.index_in(before, value_set=after)
        kept = pc.indices_nonzero(at.is_valid())
        return cls(table, (old, new), rows, (kept, at.take(kept)))

    @cached_property
    def moved(self) -> int:
        """Rows that have the same values at another place."""
        elsewhere = _unlike(self._both(WHERE))
        for column in self._values:
            elsewhere = pc.and_not(elsewhere, self._changed[column])
        return int(pc.sum(elsewhere).as_py() or 0)

    def records(self) -> Iterator[Record]:
        """Yield what differs, in order of portfolio and key."""
        found = [*self._alone(0), *self._alone(1), *self._cells()]
        yield from sorted(found, key=lambda record: (str(record[2]), str(record[4])))  # stable: columns stay in order

    @cached_property
    def _values(self) -> list[str]:
        return [name for name in self.table.names if name not in self.table.key and name != WHERE]

    @cached_property
    def _changed(self) -> dict[str, pa.Array]:
        """Of each column, whether its cell differs, for each row that stays."""
        return {name: _unlike(self._both(name)) for name in self._values}

    def _both(self, name: str) -> tuple[pa.Array, pa.Array]:
        old, new = (rows[name].combine_chunks().take(at) for rows, at in zip(self.rows, self.stays, strict=True))
        return old, new

    def _cells(self) -> Iterator[Record]:
        refs = None
        for name, changed in self._changed.items():
            if not pc.any(changed).as_py():
                continue
            refs = refs or tuple(self._both(WHERE))
            hit = pc.indices_nonzero(changed)
            told = self.rows[1].take(self.stays[1].take(hit))
            cells = [_texts(each.take(hit)) for each in (*self._both(name), *refs)]
            for key, *values in zip(self._named(told), *cells, strict=True):
                yield self._record("changed", key=key, column=name, values=values)

    def _alone(self, side: int) -> Iterator[Record]:
        """Yield the rows that only one snapshot has, the earlier (0) or the later (1)."""
        every = pa.array(range(self.rows[side].num_rows), pa.int64())
        alone = self.rows[side].take(
            pc.indices_nonzero(pc.invert(pc.is_in(every, value_set=self.stays[side].cast(pa.int64()))))
        )
        columns = {name: _texts(alone[name]) for name in self.table.names}
        for row, key in enumerate(self._named(alone)):
            cells = {name: cells[row] for name, cells in columns.items() if name != WHERE and cells[row] is not None}
            text, place = canonical_json(cells).decode(), columns[WHERE][row]
            values = [None, text, None, place] if side else [text, None, place, None]
            yield self._record("added" if side else "removed", key=key, column=None, values=values)

    def _named(self, rows: Rows) -> Iterator[tuple[str | None, str]]:
        """Yield portfolio and the rest of the key of each row."""
        parts = [_texts(rows[name]) for name in self.table.key if name != "portfolio_id"]
        portfolios = _texts(rows["portfolio_id"])
        for at, portfolio in enumerate(portfolios):
            yield portfolio, "|".join(part[at] or "" for part in parts)

    def _record(
        self, change: str, *, key: tuple[str | None, str], column: str | None, values: list[str | None]
    ) -> Record:
        digests = (side.digest(values[place]) for place, side in zip((2, 3), self.sides, strict=True))
        return ("row", change, key[0], self.table.name, key[1], column, *values, *digests)


def _keys(rows: Rows, *, names: tuple[str, ...]) -> pa.Array:
    parts = [rows[name].cast(pa.string()) for name in names]
    joined = pc.binary_join_element_wise(*parts, BETWEEN, null_handling="replace", null_replacement=NO_VALUE)
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _unlike(pair: tuple[pa.Array, pa.Array]) -> pa.Array:
    """Say of each two cells whether they differ; nothing is like nothing."""
    old, new = pair
    return pc.or_(pc.fill_null(pc.not_equal(old, new), False), pc.xor(old.is_null(), new.is_null()))


def _texts(values: Any) -> list[str | None]:
    texts: list[str | None] = values.cast(pa.string()).to_pylist()
    return texts


def _came_and_went(old: _Side, *, new: _Side) -> Iterator[Record]:
    """Yield rows that were set aside and findings of only one snapshot, wherever in their file they stand."""
    for side, row in _only((old, new), name="quarantined", by=SET_ASIDE, place=(WHERE,)):
        yield _told("set aside", side=side, row=row, text=f"{row['rules']}: {row['row']}", place=row[WHERE])
    for side, row in _only((old, new), name="findings", by=FINDING, place=("row", "cell")):
        value = f": {row['value']}" if row["value"] else ""
        text = f"{row['rule']} ({row['severity']}, {row['action']}): {row['message']}{value}"
        yield _told("finding", side=side, row=row, text=text, place=_place(row))


def _only(
    sides: tuple[_Side, _Side], *, name: str, by: tuple[str, ...], place: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of an intake table that only one side has, with the side: each as often as it has it more."""
    tables = [side.intake(name, columns=(*by, *place)).to_dict("records") for side in sides]
    for number, rows in enumerate(tables):
        others = Counter(tuple(row[column] for column in by) for row in tables[1 - number])
        for row in rows:
            same = tuple(row[column] for column in by)
            others[same] -= 1
            if others[same] < 0:
                yield number, {str(column): str(text) for column, text in row.items()}


def _told(what: str, *, side: int, row: Mapping[str, str], text: str, place: str) -> Record:
    told = (text, place)
    sides = (None, told[0], None, told[1]) if side else (told[0], None, told[1], None)
    about = (row["portfolio_id"] or None, row["table"] or None, row["key"] or None, row.get("column") or None)
    return (what, CAME[side], *about, *sides, None, None)


def _place(finding: Mapping[str, str]) -> str:
    sheet = f", sheet {finding['sheet']}" if finding["sheet"] else ""
    row = f", row {finding['row']}" if finding["row"] not in ("", "0") else ""
    return f"{finding['file']}{sheet}{', cell ' + finding['cell'] if finding['cell'] else row}"


def _returns(old: _Side, *, new: _Side) -> Iterator[Record]:
    """Yield the portfolios whose return arrived, left, or is another: other files, or another state."""
    before, after = (side.returns() for side in (old, new))
    for portfolio in sorted({*before, *after}):
        was, now = before.get(portfolio, NOT_RETURNED), after.get(portfolio, NOT_RETURNED)
        if was == now:
            continue
        change = "changed" if bool(was.file) == bool(now.file) else "arrived" if now.file else "left"
        words = [f"{one.state}: {one.reason}" if one.reason else one.state for one in (was, now)]
        files = [one.file or None for one in (was, now)]
        yield ("return", change, portfolio, None, None, None, *words, *files, was.digest, now.digest)


def _files(old: _Side, *, new: _Side) -> Iterator[Record]:
    """Yield the files that arrived, left, or have other bytes."""
    for name in sorted({*old.files, *new.files}):
        was, now = old.files.get(name), new.files.get(name)
        if was != now:
            change = "changed" if was and now else "arrived" if now else "left"
            yield ("file", change, *[None] * 6, name if was else None, name if now else None, was, now)
