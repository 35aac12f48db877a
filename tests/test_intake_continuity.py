"""What earlier reports tell of this one: blank records, published changes; doubtful values, and units only served."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pmo_lib.contracts.returned import Checked
from pmo_lib.errors import ParameterError
from pmo_lib.intake.check import check
from pmo_lib.parameters.load import read_yaml
from pmo_lib.parameters.mapping import Mapping
from pmo_lib.parameters.models import Organisation

ORGANISATION = Organisation(id="o", name="O")
MAPPING = """
name: town
files: {pattern: '.*\\.csv'}
sheets:
  - status_date: reported
    columns: {reported: Reported, id: Id, name: Name, unit: Unit, client: Client, budget: Budget, end: End,
              change: Change, days: Days}
    shared: {portfolio_id: unit, project_id: id, currency: {constant: GBP}}
    rows:
      - table: projects
        columns:
          name: name
          client_id: client
          finish_forecast_on: {column: end, expected: true, plausible: {within_years: 50}}
          whole_life_cost_forecast: {column: budget, plausible: {above: "0"}}
      - table: status
        columns: {assessor_role: {constant: unit}, rating_scale: {constant: three-point}}
    checks:
      - {figure: 'change, GBP', published: {column: change}, of: budget, tolerance: 1}
      - {figure: 'change, days', published: {column: days}, of: end, tolerance: 0}
