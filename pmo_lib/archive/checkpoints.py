"""A checkpoint: what the ledger was at a moment, to be kept where whoever can write to the archive cannot."""

from __future__ import annotations

import contextlib
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from pmo_lib.archive.ledger import BATCHES, MOST_ENTRY_BYTES, is_count, is_digest, whole_ledger
from pmo_lib.archive.reading import Fault, Unusable, document_of, listed, shown, small_file
from pmo_lib.archive.signing import CHECKPOINT, SigningKey, is_signature
from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.store import canonical_json, digest_of, write_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pmo_lib.archive.ledger import Entry

SCHEMA, FOLDER = "pmo-checkpoint/1", "checkpoints"
KEPT = re.compile(rf"{FOLDER}/([0-9]{{6,18}})-([0-9a-f]{{16}})\.json")


@dataclass(frozen=True)
class Checkpoint:
    """What the ledger was at a moment; ``signature`` is None where no key was configured."""

    organisation: str
    sequence: int
    head: str
    at: str
    counts: dict[str, int] = field(default_factory=dict)  # for people: nothing is decided by them
    signature: dict[str, str] | None = None
    schema: str = SCHEMA

    def content(self) -> bytes:
        """Return it as a file."""
        return canonical_json(asdict(self)) + b"\n"

    @property
    def payload(self) -> bytes:
        """What its signature is over: the file as if it were unsigned."""
        return replace(self, signature=None).content()

    def signed(self, key: SigningKey) -> Checkpoint:
        """Return it with a signature."""
        return replace(self, signature=key.sign(self.payload, kind=CHECKPOINT))


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
    counts["runs"] = sum(path.startswith("runs/") and path.endswith("/SHA256SUMS") for path in files)
    return Checkpoint(organisation, len(entries), entries[-1].digest, at, counts)


def read_checkpoint(path: Path, *, organisation: str) -> Checkpoint:
    """Read a checkpoint of an organisation; ParameterError if the file is none."""
    try:
        made = _checkpoint(small_file(path, most=MOST_ENTRY_BYTES))
    except Unusable as unusable:
        raise _no_checkpoint(path, why=str(unusable.args[1])) from unusable
    if made.organisation != organisation:
        raise _no_checkpoint(path, why=f"it is that of {shown(made.organisation)}, not of {organisation}")
    return made


def keep_checkpoint(root: Path, *, made: Checkpoint) -> str:
    """Keep a copy of a checkpoint in the archive, to tell which were made; return its path. It proves nothing there."""
    content = made.content()
    path = f"{FOLDER}/{made.sequence:06d}-{digest_of(content)[:16]}.json"
    with contextlib.suppress(FileExistsError):
        write_once(root / path, content=content)
    return path


def kept_checkpoints(root: Path, *, files: Iterable[str], entries: Mapping[int, Entry]) -> Iterator[Fault]:
    """Yield the copies of checkpoints in the archive that were altered, or saw another ledger than there is."""
    for path in files:
        if not (named := KEPT.fullmatch(path)):
            continue
        try:
            content = small_file(root / path, most=MOST_ENTRY_BYTES)
            if not digest_of(content).startswith(named[2]):
                raise Unusable("altered", "it is a copy of a checkpoint, and its bytes are not those of its name")
            made = _checkpoint(content)
        except Unusable as unusable:
            yield Fault(path, *unusable.args)
            continue
        entry = entries.get(made.sequence)
        if made.sequence != int(named[1]) or entry is None or entry.digest != made.head:
            means = f"this checkpoint saw another ledger: its entry {made.sequence} was another one, or is gone"
            yield Fault(path, "replaced", means)


def _checkpoint(content: bytes) -> Checkpoint:
    """Return the checkpoint that some bytes are; Unusable if they are none."""
    document = document_of(content)
    texts = all(isinstance(document.get(name), str) for name in ("organisation", "at"))
    sequence = document.get("sequence")
    sound = texts and is_digest(document.get("head")) and is_count(sequence)
    if not sound or document.get("schema") != SCHEMA:
        raise Unusable("not ours", f"it is not a {SCHEMA}")
    counts, signature = document.get("counts", {}), document.get("signature")
    if not isinstance(counts, dict) or not (signature is None or is_signature(signature)):
        raise Unusable("not ours", "its counts or its signature are of another kind")
    return Checkpoint(
        document["organisation"], document["sequence"], document["head"], document["at"], counts, signature
    )


def _no_checkpoint(path: Path, *, why: str) -> ParameterError:
    return ParameterError(f"{path.name}: {why}", fix="name a file that pmo checkpoint wrote", problems=[])
