"""Finish dates: how they moved between two reports, and how often what was promised came true.

Slip is measured against a baseline. Where a source publishes only its *latest approved* dates, a change of such a date
is a movement of the approved baseline and not a slip; ``basis`` says which of the two a table holds. All days are
calendar days; positive is later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.last_known import in_words, last_known
from pmo_lib.metrics.movement import (
    JOINED,
    LEFT,
    MOVED_IN,
    MOVED_OUT,
    Between,
    joined,
    names_of,
    neighbours,
    paired,
    reasons,
    status_dates,
)  # fmt: skip
from pmo_lib.theme import day

if TYPE_CHECKING:
    from pmo_lib.parameters.models import Organisation

FINISH_COLUMNS = (
    "project_id", "name", "finish_before_on", "finish_on", "moved_days", "reason", "start_moved_days", "start_reason",
    "flag", "basis", "since", "source_ref",
)  # fmt: skip
# What is read of each project: wide tables are slow to cut.
PROJECT_COLUMNS = (
    "period", "portfolio_id", "project_id", "name", "delivery_status", "start_baseline_on", "finish_actual_on",
    "source_ref",
)  # fmt: skip
BASES = {"finish_baseline_on": "approved finish", "finish_forecast_on": "forecast finish"}
ENDED = ("closed", "cancelled")
NO_MOVEMENT = "no movement can be computed"
BINS: tuple[tuple[str, float, float], ...] = (
    ("earlier by over a year", float("-inf"), -366),
    ("earlier by up to a year", -365, -1),
    ("unchanged", 0, 0),
    ("later by up to 90 days", 1, 90),
    ("later by 91 days to a year", 91, 365),
    ("later by 1 to 2 years", 366, 730),
    ("later by over 2 years", 731, float("inf")),
)
MET, MET_LATE, CLOSED, DUE_TODAY, MOVED_LATER, PASSED, NO_DATE, CANCELLED, GONE = OUTCOMES = (
    "met on time", "met late", "closed, day not stated", "due on the day of the report", "moved later",
    "passed, still open", "no date any more", "cancelled", "left the data",
)  # fmt: skip
MILESTONES_DUE, FINISHES_DUE = "milestones", "finish dates of projects"
PROMISE_COLUMNS = (
    "period", "since", "kind", "project_id", "name", "item", "promised_on", "outcome", "now_on", "late_days",
)  # fmt: skip
RECORD_COLUMNS = ("period", "since", "kind", "outcome", "promises", "out_of", "share")


def finish_column(settings: Organisation) -> str:
    """Return the column of ``projects`` whose movement is shown: the approved date where that is all there is."""
    return "finish_baseline_on" if settings.baseline_is_latest_approved else "finish_forecast_on"


def finishes(
    projects: pd.DataFrame, *, status: pd.DataFrame, states: pd.DataFrame, column: str, between: Between
) -> pd.DataFrame:
    """Compare the finish date of each project with that of the earlier report.

    Parameters
    ----------
    projects, status, states
        Histories.
    column
        See :func:`finish_column`.

    Returns
    -------
    DataFrame
        :data:`FINISH_COLUMNS`, a row for each project that is ours now, largest movement first, not computable last;
        empty without an earlier report. ``moved_days`` is null where ``reason`` says so. ``start_moved_days`` is the
        movement of the baseline start. ``flag`` joins with ``; ``: ``moved after it had lapsed`` (the date had passed
        at the earlier report), ``lapsed`` (it has passed and stands), ``start moved``.
    """
    projects = projects[list(dict.fromkeys((*PROJECT_COLUMNS, column)))]
    pairs = paired(projects, column=column, between=between).loc[lambda p: ~p["movement"].isin([LEFT, MOVED_OUT])]
    starts = paired(projects, column="start_baseline_on", between=between).set_index("project_id")
    refs = between.now(projects).drop_duplicates("project_id").set_index("project_id")["source_ref"]
    table = pairs.rename(columns={"before": "finish_before_on", "now": "finish_on"}).assign(
        moved_days=days_between(pairs["before"], later=pairs["now"]),
        start_moved_days=pairs["project_id"].map(days_between(starts["before"], later=starts["now"])).astype("Int64"),
        source_ref=pairs["project_id"].map(refs),
        basis=BASES[column],
        since=between.since,
    )
    table["reason"] = _why_null(table, projects=projects, states=states, column=column, between=between)
    table["start_reason"] = pd.Series("no start date to compare", index=table.index).where(
        table["start_moved_days"].isna(), ""
    )
    table["flag"] = _flags(table, projects=projects, dates=status_dates(status), between=between)
    table["size"] = table["moved_days"].astype("float64")
    order = table.sort_values(["size", "name"], ascending=[False, True], kind="stable")
    return order[list(FINISH_COLUMNS)].reset_index(drop=True)


def spread(moved: pd.DataFrame) -> pd.DataFrame:
    """Count the finish dates by how far they moved: ``bin, projects, basis, since``.

    Σ ``projects`` = rows of ``moved``. The last bin counts what could not be computed, so that the silent are
    seen beside the punctual.
    """
    days = moved["moved_days"].astype("float64")
    counts = [(name, int(days.between(low, high).sum())) for name, low, high in BINS]
    rows = [*counts, (NO_MOVEMENT, int(days.isna().sum()))] if len(moved) else []
    table = pd.DataFrame(rows, columns=["bin", "projects"])
    return table.assign(
        basis=moved["basis"].iloc[0] if len(moved) else "", since=moved["since"].iloc[0] if len(moved) else ""
    )


def promises(
    projects: pd.DataFrame, *, milestones: pd.DataFrame, status: pd.DataFrame, column: str, between: Between
) -> pd.DataFrame:
    """Judge what each report promised for the time until the next one.

    A promise is a date of an open milestone, or the finish date of an open project, that lies after one status date and
    not after the next. A project that is followed into another portfolio is judged there.

    Returns
    -------
    DataFrame
        :data:`PROMISE_COLUMNS`, one row per promise; ``period`` is the report that judges. ``outcome`` is one of
        :data:`OUTCOMES`; ``left the data`` does not mean finished. ``late_days`` = ``now_on`` − ``promised_on``; for
        what passed and is still open the days so far; null where there is no date.
    """
    ours = status[(status["portfolio_id"] == between.portfolio_id) & (status["period"] <= between.period)]
    dates = status_dates(ours)
    ends = dated_promises(projects, key=["project_id"], date=column, actual="finish_actual_on")
    points = dated_promises(milestones, key=["project_id", "milestone_id"], date="forecast_on", actual="actual_on")
    parts = [
        _judged(table, kind=kind, dates=dates, portfolio_id=between.portfolio_id)
        for kind, table in ((MILESTONES_DUE, points), (FINISHES_DUE, ends))
    ]
    filled = [part for part in parts if len(part)]
    whole = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(PROMISE_COLUMNS))
    whole = whole.assign(name=whole["project_id"].map(names_of(projects)))[list(PROMISE_COLUMNS)]
    return whole.sort_values(["period", "kind", "promised_on", "name"], kind="stable").reset_index(drop=True)


def kept(judged: pd.DataFrame) -> pd.DataFrame:
    """Count promises by report, kind and outcome: :data:`RECORD_COLUMNS`, outcomes from kept to lost.

    ``share`` is of ``out_of``, the promises of that kind that the report judges.
    """
    by = ["period", "since", "kind"]
    table = judged.groupby([*by, "outcome"]).size().rename("promises").reset_index()
    table["out_of"] = table.groupby(by)["promises"].transform("sum")
    table["share"] = table["promises"] / table["out_of"]
    table["rank"] = table["outcome"].map({outcome: rank for rank, outcome in enumerate(OUTCOMES)})
    table = table.sort_values(["kind", "period", "rank"], ascending=[False, True, True], kind="stable")
    return table[list(RECORD_COLUMNS)].reset_index(drop=True)


def broken(judged: pd.DataFrame) -> pd.DataFrame:
    """Return the promises that the latest report finds not met in time, by days late; without a date last."""
    latest = judged[judged["period"] == judged["period"].max()]
    rows: pd.DataFrame = latest[~latest["outcome"].isin([MET, CLOSED, DUE_TODAY])]
    order = rows.assign(size=rows["late_days"].astype("float64"))
    order = order.sort_values(["kind", "size", "name"], ascending=[False, False, True], kind="stable")
    return order[list(PROMISE_COLUMNS)].reset_index(drop=True)


def days_between(earlier: pd.Series, *, later: pd.Series) -> pd.Series:
    """Return whole calendar days between dates; null where one is."""
    return (pd.to_datetime(later) - pd.to_datetime(earlier)).dt.days.astype("Int64")


def _why_null(
    table: pd.DataFrame, *, projects: pd.DataFrame, states: pd.DataFrame, column: str, between: Between
) -> pd.Series:
    """Say for each project why its movement is null; ``""`` where it is not."""
    whys = []
    for rows in (between.now(projects), between.before(projects)):
        one = rows.drop_duplicates("project_id").set_index("project_id", drop=False)
        why = reasons(one, states=states, table="projects", column=column)
        why = in_words(why, known=last_known(projects, column=column, reasons=why, between=between), write=day)
        whys.append(table["project_id"].map(why).astype("str"))
    why_now, why_before = whys
    elsewhere = "no date in the return of " + table["other_portfolio_id"].fillna("")
    reason = ("before: " + why_before).mask(table["movement"] == MOVED_IN, elsewhere)
    reason = reason.mask(table["movement"] == JOINED, "joined since: no earlier date")
    return reason.mask(table["finish_on"].isna(), why_now).where(table["moved_days"].isna(), "")


def _flags(table: pd.DataFrame, *, projects: pd.DataFrame, dates: pd.Series, between: Between) -> pd.Series:
    ours = between.now(projects)
    finished = ours.loc[ours["finish_actual_on"].notna() | ours["delivery_status"].isin(ENDED), "project_id"]
    known = {period: dates.get(period, pd.NaT) for period in (between.since, between.period)}
    lapsed_then = (table["finish_before_on"] < known[between.since]) & (table["moved_days"] > 0)
    return joined(
        {
            "moved after it had lapsed": lapsed_then,
            "lapsed": (table["finish_on"] < known[between.period]) & ~table["project_id"].isin(finished),
            "start moved": table["start_moved_days"].fillna(0) != 0,
        }
    )


def dated_promises(rows: pd.DataFrame, *, key: list[str], date: str, actual: str) -> pd.DataFrame:
    """Bring milestones and projects into one form: what is promised for when, and whether it happened."""
    keys = rows[key[0]].astype("object")
    for name in key[1:]:
        keys = keys + "|" + rows[name].astype("object")
    return pd.DataFrame(
        {
            "period": rows["period"],
            "portfolio_id": rows["portfolio_id"],
            "key": keys,
            "project_id": rows["project_id"],
            "item": rows["name"] if len(key) > 1 else "finish",
            "date_on": rows[date],
            "actual_on": rows[actual],
            "delivery": rows["delivery_status"].fillna("") if "delivery_status" in rows.columns else "",
        }
    )


def _judged(table: pd.DataFrame, *, kind: str, dates: pd.Series, portfolio_id: str) -> pd.DataFrame:
    """Judge what each report promised for the days after its own, up to that of the next report."""
    following = dict(neighbours(list(dates.index)))
    ours = table["portfolio_id"].eq(portfolio_id)
    then = table[ours & table["period"].isin(list(following)) & table["actual_on"].isna()]
    then = then[~then["delivery"].isin(ENDED)]
    judges = then["period"].map(following)
    fell = then["date_on"].gt(then["period"].map(dates)) & then["date_on"].le(judges.map(dates))
    due = then[["key", "project_id", "item", "date_on"]].rename(columns={"date_on": "promised_on"})
    due = due.assign(period=judges, since=then["period"], kind=kind)[fell]
    if due.empty:
        return due
    # In each report ours come first: where a project stands twice, our row counts.
    seen = table.iloc[(~ours).argsort(kind="stable")].drop_duplicates(["period", "key"])
    return _became(due, seen=seen, on=["period", "key"], today=due["period"].map(dates))


def judged(due: pd.DataFrame, *, dates: pd.DataFrame, between: Between, today: pd.Timestamp) -> pd.DataFrame:
    """Say what became of promises by a day: with ``outcome``, the date ``now_on``, and ``late_days`` so far.

    ``due`` holds ``key`` and ``promised_on``, ``dates`` is in the form of :func:`dated_promises`.
    """
    seen = between.here(dates).drop_duplicates("key")
    return _became(due, seen=seen, on=["key"], today=pd.Series(today, index=due.index))


def _became(due: pd.DataFrame, *, seen: pd.DataFrame, on: list[str], today: pd.Series) -> pd.DataFrame:
    """Say what became of each promise by its own day ``today``."""
    told = due.merge(seen[[*on, "date_on", "actual_on", "delivery"]], how="left", on=on, indicator="seen")
    days = today.set_axis(told.index)
    outcome = _outcomes(told, today=days)
    now_on = told["actual_on"].fillna(told["date_on"])
    late_days = days_between(told["promised_on"], later=now_on.mask(outcome == PASSED, days))
    return told.assign(outcome=outcome, now_on=now_on, late_days=late_days)


def _outcomes(due: pd.DataFrame, *, today: pd.Series) -> pd.Series:
    """Say what became of promised dates by their days, one of :data:`OUTCOMES` each.

    ``due`` holds ``promised_on``, and of the present report ``date_on, actual_on, delivery`` and ``seen`` (of a merge).
    """
    done, promised = due["actual_on"].notna(), due["promised_on"]
    outcome = pd.Series(PASSED, index=due.index, dtype="str").mask(promised == today, DUE_TODAY)
    outcome = outcome.mask(due["date_on"] > promised, MOVED_LATER).mask(due["date_on"].isna(), NO_DATE)
    outcome = outcome.mask(due["delivery"] == "closed", CLOSED).mask(due["delivery"] == "cancelled", CANCELLED)
    outcome = outcome.mask(done & (due["actual_on"] <= promised), MET).mask(
        done & (due["actual_on"] > promised), MET_LATE
    )
    return outcome.mask(due["seen"] == "left_only", GONE)
