"""The ledger: one small file for each thing that was kept, numbered, each with the sha256 of the one before.

An entry is canonical JSON::

    {"schema": "pmo-ledger/1", "sequence": 2, "previous": "<sha256 of entry 1>", "kind": "snapshot",
     "reference": {"path": "snapshots/2026-09/<id>.json", "sha256": "<id>"},
     "about": {"period": "2026-09", "supersedes": null, "reason": ""},
     "at": "2026-10-02T09:30:00+00:00", "operator": "jo", "signature": null}

``kind`` is open. ``snapshot`` is a return that was just taken, ``run`` a report that was just published. ``adopted`` is
a snapshot or a run that already lay in the archive without an entry: from before there was a ledger, or cut off before
its entry. The ledger vouches for such a one from there on, not for how it came. ``signature`` is null where no key was
configured; else it is over the entry as it would be without one (:mod:`pmo_lib.archive.signing`).

Whoever can write to the archive can write the whole ledger anew; only a checkpoint that is kept elsewhere shows it. The
chain is that of Haber and Stornetta 1991 ("How to time-stamp a digital document").
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.reading import Unusable, document_of, listed, small_file
from pmo_lib.archive.signing import ENTRY as ENTRY_KIND, SigningKey, is_signature
from pmo_lib.batch.lock import locked
from pmo_lib.errors import StoreError
from pmo_lib.store import canonical_json, digest_of, write_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = "pmo-ledger/1"
LOCK, BATCHES = "ledger/lock", "batches"
ENTRY = re.compile(r"ledger/([0-9]{6,18})\.json")
MANIFEST = re.compile(r"snapshots/([0-9]{4}-(?:0[1-9]|1[0-2]))/([0-9a-f]{64})\.json")
DIGEST = re.compile(r"[0-9a-f]{64}")
FIELDS = {"schema", "sequence", "previous", "kind", "reference", "about", "at", "operator", "signature"}
MOST_ENTRY_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """An entry as it was read, with the sha256 of its bytes; ``payload`` is what its signature is over."""

    sequence: int
    previous: str | None
    kind: str
    path: str
    sha256: str
    about: dict[str, Any]
    digest: str
    at: str = ""
    operator: str = ""
    signature: dict[str, str] | None = None
    payload: bytes = field(default=b"", repr=False, compare=False)


def entry_path(sequence: int) -> str:
    """Return where an entry lies in the archive."""
    return f"ledger/{sequence:06d}.json"


def number_of(path: str) -> int:
    """Return the number of the entry that lies at a path of the archive; 0 if no entry has that path."""
    found = ENTRY.fullmatch(path)
    return int(found[1]) if found and path == entry_path(int(found[1])) else 0


def read_entry(root: Path, *, path: str) -> Entry:
    """Read an entry; Unusable if it is not the canonical form of one."""
    content = small_file(root / path, most=MOST_ENTRY_BYTES)
    document = document_of(content)
    entry = _entry(document, digest=digest_of(content))
    if not is_canonical(document, content=content):
        raise Unusable("altered", "it is not written as the ledger writes: some of its bytes were changed or added")
    return entry


def is_canonical(document: dict[str, Any], *, content: bytes) -> bool:
    """Say whether bytes are the one way to write a document."""
    try:
        return canonical_json(document) == content
    except (ValueError, RecursionError):  # a lone surrogate, or deeper than can be written
        return False


def _entry(document: dict[str, Any], *, digest: str) -> Entry:
    sequence, previous, reference = document.get("sequence"), document.get("previous"), document.get("reference")
    sound = (
        set(document) == FIELDS
        and document["schema"] == SCHEMA
        and is_count(sequence)
        and (previous is None or is_digest(previous))
        and isinstance(reference, dict)
        and set(reference) == {"path", "sha256"}
        and isinstance(reference["path"], str)
        and is_digest(reference["sha256"])
        and isinstance(document["about"], dict)
        and all(isinstance(document[name], str) for name in ("kind", "at", "operator"))
        and (document["signature"] is None or is_signature(document["signature"]))
    )
    if not sound or not isinstance(reference, dict) or not isinstance(sequence, int):
        raise Unusable("altered", f"it is not an entry of {SCHEMA}: a field is missing, added, or of another kind")
    return Entry(
        sequence,
        previous,
        document["kind"],
        reference["path"],
        reference["sha256"],
        document["about"],
        digest,
        document["at"],
        document["operator"],
        document["signature"],
        b"" if document["signature"] is None else _payload(document),
    )


def _payload(document: dict[str, Any]) -> bytes:
    return canonical_json(document | {"signature": None})


def is_count(value: object) -> bool:
    """Say whether a value is a whole number above 0, and not the word true."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_digest(value: object) -> bool:
    """Say whether a value is a sha256 in hexadecimal digits."""
    return isinstance(value, str) and DIGEST.fullmatch(value) is not None


