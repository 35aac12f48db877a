"""A run made again from the archive alone: its own library, parameters, notebooks, data and packages, and nothing else.

Code that lies in the archive is executed here and nowhere else, after every file of the run and of what it was made of
was found to be the one that record, SHA256SUMS and ledger name. The archive is only read: what the run sees are copies.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.contents import object_path
from pmo_lib.archive.disposals import disposed
from pmo_lib.archive.ledger import MANIFEST, whole_ledger
from pmo_lib.archive.reading import Unusable, document_of, shown, small_file
from pmo_lib.archive.restore import (
    READ,
    Restored,
    is_plain,
    read_list,
    read_object,
    restore_archive,
    snapshot_objects,
    unpack,
)
from pmo_lib.archive.runs import SUMS
from pmo_lib.audit.environments import Environment, fresh, here, interpreter
from pmo_lib.audit.named import kept as found_run
from pmo_lib.audit.verdicts import CANNOT, Verdict, judged
from pmo_lib.errors import PmoError, StoreError
from pmo_lib.store import canonical_json, digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from pmo_lib.archive.ledger import Entry
    from pmo_lib.audit.named import Kept

SCHEMA = "pmo-again/1"
ENTRANCE = "pmo_lib/runner/again.py"
PLACE = re.compile(r"[0-9]{4}-[0-9]{2}/(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63}/)?[a-z][a-z0-9_]{0,63}\.(?:json|html)")
# jsonschema imports it, if it can, for a format that no notebook has; its grammar takes longer than most reports. The
# batch's own processes are without it, too.
WITHOUT, SLOW = "without", "rfc3987_syntax"
VERIFY = "see what pmo verify says"


@dataclass(frozen=True)
class Way:
    """How runs are made again.

    Attributes
    ----------
    engine
        ``pmo`` or ``kernel``; empty: the one that the run was made with.
    fresh
        In a fresh environment with the packages of the run's lock, or in the one that is running.
    python
        The Python to use; empty: one of the minor version that the run was made with.
    variables
        Environment variables beyond those that the record names.
    jobs, seconds
        How many at a time, and the time limit of one.
    """

    engine: str = ""
    fresh: bool = True
    python: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    jobs: int = 1
    seconds: float = 900.0


def rerun(root: Path, *, runs: Sequence[str], way: Way, work: Path) -> Iterator[Verdict]:
    """Make runs again and yield the verdict of each, in order.

    Parameters
    ----------
    root
        The archive; it is only read.
    runs
        Each by any of its names, see :func:`pmo_lib.audit.named.place_of`.
    way
        How.
    work
        A folder for all that is laid out and made; it is left as it is then.
    """
    again = Again(root, way, work)
    with ThreadPoolExecutor(way.jobs) as several:
        yield from several.map(again.verdict, runs)


@dataclass
class Again:
    """Makes runs of one archive again; environments, copies and libraries are used by all that need the same."""

    root: Path
    way: Way
    work: Path

    def __post_init__(self) -> None:
        if self.work.resolve().is_relative_to(self.root.resolve()):
            raise StoreError(f"{self.work}: lies in the archive", fix="work in a folder outside")
        self.laying = threading.Lock()
        self.environments: dict[tuple[str, str], Environment | StoreError] = {}
        (self.work / WITHOUT).mkdir(parents=True, exist_ok=True)
        (self.work / WITHOUT / f"{SLOW}.py").write_text("raise ImportError\n", encoding="utf-8")

    def verdict(self, name: str) -> Verdict:
        """Make a run again; what keeps it from being made is a verdict, too."""
        place = name
        try:
            kept = found_run(self.root, name=name)
            place = kept.place
            with self.laying:
                laid = self._laid(kept)
            return self._made(laid)
        except (PmoError, OSError) as error:
            why = " ".join(str(error).split())[:1_000]
            return Verdict(place, CANNOT, (why, *_expired(self.root, place=place, why=why)))

    # --- before -----------------------------------------------------------------------------------------------

    def _laid(self, kept: Kept) -> Laid:
        """Lay out all that a run was made of."""
        entries = whole_ledger(self.root)
        entry = _entry(kept, entries=entries)
        folder = self.work / kept.place.rpartition("/")[2]
        number = 2
        while folder.exists():
            folder, number = folder.with_name(f"{kept.place.rpartition('/')[2]}.{number}"), number + 1
        organisation = str(kept.asked["organisation"])
        if not is_plain(organisation) or "/" in organisation:
            raise StoreError(f"its organisation is {shown(organisation[:80])!r}, which is no name", fix=VERIFY)
        restored = restore_archive(
            self.root, organisation=organisation, upto=entry.sequence - 1, into=folder / "outputs",
            pool=self.work / "pool",
        )  # fmt: skip
        _check_snapshot(kept, restored=restored)
        for one in kept.made_of("published"):
            _publish(self.root, restored=restored, listed=read_list(self.root, digest=one.sha256))
        source, inputs = (self._unpacked(kept, name=name) for name in ("source", "inputs"))
        if not (source / ENTRANCE).is_file():
            raise StoreError(f"its library is older than {ENTRANCE}", fix="make it again with that version, by hand")
        return Laid(kept, folder, source, inputs, self._environment(kept, entries=entries))

    def _unpacked(self, kept: Kept, *, name: str) -> Path:
        digest = _one(kept, name=name)
        folder = self.work / name / digest[:16]
        if not folder.exists():
            unpack(self.root, digest=digest, into=folder)
        return folder

    def _environment(self, kept: Kept, *, entries: Sequence[Entry]) -> Environment:
        if not self.way.fresh:
            return here()
        lock, minor = _one(kept, name="lock"), ".".join(str(kept.told.get("pmo_python")).split(".")[:2])
        if (lock, minor) not in self.environments:
            try:
                python = interpreter(minor, forced=self.way.python)
                folder = self.work / "environments" / f"{lock[:16]}-{python.minor}"
                made: Environment | StoreError = fresh(
                    folder, root=self.root, entries=entries, lock=lock, python=python
                )
            except StoreError as error:
                made = error
            self.environments[lock, minor] = made
        found = self.environments[lock, minor]
        if isinstance(found, StoreError):
            raise found
        return found

    # --- and then ---------------------------------------------------------------------------------------------

    def _made(self, laid: Laid) -> Verdict:
        kept, made = laid.kept, laid.folder / "made"
        job = laid.folder / "job.json"
        job.write_bytes(canonical_json(laid.job(engine=self.way.engine)))
        variables = _surroundings(laid, work=self.work) | dict(self.way.variables)
        for name in ("HOME", "TMPDIR"):
            (laid.folder / name.lower()).mkdir()
        try:
            subprocess.run(  # noqa: S603 - the archived library, which was checked
                [str(laid.environment.python), "-m", "pmo_lib.runner.again", str(job), str(made)],
                cwd=laid.source, env=variables, check=True, timeout=self.way.seconds, capture_output=True,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise StoreError(f"it was not made within {self.way.seconds:.0f} seconds", fix="allow more") from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {error.returncode}"]
            raise StoreError(f"its library did not make it: {shown(said[-1][:500])}") from error
        facts = _facts(made.with_name("facts.json"))
        return judged(kept, made=made, where=laid.environment.told, machine=_machine(kept, facts=facts))


@dataclass(frozen=True)
class Laid:
    """A run whose makings are laid out."""

    kept: Kept
    folder: Path
    source: Path
    inputs: Path
    environment: Environment

    def job(self, *, engine: str) -> dict[str, Any]:
        """Return what its library is asked for."""
        asked = self.kept.asked
        parameters = {name: asked[name] for name in ("organisation", "period", "portfolio", "overrides")}
        return {
            "schema": SCHEMA,
            "root": str(self.inputs),
            "outputs": str(self.folder / "outputs"),
            "staging": str(self.folder / "staged"),
            "report": asked["report"],
            "engine": engine or self.kept.made_with.get("engine", "pmo"),
            "parameters": parameters | {"snapshot": self.kept.run.about["snapshot"]},
        }


def _expired(root: Path, *, place: str, why: str) -> Iterator[str]:
    """Yield which entry disposed of what is missing, if one did."""
    try:
        gone = disposed(root)
    except StoreError:
        return
    for path, entry in sorted(gone.items()):
        if path in why or path.startswith(f"{place}/"):
            told = f"rule {entry.about.get('rule')}, approved by {entry.about.get('approver')}"
            yield f"{path}: expired by entry {entry.sequence} ({told})"


def _entry(kept: Kept, *, entries: Sequence[Entry]) -> Entry:
    """Return the entry that vouches for a run."""
    path = f"{kept.place}/{SUMS}"
    entry = next((one for one in reversed(entries) if one.path == path), None)
    if entry is None:
        raise StoreError(f"{path}: no entry of the ledger vouches for it, and its code is not run", fix=VERIFY)
    if entry.sha256 != kept.run.digest:
        raise StoreError(f"{path}: is not the one that entry {entry.sequence} vouches for", fix=VERIFY)
    return entry


def _one(kept: Kept, *, name: str) -> str:
    found = kept.made_of(name)
    if len(found) != 1 or found[0].uri != object_path(found[0].sha256):
        raise StoreError(f"its record names no {name}", fix="it was made without one, and cannot be made again")
    return found[0].sha256


def _check_snapshot(kept: Kept, *, restored: Restored) -> None:
    """Raise if a table of the run's snapshot, or of one before it, could not be laid out: the first is named."""
    faults = {fault.file: fault for fault in restored.faults}
    link: Any = {"period": kept.asked["period"], "id": kept.run.about["snapshot"]}
    while isinstance(link, dict):
        path = f"snapshots/{link.get('period')}/{link.get('id')}.json"
        if not MANIFEST.fullmatch(path) or not (restored.archive / path).is_file():
            told = faults.get(path)
            raise StoreError(
                f"{path}: {f'{told.what}: {told.means}' if told else 'was not entered before it'}", fix=VERIFY
            )
        manifest = document_of(small_file(restored.archive / path))
        for digest in snapshot_objects(manifest, kinds=READ):
            if (told := faults.get(object_path(digest))) is not None:
                raise StoreError(f"{told.file}: {told.what}: {told.means}; {path} names it", fix=VERIFY)
        link = manifest.get("previous")


