"""The whole, made of what was published: coverage, sums at every level, reconciliation, bridges, two structures."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from pmo_lib import extracts
from pmo_lib.errors import ReportError
from pmo_lib.metrics import bridge, cohorts, facts, headline, hierarchy, movement, portfolio, standing, structure
from pmo_lib.metrics.explained import explained
from pmo_lib.metrics.named_rollup import Rollup
from pmo_lib.parameters.models import Organisation

NOW, BEFORE = "2026-09", "2026-08"
REPORTS = ("health_check", "financial_outlook", "risk_register")
OWED_COLUMNS = ["portfolio_id", "report", "status"]
EXPOSURE_COLUMNS = [
    "portfolio_id", "project_id", "kind", "risks_open", "risks_unquantified", "expected_money", "currency",
]  # fmt: skip
COUNCIL = Organisation(id="council", name="Northshire", root_unit="northshire")
UNITS = pd.DataFrame(
    [
        (NOW, "northshire", None, "enterprise", "Northshire"),
        (NOW, "place", "northshire", "function", "Place"),
        (NOW, "roads", "place", "portfolio", "Roads"),
        (NOW, "housing", "place", "portfolio", "Housing"),
        (NOW, "digital", "northshire", "portfolio", "Digital"),
    ],
    columns=["period", "portfolio_id", "parent_id", "level", "name"],
).assign(hierarchy="delivery", currency="GBP")
LINEAGE_COLUMNS = ["portfolio_id", "from_id", "to_id", "project_id", "effective_on", "kind", "share_moved"]
NO_LINEAGE = pd.DataFrame(columns=LINEAGE_COLUMNS)
# portfolio, project, programme, client, cost before, cost now, plan, outlook
PROJECTS = (
    ("roads", "R1", "PRG-1", None, 100.10, 110.30, 50.0, 40.0),
    ("roads", "R2", "PRG-1", "digital", 20.20, None, 10.0, None),
    ("roads", "R3", None, None, None, 5.55, 4.0, 5.0),
    ("housing", "H1", None, "roads", 70.00, 70.00, 30.0, 30.0),
    ("digital", "D1", None, None, 0.10, 0.20, None, 7.0),
)


def owed_by(units: set[str], *, status: str = "published") -> pd.DataFrame:
    """Return a batch in which all reports of these portfolios have one status."""
    rows = [(unit, report, status) for unit in sorted(units) for report in REPORTS]
    return pd.DataFrame(rows, columns=OWED_COLUMNS)


def batch(**statuses: str) -> pd.DataFrame:
    """Return the state of every report owed; ``roads="failed"`` sets all reports of one portfolio."""
    table = owed_by({"digital", "housing", "roads"})
    table["status"] = table["portfolio_id"].map(lambda unit: statuses.get(unit, "published"))
    failed = table["status"].eq("failed")
    return table.assign(stage=failed.map({True: "notebook"}), cause=failed.map({True: "boom"}))


def published(projects: Any = PROJECTS) -> dict[str, pd.DataFrame]:
    """Return published tables of one period, in the form that the reports publish."""
    names = ["portfolio_id", "project_id", "programme_id", "client_id", "cost_before", "cost_now", "plan", "outlook"]
    rows = pd.DataFrame(list(projects), columns=names).astype(dict.fromkeys(names[4:], "float64"))
    rows = rows.assign(name="Project " + rows["project_id"].astype("str"), period=NOW, currency="GBP")
    pairs = rows.rename(columns={"cost_before": "before", "cost_now": "now"})
    pairs = pairs.assign(movement="stayed", other_portfolio_id=None)
    costs = bridge.bridge(pairs, reasons=pd.Series(dtype="str"), currency="GBP")
    return {
        "projects": rows[["portfolio_id", "period", "project_id", "name", "programme_id", "client_id"]],
        "costs": costs.assign(portfolio_id=rows["portfolio_id"], period=NOW),
        "in_year": rows[["portfolio_id", "project_id", "name", "plan", "outlook", "currency"]].assign(
            variance=rows["outlook"] - rows["plan"], years_under=0, years_known=1
        ),
        "ratings": rows[["portfolio_id", "project_id"]].assign(
            period=NOW, assessor_role="SRO", rating_scale="three-point", rating="amber", rating_reason=None
        ),
        "exposure": pd.DataFrame(
            [
                ("roads", "R1", "threat", 2, 1, 30.0, "GBP"),
                ("roads", "R1", "opportunity", 1, 0, -5.0, "GBP"),
                ("roads", None, "threat", 1, 0, 2.5, "GBP"),
            ],
            columns=EXPOSURE_COLUMNS,
        ),
    }


def facts_of(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the project facts of published tables."""
    others = {name: tables[name] for name in ("costs", "in_year", "ratings", "exposure")}
    return facts.project_facts(tables["projects"], **others)


def tree_of(rows: pd.DataFrame, *, owed: pd.DataFrame | None = None, units: pd.DataFrame = UNITS) -> pd.DataFrame:
    """Return the roll-up of project facts."""
    owed = batch() if owed is None else owed
    return hierarchy.rollup(rows, portfolios=units, batch=owed, settings=COUNCIL)


def node(tree: pd.DataFrame, name: str) -> pd.Series:
    """Return one node of a roll-up."""
    return tree.set_index("node_id").loc[name]


TABLES = published()
FACTS = facts_of(TABLES)
TREE = tree_of(FACTS)


# --- facts ------------------------------------------------------------------------------------------------------------


def test_in_year_money_counts_only_where_both_are_there() -> None:
    """Plan and outlook enter a total only together: else the variance of a portfolio would be that of its silence."""
    top = node(TREE, "northshire")
    assert (top["plan"], top["outlook"], top["variance"]) == (50.0 + 4.0 + 30.0, 40.0 + 5.0 + 30.0, -9.0)
    assert top["in_year_known"] == 3


def test_nothing_published_is_null_and_not_zero() -> None:
    """A portfolio without a register has null risks: nobody counted them, so they are not zero."""
    assert pd.isna(node(TREE, "housing")["risks_open"])
    assert node(TREE, "roads")["risks_open"] == 4


