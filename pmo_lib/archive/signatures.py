"""Who signed what: entries, run records and the checkpoint against public keys that came from a place outside."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.ledger import entry_path
from pmo_lib.archive.reading import Fault, Unusable, document_of, small_file
from pmo_lib.archive.runs import ENVELOPE, RECORD, told_file
from pmo_lib.archive.signing import CHECKPOINT, ENTRY, STATEMENT, is_signature
from pmo_lib.archive.statement import metadata_of
from pmo_lib.store import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pmo_lib.archive.checkpoints import Checkpoint
    from pmo_lib.archive.contents import Contents
    from pmo_lib.archive.runs import Run
    from pmo_lib.archive.signing import Trusted

OUTSIDE = "(checkpoint)"  # the one thing that is verified and does not lie in the archive
FIELDS = {"payload", "payloadType", "signatures"}


def signed_entries(contents: Contents, *, trusted: Trusted | None) -> Iterator[Fault]:
    """Yield entries with a signature that is none of the keys', and those without one that should have one."""
    if trusted is None:
        return
    first = first_signed(contents)
    for number, entry in sorted(contents.entries.items()):
        if entry.signature is not None:
            if why := trusted.problem(entry.signature, payload=entry.payload, kind=ENTRY):
                yield Fault(entry_path(number), "not signed by a key that was given", why)
        elif first and number > first:
            means = f"unsigned among signed: entry {first} and others are signed, and this one is not"
            yield Fault(entry_path(number), "unsigned", means)
    if contents.entries and not first:
        means = "a public key was given, and neither this entry nor any before it is signed"
        yield Fault(entry_path(max(contents.entries)), "unsigned", means)


def first_signed(contents: Contents) -> int:
    """Return the number of the first signed entry; 0 if none is."""
    return min((number for number, entry in contents.entries.items() if entry.signature is not None), default=0)


def signed_runs(contents: Contents, *, root: Path, trusted: Trusted | None) -> Iterator[Fault]:
    """Yield signed records that are not over the run's record, or not by one of the keys."""
    for place, run in contents.runs.items():
        path = f"{place}/{ENVELOPE}"
        if path not in contents.kept:
            continue
        try:
            why = _problem(root, run=run, trusted=trusted)
        except Unusable as unusable:
            if unusable.args[0] == "missing":  # which is told with the other files
                continue
            why = unusable.args[1]
        if why:
            yield Fault(path, "not signed as it says", f"{why}; it is {told_file(place, name=ENVELOPE)}")


def _problem(root: Path, *, run: Run, trusted: Trusted | None) -> str:
    document = document_of(small_file(root / run.place / ENVELOPE))
    signature = _signature(document)
    record, signed_by = canonical_json(run.statement), metadata_of(run.statement)["pmo_signed_by"]
    if signature is None or document["payloadType"] != STATEMENT:
        return "it is not a DSSE envelope of a run record with one signature"
    if _decoded(document["payload"]) != record:
        return f"what it signs is not {RECORD}"
    if signature["keyid"] != signed_by:
        return f"{RECORD} says that another key signed it"
    return trusted.problem(signature, payload=record, kind=STATEMENT) if trusted else ""


def _signature(document: dict[str, Any]) -> dict[str, str] | None:
    """Return the one signature of an envelope; None if it is no envelope of ours."""
    signatures = document.get("signatures")
    if set(document) != FIELDS or not isinstance(signatures, list) or len(signatures) != 1:
        return None
    return signatures[0] if is_signature(signatures[0]) else None


def _decoded(payload: Any) -> bytes | None:
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return None


def signed_checkpoint(checkpoint: Checkpoint | None, *, trusted: Trusted | None) -> Iterator[Fault]:
    """Yield a checkpoint whose signature is none of the keys'."""
    if checkpoint is None or checkpoint.signature is None or trusted is None:
        return
    if why := trusted.problem(checkpoint.signature, payload=checkpoint.payload, kind=CHECKPOINT):
        yield Fault(OUTSIDE, "not signed by a key that was given", f"{why}: it may be forged")


def unproven(contents: Contents, *, checkpoint: Checkpoint | None, trusted: Trusted | None) -> Iterator[str]:
    """Yield what cannot be known about who made what."""
    entries, runs = contents.entries.values(), contents.runs
    signed = sum(entry.signature is not None for entry in entries)
    sealed = sum(f"{place}/{ENVELOPE}" in contents.kept for place in runs)
    told = f"{signed:,} of {len(entries):,} entries and {sealed:,} of {len(runs):,} run records are signed"
    if not signed and not sealed:
        yield "who made an entry: entries are unsigned, and tell what they were told"
    elif trusted is None:
        yield f"who made an entry or a run: {told}, and no signature was checked; give the public key with --key"
    elif signed < len(entries) or sealed < len(runs):
        yield f"who made what is unsigned: {told}"
    if trusted is not None and checkpoint is not None and checkpoint.signature is None:
        yield "who made the checkpoint: it is unsigned"
