"""Intake, one cell at a time: a typed value, a state with its reason, or a finding; never a guess or a traceback."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st

from pmo_lib.contracts.columns import Column
from pmo_lib.contracts.tables import RATINGS, TABLES
from pmo_lib.intake.cells import Outcome, Reader, Reading, expectation
from pmo_lib.intake.native import native_mapping
from pmo_lib.intake.published import disagreement, relative_change
from pmo_lib.intake.values import (
    FIRST_DAY,
    LAST_DAY,
    Notation,
    Unreadable,
    plain_text,
    read_choice,
    read_date,
    read_decimal,
    read_flag,
    read_id,
    read_money,
    read_month,
    read_number,
    read_share,
    read_text,
    read_whole,
)
from pmo_lib.parameters.mapping import Cell, Check, Formats, Money, StateRule

NOON = datetime.fromisoformat("2026-03-31T12:00:00")
RAW = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.dates(), st.datetimes(), st.times(),
    st.timedeltas(), st.decimals(allow_nan=False),
)  # fmt: skip
# Texts near the ones that mean something: digits, signs, separators, months.
NEARLY = st.text("0123456789.,-+()£$%/: '−eE infnaJmkb", max_size=16)
READERS: dict[str, Callable[[Any], Any]] = {
    "text": read_text,
    "id": read_id,
    "choice": lambda raw: read_choice(raw, allowed=RATINGS),
    "money": read_money,
    "number": read_number,
    "share": read_share,
    "whole": read_whole,
    "flag": read_flag,
    "date": read_date,
    "dates": lambda raw: read_date(raw, formats=("%d/%m/%Y", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S")),
    "month": read_month,
}
TYPES = {
    "text": str, "id": str, "choice": str, "money": Decimal, "number": float, "share": float, "whole": int,
    "flag": bool, "date": date, "dates": date, "month": str,
}  # fmt: skip


def rule_of(read: Callable[[Any], Any], raw: Any) -> str:
    """Return the rule for which a cell cannot be read."""
    with pytest.raises(Unreadable) as error:
        read(raw)
    assert error.value.message
    assert error.value.fix
    return error.value.rule


# --- properties of all readers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", READERS)
@given(raw=st.one_of(RAW, NEARLY))
def test_any_cell_is_a_value_of_its_kind_or_a_complaint(kind: str, raw: Any) -> None:
    """Whatever a cell holds, its reader returns its own type or says what is wrong and what to do."""
    try:
        value = READERS[kind](raw)
    except Unreadable:
        return
    assert type(value) is TYPES[kind]


@given(st.decimals(-(10**15), 10**15, places=2), st.sampled_from(["", "£", "$", "€"]), st.booleans(), st.booleans())
def test_an_amount_written_plainly_comes_back_exactly(
    number: Decimal, sign: str, grouped: bool, brackets: bool
) -> None:
    """Any amount with two decimals, grouped or not, with any currency sign and either minus, reads as itself."""
    digits = f"{abs(number):,.2f}" if grouped else f"{abs(number):.2f}"
    text = f"({sign}{digits})" if number < 0 and brackets else f"{'-' if number < 0 else ''}{sign}{digits}"
    assert read_money(text) == number


@given(st.decimals(-(10**12), 10**12, places=2))
def test_an_amount_in_a_foreign_notation_is_never_misread(number: Decimal) -> None:
    """1.234,56 reads as what it says where the notation is declared, and is a finding where it is not."""
    text = f"{number:,.2f}".translate(str.maketrans(",.", ".,"))
    german = Notation(Money(thousands=".", decimal=","))
    assert read_money(text, notation=german) == number
    assert rule_of(read_money, text) == "number-format"


@given(st.floats(-1e12, 1e12), st.sampled_from([Decimal(1), Decimal(1000), Decimal(1_000_000)]))
def test_a_number_in_its_unit_is_rounded_once(number: float, unit: Decimal) -> None:
    """A number cell times its unit is exact to half a penny: no binary fraction creeps in."""
    exact = Decimal(repr(number)) * unit
    assert abs(read_money(number, notation=Notation(unit=unit)) - exact) <= Decimal("0.005")


@given(st.dates(FIRST_DAY, LAST_DAY), st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d %B %Y"]))
def test_a_day_written_in_the_stated_format_comes_back(day: date, form: str) -> None:
    """Any day between 1900 and 2199 reads as itself, as a text in its format and as a date cell."""
    assert read_date(day.strftime(form), formats=(form,)) == day
    assert read_date(day) == day
    assert read_month(day) == day.isoformat()[:7]


@given(st.dates(FIRST_DAY, LAST_DAY))
def test_a_day_that_two_formats_read_differently_is_a_finding(day: date) -> None:
    """01/02/2026 under both orders is never one of the two; under one order, or where both agree, it is that day."""
    text = day.strftime("%d/%m/%Y")
    both = ("%d/%m/%Y", "%m/%d/%Y")
    if day.day <= 12 and day.day != day.month:
        assert rule_of(lambda raw: read_date(raw, formats=both), text) == "ambiguous-date"
    else:
        assert read_date(text, formats=both) == day


@given(st.floats(1, 80_000) | st.integers(1, 80_000))
def test_a_number_is_never_a_date(serial: float) -> None:
    """Excel's serial numbers are findings, as numbers and as texts: nobody can tell which day was meant."""
    assert rule_of(read_date, serial) == "serial-date"
    assert rule_of(read_month, serial) == "serial-date"
    text = plain_text(int(serial))
    assert rule_of(read_date, text) == ("serial-date" if len(text) == 5 else "date")


