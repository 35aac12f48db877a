"""Figures that explain themselves: what each is, how it is made, and from which rows; nothing is published unexplained.

A named figure picks its own rows out of the contract tables (``select``) and makes its value from these rows alone
(``compute``). What the report shows was computed by the metrics, a second way: where the two differ, the report is
refused, so that a figure and its explanation cannot drift apart. Every row that is named is one that counts: without it
the value, or the number ``n`` of facts behind it, would be another.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import pairwise
from math import isclose
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.errors import ReportError
from pmo_lib.theme import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pmo_lib.metrics.movement import Between
    from pmo_lib.parameters.models import Organisation

Rows = dict[str, pd.DataFrame]  # contract table → rows, with the month of their return in front
COUNT = "a count; never below 0"
COST = "positive is cost"
OWN_RULE = "definition of this report"
STATES = "states"
REFERENCE = re.compile(r"(?P<place>.*), row (?P<row>\d+)")
STAMPS = ("return_month", "period")  # the first column of these tells the month of the return


@dataclass(frozen=True)
class Given:
    """What is known besides rows: the report, its settings, and numbers that are the same for all its figures."""

    between: Between
    settings: Organisation
    status_on: pd.Timestamp
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """A value made from rows: ``n`` facts are in it; ``terms`` are the numbers (or words) of its formula."""

    value: float | None
    n: int
    terms: Mapping[str, Any]


@dataclass(frozen=True)
class NamedFigure:
    """What a figure is, and how it is made.

    Attributes
    ----------
    name
        As published.
    definition, sign, source
        What it says; what its sign says; where the formula is from: a standard, a paper, or this report.
    formula
        With its terms in braces: ``{earned value} ÷ {actual cost}``.
    needs
        The contract tables that are looked at.
    select
        Picks the rows that are used.
    compute
        Makes the value from such rows, or from what ``prepare`` makes of them.
    prepare
        What has to be made of rows first, where that is dear. A report makes it once, of the rows of all figures that
        share it; an auditor for each figure, of its own rows alone.
    label
        What it is called on a page where its name does not tell, such as by a rater's own initials.
    """

    name: str
    definition: str
    formula: str
    sign: str
    source: str
    needs: tuple[str, ...]
    select: Callable[..., Rows]
    compute: Callable[..., Measured]
    prepare: Callable[..., Any] | None = None
    label: str = ""

    def make(self, rows: Rows, *, given: Given) -> Measured:
        """Make the value from these rows and from nothing else."""
        return self.compute(rows if self.prepare is None else self.prepare(rows, given=given), given=given)

    @property
    def words(self) -> str:
        """The formula, its terms in words."""
        return self.formula.replace("{", "").replace("}", "")


@dataclass(frozen=True)
class Explanation:
    """All that is told of one published figure; ``rows`` as :func:`places` has them."""

    name: str
    label: str
    value: float | None
    unit: str
    reason: str
    definition: str
    formula: str
    worked: str
    sign: str
    source: str
    n: int
    looked_at: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]

    @property
    def document(self) -> dict[str, Any]:
        """As it is published."""
        return {**asdict(self), "looked_at": list(self.looked_at), "rows": list(self.rows)}


@dataclass(frozen=True, eq=False)
class About:
    """What the figures of a report are about: a portfolio, its two reports, and the contract tables over time.

    A report has a class of its own below this one, with :attr:`named`.

    Attributes
    ----------
    terms
        What a report knows besides rows: as the metrics of that report take it.
    case
        The metric that made the figures, where it is at hand: what it knows is not computed again.
    """

    read: Callable[[str], pd.DataFrame]
    between: Between
    settings: Organisation
    status_on: pd.Timestamp
    terms: Mapping[str, Any] = field(default_factory=dict)
    case: Any = None
    opened: dict[str, tuple[pd.DataFrame, pd.Series]] = field(default_factory=dict)
    prepared: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def named(self) -> Mapping[str, NamedFigure]:
        """The figures by name; those that are named by the data (raters) as the data has them."""
        return {}

    @cached_property
    def given(self) -> Given:
        """What the figures may know besides rows."""
        return Given(self.between, self.settings, self.status_on)

    def now(self, table: str) -> pd.DataFrame:
        """Return our rows of this report."""
        return self.between.now(self.history(table))

    def rows_at(self, table: str, *, places: Iterable[tuple[Any, Any]]) -> pd.DataFrame:
        """Return the rows of a table that stand at these places: month of the return, and ``source_ref``."""
        rows, keys = self._open(table)
        return rows[keys.isin({f"{period}|{reference}" for period, reference in places})]

    def history(self, table: str) -> pd.DataFrame:
        """Return a contract table over the periods; it is read once."""
        return self._open(table)[0]

    def _open(self, table: str) -> tuple[pd.DataFrame, pd.Series]:
        if table not in self.opened:
            rows = self.read(table)
            self.opened[table] = rows, rows[_stamp(rows)] + "|" + rows["source_ref"].fillna("")
        return self.opened[table]


def explained(figure: Mapping[Any, Any], *, about: About) -> Explanation | None:
    """Return the explanation of a published figure; None where the report has no definition of it.

    Parameters
    ----------
    figure
        ``name, value, unit, reason``, optionally ``label``.

    Raises
    ------
    ReportError
        If the rows that are named do not give the value that is published.
    """
    named = about.named.get(str(figure["name"]))
    if named is None:
        return None
    value = None if pd.isna(figure["value"]) else float(figure["value"])
    rows = picked(named, about=about)
    if named.prepare is None:
        made = named.compute(rows, given=about.given)
    else:
        made = named.compute(_prepared(named.prepare, about=about), given=about.given)
    _must_agree(named.name, published=value, made=made.value)
    unit = str(figure["unit"] or "")
    told = {
        "label": str(figure.get("label") or named.label or named.name.replace("_", " ")), "unit": unit,
        "reason": "" if value is not None else str(figure["reason"]),
        "worked": "" if value is None else worked(named.formula, made=made, unit=unit),
    }  # fmt: skip
    said = {"definition": named.definition, "formula": named.words, "sign": named.sign, "source": named.source}
    where = tuple(place for table in sorted(rows) if table != STATES for place in places(rows[table], table=table))
    return Explanation(name=named.name, value=value, n=made.n, looked_at=named.needs, rows=where, **told, **said)


def _prepared(prepare: Callable[..., Any], *, about: About) -> Any:
    """Prepare the rows of all figures that share ``prepare``, once."""
    if prepare not in about.prepared:
        parts = [picked(each, about=about) for each in about.named.values() if each.prepare is prepare]
        rows = {name: each.sort_index() for name, each in together(*parts).items()}
        about.prepared[prepare] = prepare(rows, given=about.given)
    return about.prepared[prepare]


def together(*parts: Rows) -> Rows:
    """Return the rows of several figures, each row once."""
    names = dict.fromkeys(name for part in parts for name in part)
    joined = {name: pd.concat([part[name] for part in parts if name in part]) for name in names}
    return {name: rows[~rows.index.duplicated()] for name, rows in joined.items()}


def picked(named: NamedFigure, *, about: About, places: Iterable[tuple[str, str, str]] | None = None) -> Rows:
    """Return the rows that a figure uses, each table that it looks at among them, with the states of their cells.

    Parameters
    ----------
    places
        Table, month of the return and ``source_ref`` of each row, as they were published; None: as the figure selects.
    """
    if places is None:
        rows = named.select()
    else:
        told = list(places)
        names = sorted({table for table, _, _ in told})
        rows = {name: about.rows_at(name, places=[(p, ref) for t, p, ref in told if t == name]) for name in names}
    rows = {name: rows[name] if name in rows else about.history(name).iloc[:0] for name in named.needs}
    found = {(period, ref) for each in rows.values() for period, ref in each[[_stamp(each), "source_ref"]].to_numpy()}
    return {**rows, STATES: about.rows_at(STATES, places=found)}


def places(rows: pd.DataFrame, *, table: str) -> list[dict[str, Any]]:
    """Return where rows stand: ``table, period, place`` (file and sheet), ``rows`` (``4–19, 23``) and their number.

    ``rows`` is empty where a place has no row numbers: then ``place`` is the whole reference.
    """
    stamp = _stamp(rows)
    marks: dict[tuple[str, str], set[int]] = {}
    for period, reference in rows[[stamp, "source_ref"]].drop_duplicates().to_numpy():
        found = REFERENCE.fullmatch(str(reference))
        place, row = (found["place"], int(found["row"])) if found else (str(reference), 0)
        marks.setdefault((str(period), place), set()).add(row)
    return [
        {"table": table, "period": period, "place": place, "rows": ranges(rows - {0}), "count": len(rows)}
        for (period, place), rows in sorted(marks.items(), key=lambda item: (item[0][0], item[0][1]), reverse=False)
    ]


def ranges(numbers: Iterable[int]) -> str:
    """Write whole numbers in order, runs of them as ``4–19``."""
    ordered = sorted(numbers)
    ends = [0, *(at for at, (low, high) in enumerate(pairwise(ordered), 1) if high != low + 1), len(ordered)]
    runs = [ordered[start:stop] for start, stop in pairwise(ends) if start < stop]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def references(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return table, month of the return and ``source_ref`` of every row that :func:`places` wrote."""
    found: list[tuple[str, str, str]] = []
    for place in rows:
        for run in str(place["rows"]).split(", "):
            low, _, high = run.partition("–")
            numbers = range(int(low), int(high or low) + 1) if low else ()
            told = [f"{place['place']}, row {row}" for row in numbers] or [str(place["place"])]
            found.extend((str(place["table"]), str(place["period"]), reference) for reference in told)
    return found


