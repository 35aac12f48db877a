"""The table writer: nothing is lost, and nothing is said a hundred times."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from pmo_lib.tables.html import Show, html_table
from pmo_lib.theme import NOT_COMPUTABLE

COLUMNS = [Show("name", "Project"), Show("plan", "Plan", "number", reason="plan_reason"),
           Show("actual", "Actual", "number", reason="actual_reason")]  # fmt: skip
ROWS = pd.DataFrame(
    {"name": ["Bridge", "Tunnel"], "plan": [10.0, 20.0], "plan_reason": [None, None],
     "actual": [None, None], "actual_reason": ["figures of the year only", "figures of the year only"]}
).astype({"plan": float, "actual": float})  # fmt: skip


def test_one_reason_for_all_rows_is_said_once() -> None:
    """A column without any value, for the same reason in every row, becomes a line below the table."""
    written = html_table(ROWS, columns=COLUMNS, caption="Money")
    assert written.html.count("figures of the year only") == 1
    assert '<p class="caption">In no row: Actual: figures of the year only.</p>' in written.html
    assert written.columns == ("name", "plan")


def test_reasons_that_differ_stay_in_their_rows() -> None:
    """Two reasons for one column: the column stays, each row with its own words."""
    rows = ROWS.assign(actual_reason=["withheld", "not returned"])
    written = html_table(rows, columns=COLUMNS, caption="Money")
    assert "In no row" not in written.html
    assert written.html.count('<span class="null">') == 2
    assert written.columns == ("name", "plan", "actual")


def test_a_single_row_keeps_its_columns() -> None:
    """With one row there is nothing to repeat: it shows all that was asked for."""
    written = html_table(ROWS.head(1), columns=COLUMNS, caption="Money")
    assert written.columns == ("name", "plan", "actual")


def test_a_total_that_is_known_keeps_its_column() -> None:
    """A column whose rows are empty and whose total is not stays."""
    total = pd.Series({"name": "Total", "plan": 30.0, "actual": 7.0})
    assert "actual" in html_table(ROWS, columns=COLUMNS, caption="Money", total=total).columns


def test_reasons_are_grouped_and_escaped() -> None:
    """Columns of one reason share a line, and the reason is data: it runs nothing."""
    rows = ROWS.assign(plan=float("nan"), plan_reason="<b>no</b>", actual_reason="<b>no</b>")
    written = html_table(rows, columns=COLUMNS, caption="Money").html
    assert "In no row: Plan, Actual: &lt;b&gt;no&lt;/b&gt;." in written


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["withheld", "not returned"])), min_size=1, max_size=6))
def test_every_reason_is_shown(cells: list[tuple[bool, str]]) -> None:
    """Whatever is null, each reason that a row gives is on the page."""
    rows = pd.DataFrame(
        {"name": [str(place) for place in range(len(cells))], "plan": [1.0 if known else None for known, _ in cells],
         "plan_reason": [None if known else reason for known, reason in cells]}
    ).astype({"plan": float})  # fmt: skip
    written = html_table(rows, columns=COLUMNS[:2], caption="Money").html
    assert all(reason in written for known, reason in cells if not known)
    assert written.count('<th scope="row">') == len(cells)


def test_amounts_in_several_currencies_stand_each_in_its_own() -> None:
    """A list of amounts in pounds and dollars says so in every cell; nothing is added, so nothing is refused."""
    rows = pd.DataFrame({"name": ["A", "B", "C"], "amount": [1_500.0, 2e6, None], "currency": ["GBP", "USD", "GBP"]})
    html = html_table(rows, columns=[Show("name", "Name"), Show("amount", "Amount", "money")], caption="Asked").html
    assert re.findall(r'<td class="num">(.*?)</td>', html) == [
        "£1.50k",
        "$2.00m",
        f'<span class="null">{NOT_COMPUTABLE}</span>',
    ]


def test_a_total_over_several_currencies_is_refused() -> None:
    """Pounds and dollars have no sum: a table that would show one is not written."""
    rows = pd.DataFrame({"name": ["A", "B"], "amount": [1.0, 2.0], "currency": ["GBP", "USD"]})
    columns = [Show("name", "Name"), Show("amount", "Amount", "money")]
    with pytest.raises(ValueError, match="amount: mixes currencies"):
        html_table(rows, columns=columns, caption="Asked", total=pd.Series({"name": "all", "amount": 3.0}))
