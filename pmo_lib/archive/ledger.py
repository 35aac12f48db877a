"""The ledger: one small file for each thing that was kept, numbered, each with the sha256 of the one before.

An entry is canonical JSON::

    {"schema": "pmo-ledger/1", "sequence": 2, "previous": "<sha256 of entry 1>", "kind": "snapshot",
     "reference": {"path": "snapshots/2026-09/<id>.json", "sha256": "<id>"},
     "about": {"period": "2026-09", "supersedes": null, "reason": ""},
     "at": "2026-10-02T09:30:00+00:00", "operator": "jo", "signature": null}

``kind`` is open. ``snapshot`` is a return that was just taken. ``adopted`` is a snapshot that already lay in the
archive without an entry: taken before there was a ledger, or by an ingest that was cut off before its entry. The ledger
vouches for such a one from there on, not for how it came. ``signature`` is null: unsigned.

Whoever can write to the archive can write the whole ledger anew; only a checkpoint that is kept elsewhere shows it. The
chain is that of Haber and Stornetta 1991 ("How to time-stamp a digital document").
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.reading import Unusable, document_of, listed, shown, small_file
from pmo_lib.batch.lock import locked
from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.store import canonical_json, digest_of, write_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA, CHECKPOINT_SCHEMA = "pmo-ledger/1", "pmo-checkpoint/1"
LOCK, BATCHES = "ledger/lock", "batches"
ENTRY = re.compile(r"ledger/([0-9]{6,18})\.json")
MANIFEST = re.compile(r"snapshots/([0-9]{4}-(?:0[1-9]|1[0-2]))/([0-9a-f]{64})\.json")
DIGEST = re.compile(r"[0-9a-f]{64}")
FIELDS = {"schema", "sequence", "previous", "kind", "reference", "about", "at", "operator", "signature"}
MOST_ENTRY_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """An entry as it was read, with the sha256 of its bytes."""

    sequence: int
    previous: str | None
    kind: str
    path: str
    sha256: str
    about: dict[str, Any]
    digest: str


@dataclass(frozen=True)
class Checkpoint:
    """What the ledger was at a moment, to be kept where whoever can write to the archive cannot."""

    organisation: str
    sequence: int
    head: str
    at: str
    counts: dict[str, int] = field(default_factory=dict)  # for people: nothing is decided by them
    signature: None = None
    schema: str = CHECKPOINT_SCHEMA

    def content(self) -> bytes:
        """Return it as a file."""
        return canonical_json(asdict(self)) + b"\n"


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
        and document["signature"] is None
    )
    if not sound or not isinstance(reference, dict) or not isinstance(sequence, int):
        raise Unusable("altered", f"it is not an entry of {SCHEMA}: a field is missing, added, or of another kind")
    return Entry(
        sequence, previous, document["kind"], reference["path"], reference["sha256"], document["about"], digest
    )


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
        try:
            entry = read_entry(root, path=entry_path(number))
        except Unusable as unusable:
            raise _broken(number, why=str(unusable.args[1])) from unusable
        if (number, entry.sequence, entry.previous) != (place, place, before):
            raise _broken(number, why="it does not follow the entry before it")
        entries.append(entry)
    return entries


def _broken(number: int, *, why: str) -> StoreError:
    return StoreError(
        f"{entry_path(number)}: {why}; nothing is entered after it",
        fix="see what pmo verify says, and restore the ledger from a copy of the archive",
    )


def enter(root: Path, *, taken: str, at: str, operator: str) -> list[Entry]:
    """Enter a snapshot that was just taken, and before it every other one that lies in the archive without an entry.

    Parameters
    ----------
    root
        The archive.
    taken
        Id of the snapshot that was just taken; it may have an entry already.
    at, operator
        When, and by whom, for the entries.

    Returns
    -------
    list of Entry
        The entries that were made, in order; those of kind ``adopted`` for what was found.

    Raises
    ------
    StoreError
        If the ledger is not whole, or a manifest without an entry does not have the bytes of its name.
    """
    with locked(root / LOCK, what="the ledger", wait=True):
        entries = whole_ledger(root)
        before = len(entries)
        held = {entry.path for entry in entries}
        for path, about in _in_order(dict(_manifests(root, held=held))):
            name = path.rpartition("/")[2].removesuffix(".json")
            document = {
                "schema": SCHEMA,
                "sequence": len(entries) + 1,
                "previous": entries[-1].digest if entries else None,
                "kind": "snapshot" if name == taken else "adopted",
                "reference": {"path": path, "sha256": name},
                "about": about,
                "at": at,
                "operator": operator,
                "signature": None,
            }
            content = canonical_json(document)
            write_once(root / entry_path(len(entries) + 1), content=content)
            entries.append(_entry(document, digest=digest_of(content)))
        return entries[before:]


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
            raise StoreError(f"{path}: {unusable.args[1]}", fix="see what pmo verify says") from unusable
        about = told_of(document)
        whole = digest_of(content) == found[2] and is_canonical(document, content=content)
        if (
            not whole
            or about["period"] != found[1]
            or not (about["supersedes"] is None or is_digest(about["supersedes"]))
        ):
            raise StoreError(f"{path}: was altered or moved; it is not entered", fix="see what pmo verify says")
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


def checkpoint_of(root: Path, *, organisation: str, at: str, before: Checkpoint | None = None) -> Checkpoint:
    """Return the checkpoint of an archive as it is.

    StoreError if its ledger is empty, not whole, or does not go on from an earlier checkpoint ``before``.
    """
    entries = whole_ledger(root)
    if not entries:
        raise StoreError(
            f"{organisation}: the ledger has no entry, and there is nothing to vouch for",
            fix="run pmo ingest: it enters what it takes, and what lies in the archive already",
        )
    if before is not None and (before.sequence, before.head) not in {(one.sequence, one.digest) for one in entries}:
        raise StoreError(
            f"{organisation}: the ledger does not go on from entry {before.sequence} as an earlier checkpoint saw it",
            fix="keep that checkpoint, and see what pmo verify --checkpoint says",
        )
    files = listed(root, skip=BATCHES).files
    counts = {name: sum(path.startswith(f"{name}/") for path in files) for name in ("objects", "snapshots")}
    return Checkpoint(organisation, len(entries), entries[-1].digest, at, counts)


def read_checkpoint(path: Path, *, organisation: str) -> Checkpoint:
    """Read a checkpoint of an organisation; ParameterError if the file is none."""
    try:
        document = document_of(small_file(path, most=MOST_ENTRY_BYTES))
    except Unusable as unusable:
        raise _no_checkpoint(path, why=str(unusable.args[1])) from unusable
    texts = all(isinstance(document.get(name), str) for name in ("organisation", "at"))
    sequence = document.get("sequence")
    sound = texts and is_digest(document.get("head")) and is_count(sequence)
    if not sound or document.get("schema") != CHECKPOINT_SCHEMA:
        raise _no_checkpoint(path, why=f"it is not a {CHECKPOINT_SCHEMA}")
    if document["organisation"] != organisation:
        raise _no_checkpoint(path, why=f"it is that of {shown(document['organisation'])}, not of {organisation}")
    return Checkpoint(organisation, document["sequence"], document["head"], document["at"])


def _no_checkpoint(path: Path, *, why: str) -> ParameterError:
    return ParameterError(f"{path.name}: {why}", fix="name a file that pmo checkpoint wrote", problems=[])
