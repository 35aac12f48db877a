"""Typed tables → the immutable, content-addressed snapshot of a period; reopen it, and the earlier ones through it.

A snapshot is a manifest (its id is the sha256 of its bytes) and Parquet objects in the store.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pmo_lib.contracts.returned import RETURN_COLUMNS
from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import SnapshotRefused, StoreError
from pmo_lib.metrics.quality import concerning
from pmo_lib.snapshots.rows import Rows, from_arrow, logical_digest, parquet_bytes, read_rows, to_arrow
from pmo_lib.store import Store, canonical_json, inside, write_atomically

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from pmo_lib.contracts.columns import Table
    from pmo_lib.contracts.returned import Checked

CONTRACT_VERSION = "2"  # 2: calendars; remaining_days of a task; task_id and velocity_days of a risk
Read: TypeAlias = tuple[str, ...]  # kind (rows, intake, standing, manifest), period, table, portfolio, its projects


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
    """One period of one organisation as it was returned.

    Where ``reads`` is a set, everything that is asked of this snapshot and of the earlier ones through it is noted
    there, so that a report can later be told to have read nothing that changed (:mod:`pmo_lib.unchanged`).
    """

    archive: Archive
    id: str
    kept: Mapping[str, Any] = field(repr=False)
    reads: set[Read] | None = field(default=None, repr=False, compare=False)

    @property
    def manifest(self) -> Mapping[str, Any]:
        """All that the snapshot's file says."""
        self._note("manifest")
        return self.kept

    @property
    def period(self) -> str:
        """Month of the status date, ``YYYY-MM``."""
        return str(self.kept["period"])

    @property
    def status_date(self) -> pd.Timestamp:
        """The day that the returns speak of."""
        return pd.Timestamp(self.kept["status_date"])

    @property
    def portfolios(self) -> tuple[str, ...]:
        """Ids of the portfolios that returned something usable and hold projects, in order."""
        self._note("standing")
        return tuple(self.kept["portfolios"])

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
        self._note("rows", name, portfolio or "")
        for other, projects in (others or {}).items():
            self._note("rows", name, other, *sorted(projects))
        entry = self.kept["tables"].get(name)
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

    def intake_table(self, name: str, *, portfolio: str | None = None) -> pd.DataFrame:
        """Return one of the tables about the intake itself: findings, quarantined, accounting, cells, returns.

        With a portfolio, what concerns it: its own rows; of ``cells`` those of the file that its return came in; of
        ``findings`` also those about whole files and sheets that are not of others' returns alone.
        """
        self._note("intake", name, portfolio or "")
        rows = self._intake(name)
        if portfolio is None:
            return rows
        if name == "findings":
            return concerning(rows, returns=self._intake("returns"), portfolio_id=portfolio)
        if name == "cells":
            files = self._intake("returns").loc[lambda told: told["portfolio_id"].eq(portfolio), "file"].tail(1)
            return rows[rows["file"].isin({name for names in files for name in names.split("; ")})]
        return rows[rows["portfolio_id"].eq(portfolio)]

    def _intake(self, name: str) -> pd.DataFrame:
        packed = json.loads(self.archive.store.get(self.kept["intake"][name]["sha256"]))
        return pd.DataFrame(packed["rows"], columns=packed["columns"])

    def previous(self) -> Snapshot | None:
        """Return the previous period's snapshot as it stood when this one was taken."""
        return self._previous

    @cached_property
    def _previous(self) -> Snapshot | None:
        link = self.kept["previous"]
        if link is None:
            return None
        return replace(open_snapshot(self.archive, period=link["period"], snapshot=link["id"]), reads=self.reads)

    def chain(self) -> tuple[Snapshot, ...]:
        """Return this snapshot and, through it, all earlier ones: oldest first."""
        return tuple(reversed(tuple(self._backwards())))

    def _backwards(self) -> Iterator[Snapshot]:
        link: Snapshot | None = self
        while link is not None:
            yield link
            link = link.previous()

    @property
    def noting(self) -> Snapshot:
        """The same snapshot, which notes from now on what is asked of it."""
        return replace(self, reads=set())

    @property
    def unnoted(self) -> Snapshot:
        """The same snapshot, which notes nothing of what is asked of it."""
        return self if self.reads is None else replace(self, reads=None)

    @property
    def noted(self) -> list[list[str]]:
        """What was read so far of this snapshot and of the earlier ones through it, in order; see :data:`Read`."""
        return sorted(list(read) for read in self.reads or ())

    def _note(self, kind: str, *what: str) -> None:
        if self.reads is not None:
            self.reads.add((kind, self.period, *what))

    @property
    def returns_history(self) -> pd.DataFrame:
        """How every portfolio's return came in, in this period and in all before it: :meth:`standing` of all."""
        return self.standing()

    def standing(self, portfolio: str = "") -> pd.DataFrame:
        """Return how a portfolio's returns came in, in this period and in all before it; all portfolios' without one.

        Columns: ``period, status_on, portfolio_id, state, file, reason, known``; ``known`` is the period of the
        portfolio's last return with usable projects: the same one, an earlier one, or "" where there is none yet.

        Beside what intake said it holds every portfolio of an earlier period that has not returned since: two silent
        periods do not make it forgotten. An id that was only ever refused in another's file is no portfolio. No return
        is owed by a portfolio that lineage ended, nor by one whose projects have all moved to others.
        """
        self._note("standing", "", portfolio)
        return _together(_standings(self.unnoted.chain(), portfolio=portfolio)) if portfolio else self._standing

    @cached_property
    def _standing(self) -> pd.DataFrame:
        return _together(_standings(self.unnoted.chain(), portfolio=None))

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
        rows = self.standing(portfolio)
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
        self._note("standing", "", portfolio)
        return next((one for one in self._backwards() if portfolio in one.kept["portfolios"]), None)

    def check(self) -> None:
        """Read every object and compare it with the manifest; StoreError names the first that is missing or altered."""
        for entry in (
            *self.kept["tables"].values(),
            *self.kept["intake"].values(),
            *self.kept["sources"],
        ):
            self.archive.store.check(entry["sha256"])


def _standings(chain: tuple[Snapshot, ...], *, portfolio: str | None) -> Iterator[pd.DataFrame]:
    """Yield the rows of :meth:`Snapshot.standing`, period by period; those of one portfolio if it is named."""
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


def _read_manifest(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != path.stem:
        raise StoreError(
            f"the manifest {path.name} was altered",
            fix="restore it from a copy of the archive",
        )
    manifest: dict[str, Any] = json.loads(content)
    return manifest
