"""What the archive holds of one period, each byte of it checked: what the record of an edition is written from.

Every list is in the ledger's order, and what it says does not depend on what was entered for other periods, or later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.contents import object_path
from pmo_lib.archive.disposals import KIND, disposed
from pmo_lib.archive.evidence import sound
from pmo_lib.archive.ledger import MANIFEST, entry_path, whole_ledger
from pmo_lib.archive.reading import Unusable, document_of, hasher, small_file
from pmo_lib.archive.restore import snapshot_objects
from pmo_lib.archive.runs import place_of
from pmo_lib.archive.statement import asked_of, dependencies, metadata_of
from pmo_lib.errors import StoreError
from pmo_lib.store import canonical_json, digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pmo_lib.archive.ledger import Entry
    from pmo_lib.archive.runs import Run

REPORT = "edition_record"  # it does not speak of itself
PRESENT, EXPIRED = "as entered", "expired"


@dataclass
class Edition:
    """What the archive holds of a period.

    Attributes
    ----------
    entry, head
        Number and sha256 of the last entry that is about the period.
    snapshots
        ``entry, at, operator, id, supersedes, reason, kind, signed``.
    sources
        Files that were returned: ``snapshot, file, sha256, size, standing`` (as entered, or expired by an entry).
    runs
        ``entry, at, operator, place, portfolio, report, snapshot, supersedes, reason, draft, attempt, source, commit,
        dirty, lock, python, overrides, signed, stands``.
    figures
        Figures that differ between a run and the one whose place it took: ``run, portfolio, report, before, now``, the
        last two as published.
    disposals
        ``entry, at, operator, rule, approver, files``.
    checked
        ``entries, snapshots, runs, files, bytes, expired``: how many were found as they were entered.
    """

    period: str
    entry: int = 0
    head: str = ""
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    figures: list[dict[str, Any]] = field(default_factory=list)
    disposals: list[dict[str, Any]] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)


def concerning(entries: Sequence[Entry], *, period: str) -> list[Entry]:
    """Return the entries that are about a period, without those of its own records."""
    return [
        entry
        for entry in entries
        if (entry.about.get("period") == period and entry.about.get("report") != REPORT)
        or (entry.kind == KIND and str(entry.about.get("before", "")) > period)
    ]


def digest_of_edition(entries: Sequence[Entry], *, period: str) -> str:
    """Return one sha256 of all that is entered of a period."""
    return digest_of(canonical_json([entry.digest for entry in concerning(entries, period=period)]))


def edition(root: Path, *, period: str) -> Edition:
    """Return what the archive holds of a period.

    Raises
    ------
    StoreError
        If the ledger is not whole, or a file of the period is not what was entered: its name, and what is wrong.
    """
    entries = whole_ledger(root)
    own = concerning(entries, period=period)
    told = Edition(period, own[-1].sequence if own else 0, own[-1].digest if own else "")
    reading = _Reading(root, told, disposed(root))
    for entry in own:
        if MANIFEST.fullmatch(entry.path):
            reading.snapshot(entry)
        elif place_of(entry.path):
            reading.run(entry)
        else:
            reading.disposal(entry)
    counts = {"entries": len(own), "snapshots": len(told.snapshots), "runs": len(told.runs)}
    told.checked = counts | reading.counts
    return told


@dataclass
class _Reading:
    """The reading of one edition: every file that it meets is hashed once."""

    root: Path
    told: Edition
    gone: Mapping[str, Entry]
    seen: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=lambda: {"files": 0, "bytes": 0, "expired": 0})
    last: dict[tuple[str, str], tuple[dict[str, Any], Run]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.digest = hasher()

    def snapshot(self, entry: Entry) -> None:
        """Take up a snapshot and all that it names."""
        self.file(entry.path, digest=entry.sha256)
        manifest = document_of(small_file(self.root / entry.path))
        for digest in snapshot_objects(manifest):
            self.file(object_path(digest), digest=digest)
        for source in manifest["sources"]:
            path = object_path(source["sha256"])
            by = self.gone.get(path)
            standing = f"{EXPIRED} by entry {by.sequence}" if by else PRESENT
            self.told.sources.append(
                {"snapshot": entry.sha256, "file": source["name"], "sha256": source["sha256"], "size": source["size"],
                 "standing": standing}
            )  # fmt: skip
        self.told.snapshots.append(
            _of(entry) | {"id": entry.sha256, "supersedes": entry.about["supersedes"],
                          "reason": entry.about["reason"], "kind": entry.kind}
        )  # fmt: skip

    def run(self, entry: Entry) -> None:
        """Take up a run, and what of its figures differs from the run whose place it took."""
        run = sound(self.root, entry=entry)
        for name, digest in run.sums.items():
            self.file(f"{run.place}/{name}", digest=digest)
        row = _of(entry) | _of_run(run)
        key = str(run.about["portfolio"]), run.report
        if key in self.last:
            before, earlier = self.last[key]
            before["stands"] = False
            self._figures(run, before=earlier)
        self.last[key] = row, run
        self.told.runs.append(row)

    def _figures(self, run: Run, *, before: Run) -> None:
        name = f"{run.report}.json"
        if any(f"{one.place}/{name}" in self.gone for one in (run, before)):
            return
        old, new = (document_of(one.read(name)).get("figures", []) for one in (before, run))
        if old != new:
            of = {"run": run.place, "portfolio": run.about["portfolio"], "report": run.report}
            self.told.figures.append(of | {"before": old, "now": new})

    def disposal(self, entry: Entry) -> None:
        """Take up what was disposed of."""
        self.told.disposals.append(_of(entry) | {name: entry.about[name] for name in ("rule", "approver", "files")})

    def file(self, path: str, *, digest: str) -> None:
        """Hash a file, unless it was met before; StoreError if it is not what was entered, and was not disposed of."""
        if path in self.seen:
            return
        self.seen.add(path)
        if path in self.gone:
            self.counts["expired"] += 1
            return
        try:
            found = self.digest(self.root / path)
        except Unusable as unusable:
            raise _altered(path, why=str(unusable.args[1])) from unusable
        if found != digest:
            raise _altered(path, why="its bytes are not those that were entered")
        self.counts["files"] += 1
        self.counts["bytes"] += (self.root / path).lstat().st_size


def _altered(path: str, *, why: str) -> StoreError:
    return StoreError(f"{path}: {why}; no record is written of it", fix="see what pmo verify says")


def _of(entry: Entry) -> dict[str, Any]:
    where = {"entry": entry.sequence, "path": entry_path(entry.sequence)}
    return where | {"at": entry.at, "operator": entry.operator, "signed": entry.signature is not None}


def _of_run(run: Run) -> dict[str, Any]:
    made_of = {one.name: one for one in dependencies(run.statement)}
    told, source = metadata_of(run.statement), made_of["source"]
    standing = source.annotations or {}
    return {
        "place": run.place,
        **{name: run.about[name] for name in ("portfolio", "report", "snapshot", "supersedes", "reason", "draft")},
        "attempt": told["pmo_attempt"],
        "source": source.sha256,
        "commit": standing.get("commit"),
        "dirty": standing.get("dirty"),
        "lock": made_of["lock"].sha256 if "lock" in made_of else None,
        "python": str(told["pmo_python"]).split(" ", 1)[0],
        "overrides": asked_of(run.statement)["overrides"],
        "stands": True,
    }
