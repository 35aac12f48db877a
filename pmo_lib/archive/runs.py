"""A run: one report as it was published, in a folder of its own that says how it was made and never changes.

::

    runs/<period>/<portfolio, or _whole>/<report>-<16 digits>/
        <report>.html          the page, byte for byte as it was published
        <report>.json          its results
        <report>.ipynb         the executed notebook, without anything that two runs would write differently
        findings.json          what intake found in the returns, with the rows that could not be used
        extract~<name>         of a roll-up: its files for other programs
        log.jsonl              how the run went
        run.json               the run record (:mod:`pmo_lib.archive.statement`); its sha256 gives the folder's digits
        run.dsse.json          the same, signed, where a key was configured
        SHA256SUMS             all of them; ``sha256sum -c SHA256SUMS`` checks the folder, the ledger names this file

What the run was made of lies in the store and in ``snapshots/``: the record names it by sha256.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.ledger import is_canonical, is_digest
from pmo_lib.archive.reading import Unusable, document_of, small_file
from pmo_lib.archive.signing import STATEMENT, SigningKey, envelope
from pmo_lib.archive.statement import is_statement, told_of_run
from pmo_lib.errors import StoreError
from pmo_lib.store import canonical_json, digest_of, digest_of_file, inside, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

SUMS, RECORD, ENVELOPE, LOG, FINDINGS = "SHA256SUMS", "run.json", "run.dsse.json", "log.jsonl", "findings.json"
RUN_FILES = (SUMS, RECORD, ENVELOPE)
WHOLE = "_whole"  # where the organisation's own runs lie: no portfolio has such an id
FOLDERS = re.compile(
    r"runs/([0-9]{4}-(?:0[1-9]|1[0-2]))/(_whole|[A-Za-z0-9][A-Za-z0-9._-]{0,63})/([a-z][a-z0-9_]{0,63})-([0-9a-f]{16})"
)
MOST_FILE_BYTES = 1 << 30
PARTS = {".html": "page", ".json": "results", ".ipynb": "executed notebook"}  # of a report, by the end of their name
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._~-]{0,120}")
LINE = re.compile(r"([0-9a-f]{64})  (" + NAME.pattern + ")")


@dataclass(frozen=True)
class Run:
    """A run as it was read: its place in an archive, the sha256 of its SHA256SUMS, and what record and sums say."""

    root: Path
    place: str
    digest: str
    sums: dict[str, str]
    statement: dict[str, Any]

    def read(self, name: str) -> bytes:
        """Return one of its files; Unusable if it is missing or altered."""
        if name not in self.sums:
            raise Unusable("missing", f"{self.place} has no {name}")
        content = small_file(self.root / self.place / name, most=MOST_FILE_BYTES)
        if digest_of(content) != self.sums[name]:
            raise Unusable("altered", f"{self.place}/{name} is not what {SUMS} says")
        return content

    @cached_property
    def about(self) -> dict[str, Any]:
        """What a ledger entry repeats of it: period, portfolio, report, snapshot, supersedes, reason, draft."""
        return told_of_run(self.statement)

    @property
    def report(self) -> str:
        """Its report."""
        return str(self.about["report"])


def places(root: Path, *, period: str = "*") -> list[str]:
    """Return the folders of all runs, or of those of a period, in order."""
    found = (path.relative_to(root).as_posix() for path in root.glob(f"runs/{period}/*/*"))
    return sorted(place for place in found if FOLDERS.fullmatch(place))


def place_of(sums: str) -> str:
    """Return the folder of a run whose SHA256SUMS has this path; "" if it is none."""
    place, _, name = sums.rpartition("/")
    return place if name == SUMS and FOLDERS.fullmatch(place) else ""


def told_run(place: str) -> str:
    """Name a run for people, by its folder."""
    found = FOLDERS.fullmatch(place)
    if found is None:
        return place
    period, portfolio, report, digits = found.groups()
    return f"run {report} {period}{'' if portfolio == WHOLE else f' {portfolio}'} {digits[:12]}"


def told_file(place: str, *, name: str) -> str:
    """Say what a file of a run is to it."""
    report = place.rpartition("/")[2].rpartition("-")[0]
    ours = {SUMS: "sums", RECORD: "record", ENVELOPE: "signed record", LOG: "log", FINDINGS: "findings"}
    of_report = {f"{report}{end}": part for end, part in PARTS.items()}
    return f"the {(ours | of_report).get(name, f'file {name}')} of {told_run(place)}"


def read_run(root: Path, *, place: str) -> Run:
    """Read record and sums of a run; Unusable if they do not belong together. Its other files are not looked at."""
    digest, sums = read_sums(root, place=place)
    record, document = read_record(root, place=place)
    if sums.get(RECORD) != record:
        raise Unusable("altered", f"{RECORD} is not the one that {SUMS} speaks of")
    return Run(root, place, digest, sums, document)


def read_sums(root: Path, *, place: str) -> tuple[str, dict[str, str]]:
    """Read the sums of a run alone: the sha256 of their file, and those that stand in it; Unusable if it holds none."""
    content = small_file(root / place / SUMS)
    return digest_of(content), _sums(content)


def read_record(root: Path, *, place: str) -> tuple[str, dict[str, Any]]:
    """Read the record of a run alone: its sha256 and the statement; Unusable if it is not the one of this folder."""
    found = FOLDERS.fullmatch(place)
    if found is None:
        raise Unusable("wrong name", "no run has such a folder")
    record = small_file(root / place / RECORD)
    if not digest_of(record).startswith(found[4]):
        raise Unusable("altered", "it is not the record whose digits the folder has: altered, or the folder renamed")
    document = document_of(record)
    if not is_statement(document) or not is_canonical(document, content=record):
        raise Unusable("not ours", f"{RECORD} is not a statement as a run writes it")
    about = told_of_run(document)
    if [about["period"], about["portfolio"] or WHOLE, about["report"]] != [found[1], found[2], found[3]]:
        raise Unusable("wrong name", "its record speaks of another run: it was moved or copied here")
    return digest_of(record), document


def _sums(content: bytes) -> dict[str, str]:
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError as error:
        raise Unusable("altered", "it is not a list of sha256 sums") from error
    lines = [LINE.fullmatch(line) for line in text.removesuffix("\n").split("\n")]
    sums = {line[2]: line[1] for line in lines if line}
    if not text.endswith("\n") or len(sums) != len(lines) or _written(sums) != content:
        raise Unusable("altered", "it is not a list of sha256 sums as a run writes it")
    return sums


def _written(sums: dict[str, str]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode()


def complete(folder: Path, *, statement: dict[str, Any], key: SigningKey | None) -> str:
    """Write record, envelope and sums into the folder of a run that holds all its other files; return its last name.

    Doing it twice, after the first was cut off, does no harm.
    """
    record = canonical_json(statement)
    files = {RECORD: record} | ({ENVELOPE: envelope(record, kind=STATEMENT, key=key)} if key else {})
    for name in (RECORD, ENVELOPE, SUMS):
        (folder / name).unlink(missing_ok=True)
    for name, content in files.items():
        _write(folder / name, content=content)
    sums = {path.name: digest_of_file(path) for path in folder.iterdir()}
    if strange := [name for name in sums if not NAME.fullmatch(name)]:
        raise StoreError(f"a run cannot keep a file named {strange[0]!r}", fix="give it a plain name")
    _write(folder / SUMS, content=_written(sums))
    for path in folder.iterdir():
        path.chmod(0o444)
    sync_folder(folder)
    return f"{told_of_run(statement)['report']}-{digest_of(record)[:16]}"


def _write(path: Path, *, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def keep(folder: Path, *, root: Path, statement: dict[str, Any], key: SigningKey | None) -> Run:
    """Complete the folder of a run and move it into the archive by one rename; return it. Objects come first."""
    name, about = complete(folder, statement=statement, key=key), told_of_run(statement)
    parts = ("runs", str(about["period"]), str(about["portfolio"] or WHOLE), name)
    target = inside(root, parts=parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():  # the same record: an attempt that was cut off kept it
        shutil.rmtree(folder)
    else:
        folder.replace(target)
    sync_folder(target.parent)
    return read_run(root, place="/".join(parts))


def results_kept(root: Path, *, period: str) -> set[str]:
    """Return the sha256 of the results of all runs of a period; StoreError if the sums of one cannot be read."""
    found = set()
    for place in places(root, period=period):
        try:
            _, sums = read_sums(root, place=place)
        except Unusable as unusable:
            raise StoreError(f"{place}/{SUMS}: {unusable.args[1]}", fix="see what pmo verify says") from unusable
        report = place.rpartition("/")[2].rpartition("-")[0]
        found.add(sums.get(f"{report}.json", ""))
    return {digest for digest in found if is_digest(digest)}
