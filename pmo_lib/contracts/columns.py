"""What a column of a contract table is: its kind, unit, and whether it may be empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

# Texts are Python's own objects: tables have hundreds of rows, and to call an Arrow kernel costs more than its work.
pd.set_option("mode.string_storage", "python")

Kind = Literal[
    "id",
    "text",
    "choice",
    "money",
    "number",
    "share",
    "level",
    "whole",
    "date",
    "month",
    "flag",
]

# In memory. On disk money is decimal128(24, 2) and dates are date32: see snapshots.
DTYPES: dict[str, str] = {
    "id": "str",
    "text": "str",
    "choice": "str",
    "money": "float64",
    "number": "float64",
    "share": "float64",
    "level": "Int64",
    "whole": "Int64",
    "date": "datetime64[us]",
    "month": "str",
    "flag": "boolean",
}


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    name, kind, meaning
        ``kind`` fixes the type and the parser; ``meaning`` is one sentence for the template.
    need
        ``"key"``: a row without it is quarantined; ``"part"``: part of the key too, but it may be empty;
        ``"column"``: the column must exist, a cell may be empty with a state; ``"cell"``: as ``key``, but not part of
        the key; ``""``: optional.
    allowed
        The values of a ``choice``; compared without regard to case and written in lower case.
    low, high
        Bounds of a number, share (0 and 1 unless stated) or level (1 and 5).
    unit
        Where the name does not say it.
    """

    name: str
    kind: Kind
    meaning: str
    need: Literal["", "key", "part", "column", "cell"] = ""
    allowed: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str = ""

    @property
    def dtype(self) -> str:
        """The pandas dtype in memory."""
        return DTYPES[self.kind]

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Lowest and highest allowed value, with the defaults of the kind."""
        defaults = {"share": (0.0, 1.0), "level": (1.0, 5.0)}.get(self.kind, (None, None))
        return (
            defaults[0] if self.low is None else self.low,
            defaults[1] if self.high is None else self.high,
        )


@dataclass(frozen=True)
class Table:
    """One table: its columns in order, and what one row of it states."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    required: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that together name a row."""
        return tuple(column.name for column in self.columns if column.need in ("key", "part"))

    @property
    def names(self) -> tuple[str, ...]:
        """All column names in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """Return the column of that name; KeyError if the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name}")

    def of_kind(self, *kinds: Kind) -> tuple[str, ...]:
        """Names of the columns of these kinds."""
        return tuple(column.name for column in self.columns if column.kind in kinds)
