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
from pmo_lib.metrics.bridge import BRIDGE_COLUMNS, FIRST, bridge_steps
from pmo_lib.metrics.facts import (
    FINANCE,
    HEALTH,
    MEASURES,
    NO_REPORT,
    RISK,
    exact_sum,
    in_form,
    one_currency,
    unit_names,
)
from pmo_lib.metrics.money import major_units, minor_units
from pmo_lib.metrics.movement import MOVED_IN, MOVED_OUT, NOT_RETURNED, RETURNED
from pmo_lib.metrics.ratings import RATING_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REPORT = "report:"
YEAR_COLUMNS = ["projects", "in_year_known", "plan", "outlook", "variance", "variance_share", "currency"]
PORTFOLIOS = ("portfolio", "sub_portfolio")
LAST_KNOWN = "last known"
COMPLETE, INCOMPLETE, NOTHING, ENDED = "complete", "incomplete", "nothing published", "no longer returns"
YEARS_RUNNING = 4
COVERAGE_STATES = (NOTHING, INCOMPLETE, ENDED, COMPLETE)
RECONCILED_COLUMNS = [
    "measure", "unit", "portfolio_id", "portfolios", "rows", "rows_sum", "figures_sum", "ended_sum", "tree_sum",
    "agrees",
]  # fmt: skip


@dataclass(frozen=True)
class Check:
    """A measure whose rows a report also published as one figure.

    An estimate is a product that was rounded once in each row and once in the figure: they may differ by half a minor
    unit for each rounding. Everything else is exact.
    """

    measure: str
    report: str
    figure: str
    estimate: bool = False


