"""Responses, overlaps, trend, burn-down, drawdown, issues and promises between projects."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
from histories import current, history as past
from hypothesis import given, settings, strategies as st
from registers import RULES, a_risk, register, risks, scored

from pmo_lib.metrics import blockers, drawdown, exposure, overlaps, responses, risk_trend
from pmo_lib.parameters.models import RiskRules

few = settings(max_examples=5, deadline=None)
SEPTEMBER = "2026-09"

# --- responses --------------------------------------------------------------------------------------------------


def of(**changes: Any) -> pd.Series[Any]:
    """Return what is said of the response of one open risk."""
    return responses.responses(register([a_risk("R-1", **changes)]), rules=RULES).iloc[0]


def test_value_and_leverage_by_hand() -> None:
    """Value = expected before − after, leverage = value ÷ cost, levels turned into figures by the printed scales.

    Today £160,000 × 0.25. Before: levels 4 × 4 for 3 × 4, so × 0.6 ÷ 0.4; target 2 × 3, so × 0.2 ÷ 0.4 and 0.2 ÷ 0.4.
    """
    row = of(response_cost=10_000)
    assert row["expected_inherent"] == pytest.approx(60_000)
    assert row["expected_target"] == pytest.approx(10_000)
    assert (row["value_so_far"], row["value_to_come"]) == (pytest.approx(20_000), pytest.approx(30_000))
    assert (row["leverage_so_far"], row["leverage"]) == (pytest.approx(2), pytest.approx(5))
    assert "5%, 20%, 40%, 60%, 85%" in row["rule"]


def test_a_probability_never_passes_one() -> None:
    """A risk at 0.9 cannot have been more than certain before its response."""
    row = of(probability=0.9, current_probability_level=4, inherent_probability_level=5)
    assert row["expected_inherent"] == pytest.approx(160_000)


def test_what_cannot_happen_is_worth_nothing() -> None:
    """At probability 0 the expected value is 0 before and after, and not unknown."""
    row = of(probability=0.0)
    assert row[["expected_inherent", "expected_money", "expected_target"]].tolist() == [0, 0, 0]


def test_a_larger_saving_is_value() -> None:
    """An opportunity that was made more likely has brought value, though its expected cost is negative."""
    levels = {"inherent_probability_level": 2, "inherent_impact_level": 4, "target_probability_level": 4}
    row = of(kind="opportunity", response="enhance", **levels, target_impact_level=4, response_cost=5_000)
    assert row["expected_inherent"] == pytest.approx(-20_000)
    assert row["value_so_far"] == pytest.approx(20_000)
    assert row["verdict"] == "on the way"


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"current_probability_level": 5}, "worse than before"),
        ({"inherent_probability_level": 3}, "no effect so far"),
        ({"inherent_probability_level": 3, "raised_on": "2026-09-01"}, "too early to say"),
        ({"inherent_probability_level": 3, "target_probability_level": 3, "target_impact_level": 4}, "aims at nothing"),
        ({"response": None}, "no response"),
        ({}, "on the way"),
        ({"current_probability_level": 2, "current_impact_level": 3}, "at its target"),
        ({"response": "accept"}, "accepted"),
        ({"target_impact_level": None}, "not known"),
    ],
)
def test_each_response_is_judged_by_its_levels(changes: dict[str, Any], verdict: str) -> None:
    """A response works if the score falls from inherent to target; it has as long as a review may take."""
    assert of(**changes)["verdict"] == verdict
    assert set(responses.VERDICTS) >= {verdict}


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"response_cost": None}, "leverage", "cost not stated"),
        ({"response_cost": 0}, "leverage", "the response costs nothing"),
        ({"response": None, "response_cost": None}, "leverage", "no response"),
        ({"inherent_impact_level": None, "response_cost": 1}, "leverage", "no inherent levels"),
        ({"cost_impact_likely": None}, "value", "no most likely impact in money"),
    ],
)
def test_leverage_that_cannot_be_computed_has_a_reason(changes: dict[str, Any], column: str, reason: str) -> None:
    """Without cost, levels or money there is no leverage, and it is not 0."""
    row = of(**changes)
    assert pd.isna(row["leverage"])
    assert row[f"{column}_reason"] == reason


@few
@given(risks(most=12))
def test_value_is_the_fall_of_the_expectation(rows: list[dict[str, Any]]) -> None:
    """Value so far and to come add up to before − target; every open risk is judged once; level up is never cheaper."""
    found = responses.responses(register(rows), rules=RULES)
    known = found.dropna(subset=["expected_inherent", "expected_target"])
    whole = known["expected_inherent"] - known["expected_target"]
    assert (known["value_so_far"] + known["value_to_come"]).tolist() == pytest.approx(whole.tolist())
    assert found["verdict"].isin(responses.VERDICTS).all()
    assert len(found) == sum(row["status"] in ("open", "escalated", None) for row in rows)
    assert (found["expected_inherent"].isna() == found["value_so_far"].isna()).all()


@given(st.lists(st.floats(0.001, 1), min_size=5, max_size=5))
def test_scales_rise_or_are_refused(scale: list[float]) -> None:
    """A scale on which a higher level stands for no more than a lower one is refused."""
    rising = all(low < high for low, high in pairwise(scale))
    if rising:
        assert RiskRules(probability_scale=tuple(scale)).probability_scale == tuple(scale)  # type: ignore[arg-type]
    else:
        with pytest.raises(ValueError, match="rise with the level"):
            RiskRules(probability_scale=tuple(scale))  # type: ignore[arg-type]


# --- overlaps ---------------------------------------------------------------------------------------------------


def test_worked_riskprob_bad() -> None:
    """Two causes with 0.38 and 0.44 do not give 0.82: a sum of chances is none (PRA 0.4.0, ``risk_prob``)."""
    causes = [(0.3, 0.8, 0.2), (0.2, 0.6, 0.4)]
    marginals = [p * given + (1 - p) * otherwise for p, given, otherwise in causes]
    assert marginals == pytest.approx([0.38, 0.44])
    assert overlaps.chance_of_any(marginals) == pytest.approx(1 - 0.62 * 0.56)
    assert overlaps.chance_of_any(marginals) != pytest.approx(0.82)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_chance_of_any_is_a_probability(chances: list[float]) -> None:
    """It lies between the largest chance and the lesser of 1 and their sum, and does not depend on their order."""
    found = overlaps.chance_of_any(chances)
    assert max(chances, default=0) - 1e-12 <= found <= min(1, sum(chances)) + 1e-12
    assert found == pytest.approx(overlaps.chance_of_any(chances[::-1]))


@pytest.mark.parametrize("chances", [[0.5, 1.01], [-0.1], [float("nan")]])
def test_what_is_no_probability_is_refused(chances: list[float]) -> None:
    """A chance above 1, below 0 or unknown is no chance to reckon with."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        overlaps.chance_of_any(chances)


