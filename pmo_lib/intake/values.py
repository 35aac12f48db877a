"""One raw cell → one typed value, or the reason why it is none: nothing is guessed.

Every reader takes a raw cell and returns the value, or raises :class:`Unreadable` with what is wrong and what to do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from pmo_lib.parameters.mapping import Money
from pmo_lib.parameters.models import ID_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pmo_lib.sources.grid import Raw

CENT = Decimal("0.01")
MOST_MONEY = Decimal(10) ** 21  # fits decimal128(24, 2) with room for sums
FAST_MONEY = 1e15  # what is smaller is finite and not too large
MOST_NUMBER = Decimal(10) ** 15  # every whole number up to here is exact as float64
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
EXCEL_DAY_ZERO = date(1899, 12, 30)  # serial numbers from March 1900 on count from here (ECMA-376 part 1, 18.17.4.1)
_ID = re.compile(ID_PATTERN)
_FOREIGN_NUMBER = re.compile(r"-?\d{1,3}(?:\.\d{3})+,\d+|-?\d+,\d{1,2}|-?\d{1,3}(?:[ '.]\d{3})+")
_THOUSAND_OR_FRACTION = re.compile(r"\D?[1-9]\d{0,2}\.\d{3}")
# Microsoft, "Naming Files, Paths, and Namespaces": with any ending, in any case.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_YES = frozenset({"yes", "y", "true", "1"})
_NO = frozenset({"no", "n", "false", "0"})


class Unreadable(Exception):
    """A cell that has no value of its kind.

    Attributes
    ----------
    rule, message, fix
        Name of the rule; what is wrong; what to do.
    """

    def __init__(self, rule: str, *, message: str, fix: str) -> None:
        super().__init__(message)
        self.rule, self.message, self.fix = rule, message, fix


@dataclass(frozen=True)
class Notation:
    """How numbers of one column are written: signs, what one unit is worth, and whether it is money."""

    money: Money = field(default_factory=Money)
    unit: Decimal = Decimal(1)
    symbols: tuple[str, ...] = ()


PLAIN = Notation()


def plain_text(raw: Raw) -> str:
    """Return a cell as people would write it: whole numbers without ``.0``, dates as ISO, blanks around it gone.

    >>> plain_text(7.0), plain_text(" a  b "), plain_text(True), plain_text(date(2026, 3, 1))
    ('7', 'a  b', 'TRUE', '2026-03-01')
    """
    match raw:
        case None:
            return ""
        case bool():
            return str(raw).upper()
        case float() if raw.is_integer():
            return str(int(raw))
        case datetime():
            return raw.date().isoformat() if raw.time() == time() else raw.isoformat(sep=" ")
        case str():
            return re.sub(r"\r+\n?", "\n", raw).strip()
        case _:
            return str(raw)


def read_text(raw: Raw) -> str:
    """Return a text; a number or date in its place is written out."""
    return plain_text(raw)


def read_id(raw: Raw) -> str:
    """Return an id: letters, digits and ``. _ -``, at most 64."""
    text = plain_text(raw)
    if isinstance(raw, bool | date | time | timedelta) or not _ID.match(text):
        raise Unreadable(
            "id", message="is no id", fix="use letters, digits, dot, hyphen and underscore, at most 64, no blanks"
        )
    return text


def read_folder_id(raw: Raw) -> str:
    """Return an id that can be the name of a folder on every system: a portfolio's reports lie in one."""
    text = read_id(raw)
    if _RESERVED.fullmatch(text) or text.endswith("."):
        raise Unreadable("id", message="cannot be the name of a folder on every system", fix="choose another id")
    return text


def read_choice(raw: Raw, *, allowed: Iterable[str]) -> str:
    """Return a choice in lower case; whether it is allowed is for the rules of the table to say."""
    if not isinstance(raw, str):
        raise Unreadable("choice", message="is no word", fix=f"use one of: {', '.join(allowed)}")
    return " ".join(raw.split()).casefold()


