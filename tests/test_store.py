"""The store: put once, get what was put or an error, publish without a torn file."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from pmo_lib.errors import StoreError
from pmo_lib.store import Store, digest_of, digest_of_file, inside, once, write_atomically

if TYPE_CHECKING:
    from pathlib import Path


@given(content=st.binary(max_size=2_000))
def test_what_was_put_comes_back(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Bytes come back by the sha256 that hashlib gives them, and the object's file has these bytes."""
    store = Store(tmp_path_factory.mktemp("store"))
    digest = store.put(content)
    assert digest == hashlib.sha256(content).hexdigest() == digest_of(content)
    assert store.get(digest) == content
    assert store.path(digest).read_bytes() == content
    assert list(store.digests()) == [digest]


def test_second_put_writes_nothing(tmp_path: Path) -> None:
    """An object that is there is never written again, and cannot be written by others than its owner."""
    store = Store(tmp_path)
    digest = store.put(b"same")
    before = store.path(digest).stat()
    assert store.put(b"same") == digest
    after = store.path(digest).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert after.st_mode & 0o222 == 0


def test_altered_object_is_refused(tmp_path: Path) -> None:
    """One flipped bit in an object is noticed by get and by check, before anybody parses it."""
    store = Store(tmp_path)
    digest = store.put(b"figures of September")
    path = store.path(digest)
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(bytes(content))
    for read in (store.get, store.check):
        with pytest.raises(StoreError, match="altered"):
            read(digest)


def test_missing_object_is_named(tmp_path: Path) -> None:
    """A missing object is an error that names it, not an empty answer."""
    digest = digest_of(b"never put")
    for read in (Store(tmp_path).get, Store(tmp_path).check):
        with pytest.raises(StoreError, match="missing"):
            read(digest)


@pytest.mark.parametrize("name", ["", "abc", "../../etc/passwd", "A" * 64, "g" * 64])
def test_only_digests_are_addresses(tmp_path: Path, name: str) -> None:
    """What is not 64 hexadecimal digits never becomes a path."""
    with pytest.raises(StoreError, match="not a sha256"):
        Store(tmp_path).get(name)


def test_other_file_systems_serve(tmp_path: Path) -> None:
    """Any file system that fsspec knows holds objects in the same way."""
    store = Store(f"memory://{tmp_path.name}")
    digest = store.put(b"far away")
    assert store.get(digest) == b"far away"
    assert list(store.digests()) == [digest]
    store.check(digest)
    with pytest.raises(StoreError, match="not on this disk"):
        store.path(digest)


def test_reader_never_sees_a_torn_file(tmp_path: Path) -> None:
    """While a file is replaced again and again, every read gives one whole version."""
    path = tmp_path / "page.html"
    versions = [bytes([65 + n]) * 200_000 for n in range(2)]
    write_atomically(path, content=versions[0])
    stop = threading.Event()

    def replace() -> None:
        turn = 0
        while not stop.is_set():
            write_atomically(path, content=versions[turn % 2])
            turn += 1

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        for _ in range(200):
            assert path.read_bytes() in versions
    finally:
        stop.set()
        writer.join()
    assert os.listdir(tmp_path) == ["page.html"]  # noqa: PTH208 - hidden leftovers must show too


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk gives out in the middle, the old file stays as it was and nothing is left behind."""
    path = tmp_path / "page.html"
    write_atomically(path, content=b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pmo_lib.store.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, content=b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["page.html"]  # noqa: PTH208 - hidden leftovers must show too


@pytest.mark.parametrize("parts", [("..", "x"), ("a", "../../b"), ("/etc", "passwd")])
def test_ids_stay_inside(tmp_path: Path, parts: tuple[str, ...]) -> None:
    """No id leads outside its root."""
    with pytest.raises(StoreError, match="outside"):
        inside(tmp_path, parts=parts)
    assert inside(tmp_path, parts=("2026-09", "HWY")) == tmp_path / "2026-09" / "HWY"


def test_file_digest_is_read_in_pieces(tmp_path: Path) -> None:
    """A file larger than one piece has the same digest as its bytes."""
    content = os.urandom((1 << 20) + 17)
    (tmp_path / "big").write_bytes(content)
    assert digest_of_file(tmp_path / "big") == hashlib.sha256(content).hexdigest()


def test_what_is_made_once_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a batch names a folder, the second who asks has what the first made; elsewhere each makes its own."""
    made: list[int] = []

    def make() -> tuple[list[str], int]:
        made.append(1)
        return ["rows"], len(made)

    assert [once("rows", make=make), once("rows", make=make)] == [(["rows"], 1), (["rows"], 2)]
    monkeypatch.setenv("PMO_SHARED", str(tmp_path / "shared"))
    assert [once("rows", make=make), once("rows", make=make)] == [(["rows"], 3)] * 2
    assert once("others", make=make) == (["rows"], 4)
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == ["others", "rows"]


def test_what_cannot_be_kept_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be made stops nobody."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("PMO_SHARED", str(tmp_path / "file" / "shared"))
    with pytest.raises(NotADirectoryError):
        (tmp_path / "file" / "shared" / "rows").read_bytes()
    assert once("rows", make=lambda: 1) == 1