def test_one_event_told_twice_is_counted_twice_and_said_so() -> None:
    """The same event of a project in two rows: all but the largest is counted twice; one cause of two events is not."""
    rows = [
        a_risk("R-1", event="Works  stop", cause="Rain"),
        a_risk("R-2", event="works stop", cause="Frost", probability=0.5),
        a_risk("R-3", event="Dam breaks", cause="rain", project_id="P2"), a_risk("R-4", event="Alone", cause="Alone"),
        a_risk("R-5", event="Works stop", status="closed"),
    ]  # fmt: skip
    found = overlaps.overlaps(register(rows)).set_index("link")
    twice, cause = found.loc[overlaps.EVENT], found.loc[overlaps.CAUSE]
    assert (twice["risk_ids"], twice["expected_money"], twice["counted_twice"]) == ("R-1, R-2", 120_000, 40_000)
    assert (twice["chance_together"], twice["chance_of_any"]) == (0.5, 1 - 0.75 * 0.5)
    assert (cause["risk_ids"], cause["projects"]) == ("R-1, R-3", "P1, P2")
    assert pd.isna(cause["counted_twice"])


def test_a_group_names_its_file_and_sheet_once() -> None:
    """Four rows of one sheet are told in one line with their numbers, and another file by itself."""
    places = ("r.xlsx, sheet risks, row 4", "r.xlsx, sheet risks, row 7", "s.csv, row 2")
    rows = [a_risk(f"R-{n}", cause="Rain", event=f"E{n}", project_id=f"P{n}", source_ref=place)
            for n, place in enumerate(places)]  # fmt: skip
    assert overlaps.overlaps(register(rows))["source_ref"].tolist() == ["r.xlsx, sheet risks, rows 4, 7; s.csv, row 2"]


# --- trend and burn-down ----------------------------------------------------------------------------------------


