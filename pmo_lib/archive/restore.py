"""What the archive held after an entry of its ledger, laid out again: a tree of outputs to run reports in.

Nothing here is believed: a file is used only if its bytes have the sha256 that ledger, record or manifest names, paths
inside manifests are plain ones, and no link is followed. What is gone or altered is told, and left out.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.contents import object_path
from pmo_lib.archive.ledger import MANIFEST, entry_path, is_digest, whole_ledger
from pmo_lib.archive.reading import Fault, Unusable, document_of, hasher, opened, shown, small_file
from pmo_lib.archive.runs import SUMS, place_of, read_run
from pmo_lib.archive.statement import dependencies
from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.store import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pmo_lib.archive.ledger import Entry
    from pmo_lib.archive.runs import Run

EXTRACT, STATE = "extract~", "state.json"
LISTS = ("inputs", "published", "source")  # dependencies whose object is a list of further ones
# Of a snapshot: what reports make figures of, and everything (the record of an edition hashes what was returned).
READ, ALL = ("tables", "intake"), ("tables", "intake", "sources")
WHEELS = "wheels"
PART = re.compile(r"[\w.][\w .,+=@()&'~-]{0,199}")
STATES = re.compile(r"([0-9]{4}-(?:0[1-9]|1[0-2]))/state\.json")
MOST_FILES, MOST_PARTS, MOST_OBJECT_BYTES = 20_000, 12, 1 << 28


@dataclass
class Restored:
    """A tree of outputs as it was after an entry.

    Attributes
    ----------
    outputs, organisation
        The tree, and the one organisation in it.
    runs
        The runs that were entered by then, in the ledger's order.
    faults
        What was entered by then and could not be laid out: gone, or no longer what it was.
    states
        Of each period the sha256 of its state, as a run read it last.
    """

    outputs: Path
    organisation: str
    runs: list[Run] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Outputs of the organisation."""
        return self.outputs / self.organisation

    @property
    def archive(self) -> Path:
        """The archive as it was then."""
        return self.folder / "archive"

    def published(self) -> dict[tuple[str, str, str], Run]:
        """Return the run that was published last of each period, portfolio and report."""
        return {(str(run.about["period"]), str(run.about["portfolio"]), run.report): run for run in self.runs}


def entry_at(entries: Sequence[Entry], *, date: str) -> int:
    """Return the number of the last entry that is not later than a date (its end, UTC) or moment; 0 if all are.

    Raises
    ------
    ParameterError
        What is given is no date.
    StoreError
        An entry has no moment.
    """
    moment = _moment(date)
    if moment is None:
        raise ParameterError(f"{date!r} is no date", fix="write YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SS+00:00", problems=[])
    for entry in reversed(entries):
        made = _moment(entry.at)
        if made is None:
            raise StoreError(f"{entry_path(entry.sequence)}: {entry.at!r} is no moment", fix="see what pmo verify says")
        if made <= moment:
            return entry.sequence
    return 0


def _moment(text: str) -> datetime | None:
    try:
        if len(text) == len("2026-09-30"):
            return datetime.combine(date.fromisoformat(text), time.max, tzinfo=UTC)
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def restore(root: Path, *, organisation: str, upto: int, into: Path) -> Restored:
    """Lay out the outputs of an organisation as they were after an entry of its ledger.

    The archive as :func:`restore_archive` does; beside it pages, results and extracts as they were published then, and
    the states of which a run says that it read them.
    """
    restored = restore_archive(root, organisation=organisation, upto=upto, into=into)
    folder = restored.folder
    for (period, portfolio, report), run in restored.published().items():
        own = restored.archive / run.place
        for name in (one for one in run.sums if (own / one).is_file()):
            if name in (f"{report}.html", f"{report}.json"):
                _copied(own / name, target=folder.joinpath(period, portfolio, name))
            elif name.startswith(EXTRACT):
                _copied(own / name, target=folder.joinpath(period, "extract", name.removeprefix(EXTRACT)))
        for one in dependencies(run.statement, name="assets"):
            asset, source = str((one.annotations or {}).get("name")), restored.archive / object_path(one.sha256)
            if is_plain(asset) and "/" not in asset and source.is_file():
                _copied(source, target=folder.joinpath(period, "assets", asset))
    for period, digest in restored.states.items():
        if (source := restored.archive / object_path(digest)).is_file():
            _copied(source, target=folder / period / STATE)
    return restored


