"""Hand-made risk registers for tests: contract tables as a notebook gets them, with money as numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd
from hypothesis import HealthCheck, settings, strategies as st

from pmo_lib.contracts.tables import TABLES
from pmo_lib.metrics import risk
from pmo_lib.parameters.models import RiskRules

ENDS = {"2026-07": "2026-07-31", "2026-08": "2026-08-31", "2026-09": "2026-09-30"}
RULES = RiskRules()
# A register is 40 columns of pandas: few examples, but of many risks each; their time says nothing.
few = settings(max_examples=7, deadline=None, suppress_health_check=[HealthCheck.too_slow])
THREAT = {
    "kind": "threat", "status": "open", "probability": 0.25, "cost_impact_low": 100_000, "cost_impact_likely": 160_000,
    "cost_impact_high": 400_000, "days_impact_likely": 20.0, "current_probability_level": 3, "current_impact_level": 4,
    "inherent_probability_level": 4, "inherent_impact_level": 4,
    "target_probability_level": 2, "target_impact_level": 3,
    "owner": "A. Owner", "response": "reduce", "raised_on": "2026-01-15", "reviewed_on": "2026-09-10",
    "proximity_on": "2026-11-30", "currency": "GBP", "project_id": "P1", "cause": "Because", "event": "this happens",
    "effect": "and costs", "category": "delivery",
}  # fmt: skip


def table(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a contract table with money as float64, as a notebook sees it."""
    columns = TABLES[name].columns
    plain = pd.DataFrame.from_records(rows, columns=[column.name for column in columns])
    return plain.astype({column.name: column.dtype for column in columns})


def a_risk(risk_id: str, **changes: Any) -> dict[str, Any]:
    """Return a sound open threat, with what is changed."""
    ref = f"r.xlsx, risks, {risk_id}"
    return {
        "portfolio_id": "HWY",
        "risk_id": risk_id,
        "title": f"Title {risk_id}",
        "source_ref": ref,
        **THREAT,
        **changes,
    }


def history(**periods: list[dict[str, Any]]) -> pd.DataFrame:
    """Return registers over periods, named p2026_09 and so on."""
    parts = []
    for name, rows in periods.items():
        period = name[1:].replace("_", "-")
        dated = [{"status_date": ENDS[period], **row} for row in rows]
        parts.append(table("risks", dated).assign(period=period))
    whole = pd.concat(parts, ignore_index=True)
    return whole[["period", *TABLES["risks"].names]]


def portfolios(currency: str = "GBP") -> pd.DataFrame:
    """Return the portfolio that the registers are about."""
    return table("portfolios", [{"portfolio_id": "HWY", "name": "Highways", "currency": currency}])


def scored(rules: RiskRules = RULES, **periods: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the registers scored."""
    return risk.scored_risks(history(**periods), portfolios=portfolios(), rules=rules)


def register(rows: list[dict[str, Any]], *, before: list[dict[str, Any]] | None = None, rules: RiskRules = RULES,
             states: pd.DataFrame | None = None) -> pd.DataFrame:  # fmt: skip
    """Return the register of September 2026, with that of August before it if there is one."""
    periods = {"p2026_08": before} if before is not None else {}
    told = table("states", []) if states is None else states
    return risk.risk_register(scored(rules, **periods, p2026_09=rows), period="2026-09", states=told, rules=rules)


levels = st.none() | st.integers(1, 5)
money = st.none() | st.integers(0, 5_000_000)


@st.composite
def risks(draw: st.DrawFn, *, most: int = 20) -> list[dict[str, Any]]:
    """Return a register of any size with gaps in every place where a register has gaps."""
    ids = draw(st.lists(st.integers(1, 30), max_size=most, unique=True))
    fields = st.fixed_dictionaries({
        "kind": st.sampled_from(["threat", "opportunity", None]),
        "status": st.sampled_from(["open", "escalated", "closed", "occurred", None]),
        "project_id": st.sampled_from(["P1", "P2", None]),
        "probability": st.none() | st.sampled_from([0.0, 0.05, 0.25, 0.5, 1.0]),
        "cost_impact_likely": money,
        "days_impact_likely": st.none() | st.integers(0, 400).map(float),
        "current_probability_level": levels, "current_impact_level": levels,
        "inherent_probability_level": levels, "inherent_impact_level": levels,
        "target_probability_level": levels, "target_impact_level": levels,
    })  # fmt: skip
    return [a_risk(f"R-{number}", **draw(fields)) for number in ids]
