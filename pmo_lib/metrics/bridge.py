"""Bridges between two totals: every amount that came or went has a cause, and the parts sum to the whole.

Seen from the organisation, what one portfolio gives away another takes over: a project that moved comes in with the
value that it had before, and what changed since is told apart, so that ``moved in`` and ``moved out`` of all portfolios
net to zero and every other cause adds up over portfolios.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.errors import ReportError
from pmo_lib.metrics.money import major_units, minor_units, one_base
from pmo_lib.metrics.movement import (
    JOINED,
    LEFT,
    MOVED_IN,
    MOVED_OUT,
    NEVER,
    NOT_RETURNED,
    PUBLISHED,
    REBASED,
    RETURNED,
    STAYED,
    UNCHANGED,
    WITHDRAWN,
    decomposition,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPENING, CLOSING = "before", "now"
FIRST = "first report"
# Why there is no single figure any more: the state of the cell, or that there is none.
WITHHELD, RANGE, NO_FIGURE = "withheld", "range only", "no figure given"
GONE = {"withheld": WITHHELD, "a range": RANGE, "range": RANGE}
STATED = r"(?:^|: )(withheld|a range|range|not returned|no \w+ returned)"
# A project that was renamed, split or merged goes under its old id and comes under its new one.
SUCCEEDED, SUCCESSOR = "succeeded by another", "successor of another"
CAUSES = (
    LEFT, MOVED_OUT, SUCCEEDED, WITHHELD, RANGE, NOT_RETURNED, NO_FIGURE, REBASED, PUBLISHED, RETURNED, MOVED_IN,
    SUCCESSOR, JOINED, UNCHANGED, NEVER,
)  # fmt: skip
GOES, COMES = (LEFT, MOVED_OUT, SUCCEEDED), (JOINED, MOVED_IN, SUCCESSOR)
BRIDGE_COLUMNS = [
    "project_id", "name", "before", "now", "cause", "amount", "moved_amount", "since_cause", "since_amount",
    "other_portfolio_id", "reason", "currency",
]  # fmt: skip
STEP_COLUMNS = ["step", "kind", "amount", "projects", "valued", "currency"]
CAUSE_COLUMNS = STEP_COLUMNS


def bridge(
    pairs: pd.DataFrame,
    *,
    reasons: pd.Series,
    currency: str,
    reorganised: frozenset[str] = frozenset(),
    before_reasons: pd.Series | None = None,
) -> pd.DataFrame:
    """Say of each project what it did to the total, and why.

    Parameters
    ----------
    pairs
        Result of :func:`pmo_lib.metrics.movement.paired`.
    reasons
        By ``project_id``: why there is no value now, as :func:`pmo_lib.metrics.movement.reasons` has it.
    currency
        The one currency of both totals.
    reorganised
        Ids of projects that were renamed, split or merged: they neither left nor joined.
    before_reasons
        By ``project_id``: why there was no value before; what was not returned then is returned again, not new.

    Returns
    -------
    DataFrame
        One row per project, :data:`BRIDGE_COLUMNS`. ``before`` and ``now`` are what stood in *our* total,
        ``amount`` = now − before (null counts nothing) = ``moved_amount`` + ``since_amount``. Of a project that moved,
        ``moved_amount`` is the value before it moved (negative for the giver), and ``since_amount`` what changed since,
        by ``since_cause``; of any other project these two are its amount and cause. What was published before and has
        no single figure now is withheld, a range only, not returned, or no figure was given.
    """
    silence = pairs["project_id"].map(reasons).astype("str").fillna("")
    before = pairs["project_id"].map({} if before_reasons is None else before_reasons).astype("str").fillna("")
    rows = _told(decomposition(pairs), silence=silence, before=before, reorganised=reorganised)
    came, went = rows["cause"].eq(MOVED_IN), rows["cause"].eq(MOVED_OUT)
    stayed = decomposition(pairs.assign(movement=pairs["movement"].mask(came, STAYED)))
    stayed = _told(stayed, silence=silence, before=before, reorganised=reorganised)
    moved = minor_units(pairs["before"]).fillna(0).where(came | went, 0)
    moved = moved.mask(went, -moved)
    amount = minor_units(rows["now"]).fillna(0) - minor_units(rows["before"]).fillna(0)
    return rows.assign(
        amount=major_units(amount),
        moved_amount=major_units(moved),
        since_cause=stayed["cause"].mask(went, ""),
        since_amount=major_units(amount - moved),
        other_portfolio_id=pairs["other_portfolio_id"],
        reason=silence.where(rows["now"].isna() & ~went, ""),
        currency=pd.Series(currency, index=rows.index, dtype="str"),
    )[BRIDGE_COLUMNS]


def _told(rows: pd.DataFrame, *, silence: pd.Series, before: pd.Series, reorganised: frozenset[str]) -> pd.DataFrame:
    """Say why a figure is gone or back, and tell the projects that were reorganised from those that came or went."""
    state = silence.str.extract(STATED, expand=False)
    gone = state.map(GONE).fillna(NOT_RETURNED).where(state.notna(), NO_FIGURE)
    cause = rows["cause"].mask(rows["cause"].eq(WITHDRAWN), gone)
    cause = cause.mask(cause.eq(PUBLISHED) & before.str.startswith(NOT_RETURNED), RETURNED)
    renamed = rows["project_id"].isin(reorganised)
    cause = cause.mask(renamed & cause.eq(LEFT), SUCCEEDED).mask(renamed & cause.eq(JOINED), SUCCESSOR)
    return rows.assign(cause=cause)


def caused(
    opening: pd.Series, *, causes: Mapping[str, pd.Series], closing: pd.Series, ends: tuple[str, str], currency: str
) -> pd.DataFrame:
    """Bridge two totals by causes that are known unit by unit.

    Parameters
    ----------
    opening, closing
        Whole minor units by unit.
    causes
        What each cause did to each unit; same index.
    ends
        Names of the two totals.
    currency
        Of all amounts.

    Returns
    -------
    DataFrame
        :data:`STEP_COLUMNS`; a cause that moved no unit is left out; ``projects`` counts the units that it moved.

    Raises
    ------
    ReportError
        If the causes of any unit do not sum to its movement.
    """
    table = pd.DataFrame(causes).astype("Int64")
    reached = opening + table.sum(axis="columns")
    for parts, expected in zip(reached, closing.reindex(reached.index), strict=True):
        _whole(int(parts), expected=int(expected))
    moved = table.loc[:, table.ne(0).any()]
    counts = [len(opening), *moved.ne(0).sum(), len(closing)]
    steps = pd.DataFrame(
        {
            "step": [ends[0], *moved.columns, ends[1]],
            "kind": ["total", *["cause"] * len(moved.columns), "total"],
            "amount": major_units(pd.Series([opening.sum(), *moved.sum(), closing.sum()], dtype="Int64")),
            "projects": counts,
            "valued": counts,
        }
    )
    return steps.assign(currency=currency)[STEP_COLUMNS]


def bridge_steps(rows: pd.DataFrame) -> pd.DataFrame:
    """Add a bridge up by cause, from the total before to the total now.

    Parameters
    ----------
    rows
        Result of :func:`bridge`; those of several portfolios may stand under each other.

    Returns
    -------
    DataFrame
        :data:`STEP_COLUMNS`: ``kind`` is total (the first and last row) or cause; ``projects`` counts the projects
        behind the step, ``valued`` those of them with a figure. Empty if ``rows`` are, or if no report came before.

    Raises
    ------
    ReportError
        If the parts do not sum to the whole, in whole minor units or in projects: such a page must not be published.
    """
    rows = rows[rows["cause"].ne(FIRST)]
    if rows.empty:
        return pd.DataFrame(columns=STEP_COLUMNS)
    currency = one_base(rows[rows["currency"].ne("")], column="currency", what="the bridge")
    moves = _steps(rows[rows["cause"].isin([MOVED_IN, MOVED_OUT])], by="cause", stem="moved_amount")
    since = _steps(rows[rows["since_cause"].ne("")], by="since_cause", stem="since_amount")
    causes = moves.add(since, fill_value=0).reindex(list(CAUSES)).fillna(0).astype("int64")
    causes = causes[causes["projects"].gt(0)].rename_axis("step").reset_index().assign(kind="cause")
    opening, closing = (_total(rows, column=column, causes=causes) for column in (OPENING, CLOSING))
    _whole(opening["amount"].iloc[0] + causes["amount"].sum(), expected=closing["amount"].iloc[0])
    _all_counted(causes, opening=int(opening["projects"].iloc[0]), closing=int(closing["projects"].iloc[0]))
    steps = pd.concat([opening, causes, closing], ignore_index=True)
    return steps.assign(amount=major_units(steps["amount"]), currency=currency)[STEP_COLUMNS]


def largest_and_others(rows: pd.DataFrame, *, start: str, end: str, largest: int) -> pd.DataFrame:
    """Bridge two figures project by project: the largest changes by name, the rest together.

    Parameters
    ----------
    rows
        One row per project: ``project_id, name, currency`` and the two figures, not null, in the columns ``start`` and
        ``end``.
    start, end
        Names of the two columns.
    largest
        Number of projects with a step of their own.

    Returns
    -------
    DataFrame
        :data:`STEP_COLUMNS` and ``project_id``; ``kind`` is total, project or others. The steps between the totals sum
        exactly.
    """
    if rows.empty:
        return pd.DataFrame(columns=[*STEP_COLUMNS, "project_id"])
    currency = one_base(rows, column="currency", what=f"the bridge from {start} to {end}")
    first, last = minor_units(rows[start]), minor_units(rows[end])
    changes = rows[["project_id", "name"]].assign(amount=last - first)
    order = changes.assign(size=changes["amount"].abs()).sort_values(
        ["size", "project_id"], ascending=[False, True], kind="stable"
    )
    changed = order[order["size"].gt(0)]
    named = changed.head(largest if len(changed) != largest + 1 else largest + 1)
    rest = order.drop(named.index)
    steps = pd.DataFrame(
        {
            "step": [start, *named["name"], *(["others"] if len(rest) else []), end],
            "kind": ["total", *["project"] * len(named), *(["others"] if len(rest) else []), "total"],
            "amount": [first.sum(), *named["amount"], *([rest["amount"].sum()] if len(rest) else []), last.sum()],
            "projects": [len(rows), *[1] * len(named), *([len(rest)] if len(rest) else []), len(rows)],
            "project_id": ["", *named["project_id"], *([""] if len(rest) else []), ""],
        }
    )
    amounts = steps["amount"].astype("Int64")
    _whole(int(amounts.iloc[:-1].sum()), expected=int(amounts.iloc[-1]))
    return steps.assign(amount=major_units(amounts), valued=steps["projects"], currency=currency)[
        [*STEP_COLUMNS, "project_id"]
    ]


def summed(bridges: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the steps of several portfolios' bridges together: what moved between them nets to zero."""
    return bridge_steps(pd.concat([rows for rows in bridges if len(rows)], ignore_index=True))


