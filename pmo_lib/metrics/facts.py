"""What the reports published of each project, side by side: the rows that every total of the roll-up is the sum of.

Money is added as whole minor units and written as float again, so that a sum is the same however its rows are grouped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pandas as pd

from pmo_lib.contracts.tables import RATINGS
from pmo_lib.errors import ReportError
from pmo_lib.metrics.bridge import BRIDGE_COLUMNS, FIRST
from pmo_lib.metrics.money import NOT_STATED, major_units, minor_units
from pmo_lib.metrics.movement import LEFT, MOVED_OUT, NOT_RETURNED, RETURNED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HEALTH, FINANCE, RISK = "health_check", "financial_outlook", "risk_register"
KEY = ["portfolio_id", "project_id"]
RATED = "rated:"
OWN, OWN_BUDGET = "own", "own:"
WHOLE_PORTFOLIO, ITS_BUDGET = "(whole portfolio)", "(own budget)"
NO_REPORT = "no report now"
PLACES = ["portfolio_id", "project_id", "name", "programme_id", "client_id", "standing", "cost_cause", "currency"]


COST_COLUMNS = ["portfolio_id", "period", *BRIDGE_COLUMNS]


@dataclass(frozen=True)
class Measure:
    """A quantity that is summed up the tree, and the report that publishes it."""

    name: str
    report: str
    kind: Literal["count", "money"]


MEASURES: tuple[Measure, ...] = (
    Measure("projects", HEALTH, "count"),
    Measure("cost_before", FINANCE, "money"),
    Measure("cost_now", FINANCE, "money"),
    Measure("cost_movement", FINANCE, "money"),
    Measure("cost_last_known", FINANCE, "money"),
    Measure("costs_known", FINANCE, "count"),
    Measure("plan", FINANCE, "money"),
    Measure("outlook", FINANCE, "money"),
    Measure("variance", FINANCE, "money"),
    Measure("in_year_known", FINANCE, "count"),
    Measure("own_budget", FINANCE, "money"),
    Measure("risks_open", RISK, "count"),
    Measure("risks_unquantified", RISK, "count"),
    Measure("threats", RISK, "money"),
    Measure("opportunities", RISK, "money"),
    Measure("exposure", RISK, "money"),
)
MEASURE_NAMES = [measure.name for measure in MEASURES]
MONEY = [measure.name for measure in MEASURES if measure.kind == "money"]


def exact_sum(amounts: pd.Series) -> float:
    """Return the sum of amounts, added as whole minor units; nulls count nothing."""
    return int(minor_units(amounts).fillna(0).sum()) / 100


def one_currency(*tables: pd.DataFrame) -> str:
    """Return the only currency of published tables; ``""`` where they hold no money.

    Raises
    ------
    ReportError
        More than one: a total over mixed currencies is no total.
    """
    texts = [rows["currency"].dropna() for rows in tables if "currency" in rows.columns and len(rows)]
    found = sorted({str(text) for column in texts for text in column if text})
    if len(found) > 1:
        raise ReportError(
            f"the portfolios report in {', '.join(found)}: no total over several currencies is made",
            fix="return all money in one currency, converted at a stated rate",
            stage="notebook",
        )
    return found[0] if found else ""


def in_form(rows: pd.DataFrame, *, columns: Sequence[str]) -> pd.DataFrame:
    """Return a published table with at least these columns, null where no report published any row."""
    missing = {name: None for name in columns if name not in rows.columns}
    return rows.assign(**missing) if missing else rows


def project_facts(
    projects: pd.DataFrame,
    *,
    costs: pd.DataFrame,
    in_year: pd.DataFrame,
    ratings: pd.DataFrame,
    exposure: pd.DataFrame,
) -> pd.DataFrame:
    """Put what the reports published of each project side by side: the rows that every total is the sum of.

    Parameters
    ----------
    projects, costs, in_year, ratings, exposure
        The published tables ``projects``, ``whole_life_cost``, ``in_year`` (see :func:`with_own_budgets`), ``ratings``
        and ``exposure`` of one period.

    Returns
    -------
    DataFrame
        One row per portfolio and project, sorted; a project that left or moved out has a row for its earlier cost,
        a portfolio with risks of its own has a row whose ``project_id`` is ``""``, and money that a programme or the
        portfolio spends itself one whose id begins with ``own:``::

            portfolio_id project_id name programme_id client_id   str
            standing     here | left | moved out | own
            cost_cause   why the whole-life cost moved, or is not there
            currency     str
            projects cost_before … exposure                         see MEASURES; null where nothing was published
            rated:<rater>:<rating>                                  number of ratings (0 or 1)

        In-year money counts only where plan and outlook are both there, so that variance = outlook − plan.
    """
    one_currency(costs, in_year, exposure)
    _one_price_base(costs)
    parts = (_project_rows(projects), _cost_rows(costs), _in_year_rows(in_year), _exposure_rows(exposure))
    facts = pd.concat(parts, axis="columns").sort_index().join(_rating_rows(ratings), how="left")
    facts = facts.reset_index()
    facts["name"] = _first_known(facts, names=("name", "name_in_costs", "name_in_year")).fillna(facts["project_id"])
    facts["name"] = facts["name"].mask(facts["project_id"].eq(""), WHOLE_PORTFOLIO)
    facts["programme_id"] = _first_known(facts, names=("programme_id", "programme_of_money"))
    facts["currency"] = _first_known(facts, names=("currency_of_costs", "currency_of_year", "currency_of_risks"))
    facts["standing"] = _standing(facts)
    rated = sorted((c for c in facts.columns if c.startswith(RATED)), key=_rated_order)
    return facts[[*PLACES, *MEASURE_NAMES, *rated]]


def unit_names(portfolios: pd.DataFrame) -> pd.Series:
    """Return the last known name of each portfolio: a Series by id, from a history of the table ``portfolios``."""
    last = portfolios.sort_values("period", kind="stable").drop_duplicates("portfolio_id", keep="last")
    return last.set_index("portfolio_id")["name"]


def with_ended(costs_history: pd.DataFrame, *, batch: pd.DataFrame, period: str, since: str | None) -> pd.DataFrame:
    """Return the whole-life costs of a period, with what was held by portfolios that are no longer there.

    A portfolio that was renamed, merged, split or closed makes no report that could say what it lost; without its rows
    the earlier total would be too small.

    Parameters
    ----------
    costs_history
        The published table ``whole_life_cost`` of all periods.
    batch
        ``portfolio_id`` of every report that the period owes: a portfolio that owes one has not ended, it is missing.
    period, since
        The two periods; without an earlier one nothing has ended.

    Returns
    -------
    DataFrame
        The rows of ``period``, then one for each project of an ended portfolio: moved out if another portfolio has it
        now, else left.
    """
    rows = in_form(costs_history, columns=COST_COLUMNS)
    now, before = rows[rows["period"].eq(period)], rows[rows["period"].eq(since or "")]
    gone = _gone(before[~before["portfolio_id"].isin(batch["portfolio_id"])], now=now, cause=LEFT)
    gone = gone.assign(period=period)
    return pd.concat([part.astype(object) for part in (now, gone)], ignore_index=True) if len(gone) else now


def without_report(costs_history: pd.DataFrame, *, batch: pd.DataFrame, period: str, since: str | None) -> pd.DataFrame:
    """Return what was last published of portfolios that owe a financial report of the period and have none.

    They are in no total of the period, neither before nor now; only the bridge from the last published total needs
    them: what nobody reports has not fallen.

    Returns
    -------
    DataFrame
        As :func:`with_ended`, the cause being :data:`NO_REPORT`, or moved out if another portfolio has the project now.
    """
    rows = in_form(costs_history, columns=COST_COLUMNS)
    silent = batch[batch["report"].eq(FINANCE) & batch["status"].ne("published")]["portfolio_id"]
    before = rows[rows["period"].eq(since or "") & rows["portfolio_id"].isin(silent)]
    return _gone(before, now=rows[rows["period"].eq(period)], cause=NO_REPORT).assign(period=period)


def with_own_budgets(in_year: pd.DataFrame, *, levels: pd.DataFrame) -> pd.DataFrame:
    """Return the year of the projects, with the budgets that programmes and portfolios have of their own.

    Parameters
    ----------
    in_year, levels
        The published tables of these names, of one period.

    Returns
    -------
    DataFrame
        ``in_year`` and one row for each own budget, with ``project_id`` ``own:<programme>``, ``programme_id`` and
        ``own_budget``. A programme that several portfolios return has one own budget: the first of them holds it.
    """
    rows = in_form(levels, columns=["portfolio_id", "level", "programme_id", "budget", "currency"])
    own = rows[rows["level"].eq(OWN) & rows["budget"].notna()]
    programme = own["programme_id"].fillna("").astype("str")
    again = programme.ne("") & programme.duplicated()
    own = own.assign(
        programme_id=programme.where(programme.ne(""), None),
        project_id=OWN_BUDGET + programme,
        name=ITS_BUDGET,
        own_budget=own["budget"].astype("float64"),
    )[~again]
    columns = ["portfolio_id", "project_id", "programme_id", "name", "own_budget", "currency"]
    parts = [part for part in (in_year, own[columns]) if len(part)]
    return pd.concat([part.astype(object) for part in parts], ignore_index=True) if parts else in_year


def programme_names(levels: pd.DataFrame) -> pd.Series:
    """Return the name of each programme: a Series by id, from the published table ``levels``."""
    rows = in_form(levels, columns=["level", "programme_id", "name"])
    named = rows[rows["level"].eq("programme") & rows["name"].notna()].drop_duplicates("programme_id")
    return named.set_index("programme_id")["name"]


def rating_column(role: str, *, rating: str) -> str:
    """Return the name of the column that counts a rater's ratings of one colour."""
    return f"{RATED}{role}:{rating}"


