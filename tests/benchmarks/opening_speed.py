"""Opening one of 500 portfolios of a snapshot with 5 million finance rows against reading all: ``make bench``.

The bar: 10 % of the time.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from benchmarks.measured import least, say

from pmo_lib.contracts.tables import TABLES
from pmo_lib.snapshots import ARROW_TYPES, Archive, Snapshot, canonical_json, parquet_bytes

PORTFOLIOS, ROWS_OF_EACH, MOST_SHARE = 500, 10_000, 0.10


def finance() -> pa.Table:
    """Return the amounts of all portfolios, in order of their key, with the disk types of the contract."""
    count = PORTFOLIOS * ROWS_OF_EACH
    number = np.arange(count)
    draws = np.random.default_rng(1)
    cents = pa.array(draws.integers(0, 10**8, count)).cast(pa.decimal128(24, 0))
    months = np.array([f"20{year:02}-{month:02}" for year in range(40) for month in range(1, 13)])
    given = {
        "portfolio_id": pa.array(np.char.mod("P%03d", number // ROWS_OF_EACH)),
        "project_id": pa.array(np.char.mod("PRJ-%04d", number // 400)),
        "period": pa.array(months[number % 400]),
        "period_kind": pa.array(np.full(count, "month")),
        "measure": pa.array(np.full(count, "actual")),
        "amount": pa.compute.multiply(cents, pa.scalar(1, pa.decimal128(1, 0))).cast(pa.decimal128(24, 2)),
        "currency": pa.array(np.full(count, "GBP")),
        "source_ref": pa.array(np.char.mod("returns.xlsx, sheet finance, row %d", number)),
    }
    table = TABLES["finance"]
    arrays = [
        given.get(column.name, pa.nulls(count)).cast(ARROW_TYPES.get(column.kind, pa.string()))
        for column in table.columns
    ]
    return pa.table(arrays, names=list(table.names))


def snapshot_of(folder: Path) -> Snapshot:
    """Return a snapshot that holds them."""
    archive = Archive(folder)
    rows = finance()
    entry = {"sha256": archive.store.put(parquet_bytes(rows)), "rows": rows.num_rows}
    manifest = {"period": "2026-03", "tables": {"finance": entry}}
    return Snapshot(archive, hashlib.sha256(canonical_json(manifest)).hexdigest(), manifest)


def rows_in(snapshot: Snapshot, portfolio: str | None) -> int:
    """Read one portfolio, or all, and return the number of rows."""
    return len(snapshot.table("finance", portfolio=portfolio))


def main() -> int:
    """Print both times and their ratio; 1 if it misses the bar."""
    with tempfile.TemporaryDirectory() as folder:
        snapshot = snapshot_of(Path(folder))
        rows_in(snapshot, "P000")  # loads what reading needs
        whole = least(rows_in, snapshot, None, times=1)
        one = least(rows_in, snapshot, "P250", times=5)
    share = one.seconds / whole.seconds
    say(f"all {whole.result:,} rows {whole.seconds:7.3f} s {whole.megabytes:6.0f} MB")
    say(f"one portfolio's {one.result:,} {one.seconds:7.3f} s {one.megabytes:6.0f} MB")
    say(f"share {share:.2%} (bar {MOST_SHARE:.0%})")
    return int(share > MOST_SHARE or one.result != ROWS_OF_EACH)


if __name__ == "__main__":
    sys.exit(main())
