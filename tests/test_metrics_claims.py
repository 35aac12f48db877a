"""Words against cells: what is read as a claim, with which precision, and what it is held against."""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from histories import STATUS_DATES, history
from hypothesis import given, settings, strategies as st

from pmo_lib.contracts.parts import RATINGS
from pmo_lib.contracts.tables import TABLES
from pmo_lib.demo import Size
from pmo_lib.demo.catalogue import LAST as LAST_MONTH, UNITS
from pmo_lib.demo.returns import return_tables
from pmo_lib.metrics import claims
from pmo_lib.metrics.movement import Between
from pmo_lib.metrics.phrases import pieces, quarter, sentences
from pmo_lib.metrics.statements import statements
from pmo_lib.parameters.models import Organisation

ORGANISATION = Organisation(id="t", name="T")
THEN, NOW = "2024-03", "2025-03"
LAST = Between("ROADS", NOW, THEN)
CELLS: dict[str, Any] = {
    "whole_life_cost_baseline": 1234.56e6, "benefits_baseline": 5_432_109.0, "finish_baseline_on": "2027-03-31",
}  # fmt: skip


def returned(*texts: str, subject: str = "", rated: str = "amber", then: dict[str, Any] | None = None, **cells: Any
             ) -> dict[str, pd.DataFrame]:  # fmt: skip
    """Return one project's tables with these texts now; ``then`` is its earlier row of ``projects``, if it has one."""
    rows = [{"project_id": "A", "period": NOW} | CELLS | cells]
    rows += [{"project_id": "A", "period": THEN} | CELLS | then] if then is not None else []
    months = [NOW, *([THEN] if then is not None else [])]
    told = [
        {"project_id": "A", "period": NOW, "status_date": STATUS_DATES[NOW], "subject": subject or f"text {n}"}
        | {"narrative": text} for n, text in enumerate(texts)
    ]  # fmt: skip
    return {
        "projects": history("projects", rows),
        "status": history("status", [{"project_id": "A", "period": month, "rating": rated} for month in months]),
        "narratives": history("narratives", told) if told else history("narratives", [{"period": THEN}]).iloc[:0],
        "finance": finance(plan=100e6, forecast=88e6),
        "states": history("states", [{"period": THEN, "table_name": "projects"}]).iloc[:0],
    }  # fmt: skip


def finance(**amounts: float) -> pd.DataFrame:
    """Return the year's amounts of the project, by measure."""
    told = {"portfolio_id": "ROADS", "project_id": "A", "period": NOW, "period_kind": "year", "currency": "GBP"}
    rows = [told | {"measure": measure, "amount": amount, "source_ref": "f"} for measure, amount in amounts.items()]
    columns = {
        column.name: pd.Series([row.get(column.name) for row in rows], dtype=object).astype(column.dtype)
        for column in TABLES["finance"].columns
    }
    return pd.DataFrame({"return_month": pd.Series([NOW] * len(rows), dtype="str")} | columns)


def held(*texts: str, **more: Any) -> pd.DataFrame:
    """Return the claims of texts of a project."""
    return claims.claims(returned(*texts, **more), settings=ORGANISATION, between=LAST)


