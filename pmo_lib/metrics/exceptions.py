"""Tolerances that are breached, what is done about each, and whether what was asked for was taken, done, and helped.

Tolerance and exception as in Axelos, *Managing Successful Projects with PRINCE2*, 2017: time, cost, scope, quality,
benefit and risk each have a limit, and whoever forecasts beyond it asks for a decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics.computed import COLOURS, UNITS
from pmo_lib.metrics.measures import OVERALL
from pmo_lib.metrics.movement import names_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.metrics.movement import Between

TOLERANCES = ("time", "cost", "scope", "quality", "benefits", "risk")
EXCEPTION_COLUMNS = (
    "project_id", "name", "dimension", "measure", "value", "unit", "red", "first_period", "since_on", "status_on",
    "reports", "from_the_start", "worse", "ask", "decider", "due_on", "days_left", "actions_open", "actions_overdue",
    "decision_reason", "source_ref",
)  # fmt: skip
ACTION_COLUMNS = (
    "project_id", "name", "action_id", "description", "owner", "due_on", "overdue_days", "age_days", "done_on",
    "dimension", "measure", "unit", "value_before", "value_now", "change", "helped", "effect", "parent", "value_reason",
    "source_ref",
)  # fmt: skip
STEP_COLUMNS = (
    "kind", "id", "project_id", "name", "what", "by", "asked_on", "due_on", "taken_on", "outcome", "done_on",
    "wait_days", "late_days", "measure", "unit", "value_before", "value_after", "helped", "stated", "step",
    "source_ref",
)  # fmt: skip
NO_DECISION, ASKED_OF = "no decision is asked for", "sponsor: "
BETTER, WORSE, SAME, EARLY, UNKNOWN = "better", "worse", "the same", "too early", "not known"
ASKED, TAKEN, DONE, HELPED = "asked", "taken", "done", "helped"
DECISION, ACTION = "decision", "action"
NOT_DECIDED = ("deferred", "refused", "rejected")


def breaches(computed: pd.DataFrame, *, period: str) -> pd.DataFrame:
    """Return the tolerances that are breached in a report, with the first report of the present breach.

    Parameters
    ----------
    computed
        Result of :func:`pmo_lib.metrics.computed.rated`; a breach is a figure above its red limit.
    period
        Report.

    Returns
    -------
    DataFrame
        Rows of ``computed`` with ``first_period, since_on``, ``reports`` (in which it was breached since then),
        ``from_the_start`` (so it was in the first report that could tell) and ``worse``: the figure is further beyond
        its limit than in the report before. A report that cannot tell neither ends nor begins a breach.
    """
    told = computed[computed["dimension"].isin(TOLERANCES) & computed["raw"].notna() & computed["period"].le(period)]
    order = told.sort_values(["project_id", "dimension", "period"], kind="stable")
    by = [order["project_id"], order["dimension"]]
    red = order["raw"].eq(COLOURS[2])
    run = (~red).astype("int64").groupby(by).cumsum()
    place = order.groupby(["project_id", "dimension"]).cumcount()
    groups = order[red].assign(run=run[red], place=place[red]).groupby(["project_id", "dimension", "run"])
    rows = order[red].assign(
        first_period=groups["period"].transform("first"), since_on=groups["status_on"].transform("first"),
        reports=groups["period"].transform("size"), from_the_start=groups["place"].transform("first").eq(0),
        before=order.groupby(["project_id", "dimension"])["value"].shift()[red],
        same=order.groupby(["project_id", "dimension"])["measure"].shift()[red].eq(order["measure"][red]),
    )  # fmt: skip
    rows["worse"] = rows["same"] & rows["value"].gt(rows["before"])
    return rows[rows["period"].eq(period)].reset_index(drop=True)


def exceptions(
    computed: pd.DataFrame, *, tables: Mapping[str, pd.DataFrame], between: Between, status_on: pd.Timestamp
) -> pd.DataFrame:
    """List what is beyond tolerance, the decision that is asked for and of whom, and what is being done.

    Parameters
    ----------
    tables
        Histories of ``projects, decisions, actions``.

    Returns
    -------
    DataFrame
        :data:`EXCEPTION_COLUMNS`: by project, those breached in most dimensions first, then in the order of
        :data:`TOLERANCES`. ``ask, decider, due_on`` are of the open decision of the project that is due first; without
        one ``decision_reason`` says so and names the sponsor, who would have to ask.
    """
    found = breaches(computed, period=between.period)
    projects = between.now(tables["projects"]).drop_duplicates("project_id").set_index("project_id")
    asked = between.now(tables["decisions"])
    asked = asked[asked["decided_on"].isna() | asked["decided_on"].gt(asked["status_date"])]
    first = asked.sort_values(["due_on", "decision_id"], kind="stable").drop_duplicates("project_id")
    actions = between.now(tables["actions"])
    alive = actions[actions["done_on"].isna()]
    sums = alive.assign(late=alive["due_on"].lt(status_on)).groupby("project_id")["late"].agg(["size", "sum"])
    table = found.merge(first[["project_id", "ask", "decider", "due_on"]], how="left", on="project_id")
    sponsor = table["project_id"].map(projects["sponsor"])
    table = table.assign(
        name=table["project_id"].map(projects["name"]), source_ref=table["project_id"].map(projects["source_ref"]),
        days_left=(pd.to_datetime(table["due_on"]) - status_on).dt.days.astype("Int64"),
        actions_open=table["project_id"].map(sums["size"]).fillna(0).astype("int64"),
        actions_overdue=table["project_id"].map(sums["sum"]).fillna(0).astype("int64"),
        decision_reason=NO_DECISION + (" (" + ASKED_OF + sponsor + ")").fillna(""),
        size=table.groupby("project_id")["dimension"].transform("size"),
        place=table["dimension"].map({name: at for at, name in enumerate(TOLERANCES)}),
    )  # fmt: skip
    order = table.sort_values(["size", "name", "place"], ascending=[False, True, True], kind="stable")
    return order[list(EXCEPTION_COLUMNS)].reset_index(drop=True)


def corrective_actions(
    exceptions: pd.DataFrame,
    *,
    actions: pd.DataFrame,
    measured: pd.DataFrame,
    between: Between,
    status_on: pd.Timestamp,
) -> pd.DataFrame:
    """List the actions of the projects with an exception, each with the figure before it and now.

    Parameters
    ----------
    exceptions
        Result of :func:`exceptions`.
    actions
        History.
    measured
        Measures against the original baseline, where one is part of them: a re-baseline in between must not look like a
        success.

    Returns
    -------
    DataFrame
        :data:`ACTION_COLUMNS`, by project and due date: what is open, and what was done since the breach began.
        ``age_days`` counts from the first report that holds the action. ``value_before`` is the figure that is breached
        first in that report, ``value_now`` in this one; ``helped`` compares them, and proves no cause.
    """
    spans = exceptions.groupby("project_id", sort=False).agg(
        since_on=("since_on", "min"), dimension=("dimension", "first"), measure=("measure", "first"),
        name=("name", "first"),
    )  # fmt: skip
    ours = actions[actions["project_id"].isin(spans.index) & actions["period"].le(between.period)]
    asked_on = ours.groupby(["project_id", "action_id"])["status_date"].min().rename("asked_on").reset_index()
    now = between.now(ours).merge(asked_on, on=["project_id", "action_id"]).join(spans, on="project_id")
    now = now[now["done_on"].isna() | now["done_on"].ge(now["since_on"])]
    told = effects(now.assign(from_on=now["asked_on"], until_on=status_on), measured=measured, least_days=0)
    table = told.assign(
        overdue_days=(status_on - told["due_on"]).dt.days.astype("Int64").where(told["done_on"].isna()),
        age_days=(status_on - told["asked_on"]).dt.days.astype("Int64"),
        parent=(told["parent_kind"].astype("object") + " " + told["parent_id"].astype("object")).fillna("not stated"),
        value_now=told["value_after"],
        change=told["value_after"] - told["value_before"],
    )
    table["place"] = table["project_id"].map({name: at for at, name in enumerate(spans.index)})
    order = table.sort_values(["place", "due_on", "action_id"], kind="stable")
    return order.reindex(columns=list(ACTION_COLUMNS)).reset_index(drop=True)


def effects(rows: pd.DataFrame, *, measured: pd.DataFrame, least_days: int) -> pd.DataFrame:
    """Add to rows about a project the figure before something and after it, and whether it got better.

    Parameters
    ----------
    rows
        ``project_id, from_on, until_on``, and optionally ``dimension`` and ``measure``: the figure, or another one of
        the dimension; without them of the one of the four that stood worst in the last report up to ``from_on``.
    measured
        Result of :func:`pmo_lib.metrics.measures.measures`.
    least_days
        Days without which it is too early to tell.

    Returns
    -------
    DataFrame
        ``rows`` with ``measure, unit, value_before, value_after, helped`` (better, worse, the same, too early, not
        known) and ``value_reason``. Both values are of one and the same measure, which has a value in both reports.
    """
    known = measured[measured["value"].notna()]
    reports: dict[str, dict[Any, _Report]] = {}
    columns = ["project_id", "status_on", "measure", "dimension", "value"]
    for project, day, measure, dimension, value in known[columns].itertuples(index=False, name=None):
        reports.setdefault(str(project), {}).setdefault(day, {})[str(measure)] = (str(dimension), float(value))
    told = [_effect(row, reports=reports.get(str(row["project_id"])), least_days=least_days) for row in _records(rows)]
    columns = ["dimension", "measure", "unit", "value_before", "value_after", "helped", "value_reason"]
    added = pd.DataFrame(told, columns=columns, index=rows.index)
    return rows.drop(columns=[name for name in columns if name in rows.columns]).join(added)


_Report = dict[str, tuple[str, float]]  # measure → its dimension and its value in one report of a project


def _effect(row: Mapping[str, Any], *, reports: Mapping[Any, _Report] | None, least_days: int) -> tuple[Any, ...]:
    wanted = row.get("dimension")
    if reports is None or pd.isna(row["from_on"]) or pd.isna(row["until_on"]):
        return (wanted, None, None, None, None, UNKNOWN, "no figure of the project")
    start, end = (max((day for day in reports if day <= row[name]), default=None) for name in ("from_on", "until_on"))
    if start is None or end is None:
        return (wanted, None, None, None, None, UNKNOWN, "no report before it")
    before, after = reports[start], reports[end]
    both = [name for name, (dimension, _) in before.items()
            if name in after and (dimension == wanted if wanted else dimension in OVERALL)]  # fmt: skip
    if not both:
        return (wanted, None, None, None, None, UNKNOWN, "no figure in both reports")
    name = (
        str(row["measure"])
        if row.get("measure") in both
        else max(both, key=lambda each: _depth(each, value=before[each][1]))
    )
    (dimension, value), (_, later) = before[name], after[name]
    early = (pd.Timestamp(row["until_on"]) - pd.Timestamp(row["from_on"])).days < least_days
    helped = EARLY if early else verdict(value, after=later, unit=UNITS[name])
    return (dimension, name, UNITS[name], value, later, helped, "")


def _depth(measure: str, *, value: float) -> float:
    """Return how far a figure is from nothing, in days by a thousand or as a share: enough to choose the worst."""
    return value / 1000 if UNITS[measure] == "days" else value


def verdict(before: float, *, after: float, unit: str) -> str:
    """Say whether a figure that is worse the larger it is got better: by a day, or a tenth of a per cent, at least."""
    least = 1.0 if unit in ("days", "severity") else 0.001
    moved = after - before
    return SAME if abs(moved) < least else BETTER if moved < 0 else WORSE


def loop(
    tables: Mapping[str, pd.DataFrame],
    *,
    measured: pd.DataFrame,
    between: Between,
    status_on: pd.Timestamp,
    effect_days: int,
) -> pd.DataFrame:
    """Follow every decision and action from asked to taken, done, and whether it helped.

    Parameters
    ----------
    tables
        Histories of ``projects, decisions, actions``.
    measured
        Measures against the original baseline.
    effect_days
        Days after which an effect is judged.

    Returns
    -------
    DataFrame
        :data:`STEP_COLUMNS`, one row per decision and action of our projects that any report held, decisions first, the
        latest first. An action is taken when it stands in a report. ``step`` is how far it came: asked, taken, done,
        helped. A decision that was put off or refused is taken and goes no further; one whose effect is stated is
        done. ``value_before`` is the figure that stood worst before it was taken (actions: done), ``value_after`` the
        same figure ``effect_days`` later, or now if that is sooner; then it may be too early.
    """
    ids = between.now(tables["projects"])["project_id"]
    parts = [
        _decisions(tables["decisions"], ids=ids, period=between.period),
        _actions(tables["actions"], ids=ids, period=between.period),
    ]
    rows = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    if rows.empty:
        return pd.DataFrame(columns=list(STEP_COLUMNS))
    acted = rows["taken_on"].where(rows["kind"].eq(DECISION), rows["done_on"])
    later = acted + pd.Timedelta(days=effect_days)
    until = later.mask(later.gt(status_on), status_on)
    told = effects(rows.assign(from_on=acted, until_on=until), measured=measured, least_days=effect_days)
    finished = told["step"].eq(DONE)
    told["helped"] = told["helped"].where(finished, "")
    told["step"] = told["step"].mask(finished & told["helped"].eq(BETTER), HELPED)
    names = names_of(tables["projects"])
    end = told["taken_on"].fillna(status_on)
    told = told.assign(
        name=told["project_id"].map(names),
        wait_days=(end - told["asked_on"]).dt.days.astype("Int64"),
        late_days=(
            told["done_on"].where(told["kind"].eq(ACTION), told["taken_on"]).fillna(status_on) - told["due_on"]
        ).dt.days.astype("Int64"),
    )
    order = told.assign(first=told["kind"].ne(DECISION)).sort_values(
        ["first", "asked_on", "id"], ascending=[True, False, True], kind="stable"
    )
    return order[list(STEP_COLUMNS)].reset_index(drop=True)


def _last_told(history: pd.DataFrame, *, key: str, ids: pd.Series, period: str) -> pd.DataFrame:
    """Return what the last report said of each row of a register, and the first report that held it."""
    rows = history[history["project_id"].isin(ids) & history["period"].le(period)]
    order = rows.sort_values("period", kind="stable")
    asked_on = order.groupby(["project_id", key])["status_date"].first().rename("asked_on").reset_index()
    return order.drop_duplicates(["project_id", key], keep="last").merge(asked_on, on=["project_id", key])


def _decisions(history: pd.DataFrame, *, ids: pd.Series, period: str) -> pd.DataFrame:
    rows = _last_told(history, key="decision_id", ids=ids, period=period)
    taken = rows["decided_on"].notna() & rows["decided_on"].le(rows["status_date"])
    refused = rows["outcome"].fillna("").str.lower().str.startswith(NOT_DECIDED)
    done = taken & ~refused & rows["effect"].notna()
    step = pd.Series(ASKED, index=rows.index, dtype="str").mask(taken, TAKEN).mask(done, DONE)
    return rows.assign(
        kind=DECISION, id=rows["decision_id"], what=rows["ask"], by=rows["decider"],
        taken_on=rows["decided_on"].where(taken), stated=rows["effect"], step=step,
        done_on=pd.Series(pd.NaT, index=rows.index, dtype="datetime64[us]"),
    )  # fmt: skip


def _actions(history: pd.DataFrame, *, ids: pd.Series, period: str) -> pd.DataFrame:
    rows = _last_told(history, key="action_id", ids=ids, period=period)
    done = rows["done_on"].notna() & rows["done_on"].le(rows["status_date"])
    return rows.assign(
        kind=ACTION, id=rows["action_id"], what=rows["description"], by=rows["owner"], taken_on=rows["asked_on"],
        done_on=rows["done_on"].where(done), outcome=None, stated=rows["effect"],
        step=pd.Series(TAKEN, index=rows.index, dtype="str").mask(done, DONE),
    )  # fmt: skip


def funnel(steps: pd.DataFrame) -> pd.DataFrame:
    """Count how many decisions and actions came how far.

    Returns
    -------
    DataFrame
        ``kind, step, count, asked, share``: decisions, then actions; asked, taken, done, helped. ``share`` is of those
        asked. ``judged`` is how many of those done have a verdict: better, worse or the same.
    """
    rows = []
    for kind in (DECISION, ACTION):
        own = steps[steps["kind"].eq(kind)]
        if own.empty:
            continue
        reached = own["step"].map({step: at for at, step in enumerate((ASKED, TAKEN, DONE, HELPED))})
        judged = int(own["helped"].isin([BETTER, WORSE, SAME]).sum())
        for at, step in enumerate((ASKED, TAKEN, DONE, HELPED)):
            count = int(reached.ge(at).sum())
            rows.append((kind, step, count, len(own), count / len(own), judged))
    return pd.DataFrame(rows, columns=["kind", "step", "count", "asked", "share", "judged"])


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
