"""What projects cost: bridges whose parts sum to the whole, spending against plan, underspend, disclosure, headline."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from histories import current, history
from hypothesis import given, settings, strategies as st
from test_metrics_outlook import entries, finance, monthly, yearly

from pmo_lib.errors import ReportError
from pmo_lib.metrics import cost
from pmo_lib.metrics.accounts import accounts
from pmo_lib.metrics.bridge import FIRST, STEP_COLUMNS, bridge_steps, largest_and_others, summed
from pmo_lib.metrics.finance import headline, opening
from pmo_lib.metrics.fiscal import View
from pmo_lib.metrics.outlook import Year, levels
from pmo_lib.parameters.models import Thresholds

THEN, NOW = "2024-03", "2025-03"
VIEW = View("ROADS", NOW, THEN, 4)
COST = "whole_life_cost_baseline"
Rows = list[dict[str, Any]]


def state(project_id: str, kind: str, **more: Any) -> dict[str, Any]:
    """Return the state of a project's cost now."""
    place = {"period": NOW, "table_name": "projects", "row_key": project_id, "column_name": COST}
    return {**place, "state": kind, **more}


def costs(then: Rows, now: Rows, *, view: View = VIEW, states: Rows | None = None) -> pd.DataFrame:
    """Return the whole-life bridge of two reports; rows say ``project_id``, ``cost`` and what differs."""
    rows = [
        {"period": period, COST: row.get("cost"), **{key: value for key, value in row.items() if key != "cost"}}
        for period, given_rows in ((THEN, then), (NOW, now))
        for row in given_rows
    ]
    return cost.whole_life(history("projects", rows), states=history("states", states or []), view=view)


def at(project_id: str, amount: float | None, **more: Any) -> dict[str, Any]:
    """Return a project with its cost."""
    return {"project_id": project_id, "cost": amount, **more}


def amounts_of(steps: pd.DataFrame) -> dict[str, float]:
    """Return amounts by step."""
    return dict(zip(steps["step"], steps["amount"], strict=True))


# --- bridges --------------------------------------------------------------------------------------------------


def test_bridge_by_hand() -> None:
    """Every cause has its amount and its number of projects, and they sum from the total before to the total now."""
    then = [at("STAY", 100), at("SAME", 7), at("GONE", 50), at("MUTE", 30), at("SHY", None), at("NEVER", None)]
    now = [at("STAY", 120), at("SAME", 7), at("MUTE", None), at("SHY", 9), at("NEW", 40), at("NEVER", None)]
    steps = bridge_steps(costs(then, now))
    assert [tuple(row) for row in steps[["step", "amount", "projects", "valued"]].itertuples(index=False)] == [
        ("before", 187, 6, 4),
        ("left", -50, 1, 1),
        ("no figure given", -30, 1, 1),
        ("re-based", 20, 1, 1),
        ("newly published", 9, 1, 1),
        ("joined", 40, 1, 1),
        ("unchanged", 0, 1, 1),
        ("never published", 0, 1, 0),
        ("now", 176, 6, 4),
    ]


def test_a_project_that_moved_is_neither_left_nor_joined() -> None:
    """The giver loses the value before, the receiver gains it; what changed since is the receiver's re-basing."""
    then, now = [at("P", 100, portfolio_id="RAIL")], [at("P", 130)]
    receiver = costs(then, now).iloc[0]
    giver = costs(then, now, view=View("RAIL", NOW, THEN, 4)).iloc[0]
    assert (receiver["cause"], receiver["amount"], receiver["moved_amount"]) == ("moved in", 130, 100)
    assert (receiver["since_cause"], receiver["since_amount"]) == ("re-based", 30)
    assert (giver["cause"], giver["amount"], giver["moved_amount"]) == ("moved out", -100, -100)
    assert (receiver["other_portfolio_id"], giver["other_portfolio_id"]) == ("RAIL", "ROADS")
    assert giver["since_amount"] == 0
    assert pd.isna(receiver["before"])
    assert pd.isna(giver["now"])


def test_a_move_into_silence() -> None:
    """A value that is withheld in the report in which the project moves is given, taken over, and then withheld."""
    then, now = [at("P", 100, portfolio_id="RAIL")], [at("P", None)]
    both = [costs(then, now, view=View(unit, NOW, THEN, 4)) for unit in ("RAIL", "ROADS")]
    assert amounts_of(summed(both)) == {
        "before": 100, "moved out": -100, "no figure given": -100, "moved in": 100, "now": 0,
    }  # fmt: skip