def verdicts(*texts: str, **more: Any) -> list[tuple[str, str]]:
    """Return kind and verdict of each claim, sorted."""
    found = held(*texts, **more)
    return sorted(zip(found["kind"], found["verdict"], strict=True))


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("The whole life cost of £448m is agreed.", "money", "£448m"),
        ("The project's Whole Life Cost at 24/25-Q4 (measured in £m) is 235.", "money", "235"),
        ("The projects Baseline Whole Life Cost is 910.17 (£m).", "money", "910.17"),
        ("Whole-life costs have increased to £1.2bn.", "money", "£1.2bn"),
        ("The WLC is around £320 million.", "money", "£320 million"),
        ("Monetised benefits are £450k.", "money", "£450k"),
        ("The in-year budget is £25.3m.", "money", "£25.3m"),
        ("The forecast for 2024/25 is £88m.", "money", "£88m"),
        ("The budget variance is less than 5%.", "share", "5%"),
        ("The in-year variance at 24/25-Q4 of -12 per cent, is due to weather.", "share", "-12 per cent"),
        ("The project end date is 31/03/2027.", "date", "31/03/2027"),
        ("The project's end-date at 24/25-Q4 is 2027-03-31.", "date", "2027-03-31"),
        ("The end date is now 31st March 2027.", "date", "31st March 2027"),
        ("The programme end date is March 31, 2027.", "date", "March 31, 2027"),
        ("Your project end-date remains 31 MAR  2027 .", "date", "31 MAR 2027"),
        ("The end date is March 2027.", "date", "March 2027"),
        ("The end date is now Q4 26/27.", "date", "Q4 26/27"),
        ("The end date is now 2026/27.", "date", "2026/27"),
        ("Finish is now forecast for 12 March 2027, 34 days after the baseline.", "date", "12 March 2027"),
        ("The programme is on schedule and expects to complete by 31 March 2027.", "date", "31 March 2027"),
        ("The SRO's Delivery Confidence Assessment rating is Amber/Red.", "rating", "Amber/Red"),
        ("Overall delivery confidence has improved to green following a review.", "rating", "green"),
        ("45.5% of the work is done.", "share", "45.5%"),
        ("There has been no change to the programme end date.", "unchanged", "no change to"),
        ("The whole life cost remains unchanged.", "unchanged", "remains unchanged"),
        ("The project remains on track.", "unchanged", "on track"),
    ],
)
def test_words_that_name_a_cell_and_a_value_are_a_claim(text: str, kind: str, said: str) -> None:
    """A claim is what names a cell and says what stands in it, in many forms of amount, share, date and colour."""
    found = [(one.kind, one.said) for one in statements(text)]
    assert (kind, said) in found


@pytest.mark.parametrize(
    "text",
    [
        "", "All is well.", "£448m was spent on steel.", "The contract end date is 31/03/2027.",
        "An increase in the whole life cost of £5m was agreed.", "This moved the end date to 31 March 2038.",
        "The previous end date was 31/03/2020.", "The whole life cost is £5m above the budget.",
        "The whole life cost is £4m to £5m.", "The review rated the supplier red.", "Gate 4 had a Green Rating.",
        "The DCA improved to Amber in Q3 19/20.", "Key Output 1a is on track to complete by March 2027.",
        "We keep the project on track.", "The whole life cost rose by £2m.", "The end date is 31 February 2027.",
        "The whole life cost is £17.6.", "The whole life cost was £5m.", "HMCTS end date is March 2027.",
        "90% of projects are complete.", "Back to green in 2027?",
        "The Whole Life Cost of £172m excludes sunk costs.", "The whole life cost is £5m, excluding VAT.",
    ],
)  # fmt: skip
def test_words_that_claim_nothing_of_the_cell_give_no_claim(text: str) -> None:
    """Amounts, dates and colours of other things, differences, ranges, the past and no days are no claims."""
    assert statements(text) == []


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("The whole life cost is £1.2bn.", "agrees"),
        ("The whole life cost is £1.3bn.", "disagrees"),
        ("The whole life cost is £1,234.6m.", "agrees"),
        ("The whole life cost is £1,234.5m.", "agrees"),  # cut off, not rounded
        ("The whole life cost is £1,234.4m.", "disagrees"),
        ("The whole life cost is around £1.28bn.", "agrees"),
        ("The whole life cost is £1.28bn.", "disagrees"),
        ("The end date is March 2027.", "agrees"),
        ("The end date is 30 March 2027.", "disagrees"),
        ("The end date is now Q4 26/27.", "agrees"),
        ("The end date is now Q3 26/27.", "disagrees"),
        ("The project is on track to complete by June 2027.", "agrees"),
        ("The project is on track to complete by June 2026.", "disagrees"),
        ("The budget variance exceeds 5%.", "agrees"),
        ("The budget variance is less than or equal to 5%.", "disagrees"),
        ("The budget variance is 12%.", "agrees"),
        ("The in-year budget is £100m.", "agrees"),
        ("The in-year forecast is £90m.", "disagrees"),
        ("The SRO's delivery confidence is amber.", "agrees"),
        ("Delivery confidence is red.", "disagrees"),
        ("The IPA's delivery confidence is amber.", "cannot be told"),
        ("The whole life cost forecast is £5m; the forecast whole life cost is £5m.", "cannot be told"),
        ("The whole life cost at 22/23-Q4 is £1.3bn.", "cannot be told"),
        ("The whole life cost at 24/25-Q4 is £1.3bn.", "disagrees"),
        ("The end date has not changed.", "cannot be told"),
    ],
)
def test_a_claim_is_held_against_its_cell_within_its_own_precision(text: str, verdict: str) -> None:
    """By hand: cost 1,234.56m, finish 31 March 2027, outlook 88 of 100m, rated amber by the SRO, no earlier return."""
    found = held(text)
    assert verdict in set(found["verdict"])
    assert len(found) == 1
    assert (found["reason"].iloc[0] != "") == (verdict == "cannot be told")


