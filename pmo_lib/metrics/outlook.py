"""Will we end the year within the money: plan, budget, actuals and outlook of a fiscal year, at every level.

Sign rule: variance = budget − outlook, positive is under budget; movement = outlook − previous outlook. Outlook,
run-rate, exposure and headroom as usual in management accounting; the fiscal year is the organisation's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from pmo_lib.errors import ReportError
from pmo_lib.metrics.accounts import SHOWN, UNPAIRED
from pmo_lib.metrics.bridge import CAUSE_COLUMNS, caused, largest_and_others
from pmo_lib.metrics.fiscal import MONTHS_OF_YEAR, FiscalYear, months_of_period
from pmo_lib.metrics.ledger import INTERNAL, PERIOD_13
from pmo_lib.metrics.money import major_units, minor_units

PORTFOLIO, PROGRAMME, PROJECT, OWN = "portfolio", "programme", "project", "own"
REASONS = {
    "plan_reason": "plan", "budget_reason": "budget", "months_reason": "ytd_actual", "outlook_reason": "outlook",
    "variance_reason": "variance",
    "previous_reason": "previous_outlook", "none_reason": "accruals",
    "transfers_reason": "transfers", "recharges_reason": "recharges", "adjustments_reason": "adjustments",
}  # fmt: skip
LEVEL_COLUMNS = [
    "level", "programme_id", "project_id", "name", "projects", "projects_paired", *SHOWN, "currency", "basis",
    "budget_basis", "closed_month", "provisional", "year", "rates", *UNPAIRED, *REASONS,
]  # fmt: skip
RATE_COLUMNS = ["name", "label", "value", "unit", "reason"]
MIX_COLUMNS = ["cost_type", "budget", "outlook", "budget_share", "outlook_share", "currency"]
NO_TYPE = "not stated"
PHASED_COLUMNS = [
    "month", "number", "closed", "plan", "actual", "outlook", "plan_cumulative", "actual_cumulative",
    "outlook_cumulative", "months_worth", "not_phased", "provisional", "currency",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Year:
    """All that a report says of one fiscal year; ``entries`` as :func:`pmo_lib.metrics.accounts.accounts` has them."""

    entries: pd.DataFrame

    @cached_property
    def levels(self) -> pd.DataFrame:
        """As :func:`levels`."""
        return levels(self.entries)

    @cached_property
    def phased(self) -> pd.DataFrame:
        """As :func:`phased`."""
        return phased(self.entries)

    @cached_property
    def rates(self) -> pd.DataFrame:
        """As :func:`run_rates`."""
        return run_rates(self.levels, phased=self.phased)

    @property
    def bridge(self) -> pd.DataFrame:
        """As :func:`plan_bridge`."""
        return plan_bridge(self.levels)

    @property
    def steps(self) -> pd.DataFrame:
        """As :func:`plan_causes`."""
        return plan_causes(self.entries)

    @property
    def types(self) -> pd.DataFrame:
        """As :func:`cost_types`."""
        return cost_types(self.entries)


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
        outlook. ``not_phased`` (the same in each row) is outlook returned for the year only. ``months_worth`` is the
        length of the period in months: 1, or by its weeks where all figures are of a 4-4-5 calendar. Empty where no
        figure is by month.
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
        months_worth=_worth(timed, numbers=numbers),
        closed=numbers <= closed,
        not_phased=int(unphased) / 100,
        provisional=closed < due,
        currency=entries["currency"].iloc[0],
    ).reset_index(drop=True)[PHASED_COLUMNS]


def _worth(timed: pd.DataFrame, *, numbers: pd.RangeIndex) -> list[float]:
    kinds = set(timed["period_kind"]) - {PERIOD_13}
    return [months_of_period(number) if kinds == {"4-4-5"} else 1.0 for number in numbers]


def run_rates(rows: pd.DataFrame, *, phased: pd.DataFrame) -> pd.DataFrame:
    """Return how fast money is spent, and how fast it would have to be.

    Parameters
    ----------
    rows, phased
        Results of :func:`levels` and :func:`phased`.

    Returns
    -------
    DataFrame
        ``name, label, value, unit, reason``, one row per figure; m is the number of closed months of the year (of a
        4-4-5 calendar: its closed weeks ÷ 52 × 12), and spent is actual to m + accrual at m. run_rate = spent / m;
        run_rate_outlook = run_rate × 12; recent_outlook = spent + actual and accrual of the last three closed
        months, a month, × (12 − m); required_run_rate = (budget − spent) / (12 − m); exposure = spent + commitments;
        headroom = budget − exposure. A commitment is what was ordered and not received, so it holds no accrual; it
        counts whole, also what of it falls due after the year: committed_beyond is the part above the year's forecast
        to come, project by project. Empty where there are no months.
    """
    if rows.empty or phased.empty:
        return pd.DataFrame(columns=RATE_COLUMNS)
    total, closed = rows.iloc[0], phased[phased["closed"]]
    m, left = float(closed["months_worth"].sum()), float(phased.loc[~phased["closed"], "months_worth"].sum())
    spent = _nothing(total["ytd_actual"]) + _nothing(total["accruals"])
    committed = spent + _nothing(total["commitments"])
    lately = closed["actual"].tail(3).sum() + _nothing(total["accruals"])
    recent = lately / max(closed["months_worth"].tail(3).sum(), 1)
    by_year = rows["level"].eq(PROJECT) & rows["basis"].eq("annual") & rows["outlook"].notna()
    none_closed = "" if m else "no month of the year is closed"
    mixed = "some projects have figures of the year only" if by_year.any() else none_closed
    no_budget = "no budget returned" if pd.isna(total["budget"]) else mixed
    few = "fewer than three closed months" if len(closed) < 3 else mixed
    none_ordered = "no commitments returned" if pd.isna(total["commitments"]) else none_closed
    over = no_budget if left else "the year is over"
    figures = [
        ("spent", "Spent to date", spent, none_closed),
        ("run_rate", "Spent a month so far", spent / max(m, 1), none_closed),
        ("run_rate_outlook", "The year at this rate", spent / max(m, 1) * MONTHS_OF_YEAR, mixed),
        ("recent_outlook", "The year at the rate of the last three months", spent + recent * left, few),
        ("required_run_rate", "Budget left for each month to come", (total["budget"] - spent) / max(left, 0.5), over),
        ("exposure", "Spent and committed", committed, none_closed),
        ("committed_beyond", "of it ordered beyond the year's forecast to come", _beyond(rows), none_ordered),
        ("headroom", "Budget neither spent nor committed", total["budget"] - committed, no_budget),
    ]
    table = pd.DataFrame(figures, columns=["name", "label", "value", "reason"])
    value = table["value"].astype("float64").round(2).where(table["reason"].eq(""))
    return table.assign(value=value, unit=total["currency"])[RATE_COLUMNS]


def _beyond(rows: pd.DataFrame) -> float:
    """Return what projects have ordered above their forecast of the months to come."""
    leaves = rows[rows["level"].isin([PROJECT, OWN])]
    ordered, to_come = (minor_units(leaves[name]).fillna(0) for name in ("commitments", "remaining_forecast"))
    return int((ordered - to_come).clip(lower=0).sum()) / 100


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


def plan_causes(entries: pd.DataFrame) -> pd.DataFrame:
    """Bridge the year's plan to its outlook by cause, over the units that have plan, budget and outlook.

    Parameters
    ----------
    entries
        Result of :func:`accounts`.

    Returns
    -------
    DataFrame
        As :func:`pmo_lib.metrics.bridge.caused`. ``approved changes`` and ``transfers`` make the budget of the plan;
        ``spent to date`` and ``to come`` are outlook − budget of the closed and of the open months (``not split by
        month`` where either is known for the year only); ``recharges`` and ``prior-year adjustments`` as posted. A
        positive step costs more.
    """
    known = entries[entries["minor"].notna()].assign(place=entries["own_of"] + "|" + entries["project_id"])
    there = [set(known.loc[known["part"].eq(part), "place"]) for part in ("plan", "budget", "outlook")]
    both = known[known["place"].isin(set.intersection(*there))]
    if both.empty:
        return pd.DataFrame(columns=CAUSE_COLUMNS)
    sums = {part: rows.groupby("place")["minor"].sum() for part, rows in both.groupby("part")}
    plan = sums["plan"]
    transfers, recharges, adjustments = (
        sums.get(part, pd.Series(dtype="Int64")).reindex(plan.index).fillna(0).astype("Int64")
        for part in ("transfers", "recharges", "adjustments")
    )
    budget, outlook = sums["budget"], sums["outlook"] - recharges - adjustments
    to_date = _to_date(both).reindex(plan.index)
    causes = {
        "approved changes": budget - transfers - plan,
        "transfers": transfers,
        "spent to date": to_date.fillna(0),
        "to come": (outlook - budget - to_date).fillna(0),
        "not split by month": (outlook - budget).where(to_date.isna(), 0),
        "recharges": recharges,
        "prior-year adjustments": adjustments,
    }
    currency = str(both["currency"].iloc[0])
    return caused(plan, causes=causes, closing=sums["outlook"], ends=("plan", "outlook"), currency=currency)


def _to_date(both: pd.DataFrame) -> pd.Series:
    """Return, by place, outlook − budget of the closed months; null where one of them has a figure of the year."""
    signs = {"outlook": 1, "budget": -1, **dict.fromkeys(INTERNAL, -1)}
    rows = both[both["part"].isin(signs)]
    signed = rows.assign(signed=rows["minor"] * rows["part"].map(signs))
    done = signed[signed["number"].between(1, signed["closed"])].groupby("place")["signed"].sum()
    yearly = set(both.loc[both["part"].isin(["budget", "outlook"]) & both["number"].eq(0), "place"])
    places = pd.Index(sorted(set(both["place"])))
    return done.reindex(places).fillna(0).astype("Int64").mask(places.isin(sorted(yearly)))


def cost_types(entries: pd.DataFrame) -> pd.DataFrame:
    """Split budget and outlook by capital and running cost.

    Returns
    -------
    DataFrame
        ``cost_type, budget, outlook, budget_share, outlook_share, currency``, one row per type as returned (``not
        stated`` where none is), sorted; shares of the totals over all types, null where a total is not above 0. The
        amounts sum to the portfolio's budget and outlook exactly.

    Raises
    ------
    ReportError
        If they do not.
    """
    rows = entries[entries["part"].isin(["budget", "outlook"]) & entries["minor"].notna()]
    if rows.empty:
        return pd.DataFrame(columns=MIX_COLUMNS)
    named = rows.assign(cost_type=rows["cost_type"].mask(rows["cost_type"].eq(""), NO_TYPE))
    table = named.pivot_table(index="cost_type", columns="part", values="minor", aggfunc="sum")
    table = table.reindex(columns=["budget", "outlook"]).astype("Int64").fillna(0)
    whole = rows.groupby("part")["minor"].sum().reindex(["budget", "outlook"]).fillna(0).astype("Int64")
    _must_equal(table.sum().to_frame("all").T, other=whole.to_frame("all").T, places=pd.Series("all", index=["all"]))
    shares = {f"{part}_share": table[part] / whole[part] if whole[part] > 0 else None for part in table.columns}
    money = table.apply(major_units).assign(**shares, currency=rows["currency"].iloc[0])
    return money.reset_index().rename_axis(columns=None)[MIX_COLUMNS]


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
        rates=entries["rates"].iloc[0],
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