def read_decimal(raw: Raw, *, notation: Notation = PLAIN) -> Decimal:
    """Return an exact number in its unit; a text must keep to the stated notation.

    >>> read_decimal("£1,234.50"), read_decimal("(3)"), read_decimal(2.5)
    (Decimal('1234.50'), Decimal('-3'), Decimal('2.5'))
    """
    match raw:
        case bool():
            raise Unreadable(
                "number", message="is TRUE or FALSE, not a number", fix="enter a number, or leave it blank"
            )
        case Decimal() | int() | float():
            number = Decimal(repr(raw)) if isinstance(raw, float) else Decimal(raw)
            if not number.is_finite():
                raise Unreadable("number", message="is not a finite number", fix="enter a number, or leave it blank")
            return number if notation.unit == 1 else number * notation.unit
        case str():
            return _decimal_of(raw, notation=notation)
        case _:
            raise Unreadable("number", message="is a date or time, not a number", fix="format the cell as a number")


def read_money(raw: Raw, *, notation: Notation = PLAIN) -> Decimal:
    """Return an amount in units of its currency, rounded to the minor unit (half to even)."""
    if type(raw) is float and notation.unit == 1 and abs(raw) < FAST_MONEY:
        return Decimal(repr(raw)).quantize(CENT)
    text = raw.strip() if isinstance(raw, str) else ""
    if text and notation.unit == 1 and notation.money.decimal == "." and _THOUSAND_OR_FRACTION.fullmatch(text):
        raise Unreadable(
            "ambiguous-number",
            message="may be a thousand or a decimal fraction",
            fix=f"write {text.replace('.', '')} or {text[:-1]}",
        )
    amount = read_decimal(raw, notation=notation)
    if abs(amount) >= MOST_MONEY:
        raise Unreadable("number", message="is too large for an amount", fix="check the unit of the column")
    return amount.quantize(CENT)


def read_number(raw: Raw, *, notation: Notation = PLAIN) -> float:
    """Return a number."""
    number = read_decimal(raw, notation=notation)
    if abs(number) > MOST_NUMBER:
        raise Unreadable("number", message="is too large", fix="check the unit of the column")
    return float(number)


def read_share(raw: Raw, *, notation: Notation = PLAIN) -> float:
    """Return a share; a text that ends in ``%`` is divided by 100.

    >>> read_share("45 %"), read_share(0.45)
    (0.45, 0.45)
    """
    if isinstance(raw, str) and raw.strip().endswith("%"):
        return float(read_decimal(raw.strip().removesuffix("%"), notation=notation) / 100)
    return read_number(raw, notation=notation)


def read_whole(raw: Raw) -> int:
    """Return a whole number."""
    number = read_decimal(raw)
    if number != number.to_integral_value() or abs(number) > MOST_NUMBER:
        raise Unreadable("whole", message="is not a whole number", fix="enter a whole number")
    return int(number)


def read_flag(raw: Raw) -> bool:
    """Return yes or no."""
    word = plain_text(raw).casefold()
    if isinstance(raw, date | time | timedelta) or word not in _YES | _NO:
        raise Unreadable("flag", message="is neither yes nor no", fix="enter yes or no")
    return word in _YES


def read_date(raw: Raw, *, formats: Iterable[str] = ("%Y-%m-%d",)) -> date:
    """Return a day; a text must keep to one of the formats, and two of them must not read it differently."""
    match raw:
        case datetime():
            day = raw.date()
        case date():
            day = raw
        case str():
            day = _date_of(raw.strip(), formats=formats)
        case int() | float() | Decimal() if not isinstance(raw, bool):
            raise _serial(plain_text(raw))
        case _:
            raise Unreadable("date", message="is no date", fix="enter a date such as 2026-03-31")
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Unreadable(
            "implausible-date",
            message=f"is before {FIRST_DAY.year} or after {LAST_DAY.year}",
            fix="correct it, or leave it blank",
        )
    return day


