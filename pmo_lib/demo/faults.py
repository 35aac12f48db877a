"""What goes wrong in returns as they really come: kinds of fault, where each stands, and the rule that finds it.

Kinds are dealt to the returns in turn, so that every month of the whole organisation has each kind once and a larger
organisation changes no return of a smaller one. No two of them stand in one row, so that none hides another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pmo_lib.contracts.tables import TABLES
from pmo_lib.demo.catalogue import CURRENCY, LAST, UNITS, Unit
from pmo_lib.demo.months import last_day
from pmo_lib.demo.truth import stream
from pmo_lib.workbooks import Formula

if TYPE_CHECKING:
    import pandas as pd

    from pmo_lib.demo.returns import Tables
    from pmo_lib.workbooks import Instead

STRIDE = 5  # by how many portfolios the deal moves on each month; no divisor in common with their number
DAY_ZERO = date(1899, 12, 30)  # serial number 0 of a spreadsheet
HEADER = 0
Rows = Callable[["pd.DataFrame"], "pd.Series"]


class Found(NamedTuple):
    """Where a rule speaks: row of the sheet from 0 (None: of no row) and column (None: of no cell)."""

    rule: str
    row: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Planted:
    """One fault in one return: what is written instead, and what is to be found."""

    fault: Fault
    cells: Instead
    found: tuple[Found, ...]


class How(Protocol):
    """What puts a fault into a sheet, at the place of a row among its rows."""

    def __call__(self, fault: Fault, *, rows: pd.DataFrame, place: int) -> Planted:
        """Return what is to be written and found."""


def _in_a_cell(fault: Fault, *, rows: pd.DataFrame, place: int) -> Planted:
    """Write something else into the cell of one row."""
    row = place + 1
    written = fault.put(_plain(rows[fault.column].iloc[place]))
    found = (Found(fault.rule, row, _index(fault.table, column=fault.at or fault.column)), *map(Found, fault.also))
    return Planted(fault, {(row, _index(fault.table, column=fault.column)): written}, found)


def _as_a_column(fault: Fault, *, rows: pd.DataFrame, place: int) -> Planted:
    """Add a column that nobody asked for, filled down to a row."""
    at = len(TABLES[fault.table].columns) - 1  # the source of a row is not in the sheet
    cells: Instead = {(HEADER, at): fault.column}
    cells.update({(row, at): "green" for row in range(1, place + 2)})
    return Planted(fault, cells, (Found(fault.rule, HEADER, at),))


def _as_a_total(fault: Fault, *, rows: pd.DataFrame, place: int) -> Planted:
    """Add a sum below the rows: it names no project, and lacks nearly everything else that a row must say."""
    row, table = len(rows) + 1, TABLES[fault.table]
    told = {"portfolio_id": rows["portfolio_id"].iloc[place], "project_id": "Total", "currency": CURRENCY}
    told[fault.column] = fault.put(rows[fault.column].sum())
    lacks = [column.name for column in table.columns if column.need in ("key", "cell") and column.name not in told]
    found = [
        (fault.rule, "project_id"),
        ("unknown-project", "project_id"),
        *(("value-missing", name) for name in lacks),
    ]
    cells: Instead = {(row, _index(fault.table, column=name)): value for name, value in told.items()}
    return Planted(fault, cells, tuple(Found(rule, row, _index(fault.table, column=name)) for rule, name in found))


def _twice(fault: Fault, *, rows: pd.DataFrame, place: int) -> Planted:
    """Repeat a row below the others, with another text: both are named."""
    again = len(rows) + 1
    values = {name: _plain(rows[name].iloc[place]) for name in TABLES[fault.table].names[:-1]}
    values[fault.column] = fault.put(values[fault.column])
    cells: Instead = {
        (again, _index(fault.table, column=name)): value for name, value in values.items() if value is not None
    }
    return Planted(fault, cells, tuple(Found(fault.rule, row) for row in (place + 1, again)))


def _late_start(fault: Fault, *, rows: pd.DataFrame, place: int) -> Planted:
    """Forecast the start for some days after the finish."""
    start = _index(fault.table, column="start_forecast_on")
    written = fault.put(_plain(rows[fault.column].iloc[place]))
    found = Found(fault.rule, place + 1, _index(fault.table, column=fault.column))
    return Planted(fault, {(place + 1, start): written}, (found,))


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Parameters
    ----------
    kind
        What a portfolio office would call it.
    table, column
        Where it stands.
    rule
        What finds it.
    put
        From the value that stood there to what is written; dates come as :class:`datetime.date`.
    where
        Rows in which it can stand; every row with a value unless told.
    at
        Column at which the rule speaks, where it is another one.
    how
        How it gets into the sheet: into a cell unless told.
    also
        Rules that follow from it and speak of no row.
    only
        Portfolio and month of the only return that has it; dealt in turn unless told.
    often
        Whether every return has it.
    """

    kind: str
    table: str
    column: str
    rule: str
    put: Callable[[Any], object] = str
    where: Rows | None = None
    at: str = ""
    how: How = _in_a_cell
    also: tuple[str, ...] = ()
    only: tuple[str, int] | None = None
    often: bool = False


