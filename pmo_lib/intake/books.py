"""The books of a period: rows, money and cells, in and out; they close, or nothing is handed on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.contracts.returned import ACCOUNTING_COLUMNS, CELL_COLUMNS
from pmo_lib.contracts.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pmo_lib.intake.stacks import Stack

ENDINGS = ("typed", "stated", "faulty", "ignored")
EXACT = Context(prec=60)  # sums of the largest amounts keep every penny
ZERO = Decimal(0)
Heading = tuple[str, str]  # table, portfolio


def minor_units(amount: Decimal) -> int:
    """Return an amount in hundredths of its unit, exactly.

    >>> minor_units(Decimal("12.34"))
    1234
    """
    return int(amount.scaleb(2, context=EXACT))


def money_by(portfolios: Sequence[str], *, amounts: Iterable[Sequence[Decimal | None]]) -> Counter[str]:
    """Return portfolio → the sum of its amounts in minor units, over some columns of money."""
    sums: dict[str, Decimal] = {}
    alone = portfolios[0] if len(set(portfolios)) == 1 else None
    with localcontext(EXACT):
        for column in amounts:
            if alone is not None:
                sums[alone] = sum((amount for amount in column if amount), sums.get(alone, ZERO))
                continue
            for portfolio, amount in zip(portfolios, column, strict=True):
                if amount is not None:
                    sums[portfolio] = sums.get(portfolio, ZERO) + amount
    return Counter({portfolio: minor_units(total) for portfolio, total in sums.items()})


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

    def enter(self, stacks: Iterable[Stack], *, left_out: Mapping[Heading, int]) -> None:
        """Enter what came in: the rows as read, before any rule has looked at them."""
        for stack in stacks:
            _count(self.rows_in, money=self.money_in, stack=stack, labels=None)
        for heading, number in left_out.items():
            self.rows_in[heading] += number
            self.ignored[heading] += number

    def set_aside(self, heading: Heading, *, amount: Decimal) -> None:
        """Enter money of a cell that a rule took out of a row that stays."""
        self.money_quarantined[heading] += minor_units(amount)

    def leave(self, stacks: Iterable[Stack]) -> None:
        """Enter what goes out as quarantined."""
        for stack in stacks:
            _count(self.quarantined, money=self.money_quarantined, stack=stack, labels=stack.aside)

    def use(self, tables: Mapping[str, pd.DataFrame], *, made: Mapping[Heading, int]) -> None:
        """Enter what goes out as used, counted in the tables that are handed on; ``made`` rows came from no file."""
        self.rows_in.update(made)
        for name, table in tables.items():
            portfolios = table["portfolio_id"].tolist()
            for portfolio, rows in Counter(portfolios).items():
                self.used[name, portfolio] += rows
            amounts = (table[column].tolist() for column in TABLES[name].of_kind("money"))
            for portfolio, money in money_by(portfolios, amounts=amounts).items():
                self.money_used[name, portfolio] += money

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


def _count(rows: Counter[Heading], *, money: Counter[Heading], stack: Stack, labels: Sequence[int] | None) -> None:
    """Add rows and money of a stack, or of some of its rows, by portfolio."""
    name = stack.table.name
    portfolios = stack.pick(stack.portfolios, labels=labels)
    for portfolio, number in Counter(portfolios).items():
        rows[name, portfolio] += number
    amounts = (stack.pick(stack.values(column), labels=labels) for column in stack.table.of_kind("money"))
    for portfolio, total in money_by(portfolios, amounts=amounts).items():
        money[name, portfolio] += total
