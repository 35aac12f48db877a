"""The figures of whole-life cost, earned value and chance, each with its definition, its rule and its own rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics import chance
from pmo_lib.metrics.bridge import CAUSES
from pmo_lib.metrics.calendar import calendar_of, month_numbers
from pmo_lib.metrics.cost import WHOLE_LIFE, whole_life
from pmo_lib.metrics.earned import sums
from pmo_lib.metrics.explained import COST, COUNT, OWN_RULE, Given, Measured, NamedFigure, Rows, counted
from pmo_lib.metrics.finance import CHANCES
from pmo_lib.metrics.money import converted
from pmo_lib.metrics.movement import LEFT, MOVED_IN, MOVED_OUT, NEVER, UNCHANGED
from pmo_lib.metrics.named_finance import FiscalFigures
from pmo_lib.metrics.progress import measured, standing
from pmo_lib.theme import month

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pmo_lib.metrics.cost import Lives

STANDARD = "PMI, The Standard for Earned Value Management, 2019; ISO 21508:2018"
LIPKE = "Lipke, Schedule is Different, The Measurable News, March 2003"
SIMULATED = "GAO-20-195G: S-curve of the simulated cost; assumptions under simulation in organisation.yml"
ABOVE_ONE = "above 1 is better than planned"
PLANNED = ("planned_value", "earned_value", "actual_cost")
INDEX_FIGURES: dict[str, tuple[str, str, str, str]] = {
    "planned_value": ("What the work planned to the status date was to cost", "sum of {planned value}", COST, STANDARD),
    "earned_value": ("Budget of the work that is done", "sum of {earned value}", "a value of work; more is more done",
        STANDARD),
    "actual_cost": ("What the work that is done has cost", "sum of {actual cost}", COST, STANDARD),
    "budget_at_completion": ("Budget of all the work of the baselines in force", "sum of {budget at completion}",
        COST, STANDARD),
    "cpi": ("Cost performance index: work done for each unit of money spent", "{earned value} ÷ {actual cost}",
        ABOVE_ONE, STANDARD),
    "spi": ("Schedule performance index, in money: work done as a share of the work planned",
        "{earned value} ÷ {planned value}", ABOVE_ONE, STANDARD),
    "estimate_at_completion_cpi": (
        "What all the work costs if it goes on as so far",
        "{budget at completion} ÷ ({earned value} ÷ {actual cost})", COST, STANDARD,
    ),
}  # fmt: skip
USED = {
    "planned_value": ("planned_value",), "earned_value": ("earned_value",), "actual_cost": ("actual_cost",),
    "budget_at_completion": ("budget",), "cpi": ("earned_value", "actual_cost"), "spi": ("earned_value",
        "planned_value"),
    "estimate_at_completion_cpi": ("budget", "earned_value", "actual_cost"),
}  # fmt: skip
CHANCE_TEXTS = {
    "cost_p50": ("Cost at completion that half of the trials stay within",
        "50th percentile of the portfolio's simulated cost"),
    "cost_p80": ("Cost at completion that 80 % of the trials stay within",
        "80th percentile of the portfolio's simulated cost"),
    "cost_p80_of_projects_added": ("The P80 of each project, added up: no percentile of anything",
        "sum of the projects' 80th percentiles"),
    "chance_of_budget": ("Share of the trials in which the projects with a budget stay within it",
        "trials within the budget ÷ {trials} trials"),
}  # fmt: skip
CAUSE_TEXTS = "What the whole-life cost changed by since the report before because of projects that are: {}"
BUDGET = ("project_id", "version")


@dataclass(frozen=True, eq=False)
class Finance(FiscalFigures):
    """What the figures of a financial outlook are about."""

    drawn: dict[tuple[Any, ...], tuple[pd.DataFrame, int]] = field(default_factory=dict)

    @cached_property
    def named(self) -> dict[str, NamedFigure]:
        """The figures by name, those of the fiscal year among them."""
        parts = (super().named.values(), self._lives(), self._causes(), self._indices(), self._chances())
        return {figure.name: figure for part in parts for figure in part}

    @cached_property
    def given(self) -> Given:
        """With the columns of cost that are compared, and how much of the month of the status date has passed."""
        calendar = calendar_of(self.settings.working_calendar)
        time = float(calendar.time_of(pd.Series([self.status_on])).iloc[0])
        this = int(month_numbers(pd.Series([f"{self.status_on:%Y-%m}"])).iloc[0])
        basis = self.lives.rows["basis"]
        known = {
            "cost": str(basis.iloc[0]) if len(basis) else WHOLE_LIFE[0], "view": self.view, "month": this,
            "share of the month": min(time - this, 1.0), "programmes": self.history("programmes"),
        }  # fmt: skip
        above = super().given
        return replace(above, numbers={**above.numbers, **known})

    @property
    def lives(self) -> Lives:
        """Whole-life costs."""
        return self.made.lives

    # --- whole-life cost ----------------------------------------------------------------------------------------------

    def _projects(self, ids: pd.Series, *, now: bool, before: bool) -> pd.DataFrame:
        projects = self.history("projects")
        sides = [self.between.here(projects)] * now + [self.between.before(projects)] * before
        parts = [side.drop_duplicates("project_id") for side in sides] or [projects.iloc[:0]]
        return pd.concat([part[part["project_id"].isin(ids)] for part in parts])

    def _lives(self) -> Iterator[NamedFigure]:
        column, rows = f"projects, column {self.given.numbers['cost']}", self.lives.rows
        since = month(self.view.since) if self.view.since else "no report before"
        now, before, silent = (rows.loc[rows[name].notna(), "project_id"] for name in ("now", "before", "last_known"))
        yield NamedFigure(
            "whole_life_cost", f"Whole-life cost of the projects with a single figure ({column})",
            "sum of {whole-life cost}",
            COST, OWN_RULE, ("projects",), lambda: {"projects": self._projects(now, now=True, before=False)}, _life,
        )  # fmt: skip
        yield NamedFigure(
            "projects_with_whole_life_cost", f"Projects with a single whole-life cost ({column})", "count of projects",
            COUNT, OWN_RULE, ("projects",), lambda: {"projects": self._projects(now, now=True, before=False)},
            counted("projects", where=_valued, of="project_id"),
        )  # fmt: skip
        yield NamedFigure(
            "whole_life_cost_before", f"The same, as the report before had it ({since})", "sum of {whole-life cost}",
            COST, OWN_RULE, ("projects",), lambda: {"projects": self._projects(before, now=False, before=True)}, _life,
        )  # fmt: skip
        for name, words in (
            ("whole_life_cost_last_known", "What was last known of"),
            ("projects_with_last_known_cost", "Projects with"),
        ):
            yield NamedFigure(
                name, f"{words} whole-life costs that were not returned now; in no total", "sum of {whole-life cost}"
                if "cost_last" in name else "count of projects", COST if "cost_last" in name else COUNT, OWN_RULE,
                ("projects",), lambda: {"projects": self._last_known(silent)},
                _life if "cost_last" in name else counted("projects", where=_valued, of="project_id"),
            )  # fmt: skip

    def _last_known(self, ids: pd.Series) -> pd.DataFrame:
        known = self.lives.rows.set_index("project_id")["last_known_period"].reindex(ids)
        places = pd.MultiIndex.from_arrays([known, known.index])
        projects = self.history("projects").drop_duplicates(["period", "project_id"])
        return projects[pd.MultiIndex.from_frame(projects[["period", "project_id"]]).isin(places)]

    def _causes(self) -> Iterator[NamedFigure]:
        for cause in (cause for cause in CAUSES if cause not in (UNCHANGED, NEVER)):
            yield NamedFigure(
                f"whole_life_{cause.replace(' ', '_').replace('-', '_')}", CAUSE_TEXTS.format(cause),
                "{whole-life cost now} − {whole-life cost before}", "positive costs more than before", OWN_RULE,
                ("projects", "lineage"), lambda cause=cause: self._caused(cause),
                lambda rows, given, cause=cause: _cause(rows, given=given, cause=cause),
            )  # fmt: skip

    def _caused(self, cause: str) -> Rows:
        """Return the rows, now and before, of the projects that a cause moved money of."""
        rows = self.lives.rows
        column = "cause" if cause in (MOVED_IN, MOVED_OUT) else "since_cause"
        amount = "moved_amount" if column == "cause" else "since_amount"
        ids = rows.loc[rows[column].eq(cause) & rows[amount].ne(0), "project_id"]
        lineage = self.history("lineage")
        told = lineage["project_id"].isna() & (lineage["from_id"].isin(ids) | lineage["to_id"].isin(ids))
        told &= lineage["kind"].isin(["renamed", "split", "merged"])
        renamed = lineage[told & (cause in ("succeeded by another", "successor of another"))]
        return {"projects": self._projects(ids, now=True, before=cause != LEFT or True), "lineage": renamed}

    # --- earned value -------------------------------------------------------------------------------------------------

    @cached_property
    def standing(self) -> pd.DataFrame:
        """Positions of our projects that count in the sums."""
        rows = standing(self.made.earned.progress, projects=self.now("projects"))
        return rows[rows["reason"].eq("")]

    @cached_property
    def months(self) -> pd.DataFrame:
        """Figures of the baselines in force of these projects, each month as its last return has it."""
        rows = _once(self.history("earned_value"))
        force = pd.MultiIndex.from_frame(self.standing[["project_id", "baseline_version"]])
        return rows[pd.MultiIndex.from_frame(rows[["project_id", "baseline_version"]]).isin(force)]

    def _indices(self) -> Iterator[NamedFigure]:
        needs = ("earned_value", "baselines")
        for name, (definition, formula, sign, source) in INDEX_FIGURES.items():
            yield NamedFigure(
                name, f"{definition}; whole portfolio, projects with figures of this month", formula, sign, source,
                needs,
                lambda name=name: self._positions(USED[name]), lambda rows, given, name=name: _index(rows, given=given,
                name=name),
            )  # fmt: skip
        yield NamedFigure(
            "spi_t",
            "Schedule performance index in time: months of plan that are earned, by the months that have passed",
            "{earned months} ÷ {months passed}", ABOVE_ONE, LIPKE, ("earned_value",), self._curves, _spi_t,
        )  # fmt: skip

    def _positions(self, used: tuple[str, ...]) -> Rows:
        if self.standing.empty:
            return {}
        rows, given = self.months, self.given
        parts, budgets = [], pd.DataFrame()
        if {"earned_value", "actual_cost"} & set(used):
            parts.append(_latest(rows, given=given))
        if "planned_value" in used:
            parts.append(_around(rows, given=given)[0])
        if "budget" in used:
            top, budgets = self._budgets()
            parts.append(top)
        found = pd.concat([part[rows.columns] for part in parts]).drop_duplicates(["return_of", *KEY])
        return {"earned_value": found.drop(columns=["return_of", "number"]),
            "baselines": budgets} if len(budgets) else {
            "earned_value": found.drop(columns=["return_of", "number"])}  # fmt: skip

    def _budgets(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the last point of each curve that is the budget, and the baselines whose own budget counts."""
        rows, at = self.months, self.standing.set_index("project_id")["budget"]
        planned = rows[rows["planned_value"].notna()].sort_values("number", kind="stable")
        top = planned.drop_duplicates("project_id", keep="last")
        same = (top["planned_value"] - top["project_id"].map(at).astype("float64")).abs().le(0.005)
        baselines = self.history("baselines").sort_values("period", kind="stable")
        baselines = baselines.drop_duplicates(list(BUDGET), keep="last")
        others = self.standing[~self.standing["project_id"].isin(top.loc[same, "project_id"])]
        force = pd.MultiIndex.from_frame(others[["project_id", "baseline_version"]])
        return top[same], baselines[pd.MultiIndex.from_frame(baselines[list(BUDGET)]).isin(force)]

    def _curves(self) -> Rows:
        """Return the planned values of the baselines in force, and the position of each project on them."""
        if self.standing.empty:
            return {}
        rows = self.months
        done = self.standing.loc[self.standing["complete"].eq(True), ["project_id", "budget"]].set_index("project_id")
        whole = rows["earned_value"].ge(rows["project_id"].map(done["budget"]).astype("float64") * (1 - 1e-9))
        first = rows[whole].sort_values("number", kind="stable").drop_duplicates("project_id")
        last = _latest(rows, given=self.given)
        last = last[~last["project_id"].isin(first["project_id"])]
        found = pd.concat([rows[rows["planned_value"].notna()], first, last[rows.columns]])
        return {"earned_value": found.drop_duplicates(["return_of", *KEY]).drop(columns=["return_of", "number"])}

    # --- chance -------------------------------------------------------------------------------------------------------

    def _chances(self) -> Iterator[NamedFigure]:
        for name, (definition, formula) in CHANCE_TEXTS.items():
            yield NamedFigure(
                name, definition, formula, "above is safer" if name == "chance_of_budget" else COST, SIMULATED,
                tuple(table for table in chance.NEEDS if table != "states"), lambda: self.simulated,
                lambda rows, given, column=CHANCES[name][0]: self._drawn(rows, given=given, column=column),
            )  # fmt: skip

    @cached_property
    def simulated(self) -> Rows:
        """The rows of projects with a forecast, of what they have spent, of their networks and their risks."""
        model = self.made.odds
        lines, risks = model.lines[model.lines["reason"].eq("")], model.risks
        drawn = risks["cost_reason"].eq("") | risks["days_reason"].eq("")
        risks = risks[drawn & risks["project_id"].isin([*lines["project_id"], ""])] if len(lines) else risks.iloc[:0]
        ids = lines["project_id"]
        spent = self.now("earned_value")
        spent = spent[spent["actual_cost"].notna() & spent["month"].le(f"{self.status_on:%Y-%m}")]
        last = spent.sort_values("month", kind="stable").drop_duplicates("project_id", keep="last")
        network = {name: self.now(name).loc[lambda rows: rows["project_id"].isin(ids)] for name in ("tasks", "links")}
        projects, register = self.now("projects"), self.now("risks")
        return {
            "projects": projects[projects["source_ref"].isin(lines["source_ref"])],
            "earned_value": last[last["project_id"].isin(ids)],
            "risks": register[register["source_ref"].isin(risks["source_ref"])], **network,
        }  # fmt: skip

    def _drawn(self, rows: Rows, *, given: Given, column: str) -> Measured:
        """Simulate from these rows alone; the four figures are of one simulation."""
        if rows["projects"].empty:
            return Measured(None, 0, {})
        names = [name for name in chance.NEEDS if name in rows]
        key = tuple((name, *rows[name]["source_ref"]) for name in names)
        if key not in self.drawn:
            tables = {name: rows[name].drop(columns="period") for name in names}
            model = chance.Chance(tables, given.settings, given.status_on)
            self.drawn[key] = model.levels, sum(len(rows[name]) for name in names if name != "states")
        levels, n = self.drawn[key]
        if levels.empty:
            return Measured(None, 0, {})
        value = levels.iloc[0][column]
        return Measured(None if pd.isna(value) else float(value), n, {"trials": float(levels.iloc[0]["trials"])})


