"""What was just kept is entered in the ledger, and before it what lies in the archive without an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pmo_lib.archive.ledger import MANIFEST, Entry, Ledger, is_canonical, is_digest
from pmo_lib.archive.reading import Unusable, document_of, listed, small_file
from pmo_lib.archive.runs import SUMS, places, read_run
from pmo_lib.errors import StoreError
from pmo_lib.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pmo_lib.archive.runs import Run

VERIFY = "see what pmo verify says"


def enter(ledger: Ledger, *, taken: str, at: str) -> list[Entry]:
    """Enter a snapshot that was just taken, and before it everything that lies in the archive without an entry.

    Parameters
    ----------
    ledger
        The ledger of the archive.
    taken
        Id of the snapshot that was just taken; it may have an entry already. "" if none was.
    at
        When, for the entries.

    Returns
    -------
    list of Entry
        The entries that were made, in order; those of kind ``adopted`` for what was found.

    Raises
    ------
    StoreError
        If the ledger is not whole, or what has no entry does not have the bytes of its name.
    """
    with ledger.held():
        before = len(ledger.entries)
        held = {entry.path for entry in ledger.entries}
        for path, about in _in_order(dict(_manifests(ledger.root, held=held))):
            name = path.rpartition("/")[2].removesuffix(".json")
            kind = "snapshot" if name == taken else "adopted"
            ledger.append(kind, path=path, sha256=name, about=about, at=at)
        for run in _runs(ledger.root, held=held):
            ledger.append("adopted", path=f"{run.place}/{SUMS}", sha256=run.digest, about=run.about, at=at)
        return ledger.entries[before:]


def enter_run(ledger: Ledger, *, run: Run, at: str) -> Entry:
    """Enter a run that was just kept; return its entry, the one that it has already if it has one."""
    path = f"{run.place}/{SUMS}"
    with ledger.held():
        return ledger.entry_of(path) or ledger.append("run", path=path, sha256=run.digest, about=run.about, at=at)


def _runs(root: Path, *, held: set[str]) -> Iterator[Run]:
    """Yield every run that has no entry, in an order that does not depend on the disk."""
    for place in places(root):
        if f"{place}/{SUMS}" not in held:
            try:
                yield read_run(root, place=place)
            except Unusable as unusable:
                raise StoreError(f"{place}: {unusable.args[1]}; it is not entered", fix=VERIFY) from unusable


def _manifests(root: Path, *, held: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and what an entry says of every manifest that has none."""
    for path in sorted(listed(root, below="snapshots").files):
        found = MANIFEST.fullmatch(path)
        if found is None or path in held:
            continue
        try:
            content = small_file(root / path)
            document = document_of(content)
        except Unusable as unusable:
            raise StoreError(f"{path}: {unusable.args[1]}", fix=VERIFY) from unusable
        about = told_of(document)
        whole = digest_of(content) == found[2] and is_canonical(document, content=content)
        if (
            not whole
            or about["period"] != found[1]
            or not (about["supersedes"] is None or is_digest(about["supersedes"]))
        ):
            raise StoreError(f"{path}: was altered or moved; it is not entered", fix=VERIFY)
        yield path, about


def told_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what an entry repeats of a manifest."""
    return {name: manifest.get(name) for name in ("period", "supersedes", "reason")}


def _in_order(manifests: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is to be entered: by period, and what is superseded before what supersedes it."""
    waiting = dict(manifests)
    while waiting:
        names = {path.rpartition("/")[2].removesuffix(".json") for path in waiting}
        ready = [path for path, about in waiting.items() if about["supersedes"] not in names] or list(waiting)
        yield ready[0], waiting.pop(ready[0])
