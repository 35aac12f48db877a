"""Can a return be trusted: what of it could not be used, where every row went, and shares that are measured.

Dimensions as in ISO/IEC 25012:2008, *Data quality model*: completeness, validity (there: accuracy), freshness (there:
currentness) and reconciliation (there: consistency). Each share has its n, and none is computed over nothing. They are
not summed up: a mean would hide the weakest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.contracts.tables import TABLES
from pmo_lib.metrics.money import minor_units
from pmo_lib.theme import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.metrics.movement import Between

PLACE, RULE = "place", "rule"
FINDING_COLUMNS = (
    "kind", "severity", "file", "sheet", "place", "table", "key", "column", "value", "rule", "message", "fix", "done",
    "findings",
)  # fmt: skip
DONE = {"refused": "return refused", "quarantined": "row set aside", "nulled": "cell left empty", "kept": "kept"}
LOST = ("refused", "quarantined", "nulled")
WITH_ITS_RETURN = "return-refused"
SEVERITIES = ("error", "warning", "notice")
ACCOUNT_COLUMNS = ("kind", "part", "came", "used", "stated", "lost", "ignored", "whole")
ROWS, MONEY, CELLS = "rows", "money", "cells"
COMPLETENESS, VALIDITY, FRESHNESS, RECONCILIATION = "completeness", "validity", "freshness", "reconciliation"
NEEDED = ("states", "status", "baselines", "milestones", "published_figures")
SHARE_COLUMNS = ("dimension", "measure", "met", "n", "share", "reason", "rule")
# Columns of projects that are no gap where they are empty.
MAY_BE_EMPTY = frozenset(
    ("portfolio_id", "project_id", "source_ref", "id_as_returned", "programme_id", "client_id", "start_actual_on",
     "finish_actual_on")
)  # fmt: skip
TOLD = ("withheld", "range")
OVER = ("closed", "cancelled")
NOTHING = "nothing usable was returned"
DISAGREES = "published-figure"


Line = tuple[str, str, int, int, str, str]


def concerning(findings: pd.DataFrame, *, returns: pd.DataFrame, portfolio_id: str) -> pd.DataFrame:
    """Return the findings about a portfolio, and about whole files and sheets that are not of others' returns alone.

    Parameters
    ----------
    findings, returns
        Intake's tables; ``returns`` says which file each portfolio returned.
    """
    own = returns["portfolio_id"].eq(portfolio_id)
    foreign = set(returns.loc[~own, "file"]) - set(returns.loc[own, "file"])
    whole = findings["portfolio_id"].eq("") & ~findings["file"].isin(foreign)
    return findings.loc[findings["portfolio_id"].eq(portfolio_id) | whole]


def findings(found: pd.DataFrame, *, quarantined: pd.DataFrame) -> pd.DataFrame:
    """List every cell and row of a return that could not be used, then all that intake found, by rule.

    Parameters
    ----------
    found, quarantined
        Intake's findings and rows set aside, of one portfolio.

    Returns
    -------
    DataFrame
        :data:`FINDING_COLUMNS`. Rows of kind ``place`` are what could not be used, in order of place: ``place`` is the
        cell, or the row where a whole row is meant; rows that went with their refused return and have no fault of their
        own share one for each table. Rows of kind ``rule`` count the ``findings`` by rule, errors first, then the most
        frequent, with the first as the example. Empty texts where a column does not apply.
    """
    lost = found[found["action"].isin(LOST)]
    row = "row " + lost["row"].astype("str")
    told = lost.assign(place=lost["cell"].where(lost["cell"].ne(""), row.where(lost["row"].gt(0), "")))
    named = set(zip(lost["table"], lost["key"], strict=True))
    keys = zip(quarantined["table"], quarantined["key"], strict=True)
    silent = pd.Series([key not in named for key in keys], index=quarantined.index, dtype="bool")
    parts = [
        told.assign(kind=PLACE, done=lost["action"].map(DONE), findings=1),
        _with_their_return(quarantined[silent]).assign(kind=PLACE),
        _by_rule(found).assign(kind=RULE),
    ]
    whole = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return whole.reindex(columns=list(FINDING_COLUMNS)).fillna(dict.fromkeys(FINDING_COLUMNS[:-1], ""))


def _by_rule(found: pd.DataFrame) -> pd.DataFrame:
    grouped = found.groupby(["severity", "rule", "action"], sort=True)
    table = grouped.agg(findings=("message", "size"), message=("message", "first"), fix=("fix", "first")).reset_index()
    table = table.assign(
        rank=table["severity"].map({severity: rank for rank, severity in enumerate(SEVERITIES)}),
        done=table["action"].map(DONE),
    )
    return table.sort_values(["rank", "findings"], ascending=[True, False], kind="stable")


def _with_their_return(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows without a finding of their own, counted by table."""
    files = [str(source).partition(", ")[0] for source in rows["source_ref"]]
    grouped = rows.assign(file=files).groupby(["file", "table"])
    lines = [
        {"file": file, "sheet": table, "place": counted(len(group), noun="row"), "table": table,
         "rule": WITH_ITS_RETURN, "message": "set aside with the return", "fix": "mend the findings above",
         "severity": "error", "done": DONE["quarantined"], "findings": len(group)}
        for (file, table), group in grouped
    ]  # fmt: skip
    return pd.DataFrame(lines, columns=list(FINDING_COLUMNS))


