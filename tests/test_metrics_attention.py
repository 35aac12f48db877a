"""Is anyone on it: flags, proximity, registers kept for show, and projects without a register."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from registers import RULES, a_risk, few, register, risks, scored, table

from pmo_lib.errors import ReportError
from pmo_lib.metrics import attention, coverage
from pmo_lib.parameters.models import Thresholds

SEPTEMBER = "2026-09"
AS_OF = "2026-09-30"


def action(risk_id: str = "R-1", **changes: Any) -> dict[str, Any]:
    """Return an action on a risk that is still to be done in time."""
    return {"portfolio_id": "HWY", "action_id": f"A-{risk_id}", "status_date": AS_OF, "parent_kind": "risk",
            "parent_id": risk_id, "owner": "B. Doer", "description": "do it", "due_on": "2026-10-31",
            "source_ref": "r.xlsx, actions, row 2", **changes}  # fmt: skip


def issue(issue_id: str = "I-1", **changes: Any) -> dict[str, Any]:
    """Return an issue that came from risk R-1."""
    return {"portfolio_id": "HWY", "issue_id": issue_id, "status_date": AS_OF, "title": "It happened",
            "risk_id": "R-1", "raised_on": "2026-09-05", **changes}  # fmt: skip


def flags(*rows: dict[str, Any], actions: list[dict[str, Any]] | None = None,
          issues: list[dict[str, Any]] | None = None) -> pd.DataFrame:  # fmt: skip
    """Return the flags of a register; by default R-1 has its action, and the issue log is there."""
    return attention.risk_flags(
        register(list(rows)),
        actions=table("actions", [action()] if actions is None else actions),
        issues=table("issues", [issue()] if issues is None else issues),
        rules=RULES,
    )


# --- flags ------------------------------------------------------------------------------------------------------

SOUND = {"current_impact_level": 3}  # medium: within appetite


def test_sound_risk_has_no_flag() -> None:
    """A risk within appetite with owner, response, action, review and a day to come asks for nothing."""
    assert flags(a_risk("R-1", **SOUND)).empty


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"proximity_on": "2026-09-29"}, "past its date"),
        ({"probability": 1.0}, "certain, so an issue"),
        ({"current_impact_level": 4}, "above appetite, not escalated"),
        ({"owner": None}, "no owner"),
        ({"response": None}, "no response"),
        ({"reviewed_on": None}, "never reviewed"),
        ({"reviewed_on": "2026-07-01"}, "review overdue"),
        ({"probability": 0.0}, "cannot happen"),
        ({"closed_on": "2026-09-01"}, "has a closing date"),
        ({"cost_impact_low": 500_000}, "impacts out of order"),
        ({"days_impact_high": 1.0}, "impacts out of order"),
        ({"target_impact_level": 5}, "target above current"),
    ],
)
def test_each_fault_raises_its_flag_and_no_other(changes: dict[str, Any], flag: str) -> None:
    """One thing wrong with a sound risk is one flag, with the rule that it breaks."""
    found = flags(a_risk("R-1", **{**SOUND, **changes}))
    assert found["flag"].tolist() == [flag]
    assert found["rule"].iloc[0]
    assert found["flagged"].iloc[0] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"proximity_on": AS_OF},
        {"current_impact_level": 4, "status": "escalated"},
        {"current_impact_level": 5, "kind": "opportunity"},
        {"reviewed_on": "2026-07-02"},
        {"reviewed_on": None, "raised_on": "2026-09-01"},
        {"status": "closed", "owner": None},
    ],
)
def test_limits_are_kept_to_the_day(changes: dict[str, Any]) -> None:
    """On its day, on the 90th day since review, escalated, an opportunity, just raised or closed: no flag."""
    assert flags(a_risk("R-1", **{**SOUND, **changes})).empty


def test_accepted_risk_needs_no_action() -> None:
    """Only a risk that is to be treated is flagged for want of an action; one that is done counts as an action."""
    rows = [a_risk(name, **SOUND) for name in ("R-1", "R-2")]
    accepted = a_risk("R-3", **SOUND, response="accept")
    found = flags(*rows, accepted, actions=[action("R-1", done_on="2026-09-01")])
    assert found[["flag", "risk_id"]].to_numpy().tolist() == [["no action", "R-2"]]


def test_overdue_action_names_itself() -> None:
    """An action past its due date and not done is listed with its own owner, source and age."""
    found = flags(a_risk("R-1", **SOUND), actions=[action(due_on="2026-09-20"), action("R-1", action_id="A-2")]).iloc[0]
    assert (found["flag"], found["days"], found["owner"]) == ("action overdue", 10, "B. Doer")
    assert (found["detail"], found["source_ref"]) == ("A-R-1: do it", "r.xlsx, actions, row 2")


def test_log_that_was_not_returned_is_unknown_not_clean() -> None:
    """Without actions or issues nobody can say that every risk has its action; the page says that it is not known."""
    found = flags(a_risk("R-1", **SOUND), a_risk("R-2", status="occurred"), actions=[], issues=[])
    assert found["flag"].tolist() == ["no action", "action overdue", "occurred, no issue raised"]
    assert found["flagged"].isna().all()
    assert found["detail"].tolist() == ["no actions were returned", "no actions were returned", attention.NO_ISSUES]


def test_risk_that_occurred_needs_an_issue() -> None:
    """What has occurred is an issue: one without an issue of its own is flagged."""
    struck = {"status": "occurred", **SOUND}
    found = flags(a_risk("R-0", **SOUND, response="accept"), a_risk("R-1", **struck), a_risk("R-2", **struck))
    assert found[["flag", "risk_id"]].to_numpy().tolist() == [["occurred, no issue raised", "R-2"]]


def test_opportunity_that_came_true_needs_no_issue() -> None:
    """A gain is nothing that went wrong: an opportunity that has occurred is not flagged for want of an issue."""
    gain = a_risk("R-2", kind="opportunity", status="occurred", **SOUND)
    found = flags(a_risk("R-0", **SOUND, response="accept"), gain)
    assert "occurred, no issue raised" not in found["flag"].tolist()


@few
@given(risks())
def test_flags_are_counted_and_of_open_or_struck_risks(rows: list[dict[str, Any]]) -> None:
    """Each flag's count is its number of rows, sorted by urgency, and none is of a closed risk."""
    found = flags(*rows)
    states = {row["risk_id"]: row["status"] for row in rows}
    for flag, part in found.groupby("flag"):
        assert (part["flagged"] == len(part)).all(), flag
    assert found["flag"].map(attention.FLAGS.index).is_monotonic_increasing
    assert all(states[name] != "closed" for name in found["risk_id"])


