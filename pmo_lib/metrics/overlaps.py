"""Which risks hang together: one event told twice, and several events of one cause.

A sum of expected values counts an event as often as it is told. The chance that at least one of several risks strikes
is 1 − Π(1 − p) if they strike independently, and the largest p if they strike together; between the two it lies, and it
is never the sum of the chances, which can exceed 1 (law of total probability; Kolmogorov, *Grundbegriffe der
Wahrscheinlichkeitsrechnung*, 1933, I §1 and §4). What hangs together by other words than equal ones is not seen here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pmo_lib.metrics.exposure import one_currency

if TYPE_CHECKING:
    from collections.abc import Iterable

OVERLAP_COLUMNS = [
    "link", "words", "risks", "risk_ids", "projects", "expected_money", "largest", "counted_twice", "chance_together",
    "chance_of_any", "expected_number", "chance_reason", "money_reason", "currency", "source_ref",
]  # fmt: skip
EVENT, CAUSE = "one event, told more than once", "one cause"


def chance_of_any(probabilities: Iterable[float]) -> float:
    """Return the chance that at least one of several independent things happens: 1 − Π(1 − p); 0 for none.

    Raises
    ------
    ValueError
        A number that is no probability.
    """
    chances = np.array([*probabilities], dtype="float64")
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError(f"not all probabilities are between 0 and 1: {chances.tolist()}")
    return float(1 - np.prod(1 - chances))


def overlaps(register: pd.DataFrame) -> pd.DataFrame:
    """Return the groups of open risks of one kind that name the same event in a project, or else the same cause.

    Parameters
    ----------
    register
        As :func:`pmo_lib.metrics.risk.risk_register` returns it.

    Returns
    -------
    DataFrame
        :data:`OVERLAP_COLUMNS`, double counts first, then by the size of their money: ``words`` is the event or cause,
        ``largest`` the largest expected money of the group and ``counted_twice`` what it adds to it (for one event
        only: several events of one cause do add up); ``chance_together`` the largest p, ``chance_of_any`` as
        :func:`chance_of_any`, ``expected_number`` Σp. Null with a reason where a risk of the group has no probability
        or no money.

    Raises
    ------
    ReportError
        Several currencies.
    """
    risks = register.loc[register["open"]].sort_values("risk_id", kind="stable")
    one_currency(risks.loc[risks["expected_money"].notna(), "currency"], what="risk register")
    told = {name: risks[name].str.split().str.join(" ").str.casefold() for name in ("event", "cause")}
    place = risks["project_id"].fillna("")
    apart = place + "|" + told["event"].fillna(risks["risk_id"])
    groups = [(EVENT, rows) for rows in _alike(risks, by=[place, risks["kind"], told["event"]])]
    causes = _alike(risks, by=[risks["kind"], told["cause"]])
    groups += [(CAUSE, rows) for rows in causes if apart[rows.index].nunique() > 1]
    found = [_group(rows, link=link) for link, rows in groups]
    if not found:
        return pd.DataFrame(columns=OVERLAP_COLUMNS)
    table = pd.DataFrame(found)
    order = table.assign(once=table["link"].ne(EVENT), size=table["expected_money"].abs()).sort_values(
        ["once", "size", "risk_ids"], ascending=[True, False, True], kind="stable"
    )
    return order[OVERLAP_COLUMNS].reset_index(drop=True)


def _alike(risks: pd.DataFrame, *, by: list[pd.Series[Any]]) -> list[pd.DataFrame]:
    """Return the groups of two or more; what is not told is alike to nothing."""
    known = by[-1].notna() & by[-1].ne("")
    groups = risks[known].groupby([key[known] for key in by], sort=True)
    return [rows for _, rows in groups if len(rows) > 1]


def _group(rows: pd.DataFrame, *, link: str) -> dict[str, Any]:
    chances, money = rows["probability"], rows["expected_money"]
    chance_known, money_known = chances.notna().all(), money.notna().all()
    largest = money.iloc[int(money.abs().to_numpy().argmax())] if money_known else np.nan
    total = money.sum() if money_known else np.nan
    return {
        "link": link,
        "words": rows["event" if link == EVENT else "cause"].iloc[0],
        "risks": len(rows),
        "risk_ids": ", ".join(rows["risk_id"]),
        "projects": ", ".join(sorted(set(rows["project_id"].fillna("whole portfolio")))),
        "expected_money": total,
        "largest": largest,
        "counted_twice": total - largest if link == EVENT else np.nan,
        "chance_together": chances.max() if chance_known else np.nan,
        "chance_of_any": chance_of_any(chances) if chance_known else np.nan,
        "expected_number": chances.sum() if chance_known else np.nan,
        "chance_reason": "" if chance_known else "a risk without probability",
        "money_reason": "" if money_known else "a risk without money",
        "currency": rows["currency"].iloc[0],
        "source_ref": _where(rows["source_ref"].dropna()),
    }


def _where(references: Iterable[str]) -> str:
    """Write where the rows stand, each file and sheet once: ``r.xlsx, sheet risks, rows 4, 7``."""
    found: dict[str, list[str]] = {}
    for reference in references:
        place, _, row = reference.rpartition(", row ")
        found.setdefault(place or reference, []).extend([row] if place else [])
    told = {
        place: f", {'row' if len(rows) == 1 else 'rows'} {', '.join(rows)}" for place, rows in found.items() if rows
    }
    return "; ".join(place + told.get(place, "") for place in found)
