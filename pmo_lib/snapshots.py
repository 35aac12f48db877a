"""Typed tables → the immutable, content-addressed snapshot of a period; reopen it, and the earlier ones through it.

A snapshot is a manifest (its id is the sha256 of its bytes) and Parquet objects in the store: rows sorted by key,
``portfolio_id`` first and never a dictionary, so that one portfolio reads only its own row groups; page checksums, so
that a flipped bit is noticed. Money is decimal128(24, 2) on disk and float64 when read.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pmo_lib.contracts.returned import RETURN_COLUMNS
from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import SnapshotRefused, StoreError
from pmo_lib.store import Store, inside, write_atomically

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from pmo_lib.contracts.columns import Column, Table
    from pmo_lib.contracts.returned import Checked

CONTRACT_VERSION = "2"  # 2: calendars; remaining_days of a task; task_id and velocity_days of a risk
ROWS_PER_GROUP = 2_000
Rows: TypeAlias = pa.Table  # rows as they are stored
MASKED = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
ARROW_TYPES: dict[str, pa.DataType] = {
    "money": pa.decimal128(24, 2),
    "number": pa.float64(),
    "share": pa.float64(),
    "level": pa.int64(),
    "whole": pa.int64(),
    "date": pa.date32(),
    "flag": pa.bool_(),
}


@dataclass(frozen=True)
class Archive:
    """The archive of one organisation: ``objects/`` and ``snapshots/`` under its root."""

    root: Path

    @cached_property
    def store(self) -> Store:
        """The objects."""
        return Store(self.root / "objects")

    def manifests(self, period: str) -> dict[str, dict[str, Any]]:
        """Return all manifests of a period by id; StoreError if one does not have the bytes its name promises."""
        folder = inside(self.root, parts=("snapshots", period))
        return {path.stem: _read_manifest(path) for path in sorted(folder.glob("*.json"))}

    def periods(self) -> tuple[str, ...]:
        """Periods that have a snapshot, in order."""
        folder = self.root / "snapshots"
        return (
            tuple(sorted(path.name for path in folder.iterdir() if any(path.glob("*.json")))) if folder.exists() else ()
        )


@dataclass(frozen=True)
class Snapshot:
    """One period of one organisation as it was returned."""

    archive: Archive
    id: str
    manifest: Mapping[str, Any] = field(repr=False)

    @property
    def period(self) -> str:
        """Month of the status date, ``YYYY-MM``."""
        return str(self.manifest["period"])

    @property
    def status_date(self) -> pd.Timestamp:
        """The day that the returns speak of."""
        return pd.Timestamp(self.manifest["status_date"])

    @property
    def portfolios(self) -> tuple[str, ...]:
        """Ids of the portfolios that returned something usable and hold projects, in order."""
        return tuple(self.manifest["portfolios"])

    def table(self, name: str, *, portfolio: str | None = None) -> pd.DataFrame:
        """Return a contract table, of one portfolio or of all; empty with the right columns where there are no rows."""
        return from_arrow(self.rows(name, portfolio=portfolio), table=TABLES[name])

    def rows(
        self,
        name: str,
        *,
        portfolio: str | None = None,
        others: Mapping[str, Collection[str]] | None = None,
        columns: Collection[str] | None = None,
    ) -> Rows | None:
        """Return the same rows as they are stored; None if nobody returned any.

        ``others``: portfolios with projects whose rows come as well, after those of the portfolio itself. ``columns``:
        of all portfolios' rows only these.
        """
        entry = self.manifest["tables"].get(name)
        if entry is None:
            return None
        if portfolio is None:
            return read_rows(self.archive.store, entry=entry, name=name, columns=columns)
        others = others or {}
        rows = read_rows(self.archive.store, entry=entry, name=name, portfolios=(portfolio, *others))
        parts = [rows.filter(pc.equal(rows["portfolio_id"], portfolio))]
        for other, projects in others.items():
            theirs = rows.filter(pc.equal(rows["portfolio_id"], other))
            chosen = pa.array(sorted(projects), type=pa.string())
            parts.append(theirs.filter(pc.is_in(theirs["project_id"], value_set=chosen)))
        return pa.concat_tables(parts)

    def intake_table(self, name: str) -> pd.DataFrame:
        """Return one of the tables about the intake itself: findings, quarantined, accounting, cells, returns."""
        content = self.archive.store.get(self.manifest["intake"][name]["sha256"])
        packed = json.loads(content)
        return pd.DataFrame(packed["rows"], columns=packed["columns"])

    def previous(self) -> Snapshot | None:
        """Return the previous period's snapshot as it stood when this one was taken."""
        return self._previous

    @cached_property
    def _previous(self) -> Snapshot | None:
        link = self.manifest["previous"]
        return None if link is None else open_snapshot(self.archive, period=link["period"], snapshot=link["id"])

    def chain(self) -> tuple[Snapshot, ...]:
        """Return this snapshot and, through it, all earlier ones: oldest first."""
        return tuple(reversed(tuple(self._backwards())))

    def _backwards(self) -> Iterator[Snapshot]:
        link: Snapshot | None = self
        while link is not None:
            yield link
            link = link.previous()

    @cached_property
    def returns_history(self) -> pd.DataFrame:
        """How every portfolio's return came in, in this period and in all before it.

        Columns: ``period, status_on, portfolio_id, state, file, reason, known``; ``known`` is the period of the
        portfolio's last return with usable projects: the same one, an earlier one, or "" where there is none yet.

        Beside what intake said it holds every portfolio of an earlier period that has not returned since: two silent
        periods do not make it forgotten. An id that was only ever refused in another's file is no portfolio. No return
        is owed by a portfolio that lineage ended, nor by one whose projects have all moved to others.
        """
        return _together(_standing(self.chain(), portfolio=None))

    def returns_of(self, portfolio: str) -> pd.DataFrame:
        """Return the rows of :attr:`returns_history` of one portfolio, without looking at any other."""
        return _together(_standing(self.chain(), portfolio=portfolio))

    @property
    def returns(self) -> pd.DataFrame:
        """The rows of :attr:`returns_history` that speak of this period."""
        rows = self.returns_history
        return rows[rows["period"].eq(self.period)].reset_index(drop=True)

    @property
    def reportable(self) -> tuple[str, ...]:
        """Ids of the portfolios of which projects are known: returned in this period, or last known and still owed."""
        rows = self.returns
        return tuple(sorted({*self.portfolios, *rows.loc[rows["known"].ne(""), "portfolio_id"]}))

    def reports(self, portfolio: str) -> bool:
        """Say whether a portfolio is :attr:`reportable`."""
        if portfolio in self.portfolios:
            return True
        rows = self.returns_of(portfolio)
        return bool((rows["period"].eq(self.period) & rows["known"].ne("")).any())

    @cached_property
    def places(self) -> frozenset[tuple[str, str]]:
        """Portfolio and id of every project."""
        rows = self.rows("projects", columns=("portfolio_id", "project_id"))
        return frozenset(() if rows is None else zip(*(column.to_pylist() for column in rows.columns), strict=True))

    @property
    def names(self) -> dict[str, str]:
        """Names of the portfolios by id; of one that returned nothing usable, the last known name."""
        found: dict[str, str] = {}
        known = (one for name in self.reportable if (one := self.last_known(name)) is not None)
        for one in {one.id: one for one in (self, *known)}.values():
            rows = one.table("portfolios")
            found = dict(zip(rows["portfolio_id"], rows["name"], strict=True)) | found
        return {name: found[name] for name in sorted(found)}

    def last_known(self, portfolio: str) -> Snapshot | None:
        """Return the latest snapshot, this one or an earlier one, that holds projects of a portfolio."""
        return next((one for one in self._backwards() if portfolio in one.portfolios), None)

    def check(self) -> None:
        """Read every object and compare it with the manifest; StoreError names the first that is missing or altered."""
        for entry in (
            *self.manifest["tables"].values(),
            *self.manifest["intake"].values(),
            *self.manifest["sources"],
        ):
            self.archive.store.check(entry["sha256"])