# --- proximity --------------------------------------------------------------------------------------------------


@few
@given(risks())
def test_timeline_holds_every_open_risk_once(rows: list[dict[str, Any]]) -> None:
    """The timeline is the open register by date, those without a day last."""
    found = register([{**row, "proximity_on": None if n % 3 == 0 else f"2026-1{n % 3}-0{1 + n % 9}"}
                      for n, row in enumerate(rows)])  # fmt: skip
    timeline = attention.proximity_timeline(found, rules=RULES)
    assert sorted(timeline["risk_id"]) == sorted(found.loc[found["open"], "risk_id"])
    dates = timeline["proximity_on"]
    assert dates.dropna().is_monotonic_increasing
    assert dates.isna().is_monotonic_increasing


def test_timeline_states_the_ends_of_its_bands() -> None:
    """Imminent ends 30 days after the status date, near 90."""
    found = attention.proximity_timeline(register([a_risk("R-1")]), rules=RULES).iloc[0]
    assert (found["imminent_until_on"], found["near_until_on"]) == (
        pd.Timestamp("2026-10-30"),
        pd.Timestamp("2026-12-29"),
    )


# --- registers kept for show ------------------------------------------------------------------------------------


def patterns(issues: list[dict[str, Any]] | None = None, **periods: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the patterns of the register of September, with an issue log that a risk foresaw."""
    log = table("issues", [issue()] if issues is None else issues)
    return attention.register_patterns(scored(**periods), period=SEPTEMBER, issues=log, rules=RULES)


def reviewed(*numbers: int, **changes: Any) -> list[dict[str, Any]]:
    """Return risks that were all reviewed on the same day."""
    return [a_risk(f"R-{number}", **{"reviewed_on": "2026-09-18", **changes}) for number in numbers]


def test_bulk_review_tells_what_changed_besides_the_date() -> None:
    """Five risks of one day of review are listed, with those that are unchanged in all else since the last register."""
    before = reviewed(1, 2, 3, 4, 5, reviewed_on="2026-08-18")
    now = [*reviewed(1, 2, 3), *reviewed(4, probability=0.5), *reviewed(5, owner=None)]
    found = patterns(p2026_08=before, p2026_09=now)
    bulk = found.loc[found["pattern"].eq("reviewed in bulk")].iloc[0]
    assert (bulk["risks"], bulk["unchanged"]) == (5, 3)
    assert bulk["detail"] == "5 risks, 3 of them unchanged in all else: R-1, R-2, R-3, R-4, R-5"
    assert patterns(p2026_08=before, p2026_09=now[:4]).empty


def test_first_register_cannot_tell_what_is_unchanged() -> None:
    """Without an earlier register a bulk review is listed, and what is unchanged is not known."""
    bulk = patterns(p2026_09=reviewed(1, 2, 3, 4, 5)).iloc[0]
    assert pd.isna(bulk["unchanged"])
    assert bulk["detail"] == "5 risks: R-1, R-2, R-3, R-4, R-5"


def test_score_that_never_moves_is_listed_from_the_third_register() -> None:
    """The same score in every one of at least three registers is listed; one change ever, or two registers, are not."""
    still, moved = a_risk("R-1"), a_risk("R-2")
    july = [still, a_risk("R-2", current_impact_level=1)]
    found = patterns(p2026_07=july, p2026_08=[still, moved, a_risk("R-3")], p2026_09=[still, moved, a_risk("R-3")])
    assert found[["pattern", "subject_id", "periods"]].to_numpy().tolist() == [["score never moved", "R-1", 3]]
    assert found["detail"].tolist() == ["score 12 in 3 registers since Jul 2026"]


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"risk_id": None}, "names no risk"),
        ({"risk_id": "R-7"}, "its risk R-7 is in no register"),
        ({"raised_on": "2026-01-14"}, "its risk R-1 was raised only after it"),
    ],
)
def test_issue_that_no_risk_foresaw_is_listed(changes: dict[str, Any], detail: str) -> None:
    """An issue is foreseen by a risk of a register that was raised before it."""
    found = patterns([issue(**changes), issue("I-2")], p2026_09=[a_risk("R-1")])
    assert found[["subject_id", "detail"]].to_numpy().tolist() == [["I-1", detail]]


def test_risk_that_is_long_closed_still_foresaw_its_issue() -> None:
    """Any register up to this one counts, also one in which the risk stood last."""
    assert patterns(p2026_07=[a_risk("R-1")], p2026_08=[a_risk("R-2")], p2026_09=[a_risk("R-2")]).empty


# --- projects without a register --------------------------------------------------------------------------------


def projects(period: str = SEPTEMBER, **changes: Any) -> pd.DataFrame:
    """Return project P1 as it stood in a period, with ``period`` in front."""
    row = {"portfolio_id": "HWY", "project_id": "P1", "name": "Bridge", "currency": "GBP", "delivery_status": "active",
           "whole_life_cost_baseline": 1_000_000, "finish_baseline_on": "2027-03-31", **changes}  # fmt: skip
    rows = table("projects", [row])
    rows.insert(0, "period", period)
    return rows


def status(*ratings: tuple[str, str | None], project_id: str = "P1", **more: Any) -> pd.DataFrame:
    """Return the ratings (role, rating) of a project."""
    return table("status", [
        {"portfolio_id": "HWY", "project_id": project_id, "status_date": AS_OF, "assessor_role": role, "rating": rating,
         "rating_scale": "five-point", **more}
        for role, rating in ratings
    ])  # fmt: skip


def signs(
    *history: pd.DataFrame, ratings: pd.DataFrame | None = None, states: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the signs of the projects of the last period of a history."""
    return coverage.warning_signs(
        history[-1].drop(columns="period"),
        history=pd.concat(history, ignore_index=True),
        status=status(("SRO", "amber")) if ratings is None else ratings,
        states=table("states", []) if states is None else states,
        thresholds=Thresholds(),
    )


@pytest.mark.parametrize(
    ("before", "now", "raised"),
    [
        ({}, {}, set()),
        ({}, {"finish_baseline_on": "2027-06-29"}, set()),
        ({}, {"finish_baseline_on": "2027-06-30"}, {"finish_later"}),
        ({}, {"whole_life_cost_baseline": 1_100_000}, set()),
        ({}, {"whole_life_cost_baseline": 1_100_001}, {"cost_up"}),
        ({}, {"whole_life_cost_baseline": None}, {"cost_unknown"}),
        ({}, {"whole_life_cost_forecast": 9_000_000}, set()),
        ({"whole_life_cost_forecast": 1_000_000}, {"whole_life_cost_forecast": 9_000_000}, {"cost_up"}),
        ({}, {"finish_forecast_on": "2030-01-01"}, set()),
    ],
)
def test_sign_is_a_movement_beyond_the_limit_on_the_same_basis(
    before: dict[str, Any], now: dict[str, Any], raised: set[str]
) -> None:
    """Later by more than 90 days or dearer by more than 10 %: approved against approved, forecast with forecast."""
    found = signs(projects("2026-08", **before), projects(**now)).iloc[0]
    assert {sign for sign in coverage.SIGNS if found[sign] is not pd.NA and found[sign]} == raised
    assert found["signs"] == len(raised)


@pytest.mark.parametrize(
    ("given_ratings", "rating", "raised"),
    [
        ([("IPA", "red"), ("SRO", "green")], "red", "low_confidence"),
        ([("IPA", "amber"), ("SRO", "amber/red")], "amber/red", "low_confidence"),
        ([("IPA", None), ("SRO", "amber")], "amber", None),
        ([("IPA", None)], None, "unrated"),
    ],
)
def test_worst_rating_that_anyone_gave_decides(
    given_ratings: list[tuple[str, str | None]], rating: str | None, raised: str | None
) -> None:
    """A project is as doubtful as its most doubtful rater says, and unrated only if nobody rated it."""
    found = signs(projects(), ratings=status(*given_ratings)).iloc[0]
    assert found["rating"] == rating or (rating is None and pd.isna(found["rating"]))
    assert {sign for sign in ("low_confidence", "unrated") if found[sign]} == ({raised} if raised else set())


def test_withheld_values_are_told_as_withheld() -> None:
    """Where rating and cost are withheld, the reasons say so, and an unknown movement is no sign."""
    states = table("states", [
        {"portfolio_id": "HWY", "table_name": "status", "row_key": "P1|2026-09-30|SRO", "column_name": "rating",
         "state": "withheld", "reason": "section 24"},
        {"portfolio_id": "HWY", "table_name": "projects", "row_key": "P1", "column_name": "whole_life_cost_baseline",
         "state": "withheld"},
    ])  # fmt: skip
    found = signs(projects(whole_life_cost_baseline=None), ratings=status(("SRO", None)), states=states).iloc[0]
    assert (found["rating_reason"], found["cost_reason"]) == ("withheld (section 24)", "withheld")
    assert (found["before_reason"], found["finish_later"] is pd.NA) == ("no earlier return", True)


def wanted(rows: list[dict[str, Any]], *given_projects: dict[str, Any]) -> pd.DataFrame:
    """Return where a register is wanted among projects, given the risks of the register."""
    every = table("projects", [
        {"portfolio_id": "HWY", "name": f"Name {p['project_id']}", "currency": "GBP", "delivery_status": "active", **p}
        for p in given_projects
    ])  # fmt: skip
    ratings = pd.concat(
        [status(("SRO", p.get("objective", "amber")), project_id=p["project_id"]) for p in given_projects]
    )
    found = coverage.warning_signs(
        every,
        history=every.assign(period=SEPTEMBER),
        status=ratings,
        states=table("states", []),
        thresholds=Thresholds(),
    )
    return coverage.registers_wanted(found, register=register(rows))


def test_registers_are_wanted_by_signs_then_rating_then_cost() -> None:
    """Most signs first, then the worse rating, then the larger cost, then the id (the objective gives the rating)."""
    found = wanted(
        [],
        {"project_id": "A", "whole_life_cost_baseline": 5}, {"project_id": "B", "whole_life_cost_baseline": 9},
        {"project_id": "C", "objective": "red"}, {"project_id": "D", "objective": "red", "whole_life_cost_baseline": 1},
        {"project_id": "E", "objective": "green"}, {"project_id": "F", "whole_life_cost_baseline": 5},
    )  # fmt: skip
    assert found["project_id"].tolist() == ["C", "D", "E", "B", "A", "F"]
    assert found["rank"].tolist() == [1, 2, 3, 4, 5, 6]
    assert found["signs"].tolist() == [2, 1, 1, 0, 0, 0]


def test_project_with_an_open_risk_is_covered() -> None:
    """Only an open risk of its own covers a running project: no closed one, and none of the whole portfolio."""
    found = wanted(
        [a_risk("R-1", project_id="A"), a_risk("R-2", project_id="B", status="closed"), a_risk("R-3", project_id=None)],
        {"project_id": "A"}, {"project_id": "B"}, {"project_id": "C"}, {"project_id": "D", "delivery_status": "closed"},
    )  # fmt: skip
    assert found["project_id"].tolist() == ["B", "C"]


def test_costs_in_two_currencies_have_no_order() -> None:
    """Projects are not ranked by amounts that cannot be compared."""
    with pytest.raises(ReportError, match="EUR and GBP"):
        wanted([], {"project_id": "A", "whole_life_cost_baseline": 5},
               {"project_id": "B", "whole_life_cost_baseline": 5, "currency": "EUR"})  # fmt: skip


def test_texts_are_quoted_word_for_word() -> None:
    """Every sentence with a word that begins with risk is quoted once, with subject and source; none is invented."""
    texts = table("narratives", [
        {"portfolio_id": "HWY", "project_id": "P1", "status_date": AS_OF, "subject": "schedule", "source_ref": "row 7",
         "narrative": "All is well. There is a RISK of delay! The asterisk is none. Risks remain; so does hope."},
        {"portfolio_id": "HWY", "project_id": "P9", "status_date": AS_OF, "subject": "cost", "narrative": "A risk."},
    ])  # fmt: skip
    found = coverage.risk_sentences(
        wanted([], {"project_id": "P1"}),
        narratives=texts,
        status=status(("SRO", "amber"), narrative="Risks remain; so does hope.", source_ref="row 3"),
    )
    assert found[["subject", "sentence", "source_ref"]].to_numpy().tolist() == [
        ["rating", "Risks remain; so does hope.", "row 3"],
        ["schedule", "There is a RISK of delay!", "row 7"],
    ]