def test_risks_of_the_whole_portfolio_stand_under_it() -> None:
    """A risk without a project counts once, in a row of its own, so that the portfolio is still the sum of its rows."""
    own = node(TREE, "roads/own")
    assert (own["level"], own["risks_open"], own["exposure"]) == ("own", 1, 2.5)
    assert node(TREE, "roads")["exposure"] == pytest.approx(30.0 - 5.0 + 2.5)


LEVELS = pd.DataFrame(
    [
        ("roads", "programme", "PRG-1", "Corridors", 60.0),
        ("roads", "own", "PRG-1", "Corridors: its own money", 10.0),
        ("roads", "own", "", "its own money", 2.5),
        ("housing", "own", "PRG-1", "Corridors: its own money", 10.0),
        ("housing", "project", "", "Project H1", 30.0),
    ],
    columns=["portfolio_id", "level", "programme_id", "name", "budget"],
).assign(currency="GBP")


def test_a_programme_has_one_own_budget() -> None:
    """A programme's own budget counts once, under the first portfolio that returns it, and in no project's money."""
    money = facts.with_own_budgets(TABLES["in_year"], levels=LEVELS)
    rows = facts_of({**TABLES, "in_year": money})
    tree = tree_of(rows)
    check_sums(tree)
    budgets = tree.set_index("node_id")["own_budget"].dropna()
    assert budgets.to_dict() == {
        "northshire": 12.5, "place": 12.5, "roads": 12.5, "roads/programme/PRG-1": 10.0, "roads/own/PRG-1": 10.0,
        "roads/own/": 2.5,
    }  # fmt: skip
    assert tree.iloc[0][["plan", "outlook", "in_year_known"]].tolist() == [84.0, 75.0, 3]


def test_programmes_have_their_names() -> None:
    """A programme stands under its name where a report published it, else under its id."""
    named = hierarchy.rollup(
        FACTS, portfolios=UNITS, batch=batch(), settings=COUNCIL, programmes=facts.programme_names(LEVELS)
    )
    assert node(named, "roads/programme/PRG-1")["name"] == "Corridors"
    assert node(TREE, "roads/programme/PRG-1")["name"] == "PRG-1"


def test_two_currencies_have_no_total() -> None:
    """A total over two currencies is refused, whichever published table brings the second."""
    foreign = TABLES["in_year"].assign(currency=["GBP", "GBP", "EUR", "GBP", "GBP"])
    with pytest.raises(ReportError, match="EUR, GBP"):
        facts_of({**TABLES, "in_year": foreign})


def test_a_project_twice_in_a_table_is_refused() -> None:
    """A project that a report publishes twice would count twice: the page is refused and names it."""
    twice = pd.concat([TABLES["costs"], TABLES["costs"].head(1)], ignore_index=True)
    with pytest.raises(ReportError, match="roads R1"):
        facts_of({**TABLES, "costs": twice})


def test_empty_tables_make_an_empty_whole() -> None:
    """Where no report published anything, every total is null and the hierarchy still names who is missing."""
    nothing = pd.DataFrame(columns=["portfolio_id", "period"])
    rows = facts.project_facts(nothing, costs=nothing, in_year=nothing, ratings=nothing, exposure=nothing)
    owed = batch(roads="missing", housing="missing", digital="missing")
    tree = tree_of(rows, owed=owed)
    assert list(tree["node_id"]) == ["northshire", "digital", "place", "housing", "roads"]
    assert tree[facts.MEASURE_NAMES].isna().all(axis=None)
    assert not tree["complete"].any()


# --- hierarchy --------------------------------------------------------------------------------------------------------


def test_levels_stand_under_each_other() -> None:
    """The hierarchy reads from the enterprise down to the project, each node after its parent and one level deeper."""
    places = dict(zip(TREE["node_id"], TREE.index, strict=True))
    depths = TREE.set_index("node_id")["depth"]
    for row in TREE.iloc[1:].to_dict("records"):
        assert places[row["parent_id"]] < places[row["node_id"]]
        assert row["depth"] == depths[row["parent_id"]] + 1
    assert list(TREE.loc[TREE["unit_id"].eq("R1"), "level"]) == ["project"]
    assert list(TREE["level"].unique()) == ["enterprise", "function", "portfolio", "programme", "project", "own"]


def check_sums(tree: pd.DataFrame) -> None:
    """Compare each node with the sum of its children, in whole minor units."""
    minor = tree[facts.MEASURE_NAMES].astype("float64").mul(100).round()
    for name in tree["node_id"]:
        children = tree.index[tree["parent_id"].eq(name)]
        if len(children):
            here = minor.loc[tree.index[tree["node_id"].eq(name)][0]]
            below = minor.loc[children].sum(min_count=1)
            assert here.fillna(-1).eq(below.fillna(-1)).all(), name


def test_every_node_is_the_sum_of_its_children() -> None:
    """A parent's total is the sum of what stands under it, measure by measure, to the minor unit."""
    check_sums(TREE)
    assert node(TREE, "northshire")["cost_now"] == pytest.approx(110.30 + 5.55 + 70.00 + 0.20)


def test_a_parent_that_no_table_knows_still_stands() -> None:
    """A portfolio whose parent is in no table keeps its place: the parent's id stands in for its name."""
    units = UNITS[UNITS["portfolio_id"].ne("place")]
    tree = tree_of(FACTS, units=units)
    assert node(tree, "place")["name"] == "place"
    assert node(tree, "place")["level"] == "function"
    assert node(tree, "roads")["parent_id"] == "place"


def test_without_an_enterprise_one_is_made() -> None:
    """Where no unit stands at the top, the organisation does."""
    units = UNITS[UNITS["portfolio_id"].isin(["roads", "housing", "digital"])].assign(parent_id=None)
    tree = tree_of(FACTS, units=units)
    assert list(tree.loc[tree["depth"].eq(0), "name"]) == ["Northshire"]
    assert set(tree.loc[tree["depth"].eq(1), "node_id"]) == {"roads", "housing", "digital"}


def test_a_circle_of_parents_is_refused() -> None:
    """Two units that are each other's parent are an error that names the circle, not an endless loop."""
    circle = UNITS.assign(parent_id=UNITS["parent_id"].mask(UNITS["portfolio_id"].eq("place"), "roads"))
    with pytest.raises(ReportError, match=r"circle: .*place → roads"):
        tree_of(FACTS, units=circle)


