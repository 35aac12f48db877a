"""Computed health: measures, limits, hysteresis, overrides, data quality, exceptions, actions, gates and artefacts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
from histories import current, history
from hypothesis import HealthCheck, given, settings, strategies as st

from pmo_lib.metrics import assurance, computed, exceptions, gates, judgement
from pmo_lib.metrics.computed import COLOURS, WHOLE, Standard, rated
from pmo_lib.metrics.measures import MEASURES, OVERALL
from pmo_lib.metrics.movement import Between
from pmo_lib.parameters.models import Organisation, RatingRules, Thresholds

MONTHS = ("2026-06", "2026-07", "2026-08", "2026-09")
DAYS = {"2026-06": "2026-06-30", "2026-07": "2026-07-31", "2026-08": "2026-08-31", "2026-09": "2026-09-30"}
NOW = Between("ROADS", "2026-09", "2026-08")
LIMITS = Thresholds()
ORGANISATION = Organisation(id="o", name="O", rating=RatingRules(last_year={"slip_red_days": 200}))
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FIRST = {measure.dimension: measure.name for measure in reversed(MEASURES)}  # first measure of each dimension
SLIP = "forecast finish"


def measured(values: dict[str, list[float | None]], *, project: str = "A", dimension: str = "") -> pd.DataFrame:
    """Return measures by name, one value for each of the last months; dimensions that are not named have none."""
    rows = [
        {"period": month, "project_id": project, "status_on": pd.Timestamp(DAYS[month]), "dimension": m.dimension,
         "measure": m.name, "value": value, "reason": "" if value is not None else "not returned"}
        for m in MEASURES if not dimension or m.dimension == dimension
        for month, value in zip(MONTHS, values.get(m.name, [None] * 4), strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"value": "float64"})


GOOD: dict[str, list[float | None]] = {measure.name: [0.0] * 4 for measure in MEASURES}


def ratings_of(values: dict[str, list[float | None]], *, days: int = 56, dimension: str = WHOLE) -> pd.DataFrame:
    """Return the ratings of one dimension over the months."""
    table = rated(measured(values), limits=LIMITS, hysteresis_days=days)
    return table[table["dimension"].eq(dimension)].set_index("period")


# --- limits and the whole -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "expected"), [(30, "green"), (31, "amber"), (90, "amber"), (91, "red")])
def test_a_figure_above_its_limit_is_amber_or_red(days: float, expected: str) -> None:
    """A value at a limit is within it; the rating carries the figure and both limits."""
    row = ratings_of(GOOD | {SLIP: [0, 0, 0, days]}, dimension="time").loc["2026-09"]
    assert row[["raw", "measure", "amber", "red"]].tolist()[0] == expected
    assert (row["value"], row["amber"], row["red"]) == (days, 30.0, 90.0) or days == 0


def test_a_dimension_is_its_worst_measure() -> None:
    """Of two figures the one that is rated worse makes the rating, and of equals the one further beyond its limits."""
    row = ratings_of(GOOD | {SLIP: [0, 0, 0, 40], "finish by the work done": [0, 0, 0, 95]}, dimension="time").iloc[-1]
    assert (row["raw"], row["measure"], row["value"]) == ("red", "finish by the work done", 95)
    row = ratings_of(GOOD | {SLIP: [0, 0, 0, 60], "finish by the work done": [0, 0, 0, 50]}, dimension="time").iloc[-1]
    assert (row["raw"], row["measure"]) == ("amber", SLIP)


def test_the_whole_is_the_worst_of_four_and_no_mean() -> None:
    """One red dimension of four makes the whole red; risk, resources, governance and quality do not."""
    assert ratings_of(GOOD | {"benefits lost": [0, 0, 0, 0.21]})["raw"].iloc[-1] == "red"
    flagged = GOOD | {
        "exposure not covered": [1.0] * 4,
        "gate overdue": [500.0] * 4,
        "artefacts not approved": [1.0] * 4,
    }
    assert ratings_of(flagged)["raw"].iloc[-1] == "green"


def test_an_unknown_part_is_never_green() -> None:
    """With one of the four unknown the whole is null and says why; what is known to be worse still counts."""
    row = ratings_of(GOOD | {"benefits lost": [None] * 4}).iloc[-1]
    assert row["rating"] is None or pd.isna(row["rating"])
    assert row["reason"] == "benefits – benefits lost: not returned"
    assert ratings_of(GOOD | {"benefits lost": [None] * 4, SLIP: [31.0] * 4})["rating"].iloc[-1] == "amber"


# --- hysteresis -----------------------------------------------------------------------------------------------


def test_an_improvement_counts_once_it_has_lasted() -> None:
    """Worse counts at once; better after the days: first seen 31 July, 31 days on 31 August, 61 on 30 September."""
    found = ratings_of(GOOD | {SLIP: [100, 0, 0, 0]}, dimension="time")
    assert found["raw"].tolist() == ["red", "green", "green", "green"]
    assert found["rating"].tolist() == ["red", "red", "red", "green"]
    assert ratings_of(GOOD | {SLIP: [0, 0, 0, 100]}, dimension="time")["rating"].tolist()[-2:] == ["green", "red"]
    assert ratings_of(GOOD | {SLIP: [100, 0, 0, 0]}, days=0, dimension="time")["rating"].tolist()[1] == "green"


def test_a_report_that_cannot_tell_does_not_end_a_bad_rating() -> None:
    """A null between a red and a green is null itself, and the last known red still stands before it."""
    found = ratings_of(GOOD | {SLIP: [100, None, 0, 0], "finish by the work done": [None] * 4}, dimension="time")
    assert found["rating"].fillna("n/a").tolist() == ["red", "n/a", "red", "red"]


value = st.none() | st.floats(0, 300) | st.sampled_from([0.0, 0.05, 0.1, 0.2, 30.0, 90.0, 91.0])
histories_of_one = st.fixed_dictionaries(
    {measure.name: st.lists(value, min_size=4, max_size=4) for measure in MEASURES}
)


def marks(table: pd.DataFrame, column: str = "rating") -> pd.Series:
    """Return ranks by dimension and period; null is −1."""
    return computed.ranks(table.set_index(["dimension", "period"])[column]).fillna(-1.0)


@few
@given(values=histories_of_one, days=st.sampled_from([0, 28, 56, 120]))
def test_ratings_keep_their_properties(values: dict[str, list[float | None]], days: int) -> None:
    """In force is never better than raw, the whole never better than its worst of four, and null never green."""
    table = rated(measured(values), limits=LIMITS, hysteresis_days=days)
    known = table[table["raw"].notna()]
    assert (computed.ranks(known["rating"]) >= computed.ranks(known["raw"])).all()
    assert table.loc[table["raw"].isna(), "rating"].isna().all()
    assert table.loc[table["raw"].isna(), "reason"].ne("").all()
    for column in ("rating", "raw"):
        wide = table.pivot(index="period", columns="dimension", values=column).apply(computed.ranks)
        four = wide[list(OVERALL)]
        assert (wide[WHOLE].isna() | (wide[WHOLE] >= four.max(axis="columns"))).all()
        assert not (wide[WHOLE].eq(0) & four.isna().any(axis="columns")).any()
    assert table[["dimension", "measure"]].drop_duplicates().shape[0] >= len(FIRST)


@few
@given(
    values=histories_of_one,
    name=st.sampled_from([m.name for m in MEASURES]),
    at=st.integers(0, 3),
    more=st.floats(0, 500),
)
def test_a_worse_figure_never_improves_a_rating(
    values: dict[str, list[float | None]], name: str, at: int, more: float
) -> None:
    """Raising any figure of any report leaves every rating of every report as bad or makes it worse."""
    if values[name][at] is None:
        return
    worse = values | {name: [v if place != at else v + more for place, v in enumerate(values[name])]}
    before, after = (rated(measured(each), limits=LIMITS, hysteresis_days=56) for each in (values, worse))
    assert (marks(after) >= marks(before)).all()


@few
@given(values=histories_of_one, seed=st.integers(0, 1000))
def test_the_order_of_rows_says_nothing(values: dict[str, list[float | None]], seed: int) -> None:
    """Any permutation of the measures gives the same ratings."""
    rows = pd.concat([measured(values), measured(GOOD, project="B")], ignore_index=True)
    shuffled = rows.sample(frac=1.0, random_state=seed)
    one, other = (rated(each, limits=LIMITS, hysteresis_days=56) for each in (rows, shuffled))
    names = ["period", "project_id", "dimension", "rating", "raw"]
    pd.testing.assert_frame_equal(one[names], other[names])


# --- overrides ------------------------------------------------------------------------------------------------

SOUND = {
    "period": "2026-09", "project_id": "A", "dimension": "Time", "rating_from": "red", "rating_to": "amber",
    "reason_code": "Plan accepted", "evidence": "Minutes", "approver": "Office", "expires_on": "2026-09-30",
    "status_date": "2026-09-30",
}  # fmt: skip
PROJECT = {"period": "2026-09", "project_id": "A", "name": "Bridge", "manager": "M. Anager"}


def overridden(**changed: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the overrides and the ratings of September with one override of a red time rating."""
    found = rated(measured(GOOD | {SLIP: [0, 100, 100, 100]}), limits=LIMITS, hysteresis_days=56)
    rows = computed.overrides(
        history("overrides", [SOUND | changed]),
        computed=found,
        projects=history("projects", [PROJECT]),
        period="2026-09",
    )
    return rows, computed.with_overrides(found[found["period"].eq("2026-09")], given=rows).set_index("dimension")


