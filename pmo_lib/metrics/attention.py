"""Is anyone on it: what strikes when, what nobody looks after, and registers that are kept for show.

Sources: risks have owners, responses, actions and dates of review (ISO 31000:2018, 6.5 and 6.6; Orange Book, HM
Treasury 2020); proximity is the time until a risk may strike (PRINCE2 2009, *Estimate*). A probability of 1 is an
issue and a probability of 0 is no risk (both by definition). The limits are the organisation's, see
:class:`pmo_lib.parameters.models.RiskRules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics.risk import IMPACTS, STANCES, compared_period, paired_risks
from pmo_lib.theme import month

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pmo_lib.parameters.models import RiskRules

NO_ACTIONS, NO_ISSUES = "no actions were returned", "no issue log was returned"
# In the order of urgency.
FLAGS = (
    "past its date", "certain, so an issue", "above appetite, not escalated", "no owner", "no response", "no action",
    "action overdue", "never reviewed", "review overdue", "occurred, no issue raised", "cannot happen",
    "has a closing date", "impacts out of order", "target above current",
)  # fmt: skip
RISK_COLUMNS = [
    "risk_id",
    "title",
    "project_id",
    "kind",
    "owner",
    "score",
    "grade",
    "expected_money",
    "currency",
    "source_ref",
]
FLAG_COLUMNS = ["flag", *RISK_COLUMNS, "dated_on", "days", "detail", "rule", "flagged"]
TIMELINE_COLUMNS = [
    *RISK_COLUMNS, "status_date", "proximity_on", "proximity_days", "proximity_band", "imminent_until_on",
    "near_until_on", "velocity_days", "felt_on", "money_reason", "score_reason",
]  # fmt: skip
PATTERN_COLUMNS = [
    "pattern", "subject_id", "title", "project_id", "dated_on", "risks", "unchanged", "periods", "detail", "source_ref",
]  # fmt: skip
# What a real review may change; the date of review alone is not a review.
CONTENT = [
    "status", "probability", "proximity_on", "owner", "response", "response_cost", "fallback_plan",
    *(f"{stance}_{scale}_level" for stance in STANCES for scale in ("probability", "impact")),
    *(f"{stem}_{point}" for stem in IMPACTS.values() for point in ("low", "likely", "high")),
]  # fmt: skip


def proximity_timeline(register: pd.DataFrame, *, rules: RiskRules) -> pd.DataFrame:
    """Return the open risks by the earliest day on which they may strike, those without a day last.

    Returns
    -------
    DataFrame
        :data:`TIMELINE_COLUMNS`: ``proximity_band`` is past, imminent (within ``imminent_days``), near (within
        ``near_days``), far or not stated; the ends of the two bands stand in ``imminent_until_on, near_until_on``.
        ``velocity_days`` is the time from the trigger to the impact, so that its effect is felt from ``felt_on`` on.
    """
    risks = register.loc[register["open"]]
    rows = risks.assign(
        imminent_until_on=risks["status_date"] + pd.Timedelta(days=rules.imminent_days),
        near_until_on=risks["status_date"] + pd.Timedelta(days=rules.near_days),
        felt_on=risks["proximity_on"] + pd.to_timedelta(risks["velocity_days"].astype("float64").round(), unit="D"),
    )
    order = rows.sort_values(["proximity_on", "risk_id"], kind="stable", na_position="last")
    return order[TIMELINE_COLUMNS].reset_index(drop=True)


def risk_flags(
    register: pd.DataFrame, *, actions: pd.DataFrame, issues: pd.DataFrame, rules: RiskRules
) -> pd.DataFrame:
    """Return what is wrong with the care of each open risk: one row per risk and flag.

    Parameters
    ----------
    register
        As :func:`pmo_lib.metrics.risk.risk_register` returns it.
    actions, issues
        Contract tables of the period. Without any action, "no action" and "action overdue" are not known, and
        likewise "occurred, no issue raised" without any issue: they have one row without a risk that says so.
    rules
        Limits.

    Returns
    -------
    DataFrame
        :data:`FLAG_COLUMNS`, by urgency of the flag, then in the order of the register: ``dated_on`` and ``days`` are
        the day concerned and how long it is past; ``detail`` words; ``rule`` the exact rule; ``flagged`` the number of
        risks (of actions, where they are overdue) with that flag, null where it is not known. Empty without an open
        risk.
    """
    risks = register.loc[register["open"]]
    if risks.empty:
        return pd.DataFrame(columns=FLAG_COLUMNS)
    parts = [
        part.assign(flag=flag, rule=rule)
        for tests in (
            _neglect(risks, rules=rules), _contradictions(risks), _actions(risks, actions=actions),
            _occurred(register, issues=issues),
        )
        for flag, rule, part in tests
        if len(part)
    ]  # fmt: skip
    rows = pd.concat([*parts, pd.DataFrame(columns=FLAG_COLUMNS)]) if parts else pd.DataFrame(columns=FLAG_COLUMNS)
    known = rows.groupby("flag")["risk_id"].transform("count")
    rows["flagged"] = known.where(rows["risk_id"].notna()).astype("Int64")
    rows["urgency"] = rows["flag"].map({flag: place for place, flag in enumerate(FLAGS)})
    rows["dated_on"] = pd.to_datetime(rows["dated_on"])
    rows["days"] = rows["days"].astype("Int64")
    return rows.sort_values("urgency", kind="stable")[FLAG_COLUMNS].reset_index(drop=True)


Test = tuple[str, str, pd.DataFrame]


def _rows(
    risks: pd.DataFrame, *, mask: pd.Series[Any], since: str = "", detail: pd.Series[Any] | str = ""
) -> pd.DataFrame:
    """Return the risks of a flag; ``since`` names the date that is past."""
    chosen = mask.fillna(value=False).astype(bool)
    dated = risks[since] if since else pd.Series(pd.NaT, index=risks.index)
    days = (risks["status_date"] - dated).dt.days if since else pd.Series(pd.NA, index=risks.index, dtype="Int64")
    return risks.assign(dated_on=dated, days=days, detail=detail).loc[
        chosen, [*RISK_COLUMNS, "dated_on", "days", "detail"]
    ]


def _neglect(risks: pd.DataFrame, *, rules: RiskRules) -> Iterator[Test]:
    interval, appetite = rules.review_interval_days, rules.appetite
    words = "grade " + risks["grade"].fillna("") + f", appetite {appetite}"
    unseen = risks["reviewed_on"].isna() & ~risks["age_days"].le(interval).fillna(value=False)
    yield "past its date", "open, and the day on which it may strike is past", _rows(
        risks, mask=risks["proximity_days"].lt(0), since="proximity_on")  # fmt: skip
    yield "above appetite, not escalated", f"threat above {appetite} that is not escalated", _rows(
        risks, mask=risks["above_appetite"] & ~risks["escalated"], detail=words
    )  # fmt: skip
    yield "no owner", "no owner is named", _rows(risks, mask=risks["owner"].isna())
    yield "no response", "no response is chosen", _rows(risks, mask=risks["response"].isna())
    yield (
        "never reviewed",
        f"no review, and not raised within {interval} days",
        _rows(risks, mask=unseen, since="raised_on"),
    )
    yield "review overdue", f"last review more than {interval} days ago", _rows(
        risks, mask=risks["review_age_days"].gt(interval), since="reviewed_on")  # fmt: skip


def _contradictions(risks: pd.DataFrame) -> Iterator[Test]:
    yield "certain, so an issue", "probability 1: it belongs in the issue log and in the forecast", _rows(
        risks, mask=risks["probability"].eq(1))  # fmt: skip
    yield "cannot happen", "probability 0: close it", _rows(risks, mask=risks["probability"].eq(0))
    yield (
        "has a closing date",
        "open, yet closed on a day",
        _rows(risks, mask=risks["closed_on"].notna(), since="closed_on"),
    )
    for unit, stem in IMPACTS.items():
        low, likely, high = (risks[f"{stem}_{point}"] for point in ("low", "likely", "high"))
        wrong = low.gt(likely) | likely.gt(high) | low.gt(high)
        yield (
            "impacts out of order",
            "low ≤ most likely ≤ high does not hold",
            _rows(risks, mask=wrong, detail=f"in {unit}"),
        )
    scores = "target " + risks["target_score"].astype("str") + ", current " + risks["score"].astype("str")
    worse = risks["target_score"].gt(risks["score"]) & risks["kind"].ne("opportunity")
    yield "target above current", "the target score of a threat is above the current one", _rows(
        risks, mask=worse, detail=scores)  # fmt: skip


def _actions(risks: pd.DataFrame, *, actions: pd.DataFrame) -> Iterator[Test]:
    rule = "no action names it, and it is not simply accepted"
    late = "an action on it is past its due date and not done"
    if actions.empty:
        yield "no action", rule, _unknown(NO_ACTIONS)
        yield "action overdue", late, _unknown(NO_ACTIONS)
        return
    served = actions.loc[actions["parent_kind"].eq("risk")]
    idle = ~risks["risk_id"].isin(served["parent_id"]) & risks["response"].ne("accept")
    yield "no action", rule, _rows(risks, mask=idle)
    open_actions = served.loc[
        served["done_on"].isna(), ["parent_id", "action_id", "description", "due_on", "owner", "source_ref"]
    ]
    held = risks.drop(columns=["owner", "source_ref"]).merge(open_actions, left_on="risk_id", right_on="parent_id")
    words = held["action_id"] + ": " + held["description"].fillna("")
    yield "action overdue", late, _rows(held, mask=held["due_on"].lt(held["status_date"]), since="due_on", detail=words)


def _occurred(register: pd.DataFrame, *, issues: pd.DataFrame) -> Iterator[Test]:
    rule = "a threat whose status is occurred, and no issue names it"
    struck = register.loc[register["state"].eq("occurred") & register["kind"].ne("opportunity")]
    if len(struck):
        alone = ~struck["risk_id"].isin(issues["risk_id"].dropna())
        yield "occurred, no issue raised", rule, _unknown(NO_ISSUES) if issues.empty else _rows(struck, mask=alone)


def _unknown(reason: str) -> pd.DataFrame:
    empty = {name: [None] for name in [*RISK_COLUMNS, "dated_on", "days"]}
    return pd.DataFrame({**empty, "detail": [reason]})


def register_patterns(scored: pd.DataFrame, *, period: str, issues: pd.DataFrame, rules: RiskRules) -> pd.DataFrame:
    """Return signs that a register is kept for show: bulk reviews, scores that never move, issues it did not foresee.

    Parameters
    ----------
    scored
        As :func:`pmo_lib.metrics.risk.scored_risks` returns it, over the periods.
    issues
        Contract table of the period.
    rules
        ``bulk_review_risks``: a day of review shared by as many open risks is listed, with how many of them are
        unchanged in all but that date since the last register; ``unmoved_periods``: number of registers with the same
        score from which a risk is listed.

    Returns
    -------
    DataFrame
        :data:`PATTERN_COLUMNS`; ``pattern`` is "reviewed in bulk" (``risks``, ``unchanged``; null without an earlier
        register), "score never moved" (``periods``), or "issue that no risk foresaw" (``detail`` says how). Empty
        without an open risk.
    """
    mine = scored.loc[scored["ours"] & scored["period"].eq(period) & scored["open"]]
    if mine.empty:
        return pd.DataFrame(columns=PATTERN_COLUMNS)
    parts = [
        _bulk(scored, mine=mine, rules=rules),
        _still(scored, mine=mine, rules=rules),
        _unforeseen(scored, issues=issues),
    ]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True)[PATTERN_COLUMNS] if filled else pd.DataFrame(columns=PATTERN_COLUMNS)


def _bulk(scored: pd.DataFrame, *, mine: pd.DataFrame, rules: RiskRules) -> pd.DataFrame:
    period = str(mine["period"].iloc[0])
    pairs = paired_risks(scored, period=period).dropna(subset=["row_now", "row_before"])
    now, before = (scored.loc[pairs[side], CONTENT].reset_index(drop=True) for side in ("row_now", "row_before"))
    same = (now.eq(before).fillna(value=False) | (now.isna() & before.isna())).all(axis="columns")
    still = pd.Series(same.to_numpy(), index=pairs["row_now"]).reindex(mine.index)
    compared = compared_period(scored, period=period)
    rows = []
    for reviewed_on, risks in mine.groupby("reviewed_on", sort=True):
        if len(risks) >= rules.bulk_review_risks:
            unchanged = int(still.loc[risks.index].eq(other=True).sum()) if compared else pd.NA
            words = f"{len(risks)} risks" + (f", {unchanged} of them unchanged in all else" if compared else "")
            words += f": {', '.join(risks['risk_id'])}"
            rows.append(("reviewed in bulk", reviewed_on, len(risks), unchanged, words, risks["source_ref"].iloc[0]))
    columns = ["pattern", "dated_on", "risks", "unchanged", "detail", "source_ref"]
    return _patterns(pd.DataFrame(rows, columns=columns).sort_values("risks", ascending=False, kind="stable"))


def _still(scored: pd.DataFrame, *, mine: pd.DataFrame, rules: RiskRules) -> pd.DataFrame:
    seen = scored.loc[scored["ours"] & scored["score"].notna() & scored["risk_id"].isin(mine["risk_id"])]
    runs = seen.groupby("risk_id").agg(
        periods=("period", "nunique"), scores=("score", "nunique"), since=("period", "min")
    )
    fixed = runs.loc[runs["scores"].eq(1) & runs["periods"].ge(rules.unmoved_periods)].reset_index()
    rows = mine.loc[mine["score"].notna()].merge(fixed, on="risk_id")
    rows["detail"] = (
        "score "
        + rows["score"].astype("str")
        + " in "
        + rows["periods"].astype("str")
        + " registers since "
        + rows["since"].map(month)
    )
    rows = rows.assign(pattern="score never moved", subject_id=rows["risk_id"], dated_on=rows["raised_on"])
    return _patterns(rows.sort_values(["periods", "score", "risk_id"], ascending=[False, False, True], kind="stable"))


def _unforeseen(scored: pd.DataFrame, *, issues: pd.DataFrame) -> pd.DataFrame:
    if issues.empty:
        return _patterns(
            pd.DataFrame({"pattern": ["issue that no risk foresaw"], "detail": [f"not known: {NO_ISSUES}"]})
        )
    raised = scored.loc[scored["ours"]].drop_duplicates("risk_id", keep="last").set_index("risk_id")["raised_on"]
    latest = issues.sort_values(["issue_id", "status_date"], kind="stable").drop_duplicates("issue_id", keep="last")
    named = latest["risk_id"].map(raised)
    detail = pd.Series("", index=latest.index, dtype="str").mask(
        named.gt(latest["raised_on"]), "its risk " + latest["risk_id"] + " was raised only after it"
    )
    detail = detail.mask(~latest["risk_id"].isin(raised.index), "its risk " + latest["risk_id"] + " is in no register")
    detail = detail.mask(latest["risk_id"].isna(), "names no risk")
    rows = latest.assign(
        pattern="issue that no risk foresaw", subject_id=latest["issue_id"], dated_on=latest["raised_on"], detail=detail
    )
    return _patterns(rows.loc[detail.ne("")])


def _patterns(rows: pd.DataFrame) -> pd.DataFrame:
    whole = rows.reindex(columns=PATTERN_COLUMNS)
    dates = {"dated_on": "datetime64[us]", "risks": "Int64", "unchanged": "Int64", "periods": "Int64"}
    return whole.astype({**dict.fromkeys(PATTERN_COLUMNS, "str"), **dates})
