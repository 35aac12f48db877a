"""The tree of an organisation, and sums of what its portfolios published at every level of it.

Money is added as whole pence (integer minor units) and written as float again, so that a sum is the same however its rows
are grouped: adding floats is not associative, adding integers is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pandas as pd

from pmo_lib.contracts.tables import RATINGS
from pmo_lib.errors import ReportError
from pmo_lib.metrics.movement import LEFT, MOVED_OUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HEALTH, FINANCE, RISK = "health_check", "financial_outlook", "risk_register"
KEY = ["portfolio_id", "project_id"]
WHOLE_PORTFOLIO = "(whole portfolio)"
RATED = "rated:"
WITHOUT = "without:"
ENTERPRISE, PROGRAMME, PROJECT, OWN = "enterprise", "programme", "project", "own"
PLACES = ["portfolio_id", "project_id", "name", "programme_id", "client_id", "standing", "cost_cause", "currency"]


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
    Measure("costs_known", FINANCE, "count"),
    Measure("plan", FINANCE, "money"),
    Measure("outlook", FINANCE, "money"),
    Measure("variance", FINANCE, "money"),
    Measure("in_year_known", FINANCE, "count"),
    Measure("risks_open", RISK, "count"),
    Measure("risks_unquantified", RISK, "count"),
    Measure("threats", RISK, "money"),
    Measure("opportunities", RISK, "money"),
    Measure("exposure", RISK, "money"),
)
MEASURE_NAMES = [measure.name for measure in MEASURES]
MONEY = [measure.name for measure in MEASURES if measure.kind == "money"]


def minor_units(amounts: pd.Series) -> pd.Series:
    """Return amounts as whole minor units (pence, cents): ``Int64``, null stays null."""
    return (amounts.astype("float64") * 100).round().astype("Int64")


def major_units(amounts: pd.Series) -> pd.Series:
    """Return whole minor units as ``float64`` amounts again."""
    return amounts.astype("float64") / 100


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
        The published tables ``projects``, ``whole_life_cost``, ``in_year``, ``ratings`` and ``exposure`` of one period.

    Returns
    -------
    DataFrame
        One row per portfolio and project, sorted; a project that left or moved out has a row for its earlier cost, and a
        portfolio with risks of its own has a row whose ``project_id`` is ``""``::

            portfolio_id project_id name programme_id client_id   str
            standing     here | left | moved out | own
            cost_cause   why the whole-life cost moved, or is not there
            currency     str
            projects cost_before … exposure                         see MEASURES; null where nothing was published
            rated:<rater>:<rating>                                  number of ratings (0 or 1)

        In-year money counts only where plan and outlook are both there, so that variance = outlook − plan.
    """
    one_currency(costs, in_year, exposure)
    parts = (_project_rows(projects), _cost_rows(costs), _in_year_rows(in_year), _exposure_rows(exposure))
    facts = pd.concat(parts, axis="columns").sort_index().join(_rating_rows(ratings), how="left")
    facts = facts.reset_index()
    facts["name"] = _first_known(facts, names=("name", "name_in_costs", "name_in_year")).fillna(facts["project_id"])
    facts["currency"] = _first_known(facts, names=("currency_of_costs", "currency_of_year", "currency_of_risks"))
    facts["standing"] = _standing(facts)
    rated = sorted((c for c in facts.columns if c.startswith(RATED)), key=_rated_order)
    return facts[[*PLACES, *MEASURE_NAMES, *rated]]


def rating_column(role: str, *, rating: str) -> str:
    """Return the name of the column that counts a rater's ratings of one colour."""
    return f"{RATED}{role}:{rating}"


def raters(facts: pd.DataFrame) -> tuple[str, ...]:
    """Return the raters that facts or a roll-up of them count, in order."""
    names = [str(name) for name in facts.columns if str(name).startswith(RATED)]
    return tuple(dict.fromkeys(name.removeprefix(RATED).rpartition(":")[0] for name in names))


