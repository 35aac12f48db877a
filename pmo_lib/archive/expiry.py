"""Retention: what a rule no longer allows to be kept is removed, and the ledger says so before the first byte goes.

Tables are never removed: reports of later periods read them. Of a run, its record, signature and sums stay: they prove
that it was, and what it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pmo_lib.archive.contents import Contents, object_path
from pmo_lib.archive.disposals import (
    KIND,
    RETURNS,
    RUNS,
    UNENTERED,
    Disposal,
    Gone,
    needed_file,
    needed_return,
)
from pmo_lib.archive.hashing import hashed
from pmo_lib.archive.runs import RUN_FILES, SUMS
from pmo_lib.archive.survey import must_be_there, survey
from pmo_lib.errors import StoreError
from pmo_lib.store import Store, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pmo_lib.archive.ledger import Entry, Ledger
    from pmo_lib.archive.reading import Listing

VERIFY = "see what pmo verify says; nothing was removed"


class Candidate(NamedTuple):
    """A file that a rule speaks of: what it should be, and who still needs it ("" if nobody)."""

    path: str
    sha256: str
    what: str
    needed: str


@dataclass(frozen=True)
class Expired:
    """What was disposed of, or would be.

    Attributes
    ----------
    disposal
        What is entered now; its list of files is empty where there is nothing.
    unfinished
        Files of earlier disposals that still lay there, and are removed as well.
    needed
        Files that the rule speaks of and that stay, with who needs them.
    """

    disposal: Disposal
    unfinished: tuple[str, ...]
    needed: dict[str, str]

    @property
    def paths(self) -> list[str]:
        """Every file that is removed."""
        return [*self.unfinished, *(one.path for one in self.disposal.files)]


def expirable(root: Path, *, rule: Disposal) -> Expired:
    """Return what a rule disposes of, by its period and kinds; its own list of files does not matter.

    StoreError if the archive cannot be read as a whole, or a file of it is not what it was: what was tampered with is
    never disposed of.
    """
    contents, everything = survey(root)
    if contents.faults:
        path, what, means = contents.faults[0]
        raise StoreError(f"{path}: {what}: {means}", fix=VERIFY)
    for place, run in contents.runs.items():
        entry = contents.entered.get(f"{place}/{SUMS}")
        if entry is None or entry.sha256 != run.digest:
            raise StoreError(f"{place}: the ledger has not entered it as it is", fix=VERIFY)
    present = [one for one in _candidates(contents, rule=rule) if one.path in everything.files]
    free = [one for one in present if not one.needed and one.path not in contents.disposed]
    _unaltered(root, chosen=free, everything=everything)
    files = tuple(Gone(one.path, one.sha256, everything.files[one.path].size, one.what) for one in free)
    return Expired(
        Disposal(rule.before, rule.kinds, rule.rule, rule.approver, files),
        tuple(_unfinished(contents, everything=everything)),
        {one.path: one.needed for one in present if one.needed},
    )


def _candidates(contents: Contents, *, rule: Disposal) -> Iterator[Candidate]:
    """Yield every raw return and file of a run that a rule speaks of, in order."""
    before, by = rule.before, UNENTERED + 1
    for digest, snapshots in sorted(contents.sources.items()) if RETURNS in rule.kinds else ():
        if min(snapshots).split("/")[1] < before:
            needed = needed_return(contents, digest=digest, before=before, by=by)
            yield Candidate(object_path(digest), digest, contents.objects[digest].role, needed)
    for place, run in sorted(contents.runs.items()) if RUNS in rule.kinds else ():
        for name in sorted(run.sums.keys() - RUN_FILES) if place.split("/")[1] < before else ():
            path = f"{place}/{name}"
            needed = needed_file(contents, place=place, name=name, before=before, by=by)
            yield Candidate(path, run.sums[name], contents.kept[path].role, needed)


def _unaltered(root: Path, *, chosen: list[Candidate], everything: Listing) -> None:
    digests, unread = hashed(root, files={one.path: everything.files[one.path] for one in chosen}, threads=None)
    bad = [fault.file for fault in unread] + [one.path for one in chosen if digests.get(one.path) != one.sha256]
    if bad:
        raise StoreError(f"{bad[0]}: it is not what it was, and is not disposed of", fix=VERIFY)


def _unfinished(contents: Contents, *, everything: Listing) -> Iterator[str]:
    """Yield what was disposed of and still lies there, unless somebody has come to need it since."""
    for path, gone in sorted(contents.disposed.items()):
        before = gone.entry.about["before"]
        place, _, name = path.rpartition("/")
        if place in contents.runs:
            needed = needed_file(contents, place=place, name=name, before=before, by=UNENTERED + 1)
        else:
            needed = needed_return(contents, digest=gone.sha256, before=before, by=UNENTERED + 1)
        if path in everything.files and not needed:
            yield path


def expire(ledger: Ledger, *, rule: Disposal, at: str) -> tuple[Expired, Entry | None]:
    """Enter what a rule disposes of, then remove it; and what an earlier call, which was cut off, did not remove.

    Parameters
    ----------
    ledger
        The ledger of the archive. Its lock is held: nothing is entered meanwhile.
    rule
        Period, kinds, rule and approver.
    at
        When, for the entry.

    Returns
    -------
    Expired, Entry or None
        What was removed, and the entry; None where there was nothing new to enter.
    """
    must_be_there(ledger.root)
    with ledger.held():
        found, entry = expirable(ledger.root, rule=rule), None
        if found.disposal.files:
            digest = Store(ledger.root / "objects").put(found.disposal.content())
            about = found.disposal.about
            entry = ledger.append(KIND, path=object_path(digest), sha256=digest, about=about, at=at)
        _remove(ledger.root, paths=found.paths)
    return found, entry


def _remove(root: Path, *, paths: list[str]) -> None:
    folders = {(root / path).parent for path in paths}
    for path in paths:
        (root / path).unlink(missing_ok=True)
    for folder in sorted(folders):
        sync_folder(folder)
