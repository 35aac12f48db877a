"""The register: matrix, scores, grades, expected values, trend, heat map and the largest risks."""

from __future__ import annotations

from itertools import product
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError
from registers import RULES, a_risk, few, history, portfolios, register, risks, scored, table

from pmo_lib.errors import ReportError
from pmo_lib.metrics import exposure, risk
from pmo_lib.parameters.models import GRADES, RiskRules

SEPTEMBER = "2026-09"
NONE_MOVED = pd.DataFrame(columns=list(exposure.MOVEMENT_COLUMNS))
LEVELS = (1, 2, 3, 4, 5)
# risk_score() of github.com/banillie/analysis_engine @9706036a, executed; rows are impact, columns likelihood.
PUBLISHED_WITH_HOLES = (
    ("low", "low", "low", "low", "low"),
    ("low", "low", "low", "low", "medium"),
    ("low", "low", "medium", "medium", "medium"),
    ("low", "low", "medium", "high", "high"),
    ("low", None, None, "high", "high"),
)

# --- the matrix -------------------------------------------------------------------------------------------------


def test_worked_risk_matrix_dft_bad() -> None:
    """A matrix that leaves two cells of the worst impact unrated, as a published one does, is found out by cell."""
    faults = risk.matrix_faults(PUBLISHED_WITH_HOLES)
    holes = faults.loc[faults["fault"].eq("no grade"), ["probability_level", "impact_level"]]
    assert holes.to_numpy().tolist() == [[5, 2], [5, 3]]
    with pytest.raises(
        ValidationError, match="not total: no grade for probability 5 × impact 2, probability 5 × impact 3"
    ):
        RiskRules(matrix=PUBLISHED_WITH_HOLES)  # type: ignore[arg-type]


def test_report_stops_at_an_unsound_matrix() -> None:
    """No risk is graded by a matrix that is not total, even where the parameters were not checked."""
    rules = RiskRules.model_construct(**{**RULES.model_dump(), "matrix": PUBLISHED_WITH_HOLES})
    with pytest.raises(ReportError, match="2 cells without a sound grade"):
        risk.scored_risks(history(p2026_09=[]), portfolios=portfolios(), rules=rules)


@pytest.mark.parametrize(
    "matrix", [(), (("low",) * 5,) * 4, (("low",) * 4,) * 5, (("low",) * 5,) * 4 + (("low",) * 6,)]
)
def test_matrix_of_another_size_is_a_fault(matrix: tuple[tuple[str, ...], ...]) -> None:
    """Levels are 1 to 5: a matrix that is not 5 × 5 cannot rate them all."""
    assert "not 5 × 5" in set(risk.matrix_faults(matrix)["fault"])


@given(st.lists(st.lists(st.sampled_from(GRADES), min_size=5, max_size=5), min_size=5, max_size=5))
def test_matrix_is_sound_just_when_no_grade_falls(matrix: list[list[str]]) -> None:
    """The faults are empty exactly if every cell is at least as grave as all cells with lower levels."""
    rank = [[GRADES.index(grade) for grade in row] for row in matrix]  # type: ignore[arg-type]
    monotone = all(
        rank[p][i] <= rank[q][j] for p, i, q, j in product(range(5), repeat=4) if p <= q and i <= j
    )  # fmt: skip
    assert risk.matrix_faults(matrix).empty == monotone


def test_grade_never_falls_as_a_level_rises() -> None:
    """Over all 25 positions a register grades monotonically in both levels, by the printed matrix."""
    rows = [
        a_risk(f"R-{p}{i}", current_probability_level=p, current_impact_level=i) for p, i in product(LEVELS, repeat=2)
    ]
    found = register(rows).set_index(["current_probability_level", "current_impact_level"])
    rank = {(p, i): GRADES.index(found.at[(p, i), "grade"]) for p, i in product(LEVELS, repeat=2)}
    assert all(rank[p, i] <= rank[q, j] for (p, i), (q, j) in product(rank, repeat=2) if p <= q and i <= j)
    assert found.at[(4, 5), "grade"] == RULES.matrix[3][4] == "severe"
    assert found["score"].to_dict() == {(p, i): p * i for p, i in rank}


# --- expected values --------------------------------------------------------------------------------------------


def test_expected_value_is_probability_times_most_likely_impact() -> None:
    """A cost of 160,000 at 25 % is worth 40,000 (PRINCE2 2009); the mean of three points, 47,500, is not taken."""
    found = register([a_risk("R-1", probability=0.25, cost_impact_likely=160_000)]).iloc[0]
    assert found["expected_money"] == 40_000
    assert (found["expected_money_low"], found["expected_money_high"]) == (25_000, 100_000)
    assert found["expected_days"] == 5