def restore_archive(root: Path, *, organisation: str, upto: int, into: Path, pool: Path | None = None) -> Restored:
    """Lay out the archive of an organisation as it was after an entry of its ledger.

    The ledger up to there, and all snapshots, runs and objects that it names.

    Parameters
    ----------
    root
        The archive.
    organisation, upto
        Whose it is, and the number of the last entry that counts.
    into
        A folder that is not there yet, or empty: ``<into>/<organisation>/archive/`` is made in it.
    pool
        A folder for copies, to be used again for other restored trees: what is laid out then shares no byte with the
        archive, and wheels, which no report reads, are left out. Without it, files are hard links
        wherever the file system allows, and must not be written to.

    Raises
    ------
    StoreError
        The ledger is not whole, or has no such entry, or there is something in ``into`` already.
    """
    entries = whole_ledger(root)
    if not 0 <= upto <= len(entries):
        raise StoreError(f"the ledger has {len(entries)} entries, and none of number {upto}", fix="name one of them")
    restored = Restored(into, organisation)
    if restored.folder.exists():
        raise StoreError(f"{into}: holds {organisation} already", fix="name an empty folder")
    _Laying(root, restored, pool).entries(entries[:upto])
    return restored


@dataclass
class _Laying:
    """The laying out of one tree."""

    root: Path
    restored: Restored
    pool: Path | None
    laid: set[str] = field(default_factory=set)  # digests of objects

    def __post_init__(self) -> None:
        self.hashed = hasher()
        for name in ("objects", "snapshots", "ledger"):
            (self.restored.archive / name).mkdir(parents=True)

    def entries(self, entries: Sequence[Entry]) -> None:
        """Lay out the entries and what they enter."""
        for entry in entries:
            self._file(entry_path(entry.sequence), digest=entry.digest)
            if (found := MANIFEST.fullmatch(entry.path)) and found[2] != entry.sha256:
                self.restored.faults.append(Fault(entry.path, "altered", "it is not the one that was entered"))
            elif found:
                self._snapshot(entry)
            elif place_of(entry.path):
                self._run(entry)
            elif entry.path == object_path(entry.sha256) and (self.pool is None or entry.kind != WHEELS):
                self._list(entry.sha256)

    def _snapshot(self, entry: Entry) -> None:
        if self._file(entry.path, digest=entry.sha256):
            manifest = self._document(self.restored.archive / entry.path, name=entry.path)
            for digest in snapshot_objects(manifest):
                self._object(digest)

    def _run(self, entry: Entry) -> None:
        try:
            run = read_run(self.root, place=place_of(entry.path))
        except Unusable as unusable:
            self._fault(entry.path, unusable=unusable)
            return
        if run.digest != entry.sha256:
            self.restored.faults.append(Fault(entry.path, "altered", "it is not the one that was entered"))
            return
        self._file(f"{run.place}/{SUMS}", digest=run.digest)
        for name, digest in run.sums.items():
            self._file(f"{run.place}/{name}", digest=digest)
        self.restored.runs.append(run)
        for one in dependencies(run.statement):
            if one.uri != object_path(one.sha256):
                continue
            if one.name in LISTS:
                self._list(one.sha256, published=one.name == "published")
            else:
                self._object(one.sha256)

    def _list(self, digest: str, *, published: bool = False) -> None:
        """Lay out a list and the objects that it names; of what others published, only what there is as an object."""
        if digest in self.laid or not self._object(digest):
            return
        listed = self._document(self.restored.archive / object_path(digest), name=object_path(digest))
        files = {name: each for name, each in _listed(listed).items() if is_digest(each)}
        for name, each in files.items():
            if not published or (self.root / object_path(each)).is_file():
                self._object(each)
            if published and (found := STATES.fullmatch(name)):
                self.restored.states[found[1]] = each

    # --- one file ---------------------------------------------------------------------------------------------

    def _object(self, digest: str) -> bool:
        if digest not in self.laid and self._file(object_path(digest), digest=digest):
            self.laid.add(digest)
        return digest in self.laid

    def _file(self, path: str, *, digest: str) -> bool:
        """Lay out a file of the archive if it has these bytes; say whether it has."""
        target = self.restored.archive / path
        if target.exists():
            return True
        try:
            if self.pool is None:
                self._link(self.root / path, target=target, digest=digest)
            else:
                pooled = self.pool / digest[:2] / digest
                if not pooled.exists():
                    self._checked(self.root / path, target=pooled, digest=digest)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(pooled, target)
        except Unusable as unusable:
            self._fault(path, unusable=unusable)
            return False
        return True

    def _link(self, source: Path, *, target: Path, digest: str) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError:  # another file system, or one that knows no such links
            self._checked(source, target=target, digest=digest)
            return
        try:
            self._check(target, digest=digest)
        except Unusable:
            target.unlink()
            raise

    def _checked(self, source: Path, *, target: Path, digest: str) -> None:
        """Copy a file and check the copy, so that nothing can be changed in between."""
        part = target.with_name(f"{target.name}.part")
        copy(source, target=part)
        try:
            self._check(part, digest=digest)
        except Unusable:
            part.unlink()
            raise
        part.chmod(0o444)
        part.replace(target)

    def _check(self, path: Path, *, digest: str) -> None:
        if self.hashed(path) != digest:
            raise Unusable("altered", "it does not have the bytes that were entered")

    def _document(self, path: Path, *, name: str) -> dict[str, Any]:
        try:
            return document_of(small_file(path))
        except Unusable as unusable:
            self._fault(name, unusable=unusable)
            return {}

    def _fault(self, path: str, *, unusable: Unusable) -> None:  # fmt: skip
        if all(fault.file != path for fault in self.restored.faults):
            self.restored.faults.append(Fault(path, *unusable.args))