def test_an_override_counts_to_its_last_day_and_stays_beside_the_computed() -> None:
    """With reason, evidence, approver and expiry it is in force, in the dimension and in the whole; computed stays."""
    rows, table = overridden()
    assert rows[["counts", "why_not"]].iloc[0].tolist() == ["counts", ""]
    assert table.loc["time", ["computed", "rating", "overridden"]].tolist() == ["red", "amber", True]
    assert table.loc[WHOLE, ["computed", "rating", "overridden"]].tolist() == ["red", "amber", True]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"expires_on": "2026-09-29"}, "expired"), ({"expires_on": None}, "no expiry"),
        ({"evidence": None}, "no evidence"), ({"reason_code": None}, "no reason"), ({"approver": None}, "no approver"),
        ({"rating_to": None}, "no rating to put in its place"),
        ({"approver": " m. anager"}, "approved by its manager"), ({"rating_from": "amber"}, "computed is red"),
        ({"rating_to": "amber/red"}, "not a rating on three points"),
    ],
)  # fmt: skip
def test_an_override_that_lacks_something_is_shown_and_does_not_count(changed: dict[str, Any], why: str) -> None:
    """What is expired, unproven, unapproved or about another rating is listed with its fault, and changes no rating."""
    rows, table = overridden(**changed)
    assert rows[["counts", "why_not"]].iloc[0].tolist() == ["does not count", why]
    assert table.loc["time", "rating"] == "red"
    assert not table["overridden"].any()


