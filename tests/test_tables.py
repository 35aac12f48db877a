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


RISKS = pd.DataFrame(
    {"title": ["A & B", "C", "D"], "grade": ["severe", None, "green, not assured"], "amount": [1 / 3, -2e6, None],
     "due_on": pd.to_datetime(["2026-11-02", None, "2025-01-31"]), "why": ["", "never told", "withheld"]}
)  # fmt: skip
SIFTED = [Show("title", "Title"), Show("grade", "Grade", "rating", choice=True), Show("amount", "Cost", "money_signed",
          reason="why"), Show("due_on", "Due", "day", reason="why")]  # fmt: skip


def test_what_can_be_sifted_carries_its_values() -> None:
    """Money, days and ratings carry the value that they are sorted by; what is null carries its reason only."""
    html = html_table(RISKS, columns=SIFTED, caption="Risks", sifted=True).html
    rows = [re.findall(r"<t[dh](?: scope=.row.)?(?: class=.\w+.)?( data-value=.*?)?>", row)
            for row in html.partition("<tbody>")[2].split("\n") if row.startswith("<tr>")]  # fmt: skip
    assert rows == [
        ["", ' data-value="3"', ' data-value="0.333333333333"', ' data-value="2026-11-02"'],
        ["", "", ' data-value="-2000000"', ""],
        ["", ' data-value="0"', "", ' data-value="2025-01-31"'],
    ]
    assert re.findall(r"<th scope=\"col\"(.*?)>", html) == [
        ' data-by="text"',
        ' data-by="number" data-choice',
        ' class="num" data-by="number"',
        ' data-by="text"',
    ]
    assert html.count("never told") == 1
    assert html.count("withheld") == 1


def test_a_table_is_sifted_only_if_asked_for() -> None:
    """Without the wish a table holds not one more byte for the script."""
    html = html_table(RISKS, columns=SIFTED, caption="Risks").html
    assert "data-" not in html
    assert "sifted" not in html


def test_amounts_in_several_currencies_have_no_order() -> None:
    """Two dollars are not more than one pound: such a column is not offered for sorting."""
    rows = pd.DataFrame({"name": ["A", "B"], "amount": [1.0, 2.0], "currency": ["GBP", "USD"]})
    columns = [Show("name", "Name"), Show("amount", "Amount", "money")]
    html = html_table(rows, columns=columns, caption="Asked", sifted=True).html
    assert '<th scope="col" class="num">Amount' in html
    assert "data-value" not in html


def test_a_total_below_sifted_rows_is_refused() -> None:
    """A total would stand below rows that are not all of its rows: such a table is not written."""
    with pytest.raises(ValueError, match="Risks: a total below rows that can be sifted"):
        html_table(RISKS, columns=SIFTED, caption="Risks", sifted=True, total=pd.Series({"title": "all"}))
