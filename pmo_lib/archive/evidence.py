"""What the ledger tells of a period: which run stands, what it restates, who corrected the returns, when and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.disposals import disposed
from pmo_lib.archive.ledger import MANIFEST, whole_ledger
from pmo_lib.archive.reading import Unusable, document_of
from pmo_lib.archive.runs import Run, place_of, read_run
from pmo_lib.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pmo_lib.archive.ledger import Entry


VERIFY = "see what pmo verify says"


@dataclass(frozen=True)
class Restated:
    """The run that reported a period before its returns were corrected, and each correction since.

    ``corrected``: ``snapshot, at, operator, reason`` of each, the first first.
    """

    run: Run
    corrected: tuple[dict[str, str], ...]

    @property
    def results(self) -> dict[str, Any] | None:
        """What it published; None where a rule disposed of that. StoreError if it was altered."""
        name = f"{self.run.report}.json"
        try:
            return document_of(self.run.read(name))
        except Unusable as unusable:
            if f"{self.run.place}/{name}" in disposed(self.run.root):
                return None
            raise StoreError(f"{self.run.place}/{name}: {unusable.args[1]}", fix=VERIFY) from unusable


def last_run(entries: Sequence[Entry], *, about: Mapping[str, Any]) -> Entry | None:
    """Return the entry of the last run of which the ledger tells all of this."""
    runs = (entry for entry in reversed(entries) if place_of(entry.path))
    return next((entry for entry in runs if about.items() <= entry.about.items()), None)


def restated(root: Path, *, snapshot: str, of: Mapping[str, str]) -> Restated | None:
    """Return what a report made from a snapshot restates; None if it was never made from an earlier one of the period.

    Parameters
    ----------
    root
        The archive.
    snapshot
        Id of the snapshot that the report is made from now.
    of
        ``period, portfolio, report``.

    Raises
    ------
    StoreError
        If the ledger is not whole, or the earlier run was altered.
    """
    entries = whole_ledger(root)
    taken = {entry.sha256: entry for entry in entries if MANIFEST.fullmatch(entry.path)}
    corrected: list[dict[str, str]] = []
    entry = taken.get(snapshot)
    while entry is not None and (before := entry.about["supersedes"]):
        told = {"snapshot": entry.sha256, "at": entry.at, "operator": entry.operator}
        corrected.insert(0, told | {"reason": str(entry.about["reason"])})
        if (run := last_run(entries, about={**of, "snapshot": before})) is not None:
            return Restated(sound(root, entry=run), tuple(corrected))
        entry = taken.get(before)
    return None


def sound(root: Path, *, entry: Entry) -> Run:
    """Return the run that an entry enters; StoreError if it is not what was entered."""
    try:
        run = read_run(root, place=place_of(entry.path))
    except Unusable as unusable:
        raise StoreError(f"{entry.path}: {unusable.args[1]}", fix=VERIFY) from unusable
    if run.digest != entry.sha256:
        raise StoreError(f"{entry.path}: is not what was entered", fix=VERIFY)
    return run
