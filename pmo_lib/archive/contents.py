"""What each file of an archive should hold, and what is said of it: filled by entries, manifests, runs, disposals."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from pmo_lib.archive.checkpoints import KEPT
from pmo_lib.archive.ledger import LOCK, MANIFEST, number_of, read_entry
from pmo_lib.archive.reading import Fault, Unusable
from pmo_lib.archive.runs import FOLDERS

if TYPE_CHECKING:
    from pathlib import Path

    from pmo_lib.archive.ledger import Entry
    from pmo_lib.archive.reading import Listing
    from pmo_lib.archive.runs import Run

OBJECT = re.compile(r"objects/sha256/([0-9a-f]{2})/(\1[0-9a-f]{62})")
MONTH = r"[0-9]{4}-(?:0[1-9]|1[0-2])"
FOLDER = re.compile(
    rf"objects(?:/sha256(?:/[0-9a-f]{{2}})?)?|snapshots(?:/{MONTH})?|ledger|batches|checkpoints"
    rf"|runs(?:/{MONTH}(?:/(?:_whole|[A-Za-z0-9][A-Za-z0-9._-]{{0,63}}))?)?|{FOLDERS.pattern}"
)
LEFTOVER = re.compile(r"(.*/)\.([^/]+)\.[a-z0-9_]{8}\.part")


class Manifest(NamedTuple):
    """What an entry repeats of a manifest, and the path of the one that it follows ("" if none)."""

    about: dict[str, Any]
    before: str


class Wanted(NamedTuple):
    """What is said of an object: its size, where that is said, and what it is to whom."""

    size: int | None
    role: str


class Kept(NamedTuple):
    """What is said of a file of a run: its sha256 ("" where nothing sound tells it), and what it is."""

    sha256: str
    role: str


class Disposed(NamedTuple):
    """A file that was disposed of: the entry that says so, and the file's sha256 and size."""

    entry: Entry
    sha256: str
    size: int

    @property
    def told(self) -> str:
        """By whom and why."""
        about = self.entry.about
        return f"expired by entry {self.entry.sequence} (rule {about['rule']}, approved by {about['approver']})"


@dataclass
class Contents:
    """What entries, manifests, runs and disposals say, and what is wrong with them.

    Attributes
    ----------
    entries
        By number.
    manifests
        Of snapshots, by path.
    runs
        Those whose record and sums could be read, by folder.
    objects
        What must be there, by sha256.
    sources
        Raw returns by sha256, with the paths of the snapshots that were made of them.
    bound
        Objects that something needs as something else than a raw return.
    published
        Results that runs read of others, by sha256, with the folders of those runs.
    kept
        What must be there of runs, by path.
    named
        Snapshots that runs name, by path, each with the record that does.
    disposed
        What was disposed of, by path.
    read
        The sha256 of files that were read, by path: they need not be read again.
    faults
        What could not be read, or says what it must not.
    """

    entries: dict[int, Entry] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    objects: dict[str, Wanted] = field(default_factory=dict)
    sources: dict[str, set[str]] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    published: dict[str, set[str]] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    disposed: dict[str, Disposed] = field(default_factory=dict)
    read: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @cached_property
    def entered(self) -> dict[str, Entry]:
        """The first entry of each path."""
        first: dict[str, Entry] = {}
        for _, entry in sorted(self.entries.items()):
            first.setdefault(entry.path, entry)
        return first

    def want(self, digest: str, *, role: str, size: int | None = None) -> None:
        """Note an object that must be there, as something else than a raw return."""
        self.objects.setdefault(digest, Wanted(size, role))
        self.bound.add(digest)

    def is_ours(self, path: str) -> bool:
        """Say whether a file of such a path has its place in this archive."""
        return path in self.kept or is_known(path)


def is_known(path: str) -> bool:
    """Say whether every archive has a place for a file of such a path."""
    return path == LOCK or number_of(path) > 0 or any(form.fullmatch(path) for form in (OBJECT, MANIFEST, KEPT))


def is_leftover(path: str) -> bool:
    """Say whether a path is that of a file whose writing was cut off, before it had its name."""
    found = LEFTOVER.fullmatch(path)
    return found is not None and is_known(found[1] + found[2])


def object_path(digest: str) -> str:
    """Return where an object lies in the archive."""
    return f"objects/sha256/{digest[:2]}/{digest}"


def take_entries(contents: Contents, *, root: Path, listing: Listing) -> None:
    """Take up all entries that are listed, and the objects that they name."""
    for path in sorted(listing.files):
        if number := number_of(path):
            try:
                entry = contents.entries[number] = read_entry(root, path=path)
            except Unusable as unusable:
                contents.faults.append(Fault(path, *unusable.args))
                continue
            if entry.path == object_path(entry.sha256):
                contents.want(entry.sha256, role=f"the {entry.kind[:40]} of entry {number}")
