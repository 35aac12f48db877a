"""All that the risk report says of one portfolio's register: each exhibit is a table, worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pmo_lib.metrics import (
    attention,
    blockers,
    contingency,
    coverage,
    drawdown,
    exposure,
    overlaps,
    responses,
    risk,
    risk_summary,
    risk_trend,
)
from pmo_lib.parameters.models import GRADES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from pmo_lib.metrics.chance import Chance
    from pmo_lib.parameters.models import Organisation

NEEDS = (
    "portfolios", "projects", "states", "status", "narratives", "reserves", "changes", "risks", "actions", "issues",
)  # fmt: skip
PAST = ("risks", "projects", "reserves")


@dataclass(frozen=True, eq=False)
class Register:
    """The register by itself, which the figures are made of; ``tables`` and ``past`` as in :class:`Registers`."""

    tables: Mapping[str, pd.DataFrame]
    past: tuple[pd.DataFrame, ...]
    settings: Organisation
    period: str

    @cached_property
    def scored(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.risk.scored_risks`."""
        return risk.scored_risks(self.past[0], portfolios=self.tables["portfolios"], rules=self.settings.risk)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.risk.risk_register`."""
        return risk.risk_register(
            self.scored, period=self.period, states=self.tables["states"], rules=self.settings.risk
        )

    @cached_property
    def moves(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.exposure.risk_movements`."""
        return exposure.risk_movements(self.scored, period=self.period)

    @cached_property
    def cover(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.exposure.exposure_cover`."""
        left = exposure.contingency_left(self.tables["projects"], reserves=self.tables["reserves"])
        return exposure.exposure_cover(self.rows, contingency=left)

    @cached_property
    def flags(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.attention.risk_flags`."""
        logs = {"actions": self.tables["actions"], "issues": self.tables["issues"]}
        return attention.risk_flags(self.rows, rules=self.settings.risk, **logs)


@dataclass(frozen=True, eq=False)
class Registers(Register):
    """One portfolio's register in a period; ``tables`` holds :data:`NEEDS`, ``past`` the histories of :data:`PAST`.

    ``everywhere`` is the contract table ``dependencies`` of the whole organisation in the period, ``odds`` the
    portfolio's simulation.
    """

    everywhere: pd.DataFrame
    odds: Chance

    @cached_property
    def headline(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.risk_summary.exposure_headline`."""
        return risk_summary.exposure_headline(self.rows, movements=self.moves)

    @property
    def tiles(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.risk_summary.headline_tiles`."""
        return risk_summary.headline_tiles(self.headline, movements=self.moves, cover=self.cover)

    @property
    def bridge(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.exposure.exposure_bridge`."""
        return exposure.exposure_bridge(self.moves)

    @property
    def trend(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.risk_trend.exposure_trend`."""
        carried = GRADES[: GRADES.index(self.settings.risk.appetite) + 1]
        return risk_trend.exposure_trend(
            self.scored, projects=self.past[1], reserves=self.past[2], appetite_grades=carried
        )

    @property
    def burn_down(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.risk_trend.burn_down`."""
        return risk_trend.burn_down(self.scored, period=self.period, rules=self.settings.risk)

    @cached_property
    def wanted(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.coverage.registers_wanted`."""
        known = {"status": self.tables["status"], "states": self.tables["states"], "history": self.past[1]}
        signs = coverage.warning_signs(self.tables["projects"], thresholds=self.settings.thresholds, **known)
        return coverage.registers_wanted(signs, register=self.rows)

    @property
    def spoken(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.coverage.risk_sentences`."""
        return coverage.risk_sentences(self.wanted, narratives=self.tables["narratives"], status=self.tables["status"])

    @cached_property
    def held(self) -> contingency.Held:
        """Contingency and reserve, and the book of their entries."""
        return contingency.Held(self.tables, settings=self.settings)

    @property
    def drawn(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.drawdown.drawdown`."""
        levels = self.odds.levels if len(self.cover) else self.cover
        return drawdown.drawdown(self.cover, positions=self.held.left, levels=levels, register=self.rows)

    @property
    def draws(self) -> pd.DataFrame:
        """The entries of contingency, as :func:`pmo_lib.metrics.contingency.book_of_reserves`."""
        entries = self.held.entries
        return entries[entries["kind"].eq(contingency.CONTINGENCY)].reset_index(drop=True)

    @property
    def heat(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.risk.heat_map`."""
        return risk.heat_map(self.rows, rules=self.settings.risk, movements=self.moves)

    @cached_property
    def top(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.risk.top_risks`."""
        return risk.top_risks(self.rows, rules=self.settings.risk)

    @property
    def gaps(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.risk.unquantified_risks`."""
        return risk.unquantified_risks(self.rows)

    @property
    def overlaps(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.overlaps.overlaps`."""
        return overlaps.overlaps(self.rows)

    @property
    def timeline(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.attention.proximity_timeline`."""
        return attention.proximity_timeline(self.rows, rules=self.settings.risk)

    @property
    def patterns(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.attention.register_patterns`."""
        return attention.register_patterns(
            self.scored, period=self.period, issues=self.tables["issues"], rules=self.settings.risk
        )

    @property
    def responses(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.responses.responses`."""
        return responses.responses(self.rows, rules=self.settings.risk)

    @cached_property
    def issues(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.blockers.open_issues`."""
        known = {name: self.tables[name] for name in ("actions", "risks")}
        return blockers.open_issues(self.tables["issues"], rules=self.settings.risk, **known)

    @property
    def escalations(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.blockers.escalations`."""
        return blockers.escalations(self.tables["issues"], found=self.issues)

    @property
    def promises(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.blockers.dependencies_at_risk`."""
        owner = str(self.tables["portfolios"]["portfolio_id"].iloc[0])
        return blockers.dependencies_at_risk(self.everywhere, projects=self.past[1], portfolio=owner)

    @property
    def figures(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.risk_summary.published_figures`."""
        opening = risk_summary.headline_figures(self.headline, movements=self.moves)
        return risk_summary.published_figures(opening, register=self.rows, flags=self.flags, cover=self.cover)

    @property
    def published(self) -> dict[str, pd.DataFrame]:
        """What the roll-up reads, by name."""
        open_now = exposure.risk_exposure(self.rows)
        return {"exposure": open_now, "top_risks": self.top, "cover": self.cover, "registers_wanted": self.wanted}
