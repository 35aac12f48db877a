"""The named figures of the roll-up: the few at its head, and all that it publishes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.contracts.tables import RATINGS
from pmo_lib.metrics.facts import FINANCE, HEALTH, RISK, exact_sum, raters, rating_column
from pmo_lib.metrics.hierarchy import WITHOUT
from pmo_lib.metrics.portfolio import COMPLETE, ENDED
from pmo_lib.theme import counted, money, month

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NO_PAIRS = "no project has a finish date in two reports in a row"
FIGURE_COLUMNS = ["name", "value", "unit", "reason", "label", "movement"]
NO_COST, NO_YEAR, NO_REGISTER = "no project has a single figure", "no plan with an outlook", "no risk register returned"
NONE_SILENT = "nothing that was known before was left out"
NO_REPORT, NO_BEFORE = "no report of it is published", "there is no earlier report to compare with"
LABELS = {
    "portfolios_complete": "Portfolios with every report",
    "whole_life_cost": "Whole-life cost",
    "in_year_variance_share": "In-year outlook against plan",
    "whole_life_cost_last_known": "Not returned: last known cost, in no total",
    "risks_open": "Open risks",
}
NAMED = 2
# Figure name, column of the hierarchy, unit ("" is the currency), why it may be null.
TREE_FIGURES = (
    ("whole_life_cost_before", "cost_before", "", NO_BEFORE),
    ("whole_life_cost_movement", "cost_movement", "", NO_BEFORE),
    ("whole_life_costs_known", "costs_known", "projects", NO_COST),
    ("whole_life_cost_last_known", "cost_last_known", "", NONE_SILENT),
    ("in_year_plan", "plan", "", NO_YEAR),
    ("in_year_outlook", "outlook", "", NO_YEAR),
    ("in_year_variance", "variance", "", NO_YEAR),
    ("in_year_known", "in_year_known", "projects", NO_YEAR),
    ("risks_unquantified", "risks_unquantified", "risks", NO_REGISTER),
    ("exposure_threats", "threats", "", NO_REGISTER),
    ("exposure_opportunities", "opportunities", "", NO_REGISTER),
    ("exposure_net", "exposure", "", NO_REGISTER),
)

Figure = dict[str, Any]


def key_figures(tree: pd.DataFrame, *, covered: pd.DataFrame, since: str | None) -> pd.DataFrame:
    """Return the figures at the head of the page, each with the portfolios that it is without.

    Parameters
    ----------
    tree, covered
        Results of :func:`pmo_lib.metrics.hierarchy.rollup` and :func:`pmo_lib.metrics.standing.with_returns`.
    since
        The period before, if there is one.

    Returns
    -------
    DataFrame
        ``name, value, unit, reason, label, movement``.
    """
    top = tree.iloc[0]
    owing = covered[covered["state"].ne(ENDED)]
    complete, risks = int(owing["state"].eq(COMPLETE).sum()), _lacking(top, report=RISK)
    rows = [
        _figure("portfolios_complete", value=complete, unit="portfolios", movement=f"of {len(owing)}"),
        _figure(
            "projects", value=top["projects"], unit="projects", reason=NO_REPORT, movement=_lacking(top, report=HEALTH)
        ),
        *_money_figures(top, since=since),
        *(figure for figure in _last_known_figures(covered, currency=str(top["currency"])) if figure["value"]),
        *_red_figures(tree),
        _figure("risks_open", value=top["risks_open"], unit="risks", reason=NO_REGISTER, movement=risks),
    ]
    return pd.DataFrame(rows, columns=FIGURE_COLUMNS)


def headline(
    tree: pd.DataFrame, *, covered: pd.DataFrame, since: str | None, tables: Mapping[str, pd.DataFrame], period: str
) -> pd.DataFrame:
    """Return every named figure that the roll-up publishes.

    Parameters
    ----------
    tree, covered, since
        As in :func:`key_figures`.
    tables
        The tables that the roll-up publishes, by name.

    Returns
    -------
    DataFrame
        ``name, value, unit, reason``; names are unique and stay the same from period to period.
    """
    rows = [
        *_coverage_figures(tables["coverage"]),
        *_tree_figures(tree.iloc[0]),
        *bridge_figures(tables["cost_bridge"]),
        *_rater_figures(tables["ratings"], period=period),
        *_finish_figures(tables["finishes"]),
        *_slip_figures(tables["stage_slips"]),
        *_client_figures(tables["clients"], unit=str(tree.iloc[0]["currency"])),
        *_year_figures(tables["under_for_years"], underspends=tables["underspends"]),
        *_disclosure_figures(tables["disclosure"], moves=tables["moves"], period=period),
    ]
    key = key_figures(tree, covered=covered, since=since)
    known = list(_last_known_figures(covered, currency=str(tree.iloc[0]["currency"])))
    table = pd.concat([key, pd.DataFrame([*known, *rows], columns=FIGURE_COLUMNS)], ignore_index=True)
    return table.drop_duplicates("name", ignore_index=True)[FIGURE_COLUMNS[:4]]


def _figure(name: str, *, value: Any, unit: str, reason: str = NO_REPORT, movement: str = "") -> Figure:
    known = value is not None and pd.notna(value)
    label = LABELS.get(name, name.replace("_", " ").capitalize())
    return {
        "name": name,
        "value": float(value) if known else None,
        "unit": unit,
        "reason": None if known else reason,
        "label": label,
        "movement": movement,
    }


def _lacking(top: pd.Series, *, report: str) -> str:
    names = str(top.get(WITHOUT + report, "") or "")
    many = names.count(", ") + 1
    return "" if not names else f"without {names}" if many <= 3 else f"without {many} portfolios"


def _money_figures(top: pd.Series, *, since: str | None) -> Iterator[Figure]:
    """Yield whole-life cost with its movement, and the year's variance with its n."""
    unit, lacking = str(top["currency"]), _lacking(top, report=FINANCE)
    moved = "" if since is None or pd.isna(top["cost_movement"]) or pd.isna(top["cost_before"]) else (
        f"{money(top['cost_movement'], currency=unit, signed=True)} since {month(since)}"
    )  # fmt: skip
    silent = top["cost_last_known"]
    told = "" if pd.isna(silent) else f"beside it {money(silent, currency=unit)} last known, not returned now"
    words = ", ".join(part for part in (moved, told, lacking) if part)
    yield _figure("whole_life_cost", value=top["cost_now"], unit=unit, reason=NO_COST, movement=words)
    plan = top["plan"]
    share = None if pd.isna(plan) or plan == 0 else top["variance"] / plan
    way = "under" if share is not None and share < 0 else "over"
    words = f"{way} plan, n = {_count(top['in_year_known'])}"
    words = f"{words}, {lacking}" if lacking else words
    yield _figure("in_year_variance_share", value=share, unit="share", reason=NO_YEAR, movement=words)


