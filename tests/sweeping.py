"""The publishing step of a batch as a process of its own: what a sweep kills and fails at every system call.

Light: it loads nothing but the batch and the archive, and does by itself what the driver and its children share: it
begins a batch or takes up one that was cut off, stages a report, keeps and enters its run, publishes it, ends the
batch.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pmo_lib.archive import Ledger, enter, enter_run, keep
from pmo_lib.archive.statement import Dependency, statement
from pmo_lib.batch.folder import drafted, latest
from pmo_lib.batch.journal import Journal
from pmo_lib.batch.lock import locked
from pmo_lib.batch.staging import RUN, publish, stage, staged
from pmo_lib.store import Store, digest_of

AT = "2026-10-02T09:30:00+00:00"
PLACES = ("2026-09/HWY/ratings.html", "2026-09/HWY/ratings.json", "2026-09/extract/ratings.csv",
          "made_of/2026-09/HWY/ratings.json")  # fmt: skip


def files(version: str) -> dict[str, bytes]:
    """Return the files of a report: each says to its end of which version it is."""
    return {place: f"{version} {place} ".encode() * 2_000 for place in PLACES}


def record(version: str, *, made_of: Dependency) -> dict[str, object]:
    """Return the run record of a version."""
    went: dict[str, object] = {
        "builder": {}, "batch": "1", "started": AT, "finished": AT, "operator": "jo", "host": "desk", "attempt": 1,
        "python": "3", "platform": "Linux", "rows": [], "supersedes": None, "reason": version, "draft": False,
        "signed_by": None,
    }  # fmt: skip
    asked = {"organisation": "demo", "period": "2026-09", "portfolio": "HWY", "report": "ratings", "overrides": {}}
    subjects = {name: digest_of(content) for name, content in run(version).items()}
    return statement(subjects, asked=asked, made_with={}, made_of=[made_of], went=went)


def run(version: str) -> dict[str, bytes]:
    """Return what is kept of a version of the report."""
    return {place.rpartition("/")[2]: content for place, content in files(version).items() if "HWY" in place[:12]}


def out(folder: Path, *, root: Path, version: str) -> None:
    """Keep and enter what is staged, unless it was, and publish it."""
    archive = root / "archive"
    if (folder / RUN).is_dir():
        digest = Store(archive / "objects").put(b"what was returned")
        snapshot = Dependency("snapshot", f"objects/sha256/{digest[:2]}/{digest}", digest)
        kept = keep(folder / RUN, root=archive, statement=record(version, made_of=snapshot), key=None)
        enter_run(Ledger(archive, "jo"), run=kept, at=AT)
    publish(folder, root=root)


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
        enter(Ledger(root / "archive", "jo"), taken="", at=AT)
        for folder in staged(batch.staged):
            out(folder, root=root, version=version)
        folder = batch.staged / "HWY" / "ratings"
        folder.parent.mkdir(parents=True, exist_ok=True)
        stage(files(version), folder=folder, run=run(version))
        out(folder, root=root, version=version)
        journal.tell("batch ended")
        batch.end({"version": version})


def writing(root: Path, *, version: str) -> None:
    """Write a version of the report to its places as anybody would: what a sweep must find fault with."""
    for place, content in files(version).items():
        (root / place).write_bytes(content)


if __name__ == "__main__":
    {"publishing": publishing, "writing": writing}[sys.argv[2]](Path(sys.argv[1]), version="two")
