"""What typed tables must keep: allowed values, bounds, keys, references, and what cells and rows say of each other.

Tables come in typed (:data:`pmo_lib.contracts.columns.DTYPES`, money as float) with an index that names their rows;
failures go out with that index, one per cell or row, however often the library reports it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from pmo_lib.contracts.across import group_failures
from pmo_lib.contracts.columns import Column
from pmo_lib.contracts.failures import NOWHERE, Circumstances, Failure
from pmo_lib.contracts.findings import Action, Severity
from pmo_lib.contracts.rows import ISO_CURRENCY, ROW_RULES, RowRule, spelt
from pmo_lib.contracts.tables import TABLES

if TYPE_CHECKING:
    import pandera.pandas as pa

__all__ = [
    "NOWHERE", "REFERENCES", "ROW_RULES", "Circumstances", "Failure", "cell_failures", "group_failures",
    "key_failures", "reference_failures",
]  # fmt: skip

SEPARATOR = "\0"  # of the parts of a key that are compared as one text
Tables = Mapping[str, pd.DataFrame]


class Reference(NamedTuple):
    """Columns of a table that must name a row of another one in the same portfolio, where they name any.

    ``where`` limits it to rows that hold this word in that column.
    """

    table: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    action: Action
    where: tuple[str, str] = ("", "")


# A row about something that the return does not hold is set aside; a pointer beside its facts is only reported.
_OF_PROJECT = ("status", "narratives", "published_figures", "overrides", "finance", "earned_value", "baselines",
               "milestones", "tasks", "links", "calendars", "gates", "artefacts", "reserves", "risks", "issues",
               "actions", "decisions", "changes")  # fmt: skip
# A reference that begins with the columns of another comes after it: where that one leads nowhere, it says nothing.
REFERENCES: tuple[Reference, ...] = (
    *(Reference(name, (), "portfolios", (), "quarantined") for name in TABLES if name not in ("portfolios", "lineage")),
    *(Reference(name, ("project_id",), "projects", ("project_id",), "quarantined") for name in _OF_PROJECT),
    Reference("finance", ("programme_id",), "programmes", ("programme_id",), "quarantined"),
    Reference("projects", ("programme_id",), "programmes", ("programme_id",), "kept"),
    Reference("links", ("project_id", "predecessor_id"), "tasks", ("project_id", "task_id"), "quarantined"),
    Reference("links", ("project_id", "successor_id"), "tasks", ("project_id", "task_id"), "quarantined"),
    Reference("risks", ("project_id", "task_id"), "tasks", ("project_id", "task_id"), "kept"),
    Reference("issues", ("risk_id",), "risks", ("risk_id",), "kept"),
    Reference("actions", ("parent_id",), "risks", ("risk_id",), "kept", ("parent_kind", "risk")),
    Reference("actions", ("parent_id",), "issues", ("issue_id",), "kept", ("parent_kind", "issue")),
    Reference("baselines", ("change_id",), "changes", ("change_id",), "kept"),
    Reference("reserves", ("change_id",), "changes", ("change_id",), "kept"),
    Reference("reserves", ("risk_id",), "risks", ("risk_id",), "kept"),
)


def cell_failures(name: str, *, rows: pd.DataFrame, around: Circumstances = NOWHERE) -> list[Failure]:
    """Return what single cells and rows of one table do not keep: allowed values, bounds, currencies, row rules."""
    table = TABLES[name]
    filled = frozenset(column for column in table.names if rows[column].notna().any())
    cases = _cases(_cell_schema(name, filled=filled), rows=rows[sorted(filled)])
    failures = [
        _of_cell(table.column(case.column), table=name, case=case, value=rows.at[case.row, case.column])
        for case in cases
    ]
    for rule in (each for each in ROW_RULES if each.table == name and not rows.empty):
        if rule.column in filled or rule.blank or rule.on_empty:
            keeps = rule.keeps(rows, around=around).to_numpy(dtype=bool, na_value=True)
            failures += [_of_rule(rule, row=int(label)) for label in rows.index[~keeps]]
    return sorted(failures, key=lambda failure: (failure.row, failure.column, failure.rule))


def key_failures(name: str, *, rows: pd.DataFrame) -> list[Failure]:
    """Return rows that share their key with another; the first of each group names the others."""
    key = list(TABLES[name].key)
    marked = rows[rows.duplicated(key, keep=False)]
    failures = []
    for _, group in marked.groupby(key, sort=True, dropna=False):
        first, *others = (int(label) for label in group.index)
        message = f"{len(group)} rows have the same key ({', '.join(key)})"
        words = ("duplicate-key", "error", "refused", message, "delete all but one")
        failures.append(Failure(name, first, "", *words, others=tuple(others)))  # type: ignore[arg-type]
    return failures


def reference_failures(tables: Tables, *, parents: Tables | None = None) -> list[Failure]:
    """Return rows that name a portfolio, project, programme, task, risk or change that the tables do not hold.

    A table that the return does not have at all is not looked for, but projects and portfolios always are. Of a row
    whose portfolio or project is unknown, nothing else is said that follows from it.

    Parameters
    ----------
    tables
        Rows that are looked at.
    parents
        Rows that may be named; None: the same.
    """
    known = tables if parents is None else parents
    failures: list[Failure] = []
    for name, rows in tables.items():
        lost: dict[tuple[str, ...], set[int]] = {}
        for reference in (each for each in REFERENCES if each.table == name):
            owners = known.get(reference.parent)
            if owners is None and (reference.parent not in ("projects", "portfolios")):
                continue
            follow = (found for columns, found in lost.items() if columns == reference.columns[: len(columns)])
            missing = set(_leading_nowhere(rows, owners=owners, reference=reference)).difference(*follow)
            lost[reference.columns] = lost.get(reference.columns, set()) | missing
            failures += [_of_reference(reference, row=row) for row in sorted(missing)]
    return failures


def _leading_nowhere(rows: pd.DataFrame, *, owners: pd.DataFrame | None, reference: Reference) -> list[int]:
    """Return the labels of the rows whose reference leads nowhere."""
    mine, theirs = ["portfolio_id", *reference.columns], ["portfolio_id", *reference.parent_columns]
    known = set() if owners is None else set(_joined(owners, columns=theirs))
    names = rows[list(mine)].notna().all(axis=1) & ~_joined(rows, columns=mine).isin(known)
    column, word = reference.where
    if column:
        names &= rows[column].eq(word).fillna(False)
    return [int(label) for label in rows.index[names]]


def _joined(rows: pd.DataFrame, *, columns: list[str]) -> pd.Series:
    first, *others = columns
    joined = rows[first].astype("str")
    for column in others:
        joined = joined + SEPARATOR + rows[column].astype("str")
    return joined


class _Case(NamedTuple):
    row: int
    column: str
    check: str


def _cases(schema: pa.DataFrameSchema, *, rows: pd.DataFrame) -> list[_Case]:
    """Return what a schema finds, each row and check once, in order of rows."""
    from pandera.errors import SchemaErrors  # noqa: PLC0415 (two seconds that opening a report must not pay)

    if rows.empty or not schema.columns:
        return []
    try:
        schema.validate(rows, lazy=True)
    except SchemaErrors as error:
        cases = set()
        for case in error.failure_cases.to_dict("records"):
            check, _, column = str(case["check"]).partition("@")
            cases.add(_Case(int(case["index"]), column, check))
        return sorted(cases)
    return []


@cache
def _cell_schema(name: str, *, filled: frozenset[str]) -> pa.DataFrameSchema:
    """Return the schema of those of a table's columns that are filled; each check is named ``rule@column``."""
    import pandera.pandas as pa  # noqa: PLC0415 (as above)

    columns = {
        column.name: pa.Column(None, checks, nullable=True)
        for column in TABLES[name].columns
        if column.name in filled and (checks := _checks(column, check=pa.Check))
    }
    return pa.DataFrameSchema(columns)