# --- data quality ---------------------------------------------------------------------------------------------


def quality(*, fresh: bool = True, **project: Any) -> pd.Series:
    """Return the data rating of one project that gives a finish, a budget and a baseline."""
    row = {"period": "2026-09", "project_id": "A", "finish_forecast_on": "2026-12-01", "budget_at_completion": 100.0,
           "delivery_status": "active"} | project  # fmt: skip
    tables = {name: current(name, []) for name in assurance.NEEDED}
    tables["status"] = current(
        "status", [{"project_id": "A", "status_date": "2026-09-30", "submitted_on": "2026-10-05"}]
    )
    tables["baselines"] = current("baselines", [{"project_id": "A", "version": "1", "budget": 100.0}])
    tables["findings"] = pd.DataFrame({"rule": pd.Series(dtype="str"), "key": pd.Series(dtype="str")})
    other = {"period": "2026-08", "project_id": "A", "sponsor": "S", "manager": "M", "stage": "Build", "category": "C"}
    found = assurance.assurance(
        tables, projects=history("projects", [other, row]), between=NOW, limits=LIMITS, fresh=fresh
    )
    return found.iloc[0]


def test_the_weakest_part_of_data_quality_decides() -> None:
    """Three shares stand apart; the least of them rates the data, and is neither averaged nor multiplied."""
    row = quality(sponsor="S", manager="M", stage="Build", category="C")
    assert (row["completeness"], row["freshness"], row["reconciliation"]) == (1.0, 1.0, 1.0)
    assert (row["rating"], row["assured"]) == ("green", True)
    row = quality(sponsor="S", manager="M", stage="Build", category="C", budget_at_completion=99.0)
    assert (row["weakest"], row["share"], row["rating"], row["assured"]) == ("reconciliation", 0.0, "red", False)
    row = quality(finish_forecast_on="2026-09-29", sponsor="S", manager="M", stage="Build", category="C")
    assert (row["weakest"], row["freshness"], row["freshness_n"], row["assured"]) == ("freshness", 0.5, 2, False)