def _publish(root: Path, *, restored: Restored, listed: Mapping[str, str]) -> None:
    """Lay out what others had published, just as the run read it: results with their pages, and states."""
    runs = {digest: (run, name) for run in restored.runs for name, digest in run.sums.items()}
    for name, digest in listed.items():
        if not PLACE.fullmatch(name):
            raise StoreError(f"what it read of others is named {shown(name[:80])!r}", fix=VERIFY)
        target = restored.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if digest not in runs:
            target.write_bytes(read_object(root, digest=digest))
            continue
        run, file = runs[digest]
        target.write_bytes(_verified(restored.archive / run.place / file, digest=digest))
        page = target.with_suffix(".html")
        if page.relative_to(restored.folder).as_posix() not in listed and f"{run.report}.html" in run.sums:
            own = restored.archive / run.place / f"{run.report}.html"
            page.write_bytes(_verified(own, digest=run.sums[own.name]))


def _verified(path: Path, *, digest: str) -> bytes:
    try:
        content = small_file(path, most=1 << 28)
    except Unusable as unusable:
        raise StoreError(f"{'/'.join(path.parts[-5:])}: {unusable.args[1]}; it was read", fix=VERIFY) from unusable
    if digest_of(content) != digest:
        raise StoreError(f"{'/'.join(path.parts[-5:])}: was altered, and it was read", fix=VERIFY)
    return content


