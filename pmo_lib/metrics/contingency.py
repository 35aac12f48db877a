"""Contingency and management reserve: what was approved, drawn and returned, what is left, and against what.

remaining = approved − Σ drawn + Σ returned; burn ratio = share of contingency used ÷ share complete; adequacy =
remaining ÷ Σ residual expected value of the open risks, opportunities deducted. Management reserve is outside the
performance measurement baseline and is never added to contingency (PMI, *The Standard for Earned Value Management*,
2019; ANSI/EIA-748). What is overdrawn is negative, and what is not known is null with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.exposure import contingency_left, exposure_cover
from pmo_lib.metrics.money import major_units, minor_units, one_base
from pmo_lib.metrics.movement import joined
from pmo_lib.metrics.risk import scored_risks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.parameters.models import FinanceRules, Organisation

NEEDS = ("projects", "reserves", "status", "risks", "changes")
CONTINGENCY, RESERVE = "contingency", "management_reserve"
WHOLE = "Whole portfolio"
POSITION_COLUMNS = [
    "kind", "project_id", "name", "approved", "drawn", "returned", "remaining", "used_share", "percent_complete",
    "burn_ratio", "burn", "expected_money", "adequacy", "flags", "reason", "burn_reason", "adequacy_reason", "currency",
    "source_ref",
]  # fmt: skip
ENTRY_COLUMNS = [
    "booked_on", "project_id", "name", "kind", "entry_id", "movement", "amount", "remaining", "remaining_all",
    "change_id", "change", "risk_id", "risk", "flags", "currency", "source_ref",
]  # fmt: skip
MONEY = ["approved", "drawn", "returned", "remaining"]
SIGNS = {"approved": 1, "returned": 1, "drawn": -1}
NO_REGISTER, NO_PROGRESS = "no risk register returned", "no share complete above 0"


@dataclass(frozen=True, eq=False)
class Held:
    """All that a report says of reserves; ``tables`` holds :data:`NEEDS` of one portfolio in one period."""

    tables: Mapping[str, pd.DataFrame]
    settings: Organisation

    @property
    def left(self) -> pd.DataFrame:
        """As :func:`positions`."""
        known = {name: self.tables[name] for name in ("projects", "reserves", "status", "risks")}
        return positions(**known, settings=self.settings)

    @property
    def entries(self) -> pd.DataFrame:
        """As :func:`book_of_reserves`."""
        known = {name: self.tables[name] for name in ("reserves", "projects", "changes", "risks")}
        return book_of_reserves(**known)


def positions(
    projects: pd.DataFrame,
    *,
    reserves: pd.DataFrame,
    status: pd.DataFrame,
    risks: pd.DataFrame,
    settings: Organisation,
) -> pd.DataFrame:
    """Return what is left of contingency and of management reserve, project by project, and whether it will do.

    Parameters
    ----------
    projects, reserves, status, risks
        Contract tables of one portfolio in one period.
    settings
        Limits of the burn ratio, rules of the register, currency.

    Returns
    -------
    DataFrame
        :data:`POSITION_COLUMNS`: for each kind the whole portfolio (``project_id`` null), then its projects, the
        smallest remainder first; projects of which nothing is known are left out. ``burn`` is green, amber or red;
        ``flags`` names what is wrong: overdrawn, or less than the exposure. Burn, exposure and adequacy are of
        contingency only. The whole is the exact sum of its projects, and its exposure that of all open risks. Empty
        where no reserve was returned or stated.

    Raises
    ------
    ReportError
        If reserves are in several currencies.
    """
    register = _open_risks(risks, projects=projects, settings=settings)
    held = contingency_left(projects, reserves=reserves).rename(columns={"contingency_left": "remaining"})
    cover = exposure_cover(register, contingency=held.rename(columns={"remaining": "contingency_left"}))
    book = _burnt(held.assign(kind=CONTINGENCY), status=status, rules=settings.finance)
    book = _covered(book, cover=cover, register=register)
    apart = _management(projects, reserves=reserves)
    exposure = cover["expected_money"].sum(min_count=1) if len(cover) else float("nan")
    parts = [(part, total) for part, total in ((book, exposure), (apart, None)) if part["remaining"].notna().any()]
    rows = pd.concat([_with_whole(part, exposure=total) for part, total in parts] or [book[:0]], ignore_index=True)
    rows = rows.assign(flags=joined({
        "overdrawn": rows["remaining"].lt(0),
        "less than the exposure": rows["adequacy"].lt(1),
    }))  # fmt: skip
    return rows.reindex(columns=POSITION_COLUMNS).reset_index(drop=True)


def _open_risks(risks: pd.DataFrame, *, projects: pd.DataFrame, settings: Organisation) -> pd.DataFrame:
    """Return the register scored, with the expected value of each risk."""
    if risks.empty:
        return risks
    owners = projects[["portfolio_id"]].drop_duplicates().assign(currency=settings.currency)
    return scored_risks(risks.assign(period=""), portfolios=owners, rules=settings.risk)


def book_of_reserves(
    reserves: pd.DataFrame, *, projects: pd.DataFrame, changes: pd.DataFrame, risks: pd.DataFrame
) -> pd.DataFrame:
    """List every entry in the order of its day, what was left after it, and why it was made.

    Returns
    -------
    DataFrame
        :data:`ENTRY_COLUMNS`: ``remaining`` is what is left of this kind of reserve in the project after the entry,
        ``remaining_all`` in the portfolio; ``change`` and ``risk`` are their titles. ``flags`` of a draw: overdraws,
        names neither change nor risk, change not in the log, change not approved, drawn before its decision, risk not
        in the register.
    """
    kept = reserves[reserves["amount"].notna()].sort_values(["booked_on", "project_id", "entry_id"], kind="stable")
    if kept.empty:
        return pd.DataFrame(columns=ENTRY_COLUMNS)
    one_base(kept, column="currency", what="the book of reserves")
    signed = minor_units(kept["amount"]) * kept["movement"].map(SIGNS).astype("Int64")
    rows = kept.assign(
        remaining=major_units(signed.groupby([kept["project_id"], kept["kind"]]).cumsum()),
        remaining_all=major_units(signed.groupby(kept["kind"]).cumsum()),
        name=_looked_up(kept["project_id"], table=projects, key="project_id", value="name"),
        change=_looked_up(kept["change_id"], table=changes, key="change_id", value="effect_on_scope"),
        risk=_looked_up(kept["risk_id"], table=risks, key="risk_id", value="title"),
    )
    return rows.assign(flags=_flags(rows, changes=changes, risks=risks))[ENTRY_COLUMNS].reset_index(drop=True)


def _flags(rows: pd.DataFrame, *, changes: pd.DataFrame, risks: pd.DataFrame) -> pd.Series:
    drawn, named = rows["movement"].eq("drawn"), rows["change_id"].notna()
    decision = _looked_up(rows["change_id"], table=changes, key="change_id", value="decision").fillna("")
    decided_on = pd.to_datetime(_looked_up(rows["change_id"], table=changes, key="change_id", value="decided_on"))
    listed = named & rows["change_id"].isin(changes["change_id"])
    return joined({
        "overdraws": drawn & rows["remaining"].lt(0),
        "names neither change nor risk": drawn & ~named & rows["risk_id"].isna(),
        "change not in the log": drawn & named & ~listed,
        "change not approved": drawn & listed & ~decision.str.casefold().str.startswith("approved"),
        "drawn before its decision": drawn & rows["booked_on"].lt(decided_on),
        "risk not in the register": drawn & rows["risk_id"].notna() & ~rows["risk_id"].isin(risks["risk_id"]),
    })  # fmt: skip


def _looked_up(ids: pd.Series, *, table: pd.DataFrame, key: str, value: str) -> pd.Series:
    known = dict(zip(table[key], table[value], strict=True))
    return pd.Series([known.get(each) for each in ids], index=ids.index, dtype="object")


def _burnt(held: pd.DataFrame, *, status: pd.DataFrame, rules: FinanceRules) -> pd.DataFrame:
    """Add the share used, the share complete, and their ratio with its colour."""
    told = status[status["percent_complete"].notna()].sort_values("status_date", kind="stable")
    complete = told.groupby("project_id")["percent_complete"].last()
    done = held["project_id"].map(complete).astype("float64")
    used = (held["drawn"].fillna(0.0) - held["returned"].fillna(0.0)) / held["approved"].where(held["approved"].gt(0))
    known = used.notna() & held["drawn"].notna() & done.gt(0)
    ratio = (used / done).where(known)
    burn = pd.Series("green", index=held.index, dtype="str").mask(ratio.gt(rules.burn_amber), "amber")
    reason = pd.Series(NO_PROGRESS, index=held.index, dtype="str").mask(held["drawn"].isna(), "no entries in the book")
    reason = reason.mask(held["approved"].isna() | held["approved"].le(0), "none approved")
    return held.assign(
        used_share=used.where(held["drawn"].notna()),
        percent_complete=done,
        burn_ratio=ratio,
        burn=burn.mask(ratio.gt(rules.burn_red), "red").where(known),
        burn_reason=reason.mask(known, ""),
    )


def _covered(book: pd.DataFrame, *, cover: pd.DataFrame, register: pd.DataFrame) -> pd.DataFrame:
    """Add the residual exposure, and how many times what is left covers it."""
    if register.empty:
        return book.assign(expected_money=float("nan"), adequacy=float("nan"), adequacy_reason=NO_REGISTER)
    by_project = cover[cover["project_id"].notna()].set_index("project_id")
    exposure = book["project_id"].map(by_project["expected_money"]).astype("float64")
    adequacy = book["remaining"] / exposure.where(exposure.gt(0))
    reason = pd.Series("no exposure above 0", index=book.index, dtype="str")
    silent = book["project_id"].map(by_project["money_reason"]).fillna("no open risk").astype("object")
    reason = reason.mask(exposure.isna(), silent).mask(book["remaining"].isna(), book["reason"])
    return book.assign(
        expected_money=exposure, adequacy=adequacy, adequacy_reason=reason.mask(adequacy.notna(), "").astype("str")
    )


def _management(projects: pd.DataFrame, *, reserves: pd.DataFrame) -> pd.DataFrame:
    """Return the management reserve of each project, by the same rules as its contingency."""
    asked = projects.assign(contingency_approved=projects["management_reserve"])
    book = reserves[reserves["kind"].eq(RESERVE)].assign(kind=CONTINGENCY)
    rows = contingency_left(asked, reserves=book).rename(columns={"contingency_left": "remaining"})
    not_asked = "–"
    reason = rows["reason"].str.replace("contingency", "management reserve")
    used = (rows["drawn"] - rows["returned"]) / rows["approved"].where(rows["approved"].gt(0))
    blank = dict.fromkeys(("percent_complete", "burn_ratio", "expected_money", "adequacy"), float("nan"))
    return rows.assign(
        kind=RESERVE,
        reason=reason,
        used_share=used,
        burn=None,
        burn_reason=not_asked,
        adequacy_reason=not_asked,
        **blank,
    )


def _with_whole(rows: pd.DataFrame, *, exposure: float | None) -> pd.DataFrame:
    """Put the sum of the projects before them; ``exposure`` is that of all open risks, None where it is not asked."""
    known = rows[rows["remaining"].notna()]
    minor = known[MONEY].apply(minor_units).sum(min_count=1).astype("Int64")
    sums = major_units(minor)
    used = (sums["drawn"] - sums["returned"]) / sums["approved"] if sums["approved"] > 0 else float("nan")
    covered = exposure is not None and exposure > 0
    silence = known["adequacy_reason"].iloc[0] if exposure is None or pd.isna(exposure) else "no exposure above 0"
    first = pd.DataFrame([sums]).assign(
        kind=known["kind"].iloc[0], name=WHOLE, used_share=used, expected_money=exposure,
        adequacy=sums["remaining"] / exposure if exposure and covered else float("nan"), reason="",
        currency=one_base(known, column="currency", what="contingency and reserve"),
        burn_reason="by project", adequacy_reason="" if covered else silence,
    )  # fmt: skip
    order = known.sort_values(["remaining", "project_id"], kind="stable")
    text = dict.fromkeys(("burn", "adequacy_reason"), "object")
    return pd.concat([first.reindex(columns=rows.columns).astype(text), order.astype(text)], ignore_index=True)