def test_why_there_is_no_figure_now() -> None:
    """A withheld value has its reason in the source's words, a range its ends, an empty cell says so."""
    states = [state("A", "withheld", reason="s43"), state("B", "range", low="1", high="9")]
    found = costs([at(i, 5) for i in "ABC"], [at(i, None) for i in "ABC"], states=states)
    assert list(found["reason"]) == ["withheld: s43", "a range: 1 to 9", "not set"]


def test_every_silence_is_a_cause_of_its_own() -> None:
    """Withheld, a range, not returned and no figure given are told apart, and sum with the rest to the whole."""
    states = [state("A", "withheld", reason="s43"), state("B", "range", low="1", high="9"), state("C", "not returned")]
    steps = bridge_steps(costs([at(i, 5) for i in "ABCD"], [at(i, None) for i in "ABCD"], states=states))
    assert amounts_of(steps) == {
        "before": 20, "withheld": -5, "range only": -5, "not returned": -5, "no figure given": -5, "now": 0,
    }  # fmt: skip


def test_a_renamed_project_has_not_left() -> None:
    """By the lineage a project that was renamed goes under its old id and comes under its new one."""
    rows = [{"from_id": "OLD", "to_id": "NEW", "kind": "renamed", "effective_on": "2025-01-01"}]
    found = costs([at("OLD", 100)], [at("NEW", 110), at("X", 1)], view=VIEW.after(current("lineage", rows)))
    assert amounts_of(bridge_steps(found)) == {
        "before": 100, "succeeded by another": -100, "successor of another": 110, "joined": 1, "now": 111,
    }  # fmt: skip


def test_projects_are_bridged_like_money() -> None:
    """A bridge whose counts do not go from before to now is refused, even where the money sums."""
    rows = costs([at("A", 5)], [at("A", 5), at("B", 0)])
    with pytest.raises(ReportError, match="came"):
        bridge_steps(
            rows.assign(cause=rows["cause"].replace("joined", "an unknown cause"), since_cause=rows["since_cause"])
        )


def test_the_first_report_has_nothing_to_bridge() -> None:
    """Without a report before, every cost is there with the cause ``first report``, and there are no steps."""
    found = costs([], [at("A", 5), at("B", None)], view=View("ROADS", NOW, None, 4))
    assert list(found["cause"]) == [FIRST, FIRST]
    assert found["amount"].sum() == 5
    assert bridge_steps(found).empty
    assert list(bridge_steps(found).columns) == STEP_COLUMNS


def test_forecast_and_baseline_are_not_mixed() -> None:
    """Where any forecast is returned forecasts are compared, and a project with a baseline alone has no figure."""
    then = [at("A", 5, whole_life_cost_forecast=6.0), at("B", 8)]
    now = [at("A", 5, whole_life_cost_forecast=9.0), at("B", 8)]
    found = costs(then, now)
    assert set(found["basis"]) == {"whole_life_cost_forecast"}
    assert amounts_of(bridge_steps(found))["now"] == 9


@pytest.mark.parametrize(
    ("column", "first", "second"), [("currency", "EUR", "GBP"), ("price_base", "nominal", "real 2024")]
)
def test_mixed_bases_are_refused(column: str, first: str, second: str) -> None:
    """Costs in two currencies or price bases, even of two reports, are refused by name; a silent cell does not mix."""
    with pytest.raises(ReportError, match=f"{first}, {second}"):
        costs([at("A", 5, **{column: first})], [at("A", 5, **{column: second})])
    assert len(costs([at("A", 5, **{column: first})], [at("A", None, **{column: second})])) == 1


def test_a_bridge_that_does_not_sum_is_refused() -> None:
    """A penny that no cause explains refuses the page."""
    rows = costs([at("A", 5)], [at("A", 6)])
    rows["since_amount"] += 0.01
    with pytest.raises(ReportError, match=r"sum to 6\.01, the whole is 6\.00"):
        bridge_steps(rows)


def test_one_more_than_the_largest_is_named() -> None:
    """A rest of one project is named itself: "others" never hides a single project."""
    rows = pd.DataFrame({"project_id": list("ABC"), "name": list("ABC"), "plan": [1.0, 2, 3], "outlook": [4.0, 4, 4]})
    steps = largest_and_others(rows.assign(currency="GBP"), start="plan", end="outlook", largest=2)
    assert list(steps["step"]) == ["plan", "A", "B", "C", "outlook"]