def _standing(chain: tuple[Snapshot, ...], *, portfolio: str | None) -> Iterator[pd.DataFrame]:
    """Yield the rows of :attr:`Snapshot.returns_history`, period by period; those of one portfolio if it is named."""
    known: dict[str, Snapshot | None] = {}
    for snapshot in chain:
        told = snapshot.intake_table("returns").reindex(columns=list(RETURN_COLUMNS))
        strangers = _strangers(told)
        told = told if portfolio is None else told[told["portfolio_id"].eq(portfolio)]
        silent = sorted(set(known) - set(told["portfolio_id"]))
        forgotten = pd.DataFrame(
            [(name, "not returned", "", "no row of it in this return") for name in silent], columns=list(RETURN_COLUMNS)
        )
        rows = pd.concat([told, forgotten], ignore_index=True).sort_values("portfolio_id", kind="stable")
        absent = rows.loc[rows["state"].eq("not returned"), "portfolio_id"]
        over = _over({name: known.get(name) for name in absent}, now=snapshot)
        rows = rows[~rows["portfolio_id"].isin(over)]
        held = snapshot.portfolios if portfolio is None else {portfolio} & {*snapshot.portfolios}
        known |= dict.fromkeys(held, snapshot)
        periods = ["" if (last := known.get(name)) is None else last.period for name in rows["portfolio_id"]]
        yield rows.assign(period=snapshot.period, status_on=snapshot.status_date, known=periods)[
            ["period", "status_on", *RETURN_COLUMNS, "known"]
        ]
        strangers -= set(known)
        known = {name: known.get(name) for name in rows["portfolio_id"] if name not in strangers}


