"""Intake of mutated workbooks: a clear refusal or closed books, to the last row and cell; never a traceback."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from mutations import Book, mutated

from pmo_lib.contracts.returned import Checked
from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import SnapshotRefused, SourceError
from pmo_lib.intake.check import check
from pmo_lib.parameters.models import Organisation, Thresholds

PATIENT = Organisation(id="org", name="x", thresholds=Thresholds(quarantine_limit=1.0))
SEEDS = st.integers(0, 2**32)
QUICK, ALL, PARTS = 60, 10_000, 20
# The slow suite takes the first parts, which is a quarter of an hour less; PMO_MUTATIONS=10000 takes all of them.
WANTED = int(os.environ.get("PMO_MUTATIONS", "1500"))


def assert_accounted(checked: Checked, *, book: Book | None) -> None:
    """Rows, money and cells add up, and, where the file is known, to what stands in it."""
    books, cells = checked.accounting, checked.cells
    assert (books["rows_in"] == books["used"] + books["quarantined"] + books["ignored"]).all()
    assert (books["money_in"] == books["money_used"] + books["money_quarantined"]).all()
    assert (cells["cells_in"] == cells[["typed", "stated", "faulty", "ignored"]].sum(axis=1)).all()
    assert len(checked.quarantined) == books["quarantined"].sum()
    if book is None:
        return
    came_in = dict(zip(cells["sheet"], cells["cells_in"], strict=True))
    held = {name: sum(is_held(cell) for row in rows[1:] for cell in row) for name, rows in book.items()}
    read = {name for name in held if name.lower() in TABLES}
    assert {name: came_in.get(name, 0) for name in read} == {name: held[name] for name in read}
    rows_in = books.groupby("table")["rows_in"].sum().to_dict()
    for name in read:
        rows = sum(any(map(is_held, row)) for row in book[name][1:])
        assert rows_in.get(name.lower(), 0) == rows


def is_held(cell: Any) -> bool:
    """Whether a cell holds anything: an error and a formula without a value do."""
    return cell is not None and bool(str(cell).strip())


def attempt(folder: Path, *, draws: random.Random) -> str:
    """Check one mutated workbook, and return how it ended."""
    content, book, harmed = mutated(draws)
    path = folder / "A.xlsx"
    path.write_bytes(content)
    try:
        returns = check([path], organisation=PATIENT)
    except SourceError as error:
        return "unreadable" if error.fix else "left alone"
    except SnapshotRefused as error:
        findings = error.data["findings"]
        assert (findings["action"] == "refused").any()
        assert not findings.duplicated(["file", "sheet", "row", "cell", "rule", "message"]).any()
        return "refused"
    for checked in returns:
        assert_accounted(checked, book=None if harmed or len(returns) > 1 else book)
    return "checked"


@settings(max_examples=QUICK)
@given(seed=SEEDS)
def test_any_workbook_is_refused_or_accounted_for(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Whatever is done to a workbook: it is refused with findings, or every row, penny and cell is accounted for."""
    attempt(tmp_path_factory.getbasetemp(), draws=random.Random(seed))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(WANTED * PARTS // ALL))
def test_ten_thousand_workbooks_are_refused_or_accounted_for(tmp_path: Path, part: int) -> None:
    """The same at full size, five hundred in each part; some come through, some are refused, some cannot be read."""
    ends = set()

    @settings(max_examples=ALL // PARTS)
    @given(seed=SEEDS)
    def each(seed: int) -> None:
        ends.add(attempt(tmp_path, draws=random.Random(f"{part} {seed}")))

    each()
    assert ends == {"checked", "refused", "unreadable"}