def copy(source: Path, *, target: Path) -> None:
    """Copy a regular file to where there is none yet; Unusable for everything else."""
    descriptor, _ = opened(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(descriptor, "rb") as file, target.open("xb") as copied:
        shutil.copyfileobj(file, copied)


def _copied(source: Path, *, target: Path) -> None:
    """Copy a file of ours over another."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target)


def snapshot_objects(manifest: Mapping[str, Any], *, kinds: Sequence[str] = ALL) -> Iterator[str]:
    """Yield the sha256 of what a snapshot names, of some kinds; what is not of its form is left out."""
    for kind in kinds:
        group = manifest.get(kind)
        members = group.values() if isinstance(group, dict) else group if isinstance(group, list) else ()
        yield from (one["sha256"] for one in members if isinstance(one, dict) and is_digest(one.get("sha256")))


def is_plain(path: object) -> bool:
    """Say whether a path of a list is one of plain names below a folder, and leads nowhere else."""
    parts = path.split("/") if isinstance(path, str) else []
    return 0 < len(parts) <= MOST_PARTS and all(PART.fullmatch(part) and part.strip(". ") for part in parts)


def read_object(root: Path, *, digest: str) -> bytes:
    """Return the bytes of an object; StoreError if they are missing, altered, or more than any of ours has."""
    path = object_path(digest)
    try:
        content = small_file(root / path, most=MOST_OBJECT_BYTES)
        if digest_of(content) != digest:
            raise Unusable("altered", "it does not have the bytes of its name")
    except Unusable as unusable:
        raise StoreError(f"{path}: {unusable.args[0]}: {unusable.args[1]}", fix=COPY, path=path) from unusable
    return content


COPY = "restore it from a copy of the archive"


def read_list(root: Path, *, digest: str) -> dict[str, str]:
    """Return an object that is a list of files: path → sha256; StoreError if it is none, or a path is no plain one."""
    path = object_path(digest)
    try:
        listed = document_of(read_object(root, digest=digest))
    except Unusable as unusable:
        raise StoreError(f"{path}: {unusable.args[1]}", fix=COPY, path=path) from unusable
    strange = [name for name, each in listed.items() if not is_plain(name) or not is_digest(each)]
    if strange or len(listed) > MOST_FILES:
        told = f"names {shown(strange[0][:80])!r}, which is no file of a run" if strange else "names too many files"
        raise StoreError(f"{path}: {told}", fix="see what pmo verify says", path=path)
    return listed


def unpack(root: Path, *, digest: str, into: Path) -> list[str]:
    """Write the files of a list (of a run's ``source`` or ``inputs``) into a folder that is not there yet.

    Returns
    -------
    list of str
        Their paths.

    Raises
    ------
    StoreError
        An object is missing or altered, or a path is none of a file below the folder: ``data["path"]`` names it.
    """
    listed = read_list(root, digest=digest)
    into.mkdir(parents=True)
    for name, each in sorted(listed.items()):
        target = into / name
        content = read_object(root, digest=each)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            told = f"names {shown(name)!r}, which is a file and a folder"
            raise StoreError(
                f"{object_path(digest)}: {told}", fix="see what pmo verify says", path=object_path(digest)
            ) from error
    return sorted(listed)


def _listed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the files that a list names: those of a wheelhouse, and its lock, stand in fields of it."""
    files = document.get("files")
    return files | {"lock": document.get("lock")} if isinstance(files, dict) else dict(document)
