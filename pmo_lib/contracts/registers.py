"""Registers: risks, issues, actions; and the states of cells without a plain value."""

from __future__ import annotations

from pmo_lib.contracts.parts import PROJECT_OF, STATES, STATUS_DATE, choice, column, table, three_point

RISKS = table(
    "risks",
    "A risk as the register has it at a status date",
    column("risk_id", "id", "Risk, unique in its portfolio", "key"),
    STATUS_DATE,
    PROJECT_OF,
    column("task_id", "id", "Task of its project that it delays; empty where it delays the finish"),
    choice("kind", "Threat or opportunity", "threat", "opportunity"),
    column("title", "text", "Title", "cell"),
    column("cause", "text", "Because of …"),
    column("event", "text", "… this may happen …"),
    column("effect", "text", "… which would lead to"),
    column("category", "text", "Category"),
    column("owner", "text", "Risk owner"),
    column("raised_on", "date", "Day it was raised"),
    column("reviewed_on", "date", "Day of the last review"),
    column("proximity_on", "date", "Earliest day on which it may strike"),
    column("velocity_days", "number", "Days from the day it strikes until its effect is felt", low=0),
    choice("status", "State", "open", "closed", "occurred", "escalated"),
    column("probability", "share", "Current probability"),
    *(
        column(f"{stance}_{scale}_level", "level", f"{stance.capitalize()} {scale}, 1–5")
        for stance in ("inherent", "current", "target")
        for scale in ("probability", "impact")
    ),
    *three_point("cost_impact", "money", "Effect on cost, a magnitude"),
    *three_point("days_impact", "number", "Effect on the finish in days, a magnitude"),
    column("currency", "text", "ISO 4217 code"),
    choice(
        "response",
        "Response",
        "avoid",
        "reduce",
        "transfer",
        "share",
        "accept",
        "exploit",
        "enhance",
    ),
    column("response_cost", "money", "Cost of the response", low=0),
    column("fallback_plan", "text", "What is done if it strikes"),
    column("closed_on", "date", "Day it was closed"),
)

ISSUES = table(
    "issues",
    "An issue as the log has it at a status date",
    column("issue_id", "id", "Issue", "key"),
    STATUS_DATE,
    PROJECT_OF,
    column("risk_id", "id", "Risk that came true"),
    column("title", "text", "Title", "cell"),
    choice(
        "class",
        "Class",
        "structure",
        "resourcing",
        "materialised risk",
        "funding",
        "dependency",
        "other",
    ),
    column("severity", "level", "1 low to 5 severe"),
    column("raised_on", "date", "Day it was raised"),
    column("due_on", "date", "Due"),
    column("resolved_on", "date", "Day it was resolved"),
    column("resolution", "text", "How"),
    column("escalation_level", "text", "Level it has reached"),
    column("owner", "text", "Issue owner"),
)

ACTIONS = table(
    "actions",
    "An action on a risk, issue, exception or gate condition",
    column("action_id", "id", "Action", "key"),
    STATUS_DATE,
    PROJECT_OF,
    choice("parent_kind", "What it serves", "risk", "issue", "exception", "gate condition"),
    column("parent_id", "id", "Id of what it serves"),
    column("owner", "text", "Action owner"),
    column("description", "text", "What is to be done", "cell"),
    column("due_on", "date", "Due"),
    column("done_on", "date", "Done"),
    column("effect", "text", "Effect so far"),
)

CELL_STATES = table(
    "states",
    "Why a cell has no value, or more than one; written by intake",
    column("table_name", "id", "Table of the cell", "key"),
    column(
        "row_key",
        "text",
        "Key of the row, its parts joined by '|' without portfolio_id",
        "key",
    ),
    column("column_name", "id", "Column of the cell", "key"),
    choice("state", "State", *STATES, need="cell"),
    column("reason", "text", "The reason in the source's words"),
    column("low", "text", "Lower end of a range, as a number or ISO date"),
    column("mid", "text", "Middle of a range"),
    column("high", "text", "Upper end of a range"),
)