@pytest.mark.parametrize(
    ("text", "then", "expected"),
    [
        ("The end date remains unchanged.", {}, "agrees"),
        ("The end date remains unchanged.", {"finish_baseline_on": "2026-03-31"}, "disagrees"),
        ("There has been no change to the whole life cost.", {"whole_life_cost_baseline": 1234e6}, "agrees"),
        ("There has been no change to the whole life cost.", {"whole_life_cost_baseline": 1200e6}, "disagrees"),
        ("The project remains on track.", {"finish_baseline_on": "2028-03-31"}, "agrees"),
        ("The project remains on track.", {"finish_baseline_on": "2026-03-31"}, "disagrees"),
        ("Compared to 23/24-Q4, the end date has not changed.", {}, "agrees"),
        ("Compared to 21/22-Q4, the end date has not changed.", {}, "cannot be told"),
    ],
)
def test_unchanged_is_held_against_the_last_return(text: str, then: dict[str, Any], expected: str) -> None:
    """*Unchanged* compares with the last return, and with no other; *on track* says that the finish is not later."""
    assert verdicts(text, then=then) == [("unchanged", expected)]


def test_from_and_to_are_two_claims() -> None:
    """*From* is held against the last return, *to* against this one; *remained at* claims value and standstill."""
    text = "Compared to 23/24-Q4, the project's whole life cost at 24/25-Q4 increased from £1.1bn to £1.2bn."
    found = held(text, then={"whole_life_cost_baseline": 1000e6}).set_index("about")
    assert found["verdict"].to_dict() == {"before": "disagrees", "now": "agrees"}
    assert found.loc["before", ["stands", "stood"]].tolist() == ["£1,234.56m", "£1,000.00m"]
    assert verdicts("The end date remained at 31/03/2027.", then={"finish_baseline_on": "2026-03-31"}) == [
        ("date", "agrees"), ("unchanged", "disagrees"),
    ]  # fmt: skip


def test_a_claim_says_where_it_stands_and_what_decides() -> None:
    """Sentence, place of the claim in it, cell, value and the sources of both travel with the verdict."""
    (row,) = held("Good news. The whole life cost of  the project is £1.3bn, as said.", "x").to_dict("records")
    assert row["sentence"][row["marked_from"] : row["marked_to"]] == "The whole life cost of the project is £1.3bn"
    told = [row[name] for name in ("text", "column_name", "stands", "stood", "verdict", "source_ref", "cell_ref")]
    assert told == [
        "text 0", "whole_life_cost_baseline", "£1,234.56m", "–", "disagrees", *["2025-03.csv, row 1"] * 2,
    ]  # fmt: skip


def test_a_round_return_is_read_as_rounded() -> None:
    """Where nearly all amounts of a return are whole millions, words with pennies agree with their million."""
    rounded = {"whole_life_cost_baseline": 227e6, "benefits_baseline": 12e6}
    assert verdicts("The whole life cost is £227.09m.", **rounded) == [("money", "agrees")]
    assert verdicts("The whole life cost is £227.61m.", **rounded) == [("money", "disagrees")]
    assert verdicts("The whole life cost is £227.09m.", whole_life_cost_baseline=227e6) == [("money", "disagrees")]


def test_what_has_no_single_value_cannot_be_told_and_says_why() -> None:
    """A withheld cell is no disagreement; the reason is the return's."""
    tables = returned("The end date is 31/03/2027.", finish_baseline_on=None, then={})
    tables["states"] = history("states", [
        {"period": NOW, "table_name": "projects", "row_key": "A", "column_name": "finish_baseline_on"}
        | {"state": "withheld", "reason": "Section 43"},
    ])  # fmt: skip
    found = claims.claims(tables, settings=ORGANISATION, between=LAST)
    assert found[["verdict", "reason"]].to_numpy().tolist() == [["cannot be told", "withheld: Section 43"]]


