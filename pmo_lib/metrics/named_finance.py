"""The figures of the fiscal year, each with its definition, its rule and its own rows of the finance return.

Every figure is a sum of amounts by part (actual to date, accruals, forecast to come …) and a formula over these sums;
what the parts are is told in :mod:`pmo_lib.metrics.ledger`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from pmo_lib.metrics.accounts import cost_rows, ended
from pmo_lib.metrics.cost import FINISH, ROUNDING, stated_column
from pmo_lib.metrics.explained import COST, COUNT, OWN_RULE, About, Given, Measured, NamedFigure, Rows
from pmo_lib.metrics.finance import NEEDED, NOW, RUN_OF_YEARS, Case
from pmo_lib.metrics.fiscal import MONTHS_OF_YEAR, FiscalYear, numbers_of_year
from pmo_lib.metrics.ledger import COSTS, ledger, unit_outlooks
from pmo_lib.metrics.money import converted, minor_units
from pmo_lib.theme import month

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pmo_lib.metrics.fiscal import View
    from pmo_lib.metrics.outlook import Year

NEEDS = ("finance", "programmes")
USUAL = "usual in management accounting; parts as in the finance return"
GMPP = "Government Major Projects Portfolio: (outlook − plan) ÷ plan"
UNDER, OVER = "positive is under budget", "positive is over plan"
LIMITS = ("plan", "budget", "transfers")
SWAPPED = "{budget} + {plan} of the units without a budget + {transfers}"
SPENT = ("ytd_actual", "accruals")
SIMPLE = {
    "plan": "plan", "budget": "budget", "transfer": "transfers", "recharge": "recharges",
    "prior-year adjustment": "adjustments",
}  # fmt: skip
WORDS = {
    "ytd_actual": "actual to date", "accruals": "accruals", "remaining_forecast": "forecast to come",
    "year_forecast": "forecasts of the year", "recharges": "recharges", "adjustments": "prior-year adjustments",
    "plan": "plan", "budget": "budget", "transfers": "transfers", "commitments": "commitments",
}  # fmt: skip
# Name: definition, parts that are added up.
PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "plan": ("Plan of the fiscal year, the last version of each month", ("plan",)),
    "ytd_plan": ("Plan of the closed months", ("plan",)),
    "ytd_actual": ("Posted cost of the closed months", ("ytd_actual",)),
    "accruals": ("Received and not yet invoiced, in the last closed month", ("accruals",)),
    "commitments": ("Ordered and not yet received, in the last closed month", ("commitments",)),
    "remaining_forecast": ("Forecast of the months that are not closed", ("remaining_forecast",)),
    "transfers": ("Budget moved to the portfolio's projects from their counterparties", ("transfers",)),
    "recharges": ("Cost charged to the portfolio's projects by their counterparties", ("recharges",)),
    "adjustments": ("Posted in this year, of an earlier one", ("adjustments",)),
    "budget": ("Budget of the year with transfers; the plan where no budget is returned", LIMITS),
    "outlook": ("What the year will cost: posted, accrued, and forecast for the months to come", COSTS),
}  # fmt: skip
RATES: dict[str, tuple[str, str]] = {
    "spent": ("Cost of the closed months, with what is accrued", "{actual to date} + {accruals}"),
    "run_rate": ("Spent a month so far", "({actual to date} + {accruals}) ÷ {months closed}"),
    "run_rate_outlook": ("The year at this rate", "({actual to date} + {accruals}) ÷ {months closed} × 12"),
    "recent_outlook": (
        "The year at the rate of the last three closed months",
        "{actual to date} + {accruals} + {cost of the last three} ÷ {their length} × {months to come}",
    ),
    "required_run_rate": (
        "Budget left for each month to come", "({budget} − {actual to date} − {accruals}) ÷ {months to come}",
    ),
    "exposure": ("Spent and ordered", "{actual to date} + {accruals} + {commitments}"),
    "headroom": (
        "Budget neither spent nor ordered", "{budget} − {actual to date} − {accruals} − {commitments}",
    ),
    "committed_beyond": (
        "What units have ordered above their forecast of the months to come",
        "sum over the units with orders of max(commitments − forecast to come, 0)",
    ),
}  # fmt: skip
RATE_PARTS = {
    "run_rate": SPENT, "run_rate_outlook": SPENT, "spent": SPENT, "recent_outlook": SPENT,
    "required_run_rate": (*SPENT, "budget"), "exposure": (*SPENT, "commitments"),
    "headroom": (*SPENT, "budget", "commitments"), "committed_beyond": ("commitments", "remaining_forecast"),
}  # fmt: skip
Totals = dict[str, float]
FORMULAS: dict[str, Callable[[Totals, Mapping[str, Any]], float]] = {
    "spent": lambda t, _: t["spent"],
    "run_rate": lambda t, k: t["spent"] / max(k["months closed"], 1),
    "run_rate_outlook": lambda t, k: t["spent"] / max(k["months closed"], 1) * MONTHS_OF_YEAR,
    "recent_outlook": lambda t, k: t["spent"] + t["recent"] / max(k["their length"], 1) * k["months to come"],
    "required_run_rate": lambda t, k: (t["budget"] - t["spent"]) / max(k["months to come"], 0.5),
    "exposure": lambda t, _: t["spent"] + t["commitments"],
    "headroom": lambda t, _: t["budget"] - t["spent"] - t["commitments"],
}
UNIT = ["own_of", "project_id"]


@dataclass(frozen=True, eq=False)
class FiscalFigures(About):
    """What the figures of the fiscal year are about."""

    @cached_property
    def named(self) -> dict[str, NamedFigure]:
        """The figures by name."""
        parts = (self._sums(), self._compared(), self._rates(), self._in_year(), self._years(), self._underspends())
        return {figure.name: figure for part in parts for figure in part}

    @cached_property
    def made(self) -> Case:
        """The case that made the figures, or the same made again."""
        if self.case is not None:
            return cast("Case", self.case)
        tables = {name: self.history(name) for name in NEEDED}
        now = {name: self.now(name).drop(columns="period") for name in NOW}
        return Case(tables, now, self.settings, self.between, self.status_on)

    @property
    def view(self) -> View:
        """Portfolio, months and fiscal calendar."""
        return self.made.view

    @property
    def year(self) -> Year:
        """The fiscal year of this report."""
        return self.made.year

    @cached_property
    def books(self) -> pd.DataFrame:
        """The ledgers of all reports that are used, each of the fiscal years asked of it, by ``asked``."""
        last = dict(zip(self.made.years.rows["period"], self.made.years.rows["year_end"], strict=True))
        before = {self.view.since: self.view.year.end} if self.view.since else {}
        asked = {"before": before, "years": {**last, self.view.period: self.view.year.end}}
        stated = self.view.converted(self.history("finance"), columns=["amount"])
        states = self.history("states")
        parts = [ledger(stated, states=states, returns=told).assign(asked=name) for name, told in asked.items() if told]
        return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)

    @cached_property
    def costs(self) -> dict[str, pd.DataFrame]:
        """The ledger rows that make the outlooks of units, in the reports asked."""
        over = ended(self.history("projects"))
        books = {asked: self.books[self.books["asked"].eq(asked)] for asked in ("before", "years")}
        return {asked: cost_rows(book, units=unit_outlooks(book, ended=over)) for asked, book in books.items()}

    @cached_property
    def given(self) -> Given:
        """With the closed months of each return, and the lengths of what is closed and to come."""
        phased, books = self.year.phased, self.books
        done = phased[phased["closed"].astype(bool)] if len(phased) else phased
        worth = phased["months_worth"].sum() - done["months_worth"].sum() if len(phased) else 0.0
        closed = books.groupby(["return_month", "portfolio_id"])["closed"].max()
        finish = stated_column(self.history("projects"), candidates=FINISH)
        numbers = {
            "months closed": float(done["months_worth"].sum()), "months to come": float(worth),
            "their length": float(done["months_worth"].tail(3).sum()), "closed": closed.to_dict(), "finish": finish,
            "since": self.view.since or "", "last returns": self._last_returns(),
        }  # fmt: skip
        return replace(Given(self.between, self.settings, self.status_on), numbers=numbers)

    def _last_returns(self) -> dict[str, str]:
        rows = self.made.years.rows
        return {str(end): str(period) for end, period in rows.groupby("year_end")["period"].max().items()}

    # --- rows ---------------------------------------------------------------------------------------------------------

    def _rows(self, entries: pd.DataFrame) -> Rows:
        """Return the finance rows (or rows of programmes with a budget of their own) of entries of this report."""
        told = {(self.between.period, ref) for ref in entries["source_ref"].dropna()}
        return {name: self.rows_at(name, places=told) for name in NEEDS}

    def _entries(self, *parts: str) -> pd.DataFrame:
        known = self.year.entries
        return known[known["part"].isin(parts) & known["minor"].notna()]

    def _ledger(self, rows: pd.DataFrame) -> pd.DataFrame:
        places = zip(rows["return_month"], rows["source_ref"], strict=True)
        return self.rows_at("finance", places=set(places))

    def _before(self, *, both: bool) -> pd.DataFrame:
        """Return the ledger rows of the outlook in the report before, of our units, wherever they stood."""
        part = self._entries("movement" if both else "previous_outlook")
        part = part[part["source_ref"].isna()]
        rows = self.costs["before"].merge(part[UNIT].drop_duplicates(), on=UNIT)
        ours = rows["portfolio_id"].eq(self.between.portfolio_id)
        elsewhere = ~ours & rows["project_id"].ne("")
        known = pd.MultiIndex.from_frame(rows.loc[ours, UNIT])
        return rows[ours | (elsewhere & ~pd.MultiIndex.from_frame(rows[UNIT]).isin(known))]

    # --- figures ------------------------------------------------------------------------------------------------------

    def _sums(self) -> Iterator[NamedFigure]:
        for name, (definition, parts) in PARTS.items():
            terms = SWAPPED if name == "budget" else " + ".join(f"{{{WORDS[part]}}}" for part in parts)
            yield NamedFigure(
                name, f"{definition}; fiscal year {self.view.year.label}",
                terms if len(parts) > 1 else f"sum of {terms}",
                COST, USUAL, NEEDS, lambda name=name: self._rows(self._entries(name)),
                lambda rows, given, parts=parts, done=name == "ytd_plan": _summed(
                    rows, given=given, parts=parts, done=done),
            )  # fmt: skip

    def _compared(self) -> Iterator[NamedFigure]:
        yield NamedFigure(
            "variance", "Budget less outlook, over the units that have both", "{budget} − {outlook}", UNDER, USUAL,
            NEEDS,
            lambda: self._rows(self._entries("variance")), _variance,
        )  # fmt: skip
        yield NamedFigure(
            "projects_with_variance", "Projects with a budget and an outlook", "count of projects with both", COUNT,
            OWN_RULE, NEEDS, lambda: self._rows(self._entries("variance").loc[lambda rows: rows["project_id"].ne("")]),
            _with_variance,
        )  # fmt: skip
        since = month(self.view.since) if self.view.since else "no report before"
        yield NamedFigure(
            "previous_outlook", f"The outlook of this year as the report before had it ({since})",
            "{outlook before}", COST, USUAL, NEEDS, lambda: {"finance": self._ledger(self._before(both=False))}, _moved,
        )  # fmt: skip
        yield NamedFigure(
            "movement", f"Outlook now less outlook in the report before ({since}), over the units that have both",
            "{outlook now} − {outlook before}", "positive costs more than before", USUAL, NEEDS, self._both, _moved,
        )  # fmt: skip

    def _both(self) -> Rows:
        now = self._rows(self._entries("movement"))
        return {**now, "finance": pd.concat([now["finance"], self._ledger(self._before(both=True))])}

    def _rates(self) -> Iterator[NamedFigure]:
        for name, (definition, formula) in RATES.items():
            sign = UNDER if name == "headroom" else COST
            yield NamedFigure(
                name, definition, formula, sign, USUAL, NEEDS, lambda name=name: self._rate_rows(name),
                lambda rows, given, name=name: _rate(rows, given=given, name=name),
            )  # fmt: skip

    def _rate_rows(self, name: str) -> Rows:
        rows = self._entries(*RATE_PARTS[name])
        if name == "committed_beyond":
            ordered = pd.MultiIndex.from_frame(rows.loc[rows["part"].eq("commitments"), UNIT])
            rows = rows[pd.MultiIndex.from_frame(rows[UNIT]).isin(ordered)]
        return self._rows(rows)

    def _in_year(self) -> Iterator[NamedFigure]:
        texts = {
            "in_year_plan": ("Plan of the year", "{plan}", COST), "in_year_outlook": ("Outlook of the year",
                "{outlook}", COST),
            "in_year_variance": ("Outlook less plan", "{outlook} − {plan}", OVER),
            "in_year_variance_share": ("Outlook less plan, as a share of the plan", "({outlook} − {plan}) ÷ {plan}",
                OVER),
            "in_year_projects": ("Projects", "count of projects with both", COUNT),
        }  # fmt: skip
        for name, (definition, formula, sign) in texts.items():
            yield NamedFigure(
                name, f"{definition}, over the projects with both plan and outlook", formula, sign, GMPP, ("finance",),
                lambda name=name: self._paired(name),
                lambda rows, given, name=name: _in_year(rows, given=given, name=name),
            )  # fmt: skip

    def _paired(self, name: str) -> Rows:
        rows = self.made.years.this_year
        ids = rows.loc[rows["paired"].astype(bool), "project_id"]
        parts = {"in_year_plan": ("plan",), "in_year_outlook": ("outlook",)}.get(name, ("plan", "outlook"))
        entries = self._entries(*parts)
        return {"finance": self._rows(entries[entries["project_id"].isin(ids)])["finance"]}

    def _plans_and_outlooks(self, ids: pd.Series, *, ends: Sequence[str]) -> pd.DataFrame:
        """Return the finance rows of plan and outlook of projects in the last reports of some fiscal years."""
        book = self.books[self.books["asked"].eq("years")]
        rows = pd.concat([book[book["part"].eq("plan")], self.costs["years"]])
        return self._ledger(rows[rows["project_id"].isin(ids) & rows["year_end"].isin(ends)])

    def _years(self) -> Iterator[NamedFigure]:
        texts = {
            "projects_known_four_years": "Projects with plan and outlook in four fiscal years in a row, up to this one",
            "projects_under_four_years": "of these, projects below plan by more than the tolerance in all four",
        }  # fmt: skip
        for name, definition in texts.items():
            yield NamedFigure(
                name, definition, "count of projects", COUNT, GMPP, ("finance",),
                lambda name=name: {"finance": self._runs(name)},
                lambda rows, given, name=name: _runs(rows, given=given, under=name == "projects_under_four_years"),
            )  # fmt: skip

    def _runs(self, name: str) -> pd.DataFrame:
        rows, column = self.made.years.this_year, "years_under" if "under" in name else "years_known"
        long = rows[rows["years_known"].ge(RUN_OF_YEARS)]
        return self._plans_and_outlooks(
            long.loc[long[column].ge(RUN_OF_YEARS), "project_id"], ends=_four(self.view.year)
        )

    def _underspends(self) -> Iterator[NamedFigure]:
        limit = f"{self.settings.thresholds.underspend_flag:.0%}"
        texts = {
            "underspends": f"Projects that spend {limit} of the year's plan, or more, less than planned",
            "underspends_dated": "of these, projects with an end date now and in the report of the fiscal year before",
            "underspends_end_kept": "of these, projects whose end date did not move later",
        }
        for name, definition in texts.items():
            yield NamedFigure(
                name, definition, "count of projects", COUNT, GMPP, ("finance", "projects"),
                lambda name=name: self._under(name),
                lambda rows, given, name=name: _underspends(rows, given=given, name=name),
            )  # fmt: skip

    def _under(self, name: str) -> Rows:
        rows = self.made.years.under
        rows = rows[rows["period"].eq(self.view.period)]
        dated = rows[rows["moved_days"].notna()]
        ids = {"underspends": rows, "underspends_dated": dated}.get(name, dated[dated["kept"].eq(True)])["project_id"]
        finance = self._plans_and_outlooks(ids, ends=[self.view.year.end])
        finance = finance[finance["portfolio_id"].eq(self.between.portfolio_id)]
        if name == "underspends":
            return {"finance": finance}
        earlier = self.given.numbers["last returns"].get(self.view.year.before.end)
        projects = self.history("projects").drop_duplicates(["period", "project_id"])
        there = projects["project_id"].isin(ids) & projects["period"].isin([self.view.period, earlier])
        return {"finance": finance, "projects": projects[there]}


def _four(year: FiscalYear) -> list[str]:
    ends = [year]
    while len(ends) < RUN_OF_YEARS:
        ends.append(ends[-1].before)
    return [each.end for each in ends]


def amounts(rows: Rows, *, given: Given, own_years: bool = False) -> pd.DataFrame:
    """Return the amounts of finance rows by part: ``part, number, minor`` and whose they are.

    A second way to what :mod:`pmo_lib.metrics.ledger` does, from the cells of each row alone.

    Parameters
    ----------
    own_years
        Whether each return is asked for its own fiscal year, or all for that of this report.
    """
    settings, finance = given.settings, rows["finance"]
    start = settings.fiscal_year_start_month
    this = FiscalYear.of(given.between.period, start_month=start).end
    own = rows.get("programmes", pd.DataFrame())
    if len(own):
        budgets = own.rename(columns={"budget": "amount", "period": "return_month"}).assign(
            measure="budget", period=this, period_kind="year", project_id=None
        )
        finance = pd.concat([finance, budgets.reindex(columns=finance.columns)], ignore_index=True)
    finance = converted(finance, columns=["amount"], rates=settings.rates, currency=settings.currency)
    ends = [FiscalYear.of(m, start_month=start).end if own_years else this for m in finance["return_month"]]
    table = finance.assign(year_end=pd.Series(ends, index=finance.index, dtype="str"))
    number = numbers_of_year(table["period"], ends=table["year_end"])
    inside = number.between(1, MONTHS_OF_YEAR)
    kind = table["period_kind"]
    number = number.mask(kind.eq("period 13"), MONTHS_OF_YEAR).mask(kind.eq("year"), 0)
    places = zip(table["return_month"], table["portfolio_id"], strict=True)
    closed = pd.Series([given.numbers["closed"].get(place, 0) for place in places], index=table.index, dtype="int64")
    table = table.assign(number=number, closed=closed, part=_part(table["measure"], number=number, closed=closed))
    own_of = table["programme_id"].where(table["project_id"].isna()).fillna("")
    table = table.assign(own_of=own_of, project_id=table["project_id"].fillna(""), minor=minor_units(table["amount"]))
    return table[inside & table["part"].ne("") & table["minor"].notna()]


def _part(measure: pd.Series, *, number: pd.Series, closed: pd.Series) -> pd.Series:
    """Return the part that each amount is of, by its measure and whether its month is closed; ``""`` for none."""
    done, last, yearly = number.between(1, closed), number.ge(1) & number.eq(closed), number.eq(0)
    part = measure.map(SIMPLE).fillna("").astype("object")
    part = part.mask(measure.eq("actual") & done, "ytd_actual")
    part = part.mask(measure.eq("accrual") & last, "accruals").mask(measure.eq("commitment") & last, "commitments")
    part = part.mask(measure.eq("forecast") & number.gt(closed), "remaining_forecast")
    return part.mask(measure.isin(["forecast", "actual"]) & yearly, "year_forecast")


def _total(found: pd.DataFrame, *parts: str) -> float:
    return int(found.loc[found["part"].isin(parts), "minor"].sum()) / 100


def _terms(found: pd.DataFrame, *, parts: Sequence[str]) -> dict[str, Any]:
    return {WORDS[part]: _total(found, part) for part in parts}


def _summed(rows: Rows, *, given: Given, parts: tuple[str, ...], done: bool) -> Measured:
    found = amounts(rows, given=given)
    used = found[found["part"].isin(parts)]
    used = used[used["number"].between(1, used["closed"])] if done else used
    value = _total(used, *parts) if len(used) else None
    return Measured(value, len(used), _terms(used, parts=parts))


def _variance(rows: Rows, *, given: Given) -> Measured:
    found = amounts(rows, given=given)
    budget, outlook = _total(found, *LIMITS), _total(found, *COSTS)
    n = int(found["part"].isin([*LIMITS, *COSTS]).sum())
    return Measured(round(budget - outlook, 2) if n else None, n, {"budget": budget, "outlook": outlook})


def _sides(rows: Rows, *, given: Given, limits: tuple[str, ...]) -> pd.DataFrame:
    """Return the amounts of the projects that have both a limit and an outlook."""
    found = amounts(rows, given=given)
    both = [set(found.loc[found["part"].isin(side), "project_id"]) - {""} for side in (limits, COSTS)]
    return found[found["project_id"].isin(both[0] & both[1]) & found["part"].isin([*limits, *COSTS])]


def _with_variance(rows: Rows, *, given: Given) -> Measured:
    found = _sides(rows, given=given, limits=LIMITS)
    return Measured(float(found["project_id"].nunique()), len(found), {})


def _moved(rows: Rows, *, given: Given) -> Measured:
    found = amounts(rows, given=given)
    found = found[found["part"].isin(COSTS)]
    now = found["return_month"].eq(given.between.period)
    told = {"outlook now": _total(found[now], *COSTS), "outlook before": _total(found[~now], *COSTS)}
    value = told["outlook now"] - told["outlook before"] if now.any() else told["outlook before"]
    return Measured(round(value, 2) if len(found) else None, len(found), told)


def _rate(rows: Rows, *, given: Given, name: str) -> Measured:
    found, known = amounts(rows, given=given), given.numbers
    if name == "committed_beyond":
        return _beyond(found)
    closed = found["closed"]
    limits = LIMITS if "budget" in RATE_PARTS[name] else ()
    orders = ("commitments",) if "commitments" in RATE_PARTS[name] else ()
    used = found[found["part"].isin([*SPENT, *limits, *orders])]
    recent = used[used["part"].isin(SPENT) & used["number"].between(closed - 2, closed)]
    totals = {
        "spent": sum(_total(used, part) for part in SPENT), "budget": _total(used, *LIMITS),
        "commitments": _total(used, "commitments"), "recent": _total(recent, *SPENT),
    }  # fmt: skip
    terms = {**_terms(used, parts=SPENT), "budget": totals["budget"], "commitments": totals["commitments"],
             "cost of the last three": totals["recent"], **{n: v for n, v in known.items() if isinstance(v,
                 float)}}  # fmt: skip
    return Measured(float(np.round(FORMULAS[name](totals, known), 2)), len(used), terms)


def _beyond(found: pd.DataFrame) -> Measured:
    used = found[found["part"].isin(["commitments", "remaining_forecast"])]
    wide = used.pivot_table(index=UNIT, columns="part", values="minor", aggfunc="sum")
    wide = wide.reindex(columns=["commitments", "remaining_forecast"]).astype("Float64").fillna(0)
    beyond = (wide["commitments"] - wide["remaining_forecast"]).clip(lower=0).sum()
    return Measured(float(beyond) / 100, len(used), {})


def _in_year(rows: Rows, *, given: Given, name: str) -> Measured:
    single = name in ("in_year_plan", "in_year_outlook")
    found = amounts(rows, given=given) if single else _sides(rows, given=given, limits=("plan",))
    found = found[found["part"].isin(["plan", *COSTS])]
    plan, outlook = _total(found, "plan"), _total(found, *COSTS)
    value = {
        "in_year_plan": plan if len(found) else None,
        "in_year_outlook": outlook if len(found) else None,
        "in_year_variance": round(outlook - plan, 2),
        "in_year_variance_share": round((outlook - plan) / plan, 6) if plan > 0 else None,
        "in_year_projects": float(found["project_id"].nunique()),
    }[name]
    return Measured(value, len(found), {"plan": plan, "outlook": outlook})


def _shares(rows: Rows, *, given: Given) -> tuple[pd.DataFrame, int]:
    """Return (outlook − plan) ÷ plan by project and fiscal year, and the number of amounts in it."""
    found = amounts(rows, given=given, own_years=True)
    found = found[found["part"].isin(["plan", *COSTS])]
    side = found["part"].eq("plan").map({True: "plan", False: "outlook"})
    wide = found.assign(side=side).pivot_table(
        index=["project_id", "year_end"], columns="side", values="minor", aggfunc="sum"
    )
    wide = wide.reindex(columns=["plan", "outlook"]).astype("Float64").astype("float64")
    share = (wide["outlook"] - wide["plan"]) / wide["plan"].where(wide["plan"] > 0)
    return share.unstack(), len(found)


def _runs(rows: Rows, *, given: Given, under: bool) -> Measured:
    if rows["finance"].empty:
        return Measured(0.0, 0, {})
    shares, n = _shares(rows, given=given)
    year = FiscalYear.of(given.between.period, start_month=given.settings.fiscal_year_start_month)
    shares = shares.reindex(columns=_four(year))
    limit = -given.settings.thresholds.in_year_tolerance - ROUNDING
    passed = shares.lt(limit).all(axis="columns") if under else shares.notna().all(axis="columns")
    return Measured(float(passed.sum()), n, {})


def _underspends(rows: Rows, *, given: Given, name: str) -> Measured:
    if rows["finance"].empty:
        return Measured(0.0, 0, {})
    shares, n = _shares(rows, given=given)
    low = shares.le(-given.settings.thresholds.underspend_flag + ROUNDING).any(axis="columns")
    ids = set(low[low].index)
    if name != "underspends":
        dates = rows["projects"].pivot_table(
            index="project_id", columns="period", values=given.numbers["finish"], aggfunc="first"
        )
        dates = dates.dropna() if dates.shape[1] == 2 else dates.iloc[:0]
        kept = dates.iloc[:, -1] <= dates.iloc[:, 0] if name == "underspends_end_kept" else dates.notna().all(axis=1)
        ids &= set(kept[kept].index)
        n += len(rows["projects"])
    return Measured(float(len(ids)), n, {})