def test_last_known_data_is_not_assured() -> None:
    """Where this period's return holds nothing usable, no rating is assured."""
    assert not quality(fresh=False)["assured"]


# --- exceptions, actions, the loop ----------------------------------------------------------------------------


def test_a_breach_dates_from_the_first_report_of_its_present_run() -> None:
    """A breach that ended and came again counts from the second time; unknown reports neither end nor begin it."""
    cases = {"A": [100, 0, 100, 120], "B": [100, 100, 100, 100], "C": [0, 100, None, 110], "D": [100, 100, 100, 0]}
    rows = pd.concat([measured({SLIP: values}, project=name) for name, values in cases.items()], ignore_index=True)
    table = rated(rows, limits=LIMITS, hysteresis_days=56)
    found = exceptions.breaches(table, period="2026-09").set_index("project_id")
    assert found["first_period"].to_dict() == {"A": "2026-08", "B": "2026-06", "C": "2026-07"}
    assert found["reports"].to_dict() == {"A": 2, "B": 4, "C": 2}
    assert found["from_the_start"].to_dict() == {"A": False, "B": True, "C": False}
    assert found["worse"].to_dict() == {"A": True, "B": False, "C": True}


def registers(**rows: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """Return histories of projects, decisions and actions; project A is ours in September."""
    given_rows = {"projects": [PROJECT | {"sponsor": "S. Ponsor"}], "decisions": [], "actions": []} | rows
    return {name: history(name, each) for name, each in given_rows.items()}


SEPTEMBER = {"period": "2026-09", "status_date": "2026-09-30", "project_id": "A"}
STATUS_ON = pd.Timestamp("2026-09-30")


def breached(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the exceptions of project A, which is 100 days late since August."""
    table = rated(measured({SLIP: [0, 0, 100, 100]}), limits=LIMITS, hysteresis_days=56)
    return exceptions.exceptions(table, tables=tables, between=NOW, status_on=STATUS_ON)


def test_an_exception_names_the_decision_or_says_that_none_is_asked_for() -> None:
    """The open decision of the project that is due first stands beside the breach, else the sponsor who has to ask."""
    alone = breached(registers()).iloc[0]
    assert (alone["dimension"], alone["first_period"]) == ("time", "2026-08")
    assert alone["decision_reason"] == "no decision is asked for (sponsor: S. Ponsor)"
    asked = SEPTEMBER | {"decision_id": "D1", "ask": "More time?", "decider": "Board", "due_on": "2026-10-10"}
    later = asked | {"decision_id": "D2", "ask": "Money?", "due_on": "2026-11-10"}
    done = asked | {"decision_id": "D0", "ask": "Old?", "due_on": "2026-09-01", "decided_on": "2026-09-05"}
    row = breached(registers(decisions=[later, done, asked])).iloc[0]
    assert row[["ask", "decider", "days_left"]].tolist() == ["More time?", "Board", 10]


def test_corrective_actions_have_age_and_effect_so_far() -> None:
    """Age counts from the first report of the action; the figure then stands beside the figure now."""
    action = SEPTEMBER | {"action_id": "X", "description": "Add a shift", "owner": "O", "due_on": "2026-09-20"}
    before = action | {"period": "2026-08", "status_date": "2026-08-31"}
    tables = registers(actions=[before, action])
    figures = measured({SLIP: [0, 0, 130, 100]})
    found = exceptions.corrective_actions(
        breached(tables), actions=tables["actions"], measured=figures, between=NOW, status_on=STATUS_ON
    )
    row = found.iloc[0]
    assert row[["overdue_days", "age_days", "value_before", "value_now", "helped"]].tolist() == [
        10,
        30,
        130,
        100,
        "better",
    ]


def test_an_action_is_judged_by_the_figure_that_is_breached() -> None:
    """For a breach of quality the share of artefacts counts, and neither another dimension nor another figure."""
    action = SEPTEMBER | {"action_id": "X", "description": "Approve the plan", "due_on": "2026-10-20"}
    before = action | {"period": "2026-08", "status_date": "2026-08-31"}
    tables = registers(actions=[before, action])
    late = {"artefacts not approved": [0.6, 0.6, 0.6, 0.4], SLIP: [0, 0, 10, 80]}
    table = rated(measured(late), limits=LIMITS, hysteresis_days=56)
    beyond = exceptions.exceptions(table, tables=tables, between=NOW, status_on=STATUS_ON)
    row = exceptions.corrective_actions(
        beyond, actions=tables["actions"], measured=measured(late), between=NOW, status_on=STATUS_ON
    ).iloc[0]
    assert row[["measure", "value_before", "value_now", "helped"]].tolist() == [
        "artefacts not approved", 0.6, 0.4, "better",
    ]  # fmt: skip
    worked = {SLIP: [0, 0, 10, 20], "finish by the work done": [0, 0, 95, 110]}
    table = rated(measured(worked), limits=LIMITS, hysteresis_days=56)
    beyond = exceptions.exceptions(table, tables=tables, between=NOW, status_on=STATUS_ON)
    row = exceptions.corrective_actions(
        beyond, actions=tables["actions"], measured=measured(worked), between=NOW, status_on=STATUS_ON
    ).iloc[0]
    assert row[["measure", "value_before", "value_now"]].tolist() == ["finish by the work done", 95, 110]


def test_the_loop_follows_what_was_asked_to_whether_it_helped() -> None:
    """Asked, taken, done, helped: each as far as it came, on the figure that stood worst before; too early is said."""
    june = {"period": "2026-06", "status_date": "2026-06-30", "project_id": "A"}
    decision = june | {"ask": "?", "decided_on": "2026-06-30", "outcome": "approved", "effect": "In the plan"}
    decisions = [
        decision | {"decision_id": "helped"},
        decision | {"decision_id": "refused", "outcome": "Refused"},
        decision | {"decision_id": "open", "decided_on": None, "outcome": None, "effect": None},
    ]
    late = SEPTEMBER | {"action_id": "X", "description": "d", "done_on": "2026-09-15", "due_on": "2026-09-10"}
    steps = exceptions.loop(
        registers(decisions=decisions, actions=[late]), measured=measured({SLIP: [100, 90, 80, 70]}), between=NOW,
        status_on=STATUS_ON, effect_days=90,
    ).set_index("id")  # fmt: skip
    assert steps["step"].to_dict() == {"helped": "helped", "open": "asked", "refused": "taken", "X": "done"}
    assert steps.loc["helped", ["value_before", "value_after", "helped"]].tolist() == [100, 80, "better"]
    assert steps.loc["X", ["helped", "late_days"]].tolist() == ["too early", 5]


# --- gates and artefacts --------------------------------------------------------------------------------------


def test_gates_are_overdue_due_or_held_with_conditions() -> None:
    """A gate has a state, its days, how its day moved since the first report, and the age of open conditions.

    Conditions that were set and of which nothing is said since are open, not closed.
    """
    rows = [
        {"period": "2026-08", "project_id": "A", "gate": "G2", "planned_on": "2026-09-01"},
        {"period": "2026-09", "project_id": "A", "gate": "G2", "planned_on": "2026-09-20"},
        {"period": "2026-09", "project_id": "A", "gate": "G3", "planned_on": "2026-12-29"},
        {"period": "2026-09", "project_id": "A", "gate": "G4", "planned_on": "2026-12-30"},
        {"period": "2026-09", "project_id": "A", "gate": "G1", "planned_on": "2026-06-01", "held_on": "2026-06-02",
         "outcome": "amber", "conditions": 3, "conditions_open": 1},
        {"period": "2026-09", "project_id": "A", "gate": "G1b", "planned_on": "2026-06-01", "held_on": "2026-06-01",
         "outcome": "amber", "conditions": 2},
        {"period": "2026-09", "project_id": "A", "gate": "G0", "planned_on": "2026-05-01", "held_on": "2026-05-02"},
    ]  # fmt: skip
    projects = history("projects", [PROJECT])
    ready = gates.readiness(history("artefacts", []), projects=projects, between=NOW, status_on=STATUS_ON)
    window = (STATUS_ON, pd.Timestamp("2026-12-29"))
    found = gates.calendar(history("gates", rows), ready=ready, projects=projects, between=NOW, window=window)
    told = found.set_index("gate")
    assert told["state"].to_dict() == {
        "G2": "overdue", "G3": "due", "G1": "conditions open", "G1b": "conditions open", "G4": "later", "G0": "held",
    }  # fmt: skip
    assert told.loc["G2", ["days", "moved_days"]].tolist() == [-10, 19]
    assert told.loc["G1", ["condition_days", "conditions_open"]].tolist() == [120, 1]
    assert told.loc["G1b", ["condition_days", "open_reason"]].tolist() == [121, "not stated"]
    assert found["gate"].tolist() == ["G2", "G3", "G1", "G1b", "G4", "G0"]


def test_artefacts_of_a_stage_still_to_come_are_not_required() -> None:
    """A stage that others went on to is ahead; what no project tells apart is required; approved may be overdue."""
    stages = [{"period": month, "project_id": "B", "stage": s} for month, s in zip(MONTHS, "abcd", strict=True)]
    projects = history("projects", [*stages, PROJECT | {"stage": "b"}])
    made = {"period": "2026-09", "project_id": "A", "present": True, "approved_on": "2026-01-01"}
    rows = [
        made | {"artefact": "case", "required_by_stage": "a", "review_due_on": "2026-09-29"},
        made | {"artefact": "plan", "required_by_stage": "b", "approved_on": None},
        made | {"artefact": "list", "required_by_stage": "b", "present": False},
        made | {"artefact": "note", "required_by_stage": "elsewhere"},
        made | {"artefact": "handover", "required_by_stage": "d", "present": False},
    ]
    row = gates.readiness(history("artefacts", rows), projects=projects, between=NOW, status_on=STATUS_ON).iloc[0]
    assert row[["required", "present", "approved", "overdue", "missing"]].tolist() == [4, 3, 2, 1, 1]
    assert row["lacking"] == "plan (not approved); list (missing)"
    assert row["readiness_share"] == 0.5


# --- all of it ------------------------------------------------------------------------------------------------

STATUS = {"assessor_role": "PM", "rating": "green", "rating_scale": "three-point", "submitted_on": "2026-10-05"}
BASE = {"finish_baseline_on": "2027-01-31", "whole_life_cost_baseline": 1000.0, "whole_life_cost_forecast": 1000.0,
        "budget_at_completion": 1000.0, "benefits_baseline": 50.0, "benefits_forecast": 50.0,
        "delivery_status": "active"}  # fmt: skip


def judged(*, organisation: Organisation = ORGANISATION, **tables: list[dict[str, Any]]) -> judgement.Judgement:
    """Return the judgement of a project that is 130 days later than its first baseline and on its present one."""
    projects = [
        {"period": month, "project_id": "A", "name": "Bridge", "finish_forecast_on": "2027-01-31"} | BASE
        for month in MONTHS
    ]
    status = [{"period": m, "project_id": "A", "status_date": DAYS[m]} | STATUS for m in MONTHS]
    versions = [
        {"period": m, "project_id": "A", "version": str(n), "approved_on": day, "budget": 1000.0, "finish_on": end}
        for m in MONTHS for n, day, end in ((1, "2026-01-05", "2026-09-23"), (2, "2026-05-20", "2027-01-31"))
    ]  # fmt: skip
    changes = [
        {"period": m, "project_id": "A", "change_id": "C", "decision": "rejected", "raised_on": "2026-01-01"}
        for m in MONTHS
    ]
    rows = {"projects": projects, "status": status, "baselines": versions, "changes": changes} | tables
    findings = pd.DataFrame({"rule": pd.Series(dtype="str"), "key": pd.Series(dtype="str")})
    return judgement.Judgement(
        {name: history(name, rows.get(name, [])) for name in judgement.NEEDED},
        findings=findings,
        settings=organisation,
        between=NOW,
    )


def switched(**rules: Any) -> Organisation:
    """Return the organisation with other rules of rating."""
    return ORGANISATION.model_copy(update={"rating": ORGANISATION.rating.model_copy(update=rules)})


def test_one_switch_rates_against_the_original_or_by_last_years_rules() -> None:
    """On its present baseline green; 130 days after the first one red; within last year's 200 days amber."""
    cases = [({}, "green"), ({"against": "original"}, "red"), ({"against": "original", "rules": "last year"}, "amber")]
    for rules, expected in cases:
        case = judged(organisation=switched(**rules))
        whole = case.ratings[case.ratings["dimension"].eq(WHOLE)].iloc[0]
        assert whole["rating"] == expected
        assert whole["against"] == str(Standard.in_force(case.settings))
    found = judged().rerated.set_index(["against", "rules"])
    assert found["differ"].to_dict() == {
        ("current", "today"): 0, ("current", "last year"): 0, ("original", "today"): 1, ("original", "last year"): 1,
    }  # fmt: skip
    assert found.loc[("original", "today"), "named"] == "Bridge (green to red)"


def test_no_report_is_held_against_a_baseline_of_later() -> None:
    """Approved in August: in June and July there is nothing to hold a proposal against, whoever asks in September."""
    outline = {"period": "", "project_id": "A", "name": "Bridge", "finish_forecast_on": "2027-01-31"}
    projects = [outline | (BASE if month > "2026-07" else {}) | {"period": month} for month in MONTHS]
    approved = {"project_id": "A", "version": "1", "approved_on": "2026-08-10", "budget": 1000.0}
    versions = [approved | {"period": m, "finish_on": "2027-01-31"} for m in MONTHS if m > "2026-07"]
    for rows in (versions, []):
        case = judged(projects=projects, baselines=rows)
        for against, measures in (("current", case.measured), ("original", case.from_the_start)):
            found = measures.pivot(index="measure", columns="period", values="value")
            for name in (SLIP, "changes outside the baseline", "benefits lost"):
                assert found.loc[name].notna().tolist() == [False, False, True, True], (against, name)


def test_last_years_rules_that_nobody_stated_are_null_with_a_reason() -> None:
    """Without limits of last year the comparison says so, and asking for them is an error of the parameters."""
    found = judged(organisation=Organisation(id="o", name="O")).rerated.set_index(["against", "rules"])
    assert pd.isna(found.loc[("current", "last year"), "differ"])
    assert "not stated" in found.loc[("current", "last year"), "reason"]
    with pytest.raises(ValueError, match="last year's limits are not stated"):
        RatingRules(rules="last year")
    with pytest.raises(ValueError, match="no threshold is named cost_rd"):
        RatingRules(last_year={"cost_rd": 0.1})


def test_reported_green_over_computed_red_is_listed_apart() -> None:
    """A judgement stays beside the computed rating and is never merged into it; only green over red is listed."""
    case = judged(organisation=switched(against="original"))
    assert case.outside_green[["project_id", "assessor_role", "rating", "computed"]].to_numpy().tolist() == [
        ["A", "PM", "green", "red"]
    ]
    assert judged().outside_green.empty
    figures = case.figures.set_index("name")["value"]
    assert (figures["green_outside_red_inside"], figures["computed_red"]) == (1, 1)
    rows = case.ratings
    assert rows.loc[rows["kind"].eq("rated by"), ["dimension", "rating", "scale"]].to_numpy().tolist() == [
        ["PM", "green", "three-point"]
    ]


def test_computed_ratings_have_transitions_as_a_rater_has() -> None:
    """The computed rating goes from the last report to this one in a matrix of its own."""
    flows = judged().flows
    own = flows[flows["assessor_role"].eq("computed") & flows["projects"].gt(0)]
    assert own[["rating_before", "rating", "projects"]].to_numpy().tolist() == [["green", "green", 1]]


def test_where_nothing_can_be_computed_nothing_is_green_and_reasons_are_given() -> None:
    """A source with names and ratings only keeps its raters; every computed rating is null and says why."""
    bare = [{"period": month, "project_id": "A", "name": "Bridge"} for month in MONTHS]
    case = judged(projects=bare, baselines=[], changes=[])
    own = case.present[~case.present["dimension"].isin(["data"])]
    assert own["rating"].isna().all()
    assert own["reason"].ne("").all()
    assert case.rerated.empty
    assert case.exceptions.empty
    assert case.figures.set_index("name").loc["computed_red", "reason"] == "no rating can be computed"
    assert case.ratings.loc[case.ratings["kind"].eq("rated by"), "rating"].tolist() == ["green"]


def test_limits_rise_from_amber_to_red() -> None:
    """Every measure names two limits that exist, and no dimension is without a measure."""
    for measure in MEASURES:
        assert getattr(LIMITS, measure.amber) <= getattr(LIMITS, measure.red)
    assert set(OVERALL) <= {measure.dimension for measure in MEASURES}
    assert all(COLOURS.index(a) < COLOURS.index(b) for a, b in pairwise(COLOURS))