def raters(facts: pd.DataFrame) -> tuple[str, ...]:
    """Return the raters that facts or a roll-up of them count, in order."""
    names = [str(name) for name in facts.columns if str(name).startswith(RATED)]
    return tuple(dict.fromkeys(name.removeprefix(RATED).rpartition(":")[0] for name in names))


def _gone(before: pd.DataFrame, *, now: pd.DataFrame, cause: str) -> pd.DataFrame:
    """Return what stood in portfolios that say nothing now, in the form of a bridge: given away, or gone by cause."""
    stood = before[~before["cause"].isin([LEFT, MOVED_OUT])]
    held = now[~now["cause"].isin([LEFT, MOVED_OUT])].drop_duplicates("project_id").set_index("project_id")
    other = stood["project_id"].map(held["portfolio_id"])
    value = stood["now"].astype("float64")
    amount = -value.fillna(0.0)
    return stood.assign(
        before=value,
        now=None,
        cause=pd.Series(cause, index=stood.index, dtype="object").mask(other.notna(), MOVED_OUT),
        amount=amount,
        moved_amount=amount.where(other.notna(), 0.0),
        since_cause=pd.Series(cause, index=stood.index, dtype="object").mask(other.notna(), ""),
        since_amount=amount.where(other.isna(), 0.0),
        other_portfolio_id=other,
        reason="",
    )