def test_opportunity_is_negative() -> None:
    """An opportunity saves: its expected cost and delay are negative."""
    rows = [a_risk("R-1"), a_risk("R-2", kind="opportunity", probability=0.5, cost_impact_likely=30_000)]
    found = register(rows).set_index("risk_id")
    assert found.at["R-2", "expected_money"] == -15_000
    assert found.at["R-2", "expected_days"] == -10


def test_returned_zero_is_a_figure() -> None:
    """What was returned as 0 is quantified, and an impossible opportunity is no minus zero."""
    rows = [a_risk("R-1", cost_impact_likely=0), a_risk("R-2", kind="opportunity", probability=0)]
    found = register(rows).set_index("risk_id")
    assert found["expected_money"].to_dict() == {"R-1": 0.0, "R-2": 0.0}
    assert str(found.at["R-2", "expected_money"]) == "0.0"
    assert found["money_reason"].to_dict() == {"R-1": "", "R-2": ""}


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"probability": None}, "money_reason", "no probability"),
        ({"cost_impact_likely": None}, "money_reason", "no most likely impact in money"),
        ({"probability": None, "cost_impact_likely": None}, "money_reason",
         "no probability; no most likely impact in money"),
        ({"cost_impact_likely": -5}, "money_reason", "negative impact: a magnitude is expected"),
        ({"kind": None}, "money_reason", "threat or opportunity not stated"),
        ({"days_impact_likely": None}, "days_reason", "no most likely impact in days"),
        ({"current_impact_level": None}, "score_reason", "no impact level"),
        ({"current_probability_level": None, "current_impact_level": None}, "score_reason",
         "no probability level; no impact level"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_is_null_with_its_reason(changes: dict[str, Any], column: str, reason: str) -> None:
    """A risk without a figure has no expected value and no zero, and says which cell is lacking."""
    value = {"money_reason": "expected_money", "days_reason": "expected_days", "score_reason": "score"}[column]
    found = register([a_risk("R-1", **changes)]).iloc[0]
    assert pd.isna(found[value])
    assert found[column] == reason


def test_withheld_is_not_missing() -> None:
    """Where the return says why a cell is empty, or gives a range, its words stand in the reason."""

    def told(column: str, **more: str) -> dict[str, str]:
        return {
            "portfolio_id": "HWY",
            "table_name": "risks",
            "row_key": "R-1|2026-09-30",
            "column_name": column,
            **more,
        }

    states = table("states", [
        told("probability", state="withheld", reason="section 43"),
        told("cost_impact_likely", state="range", low="10", mid="20", high="90"),
    ])  # fmt: skip
    found = register([a_risk("R-1", probability=None, cost_impact_likely=None)], states=states).iloc[0]
    assert found["money_reason"] == "probability withheld (section 43); most likely impact in money range (10, 20, 90)"


@pytest.mark.parametrize(
    ("status", "closed_on", "state"),
    [("open", None, "open"), ("escalated", None, "open"), ("closed", "2026-09-01", "closed"),
     ("closed", None, "closed"), ("occurred", None, "occurred"), (None, None, "open"),
     (None, "2026-09-30", "closed"), (None, "2026-10-01", "open"), ("open", "2026-09-01", "open")],
)  # fmt: skip
def test_stated_status_decides_what_is_open(status: str | None, closed_on: str | None, state: str) -> None:
    """A risk is as open as its status says; without one it is open until a closing date is past."""
    assert register([a_risk("R-1", status=status, closed_on=closed_on)])["state"].tolist() == [state]


def test_latest_status_date_of_a_period_stands() -> None:
    """A risk that was returned twice in a period counts once, as last returned."""
    rows = [a_risk("R-1", status_date="2026-09-30", probability=0.5), a_risk("R-1", status_date="2026-09-10")]
    assert register(rows)["probability"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("days", "band"),
    [(-1, "past"), (0, "imminent"), (30, "imminent"), (31, "near"), (90, "near"), (91, "far"), (None, "not stated")],
)
def test_proximity_bands_include_their_last_day(days: int | None, band: str) -> None:
    """A risk is imminent to the 30th and near to the 90th day after the status date; before it, it is past."""
    on = None if days is None else pd.Timestamp("2026-09-30") + pd.Timedelta(days=days)
    found = register([a_risk("R-1", proximity_on=on)]).iloc[0]
    assert found["proximity_band"] == band


def test_register_reads_from_the_worst_open_risk_on() -> None:
    """Open risks come first, by score and then by size of exposure, whatever the order in which they were returned."""
    rows = [
        a_risk("R-1", status="closed", current_probability_level=5, current_impact_level=5),
        a_risk("R-2"), a_risk("R-3", cost_impact_likely=900_000), a_risk("R-4", current_probability_level=5),
        a_risk("R-5", current_impact_level=None),
    ]  # fmt: skip
    assert register(rows)["risk_id"].tolist() == ["R-4", "R-3", "R-2", "R-5", "R-1"]


@few
@given(risks(), st.randoms(use_true_random=False))
def test_order_of_the_return_does_not_matter(rows: list[dict[str, Any]], random: Any) -> None:
    """The register, exposure and heat map are the same for any order of the rows."""
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, two = register(rows), register(shuffled)
    pd.testing.assert_frame_equal(one, two)
    pd.testing.assert_frame_equal(exposure.risk_exposure(one), exposure.risk_exposure(two))


@few
@given(risks())
def test_another_risk_leaves_the_others_as_they_are(rows: list[dict[str, Any]]) -> None:
    """Adding a risk changes no figure of any other."""
    more = register([*rows, a_risk("R-99")])
    kept = more.loc[more["risk_id"].ne("R-99")].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, register(rows))


