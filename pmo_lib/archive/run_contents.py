"""What the runs of an archive say: their own files, the objects and snapshots that they were made of.

A run has three witnesses: the ledger's entry names its sums, the sums name every file, and the folder's name has digits
of the record, which names what was made. Where one of them was altered, the others still tell which file it is.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeAlias

from pmo_lib.archive.contents import Contents, Kept, object_path
from pmo_lib.archive.ledger import MANIFEST, is_canonical, is_digest
from pmo_lib.archive.reading import Fault, Unusable, document_of, small_file
from pmo_lib.archive.runs import (
    ENVELOPE,
    FOLDERS,
    LOG,
    RECORD,
    RUN_FILES,
    SUMS,
    Run,
    read_record,
    read_sums,
    told_file,
    told_run,
)
from pmo_lib.archive.statement import dependencies, metadata_of, subjects_of
from pmo_lib.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pmo_lib.archive.reading import Listing
    from pmo_lib.archive.statement import Dependency

PUBLISHED = "published"
LISTS = {"inputs": "parameter or notebook file", "source": "source file", PUBLISHED: "what others published,"}
Lists: TypeAlias = dict[tuple[str, str], set[str]]  # name and sha256 of a list → folders of the runs that name it


def take_runs(contents: Contents, *, root: Path, listing: Listing, present: Collection[str]) -> None:
    """Take up all runs that are listed, and the lists of objects that they name, where these are ``present``."""
    names: dict[str, set[str]] = {folder: set() for folder in listing.folders if FOLDERS.fullmatch(folder)}
    for path in listing.files:
        folder, _, name = path.rpartition("/")
        if folder in names:
            names[folder].add(name)
    lists: Lists = defaultdict(set)
    for place in sorted(names):
        document = _take_up(contents, root=root, place=place, present=names[place])
        _depend(contents, place=place, made_of=dependencies(document) if document else [], lists=lists)
    for (name, digest), of in sorted(lists.items()):
        if object_path(digest) in present:
            _take_list(contents, root=root, name=name, digest=digest, of=of)
    held = {kept.sha256 for kept in contents.kept.values()}
    for digest, of in contents.published.items():
        if digest not in held:
            contents.want(digest, role=f"{LISTS[PUBLISHED]} and {told_run(min(of))} read")


def _take_up(contents: Contents, *, root: Path, place: str, present: set[str]) -> dict[str, Any] | None:
    """Take up the files of a run; return its record, if that is sound."""
    sums_path, record_path = f"{place}/{SUMS}", f"{place}/{RECORD}"
    entry = contents.entered.get(sums_path)
    sums: dict[str, str] | None = None
    document: dict[str, Any] | None = None
    try:
        contents.read[sums_path], sums = read_sums(root, place=place)
    except Unusable as unusable:
        _blame(contents, path=sums_path, unusable=unusable)
    try:
        contents.read[record_path], document = read_record(root, place=place)
    except Unusable as unusable:
        _blame(contents, path=record_path, unusable=unusable)
    if sums is not None and document is not None:
        contents.runs[place] = Run(root, place, contents.read[sums_path], sums, document)
    as_entered = entry is None or entry.sha256 == contents.read.get(sums_path)
    sound = sums if as_entered else None
    if sound is not None and document is not None and (why := _disagree(sound, document=document, contents=contents)):
        contents.faults.append(Fault(record_path, "not ours", f"it is {told_file(place, name=RECORD)}; {why}"))
    for name, digest in _files(sound, document=document, present=present).items():
        contents.kept[f"{place}/{name}"] = Kept(digest, told_file(place, name=name))
    return document


def _blame(contents: Contents, *, path: str, unusable: Unusable) -> None:
    place, _, name = path.rpartition("/")
    what, means = unusable.args
    contents.faults.append(Fault(path, what, f"{means}; it is {told_file(place, name=name)}"))


def _disagree(sums: dict[str, str], *, document: dict[str, Any], contents: Contents) -> str:
    """Say in what record and sums of a run do not agree; nothing if they do."""
    subjects = subjects_of(document)
    signed_by, before = metadata_of(document)["pmo_signed_by"], metadata_of(document)["pmo_supersedes"]
    if len(subjects) != len(document["subject"]):
        return "it names a file twice"
    if subjects != {name: digest for name, digest in sums.items() if name not in (LOG, *RUN_FILES)}:
        return f"it names other files than {SUMS}, or other bytes of them"
    if signed_by is not None and ENVELOPE not in sums:
        return f"it says that it is signed with key {signed_by[:12]}, and no signature was kept with it"
    if signed_by is None and ENVELOPE in sums:
        return "it says that it is unsigned, and a signature was kept with it"
    if before is not None and not FOLDERS.fullmatch(before):
        return "what it supersedes is not a run"
    if before is not None:
        contents.named.setdefault(f"{before}/{SUMS}", "a run that supersedes it")
    return ""


def _files(sums: dict[str, str] | None, *, document: dict[str, Any] | None, present: set[str]) -> dict[str, str]:
    """Return what a run should hold, by the soundest witness that there is; "" for a sha256 that none tells."""
    both = {SUMS: "", RECORD: ""}  # these were judged when they were read
    if sums is not None:
        return sums | both
    if document is not None:
        promised = {ENVELOPE} if metadata_of(document)["pmo_signed_by"] else set()
        return {LOG: "", **dict.fromkeys(promised, "")} | subjects_of(document) | both
    return dict.fromkeys(present, "") | both


def _depend(contents: Contents, *, place: str, made_of: list[Dependency], lists: Lists) -> None:
    """Note what a run was made of."""
    record = f"{place}/{RECORD}"
    for one in made_of:
        if MANIFEST.fullmatch(one.uri) and one.uri.endswith(f"/{one.sha256}.json"):
            contents.named.setdefault(one.uri, record)
        elif one.uri == object_path(one.sha256):
            contents.want(one.sha256, role=f"{one.name[:80]} of {told_run(place)}")
            if one.name in LISTS:
                lists[one.name, one.sha256].add(place)
        elif _ought_to_lie_here(one):
            means = f"what it calls {one.name[:80]} is no object or snapshot of the sha256 that it gives"
            contents.faults.append(Fault(record, "not ours", means))


def _ought_to_lie_here(one: Dependency) -> bool:
    return one.name in ("snapshot", *LISTS) or one.uri.startswith(("objects/", "snapshots/", "runs/"))


def _take_list(contents: Contents, *, root: Path, name: str, digest: str, of: set[str]) -> None:
    """Note the objects that a list names. One that is altered is told with the other objects."""
    path, whose = object_path(digest), told_run(min(of))
    try:
        content = small_file(root / path)
        if digest_of(content) != digest:
            return
        document = document_of(content)
        if not is_canonical(document, content=content) or not all(map(is_digest, document.values())):
            raise Unusable("not ours", "it is not a list of files with their sha256")
    except Unusable as unusable:
        what, means = unusable.args
        contents.faults.append(Fault(path, what, f"{means}; it is the list of {name} of {whose}"))
        return
    for place, each in document.items():
        if name == PUBLISHED:
            contents.published.setdefault(each, set()).update(of)
        else:
            contents.want(each, role=f"{LISTS[name]} {place[:120]} of {whose}")