def test_the_counts_are_of_all_claims() -> None:
    """Σ claims of the counts = number of claims; reasons count those that cannot be told."""
    found = held("The end date is 31/03/2027. The whole life cost is £1.3bn.", "The end date has not changed.")
    counted = claims.counts(found)
    assert int(counted["claims"].sum()) == len(found) == 3
    assert claims.untold(found).to_numpy().tolist() == [["no earlier return of this project", 1]]


# --- properties -----------------------------------------------------------------------------------------------

PENNIES = st.integers(1_000_001, 10**12)
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
SCALES = (("k", 1e3), ("m", 1e6), ("bn", 1e9))


def agrees(words: str, *, cell: float) -> bool:
    """Return whether the one claim in some words agrees with the value of a cell."""
    (one,) = statements(words)
    return claims.fits(one, value=cell)


@given(PENNIES, st.sampled_from(SCALES), st.integers(0, 2), st.sampled_from(["", "around ", "c."]))
def test_a_claim_made_from_the_cell_agrees(pennies: int, scale: tuple[str, float], decimals: int, about: str) -> None:
    """An amount written from the cell with any precision always agrees with it."""
    words = f"The whole life cost is {about}£{pennies / 100 / scale[1]:,.{decimals}f}{scale[0]}."
    assert agrees(words, cell=pennies / 100)


@given(PENNIES, st.sampled_from(SCALES), st.integers(0, 2), st.integers(1, 1000), st.booleans())
def test_a_claim_beyond_the_rounding_disagrees(
    pennies: int, scale: tuple[str, float], decimals: int, steps: int, below: bool
) -> None:
    """An amount that is off by more than one of its last digits never agrees."""
    step = scale[1] / 10**decimals
    off = pennies / 100 + (1 + steps) * step * (-1 if below and pennies / 100 > (2 + steps) * step else 1)
    assert not agrees(f"The whole life cost is £{off / scale[1]:,.{decimals}f}{scale[0]}.", cell=pennies / 100)


@given(DAYS, st.integers(1, 5000), st.sampled_from(["%d/%m/%Y", "%Y-%m-%d", "%d %B %Y", "%d %b %Y", "%d.%m.%y"]))
def test_a_day_agrees_with_itself_only(day: date, off: int, form: str) -> None:
    """A date in any form agrees with its own cell, and disagrees with that of any other day."""
    words = f"The project end date is {day.strftime(form)}."
    assert agrees(words, cell=day.toordinal())
    assert not agrees(words, cell=(day + timedelta(days=off)).toordinal())


@given(st.dates(date(2000, 4, 1), date(2098, 12, 31)))
def test_a_day_lies_in_its_month_quarter_and_year(day: date) -> None:
    """A finish said by month, quarter or fiscal year agrees with every day of it."""
    first = day.year - (day.month < 4)
    place = (day.month - 4) % 12 // 3 + 1
    year = f"{first % 100:02}/{(first + 1) % 100:02}"
    words = (day.strftime("%B %Y"), f"Q{place} {year}", f"20{year}")
    assert all(agrees(f"The end date is now {written}.", cell=day.toordinal()) for written in words)


@pytest.mark.parametrize("said", RATINGS)
@pytest.mark.parametrize("rated", RATINGS)
def test_a_colour_agrees_with_its_own_cell_only(said: str, rated: str) -> None:
    """Each of the five colours agrees with itself and with no other, in either order of its parts."""
    swapped = "/".join(reversed(said.split("/"))).upper()
    for written in (said, swapped):
        assert agrees(f"Delivery confidence is {written}.", cell=RATINGS.index(rated)) == (said == rated)


@given(st.text(alphabet="abcdefghijklm £.,%/-()\n", max_size=200))
def test_words_without_claims_give_none(text: str) -> None:
    """Text in which no word names a cell claims nothing, whatever signs stand in it."""
    assert statements(text) == []


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    """Nothing that people may write breaks the reading, and every claim lies in its sentence."""
    for sentence in sentences(f"The end date is {text} and the whole life cost is £{text}m"):
        assert all(
            piece.text == sentence[piece.start : piece.end] or piece.kind == "stamp" for piece in pieces(sentence)
        )
        for one in statements(sentence):
            assert 0 <= one.start < one.end <= len(one.sentence)