def accounts(accounting: pd.DataFrame, *, cells: pd.DataFrame) -> pd.DataFrame:
    """Show where every row, amount and cell of a return went.

    Parameters
    ----------
    accounting
        Intake's rows and money by table, of one portfolio; money in minor units.
    cells
        Intake's cells by file and sheet, of the files that the return came in.

    Returns
    -------
    DataFrame
        :data:`ACCOUNT_COLUMNS`: ``came = used + stated + lost + ignored``, in rows, in money (major units, summed over
        all money columns) and in cells. ``stated`` are cells that say why they have no plain value; ``lost`` is what
        was set aside or could not be read. The three wholes stand first, then table by table and sheet by sheet.
    """
    if accounting.empty and cells.empty:
        return pd.DataFrame(columns=list(ACCOUNT_COLUMNS))
    money = accounting[["money_in", "money_used", "money_quarantined"]].astype("float64") / 100
    table = accounting["table"]
    parts = [
        _entries(ROWS, part=table, came=accounting["rows_in"], used=accounting["used"], lost=accounting["quarantined"],
                 ignored=accounting["ignored"]),
        _entries(MONEY, part=table, came=money["money_in"], used=money["money_used"], lost=money["money_quarantined"]),
        _entries(CELLS, part=_sheets(cells), came=cells["cells_in"], used=cells["typed"], stated=cells["stated"],
                 lost=cells["faulty"], ignored=cells["ignored"]),
    ]  # fmt: skip
    lines = pd.concat([part for part in parts if len(part)], ignore_index=True)
    lines = lines[lines["came"].ne(0) | lines["lost"].ne(0)]
    sums = lines.groupby("kind", sort=False)[["came", "used", "stated", "lost", "ignored"]].sum().round(2).reset_index()
    wholes = sums.assign(part="", whole=True)
    return pd.concat([wholes, lines.assign(whole=False)], ignore_index=True)[list(ACCOUNT_COLUMNS)]


def _entries(kind: str, *, part: pd.Series, **amounts: pd.Series) -> pd.DataFrame:
    filled = {name: amounts.get(name, 0) for name in ("came", "used", "stated", "lost", "ignored")}
    return pd.DataFrame({"kind": kind, "part": part, **filled}).astype(dict.fromkeys(filled, "float64"))


def _sheets(cells: pd.DataFrame) -> pd.Series:
    named = cells["sheet"].where(cells["sheet"].ne(""), cells["file"])
    return named.where(~named.duplicated(keep=False), cells["file"] + ", " + cells["sheet"])


def shares(
    tables: Mapping[str, pd.DataFrame],
    *,
    projects: pd.DataFrame,
    accounts: pd.DataFrame,
    arrived: pd.DataFrame,
    between: Between,
) -> pd.DataFrame:
    """Measure how complete, valid, fresh and reconciled a return is.

    Parameters
    ----------
    tables
        This period's :data:`NEEDED` of the portfolio, and its ``findings``.
    projects
        History of the table.
    accounts, arrived
        Results of :func:`accounts` and :func:`pmo_lib.metrics.submission.arrivals`.
    between
        The two reports.

    Returns
    -------
    DataFrame
        :data:`SHARE_COLUMNS`: ``share = met ÷ n``; null with its ``reason`` where n is 0, as it is everywhere if this
        period's return holds nothing usable: what was last known says nothing of it. ``rule`` says what is counted.
    """
    now = between.now(projects)
    lines = [
        *_completeness(now, projects=projects, tables=tables, between=between),
        *_validity(accounts),
        *_freshness(now, milestones=tables["milestones"], arrived=arrived),
        *_reconciliation(now, tables=tables),
    ]
    table = pd.DataFrame(lines, columns=["dimension", "measure", "met", "n", "reason", "rule"])
    if arrived.tail(1)["known"].ne(arrived.tail(1)["period"]).any():
        table = table.assign(met=0, n=0, reason=NOTHING)
    table["share"] = (table["met"] / table["n"].where(table["n"] > 0)).astype("float64")
    table["reason"] = table["reason"].where(table["n"].eq(0), "")
    return table[list(SHARE_COLUMNS)]