def test_published_tree_has_fixed_columns() -> None:
    """What is handed on has the same columns whoever rated, and its ratings in long form add up to the same counts."""
    handed = hierarchy.published(TREE, costs=TABLES["costs"])
    long = handed["ratings_by_unit"]
    assert not [name for rows in handed.values() for name in rows.columns if ":" in name]
    assert list(long.loc[long["node_id"].eq("northshire"), "projects"]) == [5]
    assert int(long.loc[long["level"].eq("project"), "projects"].sum()) == 5


def test_both_hierarchies_hold_the_same_projects() -> None:
    """By delivery and by client the projects and their money are the same, only grouped in another way."""
    served = hierarchy.clients(FACTS, portfolios=UNITS)
    assert served["delivers"].sum() == served["serves"].sum() == 5
    assert served["cost_delivered"].sum() == pytest.approx(served["cost_served"].sum())
    assert served.set_index("unit_id")["serves"].to_dict() == {"roads": 3, "digital": 2, "housing": 0}
    ours = FACTS[FACTS["standing"].eq("here") & FACTS["cost_now"].gt(0)]
    others = ours[ours["client_id"].notna() & ours["client_id"].ne(ours["portfolio_id"])]
    assert served["costed"].sum() == len(ours)
    assert served["costed_for_others"].sum() == len(others)
    assert served["cost_for_others"].sum() == pytest.approx(others["cost_now"].sum())


def test_what_was_not_returned_is_beside_the_totals() -> None:
    """A cost that was not returned has not moved: it is in no total now, and what was last known stands beside them."""
    costs = TABLES["costs"].reset_index(drop=True)
    first = costs.index[costs["since_cause"].eq("re-based")][0]
    silent = {
        "now": None,
        "cause": "not returned",
        "since_cause": "not returned",
        "last_known": costs.at[first, "before"],
    }
    moved = {"amount": -costs.at[first, "before"], "since_amount": -costs.at[first, "before"]}
    costs = costs.assign(last_known=None).astype(object)
    for name, value in (silent | moved).items():
        costs.at[first, name] = value
    rows = facts_of(TABLES | {"costs": costs})
    top = node(tree_of(rows), "northshire")
    before = node(TREE, "northshire")
    assert top["cost_last_known"] == costs.at[first, "before"]
    assert top["cost_movement"] == pytest.approx(before["cost_movement"] - TABLES["costs"]["amount"].iloc[first])
    named = portfolio.largest_movements(costs)
    assert costs.at[first, "project_id"] not in set(named["project_id"])


def test_no_client_no_exhibit() -> None:
    """Where no project names a client there is no second hierarchy to show."""
    rows = FACTS.assign(client_id=None)
    assert hierarchy.clients(rows, portfolios=UNITS).empty


# --- what is missing --------------------------------------------------------------------------------------------------


def test_a_missing_portfolio_is_named_at_every_level_above() -> None:
    """Totals above a portfolio whose reports failed say 'without' it and are marked incomplete; others are not."""
    rows = FACTS[FACTS["portfolio_id"].ne("housing")]
    tree = tree_of(rows, owed=batch(housing="failed"))
    assert node(tree, "northshire")["without:financial_outlook"] == "housing"
    assert node(tree, "housing")["reason:financial_outlook"] == "report failed"
    assert [bool(node(tree, name)["complete"]) for name in ("northshire", "place", "housing", "roads", "digital")] == [
        False, False, False, True, True,
    ]  # fmt: skip
    assert hierarchy.in_words(tree)[0] == "housing"


def test_one_failed_report_marks_only_its_measures() -> None:
    """A portfolio whose financial outlook failed still counts its projects: only the money is without it."""
    owed = batch()
    owed.loc[owed["portfolio_id"].eq("housing") & owed["report"].eq("financial_outlook"), "status"] = "failed"
    tree = tree_of(FACTS, owed=owed)
    top = node(tree, "northshire")
    assert (top["without:health_check"], top["without:financial_outlook"]) == ("", "housing")
    assert hierarchy.in_words(tree)[0] == "housing (financial outlook)"


@pytest.mark.parametrize("status", ["failed", "missing", "not returned", "refused"])
def test_coverage_names_every_portfolio(status: str) -> None:
    """A portfolio without reports stands first in the coverage, with its status, its cause and its last known cost."""
    history = TABLES["costs"].assign(period=BEFORE)
    covered = portfolio.coverage(batch(housing=status), portfolios=UNITS, costs=history, lineage=NO_LINEAGE)
    assert list(covered["portfolio_id"]) == ["housing", "digital", "roads"]
    assert list(covered["state"]) == ["nothing published", "complete", "complete"]
    first = covered.iloc[0]
    assert first["report:risk_register"] == status
    assert first["cause"].startswith(f"health check, financial outlook, risk register {status}")
    assert (first["last_period"], first["last_cost"]) == (BEFORE, 70.0)


def test_coverage_tells_what_became_of_a_portfolio() -> None:
    """A portfolio of the period before that owes nothing now is listed, with what it was renamed to."""
    old = pd.DataFrame([(BEFORE, "homes", "place", "portfolio", "Homes")], columns=list(UNITS.columns[:5]))
    lineage = pd.DataFrame([("homes", "homes", "housing", None, None, "renamed", None)], columns=LINEAGE_COLUMNS)
    history = pd.concat([old, UNITS], ignore_index=True)
    covered = portfolio.coverage(batch(), portfolios=history, costs=TABLES["costs"], lineage=lineage)
    first = covered.iloc[0]
    assert first["portfolio_id"] == "homes"
    assert first["state"] == "no longer returns"
    assert first["cause"] == "renamed into housing"


# --- reconciliation ---------------------------------------------------------------------------------------------------