portfolios: {parent: {id: TOWN, name: Town}, names: {ROADS: Roads, RAIL: Rail, CITY: The city}}
"""
HEAD = "Reported,Id,Name,Unit,Client,Budget,End,Change,Days"


@pytest.fixture
def mapping(tmp_path: Path) -> Mapping:
    """Return the mapping of a town."""
    path = tmp_path / "town.yml"
    path.write_text(MAPPING, encoding="utf-8")
    return read_yaml(path, model=Mapping)


def returns(tmp_path: Path, mapping: Mapping, *lines: str) -> list[Checked]:
    """Return the checked returns of a file with these records."""
    path = tmp_path / "returns.csv"
    path.write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    return check([path], organisation=ORGANISATION, mapping=mapping)


def found(checked: Checked, rule: str) -> list[tuple[str, str]]:
    """Return cell and message of the findings of a rule."""
    rows = checked.findings[checked.findings["rule"].eq(rule)]
    return list(rows[["cell", "message"]].itertuples(index=False, name=None))


def states(checked: Checked) -> dict[tuple[str, str], str]:
    """Return (project, column) → state."""
    rows = checked.tables.get("states", pd.DataFrame(columns=["row_key", "column_name", "state"]))
    return dict(zip(zip(rows["row_key"], rows["column_name"], strict=True), rows["state"], strict=True))


def test_a_record_that_came_back_blank_was_not_returned(tmp_path: Path, mapping: Mapping) -> None:
    """A, which had a budget, is blank: its cells were not returned, its portfolio is partial, and B is as it was."""
    _, now = returns(
        tmp_path, mapping,
        "2024-01-31,A,Alpha,ROADS,,100,2026-01-01,,", "2024-01-31,B,Beta,ROADS,,200,2026-01-01,,",
        "2024-06-30,A,Alpha,ROADS,,,,,", "2024-06-30,B,Beta,ROADS,,200,,,", "2024-06-30,C,Gamma,ROADS,,,,,",
    )  # fmt: skip
    assert states(now) == {
        ("A", "finish_forecast_on"): "not returned", ("A", "whole_life_cost_forecast"): "not returned",
    }  # fmt: skip
    (row,) = now.returns[now.returns["portfolio_id"].eq("ROADS")].to_dict("records")
    assert (row["state"], row["reason"]) == (
        "partial", "1 of 3 project records are blank: no date and no amount",
    )  # fmt: skip
    assert [message for _, message in found(now, "blank-records")] == [row["reason"]]


def test_in_a_return_that_is_all_blank_new_projects_were_not_returned_either(tmp_path: Path, mapping: Mapping) -> None:
    """Where not one record says anything, a new one has no value for the same reason; a second time nothing changes."""
    first, *blank = returns(
        tmp_path, mapping, "2024-01-31,A,Alpha,ROADS,,100,2026-01-01,,",
        "2024-06-30,A,Alpha,ROADS,,,,,", "2024-06-30,C,Gamma,ROADS,,,,,",
        "2024-12-31,A,Alpha,ROADS,,,,,", "2024-12-31,C,Gamma,ROADS,,,,,",
    )  # fmt: skip
    assert not states(first)
    for checked in blank:
        assert set(states(checked).values()) == {"not returned"}
        assert {project for project, _ in states(checked)} == {"A", "C"}
        assert list(checked.returns["state"]) == ["partial"]


def test_a_first_return_without_values_is_no_partial_return(tmp_path: Path, mapping: Mapping) -> None:
    """Nothing was there before, so nothing is missing: the cells are empty and the return is whole."""
    checked = returns(
        tmp_path, mapping, "2024-01-31,A,Alpha,ROADS,,,,,", "2024-06-30,A,Alpha,ROADS,,,,,"
    )  # fmt: skip
    for one in checked:
        assert not states(one)
        assert list(one.returns["state"]) == ["returned"]


def test_published_changes_are_computed_from_the_last_report_of_the_project(tmp_path: Path, mapping: Mapping) -> None:
    """A skips a report: its change is measured from the one before; what disagrees or cannot be computed is told."""
    _, _, now = returns(
        tmp_path, mapping,
        "2024-01-31,A,Alpha,ROADS,,100,2026-01-01,,", "2024-01-31,B,Beta,ROADS,,100,2026-01-01,,",
        "2024-06-30,B,Beta,ROADS,,110,2026-01-11,10,10",
        "2024-12-31,A,Alpha,ROADS,,130,2026-01-31,30,31", "2024-12-31,B,Beta,ROADS,,150.4,2026-01-11,40,0",
        "2024-12-31,C,Gamma,ROADS,,70,2026-01-11,5,0",
    )  # fmt: skip
    figures = now.tables["published_figures"].set_index(["project_id", "figure"])["recomputed"]
    assert figures.dropna().to_dict() == {
        ("A", "change, GBP"): 30.0, ("A", "change, days"): 30.0, ("B", "change, GBP"): 40.4, ("B", "change, days"): 0.0,
    }  # fmt: skip
    assert found(now, "published-figure") == [
        ("I5", "change, days is published as 31 and is 30 since the project's report of 2024-01")
    ]
    assert [message for _, message in found(now, "not-recomputable")] == [
        "change, GBP is published, and the project has no earlier report",
        "change, days is published, and the project has no earlier report",
    ]


def test_doubtful_values_are_kept_and_told_at_their_cells(tmp_path: Path, mapping: Mapping) -> None:
    """A budget that is not above 0, a date more than fifty years off, and no date at all: three findings, no loss."""
    (now,) = returns(
        tmp_path, mapping,
        "2024-01-31,A,Alpha,ROADS,,0,2108-01-01,,", "2024-01-31,B,Beta,ROADS,,-5,2073-12-31,,",
        "2024-01-31,C,Gamma,ROADS,,1,,,",
    )  # fmt: skip
    assert [cell for cell, _ in found(now, "implausible")] == ["F2", "G2", "F3"]
    assert found(now, "value-expected") == [("G4", "finish_forecast_on is blank")]
    projects = now.tables["projects"].set_index("project_id")
    assert [float(value) for value in projects["whole_life_cost_forecast"]] == [0, -5, 1]
    assert projects.at["A", "finish_forecast_on"] == pd.Timestamp("2108-01-01")


def test_units_that_are_only_served_are_named_and_owe_nothing(tmp_path: Path, mapping: Mapping) -> None:
    """CITY delivers nothing: it stands in the client hierarchy, and no return of it is missed, now or next time."""
    lines = [f"{day},A,Alpha,ROADS,{client},1,2026-01-01,," for day, client in
             (("2024-01-31", "CITY"), ("2024-06-30", "ROADS"))]  # fmt: skip
    first, second = returns(tmp_path, mapping, *lines, "2024-06-30,B,Beta,RAIL,,1,2026-01-01,,")
    rows = first.tables["portfolios"].set_index("portfolio_id")
    assert rows["hierarchy"].to_dict() == {"CITY": "client", "ROADS": "delivery", "TOWN": "delivery"}
    assert rows.at["CITY", "name"] == "The city"
    assert list(first.returns["portfolio_id"]) == ["ROADS"]
    assert list(second.returns["portfolio_id"]) == ["RAIL", "ROADS"]


def test_a_change_must_be_one_of_a_column_of_projects(tmp_path: Path) -> None:
    """A change of a column that no project holds could never be computed: the mapping is refused with the name."""
    path = tmp_path / "town.yml"
    path.write_text(MAPPING.replace("of: budget", "of: reported"), encoding="utf-8")
    with pytest.raises(ParameterError, match="the change of reported is checked"):
        read_yaml(path, model=Mapping)
