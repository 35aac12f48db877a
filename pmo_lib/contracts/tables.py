"""The tables, long and tidy: one row is one fact, and every row says which cells it came from.

``portfolio_id`` is the first key of every table and ``source_ref`` (file, sheet, row) its last column. Money is in
units of the row's ``currency``; shares and probabilities are 0–1; levels 1–5. A cell without a value has a row in
``states`` that says why (see :data:`STATES`).
"""

from __future__ import annotations

from pmo_lib.contracts.columns import Table
from pmo_lib.contracts.delivery import (
    ARTEFACTS,
    DECISIONS,
    GATES,
    LINEAGE,
    NARRATIVES,
    OVERRIDES,
    PORTFOLIOS,
    PROGRAMMES,
    PROJECTS,
    PUBLISHED_FIGURES,
    STATUS,
)
from pmo_lib.contracts.money import BASELINES, CHANGES, EARNED_VALUE, FINANCE, RESERVES
from pmo_lib.contracts.parts import MEASURES, RATINGS, STATES
from pmo_lib.contracts.planning import CALENDARS, DEPENDENCIES, LINKS, MILESTONES, TASKS
from pmo_lib.contracts.registers import ACTIONS, CELL_STATES, ISSUES, RISKS

__all__ = ["MEASURES", "RATINGS", "STATES", "TABLES"]

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        PORTFOLIOS,
        LINEAGE,
        PROGRAMMES,
        PROJECTS,
        STATUS,
        NARRATIVES,
        PUBLISHED_FIGURES,
        OVERRIDES,
        DECISIONS,
        FINANCE,
        EARNED_VALUE,
        BASELINES,
        MILESTONES,
        TASKS,
        LINKS,
        CALENDARS,
        RISKS,
        ISSUES,
        ACTIONS,
        DEPENDENCIES,
        GATES,
        ARTEFACTS,
        CHANGES,
        RESERVES,
        CELL_STATES,
    )
}
