"""What rows say of each other: price bases, transfers, cumulative plans, overrides and dependencies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.contracts.failures import Failure

if TYPE_CHECKING:
    from pmo_lib.contracts.findings import Action, Severity

Tables = Mapping[str, pd.DataFrame]
CENT = 0.005
SIDES = {"agreed_by_provider": "provider_project_id", "agreed_by_recipient": "recipient_project_id"}


def group_failures(tables: Tables) -> list[Failure]:
    """Return what rows do not keep together; a table that is not there is not looked for.

    Parameters
    ----------
    tables
        Typed tables of all portfolios of a period, by name.
    """
    empty = pd.DataFrame()
    return [
        *_orphans(tables.get("portfolios", empty)),
        *_mixed_bases(tables.get("projects", empty)),
        *_unbalanced(tables.get("finance", empty), projects=tables.get("projects", empty)),
        *_falling(tables.get("earned_value", empty)),
        *_own_overrides(tables.get("overrides", empty), projects=tables.get("projects", empty)),
        *_one_sided(tables.get("dependencies", empty), projects=tables.get("projects", empty)),
    ]


def _kept(table: str, *, row: int, cell: str, words: tuple[str, str, str], others: tuple[int, ...] = ()) -> Failure:
    rule, message, fix = words
    return Failure(table, row, cell, rule, "warning", "kept", message, fix, others=others)


def _orphans(portfolios: pd.DataFrame) -> Iterator[Failure]:
    """Yield units whose parent no return describes."""
    if portfolios.empty:
        return
    lost = portfolios["parent_id"].notna() & ~portfolios["parent_id"].isin(set(portfolios["portfolio_id"]))
    for row in portfolios.index[lost]:
        words = ("unknown-parent", "parent_id names a unit that no return describes", "add its row, or correct the id")
        yield _kept("portfolios", row=int(row), cell="parent_id", words=words)


def _mixed_bases(projects: pd.DataFrame) -> Iterator[Failure]:
    """Yield projects whose price base is not the one of most of their portfolio; on a tie, the first one stands."""
    if projects.empty:
        return
    for _, own in projects.groupby("portfolio_id", sort=True):
        bases = own["price_base"].dropna().str.casefold()
        if bases.nunique() < 2:
            continue
        counts = bases.value_counts(sort=False)
        usual = str(counts.idxmax())
        for row in bases.index[bases != usual]:
            message = f"price_base is not that of most projects here, {usual!r}: no total over both is shown"
            words = ("mixed-price-bases", message, "restate it in the same prices, or correct the label")
            yield _kept("projects", row=int(row), cell="price_base", words=words)


def _unbalanced(finance: pd.DataFrame, *, projects: pd.DataFrame) -> Iterator[Failure]:
    """Yield transfers and recharges that the other side does not mirror, where the other side is in the data."""
    if finance.empty or projects.empty:
        return
    moved = finance[finance["measure"].isin(("transfer", "recharge")) & finance["amount"].notna()]
    moved = moved[moved["counterparty"].isin(set(projects["project_id"])) & moved["project_id"].notna()]
    ends = moved[["project_id", "counterparty"]]
    pair = pd.Series([" and ".join(sorted(map(str, each))) for each in ends.itertuples(index=False)], index=moved.index)
    keys = [pair, moved["period"], moved["period_kind"], moved["measure"], moved["currency"]]
    for _, rows in moved.groupby(keys, sort=True, dropna=False):
        total = float(rows["amount"].sum())
        if abs(total) > CENT:
            first, *others = (int(label) for label in rows.index)
            between, measure, period = (
                str(cells.to_list()[0]) for cells in (pair[rows.index], rows["measure"], rows["period"])
            )
            message = f"the {measure}s between {between} in {period} do not net to zero but to {total:,.2f}"
            words = ("transfer-off-balance", message, "enter the same amount on both sides, with opposite signs")
            yield _kept("finance", row=first, cell="amount", words=words, others=tuple(others))


def _falling(earned_value: pd.DataFrame) -> Iterator[Failure]:
    """Yield cumulative planned values that are lower than the month before of the same baseline."""
    if earned_value.empty:
        return
    plans = earned_value[earned_value["planned_value"].notna()].sort_values("month", kind="stable")
    before = plans.groupby(["portfolio_id", "project_id", "baseline_version"], sort=False)["planned_value"].cummax()
    for row in sorted(plans.index[plans["planned_value"] < before - CENT]):
        message = "planned_value is cumulative and below that of an earlier month"
        words = ("plan-falls", message, "enter the value to the end of the month")
        yield _kept("earned_value", row=int(row), cell="planned_value", words=words)


def _own_overrides(overrides: pd.DataFrame, *, projects: pd.DataFrame) -> Iterator[Failure]:
    """Yield overrides that the manager of the project approved."""
    if overrides.empty or projects.empty:
        return
    named = projects[["portfolio_id", "project_id", "manager"]].itertuples(index=False)
    managers = {(p, i): _folded(m) for p, i, m in named if isinstance(m, str)}
    rows = overrides[["portfolio_id", "project_id", "approver"]].itertuples(name=None)
    for row, portfolio, project, approver in rows:
        if isinstance(approver, str) and managers.get((portfolio, project)) == _folded(approver):
            action: Action = "quarantined"
            severity: Severity = "error"
            message = "the project's manager approved the override"
            fix = "let the portfolio office or an independent assurer approve it"
            yield Failure("overrides", int(row), "approver", "own-override", severity, action, message, fix)


def _one_sided(dependencies: pd.DataFrame, *, projects: pd.DataFrame) -> Iterator[Failure]:
    """Yield dependencies of which one side says nothing, neither in this row nor in a return of its own."""
    if dependencies.empty or projects.empty:
        return
    homes = dict(zip(projects["project_id"], projects["portfolio_id"], strict=True))
    for silent, side in SIDES.items():
        listed = set(dependencies[["portfolio_id", "dependency_id", side]].itertuples(index=False, name=None))
        (other,) = set(SIDES) - {silent}
        asked = dependencies[dependencies[silent].isna() & dependencies[other].notna() & dependencies[side].notna()]
        for row, own, name, project in asked[["portfolio_id", "dependency_id", side]].itertuples(name=None):
            home = homes.get(project)
            if home is not None and (home == own or (home, name, project) not in listed):
                message = f"only one side knows the dependency: {silent} is empty and {project} does not return it"
                words = ("one-sided-dependency", message, f"let {project} confirm it, or withdraw it")
                failure = _kept("dependencies", row=int(row), cell=silent, words=words)
                yield Failure(**{**vars(failure), "blank": True})


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
