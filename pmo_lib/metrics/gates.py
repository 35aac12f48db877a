"""Stage gates and the artefacts that a stage requires: when a gate is due, what it waits for, what it left open.

Readiness and its proof as in Office of Government Commerce, *OGC Gateway Process*, 2007: a review looks at the
documents that the stage requires, and its conditions stay open until each is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.movement import names_of

if TYPE_CHECKING:
    from pmo_lib.metrics.movement import Between

OVERDUE, DUE, AHEAD, CONDITIONS, HELD, UNDATED = (
    "overdue", "due", "later", "conditions open", "held", "no day planned",
)  # fmt: skip
ORDER = (OVERDUE, DUE, CONDITIONS, AHEAD, UNDATED, HELD)
GATE_COLUMNS = (
    "project_id", "name", "gate", "state", "planned_on", "first_planned_on", "moved_days", "held_on", "days",
    "outcome", "conditions", "conditions_open", "condition_days", "approved", "required", "readiness_share", "stage",
    "moved_reason", "outcome_reason", "open_reason", "condition_reason", "readiness_reason", "source_ref",
)  # fmt: skip
MISSING, NOT_APPROVED, REVIEW_DUE, APPROVED, NOT_STATED = (
    "missing", "not approved", "review overdue", "approved", "not stated",
)  # fmt: skip
ARTEFACT_COLUMNS = (
    "project_id", "name", "stage", "required", "present", "approved", "overdue", "missing", "lacking", "late",
    "readiness_share", "source_ref",
)  # fmt: skip
NO_ARTEFACT = "no artefact is required by now"


def required(artefacts: pd.DataFrame, *, projects: pd.DataFrame) -> pd.DataFrame:
    """Return the artefacts that are required by the stage that each project has reached.

    Parameters
    ----------
    artefacts, projects
        Histories, or tables with ``period``.

    Returns
    -------
    DataFrame
        Rows of ``artefacts``. A row without a stage is required from the start. A stage is still to come for a project
        that was never in it, if some project of these reports went from this project's stage to it, directly or
        through others; what nobody can tell apart counts as required.
    """
    stages = projects[["period", "project_id", "stage"]].drop_duplicates(["period", "project_id"])
    later = _later_stages(stages)
    been = stages.dropna().groupby("project_id")["stage"].agg(set).to_dict()
    now = stages.set_index(["period", "project_id"])["stage"].to_dict()
    keys = zip(artefacts["period"], artefacts["project_id"], artefacts["required_by_stage"], strict=True)
    to_come = [
        stage in later.get(now.get((period, project)), ()) and stage not in been.get(project, ())
        for period, project, stage in keys
    ]
    return artefacts[~pd.Series(to_come, index=artefacts.index, dtype="bool")]


def _later_stages(stages: pd.DataFrame) -> dict[object, set[object]]:
    """Return the stages that were seen to follow each stage, directly or through others."""
    order = stages.dropna().sort_values(["project_id", "period"], kind="stable")
    before = order.groupby("project_id")["stage"].shift()
    steps = {(a, b) for a, b in zip(before, order["stage"], strict=True) if isinstance(a, str) and a != b}
    later: dict[object, set[object]] = {}
    for start, _ in sorted(steps):
        reached, ahead = set[object](), [start]
        while ahead:
            here = ahead.pop()
            following = {b for a, b in steps if a == here} - reached
            reached |= following
            ahead += sorted(following)
        later[start] = reached - {start}
    return later


def states_of(artefacts: pd.DataFrame, *, status_on: pd.Series) -> pd.Series:
    """Return the state of each artefact: missing, not stated, not approved, review overdue or approved."""
    present = artefacts["present"].astype("boolean")
    state = pd.Series(APPROVED, index=artefacts.index, dtype="str")
    state = state.mask(artefacts["review_due_on"].lt(status_on), REVIEW_DUE)
    state = state.mask(artefacts["approved_on"].isna() | artefacts["approved_on"].gt(status_on), NOT_APPROVED)
    return state.mask(present.isna(), NOT_STATED).mask(present.eq(False).fillna(value=False), MISSING)


def readiness(
    artefacts: pd.DataFrame, *, projects: pd.DataFrame, between: Between, status_on: pd.Timestamp
) -> pd.DataFrame:
    """Say of each project which of the artefacts that its stage requires are there, approved, and reviewed in time.

    Parameters
    ----------
    artefacts, projects
        Histories.

    Returns
    -------
    DataFrame
        :data:`ARTEFACT_COLUMNS`, the least ready first; projects of which no artefact was returned are left out.
        ``approved`` includes those whose next review is ``overdue``; ``lacking`` names what is missing, not stated or
        not approved, ``late`` what is overdue for review. ``readiness_share`` = approved ÷ required.
    """
    now = between.now(projects).drop_duplicates("project_id")
    rows = required(between.now(artefacts), projects=projects)
    state = states_of(rows, status_on=pd.Series(status_on, index=rows.index))
    rows = rows.assign(
        present=state.isin([APPROVED, REVIEW_DUE, NOT_APPROVED]), approved=state.isin([APPROVED, REVIEW_DUE]),
        overdue=state.eq(REVIEW_DUE), missing=state.eq(MISSING),
        lacking=(rows["artefact"] + " (" + state + ")").where(~state.isin([APPROVED, REVIEW_DUE])),
        late=rows["artefact"].where(state.eq(REVIEW_DUE)),
    )  # fmt: skip
    sums = rows.groupby("project_id").agg(
        required=("artefact", "size"), present=("present", "sum"), approved=("approved", "sum"),
        overdue=("overdue", "sum"), missing=("missing", "sum"), lacking=("lacking", _named), late=("late", _named),
        source_ref=("source_ref", "first"),
    )  # fmt: skip
    table = sums.reset_index().merge(now[["project_id", "name", "stage"]], on="project_id")
    table["readiness_share"] = table["approved"] / table["required"]
    order = table.sort_values(["readiness_share", "overdue", "name"], ascending=[True, False, True], kind="stable")
    return order[list(ARTEFACT_COLUMNS)].reset_index(drop=True)


def calendar(
    gates: pd.DataFrame,
    *,
    ready: pd.DataFrame,
    projects: pd.DataFrame,
    between: Between,
    window: tuple[pd.Timestamp, pd.Timestamp],
) -> pd.DataFrame:
    """Return every gate of a portfolio: those overdue, due, with conditions open, and those held.

    Parameters
    ----------
    gates, projects
        Histories.
    ready
        Result of :func:`readiness`.
    window
        The status date, and the last day on which a gate is due soon.

    Returns
    -------
    DataFrame
        :data:`GATE_COLUMNS`, in order of state, then of day. ``days`` counts from the status date to the planned day
        (negative: overdue), or from the day it was held. ``moved_days`` = planned now − planned in the first report,
        positive is later. ``condition_days`` is how long conditions have been open: since the gate was held;
        where the return does not say how many are open, those that were set are.
        Readiness is told of gates that are not held.
    """
    day, until = window
    now = between.now(gates).drop_duplicates(["project_id", "gate"], keep="last").reset_index(drop=True)
    told = gates[gates["planned_on"].notna()].sort_values("period", kind="stable")
    first = told.drop_duplicates(["project_id", "gate"]).set_index(["project_id", "gate"])["planned_on"]
    held = now["held_on"].notna()
    # Conditions that were set stay open until the return says that none is.
    untold = held & now["conditions_open"].isna() & now["conditions"].fillna(0).gt(0)
    open_now = now["conditions_open"].fillna(0).gt(0) | untold
    keys = pd.MultiIndex.from_frame(now[["project_id", "gate"]])
    first_on = pd.Series(first.reindex(keys).to_numpy(), index=now.index, dtype="datetime64[us]")
    days = (now["planned_on"].where(~held, now["held_on"]) - day).dt.days.astype("Int64")
    shown = ready.set_index("project_id")[["approved", "required", "readiness_share", "stage"]]
    table = now.assign(
        name=now["project_id"].map(names_of(projects)),
        state=_gate_states(days, held=held, open_now=open_now, soon=now["planned_on"].le(until)),
        first_planned_on=first_on,
        moved_days=(now["planned_on"] - first_on).dt.days.astype("Int64"),
        days=days,
        condition_days=(day - now["held_on"]).dt.days.astype("Int64").where(open_now & held),
        moved_reason="no day planned",
        outcome_reason=pd.Series("not held", index=now.index, dtype="str").mask(held, "no outcome stated"),
        open_reason=pd.Series("not held", index=now.index, dtype="str")
        .mask(held, "none set")
        .mask(untold, "not stated"),
        condition_reason=pd.Series("none open", index=now.index, dtype="str").mask(~held, "not held"),
        readiness_reason=pd.Series(NO_ARTEFACT, index=now.index, dtype="str").mask(held, "held"),
    ).join(shown, on="project_id")
    table["readiness_share"] = table["readiness_share"].where(~held)
    table["rank"] = table["state"].map({state: place for place, state in enumerate(ORDER)})
    table["when"] = table["days"].where(~held, -table["days"])
    order = table.sort_values(["rank", "when", "name", "gate"], kind="stable")
    return order[list(GATE_COLUMNS)].reset_index(drop=True)


def _gate_states(days: pd.Series, *, held: pd.Series, open_now: pd.Series, soon: pd.Series) -> pd.Series:
    state = pd.Series(AHEAD, index=days.index, dtype="str").mask(soon, DUE)
    state = state.mask(days.lt(0).fillna(value=False), OVERDUE).mask(days.isna(), UNDATED)
    return state.mask(held, HELD).mask(held & open_now, CONDITIONS)


def _named(words: pd.Series) -> str:
    return "; ".join(words.dropna().astype("str"))