# --- trend ------------------------------------------------------------------------------------------------------


def test_trend_is_score_now_less_score_of_the_same_risk_before() -> None:
    """The trend compares a risk with itself by id; without levels then, or without itself, it is null with a reason."""
    before = [a_risk("R-1", current_probability_level=5), a_risk("R-2", current_impact_level=None)]
    found = register([a_risk("R-1"), a_risk("R-2"), a_risk("R-3")], before=before).set_index("risk_id")
    assert found.at["R-1", "trend"] == 3 * 4 - 5 * 4
    assert found.loc[["R-2", "R-3"], "trend"].isna().all()
    assert found["trend_reason"].to_dict() == {
        "R-1": "",
        "R-2": "no levels before",
        "R-3": "not in the register before",
    }


def test_unreturned_register_is_stepped_over() -> None:
    """A period without a register is no period in which every risk was absent."""
    rows = scored(p2026_07=[a_risk("R-1", current_probability_level=1)], p2026_09=[a_risk("R-1")])
    assert risk.compared_period(rows, period=SEPTEMBER) == "2026-07"
    found = risk.risk_register(rows, period=SEPTEMBER, states=table("states", []), rules=RULES)
    assert found["trend"].tolist() == [12 - 4]
    assert exposure.risk_movements(rows, period=SEPTEMBER)["what"].tolist() == ["kept"]


def test_risk_of_a_project_that_moved_keeps_its_history() -> None:
    """A risk is itself where its project came from another portfolio; the same id elsewhere is another risk."""
    other = {"portfolio_id": "ICT"}
    rows = scored(
        p2026_08=[a_risk("R-1", **other, current_probability_level=1), a_risk("R-2", **other, project_id="X")],
        p2026_09=[a_risk("R-1"), a_risk("R-2")],
    )
    found = risk.risk_register(rows, period=SEPTEMBER, states=table("states", []), rules=RULES).set_index("risk_id")
    assert found.at["R-1", "trend"] == 12 - 4
    assert pd.isna(found.at["R-2", "trend"])


# --- the heat map -----------------------------------------------------------------------------------------------


@few
@given(risks())
def test_heat_map_loses_no_open_risk(rows: list[dict[str, Any]]) -> None:
    """In each stance, the counts and the risks without levels add up to the open risks."""
    found = register(rows)
    heat = risk.heat_map(found, rules=RULES, movements=NONE_MOVED)
    counted = int(found["open"].sum())
    assert heat.empty == (counted == 0)
    for _, cells in heat.groupby("stance"):
        assert len(cells) == 25
        assert cells["risks"].sum() + cells["risks_without_levels"].iloc[0] == counted


