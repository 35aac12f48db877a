"""The amounts behind a fiscal year's outlook, by unit, part and month: every level of the report is a sum of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics.fiscal import MONTHS_OF_YEAR, numbers_of_year
from pmo_lib.metrics.ledger import INTERNAL, MONTHLY, ledger, unit_outlooks, unit_parts
from pmo_lib.metrics.money import major_units, minor_units, one_base
from pmo_lib.metrics.movement import names_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.metrics.fiscal import View

SHOWN = (
    "plan", "budget", "ytd_plan", "ytd_actual", "accruals", "commitments", "remaining_forecast", "transfers",
    "recharges", "adjustments", "outlook", "variance", "previous_outlook", "movement",
)  # fmt: skip
TWO_SIDED = ("transfers", "recharges", "adjustments")
UNPAIRED = ("unpaired_budget", "unpaired_outlook")
BY_YEAR_ONLY = "figures of the year only"
NONE_RETURNED = "none returned"
NO_EARLIER = "no outlook of this year in the report before"
ACCOUNT_COLUMNS = [
    "programme_id", "programme", "own_of", "project_id", "name", "part", "number", "minor", "reason", "currency",
    "cost_type", "period_kind", "basis", "budget_basis", "closed", "due", "year_end", "source_ref", "rates",
]  # fmt: skip
OUTLOOK_COLUMNS = [
    "period", "portfolio_id", "own_of", "project_id", "name", "plan", "outlook", "plan_reason", "outlook_reason",
    "year_end", "basis", "currency", "source_ref",
]  # fmt: skip


def outlooks(
    finance_history: pd.DataFrame, *, projects: pd.DataFrame, states: pd.DataFrame, returns: Mapping[str, str]
) -> pd.DataFrame:
    """Return plan and outlook of each unit as several returns had them.

    Parameters
    ----------
    finance_history
        The table ``finance`` over the periods, with ``return_month`` in front.
    projects, states
        Histories of these tables, with ``period`` in front.
    returns
        Month of each return that is used, and the last month of the fiscal year that is asked of it.

    Returns
    -------
    DataFrame
        :data:`OUTLOOK_COLUMNS`, one row per return and unit, sorted; ``period`` is the return's month; money as float.
    """
    book = ledger(finance_history, states=states, returns=returns)
    if book.empty:
        return pd.DataFrame(columns=OUTLOOK_COLUMNS)
    units = unit_outlooks(book, ended=ended(projects)).rename(columns={"return_month": "period"})
    money = {name: major_units(units[name]) for name in ("plan", "outlook")}
    return units.assign(name=units["project_id"].map(names_of(projects)), **money)[OUTLOOK_COLUMNS]


def accounts(
    finance_history: pd.DataFrame, *, projects: pd.DataFrame, programmes: pd.DataFrame, states: pd.DataFrame, view: View
) -> pd.DataFrame:
    """Return every amount that is behind this year's outlook, by unit, part and month: the levels are its sums.

    Parameters
    ----------
    finance_history, projects, states
        Histories of these tables (``finance`` with ``return_month``, the others with ``period`` in front).
    programmes
        The portfolio's programmes now. A programme's own budget counts once: as its finance rows have it, else as this
        table has it (then as a figure of the year).
    view
        Portfolio, month, month of the report before, fiscal calendar.

    Returns
    -------
    DataFrame
        :data:`ACCOUNT_COLUMNS`. ``part`` is one of :data:`SHOWN` or :data:`UNPAIRED`; ``number`` the month of the year,
        0 for a figure of the year; ``minor`` whole minor units, or null with a ``reason``: then this unit has no such
        figure. ``source_ref`` is the finance row of an amount, null for one of the report before. ``rates`` says at
        which rates amounts in other currencies were converted.

    Raises
    ------
    ReportError
        If the amounts are in more than one currency and no rate is stated.
    """
    ours = finance_history["return_month"].eq(view.period) & finance_history["portfolio_id"].eq(view.portfolio_id)
    stated = _with_own_budgets(finance_history[ours], programmes=programmes, view=view)
    rows = view.converted(stated, columns=["amount"])
    book = ledger(rows, states=states, returns={view.period: view.year.end})
    if book.empty:
        return pd.DataFrame(columns=ACCOUNT_COLUMNS)
    one_base(book, column="currency", what=f"finance of {view.portfolio_id} in {view.year.label}")
    units = unit_outlooks(book, ended=ended(projects))
    before = _previous(finance_history, projects=projects, states=states, view=view)
    units = units.merge(before, how="left", on=["own_of", "project_id"], validate="one_to_one")
    named = _named(_accounts(book, units=units), projects=view.between.now(projects), programmes=programmes)
    return named.assign(rates=view.rates_used(stated))[ACCOUNT_COLUMNS]


def ended(projects: pd.DataFrame) -> pd.Series:
    """Say whether a project is over: by ``period`` and ``project_id`` of a history of projects."""
    over = projects["delivery_status"].isin(["closed", "cancelled"]) | projects["finish_actual_on"].notna()
    return over.groupby([projects["period"], projects["project_id"]]).any()


def _with_own_budgets(finance: pd.DataFrame, *, programmes: pd.DataFrame, view: View) -> pd.DataFrame:
    """Add the own budgets of programmes that have none among their finance rows of the year."""
    end = view.year.end
    inside = numbers_of_year(finance["period"], ends=pd.Series(end, index=finance.index)).between(1, MONTHS_OF_YEAR)
    own = finance["project_id"].isna() & finance["measure"].eq("budget") & inside
    told = set(finance.loc[own, "programme_id"].dropna())
    new = programmes[programmes["budget"].notna() & ~programmes["programme_id"].isin(told)]
    if new.empty:
        return finance
    rows = new[["portfolio_id", "programme_id", "currency", "source_ref"]].assign(
        return_month=view.period, amount=new["budget"], measure="budget", period=end, period_kind="year"
    )
    return pd.concat([finance, rows.reindex(columns=finance.columns).astype(finance.dtypes)], ignore_index=True)


def _previous(
    finance_history: pd.DataFrame, *, projects: pd.DataFrame, states: pd.DataFrame, view: View
) -> pd.DataFrame:
    """Return the outlook of this year in the report before, of each unit, wherever its project stood then."""
    returns = {view.since: view.year.end} if view.since else {}
    stated = view.converted(finance_history, columns=["amount"])
    rows = outlooks(stated, projects=projects, states=states, returns=returns)
    ours = rows["portfolio_id"].eq(view.portfolio_id)
    rows = pd.concat([rows[ours], rows[~ours & rows["project_id"].ne("")]]).drop_duplicates(["own_of", "project_id"])
    one_base(rows[rows["outlook"].notna()], column="currency", what=f"the report of {view.since}")
    return rows[["own_of", "project_id"]].assign(
        previous_outlook=minor_units(rows["outlook"]), previous_reason=rows["outlook_reason"]
    )


def cost_rows(book: pd.DataFrame, *, units: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a ledger that make the outlooks of its units, where they are known.

    Parameters
    ----------
    book, units
        Results of :func:`pmo_lib.metrics.ledger.ledger` and :func:`pmo_lib.metrics.ledger.unit_outlooks`.
    """
    told = units.set_index("unit")
    annual = book["unit"].map(told["basis"]).eq("annual")
    costing = (annual & book["part"].isin(["year_forecast", *INTERNAL])) | (~annual & book["part"].isin(MONTHLY))
    return book[costing & _of(book, mask=told["outlook"].notna())]


