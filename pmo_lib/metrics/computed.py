"""Ratings that are computed from figures and limits, and how long an improvement has to last before it counts.

The overall rating is the worst of time, cost, scope and benefits; the other dimensions are flags beside it. A mean
would hide the one that fails (National Audit Office, *Delivering major projects in government*, 2016, asks for
"reliable and consistent measures"). What cannot be computed is null, and an overall rating with an unknown part is
never green. Hysteresis is in days, so that it means the same to monthly and to quarterly returns: the rating in force
is the worst one that stood on any of the last days, each report standing until the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from pmo_lib.metrics.measures import KEY, MEASURES, OVERALL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.parameters.models import Organisation, Thresholds

COLOURS = ("green", "amber", "red")
WHOLE = "overall"
RATED_COLUMNS = (
    *KEY, "status_on", "dimension", "rating", "raw", "measure", "value", "unit", "amber", "red", "reason",
)  # fmt: skip
OVERRIDE_COLUMNS = (
    "project_id", "name", "dimension", "rating_from", "rating_to", "computed", "reason_code", "evidence", "approver",
    "expires_on", "status_date", "counts", "why_not", "source_ref",
)  # fmt: skip
RATED_DIMENSIONS = (*OVERALL, WHOLE)
COUNTS, COUNTS_NOT = "counts", "does not count"
ROUNDING = 1e-9
Against = Literal["current", "original"]
Year = Literal["today", "last year"]
UNITS = {measure.name: measure.unit for measure in MEASURES}


@dataclass(frozen=True)
class Standard:
    """What ratings are held against: a baseline (current, original) and the limits of a year (today, last year)."""

    against: Against
    rules: Year

    @classmethod
    def in_force(cls, settings: Organisation) -> Standard:
        """Return the one that the parameters, or the command line, ask for."""
        return cls(settings.rating.against, settings.rating.rules)

    def __str__(self) -> str:
        year = "today's" if self.rules == "today" else "last year's"
        return f"the {self.against} baseline by {year} rules"


AGAINST: tuple[Against, ...] = ("current", "original")
YEARS: tuple[Year, ...] = ("today", "last year")
STANDARDS = tuple(Standard(against, rules) for against in AGAINST for rules in YEARS)


def rated(measured: pd.DataFrame, *, limits: Thresholds, hysteresis_days: int) -> pd.DataFrame:
    """Rate each dimension of each project in each report, and the whole.

    Parameters
    ----------
    measured
        Result of :func:`pmo_lib.metrics.measures.measures`.
    limits
        Amber and red of each measure; a value at a limit is not above it.
    hysteresis_days
        Days that an improvement has to last.

    Returns
    -------
    DataFrame
        :data:`RATED_COLUMNS`, by project, period and dimension, ``overall`` first. ``raw`` is what this report's
        figures say, ``rating`` the one in force, never better; null with a ``reason`` where no measure of the dimension
        can be computed. ``measure, value, unit, amber, red`` are of the figure that made ``raw``: of the worst, the one
        furthest beyond its limits; of the whole, that of the worst dimension. A whole with an unknown part is not
        green: it is null, unless what is known is worse.
    """
    parts = _dimensions(ranked(measured, limits=limits))
    parts["held"] = _held(parts, days=hysteresis_days)
    whole = _whole(parts)
    table = pd.concat([whole, parts], ignore_index=True)
    table["rating"], table["raw"] = in_words(table["held"]), in_words(table["rank"])
    table["unit"] = table["measure"].map(UNITS)
    place = table["dimension"].map({WHOLE: -1} | {m.dimension: at for at, m in enumerate(MEASURES)})
    order = table.assign(place=place).sort_values(["project_id", "period", "place"], kind="stable")
    return order[list(RATED_COLUMNS)].reset_index(drop=True)


def ranked(measured: pd.DataFrame, *, limits: Thresholds) -> pd.DataFrame:
    """Set measures beside their limits.

    Returns
    -------
    DataFrame
        ``measured`` with ``amber, red``, ``rank`` (0 green, 1 amber, 2 red; null where there is no value) and
        ``depth``: how far the value is on the way from amber to red.
    """
    named = {measure.name: measure for measure in MEASURES}
    amber = measured["measure"].map({name: float(getattr(limits, m.amber)) for name, m in named.items()})
    red = measured["measure"].map({name: float(getattr(limits, m.red)) for name, m in named.items()})
    value = measured["value"]
    rank = (value.gt(amber + ROUNDING).astype("float64") + value.gt(red + ROUNDING)).where(value.notna())
    width = (red - amber).where(red.gt(amber), 1.0)
    return measured.assign(amber=amber, red=red, rank=rank, depth=(value - amber) / width)


def in_words(ranks: pd.Series) -> pd.Series:
    """Return 0, 1, 2 as green, amber, red; null stays null."""
    return ranks.map(dict(enumerate(COLOURS))).astype("object")


def ranks(ratings: pd.Series) -> pd.Series:
    """Return green, amber, red as 0, 1, 2; anything else is null."""
    return ratings.map({colour: rank for rank, colour in enumerate(COLOURS)}).astype("float64")


def _dimensions(ranked: pd.DataFrame) -> pd.DataFrame:
    """Return the worst measure of each dimension; where none has a value, the reasons of all."""
    by = [*KEY, "dimension"]
    order = ranked.sort_values([*by, "rank", "depth"], ascending=[True] * 3 + [False] * 2, kind="stable")
    worst = order.drop_duplicates(by).reset_index(drop=True)
    silent = ranked[ranked["value"].isna()]
    told = (silent["measure"] + ": " + silent["reason"]).groupby([silent[name] for name in by]).agg("; ".join)
    words = pd.Series(told.reindex(pd.MultiIndex.from_frame(worst[by])).to_numpy(), index=worst.index)
    known = worst["rank"].notna()
    worst["measure"] = worst["measure"].where(known)
    worst[["amber", "red"]] = worst[["amber", "red"]].where(known)
    return worst.assign(reason=words.where(~known, "").fillna(""))


def _held(parts: pd.DataFrame, *, days: int) -> pd.Series:
    """Return the rank in force of each row: the worst that stood on any of the last days."""
    wide = parts.pivot(index=["project_id", "dimension"], columns="period", values="rank")
    dates = parts.groupby("period")["status_on"].max().reindex(wide.columns).to_numpy()
    raw = wide.to_numpy(dtype="float64")
    stood = wide.ffill(axis="columns").to_numpy(dtype="float64")
    held = np.full_like(raw, np.nan)
    for at, day in enumerate(dates):
        since = np.searchsorted(dates, day - np.timedelta64(days, "D"), side="right")
        window = raw[:, since : at + 1] if since <= at else raw[:, at : at + 1]
        seen = np.column_stack([window, stood[:, since - 1]]) if 0 < since <= at else window
        held[:, at] = np.where(np.isnan(raw[:, at]), np.nan, np.fmax.reduce(seen, axis=1))
    found = pd.DataFrame(held, index=wide.index, columns=wide.columns).stack(future_stack=True)
    keys = pd.MultiIndex.from_frame(parts[["project_id", "dimension", "period"]])
    return pd.Series(found.reindex(keys).to_numpy(), index=parts.index, dtype="float64")


def worst_of(parts: pd.DataFrame) -> pd.Series:
    """Return the worst rank of each row of a table with one column per dimension: null where it would be green by half.

    A known red or amber stands; green needs all of them known.
    """
    worst = parts.max(axis="columns")
    return worst.mask(worst.eq(0) & parts.isna().any(axis="columns"))


def _whole(parts: pd.DataFrame) -> pd.DataFrame:
    """Return the overall rating of each project and report, with the figure of the worst dimension."""
    four = parts[parts["dimension"].isin(OVERALL)]
    worst = {}
    for name in ("rank", "held"):
        wide = four.pivot(index=KEY, columns="dimension", values=name).reindex(columns=list(OVERALL))
        worst[name] = worst_of(wide)
    silent = four[four["rank"].isna()]
    told = (silent["dimension"] + " – " + silent["reason"]).groupby([silent[name] for name in KEY]).agg("; ".join)
    order = four.sort_values([*KEY, "rank", "depth"], ascending=[True, True, False, False], kind="stable")
    rows = order.drop_duplicates(KEY).reset_index(drop=True)
    keys = pd.MultiIndex.from_frame(rows[KEY])
    ranks_found = {name: pd.Series(found.reindex(keys).to_numpy(), index=rows.index) for name, found in worst.items()}
    reason = pd.Series(told.reindex(keys).to_numpy(), index=rows.index).where(ranks_found["rank"].isna(), "")
    return rows.assign(dimension=WHOLE, **ranks_found, reason=reason.fillna(""))


def overrides(given: pd.DataFrame, *, computed: pd.DataFrame, projects: pd.DataFrame, period: str) -> pd.DataFrame:
    """List the ratings that were set aside, and say of each whether it counts.

    Parameters
    ----------
    given, projects
        Histories of the tables.
    computed
        Result of :func:`rated`.
    period
        Report.

    Returns
    -------
    DataFrame
        :data:`OVERRIDE_COLUMNS`: the last override of each project and dimension, those that count first; one that ran
        out before the report before is left out, unless this return repeats it. It counts if it has a reason, evidence,
        an approver who is not the project's manager, and an expiry on or after the status date; and if it sets aside
        the rating that is computed. ``why_not`` says what is missing.
    """
    now = computed[computed["period"].eq(period)].set_index(["project_id", "dimension"])
    ours = given[given["project_id"].isin(now.index.get_level_values(0)) & given["period"].le(period)]
    ours = ours[ours["dimension"].str.lower().isin(RATED_DIMENSIONS)].assign(dimension=ours["dimension"].str.lower())
    last = ours.sort_values("period", kind="stable").drop_duplicates(["project_id", "dimension"], keep="last")
    reports = sorted(computed["status_on"].unique())
    if last.empty or not reports:
        return pd.DataFrame(columns=list(OVERRIDE_COLUMNS))
    status_on, before = reports[-1], reports[-2] if len(reports) > 1 else reports[-1]
    last = last[last["period"].eq(period) | ~last["expires_on"].lt(before)].reset_index(drop=True)
    people = projects[projects["period"].eq(period)].drop_duplicates("project_id").set_index("project_id")
    keys = pd.MultiIndex.from_frame(last[["project_id", "dimension"]])
    table = last.assign(
        computed=now["rating"].reindex(keys).to_numpy(), name=last["project_id"].map(people["name"]),
        manager=last["project_id"].map(people["manager"]),
    )  # fmt: skip
    why = _why_not(table, status_on=status_on)
    table = table.assign(why_not=why, counts=pd.Series(COUNTS, index=table.index).mask(why.ne(""), COUNTS_NOT))
    return table.sort_values(["counts", "name", "dimension"], kind="stable")[list(OVERRIDE_COLUMNS)].reset_index(
        drop=True
    )


def _why_not(given: pd.DataFrame, *, status_on: pd.Timestamp) -> pd.Series:
    """Say of each override why it does not count; ``""`` where it does."""
    folded = {name: given[name].fillna("").astype("str").str.strip().str.casefold() for name in ("approver", "manager")}
    stated = given["computed"].astype("object").where(given["computed"].notna(), "not computable")
    why = pd.Series("", index=given.index, dtype="str")
    why = why.mask(given["rating_from"].notna() & given["rating_from"].ne(given["computed"]), "computed is " + stated)
    for column, words in (
        ("rating_to", "no rating to put in its place"), ("reason_code", "no reason"), ("evidence", "no evidence"),
        ("approver", "no approver"), ("expires_on", "no expiry"),
    ):  # fmt: skip
        why = why.mask(given[column].isna(), words)
    strange = given["rating_to"].notna() & ~given["rating_to"].isin(COLOURS)
    why = why.mask(strange, "not a rating on three points")
    why = why.mask(folded["approver"].ne("") & folded["approver"].eq(folded["manager"]), "approved by its manager")
    return why.mask(given["expires_on"].lt(status_on), "expired")


def with_overrides(ratings: pd.DataFrame, *, given: pd.DataFrame) -> pd.DataFrame:
    """Put the overrides that count in force, and return the ratings of one report with ``overridden`` (a flag).

    Parameters
    ----------
    ratings
        Rows of :func:`rated` of one report.
    given
        Result of :func:`overrides`.

    Returns
    -------
    DataFrame
        ``ratings`` with ``computed`` (the rating without overrides), ``rating`` and ``overridden``. The overall rating
        is the worst of the four as they are then, unless it is set aside itself.
    """
    valid = given[given["counts"].eq(COUNTS)].set_index(["project_id", "dimension"])["rating_to"]
    keys = pd.MultiIndex.from_frame(ratings[["project_id", "dimension"]])
    placed = pd.Series(valid.reindex(keys).to_numpy(), index=ratings.index, dtype="object")
    table = ratings.assign(computed=ratings["rating"], rating=placed.where(placed.notna(), ratings["rating"]))
    four = table[table["dimension"].isin(OVERALL)].assign(rank=lambda rows: ranks(rows["rating"]))
    wide = four.pivot(index="project_id", columns="dimension", values="rank").reindex(columns=list(OVERALL))
    worst = in_words(worst_of(wide))
    whole = table["dimension"].eq(WHOLE) & placed.isna()
    again = table["project_id"].map(worst)
    rating = table["rating"].where(~whole, again)
    return table.assign(rating=rating, overridden=rating.astype("object").ne(table["computed"]) & rating.notna())


def compare(by_standard: Mapping[Standard, pd.DataFrame], *, in_force: Standard, period: str) -> pd.DataFrame:
    """Set the overall ratings by each standard beside those of the one in force.

    Parameters
    ----------
    by_standard
        Results of :func:`rated`; a standard that is not stated in the parameters is absent.
    in_force
        The one that the page uses.

    Returns
    -------
    DataFrame
        One row per standard, the one in force first: ``standard, against, rules, in_force, red, amber, green, unknown,
        differ, named, reason``; ``differ`` counts the projects that are rated otherwise, and ``named`` says which, from
        what to what. Counts are null with a ``reason`` where the standard is not stated.
    """
    base = _overall(by_standard[in_force], period=period)
    rows = []
    for standard in (in_force, *(each for each in STANDARDS if each != in_force)):
        told = {
            "standard": f"against {standard}", "against": standard.against, "rules": standard.rules,
            "in_force": standard == in_force,
        }  # fmt: skip
        if standard not in by_standard:
            rows.append(told | {"reason": "last year's limits are not stated (rating.last_year)", "named": ""})
            continue
        own = _overall(by_standard[standard], period=period).reindex(base.index)
        moved = own["rating"].fillna("n/a").ne(base["rating"].fillna("n/a"))
        words = base["name"] + " (" + base["rating"].fillna("n/a") + " to " + own["rating"].fillna("n/a") + ")"
        counts = {colour: int(own["rating"].eq(colour).sum()) for colour in COLOURS}
        unknown = int(own["rating"].isna().sum())
        rows.append(told | counts | {"unknown": unknown, "differ": int(moved.sum()), "named": "; ".join(words[moved])})
    columns = [
        "standard", "against", "rules", "in_force", "red", "amber", "green", "unknown", "differ", "named", "reason",
    ]  # fmt: skip
    table = pd.DataFrame(rows).reindex(columns=columns).astype({"reason": "object"}).fillna({"reason": "", "named": ""})
    return table.astype(dict.fromkeys(["red", "amber", "green", "unknown", "differ"], "Int64"))


def _overall(computed: pd.DataFrame, *, period: str) -> pd.DataFrame:
    rows = computed[computed["period"].eq(period) & computed["dimension"].eq(WHOLE)]
    return rows.set_index("project_id").sort_values("name" if "name" in rows.columns else "status_on", kind="stable")
