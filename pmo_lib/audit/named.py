"""A run by any of its names → the run as it lies in the archive, every file of it checked against its SHA256SUMS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.disposals import disposed
from pmo_lib.archive.ledger import entry_path, whole_ledger
from pmo_lib.archive.reading import Unusable, hasher, listed
from pmo_lib.archive.restore import read_object
from pmo_lib.archive.runs import FINDINGS, SUMS, WHOLE, Run, places, read_run
from pmo_lib.archive.statement import asked_of, dependencies, made_with, metadata_of
from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.snapshots import Archive, Snapshot, open_snapshot
from pmo_lib.store import inside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pmo_lib.archive.statement import Dependency

VERIFY = "see what pmo verify says, and restore the run from a copy of the archive"


@dataclass(frozen=True)
class Kept:
    """A run of an archive, whose files were found to be those that its SHA256SUMS names."""

    root: Path
    run: Run

    @property
    def place(self) -> str:
        """Its folder in the archive."""
        return self.run.place

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self.root / self.run.place

    @property
    def archive(self) -> Archive:
        """Where it lies."""
        return Archive(self.root)

    @cached_property
    def asked(self) -> dict[str, Any]:
        """Its parameters: organisation, period, portfolio, report, overrides."""
        return asked_of(self.run.statement)

    @cached_property
    def made_with(self) -> dict[str, Any]:
        """What else decided what was made."""
        return made_with(self.run.statement)

    @cached_property
    def told(self) -> dict[str, Any]:
        """When, where, by whom and why it was."""
        return metadata_of(self.run.statement)

    @cached_property
    def results(self) -> dict[str, Any]:
        """What it published."""
        return self._document(f"{self.run.report}.json")

    @cached_property
    def findings(self) -> dict[str, Any]:
        """What intake found in the returns that it is of."""
        return self._document(FINDINGS)

    @cached_property
    def snapshot(self) -> Snapshot:
        """The snapshot that it was made from; StoreError if it is missing or altered."""
        name = str(self.run.about["snapshot"])
        return open_snapshot(self.archive, period=str(self.asked["period"]), snapshot=name)

    def made_of(self, name: str) -> list[Dependency]:
        """Return what it was made of under a name, or under names that begin with it where it ends in a colon."""
        every = dependencies(self.run.statement)
        return [one for one in every if one.name == name or (name.endswith(":") and one.name.startswith(name))]

    def listed(self, name: str) -> dict[str, str]:
        """Return the files that ``inputs``, ``source`` or ``published`` list, with their sha256; none without one."""
        return {
            str(file): str(digest)
            for one in self.made_of(name)
            for file, digest in json.loads(self.archive.store.get(one.sha256)).items()
        }

    def _document(self, name: str) -> dict[str, Any]:
        if name not in self.run.sums:
            raise StoreError(f"{self.place}: has no {name}", fix=VERIFY)
        document: dict[str, Any] = json.loads((self.folder / name).read_bytes())
        return document


def kept(root: Path, *, name: str) -> Kept:
    """Return a run by any of its names (see :func:`place_of`), after every file of it was checked.

    Raises
    ------
    ParameterError
        If no run, or more than one, has that name.
    StoreError
        If a file of it is missing, added or altered.
    """
    place = place_of(root, name=name)
    try:
        run = read_run(root, place=place)
        _check(root, run=run)
    except Unusable as unusable:
        raise StoreError(f"{place}: {unusable.args[1]}", fix=VERIFY) from unusable
    return Kept(root, run)


def place_of(root: Path, *, name: str) -> str:
    """Return the folder of the run of a name.

    Parameters
    ----------
    root
        The archive.
    name
        Its folder (``runs/2026-09/HWY/health_check-0123456789abcdef``), the last part of it, or
        ``2026-09/HWY/health_check`` for the newest run of that report; ``2026-09/portfolio_rollup`` is the
        organisation's.

    Raises
    ------
    ParameterError
        If no run, or more than one, has that name.
    """
    every = places(root)
    wanted = name.strip().strip("/").removeprefix("runs/")
    exact = [place for place in every if place == f"runs/{wanted}" or place.rpartition("/")[2] == wanted]
    if len(exact) == 1:
        return exact[0]
    if exact:
        raise _ambiguous(name, found=exact)
    parts = wanted.split("/")
    stem = "/".join((parts[0], WHOLE, parts[1]) if len(parts) == 2 else parts)
    found = [place for place in every if place.rpartition("-")[0] == f"runs/{stem}"]
    if not found:
        raise _unknown(name, every=every)
    return newest(root, found=found)


def lay_out_published(run: Kept, *, into: Path) -> None:
    """Write what other reports had published and a run read, as it read it, with their pages: a folder of outputs.

    Raises
    ------
    StoreError
        If some of it is missing or altered, or its path leads elsewhere.
    """
    read = run.listed("published")
    held = {digest: (place, name) for place, name, digest in _files_of(run.root, periods=_periods(read))}
    for name, digest in read.items():
        target = inside(into, parts=tuple(name.split("/")))
        target.parent.mkdir(parents=True, exist_ok=True)
        if digest not in held:
            target.write_bytes(read_object(run.root, digest=digest))
            continue
        place, file = held[digest]
        other = kept(run.root, name=place)
        target.write_bytes((other.folder / file).read_bytes())
        page = f"{other.run.report}.html"
        if page in other.run.sums and target.with_suffix(".html").name not in read:
            target.with_suffix(".html").write_bytes((other.folder / page).read_bytes())


def published_of(run: Kept) -> dict[str, Path]:
    """Return the results that a run read of other runs of the archive, by their sha256, each of a run that is whole."""
    read = run.listed("published")
    found = _files_of(run.root, periods=_periods(read))
    wanted = set(read.values())
    return {digest: kept(run.root, name=place).folder / name for place, name, digest in found if digest in wanted}


def _periods(names: Iterable[str]) -> list[str]:
    return sorted({name.partition("/")[0] for name in names})


def _files_of(root: Path, *, periods: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield run, name and sha256 of every results file of some periods."""
    for place in (one for period in periods for one in places(root, period=period)):
        try:
            run = read_run(root, place=place)
        except Unusable:  # then it is not the one that was read, or what was read is not there
            continue
        name = f"{run.report}.json"
        if name in run.sums:
            yield place, name, run.sums[name]