def outlook_bridge(rows: Rows, projects: Rows) -> pd.DataFrame:
    """Return the bridge of this year's outlook from one month to the next."""
    view = View("ROADS", "2026-09", "2026-08", 4)
    return cost.outlook_movement(
        finance(rows), projects=history("projects", projects), states=history("states", []), view=view
    )


def test_outlook_movement_by_hand() -> None:
    """The outlook's movement splits into joined, left and like for like; a programme's own money has its own row."""
    before = [*monthly("A"), *monthly("OLD"), yearly(None, "forecast", 20, programme_id="G")]
    now = [*monthly("A", forecast=10), *monthly("NEW"), yearly(None, "forecast", 25, programme_id="G")]
    rows = [{**r, "return_month": "2026-08"} for r in before] + now
    projects = [{"period": "2026-08", "project_id": i} for i in ("A", "OLD")]
    projects += [{"period": "2026-09", "project_id": i} for i in ("A", "NEW")]
    found = outlook_bridge(rows, projects)
    steps = amounts_of(bridge_steps(found))
    # The report of August knows five of the actuals; September's is not due in it and counts for nothing.
    then = 5 * 11 + 6 * 9
    assert "G: its own money" in set(found["name"])
    assert steps == {
        "before": 2 * then + 20, "left": -then, "re-based": 126 - then + 5, "joined": 120, "now": 126 + 120 + 25,
    }  # fmt: skip


def test_no_outlook_of_this_year_before() -> None:
    """A report before that says nothing of this year bridges nothing."""
    assert outlook_bridge(monthly("A"), [{"period": "2026-09", "project_id": "A"}]).empty


# --- a year and the years -------------------------------------------------------------------------------------