def _steps(rows: pd.DataFrame, *, by: str, stem: str) -> pd.DataFrame:
    """Sum, count, and count with a figure, by the cause in column ``by``."""
    moves = rows["cause"].isin([MOVED_IN, MOVED_OUT])
    known = (rows["before"].notna() | rows["now"].notna()).where(~moves, rows["since_cause"].ne(NEVER))
    valued = known if by == "since_cause" else rows[stem].ne(0)
    marked = rows.assign(minor=minor_units(rows[stem]), valued=valued.astype("int64"))
    return marked.groupby(by).agg(amount=("minor", "sum"), projects=("project_id", "size"), valued=("valued", "sum"))


def _total(rows: pd.DataFrame, *, column: str, causes: pd.DataFrame) -> pd.DataFrame:
    there = rows[~rows["cause"].isin(COMES if column == OPENING else GOES)]
    return pd.DataFrame(
        {
            "step": [column],
            "kind": ["total"],
            "amount": [int(minor_units(there[column]).fillna(0).sum())],
            "projects": [len(there)],
            "valued": [int(there[column].notna().sum())],
        }
    )


def _all_counted(causes: pd.DataFrame, *, opening: int, closing: int) -> None:
    """Count the projects as the money is: before + came − went = now."""
    came, went = (int(causes.loc[causes["step"].isin(side), "projects"].sum()) for side in (COMES, GOES))
    if opening + came - went != closing:
        raise ReportError(
            f"{opening} projects before, {came} came and {went} went, but {closing} are there now",
            fix="do not publish: look for a project that stands twice",
            stage="notebook",
        )


def _whole(parts: int, *, expected: int) -> None:
    if parts != expected:
        raise ReportError(
            f"the parts of a bridge sum to {parts / 100:,.2f}, the whole is {expected / 100:,.2f}",
            fix="do not publish: look for a project that stands twice",
            stage="notebook",
        )