@given(st.floats(0, 1))
def test_a_share_may_be_written_in_per_cent(share: float) -> None:
    """45 % and 0.45 are one value, the sign decides."""
    percent = f"{share * 100:.4f}"
    assert read_share(f"{percent} %") == pytest.approx(float(percent) / 100)
    assert read_share(share) == share


@given(st.text())
def test_an_id_has_no_sign_that_a_path_could_use(text: str) -> None:
    """What is read as an id can be a folder's name: no separator, no leading dot, no blank, at most 64 signs."""
    try:
        value = read_id(text)
    except Unreadable:
        return
    assert not set(value) & set("/\\ \t\n\0:")
    assert not value.startswith(".")
    assert len(value) <= 64


@given(st.sampled_from(RATINGS), st.randoms(), st.sampled_from(["", " ", "\N{NO-BREAK SPACE}", "\n"]))
def test_a_rating_is_known_in_any_case(rating: str, random: Any, blanks: str) -> None:
    """Amber/Red, AMBER/RED and stray blanks are one rating."""
    written = "".join(random.choice((sign.upper(), sign.lower())) for sign in rating)
    assert read_choice(blanks + written + blanks, allowed=RATINGS) == rating


# --- single cells -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "amount"),
    [
        ("£1.90m", "1900000"), ("£2,013.02", "2013.02"), ("450.37", "450.37"), ("-£5", "-5"), ("£-5", "-5"),
        ("(£5)", "-5"), ("\N{MINUS SIGN}5", "-5"), (".5", "0.5"), ("0.123", "0.12"), ("0.125", "0.12"), (7, "7"),
        (2.675, "2.68"), (Decimal("1.10"), "1.10"), ("1 bn", "1000000000"),
    ],
)  # fmt: skip
def test_amounts_as_people_write_them(raw: Any, amount: str) -> None:
    """Currency signs, groups, endings and either minus are understood where the notation says so."""
    notation = Notation(Money(suffixes={"m": "1000000", "bn": "1000000000"}))
    assert read_money(raw, notation=notation) == Decimal(amount)


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        ("1.234,56", "number-format"), ("1,23", "number-format"), ("1 234", "number-format"),
        ("1.234", "ambiguous-number"), ("12,34,567", "number"), ("1e5", "number"), ("--5", "number"),
        ("5%", "number"), ("\N{ARABIC-INDIC DIGIT THREE}", "number"), ("-(5)", "number"), (True, "number"),
        (float("nan"), "number"), (float("inf"), "number"), (date(2026, 3, 31), "number"), (time(1), "number"),
        (timedelta(1), "number"), (10**30, "number"), (None, "number"),
    ],
)  # fmt: skip
def test_what_is_no_amount_is_told_why(raw: Any, rule: str) -> None:
    """A thousand or a fraction, another country's notation, words, truth values and dates are never taken for money."""
    assert rule_of(read_money, raw) == rule


def test_three_decimals_are_doubted_only_where_they_may_be_thousands() -> None:
    """1.234 in pounds is doubtful; in a column of millions, or as a number cell, it is not."""
    assert read_money("1.234", notation=Notation(unit=Decimal(1_000_000))) == Decimal(1_234_000)
    assert read_money(1.234) == Decimal("1.23")
    assert read_money("1234.567") == Decimal("1234.57")
    assert read_number("1.234") == 1.234