def test_trend_counts_each_register_and_leaves_gaps() -> None:
    """Each period has its own sums; one without a register has a reason and no figure, and drops nothing."""
    rows = scored(p2026_07=[a_risk("R-1"), a_risk("R-2", kind="opportunity")], p2026_09=[a_risk("R-2"), a_risk("R-3")])
    months = ("2026-07", "2026-08", "2026-09")
    projects = past("projects", [{"period": m, "project_id": "P1", "portfolio_id": "HWY"} for m in months])
    book = past("reserves", [
        {"period": m, "project_id": "P1", "portfolio_id": "HWY", "entry_id": f"E{n}", "kind": "contingency",
         "movement": way, "amount": amount}
        for m in months for n, (way, amount) in enumerate((("approved", 100_000.0), ("drawn", 20_000.0)))
        if m != "2026-07" or way == "approved"
    ])  # fmt: skip
    trend = risk_trend.exposure_trend(rows, projects=projects, reserves=book, appetite_grades=("low",))
    trend = trend.set_index("period")
    assert trend["net"].tolist()[::2] == [0, 80_000]
    assert trend["contingency_left"].tolist() == [100_000, 80_000, 80_000]
    assert trend.at["2026-08", "reason"] == risk_trend.NO_REGISTER
    assert pd.isna(trend.at["2026-08", "risks_open"])
    assert trend.loc["2026-09", ["came", "went", "threats_open", "above_appetite"]].tolist() == [1, 1, 2, 2]
    assert trend.at["2026-09", "exposure_ratio"] == 1


def test_burn_down_by_hand() -> None:
    """A risk is planned at its target from its day on; the gap is what its register promised less what became of it."""
    then = [a_risk("R-1", proximity_on="2026-09-15"), a_risk("R-2", proximity_on="2027-01-15")]
    now = [a_risk("R-1", proximity_on="2026-09-15"), a_risk("R-3", proximity_on="2026-10-15")]
    burn = risk_trend.burn_down(scored(p2026_08=then, p2026_09=now), period=SEPTEMBER, rules=RULES)
    august, september = burn.iloc[0], burn.iloc[1]
    assert august[["actual", "followed", "promised", "gap"]].tolist() == [80_000, 80_000, 80_000, 0]
    # R-1 should be at £10,000; R-2, still planned at £40,000, was dropped.
    assert september[["actual", "followed", "promised", "gap"]].tolist() == [80_000, 40_000, 50_000, -10_000]
    assert burn["planned"].dropna().tolist() == [80_000, 20_000]
    assert burn["on"].iloc[-1] == pd.Timestamp("2026-10-31")


@few
@given(risks(most=12))
def test_plan_ends_at_the_targets(rows: list[dict[str, Any]]) -> None:
    """Once all days are past, the plan is the sum of the targets, and of today's value where there is none."""
    found = responses.with_stances(register(rows), rules=RULES)
    far = risk_trend.planned_exposure(found, on=pd.Timestamp("2099-01-01"))
    assert far == pytest.approx(found["expected_target"].fillna(found["expected_money"]).sum())
    assert risk_trend.planned_exposure(found, on=pd.Timestamp("2000-01-01")) == pytest.approx(
        found["expected_money"].sum()
    )


# --- contingency against it -------------------------------------------------------------------------------------


def test_adequacy_by_expected_value_and_by_simulation() -> None:
    """Left ÷ exposure and left ÷ (P80 − P50); a project that was not simulated says so."""
    rows = register([a_risk("R-1", probability=0.5), a_risk("R-2", probability=0.5), a_risk("R-3", project_id="P2")])
    held = current("projects", [{"project_id": p, "contingency_approved": 120_000.0} for p in ("P1", "P2")])
    left = exposure.contingency_left(held, reserves=current("reserves", []))
    columns = dict.fromkeys(drawdown.OF_CONTINGENCY)
    positions = pd.DataFrame([{"project_id": "P1", "kind": "contingency", **columns, "burn_ratio": 1.3}])
    levels = pd.DataFrame({"project_id": ["", "P1"], "p50": [1.0, 700_000.0], "p80": [2.0, 760_000.0]})
    cover = exposure.exposure_cover(rows, contingency=left)
    found = drawdown.drawdown(cover, positions=positions, levels=levels, register=rows).set_index("project_id")
    assert found.at["P1", "adequacy"] == 120_000 / 160_000
    assert (found.at["P1", "p80_p50"], found.at["P1", "adequacy_p80"]) == (60_000, 2)
    assert (found.at["P1", "burn_ratio"], found.at["P1", "chance_of_any"]) == (1.3, 0.75)
    assert (found.at["P2", "adequacy"], found.at["P2", "p80_reason"]) == (3, drawdown.NOT_SIMULATED)


# --- issues and promises ----------------------------------------------------------------------------------------


def issue(issue_id: str, **changes: Any) -> dict[str, Any]:
    """Return an open issue."""
    row = {"status_date": "2025-03-31", "title": "T", "severity": 4, "raised_on": "2025-03-01", "due_on": "2025-03-21"}
    return {"issue_id": issue_id, **row, "escalation_level": "board", **changes}


