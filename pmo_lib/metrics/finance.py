"""A financial outlook as a whole, and the figures that it publishes: what a roll-up adds and an auditor looks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics import chance
from pmo_lib.metrics.accounts import SHOWN, accounts
from pmo_lib.metrics.bridge import CAUSES, FIRST
from pmo_lib.metrics.chance import Chance
from pmo_lib.metrics.cost import Lives, Years
from pmo_lib.metrics.earned import Earned
from pmo_lib.metrics.fiscal import View
from pmo_lib.metrics.money import minor_units
from pmo_lib.metrics.movement import LEFT, MOVED_IN, MOVED_OUT, NEVER, UNCHANGED
from pmo_lib.metrics.outlook import Year
from pmo_lib.theme import counted, month

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pmo_lib.metrics.movement import Between
    from pmo_lib.parameters.models import Organisation

NEEDED = ("projects", "states", "finance", "lineage", "baselines", "earned_value")
NOW = ("programmes", *chance.NEEDS)
FIGURE_COLUMNS = ["name", "value", "unit", "reason", "label", "movement"]
RUN_OF_YEARS = 4
NO_FINANCE = "no finance returned for this year"
REASON_OF = {
    "plan": "plan_reason", "budget": "budget_reason", "outlook": "outlook_reason", "variance": "variance_reason",
    "previous_outlook": "previous_reason", "movement": "previous_reason", "accruals": "none_reason",
    "commitments": "none_reason", "transfers": "transfers_reason", "recharges": "recharges_reason",
    "adjustments": "adjustments_reason",
}  # fmt: skip
# Name: column of the whole portfolio's position, and its unit; "" is the currency.
EARNED = {
    "planned_value": ("planned_value", ""), "earned_value": ("earned_value", ""), "actual_cost": ("actual_cost", ""),
    "budget_at_completion": ("budget", ""), "estimate_at_completion_cpi": ("eac_cpi", ""), "cpi": ("cpi", "ratio"),
    "spi": ("spi", "ratio"), "spi_t": ("spi_t", "ratio"),
}  # fmt: skip
CHANCES = {
    "cost_p50": ("p50", ""), "cost_p80": ("p80", ""), "cost_p80_of_projects_added": ("sum_p80", ""),
    "chance_of_budget": ("chance_of_budget", "share"),
}  # fmt: skip
NO_FORECAST = "no project has a forecast to simulate"
NO_EARNED_VALUE = "no project has earned value of this month"
# In the order of the tiles.
LABELS = {
    "outlook": "Outlook of the year",
    "budget": "Budget of the year",
    "variance": "Under (+) or over (−) budget",
    "movement": "Outlook, change since the last report",
    "in_year_variance_share": "Outlook against plan",
    "whole_life_cost": "Whole-life cost",
    "plan": "Plan of the year",
    "whole_life_cost_before": "Whole-life cost in the last report",
    "whole_life_re_based": "Re-based, like for like",
    "whole_life_cost_last_known": "Not returned, last known",
}
LASTING = ("whole_life_cost", "whole_life_cost_before", "whole_life_re_based", "whole_life_cost_last_known")
OPENING = ("outlook", "plan", "budget", "variance", "movement")
Row = tuple[str, Any, str, str]


@dataclass(frozen=True, eq=False)
class Case:
    """All that one report says of money; each part is made when it is first asked for, and once.

    Parameters
    ----------
    tables
        Histories of :data:`NEEDED`.
    now
        The rows of this report of :data:`NOW`.
    settings
        Fiscal year, rates, limits, assumptions.
    between
        The two reports.
    status_on
        The day that the figures speak of.
    """

    tables: Mapping[str, pd.DataFrame]
    now: Mapping[str, pd.DataFrame]
    settings: Organisation
    between: Between
    status_on: pd.Timestamp

    @cached_property
    def view(self) -> View:
        """Portfolio, months and fiscal calendar, with the projects that came by new ids."""
        settings, between = self.settings, self.between
        of = (between.portfolio_id, between.period, between.since)
        view = View(*of, settings.fiscal_year_start_month, settings.currency, settings.rates)
        return view.after(self.tables["lineage"])

    @cached_property
    def year(self) -> Year:
        """The fiscal year of this report."""
        known = {name: self.tables[name] for name in ("projects", "states")}
        return Year(accounts(self.tables["finance"], programmes=self.now["programmes"], view=self.view, **known))

    @cached_property
    def years(self) -> Years:
        """Spending against plan over the fiscal years."""
        known = {name: self.tables[name] for name in ("finance", "projects", "states")}
        return Years(**known, view=self.view, limits=self.settings.thresholds)

    @cached_property
    def lives(self) -> Lives:
        """Whole-life costs."""
        return Lives(self.tables["projects"], self.tables["states"], self.view)

    @cached_property
    def earned(self) -> Earned:
        """Earned value."""
        values, baselines, projects = (self.tables[name] for name in ("earned_value", "baselines", "projects"))
        programmes = self.now["programmes"]
        return Earned(values, baselines, projects, programmes, self.view, self.settings, self.status_on)

    @cached_property
    def odds(self) -> Chance:
        """The simulation."""
        return Chance({name: self.now[name] for name in chance.NEEDS}, self.settings, self.status_on)


def published(
    year: Year, *, years: Years, lives: Lives, earned: Earned | None = None, odds: Chance | None = None
) -> dict[str, pd.DataFrame]:
    """Return the tables that a roll-up reads; the arguments are those of :func:`headline`."""
    return {
        "whole_life_cost": lives.rows, "in_year": years.this_year, "underspend": years.under,
        "disclosure": lives.disclosure, "levels": year.levels, **(earned.published if earned else {}),
        **({"chances": odds.levels} if odds else {}),
    }  # fmt: skip


def headline(
    year: Year, *, years: Years, lives: Lives, earned: Earned | None = None, odds: Chance | None = None
) -> pd.DataFrame:
    """Return the published figures, the most telling first: sums of the published tables' columns.

    Parameters
    ----------
    year
        This fiscal year.
    years
        Spending against plan; of the large underspends those of this fiscal year are counted.
    lives
        Whole-life costs.
    earned
        Earned value.
    odds
        The simulation; its percentiles are of this portfolio, and no roll-up may add them.

    Returns
    -------
    DataFrame
        ``name, value, unit, reason, label, movement``; a null value has a reason.
    """
    levels, rates, in_year, whole_life = year.levels, year.rates, years.this_year, lives.rows
    this_year = years.under[years.under["year"].isin(in_year["year"])]
    rows = [*_outlook(levels), *_whole_life(whole_life), *_in_year(in_year), *_underspends(this_year)]
    rows += _earned(earned.units) if earned else []
    rows += _chances(odds.levels) if odds else []
    named = pd.DataFrame(rows, columns=["name", "value", "unit", "reason"])
    table = pd.concat([named, rates[named.columns]], ignore_index=True) if len(rates) else named
    return _labelled(table, notes=_notes(levels, in_year=in_year, whole_life=whole_life))


def opening(levels: pd.DataFrame) -> pd.DataFrame:
    """Return the figures of the year that open the page, in the form of :func:`headline`."""
    named = pd.DataFrame(_outlook(levels), columns=["name", "value", "unit", "reason"]).query("name in @OPENING")
    named = named if len(levels) else named[named["name"].eq("outlook")]
    return _labelled(named, notes=_year_notes(levels))


def lasting(whole_life: pd.DataFrame) -> pd.DataFrame:
    """Return the figures of whole-life cost that open its section, in the form of :func:`headline`."""
    named = pd.DataFrame(_whole_life(whole_life), columns=["name", "value", "unit", "reason"]).query("name in @LASTING")
    return _labelled(named, notes=_life_notes(whole_life))


def _chances(levels: pd.DataFrame) -> list[Row]:
    whole = levels.iloc[0] if len(levels) else pd.Series({name: None for name, _ in CHANCES.values()})
    unit = str(whole["currency"]) if len(levels) else "money"
    return [
        (name, whole[column], kind or unit, NO_FORECAST if levels.empty else str(whole["budget_reason"]))
        for name, (column, kind) in CHANCES.items()
    ]


def _labelled(named: pd.DataFrame, *, notes: Mapping[str, str]) -> pd.DataFrame:
    table = named.assign(value=named["value"].astype("float64"))
    reason = table["reason"].where(table["value"].isna())
    rank = table["name"].map({name: place for place, name in enumerate(LABELS)}).fillna(len(LABELS))
    labels = table["name"].map(LABELS).fillna(table["name"].str.replace("_", " "))
    remarks = table["name"].map(notes).fillna("")
    table = table.assign(reason=reason, label=labels, movement=remarks, rank=rank)
    return table.sort_values("rank", kind="stable")[FIGURE_COLUMNS].reset_index(drop=True)


def _outlook(levels: pd.DataFrame) -> Iterator[Row]:
    if levels.empty:
        yield from ((part, None, "money", NO_FINANCE) for part in SHOWN)
        return
    total = levels.iloc[0]
    for part in SHOWN:
        yield part, total[part], str(total["currency"]), total[REASON_OF.get(part, "months_reason")]
    yield "projects_with_variance", total["projects_paired"], "projects", ""


def _whole_life(rows: pd.DataFrame) -> Iterator[Row]:
    """Yield totals and causes; the causes are null where there is no report before."""
    currency = str(rows["currency"].iloc[0] or "money") if len(rows) else "money"
    known = rows["now"].notna()
    now = _sum(rows["now"]) if known.any() else None
    yield "whole_life_cost", now, currency, "no project has a single published whole-life cost"
    yield "projects_with_whole_life_cost", int(known.sum()), "projects", ""
    first = rows.empty or rows["cause"].eq(FIRST).all()
    before = None if first or rows["before"].isna().all() else _sum(rows["before"])
    yield "whole_life_cost_before", before, currency, "no report before, or no figure in it"
    silent = rows["last_known"].notna()
    told = _sum(rows["last_known"]) if silent.any() else None
    yield "whole_life_cost_last_known", told, currency, "nothing that was known before was left out"
    yield "projects_with_last_known_cost", int(silent.sum()), "projects", ""
    for cause in (cause for cause in CAUSES if cause not in (UNCHANGED, NEVER)):
        moved = cause in (MOVED_IN, MOVED_OUT)
        amounts = (
            rows.loc[rows["cause"].eq(cause), "moved_amount"]
            if moved
            else (rows.loc[rows["since_cause"].eq(cause), "since_amount"])
        )
        name = f"whole_life_{cause.replace(' ', '_').replace('-', '_')}"
        yield name, None if first else _sum(amounts), currency, "there is no earlier report to compare with"


def _in_year(rows: pd.DataFrame) -> Iterator[Row]:
    both = rows[rows["paired"].astype(bool)]
    currency = str(both["currency"].iloc[0]) if len(both) else "money"
    plan = _sum(both["plan"])
    share = round(_sum(both["variance"]) / plan, 6) if plan > 0 else None
    yield "in_year_variance_share", share, "share", "no project has both a plan above 0 and an outlook"
    for name in ("plan", "outlook", "variance"):
        value = _sum(both[name]) if len(both) else None
        yield f"in_year_{name}", value, currency, "no project has both a plan and an outlook"
    yield "in_year_projects", len(both), "projects", ""
    long = rows[rows["years_known"].ge(RUN_OF_YEARS)]
    yield "projects_known_four_years", len(long), "projects", ""
    yield "projects_under_four_years", int(long["years_under"].ge(RUN_OF_YEARS).sum()), "projects", ""


def _underspends(rows: pd.DataFrame) -> Iterator[Row]:
    dated = rows[rows["moved_days"].notna()]
    yield "underspends", len(rows), "projects", ""
    yield "underspends_dated", len(dated), "projects", ""
    yield "underspends_end_kept", int(dated["kept"].sum()), "projects", ""


def _notes(levels: pd.DataFrame, *, in_year: pd.DataFrame, whole_life: pd.DataFrame) -> dict[str, str]:
    """Say under a tile how many projects are behind its figure."""
    paired = int(in_year["paired"].sum())
    notes = _life_notes(whole_life) | {
        "in_year_variance_share": f"{paired} of {counted(len(in_year), noun='project')} with both",
    }
    return notes | _year_notes(levels)


def _life_notes(whole_life: pd.DataFrame) -> dict[str, str]:
    costed = int(whole_life["now"].notna().sum())
    here = int((~whole_life["cause"].isin([LEFT, MOVED_OUT])).sum())
    silent = whole_life[whole_life["last_known"].notna()]
    latest = f", latest {month(str(silent['last_known_period'].max()))}" if len(silent) else ""
    return {
        "whole_life_cost": f"{costed} of {counted(here, noun='project')} with a figure",
        "whole_life_cost_last_known": f"{counted(len(silent), noun='project')} in no total{latest}",
    }


def _earned(units: pd.DataFrame) -> Iterator[Row]:
    """Yield the position of the whole portfolio; null where no project has figures of this month."""
    whole = units.iloc[0] if len(units) else pd.Series(dtype="object")
    currency = whole.get("currency")
    for name, (column, unit) in EARNED.items():
        known = unit or (str(currency) if pd.notna(currency) else "money")
        yield name, whole.get(column), known, whole.get(f"{column}_reason") or NO_EARNED_VALUE


def _sum(amounts: pd.Series) -> float:
    return int(minor_units(amounts).fillna(0).sum()) / 100


def _year_notes(levels: pd.DataFrame) -> dict[str, str]:
    if levels.empty:
        return {}
    total = levels.iloc[0]
    covered = f"{total['projects_paired']} of {counted(int(total['projects']), noun='project')} with both"
    return {
        "variance": f"{_side(total['variance'], up='under', down='over')} budget, {covered}",
        "movement": f"{_side(total['movement'], up='higher', down='lower')} for the same projects",
        "outlook": f"fiscal year {total['year']}" + (", provisional" if total["provisional"] else ""),
        "budget": "the plan: no budget was returned" if total["budget_basis"] == "plan" else "",
    }


def _side(value: float, *, up: str, down: str) -> str:
    return "" if pd.isna(value) else up if value > 0 else down if value < 0 else "exactly on"
