"""Can the financial return be believed: tests of its rows, each finding to the row that it came from.

Every test is a small pure function of the evidence; its limit stands in the organisation's ``finance`` rules
(:class:`pmo_lib.parameters.models.FinanceRules`) and is printed with the result. A test that has nothing to look at was
not made, which is not the same as passed. Sources: cut-off and reversal of accruals as in ISA 330 and 540 (2018);
bunching just below a limit as in Burgstahler and Dichev, "Earnings management to avoid earnings decreases and losses",
*Journal of Accounting and Economics* 24 (1997); bias of forecasts as Σ(forecast − actual) ÷ Σ|actual| (Hyndman and
Athanasopoulos, *Forecasting: Principles and Practice*, 3rd ed., 5.8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.fiscal import MONTHS_OF_YEAR, FiscalYear, numbers_of_year
from pmo_lib.metrics.money import major_units, minor_units
from pmo_lib.theme import counted, day, money, month, share

if TYPE_CHECKING:
    from collections.abc import Callable

    from pmo_lib.metrics.fiscal import View
    from pmo_lib.metrics.outlook import Year
    from pmo_lib.parameters.models import FinanceRules, Organisation

HIT_COLUMNS = ["project_id", "period", "amount", "detail", "source_ref"]
FINDING_COLUMNS = ["test", "rule", "examined", "found", "name", *HIT_COLUMNS, "currency", "reason"]
TWO_SIDED = ("transfer", "recharge")
UNIT = ["own_of", "project_id"]
# A share of exactly the limit is not above it, however its quotient was rounded.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Evidence:
    """What the tests look at: our finance rows in one currency, the accounts of the year, and the rules.

    ``rows`` are those of this return and ``earlier`` those of the returns before, with ``number`` (month of the fiscal
    year that the row's period is in) and ``year_end``; null amounts are left out. ``closed`` is the last closed month.
    """

    rows: pd.DataFrame
    earlier: pd.DataFrame
    entries: pd.DataFrame
    projects: pd.DataFrame
    closed: str
    view: View
    rules: FinanceRules
    tolerance: float

    @property
    def findings(self) -> pd.DataFrame:
        """As :func:`findings`."""
        return findings(self)

    @property
    def before(self) -> pd.DataFrame:
        """Rows of the report before."""
        return self.earlier[self.earlier["return_month"].eq(self.view.since or "")]

    @property
    def everything(self) -> pd.DataFrame:
        """Rows of all returns, the earliest first."""
        return pd.concat([self.earlier, self.rows]).sort_values("return_month", kind="stable")

    def monthly(self, measure: str) -> pd.DataFrame:
        """Return the rows of a measure that are not of whole years."""
        return self.rows[self.rows["measure"].eq(measure) & self.rows["period_kind"].ne("year")]


Hits = tuple[int, pd.DataFrame]


@dataclass(frozen=True)
class Test:
    """One test: its name, its rule in words, the rows that it finds, and what it lacks where it cannot be made."""

    name: str
    rule: Callable[[Evidence], str]
    find: Callable[[Evidence], Hits]
    lacks: str


def evidence(
    finance_history: pd.DataFrame, *, projects: pd.DataFrame, year: Year, view: View, settings: Organisation
) -> Evidence:
    """Put together what the tests look at.

    Parameters
    ----------
    finance_history, projects
        Histories of these tables (``finance`` with ``return_month``, ``projects`` with ``period`` in front).
    year
        The accounts of the year.
    view
        Portfolio, month, month of the report before, fiscal calendar.
    settings
        The organisation's rules.
    """
    ours = finance_history["portfolio_id"].eq(view.portfolio_id) & finance_history["amount"].notna()
    rows = view.converted(finance_history[ours], columns=["amount"])
    ends = {text: FiscalYear.of(text, start_month=view.start_month).end for text in rows["period"].unique()}
    year_end = rows["period"].map(ends).astype("str")
    rows = rows.assign(year_end=year_end, number=numbers_of_year(rows["period"], ends=year_end))
    entries = year.entries
    closed = int(entries["closed"].max()) if len(entries) else 0
    return Evidence(
        rows=rows[rows["return_month"].eq(view.period)],
        earlier=rows[rows["return_month"].lt(view.period)],
        entries=entries,
        projects=view.between.now(projects),
        closed=view.year.month(closed),
        view=view,
        rules=settings.finance,
        tolerance=settings.thresholds.in_year_tolerance,
    )


def findings(seen: Evidence) -> pd.DataFrame:
    """Make every test.

    Returns
    -------
    DataFrame
        :data:`FINDING_COLUMNS`, one row per finding; of a test that finds nothing one row without a project: ``reason``
        then says that it passed, or why it was not made. ``examined`` counts what the test looked at (rows, units or
        forecasts), ``found`` its findings (null where it was not made). Empty without a finance row.
    """
    if seen.rows.empty:
        return pd.DataFrame(columns=FINDING_COLUMNS)
    whole = pd.concat([_made(test, seen=seen) for test in TESTS], ignore_index=True)
    names = seen.projects.drop_duplicates("project_id").set_index("project_id")["name"]
    name = whole["project_id"].map(names).astype("object")
    own = whole["project_id"].isna() & whole["detail"].notna()
    currency = seen.entries["currency"].iloc[0] if len(seen.entries) else seen.rows["currency"].iloc[0]
    named = name.where(name.notna(), whole["project_id"]).mask(own, "The portfolio or a programme")
    return whole.assign(name=named, currency=currency)[FINDING_COLUMNS]


def _made(test: Test, *, seen: Evidence) -> pd.DataFrame:
    examined, hits = test.find(seen)
    passed = "passed" if examined else f"not tested: {test.lacks}"
    rows = hits[HIT_COLUMNS] if len(hits) else pd.DataFrame([dict.fromkeys(HIT_COLUMNS)])
    told = rows.astype({"amount": "float64", **{name: "str" for name in HIT_COLUMNS if name != "amount"}})
    count = pd.array([len(hits) if examined else None] * len(told), dtype="Int64")
    reason = "" if len(hits) else passed
    return told.assign(test=test.name, rule=test.rule(seen), examined=examined, found=count, reason=reason)


def past_forecasts(seen: Evidence) -> Hits:
    """Find forecasts of months that are closed: they are in no outlook."""
    rows = seen.rows[seen.rows["measure"].eq("forecast") & seen.rows["amount"].ne(0)]
    whole = rows["period_kind"].eq("year")
    past = (rows["period"].le(seen.closed) & ~whole) | (rows["period"].lt(seen.view.year.month(1)) & whole)
    return len(rows), _hits(rows[past], detail="forecast of a closed period: it is in no outlook")


def future_actuals(seen: Evidence) -> Hits:
    """Find actuals of months after the return: they are in no outlook."""
    rows = seen.monthly("actual")
    return len(rows), _hits(rows[rows["period"].gt(seen.view.period)], detail="posted in a month that is not over")


def negative_forecasts(seen: Evidence) -> Hits:
    """Find forecasts below zero: a saving that nobody has named."""
    rows = seen.rows[seen.rows["measure"].eq("forecast")]
    return len(rows), _hits(rows[rows["amount"].lt(0)], detail="a negative forecast lowers the outlook")


def flat_forecasts(seen: Evidence) -> Hits:
    """Find forecasts that are the same month after month: a remainder spread evenly, not a plan of work."""
    rows = seen.monthly("forecast")
    ahead = rows[rows["period"].gt(seen.closed)]
    by_month = ahead.groupby(["project_id", "period"], dropna=False, sort=True)
    months = by_month.agg(amount=("amount", "sum"), source_ref=("source_ref", "first")).reset_index()
    months = months.assign(minor=minor_units(months["amount"]))
    fresh = months["minor"].ne(months["minor"].shift()) | months["project_id"].ne(months["project_id"].shift())
    runs = months.assign(run=fresh.cumsum()).groupby("run")
    first = runs.first().assign(length=runs.size())
    flat = first[first["length"].ge(seen.rules.flat_months) & first["minor"].ne(0)]
    detail = "the same in " + flat["length"].astype("str") + " months from this one on"
    return months["project_id"].nunique(dropna=False), _hits(flat, detail=detail)


def late_spending(seen: Evidence) -> Hits:
    """Find actuals in months after the project was over, with months of grace for the last invoices."""
    over = seen.projects[seen.projects["finish_actual_on"].notna()].drop_duplicates("project_id")
    grace = seen.rules.closure_grace_months
    last = {
        str(row["project_id"]): str(pd.Period(row["finish_actual_on"], freq="M") + grace)
        for row in over.to_dict("records")
    }
    rows = seen.monthly("actual")
    rows = rows[rows["project_id"].isin(over["project_id"])]
    until = rows["project_id"].map(last)
    late = rows[rows["period"].gt(until) & rows["amount"].ne(0)]
    finished = {str(row["project_id"]): day(row["finish_actual_on"]) for row in over.to_dict("records")}
    detail = "posted after the project finished on " + late["project_id"].map(finished).astype("str")
    return len(over), _hits(late, detail=detail)


def costs_without_budget(seen: Evidence) -> Hits:
    """Find units that cost something and have neither plan nor budget above zero."""
    sums = _sums(seen, parts=["budget", "outlook"])
    costing = sums[sums["outlook"].notna() & sums["outlook"].ne(0)]
    bare = costing[costing["budget"].isna() | costing["budget"].le(0)].reset_index()
    detail = "an outlook of " + _written(bare["outlook"], seen=seen) + " and no plan or budget above 0"
    return len(costing), _of_units(bare, amount=bare["outlook"], detail=detail, seen=seen)


def unbalanced_transfers(seen: Evidence) -> Hits:
    """Find transfers and recharges without their other side: they would not net to zero above."""
    rows = seen.rows[seen.rows["measure"].isin(TWO_SIDED)].assign(
        minor=lambda all_rows: minor_units(all_rows["amount"])
    )
    here = rows["project_id"].fillna(rows["programme_id"]).fillna("").astype("str")
    there = rows["counterparty"].fillna("").astype("str")
    ends = [" ".join(sorted(pair)) for pair in zip(here, there, strict=True)]
    paired = rows.assign(ends=ends).groupby(["measure", "period", "ends"])["minor"].transform("sum")
    inside = there.isin({*seen.projects["project_id"], *seen.rows["programme_id"].dropna()})
    detail = pd.Series("", index=rows.index, dtype="str").mask(inside & paired.ne(0), "the two sides do not net to 0")
    detail = detail.mask(~inside, "the other side, " + there + ", is outside the portfolio: nets to 0 only above it")
    detail = detail.mask(there.eq(""), "names no other side")
    return len(rows), _hits(rows[detail.ne("")], detail=rows["measure"] + ": " + detail[detail.ne("")])


def unposted_accruals(seen: Evidence) -> Hits:
    """Find accruals of the report before that were neither posted nor accrued again, or that stand unchanged.

    A project that is not ours any more answers for its accruals elsewhere.
    """
    before = seen.before[
        seen.before["measure"].eq("accrual") & seen.before["project_id"].isin(seen.projects["project_id"])
    ]
    if before.empty or seen.rows.empty:
        return 0, _none()
    at = before["period"].max()
    accrued = before[before["period"].eq(at)].groupby("project_id").agg(
        minor=("amount", lambda amounts: int(minor_units(amounts).sum())), source_ref=("source_ref", "first")
    )  # fmt: skip
    since = seen.monthly("actual")
    posted = _by_project(since[since["period"].gt(at) & since["period"].le(seen.closed)], index=accrued.index)
    still = _by_project(seen.monthly("accrual").loc[lambda rows: rows["period"].eq(seen.closed)], index=accrued.index)
    lost = accrued["minor"].gt(posted + still) & accrued["minor"].gt(0)
    same = accrued["minor"].eq(still) & accrued["minor"].ne(0)
    detail = pd.Series("carried unchanged from " + month(at), index=accrued.index, dtype="str")
    said = "accrued in " + month(at) + "; since then " + _written(posted, seen=seen) + " posted and "
    detail = detail.where(~lost, said + _written(still, seen=seen) + " accrued again")
    hit = accrued.assign(detail=detail, amount=major_units(accrued["minor"]), period=at)[
        lost | (same & (seen.closed > at))
    ]
    rows = hit.reset_index()
    return len(accrued), _hits(rows, detail=rows["detail"])


def year_end_accruals(seen: Evidence) -> Hits:
    """Find accruals in month 12 that are a large share of what the year cost: spending pulled into the year."""
    rows = seen.everything[seen.everything["period_kind"].ne("year")]
    last = rows[rows["measure"].eq("accrual") & rows["number"].eq(MONTHS_OF_YEAR)]
    booked = last.drop_duplicates(["project_id", "period", "cost_type", "category"], keep="last")
    spent = seen.everything[seen.everything["measure"].eq("actual")]
    cost = spent.groupby(["return_month", "project_id", "year_end"])["amount"].sum().rename("cost").reset_index()
    joined = booked.merge(cost, how="left", on=["return_month", "project_id", "year_end"])
    part = joined["amount"] / (joined["cost"].fillna(0) + joined["amount"]).where(lambda total: total.gt(0))
    large = part.gt(seen.rules.year_end_accrual + ROUNDING)
    detail = _words(part[large], write=share) + " of the year's cost was accrued in its last month"
    return len(booked), _hits(joined[large], detail=detail)


def year_end_reversals(seen: Evidence) -> Hits:
    """Find month-12 accruals that month 1 took back: nothing was invoiced against them."""
    ended = seen.view.year.before.end
    last = seen.earlier[seen.earlier["measure"].eq("accrual") & seen.earlier["period"].eq(ended)]
    booked = last[last["return_month"].eq(last["return_month"].max())]
    accrued = booked.groupby("project_id")["amount"].sum()
    first = seen.rows[seen.rows["period"].eq(seen.view.year.month(1)) & seen.rows["period_kind"].ne("year")]
    if accrued.empty or first.empty:
        return 0, _none()
    back = first[first["measure"].isin(["actual", "accrual"]) & first["amount"].lt(0)]
    before = accrued.reindex(back["project_id"]).set_axis(back.index).astype("float64")
    part = -back["amount"] / before.where(before.gt(0))
    large = part.gt(seen.rules.year_end_reversal + ROUNDING)
    detail = _words(part[large], write=share) + f" of what was accrued in {month(ended)} was taken back in month 1"
    return len(accrued), _hits(back[large], detail=detail)


def bunching(seen: Evidence) -> Hits:
    """Find overspends just below the tolerance, where there are more of them than just above it."""
    sums = _sums(seen, parts=["budget", "outlook"]).dropna()
    over = (sums["outlook"] - sums["budget"]) / sums["budget"].where(sums["budget"].gt(0))
    width, limit = seen.rules.bunching_width, seen.tolerance
    below = over.gt(limit - width + ROUNDING) & over.le(limit + ROUNDING)
    above = over.gt(limit + ROUNDING) & over.le(limit + width + ROUNDING)
    few = below.sum() < seen.rules.bunching_projects or below.sum() <= above.sum()
    rows = sums[below & (not few)].reset_index()
    shares = _words(over[below & (not few)], write=lambda value: share(value, decimals=1)).reset_index(drop=True)
    detail = shares + f" over budget, just below the tolerance of {share(limit)}"
    return int(over.notna().sum()), _of_units(rows, amount=rows["outlook"] - rows["budget"], detail=detail, seen=seen)


def optimism(seen: Evidence) -> Hits:
    """Find managers whose monthly forecasts were, taken together, far from what was posted."""
    monthly = seen.everything[seen.everything["period_kind"].ne("year") & seen.everything["project_id"].notna()]
    by_return = ["return_month", "project_id", "period"]
    sums = monthly.groupby(["measure", *by_return], sort=True)["amount"].sum().reset_index()
    posted = sums[sums["measure"].eq("actual") & sums["period"].le(seen.closed)]
    posted = posted.drop_duplicates(["project_id", "period"], keep="last")[["project_id", "period", "amount"]]
    told = sums[sums["measure"].eq("forecast") & sums["period"].gt(sums["return_month"])]
    pairs = told.merge(posted, on=["project_id", "period"], suffixes=("", "_posted"))
    people = seen.projects.drop_duplicates("project_id").set_index("project_id")["manager"]
    pairs = pairs.assign(manager=pairs["project_id"].map(people), off=pairs["amount"] - pairs["amount_posted"])
    rows = [_judged(str(who), pairs=group, seen=seen) for who, group in pairs.groupby("manager", sort=True)]
    known = [row for row in rows if row]
    enough = pairs.groupby("manager").size().ge(seen.rules.optimism_forecasts) if len(pairs) else pd.Series(dtype=bool)
    return int(enough.sum()), pd.DataFrame(known, columns=HIT_COLUMNS) if known else _none()


def _judged(who: str, *, pairs: pd.DataFrame, seen: Evidence) -> dict[str, object] | None:
    actual = pairs["amount_posted"].abs().sum()
    bias = pairs["off"].sum() / actual if actual else 0.0
    if len(pairs) < seen.rules.optimism_forecasts or abs(bias) <= seen.rules.optimism_share + ROUNDING:
        return None
    worst = pairs.iloc[int(pairs["off"].abs().to_numpy().argmax())]
    rows = seen.everything
    at = rows["return_month"].eq(worst["return_month"]) & rows["period"].eq(worst["period"])
    source = rows.loc[at & rows["project_id"].eq(worst["project_id"]) & rows["measure"].eq("forecast"), "source_ref"]
    side = "below" if bias < 0 else "above"
    detail = (
        f"{who}: {counted(len(pairs), noun='monthly forecast')}, together {share(abs(bias))} {side} what was posted; "
        f"farthest off: {month(str(worst['period']))} as forecast in {month(str(worst['return_month']))}"
    )
    return dict(
        zip(HIT_COLUMNS, (worst["project_id"], worst["period"], worst["off"], detail, source.iloc[0]), strict=True)
    )


def capital_drift(seen: Evidence) -> Hits:
    """Find units whose outlook is capital to another share than their budget."""
    rows = seen.entries[seen.entries["part"].isin(["budget", "outlook"]) & seen.entries["minor"].notna()]
    rows = rows[rows["cost_type"].ne("")]
    capital = rows.assign(capital=rows["minor"].where(rows["cost_type"].eq("capex"), 0))
    sums = capital.groupby([*UNIT, "part"])[["capital", "minor"]].sum()
    part = (sums["capital"] / sums["minor"].where(sums["minor"].gt(0))).unstack().reindex(columns=["budget", "outlook"])
    both = part.dropna().astype("float64")
    off = both["outlook"] - both["budget"]
    far = both[off.abs().gt(seen.rules.capex_gap + ROUNDING)].reset_index()
    detail = (
        _words(far["outlook"], write=share)
        + " of the outlook is capital, "
        + _words(far["budget"], write=share)
        + " of the budget"
    )
    spent = sums["minor"].unstack().reindex(columns=["outlook"])["outlook"]
    amount = pd.Series(
        [spent.get((o, p)) for o, p in zip(far["own_of"], far["project_id"], strict=True)], dtype="Int64"
    )
    return len(both), _of_units(far, amount=amount, detail=detail, seen=seen)


TESTS = (
    Test("forecast in the past", lambda seen: f"a forecast of {month(seen.closed)} or before", past_forecasts,
         "no forecast returned"),
    Test("actual in the future", lambda seen: f"an actual after {month(seen.view.period)}", future_actuals,
         "no monthly actuals returned"),
    Test("negative forecast", lambda _: "a forecast below 0", negative_forecasts, "no forecast returned"),
    Test("flat-lined forecast", lambda seen: f"the same forecast in {seen.rules.flat_months} months running or more",
         flat_forecasts, "no monthly forecast returned"),
    Test("cost without budget", lambda _: "an outlook that is not 0, and no plan or budget above 0",
         costs_without_budget, "no unit has an outlook"),
    Test("spend after closure", lambda seen: "an actual later than "
         f"{counted(seen.rules.closure_grace_months, noun='month')} after the actual finish", late_spending,
         "no project of this portfolio has an actual finish"),
    Test("transfer or recharge that does not net", lambda _: "no other side, or one of another amount",
         unbalanced_transfers, "no transfers or recharges returned"),
    Test("unposted accrual", lambda _: "accrued in the last report, then neither posted nor accrued; or unchanged",
         unposted_accruals, "no accruals in the report before"),
    Test("accrual at the year's end", lambda seen: "month-12 accrual above "
         f"{share(seen.rules.year_end_accrual)} of the year's cost", year_end_accruals,
         "no month-12 accrual in the reports that are kept"),
    Test("reversal in month 1", lambda seen: f"month 1 takes back more than {share(seen.rules.year_end_reversal)} of "
         "the month-12 accrual", year_end_reversals, "no month-12 accrual in the reports that are kept"),
    Test("bunching below the tolerance", lambda seen: f"{seen.rules.bunching_projects} or more overspends within "
         f"{share(seen.rules.bunching_width)} below {share(seen.tolerance)}, and more than just above it", bunching,
         "no unit has a budget above 0 and an outlook"),
    Test("bias of a forecaster", lambda seen: f"{seen.rules.optimism_forecasts} or more monthly forecasts, together "
         f"off by more than {share(seen.rules.optimism_share)} of what was posted", optimism,
         "no manager has enough forecasts that came due"),
    Test("capital and running cost", lambda seen: "capital share of the outlook off that of the budget by more than "
         f"{share(seen.rules.capex_gap)}", capital_drift, "no unit has typed budget and outlook"),
)  # fmt: skip


def _none() -> pd.DataFrame:
    return pd.DataFrame(columns=HIT_COLUMNS)


def _hits(rows: pd.DataFrame, *, detail: pd.Series | str) -> pd.DataFrame:
    words = detail.reindex(rows.index) if isinstance(detail, pd.Series) else detail
    return rows.assign(detail=words).reindex(columns=HIT_COLUMNS).reset_index(drop=True)


def _by_project(rows: pd.DataFrame, *, index: pd.Index) -> pd.Series:
    sums = rows.assign(minor=minor_units(rows["amount"])).groupby("project_id")["minor"].sum()
    return sums.reindex(index).fillna(0).astype("Int64")


def _sums(seen: Evidence, *, parts: list[str]) -> pd.DataFrame:
    """Return the accounts of each unit in whole minor units, by part."""
    rows = seen.entries[seen.entries["part"].isin(parts)]
    wide = rows.groupby([*UNIT, "part"])["minor"].sum(min_count=1).unstack() if len(rows) else pd.DataFrame()
    return wide.reindex(columns=parts).astype("Int64")


def _of_units(rows: pd.DataFrame, *, amount: pd.Series, detail: pd.Series, seen: Evidence) -> pd.DataFrame:
    """Return findings about units, each with the first finance row of its year."""
    year = seen.rows[seen.rows["year_end"].eq(seen.view.year.end)]
    own = year["programme_id"].where(year["project_id"].isna()).fillna("")
    places = own.astype("str") + "|" + year["project_id"].fillna("").astype("str")
    first = year.assign(place=places).drop_duplicates("place").set_index("place")["source_ref"]
    source = (rows["own_of"] + "|" + rows["project_id"]).map(first)
    project = rows["project_id"].where(rows["project_id"].ne(""))
    told = rows.assign(project_id=project, period=seen.view.period, amount=major_units(amount), source_ref=source)
    return _hits(told, detail=detail)


def _written(units: pd.Series, *, seen: Evidence) -> pd.Series:
    currency = str(seen.entries["currency"].iloc[0]) if len(seen.entries) else ""
    return _words(major_units(units.astype("Int64")), write=lambda value: money(value, currency=currency))


def _words(values: pd.Series, *, write: Callable[[float], str]) -> pd.Series:
    return pd.Series([write(value) for value in values], index=values.index, dtype="str")