def _first_known(rows: pd.DataFrame, *, names: Sequence[str]) -> pd.Series:
    known = rows[names[0]].astype(object)
    for name in names[1:]:
        known = known.where(known.notna(), rows[name])
    return known


def _indexed(rows: pd.DataFrame, *, columns: Mapping[str, pd.Series | int]) -> pd.DataFrame:
    keys = rows[KEY].astype(object).fillna({"project_id": ""})
    return keys.assign(**columns).set_index(KEY)


def _project_rows(projects: pd.DataFrame) -> pd.DataFrame:
    rows = in_form(projects, columns=[*KEY, "name", "programme_id", "client_id"])
    names = ("name", "programme_id", "client_id")
    indexed = _indexed(rows, columns={"projects": 1, **{name: rows[name] for name in names}})
    _once(indexed, table="projects")
    return indexed


def _cost_rows(costs: pd.DataFrame) -> pd.DataFrame:
    rows = in_form(costs, columns=[*KEY, "name", "before", "now", "amount", "cause", "currency", "last_known"])
    columns = {
        "name_in_costs": rows["name"],
        "currency_of_costs": rows["currency"],
        "cost_cause": rows["cause"],
        "cost_before": rows["before"].astype("float64"),
        "cost_now": rows["now"].astype("float64"),
        "cost_movement": rows["amount"].astype("float64").where(~rows["cause"].isin([FIRST, NOT_RETURNED, RETURNED])),
        "cost_last_known": rows["last_known"].astype("float64"),
        "costs_known": rows["now"].notna().astype("int64"),
    }
    indexed = _indexed(rows, columns=columns)
    _once(indexed, table="whole_life_cost")
    return indexed