def _accounts(book: pd.DataFrame, *, units: pd.DataFrame) -> pd.DataFrame:
    """Return the entries of every part: ledger rows where the figure is known, else one row that says why not."""
    known = units.set_index("unit")[["budget", "outlook", "previous_outlook"]].notna()
    costs = cost_rows(book, units=units).assign(part="outlook")
    basis = book["unit"].map(units.set_index("unit")["budget_basis"])
    limits = book["part"].eq(basis) | book["part"].eq("transfers")
    budgets = book[limits & _of(book, mask=known["budget"])].assign(part="budget")
    before = units[["unit", "previous_outlook"]].rename(columns={"previous_outlook": "minor"})
    blank: dict[str, Any] = {"number": 0, "cost_type": "", "period_kind": "", "source_ref": None}
    before = before[before["minor"].notna()].assign(part="previous_outlook", **blank)
    shown = book[book["part"].isin(SHOWN) & book["part"].ne("budget")]
    complete = unit_parts(shown).query("minor.notna()")[["unit", "part"]]
    paired, both = known["budget"] & known["outlook"], known["previous_outlook"] & known["outlook"]
    parts = [
        shown.merge(complete, on=["unit", "part"]),
        costs,
        budgets,
        before,
        budgets[_of(budgets, mask=paired)].assign(part="variance"),
        costs[_of(costs, mask=paired)].pipe(_negative, part="variance"),
        budgets[_of(budgets, mask=~paired)].assign(part="unpaired_budget"),
        costs[_of(costs, mask=~paired)].assign(part="unpaired_outlook"),
        costs[_of(costs, mask=both)].assign(part="movement"),
        before[_of(before, mask=both)].pipe(_negative, part="movement"),
    ]
    columns = ["unit", "part", "number", "minor", "cost_type", "period_kind", "source_ref"]
    filled = [part[columns] for part in parts if len(part)] or [before[columns]]
    entries = pd.concat(filled, ignore_index=True).assign(reason="")
    whole = pd.concat([entries, _silences(units, told=entries)], ignore_index=True)
    facts = ["own_of", "project_id", "currency", "basis", "budget_basis", "closed", "due", "year_end"]
    return whole.merge(units[["unit", *facts]], how="left", on="unit")


