"""Files that anybody may have put there: listed without following a link, read as bounded bytes, never trusted."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHUNK = 1 << 18  # a piece that stays in the cache between the disk and the digest
MOST_JSON_BYTES = 8 << 20
DEEPEST = 6  # folders below the root; ours are three
READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFDIR: "a folder",
}


class Fault(NamedTuple):
    """What is wrong with a file: its path inside the archive, the fault in a word or two, and what it means."""

    file: str
    what: str
    means: str


class Unusable(Exception):
    """A file that cannot be used; ``args`` are the fault and what it means."""


@dataclass(frozen=True)
class File:
    """A regular file as it was listed."""

    size: int
    writable: bool


@dataclass(frozen=True)
class Listing:
    """Regular files by path, folders, and what is neither (by path, with what it is instead)."""

    files: dict[str, File]
    folders: set[str]
    others: dict[str, str]


def listed(root: Path, *, below: str = "", skip: str = "") -> Listing:
    """List everything below a folder of the archive ("" for its root), without the folder ``skip``; follow nothing."""
    found = Listing({}, set(), {})
    waiting = [below]
    while waiting:
        folder = waiting.pop()
        for entry in _entries(root, folder=folder, others=found.others):
            path = f"{folder}/{entry.name}" if folder else entry.name
            about = entry.stat(follow_symlinks=False)
            kind = stat.S_IFMT(about.st_mode)
            if kind == stat.S_IFREG:
                found.files[path] = File(about.st_size, bool(about.st_mode & 0o222))
            elif kind == stat.S_IFDIR and path.count("/") < DEEPEST:
                found.folders.add(path)
                waiting.extend([path] if path != skip else [])
            else:
                found.others[path] = KINDS.get(kind, "a file of unknown kind")
    return found


def _entries(root: Path, *, folder: str, others: dict[str, str]) -> list[os.DirEntry[str]]:
    """Return what stands in a folder, in order; nothing where it is none."""
    try:
        if folder and not stat.S_ISDIR((root / folder).lstat().st_mode):
            return []
        with os.scandir(root / folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        others[folder or "."] = f"a folder that cannot be read ({error.strerror})"
        return []


def shown(path: str) -> str:
    """Return a path as it may be printed: what is no plain character of a line is written as its escape."""
    return "".join(
        each if each.isprintable() and each != "\\" else each.encode("unicode_escape").decode() for each in path
    )


def opened(path: Path) -> tuple[int, int]:
    """Open a regular file and return its descriptor and size; Unusable for everything else."""
    try:
        descriptor = os.open(path, READING)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Unusable("not a file", "a symbolic link stands in its place and is not followed") from error
        if error.errno == errno.ENOENT:
            raise Unusable("missing", "it was there a moment ago and is gone") from error
        raise Unusable("unreadable", f"it cannot be read: {error.strerror}") from error
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        kind = KINDS.get(stat.S_IFMT(about.st_mode), "something unknown")
        raise Unusable("not a file", f"{kind} stands in its place and is not read")
    return descriptor, about.st_size


def hasher() -> Callable[[Path], str]:
    """Return a function that hashes one file after the other in pieces, always in the same few bytes of memory."""
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)

    def hashed(path: Path) -> str:
        descriptor, _ = opened(path)
        digest = hashlib.sha256()
        try:
            while count := os.readv(descriptor, [buffer]):
                digest.update(view[:count])
        except OSError as error:
            raise Unusable("unreadable", f"it cannot be read to its end: {error.strerror}") from error
        finally:
            os.close(descriptor)
        return digest.hexdigest()

    return hashed


def small_file(path: Path, *, most: int = MOST_JSON_BYTES) -> bytes:
    """Return the bytes of a file that must be small; Unusable if it is not, or no regular file."""
    descriptor, size = opened(path)
    with os.fdopen(descriptor, "rb") as file:
        try:
            content = b"" if size > most else file.read(most + 1)
        except OSError as error:
            raise Unusable("unreadable", f"it cannot be read to its end: {error.strerror}") from error
    if size > most or len(content) > most:
        raise Unusable("too large", f"it has {size:,} bytes; such a file has at most {most:,}, and it was not read")
    return content


def document_of(content: bytes) -> dict[str, Any]:
    """Return the JSON object that some bytes are; Unusable if they are none."""
    if not content:
        raise Unusable("torn", "it is empty")
    try:
        document = json.loads(content, parse_constant=_refuse)
    except RecursionError as error:
        raise Unusable("not readable", "its JSON is nested deeper than any of ours") from error
    except ValueError as error:
        raise Unusable("torn", "it is not JSON, or not to its end") from error
    if not isinstance(document, dict):
        raise Unusable("not readable", "it is not a JSON object")
    return document


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