def _always(value: object) -> Callable[[Any], object]:
    return lambda _: value


def _days(later: int) -> Callable[[date], date]:
    return lambda day: day + timedelta(days=later)


def _continental(amount: float) -> str:
    """Return an amount as it is written on the continent: ``1.234,56``."""
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))


def _live(rows: pd.DataFrame) -> pd.Series:
    return rows["status"].isin(("open", "escalated"))


def _commitment(rows: pd.DataFrame) -> pd.Series:
    return rows["measure"] == "commitment"


def _of_baseline(rows: pd.DataFrame) -> Any:
    return rows.groupby(["project_id", "baseline_version"], sort=False)["planned_value"]


def _manager(rows: pd.DataFrame) -> pd.Series:
    return rows["assessor_role"] == "PM"


FAULTS: tuple[Fault, ...] = (
    # Numbers
    Fault("decimal comma", "projects", "contingency_approved", "number-format", _continental),
    Fault("thousand or fraction", "risks", "response_cost", "ambiguous-number", _always("12.500")),
    Fault("word for a number", "decisions", "cost_of_delay", "number", _always("tbc")),
    Fault("withheld in own words", "projects", "benefits_forecast", "number", _always("commercially sensitive")),
    Fault("error cell", "earned_value", "planned_value", "error-cell", _always(Formula("=Plan!B7", "#REF!"))),
    Fault("formula without a value", "earned_value", "actual_cost", "error-cell", _always(Formula("=SUM(H2:H9)", ""))),
    Fault("negative budget", "projects", "budget_at_completion", "below", lambda amount: -amount),
    Fault("per cent for a share", "risks", "probability", "above", _always(30), where=_live),
    Fault("more than all done", "status", "percent_complete", "above", _always(1.35), where=_manager),
    Fault("impossible level", "risks", "current_impact_level", "above", _always(7), where=_live),
    Fault("half a condition", "gates", "conditions", "whole", _always(2.5)),
    Fault("estimate out of order", "risks", "days_impact_low", "points-out-of-order", lambda days: 9 * days + 9,
          where=lambda rows: _live(rows) & rows["days_impact_low"].notna(), at="days_impact_likely"),
    Fault("range out of order", "decisions", "amount", "range-order",
          _always("Low: 90000, Mid: 50000, High: 70000")),
    # Dates
    Fault("serial number for a date", "milestones", "forecast_on", "serial-date", lambda day: (day - DAY_ZERO).days),
    Fault("date in words", "actions", "due_on", "date", _always("mid-March")),
    Fault("date in another order", "gates", "planned_on", "date", lambda day: f"{day:%d/%m/%Y}"),
    Fault("forecast that is over", "milestones", "forecast_on", "forecast-in-past", _days(-1500),
          where=lambda rows: rows["actual_on"].isna()),
    Fault("actual to come", "actions", "done_on", "fact-in-future", _days(365),
          where=lambda rows: (rows["status_date"] - rows["done_on"]).dt.days.lt(300)),
    Fault("end before the beginning", "issues", "resolved_on", "ended-before-raised", _days(-1500)),
    Fault("closed without a day", "risks", "closed_on", "closed-without-date", _always(None),
          where=lambda rows: rows["status"] == "closed"),
    Fault("met without a baseline", "milestones", "baseline_on", "actual-without-baseline", _always(None),
          where=lambda rows: rows["actual_on"].notna()),
    Fault("year mistyped", "artefacts", "review_due_on", "implausible-date", lambda day: day.replace(year=2926, day=1)),
    Fault("time of day", "issues", "raised_on", "time-dropped", lambda day: datetime.combine(day, time(14, 30))),
    Fault("start after finish", "projects", "finish_forecast_on", "start-after-finish", _days(20),
          how=_late_start),
    Fault("row of last month", "narratives", "status_date", "wrong-period",
          lambda day: last_day(day.year * 12 + day.month - 2)),
    # Words
    Fault("blanks around a word", "status", "rating", "stray-blanks", lambda word: f" {word.title()} "),
    Fault("word not on the list", "risks", "response", "not-allowed", _always("mitigate"), where=_live),
    Fault("rating off the scale", "status", "rating", "rating-off-scale", _always("amber/red"), where=_manager),
    Fault("neither yes nor no", "dependencies", "agreed_by_recipient", "flag", _always("to be confirmed")),
    Fault("risk without an owner", "risks", "owner", "risk-without-owner", _always(None), where=_live, often=True),
    Fault("currency sign", "finance", "currency", "currency", _always("£"), where=_commitment),
    Fault("currency without a rate", "decisions", "currency", "no-rate", _always("USD")),
    Fault("money without a currency", "changes", "currency", "money-without-currency", _always(None)),
    Fault("another price base", "projects", "price_base", "mixed-price-bases", _always("real 2024/25"),
          only=("regeneration", LAST - 8)),
    # Ids and references
    Fault("blank in an id", "issues", "risk_id", "id", lambda name: name.replace("-", " ")),
    Fault("number for an id", "decisions", "decision_id", "number-as-id", _always(20261)),
    Fault("unknown project", "milestones", "project_id", "unknown-project", lambda name: f"{name}B"),
    Fault("unknown portfolio", "dependencies", "portfolio_id", "unknown-portfolio", lambda name: f"{name}-old",
          also=("quarantine-limit",), only=("housing", LAST - 5)),
    Fault("unknown unit above", "portfolios", "parent_id", "unknown-parent", lambda name: f"{name}s",
          where=lambda rows: rows["level"] == "portfolio", only=("customer", LAST - 10)),
    Fault("unknown programme", "projects", "programme_id", "unknown-programme", _always("PRG-OLD")),
    Fault("unknown risk", "issues", "risk_id", "unknown-risk", _always("R-999")),
    Fault("unknown change", "reserves", "change_id", "unknown-change", _always("C-999")),
    Fault("nobody's money", "finance", "project_id", "no-owner", _always(None), where=_commitment),
    Fault("dependency of one side", "dependencies", "agreed_by_provider", "one-sided-dependency", _always(None)),
    # Rows and columns
    Fault("cumulative plan that falls", "earned_value", "planned_value", "plan-falls", lambda value: value / 2,
          where=lambda rows: rows["planned_value"].eq(_of_baseline(rows).transform("max"))),
    Fault("required cell blank", "milestones", "name", "value-missing", _always(None)),
    Fault("unknown column", "status", "RAG last month", "unknown-column", how=_as_a_column, where=_manager),
    Fault("total among the rows", "finance", "amount", "total-row", float, how=_as_a_total),
    Fault("row twice", "issues", "title", "duplicate-key", lambda title: f"{title} (copy)", how=_twice,
          only=("finance", LAST - 7)),
)  # fmt: skip


