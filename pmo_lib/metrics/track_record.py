"""What became of past promises, beside each new one: finish dates, milestones, costs, and the way back to green.

A promise is a date or amount that a report gave for something still open; given again unchanged it is the same promise.
It is judged once its day has come (a cost: once the project is finished), never before, so that what was met early does
not count before what is late can. What left the data, was cancelled or has no date any more is not known and is no part
of n. That the record of one's own past forecasts is the best guide to the next is the outside view of D. Kahneman and
D. Lovallo, *Management Science* 39, 1993.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.contracts.parts import RATINGS
from pmo_lib.metrics.movement import Between, names_of, status_dates
from pmo_lib.metrics.phrases import DATE, RATING, pieces, sentences
from pmo_lib.metrics.schedule import (
    ENDED,
    MET,
    MET_LATE,
    MOVED_LATER,
    PASSED,
    broken,
    dated_promises,
    finish_column,
    judged,
    kept,
    promises,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pmo_lib.parameters.models import Organisation

FINISH, MILESTONE, COST, OUTLOOK, GREEN = KINDS = (
    "finish date", "milestone", "whole-life cost", "outlook of the year", "back to a better rating",
)  # fmt: skip
ENOUGH = 5  # below this many promises a record says too little
DAYS, SHARES = "days", "share"
UNITS = {FINISH: DAYS, MILESTONE: DAYS, COST: SHARES, OUTLOOK: SHARES, GREEN: ""}
PAST_COLUMNS = (
    "kind", "project_id", "name", "item", "forecaster", "period", "promised_on", "promised_amount", "outcome", "kept",
    "miss",
)  # fmt: skip
RECORD_COLUMNS = ("of", "kind", "promises", "kept", "share", "median", "bias", "unknown", "unit", "few")
BESIDE_COLUMNS = (
    "project_id", "name", "kind", "item", "forecaster", "promised_on", "promised_amount", "currency",
    *(f"{whose}_{part}" for whose in ("own", "forecaster", "portfolio") for part in ("n", "kept", "median")),
    "bias", "unit", "expected_on", "expected_amount", "expected_by", "source_ref",
)  # fmt: skip
KNOWN = {MET: True, MET_LATE: False, MOVED_LATER: False, PASSED: False}
WHOLE = "the portfolio"
NOBODY = "not stated"
FINISHED, OPEN = "finished", "not finished"
TURNS = frozenset(("back", "return", "returns", "returned", "returning", "recover", "recovers", "recovery", "improve"))
BY = frozenset(("by", "in", "before", "until"))


@dataclass(frozen=True, eq=False)
class Record:
    """The past promises of a portfolio: ``projects``, ``milestones`` and ``status`` are histories."""

    projects: pd.DataFrame
    milestones: pd.DataFrame
    status: pd.DataFrame
    settings: Organisation
    between: Between

    @property
    def column(self) -> str:
        """The column of the finish; see :func:`pmo_lib.metrics.schedule.finish_column`."""
        return finish_column(self.settings)

    @cached_property
    def due(self) -> pd.DataFrame:
        """Promises for the time between two reports; see :func:`pmo_lib.metrics.schedule.promises`."""
        points, column = self.milestones, self.column
        return promises(self.projects, milestones=points, status=self.status, column=column, between=self.between)

    @property
    def kept(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.schedule.kept`."""
        return kept(self.due)

    @property
    def broken(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.schedule.broken`."""
        return broken(self.due)

    @property
    def told(self) -> dict[str, pd.DataFrame]:
        """The table that a roll-up reads: how past promises came out, by kind and forecaster."""
        return {"promises": self.records}

    @cached_property
    def past(self) -> pd.DataFrame:
        """Every promise that was to be kept by now; see :func:`past_promises`."""
        return past_promises(self)

    @cached_property
    def records(self) -> pd.DataFrame:
        """How they came out, for the portfolio and each forecaster; see :func:`records`."""
        return records(self.past)

    @cached_property
    def beside(self) -> pd.DataFrame:
        """The promises of now, each beside the record of the past; see :func:`beside`."""
        return beside(self)

    @cached_property
    def today(self) -> pd.Timestamp:
        """The status date of the report."""
        return pd.Timestamp(status_dates(self.status).get(self.between.period, pd.NaT))

    @property
    def cost_column(self) -> str:
        """The column of cost that goes with the column of the finish."""
        return "whole_life_cost_baseline" if self.column == "finish_baseline_on" else "whole_life_cost_forecast"

    def named(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows with ``name`` of the project and its ``forecaster`` at the time."""
        return named(rows, projects=self.projects)


def named(rows: pd.DataFrame, *, projects: pd.DataFrame) -> pd.DataFrame:
    """Return rows of ``period`` and ``project_id`` with ``name``, and who answered for the project's forecasts then.

    The ``forecaster`` is its manager, else its sponsor; ``projects`` is a history.
    """
    one = projects.drop_duplicates(["period", "project_id"]).set_index(["period", "project_id"])
    keys = pd.MultiIndex.from_arrays([rows["period"], rows["project_id"]])
    who = one["manager"].fillna(one["sponsor"]).reindex(keys).fillna(NOBODY)
    return rows.assign(name=rows["project_id"].map(names_of(projects)), forecaster=who.to_numpy())


def past_promises(made: Record) -> pd.DataFrame:
    """Judge every promise of earlier reports of ours whose day has come.

    Returns
    -------
    DataFrame
        :data:`PAST_COLUMNS`, one row for each date or amount given for an item, with the ``period`` that gave it first.
        ``miss`` is in days (positive: late; of what is still open: so far) or as a share of the amount (positive:
        dearer). ``kept`` is null where it is not known, and ``outcome`` says why: dates as in
        :data:`pmo_lib.metrics.schedule.OUTCOMES`. A cost is kept if the final one is above it by no more than
        ``thresholds.cost_amber``, a better rating if the same rater gave it at the first report from its day on.
    """
    ends = dated_promises(made.projects, key=["project_id"], date=made.column, actual="finish_actual_on")
    points = dated_promises(made.milestones, key=["project_id", "milestone_id"], date="forecast_on", actual="actual_on")
    parts = [
        _dates(ends, kind=FINISH, made=made),
        _dates(points, kind=MILESTONE, made=made),
        _costs(made),
        _greens(made),
    ]
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=list(PAST_COLUMNS))
    whole = made.named(pd.concat(filled, ignore_index=True)).reindex(columns=list(PAST_COLUMNS))
    whole["kept"] = whole["kept"].astype("boolean")
    whole["miss"] = whole["miss"].astype("float64")
    rank = whole["kind"].map({kind: place for place, kind in enumerate(KINDS)})
    order = whole.assign(rank=rank).sort_values(["rank", "name", "item", "period", "promised_on"], kind="stable")
    return order[list(PAST_COLUMNS)].reset_index(drop=True)


def records(past: pd.DataFrame) -> pd.DataFrame:
    """Count how past promises came out, for the portfolio and then for each forecaster, by kind.

    Returns
    -------
    DataFrame
        :data:`RECORD_COLUMNS`; ``promises`` are those of which the outcome is known, ``unknown`` the others. ``median``
        and ``bias`` (mean) are of the misses, null where there is none; ``few``: below :data:`ENOUGH`.
    """
    rows = [_record(WHOLE, kind=str(kind), rows=group) for kind, group in past.groupby("kind", sort=False)]
    rows += [
        _record(str(who), kind=str(kind), rows=group)
        for (who, kind), group in past.groupby(["forecaster", "kind"], sort=False)
        if who != NOBODY
    ]
    table = pd.DataFrame(rows, columns=list(RECORD_COLUMNS))
    rank = table["of"].ne(WHOLE)
    order = table.assign(rank=rank).sort_values(
        ["rank", "promises", "of"], ascending=[True, False, True], kind="stable"
    )
    return order[list(RECORD_COLUMNS)].reset_index(drop=True)


def beside(made: Record) -> pd.DataFrame:
    """Set the promises of now beside what became of earlier ones of their kind.

    Returns
    -------
    DataFrame
        :data:`BESIDE_COLUMNS`, for each running project its finish, its next milestone, its cost, and the better rating
        that its text promises. ``own``, ``forecaster`` and ``portfolio``: number ``n`` of promises with a known
        outcome, how many were ``kept``, and the ``median`` miss. ``expected`` is the promise moved by the median of the
        narrowest of the three that has :data:`ENOUGH`, named in ``expected_by``; null where none has.
    """
    return set_beside(_present(made), past=made.past)


def set_beside(present: pd.DataFrame, *, past: pd.DataFrame) -> pd.DataFrame:
    """Set promises of now (what :data:`BESIDE_COLUMNS` asks and is known) beside ``past`` ones; see :func:`beside`."""
    if present.empty:
        return pd.DataFrame(columns=list(BESIDE_COLUMNS))
    for whose, keys in (
        ("own", ["kind", "project_id"]),
        ("forecaster", ["kind", "forecaster"]),
        ("portfolio", ["kind"]),
    ):
        present = present.merge(_totals(past, by=keys, whose=whose), how="left", on=keys)
    present = _expected(present).assign(unit=present["kind"].map(UNITS))
    rank = present["kind"].map({kind: place for place, kind in enumerate(KINDS)})
    order = present.assign(rank=rank).sort_values(["rank", "promised_on", "name"], kind="stable")
    return order.reindex(columns=list(BESIDE_COLUMNS)).reset_index(drop=True)


def _dates(table: pd.DataFrame, *, kind: str, made: Record) -> pd.DataFrame:
    """Return the dates of one kind that were promised for a day that has come."""
    days, today = status_dates(made.status), made.today
    opened = table[
        table["portfolio_id"].eq(made.between.portfolio_id)
        & table["period"].lt(made.between.period)
        & table["actual_on"].isna()
        & ~table["delivery"].isin(ENDED)
    ]
    ahead = opened["date_on"] > pd.to_datetime(opened["period"].map(days))
    due = opened[ahead & (opened["date_on"] <= today)].sort_values(["key", "period"], kind="stable")
    due = due.drop_duplicates(["key", "date_on"]).rename(columns={"date_on": "promised_on"})
    due = due[["key", "period", "project_id", "item", "promised_on"]]
    told = judged(due, dates=table, between=made.between, today=today)
    known = told["outcome"].map(KNOWN)
    return told.assign(kind=kind, kept=known, miss=told["late_days"].astype("float64").where(known.notna()))


def _costs(made: Record) -> pd.DataFrame:
    """Return the whole-life costs that were promised for projects of ours that are finished now."""
    column, between = made.cost_column, made.between
    rows = made.projects[made.projects["portfolio_id"].eq(between.portfolio_id) & made.projects[column].notna()]
    over = rows["finish_actual_on"].notna() | rows["delivery_status"].isin(ENDED)
    last = between.here(made.projects).drop_duplicates("project_id").set_index("project_id")
    ended = last["finish_actual_on"].notna() | last["delivery_status"].eq("closed")
    final = last.loc[ended, column].astype("float64")
    given = rows[~over & rows["period"].lt(between.period) & rows[column].ne(0)]
    given = given[given["project_id"].isin(final.dropna().index)].sort_values(["project_id", "period"], kind="stable")
    given = given.drop_duplicates(["project_id", column])
    miss = given["project_id"].map(final).astype("float64") / given[column].astype("float64") - 1.0
    return pd.DataFrame(
        {
            "kind": COST, "project_id": given["project_id"], "item": "whole-life cost", "period": given["period"],
            "promised_amount": given[column].astype("float64"), "outcome": FINISHED,
            "kept": miss.le(made.settings.thresholds.cost_amber), "miss": miss,
        }
    )  # fmt: skip


def _greens(made: Record) -> pd.DataFrame:
    """Return the better ratings that were promised for a day that has come, and whether they were given."""
    between, today = made.between, made.today
    rows = made.status[made.status["portfolio_id"].eq(between.portfolio_id) & made.status["period"].lt(between.period)]
    given = [
        (row, item, day) for row in _telling(rows) for item, day in better_by(str(row["narrative"])) if day <= today
    ]
    lines = [
        {"kind": GREEN, "project_id": row["project_id"], "item": f"{item} ({row['assessor_role']})",
         "period": row["period"], "promised_on": day, **_given(row, item=item, day=day, made=made)}
        for row, item, day in given
    ]  # fmt: skip
    table = pd.DataFrame(lines)
    return table if table.empty else table.drop_duplicates(["project_id", "item", "promised_on"])


def _telling(rows: pd.DataFrame) -> list[dict[str, Any]]:
    told = rows[rows["narrative"].notna() & rows["rating"].notna()].sort_values(["project_id", "period"], kind="stable")
    return [{str(name): value for name, value in row.items()} for row in told.to_dict("records")]


def _given(row: dict[str, Any], *, item: str, day: pd.Timestamp, made: Record) -> dict[str, Any]:
    """Say whether a rater gave the rating that was promised, at the first report from its day on."""
    same = made.status["project_id"].eq(row["project_id"]) & made.status["assessor_role"].eq(row["assessor_role"])
    later = made.status[same & (made.status["status_date"] >= day) & made.status["period"].le(made.between.period)]
    first = later.sort_values("period", kind="stable")["rating"].head(1).dropna()
    if first.empty:
        return {"outcome": "not rated", "kept": None}
    rating = str(first.iloc[0])
    return {"outcome": rating, "kept": RATINGS.index(rating) <= RATINGS.index(item)}


def better_by(text: str) -> Iterator[tuple[str, pd.Timestamp]]:
    """Yield the ratings that a text promises, each with the last day of its time.

    >>> list(better_by("We return to green by March 2027."))
    [('green', Timestamp('2027-03-31 00:00:00'))]
    """
    for sentence in sentences(text):
        parts = pieces(sentence) if " to " in sentence else []
        for place, piece in enumerate(parts):
            words = [each.text.lower() for each in parts[max(place - 2, 0) : place]]
            after = [each for each in parts[place + 1 : place + 4] if each.text.lower() not in BY]
            if piece.kind == RATING and words[1:] == ["to"] and words[0] in TURNS and after and after[0].kind == DATE:
                yield RATINGS[int(piece.low)], pd.Timestamp(date.fromordinal(int(after[0].high)))


def _present(made: Record) -> pd.DataFrame:
    """Return the promises of the running projects now."""
    now = made.between.now(made.projects)
    running = now[~now["delivery_status"].isin(ENDED) & now["finish_actual_on"].isna()]
    today = made.today
    points = made.between.now(made.milestones)
    points = points[points["actual_on"].isna() & (points["forecast_on"] > today)].sort_values(
        "forecast_on", kind="stable"
    )
    points = points[points["project_id"].isin(running["project_id"])].drop_duplicates("project_id")
    told = made.between.now(made.status)
    greens = [
        {"kind": GREEN, "item": f"{item} ({row['assessor_role']})", "promised_on": day}
        | {name: row[name] for name in ("period", "project_id", "source_ref")}
        for row in _telling(told[told["project_id"].isin(running["project_id"])])
        for item, day in better_by(str(row["narrative"])) if day > today
    ]  # fmt: skip
    amounts = running[running[made.cost_column].notna()]
    keys = ["period", "project_id", "source_ref"]
    parts: Sequence[pd.DataFrame] = (
        running[keys].assign(kind=FINISH, item="finish", promised_on=running[made.column]).dropna(subset="promised_on"),
        points[keys].assign(kind=MILESTONE, item=points["name"], promised_on=points["forecast_on"]),
        amounts[[*keys, "currency"]].assign(
            kind=COST, item="whole-life cost", promised_amount=amounts[made.cost_column]
        ),
        pd.DataFrame(greens),
    )
    filled = [part for part in parts if len(part)]
    columns = [*keys, "kind", "item", "promised_on", "promised_amount", "currency"]
    whole = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)
    whole = whole.reindex(columns=columns).astype({"promised_amount": "float64", "promised_on": "datetime64[us]"})
    return made.named(whole)


def _record(of: str, *, kind: str, rows: pd.DataFrame) -> dict[str, Any]:
    known = rows[rows["kept"].notna()]
    kept = int(known["kept"].sum())
    return {
        "of": of, "kind": kind, "promises": len(known), "kept": kept,
        "share": kept / len(known) if len(known) else None, "median": known["miss"].median(),
        "bias": known["miss"].mean(), "unknown": len(rows) - len(known),
        "unit": UNITS[kind], "few": len(known) < ENOUGH,
    }  # fmt: skip


def _totals(past: pd.DataFrame, *, by: list[str], whose: str) -> pd.DataFrame:
    """Return number, kept, and median miss of the promises with a known outcome, by some keys."""
    known = past[past["kept"].notna()]
    grouped = known.groupby(by)
    table = pd.DataFrame(
        {
            f"{whose}_n": grouped.size(),
            f"{whose}_kept": grouped["kept"].sum().astype("Int64"),
            f"{whose}_median": grouped["miss"].median(),
        }
    )
    table = table.assign(bias=grouped["miss"].mean()) if whose == "portfolio" else table
    return table.reset_index()


def _expected(present: pd.DataFrame) -> pd.DataFrame:
    """Move each promise by the median miss of the narrowest record that is large enough."""
    names = ("own", "forecaster", "portfolio")
    counts = {name: pd.to_numeric(present[f"{name}_n"]).fillna(0).astype("int64") for name in names}
    present = present.assign(**{f"{name}_n": counts[name] for name in names})
    usual, by = pd.Series(float("nan"), index=present.index), pd.Series("", index=present.index, dtype="str")
    for name in reversed(names):
        enough = counts[name].ge(ENOUGH)
        usual, by = usual.mask(enough, present[f"{name}_median"].astype("float64")), by.mask(enough, name)
    dated = usual.where(present["kind"].isin([FINISH, MILESTONE]))
    return present.assign(
        expected_on=present["promised_on"] + pd.to_timedelta(dated.round(), unit="D"),
        expected_amount=present["promised_amount"] * (1.0 + usual.where(present["kind"].isin([COST, OUTLOOK]))),
        expected_by=by.where(usual.notna(), ""),
    )