@pytest.mark.parametrize(
    ("read", "raw", "rule"),
    [
        (read_date, "9999-12-31", "implausible-date"), (read_date, date(1899, 12, 31), "implausible-date"),
        (read_date, "31/03/2026", "date"), (read_date, True, "date"), (read_date, time(1), "date"),
        (read_date, "2026-02-30", "date"), (read_month, "March", "month"), (read_month, "2026-13", "month"),
        (read_whole, 3.5, "whole"), (read_whole, "x", "number"), (read_flag, "perhaps", "flag"), (read_flag, 2, "flag"),
        (read_flag, date(2026, 1, 1), "flag"), (read_id, "R 17", "id"), (read_id, True, "id"), (read_id, NOON, "id"),
        (read_number, "1" * 20, "number"), (READERS["choice"], 3.0, "choice"),
    ],
)  # fmt: skip
def test_what_is_of_another_kind_is_told_why(read: Callable[[Any], Any], raw: Any, rule: str) -> None:
    """Every reader refuses what is not its own."""
    assert rule_of(read, raw) == rule


@pytest.mark.parametrize(
    ("read", "raw", "value"),
    [
        (read_flag, "Yes", True), (read_flag, "n", False), (read_flag, True, True), (read_flag, 0.0, False),
        (read_whole, "3", 3), (read_whole, 3.0, 3), (read_id, 7.0, "7"), (read_id, "R-017", "R-017"),
        (read_text, 2024.0, "2024"), (read_text, NOON, "2026-03-31 12:00:00"), (read_text, " a\r\r\nb ", "a\nb"),
        (read_date, NOON, date(2026, 3, 31)), (read_month, "2026-03", "2026-03"),
    ],
)  # fmt: skip
def test_what_is_meant_is_understood(read: Callable[[Any], Any], raw: Any, value: Any) -> None:
    """Small differences in how programs store a value do not matter."""
    assert read(raw) == value


def test_a_serial_number_is_shown_as_the_day_that_it_may_be() -> None:
    """45292 is 2024-01-01 in Excel (day 1 is 1900-01-01, and its 1900 is a leap year)."""
    with pytest.raises(Unreadable, match="2024-01-01"):
        read_date(45292.0)
    with pytest.raises(Unreadable) as error:
        read_date(5.0)
    assert "perhaps" not in error.value.message


def test_numbers_are_exact_before_they_are_floats() -> None:
    """A per cent of a text is a decimal operation: 0.1 % is 0.001."""
    percent = Notation(unit=Decimal("0.01"), symbols=("%",))
    assert read_decimal("-6%", notation=percent) == Decimal("-0.06")
    assert read_number("0.1%", notation=percent) == 0.001


# --- a cell of a column -----------------------------------------------------------------------------------------


def reader(kind: str, cell: Cell | None = None, formats: Formats | None = None, **words: str) -> Reader:
    """Return a reader for a column of a kind."""
    allowed = RATINGS if kind == "choice" else ()
    column = Column("thing", kind, "A thing", allowed=allowed)  # type: ignore[arg-type]
    return Reader(column, cell or Cell(column="thing"), formats or native_mapping().formats, words)


@pytest.mark.parametrize(
    "kind", ["id", "text", "choice", "money", "number", "share", "level", "whole", "date", "month", "flag"]
)
@given(raw=RAW)
def test_every_cell_has_exactly_one_ending(kind: str, raw: Any) -> None:
    """Blank, typed, stated or faulty: a value only if typed, a state otherwise, a fault whenever it cannot be used."""
    outcome = reader(kind).read(raw)
    assert (outcome.value is not None) == (outcome.ending == "typed")
    assert bool(outcome.state) == (outcome.ending in ("stated", "faulty"))
    assert outcome.ending != "faulty" or outcome.faults[0].severity == "error"