def test_open_issues_have_their_age_and_who_acts() -> None:
    """A blocker is an open issue of the severity that the settings say; resolved ones are out, later ones not yet."""
    rows = current("issues", [
        issue("I-1"), issue("I-2", severity=3, raised_on="2025-01-01", due_on=None),
        issue("I-3", resolved_on="2025-03-30"), issue("I-4", severity=5, resolved_on="2025-04-02"),
        issue("I-5", severity=None, raised_on=None),
    ])  # fmt: skip
    actions = current("actions", [{"action_id": "A", "parent_kind": "issue", "parent_id": "I-1", "description": "D"}])
    found = blockers.open_issues(rows, actions=actions, risks=current("risks", []), rules=RULES)
    assert found["issue_id"].tolist() == ["I-1", "I-4", "I-2", "I-5"]
    assert found["blocker"].tolist() == [True, True, False, False]
    assert found["age_days"].iloc[:3].tolist() == [30, 30, 89]
    assert found["overdue_days"].iloc[:2].tolist() == [10, 10]
    assert found["actions_open"].tolist() == [1, 0, 0, 0]
    unknown = blockers.open_issues(rows, actions=actions[:0], risks=current("risks", []), rules=RULES)
    assert unknown["actions_open"].isna().all()
    levels = blockers.escalations(rows, found=found).iloc[0]
    assert (levels["issues_open"], levels["blockers"], levels["overdue"], levels["resolved"]) == (4, 2, 3, 1)
    assert (levels["oldest"], levels["median_days_to_resolve"], levels["without_action"]) == ("I-2", 29, 3)


@few
@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.none() | st.integers(1, 5), st.booleans()), max_size=9))
def test_levels_lose_no_issue(rows: list[tuple[str | None, int | None, bool]]) -> None:
    """Open and resolved issues by level add up to the log, whatever it leaves out."""
    log = current("issues", [
        issue(f"I-{n}", escalation_level=level, severity=severity, resolved_on="2025-03-05" if over else None)
        for n, (level, severity, over) in enumerate(rows)
    ])  # fmt: skip
    found = blockers.open_issues(log, actions=current("actions", []), risks=current("risks", []), rules=RULES)
    levels = blockers.escalations(log, found=found)
    assert levels["issues_open"].sum() == len(found) == sum(not over for *_, over in rows)
    assert levels["resolved"].sum() == sum(over for *_, over in rows)


def need(portfolio: str, name: str, provider: str, recipient: str, **more: Any) -> dict[str, Any]:
    """Return a dependency that is agreed and in time, as one portfolio returns it."""
    ends = {"provider_project_id": provider, "recipient_project_id": recipient}
    days = {"needed_on": "2025-06-30", "promised_on": "2025-06-01", "agreed_by_provider": True}
    row = {"item": "Land", "status": "open", "agreed_by_recipient": True, "source_ref": f"{portfolio} {name}"}
    return {"portfolio_id": portfolio, "dependency_id": name, **ends, **days, **row, **more}


def test_both_sides_say_the_same_or_it_is_told() -> None:
    """A promise holds only if it is in time, agreed by both, and the same in both returns; ids alone match nothing."""
    mine = ["A", "B"]
    projects = past("projects", [{"period": "2025-03", "project_id": p, "name": p, "portfolio_id": "US"} for p in mine])
    rows = current("dependencies", [
        need("US", "D1", "A", "B"),
        need("US", "D2", "A", "B", promised_on="2025-07-10"),
        need("US", "D3", "W", "A"), need("THEM", "D3", "W", "A", item=" land"),
        need("US", "D4", "A", "X"), need("THEM", "D4", "A", "X", item="Keys", needed_on="2025-06-20"),
        need("US", "D5", "X", "B", agreed_by_provider=None),
        need("THEM", "D1", "A", "Y"), need("THEM", "D9", "Y", "X", promised_on="2025-12-31"),
        need("US", "D6", "A", "B", status="met", agreed_by_provider=False),
    ])  # fmt: skip
    found = blockers.dependencies_at_risk(rows, projects=projects, portfolio="US").set_index("source_ref")["trouble"]
    assert found.to_dict() == {
        "US D2": "promised after it is needed",
        "US D4": "the two returns differ: they say “Keys”; they have it needed 10 days earlier",
        "US D5": "agreed by recipient only; the two returns differ: we return it, they do not",
        "THEM D1": "the two returns differ: they return it, we do not",
    }  # fmt: skip
