"""The risk register, scored: levels, grades, expected values, and the same risk over the periods.

Rules, with their sources:

* score = probability level × impact level, and a grade by lookup in the organisation's matrix (Orange Book, HM Treasury
  2020; PMI *Standard for Risk Management* 2019). A matrix must rate every cell and must never fall as a level rises.
* expected value = probability × **most likely** impact, "the cost of the risk impact combined with the probability"
  (PRINCE2 2009, *Expected value*; PMI's expected monetary value). The low and high impacts are carried beside it, each
  times the probability. No mean of three points is taken: (low + 4 · likely + high) / 6 would assume a distribution
  that nobody stated.
* sign: positive is cost or delay, so a threat is positive and an opportunity negative; levels have no sign.
* a risk is open unless its status is closed or occurred; without a status it is open unless a closing date is past.

Null means not computable and has a reason beside it; it is never 0.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pmo_lib.errors import ReportError
from pmo_lib.parameters.models import GRADES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pmo_lib.parameters.models import RiskRules

STANCES = ("inherent", "current", "target")
LEVELS = (1, 2, 3, 4, 5)
KINDS = ("threat", "opportunity", "not stated")
IMPACTS = {"money": "cost_impact", "days": "days_impact"}
HEAT_COLUMNS = (
    "stance", "probability_level", "impact_level", "score", "grade", "above_appetite", "threats", "opportunities",
    "risks", "risks_without_levels", "came", "went",
)  # fmt: skip
GONE = ("closed", "occurred", "dropped", "moved out", "new, already over")
PAIR_COLUMNS = ("row_now", "row_before", "moved", "portfolio_other", "state_last")


def matrix_faults(matrix: Sequence[Sequence[str | None]]) -> pd.DataFrame:
    """Return where a risk matrix is not total or not monotone.

    Parameters
    ----------
    matrix
        Grades by probability level (rows 1–5) and impact level (columns 1–5); any rectangle may be given.

    Returns
    -------
    DataFrame
        ``probability_level, impact_level, grade, fault``: one row per cell without a known grade, and one per cell
        whose grade is below that of its lower neighbour; empty for a sound matrix.

    Notes
    -----
    "Very high impact, low likelihood" had no rating in a published 5 × 5 matrix (UK Department for Transport,
    analysis_engine, ``risk_score``): a risk that lands there would silently be unrated.
    """
    rows: list[tuple[int, int, str | None, str]] = []
    if len(matrix) != len(LEVELS) or any(len(row) != len(LEVELS) for row in matrix):
        rows.append((len(matrix), max(map(len, matrix), default=0), None, "not 5 × 5"))
    ranks = {(p, i): _rank(grade) for p, row in enumerate(matrix, 1) for i, grade in enumerate(row, 1)}
    for (p, i), rank in ranks.items():
        lower = max(ranks.get((p - 1, i), -1), ranks.get((p, i - 1), -1))
        if rank < 0:
            rows.append((p, i, matrix[p - 1][i - 1], "no grade"))
        elif rank < lower:
            rows.append((p, i, matrix[p - 1][i - 1], "falls as a level rises"))
    return pd.DataFrame(rows, columns=["probability_level", "impact_level", "grade", "fault"])


def _rank(grade: str | None) -> int:
    """Place of a grade from low to severe; −1 for anything else."""
    return next((rank for rank, known in enumerate(GRADES) if known == grade), -1)


def scored_risks(history: pd.DataFrame, *, portfolios: pd.DataFrame, rules: RiskRules) -> pd.DataFrame:
    """Return every returned risk of every period with its scores, grades and expected values.

    Parameters
    ----------
    history
        Contract table ``risks`` over the periods, with ``period`` in front; may hold risks of projects that stood in
        another portfolio.
    portfolios
        The portfolio that the report is about: its id tells whose risks are ``ours``, its currency stands in where a
        risk names none.
    rules
        Matrix and limits.

    Returns
    -------
    DataFrame
        One row per period, portfolio and risk (the latest status date), sorted by them: the columns of the contract,
        and ``ours, state (open, closed, occurred), open, escalated, inherent_score, inherent_grade, score, grade,
        target_score, target_grade, expected_money, expected_money_low, expected_money_high, expected_days,
        expected_days_low, expected_days_high``. Money is in ``currency``; positive is cost.

    Raises
    ------
    ReportError
        A matrix that is not total or not monotone.
    """
    faults = matrix_faults(rules.matrix)
    if len(faults):
        raise ReportError(
            f"risk matrix: {len(faults)} cells without a sound grade",
            fix="give each of the 25 cells a grade that never falls as a level rises",
            stage="notebook",
        )
    key = ["period", "portfolio_id", "risk_id"]
    risks = history.sort_values([*key, "status_date"], kind="stable").drop_duplicates(key, keep="last")
    risks = risks.reset_index(drop=True)
    risks["ours"] = risks["portfolio_id"].isin(portfolios["portfolio_id"])
    risks["currency"] = risks["currency"].fillna(next(iter(portfolios["currency"].dropna()), np.nan))
    risks["kind"] = risks["kind"].fillna("not stated")
    risks["state"] = _state(risks)
    risks["open"] = risks["state"].eq("open")
    risks["escalated"] = risks["status"].eq("escalated").fillna(value=False).astype(bool)
    return _with_expected(_with_scores(risks, rules=rules))


def _state(risks: pd.DataFrame) -> pd.Series[str]:
    """Closed and occurred as stated; no status with a past closing date is closed; everything else is open."""
    stated = risks["status"].where(risks["status"].isin(("closed", "occurred")))
    closed = risks["status"].isna() & risks["closed_on"].le(risks["status_date"])
    return stated.mask(closed, "closed").fillna("open")


def _with_scores(risks: pd.DataFrame, *, rules: RiskRules) -> pd.DataFrame:
    grades = {10 * p + i: rules.matrix[p - 1][i - 1] for p in LEVELS for i in LEVELS}
    for stance in STANCES:
        name = "" if stance == "current" else f"{stance}_"
        probability, impact = risks[f"{stance}_probability_level"], risks[f"{stance}_impact_level"]
        risks[f"{name}score"] = (probability * impact).astype("Int64")
        risks[f"{name}grade"] = (10 * probability + impact).map(grades).astype("str")
    return risks


def _with_expected(risks: pd.DataFrame) -> pd.DataFrame:
    sign = risks["kind"].map({"threat": 1.0, "opportunity": -1.0}).astype("float64")
    for unit, stem in IMPACTS.items():
        for point, suffix in (("likely", ""), ("low", "_low"), ("high", "_high")):
            impact = risks[f"{stem}_{point}"].where(risks[f"{stem}_{point}"].ge(0))
            # Adding 0.0 turns −0.0, an impossible opportunity, into 0.0.
            risks[f"expected_{unit}{suffix}"] = sign * risks["probability"] * impact + 0.0
    return risks


def _with_reasons(risks: pd.DataFrame, *, states: pd.DataFrame) -> pd.DataFrame:
    """Add ``score_reason, money_reason, days_reason``: why a score or an expected value is null, else ''."""
    told = _told(states)
    needs = {"current_probability_level": "probability level", "current_impact_level": "impact level"}
    risks = risks.assign(score_reason=_missing(risks, needs=needs, told=told))
    for unit, stem in IMPACTS.items():
        needs = {"probability": "probability", f"{stem}_likely": f"most likely impact in {unit}"}
        reason = _missing(risks, needs=needs, told=told)
        for wrong, words in (
            (risks[f"{stem}_likely"].lt(0), "negative impact: a magnitude is expected"),
            (risks["kind"].eq("not stated"), "threat or opportunity not stated"),
        ):
            reason = reason.mask(wrong, reason.where(reason.eq(""), reason + "; ") + words)
        risks[f"{unit}_reason"] = reason
    return risks


def _told(states: pd.DataFrame) -> dict[tuple[str, str, str], str]:
    """Return what intake says of cells without a plain value: by portfolio, key of the row, and column."""
    rows = states.loc[states["table_name"].eq("risks")]
    return {(row["portfolio_id"], row["row_key"], row["column_name"]): _worded(row) for row in rows.to_dict("records")}


def _worded(row: dict[Any, Any]) -> str:
    ends = [str(row[end]) for end in ("low", "mid", "high") if pd.notna(row[end]) and row[end] != ""]
    extra = row["reason"] if pd.notna(row["reason"]) else ", ".join(ends)
    return f"{row['state']} ({extra})" if extra else str(row["state"])


def _missing(risks: pd.DataFrame, *, needs: dict[str, str], told: dict[tuple[str, str, str], str]) -> pd.Series[str]:
    """Say for each risk which of the needed cells are null, in the words of the return if it has any; '' for none."""
    keys = risks["risk_id"] + "|" + risks["status_date"].dt.strftime("%Y-%m-%d")
    said = pd.Series("", index=risks.index, dtype="object")
    for column, words in needs.items():
        gaps = risks.index[risks[column].isna()]
        for place in gaps:
            stated = told.get((str(risks.at[place, "portfolio_id"]), str(keys.at[place]), column))
            text = f"{words} {stated}" if stated else f"no {words}"
            said.at[place] = f"{said.at[place]}; {text}" if said.at[place] else text
    return said.astype("str")


def compared_period(scored: pd.DataFrame, *, period: str) -> str | None:
    """Return the latest earlier period that holds a register of ours (else one of a project of ours), or None.

    A period whose register was not returned is stepped over: a blank return must not make every risk look new.
    """
    earlier = scored["period"].lt(period)
    own = earlier & scored["ours"]
    chosen = scored.loc[own if own.any() else earlier, "period"]
    return None if chosen.empty else str(chosen.max())


def paired_risks(scored: pd.DataFrame, *, period: str) -> pd.DataFrame:
    """Return each risk of ours beside itself in the period compared with.

    Returns
    -------
    DataFrame
        ``row_now, row_before`` (rows of ``scored``, null where the risk is absent), ``moved`` ('in', 'out' or ''),
        ``portfolio_other`` (where it came from or went to) and ``state_last`` (for a risk without ``row_before``: its
        state in the last period in which it was seen, else null). A risk is the same by portfolio and id; where its
        project changed portfolio, by project and id.
    """
    since = compared_period(scored, period=period)
    # A few columns only: cutting a wide table up costs more than all that follows.
    scored = scored[["period", "portfolio_id", "risk_id", "project_id", "state", "ours"]]
    now, then = scored.loc[scored["period"].eq(period)], scored.loc[scored["period"].eq(since or "")]
    ours_now, ours_then = now.loc[now["ours"]], then.loc[then["ours"]]
    came, went = _by_project(then.loc[~then["ours"]]), _by_project(now.loc[~now["ours"]])
    known = dict(zip(ours_then["risk_id"], ours_then.index, strict=True))
    older = scored.loc[scored["ours"] & scored["period"].lt(since or "")].drop_duplicates("risk_id", keep="last")
    last = dict(zip(older["risk_id"], older["state"], strict=True))
    rows: list[tuple[Any, ...]] = []
    for place, risk, project in _identities(ours_now):
        before = known.get(risk)
        moved = came.get((project, risk)) if before is None else None
        other = None if moved is None else scored.at[moved, "portfolio_id"]
        found = before if before is not None else moved
        rows.append((place, found, "" if moved is None else "in", other, None if found is not None else last.get(risk)))
    still = set(ours_now["risk_id"])
    for place, risk, project in _identities(ours_then.loc[~ours_then["risk_id"].isin(still)] if len(now) else now):
        moved = went.get((project, risk))
        other = None if moved is None else scored.at[moved, "portfolio_id"]
        rows.append((None, place, "" if moved is None else "out", other, None))
    pairs = pd.DataFrame(rows, columns=list(PAIR_COLUMNS))
    return pairs.astype({"row_now": "Int64", "row_before": "Int64", "portfolio_other": "str", "state_last": "str"})


def _identities(risks: pd.DataFrame) -> list[tuple[Any, Any, Any]]:
    return list(zip(risks.index, risks["risk_id"], risks["project_id"], strict=True))


def _by_project(risks: pd.DataFrame) -> dict[tuple[Any, Any], Any]:
    return {(project, risk): place for place, risk, project in _identities(risks) if pd.notna(project)}


def risk_register(scored: pd.DataFrame, *, period: str, states: pd.DataFrame, rules: RiskRules) -> pd.DataFrame:
    """Return our register of a period: open risks first, the worst first, each with its trend and its clocks.

    Parameters
    ----------
    scored
        As :func:`scored_risks` returns it.
    states
        Contract table ``states`` of the period: why a cell has no value, in the words of the return.

    Returns
    -------
    DataFrame
        The columns of ``scored`` and ``score_reason, money_reason, days_reason`` ('' where the value is known),
        ``score_before, trend`` (score now − score before; null unless both are known), ``trend_reason, compared_with``
        (period), ``above_appetite`` (never an opportunity), ``age_days`` (since raised; to its closing if closed),
        ``review_age_days, proximity_days`` (negative is past), ``proximity_band`` (past, imminent, near, far, not
        stated). Days count from or to the row's status date.
    """
    mine = _with_reasons(scored.loc[scored["period"].eq(period) & scored["ours"]], states=states)
    pairs = paired_risks(scored, period=period).dropna(subset=["row_now"]).set_index("row_now")
    before = pairs["row_before"].reindex(mine.index).map(scored["score"]).astype("Int64")
    since = compared_period(scored, period=period)
    rows = mine.assign(
        score_before=before,
        trend=mine["score"] - before,
        trend_reason=_trend_reason(mine, before=before, known=pairs["row_before"].reindex(mine.index).notna()),
        compared_with=since or "",
        above_appetite=_above(mine["grade"], appetite=rules.appetite) & mine["kind"].ne("opportunity"),
        age_days=_days(
            mine["closed_on"].where(mine["state"].eq("closed")).fillna(mine["status_date"]) - mine["raised_on"]
        ),
        review_age_days=_days(mine["status_date"] - mine["reviewed_on"]),
        proximity_days=_days(mine["proximity_on"] - mine["status_date"]),
    )
    rows["proximity_band"] = _band(rows["proximity_days"], rules=rules)
    order = rows.assign(size=rows["expected_money"].abs())
    keys, rising = ["open", "score", "size", "risk_id"], [False, False, False, True]
    return rows.loc[order.sort_values(keys, ascending=rising, kind="stable").index].reset_index(drop=True)


def _days(spans: pd.Series[Any]) -> pd.Series[Any]:
    days: pd.Series[Any] = spans.dt.days.astype("Int64")
    return days


def _above(grades: pd.Series[str], *, appetite: str) -> pd.Series[bool]:
    """True above the appetite line, null without a grade."""
    return grades.map({grade: rank > _rank(appetite) for rank, grade in enumerate(GRADES)}).astype("boolean")


def _band(days: pd.Series[Any], *, rules: RiskRules) -> pd.Series[str]:
    bands = pd.Series("not stated", index=days.index, dtype="str")
    for name, limit in (("far", None), ("near", rules.near_days), ("imminent", rules.imminent_days), ("past", -1)):
        inside = days.notna() if limit is None else days.le(limit).fillna(value=False)
        bands = bands.mask(inside, name)
    return bands


def _trend_reason(mine: pd.DataFrame, *, before: pd.Series[Any], known: pd.Series[bool]) -> pd.Series[str]:
    reason = pd.Series("", index=mine.index, dtype="str")
    reason = reason.mask(before.isna(), "no levels before")
    reason = reason.mask(~known, "not in the register before")
    return reason.mask(mine["score"].isna(), mine["score_reason"])


def heat_map(register: pd.DataFrame, *, rules: RiskRules, movements: pd.DataFrame) -> pd.DataFrame:
    """Return the 5 × 5 matrix with the open risks in it, for the inherent, current and target levels.

    Parameters
    ----------
    register
        As :func:`risk_register` returns it.
    rules
        Matrix and appetite.
    movements
        As :func:`pmo_lib.metrics.exposure.risk_movements` returns it; may be empty.

    Returns
    -------
    DataFrame
        75 rows (3 stances × 25 cells), or none if no risk is open: ``stance, probability_level, impact_level, score,
        grade, above_appetite, threats, opportunities, risks`` (all in the cell, those of no stated kind too) and
        ``risks_without_levels`` (open risks that have no place in that stance, the same on each of its rows): the
        counts and it add up to the open risks; ``came`` and ``went`` count those but opportunities that are in this
        cell of current levels and were not at the last register, or were and are not; null without an earlier register.
    """
    risks = register.loc[register["open"]]
    if risks.empty:
        return pd.DataFrame(columns=list(HEAT_COLUMNS))
    every = pd.DataFrame(product(STANCES, LEVELS, LEVELS), columns=list(HEAT_COLUMNS[:3]))
    found = every.merge(_placed(risks), on=list(HEAT_COLUMNS[:3]), how="left")
    counts = ["threats", "opportunities", "risks"]
    found[counts] = found[counts].fillna(0).astype("int64")
    found["score"] = found["probability_level"] * found["impact_level"]
    found["grade"] = [rules.matrix[p - 1][i - 1] for _, p, i in product(STANCES, LEVELS, LEVELS)]
    found["above_appetite"] = _above(found["grade"], appetite=rules.appetite)
    found["risks_without_levels"] = len(risks) - found.groupby("stance")["risks"].transform("sum")
    found[["came", "went"]] = _between_cells(found, movements=movements)
    return found[list(HEAT_COLUMNS)]


def _between_cells(cells: pd.DataFrame, *, movements: pd.DataFrame) -> pd.DataFrame:
    """Count what came to and went from each cell of current levels; null without an earlier register."""
    if movements.empty:
        return pd.DataFrame({name: pd.Series(pd.NA, index=cells.index, dtype="Int64") for name in ("came", "went")})
    feared = movements[movements["kind"].ne("opportunity")]
    now = feared["position"].mask(feared["what"].isin(GONE)).fillna("")
    then = feared["position_before"].mask(feared["what"].isin(("moved in", "re-opened"))).fillna("")
    moved, levels = now.ne(then), (cells[f"{scale}_level"].astype("str") for scale in ("probability", "impact"))
    here = "P" + next(levels) + " × I" + next(levels)
    counts = {name: here.map(ends[moved].value_counts()) for name, ends in (("came", now), ("went", then))}
    return pd.DataFrame(counts).fillna(0).astype("Int64").mask(cells["stance"].ne("current"))


def _placed(risks: pd.DataFrame) -> pd.DataFrame:
    """Count the risks by stance and position, those without levels left out."""
    parts = [
        risks[[f"{stance}_probability_level", f"{stance}_impact_level", "kind"]]
        .set_axis(["probability_level", "impact_level", "kind"], axis="columns")
        .assign(stance=stance)
        for stance in STANCES
    ]
    placed = pd.concat(parts, ignore_index=True).dropna(subset=["probability_level", "impact_level"])
    placed = placed.astype({"probability_level": "int64", "impact_level": "int64"})
    placed["threats"], placed["opportunities"] = placed["kind"].eq("threat"), placed["kind"].eq("opportunity")
    groups = placed.groupby(list(HEAT_COLUMNS[:3]))
    return groups.agg(
        threats=("threats", "sum"), opportunities=("opportunities", "sum"), risks=("kind", "size")
    ).reset_index()


def top_risks(register: pd.DataFrame, *, rules: RiskRules) -> pd.DataFrame:
    """Return the open risks that are among the largest by score or by exposure, with both ranks.

    Equal scores and equal exposures share the better rank; exposure ranks by size, whatever its sign.

    Returns
    -------
    DataFrame
        ``risk_id, title, project_id, kind, owner, score, grade, expected_money, currency, rank_by_score,
        rank_by_exposure, in_both`` (among the top by both), ``rank_gap`` (rank by score − rank by exposure: positive
        ranks higher in money than in levels), ``score_reason, money_reason, source_ref``; in order of score, then
        exposure. Ranks are null, with the reason, where the risk has no score or no money.
    """
    risks = register.loc[register["open"]].copy()
    risks["rank_by_score"] = risks["score"].rank(method="min", ascending=False).astype("Int64")
    risks["rank_by_exposure"] = risks["expected_money"].abs().rank(method="min", ascending=False).astype("Int64")
    by_score = risks["rank_by_score"].le(rules.top).fillna(value=False)
    by_exposure = risks["rank_by_exposure"].le(rules.top).fillna(value=False)
    risks["in_both"] = by_score & by_exposure
    risks["rank_gap"] = risks["rank_by_score"] - risks["rank_by_exposure"]
    columns = [
        "risk_id", "title", "project_id", "kind", "owner", "score", "grade", "expected_money", "currency",
        "rank_by_score", "rank_by_exposure", "in_both", "rank_gap", "score_reason", "money_reason", "source_ref",
    ]  # fmt: skip
    return risks.loc[by_score | by_exposure, columns].reset_index(drop=True)


def unquantified_risks(register: pd.DataFrame) -> pd.DataFrame:
    """Return the open risks that have no expected money or no score, each with the reasons; days stand beside.

    Returns
    -------
    DataFrame
        ``risk_id, title, project_id, kind, owner, score, score_reason, probability, expected_money, money_reason,
        expected_days, days_reason, currency, source_ref``, in the order of the register.
    """
    gaps = register[["score", "expected_money"]].isna().any(axis="columns")
    columns = [
        "risk_id", "title", "project_id", "kind", "owner", "score", "score_reason", "probability", "expected_money",
        "money_reason", "expected_days", "days_reason", "currency", "source_ref",
    ]  # fmt: skip
    return register.loc[register["open"] & gaps, columns].reset_index(drop=True)
