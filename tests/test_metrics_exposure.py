"""Exposure: sums and their gaps, movements and their bridge, contingency, and the figures that are published."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, strategies as st
from registers import RULES, a_risk, few, history, portfolios, register, risks, scored, table

from pmo_lib.errors import ReportError
from pmo_lib.metrics import attention, exposure, risk, risk_summary

SEPTEMBER = "2026-09"
NO_MOVES = pd.DataFrame(columns=list(exposure.MOVEMENT_COLUMNS))


def moves(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> pd.DataFrame:
    """Return what became of the risks of August in September."""
    return exposure.risk_movements(scored(p2026_08=before, p2026_09=now), period=SEPTEMBER)


def projects(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return projects of the portfolio; by default P1 and P2 with contingency."""
    given_rows = rows or ({"project_id": "P1", "contingency_approved": 100_000}, {"project_id": "P2"})
    return table("projects", [
        {"portfolio_id": "HWY", "name": f"Project {row['project_id']}", "currency": "GBP", **row} for row in given_rows
    ])  # fmt: skip


def reserves(*entries: tuple[str, str, int], kind: str = "contingency") -> pd.DataFrame:
    """Return entries (project, movement, amount) of the book of reserves."""
    return table("reserves", [
        {"portfolio_id": "HWY", "project_id": project, "entry_id": str(n), "kind": kind, "movement": movement,
         "amount": amount, "currency": "GBP"}
        for n, (project, movement, amount) in enumerate(entries)
    ])  # fmt: skip


def left(book: pd.DataFrame, *rows: dict[str, Any]) -> pd.Series[Any]:
    """Return the contingency of the first project."""
    return exposure.contingency_left(projects(*rows), reserves=book).iloc[0]


# --- sums -------------------------------------------------------------------------------------------------------


@few
@given(risks())
def test_exposure_equals_plain_sums_over_open_risks(rows: list[dict[str, Any]]) -> None:
    """By project and kind, exposure is Σ ± p × most likely impact of the open risks that state both."""
    found = exposure.risk_exposure(register(rows))
    is_open = [row for row in rows if row["status"] not in ("closed", "occurred")]
    assert found["risks_open"].sum() == len(is_open)
    for line in found.to_dict("records"):
        project = None if pd.isna(line["project_id"]) else line["project_id"]
        mine = [row for row in is_open if (row["kind"] or "not stated", row["project_id"]) == (line["kind"], project)]
        known = [row for row in mine if None not in (row["kind"], row["probability"], row["cost_impact_likely"])]
        signs = {"threat": 1, "opportunity": -1}
        assert line["risks_unquantified"] == len(mine) - len(known)
        if known:
            total = sum(signs[row["kind"]] * row["probability"] * row["cost_impact_likely"] for row in known)
            assert line["expected_money"] == pytest.approx(total)
        else:
            assert pd.isna(line["expected_money"])
            assert line["money_reason"] == f"none of {len(mine)} open is quantified in money"


@few
@given(risks(), st.integers(2, 50))
def test_exposure_is_linear_in_money(rows: list[dict[str, Any]], factor: int) -> None:
    """Impacts times k give exposure times k, with the same gaps."""
    larger = [
        {**row, "cost_impact_likely": None if row["cost_impact_likely"] is None else factor * row["cost_impact_likely"]}
        for row in rows
    ]
    one, many = (exposure.risk_exposure(register(each))["expected_money"] for each in (rows, larger))
    assert many.isna().equals(one.isna())
    assert many.dropna().tolist() == pytest.approx((factor * one.dropna()).tolist())


@few
@given(risks(most=6))
def test_closed_risk_adds_nothing(rows: list[dict[str, Any]]) -> None:
    """A risk that is closed or has occurred is in no sum and in no count of open risks."""
    more = [*rows, a_risk("R-98", status="closed"), a_risk("R-99", status="occurred")]
    pd.testing.assert_frame_equal(exposure.risk_exposure(register(rows)), exposure.risk_exposure(register(more)))


def test_several_currencies_have_no_sum() -> None:
    """Exposure in pounds and euros is refused, and the message names both."""
    with pytest.raises(ReportError, match="EUR and GBP"):
        exposure.risk_exposure(register([a_risk("R-1"), a_risk("R-2", currency="EUR")]))


