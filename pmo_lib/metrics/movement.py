"""Two periods, like for like: who stayed, joined, left or moved, and why a total or a cell is not what it was.

A history is a contract table with a leading column ``period`` (``YYYY-MM``); it also holds the rows of the portfolio's
projects where they stood in another portfolio, so that a move is seen as a move and not as a loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.contracts.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

STAYED, JOINED, LEFT, MOVED_IN, MOVED_OUT = "stayed", "joined", "left", "moved in", "moved out"
MOVEMENTS = (STAYED, JOINED, LEFT, MOVED_IN, MOVED_OUT)
UNCHANGED, REBASED, WITHDRAWN, PUBLISHED, NEVER = (
    "unchanged", "re-based", "withheld or range", "newly published", "never published",
)  # fmt: skip
# What was not returned, and what is again: neither is a fall or a rise.
NOT_SET, NOT_RETURNED, RETURNED = "not set", "not returned", "returned again"


@dataclass(frozen=True)
class Between:
    """Two reports of one portfolio: the one of ``period``, and the earlier one of ``since`` (None: there is none)."""

    portfolio_id: str
    period: str
    since: str | None = None

    def now(self, history: pd.DataFrame) -> pd.DataFrame:
        """Return our rows of ``period``."""
        return history[(history["period"] == self.period) & (history["portfolio_id"] == self.portfolio_id)]

    def here(self, history: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of ``period``, in whichever portfolio they stand; ours come first."""
        return _ours_first(history[history["period"] == self.period], portfolio_id=self.portfolio_id)

    def before(self, history: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of ``since``, in whichever portfolio they stood; ours come first."""
        return _ours_first(history[history["period"] == self.since], portfolio_id=self.portfolio_id)

    def reverse(self) -> Between:
        """Return the same two reports, the earlier one seen from the later; ValueError if there is no earlier one."""
        if self.since is None:
            raise ValueError(f"no report before {self.period} to look from")
        return Between(self.portfolio_id, self.since, self.period)


def since_last_report(projects_history: pd.DataFrame, *, portfolio_id: str, period: str) -> Between:
    """Return ``period`` beside the last earlier period in which the portfolio returned projects.

    A period that it did not return is skipped, so that a missing return is never read as a fall; unless most of its
    projects stood elsewhere in that period: a portfolio that is new, or founded again, is compared with that report.
    """
    earlier = projects_history[projects_history["period"] < period]
    ours = earlier.loc[earlier["portfolio_id"] == portfolio_id, "period"]
    here = (projects_history["period"] == period) & (projects_history["portfolio_id"] == portfolio_id)
    ids = projects_history.loc[here, "project_id"].unique()
    stood = earlier[earlier["project_id"].isin(ids)].groupby("period")["project_id"].nunique()
    known = sorted({*ours, *stood.index[2 * stood >= len(ids)]}) or sorted(earlier["period"].unique())
    return Between(portfolio_id, period, known[-1] if known else None)


def membership(projects_history: pd.DataFrame, *, portfolio_id: str, period: str, since: str | None) -> pd.DataFrame:
    """Tell which projects stayed, joined, left or moved between two periods.

    Returns
    -------
    DataFrame
        One row per project that was or is ours, sorted by ``project_id``; empty where there is no earlier period::

            project_id  name  movement                                     other_portfolio_id
            str         str   stayed | joined | left | moved in | moved out  str, null unless moved

        ``left`` says that the project is in nobody's return any more; whether it finished is not said.
    """
    here, there = _places(projects_history, period=period), _places(projects_history, period=since)
    ids = sorted(set(here.ids_in(portfolio_id)) | set(there.ids_in(portfolio_id))) if since else []
    rows = [
        (
            project_id,
            here.name(project_id) or there.name(project_id),
            *_movement(project_id, here=here, there=there, ours=portfolio_id),
        )
        for project_id in ids
    ]
    columns = ["project_id", "name", "movement", "other_portfolio_id"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns, "str"))


def paired(projects_history: pd.DataFrame, *, column: str, between: Between) -> pd.DataFrame:
    """Put the two values of a column of ``projects`` beside each other, project by project.

    Returns
    -------
    DataFrame
        The rows of :func:`membership` with ``before`` and ``now``: the value wherever the project stood at the time,
        null where the project was not there or the cell has no plain value.
    """
    pairs = membership(projects_history, portfolio_id=between.portfolio_id, period=between.period, since=between.since)
    return pairs.assign(
        before=_values(between.before(projects_history), column=column, pairs=pairs),
        now=_values(between.here(projects_history), column=column, pairs=pairs),
    )


def decomposition(pairs: pd.DataFrame) -> pd.DataFrame:
    """Split the movement of a portfolio's total by cause, so that no total is shown naked.

    Parameters
    ----------
    pairs
        Result of :func:`paired` for a column of money or another additive quantity.

    Returns
    -------
    DataFrame
        ``project_id, name, before, now, cause, amount``, one row per row of ``pairs``. ``before`` and ``now`` are what
        stood in *our* total: null outside it. ``cause`` is joined, left, moved in, moved out, re-based, unchanged,
        withheld or range (no single figure any more), newly published, or never published.
        Σ ``amount`` = Σ ``now`` − Σ ``before``, nulls counting nothing.
    """
    ours_before = pairs["before"].where(~pairs["movement"].isin([JOINED, MOVED_IN]))
    ours_now = pairs["now"].where(~pairs["movement"].isin([LEFT, MOVED_OUT]))
    cause = pairs["movement"].where(pairs["movement"] != STAYED, _causes(ours_before, now=ours_now))
    return pd.DataFrame(
        {
            "project_id": pairs["project_id"],
            "name": pairs["name"],
            "before": ours_before,
            "now": ours_now,
            "cause": cause.astype("str"),
            "amount": ours_now.astype("float64").fillna(0.0) - ours_before.astype("float64").fillna(0.0),
        }
    )


def reasons(rows: pd.DataFrame, *, states: pd.DataFrame, table: str, column: str) -> pd.Series:
    """Say why a cell is null, in the source's words where it gave any.

    Parameters
    ----------
    rows
        Rows of the contract table ``table``, with or without ``period``.
    states
        The ``states`` table, with ``period`` if ``rows`` have it.

    Returns
    -------
    Series
        Index of ``rows``; ``""`` where the cell has a value, else for example ``withheld: Section 43``,
        ``a range: 2026-03-31 to 2028-03-31`` or ``not set``.
    """
    words = pd.Series("", index=rows.index, dtype="str")
    nulls = rows[column].isna()
    if not nulls.any():
        return words
    places = [name for name in ("period", "portfolio_id") if name in rows.columns and name in states.columns]
    silent = rows.loc[nulls, list(dict.fromkeys((*places, *TABLES[table].key, column)))]
    told = states.loc[(states["table_name"] == table) & (states["column_name"] == column)]
    known = dict(zip(_keys(told["row_key"], rows=told, places=places), _words(told), strict=True))
    found = [known.get(key, NOT_SET) for key in _keys(row_keys(silent, table=table), rows=silent, places=places)]
    words.loc[nulls] = pd.Series(found, index=silent.index, dtype="str")
    return words


def row_keys(rows: pd.DataFrame, *, table: str) -> pd.Series:
    """Return the key of each row as ``states`` writes it: parts in contract order joined by ``|``, dates as ISO."""
    contract = TABLES[table]
    parts = [
        rows[name].dt.strftime("%Y-%m-%d") if contract.column(name).kind == "date" else rows[name].astype("str")
        for name in contract.key
        if name != "portfolio_id"
    ]
    keys = parts[0].fillna("").astype("object")
    for part in parts[1:]:
        keys = keys + "|" + part.fillna("").astype("object")
    return keys


def names_of(projects_history: pd.DataFrame) -> pd.Series:
    """Return the name of each project as last returned: a Series by ``project_id``."""
    last = projects_history.sort_values("period", kind="stable").drop_duplicates("project_id", keep="last")
    return last.set_index("project_id")["name"]


def joined(raised: dict[str, pd.Series]) -> pd.Series:
    """Join the names of the flags that are raised in each row with ``; ``."""
    columns = [flag.fillna(value=False).astype(bool).tolist() for flag in raised.values()]
    words = ["; ".join(name for name, up in zip(raised, row, strict=True) if up) for row in zip(*columns, strict=True)]
    return pd.Series(words, index=next(iter(raised.values())).index, dtype="str")


def status_dates(status_history: pd.DataFrame) -> pd.Series:
    """Return the status date of each period: a Series of dates by ``period``, ascending."""
    return status_history.groupby("period")["status_date"].max().sort_index()


def neighbours(periods: Sequence[str]) -> list[tuple[str, str]]:
    """Return each period with the one before it: ``(since, period)``, ascending."""
    return list(pairwise(sorted(periods)))


@dataclass(frozen=True)
class _Places:
    """Where each project stood in one period."""

    portfolios: dict[str, tuple[str, ...]]
    names: dict[str, str]

    def ids_in(self, portfolio_id: str) -> list[str]:
        return [project_id for project_id, where in self.portfolios.items() if portfolio_id in where]

    def of(self, project_id: str) -> tuple[str, ...]:
        return self.portfolios.get(project_id, ())

    def name(self, project_id: str) -> str | None:
        return self.names.get(project_id)


def _places(history: pd.DataFrame, *, period: str | None) -> _Places:
    rows = history.loc[history["period"] == period, ["project_id", "portfolio_id", "name"]]
    where: dict[str, tuple[str, ...]] = {}
    for project_id, portfolio_id in zip(rows["project_id"], rows["portfolio_id"], strict=True):
        where[project_id] = tuple(sorted({*where.get(project_id, ()), portfolio_id}))
    return _Places(where, dict(zip(rows["project_id"], rows["name"], strict=True)))


def _movement(project_id: str, *, here: _Places, there: _Places, ours: str) -> tuple[str, str | None]:
    now, before = here.of(project_id), there.of(project_id)
    if ours in now and ours in before:
        return STAYED, None
    if ours in now:
        return (MOVED_IN, before[0]) if before else (JOINED, None)
    return (MOVED_OUT, now[0]) if now else (LEFT, None)


def _ours_first(rows: pd.DataFrame, *, portfolio_id: str) -> pd.DataFrame:
    return rows.iloc[rows["portfolio_id"].ne(portfolio_id).argsort(kind="stable")]


def _values(rows: pd.DataFrame, *, column: str, pairs: pd.DataFrame) -> pd.Series:
    """Return a column by the ids of ``pairs``; where a project stands twice, the first row counts."""
    one = rows.drop_duplicates("project_id").set_index("project_id")[column]
    return one.reindex(pairs["project_id"]).set_axis(pairs.index)


def _causes(before: pd.Series, *, now: pd.Series) -> pd.Series:
    cause = pd.Series(UNCHANGED, index=before.index, dtype="str").mask(before.ne(now), REBASED)
    cause = cause.mask(before.notna() & now.isna(), WITHDRAWN).mask(before.isna() & now.notna(), PUBLISHED)
    return cause.mask(before.isna() & now.isna(), NEVER)


def _keys(keys: pd.Series, *, rows: pd.DataFrame, places: list[str]) -> list[tuple[str, ...]]:
    return list(zip(*(rows[name].tolist() for name in places), keys.tolist(), strict=True))


def _words(states: pd.DataFrame) -> list[str]:
    """Return each state in words, its reason as the source gave it."""
    parts = [states[name].fillna("").tolist() for name in ("state", "reason", "low", "mid", "high")]
    return [_said(*row) for row in zip(*parts, strict=True)]


def _said(state: str, *more: str) -> str:
    reason, low, mid, high = more
    if state == "range":
        return f"a range: {' to '.join(end for end in (low, high) if end) or mid}"
    return f"{state}: {reason}" if reason else state