CHECKS = (
    Check("projects", HEALTH, "projects"),
    Check("cost_before", FINANCE, "whole_life_cost_before"),
    Check("cost_now", FINANCE, "whole_life_cost"),
    Check("costs_known", FINANCE, "projects_with_whole_life_cost"),
    Check("plan", FINANCE, "in_year_plan"),
    Check("outlook", FINANCE, "in_year_outlook"),
    Check("variance", FINANCE, "in_year_variance"),
    Check("in_year_known", FINANCE, "in_year_projects"),
    Check("risks_open", RISK, "risks_open"),
    Check("exposure", RISK, "exposure_net", estimate=True),
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
        incomplete, no longer returns, complete), ``published, owed`` (numbers of reports), ``report:<name>`` (the
        status of each; last known where its page shows an earlier report), ``cause, last_period, last_cost, currency``.
        A portfolio of the period before that owes nothing now stands as ``no longer returns`` with what became of it.
    """
    owed = in_form(batch, columns=["as_of"])
    silent = owed["as_of"].notna() & owed["status"].ne("published")
    owed = owed.assign(status=owed["status"].mask(silent, LAST_KNOWN))
    wide = owed.pivot(index="portfolio_id", columns="report", values="status")[list(dict.fromkeys(batch["report"]))]
    published = (wide == "published").sum(axis="columns")
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
        ``measure, unit, portfolio_id`` ("" for the whole), ``portfolios, rows`` (project rows with a value),
        ``rows_sum, figures_sum``, for the whole also ``ended_sum`` (what portfolios held that are no longer there and
        make no report) and ``tree_sum`` = rows_sum + ended_sum, ``agrees`` (always true: see below). A sum of no
        rows is null.

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
            f"published {row['figures_sum']:,.2f}, hierarchy {row['tree_sum']:,.2f}".replace("nan", "none")
            for row in broken.head(5).to_dict("records")
        ]
        raise ReportError(
            f"{len(broken)} totals do not reconcile: {'; '.join(words)}",
            fix="run the reports of these portfolios again; if it stays, their figures are not sums of their tables",
            stage="notebook",
            broken=broken.to_dict("records"),
        )
    return table


def cost_bridge(costs: pd.DataFrame, *, absent: pd.DataFrame) -> pd.DataFrame:
    """Sum the movement of whole-life cost by cause, from the last published total to this one.

    Parameters
    ----------
    costs
        Result of :func:`pmo_lib.metrics.facts.with_ended`.
    absent
        Result of :func:`pmo_lib.metrics.facts.without_report`: in the total before, in no total now.

    Returns
    -------
    DataFrame
        ``step, kind`` (total or cause), ``amount, projects, valued`` (projects with a figure), ``currency``: the form
        of :func:`pmo_lib.metrics.bridge.bridge_steps`. ``moved in`` and ``moved out`` are at the value before the move,
        so that they net to zero if every portfolio reports. Empty if there is no earlier total.
    """
    rows = in_form(costs, columns=["portfolio_id", *BRIDGE_COLUMNS])
    moved = absent[absent["cause"].eq(MOVED_OUT)]
    whole = pd.concat([part for part in (rows, moved) if len(part)] or [rows], ignore_index=True)
    steps = bridge_steps(whole.assign(currency=one_currency(whole)).astype({"since_cause": "object"}))
    if steps.empty or not steps["projects"].iloc[0]:
        return steps.iloc[:0]
    silent = absent[absent["cause"].eq(NO_REPORT)]
    if silent.empty:
        return steps
    lost: dict[str, Any] = {
        "step": NO_REPORT, "kind": "cause", "amount": exact_sum(silent["amount"]), "projects": len(silent),
        "valued": int(silent["before"].notna().sum()), "currency": one_currency(whole, silent),
    }  # fmt: skip
    opening = steps.iloc[[0]].assign(
        amount=exact_sum(pd.Series([steps["amount"].iloc[0], -lost["amount"]])),
        projects=steps["projects"].iloc[0] + lost["projects"],
        valued=steps["valued"].iloc[0] + lost["valued"],
    )
    return pd.concat([opening, pd.DataFrame([lost]), steps.iloc[1:]], ignore_index=True)


def largest_movements(costs: pd.DataFrame, *, largest: int = 15) -> pd.DataFrame:
    """List the projects whose whole-life cost moved the organisation's total most.

    Parameters
    ----------
    costs
        The published table ``whole_life_cost`` of one period; a project that moved between portfolios counts once, with
        what changed since it stood in the other one; what was not returned has not moved.

    Returns
    -------
    DataFrame
        ``project_id, name, portfolio_id, from_id`` (null unless it moved), ``before, now, cause, amount, reason,
        currency``, the largest amount first.
    """
    rows = in_form(costs, columns=["portfolio_id", *BRIDGE_COLUMNS])
    still = ["", FIRST, NOT_RETURNED, RETURNED]
    rows = rows[~rows["since_cause"].fillna("").isin(still) & rows["since_amount"].fillna(0.0).ne(0.0)]
    came = rows["cause"].eq(MOVED_IN)
    table = rows.assign(
        from_id=rows["other_portfolio_id"].where(came),
        before=rows["before"].astype(object).mask(came, rows["moved_amount"]),
        cause=rows["since_cause"],
        amount=rows["since_amount"].astype("float64"),
    )
    names = ["project_id", "name", "portfolio_id", "from_id", "before", "now", "cause", "amount", "reason", "currency"]
    order = table.assign(size=table["amount"].abs())
    return order.sort_values(["size", "project_id"], ascending=[False, True], kind="stable")[names].head(largest)


def rating_shares(ratings_history: pd.DataFrame) -> pd.DataFrame:
    """Count the ratings of the whole organisation by period, rater and scale.

    Parameters
    ----------
    ratings_history
        The published table ``ratings`` of all periods.

    Returns
    -------
    DataFrame
        ``period, assessor_role, rating_scale, rating, projects, rated, share``; ``share`` is of ``rated``, the ratings
        by that rater in that period. ``rating`` also takes ``withheld`` and ``not rated``, which have no share; a
        project of which nobody said anything is in no row. Empty where nobody ever gave or withheld a rating.
    """
    columns = ["period", "assessor_role", "rating_scale", "rating"]
    rows = in_form(ratings_history, columns=[*columns, "rating_reason"])
    silence = rows["rating_reason"].astype("str").str.startswith("withheld").map({True: "withheld", False: "not rated"})
    kinds = rows["rating"].astype(object).where(rows["rating"].notna(), silence)
    said = rows.assign(rating=kinds)[rows["assessor_role"].notna()].astype(dict.fromkeys(columns, "str"))
    table = said.groupby(columns).size().rename("projects").reset_index()
    known = table["rating"].isin(RATINGS)
    table["rated"] = table["projects"].where(known, 0).groupby([table[name] for name in columns[:3]]).transform("sum")
    table["share"] = (table["projects"] / table["rated"]).where(known)
    table = table if table["rating"].ne("not rated").any() else table.iloc[:0]
    table["order"] = table["rating"].map({name: place for place, name in enumerate(RATING_KINDS)})
    return table.sort_values([*columns[:3], "order"], kind="stable").drop(columns="order").reset_index(drop=True)


def in_year_by_period(in_year_history: pd.DataFrame) -> pd.DataFrame:
    """Return plan, outlook and variance of the whole organisation in each period.

    Returns
    -------
    DataFrame
        ``period, projects, in_year_known, plan, outlook, variance, variance_share, currency``; the sums are over the
        projects that published both plan and outlook (``in_year_known``), so that like stands against like; a period in
        which none did is left out.
    """
    rows = in_form(in_year_history, columns=["period", "plan", "outlook", "currency"])
    both = rows["plan"].notna() & rows["outlook"].notna()
    table = [
        _year(str(period), rows=group, known=group[both.loc[group.index]])
        for period, group in rows.groupby("period", sort=True)
        if both.loc[group.index].any()
    ]
    return pd.DataFrame(table, columns=["period", *YEAR_COLUMNS])


def in_year_by_portfolio(tree: pd.DataFrame) -> pd.DataFrame:
    """Return the year of each portfolio, the furthest from plan (as a share of it) first.

    Returns
    -------
    DataFrame
        ``unit_id, name, projects, in_year_known, plan, outlook, variance, variance_share, currency``; portfolios with
        neither plan nor outlook are not in it.
    """
    rows = tree[tree["level"].isin(PORTFOLIOS) & tree["in_year_known"].fillna(0).gt(0)]
    share = rows["variance"] / rows["plan"].where(rows["plan"].ne(0))
    order = rows.assign(variance_share=share, size=share.abs())
    order = order.sort_values(["size", "name"], ascending=[False, True], kind="stable")
    return order[["unit_id", "name", *YEAR_COLUMNS]].reset_index(drop=True)


def disclosure_by_period(disclosure_history: pd.DataFrame) -> pd.DataFrame:
    """Return the share of projects whose whole-life cost is published: ``period, projects, published, share``."""
    rows = in_form(disclosure_history, columns=["period", "published"])
    flags = rows["published"].astype("boolean").fillna(value=False)
    grouped = rows.assign(published=flags).groupby("period", sort=True)
    table = pd.DataFrame({"projects": grouped.size(), "published": grouped["published"].sum().astype("int64")})
    return table.assign(share=table["published"] / table["projects"]).reset_index()


def finish_movements(finish_movement: pd.DataFrame, *, since: str | None) -> pd.DataFrame:
    """Return the movements of all finishes in the form of :func:`pmo_lib.metrics.schedule.finishes`, largest first.

    Parameters
    ----------
    finish_movement
        The published table of that name, of one period.
    since
        The period that they are compared with.

    Returns
    -------
    DataFrame
        ``portfolio_id, project_id, name, finish_before_on, finish_on, moved_days, reason, basis, since, flag``.
    """
    names = ["project_id", "name", "finish_before_on", "finish_on", "moved_days", "reason", "basis"]
    rows = in_form(finish_movement, columns=["portfolio_id", *names])[["portfolio_id", *names]]
    order = rows.assign(since=since, flag="", size=rows["moved_days"].astype("float64"))
    order = order.sort_values(["size", "name"], ascending=[False, True], kind="stable")
    return order.drop(columns="size").reset_index(drop=True)


def under_for_years(in_year: pd.DataFrame, *, years: int = YEARS_RUNNING) -> pd.DataFrame:
    """List the projects whose outlook was under plan in every one of the last years.

    Parameters
    ----------
    in_year
        The published table of that name, of one period; what counts as under is the organisation's tolerance.
    years
        Number of years in a row.

    Returns
    -------
    DataFrame
        ``project_id, name, portfolio_id, years_under, variance, variance_share, known, years, currency``, the longest
        run first; ``known`` is the number of projects with a share in each of these ``years``: the n of the rows.
    """
    columns = ["project_id", "name", "portfolio_id", "years_under", "variance", "variance_share"]
    rows = in_form(in_year, columns=[*columns, "years_known", "currency"])
    known = int(rows["years_known"].fillna(0).ge(years).sum())
    under = rows[rows["years_under"].fillna(0).ge(years)].assign(known=known, years=years)
    by = ["years_under", "variance_share", "project_id"]
    order = under.sort_values(by, ascending=[False, True, True], kind="stable")
    return order[[*columns, "known", "years", "currency"]].reset_index(drop=True)


def underspends_by_year(underspend_history: pd.DataFrame) -> pd.DataFrame:
    """Count, year by year, the large underspends after which the same finish, or an earlier one, is still promised.

    Parameters
    ----------
    underspend_history
        The published table ``underspend`` of all periods; a project-year that several reports list counts once.

    Returns
    -------
    DataFrame
        ``year, underspends`` (project-years with a large underspend and both finishes), ``kept`` (the finish did not
        move later), ``share, not_dated`` (with a large underspend, but a finish is missing).
    """
    columns = ["project_id", "year", "moved_days"]
    rows = in_form(underspend_history, columns=columns).drop_duplicates(["project_id", "year"], keep="last")
    days = rows["moved_days"].astype("float64")
    grouped = rows.assign(dated=days.notna(), kept=days.le(0), silent=days.isna()).groupby("year", sort=True)
    table = grouped[["dated", "kept", "silent"]].sum().astype("int64")
    table = table.rename(columns={"dated": "underspends", "silent": "not_dated"}).reset_index()
    table["share"] = table["kept"] / table["underspends"].where(table["underspends"].gt(0))
    return table[["year", "underspends", "kept", "share", "not_dated"]]


def exposure_by_portfolio(tree: pd.DataFrame) -> pd.DataFrame:
    """Return open risks and their expected money by portfolio, the largest net exposure first.

    Returns
    -------
    DataFrame
        ``unit_id, name, risks_open, risks_unquantified, threats, opportunities, exposure, reason, currency``;
        portfolios without a register have nulls and the reason. Empty where no portfolio has any risk.
    """
    names = ["unit_id", "name", "risks_open", "risks_unquantified", "threats", "opportunities", "exposure"]
    rows = tree[tree["level"].isin(PORTFOLIOS) & tree["standing"].eq("here") & tree["projects"].notna()]
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
    before = before[before["hierarchy"].ne("client")]
    above = set(before["parent_id"].dropna())
    gone = [unit for unit in sorted(before["portfolio_id"]) if unit not in known and unit not in above]
    causes = [_became(unit, lineage=lineage) for unit in gone]
    index = pd.Index(gone, dtype="object")
    return pd.DataFrame({"published": 0, "owed": 0, "state": ENDED, "cause": causes}, index=index)


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


@dataclass(frozen=True)
class _Sums:
    """What rows, figures and tree say of one measure, in minor units (or whole counts)."""

    scale: int
    rows: dict[str, int]
    lengths: dict[str, int]
    figures: dict[str, int]
    tree: int


def _checked(
    check: Check, *, facts: pd.DataFrame, figures: pd.DataFrame, tree: pd.DataFrame
) -> Iterator[Mapping[str, Any]]:
    """Yield one row per portfolio, and one for the whole: what rows, figures and tree say, and whether they agree."""
    named = figures[figures["report"].eq(check.report)]
    owed = sorted(set(named["portfolio_id"]) - {""})
    sums = _sums(check, facts=facts, figures=named, tree=tree)
    count_of = "risks" if check.report == RISK else "projects"
    unit = one_currency(facts) if sums.scale > 1 else count_of
    for portfolio in owed:
        here, said, count = sums.rows.get(portfolio, 0), sums.figures.get(portfolio), sums.lengths.get(portfolio, 0)
        yield {
            "measure": check.measure, "unit": unit, "portfolio_id": portfolio, "portfolios": 1, "rows": count,
            "rows_sum": _told(here, scale=sums.scale, known=count), "ended_sum": None, "tree_sum": None,
            "figures_sum": _told(said or 0, scale=sums.scale, known=said or count),
            "agrees": said is not None and abs(here - said) <= _slack(check, rows=count),
        }  # fmt: skip
    here, said = (sum(values.get(portfolio, 0) for portfolio in owed) for values in (sums.rows, sums.figures))
    count = sum(sums.lengths.get(portfolio, 0) for portfolio in owed)
    ended = sum(value for portfolio, value in sums.rows.items() if portfolio not in owed)
    yield {
        "measure": check.measure, "unit": unit, "portfolio_id": "", "portfolios": len(owed), "rows": count,
        "rows_sum": _told(here, scale=sums.scale, known=count),
        "ended_sum": _told(ended, scale=sums.scale, known=ended),
        "figures_sum": _told(said, scale=sums.scale, known=said or count),
        "tree_sum": _told(sums.tree, scale=sums.scale, known=count or ended),
        "agrees": here + ended == sums.tree and abs(here - said) <= _slack(check, rows=count + len(owed)),
    }  # fmt: skip


def _told(total: int, *, scale: int, known: int) -> float | None:
    """Return a total in its unit; null where nothing is behind it."""
    return total / scale if known else None


def _sums(check: Check, *, facts: pd.DataFrame, figures: pd.DataFrame, tree: pd.DataFrame) -> _Sums:
    scale = next(100 if measure.kind == "money" else 1 for measure in MEASURES if measure.name == check.measure)
    grouped = facts[facts[check.measure].notna()].groupby("portfolio_id")[check.measure]
    said = figures[figures["name"].eq(check.figure)]
    return _Sums(
        scale,
        rows={str(portfolio): round(exact_sum(values) * scale) for portfolio, values in grouped},
        lengths={str(portfolio): len(values) for portfolio, values in grouped},
        figures={
            str(portfolio): 0 if pd.isna(value) else round(float(value) * scale)
            for portfolio, value in zip(said["portfolio_id"], said["value"], strict=True)
        },
        tree=round(exact_sum(tree.loc[tree["parent_id"].isna(), check.measure]) * scale),
    )


def _slack(check: Check, *, rows: int) -> int:
    return (rows + 1) // 2 if check.estimate else 0


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
