"""Risk exposure in money and days: how much is at stake, how that moved, and what stands against it.

Sources: exposure as the sum of expected values, threats less opportunities (PMI *Standard for Risk Management* 2019);
contingency left = approved − drawn + returned, management reserve apart from it (the same; ANSI/EIA-748 keeps
management reserve outside the performance baseline). Sums are of open risks only; a null sum has a reason; nothing
counts as 0 that was not returned as 0. Overlapping risks count twice: independence is not checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.errors import ReportError
from pmo_lib.metrics.risk import compared_period, paired_risks

if TYPE_CHECKING:
    from collections.abc import Iterable

# In the order in which a bridge is read: what came, what changed, what went.
CAUSES = (
    "new", "re-opened", "moved in", "newly quantified", "re-estimated", "no longer quantified", "closed", "occurred",
    "dropped", "moved out",
)  # fmt: skip
MOVES = ("new", "new, already over", "re-appeared", "re-opened", "moved in", "escalated", "de-escalated", "kept",
         "closed", "occurred", "dropped", "moved out")  # fmt: skip
COMPARED = [
    "risk_id", "title", "project_id", "kind", "owner", "currency", "source_ref", "status", "score", "grade", "state",
    "open", "escalated", "current_probability_level", "current_impact_level", "expected_money", "expected_days",
]  # fmt: skip
MOVEMENT_COLUMNS = (
    "risk_id", "title", "project_id", "kind", "kind_before", "owner", "what", "cause", "status_before", "status",
    "position_before", "position", "score_before", "score", "moved_score", "grade_before", "grade",
    "expected_money_before", "expected_money", "moved_money", "expected_days_before", "expected_days", "currency",
    "compared_with", "portfolio_other", "source_ref",
)  # fmt: skip


def one_currency(currencies: Iterable[Any], *, what: str) -> str:
    """Return the one currency of a sum ('' if there is none).

    Raises
    ------
    ReportError
        If there are several: money of different currencies has no sum.
    """
    found = sorted({str(currency) for currency in currencies if pd.notna(currency) and currency != ""})
    if len(found) > 1:
        raise ReportError(
            f"{what}: amounts in {' and '.join(found)}",
            fix="return one currency for the portfolio, or convert at a stated rate and date first",
            stage="notebook",
        )
    return found[0] if found else ""


def risk_exposure(register: pd.DataFrame) -> pd.DataFrame:
    """Return the exposure of the open risks by project and kind.

    Parameters
    ----------
    register
        As :func:`pmo_lib.metrics.risk.risk_register` returns it.

    Returns
    -------
    DataFrame
        ``project_id`` (null: the portfolio as a whole), ``kind`` (threat, opportunity, not stated), ``risks_open,
        risks_unquantified`` (in money), ``risks_without_days, expected_money, expected_days, currency, money_reason,
        days_reason``, sorted by project and kind. Positive is cost or delay.

    Raises
    ------
    ReportError
        Several currencies.
    """
    risks = register.loc[register["open"]]
    currency = one_currency(risks.loc[risks["expected_money"].notna(), "currency"], what="risk register")
    order = risks.sort_values("risk_id", kind="stable")
    groups = order.groupby(["project_id", "kind"], dropna=False, sort=True, observed=True)
    rows = groups.agg(risks_open=("risk_id", "size")).reset_index()
    for unit, gaps in (("money", "risks_unquantified"), ("days", "risks_without_days")):
        rows[gaps] = (groups[f"expected_{unit}"].size() - groups[f"expected_{unit}"].count()).to_numpy()
        rows[f"expected_{unit}"] = groups[f"expected_{unit}"].sum(min_count=1).to_numpy()
        rows[f"{unit}_reason"] = _none_of(rows[gaps], null=rows[f"expected_{unit}"].isna(), unit=unit)
    columns = [
        "project_id", "kind", "risks_open", "risks_unquantified", "risks_without_days", "expected_money",
        "expected_days", "currency", "money_reason", "days_reason",
    ]  # fmt: skip
    return rows.assign(currency=currency)[columns]


def _none_of(counts: pd.Series[Any], *, null: pd.Series[bool], unit: str) -> pd.Series[str]:
    words = "none of " + counts.astype("str") + f" open is quantified in {unit}"
    return words.where(null, "").astype("str")


def risk_movements(scored: pd.DataFrame, *, period: str) -> pd.DataFrame:
    """Return what became of each risk since the last register; none if there is no register now or none before.

    Parameters
    ----------
    scored
        As :func:`pmo_lib.metrics.risk.scored_risks` returns it, over the periods.

    Returns
    -------
    DataFrame
        One row per risk that is open in either register or changed its state: ``risk_id, title, project_id, kind,
        kind_before, owner, what`` (one of :data:`MOVES`; dropped: was open, is not in the register and was never
        closed; re-appeared: was seen in an older register), ``cause`` (one of :data:`CAUSES`, unchanged or not
        quantified), ``status_before, status, position_before, position`` (as P4 × I3), ``score_before, score,
        moved_score, grade_before, grade, expected_money_before, expected_money`` (each only while the risk is open
        and ours), ``moved_money, expected_days_before, expected_days, currency, compared_with`` (period),
        ``portfolio_other, source_ref``.

    Raises
    ------
    ReportError
        Several currencies in the two registers.
    """
    pairs = paired_risks(scored, period=period)
    if pairs["row_now"].isna().all() or pairs["row_before"].isna().all():
        return pd.DataFrame(columns=list(MOVEMENT_COLUMNS))
    now, before = (scored[COMPARED].reindex(pairs[side]).reset_index(drop=True) for side in ("row_now", "row_before"))
    both = zip(pairs.itertuples(), _states_of(now), _states_of(before), strict=True)
    what = [_what(pair, now=state, before=earlier) for pair, state, earlier in both]
    rows = _described(now, before=before).assign(
        what=what, compared_with=compared_period(scored, period=period), portfolio_other=pairs["portfolio_other"]
    )
    for unit in ("money", "days"):
        counts_now = now["open"].eq(other=True)
        counts_before = before["open"].eq(other=True) & pairs["moved"].ne("in")
        rows[f"expected_{unit}"] = now[f"expected_{unit}"].where(counts_now)
        rows[f"expected_{unit}_before"] = before[f"expected_{unit}"].where(counts_before)
    known = rows[["expected_money_before", "expected_money"]].notna()
    moved = rows["expected_money"].fillna(0.0) - rows["expected_money_before"].fillna(0.0)
    rows["moved_money"] = moved.where(known.any(axis="columns"))
    rows["cause"] = [_cause(row) for row in rows.to_dict("records")]
    one_currency([*now.loc[known["expected_money"], "currency"],
                  *before.loc[known["expected_money_before"], "currency"]], what="two risk registers")  # fmt: skip
    return _ordered(rows.loc[rows["what"].ne("")])


def _states_of(risks: pd.DataFrame) -> list[tuple[str, bool]]:
    """State ('' where the risk is absent) and whether it is escalated, of each row."""
    return list(zip(risks["state"].fillna(""), risks["escalated"].eq(other=True), strict=True))


def _what(pair: Any, *, now: tuple[str, bool], before: tuple[str, bool]) -> str:
    """Name what became of one risk; '' if it was over and still is."""
    if pair.moved:
        return f"moved {pair.moved}" if "open" in (now[0], before[0]) else ""
    if not before[0]:
        return _arrival(now[0], last=pair.state_last)
    if not now[0]:
        return "dropped" if before[0] == "open" else ""
    if before[0] != "open":
        return "re-opened" if now[0] == "open" else ""
    if now[0] != "open":
        return now[0]
    return {(False, True): "escalated", (True, False): "de-escalated"}.get((before[1], now[1]), "kept")


def _arrival(state: str, *, last: Any) -> str:
    if pd.isna(last):
        return "new" if state == "open" else "new, already over"
    if state != "open":
        return ""
    return "re-appeared" if last == "open" else "re-opened"


def _cause(row: dict[Any, Any]) -> str:
    """Name why the expected money of one risk moved."""
    before, now = pd.notna(row["expected_money_before"]), pd.notna(row["expected_money"])
    if not before and not now:
        return "not quantified"
    if row["what"] in ("new", "re-appeared"):
        return "new"
    if row["what"] in ("re-opened", "moved in", "moved out", "closed", "occurred", "dropped"):
        return str(row["what"])
    if before != now:
        return "newly quantified" if now else "no longer quantified"
    return "re-estimated" if row["moved_money"] else "unchanged"


def _described(now: pd.DataFrame, *, before: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of both registers side by side; what only one of them knows comes from that one."""
    shared = ["risk_id", "title", "project_id", "kind", "owner", "currency", "source_ref"]
    rows = now[shared].where(now["risk_id"].notna(), before[shared])
    rows["position"], rows["position_before"] = _position(now), _position(before)
    for name in ("kind", "status", "score", "grade"):
        rows[f"{name}_before"] = before[name]
        rows[name] = rows[name] if name in rows else now[name]
    return rows.assign(moved_score=rows["score"] - rows["score_before"])