def units(portfolios: pd.DataFrame, *, root: tuple[str, str], known: Sequence[str]) -> pd.DataFrame:
    """Return the units of the organisation with one enterprise at the top.

    Parameters
    ----------
    portfolios
        The contract table ``portfolios``.
    root
        Id and name of the enterprise, used where the table has no unit of that level without a parent.
    known
        Ids of portfolios that must have a place even if the table lacks them, such as those that returned nothing.

    Returns
    -------
    DataFrame
        ``unit_id, parent_id, name, level, hierarchy``; the enterprise has a null parent, every other unit has one that is
        there.

    Raises
    ------
    ReportError
        The parents run in a circle.
    """
    rows = portfolios.drop_duplicates("portfolio_id").set_index("portfolio_id")
    top = _top(rows, root=root)
    ids = sorted({*rows.index, *known, *rows["parent_id"].dropna(), top[0]})
    found = rows.reindex(ids)
    table = pd.DataFrame(
        {
            "unit_id": ids,
            "parent_id": found["parent_id"].to_numpy(),
            "name": found["name"].fillna(pd.Series(ids, index=ids)).to_numpy(),
            "level": found["level"].to_numpy(),
            "hierarchy": found["hierarchy"].fillna("delivery").to_numpy(),
        }
    )
    is_top = table["unit_id"].eq(top[0])
    table["parent_id"] = table["parent_id"].astype(object).where(table["parent_id"].notna(), top[0]).mask(is_top, None)
    table["name"] = table["name"].mask(is_top, top[1])
    table["level"] = table["level"].mask(is_top, ENTERPRISE).fillna(_guessed_levels(table, known=known))
    _paths(table)
    return table


def rollup(facts: pd.DataFrame, *, units: pd.DataFrame, batch: pd.DataFrame) -> pd.DataFrame:
    """Sum the published project rows at every level: enterprise, function, portfolio, programme, project.

    Parameters
    ----------
    facts
        Result of :func:`project_facts`.
    units
        Result of :func:`units`.
    batch
        ``portfolio_id, report, status`` of every report that is owed.

    Returns
    -------
    DataFrame
        In reading order (a node, then what is below it; the largest whole-life cost first)::

            node_id parent_id           str, unique
            depth                       int, 0 at the top
            level                       enterprise | function | portfolio | sub_portfolio | programme | project | own
            unit_id name standing       str
            <measures> rated:…          sums of the facts below; null where none of them has a value
            currency                    str
            complete                    bool
            without:<report>            portfolios at or below the node whose report is not published, joined by ", "

        Each node is the sum of its children in whole minor units.
    """
    nodes = _nodes(facts, units=units)
    sums = _sums(facts, units=units)
    marks = _marks(units, batch=batch)
    whole = nodes.join(sums, on="node_id").join(marks, on="unit_id")
    own = [column for column in whole.columns if column.startswith(WITHOUT)]
    whole[own] = whole[own].where(whole["level"].isin(set(units["level"])), "").fillna("")
    whole["complete"] = whole[own].eq("").all(axis="columns")
    whole["currency"] = one_currency(facts)
    return _in_reading_order(whole)


def clients(facts: pd.DataFrame, *, units: pd.DataFrame) -> pd.DataFrame:
    """Sum the same rows by whom the projects serve, beside who delivers them.

    Returns
    -------
    DataFrame
        One row per unit: ``unit_id, name, delivers, serves, cost_delivered, cost_served, costs_known_served,
        currency``; a project without a client serves the portfolio that delivers it. Both columns have the same total.
        Empty where no project names a client.
    """
    ours = facts[facts["standing"].eq("here")]
    client = ours["client_id"].fillna(ours["portfolio_id"]).astype("str")
    table = pd.DataFrame(
        {
            **_counted_by(ours, by=ours["portfolio_id"], names=("delivers", "cost_delivered")),
            **_counted_by(ours, by=client, names=("serves", "cost_served")),
        }
    )
    table[["delivers", "serves"]] = table[["delivers", "serves"]].fillna(0).astype("int64")
    table = table.rename_axis("unit_id").sort_index().reset_index().assign(currency=one_currency(facts))
    names = units.set_index("unit_id")["name"].reindex(table["unit_id"])
    table.insert(1, "name", names.fillna(pd.Series(table["unit_id"].to_numpy(), index=names.index)).to_numpy())
    named = ours["client_id"].notna().any()
    ordered = table.sort_values(["serves", "delivers"], ascending=False, kind="stable").reset_index(drop=True)
    return ordered if named else ordered.iloc[:0]