KEY = ["project_id", "baseline_version", "month"]


def _once(history: pd.DataFrame) -> pd.DataFrame:
    """Return each figure once, as its last return has it; ``return_of`` that return, ``number`` its month."""
    rows = history.sort_values("period", kind="stable").drop_duplicates(KEY, keep="last")
    return rows.assign(return_of=rows["period"], number=month_numbers(rows["month"]))


def _valued(rows: pd.DataFrame, *, given: Given) -> pd.Series:
    column: str = given.numbers["cost"]
    return rows[column].notna()


def _life(rows: Rows, *, given: Given) -> Measured:
    column, settings = given.numbers["cost"], given.settings
    table = converted(rows["projects"], columns=[column], rates=settings.rates, currency=settings.currency)
    values = (table[column].dropna() * 100).round().astype("int64")
    total = int(values.sum()) / 100
    return Measured(total if len(values) else None, len(values), {"whole-life cost": total})


def _cause(rows: Rows, *, given: Given, cause: str) -> Measured:
    """Bridge these rows alone, and add up what the cause moved."""
    if rows["projects"].empty:
        return Measured(0.0, 0, {"whole-life cost now": 0.0, "whole-life cost before": 0.0})
    view = replace(given.numbers["view"], reorganised=frozenset()).after(rows["lineage"])
    found = whole_life(rows["projects"], states=rows["states"], view=view)
    moved = cause in (MOVED_IN, MOVED_OUT)
    used = found[found["cause" if moved else "since_cause"].eq(cause)]
    amounts = used["moved_amount" if moved else "since_amount"]
    up, down = amounts.clip(lower=0), amounts.clip(upper=0)
    value = round(float(amounts.sum()), 2)
    terms: Mapping[str, Any] = {"whole-life cost now": float(up.sum()), "whole-life cost before": -float(down.sum())}
    both = used[["before", "now"]].astype("float64")
    if not moved and both.notna().all(axis=None):
        terms = {"whole-life cost now": float(both["now"].sum()), "whole-life cost before": float(both["before"].sum())}
    return Measured(value, len(used), terms)


