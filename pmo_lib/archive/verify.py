"""Every byte of an archive against names, manifests, records, ledger and checkpoint: what is wrong, what it means.

Nothing of the archive is followed, imported or executed, and of no file more than a few bytes is held at a time, but of
manifests, records, lists and entries, which are bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.chain import chained, linked
from pmo_lib.archive.checkpoints import kept_checkpoints
from pmo_lib.archive.contents import OBJECT
from pmo_lib.archive.findings import Findings, to_hash
from pmo_lib.archive.hashing import hashed
from pmo_lib.archive.ledger import BATCHES, MANIFEST, number_of
from pmo_lib.archive.reading import Fault, shown
from pmo_lib.archive.runs import place_of
from pmo_lib.archive.signatures import signed_checkpoint, signed_entries, signed_runs, unproven
from pmo_lib.archive.survey import survey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pmo_lib.archive.checkpoints import Checkpoint
    from pmo_lib.archive.contents import Contents
    from pmo_lib.archive.reading import Listing
    from pmo_lib.archive.signing import Trusted

SCHEMA = "pmo-verify/1"


@dataclass(frozen=True)
class Verdict:
    """What was found.

    ``faults`` is what must not be; ``notices`` may be; ``not_proven`` says what this verification cannot know.
    """

    faults: tuple[Fault, ...]
    notices: tuple[Fault, ...]
    not_proven: tuple[str, ...]
    counts: dict[str, int]
    sequence: int
    head: str | None
    checkpoint: Checkpoint | None = field(default=None)

    @property
    def clean(self) -> bool:
        """Whether there is no fault."""
        return not self.faults

    def document(self) -> dict[str, Any]:
        """Return it as JSON values; paths are escaped as they are printed."""
        seen = self.checkpoint
        return {
            "schema": SCHEMA,
            "clean": self.clean,
            "findings": [fault._asdict() for fault in self.faults],
            "notices": [fault._asdict() for fault in self.notices],
            "not_proven": list(self.not_proven),
            "counts": self.counts,
            "ledger": {"sequence": self.sequence, "head": self.head},
            "checkpoint": None if seen is None else {"sequence": seen.sequence, "head": seen.head, "at": seen.at},
        }


def verify(
    root: Path,
    *,
    checkpoint: Checkpoint | None = None,
    trusted: Trusted | None = None,
    threads: int | None = None,
) -> Verdict:
    """Verify an archive.

    Parameters
    ----------
    root
        The archive. An ingest or a run that is under way may be told of as if it had been cut off.
    checkpoint
        What the ledger was once, kept elsewhere.
    trusted
        Public keys, kept elsewhere, that signatures are checked against; None: signatures are counted.
    threads
        Of hashing; default: one for each core.

    Raises
    ------
    StoreError
        If there is no archive.
    """
    contents, everything = survey(root)
    numbers = contents.entries.keys() | {number for fault in contents.faults if (number := number_of(fault.file))}
    digests, unread = hashed(root, files=to_hash(contents, everything=everything), threads=threads)
    findings = Findings(contents, everything, digests, frozenset(fault.file for fault in unread))
    ledger = [
        *contents.faults,
        *chained(contents, numbers=set(numbers), checkpoint=checkpoint),
        *signed_entries(contents, trusted=trusted),
    ]
    faults = [
        *ledger,
        *unread,
        *findings.faults(),
        *linked(contents, files=everything.files, doubted={fault.file for fault in ledger}),
        *signed_runs(contents, root=root, trusted=trusted),
        *signed_checkpoint(checkpoint, trusted=trusted),
        *kept_checkpoints(root, files=everything.files, entries=contents.entries),
    ]
    entries = contents.entries
    return Verdict(
        _once(faults),
        _once(findings.notices(asked_for_signatures=trusted is not None)),
        tuple(_not_proven(contents, everything=everything, checkpoint=checkpoint))
        + tuple(unproven(contents, checkpoint=checkpoint, trusted=trusted)),
        _counts(contents, everything=everything) | {"entries": len(numbers)},
        max(numbers, default=0),
        entries[max(entries)].digest if entries and max(entries) == max(numbers) else None,
        checkpoint,
    )


def _once(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return one fault of each file, the first that was found, in order of the files."""
    first: dict[str, Fault] = {}
    for fault in faults:
        first.setdefault(fault.file, fault)
    return tuple(Fault(shown(fault.file), fault.what, shown(fault.means)) for _, fault in sorted(first.items()))


def _counts(contents: Contents, *, everything: Listing) -> dict[str, int]:
    return {
        "objects": sum(OBJECT.fullmatch(path) is not None for path in everything.files),
        "snapshots": sum(MANIFEST.fullmatch(path) is not None for path in everything.files),
        "runs": sum(place_of(path) != "" for path in everything.files),
        "expired": sum(path not in everything.files for path in contents.disposed),
        "bytes": sum(file.size for file in everything.files.values()),
    }


def _not_proven(contents: Contents, *, everything: Listing, checkpoint: Checkpoint | None) -> Iterator[str]:
    head = max(contents.entries, default=0)
    if checkpoint is None:
        yield (
            "without a checkpoint: that nothing was cut off the end of the ledger, that the ledger was not written "
            "anew as a whole, and when and by whom its last entry was made"
        )
    elif checkpoint.sequence < head:
        yield f"that nothing after entry {checkpoint.sequence}, which the checkpoint saw, was cut off or written anew"
    if BATCHES in everything.folders:
        yield f"{BATCHES}/: plans and logs of runs are not sealed, and were not read"