@pytest.mark.parametrize(
    ("raw", "state", "reason"),
    [
        ("withheld: exempt under section 43", "withheld", "exempt under section 43"),
        ("Withheld (commercial)", "withheld", "commercial"),
        ("withheld", "withheld", ""),
        ("  Not  set ", "not set", ""),
        ("not returned - no time", "not returned", "no time"),
    ],
)
@pytest.mark.parametrize("kind", ["money", "date", "choice", "text"])
def test_our_own_words_for_no_value(kind: str, raw: str, state: str, reason: str) -> None:
    """In our own layout any cell may say withheld, not set or not returned, with the reason behind it."""
    outcome = reader(kind).read(raw)
    assert (outcome.ending, outcome.state, outcome.reason, outcome.value) == ("stated", state, reason, None)


def test_a_text_that_only_begins_like_a_state_is_a_text() -> None:
    """A pattern must match the whole cell."""
    formats = Formats(states=(StateRule(state="withheld", pattern="exempt under section .{0,10}"),))
    long = "Exempt under section 43 are three of our costs; the rest follows."
    assert reader("text", formats=formats).read(long).value == long
    assert reader("text", formats=formats).read("EXEMPT under  section 43").reason == "EXEMPT under section 43"


@pytest.mark.parametrize(
    ("kind", "raw", "ends"),
    [
        ("money", "Low: 1.50, Mid: 2,000, High: 3,000.10", ("1.50", "2000.00", "3000.10")),
        ("date", "low: 2026-01-01, high: 2026-03-01", ("2026-01-01", "", "2026-03-01")),
        ("share", "Low: 10%, Mid: 20%, High: 30%", ("0.1", "0.2", "0.3")),
    ],
)
def test_a_range_is_a_state_with_its_ends(kind: str, raw: str, ends: tuple[str, str, str]) -> None:
    """Low, mid and high are read as values of the column, and the cell has none."""
    outcome = reader(kind).read(raw)
    assert (outcome.ending, outcome.state, outcome.value) == ("stated", "range", None)
    assert (outcome.low, outcome.mid, outcome.high) == ends
    assert outcome.faults == ()


@given(st.lists(st.decimals(-1000, 1000, places=2), min_size=3, max_size=3))
def test_a_range_out_of_order_is_kept_and_said(ends: list[Decimal]) -> None:
    """Any three amounts are a range; unless they rise, a warning says so."""
    low, mid, high = ends
    outcome = reader("money").read(f"Low: {low}, Mid: {mid}, High: {high}")
    assert [Decimal(outcome.low), Decimal(outcome.mid), Decimal(outcome.high)] == ends
    assert [fault.rule for fault in outcome.faults] == ([] if low <= mid <= high else ["range-order"])


def test_a_range_with_a_part_that_is_none_is_faulty() -> None:
    """One unreadable end makes the cell unreadable; a text column has no ranges."""
    outcome = reader("money").read("Low: 1, Mid: much, High: 3")
    assert (outcome.ending, outcome.faults[0].rule) == ("faulty", "number")
    assert reader("text").read("Low: 1, Mid: much, High: 3").ending == "typed"


def test_a_value_map_comes_before_the_reader() -> None:
    """Mapped words become the contract's; others stand as they are, or become what 'otherwise' says."""
    rating = reader("choice", on_track="green", at_risk="amber")
    rating.words = {"on track": "green", "3": "red"}
    assert rating.read("On  Track").value == "green"
    assert rating.read(3.0).value == "red"
    assert rating.read("Amber").value == "amber"
    blank = reader("text", Cell(column="thing", otherwise=""), yes="there")
    assert (blank.read("Yes").value, blank.read("No").ending) == ("there", "blank")


def test_case_is_changed_where_the_mapping_says_so() -> None:
    """Ids that differ in case only are one id."""
    assert reader("id", Cell(column="thing", case="upper")).read("DfT_01").value == "DFT_01"
    assert reader("id", Cell(column="thing", case="lower")).read("DfT_01").value == "dft_01"


@pytest.mark.parametrize(
    ("kind", "raw", "rule", "value"),
    [
        ("choice", " Green ", "stray-blanks", "green"),
        ("id", "R-1 ", "stray-blanks", "R-1"),
        ("id", 7.0, "number-as-id", "7"),
        ("date", NOON, "time-dropped", date(2026, 3, 31)),
    ],
)
def test_what_is_put_right_is_said(kind: str, raw: Any, rule: str, value: Any) -> None:
    """A value that is read all the same comes with a remark, never silently; blanks around a text are no remark."""
    outcome = reader(kind).read(raw)
    assert (outcome.value, [fault.rule for fault in outcome.faults]) == (value, [rule])
    assert all(fault.severity != "error" for fault in outcome.faults)
    assert reader("text").read(" words ").faults == ()


