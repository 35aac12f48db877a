"""What lies in an archive against what should: each file that is missing, altered, added or out of its place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pmo_lib.archive.contents import FOLDER, OBJECT, Contents, is_known, is_leftover, object_path
from pmo_lib.archive.ledger import LOCK, entry_path
from pmo_lib.archive.reading import Fault, File, Listing
from pmo_lib.archive.signatures import first_signed

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_STRANGE_BYTES = 64 << 20  # larger files that are not ours are named, not hashed


@dataclass(frozen=True)
class Findings:
    """What lies there, against what should.

    Attributes
    ----------
    contents
        What the archive says of itself.
    everything
        What lies in it.
    hashed
        The sha256 of the files :meth:`to_hash`.
    unread
        Those of them that could not be read, which is told elsewhere.
    """

    contents: Contents
    everything: Listing
    hashed: dict[str, str]
    unread: frozenset[str]

    @cached_property
    def _at(self) -> dict[str, str]:
        """A path for each sha256 of a file."""
        return {digest: path for path, digest in self.hashed.items()}

    def faults(self) -> Iterator[Fault]:
        """Yield what must not be."""
        yield from self._folders()
        yield from self._strangers()
        yield from self._objects()
        yield from self._files_of_runs()

    def _objects(self) -> Iterator[Fault]:
        """Yield objects that are not what they should be, and those that are not there."""
        contents, files = self.contents, self.everything.files
        present = {found[2]: path for path in files if (found := OBJECT.fullmatch(path))}
        for digest, path in present.items():
            wanted = contents.objects.get(digest)
            role = f"it is {wanted.role}" if wanted else "nothing refers to it"
            if path not in self.hashed and path not in self.unread and wanted and wanted.size is not None:
                size = files[path].size
                what = "torn" if size < wanted.size else "altered"
                yield Fault(path, what, f"{role} and should have {wanted.size:,} bytes; it has {size:,}")
            elif path in self.hashed and self.hashed[path] != digest:
                yield Fault(path, "altered", f"{self._held(self.hashed[path])}; {role}")
        for digest, wanted in contents.objects.items():
            if digest not in present and object_path(digest) not in contents.disposed:
                yield self._missing(object_path(digest), digest=digest, role=wanted.role)

    def _files_of_runs(self) -> Iterator[Fault]:
        """Yield files of runs that are not what their run's sums name, and those that are not there."""
        contents = self.contents
        for path, kept in contents.kept.items():
            if path not in self.everything.files:
                if path not in contents.disposed:
                    yield self._missing(path, digest=kept.sha256, role=kept.role)
            elif kept.sha256 and path in self.hashed and self.hashed[path] != kept.sha256:
                what = "torn" if not self.everything.files[path].size else "altered"
                yield Fault(path, what, f"it is {kept.role}; {self._held(self.hashed[path])}")

    def _missing(self, path: str, *, digest: str, role: str) -> Fault:
        moved = f"; its bytes lie in {self._at[digest]}" if digest in self._at else ""
        return Fault(path, "missing", f"it is {role}: it was removed or renamed{moved}")

    def _held(self, digest: str) -> str:
        """Say whose bytes a file holds that are not its own."""
        other = self._runs_by_digest.get(digest) or (object_path(digest) if digest in self.contents.objects else "")
        return f"it holds the bytes of {other}" if other else "its bytes are not those that it was kept with"

    @cached_property
    def _runs_by_digest(self) -> dict[str, str]:
        return {kept.sha256: path for path, kept in self.contents.kept.items() if kept.sha256}

    @cached_property
    def _entered_by_digest(self) -> dict[str, str]:
        return {entry.sha256: entry.path for entry in self.contents.entries.values()}

    def _folders(self) -> Iterator[Fault]:
        """Yield links, pipes and folders that the archive has no place for."""
        for path, kind in self.everything.others.items():
            yield Fault(path, "not a file", f"{kind} stands there; it was not followed or read")
        for path in self.everything.folders:
            if self.contents.is_ours(path):
                yield Fault(path, "not a file", "a folder stands in its place")
            elif not FOLDER.fullmatch(path):
                yield Fault(path, "extra folder", "the archive has no folder of this name: it was added or renamed")

    def _strangers(self) -> Iterator[Fault]:
        """Yield files of other names than ours, and what was entered otherwise."""
        for path, file in self.everything.files.items():
            entry = self.contents.entered.get(path)
            if path == LOCK and file.size:
                yield Fault(path, "altered", "the lock of the ledger is an empty file, and this one is not")
            elif self.contents.is_ours(path) or is_leftover(path):
                continue
            elif entry is None:
                yield self._stranger(path, digest=self.hashed.get(path, ""))
            elif self.hashed.get(path, entry.sha256) != entry.sha256:
                yield Fault(path, "altered", f"{entry_path(entry.sequence)} entered other bytes")

    def _stranger(self, path: str, *, digest: str) -> Fault:
        """Name a file of another name than any of ours, and say whose bytes it holds if they are one of ours."""
        places = [object_path(digest)] if digest in self.contents.objects else []
        places += [self._runs_by_digest[digest]] if digest in self._runs_by_digest else []
        places += [self._entered_by_digest[digest]] if digest in self._entered_by_digest else []
        lost = next((place for place in places if place not in self.everything.files), None)
        if lost:
            return Fault(path, "wrong name", f"it holds the bytes of {lost}, which is missing: it was renamed")
        return Fault(path, "extra file", "nothing of ours has this name: it was added or renamed")

    def notices(self, *, asked_for_signatures: bool) -> Iterator[Fault]:
        """Yield what may be, and is worth a look."""
        for path in self.everything.files:
            found = OBJECT.fullmatch(path)
            if is_leftover(path):
                yield Fault(path, "cut off", "a write that was cut off left it; it may be deleted")
            elif found and found[2] not in self.contents.objects and found[2] not in self.contents.published:
                means = "nothing refers to it: an ingest or a run was refused or cut off, or somebody added it"
                yield Fault(path, "not referred to", means)
        for path, gone in self.contents.disposed.items():
            still = path in self.everything.files
            means = f"{gone.told}; it still lies there: pmo archive expire removes it" if still else gone.told
            yield Fault(path, "expired, and still there" if still else "expired", means)
        yield from self._notices_of_many(asked_for_signatures=asked_for_signatures)

    def _notices_of_many(self, *, asked_for_signatures: bool) -> Iterator[Fault]:
        """Yield what is told once for all files that it is true of."""
        contents, files = self.contents, self.everything.files
        writable = sorted(path for path, file in files.items() if file.writable and path != LOCK)
        adopted = [entry_path(number) for number, entry in sorted(contents.entries.items()) if entry.kind == "adopted"]
        unsigned = [entry_path(number) for number in sorted(contents.entries) if number < first_signed(contents)]
        many = (
            ("not read-only", [path for path in writable if contents.is_ours(path)],
             "could be written: restored or copied without permissions? chmod a-w them"),
            ("adopted", adopted, "lay in the archive before their entry: the ledger vouches for them from there on"),
            ("unsigned", unsigned if asked_for_signatures else [],
             "were made before entries were signed; the first signed one vouches for them"),
        )  # fmt: skip
        for what, paths, means in many:
            if paths:
                whose = "this one" if len(paths) == 1 else f"this one and {len(paths) - 1:,} more"
                yield Fault(paths[0], what, f"{whose} {means}")


def to_hash(contents: Contents, *, everything: Listing) -> dict[str, File]:
    """Return the files whose digest is needed: objects of the size that they should have, files of runs, strangers."""
    return {path: file for path, file in everything.files.items() if _is_to_hash(path, file=file, contents=contents)}


def _is_to_hash(path: str, *, file: File, contents: Contents) -> bool:
    if path in contents.read:
        return False
    if found := OBJECT.fullmatch(path):
        wanted = contents.objects.get(found[2])
        return wanted is None or wanted.size in (None, file.size)
    if path in contents.kept:
        return bool(contents.kept[path].sha256)
    return not is_known(path) and file.size <= MOST_STRANGE_BYTES
