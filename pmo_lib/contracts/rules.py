"""What typed tables must keep: allowed values, bounds, keys, references, and what the cells of a row say of each other.

Tables come in typed (:data:`pmo_lib.contracts.columns.DTYPES`, money as float) with an index that names their rows;
failures go out with that index, one per cell or row, however often the library reports it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from pmo_lib.contracts.columns import Column
from pmo_lib.contracts.findings import Action, Severity
from pmo_lib.contracts.tables import TABLES

if TYPE_CHECKING:
    import pandera.pandas as pa

FIVE_POINT_ONLY = ("amber/green", "amber/red")
ISO_CURRENCY = r"^[A-Z]{3}$"
Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Failure:
    """One rule that one row does not keep.

    Attributes
    ----------
    table, row, column
        Contract table; index label of the row; column, empty for the whole row.
    rule, severity, action
        Name of the rule; what it means; what is to be done: ``nulled`` the cell, ``quarantined`` the row, ``refused``
        the return, or ``kept``.
    message, fix, expected
        What is wrong; what to do; what would be right.
    others
        Index labels of the other rows concerned, such as those with the same key.
    """

    table: str
    row: int
    column: str
    rule: str
    severity: Severity
    action: Action
    message: str
    fix: str
    expected: str = ""
    others: tuple[int, ...] = ()


class RowRule(NamedTuple):
    """A rule over the cells of one row: ``keeps`` returns a boolean per row, True also where it does not apply."""

    table: str
    name: str
    column: str
    keeps: Callable[[pd.DataFrame], pd.Series]
    action: Action
    message: str
    fix: str


class Reference(NamedTuple):
    """Columns of a table that must name a row of another one in the same portfolio, where they name any."""

    table: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    action: Action


def _in_order(*names: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Return a rule: the values of these columns rise, where they are filled."""

    def keeps(rows: pd.DataFrame) -> pd.Series:
        good = pd.Series(True, index=rows.index)
        for earlier, later in [(a, b) for n, a in enumerate(names) for b in names[n + 1 :]]:
            good &= ~(rows[earlier] > rows[later])
        return good

    return keeps


def _on_scale(rows: pd.DataFrame) -> pd.Series:
    return (rows["rating_scale"] != "three-point") | ~rows["rating"].isin(FIVE_POINT_ONLY)


def _names_something(rows: pd.DataFrame) -> pd.Series:
    return rows["project_id"].notna() | rows["programme_id"].notna()


ROW_RULES: tuple[RowRule, ...] = (
    RowRule(
        "status", "rating-off-scale", "rating", _on_scale, "nulled",
        "rating is not on the three-point scale that the row states",
        "rate it green, amber or red, or correct the scale",
    ),
    RowRule(
        "finance", "no-owner", "project_id", _names_something, "quarantined",
        "the row names neither a project nor a programme", "fill in project_id or programme_id",
    ),
    *(
        RowRule(
            "projects", "start-after-finish", f"finish_{kind}_on", _in_order(f"start_{kind}_on", f"finish_{kind}_on"),
            "kept", f"finish_{kind}_on is before start_{kind}_on", "correct one of the two",
        )
        for kind in ("baseline", "forecast", "actual")
    ),
    *(
        RowRule(
            "risks", "points-out-of-order", f"{stem}_likely",
            _in_order(*(f"{stem}_{point}" for point in ("low", "likely", "high"))),
            "kept", f"{stem}: low, likely and high do not rise", "put them in order",
        )
        for stem in ("cost_impact", "days_impact")
    ),
)  # fmt: skip

# A row about something that the return does not hold is set aside; a pointer beside its facts is only reported.
_OF_PROJECT = ("status", "narratives", "published_figures", "overrides", "finance", "earned_value", "baselines",
               "milestones", "tasks", "links", "gates", "artefacts", "reserves", "risks", "issues", "actions",
               "decisions", "changes")  # fmt: skip
REFERENCES: tuple[Reference, ...] = (
    *(Reference(name, ("project_id",), "projects", ("project_id",), "quarantined") for name in _OF_PROJECT),
    Reference("finance", ("programme_id",), "programmes", ("programme_id",), "quarantined"),
    Reference("projects", ("programme_id",), "programmes", ("programme_id",), "kept"),
    Reference("links", ("project_id", "predecessor_id"), "tasks", ("project_id", "task_id"), "quarantined"),
    Reference("links", ("project_id", "successor_id"), "tasks", ("project_id", "task_id"), "quarantined"),
    Reference("issues", ("risk_id",), "risks", ("risk_id",), "kept"),
    Reference("reserves", ("change_id",), "changes", ("change_id",), "kept"),
    *(Reference(name, (), "portfolios", (), "quarantined") for name in TABLES if name not in ("portfolios", "lineage")),
)