def figures_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the figures that honest reports would publish beside these rows."""
    parts = []
    for check in portfolio.CHECKS:
        sums = rows.groupby("portfolio_id")[check.measure].sum(min_count=1).astype("float64")
        parts += [(unit, NOW, check.report, check.figure, value) for unit, value in sums.items()]
    return pd.DataFrame(parts, columns=["portfolio_id", "period", "report", "name", "value"])


FIGURES = figures_of(FACTS)
UNIT_OF = {
    check.figure: measure.kind.replace("money", "GBP")
    for check in portfolio.CHECKS
    for measure in facts.MEASURES
    if measure.name == check.measure
}


def test_honest_figures_reconcile() -> None:
    """Where each figure is the sum of its rows, rows, figures and hierarchy agree in every measure and portfolio."""
    table = portfolio.reconciliation(FACTS, figures=FIGURES, tree=TREE, period=NOW)
    assert table["agrees"].all()
    wholes = table[table["portfolio_id"].eq("")].set_index("measure")
    assert set(wholes.index) == {check.measure for check in portfolio.CHECKS}
    assert wholes.loc["cost_now", "rows_sum"] == wholes.loc["cost_now", "tree_sum"] == pytest.approx(186.05)


@pytest.mark.parametrize("name", sorted({check.figure for check in portfolio.CHECKS}))
def test_a_penny_too_much_is_refused(name: str) -> None:
    """A published figure that is one minor unit (or one project) off its rows stops the page and is named."""
    step = {"GBP": 0.01}.get(UNIT_OF[name], 1.0) * (2 if name == "exposure_net" else 1)
    off = FIGURES["name"].eq(name) & FIGURES["portfolio_id"].eq("roads")
    wrong = FIGURES.assign(value=FIGURES["value"].mask(off, FIGURES["value"] + step))
    with pytest.raises(ReportError, match="roads") as caught:
        portfolio.reconciliation(FACTS, figures=wrong, tree=TREE, period=NOW)
    assert caught.value.data["broken"][0]["portfolio_id"] == "roads"


def test_an_expected_value_may_be_rounded_once_a_row() -> None:
    """An expected value is a product: half a minor unit for each rounding is no disagreement."""
    near = FIGURES["name"].eq("exposure_net") & FIGURES["portfolio_id"].eq("roads")
    rounded = FIGURES.assign(value=FIGURES["value"].mask(near, FIGURES["value"] + 0.01))
    assert portfolio.reconciliation(FACTS, figures=rounded, tree=TREE, period=NOW)["agrees"].all()


def test_a_figure_that_was_not_published_is_refused() -> None:
    """A report that leaves out a figure that the roll-up compares with is refused, not passed over."""
    less = FIGURES[~(FIGURES["name"].eq("projects") & FIGURES["portfolio_id"].eq("digital"))]
    extra = pd.DataFrame([("digital", NOW, "health_check", "other", 1.0)], columns=list(FIGURES.columns))
    with pytest.raises(ReportError, match="digital"):
        portfolio.reconciliation(FACTS, figures=pd.concat([less, extra]), tree=TREE, period=NOW)


def test_a_lost_row_is_refused() -> None:
    """A hierarchy that lost a project does not reconcile."""
    with pytest.raises(ReportError, match="the whole"):
        portfolio.reconciliation(FACTS, figures=FIGURES, tree=tree_of(FACTS.iloc[1:]), period=NOW)


def test_figures_of_other_periods_are_not_compared() -> None:
    """Only figures of the period count: last month's are those of last month's rows."""
    older = FIGURES.assign(period=BEFORE, value=0.0)
    table = portfolio.reconciliation(FACTS, figures=pd.concat([older, FIGURES]), tree=TREE, period=NOW)
    assert table["agrees"].all()


# --- whole-life cost --------------------------------------------------------------------------------------------------


def costs_history(rows: list[tuple[str, str, str, float | None]]) -> pd.DataFrame:
    """Return the published table of both periods, made portfolio by portfolio as the financial report makes it."""
    projects = pd.DataFrame(rows, columns=["period", "portfolio_id", "project_id", "wlc"]).astype({"wlc": "float64"})
    projects["name"] = projects["project_id"]
    parts = []
    for period, since in ((BEFORE, "2026-07"), (NOW, BEFORE)):
        for unit in sorted(set(projects.loc[projects["period"].eq(period), "portfolio_id"])):
            between = movement.Between(unit, period, since)
            pairs = movement.paired(projects, column="wlc", between=between)
            made = bridge.bridge(pairs, reasons=pd.Series(dtype="str"), currency="GBP")
            parts.append(made.assign(portfolio_id=unit, period=period))
    return pd.concat(parts, ignore_index=True)


REORGANISED = costs_history(
    [
        (BEFORE, "old", "P1", 100.0), (BEFORE, "old", "P2", 40.0), (BEFORE, "old", "P3", 9.0),
        (BEFORE, "kept", "K1", 10.0), (BEFORE, "kept", "K2", 20.0), (BEFORE, "kept", "K3", 5.0),
        (BEFORE, "kept", "K4", None),
        (NOW, "new", "P1", 130.0), (NOW, "new", "P2", None),
        (NOW, "kept", "K1", 10.0), (NOW, "kept", "K2", None), (NOW, "kept", "K4", 7.0), (NOW, "kept", "K5", 3.0),
    ]
)  # fmt: skip
OWED = pd.DataFrame([(unit, "financial_outlook", "published") for unit in ("kept", "new")], columns=OWED_COLUMNS)


def test_a_dissolved_portfolio_has_not_taken_its_money_along() -> None:
    """What an ended portfolio gave away is moved, not lost: the bridge starts at the whole, and moves net to nil."""
    costs = facts.with_ended(REORGANISED, batch=OWED, period=NOW, since=BEFORE)
    absent = facts.without_report(REORGANISED, batch=OWED, period=NOW, since=BEFORE)
    steps = portfolio.cost_bridge(costs, absent=absent).set_index("step")["amount"]
    assert steps.to_dict() == {
        "before": 184.0, "left": -9.0 - 5.0, "moved out": -140.0, "no figure given": -40.0 - 20.0, "re-based": 30.0,
        "newly published": 7.0, "moved in": 140.0, "joined": 3.0, "unchanged": 0.0, "now": 150.0,
    }  # fmt: skip


def test_a_portfolio_without_report_has_not_fallen() -> None:
    """What a silent portfolio last published is a step of its own in the bridge and in no total of the period."""
    rows = REORGANISED[~(REORGANISED["period"].eq(NOW) & REORGANISED["portfolio_id"].eq("kept"))]
    owed = OWED.assign(status=["failed", "published"])
    costs = facts.with_ended(rows, batch=owed, period=NOW, since=BEFORE)
    steps = portfolio.cost_bridge(costs, absent=facts.without_report(rows, batch=owed, period=NOW, since=BEFORE))
    amounts = steps.set_index("step")["amount"]
    assert (amounts["before"], amounts["no report now"], amounts["now"]) == (184.0, -35.0, 130.0)
    assert float(steps.loc[steps["kind"].eq("cause"), "amount"].sum()) == amounts["now"] - amounts["before"]
    assert exact(costs["before"]) == 149.0


def exact(amounts: pd.Series) -> float:
    """Return a sum of amounts as whole pence."""
    return sum(round(value * 100) for value in amounts.dropna().astype("float64")) / 100


def test_the_first_period_has_no_bridge() -> None:
    """Without an earlier report there is nothing to bridge from, so nothing is shown."""
    first = REORGANISED[REORGANISED["period"].eq(BEFORE)].assign(before=None, amount=0.0).iloc[:0]
    assert portfolio.cost_bridge(first, absent=first).empty


def test_largest_movements_count_a_moved_project_once() -> None:
    """A project that moved and was re-based is listed once, with what changed since it stood in the other portfolio."""
    costs = facts.with_ended(REORGANISED, batch=OWED, period=NOW, since=BEFORE)
    table = portfolio.largest_movements(costs).set_index("project_id")
    assert list(table.index) == ["P2", "P1", "K2", "P3", "K4", "K3", "K5"]
    assert table.loc["P1", ["from_id", "portfolio_id", "before", "now", "cause", "amount"]].tolist() == [
        "old", "new", 100.0, 130.0, "re-based", 30.0,
    ]  # fmt: skip


# --- two structures ---------------------------------------------------------------------------------------------------


def lineage_of(*steps: tuple[str, str, str]) -> pd.DataFrame:
    """Return lineage of portfolios, from, to and kind."""
    rows = [(before, before, after, None, None, kind, None) for before, after, kind in steps]
    return pd.DataFrame(rows, columns=LINEAGE_COLUMNS)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([("a", "b", "renamed")], {"a": "b"}),
        ([("a", "x", "renamed"), ("x", "b", "merged")], {"a": "b"}),
        ([("a", "b", "split"), ("a", "c", "split")], {}),
        ([("a", "b", "split")], {}),
        ([("a", "x", "renamed"), ("x", "a", "renamed")], {}),
        ([("a", "x", "renamed")], {}),
        ([], {}),
    ],
)
def test_successor_only_where_it_is_unique(steps: list[tuple[str, str, str]], expected: dict[str, str]) -> None:
    """A portfolio is followed through renamings and mergers to one of today; splits, circles, dead ends have none."""
    assert structure.successors(["a"], lineage=lineage_of(*steps), today=["b", "c"]) == expected


def structures_of(rows: pd.DataFrame, *, lineage: pd.DataFrame = NO_LINEAGE) -> pd.DataFrame:
    """Return both structures of a costs history in which every project that stands is published."""
    stands = rows[~rows["cause"].isin(["left", "moved out"])]
    projects = stands[["period", "portfolio_id", "project_id"]]
    return structure.structures(projects, costs_history=stands, lineage=lineage, portfolios=UNITS)


def test_projects_stand_where_they_are_now() -> None:
    """On today's structure a moved project counts in its new portfolio, a left one in the successor of its old one."""
    renamed = structures_of(REORGANISED, lineage=lineage_of(("old", "new", "renamed")))
    past = renamed[renamed["period"].eq(BEFORE)].set_index("unit_id")
    assert past["cost_then"].fillna(0).to_dict() == {"kept": 35.0, "new": 0.0, "old": 149.0}
    assert past["cost_today"].fillna(0).to_dict() == {"kept": 35.0, "new": 149.0, "old": 0.0}
    assert past.loc["old", ["name", "fate"]].tolist() == ["old", "now new"]