def _money(rows: pd.DataFrame, *, given: Given) -> pd.DataFrame:
    settings = given.settings
    return converted(rows, columns=list(PLANNED), rates=settings.rates, currency=settings.currency)


def _latest(rows: pd.DataFrame, *, given: Given) -> pd.DataFrame:
    """Return the last row of each project with earned value or cost, up to the month of the status date."""
    seen = rows[rows[["earned_value", "actual_cost"]].notna().any(axis="columns")]
    seen = seen[seen["number"].le(given.numbers["month"])].sort_values("number", kind="stable")
    return seen.drop_duplicates("project_id", keep="last")


def _around(rows: pd.DataFrame, *, given: Given) -> tuple[pd.DataFrame, pd.Series]:
    """Return the planned values on both sides of the status date, and the share of each that counts."""
    this, part = given.numbers["month"], given.numbers["share of the month"]
    planned = rows[rows["planned_value"].notna() & rows["number"].le(this)].sort_values("number", kind="stable")
    rank = planned.groupby("project_id").cumcount(ascending=False)
    last = planned[rank.eq(0)]
    within = set(last.loc[last["number"].eq(this), "project_id"]) if part < 1 else set()
    used = planned[rank.eq(0) | (rank.eq(1) & planned["project_id"].isin(within))]
    first = rank.reindex(used.index).eq(0)
    share = first.map({True: 1.0, False: 0.0}).astype("float64")
    inside = used["project_id"].isin(within)
    return used, share.mask(inside & first, part).mask(inside & ~first, 1 - part)