def test_a_number_is_no_word_and_the_words_are_named() -> None:
    """Where one of several words is expected, a number is answered with all of them."""
    outcome = reader("choice").read(3.0)
    assert outcome.faults[0].expected == "one of green, amber/green, amber, amber/red, red"


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (TABLES["risks"].column("probability"), "a share from 0 to 1"),
        (TABLES["projects"].column("budget_at_completion"), "an amount of at least 0"),
        (TABLES["projects"].column("start_actual_on"), "a date such as 2026-03-31"),
        (TABLES["status"].column("rating_scale"), "one of three-point, five-point"),
        (Column("x", "number", "x", high=5), "a number of at most 5"),
        (Column("x", "text", "x"), "a text"),
    ],
)
def test_what_a_cell_should_hold_is_said_in_words(column: Column, words: str) -> None:
    """Every finding on a cell can say what would be right."""
    assert expectation(column) == words


def test_equal_cells_are_read_once_and_kept_apart_by_type() -> None:
    """1, 1.0, TRUE and '1' are four cells: what one is read as is not what another is."""
    reading = reader("text").read_all([1, True, "1", 1.5, None, 1.0, True])
    assert reading == Reading(["1", "TRUE", "1", "1.5", None, "1", "TRUE"], {})
    faulty = reader("money").read_all(["1,000", "much", "much"])
    assert faulty.values == [Decimal(1000), None, None]
    assert faulty.odd[1] is faulty.odd[2]


@given(st.lists(RAW, max_size=12), st.sampled_from(sorted(set(TYPES) - {"dates"})))
def test_a_column_is_read_as_its_cells_are(raws: list[Any], kind: str) -> None:
    """Reading a column at once and each of its cells alone give the same values, states and faults."""
    one = reader(kind)
    reading = one.read_all(raws)
    alone = [one.read(raw) for raw in raws]
    assert list(map(repr, reading.values)) == [repr(outcome.value) for outcome in alone]
    odd = {n: o for n, o in enumerate(alone) if o.faults or o.ending not in ("typed", "blank")}
    assert reading.odd == odd


# --- published figures ------------------------------------------------------------------------------------------


@given(st.decimals(1, 10**6, places=2), st.decimals(-(10**6), 10**6, places=2))
def test_a_relative_change_is_what_it_says(against: Decimal, of: Decimal) -> None:
    """(of - against) / against, signed or its magnitude."""
    signed = relative_change(of, against=against, sign="signed")
    assert signed is not None
    assert signed == pytest.approx(float(of) / float(against) - 1, abs=1e-9)
    assert relative_change(of, against=against, sign="absolute") == abs(signed)


def test_a_change_against_nothing_is_none() -> None:
    """Against 0, or with an amount missing, there is no change to compute: never 0."""
    one = Decimal(1)
    assert relative_change(one, against=Decimal(0), sign="signed") is None
    assert relative_change(one, against=None, sign="signed") is None
    assert relative_change(None, against=one, sign="signed") is None


@given(st.floats(-2, 2), st.floats(-2, 2))
def test_a_figure_agrees_within_its_tolerance_only(published: float, recomputed: float) -> None:
    """A difference that rounding explains is no finding, any other is a warning with both figures."""
    check = Check(figure="variance", published=Cell(column="v"), of="f", against="b", tolerance=0.015)
    assume(abs(abs(published - recomputed) - 0.015) > 1e-9)
    fault = disagreement(check, published=published, recomputed=recomputed)
    assert (fault is None) == (abs(published - recomputed) < 0.015)
    assert fault is None or (fault.severity, f"{published:.2%}" in fault.message) == ("warning", True)


def test_a_figure_that_nobody_can_compute_is_noticed() -> None:
    """A published figure without the amounts behind it is noticed; without a figure there is nothing to say."""
    check = Check(figure="variance", published=Cell(column="v"), of="f", against="b", tolerance=0)
    fault = disagreement(check, published=0.1, recomputed=None)
    assert fault is not None
    assert fault.rule == "not-recomputable"
    assert disagreement(check, published=None, recomputed=0.1) is None


def test_an_outcome_without_anything_is_blank() -> None:
    """A blank cell has neither value nor state nor fault."""
    assert reader("money").read(" ") == reader("money").read(None) == Outcome("blank")
