"""One raw cell → one outcome: a typed value, a state with its reason, a fault, or nothing to read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from pmo_lib.intake import values
from pmo_lib.intake.faults import Fault
from pmo_lib.intake.values import Notation, Unreadable
from pmo_lib.sources.grid import is_blank

if TYPE_CHECKING:
    from pmo_lib.contracts.columns import Column
    from pmo_lib.parameters.mapping import Cell, Formats, StateRule
    from pmo_lib.sources.grid import Raw

Ending = Literal["blank", "typed", "stated", "faulty"]
Read = Callable[["Raw"], Any]


@dataclass(frozen=True)
class Outcome:
    """What a cell came to.

    Attributes
    ----------
    ending
        ``blank``, ``typed``, ``stated`` or ``faulty``.
    value
        The typed value; None unless ``typed``.
    state, reason, low, mid, high
        As in the table ``states``; empty for a typed or blank cell.
    faults
        What to report.
    """

    ending: Ending
    value: Any = None
    state: str = ""
    reason: str = ""
    low: str = ""
    mid: str = ""
    high: str = ""
    faults: tuple[Fault, ...] = ()


BLANK = Outcome("blank")
LIKE_NUMBERS = frozenset((bool, int, float, Decimal))
NUMERIC = ("money", "number", "share", "whole", "level")
_NUMBER_AS_TEXT = Fault(
    "number-as-text", "notice", "is a number stored as text; it was read as the number", "format the cell as a number"
)


def faulty(fault: Fault) -> Outcome:
    """Return the outcome of a cell that cannot be used: no value, state ``unreadable``."""
    return Outcome("faulty", state="unreadable", reason=fault.message, faults=(fault,))


@dataclass(frozen=True)
class Reading:
    """What the cells of a column came to.

    Attributes
    ----------
    values
        Typed value of each cell; None unless it has one.
    odd
        Position → outcome of the cells of which there is more to say: stated, faulty, or typed with a remark.
    """

    values: list[Any]
    odd: dict[int, Outcome]

    def put(self, position: int, *, outcome: Outcome) -> None:
        """Put another outcome in the place of one."""
        self.values[position], self.odd[position] = outcome.value, outcome


@dataclass
class Reader:
    """Reads the cells of one contract column as one mapping cell says; equal cells of a column are read once.

    Parameters
    ----------
    column
        The contract column.
    cell
        Where its values come from.
    formats
        How values are written.
    words
        The cell's value map, keys folded.
    own
        Whether it reads our own layout, in which a workbook should hold numbers as numbers.
    """

    column: Column
    cell: Cell
    formats: Formats
    words: dict[str, str]
    own: bool = False
    _read: Read = field(init=False)
    _states: list[tuple[re.Pattern[str], StateRule]] = field(init=False)
    _ranges: list[re.Pattern[str]] = field(init=False)

    def __post_init__(self) -> None:
        """Prepare what does not depend on the cell."""
        self._read = _reader(self.column, cell=self.cell, formats=self.formats)
        self._states = [(re.compile(rule.pattern, re.IGNORECASE), rule) for rule in self.formats.states]
        self._ranges = [re.compile(pattern, re.IGNORECASE) for pattern in self.formats.ranges]

    def read(self, raw: Raw) -> Outcome:
        """Return the outcome of one raw cell."""
        reading = self.read_all([raw])
        value = reading.values[0]
        return reading.odd.get(0) or (BLANK if value is None else Outcome("typed", value=value))

    def read_all(self, raws: Sequence[Raw], *, has_types: bool = False) -> Reading:
        """Return what the cells of a column came to.

        Parameters
        ----------
        raws
            Raw cells.
        has_types
            Whether the format that they come from tells numbers from texts.
        """
        kinds = set(map(type, raws))
        if len(kinds & LIKE_NUMBERS) > 1:  # 1, 1.0 and True are equal, and must not be taken for each other
            keys: Sequence[Any] = [(type(raw), raw) for raw in raws]
            distinct = {key: key[1] for key in keys}
        else:
            keys, distinct = raws, {raw: raw for raw in set(raws)}
        values, odd = self._read_distinct(distinct, text_only=has_types and self.own)
        strange = {n: odd[key] for n, key in enumerate(keys) if key in odd} if odd else {}
        return Reading(list(map(values.__getitem__, keys)), strange)

    def _read_distinct(
        self, distinct: Mapping[Any, Raw], *, text_only: bool
    ) -> tuple[dict[Any, Any], dict[Any, Outcome]]:
        values: dict[Any, Any] = {}
        odd: dict[Any, Outcome] = {}
        quick = self.column.kind in NUMERIC and not self.words and not self.cell.case
        for key, raw in distinct.items():
            if quick and type(raw) is float:
                try:
                    values[key] = self._read(raw)
                    continue
                except Unreadable:
                    pass
            outcome = self._fresh(raw, text_only=text_only)
            values[key] = outcome.value
            if outcome.faults or outcome.ending not in ("typed", "blank"):
                odd[key] = outcome
        return values, odd

    def _fresh(self, raw: Raw, *, text_only: bool) -> Outcome:
        if is_blank(raw):
            return BLANK
        if isinstance(raw, str):
            words = " ".join(raw.split())
            special = self._stated(words) or self._ranged(words)
            if special:
                return special
        outcome = self._valued(raw)
        if text_only and isinstance(raw, str) and outcome.ending == "typed" and self.column.kind in NUMERIC:
            return replace(outcome, faults=(*outcome.faults, _NUMBER_AS_TEXT))
        return outcome

    def _stated(self, words: str) -> Outcome | None:
        for pattern, rule in self._states:
            found = pattern.fullmatch(words)
            if found:
                reason = found.groupdict().get("reason", words)
                return Outcome("stated", state=rule.state, reason=(reason or "").strip())
        return None

    def _ranged(self, words: str) -> Outcome | None:
        """Return a range: at least two of low, mid and high, each a value of the column's kind."""
        if self.column.kind not in ("money", "number", "share", "whole", "date"):
            return None
        for pattern in self._ranges:
            found = pattern.fullmatch(words)
            parts = {name: text for name, text in found.groupdict().items() if text} if found else {}
            if len(parts) > 1:
                return self._range_of(parts, words=words)
        return None

    def _range_of(self, parts: dict[str, str], *, words: str) -> Outcome:
        try:
            ends = {name: self._read(text.strip()) for name, text in parts.items()}
        except Unreadable as error:
            return faulty(Fault(error.rule, "error", f"a part of the range {error.message}", error.fix, self.expected))
        order = [ends[name] for name in ("low", "mid", "high") if name in ends]
        late = Fault("range-order", "warning", "low, mid and high do not rise", "put them in order")
        texts = {name: end.isoformat() if isinstance(end, date) else str(end) for name, end in ends.items()}
        return Outcome("stated", state="range", reason=words, faults=() if order == sorted(order) else (late,), **texts)

    def _valued(self, raw: Raw) -> Outcome:
        given = self._translated(raw)
        if is_blank(given):
            return BLANK
        try:
            value = self._read(given)
        except Unreadable as error:
            return faulty(Fault(error.rule, "error", error.message, error.fix, self.expected))
        return Outcome("typed", value=value, faults=tuple(self._remarks(raw)))

    def _translated(self, raw: Raw) -> Raw:
        given = raw
        if self.words:
            folded = _folded(values.plain_text(raw))
            given = self.words.get(folded, raw if self.cell.otherwise is None else self.cell.otherwise)
        if self.cell.case and isinstance(given, str):
            given = given.upper() if self.cell.case == "upper" else given.lower()
        return given.strip() if isinstance(given, str) and self.column.kind in ("id", "month", "date") else given

    def _remarks(self, raw: Raw) -> list[Fault]:
        """Return what is worth saying of a cell that was read all the same."""
        kind = self.column.kind
        if isinstance(raw, str) and raw != raw.strip() and kind != "text":
            return [Fault("stray-blanks", "notice", "has blanks around it, which were dropped", "delete the blanks")]
        if kind == "id" and isinstance(raw, int | float):
            return [
                Fault("number-as-id", "warning", "is a number: leading zeros may be lost", "format the column as text")
            ]
        if kind == "date" and isinstance(raw, datetime) and raw.time() != time():
            return [Fault("time-dropped", "notice", "has a time of day, which was dropped", "enter the day alone")]
        return []

    @property
    def expected(self) -> str:
        """What a cell of this column should hold, for people."""
        return expectation(self.column, formats=self.formats, dates=self.cell.dates)


