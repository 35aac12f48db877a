"""What raters said of projects: listed, counted, and compared only where they can be.

A rating is compared only with one by the same rater on the same scale: a delivery confidence assessment is a judgement,
and two judges, or two yardsticks, make no trend. Scales: Infrastructure and Projects Authority, *Annual Report on Major
Projects* (five-point to 2020-21, three-point from 2021-22); their definitions are quoted in National Audit Office,
*Delivering major projects in government*, 2016, which warns that it is "difficult to tell whether performance is
improving without reliable and consistent measures".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.contracts.tables import RATINGS
from pmo_lib.metrics.movement import NOT_SET, Between, names_of, reasons

if TYPE_CHECKING:
    from collections.abc import Mapping

SCALES: dict[str, tuple[str, ...]] = {"three-point": ("green", "amber", "red"), "five-point": RATINGS}
RATING_KINDS = (*RATINGS, "withheld", "not rated")
BETTER, WORSE, SAME, NEW, NOT_COMPARABLE = "better", "worse", "same", "new", "not comparable"
COMPARABLE = (BETTER, WORSE, SAME)
# What is read of each table: wide tables are slow to cut.
PROJECT_COLUMNS = ("period", "portfolio_id", "project_id", "name", "source_ref")
STATUS_COLUMNS = (
    "period", "portfolio_id", "project_id", "status_date", "assessor_role", "rating", "rating_scale", "source_ref",
)  # fmt: skip
RATING_COLUMNS = (
    "project_id", "name", "assessor_role", "rating_scale", "rating", "rating_reason", "rating_before", "movement",
    "steps", "note", "since", "source_ref",
)  # fmt: skip


def ratings(status: pd.DataFrame, *, projects: pd.DataFrame, states: pd.DataFrame, between: Between) -> pd.DataFrame:
    """List the reported ratings of a period, worst project first, each with the same rater's rating before.

    Parameters
    ----------
    status, projects, states
        Histories: contract tables with ``period``.
    between
        The two reports; without an earlier one every rating is ``new``.

    Returns
    -------
    DataFrame
        One row per project and rater who spoke, or had to withhold; a project that nobody rated keeps its rows, so that
        no project is lost. :data:`RATING_COLUMNS`::

            project_id  name  assessor_role  rating_scale  rating  rating_reason  rating_before  movement  steps  …
            str         str   str            str           str     str            str            str       Int64

        and ``note, since, source_ref``. ``rating_reason`` says why ``rating`` is null (``withheld: …``, ``not set``,
        ``no status returned``), ``note`` why a movement is ``not comparable`` or ``new``. ``steps`` is positive
        towards red, null unless both were rated alike.
    """
    status, projects = status[list(STATUS_COLUMNS)], projects[list(PROJECT_COLUMNS)]
    spoken = _spoken(between.now(status), states=states)
    silent = between.now(projects).loc[lambda rows: ~rows["project_id"].isin(spoken["project_id"])]
    silent = silent[["project_id", "source_ref"]].assign(rating_reason="no status returned")
    now = pd.concat([spoken, silent], ignore_index=True) if len(silent) else spoken
    said: dict[str, dict[str, dict[str, Any]]] = {}
    for row in _rows(_spoken(between.before(status), states=states)):
        said.setdefault(row["project_id"], {})[row["assessor_role"]] = row
    known = set(between.before(projects)["project_id"])
    judged = [_judged(row, said=said.get(row["project_id"]), known=row["project_id"] in known) for row in _rows(now)]
    verdicts = pd.DataFrame(judged, columns=["rating_before", "movement", "steps", "note"], index=now.index)
    table = now.assign(name=now["project_id"].map(names_of(projects)), since=between.since, **verdicts)
    return _worst_first(table.reindex(columns=list(RATING_COLUMNS)).astype(_rating_dtypes()))


def comparisons(
    status: pd.DataFrame, *, projects: pd.DataFrame, states: pd.DataFrame, between: Between, year_ago: str | None
) -> pd.DataFrame:
    """Return :func:`ratings` against the last report and, below it, against the one a year ago.

    ``year_ago`` is the period of the same month last year; None, or the last report itself, adds nothing.
    """
    chosen = [
        Between(between.portfolio_id, between.period, since) for since in dict.fromkeys((between.since, year_ago))
    ]
    parts = [ratings(status, projects=projects, states=states, between=each) for each in chosen if each.since]
    if parts:
        return pd.concat(parts, ignore_index=True)
    return pd.DataFrame(columns=list(RATING_COLUMNS)).astype(_rating_dtypes())


def movers(compared: pd.DataFrame) -> pd.DataFrame:
    """Return the ratings that got worse or better: latest comparison first, then worse first, by most steps."""
    moved = compared[compared["movement"].isin([BETTER, WORSE])]
    order = {"since": False, "steps": False, "name": True, "assessor_role": True}
    return _sorted(moved, order=order)


def incomparable(compared: pd.DataFrame) -> pd.DataFrame:
    """Return the rows where a rating has no like before it: rater or scale changed, or one side is silent.

    Where nobody gave or withheld a rating in either report there is no rater, and nothing to compare.
    """
    apart = compared[(compared["movement"] == NOT_COMPARABLE) & _by_a_rater(compared)]
    return _sorted(apart, order={"since": False, "note": True, "name": True})


def flows(compared: pd.DataFrame) -> pd.DataFrame:
    """Count the comparable ratings from and to each step, by rater and scale.

    Returns
    -------
    DataFrame
        ``since, assessor_role, rating_scale, rating_before, rating, steps, projects``: every cell of each scale that
        was used, in the order of the scale. Σ ``projects`` = number of rows that are better, worse or same.
    """
    alike = compared[compared["movement"].isin(COMPARABLE)]
    counts = alike.groupby(["since", "assessor_role", "rating_scale", "rating_before", "rating"]).size()
    groups = alike[["since", "assessor_role", "rating_scale"]].drop_duplicates()
    groups = groups.sort_values(["since", "assessor_role", "rating_scale"], ascending=[False, True, True])
    rows = [
        (*group, was, now, here - there, int(counts.get((*group, was, now), 0)))
        for group in groups.itertuples(index=False, name=None)
        for there, was in enumerate(SCALES[group[2]])
        for here, now in enumerate(SCALES[group[2]])
    ]
    columns = ["since", "assessor_role", "rating_scale", "rating_before", "rating", "steps", "projects"]
    return pd.DataFrame(rows, columns=columns)


def counts(status: pd.DataFrame, *, states: pd.DataFrame, between: Between) -> pd.DataFrame:
    """Count a portfolio's ratings by period, rater and scale, up to ``between.period``.

    Returns
    -------
    DataFrame
        ``period, assessor_role, rating_scale, rating, projects, rated, share``; ``rating`` also takes ``withheld`` and
        ``not rated``, which have no share. ``share`` is of ``rated``: the ratings by that rater on that scale. Empty
        where nobody ever gave or withheld one.
    """
    status = status[list(STATUS_COLUMNS)]
    ours = status[(status["portfolio_id"] == between.portfolio_id) & (status["period"] <= between.period)]
    parts = [_spoken(rows, states=states) for _, rows in ours.groupby("period")]
    spoken = pd.concat(parts, ignore_index=True) if parts else _spoken(ours, states=states)
    kind = spoken["rating"].astype("object").where(spoken["rating"].notna(), spoken["rating_reason"].map(_silence))
    by = ["period", "assessor_role", "rating_scale"]
    table = spoken.assign(rating=kind).groupby([*by, "rating"]).size().rename("projects").reset_index()
    known = table["rating"].isin(RATINGS)
    table["rated"] = table["projects"].where(known, 0).groupby([table[name] for name in by]).transform("sum")
    table["share"] = (table["projects"] / table["rated"]).where(known)
    table["order"] = table["rating"].map({name: place for place, name in enumerate(RATING_KINDS)})
    table = table if table["rating"].ne("not rated").any() else table.iloc[:0]
    return table.sort_values([*by, "order"], kind="stable").drop(columns="order").reset_index(drop=True)


def _spoken(rows: pd.DataFrame, *, states: pd.DataFrame) -> pd.DataFrame:
    """Return the last row of each project and rater that says something, with ``rating_reason``.

    A rater who left the cell empty is dropped where another rated the project: it was not theirs to rate.
    """
    latest_first = rows.sort_values("status_date", ascending=False, kind="stable")
    last = latest_first.drop_duplicates(["project_id", "assessor_role"]).sort_index()
    last = last.assign(rating_reason=reasons(last, states=states, table="status", column="rating"))
    rated = last["rating"].notna()
    elsewhere = last["project_id"].isin(last.loc[rated, "project_id"])
    return last[rated | ~elsewhere | ~last["rating_reason"].str.startswith(NOT_SET)].reset_index(drop=True)


def _judged(
    row: Mapping[str, Any], *, said: Mapping[str, Mapping[str, Any]] | None, known: bool
) -> tuple[str | None, str, int | None, str]:
    """Return ``rating_before, movement, steps, note`` of a current row, given what each rater said of it before."""
    if said is None:
        unseen = (None, NOT_COMPARABLE, None, "no status returned before")
        return unseen if known else (None, NEW, None, "not in the report before")
    rating, own = row["rating"], said.get(row["assessor_role"])
    was = None if own is None or pd.isna(own["rating"]) else str(own["rating"])
    if pd.isna(rating):
        return was, NOT_COMPARABLE, None, f"now {row['rating_reason']}"
    if own is None or was is None:
        return None, NOT_COMPARABLE, None, _other_rater(said, reason="" if own is None else str(own["rating_reason"]))
    if own["rating_scale"] != row["rating_scale"]:
        return was, NOT_COMPARABLE, None, f"scale changed from {own['rating_scale']} to {row['rating_scale']}"
    scale = SCALES[row["rating_scale"]]
    if was not in scale or rating not in scale:
        return was, NOT_COMPARABLE, None, f"a rating that the {row['rating_scale']} scale does not have"
    steps = scale.index(rating) - scale.index(was)
    return was, WORSE if steps > 0 else BETTER if steps < 0 else SAME, steps, ""


def _other_rater(said: Mapping[str, Mapping[str, Any]], *, reason: str) -> str:
    others = [f"{role} ({row['rating']})" for role, row in said.items() if not pd.isna(row["rating"])]
    if others:
        return f"another rater before: {', '.join(others)}"
    return f"before: {reason}" if reason else "not rated before"


def _by_a_rater(rows: pd.DataFrame) -> pd.Series:
    """Say of each row whether its rater gave or withheld any rating in these rows, or nobody is named in it."""
    given = rows["rating"].notna() | rows["rating_before"].notna()
    withheld = ~rows["rating_reason"].fillna("").astype("str").str.startswith(NOT_SET)
    return (given | withheld).groupby(rows["assessor_role"].fillna("")).transform("any").astype(bool)


def _silence(reason: str) -> str:
    return "withheld" if reason.startswith("withheld") else "not rated"


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _rating_dtypes() -> dict[str, str]:
    return dict.fromkeys(RATING_COLUMNS, "str") | {"steps": "Int64"}


def _sorted(rows: pd.DataFrame, *, order: Mapping[str, bool]) -> pd.DataFrame:
    return rows.sort_values(list(order), ascending=list(order.values()), kind="stable").reset_index(drop=True)


def _worst_first(table: pd.DataFrame) -> pd.DataFrame:
    """Sort by the worst rating that anyone gave the project, unrated last; a project's raters stay together."""
    rank = table["rating"].map({rating: place for place, rating in enumerate(RATINGS)}).astype("float64").fillna(-1.0)
    keyed = table.assign(rank=rank.groupby(table["project_id"]).transform("max"))
    order = {"rank": False, "name": True, "project_id": True, "assessor_role": True}
    return _sorted(keyed, order=order).drop(columns="rank")
