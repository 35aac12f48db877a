"""A run that was made again, held against the one that was kept: the verdict, and what is different where it is.

====================  =================================================================================================
IDENTICAL             page, results, notebook, findings and extracts have the same bytes
FIGURES IDENTICAL     every figure and every table is the same; another file is not: which, and where it differs first
DIFFERENT             a figure or a table is not the same: each figure old and new, each table with its rows
CANNOT                it cannot be made again from what there is: what is missing or altered, and since when
====================  =================================================================================================
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pmo_lib.archive.reading import Unusable, document_of, shown, small_file
from pmo_lib.archive.restore import MOST_OBJECT_BYTES
from pmo_lib.archive.runs import LOG, RUN_FILES
from pmo_lib.store import digest_of_file

if TYPE_CHECKING:
    from pathlib import Path

    from pmo_lib.audit.named import Kept

IDENTICAL, FIGURES, DIFFERENT, CANNOT = "IDENTICAL", "FIGURES IDENTICAL", "DIFFERENT", "CANNOT"
SHOWN_ROWS, SHOWN_CHARACTERS = 3, 60
_FOLLOWS = "page_sha256"  # in the results: it differs wherever the page does
_ID = re.compile(r'\bid="([^"]{1,80})"')


@dataclass(frozen=True)
class Change:
    """A figure that is not the same: its name, and value, unit and reason as they were and are; None: no such one."""

    name: str
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None


@dataclass(frozen=True)
class Rows:
    """A table that is not the same: how many rows it had and has, how many differ, and the first of them in words."""

    name: str
    old: int
    new: int
    differ: int
    first: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What became of a run that was made again.

    Attributes
    ----------
    run
        Its folder in the archive; as it was asked for, if it was not found.
    word
        The verdict.
    why
        What is missing, or where its files differ first.
    figures, tables
        What is not the same of what it published.
    where
        In which environment it was made again.
    machine
        What is otherwise there than it was: Python, packages, arithmetic.
    """

    run: str
    word: str
    why: tuple[str, ...] = ()
    figures: tuple[Change, ...] = ()
    tables: tuple[Rows, ...] = ()
    where: str = ""
    machine: tuple[str, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """It as JSON values."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield it as lines of text."""
        yield f"{self.word}: {self.run}" + (f" ({self.where})" if self.where else "")
        yield from (f"  {shown(each)}" for each in self.why)
        for figure in self.figures:
            yield f"  figure {shown(figure.name)}: {_figure(figure.old)} → {_figure(figure.new)}"
        for table in self.tables:
            yield f"  table {shown(table.name)}: {table.differ} rows differ ({table.old} rows → {table.new})"
            yield from (f"    {shown(each)}" for each in table.first)
        if self.word != IDENTICAL:
            yield from (f"  here: {shown(each)}" for each in self.machine)


def _figure(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return "none"
    value = f"not computable: {told.get('reason')}" if told.get("value") is None else str(told["value"])
    return shown(" ".join([value, str(told.get("unit") or "")]).strip())


def judged(kept: Kept, *, made: Path, where: str, machine: Sequence[str] = ()) -> Verdict:
    """Hold the files of a run that was made again against those that were kept, and were checked.

    Parameters
    ----------
    kept
        The run.
    made
        Folder of what was made.
    where, machine
        As in a verdict.
    """
    names = {name for name in kept.run.sums if name not in (LOG, *RUN_FILES)}
    held = {path.name: path for path in made.iterdir() if path.is_file() and not path.is_symlink()}
    differ = [name for name in sorted(names & held.keys()) if digest_of_file(held[name]) != kept.run.sums[name]]
    why = [f"{name}: was not made" for name in sorted(names - held.keys())]
    why += [f"{name}: was not there before" for name in sorted(held.keys() - names)]
    if not differ and not why:
        return Verdict(kept.place, IDENTICAL, where=where, machine=tuple(machine))
    results = f"{kept.run.report}.json"
    if results not in names & held.keys():
        return Verdict(kept.place, DIFFERENT, tuple(why), where=where, machine=tuple(machine))
    old, new = _document(kept.folder / results), _document(made / results)
    figures, tables = tuple(_figures(old, new=new)), tuple(_tables(old, new=new))
    why += [f"{name}: {_first(kept.folder / name, new=held[name])}" for name in differ]
    word = DIFFERENT if figures or tables else FIGURES
    return Verdict(kept.place, word, tuple(why), figures, tables, where, tuple(machine))


def _document(path: Path) -> dict[str, Any]:
    try:
        return document_of(small_file(path, most=MOST_OBJECT_BYTES))
    except Unusable:
        return {}


def _figures(old: Mapping[str, Any], *, new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = _named(old), _named(new)
    for name in sorted(before.keys() | after.keys()):
        if not _same(before.get(name), new=after.get(name)):
            yield Change(name, before.get(name), after.get(name))


def _named(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    rows = document.get("figures", ())
    return {str(row.get("name")): row for row in rows if isinstance(row, dict)} if isinstance(rows, list) else {}


def _same(old: Any, *, new: Any) -> bool:
    """Say whether two JSON values are written alike: 1 and 1.0 and true are not."""
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def _tables(old: Mapping[str, Any], *, new: Mapping[str, Any]) -> Iterator[Rows]:
    before, after = ({**one["tables"]} if isinstance(one.get("tables"), dict) else {} for one in (old, new))
    for name in sorted(before.keys() | after.keys()):
        if not _same(before.get(name), new=after.get(name)):
            yield _rows(name, old=before.get(name), new=after.get(name))


def _rows(name: str, *, old: Any, new: Any) -> Rows:
    (columns, before), (columns_now, after) = _unpacked(old), _unpacked(new)
    told = [] if columns == columns_now else [f"columns: {_short(columns)} → {_short(columns_now)}"]
    length = max(len(before), len(after))
    pairs = [(number, before[number : number + 1], after[number : number + 1]) for number in range(length)]
    differ = [(number, was, now) for number, was, now in pairs if not _same(was, new=now)]
    for number, was, now in differ[:SHOWN_ROWS]:
        told.append(f"row {number + 1}: {_row(columns, old=was, new=now)}")
    return Rows(name, len(before), len(after), len(differ), tuple(told))


def _unpacked(table: Any) -> tuple[list[Any], list[Any]]:
    """Return columns and rows of a table; none where it is no table."""
    parts = [table.get(part) for part in ("columns", "rows")] if isinstance(table, dict) else []
    columns, rows = [part if isinstance(part, list) else [] for part in parts] or ([], [])
    return columns, rows


def _row(columns: Sequence[Any], *, old: list[Any], new: list[Any]) -> str:
    """Return the first cell of a row that differs."""
    if not old or not new or not isinstance(old[0], list) or not isinstance(new[0], list):
        return f"{_short(old[0] if old else None)} → {_short(new[0] if new else None)}"
    for place, (was, now) in enumerate(zip(old[0], new[0], strict=False)):
        if not _same(was, new=now):
            return f"{columns[place] if place < len(columns) else place}: {_short(was)} → {_short(now)}"
    return f"{_short(old[0])} → {_short(new[0])}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _first(path: Path, *, new: Path) -> str:
    """Return where two files differ first, in words."""
    old_bytes, new_bytes = (small_file(one, most=MOST_OBJECT_BYTES) for one in (path, new))
    if path.suffix in (".json", ".ipynb"):
        try:
            before, after = (json.loads(content) for content in (old_bytes, new_bytes))
            found = next(_apart(before, new=after, where=""), None)
        except (ValueError, RecursionError):
            found = None
        if found is not None:
            return found
    return _apart_in_text(*(content.decode("utf-8", "replace") for content in (old_bytes, new_bytes)))


def _apart(old: Any, *, new: Any, where: str) -> Iterator[str]:
    """Yield every place in which two JSON values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys(), key=lambda one: (one == _FOLLOWS, one)):
            if name not in old or name not in new:
                yield f"{where}.{name}: {'is gone' if name in old else 'is new'}".removeprefix(".")
            else:
                yield from _apart(old[name], new=new[name], where=f"{where}.{name}")
    elif isinstance(old, list) and isinstance(new, list):
        for number, (was, now) in enumerate(zip(old, new, strict=False)):
            yield from _apart(was, new=now, where=f"{where}[{number}]")
        if len(old) != len(new):
            yield f"{where}: {len(old)} elements → {len(new)}".removeprefix(".")
    elif not _same(old, new=new):
        texts = isinstance(old, str) and isinstance(new, str)
        told = _apart_in_text(old, new) if texts else f"{_short(old)} → {_short(new)}"
        yield f"{where}: {told}".removeprefix(".")


def _apart_in_text(*texts: str) -> str:
    old, new = texts
    pairs = enumerate(zip(old, new, strict=False))
    at = next((place for place, (was, now) in pairs if was != now), min(len(old), len(new)))
    line = old.count("\n", 0, at) + 1
    within = _ID.findall(old, 0, at)
    part = f", in {within[-1]}" if within else ""
    start = max(0, at - SHOWN_CHARACTERS // 3)
    was, now = (text[start : start + SHOWN_CHARACTERS] for text in (old, new))
    return f"line {line}{part}: {was!r} → {now!r}"