def _position(risks: pd.DataFrame) -> pd.Series[str]:
    probability, impact = risks["current_probability_level"], risks["current_impact_level"]
    return ("P" + probability.astype("str") + " × I" + impact.astype("str")).where(probability.notna() & impact.notna())


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Largest movement of money first, then of score, then by id."""
    order = rows.assign(
        money=rows["moved_money"].abs().fillna(-1.0), levels=rows["moved_score"].abs().astype("Float64").fillna(-1.0)
    )
    places = order.sort_values(["money", "levels", "risk_id"], ascending=[False, False, True], kind="stable").index
    return rows.loc[places, list(MOVEMENT_COLUMNS)].reset_index(drop=True)


def exposure_bridge(movements: pd.DataFrame) -> pd.DataFrame:
    """Return how net exposure came from the last register to this one: a total is never shown without its causes.

    Returns
    -------
    DataFrame
        ``step, amount, risks, is_total, currency, compared_with``: exposure before, one row per cause that moved
        anything, exposure now. The amounts of the causes add up to now − before. Empty if nothing is quantified in
        either.
    """
    columns = ["step", "amount", "risks", "is_total", "currency", "compared_with"]
    known = movements[["expected_money_before", "expected_money"]].notna()
    if movements.empty or not known.to_numpy().any():
        return pd.DataFrame(columns=columns)
    by_cause = movements.loc[movements["moved_money"].notna()].groupby("cause")["moved_money"].agg(["sum", "size"])
    steps = [(cause, *by_cause.loc[cause], False) for cause in CAUSES if cause in by_cause.index]
    ends = [
        (name, movements[column].sum(), int(movements[column].notna().sum()), True)
        for name, column in (("before", "expected_money_before"), ("now", "expected_money"))
    ]
    rows = pd.DataFrame([ends[0], *steps, ends[1]], columns=columns[:4])
    return rows.assign(
        risks=rows["risks"].astype("int64"),
        currency=one_currency(movements["currency"], what="two risk registers"),
        compared_with=movements["compared_with"].iloc[0],
    )


def contingency_left(projects: pd.DataFrame, *, reserves: pd.DataFrame) -> pd.DataFrame:
    """Return the contingency of each project: approved − drawn + returned.

    The book of reserves decides where it has entries for the project; without an approving entry in it, and without
    any entry, the approved amount is the one that the project states. Management reserve is not counted.

    Returns
    -------
    DataFrame
        ``project_id, name, approved, drawn, returned, contingency_left, basis, reason, currency, source_ref``;
        overdrawn is negative, unknown is null with a reason.
    """
    book = reserves.loc[reserves["kind"].eq("contingency") & reserves["amount"].notna()]
    sums = book.pivot_table(index="project_id", columns="movement", values="amount", aggfunc="sum")
    sums = sums.reindex(columns=["approved", "drawn", "returned"]).reindex(projects["project_id"])
    stated = projects.set_index("project_id")["contingency_approved"]
    rows = projects[["project_id", "name", "currency", "source_ref"]].reset_index(drop=True)
    rows["approved"] = sums["approved"].fillna(stated).to_numpy()
    kept = sums["approved"].notna().to_numpy()
    for name in ("drawn", "returned"):
        # No entry of that kind in a kept book is a true zero; without a book nothing is known of draws.
        rows[name] = sums[name].mask(sums.notna().any(axis="columns") & sums[name].isna(), 0.0).to_numpy()
    rows["contingency_left"] = rows["approved"] - rows["drawn"].fillna(0.0) + rows["returned"].fillna(0.0)
    booked = sums.notna().any(axis="columns").to_numpy()
    rows["basis"] = [_basis(approved=a, booked=b) for a, b in zip(kept, booked, strict=True)]
    rows["reason"] = pd.Series("no contingency was approved or stated", index=rows.index, dtype="str")
    rows["reason"] = rows["reason"].where(rows["contingency_left"].isna(), "")
    rows["basis"] = rows["basis"].where(rows["contingency_left"].notna(), "")
    return rows.sort_values("project_id", kind="stable").reset_index(drop=True)


def _basis(*, approved: Any, booked: Any) -> str:
    if approved:
        return "book of reserves"
    return "approved as the project states it, draws from the book" if booked else "approved; no entries in the book"


def exposure_cover(register: pd.DataFrame, *, contingency: pd.DataFrame) -> pd.DataFrame:
    """Return the net exposure of each project beside the contingency that is left for it.

    Returns
    -------
    DataFrame
        ``project_id`` (null: risks of the portfolio as a whole), ``name, risks_open, risks_unquantified,
        expected_money`` (net of opportunities), ``contingency_left, uncovered`` (exposure − contingency left),
        ``exposure_ratio`` (exposure ÷ contingency left; above 1 is not covered), ``basis, money_reason,
        contingency_reason, ratio_reason, currency, source_ref``; the least covered first. Projects of which neither is
        known are left out; none if no register was returned.

    Raises
    ------
    ReportError
        Exposure and contingency in several currencies.
    """
    if register.empty:
        return pd.DataFrame(columns=list(COVER_COLUMNS))
    exposure = risk_exposure(register)
    names = ["risks_open", "risks_unquantified"]
    groups = exposure.groupby("project_id", dropna=False)
    net = groups[names].sum().assign(expected_money=groups["expected_money"].sum(min_count=1)).reset_index()
    rows = net.merge(contingency, on="project_id", how="outer")
    rows = rows.loc[rows["risks_open"].notna() | rows["contingency_left"].notna()].reset_index(drop=True)
    held = rows.loc[rows["contingency_left"].notna(), "currency"]
    rows["currency"] = one_currency([*held, *exposure["currency"]], what="exposure and contingency")
    rows[names] = rows[names].fillna(0).astype("Int64")
    rows["name"] = rows["name"].fillna(rows["project_id"]).fillna("the portfolio as a whole")
    rows["money_reason"] = _exposure_reason(rows)
    none_held = rows["project_id"].isna() & rows["contingency_left"].isna()
    rows["contingency_reason"] = (
        rows["reason"].fillna("not in the list of projects").mask(none_held, "held by projects")
    )
    rows["uncovered"] = rows["expected_money"] - rows["contingency_left"]
    usable = rows["contingency_left"].gt(0) & rows["expected_money"].notna()
    rows["exposure_ratio"] = (rows["expected_money"] / rows["contingency_left"]).where(usable)
    rows["ratio_reason"] = _ratio_reason(rows)
    order = rows.sort_values(["uncovered", "project_id"], ascending=[False, True], kind="stable", na_position="last")
    return order[list(COVER_COLUMNS)].reset_index(drop=True)


COVER_COLUMNS = (
    "project_id", "name", "risks_open", "risks_unquantified", "expected_money", "contingency_left", "uncovered",
    "exposure_ratio", "basis", "money_reason", "contingency_reason", "ratio_reason", "currency", "source_ref",
)  # fmt: skip


def _exposure_reason(rows: pd.DataFrame) -> pd.Series[str]:
    reason = pd.Series("none is quantified", index=rows.index, dtype="str").mask(
        rows["risks_open"].eq(0), "no open risk"
    )
    return reason.where(rows["expected_money"].isna(), "")


def _ratio_reason(rows: pd.DataFrame) -> pd.Series[str]:
    reason = pd.Series("", index=rows.index, dtype="str")
    reason = reason.mask(rows["contingency_left"].le(0), "contingency is used up")
    reason = reason.mask(rows["contingency_left"].isna(), "contingency unknown")
    return reason.mask(rows["expected_money"].isna(), "exposure unknown")
