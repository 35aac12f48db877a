"""The tree of an organisation, and the sums of the published project rows at every level of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.errors import ReportError
from pmo_lib.metrics.bridge import BRIDGE_COLUMNS
from pmo_lib.metrics.facts import MEASURE_NAMES, MONEY, OWN, OWN_BUDGET, RATED, in_form, one_currency, unit_names
from pmo_lib.metrics.money import major_units, minor_units
from pmo_lib.theme import month

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pmo_lib.parameters.models import Organisation

WITHOUT, REASON = "without:", "reason:"
ENTERPRISE, PROGRAMME, PROJECT = "enterprise", "programme", "project"


def units_of(
    portfolios: pd.DataFrame, *, facts: pd.DataFrame, batch: pd.DataFrame, settings: Organisation
) -> pd.DataFrame:
    """Return the units of the organisation with one enterprise at the top.

    Parameters
    ----------
    portfolios
        History of the contract table ``portfolios``; the last known place of each unit counts.
    facts, batch
        Their portfolios have a place even if the table lacks them, such as those that returned nothing.
    settings
        Its root unit (or itself) is the enterprise, where the table has no unit of that level without a parent.

    Returns
    -------
    DataFrame
        ``unit_id, parent_id, name, level, hierarchy``; the enterprise has a null parent, every other unit has one
        that is there. Only units with a portfolio at or below them.

    Raises
    ------
    ReportError
        The parents run in a circle.
    """
    known = sorted({*facts["portfolio_id"], *batch["portfolio_id"]})
    last = portfolios.sort_values("period", kind="stable").drop_duplicates("portfolio_id", keep="last")
    rows = last.set_index("portfolio_id")
    top = _top(rows, root=(settings.root_unit or settings.id, settings.name))
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
    return _holding(table, portfolios=known)


def rollup(
    facts: pd.DataFrame,
    *,
    portfolios: pd.DataFrame,
    batch: pd.DataFrame,
    settings: Organisation,
    programmes: pd.Series | None = None,
) -> pd.DataFrame:
    """Sum the published project rows at every level: enterprise, function, portfolio, programme, project.

    Parameters
    ----------
    facts
        Result of :func:`pmo_lib.metrics.facts.project_facts`.
    portfolios, settings
        As in :func:`units_of`.
    batch
        ``portfolio_id, report, status`` of every report that is owed.
    programmes
        Names of programmes by id, see :func:`pmo_lib.metrics.facts.programme_names`; without them the ids stand.

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
            reason:<report>             why its measures are null, where they are
            cost_cause                  of a project: why its cost moved, or is not there

        Each node is the sum of its children in whole minor units.
    """
    units = units_of(portfolios, facts=facts, batch=batch, settings=settings)
    nodes = _nodes(facts, units=units)
    if programmes is not None:
        named = nodes["unit_id"].where(nodes["level"].eq(PROGRAMME)).map(programmes)
        nodes["name"] = named.where(named.notna(), nodes["name"])
    sums = _sums(facts, units=units)
    marks = _marks(units, batch=batch).set_index("unit_id")
    is_unit = nodes["level"].isin(set(units["level"]))
    own_marks = marks.reindex(nodes["unit_id"].where(is_unit)).fillna("").set_axis(nodes.index)
    whole = pd.concat([nodes.join(sums, on="node_id"), own_marks], axis="columns")
    lacking = own_marks[[column for column in marks.columns if column.startswith(WITHOUT)]]
    whole["complete"] = ~(lacking != "").any(axis="columns")
    whole["currency"] = one_currency(facts)
    return _in_reading_order(whole)


def published(tree: pd.DataFrame, *, costs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return a roll-up as it is handed on, with fixed columns whoever rated.

    Parameters
    ----------
    tree
        Result of :func:`rollup`.
    costs
        Result of :func:`pmo_lib.metrics.facts.with_ended`.

    Returns
    -------
    dict
        ``hierarchy`` (what a node is without stands in one text), ``ratings_by_unit`` (``node_id, level, assessor_role,
        rating, projects``; no zeros) and ``whole_life_cost`` (``portfolio_id`` and the columns of a bridge).
    """
    names = ["node_id", "parent_id", "depth", "level", "unit_id", "name", "standing"]
    whole = tree.assign(without=in_words(tree))[[*names, *MEASURE_NAMES, "currency", "complete", "without"]]
    bridge_rows = in_form(costs, columns=["portfolio_id", *BRIDGE_COLUMNS])[["portfolio_id", *BRIDGE_COLUMNS]]
    return {"hierarchy": whole, "ratings_by_unit": _ratings_by_unit(tree), "whole_life_cost": bridge_rows}