def test_left_projects_of_a_split_portfolio_stay_under_its_name() -> None:
    """Where a portfolio was split, its left projects have no single heir: they stay with it, marked as dissolved."""
    split = structures_of(REORGANISED, lineage=lineage_of(("old", "new", "split"), ("old", "kept", "split")))
    past = split[split["period"].eq(BEFORE)].set_index("unit_id")
    assert past["cost_today"].fillna(0).to_dict() == {"kept": 35.0, "new": 140.0, "old": 9.0}
    assert past.loc["old", "fate"] == "dissolved"


def test_moves_name_both_ends() -> None:
    """A project that changed portfolio is listed once, with where it came from and what it cost before and after."""
    moved = structure.moves(REORGANISED)
    assert moved[["project_id", "from_id", "to_id"]].to_numpy().tolist() == [["P1", "old", "new"], ["P2", "old", "new"]]
    by_period = structure.moves_by_period(moved)
    assert by_period[["period", "projects", "before", "now"]].to_numpy().tolist() == [[NOW, 2, 140.0, 130.0]]


def test_a_move_that_both_portfolios_report_is_one() -> None:
    """A project that one portfolio gives away and another takes over is listed once, not once for each report."""
    rows = costs_history([(BEFORE, "a", "P", 5.0), (BEFORE, "a", "Q", 1.0), (NOW, "b", "P", 6.0), (NOW, "a", "Q", 1.0)])
    moved = structure.moves(rows)
    assert moved[["project_id", "from_id", "to_id", "before", "now"]].to_numpy().tolist() == [["P", "a", "b", 5.0, 6.0]]
    only_given = structure.moves(rows[rows["portfolio_id"].eq("a")])
    assert only_given[["project_id", "from_id", "to_id", "before"]].to_numpy().tolist() == [["P", "a", "b", 5.0]]


# --- the other questions ----------------------------------------------------------------------------------------------


def test_rating_shares_have_their_own_n() -> None:
    """A share is of the ratings by that rater: a withheld or empty rating is counted apart and has no share."""
    rows = [
        (NOW, "SRO", "green", None), (NOW, "SRO", "red", None), (NOW, "SRO", "red", None),
        (NOW, "SRO", None, "withheld: s43"), (NOW, "SRO", None, "not set"), (NOW, "IPA", "amber", None),
        (NOW, None, None, "no status returned"),
    ]  # fmt: skip
    ratings = pd.DataFrame(rows, columns=["period", "assessor_role", "rating", "rating_reason"])
    table = portfolio.rating_shares(ratings.assign(rating_scale="three-point")).set_index(["assessor_role", "rating"])
    assert table["projects"].to_dict() == {
        ("IPA", "amber"): 1, ("SRO", "green"): 1, ("SRO", "red"): 2, ("SRO", "withheld"): 1, ("SRO", "not rated"): 1,
    }  # fmt: skip
    assert table.loc[("SRO", "red"), "share"] == pytest.approx(2 / 3)
    assert pd.isna(table.loc[("SRO", "withheld"), "share"])


