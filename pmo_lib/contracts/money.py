"""Tables of money: finance, earned value, baselines and what changes them, reserves."""

from __future__ import annotations

from pmo_lib.contracts.parts import CURRENCY, MEASURES, PROJECT, PROJECT_OF, choice, column, table

FINANCE = table(
    "finance",
    "An amount of one measure in one period; positive is cost",
    column(
        "project_id",
        "id",
        "Project; empty where the amount is the programme's own",
        "part",
    ),
    column("period", "month", "Month in which the period ends (YYYY-MM)", "key"),
    choice(
        "period_kind",
        "Length of the period; period 13 adjusts the year after its last month",
        "month",
        "4-4-5",
        "period 13",
        "year",
        need="key",
    ),
    choice("measure", "What the amount is", *MEASURES, need="key"),
    column("cost_type", "text", "capex or opex; empty where the source does not say", "part"),
    column("category", "text", "Cost category", "part"),
    column("programme_id", "id", "Programme, where the amount is its own", "part"),
    column("plan_version", "text", "Version of the plan or budget", "part"),
    column("amount", "money", "The amount", "column"),
    CURRENCY,
    column("counterparty", "text", "Other side of a transfer or recharge"),
    choice("actual_basis", "What an actual holds", "with accruals", "without accruals"),
)

EARNED_VALUE = table(
    "earned_value",
    "Cumulative earned value figures to the end of a month",
    PROJECT,
    column("month", "month", "Month that they run to (YYYY-MM)", "key"),
    column("baseline_version", "text", "Baseline that the plan is of", "key"),
    column("planned_value", "money", "Cumulative planned value", low=0),
    column("earned_value", "money", "Cumulative earned value", low=0),
    column("actual_cost", "money", "Cumulative actual cost"),
    CURRENCY,
)

BASELINES = table(
    "baselines",
    "An approved baseline of a project",
    PROJECT,
    column("version", "text", "Version; the first is the original", "key"),
    column("approved_on", "date", "Day of approval"),
    column("approver", "text", "Who approved"),
    column("change_id", "id", "Change request behind it"),
    choice(
        "kind",
        "Why",
        "original",
        "approved change",
        "replan",
        "over-target",
        "price",
        "correction",
    ),
    column("scope", "text", "Scope in words"),
    column("budget", "money", "Budget at completion", low=0),
    column("currency", "text", "ISO 4217 code"),
    column("start_on", "date", "Start"),
    column("finish_on", "date", "Finish"),
)

CHANGES = table(
    "changes",
    "A change request",
    column("change_id", "id", "Change request", "key"),
    PROJECT_OF,
    column("effect_on_scope", "text", "Effect on scope"),
    column("effect_on_cost", "money", "Effect on cost"),
    column("currency", "text", "ISO 4217 code"),
    column("effect_on_days", "number", "Effect on the finish in days"),
    column("effect_on_benefits", "money", "Effect on benefits"),
    column("raised_on", "date", "Raised"),
    column("decided_on", "date", "Decided"),
    column("decision", "text", "Decision"),
    column("baseline_version", "text", "Baseline that took it up"),
)

RESERVES = table(
    "reserves",
    "An entry in the book of contingency or management reserve",
    PROJECT,
    column("entry_id", "id", "Entry", "key"),
    choice("kind", "Which reserve", "contingency", "management_reserve"),
    column("amount", "money", "Amount, never negative", low=0),
    choice("movement", "Which way", "approved", "drawn", "returned"),
    CURRENCY,
    column("change_id", "id", "Change request that drew it"),
    column("risk_id", "id", "Risk that drew it"),
    column("booked_on", "date", "Day of the entry"),
)