def whole_ledger(root: Path) -> list[Entry]:
    """Return all entries in order; StoreError if one is missing, altered or out of its place."""
    numbers = sorted(number for path in listed(root, below="ledger").files if (number := number_of(path)))
    entries: list[Entry] = []
    for place, number in enumerate(numbers, start=1):
        before = entries[-1].digest if entries else None
        if number != place:
            raise _broken(number, why="it does not follow the entry before it")
        entries.append(_following(root, number=number, before=before))
    return entries


def _following(root: Path, *, number: int, before: str | None) -> Entry:
    try:
        entry = read_entry(root, path=entry_path(number))
    except Unusable as unusable:
        raise _broken(number, why=str(unusable.args[1])) from unusable
    if (entry.sequence, entry.previous) != (number, before):
        raise _broken(number, why="it does not follow the entry before it")
    return entry


@dataclass
class Ledger:
    """The ledger of an archive, to be written to; what others enter meanwhile is read before each entry.

    Attributes
    ----------
    root
        The archive.
    operator
        By whom the entries are made.
    key
        What they are signed with; None: unsigned.
    entries
        All that were read or made so far, in order.
    """

    root: Path
    operator: str
    key: SigningKey | None = None
    entries: list[Entry] = field(default_factory=list)
    _by_path: dict[str, Entry] = field(default_factory=dict, repr=False)

    def entry_of(self, path: str) -> Entry | None:
        """Return the entry of a path, of those that were read or made so far."""
        for entry in self.entries[len(self._by_path) :]:  # no path has two entries
            self._by_path[entry.path] = entry
        return self._by_path.get(path)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the ledger's lock, with all entries read; StoreError if the ledger is not whole."""
        with locked(self.root / LOCK, what="the ledger", wait=True):
            if not self.entries:
                self.entries = whole_ledger(self.root)
            while (self.root / entry_path(len(self.entries) + 1)).exists():
                before = self.entries[-1].digest if self.entries else None
                self.entries.append(_following(self.root, number=len(self.entries) + 1, before=before))
            yield

    def append(self, kind: str, *, path: str, sha256: str, about: dict[str, Any], at: str) -> Entry:
        """Make an entry, while the lock is :meth:`held`; StoreError if somebody else made one without it."""
        document = {
            "schema": SCHEMA,
            "sequence": len(self.entries) + 1,
            "previous": self.entries[-1].digest if self.entries else None,
            "kind": kind,
            "reference": {"path": path, "sha256": sha256},
            "about": about,
            "at": at,
            "operator": self.operator,
            "signature": None,
        }
        if self.key is not None:
            document["signature"] = self.key.sign(_payload(document), kind=ENTRY_KIND)
        content = canonical_json(document)
        try:
            write_once(self.root / entry_path(len(self.entries) + 1), content=content)
        except FileExistsError as error:
            raise _broken(len(self.entries) + 1, why="somebody made it without the lock") from error
        self.entries.append(_entry(document, digest=digest_of(content)))
        return self.entries[-1]


def _broken(number: int, *, why: str) -> StoreError:
    return StoreError(
        f"{entry_path(number)}: {why}; nothing is entered after it",
        fix="see what pmo verify says, and restore the ledger from a copy of the archive",
    )