def test_in_year_compares_like_with_like() -> None:
    """The variance of a period is over the projects with both figures, and says how many they are."""
    years = portfolio.in_year_by_period(TABLES["in_year"].assign(period=NOW))
    row = years.iloc[0]
    assert (row["projects"], row["in_year_known"], row["plan"], row["variance"]) == (5, 3, 84.0, -9.0)
    assert row["variance_share"] == pytest.approx(-9 / 84)


def test_in_year_by_portfolio_is_furthest_first() -> None:
    """Portfolios stand in the order of their share off plan; one without any pair is not in the list."""
    table = portfolio.in_year_by_portfolio(TREE)
    assert list(table["unit_id"]) == ["roads", "housing"]
    assert table["variance_share"].tolist() == pytest.approx([-9 / 54, 0.0])


def test_under_for_years_counts_against_those_known_as_long() -> None:
    """A run of four years is counted against the projects that were known for four years, not against all."""
    rows = TABLES["in_year"].assign(years_under=[4, 3, 5, 0, 4], years_known=[4, 4, 6, 5, 4], variance_share=-0.1)
    table = portfolio.under_for_years(rows)
    assert list(table["project_id"]) == ["R3", "D1", "R1"]
    assert set(table["known"]) == {5}


def test_underspends_count_a_project_year_once() -> None:
    """A project-year that two reports list counts once; one without both finishes is counted apart."""
    rows = pd.DataFrame(
        [("A", "2024/25", 0), ("A", "2024/25", 0), ("B", "2024/25", 30), ("C", "2024/25", None), ("A", "2023/24", -5)],
        columns=["project_id", "year", "moved_days"],
    )
    table = portfolio.underspends_by_year(rows)[["year", "underspends", "kept", "not_dated"]]
    assert table.to_numpy().tolist() == [["2023/24", 1, 1, 0], ["2024/25", 2, 1, 1]]


def test_disclosure_is_a_share_of_all_projects() -> None:
    """A withheld cost is not published: it lowers the share and stays in its n."""
    rows = pd.DataFrame({"period": [BEFORE, BEFORE, NOW, NOW], "published": [True, True, True, False]})
    assert portfolio.disclosure_by_period(rows)["share"].tolist() == [1.0, 0.5]


def test_finishes_stand_largest_first() -> None:
    """Finishes of all portfolios are one list, the furthest moved first and what cannot be compared last."""
    rows = pd.DataFrame(
        [("roads", "R1", 10, ""), ("digital", "D1", 400, ""), ("roads", "R2", None, "withheld")],
        columns=["portfolio_id", "project_id", "moved_days", "reason"],
    ).assign(name=lambda table: table["project_id"], finish_before_on=pd.NaT, finish_on=pd.NaT, basis="approved finish")
    table = portfolio.finish_movements(rows, since=BEFORE)
    assert list(table["project_id"]) == ["D1", "R1", "R2"]
    assert set(table["since"]) == {BEFORE}


def test_exposure_names_portfolios_without_a_register() -> None:
    """A portfolio that returned no register stands in the list with its reason; without any there is no list."""
    table = portfolio.exposure_by_portfolio(TREE).set_index("unit_id")
    assert table.loc["roads", "exposure"] == pytest.approx(27.5)
    assert table.loc["housing", "reason"] == "no register was returned"
    silent = tree_of(FACTS.assign(**dict.fromkeys(("risks_open", "threats", "exposure"), None)))
    assert portfolio.exposure_by_portfolio(silent).empty


def returned(covered: pd.DataFrame, **unknown: str) -> pd.DataFrame:
    """Return a coverage with its returns: all came in time but those that are only known from an earlier period."""
    owing = covered.loc[covered["state"].ne(portfolio.ENDED), "portfolio_id"]
    came = pd.DataFrame(
        [(NOW, unit, "not returned" if unit in unknown else "returned", None if unit in unknown else "on time", 0,
          unknown.get(unit, NOW), "") for unit in owing],
        columns=["period", "portfolio_id", "state", "punctuality", "days_late", "known", "reason"],
    )  # fmt: skip
    nothing = pd.DataFrame(columns=["portfolio_id", "period", "report", "name", "value", "unit"])
    return standing.with_returns(covered, arrivals=came, last_known=nothing)


def test_what_was_not_returned_stands_beside_the_total() -> None:
    """The last known cost of a portfolio that did not return is a figure of its own, and in no total."""
    owed = batch(housing="not returned")
    rows = FACTS[FACTS["portfolio_id"].ne("housing")]
    history = TABLES["costs"].assign(period=BEFORE)
    covered = portfolio.coverage(owed, portfolios=UNITS, costs=history, lineage=NO_LINEAGE)
    key = headline.key_figures(tree_of(rows, owed=owed), covered=returned(covered, housing=BEFORE), since=BEFORE)
    found = key.set_index("name")
    assert found.loc["whole_life_cost", "value"] == pytest.approx(116.05)
    assert found.loc["whole_life_cost_last_known", "value"] == 70.0
    assert found.loc["whole_life_cost_last_known", "movement"].startswith("Housing, ")
    every = headline.key_figures(TREE, covered=returned(portfolio.coverage(
        batch(), portfolios=UNITS, costs=TABLES["costs"], lineage=NO_LINEAGE)), since=BEFORE)  # fmt: skip
    assert "whole_life_cost_last_known" not in set(every["name"])


def test_key_figures_say_what_they_are_without() -> None:
    """A figure at the head of the page carries its n, and the portfolios that it lacks."""
    owed = batch(housing="failed")
    rows = FACTS[FACTS["portfolio_id"].ne("housing")]
    covered = portfolio.coverage(owed, portfolios=UNITS, costs=TABLES["costs"], lineage=NO_LINEAGE)
    key = headline.key_figures(tree_of(rows, owed=owed), covered=returned(covered), since=BEFORE).set_index("name")
    assert key.loc["portfolios_complete", ["value", "movement"]].tolist() == [2.0, "of 3"]
    assert key.loc["whole_life_cost", "value"] == pytest.approx(116.05)
    assert key.loc["whole_life_cost", "movement"].endswith("without housing")
    assert key.loc["in_year_variance_share", "movement"] == "under plan, n = 2, without housing"
    assert key.loc["sro_red_share", ["value", "movement"]].tolist() == [0.0, "of 4 rated"]