def _ratings_by_unit(tree: pd.DataFrame) -> pd.DataFrame:
    columns = [column for column in tree.columns if column.startswith(RATED)]
    long = tree[["node_id", "level", *columns]].melt(["node_id", "level"], var_name="rated", value_name="projects")
    long = long[long["projects"].fillna(0).gt(0)]
    parts = long["rated"].astype("str").str.removeprefix(RATED).str.rpartition(":").reindex(columns=[0, 1, 2])
    table = long.assign(assessor_role=parts[0], rating=parts[2])
    return table[["node_id", "level", "assessor_role", "rating", "projects"]].reset_index(drop=True)


def in_words(tree: pd.DataFrame) -> list[str]:
    """Return, for each node, the portfolios that its sums are without; "" if none.

    ``DFT, HO (financial outlook)``: of DFT every report is missing, of HO the one in brackets.
    """
    columns = [column for column in tree.columns if column.startswith(WITHOUT)]
    return [_lacking({name: row[name] for name in columns}) for row in tree[columns].to_dict("records")]


def _lacking(marks: Mapping[str, str]) -> str:
    reports: dict[str, list[str]] = {}
    for column, portfolios in marks.items():
        for portfolio in portfolios.split(", ") if portfolios else ():
            reports.setdefault(portfolio, []).append(report_in_words(column))
    return ", ".join(
        unit if len(lost) == len(marks) else f"{unit} ({', '.join(lost)})" for unit, lost in sorted(reports.items())
    )


def report_in_words(column: str) -> str:
    """Return the report that a column ``without:<report>`` or ``report:<report>`` is about, as people write it."""
    return column.partition(":")[2].replace("_", " ")


def clients(facts: pd.DataFrame, *, portfolios: pd.DataFrame) -> pd.DataFrame:
    """Sum the same rows by whom the projects serve, beside who delivers them.

    Parameters
    ----------
    facts
        Result of :func:`pmo_lib.metrics.facts.project_facts`.
    portfolios
        History of the contract table ``portfolios``, for the names.

    Returns
    -------
    DataFrame
        One row per unit: ``unit_id, name, delivers, serves, cost_delivered, cost_served, costed, costed_for_others,
        cost_for_others, delivered_by, currency``; a project without a client serves the portfolio that delivers it.
        Both hierarchies have the same total. ``costed`` of the projects that it delivers have a cost above 0, and
        ``costed_for_others`` of these serve another unit; ``delivered_by`` names who delivers what serves it, with the
        number of projects. Empty where no project names a client.
    """
    ours = facts[facts["standing"].eq("here")]
    client = ours["client_id"].fillna(ours["portfolio_id"]).astype("str")
    table = pd.DataFrame(
        {
            **_counted_by(ours, by=ours["portfolio_id"], names=("delivers", "cost_delivered")),
            **_counted_by(ours, by=client, names=("serves", "cost_served")),
            **_for_others(ours, client=client),
        }
    )
    counts = ["delivers", "serves", "costed", "costed_for_others"]
    table[counts] = table[counts].fillna(0).astype("int64")
    table = table.rename_axis("unit_id").sort_index().reset_index().assign(currency=one_currency(facts))
    table.insert(1, "name", table["unit_id"].map(unit_names(portfolios)).fillna(table["unit_id"]))
    named = ours["client_id"].notna().any()
    ordered = table.sort_values(["serves", "delivers"], ascending=False, kind="stable").reset_index(drop=True)
    return ordered if named else ordered.iloc[:0]