def _together(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    every = list(parts)
    return pd.concat([part for part in every if len(part)] or every[:1], ignore_index=True)


def _strangers(returns: pd.DataFrame) -> set[str]:
    """Return ids that were refused in the file of another portfolio: a mistyped id owes nobody a return."""
    told = returns[returns["file"].ne("")]
    used = set(told.loc[told["state"].ne("refused"), "file"])
    return set(told.loc[told["state"].eq("refused") & told["file"].isin(used), "portfolio_id"])


def _over(absent: Mapping[str, Snapshot | None], *, now: Snapshot) -> set[str]:
    """Return the silent portfolios that are no more: lineage ends them, or each project that they held has moved.

    ``absent`` names the last snapshot with projects of each. An id that another portfolio used already then is not the
    same project.
    """
    if not absent:
        return set()
    lineage = now.table("lineage")
    over = {*lineage.loc[lineage["project_id"].isna(), "from_id"]} & {*absent}
    for last in {one.id: one for one in absent.values() if one is not None}.values():
        came = {project for _, project in now.places - last.places}
        stays = {name for name, project in last.places if project not in came}
        over |= {name for name, one in absent.items() if one is not None and one.id == last.id} - stays
    return over


def open_snapshot(archive: Archive, *, period: str, snapshot: str = "") -> Snapshot:
    """Open a snapshot by id, or the newest of a period: the one that no other supersedes."""
    manifests = archive.manifests(period)
    if not manifests:
        have = ", ".join(archive.periods()) or "none yet"
        raise StoreError(
            f"there is no snapshot of {period}; there are: {have}",
            fix="run `pmo ingest` for the period",
        )
    superseded = {manifest["supersedes"] for manifest in manifests.values()}
    chosen = snapshot or next(name for name in manifests if name not in superseded)
    if chosen not in manifests:
        raise StoreError(
            f"period {period} has no snapshot {chosen}",
            fix=f"choose one of {', '.join(manifests)}",
        )
    return Snapshot(archive, chosen, manifests[chosen])


def take(checked: Checked, *, archive: Archive, organisation: str, reason: str = "") -> Snapshot:
    """Keep a checked return as the snapshot of its period.

    A second, different snapshot of a period needs a reason and supersedes the first, which stays. Taking the same
    return twice returns the snapshot that is there.
    """
    newest = open_snapshot(archive, period=checked.period) if archive.manifests(checked.period) else None
    body = _body(checked, archive=archive, organisation=organisation)
    if newest is not None and _same(body, manifest=newest.manifest):
        return newest
    if newest is not None and not reason.strip():
        raise SnapshotRefused(
            f"{organisation} {checked.period} has a snapshot ({newest.id[:12]}) and this return differs from it",
            fix="say why with --reason; the earlier one stays as it was reported",
        )
    body |= {"supersedes": newest.id if newest else None, "reason": reason.strip()}
    content = canonical_json(body)
    name = hashlib.sha256(content).hexdigest()
    folder = inside(archive.root, parts=("snapshots", checked.period))
    write_atomically(folder / f"{name}.json", content=content, read_only=True)
    return Snapshot(archive, name, body)


def canonical_json(value: object) -> bytes:
    """Write JSON one way only: sorted keys, no blanks, UTF-8, no NaN."""
    return json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    ).encode()


