"""What a column asks for, in words for its note and in a rule for its cells."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pmo_lib.contracts.columns import Column, Kind, Table

# How a cell says that there is no value, and why; intake reads the same words.
STATE_WORDS = ("withheld: why", "not set: why", "not returned: why")
RANGE_WORDS = "low: 10, mid: 20, high: 40"
RANGED: frozenset[Kind] = frozenset({"money", "number", "share", "whole", "date"})
WHOLE: frozenset[Kind] = frozenset({"level", "whole"})
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
MOST = 1e15
LONGEST_ID, MONTH_LENGTH, CURRENCY_LENGTH = 64, 7, 3
_UNITS: dict[Kind, str] = {
    "id": "An id: letters, digits, dot, hyphen and underscore, at most 64, no blanks",
    "text": "Text",
    "choice": "One of the words below",
    "money": "An amount in units of the currency in this row, not in thousands or millions",
    "number": "A number",
    "share": "A share: 45% or 0.45",
    "level": "A level, a whole number",
    "whole": "A whole number",
    "date": "A date, such as 2026-03-31",
    "month": "A month as text, such as 2026-03",
    "flag": "yes or no",
}
# Amounts and numbers of which the name alone does not say what their sign means; the others are given by `_sign_rule`.
_SIGNS: dict[tuple[str, str], str] = {
    ("finance", "amount"): "Positive is cost, negative is a credit or income",
    ("changes", "effect_on_cost"): "Positive is more cost, negative a saving",
    ("changes", "effect_on_days"): "Days, positive is later, negative earlier",
    ("changes", "effect_on_benefits"): "Positive is more benefit, negative less",
    ("links", "lag_days"): "Positive waits, negative overlaps",
    ("decisions", "amount"): "Positive is cost",
    ("published_figures", "published"): "Positive is an increase, unless sign_rule says absolute",
    ("published_figures", "recomputed"): "Leave it blank: intake computes it",
}


def need_of(column: Column) -> str:
    """Return ``required``, ``column required`` (its cells may be blank) or ``optional``."""
    return {"key": "required", "cell": "required", "column": "column required"}.get(column.need, "optional")


def note_on(column: Column, *, table: Table) -> str:
    """Return the note of a column: what it means, whether it is needed, unit, allowed values, sign, and what else."""
    unit = f"{_UNITS[column.kind]}{_bounds(column)}"
    parts = [
        f"{column.name}: {need_of(column)}",
        column.meaning,
        unit + (f", {column.unit}" if column.unit else ""),
        "\n".join(f"• {word}" for word in column.allowed),
        _sign_rule(column, table=table),
        _instead(column),
    ]
    return "\n".join(part for part in parts if part)


def rule_of(column: Column) -> dict[str, Any] | None:
    """Return what a cell of a column is checked for as it is typed, in XlsxWriter's words; None for free text.

    It warns and never forbids: a cell may say why it holds no value.
    """
    if column.kind == "text" and column.name != "currency":
        return None
    return {
        **_criteria(column),
        "ignore_blank": True,
        "error_type": "warning",
        "error_title": column.name[:32],
        "error_message": _warning(column),
    }


def _criteria(column: Column) -> dict[str, Any]:
    if column.allowed or column.kind == "flag":
        return {"validate": "list", "source": list(column.allowed) or ["yes", "no"]}
    if column.kind == "date":
        return {"validate": "date", "criteria": "between", "minimum": FIRST_DAY, "maximum": LAST_DAY}
    if column.kind in ("id", "month", "text"):
        return {"validate": "length", "criteria": "between", **_lengths(column)}
    low, high = column.bounds
    return {
        "validate": "integer" if column.kind in WHOLE else "decimal",
        "criteria": "between",
        "minimum": -MOST if low is None else low,
        "maximum": MOST if high is None else high,
    }


def _lengths(column: Column) -> dict[str, int]:
    """Return the shortest and longest text that a cell holds."""
    if column.name == "currency":
        return {"minimum": CURRENCY_LENGTH, "maximum": CURRENCY_LENGTH}
    if column.kind == "month":
        return {"minimum": MONTH_LENGTH, "maximum": MONTH_LENGTH}
    return {"minimum": 1, "maximum": LONGEST_ID}


def _warning(column: Column) -> str:
    expected = "One of the words in the list" if column.allowed else _UNITS[column.kind]
    return f"Expected: {expected}{_bounds(column)}. {_instead(column)}"[:255]


def _bounds(column: Column) -> str:
    match column.bounds:
        case (None, None):
            return ""
        case (low, None):
            return f", at least {low:g}"
        case (None, high):
            return f", at most {high:g}"
        case (low, high) if column.kind == "share":
            return f", from {low:.0%} to {high:.0%}"
        case (low, high):
            return f", from {low:g} to {high:g}"


def _sign_rule(column: Column, *, table: Table) -> str:
    if (table.name, column.name) in _SIGNS:
        return _SIGNS[table.name, column.name]
    if column.kind not in ("money", "number") or column.bounds[0] is not None:
        return ""
    if "impact" in column.name:
        return "Positive, for a threat and for an opportunity: the column kind says which"
    return "Positive is benefit" if column.name.startswith("benefits") else "Positive is cost"


def _instead(column: Column) -> str:
    """Return what a cell may hold instead of a value."""
    if need_of(column) == "required":
        return "A row without it is not used." if column.need == "cell" else "Part of the key: a row needs it."
    if column.need == "part":
        return "Part of the key, but may be blank."
    words = f"Without a value: leave it blank, or write {', '.join(STATE_WORDS)}."
    return f"{words} A range: {RANGE_WORDS}." if column.kind in RANGED else words