def test_currency_of_a_risk_without_amount_does_not_matter() -> None:
    """Only amounts that are summed must have one currency."""
    rows = [a_risk("R-1"), a_risk("R-2", currency="EUR", cost_impact_likely=None)]
    assert set(exposure.risk_exposure(register(rows))["currency"]) == {"GBP"}


def test_amount_without_currency_is_read_in_the_portfolios_own() -> None:
    """The portfolio's currency stands in where a risk names none."""
    rows = history(p2026_09=[a_risk("R-1", currency=None)])
    found = risk.scored_risks(rows, portfolios=portfolios("USD"), rules=RULES)
    assert found["currency"].tolist() == ["USD"]


# --- movements --------------------------------------------------------------------------------------------------

OPEN: dict[str, Any] = {}
UP = {"status": "escalated"}
SHUT = {"status": "closed", "closed_on": "2026-08-20"}
STRUCK = {"status": "occurred"}
BLANK = {"cost_impact_likely": None}


@pytest.mark.parametrize(
    ("before", "now", "what", "cause", "moved"),
    [
        (None, OPEN, "new", "new", 40_000),
        (None, BLANK, "new", "not quantified", None),
        (None, SHUT, "new, already over", "not quantified", None),
        (OPEN, OPEN, "kept", "unchanged", 0),
        (OPEN, {"probability": 0.5}, "kept", "re-estimated", 40_000),
        (OPEN, BLANK, "kept", "no longer quantified", -40_000),
        (BLANK, OPEN, "kept", "newly quantified", 40_000),
        (BLANK, BLANK, "kept", "not quantified", None),
        (OPEN, UP, "escalated", "unchanged", 0),
        (UP, OPEN, "de-escalated", "unchanged", 0),
        (OPEN, SHUT, "closed", "closed", -40_000),
        (OPEN, STRUCK, "occurred", "occurred", -40_000),
        (SHUT, OPEN, "re-opened", "re-opened", 40_000),
        (STRUCK, UP, "re-opened", "re-opened", 40_000),
        (OPEN, None, "dropped", "dropped", -40_000),
        (BLANK, None, "dropped", "not quantified", None),
    ],
)
def test_every_movement_has_its_name_and_cause(
    before: dict[str, Any] | None, now: dict[str, Any] | None, what: str, cause: str, moved: float | None
) -> None:
    """What became of a risk follows from its two states, and why its money moved from what is known of both."""
    witness = a_risk("R-9")
    found = moves(
        [witness] if before is None else [witness, a_risk("R-1", **before)],
        [witness] if now is None else [witness, a_risk("R-1", **now)],
    ).set_index("risk_id")
    row = found.loc["R-1"]
    assert (row["what"], row["cause"]) == (what, cause)
    assert pd.isna(row["moved_money"]) if moved is None else row["moved_money"] == moved


@pytest.mark.parametrize(("before", "now"), [(SHUT, SHUT), (STRUCK, SHUT), (SHUT, None)])
def test_risk_that_was_over_and_still_is_does_not_move(before: dict[str, Any], now: dict[str, Any] | None) -> None:
    """What was closed or had occurred before and is not open now is no movement."""
    rows = [a_risk("R-9")] if now is None else [a_risk("R-9"), a_risk("R-1", **now)]
    assert moves([a_risk("R-9"), a_risk("R-1", **before)], rows)["risk_id"].tolist() == ["R-9"]


@pytest.mark.parametrize(("last", "what"), [(OPEN, "re-appeared"), (SHUT, "re-opened")])
def test_risk_seen_in_an_older_register_is_not_new(last: dict[str, Any], what: str) -> None:
    """A risk that was absent once came back: re-opened if it was closed, else re-appeared."""
    rows = scored(p2026_07=[a_risk("R-1", **last)], p2026_08=[a_risk("R-9")], p2026_09=[a_risk("R-1"), a_risk("R-9")])
    found = exposure.risk_movements(rows, period=SEPTEMBER).set_index("risk_id")
    assert (found.at["R-1", "what"], found.at["R-1", "cause"]) == (what, "re-opened" if last else "new")