def _for_others(facts: pd.DataFrame, *, client: pd.Series) -> dict[str, pd.Series]:
    """Return what each portfolio delivers for other units, and who delivers what serves each unit."""
    costed = facts[facts["cost_now"].gt(0)]
    others = costed[client.reindex(costed.index).ne(costed["portfolio_id"])]
    by = facts.groupby([client.rename("client"), "portfolio_id"]).size().rename("projects").reset_index()
    by = by.sort_values(["client", "projects", "portfolio_id"], ascending=[True, False, True], kind="stable")
    by["words"] = by["portfolio_id"] + " " + by["projects"].astype("str")
    counted = _counted_by(others, by=others["portfolio_id"], names=("costed_for_others", "cost_for_others"))
    deliverers = by.groupby("client")["words"].agg(", ".join)
    return {"costed": costed.groupby("portfolio_id").size(), **counted, "delivered_by": deliverers}


def _counted_by(facts: pd.DataFrame, *, by: pd.Series, names: tuple[str, str]) -> dict[str, pd.Series]:
    grouped = facts.assign(minor=minor_units(facts["cost_now"])).groupby(by)
    return {names[0]: grouped.size(), names[1]: major_units(grouped["minor"].sum(min_count=1))}


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
    return {unit: tuple(reversed(tuple(upwards(unit, parents=parents)))) for unit in parents}


def upwards(unit: str, *, parents: Mapping[str, str | None]) -> Iterator[str]:
    """Yield a unit and all above it, to the top.

    Raises
    ------
    ReportError
        If the parents run in a circle.
    """
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


def _holding(units: pd.DataFrame, *, portfolios: Sequence[str]) -> pd.DataFrame:
    """Return the units on the way to any of these portfolios; units that are only clients are not among them."""
    paths = _paths(units)
    held = {unit for portfolio in dict.fromkeys(portfolios) for unit in paths[portfolio]}
    return units[units["unit_id"].isin(held) | units["level"].eq(ENTERPRISE)]


def _node_ids(facts: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the node of each fact, and that of its programme (null where it has none)."""
    leaf = facts["portfolio_id"].astype("str") + "/project/" + facts["project_id"].astype("str")
    ids = facts["project_id"].astype("str")
    for_money = facts["portfolio_id"].astype("str") + "/own/" + ids.str.removeprefix(OWN_BUDGET)
    leaf = leaf.mask(ids.str.startswith(OWN_BUDGET), for_money)
    leaf = leaf.mask(ids.eq(""), facts["portfolio_id"].astype("str") + "/own")
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
            "name": facts["name"],
            "standing": facts["standing"],
            "cost_cause": facts["cost_cause"],
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
    rows = pd.DataFrame(whole).assign(node_id=pd.Series(places, index=facts.index, dtype="object")).explode("node_id")
    sums = rows.groupby("node_id")[counted].sum(min_count=1)
    return sums.assign(**{column: major_units(sums[column]) for column in counted if column in MONEY})


def _marks(units: pd.DataFrame, *, batch: pd.DataFrame) -> pd.DataFrame:
    """Return, by unit and report, the portfolios at or below it that have not published, and why not if it is one."""
    lacking = batch[batch["status"].ne("published")]
    reports = list(dict.fromkeys(batch["report"]))
    paths = _paths(units)
    marks: dict[tuple[str, str], list[str]] = {}
    for portfolio, report in zip(lacking["portfolio_id"], lacking["report"], strict=True):
        for unit in paths.get(portfolio, ()):
            marks.setdefault((unit, report), []).append(portfolio)
    states = {(row["portfolio_id"], row["report"]): _why_not(row) for row in lacking.to_dict("records")}
    columns: dict[str, list[str]] = {"unit_id": units["unit_id"].tolist()}
    for report in reports:
        columns[WITHOUT + report] = [", ".join(marks.get((unit, report), ())) for unit in units["unit_id"]]
        columns[REASON + report] = [states.get((unit, report), "") for unit in units["unit_id"]]
    return pd.DataFrame(columns)


def _why_not(row: Mapping[Any, Any]) -> str:
    known = row.get("as_of")
    return f"report {row['status']}" + (f", last known {month(known)}" if isinstance(known, str) else "")


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
