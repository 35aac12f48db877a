"""Does the response work: each risk before any response, now, and as it is aimed at, against what the response costs.

A register states the expected value of today only. Before and after are worked out of it by the levels: probability ×
(what the level stands for ÷ what today's level stands for), at most 1, and the impact likewise, both by the printed
scales of the organisation (bands of probability and weights of impact: PMI, *PMBOK Guide*, 6th ed. 2017, 11.1.3). Equal
levels so give equal values. Value = expected value before − expected value after, also for an opportunity, whose
expected value is negative; leverage = value ÷ cost of the response (Boehm, "Software Risk Management: Principles and
Practices", *IEEE Software* 8(1), 1991: risk reduction leverage). Below 1 the response costs more than it takes away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics.exposure import one_currency

if TYPE_CHECKING:
    from pmo_lib.parameters.models import RiskRules

BEFORE_AND_AFTER = ("inherent", "target")
# What can be said of a response, the most alarming first.
VERDICTS = (
    "worse than before", "no effect so far", "aims at nothing", "no response", "on the way", "too early to say",
    "at its target", "accepted", "not known",
)  # fmt: skip
RESPONSE_COLUMNS = [
    "risk_id", "title", "project_id", "kind", "owner", "response", "verdict", "inherent_score", "score", "target_score",
    "expected_inherent", "expected_money", "expected_target", "value_so_far", "value_to_come", "response_cost",
    "leverage_so_far", "leverage", "age_days", "rule", "value_reason", "levels_reason", "leverage_reason", "currency",
    "source_ref",
]  # fmt: skip


def with_stances(risks: pd.DataFrame, *, rules: RiskRules) -> pd.DataFrame:
    """Add ``expected_inherent`` and ``expected_target``: the expected money before any response, and at the target.

    Parameters
    ----------
    risks
        Scored, as :func:`pmo_lib.metrics.risk.scored_risks` returns it; null levels give null.
    rules
        ``probability_scale`` and ``impact_scale``.
    """
    likely = risks["expected_money"] / risks["probability"].where(risks["probability"].gt(0))
    added = {}
    for stance in BEFORE_AND_AFTER:
        chance = risks["probability"] * _times(risks, stance=stance, of="probability", scale=rules.probability_scale)
        weight = _times(risks, stance=stance, of="impact", scale=rules.impact_scale)
        value = chance.clip(upper=1.0) * likely * weight
        # What cannot happen is worth nothing, whatever its levels.
        added[f"expected_{stance}"] = value.mask(risks["expected_money"].eq(0) & weight.notna() & chance.notna(), 0.0)
    return risks.assign(**added)


def _times(risks: pd.DataFrame, *, stance: str, of: str, scale: tuple[float, ...]) -> pd.Series[float]:
    """Return how many times today's level another one is."""
    worth = dict(enumerate(scale, 1))
    there, here = (risks[f"{name}_{of}_level"].map(worth).astype("float64") for name in (stance, "current"))
    return there / here


def responses(register: pd.DataFrame, *, rules: RiskRules) -> pd.DataFrame:
    """Return the open risks with what their responses have brought, are to bring, and cost.

    Parameters
    ----------
    register
        As :func:`pmo_lib.metrics.risk.risk_register` returns it.
    rules
        Scales, and ``review_interval_days``: as long a response may be without effect.

    Returns
    -------
    DataFrame
        :data:`RESPONSE_COLUMNS`, the most alarming verdict first, then the largest value before: ``value_so_far`` =
        expected money before any response − now; ``value_to_come`` = now − at the target; ``leverage`` = both of them ÷
        cost, ``leverage_so_far`` = the first ÷ cost; each null with its reason.

    Raises
    ------
    ReportError
        Several currencies.
    """
    risks = with_stances(register.loc[register["open"]], rules=rules)
    one_currency(risks.loc[risks["expected_money"].notna(), "currency"], what="responses")
    so_far = risks["expected_inherent"] - risks["expected_money"]
    to_come = risks["expected_money"] - risks["expected_target"]
    cost = risks["response_cost"].where(risks["response_cost"].gt(0))
    rows = risks.assign(
        value_so_far=so_far,
        value_to_come=to_come,
        leverage_so_far=so_far / cost,
        leverage=(so_far + to_come) / cost,
        verdict=[_verdict(row, days=rules.review_interval_days) for row in risks.to_dict("records")],
        rule=_rule(rules),
        levels_reason=_levels_reason(risks),
    )
    rows["value_reason"] = rows["money_reason"].mask(rows["money_reason"].eq(""), rows["levels_reason"])
    rows["leverage_reason"] = _leverage_reason(rows)
    order = rows.assign(
        place=rows["verdict"].map({verdict: place for place, verdict in enumerate(VERDICTS)}),
        size=rows[["expected_inherent", "expected_money"]].abs().max(axis="columns"),
    ).sort_values(["place", "size", "risk_id"], ascending=[True, False, True], kind="stable")
    return order[RESPONSE_COLUMNS].reset_index(drop=True)


def _rule(rules: RiskRules) -> str:
    """Print the limit and the scales by which responses are judged."""
    chances = ", ".join(f"{100 * value:g}%" for value in rules.probability_scale)
    weights = ", ".join(f"{value / rules.impact_scale[0]:.3g}" for value in rules.impact_scale)
    return (
        f"no effect: the score has not moved towards its target in more than {rules.review_interval_days} days; levels "
        f"1–5 stand for probabilities of {chances} and for impacts in the proportion {weights}"
    )


def _verdict(row: dict[Any, Any], *, days: int) -> str:
    scores = [row[name] for name in ("inherent_score", "score", "target_score")]
    if any(pd.isna(score) for score in scores):
        return "not known"
    # For an opportunity a higher score is the aim.
    before, now, aim = (-score if row["kind"] == "opportunity" else score for score in scores)
    if now > before:
        return "worse than before"
    if pd.isna(row["response"]):
        return "no response"
    if row["response"] == "accept":
        return "accepted"
    if aim >= before:
        return "aims at nothing"
    if now < before:
        return "at its target" if now <= aim else "on the way"
    return "no effect so far" if pd.isna(row["age_days"]) or row["age_days"] > days else "too early to say"


def _levels_reason(risks: pd.DataFrame) -> pd.Series[str]:
    reason = pd.Series("", index=risks.index, dtype="str")
    for stance, name in (("target", "target_score"), ("inherent", "inherent_score"), ("current", "score")):
        reason = reason.mask(risks[name].isna(), f"no {stance} levels")
    return reason


def _leverage_reason(rows: pd.DataFrame) -> pd.Series[str]:
    reason = rows["value_reason"]
    reason = reason.mask(rows["response_cost"].eq(0), "the response costs nothing")
    reason = reason.mask(rows["response_cost"].isna(), "cost not stated")
    return reason.mask(rows["response"].isna() & rows["response_cost"].isna(), "no response")
