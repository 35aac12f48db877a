"""Coverage of the register: which projects have no risk in it, and where one is most wanted.

Nothing is invented about risks that nobody returned: projects are ranked by signs that the return itself holds. A low
delivery confidence means "major risks or issues in key areas" (National Audit Office and Infrastructure and Projects
Authority, five-point scale), a late finish or a rising cost is a risk that struck, and a project without a rating or a
cost cannot be judged at all. Each sign counts one: no weights are assumed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.contracts.tables import RATINGS
from pmo_lib.metrics.exposure import one_currency

if TYPE_CHECKING:
    from pmo_lib.parameters.models import Thresholds

SIGNS = {
    "low_confidence": "rated red or amber/red",
    "unrated": "no rating",
    "finish_later": "finish moved later",
    "cost_up": "cost up",
    "cost_unknown": "no single cost",
}
PLACES = {rating: place for place, rating in enumerate(RATINGS)}
LOW_CONFIDENCE = ("amber/red", "red")
OVER = ("closed", "cancelled")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
SPEAKS_OF_RISK = re.compile(r"\brisk", re.IGNORECASE)
SIGN_COLUMNS = [
    "project_id", "name", "delivery_status", "rating", "rating_reason", "whole_life_cost", "cost_reason", "currency",
    "cost_moved_share", "finish_on", "finish_reason", "moved_days", "before_reason", *SIGNS, "signs", "rules",
    "compared_with", "source_ref",
]  # fmt: skip


def warning_signs(
    projects: pd.DataFrame,
    *,
    history: pd.DataFrame,
    status: pd.DataFrame,
    states: pd.DataFrame,
    thresholds: Thresholds,
) -> pd.DataFrame:
    """Return what the return itself says about each project that calls for a risk register.

    Parameters
    ----------
    projects, status, states
        Contract tables of this portfolio in the period.
    history
        Contract table ``projects`` over the periods up to this one, with ``period`` in front.
    thresholds
        ``slip_red_days`` and ``cost_red``: from which a movement since the last return is a sign.

    Returns
    -------
    DataFrame
        :data:`SIGN_COLUMNS`, by project: ``rating`` (the worst that anyone gave at the latest status date),
        ``whole_life_cost`` and ``finish_on`` (forecast, else approved), ``cost_moved_share, moved_days`` (against the
        last return, forecast with forecast and approved with approved), one column per sign (null where it cannot be
        known), ``signs`` (their number), ``rules`` (in words), and a reason for each null.
    """
    rows = projects.sort_values("project_id", kind="stable").reset_index(drop=True)
    rows = rows.merge(_worst_ratings(status, states=states), on="project_id", how="left")
    rows["rating_reason"] = rows["rating_reason"].fillna("no status was returned")
    known = {name: _forecast_or_approved(rows, stem=name) for name in ("whole_life_cost", "finish")}
    rows["whole_life_cost"], rows["finish_on"] = known["whole_life_cost"][0], known["finish"][0]
    rows["cost_reason"] = _told(rows, states=states, stem="whole_life_cost", values=rows["whole_life_cost"])
    rows["finish_reason"] = _told(rows, states=states, stem="finish", values=rows["finish_on"])
    before, since = _before(rows["project_id"], history=history)
    cost, finish = (_same_basis(before, basis=known[name][1], stem=name) for name in ("whole_life_cost", "finish"))
    rows["cost_moved_share"] = (rows["whole_life_cost"] / cost.where(cost.gt(0)) - 1).astype("float64")
    rows["moved_days"] = (rows["finish_on"] - pd.to_datetime(finish)).dt.days.astype("Int64")
    rows["before_reason"] = _before_reason(before, since=since)
    rows["compared_with"] = since
    return _with_signs(rows, thresholds=thresholds)[SIGN_COLUMNS]


def _worst_ratings(status: pd.DataFrame, *, states: pd.DataFrame) -> pd.DataFrame:
    """Return ``project_id, rating, rating_reason`` at each project's latest status date; null if nobody rated it."""
    latest = status.loc[status["status_date"].eq(status.groupby("project_id")["status_date"].transform("max"))]
    key = latest["project_id"] + "|" + latest["status_date"].dt.strftime("%Y-%m-%d") + "|" + latest["assessor_role"]
    said = states.loc[states["table_name"].eq("status") & states["column_name"].eq("rating")].set_index("row_key")
    words = (said["state"] + said["reason"].map(lambda reason: f" ({reason})", na_action="ignore").fillna("")).to_dict()
    rows = latest.assign(place=latest["rating"].map(PLACES), said=key.map(words))
    rows = rows.sort_values(["project_id", "place", "assessor_role"], ascending=[True, False, True], kind="stable")
    worst = rows.drop_duplicates("project_id")[["project_id", "rating", "said"]]
    reason = worst["said"].astype("str").fillna("not rated").where(worst["rating"].isna(), "")
    return worst.assign(rating_reason=reason).drop(columns="said")


def _forecast_or_approved(rows: pd.DataFrame, *, stem: str) -> tuple[pd.Series[Any], pd.Series[str]]:
    """Return the value and which of the two it is."""
    ending = "_on" if stem == "finish" else ""
    forecast, approved = rows[f"{stem}_forecast{ending}"], rows[f"{stem}_baseline{ending}"]
    basis = pd.Series("baseline", index=rows.index, dtype="str").mask(forecast.notna(), "forecast")
    return forecast.fillna(approved), basis


def _same_basis(before: pd.DataFrame, *, basis: pd.Series[str], stem: str) -> pd.Series[Any]:
    ending = "_on" if stem == "finish" else ""
    chosen: pd.Series[Any] = before[f"{stem}_forecast{ending}"].where(
        basis.eq("forecast"), before[f"{stem}_baseline{ending}"]
    )
    return chosen