def _checks(column: Column, *, check: Any) -> list[Any]:
    checks = []
    low, high = column.bounds
    if column.allowed:
        checks.append(check.isin(column.allowed, error=f"not-allowed@{column.name}"))
    if low is not None:
        checks.append(check.ge(low, error=f"below@{column.name}"))
    if high is not None:
        checks.append(check.le(high, error=f"above@{column.name}"))
    if column.name == "currency":
        checks.append(check(lambda cells: spelt(cells, pattern=ISO_CURRENCY), error=f"currency@{column.name}"))
    return checks


def _of_rule(rule: RowRule, *, row: int) -> Failure:
    words = (rule.name, rule.severity, rule.action, rule.message, rule.fix)
    return Failure(rule.table, row, rule.column, *words, blank=rule.blank)


_WORDS = {
    "not-allowed": ("is none of the allowed words", "use one of them"),
    "below": ("is below {low:g}", "correct it"),
    "above": ("is above {high:g}", "correct it"),
    "currency": ("is no ISO 4217 code", "write three capital letters, such as GBP"),
}


def _of_cell(column: Column, *, table: str, case: _Case, value: Any) -> Failure:
    low, high = column.bounds
    words, fix = _WORDS[case.check]
    bounds = "" if low is None and high is None else f"from {low:g}" if high is None else f"from {low:g} to {high:g}"
    expected = "one of " + ", ".join(column.allowed) if column.allowed else bounds
    near = difflib.get_close_matches(str(value), column.allowed, n=1)
    if near:
        fix = f"did you mean {near[0]!r}?"
    if column.kind == "share":
        fix = "enter a share between 0 and 1, or a per cent with its sign"
    action: Action = "quarantined" if column.need in ("key", "cell") else "nulled"
    message = f"{column.name} {words.format(low=low, high=high)}"
    return Failure(table, case.row, column.name, case.check, "error", action, message, fix, expected)


def _of_reference(reference: Reference, *, row: int) -> Failure:
    column = reference.columns[-1] if reference.columns else "portfolio_id"
    what = reference.parent.removesuffix("s")
    severity: Severity = "error" if reference.action == "quarantined" else "warning"
    return Failure(
        reference.table,
        row,
        column,
        f"unknown-{what}",
        severity,
        reference.action,
        f"{column} names a {what} that has no usable row in the table {reference.parent}",
        f"add it to {reference.parent}, correct the row that was set aside there, or correct the id",
    )