def test_heat_map_counts_each_stance_by_its_own_levels() -> None:
    """A risk stands at its inherent, current and target position, and above appetite by the matrix."""
    rows = [a_risk("R-1"), a_risk("R-2", kind="opportunity"), a_risk("R-3", target_impact_level=None)]
    heat = risk.heat_map(register(rows), rules=RULES, movements=NONE_MOVED)
    above = heat.loc[heat["stance"].eq("current"), "above_appetite"].sum()
    assert above == sum(grade in ("high", "severe") for row in RULES.matrix for grade in row)
    heat = heat.set_index(["stance", "probability_level", "impact_level"]).sort_index()
    assert heat.at[("inherent", 4, 4), "risks"] == 3
    assert heat.loc[("current", 3, 4), ["threats", "opportunities", "risks"]].tolist() == [2, 1, 3]
    assert heat.at[("target", 2, 3), "risks"] == 2
    assert heat.at[("target", 1, 1), "risks_without_levels"] == 1


def test_heat_map_counts_what_came_to_a_cell_and_went_from_it() -> None:
    """Between two registers a threat leaves one cell for another; what is new came, and what is over went."""
    before = [a_risk("R-1"), a_risk("R-2"), a_risk("R-3", kind="opportunity")]
    now = [a_risk("R-1", current_impact_level=2), a_risk("R-2", status="closed"), a_risk("R-4"),
           a_risk("R-3", kind="opportunity", current_impact_level=2)]  # fmt: skip
    rows = scored(p2026_08=before, p2026_09=now)
    found = risk.risk_register(rows, period=SEPTEMBER, states=table("states", []), rules=RULES)
    heat = risk.heat_map(found, rules=RULES, movements=exposure.risk_movements(rows, period=SEPTEMBER))
    cells = heat[heat["stance"].eq("current")].set_index(["probability_level", "impact_level"])
    assert cells.loc[(3, 4), ["came", "went"]].tolist() == [1, 2]
    assert cells.loc[(3, 2), ["came", "went"]].tolist() == [1, 0]
    assert cells[["came", "went"]].sum().tolist() == [2, 2]


def test_appetite_is_for_threats() -> None:
    """A large opportunity is not above appetite; a threat in the same cell is."""
    found = register([a_risk("R-1"), a_risk("R-2", kind="opportunity")]).set_index("risk_id")
    assert found["above_appetite"].to_dict() == {"R-1": True, "R-2": False}


# --- the largest ------------------------------------------------------------------------------------------------


def test_top_risks_show_where_the_two_orders_differ() -> None:
    """Both orders are listed with their ranks; a risk that ranks lower by score than by money has a positive gap."""
    rows = [
        a_risk("R-1", current_probability_level=5, cost_impact_likely=1_000),
        a_risk("R-2", current_probability_level=1, cost_impact_likely=9_000_000),
        a_risk("R-3", cost_impact_likely=None),
        a_risk("R-4", current_probability_level=1, kind="opportunity", cost_impact_likely=2_000),
    ]
    top = risk.top_risks(register(rows), rules=RULES.model_copy(update={"top": 2})).set_index("risk_id")
    assert top["rank_by_score"].to_dict() == {"R-1": 1, "R-3": 2, "R-2": 3, "R-4": 3}
    assert top.loc["R-1", ["rank_by_score", "rank_by_exposure"]].tolist() == [1, 3]
    assert top.loc["R-2", ["rank_by_score", "rank_by_exposure", "rank_gap"]].tolist() == [3, 1, 2]
    assert pd.isna(top.at["R-3", "rank_by_exposure"])
    assert top.loc["R-4", ["rank_by_score", "rank_by_exposure"]].tolist() == [3, 2]


def test_equal_risks_share_the_better_rank() -> None:
    """Two risks of the same score are both second, and the next is fourth."""
    rows = [
        a_risk("R-1", current_probability_level=5),
        a_risk("R-2"),
        a_risk("R-3"),
        a_risk("R-4", current_impact_level=1),
    ]
    top = risk.top_risks(register(rows), rules=RULES).set_index("risk_id")
    assert top["rank_by_score"].to_dict() == {"R-1": 1, "R-2": 2, "R-3": 2, "R-4": 4}


@few
@given(risks())
def test_unquantified_risks_are_listed_not_lost(rows: list[dict[str, Any]]) -> None:
    """Every open risk has both a score and an expected cost, or stands in the list with a reason for what it lacks."""
    found = register(rows)
    listed = risk.unquantified_risks(found)
    whole = found.loc[found["open"] & found["score"].notna() & found["expected_money"].notna(), "risk_id"]
    assert sorted([*whole, *listed["risk_id"]]) == sorted(found.loc[found["open"], "risk_id"])
    assert (listed["expected_money"].notna() | listed["money_reason"].ne("")).all()
    assert (listed["score"].notna() | listed["score_reason"].ne("")).all()
