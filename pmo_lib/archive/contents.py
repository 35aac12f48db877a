"""What each file of an archive should hold: manifests name objects and each other, ledger entries name manifests."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pmo_lib.archive.entering import told_of
from pmo_lib.archive.ledger import (
    LOCK,
    MANIFEST,
    entry_path,
    is_canonical,
    is_digest,
    number_of,
    read_entry,
)
from pmo_lib.archive.reading import Fault, Unusable, document_of, small_file
from pmo_lib.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pmo_lib.archive.checkpoints import Checkpoint
    from pmo_lib.archive.ledger import Entry
    from pmo_lib.archive.reading import Listing

OBJECT = re.compile(r"objects/sha256/([0-9a-f]{2})/(\1[0-9a-f]{62})")
FOLDER = re.compile(r"objects(?:/sha256(?:/[0-9a-f]{2})?)?|snapshots(?:/[0-9]{4}-(?:0[1-9]|1[0-2]))?|ledger|batches")
LEFTOVER = re.compile(r"(.*/)\.([^/]+)\.[a-z0-9_]{8}\.part")
OF_SNAPSHOTS = ("snapshot", "adopted")


class Manifest(NamedTuple):
    """What an entry repeats of a manifest, and the path of the one that it follows ("" if none)."""

    about: dict[str, Any]
    before: str


class Wanted(NamedTuple):
    """What a manifest says of an object: its size, where it does, and what it is to whom."""

    size: int | None
    role: str


@dataclass
class Contents:
    """What the ledger and the manifests say, and what is wrong with them."""

    entries: dict[int, Entry] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)  # by path
    objects: dict[str, Wanted] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def is_known(path: str) -> bool:
    """Say whether the archive itself makes files of such a path."""
    return path == LOCK or number_of(path) > 0 or any(form.fullmatch(path) for form in (OBJECT, MANIFEST))


def is_leftover(path: str) -> bool:
    """Say whether a path is that of a file whose writing was cut off, before it had its name."""
    found = LEFTOVER.fullmatch(path)
    return found is not None and is_known(found[1] + found[2])


def contents_of(root: Path, *, ledger: Listing, snapshots: Listing) -> Contents:
    """Read all entries and manifests that are listed."""
    contents = Contents()
    for path in sorted(ledger.files):
        if number := number_of(path):
            try:
                contents.entries[number] = read_entry(root, path=path)
            except Unusable as unusable:
                contents.faults.append(Fault(path, *unusable.args))
    for path in sorted(snapshots.files):
        if MANIFEST.fullmatch(path):
            try:
                _take_up(contents, path=path, manifest=_manifest(root, path=path))
            except Unusable as unusable:
                contents.faults.append(Fault(path, *unusable.args))
    return contents


def _manifest(root: Path, *, path: str) -> dict[str, Any]:
    """Read a manifest whose bytes are those of its name; Unusable if they are not."""
    content = small_file(root / path)
    _, period, name, _ = re.split(r"[/.]", path)
    if digest_of(content) != name:
        torn = not content.endswith(b"}")
        means = "it ends before its end: its writing or copying was cut off" if torn else "bytes of it were changed"
        raise Unusable("torn" if torn else "altered", f"{means}; the snapshot of {period} is no longer what it was")
    manifest = document_of(content)
    if not is_canonical(manifest, content=content):
        raise Unusable("not ours", "it has the name of its bytes, but they are not written as a snapshot writes them")
    if manifest.get("period") != period:
        raise Unusable("wrong name", f"it is a snapshot of another period than {period}: it was moved or copied here")
    return manifest


def _take_up(contents: Contents, *, path: str, manifest: dict[str, Any]) -> None:
    period, name = path.split("/")[1:]
    short = f"snapshot {period} {name[:12]}"
    for digest, wanted in list(_objects(manifest, short=short)):
        contents.objects.setdefault(digest, wanted)
    previous, supersedes = manifest.get("previous"), manifest.get("supersedes")
    if supersedes is not None and not is_digest(supersedes):
        raise Unusable("not ours", "what it supersedes is not the id of a snapshot")
    before = "" if previous is None else _previous(previous)
    contents.manifests[path] = Manifest(told_of(manifest), before)


def _previous(link: Any) -> str:
    path = f"snapshots/{link.get('period')}/{link.get('id')}.json" if isinstance(link, dict) else ""
    if not MANIFEST.fullmatch(path):
        raise Unusable("not ours", "what it follows is not a snapshot")
    return path


def _objects(manifest: dict[str, Any], *, short: str) -> Iterator[tuple[str, Wanted]]:
    """Yield every object that a manifest names; Unusable if it names them otherwise than ours do."""
    sources = manifest.get("sources")
    if not isinstance(sources, list):
        raise Unusable("not ours", "it has no list of sources")
    named = [("source", str(number), entry) for number, entry in enumerate(sources, start=1)]
    for kind in ("tables", "intake"):
        group = manifest.get(kind)
        if not isinstance(group, dict):
            raise Unusable("not ours", f"it has no {kind}")
        named.extend((kind.removesuffix("s"), name, entry) for name, entry in group.items())
    for kind, name, entry in named:
        if not isinstance(entry, dict) or not is_digest(entry.get("sha256")):
            raise Unusable("not ours", f"its {kind} {name[:40]} names no object")
        size = entry.get("size")
        yield entry["sha256"], Wanted(size if type(size) is int else None, f"{kind} {name[:40]} of {short}")


def linked(contents: Contents, *, files: dict[str, Any]) -> Iterator[Fault]:
    """Yield where entries and manifests name what is not there, or say other than what they name."""
    entered: dict[str, int] = {}
    for number, entry in sorted(contents.entries.items()):
        here = entry_path(number)
        if entry.path in entered and entry.kind in OF_SNAPSHOTS:
            yield Fault(here, "replayed", f"entry {entered[entry.path]} has entered {entry.path} before")
        entered.setdefault(entry.path, number)
        if entry.kind in OF_SNAPSHOTS and _named(entry.path) != entry.sha256:
            yield Fault(here, "altered", "its reference is not a snapshot with the sha256 that it names")
        elif entry.path not in files:
            yield Fault(entry.path, "missing", f"{here} entered it: it was removed or renamed")
        told = contents.manifests.get(entry.path)
        if told is not None and entry.about != told.about:
            yield Fault(here, "altered", f"it says of {entry.path} what that manifest does not say")
    for path, told in contents.manifests.items():
        if path not in entered:
            yield Fault(path, "not in the ledger", UNENTERED)
        for role, other in (("follows", told.before), ("supersedes", _superseded(path, told=told))):
            if other and other not in files:
                yield Fault(other, "missing", f"{path} {role} it: it was removed or renamed")


UNENTERED = (
    "no entry vouches for it: it was added by hand, or taken before there was a ledger, or its ingest was cut off "
    "before the entry; the next pmo ingest enters it as adopted"
)


def _named(path: str) -> str:
    found = MANIFEST.fullmatch(path)
    return found[2] if found else ""


def _superseded(path: str, *, told: Manifest) -> str:
    return f"{path.rpartition('/')[0]}/{told.about['supersedes']}.json" if told.about["supersedes"] else ""


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