def cell_failures(name: str, *, rows: pd.DataFrame) -> list[Failure]:
    """Return what single cells and rows of one table do not keep: allowed values, bounds, currencies, row rules."""
    table = TABLES[name]
    row_rules = {(rule.name, rule.column): rule for rule in ROW_RULES if rule.table == name}
    failures = []
    for case in _cases(_cell_schema(name), rows=rows):
        rule = row_rules.get((case.check, case.column))
        failure = (
            _of_rule(rule, row=case.row)
            if rule
            else _of_cell(table.column(case.column), table=name, case=case, value=rows.at[case.row, case.column])
        )
        failures.append(failure)
    return failures


def key_failures(name: str, *, rows: pd.DataFrame) -> list[Failure]:
    """Return rows that share their key with another; the first of each group names the others."""
    key = list(TABLES[name].key)

    def is_single(table: pd.DataFrame) -> pd.Series:
        return ~table.duplicated(key, keep=False)

    marked = [case.row for case in _cases(_frame_schema({"duplicate-key": is_single}), rows=rows)]
    failures = []
    for _, group in rows.loc[marked].groupby(key, sort=True, dropna=False):
        first, *others = (int(label) for label in group.index)
        message = f"{len(group)} rows have the same key ({', '.join(key)})"
        failures.append(
            Failure(
                name,
                first,
                "",
                "duplicate-key",
                "error",
                "refused",
                message,
                "delete all but one",
                others=tuple(others),
            )
        )
    return failures


def reference_failures(tables: Tables) -> list[Failure]:
    """Return rows that name a portfolio, project, programme, task, risk or change that the tables do not hold.

    A table that the return does not have at all is not looked for, but projects and portfolios always are.
    """
    failures = []
    for name, rows in tables.items():
        rules = {}
        for number, reference in enumerate(REFERENCES):
            parents = tables.get(reference.parent)
            if reference.table == name and (parents is not None or reference.parent in ("projects", "portfolios")):
                rules[str(number)] = _known_in(parents, reference=reference)
        cases = _cases(_frame_schema(rules), rows=rows) if rules else []
        failures += [_of_reference(REFERENCES[int(case.check)], row=case.row) for case in cases]
    return failures


class _Case(NamedTuple):
    row: int
    column: str
    check: str


def _cases(schema: pa.DataFrameSchema, *, rows: pd.DataFrame) -> list[_Case]:
    """Return what a schema finds, each row and check once, in order of rows."""
    from pandera.errors import SchemaErrors  # noqa: PLC0415 (two seconds that opening a report must not pay)

    if rows.empty:
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
def _cell_schema(name: str) -> pa.DataFrameSchema:
    """Return the schema of a table's cells and row rules; each check is named ``rule@column``."""
    import pandera.pandas as pa  # noqa: PLC0415 (as above)

    table = TABLES[name]
    columns = {
        column.name: pa.Column(None, checks, nullable=True)
        for column in table.columns
        if (checks := _checks(column, check=pa.Check))
    }
    rules = [pa.Check(rule.keeps, error=f"{rule.name}@{rule.column}") for rule in ROW_RULES if rule.table == name]
    return pa.DataFrameSchema(columns, checks=rules)


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
        checks.append(check.str_matches(ISO_CURRENCY, error=f"currency@{column.name}"))
    return checks


def _frame_schema(rules: Mapping[str, Callable[[pd.DataFrame], pd.Series]]) -> pa.DataFrameSchema:
    import pandera.pandas as pa  # noqa: PLC0415 (as above)

    return pa.DataFrameSchema({}, checks=[pa.Check(rule, error=f"{name}@") for name, rule in rules.items()])


def _known_in(parents: pd.DataFrame | None, *, reference: Reference) -> Callable[[pd.DataFrame], pd.Series]:
    mine, theirs = ["portfolio_id", *reference.columns], ["portfolio_id", *reference.parent_columns]
    known = set() if parents is None else set(parents[theirs].itertuples(index=False, name=None))

    def keeps(rows: pd.DataFrame) -> pd.Series:
        named = rows[list(reference.columns)].notna().all(axis=1)
        found = [key in known for key in rows[mine].itertuples(index=False, name=None)]
        return pd.Series(found, index=rows.index) | ~named

    return keeps


def _of_rule(rule: RowRule, *, row: int) -> Failure:
    severity: Severity = "warning" if rule.action == "kept" else "error"
    return Failure(rule.table, row, rule.column, rule.name, severity, rule.action, rule.message, rule.fix)


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