def newest(root: Path, *, found: list[str]) -> str:
    """Return the run that was entered in the ledger last; one without an entry is newer than all that have one."""
    if len(found) == 1:
        return found[0]
    entered = {entry.path: entry.sequence for entry in whole_ledger(root)}
    return max(found, key=lambda place: (entered.get(f"{place}/{SUMS}", len(entered) + 1), place))


def _check(root: Path, *, run: Run) -> None:
    """Compare every file of a run with its SHA256SUMS; Unusable if one is missing, added, altered or no file."""
    listing = listed(root, below=run.place)
    held = {path.rpartition("/")[2] for path in listing.files}
    strange = sorted({*listing.others, *listing.folders} - {run.place}) or sorted(held - {*run.sums, SUMS})
    if strange:
        raise Unusable("extra file", f"{strange[0].rpartition('/')[2]} is none of its files")
    if missing := sorted({*run.sums} - held):
        why = gone(root, path=f"{run.place}/{missing[0]}")
        raise Unusable("missing", f"{missing[0]}, which {SUMS} names, is {why}")
    digest = hasher()
    for name, wanted in sorted(run.sums.items()):
        if digest(root / run.place / name) != wanted:
            raise Unusable("altered", f"{name} is not the file that {SUMS} names: its bytes were changed")


def gone(root: Path, *, path: str) -> str:
    """Return what became of a file that is not in the archive: ``expired by ledger/000007.json``, or that it is not."""
    entry = disposed(root).get(path)
    return f"expired by {entry_path(entry.sequence)}" if entry else "not in the archive any more"


def _ambiguous(name: str, *, found: list[str]) -> ParameterError:
    return ParameterError(
        f"{name!r} names {len(found)} runs: {', '.join(found)}", fix="name one of them in full", problems=[]
    )


def _unknown(name: str, *, every: list[str]) -> ParameterError:
    stems = sorted({place.rpartition("-")[0].removeprefix("runs/") for place in every})
    near = get_close_matches(name, stems, n=3, cutoff=0.4)
    have = f"the nearest: {', '.join(near)}" if near else f"there are {len(every)} runs in the archive"
    return ParameterError(
        f"no run is named {name!r}; {have}",
        fix="name the folder of a run, its last part, or period/portfolio/report for the newest run of a report",
        problems=[],
    )