def _of(rows: pd.DataFrame, *, mask: pd.Series) -> pd.Series:
    """Say of each row whether its unit is in the mask."""
    return rows["unit"].isin(mask[mask].index)


def _negative(rows: pd.DataFrame, *, part: str) -> pd.DataFrame:
    return rows.assign(part=part, minor=-rows["minor"])


def _silences(units: pd.DataFrame, *, told: pd.DataFrame) -> pd.DataFrame:
    """Return one null entry with its reason for each unit and part without a figure."""
    annual = units["basis"].eq("annual")
    none = pd.Series(NONE_RETURNED, index=units.index, dtype="str")
    by_month = none.mask(annual, BY_YEAR_ONLY)
    plan, budget = (
        units[f"{name}_reason"].mask(units[f"{name}_reason"].eq(""), NONE_RETURNED) for name in ("plan", "budget")
    )
    outlook = units["outlook_reason"]
    earlier = units["previous_reason"].fillna("").astype("str")
    earlier = earlier.mask(earlier.eq("") & units["previous_outlook"].isna(), NO_EARLIER)
    why = {
        **dict.fromkeys(SHOWN, by_month), **dict.fromkeys(TWO_SIDED, none), "plan": plan, "budget": budget,
        "outlook": outlook, "variance": outlook.mask(units["budget"].isna(), budget), "previous_outlook": earlier,
        "movement": earlier.mask(outlook.ne(""), outlook),
    }  # fmt: skip
    blank = units[["unit"]].assign(number=0, minor=None, cost_type="", period_kind="", source_ref=None)
    rows = [blank.assign(part=part, reason=why[part]) for part in SHOWN]
    whole = pd.concat(rows, ignore_index=True).astype({"minor": "Int64"})
    given = pd.MultiIndex.from_frame(told[["unit", "part"]])
    return whole[~pd.MultiIndex.from_frame(whole[["unit", "part"]]).isin(given)]


def _named(entries: pd.DataFrame, *, projects: pd.DataFrame, programmes: pd.DataFrame) -> pd.DataFrame:
    known = projects.drop_duplicates("project_id").set_index("project_id")
    programme = entries["project_id"].map(known["programme_id"]).astype("object")
    programme = programme.where(programme.notna(), entries["own_of"])
    titles = programmes.drop_duplicates("programme_id").set_index("programme_id")["name"]
    owner = entries["own_of"].map(titles).astype("object").where(lambda names: names.notna(), entries["own_of"])
    own = (owner + ": its own money").mask(entries["own_of"].eq(""), "The portfolio's own money")
    name = entries["project_id"].map(known["name"]).astype("object")
    name = name.where(name.notna(), entries["project_id"]).mask(entries["project_id"].eq(""), own)
    title = programme.map(titles).astype("object").where(lambda names: names.notna(), programme)
    return entries.assign(programme_id=programme, name=name, programme=title)
