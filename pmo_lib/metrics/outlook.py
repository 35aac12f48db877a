"""Will we end the year within the money: plan, budget, actuals and outlook of a fiscal year, at every level.

Sign rule: variance = budget − outlook, positive is under budget; movement = outlook − previous outlook. Outlook,
run-rate, exposure and headroom as usual in management accounting; the fiscal year is the organisation's.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from pmo_lib.errors import ReportError
from pmo_lib.metrics.accounts import SHOWN, UNPAIRED
from pmo_lib.metrics.bridge import largest_and_others
from pmo_lib.metrics.fiscal import MONTHS_OF_YEAR, FiscalYear
from pmo_lib.metrics.money import major_units, minor_units

PORTFOLIO, PROGRAMME, PROJECT, OWN = "portfolio", "programme", "project", "own"
REASONS = {
    "plan_reason": "plan", "months_reason": "ytd_actual", "outlook_reason": "outlook", "variance_reason": "variance",
    "previous_reason": "previous_outlook", "none_reason": "accruals",
}  # fmt: skip
LEVEL_COLUMNS = [
    "level", "programme_id", "project_id", "name", "projects", "projects_paired", *SHOWN, "currency", "basis",
    "budget_basis", "closed_month", "provisional", "year", *UNPAIRED, *REASONS,
]  # fmt: skip
RATE_COLUMNS = ["name", "label", "value", "unit", "reason"]
PHASED_COLUMNS = [
    "month", "number", "closed", "plan", "actual", "outlook", "plan_cumulative", "actual_cumulative",
    "outlook_cumulative", "not_phased", "provisional", "currency",
]  # fmt: skip


def levels(entries: pd.DataFrame) -> pd.DataFrame:
    """Add this year's accounts up by portfolio, programme and project.

    Parameters
    ----------
    entries
        Result of :func:`accounts`.

    Returns
    -------
    DataFrame
        :data:`LEVEL_COLUMNS`, in reading order: the portfolio, then each programme with what is below it (only where
        there are programmes). ``level`` is portfolio, programme, project or own (money that a programme or the
        portfolio spends itself). Money as float, null where no unit below has the figure. Variance and movement cover
        the units that have both of their terms (``projects_paired`` counts the projects with a variance): variance =
        (budget − unpaired_budget) − (outlook − unpaired_outlook). Each level was summed from the entries by itself.

    Raises
    ------
    ReportError
        If the levels do not reconcile to the penny.
    """
    if entries.empty:
        return pd.DataFrame(columns=LEVEL_COLUMNS)
    by_unit = _sums(entries, by=["programme_id", "own_of", "project_id"], level=PROJECT)
    by_unit["level"] = by_unit["level"].mask(by_unit["project_id"].eq(""), OWN)
    by_programme = _sums(entries, by=["programme_id"], level=PROGRAMME)
    whole = _sums(entries.assign(whole=""), by=["whole"], level=PORTFOLIO)
    parts = [whole, by_unit] if list(by_programme["programme_id"]) == [""] else [whole, by_programme, by_unit]
    rows = pd.concat(parts, ignore_index=True)
    text = ["programme_id", "project_id", "own_of"]
    rows[text] = rows[text].fillna("").astype("str")
    rows = _in_reading_order(_titled(rows, entries=entries))
    reconcile(rows)
    return rows[LEVEL_COLUMNS]


def reconcile(rows: pd.DataFrame) -> None:
    """Compare every level with the sum of the level below, in whole minor units.

    Raises
    ------
    ReportError
        Naming the figures that differ.
    """
    parts = [*SHOWN, *UNPAIRED]
    minor = rows[parts].apply(minor_units).fillna(0).astype("int64")
    place = rows["name"].where(rows["level"].ne(PORTFOLIO), PORTFOLIO)
    paired_budget, paired_outlook = (minor[part] - minor[f"unpaired_{part}"] for part in ("budget", "outlook"))
    _must_equal(minor[["variance"]], other=(paired_budget - paired_outlook).to_frame("variance"), places=place)
    leaves, programmes = rows["level"].isin([PROJECT, OWN]), rows["level"].eq(PROGRAMME)
    whole = minor[rows["level"].eq(PORTFOLIO)].set_axis([PORTFOLIO])
    for below in (leaves, programmes) if programmes.any() else (leaves,):
        total = minor[below].sum().to_frame(PORTFOLIO).T
        _must_equal(whole, other=total, places=pd.Series(PORTFOLIO, index=whole.index))
    above = minor[programmes].set_axis(rows.loc[programmes, "programme_id"])
    within = minor[leaves].groupby(rows.loc[leaves, "programme_id"]).sum().reindex(above.index)
    _must_equal(above, other=within, places=pd.Series(above.index, index=above.index))


def phased(entries: pd.DataFrame) -> pd.DataFrame:
    """Return plan, actual and outlook month by month, and cumulatively.

    Returns
    -------
    DataFrame
        :data:`PHASED_COLUMNS`, one row per month of the fiscal year. ``outlook`` is actual (with the accrual in the
        last closed month) up to it and forecast after it; Σ ``outlook`` + what is ``not_phased`` = the portfolio's
        outlook. ``not_phased`` (the same in each row) is outlook returned for the year only. Empty where no figure is
        by month.
    """
    timed = entries[entries["number"].gt(0) & entries["part"].isin(["plan", "outlook", "ytd_actual"])]
    if timed.empty:
        return pd.DataFrame(columns=PHASED_COLUMNS)
    year = FiscalYear(str(entries["year_end"].iloc[0]))
    closed, due = int(entries["closed"].max()), int(entries["due"].max())
    numbers = pd.RangeIndex(1, MONTHS_OF_YEAR + 1, name="number")
    wide = timed.pivot_table(index="number", columns="part", values="minor", aggfunc="sum").reindex(numbers)
    wide = wide.astype("Int64").fillna(0).rename(columns={"ytd_actual": "actual"})
    wide = wide.reindex(columns=["plan", "actual", "outlook"]).astype("Int64")
    wide["actual"] = wide["actual"].mask(numbers > closed)
    unphased = entries.loc[entries["part"].eq("outlook") & entries["number"].eq(0), "minor"].sum()
    money = wide.join(wide.cumsum().add_suffix("_cumulative")).apply(major_units)
    return money.assign(
        month=[year.month(number) for number in numbers],
        number=numbers,
        closed=numbers <= closed,
        not_phased=int(unphased) / 100,
        provisional=closed < due,
        currency=entries["currency"].iloc[0],
    ).reset_index(drop=True)[PHASED_COLUMNS]


def run_rates(rows: pd.DataFrame, *, phased: pd.DataFrame) -> pd.DataFrame:
    """Return how fast money is spent, and how fast it would have to be.

    Parameters
    ----------
    rows, phased
        Results of :func:`levels` and :func:`phased`.

    Returns
    -------
    DataFrame
        ``name, label, value, unit, reason``, one row per figure; m is the last closed month of the year, and spent is
        actual to m + accrual at m. run_rate = spent / m; run_rate_outlook = run_rate × 12; recent_outlook = spent + the
        mean of the last three months × (12 − m); required_run_rate = (budget − spent) / (12 − m);
        exposure = spent + commitments; headroom = budget − exposure. Empty where there are no months.
    """
    if rows.empty or phased.empty:
        return pd.DataFrame(columns=RATE_COLUMNS)
    total, m = rows.iloc[0], int(phased["closed"].sum())
    left = MONTHS_OF_YEAR - m
    spent = _nothing(total["ytd_actual"]) + _nothing(total["accruals"])
    committed = spent + _nothing(total["commitments"])
    recent = phased.loc[phased["closed"], "outlook"].tail(3).mean()
    by_year = rows["level"].eq(PROJECT) & rows["basis"].eq("annual") & rows["outlook"].notna()
    none_closed = "" if m else "no month of the year is closed"
    mixed = "some projects have figures of the year only" if by_year.any() else none_closed
    no_budget = "no budget returned" if pd.isna(total["budget"]) else mixed
    few = "fewer than three closed months" if m < 3 else mixed
    over = no_budget if left else "the year is over"
    figures = [
        ("spent", "Spent to date", spent, none_closed),
        ("run_rate", "Spent a month so far", spent / max(m, 1), none_closed),
        ("run_rate_outlook", "The year at this rate", spent / max(m, 1) * MONTHS_OF_YEAR, mixed),
        ("recent_outlook", "The year at the rate of the last three months", spent + recent * left, few),
        ("required_run_rate", "Budget left for each month to come", (total["budget"] - spent) / max(left, 1), over),
        ("exposure", "Spent and committed", committed, none_closed),
        ("headroom", "Budget neither spent nor committed", total["budget"] - committed, no_budget),
    ]
    table = pd.DataFrame(figures, columns=["name", "label", "value", "reason"])
    value = table["value"].astype("float64").round(2).where(table["reason"].eq(""))
    return table.assign(value=value, unit=total["currency"])[RATE_COLUMNS]


def plan_bridge(rows: pd.DataFrame, *, largest: int = 8) -> pd.DataFrame:
    """Bridge the year's plan to its outlook, project by project.

    Parameters
    ----------
    rows
        Result of :func:`levels`; only what has both figures is bridged.
    largest
        Number of steps with a name.

    Returns
    -------
    DataFrame
        As :func:`pmo_lib.metrics.bridge.largest_and_others`; a positive step costs more than planned.
    """
    leaves = rows[rows["level"].isin([PROJECT, OWN])]
    both = leaves[leaves["plan"].notna() & leaves["outlook"].notna()]
    return largest_and_others(both, start="plan", end="outlook", largest=largest)


def _must_equal(here: pd.DataFrame, *, other: pd.DataFrame, places: pd.Series) -> None:
    """Compare whole minor units, cell by cell; ``places`` names the rows for the message."""
    for part in here.columns:
        off = here[part].ne(other[part])
        if off.any():
            first, second = (int(side.loc[off, part].iloc[0]) / 100 for side in (here, other))
            raise ReportError(
                f"{places[off].iloc[0]}: {part.replace('_', ' ')} is {first:,.2f}, its parts sum to {second:,.2f}",
                fix="do not publish: look for a project in two programmes, or a row that counts twice",
                stage="notebook",
            )


def _nothing(value: float) -> float:
    return 0.0 if pd.isna(value) else float(value)


def _sums(entries: pd.DataFrame, *, by: list[str], level: str) -> pd.DataFrame:
    """Sum the entries of each group, and say what is behind the sums."""
    grouped = entries.groupby([*by, "part"], sort=True)["minor"].sum(min_count=1)
    wide = grouped.unstack().reindex(columns=[*SHOWN, *UNPAIRED]).astype("Int64")
    wide[list(UNPAIRED)] = wide[list(UNPAIRED)].fillna(0)
    facts = entries.groupby(by, sort=True)[["name", "programme", "currency"]].first()
    projects = entries[entries["project_id"].ne("")]
    counted = {
        "projects": projects.groupby(by)["project_id"].nunique(),
        "projects_paired": projects[projects["part"].eq("variance") & projects["minor"].notna()]
        .groupby(by)["project_id"]
        .nunique(),
    }
    counts = pd.DataFrame(counted).reindex(facts.index).fillna(0).astype("int64")
    told = entries[entries["part"].eq("outlook") & entries["minor"].notna()]
    bases = pd.concat([_one(entries.groupby(by)[name]) for name in ("basis", "budget_basis")], axis="columns")
    bases["basis"] = _one(told.groupby(by)["basis"]).reindex(bases.index).fillna(bases["basis"])
    whole = pd.concat([wide.apply(major_units), facts, counts, bases, _silence(entries, by=by)], axis="columns")
    return whole.reset_index().assign(level=level)


def _one(groups: Any) -> pd.Series:
    """Return the one value of each group, or ``mixed``."""
    low: pd.Series = groups.min()
    high: pd.Series = groups.max()
    return low.where(low.eq(high), "mixed")


def _silence(entries: pd.DataFrame, *, by: list[str]) -> pd.DataFrame:
    """Say of each group why no unit in it has a figure, by part; ``""`` where one has."""
    told = entries[entries["part"].isin(REASONS.values())].groupby([*by, "part"], sort=True)
    known, reason = told["minor"].count().gt(0), _one(told["reason"])
    words = reason.replace("mixed", "none of the rows below has one").mask(known, "").unstack()
    return (
        words.rename(columns={part: name for name, part in REASONS.items()}).reindex(columns=list(REASONS)).fillna("")
    )


def _titled(rows: pd.DataFrame, *, entries: pd.DataFrame) -> pd.DataFrame:
    """Name the upper levels, and say how far the year is."""
    year = FiscalYear(str(entries["year_end"].iloc[0]))
    closed, due = int(entries["closed"].max()), int(entries["due"].max())
    names = rows["name"].mask(rows["level"].eq(PROGRAMME), rows["programme"])
    names = names.mask(rows["level"].eq(PROGRAMME) & rows["programme_id"].eq(""), "Without programme")
    annual = rows["basis"].eq("annual")
    return rows.assign(
        name=names.mask(rows["level"].eq(PORTFOLIO), "Whole portfolio"),
        closed_month=pd.Series(year.month(closed) if closed else None, index=rows.index, dtype="str").mask(annual),
        provisional=~annual & (closed < due),
        year=year.label,
    )


def _in_reading_order(rows: pd.DataFrame) -> pd.DataFrame:
    depth = rows["level"].map({PORTFOLIO: 0, PROGRAMME: 1, PROJECT: 2, OWN: 3})
    block = rows["programme"].where(depth.gt(0), "").str.casefold()
    keys: dict[str, Any] = {
        "top": depth.gt(0), "rest": rows["programme_id"].eq("") & depth.gt(0), "block": block,
        "programme_key": rows["programme_id"], "depth": depth, "by_name": rows["name"].str.casefold(),
    }  # fmt: skip
    ordered = rows.assign(**keys).sort_values([*keys, "project_id"], kind="stable")
    return ordered.drop(columns=list(keys)).reset_index(drop=True)
