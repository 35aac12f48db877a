"""The publishing step of a batch as a process of its own: what a sweep kills and fails at every system call.

Light: it loads nothing but the batch, and does by itself what the driver and its children share: it begins a batch or
takes up one that was cut off, stages a report, publishes it, ends the batch.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pmo_lib.batch.folder import drafted, latest
from pmo_lib.batch.journal import Journal
from pmo_lib.batch.lock import locked
from pmo_lib.batch.staging import publish, stage, staged

PLACES = ("2026-09/HWY/ratings.html", "2026-09/HWY/ratings.json", "2026-09/extract/ratings.csv",
          "made_of/2026-09/HWY/ratings.json")  # fmt: skip


def files(version: str) -> dict[str, bytes]:
    """Return the files of a report: each says to its end of which version it is."""
    return {place: f"{version} {place} ".encode() * 2_000 for place in PLACES}


def publishing(root: Path, *, version: str) -> None:
    """Publish a version of the report below a root: begin or resume, stage, publish, end."""
    batches = root / "archive" / "batches"
    with locked(batches / "lock", what="demo 2026-09"):
        batch = latest(batches)
        if batch is None or batch.summary is not None:
            inputs = {"parameters/organisation.yml": root / "organisation.yml", "notebooks/a.ipynb": root / "a.ipynb"}
            batch = drafted(batches, inputs=inputs).begin({"period": "2026-09", "version": version})
        batch.check()
        journal = Journal(batch.log)
        journal.tell("batch began")
        for folder in staged(batch.staged):
            publish(folder, root=root)
        folder = batch.staged / "HWY" / "ratings"
        folder.parent.mkdir(parents=True, exist_ok=True)
        stage(files(version), folder=folder)
        publish(folder, root=root)
        journal.tell("batch ended")
        batch.end({"version": version})


def writing(root: Path, *, version: str) -> None:
    """Write a version of the report to its places as anybody would: what a sweep must find fault with."""
    for place, content in files(version).items():
        (root / place).write_bytes(content)


if __name__ == "__main__":
    {"publishing": publishing, "writing": writing}[sys.argv[2]](Path(sys.argv[1]), version="two")
