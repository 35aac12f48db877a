"""Tables of structure and delivery: who holds what, and how it goes."""

from __future__ import annotations

from pmo_lib.contracts.parts import CURRENCY, PROJECT, PROJECT_OF, RATINGS, STATUS_DATE, choice, column, rated, table

PORTFOLIOS = table(
    "portfolios",
    "A portfolio and its place in the hierarchy",
    column("name", "text", "Name in full", "cell"),
    column("parent_id", "id", "Unit above it; empty at the top"),
    choice("level", "Kind of unit", "enterprise", "function", "portfolio", "sub_portfolio"),
    choice("hierarchy", "Which tree the parent stands in", "delivery", "client"),
    column("owner", "text", "Accountable person"),
    CURRENCY,
    required=True,
)

LINEAGE = table(
    "lineage",
    "A portfolio or project that became another: seen from the portfolio in the key",
    column("from_id", "id", "Portfolio or project before", "key"),
    column("to_id", "id", "Portfolio or project after", "key"),
    column(
        "project_id",
        "id",
        "Project that changed portfolio; empty where a portfolio itself changed",
        "part",
    ),
    column("effective_on", "date", "First day of the new order"),
    choice("kind", "What happened", "renamed", "split", "merged", "transferred"),
    column("share_moved", "share", "Share of the old unit that went this way"),
)

PROGRAMMES = table(
    "programmes",
    "A programme; its own budget counts once in roll-ups",
    column("programme_id", "id", "Programme", "key"),
    column("name", "text", "Name in full", "cell"),
    column("owner", "text", "Programme manager"),
    column("budget", "money", "Own budget beside those of its projects"),
    CURRENCY,
)

PROJECTS = table(
    "projects",
    "A project as the return describes it",
    PROJECT,
    column("name", "text", "Name in full", "cell"),
    column("programme_id", "id", "Programme that it belongs to"),
    column("description", "text", "Purpose and scope"),
    column("category", "text", "Kind of project"),
    column("method", "text", "Delivery method"),
    column("stage", "text", "Life-cycle stage"),
    choice(
        "delivery_status",
        "State of delivery",
        "proposed",
        "active",
        "paused",
        "closed",
        "cancelled",
    ),
    column("sponsor", "text", "Sponsor or senior responsible owner"),
    column("manager", "text", "Project manager"),
    column("objective", "text", "Organisational objective served"),
    column("priority", "whole", "1 is the highest", low=1),
    column("start_baseline_on", "date", "Start in the current approved baseline"),
    column("start_forecast_on", "date", "Start as now forecast"),
    column("start_actual_on", "date", "Start as it happened"),
    column("finish_baseline_on", "date", "Finish in the current approved baseline"),
    column("finish_forecast_on", "date", "Finish as now forecast"),
    column("finish_actual_on", "date", "Finish as it happened"),
    column(
        "budget_at_completion",
        "money",
        "Approved budget without management reserve",
        low=0,
    ),
    column("management_reserve", "money", "Reserve outside the performance baseline", low=0),
    column("contingency_approved", "money", "Contingency inside the budget", low=0),
    column("whole_life_cost_baseline", "money", "Approved whole-life cost"),
    column("whole_life_cost_forecast", "money", "Whole-life cost as now forecast"),
    column("benefits_baseline", "money", "Approved monetised benefits"),
    column("benefits_forecast", "money", "Monetised benefits as now forecast"),
    CURRENCY,
    column(
        "price_base",
        "text",
        "'nominal', or 'real' with its year; empty where the source does not say",
    ),
    column("client_id", "id", "Unit that the project serves, where it is not the portfolio"),
    choice("audience", "Who may see it", "internal", "public"),
    column(
        "id_as_returned",
        "text",
        "The id as it stands in the source, before its case was folded",
    ),
    required=True,
)

STATUS = table(
    "status",
    "What one rater said of a project at a status date",
    PROJECT,
    STATUS_DATE,
    column(
        "assessor_role",
        "text",
        "Who rates: movements compare the same role only",
        "key",
    ),
    choice("rating", "Overall rating", *RATINGS, need="column"),
    choice("rating_scale", "Scale of the rating", "three-point", "five-point", need="cell"),
    rated("rating_time", "time"),
    rated("rating_cost", "cost"),
    rated("rating_scope", "scope"),
    rated("rating_benefits", "benefits"),
    rated("rating_risk", "risk"),
    rated("rating_resources", "resources"),
    rated("rating_governance", "governance"),
    column("percent_complete", "share", "Physical progress"),
    column("narrative", "text", "Commentary on the rating"),
    column("submitted_on", "date", "Day on which the return came in"),
    column("achievements", "text", "Done since the last return"),
    column("next_steps", "text", "Planned until the next return"),
    required=True,
)

NARRATIVES = table(
    "narratives",
    "A text about one subject of a project at a status date",
    PROJECT,
    STATUS_DATE,
    column("subject", "text", "schedule, in-year cost, whole-life cost, benefits …", "key"),
    column("narrative", "text", "The text as returned", "column"),
)

PUBLISHED_FIGURES = table(
    "published_figures",
    "A figure that the source computed itself: kept beside ours, never trusted",
    PROJECT,
    STATUS_DATE,
    column("figure", "text", "Name of the figure", "key"),
    column(
        "published",
        "number",
        "As published: a share (not per cent), or an amount or days if the figure's name says so",
        "column",
    ),
    column(
        "recomputed",
        "number",
        "As computed from the cells of the row, or of it and the last report; written by intake",
    ),
    column("sign_rule", "text", "'signed' or 'absolute': how the source wrote it"),
)

OVERRIDES = table(
    "overrides",
    "A rating set aside by the portfolio office or an independent assurer",
    PROJECT,
    STATUS_DATE,
    column("dimension", "text", "Dimension concerned", "key"),
    rated("rating_from", "the computed result"),
    rated("rating_to", "the override"),
    column("reason_code", "text", "Why"),
    column("evidence", "text", "What it rests on"),
    column("approver", "text", "Who approved; never the project's manager"),
    column("expires_on", "date", "Last day of validity"),
)

DECISIONS = table(
    "decisions",
    "A decision that is sought or was taken",
    column("decision_id", "id", "Decision", "key"),
    STATUS_DATE,
    PROJECT_OF,
    column("ask", "text", "What is to be decided", "cell"),
    column("amount", "money", "Money at stake"),
    column("currency", "text", "ISO 4217 code"),
    column("due_on", "date", "Deadline"),
    column("cost_of_delay", "money", "Cost of each month of delay"),
    column("decider", "text", "Who decides"),
    column("decided_on", "date", "Day of the decision"),
    column("outcome", "text", "What was decided"),
    column("effect", "text", "What came of it"),
)

GATES = table(
    "gates",
    "A stage gate of a project",
    PROJECT,
    column("gate", "text", "Gate", "key"),
    column("planned_on", "date", "Planned"),
    column("held_on", "date", "Held"),
    column("outcome", "text", "Outcome"),
    column("conditions", "whole", "Conditions set", low=0),
    column("conditions_open", "whole", "Conditions still open", low=0),
)

ARTEFACTS = table(
    "artefacts",
    "A document or other proof that a stage requires",
    PROJECT,
    column("artefact", "text", "Artefact", "key"),
    column("required_by_stage", "text", "Stage that requires it"),
    column("present", "flag", "It exists"),
    column("version", "text", "Version"),
    column("approved_on", "date", "Approved"),
    column("review_due_on", "date", "Next review"),
    column("location", "text", "Where it is kept"),
)