def _counted_by(facts: pd.DataFrame, *, by: pd.Series, names: tuple[str, str]) -> dict[str, pd.Series]:
    grouped = facts.assign(minor=minor_units(facts["cost_now"])).groupby(by)
    return {names[0]: grouped.size(), names[1]: major_units(grouped["minor"].sum(min_count=1))}


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
    rows = in_form(costs, columns=[*KEY, "name", "before", "now", "amount", "cause", "currency"])
    columns = {
        "name_in_costs": rows["name"],
        "currency_of_costs": rows["currency"],
        "cost_cause": rows["cause"],
        "cost_before": rows["before"].astype("float64"),
        "cost_now": rows["now"].astype("float64"),
        "cost_movement": rows["amount"].astype("float64"),
        "costs_known": rows["now"].notna().astype("int64"),
    }
    indexed = _indexed(rows, columns=columns)
    _once(indexed, table="whole_life_cost")
    return indexed


def _in_year_rows(in_year: pd.DataFrame) -> pd.DataFrame:
    rows = in_form(in_year, columns=[*KEY, "name", "plan", "outlook", "variance", "currency"])
    both = rows["plan"].notna() & rows["outlook"].notna()
    money = {name: rows[name].astype("float64").where(both) for name in ("plan", "outlook", "variance")}
    texts = {"name_in_year": rows["name"], "currency_of_year": rows["currency"]}
    indexed = _indexed(rows, columns={**texts, **money, "in_year_known": both.astype("int64")})
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
    return standing.mask(facts["project_id"].eq(""), OWN).fillna("here")


def _top(rows: pd.DataFrame, *, root: tuple[str, str]) -> tuple[str, str]:
    tops = rows[rows["parent_id"].isna() & rows["level"].eq(ENTERPRISE)]
    if len(tops) == 1:
        return str(tops.index[0]), str(tops["name"].iloc[0])
    return root


def _guessed_levels(table: pd.DataFrame, *, known: Sequence[str]) -> pd.Series:
    """Where no level is given: what holds projects is a portfolio, what stands above it a function."""
    is_above = table["unit_id"].isin(table["parent_id"].dropna()) & ~table["unit_id"].isin(known)
    return pd.Series("portfolio", index=table.index, dtype=object).mask(is_above, "function")


