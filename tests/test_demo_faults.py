"""The planted faults: each is found at its cell by the rule that the key names, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pmo_lib.contracts.returned import Checked
from pmo_lib.demo import Size, organisation_tables, planted_faults, write_returns
from pmo_lib.demo.catalogue import LAST, LATE_RETURNS, MISSING_RETURNS, UNITS
from pmo_lib.demo.faults import FAULTS, STRIDE, faults_of
from pmo_lib.demo.months import period_of
from pmo_lib.demo.returns import return_tables
from pmo_lib.intake.check import check
from pmo_lib.parameters.models import Organisation
from pmo_lib.workbooks import write_return

ORGANISATION = Organisation(id="demo", name="Demo")
PLACE = ["file", "sheet", "row", "cell", "rule"]
WIDE = Size(periods=1, projects=6)


def places(table: pd.DataFrame) -> list[tuple[object, ...]]:
    """Return where findings are, or are to be, in order."""
    return sorted(table[PLACE].itertuples(index=False, name=None))


def findings(checked: list[Checked]) -> pd.DataFrame:
    """Return the findings of all periods."""
    return pd.concat([each.findings for each in checked], ignore_index=True)


@pytest.fixture(scope="module")
def key() -> pd.DataFrame:
    """The key of the last month of all portfolios, six projects each."""
    return planted_faults(WIDE)


def test_every_planted_fault_is_found_at_its_cell_and_nothing_else(key: pd.DataFrame, tmp_path: Path) -> None:
    """Through the real intake: findings = key by place, rule and value; at least 25 kinds of fault in one month."""
    write_returns(tmp_path, size=WIDE)
    (checked,) = check([tmp_path], organisation=ORGANISATION)
    assert places(checked.findings) == places(key)
    assert key["kind"].nunique() >= 25
    told = key[key["value"].ne("")].merge(checked.findings, on=PLACE, suffixes=("", "_found"), validate="one_to_one")
    assert len(told) >= 20
    assert told["value"].tolist() == told["value_found"].tolist()
    assert set(checked.returns["state"]) == {"returned", "partial"}


def test_the_last_month_refuses_nothing(key: pd.DataFrame) -> None:
    """No fault of the last month is one that refuses a return."""
    assert not set(key["rule"]) & {"duplicate-key", "quarantine-limit"}


def test_a_row_that_is_there_twice_refuses_one_return(tmp_path: Path) -> None:
    """Finance's return of February holds a row twice: both are named, its return is refused, and only its return."""
    tables, month = {}, LAST - 7
    for unit in (UNITS[9], UNITS[1]):
        tables = return_tables(unit, month=month, size=Size(projects=5))
        planted = [each for each in faults_of(tables, unit=unit, month=month, seed=7) if each.fault.kind == "row twice"]
        instead = {each.fault.table: each.cells for each in planted}
        assert len(planted) == (unit.id == "finance")
        write_return(tmp_path / f"{unit.id}.xlsx", tables=tables, instead=instead)
    (checked,) = check([tmp_path], organisation=ORGANISATION)
    assert checked.period == period_of(month) == "2026-02"
    assert checked.findings["rule"].tolist() == ["duplicate-key"] * 2
    states = checked.returns.set_index("portfolio_id")["state"]
    assert (states["estates"], states["finance"]) == ("returned", "refused")


def test_each_kind_is_dealt_to_each_portfolio_in_turn() -> None:
    """In twelve months each kind comes to each of the twelve portfolios once; a return has four of them or so."""
    for number in range(len(FAULTS)):
        turns = {(number + STRIDE * back) % len(UNITS) for back in range(len(UNITS))}
        assert turns == set(range(len(UNITS)))
    assert 25 <= len(FAULTS) <= 5 * len(UNITS)
    assert len({fault.kind for fault in FAULTS}) == len(FAULTS)


def test_a_smaller_organisation_has_the_same_faults(key: pd.DataFrame) -> None:
    """The faults of the first portfolios do not depend on how many others there are."""
    small = planted_faults(Size(periods=1, portfolios=3, projects=6))
    expected = key[key["portfolio_id"].isin(["highways", "estates", "digital"])].reset_index(drop=True)
    assert len(small) >= 4
    pd.testing.assert_frame_equal(small, expected)