@settings(max_examples=10)
@given(st.permutations(range(4)))
def test_the_order_of_rows_does_not_matter(order: list[int]) -> None:
    """The same rows in another order give the same claims in the same order."""
    texts = (
        "The end date is March 2027.",
        "The whole life cost is £1.3bn.",
        "The end date is May 2027.",
        "WLC is £1bn.",
    )
    tables = returned(*texts, then={})
    expected = claims.claims(tables, settings=ORGANISATION, between=LAST)
    mixed = tables | {"narratives": tables["narratives"].iloc[order], "projects": tables["projects"].iloc[::-1]}
    pd.testing.assert_frame_equal(claims.claims(mixed, settings=ORGANISATION, between=LAST), expected)


HOSTILE = ("1,", "end date ", "is on track to ", "whole life cost of £1m from ", "WLC c. 12/3 jan amber/Q1 ")


def seconds(text: str) -> float:
    """Return the time that it takes to read a text, and the less of two tries: the machine may be busy."""
    spent = []
    for _ in range(2):
        began = time.process_time()
        statements(text, subject="in-year cost")
        spent.append(time.process_time() - began)
    return min(spent)


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_grows_with_the_length_of_a_hostile_text_and_not_faster(unit: str) -> None:
    """Four times a text that repeats what the grammar looks for takes about four times as long: never sixteen."""
    assert seconds(unit * (16_000 // len(unit))) < 9 * seconds(unit * (4_000 // len(unit))) + 0.05


def test_a_megabyte_is_read_as_far_as_a_text_can_be_long() -> None:
    """Of a hostile text of 1 MB the first 100,000 characters are read, in seconds."""
    assert seconds("whole life cost of £1m from " * 36_000) < 20
    assert statements("x. " * 40_000 + "The end date is 31/03/2027.") == []


def test_a_quarter_is_fiscal_where_the_words_say_so() -> None:
    """By hand: forms of quarters and fiscal years, from April and from October; what names neither is none."""
    assert quarter("22/23-Q4", start_month=4) == (date(2023, 1, 1), date(2023, 3, 31))
    assert quarter("Q2 1920", start_month=4) == (date(2019, 7, 1), date(2019, 9, 30))
    assert quarter("2021-Q4", start_month=4) == (date(2021, 1, 1), date(2021, 3, 31))
    assert quarter("FY2023/24", start_month=10) == (date(2023, 10, 1), date(2024, 9, 30))
    assert quarter("Q1 2026", start_month=4) == (date(2026, 1, 1), date(2026, 6, 30))
    assert quarter("31/35", start_month=4) is None
    assert quarter("Q1 0000", start_month=4) is None


# --- the made organisation ------------------------------------------------------------------------------------


def made_return() -> dict[str, pd.DataFrame]:
    """Return highways' last return of the made organisation as histories of one report; money as float."""
    tables = return_tables(UNITS[0], month=LAST_MONTH, size=Size(projects=8))
    found = {}
    for name in claims.NEEDED:
        rows = tables.get(name, pd.DataFrame(columns=TABLES[name].names))
        money = [column.name for column in TABLES[name].columns if column.kind == "money"]
        rows = rows.astype(dict.fromkeys(money, "float64"))
        found[name] = rows.assign(**{"return_month" if name == "finance" else "period": "2026-09"})
    return found


def against(tables: dict[str, pd.DataFrame]) -> set[str]:
    """Return the projects whose words disagree with their cells."""
    found = claims.claims(tables, settings=ORGANISATION, between=Between(UNITS[0].id, "2026-09"))
    return set(found.loc[found["verdict"].eq("disagrees"), "project_id"])


def test_planted_disagreements_of_the_made_organisation_are_found_and_nothing_else() -> None:
    """As made, no words disagree; every commentary whose date or amount is altered is found: none is missed."""
    tables = made_return()
    assert against(tables) == set()
    status = tables["status"]
    plants = (r"(finish on|forecast for) (\d+ \w+) 20\d\d", r"\1 \2 2049"), (r"of £[\d.]+", "of £987")
    for old, new in plants:
        altered = status["narrative"].str.replace(old, new, regex=True)
        planted = set(status.loc[altered.ne(status["narrative"]) & status["narrative"].notna(), "project_id"])
        assert len(planted) >= 3
        assert against(tables | {"status": status.assign(narrative=altered)}) == planted