def _completeness(
    now: pd.DataFrame, *, projects: pd.DataFrame, tables: Mapping[str, pd.DataFrame], between: Between
) -> list[Line]:
    """Count projects with a status, and the cells of the project list that hold a value or say why they hold none."""
    rated = now["project_id"].isin(tables["status"]["project_id"])
    ours = projects[projects["portfolio_id"].eq(between.portfolio_id) & projects["period"].le(between.period)]
    names = [name for name in TABLES["projects"].names if name not in MAY_BE_EMPTY and ours[name].notna().any()]
    states = tables["states"]
    told = states[states["table_name"].eq("projects") & states["state"].isin(TOLD) & states["column_name"].isin(names)]
    filled = int(now[names].notna().to_numpy().sum()) + len(told)
    return [
        (COMPLETENESS, "projects with a status", int(rated.sum()), len(now), "no project was returned",
         "a row in the sheet status"),
        (COMPLETENESS, "cells of the project list", filled, len(now) * len(names), "no project was returned",
         f"a value, a range or the word withheld, in each of the {len(names)} columns that a return ever filled"),
    ]  # fmt: skip


def _validity(accounts: pd.DataFrame) -> list[Line]:
    """Count the rows that could be used, and the cells that could be read."""
    lines = []
    for kind, measure, rule in (
        (ROWS, "rows that could be used", "not set aside by a rule of the contract"),
        (CELLS, "cells that could be read", "of all filled cells of the files that the return came in"),
    ):
        whole = accounts[accounts["kind"].eq(kind) & accounts["whole"].astype("bool")]
        good, lost = (int(whole[names].to_numpy().sum()) for names in (["used", "stated"], ["lost"]))
        lines.append((VALIDITY, measure, good, good + lost, "nothing was returned", rule))
    return lines


def _freshness(now: pd.DataFrame, *, milestones: pd.DataFrame, arrived: pd.DataFrame) -> list[Line]:
    """Count what came in by the day it was due, and the forecasts that do not lie in the past."""
    last = arrived.tail(1)
    dated = int((last["status_rows"] - last["rows_undated"]).sum())
    day = last["status_on"].max()
    running = now[~now["delivery_status"].isin(OVER) & now["finish_actual_on"].isna()]
    ahead = {
        "finish": running["finish_forecast_on"].dropna(),
        "milestone": milestones.loc[milestones["actual_on"].isna(), "forecast_on"].dropna(),
    }
    return [
        (FRESHNESS, "status rows in by the due day", dated - int(last["rows_late"].sum()), dated,
         "the return does not say when they came in", "submitted_on not after the day on which the return was due"),
        *(
            (FRESHNESS, f"{noun} forecasts not in the past", int((days >= day).sum()), len(days),
             f"no open {noun} has a forecast", "forecast on or after the status date, where it is not yet met")
            for noun, days in ahead.items()
        ),
    ]  # fmt: skip


def _reconciliation(now: pd.DataFrame, *, tables: Mapping[str, pd.DataFrame]) -> list[Line]:
    """Count budgets that are those of the last approved baseline, and published figures that can be computed again."""
    order = tables["baselines"].sort_values(["approved_on", "version"], kind="stable", na_position="first")
    approved = order.drop_duplicates("project_id", keep="last").set_index("project_id")["budget"]
    budgets = pd.DataFrame(
        {"told": now["budget_at_completion"], "approved": now["project_id"].map(approved).astype("float64")}
    ).dropna()
    equal = minor_units(budgets["told"]).eq(minor_units(budgets["approved"]))
    figures = tables["published_figures"][["published", "recomputed"]].dropna()
    wrong = int(tables["findings"]["rule"].eq(DISAGREES).sum())
    return [
        (RECONCILIATION, "budgets equal to the approved baseline", int(equal.sum()), len(budgets),
         "no project has both a budget and an approved baseline",
         "budget_at_completion = budget of the last approved baseline, to the minor unit"),
        (RECONCILIATION, "published figures that compute again", len(figures) - wrong, len(figures),
         "the source publishes no computed figure",
         "published = computed from the same row, within the rounding that the mapping allows"),
    ]  # fmt: skip
