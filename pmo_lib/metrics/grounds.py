"""What a computed rating rests on: the figures that decide it, report by report, and the returned rows that they read.

A red rating rests on one figure above its limit: a witness. That a rating is not red, or cannot be computed, rests on
every figure of its dimensions in every report that hysteresis looks at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.contracts.tables import TABLES
from pmo_lib.metrics.computed import COLOURS, WHOLE
from pmo_lib.metrics.exceptions import breaches
from pmo_lib.metrics.explained import Rows
from pmo_lib.metrics.gates import required
from pmo_lib.metrics.measures import KEY, MEASURES, ORIGINAL, OVERALL, standings
from pmo_lib.metrics.quality import MAY_BE_EMPTY
from pmo_lib.metrics.risk import scored_risks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pmo_lib.metrics.judgement import Judgement

GROUND_COLUMNS = (*KEY, "measure")
FOUR = tuple(measure.name for measure in MEASURES if measure.dimension in OVERALL)
WORK = ("finish by the work done", "cost at the efficiency so far")
# The witness of a red rating is the figure that needs the fewest rows: those of the project itself first.
EASIEST = {name: place for place, name in enumerate((*(name for name in FOUR if name not in WORK), *WORK))}
TOLD_BY_WORK = ("planned_value", "earned_value", "actual_cost")
RED = COLOURS[2]
CHECKED = ("status", "baselines", "milestones", "published_figures")
RETURN = ["period", "portfolio_id"]
OF, AT = "of_project", "row"


@dataclass(frozen=True, eq=False)
class Grounds:
    """The grounds of a judgement: for each project the figures that count, and the rows that they read."""

    case: Judgement

    # --- which figures decide -------------------------------------------------------------------------------

    @cached_property
    def decisive(self) -> pd.DataFrame:
        """The figures that decide the overall rating of each project in this report.

        Returns
        -------
        DataFrame
            :data:`GROUND_COLUMNS`: report, project and measure. Of a red project the witness: a figure above its red
            limit in the latest report that has one, the first of :data:`EASIEST`; and if that report is an earlier
            one, a figure of the same dimension now. Of any other project all measures of :data:`FOUR`.
        """
        period = self.case.between.period
        now = self._four[self._four["period"].eq(period)]
        whole = self.case.rated[self.case.rated["dimension"].eq(WHOLE) & self.case.rated["period"].eq(period)]
        red = whole.loc[whole["rating"].eq(RED), "project_id"]
        held = now.loc[now["rating"].eq(RED) & now["project_id"].isin(red), ["project_id", "dimension"]]
        ranked = self.case.ranked
        seen = ranked[ranked["rank"].eq(COLOURS.index(RED)) & ranked["period"].le(period)].merge(held)
        order = seen.assign(place=seen["measure"].map(EASIEST)).sort_values(
            ["project_id", "period", "place"], ascending=[True, False, True], kind="stable"
        )
        witness = order.drop_duplicates("project_id")
        # Where the witness is of an earlier report: that its dimension can be told now, so that it is still in force.
        asked = witness.loc[witness["period"].ne(period), ["project_id", "dimension"]]
        told = ranked[ranked["period"].eq(period) & ranked["rank"].notna()].merge(asked)
        beside = told.assign(place=told["measure"].map(EASIEST)).sort_values("place", kind="stable")
        others = self.of_all(whole.loc[~whole["rating"].eq(RED), "project_id"])
        parts = [witness, beside.drop_duplicates("project_id"), others]
        return pd.concat(parts)[list(GROUND_COLUMNS)].drop_duplicates()

    @cached_property
    def _four(self) -> pd.DataFrame:
        """The ratings of the four dimensions, up to this report."""
        table = self.case.rated
        return table[table["dimension"].isin(OVERALL) & table["period"].le(self.case.between.period)]

    def of_all(self, ids: pd.Series) -> pd.DataFrame:
        """Return every figure of the four dimensions of projects, in every report that hysteresis looks at."""
        four = self._four[self._four["project_id"].isin(ids)]
        recent = four["status_on"].gt(
            self.case.status_on - pd.Timedelta(days=self.case.settings.rating.hysteresis_days)
        )
        # The report before these days stands until the first of them: of each dimension the last that could tell.
        standing = four[~recent & four["raw"].notna()].sort_values("period", kind="stable")
        standing = standing.drop_duplicates(["project_id", "dimension"], keep="last")
        looked_at = pd.concat([four[recent | four["period"].eq(self.case.between.period)], standing])
        return looked_at[KEY].drop_duplicates().merge(pd.DataFrame({"measure": FOUR}), how="cross")

    # --- which rows they read -------------------------------------------------------------------------------

    @cached_property
    def of_whole(self) -> Rows:
        """The rows of the overall ratings: per table which row (:data:`AT`) is read for which project (:data:`OF`)."""
        return self.read(self.decisive)

    @cached_property
    def of_exceptions(self) -> Rows:
        """The rows of the figure that breaches each tolerance in this report, as :attr:`of_whole`."""
        return self.read(breaches(self.case.rated, period=self.case.between.period)[list(GROUND_COLUMNS)])

    @cached_property
    def _stood(self) -> pd.DataFrame:
        case = self.case
        return standings(case.tables, settings=case.settings, between=case.between, against=case.standard.against)

    def read(self, figures: pd.DataFrame) -> Rows:
        """Return the rows that figures read, for each project.

        Parameters
        ----------
        figures
            :data:`GROUND_COLUMNS`.

        Returns
        -------
        dict
            Per contract table :data:`OF` and :data:`AT`. The project in each report (and in this one), one row that
            dates the report, and what each measure adds: the return that first told each month's figures, changes
            that are not rejected, quantified risks, entries of contingency, artefacts that are required. Where a
            figure is 0 since there is no such row, one of the same return that shows that it told of such things.
        """
        tables, original = self.case.tables, self.case.standard.against == ORIGINAL
        asked = self._stood.merge(figures[KEY].drop_duplicates())
        told = {name: asked.merge(figures[figures["measure"].eq(name)]) for name in figures["measure"].unique()}
        none = asked.iloc[:0]
        worked = pd.concat([none, *(told[name] for name in WORK if name in told)])["project_id"].drop_duplicates()
        dates = dated(tables["status"], periods=asked["period"])
        risky, unready = told.get("exposure not covered", none), told.get("artefacts not approved", none)
        needed = required(tables["artefacts"], projects=tables["projects"]) if len(unready) else tables["artefacts"]
        found = {
            "projects": self._projects(asked, worked=worked),
            "status": _attributed(dates.reset_index(names=AT)[["period", AT]].merge(asked[KEY], on="period")),
            "earned_value": _own(_first_told(tables["earned_value"], ids=worked)),
            "baselines": _own(_versions(tables["baselines"], ids=asked["project_id"] if original else worked)),
            "changes": self._changes(told, none=none),
            "risks": _at(self._quantified(risky), asked=risky),
            "reserves": _at(_entries(tables["reserves"]), asked=risky),
            "artefacts": _at(needed, asked=unready),
        }
        return {name: pairs.drop_duplicates() for name, pairs in found.items() if len(pairs)}

    def rows(self, pairs: Rows, *, ids: pd.Series) -> Rows:
        """Return the rows of the contract tables that are read for any of these projects."""
        mine = {name: each.loc[each[OF].isin(ids), AT].drop_duplicates() for name, each in pairs.items()}
        return {name: self.case.tables[name].loc[places.sort_values()] for name, places in mine.items() if len(places)}

    def _projects(self, asked: pd.DataFrame, *, worked: pd.Series) -> pd.DataFrame:
        """Pair projects with their rows: as each report had them, when they were paused, at first if that is asked."""
        stood = self._stood
        mine = stood["project_id"].isin(asked["project_id"])
        kept = pd.MultiIndex.from_frame(stood[KEY]).isin(pd.MultiIndex.from_frame(asked[KEY]))
        kept |= mine & stood["period"].eq(self.case.between.period)
        kept |= stood["project_id"].isin(worked) & stood["delivery_status"].eq("paused")
        places = stood.loc[kept | (mine & (self.case.standard.against == ORIGINAL)), [*RETURN, "project_id"]]
        projects = self.case.projects.reset_index(names=AT)[[*RETURN, "project_id", AT]]
        return _attributed(places.merge(projects.drop_duplicates([*RETURN, "project_id"])))

    def _changes(self, told: Mapping[str, pd.DataFrame], *, none: pd.DataFrame) -> pd.DataFrame:
        changes, original = self.case.tables["changes"], self.case.standard.against == ORIGINAL
        live = changes["decision"].ne("rejected") & (changes["baseline_version"].isna() | original)
        waits = changes[changes["decided_on"].isna() & changes["decision"].isna() & changes["raised_on"].notna()]
        oldest = waits.sort_values("raised_on", kind="stable").drop_duplicates(KEY)
        parts = (
            ("changes outside the baseline", changes[live & changes["effect_on_cost"].notna()]),
            ("oldest undecided change", oldest),
        )
        return pd.concat([_shown(rows, asked=told.get(name, none), table=changes) for name, rows in parts])

    def _quantified(self, asked: pd.DataFrame) -> pd.DataFrame:
        """Return the open risks with an expected value in money."""
        risks = self.case.tables["risks"]
        if asked.empty:
            return risks.iloc[:0]
        owners = asked[["portfolio_id"]].drop_duplicates().assign(currency=self.case.settings.currency)
        scored = scored_risks(risks, portfolios=owners, rules=self.case.settings.risk)
        used = scored[scored["open"] & scored["expected_money"].notna()]
        key = [*RETURN, "risk_id", "status_date"]
        return risks[pd.MultiIndex.from_frame(risks[key]).isin(pd.MultiIndex.from_frame(used[key]))]

    # --- the data itself ------------------------------------------------------------------------------------

    def of_the_data(self, ids: pd.Series) -> Rows:
        """Return the rows by which the data of projects is judged: completeness, freshness and reconciliation."""
        now = {name: self.case.between.now(self.case.tables[name]) for name in CHECKED}
        own = {name: rows[rows["project_id"].isin(ids)] for name, rows in now.items()}
        order = own["baselines"].sort_values(["approved_on", "version"], kind="stable", na_position="first")
        ahead, dates = own["milestones"], dated(self.case.tables["status"], periods=[self.case.between.period])
        return {
            "projects": self._filled(ids),
            "status": _once([own["status"], dates]),
            "baselines": order.drop_duplicates("project_id", keep="last"),
            "milestones": ahead[ahead["actual_on"].isna() & ahead["forecast_on"].notna()],
            "published_figures": own["published_figures"].dropna(subset=["published", "recomputed"]),
        }

    def _filled(self, ids: pd.Series) -> pd.DataFrame:
        """Return projects now, and for each column that all of them leave empty the first return that filled it."""
        now = self.case.between.now(self.case.projects)
        now = now[now["project_id"].isin(ids)].drop_duplicates("project_id")
        ours = self.case.projects[self.case.projects["portfolio_id"].eq(self.case.between.portfolio_id)]
        ours = ours[ours["period"].le(self.case.between.period)].sort_values("period", kind="stable")
        empty = [name for name in TABLES["projects"].names if now[name].isna().all() and name not in MAY_BE_EMPTY]
        return _once([now, *(ours[ours[name].notna()].iloc[:1] for name in empty)])


def size(rows: Mapping[str, pd.DataFrame]) -> int:
    """Count rows over tables."""
    return sum(len(each) for each in rows.values())


def dated(status: pd.DataFrame, *, periods: Iterable[str]) -> pd.DataFrame:
    """Return one row of each report that has its status date."""
    own = status[status["period"].isin(set(periods))]
    latest = own.groupby("period")["status_date"].transform("max")
    return own[own["status_date"].eq(latest)].drop_duplicates("period")


def _once(parts: list[pd.DataFrame]) -> pd.DataFrame:
    rows = pd.concat(parts)
    return rows[~rows.index.duplicated()]


def _attributed(pairs: pd.DataFrame) -> pd.DataFrame:
    return pairs.rename(columns={"project_id": OF})[[OF, AT]]


def _own(rows: pd.DataFrame) -> pd.DataFrame:
    """Pair rows with the project that they are of."""
    return _attributed(rows.reset_index(names=AT))


def _first_told(earned_value: pd.DataFrame, *, ids: pd.Series) -> pd.DataFrame:
    """Return the rows of projects that were the first to tell a month, or one of its figures."""
    rows = earned_value[earned_value["project_id"].isin(ids)]
    order, key = rows.sort_values("period", kind="stable"), ["project_id", "baseline_version", "month"]
    first = ~order.duplicated(key)
    for name in TOLD_BY_WORK:
        told = order[order[name].notna()]
        first |= (~told.duplicated(key)).reindex(order.index, fill_value=False)
    return order[first]


def _versions(baselines: pd.DataFrame, *, ids: pd.Series) -> pd.DataFrame:
    """Return each baseline of projects as it was told last."""
    rows = baselines[baselines["project_id"].isin(ids)].sort_values("period", kind="stable")
    return rows.drop_duplicates(["project_id", "version"], keep="last")


def _entries(reserves: pd.DataFrame) -> pd.DataFrame:
    return reserves[reserves["kind"].eq("contingency") & reserves["amount"].notna()]


def _at(rows: pd.DataFrame, *, asked: pd.DataFrame) -> pd.DataFrame:
    """Pair projects with their rows in the reports that are asked about."""
    return _attributed(rows.reset_index(names=AT)[[*KEY, AT]].merge(asked[KEY].drop_duplicates()))


def _shown(rows: pd.DataFrame, *, asked: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Pair projects with rows; one that has none with a row that shows that its return told of such things."""
    first = table.reset_index(names=AT).drop_duplicates(RETURN)[[*RETURN, AT]]
    silent = asked[~pd.MultiIndex.from_frame(asked[KEY]).isin(pd.MultiIndex.from_frame(rows[KEY]))]
    return pd.concat([_at(rows, asked=asked), _attributed(silent[[*RETURN, "project_id"]].merge(first))])
