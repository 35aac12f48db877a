"""Tables and sentences on the quality of a return: every row with its words, and nothing of the data as markup."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest
from histories import history

from pmo_lib.contracts.findings import Finding, findings_table
from pmo_lib.contracts.tables import TABLES
from pmo_lib.metrics import claims, quality, submission
from pmo_lib.metrics.movement import Between
from pmo_lib.parameters.models import Organisation, Thresholds
from pmo_lib.sentences import quality as says
from pmo_lib.tables import quality as tables

NOW, THEN = "2025-03", "2024-03"
LAST_KNOWN = (
    "Every figure on this page is the last known one, of 31 Mar 2024: what happened since is not known, and nothing "
    "has fallen."
)
ASIDE = "What was set aside is in no figure below; it is neither zero nor a fall, and stands cell by cell below."
FINDINGS = findings_table(
    [
        Finding("a.xlsx", "risks", 4, "D4", "number", "error", "nulled", "no <b>number</b>", "write <i>one</i>",
                table="risks", column="probability", key="R-<1>", value="<often>"),
        Finding("a.xlsx", "risks", 5, "D5", "dates", "warning", "kept", "a <date>", "look"),
    ]
)  # fmt: skip
QUARANTINED = pd.DataFrame(columns=["portfolio_id", "table", "source_ref", "key", "rules", "row"])
FOUND = quality.findings(FINDINGS, quarantined=QUARANTINED)
BOOKS = quality.accounts(
    pd.DataFrame(
        [("finance", 2000, 1999, 1, 0, 500_000, 499_900, 100)],
        columns=["table", "rows_in", "used", "quarantined", "ignored", "money_in", "money_used", "money_quarantined"],
    ),
    cells=pd.DataFrame([("a.xlsx", "finance", 9, 8, 0, 1, 0)],
                       columns=["file", "sheet", "cells_in", "typed", "stated", "faulty", "ignored"]),
)  # fmt: skip
SHARES = pd.DataFrame(
    [("validity", "rows", 1999, 2000, 0.9995, "", "rule"), ("freshness", "days", 0, 0, None, "none dated", "rule")],
    columns=list(quality.SHARE_COLUMNS),
)
CHANGED = pd.DataFrame(
    [("withheld now", "A", "<b>Bridge</b>", "finish_baseline_on", "1 Jan 2025", "withheld: s 43", "a.csv, row 1")],
    columns=["change", "project_id", "name", "column_name", "value", "reason", "source_ref"],
)

WORDS = "We <b>say</b> so: delivery confidence is red. The end date is <i>unchanged</i>."
TOLD = {
    "projects": history("projects", [{"project_id": "A", "period": NOW, "name": "<b>Bridge</b>"}]),
    "status": history("status", [{"project_id": "A", "period": NOW, "rating": "green", "narrative": WORDS}]),
    **{name: history(name, [{"period": NOW}]).iloc[:0] for name in ("narratives", "states")},
    "finance": pd.DataFrame(columns=["return_month", *TABLES["finance"].names]),
}
CLAIMS = claims.claims(TOLD, settings=Organisation(id="o", name="O"), between=Between("ROADS", NOW, THEN))


def arrived(state: str = "returned", *, known: str = NOW, day: str | None = "2025-04-20") -> pd.DataFrame:
    """Return the arrivals of two returns, the first in time."""
    rows = [(THEN, "returned", "", THEN, "2024-03-31"), (NOW, state, "<b>why</b>", known, "2025-03-31")]
    returns = pd.DataFrame(
        [(period, pd.Timestamp(on), "ROADS", s, "a.xlsx", why, k) for period, s, why, k, on in rows],
        columns=["period", "status_on", "portfolio_id", "state", "file", "reason", "known"],
    ).astype({"status_on": "datetime64[us]"})
    days: list[dict[str, Any]] = [
        {"period": THEN, "project_id": "A", "submitted_on": "2024-04-02"},
        {"period": NOW, "project_id": "A", "submitted_on": day},
    ]
    projects = history("projects", [{"period": p, "project_id": "A"} for p in (THEN, NOW)])
    return submission.arrivals(returns, status=history("status", days), projects=projects, limits=Thresholds())


WRITTEN = {
    "arrivals": tables.arrivals_table(arrived("partial")).html,
    "findings": tables.findings_table(FOUND).html,
    "accounts": tables.accounts_table(BOOKS).html,
    "shares": tables.shares_table(SHARES).html,
    "changes": tables.changes_table(CHANGED).html,
    "claims": tables.claims_table(CLAIMS).html,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_tables_escape_data_and_leave_no_cell_empty(name: str) -> None:
    """No markup comes from data, and every cell has words."""
    assert not re.search(r"<(b|i|date|often|1)>", WRITTEN[name])
    assert not re.search(r"<td[^>]*></td>", WRITTEN[name])


def test_a_loss_is_never_rounded_away() -> None:
    """1,999 of 2,000 is 99.9 %, rounded down: 100 % means all."""
    assert "99.9%" in WRITTEN["shares"]
    assert "<td>100%" not in WRITTEN["shares"]
    assert says.accounts_sentence(BOOKS).startswith("Used: 99.9% of the rows, 99.9% of the money, 88.8% of the filled")


def test_each_loss_leads_to_its_cell() -> None:
    """Sheet and cell, what was done, value, fault and cure stand in one row."""
    for words in ("risks, D4", "cell left empty", "&lt;often&gt;", "no &lt;b&gt;number", "a.xlsx"):
        assert words in WRITTEN["findings"]


@pytest.mark.parametrize(
    ("state", "known", "day", "expected"),
    [
        ("not returned", THEN, None, ("Not returned for Mar 2025.", LAST_KNOWN)),
        ("refused", THEN, None,
         ("Return refused for Mar 2025.", f"<b>why</b>. {LAST_KNOWN} What to mend stands below.")),
        ("partial", NOW, "2025-04-02", ("Partial return for Mar 2025.",
         f"<b>why</b>. {ASIDE}")),
        ("returned", NOW, "2025-04-20", ("Returned late for Mar 2025.",
         "It was due on 10 Apr 2025; 1 status row came in later, the last on 20 Apr 2025, 10 days late.")),
    ],
)  # fmt: skip
def test_the_top_of_the_page_says_what_its_figures_are_worth(
    state: str, known: str, day: str | None, expected: tuple[str, str]
) -> None:
    """Each state is said in a few words, then what the figures then are; last known is never a fall."""
    row = arrived(state, known=known, day=day).iloc[-1].to_dict()
    assert says.standing_sentences(row, known_on=pd.Timestamp("2024-03-31")) == expected


def test_words_that_disagree_stand_beside_their_cell() -> None:
    """The claim stands in brackets in its sentence, beside what the cell says; the sentence counts all claims."""
    assert "[delivery confidence is red]" in WRITTEN["claims"]
    assert says.claims_sentence(CLAIMS) == (
        "The texts name a cell in 1 claim: 0 agree with it, 1 disagree (rating 1; 1 project), 0 cannot be told."
    )


def test_sentences_say_how_returns_came_and_what_changed() -> None:
    """Sentences count the returns so far, the weakest share, what could not be used, and what was withheld."""
    assert says.arrivals_sentence(arrived()) == (
        "Mar 2025: returned (<b>why</b>), 10 days late. Of 2 returns owed so far 1 came on time, 1 came late."
    )
    assert says.shares_sentence(SHARES) == "The weakest share of each dimension: validity 99.9% (rows, n = 2,000)."
    assert says.findings_sentence(FOUND) == (
        "Cell left empty: 1; each stands below with its cell and its cure. Intake reports 1 error, 1 warning."
    )
    assert says.changes_sentence(CHANGED) == (
        "Since the last report withheld now: 1 value of 1 project (finish baseline on 1)."
    )
