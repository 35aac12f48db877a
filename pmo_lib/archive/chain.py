"""The ledger against itself, the checkpoint, and what its entries name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmo_lib.archive.contents import OBJECT
from pmo_lib.archive.ledger import MANIFEST, entry_path
from pmo_lib.archive.reading import Fault
from pmo_lib.archive.runs import place_of, told_run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pmo_lib.archive.checkpoints import Checkpoint
    from pmo_lib.archive.contents import Contents
    from pmo_lib.archive.ledger import Entry

ENTERED_ONCE = ("snapshot", "run", "adopted")
UNENTERED = (
    "no entry vouches for it: it was added by hand, or kept before there was a ledger, or its keeping was cut off "
    "before the entry; the next pmo ingest or pmo run enters it as adopted"
)


def chained(contents: Contents, *, numbers: set[int], checkpoint: Checkpoint | None) -> Iterator[Fault]:
    """Yield where the ledger is not one unbroken row of entries up to its head, and beyond the checkpoint.

    A number in ``numbers`` without an entry in ``contents`` is a file that could not be read, and is named already.
    """
    entries, last = contents.entries, 0
    if checkpoint is not None:
        yield from _against(checkpoint, entries=entries, numbers=numbers)
    for number in sorted(numbers):
        if number != last + 1:
            gap = f"entry {last + 1}" if number == last + 2 else f"entries {last + 1} to {number - 1}"
            yield Fault(
                entry_path(last + 1), "missing", f"ledger {gap} removed or renamed: {entry_path(number)} is here"
            )
        entry, before = entries.get(number), entries.get(number - 1)
        if entry is not None and entry.sequence != number:
            yield Fault(entry_path(number), "reordered", f"it is entry {entry.sequence} under the name of {number}")
        elif entry is not None and number == 1 and entry.previous is not None:
            yield Fault(entry_path(1), "replaced", "the first entry follows another: it is not the first of its ledger")
        elif entry is not None and before is not None and entry.previous != before.digest:
            yield from _broken_link(entry, before=before, entries=entries, checkpoint=checkpoint)
        last = number


def _broken_link(
    entry: Entry, *, before: Entry, entries: dict[int, Entry], checkpoint: Checkpoint | None
) -> Iterator[Fault]:
    """Name the one of two entries that is not what it was: what another vouches for is believed."""
    number = entry.sequence
    here, there = entry_path(number), entry_path(number - 1)
    after = entries.get(number + 1)
    if _vouched(checkpoint, sequence=number - 1, digest=before.digest):
        yield Fault(here, "forked", f"it does not follow {there}, which the checkpoint vouches for")
    elif _vouched(checkpoint, sequence=number, digest=entry.digest) or (after and after.previous == entry.digest):
        yield Fault(there, "replaced", f"{here} follows other bytes: this entry was altered, replaced or forked")
    elif after is None and not (checkpoint and checkpoint.sequence == number):
        means = f"{here} follows other bytes: this entry was altered, replaced or forked, or {here} was"
        yield Fault(there, "replaced", means)
    else:
        yield Fault(
            here, "altered", f"neither does it follow {there}, nor is it what the next one or checkpoint follows"
        )


def _vouched(checkpoint: Checkpoint | None, *, sequence: int, digest: str) -> bool:
    return checkpoint is not None and (checkpoint.sequence, checkpoint.head) == (sequence, digest)


def _against(checkpoint: Checkpoint, *, entries: dict[int, Entry], numbers: set[int]) -> Iterator[Fault]:
    head, here = max(numbers, default=0), entry_path(checkpoint.sequence)
    if head < checkpoint.sequence:
        lost = (
            f"entry {head + 1}" if head + 1 == checkpoint.sequence else f"entries {head + 1} to {checkpoint.sequence}"
        )
        means = f"the ledger ends at {head}, the checkpoint saw {checkpoint.sequence}: {lost} cut off, or an old copy"
        yield Fault(here, "truncated", means)
    elif (entry := entries.get(checkpoint.sequence)) and entry.digest != checkpoint.head:
        yield Fault(
            here, "replaced", "the checkpoint saw other bytes: this entry was altered, or the ledger written anew"
        )


def linked(contents: Contents, *, files: Collection[str], doubted: Collection[str]) -> Iterator[Fault]:
    """Yield where entries, manifests and runs name what is not there, or say other than what they name.

    An entry among the ``doubted`` files is at fault already: what it says is not held against anything else.
    """
    for number, entry in sorted(contents.entries.items()):
        here, first = entry_path(number), contents.entered[entry.path]
        if first.sequence != entry.sequence and entry.kind in ENTERED_ONCE:
            yield Fault(here, "replayed", f"entry {first.sequence} has entered {entry.path} before")
        yield from _named(contents, entry=entry, files=files, doubted=doubted)
        told = _told(contents, path=entry.path)
        if told is not None and entry.about != told:
            yield Fault(here, "altered", f"it says of {entry.path} what is not said there")
    yield from _unentered(contents, files=files)
    for path, told_by in sorted(contents.named.items()):
        if path not in files:
            yield Fault(path, "missing", f"{told_by} names it: it was removed or renamed")
    for path, manifest in contents.manifests.items():
        supersedes = manifest.about["supersedes"]
        superseded = f"{path.rpartition('/')[0]}/{supersedes}.json" if supersedes else ""
        for role, other in (("follows", manifest.before), ("supersedes", superseded)):
            if other and other not in files:
                yield Fault(other, "missing", f"{path} {role} it: it was removed or renamed")


def _named(contents: Contents, *, entry: Entry, files: Collection[str], doubted: Collection[str]) -> Iterator[Fault]:
    """Yield what is wrong with what an entry names."""
    here, place = entry_path(entry.sequence), place_of(entry.path)
    manifest, found = MANIFEST.fullmatch(entry.path), OBJECT.fullmatch(entry.path)
    if (entry.kind == "snapshot" and not manifest) or (manifest and manifest[2] != entry.sha256):
        yield Fault(here, "altered", "its reference is not a snapshot with the sha256 that it names")
    elif (entry.kind == "run" and not place) or (entry.kind == "adopted" and not (place or manifest)):
        yield Fault(here, "altered", "its reference is not what an entry of its kind enters")
    elif found and found[2] != entry.sha256:
        yield Fault(here, "altered", "its reference is not an object with the sha256 that it names")
    elif entry.path not in files:
        yield Fault(entry.path, "missing", f"{here} entered it: it was removed or renamed")
    elif place and contents.read.get(entry.path, entry.sha256) != entry.sha256 and here not in doubted:
        means = f"{here} entered other bytes; it names and seals the files of {told_run(place)}"
        yield Fault(entry.path, "altered", means)


def _told(contents: Contents, *, path: str) -> dict[str, object] | None:
    """Return what an entry should repeat of what it names; None if that could not be read."""
    if path in contents.manifests:
        return contents.manifests[path].about
    run = contents.runs.get(place_of(path))
    return run.about if run else None


def _unentered(contents: Contents, *, files: Collection[str]) -> Iterator[Fault]:
    """Yield snapshots and runs that no entry names; what has the bytes of a missing one was renamed."""
    lost = {entry.sha256: path for path, entry in contents.entered.items() if path not in files}
    for path in contents.manifests:
        if path not in contents.entered:
            yield Fault(path, "not in the ledger", UNENTERED)
    for path in contents.kept:
        place = place_of(path)
        if not place or path in contents.entered or path not in files:
            continue
        if before := lost.get(contents.read.get(path, "")):
            yield Fault(path, "wrong name", f"it holds the bytes of {before}, which is missing: it was renamed")
        else:
            yield Fault(path, "not in the ledger", f"{told_run(place)}: {UNENTERED}")