TRACKS = pd.DataFrame(
    [
        (
            project,
            "Any",
            f"2026-0{number}",
            pd.Timestamp(2026, number, 28),
            "design",
            pd.Timestamp(2027, number, 1),
            "f",
        )
        for project in ("A", "B")
        for number in (7, 8, 9)
    ],
    columns=cohorts.TRACK_COLUMNS,
)


def all_tables(costs: pd.DataFrame, *, tree: pd.DataFrame, owed: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the tables that a roll-up publishes, as its notebook puts them together."""
    history = TABLES["in_year"].assign(period=NOW)
    ratings = portfolio.rating_shares(TABLES["ratings"])
    none = costs.iloc[:0]
    return {
        "coverage": owed,
        "cost_bridge": portfolio.cost_bridge(costs, absent=none),
        "ratings": ratings,
        "disclosure": portfolio.disclosure_by_period(pd.DataFrame({"period": [NOW], "published": [True]})),
        "in_year": portfolio.in_year_by_period(history),
        "under_for_years": portfolio.under_for_years(history),
        "underspends": portfolio.underspends_by_year(pd.DataFrame(columns=["project_id", "year", "moved_days"])),
        "finishes": portfolio.finish_movements(pd.DataFrame(columns=["portfolio_id"]), since=BEFORE),
        "moves": structure.moves(costs),
        "clients": hierarchy.clients(FACTS, portfolios=UNITS),
        "finish_trend": cohorts.trend(TRACKS),
        "stage_slips": cohorts.slips_by_stage(TRACKS),
        **hierarchy.published(tree, costs=costs),
    }


def test_every_figure_has_one_name_and_a_value_or_a_reason() -> None:
    """Each published figure has a name of its own, and a null says why: the auditor finds it again by that name."""
    owed = batch()
    covered = portfolio.coverage(owed, portfolios=UNITS, costs=TABLES["costs"], lineage=NO_LINEAGE)
    tables = all_tables(TABLES["costs"], tree=TREE, owed=owed)
    figures = headline.headline(TREE, covered=returned(covered), since=BEFORE, tables=tables, period=NOW)
    assert figures["name"].is_unique
    assert figures.loc[figures["value"].isna(), "reason"].str.len().gt(0).all()
    values = figures.set_index("name")["value"]
    expected = {
        "projects": 5, "portfolios_complete": 3, "reports_owed": 9, "reports_published": 9, "reports_failed": 0,
        "whole_life_cost": 186.05, "whole_life_costs_known": 4, "whole_life_cost_re_based": 10.3,
        "whole_life_cost_no_figure_given": -20.2, "whole_life_cost_newly_published": 5.55, "in_year_plan": 84.0,
        "in_year_variance": -9.0, "sro_amber": 5, "sro_rated": 5, "sro_red_share": 0.0, "risks_open": 4,
        "exposure_net": 27.5, "exposure_opportunities": -5.0, "costs_published_share": 1.0, "projects_moved": 0,
        "slip_design_projects": 2, "slip_design_p50_days": 62,
    }  # fmt: skip
    assert {name: round(values[name], 6) for name in expected} == expected


def test_finishes_that_cannot_be_compared_are_no_zero() -> None:
    """Without a project that has a finish date in two reports in a row nothing is counted, and the figures say so."""
    owed = batch()
    covered = portfolio.coverage(owed, portfolios=UNITS, costs=TABLES["costs"], lineage=NO_LINEAGE)
    tables = all_tables(TABLES["costs"], tree=TREE, owed=owed)
    figures = headline.headline(TREE, covered=returned(covered), since=BEFORE, tables=tables, period=NOW)
    own = figures[figures["name"].str.startswith("finish")]
    assert own["name"].tolist() == ["finishes_compared", "finishes_later", "finish_later_median_days"]
    assert own["value"].isna().all()
    assert set(own["reason"]) == {"no project has a finish date in two reports in a row"}


def test_every_published_column_is_explained() -> None:
    """What the roll-up publishes is in the extract, and no column of it is left without a meaning."""
    owed = batch(housing="failed")
    tables = all_tables(TABLES["costs"], tree=tree_of(FACTS, owed=owed), owed=owed)
    figures = pd.DataFrame([("projects", 5.0, "projects", None)], columns=["name", "value", "unit", "reason"])
    totals = extracts.control_totals(figures, tables=tables).set_index("file")
    assert set(totals.index) == {f"{name}.csv" for name in (*tables, "figures")}
    assert totals.loc["whole_life_cost.csv", "rows"] == len(TABLES["costs"])
    minor = sum(round(100 * value) for name in ("before", "now") for value in TABLES["costs"][name].dropna())
    movements = 3 * round(100 * TABLES["costs"]["amount"].sum())
    assert totals.loc["whole_life_cost.csv", "minor_units"] == minor + movements - movements // 3


# --- properties -------------------------------------------------------------------------------------------------------

names = st.sampled_from(["a", "b", "c", "d"])
pence = st.one_of(st.none(), st.integers(-(10**12), 10**12).map(lambda minor: minor / 100))
project_rows = st.lists(st.tuples(names, st.sampled_from([None, "p", "q"]), pence, pence, pence), max_size=12)


def drawn_facts(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Return the facts of drawn projects: portfolio, programme, cost before and now, plan."""
    names = ["portfolio_id", "programme_id", "cost_before", "cost_now", "plan"]
    table = pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[2:], "float64"))
    ids = [f"X{n}" for n in range(len(rows))]
    table = table.assign(project_id=ids, name=ids, standing="here", currency="GBP", projects=1)
    table["rated:SRO:red"] = 1
    empty = {name: None for name in [*facts.PLACES, *facts.MEASURE_NAMES] if name not in table.columns}
    return table.assign(**empty)


def units_of(parents: dict[str, str | None]) -> pd.DataFrame:
    """Return portfolios with their parents."""
    rows = [(NOW, unit, parent, "portfolio", unit) for unit, parent in parents.items()]
    return pd.DataFrame(rows, columns=list(UNITS.columns[:5])).assign(hierarchy=None, currency="GBP")


