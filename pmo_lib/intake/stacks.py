"""All rows of one contract table of a period, from all files, as a typed table: what the rules look at."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from pmo_lib.intake.drafts import Draft
from pmo_lib.intake.typed import typed_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from pmo_lib.contracts.columns import Table
    from pmo_lib.intake.drafts import Batch


@dataclass(eq=False)
class Stack:
    """The batches of one table, one upon the other; a row's label is its place in the stack.

    Attributes
    ----------
    table, batches
        Contract table, and its rows.
    rows
        All of them, typed, money as float; labels count from 0.
    dead
        Whether each row is set aside.
    """

    table: Table
    batches: list[Batch]
    rows: pd.DataFrame = field(init=False)
    dead: np.ndarray[Any, np.dtype[np.bool_]] = field(init=False)
    _starts: list[int] = field(init=False)
    _emptied: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Type the rows, and note which of them are set aside already."""
        lengths = list(map(len, self.batches))
        self._starts = [0, *accumulate(lengths)]
        values = {name: self.values(name) for name in self.table.names}
        self.rows = typed_columns(self.table, values=values, index=range(self._starts[-1]), exact=False)
        self.dead = np.zeros(self._starts[-1], dtype=bool)
        self.dead[[start + row for start, batch in self._parts() for row in batch.rules]] = True

    def _parts(self) -> Iterator[tuple[int, Batch]]:
        return zip(self._starts, self.batches, strict=False)

    @cached_property
    def portfolios(self) -> list[str]:
        """Portfolio of each row; empty where that could not be read."""
        return [portfolio for batch in self.batches for portfolio in batch.portfolios]

    @property
    def live(self) -> pd.DataFrame:
        """The rows that are not set aside."""
        return self.rows if not self.dead.any() else self.rows[~self.dead]

    @property
    def aside(self) -> list[int]:
        """Labels of the rows that are set aside."""
        return [int(label) for label in np.flatnonzero(self.dead)]

    def values(self, name: str) -> list[Any]:
        """Return the exact values of a column, None where there is none."""
        columns = [batch.values.get(name) or [None] * len(batch) for batch in self.batches]
        return columns[0] if len(columns) == 1 else [value for column in columns for value in column]

    @staticmethod
    def pick(values: list[Any], *, labels: Sequence[int] | None) -> list[Any]:
        """Return the values of some rows; of all where none are named."""
        return values if labels is None else [values[label] for label in labels]

    def at(self, label: int) -> Draft:
        """Return one row."""
        number = bisect_right(self._starts, label) - 1
        return Draft(self.batches[number], label - self._starts[number])

    def drafts(self) -> Iterator[Draft]:
        """Yield the rows that are not set aside."""
        return (self.at(int(label)) for label in np.flatnonzero(~self.dead))

    def set_aside(self, labels: Iterable[int], *, rule: str) -> None:
        """Set rows aside, each with the rule."""
        for label in labels:
            draft = self.at(label)
            draft.batch.set_aside(draft.row, rule=rule)
            self.dead[label] = True

    def empty(self, label: int, *, column: str) -> Any:
        """Take the value out of a cell and return it; the typed table follows with :meth:`settle`."""
        draft = self.at(label)
        value = draft.value(column)
        draft.batch.values[column][draft.row] = None
        self._emptied.setdefault(column, []).append(label)
        return value

    def settle(self) -> None:
        """Take emptied cells out of the typed table."""
        for column, labels in self._emptied.items():
            self.rows.loc[labels, column] = None
        self._emptied = {}

    def source_refs(self) -> list[str]:
        """Return the source of each row."""
        return [batch.layout.source_ref(record) for batch in self.batches for record in batch.records]