def _last_known_figures(covered: pd.DataFrame, *, currency: str) -> Iterator[Figure]:
    """Yield what is last known of the portfolios that returned nothing usable: it is in no total."""
    silent = covered[~covered["usable"].astype("bool") & covered["state"].ne(ENDED)]
    costs = silent[silent["last_cost"].notna()]
    names = [f"{row['name']}, {month(row['last_period'])}" for row in costs.to_dict("records")]
    words = "; ".join(names) if len(names) <= NAMED else f"of {len(names)} portfolios"
    value = exact_sum(costs["last_cost"]) if len(costs) else None
    why = "every portfolio returned" if silent.empty else "no whole-life cost is known of those that did not return"
    yield _figure("whole_life_cost_last_known", value=value, unit=currency or "money", reason=why, movement=words)


def _red_figures(tree: pd.DataFrame) -> Iterator[Figure]:
    """Yield the share that each rater sees red, with its n."""
    top = tree.iloc[0]
    for role in raters(tree):
        used = [rating for rating in RATINGS if rating_column(role, rating=rating) in tree.columns]
        counts = {rating: _count(top[rating_column(role, rating=rating)]) for rating in used}
        rated = sum(counts.values())
        share = counts.get("red", 0) / rated if rated else None
        figure = _figure(f"{_stem(role)}_red_share", value=share, unit="share", movement=f"of {rated} rated")
        yield figure | {"label": f"Rated red by {role}"}


