"""The figures of the roll-up, each with its definition, its rule, and the published figures or rows that it is made of.

A roll-up knows nothing but what the portfolios' reports published. Where figures of theirs add up to one of the whole,
these are named: each has an explanation of its own, down to file, sheet and row. Elsewhere it is the published rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.contracts.tables import RATINGS
from pmo_lib.metrics.bridge import CAUSES, COMES, FIRST
from pmo_lib.metrics.cohorts import LEAST_REPORTS, NO_STAGE, percentile
from pmo_lib.metrics.explained import COST, COUNT, OWN_RULE, About, Given, Measured, NamedFigure, Rows, added, counted
from pmo_lib.metrics.facts import COST_COLUMNS, FINANCE, HEALTH, NO_REPORT, OWN_BUDGET, RISK, exact_sum, in_form
from pmo_lib.metrics.movement import LEFT, MOVED_IN, MOVED_OUT, NOT_RETURNED, RETURNED
from pmo_lib.metrics.named_health import LATER, RATING_SOURCE, SCALE_SOURCE
from pmo_lib.metrics.named_risk import EXPECTED, STANDARD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIGURES, REPORTS = "figures", "reports"
COSTS, YEARS = "whole_life_cost", "underspend"
CLASSES = "Flyvbjerg and COWI, Procedures for Dealing with Optimism Bias in Transport Planning, 2004"
MOST = 12
# Figure of the roll-up: report and figure of the portfolios that are added up, what it is, what its sign says.
SUMS = {
    "projects": (HEALTH, "projects", "Projects of all portfolios with a health check of this period", COUNT),
    "finishes_compared": (HEALTH, "finishes_compared", "Projects with a finish date in two reports in a row", COUNT),
    "finishes_later": (HEALTH, "finishes_later", "Projects whose finish moved later since the report before", COUNT),
    "whole_life_cost": (FINANCE, "whole_life_cost", "Whole-life cost of all projects with a single figure", COST),
    "whole_life_costs_known": (FINANCE, "projects_with_whole_life_cost", "Projects with a single whole-life cost",
        COUNT),
    "in_year_plan": (FINANCE, "in_year_plan", "This year's plan of the projects with plan and outlook", COST),
    "in_year_outlook": (FINANCE, "in_year_outlook", "This year's outlook of the projects with plan and outlook", COST),
    "in_year_variance": (FINANCE, "in_year_variance", "This year's outlook − plan of the projects with both",
        "positive is over plan"),
    "in_year_known": (FINANCE, "in_year_projects", "Projects with plan and outlook of this year", COUNT),
    "under_for_years": (FINANCE, "projects_under_four_years",
        "Projects below plan by more than the tolerance in each of the last four fiscal years", COUNT),
    "risks_open": (RISK, "risks_open", "Risks that are open: neither closed nor occurred", COUNT),
    "risks_unquantified": (RISK, "risks_unquantified", "Open risks without an expected value: they are in no sum",
        COUNT),
}  # fmt: skip
STATES = {
    "owed": "Reports that are owed: each of a portfolio's reports, by every portfolio that is to return",
    "published": "Reports that are published from what was returned in this period",
    "failed": "Reports that failed when they were last run",
    "missing": "Reports that could be made of what was returned, and have not been run",
    "not returned": "Reports of portfolios that returned nothing usable; what is last known is in no total",
    "refused": "Reports of portfolios whose return was refused",
}
EXPOSED = {"threats": "threat", "opportunities": "opportunity", "net": ""}
STILL = (FIRST, NOT_RETURNED, RETURNED)
MOVES = (MOVED_IN, MOVED_OUT)
GONE = (LEFT, MOVED_OUT)


@dataclass(frozen=True, eq=False)
class Rollup(About):
    """What the figures of the roll-up are about: ``read`` returns published figures and rows with their places."""

    @cached_property
    def named(self) -> dict[str, NamedFigure]:
        """The figures by name; those of raters, stages and causes as the published rows have them."""
        parts = (
            self._reports(), self._sums(), self._costs(), self._causes(), self._shares(), self._raters(),
            self._exposures(), self._dates(), self._clients(), self._years(),
        )  # fmt: skip
        return {figure.name: figure for part in parts for figure in part}

    def here(self, table: str) -> pd.DataFrame:
        """Return what was published of this period."""
        rows = self.history(table)
        return rows[rows["period"].eq(self.between.period)]

    def said(self, report: str, *, name: str) -> pd.DataFrame:
        """Return a figure of the portfolios, where it has a value and is of this period, not the last known one."""
        rows = self.here(FIGURES)
        chosen = rows["report"].eq(report) & rows["name"].eq(name) & rows["value"].notna()
        return rows[chosen & rows["as_of"].eq(self.between.period)]

    # --- who is in it -------------------------------------------------------------------------------------------------

    def _reports(self) -> Iterator[NamedFigure]:
        needs = (REPORTS,)
        for state, definition in STATES.items():
            yield NamedFigure(
                f"reports_{state.replace(' ', '_')}", definition, f"count of reports that are {state}", COUNT, OWN_RULE,
                needs, lambda state=state: {REPORTS: self._in_state(state)}, counted(REPORTS),
            )  # fmt: skip
        yield NamedFigure(
            "portfolios_complete", "Portfolios of which every report is published", "count of portfolios with as many "
            "published reports as one owes", COUNT, OWN_RULE, needs, lambda: {REPORTS: self._complete()},
            lambda rows, given: _complete(rows[REPORTS]),
        )  # fmt: skip

    def _in_state(self, state: str) -> pd.DataFrame:
        rows = self.here(REPORTS)
        return rows if state == "owed" else rows[rows["status"].eq(state)]

    def _complete(self) -> pd.DataFrame:
        rows = self.here(REPORTS)
        whole = rows["status"].eq("published").groupby(rows["portfolio_id"]).all()
        return rows[rows["portfolio_id"].map(whole).astype("bool")]

    # --- sums of the portfolios' figures ------------------------------------------------------------------------------

    def _sums(self) -> Iterator[NamedFigure]:
        for name, (report, figure, definition, sign) in SUMS.items():
            yield NamedFigure(
                name, definition, f"sum of the portfolios' {figure}: {{their values}}", sign, OWN_RULE, (FIGURES,),
                lambda report=report, figure=figure: {FIGURES: self.said(report, name=figure)},
                lambda rows, given: _summed(rows[FIGURES]["value"]),
            )  # fmt: skip
        yield NamedFigure(
            "in_year_variance_share", "This year's outlook against plan, as a share of plan, over the projects with "
            "both", "{variance} ÷ {plan}", "positive is over plan", OWN_RULE, (FIGURES,),
            lambda: {FIGURES: pd.concat([self.said(FINANCE, name=name) for name in ("in_year_variance", "in_year_plan")]
                )}, _variance_share,
        )  # fmt: skip

    # --- whole-life cost ----------------------------------------------------------------------------------------------

    @cached_property
    def costs(self) -> pd.DataFrame:
        """The published rows of whole-life cost, of all periods."""
        return in_form(self.history(COSTS), columns=COST_COLUMNS)

    @cached_property
    def stood(self) -> pd.DataFrame:
        """Costs of the report before, of portfolios that say nothing now, each with what became of it.

        What another portfolio has now moved there; the rest left with a portfolio that ended, or is in no report now.
        """
        owed, rows = self.here(REPORTS), self.costs[self.costs["period"].eq(self.between.since or "")]
        silent = owed.loc[owed["report"].eq(FINANCE) & owed["status"].ne("published"), "portfolio_id"]
        ended = ~rows["portfolio_id"].isin(owed["portfolio_id"])
        rows = rows[(ended | rows["portfolio_id"].isin(silent)) & ~rows["cause"].isin(GONE)]
        now = self.costs[self.costs["period"].eq(self.between.period) & ~self.costs["cause"].isin(GONE)]
        became = ended.reindex(rows.index).map({True: LEFT, False: NO_REPORT})
        return rows.assign(became=became.mask(rows["project_id"].isin(now["project_id"]), MOVED_OUT), ended=ended)

    def _cost_rows(self, *, chosen: Callable[[pd.DataFrame], pd.Series], before: pd.DataFrame) -> Rows:
        now = self.costs[self.costs["period"].eq(self.between.period)]
        return {COSTS: pd.concat([now[chosen(now)], before])[self.costs.columns]}

    def _costs(self) -> Iterator[NamedFigure]:
        stood, needs = self.stood, (COSTS,)
        valued = stood[stood["now"].notna()]
        before = self.said(FINANCE, name="whole_life_cost_before")
        yield NamedFigure(
            "whole_life_cost_before", "The same, as the report before had it, with what portfolios held that have "
            "ended since", "sum of the portfolios' whole_life_cost_before and of the costs of ended portfolios: "
            "{their values}", COST, OWN_RULE, (FIGURES, COSTS),
            lambda: {FIGURES: before, COSTS: valued.loc[valued["ended"], self.costs.columns]},
            lambda rows, given: _summed(pd.concat([rows[FIGURES]["value"], rows[COSTS]["now"]])),
        )  # fmt: skip
        yield NamedFigure(
            "whole_life_cost_movement", "What whole-life cost changed by since the report before, without what was not "
            "returned now or before", "sum of now − before of {n} projects", COST, OWN_RULE, needs,
            lambda: self._cost_rows(chosen=lambda rows: ~rows["cause"].isin(STILL), before=stood[stood["ended"]]),
            lambda rows, given: _moved(rows[COSTS], given=given, column="amount"),
        )  # fmt: skip
        yield NamedFigure(
            "whole_life_cost_last_published", "The last published total: what this report compares with, and what is "
            "in no report now", "sum of the costs before of {n} projects", COST, OWN_RULE, needs,
            lambda: self._cost_rows(chosen=_opening, before=valued), _last_published,
        )  # fmt: skip
        yield NamedFigure(
            "whole_life_cost_last_known", "What was last known of the portfolios that returned nothing usable now; in "
            "no total", "sum of what each last published: {their values}", COST, OWN_RULE, (FIGURES, COSTS),
            self._last_known, lambda rows, given: _summed(pd.concat([rows[FIGURES]["value"], rows[COSTS]["now"]])),
        )  # fmt: skip

    def _last_known(self) -> Rows:
        """Return the last known figure of each silent portfolio; its last published costs where it has no page."""
        owed, said = self.here(REPORTS), self.here(FIGURES)
        silent = set(owed.loc[~owed["usable"].astype("bool"), "portfolio_id"])
        told = said[said["report"].eq(FINANCE) & said["name"].eq("whole_life_cost") & said["value"].notna()]
        told = told[told["portfolio_id"].isin(silent) & told["as_of"].ne(self.between.period)]
        older = self.costs[self.costs["portfolio_id"].isin(silent - set(told["portfolio_id"]))]
        older = older[older["now"].notna()]
        last = older["period"].eq(older.groupby("portfolio_id")["period"].transform("max"))
        return {FIGURES: told, COSTS: older[last]}

    def _causes(self) -> Iterator[NamedFigure]:
        for cause in (*CAUSES, NO_REPORT):
            amount = "moved_amount" if cause in MOVES else "since_amount"
            yield NamedFigure(
                f"whole_life_cost_{_stem(cause)}", f"What whole-life cost changed by since the last published total "
                f"because of projects that are: {cause}", "sum of now − before of {n} projects", COST, OWN_RULE,
                (COSTS,), lambda cause=cause: self._caused(cause),
                lambda rows, given, amount=amount: _moved(rows[COSTS], given=given, column=amount),
            )  # fmt: skip

    def _caused(self, cause: str) -> Rows:
        by = "cause" if cause in MOVES else "since_cause"
        before = self.stood[self.stood["became"].eq(cause)]
        return self._cost_rows(chosen=lambda rows: rows["cause"].ne(FIRST) & rows[by].eq(cause), before=before)

    # --- ratings ------------------------------------------------------------------------------------------------------

    @cached_property
    def rated(self) -> pd.DataFrame:
        """What raters said in this period: as published, with what a silence is in ``kind``."""
        rows = in_form(self.here("ratings"), columns=["assessor_role", "rating", "rating_reason"])
        return rows[rows["assessor_role"].notna()]

    def _raters(self) -> Iterator[NamedFigure]:
        for role in sorted(self.rated["assessor_role"].unique()):
            own = self.rated[self.rated["assessor_role"].eq(role)]
            given = own[own["rating"].isin(RATINGS)]
            yield NamedFigure(
                f"{_stem(role)}_rated", f"Projects that {role} rates at all", f"count of projects that {role} rates",
                COUNT, SCALE_SOURCE, ("ratings",), lambda given=given: {"ratings": given}, counted("ratings"),
            )  # fmt: skip
            yield NamedFigure(
                f"{_stem(role)}_red_share", f"Share of the projects that {role} rates which it rates red",
                "{red ratings} ÷ {ratings}", "0 to 1; more is worse", RATING_SOURCE, ("ratings",),
                lambda given=given: {"ratings": given}, _red_share,
            )  # fmt: skip
            for kind in sorted(_kinds(own).unique()):
                words = f"rates {kind}" if kind in RATINGS else "was to rate: the rating is " + kind
                yield NamedFigure(
                    f"{_stem(role)}_{_stem(kind)}", f"Projects that {role} {words}", f"count of projects: {kind}",
                    COUNT, SCALE_SOURCE, ("ratings",),
                    lambda own=own, kind=kind: {"ratings": own[_kinds(own).eq(kind)]}, counted("ratings"),
                )  # fmt: skip

    # --- risks, dates, clients, years ---------------------------------------------------------------------------------

    def _exposures(self) -> Iterator[NamedFigure]:
        rows = in_form(self.here("exposure"), columns=["kind", "expected_money"])
        known = rows[rows["expected_money"].notna()]
        for who, kind in EXPOSED.items():
            chosen = known[known["kind"].eq(kind)] if kind else known
            what = f"open {who} of all portfolios" if kind else "open risks of all portfolios, less opportunities"
            yield NamedFigure(
                f"exposure_{who}", f"Expected money of the {what}",
                "sum of probability × most likely impact, by project: {their values}", EXPECTED, STANDARD,
                ("exposure",), lambda chosen=chosen: {"exposure": chosen},
                lambda rows, given: _summed(rows["exposure"]["expected_money"]),
            )  # fmt: skip

    def _dates(self) -> Iterator[NamedFigure]:
        moved = in_form(self.here("finish_movement"), columns=["moved_days"])
        yield NamedFigure(
            "finish_later_median_days", "How far the finish dates that moved later moved, in the middle",
            "median of finish now − finish before, where it is above 0: {days}", LATER, OWN_RULE, ("finish_movement",),
            lambda: {"finish_movement": moved[moved["moved_days"].astype("float64").gt(0)]},
            lambda rows, given: _median(rows["finish_movement"]["moved_days"].astype("float64")),
        )  # fmt: skip
        for stage, tracks in self.followed.groupby("first_stage", sort=True):
            yield from self._slips(str(stage), tracks=tracks)
        for stage in sorted(self.stages - set(self.followed["first_stage"])):
            yield from self._slips(stage, tracks=self.followed.iloc[:0])

    def _slips(self, stage: str, *, tracks: pd.DataFrame) -> Iterator[NamedFigure]:
        what = f"projects first seen in the stage {stage}, with a date in their first report and in this one"
        texts: dict[str, tuple[str, str, str, float | None]] = {
            "projects": (f"Number of {what}", "count of projects", COUNT, None),
            "p50_days": (f"What half of the {what} slipped by at most", "50th percentile: {days}", LATER, 0.5),
            "p80_days": (f"What 80 % of the {what} slipped by at most", "80th percentile: {days}", LATER, 0.8),
        }
        for name, (definition, formula, sign, share) in texts.items():
            yield NamedFigure(
                f"slip_{_stem(stage)}_{name}", definition, formula, sign, CLASSES, ("finish_tracks",),
                lambda: {"finish_tracks": tracks[self.tracks.columns]},
                lambda rows, given, share=share: _slipped(rows["finish_tracks"], share=share),
            )  # fmt: skip

    @cached_property
    def tracks(self) -> pd.DataFrame:
        """The published finish of each project in each report, a project once for each, ordered."""
        columns = ["project_id", "reported_on", "stage", "finish_on"]
        rows = in_form(self.here("finish_tracks"), columns=columns).drop_duplicates(columns[:2])
        return rows.sort_values(columns[:2], kind="stable")

    @cached_property
    def stages(self) -> set[str]:
        """Every stage in which a project was first seen."""
        return set(self.tracks.drop_duplicates("project_id")["stage"].fillna(NO_STAGE))

    @cached_property
    def followed(self) -> pd.DataFrame:
        """Of each project that can be followed: its first reports, as few as a class asks for, and the latest one."""
        rows, latest = self.tracks, self.tracks["reported_on"].max()
        place, back = rows.groupby("project_id").cumcount(), rows.groupby("project_id").cumcount(ascending=False)
        first = rows[place.eq(0)].set_index("project_id")
        last = rows[back.eq(0)].set_index("project_id")
        size = rows.groupby("project_id").size()
        dated = first["finish_on"].notna() & last["finish_on"].notna() & last["reported_on"].eq(latest)
        ids = dated.index[dated & size.ge(LEAST_REPORTS)]
        kept = rows[rows["project_id"].isin(ids) & (place.lt(LEAST_REPORTS - 1) | back.eq(0))]
        return kept.assign(first_stage=kept["project_id"].map(first["stage"].fillna(NO_STAGE)))

    def _clients(self) -> Iterator[NamedFigure]:
        rows = self.costs[self.costs["period"].eq(self.between.period) & self.costs["now"].astype("float64").gt(0)]
        ids = rows["project_id"].fillna("").astype("str")
        rows = rows[ids.ne("") & ~ids.str.startswith(OWN_BUDGET)]
        yield NamedFigure(
            "projects_with_cost", "Projects with a whole-life cost above 0", "count of projects", COUNT, OWN_RULE,
            (COSTS,), lambda: {COSTS: rows}, counted(COSTS),
        )  # fmt: skip
        others = "that one portfolio delivers and another unit is served by"
        yield NamedFigure(
            "projects_with_cost_for_others", f"Projects with a whole-life cost above 0 {others}", "count of projects",
            COUNT, OWN_RULE, (COSTS, "projects"), lambda: self._for_others(rows), _for_others,
        )  # fmt: skip
        yield NamedFigure(
            "whole_life_cost_for_others", f"Whole-life cost of the projects {others}", "sum of {their values}", COST,
            OWN_RULE, (COSTS, "projects"), lambda: self._for_others(rows), lambda rows, given: _cost_for_others(rows),
        )  # fmt: skip

    def _for_others(self, costed: pd.DataFrame) -> Rows:
        projects = in_form(self.here("projects"), columns=["project_id", "client_id"])
        served = projects[projects["client_id"].notna() & projects["client_id"].ne(projects["portfolio_id"])]
        served = served[_keys(served).isin(_keys(costed))]
        return {COSTS: costed[_keys(costed).isin(_keys(served))], "projects": served}

    def _years(self) -> Iterator[NamedFigure]:
        rows = in_form(self.history(YEARS), columns=["project_id", "year", "moved_days"])
        once = rows.drop_duplicates(["project_id", "year"], keep="last")
        days = once["moved_days"].astype("float64")
        texts = {
            "underspends": ("Large underspends of a year, with a finish date before and after it", days.notna()),
            "underspends_kept": ("Large underspends after which the finish was not promised later", days.le(0)),
        }
        for name, (definition, chosen) in texts.items():
            yield NamedFigure(
                name, definition, "count of project-years", COUNT, OWN_RULE, (YEARS,),
                lambda chosen=chosen: {YEARS: once[chosen]}, counted(YEARS),
            )  # fmt: skip

    def _shares(self) -> Iterator[NamedFigure]:
        yield NamedFigure(
            "costs_published_share", "Share of the projects whose whole-life cost is published as a single figure",
            "{published} ÷ {projects}", "0 to 1; more is disclosed", OWN_RULE, ("disclosure",),
            lambda: {"disclosure": self.here("disclosure")}, _disclosed,
        )  # fmt: skip
        yield NamedFigure(
            "projects_moved", "Projects that stood in another portfolio in the report before", "count of projects",
            COUNT, OWN_RULE, (COSTS,), lambda: {COSTS: self._changed_place()}, counted(COSTS),
        )  # fmt: skip

    def _changed_place(self) -> pd.DataFrame:
        """Return the rows of who took a project over; of who gave it away, where the other one published nothing."""
        now = self.costs[self.costs["period"].eq(self.between.period)]
        came, went = now[now["cause"].eq(MOVED_IN)], now[now["cause"].eq(MOVED_OUT)]
        return pd.concat([came, went[~went["project_id"].isin(came["project_id"])]])


def _stem(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def _keys(rows: pd.DataFrame) -> pd.Series:
    return rows["portfolio_id"].astype("str") + "|" + rows["project_id"].astype("str")


def _added(values: pd.Series) -> str:
    """Write a sum out, or say of how many values it is."""
    if len(values) > MOST:
        return f"Σ of {len(values)} values"
    return added(values)


def _summed(values: pd.Series) -> Measured:
    n = int(values.notna().sum())
    return Measured(exact_sum(values) if n else None, n, {"their values": _added(values.dropna())})


def _complete(rows: pd.DataFrame) -> Measured:
    owed = rows["report"].nunique()
    return Measured(float(rows.groupby("portfolio_id").size().eq(owed).sum()), len(rows), {})


def _variance_share(rows: Rows, *, given: Given) -> Measured:
    said = rows[FIGURES]
    variance, plan = (exact_sum(said.loc[said["name"].eq(f"in_year_{name}"), "value"]) for name in ("variance", "plan"))
    return Measured(variance / plan if plan else None, len(said), {"variance": variance, "plan": plan})


def _opening(rows: pd.DataFrame) -> pd.Series:
    return ~rows["cause"].isin([*COMES, FIRST]) & rows["before"].notna()


def _moved(rows: pd.DataFrame, *, given: Given, column: str) -> Measured:
    """Add up what changed, less what stood in earlier reports and is not here."""
    now = rows["period"].eq(given.between.period)
    parts = [rows.loc[now, column].astype("float64"), -rows.loc[~now, "now"].astype("float64")]
    return Measured(exact_sum(pd.concat(parts)) if len(rows) else None, len(rows), {"n": len(rows)})


def _last_published(rows: Rows, *, given: Given) -> Measured:
    now = rows[COSTS]["period"].eq(given.between.period)
    values = rows[COSTS]["before"].where(now, rows[COSTS]["now"]).astype("float64")
    return Measured(exact_sum(values), len(values), {"n": len(values)})


def _kinds(rated: pd.DataFrame) -> pd.Series:
    """Return each rating, or why there is none."""
    withheld = rated["rating_reason"].astype("str").str.startswith("withheld")
    silence = withheld.map({True: "withheld", False: "not rated"})
    return rated["rating"].astype(object).where(rated["rating"].notna(), silence)


def _red_share(rows: Rows, *, given: Given) -> Measured:
    rated, red = len(rows["ratings"]), int(rows["ratings"]["rating"].eq("red").sum())
    return Measured(red / rated if rated else None, rated, {"red ratings": red, "ratings": rated})


def _days_told(days: pd.Series) -> str:
    ordered = sorted(days)
    if len(ordered) > MOST:
        return f"{len(ordered)} values from {ordered[0]:.0f} to {ordered[-1]:.0f}"
    return ", ".join(f"{value:.0f}" for value in ordered)


def _median(days: pd.Series) -> Measured:
    return Measured(float(days.median()) if len(days) else None, len(days), {"days": _days_told(days)})


def _slipped(rows: pd.DataFrame, *, share: float | None) -> Measured:
    """Return the number of projects that can be followed in these rows, or a percentile of their slips."""
    ordered = rows.sort_values(["project_id", "reported_on"], kind="stable").groupby("project_id")
    long = ordered.size().ge(LEAST_REPORTS)
    first, last = (pd.to_datetime(ordered[["finish_on"]].nth(end)["finish_on"]) for end in (0, -1))
    ids = rows["project_id"]
    days = (last.set_axis(ids[last.index]) - first.set_axis(ids[first.index])).dt.days.astype("float64")
    days = days[long.reindex(days.index)].dropna()
    value = float(len(days)) if share is None else percentile(days, share=share)
    return Measured(value, len(days), {"days": _days_told(days)})


def _served(rows: Rows) -> pd.DataFrame:
    projects = rows["projects"].assign(key=_keys(rows["projects"]))
    others = projects[projects["client_id"].notna() & projects["client_id"].ne(projects["portfolio_id"])]
    return rows[COSTS][_keys(rows[COSTS]).isin(others["key"])]


def _for_others(rows: Rows, *, given: Given) -> Measured:
    n = len(_served(rows))
    return Measured(float(n), n, {})


def _cost_for_others(rows: Rows) -> Measured:
    return _summed(_served(rows)["now"].astype("float64"))


def _disclosed(rows: Rows, *, given: Given) -> Measured:
    shown = int(rows["disclosure"]["published"].fillna(value=False).astype("bool").sum())
    n = len(rows["disclosure"])
    return Measured(shown / n if n else None, n, {"published": shown, "projects": n})
