"""The tables, long and tidy: one row is one fact, and every row says which cells it came from.

``portfolio_id`` is the first key of every table and ``source_ref`` (file, sheet, row) its last column. Money is in units of
the row's ``currency``; shares and probabilities are 0–1; levels 1–5. A cell without a value has a row in ``states``
that says why (see :data:`STATES`).
"""

from __future__ import annotations

from typing import Any

from pmo_lib.contracts.columns import Column, Kind, Table

RATINGS = ("green", "amber/green", "amber", "amber/red", "red")
STATES = ("reported", "withheld", "not set", "not returned", "range", "unreadable")
MEASURES = (
    "plan",
    "budget",
    "actual",
    "accrual",
    "commitment",
    "forecast",
    "transfer",
    "recharge",
    "capitalisation",
)


def _c(name: str, kind: Kind, meaning: str, need: Any = "", **more: Any) -> Column:
    return Column(name, kind, meaning, need, **more)


def _choice(name: str, meaning: str, *allowed: str, need: Any = "") -> Column:
    return Column(name, "choice", meaning, need, allowed=allowed)


def _rated(name: str, of: str) -> Column:
    return _choice(name, f"Rating of {of} on the row's scale", *RATINGS)


PORTFOLIO = _c("portfolio_id", "id", "Portfolio that the row belongs to", "key")
PROJECT = _c("project_id", "id", "Project, unique in its organisation", "key")
PROJECT_OF = _c(
    "project_id",
    "id",
    "Project concerned; empty where the row is about the whole portfolio",
)
STATUS_DATE = _c("status_date", "date", "Day that the return speaks of", "key")
CURRENCY = _c("currency", "text", "ISO 4217 code of the money in this row", "cell")
SOURCE = _c("source_ref", "text", "File, sheet and row of the fact; written by intake")


def _table(name: str, meaning: str, *columns: Column, required: bool = False) -> Table:
    return Table(name, meaning, (PORTFOLIO, *columns, SOURCE), required)


def _three(stem: str, kind: Kind, of: str) -> tuple[Column, ...]:
    return tuple(
        _c(f"{stem}_{point}", kind, f"{of}, {point}", low=None)
        for point in ("low", "likely", "high")
    )


