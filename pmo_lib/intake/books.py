"""The books of a period: rows, money and cells, in and out; they close, or nothing is handed on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.contracts.returned import ACCOUNTING_COLUMNS, CELL_COLUMNS
from pmo_lib.contracts.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from pmo_lib.intake.drafts import Draft

ENDINGS = ("typed", "stated", "faulty", "ignored")
Heading = tuple[str, str]  # table, portfolio


def minor_units(amount: Decimal) -> int:
    """Return an amount in hundredths of its unit, exactly.

    >>> from decimal import Decimal
    >>> minor_units(Decimal("12.34"))
    1234
    """
    return int(amount.scaleb(2))


def money_in(draft: Draft) -> int:
    """Return the sum of all amounts of a row, in minor units."""
    amounts = (draft.values.get(name) for name in draft.table.of_kind("money"))
    return sum(minor_units(amount) for amount in amounts if amount is not None)


@dataclass
class Books:
    """Rows and money of one period by table and portfolio, entered as they come in and as they go out."""

    rows_in: Counter[Heading] = field(default_factory=Counter)
    money_in: Counter[Heading] = field(default_factory=Counter)
    used: Counter[Heading] = field(default_factory=Counter)
    money_used: Counter[Heading] = field(default_factory=Counter)
    quarantined: Counter[Heading] = field(default_factory=Counter)
    money_quarantined: Counter[Heading] = field(default_factory=Counter)
    ignored: Counter[Heading] = field(default_factory=Counter)

    def enter(self, drafts: Iterable[Draft], *, left_out: Mapping[Heading, int]) -> None:
        """Enter what came in: the rows as read, before any rule has looked at them."""
        for draft in drafts:
            heading = _heading(draft)
            self.rows_in[heading] += 1
            self.money_in[heading] += money_in(draft)
        for heading, number in left_out.items():
            self.rows_in[heading] += number
            self.ignored[heading] += number

    def set_aside(self, draft: Draft, *, amount: int) -> None:
        """Enter money of a cell that a rule took out of a row that stays."""
        self.money_quarantined[_heading(draft)] += amount

    def leave(self, drafts: Iterable[Draft]) -> None:
        """Enter what goes out as quarantined."""
        for draft in drafts:
            if draft.rules:
                self.quarantined[_heading(draft)] += 1
                self.money_quarantined[_heading(draft)] += money_in(draft)

    def use(self, tables: Mapping[str, pd.DataFrame], *, made: Mapping[Heading, int]) -> None:
        """Enter what goes out as used, counted in the tables that are handed on; ``made`` rows came from no file."""
        self.rows_in.update(made)
        for name, table in tables.items():
            money = TABLES[name].of_kind("money")
            for portfolio, rows in table.groupby("portfolio_id", sort=True):
                self.used[name, str(portfolio)] += len(rows)
                amounts = (amount for column in money for amount in rows[column] if amount is not None)
                self.money_used[name, str(portfolio)] += sum(map(minor_units, amounts))

    def closed(self) -> pd.DataFrame:
        """Return the accounts; columns as in :data:`pmo_lib.contracts.returned.ACCOUNTING_COLUMNS`.

        Raises
        ------
        AssertionError
            If rows or money do not add up: a fault of this library, not of the return.
        """
        rows = []
        for heading in sorted({*self.rows_in, *self.used, *self.quarantined, *self.ignored}):
            counts = (self.rows_in, self.used, self.quarantined, self.ignored)
            money = (self.money_in, self.money_used, self.money_quarantined)
            came, used, aside, ignored = (book[heading] for book in counts)
            money_came, money_used, money_aside = (book[heading] for book in money)
            if came != used + aside + ignored or money_came != money_used + money_aside:
                raise AssertionError(
                    f"the books of {heading} do not close: {[book[heading] for book in (*counts, *money)]}"
                )
            rows.append((*heading, came, used, aside, ignored, money_came, money_used, money_aside))
        return pd.DataFrame(rows, columns=list(ACCOUNTING_COLUMNS))


def cell_accounts(cells: Mapping[tuple[str, str, str], int]) -> pd.DataFrame:
    """Return the accounts of cells; columns as in :data:`pmo_lib.contracts.returned.CELL_COLUMNS`."""
    rows = []
    for file, sheet in sorted({(file, sheet) for file, sheet, _ in cells}):
        ends = [cells.get((file, sheet, ending), 0) for ending in ENDINGS]
        rows.append((file, sheet, sum(ends), *ends))
    return pd.DataFrame(rows, columns=list(CELL_COLUMNS))


def _heading(draft: Draft) -> Heading:
    return draft.table.name, draft.portfolio_id
