"""Every byte of an archive against names, manifests, ledger and checkpoint: what is wrong where, and what it means.

Nothing of the archive is followed, imported or executed, and of no file more than a few bytes is held at a time, but of
manifests and entries, which are bounded. Digests are computed in threads: hashlib lets go of the interpreter's lock.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.contents import FOLDER, OBJECT, chained, contents_of, is_known, is_leftover, linked
from pmo_lib.archive.ledger import BATCHES, LOCK, MANIFEST, entry_path, number_of
from pmo_lib.archive.reading import Fault, File, Listing, Unusable, hasher, listed, shown
from pmo_lib.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pmo_lib.archive.checkpoints import Checkpoint
    from pmo_lib.archive.contents import Contents

SCHEMA = "pmo-verify/1"
MOST_STRANGE_BYTES = 64 << 20  # larger files that are not ours are named, not hashed
TRIES = 5
PORTION_FILES, PORTION_BYTES = 64, 16 << 20


@dataclass(frozen=True)
class Verdict:
    """What was found.

    ``faults`` is what must not be; ``notices`` may be; ``not_proven`` says what this verification cannot know.
    """

    faults: tuple[Fault, ...]
    notices: tuple[Fault, ...]
    not_proven: tuple[str, ...]
    counts: dict[str, int]
    sequence: int
    head: str | None
    checkpoint: Checkpoint | None = field(default=None)

    @property
    def clean(self) -> bool:
        """Whether there is no fault."""
        return not self.faults

    def document(self) -> dict[str, Any]:
        """Return it as JSON values; paths are escaped as they are printed."""
        seen = self.checkpoint
        return {
            "schema": SCHEMA,
            "clean": self.clean,
            "findings": [fault._asdict() for fault in self.faults],
            "notices": [fault._asdict() for fault in self.notices],
            "not_proven": list(self.not_proven),
            "counts": self.counts,
            "ledger": {"sequence": self.sequence, "head": self.head},
            "checkpoint": None if seen is None else {"sequence": seen.sequence, "head": seen.head, "at": seen.at},
        }


def verify(root: Path, *, checkpoint: Checkpoint | None = None, threads: int | None = None) -> Verdict:
    """Verify an archive.

    Parameters
    ----------
    root
        The archive. An ingest that is under way may be told of as if it had been cut off.
    checkpoint
        What the ledger was once, kept elsewhere.
    threads
        Of hashing; default: one for each core.

    Raises
    ------
    StoreError
        If there is no archive.
    """
    if not root.is_dir():
        raise StoreError(f"there is no archive {root.name} in {root.parent.name}", fix="name another with --org")
    ledger, snapshots, everything = _listings(root)
    contents = contents_of(root, ledger=ledger, snapshots=snapshots)
    numbers = {number for path in ledger.files if (number := number_of(path))}
    hashed, unread = _hashed(root, files=_to_hash(everything, contents=contents), threads=threads)
    faults = [
        *contents.faults,
        *unread,
        *_strangers(everything, contents=contents, hashed=hashed),
        *chained(contents, numbers=numbers, checkpoint=checkpoint),
        *linked(contents, files=everything.files),
        *_objects(contents, everything=everything, hashed=hashed, unread={fault.file for fault in unread}),
    ]
    entries = contents.entries
    return Verdict(
        _once(faults),
        _once(_notices(everything, contents=contents)),
        tuple(_not_proven(contents, everything=everything, checkpoint=checkpoint)),
        {
            "objects": sum(OBJECT.fullmatch(path) is not None for path in everything.files),
            "snapshots": sum(MANIFEST.fullmatch(path) is not None for path in everything.files),
            "entries": len(numbers),
            "bytes": sum(file.size for file in everything.files.values()),
        },
        max(numbers, default=0),
        entries[max(entries)].digest if entries and max(entries) == max(numbers) else None,
        checkpoint,
    )


def _listings(root: Path) -> tuple[Listing, Listing, Listing]:
    """List the ledger, then snapshots, then all: what names before the named, and again if an ingest came between."""
    for _ in range(TRIES):
        ledger, snapshots = listed(root, below="ledger"), listed(root, below="snapshots")
        everything = listed(root, skip=BATCHES)
        if ledger.files.keys() >= {path for path in everything.files if number_of(path)}:
            break
    return ledger, snapshots, everything


def _once(faults: list[Fault]) -> tuple[Fault, ...]:
    """Return one fault of each file, the first that was found, in order of the files."""
    first: dict[str, Fault] = {}
    for fault in faults:
        first.setdefault(fault.file, fault)
    return tuple(Fault(shown(fault.file), fault.what, shown(fault.means)) for _, fault in sorted(first.items()))


def _to_hash(everything: Listing, *, contents: Contents) -> dict[str, File]:
    """Return the files whose digest is needed: objects of the size that they should have, and what is not ours."""
    chosen = {}
    for path, file in everything.files.items():
        found = OBJECT.fullmatch(path)
        wanted = contents.objects.get(found[2]) if found else None
        if (wanted is None or wanted.size in (None, file.size)) if found else _strange(path, file=file):
            chosen[path] = file
    return chosen


def _strange(path: str, *, file: File) -> bool:
    return not is_known(path) and file.size <= MOST_STRANGE_BYTES


def _hashed(root: Path, *, files: dict[str, File], threads: int | None) -> tuple[dict[str, str], list[Fault]]:
    """Return the digests of files, and those that could not be read."""

    def digests(portion: list[str]) -> list[tuple[str, str | Fault]]:
        digest = hasher()
        done: list[tuple[str, str | Fault]] = []
        for path in portion:
            try:
                done.append((path, digest(root / path)))
            except Unusable as unusable:
                done.append((path, Fault(path, *unusable.args)))
        return done

    with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as pool:
        told = [each for portion in pool.map(digests, _portions(files)) for each in portion]
    return {path: one for path, one in told if isinstance(one, str)}, [one for _, one in told if isinstance(one, Fault)]


def _portions(files: dict[str, File]) -> Iterator[list[str]]:
    """Yield files in portions of about the same work, large ones first."""
    portion: list[str] = []
    size = 0
    for path in sorted(files, key=lambda path: (-files[path].size, path)):
        portion.append(path)
        size += files[path].size
        if len(portion) == PORTION_FILES or size >= PORTION_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _objects(contents: Contents, *, everything: Listing, hashed: dict[str, str], unread: set[str]) -> Iterator[Fault]:
    """Yield objects that are not what they should be, and those that are not there."""
    at = {digest: path for path, digest in hashed.items()}
    present = {found[2]: path for path in everything.files if (found := OBJECT.fullmatch(path))}
    for digest, path in present.items():
        wanted = contents.objects.get(digest)
        role = f"it is {wanted.role}" if wanted else "no snapshot refers to it"
        if path not in hashed and path not in unread and wanted and wanted.size is not None:
            size = everything.files[path].size
            what = "torn" if size < wanted.size else "altered"
            yield Fault(path, what, f"{role} and should have {wanted.size:,} bytes; it has {size:,}")
        elif path in hashed and hashed[path] != digest:
            other = present.get(hashed[path])
            held = f"it holds the bytes of {other}" if other else "its bytes are not those of its name"
            yield Fault(path, "altered", f"{held}; {role}")
    for digest, wanted in contents.objects.items():
        if digest not in present:
            moved = f"; its bytes lie in {at[digest]}" if digest in at else ""
            yield Fault(f"objects/sha256/{digest[:2]}/{digest}", "missing", f"it is {wanted.role}{moved}")


def _strangers(everything: Listing, *, contents: Contents, hashed: dict[str, str]) -> Iterator[Fault]:
    """Yield what the archive has no place for: other names, links, pipes, folders; and what was entered otherwise."""
    referred = {entry.path: (number, entry.sha256) for number, entry in contents.entries.items()}
    for path, kind in everything.others.items():
        yield Fault(path, "not a file", f"{kind} stands there; it was not followed or read")
    for path in everything.folders:
        if is_known(path):
            yield Fault(path, "not a file", "a folder stands in its place")
        elif not FOLDER.fullmatch(path) and not any(other.startswith(f"{path}/") for other in referred):
            yield Fault(path, "extra folder", "the archive has no folder of this name: it was added or renamed")
    for path, file in everything.files.items():
        if path == LOCK and file.size:
            yield Fault(path, "altered", "the lock of the ledger is an empty file, and this one is not")
        elif path in referred and path in hashed:
            number, digest = referred[path]
            if hashed[path] != digest:
                yield Fault(path, "altered", f"{entry_path(number)} entered other bytes")
        elif not is_known(path) and not is_leftover(path):
            yield _stranger(path, digest=hashed.get(path, ""), everything=everything, contents=contents)


def _stranger(path: str, *, digest: str, everything: Listing, contents: Contents) -> Fault:
    """Name a file of another name than any of ours, and say whose bytes it holds if they are one of ours."""
    place = f"objects/sha256/{digest[:2]}/{digest}"
    if digest in contents.objects and place not in everything.files:
        return Fault(path, "wrong name", f"it holds the bytes of {place}, which is missing: it was renamed")
    manifests = {entry.sha256: entry.path for entry in contents.entries.values()}
    if digest in manifests and manifests[digest] not in everything.files:
        return Fault(path, "wrong name", f"it holds the bytes of {manifests[digest]}, which is missing: it was renamed")
    return Fault(path, "extra file", "nothing of ours has this name: it was added or renamed")


def _notices(everything: Listing, *, contents: Contents) -> list[Fault]:
    """Return what may be, and is worth a look."""
    notices = []
    for path in everything.files:
        found = OBJECT.fullmatch(path)
        if is_leftover(path):
            notices.append(Fault(path, "cut off", "a write that was cut off left it; it may be deleted"))
        elif found and found[2] not in contents.objects:
            means = "no snapshot refers to it: an ingest was refused or cut off, or somebody added it"
            notices.append(Fault(path, "not referred to", means))
    writable = sorted(
        path for path, file in everything.files.items() if file.writable and is_known(path) and path != LOCK
    )
    if writable:
        means = f"{_files(len(writable))} could be written: restored or copied without permissions? chmod a-w them"
        notices.append(Fault(writable[0], "not read-only", means))
    adopted = [number for number, entry in sorted(contents.entries.items()) if entry.kind == "adopted"]
    if adopted:
        means = (
            f"{_files(len(adopted))} lay in the archive before their entry: the ledger vouches for them from there on"
        )
        notices.append(Fault(entry_path(adopted[0]), "adopted", means))
    return notices


def _files(count: int) -> str:
    return "this one" if count == 1 else f"this one and {count - 1:,} more"


def _not_proven(contents: Contents, *, everything: Listing, checkpoint: Checkpoint | None) -> Iterator[str]:
    head = max(contents.entries, default=0)
    if checkpoint is None:
        yield (
            "without a checkpoint: that nothing was cut off the end of the ledger, that the ledger was not written "
            "anew as a whole, and when and by whom its last entry was made"
        )
    elif checkpoint.sequence < head:
        yield f"that nothing after entry {checkpoint.sequence}, which the checkpoint saw, was cut off or written anew"
    yield "who made an entry: entries are unsigned, and tell what they were told"
    if BATCHES in everything.folders:
        yield f"{BATCHES}/: plans and logs of runs are not sealed, and were not read"