@settings(max_examples=8, deadline=None)
@given(project_rows, st.dictionaries(names, st.sampled_from(["x", "y", None]), min_size=4, max_size=4))
def test_a_total_does_not_depend_on_the_grouping(rows: list[tuple[Any, ...]], parents: dict[str, str | None]) -> None:
    """Whatever units stand between project and enterprise, each node sums its children and the top is the same."""
    drawn = drawn_facts(rows)
    owed = owed_by({"a", "b", "c", "d"})
    units = units_of(parents)
    tree = tree_of(drawn, owed=owed, units=units)
    check_sums(tree)
    flat = tree_of(drawn, owed=owed, units=units.assign(parent_id=None))
    top, other = tree.iloc[0][facts.MEASURE_NAMES], flat.iloc[0][facts.MEASURE_NAMES]
    assert top.fillna(-1).tolist() == other.fillna(-1).tolist()
    exact_total = sum(round(row[3] * 100) for row in rows if row[3] is not None)
    assert round((0.0 if pd.isna(top["cost_now"]) else top["cost_now"]) * 100) == exact_total


@settings(max_examples=8, deadline=None)
@given(project_rows, st.sampled_from(["failed", "missing", "not returned", "refused"]))
def test_a_failed_portfolio_changes_only_marks(rows: list[tuple[Any, ...]], status: str) -> None:
    """A further portfolio without any report adds its own empty node and marks above it, and moves no number."""
    drawn = drawn_facts(rows)
    owed = owed_by({"a", "b", "c", "d"})
    lost = owed_by({"lost"}, status=status)
    units = units_of(dict.fromkeys(("a", "b", "c", "d", "lost")))
    whole = tree_of(drawn, owed=owed, units=units)
    marked = tree_of(drawn, owed=pd.concat([owed, lost], ignore_index=True), units=units)
    rated = [name for name in whole.columns if name.startswith(facts.RATED)]
    numbers = ["node_id", "parent_id", "depth", *facts.MEASURE_NAMES, *rated]
    rest = marked[marked["node_id"].ne("lost")].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest[numbers], whole[numbers])
    assert whole["complete"].all()
    assert not marked.iloc[0]["complete"]
    assert marked.set_index("node_id").loc["lost", facts.MEASURE_NAMES].isna().all()


reported = st.tuples(st.sampled_from([BEFORE, NOW]), names, st.integers(0, 5), pence)


@settings(max_examples=8, deadline=None)
@given(st.lists(reported, min_size=1, max_size=14), st.sets(names, max_size=2))
def test_a_bridge_ends_where_the_totals_do(rows: list[tuple[Any, ...]], silent: set[str]) -> None:
    """Whoever is silent, ended or took projects over: the causes add up from the last published total to this one."""
    stood = {(period, project): (unit, value) for period, unit, project, value in rows}
    everyone = [(period, unit, f"X{project}", value) for (period, project), (unit, value) in sorted(stood.items())]
    known = [row for row in everyone if row[0] == BEFORE or row[1] not in silent]
    history = costs_history(known) if known else TABLES["costs"].iloc[:0]
    here = {unit for period, unit, _, _ in everyone if period == NOW}
    owed = pd.concat([owed_by(here - silent), owed_by(silent, status="failed")], ignore_index=True)
    costs = facts.with_ended(history, batch=owed, period=NOW, since=BEFORE)
    absent = facts.without_report(history, batch=owed, period=NOW, since=BEFORE)
    steps = portfolio.cost_bridge(costs, absent=absent)
    first, last = (
        sum(round(100 * value) for period, _, _, value in known if period == which and value is not None)
        for which in (BEFORE, NOW)
    )
    if len(steps):
        amounts = (steps["amount"] * 100).round().astype("int64")
        assert (amounts.iloc[0], amounts.iloc[-1]) == (first, last)
        assert amounts.iloc[:-1].sum() == last
    about = about_costs(history, owed=owed)
    for figure in headline.bridge_figures(steps):
        told = explained(figure, about=about)
        assert told is not None
        assert sum(place["count"] for place in told.rows) == told.n


def about_costs(history: pd.DataFrame, *, owed: pd.DataFrame) -> Rollup:
    """Return what the figures of a roll-up are about, where only whole-life costs were published."""
    nothing = pd.DataFrame(columns=["portfolio_id", "period", "as_of", "report", "name", "value", "source_ref"])
    rows = pd.Series(range(len(history)), index=history.index).astype("str")
    tables = {
        "whole_life_cost": history.assign(source_ref=history["portfolio_id"] + ".json, row " + rows),
        "reports": owed.assign(period=NOW, usable=True, source_ref=owed["portfolio_id"] + owed["report"]),
    }
    between = movement.Between("", NOW, BEFORE)
    return Rollup(lambda name: tables.get(name, nothing), between, COUNCIL, pd.Timestamp("2026-09-30"))


periods = st.sampled_from(["2026-07", BEFORE, NOW])
stands = st.lists(st.tuples(periods, names, st.integers(0, 6), pence), min_size=1, max_size=20)
ways = st.lists(st.tuples(names, names, st.sampled_from(["renamed", "merged", "split", "transferred"])), max_size=5)


@settings(max_examples=8, deadline=None)
@given(stands, ways)
def test_both_structures_have_equal_totals(rows: list[tuple[Any, ...]], steps: list[tuple[str, str, str]]) -> None:
    """In each period both structures hold the same projects and the same money, whatever the lineage says."""
    table = pd.DataFrame(rows, columns=["period", "portfolio_id", "project_id", "now"]).astype({"now": "float64"})
    table = table.assign(project_id="X" + table["project_id"].astype("str"), currency="GBP")
    table = table.drop_duplicates(["period", "project_id"])
    projects, lineage = table[["period", "portfolio_id", "project_id"]], lineage_of(*steps)
    both = structure.structures(projects, costs_history=table, lineage=lineage, portfolios=UNITS)
    assert set(both["period"]) == (set(table["period"]) if table["period"].nunique() > 1 else set())
    for period, group in both.groupby("period"):
        own = table[table["period"].eq(period)]
        assert group["projects_then"].sum() == group["projects_today"].sum() == len(own)
        assert exact(group["cost_then"]) == exact(group["cost_today"]) == exact(own["now"])
        assert exact(group["difference"]) == 0.0
    latest = both[both["period"].eq(both["period"].max())]
    assert latest["difference"].eq(0).all()
