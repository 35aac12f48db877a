"""A wheelhouse in the archive: the packages of a lock as wheels, so that its runs can be made again without a network.

Each wheel is an object, and so is the list of them, canonical JSON that an entry of kind ``wheels`` names::

    {"schema": "pmo-wheels/1", "lock": "<sha256 of requirements.txt>", "python": "cp311", "platform": "linux-x86_64",
     "files": {"<name>.whl": "<sha256>"}}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.contents import object_path
from pmo_lib.archive.ledger import entry_path, is_digest
from pmo_lib.archive.reading import Fault, Unusable, document_of
from pmo_lib.archive.restore import MOST_FILES, WHEELS, read_object
from pmo_lib.errors import StoreError
from pmo_lib.store import Store, canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pmo_lib.archive.contents import Contents
    from pmo_lib.archive.ledger import Entry, Ledger

KIND, SCHEMA = WHEELS, "pmo-wheels/1"
VERIFY = "see what pmo verify says"
WHEEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+]*(-[A-Za-z0-9._+]+){3,5}\.whl")


@dataclass(frozen=True)
class Wheelhouse:
    """The wheels of a lock for one Python and platform, with the number of the entry that vouches for them."""

    lock: str
    python: str
    platform: str
    files: dict[str, str]
    entry: int = 0

    @property
    def document(self) -> dict[str, Any]:
        """It as it is kept."""
        fields = {"lock": self.lock, "python": self.python, "platform": self.platform}
        return {"schema": SCHEMA, **fields, "files": self.files}

    @property
    def about(self) -> dict[str, Any]:
        """What its ledger entry says of it."""
        return {"lock": self.lock, "python": self.python, "platform": self.platform, "files": len(self.files)}


def keep_wheels(ledger: Ledger, *, lock: bytes, of: tuple[str, str], wheels: Iterable[Path], at: str) -> Entry:
    """Put wheels and the lock that they are of, and enter them; return the entry, the one there is if there is one.

    Parameters
    ----------
    ledger, at
        Where it is entered, and when.
    lock
        The bytes of ``requirements.txt``.
    of
        Tag of the Python that they are for, such as ``cp311``, and platform.
    wheels
        The files.
    """
    store = Store(ledger.root / "objects")
    files = {path.name: store.put(path.read_bytes()) for path in sorted(wheels)}
    house = Wheelhouse(store.put(lock), *of, files)
    digest = store.put(canonical_json(house.document))
    with ledger.held():
        known = next((one for one in ledger.entries if (one.kind, one.sha256) == (KIND, digest)), None)
        path = object_path(digest)
        return known or ledger.append(KIND, path=path, sha256=digest, about=house.about, at=at)


def wheels_of(root: Path, *, entries: Iterable[Entry], lock: str, of: tuple[str, str]) -> Wheelhouse | None:
    """Return the wheelhouse of a lock, Python and platform that was kept last; None if none was.

    Raises
    ------
    StoreError
        If its list is missing or altered.
    """
    wanted = {"lock": lock, "python": of[0], "platform": of[1]}
    found = [entry for entry in entries if entry.kind == KIND and wanted.items() <= entry.about.items()]
    return read_wheels(root, entry=found[-1]) if found else None


def read_wheels(root: Path, *, entry: Entry) -> Wheelhouse:
    """Return the wheelhouse that an entry names; StoreError if its list is missing, altered, or none of ours."""
    path = object_path(entry.sha256)
    try:
        document = document_of(read_object(root, digest=entry.sha256))
    except Unusable as unusable:
        raise StoreError(f"{path}: {unusable.args[1]}", fix=VERIFY, path=path, list=True) from unusable
    files, texts = document.get("files"), [document.get(name) for name in ("lock", "python", "platform")]
    if (
        document.get("schema") != SCHEMA
        or not all(isinstance(text, str) for text in texts)
        or not is_digest(texts[0])
        or not isinstance(files, dict)
        or len(files) > MOST_FILES
        or not all(WHEEL.fullmatch(name) and is_digest(digest) for name, digest in files.items())
    ):
        raise StoreError(f"{path}: is no list of wheels", fix=VERIFY, path=path, list=True)
    lock, python, platform = map(str, texts)
    return Wheelhouse(lock, python, platform, files, entry.sequence)


def take_wheels(contents: Contents, *, root: Path) -> None:
    """Take up the wheels that every entry names. A list that is missing or altered is told with the other objects."""
    for number, entry in sorted(contents.entries.items()):
        if entry.kind != KIND:
            continue
        try:
            house = read_wheels(root, entry=entry)
        except StoreError as error:
            if error.data.get("list"):
                contents.faults.append(Fault(entry.path, "not ours", f"entry {number} names it as a list of wheels"))
            continue
        if entry.about != house.about or entry.path != object_path(entry.sha256):
            contents.faults.append(Fault(entry_path(number), "altered", "it says of its wheels what the list does not"))
        contents.want(house.lock, role=f"the lock of the wheels of entry {number}")
        for name, digest in house.files.items():
            contents.want(digest, role=f"the wheel {name[:120]} of entry {number}")