def _surroundings(laid: Laid, *, work: Path) -> dict[str, str]:
    """Return the environment of the process: what the record names, and what a process needs."""
    recorded = laid.kept.made_with.get("environment")
    told = {str(name): str(value) for name, value in recorded.items()} if isinstance(recorded, dict) else {}
    return told | {
        "HOME": str(laid.folder / "home"),
        "PATH": f"{laid.environment.python.parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONNOUSERSITE": "1",
        "PYTHONPATH": os.pathsep.join([str(laid.source), str(work / WITHOUT)]),
        "PYTHONPYCACHEPREFIX": str(work / "bytecode"),
        "TMPDIR": str(laid.folder / "tmpdir"),
    }


def _facts(path: Path) -> dict[str, Any]:
    try:
        return document_of(small_file(path))
    except Unusable:
        return {}


def _machine(kept: Kept, *, facts: Mapping[str, Any]) -> list[str]:
    """Return what is otherwise than it was, of what may decide the last bits of a figure."""
    then, now = kept.made_with, facts.get("made_with", {})
    pairs = {
        "Python": (kept.told.get("pmo_python"), facts.get("went", {}).get("python")),
        "platform": (kept.told.get("pmo_platform"), facts.get("went", {}).get("platform")),
        "arithmetic": (then.get("numeric"), now.get("numeric")),
    }
    return [f"{name}: {_plain(old)} → {_plain(new)}" for name, (old, new) in pairs.items() if old != new]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
