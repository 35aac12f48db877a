"""Everything that an archive says of itself, read once: what names comes before what is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmo_lib.archive.contents import Contents, take_entries
from pmo_lib.archive.disposals import take_disposals
from pmo_lib.archive.ledger import BATCHES, number_of
from pmo_lib.archive.reading import Listing, listed
from pmo_lib.archive.run_contents import take_runs
from pmo_lib.archive.runs import FOLDERS
from pmo_lib.archive.snapshot_contents import take_snapshots
from pmo_lib.archive.wheels import take_wheels
from pmo_lib.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

TRIES = 5


def survey(root: Path) -> tuple[Contents, Listing]:
    """Return what an archive says of itself, and everything that lies in it; StoreError if there is no archive."""
    must_be_there(root)
    ledger, runs, snapshots, everything = _listings(root)
    contents = Contents()
    take_entries(contents, root=root, listing=ledger)
    take_snapshots(contents, root=root, listing=snapshots)
    take_runs(contents, root=root, listing=runs, present=everything.files)
    take_wheels(contents, root=root)
    take_disposals(contents, root=root, present=everything.files)
    return contents, everything


def must_be_there(root: Path) -> None:
    """Raise StoreError if there is no archive."""
    if not root.is_dir():
        raise StoreError(f"there is no archive {root.name} in {root.parent.name}", fix="name another with --org")


def _listings(root: Path) -> tuple[Listing, Listing, Listing, Listing]:
    """List the ledger, then runs, then snapshots, then all; and again if something was kept in between."""
    for _ in range(TRIES):
        ledger, runs, snapshots = (listed(root, below=below) for below in ("ledger", "runs", "snapshots"))
        everything = listed(root, skip=BATCHES)
        entered = {path for path in everything.files if number_of(path)}
        kept = {folder for folder in everything.folders if FOLDERS.fullmatch(folder)}
        if entered <= ledger.files.keys() and kept <= runs.folders:
            break
    return ledger, runs, snapshots, everything
