"""The example of the template: one small project that every table speaks of, with figures that agree.

All rows stand under the portfolio :data:`pmo_lib.contracts.parts.EXAMPLE`, which intake counts and never reads.
Dates, amounts and ids agree across the tables, so that the rows would pass intake under any other portfolio.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from pmo_lib.contracts.parts import EXAMPLE

Row = dict[str, Any]

STATUS_ON = date(2026, 9, 30)
START, FINISH, FORECAST = date(2026, 1, 5), date(2027, 3, 31), date(2027, 4, 30)
PROJECT = {"project_id": "EX-1"}
NOW = {"status_date": STATUS_ON}
CHANGE = {"change_id": "EX-CR-1"}


def example_rows(*, currency: str) -> dict[str, tuple[Row, ...]]:
    """Return the example rows of every table that a return holds; ``tasks`` has two, so that ``links`` has both ends.

    Parameters
    ----------
    currency
        ISO 4217 code of the organisation.
    """
    money = {"currency": currency}
    tables = {**_structure(money), **_standing(), **_money(money), **_planning(), **_registers(money)}
    return {name: tuple({"portfolio_id": EXAMPLE, **row} for row in rows) for name, rows in tables.items()}


def _structure(money: Row) -> dict[str, list[Row]]:
    return {
        "portfolios": [
            {"name": "Example portfolio", "level": "portfolio", "hierarchy": "delivery", "owner": "A. Director",
             **money}
        ],
        "lineage": [
            {"from_id": "EX-OLD", "to_id": EXAMPLE, "effective_on": date(2026, 4, 1), "kind": "renamed",
             "share_moved": 1.0}
        ],
        "programmes": [
            {"programme_id": "EX-PG", "name": "Example programme", "owner": "B. Manager", "budget": 50_000.0, **money}
        ],
        "projects": [
            {**PROJECT, "name": "New depot", "programme_id": "EX-PG", "description": "Build and open one depot",
             "category": "buildings", "method": "stage-gate", "stage": "delivery", "delivery_status": "active",
             "sponsor": "C. Sponsor", "manager": "D. Lead", "objective": "Shorter journeys", "priority": 1,
             "start_baseline_on": START, "start_forecast_on": START, "start_actual_on": START,
             "finish_baseline_on": FINISH, "finish_forecast_on": FORECAST, "budget_at_completion": 900_000.0,
             "management_reserve": 50_000.0, "contingency_approved": 100_000.0,
             "whole_life_cost_baseline": 1_500_000.0, "whole_life_cost_forecast": 1_560_000.0,
             "benefits_baseline": 2_400_000.0, "benefits_forecast": 2_400_000.0, **money, "price_base": "nominal",
             "audience": "internal"}
        ],
    }  # fmt: skip


def _standing() -> dict[str, list[Row]]:
    return {
        "status": [
            {**PROJECT, **NOW, "assessor_role": "project manager", "rating": "amber", "rating_scale": "three-point",
             "rating_time": "amber", "rating_cost": "green", "rating_scope": "green", "rating_benefits": "green",
             "rating_risk": "amber", "rating_resources": "green", "rating_governance": "green",
             "percent_complete": 0.55, "narrative": "Ground works took a month longer; cost is held.",
             "submitted_on": date(2026, 10, 5), "achievements": "Foundations handed over",
             "next_steps": "Steel frame up by December"}
        ],
        "narratives": [
            {**PROJECT, **NOW, "subject": "schedule", "narrative": "Wet ground: the finish moves to April 2027."}
        ],
        "published_figures": [
            {**PROJECT, **NOW, "figure": "whole_life_cost_variance", "published": 0.04, "sign_rule": "signed"}
        ],
        "overrides": [
            {**PROJECT, **NOW, "dimension": "cost", "rating_from": "green", "rating_to": "amber",
             "reason_code": "late invoice", "evidence": "Letter of 24 September", "approver": "Portfolio office",
             "expires_on": date(2026, 12, 31)}
        ],
        "decisions": [
            {"decision_id": "EX-D1", **NOW, **PROJECT, "ask": "Accept the later finish", "due_on": date(2026, 10, 31),
             "decider": "Portfolio board"}
        ],
    }  # fmt: skip


def _money(money: Row) -> dict[str, list[Row]]:
    return {
        "finance": [
            {**PROJECT, "period": "2026-09", "period_kind": "month", "measure": "actual", "cost_type": "capex",
             "category": "construction", "amount": 62_500.0, **money, "actual_basis": "with accruals"}
        ],
        "earned_value": [
            {**PROJECT, "month": "2026-09", "baseline_version": "1", "planned_value": 540_000.0,
             "earned_value": 495_000.0, "actual_cost": 500_000.0, **money}
        ],
        "baselines": [
            {**PROJECT, "version": "1", "approved_on": date(2025, 12, 12), "approver": "Portfolio board",
             "kind": "original", "scope": "One depot", "budget": 900_000.0, **money, "start_on": START,
             "finish_on": FINISH}
        ],
        "changes": [
            {**CHANGE, **PROJECT, "effect_on_scope": "Deeper piles", "effect_on_cost": 20_000.0, **money,
             "effect_on_days": 30, "effect_on_benefits": 0.0, "raised_on": date(2026, 8, 20),
             "decided_on": date(2026, 9, 10), "decision": "approved", "baseline_version": "1"}
        ],
        "reserves": [
            {**PROJECT, "entry_id": "EX-E1", "kind": "contingency", "amount": 20_000.0, "movement": "drawn", **money,
             **CHANGE, "risk_id": "EX-R1", "booked_on": date(2026, 9, 10)}
        ],
    }  # fmt: skip


def _planning() -> dict[str, list[Row]]:
    return {
        "milestones": [
            {**PROJECT, "milestone_id": "EX-M1", **NOW, "name": "Depot open", "kind": "delivery",
             "baseline_on": FINISH, "forecast_on": FORECAST, "critical": True, "owner": "D. Lead"}
        ],
        "tasks": [
            {**PROJECT, "task_id": "EX-T1", "name": "Ground works", "wbs": "1.1", "duration_days": 120,
             "duration_optimistic_days": 100, "duration_pessimistic_days": 160, "start_baseline_on": START,
             "finish_baseline_on": date(2026, 6, 19), "start_forecast_on": START,
             "finish_forecast_on": date(2026, 7, 20), "start_actual_on": START,
             "finish_actual_on": date(2026, 7, 20), "percent_complete": 1.0, "resource": "Ground crew",
             "cost": 300_000.0, "is_summary": False, "is_milestone": False},
            {**PROJECT, "task_id": "EX-T2", "name": "Building", "wbs": "1.2", "duration_days": 200,
             "start_baseline_on": date(2026, 6, 22), "finish_baseline_on": FINISH,
             "start_forecast_on": date(2026, 7, 21), "finish_forecast_on": FORECAST,
             "start_actual_on": date(2026, 7, 21), "percent_complete": 0.3, "resource": "Builders",
             "cost": 600_000.0, "is_summary": False, "is_milestone": False},
        ],
        "links": [{**PROJECT, "predecessor_id": "EX-T1", "successor_id": "EX-T2", "type": "fs", "lag_days": 0}],
        "calendars": [{**PROJECT, "calendar": "Site", "day": "sat", "works": True}],
        "gates": [
            {**PROJECT, "gate": "Gate 3", "planned_on": date(2025, 12, 1), "held_on": date(2025, 12, 4),
             "outcome": "passed with conditions", "conditions": 2, "conditions_open": 1}
        ],
        "artefacts": [
            {**PROJECT, "artefact": "business case", "required_by_stage": "delivery", "present": True,
             "version": "2.0", "approved_on": date(2025, 12, 12), "review_due_on": date(2026, 12, 12),
             "location": "Project library"}
        ],
    }  # fmt: skip


def _registers(money: Row) -> dict[str, list[Row]]:
    return {
        "risks": [
            {"risk_id": "EX-R1", **NOW, **PROJECT, "task_id": "EX-T1", "kind": "threat", "title": "Wet ground",
             "cause": "High water table", "event": "piling stops", "effect": "a later finish", "category": "ground",
             "owner": "D. Lead", "raised_on": date(2026, 2, 2), "reviewed_on": date(2026, 9, 15),
             "proximity_on": date(2026, 11, 1), "velocity_days": 14, "status": "open", "probability": 0.3,
             "inherent_probability_level": 4, "inherent_impact_level": 4, "current_probability_level": 3,
             "current_impact_level": 3, "target_probability_level": 2, "target_impact_level": 2,
             "cost_impact_low": 10_000.0, "cost_impact_likely": 25_000.0, "cost_impact_high": 60_000.0,
             "days_impact_low": 5, "days_impact_likely": 15, "days_impact_high": 40, **money, "response": "reduce",
             "response_cost": 8_000.0, "fallback_plan": "Pump and work at night"}
        ],
        "issues": [
            {"issue_id": "EX-I1", **NOW, **PROJECT, "risk_id": "EX-R1", "title": "Ground works a month late",
             "class": "materialised risk", "severity": 3, "raised_on": date(2026, 7, 20),
             "due_on": date(2026, 10, 15), "escalation_level": "portfolio board", "owner": "D. Lead"}
        ],
        "actions": [
            {"action_id": "EX-A1", **NOW, **PROJECT, "parent_kind": "risk", "parent_id": "EX-R1",
             "owner": "E. Engineer", "description": "Install pumps", "due_on": date(2026, 10, 20),
             "effect": "Two of three in place"}
        ],
        "dependencies": [
            {"dependency_id": "EX-DP1", **NOW, "provider_project_id": "EX-2", "recipient_project_id": "EX-1",
             "item": "Access road", "needed_on": date(2027, 2, 1), "promised_on": date(2027, 1, 15),
             "agreed_by_provider": True, "agreed_by_recipient": True, "status": "open"}
        ],
    }  # fmt: skip