def expectation(column: Column, *, formats: Formats | None = None, dates: tuple[str, ...] = ()) -> str:
    """Return what a cell of a column should hold, for people."""
    if column.allowed:
        return "one of " + ", ".join(column.allowed)
    patterns = dates or (formats.dates if formats else ("%Y-%m-%d",))
    bounds = _bounds_in_words(column)
    return {
        "id": "an id",
        "text": "a text",
        "money": f"an amount{bounds}",
        "number": f"a number{bounds}",
        "share": f"a share{bounds}",
        "level": f"a level{bounds}",
        "whole": f"a whole number{bounds}",
        "date": "a date such as " + " or ".join(date(2026, 3, 31).strftime(pattern) for pattern in patterns),
        "month": "a month such as 2026-03",
        "flag": "yes or no",
    }.get(column.kind, "")


def _bounds_in_words(column: Column) -> str:
    match column.bounds:
        case (None, None):
            return ""
        case (low, None):
            return f" of at least {low:g}"
        case (None, high):
            return f" of at most {high:g}"
        case (low, high):
            return f" from {low:g} to {high:g}"


def unless_it_counts(outcome: Outcome, *, cell: Cell, raw: Raw, other: Raw) -> Outcome:
    """Return the outcome of a value that does not count when another column says so (see ``unless`` in the mapping)."""
    rule = cell.unless
    if rule is None or outcome.ending != "typed" or _folded(values.plain_text(raw)) != _folded(rule.value):
        return outcome
    found = re.search(rule.pattern, " ".join(values.plain_text(other).split()), re.IGNORECASE)
    if not found:
        return outcome
    return replace(outcome, ending="stated", value=None, state=rule.state, reason=f"{rule.value}: {found[0]}")


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _reader(column: Column, *, cell: Cell, formats: Formats) -> Read:
    """Return the function that reads a cell of this column's kind."""
    notation = Notation(formats.money, cell.multiplier, cell.symbols)
    dates, months = cell.dates or formats.dates, cell.dates or formats.months
    readers: dict[str, Read] = {
        "id": values.read_folder_id if column.name == "portfolio_id" else values.read_id,
        "text": values.read_text,
        "choice": lambda raw: values.read_choice(raw, allowed=column.allowed),
        "money": lambda raw: values.read_money(raw, notation=notation),
        "number": lambda raw: values.read_number(raw, notation=notation),
        "share": lambda raw: values.read_share(raw, notation=notation),
        "level": values.read_whole,
        "whole": values.read_whole,
        "date": lambda raw: values.read_date(raw, formats=dates),
        "month": lambda raw: values.read_month(raw, formats=months),
        "flag": values.read_flag,
    }
    return readers[column.kind]
