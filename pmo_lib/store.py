"""Put once, get, list bytes by their sha256; and publish a file so that a reader sees the old one or the new one.

Objects live under ``<root>/sha256/<first two digits>/<digest>``, on disk or on any file system that fsspec knows.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from pmo_lib.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
CHUNK = 1 << 20


def digest_of(content: bytes) -> str:
    """Return the sha256 of bytes as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the sha256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def canonical_json(value: object) -> bytes:
    """Write JSON one way only: sorted keys, no blanks, UTF-8, no NaN."""
    return json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    ).encode()


def write_atomically(path: Path, *, content: bytes, read_only: bool = False) -> None:
    """Write beside the target, flush to the disk, rename: never a torn file, and the old one survives a full disk."""
    with _staged(path, content=content, read_only=read_only) as staged:
        staged.replace(path)


def write_once(path: Path, *, content: bytes) -> None:
    """Do the same with a read-only file that must not be there yet; FileExistsError if it is, whoever made it."""
    with _staged(path, content=content, read_only=True) as staged:
        os.link(staged, path)
        staged.unlink()


@contextmanager
def _staged(path: Path, *, content: bytes, read_only: bool) -> Iterator[Path]:
    """Yield a whole file beside the target, to be moved there; the move is flushed, and no other file is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    staged = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.chmod(0o444 if read_only else 0o644)
        yield staged
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk: a rename holds only then."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def inside(root: Path, *, parts: tuple[str, ...]) -> Path:
    """Join ids to a root; StoreError if the result would lie outside it."""
    joined = root.joinpath(*parts)
    if any("\0" in part for part in parts) or not joined.resolve().is_relative_to(root.resolve()):
        raise StoreError(
            f"{'/'.join(parts)!r} leads outside {root.name}",
            fix="use ids without path characters",
        )
    return joined


def once(name: str, *, make: Callable[[], T]) -> T:
    """Return what ``make`` returns, or what another process of the batch has kept of it under that name.

    Only where ``PMO_SHARED`` names a folder, which a batch gives to the reports of one portfolio and of one snapshot,
    and removes with them. What cannot be kept there is made again by the next.
    """
    folder = os.environ.get("PMO_SHARED")
    if not folder:
        return make()
    path = Path(folder) / name
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        kept: T = pickle.loads(path.read_bytes())  # noqa: S301 - a report of this batch wrote it
        return kept
    value = make()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{name}.{os.getpid()}")
        part.write_bytes(pickle.dumps(value))
        part.replace(path)
    return value


class Store:
    """Bytes by their sha256 under one root (a folder, or an fsspec address)."""

    def __init__(self, root: str | Path) -> None:
        filesystem, path = fsspec.core.url_to_fs(str(root))
        self._files: Any = filesystem
        self.root: str = path
        self.local = isinstance(filesystem, LocalFileSystem)

    def put(self, content: bytes) -> str:
        """Keep these bytes; return their digest. An object that is there is not written again."""
        digest = digest_of(content)
        if not self.has(digest):
            self._write(digest, content=content)
        return digest

    def get(self, digest: str) -> bytes:
        """Return the bytes of a digest; StoreError if they are missing or altered."""
        address = self._address(digest)
        if not self.has(digest):
            raise StoreError(
                f"object {digest} is missing from {self.root}",
                fix="restore it from a copy of the archive",
            )
        content: bytes = self._files.cat_file(address)
        if digest_of(content) != digest:
            raise StoreError(
                f"object {digest} was altered",
                fix="restore it from a copy of the archive",
                digest=digest,
            )
        return content

    def has(self, digest: str) -> bool:
        """Say whether an object of that digest is there."""
        return bool(self._files.exists(self._address(digest)))

    def path(self, digest: str) -> Path:
        """Return the local path of an object, unread and unchecked; StoreError if the store is not on disk."""
        if not self.local:
            raise StoreError(
                f"{self.root} is not on this disk",
                fix="fetch the object with get() instead",
            )
        return Path(self._address(digest))

    def digests(self) -> Iterator[str]:
        """Yield the digests of all objects in order."""
        if self._files.exists(f"{self.root}/sha256"):
            names = (str(path).rsplit("/", 1)[-1] for path in self._files.find(f"{self.root}/sha256"))
            yield from sorted(name for name in names if not name.startswith("."))

    def check(self, digest: str) -> None:
        """Read an object in pieces and compare; StoreError if it is missing or altered."""
        if not self.local:
            self.get(digest)
            return
        path = self.path(digest)
        if not path.exists() or digest_of_file(path) != digest:
            raise StoreError(
                f"object {digest} is missing or altered",
                fix="restore it from a copy of the archive",
            )

    def _address(self, digest: str) -> str:
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise StoreError(
                f"{digest!r} is not a sha256",
                fix="use the 64 hexadecimal digits of the manifest",
            )
        return f"{self.root}/sha256/{digest[:2]}/{digest}"

    def _write(self, digest: str, *, content: bytes) -> None:
        address = self._address(digest)
        if self.local:
            write_atomically(Path(address), content=content, read_only=True)
            return
        self._files.makedirs(address.rsplit("/", 1)[0], exist_ok=True)
        self._files.pipe_file(f"{address}.part", content)
        self._files.mv(f"{address}.part", address)