def worked(formula: str, *, made: Measured, unit: str) -> str:
    """Return a formula with the numbers put in, and what comes out."""
    numbers = {name: term if isinstance(term, str) else plain(term) for name, term in made.terms.items()}
    written = formula
    for name, term in numbers.items():
        written = written.replace(f"{{{name}}}", term)
    return f"{written} = {'not computable' if made.value is None else united(made.value, unit=unit)}"


def plain(value: float) -> str:
    """Write a number in full: money to the penny, an index to six decimals, a count without any; no idle zeros."""
    value = float(value)
    if abs(value) >= 1000 and value != round(value):
        return number(value, decimals=2)
    written = number(value, decimals=6)
    return written.rstrip("0").rstrip(".")


def united(value: float, *, unit: str) -> str:
    """Write a number in full with its unit: ``1 project``, ``179.6 days``; a ratio or a share has none."""
    if unit in ("", "ratio", "share"):
        return plain(value)
    return f"{plain(value)} {unit.removesuffix('s') if value == 1 and unit.islower() else unit}"


def added(values: Iterable[float]) -> str:
    """Write a sum out: ``1,000 − 20 + 3``; nothing to add is 0."""
    first, *rest = list(values) or [0.0]
    return plain(first) + "".join(f" {'−' if value < 0 else '+'} {plain(abs(value))}" for value in rest)


def counted(table: str, *, where: Callable[..., pd.Series] | None = None, of: str = "") -> Any:
    """Return a ``compute`` that counts the rows of a table that pass, or the different values of a column in them."""

    def compute(rows: Rows, *, given: Given) -> Measured:
        passed = rows[table] if where is None else rows[table][where(rows[table], given=given)]
        n = passed[of].nunique() if of else len(passed)
        return Measured(float(n), len(passed), {"number of them": n})

    return compute


def _must_agree(name: str, *, published: float | None, made: float | None) -> None:
    """Compare what is published with what the named rows give; a figure without a value is not compared."""
    if published is None or (made is not None and isclose(published, made, rel_tol=1e-9, abs_tol=5e-6)):
        return
    raise ReportError(
        f"figure {name}: {published!r} is to be published, but its rows give {made!r}",
        fix="do not publish: mend the figure's rows or rule in its explanation",
        stage="notebook",
    )


def _stamp(rows: pd.DataFrame) -> str:
    """Name of the column with the month of the return."""
    return next(name for name in rows.columns if name in STAMPS)
