"""What computed ratings rest on: the deciding figures, the rows that they read, and counts from these alone."""

from __future__ import annotations

from typing import Any

import pandas as pd
from histories import history
from hypothesis import HealthCheck, given, settings, strategies as st

from pmo_lib.metrics.explained import Given
from pmo_lib.metrics.grounds import FOUR, Grounds, size
from pmo_lib.metrics.judgement import NEEDED, Judgement
from pmo_lib.metrics.movement import Between
from pmo_lib.metrics.named_ratings import named_ratings
from pmo_lib.parameters.models import Organisation

NOW = Between("ROADS", "2026-09", "2026-08")
DAYS = {"2026-06": "2026-06-30", "2026-07": "2026-07-31", "2026-08": "2026-08-31", "2026-09": "2026-09-30"}
ORGANISATION = Organisation(id="o", name="O")
STATUS_ON = pd.Timestamp("2026-09-30")
SOUND = {
    "finish_baseline_on": "2027-01-31", "finish_forecast_on": "2027-01-31", "whole_life_cost_baseline": 1000.0,
    "whole_life_cost_forecast": 1000.0, "budget_at_completion": 1000.0, "benefits_baseline": 50.0,
    "benefits_forecast": 50.0, "delivery_status": "active",
}  # fmt: skip
LATE, DEAR, LOST = {"finish_forecast_on": "2027-06-30"}, {"whole_life_cost_forecast": 1200.0}, {"benefits_forecast": 9}
few = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Case = dict[str, dict[str, dict[str, Any]]]


def judged(projects: Case, *, changes: list[dict[str, Any]] | None = None, rated: str = "green") -> Judgement:
    """Return the judgement of projects: by id and month what differs from a sound one."""
    places = [(name, month) for name, months in projects.items() for month in months]
    asked = [
        {"period": m, "project_id": name, "name": name, "source_ref": f"{m}.csv, row {at}"} | SOUND | projects[name][m]
        for at, (name, m) in enumerate(places, 2)
    ]
    told = [
        {"period": m, "project_id": name, "status_date": DAYS[m], "rating": rated, "source_ref": f"{m}.csv, row {at}"}
        for at, (name, m) in enumerate(places, 2)
    ]
    none = {"period": "2026-09", "project_id": "Z", "change_id": "C", "decision": "rejected", "raised_on": "2026-09-01",
            "source_ref": "2026-09.csv, row 99"}  # fmt: skip
    silent = [none | {"period": month, "source_ref": f"{month}.csv, row 99"} for month in DAYS]
    rows = {"projects": asked, "status": told, "changes": silent if changes is None else changes}
    findings = pd.DataFrame({"rule": pd.Series(dtype="str"), "key": pd.Series(dtype="str")})
    tables = {name: history(name, rows.get(name, [])) for name in NEEDED}
    return Judgement(tables, findings=findings, settings=ORGANISATION, between=NOW)


def decisive(case: Judgement) -> set[tuple[str, str]]:
    """Return report and measure of the figures that decide."""
    return set(Grounds(case).decisive[["period", "measure"]].itertuples(index=False, name=None))


def test_one_witness_is_enough_for_red() -> None:
    """Red by time, cost and benefits at once rests on one figure, in the row of the project."""
    case = judged({"A": dict.fromkeys(DAYS, LATE | DEAR | LOST)})
    assert decisive(case) == {("2026-09", "forecast finish")}
    ground = Grounds(case)
    rows = ground.rows(ground.of_whole, ids=pd.Series(["A"]))
    assert {name: each["period"].tolist() for name, each in rows.items()} == {
        "projects": ["2026-09"], "status": ["2026-09"],
    }  # fmt: skip


def test_a_red_that_is_held_rests_on_the_earlier_report_and_on_this_one() -> None:
    """Late in August and sound in September, so still red: August is the witness, and September can tell."""
    case = judged({"A": {month: LATE if month < "2026-09" else {} for month in DAYS}})
    assert decisive(case) == {("2026-08", "forecast finish"), ("2026-09", "forecast finish")}


def test_what_is_not_red_rests_on_every_figure_of_every_report_that_counts() -> None:
    """That nothing is red takes all figures of time, cost, scope and benefits, also of the report that stood before."""
    case = judged({"A": {month: {} for month in DAYS}})
    assert decisive(case) == {(month, name) for month in ("2026-08", "2026-09") for name in FOUR} | {
        ("2026-07", name) for name in FOUR
    }  # fmt: skip


def test_no_change_is_shown_by_a_row_of_the_same_return() -> None:
    """That a project has no change request is told by a return with such rows: one of them is named, and no other."""
    other = [
        {"period": month, "project_id": "Z", "change_id": f"C{n}", "decision": "rejected", "raised_on": "2026-05-01",
         "source_ref": f"{month}.csv, row {n}"} for month in DAYS for n in range(90, 94)
    ]  # fmt: skip
    ground = Grounds(judged({"A": {month: {} for month in DAYS}}, changes=other))
    rows = ground.rows(ground.of_whole, ids=pd.Series(["A"]))["changes"]
    assert rows["source_ref"].tolist() == [f"{month}.csv, row 90" for month in ("2026-07", "2026-08", "2026-09")]


def alone(case: Judgement, name: str) -> tuple[float | None, int, int, str]:
    """Return value and n of a figure made from its rows alone, how many these are, and its words."""
    intake = {"findings": case.findings, "fresh": case.fresh}
    [figure] = [each for each in named_ratings(case) if each.name == name]
    chosen = figure.select()
    rows = {table: chosen.get(table, case.tables[table].iloc[:0]) for table in (*figure.needs, "states")}
    made = figure.make(rows, given=Given(NOW, case.settings, STATUS_ON, {"intake": intake}))
    return made.value, made.n, size(chosen), str(made.terms["names"])


def test_a_figure_tells_which_projects_and_by_what() -> None:
    """The numbers that are put in are the projects, each with the figure above its limit."""
    case = judged({"Bridge": {"2026-09": DEAR}, "Tunnel": {"2026-08": LATE, "2026-09": {}}, "Road": {"2026-09": {}}})
    value, n, rows, words = alone(case, "computed_red")
    assert (value, n) == (2.0, rows)
    assert words == "Bridge (forecast cost 20.0% > 10.0%); Tunnel (held from an earlier report)"
    assert alone(case, "green_outside_red_inside")[0] == 2.0
    assert alone(judged({"Bridge": {"2026-09": DEAR}}, rated="red"), "green_outside_red_inside")[:2] == (0.0, 0)


PROJECT = st.fixed_dictionaries(
    {month: st.sampled_from([{}, LATE, DEAR, LOST, LATE | DEAR, {"benefits_forecast": None}]) for month in DAYS}
)


@few
@given(projects=st.fixed_dictionaries(dict.fromkeys("ABC", PROJECT)), rated=st.sampled_from(["green", "red"]))
def test_every_count_comes_out_of_its_own_rows(projects: Case, rated: str) -> None:
    """Each published count is made again from the rows that it selects, all of them used, for any histories."""
    case = judged(projects, rated=rated)
    published = case.figures.set_index("name")["value"]
    for figure in named_ratings(case):
        value, n, rows, _ = alone(case, figure.name)
        assert (value, n) == (published[figure.name], rows), figure.name
