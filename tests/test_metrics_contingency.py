"""Contingency and reserve: what is left, how fast it goes, what it covers; and what is done and decided next."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from histories import current
from hypothesis import given, settings, strategies as st

from pmo_lib.errors import ReportError
from pmo_lib.metrics.contingency import WHOLE, book_of_reserves, positions
from pmo_lib.metrics.followup import corrective_actions, next_decisions
from pmo_lib.parameters.models import Organisation, Thresholds

Rows = list[dict[str, Any]]
HOUSE = Organisation(id="x", name="X")
DAY = pd.Timestamp("2026-09-30")


def entry(project: str, movement: str, amount: float, **more: Any) -> dict[str, Any]:
    """Return one entry of the book; its id is what it says."""
    return {
        "project_id": project, "entry_id": f"{movement}-{amount}", "kind": "contingency", "movement": movement,
        "amount": amount, "booked_on": "2026-05-01", **more,
    }  # fmt: skip


def held(entries: Rows, *, complete: dict[str, float] | None = None, risks: Rows = ()) -> pd.DataFrame:  # type: ignore[assignment]
    """Return the positions of the projects that the entries name."""
    ids = sorted({r["project_id"] for r in entries})
    return positions(
        current("projects", [{"project_id": i, "management_reserve": 7.0} for i in ids]),
        reserves=current("reserves", entries),
        status=current("status", [{"project_id": i, "percent_complete": v} for i, v in (complete or {}).items()]),
        risks=current("risks", list(risks)),
        settings=HOUSE,
    )


def contingency_of(table: pd.DataFrame, project: str | None) -> pd.Series:
    """Return the contingency of a project, or of the whole."""
    here = table["project_id"].isna() if project is None else table["project_id"].eq(project)
    return table[here & table["kind"].eq("contingency")].iloc[0]


def risk(project: str | None, chance: float, impact: float, **more: Any) -> dict[str, Any]:
    """Return an open threat."""
    return {
        "risk_id": f"R-{project}-{impact}", "project_id": project, "kind": "threat", "status": "open",
        "status_date": "2025-03-31", "probability": chance, "cost_impact_likely": impact, **more,
    }  # fmt: skip


def test_drawdown_by_hand() -> None:
    """Left is approved − drawn + returned; used ÷ complete is the burn, red above 1.5; left ÷ Σ EMV the adequacy."""
    rows = [entry("A", "approved", 100), entry("A", "drawn", 50), entry("A", "returned", 10)]
    found = contingency_of(held(rows, complete={"A": 0.25}, risks=[risk("A", 0.5, 60)]), "A")
    assert (found["remaining"], found["used_share"], found["burn_ratio"], found["burn"]) == (60, 0.4, 1.6, "red")
    assert (found["expected_money"], found["adequacy"], found["flags"]) == (30, 2, "")


@pytest.mark.parametrize(("drawn", "burn"), [(60, "green"), (61, "amber"), (75, "amber"), (76, "red"), (0, "green")])
def test_burn_at_its_limits(drawn: float, burn: str) -> None:
    """A burn of exactly the limit is not above it: 1.2 is green, 1.5 is amber."""
    rows = [entry("A", "approved", 100), *([entry("A", "drawn", drawn)] if drawn else [])]
    assert contingency_of(held(rows, complete={"A": 0.5}), "A")["burn"] == burn


def test_what_is_not_known_is_not_green() -> None:
    """Without a share complete there is no burn, without a register no adequacy: null, each with its reason."""
    found = contingency_of(held([entry("A", "approved", 100), entry("A", "drawn", 20)]), "A")
    assert pd.isna(found["burn_ratio"])
    assert pd.isna(found["burn"])
    assert found["burn_reason"] == "no share complete above 0"
    assert pd.isna(found["adequacy"])
    assert found["adequacy_reason"] == "no risk register returned"


def test_overdrawn_is_negative_and_told() -> None:
    """More drawn than approved leaves less than nothing, and the row says so."""
    found = contingency_of(held([entry("A", "approved", 100), entry("A", "drawn", 130)]), "A")
    assert (found["remaining"], found["flags"]) == (-30, "overdrawn")


def test_management_reserve_is_kept_apart() -> None:
    """Management reserve is never in contingency, whatever is drawn from it."""
    rows = [entry("A", "approved", 100), entry("A", "approved", 40, kind="management_reserve", entry_id="M")]
    rows.append(entry("A", "drawn", 15, kind="management_reserve"))
    table = held(rows)
    assert contingency_of(table, None)["remaining"] == 100
    apart = table[table["kind"].eq("management_reserve")]
    assert list(apart["name"]) == [WHOLE, "A"]
    assert list(apart["remaining"]) == [25, 25]


def test_the_whole_covers_all_open_risks() -> None:
    """The portfolio's exposure holds also risks of no project, and those of projects without contingency."""
    rows = [entry("A", "approved", 100)]
    found = contingency_of(held(rows, risks=[risk("A", 0.5, 60), risk(None, 0.5, 340)]), None)
    assert (found["expected_money"], found["adequacy"], found["flags"]) == (200, 0.5, "less than the exposure")


def test_reserves_in_two_currencies_are_refused() -> None:
    """Contingency in pounds and in euros has no sum: the page is refused."""
    rows = [entry("A", "approved", 100), entry("A", "drawn", 5, currency="EUR")]
    with pytest.raises(ReportError, match="EUR"):
        book_of_reserves(
            current("reserves", rows), **{name: current(name, []) for name in ("projects", "changes", "risks")}
        )


