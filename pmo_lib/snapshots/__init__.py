"""Snapshots: what was returned for a period, kept for good, and opened again with all that went before it.

Inside: ``rows`` (as they are stored) < ``kept`` (the snapshot and its archive) < ``differences`` (two of them, row by
row) < ``corrections`` (those of a period).
"""

from pmo_lib.snapshots.corrections import Correction, corrections
from pmo_lib.snapshots.differences import Difference, difference
from pmo_lib.snapshots.kept import Archive, Read, Snapshot, open_snapshot, take
from pmo_lib.snapshots.rows import (
    ARROW_TYPES,
    Rows,
    empty_table,
    from_arrow,
    logical_digest,
    over_time,
    parquet_bytes,
    to_arrow,
)
from pmo_lib.store import canonical_json

__all__ = [
    "ARROW_TYPES", "Archive", "Correction", "Difference", "Read", "Rows", "Snapshot", "canonical_json", "corrections",
    "difference", "empty_table", "from_arrow", "logical_digest", "open_snapshot", "over_time", "parquet_bytes", "take",
    "to_arrow",
]  # fmt: skip