def _in_year_rows(in_year: pd.DataFrame) -> pd.DataFrame:
    columns = [*KEY, "name", "plan", "outlook", "variance", "own_budget", "programme_id", "currency"]
    rows = in_form(in_year, columns=columns)
    both = rows["plan"].notna() & rows["outlook"].notna()
    money = {name: rows[name].astype("float64").where(both) for name in ("plan", "outlook", "variance")}
    known = both.astype("Int64").mask(rows["own_budget"].notna())
    texts = {"name_in_year": "name", "currency_of_year": "currency", "programme_of_money": "programme_id"}
    given = {name: rows[column] for name, column in texts.items()}
    own = rows["own_budget"].astype("float64")
    indexed = _indexed(rows, columns={**given, **money, "in_year_known": known, "own_budget": own})
    _once(indexed, table="in_year")
    return indexed


def _exposure_rows(exposure: pd.DataFrame) -> pd.DataFrame:
    """Return one row per project: a project may have threats and opportunities."""
    rows = in_form(exposure, columns=[*KEY, "kind", "risks_open", "risks_unquantified", "expected_money", "currency"])
    minor = minor_units(rows["expected_money"])
    columns = {
        "risks_open": rows["risks_open"].astype("Int64"),
        "risks_unquantified": rows["risks_unquantified"].astype("Int64"),
        "threats": minor.where(rows["kind"].eq("threat")),
        "opportunities": minor.where(rows["kind"].eq("opportunity")),
        "exposure": minor,
    }
    indexed = _indexed(rows, columns=columns)
    sums = indexed.groupby(level=KEY).sum(min_count=1)
    money = ["threats", "opportunities", "exposure"]
    sums[money] = sums[money].apply(major_units)
    currencies = _indexed(rows, columns={"currency": rows["currency"]}).groupby(level=KEY)["currency"].first()
    return sums.assign(currency_of_risks=currencies)


def _rating_rows(ratings: pd.DataFrame) -> pd.DataFrame:
    rows = in_form(ratings, columns=[*KEY, "assessor_role", "rating"])
    rated = rows[rows["rating"].notna()]
    columns = [
        rating_column(str(role), rating=str(rating))
        for role, rating in zip(rated["assessor_role"], rated["rating"], strict=True)
    ]
    return _indexed(rated, columns={"column": pd.Series(columns, index=rated.index, dtype="object")}).pipe(_counts)


def _counts(indexed: pd.DataFrame) -> pd.DataFrame:
    return indexed.assign(n=1).set_index("column", append=True)["n"].groupby(level=[*KEY, "column"]).sum().unstack()


def _rated_order(column: str) -> tuple[str, int]:
    role, _, rating = column.removeprefix(RATED).rpartition(":")
    return role, RATINGS.index(rating) if rating in RATINGS else len(RATINGS)


def _one_price_base(costs: pd.DataFrame) -> None:
    rows = in_form(costs, columns=["before", "now", "price_base"])
    valued = rows[rows["before"].notna() | rows["now"].notna()]
    bases = sorted({NOT_STATED if pd.isna(base) or base == "" else str(base) for base in valued["price_base"]})
    if len(bases) > 1:
        raise ReportError(
            f"the portfolios report whole-life cost in the price bases {', '.join(bases)}: no total over them is made",
            fix="return all costs in one price base",
            stage="notebook",
        )


def _once(indexed: pd.DataFrame, *, table: str) -> None:
    twice = sorted({f"{place[0]} {place[1]}" for place in indexed.index[indexed.index.duplicated()]})
    if twice:
        raise ReportError(
            f"the published table {table} has these projects twice: {', '.join(twice[:5])}",
            fix="publish one row for each project",
            stage="notebook",
        )


def _standing(facts: pd.DataFrame) -> pd.Series:
    gone = facts["cost_cause"].where(facts["cost_cause"].isin([LEFT, MOVED_OUT]))
    standing = gone.astype(object).where(facts["projects"].isna(), "here")
    own = facts["project_id"].eq("") | facts["project_id"].astype("str").str.startswith(OWN_BUDGET)
    return standing.mask(own, OWN).fillna("here")