def _index(rows: Rows, *, given: Given, name: str) -> Measured:
    used, table = USED[name], _once(_money(rows["earned_value"], given=given))
    terms, n = {}, 0
    latest = _latest(table, given=given)
    for column in ("earned_value", "actual_cost"):
        if column in used:
            terms[column.replace("_", " ")] = float(latest[column].sum())
            n += int(latest[column].notna().sum())
    if "planned_value" in used:
        around, share = _around(table, given=given)
        terms["planned value"] = float((around["planned_value"] * share).sum())
        n += len(around)
    if "budget" in used:
        own = converted(
            rows["baselines"], columns=["budget"], rates=given.settings.rates, currency=given.settings.currency
        )
        top = (
            table.loc[~table["project_id"].isin(own["project_id"])]
            .groupby("project_id")["planned_value"]
            .max()
            .dropna()
        )
        terms["budget at completion"] = float(top.sum() + own["budget"].sum())
        n += len(top) + len(own)
    return Measured(_ratio(terms, name=name), n, terms)


def _ratio(terms: Mapping[str, float], *, name: str) -> float | None:
    earned, cost, planned = (terms.get(key, 0.0) for key in ("earned value", "actual cost", "planned value"))
    if name == "cpi":
        return earned / cost if cost else None
    if name == "spi":
        return earned / planned if planned else None
    if name == "estimate_at_completion_cpi":
        return terms["budget at completion"] * cost / earned if earned else None
    return next(iter(terms.values())) if terms else None


