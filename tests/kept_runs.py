"""Small archives for tests: snapshots of hand-made returns, and runs as a batch keeps them, all of it sealed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from returns import small_return

from pmo_lib.archive import Checkpoint, Ledger, Run, SigningKey, checkpoint_of, enter, enter_run, keep
from pmo_lib.archive.ledger import LOCK
from pmo_lib.archive.statement import Dependency, statement
from pmo_lib.snapshots import Archive, Snapshot, take
from pmo_lib.store import Store, canonical_json, digest_of

AT = "2026-10-02T09:30:00+00:00"
PORTFOLIOS = {"HWY": ["H1", "H2"], "ICT": ["I1"]}
INPUTS = {"parameters/demo/organisation.yml": b"name: Demo\n", "notebooks/health_check.ipynb": b'{"cells":[]}'}
SOURCE = {"pmo_lib/__init__.py": b'"""The library."""\n', "pyproject.toml": b"[project]\n"}


@dataclass(frozen=True)
class Source:
    """A file that was returned."""

    name: str
    content: bytes

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.content)

    def read(self) -> bytes:
        """Return them."""
        return self.content


def taken(root: Path, period: str, *, cost: str = "1000.10", reason: str = "") -> Snapshot:
    """Take a small return as a snapshot, and make no entry."""
    year, month = map(int, period.split("-"))
    checked = small_return(period, date(year, month, 28), portfolios=PORTFOLIOS, cost=cost)
    checked.sources = (Source("file.xlsx", f"{period} {cost}".encode() * 9),)
    return take(checked, archive=Archive(root), organisation="demo", reason=reason)


def snapshot_kept(root: Path, period: str, *, key: SigningKey | None = None, at: str = AT, **more: str) -> Snapshot:
    """Take a small return as a snapshot, and enter it."""
    snapshot = taken(root, period, **more)
    enter(Ledger(root, "jo", key), taken=snapshot.id, at=at)
    return snapshot


def put(root: Path, name: str, content: bytes, annotations: Mapping[str, Any] | None = None) -> Dependency:
    """Put bytes as an object, and return what they are to a run."""
    digest = Store(root / "objects").put(content)
    return Dependency(name, f"objects/sha256/{digest[:2]}/{digest}", digest, annotations)


def put_all(root: Path, name: str, files: Mapping[str, bytes]) -> Dependency:
    """Put files and the list of them, and return what the list is to a run."""
    return put(root, name, canonical_json({place: put(root, "", content).sha256 for place, content in files.items()}))


def made_of(root: Path, snapshot: Snapshot, *, inputs: Mapping[str, bytes] = INPUTS) -> list[Dependency]:
    """Put everything that a run is made of, and return it."""
    return [
        Dependency("snapshot", f"snapshots/{snapshot.period}/{snapshot.id}.json", snapshot.id),
        put(root, "notebook", INPUTS["notebooks/health_check.ipynb"]),
        put(root, "section:standing", b'{"cells":["standing"]}'),
        put_all(root, "inputs", inputs),
        put_all(root, "source", SOURCE),
        put(root, "lock", b"pandas==3.1\n"),
        put(root, "environment", canonical_json({"python": "3.11", "packages": ["pandas==3.1"]})),
        put(root, "assets", b"// plotly", {"name": "plotly.js"}),
    ]


def run_files(report: str, *, says: str) -> dict[str, bytes]:
    """Return the files of a run that its record speaks of."""
    empty = {"columns": [], "rows": []}
    return {
        f"{report}.html": f"<!doctype html><p>{says}</p>".encode(),
        f"{report}.json": canonical_json({"report": report, "says": says}),
        f"{report}.ipynb": canonical_json({"cells": [says]}),
        "findings.json": canonical_json({"findings": empty, "quarantined": empty}),
    }


def run_taken(
    root: Path,
    snapshot: Snapshot,
    *,
    portfolio: str = "HWY",
    report: str = "health_check",
    key: SigningKey | None = None,
    files: Mapping[str, bytes] | None = None,
    dependencies: list[Dependency] | None = None,
    **went: Any,
) -> Run:
    """Keep a run of a snapshot, and make no entry; ``went`` are other words of its record (reason, supersedes, …)."""
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=root.parent))
    folder.chmod(0o755)
    made = dict(files or run_files(report, says=f"{snapshot.period} {portfolio}"))
    for name, content in (made | {"log.jsonl": b'{"event":"kept"}\n'}).items():
        (folder / name).write_bytes(content)
    told: dict[str, Any] = {
        "builder": {"pmo-lib": "1"}, "batch": f"{snapshot.period}/0001", "started": AT, "finished": AT,
        "operator": "jo", "host": "desk", "attempt": 1, "python": "3.11", "platform": "Linux", "rows": [],
        "supersedes": None, "reason": "", "draft": False, "signed_by": key.keyid if key else None,
    }  # fmt: skip
    document = statement(
        {name: digest_of(content) for name, content in made.items()},
        asked={"organisation": "demo", "period": snapshot.period, "portfolio": portfolio, "report": report,
               "overrides": {}},
        made_with={"engine": "kernel", "settings": {}, "snapshots_read": [snapshot.id], "environment": {}},
        made_of=made_of(root, snapshot) if dependencies is None else dependencies,
        went=told | went,
    )  # fmt: skip
    return keep(folder, root=root, statement=document, key=key)


def run_kept(root: Path, snapshot: Snapshot, *, key: SigningKey | None = None, at: str = AT, **more: Any) -> Run:
    """Keep a run of a snapshot, and enter it."""
    run = run_taken(root, snapshot, key=key, **more)
    enter_run(Ledger(root, "jo", key), run=run, at=at)
    return run


def seen(root: Path) -> Checkpoint:
    """Return the checkpoint of an archive."""
    return checkpoint_of(root, organisation="demo", at=AT)


def copied(sound: Path, root: Path) -> Path:
    """Return a copy of an archive, in place of an earlier one."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(sound, root)
    return root


def files_of(root: Path) -> list[str]:
    """Return all files of an archive but the lock, which holds nothing."""
    every = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return [path for path in every if path != LOCK]


def rewrite(path: Path, content: bytes) -> None:
    """Put other bytes in the place of a read-only file."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o444)
