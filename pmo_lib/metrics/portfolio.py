"""The whole of an organisation, made only of what its portfolios' reports published.

First who is in it and who is not, then whether every total is the sum of its rows, then the same questions that a
portfolio's reports answer, asked of all of them at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.contracts.tables import RATINGS
from pmo_lib.errors import ReportError
from pmo_lib.metrics.facts import (
    FINANCE,
    HEALTH,
    KEY,
    MEASURES,
    RATED,
    RISK,
    exact_sum,
    in_form,
    major_units,
    minor_units,
    one_currency,
    unit_names,
)  # fmt: skip
from pmo_lib.metrics.movement import (
    JOINED,
    LEFT,
    MOVED_IN,
    MOVED_OUT,
    NEVER,
    PUBLISHED,
    REBASED,
    STAYED,
    UNCHANGED,
    WITHDRAWN,
    decomposition,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REPORT = "report:"
COMPLETE, INCOMPLETE, NOTHING, ENDED = "complete", "incomplete", "nothing published", "no longer returns"
COVERAGE_STATES = (NOTHING, INCOMPLETE, ENDED, COMPLETE)
BETWEEN_PORTFOLIOS = "moved between portfolios"
# In the order in which a bridge is read: what went, what changed, what came.
BRIDGE = (LEFT, MOVED_OUT, WITHDRAWN, REBASED, PUBLISHED, MOVED_IN, JOINED)
RECONCILED_COLUMNS = [
    "measure", "unit", "portfolio_id", "portfolios", "rows", "rows_sum", "figures_sum", "tree_sum", "agrees",
]  # fmt: skip


@dataclass(frozen=True)
class Check:
    """A measure whose rows a report also published as one figure."""

    measure: str
    report: str
    figure: str


CHECKS = (
    Check("projects", HEALTH, "projects"),
    Check("cost_before", FINANCE, "whole_life_cost_before"),
    Check("cost_now", FINANCE, "whole_life_cost_now"),
    Check("cost_movement", FINANCE, "whole_life_cost_movement"),
    Check("plan", FINANCE, "in_year_plan"),
    Check("outlook", FINANCE, "in_year_outlook"),
    Check("variance", FINANCE, "in_year_variance"),
    Check("risks_open", RISK, "risks_open"),
    Check("exposure", RISK, "exposure_net"),
)


def coverage(
    batch: pd.DataFrame, *, portfolios: pd.DataFrame, costs: pd.DataFrame, lineage: pd.DataFrame
) -> pd.DataFrame:
    """Say of each portfolio which of its reports are published, and why the others are not.

    Parameters
    ----------
    batch
        ``portfolio_id, report, status, stage, cause`` of every report that is owed.
    portfolios
        History of the contract table ``portfolios``.
    costs
        The published table ``whole_life_cost`` of all periods, for what was last known of a missing portfolio.
    lineage
        The contract table ``lineage``, for what became of a portfolio that no longer returns.

    Returns
    -------
    DataFrame
        One row per portfolio, those that lack something first: ``portfolio_id, name, state`` (nothing published,
        incomplete, no longer returns, complete), ``published, owed`` (numbers of reports), ``report:<name>`` (the status of
        each), ``cause, last_period, last_cost, currency``. A portfolio of the period before that owes nothing now is
        listed as ``no longer returns`` with what became of it.
    """
    wide = batch.pivot(index="portfolio_id", columns="report", values="status")[list(dict.fromkeys(batch["report"]))]
    published = wide.eq("published").sum(axis="columns")
    names = unit_names(portfolios)
    table = wide.add_prefix(REPORT).assign(
        published=published,
        owed=len(wide.columns),
        state=[_state(done, owed=len(wide.columns)) for done in published],
        cause=[_causes_of(rows) for _, rows in batch.groupby("portfolio_id", sort=True)],
    )
    table = pd.concat([table, _ended(portfolios, known=wide.index, lineage=lineage)])
    table = table.join(_last_known(costs).where(table["state"].ne(COMPLETE)), how="left")
    table = table.assign(name=names.reindex(table.index).fillna(pd.Series(table.index, index=table.index)))
    table["rank"] = table["state"].map({state: rank for rank, state in enumerate(COVERAGE_STATES)})
    ordered = table.rename_axis("portfolio_id").reset_index().sort_values(["rank", "name"], kind="stable")
    first = ["portfolio_id", "name", "state", "published", "owed"]
    reports = [column for column in ordered.columns if column.startswith(REPORT)]
    return ordered[[*first, *reports, "cause", "last_period", "last_cost", "currency"]].reset_index(drop=True)


def reconciliation(facts: pd.DataFrame, *, figures: pd.DataFrame, tree: pd.DataFrame, period: str) -> pd.DataFrame:
    """Prove that Σ project rows = each portfolio's published figure = the total of the hierarchy, in minor units.

    Parameters
    ----------
    facts, tree
        Results of :func:`pmo_lib.metrics.facts.project_facts` and :func:`pmo_lib.metrics.hierarchy.rollup`.
    figures
        All published figures: ``portfolio_id, period, report, name, value``.

    Returns
    -------
    DataFrame
        ``measure, unit, portfolio_id`` ("" for the whole), ``portfolios, rows`` (project rows with a value), ``rows_sum,
        figures_sum, tree_sum`` (null in the rows of one portfolio), ``agrees`` (always true: see below).

    Raises
    ------
    ReportError
        A sum that is not the published figure, or a figure that was not published: no roll-up is made of it.
    """
    ours = figures[figures["period"].eq(period)]
    parts = [_checked(check, facts=facts, figures=ours, tree=tree) for check in CHECKS]
    table = pd.DataFrame([row for part in parts for row in part], columns=RECONCILED_COLUMNS)
    broken = table[~table["agrees"]]
    if len(broken):
        words = [
            f"{row['measure']} of {row['portfolio_id'] or 'the whole'}: rows {row['rows_sum']:,.2f}, "
            f"published {row['figures_sum']:,.2f}, hierarchy {row['tree_sum']:,.2f}"
            for row in broken.head(5).to_dict("records")
        ]
        raise ReportError(
            f"{len(broken)} totals do not reconcile: {'; '.join(words)}",
            fix="run the reports of these portfolios again; if it stays, their figures are not sums of their tables",
            stage="notebook",
            broken=broken.to_dict("records"),
        )
    return table


def cost_bridge(costs: pd.DataFrame) -> pd.DataFrame:
    """Return the movement of whole-life cost project by project, as the organisation sees it.

    A project that moved between two of our portfolios has not left: its two rows become one, with the cause that it
    would have had if it had stayed.

    Parameters
    ----------
    costs
        The published table ``whole_life_cost`` of one period.

    Returns
    -------
    DataFrame
        ``project_id, name, before, now, cause, amount, from_id, to_id, currency``; ``from_id`` and ``to_id`` only where the
        project moved. Σ ``amount`` = Σ ``now`` − Σ ``before`` = Σ ``amount`` of ``costs``.
    """
    columns = [*KEY, "name", "before", "now", "cause", "amount", "currency"]
    rows = in_form(costs, columns=columns)[columns].reset_index(drop=True)
    went = rows[rows["cause"].eq(MOVED_OUT)].set_index("project_id")
    came = rows[rows["cause"].eq(MOVED_IN)].set_index("project_id")
    paired = went.index.intersection(came.index)
    moved = came.loc[paired].assign(before=went["before"], movement=STAYED).reset_index()
    joined_up = decomposition(moved).assign(
        from_id=went.loc[paired, "portfolio_id"].to_numpy(),
        to_id=moved["portfolio_id"],
        currency=moved["currency"],
    )
    alone = rows[~(rows["cause"].isin([MOVED_IN, MOVED_OUT]) & rows["project_id"].isin(paired))]
    alone = alone.assign(
        from_id=alone["portfolio_id"].where(alone["cause"].eq(MOVED_OUT)),
        to_id=alone["portfolio_id"].where(alone["cause"].eq(MOVED_IN)),
    )
    whole = pd.concat([part for part in (alone, joined_up) if len(part)] or [alone], ignore_index=True)
    names = ["project_id", "name", "before", "now", "cause", "amount", "from_id", "to_id", "currency"]
    order = whole.assign(size=whole["amount"].astype("float64").abs())
    return order.sort_values(["size", "project_id"], ascending=[False, True], kind="stable")[names].reset_index(drop=True)


def cost_bridge_steps(bridge: pd.DataFrame) -> pd.DataFrame:
    """Sum a bridge by cause, from the earlier total to the total now.

    Returns
    -------
    DataFrame
        ``step, amount, projects, is_total, moved, currency``: before, one row per cause with any project, now.
        ``projects`` of a total are those with a single figure. The step ``moved between portfolios`` has the
        amount 0 and in ``moved`` what was given away and taken over, at its earlier value. Empty without rows.
    """
    compared = bridge["before"].notna().any()
    if bridge.empty or not compared:
        return pd.DataFrame(columns=["step", "amount", "projects", "is_total", "moved", "currency"])
    by_cause = [(cause, bridge[bridge["cause"].eq(cause)]) for cause in BRIDGE]
    within = bridge[bridge["from_id"].notna() & bridge["to_id"].notna()]
    steps: list[tuple[str, float, int, bool, float | None]] = [
        ("before", exact_sum(bridge["before"]), int(bridge["before"].notna().sum()), True, None),
        *((cause, exact_sum(rows["amount"]), len(rows), False, None) for cause, rows in by_cause if len(rows)),
    ]
    if len(within):
        steps.append((BETWEEN_PORTFOLIOS, 0.0, len(within), False, exact_sum(within["before"])))
    steps.append(("now", exact_sum(bridge["now"]), int(bridge["now"].notna().sum()), True, None))
    table = pd.DataFrame(steps, columns=["step", "amount", "projects", "is_total", "moved"])
    return table.assign(currency=one_currency(bridge))


def rating_shares(ratings_history: pd.DataFrame) -> pd.DataFrame:
    """Count the ratings of the whole organisation by period, rater and scale.

    Parameters
    ----------
    ratings_history
        The published table ``ratings`` of all periods.

    Returns
    -------
    DataFrame
        ``period, assessor_role, rating_scale, rating, projects, rated, share``; ``share`` is of ``rated``, the ratings by
        that rater in that period; projects without a rating are not in it.
    """
    columns = ["period", "assessor_role", "rating_scale", "rating"]
    rows = in_form(ratings_history, columns=[*columns, "project_id"])
    rated = rows[rows["rating"].notna()].astype(dict.fromkeys(columns, "str"))
    table = rated.groupby(columns).size().rename("projects").reset_index()
    table["rated"] = table.groupby(columns[:3])["projects"].transform("sum")
    table["share"] = table["projects"] / table["rated"]
    table["order"] = table["rating"].map({name: place for place, name in enumerate(RATINGS)})
    return table.sort_values([*columns[:3], "order"], kind="stable").drop(columns="order").reset_index(drop=True)


def in_year_by_period(in_year_history: pd.DataFrame) -> pd.DataFrame:
    """Return plan, outlook and variance of the whole organisation in each period.

    Returns
    -------
    DataFrame
        ``period, projects, in_year_known, plan, outlook, variance, variance_share, currency``; the sums are over the
        projects that published both plan and outlook (``in_year_known``), so that like stands against like.
    """
    rows = in_form(in_year_history, columns=["period", "plan", "outlook", "currency"])
    both = rows["plan"].notna() & rows["outlook"].notna()
    table = [
        _year(str(period), rows=group, known=group[both.loc[group.index]])
        for period, group in rows.groupby("period", sort=True)
    ]
    names = ["period", "projects", "in_year_known", "plan", "outlook", "variance", "variance_share", "currency"]
    return pd.DataFrame(table, columns=names)


def disclosure_by_period(disclosure_history: pd.DataFrame) -> pd.DataFrame:
    """Return the share of projects whose whole-life cost is published: ``period, projects, published, share``."""
    rows = in_form(disclosure_history, columns=["period", "published"])
    grouped = rows.assign(published=rows["published"].astype("boolean").fillna(value=False)).groupby("period", sort=True)
    table = pd.DataFrame({"projects": grouped.size(), "published": grouped["published"].sum().astype("int64")})
    return table.assign(share=table["published"] / table["projects"]).reset_index()


def exposure_by_portfolio(tree: pd.DataFrame) -> pd.DataFrame:
    """Return open risks and their expected money by portfolio, the largest net exposure first.

    Returns
    -------
    DataFrame
        ``unit_id, name, risks_open, risks_unquantified, threats, opportunities, exposure, reason, currency``; portfolios
        without a register have nulls and the reason. Empty where no portfolio has any risk.
    """
    names = ["unit_id", "name", "risks_open", "risks_unquantified", "threats", "opportunities", "exposure"]
    rows = tree[tree["level"].isin(["portfolio", "sub_portfolio"])]
    lacking = rows.get(f"without:{RISK}", pd.Series("", index=rows.index)).ne("")
    reason = pd.Series("no register was returned", index=rows.index).mask(lacking, "its risk register is missing")
    table = rows[names].assign(
        reason=reason.mask(rows["risks_open"].notna(), "nothing is quantified in money"), currency=rows["currency"]
    )
    table = table if rows["risks_open"].notna().any() else table.iloc[:0]
    return table.sort_values(["exposure", "name"], ascending=[False, True], kind="stable").reset_index(drop=True)


def _state(published: int, *, owed: int) -> str:
    return COMPLETE if published == owed else INCOMPLETE if published else NOTHING


def _causes_of(rows: pd.DataFrame) -> str:
    """Say in one line what is not published of one portfolio and why; the same cause is said once."""
    words: dict[str, list[str]] = {}
    for row in rows[rows["status"].ne("published")].to_dict("records"):
        stage = f" in the {row['stage']}" if pd.notna(row["stage"]) and row["stage"] else ""
        cause = f": {row['cause']}" if pd.notna(row["cause"]) and row["cause"] else ""
        words.setdefault(f"{row['status']}{stage}{cause}", []).append(str(row["report"]).replace("_", " "))
    return "; ".join(f"{', '.join(reports)} {what}" for what, reports in words.items())


def _ended(portfolios: pd.DataFrame, *, known: pd.Index, lineage: pd.DataFrame) -> pd.DataFrame:
    """Return the portfolios of the period before that owe nothing now, with what became of them."""
    periods = sorted(set(portfolios["period"]))
    before = portfolios[portfolios["period"].eq(periods[-2] if len(periods) > 1 else "")]
    above = set(before["parent_id"].dropna())
    gone = [unit for unit in sorted(before["portfolio_id"]) if unit not in known and unit not in above]
    causes = [_became(unit, lineage=lineage) for unit in gone]
    return pd.DataFrame({"published": 0, "owed": 0, "state": ENDED, "cause": causes}, index=pd.Index(gone, dtype="object"))


def _became(unit: str, *, lineage: pd.DataFrame) -> str:
    rows = lineage[lineage["from_id"].eq(unit) & lineage["project_id"].isna()]
    ways = [f"{row['kind']} into {row['to_id']}" for row in rows.drop_duplicates(["kind", "to_id"]).to_dict("records")]
    return ", ".join(ways) or "in the returns of the period before, not in these"


def _last_known(costs: pd.DataFrame) -> pd.DataFrame:
    """Return, by portfolio, the last period with a published whole-life cost, and that cost."""
    rows = in_form(costs, columns=["portfolio_id", "period", "now", "currency"])
    known = rows[rows["now"].notna()]
    last = known[known["period"].eq(known.groupby("portfolio_id")["period"].transform("max"))]
    grouped = last.assign(minor=minor_units(last["now"])).groupby("portfolio_id")
    table = grouped.agg(last_period=("period", "first"), minor=("minor", "sum"), currency=("currency", "first"))
    return table.assign(last_cost=major_units(table["minor"]))[["last_period", "last_cost", "currency"]]


def _checked(
    check: Check, *, facts: pd.DataFrame, figures: pd.DataFrame, tree: pd.DataFrame
) -> Iterator[Mapping[str, Any]]:
    """Yield one row per portfolio, and one for the whole: what the rows, the figures and the tree say, and if it agrees."""
    money = next(measure.kind == "money" for measure in MEASURES if measure.name == check.measure)
    scale = 100 if money else 1
    named = figures[figures["report"].eq(check.report)]
    owed = sorted(set(named["portfolio_id"]) - {""})
    said = named[named["name"].eq(check.figure)].set_index("portfolio_id")["value"]
    rows = facts[facts[check.measure].notna()].groupby("portfolio_id")[check.measure]
    sums = {str(portfolio): round(exact_sum(values) * scale) for portfolio, values in rows}
    lengths = {str(portfolio): len(values) for portfolio, values in rows}
    unit = one_currency(facts) if money else check.measure
    wholes = [0, 0, 0]
    for portfolio in owed:
        value = said.get(portfolio)
        figure = 0 if value is None or pd.isna(value) else round(float(value) * scale)
        agrees = portfolio in said.index and figure == sums.get(portfolio, 0)
        wholes = [wholes[0] + sums.get(portfolio, 0), wholes[1] + figure, wholes[2] + lengths.get(portfolio, 0)]
        yield {
            "measure": check.measure, "unit": unit, "portfolio_id": portfolio, "portfolios": 1,
            "rows": lengths.get(portfolio, 0), "rows_sum": sums.get(portfolio, 0) / scale, "figures_sum": figure / scale,
            "tree_sum": None, "agrees": agrees,
        }  # fmt: skip
    top = tree.loc[tree["parent_id"].isna(), check.measure]
    in_tree = round(exact_sum(top) * scale)
    yield {
        "measure": check.measure, "unit": unit, "portfolio_id": "", "portfolios": len(owed), "rows": wholes[2],
        "rows_sum": wholes[0] / scale, "figures_sum": wholes[1] / scale, "tree_sum": in_tree / scale,
        "agrees": wholes[0] == wholes[1] == in_tree,
    }  # fmt: skip


def _year(period: str, *, rows: pd.DataFrame, known: pd.DataFrame) -> dict[str, Any]:
    plan, outlook = exact_sum(known["plan"]), exact_sum(known["outlook"])
    variance = round((outlook - plan) * 100) / 100
    return {
        "period": period,
        "projects": len(rows),
        "in_year_known": len(known),
        "plan": plan,
        "outlook": outlook,
        "variance": variance,
        "variance_share": variance / plan if plan else None,
        "currency": one_currency(rows),
    }


__all__ = ["BRIDGE", "CHECKS", "NEVER", "RATED", "UNCHANGED", "Sequence"]