def test_no_two_faults_stand_in_one_row() -> None:
    """A fault never stands in the row of another one, so that none can hide another; a column is beside all rows."""
    for unit in UNITS[:4]:
        tables = return_tables(unit, month=LAST - 1, size=Size(projects=6))
        rows = [
            (each.fault.table, row)
            for each in faults_of(tables, unit=unit, month=LAST - 1, seed=1)
            for row in {row for row, _ in each.cells if each.fault.rule != "unknown-column"}
        ]
        assert len(rows) == len(set(rows))


def test_what_is_not_sent_is_missing_and_comes_back() -> None:
    """A return that was never sent is not there; the portfolio returns in the months before and after."""
    for portfolio, month in MISSING_RETURNS:
        size = Size(periods=LAST - month + 2, projects=1)
        for at, there in ((month - 1, True), (month, False), (month + 1, True)):
            assert (portfolio in [unit.id for unit in size.returning(at)]) == there
    assert not {month for _, month in MISSING_RETURNS} & {LAST, LAST - 1, LAST - 2}
    assert not LATE_RETURNS & MISSING_RETURNS


def test_late_returns_are_late() -> None:
    """Returns that the catalogue calls late came in three to five weeks after the month, others within nine days."""
    for portfolio, month in sorted(LATE_RETURNS):
        unit = next(unit for unit in UNITS if unit.id == portfolio)
        for at in (month, month - 2):
            status = return_tables(unit, month=at, size=Size(projects=5))["status"]
            waited = (status["submitted_on"] - status["status_date"]).dt.days
            late = (portfolio, at) in LATE_RETURNS
            assert waited.between(21 if late else 1, 35 if late else 9).all(), (portfolio, at)


def test_withheld_and_ranged_cells_come_back_as_they_were_said(tmp_path: Path) -> None:
    """Withheld, not set and range are words in the workbook, states in the tables, and no findings."""
    size = Size(periods=1, projects=14)
    made = organisation_tables(size)
    names = [portfolio for (_, portfolio), tables in made.items() if tables["states"]["state"].eq("withheld").any()]
    ranged = [portfolio for (_, portfolio), tables in made.items() if tables["states"]["state"].eq("range").any()]
    for portfolio in {names[0], ranged[0]}:
        write_return(tmp_path / f"{portfolio}.xlsx", tables=made["2026-09", portfolio])
    (checked,) = check([tmp_path], organisation=ORGANISATION)
    assert findings([checked]).empty
    found = checked.tables["states"].drop(columns="source_ref")
    said = pd.concat([made["2026-09", portfolio]["states"] for portfolio in sorted({names[0], ranged[0]})])
    order = ["portfolio_id", "table_name", "row_key", "column_name"]
    expected = said.drop(columns="source_ref").sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(found.sort_values(order, ignore_index=True), expected)
    assert set(found["state"]) == {"withheld", "not set", "range"}


@pytest.mark.slow
def test_all_faults_of_all_months_are_found(tmp_path: Path) -> None:
    """The whole organisation: every fault of 18 months is found, nothing else, and the returns are what was decided."""
    write_returns(tmp_path)
    key, states = planted_faults(), {}
    previous: dict[str, pd.DataFrame] | None = None
    found = []
    for period in sorted(path.name for path in tmp_path.iterdir()):
        tables = previous
        (checked,) = check([tmp_path / period], organisation=ORGANISATION, previous=lambda _, tables=tables: tables)
        previous = checked.tables
        found.append(checked.findings.assign(file=period + "/" + checked.findings["file"]))
        states.update({(row.portfolio_id, period): row.state for row in checked.returns.itertuples()})
    assert places(pd.concat(found)) == places(key)
    assert set(key["kind"]) == {fault.kind for fault in FAULTS}
    assert {at for at, state in states.items() if state == "not returned"} == {
        (portfolio, period_of(month)) for portfolio, month in MISSING_RETURNS
    }
    assert {at for at, state in states.items() if state == "refused"} == {
        ("finance", "2026-02"),
        ("housing-old", "2026-04"),
    }
