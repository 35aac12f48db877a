"""What is to be decided, what changed, and the figures and rules of the health check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics.claims import STILL
from pmo_lib.metrics.cohorts import LEAST_REPORTS
from pmo_lib.metrics.measures import MEASURES
from pmo_lib.metrics.movement import JOINED, LEFT, MOVED_IN, MOVED_OUT, NOT_SET, Between, membership, names_of, reasons
from pmo_lib.metrics.ratings import BETTER, COMPARABLE, NOT_COMPARABLE, SAME, SCALES, WORSE
from pmo_lib.metrics.statements import ROUGHLY
from pmo_lib.metrics.track_record import ENOUGH as LEAST_PROMISES
from pmo_lib.theme import counted, quantity, share

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pmo_lib.parameters.models import Organisation

NAMED = 3
CHANGE_COLUMNS = ("topic", "change", "projects", "out_of", "named", "since")
MEMBERSHIP = (JOINED, LEFT, MOVED_IN, MOVED_OUT)
DECISION_COLUMNS = (
    "decision_id", "name", "ask", "amount", "currency", "due_on", "days_left", "cost_of_delay", "decider",
    "asked_before", "amount_reason", "cost_of_delay_reason", "due_on_reason", "decider_reason", "source_ref",
)  # fmt: skip

PUBLISHED_PROJECT = (
    "project_id", "name", "programme_id", "client_id", "category", "stage", "delivery_status", "source_ref",
)  # fmt: skip
PUBLISHED_RATING = (
    "project_id", "name", "assessor_role", "rating_scale", "rating", "rating_reason", "rating_before", "movement",
    "note", "source_ref",
)  # fmt: skip
PUBLISHED_FINISH = ("project_id", "name", "finish_before_on", "finish_on", "moved_days", "reason", "basis")
PUBLISHED_DECISION = ("decision_id", "name", "ask", "amount", "currency", "due_on", "days_left", "decider")
TOLD_FIRST = (
    "projects", "decisions_open", "computed_red", "green_outside_red_inside", "ratings_worse", "ratings_better",
    "finishes_later", "projects_joined", "projects_left",
)  # fmt: skip
FIRST_REPORT = "there is no earlier report to compare with"
NO_RATING, NO_DATES = "nobody rated a project", "no project has a finish date in both reports"
FINISH_RULE = "date now − date before, in calendar days; positive is later"
SLIP_RULE = "finish − baseline finish, above this"
COST_RULE = "cost ÷ baseline cost − 1, above this"
LATE_RULE = "any dated status row came in more than this many days after the status date"
CRITICAL_RULE = "total float up to this; with negative float, the tasks on the longest path are critical"
SEQUENCE_RULE = "what is left of a task that began early waits for the open tasks before it (retained logic) or not"
AHEAD_RULE = "not yet met and forecast within this many days of the status date"
RULES = (
    (
        "Rating movement",
        "same rater, same scale",
        "steps on the scale; positive is towards red; anything else is not comparable",
        "National Audit Office, Delivering major projects in government, 2016",
    ),
    (
        "Scales of ratings",
        ", ".join(SCALES),
        "; ".join(f"{name}: {' – '.join(scale)}" for name, scale in SCALES.items()),
        "Infrastructure and Projects Authority, Annual Report on Major Projects",
    ),
    (
        "Promise kept",
        "met by its day",
        "forecast at one report to come before the next; leaving the data is not finishing",
        "definition of this report",
    ),
    (
        "Slip rate",
        "1.00",
        "change of the forecast ÷ days between the reports; at 1 a date recedes as fast as time passes",
        "milestone trend analysis",
    ),
)


def decisions_sought(
    decisions: pd.DataFrame, *, projects: pd.DataFrame, between: Between, states: pd.DataFrame | None = None
) -> pd.DataFrame:
    """List the decisions that are open at the status date, the most pressing first.

    Parameters
    ----------
    states
        The ``states`` table: tells a range and what is withheld from an amount that was never stated.

    Returns
    -------
    DataFrame
        ``decision_id, name`` (of the project, or ``the whole portfolio``), ``ask, amount, currency, due_on, days_left``
        (negative: overdue), ``cost_of_delay`` (money a month), ``decider, asked_before`` (earlier reports in which it
        was open) and ``source_ref``; a reason for each null in ``<column>_reason``.
    """
    ours = decisions[decisions["portfolio_id"] == between.portfolio_id]
    opened = ours[ours["decided_on"].isna() | (ours["decided_on"] > ours["status_date"])]
    now = opened[opened["period"] == between.period]
    asked = opened.loc[opened["period"] < between.period].groupby("decision_id")["period"].nunique()
    table = now.assign(
        name=now["project_id"].map(names_of(projects)).where(now["project_id"].notna(), "the whole portfolio"),
        days_left=(now["due_on"] - now["status_date"]).dt.days.astype("Int64"),
        asked_before=now["decision_id"].map(asked).fillna(0).astype("int64"),
        amount_reason=_no_amount(now, states=states),
        cost_of_delay_reason="not stated",
        due_on_reason="no deadline stated",
        decider_reason="nobody named",
    )
    columns = list(DECISION_COLUMNS)
    return table.sort_values(["due_on", "decision_id"], kind="stable")[columns].reset_index(drop=True)


def _no_amount(decisions: pd.DataFrame, *, states: pd.DataFrame | None) -> pd.Series:
    """Say why a decision has no single amount: a range and a withheld amount are not missing ones."""
    known = pd.Series(NOT_SET, index=decisions.index, dtype="str")
    told = known if states is None else reasons(decisions, states=states, table="decisions", column="amount")
    return told.replace({NOT_SET: "no amount stated", "": "no amount stated"})


def changes(
    rated: Mapping[str, pd.DataFrame],
    *,
    finishes: pd.DataFrame,
    past: pd.DataFrame,
    projects: pd.DataFrame,
    between: Between,
) -> pd.DataFrame:
    """Count what changed since the last report, with the names that come first by rule.

    Parameters
    ----------
    rated
        Results of ``ratings.ratings`` by topic: what raters said (ratings), what is computed (computed ratings).
    finishes
        Result of ``schedule.finishes`` over the same two reports.
    past
        Every promise whose day has come, of ``track_record.past_promises``.
    projects
        History.

    Returns
    -------
    DataFrame
        ``topic`` (ratings, computed ratings, finish dates, membership; promises of all reports so far), ``change,
        projects, out_of, named, since``: one row for each kind of change, also where nobody changed; empty if there is
        no earlier report. ``named`` has up to three names, joined by ``; ``: ratings by most steps, dates by most
        days, members by name.
    """
    if between.since is None:
        return pd.DataFrame(columns=list(CHANGE_COLUMNS))
    members = _members(projects, between=between)
    alike = {topic: rows[rows["movement"].isin(COMPARABLE)] for topic, rows in rated.items()}
    dated = finishes[finishes["moved_days"].notna()]
    rows = [
        *(
            _change(topic, change=movement, rows=told[told["movement"] == movement], size="steps")
            for topic, told in alike.items()
            for movement in (WORSE, BETTER)
        ),
        _change("finish dates", change="later", rows=dated[dated["moved_days"] > 0], size="moved_days"),
        _change("finish dates", change="earlier", rows=dated[dated["moved_days"] < 0], size="moved_days"),
        *(_change("membership", change=m, rows=members[members["movement"] == m]) for m in MEMBERSHIP),
        {"topic": "promises", "change": "kept", "projects": int(past["kept"].fillna(value=False).sum()), "named": ""},
    ]
    out_of = {topic: len(told) for topic, told in alike.items()}
    out_of |= {"finish dates": len(dated), "membership": len(members), "promises": int(past["kept"].notna().sum())}
    table = pd.DataFrame(rows)
    return table.assign(out_of=table["topic"].map(out_of), since=between.since)[list(CHANGE_COLUMNS)]


def headline(
    rated: pd.DataFrame,
    *,
    finishes: pd.DataFrame,
    projects: pd.DataFrame,
    decisions: pd.DataFrame,
    between: Between,
) -> pd.DataFrame:
    """Return the named figures of the health check: ``name, value, unit, reason``, the most telling first.

    Each count is a number of rows of a published table; figures by rater carry the rater's name (``sro_green``).
    Without an earlier report a movement is null with its reason, and so are decisions where none were returned.

    Parameters
    ----------
    rated, finishes
        Results of ``ratings.ratings`` and ``schedule.finishes``.
    projects, decisions
        Histories.
    """
    sought = decisions_sought(decisions, projects=projects, between=between)
    members = _members(projects, between=between)
    moved = _tally(rated["movement"], of=(WORSE, BETTER, SAME, NOT_COMPARABLE), prefix="ratings")
    places = _tally(members["movement"], of=MEMBERSHIP, prefix="projects")
    dated = finishes["moved_days"].dropna().astype("float64")
    late = dated[dated > 0]
    unrated = bool(rated["rating"].isna().all() and rated["rating_before"].isna().all())
    undated = FIRST_REPORT if between.since is None else NO_DATES
    dates = {"finishes_later": len(late), "finishes_earlier": int(dated.lt(0).sum()), "finishes_compared": len(dated)}
    asked = {"decisions_open": len(sought), "decisions_overdue": int(sought["days_left"].lt(0).sum())}
    rows = [
        ("projects", between.now(projects)["project_id"].nunique(), "projects", None),
        *_unless(between.now(decisions).empty, why="no decisions were returned", figures=asked, unit="decisions"),
        *_unless(
            between.since is None or unrated, why=NO_RATING if unrated else FIRST_REPORT, figures=moved, unit="ratings"
        ),
        *_unless(between.since is None or dated.empty, why=undated, figures=dates, unit="projects"),
        *_unless(between.since is None, why=FIRST_REPORT, figures=places, unit="projects"),
        ("finish_later_median_days", late.median() if len(late) else None, "days", "no finish date moved later"),
        *_rater_figures(rated),
    ]
    table = pd.DataFrame(rows, columns=["name", "value", "unit", "reason"])
    table["value"] = table["value"].astype("float64")
    table["reason"] = table["reason"].where(table["value"].isna())
    return in_order(table)


def in_order(figures: pd.DataFrame) -> pd.DataFrame:
    """Return named figures, the most telling first."""
    first = figures["name"].map({name: place for place, name in enumerate(TOLD_FIRST)}).fillna(len(TOLD_FIRST))
    return figures.loc[first.sort_values(kind="stable").index].reset_index(drop=True)


def published(
    rated: pd.DataFrame, *, finishes: pd.DataFrame, decisions: pd.DataFrame, projects: pd.DataFrame, between: Between
) -> dict[str, pd.DataFrame]:
    """Return the tables that the roll-up reads.

    ``projects``, ``ratings`` and ``finish_movement`` of this period, ``membership`` (who joined, left or moved since
    the last report) and ``decisions`` (open ones, as :func:`decisions_sought` returns them). ``projects`` is a history.
    """
    return {
        "projects": between.now(projects)[list(PUBLISHED_PROJECT)].reset_index(drop=True),
        "ratings": rated[list(PUBLISHED_RATING)],
        "finish_movement": finishes[list(PUBLISHED_FINISH)],
        "membership": _members(projects, between=between),
        "decisions": decisions[list(PUBLISHED_DECISION)],
    }


def _rating_rules(settings: Organisation) -> Iterator[tuple[str, str, str, str]]:
    """Yield the limits of each measure as they are in force, and how ratings are made of them."""
    chosen = settings.rating
    limits, stated = settings.limits(chosen.rules), "rating.last_year over " if chosen.rules == "last year" else ""
    for each in MEASURES:
        amber, red = (quantity(getattr(limits, name), unit=each.unit) for name in (each.amber, each.red))
        source = f"{stated}thresholds.{each.amber}, {each.red}"
        yield f"{each.dimension.capitalize()}: {each.name}", f"{amber} · {red}", f"{each.formula}; above these", source
    data = f"{share(limits.data_amber)} · {share(limits.data_red)}"
    weakest = "weakest of completeness, freshness and reconciliation; below these; below the second not assured"
    yield "Data", data, weakest, f"{stated}thresholds.data_amber, data_red"
    yield (
        "Rated against", f"{chosen.against} baseline, rules of {chosen.rules}",
        "original: the first approved baseline, or what the first report gave as such", "rating.against, rating.rules",
    )  # fmt: skip
    yield (
        "Improvement counts after", f"{chosen.hysteresis_days} days",
        "in force is the worst rating that stood on any of these last days", "rating.hysteresis_days",
    )  # fmt: skip
    yield "Effect judged after", f"{chosen.effect_days} days", "figure then − figure before", "rating.effect_days"


def _word_rules(settings: Organisation) -> Iterator[tuple[str, str, str, str]]:
    """Yield by what promises and words are held against what is told."""
    own = "definition of this report"
    yield (
        "Cost promise kept", share(settings.thresholds.cost_amber, decimals=1),
        "final cost above the promised one by no more than this", "thresholds.cost_amber",
    )  # fmt: skip
    yield (
        "Record of past promises", f"{LEAST_PROMISES} promises",
        "with fewer a record is not drawn on: project, then forecaster, then portfolio", own,
    )  # fmt: skip
    yield (
        "Words against cells: numbers and dates", "as exact as the words",
        f"what rounds, or is cut, to the digits said; about, roughly: {share(ROUGHLY)} either way; day, month or year",
        own,
    )  # fmt: skip
    yield (
        "Words against cells: unchanged", share(STILL, decimals=1),
        "an amount moved by no more than this since the last return; dates and ratings not at all", own,
    )  # fmt: skip
    yield (
        "Finish by stage", f"{LEAST_REPORTS} reports",
        "of projects followed over at least so many P50 and P80, the larger of the two slips around each", own,
    )  # fmt: skip


def rules(settings: Organisation) -> pd.DataFrame:
    """Return every threshold and formula that the health check uses: ``rule, value, formula, source``."""
    latest = settings.baseline_is_latest_approved
    limits, plan = settings.thresholds, settings.schedule
    rows = [
        *RULES,
        *_rating_rules(settings),
        *_word_rules(settings),
        (
            "Movement of the finish",
            "approved baseline" if latest else "forecast finish",
            FINISH_RULE,
            "baseline_is_latest_approved",
        ),
        ("Breach before a re-baseline: slip", f"{limits.slip_red_days} days", SLIP_RULE, "thresholds.slip_red_days"),
        ("Breach before a re-baseline: cost", share(limits.cost_red), COST_RULE, "thresholds.cost_red"),
        ("Return late", f"{limits.submission_due_days} days", LATE_RULE, "thresholds.submission_due_days"),
        ("Milestones ahead", f"{limits.milestone_horizon_days} days", AHEAD_RULE, "thresholds.milestone_horizon_days"),
        ("Critical task", f"{plan.critical_days:g} working days", CRITICAL_RULE, "schedule.critical_days"),
        (
            "Near critical task",
            f"{plan.near_critical_days:g} working days",
            CRITICAL_RULE,
            "schedule.near_critical_days",
        ),
        ("Work out of sequence", plan.progress, SEQUENCE_RULE, "schedule.progress"),
    ]
    return pd.DataFrame(rows, columns=["rule", "value", "formula", "source"])


def _members(projects: pd.DataFrame, *, between: Between) -> pd.DataFrame:
    return membership(projects, portfolio_id=between.portfolio_id, period=between.period, since=between.since)


def _change(topic: str, *, change: str, rows: pd.DataFrame, size: str = "") -> dict[str, Any]:
    """Return one row of :func:`changes`; the first three names by size, then by name."""
    weight = rows[size].abs().astype("float64") if size else pd.Series(0.0, index=rows.index)
    first = rows.assign(weight=weight).sort_values(["weight", "name"], ascending=[False, True], kind="stable")
    named = [_named(row, size=size) for row in _records(first.drop_duplicates("project_id").head(NAMED))]
    return {"topic": topic, "change": change, "projects": rows["project_id"].nunique(), "named": "; ".join(named)}


def _named(row: Mapping[str, Any], *, size: str) -> str:
    if size == "steps":
        return f"{row['name']} ({row['assessor_role']}: {row['rating_before']} to {row['rating']})"
    if size == "moved_days":
        return f"{row['name']} ({counted(abs(int(row['moved_days'])), noun='day')})"
    other = row.get("other_portfolio_id")
    return f"{row['name']} ({other})" if isinstance(other, str) else str(row["name"])


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def _tally(kinds: pd.Series, *, of: Sequence[str], prefix: str) -> dict[str, int]:
    return {f"{prefix}_{kind.replace(' ', '_')}": int(kinds.eq(kind).sum()) for kind in of}


def _unless(
    unknown: bool, *, why: str, figures: Mapping[str, int], unit: str
) -> list[tuple[str, int | None, str, str | None]]:
    """Return figures as rows of :func:`headline`; null with the reason where they are unknown."""
    return [(name, None if unknown else value, unit, why if unknown else None) for name, value in figures.items()]


def _rater_figures(rated: pd.DataFrame) -> list[tuple[str, int, str, None]]:
    """Count ratings by rater and rating, in the order of the scale: ``sro_rated, sro_green …``."""
    rows: list[tuple[str, int, str, None]] = []
    for role in sorted(rated["assessor_role"].dropna().unique()):
        own = rated.loc[rated["assessor_role"] == role]
        stem = re.sub(r"[^a-z0-9]+", "_", role.lower()).strip("_")
        counts = {"rated": int(own["rating"].notna().sum())} | {
            rating.replace("/", "_"): int(own["rating"].eq(rating).sum())
            for scale in sorted(own["rating_scale"].dropna().unique())
            for rating in SCALES[scale]
        }
        rows.extend((f"{stem}_{name}", count, "ratings", None) for name, count in counts.items())
    return rows