def _body(checked: Checked, *, archive: Archive, organisation: str) -> dict[str, Any]:
    """Put all objects, and return the manifest without what it supersedes."""
    before = [period for period in archive.periods() if period < checked.period]
    previous = open_snapshot(archive, period=before[-1]) if before else None
    store = archive.store
    tables = {name: _put_table(store, rows=rows, table=TABLES[name]) for name, rows in sorted(checked.tables.items())}
    extras = ("findings", "quarantined", "accounting", "cells", "returns")
    intake = {name: _put_extra(store, rows=getattr(checked, name)) for name in extras}
    sources = [
        {
            "name": source.name,
            "sha256": store.put(source.read()),
            "size": source.size,
        }
        for source in sorted(checked.sources, key=lambda source: str(source.name))
    ]
    return {
        "contract_version": CONTRACT_VERSION,
        "organisation": organisation,
        "period": checked.period,
        "status_date": checked.status_date.isoformat(),
        "previous": None if previous is None else {"period": previous.period, "id": previous.id},
        "portfolios": sorted(set(checked.tables["projects"]["portfolio_id"])),
        "sources": sources,
        "tables": tables,
        "intake": intake,
    }


def _same(body: Mapping[str, Any], *, manifest: Mapping[str, Any]) -> bool:
    return all(
        body[key] == manifest.get(key) for key in ("tables", "intake", "sources", "status_date", "contract_version")
    )


def _put_extra(store: Store, *, rows: pd.DataFrame) -> dict[str, Any]:
    records = rows.astype(object).where(rows.notna(), None).to_numpy().tolist()
    content = canonical_json({"columns": list(rows.columns), "rows": records})
    return {"sha256": store.put(content), "rows": len(rows)}


def _put_table(store: Store, *, rows: pd.DataFrame, table: Table) -> dict[str, Any]:
    ordered = rows.sort_values(list(table.key), kind="stable", na_position="first").reset_index(drop=True)
    arrow = to_arrow(ordered, table=table)
    content = parquet_bytes(arrow)
    return {
        "sha256": store.put(content),
        "logical_sha256": logical_digest(arrow),
        "rows": arrow.num_rows,
        "size": len(content),
    }


def to_arrow(rows: pd.DataFrame, *, table: Table) -> pa.Table:
    """Return a typed table as Arrow with the disk types of the contract; strings are plain, never dictionaries."""
    arrays = [_array(rows[column.name], column=column) for column in table.columns]
    return pa.table(arrays, names=list(table.names))


def _array(values: pd.Series, *, column: Column) -> pa.Array:
    kind = ARROW_TYPES.get(column.kind, pa.string())
    if column.kind == "money":  # exact decimals or floats; what is missing may be None or not a number
        return pa.array(
            [None if missing else value for value, missing in zip(values, values.isna(), strict=True)], kind
        )
    if column.kind == "date":
        return pa.array(values.astype("datetime64[us]"), from_pandas=True).cast(kind)
    if column.kind in ("number", "share"):
        return pa.array(values.to_numpy(dtype="float64", na_value=float("nan")), kind, from_pandas=True)
    flat = pa.array(values, kind, from_pandas=True)
    return flat.combine_chunks() if isinstance(flat, pa.ChunkedArray) else flat


def parquet_bytes(arrow: pa.Table) -> bytes:
    """Write Parquet with page checksums; a row group ends where a portfolio ends, once it is large enough."""
    sink = io.BytesIO()
    with pq.ParquetWriter(
        sink,
        arrow.schema,
        compression="zstd",
        use_dictionary=False,
        write_page_checksum=True,
        write_statistics=True,
    ) as writer:
        for start, stop in _groups(arrow["portfolio_id"].to_pylist()):
            writer.write_table(arrow.slice(start, stop - start))
    return sink.getvalue()


