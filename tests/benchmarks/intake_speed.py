"""Intake of 100,000 rows of 10 columns against a bare calamine read of the same file: ``make bench``.

Intake is read, type, rules and Parquet snapshot. The bar: a ratio of 3.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import xlsxwriter
from benchmarks.measured import least, say
from python_calamine import CalamineWorkbook

from pmo_lib.intake.check import check
from pmo_lib.parameters.models import Organisation
from pmo_lib.snapshots import Archive, take

ROWS, PROJECTS, MOST_RATIO = 100_000, 100, 3.0
MONTHS = [f"{year}-{month:02}" for year in range(21) for month in range(1, 13)]
MEASURES = (("plan", 2000), ("budget", 2000), ("actual", 2000), ("forecast", 2030))
Row = tuple[Any, ...]


def finance() -> Iterator[Row]:
    """Yield a return's amounts: each measure of each project in many months, distinct and sound."""
    draws = random.Random(1)
    for project in range(PROJECTS):
        for measure, century in MEASURES:
            for month in MONTHS[: ROWS // PROJECTS // 4]:
                period = f"{century + int(month[:-3]):04}{month[-3:]}"
                amount = round(draws.uniform(0, 1e6), 2)
                yield "A", f"A-{project}", period, "month", measure, "capex", "works", "v1", amount, "GBP"


def write(path: Path) -> None:
    """Write the workbook."""
    key = ("portfolio_id", "project_id")
    projects = [("A", f"A-{n}", f"Project {n}", "GBP") for n in range(PROJECTS)]
    status = [("A", f"A-{n}", date(2026, 3, 31), "manager", "amber", "three-point") for n in range(PROJECTS)]
    columns = (*key, "period", "period_kind", "measure", "cost_type", "category", "plan_version", "amount", "currency")
    tables: dict[str, list[Row]] = {
        "portfolios": [("portfolio_id", "name", "currency"), ("A", "Portfolio A", "GBP")],
        "projects": [(*key, "name", "currency"), *projects],
        "status": [(*key, "status_date", "assessor_role", "rating", "rating_scale"), *status],
        "finance": [columns, *finance()],
    }
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in tables.items():
            sheet = book.add_worksheet(name)
            for r, row in enumerate(rows):
                for c, value in enumerate(row):
                    sheet.write(r, c, value, *([day] if isinstance(value, date) else []))


def read_bare(path: Path) -> int:
    """Read all cells and do nothing with them."""
    book = CalamineWorkbook.from_path(str(path))
    return sum(len(book.get_sheet_by_name(name).to_python()) for name in book.sheet_names)


def take_in(path: Path) -> int:
    """Check a return, take its snapshot, and return its rows of finance."""
    (checked,) = check([path], organisation=Organisation(id="bench", name="Benchmark"))
    if not checked.findings.empty:
        raise AssertionError("the return is not as sound as it should be")
    with tempfile.TemporaryDirectory() as folder:
        take(checked, archive=Archive(Path(folder)), organisation="bench")
    return len(checked.tables["finance"])


def main() -> int:
    """Print both times and their ratio; 1 if it misses the bar."""
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "A.xlsx", Path(folder) / "small.xlsx"
        write(path)
        globals()["ROWS"] = 4 * PROJECTS
        write(small)
        take_in(small)  # loads what intake needs: the processes below are forked from this one
        bare, whole = least(read_bare, path), least(take_in, path)
    ratio = whole.seconds / bare.seconds
    say(f"bare read of {bare.result:,} rows {bare.seconds:6.2f} s {bare.megabytes:6.0f} MB")
    say(f"intake of the same file   {whole.seconds:6.2f} s {whole.megabytes:6.0f} MB")
    say(f"ratio {ratio:.2f} (bar {MOST_RATIO:g})")
    return int(ratio > MOST_RATIO)


if __name__ == "__main__":
    sys.exit(main())