def test_project_that_changed_portfolio_takes_its_risks_along() -> None:
    """Risks come and go with their project as moved in and moved out, never as new and dropped."""
    there = {"portfolio_id": "ICT"}
    found = moves(
        [a_risk("R-1", **there), a_risk("R-2", project_id="P2"), a_risk("R-3")],
        [a_risk("R-1"), a_risk("R-2", project_id="P2", **there), a_risk("R-3")],
    ).set_index("risk_id")
    assert found["what"].to_dict() == {"R-1": "moved in", "R-2": "moved out", "R-3": "kept"}
    assert found["portfolio_other"].to_dict()["R-1"] == found["portfolio_other"].to_dict()["R-2"] == "ICT"
    assert found["moved_money"].to_dict() == {"R-1": 40_000, "R-2": -40_000, "R-3": 0}


def test_register_that_was_not_returned_drops_nothing() -> None:
    """A blank return is not a register without risks: there is no movement at all."""
    assert exposure.risk_movements(scored(p2026_08=[a_risk("R-1")], p2026_09=[]), period=SEPTEMBER).empty


def test_first_register_has_no_movements() -> None:
    """Without an earlier register no risk is called new."""
    assert exposure.risk_movements(scored(p2026_09=[a_risk("R-1")]), period=SEPTEMBER).empty