@settings(deadline=None, max_examples=8)
@given(
    st.lists(
        st.tuples(st.sampled_from("ABC"), st.sampled_from(["approved", "drawn", "returned"]), st.integers(0, 10**9)),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_positions_equal_a_pivot_table(drawn: list[tuple[str, str, int]]) -> None:
    """The book's last remainder and the portfolio's are those of a pivot table in pence, whatever the order."""
    rows = [entry(p, m, pence / 100, entry_id=f"E{i}") for i, (p, m, pence) in enumerate(drawn)]
    rows += [entry(p, "approved", 1.0, entry_id=f"O{p}") for p in "ABC"]
    pence = pd.DataFrame(
        [(r["project_id"], r["movement"], round(r["amount"] * 100)) for r in rows], columns=["p", "m", "n"]
    )
    pivot = pence.pivot_table(index="p", columns="m", values="n", aggfunc="sum", fill_value=0)
    pivot = pivot.reindex(columns=["approved", "drawn", "returned"], fill_value=0)
    left = pivot["approved"] - pivot["drawn"] + pivot["returned"]
    table = held(rows)
    assert {p: round(contingency_of(table, p)["remaining"] * 100) for p in "ABC"} == left.to_dict()
    assert round(contingency_of(table, None)["remaining"] * 100) == left.sum()
    book = book_of_reserves(
        current("reserves", rows), **{name: current(name, []) for name in ("projects", "changes", "risks")}
    )
    assert round(book["remaining_all"].iloc[-1] * 100) == left.sum()
    last = book.drop_duplicates("project_id", keep="last").set_index("project_id")["remaining"]
    assert {p: round(v * 100) for p, v in last.items()} == left.to_dict()


def test_every_draw_names_its_reason() -> None:
    """A draw shows its change and its risk; without them, or with a change that nobody approved, it says so."""
    rows = [
        entry("A", "approved", 100, booked_on="2026-01-01"),
        entry("A", "drawn", 10, change_id="C1", booked_on="2026-02-01"),
        entry("A", "drawn", 11, change_id="C2", booked_on="2026-02-02"),
        entry("A", "drawn", 12, risk_id="R1", booked_on="2026-02-03"),
        entry("A", "drawn", 13, booked_on="2026-02-04"),
        entry("A", "drawn", 60, change_id="C9", risk_id="R9", booked_on="2026-02-05"),
    ]
    changes = [
        {"change_id": "C1", "effect_on_scope": "Wider", "decision": "approved", "decided_on": "2026-01-15"},
        {"change_id": "C2", "decision": "rejected", "decided_on": "2026-03-01"},
    ]
    found = book_of_reserves(
        current("reserves", rows), projects=current("projects", []), changes=current("changes", changes),
        risks=current("risks", [risk("A", 0.5, 1, risk_id="R1", title="Flood")]),
    )  # fmt: skip
    assert list(found["remaining"]) == [100, 90, 79, 67, 54, -6]
    assert list(found["flags"]) == [
        "", "", "change not approved; drawn before its decision", "", "names neither change nor risk",
        "overdraws; change not in the log; risk not in the register",
    ]  # fmt: skip
    assert (found["change"].iloc[1], found["risk"].iloc[3]) == ("Wider", "Flood")


# --- actions and decisions ------------------------------------------------------------------------------------


def level(project: str, *, budget: float, outlook: float) -> dict[str, Any]:
    """Return a project's row of the levels."""
    return {
        "level": "project", "project_id": project, "name": project, "budget": budget, "variance": budget - outlook,
        "currency": "GBP",
    }  # fmt: skip


def test_an_overspend_without_action_is_told() -> None:
    """Only overspends beyond the tolerance ask for action, the largest first; one without an open action says so."""
    rows = pd.DataFrame([level("A", budget=100, outlook=120), level("B", budget=100, outlook=105),
                         level("C", budget=100, outlook=150), level("D", budget=100, outlook=90)])  # fmt: skip
    actions = [
        {"action_id": "1", "project_id": "A", "status_date": DAY, "description": "Mend", "due_on": "2026-09-20"},
        {"action_id": "2", "project_id": "C", "status_date": DAY, "description": "Done", "done_on": "2026-09-01"},
    ]
    found = corrective_actions(rows, actions=current("actions", actions), status_date=DAY, limits=Thresholds())
    assert list(found["project_id"]) == ["C", "A"]
    assert list(found["reason"]) == ["no open action", ""]
    assert (found["over"].tolist(), found["overdue_days"].iloc[1]) == ([50, 20], 10)
    none = corrective_actions(rows, actions=current("actions", []), status_date=DAY, limits=Thresholds())
    assert set(none["reason"]) == {"no actions were returned"}


def test_the_next_decisions() -> None:
    """Open decisions and gates within the horizon come by their day; what was decided or held is left out."""
    decisions = [
        {"decision_id": "D1", "ask": "Pay", "due_on": "2026-10-10", "status_date": DAY},
        {"decision_id": "D2", "ask": "Old", "due_on": "2026-09-10", "decided_on": "2026-09-11", "status_date": DAY},
        {"decision_id": "D3", "ask": "Some day", "status_date": DAY},
    ]
    gates = [
        {"project_id": "A", "gate": "Gate 2", "planned_on": "2026-09-20"},
        {"project_id": "A", "gate": "Gate 3", "planned_on": "2027-09-20"},
        {"project_id": "A", "gate": "Gate 1", "planned_on": "2026-01-20", "held_on": "2026-01-20"},
    ]
    projects = current("projects", [{"project_id": "A", "name": "Bridge"}]).assign(period="2026-09")
    found = next_decisions(
        current("decisions", decisions), gates=current("gates", gates), projects=projects, status_date=DAY,
        limits=Thresholds(),
    )  # fmt: skip
    assert list(found["subject"]) == ["Gate 2", "Pay", "Some day"]
    assert found["days"].tolist()[:2] == [-10, 10]
    assert found["name"].iloc[0] == "Bridge"