def _groups(portfolio_ids: list[str]) -> Iterator[tuple[int, int]]:
    start = 0
    for place in range(1, len(portfolio_ids) + 1):
        ended = place == len(portfolio_ids) or portfolio_ids[place] != portfolio_ids[place - 1]
        if (ended and place - start >= ROWS_PER_GROUP // 4) or place - start >= ROWS_PER_GROUP:
            yield start, place
            start = place
    if start < len(portfolio_ids):
        yield start, len(portfolio_ids)


def logical_digest(arrow: pa.Table) -> str:
    """Return the sha256 of the values: the same for every Parquet writer and version."""
    digest = hashlib.sha256(canonical_json([[field.name, str(field.type)] for field in arrow.schema]))
    for name in arrow.column_names:
        values = arrow[name]
        if pa.types.is_decimal(values.type) or pa.types.is_date(values.type):
            values = values.cast(pa.string())
        digest.update(canonical_json(values.to_pylist()))
    return digest.hexdigest()


def read_rows(
    store: Store,
    *,
    entry: Mapping[str, Any],
    name: str,
    portfolios: Collection[str] | None = None,
    columns: Collection[str] | None = None,
) -> Rows:
    """Read a table, or columns of it, as it is stored; with portfolios, only the row groups that can hold any."""
    source: Any = store.path(entry["sha256"]) if store.local else io.BytesIO(store.get(entry["sha256"]))
    try:
        file = pq.ParquetFile(source, page_checksum_verification=True)
        return _read_groups(file, portfolios=portfolios, columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"table {name} ({entry['sha256'][:12]}) cannot be read: {error}",
            fix="restore it from a copy",
        ) from error


def _read_groups(
    file: pq.ParquetFile, *, portfolios: Collection[str] | None, columns: Collection[str] | None
) -> pa.Table:
    """Read without threads: a table is small, and every report has a process of its own."""
    if portfolios is None:
        return file.read(columns=None if columns is None else list(columns), use_threads=False)
    metadata = file.metadata
    wanted = []
    for group in range(metadata.num_row_groups):
        held = metadata.row_group(group).column(0).statistics
        if held is None or not held.has_min_max or any(held.min <= each <= held.max for each in portfolios):
            wanted.append(group)
    return file.read_row_groups(wanted, use_threads=False)


def over_time(parts: Iterable[tuple[str, Rows]], *, name: str) -> pd.DataFrame:
    """Return stored rows of several periods as one table, with the period in front.

    A table with a column ``period`` of its own (finance) keeps it and has ``return_month`` in front instead. All
    periods are turned into memory types together: one by one, that would cost more than all else that a report does.
    """
    table = TABLES[name]
    stamp = "return_month" if "period" in table.names else "period"
    filled = [(period, part) for period, part in parts if part.num_rows]
    stored = pa.concat_tables([part for _, part in filled], promote_options="default") if filled else None
    rows = from_arrow(stored, table=table)
    stamps = np.repeat(np.array([period for period, _ in filled], dtype=object), [part.num_rows for _, part in filled])
    rows.insert(0, stamp, pd.Series(stamps, dtype="str"))
    return rows


def from_arrow(arrow: Rows | None, *, table: Table) -> pd.DataFrame:
    """Return stored rows as a pandas table with the contract's dtypes (money as float64); None has no rows.

    A column that the contract took up after the rows were stored is null.
    """
    if arrow is None:
        return empty_table(table.name)
    for name in table.names:
        if name not in arrow.column_names:
            arrow = arrow.append_column(name, pa.nulls(arrow.num_rows, pa.null()))
    columns = {column.name: _series(arrow[column.name], column=column) for column in table.columns}
    return pd.DataFrame(columns, columns=list(table.names))


def _series(values: pa.ChunkedArray, *, column: Column) -> pd.Series:
    if column.kind == "money":
        values = values.cast(pa.float64())
    if column.kind == "date":
        values = values.cast(pa.timestamp("us"))
    series: pd.Series = values.to_pandas(types_mapper=MASKED.get)
    return series if series.dtype == column.dtype else pd.Series(series, dtype=column.dtype)


def empty_table(name: str) -> pd.DataFrame:
    """Return a contract table without rows, with its dtypes."""
    return _empty_table(name).copy()


@cache
def _empty_table(name: str) -> pd.DataFrame:
    table = TABLES[name]
    return pd.DataFrame(
        {column.name: pd.Series(dtype=column.dtype) for column in table.columns},
        columns=list(table.names),
    )


def _read_manifest(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != path.stem:
        raise StoreError(
            f"the manifest {path.name} was altered",
            fix="restore it from a copy of the archive",
        )
    manifest: dict[str, Any] = json.loads(content)
    return manifest
