"""Late corrections: the snapshots of a period that supersede another, each with who, when, why and what differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pmo_lib.snapshots.differences import Difference, difference
from pmo_lib.snapshots.kept import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pmo_lib.snapshots.kept import Archive

SCHEMA = "pmo-corrections/1"


class Entered(Protocol):
    """What is asked of a ledger entry."""

    @property
    def sequence(self) -> int:
        """Its number."""

    @property
    def kind(self) -> str:
        """What was entered."""

    @property
    def sha256(self) -> str:
        """Of what was entered: a snapshot's is its id."""

    @property
    def operator(self) -> str:
        """Who entered it."""

    @property
    def at(self) -> str:
        """When."""


@dataclass(frozen=True)
class Correction:
    """A snapshot that supersedes another one of its period.

    ``entry`` is its number in the ledger, and ``operator`` and ``at`` are what that entry says; 0 and empty where none
    does.
    """

    old: str
    new: str
    entry: int
    operator: str
    at: str
    reason: str
    difference: Difference

    @property
    def document(self) -> dict[str, Any]:
        """All of it as JSON values."""
        own = {name: getattr(self, name) for name in ("old", "new", "entry", "operator", "at", "reason")}
        return own | {"difference": self.difference.document}


def corrections(archive: Archive, *, entries: Iterable[Entered], period: str) -> list[Correction]:
    """Return the late corrections of a period, in the order in which they were made.

    Parameters
    ----------
    archive
        Where the snapshots lie.
    entries
        Of its ledger.
    period
        ``YYYY-MM``.

    Raises
    ------
    StoreError
        If a snapshot, or a table that is to be compared, is missing or altered.
    """
    manifests = archive.manifests(period)
    told = {entry.sha256: entry for entry in entries if entry.kind in ("snapshot", "adopted")}
    return [_correction(archive, manifests=manifests, name=name, entry=told.get(name)) for name in _in_order(manifests)]


def _in_order(manifests: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the ids of all that supersede one that is there, each after what it supersedes."""
    follows = {manifest["supersedes"]: name for name, manifest in manifests.items()}
    ordered: list[str] = []
    name = follows.get(follows.get(None, ""))
    while name is not None:
        ordered.append(name)
        name = follows.get(name)
    return ordered


def _correction(
    archive: Archive, *, manifests: Mapping[str, Mapping[str, Any]], name: str, entry: Entered | None
) -> Correction:
    old = str(manifests[name]["supersedes"])
    before, after = (Snapshot(archive, each, manifests[each]) for each in (old, name))
    number, operator, at = (0, "", "") if entry is None else (entry.sequence, entry.operator, entry.at)
    return Correction(old, name, number, operator, at, str(manifests[name]["reason"]), difference(before, new=after))