PORTFOLIOS = _table(
    "portfolios",
    "A portfolio and its place in the hierarchy",
    _c("name", "text", "Name in full", "cell"),
    _c("parent_id", "id", "Unit above it; empty at the top"),
    _choice(
        "level", "Kind of unit", "enterprise", "function", "portfolio", "sub_portfolio"
    ),
    _choice("hierarchy", "Which tree the parent stands in", "delivery", "client"),
    _c("owner", "text", "Accountable person"),
    CURRENCY,
    required=True,
)
LINEAGE = _table(
    "lineage",
    "A portfolio or project that became another: seen from the portfolio in the key",
    _c("from_id", "id", "Portfolio or project before", "key"),
    _c("to_id", "id", "Portfolio or project after", "key"),
    _c(
        "project_id",
        "id",
        "Project that changed portfolio; empty where a portfolio itself changed",
        "key",
    ),
    _c("effective_on", "date", "First day of the new order"),
    _choice("kind", "What happened", "renamed", "split", "merged", "transferred"),
    _c("share_moved", "share", "Share of the old unit that went this way"),
)
PROGRAMMES = _table(
    "programmes",
    "A programme; its own budget counts once in roll-ups",
    _c("programme_id", "id", "Programme", "key"),
    _c("name", "text", "Name in full", "cell"),
    _c("owner", "text", "Programme manager"),
    _c("budget", "money", "Own budget beside those of its projects"),
    CURRENCY,
)
PROJECTS = _table(
    "projects",
    "A project as the return describes it",
    PROJECT,
    _c("name", "text", "Name in full", "cell"),
    _c("programme_id", "id", "Programme that it belongs to"),
    _c("description", "text", "Purpose and scope"),
    _c("category", "text", "Kind of project"),
    _c("method", "text", "Delivery method"),
    _c("stage", "text", "Life-cycle stage"),
    _choice(
        "delivery_status",
        "State of delivery",
        "proposed",
        "active",
        "paused",
        "closed",
        "cancelled",
    ),
    _c("sponsor", "text", "Sponsor or senior responsible owner"),
    _c("manager", "text", "Project manager"),
    _c("objective", "text", "Organisational objective served"),
    _c("priority", "whole", "1 is the highest", low=1),
    _c("start_baseline_on", "date", "Start in the current approved baseline"),
    _c("start_forecast_on", "date", "Start as now forecast"),
    _c("start_actual_on", "date", "Start as it happened"),
    _c("finish_baseline_on", "date", "Finish in the current approved baseline"),
    _c("finish_forecast_on", "date", "Finish as now forecast"),
    _c("finish_actual_on", "date", "Finish as it happened"),
    _c(
        "budget_at_completion",
        "money",
        "Approved budget without management reserve",
        low=0,
    ),
    _c(
        "management_reserve", "money", "Reserve outside the performance baseline", low=0
    ),
    _c("contingency_approved", "money", "Contingency inside the budget", low=0),
    _c("whole_life_cost_baseline", "money", "Approved whole-life cost"),
    _c("whole_life_cost_forecast", "money", "Whole-life cost as now forecast"),
    _c("benefits_baseline", "money", "Approved monetised benefits"),
    _c("benefits_forecast", "money", "Monetised benefits as now forecast"),
    CURRENCY,
    _c(
        "price_base",
        "text",
        "'nominal', or 'real' with its year; empty where the source does not say",
    ),
    _c(
        "client_id", "id", "Unit that the project serves, where it is not the portfolio"
    ),
    _choice("audience", "Who may see it", "internal", "public"),
    _c(
        "id_as_returned",
        "text",
        "The id as it stands in the source, before its case was folded",
    ),
    required=True,
)
STATUS = _table(
    "status",
    "What one rater said of a project at a status date",
    PROJECT,
    STATUS_DATE,
    _c(
        "assessor_role",
        "text",
        "Who rates: movements compare the same role only",
        "key",
    ),
    _choice("rating", "Overall rating", *RATINGS, need="column"),
    _choice(
        "rating_scale", "Scale of the rating", "three-point", "five-point", need="cell"
    ),
    _rated("rating_time", "time"),
    _rated("rating_cost", "cost"),
    _rated("rating_scope", "scope"),
    _rated("rating_benefits", "benefits"),
    _rated("rating_risk", "risk"),
    _rated("rating_resources", "resources"),
    _rated("rating_governance", "governance"),
    _c("percent_complete", "share", "Physical progress"),
    _c("narrative", "text", "Commentary on the rating"),
    _c("submitted_on", "date", "Day on which the return came in"),
    _c("achievements", "text", "Done since the last return"),
    _c("next_steps", "text", "Planned until the next return"),
    required=True,
)
NARRATIVES = _table(
    "narratives",
    "A text about one subject of a project at a status date",
    PROJECT,
    STATUS_DATE,
    _c("subject", "text", "schedule, in-year cost, whole-life cost, benefits …", "key"),
    _c("narrative", "text", "The text as returned", "column"),
)
PUBLISHED_FIGURES = _table(
    "published_figures",
    "A figure that the source computed itself: kept beside ours, never trusted",
    PROJECT,
    STATUS_DATE,
    _c("figure", "text", "Name of the figure", "key"),
    _c("published", "number", "As published; a share, not per cent", "column"),
    _c(
        "recomputed",
        "number",
        "As computed from the same row's cells; written by intake",
    ),
    _c("sign_rule", "text", "'signed' or 'absolute': how the source wrote it"),
)
OVERRIDES = _table(
    "overrides",
    "A rating set aside by the portfolio office or an independent assurer",
    PROJECT,
    STATUS_DATE,
    _c("dimension", "text", "Dimension concerned", "key"),
    _rated("rating_from", "the computed result"),
    _rated("rating_to", "the override"),
    _c("reason_code", "text", "Why"),
    _c("evidence", "text", "What it rests on"),
    _c("approver", "text", "Who approved; never the project's manager"),
    _c("expires_on", "date", "Last day of validity"),
)
DECISIONS = _table(
    "decisions",
    "A decision that is sought or was taken",
    _c("decision_id", "id", "Decision", "key"),
    STATUS_DATE,
    PROJECT_OF,
    _c("ask", "text", "What is to be decided", "cell"),
    _c("amount", "money", "Money at stake"),
    _c("currency", "text", "ISO 4217 code"),
    _c("due_on", "date", "Deadline"),
    _c("cost_of_delay", "money", "Cost of each month of delay"),
    _c("decider", "text", "Who decides"),
    _c("decided_on", "date", "Day of the decision"),
    _c("outcome", "text", "What was decided"),
    _c("effect", "text", "What came of it"),
)
FINANCE = _table(
    "finance",
    "An amount of one measure in one period; positive is cost",
    _c(
        "project_id",
        "id",
        "Project; empty where the amount is the programme's own",
        "key",
    ),
    _c("period", "month", "Month in which the period ends (YYYY-MM)", "key"),
    _choice(
        "period_kind", "Length of the period", "month", "4-4-5", "year", need="key"
    ),
    _choice("measure", "What the amount is", *MEASURES, need="key"),
    _c("cost_type", "text", "capex or opex; empty where the source does not say", "part"),
    _c("category", "text", "Cost category", "part"),
    _c("programme_id", "id", "Programme, where the amount is its own", "part"),
    _c("plan_version", "text", "Version of the plan or budget", "part"),
    _c("amount", "money", "The amount", "column"),
    CURRENCY,
    _c("counterparty", "text", "Other side of a transfer or recharge"),
    _choice(
        "actual_basis", "What an actual holds", "with accruals", "without accruals"
    ),
)
EARNED_VALUE = _table(
    "earned_value",
    "Cumulative earned value figures to the end of a month",
    PROJECT,
    _c("month", "month", "Month that they run to (YYYY-MM)", "key"),
    _c("baseline_version", "text", "Baseline that the plan is of", "key"),
    _c("planned_value", "money", "Cumulative planned value", low=0),
    _c("earned_value", "money", "Cumulative earned value", low=0),
    _c("actual_cost", "money", "Cumulative actual cost"),
    CURRENCY,
)
BASELINES = _table(
    "baselines",
    "An approved baseline of a project",
    PROJECT,
    _c("version", "text", "Version; the first is the original", "key"),
    _c("approved_on", "date", "Day of approval"),
    _c("approver", "text", "Who approved"),
    _c("change_id", "id", "Change request behind it"),
    _choice(
        "kind",
        "Why",
        "original",
        "approved change",
        "replan",
        "over-target",
        "price",
        "correction",
    ),
    _c("scope", "text", "Scope in words"),
    _c("budget", "money", "Budget at completion", low=0),
    _c("currency", "text", "ISO 4217 code"),
    _c("start_on", "date", "Start"),
    _c("finish_on", "date", "Finish"),
)
MILESTONES = _table(
    "milestones",
    "A milestone as forecast at a status date",
    PROJECT,
    _c("milestone_id", "id", "Milestone", "key"),
    STATUS_DATE,
    _c("name", "text", "Name", "cell"),
    _choice("kind", "Kind", "gate", "delivery", "payment", "other"),
    _c("baseline_on", "date", "Baseline date"),
    _c("forecast_on", "date", "Forecast date"),
    _c("actual_on", "date", "Day it was met"),
    _c("critical", "flag", "On the critical path"),
    _c("owner", "text", "Who answers for it"),
)
TASKS = _table(
    "tasks",
    "A task of a project's schedule network",
    PROJECT,
    _c("task_id", "id", "Task", "key"),
    _c("name", "text", "Name", "cell"),
    _c("wbs", "text", "Work breakdown structure code"),
    _c("duration_days", "number", "Duration in working days, most likely", low=0),
    _c("duration_optimistic_days", "number", "Optimistic", low=0),
    _c("duration_pessimistic_days", "number", "Pessimistic", low=0),
    *(
        _c(f"{edge}_{kind}_on", "date", f"{edge.capitalize()}, {kind}")
        for kind in ("baseline", "forecast", "actual")
        for edge in ("start", "finish")
    ),
    _c("percent_complete", "share", "Progress"),
    _c("constraint", "text", "Date constraint"),
    _c("calendar", "text", "Working calendar"),
    _c("resource", "text", "Resource"),
    _c("cost", "money", "Budgeted cost"),
    _c("is_summary", "flag", "A summary of tasks below"),
    _c("is_milestone", "flag", "A milestone"),
)
LINKS = _table(
    "links",
    "A dependency between two tasks",
    PROJECT,
    _c("predecessor_id", "id", "Task before", "key"),
    _c("successor_id", "id", "Task after", "key"),
    _choice("type", "Kind of link", "fs", "ss", "ff", "sf", need="key"),
    _c("lag_days", "number", "Lag in working days; negative is a lead"),
)
RISKS = _table(
    "risks",
    "A risk as the register has it at a status date",
    _c("risk_id", "id", "Risk, unique in its portfolio", "key"),
    STATUS_DATE,
    PROJECT_OF,
    _choice("kind", "Threat or opportunity", "threat", "opportunity"),
    _c("title", "text", "Title", "cell"),
    _c("cause", "text", "Because of …"),
    _c("event", "text", "… this may happen …"),
    _c("effect", "text", "… which would lead to"),
    _c("category", "text", "Category"),
    _c("owner", "text", "Risk owner"),
    _c("raised_on", "date", "Day it was raised"),
    _c("reviewed_on", "date", "Day of the last review"),
    _c("proximity_on", "date", "Earliest day on which it may strike"),
    _choice("status", "State", "open", "closed", "occurred", "escalated"),
    _c("probability", "share", "Current probability"),
    *(
        _c(f"{stance}_{scale}_level", "level", f"{stance.capitalize()} {scale}, 1–5")
        for stance in ("inherent", "current", "target")
        for scale in ("probability", "impact")
    ),
    *_three("cost_impact", "money", "Effect on cost, a magnitude"),
    *_three("days_impact", "number", "Effect on the finish in days, a magnitude"),
    _c("currency", "text", "ISO 4217 code"),
    _choice(
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
    _c("response_cost", "money", "Cost of the response", low=0),
    _c("fallback_plan", "text", "What is done if it strikes"),
    _c("closed_on", "date", "Day it was closed"),
)
ISSUES = _table(
    "issues",
    "An issue as the log has it at a status date",
    _c("issue_id", "id", "Issue", "key"),
    STATUS_DATE,
    PROJECT_OF,
    _c("risk_id", "id", "Risk that came true"),
    _c("title", "text", "Title", "cell"),
    _choice(
        "class",
        "Class",
        "structure",
        "resourcing",
        "materialised risk",
        "funding",
        "dependency",
        "other",
    ),
    _c("severity", "level", "1 low to 5 severe"),
    _c("raised_on", "date", "Day it was raised"),
    _c("due_on", "date", "Due"),
    _c("resolved_on", "date", "Day it was resolved"),
    _c("resolution", "text", "How"),
    _c("escalation_level", "text", "Level it has reached"),
    _c("owner", "text", "Issue owner"),
)
ACTIONS = _table(
    "actions",
    "An action on a risk, issue, exception or gate condition",
    _c("action_id", "id", "Action", "key"),
    STATUS_DATE,
    PROJECT_OF,
    _choice(
        "parent_kind", "What it serves", "risk", "issue", "exception", "gate condition"
    ),
    _c("parent_id", "id", "Id of what it serves"),
    _c("owner", "text", "Action owner"),
    _c("description", "text", "What is to be done", "cell"),
    _c("due_on", "date", "Due"),
    _c("done_on", "date", "Done"),
    _c("effect", "text", "Effect so far"),
)
DEPENDENCIES = _table(
    "dependencies",
    "Something that one project needs of another",
    _c("dependency_id", "id", "Dependency", "key"),
    STATUS_DATE,
    _c("provider_project_id", "id", "Project that provides"),
    _c("recipient_project_id", "id", "Project that needs"),
    _c("item", "text", "What is provided", "cell"),
    _c("needed_on", "date", "Needed by the recipient"),
    _c("promised_on", "date", "Promised by the provider"),
    _c("agreed_by_provider", "flag", "The provider agreed"),
    _c("agreed_by_recipient", "flag", "The recipient agreed"),
    _choice("status", "State", "open", "met", "late", "withdrawn"),
)
GATES = _table(
    "gates",
    "A stage gate of a project",
    PROJECT,
    _c("gate", "text", "Gate", "key"),
    _c("planned_on", "date", "Planned"),
    _c("held_on", "date", "Held"),
    _c("outcome", "text", "Outcome"),
    _c("conditions", "whole", "Conditions set", low=0),
    _c("conditions_open", "whole", "Conditions still open", low=0),
)
ARTEFACTS = _table(
    "artefacts",
    "A document or other proof that a stage requires",
    PROJECT,
    _c("artefact", "text", "Artefact", "key"),
    _c("required_by_stage", "text", "Stage that requires it"),
    _c("present", "flag", "It exists"),
    _c("version", "text", "Version"),
    _c("approved_on", "date", "Approved"),
    _c("review_due_on", "date", "Next review"),
    _c("location", "text", "Where it is kept"),
)
CHANGES = _table(
    "changes",
    "A change request",
    _c("change_id", "id", "Change request", "key"),
    PROJECT_OF,
    _c("effect_on_scope", "text", "Effect on scope"),
    _c("effect_on_cost", "money", "Effect on cost"),
    _c("currency", "text", "ISO 4217 code"),
    _c("effect_on_days", "number", "Effect on the finish in days"),
    _c("effect_on_benefits", "money", "Effect on benefits"),
    _c("raised_on", "date", "Raised"),
    _c("decided_on", "date", "Decided"),
    _c("decision", "text", "Decision"),
    _c("baseline_version", "text", "Baseline that took it up"),
)
RESERVES = _table(
    "reserves",
    "An entry in the book of contingency or management reserve",
    PROJECT,
    _c("entry_id", "id", "Entry", "key"),
    _choice("kind", "Which reserve", "contingency", "management_reserve"),
    _c("amount", "money", "Amount, never negative", low=0),
    _choice("movement", "Which way", "approved", "drawn", "returned"),
    CURRENCY,
    _c("change_id", "id", "Change request that drew it"),
    _c("risk_id", "id", "Risk that drew it"),
    _c("booked_on", "date", "Day of the entry"),
)
CELL_STATES = _table(
    "states",
    "Why a cell has no value, or more than one; written by intake",
    _c("table_name", "id", "Table of the cell", "key"),
    _c(
        "row_key",
        "text",
        "Key of the row, its parts joined by '|' without portfolio_id",
        "key",
    ),
    _c("column_name", "id", "Column of the cell", "key"),
    _choice("state", "State", *STATES, need="cell"),
    _c("reason", "text", "The reason in the source's words"),
    _c("low", "text", "Lower end of a range, as a number or ISO date"),
    _c("mid", "text", "Middle of a range"),
    _c("high", "text", "Upper end of a range"),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        PORTFOLIOS, LINEAGE, PROGRAMMES, PROJECTS, STATUS, NARRATIVES, PUBLISHED_FIGURES, OVERRIDES, DECISIONS,
        FINANCE, EARNED_VALUE, BASELINES, MILESTONES, TASKS, LINKS, RISKS, ISSUES, ACTIONS, DEPENDENCIES, GATES,
        ARTEFACTS, CHANGES, RESERVES, CELL_STATES,
    )
}  # fmt: skip
