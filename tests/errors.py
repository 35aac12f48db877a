"""Sound workbooks of the invented organisation, and seeded errors in them with the cells where they must be found."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter

from pmo_lib.contracts.tables import TABLES
from pmo_lib.demo import Size, organisation_tables
from pmo_lib.sources.grid import cell_name

PERIOD, DAY = "2026-09", datetime(2026, 9, 30)  # noqa: DTZ001 (a cell of a workbook has no zone)
SIZE = Size(periods=1, portfolios=8, projects=9)
PLACES = 40
Row = dict[str, Any]
Books = dict[str, dict[str, list[Row]]]
# File, sheet, row, cell, rule.
Expected = tuple[str, str, int, str, str]


class Broken(str):
    """A formula: with the error that it came to, or without any value."""


def sound_books() -> Books:
    """Return portfolio → table → rows of plain cells; a withheld amount is a blank one."""
    books: Books = {}
    for (_, portfolio), tables in organisation_tables(SIZE).items():
        books[portfolio] = {}
        for name, rows in tables.items():
            if name == "states":  # has no sheet
                continue
            plain = rows.drop(columns="source_ref").astype(object)
            records = plain.where(plain.notna(), None).to_dict("records")
            books[portfolio][name] = [{str(k): _cell(v) for k, v in record.items()} for record in records]
    return books


def write_books(folder: Path, *, books: Books) -> list[Path]:
    """Write one workbook per portfolio, each cell by its own type, and return them."""
    paths = []
    for portfolio, tables in books.items():
        paths.append(folder / f"{portfolio}.xlsx")
        with xlsxwriter.Workbook(paths[-1], {"strings_to_formulas": False, "strings_to_urls": False}) as book:
            day = book.add_format({"num_format": "yyyy-mm-dd"})
            for name, rows in tables.items():
                sheet = book.add_worksheet(name)
                columns = [column for column in TABLES[name].names if column != "source_ref"]
                sheet.write_row(0, 0, columns)
                for r, row in enumerate(rows, start=1):
                    for c, column in enumerate(columns):
                        _write(sheet, at=(r, c), value=row.get(column), day=day)
    return paths


def _write(sheet: Any, *, at: tuple[int, int], value: Any, day: Any) -> None:
    if isinstance(value, Broken):
        sheet.write_formula(*at, "=1/0", None, str(value))
    elif isinstance(value, datetime):
        sheet.write_datetime(*at, value, day)
    elif value is not None:
        sheet.write(*at, value)


def _cell(value: Any) -> Any:
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


@dataclass
class Sower:
    """Puts errors into sound books, no two into one row of a table, and notes where each must be found."""

    books: Books
    draws: random.Random
    expected: Counter[Expected] = field(default_factory=Counter)
    by_kind: dict[str, list[Expected]] = field(default_factory=dict)
    _taken: set[tuple[str, str, int]] = field(default_factory=set)

    def sow(self) -> None:
        """Put every kind of error into as many places as are asked for."""
        for kind, (plant, rule) in KINDS.items():
            self.by_kind[kind] = []
            for portfolio, table, row, column in plant(self):
                self._note(kind, rule=rule, at=(portfolio, table, row, column))

    def _note(self, kind: str, *, rule: str, at: tuple[str, str, int, str]) -> None:
        portfolio, table, row, column = at
        columns = [name for name in TABLES[table].names if name != "source_ref"]
        cell = cell_name(row + 1, column=columns.index(column)) if column else ""
        expected = (f"{portfolio}.xlsx", table, row + 2, cell, rule)
        self.expected[expected] += 1
        self.by_kind[kind].append(expected)

    def rows(self, table: str, *, fits: Callable[[Row], bool]) -> Iterator[tuple[str, int, Row]]:
        """Yield rows of a table that hold no error yet, spread over the portfolios, as many as are asked for."""
        found = [
            (portfolio, n, row)
            for portfolio, tables in self.books.items()
            for n, row in enumerate(tables.get(table, []))
            if (portfolio, table, n) not in self._taken and fits(row)
        ]
        chosen = self.draws.sample(found, PLACES)
        for portfolio, n, row in sorted(chosen, key=lambda each: each[:2]):
            self._taken.add((portfolio, table, n))
            yield portfolio, n, row

    def added(self, table: str, *, like: str = "", count: int = PLACES) -> Iterator[tuple[str, int, Row]]:
        """Yield new rows at the end of a table, each like the first of its own, or of another, table."""
        homes = [portfolio for portfolio, tables in self.books.items() if tables.get(like or table)]
        for number in range(count):
            portfolio = homes[number % len(homes)]
            rows = self.books[portfolio].setdefault(table, [])
            source = self.books[portfolio][like or table][0]
            row = {name: source.get(name) for name in TABLES[table].names if name != "source_ref"}
            rows.append(row)
            self._taken.add((portfolio, table, len(rows) - 1))
            yield portfolio, len(rows) - 1, row


Places = Iterator[tuple[str, str, int, str]]
Plant = Callable[[Sower], Places]


def change(table: str, column: str, to: Any, fits: Callable[[Row], bool] = lambda row: True) -> Plant:
    """Return what changes one cell: ``to`` is the value, or makes it of the row."""

    def plant(sower: Sower) -> Places:
        for portfolio, n, row in sower.rows(table, fits=lambda row: row[column] is not None and fits(row)):
            row[column] = to(row) if callable(to) else to
            yield portfolio, table, n, column

    return plant


def _duplicates(sower: Sower) -> Places:
    for portfolio, n, row in list(sower.rows("actions", fits=lambda row: True)):
        rows = sower.books[portfolio]["actions"]
        rows.append(dict(row))
        sower._taken.add((portfolio, "actions", len(rows) - 1))
        yield portfolio, "actions", n, ""
        yield portfolio, "actions", len(rows) - 1, ""


def _lone_transfers(sower: Sower) -> Places:
    for number, (portfolio, n, row) in enumerate(sower.added("finance")):
        first, second = (sower.books[portfolio]["projects"][k]["project_id"] for k in (0, 1))
        row |= {"period": f"20{40 + number}-01", "measure": "transfer", "project_id": first, "counterparty": second,
                "amount": 5.0, "category": None}  # fmt: skip
        yield portfolio, "finance", n, "amount"


def _own_overrides(sower: Sower) -> Places:
    for number, (portfolio, n, row) in enumerate(sower.added("overrides", like="projects")):
        row |= {
            "status_date": DAY,
            "dimension": f"D{number}",
            "approver": sower.books[portfolio]["projects"][0]["manager"],
        }
        yield portfolio, "overrides", n, "approver"


def _one_sided(sower: Sower) -> Places:
    for number, (portfolio, n, row) in enumerate(sower.added("dependencies")):
        row |= {"dependency_id": f"NEW-{number}", "agreed_by_provider": None, "agreed_by_recipient": True,
                "provider_project_id": sower.books[portfolio]["projects"][0]["project_id"]}  # fmt: skip
        yield portfolio, "dependencies", n, "agreed_by_provider"


def _totals(sower: Sower) -> Places:
    for number, (portfolio, n, row) in enumerate(sower.added("finance")):
        row |= {"category": "Grand total", "plan_version": str(number)}
        yield portfolio, "finance", n, "category"


def _bases(sower: Sower) -> Places:
    counted = Counter[str]()
    for portfolio, tables in sower.books.items():
        for n, row in enumerate(tables["projects"]):
            if counted[portfolio] < len(tables["projects"]) - 2 and counted.total() < PLACES:
                counted[portfolio] += 1
                row["price_base"] = f"real {2000 + n}"
                yield portfolio, "projects", n, "price_base"


def new_risk(column: str, **changes: Any) -> Plant:
    """Return what adds an open risk with one error, found at a column."""

    def plant(sower: Sower) -> Places:
        for portfolio, n, row in sower.added("risks"):
            row |= {
                "risk_id": f"NEW-{n}",
                "status": "open",
                "owner": "Ann Example",
                "closed_on": None,
                "probability": 0.5,
                "cost_impact_low": 1.0,
                "cost_impact_likely": 2.0,
                "cost_impact_high": 3.0,
                "currency": "GBP",
            }
            row.update(changes)
            yield portfolio, "risks", n, column

    return plant


def _is_open(row: Row) -> bool:
    return row["status"] == "open"


def _ahead(row: Row) -> bool:
    return row["actual_on"] is None and row["forecast_on"] is not None


def _nobody(row: Row) -> str:
    return f"{row['project_id']}-{row['artefact']}".replace(" ", "")[:60]


LONG_AGO = datetime(2001, 1, 1)  # noqa: DTZ001
# Kind of error → how it is made, and the rule that must find it.
KINDS: dict[str, tuple[Plant, str]] = {
    "a number stored as text": (
        change("projects", "whole_life_cost_forecast", lambda row: str(row["whole_life_cost_forecast"])),
        "number-as-text",
    ),
    "1.234,56": (change("earned_value", "actual_cost", "1.234,56"), "number-format"),
    "a serial number for a date": (change("milestones", "baseline_on", 45292), "serial-date"),
    "a date as people write it": (change("actions", "due_on", "31/03/2026"), "date"),
    "blanks and case": (change("status", "rating", lambda row: f" {row['rating'].title()} "), "stray-blanks"),
    "a misspelt word": (change("milestones", "kind", "delivry"), "not-allowed"),
    "a duplicate id": (_duplicates, "duplicate-key"),
    "an unknown portfolio": (change("finance", "portfolio_id", "NOWHERE"), "unknown-portfolio"),
    "an unknown project": (change("artefacts", "project_id", _nobody), "unknown-project"),
    "a forecast before the status date": (
        change("milestones", "forecast_on", LONG_AGO, _ahead), "forecast-in-past",
    ),
    "a fact after the status date": (change("gates", "held_on", DAY + timedelta(days=9)), "fact-in-future"),
    "a negative amount": (change("reserves", "amount", -5.0), "below"),
    "a text beside the negative amount": (change("reserves", "amount", "lots"), "number"),
    "mixed price bases": (_bases, "mixed-price-bases"),
    "a currency without a rate": (
        change("finance", "currency", "XAF", lambda row: row["measure"] != "transfer"), "no-rate",
    ),
    "a risk without an owner": (change("risks", "owner", None, _is_open), "risk-without-owner"),
    "a dependency of one side": (_one_sided, "one-sided-dependency"),
    "30 for 0.3": (change("risks", "probability", 30, _is_open), "above"),
    "finish before start": (
        change("tasks", "finish_baseline_on", LONG_AGO, lambda row: row["start_baseline_on"] is not None),
        "start-after-finish",
    ),
    "more than complete": (change("tasks", "percent_complete", 1.5), "above"),
    "closed without a day": (new_risk("closed_on", status="closed"), "closed-without-date"),
    "open with a day of closure": (new_risk("status", closed_on=DAY), "date-without-closure"),
    "points out of order": (new_risk("cost_impact_likely", cost_impact_likely=9.0), "points-out-of-order"),
    "a plan that falls": (
        change("earned_value", "planned_value", 0.0, lambda row: row["planned_value"] > 0
               and row["month"] > PERIOD), "plan-falls",
    ),
    "a transfer of one side": (_lone_transfers, "transfer-off-balance"),
    "an override by the manager": (_own_overrides, "own-override"),
    "a total among the rows": (_totals, "total-row"),
    "a row of another month": (
        change("narratives", "status_date", DAY - timedelta(days=40)), "wrong-period",
    ),
    "a missing name": (change("milestones", "name", None), "value-missing"),
    "an error of the spreadsheet": (change("milestones", "critical", Broken("#DIV/0!")), "error-cell"),
    "a formula without a value": (change("milestones", "owner", Broken("")), "error-cell"),
}  # fmt: skip
