"""Sentences on the quality of a return, written by rule: same figures, same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics.claims import AGREES, DISAGREES, UNTOLD
from pmo_lib.metrics.quality import CELLS, MONEY, PLACE, ROWS, RULE
from pmo_lib.metrics.submission import LATE, NOT_RETURNED, ON_TIME, PARTIAL, REFUSED, arrival_words
from pmo_lib.theme import counted, day, kept_share, month, number, share

if TYPE_CHECKING:
    from collections.abc import Mapping


def rows_told(accounting: pd.DataFrame) -> str:
    """Account for every row that came in, at the very top of a page: used, quarantined, and to be ignored if any."""
    came, used, held, passed = (int(accounting[name].sum()) for name in ("rows_in", "used", "quarantined", "ignored"))
    said = f"{number(came)} rows returned, {number(used)} used, {number(held)} quarantined"
    return f"{said}, {number(passed)} to be ignored" if passed else said


def standing_sentences(arrival: Mapping[Any, Any], *, known_on: pd.Timestamp) -> tuple[str, str]:
    """Say at the very top of a page what its figures are worth: first in few words, then what follows from it.

    Parameters
    ----------
    arrival
        One row of ``metrics.submission.noteworthy``.
    known_on
        The day that the figures of the page speak of.
    """
    report = month(arrival["period"])
    if arrival["known"] != arrival["period"]:
        lead = f"Return refused for {report}." if arrival["state"] == REFUSED else f"Not returned for {report}."
        mend = " What to mend stands below." if arrival["state"] == REFUSED else ""
        why = "" if arrival["state"] == NOT_RETURNED else f"{_because(arrival)} "
        return lead, (
            f"{why}Every figure on this page is the last known one, of {day(known_on)}: what happened "
            f"since is not known, and nothing has fallen.{mend}"
        )
    late = arrival["punctuality"] == LATE
    if arrival["state"] == PARTIAL:
        lead = f"Partial return for {report}" + (", and late." if late else ".")
        kept = "What was set aside is in no figure below; it is neither zero nor a fall, and stands cell by cell below."
        return lead, " ".join(filter(None, (_because(arrival), kept, _lateness(arrival) if late else "")))
    return f"Returned late for {report}.", _lateness(arrival)


def _because(arrival: Mapping[Any, Any]) -> str:
    words = str(arrival["reason"])
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _lateness(arrival: Mapping[Any, Any]) -> str:
    rows = counted(int(arrival["rows_late"]), noun="status row")
    return (
        f"It was due on {day(arrival['due_on'])}; {rows} came in later, the last on {day(arrival['came_on'])}, "
        f"{counted(int(arrival['days_late']), noun='day')} late."
    )


def arrivals_sentence(arrived: pd.DataFrame) -> str:
    """Say how this return came in, and how the earlier ones did; see ``metrics.submission.arrivals``."""
    last = arrived.iloc[-1]
    said = [f"{month(last['period'])}: {arrival_words(last.to_dict())}."]
    late = arrived[arrived["punctuality"].eq(LATE)]
    absent = arrived[arrived["known"].ne(arrived["period"])]
    partial = int(arrived["state"].eq(PARTIAL).sum())
    if len(arrived) > 1:
        on_time = int(arrived["punctuality"].eq(ON_TIME).sum())
        counts = (
            (on_time, "came on time"), (len(late), "came late"), (len(absent), "did not come or could not be used"),
            (partial, "came in part only"),
        )  # fmt: skip
        owed = counted(len(arrived), noun="return")
        said.append(f"Of {owed} owed so far {', '.join(f'{n} {what}' for n, what in counts if n) or 'none is dated'}.")
    return " ".join(said)


def findings_sentence(found: pd.DataFrame) -> str:
    """Say how many rows and cells could not be used, and how many findings there are; see ``metrics.quality``."""
    lost, rules = found[found["kind"].eq(PLACE)], found[found["kind"].eq(RULE)]
    counts = lost.groupby("done", sort=False)["findings"].sum()
    said = ", ".join(f"{what}: {number(int(n))}" for what, n in counts.items())
    first = f"{said[:1].upper()}{said[1:]}; each stands below with its cell and its cure." if said else (
        "Every row could be used and every cell could be read."
    )  # fmt: skip
    by_severity = rules.groupby("severity", sort=False)["findings"].sum()
    told = ", ".join(counted(int(n), noun=str(severity)) for severity, n in by_severity.items())
    return f"{first} Intake reports {told}." if told else first


def accounts_sentence(entries: pd.DataFrame) -> str:
    """Say what share of rows, money and cells was used, and that the books close; see ``metrics.quality.accounts``."""
    wholes = entries[entries["whole"].astype("bool")].set_index("kind")
    words = {ROWS: "rows", MONEY: "money", CELLS: "filled cells"}
    said = [
        f"{kept_share(row['used'] + row['stated'], n=row['came'] - row['ignored'])} of the {words[str(kind)]}"
        for kind, row in wholes.iterrows()
        if row["came"] > row["ignored"]
    ]
    return f"Used: {', '.join(said)}. All that came in is used, stated as without value, set aside or to be ignored."


def shares_sentence(shares: pd.DataFrame) -> str:
    """Say the weakest share of each dimension; see ``metrics.quality.shares``."""
    known = shares[shares["share"].notna()].sort_values("share", kind="stable").drop_duplicates("dimension")
    if known.empty:
        return "Nothing can be measured: nothing usable was returned."
    said = [
        f"{row['dimension']} {kept_share(row['met'], n=row['n'])} ({row['measure']}, n = {number(row['n'])})"
        for row in known.to_dict("records")
    ]
    return f"The weakest share of each dimension: {'; '.join(said)}."


def claims_sentence(held: pd.DataFrame) -> str:
    """Say how many claims of the texts disagree with the cells, by kind; see ``metrics.claims.claims``."""
    verdicts = held["verdict"].value_counts()
    against = held[held["verdict"].eq(DISAGREES)]
    said = counted(len(held), noun="claim")
    told = f"The texts name a cell in {said}: {int(verdicts.get(AGREES, 0))} agree with it"
    rest = f"{int(verdicts.get(UNTOLD, 0))} cannot be told"
    if against.empty:
        return f"{told}, none disagrees, {rest}."
    kinds = ", ".join(f"{kind} {n}" for kind, n in against["kind"].value_counts().sort_index().items())
    projects = counted(against["project_id"].nunique(), noun="project")
    return f"{told}, {len(against)} disagree ({kinds}; {projects}), {rest}."


def drift_sentence(drift: pd.DataFrame) -> str:
    """Say which column is published least now, and how that was at first; see ``metrics.disclosure.drift``."""
    latest = drift[drift["period"] == drift["period"].max()].sort_values("published_share", kind="stable")
    least = latest.iloc[0]
    before = drift[drift["column_name"] == least["column_name"]].sort_values("period", kind="stable").iloc[0]
    column = str(least["column_name"]).replace("_", " ")
    first = f"{share(before['published_share'])} in {month(before['period'])}"
    return (
        f"Published least in {month(least['period'])}: {column}, {share(least['published_share'])} "
        f"of {counted(int(least['cells']), noun='project')} ({first})."
    )


def changes_sentence(changed: pd.DataFrame) -> str:
    """Say how many values went and came, by column; see ``metrics.disclosure.changes``."""
    said = []
    for change, rows in changed.groupby("change", sort=False):
        columns = rows["column_name"].str.replace("_", " ").value_counts()
        named = ", ".join(f"{column} {n}" for column, n in columns.items())
        projects = counted(rows["project_id"].nunique(), noun="project")
        said.append(f"{change}: {counted(len(rows), noun='value')} of {projects} ({named})")
    text = "; ".join(said)
    return f"Since the last report {text}."
