"""What is being done about the money, and when the next decisions fall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.movement import names_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.parameters.models import Thresholds

NEEDS = ("actions", "decisions", "gates")
ACTION_COLUMNS = [
    "project_id", "name", "over", "over_share", "action_id", "description", "owner", "due_on", "overdue_days", "effect",
    "reason", "currency", "source_ref",
]  # fmt: skip
DATE_COLUMNS = [
    "due_on", "days", "what", "subject_id", "subject", "project_id", "name", "decider", "amount", "cost_of_delay",
    "conditions_open", "currency", "source_ref",
]  # fmt: skip
NO_ACTION, NONE_RETURNED = "no open action", "no actions were returned"
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class FollowUp:
    """What a report says of actions and decisions; ``tables`` holds :data:`NEEDS` of one portfolio in one period."""

    tables: Mapping[str, pd.DataFrame]
    limits: Thresholds
    status_date: pd.Timestamp

    def corrective_actions(self, levels: pd.DataFrame) -> pd.DataFrame:
        """As :func:`corrective_actions`."""
        actions = self.tables["actions"]
        return corrective_actions(levels, actions=actions, status_date=self.status_date, limits=self.limits)

    def next_decisions(self, projects: pd.DataFrame) -> pd.DataFrame:
        """As :func:`next_decisions`."""
        decisions, gates = self.tables["decisions"], self.tables["gates"]
        limits = self.limits
        return next_decisions(decisions, gates=gates, projects=projects, status_date=self.status_date, limits=limits)


def corrective_actions(
    levels: pd.DataFrame, *, actions: pd.DataFrame, status_date: pd.Timestamp, limits: Thresholds
) -> pd.DataFrame:
    """Put beside each project that ends above its budget what is being done about it.

    Parameters
    ----------
    levels
        As :func:`pmo_lib.metrics.outlook.levels` returns it.
    actions
        Contract table of the period.
    status_date
        Day of the report.
    limits
        ``in_year_tolerance``: share of the budget above which an overspend needs an action.

    Returns
    -------
    DataFrame
        :data:`ACTION_COLUMNS`, the largest overspend first: one row per open action of such a project, or one row with
        a ``reason`` where it has none. ``over`` = outlook − budget; ``overdue_days`` is negative until the due date.
    """
    leaves = levels[levels["level"].eq("project") & levels["variance"].lt(0)]
    over = -leaves["variance"] / leaves["budget"].where(leaves["budget"].gt(0))
    far = leaves[over.gt(limits.in_year_tolerance + ROUNDING) | leaves["budget"].le(0)]
    rows = far[["project_id", "name", "currency"]].assign(over=-far["variance"], over_share=over)
    open_actions = actions[actions["done_on"].isna()]
    columns = ["project_id", "action_id", "description", "owner", "due_on", "effect", "source_ref"]
    table = rows.merge(open_actions[columns], how="left", on="project_id")
    late = (status_date - pd.to_datetime(table["due_on"])).dt.days.astype("Int64")
    why = NO_ACTION if len(actions) else NONE_RETURNED
    reason = pd.Series("", index=table.index, dtype="str").mask(table["action_id"].isna(), why)
    order = table.assign(overdue_days=late, reason=reason).sort_values(
        ["over", "project_id", "due_on", "action_id"], ascending=[False, True, True, True], kind="stable"
    )
    return order[ACTION_COLUMNS].reset_index(drop=True)


def next_decisions(
    decisions: pd.DataFrame,
    *,
    gates: pd.DataFrame,
    projects: pd.DataFrame,
    status_date: pd.Timestamp,
    limits: Thresholds,
) -> pd.DataFrame:
    """List the decisions that are sought and the gates to come, by their day; ``projects`` with ``period`` in front.

    Returns
    -------
    DataFrame
        :data:`DATE_COLUMNS`: decisions that are not taken (those without a deadline last), and gates that are not held
        and planned within ``milestone_horizon_days`` or past; ``days`` from the status date, negative where it is past.
    """
    asked = decisions[decisions["decided_on"].isna()].assign(what="decision")
    asked = asked.rename(columns={"decision_id": "subject_id", "ask": "subject"})
    until = status_date + pd.Timedelta(days=limits.milestone_horizon_days)
    held = gates[gates["held_on"].isna() & gates["planned_on"].le(until)]
    held = held.assign(what="gate", subject_id=held["gate"], subject=held["gate"], due_on=held["planned_on"])
    parts = [
        rows.reindex(columns=[name for name in DATE_COLUMNS if name not in ("days", "name")]) for rows in (asked, held)
    ]
    filled = [rows for rows in parts if len(rows)] or parts[:1]
    table = pd.concat(filled, ignore_index=True)
    days = (pd.to_datetime(table["due_on"]) - status_date).dt.days.astype("Int64")
    table = table.assign(days=days, name=table["project_id"].map(names_of(projects)).astype("object"))
    order = table.sort_values(["due_on", "what", "subject_id"], kind="stable", na_position="last")
    return order[DATE_COLUMNS].reset_index(drop=True)
