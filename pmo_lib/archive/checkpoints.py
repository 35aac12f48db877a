"""A checkpoint: what the ledger was at a moment, to be kept where whoever can write to the archive cannot."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from pmo_lib.archive.ledger import BATCHES, MOST_ENTRY_BYTES, is_count, is_digest, whole_ledger
from pmo_lib.archive.reading import Unusable, document_of, listed, shown, small_file
from pmo_lib.archive.signing import CHECKPOINT, SigningKey, is_signature
from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.store import canonical_json

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "pmo-checkpoint/1"


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
        document = document_of(small_file(path, most=MOST_ENTRY_BYTES))
    except Unusable as unusable:
        raise _no_checkpoint(path, why=str(unusable.args[1])) from unusable
    texts = all(isinstance(document.get(name), str) for name in ("organisation", "at"))
    sequence = document.get("sequence")
    sound = texts and is_digest(document.get("head")) and is_count(sequence)
    if not sound or document.get("schema") != SCHEMA:
        raise _no_checkpoint(path, why=f"it is not a {SCHEMA}")
    if document["organisation"] != organisation:
        raise _no_checkpoint(path, why=f"it is that of {shown(document['organisation'])}, not of {organisation}")
    counts, signature = document.get("counts", {}), document.get("signature")
    if not isinstance(counts, dict) or not (signature is None or is_signature(signature)):
        raise _no_checkpoint(path, why="its counts or its signature are of another kind")
    return Checkpoint(organisation, document["sequence"], document["head"], document["at"], counts, signature)


def _no_checkpoint(path: Path, *, why: str) -> ParameterError:
    return ParameterError(f"{path.name}: {why}", fix="name a file that pmo checkpoint wrote", problems=[])