def faults_of(tables: Tables, *, unit: Unit, month: int, seed: int) -> Iterator[Planted]:
    """Yield what is planted in one return, in the order of :data:`FAULTS`; what has no place there is left out."""
    taken: set[tuple[str, int]] = set()
    for number, fault in enumerate(FAULTS):
        rows = tables.get(fault.table)
        if rows is None or not _dealt(fault, number=number, unit=unit, month=month):
            continue
        free = [place for place in _places(fault, rows=rows) if (fault.table, place) not in taken]
        if free:
            rng = stream(seed, unit.id, month, fault.kind)
            place = free[int(rng.integers(len(free)))]
            taken.add((fault.table, place))
            yield fault.how(fault, rows=rows, place=place)


def _dealt(fault: Fault, *, number: int, unit: Unit, month: int) -> bool:
    if fault.only is not None:
        return fault.only == (unit.id, month)
    return fault.often or (number + STRIDE * (LAST - month)) % len(UNITS) == UNITS.index(unit)


def _places(fault: Fault, *, rows: pd.DataFrame) -> list[int]:
    held = fault.where(rows) if fault.where is not None else rows[fault.column].notna()
    return [place for place, holds in enumerate(held) if holds]


def _index(table: str, *, column: str) -> int:
    return TABLES[table].names.index(column)


def _plain(value: Any) -> Any:
    """Return a value of a table as Python has it; None for a missing one."""
    if value is None or value != value:  # noqa: PLR0124 (a missing value is not equal to itself)
        return None
    return value.date() if isinstance(value, datetime) else value