def _coverage_figures(coverage: pd.DataFrame) -> Iterator[Figure]:
    yield _figure("reports_owed", value=len(coverage), unit="reports")
    for status in ("published", "failed", "missing", "not returned", "refused"):
        count = int(coverage["status"].eq(status).sum())
        yield _figure(f"reports_{status.replace(' ', '_')}", value=count, unit="reports")


def _tree_figures(top: pd.Series) -> Iterator[Figure]:
    for name, column, unit, reason in TREE_FIGURES:
        yield _figure(name, value=top[column], unit=unit or str(top["currency"]) or "money", reason=reason)


def bridge_figures(steps: pd.DataFrame) -> Iterator[Figure]:
    """Yield the amount of each cause as a figure; the first step is the last published total."""
    for row in steps[steps["kind"].eq("cause")].to_dict("records"):
        yield _figure(f"whole_life_cost_{_stem(row['step'])}", value=row["amount"], unit=str(row["currency"]))
    if len(steps):
        first = steps.iloc[0]
        yield _figure("whole_life_cost_last_published", value=first["amount"], unit=str(first["currency"]))


def _rater_figures(shares: pd.DataFrame, *, period: str) -> Iterator[Figure]:
    now = shares[shares["period"].eq(period)]
    for (role, rating), rows in now.groupby(["assessor_role", "rating"], sort=True):
        yield _figure(f"{_stem(str(role))}_{_stem(str(rating))}", value=rows["projects"].sum(), unit="ratings")
    for role, rows in now[now["rating"].isin(RATINGS)].groupby("assessor_role", sort=True):
        yield _figure(f"{_stem(str(role))}_rated", value=rows["projects"].sum(), unit="ratings")


def _finish_figures(finishes: pd.DataFrame) -> Iterator[Figure]:
    days = finishes["moved_days"].dropna().astype("float64")
    later = days[days > 0]
    for name, moved in (("finishes_compared", days), ("finishes_later", later)):
        yield _figure(name, value=len(moved) if len(days) else None, unit="projects", reason=NO_PAIRS)
    median, why = (later.median() if len(later) else None), "no finish date moved later" if len(days) else NO_PAIRS
    yield _figure("finish_later_median_days", value=median, unit="days", reason=why)


def _slip_figures(slips: pd.DataFrame) -> Iterator[Figure]:
    """Yield the percentiles of each class of the organisation's own projects."""
    for row in slips.to_dict("records"):
        stem = f"slip_{_stem(str(row['first_stage']))}"
        yield _figure(f"{stem}_projects", value=row["followed"], unit="projects")
        for name in ("p50_days", "p80_days"):
            yield _figure(f"{stem}_{name}", value=row[name], unit="days", reason="no project can be followed yet")


def _client_figures(clients: pd.DataFrame, *, unit: str) -> Iterator[Figure]:
    if len(clients):
        yield _figure("projects_with_cost", value=clients["costed"].sum(), unit="projects")
        yield _figure("projects_with_cost_for_others", value=clients["costed_for_others"].sum(), unit="projects")
        amount = clients["cost_for_others"].sum(min_count=1)
        yield _figure("whole_life_cost_for_others", value=amount, unit=unit, reason=NO_COST)


def _year_figures(under: pd.DataFrame, *, underspends: pd.DataFrame) -> Iterator[Figure]:
    yield _figure("under_for_years", value=len(under), unit="projects")
    yield _figure("underspends", value=underspends["underspends"].sum(), unit="project-years")
    yield _figure("underspends_kept", value=underspends["kept"].sum(), unit="project-years")


def _disclosure_figures(shares: pd.DataFrame, *, moves: pd.DataFrame, period: str) -> Iterator[Figure]:
    now = shares.loc[shares["period"].eq(period), "share"]
    yield _figure("costs_published_share", value=now.iloc[0] if len(now) else None, unit="share")
    moved = int(moves["period"].eq(period).sum())
    yield _figure("projects_moved", value=moved, unit="projects", movement=counted(moved, noun="project"))


def _count(value: Any) -> int:
    return 0 if pd.isna(value) else int(value)


def _stem(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
