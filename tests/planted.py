"""What really happens in the made organisation, set beside what is computed from its returns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from pmo_lib.contracts.tables import TABLES
from pmo_lib.demo import Size, organisation_tables
from pmo_lib.demo.belief import View
from pmo_lib.demo.catalogue import LAST, LAST_PERIOD, UNITS
from pmo_lib.demo.months import period_of
from pmo_lib.demo.standing import dimension_ratings
from pmo_lib.demo.truth import project_of
from pmo_lib.metrics.computed import WHOLE, rated
from pmo_lib.metrics.measures import CURRENT, NEEDED, OVERALL, estimates, measures
from pmo_lib.metrics.movement import Between
from pmo_lib.parameters.models import Organisation
from pmo_lib.snapshots import Archive, open_snapshot, over_time

Tables = dict[str, pd.DataFrame]
Key = tuple[str, str]  # project and period
NEAR_DAYS, NEAR = 20, 0.02  # so near to a limit two ways to measure may differ


def histories(size: Size, *, names: Collection[str] = NEEDED) -> Tables:
    """Return the clean returns of the made organisation as histories, with money as a snapshot gives it."""
    parts = [
        (period, name, tables[name])
        for (period, _), tables in organisation_tables(size).items()
        for name in set(names) & set(tables)
    ]
    return {
        name: pd.concat([_dated(p, rows, name=n) for p, n, rows in parts if n == name], ignore_index=True)
        for name in names
    }


def _dated(period: str, rows: pd.DataFrame, *, name: str) -> pd.DataFrame:
    money = [column.name for column in TABLES[name].columns if column.kind == "money"]
    own = rows.astype(dict.fromkeys(money, "float64"))
    own.insert(0, "return_month" if "period" in rows.columns else "period", period)
    return own


def opened(outputs: Path, *, names: Collection[str] = NEEDED) -> Tables:
    """Return the same of an organisation that the command wrote: workbooks with their faults, read and checked."""
    chain = open_snapshot(Archive(outputs / "demo" / "archive"), period=LAST_PERIOD, snapshot="").chain()
    parts = {name: [(each.period, each.rows(name)) for each in chain] for name in names}
    return {name: over_time([(p, rows) for p, rows in found if rows is not None], name=name)
            for name, found in parts.items()}  # fmt: skip


def views(size: Size) -> dict[Key, View]:
    """Return the truth of every project in every month that has it in a return."""
    lives = [project_of(work, unit=unit, seed=size.seed)
             for unit in UNITS[: size.portfolios] for work in unit.works[: size.projects]]  # fmt: skip
    senders = {month: {unit.id for unit in size.returning(month)} for month in size.months}
    return {
        (life.id, period_of(month)): View(life, month)
        for life in lives
        for month in size.months
        if life.returned_in(month) and life.holder(month) in senders[month]
    }


def beyond(view: View, *, late_days: float, over: float) -> bool:
    """Say whether a project really is late or over by more than this, whatever anybody forecasts."""
    late, spent = view.truth()
    return late > late_days or spent > over


def green_outside(view: View) -> bool:
    """Say whether its manager rates it green in all that makes the overall rating."""
    ratings = dimension_ratings(view)
    return all(ratings[f"rating_{name}"] == "green" for name in OVERALL)


@dataclass(frozen=True, eq=False)
class Judged:
    """The made organisation as computed from its returns (``tables``) and as it really is (``truth``).

    ``settings`` are those of each portfolio: what is red is said by the limits of the one that holds a project last.
    """

    tables: Mapping[str, pd.DataFrame]
    settings: Mapping[str, Organisation]
    truth: Mapping[Key, View]

    @cached_property
    def parts(self) -> list[tuple[str, pd.DataFrame]]:
        """Portfolios, each with the measures of what stands in its last report, or was planted and has left it."""
        projects = self.tables["projects"]
        last = projects[projects.groupby("project_id")["period"].transform("max").eq(projects["period"])]
        kept = last["period"].eq(last["period"].max()) | last["project_id"].isin({key[0] for key in self._red_inside})
        ends = last[kept].groupby(["portfolio_id", "period"], sort=True)["project_id"]
        return [
            (portfolio, self._measured(portfolio, period=period, ids=set(ids))) for (portfolio, period), ids in ends
        ]

    def _measured(self, portfolio: str, *, period: str, ids: set[str]) -> pd.DataFrame:
        states, projects = self.tables["states"], self.tables["projects"]
        owned = states.assign(project_id=states["row_key"].str.partition("|")[0])
        tables = {
            name: rows[rows["period"].le(period) & (rows["portfolio_id"].eq(portfolio) | rows["project_id"].isin(ids))]
            for name, rows in {**self.tables, "states": owned}.items()
        } | {"projects": projects[projects["project_id"].isin(ids)]}
        between, settings = Between(portfolio, period), self.settings[portfolio]
        earned = estimates(tables, settings=settings, between=between)
        return measures(tables, settings=settings, between=between, against=CURRENT, earned=earned)

    @cached_property
    def measured(self) -> pd.DataFrame:
        """All measures, by project and period."""
        return pd.concat([found for _, found in self.parts]).set_index(["project_id", "period"]).sort_index()

    @cached_property
    def rated(self) -> pd.DataFrame:
        """Overall ratings by project and period."""
        parts = [
            rated(found, limits=self.settings[name].thresholds, hysteresis_days=self.hysteresis_days)
            for name, found in self.parts
        ]
        table = pd.concat(parts)
        return table[table["dimension"].eq(WHOLE)].set_index(["project_id", "period"]).sort_index()

    @property
    def hysteresis_days(self) -> int:
        """Days that an improvement has to last: the same in all portfolios."""
        (days,) = {each.rating.hysteresis_days for each in self.settings.values()}
        return days

    def red(self, column: str) -> set[Key]:
        """Return what is green outside and computed red: by this report (``raw``), or as in force (``rating``)."""
        red = self.rated.index[self.rated[column].eq("red")]
        return {key for key in red if green_outside(self.truth[key])}

    @cached_property
    def planted(self) -> set[Key]:
        """What is green outside and really red, of all that stands in a report."""
        return self._red_inside & set(self.rated.index)

    @cached_property
    def _red_inside(self) -> set[Key]:
        return {key for key, view in self.truth.items() if self.really_red(view) and green_outside(view)}

    def really_red(self, view: View, *, nearly: bool = False) -> bool:
        """Say whether a project really is beyond the red limits of its portfolio, or nearly so."""
        limits = self.settings[view.project.holder(LAST)].thresholds
        days, share = (NEAR_DAYS, NEAR) if nearly else (0, 0.0)
        return beyond(view, late_days=limits.slip_red_days - days, over=limits.cost_red - share)

    def stood(self, key: Key) -> Iterator[Key]:
        """Yield the earlier reports of a project that stood on any of the days that an improvement has to last."""
        own = self.rated.loc[key[0], "status_on"]
        since = own[key[1]] - pd.Timedelta(days=self.hysteresis_days)
        for period, following in zip(own.index[:-1], own[1:], strict=True):
            if period < key[1] and following > since:
                yield key[0], period

    def table(self) -> pd.DataFrame:
        """Return planted, found, missed and others, in all reports and in the last, without and with hysteresis."""
        last = self.rated.index.get_level_values("period").max()
        rows = []
        for reports, of in (("all reports", None), (last, last)):
            for rule, column in (("by this report's figures", "raw"), ("as in force, with hysteresis", "rating")):
                planted, found = (
                    {key for key in keys if of in (None, key[1])} for keys in (self.planted, self.red(column))
                )
                counts = (len(planted), len(planted & found), len(planted - found), len(found - planted))
                rows.append((reports, rule, *counts))
        return pd.DataFrame(rows, columns=["reports", "rule", "planted", "found", "missed", "others"])

    def told(self, keys: set[Key]) -> str:
        """Name projects and periods, each with its truth and the figure that rates it."""
        lines = []
        for key in sorted(keys):
            late, over = self.truth[key].truth()
            row = self.rated.loc[key]
            made_by = f"{row['measure']} {row['value']:.3g}" if isinstance(row["measure"], str) else row["reason"]
            lines.append(
                f"{' '.join(key)}: really {late:.0f} days late, {over:+.1%}; computed {row['raw']} ({made_by})"
            )
        return "\n".join(lines)