def read_month(raw: Raw, *, formats: Iterable[str] = ("%Y-%m",)) -> str:
    """Return a month as ``YYYY-MM``; of a date, its month."""
    try:
        return read_date(raw, formats=formats).strftime("%Y-%m")
    except Unreadable as error:
        if error.rule == "date":
            raise Unreadable("month", message="is no month", fix="enter a month such as 2026-03") from None
        raise


def _date_of(text: str, *, formats: Iterable[str]) -> date:
    days = {day for day in (_strptime(text, form=form) for form in formats) if day is not None}
    if len(days) == 1:
        return days.pop()
    if days:
        shown = " or ".join(day.isoformat() for day in sorted(days))
        raise Unreadable(
            "ambiguous-date", message=f"may be {shown}", fix="write it as year-month-day, such as 2026-03-31"
        )
    if re.fullmatch(r"[1-9]\d{4}(\.\d+)?", text):
        raise _serial(text)
    raise Unreadable("date", message="is no date", fix=f"write it as {_example(formats)}")


def _strptime(text: str, *, form: str) -> date | None:
    try:
        return datetime.strptime(text, form).date() if text.isascii() else None  # noqa: DTZ007 (a day has no zone)
    except ValueError:
        return None


def _example(formats: Iterable[str]) -> str:
    return " or ".join(date(2026, 3, 31).strftime(form) for form in formats)


def _serial(text: str) -> Unreadable:
    """Return the complaint about a bare number where a date should be: nobody can tell which day was meant."""
    days = float(text)
    shown = ""
    if 61 <= days <= (LAST_DAY - EXCEL_DAY_ZERO).days:  # not a number, or infinite, is neither
        shown = f", perhaps Excel's serial number of {(EXCEL_DAY_ZERO + timedelta(days=int(days))).isoformat()}"
    return Unreadable("serial-date", message=f"is a number, not a date{shown}", fix="format the cell as a date")


def _decimal_of(text: str, *, notation: Notation) -> Decimal:
    money = notation.money
    bare, negative = _without_signs(" ".join(text.split()), symbols=(*money.symbols, *notation.symbols))
    unit = notation.unit
    for suffix in sorted(money.suffixes, key=len, reverse=True):
        if bare.casefold().endswith(suffix.casefold()):
            bare, unit = bare[: -len(suffix)].rstrip(), Decimal(money.suffixes[suffix])
            break
    thousands, point = re.escape(money.thousands), re.escape(money.decimal)
    grouped = rf"|[0-9]{{1,3}}(?:{thousands}[0-9]{{3}})+" if money.thousands else ""
    if not re.fullmatch(rf"(?:[0-9]+{grouped})(?:{point}[0-9]+)?|{point}[0-9]+", bare):
        raise _no_number(bare, money=money)
    digits = bare.replace(money.thousands, "") if money.thousands else bare
    number = Decimal(digits.replace(money.decimal, "."))
    return (-number if negative else number) * unit


def _without_signs(text: str, *, symbols: tuple[str, ...]) -> tuple[str, bool]:
    """Return a number without currency signs and minus, and whether it is negative; brackets mean minus."""
    negative = text.startswith("(") and text.endswith(")") and len(text) > 2
    bare = text[1:-1].strip() if negative else text
    for _ in range(2):  # the minus may stand before or after the currency sign
        if bare.startswith(("-", "\N{MINUS SIGN}")) and not negative:
            bare, negative = bare[1:].lstrip(), True
        for symbol in symbols:
            bare = bare.removeprefix(symbol).removesuffix(symbol).strip()
    return bare, negative


def _no_number(bare: str, *, money: Money) -> Unreadable:
    if _FOREIGN_NUMBER.fullmatch(bare):
        return Unreadable(
            "number-format",
            message=f"is not written with {money.decimal!r} for decimals",
            fix=f"write it as 1234{money.decimal}56",
        )
    return Unreadable("number", message="is no number", fix="enter a number alone; words belong into a narrative")
