"""What is known of a portfolio: its tables, now and in all periods before, and how its returns came in.

The reports of one portfolio read much the same; in a batch each part is read once, see :func:`pmo_lib.store.once`.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

from pmo_lib.contracts.tables import TABLES
from pmo_lib.metrics.movement import Between, since_last_report
from pmo_lib.metrics.submission import arrivals
from pmo_lib.snapshots import Snapshot, over_time
from pmo_lib.store import once

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from pmo_lib.parameters.models import Organisation
    from pmo_lib.snapshots import Read

T = TypeVar("T")


class Known:
    """A portfolio in a snapshot and in those before it; without a portfolio, all that were returned."""

    portfolio: str
    settings: Organisation
    snapshot: Snapshot
    opened: dict[str, pd.DataFrame]

    @property
    def period(self) -> str:
        """Month that the figures speak of, ``YYYY-MM``: an earlier one than was asked for where they are last known."""
        return self.known.period

    @property
    def status_date(self) -> pd.Timestamp:
        """The day that the figures speak of."""
        return self.known.status_date

    @cached_property
    def known(self) -> Snapshot:
        """The snapshot that the rows come from: the last in which the portfolio returned projects that can be used."""
        return (self.snapshot.last_known(self.portfolio) if self.portfolio else None) or self.snapshot

    @cached_property
    def chain(self) -> tuple[Snapshot, ...]:
        """Return the snapshot that the rows come from and the earlier ones, oldest first."""
        return self.known.chain()

    @property
    def periods(self) -> tuple[str, ...]:
        """All periods up to this one, in order."""
        return tuple(snapshot.period for snapshot in self.chain)

    @property
    def previous_period(self) -> str | None:
        """The period before this one, or None."""
        return self.periods[-2] if len(self.periods) > 1 else None

    @property
    def year_ago_period(self) -> str | None:
        """The same month of the year before, if it was returned."""
        year, month_of_year = self.period.split("-")
        wanted = f"{int(year) - 1}-{month_of_year}"
        return wanted if wanted in self.periods else None

    @property
    def fresh(self) -> bool:
        """Whether the figures are of the period that was asked for, and not the last known ones."""
        return self.known.period == self.snapshot.period

    def table(self, name: str) -> pd.DataFrame:
        """Return this portfolio's rows of a contract table, as last known (the organisation's, in a roll-up)."""
        return self.known.table(name, portfolio=self.portfolio or None)

    def tables(self, *names: str) -> dict[str, pd.DataFrame]:
        """Return several contract tables by name, see :meth:`table`, with this portfolio's ``findings``."""
        return {name: self.table(name) for name in names} | {"findings": self.findings}

    def since_last_report(self) -> Between:
        """Return this period beside the last one in which the portfolio returned projects."""
        return since_last_report(self.history("projects"), portfolio_id=self.portfolio, period=self.period)

    def history(self, name: str) -> pd.DataFrame:
        """Return a contract table over all periods up to this one, with ``period`` in front.

        A table with a column ``period`` of its own (finance) keeps it and has ``return_month`` in front instead.
        Rows of projects that moved stand here too, under the portfolio that held them in that period, so that a move is
        seen as a move and not as a loss.
        """
        if name not in self.opened:
            moved = self._moved if self.portfolio and "project_id" in TABLES[name].names else {}
            make = partial(self._over_time, name, moved=moved)
            self.opened[name] = self._once(f"history {name}", make=make)
        return self.opened[name].copy(deep=False)

    def histories(self, *names: str) -> tuple[pd.DataFrame, ...]:
        """Return several contract tables over all periods, see :meth:`history`."""
        return tuple(self.history(name) for name in names)

    def over_time(self, *names: str) -> dict[str, pd.DataFrame]:
        """Return several contract tables over all periods by name, see :meth:`history`."""
        return {name: self.history(name) for name in names}

    @cached_property
    def findings(self) -> pd.DataFrame:
        """Intake findings about this portfolio, and about whole files and sheets that are not of another's return."""
        return self.snapshot.intake_table("findings", portfolio=self.portfolio or None)

    @cached_property
    def quarantined(self) -> pd.DataFrame:
        """Rows of this portfolio that could not be used."""
        return self.snapshot.intake_table("quarantined", portfolio=self.portfolio or None)

    @cached_property
    def accounting(self) -> pd.DataFrame:
        """Intake's accounts of rows and money by table, of this portfolio's return (of all, in a roll-up).

        What others wrote of a portfolio that did not return is no return of its own.
        """
        rows, returns = self.snapshot.intake_table("accounting", portfolio=self.portfolio or None), self.returns
        silent = returns.loc[returns["period"].eq(self.snapshot.period), "state"].eq("not returned").any()
        return rows.iloc[: 0 if self.portfolio and silent else None]

    @cached_property
    def cells(self) -> pd.DataFrame:
        """Intake's accounts of the cells of the files that this portfolio's return came in."""
        return self.snapshot.intake_table("cells", portfolio=self.portfolio or None)

    @cached_property
    def arrivals(self) -> pd.DataFrame:
        """How the returns of the period came in; see :func:`pmo_lib.metrics.submission.arrivals`."""
        rows = self.returns[self.returns["period"].eq(self.snapshot.period)]
        now = {
            name: self.snapshot.table(name, portfolio=self.portfolio or None).assign(period=self.snapshot.period)
            for name in ("status", "projects")
        }
        return arrivals(rows, limits=self.settings.thresholds, **now)

    @cached_property
    def returns(self) -> pd.DataFrame:
        """How every return of this portfolio came in, up to the period asked for (of all portfolios, in a roll-up).

        See :meth:`pmo_lib.snapshots.Snapshot.standing`.
        """
        return self._once("returns", make=lambda: self.snapshot.standing(self.portfolio))

    def _over_time(self, name: str, *, moved: Mapping[str, set[str]]) -> pd.DataFrame:
        """Return the rows of each period, oldest first, each with those of projects that moved."""
        stored = ((one.period, one.rows(name, portfolio=self.portfolio or None, others=moved)) for one in self.chain)
        return over_time(((period, rows) for period, rows in stored if rows is not None), name=name)

    @cached_property
    def _moved(self) -> dict[str, set[str]]:
        """Projects that this portfolio took over or gave away, by the other portfolio."""
        return self._once("moved", make=self._transfers)

    def _transfers(self) -> dict[str, set[str]]:
        moved: dict[str, set[str]] = {}
        for snapshot in self.chain:
            lineage = snapshot.table("lineage", portfolio=self.portfolio)
            for row in lineage.loc[lineage["kind"].eq("transferred")].to_dict("records"):
                other = row["to_id"] if row["from_id"] == self.portfolio else row["from_id"]
                moved.setdefault(str(other), set()).add(str(row["project_id"]))
        return dict(sorted(moved.items()))

    def _once(self, name: str, *, make: Callable[[], T]) -> T:
        """Return what another report of the portfolio has read already in this batch, or make it.

        What was read for it is noted of this report, too, whoever read it.
        """
        reads = self.snapshot.reads
        if reads is None or not self.portfolio:
            return make()
        before = {*reads}

        def noting() -> tuple[T, set[Read]]:
            reads.clear()
            return make(), {*reads}

        value, noted = once(name, make=noting)
        reads.update(before, noted)
        return value