def year_rows(figures: dict[str, dict[str, tuple[float | None, float | None]]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return finance and projects of annual returns: year of the report → project → (plan, outlook)."""
    rows: Rows = []
    projects: Rows = []
    for period, of_projects in figures.items():
        for project, (plan, outlook) in of_projects.items():
            projects.append({"period": period, "project_id": project})
            both = (("plan", plan), ("forecast", outlook))
            rows += [
                {"return_month": period, "period": period, "period_kind": "year", "project_id": project,
                 "measure": measure, "amount": amount}
                for measure, amount in both
            ]  # fmt: skip
    return finance(rows), history("projects", projects)


def compared(
    figures: dict[str, dict[str, tuple[float | None, float | None]]], *, tolerance: float = 0.05
) -> pd.DataFrame:
    """Return the in-year table of the last of these reports."""
    book, projects = year_rows(figures)
    view = View("ROADS", max(figures), None, 4)
    years = cost.by_year(book, projects=projects, states=history("states", []), view=view)
    return cost.in_year(years, projects=projects, view=view, tolerance=tolerance).set_index("project_id")


def test_in_year_by_hand() -> None:
    """A share is (outlook − plan) ÷ plan; without a plan above 0, or without both figures, it is null with a reason."""
    found = compared({NOW: {"A": (100, 80), "B": (0, 5), "C": (10, None), "D": (None, None), "E": (50, 60)}})
    assert (found.loc["A", "variance"], found.loc["A", "variance_share"]) == (-20, -0.2)
    assert found.loc["E", "variance_share"] == pytest.approx(0.2)
    assert found.loc["B", "variance"] == 5
    assert list(found.loc[["B", "C", "D"], "variance_share"].isna()) == [True, True, True]
    assert list(found.loc[["B", "C"], "reason"]) == ["the plan is 0: no share of it", "year forecast: not set"]
    assert list(found.loc[list("ABCDE"), "paired"]) == [True, True, False, False, True]
    assert list(found.index)[:3] == ["A", "E", "B"]


def test_a_project_without_finance_is_listed() -> None:
    """A project of which no finance was returned stands in the table and says so."""
    _, projects = year_rows({NOW: {"A": (1, 1), "B": (1, 1)}})
    book, _ = year_rows({NOW: {"A": (1, 1)}})
    view = View("ROADS", NOW, None, 4)
    years = cost.by_year(book, projects=projects, states=history("states", []), view=view)
    found = cost.in_year(years, projects=projects, view=view, tolerance=0.05).set_index("project_id")
    assert found.loc["B", "reason"] == "no finance returned for this year"


def test_years_running() -> None:
    """A run counts back from this year and breaks at a year at plan, a year without figures, or a year not returned."""
    low, even, none = (100.0, 80.0), (100.0, 100.0), (100.0, None)
    years = ("2021-03", "2022-03", "2023-03", "2024-03", "2025-03")
    by_project = {
        "ALWAYS": [low] * 5, "LATELY": [even, even, low, low, low], "ONCE": [low, low, low, even, low],
        "SILENT": [low, low, none, low, low], "FINE": [low, low, low, low, even],
    }  # fmt: skip
    found = compared({year: {name: rows[i] for name, rows in by_project.items()} for i, year in enumerate(years)})
    assert found["years_under"].to_dict() == {"ALWAYS": 5, "LATELY": 3, "ONCE": 1, "SILENT": 2, "FINE": 0}
    assert found["years_known"].to_dict() == {"ALWAYS": 5, "LATELY": 5, "ONCE": 5, "SILENT": 2, "FINE": 5}
    gap = compared({year: {"A": low} for year in years if year != "2023-03"})
    assert (gap.loc["A", "years_under"], gap.loc["A", "years_known"]) == (2, 2)


@pytest.mark.parametrize(("outlook", "under"), [(95.0, 0), (94.99, 1), (105.1, 0)])
def test_the_tolerance_itself_is_not_under(outlook: float, under: int) -> None:
    """Exactly 5 % below plan is within a tolerance of 5 %; a penny more is under."""
    assert compared({NOW: {"A": (100, outlook)}}).loc["A", "years_under"] == under


def test_the_last_return_speaks_for_its_year() -> None:
    """Of several returns in a fiscal year the last one counts, also for the years behind."""
    book, projects = year_rows({"2024-03": {"A": (100, 50)}, "2024-12": {"A": (100, 10)}, "2025-03": {"A": (100, 90)}})
    book["period"] = book["return_month"].map({"2024-03": "2024-03", "2024-12": "2025-03", "2025-03": "2025-03"})
    view = View("ROADS", "2025-03", None, 4)
    years = cost.by_year(book, projects=projects, states=history("states", []), view=view)
    assert list(zip(years["period"], years["outlook"], strict=True)) == [("2024-03", 50.0), ("2025-03", 90.0)]
    totals = cost.years(years, projects=projects, view=view)
    assert list(totals["year"]) == ["2023/24", "2024/25"]


def test_years_cover_what_has_both() -> None:
    """A year's totals are over the projects with both figures; the others are counted beside them."""
    book, projects = year_rows({NOW: {"A": (100, 80), "B": (30, None), "C": (None, 7), "D": (50, 60)}})
    view = View("ROADS", NOW, None, 4)
    years = cost.by_year(book, projects=projects, states=history("states", []), view=view)
    (found,) = cost.years(years, projects=projects, view=view).to_dict("records")
    assert (found["plan"], found["outlook"], found["variance"]) == (150, 140, -10)
    assert found["variance_share"] == pytest.approx(-10 / 150)
    assert (found["projects"], found["paired"], found["plan_only"], found["outlook_only"]) == (4, 2, 1, 1)


# --- underspend without slip ----------------------------------------------------------------------------------


def underspent(rows: dict[str, tuple[float, str | None, str | None]], *, flag: float = 0.2) -> pd.DataFrame:
    """Return underspends of projects: outlook of a plan of 100, end date a year before, end date now."""
    book, _ = year_rows({NOW: {name: (100, outlook) for name, (outlook, _, _) in rows.items()}})
    projects = history(
        "projects",
        [
            {"period": period, "project_id": name, "finish_baseline_on": end}
            for name, (_, *ends) in rows.items()
            for period, end in zip((THEN, NOW), ends, strict=True)
        ],
    )
    before, _ = year_rows({THEN: dict.fromkeys(rows, (100, 100))})
    view = VIEW
    years = cost.by_year(pd.concat([before, book]), projects=projects, states=history("states", []), view=view)
    found = cost.underspends(years, projects=projects, view=view, flag=flag)
    return found.set_index("project_id")


def test_underspend_without_slip() -> None:
    """A large underspend is listed with what became of the end date; exactly the flag counts, less does not."""
    found = underspent(
        {
            "KEPT": (80, "2030-01-01", "2030-01-01"), "EARLY": (50, "2030-01-01", "2029-12-31"),
            "LATE": (70, "2030-01-01", "2030-01-02"), "SMALL": (80.01, "2030-01-01", "2030-01-01"),
            "LOST": (10, "2030-01-01", None), "NEVER": (10, None, "2030-01-01"),
        }
    )  # fmt: skip
    assert found["moved_days"].dropna().to_dict() == {"EARLY": -1, "LATE": 1, "KEPT": 0}
    assert found["kept"].dropna().to_dict() == {"EARLY": True, "LATE": False, "KEPT": True}
    assert found.loc["LOST", "reason"] == "no end date in this report"
    assert found.loc["NEVER", "reason"] == "no end date in the report of the year before"
    assert "SMALL" not in found.index


def test_an_underspend_of_a_newcomer_is_not_compared() -> None:
    """A project that was not in the report of the year before has no date to compare with, and says so."""
    book, projects = year_rows({THEN: {"B": (1, 1)}, NOW: {"A": (100, 10)}})
    years = cost.by_year(book, projects=projects, states=history("states", []), view=VIEW)
    (found,) = cost.underspends(years, projects=projects, view=VIEW, flag=0.2).to_dict("records")
    assert found["reason"] == "not in the report of the year before"
    assert pd.isna(found["moved_days"])


# --- disclosure -----------------------------------------------------------------------------------------------


def test_disclosure_by_state() -> None:
    """A cost is published, a range, withheld or not set; the share counts single figures over all projects."""
    states = [state("B", "withheld", reason="s43"), state("C", "range", low="1")]
    rows = [{"period": NOW, "project_id": i, COST: 5.0 if i == "A" else None} for i in "ABCD"]
    projects = history("projects", [*rows, {"period": THEN, "project_id": "A", COST: 1.0}])
    now = cost.disclosure(projects, states=history("states", states), view=VIEW)
    assert list(now["state"]) == ["published", "withheld", "range", "not set"]
    assert list(now["published"]) == [True, False, False, False]
    trend = cost.disclosure_trend(projects, states=history("states", states), view=VIEW)
    assert list(zip(trend["period"], trend["projects"], trend["published_share"], strict=True)) == [
        (THEN, 1, 1.0), (NOW, 4, 0.25),
    ]  # fmt: skip


# --- the headline ---------------------------------------------------------------------------------------------


def figures_of(rows: Rows, projects: Rows, *, view: View) -> pd.DataFrame:
    """Return the published figures of a report."""
    known = {"projects": history("projects", projects), "states": history("states", []), "view": view}
    book = finance(rows)
    year = Year(accounts(book, programmes=current("programmes", []), **known))
    years = cost.Years(book, limits=Thresholds(), **known)
    return headline(year, years=years, lives=cost.Lives(**known)).set_index("name")


def test_headline_figures() -> None:
    """Each published total is the sum of a published column; the five that matter most come first."""
    view = View("ROADS", "2026-09", "2026-08", 4)
    projects = [
        {"period": period, "project_id": i, COST: value}
        for period, values in (("2026-08", (10.0, 20.0)), ("2026-09", (15.0, None)))
        for i, value in zip("AB", values, strict=True)
    ]
    found = figures_of([*monthly("A", forecast=12), *monthly("B")], projects, view=view)
    values = found["value"]
    assert list(found.index)[:5] == ["outlook", "budget", "variance", "movement", "in_year_variance_share"]
    assert (values["outlook"], values["variance"], values["spent"]) == (138 + 120, -18, 132)
    assert (values["whole_life_cost_before"], values["whole_life_cost"]) == (30, 15)
    assert (values["whole_life_re_based"], values["whole_life_no_figure_given"]) == (5, -20)
    assert values["in_year_variance_share"] == pytest.approx(18 / 240)
    assert found["reason"][values.isna()].ne("").all()
    assert found["reason"][values.notna()].isna().all()


def test_opening_figures() -> None:
    """The page opens with outlook, budget, variance, movement and plan, each with what stands behind it."""
    opened = opening(levels(entries(monthly("A", forecast=12))))
    assert list(opened["name"]) == ["outlook", "budget", "variance", "movement", "plan"]
    notes = dict(zip(opened["name"], opened["movement"], strict=True))
    assert notes["variance"] == "over budget, 1 of 1 project with both"
    assert notes["budget"] == "the plan: no budget was returned"
    assert opened["value"].isna().eq(opened["reason"].notna()).all()


def test_headline_of_a_silent_first_report() -> None:
    """A first report without any money publishes nulls with their reasons, and counts that are 0."""
    view = View("ROADS", NOW, None, 4)
    found = figures_of([], [{"period": NOW, "project_id": "A"}], view=view)
    assert found.loc["outlook", "reason"] == "no finance returned for this year"
    assert found.loc["whole_life_joined", "reason"] == "there is no earlier report to compare with"
    assert found.loc["in_year_projects", "value"] == 0
    assert found["value"].isna().eq(found["reason"].notna()).all()


# --- properties -----------------------------------------------------------------------------------------------

UNITS = ("RAIL", "ROADS", "WATER")
values = st.none() | st.integers(0, 10**13).map(lambda pence: pence / 100)


@st.composite
def two_reports(draw: st.DrawFn) -> tuple[Rows, Rows]:
    """Return the projects of two reports of three portfolios: some stay, join, leave, move, fall silent or speak."""
    reports: list[Rows] = []
    for _ in range(2):
        ids = draw(st.lists(st.sampled_from("ABCDEFGH"), unique=True))
        reports.append([at(i, draw(values), portfolio_id=draw(st.sampled_from(UNITS))) for i in sorted(ids)])
    return reports[0], reports[1]


def pence(rows: Rows) -> int:
    """Return the sum of costs in whole pence, by a plain loop."""
    return sum(round(row["cost"] * 100) for row in rows if row["cost"] is not None)


@settings(deadline=None, max_examples=6)
@given(two_reports())
def test_bridges_sum_and_moves_net_to_zero(reports: tuple[Rows, Rows]) -> None:
    """Parts sum to the whole in each portfolio; over all, moves net to zero and the rest is the bridge of one."""
    bridges = []
    for unit in UNITS:
        found = costs(*reports, view=View(unit, NOW, THEN, 4))
        own = [[row for row in report if row["portfolio_id"] == unit] for report in reports]
        assert round(found["amount"].sum() * 100) == pence(own[1]) - pence(own[0])
        assert found["project_id"].is_unique
        bridges.append(found)
    merged = [[{**row, "portfolio_id": "ROADS"} for row in report] for report in reports]
    whole, parts = bridge_steps(costs(merged[0], merged[1])), [rows for rows in bridges if len(rows)]
    if parts:
        together = summed(parts)
        found = amounts_of(together)
        assert found.pop("moved in", 0) + found.pop("moved out", 0) == 0
        assert found == amounts_of(whole)
        counts = dict(zip(together["step"], together["projects"], strict=True))
        assert counts["before"] == len(reports[0])
        assert counts["now"] == len(reports[1])


@settings(deadline=None, max_examples=6)
@given(two_reports(), st.integers(2, 9), st.randoms(use_true_random=False))
def test_bridges_scale_and_ignore_order(reports: tuple[Rows, Rows], factor: int, random: Any) -> None:
    """Scaled money scales every step, and the order of the rows changes nothing."""
    then, now = ([dict(row) for row in report] for report in reports)
    random.shuffle(then)
    random.shuffle(now)
    for row in (*then, *now):
        row["cost"] = None if row["cost"] is None else round(row["cost"] * 100) * factor / 100
    plain, scaled = bridge_steps(costs(*reports)), bridge_steps(costs(then, now))
    assert list(plain["step"]) == list(scaled["step"])
    assert [round(v * 100) * factor for v in plain["amount"]] == [round(v * 100) for v in scaled["amount"]]


pairs = st.tuples(st.none() | st.integers(-50, 500), st.none() | st.integers(-50, 500))
four_years = st.lists(pairs, min_size=4, max_size=4)


@settings(deadline=None, max_examples=6)
@given(st.dictionaries(st.sampled_from("ABCDE"), four_years, min_size=1), st.integers(2, 9))
def test_runs_equal_plain_loops_at_any_scale(figures: dict[str, list[Any]], factor: int) -> None:
    """Years running under plan are what a loop back from this year counts, whatever the unit of money."""
    years = ("2022-03", "2023-03", "2024-03", "2025-03")
    for scale in (1, factor):
        scaled = {
            year: {
                name: tuple(None if v is None else float(v * scale) for v in rows[i]) for name, rows in figures.items()
            }
            for i, year in enumerate(years)
        }
        found = compared(scaled)
        for name, rows in figures.items():
            known = under = 0
            broken = False
            for plan, outlook in reversed(rows):
                if plan is None or outlook is None or plan <= 0:
                    break
                known += 1
                broken = broken or not 100 * (outlook - plan) < -5 * plan
                under += not broken
            assert (found.loc[name, "years_under"], found.loc[name, "years_known"]) == (under, known)