def _before(project_ids: pd.Series[str], *, history: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return each project's row in the last earlier period of the history (null where it has none), and that period."""
    now = str(history["period"].max()) if len(history) else ""
    earlier = history.loc[history["period"].lt(now)]
    since = str(earlier["period"].max()) if len(earlier) else ""
    then = earlier.loc[earlier["period"].eq(since)].drop_duplicates("project_id").set_index("project_id")
    return then.reindex(project_ids).reset_index(drop=True), since


def _before_reason(before: pd.DataFrame, *, since: str) -> pd.Series[str]:
    reason = pd.Series("not known in both", index=before.index, dtype="str")
    reason = reason.mask(before["period"].isna(), "not in the last return")
    return reason if since else pd.Series("no earlier return", index=before.index, dtype="str")


def _told(rows: pd.DataFrame, *, states: pd.DataFrame, stem: str, values: pd.Series[Any]) -> pd.Series[str]:
    """Return why neither the forecast nor the approved value is known, '' where one is."""
    ending = "_on" if stem == "finish" else ""
    said = states.loc[states["table_name"].eq("projects")].sort_values("column_name", ascending=False, kind="stable")
    said = said.loc[said["column_name"].isin((f"{stem}_forecast{ending}", f"{stem}_baseline{ending}"))]
    words = said.drop_duplicates("row_key").set_index("row_key")["state"].to_dict()
    return rows["project_id"].map(words).astype("str").fillna("not set").where(values.isna(), "").astype("str")


def _with_signs(rows: pd.DataFrame, *, thresholds: Thresholds) -> pd.DataFrame:
    rows["low_confidence"] = rows["rating"].isin(LOW_CONFIDENCE).astype("boolean")
    rows["unrated"] = rows["rating"].isna().astype("boolean")
    rows["finish_later"] = rows["moved_days"].gt(thresholds.slip_red_days).astype("boolean")
    # Rounded, so that a rise of exactly the limit is not above it by a rounding error.
    share = rows["cost_moved_share"].round(9)
    rows["cost_up"] = share.gt(thresholds.cost_red).astype("boolean").mask(share.isna())
    rows["cost_unknown"] = rows["whole_life_cost"].isna().astype("boolean")
    rows["signs"] = rows[list(SIGNS)].fillna(value=False).sum(axis="columns").astype("Int64")
    rows["rules"] = (
        f"{SIGNS['low_confidence']}; {SIGNS['unrated']}; since the last return {SIGNS['finish_later']} by more than "
        f"{thresholds.slip_red_days} days; {SIGNS['cost_up']} by more than {thresholds.cost_red:.0%}; "
        f"{SIGNS['cost_unknown']}"
    )
    return rows


def registers_wanted(signs: pd.DataFrame, *, register: pd.DataFrame) -> pd.DataFrame:
    """Return the running projects without any open risk of their own in the register, the most wanted first.

    Order: most signs, then the worst rating, then the largest whole-life cost (unknown last), then the id.

    Parameters
    ----------
    signs
        As :func:`warning_signs` returns it.
    register
        As :func:`pmo_lib.metrics.risk.risk_register` returns it; may be empty.

    Returns
    -------
    DataFrame
        ``rank`` and :data:`SIGN_COLUMNS`.

    Raises
    ------
    ReportError
        Whole-life costs in several currencies: they cannot be ranked.
    """
    covered = register.loc[register["open"], "project_id"] if len(register) else pd.Series(dtype="str")
    rows = signs.loc[~signs["project_id"].isin(covered) & ~signs["delivery_status"].isin(OVER)]
    one_currency(rows.loc[rows["whole_life_cost"].notna(), "currency"], what="whole-life costs")
    order = rows.assign(place=rows["rating"].map(PLACES)).sort_values(
        ["signs", "place", "whole_life_cost", "project_id"], ascending=[False, False, False, True], kind="stable"
    )
    return order.assign(rank=range(1, len(order) + 1))[["rank", *SIGN_COLUMNS]].reset_index(drop=True)


def risk_sentences(wanted: pd.DataFrame, *, narratives: pd.DataFrame, status: pd.DataFrame) -> pd.DataFrame:
    """Return what the texts of the projects without a register say of risk, word for word.

    Parameters
    ----------
    wanted
        As :func:`registers_wanted` returns it.
    narratives, status
        Contract tables: the texts, and the commentary on the ratings.

    Returns
    -------
    DataFrame
        ``rank, project_id, name, subject, sentence, source_ref``: every sentence with a word that begins with "risk",
        once, in the order of ``wanted``, then of the texts. A sentence ends with a full stop, a question mark or an
        exclamation mark before a blank.
    """
    commentary = status.sort_values(["project_id", "assessor_role"], kind="stable").assign(subject="rating")
    columns = ["project_id", "subject", "narrative", "source_ref"]
    texts = pd.concat([commentary[columns], narratives[columns]], ignore_index=True).dropna(subset=["narrative"])
    texts = wanted[["rank", "project_id", "name"]].merge(texts, on="project_id")
    rows = texts.assign(sentence=texts["narrative"].map(_on_risk)).explode("sentence").dropna(subset=["sentence"])
    rows = rows.drop_duplicates(["project_id", "sentence"]).sort_values("rank", kind="stable")
    return rows[["rank", "project_id", "name", "subject", "sentence", "source_ref"]].reset_index(drop=True)


def _on_risk(text: str) -> list[str]:
    return [part.strip() for part in SENTENCE_END.split(text) if SPEAKS_OF_RISK.search(part)]