def _paths(units: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return the way from the top to each unit, both included."""
    parents = dict(zip(units["unit_id"], units["parent_id"], strict=True))
    return {unit: tuple(reversed(tuple(_upwards(unit, parents=parents)))) for unit in parents}


def _upwards(unit: str, *, parents: Mapping[str, str | None]) -> Iterator[str]:
    seen: list[str] = []
    here: str | None = unit
    while here is not None and not pd.isna(here):
        if here in seen:
            raise ReportError(
                f"the hierarchy runs in a circle: {' → '.join([*seen, here])}",
                fix="correct parent_id in the table portfolios",
                stage="notebook",
            )
        seen.append(here)
        yield here
        here = parents.get(here)


def _node_ids(facts: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the node of each fact, and that of its programme (null where it has none)."""
    leaf = facts["portfolio_id"].astype("str") + "/project/" + facts["project_id"].astype("str")
    leaf = leaf.mask(facts["project_id"].eq(""), facts["portfolio_id"].astype("str") + "/own")
    programme = facts["programme_id"].astype(object)
    named = facts["portfolio_id"].astype("str") + "/programme/" + programme.astype("str")
    return leaf, named.astype(object).where(programme.notna() & programme.ne(""), None)


def _nodes(facts: pd.DataFrame, *, units: pd.DataFrame) -> pd.DataFrame:
    leaf, programme = _node_ids(facts)
    portfolio = facts["portfolio_id"].astype(object)
    leaves = pd.DataFrame(
        {
            "node_id": leaf,
            "parent_id": programme.where(programme.notna(), portfolio),
            "level": facts["standing"].where(facts["standing"].eq(OWN), PROJECT),
            "unit_id": facts["project_id"],
            "name": facts["name"].mask(facts["standing"].eq(OWN), WHOLE_PORTFOLIO),
            "standing": facts["standing"],
        }
    )
    held = programme.notna()
    programmes = pd.DataFrame(
        {
            "node_id": programme[held],
            "parent_id": portfolio[held],
            "level": PROGRAMME,
            "unit_id": facts.loc[held, "programme_id"],
            "name": facts.loc[held, "programme_id"],
            "standing": "here",
        }
    ).drop_duplicates("node_id")
    above = units[["unit_id", "parent_id", "level", "name"]].assign(node_id=units["unit_id"], standing="here")
    return pd.concat([above, programmes, leaves], ignore_index=True)[list(leaves.columns)]


def _sums(facts: pd.DataFrame, *, units: pd.DataFrame) -> pd.DataFrame:
    """Return every measure by node: each fact counts once at each level above it."""
    paths = _paths(units)
    leaf, programme = _node_ids(facts)
    places = [
        [*paths[portfolio], *([middle] if middle else []), bottom]
        for portfolio, middle, bottom in zip(facts["portfolio_id"], programme, leaf, strict=True)
    ]
    counted = [column for column in facts.columns if column in MEASURE_NAMES or column.startswith(RATED)]
    whole = {
        column: minor_units(facts[column]) if column in MONEY else facts[column].astype("Int64") for column in counted
    }
    rows = pd.DataFrame(whole).assign(node_id=places).explode("node_id")
    sums = rows.groupby("node_id")[counted].sum(min_count=1)
    return sums.assign(**{column: major_units(sums[column]) for column in counted if column in MONEY})


def _marks(units: pd.DataFrame, *, batch: pd.DataFrame) -> pd.DataFrame:
    """Return, by unit and report, the portfolios at or below it that have not published."""
    lacking = batch[batch["status"].ne("published")]
    reports = list(dict.fromkeys(batch["report"]))
    paths = _paths(units)
    marks: dict[tuple[str, str], list[str]] = {}
    for portfolio, report in zip(lacking["portfolio_id"], lacking["report"], strict=True):
        for unit in paths.get(portfolio, ()):
            marks.setdefault((unit, report), []).append(portfolio)
    columns = {
        f"{WITHOUT}{report}": [", ".join(marks.get((unit, report), ())) for unit in units["unit_id"]]
        for report in reports
    }
    return pd.DataFrame(columns, index=pd.Index(units["unit_id"], name="unit_id"))


def _in_reading_order(nodes: pd.DataFrame) -> pd.DataFrame:
    """Sort each node's children by whole-life cost, then name, and give each node its depth."""
    size = nodes["cost_now"].fillna(0.0).abs() + nodes["cost_before"].fillna(0.0).abs() * 1e-9
    ranked = nodes.assign(_size=-size).sort_values(["_size", "name", "node_id"], kind="stable")
    children: dict[str, list[int]] = {}
    tops: list[int] = []
    for place, parent in zip(ranked.index, ranked["parent_id"], strict=True):
        (tops if pd.isna(parent) else children.setdefault(parent, [])).append(place)
    order = list(_preorder(tops, below=lambda place: children.get(str(nodes.at[place, "node_id"]), [])))
    ordered = nodes.loc[[place for place, _ in order]].reset_index(drop=True)
    ordered.insert(2, "depth", [depth for _, depth in order])
    return ordered


def _preorder(
    places: Sequence[int], *, below: Callable[[int], Sequence[int]], depth: int = 0
) -> Iterator[tuple[int, int]]:
    for place in places:
        yield place, depth
        yield from _preorder(below(place), below=below, depth=depth + 1)
