"""What was disposed of: an entry names a list of files that no longer have to be there, the rule, and who approved it.

The list is an object, canonical JSON::

    {"schema": "pmo-disposal/1", "before": "2020-01", "kinds": ["returns"], "rule": "…", "approver": "…",
     "files": [{"path": "objects/sha256/…", "sha256": "…", "size": 1234, "what": "source 1 of snapshot …"}, …]}

It may name raw returns that no later snapshot needs, and files of runs; never a manifest, an entry, a table, what a run
was made of, or what is left of a run as proof that it was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pmo_lib.archive.contents import OBJECT, Contents, Disposed, object_path
from pmo_lib.archive.ledger import Entry, entry_path, is_canonical, is_digest, whole_ledger
from pmo_lib.archive.reading import Fault, Unusable, document_of, small_file
from pmo_lib.archive.runs import FOLDERS, RUN_FILES, SUMS
from pmo_lib.errors import StoreError
from pmo_lib.store import canonical_json, digest_of, inside

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

KIND, SCHEMA = "disposal", "pmo-disposal/1"
RETURNS, RUNS = "returns", "runs"
MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")
MOST_LIST_BYTES = 64 << 20
UNENTERED = 10**18  # comes after every entry
FILE_FIELDS = {"path", "sha256", "size", "what"}
FIELDS = {"schema", "before", "kinds", "rule", "approver", "files"}


class Gone(NamedTuple):
    """A file as a disposal names it."""

    path: str
    sha256: str
    size: int
    what: str


@dataclass(frozen=True)
class Disposal:
    """A list of what was disposed of, why, and by whose approval: what lies in periods before ``before``."""

    before: str
    kinds: tuple[str, ...]
    rule: str
    approver: str
    files: tuple[Gone, ...] = ()

    def content(self) -> bytes:
        """Return it as an object."""
        told = {"schema": SCHEMA, "before": self.before, "kinds": list(self.kinds), "rule": self.rule}
        return canonical_json(told | {"approver": self.approver, "files": [one._asdict() for one in self.files]})

    @property
    def about(self) -> dict[str, Any]:
        """What its entry repeats of it."""
        told = {"before": self.before, "kinds": list(self.kinds), "rule": self.rule, "approver": self.approver}
        return told | {"files": len(self.files), "bytes": sum(one.size for one in self.files)}


def disposed(root: Path) -> dict[str, Entry]:
    """Return every path of an archive that was disposed of, with the entry that says so.

    StoreError if the ledger is not whole. A list that cannot be read names nothing.
    """
    found: dict[str, Entry] = {}
    for entry in whole_ledger(root):
        try:
            disposal = read_disposal(root, entry=entry) if entry.kind == KIND else None
        except (Unusable, StoreError):
            continue
        for one in disposal.files if disposal else ():
            found.setdefault(one.path, entry)
    return found


def read_disposal(root: Path, *, entry: Entry) -> Disposal:
    """Read the list that an entry names; Unusable if it is none, StoreError if a link leads out of the archive."""
    if entry.path != object_path(entry.sha256):
        raise Unusable("not ours", "it is not an object")
    content = small_file(inside(root, parts=(entry.path,)), most=MOST_LIST_BYTES)
    if digest_of(content) != entry.sha256:
        raise Unusable("altered", "its bytes are not those of its name")
    document = document_of(content)
    if not _is_disposal(document) or not is_canonical(document, content=content):
        raise Unusable("not ours", f"it is not a list of {SCHEMA}")
    files = tuple(Gone(**one) for one in document["files"])
    return Disposal(document["before"], tuple(document["kinds"]), document["rule"], document["approver"], files)


def _is_disposal(document: dict[str, Any]) -> bool:
    kinds, files = document.get("kinds"), document.get("files")
    return (
        set(document) == FIELDS
        and document["schema"] == SCHEMA
        and all(isinstance(document[name], str) for name in ("rule", "approver", "before"))
        and MONTH.fullmatch(document["before"]) is not None
        and isinstance(kinds, list)
        and all(kind in (RETURNS, RUNS) for kind in kinds)
        and isinstance(files, list)
        and all(_is_gone(one) for one in files)
        and len({one["path"] for one in files}) == len(files)
    )


def _is_gone(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and set(one) == FILE_FIELDS
        and isinstance(one["path"], str)
        and isinstance(one["what"], str)
        and is_digest(one["sha256"])
        and type(one["size"]) is int
        and one["size"] >= 0
    )


def take_disposals(contents: Contents, *, root: Path, present: Collection[str]) -> None:
    """Take up what every disposal names, after everything else; what it may not name is a fault of the list.

    ``present``: the files that lie in the archive; no other is opened.
    """
    unsure = any(fault.file.startswith("snapshots/") for fault in contents.faults)
    for number, entry in sorted(contents.entries.items()):
        if entry.kind != KIND:
            continue
        if entry.path != object_path(entry.sha256):
            contents.faults.append(Fault(entry_path(number), "altered", "its reference is not an object"))
        elif entry.path in present:
            try:
                disposal = read_disposal(root, entry=entry)
                _take_up(contents, disposal=disposal, entry=entry, unsure=unsure)
            except Unusable as unusable:
                what, means = unusable.args
                if what != "altered":  # which is told with the other objects
                    contents.faults.append(Fault(entry.path, what, f"{means}; entry {number} names it as such"))


def _take_up(contents: Contents, *, disposal: Disposal, entry: Entry, unsure: bool) -> None:
    if entry.about != disposal.about:
        means = "it says of its disposal what the list does not say"
        contents.faults.append(Fault(entry_path(entry.sequence), "altered", means))
        return
    wrong = ""
    for one in disposal.files:
        if why := _why_not(contents, one=one, disposal=disposal, by=entry.sequence, unsure=unsure):
            wrong = wrong or f"entry {entry.sequence} disposes of {one.path[:200]}, which it may not: {why}"
        else:
            contents.disposed.setdefault(one.path, Disposed(entry, one.sha256, one.size))
    if wrong:
        contents.faults.append(Fault(entry.path, "not allowed", wrong))


def _why_not(contents: Contents, *, one: Gone, disposal: Disposal, by: int, unsure: bool) -> str:
    """Say why a disposal may not name a file; nothing if it may, or if what speaks of the file is at fault itself."""
    found = OBJECT.fullmatch(one.path)
    folder, _, name = one.path.rpartition("/")
    if found:
        if RETURNS not in disposal.kinds or one.sha256 != found[2]:
            return "it is not of a kind that was approved, or has another sha256"
        if unsure and one.sha256 not in contents.sources:
            return ""
        return needed_return(contents, digest=one.sha256, before=disposal.before, by=by)
    if RUNS not in disposal.kinds or not FOLDERS.fullmatch(folder) or name in RUN_FILES:
        return "it is neither a raw return nor a file of a run, or not of a kind that was approved"
    run, entered = contents.runs.get(folder), contents.entered.get(f"{folder}/{SUMS}")
    if run is None or entered is None or entered.sha256 != run.digest:
        return "" if entered else "there is no such run"
    if run.sums.get(name) != one.sha256:
        return f"{folder}/{SUMS} does not name it so"
    return needed_file(contents, place=folder, name=name, before=disposal.before, by=by)


def needed_return(contents: Contents, *, digest: str, before: str, by: int) -> str:
    """Say who still needs a raw return when what lies before a period is disposed of by an entry; nothing if nobody.

    ``by``: the number of that entry. What was entered later does not count: it came when the return was gone.
    """
    if digest in contents.bound:
        return f"it is {contents.objects[digest].role}" if digest not in contents.sources else "something else needs it"
    taken = contents.sources.get(digest, set())
    if not taken:
        return "no snapshot was made of it"
    later = sorted(path for path in taken if path.split("/")[1] >= before and _was_there(contents, path=path, by=by))
    return f"{later[0]} needs it" if later else ""


def needed_file(contents: Contents, *, place: str, name: str, before: str, by: int) -> str:
    """Say who still needs a file of a run; nothing if nobody."""
    if place.split("/")[1] >= before:
        return f"it is not of a period before {before}"
    readers = contents.published.get(contents.runs[place].sums.get(name, ""), set())
    later = sorted(
        other
        for other in readers
        if other.split("/")[1] >= before and _was_there(contents, path=f"{other}/{SUMS}", by=by)
    )
    return f"{later[0]} read it" if later else ""


def _was_there(contents: Contents, *, path: str, by: int) -> bool:
    entry = contents.entered.get(path)
    return (entry.sequence if entry else UNENTERED) < by
