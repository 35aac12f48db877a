"""Each report goes into the archive before it is published: what it was made of, the run, then its ledger entry."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmo_lib.archive import enter, enter_run
from pmo_lib.archive.contents import object_path
from pmo_lib.archive.runs import LOG, RUN_FILES, keep, place_of, results_kept
from pmo_lib.archive.statement import Dependency, statement
from pmo_lib.batch.staging import FACTS, RUN
from pmo_lib.render.charts import asset_name, library
from pmo_lib.runner.plan import LOCK, PACKAGE, installed
from pmo_lib.runner.unchanged import of_data
from pmo_lib.store import Store, canonical_json, digest_of, digest_of_file
from pmo_lib.workers import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pmo_lib.archive import Entry, Ledger
    from pmo_lib.runner.job import Job
    from pmo_lib.runner.plan import Plan
    from pmo_lib.workers import Outcome

TREES = ("pmo_lib", "notebooks", "parameters", "pyproject.toml", LOCK)
GIT_SECONDS = 30


def present() -> str:
    """Return the present moment, as records state it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class Keeping:
    """Keeps the runs of one batch.

    Attributes
    ----------
    folder
        Outputs of the organisation; its archive lies there.
    root
        Where the notebooks and parameters came from, before the batch froze them.
    planned
        What is run.
    batch
        Number of the batch.
    ledger
        Where each run is entered.
    """

    folder: Path
    root: Path
    planned: Plan
    batch: str
    ledger: Ledger
    _kept_results: dict[str, set[str]] = field(default_factory=dict)

    def begin(self) -> list[Entry]:
        """Put what all runs have in common; enter what an earlier batch kept and did not come to enter."""
        _ = self._common
        return enter(self.ledger, taken="", at=present())

    def keep(self, job: Job, *, outcome: Outcome | None = None, why: Iterable[str] = ()) -> None:
        """Move a staged report's run into the archive and enter it; nothing where that was done before.

        Parameters
        ----------
        job
            What was made, staged in its folder.
        outcome
            How its process ended; None for one that an earlier attempt at the batch had staged.
        why
            Why it was made again, where it was published before.
        """
        folder = job.staged / RUN
        if not folder.is_dir():
            return
        facts = json.loads((job.staged / FACTS).read_bytes())
        attempt = 1 if outcome is None else outcome.attempts
        self._log(folder, facts=facts, attempt=attempt, peak_mib=None if outcome is None else outcome.peak_mib)
        before = self._stands.get((job.portfolio, job.report))
        went = {
            **facts["went"],
            "batch": f"{self.planned.snapshot.period}/{self.batch}",
            "builder": {"pmo-lib": version("pmo-lib"), "python": platform.python_version()},
            "operator": self.ledger.operator,
            "host": platform.node(),
            "attempt": attempt,
            "supersedes": place_of(before.path) if before else None,
            "reason": self._reason(before, why=why),
            "draft": bool(self._standing["dirty"]),
            "signed_by": self.ledger.key.keyid if self.ledger.key else None,
        }
        document = statement(
            {path.name: digest_of_file(path) for path in folder.iterdir() if path.name not in (LOG, *RUN_FILES)},
            asked={name: job.parameters.get(name, "") for name in ("organisation", "period", "portfolio")}
            | {"report": job.report, "overrides": dict(job.parameters["overrides"])},
            made_with={"engine": job.engine, "environment": dict(ENVIRONMENT), **facts["made_with"]},
            made_of=[*self._common, *self._own(job, facts=facts)],
            went=went,
        )
        run = keep(folder, root=self.ledger.root, statement=document, key=self.ledger.key)
        self._stands[job.portfolio, job.report] = enter_run(self.ledger, run=run, at=present())
        if (known := self._kept_results.get(self.planned.snapshot.period)) is not None:
            known.add(run.sums[f"{job.report}.json"])

    def _log(self, folder: Path, *, facts: Mapping[str, Any], attempt: int, peak_mib: float | None) -> None:
        went = facts["went"]
        lines = [
            {"event": "started", "at": went["started"], "attempt": attempt},
            {"event": "finished", "at": went["finished"], "peak_mib": peak_mib, "process": facts["process"]},
            {"event": "kept", "at": present(), "batch": self.batch},
        ]
        (folder / LOG).unlink(missing_ok=True)  # of an attempt that came so far as to make it read-only
        (folder / LOG).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def _reason(self, before: Entry | None, *, why: Iterable[str]) -> str:
        """Return why a run takes the place of another: what its operator said of the data, and what is different."""
        if before is None:
            return ""
        told = [*why] or ["it was asked for again"]
        if any(map(of_data, told)) and self.planned.snapshot.kept["reason"]:
            told.insert(0, str(self.planned.snapshot.kept["reason"]))
        return "; ".join(told)

    # --- what a run is made of --------------------------------------------------------------------------------

    @cached_property
    def _stands(self) -> dict[tuple[str, str], Entry]:
        """The entry of the last run of each report of the period."""
        runs = (one for one in self.ledger.entries if place_of(one.path))
        own = (one for one in runs if one.about["period"] == self.planned.snapshot.period)
        return {(str(one.about["portfolio"]), str(one.about["report"])): one for one in own}

    @cached_property
    def _store(self) -> Store:
        return Store(self.ledger.root / "objects")

    @cached_property
    def _standing(self) -> dict[str, Any]:
        return standing(PACKAGE.parent, self.root)

    @cached_property
    def _common(self) -> list[Dependency]:
        """Put library, parameters and notebooks, lock, packages and plotly.js; return what they are to every run."""
        snapshot = self.planned.snapshot
        source = {name: PACKAGE.parent / name for name in source_files()}
        own = self.planned.root
        inputs = {path.relative_to(own).as_posix(): path for path in sorted(own.rglob("*")) if path.is_file()}
        made = [
            Dependency("snapshot", f"snapshots/{snapshot.period}/{snapshot.id}.json", snapshot.id),
            self._manifest("source", files=source, annotations=self._standing),
            self._manifest("inputs", files=inputs),
            self._object("environment", content=canonical_json(installed(PACKAGE.parent))),
            self._object("assets", content=library().encode(), annotations={"name": asset_name()}),
        ]
        lock = PACKAGE.parent / LOCK
        return [*made, self._object("lock", content=lock.read_bytes())] if lock.is_file() else made

    def _own(self, job: Job, *, facts: Mapping[str, Any]) -> Iterable[Dependency]:
        """Yield what one run was made of: its notebook, its portfolio's own sections, what others published."""
        notebooks = self.planned.root / "notebooks"
        yield self._object("notebook", content=(notebooks / f"{job.report}.ipynb").read_bytes())
        for section in facts["sections"]:
            content = (notebooks / "sections" / f"{section}.ipynb").read_bytes()
            yield self._object(f"section:{section}", content=content)
        if facts["published"]:
            yield self._published(facts["published"])

    def _published(self, read: Mapping[str, str]) -> Dependency:
        """Put what others published, where it is not in a run of theirs."""
        for period in sorted({name.partition("/")[0] for name in read} - self._kept_results.keys()):
            self._kept_results[period] = results_kept(self.ledger.root, period=period)
        kept = set().union(*self._kept_results.values())
        every = dict(read)
        for name in (name for name, digest in read.items() if digest not in kept):
            path = self.folder / name
            for each in (path, path.with_suffix(".html")):
                if each.is_file():
                    every[each.relative_to(self.folder).as_posix()] = self._store.put(each.read_bytes())
        return self._object("published", content=canonical_json(every))

    def _manifest(
        self, name: str, *, files: Mapping[str, Path], annotations: Mapping[str, Any] | None = None
    ) -> Dependency:
        """Put files and the list of them; where the list lies there already, so do the files: they come first."""
        contents = {place: path.read_bytes() for place, path in files.items()}
        listed = canonical_json({place: digest_of(content) for place, content in contents.items()})
        if not self._store.has(digest_of(listed)):
            for content in contents.values():
                self._store.put(content)
        return self._object(name, content=listed, annotations=annotations)

    def _object(self, name: str, *, content: bytes, annotations: Mapping[str, Any] | None = None) -> Dependency:
        digest = self._store.put(content)
        return Dependency(name, object_path(digest), digest, annotations)


def source_files() -> list[str]:
    """Return the files of the library, and what declares and locks its packages, by their place below its root."""
    root = PACKAGE.parent
    own = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    beside = (root / name for name in ("pyproject.toml", LOCK))
    return sorted(path.relative_to(root).as_posix() for path in [*own, *beside] if path.is_file())


def standing(*roots: Path) -> dict[str, Any]:
    """Return the commit of the first tree, and whether any of them has changes that are not committed.

    Null where it is not known: a tree that is not under git, or no git.
    """
    told = [_git(root, "status", "--porcelain", "--", *TREES) for root in dict.fromkeys(roots)]
    known = [bool(text.strip()) for text in told if text is not None]
    commit = _git(roots[0], "rev-parse", "HEAD")
    return {"commit": commit.strip() if commit else None, "dirty": any(known) if known else None}


def _git(root: Path, *command: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - our own words, and no shell
            ["git", "-C", str(root), *command],  # noqa: S607 - whichever git the operator has
            capture_output=True,
            check=True,
            timeout=GIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")