def _spi_t(rows: Rows, *, given: Given) -> Measured:
    """Read earned schedule on the sum of these curves."""
    figures = rows["earned_value"]
    if figures.empty:
        return Measured(None, 0, {})
    blank = pd.DataFrame(columns=["period", "project_id", "version", "approved_on", "budget", "finish_on", "currency"])
    named = figures[["period", "portfolio_id", "project_id"]].drop_duplicates(["period", "project_id"])
    projects = named.reindex(columns=[*named.columns, *PROJECT_CELLS]).astype(PROJECT_CELLS)
    known: dict[str, Any] = {"baselines": blank.astype({"budget": "float64", "approved_on": "datetime64[us]",
    "finish_on": "datetime64[us]"}),
             "projects": projects, "settings": given.settings, "status_on": given.status_on}  # fmt: skip
    progress = measured(figures, **known)
    used = standing(progress, projects=projects.drop_duplicates("project_id")).assign(all="all")
    whole = sums(used, progress=progress, by=["all"]).iloc[0]
    n = int(figures["planned_value"].notna().sum()) + int(used["reason"].eq("").sum())
    terms = {"earned months": whole["earned_months"], "months passed": whole["elapsed_months"]}
    value = whole["spi_t"]
    return Measured(None if pd.isna(value) else float(value), n, terms)


PROJECT_CELLS: dict[str, str] = {
    "name": "str", "programme_id": "str", "delivery_status": "str", "currency": "str", "source_ref": "str",
    **dict.fromkeys(WHOLE_LIFE, "float64"), "finish_forecast_on": "datetime64[us]",
}  # fmt: skip
