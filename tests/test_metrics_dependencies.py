"""Dependencies between projects, and milestones beside their network: float, what breaks, and in which order."""

from __future__ import annotations

from typing import Any

import pandas as pd
from histories import current, history
from hypothesis import given, settings, strategies as st
from networks import GENERAL_FOUNDRY, built

from pmo_lib.metrics.critical_path import schedule
from pmo_lib.metrics.dependencies import dependencies
from pmo_lib.metrics.milestones import ranked

PROJECTS = history("projects", [{"period": "2025-03", "project_id": key, "name": f"Project {key}"} for key in "ABCDE"])


def need(provider: str, recipient: str, spare: int | None, **more: Any) -> dict[str, Any]:
    """Return a dependency with some days of float."""
    needed = pd.Timestamp("2025-06-30")
    promised = None if spare is None else needed - pd.Timedelta(days=spare)
    row = {"dependency_id": f"{provider}{recipient}", "item": "Land", "needed_on": needed, "promised_on": promised}
    return {**row, "provider_project_id": provider, "recipient_project_id": recipient, "status": "open", **more}


def found(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return the dependencies by their id."""
    table = dependencies(current("dependencies", list(rows)), projects=PROJECTS)
    return table.set_index("dependency_id")


def test_a_late_promise_delays_what_waits_for_it() -> None:
    """A promise 20 days late delays the recipient by 20, what that one provides by 20 less its float, and so on."""
    table = found(need("A", "B", -20), need("B", "C", 5), need("C", "D", 30), need("B", "E", 0))
    assert table.loc["AB", "breaks"] == "Project B; Project C; Project E"
    assert table["recipient_days"].to_dict() == {"AB": 20, "BE": 20, "BC": 15, "CD": 0}
    assert table["reach"].to_dict() == {"AB": 4, "BE": 1, "BC": 2, "CD": 1}
    assert table.index.tolist() == ["AB", "BE", "BC", "CD"]  # least float first


def test_a_side_that_says_nothing_has_not_agreed() -> None:
    """A dependency is agreed by both sides, by one, or by neither; what is met or withdrawn is left out."""
    agreed = [(True, True), (True, None), (False, True), (None, None)]
    rows = [
        need("A", name, 1, agreed_by_provider=gives, agreed_by_recipient=takes)
        for name, (gives, takes) in zip("BCDE", agreed, strict=True)
    ]
    table = found(*rows, need("B", "C", -5, status="met"), need("B", "D", -5, status="withdrawn"))
    assert table["agreement"].to_dict() == {
        "AB": "both sides", "AC": "provider only", "AD": "recipient only", "AE": "neither side",
    }  # fmt: skip


def test_circles_and_missing_days_have_their_reason() -> None:
    """Projects that wait for each other are named, and pass nothing on; without a day there is no float."""
    table = found(need("A", "B", -3), need("B", "A", -3), need("B", "C", -4), need("C", "D", None))
    assert table.loc["AB", "float_reason"] == "they wait for each other: Project A → Project B → Project A"
    assert table.loc["CD", "float_reason"] == "needed or promised day not stated"
    assert table.loc[["AB", "BA", "CD"], "recipient_days"].isna().all()
    assert table.loc["BC", "recipient_days"] == 4


@settings(max_examples=15)
@given(st.lists(st.integers(-10, 10), min_size=1, max_size=4))
def test_a_chain_passes_on_what_float_leaves(spares: list[int]) -> None:
    """Along a chain the delay of the last project is what remains of all lateness after the float in between."""
    names = "ABCDE"
    rows = [need(names[place], names[place + 1], spare) for place, spare in enumerate(spares)]
    delay = 0
    for spare in spares:
        delay = max(0, delay - spare)
    table = found(*rows)
    assert table.loc[f"{names[len(spares) - 1]}{names[len(spares)]}", "recipient_days"] == delay


def test_no_dependency_is_no_row() -> None:
    """Without open dependencies there is a table without rows."""
    assert len(found()) == 0


def test_milestones_are_ranked_by_slip_float_and_followers() -> None:
    """Of equal slip, less float comes first, then more followers; a milestone is the task of its id or name."""
    paths = schedule(built(GENERAL_FOUNDRY)).paths
    rows = [
        ("P", "F", "Frame", 10), ("P", "A", "Start", 10), ("P", "X", "g", 10), ("P", "Y", "No task", 20),
        ("Q", "A", "Q", 5),
    ]  # fmt: skip
    slipping = pd.DataFrame(rows, columns=["project_id", "milestone_id", "milestone", "slip_days"]).assign(name="N")
    table = ranked(slipping, paths=paths)
    assert table["milestone_id"].tolist() == ["Y", "A", "X", "F", "A"]
    assert table["float_days"].tolist()[1:4] == [0, 0, 6]
    assert table["followers"].tolist()[1:4] == [5, 1, 1]  # A: C, E, F, G, H; G: H; F: H
    assert table["network_reason"].tolist()[0] == "not in it"
    assert table["network_reason"].tolist()[4] == "no network"