@few
@given(risks(), risks())
def test_bridge_explains_the_whole_difference(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> None:
    """The steps of the bridge add up to exposure now less exposure before, both as the registers themselves have it."""
    found = moves(before, now)
    bridge = exposure.exposure_bridge(found)
    if bridge.empty:
        return
    steps = bridge.set_index("step")["amount"]
    causes = steps.drop(["before", "now"]).sum()
    ends = [exposure.risk_exposure(register(rows))["expected_money"].sum() for rows in (before, now)]
    assert [steps["before"], steps["now"]] == pytest.approx(ends)
    assert causes == pytest.approx(ends[1] - ends[0], abs=1e-6)
    assert set(steps.index) <= {"before", "now", *exposure.CAUSES}


@few
@given(risks(), risks())
def test_each_open_risk_moves_once(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> None:
    """Every risk that is open in either register has exactly one movement, with a known name."""
    found = moves(before, now)
    if found.empty:
        return
    is_open = {row["risk_id"] for row in [*before, *now] if row["status"] not in ("closed", "occurred")}
    assert found["risk_id"].is_unique
    assert is_open <= set(found["risk_id"])
    assert set(found["what"]) <= set(exposure.MOVES)


# --- headline ---------------------------------------------------------------------------------------------------


@few
@given(risks(), risks())
def test_net_is_the_sum_of_the_kinds(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> None:
    """The last row of the headline is the sum of the others, for counts, money, days, now and before."""
    rows = scored(p2026_08=before, p2026_09=now)
    found = risk.risk_register(rows, period=SEPTEMBER, states=table("states", []), rules=RULES)
    headline = risk_summary.exposure_headline(found, movements=exposure.risk_movements(rows, period=SEPTEMBER))
    if headline.empty:
        assert not now
        return
    kinds, net = headline.iloc[:-1], headline.iloc[-1]
    for name in ("risks_open", "risks_unquantified", "risks_without_days"):
        assert net[name] == kinds[name].sum()
    for name in ("expected_money", "expected_days"):
        assert pd.isna(net[name]) == kinds[name].isna().all()
        assert net[name] == pytest.approx(kinds[name].sum()) or pd.isna(net[name])
    reasons = headline["money_reason"].ne("")
    assert reasons.equals(headline["expected_money"].isna())


def test_threat_that_became_an_opportunity_moves_both_kinds() -> None:
    """Exposure before counts a risk under the kind that it had then."""
    rows = scored(p2026_08=[a_risk("R-1")], p2026_09=[a_risk("R-1", kind="opportunity")])
    found = risk.risk_register(rows, period=SEPTEMBER, states=table("states", []), rules=RULES)
    headline = risk_summary.exposure_headline(found, movements=exposure.risk_movements(rows, period=SEPTEMBER))
    assert headline.set_index("kind")["expected_money_before"].fillna(0).to_dict() == {
        "threat": 40_000, "opportunity": 0, "net": 40_000}  # fmt: skip
    assert headline.set_index("kind").at["net", "moved_money"] == -80_000


# --- contingency ------------------------------------------------------------------------------------------------


def test_contingency_left_is_approved_less_drawn_plus_returned() -> None:
    """The book of reserves decides where it approves: 90 − 40 + 5, whatever the project states."""
    found = left(reserves(("P1", "approved", 90), ("P1", "drawn", 25), ("P1", "drawn", 15), ("P1", "returned", 5)))
    assert (found["contingency_left"], found["basis"]) == (55, "book of reserves")


def test_without_a_book_the_stated_approval_stands_and_says_so() -> None:
    """Without entries the project's approved contingency is used, and what was drawn from it is not known."""
    found = left(reserves())
    assert (found["contingency_left"], found["basis"]) == (100_000, "approved; no entries in the book")
    assert pd.isna(found["drawn"])


def test_draws_without_an_approving_entry_reduce_the_stated_approval() -> None:
    """A book that only draws takes the approval from the project; an overdrawn contingency is negative."""
    found = left(reserves(("P1", "drawn", 130_000)))
    assert found["contingency_left"] == -30_000
    assert found["basis"] == "approved as the project states it, draws from the book"


def test_management_reserve_is_no_contingency() -> None:
    """Management reserve stays outside; a project with nothing else has an unknown contingency, not zero."""
    found = left(reserves(("P1", "approved", 90), kind="management_reserve"), {"project_id": "P1"})
    assert pd.isna(found["contingency_left"])
    assert found["reason"] == "no contingency was approved or stated"


def covered(rows: list[dict[str, Any]], *given_projects: dict[str, Any]) -> pd.DataFrame:
    """Return exposure beside contingency, without a book of reserves."""
    held = exposure.contingency_left(projects(*given_projects), reserves=reserves())
    return exposure.exposure_cover(register(rows), contingency=held).set_index("name")


def test_cover_sets_exposure_against_contingency() -> None:
    """Exposure 40,000 against 100,000 left is a ratio of 0.4, 60,000 to spare; without contingency there is none."""
    found = covered([a_risk("R-1"), a_risk("R-2", project_id="P2"), a_risk("R-3", project_id=None)])
    assert found.loc["Project P1", ["expected_money", "uncovered", "exposure_ratio"]].tolist() == [40_000, -60_000, 0.4]
    assert found["ratio_reason"].to_dict() == {
        "Project P1": "",
        "Project P2": "contingency unknown",
        "the portfolio as a whole": "contingency unknown",
    }
    assert found.at["the portfolio as a whole", "contingency_reason"] == "held by projects"


@pytest.mark.parametrize(
    ("contingency", "changes", "reason"),
    [(0, OPEN, "contingency is used up"), (100, BLANK, "exposure unknown"), (None, BLANK, "exposure unknown")],
)
def test_ratio_that_cannot_be_computed_has_a_reason(
    contingency: int | None, changes: dict[str, Any], reason: str
) -> None:
    """Nothing is divided by nothing, and an unknown exposure is not covered."""
    found = covered([a_risk("R-1", **changes)], {"project_id": "P1", "contingency_approved": contingency}).iloc[0]
    assert pd.isna(found["exposure_ratio"])
    assert found["ratio_reason"] == reason


def test_project_without_risks_keeps_its_contingency_in_view() -> None:
    """A project with contingency and no open risk says so; one with neither is left out."""
    found = covered([a_risk("R-1", project_id=None)])
    assert found.at["Project P1", "money_reason"] == "no open risk"
    assert "Project P2" not in found.index


def test_cover_in_two_currencies_is_refused() -> None:
    """Exposure in pounds is not set against contingency in dollars."""
    with pytest.raises(ReportError, match="GBP and USD"):
        covered([a_risk("R-1")], {"project_id": "P1", "contingency_approved": 5, "currency": "USD"})


# --- what is published ------------------------------------------------------------------------------------------


def published(rows: list[dict[str, Any]], *, before: list[dict[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the published figures by name, and the published exposure."""
    history_of = scored(p2026_08=before, p2026_09=rows)
    found = risk.risk_register(history_of, period=SEPTEMBER, states=table("states", []), rules=RULES)
    movements = exposure.risk_movements(history_of, period=SEPTEMBER)
    headline = risk_summary.exposure_headline(found, movements=movements)
    cover = exposure.exposure_cover(found, contingency=exposure.contingency_left(projects(), reserves=reserves()))
    flags = attention.risk_flags(found, actions=table("actions", []), issues=table("issues", []), rules=RULES)
    figures = risk_summary.published_figures(
        risk_summary.headline_figures(headline, movements=movements), register=found, flags=flags, cover=cover
    )
    return figures.set_index("name"), exposure.risk_exposure(found)


@few
@given(risks(), risks(most=3))
def test_published_totals_are_sums_of_published_columns(
    rows: list[dict[str, Any]], before: list[dict[str, Any]]
) -> None:
    """Each total equals the sum of a column of the published exposure, or is null with a reason."""
    figures, sums = published(rows, before=before)
    assert figures.index.is_unique
    assert (figures["value"].notna() | figures["reason"].ne("")).all()
    if not rows:
        return
    assert figures.at["risks_open", "value"] == sums["risks_open"].sum()
    assert figures.at["risks_unquantified", "value"] == sums["risks_unquantified"].sum()
    total = figures.at["exposure_net", "value"]
    assert (
        pd.isna(total) if sums["expected_money"].isna().all() else total == pytest.approx(sums["expected_money"].sum())
    )


def test_portfolio_without_a_register_publishes_no_zero() -> None:
    """Where no register was returned, every figure is null and says so."""
    figures, _ = published([], before=[a_risk("R-1")])
    assert figures["value"].isna().all()
    assert figures.loc["risks_new", "reason"] == figures.loc["exposure_net", "reason"] == risk_summary.NO_REGISTER


def test_first_register_publishes_its_counts_but_no_movement() -> None:
    """Movements without an earlier register are null, counts are not."""
    figures, _ = published([a_risk("R-1", owner=None)], before=[])
    assert figures.at["risks_open", "value"] == figures.at["risks_without_owner", "value"] == 1
    assert figures.loc["risks_new", "reason"] == risk_summary.NO_EARLIER
    assert figures.loc["risks_without_action", "reason"] == "no actions were returned"
    assert figures.at["risks_past_date", "value"] == 0


def test_ratio_of_the_whole_needs_every_contingency() -> None:
    """A project with exposure and unknown contingency leaves the ratio of the whole unknown, not what is left."""
    figures, _ = published([a_risk("R-1"), a_risk("R-2", project_id="P2")], before=[])
    assert figures.at["contingency_left", "value"] == 100_000
    assert figures.at["exposure_ratio", "reason"] == "contingency unknown for 1 with exposure"
    figures, _ = published([a_risk("R-1"), a_risk("R-3", project_id=None)], before=[])
    assert figures.at["exposure_ratio", "value"] == pytest.approx(0.8)


def test_tiles_open_with_what_is_known() -> None:
    """The head of a page shows money and days against contingency, and without a register what is missing most."""
    headline = risk_summary.exposure_headline(register([a_risk("R-1")]), movements=NO_MOVES)
    uncovered = pd.DataFrame(columns=list(exposure.COVER_COLUMNS))
    tiles = risk_summary.headline_tiles(headline, movements=NO_MOVES, cover=uncovered).set_index("name")
    assert list(tiles.index) == list(risk_summary.TILES)
    assert tiles["value"][["exposure_net", "exposure_net_days"]].tolist() == [40_000, 5]
    assert tiles.at["contingency_left", "reason"] == "none is known"
    none = risk_summary.exposure_headline(register([]), movements=NO_MOVES)
    bare = risk_summary.headline_tiles(none, movements=NO_MOVES, cover=uncovered)
    assert bare[["name", "reason"]].to_numpy().tolist() == [
        ["risks_open", risk_summary.NO_REGISTER], ["exposure_net", risk_summary.NO_REGISTER]]  # fmt: skip
